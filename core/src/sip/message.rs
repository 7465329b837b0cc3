use std::fmt;
use std::sync::Arc;

use super::challenge::{AuthenticationKind, Challenge, Credentials};
use super::cseq::CSeq;
use super::edit::MessageEditor;
use super::error::{HeaderError, Malformed, ParseError};
use super::header_name::HeaderName;
use super::media_type::MediaType;
use super::method::Method;
use super::name_addr::{Contact, NameAddr};
use super::parse::{self, BodyRule, HeaderLine, Parsed, StartLine};
use super::rack::RAck;
use super::reason::Reason;
use super::session_expires::SessionExpires;
use super::text::{number, split};
use super::uri::Uri;
use super::via::Via;
use crate::cut;
use crate::fingerprint::Fingerprint;

/// A SIP request or response: the bytes as they came, and where each part is. Cloning is cheap.
///
/// Folded header lines are joined by spaces, and bytes in the head that are no UTF-8 become `?`; nothing else is
/// changed. Messages are equal if their bytes are. `Debug` shows method, status, size and a number for all of it only.
#[derive(Clone)]
pub struct Message(Arc<Parsed>);

impl Message {
    /// Reads one complete message, as a WebSocket frame or a datagram carries it. Empty lines before it are skipped,
    /// compact names, folded lines and bare LF are understood. Without Content-Length the body is the rest; bytes
    /// after a body of that length are dropped (RFC 3261 18.3).
    ///
    /// This checks the framing only; see [`Message::validate`].
    ///
    /// # Errors
    /// When the bytes cannot be taken apart, or exceed [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES) or
    /// [`MAX_HEADER_LINES`](super::MAX_HEADER_LINES). Work and memory are linear in the length.
    pub fn parse(data: impl Into<Vec<u8>>) -> Result<Self, ParseError> {
        Ok(Self::from_parsed(parse::parse(
            data.into(),
            BodyRule::ContentLength,
        )?))
    }

    /// Reads a message but not its body, which is empty in the result. With it a request can be answered with 400
    /// whose body [`Message::parse`] refused.
    ///
    /// # Errors
    /// When start line or headers cannot be read.
    pub fn parse_head(data: impl Into<Vec<u8>>) -> Result<Self, ParseError> {
        Ok(Self::from_parsed(parse::parse(data.into(), BodyRule::Ignore)?))
    }

    /// The whole message, without empty lines before and surplus bytes after it.
    pub fn as_bytes(&self) -> &[u8] {
        let start = match self.0.start {
            StartLine::Request { method: first, .. } | StartLine::Response { version: first, .. } => {
                first.start()
            }
        };
        self.0.data.get(start..self.0.body.end()).unwrap_or_default()
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.0.start, StartLine::Request { .. })
    }

    /// Whether this is a response.
    pub fn is_response(&self) -> bool {
        !self.is_request()
    }

    /// The method of a request, or of the request that a response answers (from its CSeq; an empty
    /// [`Method::Other`] if that is malformed).
    pub fn method(&self) -> Method<'_> {
        match self.0.start {
            StartLine::Request { method, .. } => Method::from(method.text(&self.0.data)),
            StartLine::Response { .. } => self.cseq().map_or(Method::Other(""), |cseq| cseq.method),
        }
    }

    /// The Request-URI; `None` for a response or if it is malformed.
    pub fn request_uri(&self) -> Option<Uri<'_>> {
        self.request_uri_text().and_then(|text| Uri::parse(text).ok())
    }

    /// The Request-URI as written; `None` for a response.
    pub fn request_uri_text(&self) -> Option<&str> {
        match self.0.start {
            StartLine::Request { uri, .. } => Some(uri.text(&self.0.data)),
            StartLine::Response { .. } => None,
        }
    }

    /// The status of a response, three digits, not necessarily between 100 and 699.
    pub fn status(&self) -> Option<u16> {
        match self.0.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }

    /// The reason phrase of a response, possibly empty.
    pub fn reason(&self) -> Option<&str> {
        match self.0.start {
            StartLine::Request { .. } => None,
            StartLine::Response { reason, .. } => Some(reason.text(&self.0.data)),
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.0.body.bytes(&self.0.data)
    }

    /// All header lines in order.
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName<'_>, &str)> {
        self.0
            .headers
            .iter()
            .map(|line| (self.name_of(line), self.value_of(line)))
    }

    /// The value of the first line called `name`.
    pub fn header(&self, name: HeaderName<'_>) -> Option<&str> {
        self.lines(name).next()
    }

    /// The value of each line called `name`.
    pub fn header_all<'m, 'n>(&'m self, name: HeaderName<'n>) -> impl Iterator<Item = &'m str> + use<'m, 'n> {
        self.lines(name)
    }

    /// The comma-separated elements of all lines called `name`. Commas in quotes and angle brackets do not separate;
    /// empty elements are left out.
    pub fn header_list<'m, 'n>(
        &'m self,
        name: HeaderName<'n>,
    ) -> impl Iterator<Item = &'m str> + use<'m, 'n> {
        self.lines(name)
            .flat_map(|line| split(line, b','))
            .filter(|element| !element.is_empty())
    }

    /// All Via values, the last hop first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.typed_list(HeaderName::Via, Via::parse)
    }

    /// The first Via value.
    ///
    /// # Errors
    /// When there is none or it is malformed.
    pub fn top_via(&self) -> Result<Via<'_>, HeaderError> {
        self.vias()
            .next()
            .unwrap_or(Err(HeaderError::Missing(HeaderName::Via)))
    }

    /// From.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn from(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.typed(HeaderName::From, NameAddr::parse)
    }

    /// To.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn to(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.typed(HeaderName::To, NameAddr::parse)
    }

    /// Call-ID.
    ///
    /// # Errors
    /// When it is missing or empty, or has white space in it.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        self.typed(HeaderName::CallId, |text| {
            let is_call_id = !text.is_empty() && !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
            is_call_id.then_some(text).ok_or(Malformed)
        })
    }

    /// CSeq.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq<'_>, HeaderError> {
        self.typed(HeaderName::CSeq, CSeq::parse)
    }

    /// All Contact values.
    pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'_>, HeaderError>> {
        self.typed_list(HeaderName::Contact, Contact::parse)
    }

    /// All Route values, the next hop first.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.typed_list(HeaderName::Route, NameAddr::parse)
    }

    /// All Record-Route values, the last proxy first.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.typed_list(HeaderName::RecordRoute, NameAddr::parse)
    }

    /// All Path values (RFC 3327), the last proxy first.
    pub fn paths(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.typed_list(HeaderName::Path, NameAddr::parse)
    }

    /// All Service-Route values (RFC 3608), the first hop first.
    pub fn service_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.typed_list(HeaderName::ServiceRoute, NameAddr::parse)
    }

    /// The values of any other header that holds addresses, as P-Asserted-Identity or Refer-To.
    pub fn addresses(
        &self,
        name: HeaderName<'static>,
    ) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.typed_list(name, NameAddr::parse)
    }

    /// Max-Forwards, `None` if absent.
    ///
    /// # Errors
    /// When it is no number up to 255.
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        self.optional(HeaderName::MaxForwards, |text| number(text).ok_or(Malformed))
    }

    /// Expires in seconds, `None` if absent.
    ///
    /// # Errors
    /// When it is no number of 32 bits; it may then be taken for the default (RFC 3261 20.19).
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(HeaderName::Expires, |text| number(text).ok_or(Malformed))
    }

    /// Content-Length as written, `None` if absent. The body has that length already.
    ///
    /// # Errors
    /// When it is no number.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        self.optional(HeaderName::ContentLength, |text| number(text).ok_or(Malformed))
    }

    /// Content-Type, `None` if absent or malformed.
    pub fn content_type(&self) -> Option<MediaType<'_>> {
        self.header(HeaderName::ContentType)
            .and_then(|text| MediaType::parse(text).ok())
    }

    /// All WWW-Authenticate, then all Proxy-Authenticate headers.
    pub fn challenges(&self) -> impl Iterator<Item = Result<Challenge<'_>, HeaderError>> {
        [AuthenticationKind::Www, AuthenticationKind::Proxy]
            .into_iter()
            .flat_map(|kind| {
                let name = kind.challenge_header();
                self.lines(name)
                    .map(move |text| Challenge::parse(kind, text).map_err(|_| HeaderError::Malformed(name)))
            })
    }

    /// All Authorization, then all Proxy-Authorization headers.
    pub fn credentials(&self) -> impl Iterator<Item = Result<Credentials<'_>, HeaderError>> {
        [AuthenticationKind::Www, AuthenticationKind::Proxy]
            .into_iter()
            .flat_map(|kind| {
                let name = kind.credentials_header();
                self.lines(name)
                    .map(move |text| Credentials::parse(kind, text).map_err(|_| HeaderError::Malformed(name)))
            })
    }

    /// Whether a list header (Supported, Require, Allow, Accept ...) has the element `token`, whatever its case and
    /// parameters.
    pub fn lists_token(&self, name: HeaderName<'_>, token: &str) -> bool {
        self.header_list(name)
            .any(|element| cut::before(element, b';').0.trim().eq_ignore_ascii_case(token))
    }

    /// All values of the Reason header (RFC 3326).
    pub fn reason_cause(&self) -> impl Iterator<Item = Result<Reason<'_>, HeaderError>> {
        self.typed_list(HeaderName::Reason, Reason::parse)
    }

    /// The values of Privacy (RFC 3323 section 4.2), which semicolons separate: `id`, `user`, `none` ...
    pub fn privacy(&self) -> impl Iterator<Item = &str> {
        self.header_all(HeaderName::Privacy)
            .flat_map(|line| line.split([';', ',']))
            .map(str::trim)
    }

    /// Retry-After in seconds, without its comment and parameters (RFC 3261 20.33); `None` if absent or malformed.
    pub fn retry_after(&self) -> Option<u32> {
        let text = self.header(HeaderName::RetryAfter)?;
        number(text.split([' ', '\t', '(', ';']).next()?)
    }

    /// Min-Expires in seconds (RFC 3261 20.23); `None` if absent or malformed.
    pub fn min_expires(&self) -> Option<u32> {
        self.header(HeaderName::MinExpires).and_then(number)
    }

    /// The RSeq of a provisional response that is sent reliably (RFC 3262 3); `None` for any other message.
    pub fn reliable_rseq(&self) -> Option<u32> {
        let provisional = matches!(self.status(), Some(101..=199));
        let reliable = provisional && self.lists_token(HeaderName::Require, "100rel");
        reliable.then(|| number(self.header(HeaderName::RSeq)?)).flatten()
    }

    /// RAck (RFC 3262 7.2).
    ///
    /// # Errors
    /// When it is absent or malformed.
    pub fn rack(&self) -> Result<RAck<'_>, HeaderError> {
        self.optional(HeaderName::RAck, RAck::parse)?
            .ok_or(HeaderError::Missing(HeaderName::RAck))
    }

    /// Session-Expires (RFC 4028 4), `None` if absent or malformed.
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.header(HeaderName::SessionExpires)
            .and_then(|text| SessionExpires::parse(text).ok())
    }

    /// Min-SE in seconds (RFC 4028 5); `None` if absent or malformed.
    pub fn min_se(&self) -> Option<u32> {
        let text = self.header(HeaderName::MinSe)?;
        number(text.split(';').next()?.trim())
    }

    /// Starts an edit: the result of [`MessageEditor::build`] is a new message, this one stays as it is.
    pub fn edit(&self) -> MessageEditor {
        MessageEditor::new(self.clone())
    }

    /// Whether the start line says SIP/2.0.
    pub(crate) fn is_sip_2(&self) -> bool {
        let (StartLine::Request { version, .. } | StartLine::Response { version, .. }) = self.0.start;
        version.text(&self.0.data).eq_ignore_ascii_case("SIP/2.0")
    }

    pub(super) fn from_parsed(parsed: Parsed) -> Self {
        Self(Arc::new(parsed))
    }

    pub(super) fn parsed(&self) -> &Parsed {
        &self.0
    }

    fn lines<'m, 'n>(&'m self, name: HeaderName<'n>) -> impl Iterator<Item = &'m str> + use<'m, 'n> {
        let known = name.known();
        self.0
            .headers
            .iter()
            .filter(move |line| line.is_known_as(known, &self.0.data, name))
            .map(|line| self.value_of(line))
    }

    fn name_of(&self, line: &HeaderLine) -> HeaderName<'_> {
        match line.known {
            Some(known) => known.name(),
            None => HeaderName::Other(line.name.text(&self.0.data)),
        }
    }

    fn value_of(&self, line: &HeaderLine) -> &str {
        line.value.text(&self.0.data)
    }

    fn typed<'m, T>(
        &'m self,
        name: HeaderName<'static>,
        parse: impl FnOnce(&'m str) -> Result<T, Malformed>,
    ) -> Result<T, HeaderError> {
        self.optional(name, parse)?.ok_or(HeaderError::Missing(name))
    }

    fn optional<'m, T>(
        &'m self,
        name: HeaderName<'static>,
        parse: impl FnOnce(&'m str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, HeaderError> {
        let value = self.header(name).map(parse).transpose();
        value.map_err(|Malformed| HeaderError::Malformed(name))
    }

    fn typed_list<'m, T>(
        &'m self,
        name: HeaderName<'static>,
        parse: impl Fn(&'m str) -> Result<T, Malformed>,
    ) -> impl Iterator<Item = Result<T, HeaderError>> {
        self.header_list(name)
            .map(move |text| parse(text).map_err(|Malformed| HeaderError::Malformed(name)))
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, bytes) = (self.method(), self.as_bytes());
        let fingerprint = Fingerprint::of([bytes]);
        let length = bytes.len();
        match self.status() {
            Some(status) => write!(f, "Message({status} {method}, {length} bytes, {fingerprint:?})"),
            None => write!(f, "Message({method}, {length} bytes, {fingerprint:?})"),
        }
    }
}
