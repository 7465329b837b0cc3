//! The messages of RFC 4475, each with its section and what a reader has to make of it. Where the RFC leaves a choice,
//! the comment says which was made. What depends on a role (registrar, proxy, end point) is tested with that role.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::session_description::SessionDescription;
use clearline_core::sip::{HeaderError, HeaderName, Message, Method, NameAddr, ParseError, Scheme};

use crate::exercise::exercise;
use crate::torture::{ALL, bytes};

/// A message whose framing is right.
fn read(name: &str) -> Message {
    let message = Message::parse(bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    exercise(&message);
    message
}

/// A message to be processed.
fn valid(name: &str) -> Message {
    let message = read(name);
    assert_eq!(message.validate(), Ok(()), "{name}");
    message
}

/// Status and reason with which a message is refused that can be read.
fn refused(name: &str) -> (u16, &'static str) {
    let defect = read(name).validate().expect_err(name);
    (defect.status, defect.reason)
}

fn display_name(address: &NameAddr<'_>) -> String {
    address
        .display_name
        .map(|name| name.decode().into_owned())
        .unwrap_or_default()
}

fn contacts(message: &Message) -> Vec<NameAddr<'_>> {
    message
        .contacts()
        .map(|contact| contact.unwrap().address().unwrap())
        .collect()
}

fn branches(message: &Message) -> Vec<Option<&str>> {
    message.vias().map(|via| via.unwrap().branch()).collect()
}

#[test]
fn all_messages_are_here() {
    assert_eq!(ALL.len(), 49);
}

// 3.1.1 Valid messages

/// 3.1.1.1
#[test]
fn wsinv() {
    let message = valid("wsinv");
    assert_eq!(message.method(), Method::Invite);
    assert!(message.request_uri().unwrap().params().has("unknownparam"));
    assert_eq!(message.to().unwrap().tag(), Some("1918181833n"));
    let from = message.from().unwrap();
    assert_eq!(
        (display_name(&from).as_str(), from.tag()),
        (r#"J Rosenberg \""#, Some("98asjd8"))
    );
    assert_eq!(message.max_forwards(), Ok(Some(68)));
    let cseq = message.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
    assert_eq!(
        branches(&message),
        [Some("390skdjuw"), Some("z9hG4bK9ikj8"), Some("z9hG4bK30239")]
    );
    let transports: Vec<_> = message.vias().map(|via| via.unwrap().transport).collect();
    assert_eq!(transports, ["UDP", "TCP", "UDP"]);
    assert_eq!(message.header(HeaderName::Subject), Some(""));
    let folded = message.header(HeaderName::Other("newfangledheader")).unwrap();
    assert!(folded.starts_with("newfangled value ") && folded.ends_with(" continued newfangled value"));
    assert_eq!(
        message.header(HeaderName::Other("UnknownHeaderWithUnusualValue")),
        Some(";;,,;;,;")
    );
    let route = message.routes().next().unwrap().unwrap();
    assert!(route.uri.is_loose_router());
    assert_eq!(route.uri.params().value("unknownwith"), Some("value"));
    let contact = contacts(&message)[0];
    assert_eq!(display_name(&contact), r#"Quoted string """#);
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert!(contact.params.has("secondparam"));
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(message.body().len(), 150);
    assert!(message.content_type().unwrap().is("application/sdp"));
}

/// 3.1.1.2
#[test]
fn intmeth() {
    let message = valid("intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(message.method(), Method::Other(method));
    assert_eq!(message.cseq().unwrap().method, Method::Other(method));
    let uri = message.request_uri().unwrap();
    assert_eq!(
        uri.user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    assert_eq!(uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(uri.host(), Some("example.com"));
    assert_eq!(branches(&message), [Some("z9hG4bK-.!%66*_+`'~")]);
    assert_eq!(
        display_name(&message.to().unwrap()),
        "BEL:\u{7} NUL:\0 DEL:\u{7f}"
    );
    let from = message.from().unwrap();
    assert_eq!(display_name(&from), "token1~` token2'+_ token3*%!.-");
    assert_eq!(
        from.params.text("fromParam''~+*_!.-%").as_deref(),
        Some("\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}")
    );
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    assert_eq!(
        message.call_id(),
        Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")
    );
    assert_eq!(
        message.header(HeaderName::Other("extensionHeader-!.%*+_`'~")),
        Some("\u{feff}\u{5927}\u{505c}\u{96fb}")
    );
    assert_eq!(message.max_forwards(), Ok(Some(255)));
}

/// 3.1.1.3
#[test]
fn esc01() {
    let message = valid("esc01");
    assert_eq!(
        message.request_uri().unwrap().user_decoded(),
        "sips:user@example.com"
    );
    assert_eq!(message.request_uri().unwrap().host(), Some("example.net"));
    assert_eq!(message.to().unwrap().uri.user_decoded(), "user");
    assert_eq!(message.from().unwrap().uri.user_decoded(), "I have spaces");
    let contact = contacts(&message)[0];
    assert_eq!(contact.uri.user_decoded(), "caller");
    assert_eq!(
        contact.uri.params().value("n%61me"),
        Some("v%61lue%25%34%31"),
        "kept as written"
    );
}

/// 3.1.1.4
#[test]
fn escnull() {
    let message = valid("escnull");
    assert_eq!(message.to().unwrap().uri.user_decoded(), "null-\0-null");
    let users: Vec<_> = contacts(&message)
        .iter()
        .map(|contact| contact.uri.user_decoded())
        .collect();
    assert_eq!(users, ["\0", "\0\0"]);
    let [one, two] = contacts(&message).try_into().unwrap();
    assert!(!one.uri.equivalent(&two.uri), "a registrar keeps both");
}

/// 3.1.1.5: the registrar's case, and it is not REGISTER
#[test]
fn esc02() {
    let message = valid("esc02");
    assert_eq!(message.method(), Method::Other("RE%47IST%45R"));
    assert_ne!(message.method(), Method::Register);
    assert_eq!(display_name(&message.to().unwrap()), "%Z%45");
    assert_eq!(branches(&message), [Some("z9hG4bK209%fzsnel234")]);
    assert_eq!(contacts(&message).len(), 2, "C%6Fntact is another header");
    assert_eq!(
        message.header(HeaderName::Other("C%6Fntact")),
        Some("<sip:alias2@host2.example.com>")
    );
}

/// 3.1.1.6
#[test]
fn lwsdisp() {
    let message = valid("lwsdisp");
    let from = message.from().unwrap();
    assert_eq!(
        (display_name(&from).as_str(), from.tag()),
        ("caller", Some("323"))
    );
}

/// 3.1.1.7
#[test]
fn longreq() {
    let message = valid("longreq");
    let vias: Vec<_> = message.vias().map(Result::unwrap).collect();
    assert_eq!(vias.len(), 34);
    assert_eq!(
        (vias[0].host, vias[33].host),
        ("sip33.example.com", "host.example.com")
    );
    assert!(vias[33].branch().unwrap().ends_with("branchvalue"));
    assert_eq!(vias[33].received(), Some("192.0.2.5"));
    let to = message.to().unwrap();
    assert!(display_name(&to).starts_with("I have a user name of extremeextreme"));
    assert_eq!((to.uri.port(), to.uri.params().iter().count()), (Some(6000), 3));
    assert!(message.from().unwrap().tag().unwrap().starts_with("1298"));
    assert_eq!(message.from().unwrap().params.iter().count(), 3);
    assert_eq!(message.body().len(), 150);
}

/// 3.1.1.8: only the REGISTER counts
#[test]
fn dblreq() {
    let message = valid("dblreq");
    assert_eq!(message.method(), Method::Register);
    assert_eq!(message.body(), b"");
    assert!(message.as_bytes().len() < bytes("dblreq").len() / 2);
    assert_eq!(message.call_id(), Ok("dblreq.0ha0isndaksdj99sdfafnl3lk233412"));
}

/// 3.1.1.9
#[test]
fn semiuri() {
    let message = valid("semiuri");
    let uri = message.request_uri().unwrap();
    assert_eq!(
        (uri.user_decoded().as_ref(), uri.host()),
        ("user;par=u@example.net", Some("example.com"))
    );
    assert!(uri.params().is_empty());
    assert_eq!(message.header_list(HeaderName::Accept).count(), 6);
}

/// 3.1.1.10
#[test]
fn transports() {
    let message = valid("transports");
    let transports: Vec<_> = message.vias().map(|via| via.unwrap().transport).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

/// 3.1.1.11
#[test]
fn mpart01() {
    let message = valid("mpart01");
    let media_type = message.content_type().unwrap();
    assert!(media_type.is("multipart/mixed"));
    assert_eq!(media_type.params.value("boundary"), Some("7a9cbec02ceef655"));
    assert_eq!(message.body().len(), 553);
    assert_eq!(message.body().iter().filter(|byte| **byte == 0).count(), 2);
    assert_eq!(message.top_via().unwrap().rport(), Some(None));
    let forwarded = message.edit().build();
    assert_eq!(forwarded.body(), message.body(), "binary bodies pass unchanged");
}

/// 3.1.1.12
#[test]
fn unreason() {
    let message = valid("unreason");
    assert_eq!(message.status(), Some(200));
    let reason = message.reason().unwrap();
    assert!(
        reason.starts_with("= 2**3 * 5**2 \u{43d}\u{43e}")
            && reason.ends_with("\u{43f}\u{440}\u{43e}\u{441}\u{442}\u{43e}\u{435}")
    );
}

/// 3.1.1.13
#[test]
fn noreason() {
    let message = valid("noreason");
    assert_eq!((message.status(), message.reason()), (Some(100), Some("")));
}

// 3.1.2 Invalid messages

/// 3.1.2.1
#[test]
fn badinv01() {
    assert_eq!(refused("badinv01"), (400, "Bad or missing Via"));
    let message = read("badinv01");
    assert!(message.contacts().any(|contact| contact.is_err()));
}

/// 3.1.2.2: as a request it is answered with 400, for which the head is read alone
#[test]
fn clerr() {
    assert_eq!(
        Message::parse(bytes("clerr")),
        Err(ParseError::BodyTooShort {
            expected: 9999,
            actual: 154
        })
    );
    assert_eq!(Message::parse_head(bytes("clerr")).unwrap().validate(), Ok(()));
}

/// 3.1.2.3
#[test]
fn ncl() {
    assert_eq!(Message::parse(bytes("ncl")), Err(ParseError::ContentLength));
    assert!(Message::parse_head(bytes("ncl")).is_ok());
}

/// 3.1.2.4: the expiry values alone would not be fatal
#[test]
fn scalar02() {
    assert_eq!(refused("scalar02"), (400, "Bad or missing CSeq"));
    let message = read("scalar02");
    assert_eq!(
        message.max_forwards(),
        Err(HeaderError::Malformed(HeaderName::MaxForwards))
    );
    assert_eq!(
        message.expires(),
        Err(HeaderError::Malformed(HeaderName::Expires))
    );
    assert_eq!(
        contacts(&message)[0].params.value("expires"),
        Some("280297596632815")
    );
}

/// 3.1.2.5: a response with a defect is dropped
#[test]
fn scalarlg() {
    assert_eq!(refused("scalarlg"), (400, "Bad or missing CSeq"));
    assert_eq!(read("scalarlg").retry_after(), None);
}

/// 3.1.2.6
#[test]
fn quotbal() {
    assert_eq!(refused("quotbal"), (400, "Bad or missing To"));
}

/// 3.1.2.7: rejected, not repaired
#[test]
fn ltgtruri() {
    assert_eq!(refused("ltgtruri"), (400, "Bad Request-URI"));
    assert_eq!(
        read("ltgtruri").request_uri_text(),
        Some("<sip:user@example.com>")
    );
}

/// 3.1.2.8: rejected, not repaired
#[test]
fn lwsruri() {
    assert_eq!(refused("lwsruri"), (400, "Bad Request-URI"));
}

/// 3.1.2.9: tolerated
#[test]
fn lwsstart() {
    let message = valid("lwsstart");
    assert_eq!(message.request_uri().unwrap().as_str(), "sip:user@example.com");
}

/// 3.1.2.10: tolerated
#[test]
fn trws() {
    assert_eq!(valid("trws").method(), Method::Options);
}

/// 3.1.2.11: rejected
#[test]
fn escruri() {
    assert_eq!(refused("escruri"), (400, "Request-URI with headers"));
}

/// 3.1.2.12: Date is of no use here, so it harms nobody
#[test]
fn baddate() {
    assert_eq!(
        valid("baddate").header(HeaderName::Date),
        Some("Fri, 01 Jan 2010 16:00:00 EST")
    );
}

/// 3.1.2.13
#[test]
fn regbadct() {
    assert_eq!(refused("regbadct"), (400, "Bad Contact"));
}

/// 3.1.2.14: tolerated
#[test]
fn badaspec() {
    assert_eq!(
        valid("badaspec").to().unwrap().uri.as_str(),
        "sip:t.watson@example.org"
    );
}

/// 3.1.2.15. The archive's copy ends without an empty line, which alone makes it unreadable.
#[test]
fn baddn() {
    assert_eq!(Message::parse(bytes("baddn")), Err(ParseError::Truncated));
    let whole = [bytes("baddn"), b"\r\n\r\n"].concat();
    let defect = Message::parse(whole).unwrap().validate().unwrap_err();
    assert_eq!((defect.status, defect.reason), (400, "Bad or missing From"));
}

/// 3.1.2.16
#[test]
fn badvers() {
    assert_eq!(refused("badvers"), (505, "Version Not Supported"));
}

/// 3.1.2.17
#[test]
fn mismatch01() {
    assert_eq!(refused("mismatch01"), (400, "CSeq of another method"));
}

/// 3.1.2.18: 501 would be right as well
#[test]
fn mismatch02() {
    assert_eq!(refused("mismatch02"), (400, "CSeq of another method"));
}

/// 3.1.2.19: a response that must be dropped
#[test]
fn bigcode() {
    assert_eq!(Message::parse(bytes("bigcode")), Err(ParseError::StartLine));
}

// 3.2 Transaction layer

/// 3.2.1: the branch is there, but says nothing beyond the magic cookie
#[test]
fn badbranch() {
    assert_eq!(branches(&valid("badbranch")), [Some("z9hG4bK")]);
}

// 3.3 Application layer

/// 3.3.1
#[test]
fn insuf() {
    let message = read("insuf");
    assert_eq!(refused("insuf"), (400, "Bad or missing Call-ID"));
    assert_eq!(message.from().err(), Some(HeaderError::Missing(HeaderName::From)));
    assert_eq!(message.to().err(), Some(HeaderError::Missing(HeaderName::To)));
}

/// 3.3.2: for the end point to answer with 416
#[test]
fn unkscm() {
    let message = valid("unkscm");
    assert_eq!(
        message.request_uri().unwrap().scheme(),
        Scheme::Other("nobodyKnowsThisScheme")
    );
}

/// 3.3.3: for the end point to answer with 416
#[test]
fn novelsc() {
    assert_eq!(
        valid("novelsc").request_uri().unwrap().scheme(),
        Scheme::Other("soap.beep")
    );
}

/// 3.3.4: the registrar finds no such address of record
#[test]
fn unksm2() {
    let message = valid("unksm2");
    assert_eq!(message.to().unwrap().uri.scheme(), Scheme::Other("isbn"));
    assert_eq!(message.from().unwrap().uri.as_str(), "http://www.example.com");
    assert_eq!(contacts(&message)[0].uri.as_str(), "name:John_Smith");
}

/// 3.3.5: for end point and proxy to answer with 420
#[test]
fn bext01() {
    let message = valid("bext01");
    let required: Vec<_> = message.header_list(HeaderName::Require).collect();
    assert_eq!(required, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert!(message.lists_token(HeaderName::ProxyRequire, "noproxiessupportthis"));
}

/// 3.3.6: for the end point to answer with 415
#[test]
fn invut() {
    let message = valid("invut");
    assert!(message.content_type().unwrap().is("application/unknownformat"));
    assert_eq!(message.body().len(), 40);
}

/// 3.3.7: the registrar takes it for a request without credentials
#[test]
fn regaut01() {
    let message = valid("regaut01");
    let credentials = message.credentials().next().unwrap().unwrap();
    assert_eq!(credentials.scheme, "NoOneKnowsThisScheme");
    assert!(!credentials.is_digest());
}

/// 3.3.8
#[test]
fn multi01() {
    let (status, reason) = refused("multi01");
    assert_eq!(status, 400);
    assert!(reason.starts_with("Several "), "{reason}");
}

/// 3.3.9
#[test]
fn mcl01() {
    assert_eq!(Message::parse(bytes("mcl01")), Err(ParseError::ContentLength));
    let head = Message::parse_head(bytes("mcl01")).unwrap();
    assert_eq!(head.validate().unwrap_err().status, 400);
}

/// 3.3.10: an end point drops it, because the second Via is not its own
#[test]
fn bcast() {
    let message = valid("bcast");
    let hosts: Vec<_> = message.vias().map(|via| via.unwrap().host).collect();
    assert_eq!(hosts, ["192.0.2.198", "255.255.255.255"]);
}

/// 3.3.11: a proxy answers with 483, an end point processes it
#[test]
fn zeromf() {
    assert_eq!(valid("zeromf").max_forwards(), Ok(Some(0)));
}

/// 3.3.12: without brackets the parameter is the header's
#[test]
fn cparam01() {
    let message = valid("cparam01");
    let contact = contacts(&message)[0];
    assert!(contact.params.has("unknownparam") && contact.uri.params().is_empty());
    assert_eq!(contact.uri.as_str(), "sip:+19725552222@gw1.example.net");
}

/// 3.3.13: within brackets it is the URI's
#[test]
fn cparam02() {
    let message = valid("cparam02");
    let contact = contacts(&message)[0];
    assert!(contact.params.is_empty() && contact.uri.params().has("unknownparam"));
}

/// 3.3.14: the registrar keeps the escaped header in the binding
#[test]
fn regescrt() {
    let message = valid("regescrt");
    assert_eq!(
        contacts(&message)[0].uri.headers(),
        Some("Route=%3Csip:sip.example.com%3E")
    );
}

/// 3.3.15: no Accept that fits: 406 or an answer without a body
#[test]
fn sdp01() {
    let message = valid("sdp01");
    assert!(!message.lists_token(HeaderName::Accept, "application/sdp"));
    let description = SessionDescription::parse(std::str::from_utf8(message.body()).unwrap()).unwrap();
    let kinds: Vec<_> = description
        .media()
        .map(|media| (media.kind(), media.port()))
        .collect();
    assert_eq!(kinds, [("audio", 49217), ("video", 3227)]);
}

// 3.4 Backward compatibility

/// 3.4.1: no Max-Forwards, From tag, branch, Contact or Content-Length
#[test]
fn inv2543() {
    let message = valid("inv2543");
    assert_eq!(branches(&message), [None]);
    assert_eq!(message.from().unwrap().tag(), None);
    assert_eq!(message.max_forwards(), Ok(None));
    let to = message.to().unwrap();
    assert_eq!(
        (to.uri.as_str(), to.params.value("user")),
        ("sip:+16505552222@ss1.example.net", Some("phone"))
    );
    assert!(message.body().starts_with(b"v=0") && message.body().ends_with(b"RTP/AVP 0\r\n"));
}
