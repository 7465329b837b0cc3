/** Exclusive right to an account: one host at a time connects for it, whatever kind of host it is. */
export class AccountLock {
  #release: (() => void) | null = null;
  #waiting: AbortController | null = null;

  constructor(
    private readonly locks: LockManager | undefined,
    private readonly name: string,
  ) {}

  /** Takes the right unless another host has it. */
  async claimIfFree(): Promise<boolean> {
    if (this.locks === undefined || this.#release !== null) return true;
    return this.#request({ ifAvailable: true });
  }

  /** Resolves with `true` when the right is held, with `false` if `release` came first. `busy`: another host has it. */
  async claim(busy: () => void): Promise<boolean> {
    if (await this.claimIfFree()) return true;
    busy();
    this.#waiting = new AbortController();
    try {
      return await this.#request({ signal: this.#waiting.signal });
    } catch {
      return false;
    } finally {
      this.#waiting = null;
    }
  }

  /** Gives the right back, or stops waiting for it. */
  release(): void {
    this.#waiting?.abort();
    this.#release?.();
    this.#release = null;
  }

  #request(options: LockOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const held = (lock: Lock | null): Promise<void> | undefined => {
        resolve(lock !== null);
        if (lock === null) return undefined;
        return new Promise((release) => {
          this.#release = release;
        });
      };
      this.locks?.request(this.name, options, held).catch(reject);
    });
  }
}
