//! The jitter buffer of the core with libopus behind it, as the native client has them.

use clearline_core::Instant;
use clearline_core::media::{JitterBuffer, Level, Playout};

use super::opus_line::OpusLine;
use super::{Engine, Packet, Statistics};
use crate::{PULL, SAMPLE_RATE};

/// A surplus frame is left out if it is quieter than this.
const QUIET_DBFS: f64 = -45.0;

/// `clearline_core::media::JitterBuffer` and libopus.
pub struct Adaptive {
    line: OpusLine,
    buffer: JitterBuffer,
    begun: bool,
}

impl Adaptive {
    /// An empty buffer.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            line: OpusLine::new()?,
            buffer: JitterBuffer::new(SAMPLE_RATE),
            begun: false,
        })
    }

    fn append(&mut self) {
        let samples = self.buffer.packet_duration().as_micros() as usize * SAMPLE_RATE as usize / 1_000_000;
        match self.buffer.pull() {
            Playout::Frame { payload, surplus } => self.frame(&payload, surplus),
            Playout::Lost { next: Some(next) } => self.line.recover(&next, samples),
            Playout::Lost { next: None } | Playout::Late => self.line.conceal(samples),
            Playout::Silence => {
                self.line.append(vec![0; samples]);
                self.line.statistics.concealed += if self.begun { samples as u64 } else { 0 };
            }
        }
    }

    fn frame(&mut self, payload: &[u8], surplus: bool) {
        self.begun = true;
        let samples = self.line.decoded(payload);
        if surplus && Level::of(&samples).rms_dbfs() < QUIET_DBFS {
            self.line.statistics.removed += samples.len() as u64;
        } else {
            self.line.append(samples);
        }
    }
}

impl Engine for Adaptive {
    fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        self.buffer
            .insert(now, packet.sequence, packet.timestamp, packet.payload.to_vec());
    }

    fn pull(&mut self, _now: Instant, output: &mut [i16; PULL]) {
        while self.line.ready() < PULL {
            self.append();
        }
        self.line.play(output);
    }

    fn statistics(&self) -> Statistics {
        self.line.statistics
    }
}
