use std::fmt;

use smallvec::SmallVec;

use super::build::{Lines, push_clean, push_line};
use super::header_name::HeaderName;
use super::message::Message;
use super::parse::{HeaderLine, Span, StartLine};
use super::text::{find_separator, trim};
use crate::cut;

/// Changes a copy of a message and keeps all the rest: unknown headers, their order and spelling, the body.
///
/// Values are cleaned as [`RequestBuilder`](super::RequestBuilder) does. Content-Length is always written anew.
#[derive(Clone)]
#[must_use = "an editor does nothing until `build`"]
pub struct MessageEditor {
    original: Message,
    request_uri: Option<String>,
    /// The lines of the result.
    lines: SmallVec<[Line; 28]>,
    /// What new lines are made of.
    added: Vec<u8>,
    body: Option<Vec<u8>>,
}

/// A line, and what its spans lie in.
#[derive(Clone, Copy)]
struct Line {
    source: Source,
    line: HeaderLine,
}

#[derive(Clone, Copy)]
enum Source {
    Original,
    Added,
}

impl MessageEditor {
    pub(super) fn new(original: Message) -> Self {
        let kept = |line: &HeaderLine| Line {
            source: Source::Original,
            line: *line,
        };
        Self {
            lines: original.parsed().headers.iter().map(kept).collect(),
            original,
            request_uri: None,
            added: Vec::with_capacity(USUAL_ADDED_BYTES),
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
        let line = self.add(name, &value);
        self.lines.insert(at, line);
        self
    }

    /// Adds a line at the end.
    pub fn append(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        let line = self.add(name, &value);
        self.lines.push(line);
        self
    }

    /// Replaces all lines of that name by one, which stands where the first was, or at the end.
    pub fn set(mut self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        let at = self.position(name).unwrap_or(self.lines.len());
        self = self.remove(name);
        let line = self.add(name, &value);
        self.lines.insert(at, line);
        self
    }

    /// Removes all lines of that name.
    pub fn remove(mut self, name: HeaderName<'_>) -> Self {
        let Self {
            original,
            added,
            lines,
            ..
        } = &mut self;
        lines.retain(|line| !line.is_called(original, added, name));
        self
    }

    /// Removes the first comma-separated element of that name, and its line if it was the only one: pops the top Via
    /// or Route.
    pub fn remove_first_element(self, name: HeaderName<'_>) -> Self {
        self.change_first_element(name, None)
    }

    /// Replaces the first comma-separated element of that name; nothing happens if there is none.
    pub fn replace_first_element(self, name: HeaderName<'_>, value: impl fmt::Display) -> Self {
        self.change_first_element(name, Some(&value))
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
        let body = self.body.as_deref().unwrap_or_else(|| self.original.body());
        let head = self.original.as_bytes().len() - self.original.body().len();
        let mut lines = Lines::with_capacity(head + self.added.len() + body.len() + SPARE_BYTES);
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
            lines.keep(line.data(&self.original, &self.added), &line.line);
        }
        lines.finish(start, body)
    }

    fn add(&mut self, name: HeaderName<'_>, value: &dyn fmt::Display) -> Line {
        Line {
            source: Source::Added,
            line: push_line(&mut self.added, name, |bytes| push_clean(bytes, value)),
        }
    }

    fn change_first_element(mut self, name: HeaderName<'_>, value: Option<&dyn fmt::Display>) -> Self {
        let Some((at, rest)) = self.first_element(name) else {
            return self;
        };
        if value.is_none() && rest.is_empty() {
            self.lines.remove(at);
            return self;
        }
        // The rest is as it came: a quoted-string in it may hold escaped control characters.
        let rest = rest
            .bytes(self.lines[at].data(&self.original, &self.added))
            .to_vec();
        let write = |bytes: &mut Vec<u8>| {
            if let Some(value) = value {
                push_clean(bytes, value);
                bytes.extend_from_slice(if rest.is_empty() { b"" } else { b", " });
            }
            bytes.extend_from_slice(&rest);
        };
        self.lines[at] = Line {
            source: Source::Added,
            line: push_line(&mut self.added, name, write),
        };
        self
    }

    /// The line that holds the first element, and where in it lies what follows the element. Empty elements do not
    /// count, as they do not for [`Message::header_list`].
    fn first_element(&self, name: HeaderName<'_>) -> Option<(usize, Span)> {
        let lines = self.lines.iter().enumerate();
        let mut called = lines.filter(|(_, line)| line.is_called(&self.original, &self.added, name));
        called.find_map(|(at, line)| {
            let value = line.line.value;
            let text = value.text(line.data(&self.original, &self.added));
            after_first_element(text).map(|from| (at, Span::new(value.start() + from, value.end())))
        })
    }

    fn position(&self, name: HeaderName<'_>) -> Option<usize> {
        self.lines
            .iter()
            .position(|line| line.is_called(&self.original, &self.added, name))
    }
}

/// What the new lines of most edits fit in.
const USUAL_ADDED_BYTES: usize = 256;
/// Room for the separators that lines as written may lack, and for Content-Length.
const SPARE_BYTES: usize = 64;

/// Where in a list the second element begins, or where the list ends; `None` if it has no element.
fn after_first_element(list: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let (_, rest) = cut::at(list, from);
        let end = find_separator(rest, b',');
        let (element, _) = cut::at(rest, end.unwrap_or(rest.len()));
        let next = end.map(|end| from + end + 1);
        if !trim(element).is_empty() {
            let after = next.unwrap_or(list.len());
            let (_, others) = cut::at(list, after);
            return Some(list.len() - others.trim_start_matches([' ', '\t']).len());
        }
        from = next?;
    }
}

impl Line {
    fn data<'a>(&self, original: &'a Message, added: &'a [u8]) -> &'a [u8] {
        match self.source {
            Source::Original => &original.parsed().data,
            Source::Added => added,
        }
    }

    fn is_called(&self, original: &Message, added: &[u8], name: HeaderName<'_>) -> bool {
        self.line.is_called(self.data(original, added), name)
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

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn message() -> Message {
        Message::parse(
            &b"INVITE sip:bob@example.com SIP/2.0\r\n\
            v: SIP/2.0/WS a , SIP/2.0/WS b\r\n\
            X-One: 1\r\n\
            Via: SIP/2.0/WS c\r\n\
            l: 2\r\n\
            Content-Type: text/plain\r\n\
            x-two :  2\r\n\r\nHi"[..],
        )
        .unwrap()
    }

    fn lines(message: &Message) -> Vec<&str> {
        let text = std::str::from_utf8(message.as_bytes()).unwrap();
        text.split("\r\n").collect()
    }

    fn vias(message: &Message) -> Vec<&str> {
        message.header_list(HeaderName::Via).collect()
    }

    #[test]
    fn what_is_not_edited_stays() {
        let edited = message().edit().build();
        assert_eq!(
            lines(&edited),
            [
                "INVITE sip:bob@example.com SIP/2.0",
                "v: SIP/2.0/WS a , SIP/2.0/WS b",
                "X-One: 1",
                "Via: SIP/2.0/WS c",
                "Content-Type: text/plain",
                "x-two: 2",
                "Content-Length: 2",
                "",
                "Hi"
            ]
        );
    }

    #[test]
    fn a_status_keeps_its_three_digits() {
        let response = Message::parse(&b"SIP/2.0 020 Odd\r\nCSeq: 1 INVITE\r\n\r\n"[..]).unwrap();
        let edited = response.edit().append(HeaderName::Server, "x").build();
        assert_eq!(lines(&edited)[0], "SIP/2.0 020 Odd");
        assert!(Message::parse(edited.as_bytes()).is_ok());
    }

    #[test]
    fn a_proxy_pushes_and_pops_vias() {
        let pushed = message().edit().prepend(HeaderName::Via, "SIP/2.0/WS z").build();
        assert_eq!(
            vias(&pushed),
            ["SIP/2.0/WS z", "SIP/2.0/WS a", "SIP/2.0/WS b", "SIP/2.0/WS c"]
        );
        let popped = pushed
            .edit()
            .remove_first_element(HeaderName::Via)
            .remove_first_element(HeaderName::Via);
        assert_eq!(vias(&popped.build()), ["SIP/2.0/WS b", "SIP/2.0/WS c"]);
        let empty = (0..9)
            .fold(pushed.edit(), |edit, _| {
                edit.remove_first_element(HeaderName::Via)
            })
            .build();
        assert_eq!(vias(&empty), [""; 0]);
        assert_eq!(empty.header(HeaderName::Other("X-ONE")), Some("1"));
    }

    #[test]
    fn the_first_element_alone_is_replaced() {
        let edited = message()
            .edit()
            .replace_first_element(HeaderName::Via, "SIP/2.0/WS a;received=::1")
            .build();
        assert_eq!(
            vias(&edited),
            ["SIP/2.0/WS a;received=::1", "SIP/2.0/WS b", "SIP/2.0/WS c"]
        );
        let untouched = message()
            .edit()
            .replace_first_element(HeaderName::Route, "<sip:h>")
            .build();
        assert_eq!(untouched.header(HeaderName::Route), None);
    }

    #[test]
    fn elements_end_where_they_end() {
        let pop = |value: &str| {
            let message = message().edit().append(HeaderName::Route, value).build();
            let popped = message.edit().remove_first_element(HeaderName::Route).build();
            popped.header(HeaderName::Route).map(str::to_owned)
        };
        assert_eq!(pop("\"a,b\" <sip:c,d@h;lr>, <sip:e>").as_deref(), Some("<sip:e>"));
        assert_eq!(
            pop(", ,<sip:a>,<sip:b>,<sip:c>").as_deref(),
            Some("<sip:b>,<sip:c>")
        );
        assert_eq!(pop("<sip:a>,"), None);
    }

    #[test]
    fn what_follows_the_first_element_is_not_cleaned() {
        let text = b"OPTIONS sip:h SIP/2.0\r\nRoute: <sip:a>, \"\\\0\t\" <sip:b>\r\n\r\n";
        let edit = Message::parse(&text[..]).unwrap().edit();
        let route = |edit: MessageEditor| edit.build().header(HeaderName::Route).map(str::to_owned);
        assert_eq!(
            route(edit.clone().remove_first_element(HeaderName::Route)).unwrap(),
            "\"\\\0\t\" <sip:b>"
        );
        let replaced = edit.replace_first_element(HeaderName::Route, "<sip:c>\r\nEvil: 1");
        assert_eq!(route(replaced).unwrap(), "<sip:c>  Evil: 1, \"\\\0\t\" <sip:b>");
    }

    #[test]
    fn empty_lines_hold_no_element() {
        let message = message();
        let routes = |edit: MessageEditor| {
            let message = edit.build();
            message
                .header_list(HeaderName::Route)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let edit = message
            .edit()
            .append(HeaderName::Route, "")
            .append(HeaderName::Route, ", <sip:a>, <sip:b>");
        assert_eq!(
            routes(edit.clone().remove_first_element(HeaderName::Route)),
            ["<sip:b>"]
        );
        assert_eq!(
            routes(edit.replace_first_element(HeaderName::Route, "<sip:c>")),
            ["<sip:c>", "<sip:b>"]
        );
    }

    #[test]
    fn lines_are_set_added_and_removed() {
        let edited = message()
            .edit()
            .set_request_uri("sip:carol@h\r\n x")
            .set(HeaderName::Via, "SIP/2.0/WS only")
            .set(HeaderName::MaxForwards, 69)
            .append(HeaderName::Other("X-One"), "again")
            .remove(HeaderName::Other("X-TWO"))
            .build();
        assert_eq!(edited.request_uri_text(), Some("sip:carol@h%0D%0A%20x"));
        assert_eq!(vias(&edited), ["SIP/2.0/WS only"]);
        assert_eq!(edited.max_forwards(), Ok(Some(69)));
        assert_eq!(
            edited.header_all(HeaderName::Other("x-one")).collect::<Vec<_>>(),
            ["1", "again"]
        );
        assert_eq!(edited.header(HeaderName::Other("x-two")), None);
        assert_eq!(lines(&edited)[1], "Via: SIP/2.0/WS only", "where the first was");
    }

    #[test]
    fn bodies_are_replaced_and_removed() {
        let replaced = message().edit().body("application/sdp", b"v=0").build();
        assert_eq!(
            (replaced.body(), replaced.content_length()),
            (&b"v=0"[..], Ok(Some(3)))
        );
        assert!(replaced.content_type().unwrap().is("application/sdp"));
        let removed = replaced.edit().remove_body().build();
        assert_eq!(
            (removed.body(), removed.header(HeaderName::ContentType)),
            (&b""[..], None)
        );
    }

    #[test]
    fn responses_keep_their_status_line() {
        let response = Message::parse(&b"SIP/2.0 299 Odd one\r\n\r\n"[..]).unwrap();
        let edited = response
            .edit()
            .set_request_uri("sip:x")
            .append(HeaderName::Server, "s")
            .build();
        assert_eq!(lines(&edited)[..2], ["SIP/2.0 299 Odd one", "Server: s"]);
        assert_eq!(edited.reason(), Some("Odd one"));
    }
}
