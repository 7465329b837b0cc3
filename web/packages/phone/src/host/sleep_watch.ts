/** Notices that the machine has slept, or that this worker was frozen: time has jumped between two looks. */

/** How often is looked: so soon after waking up it is noticed. */
export const LOOK_MS = 1_500;
/** A busy machine may be that late; sleep is longer. */
export const LATENESS_MS = 3_000;

export class SleepWatch {
  readonly #timer: ReturnType<typeof setInterval>;
  #last: number;

  /** `now` must run on through system sleep. */
  constructor(
    private readonly now: () => number,
    private readonly woke: () => void,
  ) {
    this.#last = now();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.now();
    const slept = now - this.#last > LOOK_MS + LATENESS_MS;
    this.#last = now;
    if (slept) this.woke();
  }
}
