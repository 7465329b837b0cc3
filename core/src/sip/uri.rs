use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::UriError;
use super::params::Params;
use super::text::{number, percent_decode};

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
        &self.text[usize::from(self.parts.scheme_end) + 1..]
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = &self.text[..usize::from(self.parts.scheme_end)];
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
        &text[usize::from(self.start)..usize::from(self.end)]
    }
}

impl Parts {
    fn find(text: &str) -> Result<Self, UriError> {
        if text.len() > usize::from(u16::MAX) {
            return Err(UriError::TooLong);
        }
        let scheme_end = text.find(':').ok_or(UriError::Scheme)?;
        if !is_scheme(&text[..scheme_end]) {
            return Err(UriError::Scheme);
        }
        if text.bytes().any(is_forbidden) {
            return Err(UriError::Character);
        }
        let mut cursor = Cursor { text, at: scheme_end };
        cursor.skip();
        let mut parts = Self {
            scheme_end: offset(scheme_end),
            user: None,
            password: None,
            host: None,
            port: None,
            params: Span::default(),
            headers: None,
        };
        match parts.scheme(text) {
            Scheme::Sip | Scheme::Sips => parts.find_sip(&mut cursor)?,
            Scheme::Tel => parts.find_tel(&mut cursor)?,
            Scheme::Other(_) => {}
        }
        Ok(parts)
    }

    fn find_sip(&mut self, cursor: &mut Cursor<'_>) -> Result<(), UriError> {
        // Neither parameters nor headers may hold an unescaped "@", and a user may hold ";" and "?": so "@" comes first.
        if cursor.rest().contains('@') {
            let user = cursor.take_until(&[':', '@']);
            if user.start == user.end {
                return Err(UriError::User);
            }
            self.user = Some(user);
            if cursor.rest().starts_with(':') {
                cursor.skip();
                self.password = Some(cursor.take_until(&['@']));
            }
            cursor.skip();
        }
        let host = cursor.take_host();
        if !is_host(host.of(cursor.text)) {
            return Err(UriError::Host);
        }
        self.host = Some(host);
        if cursor.rest().starts_with(':') {
            cursor.skip();
            let port = cursor.take_until(&[';', '?']);
            self.port = Some(number(port.of(cursor.text)).ok_or(UriError::Port)?);
        }
        match cursor.rest().chars().next() {
            None | Some(';' | '?') => {}
            Some(_) => return Err(UriError::Host),
        }
        if cursor.rest().starts_with(';') {
            cursor.skip();
            self.params = cursor.take_until(&['?']);
        }
        if cursor.rest().starts_with('?') {
            cursor.skip();
            self.headers = Some(cursor.take_until(&[]));
        }
        Ok(())
    }

    fn find_tel(&mut self, cursor: &mut Cursor<'_>) -> Result<(), UriError> {
        let number = cursor.take_until(&[';']);
        if number.start == number.end {
            return Err(UriError::User);
        }
        self.user = Some(number);
        if cursor.rest().starts_with(';') {
            cursor.skip();
            self.params = cursor.take_until(&[]);
        }
        Ok(())
    }

    fn scheme<'a>(&self, text: &'a str) -> Scheme<'a> {
        let scheme = &text[..usize::from(self.scheme_end)];
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

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Steps over the ASCII delimiter found before.
    fn skip(&mut self) {
        self.at += 1;
    }

    fn take_until(&mut self, delimiters: &[char]) -> Span {
        let length = self.rest().find(delimiters).unwrap_or(self.rest().len());
        self.take(length)
    }

    fn take_host(&mut self) -> Span {
        match self.rest().find(']') {
            Some(end) if self.rest().starts_with('[') => self.take(end + 1),
            _ => self.take_until(&[':', ';', '?']),
        }
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
    byte <= b' ' || matches!(byte, 0x7f | b'<' | b'>' | b'"')
}

/// Whether `text` is a host name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    if text.starts_with('[') {
        return host_ip(text).is_some();
    }
    // "_" is in no host name standard, but in many host names.
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// The address that a host is, if it is one.
pub(crate) fn host_ip(text: &str) -> Option<IpAddr> {
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    };
    let address = inner.parse::<Ipv6Addr>().ok().or_else(|| {
        // RFC 3261's grammar allowed one colon too many before an IPv4 part (RFC 5118 4.10).
        inner
            .contains('.')
            .then(|| inner.replacen(":::", "::", 1).parse().ok())
            .flatten()
    });
    address.map(IpAddr::V6)
}

/// Escapes all but what a user part may hold (RFC 3261 25.1: unreserved and user-unreserved).
fn escape_user(user: &str, escaped: &mut String) {
    for byte in user.bytes() {
        if is_user_byte(byte) {
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
