//! Calls whose devices come and go, under virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};

use clearline_core::{Instant, MediaError, MediaErrorKind};
use tokio::sync::watch;

use super::hub::{Hub, Party};
use super::keeper::{Keeper, Message};
use super::*;
use crate::audio::FRAME;

const CALL: Party = Party(1);
const TICK_MS: u64 = 10;

/// A sound system in which the test plugs and unplugs.
#[derive(Clone, Default)]
struct Simulated(Arc<Mutex<Present>>);

#[derive(Default)]
struct Present {
    devices: Vec<DeviceInfo>,
    microphones: BTreeMap<String, (CaptureIn, Lost)>,
    speakers: BTreeMap<String, (PlaybackOut, Lost)>,
    /// Devices that are listed and cannot be opened.
    broken: Vec<String>,
    rate: u32,
}

impl Simulated {
    fn present(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap()
    }

    fn openable(&self, id: &str) -> Result<u32, MediaError> {
        let present = self.present();
        let is_there = present.devices.iter().any(|device| device.id == id);
        let works = is_there && !present.broken.iter().any(|broken| broken == id);
        works.then_some(present.rate).ok_or_else(|| MediaError {
            kind: MediaErrorKind::NoDevice,
            detail: id.to_owned(),
        })
    }
}

impl Backend for Simulated {
    fn devices(&mut self) -> Result<Vec<DeviceInfo>, MediaError> {
        Ok(self.present().devices.clone())
    }

    fn open_input(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, CaptureOut), MediaError> {
        let (filled, edge) = capture(self.openable(id)?)?;
        let pulse = filled.pulse();
        self.present().microphones.insert(id.to_owned(), (filled, lost));
        Ok((
            OpenStream {
                pulse,
                guard: Box::new(()),
            },
            edge,
        ))
    }

    fn open_output(&mut self, id: &str, lost: Lost) -> Result<(OpenStream, PlaybackIn), MediaError> {
        let (edge, emptied) = playback(self.openable(id)?)?;
        let pulse = emptied.pulse();
        self.present().speakers.insert(id.to_owned(), (emptied, lost));
        Ok((
            OpenStream {
                pulse,
                guard: Box::new(()),
            },
            edge,
        ))
    }
}

/// A call that speaks a constant and hears one, each 10 ms of which is noted.
struct Scene {
    system: Simulated,
    keeper: Keeper<Simulated>,
    hub: Arc<Mutex<Hub>>,
    told: mpsc::Receiver<Message>,
    in_use: watch::Receiver<DevicesInUse>,
    ms: u64,
    /// What each speaker played, by the time in milliseconds.
    played: Vec<(u64, String, f32)>,
    /// What the call got from the microphone.
    captured: Vec<(u64, i16)>,
}

impl Scene {
    fn new(settings: &DeviceSettings, devices: &[&str]) -> Self {
        let system = Simulated::default();
        system.present().rate = 48_000;
        let hub = Arc::new(Mutex::new(Hub::new(VoiceProcessing::OFF)));
        let (tell, told) = mpsc::channel();
        let (sender, in_use) = watch::channel(DevicesInUse::default());
        let tell = Arc::new(move |role, number| drop(tell.send(Message::Lost(role, number))));
        let keeper = Keeper::new(system.clone(), Arc::clone(&hub), tell, sender);
        let mut scene = Self {
            system,
            keeper,
            hub,
            told,
            in_use,
            ms: 1_000,
            played: Vec::new(),
            captured: Vec::new(),
        };
        scene.plug(devices);
        for (role, device) in [
            (Role::Microphone, &settings.microphone),
            (Role::Speaker, &settings.speaker),
        ] {
            scene.tell(Message::Prefer(role, device.clone()));
            let (reply, _answer) = mpsc::sync_channel(1);
            scene.tell(Message::Attach(role, reply));
        }
        scene.hub.lock().unwrap().microphone.attach(CALL);
        scene.hub.lock().unwrap().speaker.attach(CALL);
        scene
    }

    fn headset() -> Self {
        let headset = Some("headset".to_owned());
        let settings = DeviceSettings {
            microphone: headset.clone(),
            speaker: headset,
            ..DeviceSettings::default()
        };
        let mut scene = Self::new(&settings, &["desk", "headset"]);
        scene.run(1_000);
        scene
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.ms)
    }

    fn tell(&mut self, message: Message) {
        let now = self.now();
        self.keeper.handle(now, message);
    }

    /// These are the devices from now on; the first one is the default. Streams of others stand still.
    fn plug(&mut self, ids: &[&str]) {
        let mut present = self.system.present();
        present.devices = ids
            .iter()
            .enumerate()
            .map(|(number, id)| DeviceInfo {
                id: (*id).to_owned(),
                name: (*id).to_owned(),
                default_input: number == 0,
                default_output: number == 0,
                input: true,
                output: true,
                loops_back: false,
            })
            .collect();
        present.microphones.retain(|id, _| ids.contains(&id.as_str()));
    }

    /// The system tells that the headset's streams have ended.
    fn tell_of(&mut self, lost: Vec<Lost>) {
        lost.iter().for_each(Lost::tell);
    }

    fn handles_of(&self, id: &str) -> Vec<Lost> {
        let present = self.system.present();
        let microphone = present.microphones.get(id).map(|(_, lost)| lost.clone());
        let speaker = present.speakers.get(id).map(|(_, lost)| lost.clone());
        microphone.into_iter().chain(speaker).collect()
    }

    fn run(&mut self, span_ms: u64) {
        for _ in 0..span_ms / TICK_MS {
            self.ms += TICK_MS;
            let now = self.now();
            self.devices(now);
            while let Ok(message) = self.told.try_recv() {
                self.keeper.handle(now, message);
            }
            if self
                .keeper
                .wake(now)
                .is_some_and(|at| at <= now + Duration::from_millis(TICK_MS))
            {
                self.keeper.tick(now);
            }
            if self.ms.is_multiple_of(20) {
                let mut frame = [0; FRAME];
                let mut hub = self.hub.lock().unwrap();
                hub.read(CALL, now, &mut frame);
                hub.play(CALL, now, &[8_192; FRAME]);
                self.captured.push((self.ms, frame[FRAME - 1]));
            }
        }
    }

    fn devices(&mut self, now: Instant) {
        let mut present = self.system.present();
        let count = (present.rate / 100) as usize;
        let plugged: Vec<_> = present.devices.iter().map(|device| device.id.clone()).collect();
        for (filled, _) in present.microphones.values_mut() {
            filled.push(now, vec![0.5; count].into_iter());
        }
        for (id, (emptied, _)) in present.speakers.iter_mut().filter(|(id, _)| plugged.contains(id)) {
            let mut last = 0.0;
            emptied.pull(now, count, |sample| last = sample);
            self.played.push((self.ms, id.clone(), last));
        }
    }

    /// The longest time, up to now, in which no speaker played and in which the call got nothing.
    fn gaps(&self, from: u64) -> (u64, u64) {
        let longest = |times: Vec<u64>| {
            let all: Vec<_> = [from].into_iter().chain(times).chain([self.ms]).collect();
            all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        let loud = self
            .played
            .iter()
            .filter(|(at, _, sample)| *at >= from && *sample > 0.2);
        let heard = self
            .captured
            .iter()
            .filter(|(at, sample)| *at >= from && *sample > 8_000);
        (
            longest(loud.map(|(at, ..)| *at).collect()),
            longest(heard.map(|(at, _)| *at).collect()),
        )
    }

    fn speaker(&self) -> Option<String> {
        self.in_use.borrow().speaker.clone()
    }
}

#[test]
fn an_unplugged_headset_is_replaced_within_300_ms_and_used_again_when_it_is_back() {
    let mut scene = Scene::headset();
    assert_eq!(scene.speaker().as_deref(), Some("headset"));
    let from = scene.ms;
    let lost = scene.handles_of("headset");
    scene.plug(&["desk"]);
    scene.run(30);
    scene.tell_of(lost);
    scene.run(2_000);
    assert_eq!(scene.speaker().as_deref(), Some("desk"));
    let (played, captured) = scene.gaps(from);
    assert!(played < 300 && captured < 300, "{played} and {captured} ms");

    let from = scene.ms;
    scene.plug(&["desk", "headset"]);
    scene.run(4_000);
    assert_eq!(scene.speaker().as_deref(), Some("headset"));
    let (played, captured) = scene.gaps(from);
    assert!(
        played < 100 && captured < 100,
        "the former one plays until then: {played} and {captured} ms"
    );
}

#[test]
fn a_device_that_stands_still_without_a_word_is_left() {
    let mut scene = Scene::headset();
    scene.plug(&["desk"]);
    let from = scene.ms;
    scene.run(5_000);
    assert_eq!(scene.speaker().as_deref(), Some("desk"));
    let (played, captured) = scene.gaps(from);
    assert!(played < 3_500 && captured < 3_500, "{played} and {captured} ms");
}

#[test]
fn a_device_may_come_back_at_another_rate() {
    let mut scene = Scene::headset();
    for rate in [44_100, 16_000, 8_000] {
        let lost = scene.handles_of("headset");
        let from = scene.ms;
        scene.system.present().rate = rate;
        scene.tell_of(lost);
        scene.run(4_500);
        assert_eq!(scene.speaker().as_deref(), Some("headset"));
        let (played, captured) = scene.gaps(from);
        assert!(
            played < 300 && captured < 300,
            "{rate}: {played} and {captured} ms"
        );
    }
}

#[test]
fn without_any_device_the_call_is_silent_and_says_why_until_there_is_one() {
    let mut scene = Scene::new(&DeviceSettings::default(), &[]);
    scene.run(500);
    let problem = scene.hub.lock().unwrap().microphone.problem;
    assert_eq!(problem, Some(MediaErrorKind::NoDevice));
    assert!(scene.captured.iter().all(|(_, sample)| *sample == 0));
    let from = scene.ms;
    scene.plug(&["desk"]);
    scene.run(500);
    let problem = scene.hub.lock().unwrap().microphone.problem;
    assert_eq!((problem, scene.speaker().as_deref()), (None, Some("desk")));
    let (played, captured) = scene.gaps(from);
    assert!(played < 300 && captured < 300, "{played} and {captured} ms");
}

#[test]
fn another_device_is_chosen_while_the_call_goes_on() {
    let mut scene = Scene::headset();
    let from = scene.ms;
    scene.tell(Message::Prefer(Role::Speaker, Some("desk".to_owned())));
    scene.tell(Message::Prefer(Role::Microphone, Some("desk".to_owned())));
    scene.run(500);
    assert_eq!(scene.speaker().as_deref(), Some("desk"));
    let (played, captured) = scene.gaps(from);
    assert!(played < 100 && captured < 100, "{played} and {captured} ms");
    scene.system.present().broken.push("headset".to_owned());
    scene.tell(Message::Prefer(Role::Speaker, Some("headset".to_owned())));
    scene.run(500);
    assert_eq!(scene.speaker().as_deref(), Some("desk"), "rather than none");
}

#[test]
fn the_devices_are_closed_with_the_last_call() {
    let mut scene = Scene::headset();
    scene.tell(Message::Detach(Role::Speaker));
    scene.tell(Message::Detach(Role::Microphone));
    assert_eq!(*scene.in_use.borrow(), DevicesInUse::default());
    assert_eq!(scene.keeper.wake(scene.now()), None);
}

#[test]
fn news_of_a_stream_that_was_closed_changes_nothing() {
    let mut scene = Scene::headset();
    let old = scene.handles_of("headset");
    scene.tell(Message::Prefer(Role::Speaker, Some("desk".to_owned())));
    scene.tell(Message::Prefer(Role::Microphone, Some("desk".to_owned())));
    scene.run(100);
    scene.tell_of(old);
    let from = scene.ms;
    scene.run(1_000);
    let (played, captured) = scene.gaps(from);
    assert!(played <= 40 && captured <= 40, "{played} and {captured} ms");
}

#[test]
fn calls_use_the_devices_together_and_give_them_back() {
    let system = Simulated::default();
    {
        let mut present = system.present();
        present.rate = 48_000;
        present.devices.push(DeviceInfo {
            id: "desk".to_owned(),
            name: "Desk".to_owned(),
            default_input: true,
            default_output: true,
            input: true,
            output: true,
            loops_back: false,
        });
    }
    let backend = system.clone();
    let devices = DeviceAudio::with_backend(DeviceSettings::default(), move || backend);
    assert_eq!(devices.list().map(|devices| devices.len()), Ok(1));
    let (first, second) = (devices.open(CallId(1)).unwrap(), devices.open(CallId(2)).unwrap());
    assert_eq!(first.source.problem(), None);
    let ringer = devices.open_ringer().unwrap();
    let desk = Some("desk".to_owned());
    let all = DevicesInUse {
        microphone: desk.clone(),
        speaker: desk.clone(),
        ringer: desk,
    };
    assert_eq!(*devices.in_use().borrow(), all);
    drop((first, ringer));
    // The keeper answers in order, so it has heard of it by now.
    devices.list().unwrap();
    assert_eq!(*devices.in_use().borrow(), DevicesInUse { ringer: None, ..all });
    drop(second);
    devices.list().unwrap();
    assert_eq!(*devices.in_use().borrow(), DevicesInUse::default());
    assert_eq!(devices.statistics().microphone.invalid, 0);
}
