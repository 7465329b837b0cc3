//! Conferences of this backend: sessions that hear each other.
//!
//! Each session has a clock of its own, so each counts its own rounds and reads [`BEHIND`] of them behind what it puts:
//! what a party says reaches the others 20 to 60 ms later than the one who mixes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use clearline_core::ConferenceId;
use clearline_core::media::{Mixer, Seat};
use tokio::time::Instant;

use crate::audio::FRAME;

/// Parties of one conference, unless said otherwise.
pub(crate) const SEATS: usize = 8;
/// Rounds by which a session may be late without being missed by the others.
const BEHIND: u64 = 2;
/// The length of a round.
const ROUND_MS: u64 = 20;

/// The conferences there are. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Conferences {
    mixers: Arc<Mutex<BTreeMap<ConferenceId, Weak<Mutex<Mixer>>>>>,
    /// When round 0 began.
    epoch: Instant,
    /// Of one conference.
    seats: usize,
}

/// A session's place in a conference; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Chair {
    mixer: Arc<Mutex<Mixer>>,
    seat: Seat,
    epoch: Instant,
    round: u64,
}

impl Conferences {
    pub(crate) fn new(seats: usize) -> Self {
        Self {
            mixers: Arc::default(),
            epoch: Instant::now(),
            seats,
        }
    }

    /// Takes a place; `None` if all are taken.
    pub(crate) fn join(&self, conference: ConferenceId) -> Option<Chair> {
        let mut mixers = locked(&self.mixers);
        mixers.retain(|_, mixer| mixer.strong_count() > 0);
        let mixer = mixers.get(&conference).and_then(Weak::upgrade);
        let mixer = mixer.unwrap_or_else(|| Arc::new(Mutex::new(Mixer::new(self.seats, FRAME))));
        mixers.insert(conference, Arc::downgrade(&mixer));
        let seat = locked(&mixer).join()?;
        Some(Chair {
            mixer,
            seat,
            epoch: self.epoch,
            round: present_round(self.epoch),
        })
    }
}

impl Chair {
    /// The next round begins: adds to `frame` what the others have said.
    pub(crate) fn hear(&mut self, frame: &mut [i16]) {
        self.round += 1;
        locked(&self.mixer).add_others(self.seat, self.round.saturating_sub(BEHIND), frame);
    }

    /// What this session's party says in this round.
    pub(crate) fn say(&self, frame: &[i16]) {
        locked(&self.mixer).put(self.seat, self.round, frame);
    }

    /// Goes on with the present round, after rounds have been left out.
    pub(crate) fn resume(&mut self) {
        self.round = present_round(self.epoch);
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        locked(&self.mixer).leave(self.seat);
    }
}

/// Counted so that there are rounds before the first one that is heard.
fn present_round(epoch: Instant) -> u64 {
    BEHIND + epoch.elapsed().as_millis() as u64 / ROUND_MS
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chairs that have begun in the same round.
    fn chairs<const N: usize>(conferences: &Conferences, ids: [u64; N]) -> [Chair; N] {
        ids.map(|id| {
            let mut chair = conferences.join(ConferenceId(id)).unwrap();
            chair.round = 100;
            chair
        })
    }

    fn tick(chairs: &mut [Chair]) -> Vec<i16> {
        let mut heard = Vec::new();
        for (chair, said) in chairs.iter_mut().zip([1, 10, 100]) {
            let mut frame = [0; FRAME];
            chair.hear(&mut frame);
            chair.say(&[said; FRAME]);
            heard.push(frame[0]);
        }
        heard
    }

    #[test]
    fn each_hears_the_others_two_rounds_later() {
        let conferences = Conferences::new(SEATS);
        let mut chairs = Vec::from(chairs(&conferences, [1; 3]));
        let heard: Vec<Vec<i16>> = (0..4).map(|_| tick(&mut chairs)).collect();
        let all = vec![110, 101, 11];
        assert_eq!(heard, [vec![0; 3], vec![0; 3], all.clone(), all]);
        chairs.pop();
        assert_eq!(tick(&mut chairs), [10, 1], "who has left is not heard");
    }

    #[test]
    fn conferences_do_not_hear_each_other_and_end_with_the_last_party() {
        let conferences = Conferences::new(SEATS);
        let mut chairs = chairs(&conferences, [1, 2, 3]);
        for _ in 0..5 {
            assert_eq!(tick(&mut chairs), [0; 3]);
        }
        drop(chairs);
        let _other = conferences.join(ConferenceId(9));
        assert_eq!(locked(&conferences.mixers).len(), 1);
    }

    #[test]
    fn a_session_that_is_late_by_a_round_is_heard_all_the_same() {
        let conferences = Conferences::new(SEATS);
        let mut chairs = chairs(&conferences, [1; 2]);
        tick(&mut chairs[..1]);
        let heard: Vec<Vec<i16>> = (0..6).map(|_| tick(&mut chairs)).collect();
        assert_eq!(heard[2..], [[10, 1]; 4].map(Vec::from));
    }

    #[test]
    fn a_session_that_has_slept_goes_on_with_the_present_round() {
        let conferences = Conferences::new(SEATS);
        let mut chairs = chairs(&conferences, [1; 2]);
        for _ in 0..50 {
            tick(&mut chairs[..1]);
        }
        chairs[1].round = chairs[0].round;
        let heard: Vec<Vec<i16>> = (0..4).map(|_| tick(&mut chairs)).collect();
        assert_eq!(heard[2..], [[10, 1]; 2].map(Vec::from));
    }

    #[test]
    fn nine_are_too_many() {
        let conferences = Conferences::new(SEATS);
        let all: Vec<_> = (0..9).map(|_| conferences.join(ConferenceId(1))).collect();
        assert_eq!(all.iter().flatten().count(), SEATS);
    }
}
