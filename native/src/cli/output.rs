//! What the program prints: sentences for people, or one JSON object per line.

use std::io::Write as _;

use clearline_core::media::ReceptionReport;
use clearline_core::{
    CallEnd, CallId, CallInfo, EndCause, Identity, OwnDevice, Participant, ParticipantState, RemoteCall,
    TransferRequest, TransferState,
};
use clearline_native::media::MediaStatistics;
use serde_json::{Value, json};

use super::exit::{Exit, Failure};

/// Prints events in the form asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Something happened: as a sentence, or as an object with the member `event`.
    pub(crate) fn event(&self, name: &str, sentence: &str, details: Value) {
        if !self.json {
            return print_line(sentence);
        }
        let mut object = json!({ "event": name });
        if let (Some(object), Value::Object(details)) = (object.as_object_mut(), details) {
            object.extend(details);
        }
        print_line(&object.to_string());
    }

    /// The call changed. People are told of the steps only.
    pub(crate) fn call(&self, info: &CallInfo, sentence: Option<String>) {
        if self.json {
            let mut details = serde_json::to_value(info).unwrap_or_default();
            // As text: the number is larger than what many readers of JSON can hold.
            details["id"] = json!(info.id.to_string());
            if let Some(call) = info.succeeds {
                details["succeeds"] = json!(call.to_string());
            }
            if let Some(TransferState::Consulting { with }) = info.transfer {
                details["transfer"]["with"] = json!(with.to_string());
            }
            self.event("call", "", json!({ "call": details }));
        } else if let Some(sentence) = sentence {
            print_line(&sentence);
        }
    }

    /// The far end wants this side to call somebody else, and the user has to say whether.
    pub(crate) fn transfer_requested(&self, call: CallId, request: &TransferRequest) {
        let name = |identity: &Identity| match identity.display_name.as_str() {
            "" => identity.uri.clone(),
            name => name.to_owned(),
        };
        let (by, target) = (name(&request.referred_by), name(&request.target));
        let sentence = format!("{by} wants to connect you with {target}: `accept` or `stay`");
        let details = json!({ "call": call.to_string(), "request": request });
        self.event("transfer-requested", &sentence, details);
    }

    /// What the account's other devices are doing.
    pub(crate) fn remote_calls(&self, calls: &[RemoteCall]) {
        let pulled = calls.iter().filter(|call| call.can_be_pulled);
        let parties: Vec<_> = pulled.map(|call| call.remote.uri.as_str()).collect();
        let sentence = match parties.is_empty() {
            true => "no call on your other devices can be taken over".to_owned(),
            false => format!("on your other devices: {} (`take`)", parties.join(", ")),
        };
        let details: Vec<_> = calls.iter().map(remote_call).collect();
        self.event("remote-calls", &sentence, json!({ "calls": details }));
    }

    /// The account's other devices to which a call can be sent.
    pub(crate) fn own_devices(&self, devices: &[OwnDevice]) {
        let names: Vec<_> = devices
            .iter()
            .map(|it| it.name.as_ref().unwrap_or(&it.address).as_str())
            .collect();
        let sentence = match names.is_empty() {
            true => "you have no other device".to_owned(),
            false => format!("your other devices: {} (`move NAME`)", names.join(", ")),
        };
        self.event("devices", &sentence, json!({ "devices": devices }));
    }

    /// Who is in a conference of the platform.
    pub(crate) fn participants(&self, participants: &[Participant]) {
        let all: Vec<_> = participants.iter().map(participant).collect();
        let sentence = format!("in the conference: {}", all.join(", "));
        self.event("participants", &sentence, json!({ "participants": participants }));
    }

    /// The call is over.
    pub(crate) fn end(&self, info: &CallInfo, end: &CallEnd, exit: Exit, figures: Option<MediaStatistics>) {
        let seconds = info
            .answered_at
            .map_or(0.0, |answered| (end.at - answered).as_secs_f64());
        let mut sentence = format!("call ended: {}", cause(end.cause));
        if let Some(status) = end.sip_status.filter(|_| info.answered_at.is_none()) {
            sentence += &format!(" ({status} {})", end.text);
        }
        if info.answered_at.is_some() {
            sentence += &format!(", {seconds:.1} s");
        }
        let details = json!({
            "id": info.id.to_string(),
            "cause": end.cause,
            "sipStatus": end.sip_status,
            "text": end.text,
            "seconds": seconds,
            "media": figures.map(media),
            "exitCode": exit.code(),
        });
        self.event("end", &sentence, details);
    }

    /// The program cannot go on. People read it on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let details = json!({ "message": failure.message, "exitCode": failure.exit.code() });
            return self.event("error", "", details);
        }
        let _ = writeln!(std::io::stderr(), "clearline: {}", failure.message);
    }
}

/// What the far end says of what was sent to it.
fn far_end(report: ReceptionReport) -> Value {
    json!({
        "packetsLost": report.lost,
        "roundTripMs": report.round_trip.map(|it| it.as_secs_f64() * 1_000.0),
    })
}

fn media(figures: MediaStatistics) -> Value {
    // Silence has no finite level, and JSON no infinity: it is null.
    json!({
        "format": figures.format,
        "packetsSent": figures.packets_sent,
        "packetsReceived": figures.received.received,
        "packetsLost": figures.received.lost,
        "farEnd": figures.reported.map(far_end),
        "levelSent": figures.level_sent,
        "levelReceived": figures.level_received,
        "setupMs": figures.setup_ms,
    })
}

fn cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::LocalHangUp => "hung up here",
        EndCause::RemoteHangUp => "the far end hung up",
        EndCause::Cancelled => "given up before an answer",
        EndCause::Missed => "the caller gave up",
        EndCause::Declined => "declined here",
        EndCause::Rejected => "declined",
        EndCause::Busy => "busy",
        EndCause::NoAnswer => "no answer",
        EndCause::AnsweredElsewhere => "answered on another device",
        EndCause::DeclinedElsewhere => "declined on another device",
        EndCause::NotFound => "no such number",
        EndCause::Unavailable => "not reachable now",
        EndCause::Forbidden => "not allowed",
        EndCause::NotAcceptable => "no common audio format",
        EndCause::MediaFailed => "no audio: see `clearline devices`, or use --play and --record",
        EndCause::NetworkFailed => "the connection was lost",
        EndCause::ServerFailed => "the platform failed",
        EndCause::Transferred => "transferred",
        EndCause::MovedToConference => "moved into the conference",
        EndCause::AloneInConference => "everybody else has left the conference",
        EndCause::RemovedFromConference => "removed from the conference",
        _ => "ended",
    }
}

fn participant(participant: &Participant) -> String {
    let Participant {
        identity,
        is_self,
        state,
        ..
    } = participant;
    let name = [&identity.display_name, &identity.user, &identity.uri];
    let name = name.into_iter().find(|text| !text.is_empty());
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the core's list of states may grow"
    )]
    let state = match state {
        ParticipantState::Connected if *is_self => " (you)",
        ParticipantState::Joining => " (joining)",
        ParticipantState::Ringing => " (ringing)",
        ParticipantState::OnHold => " (on hold)",
        ParticipantState::Muted => " (muted)",
        ParticipantState::Leaving => " (leaving)",
        _ => "",
    };
    format!("{}{state}", name.map_or("", |name| name))
}

fn remote_call(call: &RemoteCall) -> Value {
    let mut details = serde_json::to_value(call).unwrap_or_default();
    // As text: the number is larger than what many readers of JSON can hold.
    details["id"] = json!(call.id.to_string());
    details
}

/// A reader that has gone away (`| head`) is no reason to stop a call.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", harmless(line));
}

/// Names and reasons come from the network, and a terminal obeys what is written to it: control characters are replaced.
fn harmless(line: &str) -> String {
    let shown = |character: char| match character {
        '\n' => '\n',
        _ if character.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    line.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn a_name_does_not_command_the_terminal() {
        let name = "Eve \u{1b}[2J\u{9b}31m\r\u{7} \u{fc}";
        assert_eq!(
            harmless(name),
            "Eve \u{fffd}[2J\u{fffd}31m\u{fffd}\u{fffd} \u{fc}"
        );
    }
}
