//! Other words of the same shape: the same one for the same word, and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::rng::Rng;

/// How many words are remembered; a session that knows more gives the rest a new pseudonym each time.
const MAX_WORDS: usize = 4_096;
/// How often another pseudonym is drawn because it is taken. Short numbers have few.
const TRIES: usize = 32;

#[derive(Clone, Debug)]
pub(super) struct Pseudonyms {
    rng: Rng,
    known: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Pseudonyms {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self {
            rng: Rng::new(key),
            known: BTreeMap::new(),
            taken: BTreeSet::new(),
        }
    }

    /// Whether `word` has been met as something that needs a pseudonym.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.known.contains_key(word)
    }

    /// Letters for letters, digits for digits, all else as it is.
    pub(super) fn word(&mut self, word: &str) -> String {
        self.remembered(word, Self::shaped)
    }

    /// The digits of a telephone number in any notation, as [`Self::word`] changes the number without its notation.
    pub(super) fn number(&mut self, text: &str) -> String {
        let plain: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        let other = self.word(&plain);
        let mut digits = other.chars().filter(char::is_ascii_digit);
        let exchange = |c: char| {
            if c.is_ascii_digit() {
                digits.next().unwrap_or(c)
            } else {
                c
            }
        };
        text.chars().map(exchange).collect()
    }

    /// An IPv4 address whose parts have as many digits.
    pub(super) fn ipv4(&mut self, address: Ipv4Addr) -> String {
        self.remembered(&address.to_string(), |this, _| {
            let part = |octet: u8| match octet {
                0..10 => this.below(10),
                10..100 => 10 + this.below(90),
                100.. => 100 + this.below(156),
            };
            address.octets().map(part).map(|part| part.to_string()).join(".")
        })
    }

    /// An IPv6 address written alike.
    pub(super) fn ipv6(&mut self, text: &str, address: Ipv6Addr) -> String {
        self.remembered(&address.to_string(), |this, _| {
            let mut digit = |c: char| match c.is_ascii_hexdigit() {
                true => char::from_digit(1 + this.below(15), 16).unwrap_or('1'),
                false => c,
            };
            text.chars().map(&mut digit).collect()
        })
    }

    /// The shape alone, of text that need not be known again.
    pub(super) fn shaped(&mut self, text: &str) -> String {
        let mut shaped = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                '0'..='9' => shaped.push(self.digit()),
                'a'..='z' => shaped.push(self.letter(b'a')),
                'A'..='Z' => shaped.push(self.letter(b'A')),
                '%' if is_escape(rest.as_str()) => {
                    rest.nth(1);
                    shaped.push(self.letter(b'a'));
                }
                c if c.is_ascii() => shaped.push(c),
                _ => shaped.push(self.letter(b'a')),
            }
        }
        shaped
    }

    pub(super) fn digit(&mut self) -> char {
        char::from_digit(self.below(10), 10).unwrap_or('0')
    }

    fn letter(&mut self, first: u8) -> char {
        char::from(first + u8::try_from(self.below(26)).unwrap_or(0))
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.rng.next_u64() % u64::from(bound)).unwrap_or(0)
    }

    fn remembered(&mut self, word: &str, mut draw: impl FnMut(&mut Self, &str) -> String) -> String {
        if let Some(known) = self.known.get(word) {
            return known.clone();
        }
        let mut other = draw(self, word);
        for _ in 0..TRIES {
            if other != word && !self.taken.contains(&other) {
                break;
            }
            other = draw(self, word);
        }
        if self.known.len() < MAX_WORDS {
            self.known.insert(word.to_owned(), other.clone());
            self.taken.insert(other.clone());
        }
        other
    }
}

fn is_escape(rest: &str) -> bool {
    matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn the_shape_stays_and_the_same_word_gets_the_same_pseudonym() {
        let mut pseudonyms = Pseudonyms::new([1; 32]);
        let bob = pseudonyms.word("Bob-7");
        assert_ne!(bob, "Bob-7");
        assert_eq!(pseudonyms.word("Bob-7"), bob);
        let shape: Vec<_> = bob
            .chars()
            .map(|c| (c.is_ascii_uppercase(), c.is_ascii_digit(), c == '-'))
            .collect();
        assert_eq!(shape[0], (true, false, false));
        assert_eq!((shape[3], shape[4]), ((false, false, true), (false, true, false)));
        assert_eq!(pseudonyms.word("*#"), "*#");
    }

    #[test]
    fn a_number_is_the_same_in_any_notation() {
        let mut pseudonyms = Pseudonyms::new([1; 32]);
        let plain = pseudonyms.word("+4989123456");
        let written = pseudonyms.number("+49 89 / 1234-56");
        assert_eq!(written.replace([' ', '/', '-'], ""), plain);
        assert_eq!(&written[3..4], " ");
    }

    #[test]
    fn different_words_stay_different() {
        let mut pseudonyms = Pseudonyms::new([2; 32]);
        let all: BTreeSet<_> = (100..160)
            .map(|number| pseudonyms.word(&number.to_string()))
            .collect();
        assert_eq!(all.len(), 60);
    }

    #[test]
    fn addresses_become_addresses() {
        let mut pseudonyms = Pseudonyms::new([3; 32]);
        let v4: Ipv4Addr = "192.168.17.4".parse().unwrap();
        let other = pseudonyms.ipv4(v4);
        assert_eq!((other.parse::<Ipv4Addr>().is_ok(), other.len()), (true, 12));
        let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let other = pseudonyms.ipv6("2001:db8::1", v6);
        assert!(other.parse::<Ipv6Addr>().is_ok_and(|it| it != v6), "{other}");
    }
}
