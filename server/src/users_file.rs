//! The users file: who may sign in, in TOML or JSON.
//!
//! ```toml
//! [[users]]
//! id = "alice"                   # in the address and the link: /u/alice
//! number = "101"                 # what others dial
//! display_name = "Alice Meyer"   # what others see
//! password = "correct horse"     # for signing in, and for other SIP clients
//! ```
//!
//! JSON has the same names: `{"users": [{"id": "alice", "number": "101", "display_name": "Alice Meyer", "password":
//! "correct horse"}]}`. The file is read at every start and is the whole truth: a user who is no longer in it is removed
//! with all sessions, a changed password signs that user out everywhere. Only hashes of passwords are stored.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use clearline_core::Secret;
use serde::Deserialize;

use clearline_focus::CONFERENCE_PREFIX;

use crate::{conference, echo};

/// The shortest password that is accepted where other machines can reach the server.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// One user as given at start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// `a-z 0-9 . _ -`, at most 64 characters.
    pub id: String,
    /// Digits, `*`, `#` and a leading `+`, at most 32 characters.
    pub number: String,
    /// Any text without control characters, at most 128 characters; may be empty.
    #[serde(default)]
    pub display_name: String,
    /// Not empty.
    pub password: Secret,
}

impl UserEntry {
    /// Whether anybody would guess the password.
    pub fn has_weak_password(&self) -> bool {
        let password = self.password.expose();
        password.chars().count() < MIN_PASSWORD_CHARS || password == self.id || password == self.number
    }
}

/// The users of the demo: alice 101, bob 102 and carol 103 with the password `demo`.
pub fn demo_users() -> Vec<UserEntry> {
    [
        ("alice", "101", "Alice Meyer"),
        ("bob", "102", "Bob Kramer"),
        ("carol", "103", "Carol Souza"),
    ]
    .map(|(id, number, display_name)| UserEntry {
        id: id.into(),
        number: number.into(),
        display_name: display_name.into(),
        password: Secret::new(DEMO_PASSWORD),
    })
    .into()
}

/// The password of the demo's users.
pub const DEMO_PASSWORD: &str = "demo";

/// Reads and checks a users file. The name decides the format: `.json` or `.toml`.
pub fn read(path: &Path) -> Result<Vec<UserEntry>, UsersFileError> {
    let error = |problem| UsersFileError {
        path: path.to_owned(),
        problem,
    };
    let text = std::fs::read_to_string(path).map_err(|e| error(Problem::Unreadable(e.to_string())))?;
    parse(
        &text,
        path.extension().and_then(|ext| ext.to_str()).unwrap_or_default(),
    )
    .map_err(error)
}

/// A users file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersFileError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a users file. Texts never quote a password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It cannot be read.
    Unreadable(String),
    /// Its name ends neither in `.json` nor in `.toml`.
    UnknownFormat,
    /// It is not valid JSON or TOML, or has other fields; where.
    Syntax(String),
    /// It has no user.
    Empty,
    /// The id is not made of the allowed characters.
    InvalidId(String),
    /// The number of this user is not made of the allowed characters.
    InvalidNumber(String),
    /// The display name of this user is too long or has control characters.
    InvalidDisplayName(String),
    /// This user has no password.
    NoPassword(String),
    /// The id or number is taken by another user or by a service.
    Duplicate(String),
}

impl fmt::Display for UsersFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "users file {}: ", self.path.display())?;
        match &self.problem {
            Problem::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Problem::UnknownFormat => f.write_str("its name must end in .json or .toml"),
            Problem::Syntax(place) => write!(f, "{place}"),
            Problem::Empty => f.write_str("it has no users"),
            Problem::InvalidId(id) => {
                write!(f, "`{id}` is no user id: use a-z, 0-9, dot, hyphen, underscore")
            }
            Problem::InvalidNumber(id) => write!(
                f,
                "the number of `{id}` must be digits (also * # and a leading +)"
            ),
            Problem::InvalidDisplayName(id) => {
                write!(
                    f,
                    "the display name of `{id}` is too long or has control characters"
                )
            }
            Problem::NoPassword(id) => write!(f, "`{id}` has no password"),
            Problem::Duplicate(name) => write!(f, "`{name}` is used twice, or by a service"),
        }
    }
}

impl std::error::Error for UsersFileError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    users: Vec<UserEntry>,
}

fn parse(text: &str, extension: &str) -> Result<Vec<UserEntry>, Problem> {
    let file: File = match extension {
        "json" => serde_json::from_str(text).map_err(|e| Problem::Syntax(json_place(&e)))?,
        "toml" => toml::from_str(text).map_err(|e| Problem::Syntax(toml_place(text, &e)))?,
        _ => return Err(Problem::UnknownFormat),
    };
    check(&file.users)?;
    Ok(file.users)
}

/// Line and kind only: serde_json's own words may quote the value, which may be a password.
fn json_place(error: &serde_json::Error) -> String {
    let kind = if error.is_data() {
        "a field is missing, unknown or of the wrong type"
    } else {
        "is not valid JSON"
    };
    format!("line {}, column {}: {kind}", error.line(), error.column())
}

/// The same for TOML, whose own rendering quotes the whole line.
fn toml_place(text: &str, error: &toml::de::Error) -> String {
    let offset = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1;
    format!("line {line}: is not valid TOML, or a field is missing, unknown or of the wrong type")
}

fn check(users: &[UserEntry]) -> Result<(), Problem> {
    if users.is_empty() {
        return Err(Problem::Empty);
    }
    let mut taken = BTreeSet::from([echo::USER, echo::NUMBER, conference::USER]);
    for user in users {
        check_fields(user)?;
        for name in BTreeSet::from([&user.id, &user.number]) {
            if !taken.insert(name) {
                return Err(Problem::Duplicate(name.clone()));
            }
        }
    }
    Ok(())
}

fn check_fields(user: &UserEntry) -> Result<(), Problem> {
    let id = user.id.clone();
    // Those are for conferences.
    if !is_user_id(&user.id) || user.id.starts_with(CONFERENCE_PREFIX) {
        return Err(Problem::InvalidId(id));
    }
    if !is_number(&user.number) {
        return Err(Problem::InvalidNumber(id));
    }
    if user.display_name.chars().count() > 128 || user.display_name.chars().any(char::is_control) {
        return Err(Problem::InvalidDisplayName(id));
    }
    if user.password.is_empty() {
        return Err(Problem::NoPassword(id));
    }
    Ok(())
}

/// Whether `text` can be a user id: a path segment and a SIP user part without escapes.
pub(crate) fn is_user_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && text.as_bytes()[0] != b'.'
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (1..=32).contains(&digits.len())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(id: &str, number: &str, password: &str) -> String {
        format!("[[users]]\nid = \"{id}\"\nnumber = \"{number}\"\npassword = \"{password}\"\n")
    }

    #[test]
    fn both_formats_are_read() {
        let from_toml = parse(&toml("alice", "101", "correct horse"), "toml").unwrap();
        let json =
            r#"{"users":[{"id":"alice","number":"101","display_name":"A","password":"correct horse"}]}"#;
        let from_json = parse(json, "json").unwrap();
        assert_eq!(from_toml[0].id, from_json[0].id);
        assert_eq!(from_json[0].display_name, "A");
        assert_eq!(from_toml[0].password, from_json[0].password);
        assert_eq!(parse("", "csv").unwrap_err(), Problem::UnknownFormat);
    }

    #[test]
    fn the_first_mistake_is_named() {
        let problem = |text: String| parse(&text, "toml").unwrap_err();
        assert_eq!(
            problem(toml("Al ice", "101", "x")),
            Problem::InvalidId("Al ice".into())
        );
        assert_eq!(
            problem(toml("alice", "one", "x")),
            Problem::InvalidNumber("alice".into())
        );
        assert_eq!(
            problem(toml("alice", "101", "")),
            Problem::NoPassword("alice".into())
        );
        assert_eq!(
            problem(toml("conference", "101", "x")),
            Problem::Duplicate("conference".into())
        );
        assert_eq!(
            problem(toml("echo", "101", "x")),
            Problem::Duplicate("echo".into())
        );
        assert_eq!(
            problem(toml("alice", "600", "x")),
            Problem::Duplicate("600".into())
        );
        let twice = toml("alice", "101", "x") + &toml("bob", "101", "x");
        assert_eq!(problem(twice), Problem::Duplicate("101".into()));
        let twice = toml("alice", "101", "x") + &toml("101", "101", "x");
        assert_eq!(problem(twice), Problem::Duplicate("101".into()));
        assert_eq!(problem("users = []".into()), Problem::Empty);
        assert!(
            parse(&toml("101", "101", "x"), "toml").is_ok(),
            "an id that is the number is fine"
        );
    }

    #[test]
    fn mistakes_never_quote_a_password() {
        let wrong = "[[users]]\nid = \"alice\"\nnumber = 101\npassword = \"hunter2\" oops\n";
        let Problem::Syntax(words) = parse(wrong, "toml").unwrap_err() else {
            panic!()
        };
        assert!(
            words.starts_with("line 4") && !words.contains("hunter2"),
            "{words}"
        );
        let wrong = r#"{"users":[{"id":"alice","number":"101","password":{"hunter2":1}}]}"#;
        let Problem::Syntax(words) = parse(wrong, "json").unwrap_err() else {
            panic!()
        };
        assert!(!words.contains("hunter2"), "{words}");
    }

    #[test]
    fn the_demo_users_are_valid_and_weak() {
        assert_eq!(check(&demo_users()), Ok(()));
        assert!(demo_users().iter().all(UserEntry::has_weak_password));
    }
}
