//! What must hold for arbitrary input.

use clearline_core::sip::{
    HeaderName, Message, Method, NameAddr, RequestBuilder, ResponseBuilder, Uri, UriBuf, quote,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::exercise::{describe, exercise};

/// Lines that look like a message often enough to get far.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just("INVITE sip:a@h SIP/2.0".to_owned()),
        Just("SIP/2.0 200 OK".to_owned()),
        "[A-Z]{1,6} [a-z:@.;=?]{1,20} SIP/[0-9.]{1,3}",
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "Via", "v", "From", "t", "Contact", "m", "CSeq", "l", "Route", "Reason", "c"
        ])
        .prop_map(str::to_owned),
        "[A-Za-z-]{1,12}",
    ];
    let value = prop_oneof![
        "[ -~\t]{0,40}",
        "(\"[^\r\n]{0,9}\" ?)?<?sips?:[a-z%@:;=?]{0,20}>?(;[a-z]{1,5}(=[a-z\"]{0,5})?){0,3}",
        "SIP */ *2.0 */ *[A-Z]{2,4} +[a-z.:0-9\\[\\]]{1,12}(;[a-z]{1,6}(=[a-z0-9]{0,6})?){0,3}(, *)?",
        "[0-9]{1,12} ?[A-Z]{0,8}",
        "\\PC{0,30}",
        "[a-z]{0,4}\r?\n [a-z]{0,4}",
    ];
    (start, vec((name, value), 0..12), vec(any::<u8>(), 0..40)).prop_map(|(start, headers, body)| {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        [format!("{start}\r\n{headers}\r\n").into_bytes(), body].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_cause_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(message) = Message::parse(bytes) {
            exercise(&message);
        }
    }

    #[test]
    fn nearly_messages_never_cause_a_panic(bytes in nearly_a_message()) {
        if let Ok(message) = Message::parse(bytes) {
            exercise(&message);
        }
    }

    #[test]
    fn arbitrary_text_never_causes_a_panic(text in "\\PC{0,60}") {
        if let Ok(uri) = Uri::parse(&text) {
            crate::exercise::uri(&uri);
        }
        let _ = NameAddr::parse(&text).map(|address| address.tag().map(str::len));
        describe(&format!("v=0\n{text}"));
        describe(&format!("v=0\nm=audio 9 RTP/AVP 0\na={text}"));
    }

    #[test]
    fn what_is_built_is_what_is_read(
        method in "[A-Z]{1,10}",
        user in "\\PC{1,20}",
        headers in vec(("X-[a-z]{1,8}", "\\PC{0,30}"), 0..10),
        body in vec(any::<u8>(), 0..100),
    ) {
        let uri = UriBuf::sip(&user, "example.com").unwrap();
        let start = RequestBuilder::new(Method::from(method.as_str()), uri.as_uri());
        let build = headers.iter().fold(start, |build, (name, value)| build.header(HeaderName::from(name.as_str()), value));
        let built = build.body("application/octet-stream", &body).build();

        let read = Message::parse(built.as_bytes()).unwrap();
        prop_assert_eq!(&read, &built);
        prop_assert!(read.headers().eq(built.headers()));
        prop_assert_eq!(read.method().as_str(), method);
        prop_assert_eq!(read.request_uri().unwrap().user_decoded(), user);
        prop_assert_eq!(read.body(), body);
        prop_assert_eq!(read.headers().count(), headers.len() + 2);
        for ((_, value), (_, wanted)) in read.headers().zip(&headers) {
            let cleaned: String = wanted.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect();
            prop_assert_eq!(value, cleaned.trim_matches([' ', '\t']));
        }
    }

    #[test]
    fn names_survive_quoting(name in any::<String>(), tag in "[a-z0-9]{1,10}") {
        let uri = UriBuf::parse("sip:a@example.com").unwrap();
        let built = RequestBuilder::new(Method::Info, uri.as_uri())
            .header(HeaderName::From, format_args!("{} <{uri}>;tag={tag}", quote(&name)))
            .build();
        let read = Message::parse(built.as_bytes()).unwrap();
        let from = read.from().unwrap();
        let shown = from.display_name.map(|name| name.decode().into_owned()).unwrap_or_default();
        let cleaned: String = name.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect();
        prop_assert_eq!(shown, cleaned);
        prop_assert_eq!(from.tag(), Some(tag.as_str()));
        prop_assert_eq!(read.headers().count(), 2);
    }

    #[test]
    fn no_text_makes_a_header(text in "(\\PC|\r|\n|: ?|Evil|\\x00){0,20}") {
        let uri = UriBuf::sip(&text, "example.com").unwrap();
        let request = RequestBuilder::new(Method::Other(&text), uri.as_uri())
            .header(HeaderName::To, format_args!("{} <{uri}>", quote(&text)))
            .header(HeaderName::Subject, &text)
            .build();
        let request = request.edit().append(HeaderName::Warning, &text).set_request_uri(&text).build();
        let response = ResponseBuilder::for_request(&request, 200).reason(&text).to_tag(&text).build();
        prop_assert_eq!(Message::parse(request.as_bytes()).map(|it| it.headers().count()).ok(),
            (!text.is_empty()).then_some(4));
        prop_assert_eq!(Message::parse(response.as_bytes()).unwrap().headers().count(), 2);
    }

    #[test]
    fn edits_keep_what_they_do_not_touch(bytes in nearly_a_message()) {
        let Ok(message) = Message::parse(bytes) else { return Ok(()) };
        let edited = message.edit().set(HeaderName::Other("X-Added"), 1).build();
        let others = |message: &Message| -> Vec<(String, String)> {
            let kept = message.headers().filter(|(name, _)| {
                *name != HeaderName::ContentLength && *name != HeaderName::Other("X-Added")
            });
            kept.map(|(name, value)| (name.to_string(), value.to_owned())).collect()
        };
        prop_assert_eq!(others(&edited), others(&message));
        prop_assert_eq!(edited.body(), message.body());
    }
}
