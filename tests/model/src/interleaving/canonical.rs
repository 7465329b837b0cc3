//! A text that two states have in common exactly if they differ in nothing that matters.

use std::collections::BTreeMap;

use clearline_core::Instant;

/// Shorter runs of hexadecimal digits are numbers or words.
const SHORTEST_TOKEN: usize = 8;

/// Renames what only names: random tokens and counted ids by the order in which they occur, moments by how far they
/// are from now.
#[derive(Debug)]
pub(super) struct Canonical {
    now: Instant,
    names: BTreeMap<String, usize>,
    pub(super) text: String,
}

impl Canonical {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now,
            names: BTreeMap::new(),
            text: String::new(),
        }
    }

    /// Adds the `Debug` text of an agent, or a message.
    pub(super) fn add(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let word = word(rest);
            if word.is_empty() {
                self.text.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            rest = &rest[word.len()..];
            rest = self.add_word(word, rest);
        }
    }

    /// Adds a word, and what belongs to it of the rest.
    fn add_word<'a>(&mut self, word: &str, rest: &'a str) -> &'a str {
        if let Some((number, after)) = argument(word, "Instant", rest) {
            let micros = i128::from(number) - i128::from(self.now.as_micros());
            self.text.push_str(&format!("at{micros}"));
            return after;
        }
        if word.ends_with("Id")
            && let Some((number, after)) = argument(word, word, rest)
        {
            self.rename(&format!("{word}{number}"));
            return after;
        }
        if word.starts_with("last_") {
            return counter(rest).unwrap_or(rest);
        }
        if is_token(word) {
            self.rename(word);
        } else {
            self.text.push_str(word);
        }
        rest
    }

    fn rename(&mut self, name: &str) {
        let next = self.names.len();
        let number = *self.names.entry(name.to_owned()).or_insert(next);
        self.text.push_str(&format!("#{number}"));
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The number in `Name(number)`.
fn argument<'a>(word: &str, name: &str, rest: &'a str) -> Option<(u64, &'a str)> {
    let inner = rest.strip_prefix('(').filter(|_| word == name)?;
    let (number, after) = inner.split_once(')')?;
    Some((number.parse().ok()?, after))
}

/// What follows the number of a counter.
fn counter(rest: &str) -> Option<&str> {
    let value = rest.strip_prefix(": ")?;
    let digits = word(value);
    digits.parse::<u64>().ok()?;
    Some(&value[digits.len()..])
}

fn is_token(word: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let word = word.strip_prefix("z9hG4bK").unwrap_or(word);
    word.len() >= SHORTEST_TOKEN && word.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(now: u64, text: &str) -> String {
        let mut canonical = Canonical::new(Instant::from_micros(now));
        canonical.add(text);
        canonical.text
    }

    #[test]
    fn names_and_moments_are_relative() {
        let a = canonical(
            1_000,
            "X { at: Instant(1500), id: OperationId(7), tag: \"deadbeef\", last_id: 9 }",
        );
        let b = canonical(
            2_000,
            "X { at: Instant(2500), id: OperationId(9), tag: \"cafe0123\", last_id: 4 }",
        );
        assert_eq!(a, b);
    }

    #[test]
    fn what_matters_stays() {
        for (a, b) in [
            ("at: Instant(1500)", "at: Instant(1501)"),
            ("hold: true", "hold: false"),
            ("OperationId(1) OperationId(1)", "OperationId(1) OperationId(2)"),
            ("deadbeef deadbeef", "deadbeef cafe0123"),
            ("cseq: 4", "cseq: 5"),
        ] {
            assert_ne!(canonical(0, a), canonical(0, b));
        }
    }
}
