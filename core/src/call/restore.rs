//! A call across a restart of the agent.

use serde::{Deserialize, Serialize};

use super::{
    Call, CallInfo, CallState, Consultation, Endpoint, Established, FocusRequest, MediaTransport, Referee,
    RemoteMedia, SessionTimer, Stage, Transfer,
};
use crate::dialog::Dialog;
use crate::endpoint::Farewell;
use crate::time::{Duration, Instant};

/// More requests than can have been sent in the time after a snapshot in which a call is restored; their numbers are
/// skipped.
pub(crate) const UNSEEN_REQUESTS: u32 = 1_000;

/// What is kept of an answered call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Restored {
    info: CallInfo,
    dialog: Dialog,
    remote_media: Option<RemoteMedia>,
    hold: bool,
    #[serde(default)]
    session_timer: SessionTimer,
    #[serde(default)]
    transfer: Option<Box<Transfer>>,
    #[serde(default)]
    consultation: Option<Consultation>,
    #[serde(default)]
    referee: Option<Box<Referee>>,
    #[serde(default)]
    focus_requests: Vec<FocusRequest>,
}

impl Call {
    /// `None` for a call that is not answered or on its way out: it cannot be brought back.
    /// `hold` stands for what is wanted, if that is only a step of something that a restart ends.
    pub(crate) fn to_snapshot(&self, hold: Option<bool>) -> Option<Restored> {
        let established = self
            .established()
            .filter(|_| self.info.state == CallState::Active)?;
        // Told anew from what is kept below. Its form is for people who look at it, and snapshots may be written in one
        // that does not name its fields, from which such a type cannot be read.
        let info = CallInfo {
            transfer: None,
            ..self.info.clone()
        };
        Some(Restored {
            info,
            dialog: established.dialog.clone(),
            remote_media: self.remote_media,
            hold: hold.unwrap_or(established.wanted.hold),
            session_timer: self.session_timer,
            transfer: self.transfer.clone(),
            consultation: self.consultation,
            referee: self.referee.clone(),
            focus_requests: self.focus_requests.clone(),
        })
    }

    /// What is owed to the far end of a call that has been answered and cannot be brought back: one whose ACK is still
    /// to come, or that is being left.
    pub(crate) fn farewell_after_restart(&self, now: Instant) -> Option<Farewell> {
        let dialog = match &self.stage {
            Stage::Established(established) if self.info.state != CallState::Active => &established.dialog,
            Stage::Leaving(leaving) => &leaving.dialog,
            Stage::Established(_)
            | Stage::Offering(_)
            | Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Over => return None,
        };
        Some(Farewell::new(dialog.clone(), now))
    }

    pub(crate) fn restore(
        endpoint: &mut Endpoint,
        restored: Restored,
        taken_at: Instant,
        now: Instant,
        asleep: Duration,
    ) -> Self {
        let Restored {
            mut info,
            mut dialog,
            remote_media,
            hold,
            session_timer,
            transfer,
            consultation,
            referee,
            focus_requests,
        } = restored;
        // The clock may have another origin now: moments are moved by their age.
        let moved = |at: Instant| now.saturating_sub(taken_at.saturating_since(at) + asleep);
        info.answered_at = info.answered_at.map(moved);
        info.created_at = moved(info.created_at);
        info.media = MediaTransport::New;
        dialog.skip_numbers(UNSEEN_REQUESTS);
        let mut established = Established::new(dialog);
        established.wanted.hold = hold;
        // Once the agent is back: what was negotiated belongs to media that are gone.
        established.wanted.lost_reinvite = true;
        let mut call = Self {
            session: endpoint.new_media_session(),
            session_open: false,
            session_unagreed: true,
            candidate: None,
            negotiation: super::Negotiation::Idle,
            remote_media,
            session_timer: session_timer.moved(moved),
            unacknowledged: None,
            info,
            reported: None,
            losses: super::Losses::of_restored(now),
            stage: Stage::Established(Box::new(established)),
            mix: super::Mix::default(),
            dtmf: super::Dtmf::default(),
            hang_up_operation: None,
            trickle: super::Trickle::default(),
            succession: None,
            recovery: None,
            transfer: transfer.map(|it| Box::new(it.moved(moved, now))),
            consultation,
            returns: false,
            referee: referee.map(|it| Box::new(it.moved(UNSEEN_REQUESTS, now))),
            errand: None,
            offered_for: None,
            focus_requests: focus_requests
                .into_iter()
                .map(|it| it.moved(moved, now))
                .collect(),
            // What is not known is not the first.
            has_asked_focus: true,
            done_with: None,
        };
        call.info.transfer = call.transfer_under_way();
        call
    }
}
