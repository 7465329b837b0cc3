//! What people do with several calls and several devices. Who does it is chosen among those who can, as else next to nothing
//! would come of it.

use clearline_core::{
    CallHandle, CallId, CallInfo, CallOptions, CallState, CommandError, EndCause, Instant, OperationId,
    TransferState, UserAgent,
};
use clearline_sim::DeviceId;

use crate::model::{Model, NUMBERS, Wish};
use crate::transition::Transition;

/// A command that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) device: DeviceId,
    pub(crate) verb: Verb,
    /// None has an operation of its own: what becomes of the call tells how it has ended.
    pub(crate) operation: Option<OperationId>,
}

/// What was commanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    SwapTo(CallId),
    Consult,
    /// The far end is sent to somebody, or to other devices of this user.
    Transfer(CallId),
    TransferTo(CallId, CallId),
    CancelTransfer(CallId),
    Merge(CallId, CallId),
    Split(CallId),
    AddParticipant,
    RemoveParticipant,
    Pull(CallId),
}

impl Model {
    pub(crate) fn switchboard(&mut self, transition: Transition) {
        match transition {
            Transition::SwapTo(a, b) => self.swap_to([a, b]),
            Transition::Consult(a, b, user) => self.consult([a, b], user),
            Transition::Transfer(a, b, user) => self.transfer([a, b], user),
            Transition::TransferTo(a, b) => self.transfer_to([a, b]),
            Transition::CancelTransfer(a, b) => self.cancel_transfer([a, b]),
            Transition::Merge(a, b) => self.merge([a, b]),
            Transition::Split(a, b) => self.split([a, b]),
            Transition::LeaveConference(a) => self.leave_conference(a),
            Transition::AddParticipant(a, b, user) => self.add_participant([a, b], user),
            Transition::RemoveParticipant(a, b, user) => self.remove_participant([a, b], user),
            Transition::Push(a, b) => self.push([a, b]),
            Transition::Pull(a, b) => self.pull([a, b]),
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
            | Transition::Redirect(..)
            | Transition::Subscribe(_)
            | Transition::Unsubscribe(_)
            | Transition::LeaveMessage(_)
            | Transition::Cut(_)
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
            | Transition::RightPassword(_)
            | Transition::RingReliably(_)
            | Transition::StopPlatform
            | Transition::StartPlatform
            | Transition::Millis(_)
            | Transition::Seconds(_)
            | Transition::Rest => {}
        }
    }

    /// Who is spoken with afterwards is what the user wants; who is only asked comes back by rules of its own.
    fn swap_to(&mut self, dice: [u8; 2]) {
        let Some((device, id)) = self.chosen(dice, |call| is_active(call) && call.local_hold) else {
            return;
        };
        let others = self.world.agent(device).calls();
        let others = others.filter(|call| call.id != id && is_active(call) && !call.local_hold);
        let others: Vec<_> = others.map(|call| (call.id, call.transfer.is_none())).collect();
        let swap = self.attempt(device, Verb::SwapTo(id), |agent, now| agent.swap_to(now, id));
        let Some(operation) = swap else { return };
        self.wish(device, id).hold = Some((operation, false));
        for (other, stays) in others {
            self.wish(device, other).hold = stays.then_some((operation, true));
        }
    }

    fn consult(&mut self, dice: [u8; 2], user: u8) {
        let Some((device, of)) = self.chosen(dice, is_active) else {
            return;
        };
        let (id, target) = (self.world.new_call_id(), number(user));
        self.attempt(device, Verb::Consult, |agent, now| {
            agent.consult(now, of, id, target, CallOptions::default())
        });
        self.holds_may_change(device);
    }

    fn transfer(&mut self, dice: [u8; 2], user: u8) {
        self.command_chosen(dice, Verb::Transfer, |call| call.transfer(number(user)));
    }

    fn push(&mut self, dice: [u8; 2]) {
        self.command_chosen(dice, Verb::Transfer, |call| call.push());
    }

    fn transfer_to(&mut self, dice: [u8; 2]) {
        let Some((device, id)) = self.chosen(dice, is_active) else {
            return;
        };
        let asked = self.info(device, id).and_then(|call| call.transfer.clone());
        let other = match asked {
            Some(TransferState::Consulting { with }) => Some(with),
            Some(_) | None => self.next(device, id, |_| true),
        };
        let Some(other) = other else { return };
        self.attempt(device, Verb::TransferTo(id, other), |agent, now| {
            agent.call_handle(now, id)?.transfer_to(other)
        });
        self.holds_may_change(device);
    }

    fn cancel_transfer(&mut self, dice: [u8; 2]) {
        let Some((device, id)) = self.chosen(dice, |call| call.transfer.is_some()) else {
            return;
        };
        self.attempt(device, Verb::CancelTransfer(id), |agent, now| {
            agent.call_handle(now, id)?.cancel_transfer()
        });
        self.holds_may_change(device);
    }

    fn merge(&mut self, dice: [u8; 2]) {
        let Some((device, one)) = self.chosen(dice, is_active) else {
            return;
        };
        let Some(other) = self.next(device, one, is_active) else {
            return;
        };
        let merge = self.attempt(device, Verb::Merge(one, other), |agent, now| {
            agent.merge(now, one, other)
        });
        if merge.is_some() {
            self.holds_change(device);
        }
    }

    fn split(&mut self, dice: [u8; 2]) {
        let Some((device, with)) = self.chosen(dice, |call| call.conference.is_some()) else {
            return;
        };
        let split = self.attempt(device, Verb::Split(with), |agent, now| agent.split(now, with));
        if split.is_some() {
            self.holds_change(device);
        }
    }

    fn leave_conference(&mut self, dice: u8) {
        let Some((device, one)) = self.chosen([dice, 0], |call| call.conference.is_some()) else {
            return;
        };
        let Some(other) = self.next(device, one, |call| call.conference.is_some()) else {
            return;
        };
        self.attempt(device, Verb::TransferTo(one, other), |agent, now| {
            agent.leave_conference(now)
        });
        self.holds_may_change(device);
    }

    fn add_participant(&mut self, dice: [u8; 2], user: u8) {
        let Some((device, room)) = self.chosen(dice, |call| call.focus && is_active(call)) else {
            return;
        };
        self.attempt(device, Verb::AddParticipant, |agent, now| {
            agent.add_participant(now, room, number(user))
        });
    }

    fn remove_participant(&mut self, dice: [u8; 2], who: u8) {
        let Some((device, room)) = self.chosen(dice, |call| !call.participants.is_empty()) else {
            return;
        };
        let participants = self.info(device, room).map(|call| call.participants.clone());
        let participants = participants.unwrap_or_default();
        let Some(who) = participants.get(usize::from(who) % participants.len().max(1)) else {
            return;
        };
        self.attempt(device, Verb::RemoveParticipant, |agent, now| {
            agent.remove_participant(now, room, &who.identity.uri)
        });
    }

    fn pull(&mut self, dice: [u8; 2]) {
        let devices = self.devices.iter();
        let there = devices.flat_map(|device| {
            let calls = self.world.agent(*device).remote_calls().iter();
            let calls = calls.filter(|call| call.can_be_pulled);
            calls.map(|call| (*device, call.id))
        });
        let there: Vec<_> = there.collect();
        let Some((device, remote)) = among(&there, dice) else {
            return;
        };
        if self.world.is_asleep(device) {
            return;
        }
        let id = self.world.new_call_id();
        let pulled = self
            .world
            .command(device, |agent, now| agent.pull(now, id, remote));
        if pulled.is_ok() {
            self.accepted += 1;
            self.attempts.push(Attempt {
                device,
                verb: Verb::Pull(id),
                operation: None,
            });
        }
    }

    // --- choosing and commanding ---------------------------------------------------------------------------------

    fn chosen(&self, dice: [u8; 2], is_meant: impl Fn(&CallInfo) -> bool) -> Option<(DeviceId, CallId)> {
        let devices = self.devices.iter();
        let calls = devices.flat_map(|device| {
            let calls = self.world.agent(*device).calls();
            calls.filter(|call| is_meant(call)).map(|call| (*device, call.id))
        });
        among(&calls.collect::<Vec<_>>(), dice)
    }

    /// The call after `id`, all around.
    fn next(&self, device: DeviceId, id: CallId, is_meant: impl Fn(&CallInfo) -> bool) -> Option<CallId> {
        let calls = self.world.agent(device).calls();
        let others: Vec<_> = calls
            .filter(|call| call.id != id && is_meant(call))
            .map(|call| call.id)
            .collect();
        let later = others.iter().find(|other| **other > id);
        later.or(others.first()).copied()
    }

    fn info(&self, device: DeviceId, id: CallId) -> Option<&CallInfo> {
        self.world.agent(device).calls().find(|call| call.id == id)
    }

    fn command_chosen(
        &mut self,
        dice: [u8; 2],
        verb: impl Fn(CallId) -> Verb,
        command: impl FnOnce(&mut CallHandle<'_>) -> Result<OperationId, CommandError>,
    ) {
        let Some((device, id)) = self.chosen(dice, is_active) else {
            return;
        };
        self.attempt(device, verb(id), |agent, now| {
            command(&mut agent.call_handle(now, id)?)
        });
        self.holds_may_change(device);
    }

    fn attempt(
        &mut self,
        device: DeviceId,
        verb: Verb,
        command: impl FnOnce(&mut UserAgent, Instant) -> Result<OperationId, CommandError>,
    ) -> Option<OperationId> {
        let operation = self.begin(device, command)?;
        self.attempts.push(Attempt {
            device,
            verb,
            operation: Some(operation),
        });
        Some(operation)
    }

    fn wish(&mut self, device: DeviceId, call: CallId) -> &mut Wish {
        self.wishes.entry((device, call)).or_default()
    }

    /// What has been commanded holds calls and takes them off hold again: whoever was on hold by the user's wish stays there.
    fn holds_may_change(&mut self, device: DeviceId) {
        for ((_, _), wish) in self.wishes.iter_mut().filter(|((at, _), _)| *at == device) {
            wish.hold = wish.hold.filter(|(_, hold)| *hold);
        }
    }

    /// It changes who is on hold, whatever was wished before.
    fn holds_change(&mut self, device: DeviceId) {
        for ((_, _), wish) in self.wishes.iter_mut().filter(|((at, _), _)| *at == device) {
            wish.hold = None;
        }
    }

    // --- what has come of it -------------------------------------------------------------------------------------

    /// A call that has gone over to somebody was sent there by its user, or its far end has sent it on.
    pub(crate) fn check_attempts(&self, device: DeviceId) {
        if self.restarted.contains(&device) {
            return;
        }
        for call in self.world.calls(device) {
            let cause = call.end.as_ref().map(|end| end.cause);
            let is_justified = match cause {
                Some(EndCause::Transferred) => {
                    self.has_sent_on(device, call.id) || self.is_succeeded(device, call.id)
                }
                Some(EndCause::MovedToConference) => self.has_merged(device, call.id),
                Some(_) | None => true,
            };
            self.expect(
                device,
                &format!("{:?} is its user's doing: {cause:?}", call.id),
                is_justified,
            );
        }
        for Attempt { verb, .. } in self.succeeded(device) {
            let gone = match verb {
                Verb::Transfer(call) => vec![call],
                Verb::TransferTo(call, other) => vec![call, other],
                Verb::SwapTo(_)
                | Verb::Consult
                | Verb::CancelTransfer(_)
                | Verb::Merge(..)
                | Verb::Split(_)
                | Verb::AddParticipant
                | Verb::RemoveParticipant
                | Verb::Pull(_) => continue,
            };
            let is_left = gone.iter().all(|call| self.info(device, *call).is_none());
            self.expect(device, &format!("{verb:?} has left its calls"), is_left);
        }
    }

    /// Commands that have ended well.
    fn succeeded(&self, device: DeviceId) -> impl Iterator<Item = Attempt> {
        let own = self.attempts.iter().filter(move |it| it.device == device);
        own.copied().filter(move |attempt| {
            let operation = attempt.operation;
            operation.is_some_and(|operation| self.world.result(device, operation) == Some(&Ok(())))
        })
    }

    /// One of two that are to be connected may end as the other is sent there: it has arrived then, as far as can be seen.
    fn has_sent_on(&self, device: DeviceId, id: CallId) -> bool {
        let mut own = self.attempts.iter().filter(|it| it.device == device);
        own.any(|it| matches!(it.verb, Verb::TransferTo(one, other) if [one, other].contains(&id)))
            || self.succeeded(device).any(|it| it.verb == Verb::Transfer(id))
    }

    /// Whether another call has taken its place here.
    fn is_succeeded(&self, device: DeviceId, id: CallId) -> bool {
        self.world.calls(device).any(|call| call.succeeds == Some(id))
    }

    fn has_merged(&self, device: DeviceId, id: CallId) -> bool {
        let mut own = self.attempts.iter().filter(|it| it.device == device);
        own.any(|it| matches!(it.verb, Verb::Merge(one, other) if [one, other].contains(&id)))
    }
}

fn number(user: u8) -> &'static str {
    NUMBERS[usize::from(user) % NUMBERS.len()]
}

fn among<T: Copy>(all: &[T], dice: [u8; 2]) -> Option<T> {
    let number = usize::from(u16::from_le_bytes(dice));
    all.get(number % all.len().max(1)).copied()
}

fn is_active(call: &CallInfo) -> bool {
    call.state == CallState::Active
}
