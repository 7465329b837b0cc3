//! The one error of this program: a sentence that says what to do.

use std::fmt;

/// What every step returns.
pub(crate) type Result<T> = std::result::Result<T, Fail>;

/// A sentence for a person, complete with the next step.
#[derive(Debug)]
pub(crate) struct Fail(String);

impl From<String> for Fail {
    fn from(sentence: String) -> Self {
        Fail(sentence)
    }
}

impl From<&str> for Fail {
    fn from(sentence: &str) -> Self {
        Fail(sentence.to_owned())
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
