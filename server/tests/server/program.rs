//! The program itself: what it prints, what it refuses, how it stops.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use crate::support::Folder;

fn program(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline-server"));
    command
        .args(["--port", "0"])
        .args(arguments)
        .env_remove("RUST_LOG");
    command.env("CLEARLINE_DATA_DIR", folder.path().join("data"));
    command.env("CLEARLINE_WEB_DIR", folder.path().join("web"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(folder: &Folder, arguments: &[&str]) -> Output {
    let output = program(folder, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn off_loopback_plain_http_and_demo_passwords_are_refused() {
    let folder = Folder::new();
    let plain = stderr(&refused(&folder, &["--listen", "0.0.0.0"]));
    assert!(
        plain.contains("plain HTTP") && plain.contains("--local-ca") && plain.contains("127.0.0.1"),
        "{plain}"
    );
    let demo = stderr(&refused(&folder, &["--listen", "0.0.0.0", "--local-ca"]));
    assert!(demo.contains("--users"), "{demo}");
    let users = folder.write(
        "users.toml",
        "[[users]]\nid = \"dora\"\nnumber = \"201\"\npassword = \"demo\"\n",
    );
    let users = users.to_str().unwrap();
    let weak = stderr(&refused(
        &folder,
        &["--listen", "0.0.0.0", "--local-ca", "--users", users],
    ));
    assert!(weak.contains("dora") && weak.contains("8 characters"), "{weak}");
    assert!(
        !folder.path().join("data").exists(),
        "a refusal leaves nothing behind"
    );
}

#[test]
fn mistakes_are_named() {
    let folder = Folder::new();
    refused(&folder, &["--allow-origin", "example.com"]);
    refused(&folder, &["--domain", "not a domain"]);
    let output = program(&folder, &["--users", "/nowhere.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere.toml: cannot be read"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut command = program(&folder, &[]);
    let output = command.args(["--port", &port]).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "a flag given twice is a mistake too"
    );
}

#[cfg(unix)]
#[test]
fn it_prints_what_to_open_and_stops_when_asked() {
    let folder = Folder::new();
    for signal in ["INT", "TERM"] {
        let mut child = program(&folder, &[]).spawn().unwrap();
        let printed = until(&mut child, "Stop with Ctrl-C.");
        for part in [
            "/u/alice",
            "101",
            "/u/carol",
            "Carol Souza",
            "600",
            "password: demo",
            "ws://127.0.0.1:",
        ] {
            assert!(printed.contains(part), "{part} is not in {printed}");
        }
        let kill = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// What the program prints up to a line with `last`.
fn until(child: &mut Child, last: &str) -> String {
    let mut printed = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !printed.contains(last) {
        printed.push_str(&lines.next().expect("more output").unwrap());
        printed.push('\n');
    }
    printed
}
