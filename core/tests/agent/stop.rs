//! Orderly stops.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::Method;
use clearline_core::{CallId, CallState, CommandError, ConnectionState, EndCause, Event, RegistrationState};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, granted};

/// How often the agent said that it has stopped.
fn stops(ladder: &mut Ladder) -> usize {
    let events = ladder.take_events();
    events.iter().filter(|event| **event == Event::Stopped).count()
}

fn assert_at_rest(ladder: &mut Ladder) {
    assert_eq!(*ladder.connection(), ConnectionState::Stopped);
    assert_eq!(*ladder.registration(), RegistrationState::Unregistered);
    assert!(!ladder.is_connected());
    assert_eq!(ladder.agent.calls().count(), 0);
    assert_eq!(ladder.idle, None, "nothing left to wait for");
}

#[test]
fn the_binding_is_removed_and_the_connection_closed() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    ladder.stop();
    let register = ladder.expect(Method::Register);
    assert_eq!(register.expires(), Ok(Some(0)));
    let contact = register.contacts().next().unwrap().unwrap();
    assert_eq!(contact.address().unwrap().params.value("expires"), Some("0"));
    assert_eq!(stops(&mut ladder), 0);
    ladder.receive(&granted(&register).build());
    assert_eq!(stops(&mut ladder), 1);
    assert_at_rest(&mut ladder);
}

#[test]
fn without_an_answer_it_stops_after_two_seconds() {
    let mut ladder = Ladder::registered();
    ladder.stop();
    ladder.expect(Method::Register);
    ladder.pass(1.9);
    assert_eq!(stops(&mut ladder), 0);
    ladder.pass(0.1);
    assert_eq!(stops(&mut ladder), 1);
    assert_at_rest(&mut ladder);
}

#[test]
fn a_challenged_removal_is_authorized() {
    let mut ladder = Ladder::registered();
    ladder.stop();
    let register = ladder.expect(Method::Register);
    let refusal = clearline_core::sip::ResponseBuilder::for_request(&register, 401)
        .header(
            clearline_core::sip::HeaderName::WwwAuthenticate,
            "Digest realm=\"r\", nonce=\"n\"",
        )
        .build();
    ladder.receive(&refusal);
    let register = ladder.expect(Method::Register);
    assert!(register.credentials().next().is_some());
    assert_eq!(register.expires(), Ok(Some(0)));
    ladder.respond(&register, 200);
    assert_eq!(stops(&mut ladder), 1);
}

#[test]
fn calls_are_ended_first() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let (ringing, _, invite) = ladder.ring("carol");
    ladder.forget();
    ladder.stop();
    assert_eq!(
        ladder.agent.call_handle(ladder.now, CALL).unwrap().hang_up(),
        Err(CommandError::WrongState)
    );
    let sent: Vec<_> = ladder
        .take_sent()
        .into_iter()
        .map(|(_, message)| message)
        .collect();
    let names: Vec<_> = sent
        .iter()
        .map(|message| (message.method().to_string(), message.status()))
        .collect();
    assert!(names.contains(&("BYE".to_owned(), None)), "{names:?}");
    assert!(names.contains(&("INVITE".to_owned(), Some(603))), "{names:?}");
    assert!(names.contains(&("REGISTER".to_owned(), None)), "{names:?}");
    for message in &sent {
        if message.is_request() {
            ladder.respond(message, 200);
        } else {
            ladder.receive(&FarEnd::ack_refusal(&invite, message));
        }
    }
    assert_eq!(stops(&mut ladder), 1);
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    assert_eq!(ladder.cause(ringing), EndCause::Declined);
    assert_at_rest(&mut ladder);
}

#[test]
fn calls_that_do_not_end_are_dropped() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.dial(CallId(2), "carol");
    ladder.stop();
    ladder.pass(2.0);
    assert_eq!(stops(&mut ladder), 1);
    assert_eq!(ladder.state(CALL), CallState::Ended);
    assert_eq!(ladder.state(CallId(2)), CallState::Ended);
    assert_eq!(ladder.media.open_sessions(), []);
    assert_at_rest(&mut ladder);
}

#[test]
fn a_stop_without_connection_is_immediate() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    ladder.stop();
    assert_eq!(stops(&mut ladder), 1);
    assert_eq!(ladder.wanted_url(), None);
    assert_at_rest(&mut ladder);

    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    ladder.stop();
    assert_eq!(stops(&mut ladder), 1, "once, with a call to be ended too");
    assert_eq!(ladder.state(CALL), CallState::Ended);
    assert_at_rest(&mut ladder);
}

#[test]
fn a_connection_lost_while_stopping_ends_the_stop() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    ladder.stop();
    ladder.lose_connection();
    assert_eq!(stops(&mut ladder), 1);
    assert_at_rest(&mut ladder);
}

#[test]
fn a_stopping_agent_takes_and_makes_no_calls() {
    let mut ladder = Ladder::registered();
    ladder.stop();
    ladder.forget();
    assert_eq!(ladder.try_dial(CALL, "bob"), Err(CommandError::NotConnected));
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.invite(clearline_core::Direction::SendRecv));
    ladder.expect_response(480, Method::Invite);
}

#[test]
fn a_stopped_agent_can_be_started_again() {
    let mut ladder = Ladder::registered();
    ladder.stop();
    ladder.pass(2.0);
    ladder.forget();
    ladder.start();
    ladder.connect();
    ladder.register();
    assert!(matches!(
        ladder.registration(),
        RegistrationState::Registered { .. }
    ));
}

#[test]
fn a_late_answer_to_an_earlier_register_does_not_end_the_stop() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.stop();
    let second = ladder.expect(Method::Register);
    assert!(second.cseq().unwrap().number > first.cseq().unwrap().number);
    let refusal = clearline_core::sip::ResponseBuilder::for_request(&first, 401)
        .header(
            clearline_core::sip::HeaderName::WwwAuthenticate,
            "Digest realm=\"r\", nonce=\"n\"",
        )
        .build();
    ladder.receive(&refusal);
    // Registering again now would leave the binding behind.
    ladder.expect_silence();
    assert_eq!(stops(&mut ladder), 0);
    ladder.respond(&second, 200);
    assert_eq!(stops(&mut ladder), 1);
}
