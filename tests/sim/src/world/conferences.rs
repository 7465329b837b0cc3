//! Conferences of our platform: the factory and each focus are devices whose users are services.

use clearline_core::sip::UriBuf;
use clearline_core::{Config, Instant};
use clearline_focus::{Agent as _, CONFERENCE_PREFIX, Controllers, Factory, Focus, Limits, Settings, Wanted};

use super::World;
use crate::device::{Device, DeviceId};
use crate::media::Media;
use crate::platform::Platform;
use crate::service::Service;

impl World {
    /// The platform makes conferences from now on, at the address that is returned. Ours only.
    pub fn offer_conferences(&mut self) -> UriBuf {
        let (device, address) = self.start_factory();
        self.offers_conferences = true;
        self.until("conferences can be made", |world| {
            let service = &world.devices[device.0].service;
            let agent = service.as_ref().and_then(Service::agent);
            agent.is_some_and(|agent| agent.is_ready())
        });
        address
    }

    fn start_factory(&mut self) -> (DeviceId, UriBuf) {
        let (device, config) = self.service_device("conference");
        let address = config.address_of_record.clone();
        let seed = self.service_seed(device);
        self.start_service(device, Service::Factory(Box::new(Factory::new(config, seed))));
        (device, address)
    }

    /// The platform's process has started again, and its factory in it.
    pub(super) fn offer_conferences_again(&mut self) {
        if self.offers_conferences {
            self.start_factory();
        }
    }

    /// What runs in the platform's process ends with it, without a word to anybody.
    pub(super) fn end_services(&mut self) {
        for device in self.devices() {
            if self.is_service(device) {
                self.end_service(device);
            }
        }
    }

    /// Whether a device is a service of the platform rather than somebody's.
    pub fn is_service(&self, device: DeviceId) -> bool {
        self.devices[device.0].service.is_some()
    }

    fn end_service(&mut self, device: DeviceId) {
        let media = Media::new(device.0, self.service_seed(device));
        let service = &mut self.devices[device.0];
        service.service = Some(Service::Gone);
        service.deadline = None;
        service.media = media;
        service.sessions.clear();
        self.forget_media_of(device);
    }

    /// The devices of the conferences that have been made.
    pub fn conferences(&self) -> Vec<DeviceId> {
        let devices = self.devices.iter().enumerate();
        let focuses = devices.filter(|(_, device)| matches!(device.service, Some(Service::Focus { .. })));
        focuses.map(|(at, _)| DeviceId(at)).collect()
    }

    /// After every step: who wants a conference is sent to one as soon as it can be called, and one that is over is forgotten.
    pub(super) fn tend_conferences(&mut self) {
        for device in self.devices() {
            match &mut self.devices[device.0].service {
                Some(Service::Factory(factory)) => {
                    let (wanted, withdrawn) = (factory.take_wanted(), factory.take_withdrawn());
                    if let Some(wanted) = wanted {
                        self.hold_conference(wanted);
                    }
                    if let Some(ticket) = withdrawn {
                        self.drop_conference(ticket);
                    }
                }
                Some(Service::Focus { focus, ticket, .. }) if focus.is_over() => {
                    let ticket = ticket.take();
                    self.forget_conference(device, ticket);
                }
                Some(Service::Focus {
                    focus,
                    ticket,
                    conference,
                }) if focus.is_ready() => {
                    if let Some(ticket) = ticket.take() {
                        let conference = conference.clone();
                        self.send_caller(ticket, &conference);
                    }
                }
                Some(Service::Focus { .. } | Service::Gone) | None => {}
            }
        }
    }

    fn hold_conference(&mut self, wanted: Wanted) {
        let name = format!("{CONFERENCE_PREFIX}{}", self.devices.len());
        let (device, config) = self.service_device(&name);
        let conference = config.address_of_record.clone();
        let settings = Settings {
            conference: conference.clone(),
            name: "Conference".to_owned(),
            creator: wanted.creator,
            password: config.password,
            instance_id: config.instance_id,
            services: Vec::new(),
            controllers: Controllers::Creator,
            limits: Limits::default(),
        };
        let focus = Box::new(Focus::new(settings, self.service_seed(device)));
        let service = Service::Focus {
            focus,
            ticket: Some(wanted.ticket),
            conference,
        };
        self.start_service(device, service);
    }

    /// Nobody waits for a conference any more.
    fn drop_conference(&mut self, unwanted: u64) {
        for device in self.devices() {
            if let Some(Service::Focus { focus, ticket, .. }) = &mut self.devices[device.0].service
                && *ticket == Some(unwanted)
            {
                *ticket = None;
                focus.stop(self.now);
                self.drain_device(device);
            }
        }
    }

    fn forget_conference(&mut self, device: DeviceId, waiting: Option<u64>) {
        let name = self.user(device);
        if let Some(Platform::Proxy(platform)) = &mut self.platform {
            platform.remove_user(&clearline_pbx::UserId::new(name));
        }
        self.end_service(device);
        if let Some(ticket) = waiting {
            self.ask_factory(|factory, now| factory.refuse(now, ticket, 480));
        }
    }

    fn send_caller(&mut self, ticket: u64, conference: &UriBuf) {
        self.ask_factory(|factory, now| factory.redirect(now, ticket, conference));
    }

    fn ask_factory(&mut self, ask: impl FnOnce(&mut Factory, Instant)) {
        let is_factory = |device: &Device| matches!(device.service, Some(Service::Factory(_)));
        let Some(at) = self.devices.iter().position(is_factory) else {
            return;
        };
        if let Some(Service::Factory(factory)) = &mut self.devices[at].service {
            ask(factory, self.now);
        }
        self.drain_device(DeviceId(at));
    }

    fn service_device(&mut self, name: &str) -> (DeviceId, Config) {
        let Some(Platform::Proxy(platform)) = &mut self.platform else {
            self.fail("the platform is ours");
        };
        crate::platform::add_user(platform, clearline_pbx::User::new(name).as_service());
        let id = DeviceId(self.devices.len());
        let config = self.config_of(name, id);
        let media = Media::new(id.0, self.service_seed(id));
        let device = Device::new(name.to_owned(), config.clone(), self.service_seed(id), media);
        self.devices.push(device);
        (id, config)
    }

    fn service_seed(&self, device: DeviceId) -> [u8; 32] {
        let number = u8::try_from(device.0 + 101).unwrap_or(u8::MAX);
        [self.seed.wrapping_add(number); 32]
    }

    fn start_service(&mut self, device: DeviceId, mut service: Service) {
        if let Some(agent) = service.agent_mut() {
            agent.start(self.now);
        }
        self.devices[device.0].service = Some(service);
        self.drain_device(device);
    }
}
