//! Characters, references and white space.

use std::borrow::Cow;

use super::XmlError;

/// XML 1.0 production 2.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Production 3.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Productions 4 and 4a, where all that is not ASCII counts as a letter.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || !byte.is_ascii()
}

/// Whether a name, without its prefix, may begin as it does.
pub(super) fn is_local_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii())
        && !name.contains(':')
}

/// Character data as it is meant: references resolved (section 4.6), line ends unified (section 2.11).
pub(super) fn content(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    decode(raw, |c| c)
}

/// The value of an attribute: white space is a space, unless it was written as a reference (section 3.3.3).
pub(super) fn attribute(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    decode(raw, |c| if c == '\n' || c == '\t' { ' ' } else { c })
}

fn decode(raw: &str, literal: impl Fn(char) -> char) -> Result<Cow<'_, str>, XmlError> {
    if !raw
        .bytes()
        .any(|byte| matches!(byte, b'&' | b'\r' | b'\n' | b'\t'))
    {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        match c {
            '&' => {
                let (reference, after) = rest.as_str().split_once(';').ok_or(XmlError::Reference)?;
                decoded.push(referenced(reference)?);
                rest = after.chars();
            }
            '\r' => {
                rest = rest.as_str().strip_prefix('\n').unwrap_or(rest.as_str()).chars();
                decoded.push(literal('\n'));
            }
            c => decoded.push(literal(c)),
        }
    }
    Ok(Cow::Owned(decoded))
}

fn referenced(reference: &str) -> Result<char, XmlError> {
    match reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => numbered(reference).ok_or(XmlError::Reference),
    }
}

fn numbered(reference: &str) -> Option<char> {
    let number = reference.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, radix).ok().filter(|_| is_number)?;
    char::from_u32(code).filter(|c| is_char(*c))
}

/// Text as it is written, in content and in attributes alike.
pub(super) fn escape(text: &str, escaped: &mut String) {
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            c if is_char(c) => escaped.push(c),
            _ => escaped.push(char::REPLACEMENT_CHARACTER),
        }
    }
}
