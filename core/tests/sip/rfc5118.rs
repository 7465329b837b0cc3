//! IPv6 in SIP, after the cases of RFC 5118 section 4.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::net::IpAddr;

use clearline_core::session_description::SessionDescription;
use clearline_core::sip::{Message, ResponseBuilder, Uri};

use crate::exercise::exercise;

/// A REGISTER with this Request-URI, Via and Contact.
fn register(uri: &str, via: &str, contact: &str) -> Message {
    let text = format!(
        "REGISTER {uri} SIP/2.0\r\nTo: sip:user@example.com\r\nFrom: sip:user@example.com;tag=81x2\r\nVia: {via}\r\n\
         Call-ID: SSG9559905523997077@hlau_4100\r\nMax-Forwards: 70\r\nContact: {contact}\r\nCSeq: 98176 REGISTER\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let message = Message::parse(text.as_bytes()).unwrap();
    exercise(&message);
    message
}

const VIA: &str = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111";
const CONTACT: &str = "\"Caller\" <sip:caller@[2001:db8::1]>";

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// 4.1
#[test]
fn an_address_in_brackets_is_a_host() {
    let message = register("sip:[2001:db8::10]", VIA, CONTACT);
    assert_eq!(message.validate(), Ok(()));
    assert_eq!(message.request_uri().unwrap().host_ip(), ip("2001:db8::10"));
    assert_eq!(message.top_via().unwrap().host, "[2001:db8::9:1]");
    let contact = message.contacts().next().unwrap().unwrap().address().unwrap();
    assert_eq!(contact.uri.host(), Some("[2001:db8::1]"));
}

/// 4.2
#[test]
fn an_address_without_brackets_is_refused() {
    let message = register("sip:2001:db8::10", VIA, CONTACT);
    assert_eq!(message.validate().unwrap_err().reason, "Bad Request-URI");
    assert_eq!(message.request_uri_text(), Some("sip:2001:db8::10"));
}

/// 4.3: the port ambiguity: digits within the brackets belong to the address
#[test]
fn a_port_within_the_brackets_is_part_of_the_address() {
    let message = register("sip:[2001:db8::10:5070]", VIA, CONTACT);
    let uri = message.request_uri().unwrap();
    assert_eq!((uri.host_ip(), uri.port()), (ip("2001:db8::10:5070"), None));
}

/// 4.4: and those behind them are the port
#[test]
fn a_port_behind_the_brackets_is_the_port() {
    let message = register("sip:[2001:db8::10]:5070", VIA, CONTACT);
    let uri = message.request_uri().unwrap();
    assert_eq!((uri.host_ip(), uri.port()), (ip("2001:db8::10"), Some(5070)));
}

/// 4.5: brackets are left out by the grammar but put by many
#[test]
fn received_is_read_with_and_without_brackets() {
    for received in ["2001:db8::9:255", "[2001:db8::9:255]"] {
        let message = register("sip:example.com", &format!("{VIA};received={received}"), CONTACT);
        assert_eq!(message.validate(), Ok(()));
        assert_eq!(message.top_via().unwrap().received(), Some(received));
        assert_eq!(message.top_via().unwrap().branch(), Some("z9hG4bKas3-111"));
        let response = ResponseBuilder::for_request(&message, 200).build();
        assert_eq!(response.top_via().unwrap().received(), Some(received));
    }
}

/// 4.7: hosts of several kinds, one line or several
#[test]
fn vias_of_both_families_mix() {
    let via = "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111,SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144";
    let message = register("sip:user@example.com", via, CONTACT);
    let hops: Vec<_> = message
        .vias()
        .map(Result::unwrap)
        .map(|via| (via.host, via.port))
        .collect();
    assert_eq!(hops, [("[2001:db8::9:1]", Some(6050)), ("192.0.2.1", None)]);
}

/// 4.6 and 4.8
#[test]
fn descriptions_hold_addresses_without_brackets() {
    let text = "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed\r\nt=3338481189 3370017201\r\n\
                m=audio 6000 RTP/AVP 2\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:2 G726-32/8000\r\n\
                m=video 6024 RTP/AVP 107\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:107 H263-1998/90000\r\n";
    let description = SessionDescription::parse(text).unwrap();
    assert_eq!(description.origin().unwrap().address, "2001:db8::20");
    let addresses: Vec<_> = description
        .media()
        .map(|media| media.connection_address())
        .collect();
    assert_eq!(addresses, [Some("2001:db8::1"), Some("192.0.2.1")]);
}

/// 4.9
#[test]
fn mapped_addresses_are_hosts() {
    let message = register(
        "sip:user@example.com",
        "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
        CONTACT,
    );
    assert_eq!(message.validate(), Ok(()));
    let via = message.top_via().unwrap();
    assert_eq!((via.host, via.port), ("[::ffff:192.0.2.10]", Some(19823)));
    assert_eq!(
        Uri::parse("sip:[::ffff:192.0.2.10]").unwrap().host_ip(),
        ip("::ffff:192.0.2.10")
    );
}

/// 4.10: the third colon that RFC 3261's grammar lets in is ignored
#[test]
fn one_colon_too_many_is_forgiven() {
    let message = register("sip:user@[2001:db8:::192.0.2.1]", VIA, CONTACT);
    assert_eq!(message.validate(), Ok(()));
    assert_eq!(
        message.request_uri().unwrap().host_ip(),
        ip("2001:db8::192.0.2.1")
    );
    assert!(Uri::parse("sip:[2001:::db8:::192.0.2.1]").is_err());
}

#[test]
fn spellings_of_one_address_are_one_host() {
    let same = |a: &str, b: &str| Uri::parse(a).unwrap().equivalent(&Uri::parse(b).unwrap());
    assert!(same("sip:a@[2001:db8::9:1]", "sip:a@[2001:0DB8:0:0:0:0:9:1]"));
    assert!(!same("sip:a@[2001:db8::9:1]", "sip:a@[2001:db8::9:2]"));
    assert!(!same("sip:a@[2001:db8::9:1]", "sip:a@[2001:db8::9:1]:5060"));
}
