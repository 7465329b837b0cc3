//! IPv6 at a registered telephone, after the cases of RFC 5118 section 4.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Direction, MediaAction};

use crate::far_end::FarEnd;
use crate::ladder::Ladder;

/// A Via like those of the RFC.
const VIA: &str = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3";

/// A request as text, so that nothing of ours has written it.
fn request(method: &str, uri: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nTo: sip:user@example.com\r\nFrom: sip:caller@example.com;tag=81x2\r\n\
         Call-ID: SSG9559905523997077@hlau_4100\r\nMax-Forwards: 70\r\nCSeq: 8612 {method}\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn options(uri: &str) -> String {
    request("OPTIONS", uri, &format!("Via: {VIA}\r\n"), "")
}

/// Takes the one answer, which has to repeat these Vias.
fn answer(ladder: &mut Ladder, status: u16, vias: &[&str]) -> Message {
    let mut sent = ladder.take_sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let (_, response) = sent.remove(0);
    assert_eq!(response.status(), Some(status));
    let lines: Vec<_> = response.header_list(HeaderName::Via).collect();
    assert_eq!(lines, vias);
    response
}

/// An INVITE with these headers and this description is answered, and its call ended at `contact`.
fn is_a_call(headers: &str, contact: &str, offer: &str) {
    let mut ladder = Ladder::registered();
    let headers = format!("{headers}Contact: <{contact}>\r\nContent-Type: application/sdp\r\n");
    let invite = request("INVITE", "sip:user@[2001:db8::20]", &headers, offer);
    ladder.receive_bytes(invite.as_bytes());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    assert!(
        matches!(&ladder.media.take_log()[..], [MediaAction::CreateAnswer { offer: passed, .. }] if passed == offer),
        "the media backend gets the addresses as they came"
    );
    let ok = ladder.expect_response(200, Method::Invite);
    let ack = FarEnd::ack_refusal(&Message::parse(invite.as_bytes()).unwrap(), &ok);
    let ack = ack.edit().set(HeaderName::Via, format_args!("{VIA}ack")).build();
    ladder.receive(&ack);
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.request_uri_text(), Some(contact));
    ladder.respond(&bye, 200);
    assert_eq!(ladder.state(call), CallState::Ended);
}

/// 4.1: a user agent is no registrar, whatever its address; and is asked at an address in brackets.
#[test]
fn an_address_in_brackets_is_reached() {
    let mut ladder = Ladder::registered();
    let contact = "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n";
    let headers = format!("Via: {VIA}\r\n{contact}");
    ladder.receive_bytes(request("REGISTER", "sip:[2001:db8::10]", &headers, "").as_bytes());
    answer(&mut ladder, 405, &[VIA]);
    ladder.receive_bytes(options("sip:user@[2001:db8::10]").as_bytes());
    answer(&mut ladder, 200, &[VIA]);
}

/// 4.2: without brackets the address cannot be told from a port.
#[test]
fn an_address_without_brackets_is_refused() {
    let mut ladder = Ladder::registered();
    ladder.receive_bytes(options("sip:2001:db8::10").as_bytes());
    answer(&mut ladder, 400, &[VIA]);
}

/// 4.3 and 4.4: within the brackets it is the address, behind them the port; both are good URIs.
#[test]
fn a_port_within_or_behind_the_brackets_is_no_matter() {
    for uri in ["sip:[2001:db8::10:5070]", "sip:[2001:db8::10]:5070"] {
        let mut ladder = Ladder::registered();
        ladder.receive_bytes(options(uri).as_bytes());
        answer(&mut ladder, 200, &[VIA]);
    }
}

/// 4.5: what the neighbour has noted goes back to it in its own spelling.
#[test]
fn received_goes_back_as_it_came() {
    for received in ["[2001:db8::9:255]", "2001:db8::9:255"] {
        let via = format!("SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111");
        let mut ladder = Ladder::registered();
        let bye = request("BYE", "sip:[2001:db8::10]", &format!("Via: {via}\r\n"), "");
        ladder.receive_bytes(bye.as_bytes());
        answer(&mut ladder, 481, &[&via]);
    }
}

/// 4.6: addresses in a description are the media backend's.
#[test]
fn a_call_with_ipv6_in_its_description() {
    is_a_call(
        &format!("Via: {VIA}\r\n"),
        "sip:caller@[2001:db8::20]",
        "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed for today's meeting\r\n\
         c=IN IP6 2001:db8::20\r\nt=3338481189 3370017201\r\nm=audio 6000 RTP/AVP 2\r\na=rtpmap:2 G726-32/8000\r\n\
         m=video 6024 RTP/AVP 107\r\na=rtpmap:107 H263-1998/90000\r\n",
    );
}

/// 4.7: a path over both families, in one line and in several.
#[test]
fn vias_of_both_families_go_back_in_order() {
    let vias = [
        "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
        "SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
    ];
    let mut ladder = Ladder::registered();
    let headers = format!("Via: {},{}\r\nVia: {}\r\n", vias[0], vias[1], vias[2]);
    ladder.receive_bytes(request("BYE", "sip:user@host.example.net", &headers, "").as_bytes());
    answer(&mut ladder, 481, &vias);
}

/// 4.8: each stream has an address of its own family.
#[test]
fn a_call_with_both_families_in_its_description() {
    is_a_call(
        &format!("Via: {VIA}\r\n"),
        "sip:caller@[2001:db8::20]:5062",
        "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\nm=audio 22334 RTP/AVP 0\r\n\
         c=IN IP4 192.0.2.1\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n",
    );
}

/// 4.9: IPv4 addresses in IPv6 clothes.
#[test]
fn a_call_with_mapped_addresses() {
    is_a_call(
        "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19\r\n\
         Via: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111\r\n\
         Record-Route: <sip:[::ffff:192.0.2.10];lr>\r\n",
        "sip:bob@[::ffff:192.0.2.10]:19823",
        "v=0\r\no=bob 280744730 28977631 IN IP6 ::ffff:192.0.2.2\r\ns=\r\nc=IN IP6 ::ffff:192.0.2.2\r\nt=0 0\r\n\
         m=audio 22334 RTP/AVP 0\r\n",
    );
}

/// 4.10: one colon too many, which the grammar of RFC 3261 let in, is forgiven; a second is not.
#[test]
fn one_colon_too_many_is_forgiven() {
    let mut ladder = Ladder::registered();
    ladder.receive_bytes(options("sip:user@[2001:db8:::192.0.2.1]").as_bytes());
    answer(&mut ladder, 200, &[VIA]);
    let mut ladder = Ladder::registered();
    ladder.receive_bytes(options("sip:user@[2001:::db8:::192.0.2.1]").as_bytes());
    answer(&mut ladder, 400, &[VIA]);
}

/// The other way round: a call to an address, and a far end that has moved to one.
#[test]
fn calling_an_address() {
    let mut ladder = Ladder::registered();
    ladder.dial(crate::ladder::CALL, "sip:bob@[2001:db8::20]:5070");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.request_uri_text(), Some("sip:bob@[2001:db8::20]:5070"));
    let far = FarEnd::called(&invite, "v6");
    let ok = far.accepts(&invite, Direction::SendRecv);
    let ok = ok
        .edit()
        .set(HeaderName::Contact, "<sip:bob@[2001:db8::21]>")
        .set(HeaderName::RecordRoute, "<sip:[2001:db8::1]:5060;lr>")
        .build();
    ladder.receive(&ok);
    let ack = ladder.expect(Method::Ack);
    assert_eq!(ack.request_uri_text(), Some("sip:bob@[2001:db8::21]"));
    assert_eq!(ack.header(HeaderName::Route), Some("<sip:[2001:db8::1]:5060;lr>"));
}
