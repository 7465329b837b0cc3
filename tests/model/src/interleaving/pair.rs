//! Two agents, what is on its way between them, and what can happen next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clearline_core::sip::{Message, UriBuf};
use clearline_core::{
    CallId, CallInfo, CallOptions, CallState, Config, ConnectionId, Duration, Environment, Event, Input,
    Instant, MediaRequestId, MediaSessionId, OperationId, Output, UserAgent,
};
use clearline_sim::Media;

use super::canonical::Canonical;
use crate::invariants::fnv;

/// One input leads to no more outputs than this.
const MOST_OUTPUTS: usize = 300;
/// Longer than anything that two agents wait for in a call.
const REST: Duration = Duration::from_secs(260);
/// Steps in which a pair has come to rest.
const MOST_STEPS: usize = 3_000;

/// Something that can happen next. Sides are 0, who has called, and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The oldest message to a side arrives.
    Deliver(usize),
    /// The one after it arrives before.
    Overtake(usize),
    /// The connection breaks: what is on its way is lost, and both are told.
    Break,
    /// The next timer fires.
    Timer,
    /// The callee answers.
    Answer,
    /// A side holds.
    Hold(usize),
    /// A side resumes.
    Resume(usize),
    /// A side hangs up.
    HangUp(usize),
}

/// What may still happen on a path besides messages and timers.
#[derive(Clone, Copy, Debug)]
struct Budget {
    commands: u8,
    breaks: u8,
    overtakings: u8,
}

#[derive(Clone)]
pub(super) struct Pair {
    now: Instant,
    sides: [Side; 2],
    budget: Budget,
}

#[derive(Clone)]
struct Side {
    agent: UserAgent,
    media: Media,
    deadline: Option<Instant>,
    connection: Option<ConnectionId>,
    /// On their way to this side.
    arriving: VecDeque<Vec<u8>>,
    call: Option<CallInfo>,
    sessions: BTreeMap<MediaSessionId, CallId>,
    pending: BTreeSet<OperationId>,
    finished: BTreeSet<OperationId>,
}

impl Side {
    fn new(user: &str, number: usize) -> Self {
        let address = UriBuf::sip(user, "example.com").unwrap_or_else(|error| panic!("{user}: {error}"));
        let mut config = Config::new(address, "ws://example.com/sip", "urn:uuid:0");
        config.register = false;
        let seed = [u8::try_from(number).unwrap_or(0) + 1; 32];
        Self {
            agent: UserAgent::new(config, seed),
            media: Media::new(number, seed),
            deadline: None,
            connection: None,
            arriving: VecDeque::new(),
            call: None,
            sessions: BTreeMap::new(),
            pending: BTreeSet::new(),
            finished: BTreeSet::new(),
        }
    }

    fn state(&self) -> Option<CallState> {
        let state = self.call.as_ref()?.state;
        (state != CallState::Ended).then_some(state)
    }

    fn is_active(&self) -> bool {
        self.state() == Some(CallState::Active)
    }
}

impl Pair {
    /// Both are connected; nothing has happened.
    pub(super) fn new() -> Self {
        let mut pair = Self {
            now: Instant::from_secs(1_000),
            sides: [Side::new("alice", 0), Side::new("bob", 1)],
            budget: Budget {
                commands: 3,
                breaks: 1,
                overtakings: 1,
            },
        };
        for side in 0..2 {
            pair.sides[side].agent.start(pair.now);
            pair.must(|pair| pair.drain(side));
            // Nobody looks: keep-alives are rare.
            pair.must(|pair| pair.tell(side, Input::Environment(Environment::Hidden)));
        }
        pair
    }

    pub(super) fn dial(&mut self) {
        let call = self.sides[0]
            .agent
            .call(self.now, CallId(1), "bob", CallOptions::default());
        assert!(call.is_ok(), "{call:?}");
        self.must(|pair| pair.drain(0));
    }

    /// Runs until something is so, without further choices.
    pub(super) fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..MOST_STEPS {
            if is_so(self) {
                return;
            }
            self.must(|pair| pair.proceed().map(|_| ()));
        }
        panic!("the prepared state is not reached");
    }

    pub(super) fn must(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        let done = step(self);
        assert_eq!(done, Ok(()), "on the way to the prepared state");
    }

    pub(super) fn both_talk(&self) -> bool {
        self.sides.iter().all(Side::is_active) && self.is_quiet()
    }

    pub(super) fn state(&self, side: usize) -> Option<CallState> {
        self.sides[side].state()
    }

    /// The first line of the oldest message on its way to a side.
    pub(super) fn next_to(&self, side: usize) -> Option<String> {
        let message = Message::parse(self.sides[side].arriving.front()?.as_slice()).ok()?;
        Some(match message.status() {
            Some(status) => format!("{status} {}", message.method()),
            None => message.method().to_string(),
        })
    }

    // --- choices ---------------------------------------------------------------------------------------------

    /// All that can happen now.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            if side.connection.is_some() && !side.arriving.is_empty() {
                choices.push(Choice::Deliver(at));
            }
            if side.connection.is_some() && side.arriving.len() > 1 && self.budget.overtakings > 0 {
                choices.push(Choice::Overtake(at));
            }
        }
        if self.sides.iter().any(|side| side.connection.is_some()) && self.budget.breaks > 0 {
            choices.push(Choice::Break);
        }
        if self.next_wake().is_some() {
            choices.push(Choice::Timer);
        }
        if self.budget.commands > 0 {
            choices.extend(self.commands());
        }
        choices
    }

    fn commands(&self) -> Vec<Choice> {
        let mut commands = Vec::new();
        if self.sides[1].state() == Some(CallState::Incoming) {
            commands.push(Choice::Answer);
        }
        for (at, side) in self.sides.iter().enumerate() {
            match side.state() {
                Some(CallState::Active) => {
                    commands.extend([Choice::Hold(at), Choice::Resume(at), Choice::HangUp(at)]);
                }
                Some(CallState::Ending | CallState::Ended) | None => {}
                Some(_) => commands.push(Choice::HangUp(at)),
            }
        }
        commands
    }

    /// Lets something happen.
    ///
    /// # Errors
    /// When something is not as it must always be.
    pub(super) fn choose(&mut self, choice: Choice) -> Result<(), String> {
        match choice {
            Choice::Deliver(side) => self.deliver(side),
            Choice::Overtake(side) => {
                self.budget.overtakings -= 1;
                self.sides[side].arriving.swap(0, 1);
                self.deliver(side)
            }
            Choice::Break => {
                self.budget.breaks -= 1;
                self.break_connection()
            }
            Choice::Timer => self.fire(),
            Choice::Answer => self.command(1, |call| call.answer()),
            Choice::Hold(side) => self.command(side, |call| call.hold()),
            Choice::Resume(side) => self.command(side, |call| call.resume()),
            Choice::HangUp(side) => self.command(side, |call| call.hang_up()),
        }?;
        self.check()
    }

    pub(super) fn break_connection(&mut self) -> Result<(), String> {
        for side in 0..2 {
            self.sides[side].arriving.clear();
        }
        for side in 0..2 {
            if let Some(connection) = self.sides[side].connection.take() {
                let reason = "1006".to_owned();
                self.tell(side, Input::Disconnected { connection, reason })?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, side: usize) -> Result<(), String> {
        let (Some(connection), Some(message)) =
            (self.sides[side].connection, self.sides[side].arriving.pop_front())
        else {
            return Ok(());
        };
        self.tell(side, Input::Received { connection, message })
    }

    fn next_wake(&self) -> Option<(Instant, usize)> {
        let wakes = self.sides.iter().enumerate();
        wakes.filter_map(|(at, side)| Some((side.deadline?, at))).min()
    }

    fn fire(&mut self) -> Result<(), String> {
        let Some((at, side)) = self.next_wake() else {
            return Ok(());
        };
        self.now = self.now.max(at);
        self.tell(side, Input::Wake)?;
        match self.sides[side].deadline {
            Some(at) if at <= self.now => Err(format!("side {side}: a deadline is left in the past")),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn command(
        &mut self,
        side: usize,
        command: impl FnOnce(
            &mut clearline_core::CallHandle<'_>,
        ) -> Result<OperationId, clearline_core::CommandError>,
    ) -> Result<(), String> {
        self.budget.commands = self.budget.commands.saturating_sub(1);
        let now = self.now;
        let Some(call) = self.sides[side].call.as_ref().map(|call| call.id) else {
            return Ok(());
        };
        let handle = self.sides[side].agent.call_handle(now, call);
        let accepted = handle.and_then(|mut handle| command(&mut handle));
        if let Ok(operation) = accepted {
            self.sides[side].pending.insert(operation);
        }
        self.drain(side)
    }

    /// The budget of a prepared state is whole.
    pub(super) fn refill(&mut self) {
        self.budget = Self::new().budget;
    }

    // --- the parties -----------------------------------------------------------------------------------------

    fn tell(&mut self, side: usize, input: Input) -> Result<(), String> {
        self.sides[side].agent.handle_input(self.now, input);
        self.drain(side)
    }

    fn drain(&mut self, at: usize) -> Result<(), String> {
        for _ in 0..MOST_OUTPUTS {
            let side = &mut self.sides[at];
            match side.agent.poll_output() {
                Output::Connect { connection, .. } => {
                    side.connection = Some(connection);
                    side.agent.handle_input(self.now, Input::Connected { connection });
                }
                Output::Transmit { message, .. } => self.sides[1 - at].arriving.push_back(message),
                Output::Disconnect { connection } => {
                    side.connection.take_if(|open| *open == connection);
                }
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    side.sessions.insert(session, call);
                    let result = side.media.execute(session, action);
                    self.media_done(at, request, result);
                }
                Output::Event(event) => side.take(event)?,
                Output::Idle(deadline) => {
                    side.deadline = deadline.map(|deadline| deadline.at);
                    return Ok(());
                }
            }
        }
        Err(format!("side {at} does not come to rest"))
    }

    /// The backend is done at once: its time is another dimension, walked through by the scenarios.
    fn media_done(
        &mut self,
        at: usize,
        request: MediaRequestId,
        result: Result<clearline_core::MediaOutcome, clearline_core::MediaError>,
    ) {
        let input = Input::MediaDone { request, result };
        self.sides[at].agent.handle_input(self.now, input);
    }

    // --- what must be so -------------------------------------------------------------------------------------

    fn check(&self) -> Result<(), String> {
        for (at, side) in self.sides.iter().enumerate() {
            let Some(call) = &side.call else { continue };
            let shows_hold = call.local_hold && !call.negotiating;
            if shows_hold && side.media.is_anything_live() {
                return Err(format!("side {at} holds, and its microphone is open"));
            }
            if call.state == CallState::Ended && side.media.is_anything_open() {
                return Err(format!("side {at} has ended, and its microphone is open"));
            }
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.sides.iter().all(|side| side.arriving.is_empty())
    }

    /// The oldest message arrives, or the next timer fires.
    fn proceed(&mut self) -> Result<bool, String> {
        for side in 0..2 {
            if self.sides[side].connection.is_some() && !self.sides[side].arriving.is_empty() {
                self.deliver(side)?;
                return Ok(true);
            }
        }
        let has_timer = self.next_wake().is_some();
        self.fire()?;
        Ok(has_timer)
    }

    /// Lets everything come to rest and asks whether both ends agree then.
    ///
    /// # Errors
    /// When they do not.
    pub(super) fn at_rest(&self) -> Result<(), String> {
        let mut pair = self.clone();
        let end = pair.now + REST;
        for _ in 0..MOST_STEPS {
            let is_over = pair.next_wake().is_none_or(|(at, _)| at > end);
            if is_over && pair.is_quiet() {
                return pair.agree();
            }
            pair.proceed()?;
            pair.check()?;
        }
        Err("it does not come to rest".to_owned())
    }

    fn agree(&self) -> Result<(), String> {
        for (at, side) in self.sides.iter().enumerate() {
            if !side.pending.is_empty() {
                return Err(format!("side {at}: commands have not ended: {:?}", side.pending));
            }
        }
        let [a, b] = &self.sides;
        match (a.state(), b.state()) {
            (None, None) => self.nothing_is_left(),
            (Some(CallState::Active), Some(CallState::Active)) => self.agree_on_hold(),
            states => Err(format!("they do not agree: {states:?}")),
        }
    }

    fn agree_on_hold(&self) -> Result<(), String> {
        let [Some(a), Some(b)] = [&self.sides[0].call, &self.sides[1].call] else {
            return Ok(());
        };
        // An answer of `inactive` to one's own hold does not tell whether the other side holds too.
        let agrees = |near: &CallInfo, far: &CallInfo| near.local_hold || near.remote_hold == far.local_hold;
        if !agrees(a, b) || !agrees(b, a) {
            let held = |call: &CallInfo| (call.local_hold, call.remote_hold);
            return Err(format!("(local, remote) hold is {:?} and {:?}", held(a), held(b)));
        }
        let live = [0, 1].map(|at| self.sides[at].media.is_anything_live());
        let is_wrong = |near: &CallInfo, far: &CallInfo, live: bool| match (near.local_hold, far.local_hold) {
            (true, _) => live,
            // Who is held is not heard whatever the microphone does.
            (false, true) => false,
            (false, false) => !live,
        };
        if is_wrong(a, b, live[0]) || is_wrong(b, a, live[1]) {
            return Err(format!("microphones are live: {live:?}"));
        }
        Ok(())
    }

    fn nothing_is_left(&self) -> Result<(), String> {
        for (at, side) in self.sides.iter().enumerate() {
            if side.media.is_anything_open() {
                return Err(format!("side {at}: a microphone is left open"));
            }
            if side.call.as_ref().is_some_and(|call| call.end.is_none()) {
                return Err(format!("side {at}: no reason for the end"));
            }
        }
        Ok(())
    }

    /// What tells states apart.
    pub(super) fn digest(&self) -> u64 {
        let mut canonical = Canonical::new(self.now);
        canonical.add(&format!("{:?}", self.budget));
        for side in &self.sides {
            canonical.add(&format!(
                "{:?} {:?} {:?} {:?}",
                side.agent, side.media, side.connection, side.pending
            ));
            for message in &side.arriving {
                canonical.add(&String::from_utf8_lossy(message));
            }
        }
        fnv(canonical.text.as_bytes())
    }
}

impl Side {
    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Call(info) => self.call = Some(*info),
            Event::OperationDone { operation, .. } => {
                self.pending.remove(&operation);
                if !self.finished.insert(operation) {
                    return Err(format!("{operation:?} has ended twice"));
                }
            }
            Event::Connection(_)
            | Event::Registration(_)
            | Event::DtmfReceived { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::Stopped
            | Event::Dropped { .. } => {}
        }
        Ok(())
    }
}
