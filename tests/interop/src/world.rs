//! Kamailio with two devices, in each way that devices reach it.

use std::net::SocketAddr;

use crate::device::Builder;
use crate::kamailio::Settings;
use crate::{Device, Kamailio};

/// How the devices reach Kamailio, and what it does to their messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over WebSocket.
    Ws,
    /// Over WebSocket and TLS.
    Wss,
    /// Over WebSocket, and no leg of a call learns anything of the other (`topos`).
    TopologyHiding,
}

/// Kamailio and two registered devices.
#[derive(Debug)]
pub struct World {
    /// The platform.
    pub kamailio: Kamailio,
    /// Device 1, alice's.
    pub alice: Device,
    /// Device 2, bob's.
    pub bob: Device,
}

impl Way {
    /// What Kamailio is to do.
    pub fn settings(self) -> Settings {
        Settings {
            topology_hiding: self == Self::TopologyHiding,
            ..Settings::default()
        }
    }

    /// A device that goes this way; see [`Device::builder`].
    pub fn device<'a>(self, kamailio: &'a Kamailio, user: &str, number: u8) -> Builder<'a> {
        let builder = Device::builder(kamailio, user, number);
        match self {
            Self::Wss => builder.secure(),
            Self::Ws | Self::TopologyHiding => builder,
        }
    }

    /// Where devices that go this way connect to.
    pub fn server(self, kamailio: &Kamailio) -> SocketAddr {
        match self {
            Self::Wss => kamailio.wss(),
            Self::Ws | Self::TopologyHiding => kamailio.ws(),
        }
    }

    /// Starts a world with the settings of this way.
    pub async fn world(self) -> World {
        self.world_with(self.settings()).await
    }

    /// Starts one with others.
    pub async fn world_with(self, settings: Settings) -> World {
        let kamailio = Kamailio::start(settings).await;
        let alice = self.device(&kamailio, "alice", 1).registered().await;
        let bob = self.device(&kamailio, "bob", 2).registered().await;
        World { kamailio, alice, bob }
    }
}

/// A module for each way, with the cases as tests that go it: `kamailio_cases!(ws = Ws, wss = Wss; [one, other])`.
#[macro_export]
macro_rules! kamailio_cases {
    ($($module:ident = $way:ident),*; $cases:tt) => {
        $($crate::kamailio_cases!(@ $module $way $cases);)*
    };
    (@ $module:ident $way:ident [$($case:ident),* $(,)?]) => {
        mod $module {
            $(#[tokio::test]
            #[ignore = "needs Kamailio: cargo xtask interop"]
            async fn $case() {
                super::$case($crate::world::Way::$way).await;
            })*
        }
    };
}
