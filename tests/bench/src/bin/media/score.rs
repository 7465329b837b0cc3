//! PESQ and STOI, by a script: neither is a part of the product, and where Python or the packages are missing there are no scores.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// How what was heard resembles what was sent.
#[derive(Clone, Copy)]
pub(crate) struct Score {
    /// PESQ of wide-band speech (ITU-T P.862.2), 1.0 to 4.64.
    pub(crate) pesq: f64,
    /// Short-time objective intelligibility, up to 1.
    pub(crate) stoi: f64,
}

/// Of each pair of files (clean, heard); `None` where there is no score.
pub(crate) fn scores(pairs: &[(&Path, &Path)]) -> Vec<Option<Score>> {
    let text = answers(pairs).unwrap_or_default();
    let mut lines = text.lines().map(score);
    pairs.iter().map(|_| lines.next().flatten()).collect()
}

fn answers(pairs: &[(&Path, &Path)]) -> Option<String> {
    let mut script = Command::new(std::env::var_os("CLEARLINE_PYTHON")?)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../quality/score.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = script.stdin.take()?;
    for (clean, heard) in pairs {
        writeln!(input, "{}\t{}", clean.display(), heard.display()).ok()?;
    }
    drop(input);
    let output = script.wait_with_output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn score(line: &str) -> Option<Score> {
    let (pesq, stoi) = line.split_once(' ')?;
    Some(Score {
        pesq: pesq.parse().ok()?,
        stoi: stoi.parse().ok()?,
    })
}
