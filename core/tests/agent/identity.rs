//! Who calls, by whom a call was sent on, and why it ended (RFC 3323, 3325, 3326, 5373, 5806, 7044).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, UriBuf};
use clearline_core::{CallOptions, CallState, Direction, Diversion, DiversionReason, EndCause};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config};

fn bob() -> FarEnd {
    FarEnd::calling("bob", "sip:alice@alice.invalid")
}

/// A call from bob with these header lines comes in.
fn ring_with(headers: &[(HeaderName<'_>, &str)]) -> Ladder {
    let mut ladder = Ladder::registered();
    let invite = with(bob().invite(Direction::SendRecv), headers);
    ladder.receive(&invite);
    ladder.expect_response(180, Method::Invite);
    ladder
}

fn with(message: Message, headers: &[(HeaderName<'_>, &str)]) -> Message {
    let edit = headers
        .iter()
        .fold(message.edit(), |edit, (name, value)| edit.append(*name, value));
    edit.build()
}

/// Name, user and URI as they are shown.
fn shown(ladder: &Ladder) -> (String, String, String) {
    let remote = &ladder.info(ladder.newest_call()).remote;
    (
        remote.display_name.clone(),
        remote.user.clone(),
        remote.uri.clone(),
    )
}

fn is(shown: (String, String, String), name: &str, user: &str, uri: &str) {
    assert_eq!(shown, (name.to_owned(), user.to_owned(), uri.to_owned()));
}

fn diverted_by(headers: &[(HeaderName<'_>, &str)]) -> Vec<(String, DiversionReason)> {
    let ladder = ring_with(headers);
    let diversions = &ladder.info(ladder.newest_call()).diverted_by;
    let shown = |it: &Diversion| (it.party.user.clone(), it.reason);
    diversions.iter().map(shown).collect()
}

#[test]
fn the_asserted_identity_goes_before_the_claimed_one() {
    let ladder = ring_with(&[(
        HeaderName::PAssertedIdentity,
        "\"Bob Stone\" <sip:102@example.com>",
    )]);
    is(shown(&ladder), "Bob Stone", "102", "sip:102@example.com");
}

#[test]
fn of_several_asserted_identities_the_one_that_can_be_called_back_is_shown_with_the_name_of_either() {
    let ladder = ring_with(&[
        (
            HeaderName::PAssertedIdentity,
            "\"Bob Stone\" <tel:+49-30-102>, <sip:102@example.com>",
        ),
        (HeaderName::PAssertedIdentity, "broken <"),
    ]);
    is(shown(&ladder), "Bob Stone", "102", "sip:102@example.com");
}

#[test]
fn a_number_is_shown_without_its_decoration() {
    let ladder = ring_with(&[(HeaderName::PAssertedIdentity, "<tel:+49-30-10.2;ext=7>")]);
    is(shown(&ladder), "", "+4930102x7", "tel:+49-30-10.2;ext=7");
    let ladder = ring_with(&[(
        HeaderName::PAssertedIdentity,
        "<sip:+49-30-102;ext=7@example.com;user=phone>",
    )]);
    assert_eq!(shown(&ladder).1, "+4930102x7");
}

#[test]
fn a_caller_who_withholds_who_it_is_is_shown_as_such() {
    let asserted = (HeaderName::PAssertedIdentity, "\"Bob\" <sip:102@example.com>");
    for privacy in ["id", "header;id", "user;critical", "ID"] {
        let ladder = ring_with(&[asserted, (HeaderName::Privacy, privacy)]);
        assert!(ladder.info(ladder.newest_call()).anonymous, "{privacy}");
        is(shown(&ladder), "", "", "sip:anonymous@anonymous.invalid");
    }
    for privacy in ["none", "header", "session"] {
        let ladder = ring_with(&[asserted, (HeaderName::Privacy, privacy)]);
        assert!(!ladder.info(ladder.newest_call()).anonymous, "{privacy}");
        assert_eq!(shown(&ladder).0, "Bob");
    }
    let mut ladder = Ladder::registered();
    let invite = bob().invite(Direction::SendRecv);
    let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=bob-tag";
    ladder.receive(&invite.edit().set(HeaderName::From, from).build());
    assert!(ladder.info(ladder.newest_call()).anonymous);
}

#[test]
fn an_anonymous_call_names_nobody() {
    let mut ladder = Ladder::connected_with(config());
    let register = ladder.expect(Method::Register);
    let contact = register.header(HeaderName::Contact).unwrap();
    let gruu = format!("{contact};pub-gruu=\"sip:alice@example.com;gr=1\"");
    let granted = clearline_core::sip::ResponseBuilder::for_request(&register, 200)
        .to_tag("registrar")
        .header(HeaderName::Contact, gruu);
    ladder.receive(&granted.build());
    let mut options = CallOptions::default();
    options.anonymous = true;
    ladder.dial_with(CALL, "bob", options).unwrap();
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.header(HeaderName::Privacy), Some("id"));
    let far = FarEnd::called(&invite, "bob-tag");
    ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    let ack = ladder.expect(Method::Ack);
    ladder.hold(CALL);
    let reinvite = ladder.expect(Method::Invite);
    for message in [&invite, &ack, &reinvite] {
        let names_alice = String::from_utf8_lossy(message.as_bytes()).contains("alice");
        assert!(!names_alice, "{}", crate::ladder::text(message));
        let from = message.from().unwrap();
        assert_eq!(from.uri.as_str(), "sip:anonymous@anonymous.invalid");
    }
    assert!(ladder.info(CALL).anonymous);
}

#[test]
fn the_preferred_identity_is_told_only_where_there_is_one() {
    let mut ladder = Ladder::connected();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(invite.header(HeaderName::PPreferredIdentity), None);
    assert_eq!(invite.header(HeaderName::Privacy), None);

    let mut config = config();
    config.register = false;
    config.preferred_identity = Some(UriBuf::parse("sip:sales@example.com").unwrap());
    let mut ladder = Ladder::connected_with(config);
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    assert_eq!(
        invite.header(HeaderName::PPreferredIdentity),
        Some("<sip:sales@example.com>")
    );
}

#[test]
fn diversions_are_told_the_last_one_first() {
    let told = diverted_by(&[(
        HeaderName::Diversion,
        "\"Sales\" <sip:200@example.com>;reason=user-busy;counter=1, <tel:+49-30-2>;reason=\"No-Answer\"",
    )]);
    assert_eq!(
        told,
        [
            ("200".to_owned(), DiversionReason::UserBusy),
            ("+49302".to_owned(), DiversionReason::NoAnswer)
        ]
    );
    assert_eq!(diverted_by(&[]), []);
}

#[test]
fn a_diverting_party_that_wants_privacy_is_not_named() {
    let told = diverted_by(&[(
        HeaderName::Diversion,
        "<sip:200@example.com>;reason=away;privacy=full, <sip:201@example.com>;reason=weather",
    )]);
    assert_eq!(
        told,
        [
            (String::new(), DiversionReason::Away),
            ("201".to_owned(), DiversionReason::Unknown)
        ]
    );
}

#[test]
fn history_tells_where_a_call_was_before() {
    // RFC 7544's form: the cause stands at the target it was sent on to.
    let told = diverted_by(&[(
        HeaderName::HistoryInfo,
        "<sip:200@example.com>;index=1, <sip:201@example.com;cause=302>;index=1.1;mp=1, \
         <sip:alice@example.com;cause=408>;index=1.1.1;mp=1.1",
    )]);
    assert_eq!(
        told,
        [
            ("201".to_owned(), DiversionReason::NoAnswer),
            ("200".to_owned(), DiversionReason::Unconditional)
        ]
    );
    // RFC 4244's form: the reason stands at the target that was left.
    let told = diverted_by(&[(
        HeaderName::HistoryInfo,
        "<sip:200@example.com?Reason=SIP%3Bcause%3D486>;index=1,<sip:alice@example.com>;index=1.1",
    )]);
    assert_eq!(told, [("200".to_owned(), DiversionReason::UserBusy)]);
    let hidden = diverted_by(&[(
        HeaderName::HistoryInfo,
        "<sip:200@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1",
    )]);
    assert_eq!(hidden, [(String::new(), DiversionReason::UserBusy)]);
    // A call that was only routed was not diverted.
    let routed = "<sip:alice@example.com>;index=1, <sip:alice@192.0.2.1>;index=1.1;rc=1.9";
    assert_eq!(diverted_by(&[(HeaderName::HistoryInfo, routed)]), []);
}

#[test]
fn histories_without_end_are_bounded() {
    let long = format!("<sip:{}@example.com>;reason=away", "9".repeat(3_000));
    let many = vec![long; 100].join(", ");
    let told = diverted_by(&[(HeaderName::Diversion, &many[..60_000])]);
    assert!(told.len() <= 8);
    assert!(told.iter().all(|(user, _)| user.len() <= 256));
    let entries: Vec<_> = (0..200)
        .map(|n| format!("<sip:{n}@example.com?Reason=SIP%3Bcause%3D302>;index={n};mp={n}"))
        .collect();
    let told = diverted_by(&[(HeaderName::HistoryInfo, &entries.join(","))]);
    assert_eq!(told.len(), 8);
}

#[test]
fn a_hang_up_says_why_where_there_is_a_reason() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 180);
    ladder.pass(120.1);
    let cancel = ladder.expect(Method::Cancel);
    let reason = cancel.reason_cause().next().unwrap().unwrap();
    assert_eq!((reason.protocol, reason.cause()), ("SIP", Some(408)));

    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    ladder.respond(&invite, 180);
    ladder.hang_up(CALL);
    let cancel = ladder.expect(Method::Cancel);
    assert_eq!(cancel.header(HeaderName::Reason), None, "a person's wish");
}

#[test]
fn a_fork_that_answers_too_late_hears_that_another_was_faster() {
    let (mut ladder, invite) = {
        let mut ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        (ladder, invite)
    };
    for tag in ["first", "second"] {
        let far = FarEnd::called(&invite, tag);
        ladder.receive(&far.accepts(&invite, Direction::SendRecv));
        ladder.expect(Method::Ack);
    }
    let bye = ladder.expect(Method::Bye);
    let reason = bye.reason_cause().next().unwrap().unwrap();
    assert_eq!(reason.cause(), Some(200));
}

#[test]
fn the_reason_of_a_bye_is_kept() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let bye = far
        .request(Method::Bye)
        .header(HeaderName::Reason, "Q.850;cause=16;text=\"Normal call clearing\"");
    ladder.receive(&bye.build());
    let end = ladder.end(CALL);
    assert_eq!(
        (end.cause, end.q850_cause, end.text.as_str()),
        (EndCause::RemoteHangUp, Some(16), "Normal call clearing")
    );

    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let bye = far.request(Method::Bye).header(
        HeaderName::Reason,
        "SIP;cause=200;text=\"Call completed elsewhere\"",
    );
    ladder.receive(&bye.build());
    assert_eq!(ladder.cause(CALL), EndCause::AnsweredElsewhere);
}

#[test]
fn the_telephone_network_says_more_than_the_status() {
    for (status, reason, cause) in [
        (480, "Q.850;cause=17", EndCause::Busy),
        (503, "Q.850;cause=1;text=\"Unallocated\"", EndCause::NotFound),
        (486, "Q.850;cause=1", EndCause::Busy),
        (480, "Q.850;cause=999", EndCause::Unavailable),
        (480, "nonsense;;", EndCause::Unavailable),
    ] {
        let mut ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let far = FarEnd::called(&invite, "bob-tag");
        let refusal = far.response(&invite, status).header(HeaderName::Reason, reason);
        ladder.receive(&refusal.build());
        assert_eq!(ladder.cause(CALL), cause, "{status} {reason}");
    }
}

#[test]
fn no_caller_opens_a_microphone_by_asking() {
    for (name, value) in [
        (HeaderName::AnswerMode, "Auto"),
        (HeaderName::CallInfo, "<sip:example.com>;answer-after=0"),
        (
            HeaderName::AlertInfo,
            "<http://example.com>;info=alert-autoanswer",
        ),
    ] {
        let ladder = ring_with(&[(name, value)]);
        assert_eq!(ladder.state(ladder.newest_call()), CallState::Incoming, "{value}");
        assert!(ladder.media.log.is_empty());
    }
    let mut ladder = Ladder::registered();
    let invite = with(
        bob().invite(Direction::SendRecv),
        &[(HeaderName::AnswerMode, "Auto;require")],
    );
    ladder.receive(&invite);
    ladder.expect_response(403, Method::Invite);
}

#[test]
fn an_intercom_answers_those_who_ask() {
    for (name, value, answers) in [
        (HeaderName::AnswerMode, "Auto", true),
        (HeaderName::AnswerMode, "auto;require", true),
        (HeaderName::AnswerMode, "Manual", false),
        (HeaderName::CallInfo, "<sip:example.com>;answer-after=0", true),
        (HeaderName::CallInfo, "<sip:example.com>;answer-after=5", false),
        (
            HeaderName::AlertInfo,
            "<http://example.com>;info=alert-autoanswer",
            true,
        ),
        (HeaderName::AlertInfo, "<http://example.com>", false),
    ] {
        let mut config = config();
        config.follow_answer_mode = true;
        let mut ladder = Ladder::connected_with(config);
        ladder.register();
        ladder.receive(&with(bob().invite(Direction::SendRecv), &[(name, value)]));
        ladder.expect_response(180, Method::Invite);
        let answered = ladder.take_sent().len() == 1;
        assert_eq!(answered, answers, "{value}");
    }
}

#[test]
fn how_a_call_rings_is_the_platforms_matter_only_by_policy() {
    let alert = (
        HeaderName::AlertInfo,
        "<http://example.com/bell.wav>, <urn:alert:source:external>",
    );
    let ladder = ring_with(&[alert]);
    assert_eq!(ladder.info(ladder.newest_call()).alert, None);

    let mut config = config();
    config.follow_alert_info = true;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.receive(&with(bob().invite(Direction::SendRecv), &[alert]));
    let alert = ladder.info(ladder.newest_call()).alert.as_deref();
    assert_eq!(alert, Some("urn:alert:source:external"));
}

#[test]
fn a_call_says_who_has_sent_the_caller() {
    let referred_by = |value: &str| {
        let ladder = ring_with(&[(HeaderName::ReferredBy, value)]);
        let info = ladder.info(ladder.newest_call());
        info.transferred_by.clone().map(|by| (by.display_name, by.user))
    };
    let carol = Some(("Carol".to_owned(), "carol".to_owned()));
    assert_eq!(referred_by("Carol <sip:carol@example.com>"), carol);
    let long = format!("\"{}\" <sip:carol@example.com>", "x".repeat(5_000));
    assert!(referred_by(&long).is_some_and(|(name, _)| name.len() <= 256));
    // Whoever moves a call to this device, or calls without any help, has not passed it on.
    for own in ["<sip:alice@example.com>", "<sip:bob@example.com>"] {
        assert_eq!(referred_by(own), None, "{own}");
    }
    assert_eq!(referred_by("<sip:anonymous@anonymous.invalid>"), None);
    assert_eq!(referred_by("not an address"), None);
}
