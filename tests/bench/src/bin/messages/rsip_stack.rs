//! The crate `rsip`.

use std::hint::black_box;

use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader};
use rsip::{Header, Headers, Param, SipMessage};

use super::{ADDED_VIA, Refusal, Seen};

pub(crate) fn round(frame: Vec<u8>) -> Result<(Seen, usize), Refusal> {
    let mut message = SipMessage::try_from(frame).map_err(|error| error.to_string())?;
    let seen = look(&message).map_err(|error| error.to_string())?;
    let mut headers: Vec<Header> = std::mem::take(message.headers_mut()).into();
    headers.insert(0, Header::Via(ADDED_VIA.into()));
    *message.headers_mut() = Headers::from(headers);
    let written: Vec<u8> = message.into();
    Ok((seen, black_box(written).len()))
}

fn look(message: &SipMessage) -> Result<Seen, rsip::Error> {
    let via = message.via_header()?.typed()?;
    let (from, to) = (message.from_header()?.typed()?, message.to_header()?.typed()?);
    let cseq = message.cseq_header()?.typed()?;
    let mut seen = Seen {
        top_branch: via.branch().map_or(0, |branch| branch.value().len()),
        from_user: from.uri.user().map_or(0, str::len),
        from_tag: from.tag().map_or(0, |tag| tag.value().len()),
        to_user: to.uri.user().map_or(0, str::len),
        to_tag: to.tag().map_or(0, |tag| tag.value().len()),
        call_id: rsip::headers::UntypedHeader::value(message.call_id_header()?).len(),
        cseq: cseq.seq,
        method: cseq.method.to_string().len(),
        body: black_box(message.body()).len(),
        ..Seen::default()
    };
    for header in message.headers().iter() {
        match header {
            Header::Contact(contact) => {
                seen.contacts += 1;
                seen.contact_host += contact.typed()?.uri.host().to_string().len();
            }
            Header::Route(route) => {
                let route = route.typed()?;
                let loose = route
                    .uris()
                    .iter()
                    .filter(|it| it.uri.params.contains(&Param::Lr));
                seen.routes += loose.count();
            }
            _ => {}
        }
    }
    Ok(seen)
}
