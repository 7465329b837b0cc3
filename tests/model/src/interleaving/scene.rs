//! Some agents, what is on its way between them, and one step after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use clearline_core::dialog_info::Dialog;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_core::{CallState, Command, Duration, Input, Instant, Timer};

use super::choice::{Bounds, Choice, Verb, account, domain};
use super::form::Fingerprint;
use super::letter::Letter;
use super::party::{MediaTime, Party, Sent};
use super::platform;

/// Longer than any timer of an agent.
const HORIZON: Duration = Duration::from_secs(2_000);
/// Steps in which a prepared state is reached.
const MOST_STEPS: usize = 3_000;

/// A state of everything. Parties and messages are shared with the states before it: a step copies the one party that
/// it concerns.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) now: Instant,
    pub(super) parties: Vec<Arc<Party>>,
    /// What is on its way, from each to each.
    ways: Vec<VecDeque<Arc<Letter>>>,
    /// Whose the hosts are that messages are addressed to.
    hosts: Arc<Vec<(String, usize)>>,
    /// What the platform tells those who follow the calls of their account.
    pub(super) dialogs: Arc<Vec<Dialog>>,
    pub(super) bounds: Bounds,
    pub(super) media: MediaTime,
    /// What users may ask for.
    pub(super) verbs: &'static [Verb],
    /// The platform asks callees for reliable provisional responses.
    pub(super) requires_100rel: bool,
    /// A message has been lost.
    pub(super) has_lost: bool,
    /// What was sent, where somebody wants to know.
    pub(super) ladder: Option<Vec<String>>,
}

impl Scene {
    /// All are connected; nothing has happened.
    pub(super) fn new(names: &[&'static str], bounds: Bounds) -> Self {
        let parties = names.iter().enumerate();
        let parties: Vec<_> = parties.map(|(at, name)| Arc::new(Party::new(name, at))).collect();
        // Of an account's devices, the last one is found by its address.
        let hosts = names
            .iter()
            .enumerate()
            .map(|(at, name)| (domain(name), at))
            .rev();
        let mut scene = Self {
            now: Instant::from_secs(1_000),
            ways: vec![VecDeque::new(); parties.len() * parties.len()],
            parties,
            hosts: Arc::new(hosts.collect()),
            dialogs: Arc::default(),
            bounds,
            media: MediaTime::Immediate,
            verbs: Verb::OF_ONE_CALL,
            requires_100rel: false,
            has_lost: false,
            ladder: None,
        };
        for at in (0..names.len()).filter(|at| account(names[*at]) == names[*at]) {
            scene.join(at);
        }
        scene
    }

    /// A party switches its agent on.
    pub(super) fn join(&mut self, at: usize) {
        let started = self.with(at, Party::start);
        assert_eq!(started, Ok(()), "at the start");
    }

    // --- what can happen --------------------------------------------------------------------------------------

    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (from, to) in self.pairs() {
            let waiting = self.way(from, to).len();
            if self.parties[to].connection.is_some() && waiting > 0 {
                choices.push(Choice::Deliver { from, to });
                if waiting > 1 && self.bounds.overtakings > 0 {
                    choices.push(Choice::Overtake { from, to });
                }
            }
            if waiting > 0 && self.bounds.losses > 0 {
                choices.push(Choice::Lose { from, to });
            }
        }
        for (at, party) in self.parties.iter().enumerate() {
            if !party.jobs.is_empty() {
                choices.push(Choice::Media(at));
            }
            if party.connection.is_some() && self.bounds.breaks > 0 {
                choices.push(Choice::Break(at));
            }
        }
        if self.bounds.breaks > 0 {
            choices.push(Choice::BreakAll);
        }
        choices.extend(self.timers().into_iter().map(Choice::Timer));
        if self.bounds.commands > 0 {
            choices.extend(self.commands());
        }
        choices
    }

    fn commands(&self) -> Vec<Choice> {
        let mut commands = Vec::new();
        for (party, of) in self.parties.iter().enumerate() {
            for (call, info) in of.calls.iter().enumerate() {
                let fitting = self
                    .verbs
                    .iter()
                    .filter(|verb| verb.command(of.name, info, &of.calls).is_some());
                commands.extend(fitting.map(|verb| Choice::Command {
                    party,
                    call,
                    verb: *verb,
                }));
            }
        }
        commands
    }

    /// Whose timers fire next: several if theirs do at the same moment.
    fn timers(&self) -> Vec<usize> {
        let mut later = self.clone();
        let Some(at) = later.advance() else {
            return Vec::new();
        };
        let parties = later.parties.iter().enumerate();
        let due = parties.filter(|(_, party)| party.deadline.is_some_and(|deadline| deadline.at <= at));
        due.map(|(at, _)| at).collect()
    }

    // --- what happens -----------------------------------------------------------------------------------------

    /// Lets something happen.
    ///
    /// # Errors
    /// When something is not as it must always be.
    pub(super) fn choose(&mut self, choice: Choice) -> Result<(), String> {
        match choice {
            Choice::Deliver { from, to } => self.deliver(from, to),
            Choice::Overtake { from, to } => {
                self.bounds.overtakings -= 1;
                self.way_mut(from, to).swap(0, 1);
                self.deliver(from, to)
            }
            Choice::Lose { from, to } => {
                self.bounds.losses -= 1;
                self.has_lost = true;
                self.way_mut(from, to).pop_front();
                Ok(())
            }
            Choice::Break(party) => {
                self.bounds.breaks -= 1;
                self.break_connections(&[party])
            }
            Choice::BreakAll => {
                self.bounds.breaks -= 1;
                let all: Vec<_> = (0..self.parties.len()).collect();
                self.break_connections(&all)
            }
            Choice::Timer(party) => {
                self.advance();
                self.wake(party)
            }
            Choice::Media(party) => self.with(party, Party::do_job),
            Choice::Command { party, call, verb } => {
                self.bounds.commands -= 1;
                self.command(party, call, verb)
            }
        }?;
        self.check()
    }

    pub(super) fn command(&mut self, party: usize, call: usize, verb: Verb) -> Result<(), String> {
        let Party { name, calls, .. } = &*self.parties[party];
        let command = calls.get(call).and_then(|call| verb.command(name, call, calls));
        match command {
            Some(command) => self.apply(party, command),
            None => Ok(()),
        }
    }

    pub(super) fn apply(&mut self, party: usize, command: Command) -> Result<(), String> {
        self.with(party, |party, now, media| party.command(now, media, command))
    }

    pub(super) fn break_connections(&mut self, broken: &[usize]) -> Result<(), String> {
        for (from, to) in self.pairs().filter(|(_, to)| broken.contains(to)) {
            self.way_mut(from, to).clear();
        }
        for at in broken {
            let Some(connection) = Arc::make_mut(&mut self.parties[*at]).connection.take() else {
                continue;
            };
            let reason = "1006".to_owned();
            let input = Input::Disconnected { connection, reason };
            self.with(*at, |party, now, media| party.tell(now, media, input))?;
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize) -> Result<(), String> {
        let Some(letter) = self.way_mut(from, to).pop_front() else {
            return Ok(());
        };
        if self.ladder.is_some() {
            self.note(format!("{} receives {}", self.parties[to].name, letter.title()));
        }
        self.with(to, |party, now, media| party.receive(now, media, letter))
    }

    /// Time passes until the next timer fires that is not a keep-alive: those the platform answers before they are
    /// asked. `None` if there is none.
    pub(super) fn advance(&mut self) -> Option<Instant> {
        if self.parties.iter().all(|party| party.is_at_rest()) {
            return None;
        }
        let horizon = self.now + HORIZON;
        loop {
            let deadlines = self.parties.iter().enumerate();
            let deadlines = deadlines.filter_map(|(at, party)| Some((party.deadline?, at)));
            let (deadline, at) = deadlines.min_by_key(|(deadline, at)| (deadline.at, *at))?;
            if deadline.at > horizon {
                return None;
            }
            self.now = self.now.max(deadline.at);
            if deadline.timer != Timer::KeepAlive {
                return Some(self.now);
            }
            self.with(at, Party::keep_alive).ok()?;
        }
    }

    fn wake(&mut self, at: usize) -> Result<(), String> {
        self.with(at, |party, now, media| party.tell(now, media, Input::Wake))?;
        let party = &self.parties[at];
        match party.deadline {
            Some(deadline) if deadline.at <= self.now => {
                Err(format!("{}: a deadline is left in the past", party.name))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Does a step of a party, and sends what it sends.
    fn with(
        &mut self,
        at: usize,
        step: impl FnOnce(&mut Party, Instant, MediaTime) -> Result<Sent, String>,
    ) -> Result<(), String> {
        let sent = step(Arc::make_mut(&mut self.parties[at]), self.now, self.media)?;
        sent.into_iter().try_for_each(|letter| self.send(at, letter))
    }

    // --- the platform between them ----------------------------------------------------------------------------

    fn send(&mut self, from: usize, letter: Arc<Letter>) -> Result<(), String> {
        let Some(message) = letter.message() else {
            return Err(format!("{} sends what is no message", self.parties[from].name));
        };
        if let Some(replies) = platform::replies(&message, &self.dialogs) {
            self.way_mut(from, from).extend(replies);
            return Ok(());
        }
        self.learn(from, &message);
        let host = destination(&message);
        let to = host.and_then(|host| self.hosts.iter().find(|(known, _)| *known == host));
        let Some((_, to)) = to else {
            return Err(format!(
                "{}: nobody is meant by {}",
                self.parties[from].name,
                letter.title()
            ));
        };
        let to = *to;
        let letter = match self.requires_100rel && is_first_invite(&message) {
            true => Arc::new(Letter::new(required_100rel(&message))),
            false => letter,
        };
        if self.ladder.is_some() {
            let names = (self.parties[from].name, self.parties[to].name);
            self.note(format!("{} -> {}: {}", names.0, names.1, letter.title()));
        }
        self.way_mut(from, to).push_back(letter);
        Ok(())
    }

    /// An agent is found again by what it calls itself: in its Via for responses, in its Contact for requests.
    fn learn(&mut self, from: usize, message: &Message) {
        let via = message.top_via().ok().filter(|_| message.is_request());
        let via = via.map(|via| via.sent_by().to_owned());
        let contact = message.contacts().next().and_then(|contact| {
            let address = contact.ok()?.address()?;
            address.uri.host().map(str::to_owned)
        });
        for host in [via, contact].into_iter().flatten() {
            if !self.hosts.iter().any(|(known, _)| *known == host) {
                Arc::make_mut(&mut self.hosts).push((host, from));
            }
        }
    }

    // --- what there is to see ---------------------------------------------------------------------------------

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.parties.len();
        (0..count).flat_map(move |from| (0..count).map(move |to| (from, to)))
    }

    fn way(&self, from: usize, to: usize) -> &VecDeque<Arc<Letter>> {
        &self.ways[from * self.parties.len() + to]
    }

    fn way_mut(&mut self, from: usize, to: usize) -> &mut VecDeque<Arc<Letter>> {
        let at = from * self.parties.len() + to;
        &mut self.ways[at]
    }

    /// Whether nothing is on its way and nothing is being done.
    pub(super) fn is_quiet(&self) -> bool {
        self.ways.iter().all(VecDeque::is_empty) && self.parties.iter().all(|party| party.jobs.is_empty())
    }

    /// The state of a party's only call.
    pub(super) fn state(&self, party: usize) -> Option<CallState> {
        self.parties[party].calls.first().map(|call| call.state)
    }

    /// Whether these parties are in answered calls, and nothing is on its way.
    pub(super) fn talk(&self, parties: &[usize]) -> bool {
        let talks = |at: &usize| {
            let calls = &self.parties[*at].calls;
            !calls.is_empty() && calls.iter().all(|call| call.state == CallState::Active)
        };
        self.is_quiet() && parties.iter().all(talks)
    }

    /// Whether a message of this title is the next to arrive somewhere.
    pub(super) fn arrives_next(&self, title: &str) -> bool {
        self.next_to_arrive(title).is_some()
    }

    /// It.
    pub(super) fn next_to_arrive(&self, title: &str) -> Option<Message> {
        let mut oldest = self.ways.iter().filter_map(VecDeque::front);
        oldest.find(|letter| letter.title() == title)?.message()
    }

    /// What tells states apart, seen for the first time. `text` is scratch space.
    pub(super) fn first_fingerprint(&mut self, text: &mut String) -> u128 {
        for party in &mut self.parties {
            Arc::make_mut(party).take_form(text);
        }
        self.combined()
    }

    /// What tells states apart, after a step from `before`: only parties that this one does not have are looked at.
    pub(super) fn fingerprint(&mut self, before: &Self, text: &mut String) -> u128 {
        for (party, before) in self.parties.iter_mut().zip(&before.parties) {
            if !Arc::ptr_eq(party, before) {
                Arc::make_mut(party).take_form(text);
            }
        }
        self.combined()
    }

    pub(super) fn combined(&self) -> u128 {
        let mut fingerprint = Fingerprint::new(self.now);
        fingerprint.add_number(self.bounds.number());
        fingerprint.add_number(u64::from(self.has_lost));
        for party in &self.parties {
            fingerprint.add(party.form());
        }
        for way in &self.ways {
            fingerprint.add_number(way.len() as u64);
            way.iter().for_each(|letter| fingerprint.add(&letter.form));
        }
        fingerprint.value()
    }

    pub(super) fn note(&mut self, line: String) {
        if let Some(ladder) = &mut self.ladder {
            ladder.push(format!("{}   {line}", self.now));
        }
    }

    // --- what happens by itself -------------------------------------------------------------------------------

    /// The oldest message arrives, media do what they were asked for, or the next timer fires. Whether anything did.
    pub(super) fn proceed(&mut self) -> Result<bool, String> {
        if let Some(at) = self.parties.iter().position(|party| !party.jobs.is_empty()) {
            return self.with(at, Party::do_job).map(|()| true);
        }
        let is_due = |(from, to): &(usize, usize)| {
            self.parties[*to].connection.is_some() && !self.way(*from, *to).is_empty()
        };
        if let Some((from, to)) = self.pairs().find(is_due) {
            return self.deliver(from, to).map(|()| true);
        }
        let Some(at) = self.advance() else {
            return Ok(false);
        };
        let is_due = |party: &Arc<Party>| party.deadline.is_some_and(|deadline| deadline.at <= at);
        match self.parties.iter().position(is_due) {
            Some(party) => self.wake(party).map(|()| true),
            None => Ok(false),
        }
    }

    /// Runs until something is so, without further choices.
    pub(super) fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..MOST_STEPS {
            if is_so(self) {
                return;
            }
            self.must(|scene| scene.proceed().map(|_| ()));
        }
        panic!("the prepared state is not reached");
    }

    pub(super) fn must(&mut self, step: impl FnOnce(&mut Self) -> Result<(), String>) {
        let done = step(self);
        assert_eq!(done, Ok(()), "on the way to the prepared state");
    }
}

/// The host whose agent a message is for.
fn destination(message: &Message) -> Option<String> {
    match message.is_request() {
        true => message.request_uri()?.host().map(str::to_owned),
        false => message.top_via().ok().map(|via| via.sent_by().to_owned()),
    }
}

fn is_first_invite(message: &Message) -> bool {
    let is_invite = message.is_request() && message.method() == Method::Invite;
    is_invite && message.to().is_ok_and(|to| to.tag().is_none())
}

fn required_100rel(invite: &Message) -> Vec<u8> {
    let edit = invite.edit().append(HeaderName::Require, "100rel");
    edit.build().as_bytes().to_vec()
}
