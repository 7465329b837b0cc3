/**
 * The browser's own media engine. A session has one peer connection at a time and changes to a fresh one, make before
 * break, when its way through the network is renewed: after a restart in place Chromium keeps sending on the old way
 * for as long as it takes to believe that it is dead, which is two to four seconds of silence.
 *
 * ```text
 *          restart: offer of a fresh one                    its answer              connected, or too late
 * current ------------------------------> current, fresh --------------> old, current -------------------> current
 *    |                                        | rolled back: the fresh one is dropped         ^
 *    +---- offer of another DTLS end point, answered by a fresh one --------------------------+
 * ```
 */

import type {
  AudioDevices,
  AudioLevels,
  MediaAction,
  MediaEngineContext,
  MediaEngineFactory,
  MediaOutcome,
  MediaSession,
  MediaTransportState,
} from '../api.js';
import { prepareCertificate } from './certificate.js';
import { Seat } from './conference.js';
import { MediaFailure, mediaFailure } from './error.js';
import { HoldMusic, isPlayedHere } from './hold_music.js';
import { Meter } from './meter.js';
import { Microphone } from './microphone.js';
import { Peer, type PeerListener } from './peer.js';
import { followMicrophonePermission } from './permission.js';
import { Speaker } from './speaker.js';

/** The engine used unless `PhoneConfig.media` names another. */
export const browserMedia: MediaEngineFactory = (context) => new BrowserSession(context);

/** Does ahead of the first call what takes time and touches no device. */
export function prepareBrowserMedia(): void {
  prepareCertificate();
  followMicrophonePermission();
}

const DONE: MediaOutcome = { type: 'done' };
/** Between two tones, in milliseconds. RFC 4733 leaves it open; detectors want at least 40. */
const TONE_GAP_MS = 70;
/** How long an old peer connection is kept for a fresh one that does not connect. */
const OVERLAP_MS = 5_000;

class BrowserSession implements MediaSession, PeerListener {
  readonly #microphone: Microphone;
  readonly #speaker: Speaker;
  readonly #meter = new Meter(() => this.stats());
  #peer: Peer;
  /** Offered or answering, and not agreed yet. */
  #fresh: Peer | null = null;
  /** Replaced, and heard until the present one is connected. */
  #old: Peer | null = null;
  #overlap: ReturnType<typeof setTimeout> | undefined;
  /** The microphone, or what stands for it. */
  #track: MediaStreamTrack | null = null;
  /** What the peers send: that, or music for a party on hold, or a conference. */
  #sent: MediaStreamTrack | null = null;
  readonly #music = new HoldMusic();
  #seat: Seat | null = null;
  #muted = false;
  /** What this side wants, and what it wanted when both last agreed. */
  #wanted: RTCRtpTransceiverDirection = 'sendrecv';
  #agreed: RTCRtpTransceiverDirection = 'sendrecv';
  #closed = false;

  constructor(private readonly context: MediaEngineContext) {
    this.#speaker = new Speaker(context.devices.speaker, (message) => context.log('warn', message));
    this.#peer = this.#newPeer();
    this.#microphone = new Microphone(
      {
        track: (track) => this.#useMicrophone(track),
        problem: (problem, detail) => {
          context.log(problem === null ? 'info' : 'warn', `microphone: ${problem ?? 'works'}: ${detail}`);
          context.emit(problem === null ? { type: 'microphone-restored' } : { type: 'microphone-lost', kind: problem });
        },
      },
      context.devices.microphone,
    );
  }

  perform(action: MediaAction): Promise<MediaOutcome> {
    switch (action.type) {
      case 'create-offer':
        return this.#createOffer(action.direction, action.ice_restart);
      case 'create-answer':
        return this.#createAnswer(action.offer, action.direction);
      case 'apply-answer':
        return this.#applyAnswer(action.answer, action.provisional);
      case 'add-candidates':
        return this.#addCandidates(action.fragment);
      case 'rollback':
        return this.#rollback();
      case 'set-muted':
        return this.#setMuted(action.muted);
      case 'set-conference':
        return this.#setConference(action.conference);
      case 'send-dtmf':
        return this.#sendDtmf(action.tones, action.duration_ms);
      case 'close':
        return this.#close();
    }
  }

  prepare(): void {
    void this.#microphone.open();
  }

  levels(): AudioLevels {
    return this.#meter.read();
  }

  async stats(): Promise<RTCStatsReport | null> {
    return this.#closed ? null : this.#peer.stats();
  }

  async setDevices(devices: AudioDevices): Promise<void> {
    await Promise.all([this.#microphone.setDevice(devices.microphone), this.#speaker.setDevice(devices.speaker)]);
  }

  // What a peer tells

  stateChanged(peer: Peer, state: MediaTransportState): void {
    if (peer !== this.#peer) return;
    if (state === 'connected') this.#connected();
    // The old one is still heard: that another is on its way is nobody's business.
    else if (this.#old !== null && (state === 'new' || state === 'connecting')) return;
    this.context.emit({ type: 'transport', state });
  }

  candidatesFound(peer: Peer, fragment: string, matters: boolean): void {
    // An offer is made with the fresh one, if there is one; what is in force is the present one's.
    if (peer === (this.#fresh ?? this.#peer)) this.context.emit({ type: 'candidates', fragment, matters });
  }

  pathDoubtful(peer: Peer, reason: string): void {
    if (peer === this.#peer) this.context.emit({ type: 'path-doubt', reason });
  }

  warn(message: string): void {
    this.context.log('warn', message);
  }

  // Actions

  async #createOffer(direction: RTCRtpTransceiverDirection, iceRestart: boolean): Promise<MediaOutcome> {
    this.#want(direction);
    const microphone = this.#microphone.ready();
    this.#dropFresh();
    if (iceRestart && this.#peer.isReplaceable) this.#fresh = this.#newPeer();
    try {
      const sdp = await (this.#fresh ?? this.#peer).offer(direction, iceRestart && this.#fresh === null);
      await microphone;
      return { type: 'description', sdp };
    } catch (error) {
      throw error instanceof MediaFailure ? error : mediaFailure('failed', error);
    }
  }

  async #createAnswer(offer: string, direction: RTCRtpTransceiverDirection): Promise<MediaOutcome> {
    this.#want(direction);
    const microphone = this.#microphone.ready();
    this.#dropFresh();
    if (this.#peer.isReplaceable && this.#peer.isStrangeTo(offer)) this.#fresh = this.#newPeer();
    const fresh = this.#fresh;
    const peer = fresh ?? this.#peer;
    try {
      await peer.takeOffer(offer);
      const sdp = await peer.answer(direction);
      if (fresh !== null) this.#takeOver(fresh);
      await microphone;
      this.#agree();
      return { type: 'description', sdp };
    } catch (error) {
      this.#dropFresh();
      throw error instanceof MediaFailure ? error : mediaFailure('description-rejected', error);
    }
  }

  async #applyAnswer(answer: string, provisional: boolean): Promise<MediaOutcome> {
    const fresh = this.#fresh;
    try {
      await (fresh ?? this.#peer).takeAnswer(answer, provisional);
    } catch (error) {
      throw mediaFailure('description-rejected', error);
    }
    if (provisional) return DONE;
    if (fresh !== null) this.#takeOver(fresh);
    this.#agree();
    return DONE;
  }

  /** Candidates are hints: one that cannot be used does no harm. */
  async #addCandidates(fragment: string): Promise<MediaOutcome> {
    await this.#peer.addCandidates(fragment);
    return DONE;
  }

  async #rollback(): Promise<MediaOutcome> {
    try {
      if (this.#fresh === null) await this.#peer.rollback(this.#agreed);
      else this.#dropFresh();
    } catch (error) {
      throw mediaFailure('failed', error);
    }
    this.#wanted = this.#agreed;
    this.#direct();
    return DONE;
  }

  async #setMuted(muted: boolean): Promise<MediaOutcome> {
    this.#muted = muted;
    this.#direct();
    return DONE;
  }

  async #setConference(conference: number | null): Promise<MediaOutcome> {
    const before = this.#seat;
    this.#seat = conference === null ? null : Seat.take(conference);
    this.#seat?.setMicrophone(this.#track);
    this.#seat?.setRemote(this.#peer.stream);
    this.#direct();
    before?.leave();
    if (conference !== null && this.#seat === null) throw new MediaFailure('failed', 'nothing can be mixed here');
    return DONE;
  }

  async #sendDtmf(tones: string, duration: number): Promise<MediaOutcome> {
    const { dtmf } = this.#peer;
    if (dtmf == null || !dtmf.canInsertDTMF) throw new MediaFailure('failed', 'the far end takes no telephone events');
    // insertDTMF replaces what has not been played yet.
    dtmf.insertDTMF(dtmf.toneBuffer + tones, duration, TONE_GAP_MS);
    return DONE;
  }

  async #close(): Promise<MediaOutcome> {
    this.#closed = true;
    this.#microphone.close();
    this.#music.stop();
    this.#seat?.leave();
    this.#seat = null;
    this.#dropFresh();
    this.#dropOld();
    this.#peer.close();
    this.#speaker.stop();
    return DONE;
  }

  // Peers

  #newPeer(): Peer {
    const { iceServers, iceTransportPolicy } = this.context;
    return new Peer({ servers: iceServers, policy: iceTransportPolicy }, this.#sent, this);
  }

  /** Both sides have agreed on `fresh`; the one before is heard until it is connected. */
  #takeOver(fresh: Peer): void {
    this.#dropOld();
    this.#old = this.#peer;
    this.#peer = fresh;
    this.#fresh = null;
    this.#overlap = setTimeout(() => this.#connectsLate(), OVERLAP_MS);
    if (fresh.state === 'connected') this.stateChanged(fresh, 'connected');
  }

  #connected(): void {
    const { stream } = this.#peer;
    if (stream !== null) this.#speaker.play(stream);
    this.#seat?.setRemote(stream);
    this.#dropOld();
  }

  #connectsLate(): void {
    this.#dropOld();
    this.stateChanged(this.#peer, this.#peer.state);
  }

  #dropOld(): void {
    clearTimeout(this.#overlap);
    this.#old?.close();
    this.#old = null;
  }

  #dropFresh(): void {
    this.#fresh?.close();
    this.#fresh = null;
  }

  // What is sent

  #useMicrophone(track: MediaStreamTrack | null): void {
    this.#track = track;
    this.#seat?.setMicrophone(track);
    this.#direct();
  }

  /** Silence first: no sound may leave between the key press and the far end's consent. */
  #want(direction: RTCRtpTransceiverDirection): void {
    this.#wanted = direction;
    this.#direct();
  }

  #agree(): void {
    this.#agreed = this.#wanted;
    this.#direct();
  }

  /**
   * The microphone is heard, and a conference with it, only if both sides last agreed on a conversation, or are about to
   * begin one, and nothing else is wanted. Music is for a party that has agreed to be held and is not being retrieved.
   */
  #direct(): void {
    const talks = this.#wanted === 'sendrecv' && this.#agreed === 'sendrecv';
    const holds = this.#wanted === 'sendonly' && this.#agreed === 'sendonly' && this.#peer.sends;
    this.#microphone.setEnabled(!this.#muted && talks);
    this.#seat?.setOpen(talks);
    const music = holds && isPlayedHere(this.context) ? this.#music.start(this.context) : null;
    if (music === null) this.#music.stop();
    const conversation = talks && this.#seat !== null ? this.#seat.track : this.#track;
    this.#send(music ?? conversation);
  }

  #send(track: MediaStreamTrack | null): void {
    if (track === this.#sent) return;
    this.#sent = track;
    for (const peer of [this.#old, this.#peer, this.#fresh]) peer?.send(track);
  }
}
