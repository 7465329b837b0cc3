//! Record and replay: a log of everything an agent was told, from which a session can be repeated bit for bit.
//!
//! A wrong state is a bug with a log that reproduces it; but nobody should have to hand over numbers, names, addresses
//! and passwords to report one. So nothing is written as it came: a [`Recorder`] gives each of them a pseudonym of the
//! same shape, and a *shadow agent* that only ever sees pseudonyms. What the log holds is the shadow's session: its
//! configuration, its seed, every input and command with its time, and a chain of hashes over all its outputs. Digest
//! answers differ from those that were sent, because the password does; what the platform said to them does not. A
//! [`Replay`] runs the same code over the same inputs, so its hashes are equal, or the code has changed.
//!
//! | what | becomes |
//! |---|---|
//! | user parts, telephone numbers, tones | letters for letters, digits for digits, the same every time |
//! | display names, free text, unknown headers and bodies | the same |
//! | IPv4 and IPv6 addresses | others of the same length |
//! | passwords, tokens, push resources | left out |
//! | nonces, ICE passwords, media keys | letters for letters, digits for digits |
//! | domain names, tags, branches, Call-IDs, the device's URN, the seed | kept: what happened could not be told without |
//!
//! The random user parts under `.invalid` that devices invent for their contacts (RFC 7118 section 5) are kept too: an
//! agent has to know its own again. Whoever has the seed can foretell the identifiers of an agent that is still running,
//! so a log is for those who are trusted with that.

mod pseudonyms;
#[expect(clippy::string_slice, reason = "no part of the module")]
mod redactor;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::io::{Input, Output};
use crate::time::Instant;
use crate::user_agent::{Command, UserAgent};
use redactor::Redactor;

/// The present form of a log.
const VERSION: u32 = 1;

/// One line of a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first one: how the agent was made.
    Start {
        /// The form of the log.
        version: u32,
        /// The agent's seed.
        seed: [u8; 32],
        /// Its configuration under pseudonyms.
        config: Box<Config>,
    },
    /// Something happened.
    Step {
        /// When, on the driver's clock.
        at: Instant,
        /// What.
        what: Step,
        /// The hash over all outputs of the agent so far.
        outputs: String,
    },
}

/// What an agent can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// By the world.
    Input(Input),
    /// By the application.
    Command(Command),
}

/// Writes a log beside a running agent.
#[derive(Clone, Debug)]
pub struct Recorder {
    redactor: Redactor,
    shadow: Run,
}

impl Recorder {
    /// A recorder for an agent that is made with this configuration and seed, and the first record. `key` must be fresh
    /// randomness that is used for nothing else: with it, pseudonyms could be undone.
    pub fn new(config: &Config, seed: [u8; 32], key: [u8; 32]) -> (Self, Record) {
        let mut redactor = Redactor::new(key);
        let config = redactor.config(config);
        let shadow = Run::new(UserAgent::new(config.clone(), seed));
        let start = Record::Start {
            version: VERSION,
            seed,
            config: Box::new(config),
        };
        (Self { redactor, shadow }, start)
    }

    /// The record of an input. Call it for each that the agent is given, once the outputs of the one before have been
    /// taken.
    pub fn input(&mut self, at: Instant, input: &Input) -> Record {
        let input = self.redactor.input(input);
        self.record(at, Step::Input(input))
    }

    /// The record of a command, refused ones too.
    pub fn command(&mut self, at: Instant, command: &Command) -> Record {
        let command = self.redactor.command(command);
        self.record(at, Step::Command(command))
    }

    fn record(&mut self, at: Instant, what: Step) -> Record {
        self.shadow.take(at, what.clone());
        Record::Step {
            at,
            what,
            outputs: self.shadow.hash(),
        }
    }
}

/// Why a log cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// It does not begin with [`Record::Start`], or has a second one.
    Start,
    /// It was written by a newer program.
    Version(u32),
    /// From this step on the agent does something else than when the log was written.
    Differs {
        /// The hash in the log.
        recorded: String,
        /// The hash now.
        replayed: String,
    },
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("the log has no start, or several"),
            Self::Version(version) => write!(f, "the log has the form {version}, which is not known here"),
            Self::Differs { recorded, replayed } => write!(f, "outputs {replayed} instead of {recorded}"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Repeats a session.
#[derive(Clone, Debug)]
pub struct Replay(Run);

impl Replay {
    /// Begins with the first record.
    ///
    /// # Errors
    /// [`ReplayError::Start`], [`ReplayError::Version`].
    pub fn new(start: Record) -> Result<Self, ReplayError> {
        let Record::Start {
            version,
            seed,
            config,
        } = start
        else {
            return Err(ReplayError::Start);
        };
        if version != VERSION {
            return Err(ReplayError::Version(version));
        }
        Ok(Self(Run::new(UserAgent::new(
            redactor::with_password(*config),
            seed,
        ))))
    }

    /// Repeats a step; what the agent puts out.
    ///
    /// # Errors
    /// [`ReplayError::Differs`] if that is not what it put out then, [`ReplayError::Start`].
    pub fn step(&mut self, record: Record) -> Result<Vec<Output>, ReplayError> {
        let Record::Step { at, what, outputs } = record else {
            return Err(ReplayError::Start);
        };
        let put_out = self.0.take(at, what);
        let replayed = self.0.hash();
        if replayed == outputs {
            Ok(put_out)
        } else {
            Err(ReplayError::Differs {
                recorded: outputs,
                replayed,
            })
        }
    }

    /// The agent as it stands.
    pub fn agent(&self) -> &UserAgent {
        &self.0.agent
    }
}

/// An agent, and the hash of everything it has put out.
#[derive(Clone, Debug)]
struct Run {
    agent: UserAgent,
    chain: [u8; 32],
}

impl Run {
    fn new(agent: UserAgent) -> Self {
        Self {
            agent,
            chain: [0; 32],
        }
    }

    fn take(&mut self, at: Instant, what: Step) -> Vec<Output> {
        match what {
            Step::Input(input) => self.agent.handle_input(at, input),
            Step::Command(command) => drop(self.agent.apply(at, redactor::with_renewed_password(command))),
        }
        let mut outputs = Vec::new();
        loop {
            let output = self.agent.poll_output();
            // Outputs are plain data: what they show for debugging is all they hold.
            let link = Sha256::new()
                .chain_update(self.chain)
                .chain_update(format!("{output:?}"));
            self.chain = link.finalize().into();
            if matches!(output, Output::Idle(_)) {
                outputs.push(output);
                return outputs;
            }
            outputs.push(output);
        }
    }

    /// The first 16 digits of the chain: a difference shows, nobody forges a log.
    fn hash(&self) -> String {
        self.chain[..8].iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}
