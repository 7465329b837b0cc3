//! Message bodies: one part, or several in a multipart body (RFC 2046 section 5.1, RFC 5621).

use super::error::Malformed;
use super::header_name::HeaderName;
use super::media_type::MediaType;
use super::message::Message;
use super::params::Params;
use super::text::trim;

/// Parts of one body; more are refused.
const MAX_PARTS: usize = 16;

/// A body, or one part of a multipart body.
#[derive(Clone, Copy, Debug)]
pub struct BodyPart<'a> {
    content_type: Option<&'a str>,
    disposition: Option<&'a str>,
    encoding: Option<&'a str>,
    body: &'a [u8],
}

impl<'a> BodyPart<'a> {
    /// Its media type, `None` if that is absent or malformed.
    pub fn content_type(&self) -> Option<MediaType<'a>> {
        self.content_type.and_then(|text| MediaType::parse(text).ok())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.body
    }

    /// Whether it is a plain `essence` (as `application/sdp`): of that type, and not packed.
    pub fn is(&self, essence: &str) -> bool {
        self.is_plain() && self.content_type().is_some_and(|it| it.is(essence))
    }

    /// Whether it is as it is, not packed (Content-Encoding).
    pub fn is_plain(&self) -> bool {
        self.encoding
            .is_none_or(|encoding| trim(encoding).eq_ignore_ascii_case("identity"))
    }

    /// Whether a receiver that does not understand it has to refuse the message (RFC 5621 section 8.3: so it is unless
    /// the sender says `handling=optional`).
    pub fn is_required(&self) -> bool {
        let Some(disposition) = self.disposition else {
            return true;
        };
        let at = disposition.find(';').unwrap_or(disposition.len());
        let params = Params::after_value(disposition.get(at..).unwrap_or_default());
        !params
            .and_then(|params| params.text("handling"))
            .is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

impl Message {
    /// The body's parts: none without a body, one of an ordinary body, those of a multipart body. A part that is itself
    /// a multipart body is not taken apart.
    ///
    /// # Errors
    /// A multipart body without boundary, or with too many parts. The peer is at fault.
    pub fn body_parts(&self) -> Result<Vec<BodyPart<'_>>, Malformed> {
        if self.body().is_empty() {
            return Ok(Vec::new());
        }
        let whole = BodyPart {
            content_type: self.header(HeaderName::ContentType),
            disposition: self.header(HeaderName::ContentDisposition),
            encoding: self.header(HeaderName::ContentEncoding),
            body: self.body(),
        };
        let Some(multipart) = self.multipart().filter(|_| whole.is_plain()) else {
            return Ok(vec![whole]);
        };
        let boundary = multipart.params.text("boundary").ok_or(Malformed)?;
        // RFC 2046 section 5.1.1.
        if boundary.is_empty() || boundary.len() > 70 {
            return Err(Malformed);
        }
        split(self.body(), &boundary)
    }

    /// Whether only one of the body's parts is meant to be used: they say the same in different ways.
    pub fn offers_alternatives(&self) -> bool {
        self.multipart().is_some_and(|it| it.is("multipart/alternative"))
    }

    /// The session description in the body, if there is one (RFC 3261 section 13.2.1, RFC 5621 section 8.2).
    pub fn session_description(&self) -> Option<&str> {
        let parts = self.body_parts().ok()?;
        let mut descriptions = parts.iter().filter(|part| part.is("application/sdp"));
        std::str::from_utf8(descriptions.next()?.bytes()).ok()
    }

    fn multipart(&self) -> Option<MediaType<'_>> {
        self.content_type()
            .filter(|it| it.kind.eq_ignore_ascii_case("multipart"))
    }
}

/// Cuts a body at its boundary lines. Work is linear in its length.
fn split<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<BodyPart<'a>>, Malformed> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start = None;
    let mut next = 0;
    while let Some(rest) = body.get(next..).filter(|rest| !rest.is_empty()) {
        let at = next;
        next += end_of_line(rest);
        let Some(behind) = rest.strip_prefix(delimiter.as_bytes()) else {
            continue;
        };
        let is_last = behind.starts_with(b"--");
        if !(is_last || is_padding(behind, end_of_line(behind))) {
            continue;
        }
        if let Some(start) = start {
            if parts.len() >= MAX_PARTS {
                return Err(Malformed);
            }
            parts.push(part(without_line_end(body.get(start..at).unwrap_or_default())));
        }
        if is_last {
            return start.map(|_| parts).ok_or(Malformed);
        }
        start = Some(next);
    }
    // A last part without its closing line is complete all the same: Content-Length says where the body ends.
    match start {
        Some(start) if parts.len() < MAX_PARTS => {
            parts.push(part(body.get(start..).unwrap_or_default()));
            Ok(parts)
        }
        Some(_) | None => Err(Malformed),
    }
}

/// How many bytes there are up to the next line.
fn end_of_line(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

fn is_padding(bytes: &[u8], line: usize) -> bool {
    let line = bytes.get(..line).unwrap_or_default();
    line.iter()
        .all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Headers, an empty line, bytes.
fn part(bytes: &[u8]) -> BodyPart<'_> {
    let mut part = BodyPart {
        content_type: None,
        disposition: None,
        encoding: None,
        body: &[],
    };
    let mut rest = bytes;
    loop {
        let (line, behind) = rest.split_at(end_of_line(rest));
        rest = behind;
        let line = std::str::from_utf8(line).unwrap_or_default();
        if line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = Some(value.trim());
        let name = HeaderName::from(name.trim());
        if name == HeaderName::ContentType {
            part.content_type = part.content_type.or(value);
        } else if name == HeaderName::ContentDisposition {
            part.disposition = part.disposition.or(value);
        } else if name == HeaderName::ContentEncoding {
            part.encoding = part.encoding.or(value);
        }
        if rest.is_empty() {
            break;
        }
    }
    part.body = rest;
    part
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn message(content_type: &str, body: &str) -> Message {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn types(message: &Message) -> Vec<(String, String)> {
        let parts = message.body_parts().unwrap();
        let described = parts.iter().map(|part| {
            let kind = part
                .content_type()
                .map_or_else(String::new, |it| it.subtype.to_owned());
            (kind, String::from_utf8_lossy(part.bytes()).into_owned())
        });
        described.collect()
    }

    fn pair(kind: &str, body: &str) -> (String, String) {
        (kind.to_owned(), body.to_owned())
    }

    #[test]
    fn parts_are_cut_at_boundary_lines_only() {
        let mixed = message(
            "multipart/mixed;boundary=\"b 1\"",
            "preamble --b 1\r\n--b 1  \r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b 1x\r\n\r\n--b 1\r\n\r\nplain\r\n--b 1--\r\nepilogue",
        );
        assert_eq!(
            types(&mixed),
            [pair("sdp", "v=0\r\n--b 1x\r\n"), pair("", "plain")]
        );
        assert_eq!(mixed.session_description(), Some("v=0\r\n--b 1x\r\n"));
    }

    #[test]
    fn bare_line_feeds_and_a_missing_end_are_read() {
        let mixed = message(
            "multipart/related;boundary=b",
            "--b\nContent-Type: a/b\n\nx\n--b\nc: application/sdp\n\nv=0\n",
        );
        assert_eq!(types(&mixed), [pair("b", "x"), pair("sdp", "v=0\n")]);
    }

    #[test]
    fn ordinary_bodies_have_one_part_and_empty_ones_none() {
        assert_eq!(types(&message("application/sdp", "v=0")), [pair("sdp", "v=0")]);
        assert_eq!(types(&message("application/sdp", "")), []);
    }

    #[test]
    fn handling_is_required_unless_said_otherwise() {
        let mixed = message(
            "multipart/mixed;boundary=b",
            "--b\r\nContent-Disposition: signal;handling=Optional\r\n\r\nx\r\n--b\r\nContent-Disposition: signal\r\n\r\ny\r\n--b\r\n\r\nz\r\n--b--",
        );
        let parts = mixed.body_parts().unwrap();
        let required: Vec<_> = parts.iter().map(BodyPart::is_required).collect();
        assert_eq!(required, [false, true, true]);
    }

    #[test]
    fn packed_parts_are_no_session_descriptions() {
        let mixed = message(
            "multipart/mixed;boundary=b",
            "--b\r\nContent-Type: application/sdp\r\nContent-Encoding: gzip\r\n\r\nv=0\r\n--b--",
        );
        assert_eq!(mixed.session_description(), None);
    }

    #[test]
    fn bodies_that_cannot_be_cut_are_refused() {
        assert!(message("multipart/mixed", "--b\r\n\r\nx").body_parts().is_err());
        assert!(message("multipart/mixed;boundary=b", "x").body_parts().is_err());
        let long = format!("multipart/mixed;boundary={}", "b".repeat(71));
        assert!(message(&long, "x").body_parts().is_err());
        let many = "--b\r\n\r\nx\r\n".repeat(17);
        assert!(message("multipart/mixed;boundary=b", &many).body_parts().is_err());
        let dashes = "-".repeat(60_000);
        assert!(
            message("multipart/mixed;boundary=-", &dashes)
                .body_parts()
                .is_err()
        );
    }
}
