//! What the benches share: instructions counted by valgrind, and tables as text.

pub mod world;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Instructions this program executes when started with these arguments; `None` where valgrind is not installed.
pub fn instructions(arguments: &[&str]) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args([
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
    ]);
    let output = valgrind
        .arg(std::env::current_exe().ok()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let is_count = |line: &&str| line.contains(" refs:");
    let (_, count) = text.lines().find(is_count)?.rsplit_once(' ')?;
    count.replace(',', "").parse().ok()
}

/// Instructions of one of the repetitions that `arguments(count)` asks for, start and end of the program left out.
pub fn instructions_each(arguments: impl Fn(&str) -> Vec<String>) -> Option<u64> {
    const FEW: u64 = 200;
    const MANY: u64 = 1_200;
    let run = |count: u64| {
        let arguments = arguments(&count.to_string());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        instructions(&arguments)
    };
    Some((run(MANY)?.checked_sub(run(FEW)?)?) / (MANY - FEW))
}

/// How often each of `works` is done in a second. They take turns of two milliseconds, and the best turn of each counts:
/// what else the machine does hits them alike, and some turns of each not at all.
pub fn per_second(works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    const TURNS: usize = 400;
    let mut best = vec![0.0_f64; works.len()];
    for _ in 0..TURNS {
        for (work, best) in works.iter_mut().zip(&mut best) {
            *best = best.max(turn(work));
        }
    }
    best
}

/// How often `work` was done in a second of a short while.
fn turn(work: &mut dyn FnMut()) -> f64 {
    // The work of the turn before has left its own code and branches in the processor's memory.
    (0..4).for_each(|_| work());
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_millis(2) {
        (0..16).for_each(|_| work());
        done += 16;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}

/// Writes a table whose difference is to be reviewed, if this is run by `cargo xtask bench`.
pub fn keep_table(name: &str, table: &str) {
    let Some(folder) = std::env::var_os("CLEARLINE_BENCH_TABLES") else {
        return;
    };
    let folder = std::path::Path::new(&folder);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(name), table));
    written.expect("the folder of tables can be written to");
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
