//! One media session: executes the agent's actions on one peer connection and one audio stream, in order.
//!
//! ```text
//! Empty --CreateOffer, CreateAnswer--> Open --Close--> (gone)
//! ```
//!
//! A provisional answer is applied like a final one, as the engine has no working provisional state. The final answer of
//! the same far end then repeats the negotiation locally; that of another far end (another branch of a fork) cannot be
//! taken by the same connection and is refused, upon which the agent makes a fresh session.

use std::sync::Arc;

use clearline_core::media::HoldMusic;
use clearline_core::{
    CallId, Direction, Input, MediaAction, MediaError, MediaErrorKind, MediaEvent, MediaOutcome,
    MediaSessionId, MediaTransport,
};
use tokio::sync::mpsc;

use super::MediaJob;
use super::capture::Outlet;
use super::conference::Conferences;
use super::description::{self, Answerer, rejected};
use super::peer::{self, Peer, PeerConfig, PeerEvent};
use super::reports;
use super::statistics::StatisticsReader;
use super::stream::{Stream, StreamEvent, StreamParts};
use crate::audio::{AudioProvider, Sound};

/// What sessions share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) audio: Arc<dyn AudioProvider>,
    pub(crate) peers: PeerConfig,
    pub(crate) hold_music: HoldMusic,
    pub(crate) hold_sound: Option<Sound>,
    pub(crate) conferences: Conferences,
    pub(crate) statistics: StatisticsReader,
}

/// Executes jobs until `Close`, or until nobody can send any more.
pub(crate) async fn run(
    shared: Shared,
    call: CallId,
    id: MediaSessionId,
    mut jobs: mpsc::UnboundedReceiver<MediaJob>,
    reports: mpsc::UnboundedSender<Input>,
) {
    let mut session = Session {
        shared,
        call,
        open: None,
    };
    loop {
        let input = tokio::select! {
            biased;
            job = jobs.recv() => {
                let Some(MediaJob { request, action, .. }) = job else { break };
                let last = action == MediaAction::Close;
                let result = session.execute(action).await;
                let _ = reports.send(Input::MediaDone { request, result });
                if last {
                    break;
                }
                continue;
            }
            Some(event) = session.event() => event,
        };
        let _ = reports.send(Input::Media {
            session: id,
            event: input,
        });
    }
    session.close().await;
}

struct Session {
    shared: Shared,
    call: CallId,
    open: Option<Open>,
}

/// A session with a connection and a stream.
struct Open {
    peer: Peer,
    stream: Stream,
    packets: mpsc::Sender<rtc::rtp::Packet>,
    peer_events: mpsc::UnboundedReceiver<PeerEvent>,
    stream_events: mpsc::UnboundedReceiver<StreamEvent>,
    /// The last local description that is or may become valid.
    local: String,
    offer: Option<PendingOffer>,
    /// The far end whose provisional answer is in force, and that answer.
    provisional: Option<String>,
    /// The last ICE restart was taken back half done: the next offer has to repeat it.
    restart_due: bool,
    muted: bool,
    hold_music: HoldMusic,
    /// What this side wants, and what it wanted when both last agreed.
    wanted: Direction,
    agreed: Direction,
    agreed_at: Option<tokio::time::Instant>,
}

/// An offer without its final answer.
#[derive(Clone, Copy)]
struct PendingOffer {
    direction: Direction,
    ice_restart: bool,
}

impl Session {
    async fn execute(&mut self, action: MediaAction) -> Result<MediaOutcome, MediaError> {
        match action {
            MediaAction::CreateOffer {
                direction,
                ice_restart,
            } => self
                .opened()
                .await?
                .create_offer(direction, ice_restart)
                .await
                .map(description),
            MediaAction::CreateAnswer { offer, direction } => {
                description::identity(&offer)?;
                self.opened()
                    .await?
                    .create_answer(&offer, direction)
                    .await
                    .map(description)
            }
            MediaAction::ApplyAnswer { answer, provisional } => {
                self.existing()?.apply_answer(answer, provisional).await.map(done)
            }
            // What is in the descriptions suffices: candidates that come later are found as peer-reflexive ones.
            MediaAction::AddCandidates { .. } => Ok(MediaOutcome::Done),
            MediaAction::Rollback => self.existing()?.rollback().await.map(done),
            MediaAction::SetMuted { muted } => {
                let open = self.existing()?;
                open.muted = muted;
                open.set_outlet();
                Ok(MediaOutcome::Done)
            }
            MediaAction::SetConference { conference } => {
                let chair = conference.map(|id| self.shared.conferences.join(id).ok_or_else(full));
                self.existing()?.stream.set_conference(chair.transpose()?);
                Ok(MediaOutcome::Done)
            }
            MediaAction::SendDtmf { tones, duration_ms } => {
                self.existing()?.stream.send_tones(tones, duration_ms);
                Ok(MediaOutcome::Done)
            }
            MediaAction::Close => {
                self.close().await;
                Ok(MediaOutcome::Done)
            }
        }
    }

    /// The next thing to tell the agent. Pends while there is nothing, so it never wins a `select!` without news.
    async fn event(&mut self) -> Option<MediaEvent> {
        loop {
            let Some(open) = &mut self.open else {
                return std::future::pending().await;
            };
            tokio::select! {
                Some(event) = open.peer_events.recv() => match event {
                    PeerEvent::Track(track) => peer::spawn_receiver(track, open.packets.clone()),
                    PeerEvent::Transport(state) => {
                        open.transport(state, self.call, &self.shared.statistics);
                        return Some(MediaEvent::Transport { state });
                    }
                },
                Some(event) = open.stream_events.recv() => return Some(match event {
                    StreamEvent::Tone(tone) => MediaEvent::DtmfReceived { tone },
                    StreamEvent::MicrophoneLost(kind) => MediaEvent::MicrophoneLost { kind },
                    StreamEvent::MicrophoneRestored => MediaEvent::MicrophoneRestored,
                }),
            }
        }
    }

    fn existing(&mut self) -> Result<&mut Open, MediaError> {
        self.open.as_mut().ok_or_else(|| MediaError {
            kind: MediaErrorKind::Failed,
            detail: "the session has not been opened".to_owned(),
        })
    }

    async fn opened(&mut self) -> Result<&mut Open, MediaError> {
        if self.open.is_none() {
            self.open = Some(Open::new(&self.shared, self.call).await?);
        }
        self.existing()
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            drop(open.stream);
            open.peer.close().await;
        }
    }
}

impl Open {
    async fn new(shared: &Shared, call: CallId) -> Result<Self, MediaError> {
        let provider = Arc::clone(&shared.audio);
        let audio = tokio::task::spawn_blocking(move || provider.open(call))
            .await
            .map_err(|error| MediaError {
                kind: MediaErrorKind::DeviceFailed,
                detail: error.to_string(),
            })??;
        let ssrc = random_ssrc()?;
        let (peer_sender, peer_events) = mpsc::unbounded_channel();
        let (reporter, reports) = reports::queue();
        let peer = Peer::new(&shared.peers, ssrc, reporter, peer_sender).await?;
        let (packets, received) = peer::receive_queue();
        let (events, stream_events) = mpsc::unbounded_channel();
        let stream = Stream::start(StreamParts {
            call,
            audio,
            sender: peer.sender(),
            ssrc,
            packets: received,
            reports,
            events,
            statistics: shared.statistics.clone(),
            hold_sound: shared.hold_sound.clone(),
        });
        Ok(Self {
            peer,
            stream,
            packets,
            peer_events,
            stream_events,
            local: String::new(),
            offer: None,
            provisional: None,
            restart_due: false,
            muted: false,
            hold_music: shared.hold_music,
            wanted: Direction::SendRecv,
            agreed: Direction::SendRecv,
            agreed_at: None,
        })
    }

    async fn create_offer(&mut self, direction: Direction, ice_restart: bool) -> Result<String, MediaError> {
        if !direction.sends() {
            self.stream.stop_sending();
        }
        let ice_restart = ice_restart || self.restart_due;
        self.offer = Some(PendingOffer {
            direction,
            ice_restart,
        });
        self.want(direction);
        let offer = self.peer.offer(direction, ice_restart).await.inspect_err(|_| {
            self.offer = None;
            self.want(self.agreed);
        })?;
        self.restart_due = false;
        self.provisional = None;
        self.local.clone_from(&offer);
        Ok(offer)
    }

    async fn create_answer(&mut self, offer: &str, wanted: Direction) -> Result<String, MediaError> {
        let direction = wanted.and(description::allowed_by(offer)?);
        self.want(wanted);
        let answer = self.peer.answer(offer, direction).await?;
        self.offer = None;
        self.provisional = None;
        self.agreed = wanted;
        self.local.clone_from(&answer);
        self.agree(offer, Answerer::Local)?;
        Ok(answer)
    }

    async fn apply_answer(&mut self, answer: String, provisional: bool) -> Result<(), MediaError> {
        let far_end = description::identity(&answer)?;
        if let Some(earlier) = &self.provisional {
            if description::identity(earlier)? != far_end {
                return Err(rejected(
                    "the connection belongs to the far end that answered first",
                ));
            }
            if *earlier != answer {
                self.repeat_offer().await?;
            }
        }
        if self.provisional.as_ref() != Some(&answer) {
            self.peer.apply_answer(&answer).await?;
            self.agree(&answer, Answerer::Remote)?;
        }
        if provisional {
            self.provisional = Some(answer);
        } else {
            self.provisional = None;
            self.offer = None;
            self.agreed = self.wanted;
        }
        self.set_outlet();
        Ok(())
    }

    /// Brings the engine back into the state in which it takes an answer. The far end has the same offer already.
    async fn repeat_offer(&mut self) -> Result<(), MediaError> {
        let direction = self.offer.map_or(Direction::SendRecv, |offer| offer.direction);
        self.peer.offer(direction, false).await.map(drop)
    }

    async fn rollback(&mut self) -> Result<(), MediaError> {
        let Some(offer) = self.offer.take() else {
            return Ok(());
        };
        self.want(self.agreed);
        self.restart_due = offer.ice_restart;
        if self.provisional.take().is_some() {
            // The provisional answer has ended the engine's negotiation; there is nothing left to take back.
            return Ok(());
        }
        self.peer.rollback().await
    }

    fn want(&mut self, direction: Direction) {
        self.wanted = direction;
        self.set_outlet();
    }

    /// The microphone is let through only while both ways are wanted: whoever is held never hears the room. Music is for
    /// a party that has agreed to be held and is not being retrieved.
    fn set_outlet(&self) {
        let outlet = match (self.wanted, self.agreed) {
            (Direction::SendRecv, Direction::SendRecv) if self.muted => Outlet::Muted,
            (Direction::SendRecv, Direction::SendRecv) => Outlet::Microphone,
            (Direction::SendOnly, Direction::SendOnly) if self.hold_music == HoldMusic::Generated => {
                Outlet::Music
            }
            _ => Outlet::Silence,
        };
        self.stream.set_outlet(outlet);
    }

    fn agree(&mut self, remote: &str, answerer: Answerer) -> Result<(), MediaError> {
        let agreement = description::agree(&self.local, remote, answerer)?;
        self.set_outlet();
        self.stream.agreed(agreement);
        self.agreed_at.get_or_insert_with(tokio::time::Instant::now);
        Ok(())
    }

    fn transport(&mut self, state: MediaTransport, call: CallId, statistics: &StatisticsReader) {
        if state != MediaTransport::Connected {
            return;
        }
        self.stream.set_connected();
        let setup = self.agreed_at.map(|agreed| agreed.elapsed().as_millis() as u64);
        statistics.update(call, |figures| figures.setup_ms = figures.setup_ms.or(setup));
    }
}

fn random_ssrc() -> Result<u32, MediaError> {
    getrandom::u32().map_err(|error| MediaError {
        kind: MediaErrorKind::Failed,
        detail: error.to_string(),
    })
}

fn full() -> MediaError {
    MediaError {
        kind: MediaErrorKind::Failed,
        detail: "the conference is full".to_owned(),
    }
}

fn description(sdp: String) -> MediaOutcome {
    MediaOutcome::Description { sdp }
}

fn done((): ()) -> MediaOutcome {
    MediaOutcome::Done
}
