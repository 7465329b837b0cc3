//! Limits on how often something may happen, which cost one number each (the generic cell rate algorithm,
//! ITU-T I.371).

use crate::time::{Duration, Instant};

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
pub struct RateLimit {
    rate: Rate,
    /// When all that was let through would have come at the mean rate.
    paid_until: Instant,
}

impl RateLimit {
    /// Nothing has happened yet.
    pub const fn new(rate: Rate) -> Self {
        Self {
            rate,
            paid_until: Instant::ZERO,
        }
    }

    /// Whether one more event is within the limit; only then it counts.
    pub fn allows(&mut self, now: Instant) -> bool {
        let ahead = self.paid_until - now;
        if ahead + self.rate.interval > self.rate.interval.saturating_mul(self.rate.burst) {
            return false;
        }
        self.charge(now, 1);
        true
    }

    /// Counts events that have happened whatever the limit says: a debt that delays the next ones.
    pub fn charge(&mut self, now: Instant, events: u32) {
        self.paid_until = self.paid_until.max(now) + self.rate.interval.saturating_mul(events);
    }

    /// When one more event is within the limit (of a burst of one at least); a moment in the past if it is already.
    pub fn open_at(&self) -> Instant {
        let ahead = self.rate.burst.saturating_sub(1);
        self.paid_until
            .saturating_sub(self.rate.interval.saturating_mul(ahead))
    }

    /// Whether everything counted is paid for: it need not be remembered any longer.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.paid_until <= now
    }
}

/// Picks which of many equal events are told: the first few, then one now and then, which says how many were not.
#[derive(Clone, Debug)]
pub struct Sampler {
    limit: RateLimit,
    left_out: u32,
}

impl Sampler {
    /// Tells events at this rate.
    pub const fn new(rate: Rate) -> Self {
        Self {
            limit: RateLimit::new(rate),
            left_out: 0,
        }
    }

    /// One more event: `None` if it is not to be told, else how many were left out since the last that was.
    pub fn take(&mut self, now: Instant) -> Option<u32> {
        if self.limit.allows(now) {
            return Some(std::mem::take(&mut self.left_out));
        }
        self.left_out = self.left_out.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

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

    #[test]
    fn it_says_when_the_next_event_may_come() {
        let mut limit = RateLimit::new(Rate::per_second(10, 3));
        let at = |millis: u64| Instant::from_millis(5_000 + millis);
        assert!(limit.open_at() <= at(0) && limit.is_settled(at(0)));
        assert!((0..3).all(|_| limit.allows(at(0))));
        assert_eq!(limit.open_at(), at(100));
        assert!(!limit.allows(at(99)) && limit.allows(at(100)));
        assert!(!limit.is_settled(at(399)) && limit.is_settled(at(400)));
    }

    #[test]
    fn what_has_happened_counts_beyond_the_limit() {
        let mut limit = RateLimit::new(Rate::per_second(10, 3));
        let at = |millis: u64| Instant::from_millis(5_000 + millis);
        limit.charge(at(0), 9);
        assert_eq!(limit.open_at(), at(700));
        assert!(!limit.allows(at(699)) && limit.allows(at(700)));
    }

    #[test]
    fn what_is_not_told_is_counted() {
        let mut sampler = Sampler::new(Rate::per_second(1, 2));
        let at = |secs: u64| Instant::from_secs(5_000 + secs);
        assert_eq!(
            [0, 0, 0, 0, 0].map(|t| sampler.take(at(t))),
            [Some(0), Some(0), None, None, None]
        );
        assert_eq!([1, 1, 9].map(|t| sampler.take(at(t))), [Some(3), None, Some(1)]);
    }
}
