//! INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026 section 8.4).
//!
//! ```text
//!              INVITE sent
//!                  |
//!                  v      B, transport error
//!   +--A: resend- Calling ------------------------> Terminated
//!   +------------> |  | \                              ^
//!             1xx  |  |2xx  \ 300-699: ACK             |
//!                  v  |       \                        |
//!            Proceeding         \                      |
//!             |   \  300-699      v                    |
//!         2xx |     ----------> Completed -- D ------->|
//!             v                   (re-ACK)             |
//!          Accepted -- M ----------------------------->+
//!           (further 2xx go to the TU)
//! ```

use super::Flow;
use super::machine::{ClientStep, Expiry};
use super::timer::{D_UNRELIABLE, Due, T1, TRANSACTION_TIMEOUT, Timers};
use crate::sip::{HeaderName, Message, Method, RequestBuilder};
use crate::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct InviteClient {
    state: State,
    flow: Flow,
    request: Message,
    /// The ACK for a final response other than 2xx, kept for retransmissions of that response.
    ack: Option<Message>,
    timers: Timers,
}

impl InviteClient {
    pub(super) fn new(now: Instant, flow: Flow, request: Message) -> Self {
        let mut timers = Timers::default();
        if !flow.reliable {
            timers.retransmit_from(now, T1, Duration::MAX);
        }
        timers.end_after(now, TRANSACTION_TIMEOUT);
        Self {
            state: State::Calling,
            flow,
            request,
            ack: None,
            timers,
        }
    }

    pub(super) fn receive(&mut self, now: Instant, response: &Message) -> ClientStep {
        let status = response.status().unwrap_or(0);
        match (self.state, status) {
            (State::Calling | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                self.timers.clear();
                ClientStep::deliver()
            }
            (State::Calling | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                self.timers.clear();
                self.timers.end_after(now, TRANSACTION_TIMEOUT);
                ClientStep::deliver()
            }
            (State::Calling | State::Proceeding, 300..=699) => {
                self.enter_completed(now, response);
                ClientStep::deliver_and_send(self.ack.clone())
            }
            // RFC 6026 section 7.2: each further 2xx is another fork's, or a retransmission the TU acknowledges.
            (State::Accepted, 200..=299) => ClientStep::deliver(),
            (State::Completed, 300..=699) => ClientStep::send(self.ack.clone()),
            (
                State::Calling | State::Proceeding | State::Completed | State::Accepted | State::Terminated,
                _,
            ) => ClientStep::default(),
        }
    }

    pub(super) fn expire(&mut self, now: Instant) -> Expiry {
        match (self.timers.take_due(now), self.state) {
            (None, _) => Expiry::None,
            (Some(Due::Retransmit), _) => Expiry::Send(self.request.clone()),
            (Some(Due::End), State::Calling) => {
                self.state = State::Terminated;
                Expiry::TimedOut
            }
            (Some(Due::End), _) => {
                self.state = State::Terminated;
                Expiry::Terminated
            }
        }
    }

    /// The CANCEL for this INVITE (RFC 3261 section 9.1), only while a final response is outstanding.
    pub(super) fn cancel_request(&self) -> Option<Message> {
        match self.state {
            State::Calling | State::Proceeding => self.hop_by_hop(Method::Cancel, &self.request),
            State::Completed | State::Accepted | State::Terminated => None,
        }
    }

    /// Whether a provisional response has come, so that a CANCEL may be sent (RFC 3261 section 9.1).
    pub(super) fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// Whether a lost connection makes it fail: only while a response is awaited.
    pub(super) fn awaits_response(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
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

    fn enter_completed(&mut self, now: Instant, response: &Message) {
        self.ack = self.hop_by_hop(Method::Ack, response);
        self.timers.clear();
        if self.flow.reliable {
            self.state = State::Terminated;
        } else {
            self.state = State::Completed;
            self.timers.end_after(now, D_UNRELIABLE);
        }
    }

    /// ACK to a non-2xx (section 17.1.1.3) and CANCEL (section 9.1): the INVITE's top Via, Route, From, Call-ID and
    /// CSeq number; the To of the response for ACK, of the INVITE for CANCEL.
    fn hop_by_hop(&self, method: Method<'_>, to_source: &Message) -> Option<Message> {
        let invite = &self.request;
        let request = RequestBuilder::new(method, invite.request_uri()?)
            .header(HeaderName::Via, invite.header_list(HeaderName::Via).next()?)
            .headers_from(invite, HeaderName::Route)
            .header(HeaderName::MaxForwards, 70)
            .headers_from(invite, HeaderName::From)
            .headers_from(to_source, HeaderName::To)
            .headers_from(invite, HeaderName::CallId)
            .header(
                HeaderName::CSeq,
                format_args!("{} {}", invite.cseq().ok()?.number, method.as_str()),
            )
            .build();
        Some(request)
    }
}
