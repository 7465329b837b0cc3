//! The list of servers: priorities, failover, pauses.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    ConnectionState, Duration, Environment, Input, Instant, RegistrationState, Server, UserAgent,
};

use crate::ladder::{CALL, Ladder, config, secs};

const ONE: &str = "wss://one/sip";
const TWO: &str = "ws://two/sip";

fn ladder(servers: Vec<Server>) -> Ladder {
    let mut config = config();
    config.servers = servers;
    Ladder::new(config)
}

fn in_order() -> Ladder {
    let mut ladder = ladder(Server::in_order([ONE, TWO]));
    ladder.start();
    ladder
}

/// The URL of the next attempt, and how long it took until then.
fn next_attempt(ladder: &mut Ladder) -> (String, Duration) {
    let since = ladder.now;
    while ladder.wanted_url().is_none() {
        ladder.pass_to_next_deadline();
    }
    (ladder.wanted_url().unwrap().to_owned(), ladder.now - since)
}

fn unavailable(register: &Message, retry_after: Option<u32>) -> Message {
    let refusal = ResponseBuilder::for_request(register, 503).to_tag("registrar");
    match retry_after {
        Some(secs) => refusal.header(HeaderName::RetryAfter, secs),
        None => refusal,
    }
    .build()
}

fn is_registered(ladder: &Ladder) -> bool {
    matches!(ladder.registration(), RegistrationState::Registered { .. })
}

#[test]
fn a_server_that_refuses_is_left_for_the_next_at_once() {
    let mut ladder = in_order();
    assert_eq!(ladder.wanted_url(), Some(ONE));
    ladder.refuse_connection();
    let (url, after) = next_attempt(&mut ladder);
    assert_eq!(url, TWO);
    assert!(after <= secs(0.2), "{after:?}");
    ladder.connect();
    let register = ladder.expect(Method::Register);
    let via = register.header(HeaderName::Via).unwrap();
    assert!(
        via.starts_with("SIP/2.0/WS "),
        "the transport of this server: {via}"
    );
}

#[test]
fn only_when_the_whole_list_has_failed_there_is_a_growing_pause() {
    let mut ladder = in_order();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert_eq!(next_attempt(&mut ladder).0, ONE);
        ladder.refuse_connection();
        assert!(next_attempt(&mut ladder).1 <= secs(0.2));
        assert_eq!(ladder.wanted_url(), Some(TWO));
        ladder.refuse_connection();
        let ConnectionState::Waiting { retry_at, .. } = ladder.connection() else {
            panic!("not waiting: {:?}", ladder.connection())
        };
        pauses.push(*retry_at - ladder.now);
    }
    for (round, pause) in pauses.iter().enumerate() {
        let longest = secs(0.25 * 2_f64.powi(round as i32)).min(secs(30.0));
        assert!(
            *pause >= longest / 2 && *pause <= longest,
            "round {round}: {pause:?}"
        );
    }
}

#[test]
fn devices_are_spread_over_servers_of_one_priority() {
    let servers = || vec![ONE.into(), TWO.into(), Server::new("wss://last/sip").priority(9)];
    let first = |seed: u8| {
        let mut config = config();
        config.servers = servers();
        let mut ladder = Ladder::of(UserAgent::new(config, [seed; 32]), Instant::from_secs(5));
        ladder.start();
        ladder.wanted_url().unwrap().to_owned()
    };
    let chosen: Vec<_> = (0..40).map(first).collect();
    let count = |url: &str| chosen.iter().filter(|chosen| *chosen == url).count();
    assert!(count(ONE) >= 8 && count(TWO) >= 8, "{chosen:?}");
    assert_eq!(count("wss://last/sip"), 0);
}

#[test]
fn a_failed_server_is_tried_again_after_some_time() {
    let mut ladder = in_order();
    ladder.refuse_connection();
    ladder.reconnect();
    ladder.register();
    // Soon after, the preferred one is still avoided ...
    ladder.pass(1.0);
    ladder.lose_connection();
    assert_eq!(next_attempt(&mut ladder).0, TWO);
    ladder.connect();
    ladder.register();
    // ... and later it is not.
    ladder.pass(31.0);
    ladder.lose_connection();
    assert_eq!(next_attempt(&mut ladder).0, ONE);
}

#[test]
fn a_503_to_register_is_answered_elsewhere_while_the_first_connection_stays() {
    let mut ladder = in_order();
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.receive(&unavailable(&register, Some(1_800)));
    assert_eq!(ladder.wanted_url(), Some(TWO));
    assert!(ladder.is_connected());
    ladder.connect();
    let again = ladder.register();
    assert_eq!(again.call_id(), register.call_id());
    assert!(again.cseq().unwrap().number > register.cseq().unwrap().number);
    assert!(is_registered(&ladder));
    // The first one has nothing left to do, and is not asked again before its time.
    ladder.pass(3.0);
    assert_eq!(ladder.open_connections(), 1);
    ladder.lose_connection();
    assert_eq!(next_attempt(&mut ladder).0, TWO);
}

#[test]
fn a_server_that_does_not_answer_register_is_left() {
    let mut ladder = in_order();
    ladder.connect();
    ladder.expect(Method::Register);
    ladder.pass(32.1);
    assert_eq!(ladder.wanted_url(), Some(TWO));
    ladder.connect();
    ladder.register();
    assert!(is_registered(&ladder));
}

#[test]
fn when_all_servers_ask_for_a_pause_it_is_kept() {
    let mut ladder = in_order();
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.receive(&unavailable(&register, Some(100)));
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.receive(&unavailable(&register, Some(60)));
    assert_eq!(ladder.wanted_url(), None);
    let refused_at = ladder.now;
    ladder.wait_for(Method::Register);
    let after = ladder.now - refused_at;
    assert!(after >= secs(60.0) && after <= secs(125.0), "{after:?}");
}

#[test]
fn a_refusal_is_the_same_everywhere() {
    let mut ladder = in_order();
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 404);
    ladder.pass(0.1);
    assert_eq!(ladder.wanted_url(), None);
}

#[test]
fn another_network_makes_up_for_earlier_failures() {
    let mut ladder = in_order();
    for _ in 0..20 {
        next_attempt(&mut ladder);
        ladder.refuse_connection();
    }
    ladder.input(Input::Environment(Environment::NetworkChanged));
    assert_eq!(ladder.wanted_url(), Some(ONE));
    ladder.refuse_connection();
    assert!(next_attempt(&mut ladder).1 <= secs(0.2));
}

#[test]
fn a_call_on_the_way_is_not_harmed_by_a_change_of_server() {
    let mut ladder = in_order();
    ladder.connect();
    ladder.register();
    let _far = ladder.make_call(CALL, "bob");
    let refresh = ladder.wait_for(Method::Register);
    ladder.receive(&unavailable(&refresh, None));
    ladder.connect();
    ladder.register();
    let reinvite = ladder.expect(Method::Invite);
    assert!(reinvite.to().unwrap().tag().is_some(), "the far end is told");
}
