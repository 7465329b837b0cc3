//! A rate limit that costs one number (the generic cell rate algorithm, ITU-T I.371).

use clearline_core::{Duration, Instant};

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The mean time between two events that is allowed for ever.
    pub interval: Duration,
    /// How many may come at once after a quiet time.
    pub burst: u32,
}

impl Rate {
    /// `count` events per second for ever, `burst` of them at once.
    pub const fn per_second(count: u32, burst: u32) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self {
            interval: Duration::from_micros(1_000_000 / count as u64),
            burst,
        }
    }
}

/// Counts events against a [`Rate`].
#[derive(Clone, Debug)]
pub(crate) struct RateLimit {
    rate: Rate,
    /// When all that was let through would have come at the mean rate.
    paid_until: Instant,
}

impl RateLimit {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            paid_until: Instant::ZERO,
        }
    }

    /// Whether one more event is within the limit; only then it counts.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        let ahead = self.paid_until - now;
        if ahead + self.rate.interval > self.rate.interval.saturating_mul(self.rate.burst) {
            return false;
        }
        self.paid_until = self.paid_until.max(now) + self.rate.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_mean_rate() {
        let mut limit = RateLimit::new(Rate::per_second(10, 3));
        let at = |millis: u64| Instant::from_millis(5_000 + millis);
        assert_eq!(
            [0, 0, 0, 0].map(|t| limit.allows(at(t))),
            [true, true, true, false]
        );
        assert_eq!(
            [99, 100, 100, 200].map(|t| limit.allows(at(t))),
            [false, true, false, true]
        );
        assert_eq!([2_000; 4].map(|t| limit.allows(at(t))), [true, true, true, false]);
    }
}
