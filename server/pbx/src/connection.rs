//! What the platform remembers of one connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use clearline_core::{Duration, Instant, Rate, RateLimit, Sampler};

use crate::authentication::{CredentialId, NonceLog};
use crate::config::Limits;
use crate::flow::FlowId;
use crate::io::Transport;
use crate::user::UserId;

/// An open connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) peer: Option<SocketAddr>,
    /// Names the connection itself in routes, for clients without a binding.
    pub(crate) flow: FlowId,
    /// Nonces issued here that have been used.
    pub(crate) nonces: NonceLog,
    /// Requests from here that are being forwarded.
    pub(crate) forwarding: usize,
    trusted: BTreeMap<UserId, CredentialId>,
    messages: RateLimit,
    faults: RateLimit,
    authentication_failures: RateLimit,
    is_throttled: bool,
    /// Which of its faults are told.
    told: Sampler,
    /// Refused INVITEs that are remembered until their ACK comes.
    kept_refusals: RateLimit,
}

/// Faults of one connection that are told: ten, then one every ten seconds.
const TOLD: Rate = Rate {
    interval: Duration::from_secs(10),
    burst: 10,
};
/// As each is remembered for up to 32 s, a connection never has more than about fifty, and cannot fill the memory by
/// being refused.
const KEPT_REFUSALS: Rate = Rate::per_second(1, 16);

/// What the message rate says about one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// Over the limit for the first time since it was within.
    Excess,
    /// Over the limit again.
    FurtherExcess,
}

impl Connection {
    pub(crate) fn new(transport: Transport, peer: Option<SocketAddr>, flow: FlowId, limits: &Limits) -> Self {
        Self {
            transport,
            peer,
            flow,
            nonces: NonceLog::default(),
            forwarding: 0,
            trusted: BTreeMap::new(),
            messages: RateLimit::new(limits.messages),
            faults: RateLimit::new(limits.faults),
            authentication_failures: RateLimit::new(limits.authentication_failures),
            is_throttled: false,
            told: Sampler::new(TOLD),
            kept_refusals: RateLimit::new(KEPT_REFUSALS),
        }
    }

    /// Counts a message that came in.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        let was_throttled = self.is_throttled;
        self.is_throttled = !self.messages.allows(now);
        match (was_throttled, self.is_throttled) {
            (_, false) => Admission::Admitted,
            (false, true) => Admission::Excess,
            (true, true) => Admission::FurtherExcess,
        }
    }

    /// Counts a malformed or excess message; `false` when it was one too many.
    pub(crate) fn tolerates_fault(&mut self, now: Instant) -> bool {
        self.faults.allows(now)
    }

    /// One more fault: `None` if it is not to be told, else how many were left out.
    pub(crate) fn tell(&mut self, now: Instant) -> Option<u32> {
        self.told.take(now)
    }

    /// Whether one more refused INVITE is remembered.
    pub(crate) fn keeps_refusal(&mut self, now: Instant) -> bool {
        self.kept_refusals.allows(now)
    }

    /// Counts a wrong password; `false` when it was one too many.
    pub(crate) fn tolerates_authentication_failure(&mut self, now: Instant) -> bool {
        self.authentication_failures.allows(now)
    }

    /// `user` has shown `credential` here. Ignored when `limit` users have done so.
    pub(crate) fn trust(&mut self, user: &UserId, credential: CredentialId, limit: usize) {
        if self.trusted.len() < limit || self.trusted.contains_key(user) {
            self.trusted.insert(user.clone(), credential);
        }
    }

    /// Whether `user` has shown credentials here that are still valid.
    pub(crate) fn trusts(&self, user: &UserId) -> bool {
        self.trusted.contains_key(user)
    }

    /// Whether anybody has shown credentials here that are still valid.
    pub(crate) fn is_trusted(&self) -> bool {
        !self.trusted.is_empty()
    }

    /// Forgets those who are trusted because of a credential that is no longer valid.
    pub(crate) fn distrust(&mut self, is_valid: impl Fn(&UserId, CredentialId) -> bool) {
        self.trusted
            .retain(|user, credential| is_valid(user, *credential));
    }
}
