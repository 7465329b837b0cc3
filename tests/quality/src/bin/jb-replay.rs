//! `jb-replay`: recorded RTP, or speech through a packet trace, as a playout engine plays it.
//!
//! ```text
//! jb-replay DUMP OUT.wav [--engine NAME] [--payload-type NUMBER]     a file of rtpdump, Opus
//! jb-replay TRACE.csv OUT.wav --speech IN.wav [--engine NAME]        sequence,rtp_timestamp,sent_us,arrived_us|lost
//! jb-replay --generate KIND [--seed NUMBER]                          writes a trace to standard output
//! ```

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of the command line"
)]

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clearline_core::Instant;
use clearline_quality::delay::Delays;
use clearline_quality::dump::{Dump, MAGIC};
use clearline_quality::engine::{Engine, Make};
use clearline_quality::kind::Kind;
use clearline_quality::replay::{Recording, play, replay};
use clearline_quality::stream::{Redundancy, Stream};
use clearline_quality::trace::{Trace, percentage};
use clearline_quality::{FRAME, speech};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Bytes read of a dump or trace.
const MAX_FILE: u64 = 256 << 20;

const USAGE: &str = "\
jb-replay DUMP OUT.wav [--engine NAME] [--payload-type NUMBER]
jb-replay TRACE.csv OUT.wav --speech IN.wav [--engine NAME]
jb-replay --generate KIND [--seed NUMBER]";

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).and_then(|options| options.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Options {
    files: Vec<PathBuf>,
    engine: Option<Make>,
    payload_type: Option<u8>,
    speech: Option<PathBuf>,
    kind: Option<Kind>,
    seed: Option<u64>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--engine" => options.engine = Some(Make::named(&value()?).ok_or_else(engines)?),
                "--payload-type" => options.payload_type = Some(value()?.parse()?),
                "--speech" => options.speech = Some(value()?.into()),
                "--generate" => options.kind = Some(Kind::named(&value()?).ok_or_else(kinds)?),
                "--seed" => options.seed = Some(value()?.parse()?),
                option if option.starts_with("--") => return Err(USAGE.into()),
                _ => options.files.push(argument.into()),
            }
        }
        Ok(options)
    }

    fn run(&self) -> Result<()> {
        if let Some(kind) = self.kind {
            print!("{}", kind.trace(self.seed.unwrap_or(kind.usual_seed())));
            return Ok(());
        }
        let [input, output] = self.files.as_slice() else {
            return Err(USAGE.into());
        };
        let file = bounded(input)?;
        let mut engine = self.engine.unwrap_or(Make::ALL[0]).start()?;
        let recording = if file.starts_with(MAGIC) {
            self.dump(&file, engine.as_mut())?
        } else {
            self.trace(&file, engine.as_mut())?
        };
        report(&recording);
        Ok(speech::write(output, &recording.samples)?)
    }

    fn dump(&self, file: &[u8], engine: &mut dyn Engine) -> Result<Recording> {
        let dump = Dump::read(file, self.payload_type)?;
        let census = dump.census();
        println!("packets received      {}", census.received);
        println!("packets lost          {}", census.lost);
        println!("packets twice         {}", census.duplicates);
        println!("packets out of order  {}", census.reordered);
        println!(
            "mean network delay    {:.1} ms over the fastest",
            dump.mean_delay()
        );
        let end = dump
            .arrivals
            .last()
            .map_or(Instant::ZERO, |(arrived, _)| *arrived);
        Ok(play(&dump.arrivals, Instant::ZERO, end, engine))
    }

    fn trace(&self, file: &[u8], engine: &mut dyn Engine) -> Result<Recording> {
        let trace = Trace::parse(std::str::from_utf8(file)?)?;
        let speech = self
            .speech
            .as_ref()
            .ok_or("a trace has no audio in it: --speech IN.wav")?;
        let speech = speech::read(speech)?;
        let samples = speech.into_iter().cycle().take(trace.packets.len() * FRAME);
        let stream = Stream::encode(samples, Redundancy::InBand)?;
        let figures = trace.figures(0);
        println!("packets               {}", trace.packets.len());
        println!("packets lost          {:.2} %", figures.lost);
        println!(
            "network delay         {:.1} ms, 95 % under {:.1} ms, at most {:.1} ms",
            figures.mean, figures.p95, figures.max
        );
        let recording = replay(&trace, &stream.payloads, 0, engine);
        let delays = Delays::measure(&recording, &stream.clean, &trace);
        println!(
            "delay                 {:.1} ms, 95 % under {:.1} ms",
            delays.mean(),
            delays.p95()
        );
        Ok(recording)
    }
}

fn engines() -> String {
    format!("engines: {}", Make::ALL.map(Make::name).join(", "))
}

fn kinds() -> String {
    format!("kinds of traces: {}", Kind::ALL.map(Kind::name).join(", "))
}

fn bounded(path: &Path) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut file)?;
    if file.len() as u64 > MAX_FILE {
        return Err(format!("{} is longer than 256 MiB", path.display()).into());
    }
    Ok(file)
}

fn report(recording: &Recording) {
    let share = |samples: u64| percentage(samples as usize, recording.samples.len());
    let statistics = recording.statistics;
    println!("concealed             {:.2} %", share(statistics.concealed));
    println!("recovered             {:.2} %", share(statistics.recovered));
    println!("left out              {:.2} %", share(statistics.removed));
    println!("stretched             {:.2} %", share(statistics.inserted));
}
