//! One agent with what surrounds it: media, an open connection, and a user who waits for what was asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use clearline_core::sip::UriBuf;
use clearline_core::{
    CallId, CallInfo, CallState, Command, Config, ConnectionId, Deadline, Environment, Event, Input, Instant,
    MediaAction, MediaRequestId, MediaSessionId, OperationId, Output, RemoteCallId, TransferPolicy,
    UserAgent,
};
use clearline_sim::Media;

use super::choice::{account, address};
use super::form::Form;
use super::letter::Letter;

/// One input leads to no more outputs than this.
const MOST_OUTPUTS: usize = 300;
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// When the media backend does what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaTime {
    /// At once.
    Immediate,
    /// At any later step, in the order of the requests.
    Later,
}

#[derive(Clone)]
pub(super) struct Party {
    pub(super) name: &'static str,
    pub(super) agent: UserAgent,
    pub(super) media: Media,
    pub(super) deadline: Option<Deadline>,
    pub(super) connection: Option<ConnectionId>,
    consultations: u64,
    /// Live ones as last told, in the order in which they came.
    pub(super) calls: Vec<CallInfo>,
    sessions: BTreeMap<MediaSessionId, CallId>,
    /// Requests to the media backend that have not been answered.
    pub(super) jobs: VecDeque<(MediaRequestId, MediaSessionId, MediaAction)>,
    pub(super) pending: BTreeSet<OperationId>,
    /// Messages that the agent may still refer to.
    known: Vec<Arc<Letter>>,
    form: Form,
}

/// What one step has made a party send.
pub(super) type Sent = Vec<Arc<Letter>>;

impl Party {
    pub(super) fn new(name: &'static str, number: usize) -> Self {
        let address = UriBuf::parse(address(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut config = Config::new(address, "ws://example.com/sip", "urn:uuid:0");
        // One more device of an account wants to know what the others do.
        let is_follower = account(name) != name;
        config.register = is_follower;
        config.remote_calls = is_follower;
        config.transfer_policy = TransferPolicy::Always;
        let seed = [u8::try_from(number).unwrap_or(0) + 1; 32];
        Self {
            name,
            agent: UserAgent::new(config, seed),
            media: Media::new(number, seed),
            deadline: None,
            connection: None,
            consultations: 0,
            calls: Vec::new(),
            sessions: BTreeMap::new(),
            jobs: VecDeque::new(),
            pending: BTreeSet::new(),
            known: Vec::new(),
            form: Form::default(),
        }
    }

    /// Connects.
    pub(super) fn start(&mut self, now: Instant, media: MediaTime) -> Result<Sent, String> {
        self.agent.start(now);
        let mut sent = self.drain(now, media)?;
        // Nobody looks: keep-alives are rare.
        sent.extend(self.tell(now, media, Input::Environment(Environment::Hidden))?);
        Ok(sent)
    }

    pub(super) fn tell(&mut self, now: Instant, media: MediaTime, input: Input) -> Result<Sent, String> {
        self.agent.handle_input(now, input);
        self.drain(now, media)
    }

    pub(super) fn receive(
        &mut self,
        now: Instant,
        media: MediaTime,
        letter: Arc<Letter>,
    ) -> Result<Sent, String> {
        let Some(connection) = self.connection else {
            return Ok(Sent::new());
        };
        let message = letter.bytes.clone();
        self.known.push(letter);
        self.tell(now, media, Input::Received { connection, message })
    }

    /// The platform shows that it is there, before anybody asks.
    pub(super) fn keep_alive(&mut self, now: Instant, media: MediaTime) -> Result<Sent, String> {
        let Some(connection) = self.connection else {
            return Ok(Sent::new());
        };
        let message = PONG.to_vec();
        self.tell(now, media, Input::Received { connection, message })
    }

    pub(super) fn command(
        &mut self,
        now: Instant,
        media: MediaTime,
        mut command: Command,
    ) -> Result<Sent, String> {
        // No id names two calls, even if the first has ended: it may still be asked about.
        if let Command::Consult { id, .. } = &mut command {
            self.consultations += 1;
            *id = CallId(id.0 + self.consultations);
        }
        if let Ok(Some(operation)) = self.agent.apply(now, command) {
            self.pending.insert(operation);
        }
        self.drain(now, media)
    }

    /// The media backend does what it was asked for first.
    pub(super) fn do_job(&mut self, now: Instant, media: MediaTime) -> Result<Sent, String> {
        let Some((request, session, action)) = self.jobs.pop_front() else {
            return Ok(Sent::new());
        };
        self.execute(now, request, session, action);
        self.drain(now, media)
    }

    fn execute(
        &mut self,
        now: Instant,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    ) {
        let result = self.media.execute(session, action);
        self.agent.handle_input(now, Input::MediaDone { request, result });
    }

    fn drain(&mut self, now: Instant, media: MediaTime) -> Result<Sent, String> {
        let mut sent = Sent::new();
        for _ in 0..MOST_OUTPUTS {
            match self.agent.poll_output() {
                Output::Connect { connection, .. } => {
                    self.connection = Some(connection);
                    self.agent.handle_input(now, Input::Connected { connection });
                }
                Output::Transmit { connection, message } if message == PING => {
                    let message = PONG.to_vec();
                    let pong = Input::Received { connection, message };
                    self.agent.handle_input(now, pong);
                }
                Output::Transmit { message, .. } => {
                    let letter = Arc::new(Letter::new(message));
                    self.known.push(Arc::clone(&letter));
                    sent.push(letter);
                }
                Output::Disconnect { connection } => {
                    self.connection.take_if(|open| *open == connection);
                }
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    self.sessions.insert(session, call);
                    match media {
                        MediaTime::Immediate => self.execute(now, request, session, action),
                        MediaTime::Later => self.jobs.push_back((request, session, action)),
                    }
                }
                Output::Event(event) => self.take(event)?,
                Output::Idle(deadline) => {
                    self.deadline = deadline;
                    return Ok(sent);
                }
            }
        }
        Err(format!("{} does not come to rest", self.name))
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Call(info) => self.take_call(*info),
            Event::OperationDone { operation, .. } if !self.pending.remove(&operation) => Err(format!(
                "{}: {operation:?} ends a second time, or was never begun",
                self.name
            )),
            Event::OperationDone { .. }
            | Event::Connection(_)
            | Event::Registration(_)
            | Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::Stopped
            | Event::Dropped { .. } => Ok(()),
        }
    }

    fn take_call(&mut self, info: CallInfo) -> Result<(), String> {
        let at = self.calls.iter().position(|call| call.id == info.id);
        if info.state == CallState::Ended {
            at.map(|at| self.calls.remove(at));
            return match info.end {
                Some(_) => Ok(()),
                None => Err(format!("{}: a call has ended without a reason", self.name)),
            };
        }
        match at {
            Some(at) => self.calls[at] = info,
            None => self.calls.push(info),
        }
        Ok(())
    }

    // --- what there is to see ---------------------------------------------------------------------------------

    /// Media sessions of a call, closed ones too.
    pub(super) fn sessions(&self, call: CallId) -> impl Iterator<Item = MediaSessionId> {
        let own = self.sessions.iter().filter(move |(_, owner)| **owner == call);
        own.map(|(session, _)| *session)
    }

    /// Media sessions of no live call.
    pub(super) fn orphaned_sessions(&self) -> impl Iterator<Item = MediaSessionId> {
        let is_live = |owner: &CallId| self.calls.iter().any(|call| call.id == *owner);
        let orphans = self.sessions.iter().filter(move |(_, owner)| !is_live(owner));
        orphans.map(|(session, _)| *session)
    }

    /// Whether a microphone of a call is open, and nobody has been asked to close it.
    pub(super) fn is_live(&self, call: CallId) -> bool {
        let is_closing = |session| {
            let mut jobs = self.jobs.iter();
            jobs.any(|(_, of, action)| *of == session && *action == MediaAction::Close)
        };
        self.sessions(call)
            .any(|session| self.media.is_live(session) && !is_closing(session))
    }

    /// The call of another device of the account that can be pulled.
    pub(super) fn remote_call(&self) -> Option<RemoteCallId> {
        let mut calls = self.agent.remote_calls().iter();
        calls.find(|call| call.can_be_pulled).map(|call| call.id)
    }

    /// Whether time alone changes nothing any more.
    pub(super) fn is_at_rest(&self) -> bool {
        self.agent.is_at_rest() && self.connection.is_some()
    }

    /// To be called after every change.
    pub(super) fn take_form(&mut self, text: &mut String) {
        text.clear();
        let Self {
            agent,
            media,
            connection,
            jobs,
            pending,
            ..
        } = self;
        let written = write!(text, "{agent:?} {media:?} {connection:?} {jobs:?} {pending:?}");
        debug_assert!(written.is_ok(), "a string takes everything");
        let (form, met) = Form::of_state(text, self.name, &self.known);
        self.form = form;
        // What the agent refers to no more does not come back.
        self.known = met;
    }

    pub(super) fn form(&self) -> &Form {
        &self.form
    }
}
