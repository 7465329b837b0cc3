//! Subscriptions (RFC 6665), from the subscriber's side.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::{HeaderName, Message, Method, RequestBuilder, ResponseBuilder};
use clearline_core::{
    CommandError, Event, Notification, SubscriptionId, SubscriptionState, TerminationReason,
};

use crate::far_end::{FarEnd, RECORD_ROUTE};
use crate::ladder::{Ladder, config, secs};

const PACKAGE: &str = "message-summary";
const ACCEPT: &str = "application/simple-message-summary";

/// The notifier's side of one dialog.
pub(crate) struct Notifier {
    subscribe: Message,
    tag: &'static str,
    cseq: u32,
}

impl Notifier {
    pub(crate) fn of(subscribe: &Message, tag: &'static str) -> Self {
        Self {
            subscribe: subscribe.clone(),
            tag,
            cseq: 0,
        }
    }

    pub(crate) fn accepts(&self, subscribe: &Message, status: u16, expires: u32) -> Message {
        ResponseBuilder::for_request(subscribe, status)
            .to_tag(self.tag)
            .header(HeaderName::Contact, "<sip:notifier@n.invalid>")
            .header(HeaderName::Expires, expires)
            .build()
    }

    /// The next NOTIFY, with this Subscription-State.
    pub(crate) fn notify(&mut self, state: &str) -> RequestBuilder {
        self.cseq += 1;
        self.numbered(state, self.cseq)
    }

    fn numbered(&self, state: &str, cseq: u32) -> RequestBuilder {
        let from = self.subscribe.to().unwrap().uri.as_str().to_owned();
        let contact = self.subscribe.contacts().next().unwrap().unwrap();
        RequestBuilder::new(Method::Notify, contact.address().unwrap().uri)
            .header(
                HeaderName::Via,
                format_args!(
                    "SIP/2.0/WS edge.example.com;branch=z9hG4bK{}{cseq}{}",
                    self.tag,
                    self.subscribe.call_id().unwrap()
                ),
            )
            .header(HeaderName::RecordRoute, RECORD_ROUTE)
            .header(HeaderName::MaxForwards, 69)
            .header(HeaderName::From, format_args!("<{from}>;tag={}", self.tag))
            .header(HeaderName::To, self.subscribe.header(HeaderName::From).unwrap())
            .headers_from(&self.subscribe, HeaderName::CallId)
            .header(HeaderName::CSeq, format_args!("{cseq} NOTIFY"))
            .header(HeaderName::Contact, "<sip:notifier@n.invalid>")
            .headers_from(&self.subscribe, HeaderName::Event)
            .header(HeaderName::SubscriptionState, state)
    }
}

fn subscribe(ladder: &mut Ladder) -> (SubscriptionId, Message) {
    let id = ladder
        .agent
        .subscribe(ladder.now, "alice", PACKAGE, &[ACCEPT])
        .unwrap();
    ladder.drain();
    (id, ladder.expect(Method::Subscribe))
}

/// A subscription in force for an hour.
fn active() -> (Ladder, SubscriptionId, Notifier) {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    let mut notifier = Notifier::of(&request, "notifier");
    ladder.receive(&notifier.accepts(&request, 200, 3_600));
    ladder.receive(&notifier.notify("active;expires=3600").build());
    ladder.expect_response(200, Method::Notify);
    (ladder, id, notifier)
}

fn state(ladder: &Ladder, id: SubscriptionId) -> Option<SubscriptionState> {
    let mut all = ladder.agent.subscriptions();
    all.find(|(own, _)| *own == id).map(|(_, state)| state.clone())
}

fn is_active(ladder: &Ladder, id: SubscriptionId) -> bool {
    matches!(state(ladder, id), Some(SubscriptionState::Active { .. }))
}

/// Why a subscription has ended, from the last event about it.
fn ended(ladder: &mut Ladder) -> Option<(TerminationReason, Option<u16>)> {
    let mut last = None;
    for event in ladder.take_events() {
        if let Event::Subscription { state, .. } = event {
            last = Some(state);
        }
    }
    if let SubscriptionState::Ended { reason, sip_status } = last? {
        Some((reason, sip_status))
    } else {
        None
    }
}

fn notifications(ladder: &mut Ladder) -> Vec<Notification> {
    let mut told = Vec::new();
    for event in ladder.take_events() {
        if let Event::Notification(notification) = event {
            told.push(*notification);
        }
    }
    told
}

fn number(message: &Message) -> u32 {
    message.cseq().unwrap().number
}

#[test]
fn a_subscription_is_made_told_and_ended() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    assert_eq!(request.request_uri_text(), Some("sip:alice@example.com"));
    assert_eq!(request.header(HeaderName::Event), Some(PACKAGE));
    assert_eq!(request.header(HeaderName::Accept), Some(ACCEPT));
    assert_eq!(request.expires(), Ok(Some(3_600)));
    assert_eq!(state(&ladder, id), Some(SubscriptionState::Subscribing));
    let mut notifier = Notifier::of(&request, "notifier");
    ladder.receive(&notifier.accepts(&request, 202, 600));
    assert_eq!(
        state(&ladder, id),
        Some(SubscriptionState::Subscribing),
        "a 2xx says nothing of the state"
    );
    ladder.receive(&notifier.notify("pending;expires=600").build());
    ladder.expect_response(200, Method::Notify);
    let expires_at = ladder.now + secs(600.0);
    assert_eq!(
        state(&ladder, id),
        Some(SubscriptionState::Pending { expires_at })
    );
    notifications(&mut ladder);
    let body = b"Messages-Waiting: yes\r\n";
    ladder.receive(&notifier.notify("active;expires=600").body(ACCEPT, body).build());
    ladder.expect_response(200, Method::Notify);
    assert!(is_active(&ladder, id));
    assert_eq!(
        notifications(&mut ladder),
        [Notification {
            subscription: id,
            package: PACKAGE.to_owned(),
            content_type: ACCEPT.to_owned(),
            body: body.to_vec(),
        }]
    );

    ladder.agent.unsubscribe(ladder.now, id).unwrap();
    ladder.drain();
    let farewell = ladder.expect(Method::Subscribe);
    assert_eq!(farewell.expires(), Ok(Some(0)));
    assert_eq!(farewell.to().unwrap().tag(), Some("notifier"));
    assert_eq!(farewell.header(HeaderName::Route), Some(RECORD_ROUTE));
    assert_eq!(farewell.request_uri_text(), Some("sip:notifier@n.invalid"));
    assert_eq!(number(&farewell), number(&request) + 1);
    ladder.receive(&notifier.accepts(&farewell, 200, 0));
    ladder.receive(&notifier.notify("terminated;reason=timeout").build());
    ladder.expect_response(200, Method::Notify);
    assert_eq!(ended(&mut ladder), Some((TerminationReason::Unsubscribed, None)));
    assert_eq!(state(&ladder, id), None);
    ladder.receive(&notifier.notify("active").build());
    ladder.expect_response(481, Method::Notify);
}

#[test]
fn a_notify_may_come_before_the_answer() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    let mut notifier = Notifier::of(&request, "notifier");
    ladder.receive(&notifier.notify("active;expires=100").build());
    ladder.expect_response(200, Method::Notify);
    assert!(is_active(&ladder, id));
    ladder.receive(&notifier.accepts(&request, 200, 100));
    assert!(is_active(&ladder, id));
    let refresh = ladder.wait_for(Method::Subscribe);
    assert_eq!(refresh.to().unwrap().tag(), Some("notifier"));
}

#[test]
fn of_several_forks_the_first_to_tell_stays() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    let mut first = Notifier::of(&request, "first");
    let mut second = Notifier::of(&request, "second");
    ladder.receive(&second.accepts(&request, 200, 3_600));
    ladder.receive(&first.notify("active").build());
    ladder.expect_response(200, Method::Notify);
    ladder.receive(&second.notify("active").build());
    ladder.expect_response(481, Method::Notify);
    assert!(is_active(&ladder, id));
}

#[test]
fn refreshes_come_in_time_and_spread() {
    let (mut ladder, id, notifier) = active();
    let mut pauses = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let began = ladder.now;
        let refresh = next_subscribe(&mut ladder);
        assert_eq!(refresh.to().unwrap().tag(), Some("notifier"));
        pauses.insert(ladder.now - began);
        ladder.receive(&notifier.accepts(&refresh, 200, 3_600));
        assert!(is_active(&ladder, id));
    }
    assert_eq!(pauses.len(), 8, "each at another moment");
    assert!(
        pauses
            .iter()
            .all(|pause| *pause >= secs(1_799.0) && *pause <= secs(3_241.0))
    );
}

#[test]
fn a_notifier_that_wants_longer_intervals_gets_them() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    let brief = ResponseBuilder::for_request(&request, 423)
        .to_tag("n")
        .header(HeaderName::MinExpires, 7_200)
        .build();
    ladder.receive(&brief);
    let again = ladder.expect(Method::Subscribe);
    assert_eq!(again.expires(), Ok(Some(7_200)));
    // One that insists on nonsense is left alone for a while.
    let brief = ResponseBuilder::for_request(&again, 423)
        .to_tag("n")
        .header(HeaderName::MinExpires, 60)
        .build();
    ladder.receive(&brief);
    ladder.expect_silence();
    assert!(matches!(
        state(&ladder, id),
        Some(SubscriptionState::Waiting {
            sip_status: Some(423),
            ..
        })
    ));
}

#[test]
fn what_is_refused_for_good_is_not_asked_again() {
    for status in [403, 404, 405, 489, 603] {
        let mut ladder = Ladder::registered();
        ladder.forget();
        let (id, request) = subscribe(&mut ladder);
        ladder.respond(&request, status);
        assert_eq!(
            ended(&mut ladder),
            Some((TerminationReason::Refused, Some(status)))
        );
        assert_eq!(state(&ladder, id), None);
        ladder.pass(200.0);
        ladder.expect_silence();
    }
}

#[test]
fn no_notifier_in_trouble_is_stormed() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (_, mut request) = subscribe(&mut ladder);
    let began = ladder.now;
    let mut tries = 1;
    let mut longest = secs(0.0);
    while ladder.now - began < secs(3_600.0) {
        ladder.respond(&request, 503);
        let failed_at = ladder.now;
        request = next_subscribe(&mut ladder);
        longest = longest.max(ladder.now - failed_at);
        tries += 1;
    }
    assert!(tries < 30, "{tries} tries in an hour");
    assert!(longest <= secs(240.0), "{longest:?}");
    // Each is a subscription of its own.
    assert_eq!(number(&request), 1);
}

/// The next SUBSCRIBE; refreshes of the registration are granted on the way.
fn next_subscribe(ladder: &mut Ladder) -> Message {
    loop {
        let sent = ladder.take_sent();
        for (_, message) in sent {
            if message.method() == Method::Subscribe && message.is_request() {
                return message;
            }
            if message.method() == Method::Register && message.is_request() {
                ladder.receive(&crate::ladder::granted(&message).build());
            }
        }
        ladder.pass_to_next_deadline();
    }
}

#[test]
fn a_notifier_that_says_when_is_asked_then() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (_, request) = subscribe(&mut ladder);
    let later = ResponseBuilder::for_request(&request, 503)
        .to_tag("n")
        .header(HeaderName::RetryAfter, 300)
        .build();
    ladder.receive(&later);
    let began = ladder.now;
    next_subscribe(&mut ladder);
    assert!(ladder.now - began >= secs(300.0));
}

#[test]
fn a_2xx_without_a_notify_is_no_subscription() {
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    let notifier = Notifier::of(&request, "notifier");
    ladder.receive(&notifier.accepts(&request, 200, 3_600));
    ladder.pass(31.9);
    assert_eq!(state(&ladder, id), Some(SubscriptionState::Subscribing));
    ladder.pass(0.2);
    assert!(matches!(
        state(&ladder, id),
        Some(SubscriptionState::Waiting { .. })
    ));
}

#[test]
fn a_notifier_says_why_it_ends_a_subscription_and_is_heeded() {
    use TerminationReason as Why;
    for (state_header, reason, retry) in [
        ("terminated;reason=rejected", Why::Rejected, None),
        ("terminated;reason=noresource", Why::NoResource, None),
        ("terminated;reason=invariant", Why::Invariant, None),
        (
            "terminated;reason=probation;retry-after=90",
            Why::Probation,
            Some(90.0),
        ),
        ("terminated;reason=giveup;retry-after=30", Why::GiveUp, Some(30.0)),
        ("terminated;reason=giveup", Why::GiveUp, Some(1.0)),
        ("terminated;reason=deactivated", Why::Deactivated, Some(1.0)),
        ("terminated", Why::Unknown, Some(1.0)),
    ] {
        let (mut ladder, id, mut notifier) = active();
        ladder.receive(&notifier.notify(state_header).build());
        ladder.expect_response(200, Method::Notify);
        let Some(retry) = retry else {
            assert_eq!(ended(&mut ladder), Some((reason, None)), "{state_header}");
            assert_eq!(state(&ladder, id), None);
            continue;
        };
        assert!(
            matches!(state(&ladder, id), Some(SubscriptionState::Waiting { reason: told, .. }) if told == reason),
            "{state_header}"
        );
        let began = ladder.now;
        let again = ladder.wait_for(Method::Subscribe);
        assert!(ladder.now - began >= secs(retry), "{state_header}");
        assert_ne!(again.call_id(), notifier.subscribe.call_id());
        assert_eq!(again.to().unwrap().tag(), None);
    }
}

#[test]
fn a_subscription_that_has_lived_is_moved_at_once() {
    for reason in ["deactivated", "timeout"] {
        let (mut ladder, _, mut notifier) = active();
        ladder.pass(100.0);
        ladder.receive(&notifier.notify(&format!("terminated;reason={reason}")).build());
        ladder.expect_response(200, Method::Notify);
        ladder.expect(Method::Subscribe);
    }
}

#[test]
fn a_refresh_that_fails_ends_what_it_says() {
    // Gone: it is made anew. Refused for now: it lives on, and is refreshed later.
    for (status, is_over) in [(481, true), (404, true), (408, true), (503, false), (500, false)] {
        let (mut ladder, id, _) = active();
        let refresh = next_subscribe(&mut ladder);
        ladder.respond(&refresh, status);
        assert_eq!(is_active(&ladder, id), !is_over, "{status}");
        let next = next_subscribe(&mut ladder);
        assert_eq!(next.to().unwrap().tag().is_none(), is_over, "{status}");
    }
    let (mut ladder, id, _) = active();
    let refresh = next_subscribe(&mut ladder);
    ladder.respond(&refresh, 489);
    assert_eq!(state(&ladder, id), None);
}

#[test]
fn a_refresh_without_an_answer_ends_the_subscription() {
    let (mut ladder, id, _) = active();
    next_subscribe(&mut ladder);
    ladder.pass(33.0);
    assert!(matches!(
        state(&ladder, id),
        Some(SubscriptionState::Waiting { .. })
    ));
}

#[test]
fn after_a_reconnect_the_notifier_learns_the_new_address() {
    let (mut ladder, id, notifier) = active();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    assert!(is_active(&ladder, id));
    let began = ladder.now;
    let refresh = ladder.wait_for(Method::Subscribe);
    assert!(ladder.now - began <= secs(2.0));
    assert_eq!(refresh.to().unwrap().tag(), Some("notifier"));
    ladder.receive(&notifier.accepts(&refresh, 200, 3_600));
    assert!(is_active(&ladder, id));

    // A notifier that has forgotten it is asked anew.
    let (mut ladder, _, _) = active();
    ladder.lose_connection();
    ladder.reconnect();
    ladder.register();
    let refresh = ladder.wait_for(Method::Subscribe);
    ladder.respond(&refresh, 481);
    let anew = ladder.wait_for(Method::Subscribe);
    assert_eq!(anew.to().unwrap().tag(), None);
}

#[test]
fn a_subscription_without_a_connection_begins_with_the_next_one() {
    let mut ladder = Ladder::new(config());
    ladder.start();
    let id = ladder
        .agent
        .subscribe(ladder.now, "alice", PACKAGE, &[ACCEPT])
        .unwrap();
    ladder.drain();
    assert_eq!(state(&ladder, id), Some(SubscriptionState::Subscribing));
    ladder.connect();
    ladder.register();
    ladder.wait_for(Method::Subscribe);
}

#[test]
fn a_subscription_that_is_not_wanted_any_more_ends_in_any_state() {
    // Before the notifier has said a word: it is told as soon as it does.
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    ladder.agent.unsubscribe(ladder.now, id).unwrap();
    ladder.drain();
    ladder.expect_silence();
    let mut notifier = Notifier::of(&request, "notifier");
    ladder.receive(&notifier.accepts(&request, 200, 3_600));
    ladder.receive(&notifier.notify("active").build());
    let sent: Vec<_> = ladder
        .take_sent()
        .into_iter()
        .map(|(_, message)| message)
        .collect();
    assert!(sent.iter().any(|it| it.status() == Some(200)));
    assert!(
        sent.iter()
            .any(|it| it.is_request() && it.expires() == Ok(Some(0)))
    );
    assert!(notifications(&mut ladder).is_empty(), "nobody listens any more");
    ladder.pass(33.0);
    assert_eq!(state(&ladder, id), None);

    // While it waits.
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    ladder.respond(&request, 503);
    ladder.agent.unsubscribe(ladder.now, id).unwrap();
    ladder.drain();
    assert_eq!(ended(&mut ladder), Some((TerminationReason::Unsubscribed, None)));
    assert_eq!(
        ladder.agent.unsubscribe(ladder.now, id),
        Err(CommandError::NoSuchSubscription)
    );

    // With the agent.
    let (mut ladder, id, _) = active();
    ladder.stop();
    assert_eq!(ladder.expect(Method::Subscribe).expires(), Ok(Some(0)));
    ladder.pass(3.0);
    assert_eq!(state(&ladder, id), None);
    assert_eq!(ladder.idle, None);
}

#[test]
fn notifications_that_cannot_be_used_are_told_so() {
    let (mut ladder, id, mut notifier) = active();
    notifications(&mut ladder);
    let edits: [(u16, &dyn Fn(Message) -> Message); 6] = [
        (489, &|it| it.edit().set(HeaderName::Event, "presence").build()),
        (489, &|it| it.edit().remove(HeaderName::Event).build()),
        (489, &|it| {
            it.edit()
                .set(HeaderName::Event, format_args!("{PACKAGE};id=7"))
                .build()
        }),
        (400, &|it| it.edit().remove(HeaderName::SubscriptionState).build()),
        (400, &|it| {
            it.edit().set(HeaderName::SubscriptionState, ";;").build()
        }),
        (415, &|it| {
            it.edit().append(HeaderName::ContentEncoding, "gzip").build()
        }),
    ];
    for (status, edit) in edits {
        let notify = notifier.notify("active").body(ACCEPT, b"x").build();
        ladder.receive(&edit(notify));
        ladder.expect_response(status, Method::Notify);
    }
    let pictures = notifier.notify("active").body("image/png", b"PNG").build();
    ladder.receive(&pictures);
    let refusal = ladder.expect_response(415, Method::Notify);
    assert_eq!(refusal.header(HeaderName::Accept), Some(ACCEPT));
    assert!(notifications(&mut ladder).is_empty());
    assert!(is_active(&ladder, id));
}

#[test]
fn notifications_out_of_order_are_refused() {
    let (mut ladder, _, mut notifier) = active();
    notifier.cseq = 10;
    ladder.receive(&notifier.notify("active").build());
    ladder.expect_response(200, Method::Notify);
    notifications(&mut ladder);
    ladder.receive(&notifier.numbered("active", 5).build());
    ladder.expect_response(500, Method::Notify);
    assert!(notifications(&mut ladder).is_empty());
}

#[test]
fn notifications_nobody_asked_for_are_refused() {
    let mut ladder = Ladder::registered();
    let mut stranger = FarEnd::calling("mallory", "sip:alice@alice.invalid");
    let notify = stranger
        .request(Method::Notify)
        .header(HeaderName::Event, PACKAGE)
        .header(HeaderName::SubscriptionState, "active");
    ladder.receive(&notify.build());
    ladder.expect_response(481, Method::Notify);
    assert!(notifications(&mut ladder).is_empty());
    // Nor may anyone subscribe to this agent.
    let subscribe = stranger
        .request(Method::Subscribe)
        .header(HeaderName::Event, "presence");
    ladder.receive(&subscribe.build());
    let refusal = ladder.expect_response(405, Method::Subscribe);
    assert!(refusal.lists_token(HeaderName::Allow, "NOTIFY"));
    assert!(!refusal.lists_token(HeaderName::Allow, "SUBSCRIBE"));
}

#[test]
fn a_storm_of_notifications_is_bounded() {
    let (mut ladder, id, mut notifier) = active();
    notifications(&mut ladder);
    for _ in 0..1_000 {
        ladder.receive(&notifier.notify("active").body(ACCEPT, b"x").build());
    }
    let (mut accepted, mut refused) = (0, 0);
    for (_, message) in ladder.take_sent() {
        match message.status() {
            Some(200) => accepted += 1,
            Some(503) => {
                assert_eq!(message.retry_after(), Some(1));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(accepted < 100 && accepted + refused == 1_000, "{accepted}");
    assert_eq!(notifications(&mut ladder).len(), accepted);
    ladder.pass(1.0);
    ladder.receive(&notifier.notify("active").body(ACCEPT, b"x").build());
    ladder.expect_response(200, Method::Notify);
    assert!(is_active(&ladder, id));
}

#[test]
fn a_challenge_is_answered_inside_and_outside_the_dialog() {
    let challenge = |request: &Message, nonce: &str| {
        ResponseBuilder::for_request(request, 401)
            .to_tag("n")
            .header(
                HeaderName::WwwAuthenticate,
                format_args!("Digest realm=\"{nonce}\", nonce=\"{nonce}\", qop=\"auth\""),
            )
            .build()
    };
    let mut ladder = Ladder::registered();
    ladder.forget();
    let (id, request) = subscribe(&mut ladder);
    ladder.receive(&challenge(&request, "one"));
    let again = ladder.expect(Method::Subscribe);
    assert!(again.header(HeaderName::Authorization).is_some());
    assert_eq!(number(&again), 2);
    let mut notifier = Notifier::of(&again, "notifier");
    ladder.receive(&notifier.notify("active;expires=100").build());
    ladder.receive(&notifier.accepts(&again, 200, 100));
    ladder.take_sent();
    let refresh = ladder.wait_for(Method::Subscribe);
    assert_eq!(number(&refresh), 3);
    ladder.receive(&challenge(&refresh, "two"));
    let again = ladder.expect(Method::Subscribe);
    assert_eq!(number(&again), 4);
    ladder.receive(&notifier.accepts(&again, 200, 100));
    assert!(is_active(&ladder, id));
}

#[test]
fn a_notifier_that_grants_next_to_nothing_is_not_asked_without_pause() {
    let (mut ladder, _, mut notifier) = active();
    for _ in 0..20 {
        ladder.receive(&notifier.notify("active;expires=0").build());
    }
    ladder.take_sent();
    let began = ladder.now;
    let mut asked = 0;
    while ladder.now - began < secs(20.0) {
        ladder.pass_to_next_deadline();
        for (_, message) in ladder.take_sent() {
            if message.is_request() && message.method() == Method::Subscribe {
                ladder.receive(&notifier.accepts(&message, 200, 0));
                asked += 1;
            }
        }
    }
    assert!(asked <= 20, "{asked}");
}

#[test]
fn nonsense_is_not_subscribed_to() {
    let mut ladder = Ladder::registered();
    for (target, package, accept, error) in [
        ("", PACKAGE, ACCEPT, CommandError::InvalidTarget),
        ("bob", "", ACCEPT, CommandError::InvalidPackage),
        ("bob", "a\r\nVia: x", ACCEPT, CommandError::InvalidPackage),
        ("bob", "a, b", ACCEPT, CommandError::InvalidPackage),
        ("bob", PACKAGE, "nothing", CommandError::InvalidPackage),
    ] {
        let result = ladder.agent.subscribe(ladder.now, target, package, &[accept]);
        assert_eq!(result, Err(error), "{target} {package} {accept}");
    }
    let result = ladder.agent.subscribe(ladder.now, "bob", PACKAGE, &[]);
    assert_eq!(result, Err(CommandError::InvalidPackage));
}
