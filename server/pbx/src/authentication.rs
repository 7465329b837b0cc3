//! Who may speak for whom: digest credentials (RFC 3261 section 22, RFC 8760) and what they were shown for.
//!
//! Nonces are not remembered when they are issued: each carries its time and serial number and a check value that
//! binds them to the connection. Only the use counts of the last few nonces used on a connection are kept.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::ConnectionId;
use clearline_core::Instant;
use clearline_core::sip::digest::{DigestChallenge, Ha1, nonce_count, verify};
use clearline_core::sip::{self, AuthenticationKind, Message, Method, Uri};

use crate::config::ChallengePolicy;
use crate::flow::FlowId;
use crate::io::{DisconnectReason, Event};
use crate::key::{Key, constant_time_eq, from_hex, to_hex};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::user::UserId;

/// Names a credential given to [`Platform::add_credential`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialId(u64);

#[cfg(test)]
impl CredentialId {
    pub(crate) fn for_tests(id: u64) -> Self {
        Self(id)
    }
}

#[derive(Clone, Debug)]
struct Credential {
    user: UserId,
    auth_user: String,
    ha1: Ha1,
}

/// All credentials of the realm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    last_id: u64,
    credentials: BTreeMap<CredentialId, Credential>,
    by_auth_user: BTreeMap<String, BTreeSet<CredentialId>>,
}

impl Credentials {
    pub(crate) fn add(&mut self, user: UserId, auth_user: String, ha1: Ha1) -> CredentialId {
        self.last_id += 1;
        let id = CredentialId(self.last_id);
        self.by_auth_user.entry(auth_user.clone()).or_default().insert(id);
        self.credentials.insert(id, Credential { user, auth_user, ha1 });
        id
    }

    pub(crate) fn remove(&mut self, id: CredentialId) {
        let Some(removed) = self.credentials.remove(&id) else {
            return;
        };
        if let Some(ids) = self.by_auth_user.get_mut(&removed.auth_user) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_auth_user.remove(&removed.auth_user);
            }
        }
    }

    pub(crate) fn remove_user(&mut self, user: &UserId) {
        let own: Vec<_> = self
            .credentials
            .iter()
            .filter(|(_, c)| c.user == *user)
            .map(|(id, _)| *id)
            .collect();
        own.into_iter().for_each(|id| self.remove(id));
    }

    pub(crate) fn are_valid(&self, user: &UserId, id: CredentialId) -> bool {
        self.credentials
            .get(&id)
            .is_some_and(|credential| credential.user == *user)
    }

    /// The user whose secret made these credentials.
    fn check(
        &self,
        shown: &sip::Credentials<'_>,
        method: Method<'_>,
        body: &[u8],
    ) -> Option<(UserId, CredentialId)> {
        let auth_user = shown.param("username")?;
        let candidates = self.by_auth_user.get(auth_user.as_ref())?;
        candidates.iter().find_map(|id| {
            let credential = self.credentials.get(id)?;
            verify(shown, method, &credential.ha1, body)
                .ok()
                .map(|()| (credential.user.clone(), *id))
        })
    }
}

/// The use counts of nonces on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct NonceLog {
    issued: u32,
    /// Highest use count by serial number.
    uses: BTreeMap<u32, u32>,
    /// Serial numbers below are no longer remembered, and so no longer good.
    floor: u32,
}

impl NonceLog {
    /// More than the clients of one connection use at the same time.
    const REMEMBERED: usize = 16;

    fn next_serial(&mut self) -> u32 {
        self.issued = self.issued.wrapping_add(1);
        self.issued
    }

    /// Notes a use. `false` for a count that does not rise, which is a replay (RFC 7616 section 5.12), and for a
    /// nonce that is no longer remembered.
    fn note_use(&mut self, serial: u32, count: u32) -> bool {
        if serial < self.floor || self.uses.get(&serial).is_some_and(|last| count <= *last) {
            return false;
        }
        self.uses.insert(serial, count);
        if self.uses.len() > Self::REMEMBERED
            && let Some((oldest, _)) = self.uses.pop_first()
        {
            self.floor = oldest.saturating_add(1);
        }
        true
    }
}

impl Platform {
    /// The user who makes a request outside a dialog, and whose address is in its From.
    pub(crate) fn authenticate(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
    ) -> Result<(UserId, CredentialId), Refusal> {
        let is_registration = request.method() == Method::Register;
        let kind = if is_registration {
            AuthenticationKind::Www
        } else {
            AuthenticationKind::Proxy
        };
        let (user, credential) = self.check_credentials(now, connection, request, kind)?;
        if !self.may_speak_for(&user, request) {
            return Err(Refusal::new(403).because("From Is Not the Authenticated User"));
        }
        Ok((user, credential))
    }

    /// As [`Self::authenticate`], but asks only once per connection if the policy says so.
    pub(crate) fn authenticate_caller(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
    ) -> Result<UserId, Refusal> {
        if self.config.challenge == ChallengePolicy::OncePerConnection
            && let Some(user) = self.trusted_sender(connection, request)
        {
            return Ok(user);
        }
        self.authenticate(now, connection, request).map(|(user, _)| user)
    }

    /// The user in From, if they have shown credentials on this connection.
    fn trusted_sender(&self, connection: ConnectionId, request: &Message) -> Option<UserId> {
        let from = request.from().ok()?.uri;
        let user = self
            .users
            .resolve(&from.user_decoded())
            .filter(|_| self.is_local(&from))?;
        self.connections
            .get(&connection)?
            .trusts(&user.id)
            .then(|| user.id.clone())
    }

    fn check_credentials(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        kind: AuthenticationKind,
    ) -> Result<(UserId, CredentialId), Refusal> {
        let is_ours = |shown: &sip::Credentials<'_>| {
            shown.kind == kind
                && shown.is_digest()
                && shown.param("realm").as_deref() == Some(&self.config.realm)
        };
        let Some(shown) = request.credentials().flatten().find(is_ours) else {
            return Err(self.challenge(now, connection, kind, false));
        };
        let valid = is_for(&shown, request)
            .then(|| self.credentials.check(&shown, request.method(), request.body()))
            .flatten()
            .filter(|(user, _)| self.users.find(user).is_some());
        let Some((user, credential)) = valid else {
            return Err(self.credentials_were_wrong(now, connection, kind));
        };
        let limit = self.config.limits.users_per_connection;
        let Some(state) = self.connections.get_mut(&connection) else {
            return Err(Refusal::new(500));
        };
        let lifetime = self.config.nonce_lifetime;
        let is_fresh = Nonce::open(
            &self.config.key,
            state.flow,
            &shown.param("nonce").unwrap_or_default(),
        )
        .filter(|nonce| nonce.issued_at + lifetime > now)
        .zip(nonce_count(&shown))
        .is_some_and(|(nonce, count)| state.nonces.note_use(nonce.serial, count));
        if !is_fresh {
            return Err(self.challenge(now, connection, kind, true));
        }
        state.trust(&user, credential, limit);
        Ok((user, credential))
    }

    fn credentials_were_wrong(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        kind: AuthenticationKind,
    ) -> Refusal {
        self.report(Event::AuthenticationFailed { connection });
        let refusal = self.challenge(now, connection, kind, false);
        if let Some(state) = self.connections.get_mut(&connection)
            && !state.tolerates_authentication_failure(now)
        {
            self.disconnect(now, connection, DisconnectReason::TooManyAuthenticationFailures);
        }
        refusal
    }

    /// One challenge per algorithm, all with the same nonce (RFC 8760 section 2.3).
    fn challenge(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        kind: AuthenticationKind,
        stale: bool,
    ) -> Refusal {
        let Some(state) = self.connections.get_mut(&connection) else {
            return Refusal::new(500);
        };
        let nonce = Nonce {
            issued_at: now,
            serial: state.nonces.next_serial(),
        }
        .seal(&self.config.key, state.flow);
        self.config
            .algorithms
            .iter()
            .fold(Refusal::new(kind.status()), |refusal, algorithm| {
                let challenge = DigestChallenge::new(&self.config.realm, &nonce, *algorithm).stale(stale);
                refusal.with(kind.challenge_header(), challenge.to_string())
            })
    }

    /// Whether `user` may put what stands in From: their own address, or none (RFC 3323 section 4.1.1.3).
    fn may_speak_for(&self, user: &UserId, request: &Message) -> bool {
        let Ok(from) = request.from() else { return false };
        if request.method() != Method::Register && is_anonymous(&from.uri) {
            return true;
        }
        self.is_local(&from.uri)
            && self
                .users
                .resolve(&from.uri.user_decoded())
                .is_some_and(|own| own.id == *user)
    }
}

fn is_anonymous(from: &Uri<'_>) -> bool {
    from.host()
        .is_some_and(|host| host.eq_ignore_ascii_case("anonymous.invalid"))
}

/// Whether credentials were made for this request's URI (RFC 7616 section 3.4.6).
fn is_for(shown: &sip::Credentials<'_>, request: &Message) -> bool {
    let (Some(uri), Some(asked)) = (shown.param("uri"), request.request_uri()) else {
        return false;
    };
    Uri::parse(&uri).is_ok_and(|uri| uri == asked || uri.equivalent(&asked))
}

/// A nonce: when it was issued, and its number on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Nonce {
    issued_at: Instant,
    serial: u32,
}

impl Nonce {
    const TIME_BYTES: usize = 8;
    const SERIAL_BYTES: usize = 4;
    const CHECK_BYTES: usize = 16;

    /// The text form for a connection, which its flow names.
    fn seal(self, key: &Key, connection: FlowId) -> String {
        let mut text = to_hex(&self.issued_at.as_micros().to_be_bytes());
        text.push_str(&to_hex(&self.serial.to_be_bytes()));
        text.push_str(&to_hex(&self.check(key, connection)));
        text
    }

    /// Reads what [`Self::seal`] has written for the same connection.
    fn open(key: &Key, connection: FlowId, text: &str) -> Option<Self> {
        let (time, rest) = text.split_at_checked(Self::TIME_BYTES * 2)?;
        let (serial, check) = rest.split_at_checked(Self::SERIAL_BYTES * 2)?;
        let nonce = Self {
            issued_at: Instant::from_micros(u64::from_be_bytes(from_hex(time)?)),
            serial: u32::from_be_bytes(from_hex(serial)?),
        };
        let check: [u8; Self::CHECK_BYTES] = from_hex(check)?;
        constant_time_eq(&check, &nonce.check(key, connection)).then_some(nonce)
    }

    fn check(self, key: &Key, connection: FlowId) -> [u8; Self::CHECK_BYTES] {
        let time = self.issued_at.as_micros().to_be_bytes();
        key.authenticate(
            "nonce",
            &[connection.as_bytes(), &time, &self.serial.to_be_bytes()],
        )
    }
}

#[cfg(test)]
mod tests {
    use clearline_core::Secret;
    use clearline_core::sip::digest::Algorithm;

    use super::*;

    fn ha1(user: &str, password: &str) -> Ha1 {
        Ha1::new(Algorithm::Md5, user, "example.com", &Secret::new(password))
    }

    #[test]
    fn a_nonce_is_good_on_its_connection_only() {
        let key = Key::new([1; 32]);
        let (here, there) = (FlowId::of_connection(&key, 1), FlowId::of_connection(&key, 2));
        let nonce = Nonce {
            issued_at: Instant::from_secs(5),
            serial: 3,
        };
        let text = nonce.seal(&key, here);
        assert_eq!(Nonce::open(&key, here, &text), Some(nonce));
        assert_eq!(Nonce::open(&key, there, &text), None);
        assert_eq!(Nonce::open(&Key::new([2; 32]), here, &text), None);
        assert_eq!(Nonce::open(&key, here, &text.replacen('4', "5", 1)), None);
        assert_eq!(Nonce::open(&key, here, "é"), None);
    }

    #[test]
    fn counts_must_rise_and_memory_is_bounded() {
        let mut log = NonceLog::default();
        assert!(log.note_use(1, 1));
        assert!(!log.note_use(1, 1), "a replay");
        assert!(log.note_use(1, 3));
        assert!(!log.note_use(1, 2), "an older request");
        for serial in 2..100 {
            assert!(log.note_use(serial, 1));
        }
        assert_eq!(log.uses.len(), NonceLog::REMEMBERED);
        assert!(!log.note_use(1, 9), "forgotten, so not good any more");
    }

    #[test]
    fn a_removed_credential_is_not_valid() {
        let mut credentials = Credentials::default();
        let password = credentials.add("alice".into(), "alice".into(), ha1("alice", "demo"));
        let device = credentials.add("alice".into(), "alice".into(), ha1("alice", "device secret"));
        assert!(credentials.are_valid(&"alice".into(), device));
        assert!(!credentials.are_valid(&"bob".into(), device));
        credentials.remove(device);
        assert!(!credentials.are_valid(&"alice".into(), device));
        credentials.remove_user(&"alice".into());
        assert!(!credentials.are_valid(&"alice".into(), password));
        assert!(credentials.by_auth_user.is_empty());
    }
}
