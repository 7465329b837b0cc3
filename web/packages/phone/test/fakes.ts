/** A signalling host without a network: fake module, sockets, storage and locks. Time is vitest's. */

import { vi } from 'vitest';
import type { HostMode } from '../src/api.js';
import type { Agent, AgentConfig, AgentHost, AgentModule } from '../src/host/agent.js';
import { HostClock } from '../src/host/clock.js';
import type { NetworkNews } from '../src/host/network_watch.js';
import type { HostSurroundings } from '../src/host/surroundings.js';
import type { Socket } from '../src/host/sockets.js';
import { MemoryStorage } from '../src/host/storage.js';
import { PROTOCOL, portPair, type Account, type ToHost, type ToWindow, type WindowPort } from '../src/protocol.js';

/** One microsecond count of the core for a moment of the (fake) wall clock. */
export const micros = (millis: number): number => millis * 1_000;

/** Records commands; tests say what comes of them through `host`. */
export class FakeAgent implements Agent {
  readonly log: string[] = [];
  /** Thrown by the next command, as the core throws its refusals. */
  refusal: unknown = null;
  freed = false;
  /** Run inside the next call, as the outputs of that drain. */
  outputs: ((host: AgentHost) => void)[] = [];
  #operations = 0;

  constructor(
    readonly host: AgentHost,
    readonly config: AgentConfig,
    readonly restoredFrom: Uint8Array | null,
  ) {}

  start = this.#input('start');
  stop = this.#input('stop');
  wake = this.#input('wake');
  connected = this.#input('connected');
  disconnected = this.#input('disconnected');
  receivedText = this.#input('receivedText');
  receivedBinary = this.#input('receivedBinary');
  environment = this.#input('environment');
  mediaDescription = this.#input('mediaDescription');
  mediaDone = this.#input('mediaDone');
  mediaFailed = this.#input('mediaFailed');
  transportChanged = this.#input('transportChanged');
  candidatesFound = this.#input('candidatesFound');
  microphoneLost = this.#input('microphoneLost');
  microphoneRestored = this.#input('microphoneRestored');
  placeCall = this.#input('placeCall');
  pull = this.#input('pull');
  askForDevices = this.#input('askForDevices');
  setPassword = this.#input('setPassword');
  setToken = this.#input('setToken');
  answer = this.#command('answer');
  endAndAnswer = this.#command('endAndAnswer');
  holdAndAnswer = this.#command('holdAndAnswer');
  reject = this.#command('reject');
  hangUp = this.#command('hangUp');
  hold = this.#command('hold');
  resume = this.#command('resume');
  swapTo = this.#command('swapTo');
  transfer = this.#command('transfer');
  push = this.#command('push');
  transferTo = this.#command('transferTo');
  consult = this.#command('consult');
  cancelTransfer = this.#command('cancelTransfer');
  decideTransfer = this.#command('decideTransfer');
  setMuted = this.#command('setMuted');
  sendDtmf = this.#command('sendDtmf');
  moveMedia = this.#command('moveMedia');
  merge = this.#command('merge');
  split = this.#command('split');
  leaveConference = this.#command('leaveConference');
  addParticipant = this.#command('addParticipant');
  removeParticipant = this.#command('removeParticipant');

  snapshot(): Uint8Array {
    return new Uint8Array([1, 2, 3]);
  }

  free(): void {
    this.freed = true;
  }

  #drain(): void {
    for (const output of this.outputs.splice(0)) output(this.host);
    this.host.idle(undefined);
  }

  #input(name: string): (now: number, ...rest: unknown[]) => void {
    return (_now, ...rest) => {
      this.#do(name, rest);
      this.#drain();
    };
  }

  #command(name: string): (now: number, ...rest: unknown[]) => string {
    return (_now, ...rest) => {
      this.#do(name, rest);
      this.#operations += 1;
      const operation = `op${this.#operations}`;
      this.#drain();
      return operation;
    };
  }

  #do(name: string, rest: unknown[]): void {
    const { refusal } = this;
    this.refusal = null;
    // eslint-disable-next-line @typescript-eslint/only-throw-error -- the core throws its refusals as plain codes
    if (refusal !== null) throw refusal;
    this.log.push([name, ...rest].join(' ').trim());
  }
}

/** Where hosts live that share storage and locks: one browser profile. */
export class FakePlace {
  readonly agents: FakeAgent[] = [];
  readonly storage = new MemoryStorage();
  readonly locks = new FakeLocks();
  readonly sockets: FakeSocket[] = [];
  /** Tells the hosts of this place about the network. */
  readonly network = new Set<(news: NetworkNews) => void>();
  closed = 0;

  surroundings(mode: HostMode = 'shared-worker'): HostSurroundings {
    return {
      mode,
      clock: new HostClock(),
      locks: this.locks as unknown as LockManager,
      loadModule: () => Promise.resolve(this.#module()),
      openSocket: (url) => {
        const socket = new FakeSocket(url);
        this.sockets.push(socket);
        return socket;
      },
      watchNetwork: (tell) => {
        this.network.add(tell);
        return () => this.network.delete(tell);
      },
      openStorage: () => Promise.resolve(this.storage),
      close: () => {
        this.closed += 1;
      },
    };
  }

  get agent(): FakeAgent {
    const agent = this.agents.at(-1);
    if (agent === undefined) throw new Error('no agent yet');
    return agent;
  }

  #module(): AgentModule {
    const make = (host: AgentHost, config: AgentConfig, snapshot: Uint8Array | null): FakeAgent => {
      const agent = new FakeAgent(host, config, snapshot);
      this.agents.push(agent);
      return agent;
    };
    return {
      create: (host, config) => make(host, config, null),
      restore: (host, config, snapshot) => make(host, config, snapshot),
    };
  }
}

export class FakeSocket implements Socket {
  onopen: WebSocket['onopen'] = null;
  onmessage: WebSocket['onmessage'] = null;
  onclose: WebSocket['onclose'] = null;
  onerror: WebSocket['onerror'] = null;
  binaryType: BinaryType = 'blob';
  readyState = 0 as WebSocket['readyState'];
  readonly sent: unknown[] = [];

  constructor(readonly url: string) {}

  send(message: unknown): void {
    this.sent.push(message);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.call(this as unknown as WebSocket, new Event('open'));
  }

  receive(data: unknown): void {
    this.onmessage?.call(this as unknown as WebSocket, new MessageEvent('message', { data }));
  }

  fail(code: number, reason: string): void {
    this.readyState = 3;
    this.onclose?.call(this as unknown as WebSocket, { code, reason } as CloseEvent);
  }
}

/** Web Locks, exclusive mode only. */
export class FakeLocks {
  readonly #queues = new Map<string, (() => void)[]>();

  async request(name: string, ...rest: unknown[]): Promise<unknown> {
    const callback = rest.at(-1) as (lock: object | null) => unknown;
    const options = (rest.length > 1 ? rest[0] : {}) as LockOptions;
    const queue = this.#queues.get(name);
    if (queue !== undefined && options.ifAvailable === true) return callback(null);
    if (queue !== undefined) await this.#turn(queue, options.signal ?? undefined);
    else this.#queues.set(name, []);
    try {
      return await callback({ name });
    } finally {
      this.#release(name);
    }
  }

  isHeld(name: string): boolean {
    return this.#queues.has(name);
  }

  #turn(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      queue.push(resolve);
      signal?.addEventListener('abort', () => {
        queue.splice(queue.indexOf(resolve), 1);
        reject(new DOMException('aborted', 'AbortError'));
      });
    });
  }

  #release(name: string): void {
    const next = this.#queues.get(name)?.shift();
    if (next === undefined) this.#queues.delete(name);
    else next();
  }
}

export const ACCOUNT: Account = {
  key: 'alice',
  addressOfRecord: 'sip:alice@example.com',
  displayName: 'Alice',
  authUser: 'alice',
  password: 'secret',
  servers: ['wss://example.com/sip'],
  instanceId: undefined,
  iceServers: [],
};

/** A window that speaks the protocol by hand. */
export class FakeWindow {
  readonly got: ToWindow[] = [];
  #request = 0;

  constructor(
    readonly name: string,
    private readonly attach: (port: ReturnType<typeof portPair>['host']) => void,
    private readonly account: Account = ACCOUNT,
  ) {}

  #port: WindowPort | null = null;

  async join(options: { protocol?: number; visible?: boolean } = {}): Promise<void> {
    const ports = portPair();
    this.#port = ports.window;
    ports.window.receive((messages) => this.got.push(...messages));
    this.attach(ports.host);
    const { protocol = PROTOCOL, visible = true } = options;
    this.send({ type: 'hello', protocol, window: this.name, account: this.account, visible });
    await settle();
  }

  send(message: ToHost): void {
    this.#port?.send(message);
  }

  /** Sends a request and returns its number. */
  async ask(message: Record<string, unknown> & { type: string }): Promise<number> {
    this.#request += 1;
    this.send({ ...message, request: this.#request } as unknown as ToHost);
    await settle();
    return this.#request;
  }

  /** The reply to a request: `undefined` while there is none, `null` for success. */
  reply(request: number): unknown {
    const reply = this.got.find((message) => message.type === 'reply' && message.request === request);
    return reply?.type === 'reply' ? reply.error : undefined;
  }

  all<T extends ToWindow['type']>(type: T): Extract<ToWindow, { type: T }>[] {
    return this.got.filter((message): message is Extract<ToWindow, { type: T }> => message.type === type);
  }

  last<T extends ToWindow['type']>(type: T): Extract<ToWindow, { type: T }> | undefined {
    return this.all(type).at(-1);
  }
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** A call's state as the core writes it. */
export function callInfo(change: Record<string, unknown> = {}): string {
  return JSON.stringify({
    id: 123456789012345680,
    direction: 'incoming',
    remote: { displayName: 'Bob', user: 'bob', uri: 'sip:bob@example.com' },
    anonymous: false,
    divertedBy: [],
    redirectedTo: null,
    alert: null,
    state: 'incoming',
    muted: false,
    localHold: false,
    remoteHold: false,
    conference: null,
    focus: false,
    participants: [],
    negotiating: false,
    reconnecting: false,
    media: 'new',
    microphoneProblem: null,
    earlyMedia: false,
    waiting: false,
    transferable: true,
    transfer: null,
    transferRequest: null,
    transferredBy: null,
    succeeds: null,
    createdAt: micros(Date.now()),
    answeredAt: null,
    end: null,
    ...change,
  });
}

export const REGISTERED = JSON.stringify({ type: 'registered', expiresAt: 0, bindings: 1 });
export const CONNECTED = JSON.stringify({ type: 'connected' });
