//! Part of all interleavings; `cargo xtask interleave` walks through the whole.
#![expect(clippy::print_stdout, reason = "the figures are part of what the run shows")]

use clearline_model::interleaving::{Limits, Prepared, explore};

/// States per prepared state, in a build without optimisation.
const STATES: usize = 500;

fn walk(from: Prepared) {
    let limits = Limits {
        depth: 8,
        states: STATES,
    };
    let explored = explore(from, limits);
    println!("{from:?}: {explored}");
    if let Some((path, why)) = explored.violation {
        panic!("{from:?} then {path:?}: {why}");
    }
    assert!(explored.states > 50, "there is more that can happen");
}

#[test]
fn ringing() {
    walk(Prepared::Ringing);
}

#[test]
fn answered_unacknowledged() {
    walk(Prepared::AnsweredUnacknowledged);
}

#[test]
fn reinvite_out() {
    walk(Prepared::ReinviteOut);
}

#[test]
fn both_holding() {
    walk(Prepared::BothHolding);
}

#[test]
fn resume_out() {
    walk(Prepared::ResumeOut);
}

#[test]
fn update_out() {
    walk(Prepared::UpdateOut);
}

#[test]
fn hang_up_out() {
    walk(Prepared::HangUpOut);
}

#[test]
fn reconnecting() {
    walk(Prepared::Reconnecting);
}
