//! Calls: the INVITE session (RFC 3261 section 13) with its offers and answers (RFC 3264), one file per verb.
//!
//! ```text
//!            +--> Offering --> Inviting --+
//!  outgoing -+                            +--> Established --> Leaving --> Over
//!  incoming -----> Alerting --------------+
//! ```
//! Every stage can go to `Over` directly. What the user sees of it is [`CallInfo`]; what is negotiated, and only that,
//! is shown there.

mod answer_mode;
mod conference;
mod consultation;
mod diversion;
mod dtmf;
mod early_media;
mod end;
mod errand;
mod established;
mod focus;
mod forks;
mod identity;
mod incoming;
mod info;
mod moving;
mod negotiation;
mod outgoing;
mod prack;
mod reason;
mod redirect;
mod referee;
mod refresh;
mod reinvite;
mod repetition;
mod replaces;
mod restore;
mod session_timer;
mod survival;
mod transfer;
mod trickle;
mod update;
mod wishes;

use serde::{Deserialize, Serialize};

use crate::dialog::Dialog;
use crate::endpoint::Endpoint;
use crate::error::{CommandError, OperationError};
use crate::event::{CallDirection, CallEnd, CallInfo, CallState, EndCause, Identity};
use crate::id::{CallId, ConferenceId, DialogId, MediaRequestId, MediaSessionId, OperationId};
use crate::io::{MediaAction, MediaError, MediaErrorKind, MediaEvent, MediaOutcome, MediaTransport};
use crate::session_description::{Direction, SessionDescription};
use crate::sip::{HeaderName, Message, NameAddr};
use crate::time::Instant;
use crate::transaction::TransactionId;
pub(crate) use answer_mode::AnswerMode;
use conference::Mix;
use consultation::Consultation;
use dtmf::Dtmf;
pub(crate) use errand::Errand;
pub(crate) use established::Established;
use established::Leaving;
use focus::FocusRequest;
use identity::asserted_identity;
pub(crate) use identity::{is_anonymous, named};
use incoming::Alerting;
use moving::Candidate;
use negotiation::Negotiation;
use outgoing::{Inviting, Offering};
use referee::Referee;
use replaces::{Recovery, Succession};
pub(crate) use replaces::{is_same_party, named_dialog};
pub(crate) use restore::{Restored, UNSEEN_REQUESTS};
use session_timer::SessionTimer;
pub(crate) use session_timer::too_small;
use survival::Losses;
pub(crate) use transfer::Referral;
use transfer::{Offered, Transfer};
use trickle::Trickle;

/// How an incoming call is declined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// 603: stop ringing everywhere.
    #[default]
    Declined,
    /// 486: this device is busy, others may go on ringing.
    Busy,
}

/// Choices for an outgoing call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallOptions {
    /// Shown until the platform asserts a name.
    pub display_name: Option<String>,
    /// The callee is not to learn who calls (RFC 3323); the platform does.
    pub anonymous: bool,
    /// The callee is to offer (an INVITE without session description, RFC 3261 section 13.2.1): the microphone is not
    /// opened before somebody answers, and there is no early media.
    pub late_offer: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) info: CallInfo,
    /// What was last told to the application.
    reported: Option<CallInfo>,
    session: MediaSessionId,
    /// The media backend has the session: it has been asked for a description, and not yet to close.
    session_open: bool,
    /// It has taken the place of another, and nothing has been agreed on in it.
    session_unagreed: bool,
    /// The session the media are moving to.
    candidate: Option<Candidate>,
    /// The exchange of descriptions, for the session the media are moving to if there is one.
    negotiation: Negotiation,
    /// What the far end's last description says.
    remote_media: Option<RemoteMedia>,
    session_timer: SessionTimer,
    /// Our reliable 180 whose PRACK has not come.
    unacknowledged: Option<prack::Unacknowledged>,
    stage: Stage,
    losses: Losses,
    mix: Mix,
    dtmf: Dtmf,
    hang_up_operation: Option<OperationId>,
    trickle: Trickle,
    /// Another INVITE is about to take the dialog's place.
    succession: Option<Box<Succession>>,
    /// The dialog is dead; another is being asked for.
    recovery: Option<Box<Recovery>>,
    /// The far end has been sent to somebody else.
    transfer: Option<Box<Transfer>>,
    /// Somebody else is being asked first.
    consultation: Option<Consultation>,
    /// What it was put on hold for has come to nothing: it is taken off hold, unless the user speaks with somebody else by
    /// now. Decided before the step ends that has brought this.
    returns: bool,
    /// The far end wants this side to call somebody else.
    referee: Option<Box<Referee>>,
    /// The far end of another call has sent this side here.
    errand: Option<Box<Errand>>,
    /// The far end of this call is sent to take the place of this one.
    offered_for: Option<Offered>,
    /// What the focus of the conference has been asked for.
    focus_requests: Vec<FocusRequest>,
    has_asked_focus: bool,
    /// The call whose place has been taken.
    done_with: Option<CallId>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Outgoing: the offer is being made.
    Offering(Offering),
    /// Outgoing: INVITE is out.
    Inviting(Box<Inviting>),
    /// Incoming: not answered yet.
    Alerting(Box<Alerting>),
    /// A 2xx has been sent or received.
    Established(Box<Established>),
    /// BYE is out.
    Leaving(Box<Leaving>),
    /// Ended; waits to be reported and removed.
    Over,
}

impl Call {
    fn new(
        endpoint: &mut Endpoint,
        id: CallId,
        direction: CallDirection,
        remote: Identity,
        stage: Stage,
    ) -> Self {
        let state = match direction {
            CallDirection::Outgoing => CallState::Preparing,
            CallDirection::Incoming => CallState::Incoming,
        };
        Self {
            info: CallInfo {
                id,
                direction,
                remote,
                anonymous: false,
                diverted_by: Vec::new(),
                redirected_to: None,
                alert: None,
                state,
                muted: false,
                local_hold: false,
                remote_hold: false,
                conference: None,
                focus: false,
                participants: Vec::new(),
                negotiating: false,
                reconnecting: false,
                media: MediaTransport::New,
                microphone_problem: None,
                early_media: false,
                waiting: false,
                transferable: false,
                transfer: None,
                transfer_request: None,
                transferred_by: None,
                succeeds: None,
                pulled_from: None,
                created_at: endpoint.now,
                answered_at: None,
                end: None,
            },
            reported: None,
            session: endpoint.new_media_session(),
            session_open: false,
            session_unagreed: false,
            candidate: None,
            negotiation: Negotiation::Idle,
            remote_media: None,
            session_timer: SessionTimer::default(),
            unacknowledged: None,
            stage,
            losses: Losses::default(),
            mix: Mix::default(),
            dtmf: Dtmf::default(),
            hang_up_operation: None,
            trickle: Trickle::default(),
            succession: None,
            recovery: None,
            transfer: None,
            consultation: None,
            returns: false,
            referee: None,
            errand: None,
            offered_for: None,
            focus_requests: Vec::new(),
            has_asked_focus: false,
            done_with: None,
        }
    }

    pub(crate) fn id(&self) -> CallId {
        self.info.id
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether it occupies the user: neither ended nor on its way there.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.info.state, CallState::Ending | CallState::Ended)
    }

    /// Whether the user has answered it, or called: it does not only ring.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_live() && self.info.state != CallState::Incoming
    }

    /// The call's view, if it differs from what was told last.
    pub(crate) fn take_report(&mut self, endpoint: &Endpoint) -> Option<CallInfo> {
        self.info.transferable = self.is_transferable(endpoint);
        self.info.negotiating = self.is_negotiating();
        self.info.reconnecting = self.is_reconnecting();
        if let Some(established) = self.established() {
            self.info.focus = established.dialog.peer().focus;
        }
        if self.reported.as_ref() == Some(&self.info) {
            return None;
        }
        self.reported = Some(self.info.clone());
        self.reported.clone()
    }

    /// The confirmed dialog, for a snapshot.
    pub(crate) fn established(&self) -> Option<&Established> {
        match &self.stage {
            Stage::Established(established) => Some(established),
            Stage::Offering(_)
            | Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Leaving(_)
            | Stage::Over => None,
        }
    }

    /// When [`Self::wake`] has something to do, and why.
    pub(crate) fn deadline(&self, endpoint: &Endpoint) -> Option<(Instant, crate::io::Timer)> {
        use crate::io::Timer;
        let stage = match &self.stage {
            Stage::Inviting(inviting) => inviting.deadline().map(|at| (at, Timer::Call)),
            Stage::Alerting(alerting) => alerting.deadline().map(|at| (at, Timer::Call)),
            Stage::Established(established) => established.deadline(),
            Stage::Offering(_) | Stage::Leaving(_) | Stage::Over => None,
        };
        let reinvite = self.negotiation.deadline().map(|at| (at, Timer::Call));
        let ringing = self.unacknowledged.as_ref();
        let ringing = ringing
            .and_then(prack::Unacknowledged::deadline)
            .map(|at| (at, Timer::RetransmitProvisional));
        let dtmf = self.dtmf.deadline().map(|at| (at, Timer::Dtmf));
        let recovery = self.recovery.as_ref().map(|recovery| recovery.deadline());
        // In an early dialog the INVITE has its own limits.
        let session = self.established().and_then(|_| self.session_timer.deadline());
        let survival = self.survival_deadline(endpoint);
        let transfer = self.transfer_deadline().map(|at| (at, Timer::Subscription));
        let referee = self.referee_deadline().map(|at| (at, Timer::Call));
        [
            stage, reinvite, ringing, dtmf, recovery, session, survival, transfer, referee,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets time do its work.
    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint) {
        match &self.stage {
            Stage::Inviting(_) => self.wake_outgoing(endpoint),
            Stage::Alerting(_) => self.wake_incoming(endpoint),
            Stage::Established(_) => self.wake_established(endpoint),
            Stage::Offering(_) | Stage::Leaving(_) | Stage::Over => {}
        }
        self.wake_recovery(endpoint);
        self.wake_survival(endpoint);
        self.wake_transfer(endpoint);
        self.wake_referee(endpoint);
        self.advance_dtmf(endpoint);
    }

    /// Starts what is wanted and possible now. Called after every step.
    pub(crate) fn advance(&mut self, endpoint: &mut Endpoint) {
        self.advance_trickle(endpoint);
        self.advance_negotiation(endpoint);
        self.advance_dtmf(endpoint);
        self.advance_referee(endpoint);
    }

    /// Whether a received request inside a dialog is this call's.
    pub(crate) fn owns(&self, request: &Message) -> bool {
        match &self.stage {
            Stage::Inviting(inviting) => inviting.owns(request),
            Stage::Alerting(_)
            | Stage::Established(_)
            | Stage::Leaving(_)
            | Stage::Offering(_)
            | Stage::Over => self.dialog().is_some_and(|dialog| dialog.matches(request)),
        }
    }

    /// The tag of this side in the call's one dialog.
    pub(crate) fn local_tag(&self) -> Option<&str> {
        self.dialog().map(Dialog::local_tag)
    }

    /// Whether it is in this dialog, early or answered.
    pub(crate) fn is_in(&self, id: &DialogId) -> bool {
        match &self.stage {
            Stage::Inviting(inviting) => inviting.early_dialogs().any(|it| it.id() == *id),
            Stage::Alerting(_)
            | Stage::Established(_)
            | Stage::Leaving(_)
            | Stage::Offering(_)
            | Stage::Over => self.dialog().is_some_and(|it| it.id() == *id),
        }
    }

    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        match &self.stage {
            Stage::Alerting(alerting) => Some(&alerting.dialog),
            Stage::Established(established) => Some(&established.dialog),
            Stage::Leaving(leaving) => Some(&leaving.dialog),
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Over => None,
        }
    }

    /// The dialog a received request or one of ours belongs to.
    fn dialog_of(&mut self, message: &Message) -> Option<&mut Dialog> {
        match &mut self.stage {
            Stage::Inviting(inviting) => inviting.dialog_of(message),
            Stage::Alerting(alerting) => Some(&mut alerting.dialog),
            Stage::Established(established) => Some(&mut established.dialog),
            Stage::Leaving(leaving) => Some(&mut leaving.dialog),
            Stage::Offering(_) | Stage::Over => None,
        }
    }

    /// Whether an INVITE server transaction is this call's.
    pub(crate) fn owns_transaction(&self, transaction: TransactionId) -> bool {
        if self.is_succeeded_in(transaction) {
            return true;
        }
        match &self.stage {
            Stage::Alerting(alerting) => alerting.transaction == transaction,
            Stage::Established(established) => {
                established.answers(transaction) || self.negotiation.answers(transaction)
            }
            Stage::Offering(_) | Stage::Inviting(_) | Stage::Leaving(_) | Stage::Over => false,
        }
    }

    /// The media backend has answered.
    pub(crate) fn media_done(
        &mut self,
        endpoint: &mut Endpoint,
        request: MediaRequestId,
        result: Result<MediaOutcome, MediaError>,
    ) {
        let is_dealt_with = self.mixed(request, &result)
            || self.dtmf_sent(endpoint, request, &result)
            || self.succession_described(endpoint, request, &result)
            || self.recovery_described(endpoint, request, &result);
        if is_dealt_with {
            return;
        }
        match &self.stage {
            Stage::Offering(offering) if offering.request == request => self.offer_made(endpoint, result),
            Stage::Alerting(alerting) if alerting.is_making(request) => self.answer_made(endpoint, result),
            Stage::Established(_) | Stage::Inviting(_) => {
                self.negotiation_media_done(endpoint, request, result)
            }
            Stage::Offering(_) | Stage::Alerting(_) | Stage::Leaving(_) | Stage::Over => {}
        }
    }

    /// The media backend has seen something.
    pub(crate) fn media_event(
        &mut self,
        endpoint: &mut Endpoint,
        session: MediaSessionId,
        event: &MediaEvent,
    ) {
        if let MediaEvent::Transport { state } = event
            && self.candidate_transport(session, *state)
        {
            return;
        }
        if session != self.session || !self.session_open {
            return;
        }
        match event {
            MediaEvent::Transport { state } => self.transport_changed(endpoint, *state),
            MediaEvent::DtmfReceived { tone } => {
                endpoint.emit(crate::event::Event::DtmfReceived {
                    call: self.id(),
                    tone: *tone,
                });
            }
            MediaEvent::MicrophoneLost { kind } => self.info.microphone_problem = Some(*kind),
            MediaEvent::MicrophoneRestored => self.info.microphone_problem = None,
            MediaEvent::Candidates { fragment, matters } => {
                self.candidates_found(session, fragment, *matters);
            }
        }
    }

    /// Switches the microphone; the truth until the call ends, whatever happens to its media.
    pub(crate) fn set_muted(
        &mut self,
        endpoint: &mut Endpoint,
        muted: bool,
    ) -> Result<OperationId, CommandError> {
        if !self.is_live() {
            return Err(CommandError::WrongState);
        }
        self.info.muted = muted;
        if self.session_open {
            self.request_media(endpoint, MediaAction::SetMuted { muted });
        }
        self.mute_candidate(endpoint, muted);
        let operation = endpoint.new_operation();
        endpoint.finish(operation, Ok(()));
        Ok(operation)
    }

    /// Takes note of what the far end's description says.
    fn remote_description(&mut self, sdp: &str) {
        self.remote_media = RemoteMedia::read(sdp);
    }

    fn request_media(&mut self, endpoint: &mut Endpoint, action: MediaAction) -> MediaRequestId {
        let describes = matches!(
            action,
            MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. }
        );
        let request = endpoint.request_media(self.id(), self.session, action);
        if describes && !self.session_open {
            self.session_open = true;
            // Only now is there something to be muted; nothing is heard before the descriptions are exchanged.
            if self.info.muted {
                let action = MediaAction::SetMuted { muted: true };
                endpoint.request_media(self.id(), self.session, action);
            }
        }
        request
    }

    /// Leaves the present media session for a new one.
    fn renew_session(&mut self, endpoint: &mut Endpoint) {
        self.close_media(endpoint);
        self.session = endpoint.new_media_session();
        self.session_unagreed = true;
        self.trickle = Trickle::default();
        self.info.media = MediaTransport::New;
    }
}

/// The session description a message carries, if it carries one.
fn session_description(message: &Message) -> Option<&str> {
    message.session_description()
}

/// What the core reads from the far end's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoteMedia {
    /// From the far end's view.
    direction: Direction,
    /// It understands tones in RTP (RFC 4733).
    telephone_event: bool,
}

impl RemoteMedia {
    fn read(sdp: &str) -> Option<Self> {
        let description = SessionDescription::parse(sdp).ok()?;
        let audio = description.media().find(|media| media.kind() == "audio")?;
        let telephone_event = audio
            .codecs()
            .any(|codec| codec.name.eq_ignore_ascii_case("telephone-event"));
        Some(Self {
            direction: audio.direction(),
            telephone_event,
        })
    }
}
