//! UPDATE (RFC 3311), and what stays of a refused change (RFC 6141).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{CallState, Direction, EndCause, MediaErrorKind};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, secs};
use crate::media::{direction_of, sdp};

const NEW_ADDRESS: &str = "sip:bob@new.invalid";

fn update(far: &mut FarEnd) -> Message {
    far.request(Method::Update).build()
}

fn offering_update(far: &mut FarEnd, direction: Direction) -> Message {
    far.request(Method::Update)
        .body("application/sdp", sdp(direction).as_bytes())
        .build()
}

fn moved(message: &Message) -> Message {
    let contact = format!("<{NEW_ADDRESS}>");
    message.edit().set(HeaderName::Contact, contact).build()
}

fn direction_in(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

fn address_of_bye(ladder: &mut Ladder) -> String {
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    bye.request_uri_text().unwrap().to_owned()
}

fn expect_put_off(ladder: &mut Ladder, method: Method<'_>) {
    let refusal = ladder.expect_response(500, method);
    assert!(refusal.retry_after().unwrap() <= 10);
}

/// A call whose connection was lost and is back: the agent's UPDATE.
fn refreshing() -> (Ladder, FarEnd, Message) {
    let (mut ladder, far) = Ladder::in_call_with_update();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let update = ladder.expect(Method::Update);
    ladder.forget();
    (ladder, far, update)
}

// --- the far end's ---------------------------------------------------------------------------------------------

#[test]
fn update_is_advertised() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.invite(Direction::SendRecv));
    let ok = ladder.expect_response(200, Method::Invite);
    assert!(ok.lists_token(HeaderName::Allow, "UPDATE"));
}

#[test]
fn an_update_without_offer_moves_the_far_end() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&moved(&update(&mut far)));
    let ok = ladder.expect_response(200, Method::Update);
    assert!(ok.header(HeaderName::Contact).is_some());
    assert!(ok.lists_token(HeaderName::Allow, "UPDATE"));
    assert!(ok.body().is_empty());
    assert_eq!(ladder.media.take_log(), []);
    assert_eq!(address_of_bye(&mut ladder), NEW_ADDRESS);
}

#[test]
fn an_update_with_an_offer_is_answered_and_needs_no_ack() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&moved(&offering_update(&mut far, Direction::SendOnly)));
    let ok = ladder.expect_response(200, Method::Update);
    assert_eq!(direction_in(&ok), Direction::RecvOnly);
    assert!(ladder.info(CALL).remote_hold && !ladder.info(CALL).negotiating);
    ladder.pass(64.0);
    ladder.expect_silence();
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    ladder.expect_response(200, Method::Update);
    assert!(!ladder.info(CALL).remote_hold);
    assert_eq!(
        address_of_bye(&mut ladder),
        "sip:device@bob-tag.invalid;transport=ws"
    );
}

#[test]
fn an_update_cannot_make_a_holding_side_heard() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    let ok = ladder.expect_response(200, Method::Update);
    assert_eq!(direction_in(&ok), Direction::SendOnly);
    assert!(ladder.info(CALL).local_hold);
}

#[test]
fn an_offer_that_meets_ours_is_glare_and_a_mere_refresh_is_not() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&offering_update(&mut far, Direction::SendOnly));
    ladder.expect_response(491, Method::Update);
    ladder.receive(&moved(&update(&mut far)));
    ladder.expect_response(200, Method::Update);
    // RFC 6141 section 4: the refused re-INVITE takes nothing back of the address told meanwhile.
    ladder.receive(&far.response(&reinvite, 488).build());
    let ack = ladder.expect(Method::Ack);
    assert_ne!(ack.request_uri_text(), Some(NEW_ADDRESS), "that of its INVITE");
    assert!(ladder.failure(hold).is_some());
    assert!(ladder.media.is_stable(ladder.session()));
    assert_eq!(address_of_bye(&mut ladder), NEW_ADDRESS);
}

#[test]
fn an_update_behind_an_unanswered_offer_is_put_off() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&far.invite(Direction::SendOnly));
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    expect_put_off(&mut ladder, Method::Update);
    ladder.media_goes_on();
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert!(ladder.info(CALL).remote_hold);
}

#[test]
fn an_update_behind_an_open_one_is_put_off_whatever_it_holds() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&offering_update(&mut far, Direction::SendOnly));
    ladder.receive(&update(&mut far));
    expect_put_off(&mut ladder, Method::Update);
    ladder.receive(&far.invite(Direction::SendRecv));
    expect_put_off(&mut ladder, Method::Invite);
    ladder.media_goes_on();
    ladder.expect_response(200, Method::Update);
    assert!(ladder.info(CALL).remote_hold);
}

#[test]
fn an_offer_before_the_answer_in_the_ack_is_glare() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.request(Method::Invite).build());
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&offering_update(&mut far, Direction::SendOnly));
    ladder.expect_response(491, Method::Update);
    let ack = far.ack(&ok);
    let ack = ack.body("application/sdp", sdp(Direction::SendRecv).as_bytes());
    ladder.receive(&ack.build());
    assert!(!ladder.info(CALL).remote_hold);
}

#[test]
fn a_refused_change_leaves_address_and_media_as_they_were() {
    for method in [Method::Invite, Method::Update] {
        let (mut ladder, mut far) = Ladder::in_outgoing_call();
        ladder.media.held_back = true;
        let request = far.request(method);
        let request = request.body("application/sdp", sdp(Direction::SendOnly).as_bytes());
        ladder.receive(&moved(&request.build()));
        ladder.media_fails(MediaErrorKind::DescriptionRejected);
        ladder.expect_response(488, method);
        assert!(!ladder.info(CALL).remote_hold && !ladder.info(CALL).negotiating);
        assert_eq!(ladder.state(CALL), CallState::Active);
        assert_ne!(address_of_bye(&mut ladder), NEW_ADDRESS, "{method}");
    }
}

#[test]
fn an_update_with_another_kind_of_body_is_refused() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let odd = far.request(Method::Update).body("application/isup", b"\x01");
    ladder.receive(&odd.build());
    ladder.expect_response(415, Method::Update);
}

#[test]
fn an_update_outside_any_dialog_finds_nothing() {
    let mut ladder = Ladder::registered();
    let mut far = FarEnd::calling("bob", "sip:alice@alice.invalid");
    ladder.receive(&update(&mut far));
    ladder.expect_response(481, Method::Update);
}

#[test]
fn a_bye_answers_the_update_that_is_still_open() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.media.held_back = true;
    ladder.receive(&offering_update(&mut far, Direction::SendOnly));
    ladder.receive(&far.request(Method::Bye).build());
    ladder.expect_response(200, Method::Bye);
    ladder.expect_response(487, Method::Update);
    ladder.media_goes_on();
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::RemoteHangUp);
}

#[test]
fn an_update_to_a_call_that_waits_for_its_ack_to_hang_up() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.answer(call);
    ladder.expect_response(200, Method::Invite);
    ladder.hang_up(call);
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    ladder.expect_response(481, Method::Update);
}

// --- early dialogs ---------------------------------------------------------------------------------------------

#[test]
fn the_called_may_move_before_it_answers() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let mut far = FarEnd::called(&invite, "bob");
    ladder.receive(&far.response(&invite, 180).build());
    ladder.receive(&update(&mut far));
    ladder.expect_response(200, Method::Update);
    // Our offer has not been answered: theirs would be glare.
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    ladder.expect_response(491, Method::Update);
    // Requests of an early dialog are in order, too.
    ladder.receive(&far.numbered(Method::Update, 101).build());
    ladder.expect_response(500, Method::Update);
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn the_caller_may_move_and_change_before_the_answer() {
    let mut ladder = Ladder::registered();
    let (call, mut far, _) = ladder.ring("bob");
    ladder.receive(&offering_update(&mut far, Direction::SendRecv));
    expect_put_off(&mut ladder, Method::Update);
    let transferred = moved(&update(&mut far))
        .edit()
        .set(HeaderName::From, "\"Carol\" <sip:carol@example.com>;tag=bob-tag");
    ladder.receive(&transferred.build());
    ladder.expect_response(200, Method::Update);
    assert_eq!(ladder.info(call).remote.display_name, "Carol");
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(bye.request_uri_text(), Some(NEW_ADDRESS));
    assert_eq!(
        bye.to().unwrap().uri.as_str(),
        "sip:carol@example.com",
        "RFC 4916"
    );
}

// --- ours ------------------------------------------------------------------------------------------------------

#[test]
fn a_mere_refresh_goes_by_update_where_the_far_end_takes_it() {
    let (mut ladder, far, update) = refreshing();
    assert!(update.body().is_empty());
    assert!(update.header(HeaderName::Contact).is_some());
    assert!(!ladder.info(CALL).negotiating, "nothing a user would see");
    ladder.receive(&moved(&far.response(&update, 200).build()));
    ladder.expect_silence();
    assert_eq!(ladder.media.take_log(), []);
    assert_eq!(address_of_bye(&mut ladder), NEW_ADDRESS);
}

#[test]
fn a_hold_need_not_wait_for_a_refresh() {
    let (mut ladder, far, update) = refreshing();
    let hold = ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&far.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    assert!(ladder.succeeded(hold));
    ladder.receive(&far.response(&update, 200).build());
    ladder.expect_silence();
}

#[test]
fn a_refused_refresh_leaves_the_call_as_it_is() {
    for status in [403, 488, 500, 603] {
        let (mut ladder, far, update) = refreshing();
        ladder.receive(&far.response(&update, status).build());
        ladder.pass(60.0);
        ladder.expect_silence();
        assert_eq!(ladder.state(CALL), CallState::Active, "{status}");
    }
}

#[test]
fn a_refresh_of_a_dialog_the_far_end_has_forgotten_ends_the_call() {
    for status in [408, 481] {
        let (mut ladder, far, update) = refreshing();
        ladder.receive(&far.response(&update, status).build());
        // It may have been the route that was lost (RFC 3891); that is tried before.
        let invite = ladder.expect(Method::Invite);
        ladder.respond(&invite, 481);
        ladder.expect(Method::Ack);
        let bye = ladder.expect(Method::Bye);
        ladder.receive(&far.response(&bye, 481).build());
        assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    }
    let (mut ladder, _, _) = refreshing();
    ladder.pass(32.0);
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 481);
    ladder.expect(Method::Ack);
    ladder.expect(Method::Bye);
    assert_eq!(
        ladder.state(CALL),
        CallState::Ending,
        "no answer at all says the same"
    );
}

#[test]
fn a_far_end_that_lists_update_and_refuses_it_gets_a_reinvite() {
    for status in [405, 501] {
        let (mut ladder, far, update) = refreshing();
        ladder.receive(&far.response(&update, status).build());
        let reinvite = ladder.expect(Method::Invite);
        ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
        ladder.expect(Method::Ack);
        ladder.expect_silence();
    }
}

#[test]
fn a_refresh_that_meets_glare_is_sent_again() {
    let (mut ladder, far, update) = refreshing();
    let met_at = ladder.now;
    ladder.receive(&far.response(&update, 491).build());
    ladder.expect_silence();
    ladder.wait_for(Method::Update);
    let pause = ladder.now - met_at;
    assert!(pause >= secs(2.1) && pause <= secs(4.0), "{pause:?}");
}

#[test]
fn a_refresh_that_is_lost_with_its_connection_is_sent_again() {
    let (mut ladder, far, first) = refreshing();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let second = ladder.expect(Method::Update);
    assert_ne!(first.cseq().unwrap().number, second.cseq().unwrap().number);
    ladder.receive(&far.response(&second, 200).build());
    ladder.expect_silence();
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_challenged_refresh_is_sent_again_with_a_number_of_its_own() {
    let (mut ladder, far, update) = refreshing();
    let challenge = DigestChallenge::new("example.com", "n1", Algorithm::Md5);
    let refusal = ResponseBuilder::for_request(&update, 407).header(HeaderName::ProxyAuthenticate, challenge);
    ladder.receive(&refusal.build());
    let again = ladder.expect(Method::Update);
    assert!(again.header(HeaderName::ProxyAuthorization).is_some());
    assert_eq!(
        again.cseq().unwrap().number,
        update.cseq().unwrap().number + 1,
        "no number twice"
    );
    ladder.receive(&far.response(&again, 200).build());
    ladder.pass(60.0);
    ladder.expect_silence();
}

#[test]
fn what_may_have_been_accepted_unheard_is_offered_anew_not_merely_refreshed() {
    let (mut ladder, far) = Ladder::in_call_with_update();
    let hold = ladder.hold(CALL);
    ladder.expect(Method::Invite);
    ladder.lose_connection();
    assert!(ladder.failure(hold).is_some());
    ladder.reconnect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert_eq!(direction_in(&reinvite), Direction::SendRecv);
    ladder.receive(&far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
}
