//! A conference of a device: whoever is part of it hears everybody else, and nobody himself.

use clearline_core::sip::UriBuf;
use clearline_core::{MediaErrorKind, OperationError, OperationId};
use clearline_scenarios::{
    ask_hold, ladders, millis, seconds, set_hold, silent, talking, until_ended, until_registered,
};
use clearline_sim::{CallId, CallState, DeviceId, World};

ladders! { 6:
    three_hear_each_other,
    a_split_and_a_second_merge,
    whoever_hangs_up_leaves_the_others_talking,
    the_one_who_mixes_leaves_and_all_is_over,
    hold_and_resume_in_a_conference,
    a_party_that_holds_is_not_heard,
    a_merge_at_any_moment_ends_one_way_or_the_other,
    the_mix_outlives_a_cut_of_the_one_who_mixes,
    the_mix_outlives_a_cut_of_a_party,
    the_mix_outlives_a_restart,
    moved_media_stay_mixed,
    a_mix_that_cannot_be_had_leaves_the_call_held,
    a_platform_without_a_focus_is_done_without,
    a_factory_that_cannot_be_called_is_done_without,
}

/// Alice mixes: her calls to Bob, and to Carol, and theirs.
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
    /// Bob is held, Carol talks.
    fn new(world: &mut World) -> Self {
        let alice = world.phone("alice");
        Self::with(world, alice)
    }

    /// The same on a platform that is said to make conferences, and does not.
    fn with_factory(world: &mut World) -> Self {
        let alice = world.phone_with("alice", |config| {
            config.conference_factory = UriBuf::parse("sip:conference@clearline.localhost").ok();
        });
        Self::with(world, alice)
    }

    fn with(world: &mut World, alice: DeviceId) -> Self {
        let (bob, carol) = (world.phone("bob"), world.phone("carol"));
        let (to_bob, at_bob) = world.connect(alice, bob, "102");
        set_hold(world, alice, to_bob, true);
        let to_carol = world.call(alice, "103");
        let at_carol = world.incoming(carol);
        world.answer(carol, at_carol);
        talking(world, alice, carol);
        silent(world, alice, bob);
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

    fn in_conference(world: &mut World) -> Self {
        let it = Self::new(world);
        it.merge(world);
        it.all_hear(world);
        it
    }

    fn merge(&self, world: &mut World) {
        world.perform(self.alice, |agent, now| {
            agent.merge(now, self.to_carol, self.to_bob)
        });
    }

    fn begin_merge(&self, world: &mut World) -> OperationId {
        let merge = world.begin(self.alice, |agent, now| {
            agent.merge(now, self.to_bob, self.to_carol)
        });
        world.expect(&format!("the merge is accepted: {merge:?}"), merge.is_ok());
        merge.unwrap_or(OperationId(0))
    }

    fn all_hear(&self, world: &mut World) {
        let all = [self.alice, self.bob, self.carol];
        world.until("everybody hears everybody else", |world| {
            let mut pairs = all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b)));
            pairs.all(|(a, b)| world.hears(a, b) == (a != b))
        });
    }

    fn are_apart(&self, world: &World) -> bool {
        let own = [self.to_bob, self.to_carol];
        let alone = own
            .iter()
            .all(|call| world.info(self.alice, *call).conference.is_none());
        alone && !world.hears(self.bob, self.carol) && !world.hears(self.carol, self.bob)
    }
}

fn three_hear_each_other(world: &mut World) {
    let it = Three::in_conference(world);
    let id = world.info(it.alice, it.to_bob).conference;
    assert!(id.is_some() && id == world.info(it.alice, it.to_carol).conference);
}

fn a_split_and_a_second_merge(world: &mut World) {
    let it = Three::in_conference(world);
    for (with, party, other) in [(it.to_bob, it.bob, it.carol), (it.to_carol, it.carol, it.bob)] {
        world.perform(it.alice, |agent, now| agent.split(now, with));
        talking(world, it.alice, party);
        silent(world, it.alice, other);
        world.expect("two calls of their own", it.are_apart(world));
        it.merge(world);
        it.all_hear(world);
    }
}

fn whoever_hangs_up_leaves_the_others_talking(world: &mut World) {
    let it = Three::in_conference(world);
    world.hang_up(it.bob, it.at_bob);
    until_ended(world, it.alice, it.to_bob);
    talking(world, it.alice, it.carol);
    world.expect("an ordinary call is left", it.are_apart(world));
    set_hold(world, it.alice, it.to_carol, true);
    silent(world, it.alice, it.carol);
}

fn the_one_who_mixes_leaves_and_all_is_over(world: &mut World) {
    let it = Three::in_conference(world);
    world.hang_up(it.alice, it.to_bob);
    world.hang_up(it.alice, it.to_carol);
    until_ended(world, it.bob, it.at_bob);
    until_ended(world, it.carol, it.at_carol);
}

fn hold_and_resume_in_a_conference(world: &mut World) {
    let it = Three::in_conference(world);
    for (call, party, other) in [(it.to_bob, it.bob, it.carol), (it.to_carol, it.carol, it.bob)] {
        set_hold(world, it.alice, call, true);
        silent(world, it.alice, party);
        silent(world, party, other);
        talking(world, it.alice, other);
        set_hold(world, it.alice, call, false);
        it.all_hear(world);
    }
}

fn a_party_that_holds_is_not_heard(world: &mut World) {
    let it = Three::in_conference(world);
    set_hold(world, it.bob, it.at_bob, true);
    silent(world, it.bob, it.carol);
    talking(world, it.alice, it.carol);
    set_hold(world, it.bob, it.at_bob, false);
    it.all_hear(world);
}

fn a_merge_at_any_moment_ends_one_way_or_the_other(world: &mut World) {
    let it = Three::new(world);
    for after in (0..400).step_by(20) {
        let merge = it.begin_merge(world);
        world.pass(millis(after));
        ask_hold(world, it.alice, it.to_bob, true);
        world.until("both have ended", |world| world.pending_operations(it.alice) == 0);
        let merged = world.result(it.alice, merge) == Some(&Ok(()));
        let overtaken = world.result(it.alice, merge) == Some(&Err(OperationError::Superseded));
        world.expect("merged or overtaken", merged || overtaken);
        silent(world, it.alice, it.bob);
        talking(world, it.alice, it.carol);
        if merged {
            world.perform(it.alice, |agent, now| agent.split(now, it.to_carol));
        }
        world.until("everything is as before", |world| it.are_apart(world));
    }
}

fn the_mix_outlives_a_cut_of_the_one_who_mixes(world: &mut World) {
    let it = Three::in_conference(world);
    world.cut(it.alice);
    world.pass(seconds(3));
    world.mend(it.alice);
    until_registered(world, it.alice);
    it.all_hear(world);
}

fn the_mix_outlives_a_cut_of_a_party(world: &mut World) {
    let it = Three::in_conference(world);
    world.cut(it.bob);
    world.pass(seconds(3));
    world.mend(it.bob);
    until_registered(world, it.bob);
    it.all_hear(world);
}

fn the_mix_outlives_a_restart(world: &mut World) {
    let it = Three::in_conference(world);
    world.restart(it.alice);
    it.all_hear(world);
}

fn moved_media_stay_mixed(world: &mut World) {
    let it = Three::in_conference(world);
    for call in [it.to_bob, it.to_carol] {
        world.perform(it.alice, |agent, now| agent.call_handle(now, call)?.move_media());
        it.all_hear(world);
    }
}

fn a_mix_that_cannot_be_had_leaves_the_call_held(world: &mut World) {
    let it = Three::new(world);
    world.fail_media(it.alice, MediaErrorKind::Failed);
    let merge = it.begin_merge(world);
    world.until("it has failed", |world| {
        matches!(world.result(it.alice, merge), Some(Err(OperationError::Media(_))))
    });
    world.expect("everything is as before", it.are_apart(world));
    assert!(world.info(it.alice, it.to_bob).local_hold);
    assert_eq!(world.state(it.bob, it.at_bob), CallState::Active);
    talking(world, it.alice, it.carol);
}

fn a_platform_without_a_focus_is_done_without(world: &mut World) {
    let it = Three::with_factory(world);
    it.merge(world);
    it.all_hear(world);
    world.perform(it.alice, |agent, now| agent.split(now, it.to_bob));
    talking(world, it.alice, it.bob);
    silent(world, it.alice, it.carol);
    it.merge(world);
    it.all_hear(world);
}

fn a_factory_that_cannot_be_called_is_done_without(world: &mut World) {
    let it = Three::with_factory(world);
    world.fail_media(it.alice, MediaErrorKind::Failed);
    it.merge(world);
    it.all_hear(world);
}
