//! The messages of RFC 4475 come in at a registered telephone: what a user agent has to do with each.
//!
//! How they are read is tested in `tests/sip`, what registrar and proxy do with them at the platform.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder};
use clearline_core::{CallState, Direction, Event, RegistrationState};

use crate::ladder::{Ladder, text};
use crate::torture::{ALL, bytes};

/// What the agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    /// It answers with this status, and that is all.
    Answers(u16),
    /// It rings for a caller with this user part, and can be answered.
    Rings(&'static str),
    /// It says nothing; the application may look at what was dropped.
    Drops,
}

use Conduct::{Answers, Drops, Rings};

/// Section, message, what becomes of it. Where the RFC leaves a choice, the comment says which was made.
const ROWS: [(&str, &str, Conduct); 49] = [
    // To has a tag, and no dialog of ours has it.
    ("3.1.1.1", "wsinv", Answers(481)),
    // A method nobody has heard of.
    ("3.1.1.2", "intmeth", Answers(501)),
    // Everything that is escaped is escaped well.
    ("3.1.1.3", "esc01", Rings("I have spaces")),
    // No user agent is a registrar.
    ("3.1.1.4", "escnull", Answers(405)),
    // Methods are compared as they stand: this is not REGISTER.
    ("3.1.1.5", "esc02", Answers(501)),
    ("3.1.1.6", "lwsdisp", Answers(200)),
    (
        "3.1.1.7",
        "longreq",
        Rings(
            "amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallername",
        ),
    ),
    // What stands behind the first request is noise.
    ("3.1.1.8", "dblreq", Answers(405)),
    ("3.1.1.9", "semiuri", Answers(200)),
    // The transports of others are their business.
    ("3.1.1.10", "transports", Answers(200)),
    // A MESSAGE; none of its parts has to be understood to refuse it.
    ("3.1.1.11", "mpart01", Answers(405)),
    // Responses nobody has asked for, with unusual reason phrases.
    ("3.1.1.12", "unreason", Drops),
    ("3.1.1.13", "noreason", Drops),
    ("3.1.2.1", "badinv01", Answers(400)),
    // A frame is a datagram: the body that was promised will not come.
    ("3.1.2.2", "clerr", Answers(400)),
    ("3.1.2.3", "ncl", Answers(400)),
    ("3.1.2.4", "scalar02", Answers(400)),
    // A response with values out of range is dropped.
    ("3.1.2.5", "scalarlg", Drops),
    ("3.1.2.6", "quotbal", Answers(400)),
    // It might be repaired, and it might mean something else then.
    ("3.1.2.7", "ltgtruri", Answers(400)),
    ("3.1.2.8", "lwsruri", Answers(400)),
    // Too many spaces mislead nobody.
    ("3.1.2.9", "lwsstart", Rings("caller")),
    ("3.1.2.10", "trws", Answers(200)),
    // Headers in a Request-URI are not obeyed.
    ("3.1.2.11", "escruri", Answers(400)),
    // Nobody here needs the Date.
    ("3.1.2.12", "baddate", Rings("caller")),
    ("3.1.2.13", "regbadct", Answers(400)),
    // White space within the brackets of To is forgiven.
    ("3.1.2.14", "badaspec", Answers(200)),
    ("3.1.2.15", "baddn", Answers(400)),
    ("3.1.2.16", "badvers", Answers(505)),
    ("3.1.2.17", "mismatch01", Answers(400)),
    // 501 would be right as well.
    ("3.1.2.18", "mismatch02", Answers(400)),
    ("3.1.2.19", "bigcode", Drops),
    // A branch that is nothing but the cookie; see below for what must not happen.
    ("3.2.1", "badbranch", Answers(200)),
    // From, To and Call-ID are missing: the answer repeats what there is.
    ("3.3.1", "insuf", Answers(400)),
    ("3.3.2", "unkscm", Answers(416)),
    ("3.3.3", "novelsc", Answers(416)),
    ("3.3.4", "unksm2", Answers(405)),
    ("3.3.5", "bext01", Answers(420)),
    ("3.3.6", "invut", Answers(415)),
    ("3.3.7", "regaut01", Answers(405)),
    ("3.3.8", "multi01", Answers(400)),
    ("3.3.9", "mcl01", Answers(400)),
    // The second Via shows that the response was meant for somebody else.
    ("3.3.10", "bcast", Drops),
    // Max-Forwards is for those who forward.
    ("3.3.11", "zeromf", Answers(200)),
    ("3.3.12", "cparam01", Answers(405)),
    ("3.3.13", "cparam02", Answers(405)),
    ("3.3.14", "regescrt", Answers(405)),
    // The caller would not understand an answer of ours.
    ("3.3.15", "sdp01", Answers(406)),
    // RFC 2543 let an INVITE go without Contact. There is no dialog to be had with it (RFC 3261 section 8.1.1.8).
    ("3.4.1", "inv2543", Answers(400)),
];

/// The message as far as it can be read.
fn read(name: &str) -> Message {
    let bytes = bytes(name);
    Message::parse(bytes)
        .ok()
        .or_else(|| Message::salvage(bytes))
        .unwrap_or_else(|| panic!("{name} cannot be read at all"))
}

/// The only thing the agent has sent.
fn only_answer(ladder: &mut Ladder, name: &str) -> Message {
    let mut sent = ladder.take_sent();
    assert_eq!(sent.len(), 1, "{name}: {sent:?}");
    sent.remove(0).1
}

/// Whether a response goes back the way its request came, as an answer to it.
fn assert_answers(response: &Message, request: &Message, name: &str) {
    let lines = |message: &Message, header| message.header_all(header).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        lines(response, HeaderName::Via),
        lines(request, HeaderName::Via),
        "{name}"
    );
    for header in [HeaderName::From, HeaderName::CallId, HeaderName::CSeq] {
        assert_eq!(response.header(header), request.header(header), "{name}");
    }
    if request.header(HeaderName::To).is_some() && response.status() > Some(100) {
        let to = response.header(HeaderName::To).unwrap();
        assert!(to.contains("tag"), "{name}: {to}");
    }
}

/// The telephone still rings and talks, and nothing of what was before is left.
fn assert_usable(ladder: &mut Ladder, name: &str) {
    ladder.pass(1.0);
    ladder.forget();
    let (_, mut far) = ladder.take_call("bob");
    ladder.far_hangs_up(&mut far);
    assert!(
        matches!(ladder.registration(), RegistrationState::Registered { .. }),
        "{name}"
    );
    assert_eq!(ladder.agent.calls().count(), 0, "{name}");
    ladder.pass(70.0);
    assert!(ladder.agent.is_at_rest(), "{name}: {:?}", ladder.agent);
}

/// Answers the call that rings, acknowledges as its caller would, and hangs up.
fn go_through(ladder: &mut Ladder, invite: &Message, user: &str) {
    let ringing = ladder.expect_response(180, Method::Invite);
    assert_answers(&ringing, invite, user);
    let call = ladder.newest_call();
    assert_eq!(ladder.state(call), CallState::Incoming);
    assert_eq!(ladder.info(call).remote.user, user);
    ladder.answer(call);
    let ok = ladder.expect_response(200, Method::Invite);
    assert_answers(&ok, invite, user);
    ladder.receive(&ack_of(&ok));
    assert_eq!(ladder.state(call), CallState::Active);
    ladder.hang_up(call);
    let bye = ladder.expect(Method::Bye);
    let contact = invite.contacts().next().unwrap().unwrap().address().unwrap();
    assert_eq!(bye.request_uri_text(), Some(contact.uri.as_str()));
    assert_eq!(bye.to().unwrap().tag(), invite.from().unwrap().tag());
    ladder.respond(&bye, 200);
    assert_eq!(ladder.state(call), CallState::Ended);
}

fn ack_of(ok: &Message) -> Message {
    let contact = ok.contacts().next().unwrap().unwrap().address().unwrap();
    RequestBuilder::new(Method::Ack, contact.uri)
        .header(HeaderName::Via, "SIP/2.0/WS edge.example.com;branch=z9hG4bKack")
        .headers_from(ok, HeaderName::From)
        .headers_from(ok, HeaderName::To)
        .headers_from(ok, HeaderName::CallId)
        .header(
            HeaderName::CSeq,
            format_args!("{} ACK", ok.cseq().unwrap().number),
        )
        .build()
}

#[test]
fn every_message_has_its_row() {
    let mut named: Vec<_> = ROWS.iter().map(|(_, name, _)| *name).collect();
    named.sort_unstable();
    let all: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, all);
}

#[test]
fn each_message_gets_what_it_deserves() {
    for (section, name, conduct) in ROWS {
        let mut ladder = Ladder::registered();
        ladder.receive_bytes(bytes(name));
        match conduct {
            Answers(status) => {
                let response = only_answer(&mut ladder, name);
                assert_eq!(
                    response.status(),
                    Some(status),
                    "{section} {name}: {}",
                    text(&response)
                );
                assert_answers(&response, &read(name), name);
                assert_eq!(ladder.agent.calls().count(), 0, "{section} {name}");
            }
            Rings(user) => go_through(&mut ladder, &read(name), user),
            Drops => {
                ladder.expect_silence();
                let events = ladder.take_events();
                assert!(
                    matches!(events.last(), Some(Event::Dropped { .. })),
                    "{section} {name}: {events:?}"
                );
            }
        }
        assert_usable(&mut ladder, name);
    }
}

/// The same telephone gets all of them, one after the other, and twice: nothing of one gets in the way of another.
#[test]
fn all_messages_at_one_telephone() {
    let mut ladder = Ladder::registered();
    for (_, name, conduct) in ROWS.iter().chain(&ROWS) {
        ladder.forget();
        // Long enough for the second round not to be taken for retransmissions of the first.
        ladder.pass(2.0);
        ladder.receive_bytes(bytes(name));
        if matches!(conduct, Rings(_)) {
            let call = ladder.newest_call();
            ladder.hang_up(call);
        }
    }
    ladder.pass(70.0);
    assert_usable(&mut ladder, "all of them");
}

#[test]
fn refusals_say_what_would_be_right() {
    for (name, header, value) in [
        ("escnull", HeaderName::Allow, "INVITE"),
        ("invut", HeaderName::Accept, "application/sdp"),
        ("bext01", HeaderName::Unsupported, "nothingSupportsThis"),
        ("bext01", HeaderName::Unsupported, "nothingSupportsThisEither"),
    ] {
        let mut ladder = Ladder::registered();
        ladder.receive_bytes(bytes(name));
        let response = only_answer(&mut ladder, name);
        assert!(response.lists_token(header, value), "{}", text(&response));
    }
}

/// 3.2.1: what makes a branch unique is missing, so two requests with it are told apart by the rules of RFC 2543.
#[test]
fn two_requests_with_a_bare_cookie_are_two() {
    let mut ladder = Ladder::registered();
    let first = read("badbranch");
    let other = first
        .edit()
        .set(HeaderName::CallId, "another")
        .set(HeaderName::CSeq, "9 OPTIONS")
        .build();
    for request in [&first, &other, &first] {
        ladder.receive(request);
        let response = ladder.expect_response(200, Method::Options);
        assert_eq!(response.call_id(), request.call_id());
    }
}

/// 3.3.15 and RFC 3261 section 20.1: what a caller may say so that a description is welcome.
#[test]
fn a_caller_who_accepts_anything_accepts_a_description() {
    for (accept, status) in [
        ("application/sdp", 180),
        ("text/plain, application/SDP;level=1", 180),
        ("application/*", 180),
        ("*/*;q=0.1", 180),
        ("text/plain", 406),
        ("", 406),
    ] {
        let mut ladder = Ladder::registered();
        let mut far = crate::far_end::FarEnd::calling("bob", "sip:alice@alice.invalid");
        let invite = far.invite(Direction::SendRecv);
        ladder.receive(&invite.edit().append(HeaderName::Accept, accept).build());
        ladder.expect_response(status, Method::Invite);
    }
}
