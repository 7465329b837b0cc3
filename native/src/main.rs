//! `clearline`: make and take calls from a terminal or a script.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
