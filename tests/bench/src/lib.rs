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

/// How often `work` is done in a second: the best of five tries, which the rest of the machine has disturbed least.
pub fn per_second(mut work: impl FnMut()) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (start, mut done) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_millis(200) {
            (0..64).for_each(|_| work());
            done += 64;
        }
        best = best.max(f64::from(done) / start.elapsed().as_secs_f64());
    }
    best
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
