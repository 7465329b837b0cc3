/**
 * The signalling of one account and the windows that use it. The same code in a shared worker, a dedicated worker or a
 * page.
 *
 * ```text
 * idle --start--> claiming --lock held--> running --stop--> stopping --stopped--> idle
 * ```
 * Any phase goes to `gone`, for good, when a newer release takes over, the agent fails, or the last window has left.
 */

import type { AudioDevices, CallId, CallState, ConnectionState, HostMode, MediaEvent, RegistrationState } from '../api.js';
import type { WireError } from '../error.js';
import {
  accountChannel,
  accountLock,
  hostLock,
  PROTOCOL,
  windowLock,
  type Account,
  type Command,
  type GoneReason,
  type HostPort,
  type LogLevel,
  type MediaResult,
  type ToHost,
} from '../protocol.js';
import { AccountLock } from './account_lock.js';
import type { Agent, AgentConfig, AgentModule } from './agent.js';
import { AgentRunner, type AgentListener, type OperationDone } from './agent_runner.js';
import type { HostClock } from './clock.js';
import { MediaRouter } from './media_router.js';
import type { Socket } from './sockets.js';
import type { HostStorage, SavedSnapshot } from './storage.js';
import { Windows } from './windows.js';

/** What a host needs of the place it runs in. */
export interface HostSurroundings {
  readonly mode: HostMode;
  readonly clock: HostClock;
  readonly locks: LockManager | undefined;
  loadModule(): Promise<AgentModule>;
  openSocket(url: string): Socket;
  openStorage(account: string, warn: (message: string) => void): Promise<HostStorage>;
  /** Ends the worker. */
  close(): void;
}

/** How long a host without windows keeps its calls. */
export const LINGER_WITH_CALLS_MS = 30_000;
/** How long a host without windows and calls stays registered: long enough for a reload. */
export const LINGER_IDLE_MS = 10_000;
/** A snapshot older than this is of no use: the far ends have hung up long ago. */
export const SNAPSHOT_LIFETIME_MS = 5 * 60_000;
/** How long a window may take to get its own lock before it is believed dead. */
const LOCK_GRACE_MS = 10_000;

type Phase = 'idle' | 'claiming' | 'running' | 'stopping' | 'gone';
type Hello = Extract<ToHost, { type: 'hello' }>;

/** Who waits for the reply to a request. */
interface Asker {
  readonly window: string;
  readonly request: number;
}

/** What is loaded before the first window is welcomed. */
interface Prepared {
  readonly module: AgentModule;
  readonly storage: HostStorage;
  readonly instanceId: string;
}

/** What could be done before `start`. */
type HeadStart = { readonly held: false } | { readonly held: true; readonly saved: SavedSnapshot | undefined };

const STOPPED: ConnectionState = { type: 'stopped' };
const UNREGISTERED: RegistrationState = { type: 'unregistered' };

export class SignallingHost implements AgentListener {
  readonly #id = crypto.randomUUID();
  readonly #windows = new Windows();
  readonly #media = new MediaRouter(this.#windows, (request, result) => this.#answerMedia(request, result));
  readonly #agent: AgentRunner;
  /** The lock that windows wait for in vain while this host lives; they may be told of it once it is held. */
  readonly #lifeLine: Promise<void>;

  #phase: Phase = 'idle';
  #account: Account | null = null;
  #prepared: Promise<Prepared> | null = null;
  #headStart: Promise<HeadStart> | null = null;
  #lock: AccountLock | null = null;
  #channel: BroadcastChannel | null = null;
  /** Newer windows that wait until this host may go. */
  readonly #newer: HostPort[] = [];
  #handOverWhenIdle: GoneReason | null = null;
  #agentStopped = false;
  #startAgain = false;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;

  #connection: ConnectionState = STOPPED;
  #registration: RegistrationState = UNREGISTERED;
  readonly #calls = new Map<CallId, CallState>();
  #devices: AudioDevices = {};
  #iceServers: readonly RTCIceServer[] = [];
  #visible = false;
  #online = true;

  readonly #starters: Asker[] = [];
  readonly #stoppers: Asker[] = [];

  constructor(private readonly surroundings: HostSurroundings) {
    this.#agent = new AgentRunner(surroundings.clock, (url) => surroundings.openSocket(url), this);
    this.#lifeLine = holdForEver(surroundings.locks, hostLock(this.#id));
  }

  /** Serves the window behind `port`. */
  attach(port: HostPort): void {
    let window: string | null = null;
    port.receive((message) => {
      if (message.type === 'hello') window = this.#hello(port, message) ? message.window : null;
      else if (window !== null) this.#receive(window, message);
    });
  }

  // Windows

  #hello(port: HostPort, hello: Hello): boolean {
    if (!this.#admits(port, hello)) return false;
    const id = hello.window;
    this.#adoptAccount(hello.account);
    this.#windows.add(id, port, hello.visible);
    clearTimeout(this.#lingerTimer);
    // A window that dies before it has its lock would never be missed otherwise.
    setTimeout(() => this.#missWhenGone(id), LOCK_GRACE_MS);
    this.#headStart ??= this.#getReady();
    void this.#welcome(id);
    return true;
  }

  #admits(port: HostPort, hello: Hello): boolean {
    const refuse = (reason: GoneReason): false => {
      port.send([{ type: 'gone', reason }]);
      return false;
    };
    if (this.#phase === 'gone') return refuse('outdated');
    if (hello.protocol < PROTOCOL) return refuse('replaced');
    if (hello.protocol > PROTOCOL) {
      this.#newer.push(port);
      this.#handOver('outdated');
      return false;
    }
    return this.#account === null || this.#account.key === hello.account.key || refuse('account');
  }

  async #welcome(id: string): Promise<void> {
    try {
      await Promise.all([this.#prepared, this.#lifeLine]);
    } catch (error) {
      this.failed(error);
      return;
    }
    this.#windows.welcome(id, {
      type: 'welcome',
      protocol: PROTOCOL,
      hostLock: this.surroundings.mode === 'shared-worker' ? hostLock(this.#id) : null,
      connection: this.#connection,
      registration: this.#registration,
      calls: [...this.#calls.values()],
      devices: this.#devices,
      iceServers: this.#iceServers,
    });
    if (this.#windows.has(id)) this.#media.adopt(id);
    this.#updateVisibility();
    this.settled();
  }

  #receive(window: string, message: Exclude<ToHost, Hello>): void {
    switch (message.type) {
      case 'locked':
        this.#missWhenGone(window);
        break;
      case 'start':
        this.#start({ window, request: message.request });
        break;
      case 'stop':
        this.#stoppers.push({ window, request: message.request });
        this.#stop();
        break;
      case 'call':
        this.#placeCall({ window, request: message.request }, message.call, message.target, message.displayName);
        break;
      case 'command':
        this.#command({ window, request: message.request }, message.call, message.command);
        break;
      case 'media-done':
        this.#media.done(window, message.request, message.result);
        break;
      case 'media-event':
        if (this.#media.owns(window, message.session)) this.#mediaEvent(message.session, message.event);
        break;
      case 'visible':
        this.#windows.setVisible(window, message.visible);
        this.#updateVisibility();
        break;
      case 'online':
        this.#setOnline(message.online);
        break;
      case 'resumed':
        this.#environment('resumed');
        break;
      case 'network-changed':
        this.#environment('network-changed');
        break;
      case 'update':
        this.#update(message.password, message.iceServers);
        break;
      case 'devices':
        void this.#setDevices({ window, request: message.request }, message.devices);
        break;
      case 'bye':
        this.#windowGone(window);
        break;
    }
    this.settled();
  }

  /** Learns of the window's death: whoever gets its lock outlives it. */
  #missWhenGone(window: string): void {
    if (!this.#windows.has(window)) return;
    this.surroundings.locks?.request(windowLock(window), () => this.#windowGone(window)).catch(() => undefined);
  }

  #windowGone(window: string): void {
    if (!this.#windows.remove(window)) return;
    this.#windows.elect(null);
    this.#media.windowGone(window);
    this.#updateVisibility();
    this.settled();
    if (this.#windows.count === 0) this.#linger();
  }

  #linger(): void {
    const wait = this.#calls.size > 0 ? LINGER_WITH_CALLS_MS : LINGER_IDLE_MS;
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = setTimeout(() => this.#leave(), wait);
  }

  #leave(): void {
    if (this.#windows.count > 0) return;
    if (this.#phase === 'running') this.#stop();
    else if (this.#phase !== 'stopping') this.#vanish('outdated');
  }

  // Account

  #adoptAccount(account: Account): void {
    const known = this.#account;
    this.#account = account;
    this.#iceServers = account.iceServers;
    if (known === null) {
      this.#lock = new AccountLock(this.surroundings.locks, accountLock(account.key));
      this.#listenForSuccessors(account.key);
      this.#prepared = this.#prepare(account);
      return;
    }
    if (known.password !== account.password) {
      this.#agent.drive((agent, now) => agent.setPassword(now, account.password));
    }
    if (JSON.stringify(known.iceServers) !== JSON.stringify(account.iceServers)) {
      this.#windows.broadcast({ type: 'ice-servers', iceServers: account.iceServers });
    }
  }

  async #prepare(account: Account): Promise<Prepared> {
    const warn = (message: string): void => this.log('warn', message);
    const [module, storage] = await Promise.all([
      this.surroundings.loadModule(),
      this.surroundings.openStorage(account.key, warn),
    ]);
    const [devices, known] = await Promise.all([storage.read('devices'), storage.read('instance-id')]);
    this.#devices = devices ?? {};
    const instanceId = account.instanceId ?? known ?? `urn:uuid:${crypto.randomUUID()}`;
    if (instanceId !== known) await storage.write('instance-id', instanceId);
    return { module, storage, instanceId };
  }

  #ready(): Promise<Prepared> {
    return this.#prepared ?? Promise.reject(new Error('no account yet'));
  }

  #update(password: string | undefined, iceServers: readonly RTCIceServer[] | undefined): void {
    const account = this.#account;
    if (account === null) return;
    this.#adoptAccount({
      ...account,
      password: password ?? account.password,
      iceServers: iceServers ?? account.iceServers,
    });
  }

  async #setDevices(asker: Asker, devices: AudioDevices): Promise<void> {
    this.#devices = devices;
    this.#windows.broadcast({ type: 'devices', devices });
    try {
      const { storage } = await this.#ready();
      await storage.write('devices', devices);
    } catch (error) {
      this.log('warn', `the choice of devices is not kept: ${String(error)}`);
    }
    this.#reply(asker, null);
    this.settled();
  }

  // Start and stop

  #start(asker: Asker): void {
    this.#starters.push(asker);
    if (this.#phase === 'idle') void this.#run();
    else if (this.#phase === 'stopping') this.#startAgain = true;
    else if (this.#credentialsRejected()) this.#startAfresh();
    else this.#answerStarters();
  }

  /** A second attempt after the platform refused the credentials begins with a clean agent. */
  #startAfresh(): void {
    this.#dropAgent();
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#phase = 'claiming';
    try {
      const prepared = await this.#ready();
      const { held, saved } = await this.#claim(prepared.storage);
      if (!held || !this.#isClaiming()) return;
      this.#phase = 'running';
      this.#agent.start(prepared.module, prepared.storage, this.#agentConfig(prepared), saved);
      if (!this.#online) this.#environment('offline');
      this.#environment(this.#visible ? 'visible' : 'hidden');
    } catch (error) {
      this.failed(error);
    }
  }

  /** Whether nothing has come between while something was awaited. */
  #isClaiming(): boolean {
    return this.#phase === 'claiming';
  }

  async #claim(storage: HostStorage): Promise<{ held: boolean; saved: SavedSnapshot | undefined }> {
    const headStart = await this.#headStart;
    this.#headStart = null;
    if (headStart?.held === true) return headStart;
    const held = await this.#lock?.claim(() => this.#waitForLock());
    return { held: held === true, saved: await usable(storage) };
  }

  /**
   * Before `start`: takes the account and reads what was saved, if nobody else has it. Only where all windows share
   * this host; elsewhere a window that never starts would keep the account from those that do.
   */
  async #getReady(): Promise<HeadStart> {
    if (this.surroundings.mode !== 'shared-worker' || this.#phase !== 'idle') return { held: false };
    try {
      const { storage } = await this.#ready();
      if ((await this.#lock?.claimIfFree()) !== true) return { held: false };
      return { held: true, saved: await usable(storage) };
    } catch {
      // Whoever is to be welcomed is told why nothing can be prepared.
      return { held: false };
    }
  }

  #agentConfig(prepared: Prepared): AgentConfig {
    if (this.#account === null) throw new Error('no account');
    const { addressOfRecord, displayName, authUser, password, servers } = this.#account;
    return { addressOfRecord, displayName, authUser, password, servers, instanceId: prepared.instanceId };
  }

  #waitForLock(): void {
    const reason = 'another window has the phone';
    this.connectionChanged({ type: 'waiting', attempt: 0, retryAt: Date.now(), reason });
    if (this.surroundings.mode === 'shared-worker') this.#channel?.postMessage({ type: 'hand-over', from: this.#id });
    this.settled();
  }

  #stop(): void {
    this.#startAgain = false;
    this.#refuseStarters({ code: 'disconnected', message: 'the phone was stopped' });
    if (this.#phase === 'running') {
      this.#phase = 'stopping';
      this.#agent.drive((agent, now) => agent.stop(now));
    } else if (this.#phase === 'claiming') {
      this.#rest();
    } else if (this.#phase === 'idle') {
      this.#answerStoppers();
    }
  }

  /** The agent has stopped, or never was. */
  #rest(): void {
    this.#dropAgent();
    this.#lock?.release();
    this.#headStart = null;
    this.#phase = 'idle';
    this.#answerStoppers();
    if (this.#windows.count === 0) this.#vanish('outdated');
    else if (this.#startAgain) void this.#run();
    this.#startAgain = false;
  }

  #dropAgent(): void {
    this.#agent.drop();
    this.#agentStopped = false;
    this.#media.clear();
    this.#calls.clear();
    this.connectionChanged(STOPPED);
    this.registrationChanged(UNREGISTERED);
  }

  #answerStarters(): void {
    const registration = this.#registration;
    if (registration.type === 'registered') {
      for (const asker of this.#starters.splice(0)) this.#reply(asker, null);
    } else if (registration.type === 'failed' && registration.credentialsRejected) {
      const sipStatus = registration.sipStatus ?? undefined;
      this.#refuseStarters({ code: 'refused', message: `refused: ${registration.reason}`, sipStatus });
    }
  }

  #refuseStarters(error: WireError): void {
    for (const asker of this.#starters.splice(0)) this.#reply(asker, error);
  }

  #answerStoppers(): void {
    for (const asker of this.#stoppers.splice(0)) this.#reply(asker, null);
  }

  #credentialsRejected(): boolean {
    return this.#registration.type === 'failed' && this.#registration.credentialsRejected;
  }

  // Leaving

  #listenForSuccessors(key: string): void {
    if (this.surroundings.mode !== 'shared-worker' || typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(accountChannel(key));
    this.#channel.onmessage = (event: MessageEvent<{ type?: string; from?: string } | null>) => {
      if (event.data?.type === 'hand-over' && event.data.from !== this.#id) this.#handOver('replaced');
    };
  }

  /** Makes room for another host as soon as no call is up. */
  #handOver(reason: GoneReason): void {
    this.#handOverWhenIdle = reason;
    this.settled();
  }

  #vanish(reason: GoneReason): void {
    if (this.#phase === 'gone') return;
    if (reason !== 'failed') this.#agent.drop();
    this.#phase = 'gone';
    clearTimeout(this.#lingerTimer);
    this.#channel?.close();
    this.#windows.sayGone(reason);
    for (const port of this.#newer.splice(0)) port.send([{ type: 'gone', reason: 'outdated' }]);
    this.#lock?.release();
    this.surroundings.close();
  }

  // Commands

  #placeCall(asker: Asker, call: CallId, target: string, displayName: string | undefined): void {
    this.#media.carry(call, asker.window);
    const error = this.#agent.attempt((agent, now) => agent.placeCall(now, call, target, displayName));
    if (error !== null) this.#media.callEnded(call);
    this.#reply(asker, error);
  }

  #command(asker: Asker, call: CallId, command: Command): void {
    const reply: OperationDone = (error) => this.#reply(asker, error);
    if (command.verb !== 'answer') {
      this.#agent.command((agent, now) => perform(agent, now, call, command), reply);
      return;
    }
    const before = this.#media.carrier(call);
    this.#media.carry(call, asker.window);
    this.#agent.command(
      (agent, now) => perform(agent, now, call, command),
      (error) => {
        if (error?.code === 'wrong-state') this.#media.carry(call, before);
        reply(error);
      },
    );
  }

  #reply(asker: Asker, error: WireError | null): void {
    this.#windows.send(asker.window, { type: 'reply', request: asker.request, error });
  }

  // Media

  #answerMedia(request: string, result: MediaResult): void {
    this.#agent.drive((agent, now) => {
      if ('error' in result) agent.mediaFailed(now, request, result.error.kind, result.error.detail);
      else if (result.ok.type === 'description') agent.mediaDescription(now, request, result.ok.sdp);
      else agent.mediaDone(now, request);
    });
  }

  #mediaEvent(session: string, event: MediaEvent): void {
    this.#agent.drive((agent, now) => {
      if (event.type === 'transport') agent.transportChanged(now, session, event.state);
      else if (event.type === 'microphone-lost') agent.microphoneLost(now, session, event.kind);
      else agent.microphoneRestored(now, session);
    });
  }

  #moveStrandedCalls(): void {
    const movable = (call: CallId): boolean => {
      const state = this.#calls.get(call);
      return state?.state === 'active' && !state.negotiating;
    };
    for (const call of this.#media.takeMovable(movable)) {
      const moved: OperationDone = (error) => {
        if (error !== null) this.log('warn', `the audio of a call could not be moved: ${error.message}`);
      };
      this.#agent.command((agent, now) => agent.moveMedia(now, call), moved);
    }
  }

  // Environment

  #updateVisibility(): void {
    const visible = this.#windows.anyVisible;
    if (visible === this.#visible) return;
    this.#visible = visible;
    this.#environment(visible ? 'visible' : 'hidden');
  }

  #setOnline(online: boolean): void {
    if (online === this.#online) return;
    this.#online = online;
    this.#environment(online ? 'online' : 'offline');
  }

  #environment(state: 'online' | 'offline' | 'network-changed' | 'resumed' | 'visible' | 'hidden'): void {
    this.#agent.drive((agent, now) => agent.environment(now, state));
  }

  // What the agent says

  connectionChanged(state: ConnectionState): void {
    this.#connection = state;
    this.#windows.broadcast({ type: 'connection', state });
  }

  registrationChanged(state: RegistrationState): void {
    this.#registration = state;
    this.#windows.broadcast({ type: 'registration', state });
    this.#answerStarters();
  }

  callChanged(state: CallState): void {
    this.#windows.broadcast({ type: 'call', state });
    if (state.state !== 'ended') {
      this.#calls.set(state.id, state);
      return;
    }
    this.#calls.delete(state.id);
    this.#media.callEnded(state.id);
  }

  dtmf(call: CallId, tone: string): void {
    this.#windows.broadcast({ type: 'dtmf', call, tone });
  }

  media(...[request, call, session, action]: Parameters<AgentListener['media']>): void {
    this.#media.request(request, call, session, action);
  }

  stopped(): void {
    this.#agentStopped = true;
  }

  /** After every drain and every message: what must not happen inside a drain, then the windows are told. */
  settled(): void {
    if (this.#agent.isDraining || this.#phase === 'gone') return;
    if (this.#agentStopped) this.#rest();
    this.#moveStrandedCalls();
    this.#windows.elect(this.#media.holder);
    this.#windows.flush();
    if (this.#handOverWhenIdle !== null && this.#calls.size === 0) this.#vanish(this.#handOverWhenIdle);
  }

  failed(error: unknown): void {
    this.log('error', `the signalling failed: ${String(error)}`);
    this.#vanish('failed');
  }

  log(level: LogLevel, message: string): void {
    this.#windows.broadcast({ type: 'log', level, message });
  }
}

function perform(agent: Agent, now: number, call: CallId, command: Command): string {
  switch (command.verb) {
    case 'answer':
      if (command.others === 'end') return agent.endAndAnswer(now, call);
      if (command.others === 'hold') return agent.holdAndAnswer(now, call);
      return agent.answer(now, call);
    case 'reject':
      return agent.reject(now, call, command.busy);
    case 'hang-up':
      return agent.hangUp(now, call);
    case 'hold':
      return agent.hold(now, call);
    case 'resume':
      return agent.resume(now, call);
    case 'mute':
      return agent.setMuted(now, call, command.muted);
    case 'dtmf':
      return agent.sendDtmf(now, call, command.tones);
  }
}

function holdForEver(locks: LockManager | undefined, name: string): Promise<void> {
  if (locks === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const held = (): Promise<never> => {
      resolve();
      return new Promise<never>(() => undefined);
    };
    locks.request(name, held).catch(reject);
  });
}

/** The saved snapshot, if it is recent enough to be worth restoring. */
async function usable(storage: HostStorage): Promise<SavedSnapshot | undefined> {
  const saved = await storage.read('snapshot').catch(() => undefined);
  return saved !== undefined && Date.now() - saved.savedAt < SNAPSHOT_LIFETIME_MS ? saved : undefined;
}
