//! What the switch does besides passing on: it takes registrations, and tells an account's devices of its calls.

use std::sync::Arc;

use clearline_core::dialog_info::{Dialog, DialogInfo, DialogName, MEDIA_TYPE, Participant, State};
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder};

use super::letter::Letter;

/// In seconds: nothing has to be renewed while anybody looks.
const GRANTED: u32 = 7_200;
/// Where requests of the switch itself come from.
const HOST: &str = "switch.example";
const CONTACT: &str = "<sip:switch.example>";
const TAG: &str = "switch";

/// What comes back if a message is for the switch itself; `None` if it is for somebody else.
pub(super) fn replies(message: &Message, dialogs: &[Dialog]) -> Option<Vec<Arc<Letter>>> {
    let replies = match (message.is_request(), message.method()) {
        (true, Method::Register) => vec![registered(message)],
        (true, Method::Subscribe) => subscribed(message, dialogs),
        (false, Method::Notify) if is_for_switch(message) => Vec::new(),
        _ => return None,
    };
    let letters = replies
        .into_iter()
        .map(|reply| Letter::new(reply.as_bytes().to_vec()));
    Some(letters.map(Arc::new).collect())
}

fn is_for_switch(response: &Message) -> bool {
    response.top_via().is_ok_and(|via| via.sent_by() == HOST)
}

fn registered(register: &Message) -> Message {
    ResponseBuilder::for_request(register, 200)
        .to_tag(TAG)
        .headers_from(register, HeaderName::Contact)
        .header(HeaderName::Expires, GRANTED)
        .build()
}

/// It is told at once. One that goes on is not known any more, and made anew.
fn subscribed(subscribe: &Message, dialogs: &[Dialog]) -> Vec<Message> {
    let is_new = subscribe.to().is_ok_and(|to| to.tag().is_none());
    let status = if is_new { 200 } else { 481 };
    let response = ResponseBuilder::for_request(subscribe, status)
        .to_tag(TAG)
        .header(HeaderName::Contact, CONTACT)
        .header(HeaderName::Expires, GRANTED)
        .build();
    let told = is_new.then(|| notify(subscribe, dialogs)).flatten();
    [response].into_iter().chain(told).collect()
}

fn notify(subscribe: &Message, dialogs: &[Dialog]) -> Option<Message> {
    let account = subscribe.to().ok()?.uri.as_str().to_owned();
    let contact = subscribe.contacts().next()?.ok()?;
    let call_id = subscribe.call_id().ok()?;
    let info = DialogInfo {
        version: 0,
        is_full: true,
        entity: account.clone(),
        dialogs: dialogs.to_vec(),
    };
    let notify = RequestBuilder::new(Method::Notify, contact.address()?.uri)
        .header(
            HeaderName::Via,
            format_args!("SIP/2.0/WS {HOST};branch=z9hG4bK{call_id}"),
        )
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, format_args!("<{account}>;tag={TAG}"))
        .header(HeaderName::To, subscribe.header(HeaderName::From)?)
        .headers_from(subscribe, HeaderName::CallId)
        .header(HeaderName::CSeq, "1 NOTIFY")
        .header(HeaderName::Contact, CONTACT)
        .headers_from(subscribe, HeaderName::Event)
        .header(
            HeaderName::SubscriptionState,
            format_args!("active;expires={GRANTED}"),
        )
        .body(MEDIA_TYPE, info.write().as_bytes());
    Some(notify.build())
}

/// The dialog that an ACK confirms, as its sender's account is told of it.
pub(super) fn confirmed(ack: &Message) -> Option<Dialog> {
    let (from, to) = (ack.from().ok()?, ack.to().ok()?);
    Some(Dialog {
        id: "1".to_owned(),
        name: DialogName {
            call_id: ack.call_id().ok().map(str::to_owned),
            local_tag: from.tag().map(str::to_owned),
            remote_tag: to.tag().map(str::to_owned),
        },
        state: State::Confirmed,
        local: Participant {
            identity: Some(from.uri.as_str().to_owned()),
            ..Participant::default()
        },
        remote: Participant {
            identity: Some(to.uri.as_str().to_owned()),
            target: ack.request_uri_text().map(str::to_owned),
            ..Participant::default()
        },
        ..Dialog::default()
    })
}
