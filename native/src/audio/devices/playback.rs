//! From the calls to a speaker.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use clearline_core::{Instant, MediaError};
use ringbuf::HeapRb;
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};

use super::CHUNK;
use super::drift::Drift;
use super::edge::{EdgeStatistics, Joint, LONGEST_WAIT, Margin, Pulse, Shared, samples};
use super::resampler::Resampler;

/// What is left of the last sample after each one that is missing, and of the step at the end of a gap, so that neither is a
/// click.
const FADE: f32 = 0.98;

/// The calls' end of the way to a speaker.
pub struct PlaybackIn {
    ring: ringbuf::HeapProd<f32>,
    shared: Arc<Shared>,
    rate: u32,
    resampler: Resampler,
    made: Vec<f32>,
    drift: Drift,
    margin: Margin,
    /// The device was left without samples, or has not had any.
    dry: bool,
    joint: Joint,
    skipped: u64,
}

/// The device's end of the way to a speaker: emptied by its callback.
pub struct PlaybackOut {
    ring: ringbuf::HeapCons<f32>,
    shared: Arc<Shared>,
    last: f32,
    /// What is left of the step after a gap.
    step: f32,
    is_dry: bool,
}

/// The two ends for a speaker at `rate` samples per second.
///
/// # Errors
/// When the rate is none that sound devices have.
pub fn playback(rate: u32) -> Result<(PlaybackIn, PlaybackOut), MediaError> {
    let resampler = Resampler::to_device(rate)?;
    let (ring, filled) = HeapRb::new((rate / 5) as usize).split();
    let shared = Arc::<Shared>::default();
    let out = PlaybackOut {
        ring: filled,
        shared: Arc::clone(&shared),
        last: 0.0,
        step: 0.0,
        is_dry: true,
    };
    let calls = PlaybackIn {
        ring,
        shared,
        rate,
        made: vec![0.0; resampler.most_made()],
        resampler,
        drift: Drift::default(),
        margin: Margin::new(),
        dry: true,
        joint: Joint::default(),
        skipped: 0,
    };
    Ok((calls, out))
}

impl PlaybackOut {
    /// Gives the device its next `count` samples, one after the other, at most full scale (1). `now` is that of [`Clock`](crate::clock::Clock). Never
    /// waits, never allocates.
    pub fn pull(&mut self, now: Instant, count: usize, mut put: impl FnMut(f32)) {
        let mut was_dry = false;
        for _ in 0..count {
            let sample = self.ring.try_pop();
            was_dry |= sample.is_none();
            self.last = self.join(sample);
            put(self.last.clamp(-1.0, 1.0));
        }
        if was_dry {
            self.shared.dry.store(true, Ordering::Relaxed);
        }
        self.shared.called(now, count);
    }

    fn join(&mut self, sample: Option<f32>) -> f32 {
        let was_dry = std::mem::replace(&mut self.is_dry, sample.is_none());
        match sample {
            Some(sample) if was_dry => {
                self.step = self.last - sample;
                self.last
            }
            Some(sample) => {
                self.step *= FADE;
                sample + self.step
            }
            None => self.last * FADE,
        }
    }

    /// To be watched by whoever keeps the stream.
    pub fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.shared))
    }
}

impl PlaybackIn {
    /// Takes what is to be played next, some chunks long.
    pub(super) fn write(&mut self, now: Instant, frame: &[f32]) {
        if self.shared.dry.swap(false, Ordering::Relaxed) && !self.dry {
            self.dry = true;
            self.margin.grow(now);
            let chunks = frame.len().div_ceil(CHUNK) as u64;
            self.shared.missing.fetch_add(chunks, Ordering::Relaxed);
        }
        if std::mem::take(&mut self.dry) {
            self.fill_up(now);
        } else if !self.regulate(now) {
            self.skipped += frame.len() as u64;
            return;
        }
        for chunk in frame.chunks_exact(CHUNK) {
            self.chunk(chunk);
        }
    }

    pub(super) fn statistics(&self, now: Instant) -> EdgeStatistics {
        let waiting = (self.level(now) / f64::from(self.rate)).max(0.0);
        EdgeStatistics {
            skipped: self.skipped,
            drift_ppm: -self.drift.parts_per_million(),
            waiting: std::time::Duration::from_secs_f64(waiting),
            ..self.shared.statistics()
        }
    }

    fn chunk(&mut self, chunk: &[f32]) {
        let mut tamed = [0.0; CHUNK];
        for (tame, sample) in tamed.iter_mut().zip(chunk) {
            *tame = self.shared.tame(*sample);
        }
        self.joint.close(&mut tamed);
        let made = self.resampler.process(&tamed, &mut self.made);
        let made = self.made.get(..made).unwrap_or_default();
        let overrun = made.len() - self.ring.push_slice(made);
        self.shared.overrun.fetch_add(overrun as u64, Ordering::Relaxed);
    }

    /// Samples that wait, without those the device needs for what it plays at this moment.
    fn level(&self, now: Instant) -> f64 {
        let since = self.since_callback(now);
        self.ring.occupied_len() as f64 - since
    }

    /// Samples played since the last callback. Before the first one it is taken to be far off.
    fn since_callback(&self, now: Instant) -> f64 {
        let most = self.shared.period() as f64;
        let since = self
            .shared
            .called_at()
            .map_or(0.0, |at| samples(now.saturating_since(at), self.rate));
        since.min(most)
    }

    /// Silence before the first samples, so that the reserve is there from the start.
    fn fill_up(&mut self, now: Instant) {
        let short = samples(self.margin.span(), self.rate) - self.level(now);
        let silence = std::iter::repeat_n(0.0, short.max(0.0) as usize);
        self.ring.push_iter(silence);
        // What was in the filter is long past.
        self.resampler.forget();
        self.joint = Joint::default();
        self.joint.open();
    }

    /// Whether there is room for more.
    fn regulate(&mut self, now: Instant) -> bool {
        self.margin.hold(now);
        let surplus = self.level(now) - samples(self.margin.span(), self.rate);
        if surplus > samples(LONGEST_WAIT, self.rate) {
            self.drift.surplus_is_gone();
            self.joint.open();
            return false;
        }
        let speed = self.drift.observe(now, surplus / f64::from(self.rate));
        self.resampler.set_speed(speed);
        true
    }
}

impl std::fmt::Debug for PlaybackIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaybackIn").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for PlaybackOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaybackOut").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::FRAME;
    use std::time::Duration;

    /// A call that plays a tone of 1 kHz every 20 ms, and a speaker.
    struct Scene {
        call: PlaybackIn,
        device: PlaybackOut,
        rate: f64,
        period: usize,
        played: u64,
        written: u64,
        heard: Vec<f32>,
    }

    impl Scene {
        fn new(rate: u32, drift: f64) -> Self {
            let (call, device) = playback(rate).unwrap();
            let (rate, period) = (f64::from(rate) * (1.0 + drift), (rate / 100) as usize);
            Self {
                call,
                device,
                rate,
                period,
                played: 0,
                written: 0,
                heard: Vec::new(),
            }
        }

        /// Runs until `end` in milliseconds; nothing is written during `stall`.
        fn run(&mut self, end: u64, stall: std::ops::Range<u64>) {
            while self.written * 20 < end {
                let now = Instant::from_micros(1_003_000 + 20_000 * self.written);
                loop {
                    let at = Instant::from_secs(1) + Duration::from_secs_f64(self.played as f64 / self.rate);
                    if at > now {
                        break;
                    }
                    self.played += self.period as u64;
                    let heard = &mut self.heard;
                    self.device.pull(at, self.period, |sample| heard.push(sample));
                }
                let first = self.written * FRAME as u64;
                let tone = (first..first + FRAME as u64)
                    .map(|n| ((n as f64 / 48.0 * std::f64::consts::TAU).sin() * 0.5) as f32);
                let tone: Vec<f32> = tone.collect();
                if !stall.contains(&(self.written * 20)) {
                    self.call.write(now, &tone);
                }
                self.written += 1;
            }
        }

        fn statistics(&self) -> EdgeStatistics {
            self.call
                .statistics(Instant::from_micros(1_003_000 + 20_000 * self.written))
        }
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples
            .windows(2)
            .map(|pair| (pair[0] - pair[1]).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn devices_of_any_rate_and_a_drift_either_way_never_run_dry() {
        for (rate, drift) in [
            (48_000, 1e-4),
            (48_000, -1e-4),
            (44_100, 0.0),
            (16_000, 2e-4),
            (8_000, 0.0),
        ] {
            let mut scene = Scene::new(rate, drift);
            scene.run(10_000, 0..0);
            let found = scene.statistics();
            assert_eq!(
                (found.overrun, found.skipped, found.missing),
                (0, 0, 0),
                "{rate} {drift}: {found:?}"
            );
            assert!(found.waiting < Duration::from_millis(30), "{found:?}");
            let rate = rate as usize;
            let steepest = steepest(&scene.heard[rate..]);
            let steep = std::f32::consts::TAU * 1_000.0 / rate as f32 * 0.5;
            assert!(steepest < steep * 1.05, "{rate}: {steepest}, no click");
            let periods = scene.heard[rate..]
                .windows(2)
                .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
                .count();
            assert!(periods.abs_diff(9_000) < 30, "{periods} at {rate}");
        }
    }

    #[test]
    fn a_call_that_stalls_leaves_silence_without_a_click_and_no_delay_behind() {
        let mut scene = Scene::new(48_000, 0.0);
        scene.run(2_000, 0..0);
        scene.run(4_000, 2_100..2_400);
        let found = scene.statistics();
        assert!(
            found.missing > 0 && found.waiting < Duration::from_millis(40),
            "{found:?}"
        );
        assert!(steepest(&scene.heard[48_000..]) < 0.1, "no click");
        assert!(
            scene.heard[48 * 2_300..48 * 2_390]
                .iter()
                .all(|sample| sample.abs() < 1e-3)
        );
    }

    #[test]
    fn a_device_that_stalls_is_not_given_the_past() {
        let mut scene = Scene::new(48_000, 0.0);
        scene.run(1_000, 0..0);
        scene.played += 48 * 500;
        scene.run(3_000, 0..0);
        let found = scene.statistics();
        assert!(
            found.skipped > 0 && found.waiting < Duration::from_millis(90),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_beyond_full_scale_is_clipped_and_what_is_no_number_is_silent() {
        let (mut call, mut device) = playback(48_000).unwrap();
        let mut worst: f32 = 0.0;
        for tick in 0..50 {
            let now = Instant::from_millis(1 + 20 * tick);
            device.pull(now, FRAME, |sample| {
                assert!(sample.is_finite());
                worst = worst.max(sample.abs());
            });
            call.write(now, &[9.0, f32::NAN, -9.0].repeat(FRAME / 3));
        }
        let found = call.statistics(Instant::from_secs(1));
        assert_eq!((found.invalid, found.clipped), (50 * 320, 50 * 640));
        assert!(worst <= 1.0, "a filter may overshoot: {worst}");
    }
}
