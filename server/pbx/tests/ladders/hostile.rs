//! Floods, bombs and guesses: the platform answers or drops them, goes on for others, and never holds more than a
//! bounded memory for one connection.

use clearline_core::sip::{HeaderName, Message};
use clearline_pbx::{Census, DisconnectReason, Event, Limit, Rate};

use crate::net::{DOMAIN, Dialog, Net, Phone, ack_of, cancel_of, request, seconds};

/// More than any client sends in good faith.
const MANY: usize = 2_000;
/// What may be remembered of refused INVITEs of one connection, with room for the calls of a test.
const MAX_TRANSACTIONS: usize = 70;

/// A platform that lets a client send as fast as it can: what is bounded then is not bounded by the rate.
fn patient() -> Net {
    Net::with(|config| config.limits.messages = Rate::per_second(1_000_000, 1_000_000))
}

fn census(net: &Net) -> Census {
    net.platform.census()
}

/// The statuses of all responses on a connection.
fn statuses(net: &mut Net, connection: u64) -> Vec<u16> {
    let mut statuses = Vec::new();
    while net.waiting(connection) > 0 {
        let message = Message::parse(net.frame(connection)).unwrap();
        statuses.extend(message.status());
    }
    statuses
}

/// An INVITE from somebody who has shown no credentials.
fn strange_invite(net: &mut Net, number: usize, headers: &str) -> Message {
    let from = format!("<sip:mallory{number}@example.com>;tag=m");
    request(
        net,
        "INVITE",
        &format!("sip:bob@{DOMAIN}"),
        &from,
        &format!("<sip:bob@{DOMAIN}>"),
    )
    .call(&format!("strange-{number}"), 1)
    .headers(headers)
    .build()
}

/// Two others can call each other as ever.
fn assert_usable(net: &mut Net) {
    let (alice, bob) = (
        Phone::registered(net, "alice", 1),
        Phone::registered(net, "bob", 2),
    );
    let invite = alice.call(net, &bob.aor(), "afterwards");
    let at_bob = bob.ring(net);
    net.recv_response(alice.connection, 180, "INVITE");
    bob.reply(net, &at_bob, 486);
    net.recv_request(bob.connection, "ACK");
    let busy = net.recv_response(alice.connection, 486, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &busy));
}

#[test]
fn a_flood_of_invites_without_credentials() {
    let mut net = patient();
    let stranger = net.connect();
    let bomb = format!("X-Bomb: {}\r\n", "x".repeat(50_000));
    for number in 0..MANY {
        let invite = strange_invite(&mut net, number, &bomb);
        net.send(stranger, &invite);
        let now = census(&net);
        assert!(now.transactions <= MAX_TRANSACTIONS, "{now:?}");
        assert!(now.message_bytes <= MAX_TRANSACTIONS * 65_536, "{now:?}");
    }
    assert_eq!(statuses(&mut net, stranger), [407; MANY]);
    assert_usable(&mut net);
    net.pass(seconds(70));
    assert_eq!(census(&net).transactions, 0);
}

/// The same at the rate a client is allowed: it is not even answered for long.
#[test]
fn a_flood_at_full_speed_is_cut_off() {
    let mut net = Net::new();
    let stranger = net.connect();
    for number in 0..MANY {
        let invite = strange_invite(&mut net, number, "");
        net.send(stranger, &invite);
    }
    assert_eq!(net.closed[&stranger], DisconnectReason::TooManyFaults);
    let answers = statuses(&mut net, stranger);
    assert!(answers.len() <= 401, "400, and one that says to wait");
    assert!(census(&net).transactions <= MAX_TRANSACTIONS);
    assert!(net.events.len() <= 12, "{:?}", net.events);
    assert_usable(&mut net);
}

/// A user whose client has gone mad has so many calls, and bob's telephone so many to ring for.
#[test]
fn a_flood_of_invites_of_a_user() {
    let mut net = patient();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    net.events.clear();
    for number in 0..MANY {
        let invite = alice.invite(&mut net, &bob.aor(), &format!("flood-{number}"));
        net.send(alice.connection, &invite);
        let now = census(&net);
        assert!(
            now.forwarded <= 64 && now.transactions <= 128 + MAX_TRANSACTIONS,
            "{now:?}"
        );
    }
    let answers = statuses(&mut net, alice.connection);
    assert_eq!(answers.iter().filter(|status| **status == 503).count(), MANY - 64);
    let told = net.events.iter().filter(|event| {
        matches!(
            event,
            Event::LimitExceeded {
                limit: Limit::Transactions,
                ..
            }
        )
    });
    assert_eq!(told.count(), 10, "one line in the log now and then");
    net.disconnect(alice.connection);
    net.disconnect(bob.connection);
    net.pass(seconds(200));
    let after = census(&net);
    assert_eq!((after.forwarded, after.transactions), (0, 0));
}

#[test]
fn a_flood_of_invites_and_cancels() {
    let mut net = patient();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    for number in 0..200 {
        let invite = alice.call(&mut net, &bob.aor(), &format!("flood-{number}"));
        let at_bob = bob.ring(&mut net);
        net.recv_response(alice.connection, 180, "INVITE");
        net.send(alice.connection, &cancel_of(&invite));
        net.recv_response(alice.connection, 200, "CANCEL");
        bob.be_cancelled(&mut net, &at_bob);
        let terminated = net.recv_response(alice.connection, 487, "INVITE");
        net.send(alice.connection, &ack_of(&invite, &terminated));
    }
    net.pass(seconds(70));
    let after = census(&net);
    assert_eq!((after.forwarded, after.transactions), (0, 0));
}

/// Bindings, instances and their numbers are bounded by the number of devices, however often they come and go.
#[test]
fn devices_that_come_and_go() {
    let mut net = patient();
    for device in 0..200 {
        let mut phone = Phone::new(&mut net, "alice", device);
        assert_eq!(
            phone.register(&mut net, "").status(),
            Some(200),
            "device {device}"
        );
        assert!(census(&net).bindings <= 10);
        net.disconnect(phone.connection);
    }
    net.pass(seconds(700));
    let after = census(&net);
    assert_eq!((after.bindings, after.connections, after.transactions), (0, 0, 0));
}

/// Credentials that were seen on the wire are of no use a second time, on that connection or another.
#[test]
fn replayed_credentials() {
    let mut net = patient();
    let mut alice = Phone::new(&mut net, "alice", 1);
    let header = alice.contact_header("");
    let first = alice.registration(&mut net, &header);
    net.send(alice.connection, &first);
    let challenge = net.recv_response(alice.connection, 401, "REGISTER");
    let second = alice.answer_challenge(&mut net, &first, &challenge);
    net.send(alice.connection, &second);
    net.recv_response(alice.connection, 200, "REGISTER");
    let thief = net.connect();
    for number in 0..50 {
        let via = format!("SIP/2.0/WS thief.invalid;branch=z9hG4bKreplay{number}");
        let replay = second
            .edit()
            .set(HeaderName::Via, via)
            .set(HeaderName::CSeq, format!("{} REGISTER", 100 + number))
            .build();
        for connection in [alice.connection, thief] {
            net.send(connection, &replay);
            net.recv_response(connection, 401, "REGISTER");
        }
    }
    assert_eq!(census(&net).bindings, 1);
}

/// Requests that guess at dialogs of others reach nobody.
#[test]
fn guesses_at_dialogs() {
    let mut net = patient();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let carol = Phone::registered(&mut net, "carol", 3);
    alice.call(&mut net, &bob.aor(), "secret-call");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    bob.reply(&mut net, &at_bob, 200);
    let answer = net.recv_response(alice.connection, 200, "INVITE");
    let mut dialog = Dialog::of_caller(&answer);
    let route = dialog.route.last().unwrap().clone();
    for guess in 0..500 {
        let method = ["BYE", "INVITE", "UPDATE", "REFER"][guess % 4];
        let altered = route.replacen("sip:", &format!("sip:{guess:x}"), 1);
        let attempt = carol
            .request_to(&mut net, method, &bob.gruu(), "secret-call")
            .headers(&format!("Route: {altered}\r\n"))
            .build();
        net.send(carol.connection, &attempt);
        net.recv_response(carol.connection, 403, method);
    }
    net.nothing(bob.connection);
    // Who is in the dialog has the route, and gets through.
    let bye = dialog.request(&mut net, "BYE");
    net.send(alice.connection, &bye);
    net.recv_request(bob.connection, "BYE");
    assert!(census(&net).transactions <= MAX_TRANSACTIONS);
}

/// A telephone that answers for a thousand cannot make the platform remember them all, nor the caller.
#[test]
fn thousands_of_answers_from_one_telephone() {
    let mut net = patient();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    alice.call(&mut net, &bob.aor(), "call-1");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    let before = census(&net);
    for fork in 0..MANY {
        let ok = clearline_core::sip::ResponseBuilder::for_request(&at_bob, 200)
            .to_tag(&format!("fork{fork}"))
            .record_routes_from(&at_bob)
            .header(HeaderName::Contact, "<sip:bob@evil.example>")
            .build();
        net.send(bob.connection, &ok);
    }
    assert_eq!(
        statuses(&mut net, alice.connection).len(),
        MANY,
        "each 2xx passes (RFC 3261 section 16.7)"
    );
    let now = census(&net);
    assert_eq!(
        (now.transactions, now.forwarded),
        (before.transactions, before.forwarded)
    );
    net.pass(seconds(200));
    assert_eq!(census(&net).forwarded, 0);
}

#[test]
fn header_bombs_are_passed_on_or_refused() {
    let mut net = patient();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    for (headers, status) in [
        ("X-Bomb: x\r\n".repeat(900), None),
        ("X-Bomb: x\r\n".repeat(2_000), Some(400)),
        (
            format!(
                "Via: {}\r\n",
                vec!["SIP/2.0/WS a.invalid;branch=z9hG4bKv"; 1_500].join(",")
            ),
            None,
        ),
        (format!("X-Bomb: {}\r\n", "x".repeat(70_000)), Some(513)),
        (
            format!("Route: {}\r\n", vec![format!("<sip:{DOMAIN};lr>"); 900].join(",")),
            None,
        ),
    ] {
        let head = format!(
            "MESSAGE {} SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bKb{}\r\nMax-Forwards: 70\r\n\
             From: <{}>;tag=b\r\nTo: <{}>\r\nCall-ID: bomb\r\nCSeq: 1 MESSAGE\r\n{headers}\r\n",
            bob.aor(),
            headers.len(),
            alice.aor(),
            bob.aor(),
        );
        net.send_bytes(alice.connection, head);
        match status {
            None => {
                let at_bob = net.recv_request(bob.connection, "MESSAGE");
                bob.reply(&mut net, &at_bob, 200);
                net.recv_response(alice.connection, 200, "MESSAGE");
            }
            Some(status) => assert_eq!(statuses(&mut net, alice.connection), [status]),
        }
        net.nothing(bob.connection);
    }
    assert_eq!(census(&net).transactions, 0);
}
