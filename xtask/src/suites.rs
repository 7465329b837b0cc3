//! `cargo xtask test`: every suite, whatever the others did, and one closing line.

use std::process::ExitCode;
use std::time::Instant;

use crate::end_to_end;
use crate::exec::{npm, run_watched};
use crate::fail::Result;
use crate::interop;
use crate::needs::{self, Purpose};
use crate::setup::{self, WASM_TARGET};
use crate::size;
use crate::tally::Tally;
use crate::wasm_module;
use crate::workspace::Workspace;

struct Suite {
    name: &'static str,
    what: &'static str,
    needs: &'static [Purpose],
    run: fn(&Workspace) -> Result<Tally>,
}

const NATIVE: &[Purpose] = &[Purpose::Server, Purpose::Devices];

/// In the order in which they find the cheapest mistakes first.
const SUITES: &[Suite] = &[
    Suite {
        name: "fmt",
        what: "Rust formatting",
        needs: &[],
        run: fmt,
    },
    Suite {
        name: "clippy",
        what: "lints of every crate",
        needs: NATIVE,
        run: clippy,
    },
    Suite {
        name: "clippy-wasm",
        what: "lints of core and bindings for wasm32",
        needs: &[],
        run: clippy_wasm,
    },
    Suite {
        name: "doc",
        what: "documentation without warnings",
        needs: NATIVE,
        run: doc,
    },
    Suite {
        name: "native",
        what: "tests of every crate",
        needs: &[Purpose::Server, Purpose::Devices, Purpose::Sound],
        run: native,
    },
    Suite {
        name: "wasm",
        what: "tests of the core in WebAssembly",
        needs: &[],
        run: wasm_module::core_tests,
    },
    Suite {
        name: "module",
        what: "the module needs no operating system",
        needs: &[],
        run: wasm_module::check,
    },
    Suite {
        name: "web",
        what: "TypeScript: types, lint, unit tests",
        needs: &[],
        run: web,
    },
    Suite {
        name: "size",
        what: "bytes a browser downloads",
        needs: &[],
        run: size::suite,
    },
    Suite {
        name: "interop",
        what: "calls with SIP software that others wrote",
        needs: NATIVE,
        run: interop::suite,
    },
    Suite {
        name: "e2e-tools",
        what: "the checkers of the scenarios, with negative controls",
        needs: &[Purpose::Browser],
        run: end_to_end::tools,
    },
    Suite {
        name: "e2e",
        what: "scenarios in Chromium",
        needs: &[Purpose::Server, Purpose::Devices, Purpose::Browser],
        run: end_to_end::scenarios,
    },
];

/// Runs the chosen suites and prints `N passed, N failed` as the last line.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let chosen = choose(arguments)?;
    let purposes: Vec<Purpose> = chosen.iter().flat_map(|suite| suite.needs).copied().collect();
    needs::satisfy(&purposes)?;
    let mut total = Tally::default();
    let mut report = Vec::new();
    for suite in &chosen {
        println!("\n==> {}: {}", suite.name, suite.what);
        let start = Instant::now();
        let tally = (suite.run)(workspace).unwrap_or_else(|failure| {
            println!("    {failure}");
            Tally::check(false)
        });
        report.push(format!(
            "{:>12}  {:>7.1} s  {tally}",
            suite.name,
            start.elapsed().as_secs_f64()
        ));
        total += tally;
    }
    println!("\n{}\n", report.join("\n"));
    println!("{total}");
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn choose(arguments: &[String]) -> Result<Vec<&'static Suite>> {
    let mut chosen: Vec<&Suite> = SUITES.iter().collect();
    let mut words = arguments.iter();
    while let Some(option) = words.next() {
        let list: Vec<&str> = words
            .next()
            .map(|list| list.split(',').collect())
            .unwrap_or_default();
        if list.is_empty()
            || list
                .iter()
                .any(|name| SUITES.iter().all(|suite| suite.name != *name))
        {
            let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            return Err(format!(
                "{option} wants names of suites, separated by commas: {}",
                names.join(",")
            )
            .into());
        }
        match option.as_str() {
            "--only" => chosen.retain(|suite| list.contains(&suite.name)),
            "--skip" => chosen.retain(|suite| !list.contains(&suite.name)),
            _ => return Err(format!("`cargo xtask test` knows --only and --skip, not {option}").into()),
        }
    }
    Ok(chosen)
}

fn fmt(workspace: &Workspace) -> Result<Tally> {
    setup::component("rustfmt")?;
    let status = run_watched(workspace.cargo("fmt").args(["--all", "--check"]), |_| ())?;
    Ok(Tally::check(status.success()))
}

fn clippy(workspace: &Workspace) -> Result<Tally> {
    setup::component("clippy")?;
    let mut command = workspace.cargo("clippy");
    let status = run_watched(
        command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]),
        |_| (),
    )?;
    Ok(Tally::check(status.success()))
}

fn clippy_wasm(workspace: &Workspace) -> Result<Tally> {
    setup::component("clippy")?;
    setup::wasm_target()?;
    let mut command = workspace.cargo("clippy");
    command.args([
        "-p",
        "clearline-core",
        "-p",
        "clearline-wasm",
        "--target",
        WASM_TARGET,
        "--",
        "-D",
        "warnings",
    ]);
    Ok(Tally::check(run_watched(&mut command, |_| ())?.success()))
}

fn doc(workspace: &Workspace) -> Result<Tally> {
    let mut command = workspace.cargo("doc");
    command
        .args(["--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    Ok(Tally::check(run_watched(&mut command, |_| ())?.success()))
}

fn native(workspace: &Workspace) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut command = workspace.cargo("test");
    let status = run_watched(command.args(["--workspace", "--no-fail-fast"]), |line| {
        tally.read(line)
    })?;
    Ok(tally.finished(status.success()))
}

fn web(workspace: &Workspace) -> Result<Tally> {
    let web = workspace.path("web");
    crate::build::wasm_only(workspace)?;
    let mut total = Tally::default();
    for script in ["typecheck", "lint"] {
        total += Tally::check(run_watched(npm(&web).args(["run", script]), |_| ())?.success());
    }
    let mut tests = Tally::default();
    let status = run_watched(npm(&web).args(["run", "test"]).env("NO_COLOR", "1"), |line| {
        tests.read(line)
    })?;
    total += tests.finished(status.success());
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        Ok(choose(&arguments)?.iter().map(|suite| suite.name).collect())
    }

    #[test]
    fn suites_are_chosen_by_name() {
        assert_eq!(names(&["--only", "e2e,fmt"]).expect("known"), ["fmt", "e2e"]);
        assert!(!names(&["--skip", "e2e"]).expect("known").contains(&"e2e"));
        assert_eq!(names(&[]).expect("all").len(), SUITES.len());
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_list() {
        let error = names(&["--only", "everything"]).expect_err("unknown").to_string();
        assert!(error.contains("fmt,clippy"), "{error}");
        assert!(names(&["--fast", "fmt"]).is_err());
        assert!(names(&["--only"]).is_err());
    }
}
