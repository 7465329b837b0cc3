//! RFC 5626: two flows to two servers, so that the loss of one is not noticed.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallState, Config, ConnectionId, ConnectionState, Direction, EndCause, Environment, Event, Input,
    RegistrationState, Server,
};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config, granted, secs};

fn two_flows() -> Config {
    let mut config = config();
    config.servers = Server::in_order(["wss://one/sip", "wss://two/sip"]);
    config.outbound_flows = 2;
    config
}

/// An agent that is registered over two flows, and these.
fn registered() -> (Ladder, ConnectionId, ConnectionId) {
    let mut ladder = Ladder::new(two_flows());
    ladder.start();
    assert_eq!(ladder.wanted_url(), Some("wss://one/sip"));
    ladder.connect();
    let first = ladder.newest_connection();
    ladder.register();
    assert_eq!(ladder.wanted_url(), Some("wss://two/sip"));
    ladder.connect();
    let second = ladder.newest_connection();
    assert_eq!(ladder.next_sent_on(), second);
    ladder.register();
    ladder.forget();
    (ladder, first, second)
}

fn reg_id(register: &Message) -> String {
    let contact = register.contacts().next().unwrap().unwrap();
    contact
        .address()
        .unwrap()
        .params
        .value("reg-id")
        .unwrap()
        .to_owned()
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

#[test]
fn each_flow_has_a_reg_id_and_a_registration_of_its_own() {
    let mut ladder = Ladder::new(two_flows());
    ladder.start();
    ladder.connect();
    let first = ladder.expect(Method::Register);
    ladder.connect();
    let second = ladder.expect(Method::Register);
    assert_eq!(
        (reg_id(&first), reg_id(&second)),
        ("1".to_owned(), "2".to_owned())
    );
    assert_ne!(first.call_id(), second.call_id());
    let instance = |register: &Message| {
        let contact = register.header(HeaderName::Contact).unwrap();
        contact
            .split("+sip.instance=")
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(instance(&first), instance(&second));
}

#[test]
fn a_device_with_two_flows_counts_once() {
    let mut ladder = Ladder::new(two_flows());
    ladder.start();
    ladder.connect();
    let first = ladder.register();
    ladder.connect();
    let second = ladder.expect(Method::Register);
    ladder.receive(&granted(&second).headers_from(&first, HeaderName::Contact).build());
    let RegistrationState::Registered { bindings, .. } = ladder.registration() else {
        panic!("not registered")
    };
    assert_eq!(*bindings, 1);
}

#[test]
fn there_are_never_more_flows_than_servers() {
    let mut config = two_flows();
    config.servers.truncate(1);
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.pass(60.0);
    assert_eq!(ladder.wanted_url(), None);
    assert_eq!(ladder.open_connections(), 1);
}

#[test]
fn requests_take_the_first_flow_and_are_answered_where_they_came_in() {
    let (mut ladder, first, second) = registered();
    ladder.dial(CALL, "bob");
    assert_eq!(ladder.next_sent_on(), first);
    ladder.expect(Method::Invite);
    for flow in [first, second] {
        let mut far = FarEnd::calling("carol", "sip:alice@alice.invalid");
        ladder.receive_on(flow, &far.request(Method::Options).build());
        assert_eq!(ladder.next_sent_on(), flow);
        ladder.expect_response(200, Method::Options);
    }
}

#[test]
fn the_loss_of_a_flow_is_not_seen_and_calls_move_to_the_other_at_once() {
    let (mut ladder, first, second) = registered();
    let far = ladder.make_call(CALL, "bob");
    ladder.forget();
    ladder.lose(first);
    assert_eq!(ladder.next_sent_on(), second);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive_on(second, &far.accepts(&reinvite, Direction::SendRecv));
    ladder.expect(Method::Ack);
    let shown = |event: &Event| matches!(event, Event::Connection(_) | Event::Registration(_));
    let seen: Vec<_> = ladder.take_events().into_iter().filter(shown).collect();
    let harmless = |event: &Event| matches!(event, Event::Registration(RegistrationState::Registered { .. }));
    assert!(seen.iter().all(harmless), "{seen:?}");
    assert_eq!(*ladder.connection(), ConnectionState::Connected);
    assert!(!ladder.info(CALL).reconnecting);
}

#[test]
fn a_lost_flow_is_renewed_in_the_rhythm_of_section_4_5_while_the_other_works() {
    let (mut ladder, first, _) = registered();
    ladder.lose(first);
    for (failures, longest) in [90.0, 180.0, 360.0, 720.0, 1_440.0, 1_800.0, 1_800.0]
        .into_iter()
        .enumerate()
    {
        let lost_at = ladder.now;
        while ladder.wanted_url().is_none() {
            ladder.pass_to_next_deadline();
            if ladder
                .take_sent()
                .iter()
                .any(|(_, sent)| sent.method() == Method::Register)
            {
                // A refresh of the flow that works.
                panic!("no answer is given in this test; it must not get that far");
            }
        }
        let pause = ladder.now - lost_at;
        assert!(
            pause >= secs(longest / 2.0) && pause <= secs(longest),
            "{failures}: {pause:?}"
        );
        assert_eq!(ladder.wanted_url(), Some("wss://one/sip"));
        ladder.refuse_connection();
        if failures == 1 {
            break;
        }
    }
    // Without any flow there is a hurry.
    let second = ladder.newest_connection();
    ladder.lose(second);
    let lost_at = ladder.now;
    while ladder.wanted_url().is_none() {
        ladder.pass_to_next_deadline();
    }
    assert!(ladder.now - lost_at <= secs(0.25));
}

#[test]
fn a_renewed_flow_has_its_old_reg_id_and_the_call_stays_where_it_is() {
    let (mut ladder, first, second) = registered();
    let _far = ladder.make_call(CALL, "bob");
    ladder.lose(first);
    ladder.expect(Method::Invite);
    while ladder.wanted_url().is_none() {
        ladder.pass_to_next_deadline();
    }
    ladder.forget();
    ladder.connect();
    let register = ladder.expect(Method::Register);
    assert_eq!(reg_id(&register), "1");
    ladder.receive(&granted(&register).build());
    ladder.expect_silence();
    assert!(ladder.is_open(second));
}

#[test]
fn a_dead_flow_is_found_on_each_by_itself() {
    let (mut ladder, first, second) = registered();
    ladder.cut(first);
    ladder.pass(9.1);
    assert!(!ladder.is_open(first) && ladder.is_open(second));
    assert_eq!(*ladder.connection(), ConnectionState::Connected);
}

#[test]
fn without_any_flow_the_call_reconnects() {
    let (mut ladder, first, second) = registered();
    let _far = ladder.make_call(CALL, "bob");
    ladder.lose(first);
    assert!(!ladder.info(CALL).reconnecting);
    ladder.lose(second);
    assert!(ladder.info(CALL).reconnecting);
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
}

#[test]
fn a_503_to_invite_is_tried_by_the_other_flow_once() {
    let (mut ladder, first, second) = registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let refusal = |invite: &Message| {
        ResponseBuilder::for_request(invite, 503)
            .to_tag("edge")
            .header(HeaderName::RetryAfter, 30)
            .build()
    };
    ladder.receive_on(first, &refusal(&invite));
    // The transaction acknowledges the refusal where it came from.
    assert_eq!(ladder.next_sent_on(), first);
    ladder.expect(Method::Ack);
    assert_eq!(ladder.next_sent_on(), second);
    let again = ladder.expect(Method::Invite);
    assert_eq!(again.call_id(), invite.call_id());
    assert_eq!(again.header(HeaderName::From), invite.header(HeaderName::From));
    assert_eq!(number(&again), number(&invite) + 1);
    assert_ne!(
        again.top_via().unwrap().branch(),
        invite.top_via().unwrap().branch()
    );
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.receive_on(second, &refusal(&again));
    assert_eq!(ladder.cause(CALL), EndCause::ServerFailed);
    assert_eq!(ladder.end(CALL).retry_after, Some(30));
}

#[test]
fn a_503_with_one_flow_is_reported_with_its_retry_after() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let refusal = ResponseBuilder::for_request(&invite, 503)
        .to_tag("edge")
        .header(HeaderName::RetryAfter, 30)
        .build();
    ladder.receive(&refusal);
    assert_eq!(ladder.cause(CALL), EndCause::ServerFailed);
    assert_eq!(ladder.end(CALL).retry_after, Some(30));
}

#[test]
fn an_invite_that_nobody_has_heard_of_takes_the_other_flow_when_its_own_breaks() {
    let (mut ladder, first, second) = registered();
    ladder.dial(CALL, "bob");
    ladder.expect(Method::Invite);
    ladder.lose(first);
    assert_eq!(ladder.next_sent_on(), second);
    let invite = ladder.expect(Method::Invite);
    let far = FarEnd::called(&invite, "bob-tag");
    ladder.receive_on(second, &far.accepts(&invite, Direction::SendRecv));
    assert_eq!(ladder.state(CALL), CallState::Active);
}

#[test]
fn a_bye_whose_flow_breaks_takes_the_other() {
    let (mut ladder, first, second) = registered();
    let far = ladder.make_call(CALL, "bob");
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    ladder.lose(first);
    assert_eq!(ladder.next_sent_on(), second);
    let again = ladder.expect(Method::Bye);
    assert_eq!(number(&again), number(&bye) + 1);
    ladder.receive_on(second, &far.response(&again, 200).build());
    assert_eq!(ladder.cause(CALL), EndCause::LocalHangUp);
    ladder.expect_silence();
}

#[test]
fn one_that_rings_does_not_ring_twice() {
    let (mut ladder, first, second) = registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.receive_on(
        first,
        &FarEnd::called(&invite, "bob-tag").response(&invite, 180).build(),
    );
    ladder.lose(first);
    assert_eq!(ladder.cause(CALL), EndCause::NetworkFailed);
    // It stops ringing there, as nobody would hear its answer.
    assert_eq!(ladder.next_sent_on(), second);
    ladder.expect(Method::Cancel);
    ladder.expect_silence();
}

#[test]
fn both_flows_leave_when_the_agent_stops() {
    let (mut ladder, first, second) = registered();
    ladder.stop();
    for flow in [first, second] {
        assert_eq!(ladder.next_sent_on(), flow);
        let leave = ladder.expect(Method::Register);
        assert_eq!(leave.expires(), Ok(Some(0)));
        ladder.receive_on(flow, &granted(&leave).build());
    }
    assert_eq!(ladder.open_connections(), 0);
    assert!(ladder.take_events().contains(&Event::Stopped));
}

#[test]
fn both_flows_move_to_another_network() {
    let (mut ladder, _, _) = registered();
    let _far = ladder.make_call(CALL, "bob");
    ladder.input(Input::Environment(Environment::NetworkChanged));
    ladder.connect();
    ladder.register();
    ladder.expect(Method::Invite);
    ladder.connect();
    let register = ladder.expect(Method::Register);
    assert_eq!(reg_id(&register), "2");
    ladder.receive(&granted(&register).build());
    ladder.pass(2.1);
    assert_eq!(ladder.open_connections(), 2);
}

#[test]
fn an_error_430_from_the_platform_does_not_end_a_call() {
    let (mut ladder, first, _) = registered();
    let _far = ladder.make_call(CALL, "bob");
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    ladder.receive_on(first, &ResponseBuilder::for_request(&reinvite, 430).build());
    assert_eq!(ladder.state(CALL), CallState::Active);
}

/// The retry at one server falls due while another is tried in its place. When that one fails too, a deadline long past
/// comes to light, which is no sign that the machine has slept: nothing is probed.
#[test]
fn a_retry_that_is_long_due_is_no_sleep() {
    let mut config = two_flows();
    config.servers = Server::in_order(["wss://one/sip", "wss://two/sip", "ws://three/sip"]);
    let mut ladder = Ladder::new(config);
    ladder.start();
    ladder.connect();
    ladder.register();
    ladder.connect();
    let second = ladder.newest_connection();
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 408);
    ladder.connect();
    let register = ladder.expect(Method::Register);
    ladder.pass(20.5);
    ladder.respond(&register, 302);
    ladder.forget();
    ladder.lose(second);
    let probes = |(_, message): &(_, Message)| message.method() == Method::Options;
    assert!(!ladder.take_sent().iter().any(probes));
}
