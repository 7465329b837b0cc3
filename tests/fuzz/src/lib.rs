//! Six targets for a fuzzer, each a function that takes any bytes and panics if the core breaks a promise.
//!
//! The fuzzer (`cargo xtask fuzz`) is one program around them; what it has found worth keeping lies in `corpus` and is
//! replayed by an ordinary test.
#![forbid(unsafe_code)]

mod agent;
mod header;
mod media;
mod message;
mod mutation;
mod session_description;
mod xml;

pub use agent::{Script, Step, record};

/// A script for [`Target::Media`] to start from.
pub fn media_seed(codec: u8, random: u32) -> Vec<u8> {
    media::seed(codec, random)
}

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A SIP message: read, every typed header, validated, edited, answered, and what was written read again.
    Message,
    /// A session description: everything there is to ask of it.
    SessionDescription,
    /// Documents of event packages: read, written, read again, and added up.
    Xml,
    /// Values of headers on their own: challenges and credentials with the digests made of them, addresses, URIs and
    /// how they compare, media types, targets that a user dials.
    Header,
    /// RTP as the engine that plays gets it, and reports of the far end.
    Media,
    /// A user agent, a script of inputs and commands, and the promises of its interface.
    Agent,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Message,
        Self::SessionDescription,
        Self::Xml,
        Self::Header,
        Self::Media,
        Self::Agent,
    ];

    /// Its name on the command line, and the folder of its corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::SessionDescription => "session-description",
            Self::Xml => "xml",
            Self::Header => "header",
            Self::Media => "media",
            Self::Agent => "agent",
        }
    }

    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Feeds it.
    ///
    /// # Panics
    /// When the core breaks a promise.
    pub fn run(self, data: &[u8]) {
        match self {
            Self::Message => message::run(data),
            Self::SessionDescription => session_description::run(data),
            Self::Xml => xml::run(data),
            Self::Header => header::run(data),
            Self::Media => media::run(data),
            Self::Agent => agent::run(data),
        }
    }

    /// A variant of `data` that keeps its structure, of at most `max` bytes; `None` leaves it to the fuzzer's own,
    /// blind mutations.
    pub fn mutate(self, data: &[u8], max: usize, seed: u32) -> Option<Vec<u8>> {
        match self {
            Self::Message => mutation::lines(data, max, seed, mutation::HEADERS),
            Self::SessionDescription => mutation::lines(data, max, seed, mutation::DESCRIPTION),
            Self::Xml => mutation::tags(data, max, seed, mutation::XML),
            Self::Header => mutation::lines(data, max, seed, mutation::VALUES),
            Self::Media => None,
            Self::Agent => agent::mutate(data, max, seed),
        }
    }
}
