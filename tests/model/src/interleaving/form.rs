//! What two states have in common exactly if they differ in nothing that matters.
//!
//! An agent's state is its `Debug` text, in which messages stand as a number for their bytes. Three things of it are
//! only relative: what merely names something (tags, branches, counted ids) counts by the order in which it occurs in
//! the whole state, moments by how far they are from now, and messages by their own text, seen in the same way. The
//! rest is the [shape](Form), hashed once per change of an agent.

use std::collections::HashMap;
use std::sync::Arc;

use clearline_core::Instant;

use super::letter::Letter;

/// Shorter runs of hexadecimal digits are numbers or words.
const SHORTEST_TOKEN: usize = 8;
/// Stand in the shape where a name or a moment was.
const NAME: u64 = 1;
const MOMENT: u64 = 2;

/// A text with its names and moments taken out, which are relative to the state it is part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    shape: Mix,
    names: Vec<u64>,
    moments: Vec<u64>,
}

impl Form {
    /// The form of a message.
    pub(super) fn of_message(text: &str) -> Self {
        let mut reader = Reader::new("", &[]);
        reader.read(text);
        reader.form
    }

    /// The form of `Debug` text that refers to the messages `known`, and which of these it does refer to. Counted ids
    /// are those of `owner`.
    pub(super) fn of_state(text: &str, owner: &str, known: &[Arc<Letter>]) -> (Self, Vec<Arc<Letter>>) {
        let mut reader = Reader::new(owner, known);
        reader.read(text);
        (reader.form, reader.met)
    }

    /// Takes in another one, which comes after it.
    fn append(&mut self, other: &Self) {
        self.shape.add(other.shape.a);
        self.shape.add(other.shape.b);
        self.names.extend_from_slice(&other.names);
        self.moments.extend_from_slice(&other.moments);
    }
}

/// A hash of 128 bits: two of 64 with different constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mix {
    a: u64,
    b: u64,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            a: 0x243f_6a88_85a3_08d3,
            b: 0x1319_8a2e_0370_7344,
        }
    }
}

impl Mix {
    pub(super) fn add(&mut self, word: u64) {
        self.a = folded(self.a ^ word, 0xa409_3822_299f_31d1);
        self.b = folded(self.b ^ word, 0x082e_fa98_ec4e_6c89).rotate_left(17);
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
        self.add(bytes.len() as u64);
    }

    pub(super) fn value(self) -> u128 {
        u128::from(self.a) << 64 | u128::from(self.b)
    }
}

/// Both halves of the product, so that every bit counts.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a | (1 << 63)) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64) ^ a
}

/// Puts the forms of a state's parts together.
#[derive(Debug)]
pub(super) struct Fingerprint {
    now: Instant,
    mix: Mix,
    order: HashMap<u64, u64>,
}

impl Fingerprint {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now,
            mix: Mix::default(),
            order: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, form: &Form) {
        self.mix.add(form.shape.a);
        self.mix.add(form.shape.b);
        for name in &form.names {
            let next = self.order.len() as u64;
            self.mix.add(*self.order.entry(*name).or_insert(next));
        }
        for moment in &form.moments {
            self.mix.add(moment.wrapping_sub(self.now.as_micros()));
        }
    }

    pub(super) fn add_number(&mut self, number: u64) {
        self.mix.add(number);
    }

    pub(super) fn value(self) -> u128 {
        self.mix.value()
    }
}

struct Reader<'a> {
    owner: &'a str,
    known: &'a [Arc<Letter>],
    met: Vec<Arc<Letter>>,
    form: Form,
}

impl<'a> Reader<'a> {
    fn new(owner: &'a str, known: &'a [Arc<Letter>]) -> Self {
        Self {
            owner,
            known,
            met: Vec::new(),
            form: Form::default(),
        }
    }

    /// Everything that is not special is hashed as it stands, in long runs.
    fn read(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let (mut plain, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            if !is_word_byte(*byte) {
                at += 1;
                continue;
            }
            let end = at + word_length(&bytes[at..]);
            let is_number = at > 0 && bytes[at - 1] == b'#';
            let special = if is_number {
                None
            } else {
                special(&text[at..end], &text[end..])
            };
            let Some((special, rest)) = special else {
                at = end;
                continue;
            };
            let after = text.len() - rest.len();
            if let Special::Message(number) = special
                && self.letter(number).is_none()
            {
                at = after;
                continue;
            }
            self.form.shape.add_bytes(&bytes[plain..at]);
            self.take(special);
            (plain, at) = (after, after);
        }
        self.form.shape.add_bytes(&bytes[plain..]);
    }

    fn take(&mut self, special: Special<'_>) {
        match special {
            Special::Name(word) => self.name(&[word], 0),
            Special::Id(word, number) => self.name(&[self.owner, word], number),
            Special::Moment(at) => {
                self.form.shape.add(MOMENT);
                self.form.moments.push(at);
            }
            Special::Nothing => {}
            Special::Message(number) => {
                let Some(letter) = self.letter(number) else { return };
                self.form.append(&letter.form);
                if !self.met.iter().any(|met| met.number == number) {
                    self.met.push(letter);
                }
            }
        }
    }

    fn name(&mut self, parts: &[&str], number: u64) {
        let mut name = Mix::default();
        name.add(number);
        parts.iter().for_each(|part| name.add_bytes(part.as_bytes()));
        self.form.shape.add(NAME);
        self.form.names.push(name.a ^ name.b);
    }

    fn letter(&self, number: u64) -> Option<Arc<Letter>> {
        self.known.iter().find(|letter| letter.number == number).cloned()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special<'a> {
    /// A random token.
    Name(&'a str),
    /// A counted id: `OperationId(7)`.
    Id(&'a str, u64),
    Moment(u64),
    Message(u64),
    /// Says nothing.
    Nothing,
}

/// What a word is, with what belongs to it, and what comes after that.
fn special<'a>(word: &'a str, rest: &'a str) -> Option<(Special<'a>, &'a str)> {
    if let Some(inner) = rest.strip_prefix('(') {
        if word == "Instant" {
            let (number, after) = number_in(inner)?;
            // Long before all that happens here: never.
            return (number > 0).then_some((Special::Moment(number), after));
        }
        if word == "Message" {
            return message(inner);
        }
        if word.ends_with("Id") && word.len() < 20 {
            let (number, after) = number_in(inner)?;
            return Some((Special::Id(word, number), after));
        }
    }
    if has_no_effect(word) {
        let value = rest.strip_prefix(": ")?;
        let value = value.strip_prefix("Some(").unwrap_or(value);
        let (_, after) = number_in(value.strip_prefix("Instant(")?)?;
        return Some((Special::Nothing, after));
    }
    if word.starts_with("last_") {
        let value = rest.strip_prefix(": ")?;
        let length = word_length(value.as_bytes());
        let is_counter = length > 0 && value.as_bytes()[..length].iter().all(u8::is_ascii_digit);
        return is_counter.then(|| (Special::Nothing, &value[length..]));
    }
    is_token(word).then_some((Special::Name(word), rest))
}

/// Moments that say when something was, for people, or when a keep-alive is due: the switch answers those before they
/// are asked. Nothing an agent does depends on them.
fn has_no_effect(field: &str) -> bool {
    matches!(
        field,
        "now" | "created_at" | "answered_at" | "ask_at" | "last_deadline"
    )
}

/// The number that ends at a closing bracket.
fn number_in(text: &str) -> Option<(u64, &str)> {
    let (number, after) = text.split_once(')')?;
    Some((number.parse().ok()?, after))
}

/// `200 INVITE, 812 bytes, #0123456789abcdef)`.
fn message(inner: &str) -> Option<(Special<'_>, &str)> {
    let (text, after) = inner.split_once(')')?;
    let (_, number) = text.rsplit_once('#')?;
    Some((Special::Message(u64::from_str_radix(number, 16).ok()?), after))
}

const fn is_word_byte(byte: u8) -> bool {
    WORD_BYTES[byte as usize]
}

const WORD_BYTES: [bool; 256] = {
    let mut is_word = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        is_word[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    is_word
};

fn word_length(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_word_byte(*byte))
        .unwrap_or(bytes.len())
}

fn is_token(word: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let word = word.strip_prefix("z9hG4bK").unwrap_or(word);
    word.len() >= SHORTEST_TOKEN && word.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(now: u64, text: &str) -> u128 {
        let mut fingerprint = Fingerprint::new(Instant::from_micros(now));
        fingerprint.add(&Form::of_state(text, "alice", &[]).0);
        fingerprint.value()
    }

    #[test]
    fn names_and_moments_are_relative() {
        let a = fingerprint(
            1_000,
            "X { at: Instant(1500), id: OperationId(7), tag: \"deadbeef\", last_id: 9, now: Instant(3) }",
        );
        let b = fingerprint(
            2_000,
            "X { at: Instant(2500), id: OperationId(9), tag: \"cafe0123\", last_id: 4, now: Instant(8) }",
        );
        assert_eq!(a, b);
    }

    #[test]
    fn what_matters_stays() {
        for (a, b) in [
            ("at: Instant(1500)", "at: Instant(1501)"),
            ("at: Some(Instant(1500))", "at: None"),
            ("hold: true", "hold: false"),
            ("OperationId(1) OperationId(1)", "OperationId(1) OperationId(2)"),
            ("deadbeef deadbeef", "deadbeef cafe0123"),
            ("cseq: 4", "cseq: 5"),
            ("abcdefgh", "abcdefghi"),
            (
                "Message(ACK, 9 bytes, #0123456789abcdef)",
                "Message(ACK, 9 bytes, #0123456789abcde0)",
            ),
            ("DialogId(#0123456789abcdef)", "DialogId(#0123456789abcde0)"),
        ] {
            assert_ne!(fingerprint(0, a), fingerprint(0, b), "{a} {b}");
        }
    }

    #[test]
    fn a_message_counts_by_its_text_and_shares_its_names_with_the_state() {
        let state = |tag: &str, body: &str| {
            let letter = Arc::new(Letter::new(
                format!("INFO sip:b SIP/2.0\r\nFrom: <sip:a>;tag={tag}\r\n\r\n{body}").into_bytes(),
            ));
            let text = format!("tag: {tag}, sent: {:?}", letter.message());
            let (form, met) = Form::of_state(&text, "alice", std::slice::from_ref(&letter));
            assert_eq!(met.len(), 1);
            let mut fingerprint = Fingerprint::new(Instant::ZERO);
            fingerprint.add(&form);
            fingerprint.value()
        };
        assert_eq!(state("deadbeef", "x"), state("cafe0123", "x"));
        assert_ne!(state("deadbeef", "x"), state("deadbeef", "y"));
    }
}
