//! The table as Markdown.

use std::fmt::Write as _;

use clearline_core::Duration;
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

/// Chromium 156 on traces of these kinds, as it says itself (median of one to three calls): delay of its jitter buffer without the 10 ms that
/// the samples of a packet are later than its first one on average, samples concealed, samples accelerated or decelerated.
const CHROMIUM: [(Kind, f64, f64, f64); 9] = [
    (Kind::Clean, 20.0, 0.00, 0.00),
    (Kind::Gauss20, 78.8, 0.24, 0.18),
    (Kind::Loss3, 27.1, 1.00, 0.15),
    (Kind::Loss10, 24.0, 3.24, 0.42),
    (Kind::Burst, 28.3, 3.69, 0.15),
    (Kind::Spikes, 175.2, 0.53, 0.05),
    (Kind::Stall, 53.5, 0.87, 0.92),
    (Kind::Wifi, 101.6, 0.76, 0.08),
    (Kind::Mobile, 105.2, 1.34, 0.81),
];

/// All cases, with what was scored.
pub(crate) fn table(cases: &[Case], outcomes: &[Vec<Outcome>], scores: &[Option<Score>]) -> String {
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
    chromium(&mut text);
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
    let Some((case, outcomes)) = cases
        .iter()
        .zip(outcomes)
        .find(|(case, _)| case.kind == Kind::Stall)
    else {
        return;
    };
    text.push_str("\n| after the stall of 300 ms | back after, s |\n|---|---|\n");
    let event = case.trace.packets[case.kind.lead() + 500].sent;
    for outcome in outcomes {
        let back = match outcome.delays.back_after(event) {
            None => "not within the call".to_owned(),
            Some(Duration::ZERO) => "at once".to_owned(),
            Some(back) => format!("{:.1}", back.as_secs_f64()),
        };
        let _ = writeln!(text, "| {} | {back} |", outcome.engine);
    }
}

fn chromium(text: &mut String) {
    text.push_str("\nFor orientation, Chromium 156 in calls through a relay with such traces (its own statistics, other speech, FEC from the moment\n");
    text.push_str(
        "on at which its sender has learned of losses); after the stall it was back after 4.1 to 5.5 s:\n\n",
    );
    text.push_str("| trace | over the network | concealed % | stretched % |\n|---|---|---|---|\n");
    for (kind, delay, concealed, stretched) in CHROMIUM {
        let _ = writeln!(
            text,
            "| {} | {delay:.0} | {concealed:.2} | {stretched:.2} |",
            kind.name()
        );
    }
}
