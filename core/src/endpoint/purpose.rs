//! What a client transaction was sent for, so that its outcome finds its owner.

use crate::id::{CallId, SubscriptionId};

/// The owner and meaning of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// REGISTER of any kind for the flow with this reg-id.
    Register(u32),
    /// OPTIONS that shows the connection is alive.
    KeepAlive,
    /// The INVITE that starts a call.
    Invite(CallId),
    /// An INVITE inside a call's dialog.
    ReInvite(CallId),
    /// An INVITE inside the dialog of a call that has ended.
    Orphan,
    /// A PRACK for a provisional response.
    Prack(CallId),
    /// An UPDATE inside a call's dialog.
    Update(CallId),
    /// An INVITE with Replaces that is to bring a call back.
    Recovery(CallId),
    /// The BYE that ends a call.
    Bye(CallId),
    /// SUBSCRIBE of any kind.
    Subscribe(SubscriptionId),
    /// Candidates by INFO.
    Trickle(CallId),
    /// The REFER that sends a call's far end to somebody else.
    Refer(CallId),
    /// A NOTIFY about a call that the far end has asked for.
    Notify(CallId),
    /// A digit by INFO.
    Dtmf(CallId),
    /// The BYE of a call that ended while there was no connection.
    Farewell,
    /// BYE to a fork that answered too late.
    LateFork,
    /// CANCEL.
    Cancel,
}

impl Purpose {
    /// The call it is about.
    pub(crate) fn call(self) -> Option<CallId> {
        match self {
            Self::Invite(id)
            | Self::ReInvite(id)
            | Self::Prack(id)
            | Self::Update(id)
            | Self::Recovery(id)
            | Self::Bye(id)
            | Self::Trickle(id)
            | Self::Refer(id)
            | Self::Notify(id)
            | Self::Dtmf(id) => Some(id),
            Self::Register(_)
            | Self::KeepAlive
            | Self::Orphan
            | Self::Subscribe(_)
            | Self::Farewell
            | Self::LateFork
            | Self::Cancel => None,
        }
    }

    /// Whether the route of the registrar is for it (RFC 3608 section 6.1): neither for what is between neighbours, nor for
    /// what has a way of its own.
    pub(crate) fn takes_service_route(self) -> bool {
        !matches!(self, Self::Register(_) | Self::KeepAlive | Self::Cancel)
    }
}
