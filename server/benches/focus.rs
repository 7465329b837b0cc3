//! A conference of eight on the server's program: what it costs and how late each hears the others.
//!
//! The server runs in a process of its own, so that its time is its own; the eight telephones are in this one, with native
//! media, and all is on one machine. `cargo xtask bench focus` writes the table.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what it finds, and ends when it cannot go on"
)]

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clearline_core::sip::UriBuf;
use clearline_core::{CallId, Config, MediaError, MediaTransport, Secret};
use clearline_native::audio::{Audio, AudioProvider, AudioSink, AudioSource, SAMPLE_RATE};
use clearline_native::{Call, Phone};
use tokio::time::{sleep, timeout};

const PARTIES: usize = 8;
const DOMAIN: &str = "bench.localhost";
/// For how long the processor's time is taken.
const TALK: Duration = Duration::from_secs(20);
/// Words of each party whose way is timed.
const WORDS: usize = 12;
/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    // `cargo test` runs benches too, and nobody waits for figures then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let server = Server::start();
    let idle = server.resident_bytes();
    let mut people = Vec::new();
    for number in 0..PARTIES {
        people.push(Person::new(&server, number).await);
    }
    let direct = direct_delays(&people[..2]).await;
    let calls = confer(&people).await;
    sleep(Duration::from_secs(2)).await;

    let mut table = String::from("| what | figure |\n|---|---|\n");
    let mut row = |what: &str, figure: String| {
        let _ = writeln!(table, "| {what} | {figure} |");
        eprintln!("{what}: {figure}");
    };
    row("parties", PARTIES.to_string());
    for (what, is_speaking) in [("all of them speak", true), ("nobody speaks", false)] {
        people.iter().for_each(|person| person.voice.speak(is_speaking));
        sleep(Duration::from_secs(1)).await;
        let share = server.processor_share(TALK).await / PARTIES as f64;
        row(
            &format!("share of one processor per party, {what}"),
            format!("{:.2} %", share * 100.0),
        );
    }
    let resident = (server.resident_bytes() - idle) / PARTIES as u64 / 1024;
    row("resident memory more per party", format!("{resident} KiB"));

    let mut delays = Vec::new();
    for _ in 0..WORDS {
        for speaker in &people {
            delays.extend(word(speaker, &people).await);
        }
    }
    row(
        "mouth to ear in the conference, ms: half of all words; 95 of 100; all",
        spread(&mut delays),
    );
    row("mouth to ear in a call of two, the same", direct);
    row(
        "words heard of those said to somebody",
        format!("{} of {}", delays.len(), WORDS * PARTIES * (PARTIES - 1)),
    );
    for call in calls {
        let _ = call.hang_up().await;
    }
    println!("{table}");
    if let Some(folder) = std::env::var_os("CLEARLINE_BENCH_TABLES") {
        std::fs::write(PathBuf::from(folder).join("focus.md"), &table).unwrap();
    }
}

fn spread(delays: &mut [Duration]) -> String {
    delays.sort_unstable();
    let at = |share: usize| delays[(delays.len() - 1) * share / 100].as_millis();
    format!("{}; {}; {}", at(50), at(95), at(100))
}

/// How late two hear each other who call each other, without the server between them.
async fn direct_delays(pair: &[Person]) -> String {
    let call = pair[0].phone.call(&pair[1].name).await.unwrap();
    let connected = call.when(|info| info.media == MediaTransport::Connected);
    timeout(PATIENCE, connected).await.unwrap().unwrap();
    sleep(Duration::from_secs(2)).await;
    let mut delays = Vec::new();
    for _ in 0..WORDS * 2 {
        for speaker in pair {
            delays.extend(word(speaker, pair).await);
        }
    }
    call.hang_up().await.unwrap();
    let mut state = pair[1].phone.watch();
    let free = state.wait_for(|state| state.calls.is_empty());
    drop(timeout(PATIENCE, free).await.unwrap().unwrap());
    spread(&mut delays)
}

/// All in one conference, with audio: the first one makes it, the others are called.
async fn confer(people: &[Person]) -> Vec<Call> {
    let first = people[0]
        .phone
        .call(&format!("sip:conference@{DOMAIN}"))
        .await
        .unwrap();
    timeout(PATIENCE, first.answered()).await.unwrap().unwrap();
    let mut calls = vec![first];
    for person in &people[1..] {
        // Each is called and merged with what is there, as a telephone does it.
        let call = people[0].phone.call(&person.name).await.unwrap();
        timeout(PATIENCE, call.answered()).await.unwrap().unwrap();
        timeout(PATIENCE, calls[0].merge(call.id()))
            .await
            .unwrap()
            .unwrap();
    }
    for person in &people[1..] {
        let mut state = person.phone.watch();
        let state = timeout(PATIENCE, state.wait_for(|state| !state.calls.is_empty())).await;
        let id = *state.unwrap().unwrap().calls.keys().next().unwrap();
        calls.push(person.phone.call_handle(id));
    }
    for call in &calls {
        let connected = call.when(|info| info.media == MediaTransport::Connected);
        timeout(PATIENCE, connected).await.unwrap().unwrap();
    }
    calls
}

/// Somebody says a word; how late each other one hears it.
async fn word(speaker: &Person, people: &[Person]) -> Vec<Duration> {
    let others = || people.iter().filter(|person| person.name != speaker.name);
    others().for_each(|person| person.voice.listen());
    speaker.voice.say();
    sleep(Duration::from_millis(600)).await;
    let said = speaker.voice.said_at();
    let heard = others().filter_map(|person| person.voice.heard_at());
    heard.map(|heard| heard.saturating_duration_since(said)).collect()
}

struct Person {
    name: String,
    phone: Phone,
    voice: Voice,
}

impl Person {
    async fn new(server: &Server, number: usize) -> Self {
        let name = format!("user{number}");
        let address = UriBuf::parse(format!("sip:{name}@{DOMAIN}")).unwrap();
        let url = format!("ws://127.0.0.1:{}/sip", server.port);
        let mut config = Config::new(address, url, format!("urn:uuid:{name}"));
        config.password = Secret::new(format!("secret of {name}"));
        config.auto_answer = true;
        config.conference_factory = UriBuf::parse(format!("sip:conference@{DOMAIN}")).ok();
        let voice = Voice {
            hertz: 300.0 + 110.0 * number as f64,
            at: 0,
            shared: Arc::default(),
        };
        let phone = Phone::builder(config).audio(voice.clone()).start().unwrap();
        timeout(PATIENCE, phone.registered()).await.unwrap().unwrap();
        Self { name, phone, voice }
    }
}

#[derive(Clone)]
struct Voice {
    hertz: f64,
    at: u64,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_speaking: AtomicBool,
    word: Mutex<Word>,
}

/// One short word, and what is heard of one.
#[derive(Default)]
struct Word {
    frames_left: u32,
    said_at: Option<Instant>,
    is_listening: bool,
    heard_at: Option<Instant>,
}

impl Voice {
    fn speak(&self, is_speaking: bool) {
        self.shared.is_speaking.store(is_speaking, Ordering::Relaxed);
    }

    fn say(&self) {
        let mut word = self.shared.word.lock().unwrap();
        (word.frames_left, word.said_at) = (10, None);
    }

    fn listen(&self) {
        let mut word = self.shared.word.lock().unwrap();
        (word.is_listening, word.heard_at) = (true, None);
    }

    fn said_at(&self) -> Instant {
        self.shared
            .word
            .lock()
            .unwrap()
            .said_at
            .expect("it has been said")
    }

    fn heard_at(&self) -> Option<Instant> {
        self.shared.word.lock().unwrap().heard_at
    }
}

impl AudioProvider for Voice {
    fn open(&self, _: CallId) -> Result<Audio, MediaError> {
        Ok(Audio {
            source: Box::new(self.clone()),
            sink: Box::new(self.clone()),
        })
    }
}

impl AudioSource for Voice {
    fn read(&mut self, frame: &mut [i16]) {
        let mut word = self.shared.word.lock().unwrap();
        let is_word = word.frames_left > 0;
        if is_word {
            word.frames_left -= 1;
            word.said_at.get_or_insert_with(Instant::now);
        }
        let is_loud = is_word || self.shared.is_speaking.load(Ordering::Relaxed);
        for sample in frame {
            let phase = TAU * self.hertz * self.at as f64 / f64::from(SAMPLE_RATE);
            *sample = if is_loud {
                (phase.sin() * 3_000.0) as i16
            } else {
                0
            };
            self.at += 1;
        }
    }
}

impl AudioSink for Voice {
    fn write(&mut self, frame: &[i16]) {
        let mut word = self.shared.word.lock().unwrap();
        if word.is_listening && frame.iter().any(|sample| sample.unsigned_abs() > 1_000) {
            (word.is_listening, word.heard_at) = (false, Some(Instant::now()));
        }
    }
}

/// The server's own process. It ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_clearline-server"));
        let folder = program.with_file_name("bench-focus-data");
        std::fs::create_dir_all(&folder).unwrap();
        let mut users = String::new();
        for number in 0..PARTIES {
            let _ = write!(
                users,
                "[[users]]\nid = \"user{number}\"\nnumber = \"{}\"\npassword = \"secret of user{number}\"\n",
                100 + number
            );
        }
        let list = folder.join("users.toml");
        std::fs::write(&list, users).unwrap();
        let mut process = Command::new(program)
            .args(["--port", "0", "--no-echo", "--domain", DOMAIN, "--users"])
            .arg(list)
            .arg("--data-dir")
            .arg(&folder)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let port = BufReader::new(process.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let digits = line.split("127.0.0.1:").nth(1)?;
                digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
            });
        Self {
            process,
            port: port.expect("it says where it listens"),
        }
    }

    /// How much of one processor it takes during `time`, in the program and in the kernel for it.
    async fn processor_share(&self, time: Duration) -> f64 {
        let (start, spent) = (Instant::now(), self.processor_time());
        sleep(time).await;
        (self.processor_time() - spent).as_secs_f64() / start.elapsed().as_secs_f64()
    }

    fn processor_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.status("stat");
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        TICK * ticks.map(|ticks| ticks.parse::<u32>().unwrap()).sum::<u32>()
    }

    fn resident_bytes(&self) -> u64 {
        let status = self.status("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    fn status(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
