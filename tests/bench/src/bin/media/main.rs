//! Playout engines on the same packets and the same speech: how late, how much invented, how good.

mod neteq_engine;
mod score;
mod table;
mod virtual_clock;
mod voices;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clearline_bench::keep_table;
use clearline_quality::delay::Delays;
use clearline_quality::engine::{Engine, Make};
use clearline_quality::kind::{Kind, WINDOW};
use clearline_quality::replay::{Recording, replay};
use clearline_quality::stream::{Redundancy, Stream};
use clearline_quality::trace::{Figures, Trace};
use clearline_quality::{FRAME, speech};
use neteq_engine::NetEq;
use rustix::time::{ClockId, clock_gettime};

/// The least CPU time of so many replays counts.
const REPLAYS: usize = 3;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A network, with or without redundancy in the stream.
struct Case {
    kind: Kind,
    redundancy: Redundancy,
    trace: Trace,
}

/// One line of the table.
struct Outcome {
    engine: &'static str,
    delays: Delays,
    recording: Recording,
    /// Of a second of audio.
    cpu: Duration,
    clean: PathBuf,
    heard: PathBuf,
}

fn main() -> Result<()> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let folder = std::env::var_os("CLEARLINE_RECORDINGS").map_or_else(std::env::temp_dir, PathBuf::from);
    fs::create_dir_all(&folder)?;
    let voices = voices::window()?;
    speech::write(&folder.join("speech.wav"), &voices)?;
    if filter == "--speech" {
        return Ok(());
    }
    let cases: Vec<Case> = cases().filter(|case| case.name().contains(&filter)).collect();
    let mut outcomes = Vec::new();
    for case in &cases {
        outcomes.push(case.run(&voices, &folder)?);
    }
    let pairs: Vec<(&Path, &Path)> = outcomes
        .iter()
        .flatten()
        .map(|outcome| (outcome.clean.as_path(), outcome.heard.as_path()))
        .collect();
    let table = table::table(&cases, &outcomes, &score::scores(&pairs));
    println!("{table}");
    if filter.is_empty() {
        keep_table("media.md", &table);
    }
    Ok(())
}

fn cases() -> impl Iterator<Item = Case> {
    let with = Kind::ALL.map(|kind| (kind, Redundancy::InBand));
    let without = [
        (Kind::Loss3, Redundancy::Without),
        (Kind::Loss10, Redundancy::Without),
    ];
    with.into_iter().chain(without).map(|(kind, redundancy)| Case {
        kind,
        redundancy,
        trace: kind.trace(kind.usual_seed()),
    })
}

impl Case {
    fn name(&self) -> String {
        match self.redundancy {
            Redundancy::InBand => self.kind.name().to_owned(),
            Redundancy::Without => format!("{}, no FEC", self.kind.name()),
        }
    }

    fn figures(&self) -> Figures {
        self.trace.figures(self.kind.lead())
    }

    /// The window begins where the speech begins; what is said before it is the same again.
    fn stream(&self, voices: &[i16]) -> Result<Stream> {
        let lead = self.kind.lead() * FRAME;
        let skipped = (voices.len() - lead % voices.len()) % voices.len();
        let speech = voices.iter().copied().cycle().skip(skipped);
        Ok(Stream::encode(
            speech.take(lead + WINDOW * FRAME),
            self.redundancy,
        )?)
    }

    fn run(&self, voices: &[i16], folder: &Path) -> Result<Vec<Outcome>> {
        let stream = self.stream(voices)?;
        let clean = folder.join(format!("{} clean.wav", self.name()));
        speech::write(&clean, &stream.clean[self.kind.lead() * FRAME..])?;
        let mut outcomes = Vec::new();
        for make in Make::ALL {
            outcomes.push(self.outcome(make.name(), &|| Ok(make.start()?), &stream, &clean)?);
        }
        outcomes.push(self.outcome("neteq 0.9.1", &|| Ok(Box::new(NetEq::new()?)), &stream, &clean)?);
        Ok(outcomes)
    }

    fn outcome(
        &self,
        engine: &'static str,
        start: &dyn Fn() -> Result<Box<dyn Engine>>,
        stream: &Stream,
        clean: &Path,
    ) -> Result<Outcome> {
        let (mut recording, mut cpu) = (Recording::default(), Duration::MAX);
        for _ in 0..REPLAYS {
            let mut engine = start()?;
            let before = cpu_time();
            recording = replay(&self.trace, &stream.payloads, self.kind.lead(), engine.as_mut());
            cpu = cpu.min(cpu_time() - before);
        }
        let heard = clean.with_file_name(format!("{} {engine}.wav", self.name()));
        speech::write(&heard, &recording.samples)?;
        Ok(Outcome {
            engine,
            delays: Delays::measure(&recording, &stream.clean, &self.trace),
            recording,
            cpu: cpu / (self.trace.packets.len() / 50) as u32,
            clean: clean.to_owned(),
            heard,
        })
    }
}

/// What this thread has used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
