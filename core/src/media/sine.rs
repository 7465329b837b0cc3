//! Sines by arithmetic alone, so that they are the same on every machine.

use std::f32::consts::TAU;

/// The sine of so many turns, to 4 millionths.
pub(super) fn sine(turns: f32) -> f32 {
    let near = turns - turns.round();
    // A sine is symmetrical about its crest.
    let folded = if near.abs() > 0.25 {
        near.signum() * 0.5 - near
    } else {
        near
    };
    let x = folded * TAU;
    let square = x * x;
    // The series of Taylor up to the ninth power.
    x * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0))))
}

/// A sine that goes on from sample to sample. Its phase is a part of a turn in 32 bits, which turns over by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oscillator {
    phase: u32,
    step: u32,
}

impl Oscillator {
    pub(super) fn new(hertz: f32, rate: u32) -> Self {
        const TURN: f64 = 4_294_967_296.0;
        let step = (f64::from(hertz) / f64::from(rate) * TURN) as u32;
        Self { phase: 0, step }
    }

    /// -1..=1.
    pub(super) fn next_sample(&mut self) -> f32 {
        let sample = sine(self.phase as f32 / 4_294_967_296.0);
        self.phase = self.phase.wrapping_add(self.step);
        sample
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_sine_is_one() {
        for at in -2_000..2_000_i16 {
            let turns = f32::from(at) / 700.0;
            let exact = (f64::from(turns) * std::f64::consts::TAU).sin();
            assert!((f64::from(sine(turns)) - exact).abs() < 5e-6, "{turns}");
        }
    }

    #[test]
    fn an_oscillator_keeps_its_frequency_for_an_hour() {
        let mut oscillator = Oscillator::new(425.0, 8_000);
        let turned = u64::from(oscillator.step) * 8_000 * 3_600;
        let off = turned as f64 / 4_294_967_296.0 - 425.0 * 3_600.0;
        assert!(off.abs() < 0.01, "{off} turns");
        let samples: Vec<f32> = (0..320).map(|_| oscillator.next_sample()).collect();
        // 17 whole turns.
        assert!(samples.iter().sum::<f32>().abs() < 1e-3);
        assert!(samples[0].abs() < 1e-6 && samples.iter().any(|sample| *sample > 0.999));
    }
}
