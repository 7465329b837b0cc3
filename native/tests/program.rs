//! The program `clearline` as a script uses it: arguments, output, files, exit codes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/platform.rs"]
mod platform;
#[expect(dead_code, reason = "the programs bring their own microphones and ears")]
mod support;
#[path = "support/within.rs"]
mod within;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use clearline_core::recording::{Record, Replay};
use clearline_core::sip::UriBuf;
use clearline_core::{Config, RejectReason, Secret};
use clearline_native::Phone;
use clearline_native::audio::{AudioSink as _, FRAME, Recording, Sound};
use clearline_native::transport::ChannelTransport;
use platform::{DOMAIN, PASSWORD};
use serde_json::Value;
use support::{similarity, voice};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use within::within;

const USERS: &[(&str, &str)] = &[("alice", "101"), ("bob", "102"), ("carol", "103")];

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("clearline-program-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn wav(&self, name: &str, sound: &Sound) -> PathBuf {
        let path = self.file(name);
        let mut file = Recording::create(&path).unwrap();
        sound.samples().chunks_exact(FRAME).for_each(|frame| {
            file.write(frame);
            // The recorder drops frames when the disk is far behind; this is faster than real time.
            std::thread::sleep(Duration::from_micros(200));
        });
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn clearline(words: &[&str], url: &str, user: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(words).args(["--server", url, "--user", user]);
    command.env("CLEARLINE_PASSWORD", PASSWORD).stdin(Stdio::null());
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn finish(mut command: Command) -> (Option<i32>, String, String) {
    outcome(within(30, command.output()).await.unwrap())
}

fn outcome(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Reads the program's output until a line contains `text`.
async fn line_with(child: &mut Child, text: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = within(20, lines.next_line()).await.unwrap() {
        if line.contains(text) {
            return;
        }
    }
    panic!("the program ended without {text:?}");
}

async fn bob(transport: ChannelTransport) -> Phone {
    person("bob", "102", transport).await
}

async fn person(name: &str, number: &str, transport: ChannelTransport) -> Phone {
    let address = UriBuf::parse(format!("sip:{name}@{DOMAIN}")).unwrap();
    let device = format!("urn:uuid:00000000-0000-4000-8000-000000000{number}");
    let mut config = Config::new(address, "ws://in-process/", device);
    config.password = Secret::new(PASSWORD);
    config.device_name = "desk".to_owned();
    let phone = Phone::builder(config).transport(transport).start().unwrap();
    phone.registered().await.unwrap();
    phone
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_talk_and_the_tapes_hold_the_other_voice() {
    let folder = Folder::new("talk");
    let url = platform::listen(platform::start(USERS)).await;
    let (alice, bob) = (voice(1, 5), voice(2, 30));
    let (alice_wav, bob_wav) = (folder.wav("alice.wav", &alice), folder.wav("bob.wav", &bob));
    let (at_alice, at_bob) = (folder.file("at-alice.wav"), folder.file("at-bob.wav"));
    let log = folder.file("alice.log");

    let answer = [
        "answer",
        "--times",
        "1",
        "--play",
        path(&bob_wav),
        "--record",
        path(&at_bob),
    ];
    let mut answering = clearline(&answer, &url, "bob").spawn().unwrap();
    line_with(&mut answering, "waiting for calls").await;
    let call = [
        "call",
        "102",
        "--json",
        "--play",
        path(&alice_wav),
        "--record",
        path(&at_alice),
        "--dtmf",
        "7",
        "--record-log",
        path(&log),
    ];
    let (code, stdout, stderr) = finish(clearline(&call, &url, "alice")).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(within(10, answering.wait()).await.unwrap().success());

    let end = stdout.lines().last().unwrap();
    assert!(
        stdout
            .lines()
            .all(|line| line.starts_with('{') && line.ends_with('}'))
    );
    for part in [
        r#""event":"end""#,
        r#""cause":"local-hang-up""#,
        r#""exitCode":0"#,
        r#""format":"opus""#,
    ] {
        assert!(end.contains(part), "{part} is missing in {end}");
    }
    let (heard_by_alice, heard_by_bob) = (Sound::load(&at_alice).unwrap(), Sound::load(&at_bob).unwrap());
    let right = similarity(bob.samples(), heard_by_alice.samples(), 0.6);
    let wrong = similarity(alice.samples(), heard_by_alice.samples(), 0.6);
    assert!(
        right > 0.8 && wrong < 0.6,
        "alice heard bob {right}, herself {wrong}"
    );
    let right = similarity(alice.samples(), heard_by_bob.samples(), 0.8);
    assert!(right > 0.7, "bob heard alice {right}");
    replays_and_tells_nothing(&std::fs::read_to_string(log).unwrap());
}

/// A log repeats the session bit for bit, and names nobody.
fn replays_and_tells_nothing(log: &str) {
    let address = if_addrs::get_if_addrs()
        .unwrap()
        .into_iter()
        .find(|it| !it.is_loopback());
    let address = address.map_or("127.0.0.1".to_owned(), |it| it.ip().to_string());
    let password = format!("\"{PASSWORD}\"");
    for telling in [
        "alice",
        "sip:bob@",
        "sip:102@",
        "\"102\"",
        &password,
        &address,
        "127.0.0.1",
    ] {
        let line = log.lines().find(|line| line.contains(telling));
        assert_eq!(line, None, "{telling} is in the log");
    }
    let mut records = log
        .lines()
        .map(|line| serde_json::from_str::<Record>(line).unwrap());
    let mut replay = Replay::new(records.next().unwrap()).unwrap();
    let steps = records.map(|record| replay.step(record).unwrap()).count();
    assert!(steps > 10, "{steps}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_end_has_its_own_exit_code() {
    let folder = Folder::new("ends");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let wav = folder.wav("hello.wav", &voice(1, 1));
    let call = |target: &'static str| clearline(&["call", target, "--play", path(&wav)], &url, "alice");

    assert_eq!(finish(call("999")).await.0, Some(6));
    assert_eq!(finish(call("102")).await.0, Some(5), "bob is not there");
    let bob = bob(transport).await;
    for reason in [RejectReason::Declined, RejectReason::Busy] {
        let calling = tokio::spawn(finish(call("102")));
        within(10, bob.incoming())
            .await
            .unwrap()
            .reject(reason)
            .await
            .unwrap();
        let (code, stdout, _) = calling.await.unwrap();
        assert_eq!(code, Some(4), "{stdout}");
    }
    let mut wrong = call("102");
    wrong.env("CLEARLINE_PASSWORD", "wrong");
    let (code, _, stderr) = finish(wrong).await;
    assert!(
        code == Some(3) && stderr.contains("password"),
        "{code:?} {stderr}"
    );
    let nowhere = clearline(&["call", "1", "--play", path(&wav)], "ws://127.0.0.1:1/", "alice");
    assert_eq!(finish(nowhere).await.0, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_hangs_up_properly() {
    let folder = Folder::new("interrupt");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let bob = bob(transport).await;
    let wav = folder.wav("hello.wav", &voice(1, 20));
    let mut calling = clearline(&["call", "102", "--play", path(&wav)], &url, "alice")
        .spawn()
        .unwrap();
    let incoming = within(10, bob.incoming()).await.unwrap();
    incoming.answer().await.unwrap();
    line_with(&mut calling, "talking to").await;
    let interrupt = Command::new("kill")
        .args(["-INT", &calling.id().unwrap().to_string()])
        .status();
    assert!(interrupt.await.unwrap().success());
    assert_eq!(within(10, calling.wait()).await.unwrap().code(), Some(130));
    let end = within(5, incoming.ended()).await.unwrap().end.unwrap();
    assert_eq!(end.cause, clearline_core::EndCause::RemoteHangUp);
}

/// The program with orders on its standard input.
struct Console {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Console {
    fn start(url: &str, wav: &Path) -> Self {
        let mut command = clearline(&["phone", "--json", "--play", path(wav)], url, "alice");
        // There is none: conferences are mixed by the program all the same.
        command.env("CLEARLINE_CONFERENCE_FACTORY", "conference");
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn order(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(line.as_bytes())
            .await
            .unwrap();
    }

    /// The next event for which `is_it` holds.
    async fn until(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        while let Some(line) = within(20, self.lines.next_line()).await.unwrap() {
            let event = serde_json::from_str(&line).unwrap();
            if is_it(&event) {
                return event;
            }
        }
        panic!("the program ended without {what}");
    }

    async fn done(&mut self, order: &str) {
        let is_it = |event: &Value| event["event"] == "order" && event["order"] == order;
        let event = self.until(order, is_it).await;
        assert_eq!(event["done"], true, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_are_ordered_about_and_connected_with_each_other() {
    let folder = Folder::new("console");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let (bob, carol) = (
        person("bob", "102", transport.clone()).await,
        person("carol", "103", transport).await,
    );
    let wav = folder.wav("hello.wav", &voice(1, 20));
    let mut alice = Console::start(&url, &wav);

    alice.order("call 102").await;
    let at_bob = within(10, bob.incoming()).await.unwrap();
    at_bob.answer().await.unwrap();
    alice.done("call 102").await;

    alice.order("dance").await;
    let mistake = alice.until("a mistake", |event| event["order"] == "dance").await;
    assert_eq!(mistake["done"], false);

    let at_carol = within(10, async {
        alice.order("call 103").await;
        carol.incoming().await
    })
    .await
    .unwrap();
    at_carol.answer().await.unwrap();
    alice.done("call 103").await;
    assert!(at_bob.info().unwrap().remote_hold, "bob waits");
    alice.order("swap").await;
    alice.done("swap").await;
    assert!(at_carol.info().unwrap().remote_hold && !at_bob.info().unwrap().remote_hold);

    alice.order("merge").await;
    alice.done("merge").await;
    assert!(!at_carol.info().unwrap().remote_hold && !at_bob.info().unwrap().remote_hold);
    for order in ["participants", "add 101", "remove bob"] {
        alice.order(order).await;
        let refused = alice.until("an answer", |event| event["order"] == order).await;
        assert_eq!(refused["done"], false, "{refused}");
    }
    alice.order("mute").await;
    let is_muted = |event: &Value| event["call"]["muted"] == true;
    let one = alice.until("one muted", is_muted).await;
    let is_other = |event: &Value| is_muted(event) && event["call"]["id"] != one["call"]["id"];
    alice.until("the other muted", is_other).await;
    alice.done("mute").await;
    alice.order("unmute").await;
    alice.done("unmute").await;
    alice.order("split").await;
    alice.done("split").await;
    assert!(!at_carol.info().unwrap().remote_hold && at_bob.info().unwrap().remote_hold);
    alice.order("end").await;
    alice.done("end").await;
    within(10, at_carol.ended()).await.unwrap();

    alice.order("resume").await;
    alice.done("resume").await;
    alice.order("consult 103").await;
    within(10, carol.incoming())
        .await
        .unwrap()
        .answer()
        .await
        .unwrap();
    alice
        .until("carol's answer", |event| {
            let user = event["call"]["remote"]["user"].as_str();
            event["call"]["state"] == "active" && (user == Some("103") || user == Some("carol"))
        })
        .await;
    alice.order("complete").await;
    alice.done("complete").await;
    let connected = |phone: &Phone, user: &str| {
        let state = phone.state();
        let mut calls = state.calls.values();
        calls.any(|call| call.remote.user == user && call.answered_at.is_some())
    };
    assert!(
        connected(&bob, "103") || connected(&bob, "carol"),
        "bob talks to carol"
    );
    alice.order("quit").await;
    assert_eq!(within(10, alice.child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_taken_over_from_another_device_and_moved_back_there() {
    let folder = Folder::new("take");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let (other_device, carol) = (
        person("alice", "101", transport.clone()).await,
        person("carol", "103", transport).await,
    );
    let wav = folder.wav("hello.wav", &voice(1, 20));
    let mut alice = Console::start(&url, &wav);
    alice
        .until("a registration", |event| event["event"] == "registered")
        .await;
    let there = other_device.call("103").await.unwrap();
    let at_carol = within(10, carol.incoming()).await.unwrap();
    at_carol.answer().await.unwrap();
    let can_be_taken = |event: &Value| event["calls"][0]["canBePulled"] == true;
    alice.until("a call to be taken over", can_be_taken).await;
    alice.order("take").await;
    alice.done("take").await;
    within(10, there.ended()).await.unwrap();
    assert!(at_carol.info().unwrap().end.is_none(), "carol goes on talking");

    alice.order("move").await;
    let back = within(10, other_device.incoming()).await.unwrap();
    back.answer().await.unwrap();
    alice.done("move").await;
    assert!(back.info().unwrap().end.is_none());
    alice.order("take it").await;
    let is_refused = |event: &Value| event["order"] == "take it" && event["done"] == false;
    alice.until("a mistake", is_refused).await;
    alice.order("quit").await;
    assert_eq!(within(10, alice.child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_moved_to_one_device_by_its_name() {
    let folder = Folder::new("devices");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let wav = folder.wav("hello.wav", &voice(1, 20));
    let mut alice = Console::start(&url, &wav);
    alice
        .until("a registration", |event| event["event"] == "registered")
        .await;
    let (desk, carol) = (
        person("alice", "101", transport.clone()).await,
        person("carol", "103", transport).await,
    );
    alice.order("call 103").await;
    let at_carol = within(10, carol.incoming()).await.unwrap();
    at_carol.answer().await.unwrap();
    alice.done("call 103").await;

    alice.order("devices").await;
    let is_listed = |event: &Value| event["devices"][0]["name"] == "desk";
    alice.until("the other device", is_listed).await;
    alice.order("move kitchen").await;
    let is_unknown = |event: &Value| event["order"] == "move kitchen" && event["done"] == false;
    alice.until("no such device", is_unknown).await;
    alice.order("move DESK").await;
    let there = within(10, desk.incoming()).await.unwrap();
    there.reject(RejectReason::Declined).await.unwrap();
    let has_stayed = |event: &Value| event["order"] == "move DESK" && event["done"] == false;
    alice.until("the call stays", has_stayed).await;
    alice.order("move DESK").await;
    let there = within(10, desk.incoming()).await.unwrap();
    there.answer().await.unwrap();
    alice.done("move DESK").await;
    assert!(there.info().unwrap().end.is_none());
    // Carol speaks with the desk telephone now.
    within(10, at_carol.ended()).await.unwrap();
    alice.order("quit").await;
    assert_eq!(within(10, alice.child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_left_speaking_to_two() {
    let folder = Folder::new("resume");
    let transport = platform::start(USERS);
    let url = platform::listen(transport.clone()).await;
    let (bob, carol) = (
        person("bob", "102", transport.clone()).await,
        person("carol", "103", transport).await,
    );
    let wav = folder.wav("hello.wav", &voice(1, 20));
    let mut alice = Console::start(&url, &wav);
    alice.order("call 102").await;
    let at_bob = within(10, bob.incoming()).await.unwrap();
    alice.order("call 103").await;
    let is_refused = |event: &Value| event["order"] == "call 103" && event["done"] == false;
    alice
        .until("a refusal while bob's telephone rings", is_refused)
        .await;
    at_bob.answer().await.unwrap();
    alice.done("call 102").await;
    alice.order("call 103").await;
    let at_carol = within(10, carol.incoming()).await.unwrap();
    at_carol.answer().await.unwrap();
    alice.done("call 103").await;
    alice.order("resume").await;
    alice.done("resume").await;
    assert!(at_carol.info().unwrap().remote_hold && !at_bob.info().unwrap().remote_hold);
    alice.order("quit").await;
    assert_eq!(within(10, alice.child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_before_anything_rings() {
    let usage = |words: &[&str]| finish(clearline(words, "ws://127.0.0.1:1/", "alice"));
    let (code, _, stderr) = usage(&["call", "600", "--play", "/nonexistent.wav"]).await;
    assert!(code == Some(2) && stderr.contains("/nonexistent.wav"), "{stderr}");
    assert_eq!(usage(&["call"]).await.0, Some(2));
    assert_eq!(usage(&["call", "600", "--password", "secret"]).await.0, Some(2));
    let mut silent = clearline(
        &["call", "600", "--record", "/dev/null"],
        "ws://127.0.0.1:1/",
        "alice",
    );
    silent.env_remove("CLEARLINE_PASSWORD");
    let (code, _, stderr) = finish(silent).await;
    assert!(
        code == Some(2) && stderr.contains("CLEARLINE_PASSWORD"),
        "{code:?} {stderr}"
    );
}
