//! INVITE through the proxy: forking, CANCEL, best response, timers (RFC 3261 section 16).

use clearline_core::Duration;
use clearline_core::sip::{HeaderName, Message};

use crate::net::{DOMAIN, Dialog, Net, Phone, ack_of, cancel_of, is_contact_of, seconds, strict};

fn bob() -> String {
    format!("sip:bob@{DOMAIN}")
}

/// The Reason values of a CANCEL.
fn reasons(cancel: &Message) -> Vec<(u16, String)> {
    let reasons = cancel.reason_cause().map(Result::unwrap);
    reasons
        .map(|reason| (reason.cause().unwrap(), reason.text().unwrap().into_owned()))
        .collect()
}

#[track_caller]
fn end_with(net: &mut Net, caller: &Phone, invite: &Message, status: u16) -> Message {
    let response = net.recv_response(caller.connection, status, "INVITE");
    net.send(caller.connection, &ack_of(invite, &response));
    net.nothing(caller.connection);
    response
}

#[test]
fn a_call_rings_and_is_answered() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");

    let received = net.recv_request(bob_phone.connection, "INVITE");
    assert!(is_contact_of(received.request_uri(), &bob_phone));
    assert_eq!(received.max_forwards(), Ok(Some(69)));
    assert_eq!(received.vias().count(), 2);
    assert_eq!(received.record_routes().count(), 2);
    assert_eq!(received.body(), invite.body());
    assert_eq!(
        received.header(HeaderName::PAssertedIdentity),
        Some(format!("\"Alice\" <sip:alice@{DOMAIN}>").as_str())
    );

    bob_phone.reply(&mut net, &received, 100);
    net.nothing(alice.connection);
    bob_phone.reply(&mut net, &received, 180);
    let ringing = net.recv_response(alice.connection, 180, "INVITE");
    assert_eq!(ringing.vias().count(), 1);
    assert!(
        ringing
            .header(HeaderName::PAssertedIdentity)
            .unwrap()
            .starts_with("\"Bob\"")
    );
    bob_phone.reply(&mut net, &received, 200);
    let answer = net.recv_response(alice.connection, 200, "INVITE");

    let mut dialog = Dialog::of_caller(&answer);
    let ack = dialog.request(&mut net, "ACK");
    net.send(alice.connection, &ack);
    let ack = net.recv_request(bob_phone.connection, "ACK");
    assert!(
        is_contact_of(ack.request_uri(), &bob_phone),
        "a GRUU is replaced by the contact"
    );
    assert_eq!(ack.routes().count(), 0);
    net.nothing(alice.connection);
}

#[test]
fn a_repeated_2xx_and_its_ack_pass_each_time() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    alice.call(&mut net, &bob(), "call-1");
    let invite = net.recv_request(bob_phone.connection, "INVITE");
    bob_phone.reply(&mut net, &invite, 200);
    let answer = net.recv_response(alice.connection, 200, "INVITE");
    for wait in [500, 1_000, 2_000, 4_000] {
        net.pass(Duration::from_millis(wait));
        bob_phone.reply(&mut net, &invite, 200);
        assert_eq!(net.recv_response(alice.connection, 200, "INVITE"), answer);
    }
    let ack = Dialog::of_caller(&answer).request(&mut net, "ACK");
    net.send(alice.connection, &ack);
    net.recv_request(bob_phone.connection, "ACK");
    net.send(alice.connection, &ack);
    net.recv_request(bob_phone.connection, "ACK");
    net.pass(seconds(70));
    bob_phone.reply(&mut net, &invite, 200);
    net.nothing(alice.connection);
}

#[test]
fn number_alias_and_tel_lead_to_the_same_user() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let targets = [
        format!("sip:102@{DOMAIN}"),
        "sip:b%6Fb@127.0.0.1:8080".into(),
        "tel:1-0-2".into(),
        bob_phone.gruu(),
    ];
    for (at, target) in targets.iter().enumerate() {
        alice.call(&mut net, target, &format!("call-{at}"));
        let invite = net.recv_request(bob_phone.connection, "INVITE");
        assert!(is_contact_of(invite.request_uri(), &bob_phone), "{target}");
    }
}

#[test]
fn two_devices_ring_and_the_loser_learns_that_the_call_was_taken() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    alice.call(&mut net, &bob(), "call-1");
    let at_desk = desk.ring(&mut net);
    let at_mobile = mobile.ring(&mut net);
    assert_ne!(
        at_desk.top_via().unwrap().branch(),
        at_mobile.top_via().unwrap().branch()
    );
    net.recv_response(alice.connection, 180, "INVITE");
    net.recv_response(alice.connection, 180, "INVITE");

    desk.reply(&mut net, &at_desk, 200);
    net.recv_response(alice.connection, 200, "INVITE");
    let cancel = mobile.be_cancelled(&mut net, &at_mobile);
    assert_eq!(reasons(&cancel), [(200, "Call completed elsewhere".into())]);
    net.nothing(alice.connection);
    net.nothing(desk.connection);
    net.pass(seconds(70));
    net.nothing(alice.connection);
}

#[test]
fn two_devices_answer_at_once_and_both_answers_pass() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    alice.call(&mut net, &bob(), "call-1");
    let (at_desk, at_mobile) = (desk.ring(&mut net), mobile.ring(&mut net));
    desk.reply(&mut net, &at_desk, 200);
    mobile.reply(&mut net, &at_mobile, 200);
    for _ in 0..2 {
        net.recv_response(alice.connection, 180, "INVITE");
    }
    let first = net.recv_response(alice.connection, 200, "INVITE");
    let second = net.recv_response(alice.connection, 200, "INVITE");
    assert_ne!(first.to().unwrap().tag(), second.to().unwrap().tag());
    // The caller ends the one it does not want.
    let mut dialog = Dialog::of_caller(&second);
    let bye = dialog.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    net.recv_request(mobile.connection, "CANCEL");
    net.recv_request(mobile.connection, "BYE");
}

#[test]
fn a_silent_device_is_cancelled_as_soon_as_it_speaks() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, slow) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    alice.call(&mut net, &bob(), "call-1");
    let at_desk = desk.ring(&mut net);
    let at_slow = net.recv_request(slow.connection, "INVITE");
    desk.reply(&mut net, &at_desk, 200);
    net.nothing(slow.connection);
    slow.reply(&mut net, &at_slow, 180);
    slow.be_cancelled(&mut net, &at_slow);
}

#[test]
fn busy_goes_back_when_the_last_device_has_ended() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let at_desk = net.recv_request(desk.connection, "INVITE");
    desk.reply(&mut net, &at_desk, 486);
    net.recv_request(desk.connection, "ACK");
    net.nothing(alice.connection);
    let at_mobile = net.recv_request(mobile.connection, "INVITE");
    mobile.reply(&mut net, &at_mobile, 480);
    end_with(&mut net, &alice, &invite, 486);
}

#[test]
fn decline_ends_the_call_everywhere() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let (at_desk, at_mobile) = (desk.ring(&mut net), mobile.ring(&mut net));
    for _ in 0..2 {
        net.recv_response(alice.connection, 180, "INVITE");
    }
    desk.reply(&mut net, &at_desk, 603);
    net.recv_request(desk.connection, "ACK");
    net.nothing(alice.connection);
    let cancel = mobile.be_cancelled(&mut net, &at_mobile);
    assert_eq!(reasons(&cancel)[0].0, 603);
    end_with(&mut net, &alice, &invite, 603);
}

#[test]
fn a_2xx_beats_a_6xx_that_is_still_being_wound_up() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    alice.call(&mut net, &bob(), "call-1");
    let (at_desk, at_mobile) = (desk.ring(&mut net), mobile.ring(&mut net));
    for _ in 0..2 {
        net.recv_response(alice.connection, 180, "INVITE");
    }
    desk.reply(&mut net, &at_desk, 600);
    net.recv_request(mobile.connection, "CANCEL");
    mobile.reply(&mut net, &at_mobile, 200);
    net.recv_response(alice.connection, 200, "INVITE");
    net.nothing(alice.connection);
}

#[test]
fn challenges_of_all_branches_go_back_together() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    for (phone, realm) in [(&desk, "desk"), (&mobile, "mobile")] {
        let received = net.recv_request(phone.connection, "INVITE");
        let challenge = format!("Digest realm=\"{realm}\", nonce=\"n\"");
        let response = clearline_core::sip::ResponseBuilder::for_request(&received, 401)
            .to_tag(realm)
            .header(HeaderName::WwwAuthenticate, challenge)
            .build();
        net.send(phone.connection, &response);
    }
    let response = end_with(&mut net, &alice, &invite, 401);
    let realms: Vec<_> = response
        .challenges()
        .map(|c| c.unwrap().param("realm").unwrap().into_owned())
        .collect();
    assert_eq!(realms, ["desk", "mobile"]);
}

#[test]
fn unknown_users_and_absent_ones_differ() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let bob_phone = Phone::registered(&mut net, "bob", 2);
    net.disconnect(bob_phone.connection);
    for (target, status) in [
        (format!("sip:nobody@{DOMAIN}"), 404),
        ("tel:999".into(), 404),
        (format!("sip:carol@{DOMAIN}"), 480),
        (bob(), 480),
        (bob_phone.gruu(), 480),
        (format!("sip:nobody@{DOMAIN};gr=urn:x"), 404),
        (format!("sip:tgruu-00@{DOMAIN};gr"), 404),
        ("sip:bob@example.com".into(), 403),
        (format!("sip:{DOMAIN}"), 405),
        ("sips:bob@clearline.localhost".into(), 416),
        ("mailto:bob@example.com".into(), 416),
    ] {
        let invite = alice.invite(&mut net, &target, "call-1");
        net.send(alice.connection, &invite);
        end_with(&mut net, &alice, &invite, status);
    }
}

#[test]
fn nobody_answers() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let ringing = bob_phone.ring(&mut net);
    net.recv_response(alice.connection, 180, "INVITE");
    net.pass(seconds(100));
    // Each provisional response sets timer C anew.
    bob_phone.reply(&mut net, &ringing, 180);
    net.recv_response(alice.connection, 180, "INVITE");
    net.pass(seconds(184));
    net.nothing(bob_phone.connection);
    net.pass(seconds(1));
    let cancel = bob_phone.be_cancelled(&mut net, &ringing);
    assert_eq!(reasons(&cancel)[0].0, 408);
    end_with(&mut net, &alice, &invite, 408);
}

#[test]
fn a_device_that_never_speaks_times_out() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    net.recv_request(bob_phone.connection, "INVITE");
    net.pass(Duration::from_millis(31_999));
    net.nothing(alice.connection);
    net.pass(Duration::from_millis(1));
    end_with(&mut net, &alice, &invite, 408);
}

#[test]
fn a_cancel_without_effect_does_not_hang() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    bob_phone.ring(&mut net);
    net.recv_response(alice.connection, 180, "INVITE");
    net.send(alice.connection, &cancel_of(&invite));
    net.recv_response(alice.connection, 200, "CANCEL");
    net.recv_request(bob_phone.connection, "CANCEL");
    net.pass(seconds(32));
    end_with(&mut net, &alice, &invite, 487);
    net.nothing(bob_phone.connection);
}

#[test]
fn the_caller_cancels() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let ringing = bob_phone.ring(&mut net);
    net.recv_response(alice.connection, 180, "INVITE");
    let cancel = cancel_of(&invite)
        .edit()
        .append(HeaderName::Reason, "Q.850;cause=16;text=\"Bye\"")
        .build();
    net.send(alice.connection, &cancel);
    net.recv_response(alice.connection, 200, "CANCEL");
    let cancel = bob_phone.be_cancelled(&mut net, &ringing);
    assert_eq!(reasons(&cancel), [(16, "Bye".into())]);
    end_with(&mut net, &alice, &invite, 487);
    // Once more: the INVITE is answered, which makes no difference to the CANCEL.
    net.send(
        alice.connection,
        &cancel_of(&invite)
            .edit()
            .append(HeaderName::Subject, "again")
            .build(),
    );
    net.pass(seconds(40));
    net.nothing(bob_phone.connection);
}

#[test]
fn others_cannot_cancel_and_unknown_calls_neither() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let carol = Phone::registered(&mut net, "carol", 3);
    let invite = alice.call(&mut net, &bob(), "call-1");
    bob_phone.ring(&mut net);
    net.send(carol.connection, &cancel_of(&invite));
    net.recv_response(carol.connection, 481, "CANCEL");
    let unknown = alice.invite(&mut net, &bob(), "call-2");
    net.send(alice.connection, &cancel_of(&unknown));
    net.recv_response(alice.connection, 180, "INVITE");
    net.recv_response(alice.connection, 481, "CANCEL");
    net.nothing(bob_phone.connection);
}

#[test]
fn devices_are_tried_by_preference() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (mut desk, mut mobile) = (Phone::new(&mut net, "bob", 2), Phone::new(&mut net, "bob", 3));
    mobile.register(&mut net, ";q=0.2");
    desk.register(&mut net, ";q=0.9");
    alice.call(&mut net, &bob(), "call-1");
    let at_desk = net.recv_request(desk.connection, "INVITE");
    net.nothing(mobile.connection);
    desk.reply(&mut net, &at_desk, 480);
    let at_mobile = net.recv_request(mobile.connection, "INVITE");
    mobile.reply(&mut net, &at_mobile, 200);
    net.recv_response(alice.connection, 200, "INVITE");
}

#[test]
fn a_lost_connection_ends_its_branch_at_once() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let at_desk = desk.ring(&mut net);
    mobile.ring(&mut net);
    for _ in 0..2 {
        net.recv_response(alice.connection, 180, "INVITE");
    }
    net.disconnect(mobile.connection);
    net.nothing(alice.connection);
    desk.reply(&mut net, &at_desk, 486);
    end_with(&mut net, &alice, &invite, 486);

    let invite = alice.call(&mut net, &bob(), "call-2");
    net.disconnect(desk.connection);
    end_with(&mut net, &alice, &invite, 480);
}

#[test]
fn a_second_flow_of_the_same_device_stands_in_for_the_first() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let first = Phone::registered(&mut net, "bob", 2);
    let mut second = Phone::new(&mut net, "bob", 2);
    net.pass(seconds(1));
    let headers = format!(
        "Supported: outbound\r\n{}",
        second.contact_header("").replace("reg-id=1", "reg-id=2")
    );
    second.call_id = "second flow".replace(' ', "-");
    assert_eq!(second.register_with(&mut net, &headers).status(), Some(200));
    alice.call(&mut net, &bob(), "call-1");
    second.ring(&mut net);
    net.nothing(first.connection);
    net.disconnect(second.connection);
    let invite = first.ring(&mut net);
    first.reply(&mut net, &invite, 200);
    for status in [180, 180, 200] {
        net.recv_response(alice.connection, status, "INVITE");
    }
}

#[test]
fn a_caller_who_is_gone_stops_the_ringing() {
    let mut net = Net::new();
    let (alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    alice.call(&mut net, &bob(), "call-1");
    let ringing = bob_phone.ring(&mut net);
    net.disconnect(alice.connection);
    net.pass(seconds(9));
    net.nothing(bob_phone.connection);
    net.pass(seconds(1));
    bob_phone.be_cancelled(&mut net, &ringing);
}

#[test]
fn a_caller_who_comes_back_gets_the_answer() {
    let mut net = Net::new();
    let (mut alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let invite = alice.call(&mut net, &bob(), "call-1");
    let ringing = bob_phone.ring(&mut net);
    net.disconnect(alice.connection);
    net.pass(seconds(5));
    alice.connection = net.connect();
    assert_eq!(alice.register(&mut net, "").status(), Some(200));
    net.pass(seconds(60));
    bob_phone.reply(&mut net, &ringing, 486);
    end_with(&mut net, &alice, &invite, 486);
}

#[test]
fn a_call_needs_credentials() {
    let mut net = Net::new();
    let bob_phone = Phone::registered(&mut net, "bob", 2);
    let mut alice = Phone::new(&mut net, "alice", 1);
    let invite = alice.invite(&mut net, &bob(), "call-1");
    net.send(alice.connection, &invite);
    let challenge = end_with(&mut net, &alice, &invite, 407);
    net.nothing(bob_phone.connection);
    let invite = alice.answer_challenge(&mut net, &invite, &challenge);
    net.send(alice.connection, &invite);
    net.recv_response(alice.connection, 100, "INVITE");
    let received = net.recv_request(bob_phone.connection, "INVITE");
    assert_eq!(
        received.header(HeaderName::ProxyAuthorization),
        None,
        "credentials go no further"
    );

    // From then on the connection is trusted, for this user only.
    alice.call(&mut net, &bob(), "call-2");
    let spoofed = alice
        .invite(&mut net, &bob(), "call-3")
        .edit()
        .set(HeaderName::From, format!("<sip:carol@{DOMAIN}>;tag=1"))
        .build();
    net.send(alice.connection, &spoofed);
    let challenge = end_with(&mut net, &alice, &spoofed, 407);
    let spoofed = alice.answer_challenge(&mut net, &spoofed, &challenge);
    net.send(alice.connection, &spoofed);
    end_with(&mut net, &alice, &spoofed, 403);
}

#[test]
fn each_call_is_challenged_if_configured_so() {
    let mut net = Net::with(strict);
    let (mut alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    for call in ["call-1", "call-2"] {
        let invite = alice.invite(&mut net, &bob(), call);
        net.send(alice.connection, &invite);
        let challenge = end_with(&mut net, &alice, &invite, 407);
        let invite = alice.answer_challenge(&mut net, &invite, &challenge);
        net.send(alice.connection, &invite);
        net.recv_response(alice.connection, 100, "INVITE");
        net.recv_request(bob_phone.connection, "INVITE");
    }
}

#[test]
fn identities_come_from_the_platform_or_not_at_all() {
    let mut net = Net::new();
    let (mut alice, bob_phone) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let forged = alice
        .invite(&mut net, &bob(), "call-1")
        .edit()
        .append(HeaderName::PAssertedIdentity, "<sip:boss@example.com>")
        .build();
    net.send(alice.connection, &forged);
    let received = net.recv_request(bob_phone.connection, "INVITE");
    let identities: Vec<_> = received.header_all(HeaderName::PAssertedIdentity).collect();
    assert_eq!(identities, [format!("\"Alice\" <sip:alice@{DOMAIN}>")]);

    net.recv_response(alice.connection, 100, "INVITE");
    let private = alice
        .invite(&mut net, &bob(), "call-2")
        .edit()
        .set(
            HeaderName::From,
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1",
        )
        .append(HeaderName::Privacy, "header;id")
        .build();
    net.send(alice.connection, &private);
    let challenge = net.recv_response(alice.connection, 407, "INVITE");
    let private = alice.answer_challenge(&mut net, &private, &challenge);
    net.send(alice.connection, &private);
    let received = net.recv_request(bob_phone.connection, "INVITE");
    assert_eq!(received.header(HeaderName::PAssertedIdentity), None);
}
