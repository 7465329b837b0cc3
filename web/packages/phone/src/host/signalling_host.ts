/**
 * The signalling of one account: the core's agent, its sockets, timers and storage, and the windows that use it. The
 * same code in a shared worker, a dedicated worker or a page.
 *
 * ```text
 * idle --start--> claiming --lock held--> running --stop--> stopping --stopped--> idle
 * ```
 * Any phase goes to `gone`, for good, when a newer release takes over, the agent fails, or the last window has left.
 */

import type {
  AudioDevices,
  CallId,
  CallState,
  ConnectionState,
  HostMode,
  MediaAction,
  MediaEvent,
  RegistrationState,
} from '../api.js';
import { refusal, type WireError } from '../error.js';
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
import type { Agent, AgentConfig, AgentHost, AgentModule } from './agent.js';
import type { HostClock } from './clock.js';
import { MediaRouter } from './media_router.js';
import { SnapshotKeeper } from './snapshot_keeper.js';
import { Sockets, type Socket } from './sockets.js';
import type { HostStorage, SavedSnapshot } from './storage.js';
import { callState, connectionState, operationError, registrationState } from './translate.js';
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
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

type Phase = 'idle' | 'claiming' | 'running' | 'stopping' | 'gone';

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

const STOPPED: ConnectionState = { type: 'stopped' };
const UNREGISTERED: RegistrationState = { type: 'unregistered' };
const NOT_RUNNING: WireError = { code: 'not-connected', message: 'the phone is not started' };

export class SignallingHost {
  readonly #id = crypto.randomUUID();
  readonly #windows = new Windows();
  readonly #media = new MediaRouter(this.#windows, (request, result) => this.#answerMedia(request, result));
  readonly #sockets: Sockets;

  #phase: Phase = 'idle';
  #account: Account | null = null;
  #prepared: Promise<Prepared> | null = null;
  #lock: AccountLock | null = null;
  #channel: BroadcastChannel | null = null;
  #handOverWhenIdle: GoneReason | null = null;
  /** Newer windows that wait until this host may go. */
  readonly #newer: HostPort[] = [];

  #agent: Agent | null = null;
  #keeper: SnapshotKeeper | null = null;
  /** How deep the calls into the agent are nested. */
  #depth = 0;
  #agentStopped = false;
  #startAgain = false;

  #connection: ConnectionState = STOPPED;
  #registration: RegistrationState = UNREGISTERED;
  readonly #calls = new Map<CallId, CallState>();
  #devices: AudioDevices = {};
  #iceServers: readonly RTCIceServer[] = [];

  readonly #starters: Asker[] = [];
  readonly #stoppers: Asker[] = [];
  readonly #operations = new Map<string, Asker>();
  /** Operations that ended before the command that began them returned. */
  readonly #endedEarly = new Map<string, WireError | null>();

  #deadline: number | undefined;
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #visible = false;
  #online = true;

  constructor(private readonly surroundings: HostSurroundings) {
    this.#sockets = new Sockets(
      {
        opened: (connection) => this.#drive((agent, now) => agent.connected(now, connection)),
        text: (connection, message) => this.#drive((agent, now) => agent.receivedText(now, connection, message)),
        binary: (connection, message) => this.#drive((agent, now) => agent.receivedBinary(now, connection, message)),
        closed: (connection, reason) => this.#drive((agent, now) => agent.disconnected(now, connection, reason)),
      },
      (url) => surroundings.openSocket(url),
    );
    surroundings.locks?.request(hostLock(this.#id), () => new Promise(() => undefined)).catch(() => undefined);
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

  #hello(port: HostPort, hello: Extract<ToHost, { type: 'hello' }>): boolean {
    if (!this.#admits(port, hello)) return false;
    const id = hello.window;
    this.#adoptAccount(hello.account);
    this.#windows.add(id, port, hello.visible);
    clearTimeout(this.#lingerTimer);
    // A window that dies before it has its lock would never be missed otherwise.
    setTimeout(() => this.#missWhenGone(id), LOCK_GRACE_MS);
    void this.#welcome(id);
    return true;
  }

  #admits(port: HostPort, hello: Extract<ToHost, { type: 'hello' }>): boolean {
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
    if (this.#account !== null && this.#account.key !== hello.account.key) return refuse('account');
    return true;
  }

  async #welcome(id: string): Promise<void> {
    try {
      await this.#prepared;
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!this.#windows.has(id)) return;
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
    this.#media.adopt(id);
    this.#updateVisibility();
    this.#settle();
  }

  #receive(window: string, message: Exclude<ToHost, { type: 'hello' }>): void {
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
    this.#settle();
  }

  /** Learns of the window's death: whoever gets its lock outlives it. */
  #missWhenGone(window: string): void {
    const { locks } = this.surroundings;
    if (locks === undefined || !this.#windows.has(window)) return;
    locks.request(windowLock(window), () => this.#windowGone(window)).catch(() => undefined);
  }

  #windowGone(window: string): void {
    if (!this.#windows.remove(window)) return;
    this.#media.windowGone(window);
    this.#updateVisibility();
    this.#settle();
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
    else if (this.#phase !== 'stopping') this.#vanish();
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
      this.#prepared.catch(() => undefined);
      return;
    }
    if (known.password !== account.password) this.#changePassword(account.password);
    if (JSON.stringify(known.iceServers) !== JSON.stringify(account.iceServers)) {
      this.#windows.broadcast({ type: 'ice-servers', iceServers: account.iceServers });
    }
  }

  async #prepare(account: Account): Promise<Prepared> {
    const warn = (message: string): void => this.#log('warn', message);
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

  #update(password: string | undefined, iceServers: readonly RTCIceServer[] | undefined): void {
    const account = this.#account;
    if (account === null) return;
    this.#adoptAccount({
      ...account,
      password: password ?? account.password,
      iceServers: iceServers ?? account.iceServers,
    });
  }

  #changePassword(password: string): void {
    this.#drive((agent, now) => agent.setPassword(now, password));
  }

  async #setDevices(asker: Asker, devices: AudioDevices): Promise<void> {
    this.#devices = devices;
    this.#windows.broadcast({ type: 'devices', devices });
    try {
      const { storage } = await this.#ready();
      await storage.write('devices', devices);
    } catch (error) {
      this.#log('warn', `the choice of devices is not kept: ${String(error)}`);
    }
    this.#reply(asker, null);
    this.#settle();
  }

  #ready(): Promise<Prepared> {
    return this.#prepared ?? Promise.reject(new Error('no account yet'));
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
    this.#phase = 'idle';
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#phase = 'claiming';
    try {
      const prepared = await this.#ready();
      const held = await this.#lock?.claim(() => this.#waitForLock());
      if (held !== true || !this.#isClaiming()) return;
      const saved = await usable(prepared.storage);
      if (!this.#isClaiming()) return;
      this.#phase = 'running';
      this.#begin(prepared, saved);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Whether nothing has come between while something was awaited. */
  #isClaiming(): boolean {
    return this.#phase === 'claiming';
  }

  #begin(prepared: Prepared, saved: SavedSnapshot | undefined): void {
    this.#keeper = new SnapshotKeeper(
      prepared.storage,
      () => this.#snapshot(),
      (message) => this.#log('warn', message),
    );
    const config = this.#agentConfig(prepared);
    const restored = saved === undefined ? null : this.#restore(prepared, config, saved);
    this.#agent = restored ?? prepared.module.create(this.#agentHost(), config, seed());
    this.#drive((agent, now) => agent.start(now));
    if (!this.#online) this.#environment('offline');
    if (this.#visible) this.#environment('visible');
    this.#settle();
  }

  #restore(prepared: Prepared, config: AgentConfig, saved: SavedSnapshot): Agent | null {
    // Used up before it is used: a snapshot that makes the agent fail must not do so again.
    void this.#keeper?.forget();
    const now = this.surroundings.clock.now();
    const asleep = Math.max(0, Date.now() - saved.savedAt);
    try {
      return prepared.module.restore(this.#agentHost(), config, saved.agent, seed(), now, asleep);
    } catch (error) {
      this.#log('warn', `the saved state is of no use: ${String(error)}`);
      return null;
    }
  }

  #snapshot(): Uint8Array | null {
    let snapshot: Uint8Array | null = null;
    this.#drive((agent, now) => {
      snapshot = agent.snapshot(now);
    });
    return snapshot;
  }

  #agentConfig(prepared: Prepared): AgentConfig {
    if (this.#account === null) throw new Error('no account');
    const { addressOfRecord, displayName, authUser, password, servers } = this.#account;
    return { addressOfRecord, displayName, authUser, password, servers, instanceId: prepared.instanceId };
  }

  #waitForLock(): void {
    const reason = 'another window has the phone';
    this.#setConnection({ type: 'waiting', attempt: 0, retryAt: Date.now(), reason });
    if (this.surroundings.mode === 'shared-worker') this.#channel?.postMessage({ type: 'hand-over', from: this.#id });
    this.#settle();
  }

  #stop(): void {
    this.#startAgain = false;
    this.#refuseStarters({ code: 'disconnected', message: 'the phone was stopped' });
    if (this.#phase === 'running') {
      this.#phase = 'stopping';
      this.#drive((agent, now) => agent.stop(now));
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
    this.#phase = 'idle';
    this.#answerStoppers();
    if (this.#windows.count === 0) this.#vanish();
    else if (this.#startAgain) void this.#run();
    this.#startAgain = false;
  }

  #dropAgent(): void {
    clearTimeout(this.#wakeTimer);
    this.#deadline = undefined;
    this.#sockets.closeAll();
    void this.#keeper?.forget();
    this.#keeper = null;
    this.#agent?.free();
    this.#agent = null;
    this.#agentStopped = false;
    this.#media.clear();
    this.#calls.clear();
    for (const asker of this.#operations.values()) this.#reply(asker, NOT_RUNNING);
    this.#operations.clear();
    this.#setConnection(STOPPED);
    this.#setRegistration(UNREGISTERED);
  }

  #answerStarters(): void {
    const registration = this.#registration;
    if (registration.type === 'registered') {
      for (const asker of this.#starters.splice(0)) this.#reply(asker, null);
    } else if (this.#credentialsRejected() && registration.type === 'failed') {
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
    this.#settle();
  }

  #fail(error: unknown): void {
    if (this.#phase === 'gone') return;
    this.#log('error', `the signalling failed: ${String(error)}`);
    // After a trap the agent cannot even be freed; its snapshot stays for the host that follows.
    this.#agent = null;
    this.#keeper = null;
    this.#vanish('failed');
  }

  #vanish(reason: GoneReason = 'outdated'): void {
    const agent = this.#agent;
    if (agent !== null) this.#dropAgent();
    this.#phase = 'gone';
    clearTimeout(this.#wakeTimer);
    clearTimeout(this.#lingerTimer);
    this.#sockets.closeAll();
    this.#channel?.close();
    this.#windows.sayGone(reason);
    for (const port of this.#newer.splice(0)) port.send([{ type: 'gone', reason: 'outdated' }]);
    this.#lock?.release();
    this.surroundings.close();
  }

  // Commands

  #placeCall(asker: Asker, call: CallId, target: string, displayName: string | undefined): void {
    this.#media.carry(call, asker.window);
    const error = this.#try((agent, now) => agent.placeCall(now, call, target, displayName));
    if (error !== null) this.#media.callEnded(call);
    this.#reply(asker, error);
  }

  #command(asker: Asker, call: CallId, command: Command): void {
    const before = this.#media.carrier(call);
    if (command.verb === 'answer') this.#media.carry(call, asker.window);
    let operation = '';
    this.#endedEarly.clear();
    const error = this.#try((agent, now) => {
      operation = perform(agent, now, call, command);
    });
    if (error !== null) {
      if (command.verb === 'answer') this.#media.carry(call, before);
      this.#reply(asker, error);
      return;
    }
    const ended = this.#endedEarly.get(operation);
    if (ended === undefined) this.#operations.set(operation, asker);
    else this.#reply(asker, ended);
  }

  #reply(asker: Asker, error: WireError | null): void {
    this.#windows.send(asker.window, { type: 'reply', request: asker.request, error });
  }

  // Media

  #answerMedia(request: string, result: MediaResult): void {
    this.#drive((agent, now) => {
      if ('error' in result) agent.mediaFailed(now, request, result.error.kind, result.error.detail);
      else if (result.ok.type === 'description') agent.mediaDescription(now, request, result.ok.sdp);
      else agent.mediaDone(now, request);
    });
  }

  #mediaEvent(session: string, event: MediaEvent): void {
    this.#drive((agent, now) => {
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
      const error = this.#try((agent, now) => void agent.moveMedia(now, call));
      if (error !== null) this.#log('warn', `the audio of a call could not be moved: ${error.message}`);
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

  #environment(state: 'online' | 'offline' | 'resumed' | 'visible' | 'hidden'): void {
    this.#drive((agent, now) => agent.environment(now, state));
  }

  // The agent

  /** Calls into the agent, if it runs. What it wants done has been done, or queued, on return. */
  #drive(act: (agent: Agent, now: number) => void): void {
    this.#try(act);
  }

  /** The same for commands: the reason of a refusal, or `null`. */
  #try(act: (agent: Agent, now: number) => void): WireError | null {
    const agent = this.#agent;
    if (agent === null) return NOT_RUNNING;
    this.#depth += 1;
    try {
      act(agent, this.surroundings.clock.now());
      return null;
    } catch (thrown) {
      const error = refusal(thrown);
      if (error !== undefined) return error;
      this.#fail(thrown);
      return { code: 'worker-failed', message: 'the signalling failed' };
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.#settle();
    }
  }

  /** After every drain: what must not happen inside one, then the windows are told. */
  #settle(): void {
    if (this.#depth > 0 || this.#phase === 'gone') return;
    if (this.#agentStopped) {
      this.#agentStopped = false;
      this.#rest();
    }
    this.#moveStrandedCalls();
    this.#windows.elect(this.#media.holder);
    this.#windows.flush();
    if (this.#handOverWhenIdle !== null && this.#calls.size === 0) this.#vanish(this.#handOverWhenIdle);
  }

  #agentHost(): AgentHost {
    return {
      connect: (connection, url) => this.#sockets.open(connection, url),
      transmit: (connection, message) => {
        this.#keeper?.touch();
        this.#sockets.send(connection, message);
      },
      disconnect: (connection) => this.#sockets.close(connection),
      media: (request, call, session, action) => {
        this.#media.request(request, call, session, JSON.parse(action) as MediaAction);
      },
      connection: (state) => this.#setConnection(connectionState(state, this.#epoch)),
      registration: (state) => {
        this.#setRegistration(registrationState(state, this.#epoch));
        this.#answerStarters();
      },
      call: (id, info) => this.#setCall(callState(id, info, this.#epoch)),
      dtmf: (call, tone) => this.#windows.broadcast({ type: 'dtmf', call, tone }),
      operationDone: (operation, error) => this.#operationDone(operation, error),
      stopped: () => {
        this.#agentStopped = true;
      },
      dropped: (_connection, why) => this.#log('debug', `a message was dropped: ${why}`),
      idle: (deadline) => this.#armTimer(deadline),
      hostFailed: (error) => this.#log('error', `the host failed: ${String(error)}`),
    };
  }

  readonly #epoch = (micros: number): number => this.surroundings.clock.toEpoch(micros / 1_000);

  #setConnection(state: ConnectionState): void {
    this.#connection = state;
    this.#windows.broadcast({ type: 'connection', state });
  }

  #setRegistration(state: RegistrationState): void {
    this.#registration = state;
    this.#windows.broadcast({ type: 'registration', state });
  }

  #setCall(state: CallState): void {
    this.#keeper?.touch();
    this.#windows.broadcast({ type: 'call', state });
    if (state.state !== 'ended') {
      this.#calls.set(state.id, state);
      return;
    }
    this.#calls.delete(state.id);
    this.#media.callEnded(state.id);
  }

  #operationDone(operation: string, error: string | undefined): void {
    const result = error === undefined ? null : operationError(error);
    const asker = this.#operations.get(operation);
    if (asker === undefined) {
      this.#endedEarly.set(operation, result);
      return;
    }
    this.#operations.delete(operation);
    this.#reply(asker, result);
  }

  #armTimer(deadline: number | undefined): void {
    if (deadline === this.#deadline) return;
    this.#deadline = deadline;
    clearTimeout(this.#wakeTimer);
    if (deadline === undefined) return;
    const wait = Math.min(Math.max(0, deadline - this.surroundings.clock.now()), LONGEST_TIMEOUT_MS);
    this.#wakeTimer = setTimeout(() => this.#wake(), wait);
  }

  #wake(): void {
    this.#deadline = undefined;
    this.#drive((agent, now) => agent.wake(now));
  }

  #log(level: LogLevel, message: string): void {
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

/** The saved snapshot, if it is recent enough to be worth restoring. */
async function usable(storage: HostStorage): Promise<SavedSnapshot | undefined> {
  const saved = await storage.read('snapshot').catch(() => undefined);
  return saved !== undefined && Date.now() - saved.savedAt < SNAPSHOT_LIFETIME_MS ? saved : undefined;
}

function seed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}
