//! The call flows of RFC 3665 as registrar and proxy see them. This platform is both proxies of the RFC in one; flows
//! between two of them (3.4 to 3.6), and those that leave the path alone (3.7), are tested at the telephone.

use clearline_core::Duration;
use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, ResponseBuilder};
use clearline_pbx::{DisconnectReason, UserId};

use crate::net::{Dialog, Net, Phone, ack_of, cancel_of, is_contact_of, seconds, strict};

/// Alice and bob, each with a telephone.
fn two_phones() -> (Net, Phone, Phone) {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    (net, alice, bob)
}

/// Alice calls and bob's telephone rings: her INVITE and what came of it.
fn ringing() -> (Net, Phone, Phone, Message, Message) {
    let (mut net, alice, bob) = two_phones();
    let invite = alice.call(&mut net, &bob.aor(), "call-1");
    let at_bob = bob.ring(&mut net);
    net.recv_response(alice.connection, 180, "INVITE");
    (net, alice, bob, invite, at_bob)
}

fn contacts(response: &Message) -> Vec<String> {
    response
        .header_list(HeaderName::Contact)
        .map(|contact| contact.split(['<', '>']).nth(1).unwrap_or_default().to_owned())
        .collect()
}

/// A refusal of bob's telephone is acknowledged there by the proxy and passed on to alice, who acknowledges in turn.
fn is_refused(status: u16) {
    let (mut net, alice, bob, invite, at_bob) = ringing();
    bob.reply(&mut net, &at_bob, status);
    net.recv_request(bob.connection, "ACK");
    let refusal = net.recv_response(alice.connection, status, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &refusal));
    net.pass(seconds(70));
    net.nothing(alice.connection);
    net.nothing(bob.connection);
}

// --- 2 Registration ----------------------------------------------------------------------------------------------

/// 2.1: without credentials 401, with them a binding.
#[test]
fn s2_1_successful_new_registration() {
    let mut net = Net::new();
    let mut bob = Phone::new(&mut net, "bob", 1);
    let header = bob.contact_header("");
    let first = bob.registration(&mut net, &header);
    net.send(bob.connection, &first);
    let challenge = net.recv_response(bob.connection, 401, "REGISTER");
    assert_eq!(net.platform.device_count(&UserId::new("bob")), 0);
    let second = bob.answer_challenge(&mut net, &first, &challenge);
    net.send(bob.connection, &second);
    let ok = net.recv_response(bob.connection, 200, "REGISTER");
    assert_eq!(contacts(&ok), [bob.contact()]);
}

/// 2.2: a further contact is added, and the list has both. What is no telephone cannot ring here, so it is refused.
#[test]
fn s2_2_update_of_contact_list() {
    let mut net = Net::new();
    let mut bob = Phone::registered(&mut net, "bob", 1);
    let ok = bob.register_with(&mut net, "Contact: <sip:bob@192.0.2.4>;q=0.5\r\n");
    assert_eq!(contacts(&ok), [bob.contact(), "sip:bob@192.0.2.4".into()]);
    let refused = bob.register_with(&mut net, "Contact: <mailto:bob@example.com>\r\n");
    assert_eq!(refused.status(), Some(400));
    assert_eq!(net.platform.device_count(&UserId::new("bob")), 2);
}

/// 2.3: without a Contact nothing changes, and the list is told.
#[test]
fn s2_3_request_for_current_contact_list() {
    let mut net = Net::new();
    let mut bob = Phone::registered(&mut net, "bob", 1);
    let ok = bob.register_with(&mut net, "");
    assert_eq!(contacts(&ok), [bob.contact()]);
    assert_eq!(net.platform.device_count(&UserId::new("bob")), 1);
}

/// 2.4: everything is taken out at once.
#[test]
fn s2_4_cancellation_of_registration() {
    let mut net = Net::new();
    let mut bob = Phone::registered(&mut net, "bob", 1);
    let ok = bob.register_with(&mut net, "Expires: 0\r\nContact: *\r\n");
    assert_eq!((ok.status(), contacts(&ok).len()), (Some(200), 0));
    let alice = Phone::registered(&mut net, "alice", 2);
    let invite = alice.invite(&mut net, &bob.aor(), "call-1");
    net.send(alice.connection, &invite);
    net.recv_response(alice.connection, 480, "INVITE");
}

/// 2.5: wrong credentials get a fresh challenge, no binding, and after many tries no connection.
#[test]
fn s2_5_unsuccessful_registration() {
    let mut net = Net::new();
    let mut bob = Phone::new(&mut net, "bob", 1);
    bob.password = "wrong";
    let refused = bob.register(&mut net, "");
    assert_eq!(refused.status(), Some(401));
    assert_eq!(net.platform.device_count(&UserId::new("bob")), 0);
    for _ in 0..9 {
        bob.register(&mut net, "");
    }
    let header = bob.contact_header("");
    let last = bob.registration(&mut net, &header);
    let last = bob.authorized(&mut net, &last);
    net.send(bob.connection, &last);
    assert_eq!(
        net.closed.get(&bob.connection),
        Some(&DisconnectReason::TooManyAuthenticationFailures)
    );
}

// --- 3 Session establishment -------------------------------------------------------------------------------------

/// 3.1 and 3.2: a whole call; the proxy stays in the route, takes itself out of it, and is out when the call is over.
#[test]
fn s3_2_session_through_the_proxy() {
    let (mut net, alice, bob, _, at_bob) = ringing();
    assert!(is_contact_of(at_bob.request_uri(), &bob));
    assert_eq!(at_bob.vias().count(), 2);
    assert_eq!(at_bob.max_forwards(), Ok(Some(69)));
    bob.reply(&mut net, &at_bob, 200);
    let answer = net.recv_response(alice.connection, 200, "INVITE");
    assert_eq!(answer.vias().count(), 1);
    let mut caller = Dialog::of_caller(&answer);
    let ack = caller.request(&mut net, "ACK");
    net.send(alice.connection, &ack);
    let ack = net.recv_request(bob.connection, "ACK");
    assert_eq!(ack.header(HeaderName::Route), None);
    let bye = caller.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    let bye = net.recv_request(bob.connection, "BYE");
    assert_eq!(bye.header(HeaderName::Route), None);
    bob.reply(&mut net, &bye, 200);
    net.recv_response(alice.connection, 200, "BYE");
    net.pass(seconds(70));
    net.nothing(alice.connection);
    net.nothing(bob.connection);
}

/// 3.3: this proxy wants credentials, and so does one behind it, whose challenge passes. Each takes its own.
#[test]
fn s3_3_session_with_multiple_proxy_authentication() {
    let mut net = Net::with(strict);
    let (mut alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let first = alice.invite(&mut net, &bob.aor(), "call-1");
    net.send(alice.connection, &first);
    let ours = net.recv_response(alice.connection, 407, "INVITE");
    net.send(alice.connection, &ack_of(&first, &ours));
    net.nothing(bob.connection);

    let second = alice.answer_challenge(&mut net, &first, &ours);
    net.send(alice.connection, &second);
    net.recv_response(alice.connection, 100, "INVITE");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    let shown = |request: &Message| request.header_all(HeaderName::ProxyAuthorization).count();
    assert_eq!(shown(&at_bob), 0, "what is for this proxy stays here");
    let theirs = ResponseBuilder::for_request(&at_bob, 407)
        .to_tag("proxy2")
        .header(
            HeaderName::ProxyAuthenticate,
            DigestChallenge::new("biloxi.example.com", "n2", Algorithm::Md5),
        )
        .build();
    net.send(bob.connection, &theirs);
    net.recv_request(bob.connection, "ACK");
    let theirs = net.recv_response(alice.connection, 407, "INVITE");
    net.send(alice.connection, &ack_of(&second, &theirs));

    let third = alice.answer_challenge(&mut net, &second, &theirs);
    assert_eq!(shown(&third), 2);
    net.send(alice.connection, &third);
    net.recv_response(alice.connection, 100, "INVITE");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    assert_eq!(shown(&at_bob), 1);
    assert!(
        at_bob
            .header(HeaderName::ProxyAuthorization)
            .unwrap()
            .contains("biloxi.example.com")
    );
}

/// 3.8: the caller gives up; each hop is cancelled and ended for itself.
#[test]
fn s3_8_unsuccessful_no_answer() {
    let (mut net, alice, bob, invite, at_bob) = ringing();
    net.pass(seconds(9));
    net.send(alice.connection, &cancel_of(&invite));
    net.recv_response(alice.connection, 200, "CANCEL");
    bob.be_cancelled(&mut net, &at_bob);
    let terminated = net.recv_response(alice.connection, 487, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &terminated));
    net.pass(seconds(70));
    net.nothing(alice.connection);
    net.nothing(bob.connection);
}

/// 3.9
#[test]
fn s3_9_unsuccessful_busy() {
    is_refused(486);
}

/// 3.10: the telephone says nothing, so the proxy does after 64*T1. The RFC's proxy says 480, section 16.7 of
/// RFC 3261 has 408. A telephone that speaks up later is told that the call is over.
#[test]
fn s3_10_unsuccessful_no_response() {
    let (mut net, alice, bob) = two_phones();
    let invite = alice.call(&mut net, &bob.aor(), "call-1");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    net.pass(Duration::from_millis(31_999));
    net.nothing(alice.connection);
    net.pass(Duration::from_millis(1));
    let timed_out = net.recv_response(alice.connection, 408, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &timed_out));
    bob.reply(&mut net, &at_bob, 180);
    net.nothing(alice.connection);
    net.pass(seconds(70));
    net.nothing(bob.connection);
}

/// 3.11: the telephone says that its user is not there; and one that is not there says nothing itself.
#[test]
fn s3_11_unsuccessful_temporarily_unavailable() {
    is_refused(480);
    let (mut net, alice, bob) = two_phones();
    net.disconnect(bob.connection);
    let invite = alice.invite(&mut net, &bob.aor(), "call-1");
    net.send(alice.connection, &invite);
    net.recv_response(alice.connection, 480, "INVITE");
}
