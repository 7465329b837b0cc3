/** The windows of a host: who is there, what they are to be told, and which of them leads. */

import type { GoneReason, HostPort, ToWindow } from '../protocol.js';

interface HostWindow {
  readonly id: string;
  readonly port: HostPort;
  visible: boolean;
  /** It has been told the whole state; before that, changes mean nothing to it. */
  welcomed: boolean;
  queue: ToWindow[];
}

export class Windows {
  /** In order of arrival. */
  readonly #windows = new Map<string, HostWindow>();
  #lead: string | null = null;

  get count(): number {
    return this.#windows.size;
  }

  get anyVisible(): boolean {
    return [...this.#windows.values()].some((window) => window.visible);
  }

  /** The window that rings, and carries the media of calls that belong to no window. */
  get lead(): string | null {
    return this.#lead;
  }

  has(id: string): boolean {
    return this.#windows.has(id);
  }

  add(id: string, port: HostPort, visible: boolean): void {
    this.#windows.set(id, { id, port, visible, welcomed: false, queue: [] });
  }

  /** Sends the first message, which holds the whole state. */
  welcome(id: string, message: ToWindow): void {
    const window = this.#windows.get(id);
    if (window === undefined) return;
    window.welcomed = true;
    window.queue.push(message);
  }

  /** Forgets a window; its port is closed without a word. */
  remove(id: string): boolean {
    const window = this.#windows.get(id);
    window?.port.close();
    return this.#windows.delete(id);
  }

  setVisible(id: string, visible: boolean): void {
    const window = this.#windows.get(id);
    if (window !== undefined) window.visible = visible;
  }

  /** Queues a message; it leaves with the next `flush`. A window that is gone is not told. */
  send(id: string, message: ToWindow): void {
    const window = this.#windows.get(id);
    if (window?.welcomed) window.queue.push(message);
  }

  broadcast(message: ToWindow): void {
    for (const id of this.#windows.keys()) this.send(id, message);
  }

  /** The last message to all, those that still wait for their welcome included. */
  sayGone(reason: GoneReason): void {
    for (const { port, queue } of this.#windows.values()) port.send([...queue.splice(0), { type: 'gone', reason }]);
  }

  flush(): void {
    for (const window of this.#windows.values()) {
      if (window.queue.length > 0) window.port.send(window.queue.splice(0));
    }
  }

  /**
   * Chooses who leads and tells those for whom that changed: `holder` if there is one (it carries a call), else the
   * present lead while it is visible or nobody is, else the visible window that came last.
   */
  elect(holder: string | null): void {
    const lead = holder ?? this.#electable();
    if (lead === this.#lead) return;
    if (this.#lead !== null) this.send(this.#lead, { type: 'lead', lead: false });
    if (lead !== null) this.send(lead, { type: 'lead', lead: true });
    this.#lead = lead;
  }

  #electable(): string | null {
    const present = this.#lead === null ? undefined : this.#windows.get(this.#lead);
    if (present?.visible) return present.id;
    const all = [...this.#windows.values()].filter((window) => window.welcomed);
    return (all.findLast((window) => window.visible) ?? present ?? all.at(-1))?.id ?? null;
  }
}
