//! What the focus of a conference (RFC 4579) needs of its agent besides calls: it answers some requests itself, invites on
//! behalf of others and lets all who are there hear each other. Only programs that are a focus call this.

use super::UserAgent;
use crate::call::{Call, Errand};
use crate::error::CommandError;
use crate::event::{CallState, EndCause};
use crate::id::{CallId, ConferenceId, OperationId};
use crate::sip::{HeaderName, Message, Method, Replaces, RequestBuilder, UriBuf};
use crate::time::Instant;

/// A call that is made because a participant has asked for it (RFC 4579 section 5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Whom to call.
    pub target: UriBuf,
    /// What is known of their name; may be empty.
    pub display_name: String,
    /// The dialog there whose place the new one takes, as in a Replaces header (RFC 3891).
    pub replaces: Option<String>,
    /// Who has asked for it, as in a Referred-By header (RFC 3892).
    pub referred_by: Option<String>,
}

impl UserAgent {
    /// Invites somebody.
    ///
    /// # Errors
    /// [`CommandError::DuplicateCall`], [`CommandError::TooManyCalls`] or [`CommandError::NotConnected`]; the call does not
    /// exist then.
    pub fn invite_for(
        &mut self,
        now: Instant,
        id: CallId,
        invitation: Invitation,
    ) -> Result<(), CommandError> {
        self.endpoint.now = now;
        if self.is_known(id) {
            return Err(CommandError::DuplicateCall);
        }
        if !self.has_room() {
            return Err(CommandError::TooManyCalls);
        }
        if !self.endpoint.is_connected() || self.stopping.is_some() {
            return Err(CommandError::NotConnected);
        }
        let errand = Errand {
            target: invitation.target,
            display_name: invitation.display_name,
            replaces: invitation.replaces,
            referred_by: invitation.referred_by,
        };
        let call = Call::invited(&mut self.endpoint, id, errand);
        self.calls.insert(id, call);
        self.settle();
        Ok(())
    }

    /// Hangs up; the far end of an answered call is told why (RFC 3326), if `cause` says more than that somebody hung up.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], or [`CommandError::WrongState`] if it is ending already.
    pub fn dismiss(
        &mut self,
        now: Instant,
        id: CallId,
        cause: EndCause,
    ) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        self.command(id, |call, endpoint| call.hang_up_for(endpoint, cause))
    }

    /// Lets the parties of all answered calls hear each other. Who is held, by either side, neither hears nor is heard. To
    /// be said again after every step, as calls come and their media change.
    pub fn mix_all(&mut self, now: Instant, conference: ConferenceId) {
        self.endpoint.now = now;
        for call in self.calls.values_mut().filter(|call| call.is_answered()) {
            call.mix(&mut self.endpoint, Some(conference));
        }
    }

    /// The call in whose dialog `request` has come, and the request is the next one there: it is the application's to
    /// answer then, and the agent is not given it.
    ///
    /// # Errors
    /// The status to refuse it with: it belongs to no call, or is out of order (RFC 3261 section 12.2.2).
    pub fn take_request(&mut self, request: &Message) -> Result<CallId, u16> {
        let id = self.owner_of(request).ok_or(481_u16)?;
        let call = self.calls.get_mut(&id).ok_or(481_u16)?;
        if call.info.state != CallState::Active {
            return Err(481);
        }
        call.takes_number(request).then_some(id).ok_or(500)
    }

    /// The call whose place an INVITE is to take (RFC 3891), if it names one.
    pub fn replaced_call(&self, invite: &Message) -> Option<CallId> {
        let replaces = Replaces::of(invite).ok().flatten()?;
        let named = self.calls.values().find(|call| call.is_named_by(&replaces));
        named.map(Call::id)
    }

    /// Whether the call goes on in the dialog that the INVITE with `call_id` has made.
    pub fn is_in_dialog_of(&self, id: CallId, call_id: &str) -> bool {
        let dialog = self.calls.get(&id).and_then(Call::dialog);
        dialog.is_some_and(|dialog| dialog.is_of(call_id))
    }

    /// The next request in the dialog of an answered call, for the application to send by itself: without Via.
    pub fn request_in(&mut self, id: CallId, method: Method<'_>) -> Option<RequestBuilder> {
        let contact = self.endpoint.contact();
        let request = self.calls.get_mut(&id)?.next_request(method)?;
        Some(request.header(HeaderName::Contact, contact))
    }
}
