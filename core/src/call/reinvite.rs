//! re-INVITE (RFC 3261 section 14), from either side.

use super::negotiation::{Negotiation, Offer, Owed};
use super::prack::{self, Provisional, ReliableOrder};
use super::replaces::says_lost;
use super::{Call, EndCause, Endpoint, HeaderName, Message, OperationError, Stage, session_description};
use crate::endpoint::{ALLOW, Purpose, RECV_INFO, SUPPORTED};
use crate::sip::Method;
use crate::time::Instant;
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

/// A re-INVITE on its way. A far end that has said 100 and then falls silent must not block the call for ever.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) transaction: TransactionId,
    /// When it is cancelled, or, if it has been, when it counts as such (RFC 3261 section 9.1).
    pub(super) give_up_at: Instant,
    cancelled: bool,
    /// The order of reliable responses to it.
    order: ReliableOrder,
    /// The answer that came in one of them; the 2xx need not repeat it (RFC 3262 section 5).
    early_answer: Option<String>,
}

impl Call {
    // --- ours ------------------------------------------------------------------------------------------------

    pub(super) fn send_reinvite(&mut self, endpoint: &mut Endpoint, sdp: &str, offer: Offer) {
        let (id, contact) = (self.id(), self.contact(endpoint));
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let reinvite = established
            .dialog
            .request(Method::Invite)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::RecvInfo, RECV_INFO)
            .body("application/sdp", sdp.as_bytes());
        let reinvite = self.session_timer.ask(&endpoint.config, reinvite);
        match endpoint.send(Purpose::ReInvite(id), reinvite) {
            Ok(transaction) => {
                self.session_timer.refreshing(endpoint.now);
                let sent = Sent {
                    transaction,
                    give_up_at: endpoint.now + TRANSACTION_TIMEOUT,
                    cancelled: false,
                    order: ReliableOrder::default(),
                    early_answer: None,
                };
                self.negotiation = Negotiation::OfferOut(sent, offer);
            }
            Err(_) => {
                self.give_up_only_wishes(endpoint, offer, &OperationError::Disconnected);
                self.roll_back(endpoint);
            }
        }
    }

    /// The re-INVITE was sent again with credentials.
    pub(crate) fn reinvite_resent(&mut self, resent: TransactionId) {
        if let Negotiation::OfferOut(sent, _) = &mut self.negotiation {
            sent.transaction = resent;
        }
    }

    /// Our re-INVITE has been waited for long enough: it is cancelled, and in the end counted as such.
    pub(super) fn wake_reinvite(&mut self, endpoint: &mut Endpoint) {
        let Negotiation::OfferOut(sent, offer) = &mut self.negotiation else {
            return;
        };
        if sent.give_up_at > endpoint.now {
            return;
        }
        let (transaction, offer) = (sent.transaction, *offer);
        if std::mem::replace(&mut sent.cancelled, true) {
            endpoint.abandon(transaction);
            self.is_in_doubt(endpoint, offer);
        } else {
            sent.give_up_at = endpoint.now + TRANSACTION_TIMEOUT;
            endpoint.cancel(transaction, None);
        }
    }

    /// Not even a CANCEL has ended the re-INVITE: the far end may be slow, or it is gone and was not heard to go. It is asked
    /// once more, for nothing but whether it is there; whoever does not answer that has gone (section 14.1).
    fn is_in_doubt(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        if offer.refresh {
            return self.is_gone(endpoint, offer);
        }
        self.give_up_wishes(endpoint, offer, &OperationError::TimedOut);
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.refresh = true;
        }
        self.roll_back(endpoint);
    }

    /// Section 14.1: no answer at all ends the session, if there is no other way to the far end.
    fn is_gone(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        if offer.refresh && self.recover(endpoint) {
            return;
        }
        self.abandon(endpoint, &OperationError::TimedOut);
        self.hang_up_because(endpoint, EndCause::NetworkFailed);
    }

    /// A response to our re-INVITE.
    pub(crate) fn reinvite_response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(0);
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let invite = endpoint.sent_request(transaction).cloned();
        let Some(offer) = self.negotiation.offer_out(transaction) else {
            if let (200..=299, Some(invite)) = (status, invite) {
                established.acknowledge_again(endpoint, &invite);
            }
            return;
        };
        // Glare and a longer interval refuse nothing.
        if status >= 300 && !matches!(status, 422 | 491) {
            self.note_refusal(endpoint.now);
        }
        match (status, session_description(response)) {
            (100..=199, _) => self.reinvite_provisional(endpoint, invite, response),
            (200..=299, answer) => {
                self.refreshed(endpoint, response);
                self.acknowledge(endpoint, invite);
                let settled = self.take_settled_answer();
                match settled.as_deref().or(answer) {
                    Some(sdp) => self.apply_answer(endpoint, sdp, offer),
                    None => self.refused(endpoint, offer, 200, "answer without a session description"),
                }
            }
            (422, _) if self.session_timer.refused(response) => {
                self.want_again(offer);
                self.roll_back(endpoint);
            }
            (491, _) => self.glare(endpoint, offer),
            (status, _) if self.losses.outlast(status) => {
                self.try_again_when_served(endpoint, offer, response);
                self.roll_back(endpoint);
            }
            (500 | 503, _) if self.is_put_off(endpoint, offer, response) => {}
            // Sections 21.5.1, 21.5.4 and 21.5.5: it may go well another time.
            (500 | 503 | 504, _) if self.is_tried_again(endpoint, offer) => {}
            (status, _) if offer.refresh && says_lost(status) && self.recover(endpoint) => {}
            (408 | 481, _) => self.leave_lost_dialog(endpoint, status),
            (status, _) => {
                let reason = response.reason().unwrap_or_default().to_owned();
                self.refused(endpoint, offer, status, &reason);
            }
        }
    }

    /// Our re-INVITE got no answer: time-out or lost connection.
    pub(crate) fn reinvite_unanswered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        flow_failed: bool,
    ) {
        let Some(offer) = self.negotiation.offer_out(transaction) else {
            return;
        };
        if !flow_failed && endpoint.is_connected() {
            return self.is_gone(endpoint, offer);
        }
        // What is true is told when the agent is back, see `reconnected`.
        self.give_up_wishes(endpoint, offer, &OperationError::Disconnected);
        self.reinvite_lost();
        self.roll_back(endpoint);
    }

    /// A reliable response is acknowledged. Its answer is applied with the 2xx, so that a failure takes nothing back
    /// but the offer (RFC 6141 section 3.1); the address in it counts at once (section 4.2).
    fn reinvite_provisional(&mut self, endpoint: &mut Endpoint, invite: Option<Message>, response: &Message) {
        let id = self.id();
        let (Stage::Established(established), Negotiation::OfferOut(sent, _), Some(invite)) =
            (&mut self.stage, &mut self.negotiation, invite)
        else {
            return;
        };
        let dialog = &mut established.dialog;
        let provisional = prack::acknowledge(endpoint, id, dialog, &mut sent.order, &invite, response);
        if provisional != Provisional::Reliable {
            return;
        }
        dialog.refresh_target(response);
        if sent.early_answer.is_none() {
            sent.early_answer = session_description(response).map(str::to_owned);
        }
    }

    fn take_settled_answer(&mut self) -> Option<String> {
        match &mut self.negotiation {
            Negotiation::OfferOut(sent, _) => sent.early_answer.take(),
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::DroppingOffer(_)
            | Negotiation::MakingAnswer { .. }
            | Negotiation::MakingLateOffer { .. }
            | Negotiation::AwaitingAnswerInAck(_) => None,
        }
    }

    fn acknowledge(&mut self, endpoint: &mut Endpoint, invite: Option<Message>) {
        if let (Stage::Established(established), Some(invite)) = (&mut self.stage, invite) {
            established.acknowledge(endpoint, &invite, None);
        }
    }

    // --- the far end's ---------------------------------------------------------------------------------------

    /// The far end offers something, or asks for an offer (section 14.2).
    pub(super) fn reinvite_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        invite: &Message,
    ) {
        let Stage::Established(established) = &self.stage else {
            return match self.stage {
                Stage::Alerting(_) => endpoint.put_off(transaction, invite),
                // Our own INVITE is still open.
                Stage::Inviting(_) => endpoint.reject(transaction, invite, 491),
                Stage::Offering(_) | Stage::Established(_) | Stage::Leaving(_) | Stage::Over => {
                    endpoint.reject(transaction, invite, 481);
                }
            };
        };
        match self.negotiation {
            // Also in the moratorium before the ACK of the last one (RFC 5407 section 3.1.4).
            Negotiation::Idle if established.may_answer_another() => {
                let request = invite.clone();
                self.take_offer(endpoint, Owed::Response { transaction, request });
            }
            // A second one before the first has been answered.
            Negotiation::MakingAnswer { .. } | Negotiation::MakingLateOffer { .. } => {
                endpoint.put_off(transaction, invite);
            }
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::DroppingOffer(_)
            | Negotiation::AwaitingAnswerInAck(_) => endpoint.reject(transaction, invite, 491),
        }
    }

    /// The far end takes its re-INVITE back. After the answer that has no effect (section 9.2).
    pub(crate) fn reinvite_cancelled(&mut self, endpoint: &mut Endpoint, reinvite: TransactionId) {
        if !self.negotiation.answers(reinvite) {
            return;
        }
        let offering = match &self.negotiation {
            Negotiation::MakingLateOffer { request, .. } => Some(*request),
            Negotiation::MakingAnswer { .. }
            | Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::DroppingOffer(_)
            | Negotiation::AwaitingAnswerInAck(_) => None,
        };
        self.answer_what_is_owed(endpoint, 487);
        match offering {
            Some(request) => self.drop_offer(endpoint, request),
            // The answer may have been applied already: make the media what was negotiated before.
            None => self.want_renegotiation(),
        }
    }
}
