//! A mixer: everybody hears everybody else, and nobody himself.
//!
//! ```text
//! put(seat 0) --+                +--> others of 0 = total - own 0
//! put(seat 1) --+--> total ------+--> others of 1 = total - own 1
//! put(seat 2) --+                +--> others of 2 = total - own 2
//! ```
//! What is said is summed once and each takes out what is his, so that the cost grows with the number of parties and not
//! with its square. Time is cut into numbered rounds of one frame each. Whoever has a clock of his own counts rounds
//! himself and reads some rounds behind what he puts, so that the others may be that late.

use super::Level;

/// Rounds that are remembered.
const ROUNDS: usize = 4;
/// Samples up to this pass as they are; louder ones are bent.
const KNEE: u32 = 24_576;
/// No sample goes beyond this.
const CEILING: u32 = 32_767;

/// The place of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(usize);

/// Mixes the audio of a fixed number of seats, mono, 16 bit, at any rate. Nothing is allocated after its making.
#[derive(Clone, Debug)]
pub struct Mixer {
    frame: usize,
    seats: Vec<SeatState>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SeatState {
    is_taken: bool,
    level: Level,
}

/// What was said in one frame's time.
#[derive(Clone, Debug)]
struct Round {
    number: u64,
    total: Vec<i32>,
    /// Each seat's own samples, one seat after the other.
    own: Vec<i16>,
    has_spoken: Vec<bool>,
}

impl Mixer {
    /// A mixer with so many free seats and frames of so many samples.
    pub fn new(seats: usize, frame: usize) -> Self {
        let round = Round {
            number: 0,
            total: vec![0; frame],
            own: vec![0; seats * frame],
            has_spoken: vec![false; seats],
        };
        Self {
            frame,
            seats: vec![SeatState::default(); seats],
            rounds: vec![round; ROUNDS],
        }
    }

    /// Takes a free seat, if there is one.
    pub fn join(&mut self) -> Option<Seat> {
        let free = self.seats.iter().position(|seat| !seat.is_taken)?;
        let seat = self.seats.get_mut(free)?;
        *seat = SeatState {
            is_taken: true,
            level: Level::default(),
        };
        Some(Seat(free))
    }

    /// Gives a seat back; what was said there is not heard any more.
    pub fn leave(&mut self, seat: Seat) {
        for round in &mut self.rounds {
            round.take_back(seat, self.frame);
        }
        if let Some(state) = self.seats.get_mut(seat.0) {
            state.is_taken = false;
        }
    }

    /// How many seats are taken.
    pub fn taken(&self) -> usize {
        self.seats.iter().filter(|seat| seat.is_taken).count()
    }

    /// How loud a seat's last frame was.
    pub fn level(&self, seat: Seat) -> Level {
        self.seats.get(seat.0).map(|seat| seat.level).unwrap_or_default()
    }

    /// What is said at `seat` in a round. A frame for a round that is forgotten already is dropped; a second one for the
    /// same round replaces the first.
    pub fn put(&mut self, seat: Seat, round: u64, samples: &[i16]) {
        let frame = self.frame;
        let Some(state) = self.seats.get_mut(seat.0).filter(|state| state.is_taken) else {
            return;
        };
        state.level = Level::of(samples);
        let Some(slot) = self.rounds.get_mut(slot_of(round)) else {
            return;
        };
        if slot.number < round {
            slot.begin(round);
        }
        if slot.number == round {
            slot.put(seat, frame, samples);
        }
    }

    /// Adds what everybody else has said in a round to `frame`, which holds what the party at `seat` hears besides: the
    /// microphone of the one who mixes, for example. The sum does not clip.
    pub fn add_others(&self, seat: Seat, round: u64, frame: &mut [i16]) {
        let Some(slot) = self
            .rounds
            .get(slot_of(round))
            .filter(|slot| slot.number == round)
        else {
            return;
        };
        let own = slot.own_of(seat, self.frame);
        for ((sample, total), own) in frame.iter_mut().zip(&slot.total).zip(own) {
            *sample = limited(i32::from(*sample) + total - i32::from(*own));
        }
    }
}

impl Round {
    fn begin(&mut self, number: u64) {
        self.number = number;
        self.total.fill(0);
        self.own.fill(0);
        self.has_spoken.fill(false);
    }

    fn put(&mut self, seat: Seat, frame: usize, samples: &[i16]) {
        self.take_back(seat, frame);
        let own = self.own.iter_mut().skip(seat.0 * frame).take(frame);
        for ((own, total), sample) in own.zip(&mut self.total).zip(samples) {
            *own = *sample;
            *total += i32::from(*sample);
        }
        if let Some(has_spoken) = self.has_spoken.get_mut(seat.0) {
            *has_spoken = true;
        }
    }

    fn take_back(&mut self, seat: Seat, frame: usize) {
        let has_spoken = self.has_spoken.get_mut(seat.0).is_some_and(std::mem::take);
        if !has_spoken {
            return;
        }
        let own = self.own.iter_mut().skip(seat.0 * frame).take(frame);
        for (own, total) in own.zip(&mut self.total) {
            *total -= i32::from(std::mem::take(own));
        }
    }

    fn own_of(&self, seat: Seat, frame: usize) -> &[i16] {
        self.own
            .get(seat.0 * frame..(seat.0 + 1) * frame)
            .unwrap_or_default()
    }
}

fn slot_of(round: u64) -> usize {
    (round % ROUNDS as u64) as usize
}

/// A soft limiter without memory: above the knee a sample is bent towards the ceiling, which it never passes. The bend
/// begins with the slope of one, so that it has no corner to be heard.
fn limited(sample: i32) -> i16 {
    let magnitude = sample.unsigned_abs();
    let bent = match magnitude.checked_sub(KNEE) {
        None => magnitude,
        Some(over) => {
            let room = u64::from(CEILING - KNEE);
            let over = u64::from(over);
            KNEE + (room * over / (room + over)) as u32
        }
    };
    let bent = i16::try_from(bent).unwrap_or(i16::MAX);
    if sample < 0 { -bent } else { bent }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const FRAME: usize = 4;

    fn heard(mixer: &Mixer, seat: Seat, round: u64) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        mixer.add_others(seat, round, &mut frame);
        frame
    }

    fn mixer_of<const N: usize>() -> (Mixer, [Seat; N]) {
        let mut mixer = Mixer::new(N, FRAME);
        let seats = std::array::from_fn(|_| mixer.join().unwrap());
        (mixer, seats)
    }

    #[test]
    fn everybody_hears_exactly_the_others() {
        let (mut mixer, seats) = mixer_of::<8>();
        for round in 1..20 {
            for (at, seat) in seats.iter().enumerate() {
                mixer.put(*seat, round, &[1 << at; FRAME]);
            }
            for (at, seat) in seats.iter().enumerate() {
                assert_eq!(heard(&mixer, *seat, round), [0xff - (1 << at); FRAME]);
            }
        }
    }

    #[test]
    fn who_says_nothing_is_silent_and_rounds_are_forgotten() {
        let (mut mixer, [one, other]) = mixer_of::<2>();
        mixer.put(one, 5, &[7; FRAME]);
        assert_eq!(heard(&mixer, other, 5), [7; FRAME]);
        assert_eq!(heard(&mixer, other, 6), [0; FRAME]);
        mixer.put(one, 5 + ROUNDS as u64, &[9; FRAME]);
        assert_eq!(heard(&mixer, other, 5), [0; FRAME], "forgotten");
        mixer.put(one, 5, &[7; FRAME]);
        assert_eq!(heard(&mixer, other, 5), [0; FRAME], "too late");
        assert_eq!(heard(&mixer, other, 5 + ROUNDS as u64), [9; FRAME]);
    }

    #[test]
    fn a_second_frame_replaces_the_first() {
        let (mut mixer, [one, other]) = mixer_of::<2>();
        mixer.put(one, 1, &[7; FRAME]);
        mixer.put(one, 1, &[3; FRAME]);
        assert_eq!(heard(&mixer, other, 1), [3; FRAME]);
        assert_eq!(heard(&mixer, one, 1), [0; FRAME]);
    }

    #[test]
    fn whoever_leaves_is_not_heard_and_the_seat_is_free() {
        let (mut mixer, [one, other]) = mixer_of::<2>();
        assert_eq!(mixer.join(), None);
        mixer.put(one, 1, &[7; FRAME]);
        mixer.leave(one);
        assert_eq!(heard(&mixer, other, 1), [0; FRAME]);
        mixer.put(one, 1, &[7; FRAME]);
        assert_eq!(
            heard(&mixer, other, 1),
            [0; FRAME],
            "a seat that is not taken is silent"
        );
        assert_eq!(mixer.taken(), 1);
        let third = mixer.join().unwrap();
        assert_eq!(heard(&mixer, third, 1), [0; FRAME]);
    }

    #[test]
    fn what_is_there_already_is_part_of_the_sum() {
        let (mut mixer, [one, other]) = mixer_of::<2>();
        mixer.put(one, 1, &[100; FRAME]);
        let mut frame = [11; FRAME];
        mixer.add_others(other, 1, &mut frame);
        assert_eq!(frame, [111; FRAME]);
        assert!((mixer.level(one).peak() - 100.0 / 32_768.0).abs() < 1e-9);
    }

    #[test]
    fn eight_who_shout_do_not_clip() {
        let (mut mixer, seats) = mixer_of::<8>();
        for seat in seats {
            mixer.put(seat, 1, &[i16::MAX, i16::MIN, 20_000, -1]);
        }
        let [high, low, loud, quiet] = heard(&mixer, seats[0], 1);
        assert!(high > 30_000 && high < i16::MAX);
        assert!(low < -30_000 && low > -i16::MAX);
        assert!(loud < high && quiet == -7);
    }

    #[test]
    fn the_limiter_is_smooth_and_keeps_the_order() {
        let mut before = limited(-300_000);
        for sample in (-300_000..300_000).step_by(7) {
            let now = limited(sample);
            assert!(now >= before && i32::from(now) - i32::from(before) <= 8);
            assert_eq!(now, -limited(-sample));
            before = now;
        }
        for sample in [0, 1, -1, 24_576, -24_576] {
            assert_eq!(i32::from(limited(sample)), sample, "untouched");
        }
    }
}
