//! The task that owns the agent: one `select!` over commands, the network, media and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clearline_core::{
    CallId, CallOptions, Command as AgentCommand, CommandError, ConnectionId, Deadline, Environment, Event,
    Input, OperationError, OperationId, Output, Secret, Token, UserAgent,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::error::PhoneError;
use crate::media::{MediaBackend, MediaJob};
use crate::phone::PhoneState;
use crate::recording::Recording;
use crate::transport::{Connection, Transport};

/// Messages that may wait for the agent before the socket has to wait.
const NETWORK_QUEUE: usize = 64;
/// The driver looks at the clock at least this often: timers stand still while the machine sleeps, the clock does not.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// What handles ask the driver to do.
pub(crate) enum Command {
    Call {
        id: CallId,
        target: String,
        options: CallOptions,
        reply: oneshot::Sender<Result<(), CommandError>>,
    },
    /// A command of the agent that ends in `OperationDone`.
    Operate {
        command: AgentCommand,
        reply: oneshot::Sender<Result<(), PhoneError>>,
    },
    SetPassword(Secret),
    SetToken(Token),
    Environment(Environment),
    Stop,
}

/// What connection tasks report.
enum Network {
    Opened(ConnectionId, mpsc::Sender<Vec<u8>>),
    Message(ConnectionId, Vec<u8>),
    Closed(ConnectionId, String),
}

/// The owner of one agent and of everything it works with.
pub(crate) struct Driver {
    agent: UserAgent,
    recording: Option<Recording>,
    clock: Clock,
    transport: Arc<dyn Transport>,
    media: Box<dyn MediaBackend>,
    events: broadcast::Sender<Event>,
    state: watch::Sender<Arc<PhoneState>>,
    links: BTreeMap<ConnectionId, Link>,
    operations: BTreeMap<OperationId, oneshot::Sender<Result<(), PhoneError>>>,
    /// Operations whose end is told once the state shows what came of them.
    done: Vec<(OperationId, Result<(), OperationError>)>,
    network: mpsc::Sender<Network>,
    reports: mpsc::UnboundedSender<Input>,
    stopped: bool,
}

/// A connection being opened, or open.
struct Link {
    task: JoinHandle<()>,
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
}

impl Driver {
    pub(crate) fn new(
        agent: UserAgent,
        recording: Option<Recording>,
        transport: Arc<dyn Transport>,
        media: Box<dyn MediaBackend>,
        events: broadcast::Sender<Event>,
        state: watch::Sender<Arc<PhoneState>>,
    ) -> Self {
        // Replaced by real ones in `run`, which owns the receiving ends.
        let (network, _) = mpsc::channel(1);
        let (reports, _) = mpsc::unbounded_channel();
        Self {
            agent,
            recording,
            clock: Clock::new(),
            transport,
            media,
            events,
            state,
            links: BTreeMap::new(),
            operations: BTreeMap::new(),
            done: Vec::new(),
            network,
            reports,
            stopped: false,
        }
    }

    /// Runs until the agent has stopped, or until nobody holds a handle any more.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let (network_sender, mut network) = mpsc::channel(NETWORK_QUEUE);
        let (report_sender, mut reports) = mpsc::unbounded_channel();
        (self.network, self.reports) = (network_sender, report_sender);
        // Nothing to refuse here.
        let _ = self.apply(AgentCommand::Start);
        loop {
            let deadline = self.drain();
            if self.stopped {
                return;
            }
            let sleep = self.until(deadline);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return self.abandon(),
                },
                Some(event) = network.recv() => self.network(event),
                Some(input) = reports.recv() => self.input(input),
                () = tokio::time::sleep(sleep) => self.input(Input::Wake),
            }
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        if let Some(recording) = &mut self.recording {
            recording.input(now, &input);
        }
        self.agent.handle_input(now, input);
    }

    fn apply(&mut self, command: AgentCommand) -> Result<Option<OperationId>, CommandError> {
        let now = self.clock.now();
        if let Some(recording) = &mut self.recording {
            recording.command(now, &command);
        }
        self.agent.apply(now, command)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Call {
                id,
                target,
                options,
                reply,
            } => {
                let result = self.apply(AgentCommand::Call { id, target, options }).map(drop);
                // The state shows the call before its handle exists.
                self.drain();
                let _ = reply.send(result);
            }
            Command::Operate { command, reply } => match self.apply(command) {
                Ok(Some(operation)) => drop(self.operations.insert(operation, reply)),
                Ok(None) => {
                    // The state shows what has begun before its handle exists.
                    self.drain();
                    drop(reply.send(Ok(())));
                }
                Err(error) => drop(reply.send(Err(error.into()))),
            },
            Command::SetPassword(password) => drop(self.apply(AgentCommand::SetPassword(password))),
            Command::SetToken(token) => drop(self.apply(AgentCommand::SetToken(token))),
            Command::Environment(environment) => self.input(Input::Environment(environment)),
            Command::Stop => drop(self.apply(AgentCommand::Stop)),
        }
    }

    fn network(&mut self, event: Network) {
        match event {
            Network::Opened(connection, outgoing) => {
                if let Some(link) = self.links.get_mut(&connection) {
                    link.outgoing = Some(outgoing);
                    self.input(Input::Connected { connection });
                }
            }
            Network::Message(connection, message) => {
                if self.links.contains_key(&connection) {
                    self.input(Input::Received { connection, message });
                }
            }
            Network::Closed(connection, reason) => {
                if self.links.remove(&connection).is_some() {
                    tracing::debug!(%connection, reason, "disconnected");
                    self.input(Input::Disconnected { connection, reason });
                }
            }
        }
    }

    /// Does what the agent asks for, until it asks for nothing more.
    fn drain(&mut self) -> Option<Deadline> {
        loop {
            match self.agent.poll_output() {
                Output::Connect { connection, url } => self.connect(connection, url),
                Output::Transmit { connection, message } => self.transmit(connection, message),
                Output::Disconnect { connection } => self.disconnect(connection),
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    self.media.execute(
                        MediaJob {
                            request,
                            call,
                            session,
                            action,
                        },
                        &self.reports,
                    );
                }
                Output::Event(event) => self.event(event),
                Output::Idle(deadline) => {
                    self.tell_done();
                    return deadline;
                }
            }
        }
    }

    fn connect(&mut self, connection: ConnectionId, url: String) {
        let task = tokio::spawn(carry(
            Arc::clone(&self.transport),
            connection,
            url,
            self.network.clone(),
        ));
        self.links.insert(connection, Link { task, outgoing: None });
    }

    fn transmit(&mut self, connection: ConnectionId, message: Vec<u8>) {
        let Some(outgoing) = self
            .links
            .get(&connection)
            .and_then(|link| link.outgoing.as_ref())
        else {
            return;
        };
        // A server that has stopped reading is as good as gone; the agent connects anew.
        if outgoing.try_send(message).is_err() {
            self.disconnect(connection);
            let reason = "the server does not take messages any more".to_owned();
            self.input(Input::Disconnected { connection, reason });
        }
    }

    /// Dropping the sender lets what is queued go out before the socket closes; an attempt is given up at once.
    fn disconnect(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.remove(&connection) {
            link.task.abort();
        }
    }

    fn event(&mut self, event: Event) {
        match &event {
            Event::OperationDone { operation, result } => self.done.push((*operation, result.clone())),
            Event::Dropped { why, unreported, .. } => tracing::debug!(why, unreported, "message dropped"),
            Event::Stopped => self.stopped = true,
            Event::Connection(_)
            | Event::Registration(_)
            | Event::Call(_)
            | Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Subscription { .. }
            | Event::Notification(_) => {}
        }
        self.state.send_if_modified(|state| {
            let mut next = PhoneState::clone(state);
            let changed = next.apply(&event);
            if changed {
                *state = Arc::new(next);
            }
            changed
        });
        // Nobody needs to listen.
        let _ = self.events.send(event);
    }

    fn tell_done(&mut self) {
        for (operation, result) in std::mem::take(&mut self.done) {
            if let Some(reply) = self.operations.remove(&operation) {
                let _ = reply.send(result.map_err(PhoneError::Operation));
            }
        }
    }

    /// The last handle is gone: nobody can hear what becomes of the calls.
    fn abandon(&mut self) {
        for (_, link) in std::mem::take(&mut self.links) {
            link.task.abort();
        }
    }

    fn until(&self, deadline: Option<Deadline>) -> Duration {
        deadline.map_or(LONGEST_SLEEP, |deadline| {
            deadline.at.saturating_since(self.clock.now()).min(LONGEST_SLEEP)
        })
    }
}

/// Opens a connection and reports what comes in, until it ends.
async fn carry(transport: Arc<dyn Transport>, id: ConnectionId, url: String, network: mpsc::Sender<Network>) {
    let closed = match transport.connect(&url).await {
        Err(error) => error.to_string(),
        Ok(Connection {
            mut incoming,
            outgoing,
            close_reason,
        }) => {
            if network.send(Network::Opened(id, outgoing)).await.is_err() {
                return;
            }
            while let Some(message) = incoming.recv().await {
                if network.send(Network::Message(id, message)).await.is_err() {
                    return;
                }
            }
            close_reason.get().unwrap_or("closed").to_owned()
        }
    };
    // A driver that has gone does not need to know.
    let _ = network.send(Network::Closed(id, closed)).await;
}
