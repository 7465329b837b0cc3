/**
 * This window's membership in a signalling host: joins, keeps the window's own lock, pairs requests with replies, and
 * joins again when the host has gone.
 */

import type { HostMode } from '../api.js';
import { webLocks } from '../browser.js';
import { fromWire, PhoneError } from '../error.js';
import {
  PROTOCOL,
  windowLock,
  type Account,
  type GoneReason,
  type LogLevel,
  type ToHost,
  type ToWindow,
} from '../protocol.js';
import { hostModes, type Link, type LinkOpener } from './link.js';

export type Welcome = Extract<ToWindow, { type: 'welcome' }>;

/** What a connection tells its phone. */
export interface HostListener {
  /** The window belongs to a host, perhaps not for the first time. */
  joined(welcome: Welcome): void;
  received(messages: readonly ToWindow[]): void;
  /** The host is gone. `again`: another one is being looked for. */
  lost(reason: GoneReason, again: boolean): void;
  log(level: LogLevel, message: string): void;
}

/** The two ends of a request's promise. */
interface Promiser {
  readonly resolve: () => void;
  readonly reject: (error: PhoneError) => void;
}

/** A message that is answered by a `reply`. */
type Request = Extract<ToHost, { request: number }>;
/** The same without the number, which is given here. */
export type Ask = Request extends infer R ? (R extends Request ? Omit<R, 'request'> : never) : never;

/** How long a worker may take to say anything: one that is just closing never does, one that is busy says so. */
const WELCOME_MS = 4_000;
const REJOIN_DELAY_MS = 50;
/** More failures than this within a minute are not chance. */
const REJOINS_PER_MINUTE = 5;

export class HostConnection {
  readonly window = crypto.randomUUID();
  mode: HostMode = 'page';

  #link: Link | null = null;
  readonly #requests = new Map<number, Promiser>();
  #lastRequest = 0;
  #lockHeld = false;
  #releaseLock: (() => void) | null = null;
  #rejoins: number[] = [];
  #closed = false;

  constructor(
    private readonly account: () => Account,
    private readonly options: { readonly host: HostMode | undefined; readonly workerModule: string | URL | undefined },
    private readonly listener: HostListener,
    private readonly open: LinkOpener,
  ) {}

  /** Joins a host; rejects with `unsupported` or `worker-failed`. */
  async join(): Promise<void> {
    this.#holdLock();
    const modes = hostModes(this.options.host);
    if (modes.length === 0) throw new PhoneError('unsupported', `this browser has no ${this.options.host}`);
    let problem: unknown;
    for (const mode of modes) {
      try {
        await this.#joinAs(mode);
        return;
      } catch (error) {
        if (error instanceof Unwelcome) throw new PhoneError('worker-failed', error.message);
        problem = error;
        this.listener.log('warn', `no host as ${mode}: ${String(error)}`);
      }
    }
    throw new PhoneError('worker-failed', `the signalling cannot be started: ${String(problem)}`);
  }

  send(message: Exclude<ToHost, Request>): void {
    this.#link?.port.send(message);
  }

  /** Sends a request; resolves or rejects with its reply. */
  ask(message: Ask): Promise<void> {
    const link = this.#link;
    if (link === null) return Promise.reject(new PhoneError('worker-failed', 'the signalling is not there'));
    this.#lastRequest += 1;
    const request = this.#lastRequest;
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject });
      link.port.send({ ...message, request });
    });
  }

  /** Leaves the host for now; `join` comes back. */
  leave(): void {
    this.send({ type: 'bye' });
    this.#drop();
  }

  /** Leaves for good. */
  close(): void {
    this.#closed = true;
    this.leave();
    this.#releaseLock?.();
  }

  // A worker that was just closing when this window came never answers; the next attempt finds a fresh one.
  async #joinAs(mode: HostMode): Promise<void> {
    const attempts = mode === 'shared-worker' ? 3 : 1;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#attempt(mode);
        return;
      } catch (error) {
        this.#drop();
        if (attempt === attempts || !(error instanceof NoAnswer)) throw error;
      }
    }
  }

  async #attempt(mode: HostMode): Promise<void> {
    const link = await this.open(mode, this.account().key, this.options.workerModule);
    this.#link = link;
    this.mode = mode;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const welcomed = new Promise<void>((resolve, reject) => {
      const wait = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => reject(new NoAnswer('the worker does not answer')), WELCOME_MS);
      };
      wait();
      link.port.receive((messages) => {
        wait();
        this.#welcomed(link, messages, resolve, reject);
      });
    });
    link.port.send({
      type: 'hello',
      protocol: PROTOCOL,
      window: this.window,
      account: this.account(),
      visible: document.visibilityState === 'visible',
    });
    if (this.#lockHeld) link.port.send({ type: 'locked' });
    try {
      await Promise.race([welcomed, link.broken]);
    } finally {
      clearTimeout(timer);
    }
  }

  #welcomed(
    link: Link,
    messages: readonly ToWindow[],
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const welcome = messages.find((message) => message.type === 'welcome');
    const gone = messages.find((message) => message.type === 'gone');
    if (gone !== undefined) reject(refused(gone.reason));
    if (welcome === undefined) {
      this.#logLines(messages);
      return;
    }
    link.port.receive((batch) => this.#received(link, batch));
    this.#watch(link, welcome.hostLock);
    this.listener.joined(welcome);
    this.#received(link, messages);
    resolve();
  }

  #received(link: Link, messages: readonly ToWindow[]): void {
    if (link !== this.#link) return;
    this.#logLines(messages);
    this.listener.received(messages);
    for (const message of messages) {
      if (message.type === 'reply') this.#replied(message);
      else if (message.type === 'gone') this.#gone(link, message.reason);
    }
  }

  #replied(reply: Extract<ToWindow, { type: 'reply' }>): void {
    const request = this.#requests.get(reply.request);
    this.#requests.delete(reply.request);
    if (reply.error === null) request?.resolve();
    else request?.reject(fromWire(reply.error));
  }

  #logLines(messages: readonly ToWindow[]): void {
    for (const message of messages) if (message.type === 'log') this.listener.log(message.level, message.message);
  }

  #gone(link: Link, reason: GoneReason): void {
    if (link !== this.#link || this.#closed) return;
    this.#drop();
    const again = (reason === 'failed' || reason === 'outdated') && this.#mayRejoin();
    this.listener.lost(reason, again);
    if (again) setTimeout(() => void this.#rejoin(), REJOIN_DELAY_MS);
  }

  async #rejoin(): Promise<void> {
    if (this.#closed || this.#link !== null) return;
    try {
      await this.join();
    } catch (error) {
      this.listener.log('error', String(error));
      this.listener.lost('failed', false);
    }
  }

  #mayRejoin(): boolean {
    const now = Date.now();
    this.#rejoins = this.#rejoins.filter((at) => now - at < 60_000);
    this.#rejoins.push(now);
    return this.#rejoins.length <= REJOINS_PER_MINUTE;
  }

  #drop(): void {
    this.#link?.port.close();
    this.#link = null;
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const { reject } of requests) reject(new PhoneError('worker-failed', 'the signalling is gone'));
  }

  /** Gets the host's lock when the host is dead. */
  #watch(link: Link, lock: string | null): void {
    if (lock === null) return;
    webLocks()?.request(lock, () => this.#gone(link, 'failed')).catch(() => undefined);
  }

  /** While this window lives, the host waits for this lock in vain. */
  #holdLock(): void {
    const locks = webLocks();
    if (locks === undefined || this.#releaseLock !== null) return;
    const released = new Promise<void>((resolve) => {
      this.#releaseLock = resolve;
    });
    const held = (): Promise<void> => {
      this.#lockHeld = true;
      this.send({ type: 'locked' });
      return released;
    };
    locks.request(windowLock(this.window), held).catch(() => undefined);
  }
}

/** The worker may be on its way out; a new one would answer. */
class NoAnswer extends Error {}

/** No host would have this window, wherever it ran. */
class Unwelcome extends Error {}

function refused(reason: GoneReason): Error {
  switch (reason) {
    case 'outdated':
      return new NoAnswer('outdated');
    case 'replaced':
      return new Unwelcome('this page is of an older release: reload it');
    case 'account':
      return new Unwelcome('the worker serves another account');
    case 'failed':
      return new Error('the worker has failed');
  }
}
