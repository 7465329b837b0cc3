use std::borrow::Cow;

use super::text::{quoted_end, split, token_length, trim, unquote};
use crate::cut;

/// The `;name=value` parameters of a header value or URI. Names are case-insensitive.
#[derive(Clone, Copy, Default)]
pub struct Params<'a> {
    /// What stands after the first `;`.
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Reads what follows a value: nothing, or `;` and parameters. Anything else is `None`.
    pub(crate) fn after_value(text: &'a str) -> Option<Self> {
        let text = trim(text);
        if text.is_empty() {
            return Some(Self::default());
        }
        let params = Self {
            text: text.strip_prefix(';')?,
        };
        split(params.text, b';').all(is_param).then_some(params)
    }

    /// Takes the text after the first `;` of a URI, whose characters were checked before.
    pub(crate) fn of_uri(text: &'a str) -> Self {
        Self { text }
    }

    /// The value of the first parameter called `name`, as written (a quoted-string keeps its quotes).
    /// `None` if it is absent or has no value.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.find(name).flatten()
    }

    /// The value of the first parameter called `name`, without quotes and escapes.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name).map(unquote)
    }

    /// Whether a parameter called `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All parameters in order: name, and value as written.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        split(self.text, b';')
            .filter(|param| !param.is_empty())
            .map(name_and_value)
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The parameters as written, without the leading `;`.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    fn find(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// The two sides of the first `=`, if there is one.
fn name_and_value(param: &str) -> (&str, Option<&str>) {
    let (name, value) = cut::before(param, b'=');
    match value.get(1..) {
        Some(value) => (trim(name), Some(trim(value))),
        None => (param, None),
    }
}

/// generic-param (RFC 3261 25.1), with a more liberal value: anything without white space, quotes and brackets.
fn is_param(param: &str) -> bool {
    let (name, rest) = cut::at(param, token_length(param.as_bytes()));
    if name.is_empty() {
        return false;
    }
    let Some(value) = trim(rest).strip_prefix('=') else {
        return rest.is_empty();
    };
    let value = trim(value);
    match quoted_end(value) {
        Some(end) => end == value.len(),
        None => !value
            .bytes()
            .any(|byte| matches!(byte, b' ' | b'\t' | b'"' | b'<' | b'>')),
    }
}

impl std::fmt::Debug for Params<'_> {
    /// Names only: a value may be a tag or a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn values_are_found_whatever_the_case_and_spacing() {
        let params = Params::after_value(r#" ; Tag = a1 ;lr; q=0.3;text="a;\"b\"""#).unwrap();
        assert_eq!(params.value("tag"), Some("a1"));
        assert!(params.has("LR"));
        assert_eq!(params.value("lr"), None);
        assert_eq!(params.value("text"), Some(r#""a;\"b\"""#));
        assert_eq!(params.text("text").as_deref(), Some(r#"a;"b""#));
        assert_eq!(params.iter().count(), 4);
        assert!(!params.has("absent"));
    }

    #[test]
    fn malformed_parameters_are_refused() {
        for text in [
            ";;",
            ";",
            "x",
            ";a b",
            ";=1",
            ";a=\"open",
            ";a=\"b\"c",
            ";a=b c",
            ";a=<b>",
        ] {
            assert!(Params::after_value(text).is_none(), "{text}");
        }
        assert!(Params::after_value("").is_some_and(|params| params.is_empty()));
        assert!(Params::after_value(";received=[2001:db8::1];maddr=192.0.2.1").is_some());
    }
}
