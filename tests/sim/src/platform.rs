//! The platform of a world: ours, or one that behaves like other people's.

use clearline_core::sip::digest::{Algorithm, Ha1};
use clearline_core::{Instant, Secret};
use clearline_pbx::{Input, Key, Output, User, UserId};

use crate::b2bua::{B2bua, Behaviour, Hold, Transfer};

/// The domain of every world.
pub(crate) const DOMAIN: &str = "clearline.localhost";
/// The password of every user.
pub(crate) const PASSWORD: &str = "demo";
/// Who can be called: id, number, display name.
pub(crate) const USERS: [(&str, &str, &str); 3] = [
    ("alice", "101", "Alice"),
    ("bob", "102", "Bob"),
    ("carol", "103", "Carol"),
];

/// Which platform a world has. The same ladders are to come out right in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformKind {
    /// Our registrar and proxy: one dialog end to end, GRUU, Record-Route.
    Proxy,
    /// A back-to-back user agent: one dialog per leg, and a will of its own.
    B2bua(Behaviour),
}

impl PlatformKind {
    /// Ours, and those of others as they are known to behave.
    pub const ALL: [Self; 4] = [
        Self::Proxy,
        Self::B2bua(Behaviour::ASTERISK),
        Self::B2bua(Behaviour::FREESWITCH),
        Self::B2bua(Behaviour::OPENSCAPE),
    ];

    /// Whether those who are held are told so. Else they only hear music.
    pub fn tells_hold(self) -> bool {
        !matches!(
            self,
            Self::B2bua(Behaviour {
                hold: Hold::Local,
                ..
            })
        )
    }

    /// Whether who transfers a call is told what became of it, and gets it back if nothing did.
    pub fn reports_transfers(self) -> bool {
        !matches!(
            self,
            Self::B2bua(Behaviour {
                transfer: Transfer::AtOnce,
                ..
            })
        )
    }

    /// Whether calls outlive the platform's process.
    pub fn keeps_calls(self) -> bool {
        self == Self::Proxy
    }

    /// Whether users are told of the calls on their other devices (RFC 4235).
    pub fn tells_dialogs(self) -> bool {
        self == Self::Proxy
    }

    /// Whether all devices of a user ring. The others ring the one that registered first.
    pub fn rings_all_devices(self) -> bool {
        self == Self::Proxy
    }

    /// For test output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::B2bua(behaviour) => behaviour.name,
        }
    }
}

/// How to start a platform again.
#[derive(Clone, Debug)]
pub(crate) enum Blueprint {
    Proxy(Box<clearline_pbx::Config>),
    B2bua(Behaviour),
}

impl Blueprint {
    pub(crate) fn new(kind: PlatformKind, seed: u8) -> Self {
        match kind {
            PlatformKind::Proxy => {
                Self::Proxy(Box::new(clearline_pbx::Config::new(DOMAIN, Key::new([seed; 32]))))
            }
            PlatformKind::B2bua(behaviour) => Self::B2bua(behaviour),
        }
    }

    pub(crate) fn start(&self, seed: [u8; 32]) -> Platform {
        match self {
            Self::Proxy(config) => Platform::Proxy(Box::new(proxy(config, seed))),
            Self::B2bua(behaviour) => Platform::B2bua(Box::new(B2bua::new(*behaviour, seed))),
        }
    }
}

fn proxy(config: &clearline_pbx::Config, seed: [u8; 32]) -> clearline_pbx::Platform {
    let mut platform = clearline_pbx::Platform::new(config.clone(), seed);
    for (id, number, name) in USERS {
        let user = User::new(id).with_number(number).with_display_name(name);
        add_user(&mut platform, user);
    }
    platform
}

/// Makes a user known, with the password of all.
pub(crate) fn add_user(platform: &mut clearline_pbx::Platform, user: User) {
    let id = user.id.clone();
    assert_eq!(platform.set_user(user), Ok(()), "the names of the users differ");
    for algorithm in Algorithm::ALL {
        let ha1 = Ha1::new(algorithm, id.as_str(), DOMAIN, &Secret::new(PASSWORD));
        platform.add_credential(&id, id.as_str(), ha1);
    }
}

/// A running platform. Both kinds take and give the same.
pub(crate) enum Platform {
    Proxy(Box<clearline_pbx::Platform>),
    B2bua(Box<B2bua>),
}

impl Platform {
    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        match self {
            Self::Proxy(proxy) => proxy.handle_input(now, input),
            Self::B2bua(b2bua) => b2bua.handle_input(now, input),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Output {
        match self {
            Self::Proxy(proxy) => proxy.poll_output(),
            Self::B2bua(b2bua) => b2bua.poll_output(),
        }
    }

    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        match self.poll_output() {
            Output::Idle(deadline) => deadline.map(|deadline| deadline.at),
            Output::Transmit { .. } | Output::Disconnect { .. } | Output::Event(_) => None,
        }
    }

    /// Ringing is acknowledged from now on (RFC 3262), or not any more. Between two agents of ours it never is.
    pub(crate) fn ring_reliably(&mut self, is_wanted: bool) {
        if let Self::B2bua(b2bua) = self {
            b2bua.ring_reliably(is_wanted);
        }
    }

    /// Somebody leaves a message for a user. Ours has no notifier.
    pub(crate) fn leave_message(&mut self, now: Instant, user: &'static str) {
        if let Self::B2bua(b2bua) = self {
            b2bua.leave_message(now, user);
        }
    }

    /// How many messages have been left for a user, if the platform tells that.
    pub(crate) fn messages_left(&self, user: &str) -> Option<u32> {
        match self {
            Self::Proxy(_) => None,
            Self::B2bua(b2bua) => Some(b2bua.messages_left(user)),
        }
    }

    /// How many subscriptions are in force.
    pub(crate) fn watchers(&self) -> usize {
        match self {
            Self::Proxy(_) => 0,
            Self::B2bua(b2bua) => b2bua.watchers(),
        }
    }

    /// What devices have done that they must not do.
    pub(crate) fn objections(&self) -> &[String] {
        match self {
            Self::Proxy(_) => &[],
            Self::B2bua(b2bua) => b2bua.objections(),
        }
    }

    /// How many devices of a user are registered.
    pub(crate) fn bindings(&self, user: &str) -> usize {
        match self {
            Self::Proxy(proxy) => proxy.device_count(&UserId::new(user)),
            Self::B2bua(b2bua) => b2bua.bindings(user),
        }
    }

    /// Calls, or requests on their way, that have not come to an end here.
    pub(crate) fn open_calls(&self) -> usize {
        match self {
            Self::Proxy(proxy) => proxy.requests_under_way(),
            Self::B2bua(b2bua) => b2bua.calls(),
        }
    }

    /// Whether the platform itself is what a device with the media credentials `ufrag` sends its audio to under the
    /// name `anchor`.
    pub(crate) fn is_media_peer(&self, anchor: &str, ufrag: &str) -> bool {
        match self {
            Self::Proxy(_) => false,
            Self::B2bua(b2bua) => b2bua.is_media_peer(anchor, ufrag),
        }
    }

    /// Whether `anchor` is a media address of the platform.
    pub(crate) fn has_anchor(&self, anchor: &str) -> bool {
        match self {
            Self::Proxy(_) => false,
            Self::B2bua(b2bua) => b2bua.has_anchor(anchor),
        }
    }

    /// How many media addresses the platform has.
    pub(crate) fn anchors(&self) -> usize {
        match self {
            Self::Proxy(_) => 0,
            Self::B2bua(b2bua) => b2bua.anchors(),
        }
    }

    /// Whom audio sent to the platform's `anchor` reaches.
    pub(crate) fn bridged(&self, anchor: &str) -> Option<String> {
        match self {
            Self::Proxy(_) => None,
            Self::B2bua(b2bua) => b2bua.bridged(anchor),
        }
    }
}
