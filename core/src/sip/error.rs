use std::fmt;

use super::HeaderName;

/// Why bytes are not a SIP message at all. The peer is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 3.5.1), not a message.
    Empty,
    /// More than [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES).
    TooLong,
    /// More header lines than [`MAX_HEADER_LINES`](super::MAX_HEADER_LINES).
    TooManyHeaders,
    /// The bytes end before the empty line that closes the headers.
    Truncated,
    /// The first line is neither a request line nor a status line.
    StartLine,
    /// The header line with this number (1 is the line after the start line) has no valid name or holds a bare CR.
    HeaderLine(usize),
    /// Content-Length is no number, or several of them disagree.
    ContentLength,
    /// The body is shorter than Content-Length says (RFC 3261 18.3).
    BodyTooShort {
        /// Octets that Content-Length promised.
        expected: u64,
        /// Octets that came.
        actual: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no message, only line ends"),
            Self::TooLong => f.write_str("message too long"),
            Self::TooManyHeaders => f.write_str("too many header lines"),
            Self::Truncated => f.write_str("message ends within its headers"),
            Self::StartLine => f.write_str("neither a request line nor a status line"),
            Self::HeaderLine(line) => write!(f, "header line {line} is not a header"),
            Self::ContentLength => f.write_str("Content-Length is invalid"),
            Self::BodyTooShort { expected, actual } => {
                write!(f, "body has {actual} octets, Content-Length says {expected}")
            }
        }
    }
}

impl std::error::Error for ParseError {}

/// Why a typed header cannot be had from a [`Message`](super::Message). The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The message has no such header.
    Missing(HeaderName<'static>),
    /// The header is there, but its value does not follow its grammar.
    Malformed(HeaderName<'static>),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Malformed(name) => write!(f, "{name} is malformed"),
        }
    }
}

impl std::error::Error for HeaderError {}

/// A header value does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed header value")
    }
}

impl std::error::Error for Malformed {}

/// Why text is not a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriError {
    /// No scheme, or one with characters no scheme has.
    Scheme,
    /// White space, a control character, a quote or an angle bracket.
    Character,
    /// An `@` without a user before it, or a `tel:` without a number.
    User,
    /// No host, or neither a name, an IPv4 address nor a bracketed IPv6 address.
    Host,
    /// A port that is no number up to 65535.
    Port,
    /// More than 65,535 bytes.
    TooLong,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "URI without a valid scheme",
            Self::Character => "URI with a character that must be escaped",
            Self::User => "URI without the user it announces",
            Self::Host => "URI without a valid host",
            Self::Port => "URI with an invalid port",
            Self::TooLong => "URI too long",
        })
    }
}

impl std::error::Error for UriError {}
