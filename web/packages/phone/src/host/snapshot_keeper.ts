/** Writes the agent's snapshot to storage: soon after a change, one write at a time, always the newest state. */

import type { HostStorage } from './storage.js';

const SOON_MS = 20;

export class SnapshotKeeper {
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> = Promise.resolve();
  #changed = false;

  constructor(
    private readonly storage: HostStorage,
    private readonly take: () => Uint8Array | null,
    private readonly warn: (message: string) => void,
  ) {}

  /** The agent may have changed. */
  touch(): void {
    this.#changed = true;
    this.#timer ??= setTimeout(() => this.#write(), SOON_MS);
  }

  /** Removes the snapshot: the agent has stopped in good order, or its snapshot is being used up. */
  async forget(): Promise<void> {
    this.#changed = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#writing;
    await this.storage.remove('snapshot').catch((error: unknown) => this.warn(`snapshot stays: ${String(error)}`));
  }

  #write(): void {
    this.#timer = null;
    if (!this.#changed) return;
    this.#changed = false;
    const agent = this.take();
    if (agent === null) return;
    const write = this.storage.write('snapshot', { savedAt: Date.now(), agent });
    this.#writing = write.catch((error: unknown) => this.warn(`snapshot not written: ${String(error)}`));
  }
}
