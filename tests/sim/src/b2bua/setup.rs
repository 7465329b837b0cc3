//! From the caller's INVITE to the answer.

use std::collections::BTreeMap;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::transaction::{T1, TRANSACTION_TIMEOUT, TransactionId};
use clearline_core::{ConnectionId, Duration};

use super::behaviour::{AfterAnswer, EarlyMedia};
use super::description::Anchor;
use super::leg::{self, Leg, LegId, Stage, Unacknowledged};
use super::{Alarm, B2bua, Purpose};
use crate::platform::{DOMAIN, USERS};

/// How long a call rings.
const RINGING_TIME: Duration = Duration::from_secs(180);
/// From the answer to what the platform negotiates of its own accord.
const SETTLING_TIME: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallNumber(pub(super) u64);

/// A call: the caller's leg and those of the telephones that ring, of which one becomes the callee's.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The caller's INVITE.
    pub(super) request: Message,
    pub(super) caller: LegId,
    pub(super) forks: Vec<LegId>,
    pub(super) callee: Option<LegId>,
    /// What the best of those that refused said.
    pub(super) refusal: Option<u16>,
    pub(super) has_early_media: bool,
    /// Where one of the telephones sends the caller (RFC 3261 section 21.3).
    pub(super) redirect: Option<String>,
}

impl B2bua {
    pub(super) fn call_received(
        &mut self,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) {
        let required: Vec<_> = request.header_list(HeaderName::Require).collect();
        if !required.is_empty() {
            // RFC 3261 section 8.2.2.3.
            let refusal = self
                .response(request, 420)
                .header(HeaderName::Unsupported, required.join(", "));
            return self.respond(transaction, refusal.to_tag("x").build());
        }
        let kind = self.caller_kind();
        let Some(caller) = self.authenticated(request, kind) else {
            return self.challenge(transaction, request, kind);
        };
        let trying = self.response(request, 100).build();
        self.respond(transaction, trying);
        let name = request.request_uri().map(|uri| uri.user_decoded().into_owned());
        let Some(target) = name.and_then(|name| self.user_called(&name)) else {
            return self.reject(transaction, request, 404);
        };
        let bindings = self.registrar.bindings.get(target).cloned().unwrap_or_default();
        let is_caller = |at: ConnectionId| target == caller && at == connection;
        let bindings: Vec<_> = bindings
            .into_iter()
            .filter(|binding| !is_caller(binding.connection))
            .collect();
        if bindings.is_empty() {
            return self.reject(transaction, request, 480);
        }
        let Some(caller_leg) = self.leg_to_caller(caller, connection, transaction, request) else {
            return self.reject(transaction, request, 400);
        };
        let number = CallNumber(caller_leg.0);
        let mut call = Call {
            request: request.clone(),
            caller: caller_leg,
            forks: Vec::new(),
            callee: None,
            refusal: None,
            has_early_media: false,
            redirect: None,
        };
        self.owners.insert(caller_leg, number);
        for binding in bindings {
            let offer = leg::sdp(request);
            let to = (binding.connection, binding.contact);
            let leg = self.leg_to_callee(target, caller, to, offer.as_deref(), Purpose::Call);
            self.owners.insert(leg, number);
            call.forks.push(leg);
        }
        let unreachable: Vec<_> = call
            .forks
            .iter()
            .copied()
            .filter(|fork| !self.is_called(*fork))
            .collect();
        self.calls.insert(number, call);
        unreachable
            .into_iter()
            .for_each(|fork| self.callee_refused(fork, 480));
        self.plan(RINGING_TIME, Alarm::Unanswered(number));
    }

    /// A callee's telephone rings.
    pub(super) fn ringing(&mut self, leg: LegId, response: &Message) {
        let has_tag = response.to().is_ok_and(|to| to.tag().is_some());
        let Some(Leg { stage, .. }) = self.legs.get(&leg) else {
            return;
        };
        if let Stage::Calling {
            invite,
            is_cancelled: true,
        } = *stage
        {
            return self.send_cancel(invite, None);
        }
        let Some(call) = self.owners.get(&leg).and_then(|call| self.calls.get(call)) else {
            return;
        };
        if call.callee.is_some() || !has_tag {
            return;
        }
        let (caller, request) = (call.caller, call.request.clone());
        if self.rings_reliably && request.lists_token(HeaderName::Supported, "100rel") {
            return self.ring_caller_reliably(caller, &request);
        }
        match self.behaviour.early_media {
            EarlyMedia::None => self.answer_caller(caller, &request, 180, None),
            EarlyMedia::Same | EarlyMedia::Announcement => self.announce(leg, caller, &request),
        }
    }

    /// The caller hears something: the platform's own media, of which nothing is known but its address.
    fn announce(&mut self, leg: LegId, caller: LegId, request: &Message) {
        let Some(number) = self.owners.get(&leg).copied() else {
            return;
        };
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        if std::mem::replace(&mut call.has_early_media, true) {
            return;
        }
        let Some(offer) = leg::sdp(request) else {
            return self.answer_caller(caller, request, 180, None);
        };
        let mut announcement = match self.behaviour.early_media {
            EarlyMedia::Announcement => self.new_anchor(),
            EarlyMedia::None | EarlyMedia::Same => match self.legs.get(&caller) {
                Some(caller) => caller.anchor.clone(),
                None => return,
            },
        };
        // An answer to an offer that prefers to be active.
        let sdp = announcement
            .apply(&offer)
            .replace("a=setup:actpass", "a=setup:active");
        self.answer_caller(caller, request, 183, Some(&sdp));
    }

    pub(super) fn callee_answered(&mut self, id: LegId, request: &Message, response: &Message) {
        if self.is_acknowledged_again(id, request) {
            return;
        }
        let Some(number) = self.owners.get(&id).copied() else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let is_cancelled = matches!(
            leg.stage,
            Stage::Calling {
                is_cancelled: true,
                ..
            }
        );
        leg.stage = Stage::Confirmed;
        leg.remote_tag = response
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned))
            .unwrap_or_default();
        leg.note_target(response);
        let answer = leg.note_description(response);
        self.send_ack(id, request.cseq().map_or(0, |cseq| cseq.number), None);
        let Some(call) = self.calls.get_mut(&number) else {
            return self.hang_up(id);
        };
        let (Some(answer), None, false) = (answer, call.callee, is_cancelled) else {
            return self.hang_up(id);
        };
        call.callee = Some(id);
        let (caller, invite) = (call.caller, call.request.clone());
        let others: Vec<_> = call.forks.iter().copied().filter(|fork| *fork != id).collect();
        others
            .into_iter()
            .for_each(|fork| self.cancel_fork(fork, Some("SIP;cause=200;text=\"Call completed elsewhere\"")));
        let told = self.present_to(caller, &answer);
        self.answer_caller(caller, &invite, 200, told.as_deref());
        if self.behaviour.after_answer != AfterAnswer::Nothing {
            self.plan(SETTLING_TIME, Alarm::AfterAnswer(number));
        }
        if let Some(interval) = self.behaviour.refresh {
            self.plan(interval, Alarm::Refresh(caller));
            self.plan(interval + Duration::from_secs(7), Alarm::Refresh(id));
        }
    }

    /// A telephone sends the caller elsewhere.
    pub(super) fn note_redirect(&mut self, id: LegId, status: u16, response: Option<&Message>) {
        let number = self.owners.get(&id).copied();
        let call = number.and_then(|number| self.calls.get_mut(&number));
        let contact = response.and_then(|response| response.header(HeaderName::Contact));
        if let (300..=399, Some(call), Some(contact)) = (status, call, contact) {
            call.redirect = Some(contact.to_owned());
        }
    }

    pub(super) fn callee_refused(&mut self, id: LegId, status: u16) {
        let number = self.owners.get(&id).copied();
        self.forget_leg(id);
        let Some(call) = number.and_then(|number| self.calls.get_mut(&number)) else {
            return;
        };
        call.forks.retain(|fork| *fork != id);
        if call.callee.is_some() {
            return;
        }
        let status = if status == 503 { 480 } else { status };
        call.refusal = Some(call.refusal.map_or(status, |known| better(known, status)));
        let is_last = call.forks.is_empty();
        let (caller, refusal) = (call.caller, call.refusal.unwrap_or(480));
        if status >= 600 {
            let others = call.forks.clone();
            others
                .into_iter()
                .for_each(|fork| self.cancel_fork(fork, Some("SIP;cause=603")));
        }
        if is_last || status >= 600 {
            self.refuse_caller(caller, refusal);
        }
    }

    /// Says to the caller how the call stands.
    pub(super) fn answer_caller(&mut self, id: LegId, request: &Message, status: u16, sdp: Option<&str>) {
        let Some(leg) = self.legs.get(&id) else { return };
        let Stage::Called(transaction) = leg.stage else {
            return;
        };
        let Some(mut response) = self.response_to_caller(id, request, status) else {
            return;
        };
        if let Some(sdp) = sdp {
            response = response.body("application/sdp", sdp.as_bytes());
        }
        let response = response.build();
        self.respond(transaction, response.clone());
        if status == 200 {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.stage = Stage::Confirmed;
            }
            self.await_ack(id, response);
        }
    }

    /// A response without description to the caller's INVITE.
    pub(super) fn response_to_caller(
        &self,
        id: LegId,
        request: &Message,
        status: u16,
    ) -> Option<ResponseBuilder> {
        let leg = self.legs.get(&id)?;
        let called = request.request_uri()?.user_decoded().into_owned();
        let name = USERS
            .iter()
            .find(|(user, number, _)| [*user, *number].contains(&called.as_str()));
        let call = self.owners.get(&id).and_then(|call| self.calls.get(call));
        let redirect = call
            .and_then(|call| call.redirect.clone())
            .filter(|_| (300..400).contains(&status));
        let mut response = self
            .response(request, status)
            .to_tag(&leg.local_tag)
            .header(HeaderName::Contact, redirect.unwrap_or_else(leg::contact))
            .header(HeaderName::Allow, leg::ALLOW);
        if let Some((user, _, name)) = name {
            let asserted = format!("\"{name}\" <sip:{user}@{DOMAIN}>");
            response = response.header(HeaderName::PAssertedIdentity, asserted);
        }
        Some(response)
    }

    /// A 2xx is repeated until its ACK is there (RFC 3261 section 13.3.1.4).
    pub(super) fn await_ack(&mut self, id: LegId, response: Message) {
        let give_up_at = self.now + TRANSACTION_TIMEOUT;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.unacknowledged = Some(Unacknowledged {
            response,
            interval: T1,
            give_up_at,
        });
        self.plan(T1, Alarm::Repeat2xx(id));
    }

    /// What the far side has said, as this telephone is told it.
    pub(super) fn present_to(&mut self, leg: LegId, sdp: &str) -> Option<String> {
        let anchors_media = self.behaviour.anchors_media;
        let leg = self.legs.get_mut(&leg)?;
        let told = leg.told(anchors_media, sdp);
        leg.ours = Some(told.clone());
        Some(told)
    }

    fn leg_to_caller(
        &mut self,
        user: &str,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) -> Option<LegId> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        let target = request.contacts().next()?.ok()?.address()?.uri.to_owned();
        let mut leg = self.new_leg(user, connection, Stage::Called(transaction), target);
        leg.call_id = request.call_id().ok()?.to_owned();
        leg.remote_tag = from.tag().unwrap_or_default().to_owned();
        leg.local = format!("<{}>", to.uri.as_str());
        leg.remote = format!("<{}>", from.uri.as_str());
        leg.remote_cseq = request.cseq().ok()?.number;
        leg.note_target(request);
        leg.note_description(request);
        Some(self.insert_leg(leg))
    }

    /// Calls a telephone of `user` for `caller`.
    pub(super) fn leg_to_callee(
        &mut self,
        user: &str,
        caller: &str,
        (connection, target): (ConnectionId, UriBuf),
        offer: Option<&str>,
        purpose: impl Fn(LegId) -> Purpose,
    ) -> LegId {
        let name = USERS.iter().find(|(id, _, _)| *id == caller);
        let name = name.map_or(caller, |(_, _, name)| *name);
        let mut leg = self.new_leg(user, connection, Stage::Confirmed, target);
        leg.call_id = self.rng.token(10);
        leg.local = format!("\"{name}\" <sip:{caller}@{DOMAIN}>");
        leg.remote = format!("<sip:{user}@{DOMAIN}>");
        let local = leg.local.clone();
        let offer = offer.map(|sdp| leg.told(self.behaviour.anchors_media, sdp));
        leg.ours.clone_from(&offer);
        let mut invite = leg
            .request(Method::Invite)
            .header(HeaderName::Contact, leg::contact())
            .header(HeaderName::PAssertedIdentity, local)
            .header(HeaderName::Allow, leg::ALLOW);
        if self.rings_reliably {
            invite = invite.header(HeaderName::Require, "100rel");
        }
        if let Some(sdp) = offer {
            invite = invite.body("application/sdp", sdp.as_bytes());
        }
        let id = self.insert_leg(leg);
        let sent = self.send(connection, invite, purpose(id));
        if let (Some(leg), Some(invite)) = (self.legs.get_mut(&id), sent) {
            leg.stage = Stage::Calling {
                invite,
                is_cancelled: false,
            };
        }
        id
    }

    fn is_called(&self, leg: LegId) -> bool {
        let stage = self.legs.get(&leg).map(|leg| leg.stage);
        matches!(stage, Some(Stage::Calling { .. }))
    }

    fn new_leg(&mut self, user: &str, connection: ConnectionId, stage: Stage, target: UriBuf) -> Leg {
        Leg {
            user: user.to_owned(),
            connection,
            stage,
            call_id: String::new(),
            local_tag: self.rng.token(4),
            remote_tag: String::new(),
            local: String::new(),
            remote: String::new(),
            local_cseq: 0,
            remote_cseq: 0,
            target,
            anchor: self.new_anchor(),
            theirs: None,
            ours: None,
            serving: None,
            inviting: false,
            unacknowledged: None,
            acks: BTreeMap::new(),
            ringing: None,
            last_rseq: None,
            leaves_when_acknowledged: false,
            failed_refreshes: 0,
            allows_update: false,
            shows: None,
        }
    }

    fn new_anchor(&mut self) -> Anchor {
        Anchor {
            ufrag: self.rng.token(4),
            session: self.rng.next_u64() >> 1,
            version: 0,
        }
    }

    fn insert_leg(&mut self, leg: Leg) -> LegId {
        self.last_id += 1;
        let id = LegId(self.last_id);
        self.legs.insert(id, leg);
        id
    }
}

/// Which refusal the caller is told: 6xx before 3xx and 4xx, one that says something before 480.
fn better(a: u16, b: u16) -> u16 {
    match (a, b) {
        (600.., _) | (_, 480) => a,
        (_, 600..) | (480, _) => b,
        _ => a.min(b),
    }
}
