//! Who is to hear whom, by what the calls show: whoever is in one call or conference, and nobody else.

use std::collections::BTreeSet;

use clearline_core::{CallId, CallInfo, CallState};
use clearline_sim::DeviceId;

use crate::model::{Model, NUMBERS, USERS};

/// A call as one of its ends sees it.
pub(crate) type End = (DeviceId, CallId);

impl Model {
    /// Holds when nothing is under way.
    pub(crate) fn check_who_hears_whom(&self) {
        for listener in self.devices.iter().copied() {
            for speaker in self.devices.iter().copied().filter(|it| *it != listener) {
                let expected = self.is_to_hear(listener, speaker);
                let hears = self.world.hears(listener, speaker);
                let what = format!("hears {}: {expected}, not {hears}", self.name(speaker));
                self.expect(listener, &what, hears == expected);
            }
        }
    }

    /// Follows what a microphone picks up from call to call.
    fn is_to_hear(&self, listener: DeviceId, speaker: DeviceId) -> bool {
        let calls = self.world.agent(speaker).calls();
        let mut ways: Vec<_> = calls
            .filter(|call| call.state == CallState::Active && !call.muted && !call.local_hold)
            .filter_map(|call| self.world.partner(speaker, call.id))
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(end) = ways.pop() {
            if self.is_held_at(end) || !seen.insert(end) {
                continue;
            }
            if end.0 == listener {
                return true;
            }
            let others = self.mixed_with(end).into_iter();
            let others = others.filter(|other| !self.is_held_at(*other));
            ways.extend(others.filter_map(|(device, call)| self.world.partner(device, call)));
        }
        false
    }

    /// The other calls of the conference that is made at this end.
    fn mixed_with(&self, (device, id): End) -> Vec<End> {
        if self.world.is_service(device) {
            let calls = self.world.calls_with_media(device).into_iter();
            return calls
                .filter(|call| *call != id)
                .map(|call| (device, call))
                .collect();
        }
        let conference = self.info_at((device, id)).and_then(|call| call.conference);
        let calls = self.world.agent(device).calls();
        let others = calls
            .filter(|call| call.id != id && conference.is_some() && call.conference == conference)
            .map(|call| (device, call.id));
        others.collect()
    }

    /// All devices that are in one talk with this one, held or not.
    pub(crate) fn in_talk_with(&self, end: End) -> BTreeSet<DeviceId> {
        let (mut ways, mut seen) = (vec![end], BTreeSet::new());
        while let Some(end) = ways.pop() {
            if !seen.insert(end) {
                continue;
            }
            ways.extend(self.world.partner(end.0, end.1));
            ways.extend(self.mixed_with(end));
        }
        seen.into_iter().map(|(device, _)| device).collect()
    }

    /// A focus never holds.
    fn is_held_at(&self, end: End) -> bool {
        self.info_at(end).is_some_and(|call| call.local_hold)
    }

    pub(crate) fn info_at(&self, (device, id): End) -> Option<&CallInfo> {
        self.world.agent(device).calls().find(|call| call.id == id)
    }

    /// Who is shown to be in a conference of the platform is.
    pub(crate) fn check_participants(&self, device: DeviceId, call: &CallInfo, focus: DeviceId) {
        if self.lossy.contains(&device) {
            return;
        }
        let shown = call.participants.iter().map(|it| it.identity.user.as_str());
        let shown: BTreeSet<_> = shown.map(|name| user_of(name).to_owned()).collect();
        let calls = self.world.calls_with_media(focus).into_iter();
        let there = calls.filter_map(|id| self.world.partner(focus, id));
        let there: BTreeSet<_> = there.map(|(device, _)| self.world.user(device)).collect();
        let what = format!("it shows {there:?}, not {shown:?}");
        self.expect(device, &what, shown == there);
    }

    /// What is shown of this user's other devices is there.
    pub(crate) fn check_remote_calls(&self, device: DeviceId) {
        if self.lossy.contains(&device) {
            return;
        }
        let user = self.user(device);
        let others = self
            .devices
            .iter()
            .filter(|other| **other != device && self.user(**other) == user);
        let calls = others.flat_map(|other| self.world.agent(*other).calls());
        let mut there: Vec<_> = calls.map(|call| call.remote.user.clone()).collect();
        let shown = self.world.agent(device).remote_calls().iter();
        for user in shown.map(|call| &call.remote.user) {
            let at = there.iter().position(|it| it == user);
            let what = format!("no call with {user} is shown that is not there: {there:?}");
            self.expect(device, &what, at.is_some());
            at.map(|at| there.swap_remove(at));
        }
    }
}

/// Whose number it is, if it is one: who is brought in by number is shown by it.
fn user_of(name: &str) -> &str {
    let at = NUMBERS.iter().position(|number| *number == name);
    at.and_then(|at| USERS.get(at)).copied().unwrap_or(name)
}
