//! Reads everything there is to read, as a peer's message makes the core do sooner or later.

use clearline_core::session_description::SessionDescription;
use clearline_core::sip::{HeaderName, Message, NameAddr, Params, ResponseBuilder, Uri};

/// Asks `message` for everything, edits and answers it, and checks what holds for every message.
pub(crate) fn exercise(message: &Message) {
    read(message);
    let again = Message::parse(message.as_bytes()).expect("what was read once can be read again");
    assert_eq!(&again, message);
    assert!(again.headers().eq(message.headers()));

    let edited = message
        .edit()
        .prepend(
            HeaderName::Via,
            "SIP/2.0/WS added.example.com;branch=z9hG4bKadded",
        )
        .remove_first_element(HeaderName::Route)
        .build();
    let again = Message::parse(edited.as_bytes()).expect("what was edited can be read");
    assert_eq!(again.body(), message.body());
    assert_eq!(again.top_via().expect("it was added").host, "added.example.com");
    assert_eq!(again.vias().count(), message.vias().count() + 1);
    assert!(
        again
            .header_list(HeaderName::Route)
            .eq(message.header_list(HeaderName::Route).skip(1))
    );

    let response = ResponseBuilder::for_request(message, 400)
        .to_tag("answer")
        .build();
    let again = Message::parse(response.as_bytes()).expect("what was built can be read");
    assert_eq!(again.status(), Some(400));
    assert!(
        again
            .header_all(HeaderName::Via)
            .eq(message.header_all(HeaderName::Via))
    );
}

fn read(message: &Message) {
    let _ = (
        message.validate(),
        message.method(),
        message.request_uri(),
        message.status(),
        message.reason(),
    );
    for (name, value) in message.headers() {
        assert!(!value.contains(['\r', '\n']), "{name} has a line end");
        let _ = (
            message.header(name),
            message.lists_token(name, "x"),
            NameAddr::parse(value).map(|it| address(&it)),
        );
    }
    message.vias().flatten().for_each(|via| {
        params(&via.params);
        let _ = (via.branch(), via.received(), via.rport());
    });
    message
        .from()
        .into_iter()
        .chain(message.to())
        .for_each(|it| address(&it));
    let _ = (
        message.call_id(),
        message.cseq(),
        message.max_forwards(),
        message.expires(),
        message.content_length(),
    );
    message
        .contacts()
        .flatten()
        .filter_map(|it| it.address())
        .for_each(|it| address(&it));
    let routes = message
        .routes()
        .chain(message.record_routes())
        .chain(message.paths());
    routes
        .chain(message.service_routes())
        .flatten()
        .for_each(|it| address(&it));
    message
        .challenges()
        .flatten()
        .for_each(|it| drop(it.param("nonce")));
    message
        .credentials()
        .flatten()
        .for_each(|it| drop(it.param("response")));
    message
        .reason_cause()
        .flatten()
        .for_each(|it| drop((it.cause(), it.text())));
    let _ = (
        message.content_type().map(|it| params(&it.params)),
        message.retry_after(),
        message.min_expires(),
    );
    if let Ok(text) = std::str::from_utf8(message.body()) {
        describe(text);
    }
}

/// Asks a session description for everything.
pub(crate) fn describe(text: &str) {
    let Ok(description) = SessionDescription::parse(text) else {
        return;
    };
    let _ = (
        description.origin(),
        description.session_name(),
        description.group("BUNDLE").map(Iterator::count),
    );
    for media in description.media() {
        let _ = (
            media.direction(),
            media.codecs().count(),
            media.fmtp(101),
            media.fingerprint(),
            media.setup(),
        );
        let _ = (
            media.candidates().count(),
            media.crypto().count(),
            media.connection_address(),
            media.mid(),
        );
        let _ = (
            media.supports_trickle(),
            media.is_rejected(),
            media.ice_pwd(),
            media.is_end_of_candidates(),
        );
    }
    let _ = format!("{description:?}");
}

fn address(address: &NameAddr<'_>) {
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
    params
        .iter()
        .take(100)
        .for_each(|(name, _)| drop(params.text(name)));
}
