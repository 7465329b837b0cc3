//! What a conference is told when it begins.

use std::time::Duration;

use clearline_core::Secret;
use clearline_core::sip::UriBuf;

/// How the user part of every conference's URI begins.
pub const CONFERENCE_PREFIX: &str = "conf-";

/// One conference.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URI of the conference: nobody can guess it.
    pub conference: UriBuf,
    /// What participants see.
    pub name: String,
    /// Who has asked for it: an address of record.
    pub creator: String,
    /// What its agent registers with.
    pub password: Secret,
    /// URN of the agent (RFC 5626 section 4.1).
    pub instance_id: String,
    /// Names of users who are nobody, as an echo: they are not invited.
    pub services: Vec<String>,
    /// Who may have others invited and removed.
    pub controllers: Controllers,
    /// Its bounds.
    pub limits: Limits,
}

/// Who may have others invited and removed (RFC 4579 sections 5.5 and 5.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Controllers {
    /// Who has made the conference, from wherever they ask; while they are not in it, everybody who is, too.
    #[default]
    Creator,
    /// Everybody who is in it.
    Participants,
}

/// The bounds of a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Parties at once, those who are being called included.
    pub parties: usize,
    /// How long it waits for its first participant.
    pub unattended: Duration,
    /// How long somebody may be there who waits for others.
    pub waiting: Duration,
    /// How long somebody is kept after all others have left.
    pub alone: Duration,
    /// How long a party may be without audio path.
    pub silent: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parties: 8,
            unattended: Duration::from_secs(30),
            waiting: Duration::from_secs(600),
            alone: Duration::from_secs(10),
            silent: Duration::from_secs(60),
        }
    }
}
