//! Everything the core may ask a session description.

use clearline_core::session_description::{MediaDescription, SessionDescription};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(description) = SessionDescription::parse(text) else {
        return;
    };
    let _ = (
        description.origin(),
        description.session_name(),
        description.is_ice_lite(),
    );
    let _ = description.group("BUNDLE").map(Iterator::count);
    // Work is linear in the text for each question: more sections would only make the fuzzer slow.
    description.media().take(32).for_each(|media| ask(&media));
    let _ = format!("{description:?}");
    assert!(description.media().count() <= text.len());
}

fn ask(media: &MediaDescription<'_>) {
    let _ = (
        media.kind(),
        media.port(),
        media.protocol(),
        media.is_rejected(),
        media.direction(),
    );
    let _ = (
        media.formats().count(),
        media.rtcp_mux(),
        media.mid(),
        media.connection_address(),
    );
    for codec in media.codecs().take(64) {
        let _ = (media.fmtp(codec.payload_type), format!("{codec:?}"));
    }
    let _ = (
        media.fingerprint(),
        media.setup(),
        media.ice_ufrag(),
        media.ice_pwd(),
    );
    let _ = (
        media.ice_options().count(),
        media.supports_trickle(),
        media.is_end_of_candidates(),
    );
    let _ = media.candidates().filter(|candidate| candidate.is_mdns()).count();
    let _ = (
        media.crypto().count(),
        media.attribute("ptime"),
        media.attributes("rtcp-fb").count(),
    );
}
