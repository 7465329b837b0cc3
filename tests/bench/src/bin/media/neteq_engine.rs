//! The `neteq` crate, with the same libopus behind it.

use clearline_core::Instant;
use clearline_quality::engine::{Engine, Packet, Statistics};
use clearline_quality::{PULL, SAMPLE_RATE};
use neteq::codec::AudioDecoder;
use neteq::{AudioPacket, NetEqConfig, NetEqError, RtpHeader};
use opus::{Channels, Decoder};

use crate::Result;
use crate::virtual_clock;

const PAYLOAD_TYPE: u8 = 111;

/// As it comes, for 48 kHz mono.
pub(crate) struct NetEq(neteq::NetEq);

impl NetEq {
    pub(crate) fn new() -> Result<Self> {
        virtual_clock::set(Instant::ZERO);
        let config = NetEqConfig {
            sample_rate: SAMPLE_RATE,
            channels: 1,
            ..NetEqConfig::default()
        };
        let mut engine = neteq::NetEq::new(config)?;
        engine.register_decoder(
            PAYLOAD_TYPE,
            Box::new(Opus(Decoder::new(SAMPLE_RATE, Channels::Mono)?)),
        );
        Ok(Self(engine))
    }
}

impl Engine for NetEq {
    fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        virtual_clock::set(now);
        let header = RtpHeader::new(packet.sequence, packet.timestamp, 1, PAYLOAD_TYPE, false);
        let packet = AudioPacket::new(header, packet.payload.to_vec(), SAMPLE_RATE, 1, 20);
        // One that comes too late or twice is refused: its statistics say so.
        let _ = self.0.insert_packet(packet);
    }

    fn pull(&mut self, now: Instant, output: &mut [i16; PULL]) {
        virtual_clock::set(now);
        let frame = self.0.get_audio().map(|frame| frame.samples).unwrap_or_default();
        output.fill(0);
        for (sample, played) in output.iter_mut().zip(frame) {
            *sample = (played * 32_767.0).round() as i16;
        }
    }

    fn statistics(&self) -> Statistics {
        let lifetime = self.0.get_statistics().lifetime;
        Statistics {
            concealed: lifetime.concealed_samples,
            recovered: 0,
            removed: lifetime.removed_samples_for_acceleration,
            inserted: lifetime.inserted_samples_for_deceleration,
        }
    }
}

struct Opus(Decoder);

impl AudioDecoder for Opus {
    fn sample_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn channels(&self) -> u8 {
        1
    }

    fn decode(&mut self, encoded: &[u8]) -> neteq::Result<Vec<f32>> {
        let mut output = vec![0.0; 5_760];
        let count = self
            .0
            .decode_float(encoded, &mut output, false)
            .map_err(|error| NetEqError::DecoderError(error.to_string()))?;
        output.truncate(count);
        Ok(output)
    }
}
