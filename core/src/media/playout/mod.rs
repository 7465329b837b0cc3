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
//! `DelayEstimate` learns.
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
mod control;
mod decoder;
mod delay;
mod intake;
mod line;
mod packet;
mod redundancy;
mod schedule;
mod similarity;
mod statistics;
mod store;
mod stretch;
mod timeline;
mod voice;

pub use decoder::{Decoder, Undecodable};
pub use packet::{Content, Packet};
pub use statistics::{Operation, Statistics};

use conceal::{Background, Repeater};
use delay::DelayEstimate;
use line::Line;
use similarity::Search;
use store::{Kind, PacketStore};
use stretch::Times;
use timeline::{Place, Timeline};

use crate::time::{Duration, Instant};

/// The longest packet (RFC 6716 section 2.1.4), in milliseconds.
const LONGEST_PACKET_MS: u32 = 120;

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
    /// Samples put in since the last packet.
    stretched: usize,
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
            stretched: 0,
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

/// Units.
impl<D: Decoder> Playout<D> {
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

#[cfg(test)]
mod tests;
