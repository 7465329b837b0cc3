//! A user agent, a script of what happens around it, and the promises of its interface.

mod command;
mod documents;
mod far_end;
mod machine;
mod script;

pub use script::{Script, Step};

use clearline_core::recording::Record;

use crate::mutation::Dice;
use machine::Machine;

/// Longer scripts find nothing that shorter ones do not.
const MAX_STEPS: usize = 192;

pub(crate) fn run(data: &[u8]) {
    let script = Script::read(data);
    play(Machine::new(script.setup), script.steps);
}

/// Plays a script, and returns the log of it.
pub fn record(data: &[u8]) -> Vec<Record> {
    let script = Script::read(data);
    play(Machine::recorded(script.setup), script.steps).into_log()
}

fn play(mut machine: Machine, steps: Vec<Step>) -> Machine {
    for step in steps.into_iter().take(MAX_STEPS) {
        machine.take(step);
    }
    machine.finish();
    machine
}

/// One step inserted, removed, replaced, repeated or exchanged; `None` in one case of four.
pub(crate) fn mutate(data: &[u8], max: usize, seed: u32) -> Option<Vec<u8>> {
    let mut dice = Dice::new(seed);
    if dice.below(4) == 0 {
        return None;
    }
    let mut script = Script::read(data);
    for _ in 0..=dice.below(3) {
        let (at, other) = (dice.below(script.steps.len()), dice.below(script.steps.len()));
        match dice.below(6) {
            0 | 1 => script
                .steps
                .insert(at.min(script.steps.len()), Step::drawn(&mut dice)),
            _ if script.steps.is_empty() => {}
            2 => script.steps[at] = Step::drawn(&mut dice),
            3 => drop(script.steps.remove(at)),
            4 => script.steps.insert(at, script.steps[other]),
            _ => script.steps.swap(at, other),
        }
    }
    let bytes = script.write();
    (bytes.len() <= max).then_some(bytes)
}
