//! SIPp as a far end that follows a script: a file of `sipp/`, behind Kamailio's UDP port.
//!
//! What all scripts would repeat is written as a placeholder and filled in before SIPp sees it:
//!
//! | placeholder | becomes |
//! |---|---|
//! | `{{response}}` | the headers a response copies from its request, with the far end's tag in To |
//! | `{{answer}}` | those without a new tag: the request was inside the dialog |
//! | `{{within}}` | the headers of the far end's own request inside the dialog; needs `{{remember}}` in the INVITE's `recv` |
//! | `{{remember}}` | an action that keeps the caller's From and To |
//! | `{{keep}}`, `{{kept}}` | the same as `{{answer}}` for a request that was not the last one; `{{kept first}}` is that of `{{response}}` |
//! | `{{contact}}` | the far end's Contact |
//! | `{{sdp sendonly v2 b}}` | a description and its headers: direction, version (default `v1`), far end (default `a`) |

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::kamailio::{FAR_END_PORT, Kamailio, UDP_PORT};
use crate::program::{Folder, Program};
use crate::{eventually, files};

/// A running SIPp with one call to make or take.
#[derive(Debug)]
pub struct FarEnd {
    scenario: String,
    program: Program,
    folder: Folder,
}

impl FarEnd {
    /// Starts the far end of `kamailio` with `sipp/SCENARIO.xml` and waits until it listens. Calls to `far` reach it; a
    /// scenario that calls calls alice.
    pub async fn start(kamailio: &Kamailio, scenario: &str) -> Self {
        let folder = Folder::new();
        let text = fs::read_to_string(files("sipp").join(format!("{scenario}.xml"))).unwrap();
        let script = folder.write("scenario.xml", &filled_in(&text));
        let here = kamailio.address();
        let program = Program::start("sipp", folder.path(), |command| {
            command.arg(format!("{here}:{UDP_PORT}")).arg("-sf").arg(script);
            command.args([
                "-i",
                &here.to_string(),
                "-p",
                &FAR_END_PORT.to_string(),
                "-t",
                "u1",
            ]);
            command.args(["-m", "1", "-nostdin", "-timeout", "80s", "-timeout_error"]);
            command
                .arg("-trace_msg")
                .arg("-message_file")
                .arg(folder.path().join("messages"));
            // SIPp takes white space at the beginning and the end of lines away.
            command.args(["-key", "fold", " ", "-key", "tab", "\t", "-key", "none", ""]);
            command
                .arg("-trace_err")
                .arg("-error_file")
                .arg(folder.path().join("errors"));
        });
        let mut far_end = Self {
            scenario: scenario.to_owned(),
            program,
            folder,
        };
        let there = SocketAddr::from((here, FAR_END_PORT));
        eventually(10, "SIPp listens", || far_end.has_failed() || listens(there)).await;
        far_end
    }

    /// Waits until the script has run to its end as written.
    pub async fn finished(mut self) {
        let scenario = self.scenario.clone();
        let what = format!("the far end is through with {scenario}");
        let mut end = None;
        let over = || {
            end = self.program.ended();
            end.is_some()
        };
        eventually(85, &what, over).await;
        let is_well = end.is_some_and(|status| status.success());
        assert!(is_well, "the far end of {scenario} failed:\n{}", self.report());
    }

    fn has_failed(&mut self) -> bool {
        let has_failed = self.program.ended().is_some_and(|status| !status.success());
        assert!(!has_failed, "SIPp ended:\n{}", self.report());
        false
    }

    /// What it found wrong, and its messages.
    fn report(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}\n{}", read("errors"), read("messages"))
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- sipp: {} ---\n{}", self.scenario, self.report());
        }
    }
}

/// Whether somebody has bound that UDP port. Binding it to find out would take it away.
fn listens(at: SocketAddr) -> bool {
    let SocketAddr::V4(at) = at else { return false };
    let address = u32::from_le_bytes(Ipv4Addr::octets(at.ip()));
    let wanted = format!("{address:08X}:{:04X}", at.port());
    fs::read_to_string(PathBuf::from("/proc/net/udp"))
        .unwrap()
        .lines()
        .any(|line| line.split_whitespace().nth(1) == Some(&wanted))
}

const RESPONSE: &str = "\
[last_Via:]
[last_From:]
[last_To:];tag=far[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]";

const ANSWER: &str = "\
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]";

const WITHIN: &str = "\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
[routes]
From: [$callee];tag=far[call_number]
To: [$caller]
Call-ID: [call_id]";

const REMEMBER: &str = r#"<action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="callee"/>
    </action>"#;

const KEEP: &str = r#"<action>
      <ereg regexp=".*" search_in="hdr" header="Via:" assign_to="first"/>
      <ereg regexp=".*" search_in="hdr" header="Via:" occurrence="2" assign_to="second"/>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="from"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
      <ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="sequence"/>
      <ereg regexp=".*" search_in="hdr" header="Record-Route:" assign_to="near"/>
      <ereg regexp=".*" search_in="hdr" header="Record-Route:" occurrence="2" assign_to="far"/>
    </action>"#;

const KEPT: &str = "\
Via: [$first]
Via: [$second]
From: [$from]
To: [$to]
Call-ID: [call_id]
CSeq: [$sequence]";

const KEPT_FIRST: &str = "\
Via: [$first]
Via: [$second]
From: [$from]
To: [$to];tag=far[call_number]
Call-ID: [call_id]
CSeq: [$sequence]
Record-Route: [$near]
Record-Route: [$far]";

/// SIPp takes a variable that is never used for a mistake.
const KEPT_IN: &str = r#"<Reference variables="first,second,from,to,sequence,near,far"/>
</scenario>"#;

fn filled_in(text: &str) -> String {
    let text = match text.contains("{{keep}}") {
        true => text.replace("</scenario>", KEPT_IN),
        false => text.to_owned(),
    };
    let mut parts = text.split("{{");
    let mut output = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (placeholder, rest) = part.split_once("}}").expect("a closed placeholder");
        let mut words = placeholder.split(' ');
        match words.next() {
            Some("response") => output.push_str(RESPONSE),
            Some("answer") => output.push_str(ANSWER),
            Some("within") => output.push_str(WITHIN),
            Some("remember") => output.push_str(REMEMBER),
            Some("keep") => output.push_str(KEEP),
            Some("kept") => output.push_str(words.next().map_or(KEPT, |_| KEPT_FIRST)),
            Some("contact") => output.push_str("Contact: <sip:far@[local_ip]:[local_port]>"),
            Some("sdp") => output.push_str(&description(words)),
            other => panic!("what is {other:?}?"),
        }
        output.push_str(rest);
    }
    output
}

fn description<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let (mut direction, mut version, mut far_end) = ("sendrecv", "1", "a");
    for word in words {
        match word.strip_prefix('v') {
            Some(number) => version = number,
            None if word.len() == 1 => far_end = word,
            None => direction = word,
        }
    }
    let fingerprint = ["FA"; 32].join(":");
    format!(
        "Content-Type: application/sdp\n\
         Content-Length: [len]\n\
         \n\
         v=0\n\
         o=far 7{version} {version} IN IP4 [local_ip]\n\
         s=-\n\
         c=IN IP4 [local_ip]\n\
         t=0 0\n\
         m=audio 40000 UDP/TLS/RTP/SAVPF 0 101\n\
         a=rtpmap:0 PCMU/8000\n\
         a=rtpmap:101 telephone-event/8000\n\
         a=ice-ufrag:far{far_end}\n\
         a=ice-pwd:0123456789abcdef01234567\n\
         a=fingerprint:sha-256 {fingerprint}\n\
         a=setup:actpass\n\
         a=mid:0\n\
         a=rtcp-mux\n\
         a={direction}"
    )
}
