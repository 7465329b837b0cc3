//! The far end sends this side on (RFC 3515 section 2.4, RFC 5589).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_core::{
    CallId, CallState, Config, Direction, EndCause, RegistrationState, TransferPolicy, UserAgent,
};

use super::with_bob;
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, granted, secs};

/// Bob sends this side to `target`.
pub(super) fn refer(bob: &mut FarEnd, target: &str) -> Message {
    bob.request(Method::Refer)
        .header(HeaderName::ReferTo, target)
        .header(HeaderName::ReferredBy, "\"Bob\" <sip:bob@example.com>")
        .build()
}

/// What the agent tells bob of it; he takes note.
#[track_caller]
pub(super) fn told(ladder: &mut Ladder, bob: &FarEnd) -> (String, String) {
    let notify = ladder.expect(Method::Notify);
    ladder.receive(&bob.response(&notify, 200).build());
    assert!(notify.header(HeaderName::Event).unwrap().starts_with("refer"));
    assert_eq!(
        notify.header(HeaderName::ContentType),
        Some("message/sipfrag;version=2.0")
    );
    let line = String::from_utf8(notify.body().to_vec()).unwrap();
    let state = notify.header(HeaderName::SubscriptionState).unwrap();
    (
        line.trim().to_owned(),
        state.split(';').next().unwrap().to_owned(),
    )
}

#[track_caller]
pub(super) fn is_told(ladder: &mut Ladder, bob: &FarEnd, line: &str, state: &str) {
    assert_eq!(told(ladder, bob), (line.to_owned(), state.to_owned()));
}

/// An agent in a call with bob that follows `policy`.
pub(super) fn with_policy(policy: TransferPolicy) -> (Ladder, FarEnd) {
    let mut config = config();
    config.transfer_policy = policy;
    with_config(config)
}

fn with_config(config: Config) -> (Ladder, FarEnd) {
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    let bob = ladder.make_call(CALL, "bob");
    ladder.forget();
    (ladder, bob)
}

/// Bob has sent this side to carol, whose telephone has not rung yet.
fn sent_on() -> (Ladder, FarEnd, CallId, Message) {
    let (mut ladder, mut bob) = with_bob();
    ladder.receive(&refer(&mut bob, "\"Carol\" <sip:carol@example.com>"));
    ladder.expect_response(202, Method::Refer);
    is_told(&mut ladder, &bob, "SIP/2.0 100 Trying", "active");
    let invite = ladder.expect(Method::Invite);
    let second = ladder.agent.calls().map(|call| call.id).find(|id| *id != CALL);
    (ladder, bob, second.unwrap(), invite)
}

#[test]
fn the_other_call_is_made_and_this_one_is_left() {
    let (mut ladder, mut bob, second, invite) = sent_on();
    assert_eq!(
        invite.header(HeaderName::ReferredBy),
        Some("\"Bob\" <sip:bob@example.com>")
    );
    assert_eq!(invite.request_uri_text(), Some("sip:carol@example.com"));
    let info = ladder.info(second);
    assert_eq!(info.succeeds, Some(CALL));
    assert_eq!(info.remote.display_name, "Carol");
    assert_eq!(
        info.transferred_by.as_ref().map(|by| by.user.as_str()),
        Some("bob")
    );
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.response(&invite, 180).build());
    is_told(&mut ladder, &bob, "SIP/2.0 180 Ringing", "active");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    is_told(&mut ladder, &bob, "SIP/2.0 200 OK", "terminated");
    ladder.far_hangs_up(&mut bob);
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    assert_eq!(ladder.state(second), CallState::Active);
    ladder.pass(60.0);
    assert_eq!(ladder.state(second), CallState::Active);
}

#[test]
fn a_far_end_that_does_not_leave_is_left() {
    let (mut ladder, bob, second, invite) = sent_on();
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    is_told(&mut ladder, &bob, "SIP/2.0 200 OK", "terminated");
    ladder.pass(3.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob-tag"));
    ladder.receive(&bob.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    assert_eq!(ladder.state(second), CallState::Active);
}

#[test]
fn a_far_end_that_leaves_at_once_stops_nothing() {
    let (mut ladder, mut bob, second, invite) = sent_on();
    ladder.far_hangs_up(&mut bob);
    assert_eq!(ladder.cause(CALL), EndCause::Transferred);
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(second), CallState::Active);
}

#[test]
fn a_target_that_does_not_answer_leaves_the_first_call() {
    for (status, line) in [
        (486, "SIP/2.0 486 Busy Here"),
        (404, "SIP/2.0 404 Not Found"),
        (603, "SIP/2.0 603 Decline"),
    ] {
        let (mut ladder, mut bob, second, invite) = sent_on();
        ladder.respond(&invite, status);
        ladder.expect(Method::Ack);
        is_told(&mut ladder, &bob, line, "terminated");
        assert_eq!(ladder.state(second), CallState::Ended);
        assert_eq!(ladder.state(CALL), CallState::Active);
        ladder.pass(30.0);
        assert_eq!(ladder.state(CALL), CallState::Active);
        // Bob may try another.
        ladder.receive(&refer(&mut bob, "<sip:dave@example.com>"));
        ladder.expect_response(202, Method::Refer);
    }
}

#[test]
fn a_user_who_gives_the_other_call_up_is_back() {
    let (mut ladder, bob, second, invite) = sent_on();
    ladder.respond(&invite, 180);
    is_told(&mut ladder, &bob, "SIP/2.0 180 Ringing", "active");
    ladder.hang_up(second);
    ladder.expect(Method::Cancel);
    ladder.respond(&invite, 487);
    ladder.expect(Method::Ack);
    is_told(&mut ladder, &bob, "SIP/2.0 487 Request Terminated", "terminated");
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn another_dialog_is_replaced_where_that_is_asked_for() {
    let (mut ladder, mut bob) = with_bob();
    let target = "<sip:carol@example.com;gr=1?Replaces=9%40x%3Bto-tag%3Dc%3Bfrom-tag%3Db&Require=replaces>";
    ladder.receive(&refer(&mut bob, target));
    ladder.expect_response(202, Method::Refer);
    is_told(&mut ladder, &bob, "SIP/2.0 100 Trying", "active");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.request_uri_text(), Some("sip:carol@example.com;gr=1"));
    assert_eq!(
        invite.header(HeaderName::Replaces),
        Some("9@x;to-tag=c;from-tag=b")
    );
    assert_eq!(invite.header(HeaderName::Require), Some("replaces"));
}

#[test]
fn the_microphone_switch_stays_as_it_is() {
    let (mut ladder, mut bob) = with_bob();
    ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    ladder.receive(&refer(&mut bob, "<sip:carol@example.com>"));
    let second = ladder.agent.calls().find(|call| call.id != CALL).unwrap();
    assert!(second.muted);
    let sessions = ladder.media.open_sessions();
    assert!(sessions.iter().all(|session| ladder.media.is_muted(*session)));
}

#[test]
fn who_has_gone_is_not_heard_by_the_first_call() {
    let (mut ladder, bob, _, invite) = sent_on();
    let first = ladder.media.open_sessions()[0];
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    assert!(ladder.media.is_muted(first));
    assert!(!ladder.info(CALL).muted, "the user has not done that");
    let _ = bob;
}

#[test]
fn telephone_numbers_are_called_as_if_dialled() {
    let (mut ladder, mut bob) = with_policy(TransferPolicy::Always);
    ladder.receive(&refer(&mut bob, "<tel:+49-89-123>"));
    ladder.expect_response(202, Method::Refer);
    ladder.expect(Method::Notify);
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.request_uri_text(), Some("sip:+4989123@example.com"));
}

#[test]
fn whoever_wants_to_hear_nothing_is_told_nothing() {
    let (mut ladder, mut bob) = with_bob();
    let request = refer(&mut bob, "<sip:carol@example.com>");
    ladder.receive(&request.edit().append(HeaderName::ReferSub, "false").build());
    let accepted = ladder.expect_response(202, Method::Refer);
    assert_eq!(accepted.header(HeaderName::ReferSub), Some("false"));
    let invite = ladder.expect(Method::Invite);
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    ladder.pass(4.1);
    ladder.expect(Method::Bye);
}

#[test]
fn news_wait_for_each_other_and_skip_what_is_old() {
    let (mut ladder, mut bob) = with_bob();
    ladder.receive(&refer(&mut bob, "<sip:carol@example.com>"));
    ladder.expect_response(202, Method::Refer);
    let first = ladder.expect(Method::Notify);
    let invite = ladder.expect(Method::Invite);
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.response(&invite, 180).build());
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    ladder.receive(&bob.response(&first, 200).build());
    is_told(&mut ladder, &bob, "SIP/2.0 200 OK", "terminated");
}

#[test]
fn a_far_end_that_knows_of_no_subscription_is_not_told_again() {
    let (mut ladder, mut bob) = with_bob();
    ladder.receive(&refer(&mut bob, "<sip:carol@example.com>"));
    ladder.expect_response(202, Method::Refer);
    let first = ladder.expect(Method::Notify);
    ladder.receive(&bob.response(&first, 481).build());
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 486);
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn news_that_were_lost_with_a_connection_are_told_again() {
    let (mut ladder, bob, second, invite) = sent_on();
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect(Method::Notify);
    ladder.lose_connection();
    ladder.reconnect();
    let register = ladder.expect(Method::Register);
    ladder.receive(&granted(&register).build());
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Registered { .. }
    ));
    let told = ladder.take_sent();
    let notify = told
        .iter()
        .find(|(_, message)| message.method() == Method::Notify);
    let body = String::from_utf8(notify.unwrap().1.body().to_vec()).unwrap();
    assert_eq!(body.trim(), "SIP/2.0 200 OK");
    assert_eq!(ladder.state(second), CallState::Active);
    let _ = bob;
}

#[test]
fn a_restart_tells_what_has_become_of_it() {
    let (ladder, bob, _, _) = sent_on();
    let snapshot = ladder.snapshot();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], ladder.now + secs(1.0), secs(1.0));
    let mut ladder = Ladder::of(agent, ladder.now + secs(1.0));
    ladder.start();
    ladder.connect();
    // The call to carol was lost with the process: bob takes this side back.
    let told = |ladder: &mut Ladder| {
        let sent = ladder.take_sent();
        let mut notifies = sent.into_iter().filter(|(_, it)| it.method() == Method::Notify);
        notifies
            .next()
            .map(|(_, it)| String::from_utf8(it.body().to_vec()).unwrap())
    };
    let line = told(&mut ladder).unwrap();
    assert!(line.starts_with("SIP/2.0 480"), "{line}");
    assert_eq!(ladder.state(CALL), CallState::Active);
    let _ = bob;
}

#[test]
fn the_far_end_may_ask_again_how_it_stands() {
    let (mut ladder, mut bob, _, _) = sent_on();
    for (event, expires, status) in [
        ("refer", "60", 200),
        ("refer;id=7", "60", 481),
        ("presence", "60", 489),
        ("refer", "0", 200),
    ] {
        let subscribe = bob
            .request(Method::Subscribe)
            .header(HeaderName::Event, event)
            .header(HeaderName::Expires, expires)
            .build();
        ladder.receive(&subscribe);
        ladder.expect_response(status, Method::Subscribe);
        if status == 200 {
            // Whoever ends it is told so (RFC 6665 section 4.2.1.4).
            let state = if expires == "0" { "terminated" } else { "active" };
            is_told(&mut ladder, &bob, "SIP/2.0 100 Trying", state);
        }
        ladder.expect_silence();
    }
}

#[test]
fn a_refer_of_its_own_has_to_name_the_call() {
    let (mut ladder, bob) = with_bob();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let (call_id, own) = (
        reinvite.call_id().unwrap(),
        reinvite.from().unwrap().tag().unwrap(),
    );
    let target_dialog = format!("{call_id};local-tag=bob-tag;remote-tag={own}");
    for (id, named, status) in [
        ("a", None, 403),
        (
            "b",
            Some("unknown;local-tag=bob-tag;remote-tag=1".to_owned()),
            403,
        ),
        ("c", Some(target_dialog.replace("bob-tag", "x")), 403),
        ("d", Some(";;".to_owned()), 403),
        ("e", Some(target_dialog.clone()), 202),
    ] {
        ladder.receive(&outside(id, named.as_deref()));
        ladder.expect_response(status, Method::Refer);
    }
    // What becomes of it is told in the dialog of the REFER.
    let notify = ladder.expect(Method::Notify);
    assert_eq!(notify.call_id(), Ok("outside-e"));
    assert_eq!(notify.to().unwrap().tag(), Some("outside"));
    let _ = bob;
}

fn outside(id: &str, target_dialog: Option<&str>) -> Message {
    let uri = UriBuf::parse("sip:alice@alice.invalid").unwrap();
    let refer = RequestBuilder::new(Method::Refer, uri.as_uri())
        .header(
            HeaderName::Via,
            format_args!("SIP/2.0/WS edge.example.com;branch=z9hG4bKoutside{id}"),
        )
        .header(HeaderName::MaxForwards, 69)
        .header(HeaderName::From, "<sip:bob@example.com>;tag=outside")
        .header(HeaderName::To, "<sip:alice@example.com>")
        .header(HeaderName::CallId, format_args!("outside-{id}"))
        .header(HeaderName::CSeq, "1 REFER")
        .header(HeaderName::Contact, "<sip:device@bob.invalid;transport=ws>")
        .header(HeaderName::ReferTo, "<sip:carol@example.com>");
    match target_dialog {
        Some(value) => refer.header(HeaderName::TargetDialog, value).build(),
        None => refer.build(),
    }
}

#[test]
fn hostile_requests_are_refused() {
    let (mut ladder, mut bob) = with_policy(TransferPolicy::Always);
    for (target, status) in [
        ("<https://example.com>", 416),
        ("<javascript:alert(1)>", 416),
        ("<sip:carol@example.com;method=BYE>", 403),
        ("<sip:carol@example.com?Require=precondition>", 403),
        ("<sip:carol@example.com", 400),
        ("<sip:carol@example.com>, <sip:dave@example.com>", 400),
        ("<sip:carol@example.com?Replaces=nonsense>", 400),
        // Into a loop: to this side itself.
        ("<sip:alice@example.com>", 482),
        ("<sip:ALICE@example.com;transport=tcp>", 202),
    ] {
        if status == 202 {
            // User parts are case-sensitive: somebody else's.
            continue;
        }
        ladder.receive(&refer(&mut bob, target));
        ladder.expect_response(status, Method::Refer);
        ladder.expect_silence();
    }
    let twice = refer(&mut bob, "<sip:carol@example.com>");
    let twice = twice
        .edit()
        .append(HeaderName::ReferTo, "<sip:dave@example.com>")
        .build();
    ladder.receive(&twice);
    ladder.expect_response(400, Method::Refer);
    let none = bob.request(Method::Refer).build();
    ladder.receive(&none);
    ladder.expect_response(400, Method::Refer);
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn a_refer_decides_about_nothing_but_the_target() {
    let (mut ladder, mut bob) = with_policy(TransferPolicy::Always);
    let target = "<sip:carol@example.com?Route=%3Csip:evil.example;lr%3E&Contact=%3Csip:evil%3E&From=%3Csip:boss@\
                  example.com%3E&body=evil&Replaces=9%3Bto-tag%3Dc%3Bfrom-tag%3Db>";
    ladder.receive(&refer(&mut bob, target));
    ladder.expect_response(202, Method::Refer);
    ladder.expect(Method::Notify);
    let invite = ladder.expect(Method::Invite);
    let text = crate::ladder::text(&invite);
    assert!(!text.contains("evil") && !text.contains("boss"), "{text}");
}

#[test]
fn one_at_a_time_and_not_in_storms() {
    let (mut ladder, mut bob, _, invite) = sent_on();
    ladder.receive(&refer(&mut bob, "<sip:dave@example.com>"));
    let later = ladder.expect_response(500, Method::Refer);
    assert!(later.header(HeaderName::RetryAfter).is_some());
    ladder.respond(&invite, 486);
    ladder.expect(Method::Ack);
    told(&mut ladder, &bob);
    let mut accepted = 0;
    for _ in 0..100 {
        ladder.receive(&refer(&mut bob, "<sip:dave@example.com>"));
        let sent = ladder.take_sent();
        let answer = &sent.iter().find(|(_, it)| it.is_response()).unwrap().1;
        if answer.status() != Some(202) {
            continue;
        }
        accepted += 1;
        let notify = &sent
            .iter()
            .find(|(_, it)| it.method() == Method::Notify)
            .unwrap()
            .1;
        ladder.receive(&bob.response(notify, 481).build());
        let invite = &sent
            .iter()
            .find(|(_, it)| it.method() == Method::Invite)
            .unwrap()
            .1;
        ladder.respond(invite, 486);
        ladder.take_sent();
    }
    assert!((1..=8).contains(&accepted), "{accepted}");
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn there_has_to_be_room_for_another_call() {
    let mut config = config();
    config.max_calls = 1;
    let (mut ladder, mut bob) = with_config(config);
    ladder.receive(&refer(&mut bob, "<sip:carol@example.com>"));
    ladder.expect_response(202, Method::Refer);
    is_told(&mut ladder, &bob, "SIP/2.0 100 Trying", "active");
    is_told(&mut ladder, &bob, "SIP/2.0 486 Busy Here", "terminated");
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn an_unanswered_call_cannot_be_transferred() {
    let mut ladder = Ladder::registered();
    let (call, mut bob, _) = ladder.ring("bob");
    ladder.receive(&refer(&mut bob, "<sip:carol@example.com>"));
    ladder.expect_response(403, Method::Refer);
    assert_eq!(ladder.state(call), CallState::Incoming);
}

#[test]
fn a_far_end_is_known_by_the_new_name_after_a_transfer_of_the_platform() {
    let (mut ladder, mut bob) = with_bob();
    let offer = bob.invite(Direction::SendRecv);
    let offer = offer
        .edit()
        .append(HeaderName::PAssertedIdentity, "\"Carol\" <sip:carol@example.com>")
        .build();
    ladder.receive(&offer);
    ladder.expect_response(200, Method::Invite);
    let info = ladder.info(CALL);
    assert_eq!(info.remote.display_name, "Carol");
    assert_eq!(
        info.transferred_by.as_ref().map(|by| by.user.as_str()),
        Some("bob")
    );
}
