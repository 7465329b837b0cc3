use super::error::Malformed;
use super::method::Method;
use super::text::{is_space, is_token, number, trim};

/// A CSeq value (RFC 3261 20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is no number (of 32 bits) and method.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (sequence, method) = trim(text).split_once(is_space).ok_or(Malformed)?;
        let method = trim(method);
        if !is_token(method) {
            return Err(Malformed);
        }
        Ok(Self {
            number: number(sequence).ok_or(Malformed)?,
            method: Method::from(method),
        })
    }
}

impl std::fmt::Display for CSeq<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn number_and_method_are_read() {
        assert_eq!(
            CSeq::parse("0009     INVITE"),
            Ok(CSeq {
                number: 9,
                method: Method::Invite
            })
        );
        assert_eq!(CSeq::parse("4294967295 X").unwrap().to_string(), "4294967295 X");
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            "",
            "1",
            "INVITE",
            "INVITE 1",
            "-1 INVITE",
            "4294967296 INVITE",
            "1 INVITE x",
            "1 IN VITE",
        ] {
            assert_eq!(CSeq::parse(text), Err(Malformed), "{text}");
        }
    }
}
