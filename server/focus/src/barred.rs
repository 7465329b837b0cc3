//! Who was sent away does not come back unasked. RFC 4579 says nothing of that, so it is a policy: until somebody who may
//! invites them again. Whom nobody could keep out could not be sent away.

use std::collections::VecDeque;

/// Users who are kept out at once; of more the one who was sent away first may come back.
const MOST: usize = 256;

/// Addresses of record, the last one last.
#[derive(Debug, Default)]
pub(crate) struct Barred {
    users: VecDeque<String>,
}

impl Barred {
    /// Somebody was sent away.
    pub(crate) fn add(&mut self, user: String) {
        self.pardon(&user);
        if self.users.len() >= MOST {
            self.users.pop_front();
        }
        self.users.push_back(user);
    }

    /// Somebody is invited again.
    pub(crate) fn pardon(&mut self, user: &str) {
        self.users.retain(|it| it != user);
    }

    /// Whether somebody may not come in.
    pub(crate) fn has(&self, user: &str) -> bool {
        self.users.iter().any(|it| it == user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_bounded_and_nobody_counts_twice() {
        let mut barred = Barred::default();
        barred.add("sip:first@example.com".to_owned());
        for number in 0..MOST {
            barred.add(format!("sip:{number}@example.com"));
            barred.add(format!("sip:{number}@example.com"));
        }
        assert_eq!(barred.users.len(), MOST);
        assert!(!barred.has("sip:first@example.com"));
        assert!(barred.has("sip:0@example.com"));
        barred.pardon("sip:0@example.com");
        assert!(!barred.has("sip:0@example.com"));
    }
}
