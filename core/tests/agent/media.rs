//! A media backend without media: strict about the order of actions, as `RTCPeerConnection` is.

use std::collections::{BTreeMap, VecDeque};

use clearline_core::session_description::SessionDescription;
use clearline_core::{
    ConferenceId, Direction, MediaAction, MediaError, MediaErrorKind, MediaOutcome, MediaRequestId,
    MediaSessionId,
};

/// A session description with one audio stream.
pub(crate) fn sdp(direction: Direction) -> String {
    description(0, 0, direction, true)
}

/// The same from a telephone that takes tones by INFO only.
pub(crate) fn sdp_without_tones(direction: Direction) -> String {
    description(0, 0, direction, false)
}

fn description(session: u64, version: u32, direction: Direction, telephone_event: bool) -> String {
    let tones = if telephone_event {
        "a=rtpmap:110 telephone-event/48000\r\n"
    } else {
        ""
    };
    format!(
        "v=0\r\no=- {session} {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\nc=IN IP4 192.0.2.9\r\n\
         a=rtpmap:111 opus/48000/2\r\n{tones}a={direction}\r\n"
    )
}

/// Reads the direction in a description.
pub(crate) fn direction_of(sdp: &str) -> Direction {
    offered_direction(sdp).unwrap()
}

/// The same of a description that may be anything.
fn offered_direction(sdp: &str) -> Result<Direction, String> {
    let description = SessionDescription::parse(sdp).map_err(|error| error.to_string())?;
    let audio = description.media().next().ok_or("nothing is offered")?;
    Ok(audio.direction())
}

/// The session's id and its version, from the origin line.
pub(crate) fn origin_of(sdp: &str) -> (u64, u32) {
    let origin = sdp.lines().find_map(|line| line.strip_prefix("o=- ")).unwrap();
    let mut parts = origin.split(' ');
    (
        parts.next().unwrap().parse().unwrap(),
        parts.next().unwrap().parse().unwrap(),
    )
}

/// JSEP's signalling states (RFC 8829 section 3.2), as far as an agent gets into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signalling {
    New,
    Stable,
    LocalOffer { from: Before },
    ProvisionalAnswer,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    New,
    Stable,
}

#[derive(Clone, Debug)]
struct Session {
    signalling: Signalling,
    version: u32,
    muted: bool,
    conference: Option<ConferenceId>,
    /// What was asked for last, and what the last exchange agreed on.
    wanted: Direction,
    agreed: Direction,
}

impl Session {
    fn perform(&mut self, id: MediaSessionId, action: &MediaAction) -> Result<MediaOutcome, String> {
        if let MediaAction::CreateAnswer { offer, .. } = action {
            offered_direction(offer)?;
        }
        let in_state = format!("in {:?}", self.signalling);
        self.signalling = match (action, self.signalling) {
            (MediaAction::CreateOffer { .. }, Signalling::New) => {
                Signalling::LocalOffer { from: Before::New }
            }
            (MediaAction::CreateOffer { .. }, Signalling::Stable) => {
                Signalling::LocalOffer { from: Before::Stable }
            }
            (MediaAction::CreateAnswer { .. }, Signalling::New | Signalling::Stable) => Signalling::Stable,
            (
                MediaAction::ApplyAnswer { provisional, .. },
                Signalling::LocalOffer { .. } | Signalling::ProvisionalAnswer,
            ) => {
                if *provisional {
                    Signalling::ProvisionalAnswer
                } else {
                    Signalling::Stable
                }
            }
            (MediaAction::Rollback, Signalling::LocalOffer { from: Before::New }) => Signalling::New,
            (MediaAction::Rollback, Signalling::LocalOffer { from: Before::Stable }) => Signalling::Stable,
            (MediaAction::Close, Signalling::Closed) => return Err(in_state),
            (MediaAction::Close, _) => Signalling::Closed,
            (MediaAction::SetMuted { muted }, state) => {
                self.muted = *muted;
                state
            }
            (MediaAction::SetConference { conference }, state) => {
                self.conference = *conference;
                state
            }
            (MediaAction::SendDtmf { .. } | MediaAction::AddCandidates { .. }, state) => state,
            (
                MediaAction::CreateOffer { .. }
                | MediaAction::CreateAnswer { .. }
                | MediaAction::ApplyAnswer { .. }
                | MediaAction::Rollback,
                _,
            ) => return Err(in_state),
        };
        self.direct(action);
        Ok(self.outcome(id, action))
    }

    /// Silence comes with the wish, sound with the agreement.
    fn direct(&mut self, action: &MediaAction) {
        match action {
            MediaAction::CreateOffer { direction, .. } => self.wanted = *direction,
            MediaAction::CreateAnswer { direction, .. } => {
                self.wanted = *direction;
                self.agreed = *direction;
            }
            MediaAction::ApplyAnswer { .. } => self.agreed = self.wanted,
            MediaAction::Rollback => self.wanted = self.agreed,
            MediaAction::AddCandidates { .. }
            | MediaAction::SetMuted { .. }
            | MediaAction::SetConference { .. }
            | MediaAction::SendDtmf { .. }
            | MediaAction::Close => {}
        }
    }

    fn outcome(&mut self, id: MediaSessionId, action: &MediaAction) -> MediaOutcome {
        let direction = match action {
            MediaAction::CreateOffer { direction, .. } => *direction,
            MediaAction::CreateAnswer { offer, direction } => direction.and(direction_of(offer).reversed()),
            MediaAction::ApplyAnswer { .. }
            | MediaAction::Rollback
            | MediaAction::SetMuted { .. }
            | MediaAction::SetConference { .. }
            | MediaAction::SendDtmf { .. }
            | MediaAction::AddCandidates { .. }
            | MediaAction::Close => return MediaOutcome::Done,
        };
        self.version += 1;
        MediaOutcome::Description {
            sdp: description(id.0, self.version, direction, true),
        }
    }
}

/// What was asked of the backend, and what it has not answered yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeMedia {
    sessions: BTreeMap<MediaSessionId, Session>,
    pending: VecDeque<(MediaRequestId, MediaSessionId, MediaAction)>,
    pub(crate) log: Vec<(MediaSessionId, MediaAction)>,
    /// Answers wait for the test's word.
    pub(crate) held_back: bool,
    /// Says no to what it cannot do, where it otherwise calls it a bug of the agent. For backends that fail.
    pub(crate) forgives: bool,
}

impl FakeMedia {
    pub(crate) fn requested(
        &mut self,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    ) {
        let closed = self.sessions.get(&session).map(|known| known.signalling) == Some(Signalling::Closed);
        assert!(!closed, "{action:?} after Close");
        self.log.push((session, action.clone()));
        self.pending.push_back((request, session, action));
    }

    pub(crate) fn next_request(&self) -> Option<&MediaAction> {
        self.pending.front().map(|(_, _, action)| action)
    }

    /// Executes the oldest request.
    pub(crate) fn execute(&mut self) -> Option<(MediaRequestId, Result<MediaOutcome, MediaError>)> {
        let (request, session, action) = self.pending.pop_front()?;
        let result = self.perform(session, &action);
        assert!(
            self.forgives || result.is_ok(),
            "{action:?}: {}",
            result.unwrap_err()
        );
        let result = result.map_err(|detail| MediaError {
            kind: MediaErrorKind::Failed,
            detail,
        });
        Some((request, result))
    }

    /// Refuses the oldest request, leaving its session as it was; only Close is done all the same.
    pub(crate) fn fail(
        &mut self,
        kind: MediaErrorKind,
    ) -> Option<(MediaRequestId, Result<MediaOutcome, MediaError>)> {
        if self.next_request() == Some(&MediaAction::Close) {
            return self.execute();
        }
        let (request, ..) = self.pending.pop_front()?;
        let detail = "the test says so".to_owned();
        Some((request, Err(MediaError { kind, detail })))
    }

    fn perform(&mut self, id: MediaSessionId, action: &MediaAction) -> Result<MediaOutcome, String> {
        let creates = matches!(
            action,
            // One whose first description failed is closed all the same.
            MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. } | MediaAction::Close
        );
        if creates {
            self.sessions.entry(id).or_insert(Session {
                signalling: Signalling::New,
                version: 0,
                muted: false,
                conference: None,
                wanted: Direction::SendRecv,
                agreed: Direction::SendRecv,
            });
        }
        let session = self.sessions.get_mut(&id).ok_or("there is no such session")?;
        session.perform(id, action)
    }

    /// The sessions that have not been closed.
    pub(crate) fn open_sessions(&self) -> Vec<MediaSessionId> {
        let open = self
            .sessions
            .iter()
            .filter(|(_, session)| session.signalling != Signalling::Closed);
        open.map(|(id, _)| *id).collect()
    }

    /// Whether no offer of `session` is left without its answer.
    pub(crate) fn is_stable(&self, session: MediaSessionId) -> bool {
        self.sessions[&session].signalling == Signalling::Stable
    }

    /// Whether the microphone of `session` is heard.
    pub(crate) fn is_heard(&self, session: MediaSessionId) -> bool {
        let Session {
            muted,
            wanted,
            agreed,
            ..
        } = self.sessions[&session];
        !muted && wanted == Direction::SendRecv && agreed == Direction::SendRecv
    }

    /// The open sessions that are mixed with another one, neither of them silenced by a hold.
    pub(crate) fn mixed(&self) -> Vec<MediaSessionId> {
        let conference = |id: &MediaSessionId| self.sessions[id].conference;
        let open = self.open_sessions();
        let is_mixed = |id: &MediaSessionId| {
            let mut others = open.iter().filter(|other| *other != id);
            conference(id).is_some() && others.any(|other| conference(other) == conference(id))
        };
        open.iter().filter(|id| is_mixed(id)).copied().collect()
    }

    pub(crate) fn is_muted(&self, session: MediaSessionId) -> bool {
        self.sessions[&session].muted
    }

    /// What was asked since the last call of this.
    pub(crate) fn take_log(&mut self) -> Vec<MediaAction> {
        self.log.drain(..).map(|(_, action)| action).collect()
    }

    /// The tones among what was asked since the log was taken.
    pub(crate) fn tones(&self) -> String {
        let mut sent = String::new();
        for (_, action) in &self.log {
            if let MediaAction::SendDtmf { tones, .. } = action {
                sent.push_str(tones);
            }
        }
        sent
    }
}
