//! Slows down those who guess passwords: token buckets per account and address, and per address over all accounts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::per_address::network;

/// How many buckets are kept. When they are all in use, the one touched longest ago is forgotten.
const MAX_BUCKETS: usize = 20_000;

/// Five wrong passwords at once for one account from one address, then one every 20 s.
const PER_ACCOUNT: Limit = Limit {
    burst: 5,
    refill: Duration::from_secs(20),
};

/// Fifty wrong passwords at once from one address (an office behind one router), then one every 5 s.
const PER_ADDRESS: Limit = Limit {
    burst: 50,
    refill: Duration::from_secs(5),
};

#[derive(Clone, Copy)]
struct Limit {
    burst: u32,
    refill: Duration,
}

impl Limit {
    fn full_after(self) -> Duration {
        self.refill * self.burst
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Account(String, IpAddr),
    Address(IpAddr),
}

impl Key {
    fn limit(&self) -> Limit {
        match self {
            Self::Account(..) => PER_ACCOUNT,
            Self::Address(_) => PER_ADDRESS,
        }
    }
}

/// Counts attempts to sign in. An attempt costs a token when it starts; a right password gives it back.
#[derive(Default)]
pub(crate) struct SignInLimiter {
    /// When each bucket will be full again: all there is to know of a token bucket.
    full_at: BTreeMap<Key, Instant>,
}

impl SignInLimiter {
    /// Takes a token for an attempt on `user` from `address`, or says how long to wait.
    pub(crate) fn attempt(&mut self, now: Instant, user: &str, address: IpAddr) -> Result<(), Duration> {
        let keys = keys(user, address);
        let wait = keys
            .iter()
            .map(|key| self.wait(now, key))
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        self.make_room(now);
        for key in keys {
            let refill = key.limit().refill;
            let full_at = self.full_at.entry(key).or_insert(now);
            *full_at = (*full_at).max(now) + refill;
        }
        Ok(())
    }

    /// The password was right: gives the tokens of [`attempt`](Self::attempt) back, and those of earlier slips.
    pub(crate) fn succeeded(&mut self, user: &str, address: IpAddr) {
        for key in keys(user, address) {
            match key {
                Key::Account(..) => {
                    self.full_at.remove(&key);
                }
                Key::Address(_) => {
                    if let Some(full_at) = self.full_at.get_mut(&key) {
                        *full_at = full_at.checked_sub(PER_ADDRESS.refill).unwrap_or(*full_at);
                    }
                }
            }
        }
    }

    /// How long until the bucket holds a token.
    fn wait(&self, now: Instant, key: &Key) -> Duration {
        let Some(full_at) = self.full_at.get(key) else {
            return Duration::ZERO;
        };
        let limit = key.limit();
        let missing = full_at.saturating_duration_since(now);
        (missing + limit.refill).saturating_sub(limit.full_after())
    }

    fn make_room(&mut self, now: Instant) {
        if self.full_at.len() + 2 <= MAX_BUCKETS {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        while self.full_at.len() + 2 > MAX_BUCKETS {
            let Some(oldest) = self
                .full_at
                .iter()
                .min_by_key(|(_, at)| **at)
                .map(|(key, _)| key.clone())
            else {
                return;
            };
            self.full_at.remove(&oldest);
        }
    }
}

fn keys(user: &str, address: IpAddr) -> [Key; 2] {
    let network = network(address);
    [Key::Account(user.to_owned(), network), Key::Address(network)]
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn five_slips_then_one_every_twenty_seconds() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        for _ in 0..5 {
            assert_eq!(limiter.attempt(start, "alice", HERE), Ok(()));
        }
        assert_eq!(
            limiter.attempt(start, "alice", HERE),
            Err(Duration::from_secs(20))
        );
        let later = start + Duration::from_secs(20);
        assert_eq!(limiter.attempt(later, "alice", HERE), Ok(()));
        assert_eq!(
            limiter.attempt(later, "alice", HERE),
            Err(Duration::from_secs(20))
        );
    }

    #[test]
    fn others_are_not_locked_out() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        while limiter.attempt(start, "alice", HERE).is_ok() {}
        assert_eq!(limiter.attempt(start, "alice", THERE), Ok(()));
        assert_eq!(limiter.attempt(start, "bob", HERE), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_many_accounts() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        let tried = (0..1_000)
            .take_while(|i| limiter.attempt(start, &format!("user{i}"), HERE).is_ok())
            .count();
        assert_eq!(tried, 50);
    }

    #[test]
    fn a_right_password_clears_the_account() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        for _ in 0..1_000 {
            assert_eq!(limiter.attempt(start, "alice", HERE), Ok(()));
            limiter.succeeded("alice", HERE);
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        let address = |i: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, i));
        assert_eq!(
            (0..100)
                .take_while(|i| limiter.attempt(start, "alice", address(*i)).is_ok())
                .count(),
            5
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (mut limiter, start) = (SignInLimiter::default(), Instant::now());
        for i in 0..(MAX_BUCKETS as u32 / 2 + 100) {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(i));
            assert_eq!(
                limiter.attempt(start + Duration::from_millis(i.into()), "alice", address),
                Ok(())
            );
        }
        assert!(limiter.full_at.len() <= MAX_BUCKETS);
    }
}
