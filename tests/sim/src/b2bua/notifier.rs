//! Who wants to know of messages left for a user: the notifier's side of RFC 6665 for `message-summary` (RFC 3842).

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_core::transaction::TransactionId;
use clearline_core::{ConnectionId, Duration, Instant};

use super::{B2bua, Purpose, leg};
use crate::platform::DOMAIN;

/// The longest a subscription is granted for, in seconds.
const LONGEST: u32 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatcherId(u64);

/// One subscription.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    user: &'static str,
    connection: ConnectionId,
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// Name-addr without tag.
    local: String,
    remote: String,
    local_cseq: u32,
    remote_cseq: u32,
    target: UriBuf,
    expires_at: Instant,
}

impl Watcher {
    fn owns(&self, request: &Message) -> bool {
        request.call_id().is_ok_and(|id| id == self.call_id)
            && request.to().is_ok_and(|to| to.tag() == Some(&self.local_tag))
            && request
                .from()
                .is_ok_and(|from| from.tag() == Some(&self.remote_tag))
    }
}

impl B2bua {
    /// How many subscriptions are in force.
    pub(crate) fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// How many messages have been left for a user.
    pub(crate) fn messages_left(&self, user: &str) -> u32 {
        self.messages.get(user).copied().unwrap_or(0)
    }

    /// Somebody leaves a message for a user, whose telephones are told.
    pub(crate) fn leave_message(&mut self, now: Instant, user: &'static str) {
        self.begin(now);
        *self.messages.entry(user).or_default() += 1;
        let told: Vec<_> = self
            .watchers
            .iter()
            .filter(|(_, watcher)| watcher.user == user)
            .map(|(id, _)| *id)
            .collect();
        told.into_iter().for_each(|id| self.notify(id));
    }

    pub(super) fn subscribe_received(
        &mut self,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) {
        let kind = self.caller_kind();
        let Some(user) = self.authenticated(request, kind) else {
            return self.challenge(transaction, request, kind);
        };
        if request.header(HeaderName::Event) != Some("message-summary") {
            return self.reject(transaction, request, 489);
        }
        let is_in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let known = self.watchers.iter().find(|(_, watcher)| watcher.owns(request));
        let known = known.map(|(id, _)| *id);
        let id = match (known, is_in_dialog) {
            (Some(id), _) => id,
            (None, true) => return self.reject(transaction, request, 481),
            (None, false) => match self.new_watcher(user, connection, request) {
                Some(id) => id,
                None => return self.reject(transaction, request, 400),
            },
        };
        let granted = request.expires().ok().flatten().unwrap_or(LONGEST).min(LONGEST);
        let expires_at = self.now + Duration::from_secs(u64::from(granted));
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let Some(watcher) = self.watchers.get_mut(&id) else {
            return;
        };
        if number <= watcher.remote_cseq {
            return self.reject(transaction, request, 500);
        }
        watcher.remote_cseq = number;
        watcher.connection = connection;
        watcher.expires_at = expires_at;
        if let Some(target) = contact_of(request) {
            watcher.target = target;
        }
        let tag = watcher.local_tag.clone();
        let ok = self
            .response(request, 200)
            .to_tag(&tag)
            .header(HeaderName::Contact, leg::contact())
            .header(HeaderName::Expires, granted);
        self.respond(transaction, ok.build());
        self.notify(id);
        if granted == 0 {
            self.watchers.remove(&id);
        }
    }

    fn new_watcher(
        &mut self,
        user: &'static str,
        connection: ConnectionId,
        request: &Message,
    ) -> Option<WatcherId> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        let watcher = Watcher {
            user,
            connection,
            call_id: request.call_id().ok()?.to_owned(),
            local_tag: self.rng.token(4),
            remote_tag: from.tag().unwrap_or_default().to_owned(),
            local: format!("<{}>", to.uri.as_str()),
            remote: format!("<{}>", from.uri.as_str()),
            local_cseq: 0,
            remote_cseq: 0,
            target: contact_of(request)?,
            expires_at: self.now,
        };
        self.last_id += 1;
        let id = WatcherId(self.last_id);
        self.watchers.insert(id, watcher);
        Some(id)
    }

    /// Tells a telephone how things stand.
    fn notify(&mut self, id: WatcherId) {
        let Some(watcher) = self.watchers.get_mut(&id) else {
            return;
        };
        watcher.local_cseq += 1;
        let left = watcher.expires_at.saturating_since(self.now).as_secs();
        let state = match left {
            0 => "terminated;reason=timeout".to_owned(),
            _ => format!("active;expires={left}"),
        };
        let Watcher {
            user,
            connection,
            call_id,
            local_tag,
            remote_tag,
            local,
            remote,
            local_cseq,
            target,
            ..
        } = watcher.clone();
        let count = self.messages_left(user);
        let waiting = if count > 0 { "yes" } else { "no" };
        let body = format!("Messages-Waiting: {waiting}\r\nVoice-Message: {count}/0\r\n");
        let notify = RequestBuilder::new(Method::Notify, target.as_uri())
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format_args!("{local};tag={local_tag}"))
            .header(HeaderName::To, format_args!("{remote};tag={remote_tag}"))
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format_args!("{local_cseq} NOTIFY"))
            .header(
                HeaderName::Contact,
                format_args!("<sip:platform@{DOMAIN};transport=ws>"),
            )
            .header(HeaderName::Event, "message-summary")
            .header(HeaderName::SubscriptionState, state)
            .body("application/simple-message-summary", body.as_bytes());
        if self.send(connection, notify, Purpose::Notify(id)).is_none() {
            self.notify_failed(id);
        }
    }

    /// RFC 6665 section 4.2.2: whoever cannot be told is subscribed no more.
    pub(super) fn notify_failed(&mut self, id: WatcherId) {
        self.watchers.remove(&id);
    }

    pub(super) fn expire_watchers(&mut self) {
        let now = self.now;
        self.watchers.retain(|_, watcher| watcher.expires_at > now);
    }
}

fn contact_of(request: &Message) -> Option<UriBuf> {
    let contact = request.contacts().next()?.ok()?;
    Some(contact.address()?.uri.to_owned())
}
