//! What an agent must be told about its account and platform.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::sip::{UriBuf, escape_param};
use crate::time::{Duration, Instant};

/// Which redirects are followed (RFC 3261 section 8.1.3.4). Whoever answers for a number could send its callers anywhere,
/// to costly numbers for example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedirectPolicy {
    /// None.
    Never,
    /// Those to the account's own domain, or to the one that was dialled.
    #[default]
    SameDomain,
    /// All.
    Any,
}

/// How calls are transferred on this platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TransferSupport {
    /// The far end or the platform is asked with REFER (RFC 3515).
    #[default]
    Refer,
    /// Not at all.
    None,
}

/// What is done when the far end of a call asks this side to call somebody else (REFER, RFC 3515 section 2.4.2). The new
/// call leaves with this account's identity and at its cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferPolicy {
    /// It is refused.
    Never,
    /// The user is asked.
    Ask,
    /// Where somebody of the account's own domain asks for a call to somebody else of it, that is made; for any other the
    /// user is asked. So colleagues connect each other without a question, as on every telephone system, and nobody from
    /// outside has calls made or codes dialled here.
    #[default]
    SameDomain,
    /// It is done.
    Always,
}

/// Who may take the place of a call's far end with INVITE and Replaces (RFC 3891), if it names the dialog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplacesPolicy {
    /// The far end itself, who says that it has sent them (Referred-By, RFC 3892: not proven), and this account's own
    /// other devices. For platforms that tell colleagues the dialogs they could name (lamps with RFC 4235 identifiers).
    Known,
    /// Those, and everybody of the account's own domain: many telephones say nothing of who has sent them, and colleagues
    /// connect each other without a question ([`TransferPolicy::SameDomain`]). Nobody from outside.
    #[default]
    SameDomain,
    /// Whoever names the dialog, which only its two ends, whom they have told, and the platform know (section 8), even one
    /// who withholds the own name. For platforms where those who transfer have other domains.
    Anyone,
}

/// The account and behaviour of one agent. Written down, it is without its secrets: password and push service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Address of record, for example `sip:alice@clearline.localhost`.
    pub address_of_record: UriBuf,
    /// Name shown to those who are called; may be empty.
    pub display_name: String,
    /// User name for digest authentication.
    pub auth_user: String,
    /// Password or device secret for digest authentication.
    #[serde(skip)]
    pub password: Secret,
    /// The token for platforms that ask for one instead of a password (RFC 8898).
    pub token: Option<Token>,
    /// Where the platform is reached; at least one.
    pub servers: Vec<Server>,
    /// How many flows are kept at the same time (RFC 5626 section 4.2), each to another server: 2 where the platform has
    /// two edges, so that the loss of one is not noticed. Never more than there are servers.
    pub outbound_flows: usize,
    /// Where the platform finds this device when it sleeps (RFC 8599).
    #[serde(skip)]
    pub push: Option<Push>,
    /// URN that names this device for ever, for example `urn:uuid:...` (RFC 5626 section 4.1).
    pub instance_id: String,
    /// What this device calls itself to the account's other devices; may be empty.
    #[serde(default)]
    pub device_name: String,
    /// Value of the User-Agent header.
    pub user_agent: String,
    /// Register at all. An agent that only makes calls need not.
    pub register: bool,
    /// Wanted lifetime of the registration.
    pub registration_expires: Duration,
    /// How long an outgoing call rings before it is given up.
    pub no_answer_timeout: Duration,
    /// How long an answered call may be without platform or audio path before it is ended.
    pub lost_call_timeout: Duration,
    /// Wanted interval at which a session has to show that both its ends are still there (RFC 4028). `None`: this side
    /// asks for none, and grants what others ask for.
    pub session_expires: Option<Duration>,
    /// The smallest such interval this side agrees to; at least 90 seconds.
    pub min_session_expires: Duration,
    /// How many calls may exist at once; further incoming ones are answered 486.
    pub max_calls: usize,
    /// Answer incoming calls by themselves (service agents only).
    pub auto_answer: bool,
    /// The identity the platform is asked to assert in calls made here (P-Preferred-Identity, RFC 3325 section 9.2), for
    /// accounts that have several; it asserts only what belongs to the account.
    pub preferred_identity: Option<UriBuf>,
    /// Answer incoming calls by themselves where the caller asks for it (RFC 5373, Call-Info): an intercom. Whoever may
    /// call can listen in then.
    pub follow_answer_mode: bool,
    /// Which redirects (3xx) a call of this side follows.
    pub redirect_policy: RedirectPolicy,
    /// How calls are transferred.
    #[serde(default)]
    pub transfer_support: TransferSupport,
    /// Who may take the place of a call's far end.
    #[serde(default)]
    pub replaces_policy: ReplacesPolicy,
    /// What is done when somebody else transfers this side.
    #[serde(default)]
    pub transfer_policy: TransferPolicy,
    /// Where the platform makes conferences (RFC 4579 section 5.4): calls are merged there. `None`: on this device.
    #[serde(default)]
    pub conference_factory: Option<UriBuf>,
    /// Follow this account's other devices, where the platform tells of them: their calls (RFC 4235), so that one can be taken
    /// over ([`Event::RemoteCalls`](crate::Event::RemoteCalls)), and which there are, so that one can be sent there
    /// ([`Event::OwnDevices`](crate::Event::OwnDevices)).
    #[serde(default)]
    pub remote_calls: bool,
    /// Show how the platform would like a call to ring (Alert-Info, RFC 7462) in
    /// [`CallInfo::alert`](crate::CallInfo::alert).
    pub follow_alert_info: bool,
    /// This is the focus of a conference (RFC 4579 section 3.1): the address of record names the conference, can be reached
    /// from everywhere, and is the Contact, which says so (section 4).
    #[serde(default)]
    pub is_focus: bool,
}

impl Config {
    /// A configuration with the defaults of a softphone for `address_of_record`, reachable at `server`.
    pub fn new(address_of_record: UriBuf, server: impl Into<String>, instance_id: impl Into<String>) -> Self {
        let auth_user = address_of_record.as_uri().user_decoded().into_owned();
        Self {
            address_of_record,
            display_name: String::new(),
            auth_user,
            password: Secret::default(),
            servers: vec![Server::new(server)],
            token: None,
            outbound_flows: 1,
            push: None,
            instance_id: instance_id.into(),
            device_name: String::new(),
            user_agent: concat!("Clearline/", env!("CARGO_PKG_VERSION")).into(),
            register: true,
            registration_expires: Duration::from_secs(600),
            no_answer_timeout: Duration::from_secs(120),
            lost_call_timeout: Duration::from_secs(60),
            session_expires: Some(Duration::from_secs(1_800)),
            min_session_expires: Duration::from_secs(90),
            max_calls: 8,
            auto_answer: false,
            preferred_identity: None,
            follow_answer_mode: false,
            redirect_policy: RedirectPolicy::SameDomain,
            transfer_support: TransferSupport::Refer,
            replaces_policy: ReplacesPolicy::default(),
            transfer_policy: TransferPolicy::SameDomain,
            conference_factory: None,
            remote_calls: false,
            follow_alert_info: false,
            is_focus: false,
        }
    }
}

/// A bearer token (RFC 8898), as an authorization server has issued it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The token itself. It is only shown over TLS.
    #[serde(skip)]
    pub secret: Secret,
    /// When it ends; a fresh one is asked for a minute before.
    pub expires_at: Option<Instant>,
}

/// One server of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `ws:` or `wss:` URL.
    pub url: String,
    /// Servers with the lowest number are tried first; those with the same share the load (RFC 2782).
    pub priority: u16,
}

impl Server {
    /// The server at `url`, with the priority 0.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            priority: 0,
        }
    }

    /// The same server with another priority.
    #[must_use]
    pub fn priority(self, priority: u16) -> Self {
        Self { priority, ..self }
    }

    /// Servers in the order of preference.
    pub fn in_order<T: Into<String>>(urls: impl IntoIterator<Item = T>) -> Vec<Self> {
        let server = |(url, priority): (T, u16)| Self::new(url).priority(priority);
        urls.into_iter().zip(0..).map(server).collect()
    }
}

impl From<&str> for Server {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Server {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

/// How a push service wakes this device (RFC 8599 section 8), for the registrar only. `Debug` shows the service.
#[derive(Clone, PartialEq, Eq)]
pub struct Push {
    /// The service, for example `webpush` or `fcm`.
    pub provider: String,
    /// What the service calls this device: whoever knows it can wake it.
    pub resource_id: Secret,
    /// What else the service needs; may be empty.
    pub parameter: String,
}

impl Push {
    /// The parameters of the registered Contact's URI.
    pub(crate) fn uri_params(&self) -> String {
        let provider = escape_param(&self.provider);
        let resource_id = escape_param(self.resource_id.expose());
        let mut text = format!(";pn-provider={provider};pn-prid={resource_id}");
        if !self.parameter.is_empty() {
            text.push_str(";pn-param=");
            text.push_str(&escape_param(&self.parameter));
        }
        text
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
