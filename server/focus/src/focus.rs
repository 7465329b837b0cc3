//! One conference: an agent that answers whoever may come, and what it does besides calls.

use std::collections::VecDeque;
use std::time::Duration;

use clearline_core::conference_info::{MODERATOR, PACKAGE, User};
use clearline_core::dialog::Dialog;
use clearline_core::sip::{HeaderName, Message, Method, UriBuf};
use clearline_core::{
    CallId, CallInfo, ConferenceId, Config, Deadline, EndCause, Event, Input, Instant, Output, Rate,
    RateLimit, RedirectPolicy, ReferNotifier, RegistrationState, Timer, TransferPolicy, UserAgent,
};

use crate::address::{answerer, is_conference, record, sender};
use crate::agent::Agent;
use crate::attendance::Attendance;
use crate::barred::Barred;
use crate::desk::{Desk, Outcome};
use crate::referral::{Goal, Referrals, Way, Wish};
use crate::roster::{About, Roster, Successor};
use crate::settings::{Controllers, Settings};
use crate::subscription::{Subscriptions, contact};

/// What participants have the focus do: as fast as a whole board is invited, and not as a storm.
const REFERS: Rate = Rate {
    interval: Duration::from_secs(2),
    burst: 16,
};
/// An agent mixes one conference only.
const MIX: ConferenceId = ConferenceId(1);

/// A conference. It is driven as a [`UserAgent`] is, on a connection to the platform within this process.
#[derive(Debug)]
pub struct Focus {
    agent: UserAgent,
    desk: Desk,
    settings: Settings,
    domain: String,
    roster: Roster,
    subscriptions: Subscriptions,
    referrals: Referrals,
    refers: RateLimit,
    attendance: Attendance,
    outputs: VecDeque<Output>,
    /// When the agent wants to be woken.
    agent_deadline: Option<Deadline>,
    is_ready: bool,
    leave: Leave,
    /// Who is alone hears that it is about to end.
    is_giving_notice: bool,
    /// Users who were sent away.
    barred: Barred,
}

/// Whose a message is.
enum Taken {
    /// It has been dealt with.
    Here,
    /// The agent's. If it is an answer: who has given it.
    ForAgent(Option<Answerer>),
}

/// Who has answered, as the platform vouches for it.
struct Answerer {
    /// Of the dialog.
    call_id: String,
    user: String,
    name: String,
}

impl Answerer {
    fn of(response: &Message, domain: &str) -> Option<Self> {
        let (user, name) = answerer(response, domain)?;
        let call_id = response.call_id().ok()?.to_owned();
        Some(Self { call_id, user, name })
    }
}

/// How the focus goes: a call whose ACK is still on its way gets its BYE after it, for which its user must be known.
///
/// ```text
/// Staying --the conference is over: hangs up--> HangingUp --no call is left, too late: stops--> Stopping --> Gone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Staying,
    HangingUp { until: Instant },
    Stopping,
    Gone,
}

/// How long those who are hung up on have to agree.
const HANG_UP_TIME: Duration = Duration::from_secs(2);

impl Focus {
    /// A conference that nobody has come to. `seed` determines all its identifiers.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        let domain = settings.conference.as_uri().host().unwrap_or_default().to_owned();
        let mut desk = Desk::new(seed);
        let mut agent_seed = [0; 32];
        for chunk in agent_seed.chunks_mut(8) {
            chunk.copy_from_slice(&desk.rng.next_u64().to_le_bytes());
        }
        Self {
            agent: UserAgent::new(config(&settings), agent_seed),
            desk,
            roster: Roster::new(&domain),
            domain,
            attendance: Attendance::new(Instant::ZERO, &settings.limits),
            settings,
            subscriptions: Subscriptions::default(),
            referrals: Referrals::default(),
            refers: RateLimit::new(REFERS),
            outputs: VecDeque::new(),
            agent_deadline: None,
            is_ready: false,
            leave: Leave::Staying,
            is_giving_notice: false,
            barred: Barred::default(),
        }
    }

    /// Whether who is here alone is to hear that the conference is about to end.
    pub fn is_giving_notice(&self) -> bool {
        self.is_giving_notice
    }
}

impl Agent for Focus {
    fn start(&mut self, now: Instant) {
        self.attendance = Attendance::new(now, &self.settings.limits);
        self.agent.start(now);
        self.settle(now);
    }

    fn stop(&mut self, now: Instant) {
        self.attendance = Attendance::Over;
        self.settle(now);
    }

    fn is_ready(&self) -> bool {
        self.is_ready && self.attendance != Attendance::Over
    }

    fn is_over(&self) -> bool {
        self.leave == Leave::Gone
    }

    fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { connection, message } => {
                let answerer = match self.take(now, &message) {
                    Taken::Here => return self.settle(now),
                    Taken::ForAgent(answerer) => answerer,
                };
                self.agent
                    .handle_input(now, Input::Received { connection, message });
                self.drain(now);
                self.recognise(answerer);
            }
            Input::Connected { connection } => {
                self.desk.connected(connection);
                self.agent.handle_input(now, input);
            }
            Input::Disconnected { connection, .. } => {
                let lost = self.desk.disconnected(connection);
                self.agent.handle_input(now, input);
                self.answered(now, lost);
            }
            Input::Wake => {
                let outcomes = self.desk.wake(now);
                self.agent.handle_input(now, input);
                self.answered(now, outcomes);
            }
            Input::MediaDone { .. } | Input::Media { .. } | Input::Environment(_) => {
                self.agent.handle_input(now, input);
            }
        }
        self.settle(now);
    }

    fn poll_output(&mut self) -> Output {
        self.outputs
            .pop_front()
            .unwrap_or_else(|| Output::Idle(self.deadline()))
    }
}

impl Focus {
    // --- messages --------------------------------------------------------------------------------------------

    /// Takes a message, unless it is for the agent.
    fn take(&mut self, now: Instant, bytes: &[u8]) -> Taken {
        let message = Message::parse(bytes).ok().filter(|it| it.validate().is_ok());
        let Some(message) = message else {
            return Taken::ForAgent(None);
        };
        if message.is_request() {
            return match self.takes_request(now, &message) {
                true => Taken::Here,
                false => Taken::ForAgent(None),
            };
        }
        match self.desk.response(now, message) {
            Ok(outcome) => {
                self.answered(now, outcome.into_iter().collect());
                Taken::Here
            }
            Err(response) => Taken::ForAgent(Answerer::of(&response, &self.domain)),
        }
    }

    /// Who was invited by a number, or whose call was diverted, is known by the own address once the call is answered.
    fn recognise(&mut self, answerer: Option<Answerer>) {
        let Some(Answerer { call_id, user, name }) = answerer else {
            return;
        };
        let mut calls = self.roster.calls().into_iter();
        if let Some(call) = calls.find(|call| self.agent.is_in_dialog_of(*call, &call_id)) {
            self.roster.recognise(call, user, name);
        }
    }

    fn takes_request(&mut self, now: Instant, message: &Message) -> bool {
        let is_in_dialog = message.to().is_ok_and(|to| to.tag().is_some());
        match message.method() {
            Method::Invite if !is_in_dialog => self.turns_away(message),
            Method::Refer => {
                if let Err(status) = self.refer(now, message, is_in_dialog) {
                    self.desk.refuse(message, status);
                }
                true
            }
            Method::Subscribe => self.subscribe(now, message, is_in_dialog),
            Method::Invite
            | Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Options
            | Method::Info
            | Method::Prack
            | Method::Update
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => false,
        }
    }

    /// Only users of this platform take part, as it vouches for them.
    fn turns_away(&mut self, invite: &Message) -> bool {
        let status = match sender(invite, &self.domain) {
            _ if self.attendance == Attendance::Over => 404,
            None => 403,
            // Two that are in each other would never end.
            Some(user) if is_conference(&user) => 403,
            Some(user) if self.barred.has(&user) => {
                let refusal = self
                    .desk
                    .answer(invite, 403)
                    .reason("Removed From The Conference");
                self.desk.respond(refusal.build());
                return true;
            }
            Some(user) => {
                let call_id = invite.call_id().unwrap_or_default().to_owned();
                if let Some(call) = self.agent.replaced_call(invite) {
                    self.roster.expect_successor(call, Successor { user, call_id });
                }
                return false;
            }
        };
        self.desk.refuse(invite, status);
        true
    }

    fn subscribe(&mut self, now: Instant, request: &Message, is_in_dialog: bool) -> bool {
        let conference = self.settings.conference.clone();
        let about = about(&conference, &self.settings, &self.roster);
        if is_in_dialog {
            return self.subscriptions.renew(now, &mut self.desk, &about, request);
        }
        let user = sender(request, &self.domain).filter(|user| self.roster.has(user));
        let result = match user {
            _ if self.attendance == Attendance::Over => Err(404),
            None => Err(403),
            Some(user) => self
                .subscriptions
                .begin(now, &mut self.desk, &about, user, request),
        };
        if let Err(status) = result {
            let refusal = self.desk.answer(request, status);
            let refusal = match status {
                423 => refusal.header(HeaderName::MinExpires, 30),
                489 => refusal.header(HeaderName::AllowEvents, PACKAGE),
                _ => refusal,
            };
            self.desk.respond(refusal.build());
        }
        true
    }

    /// RFC 4579 sections 5.5 and 5.11.
    fn refer(&mut self, now: Instant, refer: &Message, is_in_dialog: bool) -> Result<(), u16> {
        let (user, way) = self.referrer(refer, is_in_dialog)?;
        let wish = Wish::read(refer, &self.domain, &self.settings.services)?;
        let is_own_leave =
            matches!(&wish, Wish::Remove { entity } if *entity == user) && self.roster.has(&user);
        if !self.may_control(&user) && !is_own_leave {
            return Err(403);
        }
        // 503 would be said of the whole server (RFC 3261 section 21.5.4).
        if self.referrals.is_full() || !self.refers.allows(now) {
            return Err(480);
        }
        let (call, goal) = self.fulfil(now, &user, wish)?;
        let notifier = ReferNotifier::new(refer);
        let accepted = self.desk.answer(refer, 202);
        let accepted = match &way {
            Way::Call(_) => accepted,
            Way::Own(dialog) => accepted.to_tag(dialog.local_tag()).record_routes_from(refer),
        };
        let accepted = accepted.header(HeaderName::Contact, self.contact());
        let accepted = match notifier.is_wanted() {
            true => accepted,
            // RFC 4488 section 4.
            false => accepted.header(HeaderName::ReferSub, "false"),
        };
        self.desk.respond(accepted.build());
        self.referrals.begin(notifier, way, call, goal);
        Ok(())
    }

    /// Who asks: a participant in the own call, or a user for whom the platform vouches.
    fn referrer(&mut self, refer: &Message, is_in_dialog: bool) -> Result<(String, Way), u16> {
        if is_in_dialog {
            let call = self.agent.take_request(refer)?;
            let user = self.roster.user_of(call).ok_or(403_u16)?;
            return Ok((user.to_owned(), Way::Call(call)));
        }
        let user = sender(refer, &self.domain).ok_or(403_u16)?;
        let dialog = Dialog::from_request(refer, &self.desk.rng.token(6)).map_err(|_| 400_u16)?;
        Ok((user, Way::Own(Box::new(dialog))))
    }

    /// Who is there, and who of them may have others invited and removed.
    fn users(&self) -> Vec<User> {
        let mut users = self.roster.users();
        for user in &mut users {
            let role = match self.may_control(&user.entity) {
                true => MODERATOR,
                false => "participant",
            };
            user.roles = Some(vec![role.to_owned()]);
        }
        users
    }

    fn may_control(&self, user: &str) -> bool {
        let creator = self.settings.creator.as_str();
        let is_led = self.settings.controllers == Controllers::Creator && self.roster.has_present(creator);
        user == creator || !is_led && self.roster.has_present(user)
    }

    /// Begins what is wished; the call that is about, and what is to become of it.
    fn fulfil(&mut self, now: Instant, user: &str, wish: Wish) -> Result<(CallId, Goal), u16> {
        if self.attendance == Attendance::Over {
            return Err(404);
        }
        if let Wish::Remove { entity } = &wish {
            return self.send_away(now, user, entity);
        }
        if self.roster.len() >= self.settings.limits.parties {
            return Err(486);
        }
        if let Wish::Invite { target, .. } = &wish
            && let Some(invited) = record(&target.as_uri(), &self.domain)
        {
            self.barred.pardon(&invited);
        }
        let name = self.roster.name_of(user);
        let call = CallId(self.desk.rng.next_u64());
        let invitation = wish.invitation(user, &name).ok_or(400_u16)?;
        match self.agent.invite_for(now, call, invitation) {
            Ok(()) => Ok((call, Goal::Answer)),
            Err(_) => Err(480),
        }
    }

    /// RFC 4579 section 5.11. Who has left by own wish may come back, and with one device while others stay.
    fn send_away(&mut self, now: Instant, by: &str, entity: &str) -> Result<(CallId, Goal), u16> {
        let calls = self.roster.calls_of(entity);
        let user = calls.first().and_then(|call| self.roster.user_of(*call));
        let user = user.map(str::to_owned).ok_or(404_u16)?;
        let is_own_wish = user == by;
        let cause = match is_own_wish {
            true => EndCause::LocalHangUp,
            false => EndCause::RemovedFromConference,
        };
        let is_sent_away = self.roster.calls_of(&user).len() == calls.len();
        if is_sent_away && !is_own_wish && user != self.settings.creator {
            self.barred.add(user);
        }
        for call in &calls {
            self.hang_up(now, *call, cause);
        }
        calls.last().map(|call| (*call, Goal::End)).ok_or(404)
    }

    fn answered(&mut self, now: Instant, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            self.subscriptions.answered(now, outcome);
            self.referrals.answered(now, outcome);
        }
    }

    // --- after every step ------------------------------------------------------------------------------------

    fn settle(&mut self, now: Instant) {
        self.drain(now);
        self.agent.mix_all(now, MIX);
        self.end_silent(now);
        self.drain(now);
        let count = self.roster.count();
        let before = self.attendance;
        self.attendance = before.counted(now, &self.settings.limits, count);
        self.is_giving_notice = self.attendance.notice_at().is_some_and(|at| at <= now);
        // The platform takes nothing from who is not registered: what is owed is told afterwards.
        if self.is_ready || self.attendance == Attendance::Over {
            self.tell(now);
        }
        self.take_leave(now, before.farewell());
        self.outputs.extend(self.desk.take_outputs());
    }

    fn take_leave(&mut self, now: Instant, farewell: EndCause) {
        if self.attendance == Attendance::Over && self.leave == Leave::Staying {
            self.leave = Leave::HangingUp {
                until: now + HANG_UP_TIME,
            };
            for call in self.roster.calls() {
                self.hang_up(now, call, farewell);
            }
            self.drain(now);
        }
        if let Leave::HangingUp { until } = self.leave
            && (self.roster.len() == 0 || until <= now)
        {
            self.leave = Leave::Stopping;
            self.agent.stop(now);
            self.drain(now);
        }
    }

    fn hang_up(&mut self, now: Instant, call: CallId, cause: EndCause) {
        // One that is ending already ends.
        let _ = self.agent.dismiss(now, call, cause);
    }

    fn tell(&mut self, now: Instant) {
        let contact = self.contact();
        let Self { agent, desk, .. } = self;
        self.referrals
            .advance(now, desk, &contact, |call| agent.request_in(call, Method::Notify));
        let conference = self.settings.conference.clone();
        let about = about(&conference, &self.settings, &self.roster);
        if self.attendance == Attendance::Over {
            return self.subscriptions.end_all(now, &mut self.desk, &about);
        }
        let users = self.users();
        let may_know = |user: &str| self.roster.has(user);
        self.subscriptions
            .advance(now, &mut self.desk, &about, &users, may_know);
    }

    /// Takes over what the agent wants done.
    fn drain(&mut self, now: Instant) {
        self.outputs.extend(self.desk.take_outputs());
        loop {
            match self.agent.poll_output() {
                Output::Idle(deadline) => {
                    self.agent_deadline = deadline;
                    return;
                }
                Output::Event(event) => self.event(now, &event),
                Output::Transmit { connection, message } => {
                    let message = with_abilities(message);
                    self.outputs.push_back(Output::Transmit { connection, message });
                }
                output @ (Output::Connect { .. } | Output::Disconnect { .. } | Output::Media { .. }) => {
                    self.outputs.push_back(output)
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Call(info) => self.call_changed(now, info),
            Event::Registration(state) => {
                self.is_ready = matches!(state, RegistrationState::Registered { .. });
            }
            Event::Stopped => self.leave = Leave::Gone,
            Event::Connection(_)
            | Event::DtmfReceived { .. }
            | Event::TransferRequested { .. }
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::OperationDone { .. }
            | Event::TokenWanted { .. }
            | Event::Dropped { .. } => {}
        }
    }

    fn call_changed(&mut self, now: Instant, info: &CallInfo) {
        self.roster.update(now, info);
        let has_succeeded = |call_id: &str| self.agent.is_in_dialog_of(info.id, call_id);
        if self.roster.awaited_in(info.id).is_some_and(has_succeeded) {
            self.roster.succeed(info.id, &info.remote.display_name);
        }
        self.referrals.update(info);
    }

    /// Who has no audio path any more only takes up room.
    fn end_silent(&mut self, now: Instant) {
        let since = now.saturating_sub(self.settings.limits.silent);
        if now < Instant::ZERO + self.settings.limits.silent {
            return;
        }
        for call in self.roster.silent_since(since) {
            self.hang_up(now, call, EndCause::NetworkFailed);
        }
    }

    fn contact(&self) -> String {
        contact(&about(&self.settings.conference, &self.settings, &self.roster))
    }

    fn deadline(&self) -> Option<Deadline> {
        let told = [
            self.subscriptions.deadline(&self.users()),
            self.referrals.deadline(),
        ];
        let told = told.into_iter().flatten().min().filter(|_| self.is_ready);
        let notice = self.attendance.notice_at().filter(|_| !self.is_giving_notice);
        let own = [
            (self.desk.deadline(), Timer::Transaction),
            (told, Timer::Subscription),
            (self.attendance.deadline(), Timer::Call),
            (notice, Timer::Call),
            (
                self.roster
                    .first_silent()
                    .map(|at| at + self.settings.limits.silent),
                Timer::Call,
            ),
        ];
        let own = own
            .into_iter()
            .filter_map(|(at, timer)| Some(Deadline { at: at?, timer }));
        let own = own.filter(|_| self.attendance != Attendance::Over);
        let leave = match self.leave {
            Leave::HangingUp { until } => Some(Deadline {
                at: until,
                timer: Timer::Stop,
            }),
            Leave::Staying | Leave::Stopping | Leave::Gone => None,
        };
        let own = own.chain(leave);
        own.chain(self.agent_deadline).min_by_key(|deadline| deadline.at)
    }
}

/// What the agent says of itself is completed by what is done beside it: subscriptions (RFC 6665 section 4.4.4).
fn with_abilities(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(message) = Message::parse(&*bytes) else {
        return bytes;
    };
    let Some(allow) = message.header(HeaderName::Allow) else {
        return bytes;
    };
    let complete = message
        .edit()
        .set(HeaderName::Allow, format!("{allow}, SUBSCRIBE"))
        .append(HeaderName::AllowEvents, PACKAGE);
    complete.build().as_bytes().to_vec()
}

fn about<'a>(conference: &'a UriBuf, settings: &'a Settings, roster: &Roster) -> About<'a> {
    About {
        entity: conference.as_str(),
        name: &settings.name,
        most: settings.limits.parties,
        present: roster.count().present,
    }
}

fn config(settings: &Settings) -> Config {
    let mut config = Config::new(
        settings.conference.clone(),
        "ws://in-process/sip",
        settings.instance_id.clone(),
    );
    config.display_name.clone_from(&settings.name);
    config.password = settings.password.clone();
    config.auto_answer = true;
    config.is_focus = true;
    config.max_calls = settings.limits.parties;
    config.transfer_policy = TransferPolicy::Never;
    config.redirect_policy = RedirectPolicy::Never;
    config
}
