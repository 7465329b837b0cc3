//! Users watch their own dialogs on all their devices (RFC 4235, RFC 6665).

use clearline_core::Duration;
use clearline_core::dialog_info::{Dialog as Seen, DialogInfo, Direction, State, StateEvent};
use clearline_core::sip::{HeaderName, Message, ResponseBuilder};

use crate::net::{DOMAIN, Dialog, Draft, Net, Phone, request, seconds};

/// Alice's first device watches; her second makes calls; bob is called.
struct Office {
    net: Net,
    watcher: Phone,
    alice: Phone,
    bob: Phone,
    dialog: Option<Dialog>,
}

const FORM: &str = "Event: dialog\r\nAccept: application/dialog-info+xml\r\n";

impl Office {
    fn new() -> Self {
        let mut net = Net::new();
        let watcher = Phone::registered(&mut net, "alice", 1);
        let alice = Phone::registered(&mut net, "alice", 2);
        let bob = Phone::registered(&mut net, "bob", 3);
        Self {
            net,
            watcher,
            alice,
            bob,
            dialog: None,
        }
    }

    /// The watcher has subscribed and knows that there is nothing.
    fn watched() -> Self {
        let mut office = Self::new();
        office.subscribe("");
        let info = office.notified();
        assert_eq!((info.version, info.is_full, info.dialogs), (0, true, Vec::new()));
        office.net.pass(seconds(2));
        office
    }

    fn subscription(&mut self, target: &str, headers: &str) -> Draft {
        let contact = format!("Contact: <{}>\r\n", self.watcher.gruu());
        self.watcher
            .request_to(&mut self.net, "SUBSCRIBE", target, "watch")
            .headers(&contact)
            .headers(headers)
    }

    /// SUBSCRIBE that is granted.
    #[track_caller]
    fn subscribe(&mut self, headers: &str) -> Message {
        let aor = self.watcher.aor();
        let subscribe = self.subscription(&aor, FORM).headers(headers).build();
        self.net.send(self.watcher.connection, &subscribe);
        let answer = self.net.recv_response(self.watcher.connection, 200, "SUBSCRIBE");
        self.dialog = Some(Dialog::of_caller(&answer));
        answer
    }

    #[track_caller]
    fn is_refused(&mut self, target: &str, headers: &str, status: u16) -> Message {
        let subscribe = self.subscription(target, headers).build();
        self.net.send(self.watcher.connection, &subscribe);
        let refusal = self
            .net
            .recv_response(self.watcher.connection, status, "SUBSCRIBE");
        self.net.nothing(self.watcher.connection);
        refusal
    }

    /// SUBSCRIBE within its dialog.
    fn resubscribe(&mut self, headers: &str) {
        let subscribe = self.dialog.as_mut().unwrap().request(&mut self.net, "SUBSCRIBE");
        let contact = format!("<{}>", self.watcher.gruu());
        let subscribe = subscribe
            .edit()
            .append(HeaderName::Contact, contact)
            .append(HeaderName::Event, "dialog");
        let subscribe = match headers.split_once(": ") {
            Some((name, value)) => {
                assert_eq!(name, "Expires");
                subscribe.append(HeaderName::Expires, value)
            }
            None => subscribe,
        };
        self.net.send(self.watcher.connection, &subscribe.build());
    }

    #[track_caller]
    fn notify(&mut self) -> Message {
        self.net.recv_request(self.watcher.connection, "NOTIFY")
    }

    /// The next NOTIFY, which is answered with 200.
    #[track_caller]
    fn notified(&mut self) -> DialogInfo {
        let notify = self.notify();
        self.answer_notify(&notify, 200);
        info(&notify)
    }

    fn answer_notify(&mut self, notify: &Message, status: u16) {
        let answer = ResponseBuilder::for_request(notify, status).build();
        self.net.send(self.watcher.connection, &answer);
    }

    #[track_caller]
    fn silence(&mut self) {
        self.net.nothing(self.watcher.connection);
    }

    /// The caller dials; the callee rings.
    #[track_caller]
    fn ring(&mut self, headers: &str) -> (Message, Message) {
        let target = self.bob.aor();
        let contact = format!("Contact: <{};ob>\r\nUser-Agent: Desk <1>\r\n", self.alice.gruu());
        let invite = self
            .alice
            .request_to(&mut self.net, "INVITE", &target, "call-1")
            .headers(&contact)
            .headers(headers)
            .build();
        self.net.send(self.alice.connection, &invite);
        self.net.recv_response(self.alice.connection, 100, "INVITE");
        let received = self.bob.ring(&mut self.net);
        self.net.recv_response(self.alice.connection, 180, "INVITE");
        (invite, received)
    }

    #[track_caller]
    fn answer(&mut self, received: &Message) -> (Dialog, Dialog) {
        self.answer_with(received, &[])
    }

    #[track_caller]
    fn answer_with(
        &mut self,
        received: &Message,
        headers: &[(HeaderName<'static>, &str)],
    ) -> (Dialog, Dialog) {
        let mut sent = ResponseBuilder::for_request(received, 200)
            .to_tag("to-03")
            .record_routes_from(received)
            .header(HeaderName::Contact, format_args!("<{};ob>", self.bob.gruu()));
        for (name, value) in headers {
            sent = sent.header(*name, value);
        }
        let sent = sent.build();
        self.net.send(self.bob.connection, &sent);
        let answer = self.net.recv_response(self.alice.connection, 200, "INVITE");
        let mut caller = Dialog::of_caller(&answer);
        let ack = caller.request(&mut self.net, "ACK");
        self.net.send(self.alice.connection, &ack);
        self.net.recv_request(self.bob.connection, "ACK");
        (caller, Dialog::of_callee(received, &sent))
    }

    /// A call is up and told.
    #[track_caller]
    fn in_call() -> (Self, Dialog, Dialog) {
        let mut office = Self::watched();
        let (_, received) = office.ring("");
        office.notified();
        office.net.pass(seconds(2));
        let (caller, callee) = office.answer(&received);
        let info = office.notified();
        assert_eq!(only(&info).state, State::Confirmed);
        office.net.pass(seconds(2));
        (office, caller, callee)
    }
}

fn info(notify: &Message) -> DialogInfo {
    assert_eq!(
        notify.header(HeaderName::ContentType),
        Some("application/dialog-info+xml")
    );
    DialogInfo::read(notify.body()).unwrap()
}

#[track_caller]
fn only(info: &DialogInfo) -> &Seen {
    let [dialog] = info.dialogs.as_slice() else {
        panic!("one dialog: {info:?}")
    };
    dialog
}

fn state_of(notify: &Message) -> &str {
    notify.header(HeaderName::SubscriptionState).unwrap()
}

/// 0 s SUBSCRIBE, NOTIFY of nothing; a call rings, is answered, ends.
#[test]
fn an_owner_sees_a_call_on_another_device_from_ringing_to_its_end() {
    let mut office = Office::watched();
    let (invite, received) = office.ring("");
    let ringing = office.notified();
    assert_eq!((ringing.version, ringing.is_full), (1, false));
    assert_eq!(ringing.entity, "sip:alice@clearline.localhost");
    assert_eq!(only(&ringing).state, State::Early);

    office.net.pass(seconds(5));
    let (mut caller, _) = office.answer(&received);
    let answered = office.notified();
    let seen = only(&answered);
    assert_eq!((answered.version, seen.state), (2, State::Confirmed));
    assert_eq!(seen.id, only(&ringing).id);
    assert_eq!(seen.direction, Some(Direction::Initiator));
    assert_eq!(seen.duration, Some(0));
    assert_eq!(seen.name.call_id.as_deref(), invite.call_id().ok());
    assert_eq!(
        seen.replaces_value().as_deref(),
        Some("call-1;to-tag=to-03;from-tag=from-call-1")
    );
    assert_eq!(seen.device.as_deref(), Some("Desk <1>"));
    assert_eq!(
        seen.local.param("+sip.instance"),
        Some("<urn:uuid:00000000-0000-1000-8000-000000000002>")
    );
    assert_eq!(seen.remote.display_name, "Bob");
    assert_eq!(
        seen.remote.identity.as_deref(),
        Some("sip:bob@clearline.localhost")
    );
    assert_eq!(
        seen.remote.target,
        Some(format!("{};ob", office.bob.gruu())),
        "where it can be taken over"
    );

    office.net.pass(seconds(60));
    let bye = caller.request(&mut office.net, "BYE");
    office.net.send(office.alice.connection, &bye);
    let ended = office.notified();
    assert_eq!((ended.version, only(&ended).state), (3, State::Terminated));
    assert_eq!(only(&ended).event, Some(StateEvent::LocalBye));
    office.net.pass(seconds(3_000));
    office.silence();
}

#[test]
fn a_subscription_begins_with_all_that_there_is() {
    let mut office = Office::new();
    let (_, received) = office.ring("");
    office.answer(&received);
    office.net.pass(seconds(90));
    let answer = office.subscribe("Expires: 600\r\n");
    assert_eq!(answer.header(HeaderName::Expires), Some("600"));
    assert_eq!(answer.header(HeaderName::AllowEvents), Some("dialog"));
    let notify = office.notify();
    assert_eq!(state_of(&notify), "active;expires=600");
    assert_eq!(notify.header(HeaderName::Event), Some("dialog"));
    let info = info(&notify);
    assert!(info.is_full);
    assert_eq!(
        (only(&info).state, only(&info).duration),
        (State::Confirmed, Some(90))
    );
}

#[test]
fn the_called_side_sees_it_from_its_end() {
    let mut office = Office::new();
    let second = Phone::registered(&mut office.net, "bob", 4);
    let contact = format!("Contact: <{}>\r\n", second.gruu());
    let subscribe = second
        .request_to(&mut office.net, "SUBSCRIBE", &second.aor(), "watch-bob")
        .headers(&contact)
        .headers(FORM)
        .build();
    office.net.send(second.connection, &subscribe);
    office.net.recv_response(second.connection, 200, "SUBSCRIBE");
    let notify = office.net.recv_request(second.connection, "NOTIFY");
    second.reply(&mut office.net, &notify, 200);
    office.net.pass(seconds(2));
    let (_, received) = office.ring("");
    // It rings on the second as well, which is a dialog of its own.
    second.ring(&mut office.net);
    office.net.recv_response(office.alice.connection, 180, "INVITE");
    office.answer(&received);
    office.net.pass(seconds(1));
    let mut last = None;
    while office.net.waiting(second.connection) > 0 {
        let message = office.net.recv(second.connection);
        if message.method().as_str() == "NOTIFY" {
            second.reply(&mut office.net, &message, 200);
            last = Some(info(&message));
        }
        office.net.pass(seconds(1));
    }
    let last = last.unwrap();
    let seen = last
        .dialogs
        .iter()
        .find(|it| it.state == State::Confirmed)
        .unwrap();
    assert_eq!(seen.direction, Some(Direction::Recipient));
    assert_eq!(
        seen.replaces_value().as_deref(),
        Some("call-1;to-tag=from-call-1;from-tag=to-03")
    );
    assert_eq!(
        seen.remote.identity.as_deref(),
        Some("sip:alice@clearline.localhost")
    );
    let other = last.dialogs.iter().find(|it| it.id != seen.id);
    assert!(other.is_none_or(|it| it.state != State::Confirmed), "{last:?}");
}

/// Whoever knows a dialog's identifiers could take it over (RFC 3891 section 8).
#[test]
fn strangers_see_nothing() {
    let mut office = Office::new();
    let (_, received) = office.ring("");
    office.answer(&received);
    let bob = office.bob.aor();
    office.is_refused(&bob, FORM, 403);
    office.is_refused("sip:102@clearline.localhost", FORM, 403);
    office.is_refused("sip:nobody@clearline.localhost", FORM, 404);
    assert_eq!(office.net.platform.census().subscriptions, 0);
}

#[test]
fn who_has_shown_no_credentials_sees_nothing() {
    let mut net = Net::new();
    let phone = Phone::new(&mut net, "alice", 1);
    let subscribe = phone
        .request_to(&mut net, "SUBSCRIBE", &phone.aor(), "watch")
        .headers("Contact: <sip:x@y.invalid>\r\n")
        .headers(FORM)
        .build();
    net.send(phone.connection, &subscribe);
    net.recv_response(phone.connection, 407, "SUBSCRIBE");
    net.nothing(phone.connection);
}

#[test]
fn what_cannot_be_served_is_refused_as_the_standard_says() {
    let mut office = Office::new();
    let own = office.watcher.aor();
    let unknown = office.is_refused(&own, "Event: presence\r\n", 489);
    assert_eq!(unknown.header(HeaderName::AllowEvents), Some("dialog"));
    office.is_refused(&own, "", 489);
    office.is_refused(&own, "Event: dialog\r\nAccept: text/plain\r\n", 406);
    let brief = office.is_refused(&own, &format!("{FORM}Expires: 5\r\n"), 423);
    assert_eq!(brief.header(HeaderName::MinExpires), Some("30"));
    office.is_refused(&own, &format!("{FORM}Require: eventlist\r\n"), 420);
    // Within a dialog that there is not.
    let stray = request(
        &mut office.net,
        "SUBSCRIBE",
        &format!("sip:{DOMAIN};transport=ws"),
        "<sip:alice@clearline.localhost>;tag=a",
        "<sip:alice@clearline.localhost>;tag=b",
    )
    .headers(FORM)
    .build();
    office.net.send(office.watcher.connection, &stray);
    office
        .net
        .recv_response(office.watcher.connection, 481, "SUBSCRIBE");
}

#[test]
fn a_refresh_lives_on_and_tells_everything() {
    let (mut office, ..) = Office::in_call();
    office.resubscribe("Expires: 900");
    let answer = office
        .net
        .recv_response(office.watcher.connection, 200, "SUBSCRIBE");
    assert_eq!(answer.header(HeaderName::Expires), Some("900"));
    let info = office.notified();
    assert_eq!((info.version, info.is_full), (3, true));
    assert_eq!(only(&info).state, State::Confirmed);
    assert_eq!(office.net.platform.census().subscriptions, 1);
}

#[test]
fn a_subscription_that_is_given_up_gets_a_last_word() {
    let (mut office, ..) = Office::in_call();
    office.resubscribe("Expires: 0");
    office
        .net
        .recv_response(office.watcher.connection, 200, "SUBSCRIBE");
    let notify = office.notify();
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    office.answer_notify(&notify, 200);
    assert_eq!(office.net.platform.census().subscriptions, 0);
}

#[test]
fn a_single_question_is_answered_once() {
    let mut office = Office::new();
    office.subscribe("Expires: 0\r\n");
    let notify = office.notify();
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    assert!(info(&notify).is_full);
    assert_eq!(office.net.platform.census().subscriptions, 0);
}

#[test]
fn a_subscription_lapses_if_it_is_not_refreshed() {
    let mut office = Office::new();
    office.subscribe("Expires: 60\r\n");
    office.notified();
    office.net.pass(Duration::from_millis(59_900));
    office.silence();
    office.net.pass(seconds(1));
    let notify = office.notify();
    assert_eq!(state_of(&notify), "terminated;reason=timeout");
    assert_eq!(office.net.platform.census().subscriptions, 0);
}

/// RFC 4235 section 3.10; RFC 6665 section 4.2.2.
#[test]
fn changes_are_told_at_most_once_a_second_and_one_at_a_time() {
    let mut office = Office::watched();
    let (_, received) = office.ring("");
    let first = office.notify();
    let (mut caller, _) = office.answer(&received);
    office.net.pass(seconds(3));
    office.silence();
    office.answer_notify(&first, 200);
    let second = office.notify();
    assert_eq!(only(&info(&second)).state, State::Confirmed);
    office.answer_notify(&second, 200);
    let bye = caller.request(&mut office.net, "BYE");
    office.net.send(office.alice.connection, &bye);
    office.net.pass(Duration::from_millis(999));
    office.silence();
    office.net.pass(Duration::from_millis(1));
    assert_eq!(only(&office.notified()).state, State::Terminated);
}

#[test]
fn a_subscriber_that_does_not_want_it_is_forgotten() {
    for status in [481, 404, 500] {
        let mut office = Office::watched();
        office.ring("");
        let notify = office.notify();
        office.answer_notify(&notify, status);
        assert_eq!(office.net.platform.census().subscriptions, 0, "{status}");
    }
    let mut office = Office::watched();
    office.ring("");
    office.notify();
    office.net.pass(seconds(33));
    assert_eq!(office.net.platform.census().subscriptions, 0, "no answer");
}

#[test]
fn a_subscriber_that_asks_for_a_pause_gets_it_and_then_everything() {
    let mut office = Office::watched();
    office.ring("");
    let notify = office.notify();
    let answer = ResponseBuilder::for_request(&notify, 503)
        .header(HeaderName::RetryAfter, 5)
        .build();
    office.net.send(office.watcher.connection, &answer);
    office.net.pass(Duration::from_millis(4_900));
    office.silence();
    office.net.pass(Duration::from_millis(200));
    let info = office.notified();
    assert!(info.is_full);
    assert_eq!((info.version, only(&info).state), (2, State::Early));
}

#[test]
fn a_subscriber_that_was_away_is_told_everything() {
    let mut office = Office::watched();
    office.net.disconnect(office.watcher.connection);
    let (_, received) = office.ring("");
    office.answer(&received);
    office.net.pass(seconds(20));
    office.watcher.connection = office.net.connect();
    assert_eq!(office.watcher.register(&mut office.net, "").status(), Some(200));
    let info = office.notified();
    assert!(info.is_full);
    assert_eq!(only(&info).state, State::Confirmed);
}

#[test]
fn the_way_a_dialog_ends_is_told() {
    let (mut office, _, mut callee) = Office::in_call();
    let bye = callee.request(&mut office.net, "BYE");
    office.net.send(office.bob.connection, &bye);
    assert_eq!(only(&office.notified()).event, Some(StateEvent::RemoteBye));

    let mut office = Office::watched();
    let (_, received) = office.ring("");
    office.notified();
    office.net.pass(seconds(2));
    office.bob.reply(&mut office.net, &received, 486);
    assert_eq!(only(&office.notified()).event, Some(StateEvent::Rejected));
    assert_eq!(office.net.platform.census().dialogs, 0);
}

/// The far end may come back; who has hung up will not (RFC 3261 section 15.1.1).
#[test]
fn a_call_is_over_when_one_side_hangs_up_while_the_other_is_away() {
    let (mut office, mut caller, _) = Office::in_call();
    office.net.disconnect(office.bob.connection);
    let bye = caller.request(&mut office.net, "BYE");
    office.net.send(office.alice.connection, &bye);
    office.net.recv_response(office.alice.connection, 430, "BYE");
    assert_eq!(only(&office.notified()).event, Some(StateEvent::LocalBye));
}

/// The device is not there any more when its registration ends (bob's lasts for 600 s).
#[test]
fn a_call_of_a_device_that_is_gone_is_over() {
    let (mut office, ..) = Office::in_call();
    office.net.disconnect(office.bob.connection);
    office.net.pass(seconds(500));
    assert_eq!(office.net.platform.census().dialogs, 1, "it may come back");
    office.net.pass(seconds(100));
    assert_eq!(office.net.platform.census().dialogs, 0);
}

/// RFC 4028.
#[test]
fn a_call_whose_session_is_not_refreshed_is_over() {
    let mut office = Office::new();
    let (_, received) = office.ring("Supported: timer\r\n");
    let granted = [(HeaderName::SessionExpires, "90;refresher=uac")];
    let (mut caller, _) = office.answer_with(&received, &granted);
    office.net.pass(seconds(80));
    let refresh = caller.request(&mut office.net, "UPDATE");
    office.net.send(office.alice.connection, &refresh);
    let received = office.net.recv_request(office.bob.connection, "UPDATE");
    let ok = ResponseBuilder::for_request(&received, 200)
        .header(HeaderName::SessionExpires, "90;refresher=uac")
        .build();
    office.net.send(office.bob.connection, &ok);
    office.net.pass(seconds(89));
    assert_eq!(office.net.platform.census().dialogs, 1);
    office.net.pass(seconds(1));
    assert_eq!(office.net.platform.census().dialogs, 0);
}

#[test]
fn a_call_that_its_far_end_does_not_know_is_over() {
    let (mut office, mut caller, _) = Office::in_call();
    let info = caller.request(&mut office.net, "INFO");
    office.net.send(office.alice.connection, &info);
    let received = office.net.recv_request(office.bob.connection, "INFO");
    office.bob.reply(&mut office.net, &received, 481);
    assert_eq!(only(&office.notified()).event, Some(StateEvent::Error));
}

/// The watcher's INVITE with Replaces to bob, which is answered; what is told of it.
fn taken_over(office: &mut Office, replaces: &str) -> DialogInfo {
    let target = format!("{};ob", office.bob.gruu());
    let contact = office.watcher.gruu();
    let headers = format!("Contact: <{contact}>\r\nRequire: replaces\r\n{replaces}");
    let invite = office
        .watcher
        .request_to(&mut office.net, "INVITE", &target, "call-2")
        .headers(&headers)
        .build();
    office.net.send(office.watcher.connection, &invite);
    office.net.recv_response(office.watcher.connection, 100, "INVITE");
    let received = office.net.recv_request(office.bob.connection, "INVITE");
    assert!(received.header(HeaderName::Replaces).is_some());
    office.bob.reply(&mut office.net, &received, 200);
    let taken = office.notified();
    office.net.recv_response(office.watcher.connection, 200, "INVITE");
    taken
}

/// RFC 3891: the new dialog says which one it has taken the place of, and the old one why it ended.
#[test]
fn a_call_that_is_taken_over_is_told_as_such() {
    let (mut office, _, mut callee) = Office::in_call();
    let taken = taken_over(
        &mut office,
        "Replaces: call-1;to-tag=to-03;from-tag=from-call-1\r\n",
    );
    let replaces = only(&taken).replaces.clone().unwrap();
    assert_eq!(replaces.call_id.as_deref(), Some("call-1"));
    assert_eq!(replaces.local_tag.as_deref(), Some("from-call-1"));
    office.net.pass(seconds(2));
    let bye = callee.request(&mut office.net, "BYE");
    office.net.send(office.bob.connection, &bye);
    let ended = office.notified();
    assert_eq!(only(&ended).event, Some(StateEvent::Replaced));
    assert_eq!(office.net.platform.census().dialogs, 1);
}

/// RFC 3891 section 3: whoever receives that refuses it, or takes it for an ordinary call.
#[test]
fn what_names_no_dialog_replaces_none() {
    for replaces in [
        "Replaces: call-1;to-tag=to-03;from-tag=from-call-1;to-tag=x\r\n",
        "Replaces: call-1;to-tag=to-03;from-tag=\"from-call-1\"\r\n",
        "Replaces: call-1;to-tag=to-03;from-tag=from-call-1\r\nReplaces: call-9;to-tag=a;from-tag=b\r\n",
        "Replaces: call-1;to-tag=to-03\r\n",
    ] {
        let (mut office, _, _) = Office::in_call();
        let taken = taken_over(&mut office, replaces);
        assert_eq!(only(&taken).replaces, None, "{replaces}");
    }
}

#[test]
fn who_withholds_a_name_is_not_told_to_the_other_side() {
    let mut office = Office::new();
    let (_, received) = office.ring("Privacy: id\r\n");
    office.answer(&received);
    let bobs = Phone::registered(&mut office.net, "bob", 4);
    let subscribe = bobs
        .request_to(&mut office.net, "SUBSCRIBE", &bobs.aor(), "watch-bob")
        .headers(&format!("Contact: <{}>\r\n", bobs.gruu()))
        .headers(FORM)
        .build();
    office.net.send(bobs.connection, &subscribe);
    office.net.recv_response(bobs.connection, 200, "SUBSCRIBE");
    let notify = office.net.recv_request(bobs.connection, "NOTIFY");
    let info = info(&notify);
    let remote = &only(&info).remote;
    assert_eq!(remote.display_name, "");
    assert_eq!(
        remote.identity.as_deref(),
        Some("sip:anonymous@anonymous.invalid")
    );
}

/// The owner sees whom the call is with, and that the own name is withheld there: taking it over would tell it.
#[test]
fn an_owner_sees_that_the_own_name_is_withheld() {
    let mut office = Office::new();
    let (_, received) = office.ring("Privacy: id\r\n");
    office.answer(&received);
    office.subscribe("");
    let info = office.notified();
    let seen = only(&info);
    assert_eq!(seen.remote.display_name, "Bob");
    assert_eq!(
        seen.local.identity.as_deref(),
        Some("sip:anonymous@anonymous.invalid")
    );
}

/// The phones tell each other where they are after a restart; what is seen then is known again.
#[test]
fn a_restarted_platform_learns_of_calls_that_are_up() {
    let (mut office, mut caller, _) = Office::in_call();
    office.net.restart_platform();
    for phone in [&mut office.watcher, &mut office.alice, &mut office.bob] {
        phone.connection = office.net.connect();
        phone.cseq += 10;
        assert_eq!(phone.register(&mut office.net, "").status(), Some(200));
    }
    assert_eq!(office.net.platform.census().dialogs, 0);
    let refresh = caller.request(&mut office.net, "INVITE");
    office.net.send(office.alice.connection, &refresh);
    office.net.recv_response(office.alice.connection, 100, "INVITE");
    let received = office.net.recv_request(office.bob.connection, "INVITE");
    let ok = ResponseBuilder::for_request(&received, 200)
        .header(HeaderName::Contact, format_args!("<{};ob>", office.bob.gruu()))
        .build();
    office.net.send(office.bob.connection, &ok);
    office.net.recv_response(office.alice.connection, 200, "INVITE");
    office.subscribe("");
    let info = office.notified();
    let seen = only(&info);
    assert_eq!((seen.state, seen.direction), (State::Confirmed, None));
    assert_eq!(
        seen.replaces_value().as_deref(),
        Some("call-1;to-tag=to-03;from-tag=from-call-1")
    );
    assert_eq!(
        seen.remote.target.as_deref(),
        Some("sip:bob@clearline.localhost"),
        "all of bob's devices, of which one knows it"
    );
}

/// A repeated answer must not bring a call back that has ended meanwhile.
#[test]
fn a_late_repetition_brings_nothing_back() {
    let mut office = Office::new();
    let (_, received) = office.ring("");
    let (mut caller, _) = office.answer(&received);
    let bye = caller.request(&mut office.net, "BYE");
    office.net.send(office.alice.connection, &bye);
    office.net.recv_request(office.bob.connection, "BYE");
    office.bob.reply(&mut office.net, &received, 200);
    office.net.recv_response(office.alice.connection, 200, "INVITE");
    assert_eq!(office.net.platform.census().dialogs, 0);
}

#[test]
fn a_removed_user_is_told_nothing_more() {
    let mut office = Office::watched();
    office
        .net
        .platform
        .remove_user(&clearline_pbx::UserId::new("alice"));
    office.net.drain();
    assert_eq!(office.net.platform.census().subscriptions, 0);
    office.net.pass(seconds(5));
    office.silence();
}

/// A program that is killed and started again gets a new instance, and its old subscriptions reach nobody.
#[test]
fn programs_that_were_started_again_and_again_do_not_lock_their_user_out() {
    let mut office = Office::new();
    for number in 10..40 {
        let phone = Phone::registered(&mut office.net, "alice", number);
        let contact = format!("Contact: <{}>\r\n", phone.gruu());
        let subscribe = phone
            .request_to(
                &mut office.net,
                "SUBSCRIBE",
                &phone.aor(),
                &format!("watch-{number}"),
            )
            .headers(&contact)
            .headers(FORM)
            .build();
        office.net.send(phone.connection, &subscribe);
        office.net.recv_response(phone.connection, 200, "SUBSCRIBE");
        let notify = office.net.recv_request(phone.connection, "NOTIFY");
        let answer = ResponseBuilder::for_request(&notify, 200).build();
        office.net.send(phone.connection, &answer);
        office.net.disconnect(phone.connection);
    }
    assert!(office.net.platform.census().subscriptions <= 20);
}

#[test]
fn subscriptions_and_dialogs_are_bounded() {
    let mut office = Office::new();
    for at in 0..25 {
        let own = office.watcher.aor();
        let contact = format!("Contact: <{}>\r\n", office.watcher.gruu());
        let subscribe = office
            .watcher
            .request_to(&mut office.net, "SUBSCRIBE", &own, &format!("watch-{at}"))
            .headers(&contact)
            .headers(FORM)
            .build();
        office.net.send(office.watcher.connection, &subscribe);
        let answer = office.net.recv(office.watcher.connection);
        if at < 20 {
            assert_eq!(answer.status(), Some(200));
            let notify = office.notify();
            office.answer_notify(&notify, 200);
        } else {
            assert_eq!(answer.status(), Some(503));
            assert!(answer.retry_after().is_some());
        }
    }
    assert_eq!(office.net.platform.census().subscriptions, 20);
    for at in 0..40 {
        let call_id = format!("call-{at}");
        office.alice.call(&mut office.net, &office.bob.aor(), &call_id);
        let invite = office.net.recv_request(office.bob.connection, "INVITE");
        office.bob.reply(&mut office.net, &invite, 200);
        office.net.recv_response(office.alice.connection, 200, "INVITE");
        office.net.pass(seconds(1));
    }
    assert_eq!(office.net.platform.census().dialogs, 32);
}

/// An identifier of ten thousand bytes is forwarded, not remembered.
#[test]
fn nobody_fills_the_memory_with_long_names() {
    let mut office = Office::watched();
    let long = "c".repeat(10_000);
    office.alice.call(&mut office.net, &office.bob.aor(), &long);
    let invite = office.net.recv_request(office.bob.connection, "INVITE");
    office.bob.reply(&mut office.net, &invite, 200);
    office.net.recv_response(office.alice.connection, 200, "INVITE");
    assert_eq!(office.net.platform.census().dialogs, 0);
    office.silence();
}

/// Whoever answers one call does not become the far end of another by naming it.
#[test]
fn an_answer_in_the_name_of_another_call_is_not_believed() {
    let mut office = Office::watched();
    let bob = office.bob.aor();
    office.alice.call(&mut office.net, &bob, "first");
    let invite = office.net.recv_request(office.bob.connection, "INVITE");
    let answer = office.bob.reply(&mut office.net, &invite, 200);
    office.net.recv_response(office.alice.connection, 200, "INVITE");
    assert_eq!(office.notified().dialogs.len(), 1);
    office.net.pass(seconds(2));
    office.alice.call(&mut office.net, &bob, "second");
    let invite = office.net.recv_request(office.bob.connection, "INVITE");
    let forged = ResponseBuilder::for_request(&invite, 200)
        .to_tag("bob")
        .header(HeaderName::Contact, format_args!("<{};other>", office.bob.gruu()))
        .build()
        .edit()
        .set(HeaderName::CallId, "first")
        .set(HeaderName::From, answer.header(HeaderName::From).unwrap())
        .set(HeaderName::To, answer.header(HeaderName::To).unwrap())
        .build();
    office.net.send(office.bob.connection, &forged);
    office.net.pass(seconds(2));
    office.net.nothing(office.watcher.connection);
    assert_eq!(office.net.platform.census().dialogs, 1);
}

/// Nor is a Contact of any length told to everybody who watches the other side.
#[test]
fn a_long_contact_is_not_told() {
    let mut office = Office::watched();
    let bob = office.bob.aor();
    office.alice.call(&mut office.net, &bob, "long");
    let invite = office.net.recv_request(office.bob.connection, "INVITE");
    let contact = format!("<{};a={}>", office.bob.gruu(), "&".repeat(20_000));
    let answer = ResponseBuilder::for_request(&invite, 200)
        .to_tag("bob")
        .record_routes_from(&invite)
        .header(HeaderName::Contact, contact)
        .build();
    office.net.send(office.bob.connection, &answer);
    office.net.recv_response(office.alice.connection, 200, "INVITE");
    assert_eq!(office.net.platform.census().dialogs, 1);
    let told = office.notified();
    let targets: Vec<_> = told
        .dialogs
        .iter()
        .map(|dialog| dialog.remote.target.as_deref())
        .collect();
    assert_eq!(targets, [Some(bob.as_str())], "the address of record instead");
}
