//! Users and their secrets: passwords, sessions, SIP credentials of devices.

mod password;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clearline_core::Secret;

use crate::random;
use crate::rate_limit::SignInLimiter;
use crate::storage::{DeviceCredential, EndedCredentials, Ha1, Session, Storage, StorageError, User};
use crate::users_file::UserEntry;

pub(crate) use password::{PasswordChecker, ha1};

/// A browser stays signed in for this long after it was last used.
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// A session's end is written down anew when it has moved by at least this much, not at every request.
const SESSION_STEP: Duration = Duration::from_secs(3600);

/// Credentials of one device that are valid at the same time: the newest, and the one a running worker still uses.
const CREDENTIALS_PER_DEVICE: u32 = 2;

/// Devices of one user that hold credentials.
const DEVICES_PER_USER: u32 = 50;

/// The accounts of this server.
pub(crate) struct Accounts {
    storage: Storage,
    realm: String,
    limiter: Mutex<SignInLimiter>,
    passwords: PasswordChecker,
}

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignInError {
    /// No such user, or not the password; nobody is told which.
    WrongPassword,
    /// Too many wrong passwords; try again after this time.
    TooManyAttempts(Duration),
    /// The server is busy checking other passwords.
    Busy,
    Storage(StorageError),
}

impl From<StorageError> for SignInError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// What a browser holds to stay signed in. The server keeps its hash only.
#[derive(Clone)]
pub(crate) struct SessionToken(String);

impl SessionToken {
    fn new() -> Self {
        Self(random::token::<32>())
    }

    /// Takes what a browser sent.
    pub(crate) fn from_client(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// For the cookie.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        random::sha256(self.0.as_bytes())
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a device needs to register, handed out once.
#[derive(Clone, Debug)]
pub(crate) struct DeviceSecret {
    pub(crate) auth_user: String,
    pub(crate) password: Secret,
    pub(crate) ha1: Ha1,
}

impl Accounts {
    /// The accounts in `storage`, with SIP credentials for `realm`.
    pub(crate) fn new(storage: Storage, realm: String) -> Self {
        Self {
            storage,
            realm,
            limiter: Mutex::default(),
            passwords: PasswordChecker::new(),
        }
    }

    /// Makes the stored users those of `entries`. A password is hashed anew only if it has changed.
    pub(crate) async fn provision(&self, entries: Vec<UserEntry>) -> Result<Vec<User>, StorageError> {
        let mut users = Vec::with_capacity(entries.len());
        for entry in entries {
            let stored = self.storage.user(&entry.id).await?;
            users.push(self.provision_one(entry, stored).await);
        }
        self.storage.replace_users(users).await?;
        self.storage.users().await
    }

    async fn provision_one(&self, entry: UserEntry, stored: Option<User>) -> User {
        // The digest hash tells cheaply whether the password is the same; under another realm argon2 has to.
        let fresh = ha1(&entry.id, &self.realm, &entry.password);
        let password_hash = match stored {
            Some(user) if user.ha1 == fresh => user.password_hash,
            Some(user) if user.ha1.realm != self.realm && self.verifies(&entry, &user).await => {
                user.password_hash
            }
            _ => self.passwords.hash(entry.password).await,
        };
        User {
            id: entry.id,
            number: entry.number,
            display_name: entry.display_name,
            password_hash,
            ha1: fresh,
        }
    }

    async fn verifies(&self, entry: &UserEntry, user: &User) -> bool {
        self.passwords
            .verify(entry.password.clone(), Some(user.password_hash.clone()))
            .await
            == Some(true)
    }

    /// Checks a password and opens a session, or renews `current` when it is one of the same user.
    pub(crate) async fn sign_in(
        &self,
        user_id: &str,
        password: Secret,
        address: IpAddr,
        current: Option<SessionToken>,
    ) -> Result<(User, SessionToken), SignInError> {
        self.limiter()
            .attempt(Instant::now(), user_id, address)
            .map_err(SignInError::TooManyAttempts)?;
        let user = self.storage.user(user_id).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = self
            .passwords
            .verify(password, hash)
            .await
            .ok_or(SignInError::Busy)?;
        let Some(user) = user.filter(|_| is_right) else {
            return Err(SignInError::WrongPassword);
        };
        self.limiter().succeeded(user_id, address);
        let token = SessionToken::new();
        self.open_session(&user, &token, current).await?;
        Ok((user, token))
    }

    async fn open_session(
        &self,
        user: &User,
        token: &SessionToken,
        current: Option<SessionToken>,
    ) -> Result<(), StorageError> {
        let now = unix_now();
        let expires_at = now + seconds(SESSION_LIFETIME);
        if let Some(current) = current
            && let Some(session) = self.storage.session(current.hash(), now).await?
            && session.user_id == user.id
        {
            return self
                .storage
                .renew_session(session.id, token.hash(), expires_at)
                .await;
        }
        self.storage
            .add_session(&user.id, token.hash(), now, expires_at)
            .await
    }

    /// The user and session a token stands for, if it is one of `user_id`. Using it makes it last longer.
    pub(crate) async fn session(
        &self,
        user_id: &str,
        token: &SessionToken,
    ) -> Result<Option<(User, Session)>, StorageError> {
        let now = unix_now();
        let Some(mut session) = self.storage.session(token.hash(), now).await? else {
            return Ok(None);
        };
        if session.user_id != user_id {
            return Ok(None);
        }
        let expires_at = now + seconds(SESSION_LIFETIME);
        if expires_at - session.expires_at >= seconds(SESSION_STEP) {
            self.storage.extend_session(session.id, expires_at).await?;
            session.expires_at = expires_at;
        }
        Ok(self.storage.user(user_id).await?.map(|user| (user, session)))
    }

    /// Ends a session; its devices' credentials end with it.
    pub(crate) async fn sign_out(&self, session: &Session) -> Result<EndedCredentials, StorageError> {
        self.storage.end_session(session.id).await
    }

    /// Ends what has expired.
    pub(crate) async fn end_expired_sessions(&self) -> Result<EndedCredentials, StorageError> {
        self.storage.end_expired_sessions(unix_now()).await
    }

    /// Makes a SIP secret for one device. Returns it with the auth users it replaces.
    pub(crate) async fn add_device(
        &self,
        user: &User,
        session: &Session,
        instance_id: &str,
    ) -> Result<(DeviceSecret, EndedCredentials), StorageError> {
        let auth_user = format!("{}.{}", user.id, random::token::<9>());
        let password = Secret::new(random::token::<24>());
        let ha1 = ha1(&auth_user, &self.realm, &password);
        let credential = DeviceCredential {
            auth_user: auth_user.clone(),
            user_id: user.id.clone(),
            session_id: session.id,
            instance_id: instance_id.to_owned(),
            ha1: ha1.clone(),
        };
        let storage = &self.storage;
        let ended = storage
            .add_device_credential(credential, unix_now(), CREDENTIALS_PER_DEVICE, DEVICES_PER_USER)
            .await?;
        Ok((
            DeviceSecret {
                auth_user,
                password,
                ha1,
            },
            ended,
        ))
    }

    /// The credentials of all devices.
    pub(crate) async fn devices(&self) -> Result<Vec<DeviceCredential>, StorageError> {
        self.storage.device_credentials(&self.realm).await
    }

    /// All users, ordered by display name.
    pub(crate) async fn users(&self) -> Result<Vec<User>, StorageError> {
        self.storage.users().await
    }

    fn limiter(&self) -> std::sync::MutexGuard<'_, SignInLimiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, seconds)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn entry(id: &str, password: &str) -> UserEntry {
        UserEntry {
            id: id.into(),
            number: "101".into(),
            display_name: String::new(),
            password: Secret::new(password),
        }
    }

    async fn accounts(realm: &str) -> Accounts {
        let accounts = Accounts::new(Storage::open(Path::new(":memory:")).await.unwrap(), realm.into());
        accounts.provision(vec![entry("alice", "right")]).await.unwrap();
        accounts
    }

    async fn sign_in(accounts: &Accounts, user: &str, password: &str) -> Result<SessionToken, SignInError> {
        accounts
            .sign_in(user, Secret::new(password), HERE, None)
            .await
            .map(|(_, token)| token)
    }

    #[tokio::test]
    async fn only_the_right_password_opens_a_session_and_only_for_its_user() {
        let accounts = accounts("example").await;
        assert_eq!(
            sign_in(&accounts, "alice", "wrong").await.unwrap_err(),
            SignInError::WrongPassword
        );
        assert_eq!(
            sign_in(&accounts, "nobody", "right").await.unwrap_err(),
            SignInError::WrongPassword
        );
        let token = sign_in(&accounts, "alice", "right").await.unwrap();
        let (user, session) = accounts.session("alice", &token).await.unwrap().unwrap();
        assert_eq!(user.id, "alice");
        assert_eq!(accounts.session("bob", &token).await.unwrap(), None);
        accounts.sign_out(&session).await.unwrap();
        assert_eq!(accounts.session("alice", &token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn unchanged_passwords_keep_sessions_even_under_another_realm() {
        let first = accounts("example").await;
        let token = sign_in(&first, "alice", "right").await.unwrap();
        let moved = Accounts::new(first.storage.clone(), "other.example".into());
        moved.provision(vec![entry("alice", "right")]).await.unwrap();
        assert!(moved.session("alice", &token).await.unwrap().is_some());
        moved.provision(vec![entry("alice", "changed")]).await.unwrap();
        assert!(moved.session("alice", &token).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn signing_in_again_replaces_the_token_and_keeps_the_devices() {
        let accounts = accounts("example").await;
        let old = sign_in(&accounts, "alice", "right").await.unwrap();
        let (user, session) = accounts.session("alice", &old).await.unwrap().unwrap();
        accounts.add_device(&user, &session, "urn:uuid:1").await.unwrap();
        let again = accounts
            .sign_in("alice", Secret::new("right"), HERE, Some(old.clone()))
            .await
            .unwrap();
        assert!(accounts.session("alice", &old).await.unwrap().is_none());
        assert!(accounts.session("alice", &again.1).await.unwrap().is_some());
        assert_eq!(accounts.devices().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn guessing_is_slowed_down() {
        let accounts = accounts("example").await;
        for _ in 0..5 {
            assert_eq!(
                sign_in(&accounts, "alice", "wrong").await.unwrap_err(),
                SignInError::WrongPassword
            );
        }
        let refused = sign_in(&accounts, "alice", "right").await.unwrap_err();
        assert!(matches!(refused, SignInError::TooManyAttempts(wait) if wait > Duration::ZERO));
    }
}
