//! Tones that tell a user what becomes of a call, made sample by sample at any rate: no files, no allocation, no clicks.
//!
//! [`TonePlan`] knows what countries use, [`RingTone`] has melodies, [`dtmf`] the tones of keys. Each is a [`Pattern`], which a
//! [`Tone`] plays.

mod dtmf;
mod plan;
mod ring;

pub use dtmf::dtmf;
pub use plan::{Cadence, TonePlan};
pub use ring::RingTone;

use super::sine::Oscillator;

/// Milliseconds in which a note begins and ends: a hard edge clicks.
const RAMP_MS: u32 = 6;
/// A struck note has fallen to `e` to the minus this at its end.
const BELL_FALL: f32 = 3.2;

/// A sound as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pattern {
    notes: Notes,
    shape: Shape,
    repeats: bool,
}

/// What a pattern consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Notes {
    /// The same frequencies on and off.
    Cadence(Cadence),
    Several(&'static [Note]),
    One(Note),
}

/// Up to two frequencies for a time; none is silence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Note {
    partials: [Partial; 2],
    milliseconds: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Partial {
    hertz: f32,
    /// Peak amplitude, of full scale.
    level: f32,
}

/// How loud a note is in its course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// It stands.
    Steady,
    /// It is struck and dies away.
    Bell,
}

impl Note {
    /// Two frequencies, each of half the level; 0 Hz for none.
    const fn new(milliseconds: u32, level: f32, hertz: [f32; 2]) -> Self {
        let [first, second] = hertz;
        let each = if second > 0.0 { level / 2.0 } else { level };
        let partials = [
            Partial {
                hertz: first,
                level: if first > 0.0 { each } else { 0.0 },
            },
            Partial {
                hertz: second,
                level: if second > 0.0 { each } else { 0.0 },
            },
        ];
        Self {
            partials,
            milliseconds,
        }
    }

    fn is_silent(&self) -> bool {
        self.partials.iter().all(|partial| partial.level == 0.0)
    }
}

impl Pattern {
    fn note(&self, index: usize) -> Option<Note> {
        match self.notes {
            Notes::Cadence(cadence) => cadence.note(index),
            Notes::Several(notes) => notes.get(index).copied(),
            Notes::One(note) => (index == 0).then_some(note),
        }
    }
}

/// Plays a [`Pattern`]. The sound depends on nothing but pattern and rate.
#[derive(Clone, Debug)]
pub struct Tone {
    pattern: Pattern,
    rate: u32,
    /// The next note.
    next: usize,
    voice: Voice,
}

/// The note that sounds.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    note: Note,
    oscillators: [Oscillator; 2],
    length: u32,
    at: u32,
    /// Of a bell.
    level: f32,
}

impl Tone {
    /// The tone from its beginning, at `rate` samples a second (8,000 to 48,000).
    pub fn new(pattern: Pattern, rate: u32) -> Self {
        Self {
            pattern,
            rate,
            next: 0,
            voice: Voice::default(),
        }
    }

    /// Fills `frame`, whatever its length, with the next samples; with silence after the end.
    pub fn fill(&mut self, frame: &mut [i16]) {
        for sample in frame {
            *sample = self.next_sample();
        }
    }

    /// Ends it: a few milliseconds that fade are added to `frame`, of 6 ms at least.
    pub fn release(mut self, frame: &mut [i16]) {
        let length = self.samples(RAMP_MS);
        for (sample, at) in frame.iter_mut().zip(0..length) {
            let gain = (length - at) as f32 / length as f32;
            let last = f32::from(self.next_sample()) * gain;
            *sample = sample.saturating_add(last as i16);
        }
    }

    /// Whether nothing more will sound.
    pub fn is_over(&self) -> bool {
        self.voice.at == self.voice.length && !self.pattern.repeats && self.pattern.note(self.next).is_none()
    }

    fn next_sample(&mut self) -> i16 {
        if self.voice.at == self.voice.length {
            self.strike();
        }
        if self.voice.at == self.voice.length {
            return 0;
        }
        self.voice.next_sample(self.samples(RAMP_MS), self.pattern.shape)
    }

    fn strike(&mut self) {
        let Some(note) = self.pattern.note(self.next) else {
            return;
        };
        self.next += 1;
        if self.pattern.repeats && self.pattern.note(self.next).is_none() {
            self.next = 0;
        }
        self.voice = Voice {
            note,
            oscillators: note
                .partials
                .map(|partial| Oscillator::new(partial.hertz, self.rate)),
            length: self.samples(note.milliseconds),
            at: 0,
            level: 1.0,
        };
    }

    fn samples(&self, milliseconds: u32) -> u32 {
        self.rate * milliseconds / 1_000
    }
}

impl Voice {
    fn next_sample(&mut self, ramp: u32, shape: Shape) -> i16 {
        let from_edge = self.at.min(self.length - self.at);
        self.at += 1;
        if self.note.is_silent() {
            return 0;
        }
        let edge = if from_edge < ramp {
            from_edge as f32 / ramp as f32
        } else {
            1.0
        };
        let partials = self.note.partials.iter().zip(&mut self.oscillators);
        let sum: f32 = partials
            .map(|(partial, it)| partial.level * it.next_sample())
            .sum();
        let sample = sum * edge * self.level;
        if shape == Shape::Bell {
            self.level *= 1.0 - BELL_FALL / self.length as f32;
        }
        (sample * 32_767.0) as i16
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::media::Level;

    const RATES: [u32; 5] = [8_000, 11_025, 16_000, 44_100, 48_000];

    fn played(pattern: Pattern, rate: u32, milliseconds: u32) -> Vec<i16> {
        let mut samples = vec![0; (rate * milliseconds / 1_000) as usize];
        Tone::new(pattern, rate).fill(&mut samples);
        samples
    }

    /// Peak amplitude of what is at `hertz` in `samples`, of full scale (Goertzel).
    fn amplitude(samples: &[i16], rate: u32, hertz: f32) -> f64 {
        let turn = f64::from(hertz) / f64::from(rate) * std::f64::consts::TAU;
        let (mut last, mut before) = (0.0, 0.0);
        for sample in samples {
            let next = f64::from(*sample) + 2.0 * turn.cos() * last - before;
            (before, last) = (last, next);
        }
        let power = last * last + before * before - 2.0 * turn.cos() * last * before;
        2.0 * power.sqrt() / samples.len() as f64 / 32_768.0
    }

    /// Decibels of a peak amplitude against a digital milliwatt: a sine of 0 dBm0 is 3.14 dB below full scale (G.711).
    #[expect(clippy::approx_constant, reason = "a load capacity, not a circle")]
    fn dbm0(amplitude: f64) -> f64 {
        20.0 * amplitude.log10() + 3.14
    }

    /// The times in ms at which sound begins and ends, in turn, to 5 ms.
    fn edges(samples: &[i16], rate: u32) -> Vec<u32> {
        let (mut edges, mut sounds) = (Vec::new(), false);
        let length = (rate / 200) as usize;
        for (piece, index) in samples.chunks(length).zip(0_u32..) {
            let loud = !Level::of(piece).is_silent();
            if loud != sounds {
                edges.push(index * length as u32 * 1_000 / rate);
            }
            sounds = loud;
        }
        edges
    }

    fn all() -> Vec<Pattern> {
        let plans =
            TonePlan::all().flat_map(|(_, plan)| [plan.ringback, plan.busy, plan.congestion, plan.waiting]);
        let keys = "0123456789*#ABCD".chars().filter_map(|key| dtmf(key, 100));
        let rings = [RingTone::Classic, RingTone::Chime].map(RingTone::pattern);
        plans.map(Pattern::from).chain(keys).chain(rings).collect()
    }

    #[test]
    fn a_german_call_rings_back_a_second_in_five() {
        let plan = TonePlan::of("DE");
        for rate in RATES {
            let samples = played(plan.ringback.into(), rate, 10_000);
            for (found, expected) in edges(&samples, rate)
                .into_iter()
                .zip([0, 1_000, 5_000, 6_000, 10_000])
            {
                assert!(
                    u32::abs_diff(found, expected) <= 5,
                    "{found} ms for {expected} ms at {rate}"
                );
            }
            assert_eq!(edges(&samples, rate).len(), 4);
            let sound = &samples[rate as usize / 10..rate as usize * 9 / 10];
            let level = dbm0(amplitude(sound, rate, 425.0));
            // E.180 wants -10 dBm0, give or take five.
            assert!((-15.0..=-5.0).contains(&level), "{level} dBm0 at {rate}");
            for other in [400.0, 440.0, 850.0, 1_275.0] {
                assert!(
                    dbm0(amplitude(sound, rate, other)) < level - 40.0,
                    "{other} Hz at {rate}"
                );
            }
        }
    }

    #[test]
    fn a_key_has_its_two_frequencies_and_the_high_one_is_louder() {
        let table = [
            ('1', 697.0, 1_209.0),
            ('5', 770.0, 1_336.0),
            ('9', 852.0, 1_477.0),
            ('D', 941.0, 1_633.0),
        ];
        for rate in RATES {
            for (key, low, high) in table {
                let samples = played(dtmf(key, 1_000).unwrap(), rate, 1_000);
                let middle = &samples[rate as usize / 10..rate as usize * 9 / 10];
                let (low, high) = (amplitude(middle, rate, low), amplitude(middle, rate, high));
                assert!(
                    (dbm0(low) + 11.0).abs() < 0.5,
                    "{key} at {rate}: {} dBm0",
                    dbm0(low)
                );
                assert!(
                    (dbm0(high) + 9.0).abs() < 0.5,
                    "{key} at {rate}: {} dBm0",
                    dbm0(high)
                );
                for other in [600.0, 1_800.0, 2.0 * 697.0, 2.0 * 941.0] {
                    assert!(
                        dbm0(amplitude(middle, rate, other)) < -35.0,
                        "{key} at {rate}: {other} Hz"
                    );
                }
            }
        }
        assert_eq!(dtmf('x', 100), None);
    }

    #[test]
    fn nothing_clicks_and_nothing_clips() {
        for pattern in all() {
            for rate in [8_000, 22_050] {
                let samples = played(pattern, rate, 4_500);
                let loudest = Level::of(&samples).peak();
                assert!((0.05..0.8).contains(&loudest), "{pattern:?}: {loudest}");
                // The steepest that its frequencies may be, and the edges of its notes.
                let partials = (0..)
                    .map_while(|index| pattern.note(index))
                    .flat_map(|note| note.partials);
                let steepest = partials.map(|it| it.hertz).fold(0.0, f32::max) * std::f32::consts::TAU * 0.8;
                let allowed = f64::from(steepest / rate as f32 + 0.01) * 32_768.0;
                for pair in samples.windows(2) {
                    let change = (f64::from(pair[1]) - f64::from(pair[0])).abs();
                    assert!(change < allowed, "{pattern:?} at {rate}: {change}");
                }
            }
        }
    }

    #[test]
    fn every_note_begins_and_ends_quietly() {
        for pattern in all() {
            // Longer than the slowest cadence.
            let samples = played(pattern, 8_000, 16_000);
            let mut begin = 0;
            for note in (0..20).map_while(|index| pattern.note(index)) {
                let end = begin + 8 * note.milliseconds as usize;
                assert!(
                    samples[begin].abs() < 100 && samples[end - 1].abs() < 800,
                    "{pattern:?} at {begin}"
                );
                begin = end;
            }
        }
    }

    #[test]
    fn the_length_of_the_frames_makes_no_difference() {
        let whole = played(RingTone::Chime.pattern(), 48_000, 3_000);
        let mut tone = Tone::new(RingTone::Chime.pattern(), 48_000);
        let mut pieces = vec![0; whole.len()];
        pieces.chunks_mut(479).for_each(|piece| tone.fill(piece));
        assert_eq!(whole, pieces);
    }

    #[test]
    fn one_key_ends_and_a_ringing_telephone_does_not() {
        let mut key = Tone::new(dtmf('5', 100).unwrap(), 8_000);
        assert!(!key.is_over());
        key.fill(&mut [0; 800]);
        assert!(key.is_over());
        let mut after = [1; 80];
        key.fill(&mut after);
        assert_eq!(after, [0; 80]);
        let mut ring = Tone::new(RingTone::Classic.pattern(), 8_000);
        ring.fill(&mut [0; 80_000]);
        assert!(!ring.is_over());
    }

    #[test]
    fn a_tone_that_is_stopped_fades() {
        let mut tone = Tone::new(TonePlan::of("US").busy.into(), 48_000);
        let mut frame = [0; 960];
        for _ in 0..5 {
            tone.fill(&mut frame);
        }
        let mut last = [0; 960];
        tone.release(&mut last);
        let joined: Vec<i16> = frame.into_iter().chain(last).collect();
        assert!(joined.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 1_000));
        assert!(!Level::of(&last[..240]).is_silent() && Level::of(&last[288..]).is_silent());
    }
}
