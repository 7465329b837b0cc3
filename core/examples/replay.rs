//! Replays a log: `cargo xtask replay FILE`. Prints what the agent was told and what it put out, and fails at the first
//! step at which it does something else than when the log was written.
#![expect(clippy::print_stdout, reason = "a command-line program talks to its terminal")]

use std::error::Error;
use std::io::{BufRead as _, BufReader};

use clearline_core::Output;
use clearline_core::recording::{Record, Replay, Step};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which log? Give its file")?;
    let mut lines = BufReader::new(std::fs::File::open(&path)?).lines();
    let first = lines.next().ok_or("the log is empty")??;
    let mut replay = Replay::new(serde_json::from_str(&first)?)?;
    let mut steps = 0;
    for line in lines {
        let record: Record = serde_json::from_str(&line?)?;
        show_step(&record);
        steps += 1;
        let outputs = replay
            .step(record)
            .map_err(|error| format!("step {steps}: {error}"))?;
        outputs.iter().for_each(show_output);
    }
    println!("{steps} steps, the same bit for bit");
    Ok(())
}

fn show_step(record: &Record) {
    if let Record::Step { at, what, .. } = record {
        match what {
            Step::Input(clearline_core::Input::Received { connection, message }) => {
                println!("{at} <- connection {}\n{}", connection.0, indented(message));
            }
            Step::Input(input) => println!("{at} {input:?}"),
            Step::Command(command) => println!("{at} {command:?}"),
        }
    }
}

fn show_output(output: &Output) {
    match output {
        Output::Transmit { connection, message } => {
            println!("    -> connection {}\n{}", connection.0, indented(message));
        }
        Output::Idle(_) => {}
        Output::Connect { .. } | Output::Disconnect { .. } | Output::Media { .. } | Output::Event(_) => {
            println!("    {output:?}");
        }
    }
}

fn indented(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let lines: Vec<String> = text.lines().map(|line| format!("        {line}")).collect();
    lines.join("\n")
}
