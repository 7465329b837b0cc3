//! The callee's side (RFC 3261 section 13.3).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallDirection, CallState, CommandError, Direction, EndCause, MediaErrorKind, OperationError, RejectReason,
};

use crate::far_end::{FarEnd, RECORD_ROUTE};
use crate::ladder::{CALL, Ladder, config};
use crate::media::{direction_of, sdp};

fn bob() -> FarEnd {
    FarEnd::calling("bob", "sip:alice@alice.invalid")
}

fn body_direction(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

#[test]
fn nobody_rings_for_ever() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.pass(299.0);
    assert_eq!(ladder.state(call), CallState::Incoming);
    ladder.pass(2.0);
    assert_eq!(ladder.cause(call), EndCause::Missed);
}

#[test]
fn a_call_rings_and_is_answered() {
    let mut ladder = Ladder::registered();
    let mut far = bob();
    let invite = far.invite(Direction::SendRecv);
    ladder.receive(&invite);
    let ringing = ladder.expect_response(180, Method::Invite);
    assert!(ringing.to().unwrap().tag().is_some());
    assert_eq!(ringing.header(HeaderName::RecordRoute), Some(RECORD_ROUTE));
    assert!(ringing.header(HeaderName::Contact).is_some());
    let call = ladder.newest_call();
    let info = ladder.info(call);
    assert_eq!(
        (info.state, info.direction),
        (CallState::Incoming, CallDirection::Incoming)
    );
    assert_eq!(
        (info.remote.display_name.as_str(), info.remote.user.as_str()),
        ("bob", "bob")
    );
    assert!(!info.waiting);
    assert_eq!(ladder.media.log.len(), 0, "no microphone yet");

    ladder.media.held_back = true;
    let operation = ladder.answer(call);
    assert_eq!(ladder.state(call), CallState::Answering);
    ladder.expect_silence();
    ladder.media_goes_on();
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(ok.to().unwrap().tag(), ringing.to().unwrap().tag());
    assert_eq!(ok.header(HeaderName::RecordRoute), Some(RECORD_ROUTE));
    assert_eq!(body_direction(&ok), Direction::SendRecv);
    assert_eq!(ladder.state(call), CallState::Answering);
    assert_eq!(ladder.outcome(operation), None);

    ladder.receive(&far.ack(&ok).build());
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.state(call), CallState::Active);
    assert_eq!(ladder.info(call).answered_at, Some(ladder.now));

    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.header(HeaderName::Route), Some(RECORD_ROUTE));
    assert_eq!(
        bye.request_uri_text(),
        Some("sip:device@bob-tag.invalid;transport=ws")
    );
    assert_eq!(bye.from().unwrap().tag(), ok.to().unwrap().tag());
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp);
}

#[test]
fn an_answer_is_repeated_until_acknowledged() {
    let mut ladder = Ladder::registered();
    let (call, mut far, invite) = ladder.ring("bob");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    let answered_at = ladder.now;
    ladder.pass(8.0);
    let repeated = ladder.take_sent();
    let times: Vec<_> = repeated
        .iter()
        .map(|(at, message)| {
            assert_eq!(*message, ok);
            (*at - answered_at).as_millis()
        })
        .collect();
    assert_eq!(times, [500, 1_500, 3_500, 7_500], "T1, doubled up to T2");
    ladder.receive(&invite);
    ladder.expect_silence();
    ladder.receive(&far.ack(&ok).build());
    ladder.pass(30.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn an_answer_that_is_never_acknowledged_is_ended() {
    let mut ladder = Ladder::registered();
    let (call, far, _) = ladder.ring("bob");
    let operation = ladder.answer(call);
    ladder.pass(31.9);
    assert_eq!(ladder.state(call), CallState::Answering);
    ladder.forget();
    ladder.pass(0.2);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::NetworkFailed);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
}

#[test]
fn declining_says_which_way() {
    for (reason, status) in [(RejectReason::Declined, 603), (RejectReason::Busy, 486)] {
        let mut ladder = Ladder::registered();
        let (call, _, invite) = ladder.ring("bob");
        let operation = ladder.command(call, |call| call.reject(reason)).unwrap();
        let refusal = ladder.expect_response(status, Method::Invite);
        assert!(ladder.succeeded(operation));
        assert_eq!(ladder.cause(call), EndCause::Declined);
        ladder.receive(&FarEnd::ack_refusal(&invite, &refusal));
        ladder.pass(60.0);
        ladder.expect_silence();
        assert!(ladder.media.log.is_empty(), "no media was ever asked for");
    }
}

#[test]
fn hanging_up_a_call_that_rings_declines_it() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    let operation = ladder.hang_up(call);
    ladder.expect_response(603, Method::Invite);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.cause(call), EndCause::Declined);
}

#[test]
fn a_caller_who_gives_up_is_a_missed_call() {
    for (reason, cause) in [
        (None, EndCause::Missed),
        (
            Some("SIP;cause=200;text=\"Call completed elsewhere\""),
            EndCause::AnsweredElsewhere,
        ),
        (Some("Q.850;cause=16, SIP;cause=600"), EndCause::DeclinedElsewhere),
        (Some("SIP;cause=603"), EndCause::DeclinedElsewhere),
        (Some("SIP;cause=487"), EndCause::Missed),
        (Some("nonsense;;;"), EndCause::Missed),
    ] {
        let mut ladder = Ladder::registered();
        let (call, _, invite) = ladder.ring("bob");
        let cancel = FarEnd::cancel(&invite);
        let cancel = match reason {
            Some(reason) => cancel.header(HeaderName::Reason, reason),
            None => cancel,
        };
        ladder.receive(&cancel.build());
        let ok = ladder.expect_response(200, Method::Cancel);
        let terminated = ladder.expect_response(487, Method::Invite);
        assert_eq!(
            ok.to().unwrap().tag(),
            terminated.to().unwrap().tag(),
            "section 9.2"
        );
        assert_eq!(ladder.cause(call), cause, "{reason:?}");
        ladder.receive(&FarEnd::ack_refusal(&invite, &terminated));
        ladder.expect_silence();
    }
}

#[test]
fn a_caller_who_gives_up_while_the_answer_is_made_is_missed_too() {
    let mut ladder = Ladder::registered();
    let (call, _, invite) = ladder.ring("bob");
    ladder.media.held_back = true;
    let operation = ladder.answer(call);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    assert_eq!(ladder.cause(call), EndCause::Missed);
    assert_eq!(ladder.failure(operation), Some(OperationError::CallEnded));
    ladder.media_goes_on();
    ladder.expect_silence();
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn a_cancel_that_crosses_the_answer_has_no_effect() {
    let mut ladder = Ladder::registered();
    let (call, mut far, invite) = ladder.ring("bob");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_silence();
    assert_eq!(ladder.state(call), CallState::Answering);
    // The caller acknowledges, and hangs up (RFC 5407 section 3.1.2).
    ladder.receive(&far.ack(&ok).build());
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.cause(call), EndCause::RemoteHangUp);
}

#[test]
fn an_invite_without_offer_is_offered_to_in_the_answer() {
    let mut ladder = Ladder::registered();
    let mut far = bob();
    ladder.receive(&far.request(Method::Invite).build());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    let operation = ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(body_direction(&ok), Direction::SendRecv);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
        .build();
    ladder.receive(&ack);
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.state(call), CallState::Active);
    assert!(ladder.media.is_stable(ladder.session()));
    // The ACK again changes nothing.
    ladder.receive(&ack);
    assert!(ladder.media.is_stable(ladder.session()));
}

#[test]
fn an_offer_in_the_2xx_without_an_answer_in_the_ack_ends_the_call() {
    let mut ladder = Ladder::registered();
    let mut far = bob();
    ladder.receive(&far.request(Method::Invite).build());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::NotAcceptable);
}

#[test]
fn the_same_invite_along_another_path_is_merged() {
    let mut ladder = Ladder::registered();
    let (call, mut far, invite) = ladder.ring("bob");
    let other_path = |branch: &str| {
        invite
            .edit()
            .set(
                HeaderName::Via,
                format_args!("SIP/2.0/WS edge.example.com;branch={branch}"),
            )
            .build()
    };
    ladder.receive(&other_path("z9hG4bKpath2"));
    ladder.expect_response(482, Method::Invite);
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&other_path("z9hG4bKpath3"));
    ladder.expect_response(482, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.receive(&other_path("z9hG4bKpath4"));
    ladder.expect_response(482, Method::Invite);
    assert_eq!(ladder.agent.calls().count(), 1);
}

#[test]
fn extensions_that_are_required_and_unknown_are_refused() {
    let mut ladder = Ladder::registered();
    let invite = bob()
        .invite(Direction::SendRecv)
        .edit()
        .append(HeaderName::Require, "gruu, precondition, Recipient-List")
        .build();
    ladder.receive(&invite);
    let refusal = ladder.expect_response(420, Method::Invite);
    let unsupported: Vec<_> = refusal.header_list(HeaderName::Unsupported).collect();
    assert_eq!(unsupported, ["precondition", "Recipient-List"]);
    assert_eq!(ladder.agent.calls().count(), 0);
}

#[test]
fn a_body_that_is_no_session_description_is_refused() {
    let mut ladder = Ladder::registered();
    let pictures = bob().request(Method::Invite).body("image/png", b"PNG").build();
    let nameless = bob()
        .request(Method::Invite)
        .body("application/sdp", b"v=0\r\n")
        .build();
    let nameless = nameless
        .edit()
        .remove(HeaderName::ContentType)
        .set(HeaderName::CallId, "other")
        .build();
    for invite in [pictures, nameless] {
        ladder.receive(&invite);
        let refusal = ladder.expect_response(415, Method::Invite);
        assert!(
            refusal.lists_token(HeaderName::Accept, "application/sdp"),
            "section 8.2.3"
        );
    }
    assert_eq!(ladder.agent.calls().count(), 0);
}

#[test]
fn an_invite_without_contact_makes_no_dialog() {
    let mut ladder = Ladder::registered();
    let invite = bob().invite(Direction::SendRecv);
    ladder.receive(&invite.edit().remove(HeaderName::Contact).build());
    ladder.expect_response(400, Method::Invite);
    assert_eq!(ladder.agent.calls().count(), 0);
}

#[test]
fn too_many_calls_are_busy() {
    let mut config = config();
    config.max_calls = 1;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.make_call(CALL, "carol");
    ladder.receive(&bob().invite(Direction::SendRecv));
    ladder.expect_response(486, Method::Invite);
}

#[test]
fn a_service_answers_by_itself() {
    let mut config = config();
    config.auto_answer = true;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    let mut far = bob();
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(180, Method::Invite);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(ladder.newest_call()), CallState::Active);
}

#[test]
fn the_callers_own_limit_is_kept() {
    let mut ladder = Ladder::registered();
    let mut far = bob();
    let invite = far.invite(Direction::SendRecv);
    let invite = invite.edit().append(HeaderName::Expires, 20).build();
    ladder.receive(&invite);
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.pass(19.9);
    ladder.expect_silence();
    ladder.pass(0.2);
    ladder.expect_response(487, Method::Invite);
    assert_eq!(ladder.cause(call), EndCause::Missed);
}

#[test]
fn an_answered_call_has_no_limit() {
    let mut ladder = Ladder::registered();
    let mut far = bob();
    let invite = far.invite(Direction::SendRecv);
    ladder.receive(&invite.edit().append(HeaderName::Expires, 20).build());
    ladder.expect_response(180, Method::Invite);
    let call = ladder.newest_call();
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.pass(60.0);
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    let answering = ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    let hanging_up = ladder.hang_up(call);
    assert_eq!(ladder.state(call), CallState::Ending);
    assert_eq!(
        ladder.media.open_sessions(),
        [],
        "nobody is overheard while the ACK is awaited"
    );
    ladder.expect_silence();
    ladder.receive(&far.ack(&ok).build());
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp);
    assert!(ladder.succeeded(hanging_up));
    assert!(ladder.outcome(answering).is_some());
}

#[test]
fn hanging_up_before_an_ack_that_never_comes() {
    let mut ladder = Ladder::registered();
    let (call, far, _) = ladder.ring("bob");
    ladder.answer(call);
    ladder.hang_up(call);
    ladder.pass(31.9);
    ladder.forget();
    ladder.pass(0.2);
    let bye = ladder.expect(Method::Bye);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(call), EndCause::LocalHangUp, "what the user did");
}

#[test]
fn a_bye_in_the_early_dialog_ends_the_invite_too() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.receive(&far.request(Method::Bye).build());
    let mut sent: Vec<_> = ladder
        .take_sent()
        .iter()
        .map(|(_, message)| (message.status(), message.method().to_string()))
        .collect();
    sent.sort();
    assert_eq!(
        sent,
        [(Some(200), "BYE".to_owned()), (Some(487), "INVITE".to_owned())]
    );
    assert_eq!(ladder.cause(call), EndCause::Missed);
}

#[test]
fn a_second_invite_before_the_answer_is_put_off() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.receive(&far.invite(Direction::SendRecv));
    let refusal = ladder.expect_response(500, Method::Invite);
    assert!(refusal.retry_after().unwrap() <= 10, "section 14.2");
    assert_eq!(ladder.state(call), CallState::Incoming);
}

#[test]
fn media_that_fails_refuses_the_call() {
    for (kind, status, cause) in [
        (MediaErrorKind::DescriptionRejected, 488, EndCause::NotAcceptable),
        (MediaErrorKind::PermissionDenied, 480, EndCause::MediaFailed),
        (MediaErrorKind::Unavailable, 480, EndCause::MediaFailed),
    ] {
        let mut ladder = Ladder::registered();
        let (call, _, _) = ladder.ring("bob");
        ladder.media.held_back = true;
        let operation = ladder.answer(call);
        ladder.media_fails(kind);
        ladder.expect_response(status, Method::Invite);
        assert_eq!(ladder.cause(call), cause);
        assert!(matches!(
            ladder.failure(operation),
            Some(OperationError::Media(error)) if error.kind == kind
        ));
    }
}

#[test]
fn answering_twice_is_refused() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.media.held_back = true;
    ladder.answer(call);
    assert_eq!(
        ladder.command(call, |call| call.answer()),
        Err(CommandError::WrongState)
    );
    ladder.media_goes_on();
    assert_eq!(
        ladder.command(call, |call| call.answer()),
        Err(CommandError::WrongState)
    );
}

#[test]
fn a_call_may_be_muted_while_it_rings() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.command(call, |call| call.set_muted(true)).unwrap();
    assert!(ladder.media.log.is_empty(), "there is no session to be muted yet");
    ladder.answer(call);
    assert!(ladder.media.is_muted(ladder.session()));
}

#[test]
fn a_connection_lost_while_it_rings_ends_the_call_and_leaves_nothing() {
    let mut ladder = Ladder::registered();
    let (call, _, _) = ladder.ring("bob");
    ladder.lose_connection();
    assert_eq!(ladder.cause(call), EndCause::NetworkFailed);
    ladder.stop();
    ladder.pass(60.0);
    assert_eq!(ladder.idle, None);
}

#[test]
fn an_answer_whose_ack_is_lost_with_the_connection_is_repeated_on_the_next() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    ladder.pass(4.0);
    assert_eq!(ladder.expect_response(200, Method::Invite), ok);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn a_loop_to_oneself_is_two_calls() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "alice");
    let invite = ladder.expect(Method::Invite);
    let looped = invite
        .edit()
        .prepend(HeaderName::Via, "SIP/2.0/WS edge.example.com;branch=z9hG4bKloop")
        .build();
    ladder.receive(&looped);
    let ringing = ladder.expect_response(180, Method::Invite);
    let back = ringing.edit().remove_first_element(HeaderName::Via).build();
    ladder.receive(&back);
    assert_eq!(ladder.state(CALL), CallState::Ringing);
    let states: Vec<_> = ladder.agent.calls().map(|call| call.state).collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&CallState::Incoming));
}
