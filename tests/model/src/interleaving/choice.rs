//! What can happen next, and how much of it may happen on one path.

use std::fmt;

use clearline_core::{CallId, CallInfo, CallOptions, CallState, Command, RejectReason};

/// Something that can happen next. Parties are numbered: 0 is who has called first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// The oldest message from one party to another arrives.
    Deliver {
        /// From whom.
        from: usize,
        /// To whom.
        to: usize,
    },
    /// The one after it arrives before.
    Overtake {
        /// From whom.
        from: usize,
        /// To whom.
        to: usize,
    },
    /// The oldest message is lost between the two, and nobody is told.
    Lose {
        /// From whom.
        from: usize,
        /// To whom.
        to: usize,
    },
    /// The connection of one party breaks: what is on its way to it is lost, and it is told.
    Break(usize),
    /// The platform fails: all connections break.
    BreakAll,
    /// Time passes until a timer of this party fires.
    Timer(usize),
    /// The media backend of a party does what it was asked for first.
    Media(usize),
    /// The user of a party gives a command to one of its calls, counted from the oldest.
    Command {
        /// Whose user.
        party: usize,
        /// Which call.
        call: usize,
        /// To do what.
        verb: Verb,
    },
}

impl Choice {
    /// Whether this and `other`, if both are possible, lead to the same state in either order: they concern different
    /// parties and different ways. What one party sends is added to the end of a way, which is nothing to whoever takes
    /// from its beginning. A timer makes time pass for all, and a break takes what others have just sent.
    pub(super) fn commutes_with(self, other: Self) -> bool {
        let (Some(a), Some(b)) = (self.concern(), other.concern()) else {
            return false;
        };
        let is_same_party = a.party.is_some() && a.party == b.party;
        let is_same_way = a.way.is_some() && a.way == b.way;
        !is_same_party && !is_same_way
    }

    fn concern(self) -> Option<Concern> {
        let (party, way) = match self {
            Self::Deliver { from, to } | Self::Overtake { from, to } => (Some(to), Some((from, to))),
            Self::Lose { from, to } => (None, Some((from, to))),
            Self::Media(party) | Self::Command { party, .. } => (Some(party), None),
            Self::Break(_) | Self::BreakAll | Self::Timer(_) => return None,
        };
        Some(Concern { party, way })
    }
}

/// What a choice takes from or changes.
struct Concern {
    party: Option<usize>,
    way: Option<(usize, usize)>,
}

/// What users ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Answer.
    Answer,
    /// Decline.
    Reject,
    /// Hold.
    Hold,
    /// Resume.
    Resume,
    /// Hang up.
    HangUp,
    /// Send the far end to carol.
    Transfer,
    /// Ask carol first.
    Consult,
    /// Send the far end to that of the other call.
    TransferTo,
    /// Do not after all.
    CancelTransfer,
    /// Talk in this call, and hold the other.
    SwapTo,
    /// Make a conference of both.
    Merge,
    /// Talk with one of the conference alone.
    Split,
    /// Leave the conference to the two others.
    LeaveConference,
    /// Send the call to another device of the own account.
    Push,
}

impl Verb {
    /// What is asked of one call, in most states.
    pub(super) const OF_ONE_CALL: &[Self] =
        &[Self::Answer, Self::Reject, Self::Hold, Self::Resume, Self::HangUp];
    /// What is asked where somebody is to be sent to somebody else.
    pub(super) const OF_TRANSFER: &[Self] = &[
        Self::Answer,
        Self::Reject,
        Self::HangUp,
        Self::Transfer,
        Self::Consult,
        Self::TransferTo,
        Self::CancelTransfer,
        Self::SwapTo,
    ];
    /// What is asked of two calls.
    pub(super) const OF_TWO_CALLS: &[Self] =
        &[Self::Hold, Self::Resume, Self::HangUp, Self::SwapTo, Self::Merge];
    /// What is asked where there is a conference.
    pub(super) const OF_CONFERENCE: &[Self] = &[
        Self::Hold,
        Self::Resume,
        Self::HangUp,
        Self::Merge,
        Self::Split,
        Self::LeaveConference,
    ];
    /// What is asked where a call moves between devices.
    pub(super) const OF_MOVE: &[Self] = &[
        Self::Answer,
        Self::Reject,
        Self::Hold,
        Self::Resume,
        Self::HangUp,
        Self::Push,
    ];

    /// The command of the user `own` to `call`, one of `calls`, if it makes sense there. One line for each thing users
    /// can ask for.
    pub(super) fn command(self, own: &str, call: &CallInfo, calls: &[CallInfo]) -> Option<Command> {
        let (id, state) = (call.id, call.state);
        let is_incoming = state == CallState::Incoming;
        let is_active = state == CallState::Active;
        let is_other = own != THIRD;
        let other = calls.iter().map(|other| other.id).find(|other| *other != id);
        let is_first = calls.first().is_some_and(|first| first.id == id);
        match self {
            // Who answers without holding the other call wants to speak with both.
            Self::Answer if other.is_some() => is_incoming.then_some(Command::HoldAndAnswer(id)),
            Self::Answer => is_incoming.then_some(Command::Answer(id)),
            Self::Reject => is_incoming.then_some(Command::Reject(id, RejectReason::Busy)),
            Self::Hold => is_active.then_some(Command::Hold(id)),
            // With another call: `SwapTo`.
            Self::Resume => (is_active && other.is_none()).then_some(Command::Resume(id)),
            Self::HangUp => (state != CallState::Ending).then_some(Command::HangUp(id)),
            Self::Transfer => (call.transferable && is_other).then(|| Command::Transfer(id, address(THIRD))),
            Self::Consult => (is_active && is_other && other.is_none()).then(|| consult(id)),
            Self::TransferTo => other.filter(|_| is_active).map(|to| Command::TransferTo(id, to)),
            Self::CancelTransfer => call.transfer.as_ref().map(|_| Command::CancelTransfer(id)),
            Self::SwapTo => (other.is_some() && call.local_hold).then_some(Command::SwapTo(id)),
            Self::Merge => other.filter(|_| is_first).map(|with| Command::Merge(id, with)),
            Self::Split => call.conference.map(|_| Command::Split(id)),
            Self::LeaveConference => call
                .conference
                .filter(|_| is_first)
                .map(|_| Command::LeaveConference),
            Self::Push => {
                (is_active && call.transferable && call.transfer.is_none()).then_some(Command::Push(id))
            }
        }
    }
}

/// To whom others are sent.
const THIRD: &str = "carol";

fn consult(of: CallId) -> Command {
    Command::Consult {
        of,
        id: CallId(of.0.wrapping_add(1)),
        target: address(THIRD),
        options: CallOptions::default(),
    }
}

/// Every account has a domain, so that a URI tells whose it is by its host.
pub(super) fn domain(name: &str) -> String {
    format!("{}.example", account(name))
}

pub(super) fn address(name: &str) -> String {
    format!("sip:{}@{}", account(name), domain(name))
}

/// Whose a device is: "bob's tablet" is one more device of bob.
pub(super) fn account(name: &str) -> &str {
    name.split_once('\'').map_or(name, |(account, _)| account)
}

/// How much of each kind may happen on one path, besides what happens by itself: messages, media and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Commands of all users.
    pub commands: u8,
    /// Broken connections.
    pub breaks: u8,
    /// Messages that arrive before an older one.
    pub overtakings: u8,
    /// Messages that are lost.
    pub losses: u8,
}

impl Bounds {
    /// Nothing but what happens by itself.
    pub(super) const NONE: Self = Self {
        commands: 0,
        breaks: 0,
        overtakings: 0,
        losses: 0,
    };

    pub(super) fn number(self) -> u64 {
        u64::from(u32::from_be_bytes([
            self.commands,
            self.breaks,
            self.overtakings,
            self.losses,
        ]))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            commands,
            breaks,
            overtakings,
            losses,
        } = self;
        write!(
            f,
            "at most {commands} commands, {breaks} broken connections, {overtakings} overtakings and {losses} \
             losses on a path"
        )
    }
}
