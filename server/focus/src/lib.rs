//! Conferences of the embedded platform, sans-IO like the core: the focus of RFC 4353 as RFC 4579 lets telephones use it.
//!
//! A [`Factory`] is called by whoever wants a conference. It asks its driver for a [`Focus`] and sends the caller there. A
//! focus is one conference: a user agent of the core that answers whoever may come, invites whom participants name (REFER),
//! lets all hear each other, and tells who is there (RFC 4575). Both have the inputs and outputs of an agent.
//!
//! ```text
//! alice --INVITE sip:conference@--> Factory --302 sip:conf-...@--> (the platform follows) --> Focus --200 isfocus--> alice
//!       --REFER bob--> Focus --INVITE--> bob
//!       --SUBSCRIBE--> Focus --NOTIFY: alice, bob-->
//! ```
#![forbid(unsafe_code)]

mod address;
mod agent;
mod attendance;
mod barred;
mod desk;
mod factory;
mod focus;
mod referral;
mod roster;
mod settings;
mod subscription;

pub use agent::Agent;
pub use factory::{Factory, Wanted};
pub use focus::Focus;
pub use settings::{CONFERENCE_PREFIX, Controllers, Limits, Settings};
