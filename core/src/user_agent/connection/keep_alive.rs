//! Whether an open connection still lives: asked from time to time, and at once when there is a doubt.
//!
//! ```text
//!          the interval is over, or a doubt
//! Quiet -------------------------------------> Asked --- no answer in time ---> dead
//!   ^                                            | (a doubt: asked again, for less time)
//!   +----------- anything comes in --------------+
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
    Quiet { ask_at: Instant },
    Asked { answer_by: Instant },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A sign of life has to be asked for.
    Ask,
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
            State::Asked { answer_by } => answer_by,
        }
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        match self.state {
            State::Quiet { ask_at } if ask_at <= now => Due::Ask,
            State::Asked { answer_by } if answer_by <= now => Due::Dead,
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
        };
    }

    /// A question goes out because of a doubt.
    pub(super) fn asked_in_doubt(&mut self, now: Instant) {
        self.state = State::Asked {
            answer_by: now + DOUBT_DEADLINE,
        };
    }

    /// The registrar asks for a ping after `secs` seconds at the latest: between 80 and 100 per cent of that time
    /// (RFC 5626 section 4.4.1).
    pub(super) fn set_flow_timer(&mut self, rng: &mut Rng, secs: Option<u32>) {
        self.asked_interval = secs.map(|secs| {
            let longest = Duration::from_secs(u64::from(secs.max(5)));
            rng.between(longest.mul_f32(0.8), longest)
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
