//! The list of servers (RFC 3263 section 4.3, in the order RFC 2782 gives): which one is tried next, and which is left
//! alone for a while.
//!
//! Servers of one priority share the load: one of them is drawn. A server that fails is avoided, longer each time, so
//! that the next one is tried at once; only when every server is avoided does the back-off of the connection decide.

use crate::config::Server;
use crate::endpoint::Endpoint;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// A server that has failed is avoided for this long, twice as long after the next failure ...
const FIRST_PENALTY: Duration = Duration::from_secs(30);
/// ... and at most for this long.
const LONGEST_PENALTY: Duration = Duration::from_secs(600);
/// No server can ask to be left alone for longer (Retry-After).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// A server's place in the configured list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerIndex(usize);

/// The configured servers and what is known of them. All flows of the agent share it.
#[derive(Clone, Debug)]
pub(crate) struct Servers(Vec<Known>);

#[derive(Clone, Debug)]
struct Known {
    server: Server,
    /// The flows that use it, by reg-id. No two flows use the same server: they would fail together.
    used_by: Vec<u32>,
    failures: u32,
    avoid: Avoid,
}

/// ```text
///    +--- worked, forgiven, or the time is up ---+
///    v                                           |
///   No --- failed ---> Until (our own pause) ----+
///    ^ \-- 503 with Retry-After --> Asked -------+ (not forgiven)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Avoid {
    No,
    /// It failed; when nothing else is left it is tried all the same.
    Until(Instant),
    /// It asked to be left alone (RFC 3261 section 21.5.4).
    Asked(Instant),
}

impl Servers {
    pub(crate) fn new(servers: &[Server]) -> Self {
        let known = |server: &Server| Known {
            server: server.clone(),
            used_by: Vec::new(),
            failures: 0,
            avoid: Avoid::No,
        };
        Self(servers.iter().map(known).collect())
    }

    pub(crate) fn url(&self, index: ServerIndex) -> Option<&str> {
        self.0.get(index.0).map(|known| known.server.url.as_str())
    }

    /// The server that the flow `reg_id` tries now: one of those with the best priority that are neither avoided nor used
    /// by another flow. `preferred` wins among equals, so that a device stays where it is known.
    pub(crate) fn choose(
        &self,
        now: Instant,
        rng: &mut Rng,
        reg_id: u32,
        preferred: Option<ServerIndex>,
    ) -> Option<ServerIndex> {
        let usable = || {
            self.0
                .iter()
                .enumerate()
                .filter(|(_, known)| known.is_usable(now, reg_id))
        };
        let best = usable().map(|(_, known)| known.server.priority).min()?;
        let group = usable().filter(|(_, known)| known.server.priority == best);
        let group: Vec<_> = group.map(|(index, _)| ServerIndex(index)).collect();
        if let Some(preferred) = preferred.filter(|index| group.contains(index)) {
            return Some(preferred);
        }
        let drawn = rng.next_u64() % u64::try_from(group.len()).ok()?;
        group.get(usize::try_from(drawn).ok()?).copied()
    }

    /// Whether the flow `reg_id` has a server to try now.
    pub(crate) fn is_any_usable(&self, now: Instant, reg_id: u32) -> bool {
        self.0.iter().any(|known| known.is_usable(now, reg_id))
    }

    /// The flow `reg_id` uses these servers, and no others.
    pub(crate) fn set_used(&mut self, reg_id: u32, used: impl Iterator<Item = ServerIndex>) {
        for known in &mut self.0 {
            known.used_by.retain(|user| *user != reg_id);
        }
        for index in used {
            if let Some(known) = self.0.get_mut(index.0) {
                known.used_by.push(reg_id);
            }
        }
    }

    /// The server did what was asked of it.
    pub(crate) fn worked(&mut self, index: ServerIndex) {
        if let Some(known) = self.0.get_mut(index.0) {
            known.failures = 0;
            known.avoid = Avoid::No;
        }
    }

    /// The server could not be reached, did not answer, or refused to serve (503); `retry_after` is what it asked for.
    pub(crate) fn failed(
        &mut self,
        endpoint: &mut Endpoint,
        index: ServerIndex,
        retry_after: Option<Duration>,
    ) {
        let Some(known) = self.0.get_mut(index.0) else {
            return;
        };
        let longest = FIRST_PENALTY.saturating_mul(1 << known.failures.min(8));
        let longest = longest.min(LONGEST_PENALTY);
        let penalty = endpoint.rng.between(longest / 2, longest);
        known.failures = known.failures.saturating_add(1);
        known.avoid = match retry_after {
            // What is asked of all devices at once is spread over some time.
            Some(asked) => {
                let asked = asked.min(LONGEST_RETRY_AFTER);
                Avoid::Asked(endpoint.now + endpoint.rng.between(asked, asked * 6 / 5))
            }
            None => Avoid::Until(endpoint.now + penalty),
        };
    }

    /// Everything has been tried, or the network is another one: what failed is tried again, but for those who asked to
    /// be left alone.
    pub(crate) fn forgive(&mut self) {
        for known in &mut self.0 {
            if matches!(known.avoid, Avoid::Until(_)) {
                known.avoid = Avoid::No;
            }
        }
    }

    /// The first moment at which a server that may be asked at all can be tried again, if all have asked to be left
    /// alone.
    pub(crate) fn earliest(&self, now: Instant) -> Option<Instant> {
        let asked = |known: &Known| match known.avoid {
            Avoid::Asked(at) if at > now => Some(at),
            Avoid::No | Avoid::Until(_) | Avoid::Asked(_) => None,
        };
        let asked: Option<Vec<_>> = self.0.iter().map(asked).collect();
        asked?.into_iter().min()
    }
}

impl Known {
    fn is_usable(&self, now: Instant, reg_id: u32) -> bool {
        !self.is_avoided(now) && self.used_by.iter().all(|user| *user == reg_id)
    }

    fn is_avoided(&self, now: Instant) -> bool {
        match self.avoid {
            Avoid::No => false,
            Avoid::Until(at) | Avoid::Asked(at) => at > now,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Config;
    use crate::sip::UriBuf;

    fn endpoint() -> Endpoint {
        let address = UriBuf::parse("sip:alice@example.com").unwrap();
        let mut endpoint = Endpoint::new(Config::new(address, "wss://a", "urn:uuid:1"), [1; 32]);
        endpoint.now = Instant::from_secs(1_000);
        endpoint
    }

    fn servers(list: &[(&str, u16)]) -> Servers {
        let server = |(url, priority): &(&str, u16)| Server::new(*url).priority(*priority);
        Servers::new(&list.iter().map(server).collect::<Vec<_>>())
    }

    fn choose(servers: &Servers, endpoint: &mut Endpoint) -> Option<String> {
        let index = servers.choose(endpoint.now, &mut endpoint.rng, 1, None)?;
        servers.url(index).map(str::to_owned)
    }

    #[test]
    fn equals_share_the_load_and_lower_numbers_come_first() {
        let servers = servers(&[("wss://c", 2), ("wss://a", 1), ("wss://b", 1)]);
        let mut endpoint = endpoint();
        let drawn: Vec<_> = (0..200).filter_map(|_| choose(&servers, &mut endpoint)).collect();
        let count = |url: &str| drawn.iter().filter(|drawn| *drawn == url).count();
        assert_eq!(count("wss://c"), 0);
        assert!(
            count("wss://a") > 60 && count("wss://b") > 60,
            "{}",
            count("wss://a")
        );
    }

    #[test]
    fn a_failed_server_is_avoided_for_a_while_and_longer_the_next_time() {
        let mut servers = servers(&[("wss://a", 1), ("wss://b", 2)]);
        let mut endpoint = endpoint();
        servers.failed(&mut endpoint, ServerIndex(0), None);
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://b"));
        endpoint.now += FIRST_PENALTY;
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://a"));
        for _ in 0..12 {
            servers.failed(&mut endpoint, ServerIndex(0), None);
        }
        endpoint.now += LONGEST_PENALTY / 2 - Duration::from_secs(1);
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://b"));
        endpoint.now += LONGEST_PENALTY;
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://a"));
    }

    #[test]
    fn two_flows_use_two_servers() {
        let mut servers = servers(&[("wss://a", 1), ("wss://b", 2)]);
        let mut endpoint = endpoint();
        servers.set_used(2, [ServerIndex(0)].into_iter());
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://b"));
        servers.set_used(2, [ServerIndex(1)].into_iter());
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://a"));
        servers.set_used(1, [ServerIndex(0)].into_iter());
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://a"));
        assert!(!servers.is_any_usable(endpoint.now, 3));
    }

    #[test]
    fn who_asks_to_be_left_alone_is_not_forgiven() {
        let mut servers = servers(&[("wss://a", 1), ("wss://b", 1)]);
        let mut endpoint = endpoint();
        servers.failed(&mut endpoint, ServerIndex(0), Some(Duration::from_secs(100)));
        servers.failed(&mut endpoint, ServerIndex(1), None);
        assert_eq!(choose(&servers, &mut endpoint), None);
        assert_eq!(servers.earliest(endpoint.now), None);
        servers.forgive();
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://b"));
        servers.failed(&mut endpoint, ServerIndex(1), Some(Duration::from_secs(u64::MAX)));
        let earliest = servers.earliest(endpoint.now).unwrap() - endpoint.now;
        assert!(earliest >= Duration::from_secs(100) && earliest <= Duration::from_secs(120));
        servers.worked(ServerIndex(0));
        assert_eq!(choose(&servers, &mut endpoint).as_deref(), Some("wss://a"));
    }
}
