//! What can happen: people, programs, machines, networks, and time.

use clearline_core::{Duration, Rng};

/// One thing that happens. Devices and calls are chosen by number, modulo those there are, so that a transition still
/// means something when others before it are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A device calls a user.
    Dial(u8, u8),
    /// A device answers the call that comes in.
    Answer(u8),
    /// It answers that one and holds the others.
    HoldAndAnswer(u8),
    /// It answers that one and ends the others.
    EndAndAnswer(u8),
    /// It declines: busy or for all devices.
    Decline(u8, bool),
    /// A call is ended, whatever its state.
    HangUp(u8, u8),
    /// A call is held.
    Hold(u8, u8),
    /// A call is resumed.
    Resume(u8, u8),
    /// The microphone of a call is switched off or on.
    Mute(u8, u8, bool),
    /// Tones are sent.
    Dtmf(u8, u8),
    /// A call's media move to another window.
    MoveMedia(u8, u8),
    /// Among the calls that are held, one is spoken with from now on, and the others are held.
    SwapTo(u8, u8),
    /// Among the answered calls, one is held, and its user asks another user.
    Consult(u8, u8, u8),
    /// The far end of one is sent to another user.
    Transfer(u8, u8, u8),
    /// The far end of one is sent to take the place in another call of the same device: in that where somebody is asked, or
    /// in the next one.
    TransferTo(u8, u8),
    /// Among the calls about which somebody is asked or sent on, one is taken back.
    CancelTransfer(u8, u8),
    /// Two calls of a device become a conference, or part of the one there is.
    Merge(u8, u8),
    /// One party of a conference is spoken with in private.
    Split(u8, u8),
    /// The two others of a conference are connected.
    LeaveConference(u8),
    /// A user is brought into a conference of the platform.
    AddParticipant(u8, u8, u8),
    /// Among those who are shown in one, somebody is sent away.
    RemoveParticipant(u8, u8, u8),
    /// Among the answered calls, one is to be taken by another device of the same user.
    Push(u8, u8),
    /// Among the calls on other devices of the same user, one is taken over.
    Pull(u8, u8),
    /// A device sends its calls to a number, or takes them again.
    Redirect(u8, u8),
    /// A device wants to know of messages left for its user.
    Subscribe(u8),
    /// It does not want that any more.
    Unsubscribe(u8),
    /// Somebody leaves a message for a user.
    LeaveMessage(u8),
    /// The network of a device goes away.
    Cut(u8),
    /// Its connections break, and new ones can be opened.
    Drop(u8),
    /// One of its connections breaks if it has two: the one opened first or last.
    DropOne(u8, bool),
    /// Everything it sends is lost.
    HalfOpenUp(u8),
    /// Everything sent to it is lost.
    HalfOpenDown(u8),
    /// Both.
    BlackHole(u8),
    /// Its next message gets half-way.
    Tear(u8),
    /// Its network becomes slow, and loses so many of a hundred segments.
    Bad(u8, u8),
    /// Its network is good again.
    Mend(u8),
    /// The operating system speaks of another network.
    NetworkChanged(u8),
    /// The window is hidden or shown.
    Visible(u8, bool),
    /// The machine falls asleep.
    Sleep(u8),
    /// It wakes up.
    WakeUp(u8),
    /// The program is started again, with its snapshot.
    Restart(u8),
    /// The next description cannot be made.
    FailMedia(u8),
    /// The password has expired.
    WrongPassword(u8),
    /// There is a new one.
    RightPassword(u8),
    /// The platform wants ringing to be acknowledged, or not any more.
    RingReliably(bool),
    /// The platform's process ends.
    StopPlatform,
    /// It starts.
    StartPlatform,
    /// So many milliseconds pass.
    Millis(u16),
    /// So many seconds pass.
    Seconds(u16),
    /// Everything is mended and comes to rest.
    Rest,
}

impl Transition {
    /// Draws one. Ordinary things happen more often than disasters.
    pub fn draw(rng: &mut Rng) -> Self {
        let byte = |rng: &mut Rng| u8::try_from(rng.next_u64() % 256).unwrap_or(0);
        let (a, b, c) = (byte(rng), byte(rng), byte(rng));
        let flag = c.is_multiple_of(2);
        match rng.next_u64() % 110 {
            0..=11 => Self::Dial(a, b),
            12..=21 => Self::Answer(a),
            22..=24 => Self::HoldAndAnswer(a),
            25 => Self::EndAndAnswer(a),
            26..=27 => Self::Decline(a, flag),
            28..=33 => Self::HangUp(a, b),
            34..=41 => Self::Hold(a, b),
            42..=48 => Self::Resume(a, b),
            49..=51 => Self::Mute(a, b, flag),
            52 => Self::Dtmf(a, b),
            53..=54 => Self::MoveMedia(a, b),
            55..=57 => Self::Cut(a),
            58..=60 => Self::Drop(a),
            61 => Self::HalfOpenUp(a),
            62 => Self::HalfOpenDown(a),
            63 => Self::BlackHole(a),
            64 => Self::Tear(a),
            65..=66 => Self::Bad(a, b % 12),
            67..=71 => Self::Mend(a),
            72 => Self::NetworkChanged(a),
            73 => Self::Visible(a, flag),
            74 => Self::Sleep(a),
            75..=76 => Self::WakeUp(a),
            77..=78 => Self::Restart(a),
            79 => Self::FailMedia(a),
            80 => Self::WrongPassword(a),
            81 => Self::RightPassword(a),
            82 => Self::StopPlatform,
            83..=84 => Self::StartPlatform,
            85..=92 => Self::Millis(u16::from(a) * 4),
            93..=96 => Self::Seconds(u16::from(a) % 40),
            97 => Self::Seconds(u16::from(a) * 30),
            98..=99 => Self::Redirect(a, b),
            100..=101 => Self::Subscribe(a),
            102 => Self::Unsubscribe(a),
            103..=104 => Self::LeaveMessage(a),
            105..=106 => Self::DropOne(a, flag),
            107 => Self::RingReliably(flag),
            _ => Self::Rest,
        }
    }

    /// Draws one of a busy day: more of what people do with several calls, fewer disasters.
    pub fn draw_busy(rng: &mut Rng) -> Self {
        let byte = |rng: &mut Rng| u8::try_from(rng.next_u64() % 256).unwrap_or(0);
        let (a, b, c) = (byte(rng), byte(rng), byte(rng));
        match rng.next_u64() % 100 {
            0..=11 => Self::Dial(a, b),
            12..=24 => Self::Answer(a),
            25..=27 => Self::HoldAndAnswer(a),
            28..=31 => Self::SwapTo(a, b),
            32..=36 => Self::Consult(a, b, c),
            37..=39 => Self::Transfer(a, b, c),
            40..=43 => Self::TransferTo(a, b),
            44..=45 => Self::CancelTransfer(a, b),
            46..=51 => Self::Merge(a, b),
            52..=53 => Self::Split(a, b),
            54 => Self::LeaveConference(a),
            55 => Self::AddParticipant(a, b, c),
            56 => Self::RemoveParticipant(a, b, c),
            57..=58 => Self::Push(a, b),
            59..=61 => Self::Pull(a, b),
            62..=69 => Self::Millis(u16::from(a) * 4),
            70..=71 => Self::Seconds(u16::from(a) % 40),
            72..=74 => Self::Rest,
            _ => Self::draw(rng),
        }
    }

    /// The device for which messages may get lost without a trace.
    pub(crate) fn loses_for(self) -> Option<u8> {
        let (Self::HalfOpenUp(at)
        | Self::HalfOpenDown(at)
        | Self::BlackHole(at)
        | Self::Tear(at)
        | Self::Bad(at, _)
        | Self::Sleep(at)) = self
        else {
            return None;
        };
        Some(at)
    }

    /// Whether it is about several calls or devices.
    pub(crate) fn is_of_several_calls(self) -> bool {
        matches!(
            self,
            Self::SwapTo(..)
                | Self::Consult(..)
                | Self::Transfer(..)
                | Self::TransferTo(..)
                | Self::CancelTransfer(..)
                | Self::Merge(..)
                | Self::Split(..)
                | Self::LeaveConference(_)
                | Self::AddParticipant(..)
                | Self::RemoveParticipant(..)
                | Self::Push(..)
                | Self::Pull(..)
        )
    }

    /// How long a user takes before the next thing: often no time at all.
    pub(crate) fn pause(self) -> Duration {
        match self {
            Self::Millis(count) => Duration::from_millis(u64::from(count)),
            Self::Seconds(count) => Duration::from_secs(u64::from(count)),
            Self::Dial(a, b) | Self::HangUp(a, b) | Self::Hold(a, b) | Self::Resume(a, b) => hurry(a ^ b),
            Self::Answer(a)
            | Self::HoldAndAnswer(a)
            | Self::EndAndAnswer(a)
            | Self::Decline(a, _)
            | Self::Mute(a, ..)
            | Self::Dtmf(a, _)
            | Self::MoveMedia(a, _)
            | Self::SwapTo(a, _)
            | Self::Consult(a, ..)
            | Self::Transfer(a, ..)
            | Self::TransferTo(a, _)
            | Self::CancelTransfer(a, _)
            | Self::Merge(a, _)
            | Self::Split(a, _)
            | Self::LeaveConference(a)
            | Self::AddParticipant(a, ..)
            | Self::RemoveParticipant(a, ..)
            | Self::Push(a, _)
            | Self::Pull(a, _)
            | Self::Redirect(a, _)
            | Self::Subscribe(a)
            | Self::Unsubscribe(a)
            | Self::LeaveMessage(a)
            | Self::DropOne(a, _)
            | Self::Cut(a)
            | Self::Drop(a)
            | Self::HalfOpenUp(a)
            | Self::HalfOpenDown(a)
            | Self::BlackHole(a)
            | Self::Tear(a)
            | Self::Bad(a, _)
            | Self::Mend(a)
            | Self::NetworkChanged(a)
            | Self::Visible(a, _)
            | Self::Sleep(a)
            | Self::WakeUp(a)
            | Self::Restart(a)
            | Self::FailMedia(a)
            | Self::WrongPassword(a)
            | Self::RightPassword(a) => hurry(a),
            Self::RingReliably(_) | Self::StopPlatform | Self::StartPlatform | Self::Rest => Duration::ZERO,
        }
    }
}

fn hurry(dice: u8) -> Duration {
    match dice % 4 {
        0 => Duration::ZERO,
        1 => Duration::from_millis(u64::from(dice) / 4),
        2 => Duration::from_millis(u64::from(dice)),
        _ => Duration::from_millis(u64::from(dice) * 8),
    }
}
