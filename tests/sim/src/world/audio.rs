//! Who hears whom.

use std::collections::BTreeSet;

use clearline_core::{CallId, Duration, MediaEvent, MediaSessionId, MediaTransport};

use super::World;
use super::delivery::Delivery;
use super::parties::MEDIA_TIME;
use crate::device::DeviceId;
use crate::media::Session;

/// ICE and DTLS.
const MEDIA_SETUP_TIME: Duration = Duration::from_millis(60);

/// Until those who cannot find each other give up (RFC 8445 section 8.1.2).
const CHECKING_TIME: Duration = Duration::from_secs(30);
/// Until it is noticed that nothing comes any more.
const SILENCE_NOTICED: Duration = Duration::from_secs(1);

/// What a call's microphone does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Microphone {
    /// It is let through, whatever has been negotiated.
    pub is_live: bool,
    /// What it picks up leaves.
    pub is_heard: bool,
}

impl World {
    /// Whether sound from `speaker` reaches `listener`: directly, through the platform, or through those who mix conferences.
    pub fn hears(&self, listener: DeviceId, speaker: DeviceId) -> bool {
        let mouths = self.sessions_of(speaker).filter(|(_, session)| session.sends());
        let mut ways: Vec<_> = mouths.flat_map(|(_, session)| self.ears_of(session)).collect();
        let mut seen = BTreeSet::new();
        while let Some((device, id)) = ways.pop() {
            if device == listener {
                return true;
            }
            let Some(from) = self.devices[device.0].media.sessions.get(&id) else {
                continue;
            };
            if seen.insert((device, id)) {
                let legs = self.sessions_of(device).filter(|(leg, _)| *leg != id);
                let legs = legs.filter(|(_, leg)| leg.relays(from));
                ways.extend(legs.flat_map(|(_, leg)| self.ears_of(leg)));
            }
        }
        false
    }

    fn sessions_of(&self, device: DeviceId) -> impl Iterator<Item = (MediaSessionId, &Session)> {
        let sessions = self.devices[device.0].media.sessions.iter();
        sessions.map(|(id, session)| (*id, session))
    }

    /// The sessions that take in what is sent by this one.
    fn ears_of(&self, session: &Session) -> Vec<(DeviceId, MediaSessionId)> {
        let all = self
            .devices()
            .flat_map(|device| self.sessions_of(device).map(move |(id, it)| (device, id, it)));
        let ears = all.filter(|(_, _, ear)| ear.receives() && self.are_joined(ear, session));
        ears.map(|(device, id, _)| (device, id)).collect()
    }

    /// Whether a device has a microphone open: a media session that is not closed.
    pub fn has_open_media(&self, device: DeviceId) -> bool {
        let mut sessions = self.devices[device.0].media.sessions.values();
        sessions.any(|session| !session.is_closed)
    }

    /// Whether anything a microphone of this device picks up leaves it.
    pub fn is_heard_by_anyone(&self, device: DeviceId) -> bool {
        self.devices[device.0].media.sessions.values().any(Session::sends)
    }

    /// Whether a media session of this device has its microphone open, whatever has been negotiated.
    pub fn has_live_microphone(&self, device: DeviceId) -> bool {
        self.devices[device.0]
            .media
            .sessions
            .values()
            .any(Session::is_live)
    }

    /// The microphone of a call that has media.
    pub fn microphone(&self, device: DeviceId, call: CallId) -> Option<Microphone> {
        let session = self.session(device, call)?;
        Some(Microphone {
            is_live: session.is_live(),
            is_heard: session.sends(),
        })
    }

    /// Whether a device's media backend has been asked for something that is not done.
    pub fn media_is_busy(&self, device: DeviceId) -> bool {
        let mut postponed = self.devices[device.0].postponed.iter();
        self.queue.is_media_busy(device) || postponed.any(|delivery| delivery.is_media_job_of(device))
    }

    /// The call at another device whose media are joined with those of this call.
    pub fn partner(&self, device: DeviceId, call: CallId) -> Option<(DeviceId, CallId)> {
        let session = self.session(device, call)?;
        let devices = self.devices.iter().enumerate();
        let mut calls = devices.flat_map(|(at, other)| {
            let ids = other.sessions.values();
            ids.map(move |id| (DeviceId(at), *id))
        });
        calls.find(|(other, id)| {
            let is_same = (*other, *id) == (device, call);
            let other = self.session(*other, *id);
            !is_same && other.is_some_and(|other| self.are_joined(session, other))
        })
    }

    /// The calls of a device or a service that have media.
    pub fn calls_with_media(&self, device: DeviceId) -> Vec<CallId> {
        let calls: BTreeSet<_> = self.devices[device.0].sessions.values().copied().collect();
        let has_media = |call: &CallId| self.session(device, *call).is_some();
        calls.into_iter().filter(has_media).collect()
    }

    /// Whether sound of the one call reaches the other.
    pub fn hears_in(&self, listener: (DeviceId, CallId), speaker: (DeviceId, CallId)) -> bool {
        let (a, b) = (
            self.session(listener.0, listener.1),
            self.session(speaker.0, speaker.1),
        );
        a.zip(b)
            .is_some_and(|(a, b)| a.receives() && b.sends() && self.are_joined(a, b))
    }

    /// A call may have a second session on trial beside the one that carries its sound.
    fn session(&self, device: DeviceId, call: CallId) -> Option<&Session> {
        let device = &self.devices[device.0];
        let own = device.sessions.iter().filter(|(_, owner)| **owner == call);
        let sessions = own.filter_map(|(id, _)| device.media.sessions.get(id));
        let open = sessions.filter(|session| !session.is_closed);
        open.max_by_key(|session| session.is_connected)
    }

    /// All tones a device has sent.
    pub fn tones_sent(&self, device: DeviceId) -> String {
        let sessions = self.devices[device.0].media.sessions.values();
        sessions.map(|session| session.tones.as_str()).collect()
    }

    /// Connects the media sessions that have just got to know their peer.
    pub(super) fn connect_media(&mut self) {
        let open = self.open_sessions();
        for (device, id, session) in &open {
            let has_peer = open.iter().any(|(_, _, other)| session.is_peer_of(other));
            if session.is_connected {
                continue;
            }
            if has_peer || self.is_anchored(session) {
                self.connect_session(*device, *id);
            } else if let Some(pair) = session.pair() {
                self.check_for_peer(*device, *id, pair);
            }
        }
    }

    fn check_for_peer(&mut self, device: DeviceId, session: MediaSessionId, pair: [String; 2]) {
        let known = self.checking.insert((device, session), pair.clone());
        if known.as_ref() != Some(&pair) {
            let delivery = Delivery::NobodyFound {
                device,
                session,
                pair,
            };
            self.schedule(CHECKING_TIME, delivery);
        }
    }

    /// A session has looked for its peer for long enough.
    pub(super) fn nobody_found(&mut self, device: DeviceId, id: MediaSessionId, pair: &[String; 2]) {
        self.checking.remove(&(device, id));
        let session = self.devices[device.0].media.sessions.get(&id);
        let still_looks = |session: &Session| !session.is_connected && session.pair().as_ref() == Some(pair);
        if session.is_some_and(still_looks) {
            self.media_transport(device, id, MEDIA_TIME, MediaTransport::Failed);
        }
    }

    /// Those whose far end has closed its session, or whose platform knows them no more, notice it after a while.
    pub(super) fn disconnect_media(&mut self) {
        let open = self.open_sessions();
        for (device, id, session) in &open {
            if session.is_connected && !self.has_far_end(session, &open) {
                if let Some(session) = self.devices[device.0].media.sessions.get_mut(id) {
                    session.is_connected = false;
                }
                self.media_transport(*device, *id, SILENCE_NOTICED, MediaTransport::Disconnected);
            }
        }
    }

    /// Whether somebody still takes part: a far end that is about to change its credentials knows this one's.
    fn has_far_end(&self, session: &Session, open: &[(DeviceId, MediaSessionId, Session)]) -> bool {
        let Some(remote) = session.remote_ufrag() else {
            return false;
        };
        let knows =
            |other: &Session| other.ufrag() == remote || other.remote_ufrag() == Some(session.ufrag());
        let has_peer = open.iter().any(|(_, _, other)| knows(other));
        let platform = self.platform.as_ref();
        has_peer || platform.is_some_and(|platform| platform.has_anchor(remote))
    }

    fn open_sessions(&self) -> Vec<(DeviceId, MediaSessionId, Session)> {
        let devices = self.devices.iter().enumerate();
        let all = devices.flat_map(|(at, device)| {
            let sessions = device.media.sessions.iter();
            sessions.map(move |(id, session)| (DeviceId(at), *id, session.clone()))
        });
        all.filter(|(_, _, session)| !session.is_closed).collect()
    }

    fn connect_session(&mut self, device: DeviceId, id: MediaSessionId) {
        if let Some(session) = self.devices[device.0].media.sessions.get_mut(&id) {
            session.is_connected = true;
        }
        self.media_transport(device, id, MEDIA_TIME, MediaTransport::Connecting);
        self.media_transport(device, id, MEDIA_SETUP_TIME, MediaTransport::Connected);
    }

    fn media_transport(
        &mut self,
        device: DeviceId,
        session: MediaSessionId,
        after: Duration,
        state: MediaTransport,
    ) {
        let event = MediaEvent::Transport { state };
        let delivery = Delivery::MediaEvent {
            device,
            session,
            event,
        };
        self.schedule(after, delivery);
    }

    /// Whether what was seen of a session has been overtaken by a new connection.
    pub(super) fn is_overtaken(&self, device: DeviceId, session: MediaSessionId, event: &MediaEvent) -> bool {
        let is_loss = matches!(
            event,
            MediaEvent::Transport {
                state: MediaTransport::Disconnected
            }
        );
        let session = self.devices[device.0].media.sessions.get(&session);
        is_loss && session.is_some_and(|session| session.is_connected)
    }

    fn is_anchored(&self, session: &Session) -> bool {
        let (Some(platform), Some(anchor)) = (&self.platform, session.remote_ufrag()) else {
            return false;
        };
        platform.is_media_peer(anchor, session.ufrag())
    }

    fn are_joined(&self, a: &Session, b: &Session) -> bool {
        if a.is_peer_of(b) {
            return true;
        }
        let (Some(platform), Some(anchor)) = (&self.platform, a.remote_ufrag()) else {
            return false;
        };
        self.is_anchored(a) && self.is_anchored(b) && platform.bridged(anchor).as_deref() == Some(b.ufrag())
    }
}
