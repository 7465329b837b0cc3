//! The caller's side until the answer (RFC 3261 section 13.2): offer, INVITE, answer, CANCEL, late forks.

use super::early_media::EarlyAnswer;
use super::established::number;
use super::forks::Forks;
use super::negotiation::Owed;
use super::reason::{self, COMPLETED_ELSEWHERE, Heard};
use super::redirect::Redirection;
use super::{
    Call, CallDirection, CallInfo, CallOptions, CallState, Dialog, Direction, EndCause, Endpoint, Errand,
    HeaderName, Identity, MediaAction, MediaError, MediaErrorKind, MediaOutcome, MediaRequestId, Message,
    Stage, asserted_identity, identity, session_description,
};
use crate::endpoint::{ALLOW, Purpose, RECV_INFO, Release, SUPPORTED};
use crate::event::Event;
use crate::id::CallId;
use crate::sip::{Method, RequestBuilder, UriBuf};
use crate::time::Instant;
use crate::transaction::{TRANSACTION_TIMEOUT, TransactionId};

/// More requests than are sent in an early dialog (PRACK, and again with credentials). A fork that is released may have
/// been forgotten, so their numbers are skipped.
const EARLY_REQUESTS: u32 = 1_000;

/// The offer is being made.
#[derive(Clone, Debug)]
pub(super) struct Offering {
    pub(super) request: MediaRequestId,
    target: UriBuf,
}

/// INVITE is out.
#[derive(Clone, Debug)]
pub(super) struct Inviting {
    transaction: TransactionId,
    /// As it was made, before it got a Via and credentials.
    pub(super) invite: Message,
    pub(super) forks: Forks,
    /// The early answer that was applied. A peer connection takes the answer of one fork only.
    pub(super) early_answer: Option<EarlyAnswer>,
    pub(super) redirection: Redirection,
    pub(super) cancel: Cancel,
    /// When nobody has answered.
    give_up_at: Instant,
}

/// ```text
/// No --hang up--> Wanted --first 1xx--> Sent --487--> over
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) enum Cancel {
    No,
    /// Waits for a provisional response, before which no CANCEL may be sent (section 9.1).
    Wanted(EndCause),
    Sent(EndCause),
}

impl Offering {
    /// Whom the call is for.
    pub(super) fn target(&self) -> &UriBuf {
        &self.target
    }
}

impl Inviting {
    pub(super) fn owns(&self, request: &Message) -> bool {
        self.forks.own(request)
    }

    pub(super) fn dialog_of(&mut self, message: &Message) -> Option<&mut Dialog> {
        self.forks.dialog_of(message)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.give_up_at)
    }

    /// The early dialogs there are.
    pub(super) fn early_dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.forks.dialogs()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancel::No)
    }

    /// `invite` is out in `transaction`, to another address: no fork of the last one is left.
    pub(super) fn starts_over(&mut self, transaction: TransactionId, invite: Message) {
        self.transaction = transaction;
        self.invite = invite;
        self.forks = Forks::default();
    }

    /// Another dialog has taken its place. Forks that answer all the same are released.
    pub(super) fn take_back(&mut self, endpoint: &mut Endpoint) {
        endpoint.cancel(self.transaction, None);
    }
}

impl Call {
    /// Starts a call to `target`: the offer first.
    pub(crate) fn outgoing(
        endpoint: &mut Endpoint,
        id: CallId,
        target: UriBuf,
        options: CallOptions,
    ) -> Self {
        let mut call = Self::to(endpoint, id, &target, options.display_name);
        call.info.anonymous = options.anonymous;
        if options.late_offer {
            call.send_invite(endpoint, &target, None);
        } else {
            call.make_first_offer(endpoint, target);
        }
        call
    }

    pub(super) fn to(endpoint: &mut Endpoint, id: CallId, target: &UriBuf, name: Option<String>) -> Self {
        let remote = Identity {
            display_name: name.unwrap_or_default(),
            user: target.as_uri().user_decoded().into_owned(),
            uri: target.as_str().to_owned(),
        };
        Self::new(endpoint, id, CallDirection::Outgoing, remote, Stage::Over)
    }

    fn make_first_offer(&mut self, endpoint: &mut Endpoint, target: UriBuf) {
        let offer = MediaAction::CreateOffer {
            direction: Direction::SendRecv,
            ice_restart: false,
        };
        let request = self.request_media(endpoint, offer);
        self.stage = Stage::Offering(Offering { request, target });
    }

    /// Starts a call that the far end of `first` has asked for.
    pub(crate) fn referred(
        endpoint: &mut Endpoint,
        id: CallId,
        target: UriBuf,
        first: &CallInfo,
        errand: Errand,
    ) -> Self {
        let name = Some(identity::bounded(&errand.display_name)).filter(|name| !name.is_empty());
        let mut call = Self::to(endpoint, id, &target, name);
        call.errand = Some(Box::new(errand));
        call.info.transferred_by = Some(first.remote.clone());
        call.begin_after(endpoint, first, target);
        call
    }

    /// Begins in the place of `first`.
    pub(super) fn begin_after(&mut self, endpoint: &mut Endpoint, first: &CallInfo, target: UriBuf) {
        self.info.succeeds = Some(first.id);
        self.info.muted = first.muted;
        // Before its audio is asked for: whose it is follows from whose place it takes.
        if let Some(info) = self.take_report(endpoint) {
            endpoint.emit(Event::Call(Box::new(info)));
        }
        self.make_first_offer(endpoint, target);
    }

    /// Starts a call to whom a participant of a conference wants to be part of it.
    pub(crate) fn invited(endpoint: &mut Endpoint, id: CallId, errand: Errand) -> Self {
        let (target, name) = (errand.target.clone(), identity::bounded(&errand.display_name));
        let mut call = Self::to(endpoint, id, &target, Some(name));
        call.errand = Some(Box::new(errand));
        call.make_first_offer(endpoint, target);
        call
    }

    /// Starts a call that takes the place of another device's.
    pub(crate) fn pulled(
        endpoint: &mut Endpoint,
        id: CallId,
        far_end: Identity,
        device: String,
        errand: Errand,
    ) -> Self {
        let target = errand.target.clone();
        let mut call = Self::outgoing(endpoint, id, target, CallOptions::default());
        call.errand = Some(Box::new(errand));
        call.info.remote = far_end;
        call.info.pulled_from = Some(device);
        call
    }

    pub(super) fn offer_made(&mut self, endpoint: &mut Endpoint, result: Result<MediaOutcome, MediaError>) {
        let Stage::Offering(offering) = &self.stage else {
            return;
        };
        let sdp = match result {
            Ok(MediaOutcome::Description { sdp }) => sdp,
            Ok(MediaOutcome::Done) => return self.end_without_answer(endpoint, EndCause::MediaFailed),
            Err(error) => {
                self.info.microphone_problem = microphone_problem(&error);
                return self.end_with(endpoint, EndCause::MediaFailed, None, &error.detail);
            }
        };
        let target = offering.target.clone();
        self.send_invite(endpoint, &target, Some(&sdp));
    }

    fn send_invite(&mut self, endpoint: &mut Endpoint, target: &UriBuf, sdp: Option<&str>) {
        let contact = self.contact(endpoint);
        let invite = invite(endpoint, target, contact, self.info.anonymous);
        let invite = match sdp {
            Some(sdp) => invite
                .header(HeaderName::Supported, SUPPORTED)
                .body("application/sdp", sdp.as_bytes()),
            None => invite.header(HeaderName::Supported, supported_without_offer()),
        };
        let invite = match &self.errand {
            Some(errand) => errand.with_reasons(invite),
            None => invite,
        };
        let invite = self.session_timer.ask(&endpoint.config, invite).build();
        let Ok(transaction) = endpoint.send_message(Purpose::Invite(self.id()), &invite) else {
            return self.end_without_answer(endpoint, EndCause::NetworkFailed);
        };
        self.info.state = CallState::Calling;
        self.stage = Stage::Inviting(Box::new(Inviting {
            transaction,
            redirection: Redirection::new(invite.clone()),
            invite,
            forks: Forks::default(),
            early_answer: None,
            cancel: Cancel::No,
            give_up_at: endpoint.now + endpoint.config.no_answer_timeout,
        }));
    }

    /// The INVITE was sent again with credentials.
    pub(crate) fn invite_resent(&mut self, transaction: TransactionId) {
        if let Stage::Inviting(inviting) = &mut self.stage {
            inviting.transaction = transaction;
        }
    }

    /// Whether the INVITE of `transaction` is still to bring this call about.
    pub(crate) fn still_invites(&self, transaction: TransactionId) -> bool {
        matches!(&self.stage, Stage::Inviting(inviting)
            if inviting.transaction == transaction && matches!(inviting.cancel, Cancel::No))
    }

    /// A response to the INVITE that started this call.
    pub(crate) fn invite_response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        match response.status().unwrap_or(0) {
            100..=199 => self.provisional(endpoint, transaction, response),
            200..=299 => self.success(endpoint, transaction, response),
            status => self.failure(endpoint, transaction, response, status),
        }
    }

    /// The INVITE got no final response: time-out or lost connection.
    pub(crate) fn invite_unanswered(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        let Stage::Inviting(inviting) = &self.stage else {
            return;
        };
        if inviting.transaction == transaction {
            if endpoint.is_connected() && self.invite_next(endpoint) {
                return;
            }
            let Stage::Inviting(inviting) = &self.stage else {
                return;
            };
            let cause = match inviting.cancel {
                Cancel::No => EndCause::NetworkFailed,
                Cancel::Wanted(cause) | Cancel::Sent(cause) => cause,
            };
            self.end_without_answer(endpoint, cause);
        }
    }

    /// Nobody has answered, or a CANCEL has brought no answer.
    pub(super) fn wake_outgoing(&mut self, endpoint: &mut Endpoint) {
        let Stage::Inviting(inviting) = &self.stage else {
            return;
        };
        if inviting.give_up_at > endpoint.now {
            return;
        }
        match inviting.cancel {
            Cancel::No => self.cancel(endpoint, EndCause::NoAnswer),
            Cancel::Wanted(cause) | Cancel::Sent(cause) => self.end_without_answer(endpoint, cause),
        }
    }

    /// Gives up a call that has not been answered.
    pub(super) fn cancel(&mut self, endpoint: &mut Endpoint, cause: EndCause) {
        let Stage::Inviting(inviting) = &mut self.stage else {
            return;
        };
        if !matches!(inviting.cancel, Cancel::No) {
            return;
        }
        self.info.state = CallState::Ending;
        // Section 9.1: without a final response within 64*T1 the transaction counts as cancelled.
        inviting.give_up_at = endpoint.now + TRANSACTION_TIMEOUT;
        if endpoint.transactions.is_proceeding(inviting.transaction) {
            inviting.cancel = Cancel::Sent(cause);
            let transaction = inviting.transaction;
            endpoint.cancel(transaction, reason::said(cause));
        } else {
            inviting.cancel = Cancel::Wanted(cause);
        }
    }

    fn success(&mut self, endpoint: &mut Endpoint, transaction: TransactionId, response: &Message) {
        let Some(invite) = endpoint.sent_request(transaction).cloned() else {
            return;
        };
        let Ok(mut dialog) = Dialog::from_response(&invite, response) else {
            // A 2xx without a usable Contact cannot be acknowledged: the call cannot be had.
            if matches!(self.stage, Stage::Inviting(_)) {
                self.end_with(
                    endpoint,
                    EndCause::ServerFailed,
                    response.status(),
                    "unusable answer",
                );
            }
            return;
        };
        match &mut self.stage {
            Stage::Established(established) if established.dialog.remote_tag() == dialog.remote_tag() => {
                established.acknowledge_again(endpoint, &invite);
            }
            Stage::Inviting(inviting) => {
                let cancel = inviting.cancel;
                // It gets its BYE with the call, if it gets one.
                endpoint.note_released(transaction, dialog.remote_tag());
                match cancel {
                    Cancel::No => self.answered(endpoint, dialog, &invite, response),
                    // The answer crossed our CANCEL (RFC 5407 section 3.1.2): acknowledge and hang up.
                    Cancel::Wanted(cause) | Cancel::Sent(cause) => {
                        if let Some(fork) = inviting.forks.take(dialog.remote_tag()) {
                            dialog.goes_on_from(&fork.dialog);
                        }
                        endpoint.send_ack(&invite, dialog.ack(number(&invite)));
                        self.leave(endpoint, dialog, cause);
                    }
                }
            }
            Stage::Offering(_)
            | Stage::Alerting(_)
            | Stage::Established(_)
            | Stage::Leaving(_)
            | Stage::Over => release(endpoint, transaction, &invite, &mut dialog),
        }
    }

    /// A fork that answers after the call is over.
    pub(crate) fn release_late_fork(endpoint: &mut Endpoint, transaction: TransactionId, response: &Message) {
        let Some(invite) = endpoint.sent_request(transaction).cloned() else {
            return;
        };
        if let Ok(mut dialog) = Dialog::from_response(&invite, response) {
            release(endpoint, transaction, &invite, &mut dialog);
        }
    }

    /// An answer to an INVITE of which the agent knows nothing any more, because it has been started again. It says
    /// all that its ACK and BYE need.
    pub(crate) fn release_stray(endpoint: &mut Endpoint, response: &Message) {
        if let Ok(mut dialog) = Dialog::from_response(response, response) {
            endpoint.send_ack(response, dialog.ack(number(response)));
            dialog.skip_numbers(EARLY_REQUESTS);
            let _ = endpoint.send(Purpose::LateFork, dialog.request(Method::Bye));
        }
    }

    fn answered(
        &mut self,
        endpoint: &mut Endpoint,
        mut dialog: Dialog,
        invite: &Message,
        response: &Message,
    ) {
        let Stage::Inviting(inviting) = &mut self.stage else {
            return;
        };
        let answer = session_description(response);
        let heard = inviting.early_answer.take();
        let fork = inviting.forks.take(dialog.remote_tag());
        if let Some(fork) = &fork {
            dialog.goes_on_from(&fork.dialog);
        }
        let settled = fork.is_some_and(|fork| fork.settled);
        let (own, others) = match heard {
            Some(early) if early.tag == dialog.remote_tag() && !early.is_replaced_by(answer) => {
                (Some(early), false)
            }
            Some(_) => (None, true),
            None => (None, false),
        };
        if others {
            // What is under way is about media that have lost.
            self.end_negotiation(endpoint);
        }
        if let Some(identity) = asserted_identity(response) {
            self.info.remote = identity;
        }
        self.info.state = CallState::Active;
        self.info.answered_at = Some(endpoint.now);
        self.info.early_media = false;
        self.establish(dialog);
        self.session_timer.confirmed(endpoint.now, response);
        if invite.body().is_empty() && answer.is_some() {
            let (invite, response) = (invite.clone(), response.clone());
            return self.take_offer(endpoint, Owed::Ack { invite, response });
        }
        if let Stage::Established(established) = &mut self.stage {
            established.acknowledge(endpoint, invite, None);
        }
        match (answer, own) {
            (_, Some(early)) if early.unusable && early.settled => {
                self.hang_up_because(endpoint, EndCause::NotAcceptable);
            }
            // It is in force already, whatever the 2xx says (RFC 3261 section 13.2.1).
            (_, Some(early)) if early.settled => {}
            (Some(_), None) if others => self.want_fresh_media(),
            (None, None) if others && settled => self.want_fresh_media(),
            (Some(sdp), _) => self.apply_first_answer(endpoint, sdp),
            // What this fork said early is not repeated by all: it stands, and is final now (section 13.2.1).
            (None, Some(early)) => self.apply_first_answer(endpoint, &early.sdp),
            (None, None) => self.hang_up_because(endpoint, EndCause::NotAcceptable),
        }
    }

    /// RFC 4028 section 7.4: somebody on the way allows no session as short as this.
    fn try_longer_interval(&mut self, endpoint: &mut Endpoint, response: &Message) -> bool {
        let id = self.id();
        let Stage::Inviting(inviting) = &mut self.stage else {
            return false;
        };
        if inviting.is_cancelled() || !self.session_timer.refused(response) {
            return false;
        }
        let (invite, cseq) = (&inviting.invite, number(response) + 1);
        let again = self.session_timer.ask_again(&endpoint.config, invite, cseq);
        let Ok(transaction) = endpoint.send_message(Purpose::Invite(id), &again) else {
            return false;
        };
        inviting.transaction = transaction;
        inviting.forks = Forks::default();
        true
    }

    fn failure(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
        status: u16,
    ) {
        let Stage::Inviting(inviting) = &self.stage else {
            return;
        };
        if inviting.transaction != transaction {
            return;
        }
        let goes_on = status == 422 && self.try_longer_interval(endpoint, response)
            || self.goes_on_elsewhere(endpoint, response);
        if goes_on {
            return;
        }
        let Stage::Inviting(inviting) = &self.stage else {
            return;
        };
        let heard = Heard::read(response);
        let cause = match inviting.cancel {
            Cancel::Wanted(cause) | Cancel::Sent(cause) => cause,
            Cancel::No => heard.why_failed(status).unwrap_or_else(|| cause_of(status)),
        };
        let reason = response.reason().unwrap_or_default().to_owned();
        self.end_with(endpoint, cause, Some(status), &reason);
        if let Some(end) = &mut self.info.end {
            end.retry_after = response.retry_after();
        }
        self.note_redirect(response);
        self.note_reason(&heard);
    }
}

fn invite(endpoint: &mut Endpoint, target: &UriBuf, contact: String, anonymous: bool) -> RequestBuilder {
    let from = identity::from(endpoint, anonymous);
    let (tag, call_id) = (endpoint.rng.token(4), endpoint.rng.token(12));
    let cseq = 1;
    let invite = RequestBuilder::new(Method::Invite, target.as_uri())
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format_args!("{from};tag={tag}"))
        .header(HeaderName::To, format_args!("<{}>", target.as_str()))
        .header(HeaderName::CallId, call_id)
        .header(HeaderName::CSeq, format_args!("{cseq} INVITE"))
        .header(HeaderName::Contact, contact)
        .header(HeaderName::Allow, ALLOW)
        .header(HeaderName::RecvInfo, RECV_INFO);
    identity::with_identity(endpoint, invite, anonymous)
}

/// Without an offer a reliable provisional response would have to bring one (RFC 3262 section 5), long before the
/// microphone is to be opened: it is not asked for.
fn supported_without_offer() -> String {
    let tags = SUPPORTED.split(',').map(str::trim).filter(|tag| *tag != "100rel");
    tags.collect::<Vec<_>>().join(", ")
}

/// Another fork answered as well (section 13.2.2.4): it gets its ACK and, once, a BYE.
fn release(endpoint: &mut Endpoint, transaction: TransactionId, invite: &Message, dialog: &mut Dialog) {
    let release = endpoint.note_released(transaction, dialog.remote_tag());
    if release == Release::TooMany {
        return;
    }
    endpoint.send_ack(invite, dialog.ack(number(invite)));
    if release == Release::First {
        dialog.skip_numbers(EARLY_REQUESTS);
        // Whether it hears the BYE or times out makes no difference here.
        let bye = dialog
            .request(Method::Bye)
            .header(HeaderName::Reason, COMPLETED_ELSEWHERE);
        let _ = endpoint.send(Purpose::LateFork, bye);
    }
}

/// What a final response to INVITE means to the caller.
fn cause_of(status: u16) -> EndCause {
    match status {
        404 | 410 | 484 | 485 | 604 => EndCause::NotFound,
        486 | 600 => EndCause::Busy,
        603 | 607 => EndCause::Rejected,
        408 => EndCause::NoAnswer,
        480 | 430 => EndCause::Unavailable,
        401 | 403 | 407 => EndCause::Forbidden,
        415 | 488 | 606 => EndCause::NotAcceptable,
        487 => EndCause::Cancelled,
        500..=599 => EndCause::ServerFailed,
        _ => EndCause::Unavailable,
    }
}

/// Failures the user can mend at the microphone.
pub(super) fn microphone_problem(error: &MediaError) -> Option<MediaErrorKind> {
    match error.kind {
        MediaErrorKind::PermissionDenied | MediaErrorKind::NoDevice | MediaErrorKind::DeviceFailed => {
            Some(error.kind)
        }
        MediaErrorKind::DescriptionRejected | MediaErrorKind::Unavailable | MediaErrorKind::Failed => None,
    }
}
