//! `cargo xtask replay`: repeats a session from the log that `clearline --record-log` has written.

use std::env;
use std::process::ExitCode;

use crate::exec::run_watched;
use crate::fail::Result;
use crate::workspace::Workspace;

/// `cargo xtask replay FILE`.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let [file] = arguments else {
        return Err("`cargo xtask replay` wants one file, a log".into());
    };
    let folder = env::current_dir().map_err(|error| format!("there is no current folder: {error}"))?;
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "-p", "clearline-core", "--example", "replay", "--"]);
    let status = run_watched(command.arg(folder.join(file)), |_| ())?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
