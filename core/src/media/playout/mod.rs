//! Plays a stream of RTP packets (RFC 3550) evenly, whenever and in whatever order they come: jitter buffer, decoder control
//! and concealment in one. Pulled by whoever plays, 10 ms at a time; told the time, never looking at a clock.
//!
//! ```text
//!  insert --> Timeline --> PacketStore --> Decoder --> Line --> pull
//!                |                                      ^
//!                +--> DelayEstimate -- target --> stretch, conceal
//! ```
//! Every packet has a *position*: where its audio begins, in samples of the stream. Arrival minus position is a packet's
//! *transit*, now minus the position that plays is that of playing. A packet is in time if its transit is the lower one, the
//! difference is how long it waits. So the engine has one thing to control: the transit it plays at, towards a target that
//! [`DelayEstimate`] learns.
//!
//! ```text
//!            due                   nothing has come
//!  Waiting -------> Playing -------------------------> Concealing
//!     ^             |   ^  ^                             |   |
//!     |       pause |   |  +---- it comes, or is lost ---+   |
//!     |             v   | due                                |
//!     |            Pausing                                   |
//!     +------------------- one second of nothing ------------+
//! ```
//! Audio that is only late is waited for and the delay grows; audio that is lost is made up for as long as it would have
//! lasted, from a copy in a later packet if there is one, and the delay stays. After a pause playing begins at the target.

mod conceal;
mod decoder;
mod delay;
mod line;
mod packet;
mod redundancy;
mod similarity;
mod statistics;
mod store;
mod stretch;
mod timeline;

pub use decoder::{Decoder, Undecodable};
pub use packet::{Content, Packet};
pub use statistics::{Operation, Statistics};

use conceal::{Background, Fade, Repeater};
use delay::DelayEstimate;
use line::Line;
use similarity::{Search, cross_fade};
use store::{CAPACITY, Head, Kind, PacketStore, Waiting};
use stretch::{Times, Tolerance};
use timeline::{Place, Timeline, transit};

use crate::time::{Duration, Instant};

/// Microseconds per pull.
const PULL: i64 = 10_000;
/// The longest packet (RFC 6716 section 2.1.4), in milliseconds.
const LONGEST_PACKET_MS: u32 = 120;
/// How long nothing may come before the stream is taken to have stopped, in milliseconds.
const LONGEST_CONCEALMENT_MS: f32 = 1_000.0;
/// A loss longer than this, in microseconds, is not made up for, but waited through.
const LONGEST_LOSS: i64 = 500_000;
/// Audio this much later than it should be, in microseconds, is given up: nobody can catch up with that.
const FARTHEST_BEHIND: i64 = 400_000;
/// How far behind playing goes on after that.
const AFTER_GIVING_UP: i64 = 60_000;
/// How much the delay may be above the target, and below it, before anything is done, in microseconds.
const SLACK_ABOVE: i64 = 4_000;
const SLACK_BELOW: i64 = 1_500;

/// A jitter buffer that plays: packets in, 10 ms of audio out. Nothing is allocated and nothing waited for after its making.
#[derive(Clone, Debug)]
pub struct Playout<D> {
    decoder: D,
    /// Samples per second, per 2.5 ms and per 10 ms.
    rate: i64,
    quantum: usize,
    pull: usize,
    times: Times,
    timeline: Timeline,
    store: PacketStore,
    delay: DelayEstimate,
    line: Line,
    decoded: Box<[i16]>,
    frame: Box<[i16]>,
    search: Search,
    repeater: Repeater,
    background: Background,
    state: State,
    /// The number to decode next.
    next: i64,
    /// The position after what is in the line.
    end: i64,
    /// The position that has been played up to; never falls within a stream.
    played: i64,
    /// Samples per packet, as learned.
    packet: usize,
    /// Samples played since the delay was last changed.
    unchanged: usize,
    statistics: Statistics,
}

/// What 10 ms were made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled<'a> {
    /// 10 ms of audio.
    pub samples: &'a [i16],
    /// What was done for them.
    pub operation: Operation,
    /// Where in the stream they begin, in samples; never falls within a stream. The first packet's is its timestamp.
    pub position: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Silent until the next packet is due. Nothing of the stream has been played if it is `fresh`.
    Waiting { fresh: bool },
    /// Audio as it was sent.
    Playing,
    /// The sender has nothing to say; the codec makes its own noise if so.
    Pausing { codec: bool },
    /// Audio is missing.
    Concealing {
        /// Samples made up in a row.
        made_up: usize,
        /// Those of them that stand for nothing so far: audio was waited for.
        waited: usize,
        /// Whether they are ours, the codec having none.
        own: bool,
    },
}

impl<D: Decoder> Playout<D> {
    /// A silent engine for one stream, or for one after the other.
    pub fn new(decoder: D) -> Self {
        let rate = decoder.sample_rate().clamp(8_000, 48_000);
        let times = Times::new(rate);
        let longest = (rate * LONGEST_PACKET_MS / 1_000) as usize;
        let quantum = (rate / 400) as usize;
        Self {
            timeline: Timeline::new(decoder.clock_rate(), rate),
            decoder,
            rate: i64::from(rate),
            quantum,
            pull: 4 * quantum,
            times,
            store: PacketStore::new(),
            delay: DelayEstimate::new(),
            line: Line::new(2 * times.longest + times.window, 3 * longest),
            decoded: vec![0; longest].into_boxed_slice(),
            frame: vec![0; 4 * quantum].into_boxed_slice(),
            search: Search::new(rate),
            repeater: Repeater::new(times),
            background: Background::new(),
            state: State::Waiting { fresh: true },
            next: 0,
            end: 0,
            played: 0,
            packet: 8 * quantum,
            unchanged: 0,
            statistics: Statistics::default(),
        }
    }

    /// Takes in a packet that arrived at `now`.
    pub fn insert(&mut self, now: Instant, packet: Packet<'_>) {
        let number = match self.timeline.place(packet.ssrc, packet.sequence) {
            Place::Known(number) => number,
            Place::NewStream => self.begin_stream(packet.ssrc, packet.sequence),
            Place::Stranger => {
                self.statistics.discarded += 1;
                return;
            }
        };
        match packet.content {
            Content::Audio([]) => self.insert_other(now, number, Kind::Padding),
            Content::Other => self.insert_other(now, number, Kind::Event),
            Content::Audio(payload) => self.insert_audio(now, number, packet.timestamp, payload),
            Content::Redundant { payload, audio } => {
                self.insert_redundant(now, number, packet.timestamp, payload, audio);
            }
            Content::ComfortNoise(payload) => self.insert_noise(now, number, packet.timestamp, payload),
        }
    }

    /// The next 10 ms.
    pub fn pull(&mut self, now: Instant) -> Pulled<'_> {
        let operation = self.produce(now);
        let position = self.end - self.line.ahead() as i64;
        self.played = self.played.max(position);
        self.line.play(&mut self.frame);
        if operation == Operation::Normal {
            self.background.learn(&self.frame);
        }
        self.unchanged += self.pull;
        self.statistics.samples += self.pull as u64;
        if let Some(count) = self.statistics.operations.get_mut(operation as usize) {
            *count += 1;
        }
        Pulled {
            samples: &self.frame,
            operation,
            position: self.played,
        }
    }

    /// How long after the fastest packets audio should be played.
    pub fn target(&self) -> Duration {
        Duration::from_micros(self.delay.headroom().unsigned_abs())
    }

    /// Counters since the beginning.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The codec.
    pub fn decoder(&self) -> &D {
        &self.decoder
    }
}

/// Taking in.
impl<D: Decoder> Playout<D> {
    fn begin_stream(&mut self, ssrc: u32, sequence: u16) -> i64 {
        let number = self.timeline.begin(ssrc, sequence);
        if self.state == State::Playing {
            self.fade_out();
        }
        self.store.clear();
        self.delay.restart();
        self.decoder.reset();
        self.state = State::Waiting { fresh: true };
        self.next = number;
        self.end = 0;
        self.played = 0;
        number
    }

    fn insert_other(&mut self, now: Instant, number: i64, kind: Kind) {
        self.timeline.pass(number);
        self.make_way(number);
        let waiting = Waiting {
            number,
            position: 0,
            arrived: now,
            kind,
        };
        if number >= self.next && !self.store.put(waiting, &[]) {
            self.statistics.duplicates += 1;
        }
    }

    fn insert_noise(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        if self.is_known(number) {
            self.statistics.duplicates += 1;
            return;
        }
        if let Some(position) = self.timeline.position(now, number, timestamp, self.packet) {
            self.put(now, number, position, Kind::ComfortNoise, payload);
        }
    }

    fn insert_redundant(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8], audio: u8) {
        let Some(blocks) = redundancy::blocks(payload) else {
            self.timeline.pass(number);
            self.statistics.undecodable += 1;
            return;
        };
        for (back, block) in (0_i64..).zip(blocks.rev()) {
            if block.payload_type != audio {
                continue;
            }
            if back == 0 {
                self.insert_audio(now, number, timestamp, block.payload);
            } else {
                self.insert_copy(
                    now,
                    number - back,
                    timestamp.wrapping_sub(block.offset),
                    block.payload,
                );
            }
        }
    }

    fn insert_copy(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        let Some(duration) = self.duration(payload).filter(|_| !self.is_known(number)) else {
            return;
        };
        let Some(position) = self.timeline.position(now, number, timestamp, duration) else {
            return;
        };
        self.delay
            .overtaken(transit(now, position, self.rate), self.time(duration));
        if number >= self.next || self.is_fresh() {
            self.put(now, number, position, Kind::Copy, payload);
        }
    }

    fn insert_audio(&mut self, now: Instant, number: i64, timestamp: u32, payload: &[u8]) {
        if self.is_known(number) {
            self.statistics.duplicates += 1;
            return;
        }
        let is_newest = number >= self.timeline.newest();
        let Some(duration) = self.duration(payload) else {
            self.timeline.pass(number);
            self.statistics.undecodable += 1;
            return;
        };
        let Some(position) = self.timeline.position(now, number, timestamp, duration) else {
            self.statistics.discarded += 1;
            return;
        };
        self.packet = duration;
        self.learn_delay(now, number, position, payload, is_newest);
        self.put(now, number, position, Kind::Audio, payload);
    }

    fn learn_delay(&mut self, now: Instant, number: i64, position: i64, payload: &[u8], is_newest: bool) {
        let (came, duration) = (transit(now, position, self.rate), self.time(self.packet));
        if !is_newest {
            self.delay.overtaken(came, duration);
            return;
        }
        self.delay.arrived(now, came, duration);
        let is_gap = self.store.get(number - 1).is_none() && !self.is_fresh();
        if is_gap && self.decoder.has_copy_of_previous(payload) {
            let copy = came.saturating_add(self.micros(self.packet));
            self.delay.overtaken(copy, duration);
        }
    }

    fn put(&mut self, now: Instant, number: i64, position: i64, kind: Kind, payload: &[u8]) {
        if self.is_fresh() {
            self.next = self.next.min(number);
        }
        let mut waiting = Waiting {
            number,
            position,
            arrived: now,
            kind,
        };
        if number < self.next {
            self.statistics.late += 1;
            self.statistics.lost = self.statistics.lost.saturating_sub(1);
            waiting.kind = Kind::Played;
            self.store.put(waiting, &[]);
            return;
        }
        self.make_way(number);
        if !self.store.put(waiting, payload) {
            self.statistics.discarded += 1;
        } else if kind == Kind::Audio {
            self.statistics.received += 1;
        }
    }

    /// The store holds only so many: what is too far behind a new number goes.
    fn make_way(&mut self, number: i64) {
        let oldest = number - CAPACITY as i64 + 1;
        while self.next < oldest {
            let Some(head) = self.store.head(self.next, oldest - 1) else {
                self.next = oldest;
                return;
            };
            self.give_up(head);
        }
    }

    /// A packet that is there is not played.
    fn give_up(&mut self, head: Head) {
        self.statistics.discarded += 1;
        self.statistics.lost += head.missing.unsigned_abs();
        self.store.played(head.waiting.number);
        self.next = head.waiting.number + 1;
    }

    fn is_known(&self, number: i64) -> bool {
        self.store
            .get(number)
            .is_some_and(|(waiting, _)| waiting.kind != Kind::Copy)
    }

    fn is_fresh(&self) -> bool {
        self.state == State::Waiting { fresh: true }
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        self.decoder
            .duration(payload)
            .filter(|&duration| duration > 0 && duration <= self.decoded.len())
    }
}

/// Handing out.
impl<D: Decoder> Playout<D> {
    fn produce(&mut self, now: Instant) -> Operation {
        self.catch_up(now);
        let mut operation = None;
        // Every step appends something or is done with a number, of which only so many can wait.
        for _ in 0..2 * CAPACITY {
            if self.line.ahead() >= self.pull {
                break;
            }
            operation = operation.max(self.extend(now));
        }
        let operation = operation.unwrap_or(match self.state {
            State::Playing => Operation::Normal,
            State::Concealing { .. } => Operation::Expand,
            State::Pausing { .. } => Operation::ComfortNoise,
            State::Waiting { .. } => Operation::Silence,
        });
        if operation == Operation::Normal && self.state == State::Playing {
            self.adjust(now)
        } else {
            operation
        }
    }

    /// Appends what comes next.
    fn extend(&mut self, now: Instant) -> Option<Operation> {
        let Some(head) = self.store.head(self.next, self.timeline.newest()) else {
            return Some(self.dry());
        };
        let gap = head.waiting.position - self.end;
        let is_due = self.is_due(now, head.waiting.position);
        match self.state {
            State::Waiting { .. } | State::Pausing { .. } if !is_due => Some(self.rest()),
            State::Waiting { fresh: true } => self.play(now, head),
            State::Waiting { fresh: false } | State::Pausing { .. } => {
                self.statistics.lost += head.missing.unsigned_abs();
                self.play(now, head)
            }
            State::Playing | State::Concealing { .. } if head.missing == 0 => {
                // A pause that was not announced.
                if gap > (self.packet / 2) as i64 && !is_due {
                    self.fade_out();
                    self.state = State::Pausing { codec: false };
                    return Some(self.rest());
                }
                self.play(now, head)
            }
            State::Concealing { waited, .. } if waited > 0 && is_due => {
                self.statistics.lost += head.missing.unsigned_abs();
                self.play(now, head)
            }
            State::Playing | State::Concealing { .. } if self.micros_of(gap) > LONGEST_LOSS => {
                self.state = State::Waiting { fresh: false };
                Some(self.rest())
            }
            State::Playing | State::Concealing { .. } => self.lose(head, gap),
        }
    }

    /// Nothing is there.
    fn dry(&mut self) -> Operation {
        let waited = match self.state {
            State::Waiting { .. } | State::Pausing { .. } => return self.rest(),
            State::Playing => 0,
            State::Concealing { waited, .. } => waited,
        };
        let next = self.store.get(self.next).map(|(waiting, _)| waiting.kind);
        if next == Some(Kind::Event) {
            self.next += 1;
            self.fade_out();
            self.state = State::Pausing { codec: false };
            return self.rest();
        }
        let count = self.shortfall();
        self.conceal(count);
        self.statistics.concealed_late += count as u64;
        if let State::Concealing { waited: all, .. } = &mut self.state {
            *all = waited + count;
        }
        Operation::Expand
    }

    /// The next number is lost, later audio is there, `gap` samples after what is ready.
    fn lose(&mut self, head: Head, gap: i64) -> Option<Operation> {
        let number = self.next;
        self.next += 1;
        if self.store.get(number).is_some() {
            return None;
        }
        let length = usize::try_from(gap / head.missing.max(1))
            .unwrap_or(0)
            .min(self.decoded.len());
        if length < self.quantum {
            return None;
        }
        self.statistics.lost += 1;
        self.end += length as i64;
        let waited = match self.state {
            State::Concealing { waited, .. } => waited,
            State::Waiting { .. } | State::Playing | State::Pausing { .. } => 0,
        };
        if head.missing == 1 && waited < length && self.recover(head, length) {
            return Some(Operation::Recover);
        }
        // What was made up while waiting stands for it.
        let covered = waited.min(length);
        self.statistics.concealed_late -= covered as u64;
        if let State::Concealing { waited, .. } = &mut self.state {
            *waited -= covered;
        }
        let rest = (length - covered) / self.quantum * self.quantum;
        if rest == 0 {
            return None;
        }
        self.conceal(rest);
        Some(Operation::Expand)
    }

    fn recover(&mut self, head: Head, length: usize) -> bool {
        let Some((_, payload)) = self.store.get(head.waiting.number) else {
            return false;
        };
        let Some(room) = self.decoded.get_mut(..length) else {
            return false;
        };
        let is_recovered = self.decoder.has_copy_of_previous(payload) && self.decoder.recover(payload, room);
        if is_recovered {
            self.statistics.recovered += 1;
            self.join(length);
            self.state = State::Playing;
        }
        is_recovered
    }

    /// Plays the audio that is there.
    fn play(&mut self, now: Instant, head: Head) -> Option<Operation> {
        let Waiting {
            number,
            position,
            arrived,
            kind,
        } = head.waiting;
        self.next = number + 1;
        let (_, payload) = self.store.get(number)?;
        if kind == Kind::ComfortNoise {
            if let Some(&level) = payload.first() {
                self.background.set_level(level);
            }
            self.end = self.end.max(position);
            self.state = State::Pausing { codec: false };
            self.store.played(number);
            return None;
        }
        let is_pause = self.decoder.is_pause(payload);
        let decoded = self.decoder.decode(payload, &mut self.decoded);
        self.store.played(number);
        let count = match decoded {
            Ok(count) if count > 0 => count.min(self.decoded.len()),
            Ok(_) | Err(Undecodable) => {
                self.statistics.undecodable += 1;
                self.end = self.end.max(position) + self.packet as i64;
                self.conceal(self.packet.next_multiple_of(self.quantum));
                return Some(Operation::Expand);
            }
        };
        self.count_delay(now - arrived, count);
        if kind == Kind::Copy {
            self.statistics.recovered += 1;
        }
        let is_made_up = matches!(self.state, State::Concealing { .. });
        self.join(count);
        self.end = self.end.max(position) + count as i64;
        self.state = if is_pause {
            State::Pausing { codec: true }
        } else {
            State::Playing
        };
        Some(if is_made_up {
            Operation::Merge
        } else {
            Operation::Normal
        })
    }

    /// Appends what was decoded, joined with what was heard before it.
    fn join(&mut self, count: usize) {
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
    fn merge(&mut self, count: usize, made_up: usize, waited: usize, own: bool) -> usize {
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
    fn conceal(&mut self, count: usize) {
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
    fn rest(&mut self) -> Operation {
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
    fn fade_out(&mut self) {
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
    fn shortfall(&self) -> usize {
        self.pull
            .saturating_sub(self.line.ahead())
            .next_multiple_of(self.quantum)
            .clamp(self.quantum, self.pull)
    }
}

/// Keeping the delay.
impl<D: Decoder> Playout<D> {
    /// Whether audio at `position`, appended now, would be played at the target or later.
    fn is_due(&self, now: Instant, position: i64) -> bool {
        let ahead = self.micros(self.line.ahead());
        transit(now, position, self.rate).saturating_add(ahead) >= self.delay.target()
    }

    /// Gives up audio that is so late that playing faster would take too long.
    fn catch_up(&mut self, now: Instant) {
        let behind = |engine: &Self, head: Head| {
            let transit = transit(now, head.waiting.position, engine.rate);
            transit.saturating_sub(engine.delay.target())
        };
        let newest = self.timeline.newest();
        let Some(head) = self.store.head(self.next, newest) else {
            return;
        };
        if behind(self, head) < FARTHEST_BEHIND {
            return;
        }
        while let Some(head) = self.store.head(self.next, newest)
            && behind(self, head) > AFTER_GIVING_UP
        {
            self.give_up(head);
        }
        if let Some(head) = self.store.head(self.next, newest) {
            self.end = self.end.max(head.waiting.position);
        }
        if self.state == State::Playing {
            self.repeater.begin(&self.line, &mut self.search, self.times);
            self.state = State::Concealing {
                made_up: 0,
                waited: 0,
                own: true,
            };
        }
    }

    /// Brings the delay nearer to the target, if that can be done unheard.
    fn adjust(&mut self, now: Instant) -> Operation {
        // The next packet is needed with the pull that cannot be filled without it, so what is left over then costs delay
        // and saves nothing.
        let left_over = self.micros(self.line.ahead() % self.pull);
        let deadline = transit(now, self.end, self.rate) + self.micros(self.line.ahead()) - left_over;
        let over = deadline.saturating_sub(self.delay.target());
        if over < -SLACK_BELOW {
            return self.slow_down(-over);
        }
        let whole = (over - SLACK_ABOVE).max(0) / PULL * PULL;
        self.speed_up(now, whole + left_over, over)
    }

    fn slow_down(&mut self, short: i64) -> Operation {
        let (correlation, pause) = if short > 3 * PULL { (0.6, 1) } else { (0.8, 3) };
        if self.unchanged < pause * self.pull {
            return Operation::Normal;
        }
        let tolerance = Tolerance {
            correlation,
            quiet: self.background.quiet(),
        };
        let most = self.times.longest;
        let put_in = stretch::expand(&mut self.line, &mut self.search, self.times, most, tolerance);
        if put_in == 0 {
            return Operation::Normal;
        }
        self.unchanged = 0;
        self.statistics.expanded += put_in as u64;
        Operation::PreemptiveExpand
    }

    fn speed_up(&mut self, now: Instant, surplus: i64, over: i64) -> Operation {
        let (correlation, pause) = match over / PULL {
            10.. => (0.5, 1),
            4..10 => (0.75, 2),
            _ => (0.9, 4),
        };
        let most = self.samples(surplus);
        if most < self.times.shortest || self.unchanged < pause * self.pull {
            return Operation::Normal;
        }
        self.decode_ahead(now);
        let most = most.min(self.line.ahead().saturating_sub(self.pull));
        let tolerance = Tolerance {
            correlation,
            quiet: self.background.quiet(),
        };
        let left_out = stretch::accelerate(&mut self.line, &mut self.search, self.times, most, tolerance);
        if left_out == 0 {
            return Operation::Normal;
        }
        self.unchanged = 0;
        self.statistics.accelerated += left_out as u64;
        Operation::Accelerate
    }

    /// Decodes as much as a search for a place to leave something out needs, if it is there.
    fn decode_ahead(&mut self, now: Instant) {
        let wanted = self.times.longest + self.times.window + self.pull;
        while self.line.ahead() < wanted && self.state == State::Playing {
            let head = self.store.head(self.next, self.next);
            let Some(head) = head.filter(|head| head.waiting.position <= self.end) else {
                return;
            };
            self.play(now, head);
        }
    }

    fn count_delay(&mut self, waited: Duration, count: usize) {
        let ahead = (self.line.ahead() + count / 2).saturating_sub(self.pull / 2);
        let delay = waited + self.time(ahead);
        self.statistics.played += count as u64;
        self.statistics.delay = self
            .statistics
            .delay
            .saturating_add(delay.saturating_mul(count as u32));
    }

    fn micros(&self, samples: usize) -> i64 {
        self.micros_of(samples as i64)
    }

    fn micros_of(&self, samples: i64) -> i64 {
        samples.saturating_mul(1_000_000) / self.rate
    }

    fn samples(&self, micros: i64) -> usize {
        usize::try_from(micros.saturating_mul(self.rate) / 1_000_000).unwrap_or(0)
    }

    fn time(&self, samples: usize) -> Duration {
        Duration::from_micros(self.micros(samples).unsigned_abs())
    }

    fn millis(&self, samples: usize) -> f32 {
        samples as f32 * 1_000.0 / self.rate as f32
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

#[cfg(test)]
mod tests;
