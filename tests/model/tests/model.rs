//! A short run of the model with fixed seeds on every platform. `MODEL_SEED=n` runs that case alone, and shows it.
#![expect(clippy::print_stdout, reason = "the figures are part of what the run shows")]

use std::time::Duration;

use clearline_model::{Budget, Case, Setting, explore};
use clearline_sim::PlatformKind;

mod mended;

/// In case the machine is slow; the number of cases is what counts.
const PATIENCE: Duration = Duration::from_secs(300);

fn run(kind: usize, setting: Setting) {
    let seed = std::env::var("MODEL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let budget = Budget {
        setting,
        seed: seed.unwrap_or(1),
        cases: if seed.is_some() { 1 } else { 30 },
        time: PATIENCE,
        goes_on: false,
    };
    let report = explore(&[PlatformKind::ALL[kind]], budget);
    println!("{}: {report}", PlatformKind::ALL[kind].name());
    if let Some((case, why)) = report.failures.first() {
        panic!("{case}\n{why}");
    }
    assert_eq!(report.cases, budget.cases, "there was no time for all of them");
    // Of many cases, not of the one that is asked for: that may be a quiet one.
    assert!(
        seed.is_some() || report.accepted > 5 * report.cases as u64,
        "the model does next to nothing"
    );
}

macro_rules! platforms {
    ($module:ident, $setting:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn proxy() {
                run(0, $setting);
            }

            #[test]
            fn asterisk() {
                run(1, $setting);
            }

            #[test]
            fn freeswitch() {
                run(2, $setting);
            }

            #[test]
            fn openscape() {
                run(3, $setting);
            }
        }
    };
}

platforms!(plain, Setting::Plain);
platforms!(busy, Setting::Busy);

/// Cases that have found something once.
#[test]
fn what_has_been_mended_stays_so() {
    let plain = mended::PLAIN.iter().map(|case| (Setting::Plain, case));
    let busy = mended::BUSY.iter().map(|case| (Setting::Busy, case));
    for (setting, (kind, seed, transitions)) in plain.chain(busy) {
        let (kind, seed) = (*kind, *seed);
        let case = Case {
            kind: PlatformKind::ALL[kind],
            setting,
            seed,
            transitions: transitions.to_vec(),
        };
        if let Some(why) = case.run().failure {
            panic!("{case}\n{why}");
        }
    }
}
