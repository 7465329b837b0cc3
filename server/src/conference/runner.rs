//! Drives one agent of this process: its connection is a [`Line`] to the platform, its media are native ones.

use std::time::Duration;

use clearline_core::sip::UriBuf;
use clearline_core::{ConnectionId, Deadline, Input, Output};
use clearline_focus::{Agent, Factory};
use clearline_native::Clock;
use clearline_native::audio::AudioProvider;
use clearline_native::media::{MediaBackend as _, MediaJob, WebRtcMedia};
use clearline_pbx::Transport;
use tokio::sync::mpsc;

use crate::sip::{Line, Switch};

/// Where agents of this process connect to.
pub(super) const URL: &str = "ws://in-process/sip";

/// An agent with all it works with.
pub(super) struct Runner<A> {
    pub(super) agent: A,
    clock: Clock,
    switch: Switch,
    line: Option<(ConnectionId, Line)>,
    media: WebRtcMedia,
    reports: mpsc::UnboundedSender<Input>,
    reported: mpsc::UnboundedReceiver<Input>,
}

impl<A: Agent> Runner<A> {
    pub(super) fn new(agent: A, switch: Switch, seats: usize, audio: impl AudioProvider) -> Self {
        let (reports, reported) = mpsc::unbounded_channel();
        Self {
            agent,
            clock: Clock::new(),
            switch,
            line: None,
            media: WebRtcMedia::builder(audio).conference_seats(seats).build(),
            reports,
            reported,
        }
    }

    pub(super) fn start(&mut self) {
        self.agent.start(self.clock.now());
    }

    pub(super) fn stop(&mut self) {
        self.agent.stop(self.clock.now());
    }

    pub(super) fn input(&mut self, input: Input) {
        self.agent.handle_input(self.clock.now(), input);
    }

    /// Does what the agent asks for; returns when it wants to be woken.
    pub(super) async fn drain(&mut self) -> Option<Deadline> {
        loop {
            match self.agent.poll_output() {
                Output::Connect { connection, .. } => {
                    let line = self.switch.open(Transport::Ws, None).await;
                    self.line = Some((connection, line));
                    self.input(Input::Connected { connection });
                }
                Output::Transmit { connection, message } => {
                    if let Some((_, line)) = self.line.as_ref().filter(|(id, _)| *id == connection) {
                        // When the platform has stopped, the line says so.
                        line.send(message).await;
                    }
                }
                Output::Disconnect { connection } => {
                    self.line.take_if(|(id, _)| *id == connection);
                }
                Output::Media {
                    request,
                    call,
                    session,
                    action,
                } => {
                    let job = MediaJob {
                        request,
                        call,
                        session,
                        action,
                    };
                    self.media.execute(job, &self.reports);
                }
                Output::Event(_) => {}
                Output::Idle(deadline) => return deadline,
            }
        }
    }

    /// Waits for what happens next. Nothing is lost when the wait is given up.
    pub(super) async fn next_input(&mut self, deadline: Option<Deadline>) -> Input {
        let until_wake = deadline.map(|deadline| deadline.at.saturating_since(self.clock.now()));
        let wake = async {
            match until_wake {
                Some(time) => tokio::time::sleep(time.max(Duration::from_millis(1))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            input = received(&mut self.line) => input,
            Some(input) = self.reported.recv() => input,
            () = wake => Input::Wake,
        }
    }
}

impl Runner<Factory> {
    /// The caller's conference is ready.
    pub(super) fn redirect(&mut self, ticket: u64, conference: &UriBuf) {
        self.agent.redirect(self.clock.now(), ticket, conference);
    }

    /// The caller gets none.
    pub(super) fn refuse(&mut self, ticket: u64, status: u16) {
        self.agent.refuse(self.clock.now(), ticket, status);
    }
}

async fn received(line: &mut Option<(ConnectionId, Line)>) -> Input {
    let Some((connection, open)) = line else {
        return std::future::pending().await;
    };
    let connection = *connection;
    match open.receive().await {
        Some(message) => Input::Received { connection, message },
        None => {
            *line = None;
            Input::Disconnected {
                connection,
                reason: "the platform closed the connection".to_owned(),
            }
        }
    }
}
