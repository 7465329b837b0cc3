//! Offers and answers inside a call (RFC 3261 section 14, RFC 3264): hold, resume, new media, and the far end's.
//!
//! What the user wants is kept as wishes ([`Wanted`]); whenever nothing is under way and a wish differs from what is
//! negotiated, a re-INVITE starts. So commands queue by themselves, and glare is only a matter of waiting.
//!
//! ```text
//!          wish                 offer there                2xx               applied
//! Idle ---------> MakingOffer -------------> OfferOut ----------> Applying ----------> Idle
//!  |  \                                        | 491, refused, lost                      ^
//!  |   \                                       +--> RollingBack -------------------------+
//!  |    +-- re-INVITE --> MakingAnswer --> Idle (2xx sent, awaits ACK)                   |
//!  +------- re-INVITE without offer --> MakingLateOffer --> AwaitingAnswerInAck --> Applying
//! ```

use super::established::number;
use super::incoming::response;
use super::{
    Call, CallState, CommandError, Direction, EndCause, Endpoint, HeaderName, MediaAction, MediaError,
    MediaErrorKind, MediaOutcome, MediaRequestId, MediaTransport, Message, OperationError, OperationId,
    Stage, asserted_identity, session_description,
};
use crate::endpoint::{ALLOW, Purpose, SUPPORTED};
use crate::event::CallDirection;
use crate::sip::Method;
use crate::time::{Duration, Instant};
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

/// What is to be negotiated when there is room for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The user wants the far end on hold.
    pub(crate) hold: bool,
    /// Commands that end when `hold` is negotiated.
    operations: Vec<OperationId>,
    /// A new media session is needed: another fork's media, another window, a restart.
    pub(crate) fresh_media: bool,
    /// Commands that end when the new media session is negotiated.
    media_operations: Vec<OperationId>,
    /// The far end must learn where this side is now.
    pub(crate) refresh: bool,
    /// The media transport has failed.
    pub(crate) ice_restart: bool,
    /// Not before this moment: glare, or a pause after a failure.
    pub(crate) not_before: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(super) enum Negotiation {
    Idle,
    /// Our offer is being made.
    MakingOffer(MediaRequestId, Offer),
    /// Our re-INVITE is out.
    OfferOut(Sent, Offer),
    /// The far end's answer is being applied.
    Applying(MediaRequestId, Offer),
    /// Our offer is being taken back.
    RollingBack(MediaRequestId),
    /// The answer to the far end's re-INVITE is being made.
    MakingAnswer {
        request: MediaRequestId,
        transaction: TransactionId,
        invite: Message,
        hold: bool,
    },
    /// The far end's re-INVITE has no offer: ours is being made.
    MakingLateOffer {
        request: MediaRequestId,
        transaction: TransactionId,
        invite: Message,
        offer: Offer,
    },
    /// Our offer went out in a 2xx.
    AwaitingAnswerInAck(Offer),
}

/// A re-INVITE on its way. A far end that has said 100 and then falls silent must not block the call for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    transaction: TransactionId,
    /// When it is cancelled, or, if it has been, when it counts as such (RFC 3261 section 9.1).
    give_up_at: Instant,
    cancelled: bool,
}

/// What our offer was made for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offer {
    hold: bool,
    /// There was another reason than `hold`.
    refresh: bool,
    ice_restart: bool,
}

impl Negotiation {
    /// The offer that went out in the re-INVITE `sent`, if that is the one under way.
    fn offer_out(&self, sent: TransactionId) -> Option<Offer> {
        match self {
            Self::OfferOut(out, offer) if out.transaction == sent => Some(*offer),
            Self::OfferOut(..)
            | Self::Idle
            | Self::MakingOffer(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::MakingAnswer { .. }
            | Self::MakingLateOffer { .. }
            | Self::AwaitingAnswerInAck(_) => None,
        }
    }

    /// When a re-INVITE of ours is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::OfferOut(sent, _) => Some(sent.give_up_at),
            Self::Idle
            | Self::MakingOffer(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::MakingAnswer { .. }
            | Self::MakingLateOffer { .. }
            | Self::AwaitingAnswerInAck(_) => None,
        }
    }

    pub(super) fn answers(&self, invite: TransactionId) -> bool {
        match self {
            Self::MakingAnswer { transaction, .. } | Self::MakingLateOffer { transaction, .. } => {
                *transaction == invite
            }
            Self::Idle
            | Self::MakingOffer(..)
            | Self::OfferOut(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::AwaitingAnswerInAck(_) => false,
        }
    }
}

impl Call {
    /// Hold or resume. Ends when negotiated; the opposite wish overtakes it.
    pub(crate) fn set_hold(
        &mut self,
        endpoint: &mut Endpoint,
        hold: bool,
    ) -> Result<OperationId, CommandError> {
        if self.info.state != CallState::Active {
            return Err(CommandError::WrongState);
        }
        if !endpoint.is_connected() {
            return Err(CommandError::NotConnected);
        }
        let Stage::Established(established) = &mut self.stage else {
            return Err(CommandError::WrongState);
        };
        let operation = endpoint.new_operation();
        if established.wanted.hold != hold {
            for overtaken in std::mem::take(&mut established.wanted.operations) {
                endpoint.finish(overtaken, Err(OperationError::Superseded));
            }
            established.wanted.hold = hold;
        }
        if established.is_negotiating() || self.info.local_hold != hold {
            established.wanted.operations.push(operation);
        } else {
            endpoint.finish(operation, Ok(()));
        }
        Ok(operation)
    }

    /// A new media session, for example in another window.
    pub(crate) fn move_media(&mut self, endpoint: &mut Endpoint) -> Result<OperationId, CommandError> {
        if self.info.state != CallState::Active {
            return Err(CommandError::WrongState);
        }
        let Stage::Established(established) = &mut self.stage else {
            return Err(CommandError::WrongState);
        };
        let operation = endpoint.new_operation();
        established.wanted.fresh_media = true;
        established.wanted.media_operations.push(operation);
        Ok(operation)
    }

    pub(super) fn want_fresh_media(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.fresh_media = true;
        }
    }

    /// The connection is back: tell the far end where this side is, and renew a media transport that has suffered.
    pub(crate) fn reconnected(&mut self) {
        let media = self.info.media;
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.refresh = true;
            established.wanted.ice_restart |=
                matches!(media, MediaTransport::Disconnected | MediaTransport::Failed);
        }
    }

    /// Starts a re-INVITE if one is wanted and nothing stands in the way.
    pub(super) fn advance_negotiation(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        if wanted.not_before.is_some_and(|at| at > endpoint.now) {
            return;
        }
        wanted.not_before = None;
        let differs = wanted.hold != self.info.local_hold;
        let due = differs || wanted.fresh_media || wanted.refresh || wanted.ice_restart;
        let room = matches!(established.negotiation, Negotiation::Idle)
            && !established.awaits_ack()
            && self.info.state == CallState::Active;
        if !due || !room || !endpoint.is_connected() {
            return;
        }
        let wanted = &mut established.wanted;
        let fresh_media = std::mem::take(&mut wanted.fresh_media);
        let offer = Offer {
            hold: wanted.hold,
            refresh: std::mem::take(&mut wanted.refresh) || fresh_media,
            ice_restart: std::mem::take(&mut wanted.ice_restart),
        };
        if fresh_media {
            self.renew_session(endpoint);
        }
        let request = self.make_offer(endpoint, offer);
        self.set_negotiation(Negotiation::MakingOffer(request, offer));
    }

    fn make_offer(&mut self, endpoint: &mut Endpoint, offer: Offer) -> MediaRequestId {
        let action = MediaAction::CreateOffer {
            direction: direction(offer.hold),
            ice_restart: offer.ice_restart,
        };
        self.request_media(endpoint, action)
    }

    /// The final answer to the offer in the first INVITE.
    pub(super) fn apply_first_answer(&mut self, endpoint: &mut Endpoint, sdp: &str) {
        self.apply_answer(endpoint, sdp, Offer::default());
    }

    /// The first offer of the call went out in the 2xx.
    pub(super) fn await_first_answer_in_ack(&mut self) {
        self.set_negotiation(Negotiation::AwaitingAnswerInAck(Offer::default()));
    }

    /// The far end's answer came in the ACK, as our offer went out in the 2xx.
    pub(super) fn answer_in_ack(&mut self, endpoint: &mut Endpoint, answer: Option<&str>) {
        let Stage::Established(established) = &self.stage else {
            return;
        };
        let Negotiation::AwaitingAnswerInAck(offer) = established.negotiation else {
            return;
        };
        match answer {
            Some(sdp) => self.apply_answer(endpoint, sdp, offer),
            None => self.hang_up_because(endpoint, EndCause::NotAcceptable),
        }
    }

    /// The re-INVITE was sent again with credentials.
    pub(crate) fn reinvite_resent(&mut self, resent: TransactionId) {
        if let Stage::Established(established) = &mut self.stage
            && let Negotiation::OfferOut(sent, _) = &mut established.negotiation
        {
            sent.transaction = resent;
        }
    }

    /// Our re-INVITE has been waited for long enough: it is cancelled, and in the end counted as such.
    pub(super) fn wake_negotiation(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let Negotiation::OfferOut(sent, offer) = &mut established.negotiation else {
            return;
        };
        if sent.give_up_at > endpoint.now {
            return;
        }
        let (transaction, offer) = (sent.transaction, *offer);
        if std::mem::replace(&mut sent.cancelled, true) {
            endpoint.abandon(transaction);
            self.give_up_wishes(endpoint, offer, &OperationError::TimedOut);
            self.roll_back(endpoint);
        } else {
            sent.give_up_at = endpoint.now + TRANSACTION_TIMEOUT;
            endpoint.cancel(transaction, None);
        }
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
            return self.acknowledge_in_passing(endpoint, transaction, response);
        };
        let invite = endpoint.sent_request(transaction).cloned();
        let Some(offer) = established.negotiation.offer_out(transaction) else {
            if let (200..=299, Some(invite)) = (status, invite) {
                established.acknowledge_again(endpoint, &invite);
            }
            return;
        };
        match (status, session_description(response)) {
            (100..=199, _) => {}
            (200..=299, answer) => {
                established.dialog.refresh_target(response);
                if let Some(invite) = invite {
                    established.acknowledge(endpoint, &invite);
                }
                if let Some(identity) = asserted_identity(response) {
                    self.info.remote = identity;
                }
                match answer {
                    Some(sdp) => self.apply_answer(endpoint, sdp, offer),
                    None => self.refused(endpoint, offer, 200, "answer without a session description"),
                }
            }
            (491, _) => self.glare(endpoint, offer),
            (408 | 481, _) => self.leave_lost_dialog(endpoint, status),
            (status, _) => {
                let reason = response.reason().unwrap_or_default().to_owned();
                self.refused(endpoint, offer, status, &reason);
            }
        }
    }

    /// Our re-INVITE got no answer: time-out or lost connection.
    pub(crate) fn reinvite_unanswered(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let Some(offer) = established.negotiation.offer_out(transaction) else {
            return;
        };
        if endpoint.is_connected() {
            // Section 14.1: no answer at all ends the session.
            self.abandon(endpoint, &OperationError::TimedOut);
            return self.hang_up_because(endpoint, EndCause::NetworkFailed);
        }
        // What the far end knows of this side's media is told again when the agent is back, see `reconnected`.
        self.give_up_wishes(endpoint, offer, &OperationError::Disconnected);
        self.roll_back(endpoint);
    }

    /// The far end offers something (section 14.2).
    pub(super) fn reinvite_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        invite: &Message,
    ) {
        let Stage::Established(established) = &mut self.stage else {
            return match self.stage {
                Stage::Alerting(_) => reject_busy(endpoint, transaction, invite),
                // Our own INVITE is still open.
                Stage::Inviting(_) => endpoint.reject(transaction, invite, 491),
                Stage::Offering(_) | Stage::Established(_) | Stage::Leaving(_) | Stage::Over => {
                    endpoint.reject(transaction, invite, 481);
                }
            };
        };
        match established.negotiation {
            Negotiation::Idle if !established.awaits_ack() => {}
            Negotiation::MakingAnswer { .. } | Negotiation::MakingLateOffer { .. } => {
                return reject_busy(endpoint, transaction, invite);
            }
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::AwaitingAnswerInAck(_) => return endpoint.reject(transaction, invite, 491),
        }
        established.dialog.refresh_target(invite);
        if let Some(identity) = asserted_identity(invite) {
            self.info.remote = identity;
        }
        let hold = established.wanted.hold;
        let invite = invite.clone();
        let negotiation = match session_description(&invite) {
            Some(offer) => {
                let action = MediaAction::CreateAnswer {
                    offer: offer.to_owned(),
                    direction: direction(hold),
                };
                let request = self.request_media(endpoint, action);
                Negotiation::MakingAnswer {
                    request,
                    transaction,
                    invite,
                    hold,
                }
            }
            None => {
                let offer = Offer {
                    hold,
                    ..Offer::default()
                };
                Negotiation::MakingLateOffer {
                    request: self.make_offer(endpoint, offer),
                    transaction,
                    invite,
                    offer,
                }
            }
        };
        self.set_negotiation(negotiation);
    }

    /// The call is ending while the far end awaits an answer to its re-INVITE.
    pub(super) fn answer_pending_invite(&mut self, endpoint: &mut Endpoint, status: u16) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if let Negotiation::MakingAnswer {
            transaction, invite, ..
        }
        | Negotiation::MakingLateOffer {
            transaction, invite, ..
        } = &established.negotiation
        {
            endpoint.reject(*transaction, invite, status);
            established.negotiation = Negotiation::Idle;
        }
    }

    /// The far end takes its re-INVITE back. After the answer that has no effect (section 9.2).
    pub(crate) fn reinvite_cancelled(&mut self, endpoint: &mut Endpoint, reinvite: TransactionId) {
        let Stage::Established(established) = &self.stage else {
            return;
        };
        if !established.negotiation.answers(reinvite) {
            return;
        }
        let answering = matches!(established.negotiation, Negotiation::MakingAnswer { .. });
        self.answer_pending_invite(endpoint, 487);
        if answering {
            // The answer may have been applied already: make the media what was negotiated before.
            if let Stage::Established(established) = &mut self.stage {
                established.wanted.refresh = true;
            }
        } else {
            self.roll_back(endpoint);
        }
    }

    pub(super) fn negotiation_media_done(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: Result<MediaOutcome, MediaError>,
    ) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        match established.negotiation.clone() {
            Negotiation::MakingOffer(expected, offer) if expected == request => match result {
                Ok(outcome) => self.send_offer(endpoint, outcome, offer),
                Err(error) => self.offer_failed(endpoint, offer, error),
            },
            Negotiation::Applying(expected, offer) if expected == request => match result {
                Ok(_) => self.applied(endpoint, offer),
                Err(error) => self.answer_unusable(endpoint, error),
            },
            Negotiation::RollingBack(expected) if expected == request => {
                self.set_negotiation(Negotiation::Idle)
            }
            Negotiation::MakingAnswer {
                request: expected,
                transaction,
                invite,
                hold,
            } if expected == request => {
                if self.send_answer(endpoint, transaction, &invite, result) {
                    self.agreed(endpoint, hold);
                    self.note_remote_hold(false);
                }
            }
            Negotiation::MakingLateOffer {
                request: expected,
                transaction,
                invite,
                offer,
            } if expected == request => {
                if self.send_answer(endpoint, transaction, &invite, result) {
                    self.set_negotiation(Negotiation::AwaitingAnswerInAck(offer));
                }
            }
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::MakingAnswer { .. }
            | Negotiation::MakingLateOffer { .. }
            | Negotiation::AwaitingAnswerInAck(_) => {}
        }
    }

    /// Ends all commands that wait for a negotiation.
    pub(super) fn abandon(&mut self, endpoint: &mut Endpoint, error: &OperationError) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        let operations = wanted
            .operations
            .drain(..)
            .chain(wanted.media_operations.drain(..));
        for operation in operations.collect::<Vec<_>>() {
            endpoint.finish(operation, Err(error.clone()));
        }
    }

    fn send_offer(&mut self, endpoint: &mut Endpoint, outcome: MediaOutcome, offer: Offer) {
        let MediaOutcome::Description { sdp } = outcome else {
            let error = MediaError {
                kind: MediaErrorKind::Failed,
                detail: "no description was made".to_owned(),
            };
            return self.offer_failed(endpoint, offer, error);
        };
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
            .body("application/sdp", sdp.as_bytes());
        match endpoint.send(Purpose::ReInvite(id), reinvite) {
            Ok(transaction) => {
                let sent = Sent {
                    transaction,
                    give_up_at: endpoint.now + TRANSACTION_TIMEOUT,
                    cancelled: false,
                };
                self.set_negotiation(Negotiation::OfferOut(sent, offer));
            }
            Err(_) => {
                self.give_up_wishes(endpoint, offer, &OperationError::Disconnected);
                self.roll_back(endpoint);
            }
        }
    }

    fn offer_failed(&mut self, endpoint: &mut Endpoint, offer: Offer, error: MediaError) {
        self.set_negotiation(Negotiation::Idle);
        self.give_up_wishes(endpoint, offer, &OperationError::Media(error));
    }

    /// Answers the far end's re-INVITE; `false` if there is no description to answer with.
    fn send_answer(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        invite: &Message,
        result: Result<MediaOutcome, MediaError>,
    ) -> bool {
        self.set_negotiation(Negotiation::Idle);
        let sdp = match result {
            Ok(MediaOutcome::Description { sdp }) => sdp,
            Ok(MediaOutcome::Done) => String::new(),
            Err(error) => {
                let status = if error.kind == MediaErrorKind::DescriptionRejected {
                    488
                } else {
                    500
                };
                endpoint.reject(transaction, invite, status);
                return false;
            }
        };
        let contact = self.contact(endpoint);
        let Stage::Established(established) = &mut self.stage else {
            return false;
        };
        let answer = response(endpoint, invite, 200, established.dialog.local_tag())
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .body("application/sdp", sdp.as_bytes())
            .build();
        endpoint.respond(transaction, answer.clone());
        established.answer_sent(endpoint.now, transaction, answer);
        if let Some(offer) = session_description(invite) {
            self.remote_description(offer);
        }
        true
    }

    fn apply_answer(&mut self, endpoint: &mut Endpoint, sdp: &str, offer: Offer) {
        self.remote_description(sdp);
        let action = MediaAction::ApplyAnswer {
            answer: sdp.to_owned(),
            provisional: false,
        };
        let request = self.request_media(endpoint, action);
        self.set_negotiation(Negotiation::Applying(request, offer));
    }

    /// Offer and answer are in force: now, and not before, the state changes.
    fn applied(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        self.set_negotiation(Negotiation::Idle);
        self.agreed(endpoint, offer.hold);
        self.note_remote_hold(offer.hold);
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if !established.wanted.fresh_media {
            for operation in std::mem::take(&mut established.wanted.media_operations) {
                endpoint.finish(operation, Ok(()));
            }
        }
    }

    /// What `hold` says has been negotiated.
    fn agreed(&mut self, endpoint: &mut Endpoint, hold: bool) {
        self.info.local_hold = hold;
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if established.wanted.hold == hold {
            for operation in std::mem::take(&mut established.wanted.operations) {
                endpoint.finish(operation, Ok(()));
            }
        }
    }

    /// The far end holds when it does not want to receive. An answer of `inactive` to our own hold says nothing new.
    pub(super) fn note_remote_hold(&mut self, we_offered_hold: bool) {
        let Some(remote) = self
            .established()
            .and_then(|established| established.remote_media)
        else {
            return;
        };
        match (remote.direction.receives(), we_offered_hold) {
            (true, _) => self.info.remote_hold = false,
            (false, false) => self.info.remote_hold = true,
            (false, true) => {}
        }
    }

    /// Section 14.1: wait, the owner of the Call-ID longer than the other, and try again.
    fn glare(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        let pause = match self.info.direction {
            CallDirection::Outgoing => endpoint
                .rng
                .between(Duration::from_millis(2_100), Duration::from_secs(4)),
            CallDirection::Incoming => endpoint.rng.between(Duration::ZERO, Duration::from_secs(2)),
        };
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        wanted.not_before = Some(endpoint.now + pause);
        // The wish for hold still differs from what is negotiated; the other reasons to offer are kept alive here.
        wanted.refresh |= offer.refresh;
        wanted.ice_restart |= offer.ice_restart;
        self.roll_back(endpoint);
    }

    fn refused(&mut self, endpoint: &mut Endpoint, offer: Offer, status: u16, reason: &str) {
        self.give_up_wishes(
            endpoint,
            offer,
            &OperationError::Refused {
                status,
                reason: reason.to_owned(),
            },
        );
        self.roll_back(endpoint);
    }

    /// The answer cannot be applied: what was negotiated is unknown, so the call cannot go on.
    fn answer_unusable(&mut self, endpoint: &mut Endpoint, error: MediaError) {
        self.abandon(endpoint, &OperationError::Media(error));
        self.hang_up_because(endpoint, EndCause::NotAcceptable);
    }

    /// What was wanted of `offer` is not to be had: the wish returns to what is negotiated, and its commands end with
    /// `error`. What has come to be wanted since then is tried for itself.
    fn give_up_wishes(&mut self, endpoint: &mut Endpoint, offer: Offer, error: &OperationError) {
        let negotiated = self.info.local_hold;
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        let is_granted = wanted.hold == negotiated;
        if is_granted || wanted.hold == offer.hold {
            wanted.hold = negotiated;
            for operation in std::mem::take(&mut wanted.operations) {
                let result = if is_granted { Ok(()) } else { Err(error.clone()) };
                endpoint.finish(operation, result);
            }
        }
        if !wanted.fresh_media {
            for operation in std::mem::take(&mut wanted.media_operations) {
                endpoint.finish(operation, Err(error.clone()));
            }
        }
    }

    fn roll_back(&mut self, endpoint: &mut Endpoint) {
        let request = self.request_media(endpoint, MediaAction::Rollback);
        self.set_negotiation(Negotiation::RollingBack(request));
    }

    /// A 2xx to a re-INVITE that arrives while the call is being left still needs its ACK.
    fn acknowledge_in_passing(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let Stage::Leaving(leaving) = &self.stage else {
            return;
        };
        let Some(invite) = endpoint.sent_request(transaction).cloned() else {
            return;
        };
        if matches!(response.status(), Some(200..=299)) {
            endpoint.send_ack(&invite, leaving.dialog.ack(number(&invite)));
        }
    }

    fn set_negotiation(&mut self, negotiation: Negotiation) {
        if let Stage::Established(established) = &mut self.stage {
            established.negotiation = negotiation;
        }
    }
}

/// What this side offers. The media backend keeps the microphone silent on hold.
fn direction(hold: bool) -> Direction {
    if hold {
        Direction::SendOnly
    } else {
        Direction::SendRecv
    }
}

/// Section 14.2: a second INVITE before the first has been answered.
fn reject_busy(endpoint: &mut Endpoint, transaction: TransactionId, invite: &Message) {
    let wait = endpoint.rng.next_u64() % 11;
    let tag = endpoint.rng.token(4);
    let response = endpoint
        .response(invite, 500)
        .to_tag(&tag)
        .header(HeaderName::RetryAfter, wait)
        .build();
    endpoint.respond(transaction, response);
}
