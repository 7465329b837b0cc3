//! Clearline's sans-IO core: a complete SIP user agent that never reads a clock, opens a socket or draws randomness.
//!
//! An application, or rather a driver for it, owns one [`UserAgent`] per account. It tells the agent the time and what
//! has happened ([`Input`]), gives commands, and does what the agent asks for ([`Output`]): open connections, send
//! messages, run media, show events. [`UserAgent`]'s module has the loop.
//!
//! | module | what it is | source |
//! |---|---|---|
//! | [`sip`] | messages, typed headers, URIs, digest | RFC 3261, 7616 |
//! | [`session_description`] | reading session descriptions | RFC 8866, 3264 |
//! | [`transaction`] | the four transaction machines, for agents and proxies | RFC 3261 section 17, 6026 |
//! | [`dialog`] | who talks to whom, along which route | RFC 3261 section 12 |
//! | `endpoint`, `call`, `registration`, `subscription` | the user agent's parts | RFC 3261, 3264, 5626, 5627, 6665 |
//! | [`recording`] | logs of a session without names and numbers, and their replay | |
//! | [`dialog_info`], [`conference_info`] | documents of event packages | RFC 4235, 4575 |
//! | [`xml`] | the XML of event packages | XML 1.0 |
//! | [`media`] | the audio engine; knows nothing of signalling | RFC 3550, 6716 |
#![forbid(unsafe_code)]
// See the module `cut`.
#![cfg_attr(not(test), warn(clippy::string_slice))]

pub mod dialog;
pub mod media;
pub mod recording;
pub mod secret;
pub mod session_description;
pub mod sip;
pub mod time;
pub mod transaction;
pub mod xml;

mod call;
mod census;
mod config;
mod cut;
mod endpoint;
mod error;
mod event;
mod fingerprint;
mod id;
mod io;
mod rate_limit;
mod registration;
mod rng;
mod sorted_map;
mod subscription;
mod user_agent;

pub use call::{CallOptions, RejectReason};
pub use census::Census;
pub use config::{
    Config, Push, RedirectPolicy, ReplacesPolicy, Server, Token, TransferPolicy, TransferSupport,
};
pub use error::{CommandError, OperationError};
pub use event::{
    CallDirection, CallEnd, CallInfo, CallState, ConnectionState, Diversion, DiversionReason, EndCause,
    Event, Identity, Notification, OwnDevice, Participant, ParticipantState, RegistrationState, RemoteCall,
    RemoteCallState, SubscriptionState, TerminationReason, TokenNeed, TransferRequest, TransferState,
};
pub use id::{
    CallId, ConferenceId, ConnectionId, MediaRequestId, MediaSessionId, OperationId, RemoteCallId,
    SubscriptionId,
};
pub use io::{
    Deadline, Environment, Input, MediaAction, MediaError, MediaErrorKind, MediaEvent, MediaOutcome,
    MediaTransport, Output, Timer,
};
pub use rate_limit::{Rate, RateLimit, Sampler};
pub use rng::Rng;
pub use secret::Secret;
pub use session_description::Direction;
pub use subscription::{ReferNotifier, conference_info, dialog_info};
pub use time::{Duration, Instant};
pub use user_agent::{CallHandle, Command, Invitation, Snapshot, UserAgent};
