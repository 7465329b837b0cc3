//! Non-INVITE server transaction (RFC 3261 section 17.2.2).
//!
//! ```text
//!        request received
//!              |
//!              v     1xx from TU: send
//!           Trying ---------------------> Proceeding (request again: resend)
//!              \  200-699                    |
//!                \                           | 200-699
//!                  v                         v
//!                  Completed (request again: resend) -- J --> Terminated
//! ```

use super::Flow;
use super::machine::{Expiry, ServerStep};
use super::timer::{Due, TRANSACTION_TIMEOUT, Timers};
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
pub(super) struct NonInviteServer {
    state: State,
    flow: Flow,
    request: Message,
    last_response: Option<Message>,
    timers: Timers,
}

impl NonInviteServer {
    pub(super) fn new(flow: Flow, request: Message) -> Self {
        Self {
            state: State::Trying,
            flow,
            request,
            last_response: None,
            timers: Timers::default(),
        }
    }

    /// The TU responds; returns what is to be sent. A response that comes too late is swallowed.
    pub(super) fn respond(&mut self, now: Instant, response: Message) -> Option<Message> {
        if !self.awaits_response() {
            return None;
        }
        self.last_response = Some(response.clone());
        self.state = match response.status() {
            Some(100..=199) => State::Proceeding,
            _ if self.flow.reliable => State::Terminated,
            _ => {
                self.timers.end_after(now, TRANSACTION_TIMEOUT);
                State::Completed
            }
        };
        Some(response)
    }

    /// The request again.
    pub(super) fn receive(&self) -> ServerStep {
        match self.state {
            State::Trying | State::Terminated => ServerStep::Absorb,
            State::Proceeding | State::Completed => ServerStep::Send(self.last_response.clone()),
        }
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expiry {
        match self.timers.take_due(now) {
            Some(Due::End) => {
                self.state = State::Terminated;
                Expiry::Terminated
            }
            Some(Due::Retransmit) | None => Expiry::None,
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

    pub(super) fn flow_mut(&mut self) -> &mut Flow {
        &mut self.flow
    }

    pub(super) fn request(&self) -> &Message {
        &self.request
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }
}
