//! Flows by name (RFC 5626): what a route through the platform leads to, without naming a socket.
//!
//! A flow id is a keyed hash of what identifies the device: user, instance and reg-id. So it is the same after a
//! reconnect and after a restart of the platform (with the same key), tells nobody anything, and cannot be made up:
//! [`FlowId::to_token`] adds a check value that only the platform can compute.

use crate::key::{Key, constant_time_eq, from_hex, to_hex};
use crate::user::UserId;

/// Names the way to one device, or to one connection if the client there has not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowId([u8; Self::BYTES]);

/// A token that was not made by this platform, or not with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

impl FlowId {
    const BYTES: usize = 12;
    const CHECK_BYTES: usize = 8;

    /// The flow of a registered device (RFC 5626 section 5.1, with instance and reg-id in place of the socket).
    pub(crate) fn of_device(key: &Key, user: &UserId, instance: &str, reg_id: u32) -> Self {
        let parts = [
            user.as_str().as_bytes(),
            instance.as_bytes(),
            &reg_id.to_be_bytes(),
        ];
        Self(key.authenticate("flow of device", &parts))
    }

    /// The flow of a binding without an instance: its contact must do.
    pub(crate) fn of_contact(key: &Key, user: &UserId, contact: &str) -> Self {
        Self(key.authenticate("flow of contact", &[user.as_str().as_bytes(), contact.as_bytes()]))
    }

    /// The flow of a connection, where `nonce` keeps apart the connections of different runs of the platform.
    pub(crate) fn of_connection(key: &Key, nonce: u64) -> Self {
        Self(key.authenticate("flow of connection", &[&nonce.to_be_bytes()]))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The user part of a Record-Route URI.
    pub(crate) fn to_token(self, key: &Key) -> String {
        let mut token = to_hex(&self.0);
        token.push_str(&to_hex(&self.check(key)));
        token
    }

    /// Reads what [`Self::to_token`] has written.
    pub(crate) fn from_token(key: &Key, token: &str) -> Result<Self, Forged> {
        let (id, check) = token.split_at_checked(Self::BYTES * 2).ok_or(Forged)?;
        let id = Self(from_hex(id).ok_or(Forged)?);
        let check: [u8; Self::CHECK_BYTES] = from_hex(check).ok_or(Forged)?;
        if constant_time_eq(&check, &id.check(key)) {
            Ok(id)
        } else {
            Err(Forged)
        }
    }

    fn check(self, key: &Key) -> [u8; Self::CHECK_BYTES] {
        key.authenticate("flow token", &[&self.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new([3; 32])
    }

    fn flow(reg_id: u32) -> FlowId {
        FlowId::of_device(&key(), &"alice".into(), "urn:uuid:1", reg_id)
    }

    #[test]
    fn a_token_reads_back_and_survives_a_restart_with_the_same_key() {
        assert_eq!(
            FlowId::from_token(&Key::new([3; 32]), &flow(1).to_token(&key())),
            Ok(flow(1))
        );
        assert_ne!(flow(1), flow(2));
    }

    #[test]
    fn any_change_of_a_token_is_noticed() {
        let token = flow(1).to_token(&key());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(FlowId::from_token(&key(), &changed), Err(Forged), "{at}");
        }
        for text in ["", "alice", &token[1..], &token.to_uppercase()] {
            assert_eq!(FlowId::from_token(&key(), text), Err(Forged));
        }
        assert_eq!(FlowId::from_token(&Key::new([4; 32]), &token), Err(Forged));
    }
}
