//! The server with 10,000 devices over real WebSockets on loopback, and under floods from one connection of them.
//!
//! The program of the server is started as it is (`CLEARLINE_SERVER` says where it lies), so that its memory and its time
//! are its own.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant as Clock};

use clearline_bench::grouped;
use clearline_bench::world::{DOMAIN, PASSWORD, Phone, floods};
use clearline_core::sip::digest::ClientChallengeState;
use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, UriBuf};
use clearline_core::{CallId, CallState, Instant, RegistrationState, Secret};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

const USERS: usize = 1_000;
/// Devices of each user, each on another connection: all the platform grants.
const DEVICES: usize = 10;
const CONNECTIONS: usize = 1_000;
const BINDINGS: usize = USERS * DEVICES;
const FLOOD: Duration = Duration::from_secs(10);

#[tokio::main(worker_threads = 2)]
async fn main() {
    raise_file_limit();
    let server = Server::start();
    let mut table = String::from("| what | figure |\n|---|---|\n");
    let mut row = |what: &str, figure: String| {
        let _ = writeln!(table, "| {what} | {figure} |");
        eprintln!("{what}: {figure}");
    };

    let (mut alice, mut bob) = (
        Station::registered(&server, "alice", 1).await,
        Station::registered(&server, "bob", 2).await,
    );
    let calls = Times::of_calls(&mut alice, &mut bob, 50, || false).await;
    row("a call while nothing else happens", calls.shown());

    let before = server.resident_bytes();
    let connecting = JoinSet::from_iter((0..CONNECTIONS).map(|number| Client::connect(server.port, number)));
    let (clients, calls) = calls_during(&mut alice, &mut bob, connecting.join_all()).await;
    let connected = server.resident_bytes();
    row("a call while they connect", calls.shown());
    row(
        "resident bytes per WebSocket",
        grouped((connected - before) / CONNECTIONS as u64),
    );

    let (start, spent) = (Clock::now(), server.processor_time());
    let registering = JoinSet::from_iter(clients.into_iter().map(Client::register_all));
    let (clients, calls) = calls_during(&mut alice, &mut bob, async {
        let clients = registering.join_all().await;
        (clients, start.elapsed())
    })
    .await;
    let (clients, wall) = clients;
    let (requests, spent) = ((2 * BINDINGS) as u64, server.processor_time() - spent);
    // They stay, and answer the server's pings.
    let _staying = JoinSet::from_iter(clients.into_iter().map(Client::stay));
    row(
        "bindings, users, connections",
        [BINDINGS, USERS, CONNECTIONS]
            .map(|count| grouped(count as u64))
            .join("; "),
    );
    row(
        "resident bytes more per binding",
        grouped((server.resident_bytes().saturating_sub(connected)) / BINDINGS as u64),
    );
    row(
        "REGISTERs per second, each binding one challenge and one digest, clients on the same processors",
        grouped((requests as f64 / wall.as_secs_f64()) as u64),
    );
    row(
        "processor time of the server per REGISTER, sockets and kernel included",
        format!("{} us", (spent / requests as u32).as_micros()),
    );
    row("a call while they register", calls.shown());
    let calls = Times::of_calls(&mut alice, &mut bob, 100, || false).await;
    row("a call among them afterwards", calls.shown());

    for (name, frame) in floods() {
        let flood = Flood::start(server.port, frame);
        let registering = Times::of_registers(server.port, || flood.has_lasted());
        let (registers, calls) = calls_during(&mut alice, &mut bob, registering).await;
        row(
            &format!("flood of {name}: a call of others meanwhile"),
            calls.shown(),
        );
        row(
            &format!("flood of {name}: a sign-in of others meanwhile, with its connection"),
            registers.shown(),
        );
        let poured = flood.stop().await;
        row(
            &format!(
                "flood of {name}: messages it got rid of, network buffers included; answers; connections"
            ),
            [poured.sent, poured.answers, poured.connections]
                .map(grouped)
                .join("; "),
        );
    }
    println!("{table}");
    clearline_bench::keep_table("sockets.md", &table);
}

/// Does `work`, while one calls the other again and again.
async fn calls_during<T>(
    one: &mut Station,
    other: &mut Station,
    work: impl Future<Output = T>,
) -> (T, Times) {
    let is_over = Cell::new(false);
    let work = async {
        let result = work.await;
        is_over.set(true);
        result
    };
    tokio::join!(work, Times::of_calls(one, other, usize::MAX, || is_over.get()))
}

/// More than a thousand sockets are open at once.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit anybody may raise it");
}

/// The server's own process. It ends with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let program =
            std::env::var_os("CLEARLINE_SERVER").expect("CLEARLINE_SERVER names the server's program");
        // Kept from run to run: hashing a thousand passwords takes a while.
        let folder = Path::new(&program).with_file_name("bench-server-data");
        std::fs::create_dir_all(&folder).expect("a folder for the server's data");
        let users = write_users(&folder);
        let mut process = Command::new(&program)
            .args(["--port", "0", "--no-echo", "--domain", DOMAIN, "--users"])
            .arg(users)
            .arg("--data-dir")
            .arg(&folder)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = process.stdout.take().expect("its output");
        let port = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split("127.0.0.1:").nth(1).map(digits))
            .expect("it says where it listens");
        Self { process, port }
    }

    fn status(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("the process lives")
    }

    fn resident_bytes(&self) -> u64 {
        let status = self.status("status");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("VmRSS");
        line.split_whitespace()
            .nth(1)
            .and_then(|kilobytes| kilobytes.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    /// In the program and in the kernel for it.
    fn processor_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.status("stat");
        let (_, after_name) = stat.rsplit_once(')').expect("a name");
        let ticks = after_name.split_whitespace().skip(11).take(2);
        TICK * ticks
            .map(|ticks| ticks.parse::<u32>().expect("a number"))
            .sum::<u32>()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn digits(text: &str) -> u16 {
    let digits = text
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits.parse().expect("a port")
}

fn write_users(folder: &Path) -> PathBuf {
    let mut text = String::new();
    let names = (0..USERS).map(|number| format!("u{number}"));
    let extra = ["alice", "bob", "carol"].map(str::to_owned);
    for (number, name) in names.chain(extra).enumerate() {
        let _ = write!(
            text,
            "[[users]]\nid = \"{name}\"\nnumber = \"9{number}\"\npassword = \"{PASSWORD}\"\n"
        );
    }
    let path = folder.join("users.toml");
    std::fs::write(&path, text).expect("the users file");
    path
}

type Socket = WebSocketStream<TcpStream>;

async fn open(port: u16) -> Socket {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the server listens");
    stream.set_nodelay(true).expect("an option of TCP");
    let mut request = format!("ws://127.0.0.1:{port}/sip")
        .into_client_request()
        .expect("a URL");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", "sip".parse().expect("a token"));
    client_async(request, stream)
        .await
        .expect("the WebSocket opens")
        .0
}

/// The next SIP message; `None` when the connection is gone.
async fn receive(socket: &mut Socket) -> Option<Vec<u8>> {
    loop {
        let frame = socket.next().await?.ok()?;
        if frame.is_text() || frame.is_binary() {
            return Some(frame.into_data().to_vec());
        }
    }
}

async fn send(socket: &mut Socket, message: &[u8]) {
    let text = String::from_utf8_lossy(message).into_owned();
    socket
        .send(Frame::text(text))
        .await
        .expect("the connection is there");
}

/// A connection with one device each of several users.
struct Client {
    socket: Socket,
    number: usize,
}

impl Client {
    async fn connect(port: u16, number: usize) -> Self {
        let socket = open(port).await;
        Self { socket, number }
    }

    async fn register_all(mut self) -> Self {
        let each = BINDINGS / CONNECTIONS;
        for device in 0..each {
            let user = format!("u{}", (self.number * each + device) % USERS);
            self.register(&user).await;
        }
        self
    }

    async fn stay(mut self) {
        while receive(&mut self.socket).await.is_some() {}
    }

    async fn register(&mut self, user: &str) {
        let first = self.request(user, 1);
        let answer = self.ask(&first).await;
        assert_eq!(answer.status(), Some(401), "{user} is challenged");
        let mut challenge = ClientChallengeState::default();
        challenge.take_challenges(&answer);
        let second = self.request(user, 2);
        let mut retry = second.edit();
        for (name, value) in challenge.authorize(&second, user, &Secret::new(PASSWORD), "c0ffee") {
            retry = retry.append(name, value);
        }
        let answer = self.ask(&retry.build()).await;
        assert_eq!(answer.status(), Some(200), "{user} is registered");
    }

    async fn ask(&mut self, request: &Message) -> Message {
        send(&mut self.socket, request.as_bytes()).await;
        let answer = receive(&mut self.socket).await.expect("an answer");
        Message::parse(answer).expect("a SIP message")
    }

    fn request(&self, user: &str, cseq: u32) -> Message {
        let (number, registrar) = (
            self.number,
            UriBuf::parse(format!("sip:{DOMAIN}")).expect("a URI"),
        );
        RequestBuilder::new(Method::Register, registrar.as_uri())
            .header(
                HeaderName::Via,
                format!("SIP/2.0/WS c{number}.invalid;branch=z9hG4bK{user}x{number}x{cseq}"),
            )
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, format!("<sip:{user}@{DOMAIN}>;tag=t{number}"))
            .header(HeaderName::To, format!("<sip:{user}@{DOMAIN}>"))
            .header(HeaderName::CallId, format!("{user}-{number}"))
            .header(HeaderName::CSeq, format!("{cseq} REGISTER"))
            .header(
                HeaderName::Contact,
                format!("<sip:{user}@c{number}.invalid;transport=ws>;expires=3600"),
            )
            .build()
    }
}

/// An agent at a connection.
struct Station {
    phone: Phone,
    socket: Socket,
    epoch: Clock,
    last: Instant,
}

impl Station {
    async fn registered(server: &Server, user: &str, seed: u8) -> Self {
        let (epoch, last) = (Clock::now(), Instant::from_secs(1_000));
        let phone = Phone::new(user, seed, true, last);
        let socket = open(server.port).await;
        let mut station = Self {
            phone,
            socket,
            epoch,
            last,
        };
        while !matches!(
            station.phone.agent.registration(),
            RegistrationState::Registered { .. }
        ) {
            station.flush().await;
            station.hear().await;
        }
        station
    }

    fn now(&mut self) -> Instant {
        let now = Instant::from_secs(1_000) + self.epoch.elapsed();
        let span = now - self.last;
        self.phone.pass(&mut self.last, span);
        self.last = now;
        now
    }

    async fn flush(&mut self) {
        for message in std::mem::take(&mut self.phone.outgoing) {
            send(&mut self.socket, &message).await;
        }
    }

    async fn hear(&mut self) {
        let message = receive(&mut self.socket).await.expect("the connection is there");
        let now = self.now();
        self.phone.receive(now, message);
    }

    fn rings(&self) -> bool {
        self.phone.states().contains(&CallState::Incoming)
    }

    /// Calls `other`, who answers at once; the time until both know. The call ends before this returns.
    async fn call(&mut self, other: &mut Self, id: CallId) -> Duration {
        let (now, start) = (self.now(), Clock::now());
        self.phone.call(now, id, "bob");
        self.settle(other, |one, other| one.is_talking() && other.is_talking())
            .await;
        let taken = start.elapsed();
        let now = self.now();
        self.phone.hang_up(now, id);
        self.settle(other, |one, other| !one.is_talking() && !other.is_talking())
            .await;
        taken
    }

    async fn settle(&mut self, other: &mut Self, is_done: impl Fn(&Phone, &Phone) -> bool) {
        loop {
            if other.rings() {
                let now = other.now();
                other.phone.answer(now);
            }
            self.flush().await;
            other.flush().await;
            if is_done(&self.phone, &other.phone) {
                return;
            }
            tokio::select! {
                () = self.hear() => {}
                () = other.hear() => {}
            }
        }
    }
}

/// How long something took, many times.
struct Times(Vec<Duration>);

impl Times {
    /// At a pace a person could not keep up, and a limit of floods does not notice.
    const PAUSE: Duration = Duration::from_millis(200);

    async fn of_calls(
        one: &mut Station,
        other: &mut Station,
        most: usize,
        is_over: impl Fn() -> bool,
    ) -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(1);
        let mut times = Vec::new();
        while times.len() < most && (!is_over() || times.is_empty()) {
            let id = CallId(CALLS.fetch_add(1, Ordering::Relaxed));
            times.push(one.call(other, id).await);
            tokio::time::sleep(Self::PAUSE).await;
        }
        Self(times)
    }

    async fn of_registers(port: u16, is_over: impl Fn() -> bool) -> Self {
        let mut times = Vec::new();
        while !is_over() || times.is_empty() {
            let start = Clock::now();
            let mut client = Client::connect(port, 1_000_000 + times.len()).await;
            client.register("carol").await;
            times.push(start.elapsed());
            // The place of this device is taken by the next.
            drop(client);
            tokio::time::sleep(Self::PAUSE).await;
        }
        Self(times)
    }

    fn shown(mut self) -> String {
        self.0.sort();
        let at = |part: usize| self.0[(self.0.len() - 1) * part / 100].as_micros() as f64 / 1_000.0;
        format!(
            "{:.1} ms median, {:.1} ms p95, {:.1} ms worst of {}",
            at(50),
            at(95),
            at(100),
            self.0.len()
        )
    }
}

/// One connection that sends as fast as it can, reads what it gets, and connects again when it is thrown out.
struct Flood {
    since: Clock,
    is_over: Arc<AtomicBool>,
    work: tokio::task::JoinHandle<Poured>,
}

impl Flood {
    fn start(port: u16, frame: Vec<u8>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let work = tokio::spawn(pour(port, frame, Arc::clone(&is_over)));
        Self {
            since: Clock::now(),
            is_over,
            work,
        }
    }

    fn has_lasted(&self) -> bool {
        self.since.elapsed() > FLOOD
    }

    async fn stop(self) -> Poured {
        self.is_over.store(true, Ordering::Relaxed);
        self.work.await.expect("the flood ends")
    }
}

/// What became of a flood.
#[derive(Default)]
struct Poured {
    sent: u64,
    answers: u64,
    connections: u64,
}

async fn pour(port: u16, frame: Vec<u8>, is_over: Arc<AtomicBool>) -> Poured {
    let mut poured = Poured::default();
    let answers = Arc::new(AtomicU64::new(0));
    while !is_over.load(Ordering::Relaxed) {
        poured.connections += 1;
        let (mut sink, stream) = open(port).await.split();
        let reading = tokio::spawn(count_answers(stream, Arc::clone(&answers)));
        while !is_over.load(Ordering::Relaxed) {
            let message = Frame::binary(frame.clone());
            match tokio::time::timeout(Duration::from_secs(1), sink.send(message)).await {
                Ok(Ok(())) => poured.sent += 1,
                // It is being read slowly: that is what the server does to a flood.
                Err(_elapsed) => {}
                Ok(Err(_gone)) => break,
            }
        }
        reading.abort();
    }
    poured.answers = answers.load(Ordering::Relaxed);
    poured
}

async fn count_answers(mut stream: SplitStream<Socket>, answers: Arc<AtomicU64>) {
    while let Some(Ok(frame)) = stream.next().await {
        if frame.is_text() || frame.is_binary() {
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}
