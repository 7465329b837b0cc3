//! `cargo xtask bench`: figures, beside others where there are others.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::build::{self, Mode};
use crate::end_to_end;
use crate::exec::{on_path, run, step};
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::workspace::Workspace;

/// The programs of `tests/bench`, and the features they need.
const PROGRAMS: [(&str, &[&str]); 5] = [
    ("messages", &["--features", "peers"]),
    ("agent", &[]),
    ("server", &[]),
    ("sockets", &["--features", "sockets"]),
    MEDIA,
];

const MEDIA: (&str, &[&str]) = ("media", &["--features", "media"]);
/// The tables of playout engines stand beside what measures them.
const MEDIA_TABLES: &str = "tests/quality/tables";

/// What is measured does not wander between processors.
const ON_ONE_PROCESSOR: [&str; 2] = ["--config", "target.'cfg(all())'.runner = ['taskset', '-c', '0']"];

/// `cargo xtask bench [calls|survival|focus|devices|messages|agent|server|sockets|media]`; all without a name. What follows a name is
/// passed on.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let Some((which, rest)) = arguments.split_first() else {
        for program in &PROGRAMS {
            in_process(workspace, program, &[])?;
        }
        focus(workspace)?;
        devices(workspace)?;
        end_to_end::survival(workspace, arguments)?;
        return end_to_end::bench(workspace, arguments);
    };
    match which.as_str() {
        "calls" => return end_to_end::bench(workspace, rest),
        "focus" => return focus(workspace),
        "devices" => return devices(workspace),
        "survival" => return end_to_end::survival(workspace, rest),
        "media" if rest.first().is_some_and(|first| first == "--live") => return live(workspace, &rest[1..]),
        _ => {}
    }
    let Some(program) = PROGRAMS.iter().find(|(name, _)| name == which) else {
        return Err(format!(
            "there is no bench `{which}`, only calls, survival, focus, devices, messages, agent, server, sockets and media"
        )
        .into());
    };
    in_process(workspace, program, rest)?;
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

/// From mouth to ear through sound devices that nobody hears.
fn devices(workspace: &Workspace) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Devices, Purpose::Sound])?;
    let mut command = workspace.cargo("bench");
    command
        .args(["--quiet", "--package", "clearline-native", "--bench", "devices"])
        .env("CLEARLINE_BENCH_TABLES", workspace.path("tests/bench/tables"));
    step("bench devices", || run(&mut command, "read the error above"))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds and runs one of the programs; the tables it writes are part of the repository.
fn in_process(workspace: &Workspace, (name, features): &(&str, &[&str]), rest: &[String]) -> Result<()> {
    needs::satisfy(&[if *name == "media" {
        Purpose::Media
    } else {
        Purpose::Bench
    }])?;
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
    }
    if *name == "media" {
        media(workspace, &mut command);
    }
    if *name != "sockets" && on_path("taskset").is_some() {
        command.args(ON_ONE_PROCESSOR);
    }
    command.arg("--").args(rest);
    step(&format!("bench {name}"), || {
        run(&mut command, "read the error above")
    })
}

/// `cargo xtask bench media --live [RUNS [TRACE]]`: the browser's own playout engine on the same traces.
fn live(workspace: &Workspace, rest: &[String]) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Media, Purpose::Browser])?;
    in_process(workspace, &MEDIA, &["--speech".to_owned()])?;
    let mut environment = vec![
        ("CLEARLINE_RELAY", build::quality_program(workspace, "relay")?),
        (
            "CLEARLINE_TRACES",
            build::quality_program(workspace, "jb-replay")?,
        ),
        ("CLEARLINE_SPEECH", recordings(workspace).join("speech.wav")),
        ("CLEARLINE_BENCH_TABLES", workspace.path(MEDIA_TABLES)),
    ];
    if let Ok(python) = scorer(workspace) {
        environment.push(("CLEARLINE_PYTHON", python));
    }
    end_to_end::media(workspace, &environment, rest)
}

/// Where its tables and recordings go, and a Python that can score them if there is one.
fn media(workspace: &Workspace, command: &mut Command) {
    command
        .env("CLEARLINE_BENCH_TABLES", workspace.path(MEDIA_TABLES))
        .env("CLEARLINE_RECORDINGS", recordings(workspace));
    match scorer(workspace) {
        Ok(python) => {
            command.env("CLEARLINE_PYTHON", python);
        }
        Err(error) => println!("    no scores: {error}"),
    }
}

fn recordings(workspace: &Workspace) -> PathBuf {
    workspace.target.join("recordings")
}

/// A virtual environment with the packages of `tests/quality/score.py`; nothing of it is part of the product.
fn scorer(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("scorer");
    let (python, done) = (folder.join("bin/python"), folder.join("requirements.txt"));
    let requirements = workspace.path("tests/quality/requirements.txt");
    let wanted = fs::read(&requirements).map_err(|error| error.to_string())?;
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    step("python packages for scores", || {
        run(
            Command::new("python3").args(["-m", "venv"]).arg(&folder),
            "install python3-venv",
        )?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(&requirements);
        run(&mut pip, "read the error above")
    })?;
    fs::write(done, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

/// The server that is measured; with CLEARLINE_SERVER another than the released one.
fn server(workspace: &Workspace) -> Result<PathBuf> {
    match std::env::var_os("CLEARLINE_SERVER") {
        Some(program) => Ok(program.into()),
        None => build::server(workspace, Mode::Release),
    }
}
