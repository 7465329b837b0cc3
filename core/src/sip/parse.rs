//! Framing: where start line, header lines and body of a message are (RFC 3261 7, 18.3).

use std::sync::Arc;

use memchr::memchr;

use super::error::ParseError;
use super::header_name::KnownHeader;
use super::text::{is_token, number};

/// The longest message that is read, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 65_536;

/// The most header lines a message that is read may have.
pub const MAX_HEADER_LINES: usize = 1_024;

/// A message taken apart. All spans lie within `data`; those of the head are UTF-8.
pub(super) struct Parsed {
    pub(super) data: Arc<[u8]>,
    pub(super) start: StartLine,
    pub(super) headers: Vec<HeaderLine>,
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

    pub(super) fn bytes(self, data: &[u8]) -> &[u8] {
        data.get(self.start()..self.end()).unwrap_or_default()
    }

    /// The text of a span of the head, which was made valid UTF-8 before.
    pub(super) fn text(self, data: &[u8]) -> &str {
        std::str::from_utf8(self.bytes(data)).unwrap_or_default()
    }

    pub(super) fn shifted(self, by: usize) -> Self {
        Self::new(self.start() + by, self.end() + by)
    }

    /// The span without spaces and tabs around it.
    pub(super) fn trimmed(self, data: &[u8]) -> Self {
        let bytes = self.bytes(data);
        let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
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

pub(super) fn parse(data: Arc<[u8]>, rule: BodyRule) -> Result<Parsed, ParseError> {
    if data.len() > MAX_MESSAGE_BYTES {
        return Err(ParseError::TooLong);
    }
    let start = data
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .ok_or(ParseError::Empty)?;
    let head = Head::find(&data, start)?;
    let data = if head.is_plain {
        data
    } else {
        plain(&data, start..head.end)
    };
    let mut lines = Lines {
        data: &data,
        at: start,
        end: head.end,
    };
    let start_line = start_line(&data, lines.next().ok_or(ParseError::Truncated)?)?;
    let headers = header_lines(&data, lines)?;
    let body = match rule {
        BodyRule::ContentLength => body(&data, &headers, head.body)?,
        BodyRule::Ignore => Span::new(head.body, head.body),
    };
    Ok(Parsed {
        data,
        start: start_line,
        headers,
        body,
    })
}

/// What a first pass over the lines learns.
struct Head {
    /// Where the empty line begins.
    end: usize,
    /// Where the body begins.
    body: usize,
    /// No folded line and nothing but UTF-8, as nearly always.
    is_plain: bool,
}

impl Head {
    fn find(data: &[u8], start: usize) -> Result<Self, ParseError> {
        let mut at = start;
        let mut is_folded = false;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            let line = memchr(b'\n', rest).ok_or(ParseError::Truncated)?;
            if matches!(rest[..line], [] | [b'\r']) {
                let is_utf8 = std::str::from_utf8(&data[start..at]).is_ok();
                return Ok(Self {
                    end: at,
                    body: at + line + 1,
                    is_plain: !is_folded && is_utf8,
                });
            }
            at += line + 1;
            is_folded |= matches!(data.get(at), Some(b' ' | b'\t'));
        }
    }
}

/// A copy of `data` in which `head` has folded lines joined by spaces, and bytes that are no UTF-8 replaced by `?`.
fn plain(data: &[u8], head: std::ops::Range<usize>) -> Arc<[u8]> {
    let mut copy = data.to_vec();
    let lines = &mut copy[head];
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
    copy.into()
}

/// The lines of a head, without their ends.
struct Lines<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl Iterator for Lines<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let rest = self.data.get(self.at..self.end)?;
        let length = memchr(b'\n', rest)?;
        let end = if rest[..length].ends_with(b"\r") {
            length - 1
        } else {
            length
        };
        let line = Span::new(self.at, self.at + end);
        self.at += length + 1;
        Some(line)
    }
}

fn start_line(data: &[u8], line: Span) -> Result<StartLine, ParseError> {
    let line = line.trimmed(data);
    let bytes = line.bytes(data);
    if memchr(b'\r', bytes).is_some() {
        return Err(ParseError::StartLine);
    }
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
        is_token(method.text(data)) && !uri.bytes(data).is_empty() && is_version(version.bytes(data));
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

fn header_lines(data: &[u8], lines: Lines<'_>) -> Result<Vec<HeaderLine>, ParseError> {
    let mut headers = Vec::with_capacity(24);
    for (index, line) in lines.enumerate() {
        if index == MAX_HEADER_LINES {
            return Err(ParseError::TooManyHeaders);
        }
        headers.push(header_line(data, line).ok_or(ParseError::HeaderLine(index + 1))?);
    }
    Ok(headers)
}

fn header_line(data: &[u8], line: Span) -> Option<HeaderLine> {
    let bytes = line.bytes(data);
    // A bare CR is no line end here but may be one to whoever reads the message next: nothing may hide behind it.
    if memchr(b'\r', bytes).is_some() {
        return None;
    }
    let colon = line.start() + memchr(b':', bytes)?;
    let name = Span::new(line.start(), colon).trimmed(data);
    let text = name.text(data);
    is_token(text).then(|| HeaderLine {
        known: KnownHeader::find(text),
        name,
        value: Span::new(colon + 1, line.end()).trimmed(data),
    })
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
