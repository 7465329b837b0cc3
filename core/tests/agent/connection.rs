//! The connection to the platform: back-off, keep-alive, sleep.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Method};
use clearline_core::{
    CallState, CommandError, ConnectionState, EndCause, Environment, Event, Input, Instant,
    RegistrationState, UserAgent,
};

use crate::ladder::{CALL, Ladder, config, granted, secs};

fn waits(ladder: &Ladder) -> (u32, clearline_core::Duration) {
    let state = ladder.connection();
    let ConnectionState::Waiting {
        attempt, retry_at, ..
    } = state
    else {
        panic!("not waiting: {state:?}")
    };
    (*attempt, *retry_at - ladder.now)
}

#[test]
fn nothing_happens_before_start() {
    let mut ladder = Ladder::new(config());
    ladder.drain();
    assert_eq!(ladder.idle, None);
    assert_eq!(*ladder.connection(), ConnectionState::Stopped);
    assert_eq!(ladder.try_dial(CALL, "bob"), Err(CommandError::NotConnected));
}

#[test]
fn attempts_come_at_growing_intervals_with_jitter_and_a_ceiling() {
    let pauses = |seed: u8| {
        let mut ladder = Ladder::of(UserAgent::new(config(), [seed; 32]), Instant::from_secs(5));
        ladder.start();
        let mut pauses = Vec::new();
        for failures in 1..=12 {
            let attempt = ConnectionState::Connecting { attempt: failures };
            assert_eq!(*ladder.connection(), attempt);
            ladder.refuse_connection();
            let (counted, pause) = waits(&ladder);
            assert_eq!(counted, failures);
            pauses.push(pause);
            ladder.pass(pause.as_secs_f64());
        }
        pauses
    };
    let first = pauses(1);
    for (number, pause) in first.iter().enumerate() {
        let longest = secs(0.25 * 2_f64.powi(number as i32)).min(secs(30.0));
        assert!(
            *pause >= longest / 2 && *pause <= longest,
            "pause {number}: {pause:?}"
        );
    }
    assert_ne!(first, pauses(2), "jitter");
}

#[test]
fn failures_are_counted_from_the_last_success() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    for _ in 0..8 {
        ladder.refuse_connection();
        while ladder.wanted_url().is_none() {
            ladder.pass_to_next_deadline();
        }
    }
    // A server that only accepts connections and drops them is no success.
    ladder.connect();
    ladder.lose_connection();
    assert_eq!(waits(&ladder).0, 9);
    ladder.forget();
    ladder.reconnect();
    ladder.register();
    ladder.lose_connection();
    let (attempt, pause) = waits(&ladder);
    assert_eq!(attempt, 1);
    assert!(pause <= secs(0.25), "{pause:?}");
}

#[test]
fn an_attempt_that_does_not_open_is_given_up() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    ladder.pass(9.9);
    assert!(matches!(ladder.connection(), ConnectionState::Connecting { .. }));
    ladder.pass(0.2);
    assert_eq!(waits(&ladder).0, 1);
    assert_eq!(ladder.wanted_url(), None, "the old attempt was dropped");
    ladder.reconnect();
    assert_eq!(*ladder.connection(), ConnectionState::Connected);
}

#[test]
fn an_agent_without_servers_does_not_spin() {
    let mut config = config();
    config.servers.clear();
    let mut ladder = Ladder::new(config);
    ladder.start();
    ladder.pass(600.0);
    assert_eq!(ladder.wanted_url(), None);
    ladder.stop();
    assert_eq!(*ladder.connection(), ConnectionState::Stopped);
}

#[test]
fn a_dead_socket_is_found_within_ten_seconds() {
    let mut ladder = Ladder::registered();
    ladder.pass(120.0);
    assert!(ladder.is_connected(), "alive all the time");
    ladder.answers_keep_alive = false;
    let died_at = ladder.now;
    while ladder.is_connected() {
        ladder.pass_to_next_deadline();
    }
    assert!(ladder.now - died_at <= secs(10.0), "{:?}", ladder.now - died_at);
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
    ladder.answers_keep_alive = true;
    ladder.forget();
    ladder.reconnect();
    ladder.register();
}

#[test]
fn a_hidden_phone_without_calls_asks_less_often() {
    let mut ladder = Ladder::registered();
    ladder.answers_keep_alive = false;
    ladder.input(Input::Environment(Environment::Hidden));
    ladder.pass(24.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    let options = ladder.expect(Method::Options);
    ladder.respond(&options, 404);
    assert!(ladder.is_connected(), "any answer is a sign of life");
    // A call makes it attentive again.
    ladder.ring("bob");
    ladder.pass(5.1);
    ladder.expect(Method::Options);
}

#[test]
fn anything_that_comes_in_is_a_sign_of_life() {
    let mut ladder = Ladder::registered();
    ladder.answers_keep_alive = false;
    for _ in 0..10 {
        ladder.pass(4.0);
        ladder.receive_bytes(b"\r\n\r\n");
    }
    ladder.expect_silence();
}

#[test]
fn a_crlf_ping_is_only_sent_where_outbound_was_negotiated() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let ok = granted(&register)
        .header(HeaderName::Require, "outbound")
        .header(HeaderName::FlowTimer, 120)
        .build();
    ladder.receive(&ok);
    ladder.pass(10.1);
    assert_eq!(ladder.pings, 2);
    ladder.answers_keep_alive = false;
    ladder.pass(9.1);
    assert!(!ladder.is_connected(), "no pong");
    ladder.expect_silence();
}

#[test]
fn a_crlf_ping_is_answered() {
    let mut ladder = Ladder::registered();
    ladder.receive_bytes(b"\r\n\r\n");
    let dropped = |event: &Event| matches!(event, Event::Dropped { .. });
    assert!(!ladder.take_events().iter().any(dropped));
}

#[test]
fn waking_from_sleep_probes_the_socket() {
    let mut ladder = Ladder::registered();
    ladder.pass(1.0);
    ladder.answers_keep_alive = false;
    ladder.now += secs(3_600.0);
    ladder.input(Input::Wake);
    let sent = ladder.take_sent();
    assert!(
        sent.iter()
            .any(|(_, message)| message.method() == Method::Options),
        "{sent:?}"
    );
    ladder.pass(1.8);
    assert!(ladder.is_connected());
    ladder.pass(0.2);
    assert!(!ladder.is_connected(), "found dead within two seconds");
}

#[test]
fn any_doubt_is_cleared_up_within_two_seconds() {
    for doubt in [
        Environment::Resumed,
        Environment::Visible,
        Environment::Online,
        Environment::Doubtful,
    ] {
        let mut ladder = Ladder::registered();
        ladder.cut(ladder.newest_connection());
        // A question is out already, with more time for its answer.
        ladder.pass(5.0);
        ladder.input(Input::Environment(doubt));
        ladder.pass(2.0);
        assert!(!ladder.is_connected(), "{doubt:?}");
        let mut ladder = Ladder::registered();
        ladder.input(Input::Environment(doubt));
        ladder.pass(10.0);
        assert!(ladder.is_connected(), "{doubt:?}: a living connection stays");
    }
}

#[test]
fn being_back_online_hurries_the_next_attempt() {
    let mut ladder = Ladder::registered();
    ladder.lose_connection();
    for _ in 0..10 {
        while ladder.wanted_url().is_none() {
            ladder.pass_to_next_deadline();
        }
        ladder.refuse_connection();
    }
    assert!(waits(&ladder).1 > secs(10.0));
    ladder.input(Input::Environment(Environment::Online));
    ladder.connect();
    ladder.register();
}

#[test]
fn a_second_report_of_the_same_loss_is_ignored() {
    let mut ladder = Ladder::registered();
    ladder.lose_connection();
    let (attempt, pause) = waits(&ladder);
    ladder.input(Input::Disconnected {
        connection: clearline_core::ConnectionId(1),
        reason: "again".into(),
    });
    ladder.input(Input::Connected {
        connection: clearline_core::ConnectionId(1),
    });
    assert_eq!(waits(&ladder), (attempt, pause));
}

#[test]
fn garbage_is_dropped_and_reported() {
    let mut ladder = Ladder::registered();
    for garbage in [
        &b"\0\xff\xfe"[..],
        b"hello",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        &[b'a'; 100_000],
    ] {
        ladder.forget();
        ladder.receive_bytes(garbage);
        let events = ladder.take_events();
        assert!(matches!(events[..], [Event::Dropped { .. }]), "{events:?}");
        ladder.expect_silence();
    }
    assert!(ladder.is_connected());
}

#[test]
fn a_broken_request_is_told_so() {
    let mut ladder = Ladder::registered();
    ladder.receive_bytes(
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\nFrom: <sip:b@c>;tag=1\r\n\
          To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n",
    );
    let sent = ladder.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.status(), Some(400));
    assert!(sent[0].1.to().unwrap().tag().is_some());
}

#[test]
fn unknown_methods_and_dialogs_are_refused() {
    let mut ladder = Ladder::registered();
    let mut far = crate::far_end::FarEnd::calling("bob", "sip:alice@alice.invalid");
    for (method, status) in [
        (Method::Subscribe, 405),
        (Method::Other("JUMP"), 501),
        (Method::Bye, 481),
        (Method::Info, 481),
    ] {
        let request = far.request(method).build();
        ladder.receive(&request);
        let refusal = ladder.expect_response(status, method);
        assert_eq!(refusal.header(HeaderName::Allow).is_some(), status == 405);
    }
    let elsewhere = far.request(Method::Info).build();
    let elsewhere = elsewhere
        .edit()
        .set(HeaderName::To, "<sip:alice@example.com>;tag=unknown")
        .build();
    ladder.receive(&elsewhere);
    ladder.expect_response(481, Method::Info);
    ladder.receive(&FarAck::of(&elsewhere));
    ladder.expect_silence();
    ladder.receive(&far.request(Method::Cancel).build());
    ladder.expect_response(481, Method::Cancel);
}

/// An ACK nobody has asked for.
struct FarAck;

impl FarAck {
    fn of(request: &clearline_core::sip::Message) -> clearline_core::sip::Message {
        crate::far_end::FarEnd::ack_refusal(request, request)
    }
}

#[test]
fn options_tell_what_the_phone_can_do() {
    let mut ladder = Ladder::registered();
    let mut far = crate::far_end::FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.request(Method::Options).build());
    let ok = ladder.expect_response(200, Method::Options);
    assert!(ok.lists_token(HeaderName::Allow, "INVITE"));
    assert!(ok.lists_token(HeaderName::Accept, "application/sdp"));
}

#[test]
fn a_call_while_disconnected_is_refused_and_one_being_made_fails() {
    let mut ladder = Ladder::registered();
    ladder.media.held_back = true;
    ladder.dial(CALL, "bob");
    ladder.lose_connection();
    assert_eq!(ladder.state(CALL), CallState::Preparing);
    ladder.media_answers();
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(
        ladder.try_dial(clearline_core::CallId(2), "bob"),
        Err(CommandError::NotConnected)
    );
}
