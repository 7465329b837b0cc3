//! What every part of the agent shares: the time, the queue, transactions, credentials and this device's address.

mod bearer;
mod farewell;
mod flows;
mod lost_invite;
mod purpose;

use std::collections::VecDeque;

use bearer::{Bearer, Demand};
pub(crate) use farewell::Farewell;
use flows::Flows;
pub(crate) use lost_invite::KeptCancel;
pub(crate) use purpose::Purpose;

use crate::census::Census;
use crate::config::{Config, Token};
use crate::error::OperationError;
use crate::event::{Event, OwnDevice};
use crate::id::{CallId, ConnectionId, DialogId, MediaRequestId, MediaSessionId, OperationId};
use crate::io::{MediaAction, Output};
use crate::rate_limit::{Rate, RateLimit};
use crate::rng::Rng;
use crate::sip::digest::ClientChallengeState;
use crate::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder, UriBuf};
use crate::sorted_map::SortedMap;
use crate::time::{Duration, Instant};
use crate::transaction::{Flow, Outbox, TRANSACTION_TIMEOUT, TransactionEvent, TransactionId, Transactions};

/// Methods this agent understands (RFC 3261 section 20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY, REFER";
/// Option tags this agent implements.
pub(crate) const SUPPORTED: &str =
    "100rel, 199, from-change, gruu, norefersub, outbound, path, replaces, tdialog, timer, trickle-ice";
/// INFO packages this agent takes (RFC 6086 section 5.2.3).
pub(crate) const RECV_INFO: &str = "trickle-ice";

/// The agent without its calls, its registration and its connection policy: what these work with.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) config: Config,
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) transactions: Transactions,
    pub(crate) identity: LocalIdentity,
    outputs: VecDeque<Output>,
    flows: Flows,
    pending: SortedMap<TransactionId, Pending>,
    digest: ClientChallengeState,
    bearer: Bearer,
    media_requests: SortedMap<MediaRequestId, CallId>,
    /// BYEs of calls that ended without a connection.
    pub(crate) farewells: Vec<Farewell>,
    /// CANCELs of INVITEs that were lost with their connection, and since when.
    lost_invites: Vec<(Instant, Message)>,
    last_media_request: u64,
    last_media_session: u64,
    last_operation: u64,
    /// Operations that are steps of others are not told to the application, but to the agent itself.
    inner: Inner,
    /// REFERs that are looked at.
    refers: RateLimit,
    /// Refused INVITEs that are remembered until their ACK comes.
    kept_refusals: RateLimit,
    /// Dialogs that have ended lately, the newest last.
    ended_dialogs: VecDeque<DialogId>,
    /// The account's other devices, as told to the application.
    own_devices: Vec<OwnDevice>,
}

/// How this device names itself on the wire.
#[derive(Clone, Debug)]
pub(crate) struct LocalIdentity {
    /// Via sent-by and the host of the Contact; `.invalid`, as a browser cannot know its address (RFC 7118 section 5).
    pub(crate) host: String,
    /// User part of the Contact.
    pub(crate) user: String,
    /// Public GRUU given by the registrar (RFC 5627).
    pub(crate) public_gruu: Option<UriBuf>,
}

/// A client transaction whose final response somebody awaits.
#[derive(Clone, Debug)]
struct Pending {
    purpose: Purpose,
    connection: ConnectionId,
    request: Message,
    challenges_answered: u8,
    /// It has been sent by another way before.
    detoured: bool,
    /// Somebody has answered provisionally.
    provisional: bool,
    /// It was refused for want of a token, and is sent again when there is one.
    parked: Option<Box<Parked>>,
    /// Tags of forks that answered an INVITE and were released, so that a 2xx that comes again brings no second BYE.
    released: Vec<String>,
    /// Of a re-INVITE that was open when its call ended: its far end may still answer it, and awaits this ACK then
    /// (RFC 5407 section 3.2.3).
    orphan_ack: Option<RequestBuilder>,
    /// Nobody wants its answer any more, and it is not awaited for longer than this.
    give_up_at: Option<Instant>,
}

/// A refusal that does not count yet.
#[derive(Clone, Debug)]
struct Parked {
    refusal: Message,
    until: Instant,
}

/// Operations that are steps of others.
#[derive(Clone, Debug, Default)]
struct Inner {
    /// Those that begin now are.
    begins: bool,
    open: SortedMap<OperationId, ()>,
    ended: Vec<(OperationId, Result<(), OperationError>)>,
}

/// What becomes of a challenged request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is on its way again.
    Sent(TransactionId),
    /// It waits for a token.
    Parked,
    /// The refusal stands.
    Hopeless,
}

/// How long a request waits for a token. The user may have to sign in; a caller would rather know.
const TOKEN_PATIENCE: Duration = Duration::from_secs(30);
/// Challenges to one request that are answered: as many realms may lie on the way, or nonces turn out to be stale.
const MAX_CHALLENGES: u8 = 4;
/// Forks of one INVITE that are released; a hostile platform could invent any number.
const MAX_RELEASED: usize = 16;

/// Ended dialogs that are remembered.
const MAX_ENDED_DIALOGS: usize = 16;

/// As each is remembered for up to 32 s, there are never more than about a hundred, however many callers are refused.
const KEPT_REFUSALS: Rate = Rate::per_second(1, 64);

/// Calls that far ends can have made here: as often as an attendant works, and not as a storm.
const REFERS: Rate = Rate {
    interval: Duration::from_secs(4),
    burst: 8,
};

/// Whether a fork that answers has been released before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// It has not.
    First,
    /// It has: its 2xx comes again.
    Again,
    /// Too many forks have answered; this one has to help itself.
    TooMany,
}

/// The connection is down; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotConnected;

impl Endpoint {
    pub(crate) fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = Rng::new(seed);
        let bearer = Bearer::new(config.token.clone());
        let identity = LocalIdentity {
            host: format!("{}.invalid", rng.token(6)),
            user: rng.token(4),
            public_gruu: None,
        };
        Self {
            config,
            now: Instant::ZERO,
            rng,
            transactions: Transactions::new(),
            identity,
            outputs: VecDeque::new(),
            flows: Flows::default(),
            pending: SortedMap::new(),
            digest: ClientChallengeState::default(),
            bearer,
            media_requests: SortedMap::new(),
            farewells: Vec::new(),
            lost_invites: Vec::new(),
            last_media_request: 0,
            last_media_session: 0,
            last_operation: 0,
            inner: Inner::default(),
            refers: RateLimit::new(REFERS),
            kept_refusals: RateLimit::new(KEPT_REFUSALS),
            ended_dialogs: VecDeque::new(),
            own_devices: Vec::new(),
        }
    }

    /// Sessions, media requests and operations of this agent have other numbers than those of the one it goes on for:
    /// windows that have outlived that one may still know them.
    pub(crate) fn start_numbers_at_random(&mut self) {
        let mut start = || self.rng.next_u64() >> 16;
        (
            self.last_media_session,
            self.last_media_request,
            self.last_operation,
        ) = (start(), start(), start());
    }

    /// What there is without the calls.
    pub(crate) fn census(&self) -> Census {
        Census {
            calls: 0,
            transactions: self.transactions.len(),
            awaited: self.pending.len(),
            media_requests: self.media_requests.len(),
            message_bytes: self.transactions.held_bytes(),
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        self.transactions.is_empty()
            && self.pending.is_empty()
            && self.media_requests.is_empty()
            && self.farewells.is_empty()
            && self.lost_invites.is_empty()
    }

    // --- the queue -------------------------------------------------------------------------------------------

    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Which other devices the account has.
    pub(crate) fn own_devices(&self) -> &[OwnDevice] {
        &self.own_devices
    }

    /// The registrar has listed them.
    pub(crate) fn list_own_devices(&mut self, devices: Vec<OwnDevice>) {
        if self.config.remote_calls && self.own_devices != devices {
            self.own_devices.clone_from(&devices);
            self.emit(Event::OwnDevices(devices));
        }
    }

    pub(crate) fn new_operation(&mut self) -> OperationId {
        self.last_operation += 1;
        let operation = OperationId(self.last_operation);
        if self.inner.begins {
            self.inner.open.insert(operation, ());
        }
        operation
    }

    pub(crate) fn finish(&mut self, operation: OperationId, result: Result<(), OperationError>) {
        if self.inner.open.remove(&operation).is_some() {
            self.inner.ended.push((operation, result));
        } else {
            self.emit(Event::OperationDone { operation, result });
        }
    }

    /// Gives a command that is a step of another one.
    pub(crate) fn as_step<T>(&mut self, command: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.inner.begins, true);
        let result = command(self);
        self.inner.begins = outer;
        result
    }

    /// Steps that have ended.
    pub(crate) fn take_ended_steps(&mut self) -> Vec<(OperationId, Result<(), OperationError>)> {
        std::mem::take(&mut self.inner.ended)
    }

    /// A dialog is over; it is remembered for a while.
    pub(crate) fn note_ended(&mut self, dialog: DialogId) {
        if self.ended_dialogs.len() >= MAX_ENDED_DIALOGS {
            self.ended_dialogs.pop_front();
        }
        self.ended_dialogs.push_back(dialog);
    }

    /// Whether a dialog has ended lately.
    pub(crate) fn has_ended(&self, dialog: &DialogId) -> bool {
        self.ended_dialogs.contains(dialog)
    }

    // --- media -----------------------------------------------------------------------------------------------

    pub(crate) fn new_media_session(&mut self) -> MediaSessionId {
        self.last_media_session += 1;
        MediaSessionId(self.last_media_session)
    }

    pub(crate) fn request_media(
        &mut self,
        call: CallId,
        session: MediaSessionId,
        action: MediaAction,
    ) -> MediaRequestId {
        self.last_media_request += 1;
        let request = MediaRequestId(self.last_media_request);
        self.media_requests.insert(request, call);
        self.push(Output::Media {
            request,
            call,
            session,
            action,
        });
        request
    }

    /// The call a media answer is for; each request is answered once.
    pub(crate) fn take_media_request(&mut self, request: MediaRequestId) -> Option<CallId> {
        self.media_requests.remove(&request)
    }

    // --- sending ---------------------------------------------------------------------------------------------

    /// The number of the next connection.
    pub(crate) fn new_connection(&mut self) -> ConnectionId {
        self.flows.new_connection()
    }

    /// A connection is open: messages can travel on it.
    pub(crate) fn open_flow(&mut self, connection: ConnectionId, is_secure: bool) {
        self.flows.open(connection, is_secure);
    }

    /// A connection is gone. Responses that are still owed on it go out on another (RFC 3261 section 18.2.2).
    pub(crate) fn close_flow(&mut self, connection: ConnectionId) {
        self.flows.close(connection);
    }

    /// New requests take the flow of `connection` from now on.
    pub(crate) fn set_primary(&mut self, connection: Option<ConnectionId>) {
        if let Some(flow) = self.flows.set_primary(connection) {
            for lost in self.flows.take_closed() {
                self.transactions.move_flow(lost, flow);
            }
        }
    }

    /// The flow of new requests.
    pub(crate) fn primary(&self) -> Option<ConnectionId> {
        self.flows.primary().map(|flow| flow.connection)
    }

    /// The flow of an open connection.
    pub(crate) fn flow(&self, connection: ConnectionId) -> Option<Flow> {
        self.flows.of(connection)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.flows.primary().is_some()
    }

    /// Requests outside dialogs take this route when they leave by `connection` (RFC 3608 section 6.1).
    pub(crate) fn set_service_route(&mut self, connection: ConnectionId, route: Vec<String>) {
        self.flows.set_service_route(connection, route);
    }

    /// Completes `request` with Via, User-Agent and, where a proxy has challenged before, credentials, and sends it in
    /// a new client transaction.
    pub(crate) fn send(
        &mut self,
        purpose: Purpose,
        request: RequestBuilder,
    ) -> Result<TransactionId, NotConnected> {
        self.send_message(purpose, &request.build())
    }

    /// The same with a request that may have to be sent again, changed.
    pub(crate) fn send_message(
        &mut self,
        purpose: Purpose,
        request: &Message,
    ) -> Result<TransactionId, NotConnected> {
        let primary = self.primary().ok_or(NotConnected)?;
        self.send_message_on(primary, purpose, request)
    }

    /// The same on a certain connection.
    pub(crate) fn send_on(
        &mut self,
        connection: ConnectionId,
        purpose: Purpose,
        request: RequestBuilder,
    ) -> Result<TransactionId, NotConnected> {
        self.send_message_on(connection, purpose, &request.build())
    }

    fn send_message_on(
        &mut self,
        connection: ConnectionId,
        purpose: Purpose,
        message: &Message,
    ) -> Result<TransactionId, NotConnected> {
        let flow = self.flows.of(connection).ok_or(NotConnected)?;
        let via = self.new_via(flow);
        let mut edit = message.edit().prepend(HeaderName::Via, via);
        if purpose.takes_service_route() && !is_in_dialog(message) {
            for route in self.flows.service_route(connection) {
                edit = edit.append(HeaderName::Route, route);
            }
        }
        let completed = edit
            .append(HeaderName::UserAgent, &self.config.user_agent)
            .build();
        let request = self.with_known_credentials(flow, completed);
        self.transmit(flow, purpose, request, 0)
    }

    /// Sends an ACK for a 2xx, which has no transaction, and returns it for retransmission. It repeats the credentials
    /// of its INVITE, as nobody may challenge it (RFC 3261 section 22.1).
    pub(crate) fn send_ack(&mut self, invite: &Message, ack: RequestBuilder) -> Message {
        let via = self
            .flows
            .primary()
            .map(|flow| self.new_via(flow))
            .unwrap_or_default();
        let message = ack
            .headers_from(invite, HeaderName::Authorization)
            .headers_from(invite, HeaderName::ProxyAuthorization)
            .build()
            .edit()
            .prepend(HeaderName::Via, via)
            .build();
        self.send_again(&message);
        message
    }

    /// Sends a message without a transaction.
    pub(crate) fn send_again(&mut self, message: &Message) {
        if let Some(connection) = self.primary() {
            self.send_back(connection, message);
        }
    }

    /// Sends a message without a transaction on a certain connection.
    pub(crate) fn send_back(&mut self, connection: ConnectionId, message: &Message) {
        self.flush(vec![(connection, message.clone())]);
    }

    pub(crate) fn respond(&mut self, transaction: TransactionId, response: Message) {
        let mut out = Outbox::new();
        let ends_invite = response.method() == Method::Invite && response.status() >= Some(300);
        self.transactions
            .respond(self.now, transaction, response, &mut out);
        self.flush(out);
        // Over a reliable flow the rest of such a transaction is only there to absorb an ACK, which nobody misses.
        if ends_invite && !self.kept_refusals.allows(self.now) {
            self.transactions.abandon(transaction);
        }
    }

    /// Responds with a bare status line and the standard reason.
    pub(crate) fn reject(&mut self, transaction: TransactionId, request: &Message, status: u16) {
        let tag = self.rng.token(4);
        let response = self.response(request, status).to_tag(&tag).build();
        self.respond(transaction, response);
    }

    /// Refuses for now (500 with Retry-After): another request of the far end has to be answered first (RFC 3261
    /// section 14.2, RFC 3311 section 5.2).
    pub(crate) fn put_off(&mut self, transaction: TransactionId, request: &Message) {
        let wait = self.rng.next_u64() % 11;
        let tag = self.rng.token(4);
        let response = self
            .response(request, 500)
            .to_tag(&tag)
            .header(HeaderName::RetryAfter, wait)
            .build();
        self.respond(transaction, response);
    }

    /// Refuses a session interval that is too small (RFC 4028 section 9).
    pub(crate) fn refuse_interval(&mut self, transaction: TransactionId, request: &Message, min_se: u32) {
        let tag = self.rng.token(4);
        let response = self
            .response(request, 422)
            .to_tag(&tag)
            .header(HeaderName::MinSe, min_se)
            .build();
        self.respond(transaction, response);
    }

    /// A response with the headers each of ours has.
    pub(crate) fn response(&self, request: &Message, status: u16) -> ResponseBuilder {
        let response = ResponseBuilder::for_request(request, status);
        match status {
            405 => response.header(HeaderName::Allow, ALLOW),
            415 => response.header(HeaderName::Accept, "application/sdp"),
            _ => response,
        }
    }

    /// Whether one more REFER can be followed now.
    pub(crate) fn takes_refer(&mut self) -> bool {
        self.refers.allows(self.now)
    }

    /// Cancels an INVITE, if it still awaits its final response.
    pub(crate) fn cancel(&mut self, invite: TransactionId, reason: Option<&str>) {
        let Some(cancel) = self.transactions.cancel_request(invite) else {
            return;
        };
        let cancel = match reason {
            Some(reason) => cancel.edit().append(HeaderName::Reason, reason).build(),
            None => cancel,
        };
        // A CANCEL takes the way of its INVITE (section 9.1). Nobody waits for its answer: what counts is the final
        // response to the INVITE.
        if let Some(flow) = self.transactions.flow(invite) {
            let _ = self.transmit(flow, Purpose::Cancel, cancel, 0);
        }
    }

    /// Passes on what is for connections that are open; nothing is sent on one that is gone.
    pub(crate) fn flush(&mut self, out: Outbox) {
        for (connection, message) in out {
            if self.flows.of(connection).is_some() {
                self.push(Output::Transmit {
                    connection,
                    message: message.as_bytes().to_vec(),
                });
            }
        }
    }

    fn transmit(
        &mut self,
        flow: Flow,
        purpose: Purpose,
        request: Message,
        challenges_answered: u8,
    ) -> Result<TransactionId, NotConnected> {
        let mut out = Outbox::new();
        let sent = self.transactions.send(self.now, flow, request.clone(), &mut out);
        self.flush(out);
        let transaction = sent.map_err(|_| NotConnected)?;
        self.pending.insert(
            transaction,
            Pending {
                purpose,
                connection: flow.connection,
                request,
                challenges_answered,
                detoured: false,
                provisional: false,
                parked: None,
                released: Vec::new(),
                orphan_ack: None,
                give_up_at: None,
            },
        );
        Ok(transaction)
    }

    fn new_via(&mut self, flow: Flow) -> String {
        let transport = self.flows.transport(flow);
        let branch = self.rng.token(8);
        format!(
            "SIP/2.0/{transport} {};branch=z9hG4bK{branch}",
            self.identity.host
        )
    }

    // --- receiving -------------------------------------------------------------------------------------------

    /// What a response to `transaction` is about. A final response ends the wait, except for a 2xx to INVITE, of which
    /// there can be several.
    pub(crate) fn purpose_of(&mut self, transaction: TransactionId, response: &Message) -> Option<Purpose> {
        let pending = self.pending.get_mut(&transaction)?;
        let purpose = pending.purpose;
        pending.provisional |= response.status().is_some_and(|status| status < 200);
        let more_may_come = match response.status().unwrap_or(0) {
            100..=199 => true,
            200..=299 => pending.request.method() == Method::Invite,
            _ => false,
        };
        if !more_may_come {
            self.pending.remove(&transaction);
        }
        Some(purpose)
    }

    /// The request of a client transaction, as it was sent.
    pub(crate) fn sent_request(&self, transaction: TransactionId) -> Option<&Message> {
        self.pending.get(&transaction).map(|pending| &pending.request)
    }

    /// What a transaction that awaits its final response was sent for.
    pub(crate) fn purpose(&self, transaction: TransactionId) -> Option<Purpose> {
        self.pending.get(&transaction).map(|pending| pending.purpose)
    }

    /// Notes that the fork `tag` of an INVITE is being released, or will be with its call.
    pub(crate) fn note_released(&mut self, invite: TransactionId, tag: &str) -> Release {
        let Some(pending) = self.pending.get_mut(&invite) else {
            return Release::TooMany;
        };
        let released = &mut pending.released;
        if released.iter().any(|known| known == tag) {
            Release::Again
        } else if released.len() >= MAX_RELEASED {
            Release::TooMany
        } else {
            released.push(tag.to_owned());
            Release::First
        }
    }

    /// A call is over: nobody awaits its media answers or the final response of its INVITE any more. One that has been
    /// answered stays for its late forks.
    pub(crate) fn forget_call(&mut self, id: CallId) {
        self.media_requests.retain(|_, call| *call != id);
        let given_up: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.purpose == Purpose::Invite(id))
            .map(|(transaction, _)| *transaction)
            .filter(|transaction| self.transactions.awaits_response(*transaction))
            .collect();
        given_up
            .into_iter()
            .for_each(|transaction| self.abandon(transaction));
    }

    /// Whether something may still be said about a call of this id: the late answer of a fork, for one.
    pub(crate) fn has_business_of(&self, id: CallId) -> bool {
        self.pending
            .values()
            .any(|pending| pending.purpose.call() == Some(id))
    }

    /// The re-INVITEs of a call that ends are on their own; `ack` makes the ACK for one with this number.
    pub(crate) fn orphan_reinvites(&mut self, id: CallId, ack: impl Fn(u32) -> RequestBuilder) {
        let give_up_at = self.now + TRANSACTION_TIMEOUT;
        let open = self
            .pending
            .values_mut()
            .filter(|pending| pending.purpose == Purpose::ReInvite(id));
        for pending in open {
            let number = pending.request.cseq().map_or(0, |cseq| cseq.number);
            pending.purpose = Purpose::Orphan;
            pending.orphan_ack = Some(ack(number));
            pending.give_up_at = Some(give_up_at);
        }
    }

    /// Nobody wants what an INVITE asks for any more. It is cancelled as soon as that is allowed, and given up if its final
    /// response does not come within 64*T1 (RFC 3261 section 9.1).
    pub(crate) fn withdraw(&mut self, invite: TransactionId) {
        if let Some(pending) = self.pending.get_mut(&invite) {
            pending.give_up_at = Some(self.now + TRANSACTION_TIMEOUT);
        }
        if self.transactions.is_proceeding(invite) {
            self.cancel(invite, None);
        }
    }

    /// A response to a re-INVITE whose call has ended.
    pub(crate) fn orphan_answered(&mut self, transaction: TransactionId, response: &Message) {
        let Some(Pending {
            request,
            orphan_ack: Some(ack),
            ..
        }) = self.pending.get(&transaction)
        else {
            return;
        };
        if matches!(response.status(), Some(200..=299)) {
            let (invite, ack) = (request.clone(), ack.clone());
            self.send_ack(&invite, ack);
        }
    }

    /// When the next INVITE that nobody waits for is given up.
    pub(crate) fn orphan_deadline(&self) -> Option<Instant> {
        self.orphans().map(|(_, give_up_at)| give_up_at).min()
    }

    /// A far end that has let 64*T1 go by will not answer any more.
    pub(crate) fn give_up_orphans(&mut self) {
        let late: Vec<_> = self
            .orphans()
            .filter(|(_, give_up_at)| *give_up_at <= self.now)
            .map(|(transaction, _)| transaction)
            .collect();
        late.into_iter().for_each(|transaction| self.abandon(transaction));
    }

    /// Those that await a final response; the others end by the timers of their transaction.
    fn orphans(&self) -> impl Iterator<Item = (TransactionId, Instant)> {
        self.pending
            .iter()
            .filter_map(|(transaction, pending)| Some((*transaction, pending.give_up_at?)))
            .filter(|(transaction, _)| self.transactions.awaits_response(*transaction))
    }

    /// Gives up waiting for a response: what comes now comes too late.
    pub(crate) fn abandon(&mut self, transaction: TransactionId) {
        self.transactions.abandon(transaction);
        self.pending.remove(&transaction);
    }

    /// Forgets every transaction: the agent has stopped.
    pub(crate) fn forget_transactions(&mut self) {
        self.transactions = Transactions::new();
        self.pending.clear();
        self.farewells.clear();
        self.lost_invites.clear();
    }

    /// What a transaction that ended without a final response was about.
    pub(crate) fn take_purpose(&mut self, event: TransactionEvent) -> Option<(TransactionId, Purpose)> {
        let (id, failed) = match event {
            TransactionEvent::TimedOut(id) | TransactionEvent::TransportFailed(id) => (id, true),
            TransactionEvent::AckMissing(id) | TransactionEvent::Terminated(id) => (id, false),
        };
        if self.pending.get(&id)?.parked.is_some() {
            return None;
        }
        let pending = self.pending.remove(&id)?;
        failed.then_some((id, pending.purpose))
    }

    /// Where a request that has found no way could be tried, and what it is for: where it was not, once, and only if
    /// nobody has heard of it yet.
    pub(crate) fn detour(&self, transaction: TransactionId) -> Option<(Purpose, ConnectionId)> {
        let pending = self.pending.get(&transaction)?;
        let can_be = !pending.detoured && !pending.provisional;
        can_be.then_some((pending.purpose, pending.connection))
    }

    /// Sends it by `way`, with the number `cseq` and a branch of its own (RFC 3261 section 8.1.3.1: a 503 or a failed
    /// transport is a reason to try the next destination).
    pub(crate) fn send_by(
        &mut self,
        way: ConnectionId,
        transaction: TransactionId,
        cseq: u32,
    ) -> Option<TransactionId> {
        let flow = self.flows.of(way)?;
        let via = self.new_via(flow);
        let pending = self.pending.remove(&transaction)?;
        let request = renewed(&pending.request, &via, cseq);
        let request = self.with_known_credentials(flow, request);
        let sent = self
            .transmit(flow, pending.purpose, request, pending.challenges_answered)
            .ok()?;
        if let Some(pending) = self.pending.get_mut(&sent) {
            pending.detoured = true;
        }
        Some(sent)
    }

    // --- credentials -----------------------------------------------------------------------------------------

    /// Sends a challenged request again with credentials and the number `cseq`. The refusal may be one
    /// that stands.
    ///
    /// A request that carried credentials already is tried again only if another realm asks (RFC 3261 section 22.3), or
    /// if merely the nonce was stale (RFC 7616 section 3.3).
    pub(crate) fn answer_challenge(
        &mut self,
        transaction: TransactionId,
        response: &Message,
        cseq: u32,
    ) -> Answer {
        let Some(pending) = self.pending.get(&transaction) else {
            return Answer::Hopeless;
        };
        let answered = pending.challenges_answered;
        if answered >= MAX_CHALLENGES {
            return Answer::Hopeless;
        }
        let demand = match self.flows.is_secure(Flow::reliable(pending.connection)) {
            true => self.bearer.demand(self.now, &pending.request, response),
            // A token is not for a connection that others can read, so there is no use in asking for one.
            false => Demand::None,
        };
        let worth_a_try = answered == 0 || is_worth_another_try(&pending.request, response);
        let has_password = demand == Demand::None || !self.config.password.is_empty();
        let by_digest = worth_a_try && has_password && self.digest.take_challenges(response);
        match demand {
            Demand::Answerable => self.resend(transaction, cseq, answered + 1),
            Demand::None | Demand::Fresh(_) if by_digest => self.resend(transaction, cseq, answered + 1),
            Demand::Fresh(event) => {
                self.emit(event);
                self.park(transaction, response)
            }
            Demand::None => Answer::Hopeless,
        }
    }

    fn resend(&mut self, transaction: TransactionId, cseq: u32, challenges_answered: u8) -> Answer {
        let sent = self.try_again(transaction, cseq, challenges_answered);
        sent.map_or(Answer::Hopeless, Answer::Sent)
    }

    /// Sends a request again on the same way, unless that is gone.
    fn try_again(
        &mut self,
        transaction: TransactionId,
        cseq: u32,
        challenges_answered: u8,
    ) -> Option<TransactionId> {
        let taken = self.pending.get(&transaction)?.connection;
        let flow = self.flows.of(taken).or(self.flows.primary())?;
        let via = self.new_via(flow);
        let Pending { purpose, request, .. } = self.pending.remove(&transaction)?;
        let request = self.with_known_credentials(flow, renewed(&request, &via, cseq));
        self.transmit(flow, purpose, request, challenges_answered).ok()
    }

    fn park(&mut self, transaction: TransactionId, refusal: &Message) -> Answer {
        if let Some(pending) = self.pending.get_mut(&transaction) {
            pending.parked = Some(Box::new(Parked {
                refusal: refusal.clone(),
                until: self.now + TOKEN_PATIENCE,
            }));
        }
        Answer::Parked
    }

    /// A fresh token is there. Returns what has waited for it, to be sent again with [`Self::send_parked`].
    pub(crate) fn set_token(&mut self, token: Token) -> Vec<(TransactionId, Purpose)> {
        self.bearer.set_token(token);
        let parked = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.parked.is_some());
        parked
            .map(|(transaction, pending)| (*transaction, pending.purpose))
            .collect()
    }

    pub(crate) fn send_parked(&mut self, transaction: TransactionId, cseq: u32) -> Option<TransactionId> {
        let answered = self.pending.get(&transaction)?.challenges_answered;
        self.try_again(transaction, cseq, answered + 1)
    }

    /// A parked request that has waited in vain, with the refusal that stands now.
    pub(crate) fn take_overdue_refusal(&mut self) -> Option<(TransactionId, Message)> {
        let now = self.now;
        let is_overdue =
            |pending: &Pending| pending.parked.as_ref().is_some_and(|parked| parked.until <= now);
        let (transaction, pending) = self.pending.iter_mut().find(|(_, pending)| is_overdue(pending))?;
        let parked = pending.parked.take()?;
        Some((*transaction, parked.refusal))
    }

    /// When a token has to be asked for, or a request has waited for one long enough.
    pub(crate) fn token_deadline(&self) -> Option<Instant> {
        let parked = self
            .pending
            .values()
            .filter_map(|pending| Some(pending.parked.as_ref()?.until));
        parked.chain(self.bearer.deadline()).min()
    }

    /// Asks for a fresh token when the present one ends soon.
    pub(crate) fn wake_token(&mut self) {
        if let Some(event) = self.bearer.wake(self.now) {
            self.emit(event);
        }
    }

    /// Adds credentials for every realm that has challenged before: it saves a round trip (RFC 3261 section 22.2).
    fn with_known_credentials(&mut self, flow: Flow, request: Message) -> Message {
        let cnonce = self.rng.token(8);
        let headers = self
            .digest
            .authorize(&request, &self.config.auth_user, &self.config.password, &cnonce);
        // RFC 8898 section 4: whoever reads a token can use it.
        let is_private = self.flows.is_secure(flow);
        let tokens = self.bearer.credentials(self.now);
        let mut edit = request.edit();
        for (name, value) in headers
            .into_iter()
            .chain(tokens.into_iter().filter(|_| is_private))
        {
            edit = edit.append(name, value);
        }
        edit.build()
    }

    /// Learns the nonce of the next request from the response to one.
    pub(crate) fn learn_nonce(&mut self, transaction: TransactionId, response: &Message) {
        if let Some(pending) = self.pending.get(&transaction) {
            self.digest.take_next_nonce(&pending.request, response);
        }
    }

    /// Forgets nonces, because the password changed.
    pub(crate) fn reset_credentials(&mut self) {
        self.digest = ClientChallengeState::default();
    }

    // --- addresses -------------------------------------------------------------------------------------------

    /// The Contact of dialogs: the GRUU where there is one, so that requests find this device on any connection.
    pub(crate) fn contact(&self) -> String {
        match &self.identity.public_gruu {
            _ if self.config.is_focus => format!("<{}>;isfocus", self.config.address_of_record.as_str()),
            Some(gruu) => format!("<{}>", gruu.as_str()),
            None => self.device_contact(),
        }
    }

    /// A Contact that names this device on its present flow, and nobody.
    pub(crate) fn device_contact(&self) -> String {
        format!("<{};ob>", self.contact_uri())
    }

    /// The address this device registers.
    pub(crate) fn contact_uri(&self) -> String {
        let LocalIdentity { user, host, .. } = &self.identity;
        // RFC 7118 section 5.2: `ws` names the transport of both schemes.
        format!("sip:{user}@{host};transport=ws")
    }

    /// This user as a name-addr for From.
    pub(crate) fn local_name_addr(&self) -> String {
        let uri = self.config.address_of_record.as_str();
        match self.config.display_name.as_str() {
            "" => format!("<{uri}>"),
            name => format!("{} <{uri}>", crate::sip::quote(name)),
        }
    }
}

/// The same request once more: with another branch and number, and without the credentials it had.
fn renewed(request: &Message, via: &str, cseq: u32) -> Message {
    let edit = request.edit().replace_first_element(HeaderName::Via, via).set(
        HeaderName::CSeq,
        format_args!("{cseq} {}", request.method().as_str()),
    );
    edit.remove(HeaderName::Authorization)
        .remove(HeaderName::ProxyAuthorization)
        .build()
}

fn is_in_dialog(request: &Message) -> bool {
    request.to().is_ok_and(|to| to.tag().is_some())
}

/// Whether a challenge to a request that carried credentials says more than that they are wrong.
fn is_worth_another_try(request: &Message, response: &Message) -> bool {
    let has_answered = |kind, realm: &str| {
        let mut credentials = request.credentials().flatten();
        credentials.any(|it| it.kind == kind && it.param("realm").as_deref() == Some(realm))
    };
    response
        .challenges()
        .flatten()
        .filter(|it| it.is_digest())
        .any(|it| {
            let stale = it
                .param("stale")
                .is_some_and(|value| value.eq_ignore_ascii_case("true"));
            let realm = it.param("realm").unwrap_or_default();
            stale || !has_answered(it.kind, &realm)
        })
}
