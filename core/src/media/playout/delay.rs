//! How much delay a stream needs.
//!
//! Every delay has its price: delay itself, and the audio that has to be made up when packets come later than that. So for each
//! candidate the engine keeps how many milliseconds it would have had to make up with it:
//!
//! ```text
//!  made up |\                     price = delay + GENTLE * made up + STEEP * made up squared
//!  in time | \                    target = where the price is lowest
//!          |  \__    _ a packet 120 ms late adds (120 - delay) to every delay below 120
//!          |     \__________
//!          +--------------------> delay
//! ```
//! Lateness is measured against the fastest packets of the last seconds, so that clocks which drift apart and routes that
//! change move the baseline and not the shape. What is known fades out within half a minute.

use super::timeline::micros;
use crate::time::{Duration, Instant};

/// Candidates: every two milliseconds up to half a second.
const CANDIDATES: usize = 256;
const STEP: f32 = 2_000.0;
/// In milliseconds of delay per per cent of audio made up.
const GENTLE: f32 = 22.0;
/// In milliseconds of delay per (per cent)² of audio made up.
const STEEP: f32 = 20.0;
/// How long things are remembered, in microseconds.
const MEMORY: f32 = 25e6;
/// Microseconds of a call that are taken for granted at its beginning, and how much was made up without any delay in them.
const PRIOR: f32 = 2e6;
const PRIOR_LATE: f32 = 25_000.0;
/// How fast delay can be taken back, in microseconds per microsecond: packets that come late while it still is high cost nothing.
const RECOVERY: f32 = 0.4;
/// How long it is not even tried, in microseconds: what has come late once often does again at once.
const HOLD: f32 = 400_000.0;
/// How fast the target falls, in microseconds per microsecond, so that what happens every few seconds is prepared for.
const RELEASE: f32 = 0.004;
/// A packet this much later than anything before, in microseconds, is a spike: it counts from the second one on.
const SPIKE: f32 = 100_000.0;
/// Spikes further apart than this, in microseconds, have nothing to do with each other.
const SPIKES_APART: i64 = 15_000_000;
/// No target is lower, so that a packet does not have to come at the last moment.
const LEAST: f32 = 4_000.0;
/// A packet later than this part of the target may be the beginning of something.
const OVERDUE: f32 = 0.8;

/// The delay a stream needs, learned from when its packets came. All times are in microseconds.
#[derive(Clone, Debug)]
pub(super) struct DelayEstimate {
    baseline: Baseline,
    /// What would have been made up with each candidate, faded.
    made_up: Box<[f32; CANDIDATES]>,
    /// The time it was made up in, faded.
    time: f32,
    /// How late the stream is at the moment: the latest packet's lateness, taken back at the speed of recovery.
    level: f32,
    /// The same, taken back only after a while, and for how long it has not risen.
    held: f32,
    held_for: f32,
    spike: Option<Spike>,
    headroom: f32,
}

/// A spike of which nobody knows yet whether it was the only one.
#[derive(Clone, Copy, Debug)]
struct Spike {
    at: i64,
    from: f32,
    to: f32,
}

impl DelayEstimate {
    pub(super) fn new() -> Self {
        let mut made_up = Box::new([0.0; CANDIDATES]);
        let mut late = PRIOR_LATE;
        for candidate in made_up.iter_mut() {
            *candidate = late;
            // Halved every 10 ms.
            late *= 0.87;
        }
        let mut estimate = Self {
            baseline: Baseline::default(),
            made_up,
            time: PRIOR,
            level: 0.0,
            held: 0.0,
            held_for: 0.0,
            spike: None,
            headroom: LEAST,
        };
        estimate.choose();
        estimate
    }

    /// Another stream begins on the same way: its clock is another one.
    pub(super) fn restart(&mut self) {
        self.baseline = Baseline::default();
        self.level = 0.0;
        self.held = 0.0;
        self.spike = None;
    }

    /// A packet of audio, newer than all before, holding so much.
    pub(super) fn arrived(&mut self, now: Instant, transit: i64, duration: Duration) {
        self.baseline.learn(now, transit);
        let duration = duration.as_micros() as f32;
        self.fade(duration);
        self.recover(duration);
        let late = self.lateness(transit);
        if late > self.held {
            (self.held, self.held_for) = (late, 0.0);
        }
        if late > self.level {
            self.late(micros(now), self.level, late);
            self.level = late;
        }
        self.choose();
    }

    /// Audio that would have been lost unless the delay had been `transit`: it came after its successors, or only as a copy.
    pub(super) fn overtaken(&mut self, transit: i64, duration: Duration) {
        let late = self.lateness(transit);
        let lost = duration.as_micros() as f32;
        let candidates = (late / STEP).ceil() as usize;
        self.made_up
            .iter_mut()
            .take(candidates)
            .for_each(|made_up| *made_up += lost);
        self.choose();
    }

    /// How much later than the fastest packets audio should be played.
    pub(super) fn headroom(&self) -> i64 {
        self.headroom as i64
    }

    /// The transit to play at: the target, or what the last packets needed.
    pub(super) fn target(&self) -> i64 {
        let headroom = self.headroom.max(self.held);
        self.baseline.lowest.saturating_add(headroom as i64)
    }

    /// Whether a packet that would have this transit now is late enough to be worried about.
    pub(super) fn is_overdue(&self, transit: i64) -> bool {
        self.lateness(transit) > (self.headroom * OVERDUE).max(LEAST)
    }

    fn lateness(&self, transit: i64) -> f32 {
        (transit.saturating_sub(self.baseline.lowest) as f32).clamp(0.0, STEP * CANDIDATES as f32)
    }

    fn fade(&mut self, duration: f32) {
        let keep = 1.0 - (duration / MEMORY).min(0.1);
        self.made_up.iter_mut().for_each(|made_up| *made_up *= keep);
        self.time = self.time * keep + duration;
    }

    fn recover(&mut self, duration: f32) {
        let taken_back = duration * RECOVERY;
        self.level = (self.level - taken_back).max(0.0);
        self.held_for += duration;
        if self.held_for > HOLD {
            self.held = (self.held - taken_back).max(0.0);
        }
        self.headroom -= duration * RELEASE;
    }

    fn late(&mut self, now: i64, from: f32, to: f32) {
        if to - from.max(self.headroom) < SPIKE {
            return self.add(from, to);
        }
        let before = self.spike.replace(Spike { at: now, from, to });
        let Some(before) = before.filter(|before| now.saturating_sub(before.at) < SPIKES_APART) else {
            return;
        };
        self.spike = Some(Spike {
            at: now,
            from: 0.0,
            to: 0.0,
        });
        self.add(before.from, before.to);
        self.add(from, to);
    }

    /// The stream went from one lateness to a higher one.
    fn add(&mut self, from: f32, to: f32) {
        let mut delay = 0.0_f32;
        for made_up in self.made_up.iter_mut().take((to / STEP).ceil() as usize) {
            *made_up += to - delay.max(from);
            delay += STEP;
        }
    }

    fn choose(&mut self) {
        let per_cent = 100.0 / self.time;
        let (mut lowest, mut cheapest, mut delay) = (f32::INFINITY, 0.0, 0.0_f32);
        for &made_up in self.made_up.iter() {
            let loss = made_up * per_cent;
            let price = delay / 1_000.0 + GENTLE * loss + STEEP * loss * loss;
            if price < lowest {
                (lowest, cheapest) = (price, delay);
            }
            delay += STEP;
        }
        self.headroom = self.headroom.max(cheapest).max(LEAST);
    }
}

/// The lowest transit of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Baseline {
    /// When the current stretch of time began, and the lowest transit of each, the current one first.
    since: Option<Instant>,
    stretches: [Option<i64>; 10],
    lowest: i64,
}

/// Together with the number of stretches: the lowest of three seconds.
const STRETCH: Duration = Duration::from_millis(300);

impl Baseline {
    fn learn(&mut self, now: Instant, transit: i64) {
        let since = *self.since.get_or_insert(now);
        let passed = (now - since).as_micros() / STRETCH.as_micros();
        let passed = usize::try_from(passed)
            .unwrap_or(usize::MAX)
            .min(self.stretches.len());
        if passed > 0 {
            let kept = self.stretches.len() - passed;
            self.stretches.copy_within(..kept, passed);
            self.stretches
                .iter_mut()
                .take(passed)
                .for_each(|lowest| *lowest = None);
            self.since = Some(now);
        }
        if let Some(current) = self.stretches.first_mut() {
            *current = Some(current.map_or(transit, |lowest| lowest.min(transit)));
        }
        self.lowest = self.stretches.iter().flatten().copied().min().unwrap_or(transit);
    }
}
