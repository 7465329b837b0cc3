//! The open connections of an agent, and the one that new requests take.

use crate::id::ConnectionId;
use crate::sorted_map::SortedMap;
use crate::transaction::Flow;

/// All flows (RFC 5626 section 3.1) of this agent that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    last_id: u64,
    open: SortedMap<ConnectionId, OpenFlow>,
    primary: Option<ConnectionId>,
    /// Closed ones whose responses have not found another way yet.
    closed: Vec<ConnectionId>,
}

#[derive(Clone, Debug)]
struct OpenFlow {
    /// As Via names it: WS or WSS (RFC 7118 section 5.2).
    transport: &'static str,
    /// The way of requests outside dialogs, as the registrar told it (RFC 3608).
    service_route: Vec<String>,
}

impl Flows {
    pub(super) fn new_connection(&mut self) -> ConnectionId {
        self.last_id += 1;
        ConnectionId(self.last_id)
    }

    pub(super) fn open(&mut self, connection: ConnectionId, is_secure: bool) {
        let flow = OpenFlow {
            transport: if is_secure { "WSS" } else { "WS" },
            service_route: Vec::new(),
        };
        self.open.insert(connection, flow);
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        if self.open.remove(&connection).is_none() {
            return;
        }
        self.closed.push(connection);
        if self.primary == Some(connection) {
            self.primary = None;
        }
    }

    /// Closed connections, each told once.
    pub(super) fn take_closed(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.closed)
    }

    pub(super) fn set_primary(&mut self, connection: Option<ConnectionId>) -> Option<Flow> {
        self.primary = connection.filter(|connection| self.open.contains_key(connection));
        self.primary()
    }

    pub(super) fn primary(&self) -> Option<Flow> {
        self.primary.map(Flow::reliable)
    }

    pub(super) fn of(&self, connection: ConnectionId) -> Option<Flow> {
        self.open
            .contains_key(&connection)
            .then_some(Flow::reliable(connection))
    }

    pub(super) fn transport(&self, flow: Flow) -> &'static str {
        self.open
            .get(&flow.connection)
            .map_or("WSS", |open| open.transport)
    }

    pub(super) fn is_secure(&self, flow: Flow) -> bool {
        self.transport(flow) == "WSS"
    }

    pub(super) fn service_route(&self, connection: ConnectionId) -> &[String] {
        self.open
            .get(&connection)
            .map_or(&[], |open| open.service_route.as_slice())
    }

    pub(super) fn set_service_route(&mut self, connection: ConnectionId, route: Vec<String>) {
        if let Some(open) = self.open.get_mut(&connection) {
            open.service_route = route;
        }
    }
}
