/** The browser's own media engine: one `RTCPeerConnection` per session. No session description is ever edited. */

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
import { currentCertificate, prepareCertificate } from './certificate.js';
import { preferCodecs } from './codecs.js';
import { MediaFailure, mediaFailure } from './error.js';
import { usefulCandidates } from './gathering.js';
import { Meter } from './meter.js';
import { Microphone } from './microphone.js';
import { followMicrophonePermission } from './permission.js';
import { PathWatch } from './path_watch.js';
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

class BrowserSession implements MediaSession {
  readonly #connection: RTCPeerConnection;
  readonly #microphone: Microphone;
  readonly #speaker: Speaker;
  readonly #meter = new Meter(() => this.stats());
  readonly #path: PathWatch;
  #transceiver: RTCRtpTransceiver | null = null;
  #track: MediaStreamTrack | null = null;
  #muted = false;
  /** What this side wants, and what it wanted when both last agreed. */
  #wanted: RTCRtpTransceiverDirection = 'sendrecv';
  #agreed: RTCRtpTransceiverDirection = 'sendrecv';
  #closed = false;

  constructor(private readonly context: MediaEngineContext) {
    this.#connection = new RTCPeerConnection({
      iceServers: [...context.iceServers],
      bundlePolicy: 'max-bundle',
      ...currentCertificate(),
    });
    this.#speaker = new Speaker(context.devices.speaker, (message) => context.log('warn', message));
    this.#microphone = new Microphone(
      {
        track: (track) => this.#send(track),
        problem: (problem, detail) => {
          context.log(problem === null ? 'info' : 'warn', `microphone: ${problem ?? 'works'}: ${detail}`);
          context.emit(problem === null ? { type: 'microphone-restored' } : { type: 'microphone-lost', kind: problem });
        },
      },
      context.devices.microphone,
    );
    this.#path = new PathWatch(this.#connection, (reason) => context.emit({ type: 'path-doubt', reason }));
    this.#connection.addEventListener('track', (event) => {
      this.#speaker.play(event.streams[0] ?? new MediaStream([event.track]));
    });
    this.#connection.addEventListener('connectionstatechange', () => this.#transportChanged());
  }

  perform(action: MediaAction): Promise<MediaOutcome> {
    switch (action.type) {
      case 'create-offer':
        return this.#createOffer(action.direction, action.ice_restart);
      case 'create-answer':
        return this.#createAnswer(action.offer, action.direction);
      case 'apply-answer':
        return this.#applyAnswer(action.answer, action.provisional);
      case 'rollback':
        return this.#rollback();
      case 'set-muted':
        return this.#setMuted(action.muted);
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
    return this.#closed ? null : this.#connection.getStats();
  }

  async setDevices(devices: AudioDevices): Promise<void> {
    await Promise.all([this.#microphone.setDevice(devices.microphone), this.#speaker.setDevice(devices.speaker)]);
  }

  async #createOffer(direction: RTCRtpTransceiverDirection, iceRestart: boolean): Promise<MediaOutcome> {
    this.#want(direction);
    const microphone = this.#microphone.ready();
    this.#transceiver ??= this.#addTransceiver(direction);
    this.#transceiver.direction = direction;
    try {
      if (iceRestart) this.#connection.restartIce();
      const sdp = await this.#describe(() => this.#connection.createOffer());
      await microphone;
      return { type: 'description', sdp };
    } catch (error) {
      throw mediaFailure('failed', error);
    }
  }

  async #createAnswer(offer: string, direction: RTCRtpTransceiverDirection): Promise<MediaOutcome> {
    this.#want(direction);
    const microphone = this.#microphone.ready();
    try {
      await this.#connection.setRemoteDescription({ type: 'offer', sdp: offer });
    } catch (error) {
      throw mediaFailure('description-rejected', error);
    }
    const transceiver = this.#audioOfOffer();
    transceiver.direction = direction;
    const sdp = await this.#describe(() => this.#connection.createAnswer()).catch((error: unknown) => {
      throw mediaFailure('description-rejected', error);
    });
    await microphone;
    this.#agree();
    return { type: 'description', sdp };
  }

  async #applyAnswer(answer: string, provisional: boolean): Promise<MediaOutcome> {
    try {
      await this.#connection.setRemoteDescription({ type: provisional ? 'pranswer' : 'answer', sdp: answer });
    } catch (error) {
      throw mediaFailure('description-rejected', error);
    }
    if (!provisional) this.#agree();
    return DONE;
  }

  async #rollback(): Promise<MediaOutcome> {
    try {
      await this.#connection.setLocalDescription({ type: 'rollback' });
    } catch (error) {
      throw mediaFailure('failed', error);
    }
    if (this.#transceiver !== null) this.#transceiver.direction = this.#agreed;
    this.#wanted = this.#agreed;
    this.#applyMute();
    return DONE;
  }

  async #setMuted(muted: boolean): Promise<MediaOutcome> {
    this.#muted = muted;
    this.#applyMute();
    return DONE;
  }

  async #sendDtmf(tones: string, duration: number): Promise<MediaOutcome> {
    const dtmf = this.#transceiver?.sender.dtmf;
    if (dtmf == null || !dtmf.canInsertDTMF) throw new MediaFailure('failed', 'the far end takes no telephone events');
    // insertDTMF replaces what has not been played yet.
    dtmf.insertDTMF(dtmf.toneBuffer + tones, duration, TONE_GAP_MS);
    return DONE;
  }

  async #close(): Promise<MediaOutcome> {
    this.#closed = true;
    this.#path.stop();
    this.#microphone.close();
    this.#connection.close();
    this.#speaker.stop();
    return DONE;
  }

  /** Makes a local description and waits until its useful candidates are in it. */
  async #describe(make: () => Promise<RTCSessionDescriptionInit>): Promise<string> {
    const gathering = usefulCandidates(this.#connection, this.context.iceServers);
    try {
      await this.#connection.setLocalDescription(await make());
      gathering.begun();
      await gathering.done;
    } finally {
      gathering.cancel();
    }
    const sdp = this.#connection.localDescription?.sdp;
    if (sdp === undefined) throw new Error('closed meanwhile');
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

  #send(track: MediaStreamTrack | null): void {
    this.#track = track;
    this.#applyMute();
    if (this.#transceiver !== null) this.#attach(this.#transceiver);
  }

  #attach(transceiver: RTCRtpTransceiver): void {
    if (this.#closed) return;
    transceiver.sender.replaceTrack(this.#track).catch((error: unknown) => {
      this.context.log('warn', `the microphone cannot be sent: ${String(error)}`);
    });
  }

  /** Silence first: no sound may leave between the key press and the far end's consent. */
  #want(direction: RTCRtpTransceiverDirection): void {
    this.#wanted = direction;
    this.#applyMute();
  }

  #agree(): void {
    this.#agreed = this.#wanted;
    this.#applyMute();
  }

  /** The microphone is heard only if it is wanted and both sides last agreed on a conversation, or are about to begin one. */
  #applyMute(): void {
    this.#microphone.setEnabled(!this.#muted && this.#wanted === 'sendrecv' && this.#agreed === 'sendrecv');
  }

  #transportChanged(): void {
    const state = this.#connection.connectionState;
    if (state === 'connected') this.#path.start();
    if (state !== 'closed') this.context.emit({ type: 'transport', state: state satisfies MediaTransportState });
  }
}
