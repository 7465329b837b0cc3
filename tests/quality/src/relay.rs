//! A relay that treats the RTP of one direction as a trace says.
//!
//! Packets leave on the media clock, not on the sender's: what begins at media time `t` leaves at `begin + t + delay`, where `begin` is
//! a little after the first packet came. So the sender's own unevenness (browsers send pairs of packets) does not reach the
//! receiver. Whatever is no RTP of the stream passes at once. The relay is told the time; a program around it has the sockets.

use std::collections::BTreeMap;

use clearline_core::{Duration, Instant};

use crate::rtp::RtpPacket;
use crate::trace::Trace;
use crate::{FRAME, SAMPLE_RATE};

/// How late a sender may be with a packet: Chromium's worst pacing.
const HEADSTART: Duration = Duration::from_millis(40);
/// Datagrams held at most: two seconds of 2.5 ms packets. More pass at once.
const CAPACITY: usize = 800;

/// One direction of a relay.
#[derive(Clone, Debug)]
pub struct Relay {
    /// The delay of each packet, `None` for those that are lost.
    way: Vec<Option<Duration>>,
    stream: Option<Stream>,
    held: BTreeMap<(Instant, u64), Vec<u8>>,
    accepted: u64,
}

/// The stream that the trace is for: the first one seen.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: u32,
    payload_type: u8,
    first_timestamp: u32,
    begin: Instant,
}

impl Relay {
    /// A relay that begins with the first packet of `trace` when it sees the first packet of RTP.
    pub fn new(trace: &Trace) -> Self {
        Self {
            way: trace.packets.iter().map(|packet| packet.delay()).collect(),
            stream: None,
            held: BTreeMap::new(),
            accepted: 0,
        }
    }

    /// Takes in a datagram.
    pub fn accept(&mut self, now: Instant, datagram: &[u8]) {
        self.accepted += 1;
        if let Some(leaves) = self.leaves(now, datagram) {
            self.held.insert((leaves, self.accepted), datagram.to_vec());
        }
    }

    /// The next datagram to be sent by `now`.
    pub fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        let first = self.held.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next datagram is to be sent.
    pub fn deadline(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((leaves, _), _)| *leaves)
    }

    /// When a datagram leaves; `None` if it is lost.
    fn leaves(&mut self, now: Instant, datagram: &[u8]) -> Option<Instant> {
        let Some(packet) = RtpPacket::read(datagram).filter(|_| self.held.len() < CAPACITY) else {
            return Some(now);
        };
        let stream = *self.stream.get_or_insert(Stream {
            ssrc: packet.ssrc,
            payload_type: packet.payload_type,
            first_timestamp: packet.timestamp,
            begin: now + HEADSTART,
        });
        let since = packet.timestamp.wrapping_sub(stream.first_timestamp) as i32;
        let is_stream = packet.ssrc == stream.ssrc && packet.payload_type == stream.payload_type;
        let (true, Ok(ticks)) = (is_stream, u64::try_from(since)) else {
            return Some(now);
        };
        let on_time = stream.begin + Duration::from_micros(ticks * 1_000_000 / u64::from(SAMPLE_RATE));
        // After its end a trace does nothing.
        let delay = self
            .way
            .get(ticks as usize / FRAME)
            .copied()
            .unwrap_or(Some(Duration::ZERO))?;
        Some((on_time + delay).max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0,0,0,0\n1,960,20000,lost\n2,1920,40000,90000\n3,2880,60000,90000\n";

    fn relay() -> Relay {
        Relay::new(&Trace::parse(TRACE).unwrap())
    }

    fn datagram(ssrc: u8, sequence: u8, timestamp: u32) -> Vec<u8> {
        let mut datagram = vec![0x80, 111, 0, sequence];
        datagram.extend(timestamp.to_be_bytes());
        datagram.extend([0, 0, 0, ssrc, 0xaa]);
        datagram
    }

    /// What leaves, and when in ms.
    fn drain(relay: &mut Relay) -> Vec<(u64, u8)> {
        let mut left = Vec::new();
        while let Some(deadline) = relay.deadline() {
            let datagram = relay.due(deadline).unwrap();
            left.push((deadline.as_millis(), datagram[3]));
        }
        left
    }

    #[test]
    fn packets_leave_on_the_media_clock_as_the_trace_says() {
        let mut relay = relay();
        // The sender sends in pairs.
        for (millis, sequence) in [(1_000, 0_u8), (1_010, 1), (1_045, 2), (1_045, 3), (1_085, 4)] {
            relay.accept(
                Instant::from_millis(millis),
                &datagram(1, sequence, 500 + 960 * u32::from(sequence)),
            );
        }
        assert_eq!(
            drain(&mut relay),
            [(1_040, 0), (1_120, 4), (1_130, 2), (1_130, 3)]
        );
    }

    #[test]
    fn what_is_not_the_stream_passes_at_once() {
        let mut relay = relay();
        relay.accept(Instant::from_millis(10), &datagram(1, 0, 0));
        for (other, name) in [
            (datagram(2, 7, 960), 7),
            (vec![22, 254, 253, 8], 8),
            (datagram(1, 9, 0_u32.wrapping_sub(960)), 9),
        ] {
            relay.accept(Instant::from_millis(11), &other);
            assert_eq!(relay.due(Instant::from_millis(11)).unwrap()[3], name);
        }
        assert_eq!(drain(&mut relay), [(50, 0)]);
        assert_eq!(relay.deadline(), None);
    }

    #[test]
    fn a_flood_is_not_held() {
        let mut relay = relay();
        for _ in 0..2 * CAPACITY {
            relay.accept(Instant::from_millis(1), &datagram(1, 0, u32::MAX / 4));
        }
        let at_once = relay.held.range(..(Instant::from_millis(2), 0)).count();
        assert_eq!(at_once, CAPACITY, "the rest");
    }
}
