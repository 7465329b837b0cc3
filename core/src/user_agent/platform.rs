//! What connection, registration and calls have to do with each other: what opens, breaks, registers, comes back.

use super::UserAgent;
use crate::call::Call;
use crate::id::ConnectionId;
use crate::io::{Environment, MediaTransport, Output};
use crate::registration::Outcome;
use crate::sip::Message;
use crate::time::{Duration, Instant};

/// A clock that has moved on by this much more than was asked for means that the machine has slept.
const CLOCK_JUMP: Duration = Duration::from_secs(20);

impl UserAgent {
    pub(super) fn connected(&mut self, connection: ConnectionId) {
        if self.connection.opened(&mut self.endpoint, connection) {
            self.registration.connected(&mut self.endpoint);
            if !self.endpoint.config.register {
                self.calls.values_mut().for_each(Call::reconnected);
            }
        }
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId, reason: &str) {
        if self.connection.closed(&mut self.endpoint, connection, reason) {
            self.flow_lost(connection);
        }
    }

    /// What the end of a connection means to everything above it.
    pub(super) fn flow_lost(&mut self, connection: ConnectionId) {
        let events = self.endpoint.transactions.connection_lost(connection);
        self.transactions_ended(events);
        self.registration.disconnected(&mut self.endpoint);
        for call in self.calls.values_mut() {
            call.connection_lost(&mut self.endpoint);
        }
        if self.stopping.is_some() {
            self.stopped();
        }
    }

    pub(super) fn environment(&mut self, change: Environment) {
        self.connection.environment(&mut self.endpoint, change);
    }

    /// A machine that slept finds its socket open and dead: probe before the next call goes into the void.
    pub(super) fn notice_clock_jump(&mut self, now: Instant) {
        if self
            .last_deadline
            .take()
            .is_some_and(|at| now.saturating_since(at) > CLOCK_JUMP)
        {
            self.environment(Environment::Resumed);
        }
    }

    pub(super) fn received(&mut self, connection: ConnectionId, bytes: Vec<u8>) {
        let Some(flow) = self.endpoint.flow().filter(|flow| flow.connection == connection) else {
            return;
        };
        self.connection.heard(self.endpoint.now);
        match bytes.as_slice() {
            b"\r\n" => return self.connection.pong(),
            b"\r\n\r\n" => {
                let message = b"\r\n".to_vec();
                return self.endpoint.push(Output::Transmit { connection, message });
            }
            _ => {}
        }
        match Message::parse(bytes.as_slice()) {
            Ok(message) => self.message(flow, message),
            Err(error) => self.unreadable(flow, &bytes, &error),
        }
    }

    pub(super) fn registration_moved(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::None => {}
            Outcome::Registered { outbound, flow_timer } => {
                self.connection.registered(outbound, flow_timer);
                if self.registration.take_regained() {
                    self.calls.values_mut().for_each(Call::reconnected);
                }
            }
            Outcome::Removed => self.stop_if_nothing_is_left(),
        }
    }

    pub(super) fn give_up_lost_calls(&mut self) {
        let Some(lost_at) = self.connection.lost_at() else {
            return;
        };
        if lost_at + self.endpoint.config.lost_call_timeout > self.endpoint.now {
            return;
        }
        for call in self
            .calls
            .values_mut()
            .filter(|call| call.info.media != MediaTransport::Connected)
        {
            call.give_up(&mut self.endpoint);
        }
    }
}
