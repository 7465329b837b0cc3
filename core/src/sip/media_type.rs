use super::error::Malformed;
use super::params::Params;
use super::text::{is_token, trim};
use crate::cut;

/// A media type: Content-Type, or one value of Accept (RFC 3261 20.15).
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// The type before the slash.
    pub kind: &'a str,
    /// The type after the slash.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads a value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is no `type/subtype` with parameters.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (essence, params) = cut::before(text, b';');
        let (kind, subtype) = essence.split_once('/').ok_or(Malformed)?;
        let (kind, subtype) = (trim(kind), trim(subtype));
        if !is_token(kind) || !is_token(subtype) {
            return Err(Malformed);
        }
        Ok(Self {
            kind,
            subtype,
            params: Params::after_value(params).ok_or(Malformed)?,
        })
    }

    /// Whether this is `essence` (as `application/sdp`), whatever the case and parameters.
    pub fn is(&self, essence: &str) -> bool {
        essence.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn case_and_parameters_do_not_matter() {
        assert!(
            MediaType::parse("Application / SDP;charset=utf-8")
                .unwrap()
                .is("application/sdp")
        );
        assert!(
            !MediaType::parse("application/sdp")
                .unwrap()
                .is("application/sdpx")
        );
        let mixed = MediaType::parse("multipart/mixed;boundary=\"a b\"").unwrap();
        assert_eq!(mixed.params.text("boundary").as_deref(), Some("a b"));
    }

    #[test]
    fn malformed_types_are_refused() {
        for text in ["", "text", "/", "text/", "text/plain;;", "te xt/plain"] {
            assert!(MediaType::parse(text).is_err(), "{text}");
        }
    }
}
