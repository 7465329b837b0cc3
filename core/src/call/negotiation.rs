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

use super::incoming::response;
use super::{
    Call, CallState, CommandError, Direction, EndCause, Endpoint, HeaderName, MediaAction, MediaError,
    MediaErrorKind, MediaOutcome, MediaRequestId, MediaTransport, Message, OperationError, OperationId,
    Stage, asserted_identity, session_description,
};
use crate::event::CallDirection;
use crate::sip::Method;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;
use crate::user_agent::{ALLOW, Purpose, Resent, SUPPORTED};

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
    OfferOut(TransactionId, Offer),
    /// The far end's answer is being applied.
    Applying(MediaRequestId, Offer),
    /// Our offer is being taken back.
    RollingBack(MediaRequestId),
    /// The answer to the far end's re-INVITE is being made.
    MakingAnswer {
        request: MediaRequestId,
        transaction: TransactionId,
        invite: Message,
    },
    /// The far end's re-INVITE has no offer: ours is being made.
    MakingLateOffer {
        request: MediaRequestId,
        transaction: TransactionId,
        invite: Message,
    },
    /// Our offer went out in a 2xx.
    AwaitingAnswerInAck,
}

/// What our offer was made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    hold: bool,
}

impl Negotiation {
    /// The offer that went out in the re-INVITE `sent`, if that is the one under way.
    fn offer_out(&self, sent: TransactionId) -> Option<Offer> {
        match self {
            Self::OfferOut(transaction, offer) if *transaction == sent => Some(*offer),
            Self::OfferOut(..)
            | Self::Idle
            | Self::MakingOffer(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::MakingAnswer { .. }
            | Self::MakingLateOffer { .. }
            | Self::AwaitingAnswerInAck => None,
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
            | Self::AwaitingAnswerInAck => false,
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
        let Stage::Established(established) = &mut self.stage else {
            return Err(CommandError::WrongState);
        };
        let operation = endpoint.new_operation();
        established.wanted.fresh_media = true;
        established.wanted.media_operations.push(operation);
        Ok(operation)
    }

    pub(super) fn want_fresh_media(&mut self, _endpoint: &mut Endpoint) {
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
        let offer = Offer {
            hold: established.wanted.hold,
        };
        let ice_restart = std::mem::take(&mut established.wanted.ice_restart);
        established.wanted.refresh = false;
        if std::mem::take(&mut established.wanted.fresh_media) {
            self.renew_session(endpoint);
        }
        let action = MediaAction::CreateOffer {
            direction: direction(offer.hold),
            ice_restart,
        };
        let request = self.request_media(endpoint, action);
        self.set_negotiation(Negotiation::MakingOffer(request, offer));
    }

    /// The final answer to the offer in the first INVITE.
    pub(super) fn apply_first_answer(&mut self, endpoint: &mut Endpoint, sdp: &str) {
        self.apply_answer(endpoint, sdp, Offer { hold: false });
    }

    /// The far end's answer came in the ACK, as our offer went out in the 2xx.
    pub(super) fn answer_in_ack(&mut self, endpoint: &mut Endpoint, answer: Option<&str>) {
        let Stage::Established(established) = &self.stage else {
            return;
        };
        if !matches!(established.negotiation, Negotiation::AwaitingAnswerInAck) {
            return;
        }
        let hold = established.wanted.hold;
        match answer {
            Some(sdp) => self.apply_answer(endpoint, sdp, Offer { hold }),
            None => self.hang_up_because(endpoint, EndCause::NotAcceptable),
        }
    }

    /// The re-INVITE was sent again with credentials.
    pub(crate) fn reinvite_resent(&mut self, resent: &Resent) {
        self.renumbered(resent.cseq);
        if let Stage::Established(established) = &mut self.stage
            && let Negotiation::OfferOut(transaction, _) = &mut established.negotiation
        {
            *transaction = resent.transaction;
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
        let cseq = endpoint
            .sent_request(transaction)
            .and_then(|sent| sent.cseq().ok().map(|cseq| cseq.number));
        let Some(offer) = established.negotiation.offer_out(transaction) else {
            if let (200..=299, Some(cseq)) = (status, cseq) {
                established.acknowledge_again(endpoint, cseq);
            }
            return;
        };
        match (status, session_description(response)) {
            (100..=199, _) => {}
            (200..=299, answer) => {
                established.dialog.refresh_target(response);
                if let Some(cseq) = cseq {
                    established.acknowledge(endpoint, cseq);
                }
                if let Some(identity) = asserted_identity(response) {
                    self.info.remote = identity;
                }
                match answer {
                    Some(sdp) => self.apply_answer(endpoint, sdp, offer),
                    None => self.refused(endpoint, 200, "answer without a session description"),
                }
            }
            (491, _) => self.glare(endpoint),
            // Section 12.2.1.2: the far end does not know this dialog any more.
            (408 | 481, _) => self.hang_up_because(endpoint, EndCause::NetworkFailed),
            (status, _) => {
                let reason = response.reason().unwrap_or_default().to_owned();
                self.refused(endpoint, status, &reason);
            }
        }
    }

    /// Our re-INVITE got no answer: time-out or lost connection.
    pub(crate) fn reinvite_unanswered(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if !matches!(established.negotiation, Negotiation::OfferOut(current, _) if current == transaction) {
            return;
        }
        let error = if endpoint.is_connected() {
            OperationError::TimedOut
        } else {
            OperationError::Disconnected
        };
        // A change of media that met a dead connection is tried again on the next one.
        established.wanted.refresh = true;
        self.give_up_wishes(endpoint, &error);
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
            // Early dialogs take no re-INVITE; one on the way out is refused.
            let status = if matches!(self.stage, Stage::Leaving(_)) {
                481
            } else {
                491
            };
            return endpoint.reject(transaction, invite, status);
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
            | Negotiation::AwaitingAnswerInAck => return endpoint.reject(transaction, invite, 491),
        }
        established.dialog.refresh_target(invite);
        if let Some(identity) = asserted_identity(invite) {
            self.info.remote = identity;
        }
        let hold = established.wanted.hold || self.info.local_hold;
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
                }
            }
            None => {
                let action = MediaAction::CreateOffer {
                    direction: direction(hold),
                    ice_restart: false,
                };
                let request = self.request_media(endpoint, action);
                Negotiation::MakingLateOffer {
                    request,
                    transaction,
                    invite,
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
        let negotiation = std::mem::replace(&mut established.negotiation, Negotiation::Idle);
        if let Negotiation::MakingAnswer {
            transaction, invite, ..
        }
        | Negotiation::MakingLateOffer {
            transaction, invite, ..
        } = negotiation
        {
            endpoint.reject(transaction, &invite, status);
        }
    }

    /// The far end takes its re-INVITE back.
    pub(crate) fn reinvite_cancelled(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &self.stage else {
            return;
        };
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
                Err(error) => {
                    self.set_negotiation(Negotiation::Idle);
                    self.give_up_wishes(endpoint, &OperationError::Media(error));
                }
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
            } if expected == request => {
                self.send_answer(endpoint, transaction, &invite, result, false);
            }
            Negotiation::MakingLateOffer {
                request: expected,
                transaction,
                invite,
            } if expected == request => {
                self.send_answer(endpoint, transaction, &invite, result, true);
            }
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::MakingAnswer { .. }
            | Negotiation::MakingLateOffer { .. }
            | Negotiation::AwaitingAnswerInAck => {}
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
            return self.set_negotiation(Negotiation::Idle);
        };
        let id = self.id();
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let contact = endpoint.contact();
        let reinvite = established
            .dialog
            .request(Method::Invite)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .body("application/sdp", sdp.as_bytes());
        match endpoint.send(Purpose::ReInvite(id), reinvite) {
            Ok(transaction) => self.set_negotiation(Negotiation::OfferOut(transaction, offer)),
            Err(_) => {
                established.wanted.refresh = true;
                self.give_up_wishes(endpoint, &OperationError::Disconnected);
                self.roll_back(endpoint);
            }
        }
    }

    fn send_answer(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        invite: &Message,
        result: Result<MediaOutcome, MediaError>,
        late_offer: bool,
    ) {
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
                return endpoint.reject(transaction, invite, status);
            }
        };
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let answer = response(endpoint, invite, 200, established.dialog.local_tag())
            .header(HeaderName::Contact, endpoint.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .body("application/sdp", sdp.as_bytes())
            .build();
        endpoint.respond(transaction, answer.clone());
        established.answer_sent(endpoint.now, transaction, answer, late_offer);
        if let Some(offer) = session_description(invite) {
            self.remote_description(offer);
            self.note_remote_hold(false);
        }
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
        self.info.local_hold = offer.hold;
        self.note_remote_hold(offer.hold);
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if established.wanted.hold == offer.hold {
            for operation in std::mem::take(&mut established.wanted.operations) {
                endpoint.finish(operation, Ok(()));
            }
        }
        if !established.wanted.fresh_media {
            for operation in std::mem::take(&mut established.wanted.media_operations) {
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
    fn glare(&mut self, endpoint: &mut Endpoint) {
        let pause = match self.info.direction {
            CallDirection::Outgoing => endpoint
                .rng
                .between(Duration::from_millis(2_100), Duration::from_secs(4)),
            CallDirection::Incoming => endpoint.rng.between(Duration::ZERO, Duration::from_secs(2)),
        };
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        established.wanted.not_before = Some(endpoint.now + pause);
        // The wish for hold still differs from what is negotiated; any other reason to offer is kept alive here.
        established.wanted.refresh = true;
        self.roll_back(endpoint);
    }

    fn refused(&mut self, endpoint: &mut Endpoint, status: u16, reason: &str) {
        self.give_up_wishes(
            endpoint,
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

    /// The wish returns to what is negotiated, and its commands end with `error`.
    fn give_up_wishes(&mut self, endpoint: &mut Endpoint, error: &OperationError) {
        let negotiated = self.info.local_hold;
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.hold = negotiated;
        }
        self.abandon(endpoint, error);
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
        let is_success = matches!(response.status(), Some(200..=299));
        let Stage::Leaving(leaving) = &self.stage else {
            return;
        };
        let Some(cseq) = endpoint
            .sent_request(transaction)
            .and_then(|sent| sent.cseq().ok())
        else {
            return;
        };
        if is_success {
            let ack = leaving.dialog.ack(cseq.number);
            endpoint.send_ack(ack);
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
