//! ITU-T G.711: one byte per sample at 8 kHz, by two companding laws.

use crate::media::playout::{self, Undecodable};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 8_000;

/// The two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMU.
    Mu,
    /// PCMA.
    A,
}

impl Law {
    /// The byte of a sample.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// The sample of a byte.
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => decode_mu(byte),
            Self::A => decode_a(byte),
        }
    }
}

/// A stream is decoded byte by byte; what is missing is for the engine to make up.
impl playout::Decoder for Law {
    fn clock_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn sample_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        Some(payload.len())
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        let pairs = payload.iter().zip(output);
        let decoded = pairs.map(|(byte, sample)| *sample = Self::decode(*self, *byte));
        Ok(decoded.count())
    }

    fn reset(&mut self) {}
}

/// Offset that makes the segments' boundaries powers of two.
const MU_BIAS: i32 = 0x84;
const MU_CLIP: i32 = 0x7fff - MU_BIAS;

fn encode_mu(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(MU_CLIP) + MU_BIAS;
    let segment = magnitude.ilog2() - 7;
    let mantissa = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | mantissa as u8)
}

fn decode_mu(byte: u8) -> i16 {
    let byte = !byte;
    let segment = u32::from(byte >> 4) & 7;
    let magnitude = (((i32::from(byte & 0x0f) << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

fn encode_a(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // One's complement keeps the two halves symmetrical without a -32768 that overflows.
    let magnitude = i32::from(if sample < 0 { !sample } else { sample }) >> 3;
    let code = if magnitude < 64 {
        magnitude >> 1
    } else {
        let segment = magnitude.ilog2() - 4;
        ((segment << 4) as i32) | ((magnitude >> segment) & 0x0f)
    };
    (sign | code as u8) ^ 0x55
}

fn decode_a(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let segment = u32::from(byte >> 4) & 7;
    let mantissa = i32::from(byte & 0x0f) << 4;
    let magnitude = if segment == 0 {
        mantissa + 8
    } else {
        (mantissa + 0x108) << (segment - 1)
    };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_code_survives_a_round_trip() {
        for law in [Law::Mu, Law::A] {
            for code in 0..=255 {
                let sample = law.decode(code);
                assert_eq!(law.decode(law.encode(sample)), sample, "{law:?} {code:#x}");
            }
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        assert_eq!((Law::Mu.encode(0), Law::A.encode(0)), (0xff, 0xd5));
        assert_eq!((Law::Mu.decode(0x00), Law::Mu.decode(0x80)), (-32_124, 32_124));
        assert_eq!((Law::A.decode(0xaa), Law::A.decode(0x2a)), (32_256, -32_256));
        assert_eq!((Law::Mu.decode(0xff), Law::A.decode(0xd5)), (0, 8));
    }

    #[test]
    fn the_error_is_a_small_part_of_the_sample() {
        for law in [Law::Mu, Law::A] {
            for sample in (i16::MIN..=i16::MAX).step_by(7) {
                let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
                assert!(
                    error <= 40 + i32::from(sample).abs() / 24,
                    "{law:?} {sample}: off by {error}"
                );
            }
        }
    }
}
