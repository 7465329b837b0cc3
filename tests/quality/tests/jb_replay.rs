//! `jb-replay` as it is called: a dump and a trace become sound, and bad files an explanation.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clearline_quality::kind::Kind;
use clearline_quality::speech::{babble, read, write};
use clearline_quality::stream::{Redundancy, Stream};

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for files");
    folder
}

fn jb_replay(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jb-replay"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Two seconds of Opus, one packet missing, as `rtpdump -F dump` records it.
fn dump() -> Vec<u8> {
    let stream = Stream::encode(babble(100), Redundancy::InBand).expect("a stream");
    let mut file = b"#!rtpplay1.0 127.0.0.1/4000\n".to_vec();
    file.extend([0; 16]);
    for (index, payload) in stream
        .payloads
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != 50)
    {
        let mut datagram = vec![0x80, 111];
        datagram.extend((index as u16).to_be_bytes());
        datagram.extend((index as u32 * 960).to_be_bytes());
        datagram.extend([0, 0, 0, 1]);
        datagram.extend(payload);
        file.extend((datagram.len() as u16 + 8).to_be_bytes());
        file.extend((datagram.len() as u16).to_be_bytes());
        file.extend((index as u32 * 20).to_be_bytes());
        file.extend(datagram);
    }
    file
}

#[test]
fn a_dump_becomes_sound() {
    let folder = folder("dump");
    let (input, output) = (folder.join("call.rtp"), folder.join("call.wav"));
    fs::write(&input, dump()).unwrap();
    for engine in ["playout", "fixed"] {
        let said = jb_replay(&[&input, &output, Path::new("--engine"), Path::new(engine)]);
        assert!(said.status.success(), "{}", text(&said));
        assert!(
            text(&said).contains("packets lost          1\n"),
            "{}",
            text(&said)
        );
        let heard = read(&output).unwrap();
        assert!(
            (96_000..130_000).contains(&heard.len()),
            "{engine}: {}",
            heard.len()
        );
        assert!(
            heard.iter().any(|sample| sample.abs() > 8_000),
            "{engine}: silent"
        );
    }
}

#[test]
fn a_trace_and_speech_become_sound() {
    let folder = folder("trace");
    let [trace, speech, output] = ["trace.csv", "speech.wav", "heard.wav"].map(|name| folder.join(name));
    let mut network = Kind::Loss10.trace(1);
    network.packets.truncate(500);
    fs::write(&trace, network.to_string()).unwrap();
    write(&speech, &babble(250)).unwrap();
    let said = jb_replay(&[&trace, &output, Path::new("--speech"), &speech]);
    assert!(said.status.success(), "{}", text(&said));
    assert!(
        text(&said).contains("packets               500\n"),
        "{}",
        text(&said)
    );
    assert!(read(&output).unwrap().len() >= 480_000);
}

#[test]
fn a_file_that_is_neither_is_named() {
    let folder = folder("neither");
    let (input, output) = (folder.join("call.txt"), folder.join("call.wav"));
    for (bad, reason) in [
        ("not,a,trace\n", "line 1"),
        ("#!rtpplay1.0 cut off", "rtpdump"),
        ("", "--speech"),
    ] {
        fs::write(&input, bad).unwrap();
        let said = jb_replay(&[&input, &output]);
        assert!(!said.status.success());
        assert!(text(&said).contains(reason), "{bad}: {}", text(&said));
    }
    assert!(!output.exists());
}
