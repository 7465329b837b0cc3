//! UPDATE (RFC 3311), from either side.
//!
//! With an offer it is answered wherever the exchange of descriptions allows it. This side sends it without one: for
//! offers in a confirmed dialog a re-INVITE is recommended, as an UPDATE leaves the far end no time (section 5.1).

use super::negotiation::{Negotiation, Offer, Owed};
use super::replaces::says_lost;
use super::{Call, EndCause, Endpoint, HeaderName, Message, Stage, session_description};
use crate::endpoint::{ALLOW, Purpose, RECV_INFO, SUPPORTED};
use crate::sip::Method;
use crate::transaction::TransactionId;

impl Call {
    // --- ours ------------------------------------------------------------------------------------------------

    /// Tells the far end this side's address again, without an offer.
    pub(super) fn refresh_by_update(&mut self, endpoint: &mut Endpoint) {
        let (id, contact) = (self.id(), self.contact(endpoint));
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        // Section 5.1: not while another one is open.
        if established.update.is_some() {
            return;
        }
        let update = established
            .dialog
            .request(Method::Update)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::RecvInfo, RECV_INFO);
        let update = self.session_timer.ask(&endpoint.config, update);
        if let Ok(transaction) = endpoint.send(Purpose::Update(id), update) {
            established.update = Some(transaction);
            established.wanted.refresh = false;
            self.session_timer.refreshing(endpoint.now);
        }
    }

    /// The UPDATE was sent again with credentials.
    pub(crate) fn update_resent(&mut self, resent: TransactionId) {
        if let Stage::Established(established) = &mut self.stage {
            established.update = Some(resent);
        }
    }

    /// A response to our UPDATE.
    pub(crate) fn update_response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(0);
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if status < 200 || established.update != Some(transaction) {
            return;
        }
        established.update = None;
        if says_lost(status) && self.recover(endpoint) {
            return;
        }
        match status {
            200..=299 => self.refreshed(endpoint, response),
            408 | 481 => self.leave_lost_dialog(endpoint, status),
            422 if self.session_timer.refused(response) => self.want_again(Offer::refresh()),
            491 => self.try_again_after_glare(endpoint, Offer::refresh()),
            503 if self.losses.is_any() => self.try_again_when_served(endpoint, Offer::refresh(), response),
            // It cannot, whatever its Allow says: a re-INVITE does it too.
            405 | 501 => {
                self.refresh_by_reinvite();
            }
            // The session stays as it is (section 5.3).
            _ => {
                self.session_timer.refresh_failed(endpoint.now);
                self.is_known_again();
            }
        }
    }

    /// UPDATE is not for this far end.
    fn refresh_by_reinvite(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.dialog.peer_refuses_update();
            established.wanted.refresh = true;
        }
    }

    /// Our UPDATE got no answer: time-out or lost connection.
    pub(crate) fn update_unanswered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        flow_failed: bool,
    ) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if established.update != Some(transaction) {
            return;
        }
        established.update = None;
        // Without a connection nothing is known; it is sent again when the agent is back, see `reconnected`.
        if !flow_failed && endpoint.is_connected() && !self.recover(endpoint) {
            self.hang_up_because(endpoint, EndCause::NetworkFailed);
        }
    }

    // --- the far end's ---------------------------------------------------------------------------------------

    pub(super) fn update_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        update: &Message,
    ) {
        match self.room_for(update) {
            Room::Free => {
                let ok = self.accept(endpoint, update).build();
                endpoint.respond(transaction, ok);
            }
            Room::Offer => {
                let request = update.clone();
                self.take_offer(endpoint, Owed::Response { transaction, request });
            }
            Room::Glare => endpoint.reject(transaction, update, 491),
            Room::Later => endpoint.put_off(transaction, update),
            Room::Gone => endpoint.reject(transaction, update, 481),
        }
    }

    /// What section 5.2 says to an UPDATE that comes now.
    fn room_for(&self, update: &Message) -> Room {
        let offers = session_description(update).is_some();
        let update_is_open = self
            .negotiation
            .owed()
            .is_some_and(|owed| owed.message().is_request() && owed.message().method() == Method::Update);
        match (&self.stage, &self.negotiation) {
            _ if !self.is_live() => Room::Gone,
            (Stage::Offering(_) | Stage::Leaving(_) | Stage::Over, _) => Room::Gone,
            _ if update_is_open => Room::Later,
            _ if !offers => Room::Free,
            // The offer of the INVITE has not been answered by us.
            (Stage::Alerting(_), _) => Room::Later,
            // Our own has not been answered by this fork.
            (Stage::Inviting(inviting), _) if !inviting.has_settled(update) => Room::Glare,
            (_, Negotiation::Idle) => Room::Offer,
            (_, Negotiation::MakingAnswer { .. }) => Room::Later,
            (
                _,
                Negotiation::MakingOffer(..)
                | Negotiation::OfferOut(..)
                | Negotiation::Applying(..)
                | Negotiation::RollingBack(_)
                | Negotiation::DroppingOffer(_)
                | Negotiation::MakingLateOffer { .. }
                | Negotiation::AwaitingAnswerInAck(_),
            ) => Room::Glare,
        }
    }
}

/// Whether there is room for an UPDATE (section 5.2).
enum Room {
    /// It has no offer: yes.
    Free,
    /// For it and its offer.
    Offer,
    /// No: an offer of ours is open.
    Glare,
    /// No: one of the far end's is.
    Later,
    /// There is no such dialog any more.
    Gone,
}
