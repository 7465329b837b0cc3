//! Bearer tokens (RFC 8898).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{
    CallState, Config, EndCause, Event, Instant, RegistrationState, Secret, Token, TokenNeed,
};

use crate::ladder::{CALL, Ladder, config, granted, secs};

const CHALLENGE: &str = "Bearer authz_server=\"https://id.example.com\", scope=\"sip\"";

/// An account without a password.
fn account(token: Option<&str>) -> Config {
    let mut config = config();
    config.password = Secret::default();
    config.token = token.map(|text| fresh(text, None));
    config
}

fn fresh(text: &str, expires_at: Option<Instant>) -> Token {
    Token {
        secret: Secret::new(text),
        expires_at,
    }
}

fn challenge(request: &Message, status: u16) -> Message {
    let header = if status == 401 {
        HeaderName::WwwAuthenticate
    } else {
        HeaderName::ProxyAuthenticate
    };
    ResponseBuilder::for_request(request, status)
        .to_tag("registrar")
        .header(header, CHALLENGE)
        .build()
}

fn shown(request: &Message) -> Option<&str> {
    request.header(HeaderName::Authorization)
}

fn wanted(ladder: &mut Ladder) -> Vec<TokenNeed> {
    let need = |event| {
        let Event::TokenWanted { need, .. } = event else {
            return None;
        };
        Some(need)
    };
    ladder.take_events().into_iter().filter_map(need).collect()
}

fn give(ladder: &mut Ladder, token: Token) {
    ladder.agent.set_token(ladder.now, token);
    ladder.drain();
}

fn is_registered(ladder: &Ladder) -> bool {
    matches!(ladder.registration(), RegistrationState::Registered { .. })
}

#[test]
fn a_token_is_shown_where_it_is_asked_for_and_not_before() {
    let mut ladder = Ladder::connected_with(account(Some("t1")));
    let first = ladder.expect(Method::Register);
    assert_eq!(shown(&first), None);
    ladder.receive(&challenge(&first, 401));
    let second = ladder.expect(Method::Register);
    assert_eq!(shown(&second), Some("Bearer t1"));
    ladder.receive(&granted(&second).build());
    assert!(is_registered(&ladder));
    assert_eq!(wanted(&mut ladder), []);
    let refresh = ladder.wait_for(Method::Register);
    assert_eq!(shown(&refresh), Some("Bearer t1"), "no second round trip");
}

#[test]
fn without_a_token_the_application_is_asked_and_the_registration_goes_on() {
    let mut ladder = Ladder::connected_with(account(None));
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, 401));
    let events = ladder.take_events();
    let asked = Event::TokenWanted {
        need: TokenNeed::Missing,
        authorization_server: "https://id.example.com".into(),
        scope: "sip".into(),
    };
    assert!(events.contains(&asked), "{events:?}");
    ladder.pass(10.0);
    ladder.expect_silence();
    assert_eq!(*ladder.registration(), RegistrationState::Registering);
    give(&mut ladder, fresh("t1", None));
    let second = ladder.expect(Method::Register);
    assert_eq!(shown(&second), Some("Bearer t1"));
    assert_eq!(second.call_id(), first.call_id());
    ladder.receive(&granted(&second).build());
    assert!(is_registered(&ladder));
}

#[test]
fn a_token_that_is_refused_is_not_shown_again() {
    let mut ladder = Ladder::connected_with(account(Some("t1")));
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, 401));
    let second = ladder.expect(Method::Register);
    ladder.receive(&challenge(&second, 401));
    assert_eq!(wanted(&mut ladder), [TokenNeed::Rejected]);
    ladder.expect_silence();
    give(&mut ladder, fresh("t2", None));
    assert_eq!(shown(&ladder.expect(Method::Register)), Some("Bearer t2"));
}

#[test]
fn a_call_waits_for_a_fresh_token_and_then_goes_out() {
    let mut ladder = Ladder::connected_with(account(None));
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&invite, 407));
    ladder.expect(Method::Ack);
    assert_eq!(ladder.state(CALL), CallState::Calling);
    give(&mut ladder, fresh("t1", None));
    let again = ladder.expect(Method::Invite);
    assert_eq!(again.header(HeaderName::ProxyAuthorization), Some("Bearer t1"));
    assert!(again.cseq().unwrap().number > invite.cseq().unwrap().number);
}

#[test]
fn a_call_does_not_wait_for_ever() {
    let mut ladder = Ladder::connected_with(account(None));
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&invite, 401));
    ladder.expect(Method::Ack);
    ladder.pass(29.9);
    assert_eq!(ladder.state(CALL), CallState::Calling);
    ladder.pass(0.2);
    assert_eq!(ladder.cause(CALL), EndCause::Forbidden);
    give(&mut ladder, fresh("late", None));
    ladder.expect_silence();
}

#[test]
fn a_call_that_was_given_up_meanwhile_is_not_made_by_a_token() {
    let mut ladder = Ladder::connected_with(account(None));
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.receive(&challenge(&invite, 401));
    ladder.expect(Method::Ack);
    ladder.hang_up(CALL);
    give(&mut ladder, fresh("t1", None));
    ladder.expect_silence();
}

#[test]
fn a_fresh_token_is_asked_for_before_the_old_one_ends() {
    let mut ladder = Ladder::new(account(None));
    let ends_at = ladder.now + secs(300.0);
    give(&mut ladder, fresh("t1", Some(ends_at)));
    ladder.start();
    ladder.connect();
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, 401));
    ladder.register();
    ladder.pass(239.9);
    assert_eq!(wanted(&mut ladder), []);
    ladder.pass(0.2);
    assert_eq!(wanted(&mut ladder), [TokenNeed::Expiring]);
    ladder.pass(59.0);
    assert_eq!(wanted(&mut ladder), [], "once");
    ladder.pass(60.0);
    ladder.forget();
    // What has ended is not shown.
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(shown(&invite), None);
    ladder.receive(&challenge(&invite, 401));
    ladder.expect(Method::Ack);
    assert_eq!(wanted(&mut ladder), [TokenNeed::Expired]);
}

#[test]
fn where_a_password_will_do_it_is_used() {
    let mut config = config();
    config.token = None;
    let mut ladder = Ladder::connected_with(config);
    let first = ladder.expect(Method::Register);
    let both = challenge(&first, 401)
        .edit()
        .append(
            HeaderName::WwwAuthenticate,
            "Digest realm=\"example.com\", nonce=\"n1\"",
        )
        .build();
    ladder.receive(&both);
    assert!(
        shown(&ladder.expect(Method::Register))
            .unwrap()
            .starts_with("Digest ")
    );
    assert_eq!(wanted(&mut ladder), []);
}

#[test]
fn a_token_is_never_sent_in_the_clear_and_never_shown_in_a_log() {
    let mut config = account(Some("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    config.servers = vec!["ws://example.com/sip".into()];
    let mut ladder = Ladder::connected_with(config);
    let first = ladder.expect(Method::Register);
    ladder.receive(&challenge(&first, 401));
    for (_, sent) in ladder.take_sent() {
        assert_eq!(shown(&sent), None);
    }
    assert!(!format!("{:?}", ladder.agent).contains("s3cret"));
}
