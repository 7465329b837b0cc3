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

mod command;
mod conference;
mod connection;
mod consultation;
mod errand;
mod focus;
mod handle;
mod hosting;
mod objection;
mod own_devices;
mod platform;
mod remote_calls;
mod roster;
mod routing;
mod sequence;
mod snapshot;
mod subscribing;
mod swap;
mod target;
mod transfer;

pub use command::Command;

pub use handle::CallHandle;
pub use hosting::Invitation;
pub use snapshot::Snapshot;

use crate::call::{Call, CallOptions};
use crate::census::Census;
use crate::config::{Config, Token};
use crate::endpoint::Endpoint;
use crate::error::CommandError;
use crate::event::{CallInfo, CallState, ConnectionState, Event, RegistrationState};
use crate::id::{CallId, ConferenceId, OperationId};
use crate::io::{Deadline, Input, Output, Timer};
use crate::rate_limit::{Rate, Sampler};
use crate::secret::Secret;
use crate::sip::Message;
use crate::sorted_map::SortedMap;
use crate::subscription::Subscriptions;
use crate::time::{Duration, Instant};
use crate::transaction::Outbox;
use conference::Conference;
use focus::Gathering;
use platform::Lines;
use remote_calls::RemoteCalls;
use roster::Rosters;
use sequence::{Goal, Sequence};
use target::{Target, parse_target};

/// Dropped messages that are told: ten, then one every ten seconds, however many there are.
const TOLD_DROPS: Rate = Rate {
    interval: Duration::from_secs(10),
    burst: 10,
};
/// How long an orderly stop waits for answers.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A complete SIP user agent for one account on one device.
///
/// Time, randomness and all input and output come from outside; see the module documentation for the loop.
#[derive(Clone, Debug)]
pub struct UserAgent {
    endpoint: Endpoint,
    lines: Lines,
    calls: SortedMap<CallId, Call>,
    conference: Option<Conference>,
    last_conference: ConferenceId,
    gathering: Option<Gathering>,
    rosters: Rosters,
    subscriptions: Subscriptions,
    remote_calls: RemoteCalls,
    /// Tones to be sent when a call is answered ("100,,42").
    post_dial: SortedMap<CallId, String>,
    /// Commands that take several steps.
    sequences: Vec<Sequence>,
    stopping: Option<Instant>,
    last_deadline: Option<Instant>,
    /// Which dropped messages are told.
    dropped: Sampler,
}

impl UserAgent {
    /// An agent at rest. `seed` determines all its identifiers: draw it from the system's generator.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self::with_endpoint(Endpoint::new(config, seed))
    }

    fn with_endpoint(mut endpoint: Endpoint) -> Self {
        let lines = Lines::new(&mut endpoint);
        Self::with_lines(endpoint, lines)
    }

    fn with_lines(endpoint: Endpoint, lines: Lines) -> Self {
        Self {
            endpoint,
            lines,
            calls: SortedMap::new(),
            conference: None,
            last_conference: ConferenceId(0),
            gathering: None,
            rosters: Rosters::new(),
            subscriptions: Subscriptions::default(),
            remote_calls: RemoteCalls::default(),
            post_dial: SortedMap::new(),
            sequences: Vec::new(),
            stopping: None,
            last_deadline: None,
            dropped: Sampler::new(TOLD_DROPS),
        }
    }

    /// Connects and registers, and keeps doing so.
    pub fn start(&mut self, now: Instant) {
        self.endpoint.now = now;
        self.stopping = None;
        self.retry_remote_calls();
        self.start_lines();
        self.settle();
    }

    /// Ends all calls, removes the registration and closes the connection. [`Event::Stopped`] follows, at the latest
    /// after two seconds.
    pub fn stop(&mut self, now: Instant) {
        self.endpoint.now = now;
        if self.stopping.is_some() || *self.connection() == ConnectionState::Stopped {
            return self.stopped();
        }
        self.stopping = Some(now + STOP_TIMEOUT);
        for call in self.calls.values_mut() {
            let _ = call.hang_up(&mut self.endpoint);
        }
        self.subscriptions.leave_all(&mut self.endpoint);
        for line in &mut self.lines.all {
            line.registration.leave(&mut self.endpoint);
        }
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
        // One that has passed already says nothing about how long the machine may sleep from here on.
        self.last_deadline = deadline.map(|deadline| deadline.at.max(self.endpoint.now));
        Output::Idle(deadline)
    }

    /// Calls `target`: a number, a name, or a SIP or tel URI. `id` names no other call, nor has it lately: what the network says
    /// late about one that has ended would be taken for news of this one.
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
        let target = self.check_new_call(id, target)?;
        self.place(id, target, options);
        self.settle();
        Ok(())
    }

    /// A call begins.
    fn place(&mut self, id: CallId, target: Target, options: CallOptions) {
        if let Some(tones) = target.post_dial {
            self.post_dial.insert(id, tones);
        }
        let call = Call::outgoing(&mut self.endpoint, id, target.uri, options);
        self.calls.insert(id, call);
    }

    /// Whether a call can be made now.
    fn check_new_call(&self, id: CallId, target: &str) -> Result<Target, CommandError> {
        if self.is_known(id) {
            return Err(CommandError::DuplicateCall);
        }
        if !self.has_room() {
            return Err(CommandError::TooManyCalls);
        }
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        let target = parse_target(target, domain).ok_or(CommandError::InvalidTarget)?;
        if !self.endpoint.is_connected() || self.stopping.is_some() {
            return Err(CommandError::NotConnected);
        }
        Ok(target)
    }

    /// Whether this id names a call, or what the network has still to say is about one that it did name.
    fn is_known(&self, id: CallId) -> bool {
        self.calls.contains_key(&id) || self.endpoint.has_business_of(id)
    }

    fn has_room(&self) -> bool {
        self.calls.len() < self.endpoint.config.max_calls
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

    /// Puts the other answered calls on hold and, when they are, answers `id`. If one of them does not let itself be put
    /// on hold, `id` goes on ringing and everything is as before.
    ///
    /// # Errors
    /// Those of [`CallHandle::answer`]; [`CommandError::WrongState`] while another change of whom the user speaks with is
    /// under way.
    pub fn hold_and_answer(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        if call.info.state != CallState::Incoming || self.is_in_sequence(id) || self.is_changing_speaker() {
            return Err(CommandError::WrongState);
        }
        let others = self.speaking_besides(id);
        self.begin_sequence(Goal::Answer(id), &others)
    }

    /// Hangs up every other call and answers `id`.
    ///
    /// # Errors
    /// Those of [`CallHandle::answer`].
    pub fn end_and_answer(&mut self, now: Instant, id: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&id).ok_or(CommandError::NoSuchCall)?;
        if call.info.state != CallState::Incoming {
            return Err(CommandError::WrongState);
        }
        let others = self.calls.values_mut();
        for call in others.filter(|call| call.id() != id && call.is_live()) {
            // Other calls that ring here go on ringing; they have not been spoken to.
            if call.info.state != CallState::Incoming {
                let _ = call.hang_up(&mut self.endpoint);
            }
        }
        // They fall silent before the new one is opened.
        self.settle();
        self.command(id, Call::answer)
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

    /// How much the agent holds.
    pub fn census(&self) -> Census {
        Census {
            calls: self.calls.len(),
            ..self.endpoint.census()
        }
    }

    /// The connection to the platform.
    pub fn connection(&self) -> &ConnectionState {
        self.lines.connection()
    }

    /// The registration of this device.
    pub fn registration(&self) -> &RegistrationState {
        self.lines.registration()
    }

    /// Uses renewed credentials from now on, and registers again if the old ones had been refused.
    pub fn set_password(&mut self, now: Instant, password: Secret) {
        self.endpoint.now = now;
        self.endpoint.config.password = password;
        self.endpoint.reset_credentials();
        self.retry_remote_calls();
        for line in &mut self.lines.all {
            let successor = line.connection.open_successor();
            line.registration
                .credentials_changed(&mut self.endpoint, successor);
        }
        self.settle();
    }

    /// Shows `token` from now on where the platform asks for one (RFC 8898); what has waited for it goes on.
    pub fn set_token(&mut self, now: Instant, token: Token) {
        self.endpoint.now = now;
        let parked = self.endpoint.set_token(token);
        self.send_parked(parked);
        for line in &mut self.lines.all {
            let successor = line.connection.open_successor();
            line.registration
                .credentials_changed(&mut self.endpoint, successor);
        }
        self.settle();
    }

    // --- inputs ----------------------------------------------------------------------------------------------

    fn wake(&mut self) {
        self.wake_lines();
        let mut out = Outbox::new();
        let events = self
            .endpoint
            .transactions
            .handle_timeout(self.endpoint.now, &mut out);
        self.endpoint.flush(out);
        self.transactions_ended(events);
        self.endpoint.give_up_orphans();
        self.endpoint.wake_token();
        self.refuse_overdue();
        self.endpoint.forget_farewells();
        self.wake_registrations();
        self.subscriptions.wake(&mut self.endpoint);
        for call in self.calls.values_mut() {
            call.wake(&mut self.endpoint);
        }
        if self.stopping.is_some_and(|at| at <= self.endpoint.now) {
            self.stopped();
        }
    }

    // --- calls -----------------------------------------------------------------------------------------------

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

    /// The user's own hold or resume of a call.
    fn command_hold(&mut self, id: CallId, hold: bool) -> Result<OperationId, CommandError> {
        let call = self.calls.get_mut(&id).ok_or(CommandError::NoSuchCall)?;
        let operation = call.set_hold(&mut self.endpoint, hold)?;
        if hold {
            call.is_held_by_command();
        }
        self.hold_is_commanded(id);
        self.settle();
        Ok(operation)
    }

    pub(super) fn with_call(&mut self, id: CallId, step: impl FnOnce(&mut Call, &mut Endpoint)) {
        if let Some(call) = self.calls.get_mut(&id) {
            step(call, &mut self.endpoint);
        }
    }

    pub(super) fn with_owner(&mut self, request: &Message, step: impl FnOnce(&mut Call, &mut Endpoint)) {
        if let Some(id) = self.owner_of(request) {
            self.with_call(id, step);
        }
    }

    pub(super) fn owner_of(&self, request: &Message) -> Option<CallId> {
        self.calls.values().find(|call| call.owns(request)).map(Call::id)
    }

    pub(super) fn new_call_id(&mut self) -> CallId {
        loop {
            let id = CallId(self.endpoint.rng.next_u64());
            if !self.is_known(id) {
                return id;
            }
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.calls.values().any(Call::is_live)
    }

    /// After every step: start what has become possible, report what has changed, forget what is over.
    fn settle(&mut self) {
        self.lines.report(&mut self.endpoint);
        self.send_post_dial();
        self.follow_rosters();
        self.advance_conference();
        self.bring_back();
        self.advance_calls();
        while self.advance_sequences() | self.relate_calls() {
            self.advance_conference();
            self.bring_back();
            self.advance_calls();
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
        self.follow_remote_calls();
        let busy = self.is_busy();
        for line in &mut self.lines.all {
            line.connection.attention(self.endpoint.now, busy);
        }
        if !over.is_empty() {
            self.stop_if_nothing_is_left();
        }
    }

    fn advance_calls(&mut self) {
        for call in self.calls.values_mut() {
            call.advance(&mut self.endpoint);
            if let Some(info) = call.take_report(&self.endpoint) {
                self.endpoint.emit(Event::Call(Box::new(info)));
            }
        }
    }

    pub(super) fn stop_if_nothing_is_left(&mut self) {
        if self.stopping.is_some() && self.calls.is_empty() && !self.lines.is_leaving() {
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

    pub(super) fn stopped(&mut self) {
        self.stopping = None;
        self.abandon_sequences();
        for call in self.calls.values_mut() {
            call.give_up(&mut self.endpoint);
        }
        self.subscriptions.stopped(&mut self.endpoint);
        self.stop_lines();
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
        let registrations = self
            .lines
            .all
            .iter()
            .filter_map(|line| line.registration.deadline());
        let registration = registrations.min().map(|at| Deadline {
            at,
            timer: Timer::Registration,
        });
        let subscription = self.subscriptions.deadline();
        let subscription = subscription.map(|at| Deadline {
            at,
            timer: Timer::Subscription,
        });
        let connections = self
            .lines
            .all
            .iter()
            .filter_map(|line| line.connection.deadline());
        let connection = connections.min_by_key(|deadline| deadline.at);
        let calls = self
            .calls
            .values()
            .filter_map(|call| call.deadline(&self.endpoint));
        let call = calls.min().map(|(at, timer)| Deadline { at, timer });
        let stop = self.stopping.map(|at| Deadline {
            at,
            timer: Timer::Stop,
        });
        let token = self.endpoint.token_deadline().map(|at| Deadline {
            at,
            timer: Timer::Token,
        });
        let farewell = self.endpoint.farewell_deadline().map(|at| Deadline {
            at,
            timer: Timer::Call,
        });
        let gathering = self.gathering_deadline().map(|at| Deadline {
            at,
            timer: Timer::Call,
        });
        let orphan = self.endpoint.orphan_deadline().map(|at| Deadline {
            at,
            timer: Timer::Call,
        });
        let all = [
            connection,
            transaction,
            registration,
            subscription,
            call,
            stop,
            orphan,
            gathering,
            farewell,
            token,
        ];
        all.into_iter().flatten().min_by_key(|deadline| deadline.at)
    }
}
