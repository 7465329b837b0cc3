//! One device: an agent, its media, and what it has told its user.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::{
    CallId, CallInfo, Config, Event, Input, Instant, MediaSessionId, OperationError, OperationId, Output,
    UserAgent,
};

use crate::link::Link;
use crate::media::Media;
use crate::service::Service;
use crate::world::Delivery;

/// Names a device of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceId(pub(crate) usize);

pub(crate) struct Device {
    /// For the ladder: user and number.
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) agent: UserAgent,
    /// What runs here instead of the agent.
    pub(crate) service: Option<Service>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) link: Link,
    pub(crate) media: Media,
    /// Whose the media sessions are.
    pub(crate) sessions: BTreeMap<MediaSessionId, CallId>,
    /// The last state of every call there was, ended ones too.
    pub(crate) calls: BTreeMap<CallId, CallInfo>,
    /// Accepted commands that have not ended.
    pub(crate) pending: BTreeSet<OperationId>,
    pub(crate) operations: BTreeMap<OperationId, Result<(), OperationError>>,
    /// All events, oldest first.
    pub(crate) events: Vec<Event>,
    /// How often its program has been started.
    pub(crate) runs: u8,
    /// Only half of its next message leaves before its connection breaks.
    pub(crate) tears_next_message: bool,
    /// Calls to it are sent there.
    pub(crate) redirects_to: Option<String>,
    pub(crate) is_asleep: bool,
    /// What has come while it slept.
    pub(crate) postponed: Vec<Delivery>,
}

impl Device {
    pub(crate) fn new(name: String, config: Config, seed: [u8; 32], media: Media) -> Self {
        Self {
            name,
            agent: UserAgent::new(config.clone(), seed),
            service: None,
            config,
            deadline: None,
            link: Link::office(),
            media,
            sessions: BTreeMap::new(),
            calls: BTreeMap::new(),
            pending: BTreeSet::new(),
            operations: BTreeMap::new(),
            events: Vec::new(),
            runs: 1,
            tears_next_message: false,
            redirects_to: None,
            is_asleep: false,
            postponed: Vec::new(),
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        match &mut self.service {
            Some(service) => {
                if let Some(agent) = service.agent_mut() {
                    agent.handle_input(now, input);
                }
            }
            None => self.agent.handle_input(now, input),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Output {
        match &mut self.service {
            Some(service) => match service.agent_mut() {
                Some(agent) => agent.poll_output(),
                None => Output::Idle(None),
            },
            None => self.agent.poll_output(),
        }
    }

    pub(crate) fn take(&mut self, event: Event) {
        match &event {
            Event::Call(info) => {
                self.calls.insert(info.id, (**info).clone());
            }
            Event::OperationDone { operation, result } => {
                let earlier = self.operations.insert(*operation, result.clone());
                assert!(earlier.is_none(), "an operation ended twice: {operation}");
                self.pending.remove(operation);
            }
            Event::Connection(_)
            | Event::Registration(_)
            | Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::Stopped
            | Event::Dropped { .. } => {}
        }
        self.events.push(event);
    }

    /// Remembers an accepted command, which may have ended already.
    pub(crate) fn accepted(&mut self, operation: OperationId) {
        if !self.operations.contains_key(&operation) {
            self.pending.insert(operation);
        }
    }
}
