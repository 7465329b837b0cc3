//! REGISTER (RFC 3261 section 10, RFC 5626, RFC 5627).

use clearline_core::sip::digest::{Algorithm, Ha1};
use clearline_core::sip::{HeaderName, Message};
use clearline_core::{ConnectionId, Secret};
use clearline_pbx::{DisconnectReason, Event, Input, UnregisteredCause, User, UserId};

use crate::net::{DOMAIN, Net, Phone, request, seconds};

fn contacts(response: &Message) -> Vec<String> {
    response
        .header_list(HeaderName::Contact)
        .map(str::to_owned)
        .collect()
}

fn expires(response: &Message) -> Vec<String> {
    let addresses = response
        .contacts()
        .map(|contact| contact.unwrap().address().unwrap());
    addresses
        .map(|address| address.params.value("expires").unwrap().to_owned())
        .collect()
}

#[test]
fn a_connection_is_signed_in_once_credentials_were_right() {
    let mut net = Net::new();
    let stranger = net.connect();
    let phone = Phone::registered(&mut net, "alice", 1);
    net.send_bytes(stranger, "\r\n\r\n");
    let signed_in = |net: &Net, connection| net.platform.is_signed_in(ConnectionId(connection));
    assert!(signed_in(&net, phone.connection) && !signed_in(&net, stranger));
    net.disconnect(phone.connection);
    assert!(!signed_in(&net, phone.connection));
}

#[test]
fn a_challenge_then_a_binding() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let headers = format!(
        "Supported: outbound, gruu\r\n{}",
        phone.contact_header(";expires=120")
    );
    let first = phone.registration(&mut net, &headers);
    net.send(phone.connection, &first);
    let challenge = net.recv_response(phone.connection, 401, "REGISTER");
    let algorithms: Vec<_> = challenge
        .challenges()
        .map(|c| c.unwrap().param("algorithm").unwrap().into_owned())
        .collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);

    let second = phone.answer_challenge(&mut net, &first, &challenge);
    assert!(
        second
            .header(HeaderName::Authorization)
            .unwrap()
            .contains("SHA-256")
    );
    net.send(phone.connection, &second);
    let response = net.recv_response(phone.connection, 200, "REGISTER");
    assert_eq!(expires(&response), ["120"]);
    assert!(response.lists_token(HeaderName::Require, "outbound"));
    let contact = &contacts(&response)[0];
    assert!(
        contact.contains(&format!("pub-gruu=\"{}\"", phone.gruu())),
        "{contact}"
    );
    assert!(contact.contains("temp-gruu=\"sip:tgruu-"), "{contact}");
    assert!(
        contact.contains(&format!("+sip.instance=\"<{}>\";reg-id=1", phone.instance)),
        "{contact}"
    );
    assert!(matches!(&net.events[..], [Event::Registered { devices: 1, .. }]));
}

/// Registers a device that calls itself `name`, in quotes.
fn register_named(net: &mut Net, phone: &mut Phone, name: &str) -> Message {
    let contact = phone
        .contact_header("")
        .replace("Contact: ", &format!("Contact: {name} "));
    phone.register_with(net, &format!("Supported: outbound, gruu\r\n{contact}"))
}

#[test]
fn a_device_s_name_is_listed_to_the_user_s_other_devices() {
    let mut net = Net::new();
    let (mut desk, mut laptop) = (Phone::new(&mut net, "alice", 1), Phone::new(&mut net, "alice", 2));
    let name = "\"Desk \\\"1\\\"\"";
    assert_eq!(register_named(&mut net, &mut desk, name).status(), Some(200));
    let response = laptop.register(&mut net, "");
    let listed = contacts(&response);
    let is_named = |contact: &&String| contact.starts_with(&format!("{name} <sip:"));
    assert_eq!((listed.len(), listed.iter().filter(is_named).count()), (2, 1));
}

#[test]
fn a_name_without_end_is_refused_as_a_contact_without_end_is() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let name = format!("\"{}\"", "n".repeat(1_024));
    assert_eq!(register_named(&mut net, &mut phone, &name).status(), Some(400));
}

#[test]
fn a_wrong_password_is_challenged_again_and_soon_closes_the_connection() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    phone.password = "wrong";
    let response = phone.register(&mut net, "");
    assert_eq!(response.status(), Some(401));
    assert!(
        response
            .challenges()
            .flatten()
            .all(|challenge| challenge.param("stale").is_none())
    );
    assert!(matches!(net.events[..], [Event::AuthenticationFailed { .. }]));
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 0);

    let wrong = phone.registration(&mut net, "");
    for _ in 0..10 {
        let wrong = phone.authorized(&mut net, &wrong);
        net.send(phone.connection, &wrong);
    }
    assert_eq!(
        net.closed[&phone.connection],
        DisconnectReason::TooManyAuthenticationFailures
    );
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "mallory", 1);
    assert_eq!(phone.register(&mut net, "").status(), Some(401));
}

#[test]
fn nobody_registers_for_another() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let headers = phone.contact_header("");
    let to_bob = |request: Message| {
        request
            .edit()
            .set(HeaderName::To, format!("<sip:bob@{DOMAIN}>"))
            .build()
    };
    let request = to_bob(phone.registration(&mut net, &headers));
    assert_eq!(phone.ask(&mut net, request).status(), Some(403));
    let from_bob = |request: Message| {
        request
            .edit()
            .set(HeaderName::From, format!("<sip:bob@{DOMAIN}>;tag=1"))
            .build()
    };
    let request = from_bob(phone.registration(&mut net, &headers));
    assert_eq!(phone.ask(&mut net, request).status(), Some(403));
    assert_eq!(net.platform.device_count(&UserId::new("bob")), 0);
}

#[test]
fn an_old_nonce_is_stale_and_a_used_count_a_replay() {
    let mut net = Net::new();
    let mut phone = Phone::registered(&mut net, "alice", 1);
    net.pass(seconds(299));
    // The nonce is used again, with the next count.
    let again = phone.registration(&mut net, "");
    let again = phone.authorized(&mut net, &again);
    net.send(phone.connection, &again);
    net.recv_response(phone.connection, 200, "REGISTER");

    // The same credentials in another transaction.
    let replay = again
        .edit()
        .set(HeaderName::Via, "SIP/2.0/WS test.invalid;branch=z9hG4bKreplay")
        .build();
    net.send(phone.connection, &replay);
    let response = net.recv_response(phone.connection, 401, "REGISTER");
    assert!(
        response
            .challenges()
            .flatten()
            .all(|c| c.param("stale").as_deref() == Some("true"))
    );

    net.pass(seconds(2));
    let late = phone.registration(&mut net, "");
    let late = phone.authorized(&mut net, &late);
    net.send(phone.connection, &late);
    let response = net.recv_response(phone.connection, 401, "REGISTER");
    assert!(
        response
            .challenges()
            .flatten()
            .all(|c| c.param("stale").as_deref() == Some("true"))
    );
    let request = phone.answer_challenge(&mut net, &late, &response);
    net.send(phone.connection, &request);
    net.recv_response(phone.connection, 200, "REGISTER");
    assert!(
        !net.events
            .iter()
            .any(|event| matches!(event, Event::AuthenticationFailed { .. }))
    );
}

#[test]
fn credentials_are_no_good_on_another_connection() {
    let mut net = Net::new();
    let mut phone = Phone::registered(&mut net, "alice", 1);
    let stolen = phone.registration(&mut net, "");
    let stolen = phone.authorized(&mut net, &stolen);
    let elsewhere = net.connect();
    net.send(elsewhere, &stolen);
    net.recv_response(elsewhere, 401, "REGISTER");
}

#[test]
fn a_refresh_prolongs_and_silence_ends_a_binding() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    phone.register(&mut net, ";expires=60");
    net.pass(seconds(50));
    assert_eq!(expires(&phone.register(&mut net, ";expires=60")), ["60"]);
    net.pass(seconds(20));
    assert_eq!(
        expires(&phone.register_with(&mut net, "")),
        ["40"],
        "fetched, not changed"
    );
    net.pass(seconds(39));
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 1);
    net.pass(seconds(1));
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 0);
    let last = net.events.last().unwrap();
    assert!(matches!(
        last,
        Event::Unregistered {
            cause: UnregisteredCause::Expired,
            devices: 0,
            ..
        }
    ));
    assert_eq!(net.deadline(), None);
}

#[test]
fn lifetimes_have_bounds_and_a_default() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let brief = phone.register(&mut net, ";expires=29");
    assert_eq!((brief.status(), brief.min_expires()), (Some(423), Some(30)));
    assert_eq!(expires(&phone.register(&mut net, ";expires=99999")), ["3600"]);
    assert_eq!(expires(&phone.register(&mut net, "")), ["600"]);
    assert_eq!(expires(&phone.register(&mut net, ";expires=nonsense")), ["600"]);
    let header = format!("Expires: 90\r\n{}", phone.contact_header(""));
    assert_eq!(expires(&phone.register_with(&mut net, &header)), ["90"]);
}

#[test]
fn unregistering_removes_one_or_all() {
    let mut net = Net::new();
    let mut one = Phone::registered(&mut net, "alice", 1);
    let mut two = Phone::registered(&mut net, "alice", 2);
    let response = one.register(&mut net, ";expires=0");
    let left = contacts(&response);
    assert!(left.len() == 1 && left[0].contains(&two.contact()), "{left:?}");

    assert_eq!(two.register_with(&mut net, "Contact: *\r\n").status(), Some(400));
    let star = format!("Contact: *\r\nExpires: 0\r\n{}", two.contact_header(""));
    assert_eq!(two.register_with(&mut net, &star).status(), Some(400));
    one.register(&mut net, "");
    let response = two.register_with(&mut net, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((response.status(), contacts(&response).len()), (Some(200), 0));
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 0);
}

#[test]
fn the_same_instance_and_reg_id_replace_each_other() {
    let mut net = Net::new();
    let mut phone = Phone::registered(&mut net, "alice", 1);
    phone.connection = net.connect();
    phone.call_id = "after-reload".into();
    let other_contact = format!(
        "Supported: outbound\r\nContact: <sip:x@new.invalid;transport=ws>;+sip.instance=\"<{}>\";reg-id=1\r\n",
        phone.instance
    );
    let response = phone.register_with(&mut net, &other_contact);
    assert_eq!(contacts(&response).len(), 1);
    assert!(contacts(&response)[0].contains("new.invalid"));
    let second_flow = other_contact.replace("reg-id=1", "reg-id=2");
    assert_eq!(contacts(&phone.register_with(&mut net, &second_flow)).len(), 2);
}

#[test]
fn an_older_register_does_not_undo_a_newer() {
    let mut net = Net::new();
    let mut phone = Phone::registered(&mut net, "alice", 1);
    let cseq = phone.cseq;
    phone.register(&mut net, "");
    phone.cseq = cseq - 2;
    let headers = phone.contact_header(";expires=0");
    let late = phone.registration(&mut net, &headers);
    let late = phone.authorized(&mut net, &late);
    net.send(phone.connection, &late);
    net.recv_response(phone.connection, 500, "REGISTER");
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 1);
}

#[test]
fn a_user_has_so_many_devices_and_dead_ones_make_room() {
    let mut net = Net::with(|config| config.limits.bindings_per_user = 2);
    let one = Phone::registered(&mut net, "alice", 1);
    let _two = Phone::registered(&mut net, "alice", 2);
    let mut three = Phone::new(&mut net, "alice", 3);
    assert_eq!(three.register(&mut net, "").status(), Some(403));
    net.disconnect(one.connection);
    let response = three.register(&mut net, "");
    assert_eq!((response.status(), contacts(&response).len()), (Some(200), 2));
    assert!(
        !contacts(&response)
            .iter()
            .any(|contact| contact.contains(&one.contact()))
    );
}

#[test]
fn malformed_contacts_are_refused() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let two_flows = format!(
        "{}{}",
        phone.contact_header(""),
        phone.contact_header("").replace("=1", "=2")
    );
    let long = format!("Contact: <sip:{}@h.invalid>\r\n", "x".repeat(2_000));
    for (headers, status) in [
        (two_flows.as_str(), 400),
        (long.as_str(), 400),
        ("Contact: <tel:+4930123>\r\n", 400),
        ("Contact: <sip:a@h.invalid>;q=2\r\n", 400),
        (
            "Contact: <sip:a@h.invalid>;+sip.instance=\"<urn:x>\";reg-id=no\r\n",
            400,
        ),
        ("Require: path, gruu\r\n", 420),
    ] {
        let response = phone.register_with(&mut net, headers);
        assert_eq!(response.status(), Some(status), "{headers}");
        if status == 420 {
            assert_eq!(response.header(HeaderName::Unsupported), Some("path"));
        }
    }
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 0);
}

#[test]
fn number_and_server_address_are_the_same_account() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let by_number = phone
        .registration(&mut net, "Contact: <sip:101@h.invalid>\r\n")
        .edit()
        .set_request_uri("sip:127.0.0.1:8080")
        .set(HeaderName::To, "<sip:101@127.0.0.1:8080>")
        .set(HeaderName::From, "<sip:101@localhost>;tag=1")
        .build();
    assert_eq!(phone.ask(&mut net, by_number).status(), Some(200));
    assert_eq!(net.platform.device_count(&UserId::new("alice")), 1);
    let foreign = request(
        &mut net,
        "REGISTER",
        "sip:example.com",
        "<sip:a@example.com>;tag=1",
        "<sip:a@example.com>",
    );
    assert_eq!(phone.ask(&mut net, foreign.build()).status(), Some(403));
}

#[test]
fn revoked_credentials_take_their_devices_with_them() {
    let mut net = Net::new();
    let alice = UserId::new("alice");
    let secret = Ha1::new(
        Algorithm::Sha256,
        "alice-laptop",
        DOMAIN,
        &Secret::new("device secret"),
    );
    let laptop_credential = net.platform.add_credential(&alice, "alice-laptop", secret);
    let _desk = Phone::registered(&mut net, "alice", 1);
    let mut laptop = Phone::new(&mut net, "alice", 2);
    let headers = laptop.contact_header("");
    let first = laptop.registration(&mut net, &headers);
    let response = {
        net.send(laptop.connection, &first);
        net.recv_response(laptop.connection, 401, "REGISTER")
    };
    let mut challenges = clearline_core::sip::digest::ClientChallengeState::default();
    challenges.take_challenges(&response);
    let (name, value) = challenges
        .authorize(&first, "alice-laptop", &Secret::new("device secret"), "c")
        .remove(0);
    let via = "SIP/2.0/WS test.invalid;branch=z9hG4bKlaptop";
    let second = first.edit().set(HeaderName::Via, via).append(name, value).build();
    net.send(laptop.connection, &second);
    net.recv_response(laptop.connection, 200, "REGISTER");
    assert_eq!(net.platform.device_count(&alice), 2);

    net.platform.remove_credential(laptop_credential);
    net.drain();
    assert_eq!(net.platform.device_count(&alice), 1);
    assert!(matches!(
        net.events.last(),
        Some(Event::Unregistered {
            cause: UnregisteredCause::Revoked,
            ..
        })
    ));

    net.platform.remove_user(&alice);
    net.drain();
    assert_eq!(net.platform.device_count(&alice), 0);
    net.platform.set_user(User::new("alice")).unwrap();
    let mut back = Phone::new(&mut net, "alice", 1);
    assert_eq!(
        back.register(&mut net, "").status(),
        Some(401),
        "the old password is gone with the user"
    );
}

#[test]
fn the_same_seed_and_inputs_give_the_same_outputs() {
    let run = || {
        let mut net = Net::new();
        let mut phone = Phone::new(&mut net, "alice", 1);
        let response = phone.register(&mut net, "");
        (response.as_bytes().to_vec(), format!("{:?}", net.events))
    };
    assert_eq!(run(), run());
    let mut net = Net::new();
    let connection = ConnectionId(77);
    net.platform
        .handle_input(net.now, Input::Disconnected { connection });
    assert_eq!(net.deadline(), None, "an unknown connection is ignored");
}

#[test]
fn push_resources_are_told_to_their_own_device_only() {
    let mut net = Net::new();
    let mut phone = Phone::new(&mut net, "alice", 1);
    let contact = format!(
        "Contact: <sip:x@one.invalid;transport=ws;pn-provider=webpush;pn-prid=secret>;+sip.instance=\"<{}>\";reg-id=1\r\n",
        phone.instance
    );
    let own = phone.register_with(&mut net, &contact);
    assert!(contacts(&own)[0].contains(";pn-provider=webpush;pn-prid=secret>"));
    let mut tablet = Phone::new(&mut net, "alice", 2);
    let listed = tablet.register(&mut net, "");
    assert_eq!(contacts(&listed).len(), 2);
    assert!(
        contacts(&listed)
            .iter()
            .any(|contact| contact.starts_with("<sip:x@one.invalid;transport=ws>"))
    );
    assert!(!contacts(&listed).concat().contains("pn-"));
}
