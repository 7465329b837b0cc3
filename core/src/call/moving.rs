//! Media that move to another session, in another window for example: make before break. The call sounds on in the old
//! session until the far end has agreed to the new one; if it refuses, nothing has changed.
//!
//! ```text
//!            offer of the new session                agreed
//! old alone ---------------------------> old and new --------> new alone
//!     ^                                       | refused, glare, no answer
//!     +---------------------------------------+
//! ```

use super::{Call, Endpoint, MediaAction, MediaRequestId, MediaSessionId, MediaTransport, Stage};

/// The session the media are moving to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    session: MediaSessionId,
    transport: MediaTransport,
}

impl Call {
    pub(super) fn begin_move(&mut self, endpoint: &mut Endpoint) {
        self.candidate = Some(Candidate {
            session: endpoint.new_media_session(),
            transport: MediaTransport::New,
        });
    }

    /// Asks the session that descriptions are being exchanged for.
    pub(super) fn negotiate_media(&mut self, endpoint: &mut Endpoint, action: MediaAction) -> MediaRequestId {
        match (&self.candidate, &action) {
            (Some(candidate), MediaAction::CreateOffer { .. }) => {
                let session = candidate.session;
                self.describe_in(endpoint, session, action)
            }
            (Some(candidate), _) => endpoint.request_media(self.id(), candidate.session, action),
            (None, _) => self.request_media(endpoint, action),
        }
    }

    /// The new session is agreed: the old one is closed now.
    pub(super) fn finish_move(&mut self, endpoint: &mut Endpoint) {
        let Some(candidate) = self.candidate.take() else {
            return;
        };
        self.close_media(endpoint);
        self.session = candidate.session;
        self.session_open = true;
        self.session_unagreed = false;
        if let Stage::Established(established) = &mut self.stage {
            // It was the old session that needed it.
            established.wanted.ice_restart = false;
        }
        self.transport_changed(endpoint, candidate.transport);
    }

    /// The new session is not to be had; `true` if there was one. The old one is as it was.
    pub(super) fn break_off_move(&mut self, endpoint: &mut Endpoint) -> bool {
        let Some(candidate) = self.candidate.take() else {
            return false;
        };
        endpoint.request_media(self.id(), candidate.session, MediaAction::Close);
        true
    }

    /// Whether `session` is the new one, whose transport is `state` now.
    pub(super) fn candidate_transport(&mut self, session: MediaSessionId, state: MediaTransport) -> bool {
        let is_new = |candidate: &&mut Candidate| candidate.session == session;
        match self.candidate.as_mut().filter(is_new) {
            Some(candidate) => {
                candidate.transport = state;
                true
            }
            None => false,
        }
    }

    pub(super) fn mute_candidate(&self, endpoint: &mut Endpoint, muted: bool) {
        if let Some(candidate) = self.candidate {
            endpoint.request_media(self.id(), candidate.session, MediaAction::SetMuted { muted });
        }
    }
}
