//! What must be so always, and what once everything has come to rest.

use std::collections::HashSet;

use clearline_core::{CallId, CallInfo, CallState, Duration, TransferState};

use super::choice::Bounds;
use super::party::Party;
use super::scene::Scene;

/// Longer than anything that agents wait for besides a session's refresh: an unanswered call rings for 300 s.
const REST: Duration = Duration::from_secs(330);
/// Steps in which everything has come to rest.
const MOST_STEPS: usize = 3_000;

impl Scene {
    pub(super) fn check(&self) -> Result<(), String> {
        for party in &self.parties {
            for call in &party.calls {
                if call.local_hold && !call.negotiating && party.is_live(call.id) {
                    return Err(format!("{} holds, and its microphone is open", party.name));
                }
            }
        }
        Ok(())
    }

    /// Lets everything come to rest and asks whether all agree then.
    ///
    /// What may still be chosen on the path makes no difference here: of states that differ in it only, one is run.
    /// `good` are those that have been.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn rests(mut self, good: &mut HashSet<u128>) -> Result<(), String> {
        self.bounds = Bounds::NONE;
        match good.insert(self.combined()) {
            true => self.comes_to_rest(),
            false => Ok(()),
        }
    }

    pub(super) fn comes_to_rest(&mut self) -> Result<(), String> {
        let end = self.now + REST;
        for _ in 0..MOST_STEPS {
            let is_over = self.is_quiet() && self.advance().is_none_or(|at| at > end);
            if is_over || !self.proceed()? {
                return self.agree().or_else(|why| self.agrees_late(why));
            }
            self.check()?;
        }
        Err("it does not come to rest".to_owned())
    }

    /// Where a message was lost that was not sent again, the session timers find out (RFC 4028).
    fn agrees_late(&mut self, why: String) -> Result<(), String> {
        if !self.has_lost {
            return Err(why);
        }
        for _ in 0..MOST_STEPS {
            if self.is_quiet() && self.agree().is_ok() {
                return Ok(());
            }
            if !self.proceed()? {
                break;
            }
            self.check()?;
        }
        Err(why)
    }

    fn agree(&self) -> Result<(), String> {
        for (at, party) in self.parties.iter().enumerate() {
            if !party.pending.is_empty() {
                return Err(format!(
                    "{}: commands have not ended: {:?}",
                    party.name, party.pending
                ));
            }
            if party
                .orphaned_sessions()
                .any(|session| party.media.is_open(session))
            {
                return Err(format!("{}: a microphone is left open", party.name));
            }
            for call in &party.calls {
                self.agree_on(at, call)?;
                party.is_settled(call)?;
            }
            party.speaks_with_one()?;
        }
        Ok(())
    }

    fn agree_on(&self, at: usize, call: &CallInfo) -> Result<(), String> {
        let party = &self.parties[at];
        if call.state != CallState::Active {
            return Err(format!("{}: a call is left {:?}", party.name, call.state));
        }
        let Some((far, theirs)) = self.far_end(at, call.id) else {
            let states: Vec<_> = self.parties.iter().map(|party| &party.calls).collect();
            return Err(format!("{} talks to nobody: {states:?}", party.name));
        };
        // An answer of `inactive` to one's own hold does not tell whether the other side holds too.
        if !call.local_hold && call.remote_hold != theirs.local_hold {
            let held = |call: &CallInfo| (call.local_hold, call.remote_hold);
            let holds = (held(call), held(theirs));
            return Err(format!(
                "{} and {}: (local, remote) hold is {holds:?}",
                party.name, far.name
            ));
        }
        // Who is held is not heard whatever the microphone does.
        let is_wrong = match (call.local_hold, theirs.local_hold) {
            (true, _) => party.is_live(call.id),
            (false, true) => false,
            (false, false) => !party.is_live(call.id),
        };
        match is_wrong {
            true => Err(format!(
                "{}: the microphone is live: {}",
                party.name,
                party.is_live(call.id)
            )),
            false => Ok(()),
        }
    }

    /// The call whose media are joined with those of this one.
    fn far_end(&self, at: usize, call: CallId) -> Option<(&Party, &CallInfo)> {
        let own = &self.parties[at];
        let others = self.parties.iter().enumerate().filter(|(other, _)| *other != at);
        let calls = others.flat_map(|(_, party)| party.calls.iter().map(move |call| (&**party, call)));
        let mut joined = calls.filter(|(far, theirs)| {
            own.sessions(call).any(|session| {
                far.sessions(theirs.id)
                    .any(|other| own.media.are_joined(session, &far.media, other))
            })
        });
        joined.next()
    }
}

impl Party {
    /// A transfer has come about or not, and the media hear of the conference what the user is shown of it.
    fn is_settled(&self, call: &CallInfo) -> Result<(), String> {
        let is_live = |id: &CallId| self.calls.iter().any(|call| call.id == *id);
        let is_under_way = match &call.transfer {
            Some(TransferState::Consulting { with }) => !is_live(with),
            Some(TransferState::Failed { .. }) | None => false,
            Some(_) => true,
        };
        if is_under_way || call.transfer_request.is_some() {
            return Err(format!("{}: a transfer is left {:?}", self.name, call.transfer));
        }
        let mut open = self
            .sessions(call.id)
            .filter(|session| self.media.is_open(*session));
        // Whoever is held takes no part.
        let is_held = call.local_hold || call.remote_hold;
        let mixed = call.conference.filter(|_| !is_held);
        match open.any(|session| self.media.conference(session) != mixed) {
            true => Err(format!("{}: {mixed:?} is not what is mixed", self.name)),
            false => Ok(()),
        }
    }

    /// Nobody hears what is meant for another: of several calls, all but one are on hold, or they are a conference.
    fn speaks_with_one(&self) -> Result<(), String> {
        let is_together = |a: &CallInfo, b: &CallInfo| a.conference.is_some() && a.conference == b.conference;
        let speaking: Vec<_> = self.calls.iter().filter(|call| !call.local_hold).collect();
        let is_lonely = |call: &&CallInfo| {
            let mut others = self.calls.iter().filter(|other| other.id != call.id);
            call.conference.is_some() && !others.any(|other| is_together(call, other))
        };
        if self.calls.iter().any(|call| is_lonely(&call)) {
            return Err(format!("{} is alone in a conference", self.name));
        }
        match speaking.windows(2).all(|pair| is_together(pair[0], pair[1])) {
            true => Ok(()),
            false => Err(format!(
                "{} speaks with two who do not hear each other",
                self.name
            )),
        }
    }
}
