//! What ladders share: running in every world, the words they are told in, and the end they all have.
//!
//! A ladder is a function of a [`World`]; [`ladders!`](crate::ladders) makes one test of it per platform. Whatever it
//! does, everyone hangs up in the end and nothing is left anywhere.
#![forbid(unsafe_code)]

use clearline_core::Duration;
pub use clearline_sim;
use clearline_sim::{CallId, CallState, DeviceId, EndCause, PlatformKind, World};

/// One test per platform for each function of a `&mut World`: `ladders! { 1: the_caller_gives_up, nobody_answers }`.
/// The number is the seed.
#[macro_export]
macro_rules! ladders {
    ($seed:literal: $($name:ident),* $(,)?) => {
        $crate::ladders!(@in proxy 0 $seed $($name)*);
        $crate::ladders!(@in asterisk 1 $seed $($name)*);
        $crate::ladders!(@in freeswitch 2 $seed $($name)*);
        $crate::ladders!(@in openscape 3 $seed $($name)*);
    };
    (@in $world:ident $kind:literal $seed:literal $($name:ident)*) => {
        mod $world {
            $(
                #[test]
                fn $name() {
                    $crate::run($kind, $seed, super::$name);
                }
            )*
        }
    };
}

/// Runs a ladder in one world, to the end.
pub fn run(kind: usize, seed: u8, ladder: impl FnOnce(&mut World)) {
    let mut world = World::of(PlatformKind::ALL[kind], seed);
    ladder(&mut world);
    world.finish();
}

/// So many seconds.
pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// So many milliseconds.
pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Why a call has ended, if it has.
pub fn ended(world: &World, device: DeviceId, call: CallId) -> Option<EndCause> {
    world.info(device, call).end.as_ref().map(|end| end.cause)
}

/// Waits until two hear each other.
#[track_caller]
pub fn talking(world: &mut World, a: DeviceId, b: DeviceId) {
    world.until("both hear each other", |world| {
        world.hears(a, b) && world.hears(b, a)
    });
}

/// Waits until neither hears the other.
#[track_caller]
pub fn silent(world: &mut World, a: DeviceId, b: DeviceId) {
    world.until("neither hears the other", |world| {
        !world.hears(a, b) && !world.hears(b, a)
    });
}

/// Waits until a call has ended.
#[track_caller]
pub fn until_ended(world: &mut World, device: DeviceId, call: CallId) {
    world.until("the call has ended", |world| {
        world.state(device, call) == CallState::Ended
    });
}

/// Waits until a device is registered.
#[track_caller]
pub fn until_registered(world: &mut World, device: DeviceId) {
    world.until("the device is registered", |world| world.is_registered(device));
}

/// Holds or resumes, and waits until that is negotiated.
#[track_caller]
pub fn set_hold(world: &mut World, device: DeviceId, call: CallId, hold: bool) {
    world.perform(device, |agent, now| {
        let mut call = agent.call_handle(now, call)?;
        if hold { call.hold() } else { call.resume() }
    });
}

/// Asks for hold or resume, and does not wait.
#[track_caller]
pub fn ask_hold(world: &mut World, device: DeviceId, call: CallId, hold: bool) {
    let accepted = world.begin(device, |agent, now| {
        let mut call = agent.call_handle(now, call)?;
        if hold { call.hold() } else { call.resume() }
    });
    world.expect(
        &format!("hold or resume is accepted, not {accepted:?}"),
        accepted.is_ok(),
    );
}
