//! The long runs: `clearline-model model [--minutes N] [--seed S]` and `clearline-model interleave [--depth N]
//! [--states N]`. `cargo xtask model` and `cargo xtask interleave` build this with optimisation and run it.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its terminal")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clearline_model::interleaving::{self, Limits, Prepared};
use clearline_model::{Budget, explore};
use clearline_sim::PlatformKind;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, usual: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok())
            .unwrap_or(usual)
    };
    match arguments.first().map(String::as_str) {
        Some("model") => model(number("--minutes", 1), number("--seed", 1)),
        Some("interleave") => interleave(number("--depth", 8), number("--states", 400_000)),
        _ => {
            println!("clearline-model model [--minutes N] [--seed S] | interleave [--depth N] [--states N]");
            ExitCode::FAILURE
        }
    }
}

fn model(minutes: u64, seed: u64) -> ExitCode {
    let start = Instant::now();
    let budget = Budget {
        seed,
        cases: usize::MAX,
        time: Duration::from_secs(60 * minutes),
    };
    let report = explore(&PlatformKind::ALL, budget);
    println!("{report}, from seed {seed} in {:.0?}", start.elapsed());
    match report.failure {
        Some((case, why)) => {
            println!("\n{case}\n{why}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn interleave(depth: u64, states: u64) -> ExitCode {
    let limits = Limits {
        depth: usize::try_from(depth).unwrap_or(8),
        states: usize::try_from(states).unwrap_or(usize::MAX),
    };
    let mut total = (0, 0);
    let mut result = ExitCode::SUCCESS;
    for from in Prepared::ALL {
        let start = Instant::now();
        let explored = interleaving::explore(from, limits);
        println!("{from:?}: {explored}, in {:.0?}", start.elapsed());
        total.0 += explored.states;
        total.1 += explored.steps;
        if let Some((path, why)) = explored.violation {
            println!("  {path:?}: {why}");
            result = ExitCode::FAILURE;
        }
    }
    println!("{} states, {} steps", total.0, total.1);
    result
}
