//! Two clocks that are never quite the same: how much faster or slower samples are to be taken.

use clearline_core::Instant;

/// What a single observation counts for, as a time constant in seconds: callbacks come early and late.
const SMOOTHING: f64 = 1.0;
/// How long a surplus takes to go, in seconds. Slow, so that nobody hears it; fast enough for any crystal.
const SETTLING: f64 = 20.0;
/// The largest correction: five hundredths of a semitone, less than an ear can tell.
const LARGEST: f64 = 0.003;
/// The largest drift that is believed to be one. Sound hardware is good to 100 parts in a million.
const LARGEST_DRIFT: f64 = 0.001;
/// Seconds after which an observation stands for itself alone: there was a gap.
const LONGEST_STEP: f64 = 0.1;

/// Keeps the waiting samples between two clocks at their target by taking them slightly faster or slower.
///
/// A critically damped controller: one part follows the surplus, the other one learns the drift, so that in the end the
/// surplus is zero and the drift is all that is corrected.
#[derive(Clone, Debug, Default)]
pub(super) struct Drift {
    /// Smoothed, in seconds.
    surplus: f64,
    learnt: f64,
    observed: Option<Instant>,
}

impl Drift {
    /// `surplus` is by how many seconds more wait than should; negative if fewer. Returns the speed at which samples are to
    /// be taken, 1 if both clocks agree.
    pub(super) fn observe(&mut self, now: Instant, surplus: f64) -> f64 {
        let step = self.observed.replace(now).map_or(0.0, |then| {
            now.saturating_since(then).as_secs_f64().min(LONGEST_STEP)
        });
        self.surplus += (surplus - self.surplus) * step / (SMOOTHING + step);
        self.learnt += self.surplus * step / (SETTLING * SETTLING);
        self.learnt = self.learnt.clamp(-LARGEST_DRIFT, LARGEST_DRIFT);
        1.0 + (2.0 / SETTLING * self.surplus + self.learnt).clamp(-LARGEST, LARGEST)
    }

    /// The surplus has been taken away at a stroke; the drift is what it was.
    pub(super) fn surplus_is_gone(&mut self) {
        self.surplus = 0.0;
    }

    /// How much faster the producer's clock runs, as far as is known, in parts per million.
    pub(super) fn parts_per_million(&self) -> f64 {
        self.learnt * 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes at 50 observations a second of a producer that runs `drift` fast, whose callbacks are up to 3 ms off.
    fn ten_minutes(drift: f64) -> Vec<(f64, f64)> {
        let (mut controller, mut surplus, mut speed) = (Drift::default(), 0.0, 1.0);
        let mut random = 1_u32;
        (0..30_000_u64)
            .map(|number| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let early = (f64::from(random >> 16) / 65_536.0 - 0.5) * 0.006;
                surplus += 0.020 * ((1.0 + drift) - speed);
                speed = controller.observe(Instant::from_millis(20 * number), surplus + early);
                (surplus, speed)
            })
            .collect()
    }

    #[test]
    fn a_drift_of_100_ppm_either_way_is_learnt_and_never_moves_the_level_by_more_than_two_milliseconds() {
        for drift in [1e-4, -1e-4] {
            let history = ten_minutes(drift);
            let worst = history
                .iter()
                .map(|(surplus, _)| surplus.abs())
                .fold(0.0, f64::max);
            assert!(worst < 0.002, "{worst} s");
            for (surplus, speed) in &history[10_000..] {
                assert!(surplus.abs() < 0.0005, "{surplus} s after minutes");
                assert!((speed - 1.0 - drift).abs() < 1e-4, "{speed}");
            }
        }
    }

    #[test]
    fn no_step_can_be_heard() {
        let mut history = ten_minutes(5e-4);
        let mut controller = Drift::default();
        // A device that is 40 ms too far ahead all of a sudden.
        history.extend((0..500).map(|n| (0.04, controller.observe(Instant::from_millis(20 * n), 0.04))));
        for pair in history.windows(2).filter(|pair| pair[1].1 != 1.0) {
            let step = (pair[1].1 - pair[0].1).abs();
            // A thousandth of a semitone is 58 ppm.
            assert!(step < 1e-4 && (pair[1].1 - 1.0).abs() <= LARGEST, "{step}");
        }
    }

    #[test]
    fn a_gap_teaches_nothing() {
        let mut controller = Drift::default();
        controller.observe(Instant::ZERO, 0.0);
        let speed = controller.observe(Instant::from_secs(3_600), 0.05);
        assert!((speed - 1.0).abs() < 0.001 && controller.parts_per_million() < 20.0);
    }
}
