//! `clearline phone`: several calls at once, ordered about line by line on standard input.

use std::collections::BTreeMap;
use std::pin::pin;

use clearline_core::{CallId, CallInfo, CallState, Event, Identity, OwnDevice, RejectReason, TransferState};
use clearline_native::{Call, Phone, PhoneState};
use serde_json::json;
use tokio::io::BufReader;
use tokio::task::JoinSet;

use super::account::{Line, sign_in_with};
use super::args::PhoneArguments;
use super::audio::CallAudio;
use super::call::{Shown, next, party};
use super::devices;
use super::exit::{Exit, Failure};
use super::interrupt::{self, interrupted};
use super::order::{Order, Others};
use super::orders_in::{Lines, Read};
use super::output::Output;
use super::ringer;

/// Calls at once.
const LINES: usize = 8;

/// Does what it is told until it is told to stop, its input ends, or it is interrupted.
pub(crate) async fn run(arguments: PhoneArguments, output: &Output) -> Result<Exit, Failure> {
    let mut interrupt = interrupt::watch();
    let audio = CallAudio::new(&arguments.audio)?;
    let factory = arguments.conference_factory.as_deref();
    let Line { phone, figures } =
        sign_in_with(&arguments.account, audio.clone(), LINES, factory, &mut interrupt).await?;
    output.event("registered", "registered", json!({}));
    let ringer = ringer::start(&phone, &audio, &arguments.sounds);
    let mut events = phone.subscribe();
    let mut lines = Lines::new(BufReader::new(tokio::io::stdin()));
    let mut orders: JoinSet<(String, Result<(), String>)> = JoinSet::new();
    let mut shown = BTreeMap::new();
    let _ringer = devices::ring(&audio, &phone);
    let mut devices_in_use = pin!(devices::follow(&audio, output));
    let exit = loop {
        tokio::select! {
            biased;
            event = next(&mut events) => match event {
                Some(Event::Call(info)) => {
                    show(output, &mut shown, &info);
                    if let Some(end) = info.end.as_ref().filter(|_| info.state == CallState::Ended) {
                        shown.remove(&info.id);
                        output.end(&info, end, Exit::of(end), figures.of(info.id));
                    }
                }
                Some(Event::TransferRequested { call, request }) => output.transfer_requested(call, &request),
                Some(Event::RemoteCalls(calls)) => output.remote_calls(&calls),
                Some(Event::OwnDevices(devices)) => output.own_devices(&devices),
                Some(_) => {}
                None => break Exit::Failed,
            },
            () = interrupted(&mut interrupt) => break Exit::Interrupted,
            () = &mut devices_in_use => {}
            Some(done) = orders.join_next() => {
                if let Ok((line, result)) = done {
                    report(output, &line, result);
                }
            }
            read = lines.next() => match read {
                Ok(Read::Line(line)) if line.trim().is_empty() => {}
                Ok(Read::Line(line)) => match line.parse() {
                    Ok(Order::Quit) => break Exit::Done,
                    Ok(order) => {
                        if let (Order::Tones(tones), Some(ringer)) = (&order, &ringer) {
                            tones.chars().for_each(|key| ringer.key(key));
                        }
                        let (phone, audio) = (phone.clone(), audio.clone());
                        let output = *output;
                        orders.spawn(async move { (line, obey(&phone, &audio, order, &output).await) });
                    }
                    Err(error) => report(output, &line, Err(error)),
                },
                Ok(Read::TooLong) => report(output, "...", Err("a line longer than any order".to_owned())),
                Ok(Read::End) => break Exit::Done,
                Err(_) => break Exit::Failed,
            },
        }
    };
    phone.stop().await;
    Ok(exit)
}

/// A step of a call, with the name of whom it is with: there are several.
fn show(output: &Output, shown: &mut BTreeMap<CallId, Shown>, info: &CallInfo) {
    let shown = shown.entry(info.id).or_default();
    let step = shown.step(info);
    output.call(info, step.map(|step| format!("{}: {step}", party(info))));
    if let Some(participants) = shown.gathering(info) {
        output.participants(participants);
    }
}

fn report(output: &Output, line: &str, result: Result<(), String>) {
    let sentence = match &result {
        Ok(()) => format!("done: {line}"),
        Err(error) => format!("not done: {line}: {error}"),
    };
    let details = json!({ "order": line, "done": result.is_ok(), "message": result.err() });
    output.event("order", &sentence, details);
}

async fn obey(phone: &Phone, audio: &CallAudio, order: Order, output: &Output) -> Result<(), String> {
    let calls = Calls::of(phone);
    let result = match order {
        Order::Call(_) if calls.is_calling() => return Err("a call is on its way already".to_owned()),
        Order::Call(target) => return call_as_well(phone, &target, calls.at_the_ear()).await,
        Order::Answer(Others::Held) => calls.ringing()?.hold_and_answer().await,
        Order::Answer(Others::Ended) => calls.ringing()?.end_and_answer().await,
        Order::Decline => calls.ringing()?.reject(RejectReason::Declined).await,
        Order::Hold => calls.meant()?.hold().await,
        // Whoever is spoken with does not hear what is said to the other.
        Order::Resume | Order::Swap => calls.held()?.swap_to().await,
        Order::Merge => calls.held()?.merge(calls.talking()?.id()).await,
        Order::Split => calls.talking()?.split().await,
        Order::Leave => match calls.room() {
            Ok(room) => room.hang_up().await,
            Err(_) => phone.leave_conference().await,
        },
        Order::Participants => {
            let info = calls.room()?.info();
            output.participants(&info.map(|info| info.participants).unwrap_or_default());
            return Ok(());
        }
        Order::Add(target) => calls.room()?.add_participant(&target).await,
        Order::Remove(name) => {
            let (room, uri) = calls.participant(&name)?;
            room.remove_participant(&uri).await
        }
        Order::Mute(muted) => return mute(&calls, muted).await,
        Order::Tones(tones) => calls.meant()?.send_dtmf(&tones).await,
        Order::End => calls.meant()?.hang_up().await,
        Order::Transfer(target) => calls.meant()?.transfer(&target).await,
        Order::Consult(target) => calls.meant()?.consult(&target).await.map(drop),
        Order::Take => return take(phone).await,
        Order::Move(None) => calls.meant()?.push().await,
        Order::Move(Some(name)) => {
            let address = device(&phone.state(), &name)?;
            calls.meant()?.transfer(&address).await
        }
        Order::Devices => {
            // Whoever was there last is told at once, and what has changed when the platform says so.
            output.own_devices(&phone.state().own_devices);
            phone.ask_for_devices().await
        }
        Order::Complete => {
            let (first, second) = calls.consulting()?;
            first.transfer_to(second).await
        }
        Order::Cancel => calls.consulting()?.0.cancel_transfer().await,
        Order::Consent(true) => calls.asked()?.accept_transfer().await,
        Order::Consent(false) => calls.asked()?.decline_transfer().await,
        Order::Sound => return devices::show(audio, output).await,
        Order::Use(device, id) => return devices::choose(audio, device, id).await,
        Order::Quit => Ok(()),
    };
    result.map_err(|error| error.to_string())
}

/// A second call that does not come about gives the first one back.
async fn call_as_well(phone: &Phone, target: &str, first: Option<Call>) -> Result<(), String> {
    if let Some(first) = &first {
        let held = first.hold().await;
        held.map_err(|error| format!("the first call could not be put on hold: {error}"))?;
    }
    let outcome = match phone.call(target).await {
        Ok(second) => second.answered().await.map(drop).ok_or("not answered".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    if let (Err(_), Some(first)) = (&outcome, &first)
        && Calls::of(phone).at_the_ear().is_none()
    {
        // If it has ended meanwhile there is nothing to give back.
        let _ = first.resume().await;
    }
    outcome
}

/// In a conference the microphone goes into every call.
async fn mute(calls: &Calls<'_>, muted: bool) -> Result<(), String> {
    for call in calls.heard_with(calls.meant()?) {
        let done = call.set_muted(muted).await;
        done.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The call on another device of the account, the newest if there are several.
async fn take(phone: &Phone) -> Result<(), String> {
    let state = phone.state();
    let newest = state.remote_calls.iter().filter(|it| it.can_be_pulled);
    let newest = newest.max_by_key(|it| it.since);
    let id = newest
        .ok_or("no other device has a call that can be taken over")?
        .id;
    let call = phone.pull(id).await.map_err(|error| error.to_string())?;
    call.answered().await.map(drop).ok_or("not taken over".to_owned())
}

/// The address of another device of the account, by what it calls itself, or by that address.
fn device(state: &PhoneState, name: &str) -> Result<String, String> {
    let is_meant = |it: &&OwnDevice| {
        let called = it.name.as_ref();
        it.address == name || called.is_some_and(|called| called.eq_ignore_ascii_case(name))
    };
    let mut meant = state.own_devices.iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(one.address.clone()),
        (Some(_), Some(_)) => Err(format!("several are called {name:?}: give the address")),
        (None, _) => Err(format!(
            "no other device is called {name:?}: `devices` lists them"
        )),
    }
}

/// The calls of the moment, the oldest first.
struct Calls<'a> {
    phone: &'a Phone,
    infos: Vec<CallInfo>,
}

impl<'a> Calls<'a> {
    fn of(phone: &'a Phone) -> Self {
        let mut infos: Vec<_> = phone.state().calls.values().cloned().collect();
        infos.sort_by_key(|info| info.created_at);
        Self { phone, infos }
    }

    fn newest(&self, which: impl Fn(&CallInfo) -> bool) -> Option<Call> {
        let info = self.infos.iter().rev().find(|info| which(info))?;
        Some(self.phone.call_handle(info.id))
    }

    fn ringing(&self) -> Result<Call, String> {
        let found = self.newest(|info| info.state == CallState::Incoming);
        found.ok_or("nobody calls".to_owned())
    }

    fn at_the_ear(&self) -> Option<Call> {
        self.newest(|info| info.state == CallState::Active && !info.local_hold)
    }

    fn talking(&self) -> Result<Call, String> {
        self.at_the_ear().ok_or("nobody is spoken with".to_owned())
    }

    /// The calls of the same conference, or this one alone.
    fn heard_with(&self, call: Call) -> Vec<Call> {
        let Some(conference) = call.info().and_then(|info| info.conference) else {
            return vec![call];
        };
        let members = self
            .infos
            .iter()
            .filter(|info| info.conference == Some(conference));
        members.map(|info| self.phone.call_handle(info.id)).collect()
    }

    /// The call that leads to a conference of the platform.
    fn room(&self) -> Result<Call, String> {
        let found = self.newest(|info| info.state == CallState::Active && info.focus);
        found.ok_or("you are in no conference of the platform".to_owned())
    }

    /// Somebody else there, by name, number or address.
    fn participant(&self, name: &str) -> Result<(Call, String), String> {
        let room = self.room()?;
        let participants = room.info().map(|info| info.participants).unwrap_or_default();
        let others = participants
            .into_iter()
            .filter(|it| !it.is_self)
            .map(|it| it.identity);
        let is_meant =
            |it: &Identity| it.uri == name || it.user == name || it.display_name.eq_ignore_ascii_case(name);
        let mut meant = others.filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok((room, one.uri)),
            (Some(_), Some(_)) => Err(format!("several are called {name:?}: give the address")),
            (None, _) => Err(format!("{name:?} is not in the conference")),
        }
    }

    fn is_calling(&self) -> bool {
        let calling = [CallState::Preparing, CallState::Calling, CallState::Ringing];
        self.infos.iter().any(|info| calling.contains(&info.state))
    }

    /// The call an order means: the one that is spoken in, one that is on its way, else the one on hold.
    fn meant(&self) -> Result<Call, String> {
        let on_its_way =
            |info: &CallInfo| info.state != CallState::Active && info.state != CallState::Incoming;
        let found = self.at_the_ear().or_else(|| self.newest(on_its_way));
        found
            .or_else(|| self.held().ok())
            .ok_or("there is no call".to_owned())
    }

    fn held(&self) -> Result<Call, String> {
        let found = self.newest(|info| info.state == CallState::Active && info.local_hold);
        found.ok_or("no call is on hold".to_owned())
    }

    /// The call about which somebody is asked, and the one in which.
    fn consulting(&self) -> Result<(Call, CallId), String> {
        let consulted = |info: &CallInfo| match info.transfer {
            Some(TransferState::Consulting { with }) => Some((self.phone.call_handle(info.id), with)),
            _ => None,
        };
        self.infos
            .iter()
            .find_map(consulted)
            .ok_or("nobody is being asked".to_owned())
    }

    fn asked(&self) -> Result<Call, String> {
        let found = self.newest(|info| info.transfer_request.is_some());
        found.ok_or("the far end does not want to send you to anybody".to_owned())
    }
}
