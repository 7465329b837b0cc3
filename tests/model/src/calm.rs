//! One command when nothing else happens: it does what it says, or everything is as it was.

use std::collections::BTreeMap;

use clearline_core::{CallId, OperationError};
use clearline_sim::DeviceId;

use crate::hearing::End;
use crate::model::Model;
use crate::switchboard::{Attempt, Verb};
use crate::transition::Transition;

/// How everything stood at rest, and the one command that was given since.
#[derive(Clone, Debug)]
pub(crate) struct Calm {
    before: Calls,
    /// With whom they were.
    partners: BTreeMap<End, End>,
    attempt: Option<Attempt>,
}

/// All calls there are.
type Calls = BTreeMap<DeviceId, BTreeMap<CallId, Shown>>;

/// What a user sees of a call at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown {
    is_held: bool,
    is_mixed: bool,
}

impl Model {
    /// Something has happened; commands are those after the first `attempts`.
    pub(crate) fn disturb_calm(&mut self, transition: Transition, attempts: usize) {
        let is_time = matches!(
            transition,
            Transition::Millis(_) | Transition::Seconds(_) | Transition::Rest
        );
        let fresh = self.attempts.get(attempts).copied();
        // Who calls the own number may end up in a call with the own device, of which both ends change at once.
        let fresh_is_clear = fresh.is_none_or(|fresh| !self.is_in_touch_with_itself(fresh.device));
        match (&mut self.calm, fresh) {
            (Some(calm), Some(fresh)) if calm.attempt.is_none() && fresh_is_clear => {
                calm.attempt = Some(fresh)
            }
            (_, None) if is_time || transition.is_of_several_calls() => {}
            (_, Some(_) | None) => self.calm = None,
        }
    }

    fn is_in_touch_with_itself(&self, device: DeviceId) -> bool {
        let calls = self.calm.iter().flat_map(|calm| &calm.partners);
        let mut calls = calls.filter(|((own, _), _)| *own == device);
        calls.any(|(_, (partner, _))| *partner == device)
    }

    /// After a rest.
    pub(crate) fn judge_calm(&mut self) {
        let now = self.shown();
        if let Some(calm) = &self.calm
            && let Some(attempt) = calm.attempt
        {
            self.judge(calm, attempt, &now);
        }
        let ends = now
            .iter()
            .flat_map(|(device, calls)| calls.keys().map(|call| (*device, *call)));
        let partners = ends.filter_map(|end| Some((end, self.world.partner(end.0, end.1)?)));
        self.calm = Some(Calm {
            partners: partners.collect(),
            before: now,
            attempt: None,
        });
    }

    fn judge(&self, calm: &Calm, attempt: Attempt, now: &Calls) {
        let Attempt {
            device,
            verb,
            operation,
        } = attempt;
        let result = operation.and_then(|operation| self.world.result(device, operation));
        let own = now.get(&device);
        let shown = |call: &CallId| own.and_then(|calls| calls.get(call)).copied();
        let is_spoken_with = |call: &CallId| shown(call).is_some_and(|call| !call.is_held);
        let others = |id: CallId| own.into_iter().flatten().filter(move |(call, _)| **call != id);
        let (what, is_so) = match (verb, result) {
            (Verb::Pull(id), _) if shown(&id).is_some() => (
                "it has taken one call over",
                self.has_taken_over(calm, (device, id), now),
            ),
            (_, Some(Ok(()))) => match verb {
                Verb::SwapTo(id) => (
                    "one is spoken with, and the others are held",
                    is_spoken_with(&id) && others(id).all(|(_, call)| call.is_held),
                ),
                Verb::Consult => (
                    "nobody has answered, so everything is as it was",
                    calm.is_as_it_was(device, now),
                ),
                Verb::Transfer(_) => (
                    "nobody has answered, so nothing has been transferred",
                    !self.world.kind().reports_transfers(),
                ),
                Verb::TransferTo(one, other) => {
                    ("they are connected", self.are_connected(calm, device, one, other))
                }
                Verb::Merge(one, other) => ("they are together", self.are_together(calm, device, one, other)),
                Verb::Split(with) => (
                    "one is spoken with alone, and those who were with them are held",
                    is_spoken_with(&with)
                        && shown(&with).is_some_and(|call| !call.is_mixed)
                        && others(with).all(|(call, shown)| shown.is_held || !calm.was_mixed(device, *call)),
                ),
                Verb::AddParticipant => ("nobody has answered", false),
                Verb::CancelTransfer(id) => ("the call is there", is_spoken_with(&id)),
                Verb::RemoveParticipant | Verb::Pull(_) => ("", true),
            },
            (Verb::CancelTransfer(_), Some(Err(OperationError::CallEnded))) => ("", true),
            (_, Some(Err(_)) | None) => (
                "it has failed, so everything is as it was",
                calm.is_as_it_was(device, now),
            ),
        };
        let what = format!(
            "{what}: {verb:?} ended with {result:?}, before {:?}, now {now:?}",
            calm.before
        );
        self.expect(device, &what, is_so);
    }

    fn shown(&self) -> Calls {
        let devices = self.devices.iter().map(|device| {
            let calls = self.world.agent(*device).calls().map(|call| {
                let shown = Shown {
                    is_held: call.local_hold,
                    is_mixed: call.conference.is_some(),
                };
                (call.id, shown)
            });
            (*device, calls.collect())
        });
        devices.collect()
    }

    /// One call of the same user's other devices is gone, and its far end is in this one.
    fn has_taken_over(&self, calm: &Calm, end: End, now: &Calls) -> bool {
        let partner = self.world.partner(end.0, end.1);
        let others = self.devices.iter().filter(|it| **it != end.0);
        let others = others.filter(|it| self.user(**it) == self.user(end.0));
        let mut gone = others.flat_map(|other| {
            let before = calm.before.get(other).into_iter().flatten();
            let is_gone = |id: &CallId| now.get(other).is_none_or(|calls| !calls.contains_key(id));
            let gone = before.map(|(id, _)| *id).filter(is_gone);
            gone.map(|id| (*other, id)).collect::<Vec<_>>()
        });
        let taken = gone.next().and_then(|end| calm.partners.get(&end));
        taken.map(|(device, _)| device) == partner.as_ref().map(|(device, _)| device) && gone.next().is_none()
    }

    /// The far ends of two calls that are left are in one talk.
    fn are_connected(&self, calm: &Calm, device: DeviceId, one: CallId, other: CallId) -> bool {
        let far = |call| calm.partners.get(&(device, call)).map(|(device, _)| *device);
        let (Some(one), Some(other)) = (far(one), far(other)) else {
            return false;
        };
        let calls = self.world.calls_with_media(one).into_iter();
        let mut talks = calls.map(|call| self.in_talk_with((one, call)));
        talks.any(|talk| talk.contains(&other))
    }

    /// The far ends of two calls, and this one.
    fn are_together(&self, calm: &Calm, device: DeviceId, one: CallId, other: CallId) -> bool {
        let far = |call| calm.partners.get(&(device, call)).map(|(device, _)| *device);
        let (Some(one), Some(other)) = (far(one), far(other)) else {
            return false;
        };
        let calls = self.world.calls_with_media(device).into_iter();
        let mut talks = calls.map(|call| self.in_talk_with((device, call)));
        talks.any(|talk| talk.contains(&one) && talk.contains(&other))
    }
}

impl Calm {
    /// Somebody who was on hold for what has failed stays there while the user speaks with another.
    fn is_as_it_was(&self, device: DeviceId, now: &Calls) -> bool {
        let is_spoken_with_another = |id: &CallId| {
            let mut calls = now.get(&device).into_iter().flatten();
            calls.any(|(other, call)| other != id && !call.is_held)
        };
        let mut before = self.before.clone();
        let waiting = before.get_mut(&device).into_iter().flatten();
        for (id, call) in waiting.filter(|(id, _)| is_spoken_with_another(id)) {
            let shown = now.get(&device).and_then(|calls| calls.get(id));
            call.is_held |= shown.is_some_and(|shown| shown.is_held);
        }
        before == *now
    }

    fn was_mixed(&self, device: DeviceId, call: CallId) -> bool {
        let calls = self.before.get(&device);
        calls
            .and_then(|calls| calls.get(&call))
            .is_some_and(|call| call.is_mixed)
    }
}
