//! Who takes part in a conference of the platform, as it tells (RFC 4575), and bringing people in and sending them away
//! (RFC 4579).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::conference_info::MEDIA_TYPE;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallId, CallOptions, CommandError, Direction, OperationError, OperationId, Participant, ParticipantState,
};

use crate::conference_focus::{focus_of, with_factory};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::subscription::Notifier;

const SECOND: CallId = CallId(0xca12);

/// A call with a focus, which tells of its conference.
struct Room {
    ladder: Ladder,
    focus: FarEnd,
    notifier: Notifier,
}

fn asked() -> (Ladder, FarEnd, Message) {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    ladder.dial(CALL, "conference");
    let invite = ladder.expect(Method::Invite);
    let focus = focus_of(&invite);
    ladder.receive(&focus.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let subscribe = ladder.expect(Method::Subscribe);
    (ladder, focus, subscribe)
}

fn user(name: &str, status: &str) -> String {
    format!(
        "<user entity=\"sip:{name}@example.com\"><display-text>{name}</display-text>\
         <endpoint entity=\"sip:{name}@1.invalid\"><status>{status}</status></endpoint></user>"
    )
}

fn document(state: &str, version: u32, users: &str) -> String {
    format!(
        "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:conf-7@example.com\" \
         state=\"{state}\" version=\"{version}\"><users state=\"{state}\">{users}</users></conference-info>"
    )
}

impl Room {
    fn new() -> Self {
        let (mut ladder, focus, subscribe) = asked();
        let notifier = Notifier::of(&subscribe, "conference");
        ladder.receive(&notifier.accepts(&subscribe, 200, 3_600));
        let mut room = Self {
            ladder,
            focus,
            notifier,
        };
        let users = [("alice", "connected"), ("bob", "connected")];
        room.tell("full", 1, &users);
        room.ladder.forget();
        room
    }

    fn tell(&mut self, state: &str, version: u32, users: &[(&str, &str)]) {
        let users: String = users.iter().map(|(name, status)| user(name, status)).collect();
        self.tell_document(&document(state, version, &users), 200);
    }

    fn tell_document(&mut self, document: &str, status: u16) {
        let notify = self.notifier.notify("active;expires=3600");
        self.ladder
            .receive(&notify.body(MEDIA_TYPE, document.as_bytes()).build());
        self.ladder.expect_response(status, Method::Notify);
    }

    fn participants(&self) -> &[Participant] {
        &self.ladder.info(CALL).participants
    }

    fn stand(&self) -> Vec<(&str, ParticipantState)> {
        let all = self.participants().iter();
        all.map(|it| (it.identity.display_name.as_str(), it.state))
            .collect()
    }

    fn add(&mut self, target: &str) -> Result<OperationId, CommandError> {
        let result = self.ladder.agent.add_participant(self.ladder.now, CALL, target);
        self.ladder.drain();
        result
    }

    fn remove(&mut self, uri: &str) -> Result<OperationId, CommandError> {
        let result = self.ladder.agent.remove_participant(self.ladder.now, CALL, uri);
        self.ladder.drain();
        result
    }

    /// The focus says what has become of a request.
    fn concludes(&mut self, refer: &Message, status: &str) {
        let id = refer.cseq().unwrap().number;
        let notify = self
            .focus
            .request(Method::Notify)
            .header(HeaderName::Event, format_args!("refer;id={id}"))
            .header(HeaderName::SubscriptionState, "terminated;reason=noresource")
            .body(
                "message/sipfrag;version=2.0",
                format!("SIP/2.0 {status}\r\n").as_bytes(),
            )
            .build();
        self.ladder.receive(&notify);
        self.ladder.expect_response(200, Method::Notify);
    }
}

#[test]
fn everybody_is_shown_with_where_they_stand() {
    let mut room = Room::new();
    let [alice, bob] = room.participants() else {
        panic!("two: {:?}", room.participants())
    };
    assert!(alice.is_self && !bob.is_self);
    assert_eq!(bob.identity.uri, "sip:bob@example.com");
    let states = [
        ("dialing-out", ParticipantState::Joining),
        ("alerting", ParticipantState::Ringing),
        ("connected", ParticipantState::Connected),
        ("on-hold", ParticipantState::OnHold),
        ("muted-via-focus", ParticipantState::Muted),
        ("disconnecting", ParticipantState::Leaving),
    ];
    for ((status, state), version) in states.into_iter().zip(2..) {
        room.tell("partial", version, &[("carol", status)]);
        assert_eq!(room.stand()[2], ("carol", state));
    }
    room.tell("partial", 8, &[("carol", "disconnected")]);
    assert_eq!(room.stand().len(), 2);
}

#[test]
fn who_is_on_a_second_device_stands_where_the_first_does() {
    let mut room = Room::new();
    let second = "<user entity=\"sip:bob@example.com\" state=\"partial\"><endpoint entity=\"sip:b@2.invalid\">\
                  <status>alerting</status></endpoint></user>";
    room.tell_document(&document("partial", 2, second), 200);
    assert_eq!(room.stand()[1], ("bob", ParticipantState::Connected));
}

#[test]
fn who_may_send_others_away_is_told() {
    let mut room = Room::new();
    assert!(room.participants().iter().all(|it| !it.is_moderator));
    let with_role = |role| {
        user("bob", "connected").replace(
            "<endpoint",
            &format!("<roles><entry>{role}</entry></roles><endpoint"),
        )
    };
    room.tell_document(&document("partial", 2, &with_role("moderator")), 200);
    assert!(room.participants()[1].is_moderator);
    room.tell_document(&document("partial", 3, &with_role("participant")), 200);
    assert!(!room.participants()[1].is_moderator);
}

#[test]
fn a_gap_and_what_cannot_be_read_are_asked_for_again() {
    for (document, is_bad) in [
        (document("partial", 3, &user("carol", "connected")), true),
        ("<conference-info".to_owned(), true),
        (document("partial", 2, &user("carol", "connected")), false),
        (document("partial", 1, &user("carol", "connected")), false),
    ] {
        let mut room = Room::new();
        room.tell_document(&document, 200);
        let before = room.stand().len();
        room.ladder.pass(0.1);
        let asked = room.ladder.take_sent();
        assert_eq!(asked.len(), usize::from(is_bad), "{document}");
        assert!(
            asked
                .iter()
                .all(|(_, message)| message.method() == Method::Subscribe)
        );
        assert!(before >= 2, "what was known stays");
    }
}

#[test]
fn a_huge_conference_is_bounded_and_a_huge_document_refused() {
    let mut room = Room::new();
    let many: String = (0..300).map(|at| user(&format!("u{at}"), "connected")).collect();
    room.tell_document(&document("full", 2, &many), 200);
    assert_eq!(room.participants().len(), 256);
    let hostile =
        user("eve", "connected").replace(">eve<", &format!(">{}<", "\u{202e}&lt;b&gt;".repeat(400)));
    room.tell_document(&document("full", 3, &hostile), 200);
    assert!(
        room.participants()
            .iter()
            .all(|it| it.identity.display_name.len() <= 256)
    );
    // More than a message may have is not even read; it does no harm.
    let megabyte = document("full", 4, &user("x", "connected").repeat(10_000));
    assert!(megabyte.len() > 1_000_000);
    let notify = room.notifier.notify("active;expires=3600");
    room.ladder
        .receive(&notify.body(MEDIA_TYPE, megabyte.as_bytes()).build());
    room.ladder.expect_response(513, Method::Notify);
    assert_eq!(room.participants().len(), 1);
}

#[test]
fn a_conference_that_is_left_is_not_followed() {
    let mut room = Room::new();
    room.ladder.far_hangs_up(&mut room.focus);
    let unsubscribe = room.ladder.expect(Method::Subscribe);
    assert_eq!(unsubscribe.header(HeaderName::Expires), Some("0"));
}

#[test]
fn a_focus_that_tells_nothing_is_a_focus_all_the_same() {
    let (mut ladder, _, subscribe) = asked();
    ladder.respond(&subscribe, 489);
    ladder.pass(600.0);
    let again = ladder.take_sent();
    assert!(
        again
            .iter()
            .all(|(_, message)| message.method() != Method::Subscribe)
    );
    assert!(ladder.info(CALL).focus && ladder.info(CALL).participants.is_empty());
}

#[test]
fn nobody_is_shown_who_is_not_told_any_more() {
    let mut room = Room::new();
    let end = room.notifier.notify("terminated;reason=rejected").build();
    room.ladder.receive(&end);
    room.ladder.expect_response(200, Method::Notify);
    assert_eq!(room.participants(), []);
}

/// A focus has a bound for each user: several that are shown the same would drive each other out.
#[test]
fn two_calls_with_one_focus_are_told_by_one_subscription() {
    let mut room = Room::new();
    let ladder = &mut room.ladder;
    ladder.dial(SECOND, "conference");
    let invite = ladder.expect(Method::Invite);
    let mut again = focus_of(&invite);
    ladder.receive(&again.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(ladder.info(SECOND).participants.len(), 2);
    room.tell("partial", 2, &[("carol", "connected")]);
    assert_eq!(room.stand().len(), 3);
    assert_eq!(room.ladder.info(SECOND).participants, room.participants());

    room.ladder.far_hangs_up(&mut room.focus);
    room.tell("partial", 3, &[("carol", "disconnected")]);
    assert_eq!(room.ladder.info(SECOND).participants.len(), 2);
    room.ladder.far_hangs_up(&mut again);
    let end = room.ladder.expect(Method::Subscribe);
    assert_eq!(end.expires(), Ok(Some(0)));
}

#[test]
fn somebody_is_brought_in() {
    for (status, refusal) in [
        ("200 OK", None),
        ("486 Busy Here", Some(486)),
        ("603 Decline", Some(603)),
    ] {
        let mut room = Room::new();
        let operation = room.add("carol").unwrap();
        let refer = room.ladder.expect_for(&room.focus, Method::Refer);
        assert_eq!(refer.header(HeaderName::ReferTo), Some("<sip:carol@example.com>"));
        room.ladder.receive(&room.focus.response(&refer, 202).build());
        assert_eq!(room.ladder.outcome(operation), None);
        room.concludes(&refer, status);
        match refusal {
            None => assert!(room.ladder.succeeded(operation)),
            Some(status) => assert!(matches!(
                room.ladder.failure(operation),
                Some(OperationError::TargetFailed { status: told, .. }) if told == status
            )),
        }
    }
}

#[test]
fn several_are_brought_in_at_once_and_told_apart() {
    let mut room = Room::new();
    let operations = ["carol", "dave"].map(|name| room.add(name).unwrap());
    let refers = [(); 2].map(|()| room.ladder.expect_for(&room.focus, Method::Refer));
    for refer in &refers {
        room.ladder.receive(&room.focus.response(refer, 202).build());
    }
    room.concludes(&refers[1], "200 OK");
    assert!(room.ladder.succeeded(operations[1]));
    assert_eq!(room.ladder.outcome(operations[0]), None);
    room.concludes(&refers[0], "486 Busy Here");
    assert!(room.ladder.failure(operations[0]).is_some());
}

#[test]
fn a_request_that_is_refused_or_not_answered_says_so() {
    let mut room = Room::new();
    let operation = room.add("carol").unwrap();
    let refer = room.ladder.expect_for(&room.focus, Method::Refer);
    room.ladder.receive(&room.focus.response(&refer, 403).build());
    let failure = room.ladder.failure(operation);
    assert!(
        matches!(failure, Some(OperationError::Refused { status: 403, .. })),
        "{failure:?}"
    );

    let operation = room.add("carol").unwrap();
    let refer = room.ladder.expect_for(&room.focus, Method::Refer);
    room.ladder.receive(&room.focus.response(&refer, 202).build());
    room.ladder.pass(40.0);
    assert_eq!(
        room.ladder.failure(operation),
        Some(OperationError::OutcomeUnknown)
    );

    let operation = room.add("carol").unwrap();
    room.ladder.forget();
    room.ladder.far_hangs_up(&mut room.focus.clone());
    assert_eq!(room.ladder.failure(operation), Some(OperationError::CallEnded));
}

#[test]
fn wishes_are_bounded() {
    let mut room = Room::new();
    for at in 0..16 {
        room.add(&format!("u{at}")).unwrap();
    }
    assert_eq!(room.add("one-more"), Err(CommandError::WrongState));
}

#[test]
fn somebody_is_sent_away() {
    let mut room = Room::new();
    let operation = room.remove("sip:bob@example.com").unwrap();
    let refer = room.ladder.expect_for(&room.focus, Method::Refer);
    assert_eq!(
        refer.header(HeaderName::ReferTo),
        Some("<sip:bob@example.com;method=BYE>")
    );
    room.ladder.receive(&room.focus.response(&refer, 202).build());
    room.concludes(&refer, "200 OK");
    assert!(room.ladder.succeeded(operation));
}

#[test]
fn to_bring_somebody_in_sends_nobody_away() {
    let mut room = Room::new();
    let refused = room.add("sip:bob@example.com;method=BYE");
    assert_eq!(refused, Err(CommandError::InvalidTarget));
    room.ladder.expect_silence();
}

#[test]
fn who_withholds_the_own_name_does_not_ask_who_is_there() {
    let mut ladder = Ladder::connected_with(with_factory());
    ladder.register();
    let mut options = CallOptions::default();
    options.anonymous = true;
    ladder.dial_with(CALL, "bridge", options).unwrap();
    let invite = ladder.expect(Method::Invite);
    ladder.receive(&focus_of(&invite).accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
}

#[test]
fn nobody_is_sent_away_who_does_not_take_part() {
    let mut room = Room::new();
    assert_eq!(
        room.remove("sip:dave@example.com"),
        Err(CommandError::InvalidTarget)
    );
    let users = ["sip:a@b;method=INVITE", "mailto:a@b", "sip:a@b&gt;,&lt;sip:c@d"];
    let users: String = users
        .iter()
        .map(|uri| format!("<user entity=\"{uri}\"><endpoint entity=\"e\"/></user>"))
        .collect();
    room.tell_document(&document("full", 2, &users), 200);
    for participant in room.participants().to_vec() {
        let uri = participant.identity.uri;
        assert_eq!(room.remove(&uri), Err(CommandError::InvalidTarget), "{uri}");
    }
    room.ladder.expect_silence();
}

#[test]
fn an_ordinary_call_has_no_participants_to_add_to() {
    let (mut ladder, _) = Ladder::in_outgoing_call();
    let result = ladder.agent.add_participant(ladder.now, CALL, "carol");
    assert_eq!(result, Err(CommandError::WrongState));
    ladder.expect_silence();
}
