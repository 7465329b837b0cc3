//! The messages that a platform and telephones behind it may send, good ones and odd ones.

use std::fmt;

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder, UriBuf};

use super::documents;

/// Of the requests in a dialog that the agent has begun.
const FIRST_NUMBER: u32 = 100;

const METHODS: &[&str] = &[
    "BYE",
    "INVITE",
    "INFO",
    "UPDATE",
    "OPTIONS",
    "NOTIFY",
    "REFER",
    "MESSAGE",
    "PRACK",
    "SUBSCRIBE",
    "ACK",
    "CANCEL",
    "PUBLISH",
    "REGISTER",
    "NEWMETHOD",
];

const STATUSES: &[u16] = &[
    200, 180, 183, 100, 401, 407, 486, 487, 491, 481, 302, 404, 408, 422, 423, 480, 500, 503, 504, 600, 603,
    202, 199, 420, 415, 488, 433, 700, 429, 494, 399,
];

const USERS: &[&str] = &["bob", "carol", "+4989101", "%00", "b;isub=1", ""];

/// Where conferences are made.
pub(crate) const FACTORY: &str = "sip:conference@example.com";

const SUBSCRIPTION_STATES: &[&str] = &[
    "active;expires=600",
    "pending;expires=60",
    "terminated;reason=noresource",
    "terminated;reason=deactivated",
    "terminated;reason=probation;retry-after=3",
    "active",
    "active;expires=0",
    "odd;expires=99999999999",
];

/// Where the agent is sent.
const REFER_TO: &[&str] = &[
    "<sip:carol@example.com>",
    "<sip:dave@elsewhere.example>",
    "<sip:carol@example.com?Replaces=c1%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>",
    "<tel:+49891;ext=5>",
    "<sip:alice@example.com>",
    "<sip:carol@example.com;method=BYE>",
    "<sip:%00@example.com?body=x&Route=%3Csip:x%3E>",
    "<sip:carol@example.com",
];

/// Headers that some request or response may carry, fitting or not.
const EXTRAS: &[(&str, &str)] = &[
    ("", ""),
    ("Require", "100rel"),
    ("Supported", "100rel, timer, replaces, trickle-ice"),
    ("RSeq", "1"),
    ("Session-Expires", "90;refresher=uas"),
    ("Session-Expires", "1800;refresher=uac"),
    ("Min-SE", "120"),
    ("Retry-After", "5"),
    ("Min-Expires", "1200"),
    ("Flow-Timer", "10"),
    ("Reason", "SIP;cause=200;text=\"Call completed elsewhere\""),
    ("Reason", "Q.850;cause=16"),
    ("P-Asserted-Identity", "\"Carol\" <sip:carol@example.com>"),
    ("Replaces", "c1;to-tag=1;from-tag=2"),
    (
        "Contact",
        "<sip:other@example.com>;q=0.5, <sip:third@example.com>",
    ),
    ("Event", "refer"),
    ("Subscription-State", "terminated;reason=noresource"),
    ("Refer-To", "<sip:carol@example.com>"),
    ("RAck", "1 1 INVITE"),
    ("Require", "nothing-known"),
    ("Content-Disposition", "session"),
    ("Alert-Info", "<urn:alert:tone:internal>;info=alert-autoanswer"),
    ("Diversion", "<sip:carol@example.com>;reason=unconditional"),
    ("Max-Forwards", "0"),
    ("Recv-Info", "dtmf"),
    ("Info-Package", "dtmf"),
    ("Service-Route", "<sip:home.example.com;lr>"),
    ("Path", "<sip:edge.example.com;lr;ob>"),
    ("Require", "outbound"),
    ("Require", "timer, trickle-ice"),
    ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
    ("Warning", "399 example.com \"no\""),
];

/// A description with one audio stream, or one of its odd relatives.
pub(crate) fn description(form: u8) -> String {
    let direction = ["sendrecv", "sendonly", "recvonly", "inactive"][usize::from(form % 4)];
    let head = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111 110\r\nc=IN IP4 192.0.2.9\r\n";
    let codecs = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n";
    match form / 4 % 8 {
        0 | 1 => format!("{head}{audio}{codecs}a=ice-ufrag:{form}\r\na={direction}\r\n"),
        2 => format!("{head}m=audio 0 RTP/AVP 0\r\na={direction}\r\n"),
        3 => format!("{head}a={direction}\r\n{audio}a=rtpmap:111 opus/48000/2\r\nm=video 9 RTP/AVP 96\r\n"),
        4 => format!("{head}c=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0 8\r\n"),
        5 => head.to_owned(),
        6 => String::new(),
        _ => format!("v=1\r\nm=\r\na={direction}"),
    }
}

/// One side of a dialog that is not the agent's.
#[derive(Clone, Debug)]
pub(crate) struct FarEnd {
    call_id: String,
    own: String,
    own_tag: String,
    peer: String,
    peer_tag: Option<String>,
    peer_contact: String,
    number: u32,
    /// The request that began it, if it came from here.
    invite: Option<Message>,
    /// What the agent has subscribed to.
    package: Option<String>,
}

impl FarEnd {
    /// Somebody who calls the agent.
    pub(crate) fn calling(who: u8, serial: usize) -> Self {
        let user = USERS[usize::from(who) % USERS.len()];
        Self {
            call_id: format!("{serial}@far"),
            own: format!("<sip:{user}@example.com>"),
            own_tag: format!("far{serial}"),
            peer: "<sip:alice@example.com>".to_owned(),
            peer_tag: None,
            peer_contact: "sip:alice@alice.invalid".to_owned(),
            number: 0,
            invite: None,
            package: None,
        }
    }

    /// A fork that has answered the agent's INVITE or SUBSCRIBE.
    pub(crate) fn called(request: &Message, tag: &str) -> Option<Self> {
        if !matches!(request.method(), Method::Invite | Method::Subscribe) {
            return None;
        }
        Some(Self {
            call_id: request.call_id().ok()?.to_owned(),
            own: format!("<{}>", request.to().ok()?.uri),
            own_tag: tag.to_owned(),
            peer: format!("<{}>", request.from().ok()?.uri),
            peer_tag: request.from().ok()?.tag().map(str::to_owned),
            peer_contact: contact_of(request)?,
            number: FIRST_NUMBER,
            invite: None,
            package: request.header(HeaderName::Event).map(str::to_owned),
        })
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.call_id, &self.own_tag) == (&other.call_id, &other.own_tag)
    }

    /// Takes the agent's tag and contact from its response to this end's INVITE.
    pub(crate) fn learn(&mut self, response: &Message) {
        let is_own = response.call_id() == Ok(&self.call_id)
            && response
                .from()
                .is_ok_and(|from| from.tag() == Some(&self.own_tag));
        if is_own {
            self.peer_tag = response.to().ok().and_then(|to| to.tag()).map(str::to_owned);
            self.peer_contact = contact_of(response).unwrap_or_else(|| self.peer_contact.clone());
        }
    }

    /// INVITE outside a dialog.
    pub(crate) fn invite(&mut self, form: u8, extra: u8) -> Message {
        let builder = self.numbered(Method::Invite, 1);
        let invite = with_body(with_extra(builder, extra), form);
        self.invite = Some(invite.clone());
        invite
    }

    /// A request in the dialog. Bits of `form`: 1 an old number, 2 another's tag, 4 carries a description; the rest
    /// chooses an extra header.
    pub(crate) fn request(&mut self, method: u8, form: u8) -> Message {
        let method = Method::from(METHODS[usize::from(method) % METHODS.len()]);
        let number = if form & 1 == 0 {
            self.number + 1
        } else {
            self.number.saturating_sub(1)
        };
        let mut own = self.clone();
        if form & 2 != 0 {
            own.own_tag.push('x');
        }
        let builder = with_extra(own.numbered(method, number), form >> 3);
        self.number = own.number;
        if form & 4 == 0 {
            builder.build()
        } else if method == Method::Refer {
            let target = REFER_TO[usize::from(form >> 3) % REFER_TO.len()];
            builder.header(HeaderName::ReferTo, target).build()
        } else if method == Method::Notify {
            let status = STATUSES[usize::from(form >> 3) % STATUSES.len()];
            let line = format!("SIP/2.0 {status} Fuzzed\r\n");
            builder
                .header(HeaderName::Event, "refer")
                .header(HeaderName::SubscriptionState, "active;expires=60")
                .body("message/sipfrag", line.as_bytes())
                .build()
        } else {
            with_body(builder, form >> 3)
        }
    }

    /// What a subscriber is told: bits of `state` choose how the subscription stands, 8 an old number.
    pub(crate) fn notify(&mut self, document: u8, state: u8) -> Message {
        let number = if state & 8 == 0 {
            self.number + 1
        } else {
            self.number.saturating_sub(1)
        };
        let package = self.package.clone().unwrap_or_else(|| "dialog".to_owned());
        let (media_type, text) = documents::document(document, number.saturating_sub(FIRST_NUMBER));
        self.numbered(Method::Notify, number)
            .header(HeaderName::Event, package)
            .header(
                HeaderName::SubscriptionState,
                SUBSCRIPTION_STATES[usize::from(state & 7)],
            )
            .body(media_type, text.as_bytes())
            .build()
    }

    /// ACK for a 2xx of the agent (even `form`) or CANCEL of this end's INVITE.
    pub(crate) fn follow(&mut self, form: u8) -> Option<Message> {
        let invite = self.invite.clone()?;
        if form & 1 == 0 {
            let builder = self.numbered(Method::Ack, self.number.max(1));
            return Some(if form & 2 == 0 {
                builder.build()
            } else {
                with_body(builder, form >> 2)
            });
        }
        let cancel = RequestBuilder::new(Method::Cancel, invite.request_uri()?)
            .headers_from(&invite, HeaderName::Via)
            .headers_from(&invite, HeaderName::From)
            .headers_from(&invite, HeaderName::To)
            .headers_from(&invite, HeaderName::CallId)
            .header(
                HeaderName::CSeq,
                format_args!("{} CANCEL", invite.cseq().ok()?.number),
            );
        Some(with_extra(cancel, form >> 1).build())
    }

    fn numbered(&mut self, method: Method<'_>, number: u32) -> RequestBuilder {
        self.number = self.number.max(number);
        let fallback = UriBuf::parse("sip:alice@alice.invalid").expect("a constant");
        let target = UriBuf::parse(self.peer_contact.as_str()).unwrap_or(fallback);
        let Self {
            own, own_tag, peer, ..
        } = &*self;
        let to_tag = self
            .peer_tag
            .as_ref()
            .map(|tag| format!(";tag={tag}"))
            .unwrap_or_default();
        RequestBuilder::new(method, target.as_uri())
            .header(
                HeaderName::Via,
                format_args!("SIP/2.0/WS edge.example.com;branch=z9hG4bK{own_tag}.{method}.{number}"),
            )
            .header(HeaderName::RecordRoute, "<sip:edge.example.com;transport=ws;lr>")
            .header(HeaderName::MaxForwards, 69)
            .header(HeaderName::From, format_args!("{own};tag={own_tag}"))
            .header(HeaderName::To, format_args!("{peer}{to_tag}"))
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{number} {method}"))
            .header(
                HeaderName::Contact,
                format_args!("<sip:device@{own_tag}.invalid;transport=ws>"),
            )
    }
}

/// A response to a request of the agent. Bits of `form`: 1 and 2 choose the fork, 4 leaves the tag out, 8 carries a
/// description; the rest chooses an extra header.
pub(crate) fn response(request: &Message, status: u8, form: u8, extra: u8) -> (Message, Option<FarEnd>) {
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let tag = format!("fork{}", form & 3);
    let mut builder = ResponseBuilder::for_request(request, status)
        .header(HeaderName::RecordRoute, "<sip:edge.example.com;transport=ws;lr>");
    if form & 4 == 0 {
        builder = builder.to_tag(&tag);
    }
    builder = if request.method() == Method::Register {
        granted(builder, request, form)
    } else {
        builder.header(HeaderName::Contact, contact(request, &tag))
    };
    if matches!(status, 401 | 407) {
        let name = if status == 401 {
            HeaderName::WwwAuthenticate
        } else {
            HeaderName::ProxyAuthenticate
        };
        let algorithm = if form & 1 == 0 { "SHA-256" } else { "MD5" };
        let challenge = format!(
            "Digest realm=\"example.com\", nonce=\"n{extra}\", algorithm={algorithm}, qop=\"auth\", stale={}",
            form & 2 == 0
        );
        builder = builder.header(name, challenge);
    }
    let (name, value) = EXTRAS[usize::from(extra) % EXTRAS.len()];
    if !name.is_empty() {
        builder = builder.header(HeaderName::from(name), value);
    }
    if form & 8 != 0 {
        builder = builder.body("application/sdp", description(form >> 4).as_bytes());
    }
    (builder.build(), FarEnd::called(request, &tag))
}

/// Where the answering side is reached: a device, or the focus of a fresh conference (RFC 4579 section 5.4).
fn contact(request: &Message, tag: &str) -> String {
    let target = request.request_uri().map(|uri| uri.to_string());
    if target.as_deref() == Some(FACTORY) {
        "<sip:conference-1@example.com>;isfocus".to_owned()
    } else {
        format!("<sip:device@{tag}.invalid;transport=ws>")
    }
}

/// What a registrar says to a REGISTER: the contact as it came, with a lifetime and addresses (RFC 5626, 5627).
fn granted(builder: ResponseBuilder, request: &Message, form: u8) -> ResponseBuilder {
    let expires = [600, 60, 0, 7_200][usize::from(form & 3)];
    let contact = request
        .header(HeaderName::Contact)
        .unwrap_or("<sip:alice@alice.invalid>");
    let gruu = "pub-gruu=\"sip:alice@example.com;gr=urn:uuid:1\"";
    let builder = builder.header(
        HeaderName::Contact,
        format_args!("{contact};expires={expires};{gruu}"),
    );
    if form & 8 == 0 {
        builder.header(HeaderName::Require, "outbound")
    } else {
        builder
    }
}

fn with_extra(builder: RequestBuilder, extra: u8) -> RequestBuilder {
    match EXTRAS[usize::from(extra) % EXTRAS.len()] {
        ("", _) => builder,
        (name, value) => builder.header(HeaderName::from(name), value),
    }
}

/// With a description, or none, or something else.
fn with_body(builder: RequestBuilder, form: u8) -> Message {
    match form {
        0xff => builder.build(),
        0xfe => builder
            .body("application/dtmf-relay", b"Signal=1\r\nDuration=160\r\n")
            .build(),
        0xfd => builder
            .body("multipart/mixed;boundary=x", b"--x\r\n\r\nv=0\r\n--x--")
            .build(),
        _ => builder
            .body("application/sdp", description(form).as_bytes())
            .build(),
    }
}

fn contact_of(message: &Message) -> Option<String> {
    let contact = message.contacts().next()?.ok()?;
    Some(contact.address()?.uri.to_string())
}

/// For a panic: what was sent.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}
