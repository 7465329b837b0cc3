//! Parts of messages as bodies (message/sipfrag, RFC 3420): how a NOTIFY tells what became of a REFER.

use super::media_type::MediaType;
use super::message::Message;
use super::text::trim;

/// The media type of a fragment.
pub(crate) const SIPFRAG: &str = "message/sipfrag";
/// Longest reason phrase that is taken over, in bytes.
const MAX_REASON: usize = 128;

/// The status line that a fragment begins with. Nothing behind it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLine<'a> {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase, cut off at 128 bytes.
    pub reason: &'a str,
}

impl<'a> StatusLine<'a> {
    /// Reads the first line of `fragment`, which may be the only one and lack its end.
    pub fn parse(fragment: &'a [u8]) -> Option<Self> {
        let end = memchr::memchr2(b'\r', b'\n', fragment).unwrap_or(fragment.len());
        let line = std::str::from_utf8(fragment.get(..end)?).ok()?;
        let (version, rest) = line.split_once(' ')?;
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let status = status
            .parse()
            .ok()
            .filter(|it| is_status && (100..700).contains(it))?;
        let reason = trim(reason);
        let cut = reason.floor_char_boundary(MAX_REASON);
        version.eq_ignore_ascii_case("SIP/2.0").then_some(Self {
            status,
            reason: reason.get(..cut).unwrap_or_default(),
        })
    }
}

impl Message {
    /// Whether the body is a fragment of a message, and not packed.
    pub fn is_fragment(&self) -> bool {
        self.content_type()
            .is_some_and(|it: MediaType<'_>| it.is(SIPFRAG))
            && self
                .body_parts()
                .is_ok_and(|parts| parts.iter().all(|part| part.is_plain()))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_first_line_counts() {
        for (text, status, reason) in [
            ("SIP/2.0 100 Trying", 100, "Trying"),
            ("SIP/2.0 200 OK\r\nContact: <sip:bob@example.com>\r\n", 200, "OK"),
            ("sip/2.0 486  Busy here \nFrom: x", 486, "Busy here"),
            ("SIP/2.0 603", 603, ""),
        ] {
            assert_eq!(
                StatusLine::parse(text.as_bytes()),
                Some(StatusLine { status, reason })
            );
        }
    }

    #[test]
    fn what_is_no_status_is_none() {
        for text in [
            "",
            "\r\nSIP/2.0 200 OK",
            "SIP/2.0",
            "SIP/2.0 20 OK",
            "SIP/2.0 2000 OK",
            "SIP/2.0 099 Odd",
            "SIP/2.0 700 Odd",
            "SIP/2.0 +20 OK",
            "SIP/3.0 200 OK",
            "INVITE sip:bob@example.com SIP/2.0",
        ] {
            assert_eq!(StatusLine::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(StatusLine::parse(b"SIP/2.0 200 \xff\xfe"), None);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let text = format!("SIP/2.0 486 {}", "ü".repeat(10_000));
        let line = StatusLine::parse(text.as_bytes()).unwrap();
        assert_eq!(line.reason.len(), MAX_REASON);
    }
}
