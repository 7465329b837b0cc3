//! Deterministic randomness: the driver gives a 32-byte seed, everything unpredictable is derived from it.

use std::{array, fmt};

use crate::time::{Duration, micros};

/// The agent's generator for tags, branches, Call-IDs, client nonces and jitter: the key stream of ChaCha with twelve
/// rounds (D. J. Bernstein, "ChaCha, a variant of Salsa20", 2008) for the seed as key.
///
/// A restored or cloned agent must be given a fresh seed, otherwise it repeats identifiers that RFC 3261 requires to
/// be unique (section 19.3: at least 32 bits of randomness for a tag).
#[derive(Clone)]
pub struct Rng {
    key: [Row; 2],
    next_block: u64,
    /// What is left of the last block.
    words: array::IntoIter<u32, 16>,
}

impl Rng {
    /// A generator whose whole future is determined by `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut key = [[0; 4]; 2];
        let words = seed.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        key.as_flattened_mut()
            .iter_mut()
            .zip(words)
            .for_each(|(of_key, word)| *of_key = word);
        Self {
            key,
            next_block: 1,
            words: block(key, 0).into_iter(),
        }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let (low, high) = (self.next_u32(), self.next_u32());
        u64::from(high) << 32 | u64::from(low)
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

    fn next_u32(&mut self) -> u32 {
        loop {
            if let Some(word) = self.words.next() {
                return word;
            }
            self.words = block(self.key, self.next_block).into_iter();
            self.next_block += 1;
        }
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

// --- ChaCha ----------------------------------------------------------------------------------------------------

/// The state is a square of words: constants, two rows of the key, and the number of the block with the nonce, here zero.
type Row = [u32; 4];

/// "expand 32-byte k".
const CONSTANTS: Row = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

fn block(key: [Row; 2], number: u64) -> [u32; 16] {
    let start = [
        CONSTANTS,
        key[0],
        key[1],
        [number as u32, (number >> 32) as u32, 0, 0],
    ];
    let mut state = start;
    for _ in 0..6 {
        quarter_rounds(&mut state);
        // The diagonals become columns, and afterwards diagonals again.
        turn_rows(&mut state, [0, 1, 2, 3]);
        quarter_rounds(&mut state);
        turn_rows(&mut state, [0, 3, 2, 1]);
    }
    let mut block = [0; 16];
    let sums = state.as_flattened().iter().zip(start.as_flattened());
    for (word, (a, b)) in block.iter_mut().zip(sums) {
        *word = a.wrapping_add(*b);
    }
    block
}

/// One in each column.
fn quarter_rounds([a, b, c, d]: &mut [Row; 4]) {
    for i in 0..4 {
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_left(16);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_left(12);
        a[i] = a[i].wrapping_add(b[i]);
        d[i] = (d[i] ^ a[i]).rotate_left(8);
        c[i] = c[i].wrapping_add(d[i]);
        b[i] = (b[i] ^ c[i]).rotate_left(7);
    }
}

fn turn_rows(state: &mut [Row; 4], by: [usize; 4]) {
    for (row, by) in state.iter_mut().zip(by) {
        let before = *row;
        *row = array::from_fn(|i| before[(i + by) % 4]);
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

    /// The first block of an empty key, "Test Vectors for the Stream Cipher ChaCha" (J. Strombergson, 2013), and one of
    /// another key that is not the first.
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
        let mut rng = Rng::new(array::from_fn(|index| index as u8));
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
