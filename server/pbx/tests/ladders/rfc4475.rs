//! The messages of RFC 4475 come in at the platform: what a registrar and a proxy have to do with each.
//!
//! All are sent by alice, who is signed in on her connection and goes by every name they have in From; whoever they are
//! for is bob, with one telephone. What is for the domain itself meets the registrar.

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_pbx::{Event, User};

use crate::net::{Net, Phone, ack_of, is_contact_of};
use crate::torture::{ALL, bytes};

/// What the platform does.
#[derive(Clone, Copy, Debug)]
enum Conduct {
    /// It answers with this status itself, and nobody else hears of it.
    Answers(u16),
    /// It passes it on to bob's telephone.
    Forwards,
    /// It asks for credentials, and then has these Contacts of alice.
    Registers(&'static [&'static str]),
    /// It says nothing, to nobody.
    Drops,
}

use Conduct::{Answers, Drops, Forwards, Registers};

/// Section, message, what becomes of it. Where the RFC leaves a choice, the comment says which was made.
const ROWS: [(&str, &str, Conduct); 49] = [
    ("3.1.1.1", "wsinv", Forwards),
    // A proxy passes on what it does not know.
    ("3.1.1.2", "intmeth", Forwards),
    // The user is called "sips:user@example.com".
    ("3.1.1.3", "esc01", Forwards),
    // One and two escaped zeros are two addresses.
    (
        "3.1.1.4",
        "escnull",
        Registers(&["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]),
    ),
    // For the registrar, and it is not REGISTER.
    ("3.1.1.5", "esc02", Answers(501)),
    ("3.1.1.6", "lwsdisp", Forwards),
    ("3.1.1.7", "longreq", Forwards),
    // The INVITE behind the REGISTER goes nowhere.
    ("3.1.1.8", "dblreq", Registers(&["<sip:j.user@host.example.com>"])),
    ("3.1.1.9", "semiuri", Forwards),
    ("3.1.1.10", "transports", Forwards),
    ("3.1.1.11", "mpart01", Forwards),
    // Responses to what was not sent: a proxy with state does not pass them on (RFC 6026 section 7.3).
    ("3.1.1.12", "unreason", Drops),
    ("3.1.1.13", "noreason", Drops),
    ("3.1.2.1", "badinv01", Answers(400)),
    ("3.1.2.2", "clerr", Answers(400)),
    ("3.1.2.3", "ncl", Answers(400)),
    ("3.1.2.4", "scalar02", Answers(400)),
    ("3.1.2.5", "scalarlg", Drops),
    ("3.1.2.6", "quotbal", Answers(400)),
    ("3.1.2.7", "ltgtruri", Answers(400)),
    ("3.1.2.8", "lwsruri", Answers(400)),
    ("3.1.2.9", "lwsstart", Forwards),
    ("3.1.2.10", "trws", Forwards),
    ("3.1.2.11", "escruri", Answers(400)),
    ("3.1.2.12", "baddate", Forwards),
    ("3.1.2.13", "regbadct", Answers(400)),
    // A To that can be read is not mended on the way.
    ("3.1.2.14", "badaspec", Forwards),
    ("3.1.2.15", "baddn", Answers(400)),
    ("3.1.2.16", "badvers", Answers(505)),
    ("3.1.2.17", "mismatch01", Answers(400)),
    ("3.1.2.18", "mismatch02", Answers(400)),
    ("3.1.2.19", "bigcode", Drops),
    ("3.2.1", "badbranch", Forwards),
    ("3.3.1", "insuf", Answers(400)),
    ("3.3.2", "unkscm", Answers(416)),
    ("3.3.3", "novelsc", Answers(416)),
    // No address of record has such a scheme.
    ("3.3.4", "unksm2", Answers(400)),
    // Proxy-Require is for the proxy, Require is not.
    ("3.3.5", "bext01", Answers(420)),
    // Bodies are for the far end.
    ("3.3.6", "invut", Forwards),
    // Credentials of an unknown kind are none.
    ("3.3.7", "regaut01", Answers(401)),
    ("3.3.8", "multi01", Answers(400)),
    ("3.3.9", "mcl01", Answers(400)),
    ("3.3.10", "bcast", Drops),
    ("3.3.11", "zeromf", Answers(483)),
    // Without brackets the parameter is the header's ...
    (
        "3.3.12",
        "cparam01",
        Registers(&["<sip:+19725552222@gw1.example.net>;unknownparam"]),
    ),
    // ... and within them it is the URI's.
    (
        "3.3.13",
        "cparam02",
        Registers(&["<sip:+19725552222@gw1.example.net;unknownparam>"]),
    ),
    (
        "3.3.14",
        "regescrt",
        Registers(&["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"]),
    ),
    ("3.3.15", "sdp01", Forwards),
    // Max-Forwards is added; what else is missing is between the ends.
    ("3.4.1", "inv2543", Forwards),
];

/// User parts in From, and in To of REGISTER.
const SENDERS: [&str; 16] = [
    "jdrosen",
    "mundane",
    "I have spaces",
    "null-\0-null",
    "resource",
    "caller",
    "amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallername",
    "j.user",
    "fluffy",
    "local-resource",
    "user",
    "a.g.bell",
    "watson",
    "+13035551111",
    "other",
    "joe",
];

/// User parts in Request-URIs.
const CALLEES: [&str; 6] = [
    "vivekg",
    "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
    "sips:user@example.com",
    "user;par=u@example.net",
    "kumiko",
    "UserB",
];

struct World {
    net: Net,
    alice: Phone,
    bob: Phone,
}

/// Who "user" is depends on whether the message is for that user or from them.
fn world(user_is_sender: bool) -> World {
    let mut net = Net::with(|config| {
        config.domain_aliases = [
            "example.com",
            "example.net",
            "example.org",
            "chair-dnrc.example.com",
            "services.example.com",
            "registrar.example.com",
            "ift.client.example.net",
            "127.0.0.1:5080",
        ]
        .map(str::to_owned)
        .into();
    });
    let named = |id: &str, aliases: Vec<&str>| User {
        aliases: aliases.into_iter().map(str::to_owned).collect(),
        ..User::new(id)
    };
    let senders = SENDERS
        .into_iter()
        .filter(|name| user_is_sender || *name != "user");
    net.platform.set_user(named("alice", senders.collect())).unwrap();
    let recipients = ["user", "remote-target"]
        .into_iter()
        .filter(|name| !user_is_sender || *name != "user");
    let callees = CALLEES.into_iter().chain(recipients);
    net.platform.set_user(named("bob", callees.collect())).unwrap();
    let (alice, bob) = (
        Phone::registered(&mut net, "alice", 1),
        Phone::registered(&mut net, "bob", 2),
    );
    net.events.clear();
    World { net, alice, bob }
}

fn read(name: &str) -> Message {
    Message::parse(bytes(name)).unwrap()
}

fn lines(message: &Message, name: HeaderName<'_>) -> Vec<String> {
    message.header_list(name).map(str::to_owned).collect()
}

/// The start line of the only frame alice has been sent.
fn only_answer(net: &mut Net, alice: &Phone, name: &str) -> String {
    let frame = String::from_utf8_lossy(&net.frame(alice.connection)).into_owned();
    assert_eq!(net.waiting(alice.connection), 0, "{name}");
    frame.lines().next().unwrap_or_default().to_owned()
}

/// Alice's connection is as good as before.
fn assert_usable(world: &mut World, name: &str) {
    let World { net, alice, bob } = world;
    net.nothing(bob.connection);
    assert!(net.closed.is_empty(), "{name}: {:?}", net.closed);
    let invite = alice.call(net, &bob.aor(), "afterwards");
    let at_bob = bob.ring(net);
    net.recv_response(alice.connection, 180, "INVITE");
    bob.reply(net, &at_bob, 486);
    net.recv_request(bob.connection, "ACK");
    let busy = net.recv_response(alice.connection, 486, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &busy));
    net.pass(crate::net::seconds(70));
    net.nothing(alice.connection);
    net.nothing(bob.connection);
}

/// Bob gets it as RFC 3261 section 16.6 says, and alice his answer as section 16.7 says.
fn is_forwarded(world: &mut World, name: &str) {
    let World { net, alice, bob } = world;
    let request = read(name);
    let is_invite = request.method() == Method::Invite;
    if is_invite {
        net.recv_response(alice.connection, 100, "INVITE");
    }
    let at_bob = net.recv(bob.connection);
    assert_eq!(at_bob.method(), request.method(), "{name}");
    assert!(is_contact_of(at_bob.request_uri(), bob), "{name}");
    let hops = request.max_forwards().unwrap().map_or(70, |hops| hops - 1);
    assert_eq!(at_bob.max_forwards(), Ok(Some(hops)), "{name}");
    assert_eq!(
        lines(&at_bob, HeaderName::Via)[1..],
        lines(&request, HeaderName::Via),
        "{name}"
    );
    assert_eq!(at_bob.body(), request.body(), "{name}");
    assert!(at_bob.routes().next().is_none(), "{name}");
    for (header, value) in request.headers() {
        let is_ours = [
            HeaderName::Via,
            HeaderName::MaxForwards,
            HeaderName::Route,
            HeaderName::ContentLength,
        ]
        .contains(&header);
        assert!(
            is_ours || at_bob.header_all(header).any(|kept| kept == value),
            "{name}: {header} is lost"
        );
    }
    let status = if is_invite { 486 } else { 200 };
    bob.reply(net, &at_bob, status);
    let back = net.recv(alice.connection);
    assert_eq!(back.status(), Some(status), "{name}");
    assert_eq!(
        lines(&back, HeaderName::Via),
        lines(&request, HeaderName::Via),
        "{name}"
    );
    if is_invite {
        net.recv_request(bob.connection, "ACK");
        net.send(alice.connection, &ack_of(&request, &back));
    }
}

/// Alice is asked for credentials, and shows them.
fn register(world: &mut World, name: &str) -> Message {
    let World { net, alice, .. } = world;
    let challenge = net.recv_response(alice.connection, 401, "REGISTER");
    let authorized = alice.answer_challenge(net, &read(name), &challenge);
    net.send(alice.connection, &authorized);
    net.recv_response(alice.connection, 200, "REGISTER")
}

fn is_registered(world: &mut World, name: &str, contacts: &[&str]) {
    let ok = register(world, name);
    let own = world.alice.contact();
    let listed = lines(&ok, HeaderName::Contact);
    let others: Vec<_> = listed
        .iter()
        .filter(|contact| !contact.contains(&own))
        .map(|contact| contact.split(";expires").next().unwrap())
        .collect();
    assert_eq!(others, contacts, "{name}");
}

#[test]
fn every_message_has_its_row() {
    let mut named: Vec<_> = ROWS.iter().map(|(_, name, _)| *name).collect();
    named.sort_unstable();
    let all: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, all);
}

#[test]
fn each_message_gets_what_it_deserves() {
    for (section, name, conduct) in ROWS {
        let mut world = world(matches!(conduct, Registers(_)));
        world.net.send_bytes(world.alice.connection, bytes(name));
        match conduct {
            Answers(status) => {
                let start = only_answer(&mut world.net, &world.alice, name);
                assert!(
                    start.starts_with(&format!("SIP/2.0 {status} ")),
                    "{section} {name}: {start}"
                );
            }
            Forwards => is_forwarded(&mut world, name),
            Registers(contacts) => is_registered(&mut world, name, contacts),
            Drops => {
                world.net.nothing(world.alice.connection);
                assert!(
                    matches!(world.net.events[..], [Event::Dropped { .. }]),
                    "{section} {name}: {:?}",
                    world.net.events
                );
            }
        }
        assert_usable(&mut world, name);
    }
}

#[test]
fn the_proxy_names_the_extensions_it_lacks() {
    let mut world = world(false);
    world.net.send_bytes(world.alice.connection, bytes("bext01"));
    let refusal = world.net.recv_response(world.alice.connection, 420, "OPTIONS");
    assert_eq!(
        lines(&refusal, HeaderName::Unsupported),
        ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]
    );
}

/// 3.2.1: two requests whose branch is nothing but the cookie are told apart all the same.
#[test]
fn two_requests_with_a_bare_cookie_are_two() {
    let mut world = world(false);
    let World { net, alice, bob } = &mut world;
    let first = read("badbranch");
    let other = first.edit().set(HeaderName::CallId, "another").build();
    for request in [&first, &other] {
        net.send(alice.connection, request);
        let at_bob = net.recv_request(bob.connection, "OPTIONS");
        assert_eq!(at_bob.call_id(), request.call_id());
        bob.reply(net, &at_bob, 200);
        let ok = net.recv_response(alice.connection, 200, "OPTIONS");
        assert_eq!(ok.call_id(), request.call_id());
    }
}

/// 3.3.14: the header in a registered address is listed, but is no header of a request to it.
#[test]
fn a_route_in_a_contact_leads_nowhere() {
    let mut world = world(true);
    world.net.send_bytes(world.alice.connection, bytes("regescrt"));
    register(&mut world, "regescrt");
    let World { net, alice, bob } = &mut world;
    let request = bob.request_to(net, "MESSAGE", &alice.aor(), "m-1").build();
    net.send(bob.connection, &request);
    let forks = [net.recv(alice.connection), net.recv(alice.connection)];
    assert!(
        forks
            .iter()
            .any(|fork| fork.request_uri_text() == Some("sip:user@example.com"))
    );
    for fork in forks {
        assert_eq!(fork.header(HeaderName::Route), None);
    }
}
