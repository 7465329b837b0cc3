//! What goes into the agent and what comes out of it: the whole contract between the core and its drivers.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::id::{CallId, ConferenceId, ConnectionId, MediaRequestId, MediaSessionId};
use crate::session_description::Direction;
use crate::time::Instant;

/// Something that happened outside the agent. Inputs and commands may come in any order between polls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The deadline of the last [`Output::Idle`] has come. Waking early or twice is harmless.
    Wake,
    /// The connection asked for by [`Output::Connect`] is open.
    Connected {
        /// Which one.
        connection: ConnectionId,
    },
    /// The connection could not be opened, or has closed. Nothing more is sent on it.
    Disconnected {
        /// Which one.
        connection: ConnectionId,
        /// Why, in words for a diagnostic log ("1006 abnormal closure").
        reason: String,
    },
    /// One whole message: a WebSocket frame (RFC 7118 section 5).
    Received {
        /// Where it came in.
        connection: ConnectionId,
        /// Its bytes, whatever they are. In a log they are text, as that of a [`Recorder`](crate::recording::Recorder) is.
        #[serde(with = "text")]
        message: Vec<u8>,
    },
    /// The answer to an [`Output::Media`]; exactly one per request.
    MediaDone {
        /// The request this answers.
        request: MediaRequestId,
        /// What came of it.
        result: Result<MediaOutcome, MediaError>,
    },
    /// The media backend has seen something on its own.
    Media {
        /// The session it concerns.
        session: MediaSessionId,
        /// What was seen.
        event: MediaEvent,
    },
    /// The machine or the page changed state.
    Environment(Environment),
}

/// How a received message stands in a log.
mod text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(message: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(message))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(deserializer).map(String::into_bytes)
    }
}

/// A change around the program that makes it worth probing the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// The network came back (`online`). After [`Self::Offline`] it counts as another one.
    Online,
    /// The network is gone (`offline`).
    Offline,
    /// This machine has another address or another way out now (Wi-Fi to cable, VPN up or down). What is open may still
    /// live: a second connection is made and registered before the old one is left, and every call renews its media.
    NetworkChanged,
    /// Something outside suggests that nothing gets through: audio that has stopped coming, a network that behaves in
    /// another way. It may as well be the far end's network; asking the platform tells.
    Doubtful,
    /// The machine woke from sleep, or the page was resumed.
    Resumed,
    /// The user looks at the phone.
    Visible,
    /// The user no longer looks at the phone.
    Hidden,
}

/// One thing the driver has to do. `Idle` comes last, when nothing else is queued.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a connection and report [`Input::Connected`] or [`Input::Disconnected`].
    Connect {
        /// The id under which all further inputs and outputs name it.
        connection: ConnectionId,
        /// `ws:` or `wss:` URL; the subprotocol is `sip`.
        url: String,
    },
    /// Send one message. Sends on a connection that has closed meanwhile are dropped.
    Transmit {
        /// On which connection.
        connection: ConnectionId,
        /// The frame.
        message: Vec<u8>,
    },
    /// Close the connection. No [`Input::Disconnected`] is expected for it, one is ignored.
    Disconnect {
        /// Which one.
        connection: ConnectionId,
    },
    /// Ask the media backend; it answers with [`Input::MediaDone`].
    Media {
        /// Names the answer.
        request: MediaRequestId,
        /// The call it belongs to.
        call: CallId,
        /// The peer connection to use; created by its first `CreateOffer` or `CreateAnswer`. Two of one
        /// call are open while its media move: the old one sounds on until the new one is agreed.
        session: MediaSessionId,
        /// What to do.
        action: MediaAction,
    },
    /// Tell the application.
    Event(Event),
    /// Nothing is queued. Call again with [`Input::Wake`] at the deadline, if there is one, or with any other input.
    Idle(Option<Deadline>),
}

/// When the agent wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment; may already have passed.
    pub at: Instant,
    /// What happens then.
    pub timer: Timer,
}

/// Why the agent wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// When a client or server transaction retransmits or gives up (RFC 3261 section 17, timers A to L, RFC 6026 M).
    Transaction,
    /// When the next connection attempt is due.
    Reconnect,
    /// When an attempt to connect has taken too long.
    ConnectTimeout,
    /// When a keep-alive is sent, or its answer is overdue.
    KeepAlive,
    /// When a connection that has been replaced is closed.
    Retire,
    /// When the registration is refreshed or tried again.
    Registration,
    /// When a bearer token ends soon, or a request has waited for one long enough.
    Token,
    /// When a 2xx to INVITE is sent again for want of an ACK (RFC 3261 section 13.3.1.4).
    Retransmit2xx,
    /// When a reliable provisional response is sent again for want of a PRACK (RFC 3262 section 3).
    RetransmitProvisional,
    /// When a session is refreshed, or left for want of a refresh (RFC 4028 sections 7.2 and 10).
    Session,
    /// When a call is given up: nobody answered, the far end vanished, or what its end has left open is no longer
    /// awaited.
    Call,
    /// When a request that met glare is tried again (RFC 3261 section 14.1).
    Retry,
    /// When a subscription is refreshed, tried again or given up (RFC 6665).
    Subscription,
    /// When the next digit or pause of a DTMF sequence is due.
    Dtmf,
    /// When an orderly stop has waited long enough for its answers.
    Stop,
}

/// A job for the media backend (a browser's `RTCPeerConnection`, the native engine, a redirection strategy or a fake).
///
/// Session descriptions are made by the backend (JSEP, RFC 8829). Actions on one session are executed in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MediaAction {
    /// Make an offer, set it locally and answer with [`MediaOutcome::Description`] as soon as the useful candidates are in it. The microphone is opened by
    /// the first one. Only [`Direction::SendRecv`] lets the microphone be heard: for every other direction, `SendOnly`
    /// of a hold included, it is silenced before anything else, so that a held party never hears the room.
    CreateOffer {
        /// From this side's view.
        direction: Direction,
        /// Renew ICE credentials and candidates (RFC 8445 section 9).
        ice_restart: bool,
    },
    /// Apply a remote offer, make an answer, set it locally and answer with [`MediaOutcome::Description`].
    CreateAnswer {
        /// The remote description.
        offer: String,
        /// The most this side wants; the answer is limited to what the offer allows. The rule for the microphone
        /// is that of `CreateOffer`.
        direction: Direction,
    },
    /// Apply the remote answer to the last offer; answer with [`MediaOutcome::Done`].
    ApplyAnswer {
        /// The remote description.
        answer: String,
        /// A provisional answer (JSEP `pranswer`) can still be replaced by the final one.
        provisional: bool,
    },
    /// Add candidates of the far end that came after its description; answer with [`MediaOutcome::Done`]. They are those of
    /// the description in force, all of them so far. A backend that cannot add candidates leaves them: what is in the
    /// descriptions suffices.
    AddCandidates {
        /// An `application/trickle-ice-sdpfrag` body (RFC 8840 section 9).
        fragment: String,
    },
    /// Take back the last offer (JSEP rollback), because it met glare or was refused.
    Rollback,
    /// Send exact silence from the microphone, or stop doing so. Never signalled. Comes only between a session's
    /// first description request and its `Close`.
    SetMuted {
        /// The new state.
        muted: bool,
    },
    /// Mix: the far end is sent, besides the microphone, what comes from all other sessions of the same conference, and
    /// they are sent what comes from it; nobody hears himself. `None`, as at first: the microphone alone. The rule of
    /// `CreateOffer` goes before: without the microphone, nothing of the conference either. Never signalled.
    SetConference {
        /// The conference the session takes part in from now on.
        conference: Option<ConferenceId>,
    },
    /// Send tones as telephone events (RFC 4733). They queue behind those still playing.
    SendDtmf {
        /// `0-9 * # A-D`.
        tones: String,
        /// Milliseconds per tone.
        duration_ms: u32,
    },
    /// End the session and release the microphone. Answered with [`MediaOutcome::Done`]; nothing follows.
    Close,
}

/// The successful answer to a [`MediaAction`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MediaOutcome {
    /// The local session description, complete enough to be sent.
    Description {
        /// SDP text.
        sdp: String,
    },
    /// Done, with nothing to tell.
    Done,
}

/// Why the media backend could not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaError {
    /// The kind of failure, on which the user interface bases its advice.
    pub kind: MediaErrorKind,
    /// Words for a diagnostic log.
    pub detail: String,
}

/// The kinds of [`MediaError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MediaErrorKind {
    /// The user or a policy denied the microphone.
    PermissionDenied,
    /// There is no microphone.
    NoDevice,
    /// The microphone is in use by another program, or broken.
    DeviceFailed,
    /// The remote description cannot be used: nothing in common, or not valid.
    DescriptionRejected,
    /// No window can carry media just now.
    Unavailable,
    /// Anything else.
    Failed,
}

/// Something the media backend has seen on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MediaEvent {
    /// The transport (ICE and DTLS) changed state.
    Transport {
        /// The new state.
        state: MediaTransport,
    },
    /// Candidates were found after the description had been made.
    Candidates {
        /// An `application/trickle-ice-sdpfrag` body (RFC 8840 section 9) with all candidates of the description in force,
        /// and `a=end-of-candidates` when no more are looked for.
        fragment: String,
        /// The call may depend on them: a relay where the description has none, for example. Then they are worth an
        /// offer to a far end that does not take them otherwise.
        matters: bool,
    },
    /// The far end sent a tone (RFC 4733). Browsers cannot tell, native media does.
    DtmfReceived {
        /// `0-9 * # A-D`.
        tone: char,
    },
    /// There is no usable microphone (refused, absent, unplugged); silence is sent until there is one. The call goes on.
    MicrophoneLost {
        /// What is wrong with it.
        kind: MediaErrorKind,
    },
    /// The microphone is back, or another took its place.
    MicrophoneRestored,
}

/// The state of a media transport, as `RTCPeerConnection.connectionState` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaTransport {
    /// Nothing has been negotiated yet.
    #[default]
    New,
    /// ICE checks or the DTLS handshake are under way.
    Connecting,
    /// Audio can flow both ways.
    Connected,
    /// No connectivity just now; it may come back by itself.
    Disconnected,
    /// ICE has given up; only a restart helps.
    Failed,
}
