//! Every step of every operation with several steps fails in turn, in every way: it ends once, says why, and every call is
//! what it was before, unless it was lost by that.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use std::collections::BTreeMap;

use clearline_core::sip::{Message, Method};
use clearline_core::{CallId, CallOptions, CallState, Direction, OperationId};

use super::{is_held, notify, with_bob};
use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, granted};
use crate::media::direction_of;

const SECOND: CallId = CallId(0xca12);

/// How a request of the agent fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Refused(u16),
    /// Nobody ever answers it.
    Silence,
    /// It is lost with its connection, and another comes.
    Cut,
}

const FAILURES: [Failure; 7] = [
    Failure::Refused(488),
    Failure::Refused(403),
    Failure::Refused(500),
    Failure::Refused(503),
    Failure::Refused(481),
    Failure::Silence,
    Failure::Cut,
];

/// The agent and everybody it speaks with, who do what they are asked to, except once.
struct Play {
    ladder: Ladder,
    far_ends: Vec<FarEnd>,
    /// How many requests are granted before one fails.
    granted: usize,
    failure: Option<Failure>,
}

impl Play {
    fn new((ladder, far_ends): (Ladder, Vec<FarEnd>)) -> Self {
        Self {
            ladder,
            far_ends,
            granted: usize::MAX,
            failure: None,
        }
    }

    /// Everybody does his part until nothing more comes.
    fn run(&mut self) {
        for _ in 0..300 {
            for (_, message) in self.ladder.take_sent() {
                if message.is_request() {
                    self.answer(&message);
                } else if message.status() == Some(200) && message.method() == Method::Invite {
                    let at = self.far_end_of(&message);
                    let ack = self.far_ends[at].ack(&message).build();
                    self.ladder.receive(&ack);
                }
            }
            self.ladder.pass(1.0);
        }
    }

    fn answer(&mut self, request: &Message) {
        let method = request.method();
        if method == Method::Register {
            self.ladder.receive(&granted(request).build());
        } else if matches!(method, Method::Invite | Method::Refer) && self.fails() {
            self.fail(request);
        } else if method == Method::Invite {
            let at = self.far_end_of(request);
            let offer = std::str::from_utf8(request.body()).unwrap();
            let direction = direction_of(offer).reversed();
            let accepted = self.far_ends[at].accepts(request, direction);
            self.ladder.receive(&accepted);
        } else if method == Method::Refer {
            let at = self.far_end_of(request);
            let accepted = self.far_ends[at].response(request, 202).build();
            self.ladder.receive(&accepted);
            let told = notify(&mut self.far_ends[at], "200 OK", "terminated");
            self.ladder.receive(&told);
        } else if method != Method::Ack {
            self.ladder.respond(request, 200);
        }
    }

    fn far_end_of(&mut self, request: &Message) -> usize {
        let call_id = request.call_id().unwrap();
        let known = self.far_ends.iter().position(|far| far.is_of(call_id));
        known.unwrap_or_else(|| {
            self.far_ends.push(FarEnd::called(request, "new-tag"));
            self.far_ends.len() - 1
        })
    }

    fn fails(&mut self) -> bool {
        let fails = self.granted == 0;
        self.granted = self.granted.checked_sub(1).unwrap_or(usize::MAX);
        fails
    }

    fn fail(&mut self, request: &Message) {
        match self.failure.take() {
            Some(Failure::Refused(status)) => {
                let at = self.far_end_of(request);
                let refusal = self.far_ends[at].response(request, status).build();
                self.ladder.receive(&refusal);
            }
            Some(Failure::Cut) => {
                self.ladder.lose_connection();
                self.ladder.reconnect();
            }
            Some(Failure::Silence) | None => {}
        }
    }

    fn holds(&self) -> BTreeMap<CallId, bool> {
        let live = self.ladder.agent.calls();
        live.map(|call| (call.id, call.local_hold)).collect()
    }
}

/// Makes each request of `operation` fail in each way.
fn fail_in_turn(
    name: &str,
    prepare: impl Fn() -> (Ladder, Vec<FarEnd>),
    operation: impl Fn(&mut Ladder) -> OperationId,
) {
    for failure in FAILURES {
        let mut failed = 0;
        for step in 0.. {
            let mut play = Play::new(prepare());
            let before = play.holds();
            let rings: Vec<_> = play.ladder.agent.calls().cloned().collect();
            let incoming = rings.iter().find(|call| call.state == CallState::Incoming);
            let incoming = incoming.map(|call| call.id);
            let operation = operation(&mut play.ladder);
            play.ladder.accepted(operation);
            play.ladder.drain();
            (play.granted, play.failure) = (step, Some(failure));
            play.run();
            let about = format!("{name}: {failure:?} at {step}");
            let result = play.ladder.outcome(operation).cloned();
            let Some(result) = result else {
                panic!("{about}: it does not end");
            };
            if play.failure.is_some() {
                assert_eq!(result, Ok(()), "{about}: nothing has failed");
                break;
            }
            failed += 1;
            if result.is_ok() {
                // A step that was tried again, or whose request had been heard.
                continue;
            }
            for (call, held) in play.holds() {
                let was_held = before.get(&call);
                assert!(was_held.is_some(), "{about}: {call} is left over");
                if Some(call) != incoming {
                    assert_eq!(was_held, Some(&held), "{about}: {call} is not what it was");
                }
            }
        }
        assert!(failed > 0, "{name}: {failure:?} never happens");
    }
}

fn consulting() -> (Ladder, Vec<FarEnd>) {
    let (mut ladder, bob) = with_bob();
    consult(&mut ladder);
    is_held(&mut ladder, &bob);
    let invite = ladder.expect(Method::Invite);
    let carol = FarEnd::called(&invite, "carol-tag");
    ladder.receive(&carol.accepts(&invite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    (ladder, vec![bob, carol])
}

fn consult(ladder: &mut Ladder) -> OperationId {
    let options = CallOptions::default();
    let operation = ladder.agent.consult(ladder.now, CALL, SECOND, "carol", options);
    ladder.drain();
    operation.unwrap()
}

fn two_calls() -> (Ladder, Vec<FarEnd>) {
    let (mut ladder, bob) = with_bob();
    ladder.hold(CALL);
    is_held(&mut ladder, &bob);
    let (_, carol) = ladder.take_call("carol");
    ladder.forget();
    (ladder, vec![bob, carol])
}

fn one_call() -> (Ladder, Vec<FarEnd>) {
    let (ladder, bob) = with_bob();
    (ladder, vec![bob])
}

#[test]
fn transferring_at_once() {
    fail_in_turn("transfer", one_call, |ladder| {
        ladder.command(CALL, |call| call.transfer("carol")).unwrap()
    });
}

#[test]
fn transferring_after_asking() {
    fail_in_turn("complete", consulting, |ladder| {
        ladder.command(CALL, |call| call.transfer_to(SECOND)).unwrap()
    });
}

#[test]
fn asking_first() {
    fail_in_turn("consult", one_call, consult);
}

#[test]
fn not_transferring_after_all() {
    fail_in_turn("cancel", consulting, |ladder| {
        ladder.command(CALL, |call| call.cancel_transfer()).unwrap()
    });
}

#[test]
fn alternating() {
    fail_in_turn("swap", two_calls, |ladder| {
        ladder.agent.swap_to(ladder.now, CALL).unwrap()
    });
}

#[test]
fn holding_and_answering() {
    let prepare = || {
        let (mut ladder, bob) = with_bob();
        let (_, carol, _) = ladder.ring("carol");
        ladder.forget();
        (ladder, vec![bob, carol])
    };
    fail_in_turn("hold and answer", prepare, |ladder| {
        let incoming = ladder.newest_call();
        ladder.agent.hold_and_answer(ladder.now, incoming).unwrap()
    });
}
