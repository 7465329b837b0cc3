//! Whatever comes in: answered if possible, else dropped and counted, closed when it is too much.

use clearline_core::sip::HeaderName;
use clearline_core::{ConnectionId, Instant};
use clearline_pbx::{DisconnectReason, Event, Input, Limit, Output, Rate};

use crate::net::{DOMAIN, Net, Phone, ack_of, seconds};

const HEAD: &str = "OPTIONS sip:clearline.localhost SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n\
                    From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n";

#[test]
fn a_broken_request_is_answered_if_it_can_be_identified() {
    let cases = [
        (format!("{HEAD}Content-Length: 9\r\n\r\nabc"), 400),
        (format!("{HEAD}Max-Forwards: many\r\n\r\n"), 400),
        (format!("{HEAD}this is no header\r\n\r\n"), 400),
        (format!("{HEAD}From: <sip:c@h>;tag=2\r\n\r\n"), 400),
        (
            format!("{HEAD}\r\n").replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"),
            505,
        ),
        (
            format!("{HEAD}\r\n").replace("1 OPTIONS", "4294967295 OPTIONS"),
            400,
        ),
        (
            format!("{HEAD}\r\n").replace("<sip:b@h>", "\"open <sip:b@h>"),
            400,
        ),
        (format!("{HEAD}\r\n{}", "x".repeat(70_000)), 513),
    ];
    for (text, status) in cases {
        let mut net = Net::new();
        let connection = net.connect();
        net.send_bytes(connection, &text);
        let frame = String::from_utf8(net.frame(connection)).unwrap();
        assert!(
            frame.starts_with(&format!("SIP/2.0 {status} ")),
            "{text}\n{frame}"
        );
        assert!(frame.contains("branch=z9hG4bK1"));
    }
}

#[test]
fn what_cannot_be_identified_is_dropped() {
    let cases: [Vec<u8>; 7] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\xff\xfe\x00\x01".to_vec(),
        vec![0; 200_000],
        HEAD.as_bytes()[..40].to_vec(),
        format!("{HEAD}\r\n")
            .replace("CSeq: 1 OPTIONS\r\n", "")
            .into_bytes(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        format!("{HEAD}Content-Length: 9\r\n\r\n")
            .replace("OPTIONS", "ACK")
            .into_bytes(),
    ];
    for bytes in cases {
        let mut net = Net::new();
        let connection = net.connect();
        net.send_bytes(connection, &bytes);
        net.nothing(connection);
        assert!(
            matches!(net.events[..], [Event::Dropped { .. }]),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn too_much_garbage_closes_the_connection_and_no_other() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let vandal = net.connect();
    for _ in 0..20 {
        net.send_bytes(vandal, "garbage");
    }
    assert!(net.closed.is_empty(), "some are tolerated");
    net.send_bytes(vandal, "garbage");
    assert_eq!(net.closed.get(&vandal), Some(&DisconnectReason::TooManyFaults));
    net.send_bytes(vandal, format!("{HEAD}\r\n"));
    net.nothing(vandal);
    net.send_bytes(alice.connection, "\r\n\r\n");
    assert_eq!(net.frame(alice.connection), b"\r\n");
}

#[test]
fn now_and_then_a_broken_message_is_forgiven() {
    let mut net = Net::new();
    let connection = net.connect();
    for _ in 0..100 {
        net.send_bytes(connection, "garbage");
        net.pass(seconds(5));
    }
    assert!(net.closed.is_empty());
}

#[test]
fn who_slows_down_when_told_to_is_served_again() {
    let mut net = Net::with(|config| config.limits.messages = Rate::per_second(1, 2));
    let connection = net.connect();
    let options = |at: u32| format!("{HEAD}\r\n").replace("z9hG4bK1", &format!("z9hG4bK{at}"));
    let ask = |net: &mut Net, at: u32| {
        net.send_bytes(connection, options(at));
        net.recv(connection)
    };
    let served = ask(&mut net, 1).status();
    assert_eq!(ask(&mut net, 2).status(), served);
    let told = ask(&mut net, 3);
    assert_eq!((told.status(), told.retry_after()), (Some(503), Some(1)));
    net.pass(seconds(1));
    assert_eq!(ask(&mut net, 4).status(), served);
}

#[test]
fn a_flood_is_cut_off() {
    let mut net = Net::with(|config| config.limits.messages = Rate::per_second(10, 50));
    let connection = net.connect();
    for at in 0..100 {
        let request = format!("{HEAD}\r\n").replace("z9hG4bK1", &format!("z9hG4bK{at}"));
        net.send_bytes(connection, request);
    }
    assert_eq!(net.closed[&connection], DisconnectReason::TooManyFaults);
    // Those within the limit are answered, and the first beyond it is told to wait.
    assert_eq!(net.waiting(connection), 51);
    let answers: Vec<_> = (0..51).map(|_| net.recv(connection)).collect();
    let last = &answers[50];
    assert_eq!((last.status(), last.retry_after()), (Some(503), Some(1)));
    let limits = net.events.iter().filter(|e| {
        matches!(
            e,
            Event::LimitExceeded {
                limit: Limit::Messages,
                ..
            }
        )
    });
    assert_eq!(limits.count(), 1, "said once, not for each message");
}

#[test]
fn a_client_has_so_many_calls_and_others_their_own() {
    let mut net = Net::with(|config| config.limits.transactions_per_connection = 2);
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    alice.call(&mut net, &bob.aor(), "call-1");
    let second = alice.call(&mut net, &bob.aor(), "call-2");
    let third = alice.invite(&mut net, &bob.aor(), "call-3");
    net.send(alice.connection, &third);
    let refusal = net.recv_response(alice.connection, 503, "INVITE");
    assert_eq!(refusal.retry_after(), Some(5));
    net.send(alice.connection, &ack_of(&third, &refusal));

    let invites = [net.recv(bob.connection), net.recv(bob.connection)];
    bob.call(&mut net, &alice.aor(), "call-4");
    net.recv_request(alice.connection, "INVITE");
    bob.reply(&mut net, &invites[1], 486);
    let busy = net.recv_response(alice.connection, 486, "INVITE");
    net.send(alice.connection, &ack_of(&second, &busy));
    alice.call(&mut net, &bob.aor(), "call-5");
}

#[test]
fn stray_responses_and_acks_do_nothing() {
    let mut net = Net::new();
    let connection = net.connect();
    let response = HEAD.replace("OPTIONS sip:clearline.localhost SIP/2.0", "SIP/2.0 200 OK");
    net.send_bytes(connection, format!("{response}\r\n"));
    net.send_bytes(connection, format!("{HEAD}\r\n").replace("OPTIONS", "ACK"));
    net.nothing(connection);
}

#[test]
fn a_folded_line_does_not_become_a_header() {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let folded = alice
        .request_to(&mut net, "MESSAGE", &bob.aor(), "m-2")
        .headers("Subject: a\r\n Evil: 1\r\n")
        .build();
    net.send(alice.connection, &folded);
    let received = net.recv_request(bob.connection, "MESSAGE");
    assert_eq!(received.header(HeaderName::Other("Evil")), None);
}

/// Random bytes, and valid messages with random bytes changed, cut or doubled: nothing panics, everything is drained.
#[test]
fn mutated_messages_do_no_harm() {
    let mut random = clearline_core::Rng::new([42; 32]);
    let invite = format!(
        "INVITE sip:102@{DOMAIN} SIP/2.0\r\nv: SIP/2.0/WS a.invalid;branch=z9hG4bKm\r\nMax-Forwards: 70\r\n\
         From: \"A\" <sip:alice@{DOMAIN}>;tag=1\r\nt: <sip:102@{DOMAIN}>\r\ni: c1\r\nCSeq: 1 INVITE\r\n\
         Route: <sip:0123@{DOMAIN};lr>, <sip:x;lr>\r\nContact: <sip:a@a.invalid;gr>;q=0.1;expires=5\r\n\
         Proxy-Authorization: Digest username=\"alice\", realm=\"{DOMAIN}\", nonce=\"00\", uri=\"sip:x\", \
         response=\"00\", nc=00000001, cnonce=\"c\", qop=auth\r\nMax-Breadth: 3\r\nl: 4\r\n\r\nv=0\n"
    );
    for round in 0..3_000 {
        let mut net = Net::new();
        let connection = net.connect_from(Some("192.0.2.7:1"));
        let mut bytes = invite
            .replace("INVITE", ["INVITE", "REGISTER", "BYE", "ACK"][round % 4])
            .into_bytes();
        for _ in 0..1 + random.next_u64() % 6 {
            let at = usize::try_from(random.next_u64() % bytes.len() as u64).unwrap();
            match random.next_u64() % 4 {
                0 => bytes[at] = random.next_u64().to_le_bytes()[0],
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"\r\n;,<>\"@:= %\\"[at % 13]),
                _ => bytes.extend_from_within(at..),
            }
        }
        net.send_bytes(connection, &bytes);
        net.pass(seconds(40));
    }
}

#[test]
fn time_may_stand_still_and_waking_is_harmless() {
    let mut net = Net::new();
    net.platform.handle_input(Instant::ZERO, Input::Wake);
    assert_eq!(net.platform.poll_output(), Output::Idle(None));
    let connection = ConnectionId(9);
    net.platform.handle_input(
        Instant::ZERO,
        Input::Received {
            connection,
            message: b"\r\n\r\n".to_vec(),
        },
    );
    assert_eq!(
        net.platform.poll_output(),
        Output::Idle(None),
        "nobody is connected"
    );
}
