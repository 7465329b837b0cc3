//! Which stream a packet belongs to and where in it: sequence numbers and timestamps without their wraps.
//!
//! ```text
//! Known --other SSRC, or a number far away--> Stranger --its successor--> NewStream --> Known
//!   ^                                            |
//!   +------------- a packet of ours -------------+
//! ```
//! Positions count samples from anywhere. They rise with the numbers whatever the timestamps do: a sender that starts its
//! timestamps anew, or turns them back, is taken to go on where it was.

use crate::time::Instant;

/// A number further ahead than this is another stream, or the same one begun anew (RFC 3550 appendix A.1).
const LONGEST_GAP: i64 = 3_000;
/// A number further back than this too.
const LONGEST_DISORDER: i64 = 100;
/// A timestamp that disagrees with the clock by more than this many microseconds says nothing about when it was spoken.
const LARGEST_DISAGREEMENT: u64 = 3_000_000;

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the stream that plays.
    Known(i64),
    /// Nowhere yet: the first packet of another stream, unless it was a stray one. Its successor decides.
    Stranger,
    /// In another stream, to which the stranger before it belongs too.
    NewStream,
}

/// The numbers and positions of one stream.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    clock_rate: i64,
    sample_rate: i64,
    stream: Option<Stream>,
    stranger: Option<(u32, u16)>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    /// The highest extended number of all.
    newest: i64,
    /// The packet of audio with the highest number.
    audio: Option<Audio>,
}

#[derive(Clone, Copy, Debug)]
struct Audio {
    number: i64,
    timestamp: u32,
    position: i64,
    /// Arrival without the position, in microseconds.
    transit: i64,
}

impl Timeline {
    pub(super) fn new(clock_rate: u32, sample_rate: u32) -> Self {
        Self {
            clock_rate: i64::from(clock_rate.max(1)),
            sample_rate: i64::from(sample_rate.max(1)),
            stream: None,
            stranger: None,
        }
    }

    /// The extended number of a packet.
    pub(super) fn place(&mut self, ssrc: u32, sequence: u16) -> Place {
        let number = self
            .stream
            .filter(|stream| stream.ssrc == ssrc)
            .map(|stream| (stream.newest, extend(stream.newest, sequence)));
        let Some((newest, number)) = number else {
            return if self.stream.is_none() {
                Place::NewStream
            } else {
                self.stranger(ssrc, sequence)
            };
        };
        if !(-LONGEST_DISORDER..=LONGEST_GAP).contains(&(number - newest)) {
            return self.stranger(ssrc, sequence);
        }
        self.stranger = None;
        Place::Known(number)
    }

    /// Begins another stream with this packet; its number.
    pub(super) fn begin(&mut self, ssrc: u32, sequence: u16) -> i64 {
        let number = i64::from(sequence);
        self.stranger = None;
        self.stream = Some(Stream {
            ssrc,
            newest: number,
            audio: None,
        });
        number
    }

    /// Takes note of a packet without audio.
    pub(super) fn pass(&mut self, number: i64) {
        if let Some(stream) = &mut self.stream {
            stream.newest = stream.newest.max(number);
        }
    }

    /// The position of a packet of audio, `duration` being what a packet usually holds. `None`: a timestamp that contradicts
    /// its number.
    pub(super) fn position(
        &mut self,
        now: Instant,
        number: i64,
        timestamp: u32,
        duration: usize,
    ) -> Option<i64> {
        let (clock_rate, sample_rate) = (self.clock_rate, self.sample_rate);
        let stream = self.stream.as_mut()?;
        stream.newest = stream.newest.max(number);
        let mut position = i64::from(timestamp) * sample_rate / clock_rate;
        if let Some(last) = stream.audio {
            let ticks = i64::from(timestamp.wrapping_sub(last.timestamp) as i32);
            position = last.position + ticks * sample_rate / clock_rate;
            if number <= last.number {
                return (position < last.position).then_some(position);
            }
            let transit = transit(now, position, sample_rate);
            if ticks <= 0 || transit.saturating_sub(last.transit).unsigned_abs() > LARGEST_DISAGREEMENT {
                // As if it came as late as the one before.
                let spoken = micros(now)
                    .saturating_sub(last.transit)
                    .saturating_mul(sample_rate)
                    / 1_000_000;
                position = spoken.max(last.position + duration as i64);
            }
        }
        stream.audio = Some(Audio {
            number,
            timestamp,
            position,
            transit: transit(now, position, sample_rate),
        });
        Some(position)
    }

    /// The highest number that has come.
    pub(super) fn newest(&self) -> i64 {
        self.stream.map_or(0, |stream| stream.newest)
    }

    fn stranger(&mut self, ssrc: u32, sequence: u16) -> Place {
        let before = self.stranger.replace((ssrc, sequence));
        // Two in a row make a source (RFC 3550 appendix A.1).
        if before == Some((ssrc, sequence.wrapping_sub(1))) {
            Place::NewStream
        } else {
            Place::Stranger
        }
    }
}

pub(super) fn micros(now: Instant) -> i64 {
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Arrival minus position, in microseconds.
pub(super) fn transit(now: Instant, position: i64, sample_rate: i64) -> i64 {
    micros(now).saturating_sub(position.saturating_mul(1_000_000) / sample_rate)
}

/// RFC 3550 appendix A.1: the number closest to the newest one.
fn extend(newest: i64, sequence: u16) -> i64 {
    newest + i64::from(sequence.wrapping_sub(newest as u16) as i16)
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn started(sequence: u16, timestamp: u32) -> Timeline {
        let mut timeline = Timeline::new(8_000, 16_000);
        assert_eq!(timeline.place(1, sequence), Place::NewStream);
        let number = timeline.begin(1, sequence);
        timeline.position(Instant::ZERO, number, timestamp, 320);
        timeline
    }

    #[test]
    fn numbers_and_timestamps_wrap() {
        let mut timeline = started(65_535, u32::MAX - 159);
        assert_eq!(timeline.place(1, 0), Place::Known(65_536));
        let first = i64::from(u32::MAX - 159) * 2;
        let position = timeline.position(Instant::from_millis(20), 65_536, 0, 320);
        assert_eq!(position, Some(first + 320), "two samples per tick");
        assert_eq!(
            timeline.place(1, 65_534),
            Place::Known(65_534),
            "an old one is old"
        );
    }

    #[test]
    fn another_source_counts_from_its_second_packet_in_a_row() {
        let mut timeline = started(10, 0);
        assert_eq!(timeline.place(2, 500), Place::Stranger);
        assert_eq!(
            timeline.place(1, 11),
            Place::Known(11),
            "two sources at the same time: the first stays"
        );
        assert_eq!(timeline.place(2, 501), Place::Stranger);
        assert_eq!(timeline.place(2, 502), Place::NewStream);
        assert_eq!(timeline.begin(2, 502), 502);
    }

    #[test]
    fn a_jump_of_the_numbers_is_another_stream_and_a_stray_one_is_none() {
        let mut timeline = started(10, 0);
        assert_eq!(timeline.place(1, 30_000), Place::Stranger);
        assert_eq!(timeline.place(1, 11), Place::Known(11));
        assert_eq!(timeline.place(1, 30_000), Place::Stranger);
        assert_eq!(timeline.place(1, 30_001), Place::NewStream);
        assert_eq!(
            timeline.place(1, 3_010),
            Place::Known(3_010),
            "a minute of loss is only loss"
        );
    }

    #[test]
    fn timestamps_that_run_backwards_go_on_where_they_were() {
        let mut timeline = started(10, 8_000);
        let back = timeline.position(Instant::from_millis(20), 11, 160, 320);
        assert_eq!(back, Some(16_320));
        let next = timeline.position(Instant::from_millis(40), 12, 320, 320);
        assert_eq!(next, Some(16_640), "and are believed again");
    }

    #[test]
    fn a_pause_is_believed_if_it_took_as_long() {
        let mut timeline = started(10, 0);
        let pause = timeline.position(Instant::from_secs(60), 11, 60 * 8_000, 320);
        assert_eq!(pause, Some(60 * 16_000));
        let jump = timeline.position(Instant::from_millis(60_020), 12, 600 * 8_000, 320);
        assert_eq!(jump, Some(60 * 16_000 + 320), "nine minutes did not pass");
    }

    #[test]
    fn a_packet_between_two_others_lies_between_them() {
        let mut timeline = started(10, 0);
        timeline.position(Instant::from_millis(40), 12, 320, 320);
        assert_eq!(
            timeline.position(Instant::from_millis(41), 11, 160, 320),
            Some(320)
        );
        assert_eq!(timeline.position(Instant::from_millis(42), 11, 99_999, 320), None);
    }
}
