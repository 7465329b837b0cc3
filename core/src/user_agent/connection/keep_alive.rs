//! Whether an open connection still lives: asked from time to time, and at once when there is a doubt.
//!
//! ```text
//!          the interval is over, or a doubt
//! Quiet -------------------------------------> Asked --- no answer in time ---> dead
//!   ^                                            | (a doubt: asked again, for less time, and
//!   +----------- anything comes in --------------+  soon it is time for a second connection)
//! ```

use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// In a call or while somebody looks: with the answer's deadline, a dead socket is found within 10 s.
const ATTENTIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Otherwise.
const IDLE_INTERVAL: Duration = Duration::from_secs(25);
/// An answer later than this counts as none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(4);
/// The same when something has happened that sockets do not survive unnoticed: sleep, another network.
const DOUBT_DEADLINE: Duration = Duration::from_millis(1_900);

/// An answer to a doubt that takes longer than a slow network does: from now on there is more hope elsewhere.
const WORRY_AFTER: Duration = Duration::from_millis(400);

/// The keep-alive of one open connection.
#[derive(Clone, Debug)]
pub(super) struct KeepAlive {
    state: State,
    /// The far end answers a CRLF ping: it negotiated outbound, or did so once (RFC 5626 section 3.5.1).
    pub(super) answers_ping: bool,
    /// The far end asked for this interval.
    asked_interval: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Quiet {
        ask_at: Instant,
    },
    Asked {
        answer_by: Instant,
        /// The question was asked in doubt.
        doubt: Option<Doubt>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// When a second connection is due; `None` once that has been said.
    worry_at: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A sign of life has to be asked for.
    Ask,
    /// None has come yet, which is not a good sign: a second connection is to be made.
    Worry,
    /// None has come.
    Dead,
}

impl KeepAlive {
    pub(super) fn new(now: Instant, attentive: bool) -> Self {
        let interval = if attentive {
            ATTENTIVE_INTERVAL
        } else {
            IDLE_INTERVAL
        };
        Self {
            state: State::Quiet {
                ask_at: now + interval,
            },
            answers_ping: false,
            asked_interval: None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Quiet { ask_at } => ask_at,
            State::Asked { answer_by, doubt } => doubt.and_then(|doubt| doubt.worry_at).unwrap_or(answer_by),
        }
    }

    /// Asked in doubt, and not answered yet.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self.state, State::Asked { doubt: Some(_), .. })
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        match self.state {
            State::Quiet { ask_at } if ask_at <= now => Due::Ask,
            State::Asked { answer_by, .. } if answer_by <= now => Due::Dead,
            State::Asked {
                doubt: Some(Doubt { worry_at: Some(at) }),
                ..
            } if at <= now => Due::Worry,
            State::Quiet { .. } | State::Asked { .. } => Due::Nothing,
        }
    }

    /// Something came in: the connection is alive.
    pub(super) fn heard(&mut self, now: Instant, attentive: bool) {
        self.state = State::Quiet {
            ask_at: now + self.interval(attentive),
        };
    }

    /// The next question is due at another time now that somebody looks, or nobody does.
    pub(super) fn attention(&mut self, now: Instant, attentive: bool) {
        if matches!(self.state, State::Quiet { .. }) {
            self.heard(now, attentive);
        }
    }

    /// A question goes out.
    pub(super) fn asked(&mut self, now: Instant) {
        self.state = State::Asked {
            answer_by: now + ANSWER_DEADLINE,
            doubt: None,
        };
    }

    /// A question goes out because of a doubt.
    pub(super) fn asked_in_doubt(&mut self, now: Instant) {
        self.state = State::Asked {
            answer_by: now + DOUBT_DEADLINE,
            doubt: Some(Doubt {
                worry_at: Some(now + WORRY_AFTER),
            }),
        };
    }

    /// The second connection is on its way.
    pub(super) fn worried(&mut self) {
        if let State::Asked {
            doubt: Some(doubt), ..
        } = &mut self.state
        {
            doubt.worry_at = None;
        }
    }

    /// The registrar asks for a ping after `secs` seconds at the latest: between 80 and 100 per cent of that time
    /// (RFC 5626 section 4.4.1).
    pub(super) fn set_flow_timer(&mut self, rng: &mut Rng, secs: Option<u32>) {
        self.asked_interval = secs.map(|secs| {
            let longest = Duration::from_secs(u64::from(secs.max(5)));
            rng.between(longest * 4 / 5, longest)
        });
    }

    fn interval(&self, attentive: bool) -> Duration {
        let own = if attentive {
            ATTENTIVE_INTERVAL
        } else {
            IDLE_INTERVAL
        };
        self.asked_interval.map_or(own, |asked| asked.min(own))
    }
}
