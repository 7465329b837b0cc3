//! `cargo xtask bench`: figures, beside others where there are others.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::build::{self, Mode};
use crate::end_to_end;
use crate::exec::{on_path, run, step};
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::workspace::Workspace;

/// The programs of `tests/bench`, and the features they need.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("messages", &["--features", "peers"]),
    ("agent", &[]),
    ("server", &[]),
    ("sockets", &["--features", "sockets"]),
];

/// What is measured does not wander between processors.
const ON_ONE_PROCESSOR: [&str; 2] = ["--config", "target.'cfg(all())'.runner = ['taskset', '-c', '0']"];

/// `cargo xtask bench [calls|survival|focus|messages|agent|server|sockets]`; all without a name. What follows `calls` or `survival` is
/// passed on.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let Some((which, rest)) = arguments.split_first() else {
        for program in &PROGRAMS {
            in_process(workspace, program)?;
        }
        focus(workspace)?;
        end_to_end::survival(workspace, arguments)?;
        return end_to_end::bench(workspace, arguments);
    };
    match which.as_str() {
        "calls" => return end_to_end::bench(workspace, rest),
        "focus" => return focus(workspace),
        "survival" => return end_to_end::survival(workspace, rest),
        _ => {}
    }
    let Some(program) = PROGRAMS.iter().find(|(name, _)| name == which) else {
        return Err(format!(
            "there is no bench `{which}`, only calls, survival, focus, messages, agent, server and sockets"
        )
        .into());
    };
    in_process(workspace, program)?;
    Ok(ExitCode::SUCCESS)
}

/// A conference of eight on the server's program.
fn focus(workspace: &Workspace) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Bench])?;
    let mut command = workspace.cargo("bench");
    command
        .args(["--quiet", "--package", "clearline-server", "--bench", "focus"])
        .env("CLEARLINE_BENCH_TABLES", workspace.path("tests/bench/tables"));
    step("bench focus", || run(&mut command, "read the error above"))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds and runs one of the programs; the tables it writes are part of the repository.
fn in_process(workspace: &Workspace, (name, features): &(&str, &[&str])) -> Result<()> {
    needs::satisfy(&[Purpose::Bench])?;
    let mut command = workspace.cargo("run");
    command
        .args(["--release", "--quiet", "--manifest-path"])
        .arg(workspace.path("tests/bench/Cargo.toml"))
        .args(["--bin", name])
        .args(*features)
        .env("CARGO_TARGET_DIR", workspace.target.join("bench"))
        .env("CLEARLINE_BENCH_TABLES", workspace.path("tests/bench/tables"));
    if *name == "sockets" {
        command.env("CLEARLINE_SERVER", server(workspace)?);
    } else if on_path("taskset").is_some() {
        command.args(ON_ONE_PROCESSOR);
    }
    step(&format!("bench {name}"), || {
        run(&mut command, "read the error above")
    })
}

/// The server that is measured; with CLEARLINE_SERVER another than the released one.
fn server(workspace: &Workspace) -> Result<PathBuf> {
    match std::env::var_os("CLEARLINE_SERVER") {
        Some(program) => Ok(program.into()),
        None => build::server(workspace, Mode::Release),
    }
}
