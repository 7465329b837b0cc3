//! Hashes of passwords: argon2id for signing in, digest HA1 for SIP.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use clearline_core::Secret;
use clearline_core::sip::digest::{self, Algorithm};
use tokio::sync::Semaphore;

use crate::storage::Ha1;

/// Passwords checked at the same time: each takes 19 MiB and a core for some ten milliseconds.
const CONCURRENT: usize = 4;

/// Checks that may wait for their turn. More are refused, so that a flood does not pile up.
const WAITING: usize = 60;

/// Hashes and checks passwords outside the async threads, a few at a time.
pub(crate) struct PasswordChecker {
    places: Semaphore,
    turns: Semaphore,
}

impl PasswordChecker {
    pub(crate) fn new() -> Self {
        Self {
            places: Semaphore::new(CONCURRENT + WAITING),
            turns: Semaphore::new(CONCURRENT),
        }
    }

    /// Hashes a new password (argon2id, RFC 9106, the parameters OWASP recommends) with a random salt.
    pub(crate) async fn hash(&self, password: Secret) -> String {
        self.run(move || hash(&password)).await.unwrap_or_default()
    }

    /// Whether `password` has the hash. Without one it takes as long and says no, so that nobody learns by the time
    /// it takes which users exist. `None` when too many are waiting.
    pub(crate) async fn verify(&self, password: Secret, hash: Option<String>) -> Option<bool> {
        let _place = self.places.try_acquire().ok()?;
        self.run(move || verify(&password, hash.as_deref())).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _turn = self.turns.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

/// An empty string when hashing fails (it cannot with these parameters): a hash that no password has.
fn hash(password: &Secret) -> String {
    Argon2::default()
        .hash_password(password.expose().as_bytes())
        .map(|hash| hash.to_string())
        .unwrap_or_default()
}

fn verify(password: &Secret, stored: Option<&str>) -> bool {
    let Some(stored) = stored else {
        hash(password);
        return false;
    };
    PasswordHash::new(stored).is_ok_and(|stored| {
        Argon2::default()
            .verify_password(password.expose().as_bytes(), &stored)
            .is_ok()
    })
}

/// The digest credentials of a user name and password (RFC 7616 section 3.4.2, both algorithms of RFC 8760).
pub(crate) fn ha1(user: &str, realm: &str, password: &Secret) -> Ha1 {
    let hex = |algorithm| {
        digest::Ha1::new(algorithm, user, realm, password)
            .hex()
            .expose()
            .to_owned()
    };
    Ha1 {
        realm: realm.to_owned(),
        md5: hex(Algorithm::Md5),
        sha256: hex(Algorithm::Sha256),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ha1_is_that_of_the_rfc() {
        // RFC 7616 section 3.9.1: user Mufasa, password "Circle of Life".
        let ha1 = ha1("Mufasa", "http-auth@example.org", &Secret::new("Circle of Life"));
        assert_eq!(ha1.md5, "3d78807defe7de2157e2b0b6573a855f");
        assert_eq!(
            ha1.sha256,
            "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
        );
    }

    #[tokio::test]
    async fn argon2_hashes_are_salted_and_verify() {
        let (checker, secret) = (PasswordChecker::new(), Secret::new("open sesame"));
        let (one, two) = (
            checker.hash(secret.clone()).await,
            checker.hash(secret.clone()).await,
        );
        assert!(one.starts_with("$argon2id$") && one != two);
        assert_eq!(checker.verify(secret.clone(), Some(one)).await, Some(true));
        assert_eq!(checker.verify(Secret::new("x"), Some(two)).await, Some(false));
        assert_eq!(checker.verify(secret.clone(), None).await, Some(false));
        assert_eq!(checker.verify(secret, Some(String::new())).await, Some(false));
    }
}
