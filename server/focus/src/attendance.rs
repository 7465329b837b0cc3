//! When a conference is over for want of company.

use std::time::Duration;

use clearline_core::{EndCause, Instant};

use crate::roster::Count;
use crate::settings::Limits;

/// How long before the end the notice of it comes.
const NOTICE: Duration = Duration::from_millis(1_500);

/// How the conference is attended.
///
/// ```text
/// Empty --calls--> Arriving --first--> Waiting --second--> Meeting <--> Deserted
///   |                 |                   |                   |            |
///   +---------- nobody came, nobody is left, or too long alone --> over ---+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attendance {
    /// Nobody has been here.
    Empty {
        /// When nobody will come any more.
        until: Instant,
    },
    /// The first one calls; who gives up will not come again, as that would be another conference.
    Arriving {
        /// When nobody will come any more.
        until: Instant,
    },
    /// Somebody waits for the first other one.
    Waiting {
        /// For how long.
        until: Instant,
    },
    /// People hear each other, or are about to.
    Meeting,
    /// All but one have left.
    Deserted {
        /// For how long that one is kept.
        until: Instant,
    },
    /// It has ended.
    Over,
}

impl Attendance {
    pub(crate) fn new(now: Instant, limits: &Limits) -> Self {
        Self::Empty {
            until: now + limits.unattended,
        }
    }

    /// So many are here at the time `now`.
    pub(crate) fn counted(self, now: Instant, limits: &Limits, count: Count) -> Self {
        if self.deadline().is_some_and(|until| until <= now) {
            return Self::Over;
        }
        match (self, count.present, count.coming) {
            (Self::Over, _, _) => Self::Over,
            (Self::Empty { until }, 0, _) if count.calling > 0 => Self::Arriving { until },
            (Self::Empty { .. }, 0, _) => self,
            (Self::Arriving { .. }, 0, _) if count.calling > 0 => self,
            // Whom nobody else waits for need not be called any more.
            (_, 0, _) => Self::Over,
            (Self::Empty { .. } | Self::Arriving { .. }, 1, 0) => Self::Waiting {
                until: now + limits.waiting,
            },
            (Self::Waiting { .. } | Self::Deserted { .. }, 1, 0) => self,
            (Self::Meeting, 1, 0) => Self::Deserted {
                until: now + limits.alone,
            },
            // Somebody is called: that has a time limit of its own, and who waits goes on waiting after it.
            (Self::Empty { .. } | Self::Arriving { .. } | Self::Waiting { .. }, 1, _) => Self::Waiting {
                until: now + limits.waiting,
            },
            (Self::Meeting | Self::Deserted { .. }, 1, _) | (_, 2.., _) => Self::Meeting,
        }
    }

    /// What whoever is here when it ends is told.
    pub(crate) fn farewell(self) -> EndCause {
        match self {
            Self::Waiting { .. } | Self::Deserted { .. } => EndCause::AloneInConference,
            Self::Empty { .. } | Self::Arriving { .. } | Self::Meeting | Self::Over => EndCause::LocalHangUp,
        }
    }

    /// From when on whoever is alone hears that it is about to end.
    pub(crate) fn notice_at(self) -> Option<Instant> {
        match self {
            Self::Waiting { until } | Self::Deserted { until } => Some(until.saturating_sub(NOTICE)),
            Self::Empty { .. } | Self::Arriving { .. } | Self::Meeting | Self::Over => None,
        }
    }

    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Empty { until }
            | Self::Arriving { until }
            | Self::Waiting { until }
            | Self::Deserted { until } => Some(until),
            Self::Meeting | Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn count(present: usize, coming: usize) -> Count {
        Count {
            present,
            coming,
            calling: 0,
        }
    }

    const CALLING: Count = Count {
        present: 0,
        coming: 1,
        calling: 1,
    };

    /// The attendance after these counts, at these seconds.
    fn after(steps: &[(u64, Count)]) -> Attendance {
        let limits = Limits::default();
        let begin = Attendance::new(Instant::ZERO, &limits);
        steps.iter().fold(begin, |attendance, (at, count)| {
            attendance.counted(Instant::from_secs(*at), &limits, *count)
        })
    }

    fn until(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn who_never_comes_is_not_waited_for() {
        assert_eq!(after(&[(1, count(0, 1))]), Attendance::Empty { until: until(30) });
        assert_eq!(after(&[(30, count(0, 1))]), Attendance::Over);
    }

    #[test]
    fn who_gives_up_before_the_answer_is_not_waited_for() {
        assert_eq!(
            after(&[(1, CALLING), (2, CALLING)]),
            Attendance::Arriving { until: until(30) }
        );
        assert_eq!(after(&[(1, CALLING), (2, count(0, 0))]), Attendance::Over);
        assert_eq!(
            after(&[(1, CALLING), (2, count(1, 0))]),
            Attendance::Waiting { until: until(602) }
        );
        // Whom an absent moderator invites may decline; another one may be invited.
        assert_eq!(
            after(&[(1, count(0, 1)), (2, count(0, 0))]),
            Attendance::Empty { until: until(30) }
        );
    }

    #[test]
    fn the_first_one_may_wait_a_while() {
        assert_eq!(
            after(&[(1, count(1, 0))]),
            Attendance::Waiting { until: until(601) }
        );
        assert_eq!(after(&[(1, count(1, 0)), (601, count(1, 0))]), Attendance::Over);
        assert_eq!(
            after(&[(1, count(1, 0)), (9, count(0, 1))]),
            Attendance::Over,
            "the creator hung up"
        );
    }

    #[test]
    fn the_last_one_is_not_kept_unless_somebody_is_on_the_way() {
        let met = [(1, count(1, 1)), (5, count(2, 0))];
        let with = |steps: &[(u64, Count)]| after(&[&met, steps].concat());
        assert_eq!(with(&[]), Attendance::Meeting);
        assert_eq!(
            with(&[(9, count(1, 0))]),
            Attendance::Deserted { until: until(19) }
        );
        assert_eq!(with(&[(9, count(1, 0)), (19, count(1, 0))]), Attendance::Over);
        assert_eq!(with(&[(9, count(1, 0)), (18, count(1, 1))]), Attendance::Meeting);
        assert_eq!(with(&[(9, count(0, 2))]), Attendance::Over);
    }
}
