//! Figures of the simulation as tables in git: a change of behaviour shows as their difference.
//!
//! `UPDATE_TABLES=1 cargo test -p clearline-sim --test tables` writes them anew.

use std::path::Path;

use clearline_core::{Duration, Environment, Instant};
use clearline_sim::{DeviceId, Effect, Link, World};

/// One way, in milliseconds.
const DELAYS: [u64; 5] = [5, 25, 75, 150, 400];
/// Of a hundred segments, each way.
const LOSSES: [u8; 5] = [0, 1, 5, 10, 20];
/// Of which the median and the worst are shown.
const RUNS: u8 = 15;

/// What a change of the network costs.
struct Recovery {
    registered: Duration,
    renegotiated: Duration,
}

fn until(world: &mut World, since: Instant, is_so: impl Fn(&World) -> bool) -> Duration {
    world.within(Duration::from_secs(300), "the device is back", is_so);
    world.now() - since
}

fn answers(world: &World) -> usize {
    world.messages("bob/2      <- 200 OK (INVITE)") + world.messages("bob/2      <- 200 OK (UPDATE)")
}

/// Bob's socket breaks in a call, and his new network is like this.
fn change_network(delay: u64, loss: u8, seed: u8) -> Recovery {
    let mut world = World::new(seed);
    let (alice, bob) = (world.phone("alice"), world.phone("bob"));
    world.connect(alice, bob, "102");
    world.pass(Duration::from_secs(1));
    let link = Link::new()
        .with(Effect::Delay(Duration::from_millis(delay)))
        .with(Effect::Loss(loss));
    world.set_link(bob, link);
    let since = world.now();
    let known = answers(&world);
    world.drop_connections(bob);
    world.environment(bob, Environment::NetworkChanged);
    world.pass(Duration::from_millis(1));
    let registered = until(&mut world, since, |world| world.is_registered(bob));
    let renegotiated = until(&mut world, since, |world| {
        answers(world) > known && is_settled(world, bob)
    });
    Recovery {
        registered,
        renegotiated,
    }
}

fn is_settled(world: &World, device: DeviceId) -> bool {
    world.agent(device).calls().all(|call| !call.negotiating)
}

fn median_and_worst(mut times: Vec<Duration>) -> String {
    times.sort();
    let median = times[times.len() / 2].as_secs_f64();
    let worst = times.last().map_or(0.0, Duration::as_secs_f64);
    format!("{median:.2} / {worst:.2}")
}

fn table(title: &str, value: impl Fn(&Recovery) -> Duration, runs: &[Vec<Vec<Recovery>>]) -> String {
    let heads: Vec<_> = LOSSES.iter().map(|loss| format!("{loss} % lost")).collect();
    let mut text = format!("## {title}\n\n| one way | {} |\n", heads.join(" | "));
    text.push_str(&format!("|---:|{}\n", "---:|".repeat(LOSSES.len())));
    for (delay, row) in DELAYS.iter().zip(runs) {
        let cells: Vec<_> = row
            .iter()
            .map(|cell| median_and_worst(cell.iter().map(&value).collect()))
            .collect();
        text.push_str(&format!("| {delay} ms | {} |\n", cells.join(" | ")));
    }
    text
}

#[test]
fn reconnect() {
    let runs: Vec<Vec<Vec<Recovery>>> = DELAYS
        .iter()
        .map(|delay| {
            let cell = |loss: &u8| {
                (0..RUNS)
                    .map(|seed| change_network(*delay, *loss, seed))
                    .collect()
            };
            LOSSES.iter().map(cell).collect()
        })
        .collect();
    let text = format!(
        "# After a change of the network in a call\n\n\
         Seconds, median / worst of {RUNS} runs, from the break of the socket, on our platform. Lost segments are sent \
         again by the stream.\nMade by `UPDATE_TABLES=1 cargo test -p clearline-sim --test tables`.\n\n{}\n{}",
        table("Until the device is registered again", |it| it.registered, &runs),
        table("Until its dialog is negotiated anew", |it| it.renegotiated, &runs),
    );
    compare("reconnect.md", &text);
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables").join(name);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is not what the simulation gives:\n{text}");
}
