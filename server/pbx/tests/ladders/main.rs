//! The platform between scripted telephones, as ladder diagrams under virtual time.
#![expect(
    clippy::unwrap_used,
    reason = "a telephone that does not understand what it gets fails the test"
)]

mod bad_input;
mod calls;
mod dialogs;
mod net;
mod proxy_rules;
mod registration;
