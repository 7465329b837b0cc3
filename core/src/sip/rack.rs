use super::error::Malformed;
use super::method::Method;
use super::text::{is_space, is_token, number, trim};

/// A RAck value (RFC 3262 7.2): which reliable provisional response a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The sequence number of the request it responds to.
    pub cseq: u32,
    /// The method of that request.
    pub method: Method<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a value, which must fill `text`.
    ///
    /// # Errors
    /// When `text` is no two numbers (of 32 bits) and a method.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut parts = trim(text).split(is_space).filter(|part| !part.is_empty());
        let (Some(rseq), Some(cseq), Some(method), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed);
        };
        if !is_token(method) {
            return Err(Malformed);
        }
        Ok(Self {
            rseq: number(rseq).ok_or(Malformed)?,
            cseq: number(cseq).ok_or(Malformed)?,
            method: Method::from(method),
        })
    }
}

impl std::fmt::Display for RAck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn numbers_and_method_are_read() {
        let rack = RAck::parse(" 776656  1 INVITE ").unwrap();
        assert_eq!((rack.rseq, rack.cseq, rack.method), (776_656, 1, Method::Invite));
        assert_eq!(rack.to_string(), "776656 1 INVITE");
    }

    #[test]
    fn malformed_values_are_refused() {
        for text in [
            "",
            "1",
            "1 2",
            "1 INVITE",
            "1 2 INVITE x",
            "4294967296 1 INVITE",
            "-1 1 INVITE",
            "1 1 IN,VITE",
        ] {
            assert_eq!(RAck::parse(text), Err(Malformed), "{text}");
        }
    }
}
