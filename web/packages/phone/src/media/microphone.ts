/**
 * The microphone of one call: open only while the call is, replaced by silence while it cannot be had, tried again
 * whenever something changes for the better.
 *
 * ```text
 * closed --open--> opening --granted--> open --unplugged--> missing
 *                     |                                      ^   |
 *                     +------------- refused, none ----------+   | permission, device, retry
 *                     ^------------------------------------------+
 * ```
 */

import type { MicrophoneProblem } from '../api.js';
import { mediaDevices } from '../browser.js';
import { microphoneProblem } from './error.js';
import { microphoneDecided, onMicrophoneGranted } from './permission.js';
import { Silence } from './silence.js';

export interface MicrophoneListener {
  /** Send this track from now on. */
  track(track: MediaStreamTrack | null): void;
  /** The microphone is missing, for this reason, or back (`null`). */
  problem(problem: MicrophoneProblem | null, detail: string): void;
}

type State = 'closed' | 'opening' | 'open' | 'missing';

export class Microphone {
  #state: State = 'closed';
  #device: string | undefined;
  #enabled = true;
  #track: MediaStreamTrack | null = null;
  #problem: MicrophoneProblem | null = null;
  #opening: Promise<void> = Promise.resolve();
  /** Raised by every attempt to open and by `close`, so that a late answer of the browser is recognised. */
  #attempt = 0;
  readonly #silence = new Silence();
  #unfollow: () => void = () => undefined;

  constructor(
    private readonly listener: MicrophoneListener,
    device: string | undefined,
  ) {
    this.#device = device;
  }

  /** Begins to open; resolves when it is known whether there is a microphone. Never rejects. */
  open(): Promise<void> {
    if (this.#state === 'closed') {
      this.#follow();
      this.#opening = this.#tryToOpen();
    }
    return this.#opening;
  }

  /** Resolves when an offer may leave: at once if the user has decided before, else when the user has decided. */
  ready(): Promise<void> {
    const opening = this.open();
    return microphoneDecided() ? Promise.resolve() : opening;
  }

  /** `false`: exact silence is sent. */
  setEnabled(enabled: boolean): void {
    this.#enabled = enabled;
    if (this.#track !== null) this.#track.enabled = enabled;
  }

  /** Uses another device, or the system's default; also the way to try again. */
  async setDevice(device: string | undefined): Promise<void> {
    const changed = device !== this.#device;
    this.#device = device;
    if (this.#state === 'closed' || (!changed && this.#state !== 'missing')) return;
    this.#opening = this.#tryToOpen();
    await this.#opening;
  }

  /** Releases the device. */
  close(): void {
    this.#attempt += 1;
    this.#state = 'closed';
    this.#unfollow();
    this.#release();
    this.#silence.stop();
  }

  async #tryToOpen(): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#state = 'opening';
    try {
      const [track] = (await capture(this.#device)).getAudioTracks();
      if (attempt !== this.#attempt) track?.stop();
      else if (track === undefined) this.#missing('no-device', 'the browser gave no track');
      else this.#use(track);
    } catch (error) {
      if (attempt === this.#attempt) this.#missing(microphoneProblem(error), String(error));
    }
  }

  #use(track: MediaStreamTrack): void {
    this.#release();
    this.#state = 'open';
    this.#track = track;
    track.enabled = this.#enabled;
    track.onended = () => this.#unplugged(track);
    this.listener.track(track);
    if (this.#problem !== null) this.listener.problem(null, track.label === '' ? 'open' : 'open again');
    this.#problem = null;
  }

  #unplugged(track: MediaStreamTrack): void {
    if (track !== this.#track) return;
    this.#missing('device-failed', 'the device has gone');
    this.#retry();
  }

  #missing(problem: MicrophoneProblem, detail: string): void {
    this.#release();
    this.#state = 'missing';
    this.listener.track(this.#silence.track());
    if (problem !== this.#problem) this.listener.problem(problem, detail);
    this.#problem = problem;
  }

  #retry(): void {
    if (this.#state === 'missing') this.#opening = this.#tryToOpen();
  }

  #release(): void {
    if (this.#track === null) return;
    this.#track.onended = null;
    this.#track.stop();
    this.#track = null;
  }

  #follow(): void {
    const retry = (): void => this.#retry();
    const devices = mediaDevices();
    devices?.addEventListener('devicechange', retry);
    const unfollowPermission = onMicrophoneGranted(retry);
    this.#unfollow = () => {
      devices?.removeEventListener('devicechange', retry);
      unfollowPermission();
    };
  }
}

/** Insecure pages have no `mediaDevices`; to the user that is a refusal. */
async function capture(device: string | undefined): Promise<MediaStream> {
  const devices = mediaDevices();
  if (devices === undefined) throw new DOMException('not a secure page', 'NotAllowedError');
  return devices.getUserMedia(constraints(device));
}

/** A chosen device that is gone gives way to the default one, so it is a wish, not a condition. */
function constraints(device: string | undefined): MediaStreamConstraints {
  const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return { audio: device === undefined ? processing : { ...processing, deviceId: { ideal: device } } };
}
