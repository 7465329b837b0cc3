//! The long runs of the model and of the interleavings, with optimisation.

use std::process::ExitCode;

use crate::exec::run_watched;
use crate::fail::Result;
use crate::workspace::Workspace;

/// `cargo xtask model` and `cargo xtask interleave`: `what` is the command of the program `clearline-model`.
pub(crate) fn command(workspace: &Workspace, what: &str, arguments: &[String]) -> Result<ExitCode> {
    let mut command = workspace.cargo("run");
    command
        .args(["--release", "--quiet", "--package", "clearline-model", "--", what])
        .args(arguments);
    let status = run_watched(&mut command, |_| ())?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
