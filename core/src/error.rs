//! Errors of commands. They say who is at fault and compare equal, so that tests and applications can match them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::io::MediaError;

/// A command that was refused at once; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such call, or it has ended.
    NoSuchCall,
    /// The id of a new call is in use, or something may still come for a call that had it.
    DuplicateCall,
    /// The call is in a state in which this makes no sense, for example answering an outgoing call.
    WrongState,
    /// What was dialled is neither a number nor a SIP or tel URI.
    InvalidTarget,
    /// A tone that is not one of `0-9 * # A-D , ;`.
    InvalidTone,
    /// The agent is stopped, or cannot reach the platform just now.
    NotConnected,
    /// As many calls as allowed exist already.
    TooManyCalls,
    /// There is no such subscription, or it has ended.
    NoSuchSubscription,
    /// There is no such call on another device, or it has ended.
    NoSuchRemoteCall,
    /// As many subscriptions as allowed exist already.
    TooManySubscriptions,
    /// What is subscribed to is no event package, or its media types are none.
    InvalidPackage,
    /// Neither the far end nor the platform offers this.
    NotOffered,
}

impl CommandError {
    /// The end of an operation of which a later step turned out to be impossible.
    pub(crate) fn into_failure(self) -> OperationError {
        match self {
            Self::NotConnected => OperationError::Disconnected,
            Self::NotOffered => OperationError::NotOffered,
            Self::WrongState
            | Self::NoSuchCall
            | Self::DuplicateCall
            | Self::InvalidTarget
            | Self::InvalidTone
            | Self::TooManyCalls
            | Self::NoSuchSubscription
            | Self::NoSuchRemoteCall
            | Self::TooManySubscriptions
            | Self::InvalidPackage => OperationError::CallEnded,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchCall => "no such call",
            Self::DuplicateCall => "the call id is in use",
            Self::WrongState => "not possible in the call's present state",
            Self::InvalidTarget => "not a number or a SIP address",
            Self::InvalidTone => "not a DTMF tone",
            Self::NotConnected => "not connected to the platform",
            Self::TooManyCalls => "too many calls",
            Self::NoSuchSubscription => "no such subscription",
            Self::NoSuchRemoteCall => "no such call on another device",
            Self::TooManySubscriptions => "too many subscriptions",
            Self::InvalidPackage => "not an event package with media types",
            Self::NotOffered => "not offered here",
        })
    }
}

impl std::error::Error for CommandError {}

/// An accepted command that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OperationError {
    /// The far end or the platform refused; its SIP status and words.
    Refused {
        /// SIP status code.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// No answer within the protocol's time.
    TimedOut,
    /// The connection was lost and did not come back in time.
    Disconnected,
    /// The media backend failed.
    Media(MediaError),
    /// The call ended first.
    CallEnded,
    /// The user's other command overtook it.
    Superseded,
    /// Neither the far end nor the platform offers this.
    NotOffered,
    /// The far end of a transfer could not reach whom it was sent to; what it heard there.
    TargetFailed {
        /// SIP status code.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// The far end of a transfer has not said what became of it.
    OutcomeUnknown,
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, reason } => write!(f, "refused: {status} {reason}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Disconnected => f.write_str("the connection was lost"),
            Self::Media(error) => write!(f, "audio failed: {}", error.detail),
            Self::CallEnded => f.write_str("the call has ended"),
            Self::Superseded => f.write_str("overtaken by another command"),
            Self::NotOffered => f.write_str("not offered here"),
            Self::TargetFailed { status, reason } => {
                write!(f, "not reached: {status} {reason}")
            }
            Self::OutcomeUnknown => f.write_str("nobody has said what became of it"),
        }
    }
}

impl std::error::Error for OperationError {}
