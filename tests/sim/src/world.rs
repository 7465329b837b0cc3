//! The world: who is in it, what is on its way, and what time it is.

use std::collections::BTreeMap;

use clearline_core::sip::digest::{Algorithm, Ha1};
use clearline_core::sip::{Message, UriBuf};
use clearline_core::{
    CallDirection, CallId, CallInfo, CallOptions, CallState, CommandError, Config, ConnectionId, Duration,
    Input, Instant, MediaAction, MediaErrorKind, MediaEvent, MediaRequestId, MediaSessionId, MediaTransport,
    OperationError, OperationId, Output, RegistrationState, Secret, UserAgent,
};
use clearline_pbx::{Key, Platform, Transport, User, UserId};

use crate::device::{Device, DeviceId};
use crate::link::{Link, Quality, Wire};
use crate::media::Media;

const DOMAIN: &str = "clearline.localhost";
const PASSWORD: &str = "demo";
/// Making a description: opening the microphone, gathering candidates.
const DESCRIPTION_TIME: Duration = Duration::from_millis(30);
/// Anything else a media backend does.
const MEDIA_TIME: Duration = Duration::from_millis(1);
/// ICE and DTLS.
const MEDIA_SETUP_TIME: Duration = Duration::from_millis(60);
/// How long [`World::until`] waits. Longer than any timer of RFC 3261 section 17.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something on its way.
enum Delivery {
    /// A connection being opened reaches the platform.
    Open(ConnectionId),
    /// The device learns that its connection is open.
    Opened(ConnectionId),
    ToPlatform(ConnectionId, Vec<u8>),
    ToDevice(ConnectionId, Vec<u8>),
    /// The device learns that a connection is closed or cannot be opened.
    ClosedForDevice(ConnectionId, &'static str),
    /// The platform learns that a connection is closed.
    ClosedForPlatform(ConnectionId),
    /// A media backend finishes a job.
    Media {
        device: DeviceId,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    },
    /// A media backend has seen something.
    MediaEvent {
        device: DeviceId,
        session: MediaSessionId,
        event: MediaEvent,
    },
}

/// Devices, a platform, the links between them, and a clock that jumps.
pub struct World {
    now: Instant,
    seed: u8,
    platform: Option<Platform>,
    platform_runs: u8,
    platform_config: clearline_pbx::Config,
    devices: Vec<Device>,
    wires: BTreeMap<ConnectionId, Wire>,
    queue: BTreeMap<(Instant, u64), Delivery>,
    last_sequence: u64,
    last_wire: u64,
    last_call: u64,
    ladder: Vec<String>,
}

impl World {
    /// A world with a running platform and the users alice (101), bob (102) and carol (103). The seed determines
    /// everything.
    pub fn new(seed: u8) -> Self {
        Self::with_platform(seed, |_| {})
    }

    /// As [`Self::new`], with other settings of the platform.
    pub fn with_platform(seed: u8, adjust: impl FnOnce(&mut clearline_pbx::Config)) -> Self {
        let mut platform_config = clearline_pbx::Config::new(DOMAIN, Key::new([seed; 32]));
        adjust(&mut platform_config);
        let mut world = Self {
            now: Instant::from_secs(100),
            seed,
            platform: None,
            platform_runs: 0,
            platform_config,
            devices: Vec::new(),
            wires: BTreeMap::new(),
            queue: BTreeMap::new(),
            last_sequence: 0,
            last_wire: 0,
            last_call: 0,
            ladder: Vec::new(),
        };
        world.start_platform();
        world
    }

    // --- people ----------------------------------------------------------------------------------------------

    /// A new device of a user, registered.
    pub fn phone(&mut self, user: &str) -> DeviceId {
        self.phone_with(user, |_| {})
    }

    /// As [`Self::phone`], with other settings of the agent.
    pub fn phone_with(&mut self, user: &str, adjust: impl FnOnce(&mut Config)) -> DeviceId {
        let device = self.unregistered_phone(user, adjust);
        self.until("the device is registered", |world| world.is_registered(device));
        device
    }

    /// A new device that has only just been switched on.
    pub fn unregistered_phone(&mut self, user: &str, adjust: impl FnOnce(&mut Config)) -> DeviceId {
        let id = DeviceId(self.devices.len());
        let number = u8::try_from(id.0 + 1).unwrap_or(u8::MAX);
        let aor = UriBuf::sip(user, DOMAIN).unwrap_or_else(|error| panic!("{user}: {error}"));
        let instance = format!("urn:uuid:00000000-0000-1000-8000-{:012}", id.0);
        let mut config = Config::new(aor, format!("ws://{DOMAIN}/sip"), instance);
        config.password = Secret::new(PASSWORD);
        adjust(&mut config);
        self.devices.push(Device {
            name: format!("{user}/{number}"),
            agent: UserAgent::new(config, [self.seed.wrapping_add(number); 32]),
            deadline: None,
            link: Link {
                delay: Duration::from_millis(10),
                quality: Quality::Good,
            },
            media: Media::new(id.0, [self.seed.wrapping_sub(number); 32]),
            calls: BTreeMap::new(),
            operations: BTreeMap::new(),
            events: Vec::new(),
        });
        self.command(id, UserAgent::start);
        id
    }

    /// Calls a target and returns at once.
    pub fn call(&mut self, device: DeviceId, target: &str) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let result = self.command(device, |agent, now| {
            agent.call(now, id, target, CallOptions::default())
        });
        self.expect("the call is accepted", result == Ok(()));
        id
    }

    /// Waits for a call to come in that has not been answered.
    pub fn incoming(&mut self, device: DeviceId) -> CallId {
        let find = |world: &Self| {
            let mut calls = world.devices[device.0].calls.values();
            calls
                .find(|call| call.direction == CallDirection::Incoming && call.state == CallState::Incoming)
                .map(|c| c.id)
        };
        self.until("a call comes in", |world| find(world).is_some());
        find(self).unwrap_or(CallId(0))
    }

    /// Answers a call and waits until that is done.
    pub fn answer(&mut self, device: DeviceId, call: CallId) {
        self.perform(device, |agent, now| agent.call_handle(now, call)?.answer());
    }

    /// Hangs up, cancels or declines a call, and waits until that is done.
    pub fn hang_up(&mut self, device: DeviceId, call: CallId) {
        self.perform(device, |agent, now| agent.call_handle(now, call)?.hang_up());
    }

    /// Two devices in a call with each other, hearing each other: the caller's and the callee's call.
    pub fn connect(&mut self, caller: DeviceId, callee: DeviceId, target: &str) -> (CallId, CallId) {
        let call = self.call(caller, target);
        let incoming = self.incoming(callee);
        self.answer(callee, incoming);
        self.until("both hear each other", |w| {
            w.hears(caller, callee) && w.hears(callee, caller)
        });
        (call, incoming)
    }

    /// Gives an agent a command that must be accepted and succeed.
    pub fn perform(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) {
        let result = self.attempt(device, command);
        self.expect(&format!("the command succeeds, not {result:?}"), result == Ok(()));
    }

    /// Gives an agent a command that must be accepted; returns how it ends.
    pub fn attempt(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) -> Result<(), OperationError> {
        let accepted = self.command(device, command);
        let Ok(operation) = accepted else {
            self.fail(&format!("the command is accepted, not {accepted:?}"))
        };
        let result = |world: &Self| world.devices[device.0].operations.get(&operation).cloned();
        self.until("the operation ends", |world| result(world).is_some());
        result(self).unwrap_or(Ok(()))
    }

    /// Does something with an agent and carries out what follows.
    pub fn command<R>(&mut self, device: DeviceId, command: impl FnOnce(&mut UserAgent, Instant) -> R) -> R {
        let result = command(&mut self.devices[device.0].agent, self.now);
        self.drain_device(device);
        result
    }

    // --- what can be seen ------------------------------------------------------------------------------------

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A call as it was last reported, ended ones too.
    pub fn info(&self, device: DeviceId, call: CallId) -> &CallInfo {
        match self.devices[device.0].calls.get(&call) {
            Some(info) => info,
            None => self.fail("the call exists"),
        }
    }

    /// The state of a call.
    pub fn state(&self, device: DeviceId, call: CallId) -> CallState {
        self.info(device, call).state
    }

    /// All calls a device has had.
    pub fn calls(&self, device: DeviceId) -> impl Iterator<Item = &CallInfo> {
        self.devices[device.0].calls.values()
    }

    /// Whether a device is registered.
    pub fn is_registered(&self, device: DeviceId) -> bool {
        matches!(
            self.devices[device.0].agent.registration(),
            RegistrationState::Registered { .. }
        )
    }

    /// The agent itself.
    pub fn agent(&self, device: DeviceId) -> &UserAgent {
        &self.devices[device.0].agent
    }

    /// How many devices of a user the platform knows.
    pub fn bindings(&self, user: &str) -> usize {
        self.platform
            .as_ref()
            .map_or(0, |platform| platform.device_count(&UserId::new(user)))
    }

    /// Whether sound from `speaker` reaches `listener`.
    pub fn hears(&self, listener: DeviceId, speaker: DeviceId) -> bool {
        let (listener, speaker) = (&self.devices[listener.0].media, &self.devices[speaker.0].media);
        let pairs = listener
            .sessions
            .values()
            .flat_map(|a| speaker.sessions.values().map(move |b| (a, b)));
        pairs
            .into_iter()
            .any(|(a, b)| a.is_peer_of(b) && a.receives() && b.sends())
    }

    /// Whether a device has a microphone open: a media session that is not closed.
    pub fn has_open_media(&self, device: DeviceId) -> bool {
        self.devices[device.0]
            .media
            .sessions
            .values()
            .any(|session| !session.is_closed)
    }

    /// All tones a device has sent.
    pub fn tones_sent(&self, device: DeviceId) -> String {
        self.devices[device.0]
            .media
            .sessions
            .values()
            .map(|session| session.tones.as_str())
            .collect()
    }

    /// How many messages of the ladder so far contain `text`: `"-> INVITE"`, `"<- 486"`, seen from the devices.
    pub fn messages(&self, text: &str) -> usize {
        self.ladder.iter().filter(|line| line.contains(text)).count()
    }

    // --- the environment -------------------------------------------------------------------------------------

    /// Sets the one-way delay of a device's link.
    pub fn set_delay(&mut self, device: DeviceId, delay: Duration) {
        self.devices[device.0].link.delay = delay;
    }

    /// Breaks a device's link: its connection closes at both ends and no other opens.
    pub fn cut(&mut self, device: DeviceId) {
        self.devices[device.0].link.quality = Quality::Down;
        for (id, wire) in self.wires.clone() {
            if wire.device == device {
                self.schedule(Duration::ZERO, Delivery::ClosedForDevice(id, "1006 network lost"));
                self.schedule(Duration::ZERO, Delivery::ClosedForPlatform(id));
            }
        }
    }

    /// Lets everything on a device's link vanish without a trace.
    pub fn swallow(&mut self, device: DeviceId) {
        self.devices[device.0].link.quality = Quality::BlackHole;
    }

    /// Makes a device's link good again.
    pub fn mend(&mut self, device: DeviceId) {
        self.devices[device.0].link.quality = Quality::Good;
    }

    /// The next session description a device makes fails.
    pub fn fail_media(&mut self, device: DeviceId, kind: MediaErrorKind) {
        self.devices[device.0].media.failure = Some(kind);
    }

    /// The platform's process ends: all connections close.
    pub fn stop_platform(&mut self) {
        self.platform = None;
        for id in self.wires.keys().copied().collect::<Vec<_>>() {
            self.schedule(Duration::ZERO, Delivery::ClosedForDevice(id, "1001 going away"));
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.platform_open = false;
            }
        }
    }

    /// The platform's process starts, with the key and users it had, and nothing else.
    pub fn start_platform(&mut self) {
        self.platform_runs += 1;
        let seed = [self.seed.wrapping_mul(31).wrapping_add(self.platform_runs); 32];
        let mut platform = Platform::new(self.platform_config.clone(), seed);
        for (id, number, name) in [
            ("alice", "101", "Alice"),
            ("bob", "102", "Bob"),
            ("carol", "103", "Carol"),
        ] {
            let user = User::new(id).with_number(number).with_display_name(name);
            let added = platform.set_user(user);
            assert_eq!(added, Ok(()), "the names of the users differ");
            for algorithm in Algorithm::ALL {
                let ha1 = Ha1::new(algorithm, id, &self.platform_config.realm, &Secret::new(PASSWORD));
                platform.add_credential(&UserId::new(id), id, ha1);
            }
        }
        self.platform = Some(platform);
    }

    // --- time ------------------------------------------------------------------------------------------------

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
        let ladder = self.ladder.join("\n");
        panic!("not so at {}: {what}\nseed {}\n{ladder}", self.now, self.seed);
    }

    /// The next thing that happens, if it does before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let delivery = self.queue.first_key_value().map(|((at, _), _)| *at);
        let platform = self.platform.as_mut().and_then(platform_deadline);
        let device = self
            .devices
            .iter()
            .enumerate()
            .filter_map(|(at, d)| Some((d.deadline?, at)))
            .min();
        let next = [delivery, platform, device.map(|(at, _)| at)]
            .into_iter()
            .flatten()
            .min();
        let Some(at) = next.filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(at);
        if delivery == Some(at) {
            if let Some((_, delivery)) = self.queue.pop_first() {
                self.deliver(delivery);
            }
        } else if platform == Some(at) {
            self.tell_platform(clearline_pbx::Input::Wake);
        } else if let Some((_, device)) = device {
            self.tell_device(DeviceId(device), Input::Wake);
        }
        true
    }

    fn schedule(&mut self, after: Duration, delivery: Delivery) {
        self.last_sequence += 1;
        self.queue
            .insert((self.now + after, self.last_sequence), delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Open(wire) => self.open(wire),
            Delivery::Opened(wire) => {
                if let Some(wire) = self.wires.get_mut(&wire).filter(|wire| wire.platform_open) {
                    wire.device_open = true;
                    let (device, connection) = (wire.device, wire.local);
                    self.tell_device(device, Input::Connected { connection });
                }
            }
            Delivery::ToPlatform(id, message) => {
                if self
                    .wires
                    .get(&id)
                    .is_some_and(|wire| wire.platform_open && self.is_good(wire.device))
                {
                    self.tell_platform(clearline_pbx::Input::Received {
                        connection: id,
                        message,
                    });
                }
            }
            Delivery::ToDevice(id, message) => {
                let Some(wire) = self.wires.get(&id).copied() else {
                    return;
                };
                if wire.device_open && self.is_good(wire.device) {
                    self.note(wire.device, "<-", &message);
                    self.tell_device(
                        wire.device,
                        Input::Received {
                            connection: wire.local,
                            message,
                        },
                    );
                }
            }
            Delivery::ClosedForDevice(id, reason) => {
                let Some(wire) = self.wires.get_mut(&id) else {
                    return;
                };
                wire.device_open = false;
                let (device, connection) = (wire.device, wire.local);
                self.tell_device(
                    device,
                    Input::Disconnected {
                        connection,
                        reason: reason.to_owned(),
                    },
                );
                self.forget_closed(id);
            }
            Delivery::ClosedForPlatform(id) => {
                let Some(wire) = self.wires.get_mut(&id) else {
                    return;
                };
                if std::mem::take(&mut wire.platform_open) {
                    self.tell_platform(clearline_pbx::Input::Disconnected { connection: id });
                }
                self.forget_closed(id);
            }
            Delivery::Media {
                device,
                request,
                session,
                action,
            } => {
                let result = self.devices[device.0].media.execute(session, action);
                self.tell_device(device, Input::MediaDone { request, result });
                self.connect_media();
            }
            Delivery::MediaEvent {
                device,
                session,
                event,
            } => {
                self.tell_device(device, Input::Media { session, event });
            }
        }
    }

    fn is_good(&self, device: DeviceId) -> bool {
        self.devices[device.0].link.quality == Quality::Good
    }

    fn open(&mut self, id: ConnectionId) {
        let Some(Wire { device, .. }) = self.wires.get(&id).copied() else {
            return;
        };
        let Link { delay, quality } = self.devices[device.0].link;
        match quality {
            Quality::BlackHole => {}
            Quality::Good if self.platform.is_some() => {
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.platform_open = true;
                }
                let transport = Transport::Ws;
                self.tell_platform(clearline_pbx::Input::Connected {
                    connection: id,
                    transport,
                    peer: None,
                });
                self.schedule(delay, Delivery::Opened(id));
            }
            Quality::Good | Quality::Down => {
                self.schedule(delay, Delivery::ClosedForDevice(id, "connection refused"));
            }
        }
    }

    fn forget_closed(&mut self, id: ConnectionId) {
        if self
            .wires
            .get(&id)
            .is_some_and(|wire| !wire.platform_open && !wire.device_open)
        {
            self.wires.remove(&id);
        }
    }

    // --- the parties -----------------------------------------------------------------------------------------

    fn tell_platform(&mut self, input: clearline_pbx::Input) {
        let Some(platform) = &mut self.platform else {
            return;
        };
        platform.handle_input(self.now, input);
        loop {
            let Some(platform) = &mut self.platform else {
                return;
            };
            match platform.poll_output() {
                clearline_pbx::Output::Transmit { connection, message } => {
                    if let Some(Wire { device, .. }) = self.wires.get(&connection).copied() {
                        let delay = self.devices[device.0].link.delay;
                        self.schedule(delay, Delivery::ToDevice(connection, message));
                    }
                }
                clearline_pbx::Output::Disconnect { connection, reason } => {
                    if let Some(wire) = self.wires.get_mut(&connection) {
                        wire.platform_open = false;
                        let delay = self.devices[wire.device.0].link.delay;
                        self.schedule(delay, Delivery::ClosedForDevice(connection, reason.as_str()));
                    }
                }
                clearline_pbx::Output::Event(_) => {}
                clearline_pbx::Output::Idle(_) => return,
            }
        }
    }

    fn tell_device(&mut self, device: DeviceId, input: Input) {
        self.devices[device.0].agent.handle_input(self.now, input);
        self.drain_device(device);
    }

    fn drain_device(&mut self, id: DeviceId) {
        loop {
            let device = &mut self.devices[id.0];
            let delay = device.link.delay;
            match device.agent.poll_output() {
                Output::Connect { connection, .. } => {
                    self.last_wire += 1;
                    let wire = ConnectionId(self.last_wire);
                    let ends = Wire {
                        device: id,
                        local: connection,
                        platform_open: false,
                        device_open: false,
                    };
                    self.wires.insert(wire, ends);
                    self.schedule(delay, Delivery::Open(wire));
                }
                Output::Transmit { connection, message } => {
                    self.note(id, "->", &message);
                    if let Some(wire) = self.wire_of(id, connection) {
                        self.schedule(delay, Delivery::ToPlatform(wire, message));
                    }
                }
                Output::Disconnect { connection } => {
                    if let Some(wire) = self.wire_of(id, connection) {
                        self.schedule(delay, Delivery::ClosedForPlatform(wire));
                        if let Some(wire) = self.wires.get_mut(&wire) {
                            wire.device_open = false;
                        }
                    }
                }
                Output::Media {
                    request,
                    session,
                    action,
                    ..
                } => {
                    let makes_description = matches!(
                        action,
                        MediaAction::CreateOffer { .. } | MediaAction::CreateAnswer { .. }
                    );
                    let time = if makes_description {
                        DESCRIPTION_TIME
                    } else {
                        MEDIA_TIME
                    };
                    self.schedule_media(time, id, request, session, action);
                }
                Output::Event(event) => device.take(event),
                Output::Idle(deadline) => {
                    device.deadline = deadline.map(|deadline| deadline.at);
                    return;
                }
            }
        }
    }

    /// Actions on one session are executed in order.
    fn schedule_media(
        &mut self,
        time: Duration,
        device: DeviceId,
        request: MediaRequestId,
        session: MediaSessionId,
        action: MediaAction,
    ) {
        let is_same = |delivery: &Delivery| matches!(delivery, Delivery::Media { device: d, session: s, .. } if (*d, *s) == (device, session));
        let busy_until = self
            .queue
            .iter()
            .rev()
            .find(|(_, delivery)| is_same(delivery))
            .map(|((at, _), _)| *at);
        let after = busy_until.map_or(time, |at| time.max(at - self.now));
        self.schedule(
            after,
            Delivery::Media {
                device,
                request,
                session,
                action,
            },
        );
    }

    /// Connects the media sessions that have just got to know each other.
    fn connect_media(&mut self) {
        let mut sessions = Vec::new();
        for (at, device) in self.devices.iter().enumerate() {
            let open = device
                .media
                .sessions
                .iter()
                .filter(|(_, session)| !session.is_closed);
            sessions.extend(open.map(|(id, session)| (DeviceId(at), *id, session.clone())));
        }
        for (device, id, session) in &sessions {
            let has_peer = sessions.iter().any(|(_, _, other)| session.is_peer_of(other));
            if has_peer && !session.is_connected {
                if let Some(session) = self.devices[device.0].media.sessions.get_mut(id) {
                    session.is_connected = true;
                }
                for (after, state) in [
                    (MEDIA_TIME, MediaTransport::Connecting),
                    (MEDIA_SETUP_TIME, MediaTransport::Connected),
                ] {
                    let event = MediaEvent::Transport { state };
                    self.schedule(
                        after,
                        Delivery::MediaEvent {
                            device: *device,
                            session: *id,
                            event,
                        },
                    );
                }
            }
        }
    }

    fn wire_of(&self, device: DeviceId, local: ConnectionId) -> Option<ConnectionId> {
        self.wires
            .iter()
            .find(|(_, wire)| wire.device == device && wire.local == local)
            .map(|(id, _)| *id)
    }

    /// A line of the ladder.
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
        self.ladder.push(format!(
            "{} {:10} {arrow} {what}",
            self.now, self.devices[device.0].name
        ));
    }
}

fn platform_deadline(platform: &mut Platform) -> Option<Instant> {
    match platform.poll_output() {
        clearline_pbx::Output::Idle(deadline) => deadline.map(|deadline| deadline.at),
        clearline_pbx::Output::Transmit { .. }
        | clearline_pbx::Output::Disconnect { .. }
        | clearline_pbx::Output::Event(_) => None,
    }
}
