/** One reading of a call's WebRTC statistics, reduced to what quality needs. Counters are totals. */
export interface QualitySample {
  readonly atMs: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly jitterMs: number;
  readonly roundTripMs: number | null;
  /** Average playout delay of the last interval. */
  readonly bufferMs: number;
  readonly codec: string;
  /** Share of our packets the peer misses, 0..1. */
  readonly remoteLoss: number | null;
}

export type Grade = 'good' | 'fair' | 'poor';

export interface Quality {
  readonly grade: Grade;
  /** Mean opinion score of conversation, 1..4.5 (ITU-T G.107, reduced). */
  readonly mos: number;
  /** Share of packets lost in the last interval, 0..1. */
  readonly loss: number;
  readonly jitterMs: number;
  readonly roundTripMs: number | null;
  readonly codec: string;
}

/** Quality between two readings; `null` while nothing was received. */
export function qualityBetween(before: QualitySample, now: QualitySample): Quality | null {
  const received = now.packetsReceived - before.packetsReceived;
  const lost = Math.max(0, now.packetsLost - before.packetsLost);
  if (received + lost <= 0) return null;
  const loss = lost / (received + lost);
  const worst = Math.max(loss, now.remoteLoss ?? 0);
  const mos = meanOpinion(worst, (now.roundTripMs ?? 0) / 2 + now.bufferMs + 20);
  const grade = mos >= 3.9 ? 'good' : mos >= 3.3 ? 'fair' : 'poor';
  return { grade, mos, loss, jitterMs: now.jitterMs, roundTripMs: now.roundTripMs, codec: now.codec };
}

/** E-model with Opus-like robustness: Ie = 0, Bpl = 20 (G.107 s.7.5 for the delay term, simplified as by Cole/Rosenbluth). */
export function meanOpinion(loss: number, delayMs: number): number {
  const delayImpairment = 0.024 * delayMs + (delayMs > 177.3 ? 0.11 * (delayMs - 177.3) : 0);
  const percent = loss * 100;
  const lossImpairment = 95 * (percent / (percent + 20));
  const r = Math.min(100, Math.max(0, 93.2 - delayImpairment - lossImpairment));
  return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
}

/** Reads a report; `null` when it has no audio yet. */
export function sampleOf(report: RTCStatsReport, previous: { delay: number; count: number }): (QualitySample & { delay: number; count: number }) | null {
  let inbound: Record<string, unknown> | undefined;
  let remote: Record<string, unknown> | undefined;
  let pair: Record<string, unknown> | undefined;
  const byId = new Map<string, Record<string, unknown>>();
  report.forEach((entry: Record<string, unknown>) => {
    byId.set(String(entry.id), entry);
    if (entry.type === 'inbound-rtp' && entry.kind === 'audio') inbound = entry;
    if (entry.type === 'remote-inbound-rtp' && entry.kind === 'audio') remote = entry;
    if (entry.type === 'candidate-pair' && entry.nominated === true) pair = entry;
  });
  if (!inbound) return null;
  const codec = byId.get(String(inbound.codecId))?.mimeType;
  const delay = number(inbound.jitterBufferDelay) ?? 0;
  const count = number(inbound.jitterBufferEmittedCount) ?? 0;
  const emitted = count - previous.count;
  const roundTrip = number(remote?.roundTripTime) ?? number(pair?.currentRoundTripTime);
  return {
    atMs: number(inbound.timestamp) ?? 0,
    packetsReceived: number(inbound.packetsReceived) ?? 0,
    packetsLost: number(inbound.packetsLost) ?? 0,
    jitterMs: (number(inbound.jitter) ?? 0) * 1000,
    roundTripMs: roundTrip === undefined ? null : roundTrip * 1000,
    bufferMs: emitted > 0 ? ((delay - previous.delay) / emitted) * 1000 : 0,
    codec: typeof codec === 'string' ? codec.replace(/^audio\//, '') : '',
    remoteLoss: number(remote?.fractionLost) ?? null,
    delay,
    count,
  };
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
