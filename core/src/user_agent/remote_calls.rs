//! Calls on this account's other devices: which there are (RFC 4235), and taking one over (RFC 3891).
//!
//! ```text
//! registered --SUBSCRIBE dialog to the own address--> NOTIFY: the list --pull--> INVITE with Replaces to the far end,
//!     refused for good: the platform does not offer it           which ends the dialog with the other device
//! ```

use super::UserAgent;
use crate::call::{Call, Errand, is_anonymous, named};
use crate::error::CommandError;
use crate::event::{CallDirection, Event, RegistrationState, RemoteCall, RemoteCallState, SubscriptionState};
use crate::id::{CallId, DialogId, RemoteCallId, SubscriptionId};
use crate::sip::{Scheme, Uri};
use crate::sorted_map::SortedMap;
use crate::subscription::Notified;
use crate::subscription::dialog_info::{
    Dialog, DialogInfo, Dialogs, Direction, MEDIA_TYPE, PACKAGE, Participant, State, Taken,
};
use crate::time::{Duration, Instant};

/// What the platform tells of this account's dialogs.
#[derive(Clone, Debug, Default)]
pub(super) struct RemoteCalls {
    subscription: Option<SubscriptionId>,
    /// The platform does not offer it.
    is_refused: bool,
    dialogs: Dialogs,
    /// By the names the platform gives them.
    known: SortedMap<String, Known>,
    last_id: u64,
    /// What was last told to the application.
    reported: Vec<RemoteCall>,
}

/// What is kept of a dialog besides what was told last.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: RemoteCallId,
    state: State,
    /// When it came into that state.
    since: Instant,
}

impl UserAgent {
    /// The calls of this account's other devices, if [`Config::remote_calls`](crate::Config::remote_calls) asks for them
    /// and the platform tells.
    pub fn remote_calls(&self) -> &[RemoteCall] {
        &self.remote_calls.reported
    }

    /// Takes a call over from another device, with the id `id` here. Its far end is asked to speak with this device
    /// instead; the other device's call ends when it does. If it does not, or the call has ended meanwhile (481, 603), or
    /// another device was quicker (491), this call ends and the other is what it was.
    ///
    /// # Errors
    /// [`CommandError::NoSuchRemoteCall`]; [`CommandError::WrongState`] if it cannot be pulled
    /// ([`RemoteCall::can_be_pulled`]); those of [`Self::call`].
    pub fn pull(&mut self, now: Instant, id: CallId, remote: RemoteCallId) -> Result<(), CommandError> {
        self.endpoint.now = now;
        let dialog = self.remote_calls.dialog(remote);
        let dialog = dialog.ok_or(CommandError::NoSuchRemoteCall)?;
        let (target, replaces) = way_to_replace(dialog).ok_or(CommandError::WrongState)?;
        let target = self.check_new_call(id, target)?.uri;
        let (far_end, device) = (identity(&dialog.remote), dialog.device.clone());
        let errand = Errand {
            target,
            display_name: String::new(),
            replaces: Some(replaces),
            referred_by: None,
        };
        let call = Call::pulled(
            &mut self.endpoint,
            id,
            far_end,
            device.unwrap_or_default(),
            errand,
        );
        self.calls.insert(id, call);
        self.settle();
        Ok(())
    }

    /// After every step: the platform is asked once it can be, and what has changed is reported.
    pub(super) fn follow_remote_calls(&mut self) {
        if !self.endpoint.config.remote_calls {
            return;
        }
        let is_registered = matches!(self.registration(), RegistrationState::Registered { .. });
        let is_wanted = is_registered && self.stopping.is_none() && !self.subscriptions.is_full();
        match self.remote_calls.subscription {
            None if is_wanted && !self.remote_calls.is_refused => self.watch_own_dialogs(),
            None => {}
            Some(id) => self.follow_subscription(id),
        }
        self.report_remote_calls();
    }

    /// Credentials or platform may be others now.
    pub(super) fn retry_remote_calls(&mut self) {
        self.remote_calls.is_refused = false;
    }

    fn watch_own_dialogs(&mut self) {
        let own = self.endpoint.config.address_of_record.clone();
        let id = self
            .subscriptions
            .add_own(&mut self.endpoint, own, PACKAGE, &[MEDIA_TYPE]);
        self.remote_calls.subscription = Some(id);
    }

    fn follow_subscription(&mut self, id: SubscriptionId) {
        match self.subscriptions.state(id) {
            Some(SubscriptionState::Active { .. } | SubscriptionState::Pending { .. }) => {}
            Some(SubscriptionState::Subscribing) => self.remote_calls.dialogs.starts_over(),
            // What is not told any more cannot be shown.
            Some(SubscriptionState::Waiting { .. }) => self.remote_calls.dialogs = Dialogs::default(),
            Some(SubscriptionState::Ended { .. }) | None => {
                self.remote_calls = RemoteCalls {
                    is_refused: true,
                    last_id: self.remote_calls.last_id,
                    reported: std::mem::take(&mut self.remote_calls.reported),
                    ..RemoteCalls::default()
                };
            }
        }
    }

    /// A NOTIFY of the agent's own subscription; `false` if everything has to be told again. Documents that cannot be read
    /// are as good as missing.
    fn dialogs_told(&mut self, document: &[u8]) -> bool {
        document.is_empty()
            || DialogInfo::read(document)
                .is_ok_and(|info| self.remote_calls.take(self.endpoint.now, info) != Taken::Gap)
    }

    /// A NOTIFY; `false` if it belongs to no subscription.
    pub(super) fn subscription_notified(&mut self, notified: Notified) -> bool {
        match notified {
            Notified::Stray => false,
            Notified::Taken => true,
            Notified::Own(notification) => {
                let is_understood = if Some(notification.subscription) == self.remote_calls.subscription {
                    self.dialogs_told(&notification.body)
                } else {
                    self.participants_told(notification.subscription, &notification.body)
                };
                // Something was missed, or cannot be read.
                if !is_understood {
                    self.subscriptions
                        .ask_again(self.endpoint.now, notification.subscription);
                }
                true
            }
        }
    }

    fn report_remote_calls(&mut self) {
        let dialogs = self.remote_calls.dialogs.iter();
        let remote = dialogs.filter(|dialog| !self.is_here(dialog));
        let calls: Vec<_> = remote
            .filter_map(|dialog| self.remote_calls.show(dialog))
            .collect();
        if calls != self.remote_calls.reported {
            self.remote_calls.reported.clone_from(&calls);
            self.endpoint.emit(Event::RemoteCalls(calls));
        }
    }

    /// Whether a dialog is, or was just now, this device's own.
    fn is_here(&self, dialog: &Dialog) -> bool {
        let instance = dialog.local.param("+sip.instance");
        let instance = instance.map(|text| text.trim_matches(['<', '>', '"']));
        if instance == Some(self.endpoint.config.instance_id.as_str()) {
            return true;
        }
        let name = &dialog.name;
        let (Some(call_id), Some(local_tag)) = (&name.call_id, &name.local_tag) else {
            return false;
        };
        let id = DialogId {
            call_id: call_id.clone(),
            local_tag: local_tag.clone(),
            remote_tag: name.remote_tag.clone().unwrap_or_default(),
        };
        self.endpoint.has_ended(&id) || self.calls.values().any(|call| call.is_in(&id))
    }
}

impl RemoteCalls {
    fn take(&mut self, now: Instant, info: DialogInfo) -> Taken {
        let told: Vec<_> = info
            .dialogs
            .iter()
            .map(|it| (it.id.clone(), it.duration))
            .collect();
        let taken = self.dialogs.take(info);
        let Self {
            dialogs,
            known,
            last_id,
            ..
        } = self;
        known.retain(|id, _| dialogs.get(id).is_some());
        for (id, duration) in told {
            let Some(dialog) = dialogs.get(&id).filter(|_| taken != Taken::Outdated) else {
                continue;
            };
            let since = now.saturating_sub(Duration::from_secs(duration.unwrap_or(0).into()));
            let known = known.get_or_insert_with(id, || {
                *last_id += 1;
                Known {
                    id: RemoteCallId(*last_id),
                    state: dialog.state,
                    since,
                }
            });
            // Told again it is rounded again: a call does not grow younger for that.
            if known.state != dialog.state {
                (known.state, known.since) = (dialog.state, since);
            }
        }
        taken
    }

    fn dialog(&self, id: RemoteCallId) -> Option<&Dialog> {
        let is_shown = self.reported.iter().any(|call| call.id == id);
        let (name, _) = self.known.iter().find(|(_, known)| known.id == id && is_shown)?;
        self.dialogs.get(name)
    }

    fn show(&self, dialog: &Dialog) -> Option<RemoteCall> {
        let known = self.known.get(&dialog.id)?;
        Some(RemoteCall {
            id: known.id,
            device: dialog.device.clone(),
            remote: identity(&dialog.remote),
            direction: dialog.direction.map(|direction| match direction {
                Direction::Initiator => CallDirection::Outgoing,
                Direction::Recipient => CallDirection::Incoming,
            }),
            state: match dialog.state {
                State::Trying | State::Proceeding | State::Early | State::Terminated => {
                    RemoteCallState::Ringing
                }
                State::Confirmed => RemoteCallState::Active,
            },
            since: known.since,
            can_be_pulled: way_to_replace(dialog).is_some(),
        })
    }
}

/// Where the far end of a dialog is asked to give it up, and with which Replaces; `None` if it cannot be. Only what is
/// answered can be taken over (RFC 3891 section 3), and whoever has withheld the own name would be betrayed.
fn way_to_replace(dialog: &Dialog) -> Option<(&str, String)> {
    let target = dialog.remote.target.as_deref()?;
    let is_sip = Uri::parse(target).is_ok_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips));
    let local = dialog.local.identity.as_deref().unwrap_or_default();
    // What cannot be read may be such a name too.
    let is_anonymous = Uri::parse(local).map_or(!local.is_empty(), |uri| is_anonymous(&uri));
    let replaces = dialog.replaces_value()?;
    (dialog.state == State::Confirmed && is_sip && !is_anonymous).then_some((target, replaces))
}

fn identity(participant: &Participant) -> crate::event::Identity {
    let uri = participant.identity.as_deref().or(participant.target.as_deref());
    named(&participant.display_name, uri.unwrap_or_default())
}
