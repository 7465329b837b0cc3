//! Compares the SIP reader of the core with one that others wrote: what `rsip` reads, the core must read alike.
//!
//! `rsip` rejects much that is valid, and that is no finding; where it reads something in another way than RFC 3261
//! says, the case is named here.
#![cfg(test)]

use clearline_core::sip::{
    HeaderName, Message, Method, ParseError, RequestBuilder, Scheme, Uri, UriBuf, quote,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rsip::SipMessage;
use rsip::prelude::{HasHeaders, HeadersExt, ToTypedHeader};

macro_rules! torture {
    ($($name:literal)*) => {
        const TORTURE: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!("../../../core/tests/data/rfc4475/", $name, ".dat")))),*];
    };
}

torture! {
    "badaspec" "badbranch" "baddate" "baddn" "badinv01" "badvers" "bcast" "bext01" "bigcode" "clerr" "cparam01"
    "cparam02" "dblreq" "esc01" "esc02" "escnull" "escruri" "insuf" "intmeth" "inv2543" "invut" "longreq" "ltgtruri"
    "lwsdisp" "lwsruri" "lwsstart" "mcl01" "mismatch01" "mismatch02" "mpart01" "multi01" "ncl" "noreason" "novelsc"
    "quotbal" "regaut01" "regbadct" "regescrt" "scalar02" "scalarlg" "sdp01" "semiuri" "transports" "trws" "unkscm"
    "unksm2" "unreason" "wsinv" "zeromf"
}

/// What the core refuses although the other crate reads it.
const REFUSED: [(&str, ParseError); 4] = [
    ("baddn", ParseError::Truncated),
    (
        "clerr",
        ParseError::BodyTooShort {
            expected: 9999,
            actual: 154,
        },
    ),
    ("mcl01", ParseError::ContentLength),
    ("ncl", ParseError::ContentLength),
];

/// What the other crate reads in another way than RFC 4475 says: it loses user parts with a dot
/// (`j.user`), and parameters with white space around the `=`.
const MISREAD: [(&str, &[&str]); 9] = [
    ("badaspec", &["From"]),
    ("badinv01", &["To"]),
    ("badvers", &["Request-URI", "From", "To"]),
    ("dblreq", &["From", "To"]),
    ("esc01", &["Request-URI"]),
    ("invut", &["To"]),
    ("mismatch01", &["To"]),
    ("regaut01", &["From", "To"]),
    ("wsinv", &["To tag"]),
];

fn misread(name: &str) -> &'static [&'static str] {
    MISREAD
        .iter()
        .find(|(own, _)| *own == name)
        .map_or(&[], |(_, what)| what)
}

#[test]
fn torture_messages_that_both_read_are_read_alike() {
    let mut compared = 0;
    for (name, bytes) in TORTURE {
        let Ok(theirs) = SipMessage::try_from(*bytes) else {
            continue;
        };
        match Message::parse(*bytes) {
            Ok(ours) => {
                assert_eq!(differences(&ours, &theirs), misread(name), "{name}");
                compared += 1;
            }
            Err(error) => assert!(REFUSED.contains(&(name, error.clone())), "{name}: {error}"),
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn torture_messages_survive_the_way_there_and_back() {
    let mut converted = 0;
    for (name, bytes) in TORTURE {
        let Ok(ours) = Message::parse(*bytes) else {
            continue;
        };
        let Ok(theirs) = SipMessage::try_from(&ours) else {
            continue;
        };
        assert_eq!(differences(&ours, &theirs), misread(name), "{name}");
        let Ok(back) = Message::try_from(&theirs) else {
            panic!("{name} does not come back")
        };
        assert_eq!(
            (back.method(), back.status(), back.body()),
            (ours.method(), ours.status(), ours.body()),
            "{name}"
        );
        let hops = |message: &Message| {
            message
                .vias()
                .flatten()
                .map(|via| via.sent_by().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(hops(&back), hops(&ours), "{name}");
        converted += 1;
    }
    assert!(converted >= 25, "{converted}");
}

#[test]
fn methods_convert() {
    for method in rsip::Method::all() {
        assert_eq!(rsip::Method::try_from(Method::from(method)).ok(), Some(method));
    }
    assert!(rsip::Method::try_from(Method::Other("invite")).is_err());
    assert!(rsip::Method::try_from(Method::Other("NEWMETHOD")).is_err());
}

#[test]
fn uris_convert_or_are_refused() {
    for text in [
        "sip:alice@example.com:5070;transport=tcp;lr",
        "sips:example.com",
        "sip:a%20b:pw@192.0.2.1",
    ] {
        let ours = Uri::parse(text).unwrap();
        let theirs = rsip::Uri::try_from(ours).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(theirs.user(), ours.user());
        assert!(
            UriBuf::try_from(&theirs).unwrap().as_uri().equivalent(&ours),
            "{text}"
        );
    }
    for text in ["sip:a@[2001:db8::1]", "sip:a@h?Subject=x", "tel:+4930123"] {
        assert!(rsip::Uri::try_from(Uri::parse(text).unwrap()).is_err(), "{text}");
    }
}

#[test]
fn binary_bodies_survive() {
    let uri = UriBuf::parse("sip:a@h").unwrap();
    let ours = RequestBuilder::new(Method::Message, uri.as_uri())
        .body("a/b", b"\xff\0\xfe")
        .build();
    let theirs = SipMessage::try_from(&ours).unwrap();
    assert_eq!(Message::try_from(&theirs).unwrap().body(), b"\xff\0\xfe");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Ordinary messages, which both must read.
    #[test]
    fn ordinary_messages_are_read_alike(
        method in prop::sample::select(vec![Method::Invite, Method::Register, Method::Options, Method::Subscribe]),
        user in "[a-z0-9]{1,8}",
        host in "[a-z]{1,8}\\.example",
        name in "[A-Za-z ]{0,10}",
        tag in "[a-z0-9]{1,8}",
        number in 1_u32..1_000_000,
        vias in vec("[a-z]{1,8}\\.example;branch=z9hG4bK[a-z0-9]{1,12}", 1..4),
        extra in vec(("X-[a-z]{1,8}", "[!-~][ -~]{0,20}[!-~]"), 0..5),
        body in "[ -~]{0,50}",
    ) {
        let uri = UriBuf::sip(&user, &host).unwrap();
        let start = RequestBuilder::new(method, uri.as_uri());
        let start = vias.iter().fold(start, |it, via| it.header(HeaderName::Via, format_args!("SIP/2.0/TCP {via}")));
        let start = start
            .header(HeaderName::From, format_args!("{} <{uri}>;tag={tag}", quote(&name)))
            .header(HeaderName::To, format_args!("<{uri}>"))
            .header(HeaderName::CallId, &tag)
            .header(HeaderName::CSeq, format_args!("{number} {method}"));
        let ours = extra
            .iter()
            .fold(start, |it, (name, value)| it.header(HeaderName::from(name.as_str()), value))
            .body("text/plain", body.as_bytes())
            .build();
        let theirs = SipMessage::try_from(ours.as_bytes());
        prop_assert!(theirs.is_ok(), "{theirs:?}");
        prop_assert_eq!(differences(&ours, &theirs.unwrap()), [""; 0]);
    }
}

/// Where the two differ. Values of headers are compared word by word, because white space is kept in different ways.
fn differences(ours: &Message, theirs: &SipMessage) -> Vec<&'static str> {
    let mut found = Differences(Vec::new());
    match theirs {
        SipMessage::Request(request) => {
            found.check("method", ours.method() == Method::from(request.method));
            found.uri("Request-URI", ours.request_uri(), &request.uri);
        }
        SipMessage::Response(response) => {
            found.check("status", ours.status() == Some(response.status_code.code()));
        }
    }
    // They keep what follows a body.
    found.check("body", theirs.body().starts_with(ours.body()));
    found.headers(ours, theirs);
    found.typed(ours, theirs);
    found.0
}

struct Differences(Vec<&'static str>);

impl Differences {
    fn check(&mut self, what: &'static str, is_same: bool) {
        if !is_same && !self.0.contains(&what) {
            self.0.push(what);
        }
    }

    fn uri(&mut self, what: &'static str, ours: Option<Uri<'_>>, theirs: &rsip::Uri) {
        // Other schemes are read as if they had a host.
        let Some(ours) = ours.filter(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips)) else {
            return;
        };
        let host = theirs.host().to_string();
        self.check(what, ours.user() == theirs.user());
        self.check(
            what,
            ours.host().is_some_and(|own| own.eq_ignore_ascii_case(&host)),
        );
        self.check(what, ours.port() == theirs.port().map(|port| *port.value()));
    }

    fn headers(&mut self, ours: &Message, theirs: &SipMessage) {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for header in theirs.headers().iter() {
            let text = header.to_string();
            let (name, value) = text.split_once(':').unwrap_or_default();
            let name = HeaderName::from(name.trim());
            let is_value = |own: &str| words(own) == words(value);
            self.check(
                "headers",
                ours.header_all(name).any(is_value) || ours.header_list(name).any(is_value),
            );
        }
    }

    fn typed(&mut self, ours: &Message, theirs: &SipMessage) {
        if let (Ok(ours), Ok(theirs)) = (ours.from(), theirs.from_header().and_then(|it| it.typed())) {
            self.check("From tag", ours.tag() == theirs.tag().map(|tag| tag.value()));
            self.uri("From", Some(ours.uri), &theirs.uri);
        }
        if let (Ok(ours), Ok(theirs)) = (ours.to(), theirs.to_header().and_then(|it| it.typed())) {
            self.check("To tag", ours.tag() == theirs.tag().map(|tag| tag.value()));
            self.uri("To", Some(ours.uri), &theirs.uri);
        }
        if let (Ok(ours), Ok(theirs)) = (ours.cseq(), theirs.cseq_header().and_then(|it| it.typed())) {
            self.check(
                "CSeq",
                (ours.number, ours.method) == (theirs.seq, Method::from(theirs.method)),
            );
        }
        if let (Ok(ours), Ok(theirs)) = (ours.top_via(), theirs.via_header().and_then(|it| it.typed())) {
            self.check(
                "branch",
                ours.branch() == theirs.branch().map(|branch| branch.value()),
            );
            self.check(
                "transport",
                ours.transport.eq_ignore_ascii_case(&theirs.transport.to_string()),
            );
        }
    }
}
