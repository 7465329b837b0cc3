use std::fmt;

use super::{Algorithm, Ha1, Protection, Quality, Subject, request_digest};
use crate::sip::challenge::Credentials;
use crate::sip::method::Method;
use crate::sip::text::quote;

/// The value of a WWW-Authenticate or Proxy-Authenticate header. Write one header for each algorithm for which hashes
/// are stored, in the order of [`Algorithm::ALL`].
#[derive(Clone, Copy)]
pub struct DigestChallenge<'a> {
    realm: &'a str,
    nonce: &'a str,
    algorithm: Algorithm,
    stale: bool,
    opaque: Option<&'a str>,
}

impl<'a> DigestChallenge<'a> {
    /// A challenge with `qop="auth"`. The nonce must be one that nobody can guess and the server can recognise.
    pub fn new(realm: &'a str, nonce: &'a str, algorithm: Algorithm) -> Self {
        Self {
            realm,
            nonce,
            algorithm,
            stale: false,
            opaque: None,
        }
    }

    /// Says that only the nonce was too old: the client tries again without asking for the password.
    pub fn stale(self, stale: bool) -> Self {
        Self { stale, ..self }
    }

    /// Adds text that the client sends back.
    pub fn opaque(self, opaque: &'a str) -> Self {
        Self {
            opaque: Some(opaque),
            ..self
        }
    }
}

impl fmt::Display for DigestChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Digest realm={}, nonce={}",
            quote(self.realm),
            quote(self.nonce)
        )?;
        write!(f, ", algorithm={}, qop=\"auth\"", self.algorithm)?;
        if let Some(opaque) = self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for DigestChallenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestChallenge")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// Why credentials do not prove that a client knows the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestError {
    /// Another scheme.
    NotDigest,
    /// A parameter is missing or malformed.
    Parameter(&'static str),
    /// Another algorithm than that of the stored hash.
    Algorithm,
    /// An unknown `qop`.
    Quality,
    /// The hash is wrong: the password, or the request is not the one that was signed.
    Response,
}

impl fmt::Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDigest => f.write_str("not digest credentials"),
            Self::Parameter(name) => write!(f, "credentials without a valid {name}"),
            Self::Algorithm => f.write_str("credentials of another algorithm"),
            Self::Quality => f.write_str("credentials with an unknown qop"),
            Self::Response => f.write_str("wrong password"),
        }
    }
}

impl std::error::Error for DigestError {}

/// Checks that `credentials` for a request of `method` and `body` were made by who knows `ha1`.
///
/// User, realm, nonce and its count are the caller's to check, as is whether `uri` is what was asked for (proxies may
/// have changed the Request-URI). The hashes are compared in constant time.
///
/// # Errors
/// When the credentials are incomplete, of another algorithm, or wrong.
pub fn verify(
    credentials: &Credentials<'_>,
    method: Method<'_>,
    ha1: &Ha1,
    body: &[u8],
) -> Result<(), DigestError> {
    if !credentials.is_digest() {
        return Err(DigestError::NotDigest);
    }
    let required = |name: &'static str| credentials.param(name).ok_or(DigestError::Parameter(name));
    let algorithm = credentials.param("algorithm");
    if algorithm
        .as_deref()
        .map_or(Some(Algorithm::Md5), Algorithm::from_name)
        != Some(ha1.algorithm())
    {
        return Err(DigestError::Algorithm);
    }
    let (nonce, uri, response) = (required("nonce")?, required("uri")?, required("response")?);
    let subject = Subject {
        method: method.as_str(),
        uri: &uri,
        body,
    };
    let expected = match credentials.param("qop") {
        None => request_digest(ha1, &nonce, None, &subject),
        Some(qop) => {
            let quality = Quality::from_name(&qop).ok_or(DigestError::Quality)?;
            let (count, cnonce) = (required("nc")?, required("cnonce")?);
            parse_count(&count).ok_or(DigestError::Parameter("nc"))?;
            let protection = Protection {
                quality,
                nonce_count: &count,
                cnonce: &cnonce,
            };
            request_digest(ha1, &nonce, Some(protection), &subject)
        }
    };
    is_same(expected.as_bytes(), response.to_ascii_lowercase().as_bytes())
        .then_some(())
        .ok_or(DigestError::Response)
}

/// How often the client says it has used the nonce, this time included; `None` if it sent no valid `nc`. A count that
/// does not rise is a replay (RFC 7616 5.12).
pub fn nonce_count(credentials: &Credentials<'_>) -> Option<u32> {
    parse_count(&credentials.param("nc")?)
}

/// Eight hexadecimal digits (RFC 7616 3.4).
fn parse_count(text: &str) -> Option<u32> {
    let is_count = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_count.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Equality in a time that does not tell where the first difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::Secret;
    use crate::sip::AuthenticationKind;

    /// RFC 2617 3.5.
    const RIGHT: &str = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
        cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\"";

    fn check(value: &str, method: &str) -> Result<(), DigestError> {
        let credentials = Credentials::parse(AuthenticationKind::Www, value).unwrap();
        let ha1 = Ha1::new(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            &Secret::new("Circle Of Life"),
        );
        verify(&credentials, Method::from(method), &ha1, b"")
    }

    #[test]
    fn right_credentials_pass() {
        assert_eq!(check(RIGHT, "GET"), Ok(()));
        assert_eq!(check(&RIGHT.replace("6629fae4", "6629FAE4"), "GET"), Ok(()));
        let without_qop = RIGHT.replace("qop=auth, nc=00000001, ", "").replace(
            "6629fae49393a05397450978507c4ef1",
            "670fd8c2df070c60b045671b8b24ff02",
        );
        assert_eq!(check(&without_qop, "GET"), Ok(()));
    }

    #[test]
    fn wrong_credentials_say_why() {
        assert_eq!(check(RIGHT, "PUT"), Err(DigestError::Response));
        assert_eq!(
            check(&RIGHT.replace("=00000001", "=00000002"), "GET"),
            Err(DigestError::Response)
        );
        assert_eq!(
            check(&RIGHT.replace("response=\"66", "response=\""), "GET"),
            Err(DigestError::Response)
        );
        assert_eq!(
            check(&RIGHT.replace("=00000001", "=1"), "GET"),
            Err(DigestError::Parameter("nc"))
        );
        assert_eq!(
            check(&RIGHT.replace(" nonce", " once"), "GET"),
            Err(DigestError::Parameter("nonce"))
        );
        assert_eq!(
            check(&RIGHT.replace("qop=auth", "qop=sign"), "GET"),
            Err(DigestError::Quality)
        );
        assert_eq!(
            check(&format!("{RIGHT}, algorithm=SHA-256"), "GET"),
            Err(DigestError::Algorithm)
        );
        assert_eq!(
            check(&format!("{RIGHT}, algorithm=MD5-sess"), "GET"),
            Err(DigestError::Algorithm)
        );
        assert_eq!(check("Bearer x", "GET"), Err(DigestError::NotDigest));
    }

    #[test]
    fn counts_are_hexadecimal() {
        let count = |nc: &str| {
            let value = format!("Digest nc={nc}");
            nonce_count(&Credentials::parse(AuthenticationKind::Www, &value).unwrap())
        };
        assert_eq!(count("0000000a"), Some(10));
        assert_eq!(count("ffffffff"), Some(u32::MAX));
        assert_eq!(count("+000000a"), None);
        assert_eq!(count("1"), None);
    }

    #[test]
    fn challenges_are_written_whole() {
        let challenge = DigestChallenge::new("a\"b", "n", Algorithm::Sha256)
            .opaque("o")
            .stale(true);
        assert_eq!(
            challenge.to_string(),
            r#"Digest realm="a\"b", nonce="n", algorithm=SHA-256, qop="auth", opaque="o", stale=true"#
        );
    }
}
