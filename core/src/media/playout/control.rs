//! Keeping the delay: a little faster, a little slower, or over to what is spoken now.

use super::statistics::Operation;
use super::store::Head;
use super::stretch::{self, Tolerance};
use super::timeline::transit;
use super::{Decoder, Playout, State};
use crate::time::{Duration, Instant};

/// Microseconds per pull.
const PULL: i64 = 10_000;
/// Audio this much later than it should be, in microseconds, is given up: nobody can catch up with that.
const FARTHEST_BEHIND: i64 = 400_000;
/// How far behind playing goes on after that.
const AFTER_GIVING_UP: i64 = 60_000;
/// Pulls that are left when slowing down for a late packet begins.
const NEARLY_DRY: usize = 2;
/// How much is put in while waiting for one packet, in microseconds.
const LONGEST_STRETCH: i64 = 20_000;
/// How much the delay may be above the target, and below it, before anything is done, in microseconds.
const SLACK_ABOVE: i64 = 4_000;
const SLACK_BELOW: i64 = 1_500;

impl<D: Decoder> Playout<D> {
    /// Whether audio at `position`, appended now, would be played at the target or later.
    pub(super) fn is_due(&self, now: Instant, position: i64) -> bool {
        let ahead = self.micros(self.line.ahead());
        transit(now, position, self.rate).saturating_add(ahead) >= self.delay.target()
    }

    /// Gives up audio that is so late that playing faster would take too long.
    pub(super) fn catch_up(&mut self, now: Instant) {
        let behind = |engine: &Self, head: Head| {
            let transit = transit(now, head.waiting.position, engine.rate);
            transit.saturating_sub(engine.delay.target())
        };
        let newest = self.timeline.newest();
        let Some(head) = self.store.head(self.next, newest) else {
            return;
        };
        if behind(self, head) < FARTHEST_BEHIND {
            return;
        }
        while let Some(head) = self.store.head(self.next, newest)
            && behind(self, head) > AFTER_GIVING_UP
        {
            self.give_up(head);
        }
        if let Some(head) = self.store.head(self.next, newest) {
            self.end = self.end.max(head.waiting.position);
        }
        if self.state == State::Playing {
            self.repeater.begin(&self.line, &mut self.search, self.times);
            self.state = State::Concealing {
                made_up: 0,
                waited: 0,
                own: true,
            };
        }
    }

    /// Brings the delay nearer to the target, if that can be done unheard.
    pub(super) fn adjust(&mut self, now: Instant) -> Operation {
        // The next packet is needed with the pull that cannot be filled without it, so what is left over then costs delay
        // and saves nothing.
        let left_over = self.micros(self.line.ahead() % self.pull);
        let deadline = transit(now, self.end, self.rate) + self.micros(self.line.ahead()) - left_over;
        let over = deadline.saturating_sub(self.delay.target());
        if over < -SLACK_BELOW {
            let (correlation, pause) = if over < -2 * PULL { (0.6, 2) } else { (0.8, 3) };
            return self.slow_down(correlation, pause);
        }
        if self.is_running_dry(now) {
            return self.stretch_to_the_end();
        }
        let whole = (over - SLACK_ABOVE).max(0) / PULL * PULL;
        self.speed_up(now, whole + left_over, over)
    }

    /// Whether the next packet is late and little is left.
    pub(super) fn is_running_dry(&self, now: Instant) -> bool {
        self.line.ahead() <= NEARLY_DRY * self.pull
            && self.delay.is_overdue(transit(now, self.end, self.rate))
            && self.store.head(self.next, self.timeline.newest()).is_none()
    }

    /// Makes what is left last longer: better a slow word than a made-up one. Not for long, or it were made up, too.
    pub(super) fn stretch_to_the_end(&mut self) -> Operation {
        if self.micros(self.stretched) >= LONGEST_STRETCH {
            return Operation::Normal;
        }
        let before = self.line.ahead();
        let operation = self.slow_down(0.85, 2);
        self.stretched += self.line.ahead() - before;
        operation
    }

    pub(super) fn slow_down(&mut self, correlation: f32, pause: usize) -> Operation {
        if self.unchanged < pause * self.pull {
            return Operation::Normal;
        }
        let tolerance = Tolerance {
            correlation,
            quiet: self.background.quiet(),
        };
        let most = self.times.longest;
        let put_in = stretch::expand(&mut self.line, &mut self.search, self.times, most, tolerance);
        if put_in == 0 {
            return Operation::Normal;
        }
        self.unchanged = 0;
        self.statistics.expanded += put_in as u64;
        Operation::PreemptiveExpand
    }

    pub(super) fn speed_up(&mut self, now: Instant, surplus: i64, over: i64) -> Operation {
        let (correlation, pause) = match over / PULL {
            10.. => (0.5, 1),
            4..10 => (0.75, 2),
            2..4 => (0.9, 4),
            _ => (2.0, 4),
        };
        let most = self.samples(surplus);
        if most < self.times.shortest || self.unchanged < pause * self.pull {
            return Operation::Normal;
        }
        self.decode_ahead(now);
        let most = most.min(self.line.ahead().saturating_sub(self.pull));
        let tolerance = Tolerance {
            correlation,
            quiet: self.background.quiet(),
        };
        let left_out = stretch::accelerate(&mut self.line, &mut self.search, self.times, most, tolerance);
        if left_out == 0 {
            return Operation::Normal;
        }
        self.unchanged = 0;
        self.statistics.accelerated += left_out as u64;
        Operation::Accelerate
    }

    /// Decodes as much as a search for a place to leave something out needs, if it is there.
    pub(super) fn decode_ahead(&mut self, now: Instant) {
        let wanted = self.times.longest + self.times.window + self.pull;
        while self.line.ahead() < wanted && self.state == State::Playing {
            let head = self.store.head(self.next, self.next);
            let Some(head) = head.filter(|head| head.waiting.position <= self.end) else {
                return;
            };
            self.play(now, head);
        }
    }

    pub(super) fn count_delay(&mut self, waited: Duration, count: usize) {
        let ahead = (self.line.ahead() + count / 2).saturating_sub(self.pull / 2);
        let delay = waited + self.time(ahead);
        self.statistics.played += count as u64;
        self.statistics.delay = self
            .statistics
            .delay
            .saturating_add(delay.saturating_mul(count as u32));
    }
}
