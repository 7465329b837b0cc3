//! Opus on the receiving side, and the samples that are decoded but not yet played.

use std::collections::VecDeque;

use opus::{Channels, Decoder};

use super::Statistics;
use crate::stream::has_redundancy;
use crate::{PULL, SAMPLE_RATE};

/// The longest packet Opus may carry: 120 ms (RFC 6716 section 2.1.4).
const MAX_DECODED: usize = 5_760;

pub(super) struct OpusLine {
    decoder: Decoder,
    ready: VecDeque<i16>,
    pub(super) statistics: Statistics,
}

impl OpusLine {
    pub(super) fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            decoder: Decoder::new(SAMPLE_RATE, Channels::Mono)?,
            ready: VecDeque::new(),
            statistics: Statistics::default(),
        })
    }

    /// Samples that wait to be played.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Appends the samples of `payload`; what cannot be decoded is concealed.
    pub(super) fn decode(&mut self, payload: &[u8], samples: usize) {
        match self.samples(payload, MAX_DECODED, false) {
            Some(decoded) if !payload.is_empty() => self.ready.extend(decoded),
            _ => self.conceal(samples),
        }
    }

    /// Appends `samples` samples that are lost, from the redundancy in the packet after them if it has any.
    pub(super) fn recover(&mut self, next: &[u8], samples: usize) {
        if !has_redundancy(next) {
            return self.conceal(samples);
        }
        self.statistics.recovered += samples as u64;
        let recovered = self
            .samples(next, samples, true)
            .unwrap_or_else(|| vec![0; samples]);
        self.ready.extend(recovered);
    }

    /// Appends `samples` invented samples.
    pub(super) fn conceal(&mut self, samples: usize) {
        self.statistics.concealed += samples as u64;
        let concealed = self
            .samples(&[], samples, false)
            .unwrap_or_else(|| vec![0; samples]);
        self.ready.extend(concealed);
    }

    pub(super) fn play(&mut self, output: &mut [i16; PULL]) {
        for sample in output {
            *sample = self.ready.pop_front().unwrap_or_default();
        }
    }

    fn samples(&mut self, payload: &[u8], samples: usize, redundancy: bool) -> Option<Vec<i16>> {
        let mut output = vec![0; samples.min(MAX_DECODED)];
        let count = self.decoder.decode(payload, &mut output, redundancy).ok()?;
        output.truncate(count);
        Some(output)
    }
}
