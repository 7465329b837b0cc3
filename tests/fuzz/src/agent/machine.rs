//! The agent with everything around it, under a virtual clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clearline_core::recording::{Record, Recorder};
use clearline_core::sip::{Message, Method, UriBuf};
use clearline_core::{
    CallId, Command, Config, ConnectionId, Deadline, Duration, Event, Input, Instant, MediaAction,
    MediaError, MediaErrorKind, MediaEvent, MediaOutcome, MediaRequestId, MediaSessionId, MediaTransport,
    OperationId, Output, Secret, Snapshot, UserAgent,
};
use clearline_counting::so_far;

use super::command;
use super::far_end::{self, FarEnd, Shown};
use super::script::{Step, environment};

/// One input or command never makes more outputs than this.
const MAX_OUTPUTS: usize = 512;
/// All steps of a script together never leave the agent with more memory than this, in bytes.
const MAX_BYTES: i64 = 8 << 20;
/// An orderly end takes no more wakes than this.
const MAX_WAKES: usize = 256;
/// How many messages are remembered, each way.
const REMEMBERED: usize = 24;
const DIALOGS: usize = 8;
const SEED: [u8; 32] = [7; 32];

pub(crate) struct Machine {
    agent: UserAgent,
    config: Config,
    now: Instant,
    idle: Option<Deadline>,
    /// Open ones, the newest last: while the network changes there are two.
    open: Vec<ConnectionId>,
    wanted: Vec<ConnectionId>,
    sent: VecDeque<Message>,
    received: VecDeque<Vec<u8>>,
    dialogs: VecDeque<FarEnd>,
    media: VecDeque<(MediaRequestId, MediaAction)>,
    sessions: BTreeSet<MediaSessionId>,
    accepted: BTreeSet<OperationId>,
    ended: BTreeMap<OperationId, usize>,
    restarts: u8,
    dialogs_begun: usize,
    calls_made: u64,
    bytes_before: i64,
    recorder: Option<Recorder>,
    log: Vec<Record>,
}

impl Machine {
    pub(crate) fn new(setup: u8) -> Self {
        Self::started(config(setup), None, Vec::new())
    }

    /// The same with a log.
    pub(crate) fn recorded(setup: u8) -> Self {
        let config = config(setup);
        let (recorder, start) = Recorder::new(&config, SEED, [9; 32]);
        Self::started(config, Some(recorder), vec![start])
    }

    /// What was written, up to the first restart.
    pub(crate) fn into_log(self) -> Vec<Record> {
        self.log
    }

    fn started(config: Config, recorder: Option<Recorder>, log: Vec<Record>) -> Self {
        let bytes_before = so_far().kept_bytes;
        let mut machine = Self {
            agent: UserAgent::new(config.clone(), SEED),
            config,
            now: Instant::from_secs(1_000),
            idle: None,
            open: Vec::new(),
            wanted: Vec::new(),
            sent: VecDeque::new(),
            received: VecDeque::new(),
            dialogs: VecDeque::new(),
            media: VecDeque::new(),
            sessions: BTreeSet::new(),
            accepted: BTreeSet::new(),
            ended: BTreeMap::new(),
            restarts: 0,
            dialogs_begun: 0,
            calls_made: 0,
            bytes_before,
            recorder,
            log,
        };
        machine.apply(Command::Start);
        machine
    }

    #[cfg(test)]
    pub(crate) fn agent(&self) -> &UserAgent {
        &self.agent
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Deadline => self.wait(),
            Step::Pass(units) => {
                self.now += Duration::from_millis(20) * u32::from(units);
                self.input(Input::Wake);
            }
            Step::Open => self.connect(),
            Step::Close => self.disconnect(),
            Step::Media(how) => self.answer_media(how),
            Step::MediaEvent(which, what) => self.media_event(which, what),
            Step::Environment(number) => self.input(Input::Environment(environment(number))),
            Step::Respond(which, status, form) => self.respond(which, status, form),
            Step::Request(which, method, form) => {
                if let Some(far) = pick(&mut self.dialogs, which) {
                    let message = far.request(method, form);
                    self.receive(message.as_bytes().to_vec());
                }
            }
            Step::Notify(which, document, state) => {
                if let Some(far) = pick(&mut self.dialogs, which) {
                    let message = far.notify(document, state);
                    self.receive(message.as_bytes().to_vec());
                }
            }
            Step::Invite(who, form, extra) => {
                self.dialogs_begun += 1;
                let mut far = FarEnd::calling(who, self.dialogs_begun);
                let invite = far.invite(form, extra);
                self.remember_dialog(far);
                self.receive(invite.as_bytes().to_vec());
            }
            Step::Follow(which, form) => {
                if let Some(message) = pick(&mut self.dialogs, which).and_then(|far| far.follow(form)) {
                    self.receive(message.as_bytes().to_vec());
                }
            }
            Step::Again(which) => {
                if let Some(message) = pick(&mut self.received, which).cloned() {
                    self.receive(message);
                }
            }
            Step::Broken(which, place, byte) => self.receive_broken(which, place, byte),
            Step::Noise(which) => {
                const NOISE: &[&[u8]] = &[
                    b"\r\n",
                    b"\r\n\r\n",
                    b"",
                    b"\0",
                    b"SIP/2.0",
                    b"INVITE sip:a SIP/2.0\r\n\r\n",
                ];
                self.receive(NOISE[usize::from(which) % NOISE.len()].to_vec());
            }
            Step::Command(what, which, more) => self.command(what, which, more),
            Step::Restart(seconds) => self.restart(u64::from(seconds)),
        }
    }

    /// Stops the agent: everything that was begun has to end, and in time.
    pub(crate) fn finish(&mut self) {
        self.apply(Command::Start);
        self.apply(Command::Stop);
        for _ in 0..MAX_WAKES {
            self.media
                .drain(..)
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|(request, action)| {
                    let result = good(&action);
                    self.input(Input::MediaDone { request, result });
                });
            self.drain();
            if self.idle.is_none() && self.media.is_empty() {
                break;
            }
            self.wait();
        }
        assert_eq!(self.idle, None, "a stopped agent comes to rest");
        assert_eq!(self.agent.calls().count(), 0, "no call outlives the agent");
        assert!(self.agent.is_at_rest(), "nothing is under way in a stopped agent");
        for operation in &self.accepted {
            assert_eq!(self.ended.get(operation), Some(&1), "operation {operation} ends");
        }
        self.check_memory();
    }

    // --- what happens ----------------------------------------------------------------------------------------

    fn wait(&mut self) {
        if let Some(deadline) = self.idle {
            self.now = self.now.max(deadline.at);
        }
        self.input(Input::Wake);
        let progress = self.idle.is_none_or(|deadline| deadline.at > self.now);
        assert!(
            progress,
            "waking at the deadline leaves one in the past: {:?}",
            self.idle
        );
    }

    fn connect(&mut self) {
        if let Some(connection) = self.wanted.pop() {
            self.open.push(connection);
            self.input(Input::Connected { connection });
        }
    }

    fn disconnect(&mut self) {
        if let Some(connection) = self.open.pop().or_else(|| self.wanted.pop()) {
            let reason = "1006 abnormal closure".to_owned();
            self.input(Input::Disconnected { connection, reason });
        }
    }

    fn answer_media(&mut self, how: u8) {
        let Some((request, action)) = self.media.pop_front() else {
            return;
        };
        let result = match how {
            0 => good(&action),
            1 => Err(failed(MediaErrorKind::PermissionDenied)),
            2 => Err(failed(MediaErrorKind::DescriptionRejected)),
            3 => Ok(MediaOutcome::Done),
            _ => Ok(MediaOutcome::Description {
                sdp: far_end::description(how),
            }),
        };
        self.input(Input::MediaDone { request, result });
    }

    fn media_event(&mut self, which: u8, what: u8) {
        let count = self.sessions.len().max(1);
        let Some(session) = self.sessions.iter().nth(usize::from(which) % count).copied() else {
            return;
        };
        let event = match what % 8 {
            0 => MediaEvent::Transport {
                state: MediaTransport::Connected,
            },
            1 => MediaEvent::Transport {
                state: MediaTransport::Disconnected,
            },
            2 => MediaEvent::Transport {
                state: MediaTransport::Failed,
            },
            3 => MediaEvent::Transport {
                state: MediaTransport::Connecting,
            },
            4 => MediaEvent::DtmfReceived { tone: '5' },
            5 => MediaEvent::MicrophoneLost {
                kind: MediaErrorKind::NoDevice,
            },
            6 => MediaEvent::MicrophoneRestored,
            _ => MediaEvent::Transport {
                state: MediaTransport::New,
            },
        };
        self.input(Input::Media { session, event });
    }

    fn respond(&mut self, which: u8, status: u8, form: u8) {
        let requests: Vec<&Message> = self
            .sent
            .iter()
            .rev()
            .filter(|message| message.is_request())
            .collect();
        let answerable = requests.iter().filter(|request| request.method() != Method::Ack);
        let count = answerable.clone().count().max(1);
        let Some(request) = answerable.clone().nth(usize::from(which & 15) % count) else {
            return;
        };
        let (response, far) = far_end::response(request, status, form, which >> 4 | form & 0x10);
        if let Some(far) = far {
            self.remember_dialog(far);
        }
        self.receive(response.as_bytes().to_vec());
    }

    fn receive_broken(&mut self, which: u8, place: u8, byte: u8) {
        let Some(mut message) = pick(&mut self.received, which).cloned() else {
            return;
        };
        // A number of eight bits reaches every part of a message of a kilobyte.
        let length = message.len().max(1);
        if let Some(at) = message.get_mut(usize::from(place) * 5 % length) {
            *at = byte;
        }
        self.receive(message);
    }

    fn receive(&mut self, message: Vec<u8>) {
        self.received.push_front(message.clone());
        self.received.truncate(REMEMBERED);
        // Also on a connection that is gone: the driver may not know it yet.
        let connection = self.open.last().copied().unwrap_or(ConnectionId(1));
        self.input(Input::Received { connection, message });
    }

    fn command(&mut self, what: u8, which: u8, more: u8) {
        self.calls_made += 1;
        let fresh = CallId(1_000 + self.calls_made);
        let command = command::command(&self.agent, fresh, what, which, more);
        assert_eq!(command::number(&command), what % command::COUNT, "{command:?}");
        self.apply(command);
    }

    fn apply(&mut self, command: Command) {
        self.write(|recorder, now| recorder.command(now, &command));
        if let Ok(Some(operation)) = self.agent.apply(self.now, command) {
            assert!(self.accepted.insert(operation), "an operation's id is new");
        }
        self.drain();
    }

    fn write(&mut self, record: impl FnOnce(&mut Recorder, Instant) -> Record) {
        if let Some(recorder) = &mut self.recorder {
            self.log.push(record(recorder, self.now));
        }
    }

    /// What a reload does: the agent's snapshot as text, a new agent from it. What was under way ends with the old one.
    fn restart(&mut self, seconds: u64) {
        let text = serde_json::to_string(&self.agent.snapshot(self.now)).expect("a snapshot is plain data");
        let snapshot: Snapshot = serde_json::from_str(&text).expect("what was written can be read");
        // A log begins with a new agent.
        self.recorder = None;
        self.restarts = self.restarts.wrapping_add(1);
        let asleep = Duration::from_secs(seconds);
        self.now += asleep;
        let seed = [self.restarts; 32];
        self.agent = UserAgent::restore(self.config.clone(), snapshot, seed, self.now, asleep);
        self.open.clear();
        self.wanted.clear();
        self.media.clear();
        self.sessions.clear();
        self.accepted.clear();
        self.ended.clear();
        self.apply(Command::Start);
    }

    // --- what comes of it ------------------------------------------------------------------------------------

    fn input(&mut self, input: Input) {
        self.write(|recorder, now| recorder.input(now, &input));
        self.agent.handle_input(self.now, input);
        self.drain();
        self.check_memory();
    }

    fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.agent.poll_output() {
                Output::Connect { connection, .. } => self.wanted.push(connection),
                Output::Transmit { connection, message } => self.transmitted(connection, &message),
                Output::Disconnect { connection } => {
                    self.open.retain(|open| *open != connection);
                    self.wanted.retain(|wanted| *wanted != connection);
                }
                Output::Media {
                    request,
                    session,
                    action,
                    ..
                } => {
                    self.sessions.insert(session);
                    self.media.push_back((request, action));
                }
                Output::Event(Event::OperationDone { operation, .. }) => {
                    let times = self.ended.entry(operation).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "operation {operation} ends once");
                }
                Output::Event(_) => {}
                Output::Idle(deadline) => {
                    self.idle = deadline;
                    return;
                }
            }
        }
        panic!("one step makes more than {MAX_OUTPUTS} outputs");
    }

    fn transmitted(&mut self, connection: ConnectionId, bytes: &[u8]) {
        assert!(
            self.open.contains(&connection),
            "nothing is sent on a closed connection"
        );
        if matches!(bytes, b"\r\n" | b"\r\n\r\n") {
            return;
        }
        let message = Message::parse(bytes).unwrap_or_else(|error| panic!("{error}:\n{}", Shown(bytes)));
        // A response repeats what the request had, and that may have been anything.
        if message.is_request() {
            message
                .validate()
                .unwrap_or_else(|defect| panic!("{defect}:\n{}", Shown(bytes)));
        }
        self.dialogs.iter_mut().for_each(|far| far.learn(&message));
        self.sent.push_back(message);
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
    }

    fn remember_dialog(&mut self, far: FarEnd) {
        if !self.dialogs.iter().any(|known| known.is_same(&far)) {
            self.dialogs.push_front(far);
            self.dialogs.truncate(DIALOGS);
        }
    }

    fn check_memory(&self) {
        let bytes = so_far().kept_bytes - self.bytes_before;
        assert!(bytes < MAX_BYTES, "{bytes} bytes are kept");
        let calls = self.agent.calls().count();
        assert!(calls <= self.config.max_calls, "{calls} calls");
    }
}

fn config(setup: u8) -> Config {
    let address = UriBuf::parse("sip:alice@example.com").expect("a constant");
    let instance = "urn:uuid:3c0f6f0e-7c5e-4d3c-9a53-6ff1b0a7a6f1";
    let mut config = Config::new(address, "wss://example.com/sip", instance);
    config.password = Secret::new("secret");
    config.register = setup & 1 == 0;
    config.auto_answer = setup & 2 != 0;
    if setup & 4 != 0 {
        config.max_calls = 1;
    }
    if setup & 8 != 0 {
        config.servers.push("ws://second.example.com/sip".into());
    }
    if setup & 16 != 0 {
        config.conference_factory = UriBuf::parse(far_end::FACTORY).ok();
    }
    config.remote_calls = setup & 32 != 0;
    config.is_focus = setup & 64 != 0;
    config
}

/// What a backend answers when all is well.
fn good(action: &MediaAction) -> Result<MediaOutcome, MediaError> {
    match action {
        MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. } => Ok(MediaOutcome::Description {
            sdp: far_end::description(0),
        }),
        MediaAction::ApplyAnswer { .. }
        | MediaAction::Rollback
        | MediaAction::AddCandidates { .. }
        | MediaAction::SetMuted { .. }
        | MediaAction::SetConference { .. }
        | MediaAction::SendDtmf { .. }
        | MediaAction::Close => Ok(MediaOutcome::Done),
    }
}

fn failed(kind: MediaErrorKind) -> MediaError {
    MediaError {
        kind,
        detail: "as the script wishes".to_owned(),
    }
}

fn pick<T>(all: &mut VecDeque<T>, which: u8) -> Option<&mut T> {
    let count = all.len().max(1);
    all.get_mut(usize::from(which) % count)
}
