//! Everything an application can tell an agent, as values: what a log of a session can hold.

use serde::{Deserialize, Serialize};

use super::UserAgent;
use crate::call::{CallOptions, RejectReason};
use crate::config::Token;
use crate::error::CommandError;
use crate::id::{CallId, OperationId, RemoteCallId, SubscriptionId};
use crate::secret::Secret;
use crate::time::Instant;

/// A command; each stands for the method of [`UserAgent`] or [`CallHandle`](crate::CallHandle) of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the methods of these names have the documentation")]
pub enum Command {
    Start,
    Stop,
    Call {
        id: CallId,
        target: String,
        options: CallOptions,
    },
    Answer(CallId),
    HoldAndAnswer(CallId),
    EndAndAnswer(CallId),
    Reject(CallId, RejectReason),
    HangUp(CallId),
    Hold(CallId),
    Resume(CallId),
    SetMuted(CallId, bool),
    SendDtmf(CallId, String),
    MoveMedia(CallId),
    SwapTo(CallId),
    Consult {
        of: CallId,
        id: CallId,
        target: String,
        options: CallOptions,
    },
    Transfer(CallId, String),
    TransferTo(CallId, CallId),
    Push(CallId),
    AskForDevices,
    CancelTransfer(CallId),
    AcceptTransfer(CallId),
    DeclineTransfer(CallId),
    Merge(CallId, CallId),
    Split(CallId),
    LeaveConference,
    AddParticipant(CallId, String),
    RemoveParticipant(CallId, String),
    SetPassword(#[serde(skip)] Secret),
    SetToken(Token),
    Subscribe {
        target: String,
        package: String,
        accept: Vec<String>,
    },
    Unsubscribe(SubscriptionId),
    Pull {
        id: CallId,
        remote: RemoteCallId,
    },
}

impl UserAgent {
    /// Does what `command` says. Those that take time and were accepted give an operation.
    ///
    /// # Errors
    /// Those of the method of the command's name.
    pub fn apply(&mut self, now: Instant, command: Command) -> Result<Option<OperationId>, CommandError> {
        match command {
            Command::Start => self.start(now),
            Command::Stop => self.stop(now),
            Command::SetPassword(password) => self.set_password(now, password),
            Command::SetToken(token) => self.set_token(now, token),
            Command::Subscribe {
                target,
                package,
                accept,
            } => {
                let accept: Vec<&str> = accept.iter().map(String::as_str).collect();
                // Its id comes with its events.
                self.subscribe(now, &target, &package, &accept)?;
            }
            Command::AskForDevices => self.ask_for_devices(now)?,
            Command::Unsubscribe(id) => self.unsubscribe(now, id)?,
            Command::Pull { id, remote } => self.pull(now, id, remote)?,
            Command::Call { id, target, options } => self.call(now, id, &target, options)?,
            Command::HoldAndAnswer(call) => return self.hold_and_answer(now, call).map(Some),
            Command::EndAndAnswer(call) => return self.end_and_answer(now, call).map(Some),
            Command::Answer(call) => return self.call_handle(now, call)?.answer().map(Some),
            Command::Reject(call, reason) => return self.call_handle(now, call)?.reject(reason).map(Some),
            Command::HangUp(call) => return self.call_handle(now, call)?.hang_up().map(Some),
            Command::Hold(call) => return self.call_handle(now, call)?.hold().map(Some),
            Command::Resume(call) => return self.call_handle(now, call)?.resume().map(Some),
            Command::SetMuted(call, muted) => return self.call_handle(now, call)?.set_muted(muted).map(Some),
            Command::SendDtmf(call, tones) => {
                return self.call_handle(now, call)?.send_dtmf(&tones).map(Some);
            }
            Command::Merge(one, other) => return self.merge(now, one, other).map(Some),
            Command::Split(with) => return self.split(now, with).map(Some),
            Command::LeaveConference => return self.leave_conference(now).map(Some),
            Command::AddParticipant(conference, target) => {
                return self.add_participant(now, conference, &target).map(Some);
            }
            Command::RemoveParticipant(conference, uri) => {
                return self.remove_participant(now, conference, &uri).map(Some);
            }
            Command::MoveMedia(call) => return self.call_handle(now, call)?.move_media().map(Some),
            Command::SwapTo(call) => return self.swap_to(now, call).map(Some),
            Command::Consult {
                of,
                id,
                target,
                options,
            } => return self.consult(now, of, id, &target, options).map(Some),
            Command::Transfer(call, target) => {
                return self.call_handle(now, call)?.transfer(&target).map(Some);
            }
            Command::TransferTo(call, other) => {
                return self.call_handle(now, call)?.transfer_to(other).map(Some);
            }
            Command::Push(call) => return self.call_handle(now, call)?.push().map(Some),
            Command::AcceptTransfer(call) => return self.call_handle(now, call)?.accept_transfer().map(Some),
            Command::DeclineTransfer(call) => {
                return self.call_handle(now, call)?.decline_transfer().map(Some);
            }
            Command::CancelTransfer(call) => return self.call_handle(now, call)?.cancel_transfer().map(Some),
        }
        Ok(None)
    }
}
