//! Between 48 kHz and the 8 or 16 kHz of narrower codecs: whole ratios, frame by frame, without an allocation once made.
//!
//! Both ways have the same filter, a windowed sinc that ends just below half of the narrow rate, and delay by 12 samples of
//! it. Where clocks drift apart another kind of resampler is needed.

use super::sine::sine;

/// Taps of the filter per sample of the narrow rate.
const WIDTH: usize = 24;
/// Where the filter is half open, as a part of the narrow rate: 3.6 of 8 kHz.
const CUTOFF: f32 = 0.45;

/// Makes one sample of several.
#[derive(Clone, Debug)]
pub struct Decimator {
    ratio: usize,
    taps: Box<[f32]>,
    /// The last samples, as many as taps.
    history: Box<[f32]>,
}

/// Makes several samples of one.
#[derive(Clone, Debug)]
pub struct Interpolator {
    ratio: usize,
    /// The taps that a sample meets at its place among the several, for one place after the other.
    taps: Box<[[f32; WIDTH]]>,
    /// The newest first.
    history: [f32; WIDTH],
}

impl Decimator {
    /// One sample of `ratio` of them: 6 or 3.
    pub fn new(ratio: usize) -> Self {
        let taps = filter(ratio).into_boxed_slice();
        let history = vec![0.0; taps.len()].into_boxed_slice();
        Self { ratio, taps, history }
    }

    /// As many samples as `output` holds, of `ratio` times as many in `input`.
    pub fn run(&mut self, input: &[i16], output: &mut [i16]) {
        for (several, sample) in input.chunks_exact(self.ratio).zip(output) {
            self.history.copy_within(self.ratio.., 0);
            let newest = self.history.iter_mut().rev().zip(several.iter().rev());
            newest.for_each(|(place, sample)| *place = f32::from(*sample));
            *sample = to_i16(dot(&self.taps, &self.history));
        }
    }
}

impl Interpolator {
    /// `ratio` samples of one: 6 or 3.
    pub fn new(ratio: usize) -> Self {
        let all = filter(ratio);
        let place = |place| {
            let mut taps = all.iter().skip(place).step_by(ratio);
            std::array::from_fn(|_| taps.next().copied().unwrap_or_default() * ratio as f32)
        };
        Self {
            ratio,
            taps: (0..ratio).map(place).collect(),
            history: [0.0; WIDTH],
        }
    }

    /// `ratio` samples in `output` for each one in `input`, as far as both last.
    pub fn run(&mut self, input: &[i16], output: &mut [i16]) {
        for (sample, several) in input.iter().zip(output.chunks_exact_mut(self.ratio)) {
            self.history.rotate_right(1);
            self.history[0] = f32::from(*sample);
            for (taps, sample) in self.taps.iter().zip(several) {
                *sample = to_i16(dot(taps, &self.history));
            }
        }
    }
}

/// Low-pass taps at the wide rate, which let a constant through as it is (Blackman's window).
fn filter(ratio: usize) -> Vec<f32> {
    let count = WIDTH * ratio;
    let middle = (count - 1) as f32 / 2.0;
    let tap = |index: usize| {
        let place = (index as f32 - middle) / ratio as f32;
        let part = index as f32 / (count - 1) as f32;
        let window = 0.42 - 0.5 * sine(part + 0.25) + 0.08 * sine(2.0 * part + 0.25);
        sine(CUTOFF * place) / place * window
    };
    let mut taps: Vec<f32> = (0..count).map(tap).collect();
    let sum: f32 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

fn dot(taps: &[f32], samples: &[f32]) -> f32 {
    taps.iter().zip(samples).map(|(tap, sample)| tap * sample).sum()
}

fn to_i16(value: f32) -> i16 {
    value.round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::media::Level;

    /// How much quieter a tone of `hertz` is after the way down and up, in dB.
    fn loss(ratio: usize, hertz: f64) -> f64 {
        let turn = hertz * std::f64::consts::TAU / 48_000.0;
        let input: Vec<i16> = (0..9_600)
            .map(|n| ((f64::from(n) * turn).sin() * 10_000.0) as i16)
            .collect();
        let (mut narrow, mut output) = (vec![0; 9_600 / ratio], vec![0; 9_600]);
        Decimator::new(ratio).run(&input, &mut narrow);
        Interpolator::new(ratio).run(&narrow, &mut output);
        Level::of(&input[4_800..]).rms_dbfs() - Level::of(&output[4_800..]).rms_dbfs()
    }

    #[test]
    fn speech_passes_and_what_the_narrow_rate_cannot_carry_does_not() {
        for (ratio, passing, stopped) in [(6, 3_000.0, 4_600.0), (3, 6_000.0, 9_200.0)] {
            for hertz in [300.0, 1_000.0, passing] {
                assert!(
                    loss(ratio, hertz).abs() < 0.5,
                    "{hertz} Hz by {ratio}: {}",
                    loss(ratio, hertz)
                );
            }
            assert!(
                loss(ratio, stopped) > 50.0,
                "{stopped} Hz by {ratio}: {}",
                loss(ratio, stopped)
            );
        }
    }

    #[test]
    fn silence_is_exact_and_nothing_overflows() {
        let mut narrow = [1; 160];
        Decimator::new(6).run(&[0; 960], &mut narrow);
        assert_eq!(narrow, [0; 160]);
        let square: Vec<i16> = (0..960)
            .map(|n| if n / 48 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        Decimator::new(6).run(&square, &mut narrow);
        assert!(narrow.iter().any(|sample| sample.unsigned_abs() > 32_000));
    }

    #[test]
    fn frames_of_any_length_join() {
        let input: Vec<i16> = (0..960).map(|n| (n * 7_919 % 20_000 - 10_000) as i16).collect();
        let (mut whole, mut pieces) = (vec![0; 5_760], vec![0; 5_760]);
        Interpolator::new(6).run(&input, &mut whole);
        let mut interpolator = Interpolator::new(6);
        for (input, output) in input.chunks(7).zip(pieces.chunks_mut(42)) {
            interpolator.run(input, output);
        }
        assert_eq!(whole, pieces);
    }
}
