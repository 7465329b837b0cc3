//! Handing out: which packet is next, and what to do when it is not there.

use super::statistics::Operation;
use super::store::{CAPACITY, Head, Kind, Waiting};
use super::{Decoder, Playout, State, Undecodable};
use crate::time::Instant;

/// A loss longer than this, in microseconds, is not made up for, but waited through.
const LONGEST_LOSS: i64 = 500_000;

impl<D: Decoder> Playout<D> {
    pub(super) fn produce(&mut self, now: Instant) -> Operation {
        self.catch_up(now);
        let mut operation = None;
        // Every step appends something or is done with a number, of which only so many can wait.
        for _ in 0..2 * CAPACITY {
            if self.line.ahead() >= self.pull {
                break;
            }
            operation = operation.max(self.extend(now));
        }
        let operation = operation.unwrap_or(match self.state {
            State::Playing => Operation::Normal,
            State::Concealing { .. } => Operation::Expand,
            State::Pausing { .. } => Operation::ComfortNoise,
            State::Waiting { .. } => Operation::Silence,
        });
        if operation == Operation::Normal && self.state == State::Playing {
            self.adjust(now)
        } else {
            operation
        }
    }

    /// Appends what comes next.
    pub(super) fn extend(&mut self, now: Instant) -> Option<Operation> {
        let Some(head) = self.store.head(self.next, self.timeline.newest()) else {
            return Some(self.dry());
        };
        let gap = head.waiting.position - self.end;
        let is_due = self.is_due(now, head.waiting.position);
        match self.state {
            State::Waiting { .. } | State::Pausing { .. } if !is_due => Some(self.rest()),
            State::Waiting { fresh: true } => self.play(now, head),
            State::Waiting { fresh: false } | State::Pausing { .. } => {
                self.statistics.lost += head.missing.unsigned_abs();
                self.play(now, head)
            }
            State::Playing | State::Concealing { .. } if head.missing == 0 => {
                // A pause that was not announced.
                if gap > (self.packet / 2) as i64 && !is_due {
                    self.fade_out();
                    self.state = State::Pausing { codec: false };
                    return Some(self.rest());
                }
                self.play(now, head)
            }
            State::Concealing { waited, .. } if waited > 0 && is_due => {
                self.statistics.lost += head.missing.unsigned_abs();
                self.play(now, head)
            }
            State::Playing | State::Concealing { .. } if self.micros_of(gap) > LONGEST_LOSS => {
                self.state = State::Waiting { fresh: false };
                Some(self.rest())
            }
            State::Playing | State::Concealing { .. } => self.lose(head, gap),
        }
    }

    /// Nothing is there.
    pub(super) fn dry(&mut self) -> Operation {
        let waited = match self.state {
            State::Waiting { .. } | State::Pausing { .. } => return self.rest(),
            State::Playing => 0,
            State::Concealing { waited, .. } => waited,
        };
        let next = self.store.get(self.next).map(|(waiting, _)| waiting.kind);
        if next == Some(Kind::Event) {
            self.next += 1;
            self.fade_out();
            self.state = State::Pausing { codec: false };
            return self.rest();
        }
        let count = self.shortfall();
        self.conceal(count);
        self.statistics.concealed_late += count as u64;
        if let State::Concealing { waited: all, .. } = &mut self.state {
            *all = waited + count;
        }
        Operation::Expand
    }

    /// The next number is lost, later audio is there, `gap` samples after what is ready.
    pub(super) fn lose(&mut self, head: Head, gap: i64) -> Option<Operation> {
        let number = self.next;
        self.next += 1;
        if self.store.get(number).is_some() {
            return None;
        }
        let length = usize::try_from(gap / head.missing.max(1))
            .unwrap_or(0)
            .min(self.decoded.len());
        if length < self.quantum {
            return None;
        }
        self.statistics.lost += 1;
        self.end += length as i64;
        let waited = match self.state {
            State::Concealing { waited, .. } => waited,
            State::Waiting { .. } | State::Playing | State::Pausing { .. } => 0,
        };
        if head.missing == 1 && waited < length && self.recover(head, length) {
            return Some(Operation::Recover);
        }
        // What was made up while waiting stands for it.
        let covered = waited.min(length);
        self.statistics.concealed_late -= covered as u64;
        if let State::Concealing { waited, .. } = &mut self.state {
            *waited -= covered;
        }
        let rest = (length - covered) / self.quantum * self.quantum;
        if rest == 0 {
            return None;
        }
        self.conceal(rest);
        Some(Operation::Expand)
    }

    pub(super) fn recover(&mut self, head: Head, length: usize) -> bool {
        let Some((_, payload)) = self.store.get(head.waiting.number) else {
            return false;
        };
        let Some(room) = self.decoded.get_mut(..length) else {
            return false;
        };
        let is_recovered = self.decoder.has_copy_of_previous(payload) && self.decoder.recover(payload, room);
        if is_recovered {
            self.statistics.recovered += 1;
            self.join(length);
            self.state = State::Playing;
        }
        is_recovered
    }

    /// Plays the audio that is there.
    pub(super) fn play(&mut self, now: Instant, head: Head) -> Option<Operation> {
        let Waiting {
            number,
            position,
            arrived,
            kind,
        } = head.waiting;
        self.next = number + 1;
        let (_, payload) = self.store.get(number)?;
        if kind == Kind::ComfortNoise {
            if let Some(&level) = payload.first() {
                self.background.set_level(level);
            }
            self.end = self.end.max(position);
            self.state = State::Pausing { codec: false };
            self.store.played(number);
            return None;
        }
        let is_pause = self.decoder.is_pause(payload);
        let decoded = self.decoder.decode(payload, &mut self.decoded);
        self.store.played(number);
        let count = match decoded {
            Ok(count) if count > 0 => count.min(self.decoded.len()),
            Ok(_) | Err(Undecodable) => {
                self.statistics.undecodable += 1;
                self.end = self.end.max(position) + self.packet as i64;
                self.conceal(self.packet.next_multiple_of(self.quantum));
                return Some(Operation::Expand);
            }
        };
        self.count_delay(now - arrived, count);
        self.stretched = 0;
        if kind == Kind::Copy {
            self.statistics.recovered += 1;
        }
        let is_made_up = matches!(self.state, State::Concealing { .. });
        self.join(count);
        self.end = self.end.max(position) + count as i64;
        self.state = if is_pause {
            State::Pausing { codec: true }
        } else {
            State::Playing
        };
        Some(if is_made_up {
            Operation::Merge
        } else {
            Operation::Normal
        })
    }
}
