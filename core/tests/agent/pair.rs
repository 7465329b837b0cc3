//! Two agents and the wire between them, in every order in which their messages and commands can meet.
//!
//! An agent can be cloned, so all interleavings of a few commands with the messages they lead to are walked through;
//! at the end of each, both sides must agree on what they have.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::VecDeque;

use clearline_core::sip::{Message, UriBuf};
use clearline_core::{CallId, CallInfo, CallState, Config, Instant, UserAgent};

use crate::ladder::{CALL, Ladder};

/// Interleavings per test; the walk fails rather than being cut short without notice.
const LIMIT: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Answer,
    HangUp,
    Hold,
    Resume,
    MoveMedia,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A command on a side.
    Command(usize, Command),
    /// The oldest message on its way to a side arrives.
    Arrival(usize),
}

/// Caller and callee, who has the call under another id.
#[derive(Clone)]
struct Pair {
    sides: [Ladder; 2],
    /// Messages on their way to a side.
    wires: [VecDeque<Message>; 2],
    plans: [VecDeque<Command>; 2],
    path: Vec<Step>,
}

fn side(user: &str, seed: u8) -> Ladder {
    let address = UriBuf::parse(format!("sip:{user}@example.com")).unwrap();
    let mut config = Config::new(address, "wss://example.com/sip", "urn:uuid:0");
    config.register = false;
    let agent = UserAgent::new(config, [seed; 32]);
    let mut ladder = Ladder::of(agent, Instant::from_secs(1_000));
    ladder.start();
    ladder.connect();
    ladder
}

impl Pair {
    /// Two agents; the caller has dialled and the callee is still at rest.
    fn dialled() -> Self {
        let mut pair = Self {
            sides: [side("alice", 1), side("bob", 2)],
            wires: Default::default(),
            plans: Default::default(),
            path: Vec::new(),
        };
        pair.sides[0].dial(CALL, "bob");
        pair.collect();
        pair
    }

    /// Two agents in a call.
    fn talking() -> Self {
        let mut pair = Self::dialled();
        pair.settle();
        pair.plans[1].push_back(Command::Answer);
        pair.take(Step::Command(1, Command::Answer));
        pair.settle();
        assert!(pair.infos().iter().all(|info| info.state == CallState::Active));
        pair.path.clear();
        pair
    }

    fn plan(mut self, caller: &[Command], callee: &[Command]) -> Self {
        self.plans = [caller.iter().copied().collect(), callee.iter().copied().collect()];
        self
    }

    fn steps(&self) -> Vec<Step> {
        let commands = (0..2).filter_map(|side| {
            let command = *self.plans[side].front()?;
            let ready = command != Command::Answer || self.call_of(side).is_some();
            ready.then_some(Step::Command(side, command))
        });
        let arrivals = (0..2)
            .filter(|side| !self.wires[*side].is_empty())
            .map(Step::Arrival);
        commands.chain(arrivals).collect()
    }

    fn take(&mut self, step: Step) {
        self.path.push(step);
        match step {
            Step::Command(side, command) => {
                self.plans[side].pop_front();
                if let Some(id) = self.call_of(side) {
                    // A command may come too late; then it is refused, which is no matter here.
                    let _ = self.sides[side].command(id, |call| match command {
                        Command::Answer => call.answer(),
                        Command::HangUp => call.hang_up(),
                        Command::Hold => call.hold(),
                        Command::Resume => call.resume(),
                        Command::MoveMedia => call.move_media(),
                    });
                }
            }
            Step::Arrival(side) => {
                if let Some(message) = self.wires[side].pop_front() {
                    self.sides[side].receive(&message);
                }
            }
        }
        self.collect();
    }

    fn collect(&mut self) {
        for side in 0..2 {
            let sent = self.sides[side].take_sent();
            self.wires[1 - side].extend(sent.into_iter().map(|(_, message)| message));
        }
    }

    /// Lets everything on the wire arrive, and time pass until the pauses after glare are over.
    fn settle(&mut self) {
        for _ in 0..400 {
            while let Some(step) = [0, 1]
                .into_iter()
                .find(|side| !self.wires[*side].is_empty())
                .map(Step::Arrival)
            {
                self.take(step);
            }
            for ladder in &mut self.sides {
                ladder.pass(0.1);
            }
            self.collect();
        }
        self.path.clear();
    }

    fn call_of(&self, side: usize) -> Option<CallId> {
        self.sides[side].agent.calls().next().map(|call| call.id)
    }

    fn infos(&self) -> Vec<&CallInfo> {
        self.sides
            .iter()
            .filter_map(|ladder| ladder.agent.calls().next())
            .collect()
    }

    /// Both sides have the same idea of the call.
    fn assert_agreement(&self, path: &[Step]) {
        match self.infos()[..] {
            [] => {
                for ladder in &self.sides {
                    assert_eq!(ladder.media.open_sessions(), [], "{path:?}");
                }
            }
            [caller, callee] => {
                assert_eq!(caller.state, CallState::Active, "{path:?}");
                assert_eq!(callee.state, CallState::Active, "{path:?}");
                for (own, other) in [(caller, callee), (callee, caller)] {
                    // Who holds cannot tell whether an answer of `inactive` holds too, or only follows.
                    let is_known = own.remote_hold == other.local_hold || own.local_hold;
                    assert!(is_known, "{path:?}");
                }
                assert!(!caller.negotiating && !callee.negotiating, "{path:?}");
                for ladder in &self.sides {
                    assert!(ladder.media.is_stable(ladder.session()), "{path:?}");
                }
            }
            _ => panic!("one side has a call, the other has not: {path:?}"),
        }
        for ladder in &self.sides {
            assert!(ladder.unfinished().is_empty(), "{path:?}");
        }
    }
}

/// Walks through every interleaving; `check` sees each pair at its end.
fn walk(start: Pair, check: impl Fn(&Pair, &[Step])) -> usize {
    let mut ends = 0;
    let mut open = vec![start];
    while let Some(pair) = open.pop() {
        let steps = pair.steps();
        if steps.is_empty() {
            ends += 1;
            assert!(ends < LIMIT, "too many interleavings");
            let mut end = pair;
            let path = std::mem::take(&mut end.path);
            end.settle();
            end.assert_agreement(&path);
            check(&end, &path);
            continue;
        }
        for step in steps {
            let mut next = pair.clone();
            next.take(step);
            open.push(next);
        }
    }
    ends
}

fn is_over(pair: &Pair) -> bool {
    pair.infos().is_empty()
}

#[test]
fn hold_against_hold() {
    let ends = walk(
        Pair::talking().plan(&[Command::Hold], &[Command::Hold]),
        |pair, path| {
            let held = pair.infos().iter().all(|info| info.local_hold);
            assert!(held, "{path:?}");
        },
    );
    assert!(ends > 10, "{ends} interleavings");
}

#[test]
fn hold_against_hanging_up() {
    walk(
        Pair::talking().plan(&[Command::Hold], &[Command::HangUp]),
        |pair, path| assert!(is_over(pair), "{path:?}"),
    );
}

#[test]
fn hanging_up_against_hanging_up() {
    walk(
        Pair::talking().plan(&[Command::HangUp], &[Command::HangUp]),
        |pair, path| assert!(is_over(pair), "{path:?}"),
    );
}

#[test]
fn hold_and_resume_against_hold() {
    walk(
        Pair::talking().plan(&[Command::Hold, Command::Resume], &[Command::Hold]),
        |pair, path| {
            let infos = pair.infos();
            assert!(!infos[0].local_hold && infos[1].local_hold, "{path:?}");
        },
    );
}

#[test]
fn new_media_against_hold() {
    walk(
        Pair::talking().plan(&[Command::MoveMedia], &[Command::Hold]),
        |pair, path| assert!(pair.infos()[1].local_hold, "{path:?}"),
    );
}

#[test]
fn giving_up_against_answering() {
    let ends = walk(
        Pair::dialled().plan(&[Command::HangUp], &[Command::Answer]),
        |pair, path| assert!(is_over(pair), "{path:?}"),
    );
    assert!(ends > 5, "{ends} interleavings");
}

#[test]
fn answering_and_hanging_up_at_once() {
    walk(
        Pair::dialled().plan(&[], &[Command::Answer, Command::HangUp]),
        |pair, path| assert!(is_over(pair), "{path:?}"),
    );
}

#[test]
fn holding_as_soon_as_possible() {
    walk(Pair::dialled().plan(&[], &[Command::Answer]), |pair, path| {
        let mut pair = pair.clone();
        pair.plans = [[Command::Hold].into(), [Command::Hold].into()];
        assert!(walk(pair, |_, _| ()) > 0, "{path:?}");
    });
}
