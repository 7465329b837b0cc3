//! From mouth to ear: how long a click takes from one telephone's microphone to the other one's speaker, through a whole call,
//! and what voice processing costs.
//!
//! Both telephones are in this process, with the embedded platform and real media; the sound devices are sinks of a PulseAudio
//! that plays to nobody. A click is played into the first sink, which one telephone has as its microphone; the other telephone
//! plays into the last one. Both sinks are recorded in the same way, and the time between the two records of a click counts.
//! `cargo xtask bench devices` writes the table.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures says what it finds, and ends when it cannot go on"
)]

#[path = "../tests/support/platform.rs"]
#[expect(dead_code, reason = "the WebSocket is for the program's tests")]
mod platform;
#[path = "../tests/support/pulse.rs"]
#[expect(dead_code, reason = "nothing is unplugged here")]
mod pulse;

use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clearline_core::sip::UriBuf;
use clearline_core::{Config, MediaTransport, Secret};
use clearline_native::Phone;
use clearline_native::audio::devices::{CHUNK, DeviceAudio, DeviceSettings, Voice, VoiceProcessing, list};
use clearline_native::transport::ChannelTransport;
use cpal::traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _};
use cpal::{BufferSize, StreamConfig};
use platform::{DOMAIN, PASSWORD};
use tokio::time::{sleep, timeout};

const RATE: u32 = 48_000;
const CLICKS: usize = 60;
/// Time between two clicks; a little odd, so that they fall on every phase of the frames.
const APART: Duration = Duration::from_millis(487);
/// Samples of a click: 5 ms of a tone, which every codec carries.
const CLICK: usize = 240;
/// Loud enough to be a click, as a part of full scale.
const LOUD: f32 = 0.15;
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // `cargo test` runs benches too, and nobody waits for figures then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("CLEARLINE_BENCH_PULSE").is_some() {
        tokio::runtime::Runtime::new().unwrap().block_on(measure());
        return ExitCode::SUCCESS;
    }
    // The address of the sound system is read from the environment, which only another process can be given.
    let Some(pulse) = pulse::Pulse::start(&["mouth", "ear", "other"]) else {
        eprintln!("PulseAudio is not installed");
        return ExitCode::FAILURE;
    };
    let status = Command::new(std::env::current_exe().unwrap())
        .arg("--bench")
        .env("PULSE_SERVER", pulse.address())
        .env("CLEARLINE_BENCH_PULSE", "1")
        .status();
    drop(pulse);
    if status.is_ok_and(|status| status.success()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn measure() {
    let mut table = String::from("| what | median | 95 % | clicks |\n|---|---|---|---|\n");
    for (what, voice) in [
        ("mouth to ear, ms", VoiceProcessing::OFF),
        (
            "mouth to ear with voice processing, ms",
            VoiceProcessing::default(),
        ),
    ] {
        let mut delays = mouth_to_ear(voice).await;
        delays.sort_by(f64::total_cmp);
        let at = |part: f64| {
            delays
                .get((delays.len() as f64 * part) as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        let row = format!(
            "| {what} | {:.1} | {:.1} | {} of {CLICKS} |",
            at(0.5),
            at(0.95),
            delays.len()
        );
        eprintln!("{row}");
        let _ = writeln!(table, "{row}");
        // PulseAudio is left in peace before the next call.
        sleep(Duration::from_secs(1)).await;
    }
    for (what, voice) in [
        (
            "echo cancellation",
            VoiceProcessing {
                echo_cancellation: true,
                ..VoiceProcessing::OFF
            },
        ),
        (
            "noise suppression",
            VoiceProcessing {
                noise_suppression: true,
                ..VoiceProcessing::OFF
            },
        ),
        (
            "gain control",
            VoiceProcessing {
                gain_control: true,
                ..VoiceProcessing::OFF
            },
        ),
        ("all three", VoiceProcessing::default()),
    ] {
        let row = format!(
            "| {what}, % of a processor | {:.2} | | |",
            100.0 * share_of_processor(voice)
        );
        eprintln!("{row}");
        let _ = writeln!(table, "{row}");
    }
    println!("{table}");
    if let Some(folder) = std::env::var_os("CLEARLINE_BENCH_TABLES") {
        std::fs::write(std::path::Path::new(&folder).join("devices.md"), table).unwrap();
    }
}

/// Milliseconds of each click that arrived.
async fn mouth_to_ear(voice: VoiceProcessing) -> Vec<f64> {
    let transport = platform::start(&[("alice", "101"), ("robert", "102")]);
    let (speaks, hears) = (
        devices("mouth.monitor", "other", voice),
        devices("other.monitor", "ear", voice),
    );
    let alice = phone("alice", &transport, &speaks).await;
    let robert = phone("robert", &transport, &hears).await;
    let outgoing = alice.call("102").await.unwrap();
    let incoming = timeout(PATIENCE, robert.incoming()).await.unwrap().unwrap();
    incoming.answer().await.unwrap();
    for call in [&outgoing, &incoming] {
        let connected = call.when(|info| info.media == MediaTransport::Connected);
        timeout(PATIENCE, connected).await.unwrap().unwrap();
    }
    let (_mouth, said) = record("mouth.monitor");
    let (_ear, heard) = record("ear.monitor");
    let _clicks = click_into("mouth");
    // The first clicks are for codecs and canceller to settle.
    sleep(APART * 6).await;
    said.lock().unwrap().clear();
    heard.lock().unwrap().clear();
    sleep(APART * CLICKS as u32).await;
    eprintln!(
        "{:?}\n{:?}",
        speaks.statistics().microphone,
        hears.statistics().speaker
    );
    outgoing.hang_up().await.unwrap();
    let (said, heard) = (said.lock().unwrap().clone(), heard.lock().unwrap().clone());
    alice.stop().await;
    robert.stop().await;
    let after = |click: &Instant| heard.iter().find(|at| *at > click).map(|at| *at - *click);
    let delays = said.iter().filter_map(after).filter(|delay| *delay < APART);
    delays.map(|delay| delay.as_secs_f64() * 1e3).collect()
}

fn devices(microphone: &str, speaker: &str, voice: VoiceProcessing) -> DeviceAudio {
    let id = |name: &str| {
        let found = list()
            .unwrap()
            .into_iter()
            .find(|device| device.id.ends_with(&format!(":{name}")));
        found.map(|device| device.id)
    };
    DeviceAudio::new(DeviceSettings {
        microphone: id(microphone),
        speaker: id(speaker),
        voice,
        ..DeviceSettings::default()
    })
}

async fn phone(user: &str, transport: &ChannelTransport, audio: &DeviceAudio) -> Phone {
    let address = UriBuf::parse(format!("sip:{user}@{DOMAIN}")).unwrap();
    let instance = format!("urn:uuid:00000000-0000-4000-8000-{:0>12x}", user.len());
    let mut config = Config::new(address, "ws://in-process/sip", instance);
    config.password = Secret::new(PASSWORD);
    let phone = Phone::builder(config)
        .transport(transport.clone())
        .audio(audio.clone())
        .start()
        .unwrap();
    timeout(PATIENCE, phone.registered()).await.unwrap().unwrap();
    phone
}

/// Notes when clicks begin at a monitor.
fn record(name: &str) -> (cpal::Stream, Arc<Mutex<Vec<Instant>>>) {
    let clicks = Arc::<Mutex<Vec<Instant>>>::default();
    let noted = Arc::clone(&clicks);
    let mut quiet = 0;
    let captured = move |samples: &[f32], _: &_| {
        let now = Instant::now();
        for (index, sample) in samples.iter().enumerate() {
            if sample.abs() > LOUD && quiet > RATE / 10 {
                let ago = Duration::from_secs_f64((samples.len() - index) as f64 / f64::from(RATE));
                noted.lock().unwrap().push(now - ago);
            }
            quiet = if sample.abs() > LOUD { 0 } else { quiet + 1 };
        }
    };
    let device = device(name);
    let stream = device
        .build_input_stream(format(), captured, |error| eprintln!("{error}"), None)
        .unwrap();
    stream.play().unwrap();
    (stream, clicks)
}

fn click_into(name: &str) -> cpal::Stream {
    let period = (APART.as_secs_f64() * f64::from(RATE)) as usize;
    let mut position = 0_usize;
    let render = move |samples: &mut [f32], _: &_| {
        for sample in samples {
            let phase = position % period;
            let tone = (phase as f32 / 48.0 * std::f32::consts::TAU).sin() * 0.7;
            *sample = if phase < CLICK { tone } else { 0.0 };
            position += 1;
        }
    };
    let stream = device(name)
        .build_output_stream(format(), render, |error| eprintln!("{error}"), None)
        .unwrap();
    stream.play().unwrap();
    stream
}

fn format() -> StreamConfig {
    StreamConfig {
        channels: 1,
        sample_rate: RATE,
        buffer_size: BufferSize::Fixed(RATE / 200),
    }
}

fn device(name: &str) -> cpal::Device {
    let host = cpal::host_from_id(cpal::HostId::PulseAudio).unwrap();
    let is_meant = |device: &cpal::Device| {
        device
            .id()
            .is_ok_and(|id| id.to_string().ends_with(&format!(":{name}")))
    };
    host.devices().unwrap().find(is_meant).unwrap()
}

/// Of processing a conversation in which both speak all the time.
fn share_of_processor(wanted: VoiceProcessing) -> f64 {
    const SECONDS: usize = 30;
    let mut voice = Voice::new(wanted);
    let mut random = 1_u32;
    let mut noise = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((random >> 8) as f32 / 8_388_608.0 - 1.0) * 0.1
    };
    let chunks: Vec<[f32; CHUNK]> = (0..200).map(|_| std::array::from_fn(|_| noise())).collect();
    let processor_time = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let begun = processor_time();
    for number in 0..SECONDS * 100 {
        let mut captured = chunks[(number + 7) % chunks.len()];
        voice.played(&chunks[number % chunks.len()]);
        voice.captured(&mut captured);
    }
    (processor_time() - begun) / SECONDS as f64
}
