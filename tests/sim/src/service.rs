//! What a device of the platform's own runs instead of a telephone.

use clearline_core::sip::UriBuf;
use clearline_focus::{Agent, Factory, Focus};

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
    /// What runs here, if it does.
    pub(crate) fn agent(&self) -> Option<&dyn Agent> {
        match self {
            Self::Factory(factory) => Some(factory.as_ref()),
            Self::Focus { focus, .. } => Some(focus.as_ref()),
            Self::Gone => None,
        }
    }

    pub(crate) fn agent_mut(&mut self) -> Option<&mut dyn Agent> {
        match self {
            Self::Factory(factory) => Some(factory.as_mut()),
            Self::Focus { focus, .. } => Some(focus.as_mut()),
            Self::Gone => None,
        }
    }
}
