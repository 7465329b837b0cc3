//! Replays what the fuzzer has found worth keeping, without the fuzzer.
#![cfg(test)]

use std::fs;
use std::path::Path;

use clearline_counting::Counting;
use clearline_fuzz::{Script, Target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Feeds every file of a target's corpus to it; how many there were.
fn replay(target: Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
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
fn headers() {
    assert!(replay(Target::Header) >= 10);
}

#[test]
fn agents() {
    assert!(replay(Target::Agent) >= 10);
}

#[test]
fn scripts_are_read_as_they_were_written() {
    let any: Vec<u8> = (0..=255).collect();
    let script = Script::read(&any);
    assert_eq!(Script::read(&script.write()), script);
    assert_eq!(script.steps.len(), 63);
}
