//! A Clearline phone: the core and its native driver, with a recorded wire.

use std::net::IpAddr;

use clearline_core::sip::UriBuf;
use clearline_core::{CallInfo, CallState, Config, EndCause, MediaTransport, Secret, Server};
use clearline_native::audio::AudioProvider;
use clearline_native::media::WebRtcMedia;
use clearline_native::transport::WebSocketTransport;
use clearline_native::{Call, Phone};

use crate::kamailio::Kamailio;
use crate::media::{Backend, PretendedMedia};
use crate::wire::{Recorded, ShownOnFailure};
use crate::{DOMAIN, PASSWORD, Wire, within};

/// A phone, registered or not.
#[derive(Debug)]
pub struct Device {
    /// What an application would hold.
    pub phone: Phone,
    /// What it says and hears of SIP.
    pub wire: Wire,
    _shown: ShownOnFailure,
}

/// A phone to be.
pub struct Builder<'a> {
    kamailio: &'a Kamailio,
    number: u8,
    config: Config,
    media: Backend,
}

impl Device {
    /// The `number`th device of `user`; numbers tell devices apart, also those of different users.
    pub fn builder<'a>(kamailio: &'a Kamailio, user: &str, number: u8) -> Builder<'a> {
        let address = UriBuf::parse(format!("sip:{user}@{DOMAIN}")).unwrap();
        let instance = format!("urn:uuid:00000000-0000-4000-8000-{number:0>12}");
        let mut config = Config::new(address, format!("ws://{}/", kamailio.ws()), instance);
        config.password = Secret::new(PASSWORD);
        Builder {
            kamailio,
            number,
            config,
            media: Backend::Pretended(Box::new(PretendedMedia::new(number))),
        }
    }

    /// A registered phone with pretended media.
    pub async fn registered(kamailio: &Kamailio, user: &str, number: u8) -> Self {
        Self::builder(kamailio, user, number).registered().await
    }

    /// Waits for a call and returns it, still ringing.
    pub async fn incoming(&self) -> Call {
        within(10, "a call comes in", self.phone.incoming())
            .await
            .unwrap()
    }

    /// Calls `target`.
    pub async fn call(&self, target: &str) -> Call {
        self.phone.call(target).await.unwrap()
    }
}

impl Builder<'_> {
    /// Connects over TLS.
    pub fn secure(mut self) -> Self {
        self.config.servers = vec![Server::new(format!("wss://{}/", self.kamailio.wss()))];
        self
    }

    /// Connects to another port of the platform's address, where a cable begins.
    pub fn through_port(mut self, port: u16) -> Self {
        let here = self.kamailio.address();
        for server in &mut self.config.servers {
            let scheme = server.url.split(':').next().unwrap_or_default();
            server.url = format!("{scheme}://{here}:{port}/");
        }
        self
    }

    /// Changes the account.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Has real media on the platform's address, with this sound.
    pub fn audio(mut self, audio: impl AudioProvider) -> Self {
        let addresses = vec![IpAddr::V4(self.kamailio.address())];
        let media = WebRtcMedia::builder(audio).local_addresses(addresses).build();
        self.media = Backend::Real(media);
        self
    }

    /// Starts it.
    pub fn start(self) -> Device {
        let wire = Wire::new(&format!(
            "{}/{}",
            self.config.address_of_record.as_uri().user_decoded(),
            self.number
        ));
        let inner = WebSocketTransport::builder()
            .trust_file(&self.kamailio.authority())
            .unwrap()
            .build();
        let transport = Recorded {
            inner,
            wire: wire.clone(),
        };
        let builder = Phone::builder(self.config).transport(transport);
        let phone = builder.media(self.media).start().unwrap();
        Device {
            phone,
            wire: wire.clone(),
            _shown: ShownOnFailure(wire),
        }
    }

    /// Starts it and waits until it is registered.
    pub async fn registered(self) -> Device {
        let device = self.start();
        within(10, "registered", device.phone.registered()).await.unwrap();
        device
    }
}

/// Two ends of one call, answered and with media.
pub async fn connect(caller: &Device, target: &str, callee: &Device) -> (Call, Call) {
    let outgoing = caller.call(target).await;
    let incoming = callee.incoming().await;
    within(10, "answering", incoming.answer()).await.unwrap();
    for call in [&outgoing, &incoming] {
        talking(call).await;
    }
    (outgoing, incoming)
}

/// Waits until the call is answered and its media connected.
pub async fn talking(call: &Call) {
    let connected =
        |info: &CallInfo| info.state == CallState::Active && info.media == MediaTransport::Connected;
    let info = within(15, "the call has media", call.when(connected))
        .await
        .unwrap();
    assert!(connected(&info), "{info:?}");
}

/// Waits until the device has one call and no other, and that is with `user`: answered, with media, and nobody on hold.
pub async fn speaks_only_with(device: &Device, user: &str) -> Call {
    let is_it = |info: &CallInfo| {
        info.remote.user == user
            && info.state == CallState::Active
            && info.media == MediaTransport::Connected
            && !(info.local_hold || info.remote_hold || info.negotiating)
    };
    let mut state = device.phone.watch();
    let what = format!("one call, with {user}");
    let only = state.wait_for(|state| state.calls.len() == 1 && state.calls.values().all(is_it));
    let only = within(15, &what, only).await.unwrap();
    device.phone.call_handle(*only.calls.keys().next().unwrap())
}

/// Waits until the call has ended, and tells why it has.
pub async fn ended(call: &Call) -> EndCause {
    let info = within(15, "the call ends", call.ended()).await.unwrap();
    info.end.unwrap().cause
}
