//! Candidates that come after a description was sent (RFC 8838, RFC 8840).
//!
//! The media backend puts into a description what is useful within its budget (half trickle: that alone suffices), and
//! tells what is found later. To a far end that takes it, it goes by INFO; for another one, once per media session, a
//! re-INVITE carries what matters.

use super::{Call, CallState, Endpoint, HeaderName, MediaAction, MediaSessionId, Message, Stage};
use crate::call::negotiation::Negotiation;
use crate::endpoint::Purpose;
use crate::sip::Method;
use crate::transaction::TransactionId;

/// The Info-Package (RFC 8840 section 10).
pub(crate) const PACKAGE: &str = "trickle-ice";
/// The media type of candidates on their own (RFC 8840 section 9).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Larger fragments hold no candidates of one machine.
const MAX_FRAGMENT: usize = 16 * 1024;
/// Fragments of the far end that are passed on in one media session.
const MAX_RECEIVED: u32 = 100;

/// What has been found and told since the last description.
#[derive(Clone, Debug, Default)]
pub(super) struct Trickle {
    /// Found and not told yet. A fragment holds what the ones before held, so only the last counts (section 4.4).
    waiting: Option<Found>,
    /// INFO is out.
    info: Option<(TransactionId, Found)>,
    /// The re-INVITE for a far end that does not take INFO has been asked for.
    updated: bool,
    received: u32,
}

#[derive(Clone, Debug)]
struct Found {
    fragment: String,
    matters: bool,
}

impl Call {
    /// The media backend has found candidates after the description.
    pub(super) fn candidates_found(&mut self, session: MediaSessionId, fragment: &str, matters: bool) {
        if session != self.session || fragment.len() > MAX_FRAGMENT {
            return;
        }
        let already = self.trickle.waiting.as_ref().is_some_and(|found| found.matters);
        self.trickle.waiting = Some(Found {
            fragment: fragment.to_owned(),
            matters: matters || already,
        });
    }

    /// Tells what has been found, when there is somebody to be told and nothing is being negotiated.
    pub(super) fn advance_trickle(&mut self, endpoint: &mut Endpoint) {
        let is_free = matches!(self.negotiation, Negotiation::Idle)
            && self.trickle.info.is_none()
            && self.info.state == CallState::Active
            && endpoint.is_connected();
        if !is_free {
            return;
        }
        let id = self.id();
        let Stage::Established(established) = &mut self.stage else {
            return;
        };
        let Some(found) = self.trickle.waiting.take() else {
            return;
        };
        if !established.dialog.peer().trickle {
            return self.update_instead(&found);
        }
        let info = established
            .dialog
            .request(Method::Info)
            .header(HeaderName::InfoPackage, PACKAGE)
            .header(HeaderName::ContentDisposition, "Info-Package")
            .body(FRAGMENT, found.fragment.as_bytes());
        if let Ok(transaction) = endpoint.send(Purpose::Trickle(id), info) {
            self.trickle.info = Some((transaction, found));
        }
    }

    /// The far end does not take INFO: what matters goes into an offer, once.
    fn update_instead(&mut self, found: &Found) {
        if found.matters && !std::mem::replace(&mut self.trickle.updated, true) {
            self.want_renegotiation();
        }
    }

    /// The INFO with candidates was sent again with credentials.
    pub(crate) fn trickle_resent(&mut self, resent: TransactionId) {
        if let Some((transaction, _)) = &mut self.trickle.info {
            *transaction = resent;
        }
    }

    /// The INFO with candidates was answered with `status`, or not at all.
    pub(crate) fn trickle_done(&mut self, transaction: TransactionId, status: Option<u16>) {
        if matches!(status, Some(100..=199)) {
            return;
        }
        let Some((_, found)) = self.trickle.info.take_if(|(own, _)| *own == transaction) else {
            return;
        };
        if matches!(status, Some(200..=299)) {
            return;
        }
        if let Stage::Established(established) = &mut self.stage {
            established.dialog.peer_refuses_trickle();
        }
        self.update_instead(&found);
    }

    /// The far end's candidates; the status to answer their INFO with.
    pub(super) fn candidates_received(&mut self, endpoint: &mut Endpoint, info: &Message) -> u16 {
        let Ok(parts) = info.body_parts() else {
            return 400;
        };
        let Some(part) = parts.iter().find(|part| part.is(FRAGMENT)) else {
            return 415;
        };
        if part.bytes().len() > MAX_FRAGMENT {
            return 413;
        }
        let Ok(fragment) = std::str::from_utf8(part.bytes()) else {
            return 400;
        };
        self.trickle.received = self.trickle.received.saturating_add(1);
        if self.session_open && self.trickle.received <= MAX_RECEIVED {
            let fragment = fragment.to_owned();
            self.request_media(endpoint, MediaAction::AddCandidates { fragment });
        }
        200
    }
}
