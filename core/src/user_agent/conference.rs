//! The conference of this device: answered calls whose parties hear each other, mixed here. For platforms without one of
//! their own (RFC 4353 section 5.1 calls it an endpoint mixing), and for parties that cannot move into it (`focus.rs`).
//!
//! ```text
//!        merge                     all off hold            mixed
//! none --------> joining: Retrieving ------------> Mixing -------> together --split--> Parting --held--> none
//!                            |                       |                 ^                  |
//!                            +--- refused, ended ----+                 +--- refused ------+
//!                                      v
//!                          what was held is held again
//! ```
//! A call that ends leaves it; the last one left is an ordinary call. Each call can be held and resumed alone; while it is
//! held it does not take part.

use super::UserAgent;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::error::{CommandError, OperationError};
use crate::id::{CallId, ConferenceId, OperationId};
use crate::sorted_map::SortedMap;
use crate::time::Instant;

type Calls = SortedMap<CallId, Call>;

/// Calls that are mixed, or are about to be.
#[derive(Clone, Debug)]
pub(super) struct Conference {
    id: ConferenceId,
    /// Those that are part of it. Empty while the first ones join.
    members: Vec<CallId>,
    change: Option<Change>,
}

/// What is being done about a conference.
#[derive(Clone, Debug)]
struct Change {
    operation: OperationId,
    kind: Kind,
    /// Holds and resumes that are under way.
    steps: Vec<Step>,
    /// Calls that are held again, or not, when it fails: what it has changed.
    undo: Vec<(CallId, bool)>,
}

/// A hold or resume, and how it has ended.
#[derive(Clone, Debug)]
struct Step {
    operation: OperationId,
    call: CallId,
    result: Option<Result<(), OperationError>>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// These are to become part of it; first everybody is taken off hold.
    Retrieving(Vec<CallId>),
    /// Nobody is held; the media backend is asked to mix.
    Mixing(Vec<CallId>),
    /// All but this one are held, for a talk in private.
    Parting(CallId),
    /// The others are held; now this one is taken off hold.
    Returning(CallId),
}

impl UserAgent {
    /// Lets the parties of two answered calls hear each other.
    ///
    /// Where the platform makes conferences ([`Config::conference_factory`](crate::Config::conference_factory)), both move
    /// into one, and a new call leads there; it names one of the two in [`CallInfo::succeeds`](crate::CallInfo::succeeds), and
    /// they end as [`EndCause::MovedToConference`](crate::EndCause::MovedToConference). A call merged with that one moves too.
    ///
    /// Elsewhere, and with those that cannot move, calls that are held are taken off hold first, then all are mixed on this
    /// device. A third call joins by being merged with one of them. If any step fails, everything is as it was before, and the
    /// operation says why.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`]; [`CommandError::WrongState`] unless both calls are answered, if there is a conference
    /// of which neither is a part, or while another merge or split is under way; [`CommandError::NotConnected`].
    pub fn merge(&mut self, now: Instant, one: CallId, other: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        self.check_answered(one)?;
        self.check_answered(other)?;
        let pair = [one, other];
        if one == other || pair.iter().any(|call| self.is_in_sequence(*call)) || self.is_changing_speaker() {
            return Err(CommandError::WrongState);
        }
        let members = self.conference.as_ref().map_or(&[][..], |it| &it.members);
        if self.conference.is_some() && !pair.iter().any(|call| members.contains(call)) {
            return Err(CommandError::WrongState);
        }
        let joining: Vec<_> = pair.into_iter().filter(|call| !members.contains(call)).collect();
        let operation = self.endpoint.new_operation();
        if self.conference.is_some() || !self.gather(operation, pair) {
            self.begin_mixing(operation, joining, None)?;
        }
        self.settle();
        Ok(operation)
    }

    /// Mixes calls on this device, with those that are mixed already. If it fails, `rests` is held, whoever holds now.
    pub(super) fn begin_mixing(
        &mut self,
        operation: OperationId,
        joining: Vec<CallId>,
        rests: Option<CallId>,
    ) -> Result<(), CommandError> {
        let mut change = Change::new(operation, Kind::Retrieving(joining.clone()));
        change.undo.extend(rests.map(|call| (call, true)));
        let members = self.conference.as_ref().map_or(&[][..], |it| &it.members);
        for call in members.iter().chain(&joining) {
            change.hold(&mut self.calls, &mut self.endpoint, *call, false)?;
        }
        match &mut self.conference {
            Some(conference) => conference.change = Some(change),
            None => self.begin_conference(change),
        }
        Ok(())
    }

    /// Leaves the conference with one party, for a talk in private: the others are held, and are a conference still if
    /// they are several. If that fails, everything is as it was before.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`]; [`CommandError::WrongState`] unless the call is part of a conference, or while another
    /// merge or split is under way; [`CommandError::NotConnected`].
    pub fn split(&mut self, now: Instant, with: CallId) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        self.check_answered(with)?;
        if self.is_in_sequence(with) {
            return Err(CommandError::WrongState);
        }
        let Some(conference) = &mut self.conference else {
            return Err(CommandError::WrongState);
        };
        if conference.change.is_some() || !conference.members.contains(&with) {
            return Err(CommandError::WrongState);
        }
        let operation = self.endpoint.new_operation();
        let mut change = Change::new(operation, Kind::Parting(with));
        for other in conference.members.iter().filter(|call| **call != with) {
            change.hold(&mut self.calls, &mut self.endpoint, *other, true)?;
        }
        conference.change = Some(change);
        self.settle();
        Ok(operation)
    }

    /// Leaves a conference of three by connecting the two others with each other: one is sent to take this user's place in
    /// the call with the other. If that fails, the conference goes on.
    ///
    /// # Errors
    /// [`CommandError::NotOffered`] where neither can be sent: leaving means to hang up then. Otherwise those of
    /// [`CallHandle::transfer_to`](crate::CallHandle::transfer_to), and [`CommandError::WrongState`] unless there is a
    /// conference with two other parties.
    pub fn leave_conference(&mut self, now: Instant) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let members = self.conference.as_ref().map(|it| it.members.clone());
        let Some(&[one, other]) = members.as_deref() else {
            return Err(CommandError::WrongState);
        };
        let goes = |id| {
            let call: Option<&Call> = self.calls.get(&id);
            call.is_some_and(|call| call.may_transfer(&self.endpoint).is_ok())
        };
        if goes(one) {
            self.transfer_to(one, other)
        } else {
            self.transfer_to(other, one)
        }
    }

    /// After every step of a call: what the conference waits for may have happened.
    pub(super) fn advance_conference(&mut self) {
        let Some(mut conference) = self.conference.take() else {
            return;
        };
        conference.forget_gone(&self.calls);
        conference.advance(&mut self.calls, &mut self.endpoint);
        conference.leave_failed(&mut self.calls, &mut self.endpoint);
        conference.tell(&mut self.calls, &mut self.endpoint);
        if conference.change.is_some() || conference.members.len() > 1 {
            self.conference = Some(conference);
        }
    }

    /// A step that is no sequence's has ended; `false` if it is not the conference's either.
    pub(super) fn conference_step_ended(
        &mut self,
        operation: OperationId,
        result: &Result<(), OperationError>,
    ) -> bool {
        let change = self.conference.as_mut().and_then(|it| it.change.as_mut());
        let mut steps = change.into_iter().flat_map(|change| &mut change.steps);
        let Some(step) = steps.find(|step| step.operation == operation) else {
            return false;
        };
        step.result = Some(result.clone());
        true
    }

    /// Whether a call is about to become part of the conference, or is part of one that is about to change.
    pub(super) fn is_being_merged(&self, id: CallId) -> bool {
        if self.gathering.as_ref().is_some_and(|it| it.concerns(id)) {
            return true;
        }
        let Some(Conference { members, change, .. }) = &self.conference else {
            return false;
        };
        let concerned = |change: &Change| members.contains(&id) || change.joining().contains(&id);
        change.as_ref().is_some_and(concerned)
    }

    /// Whether somebody is about to join it, or one party to leave it.
    pub(super) fn is_conference_changing(&self) -> bool {
        self.gathering.is_some() || self.conference.as_ref().is_some_and(|it| it.change.is_some())
    }

    /// Whether a call was on hold before the change that is under way, if that changes it. A restart ends the change.
    pub(super) fn hold_before_conference_change(&self, id: CallId) -> Option<bool> {
        let change = self.conference.as_ref()?.change.as_ref()?;
        let (_, hold) = change.undo.iter().find(|(call, _)| *call == id)?;
        Some(*hold)
    }

    /// What a merge or split that fails makes of a call's hold is not its matter any more.
    pub(super) fn forget_hold_before_merging(&mut self, id: CallId) {
        let change = self.conference.as_mut().and_then(|it| it.change.as_mut());
        if let Some(change) = change {
            change.undo.retain(|(call, _)| *call != id);
        }
    }

    /// The conference of calls that have been brought back.
    pub(super) fn restore_conference(&mut self) {
        let members: Vec<_> = self
            .calls
            .values()
            .filter(|call| call.info.conference.is_some())
            .map(Call::id)
            .collect();
        let id = self.calls.values().find_map(|call| call.info.conference);
        if let Some(id) = id {
            self.last_conference = id;
            self.conference = Some(Conference {
                id,
                members,
                change: None,
            });
        }
    }

    fn begin_conference(&mut self, change: Change) {
        self.last_conference = ConferenceId(self.last_conference.0 + 1);
        self.conference = Some(Conference {
            id: self.last_conference,
            members: Vec::new(),
            change: Some(change),
        });
    }

    fn check_answered(&self, id: CallId) -> Result<(), CommandError> {
        match self.calls.get(&id) {
            None => Err(CommandError::NoSuchCall),
            Some(call) if call.is_answered() && !call.is_transferring() => Ok(()),
            Some(_) => Err(CommandError::WrongState),
        }
    }
}

impl Conference {
    /// Calls that have ended are part of it no more.
    fn forget_gone(&mut self, calls: &Calls) {
        self.members.retain(|id| is_answered(calls, *id));
    }

    fn advance(&mut self, calls: &mut Calls, endpoint: &mut Endpoint) {
        let Some(mut change) = self.change.take() else {
            return;
        };
        match self.step(&mut change, calls, endpoint) {
            Ok(Progress::Waiting) => self.change = Some(change),
            Ok(Progress::Done) => endpoint.finish(change.operation, Ok(())),
            Err(error) => change.fail(calls, endpoint, error),
        }
    }

    /// Takes the change as far as it can go now.
    fn step(
        &mut self,
        change: &mut Change,
        calls: &mut Calls,
        endpoint: &mut Endpoint,
    ) -> Result<Progress, OperationError> {
        change.poll(calls)?;
        if let Kind::Retrieving(joining) | Kind::Mixing(joining) = &change.kind
            && (joining.iter().any(|id| !is_answered(calls, *id)) || self.members.len() + joining.len() < 2)
        {
            return Err(OperationError::CallEnded);
        }
        if let Kind::Parting(with) | Kind::Returning(with) = change.kind
            && !is_answered(calls, with)
        {
            return Err(OperationError::CallEnded);
        }
        if !change.steps.is_empty() {
            return Ok(Progress::Waiting);
        }
        match change.kind.clone() {
            Kind::Retrieving(joining) => {
                change.kind = Kind::Mixing(joining);
                self.step(change, calls, endpoint)
            }
            Kind::Mixing(joining) => self.mix(&joining, calls, endpoint),
            Kind::Parting(with) => {
                change.kind = Kind::Returning(with);
                let result = change.hold(calls, endpoint, with, false);
                result.map_err(|_| OperationError::Disconnected)?;
                self.step(change, calls, endpoint)
            }
            Kind::Returning(with) => {
                self.members.retain(|id| *id != with);
                let left = calls.get_mut(&with);
                left.into_iter().for_each(|call| leave(call, endpoint));
                Ok(Progress::Done)
            }
        }
    }

    fn mix(
        &mut self,
        joining: &[CallId],
        calls: &mut Calls,
        endpoint: &mut Endpoint,
    ) -> Result<Progress, OperationError> {
        let everybody: Vec<_> = self.members.iter().chain(joining).copied().collect();
        let mut waiting = false;
        for id in &everybody {
            let Some(call) = calls.get_mut(id) else { continue };
            if let Some(error) = call.take_mix_failure() {
                return Err(OperationError::Media(error));
            }
            call.mix(endpoint, Some(self.id));
            waiting |= !call.is_mixed_as_told();
        }
        if waiting {
            return Ok(Progress::Waiting);
        }
        for call in calls.values_mut().filter(|call| everybody.contains(&call.id())) {
            // Who was only to be asked has become part of the talk.
            call.forget_consultation();
        }
        self.members = everybody;
        Ok(Progress::Done)
    }

    /// A call that cannot be mixed any more, as its media have moved elsewhere for example, is held instead: two calls that
    /// do not hear each other are not both spoken to.
    fn leave_failed(&mut self, calls: &mut Calls, endpoint: &mut Endpoint) {
        if self.change.is_some() {
            return;
        }
        self.members.retain(|id| {
            let Some(call) = calls.get_mut(id) else {
                return false;
            };
            let has_failed = call.take_mix_failure().is_some();
            if has_failed {
                call.wish_hold(endpoint, true);
                leave(call, endpoint);
            }
            !has_failed
        });
    }

    /// Every call of it says so, and its media too; the last one left is an ordinary call.
    fn tell(&self, calls: &mut Calls, endpoint: &mut Endpoint) {
        let joining = self.change.as_ref().map_or(&[][..], Change::joining);
        let is_over = self.change.is_none() && self.members.len() < 2;
        for call in calls.values_mut() {
            let is_member = self.members.contains(&call.id());
            if is_member && !is_over {
                call.info.conference = Some(self.id);
                call.mix(endpoint, Some(self.id));
            } else if is_member || !joining.contains(&call.id()) {
                leave(call, endpoint);
            }
        }
    }
}

enum Progress {
    Waiting,
    Done,
}

impl Change {
    fn new(operation: OperationId, kind: Kind) -> Self {
        Self {
            operation,
            kind,
            steps: Vec::new(),
            undo: Vec::new(),
        }
    }

    /// The calls that are to become part of the conference.
    fn joining(&self) -> &[CallId] {
        match &self.kind {
            Kind::Retrieving(joining) | Kind::Mixing(joining) => joining,
            Kind::Parting(_) | Kind::Returning(_) => &[],
        }
    }

    /// Holds a call or takes it off hold, if it is not so already.
    fn hold(
        &mut self,
        calls: &mut Calls,
        endpoint: &mut Endpoint,
        id: CallId,
        hold: bool,
    ) -> Result<(), CommandError> {
        let Some(call) = calls.get_mut(&id).filter(|call| !call.is_settled_on(hold)) else {
            return Ok(());
        };
        let before = call.info.local_hold;
        let operation = match endpoint.as_step(|endpoint| call.set_hold(endpoint, hold)) {
            Ok(operation) => operation,
            Err(error) => {
                self.take_back(calls, endpoint);
                return Err(error);
            }
        };
        self.steps.push(Step {
            operation,
            call: id,
            result: None,
        });
        self.undo.push((id, before));
        Ok(())
    }

    /// Looks what has become of the holds and resumes. That of a call that has ended is nobody's business.
    fn poll(&mut self, calls: &Calls) -> Result<(), OperationError> {
        let mut outcome = Ok(());
        self.steps.retain(|step| {
            if let Some(Err(error)) = &step.result
                && is_answered(calls, step.call)
            {
                outcome = Err(error.clone());
            }
            step.result.is_none()
        });
        outcome
    }

    fn fail(mut self, calls: &mut Calls, endpoint: &mut Endpoint, error: OperationError) {
        self.take_back(calls, endpoint);
        endpoint.finish(self.operation, Err(error));
    }

    /// Everything as it was before, as soon as that can be negotiated.
    fn take_back(&mut self, calls: &mut Calls, endpoint: &mut Endpoint) {
        self.steps.clear();
        for (id, hold) in self.undo.drain(..) {
            match calls.get_mut(&id) {
                Some(call) if hold => call.wish_hold(endpoint, true),
                Some(call) => call.returns(),
                None => {}
            }
        }
    }
}

fn is_answered(calls: &Calls, id: CallId) -> bool {
    calls.get(&id).is_some_and(Call::is_answered)
}

/// The call is on its own.
fn leave(call: &mut Call, endpoint: &mut Endpoint) {
    call.info.conference = None;
    call.mix(endpoint, None);
}
