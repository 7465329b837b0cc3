//! How a back-to-back user agent behaves: a switch for each thing in which those in the field differ.

use clearline_core::Duration;

/// The switches. A preset is what an installation with usual settings does as seen by its telephones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// For test output.
    pub name: &'static str,
    /// Audio passes through it: it replaces the media addresses of both sides by its own.
    pub anchors_media: bool,
    /// What the caller hears before the answer.
    pub early_media: EarlyMedia,
    /// What a hold of one side means to the other.
    pub hold: Hold,
    /// How it carries out what a telephone asks for with REFER.
    pub transfer: Transfer,
    /// What it negotiates of its own accord once a call is answered.
    pub after_answer: AfterAnswer,
    /// How often it refreshes both sides of a session (RFC 4028), by UPDATE where the telephone allows it.
    pub refresh: Option<Duration>,
    /// How often it asks registered telephones for a sign of life.
    pub keep_alive: Option<Duration>,
    /// 401 as a registrar does, or 407 as a proxy does.
    pub challenge_status: u16,
    /// Requests inside dialogs are challenged too.
    pub challenges_in_dialog: bool,
    /// A telephone that registers again takes its calls to the new connection. Without it, requests inside a call
    /// find only telephones that have sent one there since they came back.
    pub registration_moves_calls: bool,
}

/// What the caller hears before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyMedia {
    /// Nothing: 180 without a description.
    None,
    /// 183 with the description that is repeated in the 200.
    Same,
    /// 183 with the description of an announcement server; that in the 200 is the telephone's.
    Announcement,
}

/// What a hold of one side means to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The re-INVITE is passed on.
    Relayed,
    /// It is passed on, and the side that holds is asked to confirm its part by a re-INVITE of its own.
    RelayedAndConfirmed,
    /// The platform answers it, and plays music to the other side, which is not told.
    Local,
}

/// How a transfer without asking first is carried out. In each case the platform calls the target itself, and connects
/// the two by re-INVITEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The telephone that has asked is told how the target stands, and leaves by itself when that has answered.
    Reported,
    /// The same, but the platform hangs up.
    Dismissed,
    /// It is told at once that all is well, and hung up: whatever becomes of it is the others' matter.
    AtOnce,
}

/// What is negotiated after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAnswer {
    /// Nothing.
    Nothing,
    /// Both sides get a re-INVITE with an offer.
    Offer,
    /// One side is asked for an offer by a re-INVITE without one, which is put to the other (RFC 3725 section 4.4).
    AskForOffer,
}

impl Behaviour {
    /// `chan_pjsip` with `direct_media=no`: audio through the platform, music on hold, a re-INVITE for a changed
    /// connected line, everything challenged with 401.
    pub const ASTERISK: Self = Self {
        name: "asterisk",
        anchors_media: true,
        early_media: EarlyMedia::None,
        hold: Hold::Local,
        transfer: Transfer::Dismissed,
        after_answer: AfterAnswer::Offer,
        refresh: Some(Duration::from_secs(90)),
        keep_alive: Some(Duration::from_secs(60)),
        challenge_status: 401,
        challenges_in_dialog: true,
        registration_moves_calls: false,
    };

    /// Early media through the platform, and a renegotiation without offer once both are there.
    pub const FREESWITCH: Self = Self {
        name: "freeswitch",
        anchors_media: true,
        early_media: EarlyMedia::Same,
        hold: Hold::Relayed,
        transfer: Transfer::AtOnce,
        after_answer: AfterAnswer::AskForOffer,
        refresh: Some(Duration::from_secs(120)),
        keep_alive: Some(Duration::from_secs(30)),
        challenge_status: 407,
        challenges_in_dialog: false,
        registration_moves_calls: false,
    };

    /// Audio from end to end, announcements from a server of its own, hold confirmed to both sides.
    pub const OPENSCAPE: Self = Self {
        name: "openscape",
        anchors_media: false,
        early_media: EarlyMedia::Announcement,
        hold: Hold::RelayedAndConfirmed,
        transfer: Transfer::Reported,
        after_answer: AfterAnswer::Nothing,
        refresh: Some(Duration::from_secs(150)),
        keep_alive: Some(Duration::from_secs(45)),
        challenge_status: 407,
        challenges_in_dialog: false,
        registration_moves_calls: true,
    };
}
