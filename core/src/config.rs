//! What an agent must be told about its account and platform.

use crate::secret::Secret;
use crate::sip::UriBuf;
use crate::time::Duration;

/// The account and behaviour of one agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of record, for example `sip:alice@clearline.localhost`.
    pub address_of_record: UriBuf,
    /// Name shown to those who are called; may be empty.
    pub display_name: String,
    /// User name for digest authentication.
    pub auth_user: String,
    /// Password or device secret for digest authentication.
    pub password: Secret,
    /// `ws:` or `wss:` URLs in order of preference; at least one.
    pub servers: Vec<String>,
    /// URN that names this device for ever, for example `urn:uuid:...` (RFC 5626 section 4.1).
    pub instance_id: String,
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
    /// Show how the platform would like a call to ring (Alert-Info, RFC 7462) in
    /// [`CallInfo::alert`](crate::CallInfo::alert).
    pub follow_alert_info: bool,
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
            servers: vec![server.into()],
            instance_id: instance_id.into(),
            user_agent: concat!("Clearline/", env!("CARGO_PKG_VERSION")).into(),
            register: true,
            registration_expires: Duration::from_secs(600),
            no_answer_timeout: Duration::from_secs(120),
            lost_call_timeout: Duration::from_secs(60),
            max_calls: 8,
            auto_answer: false,
            preferred_identity: None,
            follow_answer_mode: false,
            follow_alert_info: false,
        }
    }
}
