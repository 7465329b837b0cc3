//! The packets that wait to be decoded: slots of a fixed size, made once.

use crate::time::Instant;

/// Packets that can wait: 2.5 seconds of 20 ms packets, 320 ms of 2.5 ms packets.
pub(super) const CAPACITY: usize = 128;
/// The longest payload that is kept; longer ones would not have come in one piece.
pub(super) const LARGEST: usize = 1_500;

/// What waits under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The extended sequence number.
    pub(super) number: i64,
    /// Where the audio begins, in samples of the stream.
    pub(super) position: i64,
    pub(super) arrived: Instant,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    /// A copy of audio out of a later packet (RFC 2198), which gives way to the audio itself.
    Copy,
    ComfortNoise,
    /// A number that has come without audio.
    Padding,
    /// The sender has something else than audio to send: a telephone event.
    Event,
    /// What has been played already.
    Played,
}

impl Kind {
    fn is_audio(self) -> bool {
        match self {
            Self::Audio | Self::Copy | Self::ComfortNoise => true,
            Self::Padding | Self::Event | Self::Played => false,
        }
    }
}

/// The next audio there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) waiting: Waiting,
    /// How many numbers before it have not come.
    pub(super) missing: i64,
}

#[derive(Clone, Debug)]
struct Slot {
    waiting: Option<Waiting>,
    length: usize,
    payload: [u8; LARGEST],
}

impl Slot {
    const EMPTY: Self = Self {
        waiting: None,
        length: 0,
        payload: [0; LARGEST],
    };

    fn holds(&self, number: i64) -> bool {
        self.waiting.is_some_and(|waiting| waiting.number == number)
    }

    fn payload(&self) -> &[u8] {
        self.payload.get(..self.length).unwrap_or_default()
    }
}

/// Packets by number. Each has its slot, the one of its number modulo the capacity.
#[derive(Clone, Debug)]
pub(super) struct PacketStore {
    slots: Box<[Slot]>,
}

impl PacketStore {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![Slot::EMPTY; CAPACITY].into_boxed_slice(),
        }
    }

    /// Keeps a packet; an older one in its slot goes. `false` if the payload is too long, or its number is there already, or
    /// too old.
    pub(super) fn put(&mut self, waiting: Waiting, payload: &[u8]) -> bool {
        let is_copy = waiting.kind == Kind::Copy;
        let slot = self.slot_mut(waiting.number);
        let gives_way = slot.waiting.is_some_and(|held| held.kind == Kind::Copy) && !is_copy;
        let is_newer = slot.waiting.is_none_or(|held| held.number < waiting.number);
        let replaces = slot.holds(waiting.number) && gives_way;
        if !is_newer && !replaces {
            return false;
        }
        let Some(room) = slot.payload.get_mut(..payload.len()) else {
            return false;
        };
        room.copy_from_slice(payload);
        slot.length = payload.len();
        slot.waiting = Some(waiting);
        true
    }

    pub(super) fn get(&self, number: i64) -> Option<(Waiting, &[u8])> {
        let slot = self.slot(number);
        slot.waiting
            .filter(|waiting| waiting.number == number)
            .map(|waiting| (waiting, slot.payload()))
    }

    /// The first audio from `number` to `newest`.
    pub(super) fn head(&self, number: i64, newest: i64) -> Option<Head> {
        let last = newest.min(number.saturating_add(CAPACITY as i64 - 1));
        let mut missing = 0;
        for number in number..=last {
            match self.get(number) {
                Some((waiting, _)) if waiting.kind.is_audio() => return Some(Head { waiting, missing }),
                Some(_) => {}
                None => missing += 1,
            }
        }
        None
    }

    /// Notes that a number is done with; it stays known as long as its slot is not needed.
    pub(super) fn played(&mut self, number: i64) {
        let slot = self.slot_mut(number);
        if let Some(waiting) = slot.waiting.as_mut().filter(|waiting| waiting.number == number) {
            waiting.kind = Kind::Played;
        }
    }

    pub(super) fn clear(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.waiting = None);
    }

    fn slot(&self, number: i64) -> &Slot {
        &self.slots[index(number)]
    }

    fn slot_mut(&mut self, number: i64) -> &mut Slot {
        &mut self.slots[index(number)]
    }
}

fn index(number: i64) -> usize {
    number.rem_euclid(CAPACITY as i64) as usize
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn waiting(number: i64, kind: Kind) -> Waiting {
        Waiting {
            number,
            position: number * 960,
            arrived: Instant::ZERO,
            kind,
        }
    }

    #[test]
    fn packets_are_found_by_number_and_in_order() {
        let mut store = PacketStore::new();
        for number in [7, -3, 5] {
            assert!(store.put(waiting(number, Kind::Audio), &[number as u8]));
        }
        assert!(!store.put(waiting(5, Kind::Audio), &[9]), "twice");
        assert_eq!(store.get(5).map(|(_, payload)| payload), Some(&[5_u8][..]));
        let head = |store: &PacketStore, from, to| {
            let head = store.head(from, to);
            head.map(|head| (head.waiting.number, head.missing))
        };
        assert_eq!(head(&store, -4, 7), Some((-3, 1)));
        assert_eq!(head(&store, 6, 7), Some((7, 1)));
        assert_eq!(head(&store, 6, 6), None);
        store.played(7);
        assert_eq!(head(&store, 6, 7), None);
        assert!(!store.put(waiting(7, Kind::Audio), &[7]), "still known");
    }

    #[test]
    fn numbers_without_audio_are_not_missing() {
        let mut store = PacketStore::new();
        for (number, kind) in [(1, Kind::Padding), (3, Kind::Event), (4, Kind::Audio)] {
            assert!(store.put(waiting(number, kind), &[]));
        }
        assert_eq!(store.head(1, 4).map(|head| head.missing), Some(1));
    }

    #[test]
    fn a_copy_gives_way_to_the_audio_and_never_the_other_way_round() {
        let mut store = PacketStore::new();
        assert!(store.put(waiting(1, Kind::Copy), &[1]));
        assert!(store.put(waiting(1, Kind::Audio), &[2]));
        assert!(!store.put(waiting(1, Kind::Copy), &[3]));
        assert_eq!(store.get(1).map(|(_, payload)| payload), Some(&[2_u8][..]));
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let mut store = PacketStore::new();
        assert!(store.put(waiting(1, Kind::Audio), &[0; LARGEST]));
        assert!(!store.put(waiting(2, Kind::Audio), &[0; LARGEST + 1]));
        assert!(!store.put(waiting(3, Kind::Audio), &[0; 65_507]));
        assert_eq!(store.get(2), None);
    }
}
