#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// As Chromium offers, shortened.
const BROWSER: &str = "v=0\r
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
a=extmap-allow-mixed\r
m=audio 49170 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r
c=IN IP4 203.0.113.7\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=candidate:1467250027 1 udp 2122260223 192.0.2.11 46243 typ host generation 0 network-id 1\r
a=candidate:842163049 1 udp 1677729535 203.0.113.7 46243 typ srflx raddr 192.0.2.11 rport 46243 generation 0\r
a=candidate:1 1 tcp 1518280447 4a2b3c4d-0000.local 9 typ host tcptype active\r
a=candidate:nonsense\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=ice-options:trickle renomination\r
a=fingerprint:sha-256 D1:2C:BE:AD\r
a=setup:actpass\r
a=mid:0\r
a=sendrecv\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=rtpmap:63 red/48000/2\r
a=rtpmap:110 telephone-event/48000\r
a=rtpmap:126 telephone-event/8000\r
m=video 0 UDP/TLS/RTP/SAVPF 96\r
a=rtpmap:96 VP8/90000\r
a=mid:1\r
a=bundle-only\r
a=inactive\r
";

fn media(text: &str) -> MediaDescription<'_> {
    SessionDescription::parse(text).unwrap().media().next().unwrap()
}

/// A description with one audio section made of `lines`.
fn with_lines(session: &str, section: &str) -> String {
    format!("v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n{session}t=0 0\nm=audio 5004 RTP/AVP 0 8\n{section}")
}

#[test]
fn a_browsers_offer_is_read_whole() {
    let description = SessionDescription::parse(BROWSER).unwrap();
    let origin = description.origin().unwrap();
    assert_eq!((origin.session_id, origin.version), ("4611731400430051336", "2"));
    assert_eq!(
        description.group("bundle").unwrap().collect::<Vec<_>>(),
        ["0", "1"]
    );
    assert!(!description.is_ice_lite());

    let [audio, video] = description.media().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        (audio.kind(), audio.port(), audio.protocol()),
        ("audio", 49170, "UDP/TLS/RTP/SAVPF")
    );
    assert_eq!(audio.direction(), Direction::SendRecv);
    assert_eq!(audio.connection_address(), Some("203.0.113.7"));
    assert_eq!(
        (audio.ice_ufrag(), audio.ice_pwd()),
        (Some("EsAw"), Some("P2uYro0UCOQ4zxjKXaWCBui1"))
    );
    assert_eq!(
        audio.fingerprint(),
        Some(Fingerprint {
            algorithm: "sha-256",
            value: "D1:2C:BE:AD"
        })
    );
    assert_eq!((audio.setup(), audio.mid()), (Some(Setup::ActPass), Some("0")));
    assert!(audio.rtcp_mux() && audio.supports_trickle() && !audio.is_rejected());

    assert_eq!((video.kind(), video.direction()), ("video", Direction::Inactive));
    assert!(!video.is_rejected(), "bundle-only");
}

#[test]
fn codecs_come_in_order_of_preference() {
    let audio = media(BROWSER);
    let names: Vec<_> = audio
        .codecs()
        .map(|codec| (codec.payload_type, codec.name, codec.clock_rate))
        .collect();
    assert_eq!(
        names,
        [
            (111, "opus", 48_000),
            (63, "red", 48_000),
            (9, "G722", 8_000),
            (0, "PCMU", 8_000),
            (8, "PCMA", 8_000),
            (13, "CN", 8_000),
            (110, "telephone-event", 48_000),
            (126, "telephone-event", 8_000),
        ]
    );
    assert_eq!(audio.codecs().next().unwrap().channels, 2);
    assert_eq!(audio.fmtp(111), Some("minptime=10;useinbandfec=1"));
    assert_eq!(audio.fmtp(0), None);
}

#[test]
fn candidates_are_read_and_malformed_ones_left_out() {
    let candidates: Vec<_> = media(BROWSER).candidates().collect();
    let kinds: Vec<_> = candidates.iter().map(|candidate| candidate.kind).collect();
    assert_eq!(
        kinds,
        [
            CandidateKind::Host,
            CandidateKind::ServerReflexive,
            CandidateKind::Host
        ]
    );
    assert_eq!(
        (candidates[0].address, candidates[0].port, candidates[0].priority),
        ("192.0.2.11", 46243, 2122260223)
    );
    assert_eq!(
        (candidates[1].related_address, candidates[1].related_port),
        (Some("192.0.2.11"), Some(46243))
    );
    assert_eq!(candidates[2].tcp_type, Some("active"));
    assert!(candidates[2].is_mdns() && !candidates[0].is_mdns());
}

#[test]
fn direction_is_the_sections_else_the_sessions_else_both_ways() {
    assert_eq!(media(&with_lines("", "")).direction(), Direction::SendRecv);
    assert_eq!(
        media(&with_lines("a=sendonly\n", "")).direction(),
        Direction::SendOnly
    );
    assert_eq!(
        media(&with_lines("a=sendonly\n", "a=recvonly\n")).direction(),
        Direction::RecvOnly
    );
}

#[test]
fn the_null_address_is_a_hold_except_with_ice() {
    assert_eq!(
        media(&with_lines("c=IN IP4 0.0.0.0\n", "")).direction(),
        Direction::SendOnly
    );
    assert_eq!(
        media(&with_lines("", "c=IN IP4 0.0.0.0\na=recvonly\n")).direction(),
        Direction::Inactive
    );
    assert_eq!(
        media(&with_lines("", "c=IN IP4 0.0.0.0\na=ice-ufrag:x\n")).direction(),
        Direction::SendRecv
    );
}

#[test]
fn attributes_of_the_session_hold_for_its_sections() {
    let text = with_lines(
        "c=IN IP6 2001:db8::1\na=setup:passive\na=fingerprint:sha-1 AB:CD\na=ice-lite\n",
        "",
    );
    let audio = media(&text);
    assert_eq!(audio.connection_address(), Some("2001:db8::1"));
    assert_eq!(
        (audio.setup(), audio.fingerprint().unwrap().algorithm),
        (Some(Setup::Passive), "sha-1")
    );
    assert!(SessionDescription::parse(&text).unwrap().is_ice_lite());
    assert_eq!(audio.mid(), None);
}

#[test]
fn keys_in_the_description_are_read_and_never_shown() {
    let text = with_lines(
        "",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20 FEC_ORDER=SRTP_FEC\na=crypto:x\n",
    );
    let keys: Vec<_> = media(&text).crypto().collect();
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].tag, keys[0].suite), (1, "AES_CM_128_HMAC_SHA1_80"));
    assert_eq!(
        (keys[0].key_params, keys[0].session_params),
        ("inline:c2VjcmV0|2^20", "FEC_ORDER=SRTP_FEC")
    );
    assert!(!format!("{keys:?}").contains("c2VjcmV0"));
    assert!(!format!("{:?}", SessionDescription::parse(BROWSER)).contains("P2uYro"));
}

#[test]
fn a_refused_section_has_port_zero() {
    let refused = with_lines("", "").replace("5004", "0");
    assert!(media(&refused).is_rejected());
}

#[test]
fn malformed_descriptions_are_refused() {
    use SessionDescriptionError as Error;
    let error = |text: &str| SessionDescription::parse(text).unwrap_err();
    assert_eq!(error(""), Error::Version);
    assert_eq!(error("\r\n"), Error::Version);
    assert_eq!(error("v=1\r\n"), Error::Version);
    assert_eq!(error("o=- 1 1 IN IP4 h\r\nv=0\r\n"), Error::Version);
    assert_eq!(error("v=0\r\njunk\r\n"), Error::Line(2));
    assert_eq!(error("v=0\r\nm =audio 1 RTP/AVP 0\r\n"), Error::Line(2));
    assert_eq!(error("v=0\r\nm=audio\r\n"), Error::Media(2));
    assert_eq!(error("v=0\r\nm=audio x RTP/AVP 0\r\n"), Error::Media(2));
    assert_eq!(error("v=0\r\nm=audio 65536 RTP/AVP 0\r\n"), Error::Media(2));
    assert_eq!(error("v=0\r\nm=audio 1\r\n"), Error::Media(2));
}

#[test]
fn odd_but_readable_descriptions_are_read() {
    assert_eq!(SessionDescription::parse("v=0").unwrap().media().count(), 0);
    assert!(SessionDescription::parse("v=0").unwrap().origin().is_none());
    let audio = media("v=0\n\nm=audio 5004/2 RTP/AVP 0 0 8 200 x\nz=\n");
    assert_eq!(audio.port(), 5004);
    assert_eq!(
        audio.codecs().count(),
        2,
        "repeated, impossible and strange formats yield nothing"
    );
    assert!(
        media("v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\n")
            .codecs()
            .next()
            .is_none()
    );
    assert_eq!(media("v=0\nm=text 9 TCP\n").formats().count(), 0);
}
