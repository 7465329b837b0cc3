//! The platform between scripted telephones, as ladder diagrams under virtual time.

mod bad_input;
mod calls;
mod dialogs;
mod net;
mod proxy_rules;
mod registration;
