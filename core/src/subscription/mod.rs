//! Subscriptions (RFC 6665): the subscriber's side for any event package. What a notification says is the package's
//! matter; here a body is bytes with a media type.
//!
//! Subscriptions are kept: refreshed in time, told a new address after a reconnect, made anew when the notifier has lost
//! them, each with a pause that grows while it fails. They end when they are no longer wanted, or are refused for good.

pub mod conference_info;
pub mod dialog_info;
mod refer;
mod state_header;
mod usage;

use crate::cut::bounded;
use crate::endpoint::Endpoint;
use crate::event::{Notification, SubscriptionState};
use crate::id::SubscriptionId;
use crate::sip::{Message, UriBuf};
use crate::sorted_map::SortedMap;
use crate::time::Instant;
use crate::transaction::TransactionId;
pub use refer::ReferNotifier;
pub(crate) use refer::{ReferSubscriber, Told, event_id};
use usage::{Audience, Subject, Subscription};

/// Longest identifier that is taken over from a document, in bytes.
const MAX_IDENTIFIER: usize = 1_024;

/// An identifier; half of one would name something else.
fn identifier(text: &str) -> Option<String> {
    (!text.is_empty() && text.len() <= MAX_IDENTIFIER).then(|| text.to_owned())
}

/// Subscriptions at once; each costs a few hundred bytes.
const MAX_SUBSCRIPTIONS: usize = 1_000;

/// What a NOTIFY was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notified {
    /// Of no subscription.
    Stray,
    /// Dealt with.
    Taken,
    /// For the agent itself.
    Own(Notification),
}

/// All subscriptions of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions {
    all: SortedMap<SubscriptionId, Subscription>,
    last_id: u64,
}

impl Subscriptions {
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= MAX_SUBSCRIPTIONS
    }

    /// Subscribes to `package` (with its parameters) at `target`; bodies of the media types `accept` are understood.
    pub(crate) fn add(
        &mut self,
        endpoint: &mut Endpoint,
        target: UriBuf,
        package: &str,
        accept: &[&str],
    ) -> SubscriptionId {
        self.add_for(endpoint, Audience::Application, target, package, accept)
    }

    /// The same for the agent itself: the application does not hear of it.
    pub(crate) fn add_own(
        &mut self,
        endpoint: &mut Endpoint,
        target: UriBuf,
        package: &str,
        accept: &[&str],
    ) -> SubscriptionId {
        self.add_for(endpoint, Audience::Agent, target, package, accept)
    }

    fn add_for(
        &mut self,
        endpoint: &mut Endpoint,
        audience: Audience,
        target: UriBuf,
        package: &str,
        accept: &[&str],
    ) -> SubscriptionId {
        self.last_id += 1;
        let id = SubscriptionId(self.last_id);
        let subject = Subject {
            target,
            package: package.to_owned(),
            accept: accept.join(", "),
            audience,
        };
        self.all.insert(id, Subscription::new(endpoint, id, subject));
        id
    }

    /// Ends one; `false` if there is none.
    pub(crate) fn remove(&mut self, endpoint: &mut Endpoint, id: SubscriptionId) -> bool {
        let is_there = self.all.get(&id).is_some_and(Subscription::is_applications);
        if is_there {
            self.remove_own(endpoint, id);
        }
        is_there
    }

    /// Ends one of the agent's own.
    pub(crate) fn remove_own(&mut self, endpoint: &mut Endpoint, id: SubscriptionId) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.leave(endpoint);
        }
        self.forget_ended();
    }

    /// Ends all of them.
    pub(crate) fn leave_all(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::leave);
    }

    /// The agent has stopped.
    pub(crate) fn stopped(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::leave);
        self.each(endpoint, Subscription::disconnected);
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = (SubscriptionId, &SubscriptionState)> {
        let applications = self.all.iter().filter(|(_, it)| it.is_applications());
        applications.map(|(id, it)| (*id, it.state()))
    }

    /// Where one stands; `None` if it is over.
    pub(crate) fn state(&self, id: SubscriptionId) -> Option<&SubscriptionState> {
        self.all.get(&id).map(Subscription::state)
    }

    /// Something was missed: the notifier is asked for everything.
    pub(crate) fn ask_again(&mut self, now: Instant, id: SubscriptionId) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.ask_again(now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.all.values().filter_map(Subscription::deadline).min()
    }

    pub(crate) fn wake(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::wake);
    }

    pub(crate) fn disconnected(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::disconnected);
    }

    /// This device can be reached.
    pub(crate) fn reachable(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::reachable);
    }

    /// This device can be reached again, perhaps elsewhere.
    pub(crate) fn regained(&mut self, endpoint: &mut Endpoint) {
        self.each(endpoint, Subscription::regained);
    }

    /// A NOTIFY.
    pub(crate) fn notified(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        notify: &Message,
    ) -> Notified {
        let owner = self.all.values_mut().find(|it| it.owns(notify));
        let Some(subscription) = owner else {
            return Notified::Stray;
        };
        let own = subscription.notified(endpoint, transaction, notify);
        self.forget_ended();
        own.map_or(Notified::Taken, Notified::Own)
    }

    /// A response to a SUBSCRIBE.
    pub(crate) fn response(
        &mut self,
        endpoint: &mut Endpoint,
        id: SubscriptionId,
        transaction: TransactionId,
        response: &Message,
    ) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.response(endpoint, transaction, response);
        }
        self.forget_ended();
    }

    /// A SUBSCRIBE got no answer.
    pub(crate) fn no_response(
        &mut self,
        endpoint: &mut Endpoint,
        id: SubscriptionId,
        transaction: TransactionId,
    ) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.no_response(endpoint, transaction);
        }
        self.forget_ended();
    }

    /// The number for a challenged SUBSCRIBE that is sent again, if it is still wanted.
    pub(crate) fn number_for_retry(&mut self, id: SubscriptionId, transaction: TransactionId) -> Option<u32> {
        let subscription = self.all.get_mut(&id).filter(|it| it.awaits(transaction))?;
        Some(subscription.number_for_retry())
    }

    /// The challenged SUBSCRIBE was sent again.
    pub(crate) fn resent(&mut self, id: SubscriptionId, transaction: TransactionId) {
        if let Some(subscription) = self.all.get_mut(&id) {
            subscription.resent(transaction);
        }
    }

    fn each(&mut self, endpoint: &mut Endpoint, step: impl Fn(&mut Subscription, &mut Endpoint)) {
        for subscription in self.all.values_mut() {
            step(subscription, endpoint);
        }
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        self.all.retain(|_, subscription| !subscription.is_over());
    }
}
