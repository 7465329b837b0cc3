/**
 * What a party on hold hears: the melody of the core (`core/src/media/hold_music.rs`), played by the browser's own
 * oscillators. The core runs in a worker and media in the page; 32 steps of two notes are shorter than a way between them.
 */

import { releaseContext, useContext } from './audio_context.js';

/** Seconds between two steps of the score. */
const STEP = 0.3;
/** A note's loudness at its beginning, of full scale, for each of the two parts. */
const LOUDNESS = [0.11, 0.07];
/** Seconds in which a note falls to 1/e, and in which it begins. */
const FADE = 0.5;
const ATTACK = 0.006;
/** How strongly the overtones sound beside the note itself. */
const OVERTONES = [0, 0.74, 0.19, 0.07];
/** Both parts, step by step: MIDI note numbers, 0 for a rest. */
const SCORE = [
  [72, 60], [0, 0], [79, 0], [76, 0], [77, 65], [0, 0], [76, 0], [74, 0],
  [72, 57], [0, 0], [69, 0], [72, 0], [74, 67], [0, 0], [67, 0], [0, 0],
  [72, 60], [0, 0], [79, 0], [76, 0], [81, 65], [0, 0], [79, 0], [77, 0],
  [76, 67], [0, 0], [74, 0], [71, 0], [72, 60], [0, 0], [0, 0], [0, 0],
] as const;
const PERIOD = SCORE.length * STEP;
/** Enough for the band of a telephone and what lies above. */
const RATE = 16_000;

/** The music of one call. */
export class HoldMusic {
  #track: MediaStreamTrack | null = null;
  #stopSource: () => void = () => undefined;

  /** Begins, unless it plays already; the track, or `null` where no audio context is to be had. */
  start(): MediaStreamTrack | null {
    if (this.#track !== null) return this.#track;
    const context = useContext();
    if (context === null) return null;
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const track = destination.stream.getAudioTracks()[0] ?? null;
    this.#track = track;
    // A platform without it leaves its callers in silence, no worse.
    void melody().then(
      (buffer) => {
        if (this.#track === track) this.#play(buffer, destination);
      },
      () => undefined,
    );
    return track;
  }

  /** Silence, at once. */
  stop(): void {
    if (this.#track === null) return;
    this.#stopSource();
    this.#stopSource = () => undefined;
    this.#track.stop();
    this.#track = null;
    releaseContext();
  }

  #play(buffer: AudioBuffer, destination: MediaStreamAudioDestinationNode): void {
    const { context } = destination;
    // From the second time on, the last notes ring into the first.
    const source = new AudioBufferSourceNode(context, { buffer, loop: true, loopStart: PERIOD, loopEnd: 2 * PERIOD });
    source.connect(destination);
    source.start();
    this.#stopSource = () => {
      source.stop();
      source.disconnect();
    };
  }
}

let rendered: Promise<AudioBuffer> | null = null;

/** Two rounds of the melody, rendered once in the life of a window. A tenant's own file would be decoded here instead. */
function melody(): Promise<AudioBuffer> {
  rendered ??= render();
  return rendered;
}

function render(): Promise<AudioBuffer> {
  const context = new OfflineAudioContext(1, 2 * PERIOD * RATE, RATE);
  const imag = Float32Array.from(OVERTONES);
  const wave = new PeriodicWave(context, { real: new Float32Array(imag.length), imag, disableNormalization: true });
  for (const [step, notes] of [...SCORE, ...SCORE].entries()) {
    for (const [part, note] of notes.entries()) if (note !== 0) strike(context, wave, note, LOUDNESS[part] ?? 0, step * STEP);
  }
  return context.startRendering();
}

function strike(context: OfflineAudioContext, wave: PeriodicWave, note: number, loudness: number, at: number): void {
  const oscillator = new OscillatorNode(context, { frequency: 440 * 2 ** ((note - 69) / 12), periodicWave: wave });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(loudness, at + ATTACK);
  gain.gain.setTargetAtTime(0, at + ATTACK, FADE);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + 8 * FADE);
}
