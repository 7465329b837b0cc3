//! Operations of several steps, with several calls: each step begins when the one before has succeeded, and one that fails
//! takes those before it back, so that the user is where the operation began, with the reason in its end.
//!
//! ```text
//! begin --> Holding (the other calls, or the one that is transferred) --all held--> Doing (what is wanted) --> done
//!              | one refused                                                          | refused
//!              +-----------> those held by this operation are taken off hold <--------+
//! ```

use super::UserAgent;
use super::target::Target;
use crate::call::{Call, CallOptions, Referral};
use crate::endpoint::Endpoint;
use crate::error::{CommandError, OperationError};
use crate::event::EndCause;
use crate::id::{CallId, OperationId};
use crate::sip::UriBuf;

/// Sequences at once: each of them is a command that the user has given and not seen the end of.
const MAX_SEQUENCES: usize = 16;

/// A command that takes several steps.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    operation: OperationId,
    goal: Goal,
    /// The commands to the calls that have to end well before it goes on.
    steps: Vec<Step>,
    /// Whether the steps are those towards the goal itself.
    is_doing: bool,
    /// Calls this operation has put on hold.
    held: Vec<Held>,
}

/// A call that an operation has put on hold.
#[derive(Clone, Copy, Debug)]
struct Held {
    call: CallId,
    /// It comes back when the operation fails: the user has not commanded its hold since.
    returns: bool,
}

impl Held {
    fn new(call: CallId) -> Self {
        Self { call, returns: true }
    }
}

/// A command to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    operation: OperationId,
    call: CallId,
}

/// What is done when the calls that are in the way are on hold.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// A call that comes in is answered.
    Answer(CallId),
    /// A call is taken off hold.
    Resume(CallId),
    /// Somebody is called, and asked before the far end of `of` is sent there.
    Consult {
        of: CallId,
        id: CallId,
        target: Target,
        options: CallOptions,
    },
    /// The far end of a call is sent to `target`.
    Refer { call: CallId, target: UriBuf },
    /// The far end of a call is sent to take the place of another.
    Join { call: CallId, other: CallId },
}

impl Goal {
    /// The call without which there is no sense in it.
    fn subject(&self) -> CallId {
        match self {
            Self::Answer(call) | Self::Resume(call) => *call,
            Self::Consult { of: call, .. } | Self::Refer { call, .. } | Self::Join { call, .. } => *call,
        }
    }

    /// Whether the user is to speak with somebody else than the far end of `id` when it is reached.
    fn begins_talk_besides(&self, id: CallId) -> bool {
        match self {
            Self::Answer(call) | Self::Resume(call) => *call != id,
            Self::Consult { of, .. } => *of != id,
            Self::Refer { .. } | Self::Join { .. } => false,
        }
    }

    fn concerns(&self, id: CallId) -> bool {
        let other = match self {
            Self::Consult { id, .. } | Self::Join { other: id, .. } => Some(*id),
            Self::Answer(_) | Self::Resume(_) | Self::Refer { .. } => None,
        };
        self.subject() == id || other == Some(id)
    }
}

/// How a step towards a goal has gone.
pub(super) enum Progress {
    /// The goal is reached when this has ended well.
    Waits(Step),
    /// Another goal takes its place when this has ended well.
    Turns(Step, Goal),
    /// The sequence is over; the call itself ends the operation.
    HandedOver,
    Done,
}

impl UserAgent {
    /// Puts `calls` on hold, and then does what is wanted.
    pub(super) fn begin_sequence(
        &mut self,
        goal: Goal,
        calls: &[CallId],
    ) -> Result<OperationId, CommandError> {
        if self.sequences.len() >= MAX_SEQUENCES {
            return Err(CommandError::WrongState);
        }
        let operation = self.endpoint.new_operation();
        let mut sequence = Sequence {
            operation,
            goal,
            steps: Vec::new(),
            is_doing: false,
            held: Vec::new(),
        };
        for id in calls {
            let Some(call) = self.calls.get_mut(id).filter(|call| !call.is_held()) else {
                continue;
            };
            let is_for_this = !call.wants_hold();
            let hold = |endpoint: &mut Endpoint| call.set_hold(endpoint, true);
            // One that cannot be put on hold is not in anybody's way, or the goal fails by itself.
            if let Ok(operation) = self.endpoint.as_step(hold) {
                sequence.steps.push(Step { operation, call: *id });
                sequence.held.extend(is_for_this.then_some(Held::new(*id)));
            }
        }
        self.sequences.push(sequence);
        self.settle();
        Ok(operation)
    }

    /// Takes a call off hold, if it is on hold, as the last step of `operation`.
    pub(super) fn end_with_resume(&mut self, operation: OperationId, call: CallId) {
        self.sequences.push(Sequence {
            operation,
            goal: Goal::Resume(call),
            steps: Vec::new(),
            is_doing: false,
            held: Vec::new(),
        });
    }

    /// Whether a call is part of an operation of several steps that has not come to its end.
    pub(super) fn is_in_sequence(&self, id: CallId) -> bool {
        let mut sequences = self.sequences.iter();
        sequences.any(|it| it.goal.concerns(id) || it.has_held(id)) || self.is_being_merged(id)
    }

    /// Whether the user is about to speak with somebody else. One such change at a time: two of them would each find the
    /// other's call on hold, and the user would end up speaking with both.
    pub(super) fn is_changing_speaker(&self) -> bool {
        let changes = |it: &Sequence| match it.goal {
            Goal::Answer(_) | Goal::Resume(_) | Goal::Consult { .. } => true,
            Goal::Refer { .. } | Goal::Join { .. } => false,
        };
        self.sequences.iter().any(changes) || self.is_conference_changing()
    }

    /// Whether a call was on hold before an operation that has not come to its end, if that changes it. A restart ends the
    /// operation.
    pub(super) fn hold_before(&self, id: CallId) -> Option<bool> {
        let before = self.sequences.iter().find_map(|it| match it.goal {
            Goal::Resume(call) if call == id => Some(true),
            Goal::Resume(_)
            | Goal::Answer(_)
            | Goal::Consult { .. }
            | Goal::Refer { .. }
            | Goal::Join { .. } => it.brings_back(id).then_some(false),
        });
        before.or_else(|| self.hold_before_conference_change(id))
    }

    /// The user has commanded the hold of a call: no operation takes that back.
    pub(super) fn hold_is_commanded(&mut self, id: CallId) {
        let held = self.sequences.iter_mut().flat_map(|it| &mut it.held);
        for held in held.filter(|it| it.call == id) {
            held.returns = false;
        }
        self.forget_hold_before_merging(id);
        self.forget_hold_before_gathering(id);
    }

    /// Calls that were on hold for something that has come to nothing are taken off it, all together. Not while the user
    /// speaks with somebody else, or is about to: nobody is to hear what is meant for another.
    pub(super) fn bring_back(&mut self) {
        let returning: Vec<_> = self.calls.values_mut().filter_map(Call::take_return).collect();
        for id in returning.iter().copied() {
            if self.is_occupied_besides(id, &returning) {
                continue;
            }
            let is_other = |it: &&mut Sequence| it.goal.begins_talk_besides(id);
            match self.sequences.iter_mut().find(is_other) {
                // Whether the user will speak with another is not certain yet: it comes back if not.
                Some(sequence) if !sequence.held.iter().any(|it| it.returns) => {
                    sequence.held.push(Held::new(id));
                }
                Some(_) => {}
                None => self.with_call(id, |call, endpoint| call.wish_hold(endpoint, false)),
            }
        }
    }

    fn is_occupied_besides(&self, id: CallId, returning: &[CallId]) -> bool {
        let conference = self.calls.get(&id).and_then(|call| call.info.conference);
        let is_together = |call: &Call| conference.is_some() && call.info.conference == conference;
        let mut others = self
            .calls
            .values()
            .filter(|it| it.id() != id && !returning.contains(&it.id()));
        others.any(|call| call.occupies() && !is_together(call))
    }

    /// Takes the steps that have become possible; `false` if there are none.
    pub(super) fn advance_sequences(&mut self) -> bool {
        let mut has_moved = false;
        for (operation, result) in self.endpoint.take_ended_steps() {
            let is_step = |step: &Step| step.operation == operation;
            let found = self.sequences.iter().position(|it| it.steps.iter().any(is_step));
            let Some(at) = found else {
                has_moved |= self.conference_step_ended(operation, &result);
                continue;
            };
            has_moved = true;
            let mut sequence = self.sequences.remove(at);
            let step = sequence
                .steps
                .iter()
                .position(is_step)
                .map(|at| sequence.steps.remove(at));
            let is_gone = |step: Step| self.calls.get(&step.call).is_none_or(|call| !call.is_live());
            match (result, step) {
                (Err(error), Some(step)) if !sequence.does_without(step, is_gone(step)) => {
                    self.fail_sequence(sequence, error);
                }
                _ => self.sequences.insert(at.min(self.sequences.len()), sequence),
            }
        }
        while let Some(at) = self.sequences.iter().position(|it| it.steps.is_empty()) {
            has_moved = true;
            let sequence = self.sequences.remove(at);
            self.go_on_with(sequence);
        }
        has_moved
    }

    /// Breaks off the sequence that is about to send the far end of `call` to somebody; `false` if there is none.
    pub(super) fn break_off_transfer(&mut self, call: CallId) -> bool {
        let is_transfer = |it: &Sequence| match it.goal {
            Goal::Consult { of, .. } => of == call,
            Goal::Refer { call: own, .. } | Goal::Join { call: own, .. } => own == call,
            Goal::Answer(_) | Goal::Resume(_) => false,
        };
        let Some(at) = self.sequences.iter().position(is_transfer) else {
            return false;
        };
        let sequence = self.sequences.remove(at);
        self.fail_sequence(sequence, OperationError::Superseded);
        true
    }

    /// Ends all of them: the agent stops.
    pub(super) fn abandon_sequences(&mut self) {
        for sequence in std::mem::take(&mut self.sequences) {
            self.endpoint
                .finish(sequence.operation, Err(OperationError::CallEnded));
        }
        self.give_up_gathering(OperationError::CallEnded);
    }

    fn go_on_with(&mut self, mut sequence: Sequence) {
        let progress = if sequence.is_doing {
            Ok(Progress::Done)
        } else {
            self.pursue(&mut sequence)
        };
        match progress {
            Ok(Progress::Waits(step)) => {
                sequence.steps = vec![step];
                sequence.is_doing = true;
                self.sequences.push(sequence);
            }
            Ok(Progress::Turns(step, goal)) => {
                sequence.steps = vec![step];
                sequence.goal = goal;
                self.sequences.push(sequence);
            }
            Ok(Progress::Done) => self.endpoint.finish(sequence.operation, Ok(())),
            Ok(Progress::HandedOver) => {}
            Err(error) => self.fail_sequence(sequence, error),
        }
    }

    /// Everything in the way is on hold.
    fn pursue(&mut self, sequence: &mut Sequence) -> Result<Progress, OperationError> {
        match sequence.goal.clone() {
            // The user has answered it meanwhile.
            Goal::Answer(id) if self.calls.get(&id).is_some_and(Call::is_taken) => Ok(Progress::Done),
            Goal::Answer(id) => self.step(id, Call::answer).map(Progress::Waits),
            Goal::Resume(id) => {
                let step = self.step(id, |call, endpoint| call.set_hold(endpoint, false));
                step.map(Progress::Waits)
            }
            Goal::Consult {
                of,
                id,
                target,
                options,
            } => {
                let retrieve = sequence.brings_back(of);
                self.place_consultation(of, id, target, options, retrieve)
            }
            Goal::Refer { call, target } => {
                let refer_to = format!("<{}>", target.as_str());
                self.send_refer(sequence, call, refer_to, None)
            }
            Goal::Join { call, other } => match self.calls.get(&other).and_then(Call::as_refer_to) {
                Some(refer_to) => self.send_refer(sequence, call, refer_to, Some(other)),
                None => self.join_unanswered(sequence, call, other),
            },
        }
    }

    /// Who only rings cannot be asked to let itself be replaced (RFC 3891 section 3): that call is taken back, and then the
    /// far end is simply sent there (RFC 5589 section 7.6).
    fn join_unanswered(
        &mut self,
        sequence: &mut Sequence,
        call: CallId,
        other: CallId,
    ) -> Result<Progress, OperationError> {
        let target = self.calls.get(&other).and_then(Call::unanswered_target);
        let target = target.ok_or(OperationError::CallEnded)?;
        let first = self.calls.get_mut(&call).ok_or(OperationError::CallEnded)?;
        if first.forget_consultation() {
            sequence.held.push(Held::new(call));
        }
        let step = self.step(other, Call::hang_up)?;
        Ok(Progress::Turns(step, Goal::Refer { call, target }))
    }

    fn step(
        &mut self,
        id: CallId,
        command: impl FnOnce(&mut Call, &mut Endpoint) -> Result<OperationId, CommandError>,
    ) -> Result<Step, OperationError> {
        let call = self.calls.get_mut(&id).ok_or(OperationError::CallEnded)?;
        let step = self.endpoint.as_step(|endpoint| command(call, endpoint));
        let operation = step.map_err(CommandError::into_failure)?;
        Ok(Step { operation, call: id })
    }

    fn send_refer(
        &mut self,
        sequence: &Sequence,
        id: CallId,
        refer_to: String,
        with: Option<CallId>,
    ) -> Result<Progress, OperationError> {
        let call = self.calls.get_mut(&id).ok_or(OperationError::CallEnded)?;
        let referral = Referral {
            operation: sequence.operation,
            refer_to,
            with,
            retrieve: sequence.brings_back(id),
        };
        call.refer(&mut self.endpoint, referral)?;
        if let Some(other) = with.and_then(|other| self.calls.get_mut(&other)) {
            other.offer_for(id, EndCause::Transferred);
        }
        Ok(Progress::HandedOver)
    }

    /// What this operation has put on hold comes back.
    fn fail_sequence(&mut self, sequence: Sequence, error: OperationError) {
        for held in sequence.held.iter().filter(|it| it.returns) {
            // A step that has not come to its end yet ends when it does.
            self.with_call(held.call, |call, _| call.returns());
        }
        if !matches!(sequence.goal, Goal::Answer(_) | Goal::Resume(_)) && error != OperationError::Superseded
        {
            let error = error.clone();
            self.with_call(sequence.goal.subject(), |call, _| {
                call.show_failed_transfer(error)
            });
        }
        self.endpoint.finish(sequence.operation, Err(error));
    }
}

impl Sequence {
    fn has_held(&self, id: CallId) -> bool {
        self.held.iter().any(|it| it.call == id)
    }

    fn brings_back(&self, id: CallId) -> bool {
        self.held.iter().any(|it| it.call == id && it.returns)
    }

    /// A call that was in the way and has ended, or is being ended, is not in the way any more.
    fn does_without(&self, step: Step, is_gone: bool) -> bool {
        let was_in_the_way = !self.is_doing && step.call != self.goal.subject();
        was_in_the_way && is_gone
    }
}
