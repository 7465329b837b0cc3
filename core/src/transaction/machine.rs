//! What the four machines have in common: the results of a step, and one type for each side.

use super::Flow;
use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::non_invite_client::NonInviteClient;
use super::non_invite_server::NonInviteServer;
use crate::id::ConnectionId;
use crate::sip::Message;
use crate::time::Instant;

/// What a client machine makes of a response.
#[derive(Debug, Default)]
pub(super) struct ClientStep {
    /// The transaction user gets it.
    pub(super) deliver: bool,
    /// An ACK goes out.
    pub(super) send: Option<Message>,
}

impl ClientStep {
    pub(super) fn deliver() -> Self {
        Self {
            deliver: true,
            send: None,
        }
    }

    pub(super) fn send(message: Option<Message>) -> Self {
        Self {
            deliver: false,
            send: message,
        }
    }

    pub(super) fn deliver_and_send(message: Option<Message>) -> Self {
        Self {
            deliver: true,
            send: message,
        }
    }
}

/// What a server machine makes of a request that matches it.
#[derive(Debug)]
pub(super) enum ServerStep {
    Absorb,
    Send(Option<Message>),
    /// An ACK for a 2xx: the transaction user's.
    Deliver,
}

/// What the passing of time has brought.
#[derive(Debug)]
pub(super) enum Expiry {
    None,
    Send(Message),
    TimedOut,
    AckMissing,
    Terminated,
}

macro_rules! machine {
    ($name:ident { $($variant:ident($inner:ty)),* }) => {
        #[derive(Clone, Debug)]
        pub(super) enum $name {
            $($variant($inner)),*
        }

        impl $name {
            pub(super) fn expire(&mut self, now: Instant) -> Expiry {
                match self {
                    $(Self::$variant(machine) => machine.expire(now)),*
                }
            }

            pub(super) fn is_terminated(&self) -> bool {
                match self {
                    $(Self::$variant(machine) => machine.is_terminated()),*
                }
            }

            pub(super) fn awaits_response(&self) -> bool {
                match self {
                    $(Self::$variant(machine) => machine.awaits_response()),*
                }
            }

            pub(super) fn flow(&self) -> Flow {
                match self {
                    $(Self::$variant(machine) => machine.flow()),*
                }
            }

            pub(super) fn request(&self) -> &Message {
                match self {
                    $(Self::$variant(machine) => machine.request()),*
                }
            }

            pub(super) fn held_bytes(&self) -> usize {
                match self {
                    $(Self::$variant(machine) => machine.held_bytes()),*
                }
            }

            pub(super) fn deadline(&self) -> Option<Instant> {
                match self {
                    $(Self::$variant(machine) => machine.deadline()),*
                }
            }
        }
    };
}

machine!(Machine {
    InviteClient(InviteClient),
    NonInviteClient(NonInviteClient),
    InviteServer(InviteServer),
    NonInviteServer(NonInviteServer)
});

impl Machine {
    pub(super) fn is_client(&self) -> bool {
        matches!(self, Self::InviteClient(_) | Self::NonInviteClient(_))
    }

    /// Points a server transaction of the connection `from` to `to`.
    pub(super) fn move_flow(&mut self, from: ConnectionId, to: Flow) {
        let flow = match self {
            Self::InviteServer(server) => server.flow_mut(),
            Self::NonInviteServer(server) => server.flow_mut(),
            Self::InviteClient(_) | Self::NonInviteClient(_) => return,
        };
        if flow.connection == from {
            *flow = to;
        }
    }
}
