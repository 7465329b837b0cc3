//! Transfers as a platform of this kind carries them out: the telephone that asks with REFER only hears how it stands; the
//! others see a re-INVITE with another description and another name.
//!
//! ```text
//! REFER without Replaces:  transferor -- transferee     INVITE to the target, and when it answers
//! REFER with Replaces:     transferor == transferee     transferee -- target
//!                                     == target
//! ```

use clearline_core::Direction;
use clearline_core::sip::{HeaderName, Message, Method, ReferTo, reason_phrase};
use clearline_core::transaction::TransactionId;

use super::behaviour::Transfer;
use super::leg::{self, LegId, Stage};
use super::setup::{Call, CallNumber};
use super::{B2bua, Purpose, description};
use crate::platform::{DOMAIN, USERS};

/// A telephone is being called because another has asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    /// Who is told how it stands; nobody once that one has left.
    transferor: Option<(LegId, u32)>,
    transferee: LegId,
}

impl B2bua {
    pub(super) fn refer_received(&mut self, id: LegId, transaction: TransactionId, request: &Message) {
        let refer_to = request.header(HeaderName::ReferTo).map(ReferTo::parse);
        let (Some(Ok(refer_to)), Some(transferee)) = (refer_to, self.peer(id)) else {
            return self.reject(transaction, request, 400);
        };
        // One at a time: another telephone has sent one of these on.
        let named = refer_to.replaces.as_deref().and_then(|it| self.leg_named(it));
        let other = named.and_then(|named| self.peer(named));
        let concerned = [Some(id), Some(transferee), named, other];
        if concerned
            .into_iter()
            .flatten()
            .any(|leg| self.is_being_transferred(leg))
        {
            return self.reject(transaction, request, 491);
        }
        let accepted = self
            .response(request, 202)
            .header(HeaderName::Contact, leg::contact());
        self.respond(transaction, accepted.build());
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let transferor = (id, number);
        self.report(transferor, 100);
        match &refer_to.replaces {
            Some(replaces) => self.join(transferor, transferee, replaces),
            None => self.fetch(transferor, transferee, &refer_to.target.as_uri().user_decoded()),
        }
    }

    fn is_being_transferred(&self, id: LegId) -> bool {
        self.fetched.iter().any(|(target, fetch)| {
            let transferor = fetch.transferor.map(|(leg, _)| leg);
            *target == id || fetch.transferee == id || transferor == Some(id)
        })
    }

    pub(super) fn target_rings(&mut self, id: LegId, response: &Message) {
        let stage = self.legs.get(&id).map(|leg| leg.stage);
        if let Some(Stage::Calling {
            invite,
            is_cancelled: true,
        }) = stage
        {
            return self.send_cancel(invite, None);
        }
        let transferor = self.fetched.get(&id).and_then(|fetch| fetch.transferor);
        if let (Some(transferor), Some(180..=199)) = (transferor, response.status()) {
            self.report(transferor, 180);
        }
    }

    pub(super) fn target_answered(&mut self, id: LegId, request: &Message, response: &Message) {
        if self.is_acknowledged_again(id, request) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.stage = Stage::Confirmed;
        let tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned));
        leg.remote_tag = tag.unwrap_or_default();
        leg.note_target(response);
        leg.note_description(response);
        self.send_ack(id, request.cseq().map_or(0, |cseq| cseq.number), None);
        let Some(fetch) = self.fetched.remove(&id) else {
            return self.hang_up(id);
        };
        self.connect(fetch.transferee, id);
        if let Some(transferor) = fetch.transferor {
            self.isolate(transferor.0);
            self.dismiss(transferor);
        }
    }

    pub(super) fn target_refused(&mut self, id: LegId, status: u16) {
        let fetch = self.fetched.remove(&id);
        self.forget_leg(id);
        match fetch {
            Some(Fetch {
                transferor: Some(transferor),
                ..
            }) => self.report(transferor, if status == 503 { 480 } else { status }),
            // There is nobody to go back to.
            Some(fetch) => self.hang_up(fetch.transferee),
            None => {}
        }
    }

    /// A telephone hangs up that has to do with a transfer; `true` if that ends nothing else.
    pub(super) fn leaves_transfer(&mut self, id: LegId) -> bool {
        let is_transferor = |fetch: &Fetch| fetch.transferor.is_some_and(|(leg, _)| leg == id);
        if let Some(fetch) = self.fetched.values_mut().find(|it| is_transferor(it)) {
            fetch.transferor = None;
            let transferee = fetch.transferee;
            self.isolate(transferee);
            self.forget_leg(id);
            return true;
        }
        let targets = self.fetched.iter();
        let target = targets
            .filter(|(_, fetch)| fetch.transferee == id)
            .map(|(target, _)| *target);
        for target in target.collect::<Vec<_>>() {
            self.fetched.remove(&target);
            self.cancel_fork(target, None);
        }
        false
    }

    fn fetch(&mut self, transferor: (LegId, u32), transferee: LegId, name: &str) {
        let user = self.user_called(name);
        let Some(user) = user else {
            return self.report(transferor, 404);
        };
        let binding = self
            .registrar
            .bindings
            .get(user)
            .and_then(|it| it.first())
            .cloned();
        let (Some(binding), Some(leg)) = (binding, self.legs.get(&transferee)) else {
            return self.report(transferor, 480);
        };
        let caller = leg.user.clone();
        let known = leg.theirs.clone().unwrap_or_default();
        let offer = description::with_direction(&known, Direction::SendRecv);
        let to = (binding.connection, binding.contact);
        let target = self.leg_to_callee(user, &caller, to, Some(&offer), Purpose::Fetch);
        self.insert_stub(target, transferee);
        let mut fetch = Fetch {
            transferor: Some(transferor),
            transferee,
        };
        if self.behaviour.transfer == Transfer::AtOnce {
            fetch.transferor = None;
            self.isolate(transferee);
            self.isolate(transferor.0);
            self.dismiss(transferor);
        }
        self.fetched.insert(target, fetch);
        if !matches!(
            self.legs.get(&target).map(|leg| leg.stage),
            Some(Stage::Calling { .. })
        ) {
            self.target_refused(target, 480);
        }
    }

    /// Both calls of the transferor become one without it.
    fn join(&mut self, transferor: (LegId, u32), transferee: LegId, replaces: &str) {
        let named = self.leg_named(replaces);
        let target = named.and_then(|named| self.peer(named));
        let (Some(named), Some(target)) = (named, target) else {
            return self.report(transferor, 481);
        };
        self.connect(transferee, target);
        self.isolate(transferor.0);
        self.isolate(named);
        self.dismiss(transferor);
        self.hang_up(named);
    }

    /// The leg that a Replaces header names, from its telephone's view.
    fn leg_named(&self, replaces: &str) -> Option<LegId> {
        let mut parts = replaces.split(';');
        let call_id = parts.next()?;
        let tag = |name: &str| {
            parts
                .clone()
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let is_named = |leg: &leg::Leg| {
            leg.call_id == call_id
                && tag("to-tag") == Some(leg.local_tag.as_str())
                && tag("from-tag") == Some(leg.remote_tag.as_str())
        };
        let mut legs = self.legs.iter();
        legs.find(|(_, leg)| is_named(leg)).map(|(id, _)| *id)
    }

    /// Two telephones are each other's far end from now on; one is asked for an offer, which is put to the other.
    fn connect(&mut self, a: LegId, b: LegId) {
        self.isolate(a);
        self.isolate(b);
        let (Some(call), Some(stub)) = (self.owners.get(&a).copied(), self.owners.insert(b, CallNumber(0)))
        else {
            return;
        };
        self.owners.insert(b, call);
        self.calls.remove(&stub);
        if let Some(call) = self.calls.get_mut(&call) {
            call.callee = Some(b);
            call.forks = vec![b];
        }
        for (one, other) in [(a, b), (b, a)] {
            let shows = self.legs.get(&other).map(|other| party(&other.user));
            if let Some(leg) = self.legs.get_mut(&one) {
                leg.shows = shows;
            }
        }
        self.ask_for_offer(a);
    }

    /// A leg gets a call of its own, with nobody else in it.
    fn isolate(&mut self, id: LegId) {
        let Some(old) = self.owners.get(&id).copied() else {
            return;
        };
        let Some(call) = self.calls.get_mut(&old) else {
            return;
        };
        let request = call.request.clone();
        let legs = &self.legs;
        call.forks.retain(|fork| *fork != id && legs.contains_key(fork));
        call.callee = call.callee.filter(|callee| *callee != id);
        if call.caller == id {
            match call.forks.pop() {
                Some(other) => {
                    call.caller = other;
                    call.callee = None;
                }
                None => drop(self.calls.remove(&old)),
            }
        }
        self.insert_call(id, request);
    }

    fn insert_stub(&mut self, id: LegId, like: LegId) {
        let call = self.owners.get(&like).and_then(|number| self.calls.get(number));
        if let Some(request) = call.map(|call| call.request.clone()) {
            self.insert_call(id, request);
        }
    }

    fn insert_call(&mut self, caller: LegId, request: Message) {
        self.last_id += 1;
        let number = CallNumber(self.last_id);
        self.owners.insert(caller, number);
        let call = Call {
            request,
            caller,
            forks: Vec::new(),
            callee: None,
            refusal: None,
            has_early_media: false,
            redirect: None,
        };
        self.calls.insert(number, call);
    }

    /// The telephone that has asked is not needed any more.
    fn dismiss(&mut self, transferor: (LegId, u32)) {
        self.report(transferor, 200);
        if self.behaviour.transfer != Transfer::Reported {
            self.hang_up(transferor.0);
        }
    }

    fn report(&mut self, (id, number): (LegId, u32), status: u16) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let state = match status {
            200.. => "terminated;reason=noresource",
            _ => "active;expires=180",
        };
        let line = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
        let notify = leg
            .request(Method::Notify)
            .header(HeaderName::Contact, leg::contact())
            .header(HeaderName::Event, format_args!("refer;id={number}"))
            .header(HeaderName::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", line.as_bytes());
        let connection = leg.connection;
        let purpose = match status {
            200..=299 => Purpose::Dismiss(id),
            _ => Purpose::Ignored,
        };
        self.send(connection, notify, purpose);
    }
}

fn party(user: &str) -> String {
    let name = USERS.iter().find(|(id, _, _)| *id == user);
    let name = name.map_or(user, |(_, _, name)| *name);
    format!("\"{name}\" <sip:{user}@{DOMAIN}>")
}
