import type { CallId, Phone } from '@clearline/phone';
import { Store, type Readable } from './store.js';
import { qualityBetween, sampleOf, type Quality, type QualitySample } from './quality.js';

const EVERY_MS = 2_000;

type Reading = QualitySample & { delay: number; count: number };

/** Measures the calls whose media is in this window, while there are any. */
export class QualityWatch {
  readonly #state = new Store<ReadonlyMap<CallId, Quality>>(new Map());
  readonly #readings = new Map<CallId, Reading>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly phone: Phone) {
    phone.subscribe(() => this.#adjust());
    this.#adjust();
  }

  get state(): Readable<ReadonlyMap<CallId, Quality>> {
    return this.#state;
  }

  dispose(): void {
    clearInterval(this.#timer);
  }

  #adjust(): void {
    const active = this.phone.state.calls.some((call) => call.state === 'active');
    if (active && this.#timer === undefined) this.#timer = setInterval(() => void this.#measure(), EVERY_MS);
    if (active || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#readings.clear();
    this.#state.set(new Map());
  }

  async #measure(): Promise<void> {
    const next = new Map<CallId, Quality>();
    for (const call of this.phone.state.calls) {
      if (call.state !== 'active' || call.localHold || call.remoteHold) {
        this.#readings.delete(call.id);
        continue;
      }
      const quality = await this.#read(call.id);
      if (quality) next.set(call.id, quality);
    }
    this.#state.set(next);
  }

  async #read(id: CallId): Promise<Quality | null> {
    const before = this.#readings.get(id);
    const report = await this.phone.stats(id).catch(() => null);
    const reading = report && sampleOf(report, before ?? { delay: 0, count: 0 });
    if (!reading) return null;
    this.#readings.set(id, reading);
    return before ? qualityBetween(before, reading) : null;
  }
}
