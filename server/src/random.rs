//! Randomness and hashes, from one place.

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing secret could be made any more, and no input can
/// bring that about.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    assert!(
        SystemRandom::new().fill(&mut bytes).is_ok(),
        "the operating system's random number generator failed"
    );
    bytes
}

/// `N` random bytes as text of `A-Z a-z 0-9 - _`.
pub(crate) fn token<const N: usize>() -> String {
    BASE64URL_NOPAD.encode(&bytes::<N>())
}

/// A random UUID (RFC 9562 section 5.4) as a URN.
pub(crate) fn uuid_urn() -> String {
    format!("urn:uuid:{}", uuid(bytes()))
}

fn uuid(random: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(random) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The SHA-256 hash of `data`.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, data).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_random_ones() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn tokens_differ_and_have_the_length_of_their_bytes() {
        assert_ne!(token::<24>(), token::<24>());
        assert_eq!(token::<24>().len(), 32);
    }
}
