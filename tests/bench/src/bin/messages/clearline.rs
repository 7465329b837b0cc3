//! This project's reader.

use std::hint::black_box;

use clearline_core::sip::{HeaderName, Message};

use super::{ADDED_VIA, Refusal, Seen};

pub(crate) fn round(frame: Vec<u8>) -> Result<(Seen, usize), Refusal> {
    let message = Message::parse(frame).map_err(|error| error.to_string())?;
    let seen = look(&message).map_err(|error| error.to_string())?;
    let written = message.edit().prepend(HeaderName::Via, ADDED_VIA).build();
    Ok((seen, black_box(written.as_bytes()).len()))
}

fn look(message: &Message) -> Result<Seen, clearline_core::sip::HeaderError> {
    let (from, to, cseq) = (message.from()?, message.to()?, message.cseq()?);
    let mut seen = Seen {
        top_branch: message.top_via()?.branch().map_or(0, str::len),
        from_user: from.uri.user().map_or(0, str::len),
        from_tag: from.tag().map_or(0, str::len),
        to_user: to.uri.user().map_or(0, str::len),
        to_tag: to.tag().map_or(0, str::len),
        call_id: message.call_id()?.len(),
        cseq: cseq.number,
        method: cseq.method.as_str().len(),
        body: black_box(message.body()).len(),
        ..Seen::default()
    };
    for contact in message.contacts() {
        seen.contacts += 1;
        seen.contact_host += contact?
            .address()
            .and_then(|it| it.uri.host())
            .map_or(0, str::len);
    }
    for route in message.routes() {
        seen.routes += usize::from(route?.uri.is_loose_router());
    }
    Ok(seen)
}
