//! Messages made to hurt: many of everything, everything deep, bytes changed at random.

#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use clearline_core::sip::digest::ClientChallengeState;
use clearline_core::sip::{HeaderName, MAX_HEADER_LINES, MAX_MESSAGE_BYTES, Message, ParseError, Uri};

use crate::exercise::exercise;
use crate::torture;

fn options(headers: &str) -> Result<Message, ParseError> {
    Message::parse(format!("OPTIONS sip:h SIP/2.0\r\n{headers}\r\n").into_bytes())
}

/// `unit` repeated to about the size limit of a message.
fn filled(unit: &str) -> String {
    unit.repeat((MAX_MESSAGE_BYTES - 500) / unit.len())
}

#[test]
fn thousands_of_vias_in_one_line_are_read_and_edited_in_linear_time() {
    let message = options(&format!("v: {}\r\n", filled("SIP/2.0/X h,"))).unwrap();
    assert!(message.vias().count() > 5_000);
    assert!(message.vias().all(|via| via.is_ok()));
    exercise(&message);
}

#[test]
fn ten_thousand_header_lines_are_refused() {
    assert_eq!(
        options(&"v:h\r\n".repeat(10_000)),
        Err(ParseError::TooManyHeaders)
    );
    let most = options(&"v: SIP/2.0/X h\r\n".repeat(MAX_HEADER_LINES - 9)).unwrap();
    assert_eq!(most.vias().count(), MAX_HEADER_LINES - 9);
    exercise(&most);
}

#[test]
fn a_message_of_one_thing_repeated_costs_no_more_than_its_length() {
    for unit in [
        "\"",
        "\\",
        "\"\\",
        "<",
        ">",
        "<>",
        ",",
        ";",
        ";;",
        ", ;",
        ";a=",
        ";a=\"",
        ";a;",
        "%",
        "%0",
        "%00",
        "@",
        ":",
        "[",
        "]",
        "[:",
        "(",
        "=",
        "=\"",
        " ",
        "\t",
        "\r\n ",
        "\u{fffd}",
        "a",
        "0",
        "a=b,",
        "a/",
        "/",
        "\"a\" <sip:b@c>;d=e,",
    ] {
        for name in ["Via", "Contact", "WWW-Authenticate"] {
            if let Ok(message) = options(&format!("{name}: {}\r\n", filled(unit))) {
                exercise(&message);
            }
        }
    }
}

#[test]
fn long_uris_cost_no_more_than_their_length() {
    for unit in [";a", ";a=b", "%41", "a", "&a=b", ":", "[", "."] {
        for start in ["sip:", "sip:a@h", "sip:a@h?", "sip:a@h;x", "tel:1", "x:"] {
            let text = format!("{start}{}", filled(unit));
            if let Ok(uri) = Uri::parse(&text) {
                crate::exercise::uri(&uri);
            }
        }
    }
}

#[test]
fn a_flood_of_challenges_is_bounded() {
    let refusal = options(&"Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n".repeat(1_000)).unwrap();
    let mut state = ClientChallengeState::default();
    state.take_challenges(&refusal);
    let answers = state.authorize(&refusal, "alice", &clearline_core::Secret::new("demo"), "c");
    assert_eq!(answers.len(), 1, "one realm, one answer");
}

#[test]
fn descriptions_of_one_thing_repeated_cost_no_more_than_their_length() {
    for unit in [
        "m=audio 1 RTP/AVP 0\n",
        "a=rtpmap:0 x/1\n",
        "a=candidate:\n",
        "a=\n",
        "\n",
        "a=sendrecv\n",
        "v=0\n",
        "=",
    ] {
        crate::exercise::describe(&format!("v=0\nm=audio 1 RTP/AVP 0\n{}", filled(unit)));
    }
    crate::exercise::describe(&format!(
        "v=0\nm=audio 1 RTP/AVP{}\na=rtpmap:0 x/1\n",
        filled(" 0")
    ));
}

#[test]
fn changed_bytes_never_cause_a_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut read = 0;
    for (_, original) in torture::ALL {
        for _ in 0..60 {
            let bytes = random.mutated(original);
            if let Ok(message) = Message::parse(bytes.as_slice()) {
                read += 1;
                exercise(&message);
            }
        }
    }
    assert!(read > 500, "most changes leave a message a message, {read}");
}

#[test]
fn every_truncation_is_handled() {
    let (_, original) = torture::ALL.iter().find(|(name, _)| *name == "wsinv").unwrap();
    let read = (0..original.len()).filter_map(|end| Message::parse(&original[..end]).ok());
    assert_eq!(
        read.map(|message| exercise(&message)).count(),
        0,
        "Content-Length tells that something is missing"
    );
}

/// What an end point takes from a peer lands in no header but the one it was meant for.
#[test]
fn text_from_a_peer_cannot_make_a_header() {
    let peer = options("From: \"x\\\r\n \\\rEvil: 1\" <sip:a%0D%0AEvil:%201@h>;tag=1\r\n");
    assert!(peer.is_err(), "a bare CR is refused");
    let peer = options("From: \"x\" <sip:a%0D%0AEvil:%201@h>;tag=1\r\n").unwrap();
    let user = peer.from().unwrap().uri.user_decoded().into_owned();
    assert!(user.contains("\r\n"), "decoded text may hold anything");
    let answer = peer
        .edit()
        .append(HeaderName::Subject, &user)
        .set(HeaderName::Other(&user), "x")
        .build();
    let answer = Message::parse(answer.as_bytes()).unwrap();
    assert!(
        answer
            .headers()
            .all(|(name, _)| name != HeaderName::Other("Evil"))
    );
}

/// A small generator, so that the test runs everywhere and always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    fn mutated(&mut self, original: &[u8]) -> Vec<u8> {
        const SPICE: &[u8] = b"\r\n \t\"\\<>;,:=@%[]()/?\0\xff\xc3A0";
        let mut bytes = original.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let spice = SPICE[self.below(SPICE.len())];
            match self.below(5) {
                0 => bytes[at] = spice,
                1 => bytes.insert(at, spice),
                2 => drop(bytes.remove(at)),
                3 => drop(bytes.drain(at..(at + self.below(20)).min(bytes.len()))),
                _ => bytes.extend_from_within(at..(at + self.below(200)).min(bytes.len())),
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }
}
