//! Calls whose sound devices come and go, with real media and a sound system in which a test plugs and unplugs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/platform.rs"]
#[expect(dead_code, reason = "the WebSocket is for the program's tests")]
mod platform;
#[expect(dead_code, reason = "voices are for the tests that compare them")]
mod support;
#[path = "support/within.rs"]
mod within;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clearline_core::sip::UriBuf;
use clearline_core::{Config, MediaError, MediaErrorKind, MediaTransport, Secret};
use clearline_native::audio::AudioProvider;
use clearline_native::audio::devices::{
    Backend, CaptureOut, DeviceAudio, DeviceInfo, DeviceSettings, Lost, OpenStream, PlaybackIn, Role,
    VoiceProcessing, capture, playback,
};
use clearline_native::{Clock, Phone};
use platform::{DOMAIN, PASSWORD};
use support::{Person, voice};
use within::within;

/// The most a decoder makes of exact zeros.
const NOTHING: u16 = 2;

/// Devices that shout: whoever is muted must not be heard from any of them.
#[derive(Clone, Default)]
struct Shouting(Arc<Mutex<Vec<&'static str>>>);

/// A thread that plays the device until it is closed.
struct Running(Arc<AtomicBool>);

impl Shouting {
    fn plug(&self, devices: &[&'static str]) {
        *self.0.lock().unwrap() = devices.to_vec();
    }

    fn has(&self, id: &str) -> bool {
        self.0.lock().unwrap().contains(&id)
    }

    /// Calls back every 10 ms until the device is closed or unplugged.
    fn run(
        &self,
        id: &str,
        lost: Lost,
        mut callback: impl FnMut() + Send + 'static,
    ) -> Result<Running, MediaError> {
        if !self.has(id) {
            return Err(MediaError {
                kind: MediaErrorKind::NoDevice,
                detail: id.to_owned(),
            });
        }
        let (system, id, running) = (self.clone(), id.to_owned(), Arc::new(AtomicBool::new(true)));
        let handle = Running(Arc::clone(&running));
        std::thread::spawn(move || {
            let mut next = std::time::Instant::now();
            while running.load(Ordering::Relaxed) {
                if !system.has(&id) {
                    return lost.tell();
                }
                callback();
                next += Duration::from_millis(10);
                std::thread::sleep(next.saturating_duration_since(std::time::Instant::now()));
            }
        });
        Ok(handle)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Backend for Shouting {
    fn devices(&mut self) -> Result<Vec<DeviceInfo>, MediaError> {
        let devices = self.0.lock().unwrap();
        let described = devices.iter().enumerate().map(|(number, id)| DeviceInfo {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            default_input: number == 0,
            default_output: number == 0,
            input: true,
            output: true,
            loops_back: false,
        });
        Ok(described.collect())
    }

    fn open_input(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, CaptureOut), MediaError> {
        let (mut filled, edge) = capture(48_000)?;
        let (pulse, clock) = (filled.pulse(), Clock::new());
        let mut number = 0_u32;
        let shout = move || {
            let first = number;
            number = number.wrapping_add(480);
            filled.push(
                clock.now(),
                (0..480_usize).map(|n| ((first as f32 + n as f32) * 0.1).sin() * 0.9),
            );
        };
        let guard = Box::new(self.run(id, lost, shout)?);
        Ok((OpenStream { pulse, guard }, edge))
    }

    fn open_output(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, PlaybackIn), MediaError> {
        let (edge, mut emptied) = playback(48_000)?;
        let (pulse, clock) = (emptied.pulse(), Clock::new());
        let guard = Box::new(self.run(id, lost, move || emptied.pull(clock.now(), 480, drop))?);
        Ok((OpenStream { pulse, guard }, edge))
    }
}

async fn phone(
    user: &str,
    transport: &clearline_native::transport::ChannelTransport,
    audio: impl AudioProvider,
) -> Phone {
    let address = UriBuf::parse(format!("sip:{user}@{DOMAIN}")).unwrap();
    let instance = format!("urn:uuid:00000000-0000-4000-8000-{:0>12x}", user.len());
    let mut config = Config::new(address, "ws://in-process/sip", instance);
    config.password = Secret::new(PASSWORD);
    let phone = Phone::builder(config)
        .transport(transport.clone())
        .audio(audio)
        .start()
        .unwrap();
    phone.registered().await.unwrap();
    phone
}

fn loudest(samples: &[i16]) -> u16 {
    samples
        .iter()
        .map(|sample| sample.unsigned_abs())
        .max()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn muted_stays_muted_whatever_happens_to_the_microphone() {
    let system = Shouting::default();
    system.plug(&["desk", "headset"]);
    let backend = system.clone();
    let settings = DeviceSettings {
        microphone: Some("headset".to_owned()),
        speaker: Some("headset".to_owned()),
        voice: VoiceProcessing::OFF,
        ..DeviceSettings::default()
    };
    let devices = DeviceAudio::with_backend(settings, move || backend);
    let transport = platform::start(&[("alice", "101"), ("robert", "102")]);
    let listener = Person::speaking(voice(2, 60));
    let alice = phone("alice", &transport, devices.clone()).await;
    let robert = phone("robert", &transport, listener.clone()).await;
    let outgoing = alice.call("102").await.unwrap();
    let incoming = within(5, robert.incoming()).await.unwrap();
    incoming.answer().await.unwrap();
    for call in [&outgoing, &incoming] {
        within(10, call.when(|info| info.media == MediaTransport::Connected))
            .await
            .unwrap();
    }
    let mut in_use = devices.in_use();
    let mut uses = async |device: &str| {
        let of = |id: &Option<String>| id.as_deref() == Some(device);
        within(5, in_use.wait_for(|it| of(&it.microphone) && of(&it.speaker)))
            .await
            .unwrap();
    };
    uses("headset").await;
    assert!(loudest(&listener.hear(1.0).await) > 10_000, "it shouts");

    outgoing.set_muted(true).await.unwrap();
    listener.hear(0.6).await;
    system.plug(&["desk"]);
    uses("desk").await;
    assert!(
        loudest(&listener.hear(0.6).await) <= NOTHING,
        "another microphone"
    );
    system.plug(&["desk", "headset"]);
    uses("headset").await;
    assert!(
        loudest(&listener.hear(0.6).await) <= NOTHING,
        "the former one again"
    );
    devices.choose(Role::Microphone, Some("desk".to_owned()));
    devices.choose(Role::Speaker, Some("desk".to_owned()));
    uses("desk").await;
    system.plug(&[]);
    listener.hear(0.3).await;
    system.plug(&["headset"]);
    uses("headset").await;
    assert!(
        loudest(&listener.hear(0.6).await) <= NOTHING,
        "none, and one again"
    );

    outgoing.set_muted(false).await.unwrap();
    listener.hear(0.6).await;
    assert!(loudest(&listener.hear(0.6).await) > 10_000, "it shouts again");
}
