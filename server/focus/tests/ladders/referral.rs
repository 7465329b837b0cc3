//! REFER: inviting, joining calls, removing, and who may.

use clearline_core::sip::HeaderName;
use clearline_focus::Agent as _;

use crate::room::{CONFERENCE, Room, View, user};

fn refer_to(name: &str) -> String {
    format!("<{}>", user(name))
}

#[test]
fn whoever_is_named_is_called_and_the_caller_told() {
    let mut room = Room::new();
    let mut alice = room.joins_as("alice", "\"Alice\" <sip:alice@clearline.localhost>");
    alice.refers(&mut room, &refer_to("bob"), 202);
    let invite = room.calls("bob");
    assert_eq!(
        invite.header(HeaderName::ReferredBy),
        Some("\"Alice\" <sip:alice@clearline.localhost>")
    );
    assert_eq!(invite.header(HeaderName::Replaces), None);
    assert_eq!(alice.learns(&mut room), "SIP/2.0 100 Trying");
    room.rings(&invite, "bob");
    assert_eq!(alice.learns(&mut room), "SIP/2.0 180 Ringing");
    room.picks_up(&invite, "bob");
    assert_eq!(alice.learns(&mut room), "SIP/2.0 200 OK");
    room.nothing();
    assert_eq!(room.mixed(), [true, true]);
}

#[test]
fn who_does_not_want_to_come_is_told_of() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &refer_to("bob"), 202);
    let invite = room.calls("bob");
    alice.learns(&mut room);
    room.answer(&invite, 486, &[]);
    room.request("ACK");
    assert_eq!(alice.learns(&mut room), "SIP/2.0 486 Busy Here");
    room.nothing();
}

#[test]
fn a_call_joins_by_replaces() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let target =
        "<sip:bob@clearline.localhost;gr=urn:uuid:b?Replaces=1%3Bto-tag%3Da%3Bfrom-tag%3Db&Require=replaces>";
    alice.refers(&mut room, target, 202);
    let invite = room.calls("bob");
    assert_eq!(
        invite.request_uri().unwrap().params().value("gr"),
        Some("urn:uuid:b")
    );
    assert_eq!(
        (
            invite.header(HeaderName::Replaces),
            invite.header(HeaderName::Require)
        ),
        (Some("1;to-tag=a;from-tag=b"), Some("replaces"))
    );
    assert_eq!(
        invite.header(HeaderName::ReferredBy),
        Some("<sip:alice@clearline.localhost>")
    );
}

#[test]
fn several_can_be_invited_at_once() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &refer_to("bob"), 202);
    alice.refers(&mut room, &refer_to("carol"), 202);
    let (bob, carol) = (room.calls("bob"), room.calls("carol"));
    for _ in 0..2 {
        assert_eq!(alice.learns(&mut room), "SIP/2.0 100 Trying");
    }
    room.picks_up(&carol, "carol");
    assert_eq!(alice.learns(&mut room), "SIP/2.0 200 OK");
    room.picks_up(&bob, "bob");
    assert_eq!(alice.learns(&mut room), "SIP/2.0 200 OK");
    assert_eq!(room.mixed(), [true; 3]);
}

#[test]
fn a_participant_is_removed() {
    let mut room = Room::new();
    let (mut alice, bob) = (room.joins("alice"), room.joins("bob"));
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    assert_eq!(alice.learns(&mut room), "SIP/2.0 100 Trying");
    bob.is_hung_up(&mut room);
    assert_eq!(alice.learns(&mut room), "SIP/2.0 200 OK");
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 404);
}

#[test]
fn one_device_of_a_participant_is_removed() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let (first, second) = (room.joins("bob"), room.joins("bob"));
    alice.refers(&mut room, &format!("<{};party=3;method=BYE>", user("bob")), 202);
    alice.learns(&mut room);
    second.is_hung_up(&mut room);
    alice.learns(&mut room);
    room.nothing();
    drop(first);
}

#[test]
fn an_invitation_is_taken_back() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &refer_to("bob"), 202);
    let invite = room.calls("bob");
    alice.learns(&mut room);
    room.rings(&invite, "bob");
    alice.learns(&mut room);
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    alice.learns(&mut room);
    let cancel = room.request("CANCEL");
    room.answer(&cancel, 200, &[]);
    room.answer(&invite, 487, &[]);
    room.request("ACK");
    let both = [alice.learns(&mut room), alice.learns(&mut room)];
    assert_eq!(both, ["SIP/2.0 487 Request Terminated", "SIP/2.0 200 OK"]);
}

#[test]
fn the_answer_that_crosses_the_taking_back_is_released() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &refer_to("bob"), 202);
    let invite = room.calls("bob");
    room.rings(&invite, "bob");
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    room.request("CANCEL");
    let bob = room.picks_up(&invite, "bob");
    bob.is_hung_up(&mut room);
    assert_eq!(room.mixed(), [true, false]);
}

#[test]
fn only_who_has_made_it_may_until_they_have_left() {
    let mut room = Room::new();
    let (mut alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    let carol = room.joins("carol");
    bob.refers(&mut room, &refer_to("dave"), 403);
    bob.refers(&mut room, &format!("<{};method=BYE>", user("carol")), 403);
    room.nothing();
    alice.hangs_up(&mut room);
    bob.refers(&mut room, &refer_to("dave"), 202);
    room.calls("dave");
    drop(carol);
}

#[test]
fn who_may_is_told() {
    let mut room = Room::new();
    let (mut alice, _bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    let subscription = room.subscribes("bob");
    let mut view = View::default();
    let roles = |view: &View| {
        let users = view.0.users.iter();
        users
            .map(|user| user.roles.clone().unwrap_or_default().join(" "))
            .collect::<Vec<_>>()
    };
    view.takes(&room.notified(&subscription));
    assert_eq!(roles(&view), ["moderator", "participant", "participant"]);
    room.secs(2);
    alice.hangs_up(&mut room);
    view.takes(&room.notified(&subscription));
    assert_eq!(roles(&view), ["moderator", "moderator"]);
}

#[test]
fn everybody_may_where_that_is_the_setting() {
    let mut room = Room::for_all();
    let (_alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    bob.refers(&mut room, &refer_to("carol"), 202);
    let invite = room.calls("carol");
    assert_eq!(
        invite.header(HeaderName::ReferredBy),
        Some("<sip:bob@clearline.localhost>")
    );
}

#[test]
fn everybody_may_remove_themselves() {
    let mut room = Room::new();
    let (_alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    bob.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    bob.is_hung_up(&mut room);
}

#[test]
fn outside_of_the_call_it_is_who_the_platform_says() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    for (who, status) in [("alice", 202), ("bob", 403), ("mallory", 403), ("", 403)] {
        let from = match who {
            "" => String::new(),
            who => format!("<{}>", user(who)),
        };
        let headers = format!("Refer-To: {}\r\n", refer_to("dave"));
        let call_id = room.ask(&from, "REFER", &headers, "");
        let answer = room.response(&call_id, "REFER", status);
        if status == 202 {
            assert_eq!(
                answer.header(HeaderName::Contact),
                Some(format!("<{CONFERENCE}>;isfocus").as_str())
            );
            room.calls("dave");
            let notify = room.notified(&call_id);
            assert!(notify.body().starts_with(b"SIP/2.0 100"));
        }
    }
    room.nothing();
}

#[test]
fn who_wants_no_notifications_gets_none() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let headers = format!("Refer-To: {}\r\nRefer-Sub: false\r\n", refer_to("bob"));
    let call_id = alice.sends(&mut room, "REFER", &headers, "");
    let answer = room.response(&call_id, "REFER", 202);
    assert_eq!(answer.header(HeaderName::ReferSub), Some("false"));
    room.calls("bob");
    room.nothing();
}

#[test]
fn requests_out_of_order_and_of_calls_that_are_over_are_refused() {
    let mut room = Room::new();
    let (mut alice, _bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    alice.cseq = 5;
    alice.refers(&mut room, &refer_to("dave"), 202);
    alice.cseq = 4;
    alice.refers(&mut room, &refer_to("dave"), 500);
    alice.cseq = 6;
    alice.hangs_up(&mut room);
    alice.refers(&mut room, &refer_to("dave"), 481);
}

#[test]
fn the_numbers_of_what_the_focus_sends_in_a_call_rise() {
    let mut room = Room::new();
    let (mut alice, _bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    alice.refers(&mut room, &refer_to("dave"), 202);
    let mut numbers = Vec::new();
    let invite = room.calls("dave");
    let notify = room.request("NOTIFY");
    numbers.push(notify.cseq().unwrap().number);
    room.answer(&notify, 200, &[]);
    room.answer(&invite, 486, &[]);
    let notify = room.request("NOTIFY");
    numbers.push(notify.cseq().unwrap().number);
    room.focus.stop(room.now);
    let byes: Vec<_> = (0..3).map(|_| room.request("BYE")).collect();
    let bye = byes.iter().find(|bye| bye.call_id() == notify.call_id()).unwrap();
    numbers.push(bye.cseq().unwrap().number);
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn who_takes_a_participants_place_is_who_the_platform_says() {
    for (name, after) in [
        ("bob", ["alice Connected", "bob Connected"]),
        ("carol", ["alice Connected", "carol Connected"]),
    ] {
        let mut room = Room::new();
        let (_alice, bob) = (room.joins("alice"), room.joins("bob"));
        let subscription = room.subscribes("alice");
        let mut view = View::default();
        view.takes(&room.notified(&subscription));
        room.secs(2);
        let call_id = room.invite_replacing(&format!("<{}>", user(name)), &bob);
        room.response(&call_id, "INVITE", 200);
        bob.is_hung_up(&mut room);
        room.secs(2);
        if name != "bob" {
            view.takes(&room.notified(&subscription));
        }
        assert_eq!(view.shows(), after);
        assert_eq!(room.mixed(), [true, true]);
    }
}

#[test]
fn nobody_from_outside_takes_a_participants_place() {
    let mut room = Room::new();
    let (_alice, bob) = (room.joins("alice"), room.joins("bob"));
    for from in ["", "<sip:eve@elsewhere.example>"] {
        let call_id = room.invite_replacing(from, &bob);
        room.response(&call_id, "INVITE", 403);
    }
    let call_id = room.ask(
        &format!("<{}>", user("carol")),
        "INVITE",
        "Replaces: guess;to-tag=a;from-tag=b\r\n",
        "",
    );
    room.response(&call_id, "INVITE", 481);
    room.nothing();
}

#[test]
fn what_became_of_a_wish_is_told_across_a_lost_connection() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    assert_eq!(alice.learns(&mut room), "SIP/2.0 100 Trying");
    let invite = room.calls("bob");
    room.picks_up(&invite, "bob");
    // On its way when the connection of the focus breaks, and then when alice's does.
    room.request("NOTIFY");
    room.loses_connection();
    room.secs(2);
    let lost = room.request("NOTIFY");
    room.answer(&lost, 430, &[]);
    room.secs(4);
    assert!(room.summary().iter().all(|line| !line.starts_with("NOTIFY")));
    room.secs(2);
    assert_eq!(alice.learns(&mut room), "SIP/2.0 200 OK");
    room.secs(60);
    assert!(room.summary().iter().all(|line| !line.starts_with("NOTIFY")));
}

#[test]
fn who_was_sent_away_comes_back_only_by_invitation() {
    let mut room = Room::new();
    let (mut alice, bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    bob.is_hung_up_for(&mut room, "SIP;cause=403;text=\"Removed from the conference\"");
    alice.learns(&mut room);
    let call_id = room.invite("<sip:bob@clearline.localhost>");
    let refusal = room.response(&call_id, "INVITE", 403);
    assert_eq!(refusal.reason(), Some("Removed From The Conference"));
    // Nor in the place of another one.
    let call_id = room.invite_replacing("<sip:bob@clearline.localhost>", &alice);
    room.response(&call_id, "INVITE", 403);

    alice.refers(&mut room, &refer_to("bob"), 202);
    let invite = room.calls("bob");
    let mut bob = room.picks_up(&invite, "bob");
    bob.hangs_up(&mut room);
    // He has left by himself.
    room.joins("bob");
}

#[test]
fn who_leaves_by_own_wish_and_whose_conference_it_is_may_come_back() {
    let mut room = Room::for_all();
    let (alice, mut bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    bob.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    bob.is_hung_up(&mut room);
    let mut bob = room.joins("bob");
    bob.refers(&mut room, &format!("<{};method=BYE>", user("alice")), 202);
    alice.is_hung_up(&mut room);
    room.joins("alice");
}

#[test]
fn sending_away_one_of_two_devices_keeps_nobody_out() {
    let mut room = Room::new();
    let (mut alice, first, _second) = (room.joins("alice"), room.joins("bob"), room.joins("bob"));
    let device = format!("<{};party=2;method=BYE>", user("bob"));
    alice.refers(&mut room, &device, 202);
    first.is_hung_up(&mut room);
    room.joins("bob");
}

#[test]
fn who_is_invited_by_a_number_is_known_by_the_own_address() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    let subscription = room.subscribes("alice");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    alice.refers(&mut room, &refer_to("102"), 202);
    alice.learns(&mut room);
    let invite = room.calls("102");
    let bob = room.picks_up(&invite, "bob");
    alice.learns(&mut room);
    room.secs(1);
    view.takes(&room.notified(&subscription));
    assert_eq!(view.shows(), ["alice Connected", "bob Connected"]);
    alice.refers(&mut room, &format!("<{};method=BYE>", user("bob")), 202);
    bob.is_hung_up(&mut room);
    let call_id = room.invite("<sip:bob@clearline.localhost>");
    room.response(&call_id, "INVITE", 403);
}
