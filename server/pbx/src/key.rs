//! Everything the platform hands out and later believes (nonces, flow tokens, temporary GRUUs) is sealed with one
//! secret key, so that nothing has to be remembered for it.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The platform's secret. Keep it across restarts: then dialogs that were set up before the restart still find their
/// way after it.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Wraps 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA256 of the parts under `purpose`, cut to `N` bytes (at most 32). Parts are framed, so that moving a
    /// border between two of them changes the result.
    pub(crate) fn authenticate<const N: usize>(&self, purpose: &str, parts: &[&[u8]]) -> [u8; N] {
        // HMAC pads a short key with zeros to the block of its hash.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        std::array::from_fn(|i| digest.get(i).copied().unwrap_or_default())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether two byte strings are equal, in a time that does not depend on where they differ.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// Lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The `N` bytes that `text` spells in lower-case hexadecimal, if it does so exactly.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, i) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(i..i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed_and_purposes_kept_apart() {
        let key = Key::new([7; 32]);
        let mac = |purpose: &str, parts: &[&[u8]]| key.authenticate::<16>(purpose, parts);
        assert_eq!(mac("a", &[b"xy", b"z"]), mac("a", &[b"xy", b"z"]));
        assert_ne!(mac("a", &[b"xy", b"z"]), mac("a", &[b"x", b"yz"]));
        assert_ne!(mac("a", &[b"xy"]), mac("b", &[b"xy"]));
        assert_ne!(
            mac("a", &[b"xy"]),
            Key::new([8; 32]).authenticate::<16>("a", &[b"xy"])
        );
    }

    #[test]
    fn hexadecimal_reads_back_and_refuses_other_text() {
        assert_eq!(to_hex(&[0, 0xab, 9]), "00ab09");
        assert_eq!(from_hex("00ab09"), Some([0, 0xab, 9]));
        for text in ["00AB09", "00ab0", "00ab0g", "00ab09 ", "é0ab0"] {
            assert_eq!(from_hex::<3>(text), None, "{text}");
        }
    }

    #[test]
    fn comparison_sees_every_difference() {
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"sane"));
        assert!(!constant_time_eq(b"same", b"samee"));
    }

    #[test]
    fn the_key_is_never_shown() {
        assert_eq!(format!("{:?}", Key::new([1; 32])), "[redacted]");
    }
}
