//! How loud audio is.

/// Root mean square and peak of 16-bit audio, collected frame by frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    sum_of_squares: f64,
    samples: u64,
    peak: u16,
}

impl Level {
    /// Full scale of a 16-bit sample.
    const FULL_SCALE: f64 = 32_768.0;

    /// The level of one frame.
    pub fn of(frame: &[i16]) -> Self {
        let mut level = Self::default();
        level.add(frame);
        level
    }

    /// Takes one more frame into account.
    pub fn add(&mut self, frame: &[i16]) {
        for &sample in frame {
            self.sum_of_squares += f64::from(sample) * f64::from(sample);
            self.peak = self.peak.max(sample.unsigned_abs());
        }
        self.samples += frame.len() as u64;
    }

    /// Root mean square in dB relative to full scale: 0 is the loudest possible square wave; silence is -infinity.
    pub fn rms_dbfs(&self) -> f64 {
        if self.samples == 0 {
            return f64::NEG_INFINITY;
        }
        10.0 * (self.sum_of_squares / self.samples as f64 / Self::FULL_SCALE.powi(2)).log10()
    }

    /// The largest magnitude seen, 0..=1.
    pub fn peak(&self) -> f64 {
        f64::from(self.peak) / Self::FULL_SCALE
    }

    /// Whether every sample was exactly zero.
    pub fn is_silent(&self) -> bool {
        self.peak == 0
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_square_wave_at_full_scale_is_zero_decibels() {
        let level = Level::of(&[-32_768, -32_768]);
        assert!(level.rms_dbfs().abs() < 1e-9);
        assert_eq!(level.peak(), 1.0);
    }

    #[test]
    fn halving_the_amplitude_costs_six_decibels() {
        let level = Level::of(&[16_384, -16_384]);
        assert!((level.rms_dbfs() + 6.02).abs() < 0.01);
    }

    #[test]
    fn silence_is_recognised_and_infinitely_quiet() {
        let level = Level::of(&[0; 960]);
        assert!(level.is_silent());
        assert_eq!(level.rms_dbfs(), f64::NEG_INFINITY);
        assert!(!Level::of(&[0, 1]).is_silent());
    }
}
