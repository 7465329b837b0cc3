//! Many cases, for as long as there is time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use clearline_sim::PlatformKind;

use crate::case::Case;

/// Transitions per case.
const LENGTH: usize = 60;

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The first seed; the cases after it count on.
    pub seed: u64,
    /// No more cases than this.
    pub cases: usize,
    /// No longer than this.
    pub time: Duration,
}

/// What was run, and the first case that failed, shrunk.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many cases.
    pub cases: usize,
    /// How many transitions in all.
    pub transitions: usize,
    /// How many commands were accepted.
    pub accepted: u64,
    /// Different states of the whole system, as a user sees it.
    pub states: BTreeSet<u64>,
    /// The shortest case found that fails, and why it does.
    pub failure: Option<(String, String)>,
}

/// Runs cases on these platforms in turn, until the budget is spent or one fails.
pub fn explore(kinds: &[PlatformKind], budget: Budget) -> Report {
    let start = Instant::now();
    let mut report = Report::default();
    for number in 0..budget.cases {
        if start.elapsed() >= budget.time || kinds.is_empty() {
            break;
        }
        let seed = budget.seed.wrapping_add(number as u64);
        let case = Case::draw(kinds[number % kinds.len()], seed, LENGTH);
        report.take(&case);
        if report.failure.is_some() {
            break;
        }
    }
    report
}

impl Report {
    fn take(&mut self, case: &Case) {
        let outcome = case.run();
        self.cases += 1;
        self.transitions += outcome.transitions;
        self.accepted += outcome.accepted;
        self.states.extend(outcome.states);
        if outcome.failure.is_some() {
            let shrunk = case.shrunk();
            let why = shrunk.run().failure.unwrap_or_default();
            self.failure = Some((shrunk.to_string(), why));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cases,
            transitions,
            accepted,
            states,
            ..
        } = self;
        let states = states.len();
        write!(
            f,
            "{cases} cases, {transitions} transitions, {accepted} commands accepted, {states} distinct states"
        )
    }
}
