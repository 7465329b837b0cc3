//! What an incoming call sounds like: the melodies of the app (`web/app/src/audio/sounds.ts`).

use super::{Note, Notes, Pattern, Shape};

/// A melody for incoming calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingTone {
    /// Two bells in quick turn, one second in four: the telephone everybody recognises.
    #[default]
    Classic,
    /// Four rising notes and their echo, for a shared office.
    Chime,
}

impl RingTone {
    /// The melody, again and again.
    pub fn pattern(self) -> Pattern {
        let notes: &'static [Note] = match self {
            Self::Classic => &CLASSIC,
            Self::Chime => &CHIME,
        };
        Pattern {
            notes: Notes::Several(notes),
            shape: Shape::Bell,
            repeats: true,
        }
    }
}

const LOW_BELL: Note = Note::new(80, 0.7, [1_040.0, 2_080.0]);
const HIGH_BELL: Note = Note::new(80, 0.7, [1_300.0, 2_600.0]);

const CLASSIC: [Note; 13] = [
    LOW_BELL,
    HIGH_BELL,
    LOW_BELL,
    HIGH_BELL,
    LOW_BELL,
    HIGH_BELL,
    LOW_BELL,
    HIGH_BELL,
    LOW_BELL,
    HIGH_BELL,
    LOW_BELL,
    HIGH_BELL,
    Note::new(3_040, 0.0, [0.0; 2]),
];

const CHIME: [Note; 7] = [
    Note::new(180, 0.6, [523.25, 1_046.5]),
    Note::new(180, 0.6, [659.25, 1_318.5]),
    Note::new(180, 0.6, [783.99, 1_567.98]),
    Note::new(700, 0.6, [1_046.5, 2_093.0]),
    Note::new(180, 0.6, [783.99, 1_567.98]),
    Note::new(780, 0.6, [1_046.5, 2_093.0]),
    Note::new(1_800, 0.0, [0.0; 2]),
];
