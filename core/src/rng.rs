//! Deterministic randomness: the driver gives a 32-byte seed, everything unpredictable is derived from it.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::time::{Duration, micros};

/// The agent's generator for tags, branches, Call-IDs, client nonces and jitter.
///
/// A restored or cloned agent must be given a fresh seed, otherwise it repeats identifiers that RFC 3261 requires to
/// be unique (section 19.3: at least 32 bits of randomness for a tag).
#[derive(Clone)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// A generator whose whole future is determined by `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// `2 * bytes` lower-case hexadecimal digits, a valid SIP token.
    pub fn token(&mut self, bytes: usize) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(bytes * 2);
        let mut pool = 0;
        for i in 0..bytes * 2 {
            if i % 16 == 0 {
                pool = self.next_u64();
            }
            text.push(char::from(DIGITS[(pool & 0xf) as usize]));
            pool >>= 4;
        }
        text
    }

    /// A duration drawn uniformly from `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = micros(high.saturating_sub(low)).min(u64::MAX - 1);
        low + Duration::from_micros(self.next_u64() % (span + 1))
    }

    /// The pause before attempt number `failures + 1`: doubling from a quarter second up to `ceiling`, each drawn from
    /// the upper half, so that a server that comes back is not met by all its clients at once.
    pub fn back_off(&mut self, failures: u32, ceiling: Duration) -> Duration {
        let longest = Duration::from_millis(250 << failures.min(12)).min(ceiling);
        self.between(longest / 2, longest)
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn same_seed_same_tokens_other_seed_other_tokens() {
        let token = |seed: u8| Rng::new([seed; 32]).token(8);
        assert_eq!(token(1), token(1));
        assert_ne!(token(1), token(2));
        assert_eq!(token(1).len(), 16);
    }

    /// A log that is replayed with another version has to find the same numbers: the first block of an empty key, "Test
    /// Vectors for the Stream Cipher ChaCha" (J. Strombergson, 2013), and one of another key that is not the first.
    #[test]
    fn the_key_stream_is_that_of_chacha12() {
        let mut rng = Rng::new([0; 32]);
        let bytes: Vec<u8> = (0..4).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        let published = [
            0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0x55, 0xf9, 0x53, 0x81, 0x1f, 0xce, 0x12, 0x5f, 0x26, 0x83,
            0xd5, //
            0x04, 0x29, 0xc3, 0xbb, 0x49, 0xe0, 0x74, 0x14, 0x7e, 0x00, 0x89, 0xa5, 0x2e, 0xae, 0x15, 0x5f,
        ];
        assert_eq!(bytes, published);
        let mut rng = Rng::new(std::array::from_fn(|index| index as u8));
        assert_eq!(rng.next_u64(), 0x5ec6_7ad1_fff9_31f2);
        assert_eq!(
            (1..=39).map(|_| rng.next_u64()).last(),
            Some(0x6307_dcd1_b660_9932)
        );
    }

    #[test]
    fn between_stays_in_the_range() {
        let mut rng = Rng::new([7; 32]);
        let (low, high) = (Duration::from_millis(2_100), Duration::from_millis(4_000));
        for _ in 0..1_000 {
            let drawn = rng.between(low, high);
            assert!(drawn >= low && drawn <= high);
        }
        assert_eq!(rng.between(high, low), high);
    }
}
