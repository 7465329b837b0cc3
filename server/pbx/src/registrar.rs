//! The registrar (RFC 3261 section 10.3) with outbound (RFC 5626 section 6) and GRUU (RFC 5627 section 5).

use clearline_core::ConnectionId;
use clearline_core::sip::{Contact, HeaderName, Message, NameAddr, Scheme, UriBuf, quote};
use clearline_core::transaction::TransactionId;
use clearline_core::{Duration, Instant};

use crate::authentication::CredentialId;
use crate::config::Config;
use crate::flow::FlowId;
use crate::gruu;
use crate::io::{Event, Limit, UnregisteredCause};
use crate::location::{Binding, BindingId, DeviceKey};
use crate::platform::{Alarm, Platform};
use crate::refusal::Refusal;
use crate::user::UserId;

/// What a REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// No Contact: tell the bindings.
    Nothing,
    /// `Contact: *`: remove all.
    RemoveAll,
    Update(Vec<Wish>),
}

/// One Contact of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    contact: UriBuf,
    name: Option<String>,
    device: DeviceKey,
    params: String,
    q: u16,
    /// Zero removes the binding.
    expires: Duration,
}

/// The REGISTER as far as bindings remember it.
struct Registration<'a> {
    user: UserId,
    credential: CredentialId,
    connection: ConnectionId,
    call_id: &'a str,
    cseq: u32,
    wants_gruu: bool,
}

/// A wish and the binding it concerns.
type Step = (Wish, Option<BindingId>);

impl Platform {
    /// Answers a REGISTER for the domain (RFC 3261 section 10.3, whose steps are numbered here).
    pub(crate) fn register(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: TransactionId,
        request: &Message,
    ) -> Result<(), Refusal> {
        // Step 2.
        refuse_unsupported(request, HeaderName::Require, &["gruu", "outbound"])?;
        // RFC 4475 section 3.3.4: what else may stand in To is no address of record anywhere.
        let aor = request.to().map_err(|_| Refusal::new(400))?;
        if !matches!(aor.uri.scheme(), Scheme::Sip | Scheme::Sips) {
            return Err(Refusal::new(400).because("To Is Not a SIP URI"));
        }
        // Steps 3 to 5.
        let (user, credential) = self.authenticate_registration(now, connection, request)?;
        let change = read_change(request, &self.config)?;
        let malformed = |_| Refusal::new(400);
        let registration = Registration {
            user,
            credential,
            connection,
            call_id: request.call_id().map_err(malformed)?,
            cseq: request.cseq().map_err(malformed)?.number,
            wants_gruu: request.lists_token(HeaderName::Supported, "gruu"),
        };
        // Steps 6 and 7. Nothing is changed unless all can be.
        match change {
            Change::Nothing => {}
            Change::RemoveAll => self.remove_all(&registration)?,
            Change::Update(wishes) => self.update(now, &registration, wishes)?,
        }
        // Step 8.
        self.confirm_registration(now, transaction, request, &registration.user);
        self.watchers_reachable(now, &registration.user);
        Ok(())
    }

    fn authenticate_registration(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
    ) -> Result<(UserId, CredentialId), Refusal> {
        let (user, credential) = self.authenticate(now, connection, request)?;
        let aor = request.to().map_err(|_| Refusal::new(400))?;
        if !self.is_local(&aor.uri) {
            return Err(Refusal::new(404));
        }
        match self.users.resolve(&aor.uri.user_decoded()) {
            None => Err(Refusal::new(404)),
            Some(owner) if owner.id != user => Err(Refusal::new(403)),
            Some(_) => Ok((user, credential)),
        }
    }

    fn remove_all(&mut self, registration: &Registration<'_>) -> Result<(), Refusal> {
        let bindings: Vec<_> = self
            .location
            .of_user(&registration.user)
            .map(|(id, b)| (id, b.clone()))
            .collect();
        for (_, binding) in &bindings {
            check_order(registration, binding)?;
        }
        for (id, _) in bindings {
            self.unregister(id, UnregisteredCause::Request);
        }
        Ok(())
    }

    fn update(
        &mut self,
        now: Instant,
        registration: &Registration<'_>,
        wishes: Vec<Wish>,
    ) -> Result<(), Refusal> {
        let user = &registration.user;
        let mut steps: Vec<Step> = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let known = self.location.find(user, &wish.device, &wish.contact);
            if let Some((_, binding)) = known {
                check_order(registration, binding)?;
            }
            let id = known.map(|(id, _)| id);
            steps.push((wish, id));
        }
        let stay = self.bindings_that_stay(user, &steps);
        let added = steps
            .iter()
            .filter(|(wish, id)| id.is_none() && !wish.expires.is_zero())
            .count();
        self.make_room(
            now,
            registration,
            (stay + added).saturating_sub(self.config.limits.bindings_per_user),
            &steps,
        )?;
        for (wish, id) in steps {
            match (id, wish.expires.is_zero()) {
                (Some(id), true) => self.unregister(id, UnregisteredCause::Request),
                (None, true) => {}
                (id, false) => self.bind(now, registration, wish, id),
            }
        }
        Ok(())
    }

    fn bindings_that_stay(&self, user: &UserId, steps: &[Step]) -> usize {
        let removed = steps
            .iter()
            .filter(|(wish, id)| id.is_some() && wish.expires.is_zero())
            .count();
        self.location.count(user).saturating_sub(removed)
    }

    /// Lets go of as many unreachable devices as there are too many, the longest silent first.
    fn make_room(
        &mut self,
        now: Instant,
        registration: &Registration<'_>,
        excess: usize,
        steps: &[Step],
    ) -> Result<(), Refusal> {
        if excess == 0 {
            return Ok(());
        }
        let is_concerned = |id| steps.iter().any(|(_, known)| *known == Some(id));
        let mut dead: Vec<_> = self
            .location
            .of_user(&registration.user)
            .filter(|(id, binding)| binding.connection.is_none() && !is_concerned(*id))
            .map(|(id, binding)| (binding.updated_at, id))
            .collect();
        if dead.len() < excess {
            self.exceeded(now, registration.connection, Limit::Bindings);
            return Err(Refusal::new(403).because("Too Many Devices"));
        }
        dead.sort_unstable();
        for (_, id) in dead.into_iter().take(excess) {
            self.unregister(id, UnregisteredCause::Replaced);
        }
        Ok(())
    }

    fn bind(&mut self, now: Instant, registration: &Registration<'_>, wish: Wish, id: Option<BindingId>) {
        let old = id.and_then(|id| {
            self.location
                .of_user(&registration.user)
                .find(|(own, _)| *own == id)
        });
        let is_new = old.is_none_or(|(_, old)| old.connection != Some(registration.connection));
        let binding = Binding {
            user: registration.user.clone(),
            flow: old.map_or_else(|| self.flow_of(&registration.user, &wish), |(_, old)| old.flow),
            contact: wish.contact,
            name: wish.name,
            device: wish.device,
            params: wish.params,
            q: wish.q,
            call_id: registration.call_id.to_owned(),
            cseq: registration.cseq,
            expires_at: now + wish.expires,
            updated_at: now,
            connection: Some(registration.connection),
            credential: registration.credential,
            wants_gruu: registration.wants_gruu,
        };
        if let (true, Some(instance)) = (binding.wants_gruu, binding.device.instance()) {
            let fresh = self.rng.next_u64();
            self.location
                .number_instance(&binding.user, instance, &binding.call_id, fresh);
        }
        let (flow, expires_at) = (binding.flow, binding.expires_at);
        let id = match id {
            Some(id) => {
                self.location.replace(id, binding);
                id
            }
            None => self.location.insert(binding),
        };
        self.alarms.set(Alarm::Binding(id), expires_at);
        if is_new {
            let devices = self.location.count(&registration.user);
            let (user, connection) = (registration.user.clone(), registration.connection);
            self.report(Event::Registered {
                user,
                connection,
                devices,
            });
            self.flow_moved(flow, connection);
        }
    }

    fn flow_of(&self, user: &UserId, wish: &Wish) -> FlowId {
        match &wish.device {
            DeviceKey::Outbound { instance, reg_id } => {
                FlowId::of_device(&self.config.key, user, instance, *reg_id)
            }
            DeviceKey::Contact { .. } => FlowId::of_contact(&self.config.key, user, wish.contact.as_str()),
        }
    }

    /// Removes a binding and says so.
    pub(crate) fn unregister(&mut self, id: BindingId, cause: UnregisteredCause) {
        self.alarms.clear(Alarm::Binding(id));
        if let Some(Binding {
            user, flow, device, ..
        }) = self.location.remove(id)
        {
            let devices = self.location.count(&user);
            let is_same = |binding: &Binding| {
                device.instance().is_some() && binding.device.instance() == device.instance()
            };
            // A device may have several flows (RFC 5626 section 4.2).
            if !self.location.of_user(&user).any(|(_, binding)| is_same(binding)) {
                self.observe_loss(self.last_input_at, flow);
            }
            self.report(Event::Unregistered { user, cause, devices });
        }
    }

    fn confirm_registration(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Message,
        user: &UserId,
    ) {
        let mut response = self.response(request, 200);
        let contacts: Vec<_> = self
            .location
            .of_user(user)
            .map(|(_, binding)| binding.clone())
            .collect();
        let own = request.call_id().unwrap_or_default();
        for binding in &contacts {
            // Whoever knows how to wake a device can do so: its push resource is told to that device only (RFC 8599
            // section 13).
            let uri = match binding.call_id == own {
                true => binding.contact.as_str().to_owned(),
                false => without_push(binding.contact.as_str()),
            };
            let contact = self.contact_value(now, &uri, binding);
            response = response.header(HeaderName::Contact, contact);
        }
        let is_outbound = request.lists_token(HeaderName::Supported, "outbound")
            && request
                .contacts()
                .any(|c| c.is_ok_and(|c| c.address().is_some_and(|c| c.params.has("reg-id"))));
        if is_outbound {
            // RFC 5626 section 6: this tells the client that its reg-id was understood.
            response = response.header(HeaderName::Require, "outbound");
            response = response.header(HeaderName::FlowTimer, self.config.flow_timer.as_secs());
        }
        let response = response.header(HeaderName::Supported, "outbound, gruu").build();
        self.respond(now, transaction, response);
    }

    fn contact_value(&mut self, now: Instant, uri: &str, binding: &Binding) -> String {
        let left = binding.expires_at.saturating_since(now);
        // A remainder of a second still counts: the binding is there.
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let name = binding.name.as_ref();
        let name = name.map_or(String::new(), |name| format!("{} ", quote(name)));
        let mut value = format!("{name}<{uri}>{};expires={seconds}", binding.params);
        let number = binding
            .device
            .instance()
            .and_then(|i| self.location.instance_number(&binding.user, i));
        let (true, Some(instance), Some(number)) = (binding.wants_gruu, binding.device.instance(), number)
        else {
            return value;
        };
        let domain = &self.config.domain;
        if let Some(public) = gruu::public(&binding.user, domain, instance) {
            value.push_str(&format!(";pub-gruu={}", quote(&public)));
        }
        let temporary = gruu::temporary(&self.config.key, number, self.rng.next_u64(), domain);
        value.push_str(&format!(";temp-gruu={}", quote(&temporary)));
        value
    }
}

/// A contact without what only the device and its push service need to know.
fn without_push(uri: &str) -> String {
    let is_push = |param: &&str| {
        param
            .get(..3)
            .is_some_and(|name| name.eq_ignore_ascii_case("pn-"))
    };
    let mut parts = uri.split(';');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for param in parts.filter(|param| !is_push(param)) {
        kept.push(';');
        kept.push_str(param);
    }
    kept
}

/// Refuses a request that asks for an extension not in `supported` (RFC 3261 sections 8.2.2.3 and 16.3).
pub(crate) fn refuse_unsupported(
    request: &Message,
    header: HeaderName<'static>,
    supported: &[&str],
) -> Result<(), Refusal> {
    let is_unsupported = |tag: &&str| !supported.iter().any(|known| known.eq_ignore_ascii_case(tag));
    let unsupported: Vec<_> = request.header_list(header).filter(is_unsupported).collect();
    if unsupported.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(420).with(HeaderName::Unsupported, unsupported.join(", ")))
}

/// Section 10.3 step 7: a REGISTER that an older one of the same client was overtaken by must not undo it.
fn check_order(registration: &Registration<'_>, binding: &Binding) -> Result<(), Refusal> {
    if binding.call_id == registration.call_id && registration.cseq <= binding.cseq {
        return Err(Refusal::new(500).because("Registration Out of Order"));
    }
    Ok(())
}

fn read_change(request: &Message, config: &Config) -> Result<Change, Refusal> {
    let bad = |reason| Refusal::new(400).because(reason);
    let contacts: Vec<_> = request
        .contacts()
        .collect::<Result<_, _>>()
        .map_err(|_| bad("Bad Contact"))?;
    // Section 10.3 step 7: a malformed Expires is taken for the default.
    let expires = request.expires().ok().flatten();
    let mut wishes = Vec::with_capacity(contacts.len());
    for contact in &contacts {
        match contact {
            Contact::Star if contacts.len() == 1 && expires == Some(0) => return Ok(Change::RemoveAll),
            Contact::Star => return Err(bad("Contact Star With Other Contact or Expires")),
            Contact::Address(address) => wishes.push(read_wish(address, expires, config)?),
        }
    }
    // RFC 5626 section 6.
    let binds_flows = wishes
        .iter()
        .any(|w| matches!(w.device, DeviceKey::Outbound { .. }) && !w.expires.is_zero());
    if binds_flows && wishes.iter().filter(|w| !w.expires.is_zero()).count() > 1 {
        return Err(bad("Several Contacts With reg-id"));
    }
    if wishes.len() > config.limits.bindings_per_user {
        return Err(Refusal::new(403).because("Too Many Devices"));
    }
    Ok(if wishes.is_empty() {
        Change::Nothing
    } else {
        Change::Update(wishes)
    })
}

fn read_wish(address: &NameAddr<'_>, expires: Option<u32>, config: &Config) -> Result<Wish, Refusal> {
    let bad = |reason| Refusal::new(400).because(reason);
    if !matches!(address.uri.scheme(), Scheme::Sip | Scheme::Sips) {
        return Err(bad("Contact Is Not a SIP URI"));
    }
    let instance = address
        .params
        .text("+sip.instance")
        .map(|text| text.trim_matches(['<', '>']).to_owned());
    let reg_id = address
        .params
        .value("reg-id")
        .map(|text| text.parse().map_err(|_| bad("Bad reg-id")))
        .transpose()?;
    let device = match (instance, reg_id) {
        (Some(instance), Some(reg_id)) => DeviceKey::Outbound { instance, reg_id },
        (instance, _) => DeviceKey::Contact { instance },
    };
    let params = kept_params(address);
    let name = address.display_name.map(|name| name.decode().into_owned());
    let name_bytes = name.as_ref().map_or(0, String::len);
    if address.uri.as_str().len() + params.len() + name_bytes > config.limits.contact_bytes {
        return Err(bad("Contact Too Long"));
    }
    let q = address
        .params
        .value("q")
        .map_or(Some(1_000), parse_q)
        .ok_or_else(|| bad("Bad q"))?;
    let wanted = address
        .params
        .value("expires")
        .and_then(|text| text.parse().ok())
        .or(expires);
    Ok(Wish {
        contact: address.uri.to_owned(),
        name,
        device,
        params,
        q,
        expires: granted(wanted, config)?,
    })
}

/// Section 10.3 step 7: the lifetime of a binding.
fn granted(wanted: Option<u32>, config: &Config) -> Result<Duration, Refusal> {
    let Some(wanted) = wanted else {
        return Ok(config.default_expires);
    };
    let wanted = Duration::from_secs(wanted.into());
    if !wanted.is_zero() && wanted < config.min_expires {
        return Err(Refusal::new(423).with(HeaderName::MinExpires, config.min_expires.as_secs().to_string()));
    }
    Ok(wanted.min(config.max_expires))
}

/// The Contact parameters that are listed again in responses: all but those the registrar itself writes.
fn kept_params(address: &NameAddr<'_>) -> String {
    let is_kept = |name: &str| {
        !["expires", "pub-gruu", "temp-gruu"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    };
    address
        .params
        .iter()
        .filter(|(name, _)| is_kept(name))
        .fold(String::new(), |mut text, (name, value)| {
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
            text
        })
}

/// A q value (RFC 3261 section 25.1) in thousandths.
fn parse_q(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_values_are_thousandths() {
        for (text, q) in [
            ("1", 1_000),
            ("1.000", 1_000),
            ("0", 0),
            ("0.5", 500),
            ("0.05", 50),
            ("0.", 0),
        ] {
            assert_eq!(parse_q(text), Some(q), "{text}");
        }
        for text in ["1.1", "2", "-1", "0.1234", "", "0.x", ".5"] {
            assert_eq!(parse_q(text), None, "{text}");
        }
    }
}
