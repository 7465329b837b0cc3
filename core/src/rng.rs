//! Deterministic randomness: the driver gives a 32-byte seed, everything unpredictable is derived from it.

use std::fmt;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::time::Duration;

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
        let span = u64::try_from(high.saturating_sub(low).as_micros()).unwrap_or(u64::MAX - 1);
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
