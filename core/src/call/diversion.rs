//! Who sent a call on before it came here: Diversion (RFC 5806) and History-Info (RFC 7044).

use super::identity::{bounded, identity};
use super::{HeaderName, Message, NameAddr};
use crate::event::{Diversion, DiversionReason, Identity};
use crate::sip::Reason;

/// Diversions that are shown; the first and the last ones say what a user wants to know.
const MAX_DIVERSIONS: usize = 8;
/// History entries that are read.
const MAX_ENTRIES: usize = 32;

/// The diversions of `invite`, the last one first. Diversion says it in so many words; History-Info is asked where it
/// is absent.
pub(super) fn diversions(invite: &Message) -> Vec<Diversion> {
    let told: Vec<_> = invite
        .addresses(HeaderName::Diversion)
        .take(MAX_DIVERSIONS)
        .flatten()
        .map(|address| diversion(&address))
        .collect();
    if told.is_empty() { history(invite) } else { told }
}

/// One value of Diversion (RFC 5806 section 5).
fn diversion(address: &NameAddr<'_>) -> Diversion {
    let reason = address.params.text("reason").unwrap_or_default();
    let privacy = address.params.text("privacy").unwrap_or_default();
    let party = identity(address);
    Diversion {
        party: match privacy.to_ascii_lowercase().as_str() {
            "full" => Identity::default(),
            "name" => Identity {
                display_name: String::new(),
                ..party
            },
            "uri" => Identity {
                display_name: party.display_name,
                ..Identity::default()
            },
            _ => party,
        },
        reason: reason_of_token(&reason),
    }
}

/// One entry of History-Info.
struct Entry<'a> {
    index: &'a str,
    address: NameAddr<'a>,
    /// Why the request was sent on *to* this entry: the URI's cause (RFC 4458), and `mp` or `rc`, which name the entry
    /// it was sent on from (RFC 7044 section 5).
    from_index: Option<&'a str>,
    cause: Option<u16>,
}

fn history(invite: &Message) -> Vec<Diversion> {
    let entries: Vec<_> = invite
        .addresses(HeaderName::HistoryInfo)
        .take(MAX_ENTRIES)
        .flatten()
        .map(entry)
        .collect();
    let mut found: Vec<(usize, DiversionReason)> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(cause) = own_cause(&entry.address) {
            note(&mut found, at, reason_of_cause(cause));
        }
        let from = match (entry.from_index, entry.cause) {
            (Some(index), _) => entries.iter().position(|other| other.index == index),
            (None, Some(_)) => at.checked_sub(1),
            (None, None) => None,
        };
        if let Some(from) = from.filter(|from| *from != at) {
            let reason = entry.cause.map_or(DiversionReason::Unknown, reason_of_cause);
            note(&mut found, from, reason);
        }
    }
    let last_first = found.iter().rev().take(MAX_DIVERSIONS);
    let shown = last_first.filter_map(|(at, reason)| {
        Some(Diversion {
            party: party(&entries.get(*at)?.address),
            reason: *reason,
        })
    });
    shown.collect()
}

/// Each entry was left once, for the reason that says most.
fn note(found: &mut Vec<(usize, DiversionReason)>, at: usize, reason: DiversionReason) {
    match found.iter_mut().find(|(known, _)| *known == at) {
        Some((_, known)) if *known == DiversionReason::Unknown => *known = reason,
        Some(_) => {}
        None => found.push((at, reason)),
    }
}

fn entry(address: NameAddr<'_>) -> Entry<'_> {
    let cause = address.uri.params().value("cause");
    Entry {
        index: address.params.value("index").unwrap_or_default(),
        from_index: address.params.value("mp").or_else(|| address.params.value("rc")),
        cause: cause.and_then(|cause| cause.parse().ok()),
        address,
    }
}

/// Why the request was sent on *from* this entry: a Reason among the URI's headers (RFC 7044 section 5.1).
fn own_cause(address: &NameAddr<'_>) -> Option<u16> {
    let value = uri_header(address, "Reason")?;
    let reason = Reason::parse(&value).ok()?;
    reason
        .protocol
        .eq_ignore_ascii_case("SIP")
        .then(|| reason.cause())
        .flatten()
}

fn party(address: &NameAddr<'_>) -> Identity {
    if uri_header(address, "Privacy").is_some() {
        return Identity::default();
    }
    let mut party = identity(address);
    // The headers are about the entry, not part of whom it names.
    party.uri = bounded(address.uri.without_headers().as_str());
    party
}

fn uri_header(address: &NameAddr<'_>, name: &str) -> Option<String> {
    let headers = address.uri.headers()?;
    let value = headers
        .split('&')
        .filter_map(|header| header.split_once('='))
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    value.map(|(_, value)| crate::sip::percent_decode(value).into_owned())
}

/// The tokens of RFC 5806 section 5.
fn reason_of_token(token: &str) -> DiversionReason {
    match token.to_ascii_lowercase().as_str() {
        "user-busy" => DiversionReason::UserBusy,
        "no-answer" => DiversionReason::NoAnswer,
        "unavailable" => DiversionReason::Unavailable,
        "unconditional" => DiversionReason::Unconditional,
        "time-of-day" => DiversionReason::TimeOfDay,
        "do-not-disturb" => DiversionReason::DoNotDisturb,
        "deflection" => DiversionReason::Deflection,
        "follow-me" => DiversionReason::FollowMe,
        "out-of-service" => DiversionReason::OutOfService,
        "away" => DiversionReason::Away,
        _ => DiversionReason::Unknown,
    }
}

/// The causes of RFC 4458 section 2, as RFC 7544 section 6 sets them beside the tokens.
fn reason_of_cause(cause: u16) -> DiversionReason {
    match cause {
        302 => DiversionReason::Unconditional,
        486 | 600 => DiversionReason::UserBusy,
        408 => DiversionReason::NoAnswer,
        480 | 487 => DiversionReason::Deflection,
        503 => DiversionReason::Unavailable,
        _ => DiversionReason::Unknown,
    }
}
