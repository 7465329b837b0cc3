//! The tones of a telephone's keys (ITU-T Q.23).

use super::{Note, Notes, Partial, Pattern, Shape};

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
/// Peak amplitudes of -11 and -9 dBm0, the nominal levels of ETSI ES 201 235-2: the higher tone is 2 dB louder, as lines
/// weaken it more (Q.24 has receivers stand at least 4 dB).
const LOW: f32 = 0.196_3;
const HIGH: f32 = 0.247_2;

/// The two frequencies of a key, 0 to 9, `*`, `#` or A to D, for a time; `None` if it is no key.
pub fn dtmf(key: char, milliseconds: u32) -> Option<Pattern> {
    let key = key.to_ascii_uppercase();
    let mut places = KEYS
        .iter()
        .zip(ROWS)
        .filter_map(|(keys, row)| Some((keys.find(key)?, row)));
    let (column, row) = places.next()?;
    let partials = [
        Partial {
            hertz: row,
            level: LOW,
        },
        Partial {
            hertz: *COLUMNS.get(column)?,
            level: HIGH,
        },
    ];
    Some(Pattern {
        notes: Notes::One(Note {
            partials,
            milliseconds,
        }),
        shape: Shape::Steady,
        repeats: false,
    })
}
