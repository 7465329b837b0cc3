//! Services of the platform's own: they send callers on, and tell their events themselves.

use clearline_core::sip::{HeaderName, ResponseBuilder};
use clearline_pbx::{User, UserId};

use crate::net::{DOMAIN, Net, Phone, ack_of, cancel_of};

/// Bob is the service; carol is to whom it sends callers.
fn net() -> (Net, [Phone; 3]) {
    let mut net = Net::new();
    let bob = User::new("bob").with_number("102").with_display_name("Bob");
    net.platform.set_user(bob.as_service()).unwrap();
    let phones = [("alice", 1), ("bob", 2), ("carol", 3)];
    let phones = phones.map(|(user, device)| Phone::registered(&mut net, user, device));
    (net, phones)
}

fn redirect(net: &mut Net, service: &Phone, contact: &str) {
    let invite = net.recv_request(service.connection, "INVITE");
    let redirect = ResponseBuilder::for_request(&invite, 302)
        .to_tag("away")
        .header(HeaderName::Contact, format_args!("<{contact}>"))
        .build();
    net.send(service.connection, &redirect);
    net.recv_request(service.connection, "ACK");
}

#[test]
fn a_service_sends_a_caller_on_who_does_not_notice() {
    let (mut net, [alice, bob, carol]) = net();
    alice.call(&mut net, &format!("sip:bob@{DOMAIN}"), "call-1");
    redirect(&mut net, &bob, &format!("sip:carol@{DOMAIN}"));
    let invite = carol.ring(&mut net);
    assert_eq!(invite.request_uri().unwrap().as_str(), carol.contact());
    net.recv_response(alice.connection, 180, "INVITE");
    carol.reply(&mut net, &invite, 200);
    net.recv_response(alice.connection, 200, "INVITE");
    net.nothing(alice.connection);
}

#[test]
fn what_it_is_answered_elsewhere_counts_and_not_the_redirection() {
    let (mut net, [alice, bob, carol]) = net();
    let invite = alice.call(&mut net, &format!("sip:bob@{DOMAIN}"), "call-1");
    redirect(&mut net, &bob, &format!("sip:carol@{DOMAIN}"));
    let sent_on = net.recv_request(carol.connection, "INVITE");
    carol.reply(&mut net, &sent_on, 486);
    let refusal = net.recv_response(alice.connection, 486, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &refusal));
}

#[test]
fn who_has_given_up_is_not_sent_anywhere() {
    let (mut net, [alice, bob, carol]) = net();
    let invite = alice.call(&mut net, &format!("sip:bob@{DOMAIN}"), "call-1");
    net.send(alice.connection, &cancel_of(&invite));
    net.recv_response(alice.connection, 200, "CANCEL");
    // The service has said nothing before, so it could not be cancelled (RFC 3261 section 9.1).
    redirect(&mut net, &bob, &format!("sip:carol@{DOMAIN}"));
    let refusal = net.recv_response(alice.connection, 487, "INVITE");
    net.send(alice.connection, &ack_of(&invite, &refusal));
    net.nothing(carol.connection);
}

#[test]
fn nobody_is_sent_in_circles_or_out_of_the_domain() {
    for target in [
        format!("sip:bob@{DOMAIN}"),
        format!("sip:nobody@{DOMAIN}"),
        "sip:carol@elsewhere.example".to_owned(),
    ] {
        let (mut net, [alice, bob, _carol]) = net();
        let invite = alice.call(&mut net, &format!("sip:bob@{DOMAIN}"), "call-1");
        redirect(&mut net, &bob, &target);
        if target == format!("sip:bob@{DOMAIN}") {
            redirect(&mut net, &bob, &target);
        }
        let answer = net.recv_response(alice.connection, 302, "INVITE");
        net.send(alice.connection, &ack_of(&invite, &answer));
        net.nothing(bob.connection);
    }
}

#[test]
fn a_telephone_that_is_no_service_does_not_decide_where_a_call_goes() {
    let mut net = Net::new();
    let phones = [("alice", 1), ("bob", 2), ("carol", 3)];
    let [alice, bob, carol] = phones.map(|(user, device)| Phone::registered(&mut net, user, device));
    alice.call(&mut net, &format!("sip:bob@{DOMAIN}"), "call-1");
    redirect(&mut net, &bob, &format!("sip:carol@{DOMAIN}"));
    net.recv_response(alice.connection, 302, "INVITE");
    net.nothing(carol.connection);
}

#[test]
fn a_service_is_asked_for_its_events_itself() {
    let (mut net, [alice, bob, carol]) = net();
    let mut subscribe = |user: &str, event: &str| {
        let target = format!("sip:{user}@{DOMAIN}");
        let headers = format!("Contact: <{}>\r\nEvent: {event}\r\n", alice.gruu());
        let subscribe = alice.request_to(&mut net, "SUBSCRIBE", &target, event);
        let subscribe = subscribe.headers(&headers).build();
        net.send(alice.connection, &subscribe);
    };
    subscribe("carol", "conference");
    subscribe("bob", "conference");
    net.recv_response(alice.connection, 489, "SUBSCRIBE");
    net.recv_request(bob.connection, "SUBSCRIBE");
    net.nothing(carol.connection);
}

#[test]
fn a_service_that_is_gone_is_a_user_who_is_gone() {
    let (mut net, [alice, _bob, _carol]) = net();
    net.platform.remove_user(&UserId::new("bob"));
    let target = format!("sip:bob@{DOMAIN}");
    let subscribe = alice.request_to(&mut net, "SUBSCRIBE", &target, "gone");
    let subscribe = subscribe.headers("Event: conference\r\n").build();
    net.send(alice.connection, &subscribe);
    net.recv_response(alice.connection, 489, "SUBSCRIBE");
}
