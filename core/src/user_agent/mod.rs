//! The user agent: routes inputs to their owners and owns the one output queue.
//!
//! ```no_run
//! use clearline_core::{Config, Input, Instant, Output, UserAgent, sip::UriBuf};
//! # fn clock() -> Instant { Instant::ZERO }
//! # fn wait_for_something(_deadline: Option<clearline_core::Deadline>) -> Input { Input::Wake }
//! let aor = UriBuf::parse("sip:alice@example.com").unwrap();
//! let config = Config::new(aor, "wss://example.com/sip", "urn:uuid:3c0f6f0e-7c5e-4d3c-9a53-6ff1b0a7a6f1");
//! let mut agent = UserAgent::new(config, [7; 32]);
//! agent.start(clock());
//! loop {
//!     match agent.poll_output() {
//!         Output::Connect { url, .. } => { /* open a WebSocket, subprotocol "sip" */ }
//!         Output::Transmit { message, .. } => { /* send it as one frame */ }
//!         Output::Disconnect { .. } => { /* close it */ }
//!         Output::Media { request, session, action, .. } => { /* drive the peer connection */ }
//!         Output::Event(event) => { /* show it */ }
//!         Output::Idle(deadline) => {
//!             let input = wait_for_something(deadline);
//!             agent.handle_input(clock(), input);
//!         }
//!     }
//! }
//! ```

mod connection;
mod handle;
mod snapshot;
mod target;

use std::collections::BTreeMap;

pub use handle::CallHandle;
pub use snapshot::Snapshot;

use crate::call::{Call, CallOptions};
use crate::config::Config;
use crate::endpoint::{ALLOW, Endpoint, Purpose, SUPPORTED};
use crate::error::CommandError;
use crate::event::{CallInfo, CallState, ConnectionState, Event, RegistrationState};
use crate::id::{CallId, ConnectionId, OperationId};
use crate::io::{Deadline, Environment, Input, MediaTransport, Output, Timer};
use crate::registration::{Outcome, Registration};
use crate::secret::Secret;
use crate::sip::{HeaderName, Message, Method};
use crate::time::{Duration, Instant};
use crate::transaction::{Flow, Outbox, Received, TransactionEvent, TransactionId};
use connection::Connection;
use target::parse_target;

/// How long an orderly stop waits for answers.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// A call without platform and without audio for this long is over.
const LOST_CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// A clock that has moved on by this much more than was asked for means that the machine has slept.
const CLOCK_JUMP: Duration = Duration::from_secs(20);

/// A complete SIP user agent for one account on one device.
///
/// Time, randomness and all input and output come from outside; see the module documentation for the loop.
#[derive(Clone, Debug)]
pub struct UserAgent {
    endpoint: Endpoint,
    connection: Connection,
    registration: Registration,
    calls: BTreeMap<CallId, Call>,
    /// Tones to be sent when a call is answered ("100,,42").
    post_dial: BTreeMap<CallId, String>,
    stopping: Option<Instant>,
    last_deadline: Option<Instant>,
}

impl UserAgent {
    /// An agent at rest. `seed` determines all its identifiers: draw it from the system's generator.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self::with_endpoint(Endpoint::new(config, seed))
    }

    fn with_endpoint(mut endpoint: Endpoint) -> Self {
        let registration = Registration::new(&mut endpoint);
        Self {
            endpoint,
            connection: Connection::new(),
            registration,
            calls: BTreeMap::new(),
            post_dial: BTreeMap::new(),
            stopping: None,
            last_deadline: None,
        }
    }

    /// Connects and registers, and keeps doing so.
    pub fn start(&mut self, now: Instant) {
        self.endpoint.now = now;
        self.stopping = None;
        self.connection.start(&mut self.endpoint);
    }

    /// Ends all calls, removes the registration and closes the connection. [`Event::Stopped`] follows, at the latest
    /// after two seconds.
    pub fn stop(&mut self, now: Instant) {
        self.endpoint.now = now;
        if self.stopping.is_some() || *self.connection.state() == ConnectionState::Stopped {
            return self.stopped();
        }
        self.stopping = Some(now + STOP_TIMEOUT);
        for call in self.calls.values_mut() {
            let _ = call.hang_up(&mut self.endpoint);
        }
        self.registration.leave(&mut self.endpoint);
        self.settle();
        self.stop_if_nothing_is_left();
    }

    /// Takes in what happened. Never fails: what cannot be used is dropped and reported as [`Event::Dropped`].
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.endpoint.now = now;
        self.notice_clock_jump(now);
        match input {
            Input::Wake => self.wake(),
            Input::Connected { connection } => self.connected(connection),
            Input::Disconnected { connection, reason } => self.disconnected(connection, &reason),
            Input::Received { connection, message } => self.received(connection, message),
            Input::MediaDone { request, result } => {
                if let Some(id) = self.endpoint.take_media_request(request) {
                    self.with_call(id, |call, endpoint| call.media_done(endpoint, request, result));
                }
            }
            Input::Media { session, event } => {
                for call in self.calls.values_mut() {
                    call.media_event(&mut self.endpoint, session, &event);
                }
            }
            Input::Environment(change) => self.environment(change),
        }
        self.settle();
    }

    /// The next thing for the driver to do. [`Output::Idle`] comes when nothing else is left.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.endpoint.pop() {
            return output;
        }
        let deadline = self.deadline();
        self.last_deadline = deadline.map(|deadline| deadline.at);
        Output::Idle(deadline)
    }

    /// Calls `target`: a number, a name, or a SIP or tel URI.
    ///
    /// # Errors
    /// [`CommandError::DuplicateCall`], [`CommandError::TooManyCalls`], [`CommandError::InvalidTarget`] or
    /// [`CommandError::NotConnected`]; the call does not exist then.
    pub fn call(
        &mut self,
        now: Instant,
        id: CallId,
        target: &str,
        options: CallOptions,
    ) -> Result<(), CommandError> {
        self.endpoint.now = now;
        if self.calls.contains_key(&id) {
            return Err(CommandError::DuplicateCall);
        }
        if self.calls.len() >= self.endpoint.config.max_calls {
            return Err(CommandError::TooManyCalls);
        }
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        let target = parse_target(target, domain).ok_or(CommandError::InvalidTarget)?;
        if !self.endpoint.is_connected() || self.stopping.is_some() {
            return Err(CommandError::NotConnected);
        }
        if let Some(tones) = target.post_dial {
            self.post_dial.insert(id, tones);
        }
        let call = Call::outgoing(&mut self.endpoint, id, target.uri, options);
        self.calls.insert(id, call);
        self.settle();
        Ok(())
    }

    /// The call `id`, to be commanded.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`].
    pub fn call_handle(&mut self, now: Instant, id: CallId) -> Result<CallHandle<'_>, CommandError> {
        self.endpoint.now = now;
        if self.calls.contains_key(&id) {
            Ok(CallHandle::new(self, id))
        } else {
            Err(CommandError::NoSuchCall)
        }
    }

    /// Answers `id` and puts the other answered calls on hold.
    ///
    /// # Errors
    /// Those of [`CallHandle::answer`].
    pub fn hold_and_answer(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.answer_and(now, id, |call, endpoint| {
            let _ = call.set_hold(endpoint, true);
        })
    }

    /// Hangs up every other call and answers `id`.
    ///
    /// # Errors
    /// Those of [`CallHandle::answer`].
    pub fn end_and_answer(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.answer_and(now, id, |call, endpoint| {
            let _ = call.hang_up(endpoint);
        })
    }

    /// All calls, the oldest id first.
    pub fn calls(&self) -> impl Iterator<Item = &CallInfo> {
        self.calls.values().map(|call| &call.info)
    }

    /// Whether nothing is under way: no call, no transaction, no request to the media backend. A good moment to
    /// replace the program.
    pub fn is_at_rest(&self) -> bool {
        self.calls.is_empty() && self.endpoint.is_at_rest()
    }

    /// The connection to the platform.
    pub fn connection(&self) -> &ConnectionState {
        self.connection.state()
    }

    /// The registration of this device.
    pub fn registration(&self) -> &RegistrationState {
        self.registration.state()
    }

    /// Uses renewed credentials from now on, and registers again if the old ones had been refused.
    pub fn set_password(&mut self, now: Instant, password: Secret) {
        self.endpoint.now = now;
        self.endpoint.config.password = password;
        self.endpoint.reset_credentials();
        self.registration.credentials_changed(&mut self.endpoint);
        self.settle();
    }

    // --- inputs ----------------------------------------------------------------------------------------------

    fn wake(&mut self) {
        if let Some(connection) = self.connection.wake(&mut self.endpoint) {
            self.flow_lost(connection);
        }
        let mut out = Outbox::new();
        let events = self
            .endpoint
            .transactions
            .handle_timeout(self.endpoint.now, &mut out);
        self.endpoint.flush(out);
        self.transactions_ended(events);
        self.registration.wake(&mut self.endpoint);
        for call in self.calls.values_mut() {
            call.wake(&mut self.endpoint);
        }
        self.give_up_lost_calls();
        if self.stopping.is_some_and(|at| at <= self.endpoint.now) {
            self.stopped();
        }
    }

    fn connected(&mut self, connection: ConnectionId) {
        if self.connection.opened(&mut self.endpoint, connection) {
            self.registration.connected(&mut self.endpoint);
            if !self.endpoint.config.register {
                self.calls.values_mut().for_each(Call::reconnected);
            }
        }
    }

    fn disconnected(&mut self, connection: ConnectionId, reason: &str) {
        if self.connection.closed(&mut self.endpoint, connection, reason) {
            self.flow_lost(connection);
        }
    }

    /// What the end of a connection means to everything above it.
    fn flow_lost(&mut self, connection: ConnectionId) {
        let events = self.endpoint.transactions.connection_lost(connection);
        self.transactions_ended(events);
        self.registration.disconnected(&mut self.endpoint);
        for call in self.calls.values_mut() {
            call.connection_lost(&mut self.endpoint);
        }
        if self.stopping.is_some() {
            self.stopped();
        }
    }

    fn environment(&mut self, change: Environment) {
        self.connection.environment(&mut self.endpoint, change);
    }

    /// A machine that slept finds its socket open and dead: probe before the next call goes into the void.
    fn notice_clock_jump(&mut self, now: Instant) {
        if self
            .last_deadline
            .take()
            .is_some_and(|at| now.saturating_since(at) > CLOCK_JUMP)
        {
            self.environment(Environment::Resumed);
        }
    }

    fn received(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        let Some(flow) = self.endpoint.flow().filter(|flow| flow.connection == connection) else {
            return;
        };
        self.connection.heard(self.endpoint.now);
        match bytes.as_slice() {
            b"\r\n" => return self.connection.pong(),
            b"\r\n\r\n" => {
                let message = b"\r\n".to_vec();
                return self.endpoint.push(Output::Transmit { connection, message });
            }
            _ => {}
        }
        match Message::parse(bytes) {
            Ok(message) => self.message(flow, message),
            Err(_) => self.report_dropped(connection, "not a SIP message"),
        }
    }

    fn message(&mut self, flow: Flow, message: Message) {
        if let Err(defect) = message.validate() {
            return self.defective(flow, message, defect.status, defect.reason);
        }
        let mut out = Outbox::new();
        let received = self
            .endpoint
            .transactions
            .receive(self.endpoint.now, flow, message, &mut out);
        self.endpoint.flush(out);
        match received {
            Received::Request { transaction, request } => self.request(transaction, request),
            Received::Cancel {
                transaction,
                request,
                invite,
            } => self.cancel(transaction, &request, invite),
            Received::Ack { request } => {
                self.with_owner(&request, |call, endpoint| call.acknowledged(endpoint, &request));
            }
            Received::Response {
                transaction,
                response,
            } => self.response(transaction, &response),
            Received::StrayResponse { .. } => {
                self.report_dropped(flow.connection, "a response nobody waits for")
            }
            Received::Unusable(_) => self.report_dropped(flow.connection, "no usable Via or CSeq"),
            Received::Absorbed => {}
        }
    }

    /// A request that is wrong is told so, if it can be answered at all; a wrong response is dropped (RFC 4475).
    fn defective(&mut self, flow: Flow, message: Message, status: u16, why: &'static str) {
        self.report_dropped(flow.connection, why);
        let answerable = message.is_request() && message.method() != Method::Ack && message.top_via().is_ok();
        if answerable {
            let tag = self.endpoint.rng.token(4);
            let response = self
                .endpoint
                .response(&message, status)
                .reason(why)
                .to_tag(&tag)
                .build();
            self.endpoint.send_again(&response);
        }
    }

    fn report_dropped(&mut self, connection: ConnectionId, why: &'static str) {
        self.endpoint.emit(Event::Dropped { connection, why });
    }

    // --- requests --------------------------------------------------------------------------------------------

    fn request(&mut self, transaction: TransactionId, request: Message) {
        if unsupported(&request).next().is_some() {
            return self.refuse_extension(transaction, &request);
        }
        if request.method() == Method::Invite && !has_usable_body(&request) {
            return self.endpoint.reject(transaction, &request, 415);
        }
        let has_to_tag = request.to().is_ok_and(|to| to.tag().is_some());
        if has_to_tag {
            return match self.owner_of(&request) {
                Some(id) => {
                    self.with_call(id, |call, endpoint| call.request(endpoint, transaction, &request))
                }
                None => self.endpoint.reject(transaction, &request, 481),
            };
        }
        match request.method() {
            Method::Invite => self.invite(transaction, request),
            Method::Options => self.options(transaction, &request),
            Method::Bye | Method::Info => self.endpoint.reject(transaction, &request, 481),
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Update
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.endpoint.reject(transaction, &request, 405),
        }
    }

    /// RFC 3261 section 8.2.2.3: an extension we do not know, but are required to.
    fn refuse_extension(&mut self, transaction: TransactionId, request: &Message) {
        let tags = unsupported(request).collect::<Vec<_>>().join(", ");
        let tag = self.endpoint.rng.token(4);
        let response = self
            .endpoint
            .response(request, 420)
            .to_tag(&tag)
            .header(HeaderName::Unsupported, tags)
            .build();
        self.endpoint.respond(transaction, response);
    }

    fn invite(&mut self, transaction: TransactionId, invite: Message) {
        if self.calls.values().any(|call| call.is_merged_with(&invite)) {
            return self.endpoint.reject(transaction, &invite, 482);
        }
        if self.stopping.is_some() {
            return self.endpoint.reject(transaction, &invite, 480);
        }
        if self.calls.len() >= self.endpoint.config.max_calls {
            return self.endpoint.reject(transaction, &invite, 486);
        }
        let id = self.new_call_id();
        let waiting = self.is_busy();
        match Call::incoming(&mut self.endpoint, id, transaction, invite.clone()) {
            Ok(mut call) => {
                call.info.waiting = waiting;
                if self.endpoint.config.auto_answer {
                    let _ = call.answer(&mut self.endpoint);
                }
                self.calls.insert(id, call);
            }
            Err(_) => self.endpoint.reject(transaction, &invite, 400),
        }
    }

    fn options(&mut self, transaction: TransactionId, request: &Message) {
        let tag = self.endpoint.rng.token(4);
        let response = self
            .endpoint
            .response(request, 200)
            .to_tag(&tag)
            .header(HeaderName::Contact, self.endpoint.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Accept, "application/sdp")
            .header(HeaderName::Supported, SUPPORTED)
            .build();
        self.endpoint.respond(transaction, response);
    }

    fn cancel(&mut self, transaction: TransactionId, request: &Message, invite: Option<TransactionId>) {
        let Some(invite) = invite else {
            return self.endpoint.reject(transaction, request, 481);
        };
        let owner = self.calls.values().find(|call| call.owns_transaction(invite));
        // Section 9.2: the tag of the response to the INVITE itself.
        let tag = match owner.and_then(Call::local_tag) {
            Some(tag) => tag.to_owned(),
            None => self.endpoint.rng.token(4),
        };
        let owner = owner.map(Call::id);
        let ok = self.endpoint.response(request, 200).to_tag(&tag).build();
        self.endpoint.respond(transaction, ok);
        if let Some(id) = owner {
            self.with_call(id, |call, endpoint| {
                call.cancelled(endpoint, request);
                call.reinvite_cancelled(endpoint, invite);
            });
        }
    }

    // --- responses -------------------------------------------------------------------------------------------

    fn response(&mut self, transaction: TransactionId, response: &Message) {
        if matches!(response.status(), Some(401 | 407)) && self.answer_challenge(transaction, response) {
            return;
        }
        let Some(purpose) = self.endpoint.purpose_of(transaction, response) else {
            return;
        };
        let is_final = response.status().is_some_and(|status| status >= 200);
        match purpose {
            Purpose::Register => {
                let outcome = self
                    .registration
                    .response(&mut self.endpoint, transaction, response);
                self.registration_moved(outcome);
            }
            Purpose::Invite(id) => {
                self.with_call_or_late(id, transaction, response);
            }
            Purpose::ReInvite(id) => {
                self.with_call(id, |call, endpoint| {
                    call.reinvite_response(endpoint, transaction, response)
                });
            }
            Purpose::Bye(id) if is_final => self.with_call(id, Call::bye_done),
            Purpose::Dtmf(id) => {
                let status = response.status();
                self.with_call(id, |call, endpoint| call.info_done(endpoint, transaction, status));
            }
            Purpose::Bye(_) | Purpose::KeepAlive | Purpose::LateFork | Purpose::Cancel => {}
        }
    }

    /// A 2xx may come when the call is long gone: that fork is acknowledged and released all the same.
    fn with_call_or_late(&mut self, id: CallId, transaction: TransactionId, response: &Message) {
        if self.calls.contains_key(&id) {
            self.with_call(id, |call, endpoint| {
                call.invite_response(endpoint, transaction, response)
            });
        } else if matches!(response.status(), Some(200..=299)) {
            Call::release_late_fork(&mut self.endpoint, transaction, response);
        }
    }

    /// `true` if the challenged request is on its way again, with credentials.
    fn answer_challenge(&mut self, old: TransactionId, response: &Message) -> bool {
        let Some(purpose) = self.endpoint.purpose(old) else {
            return false;
        };
        let Some(cseq) = self.number_for_retry(purpose, old) else {
            return false;
        };
        let Some(new) = self.endpoint.answer_challenge(old, response, cseq) else {
            return false;
        };
        match purpose {
            Purpose::Register => self.registration.resent(new),
            Purpose::Invite(id) => self.with_call(id, |call, _| call.invite_resent(new)),
            Purpose::ReInvite(id) => self.with_call(id, |call, _| call.reinvite_resent(new)),
            Purpose::Dtmf(id) => self.with_call(id, |call, _| call.info_resent(new)),
            Purpose::Bye(_) | Purpose::KeepAlive | Purpose::LateFork | Purpose::Cancel => {}
        }
        true
    }

    /// The number a challenged request gets when it is sent again, if its owner still wants it: the next one of its
    /// dialog, in which others may have been sent meanwhile.
    fn number_for_retry(&mut self, purpose: Purpose, transaction: TransactionId) -> Option<u32> {
        let sent = self.endpoint.sent_request(transaction)?.cseq().ok()?.number;
        match purpose {
            Purpose::Register => self.registration.number_for_retry(transaction),
            Purpose::Invite(id) => {
                let call = self.calls.get(&id)?;
                call.still_invites(transaction).then_some(sent + 1)
            }
            Purpose::ReInvite(id) | Purpose::Bye(id) | Purpose::Dtmf(id) => {
                self.calls.get_mut(&id)?.next_number()
            }
            Purpose::KeepAlive | Purpose::LateFork => Some(sent + 1),
            // It has to have the branch and number of its INVITE (RFC 3261 section 22.1).
            Purpose::Cancel => None,
        }
    }

    fn transactions_ended(&mut self, events: Vec<TransactionEvent>) {
        for event in events {
            let Some((transaction, purpose)) = self.endpoint.take_purpose(event) else {
                continue;
            };
            match purpose {
                Purpose::Register => {
                    let outcome = self.registration.no_response(&mut self.endpoint, transaction);
                    self.registration_moved(outcome);
                }
                Purpose::Invite(id) => {
                    self.with_call(id, |call, endpoint| call.invite_unanswered(endpoint, transaction));
                }
                Purpose::ReInvite(id) => {
                    self.with_call(id, |call, endpoint| {
                        call.reinvite_unanswered(endpoint, transaction)
                    });
                }
                Purpose::Bye(id) => self.with_call(id, Call::bye_done),
                Purpose::Dtmf(id) => {
                    self.with_call(id, |call, endpoint| call.info_done(endpoint, transaction, None));
                }
                Purpose::KeepAlive | Purpose::LateFork | Purpose::Cancel => {}
            }
        }
    }

    fn registration_moved(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::None => {}
            Outcome::Registered { outbound, flow_timer } => {
                self.connection.registered(outbound, flow_timer);
                if self.registration.take_regained() {
                    self.calls.values_mut().for_each(Call::reconnected);
                }
            }
            Outcome::Removed => self.stop_if_nothing_is_left(),
        }
    }

    // --- calls -----------------------------------------------------------------------------------------------

    fn answer_and(
        &mut self,
        now: Instant,
        id: CallId,
        others: impl Fn(&mut Call, &mut Endpoint),
    ) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        if call.info.state != CallState::Incoming {
            return Err(CommandError::WrongState);
        }
        for call in self
            .calls
            .values_mut()
            .filter(|call| call.id() != id && call.is_live())
        {
            // Other calls that ring here go on ringing; they have not been spoken to.
            if call.info.state != CallState::Incoming {
                others(call, &mut self.endpoint);
            }
        }
        // They fall silent before the new one is opened.
        self.settle();
        self.command(id, Call::answer)
    }

    fn command<T>(
        &mut self,
        id: CallId,
        command: impl FnOnce(&mut Call, &mut Endpoint) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let call = self.calls.get_mut(&id).ok_or(CommandError::NoSuchCall)?;
        let result = command(call, &mut self.endpoint);
        self.settle();
        result
    }

    fn with_call(&mut self, id: CallId, step: impl FnOnce(&mut Call, &mut Endpoint)) {
        if let Some(call) = self.calls.get_mut(&id) {
            step(call, &mut self.endpoint);
        }
    }

    fn with_owner(&mut self, request: &Message, step: impl FnOnce(&mut Call, &mut Endpoint)) {
        if let Some(id) = self.owner_of(request) {
            self.with_call(id, step);
        }
    }

    fn owner_of(&self, request: &Message) -> Option<CallId> {
        self.calls.values().find(|call| call.owns(request)).map(Call::id)
    }

    fn new_call_id(&mut self) -> CallId {
        loop {
            let id = CallId(self.endpoint.rng.next_u64());
            if !self.calls.contains_key(&id) {
                return id;
            }
        }
    }

    fn is_busy(&self) -> bool {
        self.calls.values().any(Call::is_live)
    }

    fn give_up_lost_calls(&mut self) {
        let Some(lost_at) = self.connection.lost_at() else {
            return;
        };
        if lost_at + LOST_CALL_TIMEOUT > self.endpoint.now {
            return;
        }
        for call in self
            .calls
            .values_mut()
            .filter(|call| call.info.media != MediaTransport::Connected)
        {
            call.give_up(&mut self.endpoint);
        }
    }

    /// After every step: start what has become possible, report what has changed, forget what is over.
    fn settle(&mut self) {
        self.send_post_dial();
        for call in self.calls.values_mut() {
            call.advance(&mut self.endpoint);
            if let Some(info) = call.take_report() {
                self.endpoint.emit(Event::Call(Box::new(info)));
            }
        }
        let over: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.is_over())
            .map(Call::id)
            .collect();
        for id in &over {
            self.calls.remove(id);
            self.post_dial.remove(id);
            self.endpoint.forget_call(*id);
        }
        let busy = self.is_busy();
        self.connection.attention(self.endpoint.now, busy);
        if !over.is_empty() {
            self.stop_if_nothing_is_left();
        }
    }

    fn stop_if_nothing_is_left(&mut self) {
        if self.stopping.is_some() && self.calls.is_empty() && !self.registration.is_leaving() {
            self.stopped();
        }
    }

    fn send_post_dial(&mut self) {
        let answered: Vec<_> = self
            .post_dial
            .keys()
            .filter(|id| {
                self.calls
                    .get(id)
                    .is_some_and(|call| call.info.state == CallState::Active)
            })
            .copied()
            .collect();
        for id in answered {
            let Some(tones) = self.post_dial.remove(&id) else {
                continue;
            };
            self.with_call(id, |call, endpoint| {
                let _ = call.send_dtmf(endpoint, &tones);
            });
        }
    }

    fn stopped(&mut self) {
        self.stopping = None;
        for call in self.calls.values_mut() {
            call.give_up(&mut self.endpoint);
        }
        self.registration.stopped(&mut self.endpoint);
        self.connection.stop(&mut self.endpoint);
        self.settle();
        self.endpoint.forget_transactions();
        self.endpoint.emit(Event::Stopped);
    }

    fn deadline(&self) -> Option<Deadline> {
        let transaction = self.endpoint.transactions.deadline();
        let transaction = transaction.map(|at| Deadline {
            at,
            timer: Timer::Transaction,
        });
        let registration = self.registration.deadline();
        let registration = registration.map(|at| Deadline {
            at,
            timer: Timer::Registration,
        });
        let calls = self.calls.values().filter_map(Call::deadline);
        let call = calls.min().map(|(at, timer)| Deadline { at, timer });
        let stop = self.stopping.map(|at| Deadline {
            at,
            timer: Timer::Stop,
        });
        let lost = self.connection.lost_at().map(|at| at + LOST_CALL_TIMEOUT);
        let lost = lost.filter(|at| !self.calls.is_empty() && *at > self.endpoint.now);
        let lost = lost.map(|at| Deadline {
            at,
            timer: Timer::Call,
        });
        let all = [
            self.connection.deadline(),
            transaction,
            registration,
            call,
            stop,
            lost,
        ];
        all.into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}

/// RFC 3261 section 8.2.3: a session description, or nothing.
fn has_usable_body(invite: &Message) -> bool {
    let is_sdp = invite
        .content_type()
        .is_some_and(|media_type| media_type.is("application/sdp"));
    invite.body().is_empty() || is_sdp
}

/// Required option tags this agent does not implement.
fn unsupported(request: &Message) -> impl Iterator<Item = &str> {
    let known = |tag: &str| {
        SUPPORTED
            .split(',')
            .any(|known| known.trim().eq_ignore_ascii_case(tag))
    };
    // ACK and CANCEL never carry Require (section 8.2.2.3); they do not come here.
    request
        .header_list(HeaderName::Require)
        .map(str::trim)
        .filter(move |tag| !known(tag))
}
