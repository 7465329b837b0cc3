//! The callee's side until the answer (RFC 3261 section 13.3): ringing, answering, declining, being cancelled.

use super::reason::Heard;
use super::{
    Call, CallDirection, CallState, CommandError, Dialog, Direction, EndCause, Endpoint, HeaderName,
    MediaAction, MediaError, MediaErrorKind, MediaOutcome, MediaRequestId, Message, OperationError,
    OperationId, RejectReason, Stage, session_description,
};
use super::{answer_mode, diversion, identity};
use crate::endpoint::{ALLOW, RECV_INFO, SUPPORTED};
use crate::id::CallId;
use crate::sip::HeaderError;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// A caller who has vanished unnoticed (a machine that slept is handed an INVITE of long ago) rings no longer than this.
/// A proxy gives up after a little more than three minutes (RFC 3261 section 16.6, timer C).
const LONGEST_RINGING: Duration = Duration::from_secs(300);

/// Not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Alerting {
    pub(super) transaction: TransactionId,
    pub(super) dialog: Dialog,
    pub(super) invite: Message,
    /// When the caller's own limit is over (RFC 3261 section 13.3.1: Expires), or ours.
    expires_at: Instant,
    making: Option<Making>,
}

/// The user has answered; the description is being made.
#[derive(Clone, Copy, Debug)]
struct Making {
    request: MediaRequestId,
    operation: OperationId,
}

impl Alerting {
    pub(super) fn is_making(&self, request: MediaRequestId) -> bool {
        self.making.is_some_and(|making| making.request == request)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.expires_at)
    }
}

impl Call {
    /// A call comes in: it rings here, and the caller is told so.
    ///
    /// # Errors
    /// When the INVITE lacks what a dialog needs; it has not been answered then.
    pub(crate) fn incoming(
        endpoint: &mut Endpoint,
        id: CallId,
        transaction: TransactionId,
        invite: Message,
    ) -> Result<Self, HeaderError> {
        let caller = identity::caller(&invite)?;
        let diverted_by = diversion::diversions(&invite);
        let follows_alert = endpoint.config.follow_alert_info;
        let referrer = identity::referrer(endpoint, &invite);
        let alert = follows_alert.then(|| answer_mode::alert(&invite)).flatten();
        let local_tag = endpoint.rng.token(6);
        let dialog = Dialog::from_request(&invite, &local_tag)?;
        let expires = invite.expires().ok().flatten().map(u64::from);
        let rings = expires
            .map_or(LONGEST_RINGING, Duration::from_secs)
            .min(LONGEST_RINGING);
        let alerting = Alerting {
            transaction,
            dialog,
            invite,
            expires_at: endpoint.now + rings,
            making: None,
        };
        let stage = Stage::Alerting(Box::new(alerting));
        let mut call = Self::new(endpoint, id, CallDirection::Incoming, caller.identity, stage);
        call.info.anonymous = caller.anonymous;
        call.info.diverted_by = diverted_by;
        call.info.transferred_by = referrer;
        call.info.alert = alert;
        call.ring(endpoint);
        Ok(call)
    }

    /// Whether `invite` is one this call has been made from already, along another path (section 8.2.2.2).
    pub(crate) fn is_merged_with(&self, invite: &Message) -> bool {
        let is_made = self.info.direction == CallDirection::Incoming
            && self.dialog().is_some_and(|dialog| dialog.is_made_by(invite));
        is_made || self.is_succeeded_by(invite)
    }

    /// The user answers: the description is made first, then the 200 goes out.
    pub(crate) fn answer(&mut self, endpoint: &mut Endpoint) -> Result<OperationId, CommandError> {
        let Stage::Alerting(alerting) = &self.stage else {
            return Err(CommandError::WrongState);
        };
        if alerting.making.is_some() {
            return Err(CommandError::WrongState);
        }
        let action = match session_description(&alerting.invite) {
            Some(offer) => MediaAction::CreateAnswer {
                offer: offer.to_owned(),
                direction: Direction::SendRecv,
            },
            // No offer in the INVITE: ours goes into the 200 (section 13.2.1).
            None => MediaAction::CreateOffer {
                direction: Direction::SendRecv,
                ice_restart: false,
            },
        };
        let request = self.request_media(endpoint, action);
        let operation = endpoint.new_operation();
        if let Stage::Alerting(alerting) = &mut self.stage {
            alerting.making = Some(Making { request, operation });
        }
        self.info.state = CallState::Answering;
        Ok(operation)
    }

    /// The user declines.
    pub(crate) fn reject(
        &mut self,
        endpoint: &mut Endpoint,
        reason: RejectReason,
    ) -> Result<OperationId, CommandError> {
        if !matches!(self.stage, Stage::Alerting(_)) {
            return Err(CommandError::WrongState);
        }
        let status = reason.status();
        self.respond_final(endpoint, status);
        self.end_with(endpoint, EndCause::Declined, Some(status), "");
        let operation = endpoint.new_operation();
        endpoint.finish(operation, Ok(()));
        Ok(operation)
    }

    /// The description for the 200 is there, or is not to be had.
    pub(super) fn answer_made(&mut self, endpoint: &mut Endpoint, result: Result<MediaOutcome, MediaError>) {
        let Stage::Alerting(alerting) = &self.stage else {
            return;
        };
        let Some(making) = alerting.making else { return };
        let sdp = match result {
            Ok(MediaOutcome::Description { sdp }) => sdp,
            Ok(MediaOutcome::Done) => String::new(),
            Err(error) => return self.answer_failed(endpoint, making.operation, error),
        };
        let Alerting {
            transaction,
            dialog,
            invite,
            ..
        } = (**alerting).clone();
        let contact = self.contact(endpoint);
        let answer = response(endpoint, &invite, 200, dialog.local_tag())
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::RecvInfo, RECV_INFO)
            .body("application/sdp", sdp.as_bytes());
        let answer = self
            .session_timer
            .grant(endpoint.now, &endpoint.config, &invite, answer)
            .build();
        endpoint.respond(transaction, answer.clone());
        self.stop_ringing();
        self.establish(dialog);
        if let Stage::Established(established) = &mut self.stage {
            established.answer_sent(endpoint.now, transaction, answer);
            established.answer_operation = Some(making.operation);
        }
        match session_description(&invite) {
            Some(offer) => {
                self.remote_description(offer);
                self.note_remote_hold(false);
            }
            None => self.await_first_answer_in_ack(),
        }
    }

    /// A CANCEL for this call (section 9.2). One that comes after the answer has no effect.
    pub(crate) fn cancelled(&mut self, endpoint: &mut Endpoint, cancel: &Message) {
        if !matches!(self.stage, Stage::Alerting(_)) {
            return;
        }
        self.respond_final(endpoint, 487);
        let heard = Heard::read(cancel);
        self.end_with(endpoint, heard.why_unanswered(), Some(487), "");
        self.note_reason(&heard);
    }

    /// The caller's own time limit is over (section 13.3.1).
    pub(super) fn wake_incoming(&mut self, endpoint: &mut Endpoint) {
        self.repeat_ringing(endpoint);
        let Stage::Alerting(alerting) = &self.stage else {
            return;
        };
        if alerting.expires_at <= endpoint.now {
            self.respond_final(endpoint, 487);
            self.end_with(endpoint, EndCause::Missed, Some(487), "");
        }
    }

    /// Ends the INVITE with a failure.
    pub(super) fn respond_final(&mut self, endpoint: &mut Endpoint, status: u16) {
        let Stage::Alerting(alerting) = &self.stage else {
            return;
        };
        let response = response(endpoint, &alerting.invite, status, alerting.dialog.local_tag()).build();
        endpoint.respond(alerting.transaction, response);
        self.stop_ringing();
    }

    fn answer_failed(&mut self, endpoint: &mut Endpoint, operation: OperationId, error: MediaError) {
        let (status, cause) = match error.kind {
            MediaErrorKind::DescriptionRejected => (488, EndCause::NotAcceptable),
            MediaErrorKind::PermissionDenied
            | MediaErrorKind::NoDevice
            | MediaErrorKind::DeviceFailed
            | MediaErrorKind::Unavailable
            | MediaErrorKind::Failed => (480, EndCause::MediaFailed),
        };
        self.info.microphone_problem = super::outgoing::microphone_problem(&error);
        self.respond_final(endpoint, status);
        let detail = error.detail.clone();
        if let Stage::Alerting(alerting) = &mut self.stage {
            alerting.making = None;
        }
        endpoint.finish(operation, Err(OperationError::Media(error)));
        self.end_with(endpoint, cause, Some(status), &detail);
    }

    /// The operation of an answer that is still being made, when the call ends before.
    pub(super) fn take_answer_operation(&mut self) -> Option<OperationId> {
        match &mut self.stage {
            Stage::Alerting(alerting) => alerting.making.take().map(|making| making.operation),
            Stage::Established(established) => established.answer_operation.take(),
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Leaving(_) | Stage::Over => None,
        }
    }
}

/// A response that establishes or ends the dialog of an INVITE.
pub(super) fn response(
    endpoint: &Endpoint,
    invite: &Message,
    status: u16,
    local_tag: &str,
) -> crate::sip::ResponseBuilder {
    let response = endpoint.response(invite, status).to_tag(local_tag);
    match status {
        // Section 12.1.1: responses that make a dialog carry the route and where this side is.
        101..=199 => response
            .record_routes_from(invite)
            .header(HeaderName::Contact, endpoint.contact()),
        200..=299 => response.record_routes_from(invite),
        _ => response,
    }
}
