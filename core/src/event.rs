//! What the agent tells the application. Everything is a whole snapshot of the thing that changed, so that a view
//! can render it without remembering earlier events.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::OperationError;
use crate::id::{CallId, ConferenceId, ConnectionId, OperationId, RemoteCallId, SubscriptionId};
use crate::io::{MediaErrorKind, MediaTransport};
use crate::time::Instant;

/// A change the application may want to show.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The connection to the platform changed.
    Connection(ConnectionState),
    /// The registration changed.
    Registration(RegistrationState),
    /// A call appeared or changed; the whole of it. A call in [`CallState::Ended`] is reported once and then forgotten.
    Call(Box<CallInfo>),
    /// A tone came in on a call.
    DtmfReceived {
        /// The call.
        call: CallId,
        /// `0-9 * # A-D`.
        tone: char,
    },
    /// The far end of a call wants this side to call somebody else, and policy leaves that to the user. It is also in
    /// [`CallInfo::transfer_request`], until it is decided or nobody waits for it any more.
    TransferRequested {
        /// The call.
        call: CallId,
        /// What is wanted.
        request: Box<TransferRequest>,
    },
    /// A subscription changed.
    Subscription {
        /// Which one.
        subscription: SubscriptionId,
        /// The new state. After [`SubscriptionState::Ended`] it is forgotten.
        state: SubscriptionState,
    },
    /// What was subscribed to has changed, or is told for the first time.
    Notification(Box<Notification>),
    /// The calls of this account's other devices, all of them, if
    /// [`Config::remote_calls`](crate::Config::remote_calls) asks for them.
    RemoteCalls(Vec<RemoteCall>),
    /// This account's other devices to which a call can be sent, all of them, if
    /// [`Config::remote_calls`](crate::Config::remote_calls) asks for them.
    OwnDevices(Vec<OwnDevice>),
    /// An accepted command has ended; exactly once per [`OperationId`].
    OperationDone {
        /// Which command.
        operation: OperationId,
        /// How it ended.
        result: Result<(), OperationError>,
    },
    /// A bearer token is needed (RFC 8898): give one with [`UserAgent::set_token`](crate::UserAgent::set_token). What was
    /// refused for want of it waits half a minute and then goes on.
    TokenWanted {
        /// What is wrong with the present one.
        need: TokenNeed,
        /// Where the platform says that tokens come from; empty if it does not say. Ask there only if it is a server this
        /// application trusts: the text comes from the network.
        authorization_server: String,
        /// What the token has to allow, in the platform's words.
        scope: String,
    },
    /// The agent has stopped in an orderly way: un-registered, calls ended, connection closed.
    Stopped,
    /// A message from the network was dropped. For diagnostics only. Under a flood of them only some are reported, so
    /// each report is worth its line in a log.
    Dropped {
        /// Where it came from.
        connection: ConnectionId,
        /// What was wrong with it.
        why: &'static str,
        /// How many were dropped without a report since the last one.
        unreported: u32,
    },
}

/// Why a token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenNeed {
    /// There is none.
    Missing,
    /// It ends soon.
    Expiring,
    /// It has ended.
    Expired,
    /// The platform does not accept it.
    Rejected,
}

/// The connection to the platform.
///
/// ```text
/// Stopped --start--> Connecting --open--> Connected
///    ^                   |  ^                 |
///    |               failed |due              | lost
///    |                   v  |                 v
///    +------stop------ Waiting <--------------+
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Not wanted.
    #[default]
    Stopped,
    /// An attempt is under way.
    Connecting {
        /// 1 for the first attempt since the last success.
        attempt: u32,
    },
    /// Open.
    Connected,
    /// The next attempt is planned.
    #[serde(rename_all = "camelCase")]
    Waiting {
        /// How many attempts have failed since the last success.
        attempt: u32,
        /// When the next one starts.
        retry_at: Instant,
        /// Why the last one failed, for details.
        reason: String,
    },
}

/// The registration of this device at the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RegistrationState {
    /// Not registered and not trying.
    #[default]
    Unregistered,
    /// A REGISTER is under way for the first time, or after a loss.
    Registering,
    /// This device can be called.
    #[serde(rename_all = "camelCase")]
    Registered {
        /// When the binding ends unless it is refreshed.
        expires_at: Instant,
        /// How many devices of the account are registered, this one included.
        bindings: u32,
    },
    /// The platform refused.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// Its answer, or `None` for a time-out.
        sip_status: Option<u16>,
        /// Its words.
        reason: String,
        /// Whether the account name or password is wrong; then there is no retry.
        credentials_rejected: bool,
        /// When the next try is due.
        retry_at: Option<Instant>,
    },
}

/// A subscription (RFC 6665).
///
/// ```text
/// Subscribing --> Pending --> Active --> Ended
///   ^   |           |           |
///   |   v           v           v
///   +- Waiting <----+-----------+
/// ```
/// Any state can go to `Ended` directly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SubscriptionState {
    /// SUBSCRIBE is out, or waits for a connection.
    Subscribing,
    /// The notifier waits for somebody's consent.
    #[serde(rename_all = "camelCase")]
    Pending {
        /// When it lapses unless it is refreshed.
        expires_at: Instant,
    },
    /// In force.
    #[serde(rename_all = "camelCase")]
    Active {
        /// When it lapses unless it is refreshed.
        expires_at: Instant,
    },
    /// It has failed or was ended by the notifier, and is tried again.
    #[serde(rename_all = "camelCase")]
    Waiting {
        /// When.
        retry_at: Instant,
        /// Why it is not in force.
        reason: TerminationReason,
        /// The answer behind it, if there was one.
        sip_status: Option<u16>,
    },
    /// Over for good.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// Why.
        reason: TerminationReason,
        /// The answer behind it, if there was one.
        sip_status: Option<u16>,
    },
}

/// Why a subscription is not in force (RFC 6665 section 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TerminationReason {
    /// The notifier wants it to be made anew, elsewhere perhaps.
    Deactivated,
    /// The notifier wants it to be made anew later.
    Probation,
    /// The owner of what was subscribed to does not want it.
    Rejected,
    /// It was not refreshed in time.
    Timeout,
    /// Consent could not be had in time.
    GiveUp,
    /// What was subscribed to does not exist any more.
    NoResource,
    /// The state will never change.
    Invariant,
    /// Not told, or a word not known here.
    Unknown,
    /// SUBSCRIBE was refused or not answered.
    Refused,
    /// The application does not want it any more.
    Unsubscribed,
}

/// What a notifier told.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// To which subscription.
    pub subscription: SubscriptionId,
    /// The event package.
    pub package: String,
    /// The media type of the body with its parameters, one of those that were asked for; empty without a body.
    pub content_type: String,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
}

impl fmt::Debug for Notification {
    /// Without the body: it is about people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("subscription", &self.subscription)
            .field("package", &self.package)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// Another device of this account that is registered and has an address of its own (RFC 5627).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnDevice {
    /// Its GRUU, which leads to no other device: a target for [`CallHandle::transfer`](crate::CallHandle::transfer).
    pub address: String,
    /// What it calls itself, if the platform tells: text from the network.
    pub name: Option<String>,
}

/// A call on another device of this account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteCall {
    /// For [`UserAgent::pull`](crate::UserAgent::pull).
    pub id: RemoteCallId,
    /// What the device calls itself, if the platform tells: text from the network.
    pub device: Option<String>,
    /// The far end.
    pub remote: Identity,
    /// Who started it, from the other device's view, if the platform tells.
    pub direction: Option<CallDirection>,
    /// Where it stands.
    pub state: RemoteCallState,
    /// Since when it stands there.
    pub since: Instant,
    /// It can be taken over.
    pub can_be_pulled: bool,
}

/// Where a call on another device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteCallState {
    /// It rings, here or there.
    Ringing,
    /// Answered.
    Active,
}

/// A call as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallInfo {
    /// Which call.
    pub id: CallId,
    /// Who started it.
    pub direction: CallDirection,
    /// The other end: as dialled at first, then as the platform asserts it.
    pub remote: Identity,
    /// The caller withholds who it is (RFC 3323): this side of an outgoing call, the far end of an incoming one.
    #[serde(default)]
    pub anonymous: bool,
    /// Who sent an incoming call on to here, the last one first (RFC 5806, RFC 7044).
    #[serde(default)]
    pub diverted_by: Vec<Diversion>,
    /// Where an outgoing call was sent on to by a redirect (RFC 3261 section 8.1.3.4): where it rings, or, if it has ended,
    /// where it was not followed to.
    #[serde(default)]
    pub redirected_to: Option<Identity>,
    /// How the platform would like it to ring: an alert URN (RFC 7462), if the configuration lets it have a say.
    #[serde(default)]
    pub alert: Option<String>,
    /// Where it stands.
    pub state: CallState,
    /// The microphone is switched off by the user.
    pub muted: bool,
    /// Negotiated: this side holds the other.
    pub local_hold: bool,
    /// Negotiated: the other side holds this one.
    pub remote_hold: bool,
    /// The conference the call is part of, on this device: its party hears those of the other calls of the same
    /// conference, unless one of them is held.
    #[serde(default)]
    pub conference: Option<ConferenceId>,
    /// The far end is the focus of a conference, as it says (`isfocus`, RFC 4579): several may be heard in this one call.
    #[serde(default)]
    pub focus: bool,
    /// Who takes part in the conference that the far end is the focus of, this user included, as the platform tells
    /// (RFC 4575); empty until it does, and where it does not.
    #[serde(default)]
    pub participants: Vec<Participant>,
    /// A change (hold, resume, ICE restart) is being negotiated.
    pub negotiating: bool,
    /// The connection to the platform or the audio path was lost in this answered call and has not been renegotiated
    /// yet. The call goes on; it ends by itself only after [`Config::lost_call_timeout`](crate::Config::lost_call_timeout).
    pub reconnecting: bool,
    /// The state of the audio path.
    pub media: MediaTransport,
    /// The microphone is missing or was refused; the call goes on without it.
    pub microphone_problem: Option<MediaErrorKind>,
    /// The platform plays audio before the answer, so no local ringback is due.
    pub early_media: bool,
    /// Another call was up when this one came in: a waiting tone, not a ring.
    pub waiting: bool,
    /// The far end can be sent to somebody else, as far as is known: it and the platform offer that.
    #[serde(default)]
    pub transferable: bool,
    /// What is under way to connect the far end with somebody else.
    #[serde(default)]
    pub transfer: Option<TransferState>,
    /// The far end wants this side to call somebody else, and waits for the user's consent:
    /// [`CallHandle::accept_transfer`](crate::CallHandle::accept_transfer) or
    /// [`decline_transfer`](crate::CallHandle::decline_transfer).
    #[serde(default)]
    pub transfer_request: Option<TransferRequest>,
    /// Who has connected this side with the present far end; of a call that comes in, whom the caller names (RFC 3892), which
    /// nobody proves.
    #[serde(default)]
    pub transferred_by: Option<Identity>,
    /// The call this one takes the place of if it is answered: the far end of that one has sent the user here, or both go
    /// into a conference. It belongs where that one is, its audio too.
    #[serde(default)]
    pub succeeds: Option<CallId>,
    /// The device of this account that the call was taken over from, in its own words, which may be none.
    #[serde(default)]
    pub pulled_from: Option<String>,
    /// When the call began to exist here.
    pub created_at: Instant,
    /// When it was answered.
    pub answered_at: Option<Instant>,
    /// When and how it ended; set in [`CallState::Ended`] only.
    pub end: Option<CallEnd>,
}

/// Somebody who takes part in a conference of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// Who; the URI names them in this conference.
    pub identity: Identity,
    /// It is this user, on this device or another.
    pub is_self: bool,
    /// They may have others brought in and sent away. Where that is said of nobody, the conference does not tell.
    pub is_moderator: bool,
    /// Where they stand.
    pub state: ParticipantState,
}

/// Where somebody stands in a conference (RFC 4575 section 5.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ParticipantState {
    /// On the way out.
    Leaving,
    /// On the way in.
    Joining,
    /// Being called: it rings there.
    Ringing,
    /// Takes part, and does not listen.
    OnHold,
    /// Takes part, and is not heard by decision of the conference.
    Muted,
    /// Takes part.
    Connected,
}

/// What is under way to connect the far end of a call with somebody else.
///
/// ```text
/// (hold) --> Consulting --> Referring --> Proceeding --> the call ends, transferred
///    +-----------------------^   |            |
///                                +------------+--> Failed: the call is what it was before
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TransferState {
    /// On hold while somebody else is asked.
    Consulting {
        /// In this call.
        with: CallId,
    },
    /// The far end has been asked to call somebody else.
    Referring,
    /// It does.
    #[serde(rename_all = "camelCase")]
    Proceeding {
        /// What it has heard: 100 for nothing yet, 180 when it rings there.
        sip_status: u16,
    },
    /// It has not come about, and the far end is back; where the user speaks with somebody else by then, it stays on hold
    /// ([`CallInfo::local_hold`] without [`CallInfo::negotiating`]). Stays until the next command to the call.
    Failed {
        /// Why.
        error: OperationError,
    },
}

/// The far end of a call wants this side to call somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferRequest {
    /// Whom.
    pub target: Identity,
    /// Who wants it.
    pub referred_by: Identity,
    /// Whether the two have spoken about it: the target is in a call that this side is to take over.
    pub attended: bool,
}

/// Who started a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallDirection {
    /// This side.
    Outgoing,
    /// The other side.
    Incoming,
}

/// A party: text from the network or from the user, to be shown as text only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The display name, empty if there is none.
    pub display_name: String,
    /// The user part of the URI (a number or a name), decoded.
    pub user: String,
    /// The whole URI.
    pub uri: String,
}

/// A party that sent a call on to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diversion {
    /// Whom the call was for; empty where that party wants privacy.
    pub party: Identity,
    /// Why it did not stay there.
    pub reason: DiversionReason,
}

/// Why a call was sent on (RFC 5806 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DiversionReason {
    /// Not told, or not known here.
    #[default]
    Unknown,
    /// Busy.
    UserBusy,
    /// Nobody answered.
    NoAnswer,
    /// Not reachable.
    Unavailable,
    /// Always.
    Unconditional,
    /// By the time of day.
    TimeOfDay,
    /// Does not want to be disturbed.
    DoNotDisturb,
    /// Sent on by hand.
    Deflection,
    /// Follows its user.
    FollowMe,
    /// Out of service.
    OutOfService,
    /// Away.
    Away,
}

/// Where a call stands.
///
/// ```text
/// outgoing: Preparing -> Calling -> Ringing -> Active -> Ending -> Ended
/// incoming: Incoming -> Answering -----------> Active -> Ending -> Ended
/// ```
/// Any state can go to `Ended` directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallState {
    /// The microphone is being opened and the offer made.
    Preparing,
    /// INVITE is out, nothing has been heard from a telephone yet.
    Calling,
    /// The far end rings.
    Ringing,
    /// Someone calls here.
    Incoming,
    /// The user has answered; the answer is being made or acknowledged.
    Answering,
    /// Answered.
    Active,
    /// Hanging up; waiting for the far end to agree.
    Ending,
    /// Over.
    Ended,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEnd {
    /// When.
    pub at: Instant,
    /// Why, as a user understands it.
    pub cause: EndCause,
    /// The SIP status behind it, for details.
    pub sip_status: Option<u16>,
    /// The platform's words, for details.
    pub text: String,
    /// The far end asked to be tried again after so many seconds (RFC 3261 section 20.33).
    pub retry_after: Option<u32>,
    /// The cause in the telephone network behind it (ITU-T Q.850), for details.
    #[serde(default)]
    pub q850_cause: Option<u8>,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EndCause {
    /// This side hung up an answered call.
    LocalHangUp,
    /// The far end hung up an answered call.
    RemoteHangUp,
    /// It has gone over to another: this side has connected the far end with somebody else, or the far end this side.
    Transferred,
    /// The far end has moved into the conference this side has brought it into: the talk goes on there.
    MovedToConference,
    /// A conference ended, as everybody else has left it.
    AloneInConference,
    /// Somebody who may has had this side sent away from a conference.
    RemovedFromConference,
    /// This side gave up before an answer.
    Cancelled,
    /// The caller gave up before this side answered: a missed call.
    Missed,
    /// This side declined.
    Declined,
    /// The far end declined.
    Rejected,
    /// The far end is busy.
    Busy,
    /// Nobody answered in time.
    NoAnswer,
    /// Another device of this user took the call (RFC 3326).
    AnsweredElsewhere,
    /// Another device of this user declined it for all.
    DeclinedElsewhere,
    /// No such number.
    NotFound,
    /// The far end is not reachable now.
    Unavailable,
    /// The platform does not allow it, or the credentials are wrong.
    Forbidden,
    /// No common audio format, or the description was refused.
    NotAcceptable,
    /// The microphone or the audio engine failed before the call came about.
    MediaFailed,
    /// The platform did not answer in time, or the connection was lost for too long.
    NetworkFailed,
    /// The platform failed (5xx, or an answer this side cannot use).
    ServerFailed,
}
