//! The states from which all is explored.

use std::sync::Arc;

use clearline_core::{CallId, CallOptions, CallState, Command};

use super::choice::{Bounds, Verb, address};
use super::party::MediaTime;
use super::platform::confirmed;
use super::scene::Scene;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

// Where a call moves between devices: bob's, who calls alice, and bob's others.
const DEVICE: usize = 0;
const FAR_END: usize = 1;
const TABLET: usize = 2;
const TELEPHONE: usize = 3;

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
        Self::three("the REFER meets a BYE", refer_and_leave),
        Self::three(
            "the target answers as the one who has sent the far end there hangs up",
            refer_and_give_up,
        ),
        Self::three(
            "the third is asked, and answers as it is taken back",
            consult_and_cancel,
        ),
        Self::three(
            "while the third is asked, the one who asks hangs up",
            consult_and_give_up,
        ),
        Self::three(
            "while the third is asked, the one on hold hangs up",
            consult_and_leave,
        ),
        Self::three("while the third is asked, that one hangs up", consult_and_be_left),
        Self::three(
            "the two are to be connected, and one of them hangs up",
            connect_and_leave,
        ),
        Self::three(
            "the two are to be connected, and the other hangs up",
            connect_and_be_left,
        ),
        Self::three("two calls are swapped as the one on hold holds too", swap).of_two_calls(),
        Self::three("two calls are merged as one of them is left", merge_and_leave).of_conference(),
        Self::three("three talk, and one of them hangs up", conference_and_leave).of_conference(),
        Self::three("three talk, and the one who mixes leaves", leave_conference).of_conference(),
        Self::three("a call is pulled, and the INVITE is on its way", pull).of_devices(),
        Self::three("a call is pulled as its far end hangs up", pull_and_leave).of_devices(),
        Self::three("two devices pull a call at once", pull_twice).of_three_devices(),
        Self::three("a call is pushed as its far end hangs up", push_and_leave).of_devices(),
        Self::three(
            "a call is pushed, and taken as it is hung up here",
            push_and_give_up,
        )
        .of_devices(),
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

    const fn of_two_calls(mut self) -> Self {
        self.verbs = Verb::OF_TWO_CALLS;
        self
    }

    const fn of_conference(mut self) -> Self {
        self.verbs = Verb::OF_CONFERENCE;
        self
    }

    const fn of_devices(mut self) -> Self {
        self.parties = &["bob", "alice", "bob's tablet"];
        self.verbs = Verb::OF_MOVE;
        self
    }

    const fn of_three_devices(mut self) -> Self {
        self.parties = &["bob", "alice", "bob's tablet", "bob's telephone"];
        self.verbs = Verb::OF_MOVE;
        self
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

fn refer_and_leave(scene: &mut Scene) {
    refer(scene);
    command(scene, BOB, Verb::HangUp);
}

fn refer_and_give_up(scene: &mut Scene) {
    refer_and_ring(scene);
    command(scene, ALICE, Verb::HangUp);
    command(scene, CAROL, Verb::Answer);
}

fn consult_and_cancel(scene: &mut Scene) {
    talk(scene);
    command(scene, ALICE, Verb::Consult);
    scene.until(|scene| scene.state(CAROL) == Some(CallState::Incoming) && scene.is_quiet());
    command(scene, ALICE, Verb::CancelTransfer);
    command(scene, CAROL, Verb::Answer);
}

fn consult_and_give_up(scene: &mut Scene) {
    consult(scene);
    command(scene, ALICE, Verb::HangUp);
}

fn consult_and_leave(scene: &mut Scene) {
    consult(scene);
    command(scene, BOB, Verb::HangUp);
}

fn consult_and_be_left(scene: &mut Scene) {
    consult(scene);
    command(scene, CAROL, Verb::HangUp);
}

fn connect_and_leave(scene: &mut Scene) {
    connect(scene);
    command(scene, BOB, Verb::HangUp);
}

fn connect_and_be_left(scene: &mut Scene) {
    connect(scene);
    command(scene, CAROL, Verb::HangUp);
}

fn swap(scene: &mut Scene) {
    consult(scene);
    command(scene, ALICE, Verb::SwapTo);
    command(scene, BOB, Verb::Hold);
}

fn merge(scene: &mut Scene) {
    consult(scene);
    command(scene, ALICE, Verb::Merge);
}

fn merge_and_leave(scene: &mut Scene) {
    merge(scene);
    command(scene, CAROL, Verb::HangUp);
}

fn conference(scene: &mut Scene) {
    merge(scene);
    scene.until(|scene| scene.talk(&[ALICE, BOB, CAROL]));
}

fn conference_and_leave(scene: &mut Scene) {
    conference(scene);
    command(scene, CAROL, Verb::HangUp);
}

fn leave_conference(scene: &mut Scene) {
    conference(scene);
    command(scene, ALICE, Verb::LeaveConference);
}

fn pull(scene: &mut Scene) {
    talk_on_one_device(scene);
    take_over(scene, TABLET);
}

fn pull_and_leave(scene: &mut Scene) {
    pull(scene);
    command(scene, FAR_END, Verb::HangUp);
}

fn pull_twice(scene: &mut Scene) {
    pull(scene);
    take_over(scene, TELEPHONE);
}

fn push(scene: &mut Scene) {
    talk_on_one_device(scene);
    command(scene, DEVICE, Verb::Push);
    scene.until(|scene| scene.arrives_next("REFER"));
}

fn push_and_leave(scene: &mut Scene) {
    push(scene);
    command(scene, FAR_END, Verb::HangUp);
}

fn push_and_give_up(scene: &mut Scene) {
    push(scene);
    scene.until(|scene| scene.state(TABLET) == Some(CallState::Incoming));
    command(scene, DEVICE, Verb::HangUp);
    command(scene, TABLET, Verb::Answer);
}

// --- steps ---------------------------------------------------------------------------------------------------------

fn dial(scene: &mut Scene) {
    call(scene, ALICE, "bob");
}

fn call(scene: &mut Scene, party: usize, target: &str) {
    let call = Command::Call {
        id: CallId(1),
        target: address(target),
        options: CallOptions::default(),
    };
    scene.must(|scene| scene.apply(party, call));
}

fn talk(scene: &mut Scene) {
    answer(scene);
    scene.until(|scene| scene.talk(&[ALICE, BOB]));
}

/// Bob calls alice, and his other devices are told of it.
fn talk_on_one_device(scene: &mut Scene) {
    call(scene, DEVICE, "alice");
    scene.until(|scene| scene.state(FAR_END) == Some(CallState::Incoming));
    command(scene, FAR_END, Verb::Answer);
    scene.until(|scene| scene.arrives_next("ACK"));
    let ack = scene.next_to_arrive("ACK");
    scene.dialogs = Arc::new(ack.as_ref().and_then(confirmed).into_iter().collect());
    for device in TABLET..scene.parties.len() {
        scene.join(device);
    }
    scene.until(|scene| scene.talk(&[DEVICE, FAR_END]));
}

/// A device pulls the call, and its INVITE is on its way.
fn take_over(scene: &mut Scene, device: usize) {
    let Some(remote) = scene.parties[device].remote_call() else {
        panic!("{} is not told of the call", scene.parties[device].name);
    };
    let pull = Command::Pull {
        id: CallId(1),
        remote,
    };
    scene.must(|scene| scene.apply(device, pull));
}

fn command(scene: &mut Scene, party: usize, verb: Verb) {
    scene.must(|scene| scene.command(party, 0, verb));
}
