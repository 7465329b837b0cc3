//! One device: an agent, its media, and what it has told its user.

use std::collections::BTreeMap;

use clearline_core::{CallId, CallInfo, Event, Instant, OperationError, OperationId, UserAgent};

use crate::link::Link;
use crate::media::Media;

/// Names a device of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceId(pub(crate) usize);

pub(crate) struct Device {
    /// For the ladder: user and number.
    pub(crate) name: String,
    pub(crate) agent: UserAgent,
    pub(crate) deadline: Option<Instant>,
    pub(crate) link: Link,
    pub(crate) media: Media,
    /// The last state of every call there was, ended ones too.
    pub(crate) calls: BTreeMap<CallId, CallInfo>,
    pub(crate) operations: BTreeMap<OperationId, Result<(), OperationError>>,
    /// All events, oldest first.
    pub(crate) events: Vec<Event>,
}

impl Device {
    pub(crate) fn take(&mut self, event: Event) {
        match &event {
            Event::Call(info) => {
                self.calls.insert(info.id, (**info).clone());
            }
            Event::OperationDone { operation, result } => {
                let earlier = self.operations.insert(*operation, result.clone());
                assert!(earlier.is_none(), "an operation ended twice: {operation}");
            }
            Event::Connection(_)
            | Event::Registration(_)
            | Event::DtmfReceived { .. }
            | Event::Stopped
            | Event::Dropped { .. } => {}
        }
        self.events.push(event);
    }
}
