//! Registration (RFC 3261 section 10, RFC 5626, RFC 5627).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::{Algorithm, DigestChallenge, Ha1, verify};
use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{CommandError, Config, Duration, Event, OwnDevice, RegistrationState, Secret};

use crate::ladder::{Ladder, config, granted, secs};

/// 401 with a challenge for each algorithm.
fn challenge(request: &Message, algorithms: &[Algorithm], nonce: &str, stale: bool) -> Message {
    let refusal = ResponseBuilder::for_request(request, 401).to_tag("registrar");
    let refusal = algorithms.iter().fold(refusal, |refusal, algorithm| {
        let text = DigestChallenge::new("example.com", nonce, *algorithm).to_string();
        let stale = if stale { ", stale=true" } else { "" };
        refusal.header(HeaderName::WwwAuthenticate, format_args!("{text}{stale}"))
    });
    refusal.build()
}

fn is_authorized(request: &Message, algorithm: Algorithm) -> bool {
    let ha1 = Ha1::new(algorithm, "alice", "example.com", &Secret::new("demo"));
    let mut credentials = request.credentials();
    let Some(Ok(first)) = credentials.next() else {
        return false;
    };
    assert!(credentials.next().is_none(), "one set of credentials");
    verify(&first, request.method(), &ha1, request.body()).is_ok()
}

fn number(request: &Message) -> u32 {
    request.cseq().unwrap().number
}

fn failed(ladder: &Ladder) -> (Option<u16>, bool, Option<Duration>) {
    let state = ladder.registration();
    let RegistrationState::Failed {
        sip_status,
        credentials_rejected,
        retry_at,
        ..
    } = state
    else {
        panic!("not failed: {state:?}")
    };
    (
        *sip_status,
        *credentials_rejected,
        retry_at.map(|at| at - ladder.now),
    )
}

fn is_registered(ladder: &Ladder) -> bool {
    matches!(ladder.registration(), RegistrationState::Registered { .. })
}

#[test]
fn registers_when_connected() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    assert_eq!(ladder.wanted_url(), Some("wss://example.com/sip"));
    ladder.connect();
    let register = ladder.expect(Method::Register);
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
    assert_eq!(register.request_uri_text(), Some("sip:example.com"));
    assert_eq!(register.to().unwrap().uri.as_str(), "sip:alice@example.com");
    assert_eq!(register.from().unwrap().uri.as_str(), "sip:alice@example.com");
    assert!(
        register
            .header(HeaderName::Via)
            .unwrap()
            .starts_with("SIP/2.0/WSS ")
    );
    for tag in ["outbound", "gruu", "path"] {
        assert!(register.lists_token(HeaderName::Supported, tag), "{tag}");
    }
    let contact = register.contacts().next().unwrap().unwrap();
    let contact = contact.address().unwrap();
    assert!(contact.uri.host().unwrap().ends_with(".invalid"));
    assert_eq!(contact.params.value("reg-id"), Some("1"));
    assert_eq!(
        contact.params.text("+sip.instance").as_deref(),
        Some("<urn:uuid:3c0f6f0e-7c5e-4d3c-9a53-6ff1b0a7a6f1>")
    );
    assert_eq!(contact.params.value("expires"), Some("600"));

    ladder.receive(&granted(&register).build());
    let expires_at = ladder.now + secs(600.0);
    assert_eq!(
        *ladder.registration(),
        RegistrationState::Registered {
            expires_at,
            bindings: 1
        }
    );
}

#[test]
fn answers_an_md5_challenge() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Md5], "n1", false));
    let second = ladder.expect(Method::Register);
    assert!(is_authorized(&second, Algorithm::Md5));
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(number(&second), number(&first) + 1);
    assert_ne!(
        second.top_via().unwrap().branch(),
        first.top_via().unwrap().branch()
    );
    ladder.receive(&granted(&second).build());
    assert!(is_registered(&ladder));
}

#[test]
fn prefers_sha_256() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(
        &first,
        &[Algorithm::Md5, Algorithm::Sha256],
        "n1",
        false,
    ));
    assert!(is_authorized(&ladder.expect(Method::Register), Algorithm::Sha256));
}

#[test]
fn sends_known_credentials_at_once_and_counts_the_nonce() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Sha256], "n1", false));
    ladder.register();
    let refresh = ladder.wait_for(Method::Register);
    assert!(is_authorized(&refresh, Algorithm::Sha256));
    let credentials = refresh.credentials().next().unwrap().unwrap();
    assert!(credentials.param("nc").as_deref() > Some("00000001"));
}

#[test]
fn a_stale_nonce_is_renewed_without_a_word_to_the_user() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Md5], "n1", false));
    ladder.register();
    let refresh = ladder.wait_for(Method::Register);
    ladder.forget();
    ladder.receive(&challenge(&refresh, &[Algorithm::Md5], "n2", true));
    let again = ladder.expect(Method::Register);
    let credentials = again.credentials().next().unwrap().unwrap();
    assert_eq!(credentials.param("nonce").as_deref(), Some("n2"));
    assert_eq!(ladder.take_events(), []);
    ladder.receive(&challenge(&again, &[Algorithm::Md5], "n3", true));
    let thrice = ladder.expect(Method::Register);
    ladder.receive(&granted(&thrice).build());
    assert!(is_registered(&ladder));
}

#[test]
fn an_endless_chain_of_stale_nonces_is_left() {
    let mut ladder = Ladder::connected_with(config());
    let mut answered = 0;
    while let Some((_, request)) = ladder.take_sent().pop() {
        answered += 1;
        assert!(answered < 10, "it never ends");
        ladder.receive(&challenge(
            &request,
            &[Algorithm::Md5],
            &format!("n{answered}"),
            true,
        ));
    }
    assert!(failed(&ladder).1);
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Md5], "n1", false));
    let second = ladder.expect(Method::Register);
    ladder.receive(&challenge(&second, &[Algorithm::Md5], "n2", false));
    assert_eq!(failed(&ladder), (Some(401), true, None));
    ladder.pass(3_600.0);
    ladder.expect_silence();
    // Another connection makes the password no better; each try could lock the account.
    ladder.lose_connection();
    ladder.reconnect();
    ladder.expect_silence();
    assert_eq!(failed(&ladder), (Some(401), true, None));
}

#[test]
fn a_new_password_is_tried_at_once() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.respond(&first, 403);
    assert_eq!(failed(&ladder), (Some(403), true, None));
    ladder.agent.set_password(ladder.now, Secret::new("other"));
    ladder.drain();
    ladder.register();
    assert!(is_registered(&ladder));
}

#[test]
fn a_refusal_of_the_old_password_says_nothing_of_the_new() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.agent.set_password(ladder.now, Secret::new("other"));
    ladder.drain();
    ladder.expect_silence();
    ladder.respond(&first, 403);
    let second = ladder.expect(Method::Register);
    // Once: this is the new one's refusal.
    ladder.respond(&second, 403);
    assert_eq!(failed(&ladder), (Some(403), true, None));
    ladder.pass(3_600.0);
    ladder.expect_silence();
}

#[test]
fn a_challenge_that_cannot_be_answered_is_a_refusal() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    let refusal = ResponseBuilder::for_request(&first, 401)
        .to_tag("registrar")
        .header(HeaderName::WwwAuthenticate, "Negotiate realm=\"example.com\"")
        .build();
    ladder.receive(&refusal);
    ladder.expect_silence();
    assert_eq!(failed(&ladder), (Some(401), true, None));
}

#[test]
fn asks_for_longer_when_the_interval_is_too_brief() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    let too_brief = ResponseBuilder::for_request(&first, 423)
        .to_tag("registrar")
        .header(HeaderName::MinExpires, 1_800)
        .build();
    ladder.receive(&too_brief);
    let second = ladder.register();
    assert_eq!(second.expires(), Ok(Some(1_800)));
    assert_eq!(number(&second), number(&first) + 1);
    assert!(is_registered(&ladder));
}

#[test]
fn a_423_without_a_longer_interval_is_a_failure() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    let too_brief = ResponseBuilder::for_request(&first, 423)
        .to_tag("registrar")
        .header(HeaderName::MinExpires, 60)
        .build();
    ladder.receive(&too_brief);
    ladder.expect_silence();
    let (status, rejected, retry) = failed(&ladder);
    assert_eq!((status, rejected), (Some(423), false));
    assert!(retry.is_some());
}

#[test]
fn refreshes_before_the_binding_expires() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let contact = register.header(HeaderName::Contact).unwrap().to_owned();
    let shorter = granted(&register)
        .build()
        .edit()
        .set(HeaderName::Contact, contact.replace("expires=600", "expires=100"))
        .build();
    ladder.receive(&shorter);
    ladder.forget();
    let registered_at = ladder.now;
    let refresh = ladder.wait_for(Method::Register);
    let after = ladder.now - registered_at;
    assert!(after >= secs(50.0) && after <= secs(90.0), "{after:?}");
    ladder.receive(&granted(&refresh).build());
    assert_eq!(number(&refresh), number(&register) + 1);
    assert_eq!(refresh.call_id(), register.call_id());
    assert!(
        ladder
            .take_events()
            .iter()
            .all(|event| *event != Event::Registration(RegistrationState::Registering)),
        "a refresh does not show"
    );
}

#[test]
fn own_binding_is_found_among_those_of_other_devices() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let own = register.header(HeaderName::Contact).unwrap().to_owned();
    let own = own.replace("expires=600", "expires=300");
    let ok = ResponseBuilder::for_request(&register, 200)
        .to_tag("registrar")
        .header(
            HeaderName::Contact,
            "<sip:desk@192.0.2.1>;expires=20, <sip:x@y.invalid>;+sip.instance=\"<urn:uuid:other>\";expires=30",
        )
        .header(HeaderName::Contact, own)
        .build();
    ladder.receive(&ok);
    let expires_at = ladder.now + secs(300.0);
    let expected = RegistrationState::Registered {
        expires_at,
        bindings: 3,
    };
    assert_eq!(*ladder.registration(), expected);
}

/// A 200 that lists this device, and others with the Contact values `others`.
fn listing(register: &Message, others: &[&str]) -> Message {
    let own = register.header(HeaderName::Contact).unwrap();
    let ok = ResponseBuilder::for_request(register, 200).to_tag("registrar");
    let ok = ok.header(HeaderName::Contact, own);
    let listed = others
        .iter()
        .fold(ok, |ok, other| ok.header(HeaderName::Contact, other));
    listed.build()
}

fn following() -> Config {
    Config {
        remote_calls: true,
        device_name: "Lap \"top\"".to_owned(),
        ..config()
    }
}

fn told_devices(ladder: &mut Ladder) -> Vec<Vec<OwnDevice>> {
    let mut told = Vec::new();
    for event in ladder.take_events() {
        if let Event::OwnDevices(devices) = event {
            told.push(devices);
        }
    }
    told
}

const DESK: &str = "\"Desk \\\"1\\\"\" <sip:d@x.invalid>;+sip.instance=\"<urn:uuid:desk>\";reg-id=1;expires=60;pub-gruu=\"sip:alice@example.com;gr=urn:uuid:desk\"";
const DESK_AGAIN: &str = "<sip:d@y.invalid>;+sip.instance=\"<urn:uuid:desk>\";reg-id=2;expires=60;pub-gruu=\"sip:alice@example.com;gr=urn:uuid:desk\"";
const OLD: &str = "<sip:old@192.0.2.1>;expires=60";
const ODD: &str =
    "<sip:odd@192.0.2.1>;+sip.instance=\"<urn:uuid:odd>\";expires=60;pub-gruu=\"https://example.com/\"";

#[test]
fn the_account_s_other_devices_are_told_if_they_can_be_reached_alone() {
    let mut ladder = Ladder::connected_with(following());
    let register = ladder.expect(Method::Register);
    let contact = register.header(HeaderName::Contact).unwrap();
    assert!(contact.starts_with("\"Lap \\\"top\\\"\" <sip:"), "{contact}");
    ladder.receive(&listing(&register, &[DESK_AGAIN, DESK, OLD, ODD]));
    let desk = OwnDevice {
        address: "sip:alice@example.com;gr=urn:uuid:desk".to_owned(),
        name: Some("Desk \"1\"".to_owned()),
    };
    assert_eq!(told_devices(&mut ladder), [[desk.clone()]]);
    assert_eq!(*ladder.agent.own_devices(), [desk]);
}

#[test]
fn the_registrar_is_asked_again_and_a_change_is_told_once() {
    let mut ladder = Ladder::connected_with(following());
    assert_eq!(
        ladder.agent.ask_for_devices(ladder.now),
        Err(CommandError::NotConnected),
        "it has not answered yet"
    );
    let register = ladder.expect(Method::Register);
    ladder.receive(&listing(&register, &[DESK]));
    ladder.forget();
    for (others, told) in [(vec![DESK], 0), (vec![], 1), (vec![], 0)] {
        assert_eq!(ladder.agent.ask_for_devices(ladder.now), Ok(()));
        assert_eq!(
            ladder.agent.ask_for_devices(ladder.now),
            Ok(()),
            "one question is enough"
        );
        ladder.drain();
        let register = ladder.expect(Method::Register);
        ladder.receive(&listing(&register, &others));
        assert_eq!(told_devices(&mut ladder).len(), told, "{others:?}");
    }
    assert!(ladder.agent.own_devices().is_empty());
}

#[test]
fn a_registrar_that_lists_devices_without_end_is_not_followed() {
    let mut ladder = Ladder::connected_with(following());
    let register = ladder.expect(Method::Register);
    let many: Vec<_> = (0..60)
        .map(|at| {
            let name = "n".repeat(300);
            format!("{name} <sip:d@x.invalid>;+sip.instance=\"<urn:uuid:{at}>\";pub-gruu=\"sip:a@example.com;gr={at}\"")
        })
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    ladder.receive(&listing(&register, &many));
    let devices = ladder.agent.own_devices();
    assert_eq!(devices.len(), 32);
    assert!(
        devices
            .iter()
            .all(|it| it.name.as_ref().is_some_and(|name| name.len() == 256))
    );
}

#[test]
fn waits_as_long_as_a_503_asks() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let refusal = ResponseBuilder::for_request(&register, 503)
        .to_tag("registrar")
        .header(HeaderName::RetryAfter, "30 (maintenance)")
        .build();
    ladder.receive(&refusal);
    let (status, rejected, retry) = failed(&ladder);
    assert_eq!((status, rejected), (Some(503), false));
    let retry = retry.unwrap();
    assert!(retry >= secs(30.0) && retry <= secs(36.0), "{retry:?}");
    ladder.pass(29.0);
    ladder.expect_silence();
    ladder.pass(7.0);
    ladder.register();
    assert!(is_registered(&ladder));
}

#[test]
fn no_platform_can_silence_the_phone_for_ever() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let refusal = ResponseBuilder::for_request(&register, 503)
        .to_tag("registrar")
        .header(HeaderName::RetryAfter, u32::MAX)
        .build();
    ladder.receive(&refusal);
    assert!(failed(&ladder).2.unwrap() <= secs(2.0 * 3_600.0));
}

#[test]
fn failures_are_tried_again_at_growing_intervals_with_jitter_and_a_ceiling() {
    let pauses = |seed: u8| {
        let agent = clearline_core::UserAgent::new(config(), [seed; 32]);
        let mut ladder = Ladder::of(agent, clearline_core::Instant::from_secs(5));
        ladder.start();
        ladder.connect();
        let mut pauses = Vec::new();
        for _ in 0..14 {
            let register = ladder.expect(Method::Register);
            ladder.respond(&register, 500);
            let pause = failed(&ladder).2.unwrap();
            pauses.push(pause);
            ladder.pass(pause.as_secs_f64());
        }
        pauses
    };
    let first = pauses(1);
    for (number, pause) in first.iter().enumerate() {
        let longest = secs(0.5 * 2_f64.powi(number as i32)).min(secs(120.0));
        assert!(
            *pause >= longest / 2 && *pause <= longest,
            "pause {number}: {pause:?}"
        );
    }
    assert_ne!(first, pauses(2), "jitter");
}

#[test]
fn no_answer_is_a_failure_that_is_tried_again() {
    let mut ladder = Ladder::connected_with(config());
    ladder.expect(Method::Register);
    ladder.pass(31.9);
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
    ladder.pass(0.1);
    assert_eq!(failed(&ladder).0, None);
    ladder.pass(1.0);
    ladder.register();
}

#[test]
fn registers_again_on_a_new_connection() {
    let mut ladder = Ladder::registered();
    ladder.lose_connection();
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
    ladder.reconnect();
    ladder.register();
    assert!(is_registered(&ladder));
}

#[test]
fn an_answer_from_the_lost_connection_means_nothing() {
    let mut ladder = Ladder::connected_with(config());
    let old = ladder.expect(Method::Register);
    ladder.lose_connection();
    ladder.reconnect();
    ladder.expect(Method::Register);
    ladder.receive(&granted(&old).build());
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
}

#[test]
fn a_gruu_becomes_the_contact_of_dialogs() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let contact = register.header(HeaderName::Contact).unwrap();
    let gruu = "sip:alice@example.com;gr=urn:uuid:3c0f6f0e";
    let ok = ResponseBuilder::for_request(&register, 200)
        .to_tag("registrar")
        .header(HeaderName::Contact, format_args!("{contact};pub-gruu=\"{gruu}\""))
        .build();
    ladder.receive(&ok);
    ladder.dial(crate::ladder::CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let contact = invite.contacts().next().unwrap().unwrap();
    assert_eq!(contact.address().unwrap().uri.as_str(), gruu);
}

#[test]
fn what_is_no_address_does_not_become_the_contact() {
    for bad in ["alice", "<sip:x>", "sip:a@b>;evil=\\\"1", ""] {
        let mut ladder = Ladder::connected_with(config());
        let register = ladder.expect(Method::Register);
        let contact = register.header(HeaderName::Contact).unwrap();
        let ok = ResponseBuilder::for_request(&register, 200)
            .to_tag("registrar")
            .header(HeaderName::Contact, format_args!("{contact};pub-gruu=\"{bad}\""))
            .build();
        ladder.receive(&ok);
        ladder.dial(crate::ladder::CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let contact = invite.contacts().next().unwrap().unwrap();
        let host = contact.address().unwrap().uri.host().unwrap();
        assert!(host.ends_with(".invalid"), "{bad}: {host}");
    }
}

#[test]
fn an_agent_that_only_calls_does_not_register() {
    let ladder = Ladder::connected();
    ladder.expect_silence();
    assert_eq!(*ladder.registration(), RegistrationState::Unregistered);
}

#[test]
fn the_contact_says_what_this_device_can_do() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let contact = register.contacts().next().unwrap().unwrap();
    let contact = contact.address().unwrap();
    assert!(contact.params.has("audio"), "RFC 3840");
    let methods = contact.params.text("methods").unwrap();
    assert!(
        methods.starts_with("INVITE,") && methods.contains("BYE"),
        "{methods}"
    );
    assert_eq!(
        contact.uri.params().value("transport"),
        Some("ws"),
        "RFC 7118 knows no other"
    );
}

#[test]
fn the_service_route_is_the_way_of_requests_outside_dialogs() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    assert_eq!(register.routes().count(), 0);
    let ok = granted(&register)
        .header(HeaderName::ServiceRoute, "<sip:orig@edge;lr>, <sip:home;lr>")
        .header(HeaderName::Path, "<sip:edge;lr;ob>")
        .build();
    ladder.receive(&ok);
    ladder.dial(crate::ladder::CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let routes: Vec<_> = invite
        .routes()
        .map(|route| route.unwrap().uri.as_str().to_owned())
        .collect();
    assert_eq!(
        routes,
        ["sip:orig@edge;lr", "sip:home;lr"],
        "RFC 3608 section 6.1"
    );
    // Neither the registration nor what is inside a dialog takes it.
    let far = crate::far_end::FarEnd::called(&invite, "bob-tag");
    ladder.receive(&far.accepts(&invite, clearline_core::Direction::SendRecv));
    ladder.expect(Method::Ack);
    ladder.hang_up(crate::ladder::CALL);
    let bye = ladder.expect(Method::Bye);
    let names_home = |message: &Message| {
        message
            .header_all(HeaderName::Route)
            .any(|route| route.contains("sip:home"))
    };
    assert!(!names_home(&bye));
    ladder.receive(&far.response(&bye, 200).build());
    let refresh = ladder.wait_for(Method::Register);
    assert_eq!(refresh.routes().count(), 0);
    // A registrar that names none any more means it.
    ladder.receive(&granted(&refresh).build());
    ladder.dial(clearline_core::CallId(2), "bob");
    assert_eq!(ladder.expect(Method::Invite).routes().count(), 0);
}

#[test]
fn a_service_route_that_is_none_is_not_followed() {
    let endless = vec!["<sip:hop;lr>"; 100].join(", ");
    for route in ["nonsense", "<sip:a;lr>, <", &endless] {
        let mut ladder = Ladder::connected_with(config());
        let register = ladder.expect(Method::Register);
        ladder.receive(&granted(&register).header(HeaderName::ServiceRoute, route).build());
        ladder.dial(crate::ladder::CALL, "bob");
        assert_eq!(
            ladder.expect(Method::Invite).header(HeaderName::Route),
            None,
            "{route}"
        );
    }
}

#[test]
fn a_first_hop_without_outbound_gets_an_ordinary_registration() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    ladder.respond(&register, 439);
    let again = ladder.expect(Method::Register);
    let contact = again.contacts().next().unwrap().unwrap();
    assert!(!contact.address().unwrap().params.has("reg-id"));
    assert!(!again.lists_token(HeaderName::Supported, "outbound"));
    assert!(again.lists_token(HeaderName::Supported, "gruu"));
    ladder.receive(&granted(&again).build());
    assert!(is_registered(&ladder));
    // The same answer again is a failure, not a loop.
    let refresh = ladder.wait_for(Method::Register);
    ladder.respond(&refresh, 439);
    ladder.expect_silence();
    assert_eq!(failed(&ladder).0, Some(439));
}

#[test]
fn push_parameters_are_told_to_the_registrar_and_to_nobody_else() {
    let mut config = config();
    config.push = Some(clearline_core::Push {
        provider: "webpush".into(),
        resource_id: Secret::new("https://push.example/a;b=\"c\""),
        parameter: String::new(),
    });
    assert!(!format!("{config:?}").contains("push.example"));
    let mut ladder = Ladder::connected_with(config);
    let register = ladder.expect(Method::Register);
    let contact = register.contacts().next().unwrap().unwrap();
    let uri = contact.address().unwrap().uri;
    assert_eq!(uri.params().value("pn-provider"), Some("webpush"));
    assert_eq!(
        uri.params().value("pn-prid"),
        Some("https://push.example/a%3Bb%3D%22c%22")
    );
    assert!(!uri.params().has("pn-param"));
    // RFC 8599 section 14.2.1: no such service.
    ladder.respond(&register, 555);
    let again = ladder.expect(Method::Register);
    assert!(!again.header(HeaderName::Contact).unwrap().contains("pn-"));
    ladder.receive(&granted(&again).build());
    ladder.dial(crate::ladder::CALL, "bob");
    assert!(
        !ladder
            .expect(Method::Invite)
            .header(HeaderName::Contact)
            .unwrap()
            .contains("pn-")
    );
}

#[test]
fn a_nonce_that_is_the_same_within_a_second_is_counted_on_and_does_not_loop() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Md5], "n1", false));
    ladder.register();
    ladder.dial(crate::ladder::CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    let credentials = |request: &Message| {
        let credentials = request.credentials().next().unwrap().unwrap();
        let text = |name| credentials.param(name).unwrap().into_owned();
        (text("nc"), text("cnonce"))
    };
    assert_eq!(credentials(&invite).0, "00000002");
    ladder.receive(&challenge(&invite, &[Algorithm::Md5], "n1", false));
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    assert_eq!(credentials(&again).0, "00000003");
    assert_ne!(credentials(&again).1, credentials(&invite).1);
    ladder.receive(&challenge(&again, &[Algorithm::Md5], "n1", false));
    ladder.expect(Method::Ack);
    ladder.expect_silence();
    assert_eq!(
        ladder.cause(crate::ladder::CALL),
        clearline_core::EndCause::Forbidden
    );
}

#[test]
fn a_next_nonce_saves_the_round_trip() {
    let mut ladder = Ladder::connected_with(config());
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, &[Algorithm::Sha256], "n1", false));
    let second = ladder.expect(Method::Register);
    let ok = granted(&second)
        .header(HeaderName::AuthenticationInfo, "qop=auth, nextnonce=\"n2\"")
        .build();
    ladder.receive(&ok);
    let refresh = ladder.wait_for(Method::Register);
    let credentials = refresh.credentials().next().unwrap().unwrap();
    assert_eq!(credentials.param("nonce").as_deref(), Some("n2"));
    assert!(is_authorized(&refresh, Algorithm::Sha256));
}
