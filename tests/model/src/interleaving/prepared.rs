//! The states from which all is explored.

use clearline_core::{CallId, CallOptions, CallState, Command};

use super::choice::{Bounds, Verb, address};
use super::party::MediaTime;
use super::scene::Scene;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// What may happen besides on a path from a state of two parties.
const USUAL: Bounds = Bounds {
    commands: 3,
    breaks: 1,
    overtakings: 1,
    losses: 1,
};

/// The same where three parties make as many steps as two in others.
const OF_THREE: Bounds = Bounds {
    commands: 2,
    breaks: 1,
    overtakings: 0,
    losses: 0,
};

/// A moment at which much can go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    /// What it is called.
    pub name: &'static str,
    /// How many choices in a row are worth the time, at most.
    pub depth: usize,
    parties: &'static [&'static str],
    bounds: Bounds,
    media: MediaTime,
    verbs: &'static [Verb],
    arrange: fn(&mut Scene),
}

impl Prepared {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::pair("the callee rings, and the caller knows", ring),
        Self::pair("a reliable 180 waits for its PRACK", ring_reliably),
        Self::pair("the callee has answered, and its 200 is on its way", answer),
        Self::pair(
            "the caller gives up while the 200 is on its way",
            cancel_and_answer,
        ),
        Self::pair("hold is asked for, and the re-INVITE is on its way", hold),
        Self::pair("both hold at the same moment", hold_both).media_later(),
        Self::pair("hold, and media take their time", hold).media_later(),
        Self::pair("who holds resumes", resume),
        Self::pair(
            "who is held hangs up while the re-INVITE is on its way",
            hold_and_leave,
        ),
        Self::pair(
            "after a break, the UPDATE that tells where one is now is on its way",
            update,
        ),
        Self::pair("such an UPDATE meets a re-INVITE", update_and_hold),
        Self::pair("a session is refreshed while the far end holds", refresh_and_hold),
        Self::pair("one has hung up, and its BYE is on its way", leave),
        Self::pair("both hang up at the same moment", leave_both),
        Self::pair("all connections have just broken", lose_connections),
        Self::three("the far end is to be sent on, and the REFER is on its way", refer),
        Self::three("it is sent on, and rings there", refer_and_ring),
        Self::three("the third is asked first, and has answered", consult),
        Self::three(
            "the two are to be connected, and the REFER is on its way",
            connect,
        ),
    ];

    const fn pair(name: &'static str, arrange: fn(&mut Scene)) -> Self {
        Self {
            name,
            depth: 8,
            parties: &["alice", "bob"],
            bounds: USUAL,
            media: MediaTime::Immediate,
            verbs: Verb::OF_ONE_CALL,
            arrange,
        }
    }

    const fn three(name: &'static str, arrange: fn(&mut Scene)) -> Self {
        Self {
            name,
            depth: 6,
            parties: &["alice", "bob", "carol"],
            bounds: OF_THREE,
            media: MediaTime::Immediate,
            verbs: Verb::OF_TRANSFER,
            arrange,
        }
    }

    /// Media requests are answered at any later step.
    const fn media_later(mut self) -> Self {
        self.media = MediaTime::Later;
        self
    }

    pub(super) fn scene(&self) -> Scene {
        let mut scene = Scene::new(self.parties, self.bounds);
        (self.arrange)(&mut scene);
        scene.media = self.media;
        scene.verbs = self.verbs;
        scene
    }
}

fn ring(scene: &mut Scene) {
    dial(scene);
    scene.until(|scene| scene.state(ALICE) == Some(CallState::Ringing));
}

fn ring_reliably(scene: &mut Scene) {
    scene.requires_100rel = true;
    dial(scene);
    scene.until(|scene| scene.arrives_next("180 INVITE"));
}

fn answer(scene: &mut Scene) {
    ring(scene);
    command(scene, BOB, Verb::Answer);
}

fn cancel_and_answer(scene: &mut Scene) {
    answer(scene);
    command(scene, ALICE, Verb::HangUp);
}

fn hold(scene: &mut Scene) {
    talk(scene);
    command(scene, ALICE, Verb::Hold);
}

fn hold_both(scene: &mut Scene) {
    hold(scene);
    command(scene, BOB, Verb::Hold);
}

fn resume(scene: &mut Scene) {
    hold(scene);
    scene.until(Scene::is_quiet);
    command(scene, ALICE, Verb::Resume);
}

fn hold_and_leave(scene: &mut Scene) {
    hold(scene);
    command(scene, BOB, Verb::HangUp);
}

fn update(scene: &mut Scene) {
    lose_connections(scene);
    scene.until(|scene| scene.arrives_next("UPDATE"));
}

fn update_and_hold(scene: &mut Scene) {
    update(scene);
    for party in [ALICE, BOB] {
        command(scene, party, Verb::Hold);
    }
}

fn refresh_and_hold(scene: &mut Scene) {
    talk(scene);
    scene.until(|scene| !scene.is_quiet());
    for party in [ALICE, BOB] {
        command(scene, party, Verb::Hold);
    }
}

fn leave(scene: &mut Scene) {
    talk(scene);
    command(scene, ALICE, Verb::HangUp);
}

fn leave_both(scene: &mut Scene) {
    leave(scene);
    command(scene, BOB, Verb::HangUp);
}

fn lose_connections(scene: &mut Scene) {
    talk(scene);
    scene.must(|scene| scene.break_connections(&[ALICE, BOB]));
}

fn refer(scene: &mut Scene) {
    talk(scene);
    command(scene, ALICE, Verb::Transfer);
    scene.until(|scene| scene.arrives_next("REFER"));
}

fn refer_and_ring(scene: &mut Scene) {
    refer(scene);
    scene.until(|scene| scene.state(CAROL) == Some(CallState::Incoming));
}

fn consult(scene: &mut Scene) {
    talk(scene);
    command(scene, ALICE, Verb::Consult);
    scene.until(|scene| scene.state(CAROL) == Some(CallState::Incoming));
    command(scene, CAROL, Verb::Answer);
    scene.until(|scene| scene.talk(&[ALICE, BOB, CAROL]));
}

fn connect(scene: &mut Scene) {
    consult(scene);
    command(scene, ALICE, Verb::TransferTo);
    scene.until(|scene| scene.arrives_next("REFER"));
}

// --- steps ---------------------------------------------------------------------------------------------------------

fn dial(scene: &mut Scene) {
    let call = Command::Call {
        id: CallId(1),
        target: address("bob"),
        options: CallOptions::default(),
    };
    scene.must(|scene| scene.apply(ALICE, call));
}

fn talk(scene: &mut Scene) {
    answer(scene);
    scene.until(|scene| scene.talk(&[ALICE, BOB]));
}

fn command(scene: &mut Scene, party: usize, verb: Verb) {
    scene.must(|scene| scene.command(party, 0, verb));
}
