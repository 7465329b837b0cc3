//! How fast one connection is read. Whoever sends faster is not refused: what they send waits in their own network
//! buffers, as long as it takes.

use clearline_core::{Instant, Rate, RateLimit};

/// Messages of one connection: twenty users behind one gateway, or a phone with twenty calls, stay below. Slower than what
/// the platform lets through (`Limits::messages`), so that nothing is refused that is only early.
const READING: Rate = Rate::per_second(40, 300);
/// A long message counts as several.
const BYTES_PER_MESSAGE: usize = 8 * 1024;

/// The budget of one connection.
pub(super) struct ReadBudget {
    epoch: tokio::time::Instant,
    spent: RateLimit,
}

impl ReadBudget {
    /// Nothing has been read yet.
    pub(super) fn new() -> Self {
        Self {
            epoch: tokio::time::Instant::now(),
            spent: RateLimit::new(READING),
        }
    }

    /// Waits until the next message may be read. May be given up at any time.
    pub(super) async fn ready(&self) {
        let at = self.epoch + (self.spent.open_at() - Instant::ZERO);
        if at > tokio::time::Instant::now() {
            tokio::time::sleep_until(at).await;
        }
    }

    /// Counts a message of so many bytes that has been read.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.spend_at(Instant::ZERO + self.epoch.elapsed(), bytes);
    }

    fn spend_at(&mut self, now: Instant, bytes: usize) {
        let messages = 1 + bytes / BYTES_PER_MESSAGE;
        self.spent
            .charge(now, u32::try_from(messages).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use clearline_core::Duration;
    use clearline_pbx::Limits;
    use futures_util::FutureExt as _;

    use super::*;

    /// How long a reader waits at `now`.
    fn wait(budget: &ReadBudget, now: Instant) -> Duration {
        budget.spent.open_at() - now
    }

    #[test]
    fn a_burst_is_read_at_once_and_then_so_many_a_second() {
        let (mut budget, start) = (ReadBudget::new(), Instant::from_secs(60));
        for _ in 0..READING.burst {
            assert_eq!(wait(&budget, start), Duration::ZERO);
            budget.spend_at(start, 600);
        }
        assert_eq!(wait(&budget, start), READING.interval);
        let later = start + READING.interval;
        assert_eq!(wait(&budget, later), Duration::ZERO);
        budget.spend_at(later, 600);
        assert_eq!(wait(&budget, later), READING.interval);
    }

    #[test]
    fn a_long_message_costs_more() {
        let (mut budget, start) = (ReadBudget::new(), Instant::from_secs(60));
        for _ in 0..READING.burst {
            budget.spend_at(start, 64 * 1024);
        }
        let owed = READING.interval * (9 * READING.burst - READING.burst + 1);
        assert_eq!(wait(&budget, start), owed);
    }

    #[tokio::test]
    async fn whoever_is_within_does_not_wait() {
        let mut budget = ReadBudget::new();
        assert_eq!(budget.ready().now_or_never(), Some(()));
        for _ in 0..2 * READING.burst {
            budget.spend(100);
        }
        assert_eq!(budget.ready().now_or_never(), None);
    }

    #[test]
    fn the_platform_need_not_refuse_what_is_read() {
        let platform = Limits::default().messages;
        assert!(READING.interval > platform.interval && READING.burst < platform.burst);
    }
}
