//! One dialog in place of another (RFC 3891), in both roles.
//!
//! *Asked of this side*: an INVITE with Replaces takes the place of a call's dialog. The call stays what it is to the
//! user, hold and microphone switch included; it gets a new dialog and a new media session, and the old dialog a BYE.
//!
//! *Asked by this side*: a call whose own dialog is dead (its route set ends at a server that is gone) is brought back by
//! an INVITE with Replaces along a fresh route.
//!
//! ```text
//! asked of us:  INVITE --> Succession (answer being made) --200, BYE to the old--> the new dialog
//!
//! asked by us:  Describing --offer made--> Inviting --2xx--> the new dialog
//!                   ^                          | no such address, no answer
//!                   +--------- Waiting <-------+     (next target; 481 and refusals end the call,
//!                                                    an offer in the old dialog shows that it lives)
//! ```
//!
//! Who may: the party the call is with, as the platform asserts it, who says that this party has sent it (Referred-By),
//! this account's own other devices, and colleagues, as many telephones say nothing of who has sent them
//! ([`ReplacesPolicy`]). Whoever knows a dialog's identifiers could take the call over otherwise (RFC 3891 section 8);
//! Referred-By is not proven, so whoever knows them and the party's address still could.

use super::errand::is_own_domain;
use super::negotiation::Negotiation;
use super::reason::COMPLETED_ELSEWHERE;
use super::{
    Call, CallDirection, CallState, EndCause, Endpoint, Established, HeaderName, MediaAction, MediaError,
    MediaErrorKind, MediaOutcome, MediaRequestId, MediaSessionId, MediaTransport, Message, OperationError,
    Stage, identity, session_description,
};
use crate::config::ReplacesPolicy;
use crate::dialog::Dialog;
use crate::endpoint::{ALLOW, Purpose, RECV_INFO, SUPPORTED};
use crate::event::Identity;
use crate::id::DialogId;
use crate::io::Timer;
use crate::sip::{Method, Replaces, RequestBuilder, Uri};
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// INVITEs with Replaces that are sent to bring one call back, within the time in which a lost call is kept.
const MAX_TRIES: u8 = 12;
/// The longest pause before another is sent.
const RETRY_CEILING: Duration = Duration::from_secs(8);

/// The dialog that `replaces` names, from this side's view. `0` stands for the missing tag of RFC 2543 (section 6.1).
pub(crate) fn named_dialog(replaces: &Replaces<'_>) -> DialogId {
    let tag = |tag: &str| if tag == "0" { String::new() } else { tag.to_owned() };
    DialogId {
        call_id: replaces.call_id.to_owned(),
        local_tag: tag(replaces.to_tag),
        remote_tag: tag(replaces.from_tag),
    }
}

/// The header that asks the far end of `dialog` to give its place up.
pub(super) fn asking_for(dialog: &DialogId) -> String {
    // Section 6.1: `0` is the tag of an end that has none.
    fn told(tag: &str) -> &str {
        if tag.is_empty() { "0" } else { tag }
    }
    let replaces = Replaces {
        call_id: &dialog.call_id,
        to_tag: told(&dialog.remote_tag),
        from_tag: told(&dialog.local_tag),
        early_only: false,
    };
    replaces.to_string()
}

// --- asked of this side --------------------------------------------------------------------------------------

/// An INVITE that is about to take the place of a call's dialog: its answer is being made, or waits for an ACK.
#[derive(Clone, Debug)]
pub(super) struct Succession {
    transaction: TransactionId,
    dialog: Dialog,
    invite: Message,
    session: MediaSessionId,
    request: MediaRequestId,
    /// The answer, while the old dialog's 2xx is not acknowledged.
    answer: Option<String>,
    hold: bool,
}

impl Call {
    /// Whether `replaces` names a dialog of this call.
    pub(crate) fn is_named_by(&self, replaces: &Replaces<'_>) -> bool {
        self.is_in(&named_dialog(replaces))
    }

    /// Lets `invite` take the place of this call's dialog, if it may.
    ///
    /// # Errors
    /// The status to refuse it with.
    pub(crate) fn replaced_by(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        invite: &Message,
        replaces: &Replaces<'_>,
    ) -> Result<(), u16> {
        self.is_replaceable(replaces)?;
        if !self.may_be_replaced_by(endpoint, invite) {
            return Err(403);
        }
        if self.yields_to_own_recovery() {
            return Err(491);
        }
        let local_tag = endpoint.rng.token(6);
        let dialog = Dialog::from_request(invite, &local_tag).map_err(|_| 400_u16)?;
        self.abort_recovery(endpoint);
        let hold = self.wants_hold();
        let action = match session_description(invite) {
            Some(offer) => MediaAction::CreateAnswer {
                offer: offer.to_owned(),
                direction: self.direction(hold),
            },
            None => MediaAction::CreateOffer {
                direction: self.direction(hold),
                ice_restart: false,
            },
        };
        let session = endpoint.new_media_session();
        self.succession = Some(Box::new(Succession {
            transaction,
            dialog,
            invite: invite.clone(),
            session,
            request: self.describe_in(endpoint, session, action),
            answer: None,
            hold,
        }));
        Ok(())
    }

    /// Section 3, and the dialogs that are not ours to give away.
    fn is_replaceable(&self, replaces: &Replaces<'_>) -> Result<(), u16> {
        match &self.stage {
            _ if self.succession.is_some() => Err(491),
            Stage::Established(_) if replaces.early_only => Err(486),
            // It is over as soon as the ACK has come.
            Stage::Established(established) if established.is_left() => Err(603),
            Stage::Established(_) => Ok(()),
            Stage::Inviting(inviting) if inviting.is_cancelled() => Err(603),
            Stage::Inviting(_) => Ok(()),
            // Terminated already.
            Stage::Leaving(_) => Err(603),
            // An early dialog that this side did not start cannot be replaced.
            Stage::Alerting(_) | Stage::Offering(_) | Stage::Over => Err(481),
        }
    }

    fn may_be_replaced_by(&self, endpoint: &Endpoint, invite: &Message) -> bool {
        let Ok(caller) = identity::caller(invite) else {
            return false;
        };
        let who = &caller.identity;
        let is_colleague = || Uri::parse(&who.uri).is_ok_and(|uri| is_own_domain(endpoint, uri));
        let is_known = || !caller.anonymous && self.is_known_to(endpoint, invite, who);
        match endpoint.config.replaces_policy {
            ReplacesPolicy::Known => is_known(),
            ReplacesPolicy::SameDomain => is_colleague() || is_known(),
            ReplacesPolicy::Anyone => true,
        }
    }

    /// Whether `caller` is one of those who could know this call's dialog, or says to be sent by one.
    fn is_known_to(&self, endpoint: &Endpoint, invite: &Message, caller: &Identity) -> bool {
        // RFC 3892, RFC 5589 section 7.3: the party the call is with has sent the caller here. Nobody else knows the dialog.
        let sender = invite.addresses(HeaderName::ReferredBy).flatten().next();
        let sender = sender.map(|sender| sender.uri.as_str());
        let own = endpoint.config.address_of_record.as_str();
        let in_dialog = self.dialog().and_then(Dialog::remote_uri);
        let in_dialog = in_dialog.as_ref().map(|uri| uri.as_str());
        let known = [Some(own), Some(self.info.remote.uri.as_str()), in_dialog];
        known.into_iter().flatten().any(|known| {
            is_same_party(known, &caller.uri) || sender.is_some_and(|sender| is_same_party(known, sender))
        })
    }

    /// `true` if the media answer was for a succession.
    pub(super) fn succession_described(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: &Result<MediaOutcome, MediaError>,
    ) -> bool {
        let Some(mut succession) = self.succession.take_if(|it| it.request == request) else {
            return false;
        };
        match result {
            Ok(MediaOutcome::Description { sdp }) => {
                succession.answer = Some(sdp.clone());
                self.succession = Some(succession);
                self.succeed_if_acknowledged(endpoint);
            }
            Ok(MediaOutcome::Done) => self.refuse_succession(endpoint, &succession, 500),
            Err(error) if error.kind == MediaErrorKind::DescriptionRejected => {
                self.refuse_succession(endpoint, &succession, 488);
            }
            Err(_) => self.refuse_succession(endpoint, &succession, 500),
        }
        true
    }

    /// Whoever has answered must not send BYE before the ACK (RFC 3261 section 15), which may well come after the next
    /// device's INVITE: a dialog that is taken over again at once takes another way than its ACK.
    pub(super) fn succeed_if_acknowledged(&mut self, endpoint: &mut Endpoint) {
        if matches!(&self.stage, Stage::Established(established) if established.awaits_ack()) {
            return;
        }
        let Some(mut succession) = self.succession.take_if(|it| it.answer.is_some()) else {
            return;
        };
        if let Some(answer) = succession.answer.take() {
            self.succeed(endpoint, *succession, &answer);
        }
    }

    /// Section 3: the new INVITE is accepted, then the old dialog is ended.
    fn succeed(&mut self, endpoint: &mut Endpoint, succession: Succession, sdp: &str) {
        let Succession {
            transaction,
            dialog,
            invite,
            session,
            hold,
            ..
        } = succession;
        let contact = self.contact(endpoint);
        let answer = super::incoming::response(endpoint, &invite, 200, dialog.local_tag())
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
        let was_early = matches!(self.stage, Stage::Inviting(_));
        let same_party = identity::caller(&invite)
            .is_ok_and(|caller| is_same_party(&caller.identity.uri, &self.info.remote.uri));
        self.part_with_old_dialog(endpoint, same_party);
        self.move_to(endpoint, dialog, session);
        if let Stage::Established(established) = &mut self.stage {
            established.answer_sent(endpoint.now, transaction, answer);
        }
        if was_early {
            self.info.state = CallState::Answering;
            self.info.early_media = false;
        }
        if let Ok(caller) = identity::caller(&invite) {
            self.speaks_with(caller.identity);
        }
        match session_description(&invite) {
            Some(offer) => {
                self.remote_description(offer);
                self.agreed(endpoint, hold);
                self.note_remote_hold(hold);
            }
            None => self.await_answer_in_ack_for(hold),
        }
    }

    /// A dialog that is answered gets a BYE, an INVITE that is not a CANCEL.
    /// The device that had it learns that the call goes on with `same_party`, on another device (RFC 3326).
    fn part_with_old_dialog(&mut self, endpoint: &mut Endpoint, same_party: bool) {
        self.abandon_negotiation(endpoint);
        match &mut self.stage {
            Stage::Established(established) => {
                let bye = established.dialog.request(Method::Bye);
                let bye = match same_party {
                    true => bye.header(HeaderName::Reason, COMPLETED_ELSEWHERE),
                    false => bye,
                };
                // Whether it hears the BYE or times out makes no difference here.
                let _ = endpoint.send(Purpose::LateFork, bye);
            }
            Stage::Inviting(inviting) => inviting.take_back(endpoint),
            Stage::Alerting(_) | Stage::Offering(_) | Stage::Leaving(_) | Stage::Over => {}
        }
    }

    /// The call goes on in `dialog`, with the media of `session` and all that is still wanted.
    fn move_to(&mut self, endpoint: &mut Endpoint, dialog: Dialog, session: MediaSessionId) {
        let wanted = match &mut self.stage {
            Stage::Established(established) => std::mem::take(&mut established.wanted),
            Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Offering(_)
            | Stage::Leaving(_)
            | Stage::Over => super::wishes::Wanted::default(),
        };
        self.close_media(endpoint);
        self.negotiation = Negotiation::Idle;
        self.session = session;
        self.session_open = true;
        self.session_unagreed = false;
        self.trickle = super::Trickle::default();
        self.info.media = MediaTransport::New;
        let mut established = Established::new(dialog);
        established.wanted = wanted;
        established.wanted.is_satisfied(endpoint);
        self.stage = Stage::Established(Box::new(established));
    }

    fn refuse_succession(&mut self, endpoint: &mut Endpoint, succession: &Succession, status: u16) {
        endpoint.reject(succession.transaction, &succession.invite, status);
        endpoint.request_media(self.id(), succession.session, MediaAction::Close);
    }

    /// The call ends before its successor could be answered.
    pub(super) fn abort_succession(&mut self, endpoint: &mut Endpoint, status: u16) {
        if let Some(succession) = self.succession.take() {
            self.refuse_succession(endpoint, &succession, status);
        }
    }

    /// A CANCEL for the INVITE that was to take this call's dialog over: everything stays as it is.
    pub(crate) fn succession_cancelled(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        if self.is_succeeded_in(transaction) {
            self.abort_succession(endpoint, 487);
        }
    }

    /// Whether the INVITE of `transaction` is about to take this call's dialog over.
    pub(super) fn is_succeeded_in(&self, transaction: TransactionId) -> bool {
        self.succession
            .as_ref()
            .is_some_and(|it| it.transaction == transaction)
    }

    /// Whether `invite` is that INVITE, along another path (RFC 3261 section 8.2.2.2).
    pub(super) fn is_succeeded_by(&self, invite: &Message) -> bool {
        self.succession
            .as_ref()
            .is_some_and(|it| it.dialog.is_made_by(invite))
    }

    /// A description in a session that the call does not use yet.
    pub(super) fn describe_in(
        &mut self,
        endpoint: &mut Endpoint,
        session: MediaSessionId,
        action: MediaAction,
    ) -> MediaRequestId {
        let request = endpoint.request_media(self.id(), session, action);
        if self.info.muted {
            endpoint.request_media(self.id(), session, MediaAction::SetMuted { muted: true });
        }
        request
    }

    /// Whether another dialog is about to take the present one's place.
    pub(super) fn is_changing_dialog(&self) -> bool {
        self.succession.is_some() || self.recovery.is_some()
    }
}

// --- asked by this side --------------------------------------------------------------------------------------

/// The call is being brought back.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    phase: Phase,
    tries: u8,
    give_up_at: Instant,
    hold: bool,
    /// The far end has ended the old dialog: because it accepts the new one, or because it hung up.
    was_left: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The next try is due then.
    Waiting(Instant),
    /// The offer is being made.
    Describing(MediaRequestId, MediaSessionId),
    /// INVITE is out.
    Inviting(TransactionId, MediaSessionId),
}

impl Recovery {
    /// When [`Call::wake_recovery`] has something to do.
    pub(super) fn deadline(&self) -> (Instant, Timer) {
        match self.phase {
            Phase::Waiting(at) => (at.min(self.give_up_at), Timer::Retry),
            Phase::Describing(..) | Phase::Inviting(..) => (self.give_up_at, Timer::Call),
        }
    }

    fn session(&self) -> Option<MediaSessionId> {
        match self.phase {
            Phase::Waiting(_) => None,
            Phase::Describing(_, session) | Phase::Inviting(_, session) => Some(session),
        }
    }
}

impl Call {
    /// Starts to bring an answered call back whose dialog has turned out to be dead; `false` if there is no way.
    pub(super) fn recover(&mut self, endpoint: &mut Endpoint) -> bool {
        let Stage::Established(established) = &self.stage else {
            return false;
        };
        let is_named = !established.dialog.remote_tag().is_empty();
        let possible = is_named
            && self.recovery.is_none()
            && self.succession.is_none()
            && self.info.state == CallState::Active
            && endpoint.is_connected();
        if !possible {
            return false;
        }
        // Should the old dialog turn out to live, what it was asked for is still to be negotiated there.
        if let Some(offer) = self.negotiation.own_offer() {
            self.want_again(offer);
        }
        self.abandon_negotiation(endpoint);
        self.recovery = Some(Box::new(Recovery {
            phase: Phase::Waiting(endpoint.now),
            tries: 0,
            give_up_at: endpoint.now + endpoint.config.lost_call_timeout,
            hold: false,
            was_left: false,
        }));
        self.try_to_recover(endpoint);
        true
    }

    pub(super) fn wake_recovery(&mut self, endpoint: &mut Endpoint) {
        let Some(recovery) = &self.recovery else {
            return;
        };
        if recovery.give_up_at <= endpoint.now {
            return self.recovery_failed(endpoint);
        }
        if matches!(recovery.phase, Phase::Waiting(at) if at <= endpoint.now) {
            self.try_to_recover(endpoint);
        }
    }

    fn try_to_recover(&mut self, endpoint: &mut Endpoint) {
        if !endpoint.is_connected() {
            // There is nothing to send it on: `reconnected` starts anew.
            return self.recovery_paused(endpoint);
        }
        let hold = self.wants_hold();
        let action = MediaAction::CreateOffer {
            direction: self.direction(hold),
            ice_restart: false,
        };
        let session = endpoint.new_media_session();
        let request = self.describe_in(endpoint, session, action);
        if let Some(recovery) = &mut self.recovery {
            recovery.tries += 1;
            recovery.hold = hold;
            recovery.phase = Phase::Describing(request, session);
        }
    }

    /// `true` if the media answer was for a recovery.
    pub(super) fn recovery_described(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: &Result<MediaOutcome, MediaError>,
    ) -> bool {
        let Some(recovery) = &self.recovery else {
            return false;
        };
        let Phase::Describing(expected, session) = recovery.phase else {
            return false;
        };
        if expected != request {
            return false;
        }
        match result {
            Ok(MediaOutcome::Description { sdp }) => self.send_replacing_invite(endpoint, session, sdp),
            Ok(MediaOutcome::Done) | Err(_) => self.recovery_failed(endpoint),
        }
        true
    }

    fn send_replacing_invite(&mut self, endpoint: &mut Endpoint, session: MediaSessionId, sdp: &str) {
        let (Stage::Established(established), Some(recovery)) = (&self.stage, &self.recovery) else {
            return;
        };
        let dialog = &established.dialog;
        // First where the far end was last, then wherever its platform finds it.
        let target = if recovery.tries % 2 == 1 {
            Some(dialog.remote_target().clone())
        } else {
            dialog.remote_uri()
        };
        let target = target.unwrap_or_else(|| dialog.remote_target().clone());
        let (to, replaces) = (dialog.remote().to_owned(), asking_for(&dialog.id()));
        let contact = self.contact(endpoint);
        let anonymous = self.info.anonymous && self.info.direction == CallDirection::Outgoing;
        let from = identity::from(endpoint, anonymous);
        let (tag, call_id) = (endpoint.rng.token(4), endpoint.rng.token(12));
        let invite = RequestBuilder::new(Method::Invite, target.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format_args!("{from};tag={tag}"))
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, "1 INVITE")
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header(HeaderName::RecvInfo, RECV_INFO)
            // Section 4: one that does not know Replaces must not ring.
            .header(HeaderName::Require, "replaces")
            .header(HeaderName::Replaces, replaces)
            .body("application/sdp", sdp.as_bytes());
        let invite = identity::with_identity(endpoint, invite, anonymous);
        let invite = self.session_timer.ask(&endpoint.config, invite);
        let sent = endpoint.send(Purpose::Recovery(self.id()), invite);
        match (sent, &mut self.recovery) {
            (Ok(transaction), Some(recovery)) => recovery.phase = Phase::Inviting(transaction, session),
            (Ok(_), None) => {}
            (Err(_), _) => self.recovery_paused(endpoint),
        }
    }

    /// Whether the INVITE of `transaction` is to bring this call back.
    pub(crate) fn recovers_in(&self, transaction: TransactionId) -> bool {
        self.recovery
            .as_ref()
            .is_some_and(|it| matches!(it.phase, Phase::Inviting(own, _) if own == transaction))
    }

    /// The INVITE was sent again with credentials.
    pub(crate) fn recovery_resent(&mut self, transaction: TransactionId) {
        if let Some(recovery) = &mut self.recovery
            && let Phase::Inviting(own, _) = &mut recovery.phase
        {
            *own = transaction;
        }
    }

    /// A response to the INVITE that is to bring this call back.
    pub(crate) fn recovery_response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        match response.status().unwrap_or(0) {
            100..=199 => {}
            200..=299 => self.recovered(endpoint, transaction, response),
            // The address is wrong, or whoever answers for it knows nothing: another may.
            404 | 408 | 410 | 430 | 480 | 491 | 500..=599 => self.recover_later(endpoint),
            // 481: the far end knows this dialog no more. Anything else: it does not want to.
            _ => self.recovery_failed(endpoint),
        }
    }

    /// The INVITE got no final response.
    pub(crate) fn recovery_unanswered(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) {
        if !self.recovers_in(transaction) {
            return;
        }
        if endpoint.is_connected() {
            self.recover_later(endpoint);
        } else {
            self.recovery_paused(endpoint);
        }
    }

    fn recovered(&mut self, endpoint: &mut Endpoint, transaction: TransactionId, response: &Message) {
        let Some(recovery) = self.recovery.take_if(|it| it.session().is_some()) else {
            return;
        };
        let invite = endpoint.sent_request(transaction).cloned();
        let dialog = invite
            .as_ref()
            .and_then(|invite| Dialog::from_response(invite, response).ok());
        let (Some(invite), Some(dialog), Some(session)) = (invite, dialog, recovery.session()) else {
            self.recovery = Some(recovery);
            return self.recovery_failed(endpoint);
        };
        endpoint.note_released(transaction, dialog.remote_tag());
        self.move_to(endpoint, dialog, session);
        self.session_timer.confirmed(endpoint.now, response);
        if let Stage::Established(established) = &mut self.stage {
            established.acknowledge(endpoint, &invite, None);
        }
        if let Some(identity) = identity::asserted_identity(response) {
            self.info.remote = identity;
        }
        match session_description(response) {
            Some(sdp) => self.apply_answer_for(endpoint, sdp, recovery.hold),
            None => self.hang_up_because(endpoint, EndCause::NotAcceptable),
        }
    }

    fn recover_later(&mut self, endpoint: &mut Endpoint) {
        self.close_recovery_session(endpoint);
        let Some(recovery) = &mut self.recovery else {
            return;
        };
        if recovery.tries >= MAX_TRIES || recovery.was_left {
            return self.recovery_failed(endpoint);
        }
        let failures = u32::from(recovery.tries) + 1;
        let pause = endpoint.rng.back_off(failures, RETRY_CEILING);
        recovery.phase = Phase::Waiting(endpoint.now + pause);
    }

    /// Without a connection nothing can be brought back; the call waits for the next one, see [`Call::reconnected`].
    fn recovery_paused(&mut self, endpoint: &mut Endpoint) {
        self.close_recovery_session(endpoint);
        self.recovery = None;
    }

    /// The far end makes an offer in the old dialog: it lives, so there is nothing to bring back. `false` while another
    /// dialog is just taking its place.
    pub(super) fn takes_offers(&mut self, endpoint: &mut Endpoint) -> bool {
        let is_asking = self
            .recovery
            .as_ref()
            .is_some_and(|it| matches!(it.phase, Phase::Inviting(..)));
        if is_asking || self.succession.is_some() {
            return false;
        }
        if self.recovery.is_some() {
            self.abort_recovery(endpoint);
            self.reconnected(false);
        }
        true
    }

    fn recovery_failed(&mut self, endpoint: &mut Endpoint) {
        let was_left = self.recovery.as_ref().is_some_and(|it| it.was_left);
        self.abort_recovery(endpoint);
        self.abandon(endpoint, &OperationError::Disconnected);
        if was_left {
            self.end_without_answer(endpoint, EndCause::RemoteHangUp);
        } else {
            self.hang_up_because(endpoint, EndCause::NetworkFailed);
        }
    }

    /// Gives up bringing the call back. An INVITE that is out is cancelled; should it be answered all the same, that
    /// dialog is released as a late fork is.
    pub(super) fn abort_recovery(&mut self, endpoint: &mut Endpoint) {
        let phase = self.recovery.as_ref().map(|it| it.phase);
        self.close_recovery_session(endpoint);
        self.recovery = None;
        if let Some(Phase::Inviting(transaction, _)) = phase {
            endpoint.withdraw(transaction);
        }
    }

    fn close_recovery_session(&mut self, endpoint: &mut Endpoint) {
        let Some(recovery) = &mut self.recovery else {
            return;
        };
        if let Some(session) = recovery.session() {
            recovery.phase = Phase::Waiting(endpoint.now);
            endpoint.request_media(self.info.id, session, MediaAction::Close);
        }
    }

    /// `true` if a BYE in the old dialog does not end the call: the new one may be on its way.
    pub(super) fn survives_bye(&mut self) -> bool {
        let Some(recovery) = &mut self.recovery else {
            return false;
        };
        let is_asked = matches!(recovery.phase, Phase::Inviting(..));
        recovery.was_left |= is_asked;
        is_asked
    }

    /// Both ends try to bring the call back at once: the one who made it goes on, the other gives way.
    fn yields_to_own_recovery(&self) -> bool {
        self.recovery.is_some() && self.info.direction == CallDirection::Outgoing
    }
}

/// Whether the answer to a request that refreshes a dialog says that the dialog is lost: on its route, or at the far end.
pub(super) fn says_lost(status: u16) -> bool {
    matches!(status, 404 | 408 | 410 | 430 | 480 | 481)
}

/// Whether two URIs name the same party, whatever their parameters.
pub(crate) fn is_same_party(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (Uri::parse(a), Uri::parse(b)) else {
        return false;
    };
    let hosts = (a.host(), b.host());
    let same_host = match hosts {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_host && !a.user_decoded().is_empty() && a.user_decoded() == b.user_decoded()
}
