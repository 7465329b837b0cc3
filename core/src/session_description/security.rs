use std::fmt;

/// The hash of a certificate (RFC 8122 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint<'a> {
    /// The hash function as written: `sha-256` ...
    pub algorithm: &'a str,
    /// Hexadecimal bytes, separated by colons, as written.
    pub value: &'a str,
}

impl<'a> Fingerprint<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (algorithm, value) = (words.next()?, words.next()?);
        let is_hash = value
            .split(':')
            .all(|byte| byte.len() == 2 && byte.bytes().all(|it| it.is_ascii_hexdigit()));
        is_hash.then_some(Self { algorithm, value })
    }
}

/// Who opens the DTLS association (RFC 4145 4, RFC 5763 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The writer opens it.
    Active,
    /// The writer waits for it.
    Passive,
    /// Either, as the answer chooses.
    ActPass,
    /// Not now.
    HoldConn,
}

impl Setup {
    pub(super) fn parse(value: &str) -> Option<Self> {
        match value {
            "active" => Some(Self::Active),
            "passive" => Some(Self::Passive),
            "actpass" => Some(Self::ActPass),
            "holdconn" => Some(Self::HoldConn),
            _ => None,
        }
    }
}

/// A key for SRTP, sent in the description itself (RFC 4568). `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// Which line an answer refers to.
    pub tag: u32,
    /// `AES_CM_128_HMAC_SHA1_80` ...
    pub suite: &'a str,
    /// `inline:` and the key. Secret.
    pub key_params: &'a str,
    /// Session parameters, possibly empty.
    pub session_params: &'a str,
}

impl<'a> Crypto<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let (tag, rest) = value.split_once(' ')?;
        let (suite, rest) = rest.trim_start().split_once(' ')?;
        let rest = rest.trim_start();
        let (key_params, session_params) = rest.split_once(' ').unwrap_or((rest, ""));
        if key_params.is_empty() {
            return None;
        }
        Some(Self {
            tag: tag.parse().ok()?,
            suite,
            key_params,
            session_params: session_params.trim(),
        })
    }
}

impl fmt::Debug for Crypto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypto")
            .field("tag", &self.tag)
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}
