//! The platform between scripted telephones, as ladder diagrams under virtual time.
#![expect(
    clippy::unwrap_used,
    reason = "a telephone that does not understand what it gets fails the test"
)]

mod bad_input;
mod calls;
mod dialog_events;
mod dialogs;
mod hostile;
mod net;
mod proxy_rules;
mod registration;
mod rfc3665;
mod rfc4475;
mod rfc5118;
mod services;
#[path = "../../../../core/tests/data/rfc4475/messages.rs"]
mod torture;
