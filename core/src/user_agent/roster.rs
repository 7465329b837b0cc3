//! Who takes part in the platform's conferences this user is in: each is subscribed to while there is a call with its focus
//! (RFC 4575; RFC 4579 section 5.1).

use super::UserAgent;
use crate::call::{Call, is_same_party, named};
use crate::event::{CallDirection, Participant, ParticipantState, SubscriptionState};
use crate::id::{CallId, SubscriptionId};
use crate::sip::UriBuf;
use crate::sorted_map::SortedMap;
use crate::subscription::conference_info::{
    Conference, ConferenceInfo, EndpointStatus, MEDIA_TYPE, MODERATOR, PACKAGE, Taken, User,
};

/// By the call with the focus.
pub(super) type Rosters = SortedMap<CallId, Roster>;

/// What the focus of one call tells of its conference. Calls with the same focus share what it tells: a focus that several
/// calls of one user ask at once makes room for the last ones.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    subscription: SubscriptionId,
    uri: UriBuf,
    conference: Conference,
}

impl UserAgent {
    /// After every step: conferences that are entered are subscribed to, those that are left no more.
    pub(super) fn follow_rosters(&mut self) {
        let calls = &self.calls;
        let is_left = |id: &CallId| !calls.get(id).is_some_and(Call::is_in_conference);
        let left: Vec<_> = self.rosters.keys().copied().filter(is_left).collect();
        for id in left {
            let Some(Roster { subscription, .. }) = self.rosters.remove(&id) else {
                continue;
            };
            let is_shared = self.rosters.values().any(|it| it.subscription == subscription);
            if !is_shared {
                self.subscriptions.remove_own(&mut self.endpoint, subscription);
            }
        }
        // Who has withheld the own name does not tell it by asking who is there.
        let is_hidden = |call: &Call| call.info.anonymous && call.info.direction == CallDirection::Outgoing;
        let entered = self.calls.values();
        let entered = entered.filter(|call| call.is_in_conference() && !is_hidden(call));
        let entered = entered.filter_map(|call| Some((call.id(), call.conference_uri()?.clone())));
        for (id, uri) in entered.collect::<Vec<_>>() {
            self.follow_roster(id, uri);
        }
    }

    fn follow_roster(&mut self, id: CallId, uri: UriBuf) {
        let Some(roster) = self.rosters.get_mut(&id) else {
            return self.begin_roster(id, uri);
        };
        match self.subscriptions.state(roster.subscription) {
            Some(SubscriptionState::Active { .. } | SubscriptionState::Pending { .. }) => {}
            Some(SubscriptionState::Subscribing) => roster.conference.starts_over(),
            // What is not told any more cannot be shown.
            Some(SubscriptionState::Waiting { .. } | SubscriptionState::Ended { .. }) | None => {
                self.with_call(id, |call, _| call.info.participants.clear());
            }
        }
    }

    fn begin_roster(&mut self, id: CallId, uri: UriBuf) {
        let shared = self.rosters.values().find(|it| {
            let state = self.subscriptions.state(it.subscription);
            it.uri == uri && !matches!(state, Some(SubscriptionState::Ended { .. }) | None)
        });
        if let Some(roster) = shared.cloned() {
            let participants = participants(&roster.conference, self.own_address());
            self.with_call(id, |call, _| call.info.participants = participants);
            return self.rosters.insert(id, roster);
        }
        if self.subscriptions.is_full() || self.stopping.is_some() {
            return;
        }
        let target = uri.clone();
        let subscription = self
            .subscriptions
            .add_own(&mut self.endpoint, target, PACKAGE, &[MEDIA_TYPE]);
        let roster = Roster {
            subscription,
            uri,
            conference: Conference::default(),
        };
        self.rosters.insert(id, roster);
    }

    /// A document; `false` if everything has to be told again.
    pub(super) fn participants_told(&mut self, subscription: SubscriptionId, document: &[u8]) -> bool {
        let told = self.rosters.iter_mut();
        let mut told = told.filter(|(_, it)| it.subscription == subscription).peekable();
        if told.peek().is_none() || document.is_empty() {
            return true;
        }
        let Ok(info) = ConferenceInfo::read(document) else {
            return false;
        };
        let own = self.endpoint.config.address_of_record.as_str();
        let mut is_understood = true;
        for (id, roster) in told {
            is_understood &= roster.conference.take(info.clone()) != Taken::Gap;
            if let Some(call) = self.calls.get_mut(id) {
                call.info.participants = participants(&roster.conference, own);
            }
        }
        is_understood
    }

    fn own_address(&self) -> &str {
        self.endpoint.config.address_of_record.as_str()
    }
}

fn participants(conference: &Conference, own: &str) -> Vec<Participant> {
    let users = conference.users.iter();
    users.filter_map(|user| participant(user, own)).collect()
}

/// Where somebody with several devices stands is where the best of them does; `None` if none is there any more.
fn participant(user: &User, own: &str) -> Option<Participant> {
    let states = user.endpoints.iter().filter_map(|device| match device.status {
        Some(EndpointStatus::Disconnected) => None,
        Some(EndpointStatus::Disconnecting) => Some(ParticipantState::Leaving),
        Some(EndpointStatus::Pending | EndpointStatus::DialingOut | EndpointStatus::DialingIn) => {
            Some(ParticipantState::Joining)
        }
        Some(EndpointStatus::Alerting) => Some(ParticipantState::Ringing),
        Some(EndpointStatus::OnHold) => Some(ParticipantState::OnHold),
        Some(EndpointStatus::MutedViaFocus) => Some(ParticipantState::Muted),
        Some(EndpointStatus::Connected) | None => Some(ParticipantState::Connected),
    });
    Some(Participant {
        state: states.max()?,
        is_self: is_same_party(&user.entity, own),
        is_moderator: user.roles.iter().flatten().any(|role| role == MODERATOR),
        identity: named(user.display_text.as_deref().unwrap_or_default(), &user.entity),
    })
}
