//! The transaction layer: RFC 3261 section 17 with the corrections of RFC 6026, for agents and proxies alike.
//!
//! The four machines live in files of their own; [`Transactions`] holds them, finds the one a message belongs to and
//! tells the transaction user (TU) what is left for it to do. Messages to be sent are appended to an [`Outbox`].

mod invite_client;
mod invite_server;
mod key;
mod machine;
mod non_invite_client;
mod non_invite_server;
mod records;
#[cfg(test)]
mod tests;
mod timer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use invite_client::InviteClient;
use invite_server::InviteServer;
use key::{Key, client_key, server_key};
use machine::{Expiry, Machine, ServerStep};
use non_invite_client::NonInviteClient;
use non_invite_server::NonInviteServer;
use records::{FEW, Record, Records};
pub use timer::{T1, T2, T4, TRANSACTION_TIMEOUT};

use crate::id::ConnectionId;
use crate::sip::{HeaderError, Message, Method};
use crate::time::Instant;

/// Identifies a transaction within one [`Transactions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

/// Where messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The connection.
    pub connection: ConnectionId,
    /// Whether the transport itself delivers reliably (WebSocket, TCP, TLS: yes; UDP: no).
    pub reliable: bool,
}

impl Flow {
    /// A flow over a reliable transport.
    pub const fn reliable(connection: ConnectionId) -> Self {
        Self {
            connection,
            reliable: true,
        }
    }
}

/// Messages to be sent, in order.
pub type Outbox = Vec<(ConnectionId, Message)>;

/// What the layer made of a received message.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A new request, neither ACK nor CANCEL; its server transaction awaits [`Transactions::respond`].
    Request {
        /// The new server transaction.
        transaction: TransactionId,
        /// The request.
        request: Message,
    },
    /// A CANCEL. It has a server transaction of its own, which the TU answers with 200 or 481.
    Cancel {
        /// The transaction of the CANCEL.
        transaction: TransactionId,
        /// The CANCEL.
        request: Message,
        /// The INVITE it aims at, if that is still known.
        invite: Option<TransactionId>,
    },
    /// An ACK for a 2xx. It belongs to a dialog and has no transaction.
    Ack {
        /// The ACK.
        request: Message,
    },
    /// A response for the TU. Further 2xx to one INVITE come this way too (RFC 6026 section 7.2).
    Response {
        /// The client transaction.
        transaction: TransactionId,
        /// The response.
        response: Message,
    },
    /// A response that belongs to no transaction.
    StrayResponse {
        /// The response.
        response: Message,
    },
    /// A retransmission or the ACK of a non-2xx; nothing is left to do.
    Absorbed,
    /// The headers that identify a transaction are missing or malformed.
    Unusable(HeaderError),
}

/// What the passing of time or a lost connection did to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// A client transaction got no final response in time (timer B or F).
    TimedOut(TransactionId),
    /// The connection of a client transaction was lost while it awaited a response.
    TransportFailed(TransactionId),
    /// The ACK for a non-2xx never came (timer H).
    AckMissing(TransactionId),
    /// The record of a transaction is gone; its id is not used again.
    Terminated(TransactionId),
}

/// All live transactions of one element.
#[derive(Clone, Debug, Default)]
pub struct Transactions {
    last_id: u64,
    records: Records,
    by_key: BTreeMap<Key, TransactionId>,
    /// The earliest first. Others may be outdated: of a transaction that is gone or has another deadline by now.
    deadlines: BinaryHeap<Reverse<(Instant, TransactionId)>>,
}

impl Transactions {
    /// An empty layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends `request`, whose top Via carries a branch of our own, in a new client transaction.
    ///
    /// # Errors
    /// When `request` lacks a Via or CSeq; nothing is sent then.
    pub fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        request: Message,
        out: &mut Outbox,
    ) -> Result<TransactionId, HeaderError> {
        let key = client_key(&request)?;
        out.push((flow.connection, request.clone()));
        let machine = if request.method() == Method::Invite {
            Machine::InviteClient(InviteClient::new(now, flow, request))
        } else {
            Machine::NonInviteClient(NonInviteClient::new(now, flow, request))
        };
        Ok(self.insert(key, machine))
    }

    /// Sends the TU's `response` in the server transaction `id`. A response that comes too late is swallowed.
    ///
    /// A 2xx to INVITE is retransmitted by the TU until the ACK comes (RFC 3261 section 13.3.1.4), by calling this
    /// again with the same response.
    pub fn respond(&mut self, now: Instant, id: TransactionId, response: Message, out: &mut Outbox) {
        let Some(machine) = self.machine_mut(id) else {
            return;
        };
        let connection = machine.flow().connection;
        let sent = match machine {
            Machine::InviteServer(server) => server.respond(now, response),
            Machine::NonInviteServer(server) => server.respond(now, response),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => None,
        };
        out.extend(sent.map(|message| (connection, message)));
        self.settle(id);
    }

    /// Finds what a received message, already checked by [`Message::validate`], belongs to.
    pub fn receive(&mut self, now: Instant, flow: Flow, message: Message, out: &mut Outbox) -> Received {
        let received = if message.is_request() {
            self.receive_request(now, flow, message, out)
        } else {
            self.receive_response(now, message, out)
        };
        received.unwrap_or_else(Received::Unusable)
    }

    /// The connection is gone: client transactions that await a response on it fail. Their records are dropped.
    pub fn connection_lost(&mut self, connection: ConnectionId) -> Vec<TransactionEvent> {
        let failed: Vec<_> = self
            .machines()
            .filter(|(_, m)| m.is_client() && m.flow().connection == connection && m.awaits_response())
            .map(|(id, _)| id)
            .collect();
        failed.iter().for_each(|id| self.remove(*id));
        failed
            .into_iter()
            .map(TransactionEvent::TransportFailed)
            .collect()
    }

    /// Gives a transaction up: an INVITE whose CANCEL brought no final response (RFC 3261 section 9.1), for example.
    /// Nothing is sent, and no event follows.
    pub fn abandon(&mut self, id: TransactionId) {
        self.remove(id);
    }

    /// Server transactions of the lost connection `from` send their responses on `to` from now on
    /// (RFC 3261 section 18.2.2: a response whose connection is gone goes to the same element by another).
    pub fn move_flow(&mut self, from: ConnectionId, to: Flow) {
        for record in self.records.iter_mut() {
            record.machine.move_flow(from, to);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// Retransmits and gives up what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) -> Vec<TransactionEvent> {
        let mut events = Vec::new();
        while let Some(&Reverse((at, id))) = self.deadlines.peek() {
            if at > now {
                break;
            }
            self.deadlines.pop();
            self.expire(now, id, out, &mut events);
        }
        events
    }

    /// The request of a live transaction.
    pub fn request(&self, id: TransactionId) -> Option<&Message> {
        self.machine(id).map(Machine::request)
    }

    /// Where a live transaction's messages travel.
    pub fn flow(&self, id: TransactionId) -> Option<Flow> {
        self.machine(id).map(Machine::flow)
    }

    /// Whether a transaction on `connection` awaits its final response, from the network or from the TU.
    pub fn is_used(&self, connection: ConnectionId) -> bool {
        let mut machines = self.machines();
        machines.any(|(_, machine)| machine.flow().connection == connection && machine.awaits_response())
    }

    /// Whether the transaction still awaits its final response: from the network for a client, from the TU for a
    /// server transaction.
    pub fn awaits_response(&self, id: TransactionId) -> bool {
        self.machine(id).is_some_and(Machine::awaits_response)
    }

    /// The CANCEL for the INVITE client transaction `id` while it awaits a final response. It may only be sent once
    /// a provisional response has come, see [`Self::is_proceeding`] (RFC 3261 section 9.1).
    pub fn cancel_request(&self, id: TransactionId) -> Option<Message> {
        match self.machine(id)? {
            Machine::InviteClient(client) => client.cancel_request(),
            Machine::NonInviteClient(_) | Machine::InviteServer(_) | Machine::NonInviteServer(_) => None,
        }
    }

    /// Whether the INVITE client transaction `id` has had a provisional but no final response.
    pub fn is_proceeding(&self, id: TransactionId) -> bool {
        matches!(self.machine(id), Some(Machine::InviteClient(client)) if client.is_proceeding())
    }

    /// How many transactions are live.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of the messages that live transactions hold.
    pub fn held_bytes(&self) -> usize {
        self.machines().map(|(_, machine)| machine.held_bytes()).sum()
    }

    /// Whether none is live.
    pub fn is_empty(&self) -> bool {
        self.records.len() == 0
    }

    fn receive_request(
        &mut self,
        now: Instant,
        flow: Flow,
        request: Message,
        out: &mut Outbox,
    ) -> Result<Received, HeaderError> {
        let method = request.method();
        let matching = if method == Method::Ack {
            Method::Invite
        } else {
            method
        };
        let key = server_key(&request, matching)?;
        if let Some(&id) = self.by_key.get(&key) {
            return Ok(self.receive_again(now, id, request, out));
        }
        if method == Method::Ack {
            return Ok(Received::Ack { request });
        }
        if method == Method::Cancel {
            let invite = self.by_key.get(&server_key(&request, Method::Invite)?).copied();
            let server = Machine::NonInviteServer(NonInviteServer::new(now, flow, request.clone()));
            return Ok(Received::Cancel {
                transaction: self.insert(key, server),
                request,
                invite,
            });
        }
        let server = if method == Method::Invite {
            Machine::InviteServer(InviteServer::new(flow, request.clone()))
        } else {
            Machine::NonInviteServer(NonInviteServer::new(now, flow, request.clone()))
        };
        Ok(Received::Request {
            transaction: self.insert(key, server),
            request,
        })
    }

    fn receive_again(
        &mut self,
        now: Instant,
        id: TransactionId,
        request: Message,
        out: &mut Outbox,
    ) -> Received {
        let Some(machine) = self.machine_mut(id) else {
            return Received::Absorbed;
        };
        let connection = machine.flow().connection;
        let step = match machine {
            Machine::InviteServer(server) => server.receive(now, request.method() == Method::Ack),
            Machine::NonInviteServer(server) => server.receive(),
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => ServerStep::Absorb,
        };
        self.settle(id);
        match step {
            ServerStep::Absorb => Received::Absorbed,
            ServerStep::Send(response) => {
                out.extend(response.map(|message| (connection, message)));
                Received::Absorbed
            }
            ServerStep::Deliver => Received::Ack { request },
        }
    }

    fn receive_response(
        &mut self,
        now: Instant,
        response: Message,
        out: &mut Outbox,
    ) -> Result<Received, HeaderError> {
        let Some(&id) = self.by_key.get(&client_key(&response)?) else {
            return Ok(Received::StrayResponse { response });
        };
        let Some(machine) = self.machine_mut(id) else {
            return Ok(Received::StrayResponse { response });
        };
        let connection = machine.flow().connection;
        let step = match machine {
            Machine::InviteClient(client) => client.receive(now, &response),
            Machine::NonInviteClient(client) => client.receive(now, &response),
            Machine::InviteServer(_) | Machine::NonInviteServer(_) => machine::ClientStep::default(),
        };
        out.extend(step.send.map(|message| (connection, message)));
        self.settle(id);
        Ok(if step.deliver {
            Received::Response {
                transaction: id,
                response,
            }
        } else {
            Received::Absorbed
        })
    }

    fn expire(
        &mut self,
        now: Instant,
        id: TransactionId,
        out: &mut Outbox,
        events: &mut Vec<TransactionEvent>,
    ) {
        let Some(record) = self.records.get_mut(id) else {
            return;
        };
        record.deadline = None;
        let machine = &mut record.machine;
        let connection = machine.flow().connection;
        match machine.expire(now) {
            Expiry::None | Expiry::Terminated => {}
            Expiry::Send(message) => out.push((connection, message)),
            Expiry::TimedOut => events.push(TransactionEvent::TimedOut(id)),
            Expiry::AckMissing => events.push(TransactionEvent::AckMissing(id)),
        }
        if machine.is_terminated() {
            events.push(TransactionEvent::Terminated(id));
        }
        self.settle(id);
    }

    fn insert(&mut self, key: Key, machine: Machine) -> TransactionId {
        self.last_id += 1;
        let id = TransactionId(self.last_id);
        self.by_key.insert(key.clone(), id);
        let record = Record {
            machine,
            key,
            deadline: None,
        };
        self.records.push(id, record);
        self.settle(id);
        id
    }

    /// Brings the deadlines up to date with a machine that may have changed, and forgets it when it has ended.
    fn settle(&mut self, id: TransactionId) {
        let Some(record) = self.records.get_mut(id) else {
            return;
        };
        if record.machine.is_terminated() {
            return self.remove(id);
        }
        let deadline = record.machine.deadline();
        if record.deadline != deadline {
            record.deadline = deadline;
            self.deadlines.extend(deadline.map(|at| Reverse((at, id))));
        }
        self.forget_outdated();
    }

    fn remove(&mut self, id: TransactionId) {
        let Some(record) = self.records.remove(id) else {
            return;
        };
        // A later transaction may have taken the same key (a sender that repeats branches).
        if self.by_key.get(&record.key) == Some(&id) {
            self.by_key.remove(&record.key);
        }
        self.forget_outdated();
    }

    /// Keeps the first deadline true, and their number within twice that of the transactions.
    fn forget_outdated(&mut self) {
        let records = &self.records;
        let counts = |Reverse((at, id)): &Reverse<(Instant, TransactionId)>| {
            records
                .get(*id)
                .is_some_and(|record| record.deadline == Some(*at))
        };
        while self.deadlines.peek().is_some_and(|first| !counts(first)) {
            self.deadlines.pop();
        }
        if self.deadlines.len() > 2 * records.len() + FEW {
            self.deadlines.retain(counts);
        }
    }

    fn machines(&self) -> impl Iterator<Item = (TransactionId, &Machine)> {
        self.records.iter().map(|(id, record)| (id, &record.machine))
    }

    fn machine(&self, id: TransactionId) -> Option<&Machine> {
        self.records.get(id).map(|record| &record.machine)
    }

    fn machine_mut(&mut self, id: TransactionId) -> Option<&mut Machine> {
        self.records.get_mut(id).map(|record| &mut record.machine)
    }
}
