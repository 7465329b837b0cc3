//! The edge itself: order of outputs, nested calls, hosts that throw. What the agent does is tested in the core.
#![cfg(target_family = "wasm")]

use std::rc::Rc;

use clearline_wasm::{Agent, AgentConfig, Host};
use js_sys::{Array, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

const NOW: f64 = 1_700_000_000_000.0;

/// A host that writes down what it is asked, and may be told to do something else first.
const HOST: &str = r#"(() => {
  const log = [];
  const names = ['connect', 'transmit', 'disconnect', 'media', 'connection', 'registration', 'call', 'dtmf',
    'operationDone', 'stopped', 'dropped', 'idle', 'hostFailed'];
  const host = { log };
  for (const name of names) host[name] = (...given) => {
    log.push([name, ...given.map((text) => String(text).split('\r\n')[0])].join(' '));
    host['on_' + name]?.(...given);
  };
  return host;
})()"#;

fn host() -> Host {
    js_sys::eval(HOST)
        .expect("the host is valid JavaScript")
        .unchecked_into()
}

fn agent(host: &Host) -> Agent {
    Agent::new(host.clone(), config(), &[7; 32]).expect("the configuration is valid")
}

fn config() -> AgentConfig {
    AgentConfig::new(
        "sip:alice@example.com",
        "Alice".into(),
        "alice".into(),
        "secret".into(),
        vec!["wss://example.com/sip".into()],
        "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
    )
    .unwrap_or_else(|_| unreachable!("the configuration is valid"))
}

fn log(host: &Host) -> Vec<String> {
    let log = Reflect::get(host, &"log".into()).expect("a property");
    log.unchecked_into::<Array>()
        .iter()
        .filter_map(|line| line.as_string())
        .collect()
}

/// Has `action` run inside the import `name`.
fn inside(host: &Host, name: &str, action: impl FnMut() + 'static) {
    let action = Closure::<dyn FnMut()>::new(action).into_js_value();
    Reflect::set(host, &format!("on_{name}").into(), &action).expect("a property");
}

fn position(log: &[String], start: &str) -> usize {
    log.iter()
        .position(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no {start} in {log:#?}"))
}

#[wasm_bindgen_test]
fn outputs_come_in_order_and_the_deadline_last() {
    let host = host();
    let agent = agent(&host);
    agent.start(NOW);
    let log = log(&host);
    let connect = position(&log, "connect ");
    assert!(log[connect].ends_with("wss://example.com/sip"));
    assert!(
        log.last().is_some_and(|line| line.starts_with("idle 17000000")),
        "{log:#?}"
    );
}

#[wasm_bindgen_test]
fn an_open_connection_registers_with_a_text_frame() {
    let host = host();
    let agent = agent(&host);
    agent.start(NOW);
    let connection = log(&host)[position(&log(&host), "connect ")]
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    agent.connected(NOW, &connection).expect("an identifier");
    let log = log(&host);
    assert!(
        log[position(&log, "transmit")].ends_with("REGISTER sip:example.com SIP/2.0"),
        "{log:#?}"
    );
}

#[wasm_bindgen_test]
fn a_call_from_within_an_import_is_delivered_by_the_drain_under_way() {
    let host = host();
    let agent = Rc::new(agent(&host));
    let nested = Rc::clone(&agent);
    let mut first = true;
    inside(&host, "connect", move || {
        // The browser refuses the URL at once.
        if std::mem::take(&mut first) {
            nested
                .disconnected(NOW, "0000000000000001", "refused".into())
                .expect("an identifier");
        }
    });
    agent.start(NOW);
    let log = log(&host);
    let waiting = log
        .iter()
        .position(|line| line.contains("\"waiting\""))
        .expect("a planned retry");
    assert!(waiting > position(&log, "connect "), "{log:#?}");
    assert_eq!(
        log.iter().filter(|line| line.starts_with("idle")).count(),
        1,
        "{log:#?}"
    );
}

#[wasm_bindgen_test]
fn a_host_that_throws_stops_nothing() {
    let host = host();
    let agent = agent(&host);
    inside(&host, "connect", || wasm_bindgen::throw_str("the host's own bug"));
    agent.start(NOW);
    assert!(log(&host).iter().any(|line| line.contains("the host's own bug")));
    let before = log(&host).len();
    agent.wake(NOW + 1.0);
    assert!(log(&host).len() > before, "later calls still drain");
}

#[wasm_bindgen_test]
fn refusals_are_codes_and_nonsense_is_refused() {
    let host = host();
    let agent = agent(&host);
    agent.start(NOW);
    let refusal = |result: Result<String, JsValue>| result.expect_err("a refusal").as_string();
    assert_eq!(
        refusal(agent.hold(NOW, "00000000000000aa")).as_deref(),
        Some("no-such-call")
    );
    assert_eq!(
        refusal(agent.hold(NOW, "nonsense")).as_deref(),
        Some("not an identifier")
    );
    let placed = agent.place_call(NOW, "00000000000000aa", "bob", None, None);
    assert_eq!(
        placed.expect_err("not connected").as_string().as_deref(),
        Some("not-connected")
    );
    assert!(agent.environment(NOW, "upside-down").is_err());
    assert!(
        agent
            .media_failed(NOW, "0000000000000001", "no-such-kind", String::new())
            .is_err()
    );
}

#[wasm_bindgen_test]
fn a_snapshot_is_restored_and_garbage_is_not() {
    let host = host();
    let snapshot = agent(&host).snapshot(NOW).expect("a snapshot");
    let restore = |bytes: &[u8]| Agent::restore(host.clone(), config(), bytes, &[8; 32], NOW, 1_000.0);
    restore(&snapshot).expect("restored").start(NOW);
    assert!(log(&host).iter().any(|line| line.starts_with("connect")));
    assert!(restore(&snapshot[..snapshot.len() / 2]).is_err());
    assert!(restore(&[0xff; 64]).is_err());
}

#[wasm_bindgen_test]
fn a_stop_before_anything_is_open_is_immediate() {
    let host = host();
    let agent = agent(&host);
    agent.start(NOW);
    agent.stop(NOW);
    assert!(
        log(&host).iter().any(|line| line == "stopped"),
        "{:#?}",
        log(&host)
    );
}
