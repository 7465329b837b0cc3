//! Redirects and failures of an INVITE (RFC 3261 sections 8.1.3.4, 13.2.2 and 21.3).

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, ResponseBuilder};
use clearline_core::{CallState, Direction, EndCause, RedirectPolicy};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder, config};

/// A call to bob with this policy, and its INVITE.
fn calling(policy: RedirectPolicy) -> (Ladder, Message) {
    let mut config = config();
    config.redirect_policy = policy;
    let mut ladder = Ladder::connected_with(config);
    ladder.register();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    (ladder, invite)
}

/// Answers `invite` with a redirect, whose ACK is taken.
fn redirect(ladder: &mut Ladder, invite: &Message, status: u16, contacts: &str) {
    let response = ResponseBuilder::for_request(invite, status)
        .to_tag("redirector")
        .header(HeaderName::Contact, contacts)
        .build();
    ladder.receive(&response);
    ladder.expect(Method::Ack);
}

fn fail(ladder: &mut Ladder, invite: &Message, status: u16) {
    ladder.respond(invite, status);
    ladder.expect(Method::Ack);
}

fn went_to(ladder: &Ladder) -> Option<&str> {
    ladder
        .info(CALL)
        .redirected_to
        .as_ref()
        .map(|it| it.user.as_str())
}

#[test]
fn a_call_goes_on_where_it_is_sent() {
    for status in [300, 301, 302, 399] {
        let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
        redirect(
            &mut ladder,
            &first,
            status,
            "\"Carol\" <sip:carol@EXAMPLE.com;x=1?Subject=s>;expires=60",
        );
        let second = ladder.expect(Method::Invite);
        assert_eq!(second.request_uri_text(), Some("sip:carol@EXAMPLE.com;x=1"));
        for same in [
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::Contact,
        ] {
            assert_eq!(second.header(same), first.header(same), "section 8.1.3.4");
        }
        assert_eq!(second.body(), first.body());
        assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
        let branch = |it: &Message| it.top_via().unwrap().branch().map(str::to_owned);
        assert_ne!(branch(&second), branch(&first));
        assert_eq!(went_to(&ladder), Some("carol"));
        assert_eq!(
            ladder.info(CALL).redirected_to.as_ref().unwrap().display_name,
            "Carol"
        );

        let far = FarEnd::called(&second, "carol-tag");
        ladder.receive(&far.response(&second, 180).build());
        assert_eq!(ladder.state(CALL), CallState::Ringing);
        ladder.receive(&far.accepts(&second, Direction::SendRecv));
        ladder.expect(Method::Ack);
        assert_eq!(ladder.state(CALL), CallState::Active);
        assert_eq!(ladder.media.open_sessions().len(), 1);
        assert!(ladder.media.is_stable(ladder.session()));
    }
}

#[test]
fn the_policy_says_where_a_call_may_be_sent() {
    for (policy, contact, followed) in [
        (RedirectPolicy::Never, "<sip:carol@example.com>", false),
        (RedirectPolicy::SameDomain, "<sip:carol@example.com>", true),
        (RedirectPolicy::SameDomain, "<sip:carol@elsewhere.example>", false),
        (RedirectPolicy::SameDomain, "<sip:carol@not-example.com>", false),
        (RedirectPolicy::SameDomain, "<tel:+49-30-1>", true),
        (RedirectPolicy::Any, "<sip:carol@elsewhere.example>", true),
        (RedirectPolicy::Any, "<mailto:carol@example.com>", false),
        (RedirectPolicy::Any, "*", false),
    ] {
        let (mut ladder, first) = calling(policy);
        redirect(&mut ladder, &first, 302, contact);
        if followed {
            ladder.expect(Method::Invite);
            continue;
        }
        ladder.expect_silence();
        assert_eq!(ladder.end(CALL).sip_status, Some(302), "{policy:?} {contact}");
        let told = ladder.info(CALL).redirected_to.is_some();
        assert_eq!(told, contact != "*", "the user may want to call there");
    }
}

#[test]
fn a_number_is_called_on_the_own_platform() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    redirect(&mut ladder, &first, 302, "<tel:+49-30-1>");
    let second = ladder.expect(Method::Invite);
    assert_eq!(second.request_uri_text(), Some("sip:+49301@example.com"));
}

#[test]
fn proxies_and_services_of_the_far_ends_choice_are_not_followed() {
    for status in [305, 380] {
        let (mut ladder, first) = calling(RedirectPolicy::Any);
        redirect(&mut ladder, &first, status, "<sip:proxy.example.com>");
        ladder.expect_silence();
        assert_eq!(ladder.end(CALL).sip_status, Some(status));
    }
}

#[test]
fn addresses_are_tried_one_after_another_the_best_first() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    redirect(
        &mut ladder,
        &first,
        300,
        "<sip:c@example.com>;q=0.2, <sip:b@example.com>;q=0.7, <sip:a@example.com>, <sip:d@example.com>;q=nonsense",
    );
    let mut order = Vec::new();
    for status in [480, 404, 503, 486] {
        let invite = ladder.expect(Method::Invite);
        order.push(invite.request_uri().unwrap().user().unwrap().to_owned());
        fail(&mut ladder, &invite, status);
    }
    assert_eq!(order, ["a", "d", "b", "c"]);
    assert_eq!(ladder.cause(CALL), EndCause::Busy, "what the last one said");
    assert_eq!(ladder.media.open_sessions(), []);
}

#[test]
fn what_a_redirect_leads_to_goes_before_its_siblings() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    redirect(
        &mut ladder,
        &first,
        300,
        "<sip:a@example.com>;q=0.9, <sip:b@example.com>;q=0.8",
    );
    let a = ladder.expect(Method::Invite);
    redirect(&mut ladder, &a, 302, "<sip:a2@example.com>;q=0.1");
    let a2 = ladder.expect(Method::Invite);
    assert_eq!(a2.request_uri_text(), Some("sip:a2@example.com"));
    fail(&mut ladder, &a2, 480);
    let b = ladder.expect(Method::Invite);
    assert_eq!(b.request_uri_text(), Some("sip:b@example.com"));
}

#[test]
fn a_refusal_for_all_ends_the_search() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    redirect(
        &mut ladder,
        &first,
        300,
        "<sip:a@example.com>, <sip:b@example.com>",
    );
    let a = ladder.expect(Method::Invite);
    fail(&mut ladder, &a, 603);
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Rejected);
}

#[test]
fn nobody_is_called_twice() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    // To itself, and to one address under two spellings.
    redirect(
        &mut ladder,
        &first,
        302,
        "<sip:bob@example.com>, <sip:%61@example.com>, <sip:a@EXAMPLE.COM>",
    );
    let a = ladder.expect(Method::Invite);
    redirect(&mut ladder, &a, 302, "<sip:bob@example.com>, <sip:a@example.com>");
    ladder.expect_silence();
    assert_eq!(ladder.end(CALL).sip_status, Some(302));
}

#[test]
fn redirects_without_end_come_to_one() {
    let (mut ladder, mut invite) = calling(RedirectPolicy::SameDomain);
    let mut hops = 0;
    while ladder.state(CALL) == CallState::Calling {
        redirect(&mut ladder, &invite, 302, &format!("<sip:hop{hops}@example.com>"));
        let Some((_, next)) = ladder.take_sent().pop() else {
            break;
        };
        invite = next;
        hops += 1;
    }
    assert_eq!(hops, 5);
    // Wide instead of deep.
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    let many: Vec<_> = (0..200).map(|n| format!("<sip:{n}@example.com>")).collect();
    redirect(&mut ladder, &first, 300, &many.join(", "));
    let mut tried = 0;
    while ladder.state(CALL) == CallState::Calling {
        let invite = ladder.expect(Method::Invite);
        fail(&mut ladder, &invite, 480);
        tried += 1;
    }
    assert_eq!(tried, 7, "eight addresses with the first");
}

#[test]
fn a_hang_up_stops_the_search() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    ladder.respond(&first, 100);
    ladder.hang_up(CALL);
    ladder.expect(Method::Cancel);
    redirect(&mut ladder, &first, 302, "<sip:carol@example.com>");
    ladder.expect_silence();
    assert_eq!(ladder.cause(CALL), EndCause::Cancelled);
}

#[test]
fn an_address_that_does_not_answer_is_left_for_the_next() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    redirect(
        &mut ladder,
        &first,
        300,
        "<sip:a@example.com>, <sip:b@example.com>",
    );
    ladder.expect(Method::Invite);
    ladder.pass(33.0);
    let b = ladder.expect(Method::Invite);
    assert_eq!(b.request_uri_text(), Some("sip:b@example.com"));
}

#[test]
fn a_challenge_on_the_way_keeps_the_numbers_rising() {
    let (mut ladder, first) = calling(RedirectPolicy::SameDomain);
    let challenge = ResponseBuilder::for_request(&first, 407)
        .to_tag("proxy")
        .header(
            HeaderName::ProxyAuthenticate,
            "Digest realm=\"example.com\", nonce=\"n1\", qop=\"auth\"",
        )
        .build();
    ladder.receive(&challenge);
    ladder.expect(Method::Ack);
    let again = ladder.expect(Method::Invite);
    redirect(&mut ladder, &again, 302, "<sip:carol@example.com>");
    let second = ladder.expect(Method::Invite);
    assert_eq!(second.cseq().unwrap().number, again.cseq().unwrap().number + 1);
    assert_eq!(second.header_all(HeaderName::ProxyAuthorization).count(), 1);
    assert_eq!(second.header_all(HeaderName::Via).count(), 1);
}

#[test]
fn failures_mean_what_their_class_says() {
    for (status, cause) in [
        (404, EndCause::NotFound),
        (410, EndCause::NotFound),
        (484, EndCause::NotFound),
        (485, EndCause::NotFound),
        (499, EndCause::Unavailable),
        (486, EndCause::Busy),
        (600, EndCause::Busy),
        (603, EndCause::Rejected),
        (607, EndCause::Rejected),
        (488, EndCause::NotAcceptable),
        (500, EndCause::ServerFailed),
        (503, EndCause::ServerFailed),
        (599, EndCause::ServerFailed),
        (604, EndCause::NotFound),
        (606, EndCause::NotAcceptable),
        (699, EndCause::Unavailable),
    ] {
        let (mut ladder, invite) = calling(RedirectPolicy::Any);
        // Choices for a person (section 21.4.23) are not tried by themselves.
        let far = FarEnd::called(&invite, "far");
        ladder.receive(&far.response(&invite, status).build());
        ladder.expect(Method::Ack);
        ladder.expect_silence();
        assert_eq!(ladder.cause(CALL), cause, "{status}");
    }
}

#[test]
fn a_platform_that_is_overloaded_says_when_to_call_again() {
    let (mut ladder, invite) = calling(RedirectPolicy::SameDomain);
    let overloaded = ResponseBuilder::for_request(&invite, 503)
        .to_tag("p")
        .header(HeaderName::RetryAfter, "18 (maintenance);duration=60")
        .build();
    ladder.receive(&overloaded);
    assert_eq!(ladder.end(CALL).retry_after, Some(18));
}
