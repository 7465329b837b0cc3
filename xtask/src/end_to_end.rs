//! The scenarios in real browsers (`tests/e2e`), their tools, and the comparison of set-up times.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::build::{self, Mode};
use crate::exec::run_watched;
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::setup;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// `cargo xtask e2e [NAME]`.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Server, Purpose::Devices, Purpose::Browser])?;
    let tally = filtered(workspace, arguments.first().map(String::as_str))?;
    println!("\n{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// `cargo xtask bench calls`: an optimised server, or its compile mode would be measured too.
pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Server, Purpose::Browser])?;
    build::app(workspace)?;
    let server = build::server(workspace, Mode::Release)?;
    measure(workspace, &server, "set-up-times.mjs", arguments)
}

/// `cargo xtask bench survival [ROUNDS [CASE]]`.
pub(crate) fn survival(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    needs::satisfy(&[Purpose::Server, Purpose::Browser])?;
    build::app(workspace)?;
    let server = build::server(workspace, Mode::Quick)?;
    measure(workspace, &server, "survival.mjs", arguments)
}

/// `cargo xtask bench media --live [RUNS [TRACE]]`, which says with `environment` where programs, speech and scores are.
pub(crate) fn media(
    workspace: &Workspace,
    environment: &[(&str, PathBuf)],
    arguments: &[String],
) -> Result<ExitCode> {
    let mut command = node(workspace, Path::new(""))?;
    command
        .arg(workspace.path("tests/e2e/bench/media.mjs"))
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    watched(&mut command)
}

fn measure(workspace: &Workspace, server: &Path, script: &str, arguments: &[String]) -> Result<ExitCode> {
    let mut command = node(workspace, server)?;
    command
        .arg(workspace.path("tests/e2e/bench").join(script))
        .args(arguments);
    watched(&mut command)
}

fn watched(command: &mut Command) -> Result<ExitCode> {
    let status = run_watched(command, |_| ())?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The suite `e2e`.
pub(crate) fn scenarios(workspace: &Workspace) -> Result<Tally> {
    filtered(workspace, None)
}

/// The suite `e2e-tools`: what judges the scenarios is tested first, without the product.
pub(crate) fn tools(workspace: &Workspace) -> Result<Tally> {
    let mut command = node(workspace, Path::new(""))?;
    test_files(&mut command, &workspace.path("tests/e2e/unit"), None)?;
    watch(&mut command)
}

fn filtered(workspace: &Workspace, name: Option<&str>) -> Result<Tally> {
    build::app(workspace)?;
    let server = build::server(workspace, Mode::Quick)?;
    let program = build::terminal_program(workspace)?;
    let mut command = node(workspace, &server)?;
    command.env("CLEARLINE_PROGRAM", program);
    test_files(&mut command, &workspace.path("tests/e2e/scenarios"), name)?;
    watch(&mut command)
}

fn watch(command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = run_watched(command, |line| tally.read(line))?;
    Ok(tally.finished(status.success()))
}

/// Node.js in `tests/e2e`, told where the products and the cache are.
fn node(workspace: &Workspace, server: &Path) -> Result<Command> {
    setup::npm_packages(&workspace.path("tests/e2e"))?;
    let mut command = Command::new("node");
    command.current_dir(workspace.path("tests/e2e"));
    command
        .env("CLEARLINE_SERVER", server)
        .env("CLEARLINE_WEB_ROOT", workspace.path(build::APP_DIST));
    command.env("CLEARLINE_CACHE", &workspace.cache);
    if let Some(browser) = needs::browser() {
        command.env("CLEARLINE_CHROMIUM", browser);
    }
    Ok(command)
}

/// One file after the other: each scenario has two browsers and a server, and hears in real time.
fn test_files(command: &mut Command, folder: &Path, name: Option<&str>) -> Result<()> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read {shown}: {e}"))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    let stem = |file: &PathBuf| {
        file.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    files.retain(|file| name.is_none_or(|name| stem(file).contains(name)));
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "no file in {shown} has `{}` in its name",
            name.unwrap_or(".test.mjs")
        )
        .into());
    }
    command
        .args([
            "--test",
            "--test-reporter=spec",
            "--test-concurrency=1",
            "--test-timeout=180000",
        ])
        .args(files);
    Ok(())
}
