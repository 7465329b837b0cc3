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

/// The far end of another call, or the focus it leads to, is to take a call's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    call: CallId,
    /// What that means for the call whose place it is.
    cause: EndCause,
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
        // A focus that is asked to call somebody brings them in instead of going there (RFC 4579 section 5.5).
        let is_somebody = established.is_some_and(|it| !it.dialog.peer().focus);
        is_known && is_somebody && endpoint.config.transfer_support == TransferSupport::Refer
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
        let (transaction, number) = self.send_refer(endpoint, &referral.refer_to)?;
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

    /// Sends a REFER inside the dialog: its transaction and its number.
    pub(super) fn send_refer(
        &mut self,
        endpoint: &mut Endpoint,
        refer_to: &str,
    ) -> Result<(TransactionId, u32), OperationError> {
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
            .header(HeaderName::ReferTo, refer_to)
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
        Ok((transaction, number))
    }

    /// The REFER was sent again with credentials, and another number.
    pub(crate) fn refer_resent(&mut self, endpoint: &Endpoint, old: TransactionId, new: TransactionId) {
        let request = endpoint.sent_request(new);
        let number = request.and_then(|it| it.cseq().ok()).map(|cseq| cseq.number);
        let (transaction, subscription) = match self.awaiting_focus(old) {
            Some(request) => request.refer(),
            None => match &mut self.transfer {
                Some(transfer) => (&mut transfer.transaction, &mut transfer.subscription),
                None => return,
            },
        };
        *transaction = Some(new);
        if let Some(number) = number {
            subscription.resent(number);
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
        if status < 200 {
            return;
        }
        let Some(transfer) = self.awaiting(transaction) else {
            return self.focus_answered(endpoint, transaction, response);
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
            _ => self.transfer_failed(endpoint, refusal(response)),
        }
    }

    /// The REFER got no answer. If its connection is gone, the far end may have heard it and goes on by itself.
    pub(crate) fn refer_unanswered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        flow_failed: bool,
    ) {
        let is_silent = !flow_failed && endpoint.is_connected();
        let Some(transfer) = self.awaiting(transaction) else {
            return self.focus_unanswered(endpoint, transaction, is_silent);
        };
        transfer.transaction = None;
        if is_silent {
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
        let at = self.focus_request_of(notify);
        let request = at.and_then(|at| self.focus_requests.get_mut(at));
        let transfer = self.transfer.as_deref_mut();
        let transfer = transfer.map(|transfer| &mut transfer.subscription);
        let told = match request.map(|request| request.refer().1).or(transfer) {
            Some(subscription) => {
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
        if let Some(at) = at {
            return self.focus_told(endpoint, at, told);
        }
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
        let transfer = self.transfer.as_ref().filter(|it| it.transaction.is_none());
        let transfer = transfer.map(|transfer| transfer.subscription.deadline());
        transfer.into_iter().chain(self.focus_deadlines()).min()
    }

    /// Nobody has said for too long what became of it.
    pub(super) fn wake_transfer(&mut self, endpoint: &mut Endpoint) {
        let now = endpoint.now;
        let is_due = |it: &Transfer| it.transaction.is_none() && it.subscription.deadline() <= now;
        self.wake_focus_requests(endpoint);
        if self.transfer.as_deref().is_some_and(is_due) {
            self.transfer_failed(endpoint, OperationError::OutcomeUnknown);
        }
    }

    /// What the far end's BYE means if it has gone where it was sent: it had agreed, or this call's place was to be taken by
    /// somebody (RFC 5589 section 6.1, RFC 3891 section 3).
    pub(super) fn left_for_another(&mut self, endpoint: &mut Endpoint) -> Option<EndCause> {
        let Some(mut transfer) = self.transfer.take_if(|it| it.agreed) else {
            return self
                .offered_cause()
                .or(self.has_gone_on().then_some(EndCause::Transferred));
        };
        // Whether it has arrived there is not known: if so, the other call ends by itself.
        transfer.with = None;
        self.conclude(endpoint, *transfer, Ok(()));
        Some(EndCause::Transferred)
    }

    /// The call ends before it could be transferred.
    pub(super) fn abort_transfer(&mut self, endpoint: &mut Endpoint) {
        self.consultation = None;
        self.info.transfer = None;
        self.abort_focus_requests(endpoint);
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
        self.offered_for.map(|offered| offered.call)
    }

    /// What it means for this call if somebody takes its place, if somebody is to.
    pub(super) fn offered_cause(&self) -> Option<EndCause> {
        self.offered_for.map(|offered| offered.cause)
    }

    /// The far end of `call` is sent to take this call's place, which ends this one for `cause`.
    pub(crate) fn offer_for(&mut self, call: CallId, cause: EndCause) {
        self.offered_for = Some(Offered { call, cause });
    }

    /// Nobody is to take its place any more.
    pub(crate) fn stays(&mut self) {
        self.offered_for = None;
    }

    /// The call whose far end has gone to take another's place, and that other.
    pub(crate) fn take_done_with(&mut self) -> Option<CallId> {
        self.done_with.take()
    }

    /// Somebody has taken this call's place.
    pub(crate) fn leave_transferred(&mut self, endpoint: &mut Endpoint) {
        let cause = self.offered_cause().unwrap_or(EndCause::Transferred);
        self.hang_up_because(endpoint, cause);
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

/// What a final response says that refuses a request.
pub(super) fn refusal(response: &Message) -> OperationError {
    OperationError::Refused {
        status: response.status().unwrap_or(0),
        reason: response.reason().unwrap_or_default().to_owned(),
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
