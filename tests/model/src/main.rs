//! The long runs: `clearline-model model [--minutes N] [--seed S] [--cases N] [--platform NAME] [--setting NAME] [--go-on]`
//! and `clearline-model interleave [--depth N] [--states N] [--from WORDS]`. `cargo xtask model` and `cargo xtask interleave`
//! build this with optimisation and run it.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its terminal")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clearline_model::interleaving::{self, Limits, Prepared};
use clearline_model::{Budget, Setting, explore_watched};
use clearline_sim::PlatformKind;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).map(String::as_str)
    };
    let number = |name: &str, usual: u64| word(name).and_then(|word| word.parse().ok()).unwrap_or(usual);
    match arguments.first().map(String::as_str) {
        Some("model") => model(&arguments, word, number),
        Some("interleave") => {
            let limits = Limits {
                depth: usize::try_from(number("--depth", 8)).unwrap_or(8),
                states: usize::try_from(number("--states", u64::MAX)).ok(),
            };
            interleave(limits, word("--from").unwrap_or_default())
        }
        _ => {
            println!(
                "clearline-model model [--minutes N] [--seed S] [--cases N] [--platform NAME] [--setting NAME] [--go-on] \
                 | interleave [--depth N] [--states N] [--from WORDS]"
            );
            ExitCode::FAILURE
        }
    }
}

fn model<'a>(
    arguments: &[String],
    word: impl Fn(&str) -> Option<&'a str>,
    number: impl Fn(&str, u64) -> u64,
) -> ExitCode {
    let start = Instant::now();
    let seed = number("--seed", 1);
    let wanted = word("--setting").unwrap_or("busy");
    let Some(setting) = Setting::ALL.into_iter().find(|it| it.name() == wanted) else {
        println!("there is no such setting; there are:");
        Setting::ALL.iter().for_each(|it| println!("  {}", it.name()));
        return ExitCode::FAILURE;
    };
    let budget = Budget {
        setting,
        seed,
        cases: usize::try_from(number("--cases", u64::MAX)).unwrap_or(usize::MAX),
        time: Duration::from_secs(60 * number("--minutes", 1)),
        goes_on: arguments.iter().any(|argument| argument == "--go-on"),
    };
    let wanted = word("--platform");
    let mut kinds = PlatformKind::ALL.to_vec();
    kinds.retain(|kind| wanted.is_none_or(|wanted| wanted == kind.name()));
    if kinds.is_empty() {
        println!("there is no such platform; there are:");
        PlatformKind::ALL
            .iter()
            .for_each(|kind| println!("  {}", kind.name()));
        return ExitCode::FAILURE;
    }
    let (mut told, mut minutes) = (0, 0);
    let report = explore_watched(&kinds, budget, |report| {
        for (case, why) in report.failures.iter().skip(told) {
            println!("{case}\n{why}\n");
        }
        told = report.failures.len();
        if start.elapsed().as_secs() / 60 > minutes {
            minutes = start.elapsed().as_secs() / 60;
            println!("after {minutes} minutes: {report}");
        }
    });
    println!("{report}, from seed {seed} in {:.0?}", start.elapsed());
    match report.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn interleave(limits: Limits, filter: &str) -> ExitCode {
    let mut total = (0, 0);
    let mut result = ExitCode::SUCCESS;
    for from in Prepared::ALL.iter().filter(|from| from.name.contains(filter)) {
        let start = Instant::now();
        let explored = interleaving::explore(from, limits);
        println!(
            "{}: {explored}, {:.1} s",
            from.name,
            start.elapsed().as_secs_f32()
        );
        total.0 += explored.states;
        total.1 += explored.steps;
        if let Some((path, why)) = explored.violation {
            println!("  {why}");
            let ladder = interleaving::ladder(from, &path);
            ladder.iter().for_each(|line| println!("    {line}"));
            result = ExitCode::FAILURE;
        }
    }
    println!("{} states, {} steps", total.0, total.1);
    if total.0 == 0 {
        println!("no prepared state has {filter:?} in its name");
        return ExitCode::FAILURE;
    }
    result
}
