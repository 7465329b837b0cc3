//! Non-INVITE server transaction (RFC 3261 section 17.2.2, with the corrections of RFC 4320).
//!
//! ```text
//!        request received
//!              |
//!              v     the client's timer E is at T2: send 100
//!           Trying ---------------------> Proceeding (request again: resend)
//!              \  200-699                    |            \  the client has given up (its timer F)
//!                \                           | 200-699      \
//!                  v                         v               v
//!                  Completed (request again: resend) -- J --> Terminated
//! ```

use super::Flow;
use super::machine::{Expiry, ServerStep};
use super::timer::{Due, TRANSACTION_TIMEOUT, TRYING_AFTER, Timers};
use crate::sip::{Message, ResponseBuilder};
use crate::time::{Instant, earlier};

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
    /// When the client is told that its request has arrived.
    trying_at: Option<Instant>,
    timers: Timers,
}

impl NonInviteServer {
    pub(super) fn new(now: Instant, flow: Flow, request: Message) -> Self {
        let mut timers = Timers::default();
        timers.end_after(now, TRANSACTION_TIMEOUT);
        Self {
            state: State::Trying,
            flow,
            request,
            last_response: None,
            trying_at: Some(now + TRYING_AFTER),
            timers,
        }
    }

    /// The TU responds; returns what is to be sent. A response that comes too late is swallowed, and so is what only
    /// makes the client's position worse: provisional responses but for the 100 sent here, and 408, which arrives when the
    /// client has given up (RFC 4320 sections 4.1 and 4.2).
    pub(super) fn respond(&mut self, now: Instant, response: Message) -> Option<Message> {
        if !self.awaits_response() || matches!(response.status(), Some(100..=199 | 408)) {
            return None;
        }
        self.last_response = Some(response.clone());
        self.trying_at = None;
        self.timers.clear();
        self.state = if self.flow.reliable {
            State::Terminated
        } else {
            self.timers.end_after(now, TRANSACTION_TIMEOUT);
            State::Completed
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
        if self.trying_at.take_if(|at| *at <= now).is_some() && self.state == State::Trying {
            let trying = ResponseBuilder::for_request(&self.request, 100).build();
            self.state = State::Proceeding;
            self.last_response = Some(trying.clone());
            return Expiry::Send(trying);
        }
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

    /// Bytes of the messages it keeps.
    pub(super) fn held_bytes(&self) -> usize {
        let response = self
            .last_response
            .as_ref()
            .map_or(0, |message| message.as_bytes().len());
        self.request.as_bytes().len() + response
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earlier(self.trying_at, self.timers.deadline())
    }
}
