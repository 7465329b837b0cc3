use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::UriError;
use super::params::Params;
use super::text::{ByteSet, number, percent_decode};
use crate::cut;

mod equivalence;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:` (RFC 3261 19.1).
    Sip,
    /// `sips:` (RFC 3261 19.1).
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other scheme, as written.
    Other(&'a str),
}

/// A URI within other text, checked and taken apart. Cheap to copy.
///
/// `sip:` and `sips:` URIs (RFC 3261 19.1) have user, host, port, parameters and headers; a `tel:` URI (RFC 3966) has
/// its number as user, and parameters; any other URI is opaque. `Debug` shows no user part.
#[derive(Clone, Copy)]
pub struct Uri<'a> {
    text: &'a str,
    parts: Parts,
}

impl<'a> Uri<'a> {
    /// Reads a URI that must fill `text`.
    ///
    /// # Errors
    /// When `text` is no URI, or a `sip:`, `sips:` or `tel:` URI with a malformed part.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        Ok(Self {
            text,
            parts: Parts::find(text)?,
        })
    }

    /// The URI as written.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme, whatever its case.
    pub fn scheme(&self) -> Scheme<'a> {
        self.parts.scheme(self.text)
    }

    /// The user part as written (still percent-escaped), or the number of a `tel:` URI.
    pub fn user(&self) -> Option<&'a str> {
        self.parts.user.map(|span| span.of(self.text))
    }

    /// The user part with its percent-escapes decoded, empty if there is none. May hold any character: show it, never
    /// write it into a message.
    pub fn user_decoded(&self) -> Cow<'a, str> {
        self.user().map_or(Cow::Borrowed(""), percent_decode)
    }

    /// The password as written. Senders should not use it (RFC 3261 19.1.1).
    pub fn password(&self) -> Option<&'a str> {
        self.parts.password.map(|span| span.of(self.text))
    }

    /// The host: name, IPv4 address, or IPv6 address in brackets. `None` unless `sip:` or `sips:`.
    pub fn host(&self) -> Option<&'a str> {
        self.parts.host.map(|span| span.of(self.text))
    }

    /// The host as an address, if it is one.
    pub fn host_ip(&self) -> Option<IpAddr> {
        self.host().and_then(host_ip)
    }

    /// The port, if written.
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The URI parameters.
    pub fn params(&self) -> Params<'a> {
        Params::of_uri(self.parts.params.of(self.text))
    }

    /// What stands after `?`, as written.
    pub fn headers(&self) -> Option<&'a str> {
        self.parts.headers.map(|span| span.of(self.text))
    }

    /// The URI without what stands after `?`, as a Request-URI has to be (RFC 3261 19.1.1).
    pub fn without_headers(&self) -> UriBuf {
        let bare = self
            .headers()
            .and_then(|headers| self.text.get(..self.text.len().checked_sub(headers.len() + 1)?))
            .and_then(|bare| UriBuf::parse(bare).ok());
        bare.unwrap_or_else(|| self.to_owned())
    }

    /// Whether a message for this host goes to it alone and leaves the route set as it is (`lr`, RFC 3261 19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params().has("lr")
    }

    /// An owned copy.
    pub fn to_owned(&self) -> UriBuf {
        UriBuf {
            text: self.text.to_owned(),
            parts: self.parts,
        }
    }

    /// Whether both URIs mean the same resource: RFC 3261 19.1.4 for `sip:` and `sips:`, RFC 3966 4 for `tel:`,
    /// equal text (but for the scheme's case) for others.
    pub fn equivalent(&self, other: &Uri<'_>) -> bool {
        equivalence::equivalent(self, other)
    }

    /// What stands after the scheme.
    fn opaque(&self) -> &'a str {
        let (_, rest) = self.text.split_once(':').unwrap_or_default();
        rest
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, _) = cut::at(self.text, usize::from(self.parts.scheme_end));
        match (self.host(), self.user()) {
            (Some(host), Some(_)) => write!(f, "{scheme}:[redacted]@{host}"),
            (Some(host), None) => write!(f, "{scheme}:{host}"),
            (None, _) => write!(f, "{scheme}:[redacted]"),
        }
    }
}

impl PartialEq for Uri<'_> {
    /// Equal text; see [`Uri::equivalent`] for equal meaning.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri<'_> {}

/// An owned URI that is always valid. `Debug` shows no user part.
#[derive(Clone)]
pub struct UriBuf {
    text: String,
    parts: Parts,
}

impl UriBuf {
    /// Reads a URI that must fill `text`.
    ///
    /// # Errors
    /// As [`Uri::parse`].
    pub fn parse(text: impl Into<String>) -> Result<Self, UriError> {
        let text = text.into();
        let parts = Parts::find(&text)?;
        Ok(Self { text, parts })
    }

    /// `sip:user@host`, where `user` may hold any characters (they are percent-escaped as RFC 3261 19.1.2 asks) or be
    /// empty (`sip:host`). `host` is a name or address, with an optional `:port`.
    ///
    /// # Errors
    /// When `host` is none.
    pub fn sip(user: &str, host: &str) -> Result<Self, UriError> {
        let mut text = String::with_capacity(user.len() + host.len() + 5);
        text.push_str("sip:");
        escape_user(user, &mut text);
        if !user.is_empty() {
            text.push('@');
        }
        text.push_str(host);
        let uri = Self::parse(text)?;
        let is_only_host = !host.contains(['@', ';', '?']);
        if is_only_host {
            Ok(uri)
        } else {
            Err(UriError::Host)
        }
    }

    /// The view with all the accessors.
    pub fn as_uri(&self) -> Uri<'_> {
        Uri {
            text: &self.text,
            parts: self.parts,
        }
    }

    /// The URI as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for UriBuf {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

impl From<Uri<'_>> for UriBuf {
    fn from(uri: Uri<'_>) -> Self {
        uri.to_owned()
    }
}

impl PartialEq for UriBuf {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for UriBuf {}

impl PartialOrd for UriBuf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UriBuf {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for UriBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_uri().fmt(f)
    }
}

impl Serialize for UriBuf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for UriBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Where the parts of a URI are in its text. Offsets fit 16 bits because longer URIs are refused.
#[derive(Clone, Copy)]
struct Parts {
    scheme_end: u16,
    user: Option<Span>,
    password: Option<Span>,
    host: Option<Span>,
    port: Option<u16>,
    params: Span,
    headers: Option<Span>,
}

#[derive(Clone, Copy, Default)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn of(self, text: &str) -> &str {
        text.get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
}

impl Parts {
    fn find(text: &str) -> Result<Self, UriError> {
        if text.len() > usize::from(u16::MAX) {
            return Err(UriError::TooLong);
        }
        let mut cursor = Cursor {
            bytes: text.as_bytes(),
            at: 0,
        };
        let scheme = cursor.take_until(|byte| byte == b':');
        if cursor.next().is_none() || !is_scheme(scheme.of(text)) {
            return Err(UriError::Scheme);
        }
        if text.bytes().any(is_forbidden) {
            return Err(UriError::Character);
        }
        let mut parts = Self {
            scheme_end: scheme.end,
            user: None,
            password: None,
            host: None,
            port: None,
            params: Span::default(),
            headers: None,
        };
        match parts.scheme(text) {
            Scheme::Sip | Scheme::Sips => parts.find_sip(text, &mut cursor)?,
            Scheme::Tel => parts.find_tel(&mut cursor)?,
            Scheme::Other(_) => {}
        }
        Ok(parts)
    }

    fn find_sip(&mut self, text: &str, cursor: &mut Cursor<'_>) -> Result<(), UriError> {
        // Neither parameters nor headers may hold an unescaped "@", and a user may hold ";" and "?": so "@" comes first.
        if memchr::memchr(b'@', cursor.rest()).is_some() {
            let user = cursor.take_until(|byte| matches!(byte, b':' | b'@'));
            if user.start == user.end {
                return Err(UriError::User);
            }
            self.user = Some(user);
            if cursor.next() == Some(b':') {
                self.password = Some(cursor.take_until(|byte| byte == b'@'));
                cursor.next();
            }
        }
        let host = cursor.take_host();
        if !is_host(host.of(text)) {
            return Err(UriError::Host);
        }
        self.host = Some(host);
        let mut delimiter = cursor.next();
        if delimiter == Some(b':') {
            let port = cursor.take_until(|byte| matches!(byte, b';' | b'?'));
            self.port = Some(number(port.of(text)).ok_or(UriError::Port)?);
            delimiter = cursor.next();
        }
        if delimiter == Some(b';') {
            self.params = cursor.take_until(|byte| byte == b'?');
            delimiter = cursor.next();
        }
        match delimiter {
            None => Ok(()),
            Some(b'?') => {
                self.headers = Some(cursor.take_rest());
                Ok(())
            }
            Some(_) => Err(UriError::Host),
        }
    }

    fn find_tel(&mut self, cursor: &mut Cursor<'_>) -> Result<(), UriError> {
        let number = cursor.take_until(|byte| byte == b';');
        if number.start == number.end {
            return Err(UriError::User);
        }
        self.user = Some(number);
        if cursor.next().is_some() {
            self.params = cursor.take_rest();
        }
        Ok(())
    }

    fn scheme<'a>(&self, text: &'a str) -> Scheme<'a> {
        let (scheme, _) = cut::at(text, usize::from(self.scheme_end));
        if scheme.eq_ignore_ascii_case("sip") {
            Scheme::Sip
        } else if scheme.eq_ignore_ascii_case("sips") {
            Scheme::Sips
        } else if scheme.eq_ignore_ascii_case("tel") {
            Scheme::Tel
        } else {
            Scheme::Other(scheme)
        }
    }
}

/// Goes over a URI and stops at ASCII delimiters only, so that all its spans are text.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Steps over the next byte.
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    /// Up to the first byte, an ASCII one, that is a delimiter.
    fn take_until(&mut self, is_delimiter: impl Fn(u8) -> bool) -> Span {
        let rest = self.rest();
        let end = rest.iter().position(|byte| is_delimiter(*byte));
        self.take(end.unwrap_or(rest.len()))
    }

    fn take_rest(&mut self) -> Span {
        self.take(self.rest().len())
    }

    /// A name or address; an IPv6 address holds colons, but in brackets.
    fn take_host(&mut self) -> Span {
        let rest = self.rest();
        if !rest.starts_with(b"[") {
            return self.take_until(|byte| !is_host_byte(byte));
        }
        let end = rest.iter().position(|byte| *byte == b']');
        self.take(end.map_or(rest.len(), |end| end + 1))
    }

    fn take(&mut self, length: usize) -> Span {
        let start = self.at;
        self.at += length;
        Span {
            start: offset(start),
            end: offset(self.at),
        }
    }
}

/// Offsets into a text whose length was checked to fit.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// scheme (RFC 3986 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// What may not stand in any URI unescaped. Other characters outside the grammar are tolerated, also outside ASCII.
fn is_forbidden(byte: u8) -> bool {
    static ALLOWED: ByteSet = ByteSet::of_visible_except(b"<>\"");
    !ALLOWED.has(byte)
}

/// What may stand in a host name. "_" is in no standard, but in many host names.
fn is_host_byte(byte: u8) -> bool {
    static HOST: ByteSet = ByteSet::of_names(b"-._");
    HOST.has(byte)
}

/// Whether `text` is a host name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    if text.starts_with('[') {
        return host_ip(text).is_some();
    }
    !text.is_empty() && text.bytes().all(is_host_byte)
}

/// The address that a host is, if it is one; IPv6 in brackets.
pub fn host_ip(text: &str) -> Option<IpAddr> {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    };
    let address = inner.parse::<Ipv6Addr>().ok().or_else(|| {
        // RFC 3261's grammar allowed one colon too many before an IPv4 part (RFC 5118 4.10).
        let (left, right) = cut::around(inner, ":::").filter(|_| inner.contains('.'))?;
        format!("{left}::{right}").parse().ok()
    });
    address.map(IpAddr::V6)
}

/// Escapes all but what a user part may hold (RFC 3261 25.1: unreserved and user-unreserved).
fn escape_user(user: &str, escaped: &mut String) {
    escape(user, is_user_byte, escaped);
}

/// Escapes all but what a URI parameter may hold (RFC 3261 25.1: paramchar).
pub(crate) fn escape_param(text: &str) -> String {
    let may_stand =
        |byte| is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'+' | b'$');
    let mut escaped = String::with_capacity(text.len());
    escape(text, may_stand, &mut escaped);
    escaped
}

/// Escapes all but what the value of a header in a URI may hold (RFC 3261 25.1: hvalue).
pub(crate) fn escape_header(text: &str) -> String {
    let may_stand =
        |byte| is_unreserved(byte) || matches!(byte, b'[' | b']' | b'/' | b'?' | b':' | b'+' | b'$');
    let mut escaped = String::with_capacity(text.len());
    escape(text, may_stand, &mut escaped);
    escaped
}

fn escape(text: &str, may_stand: impl Fn(u8) -> bool, escaped: &mut String) {
    for byte in text.bytes() {
        if may_stand(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push(hex_digit(byte >> 4));
            escaped.push(hex_digit(byte & 15));
        }
    }
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

fn is_user_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'&' | b'=' | b'+' | b'$' | b',' | b';' | b'?' | b'/')
}

/// unreserved (RFC 3261 25.1).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')'
        )
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn uri(text: &str) -> Uri<'_> {
        Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn sip_uris_come_apart() {
        let all = uri("SIPS:alice:secret@example.com:5061;transport=ws;lr?Subject=a&Priority=b");
        assert_eq!(all.scheme(), Scheme::Sips);
        assert_eq!((all.user(), all.password()), (Some("alice"), Some("secret")));
        assert_eq!((all.host(), all.port()), (Some("example.com"), Some(5061)));
        assert_eq!(all.params().value("Transport"), Some("ws"));
        assert!(all.is_loose_router());
        assert_eq!(all.headers(), Some("Subject=a&Priority=b"));

        let host = uri("sip:example.com");
        assert_eq!(
            (host.user(), host.password(), host.port(), host.headers()),
            (None, None, None, None)
        );
        assert!(host.params().is_empty() && !host.is_loose_router());
        assert_eq!(uri("sip:example.com?a=b").headers(), Some("a=b"));
        assert_eq!(uri("sip:a:@h").password(), Some(""));
    }

    #[test]
    fn users_may_hold_the_delimiters_of_other_parts() {
        assert_eq!(
            uri("sip:user;par=u%40example.net@example.com").user(),
            Some("user;par=u%40example.net")
        );
        assert_eq!(uri("sip:a?b/c@example.com").user(), Some("a?b/c"));
        assert_eq!(
            uri("sip:sips%3Auser%40example.com@example.net").user_decoded(),
            "sips:user@example.com"
        );
        assert_eq!(uri("sip:Zo%C3%AB@example.net").user_decoded(), "Zoë");
        assert_eq!(
            uri("sip:null-%00-null@example.com").user_decoded(),
            "null-\0-null"
        );
        assert_eq!(uri("sip:example.net").user_decoded(), "");
    }

    #[test]
    fn ipv6_hosts_keep_their_brackets() {
        let address = uri("sip:a@[2001:db8::10]:5070;lr");
        assert_eq!(
            (address.host(), address.port()),
            (Some("[2001:db8::10]"), Some(5070))
        );
        assert_eq!(address.host_ip(), Some("2001:db8::10".parse().unwrap()));
        assert_eq!(uri("sip:192.0.2.1").host_ip(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(uri("sip:192.0.2.1.example").host_ip(), None);
    }

    #[test]
    fn tel_and_other_uris_are_kept() {
        let tel = uri("tel:+1-201-555-0123;phone-context=example.com");
        assert_eq!(
            (tel.scheme(), tel.user(), tel.host()),
            (Scheme::Tel, Some("+1-201-555-0123"), None)
        );
        assert_eq!(tel.params().value("phone-context"), Some("example.com"));
        let other = uri("soap.beep://192.0.2.103:3002");
        assert_eq!(
            (other.scheme(), other.user(), other.host()),
            (Scheme::Other("soap.beep"), None, None)
        );
    }

    #[test]
    fn malformed_uris_say_why() {
        let cases = [
            ("", UriError::Scheme),
            ("alice", UriError::Scheme),
            ("1sip:alice", UriError::Scheme),
            ("<sip:user@example.com>", UriError::Scheme),
            ("sip:a b@example.com", UriError::Character),
            ("sip:user@example.com; lr", UriError::Character),
            ("sip:a\r\nVia:x@example.com", UriError::Character),
            ("sip:\"a\"@example.com", UriError::Character),
            ("sip:@example.com", UriError::User),
            ("tel:", UriError::User),
            ("tel:;ext=1", UriError::User),
            ("sip:", UriError::Host),
            ("sip:a@", UriError::Host),
            ("sip:a@b@c", UriError::Host),
            ("sip:a@[2001:db8::1", UriError::Host),
            ("sip:a@[::g]", UriError::Host),
            ("sip:a@[::1]x", UriError::Host),
            ("sip:a@hö.example", UriError::Host),
            ("sip:2001:db8::10", UriError::Port),
            ("sip:a@h:", UriError::Port),
            ("sip:a@h:65536", UriError::Port),
            ("sip:a@h:-1", UriError::Port),
        ];
        for (text, error) in cases {
            assert_eq!(Uri::parse(text).err(), Some(error), "{text}");
        }
        assert_eq!(
            UriBuf::parse(format!("sip:{}@h", "a".repeat(70_000))).err(),
            Some(UriError::TooLong)
        );
    }

    #[test]
    fn building_escapes_the_user_and_checks_the_host() {
        let built = UriBuf::sip("a b@c:é\r\nVia: x%", "example.com:5070").unwrap();
        assert_eq!(
            built.as_str(),
            "sip:a%20b%40c%3A%C3%A9%0D%0AVia%3A%20x%25@example.com:5070"
        );
        assert_eq!(built.as_uri().user_decoded(), "a b@c:é\r\nVia: x%");
        assert_eq!(
            UriBuf::sip("", "example.com").unwrap().as_str(),
            "sip:example.com"
        );
        assert_eq!(
            UriBuf::sip("*70#;ext=1", "h").unwrap().as_uri().user_decoded(),
            "*70#;ext=1"
        );
        for host in ["", "a b", "h;lr", "h?x", "x@h", "h\r\nVia: x"] {
            assert!(UriBuf::sip("a", host).is_err(), "{host}");
            assert!(UriBuf::sip("", host).is_err(), "{host}");
        }
    }

    #[test]
    fn numbers_are_not_shown_in_debug_output() {
        assert_eq!(format!("{:?}", uri("sip:+4930123@h:5;x=y")), "sip:[redacted]@h");
        assert_eq!(format!("{:?}", uri("tel:+4930123").to_owned()), "tel:[redacted]");
        assert_eq!(format!("{:?}", uri("sip:h")), "sip:h");
    }

    /// The examples of RFC 3261 19.1.4, and some of RFC 3966 and RFC 5954.
    #[test]
    fn equivalent_uris() {
        let pairs = [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtlanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            (
                "sip:carol@chicago.com;newparam=5",
                "sip:carol@chicago.com;security=on",
            ),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"),
            ("tel:+1-201-555-0123", "TEL:+1(201)555.0123"),
            ("tel:1;phone-context=x;ext=2", "tel:1;ext=2;phone-context=X"),
            ("isbn:2983792873", "ISBN:2983792873"),
        ];
        for (a, b) in pairs {
            assert!(
                uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn different_uris() {
        let pairs = [
            (
                "SIP:ALICE@AtLanTa.CoM;Transport=udp",
                "sip:alice@AtLanTa.CoM;Transport=UDP",
            ),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            (
                "sip:carol@chicago.com",
                "sip:carol@chicago.com?Subject=next%20meeting",
            ),
            (
                "sip:carol@chicago.com;security=on",
                "sip:carol@chicago.com;security=off",
            ),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:a%3Bb@h", "sip:a;b@h"),
            ("sip:a@h", "sip:h"),
            ("tel:123", "tel:124"),
            ("tel:123;ext=1", "tel:123"),
            ("sip:123@h", "tel:123"),
        ];
        for (a, b) in pairs {
            assert!(
                !uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn comparing_thousands_of_parameters_is_quick() {
        let many: String = (0..9_000).map(|index| format!(";p{index}")).collect();
        let (a, b) = (format!("sip:h{many}"), format!("sip:h{many};last"));
        assert!(uri(&a).equivalent(&uri(&b)));
    }

    #[test]
    fn owned_uris_are_serialised_as_text() {
        let owned = UriBuf::parse("sip:a@h").unwrap();
        let json = serde_json::to_string(&owned).unwrap();
        assert_eq!(json, "\"sip:a@h\"");
        assert_eq!(serde_json::from_str::<UriBuf>(&json).unwrap(), owned);
        assert!(serde_json::from_str::<UriBuf>("\"nonsense\"").is_err());
    }
}
