//! Transferring a call (RFC 3515, RFC 5589), the side that is sent on: the far end wants this one to call somebody else. The
//! user or the policy decides; the far end is told how that other call stands.
//!
//! ```text
//!        REFER                  consent               placed                   answered, refused
//! none --------> Asking ----------------> Consented ---------> Calling ------------------------> Concluded
//!                  | declined, nobody decides                                                        ^
//!                  +---------------------------------------------------------------------------------+
//! ```
//! When the other call has come about, the far end leaves this one, or it is left after a while; else it goes on.

use serde::{Deserialize, Serialize};

use super::errand::{Errand, Refusal};
use super::{
    Call, CallId, CallState, CommandError, EndCause, Endpoint, HeaderName, MediaAction, Message,
    OperationError, OperationId, Stage, identity,
};
use crate::cut;
use crate::dialog::Dialog;
use crate::endpoint::Purpose;
use crate::event::{CallInfo, Event, Identity, TransferRequest};
use crate::id::DialogId;
use crate::sip::{Method, Params};
use crate::subscription::{ReferNotifier, event_id};
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// How long the user has to decide.
const CONSENT_TIME: Duration = Duration::from_secs(60);
/// How long the far end, once told that it is not needed any more, has to leave by itself.
const LEAVING_TIME: Duration = Duration::from_secs(4);

/// The far end wants this side to call somebody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Referee {
    notifier: ReferNotifier,
    /// The dialog of the REFER, if that is not the call's.
    dialog: Option<Dialog>,
    errand: Errand,
    phase: Phase,
    /// The NOTIFY that has not been answered.
    #[serde(skip)]
    notify: Option<TransactionId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    /// The user decides.
    Asking { until: Instant },
    /// The call is to be made.
    Consented {
        #[serde(skip)]
        operation: Option<OperationId>,
    },
    /// It is on its way.
    Calling { call: CallId, status: u16 },
    /// It has come about, or not.
    Concluded { status: u16, leave_at: Instant },
}

impl Phase {
    /// What the far end is to know.
    fn status(&self) -> u16 {
        match self {
            Self::Asking { .. } | Self::Consented { .. } => 100,
            Self::Calling { status, .. } | Self::Concluded { status, .. } => *status,
        }
    }
}

impl Call {
    /// A REFER, in the call's dialog or, with `dialog`, in one of its own that names the call's (RFC 4538).
    pub(crate) fn refer_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        refer: &Message,
        dialog: Option<Dialog>,
    ) {
        let errand = match self.errand(endpoint, refer) {
            Ok(errand) => errand,
            Err(Refusal::Later) => return endpoint.put_off(transaction, refer),
            Err(Refusal::Status(status)) => return endpoint.reject(transaction, refer, status),
        };
        let notifier = ReferNotifier::new(refer);
        let local_tag = dialog.as_ref().map(|dialog| dialog.local_tag().to_owned());
        let accepted = super::incoming::response(endpoint, refer, 202, &local_tag.unwrap_or_default())
            .header(HeaderName::Contact, self.contact(endpoint));
        let accepted = match notifier.is_wanted() {
            true => accepted,
            // RFC 4488 section 4.
            false => accepted.header(HeaderName::ReferSub, "false"),
        };
        endpoint.respond(transaction, accepted.build());
        let phase = if self.follows(endpoint, &errand) {
            Phase::Consented { operation: None }
        } else {
            self.ask_user(endpoint, &errand);
            Phase::Asking {
                until: endpoint.now + CONSENT_TIME,
            }
        };
        self.referee = Some(Box::new(Referee {
            notifier,
            dialog,
            errand,
            phase,
            notify: None,
        }));
    }

    /// Whether the other side's Target-Dialog names this call (RFC 4538 section 3: the tags are from its view).
    pub(crate) fn is_target_dialog(&self, value: &str) -> bool {
        let (call_id, params) = cut::before(value, b';');
        let Some(params) = Params::after_value(params) else {
            return false;
        };
        let tag = |name| params.value(name).unwrap_or_default().to_owned();
        let named = DialogId {
            call_id: call_id.trim().to_owned(),
            local_tag: tag("remote-tag"),
            remote_tag: tag("local-tag"),
        };
        self.established()
            .is_some_and(|established| established.dialog.id() == named)
    }

    /// The user agrees. Done when the other call is on its way.
    pub(crate) fn accept_transfer(&mut self, endpoint: &mut Endpoint) -> Result<OperationId, CommandError> {
        let referee = self.asking()?;
        let operation = endpoint.new_operation();
        referee.phase = Phase::Consented {
            operation: Some(operation),
        };
        self.info.transfer_request = None;
        Ok(operation)
    }

    /// The user does not want to.
    pub(crate) fn decline_transfer(&mut self, endpoint: &mut Endpoint) -> Result<OperationId, CommandError> {
        self.asking()?;
        self.conclude_errand(endpoint, 603);
        let operation = endpoint.new_operation();
        endpoint.finish(operation, Ok(()));
        Ok(operation)
    }

    /// What this side has agreed to do and not begun.
    pub(crate) fn open_errand(&self) -> Option<Errand> {
        let referee = self.referee.as_ref()?;
        matches!(referee.phase, Phase::Consented { .. }).then(|| referee.errand.clone())
    }

    /// The call that was asked for is on its way.
    pub(crate) fn errand_begun(&mut self, endpoint: &mut Endpoint, call: CallId) {
        let Some(referee) = &mut self.referee else { return };
        let begun = Phase::Calling { call, status: 100 };
        if let Phase::Consented {
            operation: Some(operation),
        } = std::mem::replace(&mut referee.phase, begun)
        {
            endpoint.finish(operation, Ok(()));
        }
    }

    /// The call that is being made for the far end.
    pub(crate) fn errand_call(&self) -> Option<CallId> {
        match self.referee.as_ref()?.phase {
            Phase::Calling { call, .. } => Some(call),
            Phase::Asking { .. } | Phase::Consented { .. } | Phase::Concluded { .. } => None,
        }
    }

    /// How the call stands that is being made for the far end; `None` if there is none any more. Whether that is news.
    pub(crate) fn errand_stands(&mut self, endpoint: &mut Endpoint, info: Option<&CallInfo>) -> bool {
        let Some(now) = info.map_or(Some(480), status_of) else {
            return false;
        };
        if now >= 200 {
            self.conclude_errand(endpoint, now);
            return true;
        }
        let phase = self.referee.as_mut().map(|it| &mut it.phase);
        let Some(Phase::Calling { status, .. }) = phase else {
            return false;
        };
        std::mem::replace(status, now) != now
    }

    /// It is known what became of it.
    pub(crate) fn conclude_errand(&mut self, endpoint: &mut Endpoint, status: u16) {
        self.info.transfer_request = None;
        let Some(referee) = &mut self.referee else { return };
        let concluded = Phase::Concluded {
            status,
            leave_at: endpoint.now + LEAVING_TIME,
        };
        if let Phase::Consented {
            operation: Some(operation),
        } = std::mem::replace(&mut referee.phase, concluded)
        {
            let reason = crate::sip::reason_phrase(status).to_owned();
            endpoint.finish(operation, Err(OperationError::Refused { status, reason }));
        }
        if status < 300 && self.session_open && !self.info.muted {
            // The user speaks with somebody else now.
            let request = MediaAction::SetMuted { muted: true };
            self.request_media(endpoint, request);
        }
    }

    /// Tells the far end what it does not know yet.
    pub(super) fn advance_referee(&mut self, endpoint: &mut Endpoint) {
        let (id, contact) = (self.id(), self.contact(endpoint));
        let (Some(referee), Stage::Established(established)) = (&mut self.referee, &mut self.stage) else {
            return;
        };
        let status = referee.phase.status();
        if referee.notifier.owes(status) && referee.notify.is_none() && endpoint.is_connected() {
            let dialog = referee.dialog.as_mut().unwrap_or(&mut established.dialog);
            let notify = dialog
                .request(Method::Notify)
                .header(HeaderName::Contact, contact);
            let is_pending = matches!(referee.phase, Phase::Asking { .. });
            let notify = referee.notifier.notify(notify, status, is_pending);
            referee.notify = endpoint.send(Purpose::Notify(id), notify).ok();
        }
        let is_failure = matches!(referee.phase, Phase::Concluded { status: 300.., .. });
        if is_failure && !referee.notifier.owes(status) && referee.notify.is_none() {
            self.referee = None;
        }
    }

    /// A NOTIFY was answered with `status`, or not at all.
    pub(crate) fn notify_done(&mut self, transaction: TransactionId, status: Option<u16>, flow_failed: bool) {
        let Some(referee) = self.referee.as_deref_mut() else {
            return;
        };
        if referee.notify != Some(transaction) || matches!(status, Some(100..=199)) {
            return;
        }
        referee.notify = None;
        match status {
            Some(200..=299) => {}
            None if flow_failed => referee.notifier.forget_told(),
            // RFC 6665 section 4.2.2: it does not want to know.
            Some(_) | None => referee.notifier.give_up(),
        }
    }

    /// The NOTIFY was sent again with credentials.
    pub(crate) fn notify_resent(&mut self, transaction: TransactionId) {
        if let Some(referee) = &mut self.referee {
            referee.notify = Some(transaction);
        }
    }

    /// The number of a NOTIFY that is sent again.
    pub(crate) fn next_notify_number(&mut self) -> Option<u32> {
        let own = self.referee.as_mut().and_then(|it| it.dialog.as_mut());
        match (own, &mut self.stage) {
            (Some(dialog), _) => Some(dialog.next_number()),
            (None, Stage::Established(established)) => Some(established.dialog.next_number()),
            (None, _) => None,
        }
    }

    /// SUBSCRIBE inside the dialog: the far end asks again for what it is told, or wants to hear no more of it
    /// (RFC 3515 section 2.4.4).
    pub(super) fn subscribe_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        subscribe: &Message,
    ) {
        let id = match event_id(subscribe) {
            Ok(id) => id,
            Err(status) => {
                let refusal = endpoint.response(subscribe, status);
                let refusal = refusal.header(HeaderName::AllowEvents, "refer");
                return endpoint.respond(transaction, refusal.build());
            }
        };
        let contact = self.contact(endpoint);
        let referee = self.referee.as_deref_mut();
        let Some(referee) = referee.filter(|it| it.notifier.has(id)) else {
            return endpoint.reject(transaction, subscribe, 481);
        };
        let wanted = subscribe.expires().ok().flatten().unwrap_or(60).min(240);
        let ok = endpoint
            .response(subscribe, 200)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Expires, wanted);
        endpoint.respond(transaction, ok.build());
        if wanted == 0 {
            referee.notifier.take_leave();
        } else {
            referee.notifier.forget_told();
        }
    }

    /// When [`Self::wake_referee`] has something to do.
    pub(super) fn referee_deadline(&self) -> Option<Instant> {
        match self.referee.as_ref()?.phase {
            Phase::Asking { until } => Some(until),
            Phase::Concluded { leave_at, .. } => Some(leave_at),
            Phase::Consented { .. } | Phase::Calling { .. } => None,
        }
    }

    pub(super) fn wake_referee(&mut self, endpoint: &mut Endpoint) {
        if self.referee_deadline().is_none_or(|at| at > endpoint.now) {
            return;
        }
        match self.referee.as_ref().map(|it| &it.phase) {
            Some(Phase::Asking { .. }) => self.conclude_errand(endpoint, 480),
            Some(Phase::Concluded { status: ..300, .. }) => {
                self.referee = None;
                self.hang_up_because(endpoint, EndCause::Transferred);
            }
            // The far end cannot be told, and will find out.
            Some(Phase::Concluded { .. }) => self.referee = None,
            Some(Phase::Consented { .. } | Phase::Calling { .. }) | None => {}
        }
    }

    /// Whether the user has gone where the far end wanted.
    pub(super) fn has_gone_on(&self) -> bool {
        let phase = self.referee.as_ref().map(|it| &it.phase);
        matches!(
            phase,
            Some(Phase::Calling { .. } | Phase::Concluded { status: ..300, .. })
        )
    }

    /// The call ends: nobody waits for what it asked for any more. What has begun goes on.
    pub(super) fn abort_errand(&mut self, endpoint: &mut Endpoint) {
        self.info.transfer_request = None;
        if let Some(Phase::Consented {
            operation: Some(operation),
        }) = self.referee.take().map(|it| it.phase)
        {
            endpoint.finish(operation, Err(OperationError::CallEnded));
        }
    }

    fn asking(&mut self) -> Result<&mut Referee, CommandError> {
        let referee = self.referee.as_deref_mut();
        let asking = referee.filter(|it| matches!(it.phase, Phase::Asking { .. }));
        asking.ok_or(CommandError::WrongState)
    }

    fn ask_user(&mut self, endpoint: &mut Endpoint, errand: &Errand) {
        let target = errand.target.as_uri();
        let request = TransferRequest {
            target: Identity {
                display_name: identity::bounded(&errand.display_name),
                user: identity::bounded(&target.user_decoded()),
                uri: identity::bounded(target.as_str()),
            },
            referred_by: self.info.remote.clone(),
            attended: errand.replaces.is_some(),
        };
        self.info.transfer_request = Some(request.clone());
        endpoint.emit(Event::TransferRequested {
            call: self.id(),
            request: Box::new(request),
        });
    }
}

impl Referee {
    /// The same after a restart. The call that was on its way is not there any more unless it had been answered.
    pub(super) fn moved(mut self, unseen_requests: u32, now: Instant) -> Self {
        if let Some(dialog) = &mut self.dialog {
            dialog.skip_numbers(unseen_requests);
        }
        match &mut self.phase {
            Phase::Asking { until } => *until = now + CONSENT_TIME,
            Phase::Concluded { leave_at, .. } => *leave_at = now + LEAVING_TIME,
            Phase::Consented { .. } | Phase::Calling { .. } => {}
        }
        self
    }
}

/// How a call stands, as its far end would be told; nothing while it is about to end and has not.
fn status_of(info: &CallInfo) -> Option<u16> {
    if info.answered_at.is_some() {
        return Some(200);
    }
    match info.state {
        CallState::Ringing => Some(180),
        CallState::Ended => {
            let end = info.end.as_ref()?;
            Some(end.sip_status.filter(|status| *status >= 300).unwrap_or(480))
        }
        CallState::Ending => None,
        CallState::Preparing
        | CallState::Calling
        | CallState::Incoming
        | CallState::Answering
        | CallState::Active => Some(100),
    }
}
