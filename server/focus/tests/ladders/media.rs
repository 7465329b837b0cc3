//! Who is heard.

use std::time::Duration;

use crate::room::{Room, user};

#[test]
fn who_is_there_is_heard_and_who_holds_is_not() {
    let mut room = Room::new();
    let (mut alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    assert_eq!(room.mixed(), [true, true]);
    for direction in ["sendonly", "inactive"] {
        // Neither music on hold nor the room reaches the others.
        alice.offers(&mut room, direction);
        assert_eq!(room.mixed(), [false, true], "{direction}");
        alice.offers(&mut room, "sendrecv");
        assert_eq!(room.mixed(), [true, true]);
    }
    bob.hangs_up(&mut room);
    assert_eq!(room.mixed(), [true, false]);
}

#[test]
fn who_has_no_audio_path_for_a_minute_has_gone() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    room.connects_media = false;
    let carol = room.joins("carol");
    room.secs(59);
    room.nothing();
    room.secs(2);
    carol.is_hung_up(&mut room);
    room.nothing();
}

#[test]
fn who_is_called_is_not_heard_before_the_answer() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    let invite = room.calls("bob");
    room.rings(&invite, "bob");
    assert_eq!(room.mixed(), [true, false]);
    room.picks_up(&invite, "bob");
    room.pass(Duration::ZERO);
    assert_eq!(room.mixed(), [true, true]);
}
