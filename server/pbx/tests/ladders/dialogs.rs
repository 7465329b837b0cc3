//! Requests within dialogs: routes name devices, not connections.

use clearline_core::sip::{HeaderName, Message, ResponseBuilder};

use crate::net::{DOMAIN, Dialog, Net, Phone, is_contact_of, request, seconds};

struct Call {
    net: Net,
    alice: Phone,
    bob: Phone,
    caller: Dialog,
    callee: Dialog,
}

/// Alice has called bob.
fn established() -> Call {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    alice.call(&mut net, &bob.aor(), "call-1");
    let invite = net.recv_request(bob.connection, "INVITE");
    let sent = bob.reply(&mut net, &invite, 200);
    let answer = net.recv_response(alice.connection, 200, "INVITE");
    let mut caller = Dialog::of_caller(&answer);
    let ack = caller.request(&mut net, "ACK");
    net.send(alice.connection, &ack);
    net.recv_request(bob.connection, "ACK");
    let callee = Dialog::of_callee(&invite, &sent);
    Call {
        net,
        alice,
        bob,
        caller,
        callee,
    }
}

/// Sends a request of one side; it must arrive at the other, and the answer come back.
#[track_caller]
fn passes(net: &mut Net, from: &Phone, to: &Phone, request: &Message) {
    let method = request.method();
    net.send(from.connection, request);
    if method.as_str() == "INVITE" {
        net.recv_response(from.connection, 100, "INVITE");
    }
    let received = net.recv_request(to.connection, method.as_str());
    assert!(is_contact_of(received.request_uri(), to));
    assert_eq!(received.routes().count(), 0);
    to.reply(net, &received, 200);
    net.recv_response(from.connection, 200, method.as_str());
}

#[test]
fn both_sides_reach_each_other() {
    let Call {
        mut net,
        alice,
        bob,
        mut caller,
        mut callee,
    } = established();
    let info = caller.request(&mut net, "INFO");
    passes(&mut net, &alice, &bob, &info);
    let hold = callee.request(&mut net, "INVITE");
    passes(&mut net, &bob, &alice, &hold);
    let bye = callee.request(&mut net, "BYE");
    passes(&mut net, &bob, &alice, &bye);
}

#[test]
fn the_route_tells_no_connection_and_no_name() {
    let Call { caller, .. } = established();
    assert_eq!(caller.route.len(), 2);
    for route in &caller.route {
        assert!(route.ends_with(&format!("@{DOMAIN};transport=ws;lr>")), "{route}");
        assert!(
            !route.contains("alice") && !route.contains("bob") && !route.contains("urn"),
            "{route}"
        );
    }
}

#[test]
fn requests_find_the_callee_on_its_new_connection() {
    let Call {
        mut net,
        alice,
        mut bob,
        mut caller,
        ..
    } = established();
    net.disconnect(bob.connection);
    let bye = caller.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    net.recv_response(alice.connection, 430, "BYE");

    bob.connection = net.connect();
    assert_eq!(bob.register(&mut net, "").status(), Some(200));
    let bye = caller.request(&mut net, "BYE");
    passes(&mut net, &alice, &bob, &bye);
}

/// Make before break: the device registers over a second connection while the first still lives.
#[test]
fn a_device_that_moves_is_served_on_both_connections_and_found_on_the_new_one() {
    let Call {
        mut net,
        alice,
        mut bob,
        mut caller,
        mut callee,
    } = established();
    // A request is on its way to the old connection while bob moves.
    let info = caller.request(&mut net, "INFO");
    net.send(alice.connection, &info);
    let received = net.recv_request(bob.connection, "INFO");
    let old = bob.connection;
    bob.connection = net.connect();
    let registered = bob.register(&mut net, "");
    assert_eq!(
        registered.contacts().count(),
        1,
        "the same flow: it replaces itself"
    );
    net.send(
        old,
        &ResponseBuilder::for_request(&received, 200).to_tag("t").build(),
    );
    net.recv_response(alice.connection, 200, "INFO");
    // What alice sends from now on goes to the new connection; bob tells her where he is.
    let hold = caller.request(&mut net, "INVITE");
    passes(&mut net, &alice, &bob, &hold);
    net.nothing(old);
    let refresh = callee.request(&mut net, "INVITE");
    passes(&mut net, &bob, &alice, &refresh);
    // The end of the old connection ends nothing.
    net.disconnect(old);
    let bye = caller.request(&mut net, "BYE");
    passes(&mut net, &alice, &bob, &bye);
}

#[test]
fn a_caller_who_has_not_registered_again_may_still_hang_up() {
    let Call {
        mut net,
        mut alice,
        bob,
        mut caller,
        ..
    } = established();
    net.disconnect(alice.connection);
    alice.connection = net.connect();
    let bye = caller.request(&mut net, "BYE");
    passes(&mut net, &alice, &bob, &bye);
}

#[test]
fn a_call_survives_a_restart_of_the_platform() {
    let Call {
        mut net,
        mut alice,
        mut bob,
        mut caller,
        mut callee,
    } = established();
    net.restart_platform();
    for phone in [&mut alice, &mut bob] {
        phone.connection = net.connect();
        assert_eq!(phone.register(&mut net, "").status(), Some(200));
    }
    let hold = caller.request(&mut net, "INVITE");
    passes(&mut net, &alice, &bob, &hold);
    let bye = callee.request(&mut net, "BYE");
    passes(&mut net, &bob, &alice, &bye);
}

#[test]
fn a_client_without_registration_is_reached_over_its_connection() {
    let mut net = Net::new();
    let bob = Phone::registered(&mut net, "bob", 2);
    let mut alice = Phone::new(&mut net, "alice", 1);
    let invite = alice.invite(&mut net, &bob.aor(), "call-1");
    let invite = invite
        .edit()
        .set(HeaderName::Contact, format!("<{}>", alice.contact()))
        .build();
    net.send(alice.connection, &invite);
    let challenge = net.recv_response(alice.connection, 407, "INVITE");
    let invite = alice.answer_challenge(&mut net, &invite, &challenge);
    net.send(alice.connection, &invite);
    net.recv_response(alice.connection, 100, "INVITE");
    let received = net.recv_request(bob.connection, "INVITE");
    let sent = bob.reply(&mut net, &received, 200);
    net.recv_response(alice.connection, 200, "INVITE");
    let mut callee = Dialog::of_callee(&received, &sent);
    let bye = callee.request(&mut net, "BYE");
    passes(&mut net, &bob, &alice, &bye);

    net.disconnect(alice.connection);
    let bye = callee.request(&mut net, "BYE");
    net.send(bob.connection, &bye);
    net.recv_response(bob.connection, 430, "BYE");
}

#[test]
fn a_user_can_call_an_own_device() {
    let mut net = Net::new();
    let phone = Phone::registered(&mut net, "alice", 1);
    phone.call(&mut net, &phone.aor(), "call-1");
    let received = net.recv_request(phone.connection, "INVITE");
    phone.reply(&mut net, &received, 200);
    let answer = net.recv_response(phone.connection, 200, "INVITE");
    let bye = Dialog::of_caller(&answer).request(&mut net, "BYE");
    net.send(phone.connection, &bye);
    net.recv_request(phone.connection, "BYE");
}

#[test]
fn the_own_token_alone_is_only_the_way_out() {
    let Call {
        mut net,
        alice,
        bob,
        mut caller,
        ..
    } = established();
    caller.route.pop();
    let info = caller.request(&mut net, "INFO");
    passes(&mut net, &alice, &bob, &info);
    // And it vouches for nobody.
    let spoofed = caller
        .request(&mut net, "INFO")
        .edit()
        .set(HeaderName::From, format!("<sip:carol@{DOMAIN}>;tag=1"))
        .build();
    net.send(alice.connection, &spoofed);
    net.recv_response(alice.connection, 407, "INFO");
}

#[test]
fn changed_and_foreign_routes_are_refused() {
    let Call {
        mut net,
        alice,
        bob,
        mut caller,
        ..
    } = established();
    caller.route[1] = caller.route[1].replacen("<sip:", "<sip:0", 1);
    let bye = caller.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    net.recv_response(alice.connection, 403, "BYE");
    caller.route[1] = "<sip:proxy.example.com;lr>".into();
    let bye = caller.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    net.recv_response(alice.connection, 403, "BYE");
    net.nothing(bob.connection);
}

#[test]
fn a_to_tag_alone_opens_no_door() {
    let Call { mut net, bob, .. } = established();
    let stranger = net.connect();
    let from = format!("<sip:alice@{DOMAIN}>;tag=1");
    let invite = request(
        &mut net,
        "INVITE",
        &bob.gruu(),
        &from,
        &format!("<{}>;tag=2", bob.aor()),
    )
    .build();
    net.send(stranger, &invite);
    net.recv_response(stranger, 407, "INVITE");
    let ack = request(
        &mut net,
        "ACK",
        &bob.gruu(),
        &from,
        &format!("<{}>;tag=2", bob.aor()),
    )
    .build();
    net.send(stranger, &ack);
    net.nothing(stranger);
    net.nothing(bob.connection);
}

#[test]
fn strict_routers_are_understood() {
    let Call {
        mut net,
        alice,
        bob,
        mut caller,
        ..
    } = established();
    let bye = caller.request(&mut net, "BYE");
    let own = caller.route[0].trim_matches(['<', '>']).to_owned();
    let strict = bye
        .edit()
        .set_request_uri(&own)
        .set(
            HeaderName::Route,
            format!("{}, <{}>", caller.route[1], bob.gruu()),
        )
        .build();
    passes(&mut net, &alice, &bob, &strict);
}

#[test]
fn other_requests_pass_and_time_out_silently() {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let message = alice
        .request_to(&mut net, "MESSAGE", &bob.aor(), "m-1")
        .body("hi")
        .build();
    passes(&mut net, &alice, &bob, &message);
    let message = alice
        .request_to(&mut net, "MESSAGE", &bob.aor(), "m-2")
        .body("hi")
        .build();
    net.send(alice.connection, &message);
    net.recv_request(bob.connection, "MESSAGE");
    net.pass(seconds(40));
    // RFC 4320: a 100 when the client's timer E has reached T2, and no 408 to anything but INVITE.
    net.recv_response(alice.connection, 100, "MESSAGE");
    net.nothing(alice.connection);
    assert!(
        net.deadline().is_some_and(|at| at > net.now + seconds(300)),
        "only the bindings are left"
    );
}
