//! The users of the domain and the names they go by.

use std::collections::BTreeMap;
use std::fmt;

/// Names a user for ever, for example `alice`. `Debug` does not show it: it may be a telephone number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// Wraps `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for UserId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[user]")
    }
}

/// A user of the domain. The address of record is `sip:id@domain`; number and aliases lead to the same devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user part of the address of record.
    pub id: UserId,
    /// The telephone number, if there is one.
    pub number: Option<String>,
    /// Further user parts.
    pub aliases: Vec<String>,
    /// The name the platform vouches for (P-Asserted-Identity, RFC 3325); may be empty.
    pub display_name: String,
    /// A service of the platform's own: its device is asked for its events itself (RFC 6665), and where it sends callers
    /// elsewhere (3xx), the platform follows (RFC 3261 section 16.7 step 4), so that they do not notice.
    pub is_service: bool,
}

impl User {
    /// A user who is called by `id` only.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: UserId::new(id),
            number: None,
            aliases: Vec::new(),
            display_name: String::new(),
            is_service: false,
        }
    }

    /// The same user with a telephone number.
    #[must_use]
    pub fn with_number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// The same user with a name to show.
    #[must_use]
    pub fn with_display_name(mut self, name: impl Into<String>) -> Self {
        self.display_name = name.into();
        self
    }

    /// The same user as a service of the platform's own.
    #[must_use]
    pub fn as_service(mut self) -> Self {
        self.is_service = true;
        self
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id.as_str())
            .chain(self.number.as_deref())
            .chain(self.aliases.iter().map(String::as_str))
    }
}

/// Why a user cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserError {
    /// The id, number or an alias belongs to another user, or is empty.
    NameTaken,
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken => f.write_str("the id, number or an alias belongs to another user or is empty"),
        }
    }
}

impl std::error::Error for UserError {}

/// All users of the domain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Users {
    users: BTreeMap<UserId, User>,
    names: BTreeMap<String, UserId>,
}

impl Users {
    /// Adds a user or replaces the one with the same id.
    pub(crate) fn set(&mut self, user: User) -> Result<(), UserError> {
        let is_free =
            |name: &str| !name.is_empty() && self.names.get(name).is_none_or(|owner| *owner == user.id);
        if !user.names().all(is_free) {
            return Err(UserError::NameTaken);
        }
        self.remove(&user.id);
        self.names
            .extend(user.names().map(|name| (name.to_owned(), user.id.clone())));
        self.users.insert(user.id.clone(), user);
        Ok(())
    }

    pub(crate) fn remove(&mut self, id: &UserId) -> bool {
        self.names.retain(|_, owner| owner != id);
        self.users.remove(id).is_some()
    }

    pub(crate) fn find(&self, id: &UserId) -> Option<&User> {
        self.users.get(id)
    }

    /// The user with this id, number or alias: the user part of a `sip:` URI, decoded.
    pub(crate) fn resolve(&self, name: &str) -> Option<&User> {
        self.users.get(self.names.get(name)?)
    }

    /// The user with this telephone number, which may hold visual separators (RFC 3966 section 5.1.1).
    pub(crate) fn resolve_number(&self, number: &str) -> Option<&User> {
        let digits: String = number
            .chars()
            .filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' '))
            .collect();
        self.resolve(&digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_the_user() {
        let mut users = Users::default();
        let alice = User {
            aliases: vec!["a.smith".into()],
            ..User::new("alice").with_number("101")
        };
        users.set(alice).unwrap();
        for name in ["alice", "101", "a.smith"] {
            assert_eq!(users.resolve(name).unwrap().id.as_str(), "alice");
        }
        assert!(users.resolve("bob").is_none());
        assert!(users.resolve_number("1-0.1").is_some());
    }

    #[test]
    fn a_name_belongs_to_one_user() {
        let mut users = Users::default();
        users.set(User::new("alice").with_number("101")).unwrap();
        assert_eq!(
            users.set(User::new("bob").with_number("101")),
            Err(UserError::NameTaken)
        );
        assert_eq!(users.set(User::new("")), Err(UserError::NameTaken));
        users.set(User::new("alice").with_number("102")).unwrap();
        assert!(
            users.resolve("101").is_none(),
            "a replaced user's old number is free"
        );
        users.set(User::new("bob").with_number("101")).unwrap();
        assert!(users.remove(&"bob".into()));
        assert!(users.resolve("101").is_none());
    }

    #[test]
    fn ids_are_not_shown() {
        assert!(!format!("{:?}", User::new("alice").id).contains("alice"));
    }
}
