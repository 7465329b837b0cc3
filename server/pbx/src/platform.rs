//! The platform itself: takes inputs, sends each message to the part it concerns, queues outputs.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::Rng;
use clearline_core::dialog_info;
use clearline_core::sip::digest::Ha1;
use clearline_core::sip::{HeaderName, Message, Method, ParseError, ResponseBuilder, Scheme, Uri, host_ip};
use clearline_core::transaction::{Flow, Outbox, Received, TransactionEvent, TransactionId, Transactions};

use crate::authentication::{CredentialId, Credentials};
use crate::census::Census;
use crate::config::Config;
use crate::connection::{Admission, Connection};
use crate::deadlines::Deadlines;
use crate::dialogs::{DialogId, Dialogs};
use crate::events::{WatcherId, Watchers};
use crate::flow::FlowId;
use crate::io::{
    Deadline, DisconnectReason, Event, Input, Limit, Output, Timer, Transport, UnregisteredCause,
};
use crate::location::{BindingId, Location};
use crate::proxy::{BranchId, ContextId, Proxy};
use crate::refusal::Refusal;
use crate::registrar::refuse_unsupported;
use crate::user::{User, UserError, UserId, Users};

/// A registrar and forking proxy for one domain; see the [crate documentation](crate) for how to drive it.
#[derive(Clone, Debug)]
pub struct Platform {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) transactions: Transactions,
    pub(crate) outbox: Outbox,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) connections_by_flow: BTreeMap<FlowId, ConnectionId>,
    pub(crate) users: Users,
    pub(crate) credentials: Credentials,
    pub(crate) location: Location,
    pub(crate) proxy: Proxy,
    pub(crate) dialogs: Dialogs,
    pub(crate) watchers: Watchers,
    /// When the last input came: what the time is for commands that do not say.
    pub(crate) last_input_at: Instant,
    pub(crate) alarms: Deadlines<Alarm>,
    outputs: VecDeque<Output>,
}

/// What the platform itself waits for; transactions have timers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// When a binding expires.
    Binding(BindingId),
    /// When a device has rung too long (timer C, RFC 3261 section 16.8).
    TimerC(BranchId),
    /// When a cancelled branch has had its time to end (RFC 3261 section 9.1).
    CancelIneffective(BranchId),
    /// When a caller whose connection was lost is given up.
    CallerGone(ContextId),
    /// When no further 2xx is expected for an answered INVITE.
    Forget(ContextId),
    /// When a dialog has been silent for too long.
    Dialog(DialogId),
    /// When a subscription lapses, or has waited long enough to tell what has changed.
    Watcher(WatcherId),
}

impl Alarm {
    fn timer(self) -> Timer {
        match self {
            Self::Binding(_) => Timer::Binding,
            Self::TimerC(_) | Self::CancelIneffective(_) | Self::CallerGone(_) | Self::Forget(_) => {
                Timer::Proxy
            }
            Self::Dialog(_) | Self::Watcher(_) => Timer::Event,
        }
    }
}

impl Platform {
    /// A platform without users. `seed` determines its tags, branches and nonces: a fresh one for every run.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            transactions: Transactions::new(),
            outbox: Outbox::new(),
            connections: BTreeMap::new(),
            connections_by_flow: BTreeMap::new(),
            users: Users::default(),
            credentials: Credentials::default(),
            location: Location::default(),
            proxy: Proxy::default(),
            dialogs: Dialogs::default(),
            watchers: Watchers::default(),
            last_input_at: Instant::ZERO,
            alarms: Deadlines::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Adds a user, or replaces the one with the same id; their devices and credentials stay.
    ///
    /// # Errors
    /// When the id, number or an alias belongs to another user or is empty; nothing is changed then.
    pub fn set_user(&mut self, user: User) -> Result<(), UserError> {
        self.users.set(user)
    }

    /// Removes a user, their credentials and devices. Calls that are up go on. This leaves events to be polled.
    pub fn remove_user(&mut self, user: &UserId) {
        self.users.remove(user);
        self.credentials.remove_user(user);
        self.drop_revoked();
    }

    /// Lets `user` authenticate as `auth_user` with the secret behind `ha1` (made for [`Config::realm`]). A user may
    /// have several credentials: one per algorithm, and one set per device.
    pub fn add_credential(&mut self, user: &UserId, auth_user: impl Into<String>, ha1: Ha1) -> CredentialId {
        self.credentials.add(user.clone(), auth_user.into(), ha1)
    }

    /// Revokes a credential: devices that registered with it are removed, connections lose the trust it gave them.
    /// This leaves events to be polled.
    pub fn remove_credential(&mut self, credential: CredentialId) {
        self.credentials.remove(credential);
        self.drop_revoked();
    }

    /// Whether somebody has shown valid credentials on this connection: a driver need not keep those for long on which
    /// nobody has.
    pub fn is_signed_in(&self, connection: ConnectionId) -> bool {
        self.connections
            .get(&connection)
            .is_some_and(Connection::is_trusted)
    }

    /// How much the platform holds.
    pub fn census(&self) -> Census {
        Census {
            connections: self.connections.len(),
            bindings: self.location.all().count(),
            transactions: self.transactions.len(),
            forwarded: self.proxy.len(),
            message_bytes: self.transactions.held_bytes(),
            dialogs: self.dialogs.len(),
            subscriptions: self.watchers.len(),
        }
    }

    /// How many devices of `user` are registered, reachable or not.
    pub fn device_count(&self, user: &UserId) -> usize {
        self.location.count(user)
    }

    /// Takes an input at the time `now`, which never runs backwards. Never fails; what it leads to is had from
    /// [`Self::poll_output`].
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.last_input_at = now;
        self.expire(now);
        match input {
            Input::Connected {
                connection,
                transport,
                peer,
            } => self.connected(connection, transport, peer),
            Input::Disconnected { connection } => self.disconnected(now, connection),
            Input::Received { connection, message } => self.received(now, connection, &message),
            Input::Wake => {}
        }
        self.flush();
    }

    /// The next thing to do. Call until it is [`Output::Idle`].
    pub fn poll_output(&mut self) -> Output {
        self.outputs
            .pop_front()
            .unwrap_or_else(|| Output::Idle(self.deadline()))
    }

    fn deadline(&self) -> Option<Deadline> {
        let transaction = self.transactions.deadline().map(|at| Deadline {
            at,
            timer: Timer::Transaction,
        });
        let own = self.alarms.next().map(|(at, alarm)| Deadline {
            at,
            timer: alarm.timer(),
        });
        transaction
            .into_iter()
            .chain(own)
            .min_by_key(|deadline| deadline.at)
    }

    fn expire(&mut self, now: Instant) {
        let events = self.transactions.handle_timeout(now, &mut self.outbox);
        self.transaction_events(now, events);
        while let Some(alarm) = self.alarms.pop_due(now) {
            match alarm {
                Alarm::Binding(id) => self.unregister(id, UnregisteredCause::Expired),
                Alarm::TimerC(branch) => self.timer_c_fired(now, branch),
                Alarm::CancelIneffective(branch) => self.cancel_was_ineffective(now, branch),
                Alarm::CallerGone(context) => self.caller_gone(now, context),
                Alarm::Forget(context) => self.forget(context),
                Alarm::Dialog(dialog) => self.dialog_silent(now, dialog),
                Alarm::Watcher(watcher) => self.watcher_woken(now, watcher),
            }
        }
        self.flush();
    }

    pub(crate) fn transaction_events(&mut self, now: Instant, events: Vec<TransactionEvent>) {
        for event in events {
            match event {
                TransactionEvent::TimedOut(id) => {
                    self.notify_failed(id, false);
                    self.branch_timed_out(now, id);
                }
                TransactionEvent::TransportFailed(id) => {
                    self.notify_failed(id, true);
                    self.branch_flow_failed(now, id);
                }
                TransactionEvent::AckMissing(_) | TransactionEvent::Terminated(_) => {}
            }
        }
    }

    fn connected(&mut self, connection: ConnectionId, transport: Transport, peer: Option<SocketAddr>) {
        let flow = FlowId::of_connection(&self.config.key, self.rng.next_u64());
        let state = Connection::new(transport, peer, flow, &self.config.limits);
        if let Some(reused) = self.connections.insert(connection, state) {
            self.connections_by_flow.remove(&reused.flow);
        }
        self.connections_by_flow.insert(flow, connection);
    }

    fn disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let Some(closed) = self.connections.remove(&connection) else {
            return;
        };
        self.connections_by_flow.remove(&closed.flow);
        self.location.connection_lost(connection);
        self.callers_lost(now, connection);
        let events = self.transactions.connection_lost(connection);
        self.transaction_events(now, events);
        // What was called by a device that never registered cannot be found again.
        self.observe_loss(now, closed.flow);
    }

    fn received(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let Some(state) = self.connections.get_mut(&connection) else {
            return;
        };
        match state.admit(now) {
            Admission::Admitted => {}
            Admission::Excess => {
                self.exceeded(now, connection, Limit::Messages);
                self.ask_to_slow_down(connection, bytes);
                return self.fault(now, connection);
            }
            Admission::FurtherExcess => return self.fault(now, connection),
        }
        match Message::parse(bytes) {
            Ok(message) => self.parsed(now, connection, message),
            Err(ParseError::Empty) => self.keep_alive(connection, bytes),
            Err(error) => self.unparsable(now, connection, bytes, &error),
        }
    }

    /// Tells a client that goes too fast to wait (RFC 3261 section 21.5.4); of a row of excess messages the first only.
    fn ask_to_slow_down(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let request = Message::parse(bytes).ok().filter(Message::can_be_answered);
        if let Some(request) = request {
            let refusal = Refusal::new(503).with(HeaderName::RetryAfter, "1");
            self.answer_statelessly(connection, &request, refusal);
        }
    }

    /// RFC 5626 section 3.5.1: two line ends are a ping, one is the pong.
    fn keep_alive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        if bytes.iter().filter(|byte| **byte == b'\n').count() >= 2 {
            self.outputs.push_back(Output::Transmit {
                connection,
                message: b"\r\n".to_vec(),
            });
        }
    }

    fn unparsable(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8], error: &ParseError) {
        match Message::salvage(bytes) {
            Some(request) => self.answer_statelessly(connection, &request, Refusal::new(error.status())),
            None => self.drop_message(now, connection, "not a SIP message"),
        }
        self.fault(now, connection);
    }

    fn parsed(&mut self, now: Instant, connection: ConnectionId, message: Message) {
        match message.validate() {
            Ok(()) => self.dispatch(now, connection, message),
            Err(defect) => {
                if message.can_be_answered() {
                    self.answer_statelessly(
                        connection,
                        &message,
                        Refusal::new(defect.status).because(defect.reason),
                    );
                } else {
                    self.drop_message(now, connection, defect.reason);
                }
                self.fault(now, connection);
            }
        }
    }

    fn dispatch(&mut self, now: Instant, connection: ConnectionId, message: Message) {
        let message = if message.is_request() {
            self.note_source(connection, message)
        } else {
            message
        };
        let flow = Flow::reliable(connection);
        match self.transactions.receive(now, flow, message, &mut self.outbox) {
            Received::Request { transaction, request } => {
                if let Err(refusal) = self.request(now, connection, transaction, &request) {
                    self.refuse(now, transaction, &request, refusal);
                }
            }
            Received::Cancel {
                transaction,
                request,
                invite,
            } => {
                self.cancel_received(now, connection, transaction, &request, invite);
            }
            Received::Ack { request } => self.forward_ack(now, connection, &request),
            Received::Response {
                transaction,
                response,
            } => {
                if !self.notify_answered(now, transaction, &response) {
                    self.response_received(now, transaction, &response);
                }
            }
            // RFC 6026 section 7.3: a proxy does not forward them.
            Received::StrayResponse { .. } => self.drop_message(now, connection, "stray response"),
            Received::Absorbed => {}
            Received::Unusable(_) => self.fault(now, connection),
        }
    }

    fn request(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) -> Result<(), Refusal> {
        let is_for_domain = request
            .request_uri()
            .is_some_and(|uri| self.is_domain_itself(&uri));
        if is_for_domain && request.method() == Method::Register {
            return self.register(now, connection, transaction, request);
        }
        if is_for_domain && request.method() == Method::Options && request.routes().next().is_none() {
            refuse_unsupported(request, HeaderName::Require, &[])?;
            self.answer_options(now, transaction, request);
            return Ok(());
        }
        if request.method() == Method::Subscribe && self.is_for_event_server(connection, request) {
            return self.subscribe(now, connection, transaction, request);
        }
        self.proxy_request(now, connection, transaction, request)
    }

    /// RFC 3261 section 11.2.
    fn answer_options(&mut self, now: Instant, transaction: TransactionId, request: &Message) {
        let response = self
            .response(request, 200)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::AllowEvents, dialog_info::PACKAGE)
            .header(HeaderName::Accept, "application/sdp")
            .header(HeaderName::Supported, "outbound, gruu")
            .build();
        self.respond(now, transaction, response);
    }

    /// RFC 3261 section 18.2.1 and RFC 3581: where the request really came from.
    fn note_source(&self, connection: ConnectionId, request: Message) -> Message {
        let (Some(Connection { peer: Some(peer), .. }), Ok(via)) =
            (self.connections.get(&connection), request.top_via())
        else {
            return request;
        };
        let wants_port = via.rport().is_some();
        let is_sender = via.host.trim_matches(['[', ']']).parse() == Ok(peer.ip());
        let Some(top) = request
            .header_list(HeaderName::Via)
            .next()
            .filter(|_| wants_port || !is_sender)
        else {
            return request;
        };
        // What the client itself claims to be received from must not survive.
        let mut value: String = top.split(';').next().unwrap_or(top).to_owned();
        for (name, text) in via.params.iter().filter(|(name, _)| !is_source_param(name)) {
            value.push_str(&format!(";{name}"));
            value.extend(text.map(|text| format!("={text}")));
        }
        value.push_str(&format!(";received={}", peer.ip()));
        if wants_port {
            value.push_str(&format!(";rport={}", peer.port()));
        }
        request
            .edit()
            .replace_first_element(HeaderName::Via, value)
            .build()
    }

    /// Whether a URI is one of the domain or its aliases.
    pub(crate) fn is_local(&self, uri: &Uri<'_>) -> bool {
        let Some(host) = uri.host() else { return false };
        let names = std::iter::once(&self.config.domain).chain(&self.config.domain_aliases);
        names.into_iter().any(|name| is_named(name, host, uri.port()))
    }

    /// Whether a URI means the domain and no user of it.
    pub(crate) fn is_domain_itself(&self, uri: &Uri<'_>) -> bool {
        matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) && uri.user().is_none() && self.is_local(uri)
    }

    /// The beginning of a response of the platform's own.
    pub(crate) fn response(&mut self, request: &Message, status: u16) -> ResponseBuilder {
        let mut response = ResponseBuilder::for_request(request, status);
        if status > 100 {
            response = response.to_tag(&self.rng.token(8));
        }
        if !self.config.server.is_empty() {
            response = response.header(HeaderName::Server, &self.config.server);
        }
        response
    }

    /// Answers a request by the platform itself.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Message,
        refusal: Refusal,
    ) {
        let response = self.refusal_response(request, refusal);
        let sender = self.transactions.flow(transaction).map(|flow| flow.connection);
        self.respond(now, transaction, response);
        let sender = sender.and_then(|connection| self.connections.get_mut(&connection));
        // Over a reliable flow the rest of the transaction is only there to absorb an ACK, which nobody misses.
        if request.method() == Method::Invite && !sender.is_some_and(|sender| sender.keeps_refusal(now)) {
            self.transactions.abandon(transaction);
        }
    }

    pub(crate) fn refusal_response(&mut self, request: &Message, refusal: Refusal) -> Message {
        let mut response = self.response(request, refusal.status);
        if let Some(reason) = refusal.reason {
            response = response.reason(reason);
        }
        for (name, value) in refusal.headers {
            response = response.header(name, value);
        }
        response.build()
    }

    pub(crate) fn respond(&mut self, now: Instant, transaction: TransactionId, response: Message) {
        self.transactions
            .respond(now, transaction, response, &mut self.outbox);
    }

    fn answer_statelessly(&mut self, connection: ConnectionId, request: &Message, refusal: Refusal) {
        let response = self.refusal_response(request, refusal);
        self.outbox.push((connection, response));
    }

    /// Counts a malformed or excess message.
    pub(crate) fn fault(&mut self, now: Instant, connection: ConnectionId) {
        let Some(state) = self.connections.get_mut(&connection) else {
            return;
        };
        if !state.tolerates_fault(now) {
            self.disconnect(now, connection, DisconnectReason::TooManyFaults);
        }
    }

    /// Closes a connection from this side.
    pub(crate) fn disconnect(&mut self, now: Instant, connection: ConnectionId, reason: DisconnectReason) {
        self.flush();
        self.outputs.push_back(Output::Disconnect { connection, reason });
        self.disconnected(now, connection);
    }

    /// Reports a message that is dropped without an answer.
    pub(crate) fn drop_message(&mut self, now: Instant, connection: ConnectionId, why: &'static str) {
        if let Some(unreported) = self.tell(now, connection) {
            self.report(Event::Dropped {
                connection,
                why,
                unreported,
            });
        }
    }

    /// Reports that a connection has gone beyond a limit.
    pub(crate) fn exceeded(&mut self, now: Instant, connection: ConnectionId, limit: Limit) {
        if self.tell(now, connection).is_some() {
            self.report(Event::LimitExceeded { connection, limit });
        }
    }

    fn tell(&mut self, now: Instant, connection: ConnectionId) -> Option<u32> {
        self.connections.get_mut(&connection)?.tell(now)
    }

    pub(crate) fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Whether messages can be sent on a connection.
    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.contains_key(&connection)
    }

    fn flush(&mut self) {
        for (connection, message) in std::mem::take(&mut self.outbox) {
            if self.connections.contains_key(&connection) {
                let message = message.as_bytes().to_vec();
                self.outputs.push_back(Output::Transmit { connection, message });
            }
        }
    }

    fn drop_revoked(&mut self) {
        let revoked: Vec<_> = self
            .location
            .all()
            .filter(|(_, binding)| !self.credentials.are_valid(&binding.user, binding.credential))
            .map(|(id, _)| id)
            .collect();
        for id in revoked {
            self.unregister(id, UnregisteredCause::Revoked);
        }
        for connection in self.connections.values_mut() {
            connection.distrust(|user, credential| self.credentials.are_valid(user, credential));
        }
        self.drop_unentitled_watchers();
    }
}

/// The methods of the domain itself.
pub(crate) const ALLOW: &str = "REGISTER, OPTIONS, SUBSCRIBE";

fn is_source_param(name: &str) -> bool {
    name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport")
}

/// Whether `name`, a host with or without port, names this host and port; without a port it names all of them.
fn is_named(name: &str, host: &str, port: Option<u16>) -> bool {
    if is_same_host(name, host) {
        return true;
    }
    let Some((name, own_port)) = name.rsplit_once(':') else {
        return false;
    };
    is_same_host(name, host) && own_port.parse().ok() == port
}

/// Addresses are compared as such: IPv6 has many spellings of one.
fn is_same_host(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || host_ip(one).is_some_and(|ip| host_ip(other) == Some(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_any_port_or_their_own() {
        assert!(is_named("example.com", "EXAMPLE.com", Some(8080)));
        assert!(is_named("127.0.0.1:8080", "127.0.0.1", Some(8080)));
        assert!(is_named("[::1]:8080", "[::1]", Some(8080)));
        assert!(is_named("[::1]", "[::1]", Some(8080)));
        assert!(is_named("[::1]:8080", "[0:0::0:1]", Some(8080)));
        assert!(!is_named("[::1]:8080", "[0:0::0:1]", None));
        assert!(!is_named("127.0.0.1:8080", "127.0.0.1", None));
        assert!(!is_named("127.0.0.1:8080", "127.0.0.1", Some(8081)));
        assert!(!is_named("example.com", "sub.example.com", None));
    }
}
