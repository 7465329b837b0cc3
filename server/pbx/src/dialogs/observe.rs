//! What the proxy sees of dialogs.

use clearline_core::dialog_info::StateEvent;
use clearline_core::sip::{HeaderName, Message, Method, Replaces};
use clearline_core::{Duration, Instant};

use super::{Dialog, DialogId, Name, Party, Role, Stage};
use crate::flow::FlowId;
use crate::platform::{Alarm, Platform};
use crate::proxy::{BranchId, Place};
use crate::user::UserId;

/// How long a dialog without a session timer (RFC 4028) is believed in.
const LONGEST_SILENCE: Duration = Duration::from_secs(12 * 3_600);
/// Longer identifiers are no telephone's.
const MAX_IDENTIFIER: usize = 256;
/// What is kept of the words in which a device describes itself.
const MAX_DEVICE: usize = 64;

impl Platform {
    /// A device has answered a forwarded request.
    pub(crate) fn observe_response(&mut self, now: Instant, branch: BranchId, response: &Message) {
        let Some(context) = self.proxy.context(branch) else {
            return;
        };
        // What is repeated may be about a dialog that is over by now.
        if self.proxy.is_accepted(branch) {
            return;
        }
        if !is_of_same_call(&context.request, response) {
            return;
        }
        let (is_invite, place) = (context.is_invite(), context.place.clone());
        match (place, response.status().unwrap_or(500)) {
            (Place::Outside(caller), 101..=199) if is_invite => {
                self.dialog_rings(now, branch, caller, response);
            }
            (Place::Outside(caller), 200..=299) if is_invite => {
                self.dialog_answered(now, branch, caller, response);
            }
            (Place::Inside { is_known }, 200..=299) => self.dialog_lives(now, branch, is_known, response),
            // RFC 5057 section 5.1: the far end knows it no more.
            (Place::Inside { .. }, 481) => self.dialog_lost(now, response),
            _ => {}
        }
    }

    /// A branch has ended without an answer.
    pub(crate) fn observe_failure(&mut self, now: Instant, branch: BranchId, status: u16) {
        let event = match status {
            487 => StateEvent::Cancelled,
            408 => StateEvent::Timeout,
            _ => StateEvent::Rejected,
        };
        if let Some(id) = self.dialogs.of_branch(branch) {
            self.dialog_over(now, id, |_| event);
        }
    }

    /// Whether the dialog of a request or response is known.
    pub(crate) fn knows_dialog_of(&self, message: &Message) -> bool {
        self.dialog_of(message).is_some()
    }

    fn dialog_of(&self, message: &Message) -> Option<(DialogId, Role)> {
        self.dialogs.find(&name_of(message)?)
    }

    /// A request within a dialog passes. Whoever sends BYE is no longer in it, whatever becomes of that (RFC 3261 section
    /// 15.1.1).
    pub(crate) fn observe_request(&mut self, now: Instant, request: &Message) {
        let known = self
            .dialog_of(request)
            .filter(|_| request.method() == Method::Bye);
        let Some((id, sender)) = known else { return };
        let is_replaced = self.dialogs.get(id).is_some_and(|dialog| dialog.is_replaced);
        self.dialog_over(now, id, |viewer| match () {
            () if is_replaced => StateEvent::Replaced,
            () if viewer == sender => StateEvent::LocalBye,
            () => StateEvent::RemoteBye,
        });
    }

    /// A device is gone for good, and its dialogs with it.
    pub(crate) fn observe_loss(&mut self, now: Instant, flow: FlowId) {
        for id in self.dialogs.on_flow(flow) {
            self.dialog_over(now, id, |_| StateEvent::Error);
        }
    }

    /// Nothing has been heard of a dialog for as long as its session timer allows.
    pub(crate) fn dialog_silent(&mut self, now: Instant, id: DialogId) {
        self.dialog_over(now, id, |_| StateEvent::Timeout);
    }

    fn dialog_rings(&mut self, now: Instant, branch: BranchId, caller: UserId, response: &Message) {
        let known = self.dialogs.of_branch(branch);
        if known.is_none()
            && let Some(dialog) = self.new_dialog(now, branch, caller, response, Stage::Early(branch))
        {
            self.add_dialog(now, dialog);
        }
    }

    fn dialog_answered(&mut self, now: Instant, branch: BranchId, caller: UserId, response: &Message) {
        let Some(dialog) = self.new_dialog(now, branch, caller, response, Stage::Confirmed) else {
            return;
        };
        let early = self.dialogs.of_branch(branch);
        let is_this = |id: &DialogId| {
            self.dialogs
                .get(*id)
                .is_some_and(|early| early.name == dialog.name)
        };
        let known = early.filter(is_this);
        if known.is_none() && self.dialogs.find(&dialog.name).is_some() {
            // The name of another call: nobody answers in its place.
            return;
        }
        if let Some(early) = early.filter(|_| known.is_none()) {
            // Another of the device's own forks has answered.
            self.dialog_over(now, early, |_| StateEvent::Rejected);
        }
        let replaced = dialog.replaces.as_ref();
        let replaced = replaced.and_then(|name| self.dialogs.find(name));
        if let Some(replaced) = replaced.and_then(|(id, _)| self.dialogs.get_mut(id)) {
            replaced.is_replaced = true;
        }
        let id = match known {
            Some(id) => {
                let Party { contact, device, .. } = dialog.callee;
                self.dialogs.confirm(id, now, contact, device);
                self.dialog_changed(now, id);
                Some(id)
            }
            None => self.add_dialog(now, dialog),
        };
        if let Some(id) = id {
            self.watch_session(now, id, response);
        }
    }

    /// A request within a dialog was answered. One that was not known before is so from here on: the platform has been
    /// started again.
    fn dialog_lives(&mut self, now: Instant, branch: BranchId, is_known: bool, response: &Message) {
        let is_invite = response.method() == Method::Invite;
        let id = match self.dialog_of(response) {
            Some((id, _)) => Some(id),
            None if is_known || !is_invite => None,
            None => self
                .rediscovered(now, branch, response)
                .and_then(|dialog| self.add_dialog(now, dialog)),
        };
        if let Some(id) = id.filter(|_| is_invite || response.session_expires().is_some()) {
            self.watch_session(now, id, response);
        }
    }

    fn dialog_lost(&mut self, now: Instant, response: &Message) {
        if let Some((id, _)) = self.dialog_of(response) {
            self.dialog_over(now, id, |_| StateEvent::Error);
        }
    }

    fn add_dialog(&mut self, now: Instant, dialog: Dialog) -> Option<DialogId> {
        let id = self.dialogs.add(dialog, self.config.limits.dialogs_per_user)?;
        self.dialog_changed(now, id);
        Some(id)
    }

    fn dialog_changed(&mut self, now: Instant, id: DialogId) {
        let Some(dialog) = self.dialogs.get(id).cloned() else {
            return;
        };
        for role in [Role::Caller, Role::Callee] {
            let seen = self.dialog_as_seen_by(now, id, &dialog, role);
            self.tell_watchers(now, &dialog.party(role).user, seen);
        }
    }

    fn dialog_over(&mut self, now: Instant, id: DialogId, event: impl Fn(Role) -> StateEvent) {
        self.alarms.clear(Alarm::Dialog(id));
        let Some(dialog) = self.dialogs.remove(id) else {
            return;
        };
        for role in [Role::Caller, Role::Callee] {
            let seen = Self::ended_dialog_as_seen_by(id, &dialog, role, event(role));
            self.tell_watchers(now, &dialog.party(role).user, seen);
        }
    }

    /// RFC 4028 section 10: without a refresh the session is over. Answers to INVITE that grant no interval end the timer.
    fn watch_session(&mut self, now: Instant, id: DialogId, response: &Message) {
        let interval = response.session_expires();
        let interval = interval.map_or(LONGEST_SILENCE, |it| Duration::from_secs(it.seconds.into()));
        self.alarms
            .set(Alarm::Dialog(id), now + interval.min(LONGEST_SILENCE));
    }

    fn new_dialog(
        &self,
        now: Instant,
        branch: BranchId,
        caller: UserId,
        response: &Message,
        stage: Stage,
    ) -> Option<Dialog> {
        let context = self.proxy.context(branch)?;
        let target = self.proxy.target(branch)?;
        let request = &context.request;
        Some(Dialog {
            name: name_of(response)?,
            caller: Party {
                user: caller,
                flow: context.upstream_flow,
                contact: self.public_contact(request),
                device: device(request),
                is_private: context.asserted_identity.is_none(),
            },
            callee: Party {
                user: target.user.clone()?,
                flow: target.flow,
                contact: self.public_contact(response),
                device: device(response),
                is_private: wants_privacy(response),
            },
            stage,
            since: now,
            is_seen_from_start: true,
            replaces: replaced(request),
            is_replaced: false,
        })
    }

    /// A dialog that began before the platform did. Who called is not known: whoever sent the request counts as the caller.
    fn rediscovered(&self, now: Instant, branch: BranchId, response: &Message) -> Option<Dialog> {
        let context = self.proxy.context(branch)?;
        let target = self.proxy.target(branch)?;
        let party = |flow| {
            let binding = self.location.on_flow(flow)?;
            Some(Party {
                user: binding.user.clone(),
                flow,
                contact: None,
                device: None,
                is_private: false,
            })
        };
        Some(Dialog {
            name: name_of(response)?,
            caller: party(context.upstream_flow)?,
            callee: party(target.flow)?,
            stage: Stage::Confirmed,
            since: now,
            is_seen_from_start: false,
            replaces: None,
            is_replaced: false,
        })
    }

    /// A Contact that leads to its device from everywhere: a GRUU of ours. Others name sockets.
    fn public_contact(&self, message: &Message) -> Option<String> {
        let contact = message
            .contacts()
            .flatten()
            .find_map(|contact| contact.address())?;
        let is_gruu = self.is_local(&contact.uri) && contact.uri.params().has("gr");
        let uri = contact.uri.without_headers();
        (is_gruu && uri.as_str().len() <= MAX_IDENTIFIER).then(|| uri.as_str().to_owned())
    }
}

/// Whether a response names the call of its request. Whoever answers could name another one otherwise, and be taken for
/// its far end.
fn is_of_same_call(request: &Message, response: &Message) -> bool {
    let (Ok(asked), Ok(answered)) = (request.from(), response.from()) else {
        return false;
    };
    request.call_id().ok() == response.call_id().ok() && asked.tag() == answered.tag()
}

/// What names the dialog of a request or response, with the sender of the request as the caller.
fn name_of(message: &Message) -> Option<Name> {
    let tag = |tag: Option<&str>| tag.filter(|tag| tag.len() <= MAX_IDENTIFIER).map(str::to_owned);
    Some(Name {
        call_id: message
            .call_id()
            .ok()
            .filter(|id| id.len() <= MAX_IDENTIFIER)?
            .to_owned(),
        caller_tag: tag(message.from().ok()?.tag())?,
        callee_tag: tag(message.to().ok()?.tag())?,
    })
}

/// The dialog that an INVITE is to replace (RFC 3891 section 6.1). Its receiver is at the other end than its sender, who
/// is the caller of the new dialog.
fn replaced(invite: &Message) -> Option<Name> {
    // What its receiver refuses replaces nothing.
    let replaces = Replaces::of(invite).ok().flatten()?;
    let bounded = |text: &str| Some(text.to_owned()).filter(|text| text.len() <= MAX_IDENTIFIER);
    Some(Name {
        call_id: bounded(replaces.call_id)?,
        caller_tag: bounded(replaces.from_tag)?,
        callee_tag: bounded(replaces.to_tag)?,
    })
}

fn device(message: &Message) -> Option<String> {
    let name = message
        .header(HeaderName::UserAgent)
        .or_else(|| message.header(HeaderName::Server))?;
    let end = name.floor_char_boundary(MAX_DEVICE);
    name.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// RFC 3325 section 9.3.
fn wants_privacy(message: &Message) -> bool {
    message.privacy().any(|value| value.eq_ignore_ascii_case("id"))
}
