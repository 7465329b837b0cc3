//! What one address may hold and how fast it may take more, so that nobody else is kept out by it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clearline_core::{Instant, Rate, RateLimit};

/// Addresses remembered at the same time. One is forgotten when it holds nothing and has been quiet; should so many be
/// busy, others wait.
const MAX_ADDRESSES: usize = 20_000;

/// Shares that are counted per address: of places for connections, for example. Loopback is not counted, for programs of
/// this machine have other ways to harm it; a reverse proxy there that names its clients (`--public-url`) speaks for their
/// addresses.
#[derive(Clone)]
pub(crate) struct PerAddress {
    /// How many shares an address may have at the same time.
    at_once: usize,
    /// How often it may take one.
    rate: Rate,
    epoch: tokio::time::Instant,
    holders: Holders,
}

type Holders = Arc<Mutex<BTreeMap<IpAddr, Holder>>>;

struct Holder {
    shares: usize,
    taken: RateLimit,
}

/// Why an address gets no further share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// It has all it may have.
    TooMany,
    /// It takes them too fast; how long to wait.
    TooFast(Duration),
}

/// One share of an address, until it is dropped.
pub(crate) struct Share {
    /// `None` where nothing is counted.
    of: Option<(IpAddr, Holders)>,
}

impl PerAddress {
    /// Nobody has anything.
    pub(crate) fn new(at_once: usize, rate: Rate) -> Self {
        Self {
            at_once,
            rate,
            epoch: tokio::time::Instant::now(),
            holders: Arc::default(),
        }
    }

    /// Takes a share for `address`.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Share, Crowded> {
        self.take_at(Instant::ZERO + self.epoch.elapsed(), address)
    }

    fn take_at(&self, now: Instant, address: IpAddr) -> Result<Share, Crowded> {
        let address = network(address);
        if address.is_loopback() {
            return Ok(Share { of: None });
        }
        let mut holders = lock(&self.holders);
        if holders.len() >= MAX_ADDRESSES && !holders.contains_key(&address) {
            holders.retain(|_, holder| holder.shares > 0 || !holder.taken.is_settled(now));
            if holders.len() >= MAX_ADDRESSES {
                return Err(Crowded::TooMany);
            }
        }
        let holder = holders.entry(address).or_insert(Holder {
            shares: 0,
            taken: RateLimit::new(self.rate),
        });
        if holder.shares >= self.at_once {
            return Err(Crowded::TooMany);
        }
        if !holder.taken.allows(now) {
            return Err(Crowded::TooFast(holder.taken.open_at() - now));
        }
        holder.shares += 1;
        Ok(Share {
            of: Some((address, Arc::clone(&self.holders))),
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((address, holders)) = &self.of else {
            return;
        };
        if let Some(holder) = lock(holders).get_mut(address) {
            holder.shares -= 1;
        }
    }
}

fn lock(holders: &Mutex<BTreeMap<IpAddr, Holder>>) -> MutexGuard<'_, BTreeMap<IpAddr, Holder>> {
    holders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address itself, or the /64 network of an IPv6 address, which is what one customer has at least (RFC 6177).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    match address {
        IpAddr::V6(of_network) if !address.is_loopback() => {
            Ipv6Addr::from_bits(of_network.to_bits() >> 64 << 64).into()
        }
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000_000 + millis)
    }

    #[test]
    fn an_address_has_so_many_shares_and_others_their_own() {
        let places = PerAddress::new(3, Rate::per_second(1_000, 1_000));
        let mut taken: Vec<_> = (0..3)
            .map(|_| places.take_at(at(0), HERE).ok().unwrap())
            .collect();
        assert_eq!(places.take_at(at(0), HERE).err(), Some(Crowded::TooMany));
        assert!(places.take_at(at(0), THERE).is_ok());
        taken.pop();
        assert!(
            places.take_at(at(0), HERE).is_ok(),
            "what is given back can be taken again"
        );
    }

    #[test]
    fn shares_are_taken_at_a_rate_even_if_they_are_given_back_at_once() {
        let places = PerAddress::new(100, Rate::per_second(10, 5));
        let take = |millis| places.take_at(at(millis), HERE).map(drop);
        assert!((0..5).all(|_| take(0).is_ok()));
        assert_eq!(take(0), Err(Crowded::TooFast(Duration::from_millis(100))));
        assert_eq!(take(60), Err(Crowded::TooFast(Duration::from_millis(40))));
        assert!(take(100).is_ok() && take(101).is_err());
        assert!(places.take_at(at(101), THERE).is_ok());
    }

    #[test]
    fn loopback_is_not_counted() {
        let places = PerAddress::new(1, Rate::per_second(1, 1));
        for address in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            let address: IpAddr = address.parse().unwrap();
            let taken: Vec<_> = (0..9).map(|_| places.take_at(at(0), address)).collect();
            assert!(taken.iter().all(Result::is_ok), "{address}");
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let places = PerAddress::new(2, Rate::per_second(100, 100));
        let take = |address: &str| places.take_at(at(0), address.parse().unwrap());
        let _kept = [take("2001:db8::1"), take("2001:db8::2")];
        assert_eq!(take("2001:db8::3").err(), Some(Crowded::TooMany));
        assert!(take("2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn addresses_are_forgotten_when_they_are_quiet() {
        let places = PerAddress::new(2, Rate::per_second(1, 1));
        let address =
            |number: usize| IpAddr::from((u32::try_from(number).unwrap() + 0x0a00_0000).to_be_bytes());
        let kept = places.take_at(at(0), address(0));
        for number in 1..MAX_ADDRESSES {
            assert!(places.take_at(at(0), address(number)).is_ok());
        }
        let another = address(MAX_ADDRESSES);
        assert_eq!(places.take_at(at(999), another).err(), Some(Crowded::TooMany));
        assert!(places.take_at(at(1_000), another).is_ok());
        assert_eq!(
            lock(&places.holders).len(),
            2,
            "who holds something, and the last"
        );
        drop(kept);
    }
}
