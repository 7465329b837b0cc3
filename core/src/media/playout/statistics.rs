//! What happened to a stream, counted.

use crate::time::Duration;

/// What one pull did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Nothing has come yet, or not for long.
    Silence,
    /// The sender pauses (DTX): background noise.
    ComfortNoise,
    /// Audio as it was sent.
    Normal,
    /// Audio, played a little faster because more is waiting than needed.
    Accelerate,
    /// Audio, played a little slower because less is waiting than needed.
    PreemptiveExpand,
    /// Audio out of the copy that a later packet holds.
    Recover,
    /// Audio again after it had been made up, joined with that.
    Merge,
    /// Audio is missing and was made up.
    Expand,
}

impl Operation {
    /// All of them, in the order of [`Statistics::operations`].
    pub const ALL: [Self; 8] = [
        Self::Silence,
        Self::ComfortNoise,
        Self::Normal,
        Self::Accelerate,
        Self::PreemptiveExpand,
        Self::Recover,
        Self::Merge,
        Self::Expand,
    ];
}

/// Counters since the beginning. Samples are those of the decoder's rate; W3C webrtc-stats has most of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets of audio, duplicates left out.
    pub received: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets of audio that never came, as far as is known.
    pub lost: u64,
    /// Packets that came after they had been given up.
    pub late: u64,
    /// Packets that came in time and were not played: too much was waiting, or they made no sense.
    pub discarded: u64,
    /// Packets that were played from the copy in a later one: in-band FEC or RFC 2198.
    pub recovered: u64,
    /// Samples handed out.
    pub samples: u64,
    /// Samples made up because audio was missing.
    pub concealed: u64,
    /// Of these, samples made up although nothing was lost: it came too late.
    pub concealed_late: u64,
    /// Of those made up, samples of mere background.
    pub concealed_silent: u64,
    /// Samples of background in pauses of the sender.
    pub comfort_noise: u64,
    /// Samples left out by playing faster.
    pub accelerated: u64,
    /// Samples put in by playing slower.
    pub expanded: u64,
    /// Samples of audio played, and the sum of their times from the arrival of their packets to being played.
    pub played: u64,
    /// See [`played`](Self::played).
    pub delay: Duration,
    /// Pulls by what they did, in the order of [`Operation::ALL`].
    pub operations: [u64; 8],
    /// Codec errors.
    pub undecodable: u64,
}

impl Statistics {
    /// How long audio waited on average from its packet's arrival to being played.
    pub fn mean_delay(&self) -> Duration {
        let nanos = self.delay.as_nanos() / u128::from(self.played.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Pulls that did this.
    pub fn count(&self, operation: Operation) -> u64 {
        self.operations.get(operation as usize).copied().unwrap_or(0)
    }
}
