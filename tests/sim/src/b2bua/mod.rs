//! A back-to-back user agent, as OpenScape, Asterisk and FreeSWITCH are: every call is two dialogs, and the platform
//! is the far end of each.
//!
//! It is driven like our own platform and built on the same transactions. It knows nothing of Record-Route, GRUU and
//! outbound; what it does beyond passing a call on is chosen by its [`Behaviour`].
//!
//! ```text
//!  telephone A  <--- dialog 1, leg "caller" --->  B2BUA  <--- dialog 2, leg "callee" --->  telephone B
//! ```

mod behaviour;
mod description;
mod leg;
mod notifier;
mod registrar;
mod ringing;
mod session;
mod setup;
mod teardown;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder};
use clearline_core::time::earlier;
use clearline_core::transaction::{Flow, Outbox, Received, TransactionEvent, TransactionId, Transactions};
use clearline_core::{ConnectionId, Duration, Instant, Rng};
use clearline_pbx::{Deadline, Input, Output, Timer};

pub use self::behaviour::{AfterAnswer, Behaviour, EarlyMedia, Hold, Transfer};
use crate::platform::DOMAIN;
use leg::{Leg, LegId, Stage};
use notifier::{Watcher, WatcherId};
use registrar::Registrar;
use setup::{Call, CallNumber};
use transfer::Fetch;

/// The platform.
pub(crate) struct B2bua {
    behaviour: Behaviour,
    now: Instant,
    rng: Rng,
    transactions: Transactions,
    outbox: Outbox,
    outputs: VecDeque<Output>,
    connections: BTreeSet<ConnectionId>,
    registrar: Registrar,
    calls: BTreeMap<CallNumber, Call>,
    legs: BTreeMap<LegId, Leg>,
    /// Which call a leg belongs to.
    owners: BTreeMap<LegId, CallNumber>,
    /// Telephones that are called because one has asked for it, and for whom.
    fetched: BTreeMap<LegId, Fetch>,
    /// What our requests were sent for.
    purposes: BTreeMap<TransactionId, (Purpose, Message)>,
    alarms: BTreeMap<(Instant, u64), Alarm>,
    last_id: u64,
    watchers: BTreeMap<WatcherId, Watcher>,
    /// How many messages have been left for whom.
    messages: BTreeMap<&'static str, u32>,
    rings_reliably: bool,
    /// What a telephone has done that it must not do.
    objections: Vec<String>,
}

/// What a request of ours was sent for.
#[derive(Clone, Debug)]
enum Purpose {
    /// The INVITE that makes a leg.
    Call(LegId),
    /// The INVITE that fetches the target of a transfer.
    Fetch(LegId),
    /// A re-INVITE of one telephone, passed on to the other.
    Relay {
        from: LegId,
        to: LegId,
        transaction: TransactionId,
        request: Message,
    },
    /// A re-INVITE with what the telephone knows already.
    Refresh(LegId),
    /// An UPDATE that only asks whether the dialog is still there.
    Check(LegId),
    /// A re-INVITE without an offer.
    AskForOffer(LegId),
    /// The offer that came of it, put to the other side; its 2xx is awaiting our ACK.
    PutOffer { asked: LegId, cseq: u32, to: LegId },
    /// What a subscriber is told.
    Notify(WatcherId),
    /// A telephone is told that whom it has sent on has arrived. One that cannot be told is hung up.
    Dismiss(LegId),
    /// A sign of life, without which the connection is dead.
    KeepAlive(ConnectionId),
    /// Whatever the answer is.
    Ignored,
}

/// What the platform waits for.
#[derive(Clone, Copy, Debug)]
enum Alarm {
    /// When a 2xx is repeated for want of an ACK.
    Repeat2xx(LegId),
    /// When a 180 is repeated for want of a PRACK.
    RepeatRinging(LegId),
    /// When a CANCEL has brought no final response.
    CancelIneffective(LegId),
    /// When a call has rung too long.
    Unanswered(CallNumber),
    /// When the platform negotiates after the answer.
    AfterAnswer(CallNumber),
    /// When a leg is asked for an offer again, as the other side could not be asked.
    AskAgain(LegId),
    /// When a leg that was busy or refused is offered again what holds.
    OfferAgain(LegId),
    /// When a leg is refreshed, and again after each interval.
    Refresh(LegId),
    /// When a leg that was busy or refused is asked again, once.
    Retry(LegId),
    /// When telephones are asked for a sign of life.
    KeepAlive,
    /// When registrations may have expired.
    Expiry,
}

impl B2bua {
    pub(crate) fn new(behaviour: Behaviour, seed: [u8; 32]) -> Self {
        Self {
            behaviour,
            now: Instant::ZERO,
            rng: Rng::new(seed),
            transactions: Transactions::new(),
            outbox: Outbox::new(),
            outputs: VecDeque::new(),
            connections: BTreeSet::new(),
            registrar: Registrar::default(),
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            owners: BTreeMap::new(),
            fetched: BTreeMap::new(),
            purposes: BTreeMap::new(),
            alarms: BTreeMap::new(),
            last_id: 0,
            watchers: BTreeMap::new(),
            messages: BTreeMap::new(),
            rings_reliably: false,
            objections: Vec::new(),
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        self.begin(now);
        self.expire();
        match input {
            Input::Connected { connection, .. } => {
                self.connections.insert(connection);
            }
            Input::Disconnected { connection } => self.disconnected(connection),
            Input::Received { connection, message } => self.received(connection, message),
            Input::Wake => {}
        }
        self.flush();
    }

    pub(crate) fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let alarm = self.alarms.first_key_value().map(|((at, _), _)| *at);
        let next = earlier(self.transactions.deadline(), alarm);
        Output::Idle(next.map(|at| Deadline {
            at,
            timer: Timer::Proxy,
        }))
    }

    /// How many devices of a user are registered.
    pub(crate) fn bindings(&self, user: &str) -> usize {
        self.registrar.bindings.get(user).map_or(0, Vec::len)
    }

    /// What telephones have done that they must not do.
    pub(crate) fn objections(&self) -> &[String] {
        &self.objections
    }

    /// How many calls have not come to an end.
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether audio sent to `anchor` by the telephone `ufrag` is ours.
    pub(crate) fn is_media_peer(&self, anchor: &str, ufrag: &str) -> bool {
        let is_anchor = |leg: &&Leg| leg.anchor.ufrag == anchor && leg.ours.is_some();
        let leg = self.legs.values().find(is_anchor);
        leg.is_some_and(|leg| leg.remote_ufrag().as_deref() == Some(ufrag))
    }

    /// Whether a leg has this media address.
    pub(crate) fn has_anchor(&self, anchor: &str) -> bool {
        self.legs.values().any(|leg| leg.anchor.ufrag == anchor)
    }

    /// How many media addresses there are: one a leg.
    pub(crate) fn anchors(&self) -> usize {
        self.legs.len()
    }

    /// The telephone that audio sent to `anchor` reaches.
    pub(crate) fn bridged(&self, anchor: &str) -> Option<String> {
        let (id, _) = self.legs.iter().find(|(_, leg)| leg.anchor.ufrag == anchor)?;
        let peer = self.legs.get(&self.peer(*id)?)?;
        peer.remote_ufrag()
    }

    // --- time ------------------------------------------------------------------------------------------------

    fn plan(&mut self, after: Duration, alarm: Alarm) {
        self.last_id += 1;
        self.alarms.insert((self.now + after, self.last_id), alarm);
    }

    /// It is `now`, perhaps for the first time.
    fn begin(&mut self, now: Instant) {
        let is_first = std::mem::replace(&mut self.now, now) == Instant::ZERO;
        if is_first {
            self.plan_rounds();
        }
    }

    fn plan_rounds(&mut self) {
        self.plan(Duration::from_secs(30), Alarm::Expiry);
        if let Some(interval) = self.behaviour.keep_alive {
            self.plan(interval, Alarm::KeepAlive);
        }
    }

    fn expire(&mut self) {
        let events = self.transactions.handle_timeout(self.now, &mut self.outbox);
        self.transaction_events(events);
        while let Some(entry) = self.alarms.first_entry()
            && entry.key().0 <= self.now
        {
            let alarm = entry.remove();
            self.alarm(alarm);
        }
    }

    fn alarm(&mut self, alarm: Alarm) {
        match alarm {
            Alarm::Repeat2xx(leg) => self.repeat_2xx(leg),
            Alarm::RepeatRinging(leg) => self.repeat_ringing(leg),
            Alarm::CancelIneffective(leg) => self.cancel_was_ineffective(leg),
            Alarm::Unanswered(call) => self.give_up_ringing(call),
            Alarm::AfterAnswer(call) => self.negotiate_after_answer(call),
            Alarm::AskAgain(leg) => self.ask_for_offer(leg),
            Alarm::OfferAgain(leg) => self.offer_again(leg),
            Alarm::Refresh(leg) => self.refresh_is_due(leg),
            Alarm::Retry(leg) => self.refresh(leg),
            Alarm::KeepAlive => {
                self.send_keep_alives();
                self.plan(
                    self.behaviour.keep_alive.unwrap_or(Duration::from_secs(60)),
                    Alarm::KeepAlive,
                );
            }
            Alarm::Expiry => {
                self.registrar.expire(self.now);
                self.expire_watchers();
                self.plan(Duration::from_secs(30), Alarm::Expiry);
            }
        }
    }

    fn transaction_events(&mut self, events: Vec<TransactionEvent>) {
        for event in events {
            let (id, status) = match event {
                TransactionEvent::TimedOut(id) => (id, Some(408)),
                TransactionEvent::TransportFailed(id) => (id, Some(503)),
                TransactionEvent::AckMissing(id) | TransactionEvent::Terminated(id) => (id, None),
            };
            let Some((purpose, request)) = self.purposes.remove(&id) else {
                continue;
            };
            if let Some(status) = status {
                self.failed(purpose, &request, status, None);
            }
        }
    }

    // --- messages --------------------------------------------------------------------------------------------

    fn disconnected(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.registrar.connection_lost(connection);
        self.caller_lost(connection);
        let events = self.transactions.connection_lost(connection);
        self.transaction_events(events);
    }

    fn received(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        if !self.connections.contains(&connection) {
            return;
        }
        if bytes == b"\r\n\r\n" {
            let message = b"\r\n".to_vec();
            self.outputs.push_back(Output::Transmit { connection, message });
            return;
        }
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        if message.validate().is_err() {
            return;
        }
        let flow = Flow::reliable(connection);
        match self
            .transactions
            .receive(self.now, flow, message, &mut self.outbox)
        {
            Received::Request { transaction, request } => self.request(connection, transaction, &request),
            Received::Cancel {
                transaction,
                request,
                invite,
            } => self.cancelled(transaction, &request, invite),
            Received::Ack { request } => self.acknowledged(&request),
            Received::Response {
                transaction,
                response,
            } => {
                self.note_where(connection, &response);
                self.answered(transaction, &response);
            }
            Received::StrayResponse { response } => {
                self.note_where(connection, &response);
                self.stray_response(&response);
            }
            Received::Absorbed | Received::Unusable(_) => {}
        }
    }

    fn request(&mut self, connection: ConnectionId, transaction: TransactionId, request: &Message) {
        let method = request.method();
        if method == Method::Register {
            self.register(connection, transaction, request);
        } else if method == Method::Subscribe {
            self.subscribe_received(connection, transaction, request);
        } else if request.to().is_ok_and(|to| to.tag().is_some()) {
            self.request_in_dialog(connection, transaction, request);
        } else if method == Method::Invite {
            self.call_received(connection, transaction, request);
        } else {
            let status = if method == Method::Options { 200 } else { 405 };
            self.reject(transaction, request, status);
        }
    }

    fn request_in_dialog(&mut self, connection: ConnectionId, transaction: TransactionId, request: &Message) {
        let Some(id) = self.leg_of(request) else {
            return self.reject(transaction, request, 481);
        };
        let kind = self.caller_kind();
        if self.behaviour.challenges_in_dialog && self.authenticated(request, kind).is_none() {
            return self.challenge(transaction, request, kind);
        }
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if number <= leg.remote_cseq {
            return self.reject(transaction, request, 500);
        }
        leg.remote_cseq = number;
        // Wherever it comes from now is where it is.
        leg.connection = connection;
        match request.method() {
            Method::Bye => self.bye_received(id, transaction, request),
            Method::Invite => self.reinvite_received(id, transaction, request),
            Method::Update => self.update_received(id, transaction, request),
            Method::Info => self.info_received(id, transaction, request),
            Method::Refer => self.refer_received(id, transaction, request),
            Method::Prack => self.prack_received(id, transaction, request),
            Method::Options => self.reject(transaction, request, 200),
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.reject(transaction, request, 405),
        }
    }

    fn answered(&mut self, transaction: TransactionId, response: &Message) {
        let status = response.status().unwrap_or(500);
        let Some((purpose, request)) = self.purposes.get(&transaction).cloned() else {
            return;
        };
        match status {
            100..=199 => self.provisional(&purpose, response),
            // It stays, for a 2xx that comes again.
            200..=299 => self.succeeded(purpose, &request, response),
            _ => {
                self.purposes.remove(&transaction);
                self.failed(purpose, &request, status, Some(response));
            }
        }
    }

    /// A telephone that answers from elsewhere is there now.
    fn note_where(&mut self, connection: ConnectionId, response: &Message) {
        let mut legs = self.legs.values_mut();
        if let Some(leg) = legs.find(|leg| leg.stage == Stage::Confirmed && leg.is_answered_by(response)) {
            leg.connection = connection;
        }
    }

    fn provisional(&mut self, purpose: &Purpose, response: &Message) {
        match purpose {
            Purpose::Call(leg) => {
                self.acknowledge_ringing(*leg, response);
                self.ringing(*leg, response);
            }
            Purpose::Fetch(leg) => self.target_rings(*leg, response),
            Purpose::Relay { .. }
            | Purpose::Refresh(_)
            | Purpose::Check(_)
            | Purpose::AskForOffer(_)
            | Purpose::PutOffer { .. }
            | Purpose::Notify(_)
            | Purpose::Dismiss(_)
            | Purpose::KeepAlive(_)
            | Purpose::Ignored => {}
        }
    }

    fn succeeded(&mut self, purpose: Purpose, request: &Message, response: &Message) {
        match purpose {
            Purpose::Call(leg) => self.callee_answered(leg, request, response),
            Purpose::Fetch(leg) => self.target_answered(leg, request, response),
            Purpose::Relay {
                from,
                to,
                transaction,
                request: reinvite,
            } => self.relay_succeeded(from, to, transaction, &reinvite, request, response),
            Purpose::Refresh(leg) => self.refresh_succeeded(leg, request, response),
            Purpose::Check(leg) => self.check_succeeded(leg),
            Purpose::AskForOffer(leg) => self.offer_given(leg, request, response),
            Purpose::PutOffer { asked, cseq, to } => self.offer_taken(asked, cseq, to, request, response),
            Purpose::Notify(_) | Purpose::Dismiss(_) | Purpose::KeepAlive(_) | Purpose::Ignored => {}
        }
    }

    fn failed(&mut self, purpose: Purpose, request: &Message, status: u16, response: Option<&Message>) {
        match purpose {
            Purpose::Call(leg) => {
                self.note_redirect(leg, status, response);
                self.callee_refused(leg, status);
            }
            Purpose::Fetch(leg) => self.target_refused(leg, status),
            Purpose::Notify(id) => self.notify_failed(id),
            Purpose::Dismiss(leg) => self.hang_up(leg),
            Purpose::Relay {
                from,
                to,
                transaction,
                request: reinvite,
            } => self.relay_failed(from, to, transaction, &reinvite, status, response),
            Purpose::Refresh(leg) => self.reinvite_failed(leg, status, Alarm::OfferAgain(leg)),
            Purpose::AskForOffer(leg) => self.reinvite_failed(leg, status, Alarm::AskAgain(leg)),
            Purpose::Check(leg) => self.refresh_failed(leg, status),
            Purpose::PutOffer { asked, cseq, to } => self.offer_refused(asked, cseq, to, request, status),
            Purpose::KeepAlive(connection) => {
                if status == 408 {
                    self.disconnected(connection);
                }
            }
            Purpose::Ignored => {}
        }
    }

    // --- sending ---------------------------------------------------------------------------------------------

    /// Sends a request in a new transaction, if the telephone is connected.
    fn send(
        &mut self,
        connection: ConnectionId,
        request: RequestBuilder,
        purpose: Purpose,
    ) -> Option<TransactionId> {
        if !self.connections.contains(&connection) {
            return None;
        }
        let message = request
            .build()
            .edit()
            .prepend(HeaderName::Via, self.via())
            .build();
        let flow = Flow::reliable(connection);
        let sent = self
            .transactions
            .send(self.now, flow, message.clone(), &mut self.outbox);
        let transaction = sent.ok()?;
        self.purposes.insert(transaction, (purpose, message));
        Some(transaction)
    }

    fn send_ack(&mut self, leg: LegId, cseq: u32, answer: Option<&str>) {
        let via = self.via();
        let Some(leg) = self.legs.get_mut(&leg) else {
            return;
        };
        let mut ack = leg.numbered(Method::Ack, cseq);
        if let Some(sdp) = answer {
            ack = ack.body("application/sdp", sdp.as_bytes());
        }
        let ack = ack.build().edit().prepend(HeaderName::Via, via).build();
        leg.acks.insert(cseq, ack.clone());
        self.outbox.push((leg.connection, ack));
    }

    /// `true` if the 2xx to `request` has been acknowledged before, which is done again.
    fn is_acknowledged_again(&mut self, leg: LegId, request: &Message) -> bool {
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(leg) = self.legs.get(&leg) else {
            return false;
        };
        let Some(ack) = leg.acks.get(&number) else {
            return false;
        };
        self.outbox.push((leg.connection, ack.clone()));
        true
    }

    /// An answer that comes, or comes again, when its INVITE is forgotten. One whose INVITE had been given up has changed
    /// what the telephone takes for negotiated: it is offered what holds (RFC 3261 section 14.1).
    fn stray_response(&mut self, response: &Message) {
        let number = response.cseq().map_or(0, |cseq| cseq.number);
        let is_answer = matches!(response.status(), Some(200..=299))
            && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let mut legs = self.legs.iter();
        let leg = legs.find(|(_, leg)| is_answer && leg.is_answered_by(response));
        let Some((id, leg)) = leg else { return };
        let id = *id;
        if let Some(ack) = leg.acks.get(&number) {
            return self.outbox.push((leg.connection, ack.clone()));
        }
        self.send_ack(id, number, None);
        self.offer_again(id);
    }

    fn via(&mut self) -> String {
        format!("SIP/2.0/WS {DOMAIN};branch=z9hG4bK{}", self.rng.token(8))
    }

    fn response(&self, request: &Message, status: u16) -> ResponseBuilder {
        ResponseBuilder::for_request(request, status).header(HeaderName::Server, self.behaviour.name)
    }

    fn respond(&mut self, transaction: TransactionId, response: Message) {
        self.transactions
            .respond(self.now, transaction, response, &mut self.outbox);
    }

    /// A response without anything in it.
    fn reject(&mut self, transaction: TransactionId, request: &Message, status: u16) {
        let tag = self.rng.token(4);
        let response = self.response(request, status).to_tag(&tag).build();
        self.respond(transaction, response);
    }

    fn flush(&mut self) {
        for (connection, message) in std::mem::take(&mut self.outbox) {
            if self.connections.contains(&connection) {
                let message = message.as_bytes().to_vec();
                self.outputs.push_back(Output::Transmit { connection, message });
            }
        }
    }

    // --- legs ------------------------------------------------------------------------------------------------

    fn leg_of(&self, request: &Message) -> Option<LegId> {
        let mut legs = self.legs.iter();
        legs.find(|(_, leg)| leg.owns(request)).map(|(id, _)| *id)
    }

    /// The other side of an answered call.
    fn peer(&self, leg: LegId) -> Option<LegId> {
        let call = self.calls.get(self.owners.get(&leg)?)?;
        let callee = call.callee?;
        Some(if leg == callee { call.caller } else { callee })
    }

    /// The telephone with one of these contacts is on another connection now.
    fn move_legs(&mut self, user: &str, contacts: &[clearline_core::sip::UriBuf], connection: ConnectionId) {
        for leg in self.legs.values_mut() {
            // A dialog's Contact has parameters that the registered one lacks.
            let is_there = |contact: &clearline_core::sip::UriBuf| {
                let (a, b) = (contact.as_uri(), leg.target.as_uri());
                a.user() == b.user() && a.host() == b.host()
            };
            if leg.user == user && leg.stage == Stage::Confirmed && contacts.iter().any(is_there) {
                leg.connection = connection;
            }
        }
    }
}
