//! A response that is sent again and again until the other side says that it has come, over reliable transports too:
//! another hop may lose it.

use super::Message;
use crate::time::{Duration, Instant};
use crate::transaction::{T1, TRANSACTION_TIMEOUT, TransactionId};

/// A 2xx to INVITE that waits for its ACK (RFC 3261 section 13.3.1.4), or a provisional response that waits for its
/// PRACK (RFC 3262 section 3).
#[derive(Clone, Debug)]
pub(super) struct Repetition {
    pub(super) transaction: TransactionId,
    pub(super) response: Message,
    repeat_at: Instant,
    interval: Duration,
    give_up_at: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send it again.
    Repeat,
    /// It has been sent for 64*T1.
    GiveUp,
}

impl Repetition {
    /// The response has just been sent for the first time.
    pub(super) fn new(now: Instant, transaction: TransactionId, response: Message) -> Self {
        Self {
            transaction,
            response,
            repeat_at: now + T1,
            interval: T1,
            give_up_at: now + TRANSACTION_TIMEOUT,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.repeat_at.min(self.give_up_at)
    }

    /// The interval doubles each time, up to `ceiling`.
    pub(super) fn wake(&mut self, now: Instant, ceiling: Duration) -> Due {
        if self.give_up_at <= now {
            return Due::GiveUp;
        }
        if self.repeat_at > now {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(ceiling);
        self.repeat_at = now + self.interval;
        Due::Repeat
    }
}
