//! Who is told who is there (RFC 4575).

use clearline_core::conference_info::{ConferenceInfo, Scope};
use clearline_core::sip::HeaderName;
use clearline_focus::Agent as _;

use crate::room::{CONFERENCE, Room, View, user};

#[test]
fn everything_first_and_then_what_has_changed() {
    let mut room = Room::new();
    let mut alice = room.joins_as("alice", "\"Alice\" <sip:alice@clearline.localhost>");
    let subscription = room.subscribes("alice");
    let mut view = View::default();
    let first = view.takes(&room.notified(&subscription));
    assert_eq!((first.scope, first.version), (Scope::Full, Some(1)));
    assert_eq!(first.entity, CONFERENCE);
    assert_eq!(view.0.users[0].display_text.as_deref(), Some("Alice"));
    assert_eq!(view.0.description.maximum_user_count, Some(8));

    room.secs(2);
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    alice.learns(&mut room);
    let invite = room.calls("bob");
    let second = view.takes(&room.notified(&subscription));
    assert_eq!(
        (second.scope, second.version, second.users.len()),
        (Scope::Partial, Some(2), 1)
    );
    assert_eq!(view.shows(), ["alice Connected", "bob DialingOut"]);
    assert_eq!(view.0.state.user_count, Some(1));

    // What happens within a second is told as one.
    room.rings(&invite, "bob");
    alice.learns(&mut room);
    room.picks_up(&invite, "bob");
    alice.learns(&mut room);
    room.nothing();
    room.secs(1);
    view.takes(&room.notified(&subscription));
    assert_eq!(view.shows(), ["alice Connected", "bob Connected"]);
    assert_eq!(view.0.state.user_count, Some(2));

    room.secs(5);
    room.joins("carol").hangs_up(&mut room);
    room.secs(1);
    let news = view.takes(&room.notified(&subscription));
    assert_eq!(
        (news.users[0].entity.as_str(), news.users[0].scope),
        (user("carol").as_str(), Scope::Full)
    );
    let last = view.takes(&room.notified(&subscription));
    assert_eq!(
        (last.users[0].entity.as_str(), last.users[0].scope),
        (user("carol").as_str(), Scope::Deleted)
    );
    room.nothing();
}

#[test]
fn participants_and_invited_ones_only() {
    let mut room = Room::new();
    let mut alice = room.joins("alice");
    alice.refers(&mut room, &format!("<{}>", user("bob")), 202);
    alice.learns(&mut room);
    room.calls("bob");
    for (who, status) in [("bob", 200), ("carol", 403), ("", 403)] {
        let from = match who {
            "" => String::new(),
            who => format!("<{}>", user(who)),
        };
        let call_id = room.ask(&from, "SUBSCRIBE", "Event: conference\r\n", "");
        room.response(&call_id, "SUBSCRIBE", status);
        if status == 200 {
            room.notified(&call_id);
        }
    }
    room.nothing();
}

#[test]
fn who_has_left_is_told_nothing_more() {
    let mut room = Room::new();
    let (_alice, mut bob) = (room.joins("alice"), room.joins("bob"));
    let _carol = room.joins("carol");
    let subscription = room.subscribes("bob");
    room.notified(&subscription);
    bob.hangs_up(&mut room);
    let last = room.notified(&subscription);
    assert_eq!(
        last.header(HeaderName::SubscriptionState),
        Some("terminated;reason=rejected")
    );
    assert!(last.body().is_empty());
    room.secs(5);
    room.nothing();
}

#[test]
fn the_end_of_the_conference_is_told() {
    let mut room = Room::new();
    let (alice, bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("bob");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    room.focus.stop(room.now);
    let last = room.notified(&subscription);
    assert_eq!(
        last.header(HeaderName::SubscriptionState),
        Some("terminated;reason=noresource")
    );
    assert_eq!(view.takes(&last).scope, Scope::Deleted);
    assert!(view.0.is_over);
    alice.is_hung_up(&mut room);
    bob.is_hung_up(&mut room);
    room.secs(3);
    assert!(room.focus.is_over());
}

#[test]
fn a_question_is_answered_once() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    let from = format!("<{}>", user("alice"));
    let call_id = room.ask(&from, "SUBSCRIBE", "Event: conference\r\nExpires: 0\r\n", "");
    room.response(&call_id, "SUBSCRIBE", 200);
    let notify = room.notified(&call_id);
    assert_eq!(
        notify.header(HeaderName::SubscriptionState),
        Some("terminated;reason=timeout")
    );
    assert_eq!(View::default().takes(&notify).users.len(), 1);
    room.joins("bob");
    room.secs(5);
    room.nothing();
}

#[test]
fn what_is_not_renewed_lapses() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("alice");
    room.notified(&subscription);
    room.secs(599);
    room.nothing();
    room.secs(1);
    let last = room.notified(&subscription);
    assert_eq!(
        last.header(HeaderName::SubscriptionState),
        Some("terminated;reason=timeout")
    );
}

#[test]
fn who_refuses_or_does_not_answer_is_forgotten() {
    for status in [Some(481), None] {
        let mut room = Room::new();
        let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
        let subscription = room.subscribes("alice");
        let notify = room.request("NOTIFY");
        assert_eq!(notify.call_id(), Ok(subscription.as_str()));
        match status {
            Some(status) => room.answer(&notify, status, &[]),
            None => room.secs(33),
        }
        room.joins("carol");
        room.secs(5);
        room.nothing();
    }
}

#[test]
fn a_notification_that_was_lost_with_a_connection_comes_once_more() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("alice");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    room.secs(2);
    room.joins("carol");
    // It is on its way when the connection breaks; whether it has come nobody knows.
    let lost = room.request("NOTIFY");
    assert_eq!(lost.call_id(), Ok(subscription.as_str()));
    room.loses_connection();
    room.secs(2);
    let again = room.notified(&subscription);
    let info = ConferenceInfo::read(again.body()).unwrap();
    assert_eq!((info.scope, info.version), (Scope::Full, Some(3)));
    assert_eq!(info.users.len(), 3);
    // And the subscription goes on.
    room.secs(2);
    room.joins("dave");
    let next = ConferenceInfo::read(room.notified(&subscription).body()).unwrap();
    assert_eq!((next.scope, next.version), (Scope::Partial, Some(4)));
}

#[test]
fn a_device_that_has_lost_its_connection_is_told_when_it_is_back() {
    for (status, headers, pause) in [
        (430, vec![], 5),
        (500, vec![(HeaderName::RetryAfter, "20".to_owned())], 20),
    ] {
        let mut room = Room::new();
        let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
        let subscription = room.subscribes("alice");
        let notify = room.request("NOTIFY");
        room.answer(&notify, status, &headers);
        room.secs(pause - 1);
        room.nothing();
        room.secs(2);
        let info = ConferenceInfo::read(room.notified(&subscription).body()).unwrap();
        assert_eq!((info.scope, info.users.len()), (Scope::Full, 2));
        room.nothing();
    }
}

#[test]
fn one_user_has_four() {
    let mut room = Room::new();
    let (_alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let all: Vec<_> = (0..5)
        .map(|_| {
            let subscription = room.subscribes("alice");
            room.notified(&subscription);
            subscription
        })
        .collect();
    // The device that makes room learns of it.
    let last = room.notified(&all[0]);
    let state = last.header(HeaderName::SubscriptionState);
    assert_eq!(state, Some("terminated;reason=deactivated"));
    room.secs(2);
    room.joins("carol");
    for subscription in &all[1..] {
        room.notified(subscription);
    }
    room.nothing();
}

#[test]
fn the_focus_says_what_it_can_do() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    let from = format!("<{}>", user("bob"));
    let call_id = room.ask(&from, "OPTIONS", "", "");
    let options = room.response(&call_id, "OPTIONS", 200);
    let call_id = room.invite(&from);
    let answer = room.response(&call_id, "INVITE", 200);
    for message in [options, answer] {
        assert_eq!(message.header(HeaderName::AllowEvents), Some("conference"));
        assert!(message.lists_token(HeaderName::Allow, "SUBSCRIBE"));
        assert!(message.lists_token(HeaderName::Allow, "REFER"));
        let contact = message.header(HeaderName::Contact).unwrap();
        assert_eq!(contact, format!("<{CONFERENCE}>;isfocus"));
    }
}

#[test]
fn other_events_forms_and_moments_are_refused() {
    let mut room = Room::new();
    let _alice = room.joins("alice");
    for (headers, status) in [
        ("Event: presence\r\n", 489),
        ("", 489),
        ("Event: conference\r\nAccept: text/plain\r\n", 406),
        ("Event: conference\r\nExpires: 5\r\n", 423),
    ] {
        let from = format!("<{}>", user("alice"));
        let call_id = room.ask(&from, "SUBSCRIBE", headers, "");
        room.response(&call_id, "SUBSCRIBE", status);
    }
    room.nothing();
}

#[test]
fn on_hold_is_told() {
    let mut room = Room::new();
    let (mut alice, _bob) = (room.joins("alice"), room.joins("bob"));
    let subscription = room.subscribes("bob");
    let mut view = View::default();
    view.takes(&room.notified(&subscription));
    room.secs(2);
    alice.offers(&mut room, "sendonly");
    view.takes(&room.notified(&subscription));
    assert_eq!(view.shows(), ["alice OnHold", "bob Connected"]);
    assert_eq!(view.0.state.user_count, Some(2));
    room.secs(2);
    alice.offers(&mut room, "sendrecv");
    view.takes(&room.notified(&subscription));
    assert_eq!(view.shows(), ["alice Connected", "bob Connected"]);
}
