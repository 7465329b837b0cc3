//! The answered call: acknowledging and repeating 2xx (RFC 3261 section 13), requests from the far end, leaving.

use super::reason::{self, Heard};
use super::repetition::{Due, Repetition};
use super::wishes::Wanted;
use super::{
    Call, CallState, Dialog, EndCause, Endpoint, HeaderName, Message, OperationId, SessionTimer, Stage,
    session_description, session_timer,
};
use crate::endpoint::Purpose;
use crate::io::Timer;
use crate::sip::Method;
use crate::time::Instant;
use crate::transaction::{T2, TransactionId};

/// A call whose dialog is confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Established {
    pub(crate) dialog: Dialog,
    pub(crate) wanted: Wanted,
    /// Our UPDATE that has not been answered.
    pub(super) update: Option<TransactionId>,
    /// Our 2xx that have not been acknowledged: two at most, if a re-INVITE has overtaken an ACK.
    unacknowledged: Vec<Repetition>,
    /// The last ACK, with the number of its INVITE, for a 2xx that comes again.
    last_ack: Option<(u32, Message)>,
    /// The `answer()` that made this call; ends when the caller has acknowledged.
    pub(super) answer_operation: Option<OperationId>,
    /// Hang up as soon as the ACK is there (section 15: not before).
    leave_when_acknowledged: Option<EndCause>,
}

/// Answers of ours that may wait for their ACK at the same time.
const MAX_UNACKNOWLEDGED: usize = 2;

/// BYE is out.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    pub(super) dialog: Dialog,
    cause: EndCause,
}

impl Established {
    pub(crate) fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            wanted: Wanted::default(),
            update: None,
            unacknowledged: Vec::new(),
            last_ack: None,
            answer_operation: None,
            leave_when_acknowledged: None,
        }
    }

    pub(super) fn awaits_ack(&self) -> bool {
        !self.unacknowledged.is_empty()
    }

    /// Whether the user has hung up, which waits for an ACK.
    pub(super) fn is_left(&self) -> bool {
        self.leave_when_acknowledged.is_some()
    }

    /// Whether a re-INVITE may be accepted although the ACK of the answer before is still to come.
    pub(super) fn may_answer_another(&self) -> bool {
        self.unacknowledged.len() < MAX_UNACKNOWLEDGED
    }

    pub(super) fn answers(&self, transaction: TransactionId) -> bool {
        self.unacknowledged
            .iter()
            .any(|sent| sent.transaction == transaction)
    }

    pub(super) fn deadline(&self) -> Option<(Instant, Timer)> {
        let repeats = self.unacknowledged.iter();
        let repeat = repeats.map(Repetition::deadline).min();
        let repeat = repeat.map(|at| (at, Timer::Retransmit2xx));
        let retry = self.wanted.not_before.map(|at| (at, Timer::Retry));
        [repeat, retry].into_iter().flatten().min()
    }

    /// Acknowledges the 2xx to `invite`, with the answer if the 2xx offered.
    pub(super) fn acknowledge(&mut self, endpoint: &mut Endpoint, invite: &Message, answer: Option<&str>) {
        let cseq = number(invite);
        let ack = self.dialog.ack(cseq);
        let ack = match answer {
            Some(sdp) => ack.body("application/sdp", sdp.as_bytes()),
            None => ack,
        };
        let ack = endpoint.send_ack(invite, ack);
        self.last_ack = Some((cseq, ack));
    }

    /// The 2xx to `invite` again: the ACK was lost.
    ///
    /// The ACK is the same again, or, if another INVITE has been acknowledged since or a restart has forgotten it, one
    /// that says no more: our offers are in the INVITE.
    pub(super) fn acknowledge_again(&self, endpoint: &mut Endpoint, invite: &Message) {
        match &self.last_ack {
            Some((acknowledged, ack)) if *acknowledged == number(invite) => endpoint.send_again(ack),
            // The answer that goes into its ACK is still being made.
            Some(_) | None if invite.is_request() && invite.body().is_empty() => {}
            Some(_) | None => {
                endpoint.send_ack(invite, self.dialog.ack(number(invite)));
            }
        }
    }

    /// Our 2xx is out; it is repeated until acknowledged.
    pub(super) fn answer_sent(&mut self, now: Instant, transaction: TransactionId, response: Message) {
        self.unacknowledged
            .push(Repetition::new(now, transaction, response));
    }
}

impl Call {
    pub(super) fn establish(&mut self, dialog: Dialog) {
        let mut established = Established::new(dialog);
        established.wanted.refresh = self.losses.take_moved();
        self.stage = Stage::Established(Box::new(established));
    }

    pub(super) fn wake_established(&mut self, endpoint: &mut Endpoint) {
        self.wake_reinvite(endpoint);
        self.wake_session_timer(endpoint);
        self.repeat_answer(endpoint);
    }

    fn repeat_answer(&mut self, endpoint: &mut Endpoint) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        for sent in &mut established.unacknowledged {
            match sent.wake(endpoint.now, T2) {
                Due::Nothing => {}
                Due::Repeat => endpoint.respond(sent.transaction, sent.response.clone()),
                Due::GiveUp => {
                    // Section 13.3.1.4: no ACK within 64*T1, the session is ended.
                    established.unacknowledged.clear();
                    let wanted = established.leave_when_acknowledged.take();
                    return self.hang_up_because(endpoint, wanted.unwrap_or(EndCause::NetworkFailed));
                }
            }
        }
    }

    /// An ACK for one of our 2xx.
    pub(crate) fn acknowledged(&mut self, endpoint: &mut Endpoint, ack: &Message) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        // An ACK that comes again may be one of an earlier INVITE.
        let is_awaited = |sent: &Repetition| number(&sent.response) == number(ack);
        let Some(at) = established.unacknowledged.iter().position(is_awaited) else {
            return;
        };
        established.unacknowledged.remove(at);
        if let Some(operation) = established.answer_operation.take() {
            endpoint.finish(operation, Ok(()));
        }
        if let Some(cause) = established.leave_when_acknowledged.take() {
            return self.hang_up_because(endpoint, cause);
        }
        if self.info.state == CallState::Answering {
            self.info.state = CallState::Active;
            self.info.answered_at = Some(endpoint.now);
        }
        self.answer_in_ack(endpoint, session_description(ack));
        self.succeed_if_acknowledged(endpoint);
    }

    /// Whether `response` is one to a request of this side in the call's dialog.
    pub(crate) fn is_answered_by(&self, response: &Message) -> bool {
        matches!(self.stage, Stage::Established(_) | Stage::Leaving(_))
            && self
                .dialog()
                .is_some_and(|dialog| dialog.is_answered_by(response))
    }

    /// A 2xx to an INVITE of this dialog whose transaction is gone.
    pub(crate) fn acknowledge_stray(&self, endpoint: &mut Endpoint, response: &Message) {
        match &self.stage {
            Stage::Established(established) => established.acknowledge_again(endpoint, response),
            Stage::Leaving(leaving) => {
                endpoint.send_ack(response, leaving.dialog.ack(number(response)));
            }
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Alerting(_) | Stage::Over => {}
        }
    }

    /// A request inside the dialog, other than ACK and CANCEL.
    pub(crate) fn request(&mut self, endpoint: &mut Endpoint, transaction: TransactionId, request: &Message) {
        if !self.accepts(request) {
            // Section 12.2.2: out of order.
            return endpoint.reject(transaction, request, 500);
        }
        if !self.is_live() && request.method() != Method::Bye {
            // For whoever hangs up the dialog is over (RFC 5407 section 3.2.2, 3.3.3 and appendix D).
            return endpoint.reject(transaction, request, 481);
        }
        let is_offer = matches!(request.method(), Method::Invite | Method::Update);
        if is_offer && !self.takes_offers(endpoint) {
            // Another dialog is about to take this one's place.
            return endpoint.reject(transaction, request, 491);
        }
        if is_offer && let Some(min_se) = session_timer::too_small(&endpoint.config, request) {
            return endpoint.refuse_interval(transaction, request, min_se);
        }
        match request.method() {
            Method::Bye => self.bye_received(endpoint, transaction, request),
            Method::Invite => self.reinvite_received(endpoint, transaction, request),
            Method::Prack => self.prack_received(endpoint, transaction, request),
            Method::Update => self.update_received(endpoint, transaction, request),
            Method::Info => self.info_received(endpoint, transaction, request),
            Method::Notify => self.notify_received(endpoint, transaction, request),
            Method::Refer => self.refer_received(endpoint, transaction, request, None),
            Method::Subscribe => self.subscribe_received(endpoint, transaction, request),
            Method::Options => {
                let response = endpoint
                    .response(request, 200)
                    .header(HeaderName::Allow, crate::endpoint::ALLOW)
                    .header(HeaderName::Supported, crate::endpoint::SUPPORTED)
                    .build();
                endpoint.respond(transaction, response);
            }
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Message
            | Method::Publish
            | Method::Other(_) => endpoint.reject(transaction, request, 405),
        }
    }

    /// Whether it has ended, or is about to, for this reason.
    pub(crate) fn ended_by(&self, cause: EndCause) -> bool {
        match &self.stage {
            Stage::Leaving(leaving) => leaving.cause == cause,
            Stage::Over => self.info.end.as_ref().is_some_and(|end| end.cause == cause),
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Alerting(_) | Stage::Established(_) => false,
        }
    }

    /// BYE was answered, whatever the answer: the call is over (section 15.1.1).
    pub(crate) fn bye_done(&mut self, endpoint: &mut Endpoint) {
        if let Stage::Leaving(leaving) = &self.stage {
            let cause = leaving.cause;
            self.end_without_answer(endpoint, cause);
        }
    }

    /// BYE got no answer, or its connection broke: the user is done with the call (section 15.1.1), the far end may not be.
    /// It is told once more; a connection that is silent for a while and lives loses what was sent meanwhile.
    pub(crate) fn bye_lost(&mut self, endpoint: &mut Endpoint) {
        if let Stage::Leaving(leaving) = &self.stage {
            endpoint.owe_farewell(leaving.dialog.clone(), reason::said(leaving.cause));
        }
        self.bye_done(endpoint);
        // There may be another way to the platform.
        endpoint.say_farewells();
    }

    /// Hangs up an established call, now or when its ACK has come.
    pub(super) fn hang_up_because(&mut self, endpoint: &mut Endpoint, cause: EndCause) {
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        if established.awaits_ack() && self.info.state == CallState::Answering {
            established.leave_when_acknowledged = Some(cause);
            self.info.state = CallState::Ending;
            self.abort_succession(endpoint, 603);
            return self.close_media(endpoint);
        }
        let dialog = established.dialog.clone();
        // A far end that is lost when somebody is to take this call's place has gone there.
        let cause = match (cause, self.offered_cause()) {
            (EndCause::NetworkFailed, Some(moved)) => moved,
            (cause, _) => cause,
        };
        self.leave(endpoint, dialog, cause);
    }

    /// Leaves a dialog the far end does not know any more, which a `status` of 408 or 481 says (section 12.2.1.2).
    pub(super) fn leave_lost_dialog(&mut self, endpoint: &mut Endpoint, status: u16) {
        if matches!(status, 408 | 481) {
            self.hang_up_because(endpoint, EndCause::NetworkFailed);
        }
    }

    /// Sends BYE. What is still open in the dialog ends with it.
    pub(super) fn leave(&mut self, endpoint: &mut Endpoint, mut dialog: Dialog, cause: EndCause) {
        self.end_negotiation(endpoint);
        self.end_commands(endpoint);
        self.info.state = CallState::Ending;
        self.session_timer = SessionTimer::default();
        // Nobody listens any more: the microphone is released before the far end has agreed.
        self.close_media(endpoint);
        let bye = dialog.request(Method::Bye);
        let bye = match reason::said(cause) {
            Some(reason) => bye.header(HeaderName::Reason, reason),
            None => bye,
        };
        match endpoint.send(Purpose::Bye(self.id()), bye) {
            Ok(_) => self.stage = Stage::Leaving(Box::new(Leaving { dialog, cause })),
            Err(_) => {
                endpoint.owe_farewell(dialog, reason::said(cause));
                self.end_without_answer(endpoint, cause);
            }
        }
    }

    /// The number of the next request in the dialog of `sent`, a request of ours.
    pub(crate) fn next_number(&mut self, sent: &Message) -> Option<u32> {
        self.dialog_of(sent).map(Dialog::next_number)
    }

    fn accepts(&mut self, request: &Message) -> bool {
        self.dialog_of(request)
            .is_none_or(|dialog| dialog.accepts(request))
    }

    fn bye_received(&mut self, endpoint: &mut Endpoint, transaction: TransactionId, request: &Message) {
        let ok = endpoint.response(request, 200).build();
        endpoint.respond(transaction, ok);
        if self.survives_bye() {
            return;
        }
        let heard = Heard::read(request);
        match &self.stage {
            // BYE from a caller in the early dialog ends the INVITE too (section 15.1.2).
            Stage::Alerting(_) => {
                self.respond_final(endpoint, 487);
                self.end_without_answer(endpoint, heard.why_unanswered());
            }
            Stage::Leaving(leaving) => {
                let cause = leaving.cause;
                self.end_without_answer(endpoint, cause);
            }
            Stage::Established(established) => {
                let is_focus = established.dialog.peer().focus;
                let gone_on = self.left_for_another(endpoint);
                let cause = gone_on.unwrap_or_else(|| heard.why_hung_up(is_focus));
                self.end_with(endpoint, cause, heard.sip, "");
            }
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Over => {}
        }
        self.note_reason(&heard);
    }
}

/// The sequence number of a message that has been checked to have one.
pub(super) fn number(message: &Message) -> u32 {
    message.cseq().map_or(0, |cseq| cseq.number)
}
