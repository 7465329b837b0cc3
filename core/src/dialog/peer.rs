//! What the far side of a dialog can do.

use serde::{Deserialize, Serialize};

use crate::sip::{Contact, HeaderName, Message};

/// What the far side has said it is and understands, in the last message that said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Peer {
    /// UPDATE (RFC 3311).
    pub(crate) update: bool,
    /// Candidates by INFO (RFC 8840).
    pub(crate) trickle: bool,
    /// Session timers (RFC 4028).
    pub(crate) timer: bool,
    /// REFER (RFC 3515); `None` while it has not said.
    pub(crate) refer: Option<bool>,
    /// It is the focus of a conference (RFC 4579).
    pub(crate) focus: bool,
}

impl Peer {
    /// Reads Allow, Supported, Recv-Info and the features of Contact; a message that lacks one says nothing about it.
    pub(super) fn learn(&mut self, message: &Message) {
        let lists = |name, token| {
            let is_there = message.header(name).is_some();
            is_there.then(|| message.lists_token(name, token))
        };
        self.update = lists(HeaderName::Allow, "UPDATE").unwrap_or(self.update);
        // What it takes by INFO it says in Recv-Info (RFC 6086 section 5.2.3).
        self.trickle = lists(HeaderName::RecvInfo, "trickle-ice").unwrap_or(self.trickle);
        self.timer = lists(HeaderName::Supported, "timer").unwrap_or(self.timer);
        self.refer = lists(HeaderName::Allow, "REFER").or(self.refer);
        // A call becomes a conference, or is none any more, when the far side changes its Contact.
        self.focus = is_focus(message).unwrap_or(self.focus);
    }
}

/// Whether the Contact says `isfocus`; `None` if there is none.
fn is_focus(message: &Message) -> Option<bool> {
    let contact = message.contacts().next()?.ok()?;
    let Contact::Address(address) = contact else {
        return None;
    };
    let value = address.params.text("isfocus");
    // RFC 3840 section 9: a boolean feature without a value is true.
    Some(address.params.has("isfocus") && value.is_none_or(|value| value.eq_ignore_ascii_case("TRUE")))
}
