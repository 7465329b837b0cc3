//! What a party on hold hears: a small melody of our own, made note by note, so that there is no file to carry and
//! nobody's rights are in it.
//!
//! The browser plays the same score with its own oscillators (`web/packages/phone/src/media/hold_music.ts`): its media
//! live in the page, where this module is not.

use serde::{Deserialize, Serialize};

use super::sine::sine;

/// Who plays to a party that is on hold here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldMusic {
    /// Nobody: it hears silence.
    None,
    /// This side: [`Melody`].
    #[default]
    Generated,
    /// The platform, as soon as it sees `sendonly`; this side is silent.
    Platform,
}

/// Seconds between two steps of the score are this many parts of ten.
const STEP_TENTHS: u32 = 3;
/// A note's loudness at its beginning, of full scale, for each of the two parts.
const LOUDNESS: [f32; 2] = [0.11, 0.07];
/// Seconds in which a note falls to 1/e.
const FADE_SECONDS: f32 = 0.5;
/// Milliseconds in which it begins, so that it does not click.
const ATTACK_MS: u32 = 6;
/// Milliseconds in which the music ends.
const RELEASE_MS: u32 = 5;
/// A note below this is over.
const INAUDIBLE: f32 = 5e-5;
/// Notes that can sound at once: those struck until the first of them is over.
const VOICES: usize = 14;
/// How strongly the overtones sound beside the note itself.
const OVERTONES: [f32; 3] = [0.74, 0.19, 0.07];

/// Both parts, step by step: MIDI note numbers, 0 for a rest. All within the band of a telephone.
const SCORE: [[u8; 2]; 32] = [
    [72, 60],
    [0, 0],
    [79, 0],
    [76, 0],
    [77, 65],
    [0, 0],
    [76, 0],
    [74, 0],
    [72, 57],
    [0, 0],
    [69, 0],
    [72, 0],
    [74, 67],
    [0, 0],
    [67, 0],
    [0, 0],
    [72, 60],
    [0, 0],
    [79, 0],
    [76, 0],
    [81, 65],
    [0, 0],
    [79, 0],
    [77, 0],
    [76, 67],
    [0, 0],
    [74, 0],
    [71, 0],
    [72, 60],
    [0, 0],
    [0, 0],
    [0, 0],
];

/// Hertz of the octave that begins with MIDI note 60, equally tempered.
const OCTAVE: [f32; 12] = [
    261.625_57, 277.182_63, 293.664_77, 311.126_98, 329.627_56, 349.228_23, 369.994_42, 391.995_44,
    415.304_7, 440.0, 466.163_76, 493.883_3,
];

/// The melody, without end. Its sound depends on nothing but the rate, and nothing is allocated while it plays.
#[derive(Clone, Debug)]
pub struct Melody {
    rate: u32,
    voices: [Voice; VOICES],
    step: usize,
    /// Samples until the next step.
    until_step: u32,
}

/// One note that sounds.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    /// Of the note itself, in turns.
    phase: f32,
    turns_per_sample: f32,
    level: f32,
    age: u32,
}

impl Melody {
    /// The melody from its beginning, at `rate` samples a second (8,000 to 48,000).
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            voices: [Voice::default(); VOICES],
            step: 0,
            until_step: 0,
        }
    }

    /// Seconds until it begins anew.
    pub fn period_seconds() -> f32 {
        SCORE.len() as f32 * STEP_TENTHS as f32 / 10.0
    }

    /// The frequencies in Hz of all its notes, without overtones: what a detector has to look for.
    pub fn frequencies() -> impl Iterator<Item = f32> {
        SCORE
            .iter()
            .flatten()
            .filter(|note| **note != 0)
            .map(|note| frequency(*note))
    }

    /// Fills `frame` with the next samples, whatever its length.
    pub fn fill(&mut self, frame: &mut [i16]) {
        for sample in frame {
            *sample = self.next_sample();
        }
    }

    /// Adds the last moment of the music to the beginning of `frame`, so that its end does not click. The next time it
    /// begins from its beginning.
    pub fn release(&mut self, frame: &mut [i16]) {
        let length = self.samples(RELEASE_MS) as usize;
        for (at, sample) in frame.iter_mut().take(length).enumerate() {
            let gain = (length - at) as f32 / length as f32;
            let last = f32::from(self.next_sample()) * gain;
            *sample = sample.saturating_add(last as i16);
        }
        *self = Self::new(self.rate);
    }

    fn next_sample(&mut self) -> i16 {
        if self.until_step == 0 {
            self.strike();
            self.until_step = self.rate * STEP_TENTHS / 10;
        }
        self.until_step -= 1;
        let attack = self.samples(ATTACK_MS);
        let fade = 1.0 - 1.0 / (FADE_SECONDS * self.rate as f32);
        let sounding = self.voices.iter_mut().filter(|voice| voice.level > 0.0);
        let sum: f32 = sounding.map(|voice| voice.next_sample(attack, fade)).sum();
        (sum * 32_767.0) as i16
    }

    /// Strikes the notes of the next step.
    fn strike(&mut self) {
        let notes = SCORE.get(self.step).copied().unwrap_or_default();
        self.step = (self.step + 1) % SCORE.len();
        for (note, loudness) in notes.into_iter().zip(LOUDNESS).filter(|(note, _)| *note != 0) {
            let quietest = self.voices.iter_mut().min_by(|a, b| a.level.total_cmp(&b.level));
            if let Some(voice) = quietest {
                *voice = Voice {
                    phase: 0.0,
                    turns_per_sample: frequency(note) / self.rate as f32,
                    level: loudness,
                    age: 0,
                };
            }
        }
    }

    fn samples(&self, milliseconds: u32) -> u32 {
        self.rate * milliseconds / 1_000
    }
}

impl Voice {
    fn next_sample(&mut self, attack: u32, fade: f32) -> f32 {
        let overtones = OVERTONES.iter().zip([1.0, 2.0, 3.0]);
        let sound: f32 = overtones
            .map(|(share, times)| share * sine(self.phase * times))
            .sum();
        let rise = if self.age < attack {
            self.age as f32 / attack as f32
        } else {
            1.0
        };
        let sample = sound * self.level * rise;
        self.phase = (self.phase + self.turns_per_sample).fract();
        self.age = self.age.saturating_add(1);
        self.level *= fade;
        if self.level < INAUDIBLE {
            self.level = 0.0;
        }
        sample
    }
}

fn frequency(note: u8) -> f32 {
    let octaves = i32::from(note / 12) - 5;
    OCTAVE.get(usize::from(note % 12)).copied().unwrap_or_default() * 2_f32.powi(octaves)
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::media::Level;

    const RATES: [u32; 4] = [8_000, 16_000, 44_100, 48_000];
    /// Where a test looks at every sample.
    const SLOW: [u32; 2] = [8_000, 16_000];

    fn played(rate: u32, seconds: f32) -> Vec<i16> {
        let mut samples = vec![0; (rate as f32 * seconds) as usize];
        Melody::new(rate).fill(&mut samples);
        samples
    }

    /// The share of the energy of `samples` that is within a few hertz of `hertz` (Goertzel).
    fn share_at(samples: &[i16], rate: u32, hertz: f32) -> f64 {
        let turn = f64::from(hertz) / f64::from(rate) * std::f64::consts::TAU;
        let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            let sample = f64::from(*sample);
            real += sample * (turn * at as f64).cos();
            imaginary += sample * (turn * at as f64).sin();
            energy += sample * sample;
        }
        2.0 * (real * real + imaginary * imaginary) / (energy * samples.len() as f64)
    }

    #[test]
    fn it_is_quiet_and_never_silent() {
        for rate in RATES {
            let samples = played(rate, 4.0);
            let level = Level::of(&samples);
            assert!(
                (-34.0..-24.0).contains(&level.rms_dbfs()),
                "{} dB",
                level.rms_dbfs()
            );
            assert!(level.peak() < 0.35, "{}", level.peak());
            for second in samples.chunks(rate as usize) {
                assert!(Level::of(second).rms_dbfs() > -50.0);
            }
        }
    }

    #[test]
    fn every_note_of_the_score_sounds_in_its_step_at_every_rate() {
        for rate in SLOW {
            let samples = played(rate, Melody::period_seconds());
            let step = rate * STEP_TENTHS / 10;
            for (notes, sound) in SCORE.iter().zip(samples.chunks(step as usize)) {
                let [melody, _] = *notes;
                if melody != 0 {
                    let share = share_at(sound, rate, frequency(melody));
                    assert!(share > 0.25, "note {melody} at {rate}: {share}");
                    // A quarter tone off is another note.
                    assert!(share_at(sound, rate, frequency(melody) * 1.029) < share / 2.0);
                }
            }
        }
    }

    #[test]
    fn nothing_clicks_neither_at_a_note_nor_where_it_begins_anew() {
        for rate in SLOW {
            let samples = played(rate, 1.5 * Melody::period_seconds());
            // The steepest a sum of all that can sound at once may be: three notes with their overtones.
            let steepest = 880.0 / rate as f32 * std::f32::consts::TAU * 32_767.0 * 0.3 * 1.4;
            for (at, pair) in samples.windows(2).enumerate() {
                let change = f32::from(pair[1]) - f32::from(pair[0]);
                assert!(change.abs() < steepest, "{change} at sample {at} of {rate}");
            }
        }
    }

    #[test]
    fn it_goes_round() {
        let period = (8_000.0 * Melody::period_seconds()) as usize;
        let samples = played(8_000, 3.0 * Melody::period_seconds());
        // From the second time on, when the last notes ring into the first ones.
        let (second, third) = (&samples[period..2 * period], &samples[2 * period..3 * period]);
        let difference: Vec<i16> = second.iter().zip(third).map(|(a, b)| a - b).collect();
        assert!(Level::of(&difference).rms_dbfs() < Level::of(second).rms_dbfs() - 40.0);
    }

    #[test]
    fn the_length_of_the_frames_makes_no_difference() {
        let whole = played(48_000, 1.0);
        let mut melody = Melody::new(48_000);
        let mut pieces = vec![0; whole.len()];
        for piece in pieces.chunks_mut(479) {
            melody.fill(piece);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn its_end_fades_and_its_next_beginning_is_the_beginning() {
        let mut melody = Melody::new(48_000);
        let mut frame = [0; 960];
        for _ in 0..30 {
            melody.fill(&mut frame);
        }
        let mut last = [0; 960];
        melody.release(&mut last);
        assert!(!Level::of(&last[..240]).is_silent());
        assert!(Level::of(&last[240..]).is_silent());
        assert!(last[239].abs() < 20 && (last[0] - frame[959]).abs() < 1_000);
        let mut again = [0; 960];
        melody.fill(&mut again);
        assert_eq!(again[..], played(48_000, 0.02));
    }
}
