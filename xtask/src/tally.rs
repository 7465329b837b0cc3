//! Counts of passed and failed tests, read from what the test programs print.

use std::fmt;
use std::ops::AddAssign;

/// How many passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl Tally {
    /// A check that is one test.
    pub(crate) fn check(holds: bool) -> Self {
        Tally {
            passed: u32::from(holds),
            failed: u32::from(!holds),
        }
    }

    /// Reads one line of a test program's output: cargo and wasm-bindgen, Node.js's spec reporter, or vitest.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if let Some(result) = line.strip_prefix("test result: ") {
            self.add_pairs(
                result
                    .split_once(". ")
                    .map_or(result, |(_, counts)| counts)
                    .split(';'),
            );
        } else if let Some(count) = line.strip_prefix("ℹ pass ") {
            self.passed += number(count);
        } else if let Some(count) = line
            .strip_prefix("ℹ fail ")
            .or_else(|| line.strip_prefix("ℹ cancelled "))
        {
            self.failed += number(count);
        } else if let Some(result) = line.strip_prefix("Tests  ") {
            self.add_pairs(result.split('(').next().unwrap_or_default().split('|'));
        }
    }

    /// The count of a finished program: an error that no test reported is a failure, and so is a suite without tests.
    pub(crate) fn finished(mut self, success: bool) -> Self {
        let ran_nothing = self.passed == 0;
        if self.failed == 0 && (!success || ran_nothing) {
            self.failed = 1;
        }
        self
    }

    fn add_pairs<'a>(&mut self, pairs: impl Iterator<Item = &'a str>) {
        for pair in pairs {
            match pair.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += number(count),
                Some((count, "failed")) => self.failed += number(count),
                _ => {}
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or(0)
}

/// Without terminal colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn cargo_results_of_several_crates_add_up() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test a::b ... ok",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        assert_eq!(
            read(&lines),
            Tally {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn node_and_vitest_summaries_are_read() {
        assert_eq!(
            read(&["ℹ tests 5", "ℹ pass 3", "ℹ fail 1", "ℹ cancelled 1"]),
            Tally { passed: 3, failed: 2 }
        );
        assert_eq!(
            read(&[
                " Test Files  1 passed (1)",
                "      Tests  1 failed | 11 passed (12)"
            ]),
            Tally {
                passed: 11,
                failed: 1
            }
        );
        assert_eq!(
            read(&["\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m4 passed\u{1b}[39m\u{1b}[22m (4)"])
                .passed,
            4
        );
    }

    #[test]
    fn a_crash_is_a_failure_and_so_is_a_suite_that_ran_nothing() {
        assert_eq!(
            Tally { passed: 4, failed: 0 }.finished(false),
            Tally { passed: 4, failed: 1 }
        );
        assert_eq!(Tally::default().finished(true), Tally { passed: 0, failed: 1 });
        assert_eq!(
            Tally { passed: 4, failed: 2 }.finished(false),
            Tally { passed: 4, failed: 2 }
        );
        assert_eq!(
            Tally { passed: 4, failed: 0 }.finished(true),
            Tally { passed: 4, failed: 0 }
        );
    }
}
