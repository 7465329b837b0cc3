//! A media backend that negotiates like a peer connection and carries no sound.
//!
//! It holds the agent to the rules of a real one: an answer needs an offer, a second offer a rollback, and one session
//! cannot take the answers of two peers.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::session_description::{MediaDescription, SessionDescription};
use clearline_core::{
    ConferenceId, Direction, MediaAction, MediaError, MediaErrorKind, MediaOutcome, MediaSessionId, Rng,
};

/// All media sessions of a device.
#[derive(Clone, Debug)]
pub struct Media {
    device: usize,
    rng: Rng,
    pub(crate) sessions: BTreeMap<MediaSessionId, Session>,
    /// Sessions that are to begin muted: the user's wish may come before the microphone.
    muted_before: BTreeSet<MediaSessionId>,
    /// The next description fails with this.
    pub(crate) failure: Option<MediaErrorKind>,
}

/// One pretended peer connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    id: u64,
    version: u64,
    ufrag: String,
    direction: Direction,
    /// What the agent asked for last, and what it had asked for when a description was last agreed on. The microphone
    /// is let through while both are both ways: silence comes with the wish, sound with the agreement.
    wanted: Direction,
    agreed: Option<Direction>,
    signaling: Signaling,
    remote: Option<Remote>,
    pub(crate) is_muted: bool,
    conference: Option<ConferenceId>,
    pub(crate) is_closed: bool,
    /// The far end is connected.
    pub(crate) is_connected: bool,
    /// Tones that were sent.
    pub(crate) tones: String,
}

#[derive(Clone, Debug)]
enum Signaling {
    Stable,
    /// An offer is out; what it replaces if it is taken back.
    Offered {
        before: Before,
    },
    /// It has a provisional answer from this peer.
    Provisional {
        before: Before,
        ufrag: String,
    },
}

/// What an offer that is taken back leaves as it was: the old way of the audio too.
#[derive(Clone, Debug)]
struct Before {
    direction: Direction,
    ufrag: String,
    is_connected: bool,
}

#[derive(Clone, Debug)]
struct Remote {
    ufrag: String,
    direction: Direction,
}

impl Media {
    /// No sessions yet. `device` is told apart by the addresses in its descriptions.
    pub fn new(device: usize, seed: [u8; 32]) -> Self {
        Self {
            device,
            rng: Rng::new(seed),
            sessions: BTreeMap::new(),
            muted_before: BTreeSet::new(),
            failure: None,
        }
    }

    /// Whether the microphone of a session is let through, whatever has been negotiated.
    pub fn is_live(&self, session: MediaSessionId) -> bool {
        self.sessions.get(&session).is_some_and(Session::is_live)
    }

    /// Whether a session has been opened and not been closed.
    pub fn is_open(&self, session: MediaSessionId) -> bool {
        self.sessions
            .get(&session)
            .is_some_and(|session| !session.is_closed)
    }

    /// The conference a session takes part in.
    pub fn conference(&self, session: MediaSessionId) -> Option<ConferenceId> {
        self.sessions.get(&session)?.conference
    }

    /// Whether two open sessions have each other's descriptions.
    pub fn are_joined(&self, session: MediaSessionId, other: &Self, theirs: MediaSessionId) -> bool {
        let (own, theirs) = (self.sessions.get(&session), other.sessions.get(&theirs));
        own.zip(theirs)
            .is_some_and(|(a, b)| !a.is_closed && !b.is_closed && a.is_peer_of(b))
    }

    /// Does what an agent asks for.
    pub fn execute(
        &mut self,
        session: MediaSessionId,
        action: MediaAction,
    ) -> Result<MediaOutcome, MediaError> {
        if matches!(
            action,
            MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. }
        ) {
            self.open(session);
            if let Some(kind) = self.failure.take() {
                return Err(failed(kind, "as the test wishes"));
            }
        }
        let device = self.device;
        let Some(session) = self.sessions.get_mut(&session) else {
            self.act_before_opening(session, &action);
            return Ok(MediaOutcome::Done);
        };
        assert!(!session.is_closed, "nothing follows Close, but {action:?}");
        match action {
            MediaAction::CreateOffer {
                direction,
                ice_restart,
            } => {
                let fresh = self.rng.token(4);
                session.offer(device, direction, ice_restart.then_some(fresh))
            }
            MediaAction::CreateAnswer { offer, direction } => session.answer(device, &offer, direction),
            MediaAction::ApplyAnswer { answer, provisional } => session.apply(&answer, provisional),
            MediaAction::Rollback => session.roll_back(),
            MediaAction::AddCandidates { .. } => Ok(MediaOutcome::Done),
            MediaAction::SetMuted { muted } => {
                session.is_muted = muted;
                Ok(MediaOutcome::Done)
            }
            MediaAction::SetConference { conference } => {
                session.conference = conference;
                Ok(MediaOutcome::Done)
            }
            MediaAction::SendDtmf { tones, .. } => {
                session.tones.push_str(&tones);
                Ok(MediaOutcome::Done)
            }
            MediaAction::Close => {
                session.is_closed = true;
                Ok(MediaOutcome::Done)
            }
        }
    }

    fn act_before_opening(&mut self, session: MediaSessionId, action: &MediaAction) {
        match action {
            MediaAction::SetMuted { muted: true } => {
                self.muted_before.insert(session);
            }
            MediaAction::SetMuted { muted: false } | MediaAction::Close => {
                self.muted_before.remove(&session);
            }
            MediaAction::CreateOffer { .. }
            | MediaAction::CreateAnswer { .. }
            | MediaAction::ApplyAnswer { .. }
            | MediaAction::Rollback
            | MediaAction::AddCandidates { .. }
            | MediaAction::SetConference { .. }
            | MediaAction::SendDtmf { .. } => panic!("the session does not exist yet: {action:?}"),
        }
    }

    fn open(&mut self, id: MediaSessionId) {
        let is_muted = self.muted_before.remove(&id);
        let rng = &mut self.rng;
        self.sessions.entry(id).or_insert_with(|| Session {
            id: rng.next_u64() >> 1,
            version: 0,
            ufrag: rng.token(4),
            direction: Direction::SendRecv,
            wanted: Direction::SendRecv,
            agreed: None,
            signaling: Signaling::Stable,
            remote: None,
            is_muted,
            conference: None,
            is_closed: false,
            is_connected: false,
            tones: String::new(),
        });
    }
}

impl Session {
    /// Whether the two have each other's descriptions.
    pub(crate) fn is_peer_of(&self, other: &Self) -> bool {
        let knows = |a: &Self, b: &Self| a.remote.as_ref().is_some_and(|remote| remote.ufrag == b.ufrag);
        knows(self, other) && knows(other, self)
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    pub(crate) fn remote_ufrag(&self) -> Option<&str> {
        self.remote.as_ref().map(|remote| remote.ufrag.as_str())
    }

    /// Who looks for whom, once that is agreed.
    pub(crate) fn pair(&self) -> Option<[String; 2]> {
        let is_agreed = matches!(self.signaling, Signaling::Stable) && !self.is_closed;
        let remote = self.remote.as_ref().filter(|_| is_agreed)?;
        Some([self.ufrag.clone(), remote.ufrag.clone()])
    }

    /// Whether the microphone is let through.
    pub(crate) fn is_live(&self) -> bool {
        self.is_let_through() && !self.is_muted
    }

    /// Nobody holds: whatever there is to be heard is let through.
    fn is_let_through(&self) -> bool {
        let both = Direction::SendRecv;
        self.wanted == both && self.agreed == Some(both) && !self.is_closed
    }

    /// Whether sound leaves.
    pub(crate) fn sends(&self) -> bool {
        self.flows() && self.is_live() && self.negotiated().sends()
    }

    /// Whether what comes in from `other` leaves here: the microphone may be off, as that is about this user only.
    pub(crate) fn relays(&self, other: &Self) -> bool {
        let together = self.conference.is_some() && self.conference == other.conference;
        together && self.flows() && self.is_let_through() && self.negotiated().sends() && other.receives()
    }

    /// Whether sound is taken in.
    pub(crate) fn receives(&self) -> bool {
        self.flows() && self.negotiated().receives()
    }

    fn flows(&self) -> bool {
        self.is_connected && !self.is_closed
    }

    fn negotiated(&self) -> Direction {
        let remote = self
            .remote
            .as_ref()
            .map_or(Direction::Inactive, |remote| remote.direction);
        self.direction.and(remote.reversed())
    }

    fn offer(
        &mut self,
        device: usize,
        direction: Direction,
        fresh_ufrag: Option<String>,
    ) -> Result<MediaOutcome, MediaError> {
        assert!(
            matches!(self.signaling, Signaling::Stable),
            "an offer while another is out"
        );
        self.signaling = Signaling::Offered {
            before: Before {
                direction: self.direction,
                ufrag: self.ufrag.clone(),
                is_connected: self.is_connected,
            },
        };
        self.direction = direction;
        self.wanted = direction;
        if let Some(ufrag) = fresh_ufrag {
            self.ufrag = ufrag;
            self.is_connected = false;
        }
        Ok(self.description(device, "actpass"))
    }

    fn answer(
        &mut self,
        device: usize,
        offer: &str,
        direction: Direction,
    ) -> Result<MediaOutcome, MediaError> {
        assert!(
            matches!(self.signaling, Signaling::Stable),
            "an answer while an own offer is out"
        );
        let remote = Remote::read(offer)?;
        self.direction = direction.and(remote.direction.reversed());
        self.wanted = direction;
        self.agreed = Some(direction);
        self.take(remote);
        Ok(self.description(device, "active"))
    }

    fn apply(&mut self, answer: &str, provisional: bool) -> Result<MediaOutcome, MediaError> {
        let remote = Remote::read(answer)?;
        let before = match &self.signaling {
            Signaling::Stable => panic!("an answer without an offer"),
            Signaling::Offered { before } => before.clone(),
            Signaling::Provisional { ufrag, .. } if *ufrag != remote.ufrag => {
                return Err(failed(
                    MediaErrorKind::DescriptionRejected,
                    "the answer of another fork",
                ));
            }
            Signaling::Provisional { before, .. } => before.clone(),
        };
        let allowed = self.direction.reversed();
        if remote.direction.and(allowed) != remote.direction {
            return Err(failed(
                MediaErrorKind::DescriptionRejected,
                "the answer exceeds the offer",
            ));
        }
        self.signaling = match provisional {
            true => Signaling::Provisional {
                before,
                ufrag: remote.ufrag.clone(),
            },
            false => Signaling::Stable,
        };
        self.agreed = Some(self.wanted);
        self.take(remote);
        Ok(MediaOutcome::Done)
    }

    fn roll_back(&mut self) -> Result<MediaOutcome, MediaError> {
        match std::mem::replace(&mut self.signaling, Signaling::Stable) {
            Signaling::Stable => panic!("a rollback without an offer"),
            Signaling::Offered { before } | Signaling::Provisional { before, .. } => {
                self.is_connected |= before.is_connected && self.ufrag != before.ufrag;
                self.direction = before.direction;
                self.ufrag = before.ufrag;
            }
        }
        self.wanted = self.agreed.unwrap_or(self.wanted);
        Ok(MediaOutcome::Done)
    }

    fn take(&mut self, remote: Remote) {
        let is_same = self
            .remote
            .as_ref()
            .is_some_and(|known| known.ufrag == remote.ufrag);
        self.is_connected &= is_same;
        self.remote = Some(remote);
    }

    fn description(&mut self, device: usize, setup: &str) -> MediaOutcome {
        self.version += 1;
        let Self {
            id,
            version,
            ufrag,
            direction,
            ..
        } = self;
        let fingerprint = ["AB"; 32].join(":");
        let direction = direction.as_str();
        let sdp = format!(
            "v=0\r\no=- {id} {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio 40000 UDP/TLS/RTP/SAVPF 111 0 8 110 126\r\nc=IN IP4 192.0.2.{host}\r\n\
             a=candidate:1 1 udp 2122260223 192.0.2.{host} 40000 typ host\r\na=ice-ufrag:{ufrag}\r\n\
             a=ice-pwd:{ufrag}0123456789abcdef\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {fingerprint}\r\n\
             a=setup:{setup}\r\na=mid:0\r\na={direction}\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n\
             a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n",
            host = device + 1,
        );
        MediaOutcome::Description { sdp }
    }
}

impl Remote {
    /// Reads a description as far as a browser would insist on it.
    fn read(text: &str) -> Result<Self, MediaError> {
        let rejected = |why| failed(MediaErrorKind::DescriptionRejected, why);
        let description = SessionDescription::parse(text).map_err(|_| rejected("not a description"))?;
        let audio = description
            .media()
            .find(|media| media.kind() == "audio" && !media.is_rejected());
        let audio = audio.ok_or_else(|| rejected("no audio"))?;
        if audio.fingerprint().is_none() || !has_known_codec(&audio) {
            return Err(rejected("no fingerprint or no common codec"));
        }
        let ufrag = audio.ice_ufrag().ok_or_else(|| rejected("no ICE"))?;
        Ok(Self {
            ufrag: ufrag.to_owned(),
            direction: audio.direction(),
        })
    }
}

fn has_known_codec(audio: &MediaDescription<'_>) -> bool {
    audio.codecs().any(|codec| {
        ["opus", "PCMU", "PCMA"]
            .iter()
            .any(|known| codec.name.eq_ignore_ascii_case(known))
    })
}

fn failed(kind: MediaErrorKind, detail: &str) -> MediaError {
    MediaError {
        kind,
        detail: detail.to_owned(),
    }
}
