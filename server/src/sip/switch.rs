//! Drives the platform: one task owns it, everything else talks to the task by messages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::sip::digest;
use clearline_pbx::{CredentialId, Event, Input, Output, Platform, Transport, User, UserId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::line::{CloseReason, IN_FLIGHT, Line, LineState, QUEUE};
use crate::storage::{EndedCredentials, Ha1};

/// Inputs that wait for the platform. Connections that produce more wait themselves.
const INPUTS: usize = 1_024;

/// A handle on the platform's task; clones share it. The task ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Switch {
    commands: mpsc::Sender<Command>,
    connections: Arc<AtomicU64>,
}

/// What the task is told.
pub(super) enum Command {
    Connected {
        connection: ConnectionId,
        transport: Transport,
        peer: Option<SocketAddr>,
        line: PlatformEnd,
    },
    Received {
        connection: ConnectionId,
        message: Vec<u8>,
        /// Given back when the message has been taken.
        turn: OwnedSemaphorePermit,
    },
    Disconnected {
        connection: ConnectionId,
    },
    AddUser(User),
    AddCredential {
        user: UserId,
        auth_user: String,
        ha1: Ha1,
    },
    RemoveCredentials(EndedCredentials),
    /// A user, and the credentials of the same name.
    RemoveUser(String),
    Stop(oneshot::Sender<()>),
}

/// The platform's end of a [`Line`].
pub(super) struct PlatformEnd {
    messages: mpsc::Sender<Vec<u8>>,
    state: watch::Sender<LineState>,
}

impl PlatformEnd {
    fn close(&self, reason: CloseReason) {
        self.state.send_modify(|state| state.close = Some(reason));
    }
}

impl Switch {
    /// Starts the task. Needs a tokio runtime.
    pub(crate) fn start(platform: Platform) -> Self {
        let (commands, received) = mpsc::channel(INPUTS);
        tokio::spawn(Driver::new(platform).run(received));
        Self {
            commands,
            connections: Arc::default(),
        }
    }

    /// Announces a connection.
    pub(crate) async fn open(&self, transport: Transport, peer: Option<SocketAddr>) -> Line {
        let id = ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed));
        let (message_sender, messages) = mpsc::channel(QUEUE);
        let (state_sender, state) = watch::channel(LineState::default());
        let line = PlatformEnd {
            messages: message_sender,
            state: state_sender,
        };
        self.command(Command::Connected {
            connection: id,
            transport,
            peer,
            line,
        })
        .await;
        Line {
            id,
            switch: self.clone(),
            messages,
            state,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }

    /// Makes a user known, or changes one.
    pub(crate) async fn add_user(&self, user: User) {
        self.command(Command::AddUser(user)).await;
    }

    /// Lets `user` authenticate as `auth_user`.
    pub(crate) async fn add_credential(&self, user: String, auth_user: String, ha1: Ha1) {
        self.command(Command::AddCredential {
            user: UserId::new(user),
            auth_user,
            ha1,
        })
        .await;
    }

    /// Takes credentials back; devices that registered with them are gone.
    pub(crate) async fn remove_credentials(&self, auth_users: EndedCredentials) {
        if !auth_users.is_empty() {
            self.command(Command::RemoveCredentials(auth_users)).await;
        }
    }

    /// Removes a user whose credentials have the same name; their devices are gone.
    pub(crate) async fn remove_user(&self, name: String) {
        self.command(Command::RemoveUser(name)).await;
    }

    /// Closes every connection with "going away".
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.command(Command::Stop(done)).await {
            drop(stopped.await);
        }
    }

    pub(super) async fn command(&self, command: Command) -> bool {
        self.commands.send(command).await.is_ok()
    }

    /// For destructors: does not wait, and loses nothing either.
    pub(super) fn command_detached(&self, command: Command) {
        if let Err(TrySendError::Full(command)) = self.commands.try_send(command)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let switch = self.clone();
            runtime.spawn(async move { switch.command(command).await });
        }
    }
}

struct Driver {
    platform: Platform,
    epoch: tokio::time::Instant,
    lines: BTreeMap<ConnectionId, PlatformEnd>,
    /// The ids under which the platform knows the credentials of an auth user.
    credentials: BTreeMap<String, Vec<CredentialId>>,
    stopping: bool,
}

impl Driver {
    fn new(platform: Platform) -> Self {
        Self {
            platform,
            epoch: tokio::time::Instant::now(),
            lines: BTreeMap::new(),
            credentials: BTreeMap::new(),
            stopping: false,
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let deadline = self.drain();
            let wake = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.execute(command),
                    None => return,
                },
                () = wake => self.input(Input::Wake),
            }
        }
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Connected { line, .. } if self.stopping => line.close(CloseReason::GoingAway),
            Command::Connected {
                connection,
                transport,
                peer,
                line,
            } => {
                self.lines.insert(connection, line);
                self.input(Input::Connected {
                    connection,
                    transport,
                    peer,
                });
            }
            Command::Received {
                connection,
                message,
                turn,
            } => {
                drop(turn);
                self.input(Input::Received { connection, message });
            }
            Command::Disconnected { connection } => {
                if self.lines.remove(&connection).is_some() {
                    self.input(Input::Disconnected { connection });
                }
            }
            Command::AddUser(user) => {
                if let Err(error) = self.platform.set_user(user) {
                    tracing::error!(%error, "a user could not be added to the platform");
                }
            }
            Command::AddCredential { user, auth_user, ha1 } => self.add_credential(&user, auth_user, &ha1),
            Command::RemoveCredentials(auth_users) => {
                for id in auth_users
                    .iter()
                    .filter_map(|name| self.credentials.remove(name))
                    .flatten()
                {
                    self.platform.remove_credential(id);
                }
            }
            Command::RemoveUser(name) => {
                self.credentials.remove(&name);
                self.platform.remove_user(&UserId::new(name));
            }
            Command::Stop(done) => {
                self.stopping = true;
                for line in self.lines.values() {
                    line.close(CloseReason::GoingAway);
                }
                // Nobody waits any more if this fails.
                let _unheard = done.send(());
            }
        }
    }

    fn add_credential(&mut self, user: &UserId, auth_user: String, ha1: &Ha1) {
        let stored = [
            (digest::Algorithm::Md5, &ha1.md5),
            (digest::Algorithm::Sha256, &ha1.sha256),
        ];
        let ids = stored
            .into_iter()
            .filter_map(|(algorithm, hex)| digest::Ha1::from_hex(algorithm, hex))
            .map(|ha1| self.platform.add_credential(user, auth_user.clone(), ha1))
            .collect();
        for replaced in self.credentials.insert(auth_user, ids).into_iter().flatten() {
            self.platform.remove_credential(replaced);
        }
    }

    fn input(&mut self, input: Input) {
        let now = Instant::ZERO + self.epoch.elapsed();
        self.platform.handle_input(now, input);
    }

    /// Does what the platform wants done, and returns when it wants to be woken.
    fn drain(&mut self) -> Option<tokio::time::Instant> {
        loop {
            match self.platform.poll_output() {
                Output::Transmit { connection, message } => self.transmit(connection, message),
                Output::Disconnect { connection, reason } => {
                    if let Some(line) = self.lines.remove(&connection) {
                        tracing::info!(%connection, reason = reason.as_str(), "a connection is closed");
                        line.close(CloseReason::Refused(reason.as_str()));
                    }
                }
                Output::Event(event) => log(&event),
                Output::Idle(deadline) => {
                    return deadline
                        .map(|deadline| self.epoch + Duration::from_micros(deadline.at.as_micros()));
                }
            }
        }
    }

    fn transmit(&mut self, connection: ConnectionId, message: Vec<u8>) {
        let Some(line) = self.lines.get(&connection) else {
            return;
        };
        if self.platform.is_signed_in(connection) {
            line.state
                .send_if_modified(|state| !std::mem::replace(&mut state.is_signed_in, true));
        }
        match line.messages.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::info!(%connection, "a connection that does not read is closed");
                line.close(CloseReason::SlowReader);
                self.lost(connection);
            }
            // Its task has ended; the news is on its way.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    fn lost(&mut self, connection: ConnectionId) {
        self.lines.remove(&connection);
        self.input(Input::Disconnected { connection });
    }
}

fn log(event: &Event) {
    tracing::debug!(?event, "platform");
}

#[cfg(test)]
mod tests {
    use clearline_pbx::{Config, Key};
    use futures_util::FutureExt as _;

    use super::*;

    fn switch() -> Switch {
        Switch::start(Platform::new(
            Config::new("example.com", Key::new([1; 32])),
            [2; 32],
        ))
    }

    /// A keep-alive (RFC 5626 section 3.5.1); the platform answers each.
    const PING: &[u8] = b"\r\n\r\n";

    async fn closed(line: &mut Line) -> Option<CloseReason> {
        line.state
            .wait_for(|state| state.close.is_some())
            .await
            .unwrap()
            .close
    }

    #[tokio::test]
    async fn messages_pass_both_ways() {
        let mut line = switch().open(Transport::Ws, None).await;
        assert!(line.send(PING.to_vec()).await);
        assert_eq!(line.receive().await.unwrap(), b"\r\n");
    }

    #[tokio::test]
    async fn who_does_not_read_is_closed_and_nobody_else() {
        let switch = switch();
        let (mut deaf, mut other) = (
            switch.open(Transport::Ws, None).await,
            switch.open(Transport::Ws, None).await,
        );
        for _ in 0..=QUEUE {
            assert!(deaf.send(PING.to_vec()).await);
        }
        assert_eq!(closed(&mut deaf).await, Some(CloseReason::SlowReader));
        assert!(other.send(PING.to_vec()).await && other.receive().await.is_some());
    }

    #[tokio::test]
    async fn a_connection_in_a_hurry_takes_its_turn() {
        let (commands, mut queue) = mpsc::channel(INPUTS);
        let switch = Switch {
            commands,
            connections: Arc::default(),
        };
        let (hasty, calm) = (
            switch.open(Transport::Ws, None).await,
            switch.open(Transport::Ws, None).await,
        );
        for _ in 0..IN_FLIGHT {
            assert_eq!(hasty.send(PING.to_vec()).now_or_never(), Some(true));
        }
        assert_eq!(hasty.send(PING.to_vec()).now_or_never(), None, "it waits");
        assert_eq!(
            calm.send(PING.to_vec()).now_or_never(),
            Some(true),
            "others do not"
        );

        let mut taken = 0;
        while taken == 0 {
            taken += usize::from(matches!(queue.recv().await, Some(Command::Received { .. })));
        }
        assert_eq!(
            hasty.send(PING.to_vec()).now_or_never(),
            Some(true),
            "one was taken"
        );
        assert_eq!(hasty.send(PING.to_vec()).now_or_never(), None);
    }

    #[tokio::test]
    async fn an_answer_alone_does_not_make_a_stranger_known() {
        let mut line = switch().open(Transport::Ws, None).await;
        let options = b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKx\r\n\
            From: <sip:x@x.invalid>;tag=x\r\nTo: <sip:example.com>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\
            Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
        for message in [PING, options] {
            assert!(line.send(message.to_vec()).await);
            assert!(line.receive().await.is_some());
            assert!(!line.is_signed_in());
        }
    }

    #[tokio::test]
    async fn a_stop_closes_those_who_are_there_and_those_who_come() {
        let switch = switch();
        let mut early = switch.open(Transport::Ws, None).await;
        switch.stop().await;
        let mut late = switch.open(Transport::Ws, None).await;
        assert_eq!(closed(&mut early).await, Some(CloseReason::GoingAway));
        assert_eq!(closed(&mut late).await, Some(CloseReason::GoingAway));
        assert_eq!(late.receive().await, None);
    }
}
