/**
 * The host's clock: milliseconds that never go back and run through system sleep. `performance.now()` stops in sleep
 * on some systems, which would make an expired registration look valid, so this is the wall clock with a guard.
 */
export class HostClock {
  #offset = 0;
  #last = 0;

  constructor(private readonly wall: () => number = () => Date.now()) {}

  /** Now, on this clock. */
  now(): number {
    let now = this.wall() + this.#offset;
    if (now < this.#last) {
      // Somebody set the wall clock back: time stands still here for a moment, then runs on beside it.
      this.#offset += this.#last - now;
      now = this.#last;
    }
    this.#last = now;
    return now;
  }

  /** A moment of this clock as milliseconds since the Unix epoch. */
  toEpoch(moment: number): number {
    return moment - this.#offset;
  }
}
