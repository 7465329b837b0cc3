//! Conferences of the platform, with the focus itself in the world: who meets there, and what becomes of everybody whatever
//! happens on the way. Whoever has a call in the end hears somebody in it, unless it is on hold.

use clearline_core::EndCause;
use clearline_scenarios::{millis, run, seconds, set_hold, silent, talking, until_ended, until_registered};
use clearline_sim::{CallId, CallState, DeviceId, World};

/// Alice's calls to Bob, who is held, and to Carol; and theirs.
struct Three {
    alice: DeviceId,
    bob: DeviceId,
    carol: DeviceId,
    to_bob: CallId,
    to_carol: CallId,
    at_bob: CallId,
    at_carol: CallId,
}

impl Three {
    fn new(world: &mut World) -> Self {
        let factory = world.offer_conferences();
        let alice = world.phone_with("alice", |config| config.conference_factory = Some(factory));
        let (bob, carol) = (world.phone("bob"), world.phone("carol"));
        let (to_bob, at_bob) = world.connect(alice, bob, "102");
        set_hold(world, alice, to_bob, true);
        let (to_carol, at_carol) = world.connect(alice, carol, "103");
        Self {
            alice,
            bob,
            carol,
            to_bob,
            to_carol,
            at_bob,
            at_carol,
        }
    }

    fn begin(&self, world: &mut World) {
        let merge = world.begin(self.alice, |agent, now| {
            agent.merge(now, self.to_bob, self.to_carol)
        });
        world.expect(&format!("the merge is accepted: {merge:?}"), merge.is_ok());
    }

    /// All in the conference; Alice's call that leads there.
    fn meeting(world: &mut World) -> (Self, CallId) {
        let it = Self::new(world);
        world.perform(it.alice, |agent, now| agent.merge(now, it.to_bob, it.to_carol));
        it.all_hear(world);
        let room = room_of(world, it.alice).expect("a call that leads there");
        (it, room)
    }

    fn all(&self) -> [DeviceId; 3] {
        [self.alice, self.bob, self.carol]
    }

    fn all_hear(&self, world: &mut World) {
        let all = self.all();
        world.until("everybody hears everybody else", |world| {
            let mut pairs = all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b)));
            pairs.all(|(a, b)| world.hears(a, b) == (a != b))
        });
    }

    /// And Alice speaks with one of the others at least.
    fn goes_on(&self, world: &World, when: &str) {
        self.nobody_is_alone(world, when);
        let mut others = [self.bob, self.carol].into_iter();
        let is_heard = others.any(|other| world.hears(self.alice, other) && world.hears(other, self.alice));
        world.expect(&format!("{when}: alice speaks with somebody"), is_heard);
    }

    /// Whoever still speaks with anybody is heard by somebody, and nobody waits for a command.
    fn nobody_is_alone(&self, world: &World, when: &str) {
        for device in self.all() {
            let name = world.device_name(device);
            world.expect(
                &format!("{when}: no command of {name} is open"),
                world.pending_operations(device) == 0,
            );
            let mut calls = world.agent(device).calls();
            let speaks =
                calls.any(|call| call.state == CallState::Active && !call.local_hold && !call.remote_hold);
            let mut others = self.all().into_iter().filter(|other| *other != device);
            let is_heard = others.any(|other| world.hears(device, other) && world.hears(other, device));
            world.expect(&format!("{when}: {name} is not alone"), !speaks || is_heard);
        }
    }
}

/// In a world of its own for each moment on the way of a merge, `disturb` it there.
fn at_any_moment(disturb: impl Fn(&Three, &mut World), judge: impl Fn(&Three, &World, &str)) {
    for after in (0..480).step_by(20) {
        run(0, 7, |world| {
            let it = Three::new(world);
            it.begin(world);
            world.pass(millis(after));
            disturb(&it, world);
            world.pass(seconds(45));
            judge(&it, world, &format!("after {after} ms"));
        });
    }
}

/// A device's call that leads to a conference.
fn room_of(world: &World, device: DeviceId) -> Option<CallId> {
    let mut calls = world.agent(device).calls();
    calls.find(|call| call.focus).map(|call| call.id)
}

fn shown(world: &World, device: DeviceId) -> Vec<String> {
    let mut calls = world.agent(device).calls();
    let room = calls.find(|call| call.focus && call.state == CallState::Active);
    let participants = room.map(|call| call.participants.clone()).unwrap_or_default();
    let mut names: Vec<_> = participants.into_iter().map(|it| it.identity.user).collect();
    names.sort();
    names
}

fn until_shown(world: &mut World, device: DeviceId, names: &[&str]) {
    world.until(&format!("{names:?} are shown"), |world| {
        shown(world, device) == names
    });
}

// --- meeting ---------------------------------------------------------------------------------------------------------

#[test]
fn both_calls_move_and_all_hear_each_other() {
    run(0, 5, |world| {
        let (it, room) = Three::meeting(world);
        for call in [it.to_bob, it.to_carol] {
            until_ended(world, it.alice, call);
            let end = world.info(it.alice, call).end.as_ref();
            assert_eq!(end.map(|end| end.cause), Some(EndCause::MovedToConference));
        }
        // Theirs go on: they have not lost anything.
        assert_eq!(world.state(it.bob, it.at_bob), CallState::Active);
        assert_eq!(world.state(it.carol, it.at_carol), CallState::Active);
        assert!(world.info(it.alice, room).conference.is_none());
        for device in it.all() {
            until_shown(world, device, &["alice", "bob", "carol"]);
        }
    });
}

#[test]
fn who_has_made_it_leaves_and_the_others_go_on() {
    run(0, 5, |world| {
        let (it, room) = Three::meeting(world);
        world.hang_up(it.alice, room);
        talking(world, it.bob, it.carol);
        silent(world, it.alice, it.bob);
        until_shown(world, it.bob, &["bob", "carol"]);
        // Somebody has to be able to.
        world.until("everybody may send others away", |world| {
            let participants = &world.info(it.bob, it.at_bob).participants;
            participants.iter().all(|who| who.is_moderator)
        });
    });
}

#[test]
fn somebody_is_sent_away_and_brought_back() {
    run(0, 5, |world| {
        let (it, room) = Three::meeting(world);
        until_shown(world, it.alice, &["alice", "bob", "carol"]);
        world.perform(it.alice, |agent, now| {
            agent.remove_participant(now, room, "sip:carol@clearline.localhost")
        });
        until_ended(world, it.carol, it.at_carol);
        talking(world, it.alice, it.bob);
        let added = world.begin(it.alice, |agent, now| agent.add_participant(now, room, "103"));
        let again = world.incoming(it.carol);
        until_shown(world, it.alice, &["alice", "bob", "carol"]);
        world.answer(it.carol, again);
        it.all_hear(world);
        let added = added.expect("the command is accepted");
        world.until("the command has ended", |world| {
            world.result(it.alice, added) == Some(&Ok(()))
        });
    });
}

#[test]
fn who_holds_is_not_heard_and_nobody_hears_music() {
    run(0, 5, |world| {
        let (it, room) = Three::meeting(world);
        set_hold(world, it.alice, room, true);
        silent(world, it.alice, it.bob);
        talking(world, it.bob, it.carol);
        set_hold(world, it.alice, room, false);
        it.all_hear(world);
    });
}

#[test]
fn a_party_that_may_not_is_refused() {
    run(0, 5, |world| {
        let (it, _) = Three::meeting(world);
        until_shown(world, it.bob, &["alice", "bob", "carol"]);
        let participants = &world.info(it.bob, it.at_bob).participants;
        assert!(
            participants
                .iter()
                .all(|who| who.is_moderator == (who.identity.user == "alice"))
        );
        let result = world.attempt(it.bob, |agent, now| {
            agent.remove_participant(now, it.at_bob, "sip:carol@clearline.localhost")
        });
        let is_refused = matches!(
            result,
            Err(clearline_core::OperationError::Refused { status: 403, .. })
        );
        world.expect(&format!("refused, not {result:?}"), is_refused);
        it.all_hear(world);
    });
}

// --- whatever happens on the way ------------------------------------------------------------------------------------

#[test]
fn a_party_hangs_up_at_any_moment() {
    at_any_moment(
        |it, world| {
            let calls: Vec<_> = world.agent(it.bob).calls().map(|call| call.id).collect();
            for call in calls {
                let _ = world.begin(it.bob, |agent, now| agent.call_handle(now, call)?.hang_up());
            }
        },
        |it, world, when| {
            it.nobody_is_alone(world, when);
            world.expect(&format!("{when}: bob is gone"), !world.hears(it.alice, it.bob));
            let together = world.hears(it.alice, it.carol) && world.hears(it.carol, it.alice);
            world.expect(&format!("{when}: alice and carol speak"), together);
        },
    );
}

#[test]
fn the_one_who_merges_loses_the_connection_at_any_moment() {
    at_any_moment(
        |it, world| {
            world.cut(it.alice);
            world.pass(seconds(3));
            world.mend(it.alice);
            until_registered(world, it.alice);
        },
        |it, world, when| it.goes_on(world, when),
    );
}

#[test]
fn a_party_loses_the_connection_at_any_moment() {
    at_any_moment(
        |it, world| {
            world.cut(it.carol);
            world.pass(seconds(3));
            world.mend(it.carol);
            until_registered(world, it.carol);
        },
        |it, world, when| it.goes_on(world, when),
    );
}

#[test]
fn the_one_who_merges_is_restarted_at_any_moment() {
    at_any_moment(
        |it, world| world.restart(it.alice),
        |it, world, when| it.goes_on(world, when),
    );
}

#[test]
fn the_one_who_merges_gives_up_at_any_moment() {
    at_any_moment(
        |it, world| {
            if let Some(room) = room_of(world, it.alice) {
                let _ = world.begin(it.alice, |agent, now| agent.call_handle(now, room)?.hang_up());
            }
        },
        |it, world, when| it.nobody_is_alone(world, when),
    );
}
