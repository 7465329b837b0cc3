//! Digest authentication (RFC 7616 as RFC 8760 applies it to SIP): MD5, SHA-256 and SHA-512-256, `qop` auth and auth-int, 401 and 407.
//!
//! A client keeps a [`ClientChallengeState`], shows it each 401 and 407, and asks it for the headers of every request.
//! A server writes [`DigestChallenge`]s and checks what comes back with [`verify`]; which nonces are good and how often
//! one may be used is the server's own business (see [`nonce_count`]).
//!
//! ```
//! use clearline_core::Secret;
//! use clearline_core::sip::digest::{Algorithm, ClientChallengeState, DigestChallenge, Ha1, verify};
//! use clearline_core::sip::{HeaderName, Method, RequestBuilder, ResponseBuilder, UriBuf};
//!
//! let registrar = UriBuf::parse("sip:example.com")?;
//! let register = RequestBuilder::new(Method::Register, registrar.as_uri()).build();
//! let challenge = DigestChallenge::new("example.com", "n0nce", Algorithm::Sha256);
//! let refusal = ResponseBuilder::for_request(&register, 401).header(HeaderName::WwwAuthenticate, challenge).build();
//!
//! let mut client = ClientChallengeState::default();
//! client.take_challenges(&refusal);
//! let mut retry = register.edit();
//! for (name, value) in client.authorize(&register, "alice", &Secret::new("demo"), "cn0nce") {
//!     retry = retry.append(name, value);
//! }
//!
//! let ha1 = Ha1::new(Algorithm::Sha256, "alice", "example.com", &Secret::new("demo"));
//! let retry = retry.build();
//! let credentials = retry.credentials().next().expect("client had an answer")?;
//! assert!(verify(&credentials, retry.method(), &ha1, retry.body()).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod server;

use std::fmt;

use md5::Md5;
use sha2::{Sha256, Sha512_256};

pub use client::ClientChallengeState;
pub use server::{DigestChallenge, DigestError, nonce_count, verify};

use crate::Secret;

/// A digest algorithm. Variants are ordered by strength. The `-sess` variants are not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// `MD5`, the only one many platforms know.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
    /// `SHA-512-256` (RFC 8760).
    Sha512_256,
}

impl Algorithm {
    /// All algorithms, the strongest first: the order in which a server lists its challenges.
    pub const ALL: [Self; 3] = [Self::Sha512_256, Self::Sha256, Self::Md5];

    /// The name in the `algorithm` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The algorithm with this name, whatever its case; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// Digits of a hash in hexadecimal.
    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }

    /// The hash of `parts` joined by colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hash::<Md5>(parts),
            Self::Sha256 => hash::<Sha256>(parts),
            Self::Sha512_256 => hash::<Sha512_256>(parts),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// H(user:realm:password) of one algorithm (RFC 7616 3.4.2). It is as good as the password for that realm, so `Debug`
/// does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: Algorithm,
    hex: Secret,
}

impl Ha1 {
    /// Computes it.
    pub fn new(algorithm: Algorithm, user: &str, realm: &str, password: &Secret) -> Self {
        let parts = [user.as_bytes(), realm.as_bytes(), password.expose().as_bytes()];
        Self {
            algorithm,
            hex: Secret::new(algorithm.hash(&parts)),
        }
    }

    /// Takes a stored one: 32 (MD5) or 64 (the others) hexadecimal digits. `None` if `hex` is something else.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let is_hash = hex.len() == algorithm.digits() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self {
            algorithm,
            hex: Secret::new(hex.to_ascii_lowercase()),
        })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, to be stored.
    pub fn hex(&self) -> &Secret {
        &self.hex
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ha1({}, [redacted])", self.algorithm)
    }
}

/// What a client proves that it knows.
#[derive(Clone, Copy, Debug)]
pub enum Ha1Source<'a> {
    /// The password, good for every realm and algorithm.
    Password(&'a Secret),
    /// Stored hashes of the user's one realm: only their algorithms can be answered.
    Hashes(&'a [Ha1]),
}

impl Ha1Source<'_> {
    fn ha1(self, algorithm: Algorithm, user: &str, realm: &str) -> Option<Ha1> {
        match self {
            Self::Password(password) => Some(Ha1::new(algorithm, user, realm, password)),
            Self::Hashes(hashes) => hashes.iter().find(|ha1| ha1.algorithm == algorithm).cloned(),
        }
    }
}

impl<'a> From<&'a Secret> for Ha1Source<'a> {
    fn from(password: &'a Secret) -> Self {
        Self::Password(password)
    }
}

impl<'a> From<&'a [Ha1]> for Ha1Source<'a> {
    fn from(hashes: &'a [Ha1]) -> Self {
        Self::Hashes(hashes)
    }
}

/// What a hash protects besides the password (`qop`). Ordered by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quality {
    /// Method and URI.
    Auth,
    /// And the body.
    AuthInt,
}

impl Quality {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|quality| quality.as_str().eq_ignore_ascii_case(name))
    }
}

/// The parameters that come with a `qop`.
#[derive(Clone, Copy)]
struct Protection<'a> {
    quality: Quality,
    /// Eight hexadecimal digits, as sent.
    nonce_count: &'a str,
    cnonce: &'a str,
}

/// What is hashed with the password.
struct Subject<'a> {
    method: &'a str,
    uri: &'a str,
    body: &'a [u8],
}

/// request-digest (RFC 7616 3.4.1), without `qop` that of RFC 2069.
fn request_digest(
    ha1: &Ha1,
    nonce: &str,
    protection: Option<Protection<'_>>,
    subject: &Subject<'_>,
) -> String {
    let hash = |parts: &[&[u8]]| ha1.algorithm.hash(parts);
    let (method, uri) = (subject.method.as_bytes(), subject.uri.as_bytes());
    let ha2 = match protection.map(|protection| protection.quality) {
        Some(Quality::AuthInt) => hash(&[method, uri, hash(&[subject.body]).as_bytes()]),
        Some(Quality::Auth) | None => hash(&[method, uri]),
    };
    let (ha1, nonce, ha2) = (ha1.hex.expose().as_bytes(), nonce.as_bytes(), ha2.as_bytes());
    match protection {
        Some(Protection {
            quality,
            nonce_count,
            cnonce,
        }) => hash(&[
            ha1,
            nonce,
            nonce_count.as_bytes(),
            cnonce.as_bytes(),
            quality.as_str().as_bytes(),
            ha2,
        ]),
        None => hash(&[ha1, nonce, ha2]),
    }
}

fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> String {
    let mut hasher = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(b":");
        }
        hasher.update(part);
    }
    let digest = hasher.finalize();
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(hex_digit)
        .collect()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const INDEX: Subject<'_> = Subject {
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };

    fn auth<'a>(cnonce: &'a str) -> Option<Protection<'a>> {
        Some(Protection {
            quality: Quality::Auth,
            nonce_count: "00000001",
            cnonce,
        })
    }

    /// RFC 7616 3.9.1.
    #[test]
    fn published_examples_of_both_algorithms() {
        let password = Secret::new("Circle of Life");
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let protection = auth("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        let response = |algorithm| {
            let ha1 = Ha1::new(algorithm, "Mufasa", "http-auth@example.org", &password);
            request_digest(&ha1, nonce, protection, &INDEX)
        };
        assert_eq!(response(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response(Algorithm::Sha256),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_strongest_algorithm_is_a_hash_of_its_own() {
        let ha1 = |algorithm| Ha1::new(algorithm, "alice", "example.com", &Secret::new("demo"));
        let (long, short) = (ha1(Algorithm::Sha512_256), ha1(Algorithm::Sha256));
        assert_eq!(long.hex().expose().len(), 64);
        assert_ne!(long.hex().expose(), short.hex().expose());
        // FIPS 180-4: SHA-512/256 of "abc".
        assert_eq!(
            Algorithm::Sha512_256.hash(&[b"abc"]),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    /// RFC 2617 3.5, and the same without qop.
    #[test]
    fn published_example_of_the_older_rfc() {
        let ha1 = Ha1::new(
            Algorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            &Secret::new("Circle Of Life"),
        );
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        assert_eq!(ha1.hex().expose(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(
            request_digest(&ha1, nonce, auth("0a4f113b"), &INDEX),
            "6629fae49393a05397450978507c4ef1"
        );
        assert_eq!(
            request_digest(&ha1, nonce, None, &INDEX),
            "670fd8c2df070c60b045671b8b24ff02"
        );
    }

    #[test]
    fn stored_hashes_are_checked_and_never_shown() {
        let ha1 = Ha1::from_hex(Algorithm::Md5, "939E7578ED9E3C518A452ACEE763BCE9").unwrap();
        assert_eq!(ha1.hex().expose(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(format!("{ha1:?}"), "Ha1(MD5, [redacted])");
        assert_eq!(
            Ha1::from_hex(Algorithm::Sha256, "939e7578ed9e3c518a452acee763bce9"),
            None
        );
        assert_eq!(
            Ha1::from_hex(Algorithm::Md5, "zz9e7578ed9e3c518a452acee763bce9"),
            None
        );
    }

    #[test]
    fn session_algorithms_are_unknown() {
        assert_eq!(Algorithm::from_name("md5"), Some(Algorithm::Md5));
        assert_eq!(Algorithm::from_name("MD5-sess"), None);
        assert!(Algorithm::Sha256 > Algorithm::Md5 && Algorithm::Sha512_256 > Algorithm::Sha256);
    }
}
