//! Documents of event packages, and what sequences of them add up to.
//!
//! A zero byte, which no document may hold, separates one from the next.

use clearline_core::conference_info::{Conference, ConferenceInfo};
use clearline_core::dialog_info::{DialogInfo, Dialogs, Taken};
use clearline_core::xml::{self, Element, XmlError};

pub(crate) fn run(data: &[u8]) {
    let (mut dialogs, mut conference) = (Dialogs::default(), Conference::default());
    for document in data.split(|byte| *byte == 0).take(16) {
        walk(document);
        if let Ok(info) = DialogInfo::read(document) {
            let written = DialogInfo::read(info.write().as_bytes());
            assert_eq!(written.as_ref(), Ok(&info), "what was written reads the same");
            add_dialogs(&mut dialogs, info);
        }
        if let Ok(info) = ConferenceInfo::read(document) {
            let written = ConferenceInfo::read(info.write().as_bytes());
            assert_eq!(written.as_ref(), Ok(&info), "what was written reads the same");
            add_conference(&mut conference, info);
        }
    }
}

fn add_dialogs(dialogs: &mut Dialogs, info: DialogInfo) {
    let before = dialogs.clone();
    if dialogs.take(info.clone()) == Taken::Outdated {
        assert_eq!(*dialogs, before);
    }
    assert!(dialogs.iter().count() <= 64);
    for dialog in dialogs.iter() {
        let _ = (dialog.replaces_value(), dialog.local.param("+sip.instance"));
    }
    assert_eq!(
        dialogs.take(info),
        Taken::Outdated,
        "a repetition changes nothing"
    );
}

fn add_conference(conference: &mut Conference, info: ConferenceInfo) {
    let before = conference.clone();
    let is_numbered = info.version.is_some();
    if conference.take(info.clone()) != Taken::InOrder {
        assert_eq!(*conference, before);
    } else if is_numbered {
        assert_eq!(
            conference.take(info),
            Taken::Outdated,
            "a repetition changes nothing"
        );
    }
    assert!(conference.users.len() <= 256);
    for user in &conference.users {
        assert!(user.endpoints.len() <= 8 && user.endpoints.iter().all(|it| it.media.len() <= 8));
    }
}

/// Reads everything there is; then nothing, which must come to the same verdict.
fn walk(document: &[u8]) {
    let mut elements = 0;
    let all = xml::read(document, |root| visit(root, 1, &mut elements));
    let verdict = xml::read(document, |root| {
        let _ = root.name_in("");
        Ok(())
    });
    assert!(elements <= document.len());
    // Only who asks for an element finds its prefix unbound, and for a text its references unknown.
    match all {
        Ok(()) => assert_eq!(verdict, Ok(())),
        Err(XmlError::Prefix | XmlError::Reference | XmlError::Syntax) => {}
        Err(error) => assert_eq!(verdict, Err(error)),
    }
}

fn visit(element: &mut Element<'_, '_>, depth: usize, elements: &mut usize) -> Result<(), XmlError> {
    *elements += 1;
    assert!(depth <= 32);
    while let Some(mut child) = element.child()? {
        let _ = (child.attribute("id").is_some(), child.is("u", "x"));
        if elements.is_multiple_of(3) {
            *elements += 1;
            let text = child.text()?;
            assert!(!text.contains(['\0', '\u{ffff}']));
        } else {
            visit(&mut child, depth + 1, elements)?;
        }
    }
    assert!(element.child()?.is_none(), "an element ends once and for all");
    Ok(())
}
