//! One agent under a virtual clock, between a platform and a media backend that the test plays.
//!
//! Everything the agent puts out is checked on the way: nothing is sent on a closed connection, every operation ends
//! at most once, waking at the deadline makes progress, every message is sound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder, UriBuf};
use clearline_core::{
    CallEnd, CallHandle, CallId, CallInfo, CallOptions, CallState, CommandError, Config, ConnectionId,
    ConnectionState, Deadline, Direction, Duration, EndCause, Event, Input, Instant, MediaErrorKind,
    MediaEvent, MediaOutcome, MediaSessionId, MediaTransport, OperationError, OperationId, Output,
    RegistrationState, Secret, Snapshot, UserAgent,
};

use crate::far_end::FarEnd;
use crate::media::FakeMedia;

/// The only call of most ladders.
pub(crate) const CALL: CallId = CallId(0xca11);
const PASSWORD: &str = "demo";

/// An account like any other.
pub(crate) fn config() -> Config {
    let address = UriBuf::parse("sip:alice@example.com").unwrap();
    let instance = "urn:uuid:3c0f6f0e-7c5e-4d3c-9a53-6ff1b0a7a6f1";
    let mut config = Config::new(address, "wss://example.com/sip", instance);
    config.password = Secret::new(PASSWORD);
    config
}

pub(crate) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// An agent and what it has put out.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    pub(crate) agent: UserAgent,
    pub(crate) now: Instant,
    pub(crate) media: FakeMedia,
    /// Keep-alives are answered and not shown.
    pub(crate) answers_keep_alive: bool,
    /// CRLF pings that were sent.
    pub(crate) pings: u32,
    pub(crate) idle: Option<Deadline>,
    /// Open connections, the newest last; the test's platform speaks on that one unless told otherwise.
    open: Vec<ConnectionId>,
    /// Open connections that lead nowhere any more, and nobody knows.
    dead: BTreeSet<ConnectionId>,
    wanted: VecDeque<(ConnectionId, String)>,
    sent: VecDeque<Sent>,
    events: VecDeque<Event>,
    calls: BTreeMap<CallId, CallInfo>,
    /// Commands that were accepted.
    accepted: BTreeSet<OperationId>,
    operations: BTreeMap<OperationId, Result<(), OperationError>>,
}

/// A message the agent has sent.
#[derive(Clone, Debug)]
struct Sent {
    at: Instant,
    connection: ConnectionId,
    message: Message,
}

impl Ladder {
    /// An agent at rest.
    pub(crate) fn new(config: Config) -> Self {
        Self::of(UserAgent::new(config, [7; 32]), Instant::from_secs(1_000))
    }

    /// What is kept of the agent, written and read as a program does that keeps it: in a form that names no fields, which
    /// asks the most of the types in it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let stored = postcard::to_allocvec(&self.agent.snapshot(self.now)).expect("written");
        postcard::from_bytes(&stored).expect("what was written can be read")
    }

    pub(crate) fn of(agent: UserAgent, now: Instant) -> Self {
        Self {
            agent,
            now,
            media: FakeMedia::default(),
            answers_keep_alive: true,
            pings: 0,
            idle: None,
            open: Vec::new(),
            dead: BTreeSet::new(),
            wanted: VecDeque::new(),
            sent: VecDeque::new(),
            events: VecDeque::new(),
            calls: BTreeMap::new(),
            accepted: BTreeSet::new(),
            operations: BTreeMap::new(),
        }
    }

    /// An agent with an open connection that does not register.
    pub(crate) fn connected() -> Self {
        let mut config = config();
        config.register = false;
        Self::connected_with(config)
    }

    pub(crate) fn connected_with(config: Config) -> Self {
        let mut ladder = Self::new(config);
        ladder.start();
        ladder.connect();
        ladder
    }

    /// A registered agent.
    pub(crate) fn registered() -> Self {
        let mut ladder = Self::connected_with(config());
        ladder.register();
        ladder
    }

    /// A registered agent in a call it has made, and the other end.
    pub(crate) fn in_outgoing_call() -> (Self, FarEnd) {
        let mut ladder = Self::registered();
        let far = ladder.make_call(CALL, "bob");
        ladder.forget();
        (ladder, far)
    }

    /// The same with a far end that understands UPDATE, and session timers too.
    pub(crate) fn in_call_with_update() -> (Self, FarEnd) {
        let mut ladder = Self::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let mut far = FarEnd::called(&invite, "bob-tag");
        far.allow = "INVITE, ACK, BYE, CANCEL, UPDATE";
        ladder.receive(&far.accepts(&invite, Direction::SendRecv));
        ladder.forget();
        (ladder, far)
    }

    /// A registered agent in a call it has answered, and the other end.
    pub(crate) fn in_incoming_call() -> (Self, CallId, FarEnd) {
        let mut ladder = Self::registered();
        let (call, far) = ladder.take_call("bob");
        ladder.forget();
        (ladder, call, far)
    }

    // --- commands --------------------------------------------------------------------------------------------

    pub(crate) fn start(&mut self) {
        self.agent.start(self.now);
        self.drain();
    }

    pub(crate) fn stop(&mut self) {
        self.agent.stop(self.now);
        self.drain();
    }

    pub(crate) fn dial(&mut self, id: CallId, target: &str) {
        self.try_dial(id, target).unwrap();
    }

    pub(crate) fn try_dial(&mut self, id: CallId, target: &str) -> Result<(), CommandError> {
        self.dial_with(id, target, CallOptions::default())
    }

    pub(crate) fn dial_with(
        &mut self,
        id: CallId,
        target: &str,
        options: CallOptions,
    ) -> Result<(), CommandError> {
        let result = self.agent.call(self.now, id, target, options);
        if result.is_ok() {
            // Another one of that id has ended long ago.
            self.calls.remove(&id);
        }
        self.drain();
        result
    }

    /// Gives a command to a call.
    pub(crate) fn command(
        &mut self,
        id: CallId,
        command: impl FnOnce(&mut CallHandle<'_>) -> Result<OperationId, CommandError>,
    ) -> Result<OperationId, CommandError> {
        let result = self
            .agent
            .call_handle(self.now, id)
            .and_then(|mut call| command(&mut call));
        if let Ok(operation) = result {
            self.accepted(operation);
        }
        self.drain();
        result
    }

    /// Keeps an operation in mind: it has to end.
    pub(crate) fn accepted(&mut self, operation: OperationId) {
        self.accepted.insert(operation);
    }

    /// Operations that have not ended.
    pub(crate) fn unfinished(&self) -> Vec<OperationId> {
        let ended = |operation: &&OperationId| !self.operations.contains_key(operation);
        self.accepted.iter().filter(ended).copied().collect()
    }

    pub(crate) fn answer(&mut self, id: CallId) -> OperationId {
        self.command(id, |call| call.answer()).unwrap()
    }

    pub(crate) fn hang_up(&mut self, id: CallId) -> OperationId {
        self.command(id, |call| call.hang_up()).unwrap()
    }

    pub(crate) fn hold(&mut self, id: CallId) -> OperationId {
        self.command(id, |call| call.hold()).unwrap()
    }

    pub(crate) fn resume(&mut self, id: CallId) -> OperationId {
        self.command(id, |call| call.resume()).unwrap()
    }

    pub(crate) fn send_dtmf(&mut self, id: CallId, tones: &str) -> OperationId {
        self.command(id, |call| call.send_dtmf(tones)).unwrap()
    }

    // --- the platform ----------------------------------------------------------------------------------------

    /// Opens the connection the agent has asked for.
    pub(crate) fn connect(&mut self) {
        let (connection, _) = self.wanted.pop_front().expect("the agent to connect");
        self.open.push(connection);
        self.input(Input::Connected { connection });
    }

    /// The URL of the connection the agent asks for.
    pub(crate) fn wanted_url(&self) -> Option<&str> {
        self.wanted.front().map(|(_, url)| url.as_str())
    }

    /// Refuses the connection the agent has asked for.
    pub(crate) fn refuse_connection(&mut self) {
        let (connection, _) = self.wanted.pop_front().expect("the agent to connect");
        self.input(Input::Disconnected {
            connection,
            reason: "refused".into(),
        });
    }

    /// The connection breaks, and the agent is told.
    pub(crate) fn lose_connection(&mut self) {
        let connection = self.newest_connection();
        self.lose(connection);
    }

    /// A certain connection breaks, and the agent is told.
    pub(crate) fn lose(&mut self, connection: ConnectionId) {
        assert!(self.is_open(connection));
        self.open.retain(|open| *open != connection);
        self.input(Input::Disconnected {
            connection,
            reason: "1006 abnormal closure".into(),
        });
    }

    /// A connection leads nowhere from now on, and the agent is not told.
    pub(crate) fn cut(&mut self, connection: ConnectionId) {
        self.dead.insert(connection);
    }

    /// The connection that was opened last.
    pub(crate) fn newest_connection(&self) -> ConnectionId {
        *self.open.last().expect("an open connection")
    }

    /// Any of the open connections.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn open_connection(&self, which: proptest::sample::Index) -> Option<ConnectionId> {
        (!self.open.is_empty()).then(|| self.open[which.index(self.open.len())])
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_open(&self, connection: ConnectionId) -> bool {
        self.open.contains(&connection)
    }

    /// Waits for the next attempt to connect and lets it succeed.
    pub(crate) fn reconnect(&mut self) {
        while self.wanted.is_empty() {
            self.pass_to_next_deadline();
        }
        self.connect();
    }

    pub(crate) fn is_connected(&self) -> bool {
        !self.open.is_empty()
    }

    /// Brings in a message.
    pub(crate) fn receive(&mut self, message: &Message) {
        self.receive_bytes(message.as_bytes());
    }

    pub(crate) fn receive_bytes(&mut self, bytes: &[u8]) {
        self.input(received(self.newest_connection(), bytes.to_vec()));
    }

    /// Brings in a message on a certain connection.
    pub(crate) fn receive_on(&mut self, connection: ConnectionId, message: &Message) {
        assert!(self.is_open(connection));
        self.input(received(connection, message.as_bytes().to_vec()));
    }

    /// Responds without anything special.
    pub(crate) fn respond(&mut self, request: &Message, status: u16) {
        self.receive(
            &ResponseBuilder::for_request(request, status)
                .to_tag("far")
                .build(),
        );
    }

    /// Grants a REGISTER that is expected now; the request.
    pub(crate) fn register(&mut self) -> Message {
        let register = self.expect(Method::Register);
        self.receive(&granted(&register).build());
        register
    }

    /// Makes a call that is answered at once.
    pub(crate) fn make_call(&mut self, id: CallId, target: &str) -> FarEnd {
        self.dial(id, target);
        let invite = self.expect(Method::Invite);
        let far = FarEnd::called(&invite, &format!("{target}-tag"));
        self.receive(&far.accepts(&invite, Direction::SendRecv));
        self.expect(Method::Ack);
        assert_eq!(self.state(id), CallState::Active);
        far
    }

    /// Lets `user` call; the call rings.
    pub(crate) fn ring(&mut self, user: &str) -> (CallId, FarEnd, Message) {
        let mut far = FarEnd::calling(user, "sip:alice@alice.invalid");
        let invite = far.invite(Direction::SendRecv);
        self.receive(&invite);
        let ringing = self.expect_response(180, Method::Invite);
        far.learn(&ringing);
        (self.newest_call(), far, invite)
    }

    /// Lets `user` call and answers.
    pub(crate) fn take_call(&mut self, user: &str) -> (CallId, FarEnd) {
        let (call, mut far, _) = self.ring(user);
        self.answer(call);
        let ok = self.expect_response(200, Method::Invite);
        self.receive(&far.ack(&ok).build());
        assert_eq!(self.state(call), CallState::Active);
        (call, far)
    }

    /// Ends a call from the far end and takes the agent's 200.
    pub(crate) fn far_hangs_up(&mut self, far: &mut FarEnd) {
        self.receive(&far.request(Method::Bye).build());
        self.expect_response(200, Method::Bye);
    }

    // --- what the agent does ---------------------------------------------------------------------------------

    /// The next message sent is a request of this method.
    pub(crate) fn expect(&mut self, method: Method<'_>) -> Message {
        let message = self.next_sent(&method.to_string());
        assert!(
            message.is_request() && message.method() == method,
            "expected {method}, the agent sent\n{}",
            text(&message)
        );
        message
    }

    /// Time passes until the agent sends something, which is a request of this method.
    pub(crate) fn wait_for(&mut self, method: Method<'_>) -> Message {
        while self.sent.is_empty() {
            self.pass_to_next_deadline();
        }
        self.expect(method)
    }

    /// The next message sent is a response to a request of this method.
    pub(crate) fn expect_response(&mut self, status: u16, method: Method<'_>) -> Message {
        let message = self.next_sent(&status.to_string());
        assert!(
            message.status() == Some(status) && message.method() == method,
            "expected {status} to {method}, the agent sent\n{}",
            text(&message)
        );
        message
    }

    /// Nothing (else) has been sent.
    pub(crate) fn expect_silence(&self) {
        if let Some(sent) = self.sent.front() {
            panic!("expected silence, the agent sent\n{}", text(&sent.message));
        }
    }

    /// What has been sent and not been looked at, with its time.
    pub(crate) fn take_sent(&mut self) -> Vec<(Instant, Message)> {
        self.sent.drain(..).map(|sent| (sent.at, sent.message)).collect()
    }

    /// The next request sent to `far` is of this method, whatever goes to others.
    #[track_caller]
    pub(crate) fn expect_for(&mut self, far: &FarEnd, method: Method<'_>) -> Message {
        let at = self.sent.iter().position(|sent| far.is_asked_in(&sent.message));
        let sent = at.and_then(|at| self.sent.remove(at));
        let message = sent.expect("a request to this far end").message;
        assert_eq!(message.method(), method);
        message
    }

    /// The connection the next message that will be looked at was sent on.
    pub(crate) fn next_sent_on(&self) -> ConnectionId {
        self.sent.front().expect("a message").connection
    }

    fn next_sent(&mut self, expected: &str) -> Message {
        let sent = self.sent.pop_front();
        sent.unwrap_or_else(|| panic!("expected {expected}, the agent sent nothing"))
            .message
    }

    /// Forgets events, messages and media actions so far.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.events.clear();
        self.media.take_log();
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// The call as it was reported last.
    pub(crate) fn info(&self, id: CallId) -> &CallInfo {
        self.calls.get(&id).expect("a call that was reported")
    }

    pub(crate) fn state(&self, id: CallId) -> CallState {
        self.info(id).state
    }

    /// How the call ended.
    pub(crate) fn end(&self, id: CallId) -> &CallEnd {
        assert_eq!(self.state(id), CallState::Ended);
        self.info(id).end.as_ref().expect("the reason of the end")
    }

    pub(crate) fn cause(&self, id: CallId) -> EndCause {
        self.end(id).cause
    }

    /// Every call there ever was, as it was reported last.
    pub(crate) fn reported(&self) -> impl Iterator<Item = &CallInfo> {
        self.calls.values()
    }

    /// Whether no call has ever had this id.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn is_unused(&self, id: CallId) -> bool {
        !self.calls.contains_key(&id)
    }

    pub(crate) fn newest_call(&self) -> CallId {
        let newest = self.calls.values().max_by_key(|call| call.created_at);
        newest.expect("a call").id
    }

    /// How an operation ended, if it has.
    pub(crate) fn outcome(&self, operation: OperationId) -> Option<&Result<(), OperationError>> {
        self.operations.get(&operation)
    }

    pub(crate) fn succeeded(&self, operation: OperationId) -> bool {
        self.outcome(operation) == Some(&Ok(()))
    }

    pub(crate) fn failure(&self, operation: OperationId) -> Option<OperationError> {
        self.outcome(operation).and_then(|result| result.clone().err())
    }

    pub(crate) fn registration(&self) -> &RegistrationState {
        self.agent.registration()
    }

    pub(crate) fn connection(&self) -> &ConnectionState {
        self.agent.connection()
    }

    /// The media session of the only call.
    pub(crate) fn session(&self) -> MediaSessionId {
        let open = self.media.open_sessions();
        assert_eq!(open.len(), 1, "one media session");
        open[0]
    }

    // --- media -----------------------------------------------------------------------------------------------

    /// The backend answers its oldest request.
    pub(crate) fn media_answers(&mut self) {
        let (request, result) = self.media.execute().expect("a media request");
        self.input(Input::MediaDone { request, result });
    }

    /// The backend refuses its oldest request.
    pub(crate) fn media_fails(&mut self, kind: MediaErrorKind) {
        let (request, result) = self.media.fail(kind).expect("a media request");
        self.input(Input::MediaDone { request, result });
    }

    /// The backend answers its oldest request with `outcome`, whatever it was.
    pub(crate) fn media_answers_with(&mut self, outcome: MediaOutcome) {
        let (request, _) = self.media.fail(MediaErrorKind::Failed).expect("a media request");
        self.input(Input::MediaDone {
            request,
            result: Ok(outcome),
        });
    }

    /// From now on the backend answers at once, as it does at first.
    pub(crate) fn media_goes_on(&mut self) {
        self.media.held_back = false;
        self.drain();
    }

    pub(crate) fn media_event(&mut self, event: MediaEvent) {
        let session = self.session();
        self.input(Input::Media { session, event });
    }

    pub(crate) fn transport(&mut self, state: MediaTransport) {
        self.media_event(MediaEvent::Transport { state });
    }

    // --- time ------------------------------------------------------------------------------------------------

    pub(crate) fn input(&mut self, input: Input) {
        self.agent.handle_input(self.now, input);
        self.drain();
    }

    /// Lets time pass; the agent is woken at each of its deadlines on the way.
    pub(crate) fn pass(&mut self, seconds: f64) {
        let until = self.now + secs(seconds);
        let mut wakes = (self.now, 0);
        while self.idle.is_some_and(|deadline| deadline.at <= until) {
            self.pass_to_next_deadline();
            wakes = if wakes.0 == self.now {
                (wakes.0, wakes.1 + 1)
            } else {
                (self.now, 0)
            };
            assert!(wakes.1 < 50, "the agent spins for {:?}", self.idle);
        }
        self.now = until;
    }

    pub(crate) fn pass_to_next_deadline(&mut self) {
        let due = self.idle.expect("a deadline");
        self.now = self.now.max(due.at);
        self.input(Input::Wake);
        assert!(
            self.idle.is_none_or(|next| next.at > self.now || next != due),
            "woken at {} for {:?}, which is still due",
            self.now,
            due.timer
        );
    }

    /// Carries out everything the agent asks for.
    pub(crate) fn drain(&mut self) {
        loop {
            let output = self.agent.poll_output();
            let Output::Idle(deadline) = output else {
                self.carry_out(output);
                continue;
            };
            self.idle = deadline;
            let Some(done) = (!self.media.held_back).then(|| self.media.execute()).flatten() else {
                return;
            };
            let (request, result) = done;
            let input = Input::MediaDone { request, result };
            self.agent.handle_input(self.now, input);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Connect { connection, url } => self.wanted.push_back((connection, url)),
            Output::Transmit { connection, message } => self.transmitted(connection, message),
            Output::Disconnect { connection } => {
                self.wanted.retain(|(wanted, _)| *wanted != connection);
                self.open.retain(|open| *open != connection);
            }
            Output::Media {
                request,
                session,
                action,
                ..
            } => self.media.requested(request, session, action),
            Output::Event(event) => self.happened(event),
            Output::Idle(_) => {}
        }
    }

    fn transmitted(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        assert!(self.is_open(connection), "sent on a connection that is not open");
        if self.dead.contains(&connection) {
            return;
        }
        if bytes == b"\r\n\r\n" {
            self.pings += 1;
            if self.answers_keep_alive {
                self.agent
                    .handle_input(self.now, received(connection, b"\r\n".to_vec()));
            }
            return;
        }
        if bytes == b"\r\n" {
            return;
        }
        let message = Message::parse(bytes).expect("the agent to send SIP");
        // A refusal repeats the headers of what it refuses, broken ones too.
        if message.status().is_none_or(|status| status < 400) {
            assert_eq!(message.validate(), Ok(()), "{}", text(&message));
        }
        if message.is_request() && message.method() == Method::Options && self.answers_keep_alive {
            let ok = ResponseBuilder::for_request(&message, 200).to_tag("edge").build();
            let input = received(connection, ok.as_bytes().to_vec());
            return self.agent.handle_input(self.now, input);
        }
        self.sent.push_back(Sent {
            at: self.now,
            connection,
            message,
        });
    }

    fn happened(&mut self, event: Event) {
        match &event {
            Event::Call(info) => {
                let known = self.calls.insert(info.id, (**info).clone());
                let was_over = known.is_some_and(|known| known.state == CallState::Ended);
                assert!(!was_over, "a call that had ended was reported again");
            }
            Event::OperationDone { operation, result } => {
                let before = self.operations.insert(*operation, result.clone());
                assert_eq!(before, None, "an operation ended twice");
            }
            Event::Connection(_)
            | Event::Registration(_)
            | Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::Stopped
            | Event::Dropped { .. } => {}
        }
        self.events.push_back(event);
    }
}

/// 200 to a REGISTER: what a registrar grants that speaks neither outbound nor GRUU.
pub(crate) fn granted(register: &Message) -> ResponseBuilder {
    ResponseBuilder::for_request(register, 200)
        .to_tag("registrar")
        .headers_from(register, HeaderName::Contact)
}

fn received(connection: ConnectionId, message: Vec<u8>) -> Input {
    Input::Received { connection, message }
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}
