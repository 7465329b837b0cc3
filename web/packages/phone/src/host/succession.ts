/**
 * Which host serves the account when several could: releases that speak different protocols, and shared workers of
 * different releases. The older one makes room, but never while a call is up.
 */

import { accountChannel, PROTOCOL, type GoneReason, type HostPort } from '../protocol.js';

/** How often newer windows that wait are told that they wait, well within the time after which they give up. */
export const PATIENCE_MS = 1_500;

export class Succession {
  readonly #id = crypto.randomUUID();
  #channel: BroadcastChannel | null = null;
  /** Newer windows that wait until this host may go. */
  readonly #newer: HostPort[] = [];
  #wanted: GoneReason | null = null;
  #consoling: ReturnType<typeof setInterval> | undefined;

  /** `wanted`: somebody is to take over as soon as that is possible. */
  constructor(private readonly wanted: () => void) {}

  /** Why this host is to leave its windows when it is idle; `null` while nobody asks it to. */
  get reason(): GoneReason | null {
    return this.#wanted;
  }

  /** Whether a window with this protocol can be served. One that is older is sent away, one that is newer waits. */
  admits(port: HostPort, protocol: number): boolean {
    if (protocol === PROTOCOL) return true;
    if (protocol < PROTOCOL) {
      port.send([{ type: 'gone', reason: 'replaced' }]);
      return false;
    }
    this.#newer.push(port);
    this.#consoling ??= setInterval(() => this.#console(), PATIENCE_MS);
    this.#want('outdated');
    return false;
  }

  /** Hears from now on when another shared worker wants the account. */
  listen(account: string): void {
    if (typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(accountChannel(account));
    this.#channel.onmessage = (event: MessageEvent<{ type?: string; from?: string } | null>) => {
      if (event.data?.type === 'hand-over' && event.data.from !== this.#id) this.#want('replaced');
    };
  }

  /** Asks the shared worker that has the account for it. */
  ask(): void {
    this.#channel?.postMessage({ type: 'hand-over', from: this.#id });
  }

  /** This host goes: newer windows may look for their own now. */
  close(): void {
    this.#channel?.close();
    clearInterval(this.#consoling);
    for (const port of this.#newer.splice(0)) port.send([{ type: 'gone', reason: 'outdated' }]);
  }

  #console(): void {
    const message = 'a call still goes on in a window of an older release';
    for (const port of this.#newer) port.send([{ type: 'log', level: 'info', message }]);
  }

  #want(reason: GoneReason): void {
    this.#wanted = reason;
    this.wanted();
  }
}
