//! Ladder tests of the transaction layer: at a time, this in, that out. Times are milliseconds.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::sip::{HeaderName, RequestBuilder, ResponseBuilder, Uri};

const CONNECTION: ConnectionId = ConnectionId(7);
const OTHER_CONNECTION: ConnectionId = ConnectionId(8);
const RELIABLE: Flow = Flow::reliable(CONNECTION);
const UNRELIABLE: Flow = Flow {
    connection: CONNECTION,
    reliable: false,
};

/// A layer on one flow under a virtual clock.
struct Ladder {
    layer: Transactions,
    flow: Flow,
    now: u64,
}

impl Ladder {
    fn reliable() -> Self {
        Self::on(RELIABLE)
    }

    fn unreliable() -> Self {
        Self::on(UNRELIABLE)
    }

    fn on(flow: Flow) -> Self {
        Self {
            layer: Transactions::new(),
            flow,
            now: 0,
        }
    }

    fn time(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// Sends `request` at the present time.
    fn send(&mut self, request: &Message) -> TransactionId {
        let mut out = Outbox::new();
        let id = self.layer.send(self.time(), self.flow, request.clone(), &mut out);
        assert_eq!(out, [(CONNECTION, request.clone())]);
        id.unwrap()
    }

    /// Takes in `message`; what it is to the TU, and what goes out for it.
    fn receive(&mut self, message: &Message) -> (Received, Vec<Message>) {
        let mut out = Outbox::new();
        let received = self
            .layer
            .receive(self.time(), self.flow, message.clone(), &mut out);
        (received, messages(out))
    }

    /// Takes in a request that opens a server transaction.
    fn open(&mut self, request: &Message) -> TransactionId {
        match self.receive(request) {
            (Received::Request { transaction, .. }, sent) if sent.is_empty() => transaction,
            (received, _) => panic!("expected a new request, not {received:?}"),
        }
    }

    /// Takes in a message that is only absorbed; what goes out for it.
    fn absorb(&mut self, message: &Message) -> Vec<Message> {
        match self.receive(message) {
            (Received::Absorbed, sent) => sent,
            (received, _) => panic!("expected nothing for the TU, not {received:?}"),
        }
    }

    fn respond(&mut self, id: TransactionId, response: &Message) -> Vec<Message> {
        let mut out = Outbox::new();
        self.layer.respond(self.time(), id, response.clone(), &mut out);
        messages(out)
    }

    /// Jumps to `at` and on the way to each deadline; what happens at which time.
    fn until(&mut self, at: u64) -> Vec<(u64, String)> {
        let mut ladder = Vec::new();
        while let Some(deadline) = self.layer.deadline().filter(|due| due.as_millis() <= at) {
            assert!(deadline >= self.time(), "a deadline in the past");
            self.now = deadline.as_millis();
            let mut out = Outbox::new();
            let events = self.layer.handle_timeout(deadline, &mut out);
            assert!(
                !out.is_empty() || !events.is_empty(),
                "woken at {} for nothing",
                self.now
            );
            ladder.extend(messages(out).iter().map(|message| (self.now, name_of(message))));
            ladder.extend(events.iter().map(|event| (self.now, event_name(*event))));
        }
        self.now = at;
        ladder
    }

    /// Waits for the end of everything: nothing may stay for ever.
    fn finish(&mut self) -> Vec<(u64, String)> {
        let ladder = self.until(self.now + 200_000);
        assert!(self.layer.is_empty(), "a transaction stays for ever");
        assert_eq!(self.layer.deadline(), None);
        assert!(self.layer.by_key.is_empty() && self.layer.deadlines.is_empty());
        ladder
    }
}

fn messages(out: Outbox) -> Vec<Message> {
    out.into_iter().map(|(_, message)| message).collect()
}

fn name_of(message: &Message) -> String {
    message
        .status()
        .map_or_else(|| message.method().to_string(), |status| status.to_string())
}

fn event_name(event: TransactionEvent) -> String {
    match event {
        TransactionEvent::TimedOut(_) => "timed out",
        TransactionEvent::TransportFailed(_) => "transport failed",
        TransactionEvent::AckMissing(_) => "no ACK",
        TransactionEvent::Terminated(_) => "over",
    }
    .to_owned()
}

fn steps<'a>(steps: impl IntoIterator<Item = (u64, &'a str)>) -> Vec<(u64, String)> {
    steps
        .into_iter()
        .map(|(at, what)| (at, what.to_owned()))
        .collect()
}

/// A request with the top Via `via`.
fn request_via(method: Method<'_>, via: &str) -> Message {
    let uri = Uri::parse("sip:bob@example.com").unwrap();
    RequestBuilder::new(method, uri)
        .header(HeaderName::Via, via)
        .header(
            HeaderName::Route,
            "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>",
        )
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::From, "<sip:alice@example.com>;tag=a")
        .header(HeaderName::To, "<sip:bob@example.com>")
        .header(HeaderName::CallId, "c1")
        .header(HeaderName::CSeq, format_args!("3 {}", method.as_str()))
        .build()
}

fn request(method: Method<'_>) -> Message {
    request_via(method, "SIP/2.0/WS alice.invalid;branch=z9hG4bKone")
}

fn response(request: &Message, status: u16) -> Message {
    response_of("b", request, status)
}

fn response_of(tag: &str, request: &Message, status: u16) -> Message {
    ResponseBuilder::for_request(request, status).to_tag(tag).build()
}

/// The ACK of a hop: the INVITE's branch.
fn ack(invite: &Message, tag: &str) -> Message {
    let via = invite.header(HeaderName::Via).unwrap();
    request_via(Method::Ack, via)
        .edit()
        .set(HeaderName::To, format_args!("<sip:bob@example.com>;tag={tag}"))
        .build()
}

fn delivered(id: TransactionId, response: &Message) -> (Received, Vec<Message>) {
    let received = Received::Response {
        transaction: id,
        response: response.clone(),
    };
    (received, Vec::new())
}

// --- INVITE client ---------------------------------------------------------------------------------------------

#[test]
fn unanswered_invite_is_resent_by_timer_a_until_timer_b() {
    let mut ladder = Ladder::unreliable();
    ladder.send(&request(Method::Invite));
    assert_eq!(
        ladder.finish(),
        steps([
            (500, "INVITE"),
            (1_500, "INVITE"),
            (3_500, "INVITE"),
            (7_500, "INVITE"),
            (15_500, "INVITE"),
            (31_500, "INVITE"),
            (32_000, "timed out"),
            (32_000, "over"),
        ])
    );
}

#[test]
fn unanswered_invite_over_a_reliable_transport_only_times_out() {
    let mut ladder = Ladder::reliable();
    ladder.send(&request(Method::Invite));
    assert_eq!(ladder.finish(), steps([(32_000, "timed out"), (32_000, "over")]));
}

#[test]
fn provisional_response_ends_timers_a_and_b() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.send(&invite);
    assert_eq!(ladder.until(600).len(), 1);
    assert!(!ladder.layer.is_proceeding(id));
    for status in [100, 180, 183, 180] {
        let provisional = response(&invite, status);
        assert_eq!(ladder.receive(&provisional), delivered(id, &provisional));
        assert!(ladder.layer.is_proceeding(id));
    }
    // The far end may ring for as long as it likes.
    assert_eq!(ladder.until(600_000), []);
    assert!(ladder.layer.awaits_response(id));
    let busy = response(&invite, 486);
    ladder.receive(&busy);
    ladder.finish();
}

#[test]
fn failure_is_acknowledged_by_the_layer_and_again_for_each_repetition_until_timer_d() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.send(&invite);
    let busy = response(&invite, 486);
    ladder.now = 100;
    let (received, sent) = ladder.receive(&busy);
    assert_eq!(received, delivered(id, &busy).0);
    assert_eq!(sent.iter().map(name_of).collect::<Vec<_>>(), ["ACK"]);
    ladder.now = 600;
    assert_eq!(ladder.absorb(&busy), sent, "the same ACK");
    assert_eq!(ladder.absorb(&response(&invite, 180)), []);
    assert_eq!(ladder.absorb(&response(&invite, 200)), [], "no change of mind");
    assert_eq!(ladder.finish(), steps([(32_100, "over")]));
}

#[test]
fn failure_over_a_reliable_transport_ends_the_transaction_at_once() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    ladder.send(&invite);
    ladder.receive(&response(&invite, 100));
    let (_, sent) = ladder.receive(&response(&invite, 603));
    assert_eq!(sent.len(), 1);
    assert!(ladder.layer.is_empty());
    assert!(matches!(
        ladder.receive(&response(&invite, 603)).0,
        Received::StrayResponse { .. }
    ));
}

#[test]
fn ack_to_a_failure_is_built_by_section_17_1_1_3() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite)
        .edit()
        .append(HeaderName::Contact, "<sip:alice@alice.invalid>")
        .body("application/sdp", b"v=0\r\n")
        .build();
    ladder.send(&invite);
    let (_, sent) = ladder.receive(&response_of("theirs", &invite, 486));
    let ack = &sent[0];
    assert_eq!(ack.method(), Method::Ack);
    assert_eq!(ack.request_uri_text(), invite.request_uri_text());
    assert_eq!(ack.vias().count(), 1);
    assert_eq!(ack.header(HeaderName::Via), invite.header(HeaderName::Via));
    let routes = |message: &Message| {
        let routes = message.header_list(HeaderName::Route).map(str::to_owned);
        routes.collect::<Vec<_>>()
    };
    assert_eq!(routes(ack), routes(&invite));
    assert_eq!(ack.header(HeaderName::From), invite.header(HeaderName::From));
    assert_eq!(ack.header(HeaderName::CallId), Some("c1"));
    assert_eq!(ack.to().unwrap().tag(), Some("theirs"), "the response's To");
    assert_eq!(ack.header(HeaderName::CSeq), Some("3 ACK"));
    assert!(ack.header(HeaderName::MaxForwards).is_some());
    assert_eq!(ack.body(), b"");
    assert_eq!(ack.header(HeaderName::Contact), None);
    assert_eq!(ack.validate(), Ok(()));
}

#[test]
fn ack_of_a_proxy_carries_its_own_via_only() {
    let mut ladder = Ladder::reliable();
    let received = request(Method::Invite);
    let forwarded = received
        .edit()
        .prepend(
            HeaderName::Via,
            "SIP/2.0/WS proxy.example.com;branch=z9hG4bKproxy",
        )
        .build();
    ladder.send(&forwarded);
    let (_, sent) = ladder.receive(&response(&forwarded, 404));
    assert_eq!(sent[0].vias().count(), 1);
    assert_eq!(sent[0].top_via().unwrap().branch(), Some("z9hG4bKproxy"));
}

#[test]
fn every_2xx_of_every_fork_reaches_the_tu_until_timer_m() {
    for mut ladder in [Ladder::reliable(), Ladder::unreliable()] {
        let invite = request(Method::Invite);
        let id = ladder.send(&invite);
        ladder.now = 100;
        for tag in ["fork1", "fork1", "fork2"] {
            let answer = response_of(tag, &invite, 200);
            assert_eq!(
                ladder.receive(&answer),
                delivered(id, &answer),
                "and no ACK of ours"
            );
        }
        assert!(!ladder.layer.awaits_response(id));
        assert_eq!(ladder.until(32_099), []);
        let late = response_of("fork3", &invite, 200);
        assert_eq!(ladder.receive(&late), delivered(id, &late));
        for status in [180, 486] {
            assert_eq!(ladder.absorb(&response(&invite, status)), []);
        }
        assert_eq!(ladder.finish(), steps([(32_100, "over")]));
        assert!(matches!(ladder.receive(&late).0, Received::StrayResponse { .. }));
    }
}

#[test]
fn cancel_is_built_by_section_9_1() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite)
        .edit()
        .append(HeaderName::Require, "100rel")
        .append(HeaderName::Authorization, "Digest username=\"alice\"")
        .body("application/sdp", b"v=0\r\n")
        .build();
    let id = ladder.send(&invite);
    ladder.receive(&response_of("theirs", &invite, 180));
    let cancel = ladder.layer.cancel_request(id).unwrap();
    assert_eq!(cancel.method(), Method::Cancel);
    assert_eq!(cancel.request_uri_text(), invite.request_uri_text());
    for name in [
        HeaderName::Via,
        HeaderName::Route,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        assert_eq!(cancel.header(name), invite.header(name), "{name:?}");
    }
    assert_eq!(cancel.header(HeaderName::CSeq), Some("3 CANCEL"));
    assert_eq!(cancel.header(HeaderName::Require), None);
    assert_eq!(cancel.header(HeaderName::Authorization), None);
    assert_eq!(cancel.body(), b"");
    assert_eq!(cancel.validate(), Ok(()));
}

#[test]
fn cancel_and_its_invite_share_a_branch_and_yet_are_two_transactions() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let invite_id = ladder.send(&invite);
    ladder.receive(&response(&invite, 100));
    let cancel = ladder.layer.cancel_request(invite_id).unwrap();
    let cancel_id = ladder.send(&cancel);
    let ok = response(&cancel, 200);
    assert_eq!(ladder.receive(&ok), delivered(cancel_id, &ok));
    assert!(ladder.layer.awaits_response(invite_id));
    let terminated = response(&invite, 487);
    assert_eq!(ladder.receive(&terminated).0, delivered(invite_id, &terminated).0);
    ladder.finish();
}

#[test]
fn there_is_nothing_to_cancel_after_a_final_response() {
    for status in [200, 486] {
        let mut ladder = Ladder::unreliable();
        let invite = request(Method::Invite);
        let id = ladder.send(&invite);
        ladder.receive(&response(&invite, status));
        assert_eq!(ladder.layer.cancel_request(id), None);
    }
    let mut ladder = Ladder::unreliable();
    let id = ladder.send(&request(Method::Options));
    assert_eq!(ladder.layer.cancel_request(id), None, "not an INVITE");
}

#[test]
fn an_invite_that_is_given_up_leaves_nothing_behind() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.send(&invite);
    ladder.receive(&response(&invite, 180));
    ladder.layer.abandon(id);
    ladder.finish();
    assert!(matches!(
        ladder.receive(&response(&invite, 200)).0,
        Received::StrayResponse { .. }
    ));
}

// --- non-INVITE client -----------------------------------------------------------------------------------------

#[test]
fn unanswered_request_is_resent_by_timer_e_until_timer_f() {
    let mut ladder = Ladder::unreliable();
    ladder.send(&request(Method::Options));
    let resent = [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    let expected = resent
        .map(|at| (at, "OPTIONS"))
        .into_iter()
        .chain([(32_000, "timed out"), (32_000, "over")]);
    assert_eq!(ladder.finish(), steps(expected));
}

#[test]
fn in_proceeding_timer_e_goes_on_at_t2_and_timer_f_still_runs() {
    let mut ladder = Ladder::unreliable();
    let options = request(Method::Options);
    let id = ladder.send(&options);
    assert_eq!(ladder.until(700), steps([(500, "OPTIONS")]));
    let trying = response(&options, 100);
    assert_eq!(ladder.receive(&trying), delivered(id, &trying));
    // The running timer is not restarted; from its next firing on the interval is T2 (section 17.1.2.2).
    let resent = [1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500];
    let expected = resent
        .map(|at| (at, "OPTIONS"))
        .into_iter()
        .chain([(32_000, "timed out"), (32_000, "over")]);
    assert_eq!(ladder.finish(), steps(expected));
}

#[test]
fn unanswered_request_over_a_reliable_transport_only_times_out() {
    for answered in [false, true] {
        let mut ladder = Ladder::reliable();
        let bye = request(Method::Bye);
        ladder.send(&bye);
        if answered {
            ladder.receive(&response(&bye, 100));
        }
        assert_eq!(ladder.finish(), steps([(32_000, "timed out"), (32_000, "over")]));
    }
}

#[test]
fn repeated_final_responses_are_absorbed_until_timer_k() {
    let mut ladder = Ladder::unreliable();
    let options = request(Method::Options);
    let id = ladder.send(&options);
    let ok = response(&options, 200);
    ladder.now = 100;
    assert_eq!(ladder.receive(&ok), delivered(id, &ok));
    assert_eq!(ladder.absorb(&ok), []);
    assert_eq!(ladder.absorb(&response(&options, 100)), []);
    assert_eq!(ladder.finish(), steps([(5_100, "over")]));
    assert!(matches!(ladder.receive(&ok).0, Received::StrayResponse { .. }));
}

#[test]
fn final_response_over_a_reliable_transport_ends_the_transaction_at_once() {
    let mut ladder = Ladder::reliable();
    let options = request(Method::Options);
    ladder.send(&options);
    ladder.receive(&response(&options, 404));
    assert!(ladder.layer.is_empty());
}

#[test]
fn responses_of_another_branch_or_method_are_strays() {
    let mut ladder = Ladder::reliable();
    let options = request(Method::Options);
    ladder.send(&options);
    let other_branch = request_via(Method::Options, "SIP/2.0/WS alice.invalid;branch=z9hG4bKtwo");
    for stray in [response(&other_branch, 200), response(&request(Method::Bye), 200)] {
        assert!(matches!(ladder.receive(&stray).0, Received::StrayResponse { .. }));
    }
    assert_eq!(ladder.layer.len(), 1);
}

// --- INVITE server ---------------------------------------------------------------------------------------------

#[test]
fn invite_again_gets_the_last_provisional_response() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    assert_eq!(ladder.absorb(&invite), [], "nothing to repeat yet");
    for status in [100, 180] {
        let provisional = response(&invite, status);
        assert_eq!(ladder.respond(id, &provisional).len(), 1);
        assert_eq!(ladder.absorb(&invite), [provisional]);
    }
    assert_eq!(
        ladder.until(600_000),
        [],
        "it waits for the TU as long as that takes"
    );
    ladder.respond(id, &response(&invite, 480));
    ladder.finish();
}

/// What the census of an agent counts, and a bound on memory can be checked against.
#[test]
fn an_invite_holds_itself_and_its_last_response() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    let length = |message: &Message| message.as_bytes().len();
    assert_eq!(ladder.layer.held_bytes(), length(&invite));
    for status in [180, 486] {
        let last = response(&invite, status);
        ladder.respond(id, &last);
        assert_eq!(ladder.layer.held_bytes(), length(&invite) + length(&last));
    }
    ladder.finish();
    assert_eq!(ladder.layer.held_bytes(), 0);
}

#[test]
fn failure_is_resent_by_timer_g_until_timer_h() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    assert!(ladder.layer.awaits_response(id));
    let busy = response(&invite, 486);
    assert_eq!(ladder.respond(id, &busy).len(), 1);
    assert!(!ladder.layer.awaits_response(id), "only an ACK");
    assert_eq!(ladder.absorb(&invite), [busy]);
    let resent = [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    let expected = resent
        .map(|at| (at, "486"))
        .into_iter()
        .chain([(32_000, "no ACK"), (32_000, "over")]);
    assert_eq!(ladder.finish(), steps(expected));
}

#[test]
fn failure_over_a_reliable_transport_is_sent_once_and_waits_for_its_ack() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    ladder.respond(id, &response(&invite, 486));
    assert_eq!(ladder.finish(), steps([(32_000, "no ACK"), (32_000, "over")]));
}

#[test]
fn ack_ends_the_repetitions_and_timer_i_absorbs_its_own() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    ladder.respond(id, &response(&invite, 486));
    assert_eq!(ladder.until(600), steps([(500, "486")]));
    let ack = ack(&invite, "b");
    assert_eq!(ladder.absorb(&ack), []);
    assert_eq!(ladder.absorb(&ack), []);
    assert_eq!(ladder.absorb(&invite), [], "an INVITE that was on its way");
    assert_eq!(ladder.finish(), steps([(5_600, "over")]));
}

#[test]
fn ack_over_a_reliable_transport_ends_the_transaction_at_once() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    ladder.respond(id, &response(&invite, 486));
    assert_eq!(ladder.absorb(&ack(&invite, "b")), []);
    assert!(ladder.layer.is_empty());
}

#[test]
fn after_a_2xx_invites_are_absorbed_and_the_tu_repeats_until_timer_l() {
    for mut ladder in [Ladder::reliable(), Ladder::unreliable()] {
        let invite = request(Method::Invite);
        let id = ladder.open(&invite);
        let answer = response(&invite, 200);
        assert_eq!(ladder.respond(id, &answer).len(), 1);
        assert_eq!(ladder.absorb(&invite), [], "RFC 6026 section 7.1");
        assert_eq!(ladder.until(500), [], "no timer of the layer repeats it");
        assert_eq!(ladder.respond(id, &answer), [answer], "the TU does");
        assert_eq!(ladder.respond(id, &response(&invite, 486)), [], "too late");
        assert_eq!(ladder.finish(), steps([(32_000, "over")]));
    }
}

#[test]
fn ack_of_a_2xx_goes_to_the_tu_whatever_its_branch() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    ladder.respond(id, &response(&invite, 200));
    let proper = ack(
        &request_via(Method::Ack, "SIP/2.0/WS alice.invalid;branch=z9hG4bKnew"),
        "b",
    );
    for ack in [proper, ack(&invite, "b")] {
        let expected = Received::Ack { request: ack.clone() };
        assert_eq!(ladder.receive(&ack), (expected, Vec::new()));
    }
}

#[test]
fn an_ack_before_any_response_is_swallowed() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    assert_eq!(ladder.absorb(&ack(&invite, "b")), []);
    assert!(ladder.layer.awaits_response(id));
}

#[test]
fn cancel_finds_its_invite_and_has_a_transaction_of_its_own() {
    let mut ladder = Ladder::unreliable();
    let invite = request(Method::Invite);
    let invite_id = ladder.open(&invite);
    let cancel = request(Method::Cancel);
    let (received, _) = ladder.receive(&cancel);
    let Received::Cancel {
        transaction,
        invite: Some(found),
        ..
    } = received
    else {
        panic!("{received:?}")
    };
    assert_eq!(found, invite_id);
    let ok = response(&cancel, 200);
    ladder.respond(transaction, &ok);
    assert_eq!(ladder.absorb(&cancel), [ok], "the CANCEL again");
    assert!(ladder.layer.awaits_response(invite_id));
    ladder.respond(invite_id, &response(&invite, 487));
    ladder.finish();
}

#[test]
fn cancel_of_another_hop_or_branch_finds_nothing() {
    let mut ladder = Ladder::reliable();
    ladder.open(&request(Method::Invite));
    for via in [
        "SIP/2.0/WS alice.invalid;branch=z9hG4bKtwo",
        "SIP/2.0/WS mallory.invalid;branch=z9hG4bKone",
    ] {
        let (received, _) = ladder.receive(&request_via(Method::Cancel, via));
        assert!(matches!(received, Received::Cancel { invite: None, .. }));
    }
}

// --- non-INVITE server -----------------------------------------------------------------------------------------

#[test]
fn request_again_gets_the_last_response_until_timer_j() {
    let mut ladder = Ladder::unreliable();
    let options = request(Method::Options);
    let id = ladder.open(&options);
    assert_eq!(ladder.absorb(&options), []);
    let ok = response(&options, 200);
    ladder.now = 1_000;
    ladder.respond(id, &ok);
    assert_eq!(ladder.absorb(&options), [ok]);
    assert_eq!(
        ladder.respond(id, &response(&options, 404)),
        [],
        "one final response"
    );
    assert_eq!(ladder.finish(), steps([(33_000, "over")]));
}

/// RFC 4320 section 4.1.
#[test]
fn an_unanswered_request_gets_a_100_when_timer_e_has_reached_t2_and_not_before() {
    for mut ladder in [Ladder::unreliable(), Ladder::reliable()] {
        let options = request(Method::Options);
        let id = ladder.open(&options);
        // Other provisional responses do not exist for it.
        assert_eq!(ladder.respond(id, &response(&options, 100)), []);
        assert_eq!(ladder.respond(id, &response(&options, 183)), []);
        assert_eq!(ladder.until(3_499), []);
        assert_eq!(ladder.absorb(&options), []);
        assert_eq!(ladder.until(3_500), steps([(3_500, "100")]));
        assert_eq!(ladder.absorb(&options).len(), 1, "the request again: resent");
        ladder.now = 20_000;
        let ok = response(&options, 200);
        assert_eq!(ladder.respond(id, &ok), [ok]);
        ladder.finish();
    }
}

/// RFC 4320 section 4.2.
#[test]
fn nothing_is_sent_to_a_client_that_has_given_up() {
    for mut ladder in [Ladder::unreliable(), Ladder::reliable()] {
        let options = request(Method::Options);
        let id = ladder.open(&options);
        assert_eq!(ladder.respond(id, &response(&options, 408)), [], "no 408, ever");
        assert_eq!(ladder.until(32_000), steps([(3_500, "100"), (32_000, "over")]));
        assert_eq!(ladder.respond(id, &response(&options, 200)), []);
        assert!(ladder.layer.is_empty());
    }
}

#[test]
fn response_over_a_reliable_transport_ends_the_transaction_at_once() {
    let mut ladder = Ladder::reliable();
    let options = request(Method::Options);
    let id = ladder.open(&options);
    ladder.respond(id, &response(&options, 200));
    assert!(ladder.layer.is_empty());
    assert_eq!(ladder.respond(id, &response(&options, 200)), []);
}

// --- keys ------------------------------------------------------------------------------------------------------

#[test]
fn server_transactions_are_told_apart_by_branch_sent_by_and_method() {
    let mut ladder = Ladder::reliable();
    let vias = [
        "SIP/2.0/WS alice.invalid;branch=z9hG4bKone",
        "SIP/2.0/WS alice.invalid;branch=z9hG4bKtwo",
        "SIP/2.0/WS carol.invalid;branch=z9hG4bKone",
        "SIP/2.0/WS alice.invalid:5080;branch=z9hG4bKone",
    ];
    for via in vias {
        ladder.open(&request_via(Method::Invite, via));
        ladder.open(&request_via(Method::Options, via));
    }
    assert_eq!(ladder.layer.len(), 8);
    // The host's case makes no difference.
    ladder.absorb(&request_via(
        Method::Options,
        "SIP/2.0/WS ALICE.invalid;branch=z9hG4bKone",
    ));
}

#[test]
fn branches_of_rfc_2543_are_matched_by_everything_else() {
    for via in [
        "SIP/2.0/UDP old.example.com",
        "SIP/2.0/UDP old.example.com;branch=1",
    ] {
        let mut ladder = Ladder::unreliable();
        let invite = request_via(Method::Invite, via);
        let id = ladder.open(&invite);
        ladder.respond(id, &response(&invite, 180));
        assert_eq!(ladder.absorb(&invite).len(), 1, "a retransmission");
        let other_call = invite.edit().set(HeaderName::CallId, "c2").build();
        let other_number = invite.edit().set(HeaderName::CSeq, "4 INVITE").build();
        let other_uri = invite.edit().set_request_uri("sip:carol@example.com").build();
        for other in [other_call, other_number, other_uri] {
            let other_id = ladder.open(&other);
            ladder.respond(other_id, &response(&other, 480));
        }
        let (received, _) = ladder.receive(&request_via(Method::Cancel, via));
        let Received::Cancel {
            transaction, invite, ..
        } = received
        else {
            panic!("{received:?}")
        };
        assert_eq!(invite, Some(id));
        ladder.respond(transaction, &response(&request_via(Method::Cancel, via), 200));
        // The ACK has the To tag of the response, which the INVITE has not.
        let refused = request_via(Method::Invite, via);
        ladder.respond(id, &response(&refused, 486));
        assert_eq!(ladder.absorb(&ack(&refused, "b")), []);
        let ended = ladder.finish();
        assert!(ended.contains(&(5_000, "over".to_owned())), "timer I: {ended:?}");
    }
}

#[test]
fn a_repeated_branch_of_ours_leaves_the_later_transaction_reachable() {
    let mut ladder = Ladder::reliable();
    let options = request(Method::Options);
    let first = ladder.send(&options);
    let second = ladder.send(&options);
    assert_ne!(first, second);
    let ok = response(&options, 200);
    assert_eq!(ladder.receive(&ok), delivered(second, &ok));
    // The first one's end must not take the key of a third with it.
    let third = ladder.send(&options);
    assert_eq!(ladder.until(32_000).len(), 4);
    let fourth = ladder.send(&options);
    assert_ne!(third, fourth);
    assert_eq!(ladder.receive(&ok), delivered(fourth, &ok));
    ladder.finish();
}

#[test]
fn messages_without_identity_are_unusable() {
    let mut ladder = Ladder::reliable();
    let no_via = request(Method::Options).edit().remove(HeaderName::Via).build();
    assert!(matches!(ladder.receive(&no_via).0, Received::Unusable(_)));
    let no_cseq = response(&request(Method::Options), 200)
        .edit()
        .remove(HeaderName::CSeq)
        .build();
    assert!(matches!(ladder.receive(&no_cseq).0, Received::Unusable(_)));
    let mut out = Outbox::new();
    assert!(
        ladder
            .layer
            .send(Instant::ZERO, RELIABLE, no_via, &mut out)
            .is_err()
    );
    assert!(out.is_empty() && ladder.layer.is_empty());
}

// --- connections -----------------------------------------------------------------------------------------------

#[test]
fn lost_connection_fails_what_awaits_a_response_on_it() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let calling = ladder.send(&invite);
    let trying = ladder.send(&request(Method::Options));
    let answered_invite = request_via(Method::Invite, "SIP/2.0/WS alice.invalid;branch=z9hG4bKanswered");
    let answered = ladder.send(&answered_invite);
    ladder.receive(&response(&answered_invite, 200));
    let mut out = Outbox::new();
    let elsewhere = request_via(Method::Bye, "SIP/2.0/WS alice.invalid;branch=z9hG4bKelse");
    let elsewhere = ladder
        .layer
        .send(
            Instant::ZERO,
            Flow::reliable(OTHER_CONNECTION),
            elsewhere,
            &mut out,
        )
        .unwrap();
    let failed = [calling, trying].map(TransactionEvent::TransportFailed);
    assert_eq!(ladder.layer.connection_lost(CONNECTION), failed);
    assert_eq!(ladder.layer.connection_lost(CONNECTION), [], "once");
    assert!(ladder.layer.request(calling).is_none());
    assert!(
        ladder.layer.request(answered).is_some(),
        "further forks may answer"
    );
    assert!(ladder.layer.request(elsewhere).is_some());
    ladder.finish();
}

#[test]
fn server_transactions_survive_and_answer_on_the_next_connection() {
    let mut ladder = Ladder::reliable();
    let invite = request(Method::Invite);
    let id = ladder.open(&invite);
    let client = ladder.send(&request_via(
        Method::Options,
        "SIP/2.0/WS bob.invalid;branch=z9hG4bKx",
    ));
    assert_eq!(ladder.layer.connection_lost(CONNECTION).len(), 1);
    ladder
        .layer
        .move_flow(CONNECTION, Flow::reliable(OTHER_CONNECTION));
    assert_eq!(ladder.layer.flow(id), Some(Flow::reliable(OTHER_CONNECTION)));
    assert_eq!(ladder.layer.flow(client), None);
    let mut out = Outbox::new();
    let answer = response(&invite, 200);
    ladder.layer.respond(ladder.time(), id, answer.clone(), &mut out);
    assert_eq!(out, [(OTHER_CONNECTION, answer)]);
    ladder.finish();
}

#[test]
fn deadlines_handled_late_are_all_handled() {
    let mut ladder = Ladder::unreliable();
    for number in 0..10 {
        let via = format!("SIP/2.0/WS alice.invalid;branch=z9hG4bK{number}");
        ladder.send(&request_via(Method::Options, &via));
        ladder.now += 100;
    }
    let mut out = Outbox::new();
    let events = ladder.layer.handle_timeout(Instant::from_secs(3_600), &mut out);
    assert_eq!(events.len(), 20, "a time-out and an end of each");
    assert!(ladder.layer.is_empty());
}

/// A call that rings for a minute meanwhile must not keep the traces of all that has come and gone.
#[test]
fn what_has_ended_leaves_no_trace_behind_one_that_goes_on() {
    let mut ladder = Ladder::unreliable();
    let long = ladder.open(&request(Method::Invite));
    for number in 0..1_000 {
        let via = format!("SIP/2.0/UDP alice.invalid;branch=z9hG4bKn{number}");
        let id = ladder.open(&request_via(Method::Options, &via));
        let options = ladder.layer.request(id).unwrap().clone();
        ladder.respond(id, &response(&options, 200));
        ladder.until(ladder.now + 1_000);
        let Transactions {
            records,
            by_key,
            deadlines,
            ..
        } = &ladder.layer;
        assert!(records.len() <= 34 && by_key.len() == records.len());
        assert!(deadlines.len() <= 2 * records.len() + FEW);
    }
    assert!(ladder.layer.flow(long).is_some());
}

#[test]
fn the_deadline_is_that_of_a_live_transaction() {
    let mut ladder = Ladder::unreliable();
    let first = ladder.send(&request(Method::Options));
    ladder.now = 100;
    let via = "SIP/2.0/UDP alice.invalid;branch=z9hG4bKtwo";
    let second = ladder.send(&request_via(Method::Options, via));
    assert_eq!(ladder.layer.deadline(), Some(Instant::from_millis(500)));
    ladder.layer.abandon(first);
    assert_eq!(ladder.layer.deadline(), Some(Instant::from_millis(600)));
    ladder.layer.abandon(second);
    assert_eq!(ladder.layer.deadline(), None);
}
