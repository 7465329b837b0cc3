use std::fmt;
use std::io::Write as _;

use super::header_name::{HeaderName, KnownHeader};
use super::message::Message;
use super::method::Method;
use super::name_addr::NameAddr;
use super::parse::{HeaderLine, HeaderLines, Parsed, Span, StartLine};
use super::reason_phrase::reason_phrase;
use super::text::{is_token, is_token_byte};
use super::uri::Uri;
use crate::cut;
use crate::fingerprint::Fingerprint;

/// Writes a request. Headers come out in the order of the calls, Content-Length last and always.
///
/// Control characters in a value become spaces and characters that no name may have become `-`: no text, whoever
/// typed it, can end a header line and start another.
///
/// ```
/// use clearline_core::sip::{HeaderName, Method, RequestBuilder, UriBuf, quote};
///
/// let uri = UriBuf::sip("bob", "example.com")?;
/// let request = RequestBuilder::new(Method::Message, uri.as_uri())
///     .header(HeaderName::MaxForwards, 70)
///     .header(HeaderName::From, format_args!("{} <sip:alice@example.com>;tag=1", quote("Alice\r\nEvil: 1")))
///     .body("text/plain", b"Hello")
///     .build();
/// assert_eq!(request.header(HeaderName::Other("Evil")), None);
/// assert_eq!(request.body(), b"Hello");
/// # Ok::<(), clearline_core::sip::UriError>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct RequestBuilder {
    start: StartLine,
    lines: Lines,
    body: Vec<u8>,
}

impl RequestBuilder {
    /// Starts a request.
    pub fn new(method: Method<'_>, uri: Uri<'_>) -> Self {
        let mut lines = Lines::with_capacity(USUAL_HEAD_BYTES);
        Self {
            start: lines.request_line(method, uri.as_str()),
            lines,
            body: Vec::new(),
        }
    }

    /// Adds a header line. Content-Length is left out: it is written by [`RequestBuilder::build`].
    pub fn header(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        self.lines.header(name, &value);
        self
    }

    /// Adds all lines called `name` of `message`, as they are.
    pub fn headers_from(mut self, message: &Message, name: HeaderName<'_>) -> Self {
        self.lines.copy(message, name);
        self
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.lines.header(HeaderName::ContentType, &content_type);
        self.body = body.to_vec();
        self
    }

    /// The finished request.
    pub fn build(self) -> Message {
        self.lines.finish(self.start, &self.body)
    }
}

/// Writes a response. Via, From, To, Call-ID and CSeq are the request's (RFC 3261 8.2.6.2), the other headers follow
/// in the order of the calls, Content-Length last and always. Values are cleaned as [`RequestBuilder`] does.
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct ResponseBuilder {
    request: Message,
    status: u16,
    reason: Option<String>,
    to_tag: Option<String>,
    headers: Lines,
    body: Vec<u8>,
}

impl ResponseBuilder {
    /// Starts a response with the standard reason phrase of `status`, which must lie between 100 and 699: anything
    /// else becomes 500.
    pub fn for_request(request: &Message, status: u16) -> Self {
        Self {
            request: request.clone(),
            status: if (100..700).contains(&status) { status } else { 500 },
            reason: None,
            to_tag: None,
            headers: Lines::default(),
            body: Vec::new(),
        }
    }

    /// Replaces the reason phrase.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// Adds `tag` to To, unless the request's To has one.
    pub fn to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    /// Adds the Record-Route lines of `request`, as responses that make a dialog need (RFC 3261 12.1.1).
    pub fn record_routes_from(self, request: &Message) -> Self {
        self.headers_from(request, HeaderName::RecordRoute)
    }

    /// Adds all lines called `name` of `message`, as they are.
    pub fn headers_from(mut self, message: &Message, name: HeaderName<'_>) -> Self {
        self.headers.copy(message, name);
        self
    }

    /// Adds a header line. Content-Length is left out: it is written by [`ResponseBuilder::build`].
    pub fn header(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        self.headers.header(name, &value);
        self
    }

    /// Sets the body and adds its Content-Type.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.headers.header(HeaderName::ContentType, &content_type);
        self.body = body.to_vec();
        self
    }

    /// The finished response.
    pub fn build(self) -> Message {
        let mut lines = Lines::with_capacity(USUAL_HEAD_BYTES + self.headers.bytes.len() + self.body.len());
        let reason = self
            .reason
            .as_deref()
            .unwrap_or_else(|| reason_phrase(self.status));
        let start = lines.status_line(self.status, reason);
        lines.copy(&self.request, HeaderName::Via);
        lines.copy_first(&self.request, HeaderName::From);
        self.write_to(&mut lines);
        lines.copy_first(&self.request, HeaderName::CallId);
        lines.copy_first(&self.request, HeaderName::CSeq);
        lines.append(&self.headers);
        lines.finish(start, &self.body)
    }

    fn write_to(&self, lines: &mut Lines) {
        let Some(to) = self.request.header(HeaderName::To) else {
            return;
        };
        match &self.to_tag {
            Some(tag) if !has_tag(to) => {
                lines.line(HeaderName::To, |bytes| {
                    bytes.extend_from_slice(to.as_bytes());
                    bytes.extend_from_slice(b";tag=");
                    push_token(bytes, tag);
                });
            }
            _ => lines.copy_first(&self.request, HeaderName::To),
        }
    }
}

impl fmt::Debug for RequestBuilder {
    /// Header names, and a number for all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = Fingerprint::of([self.lines.bytes.as_slice(), self.body.as_slice()]);
        f.debug_struct("RequestBuilder")
            .field("headers", &self.lines)
            .field("fingerprint", &fingerprint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseBuilder {
    /// Status and header names only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBuilder")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// Whether a To value has a tag; a malformed one is searched for it, so that no second tag is added.
fn has_tag(to: &str) -> bool {
    NameAddr::parse(to).map_or_else(|_| cut::around(to, ";tag=").is_some(), |to| to.params.has("tag"))
}

/// What most heads fit in, so that they do not have to move while they grow.
const USUAL_HEAD_BYTES: usize = 768;

/// A message under construction, and where its header lines are.
#[derive(Clone, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    headers: HeaderLines,
}

impl Lines {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            headers: HeaderLines::new(),
        }
    }

    pub(super) fn request_line(&mut self, method: Method<'_>, uri: &str) -> StartLine {
        let method = self.span(|bytes| push_token(bytes, method.as_str()));
        self.bytes.push(b' ');
        let uri = self.span(|bytes| push_request_uri(bytes, uri));
        self.bytes.push(b' ');
        let version = self.span(|bytes| bytes.extend_from_slice(b"SIP/2.0"));
        self.bytes.extend_from_slice(b"\r\n");
        StartLine::Request { method, uri, version }
    }

    pub(super) fn status_line(&mut self, status: u16, reason: &str) -> StartLine {
        let version = self.span(|bytes| bytes.extend_from_slice(b"SIP/2.0"));
        push_clean(&mut self.bytes, &format_args!(" {status:03} "));
        let reason = self.span(|bytes| push_clean(bytes, &reason));
        self.bytes.extend_from_slice(b"\r\n");
        StartLine::Response {
            version,
            status,
            reason: reason.trimmed(&self.bytes),
        }
    }

    /// A header with a cleaned value; Content-Length is left to [`Lines::finish`].
    pub(super) fn header(&mut self, name: HeaderName<'_>, value: &dyn fmt::Display) {
        if name != HeaderName::ContentLength {
            self.line(name, |bytes| push_clean(bytes, value));
        }
    }

    /// All lines of that name, with their values as they are.
    pub(super) fn copy(&mut self, message: &Message, name: HeaderName<'_>) {
        if name != HeaderName::ContentLength {
            message
                .header_all(name)
                .for_each(|value| self.line(name, |bytes| bytes.extend_from_slice(value.as_bytes())));
        }
    }

    fn copy_first(&mut self, message: &Message, name: HeaderName<'_>) {
        if let Some(value) = message.header(name) {
            self.line(name, |bytes| bytes.extend_from_slice(value.as_bytes()));
        }
    }

    /// A line whose spans lie in `data`: name and value as written there. Content-Length is left out.
    pub(super) fn keep(&mut self, data: &[u8], line: &HeaderLine) {
        if line.known == Some(KnownHeader::ContentLength) {
            return;
        }
        let kept = if let Some(written) = line.as_written(data) {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(written);
            line.moved(line.name.start(), at)
        } else {
            let name = self.span(|bytes| bytes.extend_from_slice(line.name.bytes(data)));
            self.bytes.extend_from_slice(b": ");
            let value = self.span(|bytes| bytes.extend_from_slice(line.value.bytes(data)));
            self.bytes.extend_from_slice(b"\r\n");
            HeaderLine {
                known: line.known,
                name,
                value,
            }
        };
        self.headers.push(kept);
    }

    /// A line with a value that holds no line end.
    fn line(&mut self, name: HeaderName<'_>, write_value: impl FnOnce(&mut Vec<u8>)) {
        let line = push_line(&mut self.bytes, name, write_value);
        self.headers.push(line);
    }

    fn append(&mut self, other: &Self) {
        let shift = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.headers
            .extend(other.headers.iter().map(|line| line.moved(0, shift)));
    }

    pub(super) fn finish(mut self, start: StartLine, body: &[u8]) -> Message {
        self.line(HeaderName::ContentLength, |bytes| push_clean(bytes, &body.len()));
        self.bytes.extend_from_slice(b"\r\n");
        let body_start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        let body = Span::new(body_start, self.bytes.len());
        Message::from_parsed(Parsed {
            data: self.bytes,
            start,
            headers: self.headers,
            body,
        })
    }

    fn span(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        span(&mut self.bytes, write)
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.headers.iter().map(|line| line.name.text(&self.bytes)))
            .finish()
    }
}

/// Writes a header line with a value that holds no line end; where it is.
pub(super) fn push_line(
    bytes: &mut Vec<u8>,
    name: HeaderName<'_>,
    write_value: impl FnOnce(&mut Vec<u8>),
) -> HeaderLine {
    let known = name.known();
    let name = span(bytes, |bytes| push_token(bytes, name.as_str()));
    bytes.extend_from_slice(b": ");
    let value = span(bytes, write_value).trimmed(bytes);
    bytes.extend_from_slice(b"\r\n");
    HeaderLine { known, name, value }
}

/// Writes a value whose control characters become spaces.
pub(super) fn push_clean(bytes: &mut Vec<u8>, value: &dyn fmt::Display) {
    let start = bytes.len();
    // Writing to a vector cannot fail, and a Display that gives up half-way has still written text.
    let _ = write!(bytes, "{value}");
    // Bytes of characters outside ASCII are no control characters.
    let is_control = |byte: &&mut u8| byte.is_ascii_control();
    bytes[start..]
        .iter_mut()
        .filter(is_control)
        .for_each(|byte| *byte = b' ');
}

/// Writes a token: characters no token may have become `-`, as does an empty one.
fn push_token(bytes: &mut Vec<u8>, text: &str) {
    if is_token(text) {
        return bytes.extend_from_slice(text.as_bytes());
    }
    let is_good = |c: &char| u8::try_from(*c).is_ok_and(is_token_byte);
    bytes.extend(
        text.chars()
            .map(|c| Some(c).filter(is_good).map_or(b'-', |c| c as u8)),
    );
    if text.is_empty() {
        bytes.push(b'-');
    }
}

/// Writes a Request-URI: white space and control characters, which would end it, are percent-escaped.
fn push_request_uri(bytes: &mut Vec<u8>, uri: &str) {
    let must_escape = |byte: u8| byte == b' ' || byte.is_ascii_control();
    if !uri.bytes().any(must_escape) {
        return bytes.extend_from_slice(uri.as_bytes());
    }
    for byte in uri.bytes() {
        if must_escape(byte) {
            let _ = write!(bytes, "%{byte:02X}");
        } else {
            bytes.push(byte);
        }
    }
}

fn span(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Span {
    let start = bytes.len();
    write(bytes);
    Span::new(start, bytes.len())
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::sip::{UriBuf, quote};

    const INVITE: &[u8] = b"INVITE sip:bob@example.com SIP/2.0\r\n\
        v: SIP/2.0/WS a;branch=z9hG4bK1, SIP/2.0/WS b;branch=z9hG4bK2\r\n\
        Via: SIP/2.0/WS c;branch=z9hG4bK3\r\n\
        f: \"A \\\"x\\\"\" <sip:alice@example.com>;tag=1\r\n\
        t: <sip:bob@example.com>\r\n\
        i: c1\r\n\
        CSeq: 7 INVITE\r\n\
        Record-Route: <sip:p1;lr>\r\n\
        Record-Route: <sip:p2;lr>\r\n\r\n";

    fn invite() -> Message {
        Message::parse(INVITE).unwrap()
    }

    fn uri() -> UriBuf {
        UriBuf::parse("sip:bob@example.com").unwrap()
    }

    fn text(message: &Message) -> &str {
        std::str::from_utf8(message.as_bytes()).unwrap()
    }

    #[test]
    fn requests_are_written_in_order() {
        let request = RequestBuilder::new(Method::Invite, uri().as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::Other("X-Own"), format_args!("{}", "a"))
            .headers_from(&invite(), HeaderName::RecordRoute)
            .body("text/plain", b"Hi")
            .build();
        assert_eq!(
            text(&request),
            "INVITE sip:bob@example.com SIP/2.0\r\nMax-Forwards: 70\r\nX-Own: a\r\n\
             Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n\
             Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nHi"
        );
        assert_eq!(request.header(HeaderName::MaxForwards), Some("70"));
        assert_eq!(request.body(), b"Hi");
    }

    #[test]
    fn responses_mirror_the_request() {
        let response = ResponseBuilder::for_request(&invite(), 180)
            .to_tag("b1")
            .record_routes_from(&invite())
            .header(HeaderName::Contact, "<sip:bob@b>")
            .build();
        assert_eq!(
            text(&response),
            "SIP/2.0 180 Ringing\r\n\
             Via: SIP/2.0/WS a;branch=z9hG4bK1, SIP/2.0/WS b;branch=z9hG4bK2\r\n\
             Via: SIP/2.0/WS c;branch=z9hG4bK3\r\n\
             From: \"A \\\"x\\\"\" <sip:alice@example.com>;tag=1\r\n\
             To: <sip:bob@example.com>;tag=b1\r\n\
             Call-ID: c1\r\nCSeq: 7 INVITE\r\n\
             Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n\
             Contact: <sip:bob@b>\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(
            (response.status(), response.method()),
            (Some(180), Method::Invite)
        );
    }

    #[test]
    fn a_tag_is_added_only_where_there_is_none() {
        let to = |to: &str| {
            let request = invite().edit().set(HeaderName::To, to).build();
            let response = ResponseBuilder::for_request(&request, 200)
                .to_tag("new tag")
                .build();
            response.header(HeaderName::To).unwrap().to_owned()
        };
        assert_eq!(to("sip:b@h"), "sip:b@h;tag=new-tag");
        assert_eq!(to("<sip:b@h>;tag=old"), "<sip:b@h>;tag=old");
        assert_eq!(to("\"open <sip:b@h>;tag=old"), "\"open <sip:b@h>;tag=old");
        assert_eq!(to("\"open <sip:b@h>"), "\"open <sip:b@h>;tag=new-tag");
    }

    #[test]
    fn a_request_without_headers_can_be_answered() {
        let request = Message::parse(&b"X sip:h SIP/2.0\r\n\r\n"[..]).unwrap();
        let response = ResponseBuilder::for_request(&request, 400)
            .reason("No\r\nVia: x")
            .to_tag("t")
            .build();
        assert_eq!(
            text(&response),
            "SIP/2.0 400 No  Via: x\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn impossible_statuses_become_500() {
        assert_eq!(
            ResponseBuilder::for_request(&invite(), 99).build().status(),
            Some(500)
        );
        assert_eq!(
            ResponseBuilder::for_request(&invite(), 700).build().status(),
            Some(500)
        );
    }

    #[test]
    fn content_length_is_always_right() {
        let request = RequestBuilder::new(Method::Info, uri().as_uri())
            .header(HeaderName::ContentLength, 999)
            .header(HeaderName::Other("l"), 998)
            .build();
        assert_eq!(
            request.header_all(HeaderName::ContentLength).collect::<Vec<_>>(),
            ["0"]
        );
    }

    #[test]
    fn no_value_can_end_its_line() {
        const EVIL: &str = "x\r\nEvil: 1\r\n\r\nbody\n\rEvil: 2\u{0}\u{7f}";
        let request = RequestBuilder::new(Method::Other(EVIL), uri().as_uri())
            .header(HeaderName::Subject, EVIL)
            .header(HeaderName::Other(EVIL), EVIL)
            .header(
                HeaderName::From,
                format_args!("{} <{}>", quote(EVIL), UriBuf::sip(EVIL, "h").unwrap()),
            )
            .body(EVIL, b"")
            .build();
        let edited = request
            .edit()
            .set_request_uri(EVIL)
            .prepend(HeaderName::Via, EVIL)
            .append(HeaderName::Other(EVIL), EVIL)
            .set(HeaderName::To, EVIL)
            .replace_first_element(HeaderName::Subject, EVIL)
            .body(EVIL, b"")
            .build();
        let response = ResponseBuilder::for_request(&edited, 200)
            .reason(EVIL)
            .to_tag(EVIL)
            .header(HeaderName::Warning, EVIL)
            .headers_from(&edited, HeaderName::Subject)
            .build();
        for message in [request, edited, response] {
            let again = Message::parse(message.as_bytes()).unwrap();
            assert!(
                again.headers().all(|(name, _)| name != HeaderName::Other("Evil")),
                "{}",
                text(&again)
            );
            assert!(again.headers().eq(message.headers()));
            assert_eq!(again.body(), b"");
            assert!(!again.as_bytes().contains(&0));
        }
    }

    #[test]
    fn builders_show_no_values_in_debug_output() {
        let builder = RequestBuilder::new(Method::Info, uri().as_uri()).header(HeaderName::Subject, "secret");
        assert!(!format!("{builder:?}").contains("secret"));
        assert!(!format!("{:?}", ResponseBuilder::for_request(&invite(), 200)).contains("alice"));
        assert!(!format!("{:?}", invite().edit()).contains("alice"));
    }
}
