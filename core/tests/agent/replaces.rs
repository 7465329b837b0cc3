//! One dialog in place of another, in both roles (RFC 3891; RFC 3911 refused).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallId, CallState, Direction, EndCause, Instant, MediaAction, MediaErrorKind, MediaTransport,
    ReplacesPolicy, UserAgent,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::media::{direction_of, sdp};

/// Another device of `user`, which knows the dialog of `ack` (sent by the agent), and its INVITE.
fn successor(user: &str, replaces: &str) -> (FarEnd, Message) {
    let mut far = FarEnd::calling(user, "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    let invite = invite
        .edit()
        .set(HeaderName::CallId, "successor")
        .set(
            HeaderName::Via,
            format_args!("SIP/2.0/WS edge.example.com;branch=z9hG4bKsuccessor-{user}"),
        )
        .append(HeaderName::Replaces, replaces)
        .append(HeaderName::Require, "replaces")
        .append(HeaderName::PAssertedIdentity, format!("<sip:{user}@example.com>"))
        .build();
    (far, invite)
}

/// The same INVITE once more, as another one.
fn another(invite: &Message, id: &str) -> Message {
    let edit = invite.edit().set(HeaderName::CallId, id).set(
        HeaderName::Via,
        format_args!("SIP/2.0/WS edge.example.com;branch=z9hG4bK{id}"),
    );
    edit.build()
}

/// Replaces for the dialog that a request of the agent belongs to.
fn naming(request: &Message) -> String {
    format!(
        "{};to-tag={};from-tag={}",
        request.call_id().unwrap(),
        request.from().unwrap().tag().unwrap(),
        request.to().unwrap().tag().unwrap_or("0")
    )
}

/// A call with bob, and Replaces for its dialog.
fn in_call() -> (Ladder, FarEnd, String) {
    in_call_where(ReplacesPolicy::default())
}

/// The same with a policy.
fn in_call_where(policy: ReplacesPolicy) -> (Ladder, FarEnd, String) {
    let mut config = config();
    config.replaces_policy = policy;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob-tag");
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    let replaces = naming(&ack);
    ladder.forget();
    (ladder, far, replaces)
}

/// The far end's next requests are those of the successor's dialog.
fn ack(ladder: &mut Ladder, ok: &Message, invite: &Message) {
    let ack = clearline_core::sip::RequestBuilder::new(Method::Ack, invite.request_uri().unwrap())
        .header(
            HeaderName::Via,
            "SIP/2.0/WS edge.example.com;branch=z9hG4bKsuccessorack",
        )
        .header(HeaderName::MaxForwards, 69)
        .headers_from(ok, HeaderName::From)
        .headers_from(ok, HeaderName::To)
        .headers_from(ok, HeaderName::CallId)
        .header(HeaderName::CSeq, "1 ACK")
        .build();
    ladder.receive(&ack);
}

fn body(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

#[test]
fn a_call_goes_on_in_another_dialog_as_if_nothing_had_happened() {
    let (mut ladder, _, replaces) = in_call();
    let before = ladder.info(CALL).clone();
    let old_session = ladder.session();
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(direction_of(body(&ok)), Direction::SendRecv);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob-tag"), "the old dialog's");
    // Whoever had the call there learns that it goes on elsewhere.
    assert_eq!(
        bye.header(HeaderName::Reason),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    ladder.respond(&bye, 200);
    ack(&mut ladder, &ok, &invite);
    ladder.expect_silence();
    let after = ladder.info(CALL);
    assert_eq!(after.state, CallState::Active);
    assert_eq!(after.answered_at, before.answered_at);
    assert_eq!(ladder.agent.calls().count(), 1);
    assert_ne!(ladder.session(), old_session, "fresh media");

    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.call_id(), Ok("successor"));
}

#[test]
fn hold_and_microphone_stay_as_they_are() {
    let (mut ladder, far, replaces) = in_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    assert!(ladder.info(CALL).local_hold);

    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(direction_of(body(&ok)), Direction::SendOnly);
    assert!(ladder.info(CALL).local_hold);
    assert!(ladder.media.is_muted(ladder.session()));
    ladder.expect(Method::Bye);
    ack(&mut ladder, &ok, &invite);
    ladder.resume(CALL);
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(reinvite.call_id(), Ok("successor"));
}

#[test]
fn what_was_being_negotiated_goes_on_in_the_new_dialog() {
    let (mut ladder, _, replaces) = in_call();
    let holding = ladder.hold(CALL);
    ladder.expect(Method::Invite);
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(direction_of(body(&ok)), Direction::SendOnly);
    assert!(
        ladder.succeeded(holding),
        "the new dialog is on hold from its start"
    );
    ladder.expect(Method::Bye);
    ack(&mut ladder, &ok, &invite);
    ladder.pass(60.0);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_successor_without_offer_gets_one() {
    let (mut ladder, _, replaces) = in_call();
    let (mut far, invite) = successor("bob", &replaces);
    let bare = far
        .request(Method::Invite)
        .header(HeaderName::Replaces, &replaces)
        .headers_from(&invite, HeaderName::PAssertedIdentity)
        .build();
    ladder.receive(&bare);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.expect(Method::Bye);
    let ack = far
        .ack(&ok)
        .body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&ack.build());
    assert!(ladder.media.is_stable(ladder.session()));
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_stranger_takes_no_call_over() {
    for policy in [ReplacesPolicy::Known, ReplacesPolicy::SameDomain] {
        let (mut ladder, _, replaces) = in_call_where(policy);
        // One who claims to be bob while the platform says otherwise, and one who hides.
        let (_, invite) = successor("bob", &replaces);
        for (id, name, value) in [
            (
                "a",
                HeaderName::PAssertedIdentity,
                "<sip:mallory@elsewhere.example>",
            ),
            ("b", HeaderName::PAssertedIdentity, "<sip:bob@elsewhere.example>"),
            ("c", HeaderName::PAssertedIdentity, "<sip:bob@not.example.com>"),
            ("d", HeaderName::PAssertedIdentity, "<tel:+15551234>"),
            ("e", HeaderName::Privacy, "id"),
        ] {
            let invite = another(&invite.edit().set(name, value).build(), id);
            ladder.receive(&invite);
            ladder.expect_response(403, Method::Invite);
        }
        assert_eq!(ladder.state(CALL), CallState::Active);
        assert_eq!(ladder.agent.calls().count(), 1);
    }
}

/// Telephones that say nothing of who has sent them: RFC 3515 does not ask them to.
#[test]
fn a_colleague_may_take_the_place_of_the_far_end() {
    let (mut ladder, _, replaces) = in_call();
    let (_, invite) = successor("carol", &replaces);
    ladder.receive(&invite);
    ladder.expect_response(200, Method::Invite);
    ladder.expect(Method::Bye);
    let info = ladder.info(CALL);
    assert_eq!(info.remote.user, "carol");
    let by = info.transferred_by.as_ref().map(|by| by.user.as_str());
    assert_eq!(by, Some("bob"), "whose place it was");
}

#[test]
fn not_even_a_colleague_where_only_those_may_who_were_sent() {
    let (mut ladder, _, replaces) = in_call_where(ReplacesPolicy::Known);
    let (_, invite) = successor("mallory", &replaces);
    ladder.receive(&invite);
    ladder.expect_response(403, Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn whom_the_party_of_the_call_has_sent_may_take_its_place() {
    for policy in [ReplacesPolicy::Known, ReplacesPolicy::SameDomain] {
        let (mut ladder, _, replaces) = in_call_where(policy);
        let (_, invite) = successor("carol", &replaces);
        // Of another domain: only the sender counts.
        let invite = invite
            .edit()
            .set(HeaderName::PAssertedIdentity, "<sip:carol@elsewhere.example>")
            .build();
        let forged = invite
            .edit()
            .append(HeaderName::ReferredBy, "<sip:mallory@example.com>")
            .build();
        ladder.receive(&another(&forged, "forged"));
        ladder.expect_response(403, Method::Invite);
        let sent = invite
            .edit()
            .append(HeaderName::ReferredBy, "<sip:bob@example.com>")
            .build();
        ladder.receive(&another(&sent, "sent"));
        ladder.expect_response(200, Method::Invite);
        ladder.expect(Method::Bye);
        let info = ladder.info(CALL);
        assert_eq!(info.remote.user, "carol");
        assert_eq!(
            info.transferred_by.as_ref().map(|by| by.user.as_str()),
            Some("bob")
        );
    }
}

#[test]
fn whoever_names_the_dialog_may_where_that_is_the_policy() {
    let (mut ladder, _, replaces) = in_call_where(ReplacesPolicy::Anyone);
    let foreign = |replaces: &str| {
        let (_, invite) = successor("carol", replaces);
        let edit = invite.edit();
        edit.set(HeaderName::PAssertedIdentity, "<sip:carol@elsewhere.example>")
            .build()
    };
    ladder.receive(&another(&foreign(&replaces.replace("bob-tag", "guess")), "guess"));
    ladder.expect_response(481, Method::Invite);
    ladder.receive(&foreign(&replaces));
    ladder.expect_response(200, Method::Invite);
}

#[test]
fn ones_own_other_device_may_take_a_call_over() {
    let (mut ladder, _, replaces) = in_call();
    let (_, invite) = successor("alice", &replaces);
    ladder.receive(&invite);
    ladder.expect_response(200, Method::Invite);
    assert_eq!(ladder.info(CALL).remote.user, "alice");
}

#[test]
fn dialogs_that_cannot_be_replaced_are_refused_as_the_rfc_says() {
    let refused = |ladder: &mut Ladder, replaces: &str, status: u16| {
        let (_, invite) = successor("bob", replaces);
        ladder.receive(&another(&invite, &format!("{status}-{}", replaces.len())));
        ladder.expect_response(status, Method::Invite);
    };
    let (mut ladder, far, replaces) = in_call();
    refused(&mut ladder, &format!("{replaces};early-only"), 486);
    refused(&mut ladder, "unknown;to-tag=a;from-tag=b", 481);
    // Both tags have to match, each at its own end.
    let swapped = replaces
        .replace("to-tag", "x-tag")
        .replace("from-tag", "to-tag")
        .replace("x-tag", "from-tag");
    refused(&mut ladder, &swapped, 481);
    refused(&mut ladder, "no-tags", 400);
    refused(&mut ladder, &format!("{replaces}, {replaces}"), 400);
    let (_, invite) = successor("bob", &replaces);
    let twice = invite.edit().append(HeaderName::Replaces, &replaces).build();
    ladder.receive(&another(&twice, "twice"));
    ladder.expect_response(400, Method::Invite);
    assert_eq!(ladder.state(CALL), CallState::Active);
    // Over, while its BYE is out and after.
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    refused(&mut ladder, &format!("{replaces};x=1"), 603);
    ladder.receive(&far.response(&bye, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    refused(&mut ladder, &format!("{replaces};x=2y"), 603);
}

#[test]
fn a_call_that_rings_here_is_not_given_away() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&far.invite(Direction::SendRecv));
    let ringing = ladder.expect_response(180, Method::Invite);
    let replaces = format!(
        "{};to-tag={};from-tag=bob-tag",
        ringing.call_id().unwrap(),
        ringing.to().unwrap().tag().unwrap()
    );
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    ladder.expect_response(481, Method::Invite);
}

#[test]
fn a_call_that_rings_there_is_picked_up_by_another_device_of_the_callee() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob-desk");
    ladder.receive(&far.response(&invite, 180).build());
    let replaces = format!(
        "{};to-tag={};from-tag=bob-desk;early-only",
        invite.call_id().unwrap(),
        invite.from().unwrap().tag().unwrap()
    );
    let (_, taking) = successor("bob", &replaces);
    ladder.receive(&taking);
    let ok = ladder.expect_response(200, Method::Invite);
    let cancel = ladder.expect(Method::Cancel);
    ladder.respond(&cancel, 200);
    assert_eq!(ladder.state(CALL), CallState::Answering);
    ack(&mut ladder, &ok, &taking);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(ladder.info(CALL).answered_at, Some(ladder.now));
    // The desk telephone answers in the same moment: it is released.
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(ladder.media.open_sessions().len(), 1);
}

#[test]
fn media_that_fails_leaves_the_call_as_it_was() {
    for (kind, status) in [
        (MediaErrorKind::DescriptionRejected, 488),
        (MediaErrorKind::Failed, 500),
    ] {
        let (mut ladder, _, replaces) = in_call();
        let session = ladder.session();
        ladder.media.held_back = true;
        let (_, invite) = successor("bob", &replaces);
        ladder.receive(&invite);
        ladder.media_fails(kind);
        ladder.expect_response(status, Method::Invite);
        ladder.media.forgives = true;
        ladder.media_goes_on();
        assert_eq!(ladder.state(CALL), CallState::Active);
        assert_eq!(ladder.session(), session);
        ladder.expect_silence();
    }
}

#[test]
fn a_successor_that_is_taken_back_leaves_the_call_as_it_was() {
    let (mut ladder, _, replaces) = in_call();
    let session = ladder.session();
    ladder.media.held_back = true;
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    // The same INVITE along another path.
    let again = invite
        .edit()
        .set(HeaderName::Via, "SIP/2.0/WS edge.example.com;branch=z9hG4bKpath2")
        .build();
    ladder.receive(&again);
    ladder.expect_response(482, Method::Invite);
    // Another one does not jump the queue.
    let (_, other) = successor("alice", &replaces);
    ladder.receive(&another(&other, "other"));
    ladder.expect_response(491, Method::Invite);
    ladder.receive(&FarEnd::cancel(&invite).build());
    ladder.expect_response(200, Method::Cancel);
    ladder.expect_response(487, Method::Invite);
    ladder.media_goes_on();
    assert_eq!(ladder.session(), session);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

/// A call from bob, answered here, whose ACK is still under way: the answer, and Replaces for its dialog.
fn answered_without_ack() -> (Ladder, CallId, FarEnd, Message, String) {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    far.learn(&ok);
    let replaces = format!(
        "{};to-tag={};from-tag={}",
        ok.call_id().unwrap(),
        ok.to().unwrap().tag().unwrap(),
        ok.from().unwrap().tag().unwrap()
    );
    (ladder, call, far, ok, replaces)
}

#[test]
fn a_successor_waits_until_the_answer_before_is_acknowledged() {
    let (mut ladder, call, mut far, answer, replaces) = answered_without_ack();
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    // Whoever has answered must not send BYE before the ACK (RFC 3261 section 15).
    ladder.expect_silence();
    ladder.receive(&far.ack(&answer).build());
    let ok = ladder.expect_response(200, Method::Invite);
    assert_eq!(ok.call_id(), invite.call_id());
    let bye = ladder.expect(Method::Bye);
    assert_ne!(bye.call_id(), ok.call_id());
    ack(&mut ladder, &ok, &invite);
    assert_eq!(ladder.state(call), CallState::Active);
}

#[test]
fn a_successor_that_waits_for_the_ack_is_refused_when_the_user_hangs_up() {
    let (mut ladder, call, mut far, answer, replaces) = answered_without_ack();
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    ladder.hang_up(call);
    ladder.expect_response(603, Method::Invite);
    let (_, other) = successor("bob", &replaces);
    ladder.receive(&another(&other, "other"));
    ladder.expect_response(603, Method::Invite);
    ladder.receive(&far.ack(&answer).build());
    ladder.expect(Method::Bye);
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn a_call_that_ends_meanwhile_refuses_its_successor() {
    let (mut ladder, _, replaces) = in_call();
    ladder.media.held_back = true;
    let (_, invite) = successor("bob", &replaces);
    ladder.receive(&invite);
    ladder.hang_up(CALL);
    ladder.expect_response(603, Method::Invite);
    ladder.expect(Method::Bye);
    ladder.media_goes_on();
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn join_is_refused_where_it_is_required_and_ignored_where_not() {
    let (mut ladder, _, replaces) = in_call();
    let joining = |require: bool, id: &str| {
        let mut far = FarEnd::calling("carol", "sip:alice@alice.invalid");
        let edit = another(&far.invite(Direction::SendRecv), id)
            .edit()
            .append(HeaderName::Join, &replaces);
        if require {
            edit.append(HeaderName::Require, "join").build()
        } else {
            edit.build()
        }
    };
    ladder.receive(&joining(true, "one"));
    let refusal = ladder.expect_response(420, Method::Invite);
    assert_eq!(refusal.header(HeaderName::Unsupported), Some("join"));
    let both = joining(false, "two");
    ladder.receive(&both.edit().append(HeaderName::Replaces, &replaces).build());
    ladder.expect_response(400, Method::Invite);
    ladder.receive(&joining(false, "three"));
    ladder.expect_response(180, Method::Invite);
}

#[test]
fn this_agent_says_that_it_can() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert!(invite.lists_token(HeaderName::Supported, "replaces"));
}

// --- bringing a call back ------------------------------------------------------------------------------------

/// A call whose connection broke; the new one is registered, and the re-INVITE that refreshes the call is out.
fn reconnected() -> (Ladder, FarEnd, Message) {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob-tag"));
    (ladder, far, reinvite)
}

fn accepts(invite: &Message) -> Message {
    FarEnd::called(invite, "bob-new").accepts(invite, Direction::SendRecv)
}

#[test]
fn a_call_whose_route_is_dead_is_brought_back_along_another() {
    for status in [404, 408, 410, 430, 480, 481] {
        let (mut ladder, _, reinvite) = reconnected();
        let before = ladder.info(CALL).clone();
        ladder.respond(&reinvite, status);
        ladder.expect(Method::Ack);
        let invite = ladder.expect(Method::Invite);
        assert_eq!(
            invite.header(HeaderName::Route),
            None,
            "no route of the old dialog"
        );
        assert_eq!(invite.to().unwrap().tag(), None);
        assert_eq!(invite.request_uri_text(), reinvite.request_uri_text());
        assert!(invite.lists_token(HeaderName::Require, "replaces"));
        let replaces = format!(
            "{};to-tag=bob-tag;from-tag={}",
            reinvite.call_id().unwrap(),
            reinvite.from().unwrap().tag().unwrap()
        );
        assert_eq!(invite.header(HeaderName::Replaces), Some(replaces.as_str()));
        assert_eq!(ladder.state(CALL), CallState::Active);
        assert!(ladder.info(CALL).negotiating);

        ladder.receive(&accepts(&invite));
        ladder.expect(Method::Ack);
        ladder.expect_silence();
        let after = ladder.info(CALL);
        assert_eq!(
            (after.state, after.answered_at, after.negotiating),
            (CallState::Active, before.answered_at, false)
        );
        assert!(ladder.media.is_stable(ladder.session()));
        ladder.hang_up(CALL);
        let bye = ladder.expect(Method::Bye);
        assert_eq!(bye.call_id(), invite.call_id());
        assert_eq!(bye.to().unwrap().tag(), Some("bob-new"));
    }
}

#[test]
fn a_far_end_that_has_moved_is_looked_for_at_its_address_of_record() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let first = ladder.expect(Method::Invite);
    ladder.respond(&first, 404);
    ladder.expect(Method::Ack);
    let second = ladder.wait_for(Method::Invite);
    assert_eq!(second.request_uri_text(), Some("sip:bob@example.com"));
    assert_eq!(
        second.header(HeaderName::Replaces),
        first.header(HeaderName::Replaces)
    );
    assert_ne!(second.call_id(), first.call_id());
    ladder.receive(&accepts(&second));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(ladder.media.open_sessions().len(), 1);
}

#[test]
fn a_far_end_that_knows_the_call_no_more_ends_it() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 481);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 481);
    ladder.expect(Method::Ack);
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&bye, 481);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn tries_to_bring_a_call_back_are_few_and_end() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let mut tries = 0;
    let began = ladder.now;
    loop {
        if ladder.state(CALL) != CallState::Active {
            break;
        }
        let invite = ladder.wait_for(Method::Invite);
        tries += 1;
        ladder.respond(&invite, 503);
        ladder.expect(Method::Ack);
    }
    assert!((5..=12).contains(&tries), "{tries}");
    assert!(ladder.now - began < secs(61.0));
    ladder.expect(Method::Bye);
}

#[test]
fn a_far_end_that_comes_back_by_itself_is_not_asked_again() {
    let (mut ladder, mut far, reinvite) = reconnected();
    ladder.respond(&reinvite, 480);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    // Both at once: it has to wait.
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect_response(491, Method::Invite);
    ladder.respond(&invite, 480);
    ladder.expect(Method::Ack);
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    // This side's new address is told to it in the old dialog, which lives.
    let reinvite = ladder.wait_for(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob-tag"));
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.pass(90.0);
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert_eq!(ladder.media.open_sessions().len(), 1);
}

/// The far end's UPDATE shows that the old dialog lives, and brings no media: the offer that was lost is made again.
#[test]
fn what_was_to_be_negotiated_still_is_when_the_old_dialog_turns_out_to_live() {
    let (ladder, mut far) = Ladder::in_call_with_update();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), ladder.snapshot(), [9; 32], now, secs(3.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored.start();
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    restored.respond(&reinvite, 430);
    restored.expect(Method::Ack);
    let replacing = restored.expect(Method::Invite);
    restored.respond(&replacing, 480);
    restored.expect(Method::Ack);
    restored.receive(&far.request(Method::Update).build());
    restored.expect_response(200, Method::Update);
    let again = restored.expect(Method::Invite);
    assert_eq!(again.to().unwrap().tag(), Some("bob-tag"));
    assert!(!body(&again).is_empty());
    restored.receive(&far.accepts(&again, Direction::SendRecv));
    restored.expect(Method::Ack);
    restored.transport(MediaTransport::Connected);
    restored.pass(90.0);
    restored.expect_silence();
    assert_eq!(restored.media.open_sessions().len(), 1);
}

/// A hold was being described when the dialog turned out to be dead; then it turns out to live, and takes an offer.
#[test]
fn an_offer_that_was_being_made_is_taken_back() {
    let (mut ladder, mut far) = Ladder::in_call_with_update();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    let session = ladder.session();
    ladder.media.held_back = true;
    ladder.hold(CALL);
    ladder.respond(&update, 430);
    ladder.media_goes_on();
    let replacing = ladder.expect(Method::Invite);
    assert!(ladder.media.is_stable(session));
    ladder.respond(&replacing, 480);
    ladder.expect(Method::Ack);
    ladder.receive(&far.invite(Direction::SendRecv));
    ladder.expect(Method::Update);
    ladder.media_goes_on();
    ladder.expect_response(200, Method::Invite);
    assert!(ladder.media.is_stable(session));
}

#[test]
fn a_silent_platform_does_not_keep_a_call_for_ever() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    ladder.pass(100.0);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn the_far_ends_bye_in_the_old_dialog_may_overtake_its_answer() {
    let (mut ladder, mut far, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.receive(&accepts(&invite));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);

    // Where no answer follows, it had simply hung up.
    let (mut ladder, mut far, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    ladder.far_hangs_up(&mut far);
    ladder.respond(&invite, 481);
    ladder.expect(Method::Ack);
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
    ladder.expect_silence();
}

#[test]
fn hanging_up_while_a_call_is_brought_back_leaves_nothing() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    let hanging_up = ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&bye, 481);
    assert!(ladder.succeeded(hanging_up));
    assert_eq!(ladder.media.open_sessions(), []);
    // No CANCEL before the first provisional response (RFC 3261 section 9.1).
    ladder.respond(&invite, 100);
    let cancel = ladder.expect(Method::Cancel);
    ladder.respond(&cancel, 200);
    // It was answered all the same.
    ladder.receive(&accepts(&invite));
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
}

/// RFC 3261 section 9.1: a far end that answers the CANCEL but not the INVITE is not waited for longer than 64*T1.
#[test]
fn a_cancelled_invite_that_is_never_answered_is_given_up() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.respond(&bye, 481);
    ladder.respond(&invite, 100);
    let cancel = ladder.expect(Method::Cancel);
    ladder.respond(&cancel, 200);
    ladder.pass(33.0);
    assert_eq!(ladder.agent.census().transactions, 0);
}

#[test]
fn a_connection_that_breaks_again_starts_anew() {
    let (mut ladder, far, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    ladder.expect(Method::Invite);
    ladder.lose_connection();
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(reinvite.to().unwrap().tag(), Some("bob-tag"));
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.media.open_sessions().len(), 1);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_connection_that_breaks_while_the_offer_is_made_leaves_no_microphone_open() {
    let (mut ladder, _, reinvite) = reconnected();
    let session = ladder.session();
    ladder.media.held_back = true;
    ladder.respond(&reinvite, 430);
    ladder.lose_connection();
    ladder.media_goes_on();
    assert_eq!(ladder.media.open_sessions(), [session]);
}

#[test]
fn a_call_of_a_restarted_agent_is_brought_back_too() {
    let (ladder, _) = Ladder::in_outgoing_call();
    let snapshot = ladder.snapshot();
    let now = Instant::from_secs(50_000);
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(3.0));
    let mut restored = Ladder::of(agent, now);
    restored.drain();
    restored.start();
    restored.connect();
    restored.register();
    let reinvite = restored.expect(Method::Invite);
    restored.respond(&reinvite, 481);
    restored.expect(Method::Ack);
    let invite = restored.expect(Method::Invite);
    assert!(invite.header(HeaderName::Replaces).is_some());
    restored.receive(&accepts(&invite));
    restored.expect(Method::Ack);
    assert_eq!(restored.state(CALL), CallState::Active);
}

#[test]
fn when_both_ends_bring_the_call_back_at_once_the_one_who_made_it_goes_on() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let ours = ladder.expect(Method::Invite);
    let (_, theirs) = successor("bob", &naming(&reinvite));
    ladder.receive(&theirs);
    ladder.expect_response(491, Method::Invite);
    ladder.receive(&accepts(&ours));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);

    // Seen from the callee.
    let mut ladder = Ladder::registered();
    let (call, _) = ladder.take_call("bob");
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    ladder.expect(Method::Invite);
    let (_, theirs) = successor("bob", &naming(&reinvite));
    ladder.receive(&theirs);
    ladder.expect_response(200, Method::Invite);
    ladder.expect(Method::Bye);
    assert_eq!(ladder.state(call), CallState::Active);
    assert_eq!(ladder.media.open_sessions().len(), 1);
}

#[test]
fn a_challenge_to_the_replacing_invite_is_answered() {
    let (mut ladder, _, reinvite) = reconnected();
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "proxy");
    let challenge = far
        .response(&invite, 407)
        .header(
            HeaderName::ProxyAuthenticate,
            "Digest realm=\"example.com\", nonce=\"n1\", qop=\"auth\"",
        )
        .build();
    ladder.receive(&challenge);
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    assert!(again.header(HeaderName::ProxyAuthorization).is_some());
    ladder.receive(&accepts(&again));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

/// The far end may have accepted the hold that was on its way when the dialog seemed dead. Its user has resumed since.
#[test]
fn what_was_offered_before_is_settled_when_the_old_dialog_lives() {
    let (mut ladder, far) = Ladder::in_call_with_update();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    ladder.hold(CALL);
    ladder.expect(Method::Invite);
    ladder.respond(&update, 404);
    let replacing = ladder.expect(Method::Invite);
    assert_eq!(replacing.to().unwrap().tag(), None);
    ladder.resume(CALL);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(direction_of(body(&reinvite)), Direction::SendRecv);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert!(!ladder.info(CALL).local_hold);
}

#[test]
fn a_call_on_hold_is_brought_back_on_hold() {
    let (mut ladder, far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    ladder.respond(&reinvite, 404);
    ladder.expect(Method::Ack);
    ladder.media.take_log();
    let invite = ladder.expect(Method::Invite);
    assert_eq!(direction_of(body(&invite)), Direction::SendOnly);
    ladder.receive(&FarEnd::called(&invite, "bob-new").accepts(&invite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.info(CALL).local_hold);
    assert!(!ladder.info(CALL).remote_hold);
    let closes = ladder.media.take_log();
    assert!(matches!(
        closes[..],
        [.., MediaAction::Close, MediaAction::ApplyAnswer { .. }]
    ));
}
