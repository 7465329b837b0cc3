//! Calls with SIP software that others wrote (`tests/interop`).

use std::process::ExitCode;

use crate::exec::run_watched;
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Cases at once. They wait more than they work, but real audio wants its share of the processors.
const AT_ONCE: &str = "4";

/// `cargo xtask interop [NAME]`.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let tally = cases(workspace, arguments.first().map(String::as_str))?;
    println!("\n{tally}");
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The suite `interop`.
pub(crate) fn suite(workspace: &Workspace) -> Result<Tally> {
    cases(workspace, None)
}

fn cases(workspace: &Workspace, name: Option<&str>) -> Result<Tally> {
    if !needs::has_apt() {
        println!(
            "    not run: Kamailio, SIPp, rtpengine and baresip are taken from Debian's packages, and there is no apt here"
        );
        return Ok(Tally::default());
    }
    needs::satisfy(&[Purpose::Interop])?;
    let mut tally = Tally::default();
    let mut command = workspace.cargo("test");
    // Of the whole workspace, so that nothing is built anew with other features.
    command.args(["--workspace", "--test", "with_*", "--no-fail-fast", "--"]);
    command.args(["--ignored", "--test-threads", AT_ONCE]).args(name);
    let status = run_watched(&mut command, |line| tally.read(line))?;
    Ok(tally.finished(status.success()))
}
