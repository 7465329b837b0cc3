//! One side of a call: a dialog of its own with one telephone.

use std::collections::BTreeMap;

use clearline_core::ConnectionId;
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_core::transaction::TransactionId;
use clearline_core::{Duration, Instant};

use super::description::{self, Anchor};
use super::ringing::Ringing;
use crate::platform::DOMAIN;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LegId(pub(super) u64);

/// Where a leg stands.
///
/// ```text
/// to the callee:   Calling ----200----> Confirmed
/// to the caller:   Called  ----200----> Confirmed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Our INVITE is out.
    Calling {
        invite: TransactionId,
        /// A CANCEL is to follow it, or has.
        is_cancelled: bool,
    },
    /// The telephone's INVITE awaits our answer.
    Called(TransactionId),
    Confirmed,
}

#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) user: String,
    pub(super) connection: ConnectionId,
    pub(super) stage: Stage,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) remote_tag: String,
    /// Name-addr without tag.
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) local_cseq: u32,
    pub(super) remote_cseq: u32,
    /// The telephone's Contact.
    pub(super) target: UriBuf,
    pub(super) anchor: Anchor,
    /// What the telephone has said of its media.
    pub(super) theirs: Option<String>,
    /// What it has been told.
    pub(super) ours: Option<String>,
    /// The telephone's re-INVITE that awaits its answer.
    pub(super) serving: Option<TransactionId>,
    /// Our re-INVITE that awaits its answer, or whose 2xx awaits our ACK.
    pub(super) inviting: bool,
    /// Our 2xx that awaits its ACK.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// The ACKs for the telephone's 2xx, by number: any of those may come again.
    pub(super) acks: BTreeMap<u32, Message>,
    /// The 180 that the telephone has to acknowledge, or has.
    pub(super) ringing: Option<Ringing>,
    /// The last reliable response of the telephone.
    pub(super) last_rseq: Option<u32>,
    /// BYE follows the ACK.
    pub(super) leaves_when_acknowledged: bool,
    /// Refreshes that have failed in a row.
    pub(super) failed_refreshes: u8,
    pub(super) allows_update: bool,
    /// Who is at the other side since a transfer, as the telephone is told it.
    pub(super) shows: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    pub(super) response: Message,
    pub(super) interval: Duration,
    pub(super) give_up_at: Instant,
}

impl Leg {
    /// Whether a request inside a dialog is this one's.
    pub(super) fn owns(&self, request: &Message) -> bool {
        let has_tag = |address: Result<clearline_core::sip::NameAddr<'_>, _>, tag: &str| {
            address.is_ok_and(|address| address.tag() == Some(tag))
        };
        request.call_id().is_ok_and(|id| id == self.call_id)
            && has_tag(request.to(), &self.local_tag)
            && has_tag(request.from(), &self.remote_tag)
    }

    /// Whether a response is one to a request of ours in this dialog.
    pub(super) fn is_answered_by(&self, response: &Message) -> bool {
        response.call_id().is_ok_and(|id| id == self.call_id)
            && response
                .from()
                .is_ok_and(|from| from.tag() == Some(&self.local_tag))
            && response.to().is_ok_and(|to| to.tag() == Some(&self.remote_tag))
    }

    /// No INVITE is under way in either direction.
    pub(super) fn is_quiet(&self) -> bool {
        self.stage == Stage::Confirmed
            && self.serving.is_none()
            && !self.inviting
            && self.unacknowledged.is_none()
    }

    pub(super) fn request(&mut self, method: Method<'_>) -> RequestBuilder {
        self.local_cseq += 1;
        self.numbered(method, self.local_cseq)
    }

    pub(super) fn numbered(&self, method: Method<'_>, cseq: u32) -> RequestBuilder {
        let to = match self.remote_tag.as_str() {
            "" => self.remote.clone(),
            tag => format!("{};tag={tag}", self.remote),
        };
        RequestBuilder::new(method, self.target.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(
                HeaderName::From,
                format_args!("{};tag={}", self.local, self.local_tag),
            )
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} {}", method.as_str()))
    }

    /// The far side's description as this telephone is told it.
    pub(super) fn told(&mut self, anchors_media: bool, sdp: &str) -> String {
        if anchors_media {
            self.anchor.apply(sdp)
        } else {
            sdp.to_owned()
        }
    }

    /// A request or response names the telephone's address and what it allows.
    pub(super) fn note_target(&mut self, message: &Message) {
        let contact = message.contacts().next().and_then(Result::ok);
        let address = contact.as_ref().and_then(|contact| contact.address());
        if let Some(address) = address {
            self.target = address.uri.to_owned();
        }
        if message.header(HeaderName::Allow).is_some() {
            self.allows_update = message.lists_token(HeaderName::Allow, "UPDATE");
        }
    }

    /// What the telephone says of its media, if the message has a description.
    pub(super) fn note_description(&mut self, message: &Message) -> Option<String> {
        let sdp = sdp(message)?;
        self.theirs = Some(sdp.clone());
        Some(sdp)
    }

    pub(super) fn remote_ufrag(&self) -> Option<String> {
        description::ufrag(self.theirs.as_ref()?)
    }
}

/// The session description in a message.
pub(super) fn sdp(message: &Message) -> Option<String> {
    let is_sdp = message
        .content_type()
        .is_some_and(|kind| kind.is("application/sdp"));
    let text = std::str::from_utf8(message.body()).ok()?;
    (is_sdp && !text.is_empty()).then(|| text.to_owned())
}

/// What telephones may ask for inside a dialog.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";

/// Where telephones send requests inside a dialog: the platform itself.
pub(super) fn contact() -> String {
    format!("<sip:platform@{DOMAIN};transport=ws>")
}
