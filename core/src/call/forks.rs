//! Early dialogs at the caller: one per telephone the INVITE was forked to (RFC 3261 section 13.2.2.4).

use super::prack::{self, Provisional, ReliableOrder};
use super::{Dialog, Endpoint, Message, session_description};
use crate::id::CallId;

/// Early dialogs kept per call; a hostile platform could announce any number.
const MAX_FORKS: usize = 16;

/// The telephones that have been heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Forks(Vec<Fork>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Fork {
    pub(super) dialog: Dialog,
    order: ReliableOrder,
    /// It has answered the INVITE's offer in a reliable response: that stands (RFC 3262 section 5), and what later
    /// responses hold is not looked at.
    pub(super) settled: bool,
}

impl Forks {
    pub(super) fn own(&self, request: &Message) -> bool {
        self.0.iter().any(|fork| fork.dialog.matches(request))
    }

    pub(super) fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.0.iter().map(|fork| &fork.dialog)
    }

    pub(super) fn dialog_of(&mut self, message: &Message) -> Option<&mut Dialog> {
        let mut dialogs = self.0.iter_mut().map(|fork| &mut fork.dialog);
        dialogs.find(|dialog| dialog.has(message))
    }

    /// Takes note of a provisional response with a tag, and acknowledges it if it came reliably.
    pub(super) fn provisional(
        &mut self,
        endpoint: &mut Endpoint,
        call: CallId,
        invite: &Message,
        response: &Message,
    ) -> Provisional {
        let Ok(dialog) = Dialog::from_response(invite, response) else {
            return Provisional::Unreliable;
        };
        let Some(fork) = self.fork(dialog) else {
            return Provisional::Unreliable;
        };
        let Fork { dialog, order, .. } = fork;
        let provisional = prack::acknowledge(endpoint, call, dialog, order, invite, response);
        let answers = !invite.body().is_empty() && session_description(response).is_some();
        fork.settled |= provisional == Provisional::Reliable && answers;
        provisional
    }

    fn fork(&mut self, dialog: Dialog) -> Option<&mut Fork> {
        let known = self.0.iter().position(|fork| fork.is(dialog.remote_tag()));
        let at = match known {
            Some(at) => at,
            None if self.0.len() >= MAX_FORKS => return None,
            None => {
                self.0.push(Fork {
                    dialog,
                    order: ReliableOrder::default(),
                    settled: false,
                });
                self.0.len() - 1
            }
        };
        self.0.get_mut(at)
    }

    /// This fork has won, or is gone (RFC 6228).
    pub(super) fn take(&mut self, tag: &str) -> Option<Fork> {
        let at = self.0.iter().position(|fork| fork.is(tag))?;
        Some(self.0.swap_remove(at))
    }
}

impl Fork {
    fn is(&self, tag: &str) -> bool {
        self.dialog.remote_tag() == tag
    }
}
