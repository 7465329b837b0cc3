/**
 * The agent of one account from start to stop, and what is known of it for the windows.
 *
 * ```text
 * idle --start--> claiming --lock held--> running --stop--> stopping --stopped--> idle
 * ```
 */

import type { AudioDevices, CallId, CallState, ConnectionState, OwnDevice, RegistrationState, RemoteCall, TokenNeed } from '../api.js';
import type { WireError } from '../error.js';
import { accountLock, type Account, type LogLevel, type ToWindow } from '../protocol.js';
import { AccountLock } from './account_lock.js';
import type { AgentConfig } from './agent.js';
import { AgentRunner, type AgentListener } from './agent_runner.js';
import type { NetworkNews } from './network_watch.js';
import { prepare, usableSnapshot, type Prepared } from './preparation.js';
import type { HostStorage, SavedSnapshot } from './storage.js';
import type { HostSurroundings } from './surroundings.js';

/** What the agent of an account tells its host. */
export interface AccountAgentListener extends Pick<AgentListener, 'media' | 'settled' | 'failed' | 'log'> {
  /** A change that every window wants to know. */
  changed(message: ToWindow): void;
  callEnded(call: CallId): void;
  /** Another host has the account. */
  accountBusy(): void;
  /** The agent is gone, with its calls and media. */
  dropped(): void;
  /** The agent has stopped in good order, or never was. */
  rested(): void;
}

/** Tells who asked for it how something ended. */
export type Reply = (error: WireError | null) => void;

type Phase = 'idle' | 'claiming' | 'running' | 'stopping';

/** What could be done before `start`. */
type HeadStart = { readonly held: false } | { readonly held: true; readonly saved: SavedSnapshot | undefined };

const STOPPED: ConnectionState = { type: 'stopped' };
const UNREGISTERED: RegistrationState = { type: 'unregistered' };

export class AccountAgent implements AgentListener {
  readonly runner: AgentRunner;
  /** Rejects when nothing can ever run here. */
  readonly prepared: Promise<Prepared>;

  readonly #lock: AccountLock;
  #headStart: Promise<HeadStart> | null;
  #phase: Phase = 'idle';
  /** The agent said so inside a drain; acted upon when that is over. */
  #stopped = false;
  #startAgain = false;

  #connection: ConnectionState = STOPPED;
  #registration: RegistrationState = UNREGISTERED;
  readonly #calls = new Map<CallId, CallState>();
  #remoteCalls: readonly RemoteCall[] = [];
  #ownDevices: readonly OwnDevice[] = [];
  #devices: AudioDevices = {};
  #visible = false;
  #online = true;

  readonly #starters: Reply[] = [];
  readonly #stoppers: Reply[] = [];

  constructor(
    private readonly surroundings: HostSurroundings,
    private account: Account,
    private readonly listener: AccountAgentListener,
  ) {
    this.runner = new AgentRunner(surroundings.clock, (url) => surroundings.openSocket(url), this);
    this.#lock = new AccountLock(surroundings.locks, accountLock(account.key));
    this.prepared = this.#prepare();
    this.#headStart = this.#getReady();
  }

  get key(): string {
    return this.account.key;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get calls(): ReadonlyMap<CallId, CallState> {
    return this.#calls;
  }

  /** All that a window has to know when it joins. */
  get known(): Omit<Extract<ToWindow, { type: 'welcome' }>, 'type' | 'protocol' | 'hostLock'> {
    return {
      connection: this.#connection,
      registration: this.#registration,
      calls: [...this.#calls.values()],
      remoteCalls: this.#remoteCalls,
      ownDevices: this.#ownDevices,
      devices: this.#devices,
      iceServers: this.account.iceServers,
    };
  }

  /** Takes over what a window knows better: renewed credentials and ICE servers. */
  adopt(account: Account): void {
    const known = this.account;
    this.account = account;
    if (known.password !== account.password) {
      this.runner.drive((agent, now) => agent.setPassword(now, account.password));
    }
    const { token } = account;
    if (token !== undefined && known.token !== token) this.runner.drive((agent, now) => agent.setToken(now, token));
    if (JSON.stringify(known.iceServers) !== JSON.stringify(account.iceServers)) {
      this.listener.changed({ type: 'ice-servers', iceServers: account.iceServers });
    }
  }

  renew(password: string | undefined, token: string | undefined, iceServers: readonly RTCIceServer[] | undefined): void {
    const { account } = this;
    this.adopt({
      ...account,
      password: password ?? account.password,
      token: token ?? account.token,
      iceServers: iceServers ?? account.iceServers,
    });
  }

  /** Keeps the choice of devices for all windows and for the next time. */
  async setDevices(devices: AudioDevices): Promise<void> {
    this.#devices = devices;
    this.listener.changed({ type: 'devices', devices });
    try {
      const { storage } = await this.prepared;
      await storage.write('devices', devices);
    } catch (error) {
      this.log('warn', `the choice of devices is not kept: ${String(error)}`);
    }
  }

  // Start and stop

  /** `reply` when registered, or when the credentials are refused. */
  start(reply: Reply): void {
    this.#starters.push(reply);
    if (this.#phase === 'idle') void this.#run();
    else if (this.#phase === 'stopping') this.#startAgain = true;
    else if (this.#credentialsRejected()) this.#startAfresh();
    else this.#answerStarters();
  }

  /** `reply` when nothing runs any more. */
  stop(reply?: Reply): void {
    if (reply !== undefined) this.#stoppers.push(reply);
    this.#startAgain = false;
    this.#refuseStarters({ code: 'disconnected', message: 'the phone was stopped' });
    switch (this.#phase) {
      case 'running':
        this.#phase = 'stopping';
        this.runner.drive((agent, now) => agent.stop(now));
        break;
      case 'claiming':
        this.#rest();
        break;
      case 'idle':
        this.#answerStoppers();
        break;
      case 'stopping':
        break;
    }
  }

  /** Ends without a word to anybody; the account is free for another host. */
  abandon(keepSnapshot: boolean): void {
    if (!keepSnapshot) this.runner.drop();
    this.#phase = 'idle';
    this.#lock.release();
  }

  /** To be called when a drain is over: rests if the agent has stopped meanwhile. */
  restIfStopped(): void {
    if (this.#stopped) this.#rest();
  }

  /** A second attempt after the platform refused the credentials begins with a clean agent. */
  #startAfresh(): void {
    this.#drop();
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#phase = 'claiming';
    try {
      const prepared = await this.prepared;
      const { held, saved } = await this.#claim(prepared.storage);
      if (!held || !this.#isClaiming()) return;
      this.#phase = 'running';
      this.runner.start(prepared.module, prepared.storage, this.#config(prepared), saved);
      if (!this.#online) this.#environment('offline');
      this.#environment(this.#visible ? 'visible' : 'hidden');
    } catch (error) {
      this.listener.failed(error);
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
    const held = await this.#lock.claim(() => this.#waitForLock());
    return { held, saved: await usableSnapshot(storage) };
  }

  async #prepare(): Promise<Prepared> {
    const prepared = await prepare(this.surroundings, this.account, (message) => this.log('warn', message));
    this.#devices = prepared.devices;
    return prepared;
  }

  /**
   * Before `start`: takes the account and reads what was saved, if nobody else has it. Only where all windows share
   * this host; elsewhere a window that never starts would keep the account from those that do.
   */
  async #getReady(): Promise<HeadStart> {
    if (this.surroundings.mode !== 'shared-worker') return { held: false };
    try {
      const { storage } = await this.prepared;
      if (!(await this.#lock.claimIfFree())) return { held: false };
      return { held: true, saved: await usableSnapshot(storage) };
    } catch {
      // Whoever is to be welcomed is told why nothing can be prepared.
      return { held: false };
    }
  }

  #config(prepared: Prepared): AgentConfig {
    const { addressOfRecord, displayName, authUser, password, servers, outboundFlows, token } = this.account;
    const { transferPolicy, replacesPolicy, remoteCalls, conferenceFactory, deviceName } = this.account;
    const { instanceId } = prepared;
    const policies = { transferPolicy, replacesPolicy, remoteCalls, conferenceFactory };
    return { addressOfRecord, displayName, authUser, password, servers, outboundFlows, ...policies, token, deviceName, instanceId };
  }

  #waitForLock(): void {
    const reason = 'another window has the phone';
    this.connectionChanged({ type: 'waiting', attempt: 0, retryAt: Date.now(), reason });
    this.listener.accountBusy();
    this.listener.settled();
  }

  /** The agent has stopped, or never was. */
  #rest(): void {
    this.#drop();
    this.#lock.release();
    this.#headStart = null;
    this.#phase = 'idle';
    this.#answerStoppers();
    this.listener.rested();
    if (this.#startAgain) void this.#run();
    this.#startAgain = false;
  }

  #drop(): void {
    this.runner.drop();
    this.#stopped = false;
    this.#calls.clear();
    this.listener.dropped();
    this.connectionChanged(STOPPED);
    this.registrationChanged(UNREGISTERED);
    this.remoteCallsChanged([]);
    this.ownDevicesChanged([]);
  }

  #answerStarters(): void {
    const registration = this.#registration;
    if (registration.type === 'registered') {
      for (const reply of this.#starters.splice(0)) reply(null);
    } else if (registration.type === 'failed' && registration.credentialsRejected) {
      const sipStatus = registration.sipStatus ?? undefined;
      this.#refuseStarters({ code: 'refused', message: `refused: ${registration.reason}`, sipStatus });
    }
  }

  #refuseStarters(error: WireError): void {
    for (const reply of this.#starters.splice(0)) reply(error);
  }

  #answerStoppers(): void {
    for (const reply of this.#stoppers.splice(0)) reply(null);
  }

  #credentialsRejected(): boolean {
    return this.#registration.type === 'failed' && this.#registration.credentialsRejected;
  }

  // Environment

  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    this.#environment(visible ? 'visible' : 'hidden');
  }

  /** The network has changed, or may have. */
  network(news: NetworkNews): void {
    if (news.type === 'doubt') {
      this.#environment('doubtful');
    } else if (news.online !== this.#online) {
      this.#online = news.online;
      this.#environment(news.online ? 'online' : 'offline');
    }
  }

  /** The machine has slept, or the page was frozen. */
  resumed(): void {
    this.#environment('resumed');
  }

  #environment(state: 'online' | 'offline' | 'doubtful' | 'resumed' | 'visible' | 'hidden'): void {
    this.runner.drive((agent, now) => agent.environment(now, state));
  }

  // What the agent says

  connectionChanged(state: ConnectionState): void {
    this.#connection = state;
    this.listener.changed({ type: 'connection', state });
  }

  registrationChanged(state: RegistrationState): void {
    this.#registration = state;
    this.listener.changed({ type: 'registration', state });
    this.#answerStarters();
  }

  callChanged(state: CallState): void {
    this.listener.changed({ type: 'call', state });
    if (state.state !== 'ended') {
      this.#calls.set(state.id, state);
      return;
    }
    this.#calls.delete(state.id);
    this.listener.callEnded(state.id);
  }

  remoteCallsChanged(calls: readonly RemoteCall[]): void {
    this.#remoteCalls = calls;
    this.listener.changed({ type: 'remote-calls', calls });
  }

  ownDevicesChanged(devices: readonly OwnDevice[]): void {
    this.#ownDevices = devices;
    this.listener.changed({ type: 'own-devices', devices });
  }

  tokenWanted(need: TokenNeed): void {
    this.listener.changed({ type: 'token-wanted', need });
  }

  dtmf(call: CallId, tone: string): void {
    this.listener.changed({ type: 'dtmf', call, tone });
  }

  media(...request: Parameters<AgentListener['media']>): void {
    this.listener.media(...request);
  }

  stopped(): void {
    this.#stopped = true;
  }

  settled(): void {
    this.listener.settled();
  }

  failed(error: unknown): void {
    this.listener.failed(error);
  }

  log(level: LogLevel, message: string): void {
    this.listener.log(level, message);
  }
}
