use std::fmt;

use super::params::Params;
use super::text::{find_separator, percent_decode};
use super::uri::{Scheme, Uri};

/// A telephone number within a `tel:` URI (RFC 3966), or in the user part of a `sip:` URI that says `user=phone`
/// (RFC 3261 section 19.1.6).
#[derive(Clone, Copy)]
pub struct TelephoneNumber<'a> {
    number: &'a str,
    params: Params<'a>,
}

impl<'a> TelephoneNumber<'a> {
    /// The number in `uri`; `None` if it is another kind of address.
    pub fn of(uri: Uri<'a>) -> Option<Self> {
        let user = uri.user()?;
        match uri.scheme() {
            Scheme::Tel => Some(Self {
                number: user,
                params: uri.params(),
            }),
            Scheme::Sip | Scheme::Sips => {
                let is_phone = uri
                    .params()
                    .value("user")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("phone"));
                let end = find_separator(user, b';').unwrap_or(user.len());
                is_phone.then(|| Self {
                    number: user.get(..end).unwrap_or_default(),
                    params: Params::of_uri(user.get(end + 1..).unwrap_or_default()),
                })
            }
            Scheme::Other(_) => None,
        }
    }

    /// The number without visual separators (section 3): `+` and digits, or the digits and signs of a local number.
    pub fn digits(&self) -> String {
        percent_decode(self.number)
            .chars()
            .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
            .collect()
    }

    /// Whether it is valid everywhere (section 5.1.4).
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// The extension behind the number (section 5.3), without visual separators.
    pub fn extension(&self) -> Option<String> {
        let extension = self.params.value("ext")?;
        let digits: String = extension
            .chars()
            .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
            .collect();
        (!digits.is_empty()).then_some(digits)
    }

    /// The ISDN subaddress (section 5.2), as written.
    pub fn subaddress(&self) -> Option<&'a str> {
        self.params.value("isub").filter(|isub| !isub.is_empty())
    }

    /// Where a local number is valid (section 5.1.5): a domain, or the first digits of a global number.
    pub fn context(&self) -> Option<&'a str> {
        self.params.value("phone-context").filter(|it| !it.is_empty())
    }

    /// The number as it is shown: digits, and the extension behind an `x`.
    pub fn to_shown(&self) -> String {
        match self.extension() {
            Some(extension) => format!("{}x{extension}", self.digits()),
            None => self.digits(),
        }
    }
}

impl fmt::Debug for TelephoneNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn number(text: &str) -> Option<TelephoneNumber<'_>> {
        TelephoneNumber::of(Uri::parse(text).unwrap())
    }

    #[test]
    fn parts_of_a_number_are_found() {
        let global = number("tel:+1-201.555(01)23;ext=4-5;isub=12").unwrap();
        assert!(global.is_global());
        assert_eq!(global.digits(), "+12015550123");
        assert_eq!(global.extension().as_deref(), Some("45"));
        assert_eq!(global.subaddress(), Some("12"));
        assert_eq!(global.to_shown(), "+12015550123x45");
        let local = number("tel:7042;phone-context=example.com").unwrap();
        assert!(!local.is_global());
        assert_eq!(local.context(), Some("example.com"));
        assert_eq!(local.to_shown(), "7042");
    }

    #[test]
    fn sip_addresses_hold_numbers_where_they_say_so() {
        let phone = number("sip:+49-30-1;ext=2@example.com;user=phone").unwrap();
        assert_eq!(phone.to_shown(), "+49301x2");
        assert!(number("sip:101@example.com").is_none());
        assert!(number("sip:example.com;user=phone").is_none());
        assert!(number("mailto:a@example.com").is_none());
    }
}
