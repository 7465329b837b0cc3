//! The BYEs of calls that ended while there was no connection: the user is done with them at once, the far end hears of
//! it when there is a connection again, so that nobody is left alone in a call.

use serde::{Deserialize, Serialize};

use super::{Endpoint, Purpose};
use crate::dialog::Dialog;
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

    /// The far ends may be reached again.
    pub(crate) fn say_farewells(&mut self) {
        if !self.is_connected() {
            return;
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
        owed.map(|it| it.since + LIMIT).min()
    }

    /// Those that come too late are not sent any more.
    pub(crate) fn forget_farewells(&mut self) {
        let now = self.now;
        self.farewells
            .retain(|it| it.transaction.is_some() || it.since + LIMIT > now);
    }
}
