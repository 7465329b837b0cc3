//! `cargo xtask`: sets this repository up, builds it, runs it and checks it, for people and for CI alike.
//!
//! Standard library only, so that the first command on a fresh machine speaks after seconds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its terminal"
)]

mod bench;
mod build;
#[cfg(test)]
mod dependency_arrows;
mod end_to_end;
mod exec;
mod fail;
mod fuzz;
mod interop;
mod model;
mod needs;
mod replay;
mod setup;
mod size;
mod suites;
mod tally;
mod wasm_module;
mod workspace;

use std::env;
use std::process::ExitCode;

use fail::Result;
use workspace::Workspace;

const HELP: &str = "\
cargo xtask COMMAND [OPTIONS]

  run [--release] [SERVER OPTIONS]   build everything and start the server (default: 127.0.0.1:8080)
                                     server options: --port N  --listen ADDRESS  --users FILE  --hold-music FILE
                                     --tls-cert FILE --tls-key FILE  --local-ca
  test [--only A,B] [--skip A,B]     every check; ends with one line `N passed, N failed`
  e2e [NAME]                         the browser scenarios, or those whose file name contains NAME
  interop [NAME]                     calls with Kamailio, SIPp, rtpengine and baresip, or the cases whose name
                                     contains NAME
  bench [calls|survival|focus|devices|media|messages|agent|server|sockets]
                                     call set-up beside JsSIP, silence when the network changes or the page is
                                     reloaded, a conference of eight, from mouth to ear through sound devices,
                                     playout engines on bad networks (--live: the browser's own too),
                                     messages beside other SIP stacks,
                                     instructions and bytes of an agent, the platform with 10,000 bindings,
                                     the server with 1,000 WebSockets
  fuzz [--minutes N] [--keep] [TARGET]
                                     libFuzzer on message, session-description, xml, header, media and agent, a
                                     minute each; --keep adds what was found to the corpus
  replay FILE                        a session again, from the log that `clearline --record-log` has written
  model [--minutes N] [--seed S]     random transitions beside a reference model, on every kind of platform
        [--platform NAME] [--cases N]  of a busy day with several calls and devices, or a plain one
        [--setting busy|plain] [--go-on]
  interleave [--depth N] [--states N] [--from WORDS]
                                     all orders in which two or three agents can act, from prepared states
  size                               bytes a browser downloads, and the budget
  build                              everything that `run` starts, and the terminal program
  wasm                               the WebAssembly module and its bindings only
  setup                              only install what the other commands need
  help                               this text

Every command first installs what it needs (as root by apt; otherwise it prints the one line to run).
CLEARLINE_CACHE names another folder for the tools and, when CI is set, for build results.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<ExitCode> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    let done = Ok(ExitCode::SUCCESS);
    match command {
        "run" => build::run(&Workspace::find()?, rest).and(done),
        "build" => build::everything(&Workspace::find()?).and(done),
        "wasm" => build::wasm_only(&Workspace::find()?).and(done),
        "setup" => setup::everything(&Workspace::find()?).and(done),
        "size" => size::command(&Workspace::find()?),
        "test" => suites::command(&Workspace::find()?, rest),
        "e2e" => end_to_end::command(&Workspace::find()?, rest),
        "model" | "interleave" => model::command(&Workspace::find()?, command, rest),
        "interop" => interop::command(&Workspace::find()?, rest),
        "bench" => bench::command(&Workspace::find()?, rest),
        "fuzz" => fuzz::command(&Workspace::find()?, rest),
        "replay" => replay::command(&Workspace::find()?, rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            done
        }
        unknown => Err(format!("there is no command `{unknown}`; `cargo xtask help` lists them").into()),
    }
}
