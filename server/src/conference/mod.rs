//! Conferences: whoever calls `sip:conference@DOMAIN` gets one of their own (RFC 4579), mixed in this process.
//!
//! The factory and each conference are agents of [`clearline_focus`], each with a connection of its own to the platform and a
//! task of its own, so that no conference is in another one's way.

mod notice;
mod runner;

use std::collections::BTreeMap;

use clearline_core::sip::{UriBuf, UriError};
use clearline_core::{Config, Secret};
use clearline_focus::{Agent as _, CONFERENCE_PREFIX, Factory, Focus, Settings, Wanted};
use clearline_native::audio::Silence;
use clearline_pbx::User;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};

use crate::accounts::ha1;
use crate::echo;
use crate::options::ConferenceOptions;
use crate::random;
use crate::sip::Switch;
use notice::Notice;
use runner::Runner;

/// The user id of the factory.
pub const USER: &str = "conference";
/// What participants see.
pub const DISPLAY_NAME: &str = "Conference";

/// Conferences that are ready and have not been told so; more cannot begin at once.
const READY_QUEUE: usize = 64;

/// The running service.
pub(crate) struct Conferences {
    stop: watch::Sender<bool>,
    /// One; dropping it ends the conferences without a word.
    task: JoinSet<()>,
}

impl Conferences {
    /// Makes the factory a user of the platform and starts it; it registers by itself.
    pub(crate) async fn start(
        switch: &Switch,
        domain: &str,
        options: ConferenceOptions,
    ) -> Result<Self, UriError> {
        let password = add_service(switch, domain, USER).await;
        let address = UriBuf::sip(USER, domain)?;
        let mut config = Config::new(address, runner::URL, random::uuid_urn());
        config.display_name = DISPLAY_NAME.into();
        config.password = password;
        let factory = Runner::new(Factory::new(config, random::bytes()), switch.clone(), 0, Silence);
        let (stop, stopping) = watch::channel(false);
        let (ready, is_ready) = mpsc::channel(READY_QUEUE);
        let service = Service {
            switch: switch.clone(),
            domain: domain.to_owned(),
            options,
            ready,
            stopping,
            running: JoinSet::new(),
            held: BTreeMap::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(service.run(factory, is_ready));
        Ok(Self { stop, task })
    }

    /// Ends all conferences.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(Err(error)) = self.task.join_next().await {
            tracing::error!(%error, "the conferences did not stop properly");
        }
    }
}

/// The address of the factory.
pub(crate) fn factory(domain: &str) -> String {
    format!("sip:{USER}@{domain}")
}

/// Makes a service known to the platform; returns what it registers with.
async fn add_service(switch: &Switch, domain: &str, name: &str) -> Secret {
    let password = Secret::new(random::token::<24>());
    let user = User::new(name).with_display_name(DISPLAY_NAME).as_service();
    switch.add_user(user).await;
    switch
        .add_credential(name.to_owned(), name.to_owned(), ha1(name, domain, &password))
        .await;
    password
}

/// A conference can be called, for the caller with this ticket.
struct Ready {
    ticket: u64,
    conference: UriBuf,
}

/// One conference, while it lasts.
struct Held {
    creator: String,
    /// The caller who waits for it.
    ticket: u64,
    /// Tells it that this caller has given up.
    unwanted: Option<oneshot::Sender<()>>,
}

struct Service {
    switch: Switch,
    domain: String,
    options: ConferenceOptions,
    ready: mpsc::Sender<Ready>,
    stopping: watch::Receiver<bool>,
    running: JoinSet<()>,
    held: BTreeMap<Id, Held>,
}

impl Service {
    async fn run(mut self, mut factory: Runner<Factory>, mut ready: mpsc::Receiver<Ready>) {
        factory.start();
        let (mut stopping, mut is_stopping) = (self.stopping.clone(), false);
        loop {
            while let Some(wanted) = factory.agent.take_wanted() {
                if let Err(status) = self.hold(&wanted) {
                    factory.refuse(wanted.ticket, status);
                }
            }
            while let Some(ticket) = factory.agent.take_withdrawn() {
                self.let_go(ticket);
            }
            let deadline = factory.drain().await;
            if factory.agent.is_over() {
                break;
            }
            tokio::select! {
                input = factory.next_input(deadline) => factory.input(input),
                Some(Ready { ticket, conference }) = ready.recv() => factory.redirect(ticket, &conference),
                Some(ended) = self.running.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    if let Some(held) = self.held.remove(&id) {
                        // Nothing happens if its caller has been sent there.
                        factory.refuse(held.ticket, 480);
                    }
                }
                _ = stopping.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    factory.stop();
                }
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Begins a conference, or says with which status there is none.
    fn hold(&mut self, wanted: &Wanted) -> Result<(), u16> {
        let own = self.held.values().filter(|held| held.creator == wanted.creator);
        if own.count() >= self.options.per_user {
            return Err(486);
        }
        if self.held.len() >= self.options.at_once || *self.stopping.borrow() {
            return Err(480);
        }
        let name = format!("{CONFERENCE_PREFIX}{}", random::token::<16>());
        let conference = UriBuf::sip(&name, &self.domain).map_err(|_| 500_u16)?;
        let conference = Conference {
            switch: self.switch.clone(),
            name,
            conference,
            wanted: wanted.clone(),
            options: self.options,
            ready: self.ready.clone(),
            stopping: self.stopping.clone(),
        };
        let (unwanted, is_unwanted) = oneshot::channel();
        let task = self.running.spawn(conference.run(is_unwanted));
        let held = Held {
            creator: wanted.creator.clone(),
            ticket: wanted.ticket,
            unwanted: Some(unwanted),
        };
        self.held.insert(task.id(), held);
        Ok(())
    }

    /// Ends the conference that this caller does not wait for any more.
    fn let_go(&mut self, ticket: u64) {
        let held = self.held.values_mut().find(|held| held.ticket == ticket);
        if let Some(unwanted) = held.and_then(|held| held.unwanted.take()) {
            // It has ended by itself if this fails.
            let _ = unwanted.send(());
        }
    }
}

/// One conference.
struct Conference {
    switch: Switch,
    name: String,
    conference: UriBuf,
    wanted: Wanted,
    options: ConferenceOptions,
    ready: mpsc::Sender<Ready>,
    stopping: watch::Receiver<bool>,
}

impl Conference {
    async fn run(self, is_unwanted: oneshot::Receiver<()>) {
        let domain = self.conference.as_uri().host().unwrap_or_default().to_owned();
        let password = add_service(&self.switch, &domain, &self.name).await;
        let settings = Settings {
            conference: self.conference.clone(),
            name: DISPLAY_NAME.into(),
            creator: self.wanted.creator.clone(),
            password,
            instance_id: random::uuid_urn(),
            services: [USER, echo::USER, echo::NUMBER].map(str::to_owned).into(),
            controllers: self.options.controllers,
            limits: self.options.limits,
        };
        let (switch, name) = (self.switch.clone(), self.name.clone());
        // A party whose audio moves has a fresh session before it leaves the old one.
        let seats = settings.limits.parties * 2;
        let focus = Focus::new(settings, random::bytes());
        let notice = Notice::default();
        let focus = Runner::new(focus, switch.clone(), seats, notice.clone());
        self.last(focus, &notice, is_unwanted).await;
        switch.remove_user(name).await;
    }

    /// As long as anybody is there.
    async fn last(self, mut focus: Runner<Focus>, notice: &Notice, mut is_unwanted: oneshot::Receiver<()>) {
        let (mut stopping, mut is_stopping) = (self.stopping.clone(), false);
        let mut ready = Some(Ready {
            ticket: self.wanted.ticket,
            conference: self.conference,
        });
        focus.start();
        loop {
            let deadline = focus.drain().await;
            notice.give(focus.agent.is_giving_notice());
            if focus.agent.is_over() {
                return;
            }
            if focus.agent.is_ready()
                && let Some(ready) = ready.take()
            {
                // The factory has gone if this fails, and the conference will.
                drop(self.ready.send(ready).await);
            }
            tokio::select! {
                input = focus.next_input(deadline) => focus.input(input),
                _ = stopping.wait_for(|stop| *stop), if !is_stopping => {
                    is_stopping = true;
                    focus.stop();
                }
                _ = &mut is_unwanted, if !is_stopping => {
                    is_stopping = true;
                    focus.stop();
                }
            }
        }
    }
}
