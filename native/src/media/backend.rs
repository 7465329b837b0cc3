//! The media backend with real packets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use clearline_core::media::HoldMusic;
use clearline_core::{Input, MediaAction, MediaSessionId};
use tokio::sync::mpsc;

use super::conference::{Conferences, SEATS};
use super::peer::{IceServer, PeerConfig};
use super::session::{self, Shared};
use super::statistics::StatisticsReader;
use super::{MediaBackend, MediaJob};
use crate::audio::{AudioProvider, Sound};

/// WebRTC audio: each session is a task with a peer connection, an Opus codec and an audio source and sink.
///
/// Needs a tokio runtime to work in.
pub struct WebRtcMedia {
    shared: Shared,
    sessions: BTreeMap<MediaSessionId, mpsc::UnboundedSender<MediaJob>>,
}

/// Settings of a [`WebRtcMedia`].
pub struct WebRtcMediaBuilder {
    audio: Arc<dyn AudioProvider>,
    peers: PeerConfig,
    hold_music: HoldMusic,
    hold_sound: Option<Sound>,
    conference_seats: usize,
}

impl WebRtcMedia {
    /// A backend whose sessions get their audio from `audio`.
    pub fn new(audio: impl AudioProvider) -> Self {
        Self::builder(audio).build()
    }

    /// A backend with settings of its own.
    pub fn builder(audio: impl AudioProvider) -> WebRtcMediaBuilder {
        WebRtcMediaBuilder {
            audio: Arc::new(audio),
            peers: PeerConfig::default(),
            hold_music: HoldMusic::default(),
            hold_sound: None,
            conference_seats: SEATS,
        }
    }

    /// Reads the figures of this backend's calls.
    pub fn statistics(&self) -> StatisticsReader {
        self.shared.statistics.clone()
    }
}

impl WebRtcMediaBuilder {
    /// STUN and TURN servers; without any, only addresses of this machine are offered.
    #[must_use]
    pub fn ice_servers(mut self, servers: Vec<IceServer>) -> Self {
        self.peers.ice_servers = servers;
        self
    }

    /// Local addresses to use instead of those of all interfaces but loopback.
    #[must_use]
    pub fn local_addresses(mut self, addresses: Vec<IpAddr>) -> Self {
        self.peers.addresses = addresses;
        self
    }

    /// Who plays to a party on hold.
    #[must_use]
    pub fn hold_music(mut self, hold_music: HoldMusic) -> Self {
        self.hold_music = hold_music;
        self
    }

    /// What is played instead of the melody where this side plays ([`HoldMusic::Generated`]).
    #[must_use]
    pub fn hold_sound(mut self, sound: Sound) -> Self {
        self.hold_sound = Some(sound);
        self
    }

    /// How many sessions one conference takes; 8 unless said otherwise.
    #[must_use]
    pub fn conference_seats(mut self, seats: usize) -> Self {
        self.conference_seats = seats;
        self
    }

    /// The backend.
    pub fn build(self) -> WebRtcMedia {
        let shared = Shared {
            audio: self.audio,
            peers: self.peers,
            hold_music: self.hold_music,
            hold_sound: self.hold_sound,
            conferences: Conferences::new(self.conference_seats),
            statistics: StatisticsReader::default(),
        };
        WebRtcMedia {
            shared,
            sessions: BTreeMap::new(),
        }
    }
}

impl MediaBackend for WebRtcMedia {
    fn execute(&mut self, job: MediaJob, reports: &mpsc::UnboundedSender<Input>) {
        let id = job.session;
        let last = job.action == MediaAction::Close;
        let session = self.sessions.entry(id).or_insert_with(|| {
            let (jobs, queue) = mpsc::unbounded_channel();
            tokio::spawn(session::run(
                self.shared.clone(),
                job.call,
                id,
                queue,
                reports.clone(),
            ));
            jobs
        });
        // A session ends with its last job only, so somebody takes this one.
        let _ = session.send(job);
        if last {
            self.sessions.remove(&id);
        }
    }
}

impl fmt::Debug for WebRtcMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRtcMedia")
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WebRtcMediaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRtcMediaBuilder").finish_non_exhaustive()
    }
}
