//! G.711 (ITU-T G.711): one byte per sample at 8 kHz, for peers without Opus.

/// Samples of a 20 ms frame at 8 kHz.
pub(crate) const FRAME_8K: usize = 160;
/// Samples at 48 kHz per sample at 8 kHz.
const RATIO: usize = 6;

/// The two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    /// PCMU.
    Mu,
    /// PCMA.
    A,
}

impl Law {
    pub(crate) fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    pub(crate) fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => decode_mu(byte),
            Self::A => decode_a(byte),
        }
    }
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

/// Converts between 48 kHz and 8 kHz frame by frame with one low-pass filter (windowed sinc, 3.4 kHz).
#[derive(Clone, Debug)]
pub(crate) struct RateConverter {
    taps: [f32; TAPS],
    history: [f32; TAPS],
}

/// 3 ms at 48 kHz: 1.5 ms of delay.
const TAPS: usize = 144;

impl RateConverter {
    pub(crate) fn new() -> Self {
        let cutoff = 3_600.0 / 48_000.0;
        let middle = (TAPS - 1) as f32 / 2.0;
        let mut taps = [0.0; TAPS];
        for (index, tap) in taps.iter_mut().enumerate() {
            let x = index as f32 - middle;
            let sinc = (std::f32::consts::TAU * cutoff * x).sin() / (std::f32::consts::PI * x);
            let angle = std::f32::consts::TAU * index as f32 / (TAPS - 1) as f32;
            *tap = sinc * (0.42 - 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos());
        }
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self {
            taps,
            history: [0.0; TAPS],
        }
    }

    /// 48 kHz to 8 kHz: as many samples out as `output` holds, six times as many in.
    pub(crate) fn down(&mut self, input: &[i16], output: &mut [i16]) {
        for (chunk, sample) in input.chunks_exact(RATIO).zip(output) {
            chunk.iter().for_each(|&value| self.push(f32::from(value)));
            *sample = to_i16(self.filter());
        }
    }

    /// 8 kHz to 48 kHz: six samples out for each one in.
    pub(crate) fn up(&mut self, input: &[i16], output: &mut [i16]) {
        for (&value, chunk) in input.iter().zip(output.chunks_exact_mut(RATIO)) {
            for (index, sample) in chunk.iter_mut().enumerate() {
                self.push(if index == 0 {
                    f32::from(value) * RATIO as f32
                } else {
                    0.0
                });
                *sample = to_i16(self.filter());
            }
        }
    }

    fn push(&mut self, value: f32) {
        self.history.copy_within(1.., 0);
        self.history[TAPS - 1] = value;
    }

    fn filter(&self) -> f32 {
        self.taps
            .iter()
            .zip(&self.history)
            .map(|(tap, value)| tap * value)
            .sum()
    }
}

fn to_i16(value: f32) -> i16 {
    value.round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
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

    fn amplitude_after(frequency: f32) -> f32 {
        let (mut down, mut up) = (RateConverter::new(), RateConverter::new());
        let sine = |n: usize| (n as f32 * frequency * std::f32::consts::TAU / 48_000.0).sin() * 10_000.0;
        let input: Vec<i16> = (0..9_600).map(|n| sine(n) as i16).collect();
        let (mut narrow, mut output) = (vec![0; 1_600], vec![0; 9_600]);
        down.down(&input, &mut narrow);
        up.up(&narrow, &mut output);
        let tail = &output[4_800..];
        (tail.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / tail.len() as f32).sqrt() * 2_f32.sqrt()
    }

    #[test]
    fn speech_passes_and_what_8_khz_cannot_carry_does_not() {
        assert!(
            (amplitude_after(1_000.0) - 10_000.0).abs() < 300.0,
            "{}",
            amplitude_after(1_000.0)
        );
        assert!(amplitude_after(6_000.0) < 100.0, "{}", amplitude_after(6_000.0));
    }

    #[test]
    fn silence_stays_exactly_silent() {
        let mut narrow = [1; FRAME_8K];
        RateConverter::new().down(&[0; 960], &mut narrow);
        assert_eq!(narrow, [0; FRAME_8K]);
    }
}
