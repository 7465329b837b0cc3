//! An agent: instructions for a complete call, bytes while idle and in a call.

use std::hint::black_box;

use clearline_bench::world::{Phone, exchange};
use clearline_bench::{grouped, instructions_each};
use clearline_core::{CallId, Duration, Instant};
use clearline_counting::{Cost, Counting, count};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    match std::env::args().nth(1) {
        Some(count) => calls(count.parse().unwrap_or(0)),
        None => report(),
    }
}

/// Calls from INVITE to BYE between two agents; what valgrind watches.
fn calls(count: u64) {
    let mut now = Instant::from_secs(1_000);
    let (mut alice, mut bob) = (phone("alice", 1, now), phone("bob", 2, now));
    for id in 1..=count {
        begin(&mut alice, &mut bob, CallId(id), now);
        end(&mut alice, &mut bob, CallId(id), now);
        // Transactions end after 32 s (RFC 3261 section 17, 64*T1): else they would pile up, which no telephone does.
        pass(&mut alice, &mut bob, &mut now, Duration::from_secs(40));
    }
    black_box((alice.agent, bob.agent));
}

fn phone(user: &str, seed: u8, now: Instant) -> Phone {
    Phone::new(user, seed, false, now)
}

fn begin(alice: &mut Phone, bob: &mut Phone, id: CallId, now: Instant) {
    alice.call(now, id, "bob");
    exchange(alice, bob, now);
    bob.answer(now);
    exchange(alice, bob, now);
    assert!(alice.is_talking() && bob.is_talking(), "the call is answered");
}

fn end(alice: &mut Phone, bob: &mut Phone, id: CallId, now: Instant) {
    alice.hang_up(now, id);
    exchange(alice, bob, now);
    assert!(!alice.is_talking() && !bob.is_talking(), "the call is over");
}

/// Keep-alives are part of the time that passes; their answers are not of interest.
fn pass(alice: &mut Phone, bob: &mut Phone, now: &mut Instant, span: Duration) {
    let start = *now;
    for second in 0..span.as_secs() {
        let mut at = start + Duration::from_secs(second);
        alice.pass(&mut at, Duration::from_secs(1));
        at = start + Duration::from_secs(second);
        bob.pass(&mut at, Duration::from_secs(1));
        exchange(alice, bob, at);
    }
    *now = start + span;
}

fn report() {
    let instructions = instructions_each(|count| vec![count.to_owned()]);
    let mut now = Instant::from_secs(1_000);
    let (mut alice, idle) = count(|| phone("alice", 1, now));
    let mut bob = phone("bob", 2, now);
    pass(&mut alice, &mut bob, &mut now, Duration::from_secs(60));
    let ((), fresh) = count(|| begin(&mut alice, &mut bob, CallId(1), now));
    let ((), settled) = count(|| pass(&mut alice, &mut bob, &mut now, Duration::from_secs(40)));
    let ((), ended) = count(|| {
        end(&mut alice, &mut bob, CallId(1), now);
        pass(&mut alice, &mut bob, &mut now, Duration::from_secs(40));
    });
    let ((), later) = count(|| {
        for id in 2..=201 {
            begin(&mut alice, &mut bob, CallId(id), now);
            end(&mut alice, &mut bob, CallId(id), now);
            pass(&mut alice, &mut bob, &mut now, Duration::from_secs(40));
        }
    });
    let half = |cost: Cost| cost.kept_bytes / 2;
    let table = format!(
        "| what | figure |\n|---|---|\n\
         | instructions of a complete call, INVITE to BYE, both agents, with the 40 s after it | {} |\n\
         | allocations to set a call up, both agents | {} |\n\
         | bytes of an idle agent | {} |\n\
         | bytes more in a call just answered | {} |\n\
         | bytes more in a call 40 s later | {} |\n\
         | bytes left of the first call 40 s after its end: room that the next one uses | {} |\n\
         | bytes left of 200 more calls | {} |\n",
        instructions.map_or("no valgrind".to_owned(), grouped),
        fresh.allocations,
        idle.kept_bytes,
        half(fresh),
        half(fresh) + half(settled),
        half(fresh) + half(settled) + half(ended),
        half(later),
    );
    println!("{table}");
    clearline_bench::keep_table("agent.md", &table);
}
