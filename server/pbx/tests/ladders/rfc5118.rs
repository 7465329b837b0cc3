//! IPv6 at the platform, after the cases of RFC 5118 section 4: a domain that is an address, clients that have one.

use clearline_core::sip::{HeaderName, Message};

use crate::net::{Net, Phone, is_contact_of, request};

const DOMAIN: &str = "sip:[2001:db8::10]";

/// The platform is reached under addresses too.
fn net() -> Net {
    Net::with(|config| {
        config
            .domain_aliases
            .extend(["[2001:db8::10]", "[2001:db8::c000:201]"].map(str::to_owned));
    })
}

fn sent_to(net: &mut Net, uri: &str, headers: &str) -> Message {
    request(
        net,
        "OPTIONS",
        uri,
        "<sip:a@example.com>;tag=1",
        "<sip:a@example.com>",
    )
    .headers(headers)
    .build()
}

fn lines(message: &Message, name: HeaderName<'_>) -> Vec<String> {
    message.header_list(name).map(str::to_owned).collect()
}

/// 4.1: the domain and the contact are addresses.
#[test]
fn a_device_registers_at_an_address_with_an_address() {
    let mut net = net();
    let mut alice = Phone::new(&mut net, "alice", 1);
    let aor = "<sip:alice@[2001:db8::10]>";
    let register = request(&mut net, "REGISTER", DOMAIN, &format!("{aor};tag=81x2"), aor)
        .headers("Contact: \"Caller\" <sip:caller@[2001:db8::1]>\r\n")
        .build();
    let ok = alice.ask(&mut net, register);
    assert_eq!(ok.status(), Some(200));
    let contact = &lines(&ok, HeaderName::Contact)[0];
    assert!(
        contact.starts_with("\"Caller\" <sip:caller@[2001:db8::1]>"),
        "{contact}"
    );

    let bob = Phone::registered(&mut net, "bob", 2);
    let message = bob
        .request_to(&mut net, "MESSAGE", "sip:101@[2001:db8::10]", "m-1")
        .build();
    net.send(bob.connection, &message);
    let at_alice = net.recv_request(alice.connection, "MESSAGE");
    assert_eq!(at_alice.request_uri_text(), Some("sip:caller@[2001:db8::1]"));
}

/// 4.2: without brackets the address cannot be told from a port.
#[test]
fn an_address_without_brackets_is_refused() {
    let mut net = net();
    let connection = net.connect();
    let request = sent_to(&mut net, "sip:2001:db8::10", "");
    net.send(connection, &request);
    net.recv_response(connection, 400, "OPTIONS");
}

/// 4.3 and 4.4: what stands within the brackets is another host, what stands behind them a port of this one.
#[test]
fn the_brackets_tell_host_from_port() {
    let mut net = net();
    let alice = Phone::registered(&mut net, "alice", 1);
    let options = |net: &mut Net, uri: &str| alice.request_to(net, "OPTIONS", uri, "o-1").build();
    let within = options(&mut net, "sip:[2001:db8::10:5070]");
    net.send(alice.connection, &within);
    net.recv_response(alice.connection, 403, "OPTIONS");
    let behind = options(&mut net, "sip:[2001:db8::10]:5070");
    net.send(alice.connection, &behind);
    net.recv_response(alice.connection, 200, "OPTIONS");
}

/// The same address may be written in many ways (RFC 4291 section 2.2); 4.10: in one too many, too.
#[test]
fn spellings_of_the_domain_are_the_domain() {
    let mut net = net();
    let connection = net.connect();
    for uri in [
        "sip:[2001:DB8:0:0::10]",
        "sip:[2001:0db8::0010]:5060",
        "sip:[2001:db8:::192.0.2.1]",
    ] {
        let request = sent_to(&mut net, uri, "");
        net.send(connection, &request);
        net.recv_response(connection, 200, "OPTIONS");
    }
}

/// 4.5: where a request came from is noted as the grammar has it, without brackets, and only if it differs.
#[test]
fn received_is_written_without_brackets() {
    for (via, back) in [
        (
            "SIP/2.0/WS [2001:db8::9:1];branch=z9hG4bKas3",
            "SIP/2.0/WS [2001:db8::9:1];branch=z9hG4bKas3;received=2001:db8::9:255",
        ),
        (
            "SIP/2.0/WS [2001:db8::9:1];received=[2001:db8::9:7];branch=z9hG4bKas4;rport",
            "SIP/2.0/WS [2001:db8::9:1];branch=z9hG4bKas4;received=2001:db8::9:255;rport=50001",
        ),
        (
            "SIP/2.0/WS [2001:db8:0::9:255];branch=z9hG4bKas5",
            "SIP/2.0/WS [2001:db8:0::9:255];branch=z9hG4bKas5",
        ),
    ] {
        let mut net = net();
        let connection = net.connect_from(Some("[2001:db8::9:255]:50001"));
        let options = sent_to(&mut net, DOMAIN, "");
        net.send(connection, &options.edit().set(HeaderName::Via, via).build());
        let ok = net.recv_response(connection, 200, "OPTIONS");
        assert_eq!(ok.header(HeaderName::Via), Some(back));
    }
}

/// 4.6 to 4.9: descriptions pass unread, and a path over both families, mapped addresses included, leads back.
#[test]
fn a_call_over_both_families() {
    let mut net = net();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    let description = "v=0\r\no=bob 280744730 28977631 IN IP6 ::ffff:192.0.2.2\r\ns=\r\nt=0 0\r\n\
                       m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n\
                       m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\n";
    let invite = alice
        .request_to(&mut net, "INVITE", "sip:102@[2001:db8::10]", "c-1")
        .headers("Contact: <sip:alice@[::ffff:192.0.2.2]>\r\nContent-Type: application/sdp\r\n")
        .body(description)
        .build();
    let vias = [
        "SIP/2.0/WS [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
        "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
    ];
    let invite = invite.edit().set(HeaderName::Via, vias.join(",")).build();
    net.send(alice.connection, &invite);
    net.recv_response(alice.connection, 100, "INVITE");
    let at_bob = net.recv_request(bob.connection, "INVITE");
    assert!(is_contact_of(at_bob.request_uri(), &bob));
    assert_eq!(at_bob.body(), description.as_bytes());
    assert_eq!(lines(&at_bob, HeaderName::Via)[1..], vias);
    bob.reply(&mut net, &at_bob, 180);
    let ringing = net.recv_response(alice.connection, 180, "INVITE");
    assert_eq!(lines(&ringing, HeaderName::Via), vias);
}
