//! What strangers and bad participants try.

use clearline_core::sip::{HeaderName, Method};
use clearline_focus::Agent as _;

use crate::room::{CONFERENCE, OFFER, Room, View, user};

#[test]
fn nothing_but_users_is_called_for_anybody() {
    let mut room = Room::for_all();
    let mut alice = room.joins("alice");
    for (refer_to, status) in [
        ("<sip:bob@elsewhere.example>".to_owned(), 403),
        ("<tel:+4989123>".to_owned(), 403),
        ("<sip:clearline.localhost>".to_owned(), 403),
        ("<sip:*21@clearline.localhost>".to_owned(), 403),
        (format!("<{CONFERENCE}>"), 403),
        ("<sip:conf-other@clearline.localhost>".to_owned(), 403),
        ("<https://evil.example/>".to_owned(), 416),
        ("<javascript:alert(1)>".to_owned(), 416),
        (format!("<{};method=SUBSCRIBE>", user("bob")), 403),
        (format!("<{};method=BYE>", user("nobody")), 404),
        ("<sip:bob@elsewhere.example;method=BYE>".to_owned(), 403),
        (format!("<{}?Require=tdialog>", user("bob")), 403),
        (format!("<{}?Replaces=a%0d%0aVia:x>", user("bob")), 400),
        (format!("<{}>, <{}>", user("bob"), user("carol")), 400),
        ("bob".to_owned(), 400),
        (String::new(), 400),
        (format!("<sip:{}@clearline.localhost>", "b".repeat(4_000)), 400),
    ] {
        alice.refers(&mut room, &refer_to, status);
    }
    room.nothing();
}

#[test]
fn headers_in_a_refer_to_do_not_reach_the_invite() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let target = format!(
        "<{}?Route=%3Csip:evil.example%3E&From=x&P-Asserted-Identity=y>",
        user("bob")
    );
    alice.refers(&mut room, &target, 202);
    let invite = room.calls("bob");
    assert_eq!(invite.routes().count(), 0);
    assert_eq!(invite.header(HeaderName::PAssertedIdentity), None);
}

#[test]
fn who_says_to_be_somebody_else_in_the_call_is_not() {
    let mut room = Room::new();
    let (_alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("bob");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    // RFC 4916: a new From in the dialog. The tags are what they were.
    let mut liar = bob.renamed("\"Alice\" <sip:alice@clearline.localhost>");
    let call_id = liar.sends(
        &mut room,
        "UPDATE",
        "P-Asserted-Identity: <sip:alice@clearline.localhost>\r\n",
        "",
    );
    room.response(&call_id, "UPDATE", 200);
    bob.cseq = liar.cseq;
    bob.refers(&mut room, &format!("<{}>", user("carol")), 403);
    room.secs(5);
    assert_eq!(view.shows(), ["alice Connected", "bob Connected"]);
    room.nothing();
}

#[test]
fn who_could_not_take_a_place_lends_nobody_the_name() {
    let mut room = Room::new();
    let (_alice, mut bob, carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    // Alice asks for carol's place, and for one that there is not.
    let call_id = room.invite_replacing("<sip:alice@clearline.localhost>", &carol);
    room.response(&call_id, "INVITE", 200);
    let nowhere = "Replaces: guess;to-tag=a;from-tag=b\r\n";
    let call_id = room.ask("<sip:alice@clearline.localhost>", "INVITE", nowhere, "");
    room.response(&call_id, "INVITE", 481);
    let mut liar = bob.renamed("<sip:alice@clearline.localhost>");
    let call_id = liar.sends(&mut room, "UPDATE", "", "");
    room.response(&call_id, "UPDATE", 200);
    bob.cseq = liar.cseq;
    bob.refers(&mut room, &format!("<{}>", user("dave")), 403);
}

#[test]
fn who_says_to_be_somebody_else_before_the_ack_is_not() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    let mut bob = room.answered("bob");
    let mut liar = bob.renamed("<sip:alice@clearline.localhost>");
    let call_id = liar.sends(&mut room, "UPDATE", "", "");
    room.response(&call_id, "UPDATE", 200);
    bob.cseq = liar.cseq;
    bob.sends(&mut room, "ACK", "", "");
    bob.refers(&mut room, &format!("<{}>", user("dave")), 403);
}

#[test]
fn whose_request_for_a_place_was_refused_lends_nobody_the_name() {
    let mut room = Room::new();
    let (_alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    let early = bob.as_replaces().replace("\r\n", ";early-only\r\n");
    let call_id = room.ask("<sip:alice@clearline.localhost>", "INVITE", &early, "");
    room.response(&call_id, "INVITE", 486);
    let mut liar = bob.renamed("<sip:alice@clearline.localhost>");
    let call_id = liar.sends(&mut room, "UPDATE", "", "");
    room.response(&call_id, "UPDATE", 200);
    bob.cseq = liar.cseq;
    bob.refers(&mut room, &format!("<{}>", user("dave")), 403);
}

#[test]
fn conferences_and_services_are_nobody() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let call_id = room.invite(&format!("<{}>", user("conf-other")));
    room.response(&call_id, "INVITE", 403);
    for nobody in ["echo", "ECHO", "conf-other"] {
        alice.refers(&mut room, &format!("<{}>", user(nobody)), 403);
    }
    // Nor does anybody who is invited send it there.
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    let invite = room.calls("bob");
    let elsewhere = format!("<{}>", user("conf-other"));
    room.answer(&invite, 302, &[(HeaderName::Contact, elsewhere)]);
    room.request("ACK");
    assert!(room.take_all().iter().all(|it| it.method() != Method::Invite));
}

#[test]
fn who_is_not_there_cannot_leave() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    for _ in 0..40 {
        let leave = format!("Refer-To: <{};method=BYE>\r\n", user("mallory"));
        let call_id = room.ask("<sip:mallory@clearline.localhost>", "REFER", &leave, "");
        room.response(&call_id, "REFER", 403);
    }
    alice.refers(&mut room, &format!("<{}>", user("dave")), 202);
}

#[test]
fn names_are_bounded_and_clean() {
    let mut room = Room::new();
    let name = format!("\"Eve\u{202e}\u{200b} <b>{}\"", "x".repeat(10_000));
    let _eve = room.joins_as("alice", &format!("{name} <sip:alice@clearline.localhost>"));
    let subscription = room.subscribes("alice");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    let shown = view.0.users[0].display_text.clone().unwrap();
    assert!(
        shown.starts_with("Eve <b>x") && shown.chars().count() <= 64,
        "{shown}"
    );
}

#[test]
fn names_and_addresses_are_text_in_a_roster_and_never_elements() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    let subscription = room.subscribes("alice");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    let name = "]]></user><user entity='sip:mallory@x'/><!-- &amp; &#0; &lol;";
    let address = "sip:o'brien&x=%22%3E%3Cuser$@clearline.localhost";
    room.secs(2);
    let _mallory = room.joins_as("bob", &format!("\"{name}\" <{address}>"));
    let notify = room.notified(&subscription);
    view.takes(&notify);
    let users = &view.0.users;
    assert_eq!((users.len(), users[1].entity.as_str()), (2, address));
    assert_eq!(users[1].display_text.as_deref(), Some(name));
    let document = String::from_utf8_lossy(notify.body()).into_owned();
    for raw in ["<!--", "]]>", "<user entity='", "&lol;", "o'brien&x"] {
        assert!(!document.contains(raw), "{raw} in {document}");
    }
}

#[test]
fn a_storm_of_wishes_is_slowed_down() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let mut refused = 0;
    for _ in 0..40 {
        let headers = format!("Refer-To: <{};method=BYE>\r\n", user("nobody"));
        alice.sends(&mut room, "REFER", &headers, "");
    }
    refused += room
        .summary()
        .iter()
        .filter(|line| line.contains(" 480 "))
        .count();
    assert!(refused >= 20, "{refused}");
}

#[test]
fn garbage_of_a_megabyte_is_survived() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let long = "x".repeat(1_000_000);
    room.deliver(long.as_bytes());
    room.deliver(&vec![0; 1_000_000]);
    let from = format!("<{}>", user("alice"));
    for headers in [
        format!("Event: conference;id={long}\r\n"),
        format!("Event: conference\r\nAccept: {long}\r\n"),
    ] {
        room.ask(&from, "SUBSCRIBE", &headers, "");
    }
    room.ask(
        &from,
        "REFER",
        &format!("Refer-To: <sip:{long}@clearline.localhost>\r\n"),
        "",
    );
    room.ask(&from, "INVITE", OFFER, &long);
    room.ask(
        &from,
        "NOTIFY",
        "Event: conference\r\nSubscription-State: active\r\n",
        &long,
    );
    room.secs(120);
    assert!(room.focus.is_ready());
    alice.refers(&mut room, &format!("<{}>", user("carol")), 202);
    room.calls("carol");
}

#[test]
fn a_lost_connection_ends_nothing() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("alice");
    room.notified(&subscription);
    room.loses_connection();
    room.secs(5);
    assert_eq!(room.mixed(), [true, true]);
    assert!(!room.focus.is_over());
}
