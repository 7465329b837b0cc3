//! Which dialogs somebody is in: documents of the event package `dialog` (RFC 4235).
//!
//! [`DialogInfo`] is one document, [`Dialogs`] what a sequence of them adds up to.

use super::{bounded, identifier};
use crate::sip::Replaces;
use crate::sorted_map::SortedMap;
use crate::xml::{self, Element, Writer, XmlError};

/// The event package.
pub const PACKAGE: &str = "dialog";
/// Its media type.
pub const MEDIA_TYPE: &str = "application/dialog-info+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:dialog-info";
/// Which device a dialog is on, in words; the standard has no place for it.
const DEVICE_NAMESPACE: &str = "urn:clearline:dialog-device";
/// Dialogs that are kept of one resource, and read of one document.
const MAX_DIALOGS: usize = 64;
/// Parameters of one target.
const MAX_PARAMS: usize = 8;

/// A document (section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogInfo {
    /// Rises by one with each document of a subscription.
    pub version: u32,
    /// It tells all dialogs, not only those that have changed.
    pub is_full: bool,
    /// The URI of whose dialogs it tells.
    pub entity: String,
    /// The dialogs.
    pub dialogs: Vec<Dialog>,
}

/// A dialog, or an attempt at one (section 4.1.1). "Local" is the side that was subscribed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialog {
    /// Names it in the documents of a subscription; says nothing otherwise.
    pub id: String,
    /// The identifiers of the dialog, as far as they are known and told.
    pub name: DialogName,
    /// Who sent the INVITE.
    pub direction: Option<Direction>,
    /// Where it stands.
    pub state: State,
    /// What brought it into this state.
    pub event: Option<StateEvent>,
    /// The status of the response that did.
    pub code: Option<u16>,
    /// How long it has existed, in seconds.
    pub duration: Option<u32>,
    /// The dialog that it has taken the place of.
    pub replaces: Option<DialogName>,
    /// On which of the local side's devices it is, in words.
    pub device: Option<String>,
    /// The side that was subscribed to.
    pub local: Participant,
    /// The far side.
    pub remote: Participant,
}

/// What names a dialog (RFC 3261 section 12); tags are from the view of the local side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialogName {
    /// Call-ID.
    pub call_id: Option<String>,
    /// Tag of the local side.
    pub local_tag: Option<String>,
    /// Tag of the far side; there is none before its first response.
    pub remote_tag: Option<String>,
}

/// A side of a dialog (section 4.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// Name to show; may be empty.
    pub display_name: String,
    /// Address of record.
    pub identity: Option<String>,
    /// Contact: the device.
    pub target: Option<String>,
    /// Features of the device, from its Contact.
    pub params: Vec<(String, String)>,
}

/// Who sent the INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The local side.
    Initiator,
    /// The far side.
    Recipient,
}

/// Where a dialog stands (section 3.7.1).
///
/// ```text
/// Trying --1xx without tag--> Proceeding --1xx with tag--> Early --2xx--> Confirmed
///    |                            |                          |                |
///    +----------------------------+------> Terminated <------+----------------+
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// INVITE is out.
    #[default]
    Trying,
    /// Somebody has heard of it.
    Proceeding,
    /// It rings.
    Early,
    /// Answered.
    Confirmed,
    /// Over.
    Terminated,
}

/// What ended a dialog or an attempt at one (section 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the RFC, which says no more")]
pub enum StateEvent {
    Cancelled,
    Rejected,
    Replaced,
    LocalBye,
    RemoteBye,
    Error,
    Timeout,
}

impl State {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Trying, "trying"),
        (Self::Proceeding, "proceeding"),
        (Self::Early, "early"),
        (Self::Confirmed, "confirmed"),
        (Self::Terminated, "terminated"),
    ];
}

impl StateEvent {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Cancelled, "cancelled"),
        (Self::Rejected, "rejected"),
        (Self::Replaced, "replaced"),
        (Self::LocalBye, "local-bye"),
        (Self::RemoteBye, "remote-bye"),
        (Self::Error, "error"),
        (Self::Timeout, "timeout"),
    ];
}

impl Direction {
    const NAMES: [(Self, &'static str); 2] = [(Self::Initiator, "initiator"), (Self::Recipient, "recipient")];
}

fn named<T: Copy>(names: &[(T, &'static str)], text: &str) -> Option<T> {
    names
        .iter()
        .find(|(_, name)| *name == text.trim())
        .map(|(it, _)| *it)
}

fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], it: T) -> Option<&'static str> {
    names
        .iter()
        .find(|(known, _)| *known == it)
        .map(|(_, name)| *name)
}

// --- reading -------------------------------------------------------------------------------------------------

impl DialogInfo {
    /// Reads a document. Dialogs beyond the bound, and those that cannot be used, are left out.
    ///
    /// # Errors
    /// It is not XML as [`xml`] reads it, or not of this type.
    pub fn read(document: &[u8]) -> Result<Self, XmlError> {
        xml::read(document, |root| {
            if !root.is(NAMESPACE, "dialog-info") {
                return Err(XmlError::Content);
            }
            let version = root
                .attribute("version")
                .and_then(|text| text.trim().parse().ok());
            let state = root.attribute("state").map(str::trim);
            let mut info = Self {
                version: version.ok_or(XmlError::Content)?,
                is_full: match state {
                    Some("full") => true,
                    Some("partial") => false,
                    Some(_) | None => return Err(XmlError::Content),
                },
                entity: bounded(root.attribute("entity").unwrap_or_default()),
                dialogs: Vec::new(),
            };
            while let Some(child) = root.child()? {
                if child.is(NAMESPACE, "dialog")
                    && info.dialogs.len() < MAX_DIALOGS
                    && let Some(dialog) = Dialog::read(child)?
                {
                    info.dialogs.push(dialog);
                }
            }
            Ok(info)
        })
    }
}

impl Dialog {
    fn read(mut element: Element<'_, '_>) -> Result<Option<Self>, XmlError> {
        let id = element.attribute("id").and_then(identifier);
        let mut dialog = Self {
            name: DialogName::read(&element),
            direction: element
                .attribute("direction")
                .and_then(|text| named(&Direction::NAMES, text)),
            ..Self::default()
        };
        let mut state = None;
        while let Some(child) = element.child()? {
            if child.is(DEVICE_NAMESPACE, "device") {
                dialog.device = Some(bounded(&child.text()?)).filter(|text| !text.is_empty());
                continue;
            }
            match child.name_in(NAMESPACE) {
                Some("state") => {
                    dialog.event = child
                        .attribute("event")
                        .and_then(|text| named(&StateEvent::NAMES, text));
                    dialog.code = child.attribute("code").and_then(|text| text.trim().parse().ok());
                    state = named(&State::NAMES, &child.text()?);
                }
                Some("duration") => dialog.duration = child.text()?.trim().parse().ok(),
                Some("replaces") => dialog.replaces = Some(DialogName::read(&child)),
                Some("local") => dialog.local = Participant::read(child)?,
                Some("remote") => dialog.remote = Participant::read(child)?,
                Some(_) | None => {}
            }
        }
        Ok(id.zip(state).map(|(id, state)| Self { id, state, ..dialog }))
    }

    /// The value of the Replaces header (RFC 3891 section 6.1) that asks the far side to give the dialog up; `None` as
    /// long as its identifiers are not known, or if they are none.
    pub fn replaces_value(&self) -> Option<String> {
        let DialogName {
            call_id: Some(call_id),
            local_tag: Some(local_tag),
            remote_tag: Some(remote_tag),
        } = &self.name
        else {
            return None;
        };
        let replaces = Replaces {
            call_id,
            to_tag: remote_tag,
            from_tag: local_tag,
            early_only: false,
        };
        let text = replaces.to_string();
        let says_the_same = Replaces::parse(&text) == Ok(replaces);
        says_the_same.then_some(text)
    }
}

impl DialogName {
    fn read(element: &Element<'_, '_>) -> Self {
        let value = |name| element.attribute(name).and_then(identifier);
        Self {
            call_id: value("call-id"),
            local_tag: value("local-tag"),
            remote_tag: value("remote-tag"),
        }
    }
}

impl Participant {
    fn read(mut element: Element<'_, '_>) -> Result<Self, XmlError> {
        let mut participant = Self::default();
        while let Some(mut child) = element.child()? {
            match child.name_in(NAMESPACE) {
                Some("identity") => {
                    participant.display_name = bounded(child.attribute("display").unwrap_or_default());
                    participant.identity = identifier(child.text()?.trim());
                }
                Some("target") => {
                    participant.target = child.attribute("uri").and_then(identifier);
                    participant.params.clear();
                    while let Some(param) = child.child()? {
                        let value = |name| param.attribute(name).and_then(identifier);
                        if let Some(pair) = value("pname").zip(value("pval"))
                            && param.is(NAMESPACE, "param")
                            && participant.params.len() < MAX_PARAMS
                        {
                            participant.params.push(pair);
                        }
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(participant)
    }

    /// The value of a feature of the device.
    pub fn param(&self, name: &str) -> Option<&str> {
        let mut params = self.params.iter();
        let found = params.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

// --- writing -------------------------------------------------------------------------------------------------

impl DialogInfo {
    /// The document as text.
    pub fn write(&self) -> String {
        let attributes = [
            ("xmlns", Some(NAMESPACE)),
            ("version", Some(&*self.version.to_string())),
            ("state", Some(if self.is_full { "full" } else { "partial" })),
            ("entity", Some(&*self.entity)),
        ];
        Writer::document("dialog-info", &attributes, |writer| {
            self.dialogs.iter().for_each(|dialog| dialog.write(writer));
        })
    }
}

impl Dialog {
    fn write(&self, writer: &mut Writer) {
        let direction = self.direction.and_then(|it| name_of(&Direction::NAMES, it));
        let [call_id, local_tag, remote_tag] = self.name.attributes();
        let attributes = [
            ("id", Some(&*self.id)),
            call_id,
            local_tag,
            remote_tag,
            ("direction", direction),
        ];
        writer.element("dialog", &attributes, |writer| {
            let event = self.event.and_then(|it| name_of(&StateEvent::NAMES, it));
            let code = self.code.map(|code| code.to_string());
            let attributes = [("event", event), ("code", code.as_deref())];
            let state = name_of(&State::NAMES, self.state).unwrap_or_default();
            writer.text_element("state", &attributes, state);
            if let Some(duration) = self.duration {
                writer.text_element("duration", &[], &duration.to_string());
            }
            if let Some(replaces) = &self.replaces {
                writer.element("replaces", &replaces.attributes(), |_| {});
            }
            self.local.write(writer, "local");
            self.remote.write(writer, "remote");
            if let Some(device) = &self.device {
                writer.text_element("device", &[("xmlns", Some(DEVICE_NAMESPACE))], device);
            }
        });
    }
}

impl DialogName {
    fn attributes(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("call-id", self.call_id.as_deref()),
            ("local-tag", self.local_tag.as_deref()),
            ("remote-tag", self.remote_tag.as_deref()),
        ]
    }
}

impl Participant {
    fn write(&self, writer: &mut Writer, name: &'static str) {
        if *self == Self::default() {
            return;
        }
        writer.element(name, &[], |writer| {
            let display = Some(&*self.display_name).filter(|name| !name.is_empty());
            if self.identity.is_some() || display.is_some() {
                let identity = self.identity.as_deref().unwrap_or_default();
                writer.text_element("identity", &[("display", display)], identity);
            }
            if self.target.is_some() || !self.params.is_empty() {
                writer.element("target", &[("uri", self.target.as_deref())], |writer| {
                    for (name, value) in &self.params {
                        let attributes = [("pname", Some(&**name)), ("pval", Some(&**value))];
                        writer.element("param", &attributes, |_| {});
                    }
                });
            }
        });
    }
}

// --- a sequence of documents ---------------------------------------------------------------------------------

/// The dialogs of one resource, as the documents of one subscription tell them (section 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialogs {
    version: Option<u32>,
    by_id: SortedMap<String, Dialog>,
}

/// What came of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was the next one, or told everything.
    InOrder,
    /// It was older than what is known: nothing has changed.
    Outdated,
    /// At least one before it is missing: the notifier has to be asked for everything.
    Gap,
}

impl Dialogs {
    /// Takes the next document up.
    pub fn take(&mut self, info: DialogInfo) -> Taken {
        let is_next = self.version.and_then(|version| version.checked_add(1)) == Some(info.version);
        if self.version.is_some_and(|known| info.version <= known) {
            return Taken::Outdated;
        }
        self.version = Some(info.version);
        if info.is_full {
            self.by_id.clear();
        }
        info.dialogs.into_iter().for_each(|dialog| self.update(dialog));
        if is_next || info.is_full {
            Taken::InOrder
        } else {
            Taken::Gap
        }
    }

    /// A new subscription counts anew. What was told before stays until it has told everything.
    pub fn starts_over(&mut self) {
        self.version = None;
    }

    /// The one of this id.
    pub fn get(&self, id: &str) -> Option<&Dialog> {
        self.by_id.get(id)
    }

    /// Those there are, by their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Dialog> {
        self.by_id.values()
    }

    fn update(&mut self, dialog: Dialog) {
        if dialog.state == State::Terminated {
            self.by_id.remove(&dialog.id);
        } else if self.by_id.len() < MAX_DIALOGS || self.by_id.contains_key(&dialog.id) {
            self.by_id.insert(dialog.id.clone(), dialog);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the manner of section 6, with a foreign element and prefixes.
    const FULL: &str = r#"<?xml version="1.0"?>
<d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" xmlns:x="urn:x" version="0" state="full"
               entity="sip:alice@example.com">
  <d:dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" remote-tag="456887766"
            direction="initiator" x:direction="recipient">
    <d:state event="rejected" code="486">confirmed</d:state>
    <d:duration>274</d:duration>
    <d:replaces call-id="old" local-tag="a" remote-tag="b"/>
    <x:state>terminated</x:state>
    <d:local>
      <d:identity display="Alice &amp; Co">sip:alice@example.com</d:identity>
      <d:target uri="sip:alice@pc33.example.com">
        <d:param pname="+sip.rendering" pval="no"/>
        <d:param pname="isfocus" pval="true"/>
      </d:target>
    </d:local>
    <d:remote>
      <d:identity>sip:bob@example.org</d:identity>
      <d:target uri="sip:bobster@phone21.example.org"/>
    </d:remote>
  </d:dialog>
</d:dialog-info>"#;

    fn info(version: u32, is_full: bool, dialogs: &[(&str, State)]) -> DialogInfo {
        DialogInfo {
            version,
            is_full,
            entity: "sip:alice@example.com".to_owned(),
            dialogs: dialogs.iter().map(|(id, state)| dialog(id, *state)).collect(),
        }
    }

    fn dialog(id: &str, state: State) -> Dialog {
        Dialog {
            id: id.to_owned(),
            state,
            ..Dialog::default()
        }
    }

    fn ids(dialogs: &Dialogs) -> Vec<&str> {
        dialogs.iter().map(|dialog| dialog.id.as_str()).collect()
    }

    #[test]
    fn a_document_is_read_with_all_it_says() {
        let info = DialogInfo::read(FULL.as_bytes()).unwrap();
        assert!(info.is_full && info.version == 0);
        assert_eq!(info.entity, "sip:alice@example.com");
        let [dialog] = info.dialogs.as_slice() else {
            panic!("one dialog: {info:?}")
        };
        assert_eq!(dialog.state, State::Confirmed);
        assert_eq!(dialog.direction, Some(Direction::Initiator));
        assert_eq!(
            (dialog.event, dialog.code, dialog.duration),
            (Some(StateEvent::Rejected), Some(486), Some(274))
        );
        assert_eq!(dialog.local.display_name, "Alice & Co");
        assert_eq!(dialog.local.param("+SIP.rendering"), Some("no"));
        assert_eq!(
            dialog.remote.target.as_deref(),
            Some("sip:bobster@phone21.example.org")
        );
        assert_eq!(
            dialog.replaces_value().as_deref(),
            Some("a84b4c76e66710;to-tag=456887766;from-tag=1928301774")
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut info = DialogInfo::read(FULL.as_bytes()).unwrap();
        info.dialogs[0].device = Some("Clearline <\"Büro\">".to_owned());
        info.dialogs.push(dialog("2", State::Early));
        assert_eq!(DialogInfo::read(info.write().as_bytes()), Ok(info));
    }

    #[test]
    fn documents_of_another_kind_are_refused() {
        for document in [
            "<dialog-info/>",
            "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info'/>",
            "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='-1' state='full'/>",
            "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='1' state='odd'/>",
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' version='1' state='full'/>",
        ] {
            assert_eq!(
                DialogInfo::read(document.as_bytes()),
                Err(XmlError::Content),
                "{document}"
            );
        }
    }

    #[test]
    fn dialogs_that_cannot_be_used_are_left_out() {
        let long = "x".repeat(5_000);
        let document = format!(
            "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='1' state='full'>\
             <dialog><state>early</state></dialog><dialog id='1'/><dialog id='2'><state>odd</state></dialog>\
             <dialog id='{long}'><state>early</state></dialog>\
             <dialog id='3' call-id='{long}'><state> early\n</state></dialog></dialog-info>"
        );
        let info = DialogInfo::read(document.as_bytes()).unwrap();
        assert_eq!(info.dialogs, [dialog("3", State::Early)]);
    }

    /// Section 4.3.
    #[test]
    fn versions_decide_what_is_taken() {
        let mut dialogs = Dialogs::default();
        let full = info(4, true, &[("1", State::Early), ("2", State::Confirmed)]);
        assert_eq!(dialogs.take(full.clone()), Taken::InOrder);
        assert_eq!(
            dialogs.take(info(5, false, &[("1", State::Terminated), ("3", State::Trying)])),
            Taken::InOrder
        );
        assert_eq!(ids(&dialogs), ["2", "3"]);
        assert_eq!(dialogs.take(full), Taken::Outdated);
        assert_eq!(ids(&dialogs), ["2", "3"]);
        assert_eq!(dialogs.take(info(7, false, &[("4", State::Trying)])), Taken::Gap);
        assert_eq!(ids(&dialogs), ["2", "3", "4"]);
        assert_eq!(dialogs.take(info(9, true, &[])), Taken::InOrder);
        assert_eq!(ids(&dialogs), [""; 0]);
        dialogs.starts_over();
        assert_eq!(dialogs.take(info(0, false, &[])), Taken::Gap);
    }

    #[test]
    fn a_notifier_cannot_fill_the_memory() {
        let mut dialogs = Dialogs::default();
        for version in 0..10 {
            let names: Vec<_> = (0..50).map(|at| format!("{version}-{at}")).collect();
            let new: Vec<_> = names.iter().map(|name| (name.as_str(), State::Early)).collect();
            dialogs.take(info(version, false, &new));
        }
        assert_eq!(dialogs.iter().count(), MAX_DIALOGS);
    }
}
