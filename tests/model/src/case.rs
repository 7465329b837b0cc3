//! One run: a platform, a seed, and what happens.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clearline_core::Rng;
use clearline_sim::PlatformKind;

use crate::model::Model;
use crate::transition::Transition;

/// Who is there and what they do. What has been found in one setting keeps its meaning, as the others have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Telephones for one call after the other, and hold.
    Plain,
    /// All that can be done with several calls and several devices, and conferences of the platform.
    Busy,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Busy];

    /// For output, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Busy => "busy",
        }
    }

    fn draw(self, rng: &mut Rng) -> Transition {
        match self {
            Self::Plain => Transition::draw(rng),
            Self::Busy => Transition::draw_busy(rng),
        }
    }
}

/// What is run. The same case always does the same.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where.
    pub kind: PlatformKind,
    /// Who.
    pub setting: Setting,
    /// Of the world.
    pub seed: u64,
    /// In this order.
    pub transitions: Vec<Transition>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Transitions that happened.
    pub transitions: usize,
    /// Commands of users that were accepted.
    pub accepted: u64,
    /// Digests of all states seen.
    pub states: BTreeSet<u64>,
    /// What is wrong, with the ladder; `None` if nothing is.
    pub failure: Option<String>,
}

impl Case {
    /// A case of `count` transitions drawn from `seed`.
    pub fn draw(kind: PlatformKind, setting: Setting, seed: u64, count: usize) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::new(bytes);
        let transitions = (0..count).map(|_| setting.draw(&mut rng)).collect();
        Self {
            kind,
            setting,
            seed,
            transitions,
        }
    }

    /// Runs it, to the first thing that is wrong.
    pub fn run(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let seed = self.seed.to_le_bytes().into_iter().fold(0, u8::wrapping_add);
        let mut model = Model::new(self.kind, self.setting, seed);
        let result = quietly(|| self.run_in(&mut model, &mut outcome));
        outcome.failure = result.err().map(|why| match why.contains('\n') {
            true => why,
            // A part of the world has stopped it, which does not know the ladder.
            false => format!("{why}\n{}", model.world.ladder().join("\n")),
        });
        outcome
    }

    fn run_in(&self, model: &mut Model, outcome: &mut Outcome) {
        for transition in &self.transitions {
            model.apply(*transition);
            outcome.transitions += 1;
            outcome.accepted = model.accepted;
            outcome.states.insert(model.digest());
            model.check_always();
            if *transition == Transition::Rest {
                model.check_rest();
                model.judge_calm();
            }
        }
        model.rest();
        model.check_rest();
        model.judge_calm();
        model.world.finish();
    }

    /// The same failure with fewer transitions: some are left out for as long as it still fails.
    pub fn shrunk(&self) -> Self {
        let mut best = self.clone();
        let mut size = best.transitions.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < best.transitions.len() {
                let mut fewer = best.clone();
                let end = (at + size).min(fewer.transitions.len());
                fewer.transitions.drain(at..end);
                if fewer.run().failure.is_some() {
                    best = fewer;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        best
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            setting,
            seed,
            transitions,
        } = self;
        write!(
            f,
            "MODEL_SEED={seed}, {} on {}, {} transitions: {transitions:?}",
            setting.name(),
            kind.name(),
            transitions.len()
        )
    }
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs something that may panic, and gives the message instead of printing it.
fn quietly(run: impl FnOnce()) -> Result<(), String> {
    static HOOK: std::sync::Once = std::sync::Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.with(Cell::get) {
                usual(info);
            }
        }));
    });
    IS_QUIET.with(|quiet| quiet.set(true));
    let result = catch_unwind(AssertUnwindSafe(run));
    IS_QUIET.with(|quiet| quiet.set(false));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "a panic without words".to_owned())
    })
}
