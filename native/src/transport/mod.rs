//! Connections that carry whole SIP messages: WebSocket (RFC 7118) and, within one process, a pair of channels.

mod channel;
mod web_socket;

use std::fmt;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use channel::{ChannelListener, ChannelTransport};
pub use web_socket::{WebSocketTransport, WebSocketTransportBuilder};

/// Messages that may wait in one direction of a [`Connection`] before the sender has to wait too.
const QUEUE: usize = 64;

/// A way to open connections.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Opens a connection to `url`. Dropping the future gives up the attempt.
    ///
    /// # Errors
    /// Says in words why it could not be opened.
    async fn connect(&self, url: &str) -> Result<Connection, TransportError>;
}

/// One end of an open connection. Both directions keep the order and the bounds of messages.
#[derive(Debug)]
pub struct Connection {
    /// Whole messages from the other end; ends when the connection is closed.
    pub incoming: mpsc::Receiver<Vec<u8>>,
    /// Whole messages to the other end; dropping it closes the connection.
    pub outgoing: mpsc::Sender<Vec<u8>>,
    /// Why the connection ended, once [`incoming`](Self::incoming) has; `None` while nobody has said why.
    pub close_reason: CloseReason,
}

impl Connection {
    /// The two ends of a connection within this process.
    pub fn pair() -> (Self, Self) {
        let (left_out, right_in) = mpsc::channel(QUEUE);
        let (right_out, left_in) = mpsc::channel(QUEUE);
        let reason = CloseReason::default();
        (
            Self {
                incoming: left_in,
                outgoing: left_out,
                close_reason: reason.clone(),
            },
            Self {
                incoming: right_in,
                outgoing: right_out,
                close_reason: reason,
            },
        )
    }
}

/// A place where the side that closes a connection leaves the reason.
#[derive(Clone, Debug, Default)]
pub struct CloseReason(std::sync::Arc<std::sync::OnceLock<String>>);

impl CloseReason {
    /// Leaves the reason; the first one stays.
    pub fn set(&self, reason: impl Into<String>) {
        // Being second is no error: the first cause is the one that matters.
        let _ = self.0.set(reason.into());
    }

    /// The reason, in words for a diagnostic log.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Why a connection could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// The URL is not one this transport can open.
    InvalidUrl(String),
    /// Nobody listens there, the name does not resolve, or the network is gone.
    Unreachable(String),
    /// The server's certificate is not trusted, or TLS failed otherwise.
    Tls(String),
    /// The server answered, but not with a WebSocket that speaks SIP.
    Refused(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidUrl(detail) => write!(f, "not a usable server address: {detail}"),
            Self::Unreachable(detail) => write!(f, "server not reachable: {detail}"),
            Self::Tls(detail) => write!(f, "no trusted connection: {detail}"),
            Self::Refused(detail) => write!(f, "the server refused: {detail}"),
        }
    }
}

impl std::error::Error for TransportError {}
