//! ITU-T G.722 at 64 kbit/s: 16 kHz speech in two sub-bands, each coded as the difference from what was predicted (ADPCM).
//!
//! One byte holds two samples: 2 bits of the higher band above 6 bits of the lower one. In RTP its clock counts 8,000 ticks a
//! second all the same (RFC 3551 section 4.5.2). Nothing is allocated, and every byte sequence is audio.
//!
//! ```text
//! samples -> QMF -+-> higher band (4 - 8 kHz) -> 2 bits -+-> byte -> both predictors -> QMF -> samples
//!                 +-> lower band  (0 - 4 kHz) -> 6 bits -+
//! ```

use crate::media::playout::{self, Undecodable};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 16_000;

/// Makes bytes of samples.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    filter: Filter,
    low: LowBand,
    high: HighBand,
}

impl Encoder {
    /// Encodes pairs of samples, a byte each, as far as both last; tells how many bytes that was.
    pub fn encode(&mut self, samples: &[i16], output: &mut [u8]) -> usize {
        let pairs = samples.as_chunks::<2>().0;
        for (&[first, second], byte) in pairs.iter().zip(output.iter_mut()) {
            let (odd, even) = self.filter.push(i32::from(first), i32::from(second));
            let low = self.low.encode((even + odd) >> 14);
            let high = self.high.encode((even - odd) >> 14);
            *byte = (high << 6) | low;
        }
        pairs.len().min(output.len())
    }
}

/// Makes samples of bytes.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    filter: Filter,
    low: LowBand,
    high: HighBand,
}

impl Decoder {
    /// Decodes bytes, a pair of samples each, as far as both last; tells how many samples that was.
    pub fn decode(&mut self, bytes: &[u8], output: &mut [i16]) -> usize {
        let pairs = output.as_chunks_mut::<2>().0;
        let count = 2 * pairs.len().min(bytes.len());
        for (&byte, pair) in bytes.iter().zip(pairs) {
            let (low, high) = (self.low.decode(byte & 0x3f), self.high.decode(byte >> 6));
            let (odd, even) = self.filter.push(low + high, low - high);
            *pair = [saturated(even >> 11) as i16, saturated(odd >> 11) as i16];
        }
        count
    }
}

impl playout::Decoder for Decoder {
    fn clock_rate(&self) -> u32 {
        8_000
    }

    fn sample_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        Some(2 * payload.len())
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        Ok(Self::decode(self, payload, output))
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// The quadrature mirror filter, which splits a signal in two bands and joins them again (section 3.1 and 4.4).
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Pairs of values, the oldest first.
    history: [(i32, i32); 12],
}

/// Every second coefficient; the others are the same backwards.
const COEFFICIENTS: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

impl Filter {
    /// Takes two values and returns the sums over the first and over the second values of all pairs.
    fn push(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.history.rotate_left(1);
        if let Some(newest) = self.history.last_mut() {
            *newest = (first, second);
        }
        let backwards = COEFFICIENTS.iter().rev();
        let pairs = self.history.iter().zip(COEFFICIENTS.iter().zip(backwards));
        pairs.fold((0, 0), |(odd, even), ((first, second), (forth, back))| {
            (odd + first * forth, even + second * back)
        })
    }
}

/// The band from 0 to 4 kHz, six bits per value.
#[derive(Clone, Debug)]
struct LowBand {
    predictor: Predictor,
    /// Logarithm of the step, in 1/2048 of an octave.
    scale: i32,
    step: i32,
}

/// Where one interval of the quantiser ends and the next begins, in 1/4096 of the step (table 5).
const DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121,
    1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// What six bits stand for, in 1/32768 of the step.
const OUTPUTS_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232,
    -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776,
    -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280,
    11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168,
    2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432, 136, -432, -136,
];
/// What the upper four of them stand for: the predictor sees no more, so that the others could be lost.
const OUTPUTS_4: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584,
    1_200, 0,
];
/// How much the logarithm of the step grows after such four bits.
const GROWTH_4: [i32; 16] = [
    -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
];

impl Default for LowBand {
    fn default() -> Self {
        Self {
            predictor: Predictor::default(),
            scale: 0,
            step: 32,
        }
    }
}

impl LowBand {
    fn encode(&mut self, value: i32) -> u8 {
        let error = saturated(value - self.predictor.prediction);
        let magnitude = if error < 0 { !error } else { error };
        let interval = DECISIONS
            .iter()
            .take_while(|end| magnitude >= (*end * self.step) >> 12)
            .count() as u8
            + 1;
        let code = match interval {
            _ if error >= 0 => 62 - interval,
            1 | 2 => 64 - interval,
            _ => 34 - interval,
        };
        self.adapt(code);
        code
    }

    fn decode(&mut self, code: u8) -> i32 {
        let difference = share(entry(&OUTPUTS_6, code), self.step);
        let value = self.predictor.prediction + difference;
        self.adapt(code);
        value.clamp(-16_384, 16_383)
    }

    fn adapt(&mut self, code: u8) {
        let code = code >> 2;
        let difference = share(entry(&OUTPUTS_4, code), self.step);
        self.scale = (((self.scale * 127) >> 7) + entry(&GROWTH_4, code)).clamp(0, 18_432);
        self.step = step(self.scale, 8);
        self.predictor.update(difference);
    }
}

/// The band from 4 to 8 kHz, two bits per value.
#[derive(Clone, Debug)]
struct HighBand {
    predictor: Predictor,
    scale: i32,
    step: i32,
}

/// What two bits stand for.
const OUTPUTS_2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];
/// How much the logarithm of the step grows after them.
const GROWTH_2: [i32; 4] = [798, -214, 798, -214];

impl Default for HighBand {
    fn default() -> Self {
        Self {
            predictor: Predictor::default(),
            scale: 0,
            step: 8,
        }
    }
}

impl HighBand {
    fn encode(&mut self, value: i32) -> u8 {
        let error = saturated(value - self.predictor.prediction);
        let magnitude = if error < 0 { !error } else { error };
        let is_large = magnitude >= (564 * self.step) >> 12;
        let code = match (error < 0, is_large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        self.adapt(code);
        code
    }

    fn decode(&mut self, code: u8) -> i32 {
        let prediction = self.predictor.prediction;
        let difference = self.adapt(code);
        (prediction + difference).clamp(-16_384, 16_383)
    }

    fn adapt(&mut self, code: u8) -> i32 {
        let difference = share(entry(&OUTPUTS_2, code), self.step);
        self.scale = (((self.scale * 127) >> 7) + entry(&GROWTH_2, code)).clamp(0, 22_528);
        self.step = step(self.scale, 10);
        self.predictor.update(difference);
        difference
    }
}

/// Predicts a band's next value of two values and six differences before it (block 4 of both bands).
#[derive(Clone, Debug, Default)]
struct Predictor {
    prediction: i32,
    /// The part of it that comes from the differences.
    zeros: i32,
    /// Reconstructed values, the newest first.
    values: [i32; 2],
    /// Differences added to the part of the prediction that comes from the differences.
    partial: [i32; 2],
    differences: [i32; 6],
    /// What the last values and differences count in the prediction.
    poles: [i32; 2],
    weights: [i32; 6],
}

impl Predictor {
    fn update(&mut self, difference: i32) {
        let value = saturated(self.prediction + difference);
        let partial = saturated(self.zeros + difference);
        self.adapt_poles(partial);
        self.adapt_weights(difference);
        self.values = [value, self.values[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.rotate_right(1);
        self.differences[0] = difference;

        let weighted = |(value, weight): (&i32, &i32)| share(*weight, saturated(2 * value));
        let poles: i32 = self.values.iter().zip(&self.poles).map(weighted).sum();
        let zeros: i32 = self.differences.iter().zip(&self.weights).map(weighted).sum();
        self.zeros = saturated(zeros);
        self.prediction = saturated(saturated(poles) + self.zeros);
    }

    fn adapt_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let [same_as_last, same_as_before] = self.partial.map(|earlier| (earlier < 0) == (partial < 0));
        let turn = saturated(4 * first);
        let turn = if same_as_last { saturated(-turn) } else { turn };
        let push = if same_as_before { 128 } else { -128 };
        let second = (push + (turn >> 7) + share(second, 32_512)).clamp(-12_288, 12_288);
        let push = if same_as_last { 192 } else { -192 };
        // The filter stays stable.
        let limit = 15_360 - second;
        let first = (push + share(first, 32_640)).clamp(-limit, limit);
        self.poles = [first, second];
    }

    fn adapt_weights(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (weight, earlier) in self.weights.iter_mut().zip(self.differences) {
            let push = if (earlier < 0) == (difference < 0) {
                push
            } else {
                -push
            };
            *weight = saturated(push + share(*weight, 32_640));
        }
    }
}

/// The step of a scale: 2048 times two to the power of its fraction, in 32 parts of an octave, shifted by its octaves.
fn step(scale: i32, octaves: i32) -> i32 {
    const FRACTIONS: [i32; 32] = [
        2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714,
        2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676,
        3_756, 3_838, 3_922, 4_008,
    ];
    let fraction = entry(&FRACTIONS, ((scale >> 6) & 31) as u8);
    let shift = octaves - (scale >> 11);
    (if shift < 0 {
        fraction << -shift
    } else {
        fraction >> shift
    }) << 2
}

/// `value` times a factor in 1/32768.
fn share(value: i32, factor: i32) -> i32 {
    (value * factor) >> 15
}

fn entry(table: &[i32], code: u8) -> i32 {
    table.get(usize::from(code)).copied().unwrap_or_default()
}

fn saturated(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// An eighth of a second each of quiet and loud noise, silence, a full-scale square wave and ramps, the same for ever.
    fn signal() -> Vec<i16> {
        let mut random = 1_u32;
        let samples = (0..16_000_i32).map(|n| {
            random = next(random);
            let noise = ((random >> 12) & 0xffff) as i32 - 32_768;
            match n / 2_000 {
                0 => noise.div_euclid(64),
                1 => noise.div_euclid(4),
                2 => noise,
                3 => 0,
                4 => [-32_768, 32_767][(n / 40 % 2) as usize],
                5 => (n * 37 % 2_000 - 1_000) * 8,
                6 => (n * 611 % 2_000 - 1_000) * 16 + noise.div_euclid(128),
                _ => noise.div_euclid(1_024),
            }
        });
        samples.map(|sample| sample as i16).collect()
    }

    fn next(random: u32) -> u32 {
        random.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff
    }

    fn encoded(samples: &[i16]) -> Vec<u8> {
        let mut bytes = vec![0; samples.len() / 2];
        assert_eq!(Encoder::default().encode(samples, &mut bytes), bytes.len());
        bytes
    }

    fn decoded(bytes: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; 2 * bytes.len()];
        assert_eq!(Decoder::default().decode(bytes, &mut samples), samples.len());
        samples
    }

    /// FNV-1a.
    fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
        let start = 0xcbf2_9ce4_8422_2325_u64;
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        bytes.into_iter().fold(start, step)
    }

    fn digest_of(samples: &[i16]) -> u64 {
        digest(samples.iter().flat_map(|sample| sample.to_le_bytes()))
    }

    /// The digests are those of another implementation (Python's `G722` 1.2.8) for the same input.
    #[test]
    fn it_is_bit_exact_with_another_implementation() {
        let bytes = encoded(&signal());
        assert_eq!(bytes[..8], [0x7a, 0x9b, 0x30, 0x94, 0x22, 0x84, 0x8e, 0x18]);
        assert_eq!(digest(bytes.iter().copied()), 0xfd09_e08a_0a6e_67c6);
        assert_eq!(digest_of(&decoded(&bytes)), 0x54d3_209b_5140_7e11);
    }

    #[test]
    fn any_bytes_are_audio_and_the_same_as_elsewhere() {
        let mut random = 7;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            random = next(random);
            (random >> 16) as u8
        })
        .take(8_000)
        .collect();
        assert_eq!(digest_of(&decoded(&bytes)), 0xfb8e_c998_db32_6945);
    }

    #[test]
    fn it_plays_in_the_engine_with_its_clock_of_half_the_samples() {
        use crate::media::playout::Decoder as _;
        let decoder = Decoder::default();
        assert_eq!((decoder.clock_rate(), decoder.sample_rate()), (8_000, 16_000));
        assert_eq!(decoder.duration(&[0; 160]), Some(320), "20 ms");
    }

    #[test]
    fn speech_and_what_is_above_the_telephones_band_come_out_as_they_went_in() {
        for hertz in [200.0, 1_000.0, 3_000.0, 6_000.0_f64] {
            let turn = hertz * std::f64::consts::TAU / 16_000.0;
            let sine: Vec<i16> = (0..8_000)
                .map(|n| ((f64::from(n) * turn).sin() * 8_000.0) as i16)
                .collect();
            let output = decoded(&encoded(&sine));
            // Both filters together delay by 22 samples.
            let pairs = || sine[4_000..].iter().zip(&output[4_022..]);
            let energy: f64 = pairs().map(|(a, _)| f64::from(*a).powi(2)).sum();
            let noise: f64 = pairs()
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum();
            let decibels = 10.0 * (energy / noise).log10();
            assert!(
                decibels > if hertz < 4_000.0 { 25.0 } else { 8.0 },
                "{hertz} Hz: {decibels} dB"
            );
        }
    }

    #[test]
    fn silence_stays_silent_and_half_a_pair_waits_for_nobody() {
        assert!(
            decoded(&encoded(&[0; 3_200]))
                .iter()
                .all(|sample| sample.abs() <= 8)
        );
        assert_eq!(Encoder::default().encode(&[1; 3], &mut [0; 9]), 1);
        assert_eq!(Decoder::default().decode(&[1; 9], &mut [0; 3]), 2);
        assert_eq!(Decoder::default().decode(&[], &mut []), 0);
    }
}
