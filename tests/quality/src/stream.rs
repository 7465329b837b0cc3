//! Speech as the payloads of an RTP stream, and what they sound like when none is lost.

use opus::{Application, Bitrate, Channels, Decoder, Encoder};

use crate::{FRAME, SAMPLE_RATE};

const BITRATE: i32 = 32_000;
/// Loss the encoder adds redundancy for, in per cent.
const EXPECTED_LOSS: i32 = 10;
/// The longest payload of one Opus frame (RFC 6716 section 3.2.1).
const MAX_PAYLOAD: usize = 1_275;

/// Whether packets repeat their predecessors in little (RFC 6716 section 2.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redundancy {
    /// In-band FEC, for one loss in ten.
    InBand,
    /// None.
    Without,
}

/// An Opus stream: 32 kbit/s, 20 ms, mono.
#[derive(Clone, Debug)]
pub struct Stream {
    /// One for each packet.
    pub payloads: Vec<Vec<u8>>,
    /// The samples of all payloads: the reference that nothing can be better than.
    pub clean: Vec<i16>,
}

impl Stream {
    /// Encodes whole frames of `speech`.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn encode(
        speech: impl IntoIterator<Item = i16>,
        redundancy: Redundancy,
    ) -> Result<Self, opus::Error> {
        let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE))?;
        if redundancy == Redundancy::InBand {
            encoder.set_inband_fec(true)?;
            encoder.set_packet_loss_perc(EXPECTED_LOSS)?;
        }
        let mut decoder = Decoder::new(SAMPLE_RATE, Channels::Mono)?;
        let (mut payloads, mut clean) = (Vec::new(), Vec::new());
        let (mut frame, mut decoded) = (Vec::with_capacity(FRAME), [0; FRAME]);
        for sample in speech {
            frame.push(sample);
            if frame.len() == FRAME {
                let payload = encoder.encode_vec(&frame, MAX_PAYLOAD)?;
                let count = decoder.decode(&payload, &mut decoded, false)?;
                clean.extend_from_slice(&decoded[..count]);
                payloads.push(payload);
                frame.clear();
            }
        }
        Ok(Self { payloads, clean })
    }

    /// Share of the packets that carry redundancy, in per cent.
    pub fn redundant(&self) -> f64 {
        let with = self
            .payloads
            .iter()
            .filter(|payload| has_redundancy(payload))
            .count();
        crate::trace::percentage(with, self.payloads.len())
    }
}

/// Whether a packet with one Opus frame of 10 or 20 ms, mono, has a copy of the frame before it in it.
///
/// SILK's first bits are flags, coded with even odds and so readable as they are: voice activity, then low bit-rate redundancy
/// (RFC 6716 section 4.2.3). The table of contents (section 3.1) says whether there is SILK.
pub fn has_redundancy(payload: &[u8]) -> bool {
    let [contents, flags, ..] = payload else {
        return false;
    };
    let (configuration, stereo, frames) = (contents >> 3, contents & 0b100 != 0, contents & 0b11);
    let silk_of_one_frame = matches!(configuration, 0 | 1 | 4 | 5 | 8 | 9 | 12..=15);
    silk_of_one_frame && !stereo && frames == 0 && flags & 0b0100_0000 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::babble;

    #[test]
    fn redundancy_is_there_when_it_was_asked_for() {
        let speech = babble(100);
        let with = Stream::encode(speech.clone(), Redundancy::InBand).unwrap();
        let without = Stream::encode(speech, Redundancy::Without).unwrap();
        assert_eq!(with.payloads.len(), 100);
        assert_eq!(with.clean.len(), 100 * FRAME);
        assert!(with.redundant() > 60.0, "{}", with.redundant());
        assert_eq!(without.redundant(), 0.0);
    }

    #[test]
    fn what_is_no_silk_has_no_redundancy() {
        for payload in [
            &[][..],
            &[0x78],
            &[0xf8, 0xff],
            &[0x7c, 0xff],
            &[0x7b, 0xff],
            &[0x10, 0xff],
        ] {
            assert!(!has_redundancy(payload), "{payload:?}");
        }
        assert!(has_redundancy(&[0x78, 0x40, 0]));
    }
}
