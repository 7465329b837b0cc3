//! Runs other programs, shows what runs and how long it took, and says what to do when one fails.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;
use std::{env, io};

use crate::fail::{Fail, Result};

/// Announces a step, runs it, and tells how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    match &result {
        Ok(_) => println!("    {name}: done in {seconds:.1} s"),
        Err(_) => println!("    {name}: failed after {seconds:.1} s"),
    }
    result
}

/// Runs a command to its end with its output shown; `advice` is the sentence for its failure.
pub(crate) fn run(command: &mut Command, advice: &str) -> Result<()> {
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ({status}): {advice}", shown(command)).into())
    }
}

/// Runs a command quietly and returns its standard output, or `None` if it could not run or failed.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a command with its output shown, and hands each line of its standard output to `line` as well.
pub(crate) fn run_watched(command: &mut Command, mut line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| not_started(command, &e))?;
    if let Some(output) = child.stdout.take() {
        for bytes in BufReader::new(output).split(b'\n') {
            let bytes = bytes.map_err(|e| format!("the output of {} broke off: {e}", shown(command)))?;
            let text = String::from_utf8_lossy(&bytes);
            println!("{}", text.trim_end_matches('\r'));
            line(&text);
        }
    }
    // The last line of a run is its result; it must not sit in a buffer behind the next suite's.
    io::stdout()
        .flush()
        .map_err(|e| format!("cannot write to the terminal: {e}"))?;
    child
        .wait()
        .map_err(|e| format!("{} cannot be waited for: {e}", shown(command)).into())
}

/// The program file of that name on the search path, if any.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let places = env::var_os("PATH")?;
    let suffixes: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    let sbin = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    env::split_paths(&places)
        .chain(sbin)
        .flat_map(|place| {
            suffixes
                .iter()
                .map(move |suffix| place.join(format!("{name}{suffix}")))
        })
        .find(|file| file.is_file())
}

/// `npm` in `folder`; on Windows it is a script of another name.
pub(crate) fn npm(folder: &Path) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(folder);
    command
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let program_name = |word: &OsStr| word.to_string_lossy().into_owned();
    let mut text: Vec<String> = words.map(program_name).collect();
    if let Some(program) = text.first_mut()
        && let Some(name) = Path::new(program).file_stem()
    {
        *program = name.to_string_lossy().into_owned();
    }
    format!("`{}`", text.join(" "))
}

fn not_started(command: &Command, error: &io::Error) -> Fail {
    let advice = match command.get_program().to_string_lossy().as_ref() {
        "node" | "npm" | "npm.cmd" => "; install Node.js 20 or newer and try again",
        "rustup" | "cargo" => "; install Rust with rustup and try again",
        _ => "",
    };
    format!("{} could not be started: {error}{advice}", shown(command)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_next_step() {
        let error = not_started(&Command::new("npm"), &io::Error::from(io::ErrorKind::NotFound)).to_string();
        assert!(
            error.contains("`npm`") && error.contains("install Node.js 20"),
            "{error}"
        );
    }

    #[test]
    fn commands_are_shown_without_the_path_of_their_program() {
        let mut command = Command::new(Path::new("somewhere").join("bin").join("cargo"));
        assert_eq!(
            shown(command.args(["test", "--workspace"])),
            "`cargo test --workspace`"
        );
    }

    #[test]
    fn only_existing_programs_are_found() {
        assert!(on_path("cargo").is_some());
        assert!(on_path("no-such-program-anywhere").is_none());
    }
}
