//! Who is in the conference, and what others are told of it (RFC 4575).
//!
//! ```text
//! called:  dialing-out --> alerting --> connected <--> on-hold
//! calls:   dialing-in ----------------> connected <--> on-hold     all of them --> disconnecting --> (not told any more)
//! ```

use std::collections::BTreeMap;

use clearline_core::conference_info::{
    ConferenceInfo, ConferenceState, Description, Endpoint, EndpointStatus, Media, Scope, User,
};
use clearline_core::{CallDirection, CallId, CallInfo, CallState, Instant, MediaTransport};

use crate::address::{record_of, shown};

/// All parties.
#[derive(Debug)]
pub(crate) struct Roster {
    domain: String,
    parties: BTreeMap<CallId, Party>,
    last_number: u64,
}

/// One device of one user.
#[derive(Clone, Debug)]
struct Party {
    /// Tells it from others of the same user.
    number: u64,
    /// The address of record.
    user: String,
    name: String,
    status: EndpointStatus,
    /// Since when it has been without audio path.
    silent_since: Option<Instant>,
    /// Who has asked for its place.
    successor: Option<Successor>,
}

/// Somebody for whom the platform vouches as `user`, with an INVITE that is to take a party's place (RFC 3891).
#[derive(Clone, Debug)]
pub(crate) struct Successor {
    pub(crate) user: String,
    /// Of the INVITE.
    pub(crate) call_id: String,
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// In the conference.
    pub(crate) present: usize,
    /// Called, or calling.
    pub(crate) coming: usize,
    /// Those of them who are calling.
    pub(crate) calling: usize,
}

impl Roster {
    pub(crate) fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            parties: BTreeMap::new(),
            last_number: 0,
        }
    }

    /// Somebody asks for the place of a party.
    pub(crate) fn expect_successor(&mut self, call: CallId, successor: Successor) {
        if let Some(party) = self.parties.get_mut(&call) {
            party.successor = Some(successor);
        }
    }

    /// The Call-ID of the INVITE that is to take the place of a party.
    pub(crate) fn awaited_in(&self, call: CallId) -> Option<&str> {
        let successor = self.parties.get(&call)?.successor.as_ref()?;
        Some(&successor.call_id)
    }

    /// Who was expected has the place.
    pub(crate) fn succeed(&mut self, call: CallId, display_name: &str) {
        if let Some(party) = self.parties.get_mut(&call)
            && let Some(successor) = party.successor.take()
        {
            party.user = successor.user;
            party.name = shown(display_name);
        }
    }

    /// The platform vouches for whom this is.
    pub(crate) fn recognise(&mut self, call: CallId, user: String, name: String) {
        if let Some(party) = self.parties.get_mut(&call) {
            party.user = user;
            if !name.is_empty() {
                party.name = name;
            }
        }
    }

    /// A call has changed, or ended.
    ///
    /// Who it is counts as it begins: the user that was called, until the platform [says](Self::recognise) who has answered, or
    /// who calls, for whom it vouches. What a party says of itself later, in a request (RFC 4916), nobody vouches for.
    pub(crate) fn update(&mut self, now: Instant, info: &CallInfo) {
        if info.state == CallState::Ended {
            self.parties.remove(&info.id);
            return;
        }
        let domain = &self.domain;
        let party = self.parties.entry(info.id).or_insert_with(|| {
            self.last_number += 1;
            Party {
                number: self.last_number,
                user: record_of(&info.remote.uri, domain).unwrap_or_default(),
                name: shown(&info.remote.display_name),
                status: EndpointStatus::Pending,
                silent_since: None,
                successor: None,
            }
        });
        party.status = status(info);
        let is_silent = info.state == CallState::Active && info.media != MediaTransport::Connected;
        party.silent_since = is_silent.then(|| party.silent_since.unwrap_or(now));
    }

    pub(crate) fn count(&self) -> Count {
        let count = |is_meant: fn(&Party) -> bool| self.parties.values().filter(|it| is_meant(it)).count();
        Count {
            present: count(Party::is_present),
            coming: count(Party::is_coming),
            calling: count(|party| party.status == EndpointStatus::DialingIn),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.parties.len()
    }

    pub(crate) fn calls(&self) -> Vec<CallId> {
        self.parties.keys().copied().collect()
    }

    /// The user of a call.
    pub(crate) fn user_of(&self, call: CallId) -> Option<&str> {
        let party = self.parties.get(&call)?;
        Some(&party.user)
            .filter(|user| !user.is_empty())
            .map(String::as_str)
    }

    /// The name of a user, if it is known.
    pub(crate) fn name_of(&self, user: &str) -> String {
        let party = self.parties.values().find(|party| party.user == user);
        party.map(|party| party.name.clone()).unwrap_or_default()
    }

    /// Whether `user` is in the conference.
    pub(crate) fn has_present(&self, user: &str) -> bool {
        self.parties
            .values()
            .any(|party| party.user == user && party.is_present())
    }

    /// Whether `user` is in the conference or has been invited.
    pub(crate) fn has(&self, user: &str) -> bool {
        self.parties.values().any(|party| party.user == user)
    }

    /// The calls of a user, or of the one device that a document has named.
    pub(crate) fn calls_of(&self, entity: &str) -> Vec<CallId> {
        let is_meant = |party: &Party| party.user == entity || party.entity() == entity;
        let meant = self.parties.iter().filter(|(_, party)| is_meant(party));
        meant.map(|(call, _)| *call).collect()
    }

    /// Calls that have been without audio path since `since` or longer.
    pub(crate) fn silent_since(&self, since: Instant) -> Vec<CallId> {
        let silent = self.parties.iter();
        let silent = silent.filter(|(_, party)| party.silent_since.is_some_and(|at| at <= since));
        silent.map(|(call, _)| *call).collect()
    }

    /// Since when the first one has been.
    pub(crate) fn first_silent(&self) -> Option<Instant> {
        self.parties.values().filter_map(|party| party.silent_since).min()
    }

    /// The users, each with his devices, in the order in which they came.
    pub(crate) fn users(&self) -> Vec<User> {
        let mut parties: Vec<_> = self
            .parties
            .values()
            .filter(|party| !party.user.is_empty())
            .collect();
        parties.sort_by_key(|party| party.number);
        let mut users: Vec<User> = Vec::new();
        for party in parties {
            let known = users.iter_mut().find(|user| user.entity == party.user);
            match known {
                Some(user) => user.endpoints.push(party.endpoint()),
                None => users.push(User {
                    entity: party.user.clone(),
                    scope: Scope::Full,
                    display_text: Some(party.name.clone()).filter(|name| !name.is_empty()),
                    roles: None,
                    endpoints: vec![party.endpoint()],
                }),
            }
        }
        users
    }
}

impl Party {
    fn is_present(&self) -> bool {
        matches!(self.status, EndpointStatus::Connected | EndpointStatus::OnHold)
    }

    fn is_coming(&self) -> bool {
        matches!(
            self.status,
            EndpointStatus::DialingIn | EndpointStatus::DialingOut | EndpointStatus::Alerting
        )
    }

    fn entity(&self) -> String {
        format!("{};party={}", self.user, self.number)
    }

    fn endpoint(&self) -> Endpoint {
        let media = self.is_present().then(|| Media {
            id: "1".to_owned(),
            kind: "audio".to_owned(),
            status: if self.status == EndpointStatus::OnHold {
                "inactive"
            } else {
                "sendrecv"
            }
            .to_owned(),
        });
        Endpoint {
            entity: self.entity(),
            scope: Scope::Full,
            display_text: None,
            status: Some(self.status),
            media: media.into_iter().collect(),
        }
    }
}

fn status(info: &CallInfo) -> EndpointStatus {
    match info.state {
        CallState::Preparing | CallState::Calling => EndpointStatus::DialingOut,
        CallState::Ringing => EndpointStatus::Alerting,
        CallState::Incoming | CallState::Answering if info.direction == CallDirection::Incoming => {
            EndpointStatus::DialingIn
        }
        CallState::Incoming | CallState::Answering => EndpointStatus::DialingOut,
        CallState::Active if info.remote_hold => EndpointStatus::OnHold,
        CallState::Active => EndpointStatus::Connected,
        CallState::Ending => EndpointStatus::Disconnecting,
        CallState::Ended => EndpointStatus::Disconnected,
    }
}

/// What a subscriber has been told, so that the next document says what has changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    version: u32,
    users: Option<Vec<User>>,
}

impl Told {
    /// Everything is to be told again.
    pub(crate) fn forget(&mut self) {
        self.users = None;
    }

    /// Whether `users` is news.
    pub(crate) fn owes(&self, users: &[User]) -> bool {
        self.users.as_deref() != Some(users)
    }

    /// The next document (RFC 4575 section 4.6): the first one tells everything, the others what has changed.
    pub(crate) fn next(&mut self, about: &About<'_>, users: Vec<User>) -> ConferenceInfo {
        self.version = self.version.saturating_add(1);
        let told = self.users.replace(users.clone());
        let (scope, users) = match &told {
            None => (Scope::Full, users),
            Some(told) => (Scope::Partial, changes(told, users)),
        };
        ConferenceInfo {
            entity: about.entity.to_owned(),
            scope,
            version: Some(self.version),
            description: (scope == Scope::Full).then(|| Description {
                display_text: about.name.to_owned(),
                subject: String::new(),
                maximum_user_count: u32::try_from(about.most).ok(),
            }),
            state: Some(ConferenceState {
                user_count: u32::try_from(about.present).ok(),
                active: Some(true),
                locked: None,
            }),
            users_scope: Some(scope),
            users,
        }
    }

    /// The last document: the conference is no more (section 5.1).
    pub(crate) fn last(&mut self, about: &About<'_>) -> ConferenceInfo {
        self.version = self.version.saturating_add(1);
        ConferenceInfo {
            entity: about.entity.to_owned(),
            scope: Scope::Deleted,
            version: Some(self.version),
            description: None,
            state: None,
            users_scope: None,
            users: Vec::new(),
        }
    }
}

/// What a document says of the conference itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) entity: &'a str,
    pub(crate) name: &'a str,
    pub(crate) most: usize,
    pub(crate) present: usize,
}

/// Those of `now` who are not in `before` as they are, and those of `before` who are gone.
fn changes(before: &[User], now: Vec<User>) -> Vec<User> {
    let gone = before
        .iter()
        .filter(|user| now.iter().all(|it| it.entity != user.entity));
    let gone: Vec<_> = gone
        .map(|user| User {
            entity: user.entity.clone(),
            scope: Scope::Deleted,
            ..User::default()
        })
        .collect();
    let changed = now.into_iter().filter(|user| !before.contains(user));
    changed.chain(gone).collect()
}
