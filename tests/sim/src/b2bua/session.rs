//! What happens inside an answered call: re-INVITEs passed on or answered here, refreshes, and what the platform
//! negotiates of its own accord.

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::transaction::TransactionId;
use clearline_core::{Direction, Duration};

use super::behaviour::{AfterAnswer, Hold};
use super::description;
use super::leg::{self, Leg, LegId};
use super::setup::CallNumber;
use super::{Alarm, B2bua, Purpose};

/// Before a request that met glare, or a busy leg, is tried again.
const RETRY_TIME: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(2_000));
/// A telephone that cannot be asked so often in a row is gone.
const MOST_FAILED_REFRESHES: u8 = 2;

impl B2bua {
    // --- requests of a telephone -----------------------------------------------------------------------------

    pub(super) fn reinvite_received(&mut self, id: LegId, transaction: TransactionId, request: &Message) {
        let peer = self.peer(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.serving.is_some() {
            return self.reject_for_now(transaction, request);
        }
        if !leg.is_quiet() {
            return self.reject(transaction, request, 491);
        }
        leg.note_target(request);
        let trying = self.response(request, 100).build();
        self.respond(transaction, trying);
        let (Some(peer), Some(offer)) = (peer, leg::sdp(request)) else {
            return self.reject(transaction, request, 488);
        };
        match self.behaviour.hold {
            Hold::Local => self.answer_here(id, transaction, request, &offer),
            Hold::Relayed | Hold::RelayedAndConfirmed => {
                self.relay(id, peer, transaction, request, &offer);
            }
        }
    }

    pub(super) fn update_received(&mut self, id: LegId, transaction: TransactionId, request: &Message) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.note_target(request);
        match leg::sdp(request) {
            None => {
                let ok = self
                    .response(request, 200)
                    .header(HeaderName::Contact, leg::contact());
                self.respond(transaction, ok.build());
            }
            Some(_) if !leg.is_quiet() => self.reject(transaction, request, 491),
            Some(offer) => {
                if let Some(ok) = self.answer_to(id, request, &offer) {
                    self.respond(transaction, ok);
                }
            }
        }
    }

    pub(super) fn info_received(&mut self, id: LegId, transaction: TransactionId, request: &Message) {
        self.reject(transaction, request, 200);
        let Some(peer) = self.peer(id).and_then(|peer| self.legs.get_mut(&peer)) else {
            return;
        };
        let mut info = peer.request(Method::Info);
        if let Some(kind) = request.header(HeaderName::ContentType) {
            info = info.body(kind, request.body());
        }
        let connection = peer.connection;
        self.send(connection, info, Purpose::Ignored);
    }

    /// The telephone's 2xx has come full circle.
    pub(super) fn after_ack(&mut self, id: LegId) {
        let holds = self.legs.get(&id).and_then(|leg| leg.theirs.as_deref());
        let holds = holds.is_some_and(|sdp| description::direction(sdp) != Direction::SendRecv);
        if holds && self.behaviour.hold == Hold::RelayedAndConfirmed {
            self.plan(RETRY_TIME.0, Alarm::Retry(id));
        }
    }

    // --- answered here ---------------------------------------------------------------------------------------

    fn answer_here(&mut self, id: LegId, transaction: TransactionId, request: &Message, offer: &str) {
        if let Some(ok) = self.answer_to(id, request, offer) {
            self.respond(transaction, ok.clone());
            self.await_ack(id, ok);
        }
    }

    /// Our answer to a telephone's offer, in its own terms.
    fn answer_to(&mut self, id: LegId, request: &Message, offer: &str) -> Option<Message> {
        let leg = self.legs.get_mut(&id)?;
        leg.theirs = Some(offer.to_owned());
        let known = leg.ours.clone()?;
        let sdp = leg.anchor.apply(&description::with_direction(
            &known,
            description::direction(offer).reversed(),
        ));
        leg.ours = Some(sdp.clone());
        Some(self.ok_with(request, &sdp))
    }

    fn ok_with(&self, request: &Message, sdp: &str) -> Message {
        self.response(request, 200)
            .header(HeaderName::Contact, leg::contact())
            .header(HeaderName::Allow, leg::ALLOW)
            .body("application/sdp", sdp.as_bytes())
            .build()
    }

    // --- passed on -------------------------------------------------------------------------------------------

    fn relay(&mut self, from: LegId, to: LegId, transaction: TransactionId, request: &Message, offer: &str) {
        let Some(leg) = self.legs.get_mut(&to).filter(|leg| leg.is_quiet()) else {
            return self.reject(transaction, request, 491);
        };
        let offer = leg.told(self.behaviour.anchors_media, offer);
        let purpose = Purpose::Relay {
            from,
            to,
            transaction,
            request: request.clone(),
        };
        if !self.reinvite(to, Some(&offer), purpose) {
            return self.reject_for_now(transaction, request);
        }
        if let Some(leg) = self.legs.get_mut(&from) {
            leg.serving = Some(transaction);
        }
    }

    pub(super) fn relay_succeeded(
        &mut self,
        from: LegId,
        to: LegId,
        transaction: TransactionId,
        reinvite: &Message,
        request: &Message,
        response: &Message,
    ) {
        let Some(answer) = self.accept_2xx(to, request, response) else {
            return;
        };
        let Some(leg) = self.legs.get_mut(&from) else {
            return;
        };
        leg.serving = None;
        leg.theirs = leg::sdp(reinvite);
        let told = leg.told(self.behaviour.anchors_media, &answer);
        leg.ours = Some(told.clone());
        let ok = self.ok_with(reinvite, &told);
        self.respond(transaction, ok.clone());
        self.await_ack(from, ok);
    }

    pub(super) fn relay_failed(
        &mut self,
        from: LegId,
        to: LegId,
        transaction: TransactionId,
        reinvite: &Message,
        status: u16,
        response: Option<&Message>,
    ) {
        if let Some(leg) = self.legs.get_mut(&to) {
            leg.inviting = false;
        }
        let Some(leg) = self.legs.get_mut(&from) else {
            return;
        };
        leg.serving = None;
        let is_gone = status == 481;
        // The other side cannot be asked just now.
        let waits = matches!(status, 481 | 503 | 408).then_some(2);
        let status = match status {
            481 | 503 | 408 => 500,
            401 | 407 => 403,
            status => status,
        };
        let mut refusal = self.response(reinvite, status).to_tag("x");
        if let Some(wait) = waits.or(response.and_then(Message::retry_after)) {
            refusal = refusal.header(HeaderName::RetryAfter, wait);
        }
        self.respond(transaction, refusal.build());
        if is_gone {
            self.end_without(to);
        }
    }

    // --- of its own accord -----------------------------------------------------------------------------------

    pub(super) fn refresh_is_due(&mut self, id: LegId) {
        let Some(interval) = self.behaviour.refresh.filter(|_| self.legs.contains_key(&id)) else {
            return;
        };
        self.plan(interval, Alarm::Refresh(id));
        self.refresh(id);
    }

    /// Asks a telephone whether it is still there: UPDATE if it knows that, else a re-INVITE with what it knows.
    pub(super) fn refresh(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !leg.is_quiet() {
            return self.retry(id);
        }
        if leg.allows_update {
            return self.check(id);
        }
        let Some(known) = leg.ours.clone() else { return };
        let offer = leg.told(self.behaviour.anchors_media, &known);
        if !self.reinvite(id, Some(&offer), Purpose::Refresh(id)) {
            self.refresh_failed(id, 503);
        }
    }

    fn check(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let update = leg
            .request(Method::Update)
            .header(HeaderName::Contact, leg::contact());
        let connection = leg.connection;
        if self.send(connection, update, Purpose::Check(id)).is_none() {
            self.refresh_failed(id, 503);
        }
    }

    pub(super) fn check_succeeded(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.failed_refreshes = 0;
        }
    }

    pub(super) fn refresh_succeeded(&mut self, id: LegId, request: &Message, response: &Message) {
        if self.accept_2xx(id, request, response).is_some() {
            self.check_succeeded(id);
        }
    }

    /// A re-INVITE of ours is refused. For now: what it was sent for is still to be settled, which an UPDATE without
    /// an offer does not do.
    pub(super) fn reinvite_failed(&mut self, id: LegId, status: u16, again: Alarm) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.inviting = false;
        }
        match status {
            491 | 500 => self.settle_later(again),
            status => self.refresh_failed(id, status),
        }
    }

    fn settle_later(&mut self, again: Alarm) {
        let pause = self.rng.between(RETRY_TIME.0, RETRY_TIME.1);
        self.plan(pause, again);
    }

    pub(super) fn refresh_failed(&mut self, id: LegId, status: u16) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match status {
            491 | 500 => self.retry(id),
            481 => self.end_without(id),
            _ => {
                leg.failed_refreshes += 1;
                if leg.failed_refreshes >= MOST_FAILED_REFRESHES {
                    self.end_without(id);
                }
            }
        }
    }

    pub(super) fn negotiate_after_answer(&mut self, call: CallNumber) {
        let Some(call) = self.calls.get(&call) else { return };
        let (caller, Some(callee)) = (call.caller, call.callee) else {
            return;
        };
        match self.behaviour.after_answer {
            AfterAnswer::Nothing => {}
            AfterAnswer::Offer => {
                self.offer_again(caller);
                self.offer_again(callee);
            }
            AfterAnswer::AskForOffer => self.ask_for_offer(caller),
        }
    }

    /// A re-INVITE even to a telephone that knows UPDATE.
    pub(super) fn offer_again(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !leg.is_quiet() {
            return self.settle_later(Alarm::OfferAgain(id));
        }
        let Some(known) = leg.ours.clone() else { return };
        let offer = leg.told(self.behaviour.anchors_media, &known);
        self.reinvite(id, Some(&offer), Purpose::Refresh(id));
    }

    pub(super) fn ask_for_offer(&mut self, id: LegId) {
        let Some(peer) = self.peer(id) else { return };
        let is_quiet = |id: &LegId| self.legs.get(id).is_some_and(Leg::is_quiet);
        let is_sent = is_quiet(&id) && is_quiet(&peer) && self.reinvite(id, None, Purpose::AskForOffer(id));
        if !is_sent {
            self.plan(RETRY_TIME.1, Alarm::AskAgain(id));
        }
    }

    pub(super) fn offer_given(&mut self, asked: LegId, request: &Message, response: &Message) {
        if self.is_acknowledged_again(asked, request) {
            return;
        }
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let peer = self.peer(asked);
        let Some(leg) = self.legs.get_mut(&asked) else {
            return;
        };
        leg.note_target(response);
        let Some(offer) = leg.note_description(response) else {
            return;
        };
        let put = peer.and_then(|peer| Some((peer, self.legs.get_mut(&peer).filter(|leg| leg.is_quiet())?)));
        let Some((to, leg)) = put else {
            return self.conclude_offer(asked, cseq, None);
        };
        // Where a hold is the platform's matter, the other side is not held by it.
        let offer = match self.behaviour.hold {
            Hold::Local => description::with_direction(&offer, Direction::SendRecv),
            Hold::Relayed | Hold::RelayedAndConfirmed => offer,
        };
        let offer = leg.told(self.behaviour.anchors_media, &offer);
        if !self.reinvite(to, Some(&offer), Purpose::PutOffer { asked, cseq, to }) {
            self.conclude_offer(asked, cseq, None);
        }
    }

    pub(super) fn offer_taken(
        &mut self,
        asked: LegId,
        cseq: u32,
        to: LegId,
        request: &Message,
        response: &Message,
    ) {
        if let Some(answer) = self.accept_2xx(to, request, response) {
            self.conclude_offer(asked, cseq, Some(&answer));
        }
    }

    pub(super) fn offer_refused(
        &mut self,
        asked: LegId,
        cseq: u32,
        to: LegId,
        _request: &Message,
        status: u16,
    ) {
        if let Some(leg) = self.legs.get_mut(&to) {
            leg.inviting = false;
        }
        self.conclude_offer(asked, cseq, None);
        if status == 481 {
            self.end_without(to);
        }
    }

    /// The telephone that made an offer when asked gets its answer in the ACK: the other side's, or what it knows.
    fn conclude_offer(&mut self, asked: LegId, cseq: u32, answer: Option<&str>) {
        let anchors_media = self.behaviour.anchors_media;
        let holds_here = self.behaviour.hold == Hold::Local;
        let Some(leg) = self.legs.get_mut(&asked) else {
            return;
        };
        leg.inviting = false;
        let offered = leg.theirs.as_deref().map(description::direction);
        let answer = match answer {
            Some(answer) if holds_here => {
                description::with_direction(answer, offered.unwrap_or_default().reversed())
            }
            Some(answer) => answer.to_owned(),
            None => {
                self.last_id += 1;
                let at = self.now + RETRY_TIME.1;
                self.alarms.insert((at, self.last_id), Alarm::AskAgain(asked));
                let known = leg.ours.clone().unwrap_or_default();
                description::with_direction(&known, offered.unwrap_or_default().reversed())
            }
        };
        let told = leg.told(anchors_media, &answer);
        leg.ours = Some(told.clone());
        self.send_ack(asked, cseq, Some(&told));
    }

    // --- both ------------------------------------------------------------------------------------------------

    /// Sends a re-INVITE; `false` if the telephone is not connected.
    fn reinvite(&mut self, id: LegId, offer: Option<&str>, purpose: Purpose) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else {
            return false;
        };
        let mut invite = leg
            .request(Method::Invite)
            .header(HeaderName::Contact, leg::contact())
            .header(HeaderName::Allow, leg::ALLOW);
        if let Some(shows) = &leg.shows {
            invite = invite.header(HeaderName::PAssertedIdentity, shows);
        }
        if let Some(sdp) = offer {
            invite = invite.body("application/sdp", sdp.as_bytes());
        }
        let connection = leg.connection;
        let is_sent = self.send(connection, invite, purpose).is_some();
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.inviting = is_sent;
        }
        is_sent
    }

    /// Takes the 2xx to a re-INVITE of ours with its answer, and acknowledges it. `None` if it comes again.
    fn accept_2xx(&mut self, id: LegId, request: &Message, response: &Message) -> Option<String> {
        if self.is_acknowledged_again(id, request) {
            return None;
        }
        self.send_ack(id, request.cseq().map_or(0, |cseq| cseq.number), None);
        let leg = self.legs.get_mut(&id)?;
        leg.inviting = false;
        leg.note_target(response);
        leg.ours = leg::sdp(request);
        leg.note_description(response)
    }

    fn retry(&mut self, id: LegId) {
        self.settle_later(Alarm::Retry(id));
    }

    /// RFC 3261 section 14.2: a second INVITE before the first has been answered.
    fn reject_for_now(&mut self, transaction: TransactionId, request: &Message) {
        let response = self
            .response(request, 500)
            .header(HeaderName::RetryAfter, 2)
            .build();
        self.respond(transaction, response);
    }
}
