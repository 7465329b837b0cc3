//! What plays: everything that takes packets in and is asked for 10 ms at a time.

mod fixed;
mod opus_line;
mod playout;

use clearline_core::Instant;

pub use fixed::Fixed;
pub use playout::Own;

use crate::PULL;

/// A packet as an engine gets it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// The payload: Opus, mono.
    pub payload: &'a [u8],
}

/// A playout engine: jitter buffer, decoder, concealment, time stretching.
pub trait Engine {
    /// Takes in a packet that arrived at `now`.
    fn insert(&mut self, now: Instant, packet: &Packet<'_>);

    /// Plays the next 10 ms.
    fn pull(&mut self, now: Instant, output: &mut [i16; PULL]);

    /// What was done since the beginning.
    fn statistics(&self) -> Statistics;
}

/// What an engine did instead of playing what was sent, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Invented: concealment and gaps, once playing has begun.
    pub concealed: u64,
    /// Lost, but played from redundancy in another packet.
    pub recovered: u64,
    /// Left out or compressed, to lower the delay.
    pub removed: u64,
    /// Added by stretching, to raise it.
    pub inserted: u64,
}

impl Statistics {
    /// What was done after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            concealed: self.concealed.saturating_sub(earlier.concealed),
            recovered: self.recovered.saturating_sub(earlier.recovered),
            removed: self.removed.saturating_sub(earlier.removed),
            inserted: self.inserted.saturating_sub(earlier.inserted),
        }
    }

    /// Samples of compressed or stretched speech.
    pub fn stretched(self) -> u64 {
        self.removed + self.inserted
    }
}

/// The engines of this repository, by the name that tables and command lines use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// The playout engine of the core.
    Playout,
    /// A delay of 60 ms after the first packet, whatever comes.
    Fixed,
}

impl Make {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Playout, Self::Fixed];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playout => "playout",
            Self::Fixed => "fixed 60 ms",
        }
    }

    /// The engine whose name begins with this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|engine| engine.name().split(' ').next() == Some(name))
    }

    /// A new one.
    ///
    /// # Errors
    /// Those of the codec.
    pub fn start(self) -> Result<Box<dyn Engine>, opus::Error> {
        Ok(match self {
            Self::Playout => Box::new(Own::new()?),
            Self::Fixed => Box::new(Fixed::new()?),
        })
    }
}
