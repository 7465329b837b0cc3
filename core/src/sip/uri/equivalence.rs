//! When two URIs mean the same: RFC 3261 19.1.4, RFC 3966 4.

use std::collections::BTreeMap;

use super::{Params, Scheme, Uri, is_unreserved};
use crate::sip::text::escaped_byte;

pub(super) fn equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    match (a.scheme(), b.scheme()) {
        (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => sip_equivalent(a, b),
        (Scheme::Tel, Scheme::Tel) => tel_equivalent(a, b),
        (Scheme::Other(x), Scheme::Other(y)) => x.eq_ignore_ascii_case(y) && a.opaque() == b.opaque(),
        _ => false,
    }
}

fn sip_equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    same_text(a.user(), b.user(), Case::Sensitive)
        && same_text(a.password(), b.password(), Case::Sensitive)
        && same_host(a, b)
        && a.port() == b.port()
        && same_sip_params(a.params(), b.params())
        && same_headers(a.headers(), b.headers())
}

fn same_host(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    match (a.host_ip(), b.host_ip()) {
        // Addresses compare as addresses, whatever their spelling (RFC 5954 4.2).
        (Some(a), Some(b)) => a == b,
        (None, None) => same_text(a.host(), b.host(), Case::Ignored),
        _ => false,
    }
}

/// A parameter on both sides must agree; one on a single side is ignored, except for these.
const NEVER_ON_ONE_SIDE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

fn same_sip_params(a: Params<'_>, b: Params<'_>) -> bool {
    let (a, b) = (param_map(a), param_map(b));
    let covers = |one: &ParamMap<'_>, other: &ParamMap<'_>| {
        one.iter().all(|(name, value)| match other.get(name) {
            Some(other) => same_text(*value, *other, Case::Ignored),
            None => !NEVER_ON_ONE_SIDE.contains(&name.as_str()),
        })
    };
    covers(&a, &b) && covers(&b, &a)
}

fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    let a: BTreeMap<_, _> = headers(a.unwrap_or_default()).collect();
    let b: BTreeMap<_, _> = headers(b.unwrap_or_default()).collect();
    a == b
}

/// Name (case-folded) and value, both with unneeded escapes resolved.
fn headers(text: &str) -> impl Iterator<Item = (Vec<Unit>, Vec<Unit>)> {
    text.split('&').filter(|header| !header.is_empty()).map(|header| {
        let (name, value) = header.split_once('=').unwrap_or((header, ""));
        (
            units(name, Case::Ignored).collect(),
            units(value, Case::Sensitive).collect(),
        )
    })
}

fn tel_equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let digits = |uri: &Uri<'_>| -> String {
        let number = uri.user().unwrap_or_default();
        number
            .chars()
            .filter(|c| !matches!(c, '-' | '.' | '(' | ')'))
            .map(|c| c.to_ascii_lowercase())
            .collect()
    };
    let (a_params, b_params) = (param_map(a.params()), param_map(b.params()));
    digits(a) == digits(b)
        && a_params.len() == b_params.len()
        && a_params.iter().all(|(name, value)| {
            b_params
                .get(name)
                .is_some_and(|other| same_text(*value, *other, Case::Ignored))
        })
}

type ParamMap<'a> = BTreeMap<String, Option<&'a str>>;

fn param_map(params: Params<'_>) -> ParamMap<'_> {
    let mut map = BTreeMap::new();
    for (name, value) in params.iter() {
        map.entry(name.to_ascii_lowercase()).or_insert(value);
    }
    map
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Sensitive,
    Ignored,
}

fn same_text(a: Option<&str>, b: Option<&str>, case: Case) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => units(a, case).eq(units(b, case)),
        (None, None) => true,
        _ => false,
    }
}

/// A character, and whether it must stay escaped: an escaped reserved character differs from a bare one.
type Unit = (u8, bool);

fn units(text: &str, case: Case) -> impl Iterator<Item = Unit> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *bytes.get(at)?;
        let (byte, escaped) = match escaped_byte(&bytes[at..]) {
            Some(decoded) => {
                at += 3;
                (decoded, !is_unreserved(decoded))
            }
            None => {
                at += 1;
                (byte, false)
            }
        };
        Some((
            if case == Case::Ignored {
                byte.to_ascii_lowercase()
            } else {
                byte
            },
            escaped,
        ))
    })
}
