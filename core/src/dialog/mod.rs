//! Dialogs (RFC 3261 section 12): who talks to whom, along which route, with which sequence numbers.

mod peer;

use serde::{Deserialize, Serialize};

pub(crate) use peer::Peer;

use crate::id::DialogId;
use crate::sip::{
    HeaderError, HeaderName, Message, Method, NameAddr, RequestBuilder, Scheme, Uri, UriBuf, quote,
};

/// The longest route: a request makes seventy hops at most (section 8.1.1.6), each of which may record two addresses.
const MAX_ROUTES: usize = 140;

/// A dialog from this side's view, early or confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// This side's name-addr without the tag.
    local: String,
    /// The far side's name-addr without the tag.
    remote: String,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    route_set: Vec<String>,
    remote_target: UriBuf,
    #[serde(default)]
    peer: Peer,
}

impl Dialog {
    /// The dialog that a 1xx or 2xx with a To tag creates at the caller (section 12.1.2).
    pub(crate) fn from_response(request: &Message, response: &Message) -> Result<Self, HeaderError> {
        let from = request.from()?;
        let to = response.to()?;
        let mut route_set = recorded_routes(response)?;
        route_set.reverse();
        let mut peer = Peer::default();
        peer.learn(response);
        Ok(Self {
            call_id: request.call_id()?.to_owned(),
            local_tag: from.tag().unwrap_or_default().to_owned(),
            remote_tag: to.tag().unwrap_or_default().to_owned(),
            local: without_tag(&from),
            remote: without_tag(&to),
            local_cseq: request.cseq()?.number,
            remote_cseq: None,
            route_set,
            remote_target: contact(response)?,
            peer,
        })
    }

    /// The dialog that `request` creates at the callee, who chose `local_tag` (section 12.1.1).
    ///
    /// # Errors
    /// The request lacks what a dialog needs.
    pub fn from_request(request: &Message, local_tag: &str) -> Result<Self, HeaderError> {
        let from = request.from()?;
        let mut peer = Peer::default();
        peer.learn(request);
        Ok(Self {
            call_id: request.call_id()?.to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: from.tag().unwrap_or_default().to_owned(),
            local: without_tag(&request.to()?),
            remote: without_tag(&from),
            // Any start below 2^31 will do; 0 makes the first request number 1.
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            route_set: recorded_routes(request)?,
            remote_target: contact(request)?,
            peer,
        })
    }

    /// This dialog, made by a 2xx, goes on where `early` has come to: the 2xx decides about route and address only
    /// (section 13.2.2.4).
    pub(crate) fn goes_on_from(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = early.remote_cseq;
        self.remote.clone_from(&early.remote);
    }

    /// Whether it was made by the INVITE with `call_id`.
    pub(crate) fn is_of(&self, call_id: &str) -> bool {
        self.call_id == call_id
    }

    pub(crate) fn id(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.clone(),
            remote_tag: self.remote_tag.clone(),
        }
    }

    /// The far side's name-addr, without its tag.
    pub(crate) fn remote(&self) -> &str {
        &self.remote
    }

    /// The far side's address of record, as the dialog has it.
    pub(crate) fn remote_uri(&self) -> Option<UriBuf> {
        let remote = NameAddr::parse(&self.remote).ok()?;
        Some(remote.uri.without_headers())
    }

    /// Where the far side was last.
    pub fn remote_target(&self) -> &UriBuf {
        &self.remote_target
    }

    /// The tag of this side.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    pub(crate) fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// Whether `invite` is the one that made this dialog at the callee, along another path (section 8.2.2.2).
    pub(crate) fn is_made_by(&self, invite: &Message) -> bool {
        let same_sender = invite
            .from()
            .is_ok_and(|from| from.tag().unwrap_or_default() == self.remote_tag);
        let same_number = invite
            .cseq()
            .is_ok_and(|cseq| Some(cseq.number) == self.remote_cseq);
        same_sender && same_number && invite.call_id().is_ok_and(|id| id == self.call_id)
    }

    /// Whether `request`, received, belongs to this dialog (section 12.2.2).
    pub fn matches(&self, request: &Message) -> bool {
        request.call_id().is_ok_and(|id| id == self.call_id)
            && request
                .to()
                .is_ok_and(|to| to.tag().unwrap_or_default() == self.local_tag)
            && request
                .from()
                .is_ok_and(|from| from.tag().unwrap_or_default() == self.remote_tag)
    }

    /// Whether `response`, received, is one to a request of this side in this dialog.
    pub(crate) fn is_answered_by(&self, response: &Message) -> bool {
        response.call_id().is_ok_and(|id| id == self.call_id)
            && response
                .from()
                .is_ok_and(|from| from.tag().unwrap_or_default() == self.local_tag)
            && response
                .to()
                .is_ok_and(|to| to.tag().unwrap_or_default() == self.remote_tag)
    }

    /// Whether `message` is a request of either side in this dialog, of which the Call-ID is known to be right.
    pub(crate) fn has(&self, message: &Message) -> bool {
        let tag = |address: Result<NameAddr<'_>, _>| {
            address.is_ok_and(|address: NameAddr<'_>| address.tag().unwrap_or_default() == self.remote_tag)
        };
        tag(message.to()) || tag(message.from())
    }

    /// The next request in this dialog (section 12.2.1.1), without Via and Contact, which the endpoint adds.
    pub fn request(&mut self, method: Method<'_>) -> RequestBuilder {
        let cseq = self.next_number();
        self.numbered_request(method, cseq)
    }

    /// The number of the next request.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// The ACK for a 2xx to the INVITE that had the number `cseq` (section 13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32) -> RequestBuilder {
        self.numbered_request(Method::Ack, cseq)
    }

    /// Leaves room for requests that a snapshot may not have seen, so that no number is used twice.
    pub(crate) fn skip_numbers(&mut self, count: u32) {
        self.local_cseq = self.local_cseq.saturating_add(count);
    }

    /// Takes note of a received request's number; `false` if it is out of order and must be answered 500
    /// (section 12.2.2).
    pub fn accepts(&mut self, request: &Message) -> bool {
        let Ok(cseq) = request.cseq() else { return false };
        if self.remote_cseq.is_some_and(|last| cseq.number <= last) {
            return false;
        }
        self.remote_cseq = Some(cseq.number);
        true
    }

    /// A target refresh request or its 2xx names the far side's new address (section 12.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(target) = contact(message) {
            self.remote_target = target;
        }
    }

    /// What the far side can do.
    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// A message of the far side may say what it can do.
    pub(crate) fn learn_peer(&mut self, message: &Message) {
        self.peer.learn(message);
    }

    /// The far side lists the Info-Package of RFC 8840 and refuses it.
    pub(crate) fn peer_refuses_trickle(&mut self) {
        self.peer.trickle = false;
    }

    /// The far side lists UPDATE and refuses it.
    pub(crate) fn peer_refuses_update(&mut self) {
        self.peer.update = false;
    }

    /// The far side does not know REFER, whatever it lists.
    pub(crate) fn peer_refuses_refer(&mut self) {
        self.peer.refer = Some(false);
    }

    /// Takes over the far side's identity from a request of its (RFC 4916 section 4.4.2); `true` if it is another one.
    pub(crate) fn learn_remote(&mut self, request: &Message) -> bool {
        let Ok(from) = request.from() else { return false };
        let known = NameAddr::parse(&self.remote);
        let is_known = known.is_ok_and(|known| {
            let same_name = match (&known.display_name, &from.display_name) {
                (Some(known), Some(name)) => known.decode() == name.decode(),
                // A name that is left out is not taken back.
                (_, None) => true,
                (None, Some(_)) => false,
            };
            same_name && known.uri == from.uri
        });
        if !is_known {
            self.remote = without_tag(&from);
        }
        !is_known
    }

    /// A request on its route (section 12.2.1.1): a strict router gets its own address as the Request-URI and finds the
    /// far side's at the end of the route.
    fn routed_request(&self, method: Method<'_>) -> RequestBuilder {
        let add_route = |request: RequestBuilder, route: &String| request.header(HeaderName::Route, route);
        match strict_router(&self.route_set) {
            None => {
                let request = RequestBuilder::new(method, self.remote_target.as_uri());
                self.route_set.iter().fold(request, add_route)
            }
            Some(router) => {
                let request = RequestBuilder::new(method, router.without_headers().as_uri());
                let request = self.route_set.iter().skip(1).fold(request, add_route);
                request.header(
                    HeaderName::Route,
                    format_args!("<{}>", self.remote_target.as_str()),
                )
            }
        }
    }

    /// A request with a number that was taken before.
    pub(crate) fn numbered_request(&self, method: Method<'_>, cseq: u32) -> RequestBuilder {
        self.routed_request(method)
            .header(HeaderName::MaxForwards, 70)
            .header(
                HeaderName::From,
                format_args!("{};tag={}", self.local, self.local_tag),
            )
            .header(HeaderName::To, tagged(&self.remote, &self.remote_tag))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} {}", method.as_str()))
    }
}

/// The routes a message has recorded, as they stand there.
fn recorded_routes(message: &Message) -> Result<Vec<String>, HeaderError> {
    let routes: Vec<_> = message.header_list(HeaderName::RecordRoute).collect();
    let is_router = |route: &&str| {
        NameAddr::parse(route).is_ok_and(|route| matches!(route.uri.scheme(), Scheme::Sip | Scheme::Sips))
    };
    if routes.len() > MAX_ROUTES || !routes.iter().all(is_router) {
        return Err(HeaderError::Malformed(HeaderName::RecordRoute));
    }
    Ok(routes.into_iter().map(str::to_owned).collect())
}

/// The URI of the first route if that is a strict router of RFC 2543: one without `lr`.
fn strict_router(route_set: &[String]) -> Option<Uri<'_>> {
    let first = NameAddr::parse(route_set.first()?).ok()?;
    (!first.uri.is_loose_router()).then_some(first.uri)
}

/// RFC 2543 peers may have no tag (section 12.2.1.1: then it is left out).
fn tagged(name_addr: &str, tag: &str) -> String {
    if tag.is_empty() {
        name_addr.to_owned()
    } else {
        format!("{name_addr};tag={tag}")
    }
}

fn without_tag(address: &NameAddr<'_>) -> String {
    match &address.display_name {
        Some(name) => format!("{} <{}>", quote(&name.decode()), address.uri.as_str()),
        None => format!("<{}>", address.uri.as_str()),
    }
}

fn contact(message: &Message) -> Result<UriBuf, HeaderError> {
    let contact = message
        .contacts()
        .next()
        .ok_or(HeaderError::Missing(HeaderName::Contact))??;
    let address = contact
        .address()
        .ok_or(HeaderError::Malformed(HeaderName::Contact))?;
    // Section 8.1.1.8: nothing else can be asked for the other side.
    match address.uri.scheme() {
        Scheme::Sip | Scheme::Sips => Ok(address.uri.without_headers()),
        Scheme::Tel | Scheme::Other(_) => Err(HeaderError::Malformed(HeaderName::Contact)),
    }
}
