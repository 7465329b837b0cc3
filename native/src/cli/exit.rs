//! How the program ends.

use std::process::ExitCode;

use clearline_core::{CallEnd, EndCause};

/// The exit codes; `--help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    NotRegistered = 3,
    BusyOrDeclined = 4,
    NoAnswer = 5,
    NotFound = 6,
    NoAudio = 7,
    Refused = 8,
    Interrupted = 130,
}

impl Exit {
    /// What the end of a call means for a script.
    pub(crate) fn of(end: &CallEnd) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the core's list of causes may grow"
        )]
        match end.cause {
            EndCause::LocalHangUp
            | EndCause::RemoteHangUp
            | EndCause::Transferred
            | EndCause::MovedToConference
            | EndCause::AloneInConference
            | EndCause::RemovedFromConference => Self::Done,
            EndCause::Busy | EndCause::Rejected | EndCause::Declined | EndCause::DeclinedElsewhere => {
                Self::BusyOrDeclined
            }
            EndCause::NoAnswer | EndCause::Unavailable | EndCause::Missed => Self::NoAnswer,
            EndCause::NotFound => Self::NotFound,
            EndCause::MediaFailed | EndCause::NotAcceptable => Self::NoAudio,
            EndCause::Cancelled => Self::Interrupted,
            _ => Self::Refused,
        }
    }

    /// The number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A reason to end before, or instead of, a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A sentence that says what went wrong and, where possible, what to do.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Wrong arguments or files.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}
