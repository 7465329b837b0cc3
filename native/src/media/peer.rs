//! One WebRTC peer connection with one audio track.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clearline_core::media::ReceptionReport;
use clearline_core::{Direction, MediaError, MediaErrorKind, MediaTransport, Secret};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal as _;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceCandidateType, RTCIceGatheringState, RTCIceServer, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngine, SettingEngineBuilder,
    configure_rtcp_reports,
};
use webrtc::rtp_transceiver::RtpTransceiver;

use super::codec::Format;
use super::description::{
    TELEPHONE_EVENT, TELEPHONE_EVENT_8K, into_engine, is_bundled, out_of_engine, rejected, without_bundle,
};
use super::reports::ReportReader;

/// Time between connectivity checks. The library's default of 200 ms is what a call would wait for.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);
/// Checks per pair before it counts as failed: ten seconds of them.
const MAX_CHECKS: u16 = 400;
/// How long other kinds of candidates leave the first turn to direct ones.
const REFLEXIVE_WAIT: Duration = Duration::from_millis(100);
const RELAY_WAIT: Duration = Duration::from_millis(250);
/// How long a description waits for candidates: without, and with a TURN server.
const GATHERING_BUDGET: Duration = Duration::from_millis(200);
const RELAY_BUDGET: Duration = Duration::from_millis(1_500);
/// Where reports are read: sender reports are made further in.
const NEXT_TO_THE_WIRE: Slot = Slot::Custom(500);
/// Received packets that may wait for the audio loop; more than two seconds of them are stale anyway.
const RECEIVE_QUEUE: usize = 128;

/// A STUN or TURN server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:` URLs.
    pub urls: Vec<String>,
    /// User name for TURN.
    pub username: String,
    /// Password for TURN.
    pub credential: Secret,
}

impl IceServer {
    fn has_relay(&self) -> bool {
        self.urls.iter().any(|url| url.starts_with("turn"))
    }
}

/// What every connection of a backend has in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerConfig {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Local addresses to use; empty means those of all interfaces but loopback, or loopback if there are no others.
    pub(crate) addresses: Vec<IpAddr>,
}

/// Something the connection has seen.
pub(crate) enum PeerEvent {
    Transport(MediaTransport),
    Track(Arc<dyn TrackRemote>),
}

/// A peer connection. Dropping it without [`close`](Self::close) leaves the closing to a background task.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    transceiver: Arc<dyn RtpTransceiver>,
    track: Arc<TrackLocalStaticRTP>,
    gathering: watch::Receiver<Gathering>,
    gathering_budget: Duration,
    awaits_relay: bool,
    /// Candidates have been waited for in this ICE generation.
    gathered: bool,
}

/// How far the search for candidates has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gathering {
    complete: bool,
    relay: bool,
}

impl Peer {
    pub(crate) async fn new(
        config: &PeerConfig,
        ssrc: u32,
        reports: mpsc::Sender<ReceptionReport>,
        events: mpsc::UnboundedSender<PeerEvent>,
    ) -> Result<Self, MediaError> {
        let (gathering_sender, gathering) = watch::channel(Gathering::default());
        let handler = Arc::new(Handler {
            events,
            gathering: gathering_sender,
        });
        let reader = || ReportReader::new(ssrc, reports.clone());
        let connection = connect(config, reader, handler).await?;
        let track = Arc::new(TrackLocalStaticRTP::new(local_track(ssrc)));
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendrecv,
            ..Default::default()
        };
        let transceiver = connection
            .add_transceiver_from_track(Arc::clone(&track) as Arc<_>, Some(init))
            .await
            .map_err(failed)?;
        // Without this only the track's own codec is offered.
        transceiver
            .set_codec_preferences(codecs())
            .await
            .map_err(failed)?;
        let awaits_relay = config.ice_servers.iter().any(IceServer::has_relay);
        let gathering_budget = if awaits_relay {
            RELAY_BUDGET
        } else {
            GATHERING_BUDGET
        };
        Ok(Self {
            connection,
            transceiver,
            track,
            gathering,
            gathering_budget,
            awaits_relay,
            gathered: false,
        })
    }

    /// Makes an offer and sets it locally.
    pub(crate) async fn offer(
        &mut self,
        direction: Direction,
        ice_restart: bool,
    ) -> Result<String, MediaError> {
        self.transceiver
            .set_direction(engine_direction(direction))
            .await
            .map_err(failed)?;
        let options = RTCOfferOptions { ice_restart };
        let offer = self
            .connection
            .create_offer(Some(options))
            .await
            .map_err(failed)?;
        self.gathered &= !ice_restart;
        self.connection
            .set_local_description(offer)
            .await
            .map_err(failed)?;
        self.local_description().await
    }

    /// Applies `offer`, makes an answer and sets it locally. If that fails the offer is taken back.
    pub(crate) async fn answer(&mut self, offer: &str, direction: Direction) -> Result<String, MediaError> {
        let bundled = is_bundled(offer);
        let offer = RTCSessionDescription::offer(into_engine(offer)).map_err(unusable)?;
        let result = self.try_answer(offer, direction).await;
        if result.is_err() {
            // The engine may have got as far as "have remote offer"; if not, there is nothing to take back.
            if let Ok(rollback) = RTCSessionDescription::rollback(None) {
                let _ = self.connection.set_remote_description(rollback).await;
            }
        }
        result.map(|answer| match bundled {
            true => answer,
            false => without_bundle(&answer),
        })
    }

    /// Applies the answer to the last offer.
    pub(crate) async fn apply_answer(&mut self, answer: &str) -> Result<(), MediaError> {
        let answer = RTCSessionDescription::answer(into_engine(answer)).map_err(unusable)?;
        self.connection
            .set_remote_description(answer)
            .await
            .map_err(unusable)
    }

    /// Takes back the last offer.
    pub(crate) async fn rollback(&mut self) -> Result<(), MediaError> {
        let rollback = RTCSessionDescription::rollback(None).map_err(failed)?;
        self.connection
            .set_local_description(rollback)
            .await
            .map_err(failed)
    }

    /// The track to send on.
    pub(crate) fn sender(&self) -> RtpSender {
        RtpSender(Arc::clone(&self.track))
    }

    /// Closes the connection and its sockets.
    pub(crate) async fn close(self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing a peer connection");
        }
    }

    async fn try_answer(
        &mut self,
        offer: RTCSessionDescription,
        direction: Direction,
    ) -> Result<String, MediaError> {
        self.connection
            .set_remote_description(offer)
            .await
            .map_err(unusable)?;
        self.transceiver
            .set_direction(engine_direction(direction))
            .await
            .map_err(failed)?;
        let answer = self.connection.create_answer(None).await.map_err(unusable)?;
        self.connection
            .set_local_description(answer)
            .await
            .map_err(failed)?;
        self.local_description().await
    }

    async fn local_description(&mut self) -> Result<String, MediaError> {
        if !self.gathered {
            let awaits_relay = self.awaits_relay;
            let enough = |gathering: &Gathering| gathering.complete || (awaits_relay && gathering.relay);
            // Running out of time is no error: the description goes out with what has been found.
            let _ = tokio::time::timeout(self.gathering_budget, self.gathering.wait_for(enough)).await;
            self.gathered = true;
        }
        let description = self.connection.local_description().await;
        description
            .map(|description| out_of_engine(&description.sdp))
            .ok_or_else(|| failed("no local description"))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peer")
    }
}

/// Sends RTP packets on a connection.
#[derive(Clone)]
pub(crate) struct RtpSender(Arc<TrackLocalStaticRTP>);

impl RtpSender {
    /// Sends a packet; false when the connection is gone.
    pub(crate) async fn send(&self, packet: rtc::rtp::Packet) -> bool {
        self.0.write_rtp(packet).await.is_ok()
    }
}

/// Forwards the packets of a remote track until it ends or nobody takes them any more. A full queue drops packets: late
/// audio is worth nothing.
pub(crate) fn spawn_receiver(track: Arc<dyn TrackRemote>, packets: mpsc::Sender<rtc::rtp::Packet>) {
    tokio::spawn(async move {
        while let Some(event) = track.poll().await {
            if let TrackRemoteEvent::OnRtpPacket(packet) = event
                && let Err(mpsc::error::TrySendError::Closed(_)) = packets.try_send(packet)
            {
                return;
            }
        }
    });
}

/// The queue for [`spawn_receiver`].
pub(crate) fn receive_queue() -> (mpsc::Sender<rtc::rtp::Packet>, mpsc::Receiver<rtc::rtp::Packet>) {
    mpsc::channel(RECEIVE_QUEUE)
}

struct Handler {
    events: mpsc::UnboundedSender<PeerEvent>,
    gathering: watch::Sender<Gathering>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if event.candidate.typ == RTCIceCandidateType::Relay {
            self.gathering.send_modify(|gathering| gathering.relay = true);
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        let complete = state == RTCIceGatheringState::Complete;
        self.gathering.send_modify(|gathering| {
            gathering.complete = complete;
            gathering.relay &= complete;
        });
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::New => MediaTransport::New,
            RTCPeerConnectionState::Connecting => MediaTransport::Connecting,
            RTCPeerConnectionState::Connected => MediaTransport::Connected,
            RTCPeerConnectionState::Disconnected => MediaTransport::Disconnected,
            RTCPeerConnectionState::Failed => MediaTransport::Failed,
            RTCPeerConnectionState::Unspecified | RTCPeerConnectionState::Closed | _ => return,
        };
        // A session that is gone needs no news.
        let _ = self.events.send(PeerEvent::Transport(state));
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.events.send(PeerEvent::Track(track));
    }
}

/// Multicast DNS resolves the `.local` candidates of browsers. Where the machine cannot do multicast the connection does
/// without: the browser's own checks then reveal its address (peer-reflexive candidates, RFC 8445 section 7.3.1.3).
async fn connect(
    config: &PeerConfig,
    reader: impl Fn() -> ReportReader,
    handler: Arc<Handler>,
) -> Result<Arc<dyn PeerConnection>, MediaError> {
    match build(
        config,
        reader(),
        Arc::clone(&handler),
        MulticastDnsMode::QueryOnly,
    )
    .await
    {
        Ok(connection) => Ok(connection),
        Err(error) => {
            tracing::debug!(error = error.detail, "no multicast DNS");
            build(config, reader(), handler, MulticastDnsMode::Disabled).await
        }
    }
}

async fn build(
    config: &PeerConfig,
    reader: ReportReader,
    handler: Arc<Handler>,
    mdns: MulticastDnsMode,
) -> Result<Arc<dyn PeerConnection>, MediaError> {
    let addresses = local_addresses(config);
    let servers = config.ice_servers.iter().map(|server| RTCIceServer {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.expose().to_owned(),
    });
    let connection = PeerConnectionBuilder::new()
        .with_configuration(
            RTCConfigurationBuilder::default()
                .with_ice_servers(servers.collect())
                .build(),
        )
        .with_media_engine(media_engine()?)
        .with_setting_engine(settings(
            mdns,
            addresses.iter().all(|address| address.ip().is_loopback()),
        ))
        .with_interceptor_registry(configure_rtcp_reports(Registry::new()).with(NEXT_TO_THE_WIRE, reader))
        .with_handler(handler)
        .with_udp_addrs(addresses)
        .build()
        .await
        .map_err(failed)?;
    Ok(Arc::new(connection))
}

fn settings(mdns: MulticastDnsMode, loopback: bool) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(REFLEXIVE_WAIT))
        .with_relay_acceptance_min_wait(Some(RELAY_WAIT))
        .with_include_loopback_candidate(loopback)
        .with_multicast_dns_mode(mdns)
        .build()
}

fn media_engine() -> Result<MediaEngine, MediaError> {
    let mut engine = MediaEngine::default();
    for codec in codecs() {
        engine
            .register_codec(codec, RtpCodecKind::Audio)
            .map_err(failed)?;
    }
    Ok(engine)
}

/// Everything offered, in order of preference.
fn codecs() -> Vec<RTCRtpCodecParameters> {
    let codec = |name: &str, clock_rate, channels, fmtp: &str, payload_type| RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: format!("audio/{name}"),
            clock_rate,
            channels,
            sdp_fmtp_line: fmtp.to_owned(),
            rtcp_feedback: vec![],
        },
        payload_type,
    };
    let audio = Format::OFFERED.map(|(format, payload_type)| {
        // RFC 7587 section 7: always two channels in SDP, whatever is inside; in-band redundancy is welcome.
        let (channels, fmtp) = if format == Format::Opus {
            (2, "minptime=10;useinbandfec=1")
        } else {
            (0, "")
        };
        codec(format.name(), format.clock_rate(), channels, fmtp, payload_type)
    });
    // RFC 4733 section 2.4.1: no parameter means events 0 to 15. Both rates: browsers use the one of the audio format.
    let events = [
        codec(TELEPHONE_EVENT, 48_000, 0, "", 110),
        codec(TELEPHONE_EVENT_8K, 8_000, 0, "", 126),
    ];
    audio.into_iter().chain(events).collect()
}

fn local_track(ssrc: u32) -> MediaStreamTrack {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        active: true,
        codec: RTCRtpCodec {
            mime_type: format!("audio/{}", Format::Opus.name()),
            clock_rate: 48_000,
            channels: 2,
            ..Default::default()
        },
        ..Default::default()
    };
    let name = || "clearline".to_owned();
    MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![coding])
}

/// One socket per address. A browser gets no media from a peer that has 127.0.0.1 only, so loopback is the last resort.
fn local_addresses(config: &PeerConfig) -> Vec<SocketAddr> {
    let mut addresses = config.addresses.clone();
    if addresses.is_empty() {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        addresses.extend(interfaces.iter().map(if_addrs::Interface::ip).filter(is_usable));
    }
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, 0))
        .collect()
}

fn is_usable(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || link_local)
}

fn engine_direction(direction: Direction) -> RTCRtpTransceiverDirection {
    match direction {
        Direction::SendRecv => RTCRtpTransceiverDirection::Sendrecv,
        Direction::SendOnly => RTCRtpTransceiverDirection::Sendonly,
        Direction::RecvOnly => RTCRtpTransceiverDirection::Recvonly,
        Direction::Inactive => RTCRtpTransceiverDirection::Inactive,
    }
}

fn failed(error: impl fmt::Display) -> MediaError {
    MediaError {
        kind: MediaErrorKind::Failed,
        detail: error.to_string(),
    }
}

fn unusable(error: impl fmt::Display) -> MediaError {
    rejected(error.to_string())
}
