//! The lines to the platform: what connection, registration and calls have to do with each other.
//!
//! Each line is one flow of RFC 5626 with its registration, told apart by its reg-id. One of the flows is the primary:
//! new requests take it. Whenever it is another one than before, every live dialog tells its far end at once.

use super::UserAgent;
use super::connection::{Connection, Servers};
use crate::config::Config;
use crate::endpoint::{Endpoint, NotConnected};
use crate::event::{ConnectionState, Event, RegistrationState};
use crate::id::ConnectionId;
use crate::io::{Environment, Output};
use crate::registration::{Fault, Numbers, Outcome, Registration};
use crate::sip::Message;
use crate::time::{Duration, Instant};

/// A clock that has moved on by this much more than was asked for means that the machine has slept.
const CLOCK_JUMP: Duration = Duration::from_secs(20);

/// One flow to the platform and the registration over it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) registration: Registration,
}

/// All lines, and what the application has been told of them.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) all: Vec<Line>,
    pub(super) servers: Servers,
    /// The far ends of the calls have to be told where this side is now.
    refresh: Option<Refresh>,
    /// The last way to the platform.
    last_primary: Option<ConnectionId>,
    reported_connection: ConnectionState,
    reported_registration: RegistrationState,
}

/// Why the far ends have to be told.
#[derive(Clone, Copy, Debug, Default)]
struct Refresh {
    /// The addresses of this machine are others, so media takes other ways too.
    network_changed: bool,
}

impl Lines {
    pub(super) fn new(endpoint: &mut Endpoint) -> Self {
        let lines = reg_ids(&endpoint.config);
        let all = lines.map(|reg_id| Registration::new(endpoint, reg_id)).collect();
        Self::with(all, &endpoint.config)
    }

    /// The lines of an agent that goes on for one that was connected.
    pub(super) fn restored(endpoint: &mut Endpoint, numbers: Vec<Numbers>, asleep: Duration) -> Self {
        let mut numbers = numbers.into_iter();
        let ids = reg_ids(&endpoint.config);
        let restore = |reg_id| match numbers.next() {
            Some(numbers) => Registration::restored(endpoint, reg_id, numbers, asleep),
            None => Registration::new(endpoint, reg_id),
        };
        let all = ids.map(restore).collect();
        let mut lines = Self::with(all, &endpoint.config);
        lines.refresh = Some(Refresh::default());
        lines
    }

    fn with(registrations: Vec<Registration>, config: &Config) -> Self {
        let line = |(reg_id, registration)| Line {
            connection: Connection::new(reg_id),
            registration,
        };
        Self {
            all: (1..).zip(registrations).map(line).collect(),
            servers: Servers::new(&config.servers),
            refresh: None,
            last_primary: None,
            reported_connection: ConnectionState::Stopped,
            reported_registration: RegistrationState::Unregistered,
        }
    }

    pub(super) fn numbers(&self) -> Vec<Numbers> {
        self.all
            .iter()
            .map(|line| line.registration.numbers().clone())
            .collect()
    }

    /// Connected if any line is; else what the first one is up to.
    pub(super) fn connection(&self) -> &ConnectionState {
        let states = || self.all.iter().map(|line| line.connection.state());
        let connected = states().find(|state| **state == ConnectionState::Connected);
        connected.or(states().next()).unwrap_or(&ConnectionState::Stopped)
    }

    /// Registered if any line is; else what the first one is up to.
    pub(super) fn registration(&self) -> &RegistrationState {
        let states = || self.all.iter().map(|line| line.registration.state());
        let registered = states().find(|state| matches!(state, RegistrationState::Registered { .. }));
        registered
            .or(states().next())
            .unwrap_or(&RegistrationState::Unregistered)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.all.iter().any(|line| line.registration.is_leaving())
    }

    pub(super) fn get_mut(&mut self, reg_id: u32) -> Option<&mut Line> {
        line_of(&mut self.all, reg_id)
    }

    /// A flow this device is registered over, other than `taken`.
    pub(super) fn other_than(&self, taken: ConnectionId) -> Option<ConnectionId> {
        let serving = self.all.iter().filter(|line| line.is_serving());
        let mut open = serving.filter_map(|line| line.connection.open());
        open.find(|open| *open != taken)
    }

    fn take_lost(&mut self) -> Vec<ConnectionId> {
        let lines = self.all.iter_mut();
        lines.flat_map(|line| line.connection.take_lost()).collect()
    }

    /// Whether any line has left a socket because nothing came through any more.
    fn take_moved(&mut self) -> bool {
        self.all
            .iter_mut()
            .fold(false, |moved, line| line.connection.take_moved() | moved)
    }

    /// Tells the application what has changed.
    pub(super) fn report(&mut self, endpoint: &mut Endpoint) {
        if *self.connection() != self.reported_connection {
            self.reported_connection = self.connection().clone();
            endpoint.emit(Event::Connection(self.reported_connection.clone()));
        }
        if *self.registration() != self.reported_registration {
            self.reported_registration = self.registration().clone();
            endpoint.emit(Event::Registration(self.reported_registration.clone()));
        }
    }

    /// The flow new requests should take: the one in use as long as it serves, a registered one before any other.
    fn best_flow(&self, endpoint: &Endpoint) -> Option<ConnectionId> {
        let rank = |line: &Line| {
            let connection = line.connection.open()?;
            let is_primary = endpoint.primary() == Some(connection);
            Some(((line.is_serving(), is_primary), connection))
        };
        let ranked = self.all.iter().filter_map(rank);
        // Of equals the first line wins.
        let best = ranked.reduce(|best, other| if other.0 > best.0 { other } else { best });
        best.map(|(_, connection)| connection)
    }

    /// Every socket that has come into use is registered on, one that took over unregistered as well.
    fn register_what_is_open(&mut self, endpoint: &mut Endpoint) {
        for line in &mut self.all {
            if let Some(open) = line.connection.open() {
                line.registration.connected(endpoint, open);
            }
        }
    }

    fn choose_primary(&mut self, endpoint: &mut Endpoint) {
        let best = self.best_flow(endpoint);
        endpoint.set_primary(best);
        if best.is_some() {
            if self.last_primary.is_some() && self.last_primary != best {
                self.refresh.get_or_insert_default();
            }
            self.last_primary = best;
        }
        let serving: Vec<_> = self.all.iter().map(Line::is_serving).collect();
        for (at, line) in self.all.iter_mut().enumerate() {
            let others = serving.iter().enumerate().filter(|(other, _)| *other != at);
            line.connection
                .set_redundant(others.into_iter().any(|(_, serves)| *serves));
        }
    }

    /// Asks the registrar again what it knows, over one of the flows on which this device is registered.
    pub(super) fn ask_again(&mut self, endpoint: &mut Endpoint) -> Result<(), NotConnected> {
        let line = self.all.iter_mut().find(|line| line.is_serving());
        line.ok_or(NotConnected)?.registration.ask_again(endpoint)
    }

    /// Whether there was a way to the platform before.
    fn had_primary(&self) -> bool {
        self.last_primary.is_some()
    }

    /// Whether this side can be reached and is not about to move on.
    fn is_reachable(&self, endpoint: &Endpoint) -> bool {
        let open =
            |line: &&Line| line.connection.open().is_some() && line.connection.open() == endpoint.primary();
        self.all.iter().find(open).is_some_and(|line| {
            let can_be_reached = !endpoint.config.register || line.is_serving();
            can_be_reached && !line.connection.is_moving()
        })
    }
}

impl Line {
    /// Whether this device is registered over it.
    fn is_serving(&self) -> bool {
        self.connection
            .open()
            .is_some_and(|open| self.registration.is_bound_to(open))
    }
}

fn reg_ids(config: &Config) -> impl Iterator<Item = u32> + use<> {
    let flows = config.outbound_flows.clamp(1, config.servers.len().max(1));
    (1..).take(flows)
}

impl UserAgent {
    pub(super) fn connected(&mut self, connection: ConnectionId) {
        let Some(line) = self
            .lines
            .all
            .iter_mut()
            .find(|line| line.connection.has(connection))
        else {
            return;
        };
        if !line
            .connection
            .opened(&mut self.endpoint, &mut self.lines.servers, connection)
        {
            return;
        }
        if line.connection.is_successor(connection) {
            line.registration.try_on(&mut self.endpoint, connection);
        }
        self.lines_moved();
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId, reason: &str) {
        for line in &mut self.lines.all {
            line.connection
                .closed(&mut self.endpoint, &mut self.lines.servers, connection, reason);
        }
        self.lines_moved();
    }

    pub(super) fn start_lines(&mut self) {
        for line in &mut self.lines.all {
            line.connection.start(&mut self.endpoint, &mut self.lines.servers);
        }
        self.lines_moved();
    }

    pub(super) fn stop_lines(&mut self) {
        for line in &mut self.lines.all {
            line.registration.stopped();
            line.connection.stop(&mut self.endpoint, &mut self.lines.servers);
            line.connection.take_lost();
        }
        self.lines.report(&mut self.endpoint);
    }

    pub(super) fn wake_lines(&mut self) {
        for line in &mut self.lines.all {
            line.connection.wake(&mut self.endpoint, &mut self.lines.servers);
        }
        self.lines_moved();
    }

    pub(super) fn wake_registrations(&mut self) {
        for line in &mut self.lines.all {
            line.registration.wake(&mut self.endpoint);
        }
    }

    pub(super) fn environment(&mut self, change: Environment) {
        let mut network_changed = false;
        for line in &mut self.lines.all {
            network_changed |=
                line.connection
                    .environment(&mut self.endpoint, &mut self.lines.servers, change);
        }
        if network_changed {
            self.renew_media();
        }
        self.lines_moved();
    }

    /// The addresses of this machine may be others: media has to take other ways.
    fn renew_media(&mut self) {
        if !self.calls.is_empty() {
            self.lines.refresh = Some(Refresh {
                network_changed: true,
            });
        }
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
        let Some(flow) = self.endpoint.flow(connection) else {
            return;
        };
        let is_pong = bytes == b"\r\n";
        for line in &mut self.lines.all {
            line.connection
                .heard(&mut self.endpoint, &mut self.lines.servers, connection, is_pong);
        }
        if is_pong {
            return;
        }
        if bytes == b"\r\n\r\n" {
            let message = b"\r\n".to_vec();
            return self.endpoint.push(Output::Transmit { connection, message });
        }
        match Message::parse(bytes.as_slice()) {
            Ok(message) => self.message(flow, message),
            Err(error) => self.unreadable(flow, &bytes, &error),
        }
    }

    /// The registration with this reg-id.
    pub(super) fn registration_of(&mut self, reg_id: u32) -> Option<&mut Registration> {
        self.lines.get_mut(reg_id).map(|line| &mut line.registration)
    }

    pub(super) fn registration_moved(&mut self, reg_id: u32, outcome: Outcome) {
        let Lines { all, servers, .. } = &mut self.lines;
        let Some(line) = line_of(all, reg_id) else {
            return;
        };
        match outcome {
            Outcome::None => return,
            Outcome::Registered {
                connection,
                outbound,
                flow_timer,
            } => line
                .connection
                .registered(&mut self.endpoint, servers, connection, outbound, flow_timer),
            Outcome::Failed { connection, fault } => {
                line.registration_failed(&mut self.endpoint, servers, connection, fault)
            }
            Outcome::Removed => return self.stop_if_nothing_is_left(),
        }
        self.lines_moved();
    }

    /// After every step of a connection: what is gone is gone for everybody, and new requests take the best way left.
    fn lines_moved(&mut self) {
        if self.lines.take_moved() {
            self.renew_media();
        }
        for connection in self.lines.take_lost() {
            self.flow_lost(connection);
        }
        self.lines.register_what_is_open(&mut self.endpoint);
        self.lines.choose_primary(&mut self.endpoint);
        if self.endpoint.is_connected() {
            self.refresh_calls();
        } else if self.lines.had_primary() {
            self.platform_lost();
        }
    }

    /// What the end of a connection means to everything above it.
    fn flow_lost(&mut self, connection: ConnectionId) {
        for line in &mut self.lines.all {
            line.registration.disconnected(&mut self.endpoint, connection);
        }
        for call in self.calls.values_mut() {
            call.connection_lost(&mut self.endpoint, connection);
        }
        self.endpoint.owe_cancels(connection);
        let events = self.endpoint.transactions.connection_lost(connection);
        self.transactions_ended(events);
    }

    /// No way is left.
    fn platform_lost(&mut self) {
        self.subscriptions.disconnected(&mut self.endpoint);
        for call in self.calls.values_mut() {
            call.platform_lost(&mut self.endpoint);
        }
        if self.stopping.is_some() {
            self.stopped();
        }
    }

    /// The far ends are told where this side is as soon as this side can be reached there.
    fn refresh_calls(&mut self) {
        if !self.lines.is_reachable(&self.endpoint) {
            return;
        }
        self.subscriptions.reachable(&mut self.endpoint);
        if let Some(refresh) = self.lines.refresh.take() {
            for call in self.calls.values_mut() {
                call.reconnected(refresh.network_changed);
            }
            self.subscriptions.regained(&mut self.endpoint);
        }
        self.endpoint.say_farewells();
    }
}

fn line_of(lines: &mut [Line], reg_id: u32) -> Option<&mut Line> {
    let at = usize::try_from(reg_id).ok()?.checked_sub(1)?;
    lines.get_mut(at)
}

impl Line {
    /// A server that does not serve is left for another one, if there is one; a refusal is the same everywhere.
    fn registration_failed(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
        fault: Fault,
    ) {
        let was_successor = self.connection.is_successor(connection);
        let moves_on = match fault {
            Fault::Server { retry_after } => {
                self.connection
                    .server_failed(endpoint, servers, connection, retry_after)
            }
            Fault::Refused => false,
        };
        if was_successor && !moves_on {
            self.connection.abandon_successor(endpoint, servers);
        }
    }
}
