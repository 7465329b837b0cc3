//! Phones that call each other through the embedded platform, with real media.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/platform.rs"]
#[expect(dead_code, reason = "the WebSocket is for the program's tests")]
mod platform;
mod support;
#[path = "support/within.rs"]
mod within;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use clearline_core::media::{Level, RingTone, TonePlan};
use clearline_core::sip::UriBuf;
use clearline_core::{CallState, Config, EndCause, Event, MediaTransport, RejectReason, Secret};
use clearline_native::audio::{AudioProvider, AudioSink};
use clearline_native::ringer::{Output, Ringer, RingerSettings};
use clearline_native::transport::ChannelTransport;
use clearline_native::{Call, EchoAudio, Phone, PhoneError, RegistrationError};
use platform::{DOMAIN, PASSWORD};
use support::{Person, similarity, voice};
use within::within;

const USERS: &[(&str, &str)] = &[("alice", "101"), ("bob", "102"), ("echo", "600")];

fn config(user: &str) -> Config {
    let address = UriBuf::parse(format!("sip:{user}@{DOMAIN}")).unwrap();
    let instance = format!(
        "urn:uuid:00000000-0000-4000-8000-{:0>12x}",
        user.len() * 1_000 + usize::from(user.as_bytes()[0])
    );
    let mut config = Config::new(address, "ws://in-process/sip", instance);
    config.password = Secret::new(PASSWORD);
    config
}

async fn phone(config: Config, transport: &ChannelTransport, audio: impl AudioProvider) -> Phone {
    let phone = Phone::builder(config)
        .transport(transport.clone())
        .audio(audio)
        .start()
        .unwrap();
    phone.registered().await.unwrap();
    phone
}

/// Alice calls bob, and bob answers.
async fn conversation() -> (Phone, Person, Call, Phone, Person, Call) {
    let transport = platform::start(USERS);
    let (alice_person, bob_person) = (Person::speaking(voice(1, 60)), Person::speaking(voice(2, 60)));
    let alice = phone(config("alice"), &transport, alice_person.clone()).await;
    let bob = phone(config("bob"), &transport, bob_person.clone()).await;
    let outgoing = alice.call("102").await.unwrap();
    let incoming = within(5, bob.incoming()).await.unwrap();
    incoming.answer().await.unwrap();
    within(5, outgoing.answered()).await.unwrap();
    for call in [&outgoing, &incoming] {
        let connected = call.when(|info| info.media == MediaTransport::Connected);
        assert_eq!(within(5, connected).await.unwrap().state, CallState::Active);
    }
    (alice, alice_person, outgoing, bob, bob_person, incoming)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_and_one_hangs_up() {
    let (alice, alice_person, outgoing, bob, bob_person, incoming) = conversation().await;
    assert_eq!(incoming.info().unwrap().remote.user, "alice");
    bob_person.hear(3.0).await;
    let (at_bob, at_alice) = (bob_person.heard(), alice_person.heard());
    let right = [
        similarity(alice_person.said(), &at_bob, 0.6),
        similarity(bob_person.said(), &at_alice, 0.6),
    ];
    let wrong = similarity(bob_person.said(), &at_bob, 0.6);
    assert!(
        right.iter().all(|&score| score > 0.8) && wrong < 0.6,
        "{right:?} {wrong}"
    );

    outgoing.hang_up().await.unwrap();
    let (here, there) = (
        within(5, outgoing.ended()).await.unwrap(),
        within(5, incoming.ended()).await.unwrap(),
    );
    assert_eq!(here.end.unwrap().cause, EndCause::LocalHangUp);
    assert_eq!(there.end.unwrap().cause, EndCause::RemoteHangUp);
    assert!(
        matches!(outgoing.hang_up().await, Err(PhoneError::Command(_))),
        "twice is an error, not a panic"
    );
    within(5, alice.stop()).await;
    within(5, bob.stop()).await;
    assert!(alice.state().stopped && matches!(alice.call("102").await, Err(PhoneError::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_mute_and_digits_reach_the_other_side() {
    let (_alice, alice_person, outgoing, bob, bob_person, incoming) = conversation().await;
    within(5, outgoing.hold()).await.unwrap();
    assert!(
        within(5, incoming.when(|info| info.remote_hold))
            .await
            .unwrap()
            .remote_hold
    );
    assert!(outgoing.info().unwrap().local_hold);
    alice_person.hear(0.5).await;
    assert!(Level::of(&alice_person.hear(0.5).await).rms_dbfs() < -80.0);
    within(5, outgoing.resume()).await.unwrap();
    assert!(
        !within(5, incoming.when(|info| !info.remote_hold))
            .await
            .unwrap()
            .remote_hold
    );

    outgoing.set_muted(true).await.unwrap();
    bob_person.hear(0.5).await;
    assert!(Level::of(&bob_person.hear(0.5).await).rms_dbfs() < -80.0);
    outgoing.set_muted(false).await.unwrap();
    bob_person.hear(0.5).await;
    assert!(Level::of(&bob_person.hear(0.5).await).rms_dbfs() > -40.0);

    let mut events = bob.subscribe();
    within(10, outgoing.send_dtmf("42#")).await.unwrap();
    let mut tones = String::new();
    while tones.len() < 3 {
        if let Event::DtmfReceived { tone, .. } = within(5, events.recv()).await.unwrap() {
            tones.push(tone);
        }
    }
    assert_eq!(tones, "42#");
    assert!(matches!(
        outgoing.send_dtmf("x").await,
        Err(PhoneError::Command(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_says_it_again_a_second_later() {
    let transport = platform::start(USERS);
    let mut service = config("echo");
    service.auto_answer = true;
    let _echo = phone(service, &transport, EchoAudio::default()).await;
    let person = Person::speaking(voice(5, 60));
    let alice = phone(config("alice"), &transport, person.clone()).await;
    let call = alice.call("600").await.unwrap();
    within(5, call.answered()).await.unwrap();
    within(20, person.hear(5.0)).await;
    let heard = person.heard();
    assert!(
        Level::of(&heard[..48_000 * 9 / 10]).rms_dbfs() < -80.0,
        "nothing comes back at once"
    );
    let similar = similarity(person.said(), &heard, 1.6);
    assert!(similar > 0.75, "{similar}");
    call.hang_up().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_decline_and_unknown_numbers_are_told_apart() {
    let transport = platform::start(USERS);
    let alice = phone(config("alice"), &transport, clearline_native::audio::Silence).await;
    let bob = phone(config("bob"), &transport, clearline_native::audio::Silence).await;

    let call = alice.call("102").await.unwrap();
    within(5, bob.incoming())
        .await
        .unwrap()
        .reject(RejectReason::Declined)
        .await
        .unwrap();
    assert_eq!(
        within(5, call.ended()).await.unwrap().end.unwrap().cause,
        EndCause::Rejected
    );

    let call = alice.call("102").await.unwrap();
    within(5, bob.incoming())
        .await
        .unwrap()
        .reject(RejectReason::Busy)
        .await
        .unwrap();
    assert_eq!(
        within(5, call.ended()).await.unwrap().end.unwrap().cause,
        EndCause::Busy
    );

    let call = alice.call("999").await.unwrap();
    assert_eq!(
        within(5, call.ended()).await.unwrap().end.unwrap().cause,
        EndCause::NotFound
    );

    let call = alice.call("102").await.unwrap();
    let ringing = within(5, bob.incoming()).await.unwrap();
    call.hang_up().await.unwrap();
    assert_eq!(
        within(5, ringing.ended()).await.unwrap().end.unwrap().cause,
        EndCause::Missed
    );
    assert_eq!(
        within(5, call.ended()).await.unwrap().end.unwrap().cause,
        EndCause::Cancelled
    );
    assert!(alice.call("not a number\r\n").await.is_err());
}

/// What a ringer has played, and the output it has open.
#[derive(Clone, Default)]
struct Heard {
    sounds: Arc<Mutex<Vec<Played>>>,
    open: Arc<Mutex<Option<Output>>>,
}

#[derive(Clone)]
struct Played {
    output: Output,
    samples: Vec<i16>,
}

struct Horn(Heard);

impl AudioSink for Horn {
    fn write(&mut self, frame: &[i16]) {
        let mut sounds = self.0.sounds.lock().unwrap();
        sounds.last_mut().unwrap().samples.extend_from_slice(frame);
    }
}

impl Drop for Horn {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap() = None;
    }
}

impl Heard {
    fn ringer(&self, phone: &Phone) -> Ringer {
        let settings = RingerSettings {
            ring: Some(RingTone::Classic),
            tones: TonePlan::of("DE"),
        };
        let heard = self.clone();
        Ringer::start(phone, settings, move |output| {
            let samples = Vec::new();
            heard.sounds.lock().unwrap().push(Played { output, samples });
            *heard.open.lock().unwrap() = Some(output);
            Ok(Box::new(Horn(heard.clone())))
        })
    }

    /// The last sound, once it is `seconds` long.
    async fn sound(&self, output: Output, seconds: f64) -> Vec<i16> {
        loop {
            let last = self.sounds.lock().unwrap().last().cloned();
            if let Some(Played { samples, .. }) = last.filter(|last| last.output == output)
                && samples.len() as f64 >= seconds * 48_000.0
            {
                return samples;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn silence(&self) {
        while self.open.lock().unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The share of the sound that is at `hertz` (Goertzel).
fn share_at(samples: &[i16], hertz: f64) -> f64 {
    let turn = hertz / 48_000.0 * std::f64::consts::TAU;
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 1.0);
    for (at, sample) in samples.iter().enumerate() {
        let sample = f64::from(*sample);
        real += sample * (turn * at as f64).cos();
        imaginary += sample * (turn * at as f64).sin();
        energy += sample * sample;
    }
    2.0 * (real * real + imaginary * imaginary) / (energy * samples.len() as f64)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_heard_to_ring_on_both_sides_and_to_be_busy() {
    let transport = platform::start(USERS);
    let alice = phone(config("alice"), &transport, clearline_native::audio::Silence).await;
    let bob = phone(config("bob"), &transport, clearline_native::audio::Silence).await;
    let (at_alice, at_bob) = (Heard::default(), Heard::default());
    let (_alices, _bobs) = (at_alice.ringer(&alice), at_bob.ringer(&bob));

    alice.call("102").await.unwrap();
    let incoming = within(5, bob.incoming()).await.unwrap();
    let ringback = within(5, at_alice.sound(Output::Speaker, 0.8)).await;
    assert!(share_at(&ringback[4_800..], 425.0) > 0.9, "the German tone");
    let ring = within(5, at_bob.sound(Output::Ringer, 0.8)).await;
    let stroke = &ring[..3_840];
    let share = share_at(stroke, 1_040.0) + share_at(stroke, 2_080.0);
    assert!(share > 0.5, "the classic bell: {share}");

    incoming.reject(RejectReason::Busy).await.unwrap();
    within(5, at_bob.silence()).await;
    within(5, at_alice.sound(Output::Speaker, 2.5)).await;
    within(10, at_alice.silence()).await;
    let all = at_alice.sound(Output::Speaker, 2.5).await;
    // 480 ms of sound and of silence in turn.
    let loud = all[all.len() - 2 * 48_000..]
        .chunks(480)
        .filter(|piece| !Level::of(piece).is_silent());
    let loud = loud.count();
    assert!((80..120).contains(&loud), "{loud} of 200 pieces are loud");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_no_louder_than_the_talk_it_waits_for() {
    let (alice, _, _outgoing, bob, _, _incoming) = conversation().await;
    let at_bob = Heard::default();
    let bobs = at_bob.ringer(&bob);
    bobs.key('5');
    let key = within(5, at_bob.sound(Output::Speaker, 0.1)).await;
    assert!(share_at(&key[..4_800], 770.0) > 0.3 && share_at(&key[..4_800], 1_336.0) > 0.4);
    within(5, at_bob.silence()).await;
    alice.call("102").await.unwrap();
    let beep = within(10, at_bob.sound(Output::Speaker, 0.3)).await;
    assert!(
        share_at(&beep[..9_600], 425.0) > 0.9,
        "a beep in the ear and no bell"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_absent_platforms_are_told_apart() {
    let transport = platform::start(USERS);
    let mut wrong = config("alice");
    wrong.password = Secret::new("wrong");
    let phone = Phone::builder(wrong).transport(transport).start().unwrap();
    let refused = within(10, phone.registered()).await.unwrap_err();
    assert!(
        matches!(
            refused,
            RegistrationError::Refused {
                credentials_rejected: true,
                ..
            }
        ),
        "{refused:?}"
    );

    let (transport, listener) = ChannelTransport::new();
    drop(listener);
    let phone = Phone::builder(config("alice"))
        .transport(transport)
        .start()
        .unwrap();
    let unreachable = within(10, phone.registered()).await.unwrap_err();
    assert!(
        matches!(unreachable, RegistrationError::Unreachable(_)),
        "{unreachable:?}"
    );
    within(5, phone.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_handles_are_dropped_lets_go_of_its_connection() {
    let (transport, mut listener) = ChannelTransport::new();
    let phone = Phone::builder(config("alice"))
        .transport(transport)
        .start()
        .unwrap();
    let mut connection = within(5, listener.accept()).await.unwrap();
    within(5, connection.incoming.recv()).await.expect("a REGISTER");
    drop(phone);
    let end = async { while connection.incoming.recv().await.is_some() {} };
    within(5, end).await;
}
