//! The table as Markdown.

use std::fmt::Write as _;

use clearline_quality::FRAME;
use clearline_quality::kind::{Kind, WINDOW};

use crate::score::Score;
use crate::{Case, Outcome};

const EXPLANATION: &str = "\
Playout engines on the same packets and the same speech (`cargo xtask bench media`), each pulled every 10 ms under a virtual clock.
The call is 5 s old (with drift 300 s) when the 32 s begin that are measured. Half of the speech is synthetic, half a person's; Opus,
32 kbit/s, 20 ms, in-band FEC unless said otherwise.

- *delay*: from sending to playing, found by comparing half seconds of what was heard with what was sent (not what an engine says of
  itself); *over the network* is the mean without the mean of the network.
- *concealed*: samples invented, of all; *beyond the loss*: without the share of lost packets (negative: made up for by FEC).
- *stretched*: samples left out or added by accelerating and decelerating.
- *PESQ-WB*, *STOI*: against the decoded stream before the network, each 8 s (PESQ) and 2 s (STOI) aligned by itself, so that delay is
  judged by the columns for delay; `-` without Python.
- *back after*: until the delay is within 20 ms of what it was before the stall.
- *CPU*: of a second of audio, decoder included, in microseconds; all but this column is the same on every run.
";

/// All cases, with what was scored.
pub fn table(cases: &[Case], outcomes: &[Vec<Outcome>], scores: &[Option<Score>]) -> String {
    let mut text = format!("{EXPLANATION}\n");
    text.push_str("| trace | engine | delay, ms | p95 | over the network | concealed % | beyond the loss | stretched % | PESQ-WB | STOI | CPU |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|---|---|\n");
    let mut scores = scores.iter();
    for (case, outcomes) in cases.iter().zip(outcomes) {
        for outcome in outcomes {
            line(&mut text, case, outcome, scores.next().copied().flatten());
        }
    }
    networks(&mut text, cases);
    stalls(&mut text, cases, outcomes);
    text
}

fn line(text: &mut String, case: &Case, outcome: &Outcome, score: Option<Score>) {
    let figures = case.figures();
    let statistics = outcome.recording.statistics;
    let share = |samples: u64| 100.0 * samples as f64 / (WINDOW * FRAME) as f64;
    let concealed = share(statistics.concealed);
    let (pesq, stoi) = score.map_or(("-".to_owned(), "-".to_owned()), |score| {
        (format!("{:.2}", score.pesq), format!("{:.3}", score.stoi))
    });
    let _ = writeln!(
        text,
        "| {} | {} | {:.0} | {:.0} | {:.0} | {:.2} | {:+.2} | {:.2} | {pesq} | {stoi} | {} |",
        case.name(),
        outcome.engine,
        outcome.delays.mean(),
        outcome.delays.p95(),
        outcome.delays.mean() - figures.mean,
        concealed,
        concealed - figures.lost,
        share(statistics.stretched()),
        outcome.cpu.as_micros(),
    );
}

fn networks(text: &mut String, cases: &[Case]) {
    text.push_str("\n| trace | lost % | delay, ms | p95 | max |\n|---|---|---|---|---|\n");
    for case in cases {
        let figures = case.figures();
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.0} | {:.0} | {:.0} |",
            case.name(),
            figures.lost,
            figures.mean,
            figures.p95,
            figures.max
        );
    }
}

fn stalls(text: &mut String, cases: &[Case], outcomes: &[Vec<Outcome>]) {
    text.push_str("\n| after the stall of 300 ms | back after, s |\n|---|---|\n");
    let stalls = cases
        .iter()
        .zip(outcomes)
        .filter(|(case, _)| case.kind == Kind::Stall);
    for (case, outcomes) in stalls {
        let event = case.trace.packets[case.kind.lead() + 500].sent;
        for outcome in outcomes {
            let back = outcome.delays.back_after(event);
            let back = back.map_or("never".to_owned(), |back| format!("{:.1}", back.as_secs_f64()));
            let _ = writeln!(text, "| {} | {back} |", outcome.engine);
        }
    }
}
