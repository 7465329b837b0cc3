//! The small grammar all headers share (RFC 3261 25.1): tokens, quoted strings, separated lists, numbers.

use crate::cut;

use std::borrow::Cow;
use std::fmt;

/// Writes `text` as a quoted-string: quotes added, `"` and `\` escaped (RFC 3261 25.1).
///
/// Control characters become spaces, so the result is always one well-formed quoted-string.
pub fn quote(text: &str) -> impl fmt::Display {
    Quoted(text)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                c if c.is_ascii_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Whether `byte` may stand in a token (RFC 3261 25.1).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    static TOKEN: ByteSet = ByteSet::of_names(b"-.!%*_+`'~");
    TOKEN.has(byte)
}

/// How long the token at the start of `bytes` is; 0 if there is none.
pub(crate) fn token_length(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| !is_token_byte(*byte));
    end.unwrap_or(bytes.len())
}

/// Whether `text` is a token (RFC 3261 25.1).
pub(crate) fn is_token(text: impl AsRef<[u8]>) -> bool {
    let bytes = text.as_ref();
    !bytes.is_empty() && token_length(bytes) == bytes.len()
}

/// A set of bytes as a table made when this is compiled: every byte of a message is looked at, and one look is cheaper
/// than a dozen comparisons.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// ASCII letters and digits, and these bytes.
    pub(crate) const fn of_names(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < set.len() {
            set[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        Self(set).with(others, true)
    }

    /// All bytes but control characters (also DEL), the space, and these.
    pub(crate) const fn of_visible_except(others: &[u8]) -> Self {
        let mut set = [true; 256];
        let mut byte = 0;
        while byte <= b' ' as usize {
            set[byte] = false;
            byte += 1;
        }
        set[0x7f] = false;
        Self(set).with(others, false)
    }

    const fn with(mut self, bytes: &[u8], is_in: bool) -> Self {
        let mut at = 0;
        while at < bytes.len() {
            self.0[bytes[at] as usize] = is_in;
            at += 1;
        }
        self
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// Linear white space once lines are unfolded.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// `text` without white space around it.
pub(crate) fn trim(text: &str) -> &str {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = text.bytes().position(|byte| is_text(&byte)).unwrap_or(text.len());
    let end = text
        .as_bytes()
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// Where the quoted-string that starts `text` ends (the index after its closing quote).
pub(crate) fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The text a quoted-string stands for, or `raw` itself if it is no quoted-string.
pub(crate) fn unquote(raw: &str) -> Cow<'_, str> {
    let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(raw);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    Cow::Owned(text)
}

/// Cuts `text` at each `separator` outside quotes (and, for lists, outside angle brackets).
pub(crate) fn split(text: &str, separator: u8) -> Split<'_> {
    Split {
        rest: Some(text),
        separator,
    }
}

/// See [`split`]. Elements come trimmed, empty ones included.
#[derive(Clone)]
pub(crate) struct Split<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let Some(end) = find_separator(rest, self.separator) else {
            return Some(trim(rest));
        };
        let (element, behind) = cut::at(rest, end);
        self.rest = behind.get(1..);
        Some(trim(element))
    }
}

/// Where the first `separator` outside quotes and angle brackets is.
pub(crate) fn find_separator(text: &str, separator: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let first = memchr::memchr(separator, bytes)?;
    if memchr::memchr2(b'"', b'<', &bytes[..first]).is_none() {
        return Some(first);
    }
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            _ if byte == separator => return Some(at),
            // An unclosed quote or bracket swallows the rest: the element is malformed, and is found to be so later.
            b'"' => at += quoted_end(cut::at(text, at).1)?,
            b'<' => at += memchr::memchr(b'>', &bytes[at..])? + 1,
            _ => at += 1,
        }
    }
    None
}

/// An unsigned decimal number with any number of leading zeros; `None` if it is none or exceeds `T`.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// `text` with each `%HH` replaced by the byte it stands for; invalid escapes stay, invalid UTF-8 becomes U+FFFD.
pub(crate) fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if let Some(value) = escaped_byte(&bytes[at..]) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

/// The byte that the `%HH` at the start of `bytes` stands for.
pub(crate) fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else {
        return None;
    };
    let high = char::from(*high).to_digit(16)?;
    let low = char::from(*low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        for text in ["", "Alice", r#"say "hi" \ bye"#, "Zoë 语", r"\\"] {
            assert_eq!(unquote(&quote(text).to_string()), text);
        }
        assert_eq!(quote("a\r\nVia: x").to_string(), "\"a  Via: x\"");
    }

    #[test]
    fn unquote_leaves_tokens_and_dangling_escapes() {
        assert_eq!(unquote("token"), "token");
        assert_eq!(unquote("\""), "\"");
        assert_eq!(unquote(r#""a\"#), r#""a\"#);
    }

    #[test]
    fn separators_within_quotes_and_brackets_do_not_split() {
        let elements: Vec<_> = split(r#" "a,\",b" <sip:x,y@h> , c ,, d"#, b',').collect();
        assert_eq!(elements, [r#""a,\",b" <sip:x,y@h>"#, "c", "", "d"]);
        assert_eq!(split("\"open, a", b',').count(), 1);
        assert_eq!(split("<open, a", b',').count(), 1);
        assert_eq!(split("a\\", b',').count(), 1);
        assert_eq!(split("\"a\\", b',').count(), 1);
    }

    #[test]
    fn numbers_have_digits_only() {
        assert_eq!(number::<u32>("0009"), Some(9));
        assert_eq!(number::<u32>("4294967296"), None);
        assert_eq!(number::<u32>("+1"), None);
        assert_eq!(number::<u32>(""), None);
    }

    #[test]
    fn percent_escapes_decode_and_bad_ones_stay() {
        assert_eq!(percent_decode("%75se%72"), "user");
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("%ff"), "\u{fffd}");
    }
}
