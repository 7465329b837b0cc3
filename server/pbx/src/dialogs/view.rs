//! A dialog as one of its ends may see it (RFC 4235).

use clearline_core::Instant;
use clearline_core::dialog_info::{self, Direction, Participant, State, StateEvent};
use clearline_core::sip::UriBuf;

use super::{Dialog, DialogId, Name, Party, Role, Stage};
use crate::platform::Platform;
use crate::user::UserId;

impl Platform {
    /// All that `user` is told.
    pub(crate) fn dialogs_as_seen_by(&self, now: Instant, user: &UserId) -> Vec<dialog_info::Dialog> {
        let mut seen = Vec::new();
        for (id, dialog) in self.dialogs.of_user(user) {
            for role in dialog.roles_of(user) {
                seen.push(self.dialog_as_seen_by(now, id, dialog, role));
            }
        }
        seen
    }

    /// What the `role` end of a dialog is told of it.
    pub(crate) fn dialog_as_seen_by(
        &self,
        now: Instant,
        id: DialogId,
        dialog: &Dialog,
        role: Role,
    ) -> dialog_info::Dialog {
        let (own, other) = match role {
            Role::Caller => (&dialog.caller, &dialog.callee),
            Role::Callee => (&dialog.callee, &dialog.caller),
        };
        let direction = match role {
            Role::Caller => Direction::Initiator,
            Role::Callee => Direction::Recipient,
        };
        let duration = now.saturating_since(dialog.since).as_secs();
        dialog_info::Dialog {
            id: name_of(id, role),
            name: dialog.name.seen_by(role),
            direction: dialog.is_seen_from_start.then_some(direction),
            state: match dialog.stage {
                Stage::Early(_) => State::Early,
                Stage::Confirmed => State::Confirmed,
            },
            duration: Some(u32::try_from(duration).unwrap_or(u32::MAX)),
            replaces: dialog.replaces.as_ref().map(|name| name.seen_by(role)),
            device: own.device.clone(),
            local: self.own_end(own),
            remote: self.other_end(other),
            ..dialog_info::Dialog::default()
        }
    }

    /// The same when it is over: only what names it.
    pub(crate) fn ended_dialog_as_seen_by(
        id: DialogId,
        dialog: &Dialog,
        role: Role,
        event: StateEvent,
    ) -> dialog_info::Dialog {
        dialog_info::Dialog {
            id: name_of(id, role),
            name: dialog.name.seen_by(role),
            state: State::Terminated,
            event: Some(event),
            ..dialog_info::Dialog::default()
        }
    }

    fn own_end(&self, party: &Party) -> Participant {
        let instance = self.location.on_flow(party.flow);
        let instance = instance.and_then(|binding| binding.device.instance());
        let instance = instance.map(|instance| ("+sip.instance".to_owned(), format!("<{instance}>")));
        // Whoever goes on with a call in which the name is withheld has to know that.
        let identity = match party.is_private {
            true => anonymous(),
            false => self.identity_of(party),
        };
        Participant {
            target: party.contact.clone(),
            params: instance.into_iter().collect(),
            ..identity
        }
    }

    /// The far end, at an address that leads there: the device's own if it is one of ours, else all its user's devices,
    /// of which only the right one knows the dialog.
    fn other_end(&self, party: &Party) -> Participant {
        if party.is_private {
            return Participant {
                target: party.contact.clone(),
                ..anonymous()
            };
        }
        let mut participant = self.identity_of(party);
        participant.target = party.contact.clone().or_else(|| participant.identity.clone());
        participant
    }

    fn identity_of(&self, party: &Party) -> Participant {
        let user = self.users.find(&party.user);
        Participant {
            display_name: user.map(|user| user.display_name.clone()).unwrap_or_default(),
            identity: UriBuf::sip(party.user.as_str(), &self.config.domain)
                .ok()
                .map(|uri| uri.as_str().to_owned()),
            ..Participant::default()
        }
    }
}

impl Name {
    fn seen_by(&self, role: Role) -> dialog_info::DialogName {
        let (local, remote) = match role {
            Role::Caller => (&self.caller_tag, &self.callee_tag),
            Role::Callee => (&self.callee_tag, &self.caller_tag),
        };
        dialog_info::DialogName {
            call_id: Some(self.call_id.clone()),
            local_tag: Some(local.clone()),
            remote_tag: Some(remote.clone()),
        }
    }
}

/// RFC 3323 section 4.1.1.3.
fn anonymous() -> Participant {
    Participant {
        identity: Some("sip:anonymous@anonymous.invalid".to_owned()),
        ..Participant::default()
    }
}

/// Who calls one of their own devices is at both ends.
fn name_of(id: DialogId, role: Role) -> String {
    match role {
        Role::Caller => format!("{}-caller", id.0),
        Role::Callee => format!("{}-callee", id.0),
    }
}
