//! Who may open a WebSocket: so many in all, so many for one address, and fewer for those who have not signed in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use clearline_core::Rate;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::options::ConnectionLimits;
use crate::per_address::{Crowded, PerAddress, Share};

/// WebSockets at the same time.
const MAX_CONNECTIONS: u32 = 8_192;
/// Those of them on which nobody has signed in yet, in all and from one address: an office that comes back at once, but
/// not whoever only wants to be in the way.
const MAX_STRANGERS: u32 = 2_048;
const MAX_STRANGERS_PER_ADDRESS: usize = 512;
/// Strangers sign in or are gone soon.
const STRANGERS_RETRY_AFTER: Duration = Duration::from_secs(2);
/// For what is counted but may come as fast as it likes.
const ANY_RATE: Rate = Rate {
    interval: Duration::ZERO,
    burst: 1,
};

/// Counts the open WebSockets.
#[derive(Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    per_address: PerAddress,
    strangers_per_address: PerAddress,
}

/// The right to have a WebSocket, until it is dropped.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: Share,
    as_stranger: Option<(OwnedSemaphorePermit, Share)>,
}

impl Places {
    /// With all places free.
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        // A whole office may come back at once.
        let rate = Rate::per_second(limits.new_per_second, limits.per_address);
        Self {
            all: Arc::new(Semaphore::new(MAX_CONNECTIONS as usize)),
            strangers: Arc::new(Semaphore::new(MAX_STRANGERS as usize)),
            per_address: PerAddress::new(limits.per_address as usize, rate),
            strangers_per_address: PerAddress::new(MAX_STRANGERS_PER_ADDRESS, ANY_RATE),
        }
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        MAX_CONNECTIONS as usize - self.all.available_permits()
    }

    /// Waits until all are free.
    pub(crate) async fn all_free(&self) {
        drop(self.all.acquire_many(MAX_CONNECTIONS).await);
    }

    /// A place for somebody at `address`, who is a stranger at first.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Crowded> {
        let of_all = Arc::clone(&self.all)
            .try_acquire_owned()
            .map_err(|_| Crowded::TooMany)?;
        let wait = |_| Crowded::TooFast(STRANGERS_RETRY_AFTER);
        let stranger = Arc::clone(&self.strangers)
            .try_acquire_owned()
            .map_err(|_| wait(()))?;
        let stranger_of_address = self.strangers_per_address.take(address).map_err(|_| wait(()))?;
        Ok(Place {
            _of_all: of_all,
            _of_address: self.per_address.take(address)?,
            as_stranger: Some((stranger, stranger_of_address)),
        })
    }
}

impl Place {
    /// Somebody has signed in there: it is no stranger's any more.
    pub(super) fn signed_in(&mut self) {
        self.as_stranger = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn places() -> Places {
        Places::new(ConnectionLimits::default())
    }

    /// As many as can be had at once, each signed in before the next comes.
    fn signed_in(places: &Places, address: IpAddr) -> Vec<Place> {
        let mut taken = Vec::new();
        while let Ok(mut place) = places.take(address) {
            place.signed_in();
            taken.push(place);
        }
        taken
    }

    #[test]
    fn an_office_of_five_hundred_comes_back_at_once() {
        let places = places();
        let office: Vec<_> = (0..500).map(|_| places.take(HERE)).collect();
        assert!(office.iter().all(Result::is_ok));
        drop(office);
        assert_eq!(places.count(), 0);
        let again: Vec<_> = (0..500).map(|_| places.take(HERE)).collect();
        assert!(again.iter().all(Result::is_ok), "and once more");
    }

    #[test]
    fn one_address_has_a_limited_number_of_places() {
        let places = places();
        let taken = signed_in(&places, HERE);
        assert_eq!(taken.len(), ConnectionLimits::default().per_address as usize);
        assert_eq!(places.count(), taken.len());
        assert!(places.take(THERE).is_ok());
    }

    #[test]
    fn strangers_have_fewer_places() {
        let places = places();
        let mut taken: Vec<_> = std::iter::from_fn(|| places.take(HERE).ok()).collect();
        assert_eq!(taken.len(), MAX_STRANGERS_PER_ADDRESS);
        assert_eq!(
            places.take(HERE).err(),
            Some(Crowded::TooFast(STRANGERS_RETRY_AFTER))
        );
        taken[0].signed_in();
        assert!(places.take(HERE).is_ok());
    }

    #[test]
    fn strangers_of_all_addresses_leave_places_for_others() {
        let places = places();
        let address = |number: u8| IpAddr::from([198, 51, 100, number]);
        let taken: Vec<_> = (0..=u8::MAX)
            .flat_map(|number| (0..16).map(move |_| number))
            .filter_map(|number| places.take(address(number)).ok())
            .collect();
        assert_eq!(taken.len(), MAX_STRANGERS as usize);
        assert!(places.count() < MAX_CONNECTIONS as usize / 2);
        drop(taken);
        assert!(places.take(HERE).is_ok());
    }

    #[test]
    fn new_ones_come_at_a_rate() {
        let places = Places::new(ConnectionLimits {
            per_address: 10,
            new_per_second: 1,
        });
        let opened = (0..100).filter(|_| places.take(HERE).is_ok()).count();
        assert!(
            (10..15).contains(&opened),
            "{opened}: ten at once, and what a slow machine makes of a second each"
        );
        assert!(matches!(
            places.take(HERE).err(),
            None | Some(Crowded::TooFast(_))
        ));
        assert!(places.take(THERE).is_ok());
    }
}
