//! Offer and answer (RFC 3264), whatever carries them: INVITE, re-INVITE, UPDATE, ACK and their responses.
//!
//! ```text
//!          wish                 offer there               answer              applied
//! Idle ---------> MakingOffer -------------> OfferOut ----------> Applying ----------> Idle
//!  |                                           | glare, refused, lost                    ^
//!  |                                           +--> RollingBack -------------------------+
//!  +-- the far end offers --> MakingAnswer --> Idle (the 2xx carries the answer)         |
//!  +-- it asks for an offer --> MakingLateOffer --> AwaitingAnswerInAck --> Applying ----+
//! ```

use super::reinvite::Sent;
use super::{
    Call, Direction, EndCause, Endpoint, MediaAction, MediaError, MediaErrorKind, MediaOutcome,
    MediaRequestId, Message, OperationError, RemoteMedia, Stage, session_description,
};
use crate::sip::Method;
use crate::time::Instant;
use crate::transaction::TransactionId;

/// Where the exchange of descriptions of a call's media session stands.
#[derive(Clone, Debug, Default)]
pub(super) enum Negotiation {
    /// Everything offered has been answered.
    #[default]
    Idle,
    /// Our offer is being made.
    MakingOffer(MediaRequestId, Offer),
    /// Our re-INVITE is out.
    OfferOut(Sent, Offer),
    /// The far end's answer is being applied.
    Applying(MediaRequestId, Offer),
    /// Our offer is being taken back.
    RollingBack(MediaRequestId),
    /// Our offer is being made, and is to be taken back.
    DroppingOffer(MediaRequestId),
    /// The answer to the far end's offer is being made.
    MakingAnswer {
        request: MediaRequestId,
        owed: Owed,
        hold: bool,
    },
    /// The far end's re-INVITE has no offer: ours is being made.
    MakingLateOffer {
        request: MediaRequestId,
        owed: Owed,
        offer: Offer,
    },
    /// Our offer went out in a 2xx.
    AwaitingAnswerInAck(Offer),
}

/// What waits for a description of ours.
#[derive(Clone, Debug)]
pub(super) enum Owed {
    /// The 2xx to a request of the far end.
    Response {
        transaction: TransactionId,
        request: Message,
    },
    /// The ACK for a 2xx that offers, as `invite` of ours did not (RFC 3261 section 13.2.1).
    Ack { invite: Message, response: Message },
}

impl Owed {
    /// The message of the far end.
    pub(super) fn message(&self) -> &Message {
        match self {
            Self::Response { request, .. } => request,
            Self::Ack { response, .. } => response,
        }
    }

    fn is_in(&self, server: TransactionId) -> bool {
        matches!(self, Self::Response { transaction, .. } if *transaction == server)
    }
}

/// What our offer was made for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Offer {
    pub(super) hold: bool,
    /// The far end was to learn this side's address.
    pub(super) refresh: bool,
    /// It was not known whether the far end holds the same to be negotiated as this side.
    pub(super) renegotiate: bool,
    pub(super) ice_restart: bool,
    /// It is the first of a new media session.
    pub(super) fresh_media: bool,
    /// The old session goes on until the new one is agreed.
    pub(super) keep_old: bool,
}

impl Offer {
    /// Without what the user wished for: another window.
    pub(super) fn of_the_call(self) -> Self {
        Self {
            keep_old: false,
            ..self
        }
    }

    /// Whether the call itself needs it, whatever the user wishes.
    fn is_needed(self) -> bool {
        self.refresh || self.renegotiate || self.ice_restart
    }

    /// None: what was to be told again needs no description.
    pub(super) fn refresh() -> Self {
        Self {
            refresh: true,
            ..Self::default()
        }
    }
}

impl Negotiation {
    /// The offer that went out in the re-INVITE `sent`, if that is the one under way.
    pub(super) fn offer_out(&self, sent: TransactionId) -> Option<Offer> {
        match self {
            Self::OfferOut(out, offer) if out.transaction == sent => Some(*offer),
            Self::OfferOut(..)
            | Self::Idle
            | Self::MakingOffer(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::DroppingOffer(_)
            | Self::MakingAnswer { .. }
            | Self::MakingLateOffer { .. }
            | Self::AwaitingAnswerInAck(_) => None,
        }
    }

    /// Our offer that a re-INVITE carries, or will.
    pub(super) fn own_offer(&self) -> Option<Offer> {
        match self {
            Self::MakingOffer(_, offer) | Self::OfferOut(_, offer) | Self::Applying(_, offer) => Some(*offer),
            Self::Idle
            | Self::RollingBack(_)
            | Self::DroppingOffer(_)
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
            | Self::DroppingOffer(_)
            | Self::MakingAnswer { .. }
            | Self::MakingLateOffer { .. }
            | Self::AwaitingAnswerInAck(_) => None,
        }
    }

    /// The far end's request that waits for a description.
    pub(super) fn owed(&self) -> Option<&Owed> {
        match self {
            Self::MakingAnswer { owed, .. } | Self::MakingLateOffer { owed, .. } => Some(owed),
            Self::Idle
            | Self::MakingOffer(..)
            | Self::OfferOut(..)
            | Self::Applying(..)
            | Self::RollingBack(_)
            | Self::DroppingOffer(_)
            | Self::AwaitingAnswerInAck(_) => None,
        }
    }

    /// Whether the request of `transaction` waits for a description.
    pub(super) fn answers(&self, transaction: TransactionId) -> bool {
        self.owed().is_some_and(|owed| owed.is_in(transaction))
    }
}

impl Call {
    pub(super) fn is_negotiating(&self) -> bool {
        let is_idle = matches!(self.negotiation, Negotiation::Idle) && !self.is_changing_dialog();
        matches!(self.stage, Stage::Established(_)) && !is_idle
    }

    // --- our offers ------------------------------------------------------------------------------------------

    pub(super) fn make_offer(&mut self, endpoint: &mut Endpoint, offer: Offer) -> MediaRequestId {
        let action = MediaAction::CreateOffer {
            direction: self.direction(offer.hold),
            ice_restart: offer.ice_restart,
        };
        self.negotiate_media(endpoint, action)
    }

    /// The final answer to the offer in the first INVITE.
    pub(super) fn apply_first_answer(&mut self, endpoint: &mut Endpoint, sdp: &str) {
        self.apply_answer(endpoint, sdp, Offer::default());
    }

    /// The answer to the offer in an INVITE that has brought the call back.
    pub(super) fn apply_answer_for(&mut self, endpoint: &mut Endpoint, sdp: &str, hold: bool) {
        let offer = Offer {
            hold,
            ..Offer::default()
        };
        self.apply_answer(endpoint, sdp, offer);
    }

    pub(super) fn apply_answer(&mut self, endpoint: &mut Endpoint, sdp: &str, offer: Offer) {
        self.remote_description(sdp);
        let action = MediaAction::ApplyAnswer {
            answer: sdp.to_owned(),
            provisional: false,
        };
        let request = self.negotiate_media(endpoint, action);
        self.negotiation = Negotiation::Applying(request, offer);
    }

    /// The first offer of the call went out in the 2xx.
    pub(super) fn await_first_answer_in_ack(&mut self) {
        self.negotiation = Negotiation::AwaitingAnswerInAck(Offer::default());
    }

    /// The same in a dialog that has taken another's place.
    pub(super) fn await_answer_in_ack_for(&mut self, hold: bool) {
        self.negotiation = Negotiation::AwaitingAnswerInAck(Offer {
            hold,
            ..Offer::default()
        });
    }

    /// The far end's answer came in the ACK, as our offer went out in the 2xx.
    pub(super) fn answer_in_ack(&mut self, endpoint: &mut Endpoint, answer: Option<&str>) {
        let Negotiation::AwaitingAnswerInAck(offer) = self.negotiation else {
            return;
        };
        match answer {
            Some(sdp) => self.apply_answer(endpoint, sdp, offer),
            None => self.hang_up_because(endpoint, EndCause::NotAcceptable),
        }
    }

    /// Our offer met one of the far end: it is made again later.
    pub(super) fn glare(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        self.try_again_after_glare(endpoint, offer);
        self.roll_back(endpoint);
    }

    /// The far end cannot take our offer just now, and says when to ask again: another request has to be answered first
    /// (RFC 3261 section 14.2), or a platform waits for its other side to come back.
    pub(super) fn is_put_off(&mut self, endpoint: &mut Endpoint, offer: Offer, response: &Message) -> bool {
        let Some(wait) = response.retry_after() else {
            return false;
        };
        if !self.waits_for(endpoint, offer, wait) {
            return false;
        }
        self.roll_back(endpoint);
        true
    }

    /// The far end has failed on an offer that the call cannot do without: what each side holds to be negotiated would stay
    /// different. `false` if nothing but a wish of the user was offered, or it has been tried often enough.
    pub(super) fn is_tried_again(&mut self, endpoint: &mut Endpoint, offer: Offer) -> bool {
        if !offer.is_needed() || !self.waits_for(endpoint, offer, 1) {
            return false;
        }
        self.roll_back(endpoint);
        true
    }

    /// The far end does not want our offer: everything is as it was before (RFC 6141 section 3.1).
    pub(super) fn refused(&mut self, endpoint: &mut Endpoint, offer: Offer, status: u16, reason: &str) {
        self.is_known_again();
        let error = OperationError::Refused {
            status,
            reason: reason.to_owned(),
        };
        self.give_up_wishes(endpoint, offer, &error);
        self.session_timer.refresh_failed(endpoint.now);
        self.roll_back(endpoint);
    }

    pub(super) fn roll_back(&mut self, endpoint: &mut Endpoint) {
        if self.break_off_move(endpoint) {
            self.negotiation = Negotiation::Idle;
            return;
        }
        let request = self.request_media(endpoint, MediaAction::Rollback);
        self.negotiation = Negotiation::RollingBack(request);
    }

    // --- the far end's offers --------------------------------------------------------------------------------

    /// The far end's request offers something, or asks for an offer.
    pub(super) fn take_offer(&mut self, endpoint: &mut Endpoint, owed: Owed) {
        let hold = self.wants_hold();
        self.negotiation = match session_description(owed.message()) {
            Some(sdp) => {
                let hold = hold || self.repeats_our_hold(sdp);
                let action = MediaAction::CreateAnswer {
                    offer: sdp.to_owned(),
                    direction: self.direction(hold),
                };
                let request = self.request_media(endpoint, action);
                Negotiation::MakingAnswer { request, owed, hold }
            }
            None => {
                let offer = Offer {
                    hold,
                    ..Offer::default()
                };
                let request = self.make_offer(endpoint, offer);
                Negotiation::MakingLateOffer { request, owed, offer }
            }
        };
    }

    /// The call is ending, whatever is under way.
    pub(super) fn end_negotiation(&mut self, endpoint: &mut Endpoint) {
        self.answer_what_is_owed(endpoint, 487);
        if let Some(dialog) = self.dialog() {
            endpoint.orphan_reinvites(self.id(), |number| dialog.ack(number));
            self.break_off_move(endpoint);
        }
        self.negotiation = Negotiation::Idle;
    }

    /// Nothing more is negotiated in this dialog; what was negotiated before stands.
    pub(super) fn abandon_negotiation(&mut self, endpoint: &mut Endpoint) {
        let negotiation = self.negotiation.clone();
        self.answer_what_is_owed(endpoint, 487);
        match negotiation {
            Negotiation::MakingOffer(request, _) | Negotiation::MakingLateOffer { request, .. } => {
                self.drop_offer(endpoint, request);
            }
            Negotiation::OfferOut(sent, _) => {
                endpoint.abandon(sent.transaction);
                self.reinvite_lost();
                self.roll_back(endpoint);
            }
            Negotiation::AwaitingAnswerInAck(_) => self.roll_back(endpoint),
            Negotiation::Idle
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::DroppingOffer(_)
            | Negotiation::MakingAnswer { .. } => {
                self.break_off_move(endpoint);
            }
        }
    }

    /// Nobody wants the offer any more that is being made: it is taken back when it is there.
    pub(super) fn drop_offer(&mut self, endpoint: &mut Endpoint, request: MediaRequestId) {
        self.negotiation = match self.break_off_move(endpoint) {
            true => Negotiation::Idle,
            false => Negotiation::DroppingOffer(request),
        };
    }

    /// What is owed is not to be had: the far end's request is refused. A 2xx gets its ACK all the same.
    pub(super) fn answer_what_is_owed(&mut self, endpoint: &mut Endpoint, status: u16) {
        match self.negotiation.owed() {
            Some(Owed::Response { transaction, request }) => endpoint.reject(*transaction, request, status),
            Some(Owed::Ack { invite, .. }) => {
                if let Stage::Established(established) = &mut self.stage {
                    established.acknowledge(endpoint, invite, None);
                }
            }
            None => return,
        }
        self.negotiation = Negotiation::Idle;
    }

    /// Gives the far end the description that was made; `false` if there is none.
    fn pay(
        &mut self,
        endpoint: &mut Endpoint,
        owed: &Owed,
        result: Result<MediaOutcome, MediaError>,
    ) -> bool {
        let sdp = match result {
            Ok(MediaOutcome::Description { sdp }) => sdp,
            Ok(MediaOutcome::Done) => String::new(),
            Err(error) => {
                self.cannot_pay(endpoint, owed, &error);
                return false;
            }
        };
        self.negotiation = Negotiation::Idle;
        match owed {
            Owed::Response { transaction, request } => {
                self.respond_with(endpoint, *transaction, request, &sdp)
            }
            Owed::Ack { invite, .. } => {
                if let Stage::Established(established) = &mut self.stage {
                    established.acknowledge(endpoint, invite, Some(&sdp));
                }
            }
        }
        if let Some(offer) = session_description(owed.message()) {
            self.session_unagreed = false;
            self.remote_description(offer);
        }
        true
    }

    fn respond_with(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        request: &Message,
        sdp: &str,
    ) {
        let answer = self
            .accept(endpoint, request)
            .body("application/sdp", sdp.as_bytes())
            .build();
        endpoint.respond(transaction, answer.clone());
        if let Stage::Established(established) = &mut self.stage
            && request.method() == Method::Invite
        {
            established.answer_sent(endpoint.now, transaction, answer);
        }
    }

    /// A change of the call is refused and the call goes on; without its first answer there is none.
    fn cannot_pay(&mut self, endpoint: &mut Endpoint, owed: &Owed, error: &MediaError) {
        let is_rejected = error.kind == MediaErrorKind::DescriptionRejected;
        self.answer_what_is_owed(endpoint, if is_rejected { 488 } else { 500 });
        if matches!(owed, Owed::Ack { .. }) {
            self.info.microphone_problem = super::outgoing::microphone_problem(error);
            let cause = if is_rejected {
                EndCause::NotAcceptable
            } else {
                EndCause::MediaFailed
            };
            self.hang_up_because(endpoint, cause);
        }
    }

    // --- the media backend -----------------------------------------------------------------------------------

    pub(super) fn negotiation_media_done(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: Result<MediaOutcome, MediaError>,
    ) {
        match self.negotiation.clone() {
            Negotiation::MakingOffer(expected, offer) if expected == request => {
                self.offer_ready(endpoint, offer, result);
            }
            Negotiation::Applying(expected, offer) if expected == request => match result {
                Ok(_) => self.applied(endpoint, offer),
                Err(error) => self.answer_unusable(endpoint, offer, error),
            },
            Negotiation::RollingBack(expected) if expected == request => {
                self.negotiation = Negotiation::Idle;
            }
            Negotiation::DroppingOffer(expected) if expected == request => match result {
                Ok(_) => self.roll_back(endpoint),
                Err(_) => self.negotiation = Negotiation::Idle,
            },
            Negotiation::MakingAnswer {
                request: expected,
                owed,
                hold,
            } if expected == request => {
                if self.pay(endpoint, &owed, result) {
                    self.agreed(endpoint, hold);
                    self.note_remote_hold(false);
                }
            }
            Negotiation::MakingLateOffer {
                request: expected,
                owed,
                offer,
            } if expected == request => {
                if self.pay(endpoint, &owed, result) {
                    self.negotiation = Negotiation::AwaitingAnswerInAck(offer);
                }
            }
            Negotiation::Idle
            | Negotiation::MakingOffer(..)
            | Negotiation::OfferOut(..)
            | Negotiation::Applying(..)
            | Negotiation::RollingBack(_)
            | Negotiation::DroppingOffer(_)
            | Negotiation::MakingAnswer { .. }
            | Negotiation::MakingLateOffer { .. }
            | Negotiation::AwaitingAnswerInAck(_) => {}
        }
    }

    fn offer_ready(
        &mut self,
        endpoint: &mut Endpoint,
        offer: Offer,
        result: Result<MediaOutcome, MediaError>,
    ) {
        let error = match result {
            Ok(MediaOutcome::Description { sdp }) => return self.send_reinvite(endpoint, &sdp, offer),
            Ok(MediaOutcome::Done) => MediaError {
                kind: MediaErrorKind::Failed,
                detail: "no description was made".to_owned(),
            },
            Err(error) => error,
        };
        self.negotiation = Negotiation::Idle;
        let goes_on = self.break_off_move(endpoint);
        if offer.fresh_media && !offer.keep_old && !goes_on {
            return self.without_media(endpoint, offer, error);
        }
        self.give_up_wishes(endpoint, offer, &OperationError::Media(error));
        if offer.is_needed() {
            // At most a few times: a backend that can describe nothing any more is noticed by other means.
            self.waits_for(endpoint, offer.of_the_call(), 1);
        }
    }

    /// The fresh media of a call are not to be had, and the old ones are gone: they are tried again, as long as there is
    /// sense in it.
    fn without_media(&mut self, endpoint: &mut Endpoint, offer: Offer, error: MediaError) {
        let problem = super::outgoing::microphone_problem(&error);
        if problem.is_none() && self.waits_for(endpoint, offer, 1) {
            return self.want_fresh_media();
        }
        self.info.microphone_problem = problem;
        self.abandon(endpoint, &OperationError::Media(error));
        self.hang_up_because(endpoint, EndCause::MediaFailed);
    }

    /// Offer and answer are in force: now, and not before, the state changes.
    fn applied(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        self.negotiation = Negotiation::Idle;
        self.session_unagreed = false;
        self.finish_move(endpoint);
        self.never_put_off();
        self.agreed(endpoint, offer.hold);
        self.note_remote_hold(offer.hold);
        self.media_moved(endpoint);
    }

    /// The answer cannot be applied: what was negotiated is unknown, so the call cannot go on.
    fn answer_unusable(&mut self, endpoint: &mut Endpoint, offer: Offer, error: MediaError) {
        if self.break_off_move(endpoint) {
            // The far end has left the old session's media, which still are what they were: they are offered again.
            self.negotiation = Negotiation::Idle;
            self.give_up_wishes(endpoint, offer, &OperationError::Media(error));
            return self.want_renegotiation();
        }
        if let Stage::Inviting(inviting) = &mut self.stage {
            self.negotiation = Negotiation::Idle;
            return inviting.early_answer_unusable();
        }
        self.abandon(endpoint, &OperationError::Media(error));
        self.hang_up_because(endpoint, EndCause::NotAcceptable);
    }

    /// An offer that sends nothing to a side that holds says what that hold has made of the session (a refresh by a
    /// back-to-back platform). Answering it resumes nothing: that takes an offer of our own.
    fn repeats_our_hold(&self, offer: &str) -> bool {
        let offer = RemoteMedia::read(offer);
        self.info.local_hold && offer.is_some_and(|remote| !remote.direction.sends())
    }

    /// The far end holds when it does not want to receive. An answer of `inactive` to our own hold says nothing new.
    pub(super) fn note_remote_hold(&mut self, we_offered_hold: bool) {
        let Some(remote) = self.remote_media else { return };
        match (remote.direction.receives(), we_offered_hold) {
            (true, _) => self.info.remote_hold = false,
            (false, false) => self.info.remote_hold = true,
            (false, true) => {}
        }
    }

    /// What this side offers. The media backend keeps the microphone silent on hold. A focus would play the music of a
    /// holder to everybody: it is offered none.
    pub(super) fn direction(&self, hold: bool) -> Direction {
        let is_focus = self.established().is_some_and(|it| it.dialog.peer().focus);
        match hold {
            true if is_focus => Direction::Inactive,
            true => Direction::SendOnly,
            false => Direction::SendRecv,
        }
    }

    pub(crate) fn wants_hold(&self) -> bool {
        self.established()
            .is_some_and(|established| established.wanted.hold)
    }
}
