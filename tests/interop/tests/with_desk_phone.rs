//! A desk phone that knows nothing of WebRTC (baresip, plain RTP) behind Kamailio and rtpengine: real audio both ways.

use clearline_core::{CallState, EndCause, Event, OperationError, TransferState};
use clearline_interop::baresip::Baresip;
use clearline_interop::device::{connect, ended, speaks_only_with, talking};
use clearline_interop::kamailio::Settings;
use clearline_interop::rtpengine::Rtpengine;
use clearline_interop::tone::{Heard, Person, SAID_DB, SILENCE_DB};
use clearline_interop::{Device, Kamailio, within};
use clearline_native::PhoneError;

/// What alice says, and what the desk phone says.
const ALICE_HZ: f64 = 1_000.0;
const DESK_HZ: f64 = 440.0;
/// What bob says, whom they are connected with.
const BOB_HZ: f64 = 700.0;

struct World {
    person: Person,
    alice: Device,
    desk: Baresip,
    kamailio: Kamailio,
    _rtpengine: Rtpengine,
}

async fn world() -> World {
    let rtpengine = Rtpengine::start().await;
    let kamailio = Kamailio::start(Settings {
        media_relay: Some(rtpengine.commands()),
        ..Settings::default()
    })
    .await;
    let person = Person::saying(ALICE_HZ);
    let alice = Device::builder(&kamailio, "alice", 1).audio(person.clone());
    let alice = alice.registered().await;
    let desk = Baresip::start(&kamailio, "desk", DESK_HZ).await;
    World {
        person,
        alice,
        desk,
        kamailio,
        _rtpengine: rtpengine,
    }
}

/// Quarters of a second in which alice is heard at the level she speaks with.
fn quarters_of_alice(tape: &Heard) -> usize {
    let quarters = tape.0.chunks_exact(12_000);
    let levels = quarters.map(|part| Heard(part.to_vec()).level_of(ALICE_HZ));
    levels.filter(|level| (level - SAID_DB).abs() < 3.0).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn alice_calls_the_desk_phone() {
    let World {
        person,
        alice,
        mut desk,
        kamailio: _kamailio,
        _rtpengine,
    } = world().await;
    let call = alice.call("desk").await;
    desk.event("CALL_INCOMING").await;
    let ringing = within(5, "ringing", call.when(|info| info.state == CallState::Ringing)).await;
    assert_eq!(ringing.unwrap().state, CallState::Ringing);
    desk.command("accept", "").await;
    talking(&call).await;
    person.hears(DESK_HZ).await;
    person.hear(1.0).await;
    within(5, "hanging up", call.hang_up()).await.unwrap();
    let tape = desk.heard().await;
    assert!(quarters_of_alice(&tape) >= 3, "the desk phone hears alice");
    assert!(tape.level_of(DESK_HZ) < SILENCE_DB, "and not itself");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn the_desk_phone_calls_alice_and_keys_pass_both_ways() {
    let World {
        person,
        alice,
        mut desk,
        kamailio: _kamailio,
        _rtpengine,
    } = world().await;
    desk.dial("sip:alice@clearline.localhost").await;
    let call = alice.incoming().await;
    assert_eq!(call.info().unwrap().remote.user, "desk");
    within(5, "answering", call.answer()).await.unwrap();
    talking(&call).await;
    desk.event("CALL_ESTABLISHED").await;
    person.hears(DESK_HZ).await;

    let mut events = alice.phone.subscribe();
    within(10, "tones", call.send_dtmf("42#")).await.unwrap();
    let keys = desk.events_of("CALL_DTMF_START", 3).await;
    assert_eq!(keys.concat(), "42#");
    desk.command("sndcode", "7").await;
    let pressed = async {
        loop {
            if let Event::DtmfReceived { tone, .. } = events.recv().await.unwrap() {
                return tone;
            }
        }
    };
    assert_eq!(within(10, "a key of the desk phone", pressed).await, '7');
    person.hear(1.5).await;

    desk.command("hangup", "").await;
    assert_eq!(ended(&call).await, EndCause::RemoteHangUp);
    assert!(
        quarters_of_alice(&desk.heard().await) >= 3,
        "the desk phone hears alice"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn either_side_holds_and_is_not_heard() {
    let World {
        person,
        alice,
        mut desk,
        kamailio: _kamailio,
        _rtpengine,
    } = world().await;
    let call = alice.call("desk").await;
    desk.event("CALL_INCOMING").await;
    desk.command("accept", "").await;
    talking(&call).await;
    person.hears(DESK_HZ).await;
    person.hear(1.0).await;

    within(5, "hold", call.hold()).await.unwrap();
    person.hear(1.5).await;
    assert!(
        person.hear(0.5).await.level_of(DESK_HZ) < SILENCE_DB,
        "the held may not send"
    );
    within(5, "resume", call.resume()).await.unwrap();
    person.hears(DESK_HZ).await;
    person.hear(1.0).await;

    desk.command("hold", "").await;
    within(5, "held", call.when(|info| info.remote_hold))
        .await
        .unwrap();
    person.hear(0.5).await;
    assert!(
        person.hear(0.5).await.level_of(DESK_HZ) < SILENCE_DB,
        "who holds is not heard"
    );
    desk.command("resume", "").await;
    within(5, "resumed", call.when(|info| !info.remote_hold))
        .await
        .unwrap();
    person.hears(DESK_HZ).await;
    within(5, "hanging up", call.hang_up()).await.unwrap();
    assert!(
        quarters_of_alice(&desk.heard().await) >= 3,
        "the desk phone heard alice before"
    );
}

/// The desk phone says nothing of who has sent it; bob sees whom he speaks with all the same.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn the_desk_phone_is_sent_on() {
    let World {
        person,
        alice,
        mut desk,
        kamailio,
        _rtpengine,
    } = world().await;
    let listener = Person::saying(BOB_HZ);
    let bob = Device::builder(&kamailio, "bob", 2).audio(listener.clone());
    let bob = bob.registered().await;
    let call = alice.call("desk").await;
    desk.event("CALL_INCOMING").await;
    desk.command("accept", "").await;
    talking(&call).await;
    person.hears(DESK_HZ).await;

    let answer = async {
        let incoming = bob.incoming().await;
        assert_eq!(incoming.info().unwrap().remote.user, "desk");
        incoming.answer().await.unwrap();
        incoming
    };
    let sent = async { tokio::join!(call.transfer("bob"), answer) };
    let (sent, at_bob) = within(15, "transfer", sent).await;
    sent.unwrap();
    assert_eq!(ended(&call).await, EndCause::Transferred);
    talking(&at_bob).await;
    listener.hears(DESK_HZ).await;
    within(5, "hanging up", at_bob.hang_up()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn a_caller_is_sent_to_the_desk_phone() {
    let World {
        alice,
        mut desk,
        kamailio,
        person: _person,
        _rtpengine,
    } = world().await;
    let listener = Person::saying(BOB_HZ);
    let bob = Device::builder(&kamailio, "bob", 2).audio(listener.clone());
    let bob = bob.registered().await;
    let (at_bob, at_alice) = connect(&bob, "alice", &alice).await;
    let answer = async {
        desk.event("CALL_INCOMING").await;
        desk.command("accept", "").await;
    };
    let sent = async { tokio::join!(at_alice.transfer("desk"), answer) };
    let (sent, ()) = within(15, "transfer", sent).await;
    sent.unwrap();
    assert_eq!(ended(&at_bob).await, EndCause::Transferred);
    let with_desk = speaks_only_with(&bob, "desk").await;
    listener.hears(DESK_HZ).await;
    desk.command("hangup", "").await;
    assert_eq!(ended(&with_desk).await, EndCause::RemoteHangUp);
}

/// baresip 1.0 does not know Replaces (420): both calls stay what they were, and the caller can be sent there at once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kamailio, rtpengine and baresip: cargo xtask interop"]
async fn a_desk_phone_that_was_asked_and_cannot_be_joined() {
    let World {
        alice,
        mut desk,
        kamailio,
        person: _person,
        _rtpengine,
    } = world().await;
    let bob = Device::builder(&kamailio, "bob", 2).audio(Person::saying(BOB_HZ));
    let bob = bob.registered().await;
    let (at_bob, at_alice) = connect(&bob, "alice", &alice).await;
    let asking = within(10, "asking", at_alice.consult("desk")).await.unwrap();
    desk.event("CALL_INCOMING").await;
    desk.command("accept", "").await;
    talking(&asking).await;
    let refused = within(15, "joining", at_alice.transfer_to(asking.id())).await;
    let Err(PhoneError::Operation(OperationError::TargetFailed { status, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(status, 420);
    let info = at_alice.info().unwrap();
    assert_eq!(
        info.transfer,
        Some(TransferState::Consulting { with: asking.id() })
    );
    assert_eq!(asking.info().unwrap().state, CallState::Active);
    within(10, "cancelled", at_alice.cancel_transfer()).await.unwrap();
    speaks_only_with(&alice, "bob").await;
    within(5, "hanging up", at_bob.hang_up()).await.unwrap();
}
