//! The plainest engine there is: each packet is played 60 ms after it would have come had it been as fast as the first one.

use std::collections::BTreeMap;

use clearline_core::{Duration, Instant};

use super::opus_line::OpusLine;
use super::{Engine, Packet, Statistics};
use crate::{FRAME, PULL};

const DELAY: Duration = Duration::from_millis(60);
/// Packets held at most; more are a flood.
const CAPACITY: usize = 256;

/// A fixed delay of 60 ms; what has not come by then is lost.
pub struct Fixed {
    line: OpusLine,
    packets: BTreeMap<i64, Vec<u8>>,
    newest: Option<i64>,
    playing: Playing,
}

/// `Nothing` --first packet--> `Until` --60 ms--> `From`
#[derive(Clone, Copy)]
enum Playing {
    Nothing,
    /// Waiting until this moment.
    Until(Instant, i64),
    /// The packet played next.
    From(i64),
}

impl Fixed {
    /// An empty buffer.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            line: OpusLine::new()?,
            packets: BTreeMap::new(),
            newest: None,
            playing: Playing::Nothing,
        })
    }

    /// RFC 3550 appendix A.1, with the number closest to the newest one.
    fn extend(&self, sequence: u16) -> i64 {
        match self.newest {
            Some(newest) => newest + i64::from(sequence.wrapping_sub(newest as u16) as i16),
            None => i64::from(sequence),
        }
    }

    fn play_next(&mut self, next: i64) {
        if let Some(payload) = self.packets.remove(&next) {
            self.line.decode(&payload, FRAME);
        } else if let Some(successor) = self.packets.get(&(next + 1)) {
            self.line.recover(successor, FRAME);
        } else {
            self.line.conceal(FRAME);
        }
        self.packets = self.packets.split_off(&(next + 1));
        self.playing = Playing::From(next + 1);
    }
}

impl Engine for Fixed {
    fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        let sequence = self.extend(packet.sequence);
        if matches!(self.playing, Playing::Nothing) {
            self.playing = Playing::Until(now + DELAY, sequence);
        }
        let too_late = matches!(self.playing, Playing::From(next) if sequence < next);
        if too_late || self.packets.len() >= CAPACITY {
            return;
        }
        self.newest = self.newest.max(Some(sequence));
        self.packets.insert(sequence, packet.payload.to_vec());
    }

    fn pull(&mut self, now: Instant, output: &mut [i16; PULL]) {
        if let Playing::Until(moment, first) = self.playing
            && moment <= now
        {
            self.playing = Playing::From(first);
        }
        while let Playing::From(next) = self.playing
            && self.line.ready() < PULL
        {
            self.play_next(next);
        }
        self.line.play(output);
    }

    fn statistics(&self) -> Statistics {
        self.line.statistics
    }
}
