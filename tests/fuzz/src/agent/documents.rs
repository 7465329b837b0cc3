//! The documents that a platform tells a subscriber, one after the other: fitting, out of order, and of another kind.

/// Own telephones, colleagues and strangers in dialogs (RFC 4235).
const DIALOGS: &[&str] = &[
    "",
    r#"<dialog id="a" call-id="c1" local-tag="1" remote-tag="2" direction="initiator"><state>confirmed</state>
       <duration>7</duration><local><identity>sip:alice@example.com</identity><target uri="sip:desk@192.0.2.7">
       <param pname="+sip.instance" pval="&lt;urn:uuid:2&gt;"/></target></local>
       <remote><identity display="Bob">sip:bob@example.com</identity><target uri="sip:bob@192.0.2.8"/></remote></dialog>"#,
    r#"<dialog id="a"><state event="remote-bye" code="200">terminated</state></dialog>"#,
    r#"<dialog id="b" call-id="c2" local-tag="3" direction="recipient"><state>early</state>
       <remote><identity>tel:+49891</identity></remote></dialog>"#,
    r#"<dialog id="c" call-id="c3" local-tag="5" remote-tag="6"><state>confirmed</state>
       <local><identity>sip:anonymous@anonymous.invalid</identity></local>
       <remote><target uri="sip:carol@192.0.2.9"/></remote></dialog>"#,
    r#"<dialog id="d" call-id="c;4" local-tag="," remote-tag="&#10;"><state>confirmed</state>
       <remote><target uri="sip:x@example.com?Route=%3Csip:y%3E"/></remote></dialog>"#,
    r#"<dialog id=""><state>odd</state></dialog><dialog id="e"><state>trying</state></dialog>"#,
];

/// Who is in a conference (RFC 4575).
const USERS: &[&str] = &[
    "",
    r#"<user entity="sip:alice@example.com"><roles><entry>moderator</entry></roles>
       <endpoint entity="sip:alice@alice.invalid"><status>connected</status></endpoint></user>
       <user entity="sip:bob@example.com"><display-text>Bob &lt;b&gt;</display-text>
       <endpoint entity="sip:bob@192.0.2.8"><status>connected</status></endpoint></user>"#,
    r#"<user entity="sip:carol@example.com" state="partial"><endpoint entity="sip:carol@192.0.2.9" state="partial">
       <status>alerting</status></endpoint></user>"#,
    r#"<user entity="sip:bob@example.com" state="deleted"/>"#,
    r#"<user entity="sip:bob@example.com"><endpoint entity="x"><status>on-hold</status></endpoint>
       <endpoint entity="y"><status>disconnecting</status></endpoint></user>"#,
    r#"<user entity="sip:%00@example.com;method=BYE"><endpoint entity="z"/></user><user/>"#,
];

/// What a document is: chosen by a number, told as the `version`th of its subscription. Media type and text.
pub(super) fn document(form: u8, version: u32) -> (&'static str, String) {
    let state = if form & 8 == 0 { "partial" } else { "full" };
    let content = usize::from(form >> 4);
    match form % 8 {
        0..=2 => (
            "application/dialog-info+xml",
            format!(
                r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="{state}"
                   entity="sip:alice@example.com">{}</dialog-info>"#,
                DIALOGS[content % DIALOGS.len()]
            ),
        ),
        3..=5 => (
            "application/conference-info+xml",
            format!(
                r#"<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" version="{version}" state="{state}"
                   entity="sip:conference-1@example.com"><conference-state><user-count>{content}</user-count>
                   </conference-state><users state="{state}">{}</users></conference-info>"#,
                USERS[content % USERS.len()]
            ),
        ),
        6 => (
            "application/simple-message-summary",
            format!("Messages-Waiting: yes\r\nVoice-Message: {version}/0\r\n"),
        ),
        _ => ("application/xml", "<a".repeat(content)),
    }
}
