//! Replays what the fuzzer has found worth keeping, without the fuzzer.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use clearline_core::recording::{Record, Replay};
use clearline_counting::Counting;
use clearline_fuzz::{Script, Step, Target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn corpus(target: Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// Feeds every file of a target's corpus to it; how many there were.
fn replay(target: Target) -> usize {
    let files = corpus(target);
    for file in &files {
        let data = fs::read(file).unwrap();
        // Names the file if the core panics.
        println!("{}", file.display());
        target.run(&data);
        (0..4)
            .filter_map(|seed| target.mutate(&data, 1 << 16, seed))
            .for_each(|mutated| target.run(&mutated));
    }
    files.len()
}

#[test]
fn messages() {
    assert!(replay(Target::Message) >= 49);
}

#[test]
fn session_descriptions() {
    assert!(replay(Target::SessionDescription) >= 10);
}

#[test]
fn documents() {
    assert!(replay(Target::Xml) >= 10);
}

#[test]
fn headers() {
    assert!(replay(Target::Header) >= 10);
}

#[test]
fn audio() {
    assert!(replay(Target::Media) >= 5);
}

#[test]
fn agents() {
    assert!(replay(Target::Agent) >= 10);
}

/// Every script of the corpus, and what a log of it must be: repeatable bit for bit, and silent.
#[test]
fn logs_of_sessions_replay_bit_for_bit_and_tell_nothing() {
    let telling = [
        "secret", "renewed", "alice@", "bob@", "carol", "4989101", "192.0.2", "10.0.0",
    ];
    let mut steps = 0;
    for file in corpus(Target::Agent) {
        let log = clearline_fuzz::record(&fs::read(&file).unwrap());
        let lines: Vec<String> = log
            .iter()
            .map(|record| serde_json::to_string(record).unwrap())
            .collect();
        for word in telling {
            let line = lines.iter().find(|line| line.contains(word));
            assert_eq!(line, None, "{word} in the log of {}", file.display());
        }
        let mut records = lines
            .iter()
            .map(|line| serde_json::from_str::<Record>(line).unwrap());
        let mut replay = Replay::new(records.next().unwrap()).unwrap();
        for record in records {
            replay
                .step(record)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            steps += 1;
        }
    }
    assert!(steps > 200, "{steps}");
}

/// A log that was tampered with, or written by other code, is noticed.
#[test]
fn another_session_is_not_taken_for_the_same() {
    let script = Script::new(
        0,
        vec![Step::Open, Step::Respond(0, 0, 0), Step::Command(0, 0, 1)],
    );
    let mut log = clearline_fuzz::record(&script.write());
    let Some(Record::Step { at, .. }) = log.get_mut(2) else {
        panic!("a log has steps")
    };
    *at += std::time::Duration::from_millis(1);
    let mut records = log.into_iter();
    let mut replay = Replay::new(records.next().unwrap()).unwrap();
    assert!(records.any(|record| replay.step(record).is_err()));
}

#[test]
fn scripts_are_read_as_they_were_written() {
    let any: Vec<u8> = (0..=255).collect();
    let script = Script::read(&any);
    assert_eq!(Script::read(&script.write()), script);
    assert_eq!(script.steps.len(), 63);
}
