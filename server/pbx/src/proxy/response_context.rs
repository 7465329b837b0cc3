//! What a request that is being forwarded waits for (RFC 3261 section 16.2: the response context), and which of the
//! answers goes back (section 16.7).
//!
//! ```text
//!   Searching --- 2xx, or every branch has failed and no target is left ---> Answered
//!       |                                                                       ^
//!       | 6xx, CANCEL, the caller is gone: no new branch,                       |
//!       v all others are cancelled                                              |
//!    Ending ------ 2xx, or every branch has ended ------------------------------+
//! ```

use std::collections::VecDeque;

use clearline_core::ConnectionId;
use clearline_core::sip::{HeaderName, Message, Method, quote};
use clearline_core::transaction::TransactionId;

use crate::flow::FlowId;
use crate::proxy::target::{Device, Target};
use crate::user::UserId;

/// A forwarded request and its branches.
#[derive(Clone, Debug)]
pub(crate) struct ResponseContext {
    pub(crate) server: TransactionId,
    /// Where responses go: the caller's connection.
    pub(crate) upstream: ConnectionId,
    /// Names the caller's device in routes, and finds it on another connection.
    pub(crate) upstream_flow: FlowId,
    /// The request after route processing.
    pub(crate) request: Message,
    pub(crate) place: Place,
    /// P-Asserted-Identity for the request.
    pub(crate) asserted_identity: Option<String>,
    /// What the branches carry to tell a loop.
    pub(crate) loop_check: String,
    pub(crate) stage: Stage,
    /// The caller asked for the end, so 487 is the answer.
    pub(crate) is_cancelled: bool,
    /// Devices not tried yet.
    pub(crate) waiting: VecDeque<Vec<Device>>,
    /// The status when no flow works.
    pub(crate) unreachable: u16,
    /// How many branches may live at the same time.
    pub(crate) breadth: u32,
    pub(crate) branches: Vec<Branch>,
}

/// Where a request stands towards dialogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It may start one; sent by this user.
    Outside(UserId),
    /// It belongs to one.
    Inside {
        /// Of which the platform knew.
        is_known: bool,
    },
}

/// See the module's diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Targets are being tried.
    Searching,
    /// The outcome is decided but for a late 2xx; branches are being wound up.
    Ending,
    /// The final response has gone out.
    Answered,
}

/// One device being tried.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) transaction: TransactionId,
    pub(crate) target: Target,
    /// Other ways to the same device.
    pub(crate) alternatives: Device,
    pub(crate) state: BranchState,
}

/// ```text
///   Calling --1xx--> Proceeding --cancel--> Cancelled
///      |                                       ^
///      +---cancel--> Doomed ------1xx----------+
///
///   any of them --2xx--> Accepted,  --300-699, failure--> Ended
/// ```
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BranchState {
    /// Nothing has been heard.
    Calling,
    /// A provisional response has come.
    Proceeding,
    /// To be cancelled as soon as a provisional response allows it (section 9.1).
    Doomed(CancelCause),
    /// CANCEL has been sent.
    Cancelled(CancelCause),
    /// A 2xx has come.
    Accepted,
    /// With this final response, which may be one made here.
    Ended(Message),
}

/// Why a branch is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CancelCause {
    /// Another device took the call.
    CompletedElsewhere,
    /// Another device declined for all, with this status.
    DeclinedElsewhere(u16),
    /// Timer C has fired.
    NoAnswer,
    /// The caller cancelled, giving these Reason values.
    Caller(Vec<String>),
    /// The caller's connection was lost and did not come back.
    CallerGone,
}

impl CancelCause {
    /// The Reason values (RFC 3326) of the CANCEL.
    pub(crate) fn reasons(&self) -> Vec<String> {
        match self {
            Self::CompletedElsewhere => vec![sip_reason(200, "Call completed elsewhere")],
            Self::DeclinedElsewhere(status) => vec![sip_reason(*status, "Declined elsewhere")],
            Self::NoAnswer => vec![sip_reason(408, "No answer")],
            Self::Caller(reasons) => reasons.clone(),
            Self::CallerGone => vec![sip_reason(487, "Caller disconnected")],
        }
    }
}

fn sip_reason(cause: u16, text: &str) -> String {
    format!("SIP;cause={cause};text={}", quote(text))
}

impl ResponseContext {
    pub(crate) fn is_invite(&self) -> bool {
        self.request.method() == Method::Invite
    }

    /// Whether a branch has neither ended nor been accepted.
    pub(crate) fn is_any_pending(&self) -> bool {
        self.branches.iter().any(Branch::is_pending)
    }

    /// The best of the final responses (section 16.7 step 6): a 6xx if there is one, else the lowest class, within it
    /// the one that tells the caller most. With what the other branches ask for, if it is a challenge.
    pub(crate) fn best_response(&self) -> Option<Message> {
        let finals = || self.branches.iter().filter_map(Branch::response);
        // min_by_key keeps the first of equals, so the earlier branch wins.
        let best = finals().min_by_key(|response| self.rank(response.status().unwrap_or(500)))?;
        if !matches!(best.status(), Some(401 | 407)) {
            return Some(best.clone());
        }
        let others = finals().filter(|other| *other != best && matches!(other.status(), Some(401 | 407)));
        let challenges = others.flat_map(|other| {
            [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate]
                .into_iter()
                .flat_map(|name| other.header_all(name).map(move |value| (name, value)))
        });
        Some(
            challenges
                .fold(best.edit(), |edit, (name, value)| edit.append(name, value))
                .build(),
        )
    }

    /// Lower is better.
    fn rank(&self, status: u16) -> (u8, u8) {
        let class = match status {
            600..=699 => 0,
            487 if self.is_cancelled => 1,
            300..=399 => 2,
            400..=499 => 3,
            _ => 4,
        };
        let within = match status {
            // A request that is changed could succeed.
            401 | 407 => 0,
            415 | 420 | 484 => 1,
            486 => 2,
            // These say of one device only that it was not there.
            408 | 430 | 480 => 4,
            487 => 5,
            _ => 3,
        };
        (class, within)
    }
}

impl Branch {
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(self.state, BranchState::Accepted | BranchState::Ended(_))
    }

    fn response(&self) -> Option<&Message> {
        match &self.state {
            BranchState::Ended(response) => Some(response),
            BranchState::Calling
            | BranchState::Proceeding
            | BranchState::Doomed(_)
            | BranchState::Cancelled(_)
            | BranchState::Accepted => None,
        }
    }
}
