//! Two calls and more become a conference of this device, and calls of their own again. Whatever fails on the way leaves
//! everything as it was.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallId, CommandError, Direction, EndCause, Event, Instant, MediaAction, MediaErrorKind, OperationError,
    OperationId, TransferSupport, UserAgent,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::media::direction_of;

/// The second call, and the third.
const SECOND: CallId = CallId(0xca12);
const THIRD: CallId = CallId(0xca13);

/// A call with Bob that is held, and one with Carol.
struct Desk {
    ladder: Ladder,
    bob: FarEnd,
    carol: FarEnd,
}

fn direction_in(message: &Message) -> Direction {
    direction_of(std::str::from_utf8(message.body()).unwrap())
}

/// Carol talks, Bob is held.
fn desk() -> Desk {
    let (mut ladder, bob) = Ladder::in_outgoing_call();
    ladder.hold(CALL);
    grant(&mut ladder, &bob, Direction::SendOnly);
    let carol = ladder.make_call(SECOND, "carol");
    ladder.forget();
    Desk { ladder, bob, carol }
}

/// Both are in a conference.
fn conference() -> Desk {
    let mut desk = desk();
    let merge = desk.merge();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert!(desk.ladder.succeeded(merge));
    desk.ladder.forget();
    desk
}

/// The agent offers, and the far end agrees.
#[track_caller]
fn grant(ladder: &mut Ladder, far: &FarEnd, offered: Direction) {
    let reinvite = ladder.expect_for(far, Method::Invite);
    assert_eq!(direction_in(&reinvite), offered);
    ladder.receive(&far.accepts(&reinvite, offered.reversed()));
    ladder.expect_for(far, Method::Ack);
}

/// The agent offers, and the far end refuses.
#[track_caller]
fn refuse(ladder: &mut Ladder, far: &FarEnd, offered: Direction) {
    let reinvite = ladder.expect_for(far, Method::Invite);
    assert_eq!(direction_in(&reinvite), offered);
    ladder.receive(&far.response(&reinvite, 488).build());
    ladder.expect_for(far, Method::Ack);
}

impl Desk {
    fn merge(&mut self) -> OperationId {
        merge(&mut self.ladder, SECOND, CALL).unwrap()
    }

    fn split(&mut self, with: CallId) -> OperationId {
        let operation = self.ladder.agent.split(self.ladder.now, with).unwrap();
        self.ladder.accepted(operation);
        self.ladder.drain();
        operation
    }

    /// The conference is whole, and every call says so.
    #[track_caller]
    fn assert_together(&self) {
        assert_eq!(self.ladder.media.mixed().len(), 2, "both are mixed");
        let id = self.ladder.info(CALL).conference;
        assert!(id.is_some() && id == self.ladder.info(SECOND).conference);
        for call in [CALL, SECOND] {
            assert!(!self.ladder.info(call).local_hold);
        }
    }

    /// Two calls of their own: Carol talks, Bob is held.
    #[track_caller]
    fn assert_as_before(&self) {
        assert_apart(&self.ladder, &[CALL, SECOND]);
        assert!(self.ladder.info(CALL).local_hold);
        assert!(!self.ladder.info(SECOND).local_hold);
        assert!(self.ladder.unfinished().is_empty());
    }
}

fn merge(ladder: &mut Ladder, one: CallId, other: CallId) -> Result<OperationId, CommandError> {
    let result = ladder.agent.merge(ladder.now, one, other);
    if let Ok(operation) = result {
        ladder.accepted(operation);
    }
    ladder.drain();
    result
}

#[track_caller]
fn assert_apart(ladder: &Ladder, calls: &[CallId]) {
    assert_eq!(ladder.media.mixed(), [], "nobody hears another");
    for call in calls {
        assert_eq!(ladder.info(*call).conference, None);
    }
}

// --- merging ---------------------------------------------------------------------------------------------------------

#[test]
fn the_held_call_is_retrieved_before_anything_is_mixed() {
    let mut desk = desk();
    let operation = desk.merge();
    assert_eq!(desk.ladder.media.mixed(), []);
    assert_eq!(desk.ladder.info(SECOND).conference, None);
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert!(desk.ladder.succeeded(operation));
    desk.assert_together();
    desk.ladder.expect_silence();
}

#[test]
fn two_calls_that_both_talk_are_mixed_without_a_message() {
    let mut ladder = Ladder::registered();
    ladder.make_call(CALL, "bob");
    ladder.make_call(SECOND, "carol");
    let operation = merge(&mut ladder, CALL, SECOND).unwrap();
    ladder.expect_silence();
    assert!(ladder.succeeded(operation));
    assert_eq!(ladder.media.mixed().len(), 2);
}

#[test]
fn two_held_calls_are_both_retrieved() {
    let mut desk = desk();
    desk.ladder.hold(SECOND);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    let operation = desk.merge();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert_eq!(desk.ladder.outcome(operation), None);
    grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    assert!(desk.ladder.succeeded(operation));
    desk.assert_together();
}

#[test]
fn a_refused_retrieval_leaves_the_calls_as_they_were() {
    let mut desk = desk();
    let operation = desk.merge();
    refuse(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    let failure = desk.ladder.failure(operation);
    assert!(matches!(
        failure,
        Some(OperationError::Refused { status: 488, .. })
    ));
    desk.assert_as_before();
    desk.ladder.expect_silence();
}

#[test]
fn of_two_retrievals_the_one_that_was_granted_is_taken_back() {
    let mut desk = desk();
    desk.ladder.hold(SECOND);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    let operation = desk.merge();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    refuse(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    assert!(desk.ladder.failure(operation).is_some());
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(desk.ladder.info(CALL).local_hold && desk.ladder.info(SECOND).local_hold);
}

#[test]
fn a_retrieval_that_gets_no_answer_ends_its_call_and_the_merge() {
    let mut desk = desk();
    let operation = desk.merge();
    desk.ladder.expect(Method::Invite);
    desk.ladder.pass(40.0);
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
    assert_apart(&desk.ladder, &[SECOND]);
    assert!(!desk.ladder.info(SECOND).local_hold);
}

#[test]
fn an_offer_that_cannot_be_made_leaves_the_calls_as_they_were() {
    let mut desk = desk();
    desk.ladder.media.held_back = true;
    let operation = desk.merge();
    desk.ladder.media_fails(MediaErrorKind::Failed);
    assert!(matches!(
        desk.ladder.failure(operation),
        Some(OperationError::Media(_))
    ));
    desk.ladder.media_goes_on();
    desk.assert_as_before();
}

#[test]
fn a_mix_that_cannot_be_had_leaves_the_calls_as_they_were() {
    // The first session cannot be mixed, or the second.
    for first in [true, false] {
        let mut desk = desk();
        let operation = desk.merge();
        let reinvite = desk.ladder.expect(Method::Invite);
        desk.ladder.media.held_back = true;
        desk.ladder
            .receive(&desk.bob.accepts(&reinvite, Direction::SendRecv));
        desk.ladder.expect(Method::Ack);
        desk.ladder.media_answers();
        for is_first in [true, false] {
            let request = desk.ladder.media.next_request();
            assert!(matches!(
                request,
                Some(MediaAction::SetConference { conference: Some(_) })
            ));
            if is_first == first {
                desk.ladder.media_fails(MediaErrorKind::Unavailable);
                break;
            }
            desk.ladder.media_answers();
        }
        let failure = desk.ladder.failure(operation);
        assert!(
            matches!(failure, Some(OperationError::Media(error)) if error.kind == MediaErrorKind::Unavailable)
        );
        desk.ladder.media_goes_on();
        grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
        desk.assert_as_before();
    }
}

#[test]
fn the_held_party_hangs_up_in_the_middle() {
    let mut desk = desk();
    let operation = desk.merge();
    desk.ladder.expect(Method::Invite);
    desk.ladder.far_hangs_up(&mut desk.bob);
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
    assert_eq!(desk.ladder.cause(CALL), EndCause::RemoteHangUp);
    assert_apart(&desk.ladder, &[SECOND]);
    assert!(!desk.ladder.info(SECOND).local_hold);
}

#[test]
fn the_other_party_hangs_up_in_the_middle() {
    let mut desk = desk();
    let operation = desk.merge();
    let reinvite = desk.ladder.expect(Method::Invite);
    desk.ladder.far_hangs_up(&mut desk.carol);
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
    // The retrieval is on its way; what it has brought is taken back.
    desk.ladder
        .receive(&desk.bob.accepts(&reinvite, Direction::SendRecv));
    desk.ladder.expect(Method::Ack);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert_apart(&desk.ladder, &[CALL]);
    assert!(desk.ladder.info(CALL).local_hold);
}

#[test]
fn the_user_hangs_up_in_the_middle() {
    for hung_up in [CALL, SECOND] {
        let mut desk = desk();
        let operation = desk.merge();
        desk.ladder.hang_up(hung_up);
        assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
        assert_apart(&desk.ladder, &[CALL, SECOND]);
    }
}

#[test]
fn a_hold_of_the_user_overtakes_the_merge() {
    let mut desk = desk();
    let operation = desk.merge();
    let reinvite = desk.ladder.expect(Method::Invite);
    let hold = desk.ladder.hold(CALL);
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::Superseded));
    desk.ladder
        .receive(&desk.bob.accepts(&reinvite, Direction::SendRecv));
    desk.ladder.expect(Method::Ack);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert!(desk.ladder.succeeded(hold));
    desk.assert_as_before();
}

#[test]
fn a_connection_lost_in_the_middle_leaves_the_calls_as_they_were() {
    let mut desk = desk();
    let operation = desk.merge();
    desk.ladder.expect(Method::Invite);
    desk.ladder.lose_connection();
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::Disconnected));
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(desk.ladder.info(CALL).local_hold);
}

#[test]
fn glare_is_waited_out() {
    let mut desk = desk();
    let operation = desk.merge();
    let reinvite = desk.ladder.expect(Method::Invite);
    desk.ladder.receive(&desk.bob.response(&reinvite, 491).build());
    desk.ladder.expect(Method::Ack);
    assert_eq!(desk.ladder.outcome(operation), None);
    let again = desk.ladder.wait_for(Method::Invite);
    desk.ladder
        .receive(&desk.bob.accepts(&again, Direction::SendRecv));
    assert!(desk.ladder.succeeded(operation));
    desk.assert_together();
}

#[test]
fn what_cannot_be_merged_is_refused_at_once() {
    let mut desk = desk();
    let wrong = Err(CommandError::WrongState);
    assert_eq!(merge(&mut desk.ladder, CALL, CALL), wrong);
    assert_eq!(
        merge(&mut desk.ladder, CALL, THIRD),
        Err(CommandError::NoSuchCall)
    );
    let (ringing, _, _) = desk.ladder.ring("dave");
    assert_eq!(merge(&mut desk.ladder, CALL, ringing), wrong);
    assert_eq!(desk.ladder.agent.split(desk.ladder.now, CALL), wrong);
    desk.ladder.forget();
    desk.merge();
    assert_eq!(merge(&mut desk.ladder, CALL, SECOND), wrong, "one at a time");
    let now = desk.ladder.now;
    assert_eq!(desk.ladder.agent.split(now, CALL), wrong);
}

#[test]
fn without_a_connection_a_held_call_cannot_be_merged() {
    let mut desk = desk();
    desk.ladder.lose_connection();
    assert_eq!(
        merge(&mut desk.ladder, CALL, SECOND),
        Err(CommandError::NotConnected)
    );
    desk.assert_as_before();
}

// --- together --------------------------------------------------------------------------------------------------------

#[test]
fn whoever_hangs_up_leaves_an_ordinary_call() {
    let mut desk = conference();
    desk.ladder.far_hangs_up(&mut desk.bob);
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(!desk.ladder.info(SECOND).local_hold);
    desk.ladder.expect_silence();

    let mut desk = conference();
    desk.ladder.hang_up(SECOND);
    desk.ladder.expect(Method::Bye);
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(!desk.ladder.info(CALL).local_hold);
}

#[test]
fn whoever_is_held_hears_nobody_and_is_back_when_resumed() {
    let mut desk = conference();
    desk.ladder.hold(CALL);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert_eq!(desk.ladder.media.mixed(), []);
    assert!(desk.ladder.info(CALL).conference.is_some(), "still part of it");
    desk.ladder.resume(CALL);
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    desk.assert_together();
}

#[test]
fn the_music_of_a_party_that_holds_is_nothing_for_the_other() {
    let mut desk = conference();
    desk.ladder.receive(&desk.bob.invite(Direction::SendOnly));
    let ok = desk.ladder.expect_response(200, Method::Invite);
    desk.ladder.receive(&desk.bob.ack(&ok).build());
    assert!(desk.ladder.info(CALL).remote_hold);
    assert_eq!(desk.ladder.media.mixed(), []);
    desk.ladder.receive(&desk.bob.invite(Direction::SendRecv));
    let ok = desk.ladder.expect_response(200, Method::Invite);
    desk.ladder.receive(&desk.bob.ack(&ok).build());
    desk.assert_together();
}

#[test]
fn media_that_move_stay_mixed() {
    let mut desk = conference();
    desk.ladder.command(CALL, |call| call.move_media()).unwrap();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert_eq!(desk.ladder.media.open_sessions().len(), 2);
    desk.assert_together();
}

#[test]
fn the_mix_outlives_the_connection() {
    let mut desk = conference();
    desk.ladder.lose_connection();
    desk.assert_together();
    desk.ladder.reconnect();
    desk.ladder.register();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    desk.assert_together();
}

#[test]
fn media_that_cannot_be_mixed_any_more_are_held() {
    let mut desk = conference();
    desk.ladder.command(CALL, |call| call.move_media()).unwrap();
    let reinvite = desk.ladder.expect(Method::Invite);
    desk.ladder.media.held_back = true;
    desk.ladder
        .receive(&desk.bob.accepts(&reinvite, Direction::SendRecv));
    desk.ladder.expect(Method::Ack);
    while !matches!(
        desk.ladder.media.next_request(),
        Some(MediaAction::SetConference { .. })
    ) {
        desk.ladder.media_answers();
    }
    desk.ladder.media_fails(MediaErrorKind::Unavailable);
    desk.ladder.media_goes_on();
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    desk.assert_as_before();
}

#[test]
fn a_third_call_joins_and_a_refusal_leaves_the_conference_whole() {
    for refused in [true, false] {
        let mut desk = conference();
        let dave = desk.ladder.make_call(THIRD, "dave");
        desk.ladder.hold(THIRD);
        grant(&mut desk.ladder, &dave, Direction::SendOnly);
        let operation = merge(&mut desk.ladder, THIRD, CALL).unwrap();
        desk.assert_together();
        if refused {
            refuse(&mut desk.ladder, &dave, Direction::SendRecv);
            assert!(desk.ladder.failure(operation).is_some());
            desk.assert_together();
            assert_eq!(desk.ladder.info(THIRD).conference, None);
            assert!(desk.ladder.info(THIRD).local_hold);
        } else {
            grant(&mut desk.ladder, &dave, Direction::SendRecv);
            assert!(desk.ladder.succeeded(operation));
            assert_eq!(desk.ladder.media.mixed().len(), 3);
            assert_eq!(
                desk.ladder.info(THIRD).conference,
                desk.ladder.info(CALL).conference
            );
        }
    }
}

#[test]
fn a_call_outside_the_conference_hears_nothing_of_it() {
    let mut desk = conference();
    desk.ladder.make_call(THIRD, "dave");
    assert_eq!(desk.ladder.media.open_sessions().len(), 3);
    desk.assert_together();
    assert_eq!(desk.ladder.info(THIRD).conference, None);
}

#[test]
fn a_conference_outlives_a_restart() {
    let desk = conference();
    let stored = serde_json::to_string(&desk.ladder.agent.snapshot(desk.ladder.now)).unwrap();
    let now = Instant::from_secs(50_000);
    let snapshot = serde_json::from_str(&stored).unwrap();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], now, secs(1.0));
    let mut restored = Ladder::of(agent, now);
    restored.start();
    restored.connect();
    restored.register();
    grant(&mut restored, &desk.bob, Direction::SendRecv);
    grant(&mut restored, &desk.carol, Direction::SendRecv);
    let desk = Desk {
        ladder: restored,
        ..desk
    };
    desk.assert_together();
}

#[test]
fn a_restart_in_the_middle_of_a_merge_leaves_everybody_as_before() {
    let mut desk = desk();
    desk.merge();
    desk.ladder.expect_for(&desk.bob, Method::Invite);
    let snapshot = desk.ladder.snapshot();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], desk.ladder.now, secs(1.0));
    let mut restored = Ladder::of(agent, desk.ladder.now);
    restored.start();
    restored.connect();
    restored.register();
    grant(&mut restored, &desk.bob, Direction::SendOnly);
    grant(&mut restored, &desk.carol, Direction::SendRecv);
    assert!(restored.info(CALL).local_hold, "bob heard what carol is told");
    assert!(!restored.info(SECOND).local_hold);
}

#[test]
fn a_restart_that_brings_back_one_call_brings_back_no_conference() {
    let mut desk = conference();
    desk.ladder.far_hangs_up(&mut desk.bob);
    let snapshot = desk.ladder.snapshot();
    let agent = UserAgent::restore(config(), snapshot, [9; 32], desk.ladder.now, secs(1.0));
    assert!(agent.calls().all(|call| call.conference.is_none()));
}

#[test]
fn a_stop_ends_all_of_it() {
    let mut desk = desk();
    let operation = desk.merge();
    desk.ladder.stop();
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
    desk.ladder.pass(3.0);
    assert!(desk.ladder.take_events().contains(&Event::Stopped));
    assert_eq!(desk.ladder.media.open_sessions(), []);
}

#[test]
fn everybody_is_held_for_another_call() {
    let mut desk = conference();
    let (third, mut dave, _) = desk.ladder.ring("dave");
    desk.ladder.agent.hold_and_answer(desk.ladder.now, third).unwrap();
    desk.ladder.drain();
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    let ok = desk.ladder.expect_response(200, Method::Invite);
    desk.ladder.receive(&dave.ack(&ok).build());
    assert_eq!(desk.ladder.media.mixed(), []);
    assert!(desk.ladder.info(CALL).local_hold && desk.ladder.info(SECOND).local_hold);
    // Merged again, they are all resumed.
    let operation = desk.merge();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    assert!(desk.ladder.succeeded(operation));
    desk.assert_together();
}

// --- leaving ---------------------------------------------------------------------------------------------------------

#[test]
fn whoever_leaves_connects_the_others() {
    for reached in [true, false] {
        let mut desk = conference();
        let operation = desk.ladder.agent.leave_conference(desk.ladder.now).unwrap();
        desk.ladder.drain();
        grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
        let refer = desk.ladder.expect_for(&desk.carol, Method::Refer);
        let refer_to = refer.header(HeaderName::ReferTo).unwrap();
        assert!(
            refer_to.contains("bob") && refer_to.contains("Replaces="),
            "{refer_to}"
        );
        if reached {
            desk.ladder.receive(&desk.carol.response(&refer, 202).build());
            // Bob's telephone has taken Carol's call for this one.
            desk.ladder.far_hangs_up(&mut desk.bob);
            desk.ladder.receive(&desk.carol.request(Method::Bye).build());
            assert!(desk.ladder.succeeded(operation));
            assert_eq!(desk.ladder.cause(SECOND), EndCause::Transferred);
            assert_eq!(desk.ladder.media.open_sessions(), []);
        } else {
            desk.ladder.receive(&desk.carol.response(&refer, 603).build());
            assert!(desk.ladder.failure(operation).is_some());
            grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
            desk.assert_together();
        }
    }
}

#[test]
fn where_nobody_can_be_sent_leaving_is_not_offered() {
    let mut config = config();
    config.transfer_support = TransferSupport::None;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.make_call(CALL, "bob");
    ladder.make_call(SECOND, "carol");
    assert_eq!(
        ladder.agent.leave_conference(ladder.now),
        Err(CommandError::WrongState)
    );
    merge(&mut ladder, CALL, SECOND).unwrap();
    assert_eq!(
        ladder.agent.leave_conference(ladder.now),
        Err(CommandError::NotOffered)
    );
    assert_eq!(ladder.media.mixed().len(), 2);
}

// --- splitting -------------------------------------------------------------------------------------------------------

#[test]
fn a_split_holds_the_other_and_leaves_two_calls() {
    let mut desk = conference();
    let operation = desk.split(SECOND);
    assert!(desk.ladder.info(CALL).conference.is_some());
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert!(desk.ladder.succeeded(operation));
    desk.assert_as_before();
}

#[test]
fn a_refused_split_leaves_the_conference() {
    let mut desk = conference();
    let operation = desk.split(SECOND);
    refuse(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    assert!(matches!(
        desk.ladder.failure(operation),
        Some(OperationError::Refused { status: 488, .. })
    ));
    desk.assert_together();
}

#[test]
fn a_split_with_a_held_party_holds_the_others_first() {
    let mut desk = conference();
    desk.ladder.hold(CALL);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    let operation = desk.split(CALL);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    assert_eq!(desk.ladder.outcome(operation), None);
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert!(desk.ladder.succeeded(operation));
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(desk.ladder.info(SECOND).local_hold && !desk.ladder.info(CALL).local_hold);
}

#[test]
fn a_split_whose_last_step_fails_is_taken_back() {
    let mut desk = conference();
    desk.ladder.hold(CALL);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    let operation = desk.split(CALL);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    refuse(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert!(desk.ladder.failure(operation).is_some());
    grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    assert!(desk.ladder.info(CALL).local_hold && !desk.ladder.info(SECOND).local_hold);
    assert!(desk.ladder.info(CALL).conference.is_some(), "as it was");
}

#[test]
fn whoever_hangs_up_during_a_split_ends_it_one_way_or_the_other() {
    // The one to talk to: the other is talked to instead.
    let mut desk = conference();
    let operation = desk.split(SECOND);
    let reinvite = desk.ladder.expect(Method::Invite);
    desk.ladder.far_hangs_up(&mut desk.carol);
    assert_eq!(desk.ladder.failure(operation), Some(OperationError::CallEnded));
    desk.ladder
        .receive(&desk.bob.accepts(&reinvite, Direction::RecvOnly));
    desk.ladder.expect(Method::Ack);
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    assert_apart(&desk.ladder, &[CALL]);
    assert!(!desk.ladder.info(CALL).local_hold);

    // The other one: the talk is private now.
    let mut desk = conference();
    let operation = desk.split(SECOND);
    desk.ladder.expect(Method::Invite);
    desk.ladder.far_hangs_up(&mut desk.bob);
    assert!(desk.ladder.succeeded(operation));
    assert_apart(&desk.ladder, &[CALL, SECOND]);
    assert!(!desk.ladder.info(SECOND).local_hold);
}

#[test]
fn of_four_in_a_conference_one_splits_off_and_the_others_wait_together() {
    let mut desk = conference();
    desk.ladder.make_call(THIRD, "dave");
    let merge = merge(&mut desk.ladder, THIRD, CALL).unwrap();
    assert!(desk.ladder.succeeded(merge));
    let operation = desk.split(THIRD);
    grant(&mut desk.ladder, &desk.bob, Direction::SendOnly);
    grant(&mut desk.ladder, &desk.carol, Direction::SendOnly);
    assert!(desk.ladder.succeeded(operation));
    assert_eq!(desk.ladder.info(THIRD).conference, None);
    assert!(desk.ladder.info(CALL).conference.is_some());
    let merge = self::merge(&mut desk.ladder, THIRD, SECOND).unwrap();
    grant(&mut desk.ladder, &desk.bob, Direction::SendRecv);
    grant(&mut desk.ladder, &desk.carol, Direction::SendRecv);
    assert!(desk.ladder.succeeded(merge));
    assert_eq!(desk.ladder.media.mixed().len(), 3);
}
