//! Where the audio of all calls meets that of the devices.
//!
//! One microphone feeds every call, and one speaker plays all of them: opened once, processed once, exchanged once. The
//! calls read and write on their own tasks, each with its own phase; a short lock keeps them apart. The devices' callbacks
//! are on the far side of the edges' rings and never meet it.

use std::collections::VecDeque;

use clearline_core::{Instant, MediaErrorKind};

use super::CHUNK;
use super::capture::CaptureOut;
use super::edge::EdgeStatistics;
use super::playback::PlaybackIn;
use super::voice::{Voice, VoiceProcessing};
use crate::audio::FRAME;

/// Samples that wait for a call that is late: 60 ms.
const LONGEST_QUEUE: usize = 3 * FRAME;

/// Names one source or sink of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Party(pub(super) u64);

/// Between calls and devices.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) microphone: Microphone,
    pub(super) speaker: Outlet,
    pub(super) ringer: Outlet,
    voice: Voice,
    /// To work in.
    captured: Vec<f32>,
}

/// The microphone and those who read it.
#[derive(Debug, Default)]
pub(super) struct Microphone {
    edge: Option<CaptureOut>,
    earlier: EdgeStatistics,
    listeners: Vec<Queue>,
    /// Why there is none.
    pub(super) problem: Option<MediaErrorKind>,
}

/// A speaker and those who write to it.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    edge: Option<PlaybackIn>,
    earlier: EdgeStatistics,
    /// The first one sets the pace.
    writers: Vec<Queue>,
    /// To work in.
    sum: Vec<f32>,
}

#[derive(Debug)]
struct Queue {
    party: Party,
    samples: VecDeque<f32>,
}

impl Hub {
    pub(super) fn new(voice: VoiceProcessing) -> Self {
        Self {
            microphone: Microphone::default(),
            speaker: Outlet::default(),
            ringer: Outlet::default(),
            voice: Voice::new(voice),
            captured: Vec::new(),
        }
    }

    /// Another microphone, or none, from now on. The former one is handed back, to be dropped without the lock.
    pub(super) fn set_microphone(&mut self, now: Instant, edge: Option<CaptureOut>) -> Option<CaptureOut> {
        let former = std::mem::replace(&mut self.microphone.edge, edge);
        let found = former.as_ref().map(|edge| edge.statistics(now));
        self.microphone.earlier = found.unwrap_or_default().after(self.microphone.earlier);
        former
    }

    /// Fills `frame` with what the microphone hears next.
    pub(super) fn read(&mut self, party: Party, now: Instant, frame: &mut [i16]) {
        let waiting = self
            .microphone
            .queue(party)
            .map_or(0, |queue| queue.samples.len());
        let short = frame.len().saturating_sub(waiting).div_ceil(CHUNK) * CHUNK;
        if short > 0 {
            self.capture(now, short);
        }
        let Some(queue) = self.microphone.queue(party) else {
            return frame.fill(0);
        };
        let next = queue.samples.drain(..frame.len().min(queue.samples.len()));
        for (sample, captured) in frame.iter_mut().zip(next.chain(std::iter::repeat(0.0))) {
            *sample = to_integer(captured);
        }
    }

    /// Plays `frame` as well.
    pub(super) fn play(&mut self, party: Party, now: Instant, frame: &[i16]) {
        let voice = &mut self.voice;
        self.speaker.write(party, now, frame, |chunk| voice.played(chunk));
    }

    /// Reads the device once for all calls.
    fn capture(&mut self, now: Instant, count: usize) {
        self.captured.clear();
        self.captured.resize(count, 0.0);
        if let Some(edge) = &mut self.microphone.edge {
            edge.read(now, &mut self.captured);
        }
        let (chunks, _) = self.captured.as_chunks_mut::<CHUNK>();
        chunks.iter_mut().for_each(|chunk| self.voice.captured(chunk));
        for listener in &mut self.microphone.listeners {
            listener.append(self.captured.iter().copied());
        }
    }
}

impl Microphone {
    pub(super) fn attach(&mut self, party: Party) {
        self.listeners.push(Queue::new(party));
    }

    pub(super) fn detach(&mut self, party: Party) {
        self.listeners.retain(|queue| queue.party != party);
    }

    pub(super) fn statistics(&self, now: Instant) -> EdgeStatistics {
        let present = self.edge.as_ref().map(|edge| edge.statistics(now));
        present.unwrap_or_default().after(self.earlier)
    }

    fn queue(&mut self, party: Party) -> Option<&mut Queue> {
        self.listeners.iter_mut().find(|queue| queue.party == party)
    }
}

impl Outlet {
    pub(super) fn attach(&mut self, party: Party) {
        self.writers.push(Queue::new(party));
    }

    pub(super) fn detach(&mut self, party: Party) {
        self.writers.retain(|queue| queue.party != party);
    }

    /// Another device, or none, from now on. The former one is handed back, to be dropped without the lock.
    pub(super) fn set(&mut self, now: Instant, edge: Option<PlaybackIn>) -> Option<PlaybackIn> {
        let former = std::mem::replace(&mut self.edge, edge);
        let found = former.as_ref().map(|edge| edge.statistics(now));
        self.earlier = found.unwrap_or_default().after(self.earlier);
        former
    }

    pub(super) fn statistics(&self, now: Instant) -> EdgeStatistics {
        let present = self.edge.as_ref().map(|edge| edge.statistics(now));
        present.unwrap_or_default().after(self.earlier)
    }

    /// Plays `frame` beside what the others play. `played` is told each chunk of the sum.
    pub(super) fn write(
        &mut self,
        party: Party,
        now: Instant,
        frame: &[i16],
        played: impl FnMut(&[f32; CHUNK]),
    ) {
        let Some(position) = self.writers.iter().position(|queue| queue.party == party) else {
            return;
        };
        let Some(queue) = self.writers.get_mut(position) else {
            return;
        };
        // Whoever would have to throw something away takes over from a leader that does not write.
        let is_stuck = queue.samples.len() + frame.len() > LONGEST_QUEUE;
        queue.append(frame.iter().map(|sample| f32::from(*sample) / 32_768.0));
        if position > 0 && is_stuck {
            self.writers.swap(0, position);
        }
        if position == 0 || is_stuck {
            self.mix(now, frame.len(), played);
        }
    }

    fn mix(&mut self, now: Instant, count: usize, mut played: impl FnMut(&[f32; CHUNK])) {
        self.sum.clear();
        self.sum.resize(count, 0.0);
        for queue in &mut self.writers {
            let next = queue.samples.drain(..count.min(queue.samples.len()));
            self.sum
                .iter_mut()
                .zip(next)
                .for_each(|(sum, sample)| *sum += sample);
        }
        let (chunks, _) = self.sum.as_chunks::<CHUNK>();
        chunks.iter().for_each(&mut played);
        if let Some(edge) = &mut self.edge {
            edge.write(now, &self.sum);
        }
    }
}

impl Queue {
    fn new(party: Party) -> Self {
        let samples = VecDeque::with_capacity(2 * LONGEST_QUEUE);
        Self { party, samples }
    }

    /// Appends at the end; the oldest goes if there is too much.
    fn append(&mut self, samples: impl Iterator<Item = f32>) {
        self.samples.extend(samples);
        let surplus = self.samples.len().saturating_sub(LONGEST_QUEUE);
        self.samples.drain(..surplus);
    }
}

/// To 16 bits, saturating; what is no number becomes 0.
fn to_integer(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SAMPLE_RATE;
    use crate::audio::devices::capture::capture;
    use crate::audio::devices::playback::playback;

    const A: Party = Party(1);
    const B: Party = Party(2);

    fn hub() -> Hub {
        let mut hub = Hub::new(VoiceProcessing::OFF);
        for party in [A, B] {
            hub.microphone.attach(party);
            hub.speaker.attach(party);
        }
        hub
    }

    fn tick(number: u64) -> Instant {
        Instant::from_millis(1_000 + 20 * number)
    }

    #[test]
    fn every_call_hears_the_same_microphone_whole() {
        let (mut device, edge) = capture(SAMPLE_RATE).unwrap();
        let mut hub = hub();
        hub.set_microphone(tick(0), Some(edge));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for number in 0..100 {
            let tone = (0..FRAME as u64).map(|n| ((number * FRAME as u64 + n) as f32 * 0.01).sin() * 0.5);
            device.push(tick(number), tone.collect::<Vec<_>>().into_iter());
            let mut frame = [0; FRAME];
            // Now one is first and now the other one.
            for second in [number % 3 == 0, number % 3 != 0] {
                hub.read(if second { B } else { A }, tick(number), &mut frame);
                if second { &mut b } else { &mut a }.extend(frame);
            }
        }
        assert_eq!(a, b);
        assert!(a[FRAME * 5..].iter().any(|sample| *sample > 16_000));
        assert_eq!(hub.microphone.statistics(tick(100)).overrun, 0);
    }

    #[test]
    fn a_call_that_stands_still_does_not_hold_up_the_others_and_comes_back_to_the_present() {
        let mut hub = hub();
        let mut frame = [0; FRAME];
        for number in 0..100 {
            hub.read(A, tick(number), &mut frame);
        }
        let queue = hub.microphone.queue(B).unwrap();
        assert_eq!(queue.samples.len(), LONGEST_QUEUE);
    }

    #[test]
    fn the_speaker_plays_the_sum() {
        let (edge, mut device) = playback(SAMPLE_RATE).unwrap();
        let mut hub = hub();
        hub.speaker.set(tick(0), Some(edge));
        let mut heard = Vec::new();
        for number in 0..50 {
            device.pull(tick(number), FRAME, |sample| heard.push(sample));
            hub.play(B, tick(number), &[1_000; FRAME]);
            hub.play(A, tick(number), &[10_000; FRAME]);
        }
        let last = heard.last().copied().unwrap();
        assert!((last * 32_768.0 - 11_000.0).abs() < 20.0, "{last}");
    }

    #[test]
    fn when_the_leader_stops_writing_the_next_one_is_heard() {
        let mut hub = hub();
        let mut heard = 0;
        hub.play(A, tick(0), &[1; FRAME]);
        for number in 0..50 {
            hub.speaker.write(B, tick(number), &[1; FRAME], |_| heard += 1);
        }
        assert!(heard >= 2 * 45, "{heard} chunks");
    }

    #[test]
    fn a_device_that_goes_leaves_its_figures_behind() {
        let (mut device, edge) = capture(SAMPLE_RATE).unwrap();
        let mut hub = hub();
        hub.set_microphone(tick(0), Some(edge));
        device.push(tick(0), [f32::NAN; 7].into_iter());
        drop(hub.set_microphone(tick(1), None));
        let mut frame = [1; FRAME];
        hub.read(A, tick(1), &mut frame);
        assert_eq!(frame, [0; FRAME]);
        assert_eq!(hub.microphone.statistics(tick(1)).invalid, 7);
    }
}
