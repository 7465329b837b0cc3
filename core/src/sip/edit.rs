use std::fmt;

use super::build::Lines;
use super::header_name::HeaderName;
use super::message::Message;
use super::parse::{HeaderLine, StartLine};
use super::text::{find_separator, trim};

/// Changes a copy of a message and keeps all the rest: unknown headers, their order and spelling, the body.
///
/// Values are cleaned as [`RequestBuilder`](super::RequestBuilder) does. Content-Length is always written anew.
#[derive(Clone)]
#[must_use = "an editor does nothing until `build`"]
pub struct MessageEditor {
    original: Message,
    request_uri: Option<String>,
    lines: Vec<Line>,
    body: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Line {
    Kept(HeaderLine),
    New { name: String, value: String },
}

impl MessageEditor {
    pub(super) fn new(original: Message) -> Self {
        let lines = original
            .parsed()
            .headers
            .iter()
            .copied()
            .map(Line::Kept)
            .collect();
        Self {
            original,
            request_uri: None,
            lines,
            body: None,
        }
    }

    /// Replaces the Request-URI; nothing happens to a response. White space and control characters are
    /// percent-escaped.
    pub fn set_request_uri(mut self, uri: &str) -> Self {
        self.request_uri = Some(uri.to_owned());
        self
    }

    /// Adds a line before the first of that name, or before all others.
    pub fn prepend(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        let at = self.position(name).unwrap_or(0);
        self.lines.insert(at, Line::new(name, value));
        self
    }

    /// Adds a line at the end.
    pub fn append(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        self.lines.push(Line::new(name, value));
        self
    }

    /// Replaces all lines of that name by one, which stands where the first was, or at the end.
    pub fn set(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        let at = self.position(name).unwrap_or(self.lines.len());
        self = self.remove(name);
        self.lines.insert(at, Line::new(name, value));
        self
    }

    /// Removes all lines of that name.
    pub fn remove(mut self, name: HeaderName<'_>) -> Self {
        let original = self.original.clone();
        self.lines.retain(|line| !line.is_called(&original, name));
        self
    }

    /// Removes the first comma-separated element of that name, and its line if it was the only one: pops the top Via
    /// or Route.
    pub fn remove_first_element(self, name: HeaderName<'_>) -> Self {
        self.change_first_element(name, None)
    }

    /// Replaces the first comma-separated element of that name; nothing happens if there is none.
    pub fn replace_first_element(self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        self.change_first_element(name, Some(value.to_string()))
    }

    /// Replaces the body and its Content-Type.
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self.set(HeaderName::ContentType, content_type)
    }

    /// Removes the body and the headers that describe it.
    pub fn remove_body(mut self) -> Self {
        self.body = Some(Vec::new());
        self.remove(HeaderName::ContentType)
            .remove(HeaderName::ContentEncoding)
            .remove(HeaderName::ContentLanguage)
            .remove(HeaderName::ContentDisposition)
    }

    /// The edited message.
    pub fn build(self) -> Message {
        let mut lines = Lines::default();
        let start = match self.original.parsed().start {
            StartLine::Request { .. } => {
                let uri = self
                    .request_uri
                    .as_deref()
                    .or(self.original.request_uri_text())
                    .unwrap_or_default();
                lines.request_line(self.original.method(), uri)
            }
            StartLine::Response { status, .. } => {
                lines.status_line(status, self.original.reason().unwrap_or_default())
            }
        };
        for line in &self.lines {
            match line {
                Line::Kept(kept) => lines.keep(&self.original, kept),
                Line::New { name, value } => lines.header(HeaderName::from(name.as_str()), value),
            }
        }
        lines.finish(
            start,
            self.body.as_deref().unwrap_or_else(|| self.original.body()),
        )
    }

    fn change_first_element(mut self, name: HeaderName<'_>, value: Option<String>) -> Self {
        let Some(at) = self.position(name) else {
            return self;
        };
        let rest = self.after_first_element(at);
        let line = match (value, rest) {
            (Some(value), Some(rest)) => format!("{value}, {rest}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => {
                self.lines.remove(at);
                return self;
            }
        };
        self.lines[at] = Line::new(name, line);
        self
    }

    /// What follows the first element of a line; empty elements do not count.
    fn after_first_element(&self, at: usize) -> Option<String> {
        let mut rest = self.lines[at].value(&self.original);
        loop {
            let end = find_separator(rest, b',')?;
            let is_element = !trim(&rest[..end]).is_empty();
            rest = trim(&rest[end + 1..]);
            if is_element {
                return (!rest.is_empty()).then(|| rest.to_owned());
            }
        }
    }

    fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        self.lines
            .iter()
            .position(|line| line.is_called(&self.original, name))
    }
}

impl Line {
    fn new(name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        Self::New {
            name: name.as_str().to_owned(),
            value: value.to_string(),
        }
    }

    fn is_called(&self, original: &Message, name: HeaderName<'_>) -> bool {
        match self {
            Self::Kept(line) => original.is_called(line, name.known(), name),
            Self::New { name: own, .. } => HeaderName::Other(own) == name,
        }
    }

    fn value<'a>(&'a self, original: &'a Message) -> &'a str {
        match self {
            Self::Kept(line) => original.value_of(line),
            Self::New { value, .. } => value,
        }
    }
}

impl fmt::Debug for MessageEditor {
    /// The original's summary only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageEditor")
            .field("original", &self.original)
            .finish_non_exhaustive()
    }
}
