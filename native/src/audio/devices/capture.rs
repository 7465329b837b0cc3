//! From a microphone to the calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clearline_core::{Instant, MediaError};
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};

use super::CHUNK;
use super::drift::Drift;
use super::edge::{EdgeStatistics, Joint, LONGEST_WAIT, Margin, Pulse, Shared, at_device, samples};
use super::resampler::Resampler;

/// The longest period of a device that is waited for, as a fraction of a second.
const LONGEST_PERIOD: u32 = 25;

/// The device's end of the way from a microphone: filled by its callback.
pub struct CaptureIn {
    ring: ringbuf::HeapProd<f32>,
    shared: Arc<Shared>,
}

/// The calls' end of the way from a microphone.
pub struct CaptureOut {
    ring: ringbuf::HeapCons<f32>,
    shared: Arc<Shared>,
    rate: u32,
    resampler: Resampler,
    taken: Vec<f32>,
    drift: Drift,
    margin: Margin,
    /// The most that came at once lately, in samples.
    period: f64,
    state: State,
    /// Between what the device delivered before and after a gap.
    source: Joint,
    /// Between what was concealed and what follows.
    joint: Joint,
    previous: [f32; CHUNK],
    skipped: u64,
}

/// ```text
/// Waiting --enough is there--> Flowing --too little--> Waiting
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For the first samples, or for the reserve after a gap.
    Waiting,
    Flowing,
}

/// The two ends for a microphone at `rate` samples per second.
///
/// # Errors
/// When the rate is none that sound devices have.
pub fn capture(rate: u32) -> Result<(CaptureIn, CaptureOut), MediaError> {
    let resampler = Resampler::from_device(rate)?;
    let (ring, filled) = HeapRb::new((rate / 5) as usize).split();
    let shared = Arc::<Shared>::default();
    let out = CaptureOut {
        ring: filled,
        shared: Arc::clone(&shared),
        rate,
        taken: vec![0.0; resampler.most_needed()],
        resampler,
        drift: Drift::default(),
        margin: Margin::new(),
        period: 0.0,
        state: State::Waiting,
        source: Joint::default(),
        joint: Joint::default(),
        previous: [0.0; CHUNK],
        skipped: 0,
    };
    Ok((CaptureIn { ring, shared }, out))
}

impl CaptureIn {
    /// Takes what the device has captured, full scale being 1. `now` is that of [`Clock`](crate::clock::Clock). Never waits, never
    /// allocates.
    pub fn push(&mut self, now: Instant, samples: impl ExactSizeIterator<Item = f32>) {
        let count = samples.len();
        let pushed = self
            .ring
            .push_iter(samples.map(|sample| self.shared.tame(sample)));
        let overrun = count.saturating_sub(pushed) as u64;
        self.shared.overrun.fetch_add(overrun, Ordering::Relaxed);
        self.shared.called(now, count);
    }

    /// To be watched by whoever keeps the stream.
    pub fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.shared))
    }
}

impl CaptureOut {
    /// Fills `frame`, some chunks long, with what comes next; what is not there is concealed.
    pub(super) fn read(&mut self, now: Instant, frame: &mut [f32]) {
        let period = self.shared.period().min((self.rate / LONGEST_PERIOD) as usize) as f64;
        self.period = (self.period * 0.999).max(period);
        if self.state == State::Waiting {
            self.begin(now, at_device(frame.len(), self.rate));
        }
        for chunk in frame.chunks_exact_mut(CHUNK) {
            self.chunk(now, chunk);
        }
        if self.state == State::Flowing {
            self.regulate(now);
        }
    }

    pub(super) fn statistics(&self, now: Instant) -> EdgeStatistics {
        let waiting = (self.level(now) / f64::from(self.rate)).max(0.0);
        EdgeStatistics {
            skipped: self.skipped,
            drift_ppm: self.drift.parts_per_million(),
            waiting: std::time::Duration::from_secs_f64(waiting),
            ..self.shared.statistics()
        }
    }

    /// Samples that wait, counting those the device has but has not yet delivered.
    fn level(&self, now: Instant) -> f64 {
        let since = self
            .shared
            .called_at()
            .map_or(0.0, |at| samples(now.saturating_since(at), self.rate));
        self.ring.occupied_len() as f64 + since.min(self.period)
    }

    /// Samples that shall wait after each read: those of a callback that is just about to come, and the reserve.
    fn target(&self) -> f64 {
        self.period + samples(self.margin.span(), self.rate)
    }

    fn begin(&mut self, now: Instant, need: f64) {
        let surplus = self.level(now) - need - self.target();
        if surplus >= 0.0 && self.shared.called_at().is_some() {
            self.ring.skip(surplus as usize);
            self.state = State::Flowing;
            self.source.open();
            self.joint.open();
        }
    }

    fn chunk(&mut self, now: Instant, chunk: &mut [f32]) {
        let needed = self.resampler.needed();
        let taken = self.taken.get_mut(..needed).unwrap_or_default();
        if self.state == State::Flowing && self.ring.occupied_len() >= needed {
            self.ring.pop_slice(taken);
            self.source.close(taken);
            self.resampler.process(taken, chunk);
        } else {
            self.conceal(now, chunk);
        }
        self.joint.close(chunk);
        self.previous.copy_from_slice(chunk);
    }

    /// What was last, backwards and fading, so that it follows without a step; then silence.
    fn conceal(&mut self, now: Instant, chunk: &mut [f32]) {
        let backwards = self.previous.iter().rev().enumerate();
        for (sample, (index, previous)) in chunk.iter_mut().zip(backwards) {
            *sample = previous * (1.0 - index as f32 / CHUNK as f32);
        }
        if self.state == State::Flowing {
            self.state = State::Waiting;
            self.margin.grow(now);
        } else {
            chunk.fill(0.0);
            self.joint.open();
        }
        if self.shared.called_at().is_some() {
            self.shared.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn regulate(&mut self, now: Instant) {
        self.margin.hold(now);
        let surplus = self.level(now) - self.target();
        if surplus > samples(LONGEST_WAIT, self.rate) {
            self.skipped += self.ring.skip(surplus as usize) as u64;
            self.drift.surplus_is_gone();
            self.source.open();
            return;
        }
        let speed = self.drift.observe(now, surplus / f64::from(self.rate));
        self.resampler.set_speed(speed);
    }
}

impl std::fmt::Debug for CaptureIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureIn").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CaptureOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureOut").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::FRAME;
    use std::time::Duration;

    /// A microphone that hears a tone of 1 kHz, and a call that reads it.
    struct Scene {
        device: CaptureIn,
        call: CaptureOut,
        /// Of the device, with its drift.
        rate: f64,
        period: usize,
        captured: u64,
        read: u64,
        heard: Vec<f32>,
        early: u32,
    }

    impl Scene {
        fn new(rate: u32, drift: f64) -> Self {
            let (device, call) = capture(rate).unwrap();
            let (rate, period) = (f64::from(rate) * (1.0 + drift), (rate / 100) as usize);
            Self {
                device,
                call,
                rate,
                period,
                captured: 0,
                read: 0,
                heard: Vec::new(),
                early: 7,
            }
        }

        /// Runs until `end` in milliseconds; callbacks are up to 2 ms late, and do not come during `stall`.
        fn run(&mut self, end: u64, stall: std::ops::Range<u64>) {
            while self.read * 20 < end {
                let now = Instant::from_millis(1_000 + 20 * self.read);
                loop {
                    self.early = self.early.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let done = (self.captured + self.period as u64) as f64 / self.rate;
                    let late = f64::from(self.early >> 16) / 65_536.0 * 0.002;
                    let at = Instant::from_secs(1) + Duration::from_secs_f64(done + late);
                    if at > now {
                        break;
                    }
                    let (from, rate) = (self.captured, self.rate);
                    self.captured += self.period as u64;
                    let tone = (from..self.captured)
                        .map(|n| ((n as f64 / rate * 1e3 * std::f64::consts::TAU).sin() * 0.5) as f32);
                    let tone: Vec<f32> = tone.collect();
                    if !stall.contains(&(at.as_millis() - 1_000)) {
                        self.device.push(at, tone.into_iter());
                    }
                }
                let mut frame = [0.0; FRAME];
                self.call.read(now, &mut frame);
                self.heard.extend(frame);
                self.read += 1;
            }
        }

        fn statistics(&self) -> EdgeStatistics {
            self.call.statistics(Instant::from_millis(1_000 + 20 * self.read))
        }
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples
            .windows(2)
            .map(|pair| (pair[0] - pair[1]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn devices_of_any_rate_and_a_drift_either_way_are_heard_without_a_gap() {
        for (rate, drift) in [
            (48_000, 1e-4),
            (48_000, -1e-4),
            (44_100, 0.0),
            (16_000, 2e-4),
            (8_000, 0.0),
            (96_000, 0.0),
        ] {
            let mut scene = Scene::new(rate, drift);
            scene.run(10_000, 0..0);
            let found = scene.statistics();
            assert_eq!((found.overrun, found.skipped), (0, 0), "{rate}");
            assert!(found.missing <= 8, "only until the first samples: {found:?}");
            assert!(
                found.waiting > Duration::from_millis(10) && found.waiting < Duration::from_millis(25),
                "{found:?}"
            );
            // The steepest a tone of 1 kHz at half of full scale can be: 2 pi 1000 / 48000 / 2.
            assert!(steepest(&scene.heard[48_000..]) < 0.068, "{rate}: no click");
            let periods = scene.heard[48_000..]
                .windows(2)
                .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
                .count();
            assert!(periods.abs_diff(9_000) < 10, "{periods} at {rate}");
        }
    }

    #[test]
    fn a_stall_is_concealed_without_a_click_and_the_present_is_heard_after_it() {
        let mut scene = Scene::new(48_000, 0.0);
        scene.run(2_000, 0..0);
        let before = scene.statistics();
        scene.run(4_000, 2_100..2_400);
        let after = scene.statistics();
        let missing = after.missing - before.missing;
        assert!((28..=36).contains(&missing), "{missing} chunks");
        assert!(after.waiting < Duration::from_millis(30), "{after:?}");
        assert!(steepest(&scene.heard[48_000..]) < 0.1, "no click");
        let quiet = scene.heard[48 * 2_200..48 * 2_400]
            .iter()
            .all(|sample| *sample == 0.0);
        assert!(quiet, "the stall is silence, not the last chunk over and over");
    }

    #[test]
    fn a_burst_after_a_stall_is_left_out() {
        let mut scene = Scene::new(48_000, 0.0);
        scene.run(1_000, 0..0);
        let now = Instant::from_millis(1_000 + 1_000);
        for _ in 0..12 {
            scene.device.push(now, vec![0.1; 480].into_iter());
        }
        scene.run(1_500, 0..0);
        let found = scene.statistics();
        assert!(
            found.skipped > 3_000 && found.waiting < Duration::from_millis(30),
            "{found:?}"
        );
    }

    #[test]
    fn a_device_that_delivers_nonsense_is_silent() {
        let (mut device, mut call) = capture(48_000).unwrap();
        let mut frame = [0.0; FRAME];
        for tick in 1..100 {
            let now = Instant::from_millis(20 * tick);
            device.push(now, [f32::NAN, f32::INFINITY].repeat(480).into_iter());
            call.read(now, &mut frame);
            assert_eq!(frame, [0.0; FRAME]);
        }
        assert_eq!(call.statistics(Instant::from_secs(2)).invalid, 99 * 960);
    }

    #[test]
    fn what_nobody_reads_does_not_pile_up() {
        let (mut device, call) = capture(8_000).unwrap();
        for tick in 1..100 {
            device.push(Instant::from_millis(20 * tick), vec![0.0; 160].into_iter());
        }
        assert_eq!(call.statistics(Instant::from_secs(2)).overrun, 99 * 160 - 1_600);
    }
}
