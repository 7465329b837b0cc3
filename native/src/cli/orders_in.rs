//! Lines of standard input, however long they are and whatever is in them.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Longer than any order.
const LONGEST: usize = 1_024;

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// With everything that is not UTF-8 replaced.
    Line(String),
    TooLong,
    End,
}

/// Reads lines, and keeps at most [`LONGEST`] bytes of each.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    is_too_long: bool,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            is_too_long: false,
        }
    }

    /// The next line. May be given up while it waits: what was read is kept.
    pub(crate) async fn next(&mut self) -> io::Result<Read> {
        loop {
            let read = self.input.fill_buf().await?;
            let (available, is_end) = (read.len(), read.is_empty());
            let newline = read.iter().position(|byte| *byte == b'\n');
            let part = read.get(..newline.unwrap_or(available)).unwrap_or_default();
            let room = LONGEST.saturating_sub(self.line.len());
            self.is_too_long |= part.len() > room;
            self.line.extend(part.iter().take(room));
            self.input.consume(newline.map_or(available, |at| at + 1));
            if is_end && self.line.is_empty() && !self.is_too_long {
                return Ok(Read::End);
            }
            if is_end || newline.is_some() {
                let line = std::mem::take(&mut self.line);
                return Ok(match std::mem::take(&mut self.is_too_long) {
                    true => Read::TooLong,
                    false => Read::Line(String::from_utf8_lossy(&line).into_owned()),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(input: &[u8]) -> Vec<Read> {
        let mut lines = Lines::new(input);
        let mut found = Vec::new();
        loop {
            found.push(lines.next().await.expect("memory can be read"));
            if found.last() == Some(&Read::End) {
                return found;
            }
        }
    }

    #[tokio::test]
    async fn a_line_ends_with_a_newline_or_the_input() {
        let lines = ["hold", "", "end"].map(|line| Read::Line(line.to_owned()));
        assert_eq!(read(b"hold\n\nend").await, [&lines[..], &[Read::End]].concat());
    }

    #[tokio::test]
    async fn what_is_no_utf_8_does_not_end_the_program() {
        let lines = read(b"call \xff\nend\n").await;
        assert_eq!(lines.first(), Some(&Read::Line("call \u{fffd}".to_owned())));
        assert_eq!(lines.get(1), Some(&Read::Line("end".to_owned())));
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_kept() {
        let mut input = vec![b'x'; 100_000];
        input.extend(b"\nhold\n");
        let mut reader = Lines::new(&input[..]);
        assert_eq!(reader.next().await.ok(), Some(Read::TooLong));
        assert!(reader.line.capacity() <= 2 * LONGEST);
        assert_eq!(reader.next().await.ok(), Some(Read::Line("hold".to_owned())));
    }
}
