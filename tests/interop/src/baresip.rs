//! Debian's baresip as a desk phone: SIP over UDP, plain RTP, G.711. Driven over its control socket; says a tone from a file
//! and keeps what it hears in another.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clearline_native::audio::Sound;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::kamailio::{Kamailio, UDP_PORT};
use crate::program::{Folder, Program};
use crate::tone::{AMPLITUDE, Heard};
use crate::{DOMAIN, PASSWORD, eventually, own_address, within};

const SIP_PORT: u16 = 27_062;
const CONTROL_PORT: u16 = 27_444;
const MODULES: &str = "/usr/lib/baresip/modules";
/// Samples per second of G.711.
const RATE: u32 = 8_000;
/// Longer than any case.
const SPEECH_SECONDS: u32 = 60;

/// A running baresip, registered.
#[derive(Debug)]
pub struct Baresip {
    control: OwnedWriteHalf,
    events: Arc<Mutex<Vec<Value>>>,
    program: Program,
    folder: Folder,
}

impl Baresip {
    /// Starts one, registered as `user`, that says a tone of `hz`.
    pub async fn start(kamailio: &Kamailio, user: &str, hz: f64) -> Self {
        let address = own_address();
        let folder = Folder::new();
        write_speech(&folder, hz);
        folder.write("config", &config(&folder, address));
        let proxy = SocketAddr::from((kamailio.address(), UDP_PORT));
        folder.write(
            "accounts",
            &format!(
                "<sip:{user}@{DOMAIN}>;auth_user={user};auth_pass={PASSWORD};\
                 outbound=\"sip:{proxy};transport=udp\";regint=600;audio_codecs=PCMU,PCMA;answermode=manual\n"
            ),
        );
        folder.write("contacts", "");
        let program = Program::start("baresip", folder.path(), |command| {
            command.arg("-f").arg(folder.path());
        });
        let (events, control) = connect((address, CONTROL_PORT).into()).await;
        eventually(15, "baresip registers", || {
            program.output().contains("[1 binding]")
        })
        .await;
        Self {
            control,
            events,
            program,
            folder,
        }
    }

    /// Calls a SIP URI.
    pub async fn dial(&mut self, target: &str) {
        self.command("dial", target).await;
    }

    /// Gives it a command, as its help lists them.
    pub async fn command(&mut self, command: &str, parameters: &str) {
        let text = json!({ "command": command, "params": parameters, "token": "-" }).to_string();
        let message = format!("{}:{text},", text.len());
        self.control.write_all(message.as_bytes()).await.unwrap();
    }

    /// Waits for an event of that kind and returns its parameter.
    pub async fn event(&self, kind: &str) -> String {
        self.events_of(kind, 1).await.swap_remove(0)
    }

    /// Waits for so many events of that kind and returns their parameters.
    pub async fn events_of(&self, kind: &str, count: usize) -> Vec<String> {
        let found = || -> Vec<String> {
            let events = self.events.lock().unwrap();
            let matching = events.iter().filter(|event| event["type"] == kind);
            matching
                .map(|event| event["param"].as_str().unwrap_or_default().to_owned())
                .collect()
        };
        eventually(15, &format!("baresip says {kind} {count} times"), || {
            found().len() >= count
        })
        .await;
        found()
    }

    /// Ends it, and returns what it heard in its calls. This version stops its tape at the first re-INVITE.
    pub async fn heard(mut self) -> Heard {
        self.event("CALL_CLOSED").await;
        // The last samples are written when it ends.
        self.program.stop();
        let files = fs::read_dir(self.folder.path()).unwrap().flatten();
        let mut tapes: Vec<PathBuf> = files.map(|file| file.path()).collect();
        tapes.retain(|path| path.to_string_lossy().ends_with("-dec.wav"));
        tapes.sort();
        let sounds = tapes.iter().map(|tape| Sound::load(tape).unwrap());
        Heard(sounds.flat_map(|sound| sound.samples().to_vec()).collect())
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut text = String::new();
            for event in self.events.lock().unwrap().iter() {
                let _ = writeln!(text, "{event}");
            }
            eprintln!("--- baresip's events ---\n{text}");
        }
    }
}

fn config(folder: &Folder, address: Ipv4Addr) -> String {
    let here = folder.path().display();
    format!(
        "poll_method epoll\n\
         sip_listen {address}:{SIP_PORT}\n\
         net_interface {address}\n\
         audio_source aufile,{here}/speech.wav\n\
         ausrc_srate {RATE}\n\
         auplay_srate {RATE}\n\
         ausrc_channels 1\n\
         auplay_channels 1\n\
         rtp_ports 20000-20200\n\
         module_path {MODULES}\n\
         module g711.so\n\
         module aufile.so\n\
         module sndfile.so\n\
         module_tmp account.so\n\
         module_app menu.so\n\
         module_app ctrl_tcp.so\n\
         ctrl_tcp_listen {address}:{CONTROL_PORT}\n\
         snd_path {here}\n"
    )
}

fn write_speech(folder: &Folder, hz: f64) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(folder.path().join("speech.wav"), spec).unwrap();
    for index in 0..RATE * SPEECH_SECONDS {
        let phase = std::f64::consts::TAU * hz * f64::from(index) / f64::from(RATE);
        file.write_sample((phase.sin() * AMPLITUDE * f64::from(i16::MAX)) as i16)
            .unwrap();
    }
    file.finalize().unwrap();
}

async fn connect(address: SocketAddr) -> (Arc<Mutex<Vec<Value>>>, OwnedWriteHalf) {
    let open = async {
        loop {
            if let Ok(socket) = TcpStream::connect(address).await {
                return socket;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let (reader, writer) = within(10, "baresip takes commands", open).await.into_split();
    let events = Arc::<Mutex<Vec<Value>>>::default();
    tokio::spawn(read(reader, Arc::clone(&events)));
    (events, writer)
}

/// Takes netstrings until the socket closes.
async fn read(mut reader: OwnedReadHalf, events: Arc<Mutex<Vec<Value>>>) {
    let mut buffer = Vec::new();
    while reader.read_buf(&mut buffer).await.is_ok_and(|count| count > 0) {
        while let Some((text, length)) = netstring(&buffer) {
            if let Ok(event) = serde_json::from_slice(text) {
                events.lock().unwrap().push(event);
            }
            buffer.drain(..length);
        }
    }
}

/// The first whole netstring's text, and its length with everything.
fn netstring(buffer: &[u8]) -> Option<(&[u8], usize)> {
    let colon = buffer.iter().position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&buffer[..colon]).ok()?.parse().ok()?;
    let text = buffer.get(colon + 1..colon + 1 + length)?;
    (buffer.len() > colon + 1 + length).then_some((text, colon + length + 2))
}
