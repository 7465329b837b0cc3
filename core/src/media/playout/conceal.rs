//! Makes up audio: the last period of the voice once more and ever quieter, and the background behind it.

use super::line::Line;
use super::similarity::{Search, power};
use super::stretch::Times;

/// Periods less alike than this are not a voice; a longer piece repeats less audibly then.
const VOICED: f32 = 0.6;
/// Background louder than this is somebody speaking, in power: -56 dB.
const LOUDEST_BACKGROUND: f32 = 2_700.0;

/// Repeats the end of a signal.
#[derive(Clone, Debug)]
pub(super) struct Repeater {
    template: Box<[i16]>,
    length: usize,
    at: usize,
    /// What is missing to the end of the signal at the seam, fading out.
    step: f32,
}

impl Repeater {
    pub(super) fn new(times: Times) -> Self {
        Self {
            template: vec![0; 2 * times.longest].into_boxed_slice(),
            length: 0,
            at: 0,
            step: 0.0,
        }
    }

    /// Takes the end of what has been played as the signal.
    pub(super) fn begin(&mut self, line: &Line, search: &mut Search, times: Times) {
        let past = line.last(2 * times.longest + times.window);
        let recent = past
            .get(past.len().saturating_sub(times.longest + times.window)..)
            .unwrap_or_default();
        let piece = recent.get(times.longest..).unwrap_or_default();
        let place = recent
            .get(..recent.len().saturating_sub(times.shortest))
            .unwrap_or_default();
        let found = search
            .find(piece, place, 0)
            .filter(|found| found.correlation > VOICED);
        self.length = found.map_or(2 * times.longest, |found| times.longest - found.offset);
        self.at = 0;
        let Some(begin) = past.len().checked_sub(self.length) else {
            self.length = 0;
            return;
        };
        for (sample, &source) in self.template.iter_mut().zip(&past[begin..]) {
            *sample = source;
        }
        self.seal(past, begin, times.shortest);
        let before = begin
            .checked_sub(1)
            .and_then(|before| past.get(before))
            .copied()
            .unwrap_or(0);
        self.step = f32::from(past.last().copied().unwrap_or(0)) - f32::from(before);
    }

    /// Lets the end of the template go over into what comes before its beginning, so that it can be repeated.
    fn seal(&mut self, past: &[i16], begin: usize, overlap: usize) {
        let overlap = overlap.min(self.length / 4).min(begin);
        let tail = self
            .template
            .get_mut(self.length - overlap..self.length)
            .unwrap_or_default();
        super::similarity::cross_fade(tail, &past[begin - overlap..begin]);
    }

    /// The next sample at full level.
    pub(super) fn sample(&mut self) -> f32 {
        let sample = self.template.get(self.at).copied().unwrap_or(0);
        self.at = if self.at + 1 < self.length { self.at + 1 } else { 0 };
        let step = self.step;
        self.step *= 0.95;
        f32::from(sample) + step
    }
}

/// The noise behind the voices.
#[derive(Clone, Debug)]
pub(super) struct Background {
    power: Option<f32>,
    random: u32,
    last: f32,
}

impl Background {
    pub(super) fn new() -> Self {
        Self {
            power: None,
            random: 1,
            last: 0.0,
        }
    }

    /// Learns from 10 ms as they were sent: follows the quietest, and slowly rises otherwise.
    pub(super) fn learn(&mut self, samples: &[i16]) {
        let power = power(samples).min(LOUDEST_BACKGROUND);
        let known = self.power.unwrap_or(power);
        self.power = Some(if power < known {
            known + (power - known) * 0.3
        } else {
            (known * 1.01 + 0.01).min(power)
        });
    }

    /// What the sender says it is, in dB below full scale (RFC 3389 section 3.1).
    pub(super) fn set_level(&mut self, below_full_scale: u8) {
        let level = 10_f32.powf(-f32::from(below_full_scale & 0x7f) / 10.0);
        self.power = Some((level * 32_768.0 * 32_768.0).min(LOUDEST_BACKGROUND));
    }

    /// Signals with less power than this may be changed without anybody noticing.
    pub(super) fn quiet(&self) -> f32 {
        4.0 * self.power.unwrap_or(0.0) + 100.0
    }

    /// The next sample: white noise, a little muffled.
    pub(super) fn sample(&mut self) -> f32 {
        // The step of a linear congruential generator (Numerical Recipes).
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let white = (self.random >> 16) as f32 / 32_768.0 - 1.0;
        self.last += (white - self.last) * 0.5;
        // Uniform white noise has a third of its square as power, and the filter lets a third of that through.
        self.last * 3.0 * self.power.unwrap_or(0.0).sqrt()
    }
}

/// How loud made-up audio is: falls in a straight line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fade {
    /// Milliseconds at full level.
    pub(super) full: f32,
    /// Milliseconds until silence.
    pub(super) silent: f32,
}

impl Fade {
    /// Our own repetition, which soon sounds like a machine.
    pub(super) const REPETITION: Self = Self {
        full: 10.0,
        silent: 100.0,
    };
    /// What a codec makes up, which fades by itself.
    pub(super) const CODEC: Self = Self {
        full: 120.0,
        silent: 250.0,
    };
    /// Background.
    pub(super) const BACKGROUND: Self = Self {
        full: 100.0,
        silent: 350.0,
    };

    /// The level after so many milliseconds.
    pub(super) fn gain(self, after: f32) -> f32 {
        ((self.silent - after) / (self.silent - self.full)).clamp(0.0, 1.0)
    }
}
