//! INVITEs across a restart of the agent: their calls are not kept, and the far end would ring on for a caller who is not
//! there. So what a snapshot keeps of them is their CANCEL, which is owed from then on.

use serde::{Deserialize, Serialize};

use super::{Endpoint, Purpose};
use crate::sip::Message;

/// A CANCEL that is owed, in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeptCancel(String);

impl Endpoint {
    /// What is owed, and what would be after a restart.
    pub(crate) fn kept_cancels(&self) -> Vec<KeptCancel> {
        let under_way = self
            .pending
            .iter()
            .filter(|(_, pending)| matches!(pending.purpose, Purpose::Invite(_)))
            .filter_map(|(id, _)| self.transactions.cancel_request(*id));
        let owed = self.lost_invites.iter().map(|(_, cancel)| cancel.clone());
        let all = owed.chain(under_way);
        all.filter_map(|cancel| std::str::from_utf8(cancel.as_bytes()).map(str::to_owned).ok())
            .map(KeptCancel)
            .collect()
    }

    /// From a snapshot.
    pub(crate) fn restore_cancels(&mut self, kept: Vec<KeptCancel>) {
        for KeptCancel(text) in kept {
            if let Ok(cancel) = Message::parse(text.into_bytes()) {
                self.lost_invites.push((self.now, cancel));
            }
        }
    }
}
