//! The crate `ezk-sip-types`, put together as `ezk-sip-core` does when a message comes in.

use std::fmt::Write as _;
use std::hint::black_box;

use bytes::Bytes;
use ezk_sip_types::header::typed::{CSeq, CallID, Contact, ContentLength, FromTo, Routing, Via};
use ezk_sip_types::host::Host;
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse;
use ezk_sip_types::print::AppendCtx;
use ezk_sip_types::uri::SipUriUserPart;
use ezk_sip_types::{Headers, Name};

use super::{ADDED_VIA, Refusal, Seen};

struct Message {
    line: MessageLine,
    headers: Headers,
    body: Bytes,
}

pub(crate) fn round(frame: Vec<u8>) -> Result<(Seen, usize), Refusal> {
    let mut message = read(frame)?;
    let seen = look(&message)?;
    // Their container can put a name in front, and a value behind others of its name only: take and give back.
    let vias: Vec<Via> = message.headers.take(Name::VIA).ok_or("no Via")?;
    let added = bytesstr::BytesStr::from_static(ADDED_VIA);
    message.headers.insert_front(Name::VIA, added);
    message.headers.insert_named(&vias);
    Ok((seen, black_box(write(&message)).len()))
}

fn read(frame: Vec<u8>) -> Result<Message, Refusal> {
    let buffer = Bytes::from(frame);
    let mut parser = PullParser::new(&buffer, 0);
    let mut line = None;
    let mut headers = Headers::new();
    for item in &mut parser {
        let text = std::str::from_utf8(item.map_err(|_| "incomplete")?).map_err(|_| "not UTF-8")?;
        if line.is_none() {
            line = Some(MessageLine::parse(&buffer)(text).map_err(|_| "start line")?.1);
        } else {
            let (_, header) = Line::parse(&buffer, text).map_err(|_| "header line")?;
            headers.insert(header.name, header.value);
        }
    }
    let head = parser.head_end();
    let length = headers
        .get_named::<ContentLength>()
        .map_err(|_| "no Content-Length")?
        .0;
    if head + length > buffer.len() {
        return Err("incomplete body".to_owned());
    }
    Ok(Message {
        line: line.ok_or("empty")?,
        headers,
        body: buffer.slice(head..head + length),
    })
}

fn look(message: &Message) -> Result<Seen, Refusal> {
    let headers = &message.headers;
    let wrong = |error: ezk_sip_types::header::HeaderError| error.to_string();
    let via: Via = headers.get_named().map_err(wrong)?;
    let from: FromTo = headers.get(Name::FROM).map_err(wrong)?;
    let to: FromTo = headers.get(Name::TO).map_err(wrong)?;
    let call_id: CallID = headers.get_named().map_err(wrong)?;
    let cseq: CSeq = headers.get_named().map_err(wrong)?;
    let contacts: Vec<Contact> = headers
        .try_get_named()
        .transpose()
        .map_err(wrong)?
        .unwrap_or_default();
    let routes: Vec<Routing> = headers
        .try_get(Name::ROUTE)
        .transpose()
        .map_err(wrong)?
        .unwrap_or_default();
    Ok(Seen {
        top_branch: via.params.get_val("branch").map_or(0, |branch| branch.len()),
        from_user: user(&from.uri.uri.user_part),
        from_tag: from.tag.map_or(0, |tag| tag.len()),
        to_user: user(&to.uri.uri.user_part),
        to_tag: to.tag.map_or(0, |tag| tag.len()),
        call_id: call_id.0.len(),
        cseq: cseq.cseq,
        method: cseq.method.to_string().len(),
        contacts: contacts.len(),
        contact_host: contacts
            .iter()
            .map(|contact| host(&contact.uri.uri.host_port.host))
            .sum(),
        routes: routes
            .iter()
            .filter(|route| route.uri.uri.uri_params.get("lr").is_some())
            .count(),
        body: black_box(&message.body).len(),
    })
}

fn user(part: &SipUriUserPart) -> usize {
    match part {
        SipUriUserPart::Empty => 0,
        SipUriUserPart::User(user) => user.len(),
        SipUriUserPart::UserPw(both) => both.user.len(),
    }
}

fn host(host: &Host) -> usize {
    match host {
        Host::Name(name) => name.len(),
        Host::IP6(address) => address.to_string().len(),
        Host::IP4(address) => address.to_string().len(),
    }
}

fn write(message: &Message) -> Vec<u8> {
    let mut text = String::with_capacity(message.headers.printed_len() + message.body.len() + 128);
    let _ = write!(
        text,
        "{}\r\n{}\r\n",
        message.line.default_print_ctx(),
        message.headers
    );
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&message.body);
    bytes
}
