//! What is always so, and what is so once everything has come to rest.

use clearline_core::{CallId, CallInfo, CallState, Event, SubscriptionState};
use clearline_sim::{DeviceId, PlatformKind};

use crate::case::Setting;
use crate::model::{Model, Subscribed};

/// An agent in the worst of weathers fits in this (its `Debug` text, which grows with all it keeps).
const LARGEST_AGENT: usize = 400_000;
/// More SUBSCRIBEs than a refresh every two minutes and its challenges take in the time of a rest.
const MOST_SUBSCRIBES: usize = 30;
/// An agent with nothing to do.
const RESTING_AGENT: usize = 30_000;

impl Model {
    /// Holds after every transition.
    ///
    /// That an operation ends once, that no deadline lies in the past after a wake, and that an input leads to a
    /// bounded number of outputs, the world sees to itself.
    pub(crate) fn check_always(&self) {
        for device in self.devices.iter().copied() {
            for call in self.world.agent(device).calls() {
                self.check_silence(device, call);
                if self.user(device) == "carol" {
                    self.expect(device, "it follows no redirect", call.redirected_to.is_none());
                }
            }
            let size = self.world.agent_size(device);
            self.expect(
                device,
                &format!("memory is bounded, not {size}"),
                size < LARGEST_AGENT,
            );
        }
    }

    /// Holds when everything is mended: what is wanted is in force, and nothing is asked for over and over.
    fn check_subscription(&self, device: DeviceId) {
        let name = self.world.device_name(device);
        let requests = self.world.ladder().iter().skip(self.rested_from);
        let asked = requests
            .filter(|line| line.contains(name) && line.contains("-> SUBSCRIBE"))
            .count();
        let what = format!("it subscribes a few times, not {asked}");
        self.expect(device, &what, asked <= MOST_SUBSCRIBES);
        let Some(wanted) = self.subscription(device) else {
            return;
        };
        let Some(left) = self.world.messages_left(self.user(device)) else {
            return;
        };
        let agent = self.world.agent(device);
        let state = agent.subscriptions().find(|(id, _)| *id == wanted.id);
        let is_active = matches!(state, Some((_, SubscriptionState::Active { .. })));
        self.expect(device, &format!("it is subscribed, not {state:?}"), is_active);
        let told = self
            .world
            .events(device)
            .iter()
            .skip(wanted.since)
            .rev()
            .find_map(|event| {
                let Event::Notification(news) = event else {
                    return None;
                };
                (news.subscription == wanted.id).then_some(news.body.as_slice())
            });
        let told = String::from_utf8_lossy(told.unwrap_or_default());
        let what = format!("it knows of {left} messages, not {told:?}");
        self.expect(device, &what, told.contains(&format!("Voice-Message: {left}/0")));
    }

    /// The subscription a device wants, unless its user has been told that the password was refused.
    fn subscription(&self, device: DeviceId) -> Option<Subscribed> {
        let wanted = *self.subscriptions.get(&device)?;
        let mut events = self.world.events(device).iter().skip(wanted.since);
        let refused = events.any(|event| {
            matches!(event, Event::Subscription {
                subscription,
                state: SubscriptionState::Ended { sip_status: Some(401 | 403 | 407), .. },
            } if *subscription == wanted.id)
        });
        (!refused).then_some(wanted)
    }

    /// Who is shown as muted or holding is not heard.
    fn check_silence(&self, device: DeviceId, call: &CallInfo) {
        if self.world.media_is_busy(device) {
            return;
        }
        let Some(microphone) = self.world.microphone(device, call.id) else {
            return;
        };
        if call.muted {
            self.expect(device, "a muted microphone is silent", !microphone.is_live);
        }
        let wish = self.wishes.get(&(device, call.id)).and_then(|wish| wish.hold);
        if call.local_hold && wish.is_none_or(|(_, hold)| hold) {
            self.expect(device, "a microphone on hold is silent", !microphone.is_live);
        }
    }

    /// Holds when everything is mended and nothing is under way any more.
    pub(crate) fn check_rest(&self) {
        for device in self.devices.iter().copied() {
            self.expect(device, "it is registered", self.world.is_registered(device));
            self.check_subscription(device);
            self.check_flows(device);
            let pending = self.world.pending_operations(device);
            self.expect(
                device,
                &format!("every command has ended, not {pending}"),
                pending == 0,
            );
            for call in self.world.agent(device).calls() {
                self.check_call(device, call);
            }
            self.check_attempts(device);
            self.check_remote_calls(device);
            let is_idle = self.world.agent(device).calls().next().is_none();
            let size = self.world.agent_size(device);
            if is_idle {
                self.expect(
                    device,
                    &format!("it has forgotten, not {size}"),
                    size < RESTING_AGENT,
                );
                self.expect(
                    device,
                    "its microphone is closed",
                    !self.world.has_open_media(device),
                );
            }
            for call in self
                .world
                .calls(device)
                .filter(|call| call.state == CallState::Ended)
            {
                self.expect(device, "an ended call has a reason", call.end.is_some());
            }
        }
        self.check_who_hears_whom();
        if self.world.kind() != PlatformKind::Proxy {
            let devices = self.devices.iter();
            let wanted = devices.filter_map(|device| self.subscription(*device)).count();
            let known = self.world.watchers();
            let what = format!("the platform has {wanted} subscriptions, not {known}");
            self.world.expect(&what, known == wanted);
        }
        let objections = self.world.objections();
        self.world.expect(
            &format!("the platform objects to nothing: {objections:?}"),
            objections.is_empty(),
        );
        for user in ["alice", "bob", "carol"] {
            let devices = self.devices.iter().filter(|device| self.user(**device) == user);
            let count = devices.clone().count();
            let flows: usize = devices.map(|device| self.world.flows_wanted(*device)).sum();
            let bindings = self.world.bindings(user);
            let what = format!("{user} has {count} to {flows} bindings, not {bindings}");
            self.world.expect(&what, (count..=flows).contains(&bindings));
        }
    }

    /// No more connections than were asked for. While one serves there is no hurry with the other (RFC 5626 section
    /// 4.5).
    fn check_flows(&self, device: DeviceId) {
        let flows = self.world.flows_wanted(device);
        let open = self.world.open_connections(device);
        let what = format!("it has one to {flows} flows, not {open}");
        self.expect(device, &what, (1..=flows).contains(&open));
    }

    fn check_call(&self, device: DeviceId, call: &CallInfo) {
        let what = format!("a call that is left is answered, not {:?}", call.state);
        self.expect(device, &what, call.state == CallState::Active);
        self.expect(device, "nothing is being negotiated", !call.negotiating);
        self.check_wishes(device, call);
        let partner = self.world.partner(device, call.id);
        let Some((other, id)) = partner else {
            return self.expect(device, "the far end is in the call too", false);
        };
        self.expect(
            device,
            "the far end is in this call",
            self.world.partner(other, id) == Some((device, call.id)),
        );
        if self.world.is_service(other) {
            return self.check_participants(device, call, other);
        }
        let Some(far) = self.info_at((other, id)) else {
            return self.expect(device, "the far end's call is alive", false);
        };
        // Who could not be told keeps the name of before.
        if self.setting == Setting::Busy && !self.lossy.contains(&device) {
            let (shown, there) = (&call.remote.user, self.world.user(other));
            let what = format!("the far end is shown as {there}, not as {shown}");
            self.expect(device, &what, *shown == there);
        }
        if self.world.kind().tells_hold() {
            let what = format!(
                "held {} as the far end holds {}",
                call.remote_hold, far.local_hold
            );
            // An answer of `inactive` to one's own hold does not tell whether the other side holds too.
            let agrees = call.local_hold || call.remote_hold == far.local_hold;
            self.expect(device, &what, agrees);
        }
        self.check_hearing((device, call), (other, far));
    }

    fn check_wishes(&self, device: DeviceId, call: &CallInfo) {
        let Some(wish) = self.wishes.get(&(device, call.id)) else {
            return;
        };
        self.expect(device, "muted as it was asked to be", call.muted == wish.muted);
        if let Some((operation, hold)) = wish.hold
            && self.world.result(device, operation) == Some(&Ok(()))
        {
            let what = format!("hold is {} as it was asked to be", hold);
            self.expect(device, &what, call.local_hold == hold);
        }
    }

    /// One hears the other unless somebody holds or the other is muted.
    fn check_hearing(&self, (device, call): (DeviceId, &CallInfo), (other, far): (DeviceId, &CallInfo)) {
        let expected = !call.local_hold && !far.local_hold && !far.muted;
        let hears = self.world.hears_in((device, call.id), (other, far.id));
        let what = format!("hears the far end: {expected}, not {hears}");
        self.expect(device, &what, hears == expected);
    }

    pub(crate) fn expect(&self, device: DeviceId, what: &str, is_so: bool) {
        if !is_so {
            self.world
                .expect(&format!("{}: {what}", self.name(device)), false);
        }
    }

    /// A number for what a user could see of the whole system just now.
    pub(crate) fn digest(&self) -> u64 {
        let mut text = String::new();
        for device in self.devices.iter().copied() {
            let agent = self.world.agent(device);
            let connection = std::mem::discriminant(agent.connection());
            let registration = std::mem::discriminant(agent.registration());
            text.push_str(&format!("{device:?} {connection:?} {registration:?} "));
            let calls: Vec<_> = agent.calls().map(summary).collect();
            text.push_str(&format!("{calls:?} {}\n", self.world.bindings(self.user(device))));
        }
        text.push_str(&format!("{}", self.world.open_at_platform()));
        fnv(text.as_bytes())
    }
}

fn summary(call: &CallInfo) -> impl std::fmt::Debug {
    let CallId(_) = call.id;
    (
        call.state,
        call.direction,
        (
            call.muted,
            call.local_hold,
            call.remote_hold,
            call.negotiating,
            call.early_media,
        ),
        call.media,
    )
}

/// FNV-1a, the same everywhere.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
