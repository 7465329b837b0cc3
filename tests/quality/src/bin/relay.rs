//! `relay LISTEN TARGET TRACE.csv`: a UDP relay on loopback that plays a trace.
//!
//! Whoever sends to LISTEN is the near side: its RTP goes to TARGET as the trace says. What TARGET sends goes back at once.

#![expect(clippy::print_stderr, reason = "a program of the command line")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time;

use clearline_core::{Duration, Instant};
use clearline_quality::relay::Relay;
use clearline_quality::trace::Trace;

/// How long is waited for a datagram if nothing is to be sent.
const IDLE: Duration = Duration::from_secs(1);
/// A timeout of zero would be none.
const LEAST: Duration = Duration::from_micros(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, target, trace] = arguments.as_slice() else {
        return Err("relay LISTEN TARGET TRACE.csv".into());
    };
    let trace = Trace::parse(&std::fs::read_to_string(trace)?)?;
    let (listen, target): (SocketAddr, SocketAddr) = (listen.parse()?, target.parse()?);
    if !listen.ip().is_loopback() {
        return Err("relays on loopback only".into());
    }
    forward(&UdpSocket::bind(listen)?, target, Relay::new(&trace))
}

fn forward(socket: &UdpSocket, target: SocketAddr, mut relay: Relay) -> Result<(), Box<dyn Error>> {
    let start = time::Instant::now();
    let now = || Instant::from_micros(start.elapsed().as_micros() as u64);
    let (mut near, mut datagram) = (None, vec![0; 65_536]);
    loop {
        while let Some(due) = relay.due(now()) {
            // To a target that does not listen yet nothing can be sent: as on any network, it is lost.
            let _ = socket.send_to(&due, target);
        }
        let wait = relay.deadline().map_or(IDLE, |deadline| deadline - now());
        socket.set_read_timeout(Some(wait.max(LEAST)))?;
        match socket.recv_from(&mut datagram) {
            Ok((length, from)) if from == target => {
                if let Some(near) = near {
                    let _ = socket.send_to(&datagram[..length], near);
                }
            }
            Ok((length, from)) => {
                near = Some(from);
                relay.accept(now(), &datagram[..length]);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
