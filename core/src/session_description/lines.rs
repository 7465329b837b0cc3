/// The lines of a part of a description, without their ends; empty ones are skipped.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    text: &'a str,
}

use crate::cut;

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The lines before the first `m=` line, and those from it on.
    pub(super) fn split_before_media(self) -> (Self, Self) {
        let mut lines = self.text.split_inclusive('\n');
        let before = lines.by_ref().take_while(|line| !line.starts_with("m="));
        let (before, from) = cut::at(self.text, before.map(str::len).sum());
        (Self::new(before), Self::new(from))
    }

    /// The value of the first line of this kind.
    pub(super) fn value(self, kind: char) -> Option<&'a str> {
        self.filter_map(Line::parse)
            .find(|line| line.kind == kind)
            .map(|line| line.value)
    }

    /// All `a=` lines: name, and the value after the colon, empty if there is none.
    pub(super) fn all_attributes(self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.filter_map(Line::parse)
            .filter(|line| line.kind == 'a')
            .map(|line| {
                let (name, value) = line.value.split_once(':').unwrap_or((line.value, ""));
                (name.trim(), value.trim())
            })
    }

    /// The values of the attributes called `name`. Attribute names are case-sensitive (RFC 8866 5.13).
    pub(super) fn attributes(self, name: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.all_attributes()
            .filter(move |(own, _)| *own == name)
            .map(|(_, value)| value)
    }

    /// The value of the first attribute called `name`.
    pub(super) fn attribute(self, name: &str) -> Option<&'a str> {
        self.all_attributes()
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.text.is_empty() {
            let (line, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
            self.text = rest;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

/// `x=value`.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) kind: char,
    pub(super) value: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (kind, value) = text.split_once('=')?;
        let mut letters = kind.chars();
        let kind = letters.next().filter(char::is_ascii_lowercase)?;
        letters.next().is_none().then_some(Self { kind, value })
    }
}
