//! The commands of a user, by number.

use clearline_core::{
    CallId, CallOptions, Command, Instant, RejectReason, RemoteCallId, Secret, SubscriptionId, Token,
    UserAgent,
};

const TARGETS: &[&str] = &[
    "bob",
    "sip:carol@example.org;transport=ws",
    "+49 89 1",
    "100,,42#",
    "tel:101",
    "",
    "a\r\nb: c",
];
const TONES: &[&str] = &["1", "12*#", "A,,;D", "x", ""];
const PACKAGES: &[&str] = &[
    "message-summary",
    "dialog;id=7",
    "conference",
    "presence",
    "",
    "a\r\nb: c",
];

/// How many numbers mean something. What is new gets the next one, so that the scripts of the corpus keep their meaning.
pub(super) const COUNT: u8 = 32;

/// The number of a command: what is missing here does not compile.
pub(super) fn number(command: &Command) -> u8 {
    match command {
        Command::Call { .. } => 0,
        Command::Answer(_) => 1,
        Command::HangUp(_) => 2,
        Command::Hold(_) => 3,
        Command::Resume(_) => 4,
        Command::Reject(..) => 5,
        Command::SetMuted(..) => 6,
        Command::SendDtmf(..) => 7,
        Command::MoveMedia(_) => 8,
        Command::HoldAndAnswer(_) => 9,
        Command::EndAndAnswer(_) => 10,
        Command::SetPassword(_) => 11,
        Command::Stop => 12,
        Command::SwapTo(_) => 13,
        Command::Transfer(..) => 14,
        Command::TransferTo(..) => 15,
        Command::CancelTransfer(_) => 16,
        Command::AcceptTransfer(_) => 17,
        Command::DeclineTransfer(_) => 18,
        Command::Consult { .. } => 19,
        Command::Split(_) => 20,
        Command::LeaveConference => 21,
        Command::Merge(..) => 22,
        Command::AddParticipant(..) => 23,
        Command::RemoveParticipant(..) => 24,
        Command::Start => 25,
        Command::Push(_) => 26,
        Command::Pull { .. } => 27,
        Command::Subscribe { .. } => 28,
        Command::Unsubscribe(_) => 29,
        Command::SetToken(_) => 30,
        Command::AskForDevices => 31,
    }
}

/// The command of a number, about the call (or subscription) that `which` chooses; `more` chooses the rest. `fresh` is an
/// id that no call has had.
pub(super) fn command(agent: &UserAgent, fresh: CallId, what: u8, which: u8, more: u8) -> Command {
    let calls: Vec<CallId> = agent.calls().map(|call| call.id).collect();
    let id = chosen(&calls, which).unwrap_or(CallId(u64::from(which)));
    let other = chosen(&calls, more);
    let target = || word(TARGETS, more);
    match what % COUNT {
        0 => Command::Call {
            id: if more == 0 {
                CallId(u64::from(which))
            } else {
                fresh
            },
            target: word(TARGETS, which),
            options: CallOptions::default(),
        },
        1 => Command::Answer(id),
        2 => Command::HangUp(id),
        3 => Command::Hold(id),
        4 => Command::Resume(id),
        5 => Command::Reject(id, RejectReason::Busy),
        6 => Command::SetMuted(id, more & 1 == 0),
        7 => Command::SendDtmf(id, word(TONES, more)),
        8 => Command::MoveMedia(id),
        9 => Command::HoldAndAnswer(id),
        10 => Command::EndAndAnswer(id),
        11 => Command::SetPassword(Secret::new("renewed")),
        12 => Command::Stop,
        13 => Command::SwapTo(id),
        14 => Command::Transfer(id, target()),
        15 => Command::TransferTo(id, other.unwrap_or(id)),
        16 => Command::CancelTransfer(id),
        17 => Command::AcceptTransfer(id),
        18 => Command::DeclineTransfer(id),
        19 => Command::Consult {
            of: id,
            id: CallId(u64::from(more)),
            target: target(),
            options: CallOptions::default(),
        },
        20 => Command::Split(id),
        21 => Command::LeaveConference,
        22 => Command::Merge(id, other.unwrap_or(CallId(u64::from(more)))),
        23 => Command::AddParticipant(id, target()),
        24 => Command::RemoveParticipant(id, "sip:bob@example.com".to_owned()),
        26 => Command::Push(id),
        27 => Command::Pull {
            id: if more == 0 { id } else { fresh },
            remote: remote_call(agent, which),
        },
        28 => Command::Subscribe {
            target: target(),
            package: word(PACKAGES, which),
            accept: [
                "application/dialog-info+xml",
                "application/simple-message-summary",
            ]
            .map(str::to_owned)
            .to_vec(),
        },
        29 => Command::Unsubscribe(subscription(agent, which)),
        30 => Command::SetToken(Token {
            secret: Secret::new("renewed"),
            expires_at: (more != 0).then(|| Instant::from_secs(1_000 + 60 * u64::from(more))),
        }),
        31 => Command::AskForDevices,
        _ => Command::Start,
    }
}

fn chosen<T: Copy>(all: &[T], which: u8) -> Option<T> {
    all.get(usize::from(which) % all.len().max(1)).copied()
}

fn word(words: &[&str], which: u8) -> String {
    chosen(words, which).unwrap_or_default().to_owned()
}

fn remote_call(agent: &UserAgent, which: u8) -> RemoteCallId {
    let ids: Vec<_> = agent.remote_calls().iter().map(|call| call.id).collect();
    chosen(&ids, which).unwrap_or(RemoteCallId(u64::from(which)))
}

fn subscription(agent: &UserAgent, which: u8) -> SubscriptionId {
    let ids: Vec<_> = agent.subscriptions().map(|(id, _)| id).collect();
    chosen(&ids, which).unwrap_or(SubscriptionId(u64::from(which)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::machine::Machine;

    #[test]
    fn every_command_can_be_drawn_by_its_number() {
        let machine = Machine::new(0);
        for what in 0..COUNT {
            let command = command(machine.agent(), CallId(1_000), what, 0, 1);
            assert_eq!(number(&command), what, "{command:?}");
        }
    }
}
