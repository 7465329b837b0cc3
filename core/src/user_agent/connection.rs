//! The connection to the platform: attempts with a jittered back-off, keep-alive, and probing when in doubt.

use crate::endpoint::{Endpoint, Purpose};
use crate::event::{ConnectionState, Event};
use crate::id::ConnectionId;
use crate::io::{Deadline, Environment, Output, Timer};
use crate::sip::{HeaderName, Method, RequestBuilder};
use crate::time::{Duration, Instant};
use crate::transaction::Flow;

/// An attempt that has not opened by then has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause between attempts.
const RETRY_CEILING: Duration = Duration::from_secs(30);
/// Keep-alive in a call or while somebody looks: with the answer's deadline, a dead socket is found within 10 s.
const ATTENTIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Keep-alive otherwise.
const IDLE_INTERVAL: Duration = Duration::from_secs(25);
/// An answer to a keep-alive later than this counts as none.
const ANSWER_DEADLINE: Duration = Duration::from_secs(4);
/// A double CRLF asks, a single one answers (RFC 5626 section 3.5.1).
const PING: &[u8] = b"\r\n\r\n";

/// The state of the one connection this agent keeps.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    state: ConnectionState,
    current: Option<ConnectionId>,
    last_id: u64,
    /// Attempts that have failed since the last success.
    failures: u32,
    due: Option<(Instant, Due)>,
    keep_alive: KeepAlive,
    lost_at: Option<Instant>,
    visible: bool,
    /// A call is up, or somebody looks.
    attentive: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Attempt,
    GiveUp,
}

#[derive(Clone, Debug, Default)]
struct KeepAlive {
    /// When to ask next.
    next: Option<Instant>,
    /// When the answer is overdue.
    answer_by: Option<Instant>,
    /// The far end answers a CRLF ping: it negotiated outbound, or did so once.
    answers_ping: bool,
    /// The far end asked for this interval.
    asked_interval: Option<Duration>,
}

impl Connection {
    pub(crate) fn new() -> Self {
        Self {
            state: ConnectionState::Stopped,
            current: None,
            last_id: 0,
            failures: 0,
            due: None,
            keep_alive: KeepAlive::default(),
            lost_at: None,
            visible: true,
            attentive: true,
        }
    }

    pub(crate) fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// Since when there has been no connection, if there was one before.
    pub(crate) fn lost_at(&self) -> Option<Instant> {
        self.lost_at
    }

    /// This agent goes on for one that was connected.
    pub(crate) fn lost_before(&mut self, now: Instant) {
        self.lost_at = Some(now);
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let planned = self.due.map(|(at, due)| Deadline {
            at,
            timer: match due {
                Due::Attempt => Timer::Reconnect,
                Due::GiveUp => Timer::ConnectTimeout,
            },
        });
        let keep_alive = self.keep_alive.answer_by.or(self.keep_alive.next);
        let keep_alive = keep_alive.map(|at| Deadline {
            at,
            timer: Timer::KeepAlive,
        });
        [planned, keep_alive]
            .into_iter()
            .flatten()
            .min_by_key(|deadline| deadline.at)
    }

    pub(crate) fn start(&mut self, endpoint: &mut Endpoint) {
        if self.state == ConnectionState::Stopped {
            self.failures = 0;
            self.attempt(endpoint);
        }
    }

    pub(crate) fn stop(&mut self, endpoint: &mut Endpoint) {
        self.drop_current(endpoint);
        self.due = None;
        self.lost_at = None;
        self.set_state(endpoint, ConnectionState::Stopped);
    }

    /// `true` if the connection that was waited for is open now.
    pub(crate) fn opened(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) -> bool {
        if self.current != Some(connection) {
            return false;
        }
        self.failures = 0;
        self.due = None;
        self.lost_at = None;
        self.keep_alive = KeepAlive::default();
        self.plan_keep_alive(endpoint.now);
        endpoint.set_flow(Some(Flow::reliable(connection)));
        self.set_state(endpoint, ConnectionState::Connected);
        true
    }

    /// `true` if the present connection is gone; the next attempt is planned.
    pub(crate) fn closed(&mut self, endpoint: &mut Endpoint, connection: ConnectionId, reason: &str) -> bool {
        if self.current != Some(connection) {
            return false;
        }
        self.current = None;
        self.fail(endpoint, reason);
        true
    }

    /// Something came in: the connection is alive.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.keep_alive.answer_by = None;
        self.plan_keep_alive(now);
    }

    /// A lone CRLF is the answer to a ping.
    pub(crate) fn pong(&mut self) {
        self.keep_alive.answers_ping = true;
    }

    pub(crate) fn registered(&mut self, outbound: bool, flow_timer: Option<u32>) {
        self.keep_alive.answers_ping |= outbound;
        self.keep_alive.asked_interval = flow_timer.map(|secs| Duration::from_secs(u64::from(secs.max(5))));
    }

    /// Calls may have begun or ended, or the window been shown or hidden: the interval may be another one now.
    pub(crate) fn attention(&mut self, now: Instant, busy: bool) {
        let attentive = busy || self.visible;
        if attentive != std::mem::replace(&mut self.attentive, attentive) && self.keep_alive.next.is_some() {
            self.plan_keep_alive(now);
        }
    }

    /// Probes a connection that may have died unnoticed, or hurries the next attempt.
    pub(crate) fn environment(&mut self, endpoint: &mut Endpoint, change: Environment) {
        match change {
            Environment::Visible => self.visible = true,
            Environment::Hidden => self.visible = false,
            Environment::Online
            | Environment::Offline
            | Environment::NetworkChanged
            | Environment::Doubtful
            | Environment::Resumed => {}
        }
        match (change, &self.state) {
            (Environment::Hidden | Environment::Offline, _) => {}
            (_, ConnectionState::Connected) => self.probe(endpoint),
            (_, ConnectionState::Waiting { .. }) => self.attempt(endpoint),
            (_, ConnectionState::Stopped | ConnectionState::Connecting { .. }) => {}
        }
    }

    /// The connection that was found dead, if one was; it has been dropped and the next attempt is planned.
    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint) -> Option<ConnectionId> {
        let now = endpoint.now;
        match self.due {
            Some((at, Due::Attempt)) if at <= now => self.attempt(endpoint),
            Some((at, Due::GiveUp)) if at <= now => {
                self.drop_current(endpoint);
                self.fail(endpoint, "no answer to the attempt to connect");
            }
            Some(_) | None => {}
        }
        if self.keep_alive.answer_by.is_some_and(|at| at <= now) {
            let dead = self.current;
            self.drop_current(endpoint);
            self.fail(endpoint, "no answer to a keep-alive");
            return dead;
        }
        if self.keep_alive.next.is_some_and(|at| at <= now) {
            self.probe(endpoint);
        }
        None
    }

    fn attempt(&mut self, endpoint: &mut Endpoint) {
        self.last_id += 1;
        let connection = ConnectionId(self.last_id);
        self.current = Some(connection);
        self.due = Some((endpoint.now + CONNECT_TIMEOUT, Due::GiveUp));
        // Servers are tried in turn, the preferred one first.
        let servers = &endpoint.config.servers;
        let Some(url) = servers
            .get(self.failures as usize % servers.len().max(1))
            .cloned()
        else {
            return;
        };
        endpoint.identity.transport = if url.starts_with("wss:") { "WSS" } else { "WS" };
        self.set_state(
            endpoint,
            ConnectionState::Connecting {
                attempt: self.failures + 1,
            },
        );
        endpoint.push(Output::Connect { connection, url });
    }

    fn fail(&mut self, endpoint: &mut Endpoint, reason: &str) {
        endpoint.set_flow(None);
        self.keep_alive = KeepAlive::default();
        if self.state == ConnectionState::Connected {
            self.lost_at = Some(endpoint.now);
        }
        self.failures += 1;
        let retry_at = endpoint.now + endpoint.rng.back_off(self.failures - 1, RETRY_CEILING);
        self.due = Some((retry_at, Due::Attempt));
        let state = ConnectionState::Waiting {
            attempt: self.failures,
            retry_at,
            reason: reason.to_owned(),
        };
        self.set_state(endpoint, state);
    }

    fn drop_current(&mut self, endpoint: &mut Endpoint) {
        if let Some(connection) = self.current.take() {
            endpoint.push(Output::Disconnect { connection });
        }
        endpoint.set_flow(None);
        self.keep_alive = KeepAlive::default();
    }

    fn plan_keep_alive(&mut self, now: Instant) {
        let interval = if self.attentive {
            ATTENTIVE_INTERVAL
        } else {
            IDLE_INTERVAL
        };
        self.keep_alive.next = Some(
            now + self
                .keep_alive
                .asked_interval
                .map_or(interval, |asked| asked.min(interval)),
        );
    }

    /// Asks for a sign of life. A CRLF ping is only used where it is known to be answered; OPTIONS always is.
    fn probe(&mut self, endpoint: &mut Endpoint) {
        let Some(connection) = self.current else { return };
        if self.keep_alive.answer_by.is_some() {
            return;
        }
        self.keep_alive.next = None;
        self.keep_alive.answer_by = Some(endpoint.now + ANSWER_DEADLINE);
        if self.keep_alive.answers_ping {
            endpoint.push(Output::Transmit {
                connection,
                message: PING.to_vec(),
            });
        } else {
            let options = options_request(endpoint);
            // Any sign of life will do as its answer.
            let _ = endpoint.send(Purpose::KeepAlive, options);
        }
    }

    fn set_state(&mut self, endpoint: &mut Endpoint, state: ConnectionState) {
        if self.state != state {
            self.state = state.clone();
            endpoint.emit(Event::Connection(state));
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
