//! `cargo xtask fuzz`: libFuzzer on the targets of `tests/fuzz`, with what it ran and reached.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::exec::{ask, run, shown, step};
use crate::fail::Result;
use crate::needs::{self, Purpose};
use crate::workspace::Workspace;

/// The targets, and the longest input each is fed.
const TARGETS: [(&str, u32); 6] = [
    ("message", 4_096),
    ("session-description", 4_096),
    ("xml", 4_096),
    ("header", 4_096),
    ("media", 4_096),
    ("agent", 772),
];

/// What makes a program tell the fuzzer where it has been. Nothing here needs an unstable compiler.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

struct Options {
    minutes: f64,
    keep: bool,
    targets: Vec<(&'static str, u32)>,
}

/// `cargo xtask fuzz [--minutes N] [--keep] [TARGET ...]`.
pub(crate) fn command(workspace: &Workspace, arguments: &[String]) -> Result<ExitCode> {
    let options = read(arguments)?;
    needs::satisfy(&[Purpose::Server])?;
    let fuzzer = Fuzzer::build(workspace)?;
    let mut report = Vec::new();
    let mut sound = true;
    for (target, longest) in &options.targets {
        let line = step(&format!("fuzz {target} for {} min", options.minutes), || {
            fuzzer.run(target, *longest, options.minutes)
        })?;
        sound &= line.sound;
        report.push(line.text);
        if options.keep {
            fuzzer.keep(target, *longest)?;
        }
    }
    println!("\n{}", report.join("\n"));
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read(arguments: &[String]) -> Result<Options> {
    let mut options = Options {
        minutes: 1.0,
        keep: false,
        targets: Vec::new(),
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--minutes" => {
                let minutes = words.next().and_then(|text| text.parse().ok());
                options.minutes = minutes
                    .filter(|minutes| *minutes > 0.0)
                    .ok_or("--minutes wants a number")?;
            }
            "--keep" => options.keep = true,
            name => match TARGETS.into_iter().find(|(own, _)| *own == name) {
                Some(target) => options.targets.push(target),
                None => {
                    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
                    return Err(format!("there is no target `{name}`, only {}", names.join(", ")).into());
                }
            },
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.to_vec();
    }
    Ok(options)
}

/// The built program and its folders.
struct Fuzzer {
    program: PathBuf,
    /// What is committed.
    corpus: PathBuf,
    /// What is found, logs included.
    work: PathBuf,
}

struct Line {
    text: String,
    sound: bool,
}

impl Fuzzer {
    fn build(workspace: &Workspace) -> Result<Self> {
        let host = ask(Command::new("rustc").args(["--print", "host-tuple"])).ok_or("rustc does not run")?;
        let target = workspace.target.join("fuzz");
        let mut build = workspace.cargo("build");
        // A target of its own keeps the flags from build scripts.
        build
            .args([
                "--release",
                "-p",
                "clearline-fuzz",
                "--features",
                "libfuzzer",
                "--target",
                &host,
            ])
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", INSTRUMENTATION);
        step("build the fuzzer", || {
            run(&mut build, "the fuzzer could not be built")
        })?;
        Ok(Self {
            program: target.join(&host).join("release").join("fuzz"),
            corpus: workspace.path("tests/fuzz/corpus"),
            work: target.join("work"),
        })
    }

    /// Runs one target from the committed corpus and what earlier runs have found.
    fn run(&self, target: &str, longest: u32, minutes: f64) -> Result<Line> {
        let found = self.work.join(target);
        create(&found)?;
        let log = self.work.join(format!("{target}.log"));
        let mut command = self.command(target, longest);
        command
            .arg(&found)
            .arg(self.corpus.join(target))
            .arg(format!("-max_total_time={:.0}", minutes * 60.0))
            .arg(format!("-artifact_prefix={}/{target}-", self.work.display()));
        let sound = logged(&mut command, &log)?;
        let text = fs::read_to_string(&log).unwrap_or_default();
        Ok(Line {
            text: summary(target, &text, sound, &log),
            sound,
        })
    }

    /// Makes the committed corpus the smallest one that reaches all that was reached.
    fn keep(&self, target: &str, longest: u32) -> Result<()> {
        let merged = self.work.join(format!("{target}-merged"));
        let _ = fs::remove_dir_all(&merged);
        create(&merged)?;
        let committed = self.corpus.join(target);
        let mut command = self.command(target, longest);
        command.args(["-merge=1", "-set_cover_merge=1"]).arg(&merged);
        command.arg(&committed).arg(self.work.join(target));
        if !logged(&mut command, &self.work.join(format!("{target}-merge.log")))? {
            return Err(format!("the corpus of {target} could not be merged").into());
        }
        for file in files(&merged)? {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, committed.join(name)).map_err(|e| format!("cannot write the corpus: {e}"))?;
        }
        Ok(())
    }

    fn command(&self, target: &str, longest: u32) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("CLEARLINE_FUZZ_TARGET", target)
            .arg(format!("-max_len={longest}"))
            .args(["-print_final_stats=1", "-timeout=20", "-rss_limit_mb=1024"]);
        command
    }
}

/// Runs a command with its errors, which is where libFuzzer speaks, in a file; whether it succeeded.
fn logged(command: &mut Command, log: &Path) -> Result<bool> {
    let file = File::create(log).map_err(|e| format!("cannot write {}: {e}", log.display()))?;
    let status = command.stderr(file).status();
    let status = status.map_err(|e| format!("{} does not start: {e}", shown(command)))?;
    Ok(status.success())
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()).into())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// One line of the report, from what libFuzzer has said.
fn summary(target: &str, log: &str, sound: bool, file: &Path) -> String {
    let after = |key: &str| {
        let (_, rest) = log.rsplit_once(key)?;
        rest.split_whitespace()
            .next()
            .map(|word| word.trim_start_matches('('))
    };
    let known = |key| after(key).unwrap_or("?");
    let verdict = match sound {
        true => "no finding".to_owned(),
        false => format!("FOUND SOMETHING, see {}", file.display()),
    };
    format!(
        "{target:>20}  {:>10} executions  {:>6} edges of {} reached  {verdict}",
        known("stat::number_of_executed_units:"),
        known("cov:"),
        known("INFO: Loaded 1 modules"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_of_a_log_are_reported() {
        let log = "INFO: Loaded 1 modules   (24771 inline 8-bit counters): 24771 [0x1, 0x2),\n\
                   #2\tINITED cov: 10 ft: 11\n#9\tDONE   cov: 5248 ft: 20575\nstat::number_of_executed_units: 9469\n";
        let line = summary("agent", log, true, Path::new("x"));
        assert_eq!(
            line.trim(),
            "agent        9469 executions    5248 edges of 24771 reached  no finding"
        );
    }

    #[test]
    fn targets_and_minutes_are_read() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let options = read(&words("--minutes 0.5 agent")).expect("known");
        assert_eq!((options.targets.len(), options.minutes), (1, 0.5));
        assert_eq!(read(&[]).expect("all").targets.len(), TARGETS.len());
        assert!(read(&words("agents")).is_err());
        assert!(read(&words("--minutes x")).is_err());
    }
}
