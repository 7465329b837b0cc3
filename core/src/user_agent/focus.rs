//! Conferences of the platform (RFC 4579): calls move into one, and others are brought in or sent away.
//!
//! ```text
//!       merge                   the focus has answered                      every party has moved
//! none -------> Calling the factory ----------------> Moving (REFER, Replaces) -------> none: one call is left
//!                   | refused, no focus                    | some cannot
//!                   +--------------------------------------+--> those that are left are mixed here (`conference.rs`)
//! ```
//! Nobody is held or retrieved for it: who is held hears the others as soon as the focus has taken this side's place. If
//! mixing fails too, what has moved stands for the call it came from, held if that one was.

use serde::{Deserialize, Serialize};

use super::UserAgent;
use super::target::parse_target;
use crate::call::Call;
use crate::error::{CommandError, OperationError};
use crate::event::{CallState, EndCause};
use crate::id::{CallId, OperationId};
use crate::sip::{Scheme, Uri, UriBuf};
use crate::time::{Duration, Instant};

/// A factory that has not answered by then never will, and parties that have not moved: nobody has to pick up for either.
/// The user cannot turn to another call before.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that are on their way into a conference of the platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Gathering {
    /// The command behind it; none after a restart.
    #[serde(skip)]
    operation: Option<OperationId>,
    /// The call with the focus.
    focus: CallId,
    /// The focus was there before.
    is_known: bool,
    /// Those that move.
    joining: Vec<CallId>,
    /// Those of them that were on hold.
    held: Vec<CallId>,
    /// The focus has been asked to fetch them.
    is_moving: bool,
    /// One of them has arrived there.
    has_arrived: bool,
    /// The user has said meanwhile whether the call with the focus is to be on hold.
    is_hold_commanded: bool,
    /// Until when the present step is waited for; after a restart anew.
    #[serde(skip)]
    until: Option<Instant>,
}

impl Gathering {
    /// Whether a call takes part in it.
    pub(super) fn concerns(&self, id: CallId) -> bool {
        self.focus == id || self.joining.contains(&id)
    }
}

impl UserAgent {
    /// Has somebody brought into the conference of the platform that `conference` is the call with: a number, a name or a
    /// URI (RFC 4579 section 5.5). Done when they have answered. [`CallInfo::participants`](crate::CallInfo::participants)
    /// shows them meanwhile.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`]; [`CommandError::WrongState`] unless the far end is a focus that has answered, or while
    /// it has not answered many requests; [`CommandError::InvalidTarget`], [`CommandError::NotConnected`].
    pub fn add_participant(
        &mut self,
        now: Instant,
        conference: CallId,
        target: &str,
    ) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        let target = parse_target(target, domain).ok_or(CommandError::InvalidTarget)?;
        // `method=BYE` would send somebody away.
        if target.uri.as_uri().params().value("method").is_some() {
            return Err(CommandError::InvalidTarget);
        }
        self.ask_focus(conference, &format!("<{}>", target.uri.as_str()))
    }

    /// Has a participant sent away from the conference, by the URI that is told of them (RFC 4579 section 5.11). Done when
    /// they are gone; the focus decides who may do so.
    ///
    /// # Errors
    /// Those of [`Self::add_participant`]; [`CommandError::InvalidTarget`] if nobody with this URI takes part.
    pub fn remove_participant(
        &mut self,
        now: Instant,
        conference: CallId,
        uri: &str,
    ) -> Result<OperationId, CommandError> {
        self.endpoint.now = now;
        let call = self.calls.get(&conference).ok_or(CommandError::NoSuchCall)?;
        let mut participants = call.info.participants.iter();
        let is_there = participants.any(|participant| participant.identity.uri == uri);
        let known = Uri::parse(uri).ok().filter(|_| is_there).filter(is_removable);
        let uri = known.ok_or(CommandError::InvalidTarget)?.without_headers();
        self.ask_focus(conference, &format!("<{};method=BYE>", uri.as_str()))
    }

    fn ask_focus(&mut self, conference: CallId, refer_to: &str) -> Result<OperationId, CommandError> {
        let call = self.calls.get_mut(&conference).ok_or(CommandError::NoSuchCall)?;
        if !call.is_in_conference() {
            return Err(CommandError::WrongState);
        }
        let operation = self.endpoint.new_operation();
        call.ask_focus(&mut self.endpoint, Some(operation), refer_to, None)?;
        self.settle();
        Ok(operation)
    }

    /// Lets two calls meet in a conference of the platform, which one of them may lead to already; `false` if there is none
    /// for them.
    pub(super) fn gather(&mut self, operation: OperationId, pair: [CallId; 2]) -> bool {
        let Some(factory) = self.endpoint.config.conference_factory.clone() else {
            return false;
        };
        let known = pair.into_iter().find(|id| self.is_at_focus_of(*id, &factory));
        if !self.endpoint.is_connected() || known.is_none() && !self.has_room() {
            return false;
        }
        let joining: Vec<_> = pair.into_iter().filter(|id| known != Some(*id)).collect();
        // Whoever withholds the own name from the other, on either side, would be shown to all there.
        let is_anonymous = |id: &CallId| self.calls.get(id).is_some_and(|call| call.info.anonymous);
        if joining.iter().any(is_anonymous) {
            return false;
        }
        let is_held = |id: &CallId| self.calls.get(id).is_some_and(Call::is_held);
        let held: Vec<_> = joining.iter().copied().filter(is_held).collect();
        let talking = joining.iter().find(|id| !held.contains(id)).or(joining.first());
        let first = talking.and_then(|id| self.calls.get(id));
        let Some(first) = first.map(|call| call.info.clone()) else {
            return false;
        };
        let focus = known.unwrap_or_else(|| {
            let id = self.new_call_id();
            let call = Call::convened(&mut self.endpoint, id, factory, &first);
            self.calls.insert(id, call);
            id
        });
        self.gathering = Some(Gathering {
            operation: Some(operation),
            focus,
            is_known: known.is_some(),
            joining,
            held,
            is_moving: false,
            has_arrived: false,
            is_hold_commanded: false,
            until: Some(self.endpoint.now + PATIENCE),
        });
        true
    }

    /// A focus of somebody else is told nothing of this user's dialogs: whoever knows them can end them. Nor is one that only
    /// says to be a focus of the domain, which any colleague's telephone can.
    fn is_at_focus_of(&self, id: CallId, factory: &UriBuf) -> bool {
        let call = self.calls.get(&id);
        let call = call.filter(|call| call.is_in_conference() && call.is_convened());
        let uri = call.and_then(Call::conference_uri);
        let hosts = uri
            .and_then(|uri| uri.as_uri().host())
            .zip(factory.as_uri().host());
        hosts.is_some_and(|(host, own)| host.eq_ignore_ascii_case(own))
    }

    /// Takes the steps that have become possible; `false` if there are none.
    pub(super) fn advance_gathering(&mut self) -> bool {
        let Some(mut gathering) = self.gathering.take() else {
            return false;
        };
        let focus = self.calls.get(&gathering.focus);
        let mut joining = gathering.joining.iter();
        let is_waiting = match focus.map(|call| call.info.state) {
            Some(CallState::Active) if gathering.is_moving => {
                joining.any(|id| focus.is_some_and(|call| call.is_fetching(*id)))
            }
            Some(CallState::Active) => {
                self.fetch_all(&gathering);
                gathering.is_moving = true;
                gathering.until = Some(self.endpoint.now + PATIENCE);
                self.gathering = Some(gathering);
                return true;
            }
            Some(CallState::Preparing | CallState::Calling | CallState::Ringing) => {
                joining.all(|id| self.is_there(*id))
            }
            Some(CallState::Incoming | CallState::Answering | CallState::Ending | CallState::Ended)
            | None => false,
        };
        let is_waiting = is_waiting && gathering.until.is_none_or(|at| at > self.endpoint.now);
        if is_waiting {
            self.gathering = Some(gathering);
        } else {
            self.conclude_gathering(gathering);
        }
        !is_waiting
    }

    /// When [`Self::advance_gathering`] waits no longer.
    pub(super) fn gathering_deadline(&self) -> Option<Instant> {
        self.gathering.as_ref()?.until
    }

    /// The focus takes this side's place in the calls (RFC 3891).
    fn fetch_all(&mut self, gathering: &Gathering) {
        for id in &gathering.joining {
            let refer_to = self.calls.get(id).filter(|call| call.is_answered());
            let Some(refer_to) = refer_to.and_then(Call::as_refer_to) else {
                continue;
            };
            let Some(focus) = self.calls.get_mut(&gathering.focus) else {
                continue;
            };
            let is_asked = focus.is_in_conference()
                && focus
                    .ask_focus(&mut self.endpoint, None, &refer_to, Some(*id))
                    .is_ok();
            if is_asked {
                self.with_call(*id, |call, _| {
                    call.offer_for(gathering.focus, EndCause::MovedToConference)
                });
            }
        }
    }

    /// The user has commanded the hold of a call.
    pub(super) fn forget_hold_before_gathering(&mut self, id: CallId) {
        if let Some(gathering) = self.gathering.as_mut().filter(|it| it.focus == id) {
            gathering.is_hold_commanded = true;
        }
    }

    /// The focus has taken this side's place in these calls.
    pub(super) fn have_moved(&mut self, calls: &[CallId]) {
        if let Some(gathering) = &mut self.gathering {
            gathering.has_arrived |= calls.iter().any(|id| gathering.joining.contains(id));
        }
    }

    /// Everybody has moved, or will not.
    fn conclude_gathering(&mut self, gathering: Gathering) {
        let Gathering {
            operation,
            focus,
            is_hold_commanded,
            ..
        } = gathering;
        let operation = operation.unwrap_or_else(|| self.endpoint.new_operation());
        let left: Vec<_> = gathering
            .joining
            .iter()
            .copied()
            .filter(|id| self.is_there(*id))
            .collect();
        // Of one that is gone and not told of nobody knows where: there perhaps.
        let is_lost = |id: &CallId| {
            let focus = self.calls.get(&focus);
            !left.contains(id) && focus.is_some_and(|call| call.is_fetching(*id))
        };
        let has_moved = gathering.has_arrived || gathering.joining.iter().any(is_lost);
        let is_used = gathering.is_known || has_moved;
        if has_moved && left.is_empty() && self.is_there(focus) {
            let is_held = self.calls.get(&focus).is_some_and(Call::is_held);
            if is_hold_commanded || !is_held {
                return self.endpoint.finish(operation, Ok(()));
            }
            return self.end_with_resume(operation, focus);
        }
        let mut members = left.clone();
        if is_used && self.is_there(focus) {
            members.push(focus);
        } else {
            self.with_call(focus, |call, endpoint| {
                let _ = endpoint.as_step(|endpoint| call.hang_up(endpoint));
            });
        }
        let mut moved = gathering.joining.iter().filter(|id| !left.contains(id));
        let rested = !gathering.is_known && moved.all(|id| gathering.held.contains(id));
        let mixing = if members.len() < 2 {
            Err(OperationError::CallEnded)
        } else {
            let rests = members.contains(&focus) && rested;
            let mixing = self.begin_mixing(operation, members, rests.then_some(focus));
            mixing.map_err(CommandError::into_failure)
        };
        if let Err(error) = mixing {
            self.endpoint.finish(operation, Err(error));
        }
    }

    fn is_there(&self, id: CallId) -> bool {
        self.calls.get(&id).is_some_and(Call::is_answered)
    }

    /// The user hangs up the call with the focus that others are on their way to: they stay.
    pub(super) fn leave_gathering(&mut self, id: CallId) {
        if self.gathering.as_ref().is_some_and(|it| it.focus == id) {
            self.give_up_gathering(OperationError::Superseded);
        }
    }

    pub(super) fn give_up_gathering(&mut self, error: OperationError) {
        let operation = self.gathering.take().and_then(|it| it.operation);
        if let Some(operation) = operation {
            self.endpoint.finish(operation, Err(error));
        }
    }

    // --- restart ---------------------------------------------------------------------------------------------

    /// What is kept: before the focus has answered, nothing has begun.
    pub(super) fn kept_gathering(&self) -> Option<Gathering> {
        self.gathering.clone().filter(|it| it.is_moving)
    }

    /// Goes on where the other agent stopped.
    pub(super) fn restore_gathering(&mut self, gathering: Option<Gathering>) {
        let fetched = self
            .calls
            .values()
            .flat_map(|call| call.fetched().map(|id| (id, call.id())));
        for (id, focus) in fetched.collect::<Vec<_>>() {
            self.with_call(id, |call, _| call.offer_for(focus, EndCause::MovedToConference));
        }
        let until = Some(self.endpoint.now + PATIENCE);
        self.gathering = gathering.map(|it| Gathering { until, ..it });
    }
}

/// What a URI from the network asks for by itself is not to mix with what is asked for here.
fn is_removable(uri: &Uri<'_>) -> bool {
    !matches!(uri.scheme(), Scheme::Other(_)) && !uri.params().has("method")
}
