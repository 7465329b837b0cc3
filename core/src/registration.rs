//! Registration of this device over one flow (RFC 3261 section 10, RFC 5626 outbound, RFC 5627 GRUU).
//!
//! ```text
//!            connected                  2xx
//! Idle ------------------> Registering ------> Registered --refresh due--> Registering
//!  ^                        |      ^                |
//!  |     credentials wrong  |      | due            | connection lost
//!  +------------------------+   Waiting <-----------+ (then, when connected again, Registering)
//!                           +-----^ 3xx-6xx, no answer
//! ```
//! While registered over one connection, the same binding can be tried on another ([`Registration::try_on`]), which takes
//! over when it is granted; nothing of that is shown.

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::config::Push;
use crate::cut::bounded;
use crate::endpoint::{ALLOW, Endpoint, NotConnected, Purpose, SUPPORTED};
use crate::event::{OwnDevice, RegistrationState};
use crate::id::ConnectionId;
use crate::sip::{HeaderName, Message, Method, NameAddr, RequestBuilder, Scheme, UriBuf, quote};
use crate::sorted_map::SortedMap;
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// What a registrar that does not say grants (RFC 3261 section 10.2.1.1).
const DEFAULT_EXPIRES: u32 = 3600;
/// Failures are tried again at the latest after this, unless the platform asks for more.
const RETRY_CEILING: Duration = Duration::from_secs(120);
/// Requests that may have been sent in the second after a snapshot was taken; their numbers are skipped.
const UNSEEN_REQUESTS: u32 = 16;
/// No platform can ask for more than this.
const RETRY_AFTER_CEILING: Duration = Duration::from_secs(3_600);
/// More devices than anybody has; each could be offered to the user.
const MAX_OWN_DEVICES: usize = 32;
/// More hops than any route has.
const MAX_SERVICE_ROUTE: usize = 8;

/// The registration of one device over one flow.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    /// Tells this flow of the device from its others (RFC 5626 section 4.2).
    reg_id: u32,
    numbers: Numbers,
    state: RegistrationState,
    /// The connection in use.
    connection: Option<ConnectionId>,
    /// The REGISTER under way, and where.
    transaction: Option<(TransactionId, ConnectionId)>,
    /// When to register again: refresh, or retry after a failure.
    due: Option<Instant>,
    failures: u32,
    expires: u32,
    leaving: bool,
    /// New credentials have come while a REGISTER with the old ones was under way.
    has_newer_credentials: bool,
    /// What the platform has said it cannot do.
    without: Without,
}

/// Extensions the platform has refused.
#[derive(Clone, Copy, Debug, Default)]
struct Without {
    /// 439: the first hop does not speak outbound (RFC 5626 section 11.6).
    outbound: bool,
    /// 555: no push notifications of this kind (RFC 8599 section 14.2.1).
    push: bool,
}

/// What must not repeat across a restart (section 10.2: one Call-ID for all registrations, CSeq rising).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Numbers {
    call_id: String,
    cseq: u32,
}

/// What the owner has to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    None,
    /// This device is registered.
    Registered {
        /// Over which connection.
        connection: ConnectionId,
        /// Whether the registrar speaks outbound, so that a CRLF ping is answered.
        outbound: bool,
        /// The keep-alive interval asked for, in seconds (RFC 5626 section 4.4.1).
        flow_timer: Option<u32>,
    },
    /// It is not, over this connection.
    Failed {
        /// Which one.
        connection: ConnectionId,
        /// Why.
        fault: Fault,
    },
    /// The binding has been removed, or that was tried.
    Removed,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The registrar refused; another server would too.
    Refused,
    /// The server does not serve: no answer, or 503, which may ask for a pause (RFC 3261 section 21.5.4).
    Server {
        /// The pause.
        retry_after: Option<Duration>,
    },
}

impl Registration {
    pub(crate) fn new(endpoint: &mut Endpoint, reg_id: u32) -> Self {
        let numbers = Numbers {
            call_id: endpoint.rng.token(12),
            cseq: 0,
        };
        Self::with_numbers(endpoint, reg_id, numbers)
    }

    fn with_numbers(endpoint: &Endpoint, reg_id: u32, numbers: Numbers) -> Self {
        let expires = u32::try_from(endpoint.config.registration_expires.as_secs()).unwrap_or(u32::MAX);
        Self {
            reg_id,
            numbers,
            state: RegistrationState::Unregistered,
            connection: None,
            transaction: None,
            due: None,
            failures: 0,
            expires,
            leaving: false,
            has_newer_credentials: false,
            without: Without::default(),
        }
    }

    /// The registration of an agent that has been away for `asleep`, during which another may have gone on with
    /// `numbers`. No agent registers more often than once a second on average.
    pub(crate) fn restored(endpoint: &Endpoint, reg_id: u32, numbers: Numbers, asleep: Duration) -> Self {
        let unseen = u32::try_from(asleep.as_secs()).unwrap_or(u32::MAX);
        let cseq = numbers
            .cseq
            .saturating_add(unseen)
            .saturating_add(UNSEEN_REQUESTS);
        Self::with_numbers(endpoint, reg_id, Numbers { cseq, ..numbers })
    }

    pub(crate) fn state(&self) -> &RegistrationState {
        &self.state
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving && self.transaction.is_some()
    }

    /// Whether this device can be reached over `connection`.
    pub(crate) fn is_bound_to(&self, connection: ConnectionId) -> bool {
        self.connection == Some(connection) && matches!(self.state, RegistrationState::Registered { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| self.transaction.is_none())
    }

    /// The connection in use is `connection`: register on it, unless that has been done.
    pub(crate) fn connected(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) {
        if self.connection.replace(connection) == Some(connection) {
            return;
        }
        let is_under_way = self.transaction.is_some_and(|(_, on)| on == connection);
        if !is_under_way {
            self.try_on(endpoint, connection);
        }
    }

    /// Registers on a connection, which takes over when that has succeeded. A password that was refused is not tried again,
    /// as each try could lock the account.
    pub(crate) fn try_on(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) {
        if endpoint.config.register && !self.is_rejected() {
            self.send(endpoint, connection, self.expires);
        }
    }

    /// A connection is gone. The binding may live on at the platform, but this device cannot be reached over it.
    pub(crate) fn disconnected(&mut self, endpoint: &mut Endpoint, connection: ConnectionId) {
        let was_under_way = self.transaction.take_if(|(_, on)| *on == connection).is_some();
        if self.connection.take_if(|used| *used == connection).is_none() {
            return self.make_sure(endpoint.now, was_under_way);
        }
        self.due = None;
        if endpoint.config.register && !self.leaving && !self.is_rejected() {
            self.state = RegistrationState::Registering;
        }
    }

    /// What was to take over has not. Whether the registrar knows it nevertheless is unknown, so it is told again where
    /// this device is.
    fn make_sure(&mut self, now: Instant, was_tried_elsewhere: bool) {
        let is_unsure = match self.state {
            RegistrationState::Registered { .. } => true,
            // Nothing else would ask again; a pause that was asked for is kept.
            RegistrationState::Registering => self.due.is_none(),
            RegistrationState::Unregistered | RegistrationState::Failed { .. } => false,
        };
        if was_tried_elsewhere && is_unsure {
            self.due = Some(now);
        }
    }

    fn is_rejected(&self) -> bool {
        matches!(
            self.state,
            RegistrationState::Failed {
                credentials_rejected: true,
                ..
            }
        )
    }

    /// Removes the binding (section 10.2.2), if there may be one.
    pub(crate) fn leave(&mut self, endpoint: &mut Endpoint) {
        self.leaving = true;
        self.due = None;
        let bound = matches!(self.state, RegistrationState::Registered { .. }) || self.transaction.is_some();
        self.transaction = None;
        if let Some(connection) = self.connection.filter(|_| bound) {
            self.send(endpoint, connection, 0);
        }
    }

    pub(crate) fn stopped(&mut self) {
        self.connection = None;
        self.transaction = None;
        self.due = None;
        self.leaving = false;
        self.state = RegistrationState::Unregistered;
    }

    /// New credentials: what was refused may be tried again, on `successor` if there is one that is to take over.
    pub(crate) fn credentials_changed(&mut self, endpoint: &mut Endpoint, successor: Option<ConnectionId>) {
        self.has_newer_credentials = self.transaction.is_some();
        if !matches!(self.state, RegistrationState::Failed { .. }) {
            return;
        }
        self.failures = 0;
        self.due = None;
        self.state = RegistrationState::Registering;
        if let Some(connection) = successor.or(self.connection) {
            self.try_on(endpoint, connection);
        }
    }

    /// Asks the registrar again, if it has answered the last time.
    ///
    /// # Errors
    /// [`NotConnected`] while this device is not registered.
    pub(crate) fn ask_again(&mut self, endpoint: &mut Endpoint) -> Result<(), NotConnected> {
        let connection = self.connection.ok_or(NotConnected)?;
        if !self.is_bound_to(connection) {
            return Err(NotConnected);
        }
        if self.transaction.is_none() {
            self.send(endpoint, connection, self.expires);
        }
        Ok(())
    }

    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint) {
        if self.deadline().is_some_and(|due| due <= endpoint.now) {
            self.due = None;
            if let Some(connection) = self.connection {
                self.send(endpoint, connection, self.expires);
            }
        }
    }

    /// The number for a challenged REGISTER that is sent again; `None` if another has taken its place.
    pub(crate) fn number_for_retry(&mut self, transaction: TransactionId) -> Option<u32> {
        self.connection_of(transaction)?;
        Some(self.next_number())
    }

    /// The challenged REGISTER was sent again.
    pub(crate) fn resent(&mut self, resent: TransactionId) {
        if let Some((transaction, _)) = &mut self.transaction {
            *transaction = resent;
        }
    }

    /// A response to REGISTER. Challenges have been dealt with; one that arrives here could not be answered.
    pub(crate) fn response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) -> Outcome {
        let status = response.status().unwrap_or(0);
        let Some(connection) = self.connection_of(transaction).filter(|_| status >= 200) else {
            return Outcome::None;
        };
        self.transaction = None;
        match status {
            _ if self.leaving => Outcome::Removed,
            200..=299 => self.registered(endpoint, connection, response),
            423 => self.interval_too_brief(endpoint, connection, response),
            439 if !self.without.outbound => {
                self.without.outbound = true;
                self.send(endpoint, connection, self.expires);
                Outcome::None
            }
            555 if !self.without.push && endpoint.config.push.is_some() => {
                self.without.push = true;
                self.send(endpoint, connection, self.expires);
                Outcome::None
            }
            // The old ones were refused, which says nothing of the new.
            401 | 403 | 407 if self.has_newer_credentials => {
                self.send(endpoint, connection, self.expires);
                Outcome::None
            }
            status => self.failed(
                endpoint,
                connection,
                Some(response),
                matches!(status, 401 | 403 | 407),
            ),
        }
    }

    /// REGISTER got no answer.
    pub(crate) fn no_response(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) -> Outcome {
        let Some(connection) = self.connection_of(transaction) else {
            return Outcome::None;
        };
        self.transaction = None;
        if self.leaving {
            return Outcome::Removed;
        }
        self.failed(endpoint, connection, None, false)
    }

    /// Where the REGISTER of `transaction` went, if that is the one under way.
    fn connection_of(&self, transaction: TransactionId) -> Option<ConnectionId> {
        self.transaction
            .filter(|(under_way, _)| *under_way == transaction)
            .map(|(_, connection)| connection)
    }

    fn next_number(&mut self) -> u32 {
        self.numbers.cseq = self.numbers.cseq.saturating_add(1);
        self.numbers.cseq
    }

    fn send(&mut self, endpoint: &mut Endpoint, connection: ConnectionId, expires: u32) {
        self.has_newer_credentials = false;
        let request = self.request(endpoint, expires);
        let Ok(transaction) = endpoint.send_on(connection, Purpose::Register(self.reg_id), request) else {
            return;
        };
        if self.connection == Some(connection) {
            self.due = None;
        }
        self.transaction = Some((transaction, connection));
        if !self.leaving && !matches!(self.state, RegistrationState::Registered { .. }) {
            self.state = RegistrationState::Registering;
        }
    }

    fn request(&mut self, endpoint: &mut Endpoint, expires: u32) -> RequestBuilder {
        let aor = endpoint.config.address_of_record.clone();
        let registrar = format!("sip:{}", aor.as_uri().host().unwrap_or_default());
        let registrar = UriBuf::parse(registrar).unwrap_or_else(|_| aor.clone());
        let from = endpoint.local_name_addr();
        let tag = endpoint.rng.token(4);
        let cseq = self.next_number();
        RequestBuilder::new(Method::Register, registrar.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format_args!("{from};tag={tag}"))
            .header(HeaderName::To, format_args!("<{}>", aor.as_str()))
            .header(HeaderName::CallId, &self.numbers.call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} REGISTER"))
            .header(HeaderName::Contact, self.contact(endpoint, expires))
            .header(HeaderName::Expires, expires)
            .header(HeaderName::Supported, self.supported())
    }

    /// The binding that is asked for, with what this device is and can do (RFC 3840 section 9).
    fn contact(&self, endpoint: &Endpoint, expires: u32) -> String {
        let push = endpoint.config.push.as_ref().filter(|_| !self.without.push);
        let push = push.map(Push::uri_params).unwrap_or_default();
        let reg_id = match self.without.outbound {
            true => String::new(),
            false => format!(";reg-id={}", self.reg_id),
        };
        let methods: String = ALLOW.split_whitespace().collect();
        let name = match endpoint.config.device_name.as_str() {
            "" => String::new(),
            name => format!("{} ", quote(name)),
        };
        format!(
            "{name}<{}{push}>{reg_id};+sip.instance=\"<{}>\";audio;methods=\"{methods}\";expires={expires}",
            endpoint.contact_uri(),
            endpoint.config.instance_id
        )
    }

    fn supported(&self) -> String {
        let tags = SUPPORTED.split(',').map(str::trim);
        let kept: Vec<_> = tags
            .filter(|tag| !(self.without.outbound && *tag == "outbound"))
            .collect();
        kept.join(", ")
    }

    fn registered(
        &mut self,
        endpoint: &mut Endpoint,
        connection: ConnectionId,
        response: &Message,
    ) -> Outcome {
        let granted = Granted::read(endpoint, self.reg_id, response);
        self.failures = 0;
        self.connection = Some(connection);
        endpoint.identity.public_gruu = granted.public_gruu;
        endpoint.list_own_devices(granted.others);
        endpoint.set_service_route(connection, service_route(response));
        let lifetime = Duration::from_secs(u64::from(granted.expires));
        // Between half and nine tenths of the lifetime, so that a whole office does not refresh in the same second.
        let refresh = endpoint.rng.between(lifetime / 2, lifetime * 9 / 10);
        self.due = Some(endpoint.now + refresh);
        self.state = RegistrationState::Registered {
            expires_at: endpoint.now + lifetime,
            bindings: granted.bindings,
        };
        Outcome::Registered {
            connection,
            outbound: response.lists_token(HeaderName::Require, "outbound"),
            flow_timer: response
                .header(HeaderName::FlowTimer)
                .and_then(|value| value.trim().parse().ok()),
        }
    }

    /// RFC 3261 section 10.2.8.
    fn interval_too_brief(
        &mut self,
        endpoint: &mut Endpoint,
        connection: ConnectionId,
        response: &Message,
    ) -> Outcome {
        match response.min_expires() {
            Some(least) if least > self.expires => {
                self.expires = least;
                self.send(endpoint, connection, least);
                Outcome::None
            }
            _ => self.failed(endpoint, connection, Some(response), false),
        }
    }

    fn failed(
        &mut self,
        endpoint: &mut Endpoint,
        connection: ConnectionId,
        response: Option<&Message>,
        credentials_rejected: bool,
    ) -> Outcome {
        let status = response.and_then(Message::status);
        let asked = response.and_then(Message::retry_after);
        let asked = asked.map(|secs| Duration::from_secs(u64::from(secs)));
        let fault = match status {
            None | Some(408 | 503) => Fault::Server { retry_after: asked },
            Some(_) => Fault::Refused,
        };
        let outcome = Outcome::Failed { connection, fault };
        // What is said of credentials holds for every connection, unless one has proven them.
        let is_verdict = credentials_rejected && !matches!(self.state, RegistrationState::Registered { .. });
        if self.connection != Some(connection) && !is_verdict {
            self.make_sure(endpoint.now, true);
            return outcome;
        }
        self.failures += 1;
        let retry_at = (!credentials_rejected).then(|| {
            let wait = endpoint.rng.back_off(self.failures, RETRY_CEILING);
            // What is asked of all devices at once is spread by the pause they would have made.
            endpoint.now + asked.map_or(wait, |asked| asked.min(RETRY_AFTER_CEILING) + wait)
        });
        self.due = retry_at;
        self.state = RegistrationState::Failed {
            sip_status: status,
            reason: response
                .and_then(Message::reason)
                .unwrap_or("no answer")
                .to_owned(),
            credentials_rejected,
            retry_at,
        };
        outcome
    }
}

/// The way of requests outside dialogs (RFC 3608 section 6.1). One that cannot be read is no way at all.
fn service_route(response: &Message) -> Vec<String> {
    let route = || response.header_list(HeaderName::ServiceRoute);
    let is_sound = route().count() <= MAX_SERVICE_ROUTE && route().all(|hop| NameAddr::parse(hop).is_ok());
    if is_sound {
        route().map(str::to_owned).collect()
    } else {
        Vec::new()
    }
}

/// What a 2xx to REGISTER says about this device and the account's others.
struct Granted {
    expires: u32,
    public_gruu: Option<UriBuf>,
    bindings: u32,
    others: Vec<OwnDevice>,
}

impl Granted {
    fn read(endpoint: &Endpoint, reg_id: u32, response: &Message) -> Self {
        let header_expires = response.expires().ok().flatten();
        let own_uri = endpoint.contact_uri();
        let own_instance = format!("<{}>", endpoint.config.instance_id);
        let own_reg_id = reg_id.to_string();
        let mut instances = Vec::new();
        let mut others: SortedMap<String, OwnDevice> = SortedMap::new();
        let mut granted = Self {
            expires: header_expires.unwrap_or(DEFAULT_EXPIRES),
            public_gruu: None,
            bindings: 0,
            others: Vec::new(),
        };
        for contact in response.contacts().flatten() {
            let Some(address) = contact.address() else {
                continue;
            };
            let instance = address.params.text("+sip.instance");
            let is_this_device = match &instance {
                Some(instance) => instance.eq_ignore_ascii_case(&own_instance),
                None => address.uri.as_str() == own_uri,
            };
            if !is_this_device && others.len() < MAX_OWN_DEVICES {
                // One with several flows is listed several times.
                if let Some(device) = own_device(&address) {
                    others.insert(device.address.clone(), device);
                }
            }
            match instance {
                Some(instance) => instances.push(instance.into_owned()),
                None => granted.bindings += 1,
            }
            let other_flow = address.params.value("reg-id").is_some_and(|id| id != own_reg_id);
            if is_this_device && !other_flow {
                let expires = address
                    .params
                    .value("expires")
                    .and_then(|value| value.parse().ok());
                granted.expires = expires.or(header_expires).unwrap_or(DEFAULT_EXPIRES);
                let gruu = address.params.text("pub-gruu");
                granted.public_gruu = gruu.and_then(|gruu| UriBuf::parse(gruu).ok());
            }
        }
        granted.bindings += distinct(instances);
        granted.others = others.values().cloned().collect();
        // A registrar that grants nothing usable would be asked again without pause.
        granted.expires = granted.expires.max(10);
        granted
    }
}

/// The device behind a binding, if it has an address that leads to it alone (RFC 5627 section 5.3).
fn own_device(binding: &NameAddr<'_>) -> Option<OwnDevice> {
    let gruu = UriBuf::parse(binding.params.text("pub-gruu")?).ok()?;
    let name = binding.display_name.map(|name| bounded(&name.decode()));
    matches!(gruu.as_uri().scheme(), Scheme::Sip | Scheme::Sips).then(|| OwnDevice {
        address: gruu.as_str().to_owned(),
        name,
    })
}

/// How many devices those are: one may be there with several flows.
fn distinct(instances: Vec<String>) -> u32 {
    let mut sorted = BinaryHeap::from(instances).into_sorted_vec();
    sorted.dedup();
    u32::try_from(sorted.len()).unwrap_or(u32::MAX)
}
