//! Whatever a hostile or broken network brings: the right answer or none, and never more than a bounded memory.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, MAX_MESSAGE_BYTES, Message, Method, ResponseBuilder};
use clearline_core::{CallState, Census, Direction, EndCause, Event};

use crate::far_end::FarEnd;
use crate::ladder::{CALL, Ladder};
use crate::media::sdp;
use crate::outgoing::challenge;

/// More than any telephone gets in good faith.
const MANY: usize = 2_000;
/// What may be remembered of refused INVITEs, with room for the calls that ring.
const MAX_TRANSACTIONS: usize = 120;

const HEAD: &str = "OPTIONS sip:alice@alice.invalid SIP/2.0\r\nVia: SIP/2.0/WS edge.example.com;branch=z9hG4bKh\r\n\
                    From: <sip:mallory@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: h\r\n\
                    CSeq: 1 OPTIONS\r\n";

fn census(ladder: &Ladder) -> Census {
    ladder.agent.census()
}

/// The statuses of all responses the agent has sent.
fn statuses(ladder: &mut Ladder) -> Vec<u16> {
    let sent = ladder.take_sent();
    sent.iter().filter_map(|(_, message)| message.status()).collect()
}

fn drops(ladder: &mut Ladder) -> Vec<u32> {
    let dropped = |event| match event {
        Event::Dropped { unreported, .. } => Some(unreported),
        Event::Connection(_)
        | Event::Registration(_)
        | Event::Call(_)
        | Event::DtmfReceived { .. }
        | Event::Subscription { .. }
        | Event::Notification(_)
        | Event::OperationDone { .. }
        | Event::TokenWanted { .. }
        | Event::TransferRequested { .. }
        | Event::RemoteCalls(_)
        | Event::OwnDevices(_)
        | Event::Stopped => None,
    };
    ladder.take_events().into_iter().filter_map(dropped).collect()
}

/// An INVITE of a caller who has not called before.
fn stranger(number: usize) -> (FarEnd, Message) {
    let mut far = FarEnd::calling(&format!("mallory{number}"), "sip:alice@alice.invalid");
    let invite = far.invite(Direction::SendRecv);
    (far, invite)
}

/// Calls come and go as ever, and in the end nothing is left of what was before.
fn assert_usable(ladder: &mut Ladder) {
    ladder.forget();
    ladder.pass(70.0);
    ladder.forget();
    assert!(ladder.agent.is_at_rest(), "{:?}", census(ladder));
    let (_, mut far) = ladder.take_call("bob");
    ladder.far_hangs_up(&mut far);
    assert_eq!(ladder.agent.calls().count(), 0);
}

// --- single messages ---------------------------------------------------------------------------------------------

#[test]
fn header_bombs() {
    for (headers, status) in [
        ("X-Bomb: x\r\n".repeat(1_000), 200),
        ("X-Bomb: x\r\n".repeat(2_000), 400),
        (format!("X-Bomb: {}\r\n", "x".repeat(60_000)), 200),
        (format!("Subject: {}\r\n", "a,".repeat(30_000)), 200),
        (format!("Require: {}\r\n", "gruu,".repeat(10_000)), 200),
        (format!("Route: {}\r\n", "<sip:a;lr>,".repeat(5_000)), 200),
        (format!("X:{}\r\n", "\r\n ".repeat(10_000)), 200),
        ("Contact: *\r\n".repeat(900), 200),
    ] {
        let mut ladder = Ladder::registered();
        ladder.receive_bytes(format!("{HEAD}{headers}\r\n").as_bytes());
        let answers = statuses(&mut ladder);
        assert_eq!(answers, [status], "{}", &headers[..40]);
        assert_usable(&mut ladder);
    }
}

#[test]
fn ten_thousand_vias() {
    let via = "SIP/2.0/WS a.invalid;branch=z9hG4bKv";
    // As many as there is room for are all given back ...
    let mut ladder = Ladder::registered();
    let fitting = vec![via; 1_500].join(",");
    ladder.receive_bytes(format!("{HEAD}Via: {fitting}\r\n\r\n").as_bytes());
    let ok = ladder.expect_response(200, Method::Options);
    assert_eq!(ok.header_list(HeaderName::Via).count(), 1_501);
    // ... and more make the message too large.
    let many = format!("Via: {via}\r\n").repeat(10_000);
    ladder.receive_bytes(format!("{HEAD}{many}\r\n").as_bytes());
    let sent = ladder.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1.status(), Some(513));
    assert!(sent[0].1.as_bytes().len() < MAX_MESSAGE_BYTES / 2);
    assert_usable(&mut ladder);
}

#[test]
fn deep_multipart() {
    let mut body = "v=0\r\n".to_owned();
    for depth in 0..200 {
        body = format!(
            "--b{depth}\r\nContent-Type: multipart/mixed;boundary=b{depth}\r\n\r\n{body}\r\n--b{depth}--\r\n"
        );
    }
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let (_, invite) = stranger(0);
    let bomb = |request: &Message| {
        request
            .edit()
            .body("multipart/mixed;boundary=b199", body.as_bytes())
            .build()
    };
    ladder.receive(&bomb(&invite));
    ladder.expect_response(415, Method::Invite);
    ladder.receive(&bomb(&far.invite(Direction::SendRecv)));
    ladder.expect_response(415, Method::Invite);
    let info = far.request(Method::Info).build();
    ladder.receive(&bomb(&info));
    assert_eq!(statuses(&mut ladder).len(), 1);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_usable(&mut ladder);
}

#[test]
fn wrong_lengths() {
    for (length, status) in [
        ("5", 400),
        ("-1", 400),
        ("99999999999999999999999999", 400),
        ("0x4", 400),
        ("", 400),
        ("4\r\nl: 3", 400),
        ("2", 200),
        ("0", 200),
        ("4\r\nl: 4", 400),
    ] {
        let mut ladder = Ladder::registered();
        ladder.receive_bytes(format!("{HEAD}Content-Length: {length}\r\n\r\nbody").as_bytes());
        assert_eq!(statuses(&mut ladder), [status], "{length}");
        assert_usable(&mut ladder);
    }
}

#[test]
fn oversized_messages() {
    let mut ladder = Ladder::registered();
    let request = format!("{HEAD}\r\n{}", "x".repeat(MAX_MESSAGE_BYTES));
    ladder.receive_bytes(request.as_bytes());
    assert_eq!(statuses(&mut ladder), [513]);
    let response = request.replacen("OPTIONS sip:alice@alice.invalid SIP/2.0", "SIP/2.0 200 OK", 1);
    let ack = request.replace("OPTIONS", "ACK");
    for unanswerable in [response, ack, "x".repeat(10_000_000)] {
        ladder.receive_bytes(unanswerable.as_bytes());
        ladder.expect_silence();
    }
    assert_usable(&mut ladder);
}

/// A proxy that asks with the same nonce again and again has said all it has to say (RFC 7616 section 3.3).
#[test]
fn replayed_challenges() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let mut invites = 0;
    while ladder.state(CALL) != CallState::Ended {
        let invite = ladder.expect(Method::Invite);
        invites += 1;
        assert!(invites < 10);
        ladder.receive(&challenge(&invite, 407, "example.com"));
        ladder.expect(Method::Ack);
    }
    assert_eq!((invites, ladder.cause(CALL)), (2, EndCause::Forbidden));
    // The second INVITE of another call uses that nonce with the next count: it is not replayed from here either.
    ladder.dial(clearline_core::CallId(2), "bob");
    let invite = ladder.expect(Method::Invite);
    let shown = invite.header(HeaderName::ProxyAuthorization).unwrap();
    assert!(!shown.contains("nc=00000001"), "{shown}");
}

#[test]
fn requests_out_of_order() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    ladder.receive(&far.numbered(Method::Info, 1_000).build());
    ladder.expect_response(200, Method::Info);
    for (method, number) in [(Method::Bye, 1), (Method::Invite, 999), (Method::Bye, 1_000)] {
        ladder.receive(&far.numbered(method, number).build());
        ladder.expect_response(500, method);
    }
    assert_eq!(ladder.state(CALL), CallState::Active);
    // The highest number there is leaves room for none.
    ladder.receive(&far.numbered(Method::Info, (1 << 31) - 1).build());
    ladder.expect_response(200, Method::Info);
    ladder.receive(&far.numbered(Method::Info, 1 << 31).build());
    assert_eq!(statuses(&mut ladder), [400]);
    assert_eq!(ladder.state(CALL), CallState::Active);
}

// --- addresses that lead astray ----------------------------------------------------------------------------------

#[test]
fn hostile_addresses_in_an_answer() {
    let long = format!("<sip:{}@evil.example>", "x".repeat(50_000));
    let routes = |count| vec!["<sip:evil.example;lr>"; count].join(", ");
    let (longest, too_long) = (routes(140), routes(2_000));
    for (header, value, is_answered) in [
        (
            HeaderName::Contact,
            "<sip:bob@evil.example?Route=%3Csip:x%3E&body=y>",
            true,
        ),
        (
            HeaderName::Contact,
            "<sip:bob@evil.example;method=BYE;maddr=127.0.0.1>",
            true,
        ),
        (HeaderName::Contact, long.as_str(), true),
        (HeaderName::Contact, "<mailto:bob@evil.example>", false),
        (HeaderName::Contact, "<javascript:alert(1)>", false),
        (HeaderName::Contact, "*", false),
        (HeaderName::Contact, "", false),
        (HeaderName::RecordRoute, longest.as_str(), true),
        (HeaderName::RecordRoute, too_long.as_str(), false),
        (HeaderName::RecordRoute, "<sip:strict.example>", true),
        (
            HeaderName::RecordRoute,
            "<sip:strict.example>, <mailto:a@b>",
            false,
        ),
        (HeaderName::RecordRoute, "<sip:a@b> <sip:c@d>", false),
    ] {
        let mut ladder = Ladder::registered();
        ladder.dial(CALL, "bob");
        let invite = ladder.expect(Method::Invite);
        let far = FarEnd::called(&invite, "bob");
        let ok = far.accepts(&invite, Direction::SendRecv);
        ladder.receive(&ok.edit().set(header, value).build());
        if is_answered {
            // The ladder has checked that both are in order.
            let ack = ladder.expect(Method::Ack);
            assert_eq!(ack.request_uri().unwrap().headers(), None);
            ladder.hang_up(CALL);
            let bye = ladder.expect(Method::Bye);
            assert_eq!(bye.request_uri_text(), ack.request_uri_text());
            ladder.respond(&bye, 200);
        } else {
            ladder.expect_silence();
            if ladder.state(CALL) != CallState::Ended {
                ladder.hang_up(CALL);
            }
        }
        assert_usable(&mut ladder);
    }
}

#[test]
fn an_invite_from_nowhere_is_refused() {
    for contact in [
        "<mailto:m@example.com>",
        "<tel:+49301234>",
        "*",
        "<javascript:alert(1)>",
    ] {
        let mut ladder = Ladder::registered();
        let (_, invite) = stranger(0);
        ladder.receive(&invite.edit().set(HeaderName::Contact, contact).build());
        ladder.expect_response(400, Method::Invite);
        assert_usable(&mut ladder);
    }
}

/// The far end is not led to an address of another kind in the middle of a call either.
#[test]
fn a_call_does_not_move_to_nowhere() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let reinvite = far.invite(Direction::SendRecv);
    ladder.receive(
        &reinvite
            .edit()
            .set(HeaderName::Contact, "<mailto:m@example.com>")
            .build(),
    );
    let ok = ladder.expect_response(200, Method::Invite);
    ladder.receive(&far.ack(&ok).build());
    ladder.hang_up(CALL);
    let bye = ladder.expect(Method::Bye);
    assert_eq!(
        bye.request_uri_text(),
        Some("sip:device@bob-tag.invalid;transport=ws")
    );
}

// --- strangers ---------------------------------------------------------------------------------------------------

/// Whoever guesses at dialogs finds none, and costs nothing.
#[test]
fn guesses_at_a_dialog() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let before = census(&ladder);
    let known = far.request(Method::Bye).build();
    for guess in 0..MANY {
        let method = [Method::Bye, Method::Invite, Method::Update, Method::Info][guess % 4];
        let (name, value) = match guess % 3 {
            0 => (
                HeaderName::To,
                format!("<sip:alice@example.com>;tag=guess{guess}"),
            ),
            1 => (
                HeaderName::From,
                format!("<sip:bob@example.com>;tag=guess{guess}"),
            ),
            _ => (HeaderName::CallId, format!("guess{guess}")),
        };
        let request = far.request(method).build().edit().set(name, value).build();
        ladder.receive(&request);
    }
    assert_eq!(statuses(&mut ladder), [481; MANY]);
    assert!(census(&ladder).transactions <= before.transactions + MAX_TRANSACTIONS);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.receive(&known.edit().set(HeaderName::CSeq, "90000 BYE").build());
    ladder.expect_response(200, Method::Bye);
    assert_usable(&mut ladder);
}

#[test]
fn guesses_at_replaces() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let call_id = far.request(Method::Info).build().call_id().unwrap().to_owned();
    for guess in 0..MANY {
        let (_, invite) = stranger(guess);
        let replaces = format!("{call_id};to-tag=guess{guess};from-tag=bob-tag");
        ladder.receive(&invite.edit().append(HeaderName::Replaces, replaces).build());
    }
    assert_eq!(statuses(&mut ladder), [481; MANY]);
    assert!(census(&ladder).transactions <= MAX_TRANSACTIONS);
    assert_eq!(ladder.agent.calls().count(), 1);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_usable(&mut ladder);
}

// --- floods ------------------------------------------------------------------------------------------------------

#[test]
fn a_flood_of_invites() {
    let mut ladder = Ladder::registered();
    let mut ringing = Vec::new();
    for number in 0..MANY {
        let (_, invite) = stranger(number);
        ladder.receive(&invite);
        if number < 8 {
            ringing.push(ladder.newest_call());
        }
        let now = census(&ladder);
        assert!(now.calls <= 8 && now.transactions <= MAX_TRANSACTIONS, "{now:?}");
        assert!(now.message_bytes <= MAX_TRANSACTIONS * 4_096, "{now:?}");
    }
    let answers = statuses(&mut ladder);
    assert_eq!(answers.iter().filter(|status| **status == 180).count(), 8);
    assert_eq!(answers.iter().filter(|status| **status == 486).count(), MANY - 8);
    let calls: Vec<_> = ladder.agent.calls().map(|call| call.id).collect();
    for call in calls {
        ladder.hang_up(call);
    }
    assert_usable(&mut ladder);
}

/// Each call is given up before the next: none is refused, and still little is remembered.
#[test]
fn a_flood_of_invites_and_cancels() {
    let mut ladder = Ladder::registered();
    for number in 0..MANY {
        let (_, invite) = stranger(number);
        ladder.receive(&invite);
        ladder.receive(&FarEnd::cancel(&invite).build());
        let now = census(&ladder);
        assert!(now.calls == 0 && now.transactions <= MAX_TRANSACTIONS, "{now:?}");
        ladder.forget();
    }
    assert_usable(&mut ladder);
}

/// A refused INVITE that comes again is refused again, whether it is remembered or not, and its ACK is heard in silence.
#[test]
fn refusals_hold_although_they_are_forgotten() {
    let mut ladder = Ladder::registered();
    let invites: Vec<_> = (0..200)
        .map(|number| {
            stranger(number)
                .1
                .edit()
                .append(HeaderName::Require, "magic")
                .build()
        })
        .collect();
    for invite in invites.iter().chain(&invites) {
        ladder.receive(invite);
        let refusal = ladder.expect_response(420, Method::Invite);
        ladder.expect_silence();
        if census(&ladder).transactions > 50 {
            ladder.receive(&FarEnd::ack_refusal(invite, &refusal));
            ladder.expect_silence();
        }
    }
    assert_usable(&mut ladder);
}

#[test]
fn floods_of_what_needs_no_memory() {
    for method in [
        Method::Ack,
        Method::Cancel,
        Method::Notify,
        Method::Options,
        Method::Message,
        Method::Bye,
    ] {
        let mut ladder = Ladder::registered();
        let (mut far, _) = stranger(0);
        let before = census(&ladder);
        for _ in 0..MANY {
            let request = far.request(method).build();
            let request = request
                .edit()
                .append(HeaderName::Event, "presence")
                .append(HeaderName::SubscriptionState, "active")
                .build();
            ladder.receive(&request);
        }
        assert_eq!(census(&ladder), before, "{method}");
        let expected = if method == Method::Ack { 0 } else { MANY };
        assert_eq!(statuses(&mut ladder).len(), expected, "{method}");
        assert_usable(&mut ladder);
    }
}

#[test]
fn responses_nobody_has_asked_for() {
    let (mut ladder, mut far) = Ladder::in_outgoing_call();
    let before = census(&ladder);
    for number in 0..MANY {
        let (_, invite) = stranger(number);
        let status = [200, 180, 401, 302, 503, 100][number % 6];
        let response = ResponseBuilder::for_request(&invite, status).to_tag("x");
        let response = response.header(HeaderName::Contact, "<sip:mallory@evil.example>");
        ladder.receive(
            &response
                .body("application/sdp", sdp(Direction::SendRecv).as_bytes())
                .build(),
        );
        ladder.expect_silence();
    }
    assert_eq!(census(&ladder), before);
    assert_eq!(ladder.state(CALL), CallState::Active);
    ladder.far_hangs_up(&mut far);
    assert_usable(&mut ladder);
}

#[test]
fn thousands_of_forks() {
    let mut ladder = Ladder::registered();
    ladder.dial(CALL, "bob");
    let invite = ladder.expect(Method::Invite);
    for fork in 0..MANY {
        let far = FarEnd::called(&invite, &format!("ringing{fork}"));
        ladder.receive(&far.response(&invite, 180).build());
    }
    ladder.expect_silence();
    for fork in 0..MANY {
        let far = FarEnd::called(&invite, &format!("answering{fork}"));
        ladder.receive(&far.accepts(&invite, Direction::SendRecv));
    }
    let sent = ladder.take_sent();
    let count = |method| {
        sent.iter()
            .filter(|(_, message)| message.method() == method)
            .count()
    };
    assert_eq!(
        (count(Method::Ack), count(Method::Bye)),
        (16, 15),
        "the first is the call"
    );
    assert_eq!(ladder.state(CALL), CallState::Active);
    assert!(census(&ladder).transactions <= MAX_TRANSACTIONS);
    ladder.hang_up(CALL);
    assert_usable(&mut ladder);
}

/// One line in a log for what happened once, and one now and then for what happens all the time.
#[test]
fn dropped_messages_are_told_now_and_then() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    for _ in 0..MANY {
        ladder.receive_bytes(b"garbage");
    }
    assert_eq!(drops(&mut ladder), [0; 10]);
    ladder.pass(10.0);
    ladder.receive_bytes(b"garbage");
    assert_eq!(drops(&mut ladder), [u32::try_from(MANY).unwrap() - 10]);
    ladder.pass(200.0);
    ladder.receive_bytes(b"garbage");
    assert_eq!(drops(&mut ladder), [0]);
}
