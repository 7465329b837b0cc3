//! The world: who is in it, what is on its way, and what time it is.

mod audio;
mod conferences;
mod delivery;
mod environment;
mod finish;
mod network;
mod parties;
mod people;

use std::collections::BTreeMap;

use clearline_core::sip::Message;
use clearline_core::{ConnectionId, Duration, Input, Instant, MediaSessionId, Rng};

pub use self::audio::Microphone;
pub(crate) use self::delivery::Delivery;
use crate::device::{Device, DeviceId};
use crate::link::Wire;
use crate::platform::{Blueprint, Platform, PlatformKind};
use delivery::Queue;

/// How long [`World::until`] waits. Longer than any timer of RFC 3261 section 17.
const PATIENCE: Duration = Duration::from_secs(60);

/// Devices, a platform, the links between them, and a clock that jumps.
pub struct World {
    now: Instant,
    seed: u8,
    kind: PlatformKind,
    rng: Rng,
    platform: Option<Platform>,
    platform_runs: u8,
    blueprint: Blueprint,
    rings_reliably: bool,
    offers_conferences: bool,
    /// Media sessions that look for their peer.
    checking: BTreeMap<(DeviceId, MediaSessionId), [String; 2]>,
    platform_events: Vec<clearline_pbx::Event>,
    devices: Vec<Device>,
    wires: BTreeMap<ConnectionId, Wire>,
    queue: Queue,
    last_wire: u64,
    last_call: u64,
    ladder: Vec<String>,
}

impl World {
    /// A world with our platform and the users alice (101), bob (102) and carol (103). The seed determines
    /// everything.
    pub fn new(seed: u8) -> Self {
        Self::of(PlatformKind::Proxy, seed)
    }

    /// As [`Self::new`], with other settings of the platform.
    pub fn with_platform(seed: u8, adjust: impl FnOnce(&mut clearline_pbx::Config)) -> Self {
        let mut blueprint = Blueprint::new(PlatformKind::Proxy, seed);
        if let Blueprint::Proxy(config) = &mut blueprint {
            adjust(config);
        }
        Self::built(PlatformKind::Proxy, blueprint, seed)
    }

    /// As [`Self::new`], with any platform.
    pub fn of(kind: PlatformKind, seed: u8) -> Self {
        Self::built(kind, Blueprint::new(kind, seed), seed)
    }

    fn built(kind: PlatformKind, blueprint: Blueprint, seed: u8) -> Self {
        let mut world = Self {
            now: Instant::from_secs(100),
            seed,
            kind,
            rng: Rng::new([seed.wrapping_mul(3).wrapping_add(101); 32]),
            platform: None,
            platform_runs: 0,
            blueprint,
            rings_reliably: false,
            offers_conferences: false,
            checking: BTreeMap::new(),
            platform_events: Vec::new(),
            devices: Vec::new(),
            wires: BTreeMap::new(),
            queue: Queue::default(),
            last_wire: 0,
            last_call: 0,
            ladder: Vec::new(),
        };
        world.start_platform();
        world
    }

    /// Which platform it has.
    pub fn kind(&self) -> PlatformKind {
        self.kind
    }

    // --- time ------------------------------------------------------------------------------------------------

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass until something is so, at most a minute.
    #[track_caller]
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.within(PATIENCE, what, is_so);
    }

    /// Lets time pass until something is so, at most `limit`.
    #[track_caller]
    pub fn within(&mut self, limit: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !is_so(self) {
            if !self.step(end) {
                self.fail(what);
            }
        }
    }

    /// Lets time pass, come what may.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Fails with the seed and the ladder unless something is so.
    #[track_caller]
    pub fn expect(&self, what: &str, is_so: bool) {
        if !is_so {
            self.fail(what);
        }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        let Self { now, seed, kind, .. } = self;
        let (ladder, platform) = (self.ladder.join("\n"), kind.name());
        panic!("not so at {now}: {what}\nseed {seed}, platform {platform}\n{ladder}");
    }

    /// The next thing that happens, if it does before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let delivery = self.queue.next_at();
        let platform = self.platform.as_mut().and_then(Platform::deadline);
        let device = self.next_wake();
        let next = [delivery, platform, device.map(|(at, _)| at)];
        let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if delivery == Some(at) {
            if let Some(delivery) = self.queue.pop() {
                self.deliver(delivery);
            }
        } else if platform == Some(at) {
            self.tell_platform(clearline_pbx::Input::Wake);
        } else if let Some((_, device)) = device {
            self.wake(device);
        }
        self.tend_conferences();
        true
    }

    fn next_wake(&self) -> Option<(Instant, DeviceId)> {
        let devices = self.devices.iter().enumerate();
        let awake = devices.filter(|(_, device)| !device.is_asleep);
        awake
            .filter_map(|(at, device)| Some((device.deadline?, DeviceId(at))))
            .min()
    }

    /// After a wake no deadline is left in the past: else a driver would spin.
    fn wake(&mut self, device: DeviceId) {
        self.tell_device(device, Input::Wake);
        let deadline = self.devices[device.0].deadline;
        let is_past = deadline.is_some_and(|at| at <= self.now);
        let name = &self.devices[device.0].name;
        self.expect(&format!("the deadline of {name} moves on"), !is_past);
    }

    // --- the ladder ------------------------------------------------------------------------------------------

    /// How many messages of the ladder so far contain `text`: `"-> INVITE"`, `"<- 486"`, seen from the devices.
    pub fn messages(&self, text: &str) -> usize {
        self.ladder.iter().filter(|line| line.contains(text)).count()
    }

    /// All messages so far, one a line.
    pub fn ladder(&self) -> &[String] {
        &self.ladder
    }

    fn note(&mut self, device: DeviceId, arrow: &str, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        let what = match (message.status(), message.reason()) {
            (Some(status), Some(reason)) => format!("{status} {reason} ({})", message.method()),
            _ => format!(
                "{} {}",
                message.method(),
                message.request_uri_text().unwrap_or_default()
            ),
        };
        let name = &self.devices[device.0].name;
        self.ladder.push(format!("{} {name:10} {arrow} {what}", self.now));
    }
}
