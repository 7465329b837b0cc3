//! SIPp as the far end behind Kamailio: what telephones and platforms do, step by step, with pretended media.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use clearline_core::sip::Method;
use clearline_core::{CallInfo, CallState, EndCause, OperationError};
use clearline_interop::device::{ended, talking};
use clearline_interop::kamailio::Settings;
use clearline_interop::sipp::FarEnd;
use clearline_interop::{Device, Flow, Kamailio, within};
use clearline_native::{Call, PhoneError};

/// Alice behind Kamailio, and a far end with a script.
struct World {
    _kamailio: Kamailio,
    alice: Device,
    far_end: FarEnd,
}

async fn world(scenario: &str) -> World {
    let kamailio = Kamailio::start(Settings::default()).await;
    let alice = Device::registered(&kamailio, "alice", 1).await;
    let far_end = FarEnd::start(&kamailio, scenario).await;
    World {
        _kamailio: kamailio,
        alice,
        far_end,
    }
}

impl World {
    /// Alice calls the far end, which answers.
    async fn talking(&self) -> Call {
        let call = self.alice.call("far").await;
        talking(&call).await;
        call
    }

    /// Alice hangs up, and the script ends as written.
    async fn hang_up(self, call: &Call) {
        within(5, "hanging up", call.hang_up()).await.unwrap();
        self.ends(call, EndCause::LocalHangUp).await;
    }

    /// The call ends for that reason, and the script as written.
    async fn ends(self, call: &Call, cause: EndCause) {
        assert_eq!(ended(call).await, cause);
        self.far_end.finished().await;
    }
}

async fn when(call: &Call, what: &str, condition: impl Fn(&CallInfo) -> bool) -> CallInfo {
    let info = within(10, what, call.when(&condition)).await.unwrap();
    assert!(condition(&info), "{what}: {info:?}");
    info
}

macro_rules! cases {
    ($($(#[$doc:meta])* async fn $name:ident() $body:block)*) => {
        $($(#[$doc])*
        #[tokio::test]
        #[ignore = "needs Kamailio and SIPp: cargo xtask interop"]
        async fn $name() $body)*
    };
}

cases! {

// --- calls to the far end --------------------------------------------------------------------------------------------

async fn it_rings_and_answers() {
    let world = world("answers").await;
    let call = world.alice.call("far").await;
    when(&call, "ringing", |info| info.state == CallState::Ringing).await;
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_answers_and_hangs_up() {
    let world = world("hangs_up").await;
    let call = world.talking().await;
    world.ends(&call, EndCause::RemoteHangUp).await;
}

async fn it_announces_before_it_answers() {
    let world = world("early_media").await;
    let call = world.alice.call("far").await;
    let info = when(&call, "early media", |info| info.early_media).await;
    assert_ne!(info.state, CallState::Active);
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn what_answers_is_not_what_announced() {
    let world = world("answers_differently").await;
    let call = world.alice.call("far").await;
    when(&call, "early media", |info| info.early_media).await;
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_holds_and_resumes() {
    let world = world("holds").await;
    let call = world.talking().await;
    when(&call, "held", |info| info.remote_hold).await;
    when(&call, "resumed", |info| !info.remote_hold).await;
    world.ends(&call, EndCause::RemoteHangUp).await;
}

async fn it_asks_for_an_offer() {
    let world = world("asks_for_an_offer").await;
    let call = world.talking().await;
    when(&call, "held by the answer in ACK", |info| info.remote_hold).await;
    world.hang_up(&call).await;
}

async fn glare_is_waited_out() {
    let world = world("glare").await;
    let call = world.talking().await;
    within(10, "hold", call.hold()).await.unwrap();
    assert!(call.info().unwrap().local_hold);
    world.hang_up(&call).await;
}

async fn a_refused_change_leaves_the_call_as_it_was() {
    let world = world("refuses_hold").await;
    let call = world.talking().await;
    let refused = within(10, "hold", call.hold()).await.unwrap_err();
    assert!(
        matches!(refused, PhoneError::Operation(OperationError::Refused { status: 488, .. })),
        "{refused:?}"
    );
    let info = call.info().unwrap();
    assert!(!info.local_hold && info.state == CallState::Active, "{info:?}");
    world.hang_up(&call).await;
}

async fn an_overloaded_platform_says_when_to_try_again() {
    let world = world("is_overloaded").await;
    let call = world.alice.call("far").await;
    let end = within(10, "the end", call.ended()).await.unwrap().end.unwrap();
    assert_eq!(end.sip_status, Some(503));
    assert_eq!(end.retry_after, Some(7));
    world.far_end.finished().await;
}

/// Kamailio loses the first ACK to this number.
async fn an_answer_whose_ack_was_lost_is_acknowledged_again() {
    let world = world("answers").await;
    let call = world.alice.call("far-hard-of-hearing").await;
    talking(&call).await;
    world.alice.wire.response(Flow::Received, Method::Invite, 200, 2).await;
    world.alice.wire.request(Flow::Sent, Method::Ack, 2).await;
    world.hang_up(&call).await;
}

async fn the_answer_crosses_the_cancel() {
    let world = world("answers_a_cancel").await;
    let call = world.alice.call("far").await;
    when(&call, "ringing", |info| info.state == CallState::Ringing).await;
    within(10, "hanging up", call.hang_up()).await.unwrap();
    assert_eq!(ended(&call).await, EndCause::Cancelled);
    world.far_end.finished().await;
}

async fn a_hang_up_crosses_a_change() {
    let world = world("hangs_up_on_a_reinvite").await;
    let call = world.talking().await;
    within(10, "hold", call.hold()).await.unwrap_err();
    world.ends(&call, EndCause::RemoteHangUp).await;
}

async fn odd_answers_are_understood() {
    let world = world("answers_oddly").await;
    let call = world.alice.call("far").await;
    when(&call, "ringing", |info| info.state == CallState::Ringing).await;
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_rings_reliably() {
    let world = world("rings_reliably").await;
    let call = world.alice.call("far").await;
    when(&call, "early media", |info| info.early_media).await;
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_updates_a_session() {
    let world = world("updates_a_session").await;
    let call = world.talking().await;
    when(&call, "held", |info| info.remote_hold).await;
    world.hang_up(&call).await;
}

async fn it_refreshes_by_update() {
    let world = world("refreshes_by_update").await;
    let call = world.talking().await;
    world.alice.wire.request(Flow::Received, Method::Update, 1).await;
    world.alice.wire.response(Flow::Sent, Method::Update, 200, 1).await;
    world.hang_up(&call).await;
}

async fn it_refreshes_by_reinvite() {
    let world = world("refreshes_by_reinvite").await;
    let call = world.talking().await;
    world.alice.wire.request(Flow::Received, Method::Invite, 1).await;
    world.alice.wire.request(Flow::Received, Method::Ack, 1).await;
    let info = call.info().unwrap();
    assert!(info.state == CallState::Active && !info.remote_hold, "{info:?}");
    world.hang_up(&call).await;
}

async fn it_has_us_refresh() {
    let world = world("has_us_refresh").await;
    let call = world.talking().await;
    // Half of the least a session may have (RFC 4028 section 10).
    let refresh = world.alice.wire.response_within(60, Flow::Received, Method::Update, 200, 1);
    refresh.await;
    world.hang_up(&call).await;
}

async fn it_wants_longer_sessions() {
    let world = world("wants_longer_sessions").await;
    let call = world.talking().await;
    world.hang_up(&call).await;
}

async fn it_has_moved() {
    let world = world("has_moved").await;
    let call = world.talking().await;
    world.hang_up(&call).await;
}

// --- calls from the far end ------------------------------------------------------------------------------------------

async fn it_calls_with_an_asserted_identity() {
    let world = world("calls").await;
    let call = world.alice.incoming().await;
    let remote = call.info().unwrap().remote;
    assert_eq!((remote.display_name.as_str(), remote.user.as_str()), ("Far End", "+15550100"));
    within(5, "answering", call.answer()).await.unwrap();
    world.ends(&call, EndCause::RemoteHangUp).await;
}

async fn it_calls_without_an_offer() {
    let world = world("calls_without_an_offer").await;
    let call = world.alice.incoming().await;
    within(5, "answering", call.answer()).await.unwrap();
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_calls_reliably() {
    let world = world("calls_reliably").await;
    let call = world.alice.incoming().await;
    world.alice.wire.response(Flow::Sent, Method::Prack, 200, 1).await;
    within(5, "answering", call.answer()).await.unwrap();
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_calls_oddly() {
    let world = world("calls_oddly").await;
    let call = world.alice.incoming().await;
    assert_eq!(call.info().unwrap().remote.display_name, "Odd; \"name\", at <once>");
    within(5, "answering", call.answer()).await.unwrap();
    talking(&call).await;
    world.hang_up(&call).await;
}

async fn it_asks_what_alice_can() {
    world("asks_what_alice_can").await.far_end.finished().await;
}

async fn it_requires_what_nobody_knows() {
    let world = world("requires_the_unknown").await;
    world.far_end.finished().await;
    assert!(world.alice.phone.state().calls.is_empty(), "it never rang");
}

async fn it_gives_up() {
    let world = world("gives_up").await;
    let call = world.alice.incoming().await;
    world.ends(&call, EndCause::Missed).await;
}

}
