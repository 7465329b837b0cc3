//! Which dialogs the users are in, as far as the proxy sees: it stays on the path of each (RFC 3261 section 16.6 step 4),
//! so it sees INVITEs answered and BYEs pass. This is for showing only; nothing a dialog needs depends on it.
//!
//! ```text
//!   1xx with a tag --> Early --2xx--> Confirmed --BYE, 481 in it, the session timer,
//!                        |               ^  |     a device that is gone--> forgotten
//!    no 2xx: forgotten <-+               |  |
//!                                        +--+ 2xx in it: lives on; also makes it known again after a restart
//! ```
//!
//! `observe` is the part that watches the proxy.

mod observe;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::Instant;

use crate::flow::FlowId;
use crate::proxy::BranchId;
use crate::user::UserId;

/// Identifies a dialog that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialogId(u64);

/// What names a dialog, from the caller's view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) call_id: String,
    pub(crate) caller_tag: String,
    pub(crate) callee_tag: String,
}

/// The two ends of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Caller,
    Callee,
}

/// A dialog through the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) name: Name,
    pub(crate) caller: Party,
    pub(crate) callee: Party,
    pub(crate) stage: Stage,
    /// When it came into its stage.
    pub(crate) since: Instant,
    /// Who called is known: it was seen when it began.
    pub(crate) is_seen_from_start: bool,
    /// The dialog it was to take the place of (RFC 3891), as the header names it.
    pub(crate) replaces: Option<Name>,
    /// Another has been accepted in its place; its BYE is due.
    pub(crate) is_replaced: bool,
}

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It rings there; ends with its branch.
    Early(BranchId),
    /// Answered.
    Confirmed,
}

/// One end of a dialog.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    /// Whose it is.
    pub(crate) user: UserId,
    /// Names the device.
    pub(crate) flow: FlowId,
    /// Its Contact, if others can reach it there.
    pub(crate) contact: Option<String>,
    /// What the device calls itself.
    pub(crate) device: Option<String>,
    /// It does not want to be known to the other end.
    pub(crate) is_private: bool,
}

/// All dialogs that are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialogs {
    last_id: u64,
    all: BTreeMap<DialogId, Dialog>,
    by_call_id: BTreeMap<String, BTreeSet<DialogId>>,
    by_branch: BTreeMap<BranchId, DialogId>,
    by_user: BTreeMap<UserId, BTreeSet<DialogId>>,
    by_flow: BTreeMap<FlowId, BTreeSet<DialogId>>,
}

impl Dialog {
    pub(crate) fn party(&self, role: Role) -> &Party {
        match role {
            Role::Caller => &self.caller,
            Role::Callee => &self.callee,
        }
    }

    fn users(&self) -> [&UserId; 2] {
        [&self.caller.user, &self.callee.user]
    }

    fn flows(&self) -> [FlowId; 2] {
        [self.caller.flow, self.callee.flow]
    }

    /// The ends that are `user`'s.
    pub(crate) fn roles_of(&self, user: &UserId) -> impl Iterator<Item = Role> {
        let roles = [Role::Caller, Role::Callee];
        roles.into_iter().filter(|role| self.party(*role).user == *user)
    }
}

impl Dialogs {
    /// Adds a dialog, unless one of its users has `limit` already.
    pub(crate) fn add(&mut self, dialog: Dialog, limit: usize) -> Option<DialogId> {
        if dialog.users().into_iter().any(|user| self.count(user) >= limit) {
            return None;
        }
        self.last_id += 1;
        let id = DialogId(self.last_id);
        for user in dialog.users() {
            self.by_user.entry(user.clone()).or_default().insert(id);
        }
        for flow in dialog.flows() {
            self.by_flow.entry(flow).or_default().insert(id);
        }
        let same_call = self.by_call_id.entry(dialog.name.call_id.clone());
        same_call.or_default().insert(id);
        if let Stage::Early(branch) = dialog.stage {
            self.by_branch.insert(branch, id);
        }
        self.all.insert(id, dialog);
        Some(id)
    }

    /// Forgets a dialog.
    pub(crate) fn remove(&mut self, id: DialogId) -> Option<Dialog> {
        let dialog = self.all.remove(&id)?;
        for user in dialog.users() {
            forget(&mut self.by_user, user, id);
        }
        for flow in dialog.flows() {
            forget(&mut self.by_flow, &flow, id);
        }
        forget(&mut self.by_call_id, &dialog.name.call_id, id);
        if let Stage::Early(branch) = dialog.stage {
            self.by_branch.remove(&branch);
        }
        Some(dialog)
    }

    /// An early dialog was answered.
    pub(crate) fn confirm(
        &mut self,
        id: DialogId,
        now: Instant,
        contact: Option<String>,
        device: Option<String>,
    ) {
        let Some(dialog) = self.all.get_mut(&id) else {
            return;
        };
        if let Stage::Early(branch) = std::mem::replace(&mut dialog.stage, Stage::Confirmed) {
            self.by_branch.remove(&branch);
        }
        dialog.since = now;
        dialog.callee.contact = contact;
        dialog.callee.device = device;
    }

    pub(crate) fn get(&self, id: DialogId) -> Option<&Dialog> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: DialogId) -> Option<&mut Dialog> {
        self.all.get_mut(&id)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn count(&self, user: &UserId) -> usize {
        self.by_user.get(user).map_or(0, BTreeSet::len)
    }

    /// The early dialog of a branch.
    pub(crate) fn of_branch(&self, branch: BranchId) -> Option<DialogId> {
        self.by_branch.get(&branch).copied()
    }

    /// The dialogs of a user, the oldest first.
    pub(crate) fn of_user(&self, user: &UserId) -> impl Iterator<Item = (DialogId, &Dialog)> {
        let ids = self.by_user.get(user).into_iter().flatten();
        ids.filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    /// The dialogs with an end on a device.
    pub(crate) fn on_flow(&self, flow: FlowId) -> Vec<DialogId> {
        self.by_flow.get(&flow).into_iter().flatten().copied().collect()
    }

    /// The dialog of this name, and which of its ends the name takes for the caller.
    pub(crate) fn find(&self, name: &Name) -> Option<(DialogId, Role)> {
        self.by_call_id.get(&name.call_id)?.iter().find_map(|id| {
            let known = &self.all.get(id)?.name;
            match () {
                () if known == name => Some((*id, Role::Caller)),
                () if known.callee_tag == name.caller_tag && known.caller_tag == name.callee_tag => {
                    Some((*id, Role::Callee))
                }
                () => None,
            }
        })
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<DialogId>>, key: &K, id: DialogId) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
