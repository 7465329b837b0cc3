//! The times of RFC 3261 section 17 and table 4, and the pair of timers every machine has.

use std::time::Duration;

use crate::time::{Instant, earlier};

/// Round-trip time estimate (RFC 3261 section 17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest retransmission interval for non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// Longest time a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// How long a transaction waits before it gives up: timers B, F, H, J, L and M.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_millis(500 * 64);
/// Timer D over unreliable transports.
pub(super) const D_UNRELIABLE: Duration = Duration::from_secs(32);

/// When a client's timer E has been reset to T2 (RFC 4320 section 4.1): a non-INVITE request that has not been answered
/// by then gets a 100, and not before.
pub(super) const TRYING_AFTER: Duration = Duration::from_millis(3_500);

/// Every machine waits for at most two things: to send again, and to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// When the last message is sent again: A, E or G. Never set over reliable transports.
    retransmit: Option<Retransmit>,
    /// When the present state ends: B, D or M; F or K; H, I or L; J.
    end: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Retransmit {
    at: Instant,
    interval: Duration,
    ceiling: Duration,
}

/// What has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send the last message again.
    Retransmit,
    /// The present state is over.
    End,
}

impl Timers {
    pub(super) fn retransmit_from(&mut self, now: Instant, interval: Duration, ceiling: Duration) {
        self.retransmit = Some(Retransmit {
            at: now + interval,
            interval,
            ceiling,
        });
    }

    /// From the next retransmission on, the interval is the longest one; that retransmission stays where it is.
    pub(super) fn retransmit_at_ceiling(&mut self) {
        if let Some(timer) = &mut self.retransmit {
            timer.interval = timer.ceiling;
        }
    }

    pub(super) fn end_after(&mut self, now: Instant, delay: Duration) {
        self.end = Some(now + delay);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earlier(self.retransmit.map(|timer| timer.at), self.end)
    }

    /// What is due at `now`, the end before a retransmission. A retransmission plans the next one at twice the
    /// interval, up to its ceiling.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Due> {
        if self.end.is_some_and(|at| at <= now) {
            self.clear();
            return Some(Due::End);
        }
        let timer = self.retransmit.as_mut().filter(|timer| timer.at <= now)?;
        timer.interval = (timer.interval * 2).min(timer.ceiling);
        timer.at = now + timer.interval;
        Some(Due::Retransmit)
    }
}
