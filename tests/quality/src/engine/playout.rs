//! The playout engine of the core, with libopus behind it.

use clearline_core::Instant;
use clearline_core::media::playout::{self, Content, Playout, Undecodable};
use opus::{Channels, Decoder};

use super::{Engine, Packet, Statistics};
use crate::stream::has_redundancy;
use crate::{PULL, SAMPLE_RATE};

/// `clearline_core::media::playout::Playout` and libopus.
pub struct Own(Playout<Opus>);

impl Own {
    /// A silent engine.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn new() -> Result<Self, opus::Error> {
        Ok(Self(Playout::new(Opus(Decoder::new(
            SAMPLE_RATE,
            Channels::Mono,
        )?))))
    }
}

impl Engine for Own {
    fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        let Packet {
            sequence,
            timestamp,
            payload,
        } = *packet;
        let content = Content::Audio(payload);
        self.0.insert(
            now,
            playout::Packet {
                ssrc: 1,
                sequence,
                timestamp,
                content,
            },
        );
    }

    fn pull(&mut self, now: Instant, output: &mut [i16; PULL]) {
        output.copy_from_slice(self.0.pull(now).samples);
    }

    fn statistics(&self) -> Statistics {
        let statistics = self.0.statistics();
        Statistics {
            concealed: statistics.concealed,
            recovered: statistics.recovered * crate::FRAME as u64,
            removed: statistics.accelerated,
            inserted: statistics.expanded,
        }
    }
}

/// libopus, with its concealment and in-band FEC (RFC 6716 sections 2.1.7 and 4.4).
struct Opus(Decoder);

impl playout::Decoder for Opus {
    fn clock_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn sample_rate(&self) -> u32 {
        SAMPLE_RATE
    }

    fn duration(&self, payload: &[u8]) -> Option<usize> {
        self.0.get_nb_samples(payload).ok()
    }

    fn decode(&mut self, payload: &[u8], output: &mut [i16]) -> Result<usize, Undecodable> {
        self.0.decode(payload, output, false).map_err(|_| Undecodable)
    }

    fn has_copy_of_previous(&self, payload: &[u8]) -> bool {
        has_redundancy(payload)
    }

    fn recover(&mut self, next: &[u8], output: &mut [i16]) -> bool {
        has_redundancy(next) && self.0.decode(next, output, true).is_ok()
    }

    fn conceal(&mut self, output: &mut [i16]) -> bool {
        self.0.decode(&[], output, false).is_ok()
    }

    /// A packet of one or two octets is one of a pause.
    fn is_pause(&self, payload: &[u8]) -> bool {
        payload.len() <= 2
    }

    fn reset(&mut self) {
        // Cannot fail: it only writes into what is there.
        let _ = self.0.reset_state();
    }
}
