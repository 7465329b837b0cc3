//! What people type or paste, as a URI: numbers with all their decoration, `tel:` and `sip:` links, names.

use crate::cut;
use crate::sip::{Scheme, TelephoneNumber, Uri, UriBuf};

/// A dialled target and the tones to be sent after the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) uri: UriBuf,
    /// Pauses and digits behind the number ("100,,42#").
    pub(crate) post_dial: Option<String>,
}

/// Reads what was dialled; `domain` completes plain numbers and names.
pub(crate) fn parse_target(text: &str, domain: &str) -> Option<Target> {
    let text = text.trim();
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        return None;
    }
    if let Ok(uri) = Uri::parse(text) {
        match uri.scheme() {
            Scheme::Sip | Scheme::Sips => {
                return Some(Target {
                    uri: uri.without_headers(),
                    post_dial: None,
                });
            }
            Scheme::Tel => return telephone(uri, domain).or_else(|| number(text.get(4..)?, domain)),
            // mailto:, https: ... are not for calling.
            Scheme::Other(_) => return None,
        }
    }
    if text.contains('@') {
        let uri = UriBuf::parse(format!("sip:{text}")).ok()?;
        return Some(Target {
            uri: uri.as_uri().without_headers(),
            post_dial: None,
        });
    }
    number(text, domain).or_else(|| name(text, domain))
}

/// A `tel:` URI (RFC 3966) as the platform gets it (RFC 3261 section 19.1.6). An extension is dialled after the answer, as
/// a person would; a context that is not this platform's stays with the number, as does an ISDN subaddress.
fn telephone(uri: Uri<'_>, domain: &str) -> Option<Target> {
    let number = TelephoneNumber::of(uri)?;
    let digits = number.digits();
    let plain = digits.strip_prefix('+').unwrap_or(&digits);
    if plain.is_empty() || !plain.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#') {
        return None;
    }
    let subaddress = number.subaddress().map(|isub| format!(";isub={isub}"));
    let context = number
        .context()
        .filter(|context| !context.eq_ignore_ascii_case(domain));
    let context = context.map(|context| format!(";phone-context={context}"));
    let params = subaddress.into_iter().chain(context).collect::<String>();
    let uri = UriBuf::sip(&format!("{digits}{params}"), domain).ok()?;
    let uri = if params.is_empty() {
        uri
    } else {
        UriBuf::parse(format!("{};user=phone", uri.as_str())).ok()?
    };
    let post_dial = number.extension().map(|extension| format!(",{extension}"));
    let is_dialable = |tones: &String| {
        tones
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ',' | '*' | '#'))
    };
    Some(Target {
        uri,
        post_dial: post_dial.filter(is_dialable),
    })
}

/// A telephone number in any customary notation (E.123, DIN 5008, RFC 3966 visual separators).
fn number(text: &str, domain: &str) -> Option<Target> {
    let text = text
        .split_once(';')
        .filter(|(_, rest)| rest.contains('='))
        .map_or(text, |(number, _)| number);
    let (number, post_dial) = cut::at(text, text.find([',', ';']).unwrap_or(text.len()));
    if !post_dial
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, ',' | ';' | '*' | '#'))
    {
        return None;
    }
    // "+49 (0)89": the bracketed zero is for callers from inside the country only.
    let international = number.trim_start().starts_with('+');
    let number = match cut::around(number, "(0)") {
        Some((country, rest)) if international => format!("{country}{rest}"),
        Some(_) | None => number.to_owned(),
    };
    let digits: String = number.chars().filter(|c| !is_separator(*c)).collect();
    let plain = digits.strip_prefix('+').unwrap_or(&digits);
    let valid = !plain.is_empty() && plain.chars().all(|c| c.is_ascii_digit() || c == '*' || c == '#');
    let uri = valid.then(|| UriBuf::sip(&digits, domain).ok()).flatten()?;
    let post_dial = Some(post_dial.to_owned()).filter(|tones| !tones.is_empty());
    Some(Target { uri, post_dial })
}

fn name(text: &str, domain: &str) -> Option<Target> {
    let is_name = text.starts_with(is_letter)
        && text
            .chars()
            .all(|c| is_letter(c) || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+' | '~'));
    let uri = is_name.then(|| UriBuf::sip(text, domain).ok()).flatten()?;
    Some(Target { uri, post_dial: None })
}

/// Of any script. Who knows them all downloads 3 kB of tables, and in the end the platform knows who there is.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && !c.is_control() && !is_separator(c))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '/' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn dialled(text: &str) -> Option<String> {
        parse_target(text, "example.com").map(|target| target.uri.as_str().to_owned())
    }

    #[test]
    fn numbers_lose_their_decoration() {
        for (text, uri) in [
            ("101", "sip:101@example.com"),
            ("+49 (0)89 1234-56", "sip:+4989123456@example.com"),
            ("089 / 12 34 56", "sip:089123456@example.com"),
            ("tel:+49-89-123456", "sip:+4989123456@example.com"),
            ("tel:101;phone-context=example.com", "sip:101@example.com"),
            ("*72", "sip:*72@example.com"),
        ] {
            assert_eq!(dialled(text).as_deref(), Some(uri), "{text}");
        }
    }

    #[test]
    fn telephone_uris_keep_what_belongs_to_the_number() {
        for (text, uri, post_dial) in [
            ("tel:+1-201.555(01)23", "sip:+12015550123@example.com", None),
            ("TEL:+1-201-555;ext=4-5", "sip:+1201555@example.com", Some(",45")),
            (
                "tel:+1201;isub=12",
                "sip:+1201;isub=12@example.com;user=phone",
                None,
            ),
            (
                "tel:7042;phone-context=+1-914-555",
                "sip:7042;phone-context=+1-914-555@example.com;user=phone",
                None,
            ),
            (
                "tel:7042;phone-context=other.example",
                "sip:7042;phone-context=other.example@example.com;user=phone",
                None,
            ),
            ("tel:7042;phone-context=EXAMPLE.com", "sip:7042@example.com", None),
            ("tel:101", "sip:101@example.com", None),
            ("tel:100,,42#", "sip:100@example.com", Some(",,42#")),
        ] {
            let target = parse_target(text, "example.com").unwrap_or_else(|| panic!("{text}"));
            assert_eq!(target.uri.as_str(), uri, "{text}");
            assert_eq!(target.post_dial.as_deref(), post_dial, "{text}");
        }
        assert_eq!(dialled("tel:abc"), None);
        assert_eq!(dialled("tel:+"), None);
    }

    #[test]
    fn addresses_and_names_are_kept() {
        assert_eq!(dialled("sip:bob@other.org").as_deref(), Some("sip:bob@other.org"));
        assert_eq!(dialled("bob@other.org").as_deref(), Some("sip:bob@other.org"));
        assert_eq!(dialled("bob").as_deref(), Some("sip:bob@example.com"));
        assert_eq!(
            dialled("sip:bob@other.org;transport=tcp?Route=x&Replaces=y").as_deref(),
            Some("sip:bob@other.org;transport=tcp")
        );
    }

    #[test]
    fn names_are_of_any_script() {
        assert_eq!(
            dialled("m\u{fc}ller.2").as_deref(),
            Some("sip:m%C3%BCller.2@example.com")
        );
        for text in ["2nd", "a\u{a0}b", "a\u{85}b", "a\u{2010}b", "a/b"] {
            assert_eq!(dialled(text), None, "{text}");
        }
    }

    #[test]
    fn digits_behind_a_pause_are_for_later() {
        let target = parse_target("100,,42#", "example.com").unwrap();
        assert_eq!(target.uri.as_str(), "sip:100@example.com");
        assert_eq!(target.post_dial.as_deref(), Some(",,42#"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "  ",
            "bob smith",
            "a\r\nVia: x",
            "+",
            "mailto:bob@example.com",
            "100,abc",
            "<script>",
        ] {
            assert_eq!(dialled(text), None, "{text:?}");
        }
    }
}
