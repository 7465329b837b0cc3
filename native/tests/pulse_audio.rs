//! The program with a real sound system: PulseAudio, with sinks that nobody hears.
//!
//! Needs PulseAudio and its tools, which `cargo xtask test` installs; elsewhere than on Linux there is none.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/platform.rs"]
mod platform;
#[path = "support/pulse.rs"]
mod pulse;
#[expect(dead_code, reason = "what is heard is compared by its loudness only")]
mod support;

use std::process::Stdio;
use std::time::Duration;

use clearline_core::sip::UriBuf;
use clearline_core::{Config, Secret};
use clearline_native::Phone;
use platform::{DOMAIN, PASSWORD};
use pulse::Pulse;
use serde_json::Value;
use support::{Person, voice};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Whatever is waited for comes before that.
const PATIENCE: Duration = Duration::from_secs(30);

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

/// `clearline phone` at the sinks of `pulse`.
struct Program {
    _child: Child,
    orders: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
}

impl Program {
    async fn start(pulse: &Pulse, url: &str, options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_clearline"))
            .args(["phone", "--json", "--server", url, "--user", "alice"])
            .args(options)
            .env("CLEARLINE_PASSWORD", PASSWORD)
            .env("PULSE_SERVER", pulse.address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (orders, events) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let events = BufReader::new(events).lines();
        let mut program = Self {
            _child: child,
            orders,
            events,
        };
        program.event(|event| event["event"] == "registered").await;
        program
    }

    async fn order(&mut self, order: &str) {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await
            .unwrap();
    }

    /// The next event that is meant.
    async fn event(&mut self, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = in_time(self.events.next_line()).await.unwrap().unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            if is_meant(&event) {
                return event;
            }
        }
    }

    async fn uses(&mut self, kind: &str, device: &str) {
        let id = format!("pulseaudio:{device}");
        self.event(|event| event["event"] == "device-in-use" && event["kind"] == kind && event["id"] == *id)
            .await;
    }
}

/// Waits until something sounds at `sink`.
async fn sounds(pulse: &Pulse, sink: &str) {
    let mut child = Command::new("parec")
        .args([
            "--raw",
            "--format=s16le",
            "--rate=48000",
            "--channels=1",
            "--latency-msec=20",
        ])
        .arg(format!("--device={sink}.monitor"))
        .env("PULSE_SERVER", pulse.address())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut samples = child.stdout.take().unwrap();
    let mut sample = [0; 2];
    while i16::from_le_bytes(sample).unsigned_abs() < 1_000 {
        in_time(samples.read_exact(&mut sample)).await.unwrap();
    }
}

async fn person(transport: clearline_native::transport::ChannelTransport) -> (Phone, Person) {
    let address = UriBuf::parse(format!("sip:bob@{DOMAIN}")).unwrap();
    let mut config = Config::new(
        address,
        "ws://in-process/",
        "urn:uuid:00000000-0000-4000-8000-000000000102",
    );
    config.password = Secret::new(PASSWORD);
    let person = Person::speaking(voice(2, 120));
    let phone = Phone::builder(config)
        .transport(transport)
        .audio(person.clone())
        .start()
        .unwrap();
    phone.registered().await.unwrap();
    (phone, person)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_while_its_headset_is_unplugged_and_plugged_in_again() {
    let pulse = Pulse::start(&["desk", "headset"]).expect("PulseAudio is installed");
    let transport = platform::start(&[("alice", "101"), ("bob", "102")]);
    let url = platform::listen(transport.clone()).await;
    let (bob, at_bob) = person(transport).await;
    let devices = [
        "--input",
        "pulseaudio:headset.monitor",
        "--output",
        "pulseaudio:headset",
    ];
    let mut alice = Program::start(&pulse, &url, &[&devices[..], &["--no-voice-processing"]].concat()).await;
    alice.order("call 102").await;
    let incoming = in_time(bob.incoming()).await.unwrap();
    incoming.answer().await.unwrap();
    alice.uses("speaker", "headset").await;
    sounds(&pulse, "headset").await;
    // The headset's microphone hears its own speaker here, so bob hears himself.
    while in_time(at_bob.hear(0.5))
        .await
        .iter()
        .all(|sample| sample.unsigned_abs() < 500)
    {}

    pulse.unplug("headset");
    alice.uses("speaker", "desk").await;
    sounds(&pulse, "desk").await;
    while in_time(at_bob.hear(0.5))
        .await
        .iter()
        .all(|sample| sample.unsigned_abs() < 500)
    {}

    alice.order("mute").await;
    alice
        .event(|event| event["event"] == "order" && event["order"] == "mute")
        .await;
    at_bob.hear(0.5).await;
    pulse.plug("headset");
    alice.uses("speaker", "headset").await;
    sounds(&pulse, "headset").await;
    let muted = at_bob.hear(1.0).await;
    // A decoder makes a little of exact zeros.
    assert!(
        muted.iter().all(|sample| sample.unsigned_abs() <= 2),
        "muted stays muted"
    );

    alice.order("speaker pulseaudio:desk").await;
    alice.uses("speaker", "desk").await;
    alice.order("sound").await;
    let in_use = alice
        .event(|event| event["event"] == "device" && event["id"] == "pulseaudio:desk")
        .await;
    assert_eq!(in_use["inUse"], true);
    alice.order("quit").await;
    in_time(incoming.ended()).await.unwrap();
}
