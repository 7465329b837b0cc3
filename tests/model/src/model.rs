//! What the users have asked for, and so expect to find.

use std::collections::BTreeMap;

use clearline_core::{
    CallId, CallState, CommandError, Environment, MediaErrorKind, OperationId, RejectReason, Secret,
    UserAgent,
};
use clearline_sim::{DeviceId, Effect, Link, PlatformKind, Way, World};

use crate::transition::Transition;

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const NUMBERS: [&str; 4] = ["101", "102", "103", "199"];

/// The system and what is expected of it.
pub(crate) struct Model {
    pub(crate) world: World,
    pub(crate) devices: Vec<DeviceId>,
    /// What has been asked of calls that are answered.
    pub(crate) wishes: BTreeMap<(DeviceId, CallId), Wish>,
    platform_runs: bool,
    /// Commands that were accepted.
    pub(crate) accepted: u64,
}

/// What a user has asked of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// The last hold or resume that was accepted, and what it asked for.
    pub(crate) hold: Option<(OperationId, bool)>,
    pub(crate) muted: bool,
}

impl Model {
    /// Alice and carol have one device, bob has two.
    pub(crate) fn new(kind: PlatformKind, seed: u8) -> Self {
        let mut world = World::of(kind, seed);
        let devices = ["alice", "bob", "bob", "carol"]
            .into_iter()
            .map(|user| world.phone(user))
            .collect();
        Self {
            world,
            devices,
            wishes: BTreeMap::new(),
            platform_runs: true,
            accepted: 0,
        }
    }

    /// Lets something happen, and the time until the next thing pass.
    pub(crate) fn apply(&mut self, transition: Transition) {
        self.happen(transition);
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
            Transition::Cut(_)
            | Transition::Drop(_)
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
            | Transition::StopPlatform
            | Transition::StartPlatform
            | Transition::Millis(_)
            | Transition::Seconds(_)
            | Transition::Rest => {}
        }
    }

    /// What was asked of the program before it died: holds and mutes are kept by its snapshot.
    fn forget(&mut self, device: DeviceId) {
        let alive: Vec<_> = self.world.agent(device).calls().map(|call| call.id).collect();
        self.wishes
            .retain(|(at, call), _| *at != device || alive.contains(call));
        for ((_, _), wish) in self.wishes.iter_mut().filter(|((at, _), _)| *at == device) {
            wish.hold = None;
        }
    }

    /// Everything is mended, and time passes until nothing is under way.
    pub(crate) fn rest(&mut self) {
        self.start_platform();
        for device in self.devices.clone() {
            self.world.wake_up(device);
            self.world.set_link(device, Link::office());
            set_password(&mut self.world, device, "demo");
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

    fn begin(
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

    /// Users of the system, for messages.
    pub(crate) fn name(&self, device: DeviceId) -> String {
        let at = self.devices.iter().position(|it| *it == device).unwrap_or(0);
        format!(
            "{} (device {at})",
            USERS
                .get(at.min(at.saturating_sub(usize::from(at > 1))))
                .unwrap_or(&"?")
        )
    }
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
