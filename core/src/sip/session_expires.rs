use super::error::Malformed;
use super::params::Params;
use super::text::{number, trim};
use crate::cut;

/// A Session-Expires value (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval in seconds.
    pub seconds: u32,
    /// Which side of the transaction is to refresh, if it says so.
    pub refresher: Option<Refresher>,
}

/// A side of the transaction that carries a Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The one that sent the request.
    Uac,
    /// The one that responded.
    Uas,
}

impl SessionExpires {
    /// Reads a value, which must fill `text`. A refresher that is neither is as good as none.
    ///
    /// # Errors
    /// When `text` is no number with parameters.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (seconds, params) = cut::before(text, b';');
        let params = Params::after_value(params).ok_or(Malformed)?;
        let refresher = params.value("refresher");
        let refresher = refresher.and_then(|side| match side.to_ascii_lowercase().as_str() {
            "uac" => Some(Refresher::Uac),
            "uas" => Some(Refresher::Uas),
            _ => None,
        });
        Ok(Self {
            seconds: number(trim(seconds)).ok_or(Malformed)?,
            refresher,
        })
    }
}

impl std::fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn interval_and_refresher_are_read() {
        let value = SessionExpires::parse(" 1800 ; Refresher=UAS;x").unwrap();
        assert_eq!((value.seconds, value.refresher), (1_800, Some(Refresher::Uas)));
        assert_eq!(value.to_string(), "1800;refresher=uas");
        let value = SessionExpires::parse("90;refresher=both").unwrap();
        assert_eq!((value.seconds, value.refresher), (90, None));
        assert_eq!(value.to_string(), "90");
        let value = SessionExpires::parse("90;refresher=uac").unwrap();
        assert_eq!(value.to_string(), "90;refresher=uac");
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in ["", "x", "-1", "4294967296", "90 x", ";refresher=uac", "90;;=\""] {
            assert_eq!(SessionExpires::parse(text), Err(Malformed), "{text}");
        }
    }
}
