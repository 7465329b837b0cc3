//! Recorded RTP in the format of rtptools (`rtpdump -F dump`), which Wireshark writes too.
//!
//! A line `#!rtpplay1.0 ADDRESS/PORT`, 16 octets about the recording, then for each datagram its length with this header (16 bits), its own
//! length (16 bits, 0 for RTCP), and the milliseconds since the beginning (32 bits).

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use clearline_core::{Duration, Instant};

use crate::SAMPLE_RATE;
use crate::engine::Packet;
use crate::rtp::RtpPacket;

/// How every dump begins.
pub const MAGIC: &[u8] = b"#!rtpplay1.0 ";
/// Packets a dump may have.
const MAX_PACKETS: usize = 1_000_000;
/// Bytes of the first line that are searched for its end.
const MAX_FIRST_LINE: usize = 256;
const ABOUT: usize = 16;

/// The packets of one stream of a dump, in the order in which they arrived.
#[derive(Clone, Debug)]
pub struct Dump<'a> {
    /// With the time since the beginning.
    pub arrivals: Vec<(Instant, Packet<'a>)>,
}

/// What the packets alone say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Different packets.
    pub received: usize,
    /// Numbers missing between the first and the last.
    pub lost: usize,
    /// Packets that came again.
    pub duplicates: usize,
    /// Packets that came after a later one.
    pub reordered: usize,
}

impl<'a> Dump<'a> {
    /// Reads the stream with this payload type, or with the most packets. Where a dump was cut off in the middle of a packet, it ends.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn read(file: &'a [u8], payload_type: Option<u8>) -> Result<Self, DumpError> {
        let records = records(file)?;
        let mut streams = BTreeMap::<(u32, u8), Vec<(Instant, Packet<'a>)>>::new();
        for (arrived, packet) in records.take(MAX_PACKETS).filter_map(rtp) {
            let RtpPacket {
                payload_type,
                sequence,
                timestamp,
                ssrc,
                payload,
            } = packet;
            let packet = Packet {
                sequence,
                timestamp,
                payload,
            };
            streams
                .entry((ssrc, payload_type))
                .or_default()
                .push((arrived, packet));
        }
        let wanted = |&(_, found): &(u32, u8)| payload_type.is_none_or(|wanted| wanted == found);
        let arrivals = streams
            .into_iter()
            .filter(|(key, _)| wanted(key))
            .map(|(_, arrivals)| arrivals)
            .max_by_key(Vec::len)
            .ok_or(DumpError::NoStream)?;
        Ok(Self { arrivals })
    }

    /// Counts what came and what did not.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        let mut seen = BTreeMap::<i64, ()>::new();
        let mut newest = None;
        for (_, packet) in &self.arrivals {
            let number = newest.map_or(i64::from(packet.sequence), |newest: i64| {
                newest + i64::from(packet.sequence.wrapping_sub(newest as u16) as i16)
            });
            if seen.insert(number, ()).is_some() {
                census.duplicates += 1;
            } else {
                census.reordered += usize::from(newest.is_some_and(|newest| number < newest));
            }
            newest = newest.max(Some(number));
        }
        census.received = seen.len();
        if let (Some((first, ())), Some((last, ()))) = (seen.first_key_value(), seen.last_key_value()) {
            census.lost = usize::try_from(last - first + 1)
                .unwrap_or(0)
                .saturating_sub(seen.len());
        }
        census
    }

    /// The mean time packets took longer than the fastest, in ms (timestamps at 48 kHz).
    pub fn mean_delay(&self) -> f64 {
        let first = self.arrivals.first().map_or(0, |(_, packet)| packet.timestamp);
        let transit = |(arrived, packet): &(Instant, Packet<'_>)| {
            let media = f64::from(packet.timestamp.wrapping_sub(first) as i32) / f64::from(SAMPLE_RATE);
            arrived.as_micros() as f64 / 1e3 - media * 1e3
        };
        let transits: Vec<f64> = self.arrivals.iter().map(transit).collect();
        crate::trace::mean(&transits) - transits.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// Why a file is no dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpError {
    /// It does not begin with `#!rtpplay1.0` and the 16 octets after that line.
    NotADump,
    /// It has no RTP packets, or none with the payload type that was asked for.
    NoStream,
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADump => "not a file of `rtpdump -F dump`",
            Self::NoStream => "no RTP of this payload type is in it",
        })
    }
}

impl Error for DumpError {}

/// The datagrams, without those that are empty or RTCP.
fn records(file: &[u8]) -> Result<impl Iterator<Item = (Instant, &[u8])>, DumpError> {
    let start = file.get(..MAX_FIRST_LINE.min(file.len())).unwrap_or_default();
    let line = start
        .iter()
        .position(|&byte| byte == b'\n')
        .filter(|_| file.starts_with(MAGIC));
    let mut rest = line
        .and_then(|line| file.get(line + 1 + ABOUT..))
        .ok_or(DumpError::NotADump)?;
    let next = move || {
        let (&[l0, l1, p0, p1, m0, m1, m2, m3], body) = rest.split_first_chunk::<8>()?;
        let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(8)?;
        let (datagram, after) = body.split_at_checked(length)?;
        rest = after;
        let arrived = Instant::ZERO + Duration::from_millis(u64::from(u32::from_be_bytes([m0, m1, m2, m3])));
        let is_rtp = u16::from_be_bytes([p0, p1]) != 0;
        Some((arrived, if is_rtp { datagram } else { &[] }))
    };
    Ok(std::iter::from_fn(next).filter(|(_, datagram)| !datagram.is_empty()))
}

/// Padding alone is no audio: browsers probe the bandwidth with it.
fn rtp((arrived, datagram): (Instant, &[u8])) -> Option<(Instant, RtpPacket<'_>)> {
    let packet = RtpPacket::read(datagram)?;
    (!packet.payload.is_empty()).then_some((arrived, packet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(packets: &[(u32, &[u8])]) -> Vec<u8> {
        let mut file = b"#!rtpplay1.0 127.0.0.1/4000\n".to_vec();
        file.extend([0; ABOUT]);
        for (millis, datagram) in packets {
            file.extend((datagram.len() as u16 + 8).to_be_bytes());
            file.extend((datagram.len() as u16).to_be_bytes());
            file.extend(millis.to_be_bytes());
            file.extend_from_slice(datagram);
        }
        file
    }

    fn datagram(payload_type: u8, sequence: u16, timestamp: u32) -> Vec<u8> {
        let mut datagram = vec![0x80, payload_type];
        datagram.extend(sequence.to_be_bytes());
        datagram.extend(timestamp.to_be_bytes());
        datagram.extend([0, 0, 0, 1, 0xaa]);
        datagram
    }

    #[test]
    fn the_stream_with_the_most_packets_is_read_and_counted() {
        let numbers = [(0, 65_534_u16), (20, 65_535), (60, 1), (65, 0), (70, 0), (100, 3)];
        let packets: Vec<(u32, Vec<u8>)> = numbers
            .iter()
            .map(|&(millis, number)| {
                (
                    millis,
                    datagram(111, number, u32::from(number.wrapping_add(2)) * 960),
                )
            })
            .chain([(101, datagram(101, 4, 0))])
            .collect();
        let file = dump(
            &packets
                .iter()
                .map(|(millis, datagram)| (*millis, datagram.as_slice()))
                .collect::<Vec<_>>(),
        );
        let read = Dump::read(&file, None).unwrap();
        assert_eq!(read.arrivals.len(), 6);
        assert_eq!(read.arrivals[1].0, Instant::from_millis(20));
        assert_eq!(
            read.census(),
            Census {
                received: 5,
                lost: 1,
                duplicates: 1,
                reordered: 1
            }
        );
        assert!(
            (read.mean_delay() - (25.0 + 30.0) / 6.0).abs() < 1e-9,
            "{}",
            read.mean_delay()
        );
        assert_eq!(Dump::read(&file, Some(101)).unwrap().arrivals.len(), 1);
        assert_eq!(Dump::read(&file, Some(8)).unwrap_err(), DumpError::NoStream);
    }

    #[test]
    fn a_file_that_is_cut_off_ends_there() {
        let packet = datagram(111, 1, 960);
        let file = dump(&[(0, &packet), (20, &packet)]);
        for length in 0..file.len() {
            let read = Dump::read(&file[..length], None);
            let expected = if length < 44 {
                Err(DumpError::NotADump)
            } else if length < 44 + 8 + packet.len() {
                Err(DumpError::NoStream)
            } else {
                Ok(1)
            };
            assert_eq!(read.map(|dump| dump.arrivals.len()), expected, "{length}");
        }
    }
}
