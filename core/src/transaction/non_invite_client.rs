//! Non-INVITE client transaction (RFC 3261 section 17.1.2).
//!
//! ```text
//!            request sent
//!                 |
//!                 v     F, transport error
//!  +-E: resend- Trying ----------------------> Terminated
//!  +-----------> |  \                              ^
//!            1xx |    \ 200-699                    |
//!                v      v                          |
//!         Proceeding --> Completed ------ K -------+
//!          (E: resend)   (absorbs)
//! ```

use super::Flow;
use super::machine::{ClientStep, Expiry};
use super::timer::{Due, T1, T2, T4, TRANSACTION_TIMEOUT, Timers};
use crate::sip::Message;
use crate::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct NonInviteClient {
    state: State,
    flow: Flow,
    request: Message,
    timers: Timers,
}

impl NonInviteClient {
    pub(super) fn new(now: Instant, flow: Flow, request: Message) -> Self {
        let mut timers = Timers::default();
        if !flow.reliable {
            timers.retransmit_from(now, T1, T2);
        }
        timers.end_after(now, TRANSACTION_TIMEOUT);
        Self {
            state: State::Trying,
            flow,
            request,
            timers,
        }
    }

    pub(super) fn receive(&mut self, now: Instant, response: &Message) -> ClientStep {
        match (self.state, response.status().unwrap_or(0)) {
            (State::Trying | State::Proceeding, 100..=199) => {
                // Section 17.1.2.2: timer E runs on, and is reset to T2 when it fires.
                self.timers.retransmit_at_ceiling();
                self.state = State::Proceeding;
                ClientStep::deliver()
            }
            (State::Trying | State::Proceeding, 200..=699) => {
                self.timers.clear();
                if self.flow.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    self.timers.end_after(now, T4);
                }
                ClientStep::deliver()
            }
            (State::Trying | State::Proceeding | State::Completed | State::Terminated, _) => {
                ClientStep::default()
            }
        }
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expiry {
        match (self.timers.take_due(now), self.state) {
            (None, _) => Expiry::None,
            (Some(Due::Retransmit), _) => Expiry::Send(self.request.clone()),
            (Some(Due::End), State::Trying | State::Proceeding) => {
                self.state = State::Terminated;
                Expiry::TimedOut
            }
            (Some(Due::End), State::Completed | State::Terminated) => {
                self.state = State::Terminated;
                Expiry::Terminated
            }
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    pub(super) fn awaits_response(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    pub(super) fn request(&self) -> &Message {
        &self.request
    }

    /// Bytes of the messages it keeps.
    pub(super) fn held_bytes(&self) -> usize {
        self.request.as_bytes().len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }
}
