//! What comes before the answer (RFC 3261 section 13.2.2.1, RFC 3960): ringing, early media and early dialogs.

use super::outgoing::{Cancel, Inviting};
use super::prack::Provisional;
use super::reason;
use super::{Call, CallState, Endpoint, MediaAction, Message, Stage, asserted_identity, session_description};
use crate::session_description::{Fingerprint, SessionDescription};
use crate::transaction::TransactionId;

/// A session description in a provisional response, and the fork it came from.
#[derive(Clone, Debug)]
pub(super) struct EarlyAnswer {
    pub(super) tag: String,
    pub(super) sdp: String,
    /// It came reliably: it is the answer of this fork, and has been applied as such.
    pub(super) settled: bool,
    /// The media backend cannot use it.
    pub(super) unusable: bool,
}

impl EarlyAnswer {
    /// Whether `answer` is that of another media end point: RFC 3261 section 13.2.1 forbids it within one dialog, but
    /// back-to-back platforms announce from one server and connect to another.
    pub(super) fn is_replaced_by(&self, answer: Option<&str>) -> bool {
        answer.is_some_and(|answer| media_end_point(answer) != media_end_point(&self.sdp))
    }
}

impl Inviting {
    /// Whether the fork of `request` has answered for good what the INVITE offered, and is the one that is heard.
    pub(super) fn has_settled(&self, request: &Message) -> bool {
        let tag = request.from().ok().and_then(|from| from.tag());
        self.early_answer
            .as_ref()
            .is_some_and(|early| early.settled && !early.unusable && Some(early.tag.as_str()) == tag)
    }

    /// The early answer cannot be used. Another fork may still win.
    pub(super) fn early_answer_unusable(&mut self) {
        if let Some(early) = &mut self.early_answer {
            early.unusable = true;
        }
    }
}

impl Call {
    pub(super) fn provisional(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) {
        let id = self.id();
        let Stage::Inviting(inviting) = &mut self.stage else {
            return;
        };
        let status = response.status().unwrap_or(0);
        let tag = response.to().ok().and_then(|to| to.tag());
        let invite = endpoint.sent_request(transaction).cloned();
        let provisional = match (invite, tag) {
            (Some(invite), Some(_)) if status != 100 => {
                inviting.forks.provisional(endpoint, id, &invite, response)
            }
            _ => Provisional::Unreliable,
        };
        if let Cancel::Wanted(cause) = inviting.cancel {
            inviting.cancel = Cancel::Sent(cause);
            return endpoint.cancel(transaction, reason::said(cause));
        }
        let (Some(tag), Cancel::No) = (tag, inviting.cancel) else {
            return;
        };
        match status {
            100 => {}
            _ if provisional == Provisional::Repeated => {}
            199 => self.fork_gone(tag),
            _ => self.heard_of_fork(endpoint, tag, response, provisional),
        }
    }

    /// RFC 6228: this telephone will not answer any more.
    fn fork_gone(&mut self, tag: &str) {
        let Stage::Inviting(inviting) = &mut self.stage else {
            return;
        };
        inviting.forks.take(tag);
        // Who answers gets fresh media, see `answered`; until then there is nothing to be heard.
        if inviting
            .early_answer
            .as_ref()
            .is_some_and(|early| early.tag == tag)
        {
            self.info.early_media = false;
        }
    }

    fn heard_of_fork(
        &mut self,
        endpoint: &mut Endpoint,
        tag: &str,
        response: &Message,
        provisional: Provisional,
    ) {
        if matches!(response.status(), Some(180..=183)) {
            self.info.state = CallState::Ringing;
        }
        if let Some(identity) = asserted_identity(response) {
            self.info.remote = identity;
        }
        if let Some(sdp) = session_description(response) {
            self.apply_early_answer(endpoint, tag, sdp, provisional == Provisional::Reliable);
        }
    }

    /// RFC 3960: the first fork that sends early media is heard. What it says reliably is its answer for good (RFC 3262
    /// section 5); anything else can still change.
    fn apply_early_answer(&mut self, endpoint: &mut Endpoint, tag: &str, sdp: &str, settled: bool) {
        let Stage::Inviting(inviting) = &mut self.stage else {
            return;
        };
        if inviting.invite.body().is_empty() {
            // There is nothing it could answer.
            return;
        }
        let is_heard = inviting.early_answer.as_ref();
        if is_heard.is_some_and(|early| early.tag != tag || early.settled || !settled) {
            return;
        }
        inviting.early_answer = Some(EarlyAnswer {
            tag: tag.to_owned(),
            sdp: sdp.to_owned(),
            settled,
            unusable: false,
        });
        self.info.early_media = true;
        if settled {
            return self.apply_first_answer(endpoint, sdp);
        }
        let action = MediaAction::ApplyAnswer {
            answer: sdp.to_owned(),
            provisional: true,
        };
        self.request_media(endpoint, action);
    }
}

/// What a peer connection knows its peer by: ICE user fragment and certificate fingerprint.
fn media_end_point(sdp: &str) -> Option<(Option<&str>, Option<Fingerprint<'_>>)> {
    let description = SessionDescription::parse(sdp).ok()?;
    let audio = description.media().find(|media| media.kind() == "audio")?;
    Some((audio.ice_ufrag(), audio.fingerprint()))
}
