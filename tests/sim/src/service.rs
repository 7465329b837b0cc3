//! What a device of the platform's own runs instead of a telephone.

use clearline_core::sip::UriBuf;
use clearline_core::{Input, Instant, Output};
use clearline_focus::{Factory, Focus};

pub(crate) enum Service {
    Factory(Box<Factory>),
    Focus {
        focus: Box<Focus>,
        /// The caller who waits for it at the factory.
        ticket: Option<u64>,
        conference: UriBuf,
    },
    /// It has ended.
    Gone,
}

impl Service {
    pub(crate) fn start(&mut self, now: Instant) {
        match self {
            Self::Factory(factory) => factory.start(now),
            Self::Focus { focus, .. } => focus.start(now),
            Self::Gone => {}
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Factory(factory) => factory.is_ready(),
            Self::Focus { focus, .. } => focus.is_ready(),
            Self::Gone => false,
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        match self {
            Self::Factory(factory) => factory.handle_input(now, input),
            Self::Focus { focus, .. } => focus.handle_input(now, input),
            Self::Gone => {}
        }
    }

    pub(crate) fn poll_output(&mut self) -> Output {
        match self {
            Self::Factory(factory) => factory.poll_output(),
            Self::Focus { focus, .. } => focus.poll_output(),
            Self::Gone => Output::Idle(None),
        }
    }
}
