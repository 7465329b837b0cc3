//! Calls on the account's other devices (RFC 4235), and taking one over (RFC 3891).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::dialog_info::{
    Dialog, DialogInfo, DialogName, Direction as Initiative, MEDIA_TYPE, Participant, State,
};
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{
    CallDirection, CallState, CommandError, Direction, EndCause, Event, RemoteCall, RemoteCallId,
    RemoteCallState,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, secs};
use crate::subscription::Notifier;

const TARGET: &str = "sip:bob@example.com;gr=urn:uuid:b0b;ob";

/// An agent that follows the calls of its account's other devices, and what the platform knows.
struct Follower {
    ladder: Ladder,
    notifier: Notifier,
    version: u32,
}

impl Follower {
    fn asking() -> (Ladder, Message) {
        let mut config = config();
        config.remote_calls = true;
        let mut ladder = Ladder::connected_with(config);
        ladder.register();
        let subscribe = ladder.wait_for(Method::Subscribe);
        (ladder, subscribe)
    }

    fn new() -> Self {
        let (mut ladder, subscribe) = Self::asking();
        let notifier = Notifier::of(&subscribe, "platform");
        ladder.receive(&notifier.accepts(&subscribe, 200, 3_600));
        let mut follower = Self {
            ladder,
            notifier,
            version: 0,
        };
        follower.tell(true, &[]);
        follower.ladder.forget();
        follower
    }

    /// One call of the desk telephone, for 90 s now.
    fn with_a_call() -> (Self, RemoteCallId) {
        let mut follower = Self::new();
        follower.tell(false, &[desk_call(State::Confirmed)]);
        let id = follower.only().id;
        follower.ladder.forget();
        (follower, id)
    }

    fn tell(&mut self, is_full: bool, dialogs: &[Dialog]) {
        let version = self.version;
        self.version += 1;
        self.tell_as(version, is_full, dialogs);
    }

    fn tell_as(&mut self, version: u32, is_full: bool, dialogs: &[Dialog]) {
        let info = DialogInfo {
            version,
            is_full,
            entity: "sip:alice@example.com".to_owned(),
            dialogs: dialogs.to_vec(),
        };
        self.tell_document(&info.write());
    }

    fn tell_document(&mut self, document: &str) {
        let notify = self.notifier.notify("active;expires=3600");
        self.ladder
            .receive(&notify.body(MEDIA_TYPE, document.as_bytes()).build());
        self.ladder.expect_response(200, Method::Notify);
    }

    fn calls(&self) -> &[RemoteCall] {
        self.ladder.agent.remote_calls()
    }

    #[track_caller]
    fn only(&self) -> &RemoteCall {
        let [call] = self.calls() else {
            panic!("one call: {:?}", self.calls())
        };
        call
    }

    /// What was told to the application, the newest last.
    fn told(&mut self) -> Vec<Vec<RemoteCall>> {
        let events = self.ladder.take_events().into_iter();
        let told = events.filter_map(|event| match event {
            Event::RemoteCalls(calls) => Some(calls),
            Event::Subscription { .. } | Event::Notification(_) => {
                panic!("the agent's own matter: {event:?}")
            }
            Event::Connection(_)
            | Event::Registration(_)
            | Event::Call(_)
            | Event::DtmfReceived { .. }
            | Event::TransferRequested { .. }
            | Event::OwnDevices(_)
            | Event::OperationDone { .. }
            | Event::TokenWanted { .. }
            | Event::Stopped
            | Event::Dropped { .. } => None,
        });
        told.collect()
    }

    #[track_caller]
    fn pull(&mut self, id: RemoteCallId) -> Message {
        self.ladder.agent.pull(self.ladder.now, CALL, id).unwrap();
        self.ladder.drain();
        self.ladder.expect(Method::Invite)
    }
}

fn desk_call(state: State) -> Dialog {
    Dialog {
        id: "7".to_owned(),
        name: DialogName {
            call_id: Some("desk-call".to_owned()),
            local_tag: Some("desk".to_owned()),
            remote_tag: Some("bob".to_owned()),
        },
        direction: Some(Initiative::Initiator),
        state,
        duration: Some(90),
        device: Some("Desk phone".to_owned()),
        local: Participant {
            identity: Some("sip:alice@example.com".to_owned()),
            params: vec![("+sip.instance".to_owned(), "<urn:uuid:de5c>".to_owned())],
            ..Participant::default()
        },
        remote: Participant {
            display_name: "Bob".to_owned(),
            identity: Some("sip:bob@example.com".to_owned()),
            target: Some(TARGET.to_owned()),
            ..Participant::default()
        },
        ..Dialog::default()
    }
}

#[test]
fn nobody_is_asked_unless_the_configuration_says_so() {
    let mut ladder = Ladder::registered();
    ladder.pass(60.0);
    assert!(
        ladder
            .take_sent()
            .iter()
            .all(|(_, it)| it.method() != Method::Subscribe)
    );
}

#[test]
fn the_platform_is_asked_once_the_device_is_registered() {
    let (mut ladder, subscribe) = Follower::asking();
    assert_eq!(subscribe.request_uri_text(), Some("sip:alice@example.com"));
    assert_eq!(subscribe.header(HeaderName::Event), Some("dialog"));
    assert_eq!(subscribe.header(HeaderName::Accept), Some(MEDIA_TYPE));
    assert_eq!(ladder.agent.subscriptions().count(), 0, "it is the agent's own");
    ladder.pass(1.0);
    ladder.forget();
}

#[test]
fn a_call_elsewhere_appears_and_goes() {
    let mut follower = Follower::new();
    follower.tell(false, &[desk_call(State::Early)]);
    assert_eq!(follower.only().state, RemoteCallState::Ringing);
    assert!(!follower.only().can_be_pulled);
    follower.tell(false, &[desk_call(State::Confirmed)]);
    let now = follower.ladder.now;
    let call = follower.only();
    assert_eq!(call.state, RemoteCallState::Active);
    assert_eq!(call.device.as_deref(), Some("Desk phone"));
    assert_eq!((&*call.remote.display_name, &*call.remote.user), ("Bob", "bob"));
    assert_eq!(call.direction, Some(CallDirection::Outgoing));
    assert_eq!(now.saturating_since(call.since), secs(90.0));
    assert!(call.can_be_pulled);
    follower.tell(false, &[desk_call(State::Terminated)]);
    assert_eq!(follower.calls(), []);
    let told: Vec<_> = follower.told().iter().map(Vec::len).collect();
    assert_eq!(told, [1, 1, 0]);
}

#[test]
fn what_is_told_again_is_not_news() {
    let (mut follower, id) = Follower::with_a_call();
    let since = follower.only().since;
    follower.ladder.pass(30.7);
    let again = Dialog {
        duration: Some(120),
        ..desk_call(State::Confirmed)
    };
    follower.tell(true, &[again]);
    assert_eq!((follower.only().id, follower.only().since), (id, since));
    assert_eq!(follower.told(), Vec::<Vec<RemoteCall>>::new());
}

#[test]
fn own_calls_are_no_calls_elsewhere() {
    let mut follower = Follower::new();
    // By the device's name ...
    let mut own = desk_call(State::Confirmed);
    own.local.params[0].1 = format!("<{}>", config().instance_id);
    follower.tell(false, &[own]);
    assert_eq!(follower.calls(), []);
    // ... and where a platform does not tell it, by the dialog's.
    let far = follower.ladder.make_call(CALL, "bob");
    let call_id = "carried on below";
    follower.ladder.hang_up(CALL);
    let bye = follower.ladder.expect(Method::Bye);
    let own = Dialog {
        id: call_id.to_owned(),
        name: DialogName {
            call_id: bye.call_id().ok().map(str::to_owned),
            local_tag: bye.from().unwrap().tag().map(str::to_owned),
            remote_tag: bye.to().unwrap().tag().map(str::to_owned),
        },
        local: Participant::default(),
        ..desk_call(State::Confirmed)
    };
    drop(far);
    follower.tell(false, std::slice::from_ref(&own));
    assert_eq!(follower.calls(), []);
    follower.ladder.respond(&bye, 200);
    assert_eq!(follower.calls(), [], "nor just after its end");
}

/// INVITE with Replaces to the far end's device; the far end ends the other dialog itself.
#[test]
fn a_call_is_pulled_from_another_device() {
    let (mut follower, id) = Follower::with_a_call();
    let invite = follower.pull(id);
    assert_eq!(invite.request_uri_text(), Some(TARGET));
    assert_eq!(
        invite.header(HeaderName::Replaces),
        Some("desk-call;to-tag=bob;from-tag=desk")
    );
    assert_eq!(invite.header(HeaderName::Require), Some("replaces"));
    assert_eq!(invite.header(HeaderName::ReferredBy), None);
    let ladder = &mut follower.ladder;
    assert_eq!(ladder.info(CALL).pulled_from.as_deref(), Some("Desk phone"));
    assert_eq!(ladder.info(CALL).remote.uri, "sip:bob@example.com");

    let far = FarEnd::called(&invite, "bob-2");
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Active);
    follower.tell(false, &[desk_call(State::Terminated)]);
    assert_eq!(follower.calls(), []);
}

/// The call has ended meanwhile (481, or 603 if lately), another device was quicker (491), the far end does not want
/// (403, 486), cannot (420), is not there: this call ends, the other device's is what it was.
#[test]
fn a_pull_that_fails_changes_nothing() {
    for (status, cause) in [
        (481, EndCause::Unavailable),
        (603, EndCause::Rejected),
        (491, EndCause::Unavailable),
        (403, EndCause::Forbidden),
        (486, EndCause::Busy),
        (420, EndCause::Unavailable),
        (404, EndCause::NotFound),
    ] {
        let (mut follower, id) = Follower::with_a_call();
        let invite = follower.pull(id);
        follower.ladder.respond(&invite, status);
        follower.ladder.expect(Method::Ack);
        let end = follower.ladder.end(CALL);
        assert_eq!((end.cause, end.sip_status), (cause, Some(status)), "{status}");
        assert_eq!(follower.only().id, id);
        assert!(follower.only().can_be_pulled, "it can be tried again");
    }
}

#[test]
fn only_what_there_is_can_be_pulled() {
    let (mut follower, id) = Follower::with_a_call();
    let now = follower.ladder.now;
    let unknown = RemoteCallId(id.0 + 1);
    assert_eq!(
        follower.ladder.agent.pull(now, CALL, unknown),
        Err(CommandError::NoSuchRemoteCall)
    );
    follower.tell(false, &[desk_call(State::Terminated)]);
    assert_eq!(
        follower.ladder.agent.pull(now, CALL, id),
        Err(CommandError::NoSuchRemoteCall)
    );
    follower.tell(false, &[desk_call(State::Early)]);
    let ringing = follower.only().id;
    assert_eq!(
        follower.ladder.agent.pull(now, CALL, ringing),
        Err(CommandError::WrongState)
    );
    follower.ladder.lose_connection();
    follower.ladder.forget();
    let (mut follower, id) = Follower::with_a_call();
    follower.ladder.lose_connection();
    assert_eq!(
        follower.ladder.agent.pull(follower.ladder.now, CALL, id),
        Err(CommandError::NotConnected)
    );
}

/// Identifiers that would be something else in a header, a target that is no address, an own name that is withheld, dialogs
/// that are not told: shown, not pulled.
#[test]
fn what_cannot_be_pulled_is_shown_as_such() {
    let change: [fn(&mut Dialog); 8] = [
        |it| it.name.call_id = Some("a\r\nX-Evil: b".to_owned()),
        |it| it.name.local_tag = Some("a;early-only".to_owned()),
        |it| it.name.remote_tag = None,
        |it| it.remote.target = Some("https://example.com".to_owned()),
        |it| it.remote.target = None,
        |it| it.local.identity = Some("sip:anonymous@anonymous.invalid".to_owned()),
        |it| it.local.identity = Some("sip:anonymous@example.com".to_owned()),
        |it| it.local.identity = Some("Anonymous <sip:anonymous@anonymous.invalid>".to_owned()),
    ];
    for (at, change) in change.into_iter().enumerate() {
        let mut follower = Follower::new();
        let mut dialog = desk_call(State::Confirmed);
        change(&mut dialog);
        follower.tell(false, &[dialog]);
        let call = follower.only();
        assert!(!call.can_be_pulled, "{at}");
        let id = call.id;
        let refused = follower.ladder.agent.pull(follower.ladder.now, CALL, id);
        assert_eq!(refused, Err(CommandError::WrongState), "{at}");
    }
}

/// RFC 4235 section 4.3; a notifier that always leaves something out is not asked without pause.
#[test]
fn a_gap_is_filled_by_asking_for_everything() {
    let (mut follower, _) = Follower::with_a_call();
    follower.tell_as(9, false, &[]);
    let subscribe = follower.ladder.wait_for(Method::Subscribe);
    assert!(subscribe.to().unwrap().tag().is_some(), "a refresh");
    let granted = follower.notifier.accepts(&subscribe, 200, 3_600);
    follower.ladder.receive(&granted);
    follower.tell_as(12, false, &[]);
    follower.tell_as(15, false, &[]);
    follower.ladder.pass(4.9);
    follower.ladder.expect_silence();
    follower.ladder.pass(0.2);
    let subscribe = follower.ladder.expect(Method::Subscribe);
    let granted = follower.notifier.accepts(&subscribe, 200, 3_600);
    follower.ladder.receive(&granted);
    follower.tell_as(16, true, &[desk_call(State::Confirmed)]);
    follower.ladder.pass(60.0);
    follower.ladder.expect_silence();
    assert_eq!(follower.calls().len(), 1);
}

#[test]
fn a_document_that_cannot_be_read_is_a_gap() {
    let (mut follower, _) = Follower::with_a_call();
    for (at, document) in ["<dialog-info", "<!DOCTYPE a><a/>", "<a/>"]
        .into_iter()
        .enumerate()
    {
        follower.tell_document(document);
        follower.ladder.pass(5.0);
        let subscribe = follower.ladder.expect(Method::Subscribe);
        let granted = follower.notifier.accepts(&subscribe, 200, 3_600);
        follower.ladder.receive(&granted);
        assert_eq!(follower.calls().len(), 1, "{at}");
    }
}

/// A megabyte is refused before it is looked at.
#[test]
fn a_document_that_is_too_large_is_refused() {
    let (mut follower, _) = Follower::with_a_call();
    let document = "x".repeat(65 * 1024);
    let notify = follower.notifier.notify("active;expires=3600");
    let notify = notify.body(MEDIA_TYPE, document.as_bytes()).build();
    follower.ladder.receive(&notify);
    follower.ladder.expect_response(513, Method::Notify);
    assert_eq!(follower.calls().len(), 1);
}

#[test]
fn a_platform_that_does_not_offer_it_is_not_asked_again() {
    let (mut ladder, subscribe) = Follower::asking();
    ladder.respond(&subscribe, 489);
    ladder.pass(1_000.0);
    assert!(
        ladder
            .take_sent()
            .iter()
            .all(|(_, it)| it.method() != Method::Subscribe)
    );
    assert_eq!(ladder.agent.remote_calls(), []);
}

#[test]
fn what_is_not_told_any_more_is_not_shown() {
    let (mut follower, _) = Follower::with_a_call();
    let notify = follower
        .notifier
        .notify("terminated;reason=probation;retry-after=60");
    follower.ladder.receive(&notify.build());
    follower.ladder.expect_response(200, Method::Notify);
    assert_eq!(follower.calls(), []);
    assert_eq!(follower.told(), [Vec::<RemoteCall>::new()]);
    let subscribe = follower.ladder.wait_for(Method::Subscribe);
    follower.notifier = Notifier::of(&subscribe, "platform-2");
    let granted = follower.notifier.accepts(&subscribe, 200, 3_600);
    follower.ladder.receive(&granted);
    follower.tell_as(0, true, &[desk_call(State::Confirmed)]);
    assert_eq!(follower.calls().len(), 1, "another subscription counts anew");
}

#[test]
fn an_agent_that_stops_and_starts_asks_again() {
    let (mut follower, _) = Follower::with_a_call();
    follower.ladder.stop();
    follower.ladder.pass(3.0);
    follower.ladder.forget();
    assert_eq!(follower.calls(), []);
    follower.ladder.start();
    follower.ladder.connect();
    follower.ladder.register();
    follower.ladder.wait_for(Method::Subscribe);
}
