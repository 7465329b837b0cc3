use std::borrow::Cow;
use std::fmt;

use super::error::Malformed;
use super::params::Params;
use super::text::{quoted_end, trim, unquote};
use super::uri::Uri;
use crate::cut;

/// A display name, URI and parameters: From, To, Contact, Route, Refer-To ... (RFC 3261 20.10, 25.1).
#[derive(Clone, Copy, Debug)]
pub struct NameAddr<'a> {
    /// The name before the URI; `None` also for an empty one.
    pub display_name: Option<DisplayName<'a>>,
    /// The URI.
    pub uri: Uri<'a>,
    /// The header's parameters, not those of the URI.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads `"Name" <uri>;params` or `uri;params`, which must fill `text`.
    ///
    /// Without angle brackets the parameters belong to the header, and a URI with a comma or question mark is refused
    /// (RFC 3261 20.10).
    ///
    /// # Errors
    /// When `text` follows neither form.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let text = trim(text);
        if text.starts_with('"') {
            let (name, rest) = cut::at(text, quoted_end(text).ok_or(Malformed)?);
            return Self::after_name(DisplayName::new(name), rest);
        }
        match text.bytes().position(|byte| matches!(byte, b'<' | b';' | b'"')) {
            Some(at) if text.as_bytes().get(at) == Some(&b'<') => {
                let (name, rest) = cut::at(text, at);
                let name = trim(name);
                if is_bare_name(name) {
                    Self::after_name(DisplayName::new(name), rest)
                } else {
                    Err(Malformed)
                }
            }
            end => Self::addr_spec(cut::at(text, end.unwrap_or(text.len()))),
        }
    }

    /// The `tag` parameter (RFC 3261 19.3); `None` if it is absent or empty.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    fn after_name(display_name: Option<DisplayName<'a>>, text: &'a str) -> Result<Self, Malformed> {
        let text = trim(text).strip_prefix('<').ok_or(Malformed)?;
        let (uri, params) = cut::before(text, b'>');
        let params = params.get(1..).ok_or(Malformed)?;
        Ok(Self {
            display_name,
            uri: Uri::parse(trim(uri)).map_err(|_| Malformed)?,
            params: Params::after_value(params).ok_or(Malformed)?,
        })
    }

    fn addr_spec((uri, params): (&'a str, &'a str)) -> Result<Self, Malformed> {
        if uri.contains([',', '?']) {
            return Err(Malformed);
        }
        Ok(Self {
            display_name: None,
            uri: Uri::parse(trim(uri)).map_err(|_| Malformed)?,
            params: Params::after_value(params).ok_or(Malformed)?,
        })
    }
}

/// Whether `text` may be a display name without quotes. The RFC allows tokens only; here anything passes that cannot
/// be taken for another part of the value, because peers do send `user@host` and letters outside ASCII unquoted.
fn is_bare_name(text: &str) -> bool {
    !text.contains([',', ';', ':', '"', '>', '\\'])
}

/// A display name as it stands in a header, quoted or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DisplayName<'a>(&'a str);

impl<'a> DisplayName<'a> {
    fn new(raw: &'a str) -> Option<Self> {
        (!matches!(raw, "" | "\"\"")).then_some(Self(raw))
    }

    /// The name without quotes and escapes. May hold any character: show it, and write it only through
    /// [`quote`](super::quote).
    pub fn decode(&self) -> Cow<'a, str> {
        unquote(self.0)
    }

    /// The name as written.
    pub fn as_raw(&self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for DisplayName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One value of a Contact header (RFC 3261 20.10).
#[derive(Clone, Copy, Debug)]
pub enum Contact<'a> {
    /// `*`: all bindings, when they are to be removed (RFC 3261 10.2.2).
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Reads one value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is neither `*` nor an address.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if trim(text) == "*" {
            Ok(Self::Star)
        } else {
            NameAddr::parse(text).map(Self::Address)
        }
    }

    /// The address, `None` for `*`.
    pub fn address(&self) -> Option<NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(*address),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn name(text: &str) -> String {
        NameAddr::parse(text)
            .unwrap()
            .display_name
            .unwrap()
            .decode()
            .into_owned()
    }

    #[test]
    fn display_names_are_unquoted() {
        assert_eq!(
            name(r#""J Rosenberg \\\"" <sip:j@example.com>"#),
            r#"J Rosenberg \""#
        );
        assert_eq!(name(r#""<sip:x@y>" <sip:j@example.com>"#), "<sip:x@y>");
        assert_eq!(name("A. Bell <sip:a@example.com>;tag=1"), "A. Bell");
        assert_eq!(name("caller<sip:a@example.com>"), "caller");
        assert_eq!(name("Zoë <sip:a@example.com>"), "Zoë");
        assert!(
            NameAddr::parse(r#""" <sip:a@example.com>"#)
                .unwrap()
                .display_name
                .is_none()
        );
    }

    #[test]
    fn parameters_belong_to_the_uri_only_within_brackets() {
        let address = NameAddr::parse("sip:a@example.com;transport=ws").unwrap();
        assert_eq!(address.params.value("transport"), Some("ws"));
        assert!(address.uri.params().is_empty());

        let address = NameAddr::parse("< sip:a@example.com;transport=ws > ; tag = 1").unwrap();
        assert_eq!(address.uri.params().value("transport"), Some("ws"));
        assert_eq!(address.tag(), Some("1"));
    }

    #[test]
    fn instance_identifiers_stay_whole() {
        let text = r#"<sip:a@h.invalid;transport=ws>;reg-id=1;+sip.instance="<urn:uuid:00-1>";expires=60"#;
        let address = NameAddr::parse(text).unwrap();
        assert_eq!(
            address.params.text("+sip.instance").as_deref(),
            Some("<urn:uuid:00-1>")
        );
        assert_eq!(address.params.value("expires"), Some("60"));
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in [
            "",
            "Bell, Alexander <sip:a@example.com>",
            "\"open <sip:a@example.com>",
            "\"Name\" sip:a@example.com",
            "<sip:a@example.com",
            "<sip:a@example.com> junk",
            "<sip:a@example.com>;;",
            "<sip:a@example.com>, <sip:b@example.com>",
            "sip:a@example.com?Route=x",
            "sip:a,b@example.com",
            "not a uri",
        ] {
            assert!(NameAddr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn star_is_a_contact_only() {
        assert!(matches!(Contact::parse(" * "), Ok(Contact::Star)));
        assert!(NameAddr::parse("*").is_err());
        assert!(Contact::parse("tel:+4930123").unwrap().address().is_some());
    }
}
