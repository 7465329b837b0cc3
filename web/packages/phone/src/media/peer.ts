/** One `RTCPeerConnection` with one audio transceiver. No session description is ever edited. */

import type { MediaTransportState } from '../api.js';
import { takeCertificate } from './certificate.js';
import { preferCodecs } from './codecs.js';
import { MediaFailure } from './error.js';
import { usefulCandidates } from './gathering.js';
import { LateCandidates, addCandidates } from './late_candidates.js';
import { PathWatch } from './path_watch.js';

/** What a peer tells, each time saying which one it is. */
export interface PeerListener {
  stateChanged(peer: Peer, state: MediaTransportState): void;
  /** Candidates were found after the description was sent, see `LateCandidates`. */
  candidatesFound(peer: Peer, fragment: string, matters: boolean): void;
  /** Another way may be needed, see `PathWatch`. */
  pathDoubtful(peer: Peer, reason: string): void;
  warn(message: string): void;
}

export class Peer {
  readonly #connection: RTCPeerConnection;
  readonly #path: PathWatch;
  readonly #late: LateCandidates;
  #transceiver: RTCRtpTransceiver | null = null;
  #track: MediaStreamTrack | null;
  #stream: MediaStream | null = null;
  #closed = false;

  constructor(
    private readonly configuration: { readonly servers: readonly RTCIceServer[]; readonly policy: RTCIceTransportPolicy },
    track: MediaStreamTrack | null,
    private readonly listener: PeerListener,
  ) {
    this.#track = track;
    this.#connection = new RTCPeerConnection({
      iceServers: [...configuration.servers],
      iceTransportPolicy: configuration.policy,
      bundlePolicy: 'max-bundle',
      ...takeCertificate(),
    });
    this.#path = new PathWatch(this.#connection, (reason) => listener.pathDoubtful(this, reason));
    this.#late = new LateCandidates(this.#connection, (fragment, matters) => listener.candidatesFound(this, fragment, matters));
    this.#connection.addEventListener('track', (event) => {
      this.#stream = event.streams[0] ?? new MediaStream([event.track]);
    });
    this.#connection.addEventListener('connectionstatechange', () => this.#stateChanged());
  }

  /** What is heard, once the far end has said what it sends. */
  get stream(): MediaStream | null {
    return this.#stream;
  }

  get state(): MediaTransportState {
    const state = this.#connection.connectionState;
    return state === 'closed' ? 'failed' : state;
  }

  /** Whether both sides have agreed that this one sends. */
  get sends(): boolean {
    const direction = this.#transceiver?.currentDirection;
    return direction === 'sendrecv' || direction === 'sendonly';
  }

  get dtmf(): RTCDTMFSender | null {
    return this.#transceiver?.sender.dtmf ?? null;
  }

  /**
   * Whether another peer connection can go on where this one is: the far end has been agreed with, and only about audio,
   * because the number of media never shrinks (RFC 3264 section 8).
   */
  get isReplaceable(): boolean {
    const local = this.#connection.currentLocalDescription?.sdp ?? '';
    return this.#connection.currentRemoteDescription !== null && (local.match(/^m=/gm) ?? []).length === 1;
  }

  /** Whether an offer comes from another DTLS end point than the one agreed with (RFC 8842 section 5.5). */
  isStrangeTo(offer: string): boolean {
    const known = this.#connection.currentRemoteDescription?.sdp;
    return known !== undefined && fingerprints(known) !== fingerprints(offer);
  }

  /** Sends this track from now on; it may be replaced at any time without being negotiated. */
  send(track: MediaStreamTrack | null): void {
    this.#track = track;
    if (this.#transceiver !== null) this.#attach(this.#transceiver);
  }

  async offer(direction: RTCRtpTransceiverDirection, iceRestart: boolean): Promise<string> {
    this.#transceiver ??= this.#addTransceiver(direction);
    this.#transceiver.direction = direction;
    if (iceRestart) this.#connection.restartIce();
    return this.#describe(() => this.#connection.createOffer());
  }

  async takeOffer(offer: string): Promise<void> {
    await this.#connection.setRemoteDescription({ type: 'offer', sdp: offer });
  }

  async answer(direction: RTCRtpTransceiverDirection): Promise<string> {
    this.#audioOfOffer().direction = direction;
    return this.#describe(() => this.#connection.createAnswer());
  }

  async takeAnswer(answer: string, provisional: boolean): Promise<void> {
    await this.#connection.setRemoteDescription({ type: provisional ? 'pranswer' : 'answer', sdp: answer });
  }

  /** Candidates of the far end that came after its description. */
  async addCandidates(fragment: string): Promise<void> {
    try {
      await addCandidates(this.#connection, fragment);
    } catch (error) {
      this.listener.warn(`a candidate cannot be used: ${String(error)}`);
    }
  }

  /** Takes the last offer back; `direction` is what was agreed before. */
  async rollback(direction: RTCRtpTransceiverDirection): Promise<void> {
    await this.#connection.setLocalDescription({ type: 'rollback' });
    if (this.#transceiver !== null) this.#transceiver.direction = direction;
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  close(): void {
    this.#closed = true;
    this.#path.stop();
    this.#late.stop();
    this.#connection.close();
  }

  /** Makes a local description and waits until its useful candidates are in it. */
  async #describe(make: () => Promise<RTCSessionDescriptionInit>): Promise<string> {
    const { servers, policy } = this.configuration;
    const gathering = usefulCandidates(this.#connection, servers, policy);
    try {
      await this.#connection.setLocalDescription(await make());
      gathering.begun();
      await gathering.done;
    } finally {
      gathering.cancel();
    }
    const sdp = this.#connection.localDescription?.sdp;
    if (sdp === undefined) throw new Error('closed meanwhile');
    if (gathering.problem !== null) this.listener.warn(`no candidate from ${gathering.problem}`);
    if (policy === 'relay' && !/^a=candidate:.* typ relay/m.test(sdp)) {
      throw new MediaFailure('failed', `no relay can be used: ${gathering.problem ?? 'none has answered'}`);
    }
    this.#late.sent(sdp);
    return sdp;
  }

  #addTransceiver(direction: RTCRtpTransceiverDirection): RTCRtpTransceiver {
    const transceiver = this.#connection.addTransceiver('audio', { direction });
    preferCodecs(transceiver);
    this.#attach(transceiver);
    return transceiver;
  }

  /** The transceiver of the offered audio; whatever else is offered is refused. */
  #audioOfOffer(): RTCRtpTransceiver {
    for (const transceiver of this.#connection.getTransceivers()) {
      if (transceiver === this.#transceiver || transceiver.currentDirection === 'stopped') continue;
      if (this.#transceiver === null && transceiver.receiver.track.kind === 'audio') this.#adopt(transceiver);
      else transceiver.stop();
    }
    if (this.#transceiver === null) throw new MediaFailure('description-rejected', 'no audio is offered');
    return this.#transceiver;
  }

  #adopt(transceiver: RTCRtpTransceiver): void {
    this.#transceiver = transceiver;
    preferCodecs(transceiver);
    this.#attach(transceiver);
  }

  #attach(transceiver: RTCRtpTransceiver): void {
    if (this.#closed) return;
    transceiver.sender.replaceTrack(this.#track).catch((error: unknown) => {
      this.listener.warn(`the microphone cannot be sent: ${String(error)}`);
    });
  }

  #stateChanged(): void {
    if (this.#closed) return;
    if (this.state === 'connected') this.#path.start();
    this.listener.stateChanged(this, this.state);
  }
}

function fingerprints(sdp: string): string {
  const lines = sdp.match(/^a=fingerprint:.*$/gim) ?? [];
  return [...new Set(lines.map((line) => line.trim().toLowerCase()))].sort().join();
}
