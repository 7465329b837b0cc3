//! The states from which all is explored.

use super::pair::Pair;
use clearline_core::CallState;

/// A moment at which much can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The callee rings, and the caller knows.
    Ringing,
    /// The callee has answered, and its 200 is on its way.
    AnsweredUnacknowledged,
    /// In a call, one has asked for hold, and its re-INVITE is on its way.
    ReinviteOut,
    /// Both have, at the same moment.
    BothHolding,
    /// One holds already, and resumes.
    ResumeOut,
    /// After a break, the UPDATE that tells where one is now is on its way.
    UpdateOut,
    /// One has hung up, and its BYE is on its way.
    HangUpOut,
    /// The connection has just broken.
    Reconnecting,
}

impl Prepared {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ringing,
        Self::AnsweredUnacknowledged,
        Self::ReinviteOut,
        Self::BothHolding,
        Self::ResumeOut,
        Self::UpdateOut,
        Self::HangUpOut,
        Self::Reconnecting,
    ];
}

impl Pair {
    pub(super) fn prepared(state: Prepared) -> Self {
        let mut pair = Self::new();
        pair.dial();
        pair.until(|pair| pair.state(0) == Some(CallState::Ringing));
        match state {
            Prepared::Ringing => {}
            Prepared::AnsweredUnacknowledged => {
                pair.must(|pair| pair.command(1, |call| call.answer()));
            }
            Prepared::ReinviteOut
            | Prepared::BothHolding
            | Prepared::ResumeOut
            | Prepared::UpdateOut
            | Prepared::HangUpOut
            | Prepared::Reconnecting => pair.in_call(state),
        }
        pair.refill();
        pair
    }

    fn in_call(&mut self, state: Prepared) {
        self.must(|pair| pair.command(1, |call| call.answer()));
        self.until(Self::both_talk);
        match state {
            Prepared::ReinviteOut => self.must(|pair| pair.command(0, |call| call.hold())),
            Prepared::BothHolding => {
                self.must(|pair| pair.command(0, |call| call.hold()));
                self.must(|pair| pair.command(1, |call| call.hold()));
            }
            Prepared::ResumeOut => {
                self.must(|pair| pair.command(0, |call| call.hold()));
                self.until(|pair| pair.next_to(1).is_none() && pair.next_to(0).is_none());
                self.must(|pair| pair.command(0, |call| call.resume()));
            }
            Prepared::UpdateOut => {
                self.must(Self::break_connection);
                let is_update = |next: Option<String>| next.as_deref() == Some("UPDATE");
                self.until(|pair| is_update(pair.next_to(0)) || is_update(pair.next_to(1)));
            }
            Prepared::HangUpOut => self.must(|pair| pair.command(0, |call| call.hang_up())),
            Prepared::Reconnecting => self.must(Self::break_connection),
            Prepared::Ringing | Prepared::AnsweredUnacknowledged => {}
        }
    }
}
