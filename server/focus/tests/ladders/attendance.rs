//! When a conference begins and ends.

use crate::room::{Room, user};
use clearline_focus::Agent as _;

#[test]
fn nobody_comes() {
    let mut room = Room::new();
    room.secs(29);
    assert!(room.focus.is_ready());
    room.secs(4);
    assert!(room.focus.is_over());
    room.nothing();
}

#[test]
fn it_goes_on_without_who_has_made_it() {
    let mut room = Room::new();
    let (mut alice, _bob, _carol) = (room.joins("alice"), room.joins("bob"), room.joins("carol"));
    alice.hangs_up(&mut room);
    room.secs(3_600 / 4);
    assert!(room.focus.is_ready());
    assert_eq!(room.mixed(), [false, true, true]);
}

#[test]
fn the_last_one_is_not_left_alone_for_long() {
    let mut room = Room::new();
    let (mut alice, bob) = (room.joins("alice"), room.joins("bob"));
    alice.hangs_up(&mut room);
    room.secs(8);
    assert!(!room.focus.is_giving_notice());
    room.secs(1);
    room.nothing();
    // He hears that it is about to end, and is told why it has.
    assert!(room.focus.is_giving_notice());
    room.secs(1);
    bob.is_hung_up_for(&mut room, "SIP;cause=480;text=\"Everybody else has left\"");
    room.secs(3);
    assert!(room.focus.is_over());
}

#[test]
fn who_waits_in_vain_is_told_so() {
    let mut room = Room::new();
    let alice = room.joins("alice");
    room.secs(598);
    assert!(!room.focus.is_giving_notice());
    room.secs(1);
    assert!(room.focus.is_giving_notice());
    room.secs(1);
    alice.is_hung_up_for(&mut room, "SIP;cause=480;text=\"Everybody else has left\"");
}

#[test]
fn nobody_is_given_notice_of_what_does_not_happen() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    alice.hangs_up(&mut room);
    room.secs(9);
    assert!(room.focus.is_giving_notice());
    room.joins("alice");
    assert!(!room.focus.is_giving_notice());
    room.secs(60);
    assert!(room.focus.is_ready());
}

#[test]
fn who_comes_back_in_time_finds_it() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    alice.hangs_up(&mut room);
    room.secs(9);
    room.joins("alice");
    room.secs(60);
    room.nothing();
    assert!(room.focus.is_ready());
}

#[test]
fn nobody_is_left_to_wait_for_who_is_called() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    alice.learns(&mut room);
    let invite = room.calls("bob");
    room.rings(&invite, "bob");
    alice.learns(&mut room);
    alice.hangs_up(&mut room);
    let cancel = room.request("CANCEL");
    room.answer(&cancel, 200, &[]);
    room.answer(&invite, 487, &[]);
    room.secs(3);
    assert!(room.focus.is_over());
}

#[test]
fn who_calls_when_it_is_over_is_told_so() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    room.focus.stop(room.now);
    let call_id = room.invite(&format!("<{}>", user("bob")));
    room.response(&call_id, "INVITE", 404);
}

#[test]
fn only_so_many_have_room() {
    let mut room = Room::of(3);
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    alice.refers(&mut room, &format!("<{}>", user("carol")), 202);
    room.calls("carol");
    alice.learns(&mut room);
    alice.refers(&mut room, &format!("<{}>", user("dave")), 486);
    let call_id = room.invite(&format!("<{}>", user("erin")));
    room.response(&call_id, "INVITE", 486);
    room.nothing();
}

#[test]
fn only_users_of_the_platform_dial_in() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    for from in ["", "<sip:bob@elsewhere.example>"] {
        let call_id = room.invite(from);
        room.response(&call_id, "INVITE", 403);
    }
    room.nothing();
}

#[test]
fn who_has_just_been_answered_is_hung_up_on_all_the_same() {
    let mut room = Room::new();
    let mut alice = room.answered("alice");
    room.focus.stop(room.now);
    room.secs(1);
    // Until the ACK has come there is nothing that a BYE could end (RFC 3261 section 15).
    assert!(!room.summary().iter().any(|line| line.starts_with("BYE")));
    alice.sends(&mut room, "ACK", "", "");
    alice.is_hung_up(&mut room);
    room.secs(2);
    assert!(room.focus.is_over());
}

#[test]
fn nobody_is_waited_for_longer_than_that() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    room.focus.stop(room.now);
    room.request("BYE");
    room.secs(5);
    assert!(room.focus.is_over());
}
