/**
 * Drives one agent after another: its sockets, its timer, its snapshot, and the operations that its commands begin. What
 * the agent has to say goes to a listener; when a drain is over, `settled` says so, and only then may the listener do
 * what must not happen inside one.
 */

import type { CallId, CallState, ConnectionState, MediaAction, OwnDevice, RegistrationState, RemoteCall, TokenNeed } from '../api.js';
import { refusal, type WireError } from '../error.js';
import type { LogLevel } from '../protocol.js';
import type { Agent, AgentConfig, AgentHost, AgentModule } from './agent.js';
import type { HostClock } from './clock.js';
import { SnapshotKeeper } from './snapshot_keeper.js';
import { Sockets, type Socket } from './sockets.js';
import type { HostStorage, SavedSnapshot } from './storage.js';
import { callState, connectionState, operationError, registrationState, remoteCalls } from './translate.js';

/** What an agent says. */
export interface AgentListener {
  connectionChanged(state: ConnectionState): void;
  registrationChanged(state: RegistrationState): void;
  callChanged(state: CallState): void;
  dtmf(call: CallId, tone: string): void;
  remoteCallsChanged(calls: readonly RemoteCall[]): void;
  ownDevicesChanged(devices: readonly OwnDevice[]): void;
  tokenWanted(need: TokenNeed): void;
  media(request: string, call: CallId, session: string, action: MediaAction): void;
  stopped(): void;
  /** A drain is over. */
  settled(): void;
  /** The agent has failed by a bug and is gone. */
  failed(error: unknown): void;
  log(level: LogLevel, message: string): void;
}

/** Tells how an operation ended. */
export type OperationDone = (error: WireError | null) => void;

const NOT_RUNNING: WireError = { code: 'not-connected', message: 'the phone is not started' };
const FAILED: WireError = { code: 'worker-failed', message: 'the signalling failed' };
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export class AgentRunner {
  readonly #sockets: Sockets;
  #agent: Agent | null = null;
  #keeper: SnapshotKeeper | null = null;
  /** How deep the calls into the agent are nested. */
  #depth = 0;
  #deadline: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #operations = new Map<string, OperationDone>();
  /** Operations that ended before the command that began them returned. */
  readonly #endedEarly = new Map<string, WireError | null>();

  constructor(
    private readonly clock: HostClock,
    openSocket: (url: string) => Socket,
    private readonly listener: AgentListener,
  ) {
    this.#sockets = new Sockets(
      {
        opened: (connection) => this.drive((agent, now) => agent.connected(now, connection)),
        text: (connection, message) => this.drive((agent, now) => agent.receivedText(now, connection, message)),
        binary: (connection, message) => this.drive((agent, now) => agent.receivedBinary(now, connection, message)),
        closed: (connection, reason) => this.drive((agent, now) => agent.disconnected(now, connection, reason)),
      },
      openSocket,
    );
  }

  /** Starts a new agent, or the one that was saved. */
  start(module: AgentModule, storage: HostStorage, config: AgentConfig, saved: SavedSnapshot | undefined): void {
    const warn = (message: string): void => this.listener.log('warn', message);
    this.#keeper = new SnapshotKeeper(storage, () => this.#snapshot(), warn);
    const restored = saved === undefined ? null : this.#restore(module, config, saved);
    this.#agent = restored ?? module.create(this.#host(), config, seed());
    this.drive((agent, now) => agent.start(now));
  }

  /** Lets go of the agent. Not from within a drain. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#deadline = undefined;
    this.#sockets.closeAll();
    void this.#keeper?.forget();
    this.#keeper = null;
    this.#agent?.free();
    this.#agent = null;
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const done of operations) done(NOT_RUNNING);
  }

  /** Calls into the agent, if one runs. What it wants done has been done, or queued, on return. */
  drive(act: (agent: Agent, now: number) => void): void {
    this.attempt(act);
  }

  /** The same for what can be refused: the reason of the refusal, or `null`. */
  attempt(act: (agent: Agent, now: number) => void): WireError | null {
    const agent = this.#agent;
    if (agent === null) return NOT_RUNNING;
    this.#depth += 1;
    try {
      act(agent, this.clock.now());
      return null;
    } catch (thrown) {
      const error = refusal(thrown);
      if (error !== undefined) return error;
      this.#fail(thrown);
      return FAILED;
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.listener.settled();
    }
  }

  /** Gives a command; `done` is told once how it ended, be it refused at once. */
  command(begin: (agent: Agent, now: number) => string, done: OperationDone): void {
    let operation = '';
    this.#endedEarly.clear();
    const error = this.attempt((agent, now) => {
      operation = begin(agent, now);
    });
    const ended = this.#endedEarly.get(operation);
    if (error !== null) done(error);
    else if (ended !== undefined) done(ended);
    else this.#operations.set(operation, done);
  }

  get isDraining(): boolean {
    return this.#depth > 0;
  }

  #restore(module: AgentModule, config: AgentConfig, saved: SavedSnapshot): Agent | null {
    // Used up before it is used: a snapshot that makes the agent fail must not do so again.
    void this.#keeper?.forget();
    const asleep = Math.max(0, Date.now() - saved.savedAt);
    try {
      return module.restore(this.#host(), config, saved.agent, seed(), this.clock.now(), asleep);
    } catch (error) {
      this.listener.log('warn', `the saved state is of no use: ${String(error)}`);
      return null;
    }
  }

  #snapshot(): Uint8Array | null {
    let snapshot: Uint8Array | null = null;
    this.drive((agent, now) => {
      snapshot = agent.snapshot(now);
    });
    return snapshot;
  }

  /** After a trap the agent cannot even be freed. Its snapshot stays, for the host that follows. */
  #fail(error: unknown): void {
    this.#agent = null;
    this.#keeper = null;
    clearTimeout(this.#timer);
    this.#sockets.closeAll();
    this.listener.failed(error);
  }

  #host(): AgentHost {
    const { listener } = this;
    return {
      connect: (connection, url) => this.#sockets.open(connection, url),
      transmit: (connection, message) => {
        this.#keeper?.touch();
        this.#sockets.send(connection, message);
      },
      disconnect: (connection) => this.#sockets.close(connection),
      media: (request, call, session, action) =>
        listener.media(request, call, session, JSON.parse(action) as MediaAction),
      connection: (state) => listener.connectionChanged(connectionState(state, this.#epoch)),
      registration: (state) => listener.registrationChanged(registrationState(state, this.#epoch)),
      call: (id, info, consulted, succeeds) => {
        this.#keeper?.touch();
        listener.callChanged(callState(id, info, { consulted, succeeds }, this.#epoch));
      },
      dtmf: (call, tone) => listener.dtmf(call, tone),
      remoteCalls: (calls) => listener.remoteCallsChanged(remoteCalls(calls, this.#epoch)),
      ownDevices: (devices) => listener.ownDevicesChanged(JSON.parse(devices) as OwnDevice[]),
      tokenWanted: (need) => listener.tokenWanted(JSON.parse(need) as TokenNeed),
      operationDone: (operation, error) => this.#operationDone(operation, error),
      stopped: () => listener.stopped(),
      dropped: (_connection, why, unreported) =>
        listener.log('debug', `a message was dropped: ${why}${unreported > 0 ? `, and ${unreported} others` : ''}`),
      idle: (deadline) => this.#armTimer(deadline),
      hostFailed: (error) => listener.log('error', `the host failed: ${String(error)}`),
    };
  }

  readonly #epoch = (micros: number): number => this.clock.toEpoch(micros / 1_000);

  #operationDone(operation: string, error: string | undefined): void {
    const result = error === undefined ? null : operationError(error);
    const done = this.#operations.get(operation);
    if (done === undefined) {
      this.#endedEarly.set(operation, result);
      return;
    }
    this.#operations.delete(operation);
    done(result);
  }

  #armTimer(deadline: number | undefined): void {
    if (deadline === this.#deadline) return;
    this.#deadline = deadline;
    clearTimeout(this.#timer);
    if (deadline === undefined) return;
    const wait = Math.min(Math.max(0, deadline - this.clock.now()), LONGEST_TIMEOUT_MS);
    this.#timer = setTimeout(() => {
      this.#deadline = undefined;
      this.drive((agent, now) => agent.wake(now));
    }, wait);
  }
}

function seed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}
