//! Voices to send and ways to compare what arrived with them.

use std::sync::{Arc, Mutex};

use clearline_core::{CallId, MediaError};
use clearline_native::audio::{Audio, AudioProvider, AudioSink, FRAME, Sound};

/// Samples kept per second for comparison: waveforms are compared below 2 kHz, where codecs keep them.
const COMPARED_RATE: usize = 4_000;
const DECIMATION: usize = 48_000 / COMPARED_RATE;

/// Something like speech, different for every seed: syllables of a buzzing voice with gliding pitch.
pub(crate) fn voice(seed: u64, seconds: usize) -> Sound {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 40) as f64 / (1_u64 << 24) as f64
    };
    let mut samples = Vec::with_capacity(seconds * 48_000);
    let mut phase = 0.0_f64;
    while samples.len() < seconds * 48_000 {
        let (length, gap) = (4_000 + (next() * 8_000.0) as usize, (next() * 3_000.0) as usize);
        let (from, to) = (100.0 + next() * 150.0, 100.0 + next() * 150.0);
        let weights = [next(), next(), next(), next(), next()];
        for index in 0..length {
            let part = index as f64 / length as f64;
            phase += (from + (to - from) * part) / 48_000.0;
            let harmonics = weights.iter().zip(1..);
            let buzz: f64 = harmonics
                .map(|(weight, n)| weight * (phase * f64::from(n) * std::f64::consts::TAU).sin())
                .sum();
            samples.push((buzz * (part * std::f64::consts::PI).sin() * 5_000.0) as i16);
        }
        samples.extend(std::iter::repeat_n(0, gap));
    }
    samples.truncate(seconds * 48_000);
    Sound::from_samples(samples)
}

/// How much of `heard` is `sent`, 0 to 1: the median over half seconds of the best correlation at any delay up to `max_delay`
/// seconds.
pub(crate) fn similarity(sent: &[i16], heard: &[i16], max_delay: f64) -> f64 {
    let (sent, heard) = (decimate(sent), decimate(heard));
    let (window, delays) = (COMPARED_RATE / 2, (max_delay * COMPARED_RATE as f64) as usize);
    let mut scores: Vec<f64> = heard
        .chunks_exact(window)
        .enumerate()
        .map(|(index, chunk)| {
            let end = (index * window).min(sent.len());
            let start = end.saturating_sub(delays);
            (start..=end)
                .filter_map(|at| Some(correlation(chunk, sent.get(at..at + window)?)))
                .fold(0.0, f64::max)
        })
        .collect();
    scores.sort_by(f64::total_cmp);
    scores.get(scores.len() / 2).copied().unwrap_or(0.0)
}

fn decimate(samples: &[i16]) -> Vec<f64> {
    samples
        .chunks_exact(DECIMATION)
        .map(|chunk| chunk.iter().map(|&sample| f64::from(sample)).sum::<f64>() / DECIMATION as f64)
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let energy = (dot(a, a) * dot(b, b)).sqrt();
    if energy < 1.0 {
        0.0
    } else {
        (dot(a, b) / energy).abs()
    }
}

/// Speaks a [`Sound`] into each session and keeps what it hears.
#[derive(Clone)]
pub(crate) struct Person {
    speaks: Sound,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Person {
    pub(crate) fn speaking(sound: Sound) -> Self {
        Self {
            speaks: sound,
            heard: Arc::default(),
        }
    }

    /// Everything heard so far.
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.heard.lock().unwrap().clone()
    }

    /// What was said.
    pub(crate) fn said(&self) -> &[i16] {
        self.speaks.samples()
    }

    /// Waits until so many more seconds have been heard and returns them.
    pub(crate) async fn hear(&self, seconds: f64) -> Vec<i16> {
        let start = self.heard.lock().unwrap().len();
        let wanted = (seconds * 48_000.0) as usize / FRAME * FRAME;
        loop {
            {
                let heard = self.heard.lock().unwrap();
                if heard.len() >= start + wanted {
                    return heard[start..start + wanted].to_vec();
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl AudioProvider for Person {
    fn open(&self, _call: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(self.speaks.play()),
            sink: Box::new(Ear(Arc::clone(&self.heard))),
        })
    }
}

struct Ear(Arc<Mutex<Vec<i16>>>);

impl AudioSink for Ear {
    fn write(&mut self, frame: &[i16]) {
        self.0.lock().unwrap().extend_from_slice(frame);
    }
}
