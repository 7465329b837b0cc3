//! Calls move into a conference of the platform (RFC 4579). Whatever fails on the way, the user speaks with the same people
//! as before, or all are together by other means.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ReferTo, UriBuf};
use clearline_core::{
    CallId, CallOptions, CallState, CommandError, Config, Direction, EndCause, MediaErrorKind,
    OperationError, OperationId, UserAgent,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::media::direction_of;

/// The call with Carol, and a third one.
const SECOND: CallId = CallId(0xca12);
const THIRD: CallId = CallId(0xca13);

pub(crate) const CONFERENCE: &str = "sip:conf-7@example.com";

pub(crate) fn with_factory() -> Config {
    let mut config = config();
    config.conference_factory = UriBuf::parse("sip:conference@example.com").ok();
    config
}

/// A call with Bob that is held, one with Carol, and the focus, once it is called.
struct Hall {
    ladder: Ladder,
    bob: FarEnd,
    carol: FarEnd,
    merge: OperationId,
    focus: CallId,
}

/// Both are about to be merged: the factory is being called.
fn calling() -> (Hall, Message) {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    let bob = ladder.make_call(CALL, "bob");
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive(&bob.accepts(&reinvite, Direction::RecvOnly));
    ladder.expect(Method::Ack);
    let carol = ladder.make_call(SECOND, "carol");
    ladder.forget();
    let merge = merge(&mut ladder, CALL, SECOND);
    let focus = ladder.newest_call();
    let invite = ladder.expect(Method::Invite);
    let hall = Hall {
        ladder,
        bob,
        carol,
        merge,
        focus,
    };
    (hall, invite)
}

fn merge(ladder: &mut Ladder, one: CallId, other: CallId) -> OperationId {
    let operation = ladder.agent.merge(ladder.now, one, other).unwrap();
    ladder.accepted(operation);
    ladder.drain();
    operation
}

/// The focus that answers `invite`.
pub(crate) fn focus_of(invite: &Message) -> FarEnd {
    let mut focus = FarEnd::called(invite, "focus-tag");
    focus.features = ";isfocus";
    focus.uri = Some(CONFERENCE);
    focus
}

/// The focus has answered and is asked to fetch both, in this order.
fn moving() -> (Hall, FarEnd, [Message; 2]) {
    let (mut hall, invite) = calling();
    let focus = focus_of(&invite);
    hall.ladder.receive(&focus.accepts(&invite, Direction::SendRecv));
    hall.ladder.expect_for(&focus, Method::Ack);
    let refers = [(); 2].map(|()| hall.ladder.expect_for(&focus, Method::Refer));
    hall.ladder.expect(Method::Subscribe);
    hall.ladder.expect_silence();
    (hall, focus, refers)
}

/// What the focus says of a request.
fn tell(ladder: &mut Ladder, focus: &mut FarEnd, refer: &Message, status: &str) {
    let is_final = !status.starts_with('1');
    let state = if is_final {
        "terminated;reason=noresource"
    } else {
        "active;expires=60"
    };
    let notify = focus
        .request(Method::Notify)
        .header(
            HeaderName::Event,
            format_args!("refer;id={}", refer.cseq().unwrap().number),
        )
        .header(HeaderName::SubscriptionState, state)
        .body(
            "message/sipfrag;version=2.0",
            format!("SIP/2.0 {status}\r\n").as_bytes(),
        )
        .build();
    ladder.receive(&notify);
    ladder.expect_response(200, Method::Notify);
}

fn accept(ladder: &mut Ladder, focus: &FarEnd, refer: &Message) {
    ladder.receive(&focus.response(refer, 202).build());
}

/// `far` has let its call be replaced by the focus: it hangs up, and the focus says so.
fn moves(hall: &mut Hall, far: fn(&mut Hall) -> &mut FarEnd, focus: &mut FarEnd, refer: &Message) {
    accept(&mut hall.ladder, focus, refer);
    let bye = far(hall).request(Method::Bye).build();
    hall.ladder.receive(&bye);
    hall.ladder.expect_response(200, Method::Bye);
    tell(&mut hall.ladder, focus, refer, "200 OK");
}

fn refused(hall: &mut Hall, focus: &mut FarEnd, refer: &Message) {
    accept(&mut hall.ladder, focus, refer);
    tell(&mut hall.ladder, focus, refer, "100 Trying");
    tell(&mut hall.ladder, focus, refer, "481 No such call");
}

#[track_caller]
fn offers(ladder: &mut Ladder, far: &FarEnd, answer: Direction) {
    let reinvite = ladder.expect_for(far, Method::Invite);
    ladder.receive(&far.accepts(&reinvite, answer));
    ladder.expect_for(far, Method::Ack);
}

fn refer_to(refer: &Message) -> ReferTo {
    ReferTo::parse(refer.header(HeaderName::ReferTo).unwrap()).unwrap()
}

impl Hall {
    fn bob(&mut self) -> &mut FarEnd {
        &mut self.bob
    }

    fn carol(&mut self) -> &mut FarEnd {
        &mut self.carol
    }

    /// Where the operation began: Bob is held, Carol talks, nobody is mixed.
    #[track_caller]
    fn assert_as_before(&self) {
        assert!(self.ladder.info(CALL).local_hold);
        assert!(!self.ladder.info(SECOND).local_hold);
        assert_eq!(self.ladder.state(CALL), CallState::Active);
        assert_eq!(self.ladder.state(SECOND), CallState::Active);
        assert_eq!(self.ladder.media.mixed(), []);
        assert!(self.ladder.unfinished().is_empty());
    }

    /// Both are mixed on this device, and nothing else is left.
    #[track_caller]
    fn assert_mixed_here(&mut self) {
        offers(&mut self.ladder, &self.bob, Direction::SendRecv);
        assert!(self.ladder.succeeded(self.merge));
        assert_eq!(self.ladder.media.mixed().len(), 2);
        assert_eq!(
            self.ladder.info(CALL).conference,
            self.ladder.info(SECOND).conference
        );
        assert!(self.ladder.info(CALL).conference.is_some());
        assert_eq!(self.ladder.media.open_sessions().len(), 2);
    }
}

// --- moving in -------------------------------------------------------------------------------------------------------

#[test]
fn both_parties_move_and_one_call_is_left() {
    let (mut hall, invite) = calling();
    assert_eq!(
        invite.request_uri().unwrap().as_str(),
        "sip:conference@example.com"
    );
    assert_eq!(
        hall.ladder.info(hall.focus).succeeds,
        Some(SECOND),
        "where the user talks"
    );
    let mut focus = focus_of(&invite);
    hall.ladder.receive(&focus.accepts(&invite, Direction::SendRecv));
    hall.ladder.expect_for(&focus, Method::Ack);
    let [first, second] = [(); 2].map(|()| hall.ladder.expect_for(&focus, Method::Refer));
    for (refer, who) in [(&first, "bob"), (&second, "carol")] {
        let refer_to = refer_to(refer);
        assert_eq!(refer_to.target.as_str(), format!("sip:{who}@example.com"));
        assert!(
            refer_to.replaces.unwrap().contains(&format!("to-tag={who}-tag")),
            "its own dialog"
        );
        assert_eq!(refer.request_uri().unwrap().as_str(), CONFERENCE);
    }
    let subscribe = hall.ladder.expect(Method::Subscribe);
    assert_eq!(subscribe.request_uri().unwrap().as_str(), CONFERENCE);
    assert_eq!(subscribe.header(HeaderName::Event), Some("conference"));
    hall.ladder.expect_silence();

    moves(&mut hall, Hall::bob, &mut focus, &first);
    assert_eq!(hall.ladder.outcome(hall.merge), None);
    moves(&mut hall, Hall::carol, &mut focus, &second);
    assert!(hall.ladder.succeeded(hall.merge));
    for call in [CALL, SECOND] {
        assert_eq!(hall.ladder.cause(call), EndCause::MovedToConference);
    }
    let info = hall.ladder.info(hall.focus);
    assert!(info.focus && !info.transferable && info.state == CallState::Active);
    assert_eq!(info.conference, None, "nothing is mixed here");
    assert_eq!(hall.ladder.media.open_sessions().len(), 1);
    hall.ladder.expect_silence();
}

#[test]
fn a_party_that_does_not_hang_up_by_itself_is_left() {
    let (mut hall, mut focus, refers) = moving();
    for (refer, call) in refers.iter().zip([CALL, SECOND]) {
        accept(&mut hall.ladder, &focus, refer);
        tell(&mut hall.ladder, &mut focus, refer, "200 OK");
        let bye = hall.ladder.expect(Method::Bye);
        hall.ladder.respond(&bye, 200);
        assert_eq!(hall.ladder.cause(call), EndCause::MovedToConference);
    }
    assert!(hall.ladder.succeeded(hall.merge));
}

#[test]
fn what_is_said_again_of_one_party_is_not_taken_for_the_other() {
    let (mut hall, mut focus, [first, second]) = moving();
    accept(&mut hall.ladder, &focus, &second);
    moves(&mut hall, Hall::bob, &mut focus, &first);
    // Once more, and without an id as only the first REFER of a dialog may (RFC 3515 section 2.4.6).
    let again = focus
        .request(Method::Notify)
        .header(HeaderName::Event, "refer")
        .header(HeaderName::SubscriptionState, "terminated;reason=noresource")
        .body("message/sipfrag;version=2.0", b"SIP/2.0 200 OK\r\n")
        .build();
    hall.ladder.receive(&again);
    hall.ladder.expect_response(481, Method::Notify);
    hall.ladder.expect_silence();
    assert_eq!(
        hall.ladder.state(SECOND),
        CallState::Active,
        "Carol is still here"
    );
    moves(&mut hall, Hall::carol, &mut focus, &second);
    assert!(hall.ladder.succeeded(hall.merge));
}

#[test]
fn a_conference_that_is_put_on_hold_while_they_move_stays_on_hold() {
    let (mut hall, mut focus, [first, second]) = moving();
    let hold = hall.ladder.hold(hall.focus);
    offers(&mut hall.ladder, &focus, Direction::Inactive);
    assert!(hall.ladder.succeeded(hold));
    moves(&mut hall, Hall::bob, &mut focus, &first);
    moves(&mut hall, Hall::carol, &mut focus, &second);
    assert!(hall.ladder.succeeded(hall.merge));
    assert!(hall.ladder.info(hall.focus).local_hold);
    hall.ladder.expect_silence();
}

#[test]
fn a_muted_user_stays_muted() {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    ladder.make_call(CALL, "bob");
    ladder.make_call(SECOND, "carol");
    ladder.command(CALL, |call| call.set_muted(true)).unwrap();
    merge(&mut ladder, CALL, SECOND);
    assert!(ladder.info(ladder.newest_call()).muted);
}

/// In the conference, which is held, and in a call with Dave.
fn with_a_third() -> (Hall, FarEnd, FarEnd, Message) {
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::bob, &mut focus, &first);
    moves(&mut hall, Hall::carol, &mut focus, &second);
    hall.ladder.hold(hall.focus);
    // Nobody in the conference is to hear the music of one who holds.
    let reinvite = hall.ladder.expect_for(&focus, Method::Invite);
    assert_eq!(
        direction_of(std::str::from_utf8(reinvite.body()).unwrap()),
        Direction::Inactive
    );
    hall.ladder
        .receive(&focus.accepts(&reinvite, Direction::Inactive));
    hall.ladder.expect_for(&focus, Method::Ack);
    assert!(hall.ladder.info(hall.focus).local_hold && !hall.ladder.info(hall.focus).remote_hold);
    let dave = hall.ladder.make_call(THIRD, "dave");
    hall.merge = merge(&mut hall.ladder, THIRD, hall.focus);
    let refer = hall.ladder.expect_for(&focus, Method::Refer);
    hall.ladder.expect_silence();
    (hall, focus, dave, refer)
}

#[test]
fn a_third_call_moves_and_then_the_user_comes_back_to_all() {
    let (mut hall, mut focus, mut dave, refer) = with_a_third();
    accept(&mut hall.ladder, &focus, &refer);
    hall.ladder.far_hangs_up(&mut dave);
    assert_eq!(hall.ladder.cause(THIRD), EndCause::MovedToConference);
    tell(&mut hall.ladder, &mut focus, &refer, "200 OK");
    offers(&mut hall.ladder, &focus, Direction::SendRecv);
    assert!(hall.ladder.succeeded(hall.merge));
    assert!(!hall.ladder.info(hall.focus).local_hold);
}

#[test]
fn a_third_call_that_cannot_move_is_mixed_with_the_conference() {
    let (mut hall, mut focus, _dave, refer) = with_a_third();
    refused(&mut hall, &mut focus, &refer);
    offers(&mut hall.ladder, &focus, Direction::SendRecv);
    assert!(hall.ladder.succeeded(hall.merge));
    assert_eq!(hall.ladder.media.mixed().len(), 2);
    assert!(hall.ladder.info(THIRD).conference.is_some());
}

#[test]
fn a_third_party_that_hangs_up_meanwhile_leaves_the_conference_held() {
    let (mut hall, mut focus, mut dave, refer) = with_a_third();
    accept(&mut hall.ladder, &focus, &refer);
    hall.ladder.far_hangs_up(&mut dave);
    tell(&mut hall.ladder, &mut focus, &refer, "481 Gone");
    assert_eq!(hall.ladder.failure(hall.merge), Some(OperationError::CallEnded));
    assert!(hall.ladder.info(hall.focus).local_hold);
    hall.ladder.expect_silence();
}

#[test]
fn who_withholds_a_name_is_shown_to_nobody() {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    let mut options = CallOptions::default();
    options.anonymous = true;
    ladder.dial_with(CALL, "bob", options).unwrap();
    let invite = ladder.expect(Method::Invite);
    let bob = FarEnd::called(&invite, "bob-tag");
    ladder.receive(&bob.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.make_call(SECOND, "carol");
    let operation = merge(&mut ladder, CALL, SECOND);
    assert!(ladder.succeeded(operation), "mixed here");
    ladder.expect_silence();
}

#[test]
fn a_focus_of_somebody_else_is_told_no_dialog() {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    ladder.dial(CALL, "sip:room@elsewhere.example");
    let invite = ladder.expect(Method::Invite);
    let mut stranger = focus_of(&invite);
    stranger.uri = Some("sip:room-1@elsewhere.example");
    ladder.receive(&stranger.accepts(&invite, Direction::SendRecv));
    ladder.forget();
    ladder.make_call(SECOND, "carol");
    ladder.forget();
    merge(&mut ladder, CALL, SECOND);
    let sent = ladder.take_sent();
    assert!(sent.iter().all(|(_, message)| message.method() != Method::Refer));
}

#[test]
fn a_colleague_who_only_says_to_be_a_focus_is_told_no_dialog() {
    // Called, and calling: `focus_of` has the domain's own address and `isfocus`.
    let called = |ladder: &mut Ladder| {
        ladder.dial(CALL, "mallory");
        let invite = ladder.expect(Method::Invite);
        ladder.receive(&focus_of(&invite).accepts(&invite, Direction::SendRecv));
        CALL
    };
    let calling = |ladder: &mut Ladder| {
        let mut mallory = FarEnd::calling("mallory", CONFERENCE);
        mallory.features = ";isfocus";
        let invite = mallory.invite(Direction::SendRecv);
        ladder.receive(&invite);
        ladder.forget();
        let call = ladder.newest_call();
        ladder.answer(call);
        let ok = ladder.expect_response(200, Method::Invite);
        ladder.receive(&mallory.ack(&ok).build());
        call
    };
    for meet in [&called as &dyn Fn(&mut Ladder) -> CallId, &calling] {
        let mut ladder = Ladder::connected_with(with_factory());
        ladder.register();
        let mallory = meet(&mut ladder);
        assert!(ladder.info(mallory).focus);
        ladder.forget();
        ladder.make_call(SECOND, "carol");
        ladder.forget();
        merge(&mut ladder, mallory, SECOND);
        let sent = ladder.take_sent();
        assert!(sent.iter().all(|(_, message)| message.method() != Method::Refer));
    }
}

// --- what fails ------------------------------------------------------------------------------------------------------

#[test]
fn a_platform_that_refuses_is_done_without() {
    for status in [403, 404, 480, 486, 500, 503, 603] {
        let (mut hall, invite) = calling();
        let focus = focus_of(&invite);
        hall.ladder.receive(&focus.response(&invite, status).build());
        hall.ladder.expect(Method::Ack);
        hall.assert_mixed_here();
        let info = hall.ladder.info(hall.focus);
        assert!(info.focus && info.answered_at.is_none() && info.state == CallState::Ended);
    }
}

#[test]
fn a_factory_that_says_nothing_is_done_without() {
    let (mut hall, _invite) = calling();
    hall.ladder.pass(11.0);
    let sent = hall.ladder.take_sent();
    let reinvite = sent
        .into_iter()
        .map(|(_, message)| message)
        .find(|message| hall.bob.is_asked_in(message));
    let reinvite = reinvite.expect("bob is retrieved");
    hall.ladder
        .receive(&hall.bob.accepts(&reinvite, Direction::SendRecv));
    assert!(hall.ladder.succeeded(hall.merge));
    assert_eq!(hall.ladder.media.mixed().len(), 2);
}

#[test]
fn who_answers_and_is_no_focus_is_left() {
    let (mut hall, invite) = calling();
    let mut nobody = focus_of(&invite);
    nobody.features = "";
    hall.ladder.receive(&nobody.accepts(&invite, Direction::SendRecv));
    hall.ladder.expect_for(&nobody, Method::Ack);
    let bye = hall.ladder.expect_for(&nobody, Method::Bye);
    hall.ladder.receive(&nobody.response(&bye, 200).build());
    hall.assert_mixed_here();
}

#[test]
fn a_focus_that_is_given_up_leaves_nobody_behind() {
    // By the user, who wants no conference any more.
    let (mut hall, invite) = calling();
    hall.ladder
        .receive(&focus_of(&invite).response(&invite, 180).build());
    hall.ladder.hang_up(hall.focus);
    let cancel = hall.ladder.expect(Method::Cancel);
    hall.ladder.respond(&cancel, 200);
    hall.ladder
        .receive(&focus_of(&invite).response(&invite, 487).build());
    assert_eq!(hall.ladder.failure(hall.merge), Some(OperationError::Superseded));
    hall.assert_as_before();
}

#[test]
fn a_party_that_hangs_up_before_the_focus_answers_ends_it() {
    let (mut hall, invite) = calling();
    hall.ladder
        .receive(&focus_of(&invite).response(&invite, 180).build());
    let bye = hall.bob.request(Method::Bye).build();
    hall.ladder.receive(&bye);
    hall.ladder.expect_response(200, Method::Bye);
    hall.ladder.expect(Method::Cancel);
    assert_eq!(hall.ladder.failure(hall.merge), Some(OperationError::CallEnded));
    assert_eq!(hall.ladder.cause(CALL), EndCause::RemoteHangUp);
    assert!(!hall.ladder.info(SECOND).local_hold);
}

#[test]
fn a_focus_that_fetches_nobody_is_left() {
    // Refused at once, later, without a word, or not answered.
    for how in 0..4 {
        let (mut hall, mut focus, refers) = moving();
        for refer in &refers {
            match how {
                0 => hall.ladder.receive(&focus.response(refer, 405).build()),
                1 => refused(&mut hall, &mut focus, refer),
                2 => accept(&mut hall.ladder, &focus, refer),
                _ => {}
            }
        }
        if how >= 2 {
            hall.ladder.pass(11.0);
        }
        let sent = hall.ladder.take_sent();
        let to = |far: &FarEnd, method| {
            let mut messages = sent.iter().map(|(_, message)| message);
            messages
                .find(|it| far.is_asked_in(it) && it.method() == method)
                .cloned()
        };
        let bye = to(&focus, Method::Bye).expect("the focus is left");
        hall.ladder.receive(&focus.response(&bye, 200).build());
        let reinvite = to(&hall.bob, Method::Invite).expect("bob is retrieved");
        hall.ladder
            .receive(&hall.bob.accepts(&reinvite, Direction::SendRecv));
        assert!(hall.ladder.succeeded(hall.merge), "{how}");
        assert_eq!(hall.ladder.media.mixed().len(), 2);
    }
}

#[test]
fn a_focus_that_hangs_up_is_done_without() {
    let (mut hall, mut focus, _) = moving();
    hall.ladder.far_hangs_up(&mut focus);
    hall.assert_mixed_here();
}

#[test]
fn who_cannot_move_is_mixed_with_the_conference() {
    // The one who was held moves, and the one who talks does not; and the other way round.
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::bob, &mut focus, &first);
    refused(&mut hall, &mut focus, &second);
    assert!(hall.ladder.succeeded(hall.merge));
    assert_eq!(hall.ladder.media.mixed().len(), 2);
    assert_eq!(
        hall.ladder.info(SECOND).conference,
        hall.ladder.info(hall.focus).conference
    );

    let (mut hall, mut focus, [first, second]) = moving();
    refused(&mut hall, &mut focus, &first);
    moves(&mut hall, Hall::carol, &mut focus, &second);
    offers(&mut hall.ladder, &hall.bob, Direction::SendRecv);
    assert!(hall.ladder.succeeded(hall.merge));
    assert_eq!(
        hall.ladder.info(CALL).conference,
        hall.ladder.info(hall.focus).conference
    );
}

#[test]
fn what_can_be_had_in_no_way_leaves_the_user_with_the_same_party() {
    // Bob, who was held, has moved, and stands held in the conference; Carol talks.
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::bob, &mut focus, &first);
    hall.ladder.media.held_back = true;
    refused(&mut hall, &mut focus, &second);
    hall.ladder.media_fails(MediaErrorKind::Unavailable);
    hall.ladder.media_goes_on();
    offers(&mut hall.ladder, &focus, Direction::Inactive);
    let failure = hall.ladder.failure(hall.merge);
    assert!(matches!(failure, Some(OperationError::Media(_))), "{failure:?}");
    assert!(hall.ladder.info(hall.focus).local_hold);
    assert!(!hall.ladder.info(SECOND).local_hold);

    // Carol, who talks, has moved; Bob is held still.
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::carol, &mut focus, &second);
    refused(&mut hall, &mut focus, &first);
    let reinvite = hall.ladder.expect_for(&hall.bob, Method::Invite);
    hall.ladder.receive(&hall.bob.response(&reinvite, 488).build());
    assert!(hall.ladder.failure(hall.merge).is_some());
    assert!(!hall.ladder.info(hall.focus).local_hold);
    assert!(hall.ladder.info(CALL).local_hold);
    assert_eq!(hall.ladder.media.mixed(), []);
}

#[test]
fn parties_that_hang_up_on_the_way_leave_no_empty_conference() {
    let (mut hall, mut focus, refers) = moving();
    for refer in &refers {
        accept(&mut hall.ladder, &focus, refer);
    }
    for far in [Hall::bob, Hall::carol] {
        let bye = far(&mut hall).request(Method::Bye).build();
        hall.ladder.receive(&bye);
        hall.ladder.expect_response(200, Method::Bye);
    }
    for refer in &refers {
        tell(&mut hall.ladder, &mut focus, refer, "481 Gone");
    }
    hall.ladder.expect_for(&focus, Method::Bye);
    assert_eq!(hall.ladder.failure(hall.merge), Some(OperationError::CallEnded));
}

#[test]
fn the_connection_is_lost_on_the_way() {
    let (mut hall, mut focus, refers) = moving();
    for refer in &refers {
        accept(&mut hall.ladder, &focus, refer);
    }
    hall.ladder.lose_connection();
    assert_eq!(
        hall.ladder.outcome(hall.merge),
        None,
        "the focus goes on by itself"
    );
    hall.ladder.reconnect();
    hall.ladder.register();
    offers(&mut hall.ladder, &focus, Direction::SendRecv);
    hall.ladder.pass(3.0);
    hall.ladder.forget();
    for (refer, call) in refers.iter().zip([CALL, SECOND]) {
        tell(&mut hall.ladder, &mut focus, refer, "200 OK");
        let bye = hall.ladder.expect(Method::Bye);
        hall.ladder.respond(&bye, 200);
        assert_eq!(hall.ladder.cause(call), EndCause::MovedToConference);
    }
    assert!(hall.ladder.succeeded(hall.merge));
}

#[test]
fn nobody_is_commanded_elsewhere_on_the_way() {
    let (mut hall, _, _) = moving();
    let now = hall.ladder.now;
    assert_eq!(
        hall.ladder.agent.swap_to(now, CALL),
        Err(CommandError::WrongState)
    );
    assert_eq!(
        hall.ladder.agent.merge(now, CALL, SECOND),
        Err(CommandError::WrongState)
    );
    let transfer = hall.ladder.command(SECOND, |call| call.transfer("dave"));
    assert_eq!(transfer, Err(CommandError::WrongState));
}

#[test]
fn a_stop_ends_it() {
    let (mut hall, _, _) = moving();
    hall.ladder.stop();
    hall.ladder.pass(3.0);
    assert!(hall.ladder.failure(hall.merge).is_some());
    assert_eq!(hall.ladder.media.open_sessions(), []);
}

#[test]
fn without_a_factory_everything_is_mixed_here() {
    let (mut ladder, _bob) = Ladder::in_outgoing_call();
    ladder.make_call(SECOND, "carol");
    let operation = merge(&mut ladder, CALL, SECOND);
    assert!(ladder.succeeded(operation));
    ladder.expect_silence();
}

#[test]
fn a_party_that_moves_when_it_was_given_up_has_moved_all_the_same() {
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::carol, &mut focus, &second);
    accept(&mut hall.ladder, &focus, &first);
    hall.ladder.pass(11.0);
    offers(&mut hall.ladder, &hall.bob, Direction::SendRecv);
    assert!(hall.ladder.succeeded(hall.merge));
    assert_eq!(
        hall.ladder.media.mixed().len(),
        2,
        "bob is mixed with the conference"
    );
    hall.ladder.forget();
    tell(&mut hall.ladder, &mut focus, &first, "200 OK");
    let bye = hall.ladder.expect_for(&hall.bob, Method::Bye);
    hall.ladder.receive(&hall.bob.response(&bye, 200).build());
    assert_eq!(hall.ladder.cause(CALL), EndCause::MovedToConference);
    assert_eq!(hall.ladder.info(hall.focus).conference, None);
    assert_eq!(hall.ladder.media.mixed(), []);
}

// --- restart ---------------------------------------------------------------------------------------------------------

fn restarted(hall: Hall) -> Hall {
    let snapshot = hall.ladder.snapshot();
    let now = hall.ladder.now;
    let agent = UserAgent::restore(with_factory(), snapshot, [9; 32], now, secs(1.0));
    let mut ladder = Ladder::of(agent, now);
    ladder.drain();
    ladder.start();
    ladder.connect();
    ladder.register();
    Hall { ladder, ..hall }
}

#[test]
fn a_restart_before_the_focus_answers_leaves_everything_as_it_was() {
    let (hall, _) = calling();
    let mut hall = restarted(hall);
    offers(&mut hall.ladder, &hall.bob.clone(), Direction::RecvOnly);
    offers(&mut hall.ladder, &hall.carol.clone(), Direction::SendRecv);
    hall.assert_as_before();
}

#[test]
fn a_restart_on_the_way_goes_on() {
    let (mut hall, mut focus, [first, second]) = moving();
    moves(&mut hall, Hall::bob, &mut focus, &first);
    accept(&mut hall.ladder, &focus, &second);
    let mut hall = restarted(hall);
    hall.ladder.forget();
    hall.ladder.far_hangs_up(&mut hall.carol.clone());
    assert_eq!(hall.ladder.cause(SECOND), EndCause::MovedToConference);
    tell(&mut hall.ladder, &mut focus, &second, "200 OK");
    assert_eq!(hall.ladder.state(hall.focus), CallState::Active);
    assert!(!hall.ladder.info(hall.focus).local_hold);
}
