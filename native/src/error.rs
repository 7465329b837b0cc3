//! Errors of the phone: whose fault, in words a person can act on.

use std::fmt;

use clearline_core::{CommandError, OperationError};

/// A command to the phone that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhoneError {
    /// Refused at once; nothing was started.
    Command(CommandError),
    /// Started, but it failed.
    Operation(OperationError),
    /// The phone has been stopped.
    Stopped,
}

impl fmt::Display for PhoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(error) => error.fmt(f),
            Self::Operation(error) => error.fmt(f),
            Self::Stopped => f.write_str("the phone has been stopped"),
        }
    }
}

impl std::error::Error for PhoneError {}

impl From<CommandError> for PhoneError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

/// Why the phone is not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The server cannot be reached; the phone goes on trying.
    Unreachable(String),
    /// The platform refused.
    Refused {
        /// SIP status, or `None` for a time-out.
        status: Option<u16>,
        /// Its words.
        reason: String,
        /// The account name or password is wrong; trying again is of no use.
        credentials_rejected: bool,
    },
    /// The phone has been stopped.
    Stopped,
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "cannot reach the server: {reason}"),
            Self::Refused {
                credentials_rejected: true,
                ..
            } => f.write_str("user name or password is wrong"),
            Self::Refused {
                status: Some(status),
                reason,
                ..
            } => write!(f, "registration refused: {status} {reason}"),
            Self::Refused { status: None, .. } => f.write_str("the platform does not answer"),
            Self::Stopped => f.write_str("the phone has been stopped"),
        }
    }
}

impl std::error::Error for RegistrationError {}
