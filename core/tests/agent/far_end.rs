//! The other end of a call, as the platform shows it: builds messages from what it has received.

use clearline_core::Direction;
use clearline_core::sip::{HeaderName, Message, Method, NameAddr, RequestBuilder, ResponseBuilder, UriBuf};

use crate::media::sdp;

/// What the platform's proxy puts into dialogs.
pub(crate) const RECORD_ROUTE: &str = "<sip:edge.example.com;transport=ws;lr>";

/// One telephone in one dialog.
#[derive(Clone, Debug)]
pub(crate) struct FarEnd {
    call_id: String,
    own: String,
    own_tag: String,
    peer: String,
    peer_tag: Option<String>,
    peer_contact: UriBuf,
    cseq: u32,
    branches: u32,
    /// Its Allow header; empty for a telephone that says nothing.
    pub(crate) allow: &'static str,
    /// Its Supported header.
    pub(crate) supported: &'static str,
    /// The features in its Contact, each with its `;`.
    pub(crate) features: &'static str,
    /// Where it is, if not on a device.
    pub(crate) uri: Option<&'static str>,
}

impl FarEnd {
    /// A telephone that is called: it names its end `tag`.
    pub(crate) fn called(invite: &Message, tag: &str) -> Self {
        let address = |name_addr: NameAddr<'_>| format!("<{}>", name_addr.uri.as_str());
        Self {
            call_id: invite.call_id().unwrap().to_owned(),
            own: address(invite.to().unwrap()),
            own_tag: tag.to_owned(),
            peer: address(invite.from().unwrap()),
            peer_tag: Some(invite.from().unwrap().tag().unwrap().to_owned()),
            peer_contact: contact_of(invite),
            cseq: 100,
            branches: 0,
            allow: "",
            supported: "",
            features: "",
            uri: None,
        }
    }

    /// A telephone of `user` that is going to call the agent, whose contact is `contact`.
    pub(crate) fn calling(user: &str, contact: &str) -> Self {
        Self {
            call_id: format!("call-of-{user}"),
            own: format!("\"{user}\" <sip:{user}@example.com>"),
            own_tag: format!("{user}-tag"),
            peer: "<sip:alice@example.com>".to_owned(),
            peer_tag: None,
            peer_contact: UriBuf::parse(contact).unwrap(),
            cseq: 0,
            branches: 0,
            allow: "",
            supported: "",
            features: "",
            uri: None,
        }
    }

    /// A response to a request of the agent, with what makes and keeps a dialog.
    pub(crate) fn response(&self, request: &Message, status: u16) -> ResponseBuilder {
        let response = ResponseBuilder::for_request(request, status)
            .to_tag(&self.own_tag)
            .header(HeaderName::RecordRoute, RECORD_ROUTE)
            .header(HeaderName::Contact, self.contact());
        let abilities = self.abilities();
        abilities.fold(response, |response, (name, value)| response.header(name, value))
    }

    /// A provisional response that has to be acknowledged with PRACK.
    pub(crate) fn reliable(&self, invite: &Message, status: u16, rseq: u32) -> ResponseBuilder {
        self.response(invite, status)
            .header(HeaderName::Require, "100rel")
            .header(HeaderName::RSeq, rseq)
    }

    fn abilities(&self) -> impl Iterator<Item = (HeaderName<'static>, &'static str)> {
        [
            (HeaderName::Allow, self.allow),
            (HeaderName::Supported, self.supported),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
    }

    /// 200 with an answer of `direction`.
    pub(crate) fn accepts(&self, invite: &Message, direction: Direction) -> Message {
        self.response(invite, 200)
            .body("application/sdp", sdp(direction).as_bytes())
            .build()
    }

    /// The next request in the dialog.
    pub(crate) fn request(&mut self, method: Method<'_>) -> RequestBuilder {
        self.cseq += 1;
        self.numbered(method, self.cseq)
    }

    /// INVITE with an offer of `direction`, the first one or one inside the dialog.
    pub(crate) fn invite(&mut self, direction: Direction) -> Message {
        self.request(Method::Invite)
            .body("application/sdp", sdp(direction).as_bytes())
            .build()
    }

    /// ACK for the agent's 2xx, whose tag and contact are learned.
    pub(crate) fn ack(&mut self, ok: &Message) -> RequestBuilder {
        self.learn(ok);
        let number = ok.cseq().unwrap().number;
        self.numbered(Method::Ack, number)
    }

    /// ACK for a refusal, on the INVITE's branch.
    pub(crate) fn ack_refusal(invite: &Message, refusal: &Message) -> Message {
        RequestBuilder::new(Method::Ack, invite.request_uri().unwrap())
            .headers_from(invite, HeaderName::Via)
            .headers_from(invite, HeaderName::From)
            .headers_from(refusal, HeaderName::To)
            .headers_from(invite, HeaderName::CallId)
            .header(
                HeaderName::CSeq,
                format_args!("{} ACK", invite.cseq().unwrap().number),
            )
            .build()
    }

    /// CANCEL of an INVITE sent before.
    pub(crate) fn cancel(invite: &Message) -> RequestBuilder {
        RequestBuilder::new(Method::Cancel, invite.request_uri().unwrap())
            .headers_from(invite, HeaderName::Via)
            .headers_from(invite, HeaderName::From)
            .headers_from(invite, HeaderName::To)
            .headers_from(invite, HeaderName::CallId)
            .header(
                HeaderName::CSeq,
                format_args!("{} CANCEL", invite.cseq().unwrap().number),
            )
    }

    /// Takes the agent's tag and contact from a response.
    pub(crate) fn learn(&mut self, response: &Message) {
        self.peer_tag = response.to().unwrap().tag().map(str::to_owned);
        self.peer_contact = contact_of(response);
    }

    /// Whether this is a request of the agent in this telephone's dialog.
    pub(crate) fn is_asked_in(&self, request: &Message) -> bool {
        let tag = request.to().is_ok_and(|to| to.tag() == Some(&self.own_tag));
        request.is_request() && tag && request.call_id() == Ok(&self.call_id)
    }

    /// Whether it is in the dialog, or dialogs, with this Call-ID.
    pub(crate) fn is_of(&self, call_id: &str) -> bool {
        self.call_id == call_id
    }

    /// Whether a message of the agent belongs to this telephone's dialog.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn is_in(&self, response: &Message) -> bool {
        let tag = response
            .from()
            .is_ok_and(|from| from.tag() == Some(&self.own_tag));
        tag && response.call_id() == Ok(&self.call_id)
    }

    /// A request with a number of the test's choice.
    pub(crate) fn numbered(&mut self, method: Method<'_>, number: u32) -> RequestBuilder {
        self.branches += 1;
        let to = match &self.peer_tag {
            Some(tag) => format!("{};tag={tag}", self.peer),
            None => self.peer.clone(),
        };
        let request = RequestBuilder::new(method, self.peer_contact.as_uri())
            .header(
                HeaderName::Via,
                format_args!(
                    "SIP/2.0/WS edge.example.com;branch=z9hG4bK{}{}",
                    self.own_tag, self.branches
                ),
            )
            .header(HeaderName::RecordRoute, RECORD_ROUTE)
            .header(HeaderName::MaxForwards, 69)
            .header(
                HeaderName::From,
                format_args!("{};tag={}", self.own, self.own_tag),
            )
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{number} {}", method.as_str()))
            .header(HeaderName::Contact, self.contact());
        let abilities = self.abilities();
        abilities.fold(request, |request, (name, value)| request.header(name, value))
    }

    fn contact(&self) -> String {
        let device = format!("sip:device@{}.invalid;transport=ws", self.own_tag);
        format!("<{}>{}", self.uri.unwrap_or(&device), self.features)
    }
}

fn contact_of(message: &Message) -> UriBuf {
    let contact = message.contacts().next().unwrap().unwrap();
    contact.address().unwrap().uri.to_owned()
}
