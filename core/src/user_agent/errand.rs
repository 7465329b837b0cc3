//! Calls that the far ends of others have asked for (REFER, `call/referee.rs`).

use super::UserAgent;
use super::target::parse_target;
use crate::call::{Call, Errand};
use crate::id::CallId;

impl UserAgent {
    /// Calls are made that far ends have asked for, and these are told how they stand.
    pub(super) fn run_errands(&mut self) -> bool {
        let mut has_moved = false;
        let wanted = self
            .calls
            .values()
            .filter_map(|call| Some((call.id(), call.open_errand()?)));
        for (id, errand) in wanted.collect::<Vec<_>>() {
            has_moved |= self.run_errand(id, errand);
        }
        let under_way = self
            .calls
            .values()
            .filter_map(|call| Some((call.id(), call.errand_call()?)));
        for (id, other) in under_way.collect::<Vec<_>>() {
            let info = self.calls.get(&other).map(|call| call.info.clone());
            if let Some(call) = self.calls.get_mut(&id) {
                has_moved |= call.errand_stands(&mut self.endpoint, info.as_ref());
            }
        }
        has_moved
    }

    /// `false` if it has to wait for a connection.
    fn run_errand(&mut self, first: CallId, errand: Errand) -> bool {
        if !self.endpoint.is_connected() {
            return false;
        }
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        // A telephone number is called as if it had been dialled.
        let target = parse_target(errand.target.as_str(), domain);
        let (Some(target), true, None) = (target, self.has_room(), self.stopping) else {
            self.with_call(first, |call, endpoint| call.conclude_errand(endpoint, 486));
            return true;
        };
        let Some(info) = self.calls.get(&first).map(|call| call.info.clone()) else {
            return false;
        };
        let id = self.new_call_id();
        let call = Call::referred(&mut self.endpoint, id, target.uri, &info, errand);
        self.calls.insert(id, call);
        if let Some(tones) = target.post_dial {
            self.post_dial.insert(id, tones);
        }
        self.with_call(first, |call, endpoint| call.errand_begun(endpoint, id));
        true
    }
}
