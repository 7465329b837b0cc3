//! How late what was heard is, found by listening: every half second of the recording is looked for in the reference.
//!
//! Engines count their delay each in another way; this measures all alike, also those of others. Zero is a packet that is played in
//! the moment it was sent, so the delay is that of the network and of the engine. Time that encoder, sound card and the gathering
//! of a packet take is not in it.

use std::iter;

use clearline_core::{Duration, Instant};

use crate::replay::Recording;
use crate::trace::{Trace, mean, percentile};
use crate::{FRAME, SAMPLE_RATE};

/// Samples that become one for the search: it is done at 2 kHz, where a voice is strongest.
const DECIMATION: usize = 24;
/// Length and distance of the windows, at that rate: 500 and 100 ms.
const WINDOW: usize = 1_000;
const HOP: usize = 200;
/// How late, and how early, a window is looked for: 800 and 20 ms.
const LATEST: usize = 1_600;
const EARLIEST: usize = 40;
/// Windows without speech say nothing, those that resemble nothing neither.
const LEAST_RMS: f32 = 60.0;
const LEAST_CORRELATION: f32 = 0.6;

/// A moment of the recording and how late it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// When the middle of the window was played.
    pub played: Instant,
    /// Between sending and playing, in ms.
    pub delay: f64,
}

/// The delay over a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delays(pub Vec<Sighting>);

impl Delays {
    /// Finds `recording` in `clean`, the decoded payloads of the packets of `trace`.
    pub fn measure(recording: &Recording, clean: &[i16], trace: &Trace) -> Self {
        let (heard, reference) = (decimated(&recording.samples), decimated(clean));
        let starts = (0..heard.len().saturating_sub(WINDOW)).step_by(HOP);
        let sighting = |start: usize| {
            let window = heard.get(start..start + WINDOW)?;
            let played = recording.played(start * DECIMATION);
            let nominal = sample_sent_at(trace, played)? / DECIMATION;
            let from = nominal.saturating_sub(LATEST);
            let at = from
                + best_match(
                    window,
                    reference.get(from..)?.get(..nominal + EARLIEST + WINDOW - from)?,
                )?;
            let delay = millis(played) - millis(sent(trace, at * DECIMATION)?);
            Some(Sighting {
                played: played + Duration::from_millis(250),
                delay,
            })
        };
        Self(starts.filter_map(sighting).collect())
    }

    /// The mean in ms.
    pub fn mean(&self) -> f64 {
        mean(&self.sorted())
    }

    /// The 95th percentile in ms.
    pub fn p95(&self) -> f64 {
        percentile(&self.sorted(), 95)
    }

    /// How long after `event` the delay is, and stays for a second, within 20 ms of what it was in the two seconds before; `None` if
    /// that is not seen. Zero: it was never longer, as far as half seconds show.
    pub fn back_after(&self, event: Instant) -> Option<Duration> {
        let of =
            |from: Instant, to: Instant| self.0.iter().filter(move |s| from <= s.played && s.played < to);
        let before: Vec<f64> = of(event.saturating_sub(Duration::from_secs(2)), event)
            .map(|s| s.delay)
            .collect();
        let limit = mean(&before) + 20.0;
        let mut later = of(event, Instant::from_micros(u64::MAX));
        let calm = |sighting: &&Sighting| {
            of(sighting.played, sighting.played + Duration::from_secs(1)).all(|s| s.delay <= limit)
        };
        // The windows that hold what was before the event are not late yet.
        if later.find(|sighting| sighting.delay > limit).is_none() {
            return Some(Duration::ZERO);
        }
        Some(later.find(calm)?.played - event)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut delays: Vec<f64> = self.0.iter().map(|sighting| sighting.delay).collect();
        delays.sort_by(f64::total_cmp);
        delays
    }
}

fn millis(moment: Instant) -> f64 {
    moment.as_micros() as f64 / 1e3
}

fn decimated(samples: &[i16]) -> Vec<f32> {
    let average =
        |chunk: &[i16]| chunk.iter().map(|&sample| f32::from(sample)).sum::<f32>() / chunk.len() as f32;
    samples.chunks_exact(DECIMATION).map(average).collect()
}

/// When sample `index` of the stream was sent, had it been sent on its own.
fn sent(trace: &Trace, index: usize) -> Option<Instant> {
    let packet = trace.packets.get(index / FRAME)?;
    Some(packet.sent + Duration::from_micros((index % FRAME) as u64 * 1_000_000 / u64::from(SAMPLE_RATE)))
}

/// The sample that was sent at this moment.
fn sample_sent_at(trace: &Trace, moment: Instant) -> Option<usize> {
    let packet = trace
        .packets
        .partition_point(|packet| packet.sent <= moment)
        .checked_sub(1)?;
    let since = moment - trace.packets.get(packet)?.sent;
    Some(packet * FRAME + since.as_micros() as usize * SAMPLE_RATE as usize / 1_000_000)
}

/// Where in `reference` something most like `window` begins.
fn best_match(window: &[f32], reference: &[f32]) -> Option<usize> {
    let energy = dot(window, window);
    if energy < LEAST_RMS * LEAST_RMS * window.len() as f32 {
        return None;
    }
    let energies = energies(reference, window.len());
    let (at, best) = reference
        .windows(window.len())
        .zip(energies)
        .map(|(candidate, other)| dot(window, candidate) / (energy * other.max(1.0)).sqrt())
        .enumerate()
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    (best >= LEAST_CORRELATION).then_some(at)
}

/// The energy of each window of `length` samples.
fn energies(samples: &[f32], length: usize) -> impl Iterator<Item = f32> {
    let square = |&sample: &f32| f64::from(sample) * f64::from(sample);
    let first: f64 = samples.iter().take(length).map(square).sum();
    let next = samples.iter().skip(length).map(square);
    let changes = next
        .zip(samples.iter().map(square))
        .scan(first, |energy, (comes, goes)| {
            *energy += comes - goes;
            Some(*energy)
        });
    iter::once(first).chain(changes).map(|energy| energy as f32)
}

/// Eight sums side by side: a processor adds them at once.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::speech::babble;

    /// A recording of the clean trace, each part as late as it says.
    fn recording(clean: &[i16], parts: &[(usize, usize)]) -> Recording {
        let mut samples = Vec::new();
        for &(millis, late) in parts {
            let from = (samples.len() + 48 * 2_000).saturating_sub(48 * late);
            samples.extend_from_slice(&clean[from..from + 48 * millis]);
        }
        Recording {
            samples,
            start: Instant::from_secs(2),
            ..Recording::default()
        }
    }

    #[test]
    fn a_known_delay_is_found() {
        let (clean, trace) = (babble(400), Kind::Clean.trace(1));
        for late in [0, 37, 350] {
            let delays = Delays::measure(&recording(&clean, &[(4_000, late)]), &clean, &trace);
            assert!(delays.0.len() > 25);
            assert!(
                (delays.mean() - late as f64).abs() < 1.0,
                "{late}: {}",
                delays.mean()
            );
            assert!(
                (delays.p95() - late as f64).abs() < 1.0,
                "{late}: {}",
                delays.p95()
            );
        }
    }

    #[test]
    fn a_delay_that_comes_and_goes_is_followed() {
        let (clean, trace) = (babble(400), Kind::Clean.trace(1));
        let parts = [(2_000, 30), (1_500, 250), (2_000, 40)];
        let delays = Delays::measure(&recording(&clean, &parts), &clean, &trace);
        let back = delays.back_after(Instant::from_secs(4)).unwrap();
        assert!((1_400..1_900).contains(&back.as_millis()), "{back:?}");
        assert!((240.0..260.0).contains(&delays.p95()), "{}", delays.p95());
    }

    #[test]
    fn silence_and_noise_are_not_found() {
        let (clean, trace) = (babble(400), Kind::Clean.trace(1));
        let mut state = 1_u32;
        let noise = (0..48 * 3_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 18) as i16 - 8_192
        });
        for samples in [vec![0; 48 * 3_000], noise.collect()] {
            let recording = Recording {
                samples,
                start: Instant::from_secs(2),
                ..Recording::default()
            };
            assert_eq!(Delays::measure(&recording, &clean, &trace), Delays::default());
        }
    }
}
