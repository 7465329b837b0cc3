//! Subscriptions of the application (RFC 6665).

use super::UserAgent;
use super::target::parse_target;
use crate::error::CommandError;
use crate::event::SubscriptionState;
use crate::id::SubscriptionId;
use crate::sip::Message;
use crate::time::Instant;
use crate::transaction::TransactionId;

impl UserAgent {
    /// Subscribes to the event package `package` (`message-summary`, `dialog;id=7` ...) at `target`, a number, a name or
    /// a URI. `accept` are the media types of the bodies that are understood. Without a connection it begins with the
    /// next one.
    ///
    /// What comes of it is told in [`Event::Subscription`](crate::Event::Subscription) and
    /// [`Event::Notification`](crate::Event::Notification). The agent refreshes and renews it until
    /// [`Self::unsubscribe`], or until it is refused for good.
    ///
    /// # Errors
    /// [`CommandError::InvalidTarget`], [`CommandError::InvalidPackage`], [`CommandError::TooManySubscriptions`].
    pub fn subscribe(
        &mut self,
        now: Instant,
        target: &str,
        package: &str,
        accept: &[&str],
    ) -> Result<SubscriptionId, CommandError> {
        self.endpoint.now = now;
        if self.subscriptions.is_full() {
            return Err(CommandError::TooManySubscriptions);
        }
        if !is_package(package) || accept.is_empty() || !accept.iter().all(|it| is_media_type(it)) {
            return Err(CommandError::InvalidPackage);
        }
        let domain = self.endpoint.config.address_of_record.clone();
        let domain = domain.as_uri().host().unwrap_or_default();
        let target = parse_target(target, domain).ok_or(CommandError::InvalidTarget)?;
        let id = self
            .subscriptions
            .add(&mut self.endpoint, target.uri, package, accept);
        Ok(id)
    }

    /// Ends a subscription. Its last state is told when the notifier has agreed, or cannot any more.
    ///
    /// # Errors
    /// [`CommandError::NoSuchSubscription`].
    pub fn unsubscribe(&mut self, now: Instant, id: SubscriptionId) -> Result<(), CommandError> {
        self.endpoint.now = now;
        if self.subscriptions.remove(&mut self.endpoint, id) {
            Ok(())
        } else {
            Err(CommandError::NoSuchSubscription)
        }
    }

    /// All subscriptions, the oldest first.
    pub fn subscriptions(&self) -> impl Iterator<Item = (SubscriptionId, &SubscriptionState)> {
        self.subscriptions.states()
    }

    /// RFC 6665 section 4.1.3: one that nobody subscribed to is told so, and its notifier stops.
    pub(super) fn notify(&mut self, transaction: TransactionId, notify: &Message) {
        let notified = self
            .subscriptions
            .notified(&mut self.endpoint, transaction, notify);
        if !self.subscription_notified(notified) {
            self.endpoint.reject(transaction, notify, 481);
        }
    }
}

fn is_package(text: &str) -> bool {
    let name = text.split(';').next().unwrap_or_default().trim();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_name && text.len() <= 128 && !text.chars().any(|c| c.is_control() || c == ',')
}

fn is_media_type(text: &str) -> bool {
    text.len() <= 128 && !text.contains(',') && crate::sip::MediaType::parse(text).is_ok()
}
