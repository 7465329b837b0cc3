//! Kamailio as registrar and proxy: over WebSocket, over TLS, and with topology hiding.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use clearline_core::Duration;
use clearline_core::sip::digest::Algorithm;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, EndCause, RegistrationState, RejectReason, Secret};
use clearline_interop::cable::Cable;
use clearline_interop::device::{connect, ended, talking};
use clearline_interop::kamailio::Settings;
use clearline_interop::tone::{Person, SILENCE_DB};
use clearline_interop::world::{Way, World};
use clearline_interop::{Device, Flow, Kamailio, kamailio_cases, within};

/// Where a cable to Kamailio begins, on Kamailio's address.
const CABLE_PORT: u16 = 27_090;

kamailio_cases!(ws = Ws, wss = Wss, topology_hiding = TopologyHiding; [
    calls_go_both_ways,
    both_sides_hold_and_resume,
    a_busy_callee,
    a_callee_who_declines,
    a_caller_who_gives_up,
    nobody_answers,
    one_of_two_devices_answers,
    both_hold_at_once,
    the_socket_is_cut_in_a_call,
    the_platform_restarts_in_a_call,
    audio_passes_both_ways,
]);

async fn calls_go_both_ways(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let (outgoing, incoming) = connect(alice, "bob", bob).await;
    assert_eq!(incoming.info().unwrap().remote.user, "alice");
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&incoming).await, EndCause::RemoteHangUp);
    assert_eq!(ended(&outgoing).await, EndCause::LocalHangUp);

    let (outgoing, incoming) = connect(bob, "alice", alice).await;
    within(5, "hanging up", incoming.hang_up()).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::RemoteHangUp);
}

async fn both_sides_hold_and_resume(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let (outgoing, incoming) = connect(alice, "bob", bob).await;
    for (holder, held) in [(&outgoing, &incoming), (&incoming, &outgoing)] {
        within(5, "hold", holder.hold()).await.unwrap();
        let info = within(5, "held", held.when(|info| info.remote_hold))
            .await
            .unwrap();
        assert_eq!(info.state, CallState::Active);
        within(5, "resume", holder.resume()).await.unwrap();
        let info = within(5, "resumed", held.when(|info| !info.remote_hold))
            .await
            .unwrap();
        assert_eq!(info.state, CallState::Active);
    }
}

async fn a_busy_callee(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let outgoing = alice.call("bob").await;
    bob.incoming().await.reject(RejectReason::Busy).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::Busy);
    let unknown = alice.call("nobody").await;
    assert_eq!(ended(&unknown).await, EndCause::NotFound);
}

async fn a_callee_who_declines(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let outgoing = alice.call("bob").await;
    bob.incoming().await.reject(RejectReason::Declined).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::Rejected);
}

async fn a_caller_who_gives_up(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let outgoing = alice.call("bob").await;
    let incoming = bob.incoming().await;
    outgoing
        .when(|info| info.state == CallState::Ringing)
        .await
        .unwrap();
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&incoming).await, EndCause::Missed);
    assert_eq!(ended(&outgoing).await, EndCause::Cancelled);
    alice.wire.response(Flow::Received, Method::Invite, 487, 1).await;
}

async fn nobody_answers(way: Way) {
    let settings = Settings {
        ring_ms: 2_000,
        ..way.settings()
    };
    let world = way.world_with(settings).await;
    let World { alice, bob, .. } = &world;
    let outgoing = alice.call("bob").await;
    let incoming = bob.incoming().await;
    assert_eq!(ended(&outgoing).await, EndCause::NoAnswer);
    assert_eq!(ended(&incoming).await, EndCause::Missed);
}

async fn one_of_two_devices_answers(way: Way) {
    let world = way.world().await;
    let World { kamailio, alice, bob } = &world;
    let tablet = way.device(kamailio, "bob", 3).registered().await;
    let outgoing = alice.call("bob").await;
    let (desk, sofa) = (bob.incoming().await, tablet.incoming().await);
    within(5, "answering", sofa.answer()).await.unwrap();
    talking(&outgoing).await;
    assert_eq!(ended(&desk).await, EndCause::AnsweredElsewhere);
    let cancel = bob.wire.request(Flow::Received, Method::Cancel, 1).await;
    let reason = cancel.header(HeaderName::Reason).unwrap();
    assert!(reason.contains("cause=200"), "{reason}");
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&sofa).await, EndCause::RemoteHangUp);
}

/// Glare: one of the re-INVITEs meets 491 and comes again (RFC 3261 section 14.1).
async fn both_hold_at_once(way: Way) {
    let world = way.world().await;
    let World { alice, bob, .. } = &world;
    let (outgoing, incoming) = connect(alice, "bob", bob).await;
    let (one, other) = tokio::join!(outgoing.hold(), incoming.hold());
    one.unwrap();
    other.unwrap();
    for call in [&outgoing, &incoming] {
        let info = within(10, "both hold", call.when(|info| info.local_hold))
            .await
            .unwrap();
        assert_eq!(info.state, CallState::Active);
    }
    within(10, "resume", outgoing.resume()).await.unwrap();
    within(10, "resume", incoming.resume()).await.unwrap();
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&incoming).await, EndCause::RemoteHangUp);
}

/// The address in the dialog is the device's GRUU: it leads to the new connection (RFC 5627 section 4.4).
async fn the_socket_is_cut_in_a_call(way: Way) {
    a_cut(way, way.settings()).await;
}

#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn the_socket_is_cut_where_there_is_no_gruu() {
    let settings = Settings {
        gruu: false,
        ..Settings::default()
    };
    a_cut(Way::Ws, settings).await;
}

#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn the_socket_is_cut_where_flows_are_managed() {
    let settings = Settings {
        outbound: true,
        ..Settings::default()
    };
    let register = a_cut(Way::Ws, settings).await;
    assert!(
        register.lists_token(HeaderName::Require, "outbound"),
        "RFC 5626 section 6"
    );
}

/// Alice's connection is cut in a call; the far end then changes it. Returns the answer to her last REGISTER.
async fn a_cut(way: Way, settings: Settings) -> Message {
    let has_gruu = settings.gruu;
    let kamailio = Kamailio::start(settings).await;
    let here = (kamailio.address(), CABLE_PORT).into();
    let cable = Cable::lay(here, way.server(&kamailio)).await;
    let alice = way.device(&kamailio, "alice", 1).through_port(CABLE_PORT);
    let alice = alice.registered().await;
    let bob = way.device(&kamailio, "bob", 2).registered().await;
    let (outgoing, incoming) = connect(&alice, "bob", &bob).await;

    cable.cut();
    let registered = alice
        .wire
        .response(Flow::Received, Method::Register, 200, 2)
        .await;
    if !has_gruu {
        // Her new address is known as soon as she has told it.
        alice.wire.response(Flow::Received, Method::Update, 200, 1).await;
    }
    within(10, "the far end holds", incoming.hold()).await.unwrap();
    within(5, "held", outgoing.when(|info| info.remote_hold))
        .await
        .unwrap();
    within(10, "the far end resumes", incoming.resume())
        .await
        .unwrap();
    within(10, "hold", outgoing.hold()).await.unwrap();
    within(5, "hanging up", incoming.hang_up()).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::RemoteHangUp);
    registered
}

async fn the_platform_restarts_in_a_call(way: Way) {
    let mut world = way.world().await;
    let (outgoing, incoming) = connect(&world.alice, "bob", &world.bob).await;
    world.kamailio.restart().await;
    for device in [&world.alice, &world.bob] {
        device
            .wire
            .response(Flow::Received, Method::Register, 200, 2)
            .await;
    }
    within(10, "hold", outgoing.hold()).await.unwrap();
    within(5, "held", incoming.when(|info| info.remote_hold))
        .await
        .unwrap();
    within(5, "hanging up", incoming.hang_up()).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::RemoteHangUp);
    let (again, _) = connect(&world.bob, "alice", &world.alice).await;
    within(5, "hanging up", again.hang_up()).await.unwrap();
}

async fn audio_passes_both_ways(way: Way) {
    let kamailio = Kamailio::start(way.settings()).await;
    let (high, low) = (Person::saying(1_000.0), Person::saying(440.0));
    let alice = way.device(&kamailio, "alice", 1).audio(high.clone());
    let alice = alice.registered().await;
    let bob = way.device(&kamailio, "bob", 2).audio(low.clone());
    let bob = bob.registered().await;
    let (outgoing, incoming) = connect(&alice, "bob", &bob).await;
    low.hears(1_000.0).await;
    high.hears(440.0).await;
    assert!(
        high.hear(0.5).await.level_of(1_000.0) < SILENCE_DB,
        "nobody hears himself"
    );
    within(5, "hold", outgoing.hold()).await.unwrap();
    low.hear(0.5).await;
    assert!(
        low.hear(0.5).await.level_of(1_000.0) < SILENCE_DB,
        "the held hear nothing"
    );
    within(5, "resume", outgoing.resume()).await.unwrap();
    low.hears(1_000.0).await;
    high.hears(440.0).await;
    within(5, "hanging up", incoming.hang_up()).await.unwrap();
    assert_eq!(ended(&outgoing).await, EndCause::RemoteHangUp);
}

#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn registers_with_either_digest() {
    for digest in [Algorithm::Md5, Algorithm::Sha256] {
        let kamailio = Kamailio::start(Settings {
            digest,
            ..Settings::default()
        })
        .await;
        let alice = Device::registered(&kamailio, "alice", 1).await;
        let registers = alice.wire.requests(Flow::Sent, Method::Register);
        let authorization = registers[1].header(HeaderName::Authorization).unwrap();
        let names = authorization.contains(&format!("algorithm={}", digest.as_str()));
        assert!(names, "{authorization}");
        assert!(matches!(
            alice.phone.state().registration,
            RegistrationState::Registered { bindings: 1, .. }
        ));

        let wrong = Device::builder(&kamailio, "alice", 2)
            .configure(|config| config.password = Secret::new("wrong"))
            .start();
        within(10, "refused", wrong.phone.registered()).await.unwrap_err();
    }
}

/// Half of the least a session may last, with the default for who refreshes (RFC 4028 section 10).
#[tokio::test]
#[ignore = "needs Kamailio: cargo xtask interop"]
async fn a_session_is_refreshed_in_time() {
    let kamailio = Kamailio::start(Settings::default()).await;
    let alice = Device::builder(&kamailio, "alice", 1)
        .configure(|config| config.session_expires = Some(Duration::from_secs(90)));
    let alice = alice.registered().await;
    let bob = Device::registered(&kamailio, "bob", 2).await;
    let (outgoing, incoming) = connect(&alice, "bob", &bob).await;
    let refreshed = alice
        .wire
        .response_within(60, Flow::Received, Method::Update, 200, 1)
        .await;
    let interval = refreshed.header(HeaderName::SessionExpires).unwrap();
    assert!(interval.starts_with("90"), "{interval}");
    within(5, "hanging up", outgoing.hang_up()).await.unwrap();
    assert_eq!(ended(&incoming).await, EndCause::RemoteHangUp);
}
