//! What survives a restart: the answered calls and the numbers that must not repeat.

use serde::{Deserialize, Serialize};

use super::UserAgent;
use super::focus::Gathering;
use super::platform::Lines;
use crate::call::{Call, Restored, UNSEEN_REQUESTS};
use crate::config::Config;
use crate::endpoint::{Endpoint, Farewell, KeptCancel};
use crate::registration::Numbers;
use crate::sip::UriBuf;
use crate::time::{Duration, Instant};

/// The present form of [`Snapshot`].
const VERSION: u32 = 5;
/// A call whose agent was away for longer is not worth restoring: the far end has hung up.
const LONGEST_ABSENCE: Duration = Duration::from_secs(60);

/// The state of an agent that a restart must not lose. It holds no secret, but it does hold dialog identifiers, with
/// which a call can be taken over: keep it where only the account's owner can read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    version: u32,
    taken_at: Instant,
    /// One for each flow.
    registrations: Vec<Numbers>,
    contact_host: String,
    contact_user: String,
    public_gruu: Option<UriBuf>,
    calls: Vec<Restored>,
    #[serde(default)]
    farewells: Vec<Farewell>,
    #[serde(default)]
    cancels: Vec<KeptCancel>,
    #[serde(default)]
    gathering: Option<Gathering>,
}

impl UserAgent {
    /// The state to be kept. Cheap; take it whenever a call is answered or ends, or a dialog has moved on.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let identity = &self.endpoint.identity;
        Snapshot {
            version: VERSION,
            taken_at: now,
            registrations: self.lines.numbers(),
            contact_host: identity.host.clone(),
            contact_user: identity.user.clone(),
            public_gruu: identity.public_gruu.clone(),
            calls: self
                .calls
                .values()
                .filter_map(|call| call.to_snapshot(self.hold_before(call.id())))
                .collect(),
            farewells: self.farewells_after_restart(now),
            cancels: self.endpoint.kept_cancels(),
            gathering: self.kept_gathering(),
        }
    }

    /// The far ends of calls that cannot be brought back are told so.
    fn farewells_after_restart(&self, now: Instant) -> Vec<Farewell> {
        let calls = self.calls.values();
        let owed = calls.filter_map(|call| call.farewell_after_restart(now));
        self.endpoint.farewells.iter().cloned().chain(owed).collect()
    }

    /// An agent that goes on where another stopped `asleep` ago. It has to be started; once registered, it brings each
    /// call back with new media and a re-INVITE.
    ///
    /// `seed` must be fresh: with the old one, tags and branches would repeat.
    pub fn restore(
        config: Config,
        snapshot: Snapshot,
        seed: [u8; 32],
        now: Instant,
        asleep: Duration,
    ) -> Self {
        let mut endpoint = Endpoint::new(config, seed);
        endpoint.now = now;
        if snapshot.version != VERSION {
            return Self::with_endpoint(endpoint);
        }
        endpoint.identity.host = snapshot.contact_host;
        endpoint.identity.user = snapshot.contact_user;
        endpoint.identity.public_gruu = snapshot.public_gruu;
        endpoint.start_numbers_at_random();
        let lines = Lines::restored(&mut endpoint, snapshot.registrations, asleep);
        let mut agent = Self::with_lines(endpoint, lines);
        // The clock may have another origin now: moments are moved by their age.
        let moved = |at: Instant| now.saturating_sub(snapshot.taken_at.saturating_since(at) + asleep);
        let farewells = snapshot.farewells.into_iter();
        agent.endpoint.farewells = farewells.map(|it| it.moved(moved, UNSEEN_REQUESTS)).collect();
        if asleep <= LONGEST_ABSENCE {
            agent.endpoint.restore_cancels(snapshot.cancels);
            for restored in snapshot.calls {
                let call = Call::restore(&mut agent.endpoint, restored, snapshot.taken_at, now, asleep);
                agent.calls.insert(call.id(), call);
            }
            agent.restore_conference();
            agent.restore_gathering(snapshot.gathering);
            agent.settle();
        }
        agent
    }
}
