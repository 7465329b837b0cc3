//! Transferring a call (RFC 3515, RFC 5589), the side that asks for it: the far end is sent to somebody else with REFER and
//! tells what comes of it. The call stays until it has come about.
//!
//! ```text
//!        REFER              2xx, NOTIFY 1xx                NOTIFY 2xx, the far end hangs up
//! none --------> Referring ----------------> Proceeding ------------------------------------> the call is left
//!                    | refused, no answer        | NOTIFY 3xx-6xx, or nobody says anything more
//!                    +---------------------------+--> none: the call comes back, and its info says why
//! ```
//! A call that was put on hold for the transfer only is taken off hold when that fails, unless the user is speaking with
//! somebody else by then.

use serde::{Deserialize, Serialize};

use super::replaces::is_same_party;
use super::{
    Call, CallDirection, CallState, CommandError, EndCause, Endpoint, HeaderName, Message, OperationError,
    Stage, identity,
};
use crate::config::TransferSupport;
use crate::endpoint::{Purpose, SUPPORTED};
use crate::event::TransferState;
use crate::id::{CallId, OperationId};
use crate::sip::{Method, ReferTo, UriBuf};
use crate::subscription::{ReferSubscriber, Told};
use crate::time::Instant;
use crate::transaction::TransactionId;

/// The far end has been asked to call somebody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transfer {
    /// The command behind it; none after a restart.
    #[serde(skip)]
    operation: Option<OperationId>,
    /// The REFER that has not been answered.
    #[serde(skip)]
    transaction: Option<TransactionId>,
    subscription: ReferSubscriber,
    /// The call whose place the far end is to take.
    with: Option<CallId>,
    /// It is on hold for this only.
    retrieve: bool,
    /// The far end has agreed.
    agreed: bool,
    /// What it has heard there last.
    heard: Option<u16>,
}

/// Where the far end is sent.
#[derive(Clone, Debug)]
pub(crate) struct Referral {
    pub(crate) operation: OperationId,
    /// The value of Refer-To.
    pub(crate) refer_to: String,
    /// The call whose place it is to take there.
    pub(crate) with: Option<CallId>,
    /// The call was put on hold for this.
    pub(crate) retrieve: bool,
}

impl Call {
    /// Whether the far end can be sent to somebody else now.
    ///
    /// # Errors
    /// [`CommandError::WrongState`], [`CommandError::NotConnected`], [`CommandError::NotOffered`].
    pub(crate) fn may_transfer(&self, endpoint: &Endpoint) -> Result<(), CommandError> {
        if self.info.state != CallState::Active || self.transfer.is_some() {
            return Err(CommandError::WrongState);
        }
        if !endpoint.is_connected() {
            return Err(CommandError::NotConnected);
        }
        let is_offered = self.is_transferable(endpoint);
        is_offered.then_some(()).ok_or(CommandError::NotOffered)
    }

    /// Whether the far end and the platform offer it, as far as is known.
    pub(super) fn is_transferable(&self, endpoint: &Endpoint) -> bool {
        let established = self
            .established()
            .filter(|_| self.info.state == CallState::Active);
        let is_known = established.is_some_and(|it| it.dialog.peer().refer != Some(false));
        is_known && endpoint.config.transfer_support == TransferSupport::Refer
    }

    /// Whether the far end has been sent to somebody else and has not said what became of it.
    pub(crate) fn is_transferring(&self) -> bool {
        self.transfer.is_some()
    }

    /// Whether `target` is whom this call is with.
    pub(crate) fn is_with(&self, target: &UriBuf) -> bool {
        is_same_party(&self.info.remote.uri, target.as_str())
    }

    /// Whether `invite` is from the far end, whom this side has just asked to call somebody (Referred-By, RFC 3892).
    pub(crate) fn has_sent(&self, endpoint: &Endpoint, invite: &Message) -> bool {
        let own = endpoint.config.address_of_record.as_str();
        let sender = invite.addresses(HeaderName::ReferredBy).flatten().next();
        let is_ours = sender.is_some_and(|sender| is_same_party(sender.uri.as_str(), own));
        let caller = identity::caller(invite);
        self.is_transferring()
            && is_ours
            && caller.is_ok_and(|caller| is_same_party(&caller.identity.uri, &self.info.remote.uri))
    }

    /// Asks the far end to call somebody else.
    ///
    /// # Errors
    /// When that is not possible any more; nothing was sent then.
    pub(crate) fn refer(
        &mut self,
        endpoint: &mut Endpoint,
        referral: Referral,
    ) -> Result<(), OperationError> {
        self.may_transfer(endpoint).map_err(CommandError::into_failure)?;
        let (id, contact) = (self.id(), self.contact(endpoint));
        let is_anonymous = self.info.anonymous && self.info.direction == CallDirection::Outgoing;
        let Stage::Established(established) = &mut self.stage else {
            return Err(OperationError::CallEnded);
        };
        let number = established.dialog.next_number();
        let refer = established
            .dialog
            .numbered_request(Method::Refer, number)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::ReferTo, &referral.refer_to)
            .header(HeaderName::Supported, SUPPORTED);
        // RFC 3892 section 2.1: whoever is called learns on whose behalf, unless that one withholds it.
        let own = endpoint.config.address_of_record.as_str();
        let refer = match is_anonymous {
            true => refer,
            false => refer.header(HeaderName::ReferredBy, format_args!("<{own}>")),
        };
        let transaction = endpoint
            .send(Purpose::Refer(id), refer)
            .map_err(|_| OperationError::Disconnected)?;
        self.transfer = Some(Box::new(Transfer {
            operation: Some(referral.operation),
            transaction: Some(transaction),
            subscription: ReferSubscriber::new(endpoint.now, number),
            with: referral.with,
            retrieve: referral.retrieve,
            agreed: false,
            heard: None,
        }));
        self.info.transfer = self.transfer_under_way();
        Ok(())
    }

    /// The REFER was sent again with credentials, and another number.
    pub(crate) fn refer_resent(&mut self, endpoint: &Endpoint, transaction: TransactionId) {
        let request = endpoint.sent_request(transaction);
        let number = request.and_then(|it| it.cseq().ok()).map(|cseq| cseq.number);
        if let Some(transfer) = &mut self.transfer {
            transfer.transaction = Some(transaction);
            if let Some(number) = number {
                transfer.subscription.resent(number);
            }
        }
    }

    /// A response to the REFER.
    pub(crate) fn refer_response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(0);
        let Some(transfer) = self.awaiting(transaction).filter(|_| status >= 200) else {
            return;
        };
        transfer.transaction = None;
        match status {
            200..=299 => {
                transfer.agreed = true;
                transfer.subscription.accepted(endpoint.now);
            }
            // RFC 3261 section 21.4.6 and 21.5.2: nobody there knows REFER.
            405 | 501 => {
                if let Stage::Established(established) = &mut self.stage {
                    established.dialog.peer_refuses_refer();
                }
                self.transfer_failed(endpoint, OperationError::NotOffered);
            }
            _ => {
                let reason = response.reason().unwrap_or_default().to_owned();
                self.transfer_failed(endpoint, OperationError::Refused { status, reason });
            }
        }
    }

    /// The REFER got no answer. If its connection is gone, the far end may have heard it and goes on by itself.
    pub(crate) fn refer_unanswered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        flow_failed: bool,
    ) {
        let Some(transfer) = self.awaiting(transaction) else {
            return;
        };
        transfer.transaction = None;
        if !flow_failed && endpoint.is_connected() {
            self.transfer_failed(endpoint, OperationError::TimedOut);
        }
    }

    /// A NOTIFY inside the call's dialog.
    pub(super) fn notify_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        notify: &Message,
    ) {
        let told = match &mut self.transfer {
            Some(transfer) => {
                let subscription = &mut transfer.subscription;
                let is_owned = subscription.owns(notify);
                is_owned.and_then(|()| subscription.notified(endpoint.now, notify))
            }
            // RFC 6665 section 4.1.3: nobody here subscribes to it.
            None => crate::subscription::event_id(notify).and(Err(481)),
        };
        let response = endpoint.response(notify, told.as_ref().err().copied().unwrap_or(200));
        let response = match told {
            Err(489) => response.header(HeaderName::AllowEvents, "refer"),
            Err(415) => response.header(HeaderName::Accept, crate::sip::SIPFRAG),
            Ok(_) | Err(_) => response,
        };
        endpoint.respond(transaction, response.build());
        match told {
            Ok(Told::Proceeding { status }) => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.agreed = true;
                    transfer.heard = Some(status);
                    self.info.transfer = self.transfer_under_way();
                }
            }
            Ok(Told::Succeeded) => self.transferred(endpoint),
            Ok(Told::Failed { status, reason }) => {
                self.transfer_failed(endpoint, OperationError::TargetFailed { status, reason });
            }
            Ok(Told::Nothing) => self.transfer_failed(endpoint, OperationError::OutcomeUnknown),
            Err(_) => {}
        }
    }

    /// When [`Self::wake_transfer`] has something to do.
    pub(super) fn transfer_deadline(&self) -> Option<Instant> {
        let transfer = self.transfer.as_ref().filter(|it| it.transaction.is_none())?;
        Some(transfer.subscription.deadline())
    }

    /// Nobody has said for too long what became of it.
    pub(super) fn wake_transfer(&mut self, endpoint: &mut Endpoint) {
        if self.transfer_deadline().is_some_and(|at| at <= endpoint.now) {
            self.transfer_failed(endpoint, OperationError::OutcomeUnknown);
        }
    }

    /// `true` if the far end's BYE means that it has gone where it was sent: it had agreed, or this call's place was to be
    /// taken by somebody (RFC 5589 section 6.1, RFC 3891 section 3).
    pub(super) fn is_left_for_transfer(&mut self, endpoint: &mut Endpoint) -> bool {
        let Some(mut transfer) = self.transfer.take_if(|it| it.agreed) else {
            return self.offered_for.is_some() || self.has_gone_on();
        };
        // Whether it has arrived there is not known: if so, the other call ends by itself.
        transfer.with = None;
        self.conclude(endpoint, *transfer, Ok(()));
        true
    }

    /// The call ends before it could be transferred.
    pub(super) fn abort_transfer(&mut self, endpoint: &mut Endpoint) {
        self.consultation = None;
        self.info.transfer = None;
        if let Some(transfer) = self.transfer.take() {
            self.conclude(endpoint, *transfer, Err(OperationError::CallEnded));
        }
    }

    /// The user commands the call's hold: it is not this transfer's any more.
    pub(super) fn hold_is_commanded(&mut self) {
        if let Some(transfer) = &mut self.transfer {
            transfer.retrieve = false;
        }
        if matches!(self.info.transfer, Some(TransferState::Failed { .. })) {
            self.info.transfer = None;
        }
    }

    // --- the other call --------------------------------------------------------------------------------------

    /// Where the far end of `call` is sent that is to take this call's place: where this one is, if that can be reached
    /// from elsewhere or has withheld its number, else at its number (RFC 5589 section 7.3).
    pub(crate) fn as_refer_to(&self) -> Option<String> {
        let Stage::Established(established) = &self.stage else {
            return None;
        };
        let dialog = &established.dialog;
        let is_gruu = dialog.remote_target().as_uri().params().has("gr");
        let target = match dialog.remote_uri() {
            Some(address) if !is_gruu && !identity::is_anonymous(&address.as_uri()) => address,
            Some(_) | None => dialog.remote_target().clone(),
        };
        let replaces = super::replaces::asking_for(&dialog.id());
        (!dialog.remote_tag().is_empty()).then(|| ReferTo::with_replaces(&target, &replaces))
    }

    /// Whom an outgoing call that has not been answered is for.
    pub(crate) fn unanswered_target(&self) -> Option<UriBuf> {
        match &self.stage {
            Stage::Inviting(inviting) => {
                let to = inviting.invite.to().ok()?;
                Some(to.uri.without_headers())
            }
            Stage::Offering(offering) => Some(offering.target().clone()),
            Stage::Alerting(_) | Stage::Established(_) | Stage::Leaving(_) | Stage::Over => None,
        }
    }

    /// Whose far end is to take this call's place.
    pub(crate) fn offered_for(&self) -> Option<CallId> {
        self.offered_for
    }

    pub(crate) fn set_offered_for(&mut self, call: Option<CallId>) {
        self.offered_for = call;
    }

    /// The call whose far end has gone to take another's place, and that other.
    pub(crate) fn take_done_with(&mut self) -> Option<CallId> {
        self.done_with.take()
    }

    /// Somebody has taken this call's place.
    pub(crate) fn leave_transferred(&mut self, endpoint: &mut Endpoint) {
        self.hang_up_because(endpoint, EndCause::Transferred);
    }

    // --- outcomes --------------------------------------------------------------------------------------------

    fn awaiting(&mut self, transaction: TransactionId) -> Option<&mut Transfer> {
        let transfer = self.transfer.as_deref_mut();
        transfer.filter(|it| it.transaction == Some(transaction))
    }

    fn transferred(&mut self, endpoint: &mut Endpoint) {
        if let Some(transfer) = self.transfer.take() {
            self.conclude(endpoint, *transfer, Ok(()));
            self.hang_up_because(endpoint, EndCause::Transferred);
        }
    }

    /// The far end stays; the user is back where it was before.
    fn transfer_failed(&mut self, endpoint: &mut Endpoint, error: OperationError) {
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        let retrieve = transfer.retrieve;
        self.conclude(endpoint, *transfer, Err(error.clone()));
        self.show_failed_transfer(error);
        if retrieve {
            self.returns();
        }
    }

    /// What the user is told of a transfer that has not come about.
    pub(crate) fn show_failed_transfer(&mut self, error: OperationError) {
        if self.info.state != CallState::Active {
            return;
        }
        let under_way = self.transfer_under_way();
        self.info.transfer = under_way.or(Some(TransferState::Failed { error }));
    }

    /// What the user is shown of what is under way.
    pub(super) fn transfer_under_way(&self) -> Option<TransferState> {
        let heard = self.transfer.as_ref().map(|transfer| transfer.heard);
        let referral = heard.map(|heard| match heard {
            Some(sip_status) => TransferState::Proceeding { sip_status },
            None => TransferState::Referring,
        });
        referral.or_else(|| {
            Some(TransferState::Consulting {
                with: self.consultation()?,
            })
        })
    }

    fn conclude(&mut self, endpoint: &mut Endpoint, transfer: Transfer, result: Result<(), OperationError>) {
        self.info.transfer = None;
        if result.is_ok() {
            self.done_with = transfer.with;
            self.consultation = None;
        }
        if let Some(transaction) = transfer.transaction {
            endpoint.abandon(transaction);
        }
        if let Some(operation) = transfer.operation {
            endpoint.finish(operation, result);
        }
    }
}

impl Transfer {
    /// The same after a restart, on a clock with another origin.
    pub(super) fn moved(self, moved: impl Fn(Instant) -> Instant, now: Instant) -> Self {
        Self {
            subscription: self.subscription.moved(moved, now),
            ..self
        }
    }
}
