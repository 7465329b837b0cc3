//! What the user and the network want of a call's media, kept until it is negotiated.
//!
//! Whenever nothing is under way and a wish differs from what is negotiated, [`Call::advance_negotiation`] starts what
//! grants it. So commands queue by themselves, and glare is only a matter of waiting.

use super::negotiation::{Negotiation, Offer};
use super::{Call, CallState, CommandError, Endpoint, OperationError, OperationId, Stage};
use crate::event::CallDirection;
use crate::id::CallId;
use crate::time::{Duration, Instant};

/// How often in a row an offer is tried again because the far end asks for patience.
const MOST_PATIENCE: u8 = 8;
/// The longest that is waited before.
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// What is to be negotiated when there is room for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// The user wants the far end on hold.
    pub(crate) hold: bool,
    /// Commands that end when `hold` is negotiated.
    operations: Vec<OperationId>,
    /// A new media session is needed: another fork's media, another window, a restart.
    pub(crate) fresh_media: bool,
    /// The present session goes on until the new one is agreed.
    keep_old: bool,
    /// Commands that end when the new media session is negotiated.
    media_operations: Vec<OperationId>,
    /// The far end must learn where this side is now.
    pub(crate) refresh: bool,
    /// What the far end holds to be negotiated is in doubt: a new offer settles it.
    pub(super) renegotiate: bool,
    /// What became of a re-INVITE is not known, as its connection was lost or its dialog seemed dead: the far end may
    /// have accepted it.
    pub(super) lost_reinvite: bool,
    /// The media transport has failed.
    pub(crate) ice_restart: bool,
    /// Not before this moment: glare, or a pause after a failure.
    pub(crate) not_before: Option<Instant>,
    /// How often in a row the far end has asked for patience.
    put_off: u8,
}

impl Wanted {
    /// Whether the media are to change, which takes an offer.
    fn changes_media(&self, negotiated_hold: bool) -> bool {
        self.hold != negotiated_hold || self.fresh_media || self.ice_restart || self.renegotiate
    }

    /// A new dialog with new media has brought all that was to be told to the far end.
    pub(super) fn is_satisfied(&mut self, endpoint: &mut Endpoint) {
        self.fresh_media = false;
        self.refresh = false;
        self.renegotiate = false;
        self.lost_reinvite = false;
        self.ice_restart = false;
        self.not_before = None;
        for operation in std::mem::take(&mut self.media_operations) {
            endpoint.finish(operation, Ok(()));
        }
    }

    /// The opposite wish overtakes the one before.
    fn wish_hold(&mut self, endpoint: &mut Endpoint, hold: bool) {
        if std::mem::replace(&mut self.hold, hold) != hold {
            for overtaken in std::mem::take(&mut self.operations) {
                endpoint.finish(overtaken, Err(OperationError::Superseded));
            }
        }
    }

    /// Takes what an offer made now will grant.
    fn take_offer(&mut self) -> Offer {
        let fresh_media = std::mem::take(&mut self.fresh_media);
        let keep_old = std::mem::take(&mut self.keep_old);
        Offer {
            hold: self.hold,
            refresh: std::mem::take(&mut self.refresh),
            renegotiate: std::mem::take(&mut self.renegotiate) || (fresh_media && !keep_old),
            ice_restart: std::mem::take(&mut self.ice_restart),
            fresh_media,
            keep_old,
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
        let negotiating = self.is_negotiating();
        let Stage::Established(established) = &mut self.stage else {
            return Err(CommandError::WrongState);
        };
        let operation = endpoint.new_operation();
        established.wanted.wish_hold(endpoint, hold);
        if negotiating || self.info.local_hold != hold {
            established.wanted.operations.push(operation);
        } else {
            endpoint.finish(operation, Ok(()));
        }
        self.hold_is_commanded();
        Ok(operation)
    }

    /// Hold or resume as soon as that is possible, without a command that waits for it.
    pub(crate) fn wish_hold(&mut self, endpoint: &mut Endpoint, hold: bool) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.wish_hold(endpoint, hold);
        }
    }

    /// What this call was put on hold for has come to nothing.
    pub(crate) fn returns(&mut self) {
        self.returns = true;
    }

    /// Its id, if that has happened since this was asked last.
    pub(crate) fn take_return(&mut self) -> Option<CallId> {
        std::mem::take(&mut self.returns).then_some(self.info.id)
    }

    /// Whether the user speaks with the far end, or is about to.
    pub(crate) fn occupies(&self) -> bool {
        self.is_taken() && !self.is_held()
    }

    /// An operation that ends when what is wished of hold is negotiated.
    pub(crate) fn await_hold(&mut self, endpoint: &mut Endpoint) -> OperationId {
        let operation = endpoint.new_operation();
        match &mut self.stage {
            Stage::Established(established) => established.wanted.operations.push(operation),
            Stage::Offering(_)
            | Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Leaving(_)
            | Stage::Over => endpoint.finish(operation, Err(OperationError::CallEnded)),
        }
        operation
    }

    /// Whether the far end is on hold, and is to stay there.
    pub(crate) fn is_held(&self) -> bool {
        self.info.local_hold && self.wants_hold()
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
        established.wanted.keep_old |= !established.wanted.fresh_media;
        established.wanted.fresh_media = true;
        established.wanted.media_operations.push(operation);
        Ok(operation)
    }

    pub(super) fn want_fresh_media(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.fresh_media = true;
            established.wanted.keep_old = false;
        }
    }

    pub(super) fn want_renegotiation(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.renegotiate = true;
        }
    }

    /// Whether the far end has accepted our re-INVITE is to be settled as soon as it is reached again.
    pub(super) fn reinvite_lost(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.lost_reinvite = true;
        }
    }

    /// Starts what is wanted if nothing stands in the way: a re-INVITE with an offer, or, where only this side's
    /// address or the session's time is to be renewed, an UPDATE without one.
    pub(super) fn advance_negotiation(&mut self, endpoint: &mut Endpoint) {
        let is_idle = matches!(self.negotiation, Negotiation::Idle) && !self.is_changing_dialog();
        let room = is_idle && self.info.state == CallState::Active;
        let may_update = self.info.state == CallState::Active && !self.is_changing_dialog();
        if is_idle {
            self.grant_what_is_so(endpoint);
        }
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        if wanted.not_before.is_some_and(|at| at > endpoint.now) {
            return;
        }
        wanted.not_before = None;
        let offers = wanted.changes_media(self.info.local_hold);
        let due = offers || wanted.refresh;
        if !due || !endpoint.is_connected() {
            return;
        }
        let refresh = wanted.refresh;
        let room = room && !established.awaits_ack();
        // Without an offer it may go out whatever else is under way: an ACK may wait for it to learn this side's address.
        if refresh && !(room && offers) && may_update && established.dialog.peer().update {
            return self.refresh_by_update(endpoint);
        }
        if !room {
            return;
        }
        let offer = established.wanted.take_offer();
        if offer.keep_old && self.session_open {
            self.begin_move(endpoint);
        } else if offer.fresh_media {
            self.renew_session(endpoint);
        }
        let request = self.make_offer(endpoint, offer);
        self.negotiation = Negotiation::MakingOffer(request, offer);
    }

    /// A wish for what is negotiated already, that came while something else was under way, takes no offer.
    fn grant_what_is_so(&mut self, endpoint: &mut Endpoint) {
        let negotiated = self.info.local_hold;
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if established.wanted.hold == negotiated {
            for operation in std::mem::take(&mut established.wanted.operations) {
                endpoint.finish(operation, Ok(()));
            }
        }
    }

    /// A new media session has been negotiated, unless a further one is wanted by now.
    pub(super) fn media_moved(&mut self, endpoint: &mut Endpoint) {
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
    pub(super) fn agreed(&mut self, endpoint: &mut Endpoint, hold: bool) {
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

    /// RFC 3261 section 14.1: wait, the owner of the Call-ID longer than the other, and try again.
    pub(super) fn try_again_after_glare(&mut self, endpoint: &mut Endpoint, offer: Offer) {
        // In units of 10 ms.
        let units = match self.info.direction {
            CallDirection::Outgoing => 210 + endpoint.rng.next_u64() % 191,
            CallDirection::Incoming => endpoint.rng.next_u64() % 201,
        };
        let pause = Duration::from_millis(10 * units);
        self.want_again(offer);
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.not_before = Some(endpoint.now + pause);
        }
    }

    /// The user's wishes in `offer` are given up with `error`; what the call itself needed of it is still wanted.
    pub(super) fn give_up_only_wishes(
        &mut self,
        endpoint: &mut Endpoint,
        offer: Offer,
        error: &OperationError,
    ) {
        self.give_up_wishes(endpoint, offer, error);
        self.want_again(offer.of_the_call());
    }

    /// What was wanted of `offer` is still wanted. The wish for hold differs from what is negotiated anyway; the other
    /// reasons to offer are kept alive here.
    pub(super) fn want_again(&mut self, offer: Offer) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let wanted = &mut established.wanted;
        wanted.refresh |= offer.refresh;
        wanted.renegotiate |= offer.renegotiate;
        wanted.ice_restart |= offer.ice_restart;
        if offer.keep_old {
            // The session it was about is closed by now.
            wanted.fresh_media = true;
            wanted.keep_old = true;
        }
    }

    /// The far end asks for patience of `seconds`; `false` if it has done so too often.
    pub(super) fn waits_for(&mut self, endpoint: &mut Endpoint, offer: Offer, seconds: u32) -> bool {
        let jitter = endpoint.rng.between(Duration::ZERO, Duration::from_secs(1));
        let Stage::Established(established) = &mut self.stage else {
            return false;
        };
        let wanted = &mut established.wanted;
        if wanted.put_off >= MOST_PATIENCE {
            return false;
        }
        wanted.put_off += 1;
        let pause = Duration::from_secs(u64::from(seconds)).min(LONGEST_PATIENCE);
        wanted.not_before = Some(endpoint.now + pause + jitter);
        self.want_again(offer);
        true
    }

    /// An offer has been answered.
    pub(super) fn never_put_off(&mut self) {
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.put_off = 0;
        }
    }

    /// What was wanted of `offer` is not to be had: the wish returns to what is negotiated, and its commands end with
    /// `error`. What has come to be wanted since then is tried for itself.
    pub(super) fn give_up_wishes(&mut self, endpoint: &mut Endpoint, offer: Offer, error: &OperationError) {
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
}
