//! What outlives the process: users, sessions, device credentials and the server's own secrets.
//!
//! The functions are asynchronous and speak of the domain only, so that another database can stand behind them; today
//! it is SQLite in one file. Passwords, session tokens and device secrets are stored as hashes, never as such.

mod migrations;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

/// A user as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) display_name: String,
    /// argon2id in PHC string format.
    pub(crate) password_hash: String,
    /// Digest credentials of the account password, with the id as user name.
    pub(crate) ha1: Ha1,
}

/// H(user:realm:password) per algorithm in lower-case hexadecimal (RFC 7616 section 3.4.2), and the realm.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ha1 {
    pub(crate) realm: String,
    pub(crate) md5: String,
    pub(crate) sha256: String,
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1")
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: i64,
    pub(crate) user_id: String,
    /// Unix time in seconds.
    pub(crate) expires_at: i64,
}

/// The SIP secret of one device: usable with its own user name only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceCredential {
    pub(crate) auth_user: String,
    pub(crate) user_id: String,
    /// The session that asked for it; it ends with it.
    pub(crate) session_id: i64,
    /// The device's URN.
    pub(crate) instance_id: String,
    pub(crate) ha1: Ha1,
}

/// The auth users whose credentials a change has ended.
pub(crate) type EndedCredentials = Vec<String>;

/// The database could not do what was asked; a bug, a full disk or a damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError(String);

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database: {}", self.0)
    }
}

impl std::error::Error for StorageError {}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

type Result<T> = std::result::Result<T, StorageError>;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub(crate) struct Storage(Arc<Mutex<Connection>>);

impl Storage {
    /// Opens the database, makes it if it is missing and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        blocking(move || {
            let mut connection = Connection::open(&path)?;
            configure(&connection)?;
            migrations::run(&mut connection)?;
            Ok(Self(Arc::new(Mutex::new(connection))))
        })
        .await
    }

    /// A value of the server itself.
    pub(crate) async fn meta(&self, key: &'static str) -> Result<Option<Vec<u8>>> {
        self.with(move |db| {
            Ok(db
                .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// Stores a value of the server itself.
    pub(crate) async fn set_meta(&self, key: &'static str, value: Vec<u8>) -> Result<()> {
        self.with(move |db| {
            db.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
                params![key, value],
            )?;
            Ok(())
        })
        .await
    }

    /// All users, ordered by display name.
    pub(crate) async fn users(&self) -> Result<Vec<User>> {
        self.with(|db| {
            let mut statement = db.prepare(&format!("{SELECT_USER} ORDER BY display_name, id"))?;
            let users = statement.query_map([], read_user)?;
            Ok(users.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// One user.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>> {
        let id = id.to_owned();
        self.with(move |db| {
            Ok(db
                .query_row(&format!("{SELECT_USER} WHERE id = ?1"), [id], read_user)
                .optional()?)
        })
        .await
    }

    /// Makes `users` the only ones. A user who is gone, or whose password hash has changed, loses all sessions.
    pub(crate) async fn replace_users(&self, users: Vec<User>) -> Result<()> {
        self.with(move |db| {
            let transaction = db.transaction()?;
            remove_other_users(&transaction, &users)?;
            // Numbers may have been swapped between users: free them all before they are given out again.
            transaction.execute("UPDATE users SET number = 'free:' || id", [])?;
            for user in &users {
                put_user(&transaction, user)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Stores a new session.
    pub(crate) async fn add_session(
        &self,
        user_id: &str,
        token_hash: [u8; 32],
        now: i64,
        expires_at: i64,
    ) -> Result<()> {
        let user_id = user_id.to_owned();
        self.with(move |db| {
            db.execute(
                "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
                params![token_hash, user_id, now, expires_at],
            )?;
            Ok(())
        })
        .await
    }

    /// The session with this token, unless it has expired.
    pub(crate) async fn session(&self, token_hash: [u8; 32], now: i64) -> Result<Option<Session>> {
        self.with(move |db| {
            let sql =
                "SELECT id, user_id, expires_at FROM sessions WHERE token_hash = ?1 AND expires_at > ?2";
            let read = |row: &Row<'_>| {
                Ok(Session {
                    id: row.get(0)?,
                    user_id: row.get(1)?,
                    expires_at: row.get(2)?,
                })
            };
            Ok(db.query_row(sql, params![token_hash, now], read).optional()?)
        })
        .await
    }

    /// Lets a session live longer.
    pub(crate) async fn extend_session(&self, id: i64, expires_at: i64) -> Result<()> {
        self.with(move |db| {
            db.execute(
                "UPDATE sessions SET expires_at = ?2 WHERE id = ?1",
                [id, expires_at],
            )?;
            Ok(())
        })
        .await
    }

    /// Gives a session a new token: someone signed in again where somebody was signed in already.
    pub(crate) async fn renew_session(&self, id: i64, token_hash: [u8; 32], expires_at: i64) -> Result<()> {
        self.with(move |db| {
            let sql = "UPDATE sessions SET token_hash = ?2, expires_at = ?3 WHERE id = ?1";
            db.execute(sql, params![id, token_hash, expires_at])?;
            Ok(())
        })
        .await
    }

    /// Ends a session and the device credentials that hang on it.
    pub(crate) async fn end_session(&self, id: i64) -> Result<EndedCredentials> {
        self.with(move |db| {
            let transaction = db.transaction()?;
            let ended = auth_users(&transaction, "session_id = ?1", id)?;
            transaction.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
            transaction.commit()?;
            Ok(ended)
        })
        .await
    }

    /// Ends all sessions that have expired.
    pub(crate) async fn end_expired_sessions(&self, now: i64) -> Result<EndedCredentials> {
        self.with(move |db| {
            let transaction = db.transaction()?;
            let expired = "session_id IN (SELECT id FROM sessions WHERE expires_at <= ?1)";
            let ended = auth_users(&transaction, expired, now)?;
            transaction.execute("DELETE FROM sessions WHERE expires_at <= ?1", [now])?;
            transaction.commit()?;
            Ok(ended)
        })
        .await
    }

    /// Adds a credential. Of one device the newest `keep` stay valid, of one user at most `keep_devices` devices.
    pub(crate) async fn add_device_credential(
        &self,
        credential: DeviceCredential,
        now: i64,
        keep: u32,
        keep_devices: u32,
    ) -> Result<EndedCredentials> {
        self.with(move |db| {
            let transaction = db.transaction()?;
            insert_credential(&transaction, &credential, now)?;
            let surplus = surplus_credentials(&transaction, &credential, keep, keep_devices)?;
            for auth_user in &surplus {
                transaction.execute("DELETE FROM device_credentials WHERE auth_user = ?1", [auth_user])?;
            }
            transaction.commit()?;
            Ok(surplus)
        })
        .await
    }

    /// All credentials of devices for `realm`. Those of another realm (the domain was changed) are of no use and removed.
    pub(crate) async fn device_credentials(&self, realm: &str) -> Result<Vec<DeviceCredential>> {
        let realm = realm.to_owned();
        self.with(move |db| {
            db.execute("DELETE FROM device_credentials WHERE realm <> ?1", [realm])?;
            let mut statement = db.prepare(
                "SELECT auth_user, user_id, session_id, instance_id, realm, ha1_md5, ha1_sha256 \
                 FROM device_credentials ORDER BY id",
            )?;
            let credentials = statement.query_map([], read_credential)?;
            Ok(credentials.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.0);
        // A panic while the lock was held has rolled its transaction back; the connection itself is sound.
        blocking(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StorageError(error.to_string())),
    }
}

fn configure(connection: &Connection) -> Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

const SELECT_USER: &str =
    "SELECT id, number, display_name, password_hash, realm, ha1_md5, ha1_sha256 FROM users";

fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        number: row.get(1)?,
        display_name: row.get(2)?,
        password_hash: row.get(3)?,
        ha1: read_ha1(row, 4)?,
    })
}

fn read_ha1(row: &Row<'_>, first: usize) -> rusqlite::Result<Ha1> {
    Ok(Ha1 {
        realm: row.get(first)?,
        md5: row.get(first + 1)?,
        sha256: row.get(first + 2)?,
    })
}

fn read_credential(row: &Row<'_>) -> rusqlite::Result<DeviceCredential> {
    Ok(DeviceCredential {
        auth_user: row.get(0)?,
        user_id: row.get(1)?,
        session_id: row.get(2)?,
        instance_id: row.get(3)?,
        ha1: read_ha1(row, 4)?,
    })
}

fn remove_other_users(transaction: &Transaction<'_>, users: &[User]) -> Result<()> {
    let mut statement = transaction.prepare("SELECT id, password_hash FROM users")?;
    let stored: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, password_hash) in stored {
        match users.iter().find(|user| user.id == id) {
            None => transaction.execute("DELETE FROM users WHERE id = ?1", [id])?,
            Some(user) if user.password_hash != password_hash => {
                transaction.execute("DELETE FROM sessions WHERE user_id = ?1", [id])?
            }
            Some(_) => 0,
        };
    }
    Ok(())
}

fn put_user(transaction: &Transaction<'_>, user: &User) -> Result<()> {
    transaction.execute(
        "INSERT INTO users (id, number, display_name, password_hash, realm, ha1_md5, ha1_sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, display_name = excluded.display_name,
             password_hash = excluded.password_hash, realm = excluded.realm,
             ha1_md5 = excluded.ha1_md5, ha1_sha256 = excluded.ha1_sha256",
        params![
            user.id,
            user.number,
            user.display_name,
            user.password_hash,
            user.ha1.realm,
            user.ha1.md5,
            user.ha1.sha256
        ],
    )?;
    Ok(())
}

fn insert_credential(transaction: &Transaction<'_>, credential: &DeviceCredential, now: i64) -> Result<()> {
    transaction.execute(
        "INSERT INTO device_credentials
             (auth_user, user_id, session_id, instance_id, realm, ha1_md5, ha1_sha256, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            credential.auth_user,
            credential.user_id,
            credential.session_id,
            credential.instance_id,
            credential.ha1.realm,
            credential.ha1.md5,
            credential.ha1.sha256,
            now
        ],
    )?;
    Ok(())
}

fn surplus_credentials(
    transaction: &Transaction<'_>,
    newest: &DeviceCredential,
    keep: u32,
    keep_devices: u32,
) -> Result<EndedCredentials> {
    let mut statement = transaction.prepare(
        "SELECT auth_user FROM (
             SELECT auth_user, row_number() OVER (PARTITION BY instance_id ORDER BY id DESC) AS age,
                    dense_rank() OVER (ORDER BY newest DESC) AS device
             FROM (SELECT *, max(id) OVER (PARTITION BY instance_id) AS newest
                   FROM device_credentials WHERE user_id = ?1))
         WHERE age > ?2 OR device > ?3",
    )?;
    let surplus = statement.query_map(params![newest.user_id, keep, keep_devices], |row| row.get(0))?;
    Ok(surplus.collect::<rusqlite::Result<_>>()?)
}

fn auth_users(transaction: &Transaction<'_>, condition: &str, value: i64) -> Result<EndedCredentials> {
    let mut statement = transaction.prepare(&format!(
        "SELECT auth_user FROM device_credentials WHERE {condition}"
    ))?;
    let found = statement.query_map([value], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ha1() -> Ha1 {
        Ha1 {
            realm: "example".into(),
            md5: "aa".into(),
            sha256: "bb".into(),
        }
    }

    fn user(id: &str, number: &str, hash: &str) -> User {
        User {
            id: id.into(),
            number: number.into(),
            display_name: id.to_uppercase(),
            password_hash: hash.into(),
            ha1: ha1(),
        }
    }

    fn credential(name: &str, session_id: i64, instance: &str) -> DeviceCredential {
        DeviceCredential {
            auth_user: name.into(),
            user_id: "alice".into(),
            session_id,
            instance_id: instance.into(),
            ha1: ha1(),
        }
    }

    async fn storage_with_alice() -> Storage {
        let storage = Storage::open(Path::new(":memory:")).await.unwrap();
        storage
            .replace_users(vec![user("alice", "101", "one")])
            .await
            .unwrap();
        storage
    }

    #[tokio::test]
    async fn users_are_replaced_and_numbers_can_be_swapped() {
        let storage = storage_with_alice().await;
        storage
            .replace_users(vec![user("alice", "101", "one"), user("bob", "102", "x")])
            .await
            .unwrap();
        storage
            .replace_users(vec![user("alice", "102", "one"), user("bob", "101", "x")])
            .await
            .unwrap();
        assert_eq!(storage.user("bob").await.unwrap().unwrap().number, "101");
        storage
            .replace_users(vec![user("bob", "101", "x")])
            .await
            .unwrap();
        assert_eq!(storage.users().await.unwrap(), [user("bob", "101", "x")]);
    }

    #[tokio::test]
    async fn sessions_expire_and_end_with_the_password() {
        let storage = storage_with_alice().await;
        storage.add_session("alice", [1; 32], 100, 200).await.unwrap();
        assert_eq!(
            storage.session([1; 32], 199).await.unwrap().unwrap().user_id,
            "alice"
        );
        assert_eq!(storage.session([1; 32], 200).await.unwrap(), None);
        assert_eq!(storage.session([2; 32], 199).await.unwrap(), None);
        storage
            .replace_users(vec![user("alice", "101", "one")])
            .await
            .unwrap();
        assert!(storage.session([1; 32], 199).await.unwrap().is_some());
        storage
            .replace_users(vec![user("alice", "101", "two")])
            .await
            .unwrap();
        assert_eq!(storage.session([1; 32], 199).await.unwrap(), None);
    }

    #[tokio::test]
    async fn device_credentials_end_with_their_session() {
        let storage = storage_with_alice().await;
        storage.add_session("alice", [1; 32], 100, 200).await.unwrap();
        storage.add_session("alice", [2; 32], 100, 300).await.unwrap();
        let first = storage.session([1; 32], 150).await.unwrap().unwrap().id;
        let second = storage.session([2; 32], 150).await.unwrap().unwrap().id;
        storage
            .add_device_credential(credential("a", first, "phone"), 1, 2, 9)
            .await
            .unwrap();
        storage
            .add_device_credential(credential("b", second, "tablet"), 1, 2, 9)
            .await
            .unwrap();
        assert_eq!(storage.end_expired_sessions(250).await.unwrap(), ["a"]);
        assert_eq!(storage.end_session(second).await.unwrap(), ["b"]);
        assert_eq!(storage.device_credentials("example").await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_device_keeps_its_newest_credentials_and_a_user_the_newest_devices() {
        let storage = storage_with_alice().await;
        storage.add_session("alice", [1; 32], 100, 200).await.unwrap();
        let add = async |name: &str, instance: &str| {
            storage
                .add_device_credential(credential(name, 1, instance), 1, 2, 2)
                .await
                .unwrap()
        };
        assert!(add("a1", "a").await.is_empty());
        assert!(add("a2", "a").await.is_empty());
        assert_eq!(add("a3", "a").await, ["a1"]);
        assert!(add("b1", "b").await.is_empty());
        assert_eq!(add("c1", "c").await, ["a3", "a2"]);
    }

    #[tokio::test]
    async fn credentials_of_another_realm_are_dropped() {
        let storage = storage_with_alice().await;
        storage.add_session("alice", [1; 32], 100, 200).await.unwrap();
        storage
            .add_device_credential(credential("a", 1, "phone"), 1, 2, 9)
            .await
            .unwrap();
        assert_eq!(storage.device_credentials("other.example").await.unwrap(), []);
        assert_eq!(storage.device_credentials("example").await.unwrap(), []);
    }

    #[tokio::test]
    async fn meta_values_are_kept() {
        let storage = storage_with_alice().await;
        assert_eq!(storage.meta("x").await.unwrap(), None);
        storage.set_meta("x", vec![1, 2]).await.unwrap();
        assert_eq!(storage.meta("x").await.unwrap(), Some(vec![1, 2]));
    }
}
