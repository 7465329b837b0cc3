//! Who is in a conference: documents of the event package `conference` (RFC 4575).
//!
//! [`ConferenceInfo`] is one document, [`Conference`] what a sequence of them adds up to. Of what a document may hold,
//! this is what a telephone shows: who is there, in which state, and what the conference allows.

use super::{bounded, identifier};
use crate::xml::{self, Element, Writer, XmlError};

/// The event package.
pub const PACKAGE: &str = "conference";
/// Its media type.
pub const MEDIA_TYPE: &str = "application/conference-info+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:conference-info";
/// The role of those who may have others brought in and sent away; the RFC leaves the words to the conference (section 5.6.3).
pub const MODERATOR: &str = "moderator";
/// Users that are kept of one conference, and read of one document.
const MAX_USERS: usize = 256;
/// Endpoints of one user, media of one endpoint.
const MAX_PARTS: usize = 8;

/// A document (section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceInfo {
    /// The URI of the conference.
    pub entity: String,
    /// What it tells of the conference.
    pub scope: Scope,
    /// Rises by one with each document of a subscription.
    pub version: Option<u32>,
    /// What the conference is about (section 5.3), if it says.
    pub description: Option<Description>,
    /// How it stands (section 5.5), if it says.
    pub state: Option<ConferenceState>,
    /// Whether all users are told, or those that have changed; `None` if it says nothing of users.
    pub users_scope: Option<Scope>,
    /// The users.
    pub users: Vec<User>,
}

/// How an element relates to what was told before (section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// It takes the place of all that was told.
    #[default]
    Full,
    /// It adds to what was told.
    Partial,
    /// It is no more.
    Deleted,
}

/// What a conference is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub display_text: String,
    /// Its subject.
    pub subject: String,
    /// How many may take part.
    pub maximum_user_count: Option<u32>,
}

/// How a conference stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceState {
    /// How many take part, those not listed included.
    pub user_count: Option<u32>,
    /// It has begun and not ended.
    pub active: Option<bool>,
    /// Nobody else may join.
    pub locked: Option<bool>,
}

/// Somebody who takes part (section 5.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The address that names the user in this conference.
    pub entity: String,
    /// How it relates to what was told before.
    pub scope: Scope,
    /// The name, if it says.
    pub display_text: Option<String>,
    /// What the user may do; `None` if it does not say.
    pub roles: Option<Vec<String>>,
    /// The user's devices in the conference.
    pub endpoints: Vec<Endpoint>,
}

/// A device that takes part (section 5.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The address that names the device in this conference.
    pub entity: String,
    /// How it relates to what was told before.
    pub scope: Scope,
    /// What it is called, if it says.
    pub display_text: Option<String>,
    /// Where it stands, if it says.
    pub status: Option<EndpointStatus>,
    /// Its streams.
    pub media: Vec<Media>,
}

/// Where a device of a conference stands (section 5.7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the RFC")]
pub enum EndpointStatus {
    Pending,
    DialingOut,
    DialingIn,
    Alerting,
    OnHold,
    Connected,
    MutedViaFocus,
    Disconnecting,
    Disconnected,
}

/// A stream of a device (section 5.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// Names it within its device.
    pub id: String,
    /// `audio`, `video` ...
    pub kind: String,
    /// `sendrecv`, `recvonly` ..., as the focus sees the device.
    pub status: String,
}

impl EndpointStatus {
    const NAMES: [(Self, &'static str); 9] = [
        (Self::Pending, "pending"),
        (Self::DialingOut, "dialing-out"),
        (Self::DialingIn, "dialing-in"),
        (Self::Alerting, "alerting"),
        (Self::OnHold, "on-hold"),
        (Self::Connected, "connected"),
        (Self::MutedViaFocus, "muted-via-focus"),
        (Self::Disconnecting, "disconnecting"),
        (Self::Disconnected, "disconnected"),
    ];

    fn named(text: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names.find(|(_, name)| *name == text.trim()).map(|(it, _)| *it)
    }

    fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(it, _)| *it == self)
            .map_or("pending", |(_, name)| name)
    }
}

// --- reading -------------------------------------------------------------------------------------------------

impl ConferenceInfo {
    /// Reads a document. Users, endpoints and streams beyond the bounds, and those without a name, are left out.
    ///
    /// # Errors
    /// It is not XML as [`xml`] reads it, or not of this type.
    pub fn read(document: &[u8]) -> Result<Self, XmlError> {
        xml::read(document, |root| {
            if !root.is(NAMESPACE, "conference-info") {
                return Err(XmlError::Content);
            }
            let mut info = Self {
                entity: root
                    .attribute("entity")
                    .and_then(identifier)
                    .ok_or(XmlError::Content)?,
                scope: Scope::of(root)?,
                version: root
                    .attribute("version")
                    .and_then(|text| text.trim().parse().ok()),
                description: None,
                state: None,
                users_scope: None,
                users: Vec::new(),
            };
            while let Some(child) = root.child()? {
                match child.name_in(NAMESPACE) {
                    Some("conference-description") => info.description = Some(Description::read(child)?),
                    Some("conference-state") => info.state = Some(ConferenceState::read(child)?),
                    Some("users") => {
                        info.users_scope = Some(Scope::of(&child)?);
                        info.users = list(child, "user", MAX_USERS, User::read)?;
                    }
                    Some(_) | None => {}
                }
            }
            Ok(info)
        })
    }
}

impl Scope {
    /// Section 5.1: it is full unless it says otherwise.
    fn of(element: &Element<'_, '_>) -> Result<Self, XmlError> {
        match element.attribute("state").map(str::trim) {
            None | Some("full") => Ok(Self::Full),
            Some("partial") => Ok(Self::Partial),
            Some("deleted") => Ok(Self::Deleted),
            Some(_) => Err(XmlError::Content),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Deleted => "deleted",
        }
    }
}

/// The children of this name that can be used, as far as the bound goes.
fn list<T>(
    mut element: Element<'_, '_>,
    name: &str,
    most: usize,
    read: impl Fn(Element<'_, '_>) -> Result<Option<T>, XmlError>,
) -> Result<Vec<T>, XmlError> {
    let mut all = Vec::new();
    while let Some(child) = element.child()? {
        if child.is(NAMESPACE, name)
            && all.len() < most
            && let Some(it) = read(child)?
        {
            all.push(it);
        }
    }
    Ok(all)
}

fn shown(element: Element<'_, '_>) -> Result<String, XmlError> {
    Ok(bounded(element.text()?.trim()).trim_end().to_owned())
}

fn role(entry: Element<'_, '_>) -> Result<Option<String>, XmlError> {
    shown(entry).map(Some)
}

fn number(element: Element<'_, '_>) -> Result<Option<u32>, XmlError> {
    Ok(element.text()?.trim().parse().ok())
}

fn truth(element: Element<'_, '_>) -> Result<Option<bool>, XmlError> {
    Ok(match element.text()?.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    })
}

impl Description {
    fn read(mut element: Element<'_, '_>) -> Result<Self, XmlError> {
        let mut description = Self::default();
        while let Some(child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("display-text") => description.display_text = shown(child)?,
                Some("subject") => description.subject = shown(child)?,
                Some("maximum-user-count") => description.maximum_user_count = number(child)?,
                Some(_) | None => {}
            }
        }
        Ok(description)
    }
}

impl ConferenceState {
    fn read(mut element: Element<'_, '_>) -> Result<Self, XmlError> {
        let mut state = Self::default();
        while let Some(child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("user-count") => state.user_count = number(child)?,
                Some("active") => state.active = truth(child)?,
                Some("locked") => state.locked = truth(child)?,
                Some(_) | None => {}
            }
        }
        Ok(state)
    }
}

impl User {
    fn read(mut element: Element<'_, '_>) -> Result<Option<Self>, XmlError> {
        let Some(entity) = element.attribute("entity").and_then(identifier) else {
            return Ok(None);
        };
        let mut user = Self {
            entity,
            scope: Scope::of(&element)?,
            ..Self::default()
        };
        while let Some(child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("display-text") => user.display_text = Some(shown(child)?),
                Some("roles") => user.roles = Some(list(child, "entry", MAX_PARTS, role)?),
                Some("endpoint") if user.endpoints.len() < MAX_PARTS => {
                    user.endpoints.extend(Endpoint::read(child)?);
                }
                Some(_) | None => {}
            }
        }
        Ok(Some(user))
    }
}

impl Endpoint {
    fn read(mut element: Element<'_, '_>) -> Result<Option<Self>, XmlError> {
        let Some(entity) = element.attribute("entity").and_then(identifier) else {
            return Ok(None);
        };
        let mut endpoint = Self {
            entity,
            scope: Scope::of(&element)?,
            ..Self::default()
        };
        while let Some(child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("display-text") => endpoint.display_text = Some(shown(child)?),
                Some("status") => endpoint.status = EndpointStatus::named(&child.text()?),
                Some("media") if endpoint.media.len() < MAX_PARTS => {
                    endpoint.media.extend(Media::read(child)?);
                }
                Some(_) | None => {}
            }
        }
        Ok(Some(endpoint))
    }
}

impl Media {
    fn read(mut element: Element<'_, '_>) -> Result<Option<Self>, XmlError> {
        let Some(id) = element.attribute("id").and_then(identifier) else {
            return Ok(None);
        };
        let mut media = Self {
            id,
            ..Self::default()
        };
        while let Some(child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("type") => media.kind = shown(child)?,
                Some("status") => media.status = shown(child)?,
                Some(_) | None => {}
            }
        }
        Ok(Some(media))
    }
}

// --- writing -------------------------------------------------------------------------------------------------

impl ConferenceInfo {
    /// The document as text.
    pub fn write(&self) -> String {
        let version = self.version.map(|version| version.to_string());
        let attributes = [
            ("xmlns", Some(NAMESPACE)),
            ("entity", Some(&*self.entity)),
            ("state", Some(self.scope.name())),
            ("version", version.as_deref()),
        ];
        Writer::document("conference-info", &attributes, |writer| {
            if let Some(description) = &self.description {
                description.write(writer);
            }
            if let Some(state) = &self.state {
                state.write(writer);
            }
            if let Some(scope) = self.users_scope {
                writer.element("users", &[("state", Some(scope.name()))], |writer| {
                    self.users.iter().for_each(|user| user.write(writer));
                });
            }
        })
    }
}

/// An element with `text`, if there is one.
fn write_some(writer: &mut Writer, name: &'static str, text: Option<&str>) {
    if let Some(text) = text {
        writer.text_element(name, &[], text);
    }
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Description {
    fn write(&self, writer: &mut Writer) {
        let most = self.maximum_user_count.map(|count| count.to_string());
        writer.element("conference-description", &[], |writer| {
            write_some(writer, "display-text", non_empty(&self.display_text));
            write_some(writer, "subject", non_empty(&self.subject));
            write_some(writer, "maximum-user-count", most.as_deref());
        });
    }
}

impl ConferenceState {
    fn write(&self, writer: &mut Writer) {
        let count = self.user_count.map(|count| count.to_string());
        let truth = |it| if it { "true" } else { "false" };
        writer.element("conference-state", &[], |writer| {
            write_some(writer, "user-count", count.as_deref());
            write_some(writer, "active", self.active.map(truth));
            write_some(writer, "locked", self.locked.map(truth));
        });
    }
}

impl User {
    fn write(&self, writer: &mut Writer) {
        let attributes = [
            ("entity", Some(&*self.entity)),
            ("state", Some(self.scope.name())),
        ];
        writer.element("user", &attributes, |writer| {
            write_some(writer, "display-text", self.display_text.as_deref());
            if let Some(roles) = &self.roles {
                writer.element("roles", &[], |writer| {
                    roles
                        .iter()
                        .for_each(|role| writer.text_element("entry", &[], role));
                });
            }
            self.endpoints.iter().for_each(|endpoint| endpoint.write(writer));
        });
    }
}

impl Endpoint {
    fn write(&self, writer: &mut Writer) {
        let attributes = [
            ("entity", Some(&*self.entity)),
            ("state", Some(self.scope.name())),
        ];
        writer.element("endpoint", &attributes, |writer| {
            write_some(writer, "display-text", self.display_text.as_deref());
            write_some(writer, "status", self.status.map(EndpointStatus::name));
            for media in &self.media {
                writer.element("media", &[("id", Some(&*media.id))], |writer| {
                    write_some(writer, "type", non_empty(&media.kind));
                    write_some(writer, "status", non_empty(&media.status));
                });
            }
        });
    }
}

// --- a sequence of documents ---------------------------------------------------------------------------------

/// A conference, as the documents of one subscription tell it (section 4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conference {
    version: Option<u32>,
    /// What it is about.
    pub description: Description,
    /// How it stands.
    pub state: ConferenceState,
    /// Who takes part, in the order they were first told.
    pub users: Vec<User>,
    /// It has ended.
    pub is_over: bool,
}

pub use super::dialog_info::Taken;

impl Conference {
    /// Takes the next document up.
    pub fn take(&mut self, info: ConferenceInfo) -> Taken {
        let is_next = match (self.version, info.version) {
            (Some(known), Some(version)) if version <= known => return Taken::Outdated,
            (Some(known), Some(version)) => known.checked_add(1) == Some(version),
            (None, _) | (_, None) => false,
        };
        match info.scope {
            // What it adds to is not known: half of a picture would be shown as the whole.
            Scope::Partial if !is_next => return Taken::Gap,
            Scope::Full => *self = Self::default(),
            Scope::Partial | Scope::Deleted => {}
        }
        self.version = info.version;
        self.is_over = info.scope == Scope::Deleted;
        if self.is_over {
            self.users.clear();
        }
        self.description = info.description.unwrap_or(std::mem::take(&mut self.description));
        self.state = info.state.unwrap_or(std::mem::take(&mut self.state));
        match info.users_scope {
            Some(Scope::Full | Scope::Deleted) => self.users.clear(),
            Some(Scope::Partial) | None => {}
        }
        for user in info.users {
            merge(&mut self.users, user, MAX_USERS);
        }
        Taken::InOrder
    }

    /// A new subscription counts anew. What was told before stays until it has told everything.
    pub fn starts_over(&mut self) {
        self.version = None;
    }
}

/// What has a name and can be told in full, in part or as gone (section 4.6).
trait Part {
    fn entity(&self) -> &str;
    fn scope(&self) -> Scope;
    /// Adds what `news` says.
    fn update(&mut self, news: Self);
    /// As it is kept: whole, without those of its parts that are gone.
    fn settle(&mut self);
}

fn merge<T: Part>(all: &mut Vec<T>, mut news: T, most: usize) {
    let known = all.iter().position(|it| it.entity() == news.entity());
    match (news.scope(), known) {
        (Scope::Deleted, Some(at)) => {
            all.remove(at);
        }
        (Scope::Deleted, None) => {}
        (Scope::Partial, Some(at)) => {
            if let Some(it) = all.get_mut(at) {
                it.update(news);
            }
        }
        (Scope::Full, Some(at)) => {
            if let Some(it) = all.get_mut(at) {
                news.settle();
                *it = news;
            }
        }
        (Scope::Full | Scope::Partial, None) if all.len() < most => {
            news.settle();
            all.push(news);
        }
        (Scope::Full | Scope::Partial, None) => {}
    }
}

impl Part for User {
    fn entity(&self) -> &str {
        &self.entity
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn update(&mut self, news: Self) {
        self.display_text = news.display_text.or(self.display_text.take());
        self.roles = news.roles.or(self.roles.take());
        for endpoint in news.endpoints {
            merge(&mut self.endpoints, endpoint, MAX_PARTS);
        }
    }

    fn settle(&mut self) {
        self.scope = Scope::Full;
        let endpoints = std::mem::take(&mut self.endpoints);
        for endpoint in endpoints {
            merge(&mut self.endpoints, endpoint, MAX_PARTS);
        }
    }
}

impl Part for Endpoint {
    fn entity(&self) -> &str {
        &self.entity
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    /// Streams have no state of their own: those that are told take the place of those of their names.
    fn update(&mut self, news: Self) {
        self.display_text = news.display_text.or(self.display_text.take());
        self.status = news.status.or(self.status);
        for media in news.media {
            self.media.retain(|it| it.id != media.id);
            if self.media.len() < MAX_PARTS {
                self.media.push(media);
            }
        }
    }

    fn settle(&mut self) {
        self.scope = Scope::Full;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the manner of section 6.1.
    const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:conf233@example.com" state="full"
                 version="1">
  <conference-description><subject>Agenda: This &amp; that</subject>
    <maximum-user-count>8</maximum-user-count></conference-description>
  <conference-state><user-count>33</user-count><active>true</active></conference-state>
  <users>
    <user entity="sip:bob@example.com" state="full"><display-text>Bob Hoskins</display-text>
      <roles><entry>participant</entry></roles>
      <endpoint entity="sip:bob@pc33.example.com"><display-text>Bob's Laptop</display-text>
        <status>on-hold</status><joining-method>dialed-in</joining-method>
        <media id="1"><type>audio</type><label>34567</label><status>sendrecv</status></media>
      </endpoint></user>
    <user entity="sip:alice@example.com" state="full"><display-text>Alice</display-text>
      <endpoint entity="sip:4kfk4j392jsu@example.com;grid=433kj4j3u"><status>connected</status></endpoint></user>
  </users>
</conference-info>"#;

    fn partial(version: u32, users: &str) -> ConferenceInfo {
        let document = format!(
            "<conference-info xmlns='{NAMESPACE}' entity='sip:conf233@example.com' state='partial' \
             version='{version}'><users state='partial'>{users}</users></conference-info>"
        );
        ConferenceInfo::read(document.as_bytes()).unwrap()
    }

    fn full() -> ConferenceInfo {
        ConferenceInfo::read(FULL.as_bytes()).unwrap()
    }

    fn conference() -> Conference {
        let mut conference = Conference::default();
        assert_eq!(conference.take(full()), Taken::InOrder);
        conference
    }

    fn names(conference: &Conference) -> Vec<&str> {
        let users = conference.users.iter();
        users
            .map(|user| user.display_text.as_deref().unwrap_or_default())
            .collect()
    }

    #[test]
    fn a_document_is_read_with_all_that_is_shown() {
        let conference = conference();
        assert_eq!(names(&conference), ["Bob Hoskins", "Alice"]);
        assert_eq!(conference.description.subject, "Agenda: This & that");
        assert_eq!(conference.description.maximum_user_count, Some(8));
        assert_eq!(conference.state.user_count, Some(33));
        assert_eq!(conference.state.active, Some(true));
        let bob = &conference.users[0];
        assert_eq!(bob.roles, Some(vec!["participant".to_owned()]));
        assert_eq!(bob.endpoints[0].status, Some(EndpointStatus::OnHold));
        assert_eq!(
            bob.endpoints[0].media,
            [Media {
                id: "1".into(),
                kind: "audio".into(),
                status: "sendrecv".into()
            }]
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut info = full();
        info.users[0].display_text = Some("<Bob> & \"Co\"".to_owned());
        info.users[1].scope = Scope::Deleted;
        assert_eq!(ConferenceInfo::read(info.write().as_bytes()), Ok(info));
    }

    /// Section 4.6: users and their devices come, change and go by name.
    #[test]
    fn partial_documents_change_what_they_name() {
        let mut conference = conference();
        let joined = "<user entity='sip:carol@example.com'><display-text>Carol</display-text></user>";
        assert_eq!(conference.take(partial(2, joined)), Taken::InOrder);
        assert_eq!(names(&conference), ["Bob Hoskins", "Alice", "Carol"]);

        let talks = "<user entity='sip:bob@example.com' state='partial'>\
             <endpoint entity='sip:bob@pc33.example.com' state='partial'><status>connected</status></endpoint></user>";
        assert_eq!(conference.take(partial(3, talks)), Taken::InOrder);
        let laptop = &conference.users[0].endpoints[0];
        assert_eq!(laptop.status, Some(EndpointStatus::Connected));
        assert_eq!(laptop.display_text.as_deref(), Some("Bob's Laptop"), "it stays");

        let left = "<user entity='sip:alice@example.com' state='deleted'/>\
             <user entity='sip:bob@example.com' state='partial'>\
             <endpoint entity='sip:bob@pc33.example.com' state='deleted'/></user>";
        assert_eq!(conference.take(partial(4, left)), Taken::InOrder);
        assert_eq!(names(&conference), ["Bob Hoskins", "Carol"]);
        assert_eq!(conference.users[0].endpoints, []);

        let other = "<user entity='sip:bob@example.com'><display-text>Bob</display-text></user>";
        assert_eq!(conference.take(partial(5, other)), Taken::InOrder);
        assert_eq!(
            conference.users[0].roles, None,
            "a full user takes the old one's place"
        );
    }

    #[test]
    fn versions_decide_what_is_taken() {
        let mut conference = conference();
        let before = conference.clone();
        let joined = "<user entity='sip:carol@example.com'/>";
        assert_eq!(conference.take(partial(1, joined)), Taken::Outdated);
        assert_eq!(conference.take(partial(3, joined)), Taken::Gap);
        assert_eq!(conference, before);
        let mut later = full();
        later.version = Some(9);
        later.users.pop();
        assert_eq!(conference.take(later), Taken::InOrder);
        assert_eq!(names(&conference), ["Bob Hoskins"]);
        let mut over = partial(10, "");
        over.scope = Scope::Deleted;
        assert_eq!(conference.take(over), Taken::InOrder);
        assert!(conference.is_over && conference.users.is_empty());
    }

    #[test]
    fn documents_of_another_kind_are_refused() {
        for document in [
            format!("<conference-info xmlns='{NAMESPACE}'/>"),
            format!("<conference-info xmlns='{NAMESPACE}' entity='sip:c@h' state='odd'/>"),
            "<conference-info entity='sip:c@h'/>".to_owned(),
            FULL.replace("state=\"full\"", "state=\"gone\""),
        ] {
            assert_eq!(
                ConferenceInfo::read(document.as_bytes()),
                Err(XmlError::Content),
                "{document}"
            );
        }
    }

    #[test]
    fn a_focus_cannot_fill_the_memory() {
        let mut conference = conference();
        for version in 2..10 {
            let users: String = (0..100)
                .map(|at| format!("<user entity='sip:u{version}-{at}@h'/>"))
                .collect();
            conference.take(partial(version, &users));
        }
        assert_eq!(conference.users.len(), MAX_USERS);
        let endpoints: String = (0..20)
            .map(|at| format!("<endpoint entity='sip:e{at}@h'/>"))
            .collect();
        let user = format!("<user entity='sip:bob@example.com' state='partial'>{endpoints}</user>");
        conference.take(partial(10, &user));
        assert_eq!(conference.users[0].endpoints.len(), MAX_PARTS);
    }
}
