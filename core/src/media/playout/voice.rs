//! The sound: what was decoded, what is made up, and the seams between them.

use super::conceal::Fade;
use super::line::Line;
use super::similarity::cross_fade;
use super::statistics::Operation;
use super::{Decoder, Playout, State};

/// How long nothing may come before the stream is taken to have stopped, in milliseconds.
const LONGEST_CONCEALMENT_MS: f32 = 1_000.0;

impl<D: Decoder> Playout<D> {
    /// Appends what was decoded, joined with what was heard before it.
    pub(super) fn join(&mut self, count: usize) {
        let inserted = match self.state {
            State::Concealing { made_up, waited, own } => self.merge(count, made_up, waited, own),
            State::Waiting { .. } | State::Pausing { codec: false } => {
                let overlap = count.min(self.times.shortest);
                ramp(&mut self.decoded[..overlap], 0.0);
                0
            }
            State::Playing | State::Pausing { codec: true } => 0,
        };
        self.statistics.expanded += inserted as u64;
        append(&mut self.line, &self.decoded[..count]);
    }

    /// Lets what was decoded begin as the made-up audio would have gone on. Tells how much more had to be made up for that.
    pub(super) fn merge(&mut self, count: usize, made_up: usize, waited: usize, own: bool) -> usize {
        if !own {
            let overlap = count.min(self.times.window);
            let gain = Fade::CODEC.gain(self.millis(made_up));
            ramp(&mut self.decoded[..overlap], gain);
            return 0;
        }
        let overlap = count.min(self.times.overlap);
        // Only audio that was waited for has time to begin where it fits.
        let longest = if waited > 0 { self.times.longest } else { 0 };
        let gain = Fade::REPETITION.gain(self.millis(made_up));
        let (tail, _) = self.frame.split_at_mut((longest + overlap).min(self.pull));
        for sample in tail.iter_mut() {
            let noise = self.background.sample() * (1.0 - gain);
            *sample = to_i16(self.repeater.sample() * gain + noise);
        }
        let found = self.search.find(&self.decoded[..overlap], tail, 0);
        let offset = found.map_or(0, |found| found.offset);
        append(&mut self.line, &tail[..offset]);
        let joint = &mut tail[offset..offset + overlap];
        cross_fade(joint, &self.decoded[..overlap]);
        self.decoded[..overlap].copy_from_slice(joint);
        offset
    }

    /// Appends made-up audio, at most what the longest packet holds.
    pub(super) fn conceal(&mut self, count: usize) {
        let (made_up, waited, was_own) = match self.state {
            State::Concealing { made_up, waited, own } => (made_up, waited, own),
            State::Waiting { .. } | State::Playing | State::Pausing { .. } => (0, 0, false),
        };
        let own = was_own || !self.decoder.conceal(&mut self.decoded[..count]);
        if own && !was_own {
            self.repeater.begin(&self.line, &mut self.search, self.times);
        }
        let fade = if own { Fade::REPETITION } else { Fade::CODEC };
        let per_sample = 1_000.0 / self.rate as f32;
        for (sample, n) in self.decoded[..count].iter_mut().zip(made_up..) {
            let after = n as f32 * per_sample;
            let gain = fade.gain(after);
            let voice = if own {
                self.repeater.sample()
            } else {
                f32::from(*sample)
            };
            let noise = self.background.sample() * (1.0 - gain) * Fade::BACKGROUND.gain(after);
            *sample = to_i16(voice * gain + noise);
        }
        append(&mut self.line, &self.decoded[..count]);
        let made_up = made_up + count;
        let after = self.millis(made_up);
        self.statistics.concealed += count as u64;
        if fade.gain(after) == 0.0 {
            self.statistics.concealed_silent += count as u64;
        }
        self.state = if after > LONGEST_CONCEALMENT_MS {
            State::Waiting { fresh: false }
        } else {
            State::Concealing { made_up, waited, own }
        };
    }

    /// Appends the silence of a pause.
    pub(super) fn rest(&mut self) -> Operation {
        let count = self.shortfall();
        let rest = &mut self.decoded[..count];
        let operation = match self.state {
            State::Pausing { codec } => {
                if !(codec && self.decoder.conceal(rest)) {
                    rest.fill_with(|| to_i16(self.background.sample()));
                }
                self.statistics.comfort_noise += count as u64;
                Operation::ComfortNoise
            }
            State::Waiting { .. } | State::Playing | State::Concealing { .. } => {
                rest.fill(0);
                Operation::Silence
            }
        };
        append(&mut self.line, rest);
        operation
    }

    /// Lets the voice end within 10 ms.
    pub(super) fn fade_out(&mut self) {
        self.repeater.begin(&self.line, &mut self.search, self.times);
        let tail = &mut self.decoded[..self.times.window];
        let step = 1.0 / tail.len() as f32;
        let mut gain = 1.0;
        for sample in tail.iter_mut() {
            gain -= step;
            *sample = to_i16(self.repeater.sample() * gain);
        }
        append(&mut self.line, tail);
    }

    /// What is missing to one pull, in whole 2.5 ms.
    pub(super) fn shortfall(&self) -> usize {
        self.pull
            .saturating_sub(self.line.ahead())
            .next_multiple_of(self.quantum)
            .clamp(self.quantum, self.pull)
    }
}

fn append(line: &mut Line, samples: &[i16]) {
    let room = line.room(samples.len());
    let count = room.len();
    room.copy_from_slice(&samples[..count]);
    line.append(count);
}

/// Lets samples begin with the gain `from` and reach their own level at their end.
fn ramp(samples: &mut [i16], from: f32) {
    let step = (1.0 - from) / (samples.len() + 1) as f32;
    let mut gain = from;
    for sample in samples {
        gain += step;
        *sample = to_i16(f32::from(*sample) * gain);
    }
}

fn to_i16(sample: f32) -> i16 {
    // A cast from a float saturates.
    sample as i16
}
