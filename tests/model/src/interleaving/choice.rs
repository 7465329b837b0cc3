//! What can happen next, and how much of it may happen on one path.

use std::fmt;

use clearline_core::{CallId, CallInfo, CallState, Command, RejectReason};

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
}

/// A verb, when it makes sense, and the command that it is. One line for each thing users can ask for.
type Offered = (Verb, fn(&CallInfo) -> bool, fn(CallId) -> Command);

const VERBS: [Offered; 5] = [
    (Verb::Answer, is_incoming, Command::Answer),
    (Verb::Reject, is_incoming, |call| {
        Command::Reject(call, RejectReason::Busy)
    }),
    (Verb::Hold, is_active, Command::Hold),
    (Verb::Resume, is_active, Command::Resume),
    (Verb::HangUp, can_be_left, Command::HangUp),
];

fn is_incoming(call: &CallInfo) -> bool {
    call.state == CallState::Incoming
}

fn is_active(call: &CallInfo) -> bool {
    call.state == CallState::Active
}

fn can_be_left(call: &CallInfo) -> bool {
    call.state != CallState::Ending
}

impl Verb {
    /// Those that make sense for a call.
    pub(super) fn for_call(call: &CallInfo) -> impl Iterator<Item = Self> {
        let suited = VERBS.iter().filter(|(_, suits, _)| suits(call));
        suited.map(|(verb, ..)| *verb)
    }

    pub(super) fn command(self, call: CallId) -> Option<Command> {
        let entry = VERBS.iter().find(|(verb, ..)| *verb == self);
        entry.map(|(.., command)| command(call))
    }
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
