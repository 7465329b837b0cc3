//! Turns packets that come late, twice, out of order or not at all (RFC 3550) into an even stream of frames.
//!
//! The buffer is pulled by whoever plays: once per packet duration. It never looks at a clock; arrival times are inputs.
//!
//! ```text
//! Filling --as much as the target--> Playing
//!    ^                                 |
//!    +------nothing for 100 ms---------+
//! ```
//!
//! The target delay follows the jitter seen (40 to 200 ms). A buffer that runs dry conceals without moving on, so the delay
//! grows by itself; one that holds too much hands out frames marked as surplus, which the player leaves out where it is quiet.

use std::collections::BTreeMap;

use crate::time::{Duration, Instant};

const MIN_TARGET: Duration = Duration::from_millis(40);
const MAX_TARGET: Duration = Duration::from_millis(200);
/// How much more than the target may wait before frames become surplus.
const SLACK: Duration = Duration::from_millis(40);
/// Beyond this much over the target, surplus frames are dropped whether quiet or not.
const HARD_SLACK: Duration = Duration::from_millis(200);
/// How long a dry buffer conceals before it fills up anew.
const DRY_LIMIT: Duration = Duration::from_millis(100);
/// Packets held at most; more are a flood or a stalled player.
const CAPACITY: usize = 128;
/// A jump of the sequence number that means a new stream rather than a loss.
const RESTART_GAP: i64 = 1_000;
/// A pause of the sender longer than this is not played out; the buffer fills anew after it.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A bounded, adaptive playout buffer for one RTP stream.
#[derive(Clone, Debug)]
pub struct JitterBuffer {
    clock_rate: u32,
    packets: BTreeMap<i64, Slot>,
    state: State,
    /// Extended sequence number of the newest packet ever seen.
    newest: Option<i64>,
    /// Extended sequence number that is played next.
    next: i64,
    /// Timestamp at which the next frame is due, in samples, extended.
    due: i64,
    /// Samples per packet, learned from neighbours.
    packet_samples: i64,
    last_timestamp: Option<(i64, i64)>,
    timing: Timing,
    statistics: JitterStatistics,
}

/// What to play for one packet duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Playout {
    /// Decode this.
    Frame {
        /// The RTP payload.
        payload: Vec<u8>,
        /// More is waiting than needed: leave the decoded frame out if it is quiet.
        surplus: bool,
    },
    /// The packet is lost: conceal it, best from the redundancy in its successor.
    Lost {
        /// The payload of the very next packet, for Opus in-band FEC (RFC 6716 section 2.1.7); it comes again as a frame.
        next: Option<Vec<u8>>,
    },
    /// The packet has not come yet: stretch what was heard last.
    Late,
    /// The sender pauses, or nothing has come yet.
    Silence,
}

/// Counters for diagnostics and quality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStatistics {
    /// Packets taken in, without duplicates.
    pub received: u64,
    /// Packets never seen by the time they were due.
    pub lost: u64,
    /// Packets that came after they had been given up, or twice.
    pub discarded: u64,
    /// Times something was stretched because the next packet had not come.
    pub late: u64,
    /// Frames marked as surplus.
    pub surplus: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    timestamp: i64,
    /// `None` for packets that carry no audio (telephone events): they only account for their number.
    payload: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waiting until the target is reached.
    Filling,
    /// Handing out frames; so many samples were stretched in a row.
    Playing { stretched: i64 },
}

impl JitterBuffer {
    /// An empty buffer for a stream whose timestamps count `clock_rate` samples per second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            packets: BTreeMap::new(),
            state: State::Filling,
            newest: None,
            next: 0,
            due: 0,
            packet_samples: i64::from(clock_rate / 50),
            last_timestamp: None,
            timing: Timing::default(),
            statistics: JitterStatistics::default(),
        }
    }

    /// Takes in a packet of audio that arrived at `now`.
    pub fn insert(&mut self, now: Instant, sequence: u16, timestamp: u32, payload: Vec<u8>) {
        self.store(now, sequence, timestamp, Some(payload));
    }

    /// Notes that packet `sequence` came but carries no audio, so that its number is not taken for a loss.
    pub fn insert_other(&mut self, now: Instant, sequence: u16, timestamp: u32) {
        self.store(now, sequence, timestamp, None);
    }

    /// What to play for the next [`packet_duration`](Self::packet_duration).
    pub fn pull(&mut self) -> Playout {
        if self.state == State::Filling {
            if self.waiting() < self.target() {
                return Playout::Silence;
            }
            self.begin();
        }
        self.skip_other();
        let Some((&sequence, slot)) = self.packets.first_key_value() else {
            return self.stretch();
        };
        if sequence > self.next {
            return self.lose(sequence);
        }
        if slot.timestamp > self.due {
            return self.pause(slot.timestamp);
        }
        self.play()
    }

    /// Audio per packet, as learned from the stream.
    pub fn packet_duration(&self) -> Duration {
        self.duration(self.packet_samples)
    }

    /// The delay aimed at.
    pub fn target(&self) -> Duration {
        (self.timing.spread + self.packet_duration()).clamp(MIN_TARGET, MAX_TARGET)
    }

    /// Counters since the beginning.
    pub fn statistics(&self) -> JitterStatistics {
        self.statistics
    }

    fn store(&mut self, now: Instant, sequence: u16, timestamp: u32, payload: Option<Vec<u8>>) {
        let mut sequence = self.extend_sequence(sequence);
        if self
            .newest
            .is_some_and(|newest| (sequence - newest).abs() > RESTART_GAP)
        {
            self.restart();
            sequence = self.extend_sequence((sequence & 0xffff) as u16);
        }
        let timestamp = self.extend_timestamp(timestamp);
        let too_late = self.state != State::Filling && sequence < self.next;
        if too_late || self.packets.contains_key(&sequence) {
            self.statistics.discarded += 1;
            return;
        }
        self.learn(now, sequence, timestamp, payload.is_some());
        self.statistics.received += 1;
        self.newest = Some(self.newest.map_or(sequence, |newest| newest.max(sequence)));
        self.packets.insert(sequence, Slot { timestamp, payload });
        if self.packets.len() > CAPACITY {
            self.packets.pop_first();
            self.state = State::Filling;
        }
    }

    fn learn(&mut self, now: Instant, sequence: i64, timestamp: i64, audio: bool) {
        if let Some((last_sequence, last_timestamp)) = self.last_timestamp
            && audio
            && sequence == last_sequence + 1
        {
            let samples = timestamp - last_timestamp;
            let plausible = i64::from(self.clock_rate) / 400..=i64::from(self.clock_rate) * 12 / 100;
            if plausible.contains(&samples) {
                self.packet_samples = samples;
            }
        }
        if audio {
            self.last_timestamp = Some((sequence, timestamp));
            let media_time = self.micros(timestamp);
            self.timing.observe(now, media_time);
        }
    }

    fn begin(&mut self) {
        let Some((&sequence, slot)) = self.packets.first_key_value() else {
            return;
        };
        self.next = sequence;
        self.due = slot.timestamp;
        self.state = State::Playing { stretched: 0 };
    }

    fn skip_other(&mut self) {
        while let Some(first) = self.packets.first_entry()
            && *first.key() == self.next
            && first.get().payload.is_none()
        {
            self.next += 1;
            first.remove();
        }
    }

    fn play(&mut self) -> Playout {
        let over = self.waiting().saturating_sub(self.target());
        let Some((sequence, slot)) = self.packets.pop_first() else {
            return Playout::Silence;
        };
        self.next = sequence + 1;
        self.due = slot.timestamp + self.packet_samples;
        self.state = State::Playing { stretched: 0 };
        if over > HARD_SLACK && !self.packets.is_empty() {
            self.statistics.surplus += 1;
            self.skip_other();
            return self.play_or_stretch();
        }
        let surplus = over > SLACK;
        self.statistics.surplus += u64::from(surplus);
        Playout::Frame {
            payload: slot.payload.unwrap_or_default(),
            surplus,
        }
    }

    fn play_or_stretch(&mut self) -> Playout {
        if self.packets.is_empty() {
            self.stretch()
        } else {
            self.play()
        }
    }

    fn lose(&mut self, have: i64) -> Playout {
        self.statistics.lost += 1;
        self.next += 1;
        self.due += self.packet_samples;
        self.state = State::Playing { stretched: 0 };
        let next = (have == self.next)
            .then(|| self.packets.get(&have).and_then(|slot| slot.payload.clone()))
            .flatten();
        Playout::Lost { next }
    }

    fn pause(&mut self, until: i64) -> Playout {
        if self.duration(until - self.due) > LONGEST_PAUSE {
            self.state = State::Filling;
        }
        self.due += self.packet_samples;
        Playout::Silence
    }

    fn stretch(&mut self) -> Playout {
        let State::Playing { stretched } = self.state else {
            return Playout::Silence;
        };
        if self.duration(stretched) >= DRY_LIMIT {
            self.state = State::Filling;
            return Playout::Silence;
        }
        self.statistics.late += 1;
        self.state = State::Playing {
            stretched: stretched + self.packet_samples,
        };
        Playout::Late
    }

    fn restart(&mut self) {
        self.packets.clear();
        self.newest = None;
        self.last_timestamp = None;
        self.timing = Timing::default();
        self.state = State::Filling;
    }

    /// Audio that waits in the buffer.
    fn waiting(&self) -> Duration {
        let (Some(first), Some(last)) = (self.packets.first_key_value(), self.packets.last_key_value())
        else {
            return Duration::ZERO;
        };
        self.duration(last.1.timestamp - first.1.timestamp + self.packet_samples)
    }

    /// RFC 3550 appendix A.1, with the number closest to the newest one.
    fn extend_sequence(&self, sequence: u16) -> i64 {
        let Some(newest) = self.newest else {
            return i64::from(sequence);
        };
        newest + i64::from(sequence.wrapping_sub(newest as u16) as i16)
    }

    fn extend_timestamp(&self, timestamp: u32) -> i64 {
        let Some((_, last)) = self.last_timestamp else {
            return i64::from(timestamp);
        };
        last + i64::from(timestamp.wrapping_sub(last as u32) as i32)
    }

    fn duration(&self, samples: i64) -> Duration {
        Duration::from_micros(u64::try_from(self.micros(samples)).unwrap_or(0))
    }

    fn micros(&self, samples: i64) -> i64 {
        samples.saturating_mul(1_000_000) / i64::from(self.clock_rate.max(1))
    }
}

/// How unevenly packets arrive.
#[derive(Clone, Debug, Default)]
struct Timing {
    /// Arrival minus media time of the fastest packet, in microseconds; creeps up, so that clocks may drift.
    fastest: Option<i64>,
    /// How much later than the fastest one the slowest recent packet came.
    spread: Duration,
}

impl Timing {
    /// The spread halves in about seven seconds of 20 ms packets.
    const DECAY: u32 = 512;
    /// Drift allowed per packet, in microseconds: 500 ppm at 20 ms.
    const CREEP: i64 = 10;

    fn observe(&mut self, now: Instant, media_time: i64) {
        let transit = i64::try_from(now.as_micros())
            .unwrap_or(i64::MAX)
            .saturating_sub(media_time);
        let fastest = self
            .fastest
            .map_or(transit, |fastest| transit.min(fastest + Self::CREEP));
        self.fastest = Some(fastest);
        let lag = Duration::from_micros(u64::try_from(transit - fastest).unwrap_or(0)).min(MAX_TARGET);
        self.spread = lag.max(self.spread - self.spread / Self::DECAY);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const SAMPLES: u32 = 960;

    fn at(packet: u64) -> Instant {
        Instant::from_millis(1_000 + 20 * packet)
    }

    fn put(buffer: &mut JitterBuffer, now: Instant, number: u16) {
        buffer.insert(
            now,
            number,
            u32::from(number).wrapping_mul(SAMPLES),
            number.to_be_bytes().to_vec(),
        );
    }

    fn number(playout: Playout) -> u16 {
        match playout {
            Playout::Frame { payload, .. } => u16::from_be_bytes([payload[0], payload[1]]),
            other @ (Playout::Lost { .. } | Playout::Late | Playout::Silence) => {
                panic!("no frame but {other:?}")
            }
        }
    }

    #[test]
    fn fills_to_forty_milliseconds_then_plays_in_order() {
        let mut buffer = JitterBuffer::new(48_000);
        assert_eq!(buffer.pull(), Playout::Silence);
        put(&mut buffer, at(0), 7);
        assert_eq!(buffer.pull(), Playout::Silence, "20 ms are not enough");
        put(&mut buffer, at(1), 8);
        for expected in 7..50 {
            assert_eq!(number(buffer.pull()), expected);
            put(&mut buffer, at(u64::from(expected)), expected + 2);
        }
        assert_eq!(buffer.statistics().lost, 0);
    }

    #[test]
    fn reorders_across_the_wrap_of_the_sequence_number() {
        let mut buffer = JitterBuffer::new(48_000);
        for n in [65_534, 0, 65_535, 1] {
            buffer.insert(
                at(0),
                n,
                u32::from(n.wrapping_sub(65_534)) * SAMPLES,
                n.to_be_bytes().to_vec(),
            );
        }
        let played: Vec<u16> = (0..4).map(|_| number(buffer.pull())).collect();
        assert_eq!(played, [65_534, 65_535, 0, 1]);
    }

    #[test]
    fn a_lost_packet_is_concealed_from_its_successor_and_a_straggler_is_dropped() {
        let mut buffer = JitterBuffer::new(48_000);
        for n in [1, 2, 4] {
            put(&mut buffer, at(u64::from(n)), n);
        }
        assert_eq!(number(buffer.pull()), 1);
        assert_eq!(number(buffer.pull()), 2);
        assert_eq!(
            buffer.pull(),
            Playout::Lost {
                next: Some(4_u16.to_be_bytes().to_vec())
            }
        );
        put(&mut buffer, at(5), 3);
        assert_eq!(number(buffer.pull()), 4);
        assert_eq!((buffer.statistics().lost, buffer.statistics().discarded), (1, 1));
    }

    #[test]
    fn running_dry_stretches_without_skipping_and_then_fills_anew() {
        let mut buffer = JitterBuffer::new(48_000);
        put(&mut buffer, at(0), 0);
        put(&mut buffer, at(1), 1);
        number(buffer.pull());
        number(buffer.pull());
        assert_eq!(buffer.pull(), Playout::Late);
        put(&mut buffer, at(4), 2);
        assert_eq!(number(buffer.pull()), 2, "late is not lost");
        for _ in 0..5 {
            assert_eq!(buffer.pull(), Playout::Late);
        }
        assert_eq!(buffer.pull(), Playout::Silence);
    }

    #[test]
    fn the_target_follows_the_jitter_up_and_slowly_down() {
        let mut buffer = JitterBuffer::new(48_000);
        for n in 0..50 {
            put(&mut buffer, at(u64::from(n)), n);
            buffer.pull();
        }
        assert_eq!(buffer.target(), Duration::from_millis(40));
        put(&mut buffer, at(50) + Duration::from_millis(90), 50);
        assert!(
            buffer.target() >= Duration::from_millis(105),
            "{:?}",
            buffer.target()
        );
        for n in 51..1_200 {
            put(&mut buffer, at(u64::from(n)), n);
            buffer.pull();
        }
        assert!(
            buffer.target() < Duration::from_millis(60),
            "{:?}",
            buffer.target()
        );
    }

    #[test]
    fn too_much_waiting_is_offered_as_surplus_and_a_flood_stays_bounded() {
        let mut buffer = JitterBuffer::new(48_000);
        for n in 0..8 {
            put(&mut buffer, at(u64::from(n)), n);
        }
        assert!(matches!(buffer.pull(), Playout::Frame { surplus: true, .. }));
        for n in 8..2_000 {
            put(&mut buffer, at(u64::from(n)), n);
        }
        assert!(buffer.packets.len() <= CAPACITY);
        number(buffer.pull());
    }

    #[test]
    fn telephone_events_are_not_losses() {
        let mut buffer = JitterBuffer::new(48_000);
        put(&mut buffer, at(0), 0);
        put(&mut buffer, at(1), 1);
        buffer.insert_other(at(2), 2, SAMPLES * 2);
        buffer.insert_other(at(3), 3, SAMPLES * 2);
        put(&mut buffer, at(4), 4);
        number(buffer.pull());
        number(buffer.pull());
        assert_eq!(buffer.pull(), Playout::Silence);
        assert_eq!(buffer.pull(), Playout::Silence);
        assert_eq!(number(buffer.pull()), 4);
        assert_eq!(buffer.statistics().lost, 0);
    }

    #[test]
    fn a_new_stream_starts_over() {
        let mut buffer = JitterBuffer::new(48_000);
        put(&mut buffer, at(0), 10);
        put(&mut buffer, at(1), 11);
        number(buffer.pull());
        put(&mut buffer, at(2), 40_000);
        put(&mut buffer, at(3), 40_001);
        assert_eq!(number(buffer.pull()), 40_000);
    }

    #[test]
    fn hostile_numbers_do_not_panic() {
        let mut buffer = JitterBuffer::new(48_000);
        let mut random = 1_u64;
        for i in 0..20_000 {
            // The step of a linear congruential generator (Knuth's MMIX constants).
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            buffer.insert(
                Instant::from_micros(random >> (i % 60)),
                random as u16,
                (random >> 16) as u32,
                vec![],
            );
            buffer.insert_other(
                Instant::from_micros(i),
                (random >> 48) as u16,
                (random >> 8) as u32,
            );
            if i % 3 == 0 {
                buffer.pull();
            }
            assert!(buffer.packets.len() <= CAPACITY);
        }
    }
}
