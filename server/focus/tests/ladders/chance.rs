//! Whatever people do at once, and in whatever order: nobody is forgotten, and the conference ends when they have left.

use clearline_core::Rng;
use clearline_core::sip::{HeaderName, Message, Method};
use clearline_focus::Agent as _;

use crate::room::{Guest, Room, user};

const NAMES: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// A room, who is in it and whom it calls.
struct Party {
    room: Room,
    rng: Rng,
    guests: Vec<Guest>,
    called: Vec<Message>,
}

impl Party {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            room: Room::for_all(),
            rng: Rng::new(bytes),
            guests: Vec::new(),
            called: Vec::new(),
        }
    }

    fn one_of(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.next_u64() % count as u64).unwrap()
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.one_of(NAMES.len())]
    }

    fn guest(&mut self) -> Option<usize> {
        (!self.guests.is_empty()).then(|| self.one_of(self.guests.len()))
    }

    /// Somebody does something.
    fn step(&mut self) {
        let name = self.name();
        match (self.one_of(9), self.guest()) {
            (0, _) | (_, None) => self.guests.extend(self.room.tries_to_join(name)),
            (1, Some(guest)) => {
                self.guests
                    .swap_remove(guest)
                    .sends(&mut self.room, "BYE", "", "");
            }
            (2, Some(guest)) => self.refers(guest, &format!("<{}>", user(name))),
            (3, Some(guest)) => self.refers(guest, &format!("<{};method=BYE>", user(name))),
            (4, Some(guest)) => {
                let direction = ["sendonly", "sendrecv", "inactive"][self.one_of(3)];
                self.guests[guest].tries_to_offer(&mut self.room, direction);
            }
            (5, _) if !self.called.is_empty() => {
                let at = self.one_of(self.called.len());
                let invite = self.called.swap_remove(at);
                let name = called_name(&invite);
                self.guests.push(self.room.picks_up_late(&invite, &name));
            }
            (6, _) if !self.called.is_empty() => {
                let at = self.one_of(self.called.len());
                let invite = self.called.swap_remove(at);
                self.room.answer(&invite, 486, &[]);
            }
            (7, _) => {
                self.room.subscribes_perhaps(name);
            }
            _ => self.room.secs(1),
        }
        // Answers may be on their way while others act.
        if self.one_of(2) == 0 {
            self.answer_all();
        }
    }

    fn refers(&mut self, guest: usize, refer_to: &str) {
        let headers = format!("Refer-To: {refer_to}\r\n");
        self.guests[guest].sends(&mut self.room, "REFER", &headers, "");
    }

    /// Everybody answers what the focus has asked.
    fn answer_all(&mut self) {
        loop {
            let all = self.room.take_all();
            if all.is_empty() {
                return;
            }
            for message in all.into_iter().filter(Message::is_request) {
                self.answer(&message);
            }
        }
    }

    fn answer(&mut self, request: &Message) {
        let is = |method| request.method() == method;
        if is(Method::Invite) && request.to().unwrap().tag().is_none() {
            // The platform does so at once.
            self.room.answer(request, 100, &[]);
            self.called.push(request.clone());
            return;
        }
        if is(Method::Cancel) {
            let is_cancelled = |invite: &Message| invite.call_id() == request.call_id();
            if let Some(at) = self.called.iter().position(is_cancelled) {
                let invite = self.called.swap_remove(at);
                self.room.answer(&invite, 487, &[]);
            }
        }
        if is(Method::Bye) {
            self.guests.retain(|guest| !guest.is_in(request));
        }
        if !is(Method::Ack) {
            self.room.answer(request, 200, &[]);
        }
    }
}

fn called_name(invite: &Message) -> String {
    let user = invite.to().unwrap().uri.user_decoded().into_owned();
    assert!(invite.header(HeaderName::ReferredBy).is_some());
    user
}

#[test]
fn nobody_is_forgotten() {
    for seed in 0..100 {
        let mut party = Party::new(seed);
        party.guests.extend(party.room.tries_to_join("alice"));
        for _ in 0..40 {
            party.step();
        }
        party.answer_all();
        for mut guest in std::mem::take(&mut party.guests) {
            guest.sends(&mut party.room, "BYE", "", "");
        }
        for _ in 0..30 {
            party.room.secs(2);
            party.answer_all();
        }
        assert!(party.room.focus.is_over(), "seed {seed}");
        assert!(party.called.is_empty(), "seed {seed}: somebody rings for ever");
        assert!(
            party.guests.is_empty(),
            "seed {seed}: somebody is still in a call"
        );
        assert!(
            !party.room.mixed().contains(&true),
            "seed {seed}: somebody is still heard"
        );
    }
}

/// A message with some of its bytes changed, or some of its lines twice or not at all.
fn spoiled(message: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut at = |count: usize| usize::try_from(rng.next_u64() % count.max(1) as u64).unwrap();
    let mut lines: Vec<Vec<u8>> = message
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    for _ in 0..=at(3) {
        let line = at(lines.len());
        match at(4) {
            0 => drop(lines.remove(line)),
            1 => lines.insert(at(lines.len()), lines[line].clone()),
            _ => {
                let place = at(lines[line].len());
                lines[line][place] = b"\0 <>;=@:,\"%9z\xff"[at(14)];
            }
        }
    }
    lines.concat()
}

#[test]
fn spoiled_messages_spoil_nothing() {
    let mut rng = Rng::new([3; 32]);
    for _ in 0..20 {
        let mut room = Room::new();
        let (mut alice, mut bob) = (room.joins("alice"), room.joins("bob"));
        room.subscribes("alice");
        alice.sends(
            &mut room,
            "REFER",
            &format!("Refer-To: <{}>\r\n", user("carol")),
            "",
        );
        let invite = room.calls("carol");
        room.rings(&invite, "carol");
        room.picks_up(&invite, "carol");
        room.ask(
            "<sip:alice@clearline.localhost>",
            "REFER",
            &format!("Refer-To: <{}>\r\n", user("dave")),
            "",
        );
        bob.tries_to_offer(&mut room, "sendonly");
        let delivered = room.delivered.clone();
        for _ in 0..200 {
            let message = &delivered[usize::try_from(rng.next_u64()).unwrap_or(0) % delivered.len()];
            room.deliver(&spoiled(message, &mut rng));
            for request in room.take_all().iter().filter(|it| it.is_request()) {
                if request.method() != Method::Ack {
                    room.answer(request, 200, &[]);
                }
            }
        }
        room.secs(1);
        assert!(room.focus.is_ready(), "it still is a conference");
        assert!(room.tries_to_join("erin").is_some(), "who comes is let in");
    }
}
