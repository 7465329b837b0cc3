//! Scripts as bytes: four for the setting, then four for each step, so that a mutation never shifts what follows.

use clearline_core::Environment;

use crate::mutation::Dice;

/// What is done with an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Bits: 1 does not register, 2 answers by itself, 4 may have one call only, 8 has two servers, 16 a factory of
    /// conferences, 32 follows the own other devices, 64 is a focus itself.
    pub setup: u8,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// One thing that happens. Small numbers choose among what is there; what they mean is told where they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next deadline comes.
    Deadline,
    /// This many times 20 ms pass.
    Pass(u16),
    /// The last connection asked for opens.
    Open,
    /// The connection closes, or could not be opened.
    Close,
    /// The oldest open request to the media backend is answered: 0 well, 1 with an error, others with odd descriptions.
    Media(u8),
    /// The media backend has seen something in a session.
    MediaEvent(u8, u8),
    /// Something changes around the program.
    Environment(u8),
    /// A request of the agent, counted from the last, is answered: status, form.
    Respond(u8, u8, u8),
    /// A request comes in the dialog: which, method, form.
    Request(u8, u8, u8),
    /// Somebody calls: who, form, extra header.
    Invite(u8, u8, u8),
    /// The last 2xx of the agent is acknowledged, or the last INVITE to it cancelled: which dialog, form.
    Follow(u8, u8),
    /// A message that came before comes again.
    Again(u8),
    /// The same with a byte changed: which message, where, to what.
    Broken(u8, u8, u8),
    /// Line ends, or bytes that are nothing.
    Noise(u8),
    /// The user does something: what, to which call, more.
    Command(u8, u8, u8),
    /// The agent is put aside and restored, this many seconds later.
    Restart(u8),
    /// A subscription of the agent is told something: which dialog, document, state.
    Notify(u8, u8, u8),
}

impl Script {
    /// A registered, connected agent's script.
    pub fn new(setup: u8, steps: Vec<Step>) -> Self {
        Self { setup, steps }
    }

    /// Reads any bytes.
    pub fn read(data: &[u8]) -> Self {
        let (setup, steps) = data.split_at(data.len().min(4));
        Self {
            setup: setup.first().copied().unwrap_or_default(),
            steps: steps
                .as_chunks()
                .0
                .iter()
                .map(|chunk| Step::read(*chunk))
                .collect(),
        }
    }

    /// Writes what [`Self::read`] reads.
    pub fn write(&self) -> Vec<u8> {
        let setup = [self.setup, 0, 0, 0];
        [setup]
            .into_iter()
            .chain(self.steps.iter().map(|step| step.write()))
            .flatten()
            .collect()
    }
}

impl Step {
    /// What is new gets the next number, so that the scripts of the corpus keep their meaning.
    const KINDS: u8 = 17;

    fn read([kind, a, b, c]: [u8; 4]) -> Self {
        match kind % Self::KINDS {
            0 => Self::Deadline,
            1 => Self::Pass(u16::from_le_bytes([a, b])),
            2 => Self::Open,
            3 => Self::Close,
            4 => Self::Media(a),
            5 => Self::MediaEvent(a, b),
            6 => Self::Environment(a),
            7 => Self::Respond(a, b, c),
            8 => Self::Request(a, b, c),
            9 => Self::Invite(a, b, c),
            10 => Self::Follow(a, b),
            11 => Self::Again(a),
            12 => Self::Broken(a, b, c),
            13 => Self::Noise(a),
            14 => Self::Command(a, b, c),
            15 => Self::Restart(a),
            _ => Self::Notify(a, b, c),
        }
    }

    fn write(self) -> [u8; 4] {
        match self {
            Self::Deadline => [0, 0, 0, 0],
            Self::Pass(units) => {
                let [a, b] = units.to_le_bytes();
                [1, a, b, 0]
            }
            Self::Open => [2, 0, 0, 0],
            Self::Close => [3, 0, 0, 0],
            Self::Media(a) => [4, a, 0, 0],
            Self::MediaEvent(a, b) => [5, a, b, 0],
            Self::Environment(a) => [6, a, 0, 0],
            Self::Respond(a, b, c) => [7, a, b, c],
            Self::Request(a, b, c) => [8, a, b, c],
            Self::Invite(a, b, c) => [9, a, b, c],
            Self::Follow(a, b) => [10, a, b, 0],
            Self::Again(a) => [11, a, 0, 0],
            Self::Broken(a, b, c) => [12, a, b, c],
            Self::Noise(a) => [13, a, 0, 0],
            Self::Command(a, b, c) => [14, a, b, c],
            Self::Restart(a) => [15, a, 0, 0],
            Self::Notify(a, b, c) => [16, a, b, c],
        }
    }

    /// Any step, with small numbers more often than large ones.
    pub(crate) fn drawn(dice: &mut Dice) -> Self {
        let mut byte = |bound| u8::try_from(dice.below(bound)).unwrap_or(u8::MAX);
        let bound = if byte(4) == 0 { 256 } else { 24 };
        Self::read([
            byte(usize::from(Self::KINDS)),
            byte(bound),
            byte(bound),
            byte(bound),
        ])
    }
}

/// The change that a number stands for.
pub(crate) fn environment(number: u8) -> Environment {
    match number % 5 {
        0 => Environment::Online,
        1 => Environment::Offline,
        2 => Environment::Resumed,
        3 => Environment::Visible,
        _ => Environment::Hidden,
    }
}
