//! What the program prints: sentences for people, or one JSON object per line.

use std::io::Write as _;

use clearline_core::{CallEnd, CallInfo, EndCause, TransferState};
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

fn media(figures: MediaStatistics) -> Value {
    // Silence has no finite level, and JSON no infinity: it is null.
    json!({
        "format": figures.format,
        "packetsSent": figures.packets_sent,
        "packetsReceived": figures.received.received,
        "packetsLost": figures.received.lost,
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
        _ => "ended",
    }
}

/// A reader that has gone away (`| head`) is no reason to stop a call.
fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
