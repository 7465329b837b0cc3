//! Kamailio as the platform of a switchboard: calls that are sent on, asked about, swapped, and taken by another device.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use clearline_core::sip::{HeaderName, Method};
use clearline_core::{
    CallState, CommandError, EndCause, OperationError, RejectReason, RemoteCall, RemoteCallId,
    RemoteCallState, TransferState,
};
use clearline_interop::device::{connect, ended, speaks_only_with, talking};
use clearline_interop::kamailio::Settings;
use clearline_interop::world::{Way, World};
use clearline_interop::{Device, Flow, Kamailio, kamailio_cases, within};
use clearline_native::{Call, PhoneError};

kamailio_cases!(ws = Ws, wss = Wss, topology_hiding = TopologyHiding; [
    a_caller_is_sent_on,
    a_callee_is_sent_on,
    a_caller_comes_back_when_the_target_is_busy_unknown_or_away,
    the_target_is_asked_first,
    the_device_that_was_asked_gets_the_call,
    a_target_that_only_rings_is_called_by_the_caller,
    a_call_is_sent_to_ones_own_other_device,
    nobody_is_sent_to_himself,
    of_three_devices_one_is_busy_and_one_answers,
    one_of_two_calls_is_held_in_turn,
]);

/// Carol's telephone, number 3.
async fn carol(way: Way, world: &World) -> Device {
    way.device(&world.kamailio, "carol", 3).registered().await
}

/// The two talk to each other and to nobody else; the device that brought them together has no call left.
async fn are_left_together(one: (&Device, &str), other: (&Device, &str), gone: &Device) {
    speaks_only_with(one.0, other.1).await;
    let call = speaks_only_with(other.0, one.1).await;
    let mut state = gone.phone.watch();
    within(
        10,
        "no call is left",
        state.wait_for(|state| state.calls.is_empty()),
    )
    .await
    .unwrap();
    within(5, "hanging up", call.hang_up()).await.unwrap();
    let mut state = one.0.phone.watch();
    within(
        10,
        "the other end too",
        state.wait_for(|state| state.calls.is_empty()),
    )
    .await
    .unwrap();
}

/// The call of `transferor` with `party` is what it was, and says why.
async fn comes_back(transferor: (&Device, &Call), party: &Call, failure: &Result<(), PhoneError>, why: u16) {
    let Err(PhoneError::Operation(OperationError::TargetFailed { status, .. })) = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(*status, why);
    let back = |info: &clearline_core::CallInfo| {
        info.state == CallState::Active && !info.local_hold && !info.remote_hold && !info.negotiating
    };
    let info = within(10, "it is back", transferor.1.when(back)).await.unwrap();
    assert!(
        matches!(info.transfer, Some(TransferState::Failed { .. })),
        "{info:?}"
    );
    within(10, "so is the party", party.when(back)).await.unwrap();
    speaks_only_with(transferor.0, "bob").await;
}

async fn a_caller_is_sent_on(way: Way) {
    let world = way.world().await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (at_bob, at_alice) = connect(bob, "alice", alice).await;
    let answer = async {
        let call = carol.incoming().await;
        let info = call.info().unwrap();
        assert_eq!(info.remote.user, "bob");
        let invite = &carol.wire.requests(Flow::Received, Method::Invite)[0];
        let sender = invite.header(HeaderName::ReferredBy).unwrap();
        assert!(sender.contains("sip:alice@"), "{sender}");
        call.answer().await.unwrap();
    };
    let (sent, ()) = within(15, "transfer", async {
        tokio::join!(at_alice.transfer("carol"), answer)
    })
    .await;
    sent.unwrap();
    assert_eq!(ended(&at_alice).await, EndCause::Transferred);
    assert_eq!(ended(&at_bob).await, EndCause::Transferred);
    are_left_together((bob, "bob"), (&carol, "carol"), alice).await;
}

async fn a_callee_is_sent_on(way: Way) {
    let world = way.world().await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (at_alice, _) = connect(alice, "bob", bob).await;
    let answer = async { carol.incoming().await.answer().await.unwrap() };
    let (sent, ()) = within(15, "transfer", async {
        tokio::join!(at_alice.transfer("carol"), answer)
    })
    .await;
    sent.unwrap();
    are_left_together((bob, "bob"), (&carol, "carol"), alice).await;
}

async fn a_caller_comes_back_when_the_target_is_busy_unknown_or_away(way: Way) {
    let settings = Settings {
        ring_ms: 2_000,
        ..way.settings()
    };
    let world = way.world_with(settings).await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (at_bob, at_alice) = connect(bob, "alice", alice).await;

    let decline = async { carol.incoming().await.reject(RejectReason::Busy).await.unwrap() };
    let (busy, ()) = within(15, "busy", async {
        tokio::join!(at_alice.transfer("carol"), decline)
    })
    .await;
    comes_back((alice, &at_alice), &at_bob, &busy, 486).await;

    let unknown = within(15, "unknown", at_alice.transfer("nobody")).await;
    comes_back((alice, &at_alice), &at_bob, &unknown, 404).await;

    let missed = async { ended(&carol.incoming().await).await };
    let (away, missed) = within(15, "away", async {
        tokio::join!(at_alice.transfer("carol"), missed)
    })
    .await;
    comes_back((alice, &at_alice), &at_bob, &away, 408).await;
    assert_eq!(missed, EndCause::Missed);
}

async fn the_target_is_asked_first(way: Way) {
    asked_first(way, way.settings()).await;
}

/// Where nothing but the number leads to the device that was asked.
#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn the_target_is_asked_first_where_there_is_no_gruu() {
    let settings = Settings {
        gruu: false,
        ..Settings::default()
    };
    asked_first(Way::Ws, settings).await;
}

async fn asked_first(way: Way, settings: Settings) {
    let world = way.world_with(settings).await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (at_bob, at_alice) = connect(bob, "alice", alice).await;
    let asking = ask(&at_alice, &carol).await;
    let info = at_bob.when(|info| info.remote_hold).await.unwrap();
    assert_eq!(info.state, CallState::Active);
    within(15, "transfer", at_alice.transfer_to(asking.id()))
        .await
        .unwrap();
    for call in [&at_alice, &asking, &at_bob] {
        assert_eq!(ended(call).await, EndCause::Transferred);
    }
    let invite = carol.wire.request(Flow::Received, Method::Invite, 2).await;
    assert!(invite.header(HeaderName::Replaces).is_some());
    are_left_together((bob, "bob"), (&carol, "carol"), alice).await;
}

/// `call` waits while carol is asked, who answers.
async fn ask(call: &Call, carol: &Device) -> Call {
    let asking = within(10, "asking", call.consult("carol")).await.unwrap();
    within(10, "answering", carol.incoming().await.answer())
        .await
        .unwrap();
    talking(&asking).await;
    asking
}

async fn the_device_that_was_asked_gets_the_call(way: Way) {
    let world = way.world().await;
    let carol = carol(way, &world).await;
    let tablet = way.device(&world.kamailio, "carol", 4).registered().await;
    let World { alice, bob, .. } = &world;
    let (_, at_alice) = connect(bob, "alice", alice).await;
    let asking = within(10, "asking", at_alice.consult("carol")).await.unwrap();
    let (elsewhere, asked) = (carol.incoming().await, tablet.incoming().await);
    within(10, "answering", asked.answer()).await.unwrap();
    talking(&asking).await;
    assert_eq!(ended(&elsewhere).await, EndCause::AnsweredElsewhere);
    within(15, "transfer", at_alice.transfer_to(asking.id()))
        .await
        .unwrap();
    are_left_together((bob, "bob"), (&tablet, "carol"), alice).await;
    assert_eq!(
        carol.phone.state().ended.len(),
        1,
        "the other one has not rung again"
    );
}

/// RFC 5589 section 7.6.
async fn a_target_that_only_rings_is_called_by_the_caller(way: Way) {
    let world = way.world().await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (_, at_alice) = connect(bob, "alice", alice).await;
    let asking = within(10, "asking", at_alice.consult("carol")).await.unwrap();
    let first = carol.incoming().await;
    within(
        10,
        "it rings",
        asking.when(|info| info.state == CallState::Ringing),
    )
    .await
    .unwrap();
    let answer = async {
        assert_eq!(ended(&first).await, EndCause::Missed);
        carol.incoming().await.answer().await.unwrap();
    };
    let transfer = at_alice.transfer_to(asking.id());
    let (sent, ()) = within(15, "transfer", async { tokio::join!(transfer, answer) }).await;
    sent.unwrap();
    are_left_together((bob, "bob"), (&carol, "carol"), alice).await;
}

async fn a_call_is_sent_to_ones_own_other_device(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let (at_bob, at_alice) = connect(bob, "alice", alice).await;
    // There is none yet.
    let alone = within(15, "nobody", at_alice.push()).await;
    assert!(alone.is_err(), "{alone:?}");
    speaks_only_with(alice, "bob").await;

    let tablet = way.device(&world.kamailio, "alice", 4).registered().await;
    let answer = async { tablet.incoming().await.answer().await.unwrap() };
    let (sent, ()) = within(15, "push", async { tokio::join!(at_alice.push(), answer) }).await;
    sent.unwrap();
    assert_eq!(ended(&at_bob).await, EndCause::Transferred);
    are_left_together((bob, "bob"), (&tablet, "alice"), alice).await;
    let rung = alice.phone.state().ended.len();
    assert_eq!(rung, 1, "the sending device has shown no second call");
}

async fn nobody_is_sent_to_himself(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let (at_bob, at_alice) = connect(bob, "alice", alice).await;
    let refused = at_alice.transfer("bob").await;
    assert_eq!(refused, Err(PhoneError::Command(CommandError::InvalidTarget)));
    assert!(at_bob.info().is_some_and(|info| !info.remote_hold));
}

async fn of_three_devices_one_is_busy_and_one_answers(way: Way) {
    let world = way.world().await;
    let World { kamailio, alice, bob } = &world;
    let sofa = way.device(kamailio, "bob", 3).registered().await;
    let desk = way.device(kamailio, "bob", 4).registered().await;
    let outgoing = alice.call("bob").await;
    let (ringing, busy, taken) = (bob.incoming().await, sofa.incoming().await, desk.incoming().await);
    busy.reject(RejectReason::Busy).await.unwrap();
    sofa.wire.request(Flow::Received, Method::Ack, 1).await;
    assert_eq!(ringing.info().unwrap().state, CallState::Incoming);
    within(5, "answering", taken.answer()).await.unwrap();
    talking(&outgoing).await;
    assert_eq!(ended(&ringing).await, EndCause::AnsweredElsewhere);
    let cancel = bob.wire.request(Flow::Received, Method::Cancel, 1).await;
    let reason = cancel.header(HeaderName::Reason).unwrap();
    assert!(reason.contains("cause=200"), "{reason}");
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&taken).await, EndCause::RemoteHangUp);
}

async fn one_of_two_calls_is_held_in_turn(way: Way) {
    let world = way.world().await;
    let carol = carol(way, &world).await;
    let World { alice, bob, .. } = &world;
    let (with_bob, at_bob) = connect(alice, "bob", bob).await;
    within(5, "hold", with_bob.hold()).await.unwrap();
    let (with_carol, at_carol) = connect(alice, "carol", &carol).await;
    for (taken, heard, held) in [
        (&with_bob, &at_bob, &at_carol),
        (&with_carol, &at_carol, &at_bob),
        (&with_bob, &at_bob, &at_carol),
    ] {
        within(10, "swap", taken.swap_to()).await.unwrap();
        within(5, "held", held.when(|info| info.remote_hold))
            .await
            .unwrap();
        within(5, "heard", heard.when(|info| !info.remote_hold))
            .await
            .unwrap();
    }
    let refused = with_bob.swap_to().await;
    assert_eq!(refused, Err(PhoneError::Command(CommandError::WrongState)));
    within(5, "hanging up", with_bob.hang_up()).await.unwrap();
    assert_eq!(ended(&at_bob).await, EndCause::RemoteHangUp);
    assert!(at_carol.info().unwrap().remote_hold, "the other one waits on");
}

/// Kamailio tells the dialogs it sees (`presence_dialoginfo`); the call goes on, and nobody but bob decides.
#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn a_call_is_taken_over_by_ones_own_other_device() {
    let kamailio = Kamailio::start(Settings {
        dialog_events: true,
        ..Settings::default()
    })
    .await;
    let desk = following(&kamailio, 1).await;
    let bob = Device::registered(&kamailio, "bob", 2).await;
    let (at_bob, at_desk) = connect(&bob, "alice", &desk).await;
    let tablet = following(&kamailio, 3).await;
    let there = pullable(&tablet, "bob").await;
    let taken = tablet.phone.pull(there).await.unwrap();
    talking(&taken).await;
    assert_eq!(ended(&at_desk).await, EndCause::AnsweredElsewhere);
    let info = at_bob.info().unwrap();
    assert_eq!(
        (info.state, info.remote.user.as_str()),
        (CallState::Active, "alice")
    );

    // And back again.
    let there = pullable(&desk, "bob").await;
    let back = desk.phone.pull(there).await.unwrap();
    talking(&back).await;
    assert_eq!(ended(&taken).await, EndCause::AnsweredElsewhere);
    within(5, "hanging up", at_bob.hang_up()).await.unwrap();
    assert_eq!(ended(&back).await, EndCause::RemoteHangUp);
    let mut state = tablet.phone.watch();
    within(
        10,
        "no call is shown",
        state.wait_for(|state| state.remote_calls.is_empty()),
    )
    .await
    .unwrap();
}

/// A device of alice that is told what her other ones do.
async fn following(kamailio: &Kamailio, number: u8) -> Device {
    let device = Device::builder(kamailio, "alice", number);
    device
        .configure(|config| config.remote_calls = true)
        .registered()
        .await
}

/// Waits until the device is told of an answered call with `user` on another one, and of no other.
async fn pullable(device: &Device, user: &str) -> RemoteCallId {
    let is_it = |call: &RemoteCall| {
        call.remote.user == user && call.state == RemoteCallState::Active && call.can_be_pulled
    };
    let mut state = device.phone.watch();
    let told = state.wait_for(|state| state.remote_calls.len() == 1 && state.remote_calls.iter().all(is_it));
    let told = within(10, "the other device's call is shown", told)
        .await
        .unwrap();
    told.remote_calls[0].id
}

/// Where every message loses what it tells of the other leg (`topos`).
#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn a_call_is_taken_over_where_the_topology_is_hidden() {
    let kamailio = Kamailio::start(Settings {
        dialog_events: true,
        topology_hiding: true,
        ..Settings::default()
    })
    .await;
    let desk = following(&kamailio, 1).await;
    let bob = Device::registered(&kamailio, "bob", 2).await;
    let (at_bob, at_desk) = connect(&bob, "alice", &desk).await;
    let tablet = following(&kamailio, 3).await;
    let there = pullable(&tablet, "bob").await;
    let taken = tablet.phone.pull(there).await.unwrap();
    talking(&taken).await;
    assert_eq!(ended(&at_desk).await, EndCause::AnsweredElsewhere);
    within(5, "hanging up", at_bob.hang_up()).await.unwrap();
    assert_eq!(ended(&taken).await, EndCause::RemoteHangUp);
}
