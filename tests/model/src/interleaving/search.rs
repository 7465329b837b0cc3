//! Every choice from a prepared state, then every choice after that, breadth first.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::choice::{Bounds, Choice};
use super::prepared::Prepared;
use super::scene::Scene;

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Choices in a row; no more than [`Prepared::depth`].
    pub depth: usize,
    /// No more states than this; `None`: all there are.
    pub states: Option<usize>,
}

/// What was explored.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Different states entered.
    pub states: usize,
    /// Choices made.
    pub steps: usize,
    /// Down to here every state has been entered.
    pub depth: usize,
    /// What was allowed on a path.
    pub bounds: Bounds,
    /// The choices that led to something wrong, and what that is.
    pub violation: Option<(Vec<Choice>, String)>,
}

/// Explores everything that can happen from a prepared state.
///
/// A state is entered once: two are the same if their fingerprints (`form`) are. Those at the end of a path are
/// run to quiescence, where all have to agree.
///
/// Of two choices that commute (`Choice::commutes_with`) and were both possible before the first, only one order is
/// tried: after `b`, `a` is left out if it comes first in the order of choices. No state is missed by that. Suppose
/// that `s`, first reached after `n` choices, were: the last choice on the way to it, `a`, was left out after `b`, so
/// `s` is also reached by `b` after `a`. The state between is reached after `n - 1` choices, by induction, and if `b` was
/// left out there, it was for yet another choice that comes after `b` in the order. This goes on to ever later
/// choices, of which there are not infinitely many.
pub fn explore(from: &Prepared, limits: Limits) -> Explored {
    let start = from.scene();
    let depth = limits.depth.min(from.depth);
    let mut search = Search::new(start.bounds, Limits { depth, ..limits });
    let done = search.run(start);
    if let Err((path, why)) = done {
        search.explored.violation = Some((path, why));
    }
    search.explored
}

/// The same path again, as the messages that are sent on it and until everything has come to rest.
pub fn ladder(from: &Prepared, path: &[Choice]) -> Vec<String> {
    let mut scene = from.scene();
    scene.ladder = Some(Vec::new());
    for choice in path {
        scene.note(format!("{choice:?}"));
        if guarded(|| scene.choose(*choice)).is_err() {
            return scene.ladder.unwrap_or_default();
        }
    }
    scene.note("and then, by itself".to_owned());
    let _ = guarded(|| scene.comes_to_rest());
    scene.ladder.unwrap_or_default()
}

type Violation = (Vec<Choice>, String);

/// A state that has been entered and not been left.
struct Node {
    scene: Scene,
    /// In [`Search::steps`]; beyond them at the start.
    number: usize,
    /// The choice that led here, and what else was possible there.
    last: Option<Choice>,
    beside: Arc<[Choice]>,
}

impl Node {
    /// Whether where `choice` leads is reached in the other order.
    fn is_covered(&self, choice: Choice) -> bool {
        self.last
            .is_some_and(|last| choice < last && choice.commutes_with(last) && self.beside.contains(&choice))
    }
}

struct Search {
    limits: Limits,
    explored: Explored,
    seen: HashSet<u128>,
    /// States that lead to a good rest.
    good: HashSet<u128>,
    /// How each state that was entered came about: from which, by which choice.
    steps: Vec<(usize, Choice)>,
    scratch: String,
}

impl Search {
    fn new(bounds: Bounds, limits: Limits) -> Self {
        Self {
            limits,
            explored: Explored {
                states: 1,
                steps: 0,
                depth: 0,
                bounds,
                violation: None,
            },
            seen: HashSet::new(),
            good: HashSet::new(),
            steps: Vec::new(),
            scratch: String::new(),
        }
    }

    fn run(&mut self, mut start: Scene) -> Result<(), Violation> {
        self.seen.insert(start.first_fingerprint(&mut self.scratch));
        let mut level = vec![Node {
            scene: start,
            number: usize::MAX,
            last: None,
            beside: [].into(),
        }];
        for depth in 1..=self.limits.depth {
            let mut next = Vec::new();
            for node in level {
                if self.is_full() {
                    self.rest(node)?;
                    continue;
                }
                let choices: Arc<[Choice]> = node.scene.choices().into();
                if choices.is_empty() {
                    // Nothing more can happen, or may: this is the end of the path.
                    self.rest(node)?;
                    continue;
                }
                for choice in choices.iter().filter(|choice| !node.is_covered(**choice)) {
                    let Some((scene, number)) = self.step(&node, *choice)? else {
                        continue;
                    };
                    let after = Node {
                        scene,
                        number,
                        last: Some(*choice),
                        beside: Arc::clone(&choices),
                    };
                    match depth == self.limits.depth {
                        true => self.rest(after)?,
                        false => next.push(after),
                    }
                }
            }
            if self.is_full() && !next.is_empty() {
                return next.into_iter().try_for_each(|node| self.rest(node));
            }
            self.explored.depth = depth;
            level = next;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.limits
            .states
            .is_some_and(|most| self.explored.states >= most)
    }

    /// The state after a choice, if it is a new one.
    fn step(&mut self, before: &Node, choice: Choice) -> Result<Option<(Scene, usize)>, Violation> {
        let mut after = before.scene.clone();
        self.explored.steps += 1;
        guarded(|| after.choose(choice)).map_err(|why| {
            let mut path = self.path(before.number);
            path.push(choice);
            (path, why)
        })?;
        let fingerprint = after.fingerprint(&before.scene, &mut self.scratch);
        if !self.seen.insert(fingerprint) {
            return Ok(None);
        }
        self.explored.states += 1;
        self.steps.push((before.number, choice));
        Ok(Some((after, self.steps.len() - 1)))
    }

    fn rest(&mut self, node: Node) -> Result<(), Violation> {
        let good = &mut self.good;
        guarded(|| node.scene.rests(good)).map_err(|why| (self.path(node.number), why))
    }

    fn path(&self, mut node: usize) -> Vec<Choice> {
        let mut path = Vec::new();
        while let Some((before, choice)) = self.steps.get(node) {
            path.push(*choice);
            node = *before;
        }
        path.reverse();
        path
    }
}

/// A panic is something wrong like any other; its words are printed where it happens.
fn guarded(step: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err("it panics".to_owned()))
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states, steps, depth, ..
        } = self;
        write!(f, "{states} states, {steps} steps, all to depth {depth}")
    }
}
