//! The embedded platform with 10,000 devices, and under a flood from one of them.

use std::collections::BTreeMap;
use std::time::Instant as Clock;

use clearline_bench::grouped;
use clearline_bench::world::{DOMAIN, PASSWORD, Phone, floods};
use clearline_core::sip::digest::{Algorithm, Ha1};
use clearline_core::{CallId, CallState, ConnectionId, Duration, Instant, RegistrationState, Secret};
use clearline_counting::{Counting, so_far};
use clearline_pbx::{Config, Input, Key, Output, Platform, Transport, User, UserId};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BINDINGS: usize = 10_000;
const CALLS: u64 = 200;
const FLOOD: usize = 50_000;

fn main() {
    let mut net = Net::new();
    let users = BINDINGS + 3;
    (0..users).for_each(|number| net.add_user(number));
    for number in 0..BINDINGS {
        net.register(number);
        // Whoever has registered is quiet; its connection stays.
        net.phones.clear();
    }
    let (requests, spent, kept) = (net.requests, net.spent, net.kept);
    let register_rate = requests as f64 / spent.as_secs_f64();
    let (alice, bob) = (net.register(BINDINGS), net.register(BINDINGS + 1));
    let mut calls: Vec<Duration> = (1..=CALLS).map(|id| net.call(alice, bob, CallId(id))).collect();
    calls.sort();

    let mut table = format!(
        "| what | figure |\n|---|---|\n| bindings | {} |\n| bytes per binding, its connection included | {} |\n\
         | REGISTERs per second, each binding one challenge and one digest | {} |\n\
         | platform time of a call, INVITE to ACK, among them: median, worst of {CALLS} | {} us, {} us |\n",
        grouped(BINDINGS as u64),
        kept / BINDINGS as i64,
        grouped(register_rate as u64),
        calls[calls.len() / 2].as_micros(),
        calls[calls.len() - 1].as_micros(),
    );
    for (name, frame) in floods() {
        let (each, closed, set_up, registered) = net.flood(&frame, alice, bob);
        table += &format!(
            "| flood of {name}: each message costs; connections closed of {FLOOD} messages | {} ns; {closed} |\n\
             | meanwhile another's REGISTER and another's call, 100 flood messages before each of their own | {} us, {} us |\n",
            each.as_nanos(),
            registered.as_micros(),
            set_up.as_micros(),
        );
    }
    println!("{table}");
    clearline_bench::keep_table("server.md", &table);
}

/// The platform, the phones at it, and what it has cost.
struct Net {
    platform: Platform,
    phones: BTreeMap<ConnectionId, Phone>,
    started: Clock,
    /// Time that has passed without being waited for.
    skipped: Duration,
    last_connection: u64,
    /// What the platform has spent, asked and kept while phones were not.
    spent: Duration,
    requests: u64,
    kept: i64,
    closed: Vec<ConnectionId>,
}

impl Net {
    fn new() -> Self {
        Self {
            platform: Platform::new(Config::new(DOMAIN, Key::new([1; 32])), [2; 32]),
            phones: BTreeMap::new(),
            started: Clock::now(),
            skipped: Duration::ZERO,
            last_connection: 0,
            spent: Duration::ZERO,
            requests: 0,
            kept: 0,
            closed: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_secs(1_000) + self.started.elapsed() + self.skipped
    }

    fn add_user(&mut self, number: usize) {
        let (id, realm) = (
            UserId::new(format!("u{number}")),
            self.platform.config().realm.clone(),
        );
        let user = User::new(id.as_str()).with_number(format!("9{number}"));
        self.platform.set_user(user).expect("a new user");
        let ha1 = Ha1::new(Algorithm::Sha256, id.as_str(), &realm, &Secret::new(PASSWORD));
        self.platform.add_credential(&id, id.as_str().to_owned(), ha1);
    }

    fn connect(&mut self) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        self.give(Input::Connected {
            connection,
            transport: Transport::Ws,
            peer: None,
        });
        connection
    }

    /// A new phone of a user, registered.
    fn register(&mut self, number: usize) -> ConnectionId {
        let connection = self.connect();
        let phone = Phone::new(&format!("u{number}"), 7, true, self.now());
        self.phones.insert(connection, phone);
        self.settle(0, &mut None);
        let registration = self.phones[&connection].agent.registration();
        assert!(
            matches!(registration, RegistrationState::Registered { .. }),
            "{registration:?}"
        );
        connection
    }

    /// A call from INVITE to ACK and its end; what the platform spent until the ACK.
    fn call(&mut self, caller: ConnectionId, callee: ConnectionId, id: CallId) -> Duration {
        self.timed_call(caller, callee, id, 0, &mut None)
    }

    fn timed_call(
        &mut self,
        caller: ConnectionId,
        callee: ConnectionId,
        id: CallId,
        floods_between: usize,
        flood: &mut Option<(ConnectionId, Vec<u8>)>,
    ) -> Duration {
        // People pause between calls; without, this would be a flood.
        self.pass(Duration::from_secs(1));
        let (before, now) = (self.spent, self.now());
        let target = format!("9{}", BINDINGS + 1);
        self.phone(caller).call(now, id, &target);
        self.settle(floods_between, flood);
        let now = self.now();
        self.phone(callee).answer(now);
        self.settle(floods_between, flood);
        let spent = self.spent - before;
        let calls = [caller, callee].map(|connection| self.phone(connection).states());
        assert_eq!(
            calls,
            [[CallState::Active].to_vec(), [CallState::Active].to_vec()],
            "call {} is answered",
            id.0
        );
        let now = self.now();
        self.phone(caller).hang_up(now, id);
        self.settle(0, &mut None);
        spent
    }

    fn pass(&mut self, span: Duration) {
        let start = self.now();
        self.skipped += span;
        for phone in self.phones.values_mut() {
            phone.pass(&mut start.clone(), span);
        }
        self.give(Input::Wake);
        self.settle(0, &mut None);
    }

    fn phone(&mut self, connection: ConnectionId) -> &mut Phone {
        self.phones.get_mut(&connection).expect("a phone")
    }

    /// One connection sends as fast as it can, and connects again when it is thrown out: what a message costs, how often
    /// it was thrown out, and what a call and a REGISTER of others take with it in between.
    fn flood(
        &mut self,
        frame: &[u8],
        alice: ConnectionId,
        bob: ConnectionId,
    ) -> (Duration, usize, Duration, Duration) {
        let mut flood = Some((self.connect(), frame.to_vec()));
        self.closed.clear();
        let before = self.spent;
        self.pour(FLOOD, &mut flood);
        let each = (self.spent - before) / FLOOD as u32;
        let closed = self.closed.len();
        let call = self.timed_call(
            alice,
            bob,
            CallId(1_000_000 + self.last_connection),
            100,
            &mut flood,
        );
        let before = self.spent;
        let connection = self.connect();
        let phone = Phone::new(
            &format!("u{}", BINDINGS + 2),
            self.last_connection as u8,
            true,
            self.now(),
        );
        self.phones.insert(connection, phone);
        self.settle(100, &mut flood);
        let registered = self.phones[&connection].agent.registration();
        assert!(
            matches!(registered, RegistrationState::Registered { .. }),
            "{registered:?}"
        );
        self.give(Input::Disconnected { connection });
        self.phones.remove(&connection);
        (each, closed, call, self.spent - before)
    }

    fn pour(&mut self, count: usize, flood: &mut Option<(ConnectionId, Vec<u8>)>) {
        let Some((connection, frame)) = flood else {
            return;
        };
        for _ in 0..count {
            if self.closed.last() == Some(connection) {
                *connection = self.connect();
            }
            let message = frame.clone();
            self.give(Input::Received {
                connection: *connection,
                message,
            });
        }
    }

    /// Carries frames until there are none, each behind so many of the flood.
    fn settle(&mut self, floods_between: usize, flood: &mut Option<(ConnectionId, Vec<u8>)>) {
        loop {
            let mut frames = Vec::new();
            for (connection, phone) in &mut self.phones {
                frames.extend(phone.outgoing.drain(..).map(|message| (*connection, message)));
            }
            if frames.is_empty() {
                return;
            }
            for (connection, message) in frames {
                self.pour(floods_between, flood);
                self.requests += 1;
                self.give(Input::Received { connection, message });
            }
        }
    }

    fn give(&mut self, input: Input) {
        let (now, clock, before) = (self.now(), Clock::now(), so_far().kept_bytes);
        self.platform.handle_input(now, input);
        let mut frames = Vec::new();
        loop {
            match self.platform.poll_output() {
                Output::Transmit { connection, message } => frames.push((connection, message)),
                Output::Disconnect { connection, .. } => self.closed.push(connection),
                Output::Event(_) => {}
                Output::Idle(_) => break,
            }
        }
        self.spent += clock.elapsed();
        self.kept += so_far().kept_bytes - before;
        self.kept -= frames
            .iter()
            .map(|(_, message)| message.capacity() as i64)
            .sum::<i64>();
        self.kept -= (frames.capacity() * std::mem::size_of::<(ConnectionId, Vec<u8>)>()) as i64;
        let now = self.now();
        for (connection, message) in frames {
            if let Some(phone) = self.phones.get_mut(&connection) {
                phone.receive(now, message);
            }
        }
    }
}
