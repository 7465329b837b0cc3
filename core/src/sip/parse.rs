//! Framing: where start line, header lines and body of a message are (RFC 3261 7, 18.3).

use memchr::{memchr, memchr2};
use smallvec::SmallVec;

use super::error::ParseError;
use super::header_name::{HeaderName, KnownHeader};
use super::text::{is_token, number, token_length};

/// The longest message that is read, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 65_536;

/// The most header lines a message that is read may have.
pub const MAX_HEADER_LINES: usize = 1_024;

/// A message taken apart. All spans lie within `data`; those of the head are UTF-8.
pub(super) struct Parsed {
    pub(super) data: Vec<u8>,
    pub(super) start: StartLine,
    pub(super) headers: HeaderLines,
    pub(super) body: Span,
}

/// The first line of a message.
#[derive(Clone, Copy)]
pub(super) enum StartLine {
    Request {
        method: Span,
        uri: Span,
        version: Span,
    },
    Response {
        version: Span,
        status: u16,
        reason: Span,
    },
}

/// One header line: its name without, its value without white space around it.
#[derive(Clone, Copy)]
pub(super) struct HeaderLine {
    pub(super) known: Option<KnownHeader>,
    pub(super) name: Span,
    pub(super) value: Span,
}

impl HeaderLine {
    /// Whether the line, whose spans lie in `data`, has this name.
    pub(super) fn is_called(&self, data: &[u8], name: HeaderName<'_>) -> bool {
        self.is_known_as(name.known(), data, name)
    }

    /// The same, with the name looked up already.
    pub(super) fn is_known_as(&self, known: Option<KnownHeader>, data: &[u8], name: HeaderName<'_>) -> bool {
        let is_same = || {
            self.name
                .bytes(data)
                .eq_ignore_ascii_case(name.as_str().as_bytes())
        };
        self.known == known && (known.is_some() || is_same())
    }

    /// The whole line, if it is written in `data` as this project writes lines.
    pub(super) fn as_written<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let (name_end, value_end) = (self.name.end(), self.value.end());
        let is_usual = data.get(name_end..self.value.start()) == Some(b": ")
            && data.get(value_end..value_end + 2) == Some(b"\r\n");
        is_usual
            .then(|| data.get(self.name.start()..value_end + 2))
            .flatten()
    }

    /// The line where its text begins at `to` instead of `from`.
    pub(super) fn moved(&self, from: usize, to: usize) -> Self {
        let moved = |span: Span| Span::new(span.start() + to - from, span.end() + to - from);
        Self {
            known: self.known,
            name: moved(self.name),
            value: moved(self.value),
        }
    }
}

/// The header lines of a message. Nearly all messages have fewer than these, which cost no allocation of their own.
pub(super) type HeaderLines = SmallVec<[HeaderLine; 24]>;

/// A range of bytes. 32 bits are enough for [`MAX_MESSAGE_BYTES`] and for what the builders make.
#[derive(Clone, Copy, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: offset(start),
            end: offset(end),
        }
    }

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    pub(super) fn is_empty(self) -> bool {
        self.start >= self.end
    }

    pub(super) fn bytes(self, data: &[u8]) -> &[u8] {
        data.get(self.start()..self.end()).unwrap_or_default()
    }

    /// The text of a span of the head, which was made valid UTF-8 before.
    pub(super) fn text(self, data: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(data)).unwrap_or_default()
    }

    /// The span without spaces and tabs around it.
    pub(super) fn trimmed(self, data: &[u8]) -> Self {
        let bytes = self.bytes(data);
        let is_text = |byte: &u8| !is_space(*byte);
        let Some(first) = bytes.iter().position(is_text) else {
            return Self {
                start: self.end,
                end: self.end,
            };
        };
        let last = bytes.iter().rposition(is_text).unwrap_or(first);
        Self::new(self.start() + first, self.start() + last + 1)
    }
}

/// Whether the body must be as long as Content-Length says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyRule {
    /// RFC 3261 18.3.
    ContentLength,
    /// Ignore the body, to answer a request whose body is broken.
    Ignore,
}

pub(super) fn parse(data: Vec<u8>, rule: BodyRule) -> Result<Parsed, ParseError> {
    if data.len() > MAX_MESSAGE_BYTES {
        return Err(ParseError::TooLong);
    }
    let start = data
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .ok_or(ParseError::Empty)?;
    // Nearly all heads can be read as they are; a folded line looks like one without a name.
    let as_it_came = Head::read(&data, start)
        .ok()
        .filter(|head| std::str::from_utf8(&data[start..head.end]).is_ok());
    let (data, head) = match as_it_came {
        Some(head) => (data, head),
        None => {
            let end = head_end(&data, start)?;
            let data = plain(data, start..end);
            let head = Head::read(&data, start)?;
            (data, head)
        }
    };
    let body = match rule {
        BodyRule::ContentLength => body(&data, &head.headers, head.end)?,
        BodyRule::Ignore => Span::new(head.end, head.end),
    };
    Ok(Parsed {
        data,
        start: head.start,
        headers: head.headers,
        body,
    })
}

/// What stands before the body.
struct Head {
    start: StartLine,
    headers: HeaderLines,
    /// Where the body begins, behind the empty line.
    end: usize,
}

impl Head {
    /// Reads a head without folded lines.
    fn read(data: &[u8], start: usize) -> Result<Self, ParseError> {
        let (line, mut at) = line_at(data, start).ok_or(ParseError::StartLine)?;
        let start = start_line(data, line)?;
        let mut headers = HeaderLines::new();
        loop {
            let number = headers.len() + 1;
            let (line, next) = line_at(data, at).ok_or(ParseError::HeaderLine(number))?;
            at = next;
            if line.is_empty() {
                let end = at;
                return Ok(Self { start, headers, end });
            }
            if number > MAX_HEADER_LINES {
                return Err(ParseError::TooManyHeaders);
            }
            headers.push(header_line(data, line).ok_or(ParseError::HeaderLine(number))?);
        }
    }
}

/// The line that begins at `at`, without its end, and where the next one begins. `None` if the line has no end, or holds
/// a bare CR: that is no line end here but may be one to whoever reads the message next, and nothing may hide behind it.
fn line_at(data: &[u8], at: usize) -> Option<(Span, usize)> {
    let rest = data.get(at..)?;
    let length = memchr2(b'\r', b'\n', rest)?;
    let line_end = match &rest[length..] {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => return None,
    };
    Some((Span::new(at, at + length), at + length + line_end))
}

/// Where the empty line after the headers begins.
fn head_end(data: &[u8], start: usize) -> Result<usize, ParseError> {
    let mut at = start;
    loop {
        let rest = data.get(at..).unwrap_or_default();
        let line = memchr(b'\n', rest).ok_or(ParseError::Truncated)?;
        if matches!(rest[..line], [] | [b'\r']) {
            return Ok(at);
        }
        at += line + 1;
    }
}

/// `data`, in which `head` has folded lines joined by spaces, and bytes that are no UTF-8 replaced by `?`.
fn plain(mut data: Vec<u8>, head: std::ops::Range<usize>) -> Vec<u8> {
    let lines = &mut data[head];
    for at in 1..lines.len() {
        if lines[at - 1] == b'\n' && matches!(lines[at], b' ' | b'\t') {
            lines[at - 1] = b' ';
            if at >= 2 && lines[at - 2] == b'\r' {
                lines[at - 2] = b' ';
            }
        }
    }
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&lines[from..]) {
        let invalid = from + error.valid_up_to();
        lines[invalid] = b'?';
        from = invalid + 1;
    }
    data
}

fn start_line(data: &[u8], line: Span) -> Result<StartLine, ParseError> {
    let line = line.trimmed(data);
    let bytes = line.bytes(data);
    let first_space = memchr(b' ', bytes).ok_or(ParseError::StartLine)?;
    if is_version(&bytes[..first_space]) {
        status_line(data, line, first_space)
    } else {
        request_line(data, line, first_space)
    }
}

fn request_line(data: &[u8], line: Span, first_space: usize) -> Result<StartLine, ParseError> {
    let bytes = line.bytes(data);
    let last_space = memchr::memrchr(b' ', bytes).ok_or(ParseError::StartLine)?;
    let method = Span::new(line.start(), line.start() + first_space);
    let uri = Span::new(line.start() + first_space, line.start() + last_space).trimmed(data);
    let version = Span::new(line.start() + last_space + 1, line.end());
    let is_request =
        is_token(method.bytes(data)) && !uri.bytes(data).is_empty() && is_version(version.bytes(data));
    is_request
        .then_some(StartLine::Request { method, uri, version })
        .ok_or(ParseError::StartLine)
}

fn status_line(data: &[u8], line: Span, first_space: usize) -> Result<StartLine, ParseError> {
    let rest = Span::new(line.start() + first_space + 1, line.end());
    let bytes = rest.bytes(data);
    let digits = memchr(b' ', bytes).unwrap_or(bytes.len());
    let status = Span::new(rest.start(), rest.start() + digits);
    if digits != 3 {
        return Err(ParseError::StartLine);
    }
    Ok(StartLine::Response {
        version: Span::new(line.start(), line.start() + first_space),
        status: number(status.text(data)).ok_or(ParseError::StartLine)?,
        reason: Span::new(status.end(), rest.end()).trimmed(data),
    })
}

/// SIP-Version of any number: a request of another version is answered with 505, so it must be readable.
fn is_version(text: &[u8]) -> bool {
    let Some((name, number)) = text.split_at_checked(4) else {
        return false;
    };
    name.eq_ignore_ascii_case(b"SIP/")
        && number.first().is_some_and(u8::is_ascii_digit)
        && number.last().is_some_and(u8::is_ascii_digit)
        && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

fn header_line(data: &[u8], line: Span) -> Option<HeaderLine> {
    let bytes = line.bytes(data);
    let name = token_length(bytes);
    if name == 0 {
        return None;
    }
    let white_space = bytes[name..].iter().take_while(|byte| is_space(**byte)).count();
    let value = bytes[name + white_space..].strip_prefix(b":")?;
    let name = Span::new(line.start(), line.start() + name);
    Some(HeaderLine {
        known: KnownHeader::find(name.bytes(data)),
        name,
        value: Span::new(line.end() - value.len(), line.end()).trimmed(data),
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn body(data: &[u8], headers: &[HeaderLine], start: usize) -> Result<Span, ParseError> {
    let actual = data.len() - start;
    let Some(expected) = content_length(data, headers)? else {
        return Ok(Span::new(start, data.len()));
    };
    match usize::try_from(expected) {
        Ok(length) if length <= actual => Ok(Span::new(start, start + length)),
        _ => Err(ParseError::BodyTooShort { expected, actual }),
    }
}

fn content_length(data: &[u8], headers: &[HeaderLine]) -> Result<Option<u64>, ParseError> {
    let mut length = None;
    for header in headers
        .iter()
        .filter(|header| header.known == Some(KnownHeader::ContentLength))
    {
        let value: u64 = number(header.value.text(data)).ok_or(ParseError::ContentLength)?;
        if length.replace(value).is_some_and(|other| other != value) {
            return Err(ParseError::ContentLength);
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::sip::{HeaderName, Message, Method};

    fn parse(text: &str) -> Result<Message, ParseError> {
        Message::parse(text.as_bytes())
    }

    fn options(headers: &str) -> Result<Message, ParseError> {
        parse(&format!("OPTIONS sip:h SIP/2.0\r\n{headers}\r\n"))
    }

    #[test]
    fn request_lines_come_apart() {
        let message = parse("X-%2B sip:a@h;p SIP/7.0\r\n\r\n").unwrap();
        assert!(message.is_request() && !message.is_response());
        assert_eq!(message.method(), Method::Other("X-%2B"));
        assert_eq!(message.request_uri_text(), Some("sip:a@h;p"));
        assert_eq!((message.status(), message.reason()), (None, None));
    }

    #[test]
    fn status_lines_come_apart() {
        let message = parse("SIP/2.0 486  Busy = \u{442} \r\nCSeq: 1 INVITE\r\n\r\n").unwrap();
        assert!(message.is_response());
        assert_eq!(
            (message.status(), message.reason()),
            (Some(486), Some("Busy = \u{442}"))
        );
        assert_eq!(
            (message.method(), message.request_uri_text()),
            (Method::Invite, None)
        );
        let silent = parse("SIP/2.0 100\r\n\r\n").unwrap();
        assert_eq!((silent.reason(), silent.method()), (Some(""), Method::Other("")));
    }

    #[test]
    fn other_first_lines_are_refused() {
        for line in [
            "INVITE",
            "INVITE sip:h",
            "INVITE SIP/2.0",
            "INVITE  SIP/2.0",
            "INVITE sip:h HTTP/1.1",
            "INVITE sip:h SIP/",
            "INVITE sip:h SIP/x",
            "IN(VITE sip:h SIP/2.0",
            "SIP/2.0 OK",
            "SIP/2.0 20 OK",
            "SIP/2.0 2000 OK",
            "SIP/2.0 4294967301 OK",
            "SIP/2.0 +20 OK",
            "SIP/2.0",
            "INVITE sip:h\rx SIP/2.0",
        ] {
            assert_eq!(
                parse(&format!("{line}\r\n\r\n")).unwrap_err(),
                ParseError::StartLine,
                "{line}"
            );
        }
    }

    #[test]
    fn names_match_whatever_case_and_form_and_spacing() {
        let message = options("i : a\r\nCALL-ID:b\r\nX-Own:\tc\t\r\nL:0\r\nSubject:\r\n").unwrap();
        assert_eq!(
            message.header_all(HeaderName::CallId).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(message.header(HeaderName::Other("x-own")), Some("c"));
        assert_eq!(message.header(HeaderName::Other("call-id")), Some("a"));
        assert_eq!(message.header(HeaderName::Subject), Some(""));
        assert_eq!(message.header(HeaderName::Other("Absent")), None);
        assert_eq!(message.headers().count(), 5);
    }

    #[test]
    fn folded_lines_are_joined() {
        let message = options("Subject: a\r\n b\r\n\tc\nTo:\r\n sip:h\r\n").unwrap();
        assert_eq!(
            message
                .header(HeaderName::Subject)
                .unwrap()
                .split_whitespace()
                .collect::<String>(),
            "abc"
        );
        assert_eq!(message.to().unwrap().uri.as_str(), "sip:h");
        assert_eq!(
            Message::parse(message.as_bytes()).unwrap(),
            message,
            "reading again changes nothing"
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_cost_only_themselves() {
        let message =
            Message::parse(&b"OPTIONS sip:h SIP/2.0\r\nSubject: M\xfcller\r\n\r\n\xff\xfe"[..]).unwrap();
        assert_eq!(message.header(HeaderName::Subject), Some("M?ller"));
        assert_eq!(message.body(), b"\xff\xfe");
    }

    #[test]
    fn lists_span_lines_and_respect_quotes() {
        let message =
            options("Allow: INVITE, ACK\r\nAllow:\r\nAllow: , BYE\r\nm: \"a,b\" <sip:c,d@h>, <sip:e@h>\r\n");
        let message = message.unwrap();
        assert_eq!(
            message.header_list(HeaderName::Allow).collect::<Vec<_>>(),
            ["INVITE", "ACK", "BYE"]
        );
        assert_eq!(message.contacts().filter(Result::is_ok).count(), 2);
        assert!(message.lists_token(HeaderName::Allow, "bye"));
        assert!(!message.lists_token(HeaderName::Allow, "REFER"));
    }

    #[test]
    fn lines_that_are_no_headers_are_refused() {
        for line in [
            "no colon",
            ": no name",
            "na me: x",
            "n\u{e4}me: x",
            "To: a\rVia: b",
            "\0: x",
        ] {
            assert_eq!(
                options(&format!("To: x\r\n{line}\r\n")).unwrap_err(),
                ParseError::HeaderLine(2),
                "{line}"
            );
        }
    }

    #[test]
    fn the_body_is_as_long_as_content_length_says() {
        let body =
            |headers: &str, body: &str| parse(&format!("OPTIONS sip:h SIP/2.0\r\n{headers}\r\n{body}"));
        assert_eq!(body("", "rest of it").unwrap().body(), b"rest of it");
        assert_eq!(body("l: 4\r\n", "rest of it").unwrap().body(), b"rest");
        assert_eq!(
            body("l: 4\r\nContent-Length: 04\r\n", "rest").unwrap().body(),
            b"rest"
        );
        assert_eq!(
            body("l: 5\r\n", "rest"),
            Err(ParseError::BodyTooShort {
                expected: 5,
                actual: 4
            })
        );
        for bad in ["", "x", "-1", "+1", "1 1", "99999999999999999999", "4\r\nl: 5"] {
            assert_eq!(
                body(&format!("l: {bad}\r\n"), "rest of it"),
                Err(ParseError::ContentLength),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_head_can_be_read_without_its_body() {
        let text = b"OPTIONS sip:h SIP/2.0\r\nCall-ID: c\r\nContent-Length: 9999\r\n\r\nshort";
        let head = Message::parse_head(&text[..]).unwrap();
        assert_eq!((head.call_id(), head.body()), (Ok("c"), &b""[..]));
        assert!(Message::parse_head(&text[..20]).is_err());
    }

    #[test]
    fn incomplete_messages_are_refused() {
        assert_eq!(parse(""), Err(ParseError::Empty));
        assert_eq!(parse("\r\n\r\n"), Err(ParseError::Empty));
        assert_eq!(parse("OPTIONS sip:h SIP/2.0"), Err(ParseError::Truncated));
        assert_eq!(
            parse("OPTIONS sip:h SIP/2.0\r\nTo: x\r\n"),
            Err(ParseError::Truncated)
        );
        assert_eq!(
            parse("\r\n\r\nOPTIONS sip:h SIP/2.0\n\nbody").unwrap().body(),
            b"body"
        );
    }

    #[test]
    fn surplus_is_no_part_of_the_message() {
        let message = parse("\r\nOPTIONS sip:h SIP/2.0\r\nl: 1\r\n\r\nabc").unwrap();
        assert_eq!(message.as_bytes(), b"OPTIONS sip:h SIP/2.0\r\nl: 1\r\n\r\na");
        assert_eq!(message, Message::parse(message.as_bytes()).unwrap());
    }

    #[test]
    fn size_is_bounded() {
        let lines = |count: usize| options(&"a: b\r\n".repeat(count));
        assert!(lines(MAX_HEADER_LINES).is_ok());
        assert_eq!(lines(MAX_HEADER_LINES + 1), Err(ParseError::TooManyHeaders));
        let sized = |length: usize| {
            Message::parse([&b"OPTIONS sip:h SIP/2.0\r\n\r\n"[..], &vec![0; length]].concat())
        };
        assert!(sized(MAX_MESSAGE_BYTES - 25).is_ok());
        assert_eq!(sized(MAX_MESSAGE_BYTES - 24), Err(ParseError::TooLong));
    }

    #[test]
    fn debug_output_tells_no_numbers() {
        let request = parse("INVITE sip:+4930123@h SIP/2.0\r\nFrom: <sip:+49301@h>\r\n\r\n").unwrap();
        assert_eq!(
            format!("{request:?}"),
            "Message(INVITE, 55 bytes, #f71a8ddca3d71813)"
        );
        assert!(!format!("{:?}", request.from()).contains("+49301"));
    }
}
