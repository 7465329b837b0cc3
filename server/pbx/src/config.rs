//! What the platform must be told about itself.

use clearline_core::sip::digest::Algorithm;
use clearline_core::{Duration, Rate};

use crate::key::Key;

/// The settings of one platform: one domain, one realm.
#[derive(Clone, Debug)]
pub struct Config {
    /// The one name of the domain, for example `clearline.localhost`. Users are `sip:id@domain`.
    pub domain: String,
    /// Other names under which clients may address the domain: `host` (any port) or `host:port`; typically the
    /// server's own addresses.
    pub domain_aliases: Vec<String>,
    /// Realm of the digest challenges. HA1 hashes contain it.
    pub realm: String,
    /// Seals nonces, routes and temporary GRUUs; the same again after a restart.
    pub key: Key,
    /// Value of the Server header in the platform's own responses; none if empty.
    pub server: String,
    /// Digest algorithms offered, in this order: the strongest first (RFC 8760 section 2.4). JsSIP and SIP.js keep the
    /// last challenge only and know MD5 only, so that one stands last unless this is changed.
    pub algorithms: Vec<Algorithm>,
    /// How often clients must show their credentials.
    pub challenge: ChallengePolicy,
    /// How long a nonce is good for; an older one is answered with `stale=true`.
    pub nonce_lifetime: Duration,
    /// Lifetime of a binding for which the client asks for none.
    pub default_expires: Duration,
    /// Shortest lifetime granted; shorter wishes are answered 423 (RFC 3261 section 10.3).
    pub min_expires: Duration,
    /// Longest lifetime granted; longer wishes are shortened.
    pub max_expires: Duration,
    /// Time between two keep-alives that clients are asked for (Flow-Timer, RFC 5626 section 4.4.1).
    pub flow_timer: Duration,
    /// How long one device may ring (RFC 3261 section 16.6 step 11: more than three minutes).
    pub timer_c: Duration,
    /// How long a call goes on ringing for a caller whose connection was lost and may come back.
    pub caller_grace: Duration,
    /// Bounds on what one connection or user may cost.
    pub limits: Limits,
}

impl Config {
    /// The defaults for `domain`, whose realm is the domain.
    pub fn new(domain: impl Into<String>, key: Key) -> Self {
        let domain = domain.into();
        Self {
            realm: domain.clone(),
            domain,
            domain_aliases: Vec::new(),
            key,
            server: concat!("Clearline/", env!("CARGO_PKG_VERSION")).into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            challenge: ChallengePolicy::OncePerConnection,
            nonce_lifetime: Duration::from_secs(300),
            default_expires: Duration::from_secs(600),
            min_expires: Duration::from_secs(30),
            max_expires: Duration::from_secs(3_600),
            flow_timer: Duration::from_secs(30),
            timer_c: Duration::from_secs(185),
            caller_grace: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// How often clients must show their credentials for requests other than REGISTER, which is challenged every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePolicy {
    /// A connection on which a user has shown credentials may speak for that user until it closes. Saves a round trip
    /// per call; the transport below (TLS, loopback) keeps others out.
    OncePerConnection,
    /// Every request outside a dialog.
    EachRequest,
}

/// Bounds on what one connection or user may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages on one connection. More are dropped and count as faults.
    pub messages: Rate,
    /// Malformed or excess messages on one connection. More close it.
    pub faults: Rate,
    /// Wrong passwords on one connection. More close it.
    pub authentication_failures: Rate,
    /// Requests from one connection that are being forwarded at the same time; more are answered 503.
    pub transactions_per_connection: usize,
    /// Devices of one user; the next one is answered 403, unless one whose connection is gone can make room.
    pub bindings_per_user: usize,
    /// Users who may have shown credentials on one connection.
    pub users_per_connection: usize,
    /// Longest Contact that is stored, in bytes.
    pub contact_bytes: usize,
    /// Dialogs of one user that can be watched; further ones are only forwarded.
    pub dialogs_per_user: usize,
    /// Subscriptions of one user; more are answered 503.
    pub subscriptions_per_user: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: Rate::per_second(50, 400),
            faults: Rate {
                interval: Duration::from_secs(5),
                burst: 20,
            },
            authentication_failures: Rate {
                interval: Duration::from_secs(10),
                burst: 10,
            },
            transactions_per_connection: 64,
            bindings_per_user: 10,
            users_per_connection: 8,
            contact_bytes: 1_024,
            dialogs_per_user: 32,
            subscriptions_per_user: 20,
        }
    }
}
