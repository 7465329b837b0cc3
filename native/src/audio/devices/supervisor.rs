//! Which devices are to be open: a decision about a list of devices, made again whenever something changes.

use std::time::Duration;

use clearline_core::Instant;

use super::DeviceInfo;

/// Time between two looks at the list while all is well: no sound system tells every change.
const SURVEY: Duration = Duration::from_secs(1);
/// The same while a device is missing.
const HURRIED_SURVEY: Duration = Duration::from_millis(100);
/// For how long a device that has failed is the last choice.
const DISTRUST: Duration = Duration::from_secs(3);
/// For how long it is no choice at all.
const REST: Duration = Duration::from_millis(200);

/// What a device is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Captures the user.
    Microphone,
    /// Plays the calls.
    Speaker,
    /// Rings, so that a call is heard while the headset lies on the table.
    Ringer,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Microphone, Self::Speaker, Self::Ringer];

    fn suits(self, device: &DeviceInfo) -> bool {
        match self {
            Self::Microphone => device.input,
            Self::Speaker | Self::Ringer => device.output,
        }
    }

    fn is_default(self, device: &DeviceInfo) -> bool {
        match self {
            Self::Microphone => device.default_input,
            Self::Speaker | Self::Ringer => device.default_output,
        }
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Look which devices there are; the answer is [`Supervisor::surveyed`].
    Survey,
    /// Open `device`, instead of the one that is open if there is one; the answer is [`Supervisor::opened`] or
    /// [`Supervisor::failed`].
    Open {
        role: Role,
        device: String,
    },
    Close(Role),
}

/// Decides which device is open in each [`Role`]: the preferred one where it is present and works, else the default, else
/// any; none while nobody needs it.
///
/// ```text
/// Closed --needed--> Missing <--lost, failed-- Open
///   ^                   |---------opened------> |
///   '------------not needed---------------------'
/// ```
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    places: [Place; Role::ALL.len()],
    devices: Vec<DeviceInfo>,
    surveyed: Option<Instant>,
    failures: Vec<Failure>,
}

#[derive(Debug, Default)]
struct Place {
    users: usize,
    preferred: Option<String>,
    /// The device that is open.
    open: Option<String>,
}

#[derive(Debug)]
struct Failure {
    role: Role,
    device: String,
    at: Instant,
}

impl Supervisor {
    pub(super) fn prefer(&mut self, role: Role, device: Option<String>) {
        self.place(role).preferred = device;
        // A choice is a new trial, whatever happened before.
        self.failures.retain(|failure| failure.role != role);
        self.surveyed = None;
    }

    pub(super) fn attach(&mut self, role: Role) {
        self.place(role).users += 1;
    }

    pub(super) fn detach(&mut self, role: Role) {
        let place = self.place(role);
        place.users = place.users.saturating_sub(1);
    }

    /// These are all devices there are.
    pub(super) fn surveyed(&mut self, now: Instant, devices: Vec<DeviceInfo>) {
        self.devices = devices;
        self.surveyed = Some(now);
    }

    pub(super) fn opened(&mut self, role: Role, device: String) {
        self.place(role).open = Some(device);
    }

    /// `device` could not be opened.
    pub(super) fn failed(&mut self, now: Instant, role: Role, device: String) {
        self.failures
            .retain(|failure| now.saturating_since(failure.at) < DISTRUST);
        self.failures.push(Failure {
            role,
            device,
            at: now,
        });
    }

    /// The open device has gone, or does nothing any more.
    pub(super) fn lost(&mut self, now: Instant, role: Role) {
        if let Some(device) = self.place(role).open.take() {
            self.failed(now, role, device);
        }
        // Before another one is chosen: that may have gone with it.
        self.surveyed = None;
    }

    /// The device that is open.
    pub(super) fn open(&self, role: Role) -> Option<&str> {
        self.places.get(role as usize)?.open.as_deref()
    }

    /// The next step, if there is one now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Step> {
        if let Some(role) = Role::ALL.into_iter().find(|role| self.is_superfluous(*role)) {
            self.place(role).open = None;
            return Some(Step::Close(role));
        }
        if self.survey_at().is_some_and(|at| at <= now) {
            return Some(Step::Survey);
        }
        Role::ALL.into_iter().find_map(|role| self.change(role, now))
    }

    /// When to ask for the next step even if nothing happens.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        self.survey_at().map(|at| at.max(now))
    }

    fn survey_at(&self) -> Option<Instant> {
        let needed = self.places.iter().filter(|place| place.users > 0);
        let (needed, missing) = needed.fold((0, 0), |(needed, missing), place| {
            (needed + 1, missing + usize::from(place.open.is_none()))
        });
        let interval = if missing > 0 { HURRIED_SURVEY } else { SURVEY };
        (needed > 0).then(|| self.surveyed.map_or(Instant::ZERO, |at| at + interval))
    }

    fn change(&self, role: Role, now: Instant) -> Option<Step> {
        let place = self.places.get(role as usize)?;
        let device = self.choice(role, now)?;
        let is_change = place.users > 0 && place.open.as_deref() != Some(device);
        is_change.then(|| Step::Open {
            role,
            device: device.to_owned(),
        })
    }

    fn choice(&self, role: Role, now: Instant) -> Option<&str> {
        let place = self.places.get(role as usize)?;
        let suitable = self.devices.iter().filter(|device| role.suits(device));
        let best = suitable.filter_map(|device| Some((self.rank(place, role, device, now)?, device)));
        best.min_by_key(|(rank, _)| *rank)
            .map(|(_, device)| device.id.as_str())
    }

    /// The lower the better; `None` if it is out of the question now.
    fn rank(&self, place: &Place, role: Role, device: &DeviceInfo, now: Instant) -> Option<(bool, u8)> {
        let since = |failure: &Failure| now.saturating_since(failure.at);
        let of_device = |failure: &&Failure| failure.role == role && failure.device == device.id;
        let failed = self.failures.iter().filter(of_device).map(since).min();
        if failed.is_some_and(|since| since < REST) {
            return None;
        }
        let liking = match &place.preferred {
            Some(preferred) if *preferred == device.id => 0,
            _ if role.is_default(device) => 1,
            // Where nothing is plugged in there may be a way to record what is played; nobody wants to send that.
            _ if device.loops_back => return None,
            _ => 2,
        };
        // One that does well is not left for one that is as good.
        let is_other = u8::from(place.open.as_deref() != Some(device.id.as_str()));
        Some((
            failed.is_some_and(|since| since < DISTRUST),
            2 * liking + is_other,
        ))
    }

    fn is_superfluous(&self, role: Role) -> bool {
        let place = self.places.get(role as usize);
        place.is_some_and(|place| place.users == 0 && place.open.is_some())
    }

    #[expect(clippy::indexing_slicing, reason = "there is a place for each role")]
    fn place(&mut self, role: Role) -> &mut Place {
        &mut self.places[role as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> DeviceInfo {
        DeviceInfo {
            id: id.to_owned(),
            name: id.to_owned(),
            default_input: false,
            default_output: false,
            input: true,
            output: true,
            loops_back: false,
        }
    }

    /// Devices of which the first one is the default.
    fn devices(ids: &[&str]) -> Vec<DeviceInfo> {
        let mut devices: Vec<_> = ids.iter().map(|id| device(id)).collect();
        if let Some(first) = devices.first_mut() {
            (first.default_input, first.default_output) = (true, true);
        }
        devices
    }

    /// Does what is asked for until nothing is, at `ms`; tells what was opened and closed.
    fn run(supervisor: &mut Supervisor, ms: u64, present: &[&str], broken: &[&str]) -> Vec<String> {
        let now = Instant::from_millis(ms);
        let mut done = Vec::new();
        while let Some(step) = supervisor.next(now) {
            match step {
                Step::Survey => supervisor.surveyed(now, devices(present)),
                Step::Open { role, device } if broken.contains(&device.as_str()) => {
                    done.push(format!("not {device}"));
                    supervisor.failed(now, role, device);
                }
                Step::Open { role, device } => {
                    done.push(format!("open {device}"));
                    supervisor.opened(role, device);
                }
                Step::Close(_) => done.push("close".to_owned()),
            }
        }
        done
    }

    fn with_user(preferred: Option<&str>) -> Supervisor {
        let mut supervisor = Supervisor::default();
        supervisor.prefer(Role::Speaker, preferred.map(str::to_owned));
        supervisor.attach(Role::Speaker);
        supervisor
    }

    #[test]
    fn a_device_is_open_as_long_as_somebody_needs_it() {
        let mut supervisor = with_user(None);
        supervisor.attach(Role::Speaker);
        assert_eq!(run(&mut supervisor, 0, &["desk"], &[]), ["open desk"]);
        supervisor.detach(Role::Speaker);
        assert!(run(&mut supervisor, 10, &["desk"], &[]).is_empty());
        supervisor.detach(Role::Speaker);
        assert_eq!(run(&mut supervisor, 20, &["desk"], &[]), ["close"]);
        assert_eq!(supervisor.wake(Instant::ZERO), None, "then nothing is looked at");
    }

    #[test]
    fn an_unplugged_headset_is_replaced_at_once_and_used_again_when_it_is_back() {
        let mut supervisor = with_user(Some("headset"));
        assert_eq!(
            run(&mut supervisor, 0, &["desk", "headset"], &[]),
            ["open headset"]
        );
        supervisor.lost(Instant::from_millis(500), Role::Speaker);
        assert_eq!(run(&mut supervisor, 500, &["desk"], &[]), ["open desk"]);
        assert!(run(&mut supervisor, 2_000, &["desk"], &[]).is_empty());
        assert_eq!(
            run(&mut supervisor, 4_000, &["desk", "headset"], &[]),
            ["open headset"]
        );
    }

    #[test]
    fn a_device_that_is_lost_but_still_listed_is_the_last_choice_for_a_while() {
        let mut supervisor = with_user(Some("headset"));
        run(&mut supervisor, 0, &["desk", "headset"], &[]);
        supervisor.lost(Instant::from_millis(500), Role::Speaker);
        assert_eq!(
            run(&mut supervisor, 500, &["desk", "headset"], &[]),
            ["open desk"]
        );
        assert!(run(&mut supervisor, 1_600, &["desk", "headset"], &[]).is_empty());
        assert_eq!(
            run(&mut supervisor, 4_000, &["desk", "headset"], &[]),
            ["open headset"]
        );
    }

    #[test]
    fn the_only_device_is_tried_again_and_again() {
        let mut supervisor = with_user(None);
        assert_eq!(run(&mut supervisor, 0, &["desk"], &["desk"]), ["not desk"]);
        let again = supervisor.wake(Instant::ZERO).unwrap();
        assert_eq!(again, Instant::from_millis(100));
        assert!(
            run(&mut supervisor, 100, &["desk"], &[]).is_empty(),
            "not at once"
        );
        assert_eq!(run(&mut supervisor, 200, &["desk"], &[]), ["open desk"]);
    }

    #[test]
    fn without_a_preference_the_default_is_followed() {
        let mut supervisor = with_user(None);
        run(&mut supervisor, 0, &["desk", "headset"], &[]);
        assert_eq!(
            run(&mut supervisor, 1_000, &["headset", "desk"], &[]),
            ["open headset"]
        );
        let mut stubborn = with_user(Some("desk"));
        run(&mut stubborn, 0, &["desk", "headset"], &[]);
        assert!(run(&mut stubborn, 1_000, &["headset", "desk"], &[]).is_empty());
    }

    #[test]
    fn a_choice_takes_effect_at_once_even_of_a_device_that_has_failed() {
        let mut supervisor = with_user(None);
        run(&mut supervisor, 0, &["desk", "headset"], &[]);
        supervisor.failed(Instant::from_millis(50), Role::Speaker, "headset".to_owned());
        supervisor.prefer(Role::Speaker, Some("headset".to_owned()));
        assert_eq!(
            run(&mut supervisor, 60, &["desk", "headset"], &[]),
            ["open headset"]
        );
        supervisor.prefer(Role::Speaker, None);
        assert_eq!(run(&mut supervisor, 70, &["desk", "headset"], &[]), ["open desk"]);
    }

    #[test]
    fn a_preferred_device_that_does_not_open_is_stood_in_for() {
        let mut supervisor = with_user(Some("headset"));
        let tried = run(&mut supervisor, 0, &["desk", "headset"], &["headset"]);
        assert_eq!(tried, ["not headset", "open desk"]);
    }

    #[test]
    fn what_is_played_is_not_recorded_unless_that_is_the_default() {
        let mut supervisor = Supervisor::default();
        supervisor.attach(Role::Microphone);
        let mut monitor = device("monitor");
        monitor.loops_back = true;
        supervisor.surveyed(Instant::ZERO, vec![monitor.clone()]);
        assert_eq!(supervisor.next(Instant::ZERO), None);
        monitor.default_input = true;
        supervisor.surveyed(Instant::ZERO, vec![monitor]);
        assert!(matches!(supervisor.next(Instant::ZERO), Some(Step::Open { .. })));
    }

    #[test]
    fn the_roles_do_not_share_their_devices() {
        let mut supervisor = Supervisor::default();
        supervisor.prefer(Role::Ringer, Some("desk".to_owned()));
        supervisor.prefer(Role::Speaker, Some("headset".to_owned()));
        Role::ALL.into_iter().for_each(|role| supervisor.attach(role));
        let opened = run(&mut supervisor, 0, &["built-in", "desk", "headset"], &[]);
        assert_eq!(opened, ["open built-in", "open headset", "open desk"]);
        assert_eq!(supervisor.open(Role::Ringer), Some("desk"));
    }
}
