//! INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026 section 8.5).
//!
//! ```text
//!             INVITE received
//!                  |
//!                  v   101-199 from TU: send
//!             Proceeding <--- INVITE again: send last 1xx
//!       2xx /            \ 300-699
//!          v              v
//!      Accepted        Completed -- G: resend, INVITE again: resend
//!   (INVITE again:      |     \
//!    absorbed; ACKs  ACK|       \ H: ACK missing
//!    go to the TU)      v         v
//!          |        Confirmed -> Terminated
//!          L            I             ^
//!          +------------+-------------+
//! ```

use super::Flow;
use super::machine::{Expiry, ServerStep};
use super::timer::{Due, T1, T2, T4, TRANSACTION_TIMEOUT, Timers};
use crate::sip::Message;
use crate::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct InviteServer {
    state: State,
    flow: Flow,
    request: Message,
    last_response: Option<Message>,
    timers: Timers,
}

impl InviteServer {
    pub(super) fn new(flow: Flow, request: Message) -> Self {
        Self {
            state: State::Proceeding,
            flow,
            request,
            last_response: None,
            timers: Timers::default(),
        }
    }

    /// The TU responds; returns what is to be sent. A response that comes too late is swallowed.
    pub(super) fn respond(&mut self, now: Instant, response: Message) -> Option<Message> {
        match (self.state, response.status().unwrap_or(0)) {
            (State::Proceeding, 100..=199) => self.last_response = Some(response.clone()),
            (State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                self.timers.end_after(now, TRANSACTION_TIMEOUT);
            }
            // RFC 6026 section 7.1: the TU retransmits its 2xx through the transaction.
            (State::Accepted, 200..=299) => {}
            (State::Proceeding, 300..=699) => {
                self.state = State::Completed;
                self.last_response = Some(response.clone());
                if !self.flow.reliable {
                    self.timers.retransmit_from(now, T1, T2);
                }
                self.timers.end_after(now, TRANSACTION_TIMEOUT);
            }
            (
                State::Proceeding | State::Completed | State::Confirmed | State::Accepted | State::Terminated,
                _,
            ) => {
                return None;
            }
        }
        Some(response)
    }

    /// The INVITE again, or the ACK for a non-2xx.
    pub(super) fn receive(&mut self, now: Instant, is_ack: bool) -> ServerStep {
        match (self.state, is_ack) {
            (State::Proceeding | State::Completed, false) => ServerStep::Send(self.last_response.clone()),
            (State::Completed, true) => {
                self.timers.clear();
                if self.flow.reliable {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Confirmed;
                    self.timers.end_after(now, T4);
                }
                ServerStep::Absorb
            }
            (State::Accepted, true) => ServerStep::Deliver,
            (State::Proceeding | State::Confirmed | State::Terminated, true)
            | (State::Accepted | State::Confirmed | State::Terminated, false) => ServerStep::Absorb,
        }
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expiry {
        match (self.timers.take_due(now), self.state) {
            (None, _) => Expiry::None,
            (Some(Due::Retransmit), _) => self.last_response.clone().map_or(Expiry::None, Expiry::Send),
            (Some(Due::End), State::Completed) => {
                self.state = State::Terminated;
                Expiry::AckMissing
            }
            (Some(Due::End), State::Proceeding | State::Confirmed | State::Accepted | State::Terminated) => {
                self.state = State::Terminated;
                Expiry::Terminated
            }
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// Whether the TU still owes a final response.
    pub(super) fn awaits_response(&self) -> bool {
        self.state == State::Proceeding
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
        self.timers.deadline()
    }
}
