//! All orders in which the messages, media jobs, timers and commands of two agents can happen.
//!
//! Two agents are connected directly: what one sends is in a queue to the other. From a prepared state every choice is
//! tried, then every choice after that, breadth first, to a depth; states seen before are not entered again. Each state
//! at the end is run to quiescence, where both ends have to agree. Agents are `Clone`, so nothing is ever replayed.

mod canonical;
mod pair;
mod prepared;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

pub use pair::Choice;
use pair::Pair;
pub use prepared::Prepared;

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Choices in a row.
    pub depth: usize,
    /// No more states than this.
    pub states: usize,
}

/// What was explored.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Different states entered.
    pub states: usize,
    /// Choices made.
    pub steps: usize,
    /// The deepest level that was entered completely.
    pub depth: usize,
    /// The choices that led to something wrong, and what that is.
    pub violation: Option<(Vec<Choice>, String)>,
}

/// Explores everything that can happen from a prepared state.
pub fn explore(from: Prepared, limits: Limits) -> Explored {
    let start = Pair::prepared(from);
    let mut seen = BTreeSet::from([start.digest()]);
    let mut queue = VecDeque::from([(start, Vec::new())]);
    let mut explored = Explored {
        states: 1,
        ..Explored::default()
    };
    while let Some((pair, path)) = queue.pop_front() {
        explored.depth = path.len();
        if path.len() == limits.depth || explored.states >= limits.states {
            if let Err(why) = pair.at_rest() {
                explored.violation = Some((path, why));
                return explored;
            }
            continue;
        }
        for choice in pair.choices() {
            let mut next = pair.clone();
            let mut way = path.clone();
            way.push(choice);
            explored.steps += 1;
            if let Err(why) = next.choose(choice) {
                explored.violation = Some((way, why));
                return explored;
            }
            if seen.insert(next.digest()) {
                explored.states += 1;
                queue.push_back((next, way));
            }
        }
    }
    explored
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states, steps, depth, ..
        } = self;
        write!(f, "{states} states, {steps} steps, depth {depth}")
    }
}
