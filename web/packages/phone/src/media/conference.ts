/**
 * A conference of this window: the party of each call is sent the microphone and the parties of all the others, and never
 * itself.
 *
 * ```text
 * microphone of a --+                           +-- party of b
 *                   +--> sum a --> gate --> limiter --> to party a
 *                                               (the same the other way round)
 * ```
 * Chromium lets a remote stream flow into an audio graph only while an element plays it; the call's speaker does.
 */

import { releaseContext, useContext } from './audio_context.js';

/** The conferences of this window, by their number. */
const conferences = new Map<number, Set<Seat>>();

/** Louder samples are bent, so that nothing clips; the same curve as the core's mixer has. */
const KNEE = 0.75;
/** The loudest sum the limiter knows: so many parties at full scale. */
const HEADROOM = 8;
const CURVE_POINTS = 4_097;

/** One call's place in a conference. */
export class Seat {
  /** What the call's party is to be sent. */
  readonly track: MediaStreamTrack;
  readonly #sum: GainNode;
  readonly #gate: GainNode;
  #microphone: MediaStreamAudioSourceNode | null = null;
  #remote: MediaStreamAudioSourceNode | null = null;

  /** Takes a place; `null` where no audio context is to be had. */
  static take(conference: number): Seat | null {
    const context = useContext();
    if (context === null) return null;
    const seats = conferences.get(conference) ?? new Set();
    conferences.set(conference, seats);
    return new Seat(context, conference, seats);
  }

  private constructor(
    private readonly context: AudioContext,
    private readonly conference: number,
    private readonly seats: Set<Seat>,
  ) {
    this.#sum = new GainNode(context, { channelCount: 1, channelCountMode: 'explicit', gain: 1 / HEADROOM });
    this.#gate = new GainNode(context);
    const limiter = new WaveShaperNode(context, { curve: limiterCurve() });
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    this.#sum.connect(limiter).connect(this.#gate).connect(destination);
    const [track] = destination.stream.getAudioTracks();
    if (track === undefined) throw new Error('the browser gave no track');
    this.track = track;
    for (const other of seats) other.#remote?.connect(this.#sum);
    seats.add(this);
  }

  /** The microphone, or what stands for it. It is silent while its track is not enabled. */
  setMicrophone(track: MediaStreamTrack | null): void {
    this.#microphone?.disconnect();
    this.#microphone = this.#source(track === null ? null : new MediaStream([track]));
    this.#microphone?.connect(this.#sum);
  }

  /** What the call's party says. */
  setRemote(stream: MediaStream | null): void {
    if (stream === null || stream === this.#remote?.mediaStream) return;
    this.#remote?.disconnect();
    this.#remote = this.#source(stream);
    for (const other of this.seats) if (other !== this) this.#remote?.connect(other.#sum);
  }

  /** `false`: exact silence is sent, whatever the others say. */
  setOpen(open: boolean): void {
    this.#gate.gain.value = open ? 1 : 0;
  }

  leave(): void {
    if (!this.seats.delete(this)) return;
    if (this.seats.size === 0) conferences.delete(this.conference);
    this.#microphone?.disconnect();
    this.#remote?.disconnect();
    for (const other of this.seats) other.#remote?.disconnect(this.#sum);
    this.#sum.disconnect();
    this.track.stop();
    releaseContext();
  }

  #source(stream: MediaStream | null): MediaStreamAudioSourceNode | null {
    return stream === null || stream.getAudioTracks().length === 0
      ? null
      : new MediaStreamAudioSourceNode(this.context, { mediaStream: stream });
  }
}

/** From the sum divided by the headroom to what is sent. */
function limiterCurve(): Float32Array<ArrayBuffer> {
  const curve = new Float32Array(CURVE_POINTS);
  return curve.map((_, point) => limited(((2 * point) / (CURVE_POINTS - 1) - 1) * HEADROOM));
}

/** Bends what is above the knee towards full scale, without a corner. */
function limited(sample: number): number {
  const over = Math.abs(sample) - KNEE;
  if (over <= 0) return sample;
  const room = 1 - KNEE;
  return Math.sign(sample) * (KNEE + (room * over) / (room + over));
}
