//! The program `clearline`: arguments in, calls, one line per event out, an exit code a script can use.

mod account;
mod answer;
mod args;
mod audio;
mod call;
mod console;
mod devices;
mod exit;
mod interrupt;
mod order;
mod orders_in;
mod output;
mod ringer;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};
use exit::{Exit, Failure};
use output::Output;

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.verbose);
    let output = Output::new(arguments.json);
    let result = match arguments.command {
        Command::Devices => devices::run(&output),
        Command::Call(call) => block_on(call::run(call, &output)),
        Command::Phone(phone) => block_on(console::run(phone, &output)),
        Command::Answer(answer) => block_on(answer::run(answer, &output)),
    };
    let exit = result.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit
    });
    exit.into()
}

fn block_on(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Failed, format!("no runtime: {error}")))?;
    let result = runtime.block_on(work);
    // Standard input may still be waited for, and nobody may ever write to it.
    runtime.shutdown_background();
    result
}

/// Logs go to standard error, so that standard output stays readable for scripts.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
