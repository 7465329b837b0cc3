//! What goes into the platform and what comes out of it.

use std::net::SocketAddr;

use clearline_core::ConnectionId;
use clearline_core::Instant;

use crate::user::UserId;

/// Something that happened outside the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A client has connected. The driver chooses the id and does not use it again.
    Connected {
        /// Names the connection from now on.
        connection: ConnectionId,
        /// What carries it.
        transport: Transport,
        /// The client's address, for the `received` and `rport` parameters (RFC 3261 section 18.2.1). `None` for
        /// clients in the same process.
        peer: Option<SocketAddr>,
    },
    /// A connection is closed. Ignored for one the platform itself has closed.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
    },
    /// One whole message: a WebSocket frame (RFC 7118 section 5), text or binary.
    Received {
        /// Where it came in.
        connection: ConnectionId,
        /// Its bytes, whatever they are.
        message: Vec<u8>,
    },
    /// The deadline of the last [`Output::Idle`] has come. Waking early or twice is harmless.
    Wake,
}

/// What carries a connection, as Via headers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket (RFC 7118), or something in the same process that behaves like it.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl Transport {
    /// The name in a Via header (RFC 7118 section 5.2).
    pub(crate) fn via_name(self) -> &'static str {
        match self {
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }
}

/// One thing the driver has to do. `Idle` comes last, when nothing else is queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send one message as one frame.
    Transmit {
        /// On which connection.
        connection: ConnectionId,
        /// The frame; UTF-8 unless a body is binary.
        message: Vec<u8>,
    },
    /// Close the connection. For the platform it is closed already.
    Disconnect {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        reason: DisconnectReason,
    },
    /// Something worth a line in a log or a number in a statistic.
    Event(Event),
    /// Nothing is queued. Call again with [`Input::Wake`] at the deadline, if there is one, or with any other input.
    Idle(Option<Deadline>),
}

/// Why the platform closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// Too many messages that were malformed or above the rate.
    TooManyFaults,
    /// Too many wrong passwords.
    TooManyAuthenticationFailures,
}

impl DisconnectReason {
    /// Words for the close frame and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooManyFaults => "too many malformed or excess messages",
            Self::TooManyAuthenticationFailures => "too many failed sign-in attempts",
        }
    }
}

/// When the platform wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment; may already have passed.
    pub at: Instant,
    /// What happens then.
    pub timer: Timer,
}

/// Why the platform wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// When a transaction retransmits or gives up (RFC 3261 section 17).
    Transaction,
    /// When a binding expires.
    Binding,
    /// When a forwarded request is given up: timer C, a CANCEL without effect, a caller who stays away.
    Proxy,
    /// When a subscription lapses or is told what has changed, or a dialog counts as over.
    Event,
}

/// Something worth a line in a log. `Debug` shows no names and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A device has registered for the first time, or again over a new connection. Refreshes are not reported.
    Registered {
        /// Whose.
        user: UserId,
        /// Over which connection.
        connection: ConnectionId,
        /// How many devices the user has now.
        devices: usize,
    },
    /// A device is gone.
    Unregistered {
        /// Whose.
        user: UserId,
        /// Why.
        cause: UnregisteredCause,
        /// How many devices the user has left.
        devices: usize,
    },
    /// Wrong credentials were shown.
    AuthenticationFailed {
        /// On which connection.
        connection: ConnectionId,
    },
    /// Something above a limit was refused. Of many on one connection only some are reported.
    LimitExceeded {
        /// On which connection.
        connection: ConnectionId,
        /// Which limit.
        limit: Limit,
    },
    /// A message was dropped without an answer. Of many on one connection only some are reported.
    Dropped {
        /// Where it came in.
        connection: ConnectionId,
        /// What was wrong with it.
        why: &'static str,
        /// How many faults of this connection were not reported since the last one that was.
        unreported: u32,
    },
}

/// Why a device is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnregisteredCause {
    /// It said so.
    Request,
    /// It did not come back in time.
    Expired,
    /// Its user or its credentials were removed.
    Revoked,
    /// It was unreachable, and the user needed the place for another device.
    Replaced,
}

/// A limit of [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Messages per second.
    Messages,
    /// Requests being forwarded at the same time.
    Transactions,
    /// Devices per user.
    Bindings,
}
