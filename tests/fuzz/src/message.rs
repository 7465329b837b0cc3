//! Everything a peer's message makes the core do sooner or later.

use clearline_core::sip::{HeaderName, MAX_MESSAGE_BYTES, Message, NameAddr, Params, ResponseBuilder, Uri};

use crate::session_description;

pub(crate) fn run(data: &[u8]) {
    let Ok(message) = Message::parse(data) else {
        // What has no readable body may still be answered.
        if let Ok(head) = Message::parse_head(data) {
            read(&head);
            answer(&head);
        }
        return;
    };
    read(&message);
    survives_reading_again(&message);
    edit(&message);
    answer(&message);
}

fn read(message: &Message) {
    let _ = (
        message.validate(),
        message.method(),
        message.request_uri().map(|it| uri(&it)),
        message.status(),
        message.reason(),
        message.call_id(),
        message.cseq().map(|cseq| cseq.to_string()),
        message.max_forwards(),
        message.expires(),
        message.content_length(),
        message.retry_after(),
        message.min_expires(),
    );
    for (name, value) in message.headers() {
        assert!(!value.contains(['\r', '\n']), "{name} has a line end");
        let _ = (message.header(name), message.lists_token(name, "timer"));
        let _ = NameAddr::parse(value).map(|it| address(&it));
    }
    for via in message.vias().flatten() {
        params(&via.params);
        let _ = (via.branch(), via.received(), via.rport(), via.sent_by());
    }
    let parties = message.from().into_iter().chain(message.to());
    parties.for_each(|it| address(&it));
    let contacts = message.contacts().flatten().filter_map(|it| it.address());
    contacts.for_each(|it| address(&it));
    let routes = message
        .routes()
        .chain(message.record_routes())
        .chain(message.paths());
    let routes = routes.chain(message.service_routes());
    let others = [
        HeaderName::PAssertedIdentity,
        HeaderName::ReferTo,
        HeaderName::HistoryInfo,
    ];
    let others = others.into_iter().flat_map(|name| message.addresses(name));
    routes.chain(others).flatten().for_each(|it| address(&it));
    let challenges = message.challenges().flatten();
    challenges.for_each(|it| drop((it.param("nonce"), it.param("realm"), it.is_digest())));
    let credentials = message.credentials().flatten();
    credentials.for_each(|it| drop((it.param("response"), it.param("uri"), it.is_digest())));
    let reasons = message.reason_cause().flatten();
    reasons.for_each(|it| drop((it.cause(), it.text())));
    if let Some(content_type) = message.content_type() {
        params(&content_type.params);
    }
    session_description::run(message.body());
    let _ = format!("{message:?}");
}

fn survives_reading_again(message: &Message) {
    let again = Message::parse(message.as_bytes()).expect("what was read once can be read again");
    assert_eq!(&again, message);
    assert!(again.headers().eq(message.headers()));
    assert_eq!(again.body(), message.body());
}

fn edit(message: &Message) {
    if message.as_bytes().len() > MAX_MESSAGE_BYTES / 2 {
        return;
    }
    let edited = message
        .edit()
        .prepend(
            HeaderName::Via,
            "SIP/2.0/WS added.example.com;branch=z9hG4bKadded",
        )
        .remove_first_element(HeaderName::Route)
        .replace_first_element(HeaderName::Contact, "<sip:replaced@example.com>")
        .set(HeaderName::UserAgent, "replaced")
        .append(HeaderName::Other("X-Added"), "1\r\nEvil: 1")
        .build();
    let again = Message::parse(edited.as_bytes()).expect("what was edited can be read");
    assert_eq!(again.body(), message.body());
    assert_eq!(again.top_via().expect("it was added").host, "added.example.com");
    assert_eq!(again.vias().count(), message.vias().count() + 1);
    let routes = message.header_list(HeaderName::Route).skip(1);
    assert!(again.header_list(HeaderName::Route).eq(routes));
    let contacts = message.header_list(HeaderName::Contact).skip(1);
    assert!(again.header_list(HeaderName::Contact).skip(1).eq(contacts));
    assert_eq!(
        again.header_all(HeaderName::UserAgent).collect::<Vec<_>>(),
        ["replaced"]
    );
    let evil = |message: &Message| message.header_all(HeaderName::Other("Evil")).count();
    assert_eq!(evil(&again), evil(message), "no value makes a header");
    let without = message.edit().remove_body().build();
    assert!(without.body().is_empty() && without.content_type().is_none());
}

fn answer(message: &Message) {
    if message.as_bytes().len() > MAX_MESSAGE_BYTES / 2 {
        return;
    }
    let response = ResponseBuilder::for_request(message, 400)
        .to_tag("answer")
        .record_routes_from(message)
        .body("text/plain", b"no")
        .build();
    let again = Message::parse(response.as_bytes()).expect("what was built can be read");
    assert_eq!((again.status(), again.body()), (Some(400), &b"no"[..]));
    let same = |name| again.header_all(name).eq(message.header_all(name));
    assert!(same(HeaderName::Via) && same(HeaderName::RecordRoute));
    assert_eq!(again.call_id().ok(), message.call_id().ok());
    assert_eq!(again.cseq().ok(), message.cseq().ok());
    let tag = |message: &Message| message.to().ok().and_then(|to| to.tag().map(str::to_owned));
    assert!(
        tag(message).is_none() || tag(message) == tag(&again),
        "a tag is never changed"
    );
}

/// Asks an address for everything.
pub(crate) fn address(address: &NameAddr<'_>) {
    let _ = (
        address.tag(),
        address.display_name.map(|name| name.decode().len()),
    );
    params(&address.params);
    uri(&address.uri);
}

/// Asks a URI for everything, and checks that its owned copy is the same.
pub(crate) fn uri(uri: &Uri<'_>) {
    let _ = (
        uri.scheme(),
        uri.user_decoded(),
        uri.password(),
        uri.host_ip(),
        uri.port(),
        uri.headers(),
    );
    params(&uri.params());
    assert!(uri.equivalent(uri), "a URI is like itself");
    assert_eq!(uri.to_owned().as_uri(), *uri);
}

fn params(params: &Params<'_>) {
    // Each look-up reads them all: a hundred is enough to find what goes wrong.
    for (name, _) in params.iter().take(100) {
        assert!(params.has(name));
        drop(params.text(name));
    }
}
