//! NOTIFY (RFC 6665 section 4.2.2): what is told, when, and what comes of it.

use clearline_core::dialog_info::{DialogInfo, MEDIA_TYPE};
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_core::transaction::{Flow, TransactionId};
use clearline_core::{ConnectionId, Duration, Instant};

use super::{Watcher, WatcherId};
use crate::flow::FlowId;
use crate::platform::{Alarm, Platform};

/// RFC 4235 section 3.10: not more than one a second.
const INTERVAL: Duration = Duration::from_secs(1);
/// Changes that are told one by one; with more, everything is told.
const MAX_CHANGED: usize = 64;
/// No subscriber can ask for a longer pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Platform {
    /// Sends what is to be told, unless that has to wait.
    pub(super) fn notify_if_due(&mut self, now: Instant, id: WatcherId) {
        self.set_watcher_alarm(id);
        let Some(watcher) = self.watchers.all.get_mut(&id) else {
            return;
        };
        watcher.is_full_due |= watcher.changed.len() > MAX_CHANGED;
        if watcher.is_full_due {
            watcher.changed.clear();
        }
        let has_news = watcher.is_full_due || !watcher.changed.is_empty();
        if !has_news || watcher.transaction.is_some() || watcher.next_at > now {
            return;
        }
        let flow = watcher.flow;
        let Some(connection) = self.way_to(flow) else {
            return self.put_off(id);
        };
        let state = self.subscription_state(now, id);
        self.notify(now, id, connection, &state);
    }

    pub(super) fn way_to(&self, flow: FlowId) -> Option<ConnectionId> {
        self.connection_of(flow)
            .filter(|connection| self.is_open(*connection))
    }

    /// The subscriber cannot be reached: everything is told when it can.
    fn put_off(&mut self, id: WatcherId) {
        if let Some(watcher) = self.watchers.all.get_mut(&id) {
            watcher.is_full_due = true;
            watcher.changed.clear();
        }
        self.set_watcher_alarm(id);
    }

    fn subscription_state(&self, now: Instant, id: WatcherId) -> String {
        let left = self.watchers.all.get(&id).map(|watcher| watcher.expires_at);
        let left = left.map_or(0, |at| at.saturating_since(now).as_secs());
        format!("active;expires={left}")
    }

    fn notify(&mut self, now: Instant, id: WatcherId, connection: ConnectionId, state: &str) {
        let Some(document) = self.next_document(now, id) else {
            return;
        };
        let (transport, branch) = (self.via_transport(connection), self.rng.token(8));
        let via = format!(
            "SIP/2.0/{transport} {};branch=z9hG4bK{branch}",
            self.config.domain
        );
        let contact = self.own_contact();
        let Some(watcher) = self.watchers.all.get_mut(&id) else {
            return;
        };
        let request = watcher
            .request()
            .header(HeaderName::Via, via)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::SubscriptionState, state)
            .body(MEDIA_TYPE, document.as_bytes())
            .build();
        watcher.next_at = now + INTERVAL;
        let sent = self
            .transactions
            .send(now, Flow::reliable(connection), request, &mut self.outbox);
        if let (Ok(transaction), Some(watcher)) = (sent, self.watchers.all.get_mut(&id)) {
            watcher.transaction = Some(transaction);
            self.watchers.by_transaction.insert(transaction, id);
        }
        self.set_watcher_alarm(id);
    }

    /// The next document of a subscription (RFC 4235 section 3.5).
    fn next_document(&mut self, now: Instant, id: WatcherId) -> Option<String> {
        let watcher = self.watchers.all.get(&id)?;
        let dialogs = match watcher.is_full_due {
            true => self.dialogs_as_seen_by(now, &watcher.user),
            false => watcher.changed.values().cloned().collect(),
        };
        let entity = UriBuf::sip(watcher.user.as_str(), &self.config.domain).ok()?;
        let document = DialogInfo {
            version: watcher.version,
            is_full: watcher.is_full_due,
            entity: entity.as_str().to_owned(),
            dialogs,
        };
        let watcher = self.watchers.all.get_mut(&id)?;
        watcher.version += 1;
        watcher.is_full_due = false;
        watcher.changed.clear();
        Some(document.write())
    }

    /// The last NOTIFY, for whatever `reason` (RFC 6665 section 4.1.3).
    pub(super) fn end_subscription(&mut self, now: Instant, id: WatcherId, reason: &str) {
        if let Some(watcher) = self.watchers.all.get_mut(&id) {
            watcher.is_full_due = true;
            let (flow, earlier) = (watcher.flow, watcher.transaction.take());
            if let Some(earlier) = earlier {
                self.watchers.by_transaction.remove(&earlier);
            }
            if let Some(connection) = self.way_to(flow) {
                self.notify(now, id, connection, &format!("terminated;reason={reason}"));
            }
        }
        self.forget_watcher(id);
    }

    /// `true` if a response was to a NOTIFY.
    pub(crate) fn notify_answered(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: &Message,
    ) -> bool {
        let Some(id) = self.watchers.by_transaction.get(&transaction).copied() else {
            return false;
        };
        let pause = response
            .retry_after()
            .map(|secs| Duration::from_secs(secs.into()));
        match (response.status().unwrap_or(500), pause) {
            (100..=199, _) => return true,
            (200..=299, _) => self.notify_over(transaction, id, None),
            // Section 4.2.2: with Retry-After the subscription lives, and has missed something.
            (_, Some(pause)) => self.notify_over(transaction, id, Some(now + pause.min(LONGEST_PAUSE))),
            (_, None) => {
                self.forget_watcher(id);
                return true;
            }
        }
        self.notify_if_due(now, id);
        true
    }

    fn notify_over(&mut self, transaction: TransactionId, id: WatcherId, again_at: Option<Instant>) {
        self.watchers.by_transaction.remove(&transaction);
        let Some(watcher) = self.watchers.all.get_mut(&id) else {
            return;
        };
        watcher.transaction = None;
        if let Some(at) = again_at {
            watcher.is_full_due = true;
            watcher.next_at = watcher.next_at.max(at);
        }
    }

    /// A NOTIFY was not answered: a subscriber that is there and silent is forgotten (section 4.2.2), one whose connection
    /// was lost may come back.
    pub(crate) fn notify_failed(&mut self, transaction: TransactionId, is_lost: bool) {
        let Some(id) = self.watchers.by_transaction.get(&transaction).copied() else {
            return;
        };
        if is_lost {
            self.notify_over(transaction, id, None);
            self.put_off(id);
        } else {
            self.forget_watcher(id);
        }
    }

    fn set_watcher_alarm(&mut self, id: WatcherId) {
        let Some(watcher) = self.watchers.all.get(&id) else {
            return;
        };
        let waits_for_time = watcher.transaction.is_none()
            && (watcher.is_full_due || !watcher.changed.is_empty())
            && self.way_to(watcher.flow).is_some();
        let at = match waits_for_time {
            true => watcher.next_at.min(watcher.expires_at),
            false => watcher.expires_at,
        };
        self.alarms.set(Alarm::Watcher(id), at);
    }
}

impl Watcher {
    /// The next request in the subscription's dialog, without Via and Contact.
    fn request(&mut self) -> RequestBuilder {
        let dialog = &mut self.dialog;
        dialog.local_cseq += 1;
        RequestBuilder::new(Method::Notify, dialog.remote_target.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(
                HeaderName::From,
                format_args!("{};tag={}", dialog.local, dialog.local_tag),
            )
            .header(
                HeaderName::To,
                format_args!("{};tag={}", dialog.remote, dialog.remote_tag),
            )
            .header(HeaderName::CallId, &dialog.call_id)
            .header(HeaderName::CSeq, format_args!("{} NOTIFY", dialog.local_cseq))
            .header(HeaderName::Event, &self.event)
    }
}
