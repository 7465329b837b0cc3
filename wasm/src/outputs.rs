//! Hands one output of the core to the host.

use clearline_core::{CallInfo, Event, Output, TransferState};
use serde::Serialize;
use wasm_bindgen::JsValue;

use crate::host::Host;

/// Delivers everything but [`Output::Idle`], which ends a drain and is the agent's own business.
pub(crate) fn deliver(host: &Host, output: Output) -> Result<(), JsValue> {
    match output {
        Output::Connect { connection, url } => host.connect(&connection.to_string(), &url),
        // RFC 7118 section 5: text frames for what is UTF-8, and all our own messages are, unless a body is not.
        Output::Transmit { connection, message } => match String::from_utf8(message) {
            Ok(text) => host.transmit_text(&connection.to_string(), &text),
            Err(not_text) => host.transmit_binary(&connection.to_string(), not_text.into_bytes()),
        },
        Output::Disconnect { connection } => host.disconnect(&connection.to_string()),
        Output::Media {
            request,
            call,
            session,
            action,
        } => host.media(
            &request.to_string(),
            &call.to_string(),
            &session.to_string(),
            &json(&action)?,
        ),
        Output::Event(event) => tell(host, &event),
        Output::Idle(_) => Ok(()),
    }
}

fn tell(host: &Host, event: &Event) -> Result<(), JsValue> {
    match event {
        Event::Connection(state) => host.connection(&json(state)?),
        Event::Registration(state) => host.registration(&json(state)?),
        Event::Call(info) => {
            let succeeds = info.succeeds.map(|call| call.to_string());
            host.call(&info.id.to_string(), &json(info)?, consulted(info), succeeds)
        }
        Event::DtmfReceived { call, tone } => host.dtmf(&call.to_string(), tone.encode_utf8(&mut [0; 4])),
        // No event package has a meaning to the page yet.
        Event::Subscription { .. } | Event::Notification(_) => Ok(()),
        Event::OperationDone { operation, result } => {
            let error = result.as_ref().err().map(json).transpose()?;
            host.operation_done(&operation.to_string(), error)
        }
        // The call has it, too.
        Event::TransferRequested { .. } => Ok(()),
        Event::RemoteCalls(calls) => host.remote_calls(&json(calls)?),
        Event::OwnDevices(devices) => host.own_devices(&json(devices)?),
        Event::TokenWanted { need, .. } => host.token_wanted(&json(need)?),
        Event::Stopped => host.stopped(),
        Event::Dropped {
            connection,
            why,
            unreported,
        } => host.dropped(&connection.to_string(), why, *unreported),
    }
}

/// The call in which somebody is asked about this one, as text: in JSON it would lose digits.
fn consulted(info: &CallInfo) -> Option<String> {
    match info.transfer {
        Some(TransferState::Consulting { with }) => Some(with.to_string()),
        _ => None,
    }
}

/// JSON text: events are rare, and `JSON.parse` of a short text is cheaper than building an object across the edge.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|_| JsValue::from_str("what happened cannot be written as JSON"))
}
