//! The BYEs of calls that ended while there was no connection, and the CANCELs of those that were lost with it while they
//! rang: the user is done with them at once, the far end hears of it when there is a connection again. So nobody is left
//! alone in a call, and nothing rings for nobody.

use serde::{Deserialize, Serialize};

use super::{Endpoint, Purpose};
use crate::dialog::Dialog;
use crate::id::ConnectionId;
use crate::sip::{HeaderName, Method};
use crate::time::{Duration, Instant};
use crate::transaction::TransactionId;

/// A far end that has heard nothing for this long has hung up by itself.
const LIMIT: Duration = Duration::from_secs(300);
/// Calls whose far ends are remembered at once.
const MAX_OWED: usize = 16;

/// A BYE that is still to be sent, or to be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Farewell {
    dialog: Dialog,
    reason: Option<String>,
    since: Instant,
    /// It is on its way.
    #[serde(skip)]
    transaction: Option<TransactionId>,
}

impl Farewell {
    /// A BYE that is owed in `dialog`.
    pub(crate) fn new(dialog: Dialog, since: Instant) -> Self {
        Self {
            dialog,
            reason: None,
            since,
            transaction: None,
        }
    }

    /// The same after a restart, on a clock with another origin.
    pub(crate) fn moved(self, moved: impl Fn(Instant) -> Instant, unseen_requests: u32) -> Self {
        let mut dialog = self.dialog;
        dialog.skip_numbers(unseen_requests);
        Self {
            dialog,
            since: moved(self.since),
            ..self
        }
    }
}

impl Endpoint {
    /// The far end of `dialog` is to be told, when that is possible, that the call is over.
    pub(crate) fn owe_farewell(&mut self, dialog: Dialog, reason: Option<&str>) {
        if self.farewells.len() < MAX_OWED {
            self.farewells.push(Farewell {
                dialog,
                reason: reason.map(str::to_owned),
                since: self.now,
                transaction: None,
            });
        }
    }

    /// INVITEs that ring somewhere are about to be lost with `connection`.
    pub(crate) fn owe_cancels(&mut self, connection: ConnectionId) {
        let is_lost = |transaction| {
            let flow = self.transactions.flow(transaction);
            // Section 9.1 of RFC 3261: not before a provisional response.
            self.transactions.is_proceeding(transaction)
                && flow.is_some_and(|flow| flow.connection == connection)
        };
        let pending = self.pending.iter();
        let invites = pending.filter(|(_, pending)| matches!(pending.purpose, Purpose::Invite(_)));
        let lost = invites
            .map(|(transaction, _)| *transaction)
            .filter(|it| is_lost(*it));
        let cancels = lost.filter_map(|it| self.transactions.cancel_request(it));
        let cancels: Vec<_> = cancels.map(|cancel| (self.now, cancel)).collect();
        self.lost_invites.extend(cancels);
        self.lost_invites.truncate(MAX_OWED);
    }

    /// The far ends may be reached again.
    pub(crate) fn say_farewells(&mut self) {
        let Some(flow) = self.primary().and_then(|primary| self.flows.of(primary)) else {
            return;
        };
        for (_, cancel) in std::mem::take(&mut self.lost_invites) {
            // An INVITE is known by its branch, whatever way its CANCEL takes. What comes of it concerns nobody here.
            let _ = self.transmit(flow, Purpose::Cancel, cancel, 0);
        }
        let mut farewells = std::mem::take(&mut self.farewells);
        for farewell in farewells.iter_mut().filter(|it| it.transaction.is_none()) {
            let bye = farewell.dialog.request(Method::Bye);
            let bye = match &farewell.reason {
                Some(reason) => bye.header(HeaderName::Reason, reason),
                None => bye,
            };
            farewell.transaction = self.send(Purpose::Farewell, bye).ok();
        }
        self.farewells = farewells;
    }

    /// The number it gets when it is sent again with credentials; one after that must not get the same.
    pub(crate) fn number_for_farewell(&mut self, transaction: TransactionId) -> Option<u32> {
        let mut farewells = self.farewells.iter_mut();
        let farewell = farewells.find(|it| it.transaction == Some(transaction))?;
        Some(farewell.dialog.next_number())
    }

    /// It was sent again with credentials.
    pub(crate) fn farewell_resent(&mut self, old: TransactionId, new: TransactionId) {
        let mut farewells = self.farewells.iter_mut();
        if let Some(farewell) = farewells.find(|it| it.transaction == Some(old)) {
            farewell.transaction = Some(new);
        }
    }

    /// The far end has answered, or does not: nothing is left to be done.
    pub(crate) fn farewell_done(&mut self, transaction: TransactionId) {
        self.farewells.retain(|it| it.transaction != Some(transaction));
    }

    /// The connection broke before the far end could answer.
    pub(crate) fn farewell_lost(&mut self, transaction: TransactionId) {
        let mut farewells = self.farewells.iter_mut();
        if let Some(farewell) = farewells.find(|it| it.transaction == Some(transaction)) {
            farewell.transaction = None;
        }
    }

    /// When [`Self::forget_farewells`] has something to do.
    pub(crate) fn farewell_deadline(&self) -> Option<Instant> {
        let owed = self.farewells.iter().filter(|it| it.transaction.is_none());
        let lost = self.lost_invites.iter().map(|(since, _)| *since);
        let since = owed.map(|it| it.since).chain(lost);
        since.min().map(|since| since + LIMIT)
    }

    /// Those that come too late are not sent any more.
    pub(crate) fn forget_farewells(&mut self) {
        let now = self.now;
        self.farewells
            .retain(|it| it.transaction.is_some() || it.since + LIMIT > now);
        self.lost_invites.retain(|(since, _)| *since + LIMIT > now);
    }
}
