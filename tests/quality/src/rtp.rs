//! The header of an RTP packet, as far as relays and replays need it.

/// An RTP packet that lies in somebody else's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// What the payload is.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Without padding; encrypted in SRTP.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram; `None` if it is no RTP of version 2 (RFC 3550 section 5.1), as RTCP, STUN and DTLS are not (RFC 7983).
    pub fn read(datagram: &'a [u8]) -> Option<Self> {
        let (header, mut rest) = datagram.split_first_chunk::<12>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *header;
        // RFC 5761 section 4: with the marker, these would be RTCP.
        if first >> 6 != 2 || (192..=223).contains(&second) {
            return None;
        }
        rest = rest.get(usize::from(first & 0x0f) * 4..)?;
        if first & 0x10 != 0 {
            let (&[_, _, l0, l1], extension) = rest.split_first_chunk::<4>()?;
            rest = extension.get(usize::from(u16::from_be_bytes([l0, l1])) * 4..)?;
        }
        Some(Self {
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload: if first & 0x20 != 0 {
                without_padding(rest)?
            } else {
                rest
            },
        })
    }
}

/// The last octet says how much padding there is, itself included; in SRTP nobody but the receiver can read it.
fn without_padding(payload: &[u8]) -> Option<&[u8]> {
    let padding = usize::from(*payload.last()?);
    payload.get(..payload.len().checked_sub(padding)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_everything_is_read() {
        let datagram = [
            0xb1, 0xef, 0xff, 0xfe, 0, 0, 0, 7, 1, 2, 3, 4, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 5, 5, 5, 5, 42, 0,
            2,
        ];
        let packet = RtpPacket::read(&datagram).unwrap();
        assert_eq!(
            (packet.payload_type, packet.sequence, packet.timestamp),
            (111, 65_534, 7)
        );
        assert_eq!((packet.ssrc, packet.payload), (0x0102_0304, &[42][..]));
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_not() {
        let whole = [
            0xb0, 111, 0, 1, 0, 0, 0, 7, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 5, 5, 5, 5, 42, 2,
        ];
        assert!(RtpPacket::read(&whole).is_some());
        for length in 0..20 {
            assert_eq!(RtpPacket::read(&whole[..length]), None, "{length}");
        }
        let mut other = whole;
        other[1] = 200;
        assert_eq!(RtpPacket::read(&other), None, "RTCP");
        other = whole;
        other[0] = 0x30;
        assert_eq!(RtpPacket::read(&other), None, "another version");
        other = whole;
        other[21] = 200;
        assert_eq!(RtpPacket::read(&other), None, "more padding than payload");
    }
}
