//! The connection to the platform that carries one flow (RFC 5626): attempts along the list of servers, keep-alive,
//! probing when in doubt, and the change to a second connection before the first one is left.
//!
//! ```text
//! current:    none --attempt--> Opening --open--> Open --------------------------------+
//!              ^                  | failed          | lost, found dead                 |
//!              +---- pause -------+<----------------+ (unless a successor is there)    | successor has registered,
//!                                                                                      | or current is lost
//! successor:  none --network changed, server refuses, doubt--> Opening --open--> Open -+--> becomes current
//!
//! retiring:   what was current: still serves what began on it, then it is closed
//! ```

mod keep_alive;
mod servers;

use crate::endpoint::{Endpoint, Purpose};
use crate::event::ConnectionState;
use crate::id::ConnectionId;
use crate::io::{Deadline, Environment, Output, Timer};
use crate::sip::{HeaderName, Method, RequestBuilder};
use crate::time::{Duration, Instant};
use keep_alive::{Due, KeepAlive};
use servers::ServerIndex;
pub(super) use servers::Servers;

/// An attempt that has not opened by then has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between attempts while this device cannot be reached. RFC 5626 section 4.5 allows half an hour; a
/// person waits here.
const RETRY_CEILING: Duration = Duration::from_secs(30);
/// The pause while another flow serves (RFC 5626 section 4.5: base-time if any flow works, and max-time).
const REDUNDANT_BASE: Duration = Duration::from_secs(90);
const REDUNDANT_CEILING: Duration = Duration::from_secs(1_800);
/// The clients of a failed server do not come to the next one all at once.
const FAILOVER_SPREAD: Duration = Duration::from_millis(200);
/// What the far end has sent before it knew of the new connection still arrives on the old one.
const RETIRE_AFTER: Duration = Duration::from_secs(2);
/// A double CRLF asks, a single one answers (RFC 5626 section 3.5.1).
const PING: &[u8] = b"\r\n\r\n";

/// The connection of one flow, through all its sockets.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Keeps the flows of this agent apart.
    reg_id: u32,
    state: ConnectionState,
    current: Option<Link>,
    successor: Option<Link>,
    retiring: Vec<Retiring>,
    /// Sockets that are gone, and nobody has been told.
    lost: Vec<ConnectionId>,
    /// The successor is there only because the socket in use does not answer; it goes again if that one does.
    hedging: bool,
    /// A socket that did not answer any more was left: the network may be another one.
    moved: bool,
    retry_at: Option<Instant>,
    /// Attempts that have failed since the last success.
    failures: u32,
    /// How often every server has failed since the last success.
    rounds: u32,
    last_server: Option<ServerIndex>,
    /// Another flow of this agent serves, so there is no hurry.
    redundant: bool,
    visible: bool,
    /// A call is up, or somebody looks.
    attentive: bool,
    offline: bool,
}

/// One socket.
#[derive(Clone, Debug)]
struct Link {
    connection: ConnectionId,
    server: ServerIndex,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    Opening {
        give_up_at: Instant,
    },
    Open {
        keep_alive: KeepAlive,
        /// The server does what it is there for. One that only accepts connections and drops them has failed.
        proven: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Retiring {
    connection: ConnectionId,
    close_at: Instant,
}

impl Connection {
    pub(crate) fn new(reg_id: u32) -> Self {
        Self {
            reg_id,
            state: ConnectionState::Stopped,
            current: None,
            successor: None,
            retiring: Vec::new(),
            lost: Vec::new(),
            hedging: false,
            moved: false,
            retry_at: None,
            failures: 0,
            rounds: 0,
            last_server: None,
            redundant: false,
            visible: true,
            attentive: true,
            offline: false,
        }
    }

    pub(crate) fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// The socket in use, if it is open.
    pub(crate) fn open(&self) -> Option<ConnectionId> {
        let current = self.current.as_ref()?;
        current.is_open().then_some(current.connection)
    }

    /// The socket that is to take over, if it is open.
    pub(crate) fn open_successor(&self) -> Option<ConnectionId> {
        let successor = self.successor.as_ref()?;
        successor.is_open().then_some(successor.connection)
    }

    /// Whether a socket is one of this connection's.
    pub(crate) fn has(&self, connection: ConnectionId) -> bool {
        self.links().any(|link| link.connection == connection)
            || self.retiring.iter().any(|old| old.connection == connection)
    }

    /// Whether `connection` is the one that is to take over.
    pub(crate) fn is_successor(&self, connection: ConnectionId) -> bool {
        self.successor
            .as_ref()
            .is_some_and(|link| link.connection == connection)
    }

    /// Whether another socket is about to take over.
    pub(crate) fn is_moving(&self) -> bool {
        self.successor.is_some()
    }

    /// Sockets that have gone since this was asked last.
    pub(crate) fn take_lost(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.lost)
    }

    /// Whether a socket has been left since this was asked last because nothing came through any more.
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let of_link = |link: &Link| match &link.phase {
            Phase::Opening { give_up_at } => Deadline {
                at: *give_up_at,
                timer: Timer::ConnectTimeout,
            },
            Phase::Open { keep_alive, .. } => Deadline {
                at: keep_alive.deadline(),
                timer: Timer::KeepAlive,
            },
        };
        let retry = self.retry_at.map(|at| Deadline {
            at,
            timer: Timer::Reconnect,
        });
        let retiring = self.retiring.iter().map(|old| Deadline {
            at: old.close_at,
            timer: Timer::Retire,
        });
        let links = self.links().map(of_link);
        links
            .chain(retry)
            .chain(retiring)
            .min_by_key(|deadline| deadline.at)
    }

    pub(crate) fn start(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        if self.state == ConnectionState::Stopped {
            self.failures = 0;
            self.rounds = 0;
            self.attempt(endpoint, servers);
        }
    }

    pub(crate) fn stop(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        let links: Vec<_> = self
            .current
            .take()
            .into_iter()
            .chain(self.successor.take())
            .collect();
        for link in links {
            self.drop_link(endpoint, &link);
        }
        for old in std::mem::take(&mut self.retiring) {
            self.disconnect(endpoint, old.connection);
        }
        self.retry_at = None;
        self.state = ConnectionState::Stopped;
        self.note_servers(servers);
    }

    /// A socket is open; `false` if it is none that is waited for.
    pub(crate) fn opened(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
    ) -> bool {
        let attentive = self.attentive;
        let is_waited_for = |link: &&mut Link| link.connection == connection && !link.is_open();
        let link = self.current.as_mut().filter(is_waited_for);
        let Some(link) = link.or(self.successor.as_mut().filter(is_waited_for)) else {
            return false;
        };
        link.phase = Phase::Open {
            keep_alive: KeepAlive::new(endpoint.now, attentive),
            proven: false,
        };
        let is_secure = servers
            .url(link.server)
            .is_some_and(|url| url.starts_with("wss:"));
        endpoint.open_flow(connection, is_secure);
        if !endpoint.config.register {
            self.proven(endpoint, servers, connection);
        }
        self.show();
        true
    }

    /// A socket could not be opened, or has closed.
    pub(crate) fn closed(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
        reason: &str,
    ) {
        let is_it = |link: &mut Link| link.connection == connection;
        if let Some(link) = self.current.take_if(is_it) {
            self.note_lost(endpoint, connection);
            self.current_failed(endpoint, servers, &link, reason);
        } else if let Some(link) = self.successor.take_if(is_it) {
            self.note_lost(endpoint, connection);
            servers.failed(endpoint, link.server, None);
            self.note_servers(servers);
        } else if let Some(at) = self.retiring.iter().position(|old| old.connection == connection) {
            self.retiring.remove(at);
            self.note_lost(endpoint, connection);
        }
    }

    /// Something came in: the socket is alive. A lone CRLF is the answer to a ping.
    pub(crate) fn heard(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
        is_pong: bool,
    ) {
        let attentive = self.attentive;
        if let Some(keep_alive) = self.keep_alive(connection) {
            keep_alive.heard(endpoint.now, attentive);
            keep_alive.answers_ping |= is_pong;
        }
        if self.hedging && self.open() == Some(connection) {
            self.abandon_successor(endpoint, servers);
        }
    }

    /// This device is registered over `connection`. If that was to take over, it does now.
    pub(crate) fn registered(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
        outbound: bool,
        flow_timer: Option<u32>,
    ) {
        if let Some(keep_alive) = self.keep_alive(connection) {
            keep_alive.answers_ping |= outbound;
            keep_alive.set_flow_timer(&mut endpoint.rng, flow_timer);
        }
        self.proven(endpoint, servers, connection);
        self.show();
    }

    /// The server behind `connection` does not serve: no answer to REGISTER, or 503. Another one is tried, if there is
    /// one, while this socket stays; `false` if there is none.
    pub(crate) fn server_failed(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        connection: ConnectionId,
        retry_after: Option<Duration>,
    ) -> bool {
        let Some(server) = self
            .links()
            .find(|link| link.connection == connection)
            .map(|link| link.server)
        else {
            return false;
        };
        servers.failed(endpoint, server, retry_after);
        self.abandon_successor(endpoint, servers);
        servers.is_any_usable(endpoint.now, self.reg_id) && self.start_successor(endpoint, servers)
    }

    /// What was to take over is given up; the socket in use stays.
    pub(crate) fn abandon_successor(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        self.hedging = false;
        if let Some(link) = self.successor.take() {
            self.drop_link(endpoint, &link);
            self.note_servers(servers);
        }
    }

    /// Another flow of this agent has begun to serve, or no other does any more.
    pub(crate) fn set_redundant(&mut self, redundant: bool) {
        self.redundant = redundant;
    }

    /// Calls may have begun or ended, or the window been shown or hidden: the interval may be another one now.
    pub(crate) fn attention(&mut self, now: Instant, busy: bool) {
        let attentive = busy || self.visible;
        if attentive == std::mem::replace(&mut self.attentive, attentive) {
            return;
        }
        for link in [self.current.as_mut(), self.successor.as_mut()]
            .into_iter()
            .flatten()
        {
            if let Phase::Open { keep_alive, .. } = &mut link.phase {
                keep_alive.attention(now, attentive);
            }
        }
    }

    /// Probes a socket that may have died unnoticed, or hurries the next attempt. Returns whether the network is another
    /// one, so that media has to be renewed too.
    pub(crate) fn environment(
        &mut self,
        endpoint: &mut Endpoint,
        servers: &mut Servers,
        change: Environment,
    ) -> bool {
        match change {
            Environment::Hidden => self.visible = false,
            Environment::Offline => self.offline = true,
            Environment::Visible => {
                self.visible = true;
                self.doubt(endpoint, servers);
            }
            Environment::Resumed | Environment::Doubtful => self.doubt(endpoint, servers),
            Environment::Online if !self.offline => self.doubt(endpoint, servers),
            Environment::Online | Environment::NetworkChanged => {
                self.offline = false;
                self.network_changed(endpoint, servers);
                return true;
            }
        }
        false
    }

    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        if self.retry_at.is_some_and(|at| at <= endpoint.now) {
            self.attempt(endpoint, servers);
        }
        if let Some(link) = self.successor.take_if(|link| link.is_overdue(endpoint.now)) {
            self.drop_link(endpoint, &link);
            servers.failed(endpoint, link.server, None);
            self.note_servers(servers);
        }
        if let Some(link) = self.current.take_if(|link| link.is_overdue(endpoint.now)) {
            let reason = match link.phase {
                Phase::Opening { .. } => "no answer to the attempt to connect",
                Phase::Open { .. } => "no answer to a keep-alive",
            };
            self.moved |= link.is_doubtful();
            self.drop_link(endpoint, &link);
            self.current_failed(endpoint, servers, &link, reason);
        }
        self.hedge(endpoint, servers);
        for connection in self.links_due(endpoint.now) {
            self.ask(endpoint, connection, KeepAlive::asked);
        }
        self.close_retired(endpoint);
    }

    // --- attempts --------------------------------------------------------------------------------------------

    fn attempt(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        self.retry_at = None;
        if !servers.is_any_usable(endpoint.now, self.reg_id) {
            servers.forgive();
        }
        let chosen = servers.choose(endpoint.now, &mut endpoint.rng, self.reg_id, self.last_server);
        let Some(server) = chosen else {
            // All have asked to be left alone, or there are none.
            self.retry_at = servers.earliest(endpoint.now);
            if let (Some(at), ConnectionState::Waiting { retry_at, .. }) = (self.retry_at, &mut self.state) {
                *retry_at = at;
            }
            return;
        };
        self.current = self.connect(endpoint, servers, server);
        self.note_servers(servers);
        self.show();
    }

    /// Opens a second socket beside the one in use; `false` if there is no server for it.
    fn start_successor(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) -> bool {
        let chosen = servers.choose(endpoint.now, &mut endpoint.rng, self.reg_id, self.last_server);
        self.successor = chosen.and_then(|server| self.connect(endpoint, servers, server));
        self.note_servers(servers);
        self.successor.is_some()
    }

    fn connect(&mut self, endpoint: &mut Endpoint, servers: &Servers, server: ServerIndex) -> Option<Link> {
        let url = servers.url(server)?.to_owned();
        let connection = endpoint.new_connection();
        endpoint.push(Output::Connect { connection, url });
        self.last_server = Some(server);
        Some(Link {
            connection,
            server,
            phase: Phase::Opening {
                give_up_at: endpoint.now + CONNECT_TIMEOUT,
            },
        })
    }

    /// The socket in use is gone, or has never come about.
    fn current_failed(&mut self, endpoint: &mut Endpoint, servers: &mut Servers, link: &Link, reason: &str) {
        if let Phase::Opening { .. } | Phase::Open { proven: false, .. } = link.phase {
            servers.failed(endpoint, link.server, None);
        }
        self.current = self.successor.take();
        self.hedging = false;
        self.note_servers(servers);
        if self.current.is_some() {
            return self.show();
        }
        self.failures = self.failures.saturating_add(1);
        let pause = self.pause(endpoint, servers, link);
        let retry_at = endpoint.now + pause;
        let retry_at = servers
            .earliest(endpoint.now)
            .map_or(retry_at, |at| at.max(retry_at));
        self.retry_at = Some(retry_at);
        self.state = ConnectionState::Waiting {
            attempt: self.failures,
            retry_at,
            reason: reason.to_owned(),
        };
    }

    fn pause(&mut self, endpoint: &mut Endpoint, servers: &Servers, link: &Link) -> Duration {
        if self.redundant {
            let longest = REDUNDANT_BASE.saturating_mul(1 << (self.failures - 1).min(8));
            let longest = longest.min(REDUNDANT_CEILING);
            return endpoint.rng.between(longest / 2, longest);
        }
        let has_worked = matches!(link.phase, Phase::Open { proven: true, .. });
        if !has_worked && servers.is_any_usable(endpoint.now, self.reg_id) {
            return endpoint.rng.between(Duration::ZERO, FAILOVER_SPREAD);
        }
        let pause = endpoint.rng.back_off(self.rounds, RETRY_CEILING);
        if !has_worked {
            self.rounds = self.rounds.saturating_add(1);
        }
        pause
    }

    /// The server behind `connection` works; if the socket was to take over, it does now.
    fn proven(&mut self, endpoint: &mut Endpoint, servers: &mut Servers, connection: ConnectionId) {
        let is_it = |link: &mut Link| link.connection == connection;
        if let Some(link) = self.successor.take_if(is_it)
            && let Some(old) = self.current.replace(link)
        {
            self.hedging = false;
            self.moved |= old.is_doubtful();
            self.retire(endpoint, &old);
        }
        let Some(link) = self.current.as_mut().filter(|link| link.connection == connection) else {
            return;
        };
        if let Phase::Open { proven, .. } = &mut link.phase {
            *proven = true;
        }
        servers.worked(link.server);
        self.failures = 0;
        self.rounds = 0;
        self.note_servers(servers);
    }

    fn retire(&mut self, endpoint: &mut Endpoint, old: &Link) {
        if old.is_open() {
            self.retiring.push(Retiring {
                connection: old.connection,
                close_at: endpoint.now + RETIRE_AFTER,
            });
        } else {
            self.drop_link(endpoint, old);
        }
    }

    /// What began on a retired socket ends on it: its transactions bound how long that takes.
    fn close_retired(&mut self, endpoint: &mut Endpoint) {
        let now = endpoint.now;
        let due: Vec<_> = self
            .retiring
            .iter()
            .filter(|old| old.close_at <= now)
            .copied()
            .collect();
        for old in due {
            let is_it = |other: &Retiring| other.connection == old.connection;
            if endpoint.transactions.is_used(old.connection) {
                if let Some(old) = self.retiring.iter_mut().find(|other| is_it(other)) {
                    old.close_at = now + RETIRE_AFTER;
                }
            } else {
                self.retiring.retain(|other| !is_it(other));
                self.disconnect(endpoint, old.connection);
            }
        }
    }

    // --- doubts ----------------------------------------------------------------------------------------------

    /// Something has happened that a socket may not have survived.
    fn doubt(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        match self.open() {
            Some(connection) => self.ask(endpoint, connection, KeepAlive::asked_in_doubt),
            None if self.retry_at.is_some() => self.attempt(endpoint, servers),
            None => {}
        }
    }

    /// The socket in use does not answer a question asked in doubt: a second one is made while there is still hope.
    fn hedge(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        let Some(Phase::Open { keep_alive, .. }) = self.current.as_mut().map(|link| &mut link.phase) else {
            return;
        };
        if keep_alive.due(endpoint.now) != Due::Worry {
            return;
        }
        keep_alive.worried();
        if self.successor.is_none() {
            self.hedging = self.start_successor(endpoint, servers);
        }
    }

    /// The socket may live on, and what is in flight on it may arrive; but it is left for one on the new network.
    fn network_changed(&mut self, endpoint: &mut Endpoint, servers: &mut Servers) {
        if self.state == ConnectionState::Stopped {
            return;
        }
        servers.forgive();
        self.failures = 0;
        self.rounds = 0;
        self.abandon_successor(endpoint, servers);
        if let Some(connection) = self.open() {
            self.ask(endpoint, connection, KeepAlive::asked_in_doubt);
            self.start_successor(endpoint, servers);
            return;
        }
        // An attempt on the old network comes to nothing, but only after a long time.
        if let Some(link) = self.current.take() {
            self.drop_link(endpoint, &link);
        }
        self.attempt(endpoint, servers);
    }

    /// Asks for a sign of life. A CRLF ping is only used where it is known to be answered; OPTIONS always is.
    fn ask(
        &mut self,
        endpoint: &mut Endpoint,
        connection: ConnectionId,
        note: impl FnOnce(&mut KeepAlive, Instant),
    ) {
        let Some(keep_alive) = self.keep_alive(connection) else {
            return;
        };
        note(keep_alive, endpoint.now);
        if keep_alive.answers_ping {
            let message = PING.to_vec();
            endpoint.push(Output::Transmit { connection, message });
        } else {
            let options = options_request(endpoint);
            // Any sign of life will do as its answer.
            let _ = endpoint.send_on(connection, Purpose::KeepAlive, options);
        }
    }

    // --- sockets ---------------------------------------------------------------------------------------------

    fn links(&self) -> impl Iterator<Item = &Link> {
        self.current.iter().chain(&self.successor)
    }

    fn links_due(&self, now: Instant) -> Vec<ConnectionId> {
        let due = self.links().filter(|link| match &link.phase {
            Phase::Open { keep_alive, .. } => keep_alive.due(now) == Due::Ask,
            Phase::Opening { .. } => false,
        });
        due.map(|link| link.connection).collect()
    }

    fn keep_alive(&mut self, connection: ConnectionId) -> Option<&mut KeepAlive> {
        let links = [self.current.as_mut(), self.successor.as_mut()];
        let link = links
            .into_iter()
            .flatten()
            .find(|link| link.connection == connection)?;
        match &mut link.phase {
            Phase::Open { keep_alive, .. } => Some(keep_alive),
            Phase::Opening { .. } => None,
        }
    }

    fn drop_link(&mut self, endpoint: &mut Endpoint, link: &Link) {
        self.disconnect(endpoint, link.connection);
    }

    fn disconnect(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) {
        endpoint.push(Output::Disconnect { connection });
        self.note_lost(endpoint, connection);
    }

    fn note_lost(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) {
        endpoint.close_flow(connection);
        self.lost.push(connection);
    }

    fn note_servers(&self, servers: &mut Servers) {
        servers.set_used(self.reg_id, self.links().map(|link| link.server));
    }

    /// Brings the state that is shown up to date with the socket in use.
    fn show(&mut self) {
        if let Some(link) = &self.current {
            self.state = match link.phase {
                Phase::Opening { .. } => ConnectionState::Connecting {
                    attempt: self.failures.saturating_add(1),
                },
                Phase::Open { .. } => ConnectionState::Connected,
            };
        }
    }
}

impl Link {
    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    fn is_doubtful(&self) -> bool {
        match &self.phase {
            Phase::Opening { .. } => false,
            Phase::Open { keep_alive, .. } => keep_alive.is_doubtful(),
        }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        match &self.phase {
            Phase::Opening { give_up_at } => *give_up_at <= now,
            Phase::Open { keep_alive, .. } => keep_alive.due(now) == Due::Dead,
        }
    }
}

fn options_request(endpoint: &mut Endpoint) -> RequestBuilder {
    let aor = endpoint.config.address_of_record.clone();
    let from = endpoint.local_name_addr();
    let (tag, call_id) = (endpoint.rng.token(4), endpoint.rng.token(12));
    let domain = crate::sip::UriBuf::parse(format!("sip:{}", aor.as_uri().host().unwrap_or_default()));
    let domain = domain.unwrap_or_else(|_| aor.clone());
    RequestBuilder::new(Method::Options, domain.as_uri())
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format_args!("{from};tag={tag}"))
        .header(HeaderName::To, format_args!("<{}>", domain.as_str()))
        .header(HeaderName::CallId, call_id)
        .header(HeaderName::CSeq, "1 OPTIONS")
}
