//! What a call has to do for the conference it is part of: its media are mixed with those of the other calls.

use super::{
    Call, CallState, ConferenceId, Endpoint, MediaAction, MediaError, MediaOutcome, MediaRequestId, Message,
    Stage,
};
use crate::sip::{Method, RequestBuilder};

/// What the media session of the call has been told of conferences.
#[derive(Clone, Debug, Default)]
pub(super) struct Mix {
    told: Option<ConferenceId>,
    /// The request that told it, until it is answered.
    asked: Option<MediaRequestId>,
    /// Why it could not be done.
    failure: Option<MediaError>,
}

impl Call {
    /// Whether it can be part of a conference: answered, and not on its way out.
    pub(crate) fn is_answered(&self) -> bool {
        self.info.state == CallState::Active
    }

    /// Lets the media session take part in a conference, or in none. Media that are held, by either side, take part in
    /// none: the music of a party that holds is nothing for the others.
    pub(crate) fn mix(&mut self, endpoint: &mut Endpoint, conference: Option<ConferenceId>) {
        let is_held = self.info.local_hold || self.info.remote_hold;
        let conference = conference.filter(|_| !is_held);
        if self.mix.told == conference || !self.session_open {
            return;
        }
        let request = self.request_media(endpoint, MediaAction::SetConference { conference });
        self.mix = Mix {
            told: conference,
            asked: Some(request),
            failure: None,
        };
    }

    /// Takes note of the number of a request that the application answers; `false` if it is out of order.
    pub(crate) fn takes_number(&mut self, request: &Message) -> bool {
        match &mut self.stage {
            Stage::Established(established) => established.dialog.accepts(request),
            Stage::Offering(_)
            | Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Leaving(_)
            | Stage::Over => false,
        }
    }

    /// The next request of the application's own in the dialog.
    pub(crate) fn next_request(&mut self, method: Method<'_>) -> Option<RequestBuilder> {
        match &mut self.stage {
            Stage::Established(established) => Some(established.dialog.request(method)),
            Stage::Offering(_)
            | Stage::Inviting(_)
            | Stage::Alerting(_)
            | Stage::Leaving(_)
            | Stage::Over => None,
        }
    }

    /// Whether the media session has done what it was told last.
    pub(crate) fn is_mixed_as_told(&self) -> bool {
        self.mix.asked.is_none()
    }

    /// Why the media session cannot take part in the conference, if it cannot; only once.
    pub(crate) fn take_mix_failure(&mut self) -> Option<MediaError> {
        self.mix.failure.take()
    }

    /// Whether the far end is held, or not, as `hold` says, and is to stay so.
    pub(crate) fn is_settled_on(&self, hold: bool) -> bool {
        !self.is_negotiating() && self.info.local_hold == hold && self.wants_hold() == hold
    }

    /// The media backend has answered; `true` if the request was about conferences.
    pub(super) fn mixed(
        &mut self,
        request: MediaRequestId,
        result: &Result<MediaOutcome, MediaError>,
    ) -> bool {
        if self.mix.asked != Some(request) {
            return false;
        }
        self.mix.asked = None;
        // Whoever cannot leave has never come in.
        if let (Some(_), Err(error)) = (self.mix.told, result) {
            self.mix.failure = Some(error.clone());
        }
        true
    }
}
