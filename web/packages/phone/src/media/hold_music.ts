/**
 * What a party on hold hears: a file of the tenant's own, or the melody of the core (`core/src/media/hold_music.rs`), played by the browser's own
 * oscillators. The core runs in a worker and media in the page; 32 steps of two notes are shorter than a way between them.
 */

import type { MediaEngineContext } from '../api.js';
import { releaseContext, useContext } from './audio_context.js';
import { loadHoldFile, UnusableFile } from './hold_file.js';

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

/** Music that has no end: it is played from its beginning, and then `loopStart` to `loopEnd` (seconds) again and again. */
interface Tune {
  readonly buffer: AudioBuffer;
  readonly loopStart: number;
  readonly loopEnd: number;
}

/** What decides what is played. */
type Wish = Pick<MediaEngineContext, 'holdMusic' | 'log'>;

/** Whether this side plays at all. */
export const isPlayedHere = ({ holdMusic }: Wish): boolean => holdMusic !== 'none' && holdMusic !== 'platform';

/** The music of one call. */
export class HoldMusic {
  #track: MediaStreamTrack | null = null;
  #stopSource: () => void = () => undefined;

  /** Begins, unless it plays already; the track, or `null` where no audio context is to be had. */
  start(wish: Wish): MediaStreamTrack | null {
    if (this.#track !== null) return this.#track;
    const context = useContext();
    if (context === null) return null;
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const track = destination.stream.getAudioTracks()[0] ?? null;
    this.#track = track;
    // A platform without it leaves its callers in silence, no worse.
    void tune(wish).then(
      (found) => {
        if (this.#track === track) this.#play(found, destination);
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

  #play(found: Tune, destination: MediaStreamAudioDestinationNode): void {
    const source = new AudioBufferSourceNode(destination.context, { ...found, loop: true });
    source.connect(destination);
    source.start();
    this.#stopSource = () => {
      source.stop();
      source.disconnect();
    };
  }
}

/** By address: fetched and decoded once in the life of a window. */
const files = new Map<string, Promise<Tune>>();

/** The file that is wanted; the melody if none is, or if that cannot be played. */
function tune({ holdMusic, log }: Wish): Promise<Tune> {
  if (typeof holdMusic !== 'object') return melody();
  const url = String(holdMusic.url);
  const known = files.get(url);
  if (known) return known;
  const file = loadHoldFile(url).then(
    (buffer): Tune => ({ buffer, loopStart: 0, loopEnd: buffer.duration }),
    (error: unknown) => {
      log('warn', `the melody is played to whoever is on hold, as the file cannot be: ${error instanceof Error ? error.message : String(error)}`);
      // What could not be fetched may be there the next time; a bad file is told once.
      if (!(error instanceof UnusableFile)) files.delete(url);
      return melody();
    },
  );
  files.set(url, file);
  return file;
}

let rendered: Promise<Tune> | null = null;

/** Two rounds of the melody, rendered once in the life of a window. From the second on, the last notes ring into the first. */
function melody(): Promise<Tune> {
  rendered ??= render().then((buffer) => ({ buffer, loopStart: PERIOD, loopEnd: 2 * PERIOD }));
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
