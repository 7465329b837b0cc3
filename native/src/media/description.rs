//! Session descriptions on their way into and out of the WebRTC engine, and what both sides have agreed on.
//!
//! The engine (`webrtc` 0.21) is spoken to in a dialect, because of what it does with some valid descriptions:
//! - it tells formats apart by name alone, so `telephone-event` at 48 kHz and at 8 kHz would swap their payload types:
//!   the one at 8 kHz has a name of its own inside;
//! - a remote `a=inactive` stops the transceiver for ever, and `a=sendonly` finds none: inside, audio is always
//!   `sendrecv`, and this backend enforces the direction itself;
//! - it refuses media sections without `a=mid`: they get one by position;
//! - it leaves the default address `0.0.0.0`, which older SIP systems read as hold: outside, it is the best candidate's
//!   (RFC 8839 section 4.2.1.2);
//! - it lists every candidate a second time for RTCP, which always shares the port here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use clearline_core::session_description::{CandidateKind, MediaDescription, SessionDescription};
use clearline_core::{Direction, MediaError, MediaErrorKind};

use super::codec::{Format, OpusParameters};

/// What SDP calls DTMF.
pub(crate) const TELEPHONE_EVENT: &str = "telephone-event";
/// What the engine calls DTMF at 8 kHz.
pub(crate) const TELEPHONE_EVENT_8K: &str = "telephone-event-8000";
/// Audio in a packet where the far end says nothing of it (RFC 7587 section 6.1).
const LONGEST_PACKET: Duration = Duration::from_millis(120);
const BUNDLE: &str = "a=group:BUNDLE";

/// Which of the two descriptions is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answerer {
    Local,
    Remote,
}

/// What an offer and its answer mean for the audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// How to send.
    pub(crate) send: Sending,
    /// What the far end may send, by payload type.
    pub(crate) receive: BTreeMap<u8, Receiving>,
    /// From this side's view.
    pub(crate) direction: Direction,
}

/// The format chosen for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) format: Format,
    pub(crate) payload_type: u8,
    /// Payload type of telephone events, if the far end takes them, at the rate of the audio if it has that.
    pub(crate) events: Option<u8>,
    /// Ticks of the event's clock per 20 ms.
    pub(crate) event_ticks: u32,
    /// What the far end wants of Opus, if that is the format.
    pub(crate) opus: OpusParameters,
    /// Audio that a packet may hold at most (RFC 8866 section 6.4, `maxptime`).
    pub(crate) longest_packet: Duration,
}

/// The meaning of a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiving {
    Audio(Format),
    Events,
}

/// Reads what `local` and `remote` agree on.
///
/// # Errors
/// When they have no audio format in common.
pub(crate) fn agree(local: &str, remote: &str, answerer: Answerer) -> Result<Agreement, MediaError> {
    let (local, remote) = (audio(local)?, audio(remote)?);
    let answer = match answerer {
        Answerer::Local => &local,
        Answerer::Remote => &remote,
    };
    let send = answer
        .codecs()
        .filter_map(|codec| Format::named(codec.name, codec.clock_rate))
        .find_map(|format| sending(format, &remote))
        .ok_or_else(|| rejected("no audio format in common"))?;
    let receive = local.codecs().filter_map(|codec| {
        let events = codec
            .name
            .eq_ignore_ascii_case(TELEPHONE_EVENT)
            .then_some(Receiving::Events);
        let audio = || Format::named(codec.name, codec.clock_rate).map(Receiving::Audio);
        Some((codec.payload_type, events.or_else(audio)?))
    });
    Ok(Agreement {
        send,
        receive: receive.collect(),
        direction: local.direction().and(remote.direction().reversed()),
    })
}

/// The direction the far end's offer leaves to this side.
///
/// # Errors
/// When the offer cannot be read or has no audio.
pub(crate) fn allowed_by(offer: &str) -> Result<Direction, MediaError> {
    Ok(audio(offer)?.direction().reversed())
}

/// What tells one far end (and one ICE generation) from another: fingerprint and ICE user name.
///
/// # Errors
/// When the description cannot be read or is not WebRTC's.
pub(crate) fn identity(description: &str) -> Result<(String, String), MediaError> {
    let audio = audio(description)?;
    let fingerprint = audio
        .fingerprint()
        .ok_or_else(|| rejected("no DTLS fingerprint: not a WebRTC peer"))?;
    let ufrag = audio
        .ice_ufrag()
        .ok_or_else(|| rejected("no ICE: not a WebRTC peer"))?;
    Ok((fingerprint.value.to_ascii_uppercase(), ufrag.to_owned()))
}

/// A remote description in the engine's dialect.
pub(crate) fn into_engine(description: &str) -> String {
    let mut output = String::with_capacity(description.len() + 64);
    for (index, section) in sections(description).enumerate() {
        let is_audio = section.starts_with("m=audio");
        let has_mid = mid(section).is_some();
        for line in section.lines() {
            let is_direction = line
                .strip_prefix("a=")
                .is_some_and(|name| is_direction(name.trim_end()));
            if is_direction && (index == 0 || is_audio) {
                continue;
            }
            push_line(&mut output, &rename(line, TELEPHONE_EVENT, TELEPHONE_EVENT_8K));
        }
        if index == 0 && !is_bundled(description) {
            push_line(&mut output, &format!("{BUNDLE} {}", audio_mid(description)));
        }
        if index > 0 && !has_mid {
            push_line(&mut output, &format!("a=mid:{}", index - 1));
        }
        if is_audio {
            push_line(&mut output, "a=sendrecv");
        }
    }
    output
}

/// Whether the far end knows of bundling. The engine refuses all media that is in no group.
pub(crate) fn is_bundled(description: &str) -> bool {
    description.lines().any(|line| line.starts_with(BUNDLE))
}

/// An answer must not bundle what the offer did not (RFC 8843 section 7.3).
pub(crate) fn without_bundle(answer: &str) -> String {
    let mut output = String::with_capacity(answer.len());
    for line in answer.lines().filter(|line| !line.starts_with(BUNDLE)) {
        push_line(&mut output, line);
    }
    output
}

/// A local description as the far end shall see it.
pub(crate) fn out_of_engine(description: &str) -> String {
    let default = default_candidate(description);
    let mut output = String::with_capacity(description.len() + 32);
    for (index, section) in sections(description).enumerate() {
        for line in section.lines().filter(|line| !is_for_rtcp(line)) {
            let line = rename(line, TELEPHONE_EVENT_8K, TELEPHONE_EVENT);
            match default.filter(|_| index == 1) {
                Some((address, port)) => push_line(&mut output, &with_default(&line, address, port)),
                None => push_line(&mut output, &line),
            }
        }
    }
    output
}

/// A description this side cannot use.
pub(crate) fn rejected(detail: impl Into<String>) -> MediaError {
    MediaError {
        kind: MediaErrorKind::DescriptionRejected,
        detail: detail.into(),
    }
}

fn audio(description: &str) -> Result<MediaDescription<'_>, MediaError> {
    SessionDescription::parse(description)
        .map_err(|error| rejected(error.to_string()))?
        .media()
        .find(|media| media.kind() == "audio" && !media.is_rejected())
        .ok_or_else(|| rejected("no audio"))
}

fn sending(format: Format, remote: &MediaDescription<'_>) -> Option<Sending> {
    let codec = remote
        .codecs()
        .find(|codec| Format::named(codec.name, codec.clock_rate) == Some(format))?;
    let events = || {
        remote
            .codecs()
            .filter(|codec| codec.name.eq_ignore_ascii_case(TELEPHONE_EVENT))
    };
    let event = events()
        .find(|event| event.clock_rate == format.clock_rate())
        .or_else(|| events().next());
    Some(Sending {
        format,
        payload_type: codec.payload_type,
        events: event.map(|event| event.payload_type),
        event_ticks: event.map_or(format.clock_rate(), |event| event.clock_rate) / 50,
        opus: remote
            .fmtp(codec.payload_type)
            .map(OpusParameters::read)
            .unwrap_or_default(),
        longest_packet: longest_packet(remote),
    })
}

fn longest_packet(remote: &MediaDescription<'_>) -> Duration {
    let milliseconds = remote
        .attribute("maxptime")
        .and_then(|value| value.trim().parse().ok());
    milliseconds.map_or(LONGEST_PACKET, Duration::from_millis)
}

/// The session part, then each media section.
fn sections(description: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(description.match_indices("\nm=").map(|(index, _)| index + 1))
        .chain(std::iter::once(description.len()))
        .collect();
    starts
        .windows(2)
        .map(|bounds| &description[bounds[0]..bounds[1]])
        .collect::<Vec<_>>()
        .into_iter()
}

fn mid(section: &str) -> Option<&str> {
    section
        .lines()
        .find_map(|line| line.strip_prefix("a=mid:"))
        .map(str::trim_end)
}

/// The name of the first audio section: its own, or the one [`into_engine`] gives it.
fn audio_mid(description: &str) -> String {
    sections(description)
        .enumerate()
        .find(|(_, section)| section.starts_with("m=audio"))
        .map(|(index, section)| mid(section).map_or_else(|| (index - 1).to_string(), str::to_owned))
        .unwrap_or_default()
}

fn push_line(output: &mut String, line: &str) {
    output.push_str(line.trim_end());
    output.push_str("\r\n");
}

fn is_for_rtcp(line: &str) -> bool {
    line.strip_prefix("a=candidate:")
        .is_some_and(|value| value.split(' ').nth(1) == Some("2"))
}

fn is_direction(name: &str) -> bool {
    matches!(name, "sendrecv" | "sendonly" | "recvonly" | "inactive")
}

fn rename(line: &str, from: &str, to: &str) -> String {
    let Some((head, encoding)) = line
        .strip_prefix("a=rtpmap:")
        .and_then(|value| value.split_once(' '))
    else {
        return line.to_owned();
    };
    match encoding.trim().split_once('/') {
        Some((name, rate)) if name.eq_ignore_ascii_case(from) && rate == "8000" => {
            format!("a=rtpmap:{head} {to}/{rate}")
        }
        _ => line.to_owned(),
    }
}

/// The most likely to work without ICE: a relay, else the highest priority, IPv4 before IPv6.
fn default_candidate(description: &str) -> Option<(IpAddr, u16)> {
    let parsed = SessionDescription::parse(description).ok()?;
    let media = parsed.media().next()?;
    media
        .candidates()
        .filter(|candidate| candidate.component == 1 && candidate.transport.eq_ignore_ascii_case("udp"))
        .filter_map(|candidate| Some((candidate.address.parse::<IpAddr>().ok()?, candidate)))
        .max_by_key(|(address, candidate)| {
            (
                candidate.kind == CandidateKind::Relay,
                address.is_ipv4(),
                candidate.priority,
            )
        })
        .map(|(address, candidate)| (address, candidate.port))
}

fn with_default(line: &str, address: IpAddr, port: u16) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    if line.starts_with("c=") {
        return format!("c=IN {family} {address}");
    }
    match line.strip_prefix("m=").and_then(|value| value.split_once(" 9 ")) {
        Some((kind, rest)) if !kind.contains(' ') => format!("m={kind} {port} {rest}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n\
        a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\na=mid:0\r\na=inactive\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:8 PCMA/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

    #[test]
    fn the_engine_never_sees_a_direction_or_two_events_of_one_name() {
        let inside = into_engine(BROWSER);
        assert!(!inside.contains("a=inactive") && inside.contains("a=sendrecv\r\n"));
        assert!(inside.contains("a=rtpmap:126 telephone-event-8000/8000\r\n"));
        assert!(inside.contains("a=rtpmap:110 telephone-event/48000\r\n"));
    }

    #[test]
    fn a_session_level_direction_and_a_missing_mid_are_replaced() {
        let plain = "v=0\nt=0 0\na=recvonly\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\nm=video 0 RTP/AVP 31\n";
        let inside = into_engine(plain);
        assert!(!inside.contains("recvonly"));
        let audio = inside.find("m=audio").unwrap();
        assert!(
            inside[audio..]
                .starts_with("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=sendrecv\r\nm=video")
        );
        assert!(inside.ends_with("a=mid:1\r\n"));
    }

    #[test]
    fn outside_the_default_address_is_the_best_candidate() {
        let local = "v=0\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 126\r\nc=IN IP4 0.0.0.0\r\n\
            a=rtpmap:126 telephone-event-8000/8000\r\n\
            a=candidate:1 1 udp 2130706431 fd00::2 5000 typ host\r\n\
            a=candidate:2 1 udp 2130706175 192.0.2.2 5002 typ host\r\n";
        let outside = out_of_engine(local);
        assert!(
            outside.contains("m=audio 5002 UDP/TLS/RTP/SAVPF 126\r\nc=IN IP4 192.0.2.2\r\n"),
            "{outside}"
        );
        assert!(outside.contains("a=rtpmap:126 telephone-event/8000\r\n"));
    }

    #[test]
    fn the_answers_order_and_the_far_ends_numbers_decide_how_to_send() {
        let answer = BROWSER
            .replace("a=inactive", "a=sendrecv")
            .replace("111 63 9 0 8 110 126", "0 96 101");
        let answer = answer
            .replace("a=rtpmap:111 opus", "a=rtpmap:96 opus")
            .replace("a=rtpmap:126", "a=rtpmap:101");
        let offer = BROWSER.replace("a=inactive", "a=sendonly");
        let agreement = agree(&offer, &answer, Answerer::Remote).unwrap();
        assert_eq!(agreement.send.format.name(), "PCMU");
        assert_eq!(
            (agreement.send.payload_type, agreement.send.events),
            (0, Some(101))
        );
        assert_eq!(agreement.direction, Direction::SendOnly);
        assert_eq!(agreement.receive[&111], Receiving::Audio(Format::Opus));
        assert_eq!(agreement.receive[&126], Receiving::Events);
        assert!(!agreement.receive.contains_key(&63));
    }

    #[test]
    fn events_run_at_the_rate_of_the_audio_where_possible() {
        let agreement = agree(BROWSER, BROWSER, Answerer::Remote).unwrap();
        assert_eq!(
            (agreement.send.events, agreement.send.event_ticks),
            (Some(110), 960)
        );
        let narrow = BROWSER
            .replace(" 110 ", " ")
            .replace("a=rtpmap:110 telephone-event/48000\r\n", "");
        let agreement = agree(&narrow, &narrow, Answerer::Remote).unwrap();
        assert_eq!(
            (agreement.send.events, agreement.send.event_ticks),
            (Some(126), 160)
        );
    }

    #[test]
    fn the_far_ends_wishes_are_read() {
        let agreement = agree(BROWSER, BROWSER, Answerer::Remote).unwrap();
        assert_eq!(agreement.send.opus, OpusParameters::default());
        assert_eq!(agreement.send.longest_packet, Duration::from_millis(120));
        let wishes = format!("{BROWSER}a=fmtp:111 minptime=10;useinbandfec=1\r\na=maxptime:40\r\n");
        let agreement = agree(BROWSER, &wishes, Answerer::Remote).unwrap();
        assert!(agreement.send.opus.redundancy);
        assert_eq!(agreement.send.longest_packet, Duration::from_millis(40));
    }

    #[test]
    fn what_cannot_be_used_is_rejected_with_a_reason() {
        let nothing = BROWSER
            .replace("111 63 9 0 8 110 126", "63")
            .replace("opus", "other");
        for (description, reason) in [("nonsense", ""), ("v=0\r\n", "no audio"), (&nothing, "in common")] {
            let error = agree(BROWSER, description, Answerer::Remote).unwrap_err();
            assert_eq!(error.kind, MediaErrorKind::DescriptionRejected);
            assert!(error.detail.contains(reason), "{}", error.detail);
        }
        assert!(identity(&BROWSER.replace("fingerprint", "x")).is_err());
    }
}
