/** One part of a cadence: some frequencies together (none: silence) for a time. */
export interface Segment {
  readonly hz: readonly number[];
  readonly ms: number;
}

/** A sound as data: played once, or again and again. */
export interface Pattern {
  readonly segments: readonly Segment[];
  readonly loop: boolean;
  /** Peak amplitude of one part, 0..1. */
  readonly level: number;
  /** `bell`: each part is struck and dies away; `tone`: it stands. */
  readonly shape: 'tone' | 'bell';
}

const RAMP_MS = 6;

/** Mono samples of one period at `rate` Hz. Edges are ramped: a hard edge clicks. */
export function render(pattern: Pattern, rate: number): Float32Array<ArrayBuffer> {
  const lengths = pattern.segments.map((segment) => Math.round((segment.ms * rate) / 1000));
  const samples = new Float32Array(Math.max(1, lengths.reduce((sum, n) => sum + n, 0)));
  let start = 0;
  pattern.segments.forEach((segment, index) => {
    const length = lengths[index] ?? 0;
    if (segment.hz.length > 0) fill(samples.subarray(start, start + length), segment.hz, rate, pattern);
    start += length;
  });
  return samples;
}

function fill(out: Float32Array, hz: readonly number[], rate: number, pattern: Pattern): void {
  const ramp = Math.max(1, Math.round((RAMP_MS * rate) / 1000));
  const gain = pattern.level / hz.length;
  for (let i = 0; i < out.length; i += 1) {
    const edge = Math.min(1, (i + 1) / ramp, (out.length - i) / ramp);
    const body = pattern.shape === 'bell' ? Math.exp((-3.2 * i) / out.length) : 1;
    let sum = 0;
    for (const f of hz) sum += Math.sin((2 * Math.PI * f * i) / rate);
    out[i] = sum * gain * edge * body;
  }
}
