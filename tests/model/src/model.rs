//! What the users have asked for, and so expect to find.

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::sip::UriBuf;
use clearline_core::{
    CallId, CallState, CommandError, Config, Environment, MediaErrorKind, OperationId, RedirectPolicy,
    RejectReason, Secret, Server, SubscriptionId, UserAgent,
};
use clearline_sim::{DeviceId, Effect, Link, PlatformKind, Way, World};

use crate::calm::Calm;
use crate::case::Setting;
use crate::switchboard::Attempt;
use crate::transition::Transition;

pub(crate) const USERS: [&str; 3] = ["alice", "bob", "carol"];
pub(crate) const NUMBERS: [&str; 4] = ["101", "102", "103", "199"];

/// What a subscription to messages left for one is about.
const PACKAGE: &str = "message-summary";
const SUMMARY: &str = "application/simple-message-summary";

/// The system and what is expected of it.
pub(crate) struct Model {
    pub(crate) world: World,
    pub(crate) devices: Vec<DeviceId>,
    /// What has been asked of calls that are answered.
    pub(crate) wishes: BTreeMap<(DeviceId, CallId), Wish>,
    /// Subscriptions that are wanted.
    pub(crate) subscriptions: BTreeMap<DeviceId, Subscribed>,
    /// How long the ladder was when everything was mended last.
    pub(crate) rested_from: usize,
    platform_runs: bool,
    /// Commands that were accepted.
    pub(crate) accepted: u64,
    /// What has been done with several calls.
    pub(crate) attempts: Vec<Attempt>,
    /// Devices that have been started again: of what their programs had begun, nothing is known.
    pub(crate) restarted: BTreeSet<DeviceId>,
    /// Devices for which something may have been lost that a connection does not lose: who was to be told may not have been,
    /// and learns of it when the subscription is renewed (RFC 6665 section 4.2.2).
    pub(crate) lossy: BTreeSet<DeviceId>,
    /// Nothing has happened since everything was at rest but what is in here.
    pub(crate) calm: Option<Calm>,
    pub(crate) setting: Setting,
}

/// A subscription that is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscribed {
    pub(crate) id: SubscriptionId,
    /// How many events its device had told before. A program that is started again names its own alike.
    pub(crate) since: usize,
}

/// What a user has asked of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// The last hold or resume that was accepted, and what it asked for.
    pub(crate) hold: Option<(OperationId, bool)>,
    pub(crate) muted: bool,
}

impl Model {
    /// Alice and carol have one device, bob has two. Bob's second keeps two flows where the platform lets it; carol's
    /// follows no redirects. On a busy day alice and bob's first make conferences of the platform where there are any, and
    /// carol's alone does not follow what its user's other devices do.
    pub(crate) fn new(kind: PlatformKind, setting: Setting, seed: u8) -> Self {
        let mut world = World::of(kind, seed);
        let is_busy = setting == Setting::Busy;
        let factory = match kind {
            PlatformKind::Proxy if is_busy => Some(world.offer_conferences()),
            PlatformKind::B2bua(_) if is_busy => UriBuf::parse("sip:conference@clearline.localhost").ok(),
            PlatformKind::Proxy | PlatformKind::B2bua(_) => None,
        };
        let of_today = |config: &mut Config| {
            config.remote_calls = is_busy;
            config.conference_factory.clone_from(&factory);
        };
        let devices = vec![
            world.phone_with("alice", of_today),
            world.phone_with("bob", of_today),
            world.phone_with("bob", |config| {
                config.remote_calls = is_busy;
                if kind == PlatformKind::Proxy {
                    two_flows(config);
                }
            }),
            world.phone_with("carol", |config| config.redirect_policy = RedirectPolicy::Never),
        ];
        Self {
            world,
            devices,
            wishes: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            rested_from: 0,
            platform_runs: true,
            accepted: 0,
            attempts: Vec::new(),
            restarted: BTreeSet::new(),
            lossy: BTreeSet::new(),
            calm: None,
            setting,
        }
    }

    /// Lets something happen, and the time until the next thing pass.
    pub(crate) fn apply(&mut self, transition: Transition) {
        let attempts = self.attempts.len();
        self.lossy
            .extend(transition.loses_for().map(|at| self.device(at)));
        self.happen(transition);
        self.disturb_calm(transition, attempts);
        self.world.pass(transition.pause());
    }

    fn happen(&mut self, transition: Transition) {
        match transition {
            Transition::Dial(device, user) => self.dial(device, user),
            Transition::Answer(device) => {
                self.answer(device, |agent, now, id| agent.call_handle(now, id)?.answer());
            }
            Transition::HoldAndAnswer(device) => self.hold_and_answer(device),
            Transition::EndAndAnswer(device) => {
                self.answer(device, |agent, now, id| agent.end_and_answer(now, id));
            }
            Transition::Decline(device, for_all) => self.decline(device, for_all),
            Transition::HangUp(device, call) => {
                self.command(device, call, |call| call.hang_up());
            }
            Transition::Hold(device, call) => self.set_hold(device, call, true),
            Transition::Resume(device, call) => self.set_hold(device, call, false),
            Transition::Mute(device, call, muted) => self.mute(device, call, muted),
            Transition::Dtmf(device, call) => {
                self.command(device, call, |call| call.send_dtmf("1#"));
            }
            Transition::MoveMedia(device, call) => {
                self.command(device, call, |call| call.move_media());
            }
            Transition::SwapTo(..)
            | Transition::Consult(..)
            | Transition::Transfer(..)
            | Transition::TransferTo(..)
            | Transition::CancelTransfer(..)
            | Transition::Merge(..)
            | Transition::Split(..)
            | Transition::LeaveConference(_)
            | Transition::AddParticipant(..)
            | Transition::RemoveParticipant(..)
            | Transition::Push(..)
            | Transition::Pull(..) => self.switchboard(transition),
            Transition::Redirect(device, to) => self.redirect(device, to),
            Transition::Subscribe(device) => self.subscribe(device),
            Transition::Unsubscribe(device) => self.unsubscribe(device),
            Transition::LeaveMessage(user) => {
                self.world.leave_message(USERS[usize::from(user) % USERS.len()]);
            }
            Transition::RingReliably(is_wanted) => self.world.ring_reliably(is_wanted),
            Transition::Cut(_)
            | Transition::Drop(_)
            | Transition::DropOne(..)
            | Transition::HalfOpenUp(_)
            | Transition::HalfOpenDown(_)
            | Transition::BlackHole(_)
            | Transition::Tear(_)
            | Transition::Bad(..)
            | Transition::Mend(_)
            | Transition::NetworkChanged(_)
            | Transition::Visible(..)
            | Transition::Sleep(_)
            | Transition::WakeUp(_)
            | Transition::Restart(_)
            | Transition::FailMedia(_)
            | Transition::WrongPassword(_)
            | Transition::RightPassword(_) => self.environment(transition),
            Transition::StopPlatform => self.stop_platform(),
            Transition::StartPlatform => self.start_platform(),
            Transition::Millis(_) | Transition::Seconds(_) => {}
            Transition::Rest => self.rest(),
        }
    }

    fn environment(&mut self, transition: Transition) {
        let world = &mut self.world;
        let device = |number: u8| self.devices[usize::from(number) % self.devices.len()];
        match transition {
            Transition::Cut(at) => world.cut(device(at)),
            Transition::Drop(at) => world.drop_connections(device(at)),
            Transition::DropOne(at, last) => world.drop_one_connection(device(at), last),
            Transition::HalfOpenUp(at) => world.swallow_one_way(device(at), Way::Up),
            Transition::HalfOpenDown(at) => world.swallow_one_way(device(at), Way::Down),
            Transition::BlackHole(at) => world.swallow(device(at)),
            Transition::Tear(at) => world.tear_next_message(device(at)),
            Transition::Bad(at, loss) => world.set_link(device(at), bad(loss)),
            Transition::Mend(at) => world.set_link(device(at), Link::office()),
            Transition::NetworkChanged(at) => {
                tell(world, device(at), Environment::NetworkChanged);
            }
            Transition::Visible(at, true) => tell(world, device(at), Environment::Visible),
            Transition::Visible(at, false) => tell(world, device(at), Environment::Hidden),
            Transition::Sleep(at) => world.sleep(device(at)),
            Transition::WakeUp(at) => world.wake_up(device(at)),
            Transition::Restart(at) => {
                world.restart(device(at));
                self.forget(device(at));
            }
            Transition::FailMedia(at) => world.fail_media(device(at), MediaErrorKind::Failed),
            Transition::WrongPassword(at) => set_password(world, device(at), "expired"),
            Transition::RightPassword(at) => set_password(world, device(at), "demo"),
            Transition::Dial(..)
            | Transition::Answer(_)
            | Transition::HoldAndAnswer(_)
            | Transition::EndAndAnswer(_)
            | Transition::Decline(..)
            | Transition::HangUp(..)
            | Transition::Hold(..)
            | Transition::Resume(..)
            | Transition::Mute(..)
            | Transition::Dtmf(..)
            | Transition::MoveMedia(..)
            | Transition::SwapTo(..)
            | Transition::Consult(..)
            | Transition::Transfer(..)
            | Transition::TransferTo(..)
            | Transition::CancelTransfer(..)
            | Transition::Merge(..)
            | Transition::Split(..)
            | Transition::LeaveConference(_)
            | Transition::AddParticipant(..)
            | Transition::RemoveParticipant(..)
            | Transition::Push(..)
            | Transition::Pull(..)
            | Transition::Redirect(..)
            | Transition::Subscribe(_)
            | Transition::Unsubscribe(_)
            | Transition::LeaveMessage(_)
            | Transition::RingReliably(_)
            | Transition::StopPlatform
            | Transition::StartPlatform
            | Transition::Millis(_)
            | Transition::Seconds(_)
            | Transition::Rest => {}
        }
    }

    /// What was asked of the program before it died: holds and mutes are kept by its snapshot.
    fn forget(&mut self, device: DeviceId) {
        self.restarted.insert(device);
        // A program subscribes anew when it is started.
        self.subscriptions.remove(&device);
        let alive: Vec<_> = self.world.agent(device).calls().map(|call| call.id).collect();
        self.wishes
            .retain(|(at, call), _| *at != device || alive.contains(call));
        for ((_, _), wish) in self.wishes.iter_mut().filter(|((at, _), _)| *at == device) {
            wish.hold = None;
        }
    }

    /// Everything is mended, and time passes until nothing is under way.
    pub(crate) fn rest(&mut self) {
        self.rested_from = self.world.ladder().len();
        self.start_platform();
        for device in self.devices.clone() {
            self.world.wake_up(device);
            self.world.set_link(device, Link::office());
            set_password(&mut self.world, device, "demo");
            if self.setting == Setting::Busy {
                self.world.mend_media(device);
            }
        }
        self.world.pass(std::time::Duration::from_secs(420));
    }

    fn stop_platform(&mut self) {
        if std::mem::replace(&mut self.platform_runs, false) {
            self.world.stop_platform();
        }
    }

    fn start_platform(&mut self) {
        if !std::mem::replace(&mut self.platform_runs, true) {
            self.world.start_platform();
        }
    }

    // --- programs --------------------------------------------------------------------------------------------

    /// Of five wishes one is to take calls again.
    fn redirect(&mut self, device: u8, to: u8) {
        let device = self.device(device);
        let number = NUMBERS.get(usize::from(to) % (NUMBERS.len() + 1)).copied();
        self.world.redirect_calls(device, number);
    }

    fn subscribe(&mut self, device: u8) {
        let device = self.device(device);
        if self.world.is_asleep(device) || self.subscriptions.contains_key(&device) {
            return;
        }
        let target = format!("sip:{}@clearline.localhost", self.user(device));
        let since = self.world.events(device).len();
        let subscribed = self.world.command(device, |agent, now| {
            agent.subscribe(now, &target, PACKAGE, &[SUMMARY])
        });
        if let Ok(id) = subscribed {
            self.subscriptions.insert(device, Subscribed { id, since });
        }
    }

    fn unsubscribe(&mut self, device: u8) {
        let device = self.device(device);
        if self.world.is_asleep(device) {
            return;
        }
        if let Some(Subscribed { id, .. }) = self.subscriptions.remove(&device) {
            // One that was refused for good is not known any more.
            let _ = self
                .world
                .command(device, |agent, now| agent.unsubscribe(now, id));
        }
    }

    // --- people ----------------------------------------------------------------------------------------------

    fn dial(&mut self, device: u8, user: u8) {
        let device = self.device(device);
        if self.world.is_asleep(device) {
            return;
        }
        let number = NUMBERS[usize::from(user) % NUMBERS.len()];
        if self.world.try_call(device, number).is_ok() {
            self.accepted += 1;
        }
    }

    fn answer(
        &mut self,
        device: u8,
        answer: impl FnOnce(&mut UserAgent, clearline_core::Instant, CallId) -> Result<OperationId, CommandError>,
    ) -> bool {
        let device = self.device(device);
        let Some(call) = self
            .calls(device, |state| state == CallState::Incoming)
            .first()
            .copied()
        else {
            return false;
        };
        let answered = self.begin(device, |agent, now| answer(agent, now, call));
        self.wishes.entry((device, call)).or_default();
        answered.is_some()
    }

    fn hold_and_answer(&mut self, at: u8) {
        let device = self.device(at);
        let others = self.calls(device, |state| state == CallState::Active);
        if !self.answer(at, |agent, now, id| agent.hold_and_answer(now, id)) {
            return;
        }
        for call in others {
            self.wishes.entry((device, call)).or_default().hold = None;
        }
    }

    fn decline(&mut self, device: u8, for_all: bool) {
        let device = self.device(device);
        let reason = if for_all {
            RejectReason::Declined
        } else {
            RejectReason::Busy
        };
        if let Some(call) = self
            .calls(device, |state| state == CallState::Incoming)
            .first()
            .copied()
        {
            self.begin(device, |agent, now| agent.call_handle(now, call)?.reject(reason));
        }
    }

    fn set_hold(&mut self, device: u8, call: u8, hold: bool) {
        let done = self.command(
            device,
            call,
            |call| if hold { call.hold() } else { call.resume() },
        );
        if let Some((device, call, operation)) = done {
            self.wishes.entry((device, call)).or_default().hold = Some((operation, hold));
        }
    }

    fn mute(&mut self, device: u8, call: u8, muted: bool) {
        if let Some((device, call, _)) = self.command(device, call, |call| call.set_muted(muted)) {
            self.wishes.entry((device, call)).or_default().muted = muted;
        }
    }

    /// Gives a command to one of a device's calls.
    fn command(
        &mut self,
        device: u8,
        call: u8,
        command: impl FnOnce(&mut clearline_core::CallHandle<'_>) -> Result<OperationId, CommandError>,
    ) -> Option<(DeviceId, CallId, OperationId)> {
        let device = self.device(device);
        let calls = self.calls(device, |_| true);
        let call = *calls.get(usize::from(call) % calls.len().max(1))?;
        let operation = self.begin(device, |agent, now| command(&mut agent.call_handle(now, call)?))?;
        Some((device, call, operation))
    }

    pub(crate) fn begin(
        &mut self,
        device: DeviceId,
        command: impl FnOnce(&mut UserAgent, clearline_core::Instant) -> Result<OperationId, CommandError>,
    ) -> Option<OperationId> {
        if self.world.is_asleep(device) {
            return None;
        }
        let operation = self.world.begin(device, command).ok()?;
        self.accepted += 1;
        Some(operation)
    }

    fn device(&self, number: u8) -> DeviceId {
        self.devices[usize::from(number) % self.devices.len()]
    }

    fn calls(&self, device: DeviceId, is_meant: impl Fn(CallState) -> bool) -> Vec<CallId> {
        let calls = self.world.agent(device).calls();
        calls
            .filter(|call| is_meant(call.state))
            .map(|call| call.id)
            .collect()
    }

    /// Whose device it is.
    pub(crate) fn user(&self, device: DeviceId) -> &'static str {
        match self.devices.iter().position(|it| *it == device) {
            Some(0) => "alice",
            Some(1 | 2) => "bob",
            _ => "carol",
        }
    }

    /// A device, for messages.
    pub(crate) fn name(&self, device: DeviceId) -> String {
        let at = self.devices.iter().position(|it| *it == device).unwrap_or(0);
        format!("{} (device {at})", self.user(device))
    }
}

fn two_flows(config: &mut Config) {
    let url = |edge: &str| format!("ws://{edge}.clearline.localhost/sip");
    config.servers = Server::in_order([url("one"), url("two")]);
    config.outbound_flows = 2;
}

fn tell(world: &mut World, device: DeviceId, change: Environment) {
    if !world.is_asleep(device) {
        world.environment(device, change);
    }
}

fn set_password(world: &mut World, device: DeviceId, password: &str) {
    if !world.is_asleep(device) {
        world.command(device, |agent, now| {
            agent.set_password(now, Secret::new(password))
        });
    }
}

fn bad(loss: u8) -> Link {
    Link::new()
        .with(Effect::Delay(std::time::Duration::from_millis(90)))
        .with(Effect::Jitter(std::time::Duration::from_millis(70)))
        .with(Effect::Loss(loss))
}
