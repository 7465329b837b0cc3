//! What the proxy checks before it forwards (RFC 3261 sections 16.3 and 18.2.1, RFC 5393, RFC 5626).

use clearline_core::sip::{HeaderName, Message};

use crate::net::{DOMAIN, Net, Phone, request};

fn options(net: &mut Net, uri: &str) -> Message {
    request(
        net,
        "OPTIONS",
        uri,
        "<sip:a@example.com>;tag=1",
        &format!("<{uri}>"),
    )
    .build()
}

#[test]
fn the_domain_answers_for_itself() {
    let mut net = Net::new();
    let connection = net.connect();
    for uri in [format!("sip:{DOMAIN}"), "sip:127.0.0.1:8080;transport=ws".into()] {
        let request = options(&mut net, &uri);
        net.send(connection, &request);
        let response = net.recv_response(connection, 200, "OPTIONS");
        assert!(response.lists_token(HeaderName::Allow, "REGISTER"));
    }
    let strange = options(&mut net, &format!("sip:{DOMAIN}"))
        .edit()
        .append(HeaderName::Require, "magic")
        .build();
    net.send(connection, &strange);
    let response = net.recv_response(connection, 420, "OPTIONS");
    assert_eq!(response.header(HeaderName::Unsupported), Some("magic"));
}

#[test]
fn other_event_packages_are_unknown() {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    for (method, status) in [("SUBSCRIBE", 489), ("PUBLISH", 405)] {
        for target in [bob.aor(), format!("sip:{DOMAIN}")] {
            let request = alice
                .request_to(&mut net, method, &target, "e-1")
                .headers("Event: presence\r\n")
                .build();
            net.send(alice.connection, &request);
            net.recv_response(alice.connection, status, method);
        }
    }
    // A subscription to one device is that device's business.
    let request = alice
        .request_to(&mut net, "SUBSCRIBE", &bob.gruu(), "e-2")
        .headers("Event: dialog\r\n")
        .build();
    net.send(alice.connection, &request);
    net.recv_request(bob.connection, "SUBSCRIBE");
}

#[test]
fn hops_extensions_and_breadth_run_out() {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let draft = |net: &mut Net| alice.request_to(net, "MESSAGE", &bob.aor(), "m-1");
    let cases = [
        (draft(&mut net).max_forwards(0).build(), 483),
        (
            draft(&mut net)
                .headers("Proxy-Require: magic, tricks\r\n")
                .build(),
            420,
        ),
        (draft(&mut net).headers("Max-Breadth: 0\r\n").build(), 440),
        (draft(&mut net).headers("Max-Breadth: few\r\n").build(), 400),
    ];
    for (request, status) in cases {
        net.send(alice.connection, &request);
        let response = net.recv_response(alice.connection, status, "MESSAGE");
        if status == 420 {
            assert_eq!(response.header(HeaderName::Unsupported), Some("magic, tricks"));
        }
    }
    net.nothing(bob.connection);
}

#[test]
fn a_narrow_request_forks_one_after_the_other() {
    let mut net = Net::new();
    let alice = Phone::registered(&mut net, "alice", 1);
    let (desk, mobile) = (
        Phone::registered(&mut net, "bob", 2),
        Phone::registered(&mut net, "bob", 3),
    );
    let request = alice
        .request_to(&mut net, "MESSAGE", &desk.aor(), "m-1")
        .headers("Max-Breadth: 1\r\n")
        .build();
    net.send(alice.connection, &request);
    let at_desk = net.recv_request(desk.connection, "MESSAGE");
    assert_eq!(at_desk.header(HeaderName::MaxBreadth), Some("1"));
    net.nothing(mobile.connection);
    desk.reply(&mut net, &at_desk, 480);
    net.recv_request(mobile.connection, "MESSAGE");

    let request = alice
        .request_to(&mut net, "MESSAGE", &desk.aor(), "m-2")
        .headers("Max-Breadth: 5\r\n")
        .build();
    net.send(alice.connection, &request);
    assert_eq!(
        net.recv_request(desk.connection, "MESSAGE")
            .header(HeaderName::MaxBreadth),
        Some("2")
    );
    assert_eq!(
        net.recv_request(mobile.connection, "MESSAGE")
            .header(HeaderName::MaxBreadth),
        Some("2")
    );
}

#[test]
fn a_request_that_comes_back_unchanged_is_a_loop() {
    let mut net = Net::new();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let request = alice.request_to(&mut net, "MESSAGE", &bob.aor(), "m-1").build();
    net.send(alice.connection, &request);
    let at_bob = net.recv_request(bob.connection, "MESSAGE");
    // Bob's device sends it on to where it came from.
    let back = at_bob
        .edit()
        .set_request_uri(&bob.aor())
        .prepend(HeaderName::Via, "SIP/2.0/WS bob.invalid;branch=z9hG4bKloop")
        .build();
    net.send(bob.connection, &back);
    net.recv_response(bob.connection, 482, "MESSAGE");
    // To somebody else it would be a spiral, but bob may not send in alice's name.
    let spiral = back
        .edit()
        .set_request_uri(&format!("sip:carol@{DOMAIN}"))
        .replace_first_element(HeaderName::Via, "SIP/2.0/WS bob.invalid;branch=z9hG4bKspiral")
        .build();
    net.send(bob.connection, &spiral);
    net.recv_response(bob.connection, 407, "MESSAGE");
}

#[test]
fn the_top_via_says_where_a_request_came_from() {
    let mut net = Net::new();
    let connection = net.connect_from(Some("192.0.2.7:50001"));
    let via = "SIP/2.0/WS client.invalid;received=203.0.113.9;branch=z9hG4bKv;rport=1;x=\"a;b\"";
    let request = options(&mut net, &format!("sip:{DOMAIN}"))
        .edit()
        .set(HeaderName::Via, via)
        .build();
    net.send(connection, &request);
    let response = net.recv_response(connection, 200, "OPTIONS");
    assert_eq!(
        response.header(HeaderName::Via),
        Some("SIP/2.0/WS client.invalid;branch=z9hG4bKv;x=\"a;b\";received=192.0.2.7;rport=50001")
    );
    let truthful = "SIP/2.0/WS 192.0.2.7:50001;branch=z9hG4bKt";
    let request = request.edit().set(HeaderName::Via, truthful).build();
    net.send(connection, &request);
    assert_eq!(
        net.recv_response(connection, 200, "OPTIONS")
            .header(HeaderName::Via),
        Some(truthful)
    );
}

#[test]
fn pings_are_answered_and_pongs_are_not() {
    let mut net = Net::new();
    let connection = net.connect();
    net.send_bytes(connection, "\r\n\r\n");
    assert_eq!(net.frame(connection), b"\r\n");
    net.send_bytes(connection, "\r\n");
    net.nothing(connection);
    assert!(net.events.is_empty());
}
