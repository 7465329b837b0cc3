//! The event server (RFC 6665 section 4.2): users may watch their own dialogs (RFC 4235). Whoever knows a dialog's
//! identifiers could take it over by Replaces (RFC 3891 section 8), so nobody else may.
//!
//! ```text
//! SUBSCRIBE --200--> Watcher --change--> NOTIFY (partial), one at a time, at most one a second
//!                     | ^ |
//!                     | +-+ SUBSCRIBE: lives on, NOTIFY (full)
//!                     v
//!   Expires: 0, lapsed: NOTIFY (terminated);  user or credential removed, NOTIFY refused or not answered: forgotten
//! ```

mod notify;

use std::collections::{BTreeMap, BTreeSet};

use clearline_core::dialog_info::{self, MEDIA_TYPE, PACKAGE};
use clearline_core::sip::{HeaderName, Message, NameAddr, ResponseBuilder, UriBuf, quote};
use clearline_core::transaction::TransactionId;
use clearline_core::{ConnectionId, Duration, Instant};

use crate::flow::FlowId;
use crate::platform::{Alarm, Platform};
use crate::refusal::Refusal;
use crate::registrar::refuse_unsupported;
use crate::user::UserId;

/// The longest lifetime of a subscription, and that of one for which none is asked (RFC 4235 section 3.3).
const LONGEST: Duration = Duration::from_secs(3_600);

/// Identifies a subscription while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatcherId(u64);

/// A subscription, from the notifier's view.
#[derive(Clone, Debug)]
struct Watcher {
    user: UserId,
    /// The device that has subscribed.
    flow: FlowId,
    dialog: Dialog,
    /// The value of Event.
    event: String,
    expires_at: Instant,
    /// The number of the next document.
    version: u32,
    /// The next document tells everything.
    is_full_due: bool,
    /// What the next document tells otherwise.
    changed: BTreeMap<String, dialog_info::Dialog>,
    /// No NOTIFY before then (RFC 4235 section 3.10).
    next_at: Instant,
    /// The NOTIFY that has not been answered.
    transaction: Option<TransactionId>,
}

/// The dialog of a subscription; "remote" is the subscriber.
#[derive(Clone, Debug)]
struct Dialog {
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// Name-addrs without tags.
    local: String,
    remote: String,
    remote_target: UriBuf,
    local_cseq: u32,
    remote_cseq: u32,
}

/// All subscriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers {
    last_id: u64,
    all: BTreeMap<WatcherId, Watcher>,
    by_user: BTreeMap<UserId, BTreeSet<WatcherId>>,
    by_transaction: BTreeMap<TransactionId, WatcherId>,
}

impl Watchers {
    fn insert(&mut self, watcher: Watcher) -> WatcherId {
        self.last_id += 1;
        let id = WatcherId(self.last_id);
        self.by_user.entry(watcher.user.clone()).or_default().insert(id);
        self.all.insert(id, watcher);
        id
    }

    fn remove(&mut self, id: WatcherId) -> Option<Watcher> {
        let watcher = self.all.remove(&id)?;
        if let Some(transaction) = watcher.transaction {
            self.by_transaction.remove(&transaction);
        }
        if let Some(ids) = self.by_user.get_mut(&watcher.user) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_user.remove(&watcher.user);
            }
        }
        Some(watcher)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn of_user(&self, user: &UserId) -> Vec<WatcherId> {
        self.by_user.get(user).into_iter().flatten().copied().collect()
    }

    /// The subscription of `user` that a SUBSCRIBE belongs to.
    fn find(&self, user: &UserId, request: &Message) -> Option<WatcherId> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        let is_same = |dialog: &Dialog| {
            request.call_id() == Ok(&dialog.call_id)
                && from.tag() == Some(&dialog.remote_tag)
                && to.tag() == Some(&dialog.local_tag)
        };
        let mut own = self.by_user.get(user)?.iter();
        let found = own.find(|id| self.all.get(id).is_some_and(|watcher| is_same(&watcher.dialog)));
        found.copied()
    }
}

impl Platform {
    /// Whether a SUBSCRIBE is for the platform itself: for a user, not for one of their devices.
    pub(crate) fn is_for_event_server(&self, connection: ConnectionId, request: &Message) -> bool {
        let Ok(routed) = self.process_route(connection, request) else {
            return false;
        };
        let Some(uri) = routed.request.request_uri() else {
            return false;
        };
        let is_in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        let is_user = self.is_local(&uri)
            && uri.user().is_some()
            && !uri.params().has("gr")
            && !self.is_for_service(&uri);
        routed.flow.is_none() && (is_user || is_in_dialog && self.is_domain_itself(&uri))
    }

    /// Takes a SUBSCRIBE (RFC 6665 section 4.2.1), or says why not.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) -> Result<(), Refusal> {
        let user = self.authenticate_caller(now, connection, request)?;
        refuse_unsupported(request, HeaderName::Require, &[])?;
        let event = check_event(request)?;
        let is_in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        if !is_in_dialog {
            self.refuse_stranger(&user, request)?;
        }
        let lifetime = self.lifetime(request)?;
        let (id, is_new) = match is_in_dialog {
            true => (self.refresh(connection, &user, request)?, false),
            false => (self.watch(now, connection, user, request, event)?, true),
        };
        self.confirm_subscription(now, id, transaction, request, lifetime);
        if let Some(watcher) = self.watchers.all.get_mut(&id) {
            watcher.expires_at = now + lifetime;
            watcher.is_full_due = true;
            if is_new {
                watcher.next_at = now;
            }
        }
        if lifetime.is_zero() {
            // Section 4.2.1.4: a subscription of no length is a question.
            self.end_subscription(now, id, "timeout");
        } else {
            self.notify_if_due(now, id);
        }
        Ok(())
    }

    /// Dialogs are shown to whom they belong, and to nobody else.
    fn refuse_stranger(&self, user: &UserId, request: &Message) -> Result<(), Refusal> {
        let uri = request.request_uri().ok_or_else(|| Refusal::new(400))?;
        let watched = self.users.resolve(&uri.user_decoded());
        match watched {
            None => Err(Refusal::new(404)),
            Some(watched) if watched.id != *user => Err(Refusal::new(403).because("Not Your Dialogs")),
            Some(_) => Ok(()),
        }
    }

    fn lifetime(&self, request: &Message) -> Result<Duration, Refusal> {
        let Some(wanted) = request.expires().map_err(|_| Refusal::new(400))? else {
            return Ok(LONGEST);
        };
        let wanted = Duration::from_secs(wanted.into());
        let least = self.config.min_expires;
        if !wanted.is_zero() && wanted < least {
            return Err(Refusal::new(423).with(HeaderName::MinExpires, least.as_secs().to_string()));
        }
        Ok(wanted.min(LONGEST))
    }

    fn watch(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        user: UserId,
        request: &Message,
        event: String,
    ) -> Result<WatcherId, Refusal> {
        if self.watchers.of_user(&user).len() >= self.config.limits.subscriptions_per_user {
            self.forget_unreachable_watchers(&user);
        }
        if self.watchers.of_user(&user).len() >= self.config.limits.subscriptions_per_user {
            return Err(Refusal::new(503).with(HeaderName::RetryAfter, "60"));
        }
        let flow = self
            .flow_of_sender(connection, request)
            .ok_or_else(|| Refusal::new(500))?;
        let local_tag = self.rng.token(8);
        let dialog = Dialog::new(request, local_tag).ok_or_else(|| Refusal::new(400))?;
        Ok(self.watchers.insert(Watcher {
            user,
            flow,
            dialog,
            event,
            expires_at: now,
            version: 0,
            is_full_due: true,
            changed: BTreeMap::new(),
            next_at: now,
            transaction: None,
        }))
    }

    /// Programs that were started again and again leave subscriptions behind that nobody can be told of any more. Whoever
    /// does come back is told 481 and subscribes again.
    fn forget_unreachable_watchers(&mut self, user: &UserId) {
        for id in self.watchers.of_user(user) {
            let flow = self.watchers.all.get(&id).map(|watcher| watcher.flow);
            if flow.is_some_and(|flow| self.way_to(flow).is_none()) {
                self.forget_watcher(id);
            }
        }
    }

    /// A SUBSCRIBE within its dialog, which may come from another connection and tell a new address.
    fn refresh(
        &mut self,
        connection: ConnectionId,
        user: &UserId,
        request: &Message,
    ) -> Result<WatcherId, Refusal> {
        let id = self
            .watchers
            .find(user, request)
            .ok_or_else(|| Refusal::new(481))?;
        let flow = self.flow_of_sender(connection, request);
        let watcher = self.watchers.all.get_mut(&id);
        let watcher = watcher.ok_or_else(|| Refusal::new(481))?;
        let cseq = request.cseq().map_err(|_| Refusal::new(400))?.number;
        // RFC 3261 section 12.2.2.
        if cseq <= watcher.dialog.remote_cseq {
            return Err(Refusal::new(500));
        }
        watcher.dialog.remote_cseq = cseq;
        if let Some(target) = contact(request) {
            watcher.dialog.remote_target = target;
        }
        watcher.flow = flow.unwrap_or(watcher.flow);
        Ok(id)
    }

    fn confirm_subscription(
        &mut self,
        now: Instant,
        id: WatcherId,
        transaction: TransactionId,
        request: &Message,
        lifetime: Duration,
    ) {
        let Some(watcher) = self.watchers.all.get(&id) else {
            return;
        };
        let response = ResponseBuilder::for_request(request, 200)
            .to_tag(&watcher.dialog.local_tag)
            .header(HeaderName::Contact, self.own_contact())
            .header(HeaderName::Expires, lifetime.as_secs())
            .header(HeaderName::AllowEvents, PACKAGE);
        let response = match self.config.server.as_str() {
            "" => response,
            server => response.header(HeaderName::Server, server),
        };
        self.respond(now, transaction, response.build());
    }

    /// Where requests within a subscription's dialog go.
    fn own_contact(&self) -> String {
        format!("<sip:{};transport=ws>", self.config.domain)
    }

    /// Something has changed in one of `user`'s dialogs.
    pub(crate) fn tell_watchers(&mut self, now: Instant, user: &UserId, dialog: dialog_info::Dialog) {
        for id in self.watchers.of_user(user) {
            if let Some(watcher) = self.watchers.all.get_mut(&id) {
                watcher.changed.insert(dialog.id.clone(), dialog.clone());
            }
            self.notify_if_due(now, id);
        }
    }

    /// A subscription has something to do.
    pub(crate) fn watcher_woken(&mut self, now: Instant, id: WatcherId) {
        let Some(watcher) = self.watchers.all.get(&id) else {
            return;
        };
        if watcher.expires_at <= now {
            self.end_subscription(now, id, "timeout");
        } else {
            self.notify_if_due(now, id);
        }
    }

    /// A device of `user` can be reached: it may have missed something.
    pub(crate) fn watchers_reachable(&mut self, now: Instant, user: &UserId) {
        for id in self.watchers.of_user(user) {
            self.notify_if_due(now, id);
        }
    }

    /// Users were removed, or credentials: those who may watch no more are forgotten, and told nothing.
    pub(crate) fn drop_unentitled_watchers(&mut self) {
        let is_entitled = |watcher: &Watcher| {
            let connection = self.connection_of(watcher.flow);
            let connection = connection.and_then(|connection| self.connections.get(&connection));
            // Without a connection nothing is told.
            self.users.find(&watcher.user).is_some()
                && connection.is_none_or(|connection| connection.trusts(&watcher.user))
        };
        let dropped = self
            .watchers
            .all
            .iter()
            .filter(|(_, watcher)| !is_entitled(watcher));
        let dropped: Vec<_> = dropped.map(|(id, _)| *id).collect();
        for id in dropped {
            self.forget_watcher(id);
        }
    }

    fn forget_watcher(&mut self, id: WatcherId) -> Option<Watcher> {
        self.alarms.clear(Alarm::Watcher(id));
        self.watchers.remove(id)
    }
}

impl Dialog {
    fn new(request: &Message, local_tag: String) -> Option<Self> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        Some(Self {
            call_id: request.call_id().ok()?.to_owned(),
            local_tag,
            remote_tag: from.tag()?.to_owned(),
            local: without_tag(&to),
            remote: without_tag(&from),
            remote_target: contact(request)?,
            local_cseq: 0,
            remote_cseq: request.cseq().ok()?.number,
        })
    }
}

/// The value of Event, if it names a package that is offered here (RFC 6665 section 4.2.1.1) in a form that is understood.
fn check_event(request: &Message) -> Result<String, Refusal> {
    let unknown = || Refusal::new(489).with(HeaderName::AllowEvents, PACKAGE);
    let event = request.header(HeaderName::Event).ok_or_else(unknown)?;
    let package = event.split(';').next().unwrap_or_default().trim();
    if !package.eq_ignore_ascii_case(PACKAGE) {
        return Err(unknown());
    }
    let mut accepted = request.header_list(HeaderName::Accept).peekable();
    let is_readable = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        [MEDIA_TYPE, "application/*", "*/*"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(range))
    };
    if accepted.peek().is_some() && !accepted.any(is_readable) {
        return Err(Refusal::new(406));
    }
    Ok(event.to_owned())
}

fn contact(request: &Message) -> Option<UriBuf> {
    let contact = request
        .contacts()
        .flatten()
        .find_map(|contact| contact.address())?;
    Some(contact.uri.without_headers())
}

fn without_tag(address: &NameAddr<'_>) -> String {
    match &address.display_name {
        Some(name) => format!("{} <{}>", quote(&name.decode()), address.uri.as_str()),
        None => format!("<{}>", address.uri.as_str()),
    }
}
