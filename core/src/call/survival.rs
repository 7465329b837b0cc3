//! How an answered call outlives its connections: what it has lost, what is done about it, and when it is given up.
//!
//! ```text
//!           platform lost, audio path down                     renegotiated, audio is back
//! whole ------------------------------------> reconnecting -------------------------------> whole
//!                                                  | no audio for `lost_call_timeout`
//!                                                  v
//!                                                ended
//! ```
//! A call that still has audio is never given up, however long the platform is away.

use super::negotiation::Offer;
use super::{Call, CallState, EndCause, Endpoint, MediaTransport, Message, Stage};
use crate::io::Timer;
use crate::time::{Duration, Instant};

/// An audio path that has stopped often comes back by itself; after this pause it is helped (RFC 8445 section 2.4).
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// The pause before the far end is told again what the platform did not pass on, and the most that is added to it when
/// the platform asks for more: a call cannot wait for ever.
const UNSERVED_PAUSE: Duration = Duration::from_secs(4);
const LONGEST_UNSERVED_PAUSE: Duration = Duration::from_secs(30);

/// What a call is without.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    /// The platform, or the far end's knowledge of where this side is.
    platform: bool,
    /// The audio path, which worked before.
    media: bool,
    /// Requests take another way than when the call was begun, and nobody could be told before it is answered.
    moved: bool,
    /// Since when nobody can be heard because of it.
    silent_since: Option<Instant>,
    /// When the audio path gets a fresh start.
    restart_at: Option<Instant>,
}

impl Losses {
    /// Those of a call that is brought back after a restart: its media are gone too.
    pub(super) fn of_restored(now: Instant) -> Self {
        Self {
            platform: true,
            media: true,
            silent_since: Some(now),
            ..Self::default()
        }
    }

    /// Whether the far end has to be told of a change that came before the answer.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub(super) fn is_any(&self) -> bool {
        self.platform || self.media
    }

    /// Whether a refusal of `status` is worth another try: the platform cannot serve just now, or the far end failed
    /// (RFC 3261 section 21.5.1) while there is no audio to lose. Without audio the call is given up in time anyway.
    pub(super) fn outlast(&self, status: u16) -> bool {
        match status {
            503 => self.is_any(),
            500 => self.media,
            _ => false,
        }
    }
}

impl Call {
    /// A connection is gone. An INVITE that came over it cannot be answered any more; the platform ends it there.
    pub(crate) fn connection_lost(&mut self, endpoint: &mut Endpoint, connection: crate::id::ConnectionId) {
        if let Stage::Alerting(alerting) = &self.stage
            && endpoint
                .transactions
                .flow(alerting.transaction)
                .is_none_or(|flow| flow.connection == connection)
        {
            self.end_without_answer(endpoint, EndCause::NetworkFailed);
        }
    }

    /// No connection to the platform is left.
    pub(crate) fn platform_lost(&mut self, endpoint: &mut Endpoint) {
        if matches!(self.stage, Stage::Established(_)) {
            self.losses.platform = true;
            self.note_silence(endpoint.now);
        }
    }

    /// Requests take another way now: the far end is told where this side is, and a media transport that has suffered, or
    /// whose addresses are gone, is renewed.
    pub(crate) fn reconnected(&mut self, network_changed: bool) {
        self.losses.moved = matches!(self.stage, Stage::Inviting(_) | Stage::Alerting(_));
        let has_suffered = matches!(
            self.info.media,
            MediaTransport::Disconnected | MediaTransport::Failed
        );
        if let Stage::Established(established) = &mut self.stage {
            let wanted = &mut established.wanted;
            wanted.refresh = true;
            wanted.renegotiate |= std::mem::take(&mut wanted.lost_reinvite);
            wanted.ice_restart |= network_changed || has_suffered;
        }
    }

    /// The platform does not pass the news on just now (RFC 3261 section 21.5.4): the far end has to hear them later.
    pub(super) fn try_again_when_served(
        &mut self,
        endpoint: &mut Endpoint,
        offer: Offer,
        response: &Message,
    ) {
        let asked = response
            .retry_after()
            .map(|secs| Duration::from_secs(u64::from(secs)));
        let pause = endpoint.rng.between(UNSERVED_PAUSE / 2, UNSERVED_PAUSE);
        let pause = pause + asked.unwrap_or_default().min(LONGEST_UNSERVED_PAUSE);
        self.want_again(offer);
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.not_before = Some(endpoint.now + pause);
        }
    }

    /// An offer has been refused: if nothing has been agreed on in the present media session, the call has no audio.
    pub(super) fn note_refusal(&mut self, now: Instant) {
        if self.session_unagreed {
            self.losses.media = true;
            self.note_silence(now);
        }
    }

    /// The far end has answered a request that told where this side is.
    pub(super) fn is_known_again(&mut self) {
        self.losses.platform = false;
        if !self.losses.is_any() {
            self.losses.silent_since = None;
        }
    }

    pub(super) fn transport_changed(&mut self, endpoint: &mut Endpoint, state: MediaTransport) {
        self.info.media = state;
        let is_answered = matches!(self.stage, Stage::Established(_));
        let losses = &mut self.losses;
        match state {
            MediaTransport::Connected => {
                losses.media = false;
                losses.restart_at = None;
            }
            MediaTransport::Disconnected if is_answered => {
                losses.media = true;
                losses.restart_at = Some(endpoint.now + RESTART_PAUSE);
            }
            MediaTransport::Failed if is_answered => {
                losses.media = true;
                losses.restart_at = Some(endpoint.now);
            }
            MediaTransport::New
            | MediaTransport::Connecting
            | MediaTransport::Disconnected
            | MediaTransport::Failed => {}
        }
        self.note_silence(endpoint.now);
        self.restart_media(endpoint);
    }

    /// When [`Self::wake_survival`] has something to do, and why.
    pub(super) fn survival_deadline(&self, endpoint: &Endpoint) -> Option<(Instant, Timer)> {
        let timeout = endpoint.config.lost_call_timeout;
        let give_up = self
            .losses
            .silent_since
            .map(|since| (since + timeout, Timer::Call));
        let restart = self.losses.restart_at.filter(|_| endpoint.is_connected());
        let restart = restart.map(|at| (at, Timer::Retry));
        [give_up, restart].into_iter().flatten().min()
    }

    pub(super) fn wake_survival(&mut self, endpoint: &mut Endpoint) {
        self.restart_media(endpoint);
        let timeout = endpoint.config.lost_call_timeout;
        let is_over = |since: Instant| since + timeout <= endpoint.now;
        if !self.losses.silent_since.is_some_and(is_over) {
            return;
        }
        self.losses = Losses::default();
        if endpoint.is_connected() {
            self.hang_up_because(endpoint, EndCause::NetworkFailed);
        } else {
            self.give_up(endpoint);
        }
    }

    /// Gives the audio path a fresh start when its pause is over. Without a platform nobody could be told; with it comes
    /// a fresh start anyway.
    fn restart_media(&mut self, endpoint: &Endpoint) {
        if !endpoint.is_connected() || self.losses.restart_at.take_if(|at| *at <= endpoint.now).is_none() {
            return;
        }
        if let Stage::Established(established) = &mut self.stage {
            established.wanted.ice_restart = true;
        }
    }

    fn note_silence(&mut self, now: Instant) {
        let is_silent = self.losses.is_any() && self.info.media != MediaTransport::Connected;
        let losses = &mut self.losses;
        losses.silent_since = is_silent.then(|| losses.silent_since.unwrap_or(now));
    }

    /// What the user is told.
    pub(super) fn is_reconnecting(&self) -> bool {
        self.info.state == CallState::Active && self.losses.is_any()
    }
}
