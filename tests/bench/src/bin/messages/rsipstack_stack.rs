//! The reader of the crate `rsipstack`.

use std::hint::black_box;

use rsipstack::sip::prelude::ToTypedHeader;
use rsipstack::sip::{HasHeaders, Header, HeadersExt, Host, Param, SipMessage};

use super::{ADDED_VIA, Refusal, Seen};

pub(crate) fn round(frame: Vec<u8>) -> Result<(Seen, usize), Refusal> {
    let mut message = SipMessage::try_from(frame).map_err(|error| error.to_string())?;
    let seen = look(&message).map_err(|error| error.to_string())?;
    message.headers_mut().push_front(Header::Via(ADDED_VIA.into()));
    Ok((seen, black_box(message.to_bytes()).len()))
}

fn look(message: &SipMessage) -> Result<Seen, rsipstack::sip::Error> {
    let via = message.via_header()?.typed()?;
    let (from, to) = (message.from_header()?.typed()?, message.to_header()?.typed()?);
    let cseq = message.cseq_header()?.typed()?;
    let body = match message {
        SipMessage::Request(request) => request.body(),
        SipMessage::Response(response) => response.body(),
    };
    let contacts = message.typed_contact_headers()?;
    let routes = message.typed_route_headers()?;
    Ok(Seen {
        top_branch: via.branch().map_or(0, |branch| branch.value().len()),
        from_user: from.uri.user().map_or(0, str::len),
        from_tag: from.tag().map_or(0, |tag| tag.value().len()),
        to_user: to.uri.user().map_or(0, str::len),
        to_tag: to.tag().map_or(0, |tag| tag.value().len()),
        call_id: message.call_id_header()?.value().len(),
        cseq: cseq.seq,
        method: cseq.method.to_string().len(),
        body: black_box(body).len(),
        contacts: contacts.len(),
        contact_host: contacts.iter().map(|contact| host(contact.uri.host())).sum(),
        routes: routes
            .iter()
            .filter(|route| route.uri.params.contains(&Param::Lr))
            .count(),
    })
}

fn host(host: &Host) -> usize {
    match host {
        Host::Domain(domain) => domain.0.len(),
        Host::IpAddr(address) => address.to_string().len(),
    }
}
