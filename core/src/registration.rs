//! Registration of this device (RFC 3261 section 10, RFC 5626 outbound, RFC 5627 GRUU).
//!
//! ```text
//!            connected                  2xx
//! Idle ------------------> Registering ------> Registered --refresh due--> Registering
//!  ^                        |      ^                |
//!  |     credentials wrong  |      | due            | connection lost
//!  +------------------------+   Waiting <-----------+ (then, when connected again, Registering)
//!                           +-----^ 3xx-6xx, no answer
//! ```

use serde::{Deserialize, Serialize};

use crate::endpoint::{Endpoint, Purpose, SUPPORTED};
use crate::event::{Event, RegistrationState};
use crate::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
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

/// The registration of one device over one flow.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    numbers: Numbers,
    state: RegistrationState,
    transaction: Option<TransactionId>,
    /// When to register again: refresh, or retry after a failure.
    due: Option<Instant>,
    failures: u32,
    expires: u32,
    leaving: bool,
    /// The connection was lost since the last success: dialogs have to be refreshed when it is back.
    lost: bool,
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
    /// This device is registered; `flow_timer` is the keep-alive interval asked for (RFC 5626 section 4.4.1).
    Registered {
        /// Whether the registrar speaks outbound, so that a CRLF ping is answered.
        outbound: bool,
        /// Seconds.
        flow_timer: Option<u32>,
    },
    /// The binding has been removed, or that was tried.
    Removed,
}

impl Registration {
    pub(crate) fn new(endpoint: &mut Endpoint) -> Self {
        let numbers = Numbers {
            call_id: endpoint.rng.token(12),
            cseq: 0,
        };
        Self::with_numbers(endpoint, numbers)
    }

    fn with_numbers(endpoint: &Endpoint, numbers: Numbers) -> Self {
        let expires = u32::try_from(endpoint.config.registration_expires.as_secs()).unwrap_or(u32::MAX);
        Self {
            numbers,
            state: RegistrationState::Unregistered,
            transaction: None,
            due: None,
            failures: 0,
            expires,
            leaving: false,
            lost: false,
        }
    }

    /// The registration of an agent that has been away for `asleep`, during which another may have gone on with
    /// `numbers`. No agent registers more often than once a second on average.
    pub(crate) fn restored(endpoint: &Endpoint, numbers: Numbers, asleep: Duration) -> Self {
        let unseen = u32::try_from(asleep.as_secs()).unwrap_or(u32::MAX);
        let cseq = numbers
            .cseq
            .saturating_add(unseen)
            .saturating_add(UNSEEN_REQUESTS);
        let numbers = Numbers { cseq, ..numbers };
        Self {
            lost: true,
            ..Self::with_numbers(endpoint, numbers)
        }
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

    /// Whether the last success was the first since the connection was lost; `false` when asked again.
    pub(crate) fn take_regained(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The connection is open: register on it. A password that was refused is not tried again, as each try could lock
    /// the account.
    pub(crate) fn connected(&mut self, endpoint: &mut Endpoint) {
        if endpoint.config.register && !self.is_rejected() {
            self.send(endpoint, self.expires);
        }
    }

    /// The connection is gone. The binding may live on at the platform, but this device cannot be reached.
    pub(crate) fn disconnected(&mut self, endpoint: &mut Endpoint) {
        self.transaction = None;
        self.due = None;
        self.lost = true;
        if endpoint.config.register && !self.leaving && !self.is_rejected() {
            self.set_state(endpoint, RegistrationState::Registering);
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
        if bound {
            self.send(endpoint, 0);
        }
    }

    pub(crate) fn stopped(&mut self, endpoint: &mut Endpoint) {
        self.transaction = None;
        self.due = None;
        self.leaving = false;
        self.set_state(endpoint, RegistrationState::Unregistered);
    }

    /// New credentials: what was refused may be tried again.
    pub(crate) fn credentials_changed(&mut self, endpoint: &mut Endpoint) {
        if !matches!(self.state, RegistrationState::Failed { .. }) {
            return;
        }
        self.failures = 0;
        self.due = None;
        self.set_state(endpoint, RegistrationState::Registering);
        if endpoint.is_connected() {
            self.connected(endpoint);
        }
    }

    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint) {
        if self.due.is_some_and(|due| due <= endpoint.now) {
            self.due = None;
            self.send(endpoint, self.expires);
        }
    }

    /// The number for a challenged REGISTER that is sent again; `None` if another has taken its place.
    pub(crate) fn number_for_retry(&mut self, transaction: TransactionId) -> Option<u32> {
        (self.transaction == Some(transaction)).then(|| self.next_number())
    }

    /// The challenged REGISTER was sent again.
    pub(crate) fn resent(&mut self, transaction: TransactionId) {
        self.transaction = Some(transaction);
    }

    /// A response to REGISTER. Challenges have been dealt with; one that arrives here could not be answered.
    pub(crate) fn response(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        response: &Message,
    ) -> Outcome {
        let status = response.status().unwrap_or(0);
        if self.transaction != Some(transaction) || status < 200 {
            return Outcome::None;
        }
        self.transaction = None;
        match status {
            _ if self.leaving => Outcome::Removed,
            200..=299 => self.registered(endpoint, response),
            423 => self.interval_too_brief(endpoint, response),
            401 | 403 | 407 => {
                self.failed(endpoint, Some(response), true);
                Outcome::None
            }
            _ => {
                self.failed(endpoint, Some(response), false);
                Outcome::None
            }
        }
    }

    /// REGISTER got no answer.
    pub(crate) fn no_response(&mut self, endpoint: &mut Endpoint, transaction: TransactionId) -> Outcome {
        if self.transaction != Some(transaction) {
            return Outcome::None;
        }
        self.transaction = None;
        if self.leaving {
            return Outcome::Removed;
        }
        self.failed(endpoint, None, false);
        Outcome::None
    }

    fn next_number(&mut self) -> u32 {
        self.numbers.cseq = self.numbers.cseq.saturating_add(1);
        self.numbers.cseq
    }

    fn send(&mut self, endpoint: &mut Endpoint, expires: u32) {
        let request = self.request(endpoint, expires);
        let Ok(transaction) = endpoint.send(Purpose::Register, request) else {
            return;
        };
        self.transaction = Some(transaction);
        if !self.leaving && !matches!(self.state, RegistrationState::Registered { .. }) {
            self.set_state(endpoint, RegistrationState::Registering);
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
            .header(
                HeaderName::Contact,
                format_args!(
                    "<{}>;reg-id=1;+sip.instance=\"<{}>\";expires={expires}",
                    endpoint.contact_uri(),
                    endpoint.config.instance_id
                ),
            )
            .header(HeaderName::Expires, expires)
            .header(HeaderName::Supported, SUPPORTED)
    }

    fn registered(&mut self, endpoint: &mut Endpoint, response: &Message) -> Outcome {
        let granted = Granted::read(endpoint, response);
        self.failures = 0;
        endpoint.identity.public_gruu = granted.public_gruu;
        let lifetime = Duration::from_secs(u64::from(granted.expires));
        // Between half and nine tenths of the lifetime, so that a whole office does not refresh in the same second.
        let refresh = endpoint.rng.between(lifetime / 2, lifetime.mul_f32(0.9));
        self.due = Some(endpoint.now + refresh);
        let expires_at = endpoint.now + lifetime;
        self.set_state(
            endpoint,
            RegistrationState::Registered {
                expires_at,
                bindings: granted.bindings,
            },
        );
        Outcome::Registered {
            outbound: response.lists_token(HeaderName::Require, "outbound"),
            flow_timer: response
                .header(HeaderName::FlowTimer)
                .and_then(|value| value.trim().parse().ok()),
        }
    }

    /// RFC 3261 section 10.2.8.
    fn interval_too_brief(&mut self, endpoint: &mut Endpoint, response: &Message) -> Outcome {
        match response.min_expires() {
            Some(least) if least > self.expires => {
                self.expires = least;
                self.send(endpoint, least);
            }
            _ => self.failed(endpoint, Some(response), false),
        }
        Outcome::None
    }

    fn failed(&mut self, endpoint: &mut Endpoint, response: Option<&Message>, credentials_rejected: bool) {
        self.failures += 1;
        let asked = response
            .and_then(Message::retry_after)
            .map(|secs| Duration::from_secs(u64::from(secs)));
        let retry_at = (!credentials_rejected).then(|| {
            let wait = endpoint.rng.back_off(self.failures, RETRY_CEILING);
            // What is asked of all devices at once is spread by the pause they would have made.
            endpoint.now + asked.map_or(wait, |asked| asked.min(RETRY_AFTER_CEILING) + wait)
        });
        self.due = retry_at;
        let state = RegistrationState::Failed {
            sip_status: response.and_then(Message::status),
            reason: response
                .and_then(Message::reason)
                .unwrap_or("no answer")
                .to_owned(),
            credentials_rejected,
            retry_at,
        };
        self.set_state(endpoint, state);
    }

    fn set_state(&mut self, endpoint: &mut Endpoint, state: RegistrationState) {
        if self.state != state {
            self.state = state.clone();
            endpoint.emit(Event::Registration(state));
        }
    }
}

/// What a 2xx to REGISTER says about this device.
struct Granted {
    expires: u32,
    public_gruu: Option<UriBuf>,
    bindings: u32,
}

impl Granted {
    fn read(endpoint: &Endpoint, response: &Message) -> Self {
        let header_expires = response.expires().ok().flatten();
        let own_uri = endpoint.contact_uri();
        let own_instance = format!("<{}>", endpoint.config.instance_id);
        let mut granted = Self {
            expires: header_expires.unwrap_or(DEFAULT_EXPIRES),
            public_gruu: None,
            bindings: 0,
        };
        for contact in response.contacts().flatten() {
            let Some(address) = contact.address() else {
                continue;
            };
            granted.bindings += 1;
            let instance = address.params.text("+sip.instance");
            let is_own = match instance {
                Some(instance) => instance.eq_ignore_ascii_case(&own_instance),
                None => address.uri.as_str() == own_uri,
            };
            if is_own {
                let expires = address
                    .params
                    .value("expires")
                    .and_then(|value| value.parse().ok());
                granted.expires = expires.or(header_expires).unwrap_or(DEFAULT_EXPIRES);
                let gruu = address.params.text("pub-gruu");
                granted.public_gruu = gruu.and_then(|gruu| UriBuf::parse(gruu).ok());
            }
        }
        // A registrar that grants nothing usable would be asked again without pause.
        granted.expires = granted.expires.max(10);
        granted
    }
}
