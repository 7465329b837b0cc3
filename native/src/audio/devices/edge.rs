//! What both ways across the edge between a device and the calls have in common.
//!
//! The device's callback runs in a thread of the sound system that may neither wait nor allocate: it touches a lock-free
//! ring and a few atomics. Everything else (resampling, drift, gaps) happens on the side of the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use clearline_core::Instant;

use super::CHUNK;
use crate::audio::SAMPLE_RATE;

/// More waiting than this is a stall that is over: it is left out at once instead of being hurried through.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(60);
/// How long a jump between two pieces of sound is spread: 2.5 ms.
const JOINT: usize = CHUNK / 4;
/// The shortest and the longest reserve against callbacks and readers that are late.
const MARGIN: std::ops::RangeInclusive<Duration> = Duration::from_millis(4)..=Duration::from_millis(40);
/// By how much the reserve grows when it was too small.
const MARGIN_STEP: Duration = Duration::from_millis(4);
/// Time without a gap after which it is made smaller by a quarter of that.
const CALM: Duration = Duration::from_secs(10);

/// What has happened at one edge since the device was opened first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EdgeStatistics {
    /// Frames of 10 ms that were not there in time: concealed, then silent.
    pub missing: u64,
    /// Samples that came when there was no room, and were dropped.
    pub overrun: u64,
    /// Samples that were left out after a stall.
    pub skipped: u64,
    /// Samples that were no number, and became silence.
    pub invalid: u64,
    /// Samples beyond full scale, which were clipped.
    pub clipped: u64,
    /// How much faster the device's clock runs than that of the calls, in parts per million.
    pub drift_ppm: f64,
    /// Audio that waited at the edge when last looked at.
    pub waiting: Duration,
}

impl EdgeStatistics {
    /// Counts those of a device used before, too.
    pub(super) fn after(self, earlier: Self) -> Self {
        Self {
            missing: self.missing + earlier.missing,
            overrun: self.overrun + earlier.overrun,
            skipped: self.skipped + earlier.skipped,
            invalid: self.invalid + earlier.invalid,
            clipped: self.clipped + earlier.clipped,
            ..self
        }
    }
}

/// What callback and calls tell each other besides the samples.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// When the callback last ran, in microseconds; 0 if never.
    called_at: AtomicU64,
    /// Samples it moved then.
    period: AtomicUsize,
    /// The callback found too little.
    pub(super) dry: AtomicBool,
    pub(super) missing: AtomicU64,
    pub(super) overrun: AtomicU64,
    pub(super) invalid: AtomicU64,
    pub(super) clipped: AtomicU64,
}

impl Shared {
    pub(super) fn called(&self, now: Instant, samples: usize) {
        self.period.store(samples, Ordering::Relaxed);
        self.called_at.store(now.as_micros().max(1), Ordering::Release);
    }

    /// When the callback last ran, if it ever did.
    pub(super) fn called_at(&self) -> Option<Instant> {
        let at = self.called_at.load(Ordering::Acquire);
        (at > 0).then_some(Instant::from_micros(at))
    }

    pub(super) fn period(&self) -> usize {
        self.period.load(Ordering::Relaxed)
    }

    /// A sample as it may be passed on.
    pub(super) fn tame(&self, sample: f32) -> f32 {
        if !sample.is_finite() {
            self.invalid.fetch_add(1, Ordering::Relaxed);
            return 0.0;
        }
        if sample.abs() > 1.0 {
            self.clipped.fetch_add(1, Ordering::Relaxed);
        }
        sample.clamp(-1.0, 1.0)
    }

    pub(super) fn statistics(&self) -> EdgeStatistics {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EdgeStatistics {
            missing: count(&self.missing),
            overrun: count(&self.overrun),
            invalid: count(&self.invalid),
            clipped: count(&self.clipped),
            ..EdgeStatistics::default()
        }
    }
}

/// Tells whether the callbacks of an open stream still come.
#[derive(Clone, Debug)]
pub struct Pulse(pub(super) Arc<Shared>);

impl Pulse {
    /// When the callback last ran, if it ever did.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.called_at()
    }
}

/// How much more is kept waiting than would be needed if nobody were ever late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    span: Duration,
    changed: Option<Instant>,
}

impl Margin {
    pub(super) fn new() -> Self {
        let span = *MARGIN.start();
        Self { span, changed: None }
    }

    pub(super) fn span(self) -> Duration {
        self.span
    }

    /// It was too small.
    pub(super) fn grow(&mut self, now: Instant) {
        self.span = (self.span + MARGIN_STEP).min(*MARGIN.end());
        self.changed = Some(now);
    }

    /// It was not.
    pub(super) fn hold(&mut self, now: Instant) {
        let since = *self.changed.get_or_insert(now);
        if now.saturating_since(since) >= CALM {
            self.span = self.span.saturating_sub(MARGIN_STEP / 4).max(*MARGIN.start());
            self.changed = Some(now);
        }
    }
}

/// Joins pieces of sound that do not follow each other, without a click.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joint {
    last: f32,
    open: bool,
}

impl Joint {
    /// What comes next does not follow what was last.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// Passes on a piece.
    pub(super) fn close(&mut self, piece: &mut [f32]) {
        if std::mem::take(&mut self.open) {
            let jump = self.last - piece.first().copied().unwrap_or_default();
            for (index, sample) in piece.iter_mut().take(JOINT).enumerate() {
                let rest = 1.0 - index as f32 / JOINT as f32;
                *sample = (*sample + jump * rest).clamp(-1.0, 1.0);
            }
        }
        self.last = piece.last().copied().unwrap_or(self.last);
    }
}

/// Samples in `span` at `rate`.
pub(super) fn samples(span: Duration, rate: u32) -> f64 {
    span.as_secs_f64() * f64::from(rate)
}

/// Samples of a call's frame as a device at `rate` has them.
pub(super) fn at_device(frame: usize, rate: u32) -> f64 {
    frame as f64 * f64::from(rate) / f64::from(SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_becomes_silence_and_what_is_too_loud_is_clipped() {
        let shared = Shared::default();
        let wild = [f32::NAN, f32::INFINITY, -f32::INFINITY, 7.0, -1.5, 0.25];
        assert_eq!(
            wild.map(|sample| shared.tame(sample)),
            [0.0, 0.0, 0.0, 1.0, -1.0, 0.25]
        );
        let counted = shared.statistics();
        assert_eq!((counted.invalid, counted.clipped), (3, 2));
    }

    #[test]
    fn a_joint_has_no_step_and_a_closed_one_changes_nothing() {
        let mut joint = Joint::default();
        let mut first = [0.8; CHUNK];
        joint.close(&mut first);
        assert_eq!(first, [0.8; CHUNK]);
        joint.open();
        let mut second = [-0.8; CHUNK];
        joint.close(&mut second);
        assert!((second[0] - 0.8).abs() < 1e-6 && second[JOINT..] == [-0.8; CHUNK - JOINT]);
        assert!(second.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.02));
    }

    #[test]
    fn the_margin_grows_at_once_and_shrinks_slowly() {
        let mut margin = Margin::new();
        for second in 0..20 {
            margin.grow(Instant::from_secs(second));
        }
        assert_eq!(margin.span(), *MARGIN.end());
        for second in 20..2_000 {
            margin.hold(Instant::from_secs(second));
        }
        assert_eq!(margin.span(), *MARGIN.start());
    }
}
