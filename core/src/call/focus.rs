//! The call with the focus of a conference of the platform (RFC 4579): it is asked with REFER inside the dialog to bring
//! somebody in, to fetch the far end of another call, or to send somebody away, and tells what comes of it (RFC 3515).

use serde::{Deserialize, Serialize};

use super::transfer::refusal;
use super::{Call, CallInfo, CommandError, Endpoint, Message, OperationError, OperationId};
use crate::event::CallDirection;
use crate::id::CallId;
use crate::sip::UriBuf;
use crate::subscription::{ReferSubscriber, Told, event_id};
use crate::time::Instant;
use crate::transaction::TransactionId;

/// Wishes a focus can be asked for at once.
const MAX_REQUESTS: usize = 16;

/// What the focus has been asked for, until it has said what has become of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FocusRequest {
    /// The command behind it.
    #[serde(skip)]
    operation: Option<OperationId>,
    /// The REFER that has not been answered.
    #[serde(skip)]
    transaction: Option<TransactionId>,
    subscription: ReferSubscriber,
    /// The call whose place the focus is to take.
    with: Option<CallId>,
    /// Of the dialog: the only one that notifications may be about without saying so (RFC 3515 section 2.4.6).
    is_first: bool,
}

impl FocusRequest {
    /// The REFER, and the subscription it makes.
    pub(super) fn refer(&mut self) -> (&mut Option<TransactionId>, &mut ReferSubscriber) {
        (&mut self.transaction, &mut self.subscription)
    }

    fn deadline(&self) -> Option<Instant> {
        let is_answered = self.transaction.is_none();
        is_answered.then(|| self.subscription.deadline())
    }

    /// The same after a restart, on a clock with another origin.
    pub(super) fn moved(self, moved: impl Fn(Instant) -> Instant, now: Instant) -> Self {
        Self {
            subscription: self.subscription.moved(moved, now),
            ..self
        }
    }
}

impl Call {
    /// Starts a call to the factory of conferences (section 5.4), into which the far end of `first` is to move.
    pub(crate) fn convened(endpoint: &mut Endpoint, id: CallId, factory: UriBuf, first: &CallInfo) -> Self {
        let mut call = Self::to(endpoint, id, &factory, None);
        call.info.focus = true;
        call.begin_after(endpoint, first, factory);
        call
    }

    /// Whether this user has had the conference made.
    pub(crate) fn is_convened(&self) -> bool {
        let info = &self.info;
        let is_own = info.direction == CallDirection::Outgoing && info.transferred_by.is_none();
        info.focus && info.succeeds.is_some() && is_own
    }

    /// Whether the far end is the focus of a conference, and answered.
    pub(crate) fn is_in_conference(&self) -> bool {
        let established = self.established().filter(|_| self.is_answered());
        established.is_some_and(|it| it.dialog.peer().focus)
    }

    /// The URI of the conference.
    pub(crate) fn conference_uri(&self) -> Option<&UriBuf> {
        self.established().map(|it| it.dialog.remote_target())
    }

    /// Whether the focus is about to take the place of the call `other`.
    pub(crate) fn is_fetching(&self, other: CallId) -> bool {
        self.fetched().any(|call| call == other)
    }

    /// The calls whose places the focus is about to take.
    pub(crate) fn fetched(&self) -> impl Iterator<Item = CallId> {
        self.focus_requests.iter().filter_map(|request| request.with)
    }

    /// Asks the focus for something; `with` is the call whose place it is to take for that.
    ///
    /// # Errors
    /// [`CommandError::WrongState`] while too much waits, [`CommandError::NotConnected`].
    pub(crate) fn ask_focus(
        &mut self,
        endpoint: &mut Endpoint,
        operation: Option<OperationId>,
        refer_to: &str,
        with: Option<CallId>,
    ) -> Result<(), CommandError> {
        if self.focus_requests.len() >= MAX_REQUESTS {
            return Err(CommandError::WrongState);
        }
        let refer = self.send_refer(endpoint, refer_to);
        let (transaction, number) = refer.map_err(|_| CommandError::NotConnected)?;
        self.focus_requests.push(FocusRequest {
            operation,
            transaction: Some(transaction),
            subscription: ReferSubscriber::new(endpoint.now, number),
            with,
            is_first: !std::mem::replace(&mut self.has_asked_focus, true),
        });
        Ok(())
    }

    // --- what comes of it ------------------------------------------------------------------------------------

    fn position(&self, transaction: TransactionId) -> Option<usize> {
        let mut requests = self.focus_requests.iter();
        requests.position(|it| it.transaction == Some(transaction))
    }

    pub(super) fn awaiting_focus(&mut self, transaction: TransactionId) -> Option<&mut FocusRequest> {
        let at = self.position(transaction)?;
        self.focus_requests.get_mut(at)
    }

    /// A final response to the REFER.
    pub(super) fn focus_answered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let Some(at) = self.position(transaction) else {
            return;
        };
        match self.focus_requests.get_mut(at) {
            Some(request) if matches!(response.status(), Some(200..=299)) => {
                request.transaction = None;
                request.subscription.accepted(endpoint.now);
            }
            Some(_) | None => self.end_focus_request(endpoint, at, Err(refusal(response))),
        }
    }

    /// The REFER got no answer; `is_silent` unless its connection is to blame, and the focus may have heard it.
    pub(super) fn focus_unanswered(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        is_silent: bool,
    ) {
        let Some(at) = self.position(transaction) else {
            return;
        };
        if is_silent {
            self.end_focus_request(endpoint, at, Err(OperationError::TimedOut));
        } else if let Some(request) = self.focus_requests.get_mut(at) {
            request.transaction = None;
        }
    }

    /// The request that a NOTIFY is about.
    pub(super) fn focus_request_of(&self, notify: &Message) -> Option<usize> {
        let says_which = event_id(notify).ok()?.is_some();
        // Mistaken for another, one about a call that has moved would end one that has not.
        let may_be_meant = |it: &FocusRequest| says_which || it.is_first || it.with.is_none();
        let mut requests = self.focus_requests.iter();
        requests.position(|it| may_be_meant(it) && it.subscription.owns(notify).is_ok())
    }

    /// What a NOTIFY about a request says.
    pub(super) fn focus_told(&mut self, endpoint: &mut Endpoint, at: usize, told: Result<Told, u16>) {
        let result = match told {
            Ok(Told::Proceeding { .. }) | Err(_) => return,
            Ok(Told::Succeeded) => Ok(()),
            Ok(Told::Failed { status, reason }) => Err(OperationError::TargetFailed { status, reason }),
            Ok(Told::Nothing) => Err(OperationError::OutcomeUnknown),
        };
        self.end_focus_request(endpoint, at, result);
    }

    pub(super) fn focus_deadlines(&self) -> impl Iterator<Item = Instant> {
        self.focus_requests.iter().filter_map(FocusRequest::deadline)
    }

    /// Nobody has said for too long what became of a request.
    pub(super) fn wake_focus_requests(&mut self, endpoint: &mut Endpoint) {
        let now = endpoint.now;
        let is_due = |it: &FocusRequest| it.deadline().is_some_and(|at| at <= now);
        while let Some(at) = self.focus_requests.iter().position(is_due) {
            self.end_focus_request(endpoint, at, Err(OperationError::OutcomeUnknown));
        }
    }

    /// The call ends: nothing is told any more.
    pub(super) fn abort_focus_requests(&mut self, endpoint: &mut Endpoint) {
        while !self.focus_requests.is_empty() {
            self.end_focus_request(endpoint, 0, Err(OperationError::CallEnded));
        }
    }

    fn end_focus_request(&mut self, endpoint: &mut Endpoint, at: usize, result: Result<(), OperationError>) {
        let request = self.focus_requests.remove(at);
        if let Some(transaction) = request.transaction {
            endpoint.abandon(transaction);
        }
        if result.is_ok() {
            self.done_with = request.with;
        }
        if let Some(operation) = request.operation {
            endpoint.finish(operation, result);
        }
    }
}
