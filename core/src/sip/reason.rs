use std::borrow::Cow;

use super::error::Malformed;
use super::params::Params;
use super::text::{is_token, number, trim};
use crate::cut;

/// One value of a Reason header (RFC 3326): why a request was sent.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    /// What `cause` is taken from: `SIP`, `Q.850` ...
    pub protocol: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// Reads one value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is no protocol with parameters.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (protocol, params) = cut::before(text, b';');
        let protocol = trim(protocol);
        if !is_token(protocol) {
            return Err(Malformed);
        }
        Ok(Self {
            protocol,
            params: Params::after_value(params).ok_or(Malformed)?,
        })
    }

    /// The cause code, e.g. a SIP status or an ISDN cause value.
    pub fn cause(&self) -> Option<u16> {
        self.params.value("cause").and_then(number)
    }

    /// Text for people. May hold any character.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.params.text("text")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn protocol_cause_and_text_are_read() {
        let reason = Reason::parse("SIP ;cause=200 ;text=\"Call completed; elsewhere\"").unwrap();
        assert_eq!((reason.protocol, reason.cause()), ("SIP", Some(200)));
        assert_eq!(reason.text().as_deref(), Some("Call completed; elsewhere"));
        assert_eq!(Reason::parse("Q.850").unwrap().cause(), None);
        assert!(Reason::parse(";cause=1").is_err());
    }
}
