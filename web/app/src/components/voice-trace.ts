import type { AudioLevels } from '@clearline/phone';

const SAMPLES = 64;
const STEP_MS = 45;

/** Recent loudness of both directions, smoothed: quick to rise, slow to fall, as the ear is. */
export class VoiceTrace {
  readonly mine = new Float32Array(SAMPLES);
  readonly theirs = new Float32Array(SAMPLES);
  #last = 0;
  #mine = 0;
  #theirs = 0;

  /** Share of the next step that has passed, for smooth scrolling. */
  phase = 0;

  push(levels: AudioLevels | null, now: number): void {
    this.#mine = smooth(this.#mine, loudness(levels?.microphone ?? 0));
    this.#theirs = smooth(this.#theirs, loudness(levels?.speaker ?? 0));
    if (this.#last === 0 || now - this.#last > STEP_MS * SAMPLES) this.#last = now;
    while (now - this.#last >= STEP_MS) {
      this.#last += STEP_MS;
      shift(this.mine, this.#mine);
      shift(this.theirs, this.#theirs);
    }
    this.phase = (now - this.#last) / STEP_MS;
  }
}

/** Root mean square to 0..1 as heard: -50 dB is silence, -8 dB is full. */
export function loudness(rms: number): number {
  if (rms <= 0) return 0;
  const decibels = 20 * Math.log10(rms);
  return Math.min(1, Math.max(0, (decibels + 50) / 42));
}

/** Theirs strong, mine faint, both as one wave each around the middle. */
export function drawVoices(context: CanvasRenderingContext2D, width: number, height: number, trace: VoiceTrace, now: number): void {
  const time = now / 1000;
  context.globalAlpha = 0.42;
  wave(context, width, height, trace.mine, trace.phase, (x) => Math.sin(x * 0.16 - time * 5.1) * 0.7 + Math.sin(x * 0.051 - time * 3.3 + 2) * 0.5);
  context.globalAlpha = 1;
  wave(context, width, height, trace.theirs, trace.phase, (x) => Math.sin(x * 0.19 - time * 6.3 + 1) * 0.75 + Math.sin(x * 0.07 - time * 4.1) * 0.45);
}

function wave(context: CanvasRenderingContext2D, width: number, height: number, levels: Float32Array, phase: number, shape: (x: number) => number): void {
  const middle = height / 2;
  const reach = middle - 2;
  context.beginPath();
  for (let x = 1; x <= width - 1; x += 2) {
    const position = (x / width) * (SAMPLES - 2) + phase;
    const at = Math.min(SAMPLES - 2, Math.floor(position));
    const share = position - at;
    const level = (levels[at] ?? 0) * (1 - share) + (levels[at + 1] ?? 0) * share;
    const ends = Math.sin((x / width) * Math.PI);
    const y = middle - shape(x) * level * reach * Math.min(1, ends * 2);
    if (x === 1) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}

function smooth(before: number, now: number): number {
  return now > before ? before + (now - before) * 0.6 : before + (now - before) * 0.12;
}

function shift(samples: Float32Array, value: number): void {
  samples.copyWithin(0, 1);
  samples[samples.length - 1] = value;
}
