//! Many cases, for as long as there is time.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use clearline_sim::PlatformKind;

use crate::case::{Case, Setting};

/// Transitions per case.
const LENGTH: usize = 60;

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Who is there and what they do.
    pub setting: Setting,
    /// The first seed; the cases after it count on.
    pub seed: u64,
    /// No more cases than this.
    pub cases: usize,
    /// No longer than this.
    pub time: Duration,
    /// Whether the run goes on past cases that fail.
    pub goes_on: bool,
}

/// What was run, and the cases that failed: the first of each kind shrunk, the others as they were drawn.
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
    /// The cases that fail, and why they do.
    pub failures: Vec<(String, String)>,
    /// What has failed, on which platform.
    kinds: BTreeSet<String>,
}

/// Runs cases on these platforms in turn, until the budget is spent or one fails.
pub fn explore(kinds: &[PlatformKind], budget: Budget) -> Report {
    explore_watched(kinds, budget, |_| ())
}

/// As [`explore`]; `watch` is shown after each case what has been found so far.
pub fn explore_watched(kinds: &[PlatformKind], budget: Budget, mut watch: impl FnMut(&Report)) -> Report {
    let start = Instant::now();
    let mut report = Report::default();
    for number in 0..budget.cases {
        if start.elapsed() >= budget.time || kinds.is_empty() {
            break;
        }
        let seed = budget.seed.wrapping_add(number as u64);
        let case = Case::draw(kinds[number % kinds.len()], budget.setting, seed, LENGTH);
        report.take(&case);
        watch(&report);
        if !report.failures.is_empty() && !budget.goes_on {
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
        let Some(why) = outcome.failure else { return };
        if self
            .kinds
            .insert(format!("{} {}", case.kind.name(), kind_of(&why)))
        {
            let shrunk = case.shrunk();
            let why = shrunk.run().failure.unwrap_or_default();
            self.failures.push((shrunk.to_string(), why));
        } else {
            self.failures.push((case.to_string(), why));
        }
    }
}

/// What is wrong, without who, when and how many.
fn kind_of(why: &str) -> String {
    let what = why.lines().next().unwrap_or_default();
    let what = what.split_once("): ").map_or(what, |(_, what)| what);
    let words = what.split_whitespace().take(5);
    let words = words.map(|word| word.replace(|c: char| !c.is_alphabetic(), ""));
    words.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cases,
            transitions,
            accepted,
            states,
            failures,
            kinds: _,
        } = self;
        let (states, failures) = (states.len(), failures.len());
        write!(
            f,
            "{cases} cases, {transitions} transitions, {accepted} commands accepted, {states} distinct states, \
             {failures} violations"
        )
    }
}
