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

/// What the focus of one call tells of its conference.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    subscription: SubscriptionId,
    conference: Conference,
}

impl UserAgent {
    /// After every step: conferences that are entered are subscribed to, those that are left no more.
    pub(super) fn follow_rosters(&mut self) {
        let calls = &self.calls;
        let is_left = |id: &CallId| !calls.get(id).is_some_and(Call::is_in_conference);
        let left: Vec<_> = self.rosters.keys().copied().filter(is_left).collect();
        for id in left {
            if let Some(roster) = self.rosters.remove(&id) {
                self.subscriptions
                    .remove_own(&mut self.endpoint, roster.subscription);
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
            if self.subscriptions.is_full() || self.stopping.is_some() {
                return;
            }
            let subscription = self
                .subscriptions
                .add_own(&mut self.endpoint, uri, PACKAGE, &[MEDIA_TYPE]);
            let conference = Conference::default();
            self.rosters.insert(
                id,
                Roster {
                    subscription,
                    conference,
                },
            );
            return;
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

    /// A document; `false` if everything has to be told again.
    pub(super) fn participants_told(&mut self, subscription: SubscriptionId, document: &[u8]) -> bool {
        let mut rosters = self.rosters.iter_mut();
        let Some((id, roster)) = rosters.find(|(_, it)| it.subscription == subscription) else {
            return true;
        };
        if document.is_empty() {
            return true;
        }
        let Ok(info) = ConferenceInfo::read(document) else {
            return false;
        };
        let taken = roster.conference.take(info);
        let own = self.endpoint.config.address_of_record.as_str();
        let users = roster.conference.users.iter();
        let participants = users.filter_map(|user| participant(user, own)).collect();
        if let Some(call) = self.calls.get_mut(id) {
            call.info.participants = participants;
        }
        taken != Taken::Gap
    }
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
