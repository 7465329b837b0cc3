//! Session timers (RFC 4028).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallId, CallState, Config, Direction, EndCause, Instant, MediaTransport, UserAgent};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::media::sdp;

fn ladder_with(change: impl Fn(&mut Config)) -> Ladder {
    let mut config = config();
    change(&mut config);
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder
}

fn with(message: &Message, name: HeaderName<'_>, value: &str) -> Message {
    message.edit().append(name, value).build()
}

fn expires(message: &Message) -> Option<&str> {
    message.header(HeaderName::SessionExpires)
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

/// `message` with a Session-Expires.
fn timed(message: &Message, session_expires: &str) -> Message {
    with(message, HeaderName::SessionExpires, session_expires)
}

/// A call of this side whose far end has granted `session_expires`.
fn call_with(session_expires: &str, allow: &'static str) -> (Ladder, FarEnd) {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let mut far = FarEnd::called(&invite, "bob-tag");
    far.allow = allow;
    ladder.receive(&timed(
        &far.accepts(&invite, Direction::SendRecv),
        session_expires,
    ));
    ladder.expect(Method::Ack);
    // Registrations go on meanwhile and are not looked at here.
    (ladder, far)
}

/// Time passes; REGISTERs on the way are granted.
fn wait(ladder: &mut Ladder, seconds: f64) -> Vec<(Instant, Message)> {
    let mut others = Vec::new();
    for _ in 0..seconds as u32 {
        ladder.pass(1.0);
        for (at, message) in ladder.take_sent() {
            if message.is_request() && message.method() == Method::Register {
                ladder.receive(&crate::ladder::granted(&message).build());
            } else {
                others.push((at, message));
            }
        }
    }
    others
}

fn wait_in_silence(ladder: &mut Ladder, seconds: f64) {
    let sent = wait(ladder, seconds);
    assert_eq!(sent, []);
}

/// The only thing sent within a second.
fn next(ladder: &mut Ladder, method: Method<'_>) -> Message {
    let mut sent = wait(ladder, 1.0);
    assert_eq!(sent.len(), 1, "{sent:?}");
    let (_, message) = sent.remove(0);
    assert_eq!(message.method(), method);
    message
}

/// The agent's answer to an INVITE of `bob` with these headers.
fn answer_to(ladder: &mut Ladder, headers: &[(HeaderName<'_>, &str)]) -> (CallId, FarEnd, Message) {
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    let mut invite = far.invite(Direction::SendRecv);
    for (name, value) in headers {
        invite = with(&invite, *name, value);
    }
    ladder.receive(&invite);
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
    (call, far, ok)
}

const TIMER: (HeaderName<'static>, &str) = (HeaderName::Supported, "timer");

// --- asking ----------------------------------------------------------------------------------------------------

#[test]
fn a_call_asks_for_half_an_hour_and_lets_the_far_end_choose_who_refreshes() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(expires(&invite), Some("1800"));
    assert_eq!(invite.header(HeaderName::MinSe), None);
    assert!(invite.lists_token(HeaderName::Supported, "timer"));
}

#[test]
fn a_call_that_is_not_to_ask_still_understands() {
    let mut ladder = ladder_with(|config| config.session_expires = None);
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(expires(&invite), None);
    assert!(invite.lists_token(HeaderName::Supported, "timer"));
    // A proxy or the far end may want one all the same.
    let far = FarEnd::called(&invite, "bob");
    ladder.receive(&timed(
        &far.accepts(&invite, Direction::SendRecv),
        "120;refresher=uac",
    ));
    ladder.expect(Method::Ack);
    wait_in_silence(&mut ladder, 59.0);
    assert_eq!(
        expires(&next(&mut ladder, Method::Invite)),
        Some("120;refresher=uac")
    );
}

#[test]
fn without_an_agreement_nothing_is_refreshed() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    wait_in_silence(&mut ladder, 7_200.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

// --- 422 -------------------------------------------------------------------------------------------------------

#[test]
fn an_interval_that_is_too_small_is_asked_for_again_longer() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let first = ladder.expect(Method::Invite);
    let far = FarEnd::called(&first, "bob");
    let too_small = |request: &Message, min_se: &str| {
        with(&far.response(request, 422).build(), HeaderName::MinSe, min_se)
    };
    ladder.receive(&too_small(&first, "3600"));
    ladder.expect(Method::Ack);
    let second = ladder.expect(Method::Invite);
    assert_eq!(expires(&second), Some("3600"));
    assert_eq!(second.header(HeaderName::MinSe), Some("3600"));
    assert_eq!(number(&second), number(&first) + 1);
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.from().unwrap().tag(), first.from().unwrap().tag());
    assert_eq!(second.body(), first.body());
    assert_eq!(second.vias().count(), 1);
    // Another proxy further on wants even more.
    ladder.receive(&too_small(&second, "4000"));
    ladder.expect(Method::Ack);
    let third = ladder.expect(Method::Invite);
    assert_eq!(expires(&third), Some("4000"));
    assert_eq!(number(&third), number(&second) + 1);
    ladder.receive(&far.accepts(&third, Direction::SendRecv));
    assert_eq!(number(&ladder.expect(Method::Ack)), number(&third));
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_422_that_asks_for_no_more_than_it_got_ends_the_call() {
    for min_se in [None, Some("0"), Some("x")] {
        let mut ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let refusal = FarEnd::called(&invite, "bob").response(&invite, 422).build();
        let refusal = match min_se {
            Some(value) => with(&refusal, HeaderName::MinSe, value),
            None => refusal,
        };
        ladder.receive(&refusal);
        ladder.expect(Method::Ack);
        ladder.expect_silence();
        assert_eq!(ladder.end(CALL).sip_status, Some(422));
    }
}

#[test]
fn the_smallest_interval_of_all_need_not_be_named() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    for (min_se, named) in [("90", None), ("91", Some("91"))] {
        let invite = ladder.expect(Method::Invite);
        let refusal = FarEnd::called(&invite, "bob").response(&invite, 422).build();
        ladder.receive(&with(&refusal, HeaderName::MinSe, min_se));
        ladder.expect(Method::Ack);
        let again = ladder.expect(Method::Invite);
        assert_eq!(again.header(HeaderName::MinSe), named);
        ladder.receive(&FarEnd::called(&again, "bob").response(&again, 486).build());
        ladder.expect(Method::Ack);
        ladder.forget();
        ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
    }
}

#[test]
fn a_platform_that_always_wants_more_is_given_up() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let mut tries = 0;
    while ladder.state(CALL) != CallState::Ended {
        let invite = ladder.expect(Method::Invite);
        tries += 1;
        assert!(tries <= 5, "it is never given up");
        let refusal = FarEnd::called(&invite, "bob").response(&invite, 422).build();
        ladder.receive(&with(&refusal, HeaderName::MinSe, &format!("{}", 2_000 + tries)));
        ladder.expect(Method::Ack);
    }
    assert_eq!(tries, 5);
    ladder.expect_silence();
}

#[test]
fn a_call_that_is_given_up_is_not_tried_again_with_a_longer_interval() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.hang_up(CALL);
    let refusal = FarEnd::called(&invite, "bob").response(&invite, 422).build();
    ladder.receive(&with(&refusal, HeaderName::MinSe, "3600"));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

#[test]
fn a_hold_that_is_refused_for_its_interval_is_tried_again_at_once() {
    let (mut ladder, far) = call_with("120;refresher=uac", "");
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    let refusal = far.response(&reinvite, 422).build();
    ladder.receive(&with(&refusal, HeaderName::MinSe, "600"));
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    assert_eq!(expires(&again), Some("600;refresher=uac"));
    ladder.receive(&timed(
        &far.accepts(&again, Direction::RecvOnly),
        "600;refresher=uac",
    ));
    assert!(ladder.succeeded(hold));
}

// --- refreshing ------------------------------------------------------------------------------------------------

#[test]
fn this_side_refreshes_at_half_the_interval() {
    let (mut ladder, far) = call_with("120;refresher=uac", "");
    for _ in 0..3 {
        wait_in_silence(&mut ladder, 59.0);
        let reinvite = next(&mut ladder, Method::Invite);
        assert_eq!(expires(&reinvite), Some("120;refresher=uac"));
        let ok = far.accepts(&reinvite, Direction::SendRecv);
        ladder.receive(&timed(&ok, "120;refresher=uac"));
        ladder.expect(Method::Ack);
    }
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn an_update_refreshes_where_the_far_end_takes_it() {
    let (mut ladder, far) = call_with("120;refresher=uac", "INVITE, ACK, BYE, UPDATE");
    wait_in_silence(&mut ladder, 59.0);
    let update = next(&mut ladder, Method::Update);
    assert!(update.body().is_empty());
    assert_eq!(expires(&update), Some("120;refresher=uac"));
    // The far end takes the work over, and another interval.
    let ok = far.response(&update, 200).build();
    ladder.receive(&timed(&ok, "300;refresher=uas"));
    wait_in_silence(&mut ladder, 267.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    next(&mut ladder, Method::Bye);
}

#[test]
fn any_change_of_the_session_refreshes_it() {
    let (mut ladder, far) = call_with("120;refresher=uac", "");
    wait_in_silence(&mut ladder, 50.0);
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&timed(
        &far.accepts(&reinvite, Direction::RecvOnly),
        "120;refresher=uac",
    ));
    ladder.expect(Method::Ack);
    wait_in_silence(&mut ladder, 59.0);
    next(&mut ladder, Method::Invite);
}

#[test]
fn a_far_end_that_no_longer_wants_it_switches_it_off() {
    let (mut ladder, far) = call_with("120;refresher=uac", "");
    wait_in_silence(&mut ladder, 59.0);
    let reinvite = next(&mut ladder, Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    wait_in_silence(&mut ladder, 600.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_refused_refresh_is_tried_again_until_time_is_up() {
    let (mut ladder, far) = call_with("120;refresher=uac", "INVITE, ACK, BYE, UPDATE");
    let began = ladder.now;
    let mut refreshes = Vec::new();
    // No longer than the interval: a session that does not end fails here instead of going on for ever.
    while ladder.state(CALL) == CallState::Active && (ladder.now - began).as_secs() < 120 {
        for (at, message) in wait(&mut ladder, 1.0) {
            if message.method() == Method::Update {
                refreshes.push((at - began).as_secs());
                ladder.receive(&far.response(&message, 503).build());
            }
        }
    }
    assert_eq!(refreshes, [60, 74, 84]);
    assert_eq!((ladder.now - began).as_secs(), 88);
}

#[test]
fn an_interval_of_a_second_does_not_make_a_storm() {
    let (mut ladder, far) = call_with("1;refresher=uac", "INVITE, ACK, BYE, UPDATE");
    let mut refreshes = 0;
    for _ in 0..60 {
        for (_, update) in wait(&mut ladder, 1.0) {
            refreshes += 1;
            let ok = far.response(&update, 200).build();
            ladder.receive(&timed(&ok, "1;refresher=uac"));
        }
    }
    assert_eq!(refreshes, 6);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

// --- not refreshed ---------------------------------------------------------------------------------------------

#[test]
fn a_session_nobody_refreshes_is_left_before_its_end() {
    for (interval, left_after) in [(120, 88), (90, 60), (1_800, 1_768)] {
        let (mut ladder, far) = call_with(&format!("{interval};refresher=uas"), "");
        wait_in_silence(&mut ladder, f64::from(left_after) - 1.0);
        let bye = next(&mut ladder, Method::Bye);
        ladder.receive(&far.response(&bye, 200).build());
        assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    }
}

#[test]
fn the_far_end_refreshes() {
    for method in [Method::Invite, Method::Update] {
        let (mut ladder, mut far) = call_with("120;refresher=uas", "");
        far.supported = "timer";
        for _ in 0..3 {
            wait_in_silence(&mut ladder, 60.0);
            let refresh = far.request(method);
            let refresh = refresh.body("application/sdp", sdp(Direction::SendRecv).as_bytes());
            ladder.receive(&timed(&refresh.build(), "120;refresher=uac"));
            let ok = ladder.expect_response(200, method);
            assert_eq!(expires(&ok), Some("120;refresher=uac"));
            if method == Method::Invite {
                ladder.receive(&far.ack(&ok).build());
            }
        }
        wait_in_silence(&mut ladder, 87.0);
        next(&mut ladder, Method::Bye);
    }
}

#[test]
fn a_lost_connection_puts_the_end_off() {
    let (mut ladder, far) = call_with("120;refresher=uas", "INVITE, ACK, BYE, UPDATE");
    ladder.transport(MediaTransport::Connected);
    wait_in_silence(&mut ladder, 30.0);
    ladder.lose_connection();
    // What the far end has sent could not be heard.
    ladder.pass(600.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    assert_eq!(expires(&update), Some("120;refresher=uas"));
    ladder.receive(&timed(&far.response(&update, 200).build(), "120;refresher=uas"));
    wait_in_silence(&mut ladder, 87.0);
    next(&mut ladder, Method::Bye);
}

#[test]
fn a_refresh_refused_to_the_side_that_need_not_refresh_is_not_tried_again() {
    let (mut ladder, far) = call_with("120;refresher=uas", "INVITE, ACK, BYE, UPDATE");
    ladder.transport(MediaTransport::Connected);
    ladder.lose_connection();
    ladder.pass(600.0);
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    ladder.receive(&far.response(&update, 488).build());
    // The far end has the time of an unanswered request and the margin to refresh it.
    wait_in_silence(&mut ladder, 63.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
    next(&mut ladder, Method::Bye);
}

#[test]
fn a_refresh_that_is_due_without_connection_is_sent_when_it_is_back() {
    let (mut ladder, far) = call_with("120;refresher=uac", "INVITE, ACK, BYE, UPDATE");
    ladder.transport(MediaTransport::Connected);
    wait_in_silence(&mut ladder, 50.0);
    ladder.lose_connection();
    ladder.pass(20.0);
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    ladder.receive(&timed(&far.response(&update, 200).build(), "120;refresher=uac"));
    wait_in_silence(&mut ladder, 59.0);
    next(&mut ladder, Method::Update);
}

#[test]
fn hanging_up_ends_the_timer_too() {
    let (mut ladder, far) = call_with("90;refresher=uas", "");
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.pass(31.0);
    ladder.expect_silence();
    ladder.receive(&far.response(&bye, 200).build());
    wait_in_silence(&mut ladder, 200.0);
}

// --- granting --------------------------------------------------------------------------------------------------

#[test]
fn what_a_caller_asks_for_is_granted_in_the_ways_of_the_table() {
    let table = [
        // Asked, understood: granted, Require.
        ("1800;refresher=uac", true, "1800;refresher=uac"),
        ("1800;refresher=uas", true, "1800;refresher=uas"),
        ("600", true, "600;refresher=uac"),
        ("600", false, "600;refresher=uas"),
        ("600;refresher=uac", false, "600;refresher=uas"),
        // Ours is shorter.
        ("7200;refresher=uac", true, "1800;refresher=uac"),
        // A proxy asked for too little on behalf of a caller that would not understand 422.
        ("30", false, "90;refresher=uas"),
    ];
    for (asked, understood, granted) in table {
        let mut ladder = Ladder::registered();
        let mut headers = vec![(HeaderName::SessionExpires, asked)];
        headers.extend(understood.then_some(TIMER));
        let (_, _, ok) = answer_to(&mut ladder, &headers);
        assert_eq!(expires(&ok), Some(granted), "{asked}");
        let required = ok.lists_token(HeaderName::Require, "timer");
        assert_eq!(required, granted.ends_with("uac"), "{asked}");
    }
}

#[test]
fn a_callers_smallest_interval_is_respected() {
    let mut ladder = Ladder::registered();
    let headers = [
        TIMER,
        (HeaderName::SessionExpires, "7200"),
        (HeaderName::MinSe, "3600"),
    ];
    let (_, _, ok) = answer_to(&mut ladder, &headers);
    assert_eq!(expires(&ok), Some("3600;refresher=uac"));
}

#[test]
fn a_caller_that_asks_for_nothing_is_only_timed_if_it_understands() {
    let mut ladder = Ladder::registered();
    let (_, _, ok) = answer_to(&mut ladder, &[]);
    assert_eq!(expires(&ok), None);
    let mut ladder = Ladder::registered();
    let (_, _, ok) = answer_to(&mut ladder, &[TIMER]);
    assert_eq!(expires(&ok), Some("1800;refresher=uas"), "our wish, our work");
    let mut ladder = ladder_with(|config| config.session_expires = None);
    let (_, _, ok) = answer_to(&mut ladder, &[TIMER]);
    assert_eq!(expires(&ok), None);
}

#[test]
fn the_called_refreshes_too() {
    let mut ladder = Ladder::registered();
    let (_, far, _) = answer_to(&mut ladder, &[(HeaderName::SessionExpires, "120")]);
    wait_in_silence(&mut ladder, 59.0);
    let reinvite = next(&mut ladder, Method::Invite);
    assert_eq!(
        expires(&reinvite),
        Some("120;refresher=uac"),
        "the sender of this request"
    );
    ladder.receive(&timed(
        &far.accepts(&reinvite, Direction::SendRecv),
        "120;refresher=uac",
    ));
    ladder.expect(Method::Ack);
    wait_in_silence(&mut ladder, 59.0);
    next(&mut ladder, Method::Invite);
}

#[test]
fn too_small_an_interval_is_refused_before_it_rings_and_inside_the_call() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    far.supported = "timer";
    ladder.receive(&timed(&far.invite(Direction::SendRecv), "89"));
    let refusal = ladder.expect_response(422, Method::Invite);
    assert_eq!(refusal.min_se(), Some(90));
    assert_eq!(ladder.agent.calls().count(), 0);

    let (mut ladder, mut far) = call_with("120;refresher=uas", "");
    far.supported = "timer";
    for method in [Method::Invite, Method::Update] {
        ladder.receive(&timed(&far.request(method).build(), "89"));
        ladder.expect_response(422, method);
    }
    assert_eq!(ladder.state(CALL), CallState::Active);

    let mut ladder = Ladder::registered();
    let smallest = [TIMER, (HeaderName::SessionExpires, "90")];
    let (_, _, ok) = answer_to(&mut ladder, &smallest);
    assert_eq!(expires(&ok), Some("90;refresher=uac"), "the smallest is enough");

    let mut ladder = ladder_with(|config| config.min_session_expires = secs(600.0));
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    far.supported = "timer";
    ladder.receive(&timed(&far.invite(Direction::SendRecv), "599"));
    assert_eq!(ladder.expect_response(422, Method::Invite).min_se(), Some(600));
}

// --- restarts --------------------------------------------------------------------------------------------------

#[test]
fn the_agreement_survives_a_restart_and_so_does_the_call() {
    let (mut ladder, far) = call_with("120;refresher=uas", "");
    wait_in_silence(&mut ladder, 80.0);
    let stored = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
    let snapshot = serde_json::from_str(&stored).unwrap();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(30.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored.start();
    // Its end is over already, but there was nobody to be refreshed.
    restored.pass(5.0);
    assert_eq!(restored.state(CALL), CallState::Active);
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    assert_eq!(expires(&reinvite), Some("120;refresher=uas"));
    restored.receive(&timed(
        &far.accepts(&reinvite, Direction::SendRecv),
        "120;refresher=uas",
    ));
    restored.expect(Method::Ack);
    restored.transport(MediaTransport::Connected);
    wait_in_silence(&mut restored, 87.0);
    next(&mut restored, Method::Bye);
}

#[test]
fn a_restart_does_not_put_the_end_off() {
    let (mut ladder, far) = call_with("120;refresher=uas", "");
    wait_in_silence(&mut ladder, 10.0);
    let stored = serde_json::to_string(&ladder.agent.snapshot(ladder.now)).unwrap();
    let snapshot = serde_json::from_str(&stored).unwrap();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(20.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored.start();
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    restored.receive(&far.response(&reinvite, 488).build());
    restored.expect(Method::Ack);
    // 88 seconds after the agreement, of which 30 have passed.
    wait_in_silence(&mut restored, 57.0);
    next(&mut restored, Method::Bye);
}
