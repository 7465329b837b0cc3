//! What is said: half of it by a synthesizer, half by a person (Debian's `asterisk-core-sounds-en-wav`).

use std::path::Path;
use std::process::Command;

use clearline_quality::kind::WINDOW;
use clearline_quality::{FRAME, SAMPLE_RATE, speech};

use crate::Result;

/// Where Debian has them.
const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const NATURAL: [&str; 8] = [
    "basic-pbx-ivr-main",
    "all-circuits-busy-now",
    "call-forwarding",
    "cannot-complete-as-dialed",
    "check-number-dial-again",
    "demo-abouttotry",
    "demo-enterkeywords",
    "demo-moreinfo",
];
const SYNTHETIC: &str = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It is easy to tell \
    the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls. The juice of lemons makes \
    fine punch. The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage.";

/// Exactly one window of speech at 48 kHz.
pub(crate) fn window() -> Result<Vec<i16>> {
    let half = WINDOW * FRAME / 2;
    let synthetic = std::env::temp_dir().join(format!("clearline-synthetic-{}.wav", std::process::id()));
    let spoken = Command::new("espeak-ng")
        .arg("-s150")
        .arg("-w")
        .arg(&synthetic)
        .arg(SYNTHETIC)
        .status();
    if !spoken.is_ok_and(|status| status.success()) {
        return Err("espeak-ng is needed for the synthetic voice".into());
    }
    let mut window = speech::read(&synthetic)?;
    std::fs::remove_file(&synthetic)?;
    window.resize(half, 0);
    for name in NATURAL {
        let file = Path::new(PROMPTS).join(name).with_extension("wav");
        let spoken = speech::read(&file).map_err(|error| {
            format!(
                "{}: {error}; apt-get install asterisk-core-sounds-en-wav",
                file.display()
            )
        })?;
        window.extend(spoken);
        window.extend(vec![0; SAMPLE_RATE as usize * 3 / 10]);
    }
    if window.len() < 2 * half {
        return Err("the prompts are too short".into());
    }
    window.truncate(2 * half);
    Ok(window)
}
