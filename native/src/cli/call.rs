//! `clearline call`: one call from dialling to its end.

use std::time::Duration;

use clearline_core::{CallId, CallInfo, CallState, Event, Participant};
use clearline_native::media::StatisticsReader;
use clearline_native::{Call, Phone};
use serde_json::json;
use tokio::sync::{broadcast, watch};

use super::account::{Line, sign_in};
use super::args::{CallArguments, ConductArguments};
use super::audio::CallAudio;
use super::exit::{Exit, Failure};
use super::interrupt::{self, interrupted};
use super::output::Output;

/// After the file of `--play`: long enough for an echo of it to come back.
const TAIL: Duration = Duration::from_millis(1_500);

/// Makes the call.
pub(crate) async fn run(arguments: CallArguments, output: &Output) -> Result<Exit, Failure> {
    let mut interrupt = interrupt::watch();
    let audio = CallAudio::new(&arguments.audio)?;
    let Line { phone, figures } = sign_in(&arguments.account, audio.clone(), 1, &mut interrupt).await?;
    output.event("registered", "registered", json!({}));
    let events = phone.subscribe();
    let result = match phone.call(&arguments.target).await {
        Err(error) => Err(Failure::usage(format!(
            "cannot call {:?}: {error}",
            arguments.target
        ))),
        Ok(call) => {
            let conversation = Conversation {
                call,
                audio,
                conduct: &arguments.conduct,
                figures,
                output,
                shown: None,
            };
            Ok(conversation.follow(events, &mut interrupt).await)
        }
    };
    phone.stop().await;
    result
}

/// A call that is being followed to its end.
pub(crate) struct Conversation<'a> {
    pub(crate) call: Call,
    pub(crate) audio: CallAudio,
    pub(crate) conduct: &'a ConductArguments,
    pub(crate) figures: StatisticsReader,
    pub(crate) output: &'a Output,
    /// The state that has been reported already.
    pub(crate) shown: Option<CallState>,
}

impl Conversation<'_> {
    /// Reports what happens and does what was asked for, until the call has ended.
    pub(crate) async fn follow(
        &self,
        mut events: broadcast::Receiver<Event>,
        interrupt: &mut watch::Receiver<bool>,
    ) -> Exit {
        let mut shown = Shown {
            state: self.shown,
            ..Default::default()
        };
        let conduct = self.conduct_call();
        tokio::pin!(conduct);
        let (mut conducted, mut hanging_up) = (false, false);
        loop {
            tokio::select! {
                biased;
                event = next(&mut events) => match event {
                    Some(event) => {
                        if let Some(exit) = self.show(&event, &mut shown) {
                            return if hanging_up { Exit::Interrupted } else { exit };
                        }
                    }
                    None => return Exit::Failed,
                },
                () = interrupted(interrupt), if !hanging_up => {
                    hanging_up = true;
                    self.hang_up();
                }
                () = &mut conduct, if !conducted => {
                    conducted = true;
                    self.hang_up();
                }
            }
        }
    }

    /// What the arguments ask for once the call has been answered; ends when it is time to hang up.
    async fn conduct_call(&self) {
        if self.call.answered().await.is_none() {
            return std::future::pending().await;
        }
        tokio::select! {
            () = self.time_is_up() => {}
            () = self.send_tones() => {}
            () = self.hold_and_resume() => {}
        }
    }

    async fn time_is_up(&self) {
        match self.conduct.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => {
                self.audio.played().await;
                tokio::time::sleep(TAIL).await;
            }
        }
    }

    async fn send_tones(&self) {
        if let Some(tones) = &self.conduct.dtmf {
            let connected = |info: &CallInfo| info.media == clearline_core::MediaTransport::Connected;
            self.call.when(connected).await;
            self.report(self.call.send_dtmf(tones).await, "the tones were not sent");
        }
        std::future::pending().await
    }

    async fn hold_and_resume(&self) {
        if let Some(after) = self.conduct.hold_after {
            tokio::time::sleep(after).await;
            self.report(self.call.hold().await, "not put on hold");
            if let Some(time) = self.conduct.hold_for {
                tokio::time::sleep(time).await;
                self.report(self.call.resume().await, "not resumed");
            }
        }
        std::future::pending().await
    }

    fn report(&self, result: Result<(), clearline_native::PhoneError>, what: &str) {
        if let Err(error) = result {
            self.output.event(
                "warning",
                &format!("{what}: {error}"),
                json!({ "message": format!("{what}: {error}") }),
            );
        }
    }

    /// In the background: the end of the call is what is waited for.
    fn hang_up(&self) {
        let call = self.call.clone();
        tokio::spawn(async move { call.hang_up().await });
    }

    /// Prints an event of this call; the exit code when it is the last one.
    fn show(&self, event: &Event, shown: &mut Shown) -> Option<Exit> {
        match event {
            Event::Call(info) if info.id == self.call.id() => {
                self.output.call(info, shown.step(info));
                let end = info.end.as_ref().filter(|_| info.state == CallState::Ended)?;
                let exit = Exit::of(end);
                self.output.end(info, end, exit, self.figures.of(info.id));
                Some(exit)
            }
            Event::DtmfReceived { call, tone } if *call == self.call.id() => {
                self.output
                    .event("dtmf", &format!("tone {tone}"), json!({ "tone": tone }));
                None
            }
            Event::Call(_)
            | Event::DtmfReceived { .. }
            | Event::Subscription { .. }
            | Event::Notification(_)
            | Event::Connection(_)
            | Event::Registration(_)
            | Event::OperationDone { .. }
            | Event::TokenWanted { .. }
            | Event::TransferRequested { .. }
            | Event::RemoteCalls(_)
            | Event::OwnDevices(_)
            | Event::Stopped
            | Event::Dropped { .. } => None,
        }
    }
}

/// What people have been told about a call.
#[derive(Default)]
pub(super) struct Shown {
    state: Option<CallState>,
    participants: Vec<Participant>,
    held: (bool, bool),
}

impl Shown {
    /// Who is in the conference, if that has changed.
    pub(super) fn gathering<'a>(&mut self, info: &'a CallInfo) -> Option<&'a [Participant]> {
        let has_changed = self.participants != info.participants;
        self.participants.clone_from(&info.participants);
        (has_changed && !info.participants.is_empty()).then_some(&info.participants)
    }

    /// A sentence for a step that is new.
    pub(super) fn step(&mut self, info: &CallInfo) -> Option<String> {
        let held = (info.local_hold, info.remote_hold);
        if self.state == Some(info.state) {
            let changed = std::mem::replace(&mut self.held, held) != held;
            return changed.then(|| hold_sentence(held).to_owned());
        }
        self.state = Some(info.state);
        let name = party(info);
        match info.state {
            CallState::Calling => Some(format!("calling {name}")),
            CallState::Ringing => Some("ringing".to_owned()),
            CallState::Incoming => Some(format!("incoming call from {name}")),
            CallState::Active => Some(format!("talking to {name}")),
            CallState::Preparing | CallState::Answering | CallState::Ending | CallState::Ended => None,
        }
    }
}

fn hold_sentence(held: (bool, bool)) -> &'static str {
    match held {
        (true, _) => "on hold",
        (false, true) => "held by the far end",
        (false, false) => "resumed",
    }
}

pub(super) fn party(info: &CallInfo) -> &str {
    let remote = &info.remote;
    [&remote.display_name, &remote.user, &remote.uri]
        .into_iter()
        .find(|text| !text.is_empty())
        .map_or("", |text| text)
}

/// The next event; `None` when the phone has gone. Missed events do not matter here: the next one tells the whole state.
pub(super) async fn next(events: &mut broadcast::Receiver<Event>) -> Option<Event> {
    loop {
        match events.recv().await {
            Ok(event) => return Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return None,
        }
    }
}

/// Whether `id` is a call of `phone` that has not ended.
pub(crate) fn is_live(phone: &Phone, id: CallId) -> bool {
    phone.state().calls.contains_key(&id)
}
