//! One connection to the platform: a WebSocket, or a service in this process.

use std::sync::Arc;

use clearline_core::ConnectionId;
use tokio::sync::{Semaphore, mpsc, watch};

use super::switch::{Command, Switch};

/// Messages that wait for a slow reader. With more it is disconnected.
pub(super) const QUEUE: usize = 256;

/// Messages of one connection that wait for the platform; with more it waits itself. So each takes its turn, and one in a
/// hurry does not fill the queue before the others.
pub(super) const IN_FLIGHT: usize = 8;

/// The connection's own end. Dropping it tells the platform that the connection is closed.
pub(crate) struct Line {
    pub(super) id: ConnectionId,
    pub(super) switch: Switch,
    pub(super) messages: mpsc::Receiver<Vec<u8>>,
    pub(super) state: watch::Receiver<LineState>,
    pub(super) in_flight: Arc<Semaphore>,
}

/// What the platform thinks of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineState {
    /// It wants it closed.
    pub(super) close: Option<CloseReason>,
    /// Somebody has shown credentials on it.
    pub(super) is_signed_in: bool,
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The platform has had enough of it; its words.
    Refused(&'static str),
    /// It does not read what it is sent.
    SlowReader,
    /// It has shown no credentials.
    NotSignedIn,
    /// It does not answer pings.
    Dead,
    /// It sent a frame over the limit.
    TooLarge,
    /// It does not speak WebSocket properly.
    ProtocolError,
    /// The server stops.
    GoingAway,
    /// The client closed it, or the network did.
    Gone,
}

impl CloseReason {
    /// Close code (RFC 6455 section 7.4.1) and words; `None` where nobody would read them.
    pub(super) fn frame(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Refused(words) => Some((1008, words)),
            Self::SlowReader => Some((1008, "the connection does not read what it is sent")),
            Self::NotSignedIn => Some((1008, "no credentials shown in time")),
            Self::TooLarge => Some((1009, "messages are limited to 64 KiB")),
            Self::ProtocolError => Some((1002, "not a valid WebSocket frame")),
            Self::GoingAway => Some((1001, "the server stops")),
            Self::Dead | Self::Gone => None,
        }
    }
}

impl Line {
    /// Passes a message to the platform; waits while it is busy. `false` when it has stopped.
    pub(crate) async fn send(&self, message: Vec<u8>) -> bool {
        let Ok(turn) = Arc::clone(&self.in_flight).acquire_owned().await else {
            return false;
        };
        self.switch
            .command(Command::Received {
                connection: self.id,
                message,
                turn,
            })
            .await
    }

    /// The next message from the platform; `None` when the platform wants the connection closed.
    pub(crate) async fn receive(&mut self) -> Option<Vec<u8>> {
        let state = &mut self.state;
        tokio::select! {
            message = self.messages.recv() => message,
            _ = state.wait_for(|state| state.close.is_some()) => self.messages.try_recv().ok(),
        }
    }

    /// Why the platform wants the connection closed.
    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.state.borrow().close
    }

    pub(super) fn is_signed_in(&self) -> bool {
        self.state.borrow().is_signed_in
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.switch
            .command_detached(Command::Disconnected { connection: self.id });
    }
}
