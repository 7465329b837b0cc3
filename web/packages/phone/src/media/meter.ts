/**
 * Audio levels from WebRTC statistics: no audio graph, so a meter costs nothing while nobody looks at it, and it works
 * where media is redirected to another machine.
 */

import type { AudioLevels } from '../api.js';

/** The energy counters of one direction (W3C webrtc-stats, `totalAudioEnergy`). */
interface Counters {
  readonly energy: number;
  readonly seconds: number;
}

/** A level is refreshed at most this often. */
const REFRESH_MS = 80;

export class Meter {
  #levels: AudioLevels = { microphone: 0, speaker: 0 };
  #microphone: Counters | null = null;
  #speaker: Counters | null = null;
  #lastRefresh = -Infinity;
  #refreshing = false;

  constructor(private readonly stats: () => Promise<RTCStatsReport | null>) {}

  /** The newest levels; asks for newer ones in the background. */
  read(): AudioLevels {
    const now = performance.now();
    if (!this.#refreshing && now - this.#lastRefresh >= REFRESH_MS) {
      this.#lastRefresh = now;
      void this.#refresh();
    }
    return this.#levels;
  }

  async #refresh(): Promise<void> {
    this.#refreshing = true;
    try {
      const report = await this.stats();
      if (report !== null) this.#take(report);
    } catch {
      // A connection that is just closing has no statistics; its meter stays where it is.
    } finally {
      this.#refreshing = false;
    }
  }

  #take(report: RTCStatsReport): void {
    const microphone = counters(report, 'media-source');
    const speaker = counters(report, 'inbound-rtp');
    this.#levels = {
      microphone: rootMeanSquare(this.#microphone, microphone),
      speaker: rootMeanSquare(this.#speaker, speaker),
    };
    this.#microphone = microphone;
    this.#speaker = speaker;
  }
}

function counters(report: RTCStatsReport, type: 'media-source' | 'inbound-rtp'): Counters | null {
  for (const entry of report.values() as Iterable<Record<string, unknown>>) {
    if (entry['type'] !== type || entry['kind'] !== 'audio') continue;
    const energy = entry['totalAudioEnergy'];
    const seconds = entry['totalSamplesDuration'];
    if (typeof energy === 'number' && typeof seconds === 'number') return { energy, seconds };
  }
  return null;
}

/** Energy is the sum of squared levels times duration, so its mean over an interval is the square of the RMS. */
function rootMeanSquare(before: Counters | null, now: Counters | null): number {
  if (before === null || now === null) return 0;
  const seconds = now.seconds - before.seconds;
  if (seconds <= 0) return 0;
  return Math.min(1, Math.sqrt(Math.max(0, now.energy - before.energy) / seconds));
}
