/** The phone as a window sees it. State is changed first, listeners run afterwards, one failing listener harms nobody. */

import type {
  AudioDevices,
  AudioLevels,
  Call,
  CallId,
  CallOptions,
  CallState,
  EndCause,
  Phone,
  PhoneConfig,
  PhoneErrorCode,
  PhoneEvents,
  PhoneState,
  RemoteCallId,
} from '../api.js';
import { PhoneError } from '../error.js';
import { browserMedia, prepareBrowserMedia } from '../media/session.js';
import type { Account, Command, GoneReason, LogLevel, ToWindow } from '../protocol.js';
import { PhoneCall } from './call.js';
import { HostConnection, type HostListener, type Welcome } from './host_connection.js';
import { openLink, type LinkOpener } from './link.js';
import { askForLocalNetwork } from './local_network.js';
import { MediaPort } from './media_port.js';

type Listeners = { [K in keyof PhoneEvents]: Set<(event: PhoneEvents[K]) => void> };

/** Joins the account's host and gives the window's phone. */
export async function openPhone(config: PhoneConfig, open: LinkOpener = openLink): Promise<Phone> {
  const phone = new WindowPhone(config, open);
  await phone.join();
  return phone;
}

class WindowPhone implements Phone, HostListener {
  #state: PhoneState;
  #devices: AudioDevices = {};
  #account: Account;
  readonly #host: HostConnection;
  readonly #media: MediaPort;
  readonly #calls = new Map<CallId, PhoneCall>();
  readonly #subscribers = new Set<() => void>();
  readonly #listeners: Listeners = { incoming: new Set(), callEnded: new Set(), dtmf: new Set(), tokenWanted: new Set() };
  readonly #stopListening = new AbortController();

  #lead = false;
  #wantsStart = false;
  #joinedBefore = false;
  /** Calls known before the host was replaced, which its successor has not spoken of yet. */
  #unconfirmed = new Set<CallId>();

  // What the present batch of messages has changed.
  #changed = false;
  readonly #changedCalls = new Set<PhoneCall>();
  #events: (() => void)[] = [];

  constructor(
    private readonly config: PhoneConfig,
    open: LinkOpener,
  ) {
    this.#account = accountOf(config);
    this.#host = new HostConnection(() => this.#account, { host: config.host, workerModule: config.workerModule }, this, open);
    this.#media = new MediaPort(
      config.media ?? browserMedia,
      config.iceTransportPolicy ?? 'all',
      config.holdMusic ?? 'generated',
      (message) => this.#host.send(message),
      (level, message) => this.log(level, message),
    );
    this.#state = {
      connection: { type: 'stopped' },
      registration: { type: 'unregistered' },
      calls: [],
      remoteCalls: [],
      ownDevices: [],
      host: config.host ?? 'page',
      ownsMedia: false,
    };
    if (config.media === undefined) prepareBrowserMedia();
    this.#listenToThePage();
  }

  get state(): PhoneState {
    return this.#state;
  }

  get devices(): AudioDevices {
    return this.#devices;
  }

  join(): Promise<void> {
    return this.#host.join();
  }

  subscribe(listener: () => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  on<K extends keyof PhoneEvents>(event: K, listener: (event: PhoneEvents[K]) => void): () => void {
    const listeners = this.#listeners[event];
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async start(): Promise<void> {
    this.#wantsStart = true;
    await askForLocalNetwork(this.#account.servers, location);
    await this.#host.ask({ type: 'start' });
  }

  async stop(): Promise<void> {
    this.#wantsStart = false;
    await this.#host.ask({ type: 'stop' });
  }

  call(target: string, options: CallOptions = {}): Call {
    const { displayName, anonymous } = options;
    return this.#place(target, options, 'network-failed', (call) => this.#host.ask({ type: 'call', call, target, displayName, anonymous }));
  }

  pull(remote: RemoteCallId): Call {
    const known = this.state.remoteCalls.find(({ id }) => id === remote)?.remote;
    const options = { displayName: known?.displayName ?? '' };
    return this.#place(known?.user ?? '', options, 'remote-hang-up', (call) => this.#host.ask({ type: 'pull', call, remote }));
  }

  askForDevices(): Promise<void> {
    return this.#host.ask({ type: 'ask-for-devices' });
  }

  merge(one: CallId, other: CallId): Promise<void> {
    return this.#command(one, { verb: 'merge', other });
  }

  leaveConference(): Promise<void> {
    const member = this.state.calls.find(({ conference }) => conference !== null);
    if (member === undefined) return Promise.reject(new PhoneError('wrong-state', 'there is no conference'));
    return this.#command(member.id, { verb: 'leave-conference' });
  }

  callById(id: CallId): Call | undefined {
    return this.#calls.get(id);
  }

  update(config: Partial<Pick<PhoneConfig, 'password' | 'token' | 'iceServers' | 'holdMusic'>>): void {
    const { password, token, iceServers, holdMusic } = config;
    if (holdMusic !== undefined) this.#media.setHoldMusic(holdMusic);
    // Which music is played is the matter of each window.
    if (password === undefined && token === undefined && iceServers === undefined) return;
    this.#account = {
      ...this.#account,
      password: password ?? this.#account.password,
      token: token ?? this.#account.token,
      iceServers: iceServers ?? this.#account.iceServers,
    };
    this.#media.setIceServers(this.#account.iceServers);
    this.#host.send({ type: 'update', password, token, iceServers });
  }

  async setDevices(devices: AudioDevices): Promise<void> {
    await Promise.all([this.#useDevices(devices), this.#host.ask({ type: 'devices', devices })]);
  }

  levels(call: CallId): AudioLevels | null {
    return this.#media.levels(call);
  }

  stats(call: CallId): Promise<RTCStatsReport | null> {
    return this.#media.stats(call);
  }

  dispose(): void {
    this.#stopListening.abort();
    this.#host.close();
    this.#media.closeAll();
    this.#subscribers.clear();
  }

  // The host

  joined(welcome: Welcome): void {
    if (this.#joinedBefore) this.#unconfirmed = new Set(this.#calls.keys());
    void this.#useDevices(welcome.devices);
    this.#media.setIceServers(welcome.iceServers);
    const { connection, registration, remoteCalls, ownDevices } = welcome;
    this.#patch({ connection, registration, remoteCalls, ownDevices, host: this.#host.mode });
    for (const state of welcome.calls) this.#callChanged(state);
    this.#publish();
    if (this.#joinedBefore && this.#wantsStart) void this.#startAgain();
    this.#joinedBefore = true;
  }

  received(messages: readonly ToWindow[]): void {
    for (const message of messages) this.#receive(message);
    this.#publish();
  }

  lost(reason: GoneReason, again: boolean): void {
    this.log('warn', `the signalling is gone: ${reason}`);
    this.#media.orphanAll();
    this.#lead = false;
    this.#patch({ connection: { type: 'stopped' }, registration: { type: 'unregistered' }, remoteCalls: [], ownDevices: [] });
    if (!again) for (const id of [...this.#calls.keys()]) this.#endHere(id, 'network-failed');
    this.#publish();
  }

  log(level: LogLevel, message: string): void {
    try {
      this.config.logger?.(level, message);
    } catch {
      // A logger that fails has nobody to be reported to.
    }
  }

  #receive(message: ToWindow): void {
    switch (message.type) {
      case 'connection':
        this.#patch({ connection: message.state });
        break;
      case 'registration':
        this.#patch({ registration: message.state });
        break;
      case 'call':
        this.#callChanged(message.state);
        break;
      case 'remote-calls':
        this.#patch({ remoteCalls: message.calls });
        break;
      case 'own-devices':
        this.#patch({ ownDevices: message.devices });
        break;
      case 'token-wanted':
        this.#events.push(() => this.#emit('tokenWanted', message.need));
        break;
      case 'dtmf':
        this.#events.push(() => this.#emit('dtmf', { call: message.call, tone: message.tone }));
        break;
      case 'lead':
        this.#lead = message.lead;
        this.#changed = true;
        break;
      case 'media':
        void this.#media.perform(message);
        this.#changed = true;
        break;
      case 'devices':
        void this.#useDevices(message.devices);
        break;
      case 'ice-servers':
        this.#media.setIceServers(message.iceServers);
        break;
      // The host connection's own business.
      case 'welcome':
      case 'reply':
      case 'log':
      case 'gone':
        break;
    }
  }

  /** The host was replaced: calls that its successor does not know are lost. */
  async #startAgain(): Promise<void> {
    try {
      await this.#host.ask({ type: 'start' });
    } catch (error) {
      this.log('warn', `not registered again: ${String(error)}`);
    }
    for (const id of this.#unconfirmed) this.#endHere(id, 'network-failed');
    this.#publish();
  }

  // Calls

  /** `otherwise`: how a call ended that was refused for no reason of its own. */
  #place(target: string, options: CallOptions, otherwise: EndCause, ask: (call: CallId) => Promise<void>): Call {
    const id = randomId();
    const call = this.#newCall(preparing(id, target, options));
    this.#media.prepareOffer(id);
    ask(id).catch((error: unknown) => this.#refused(id, error as PhoneError, otherwise));
    this.#publish();
    return call;
  }

  #consult(of: CallId, target: string, options: Pick<CallOptions, 'displayName'>): Call {
    const { displayName } = options;
    return this.#place(target, options, 'cancelled', (call) => this.#host.ask({ type: 'consult', of, call, target, displayName }));
  }

  #newCall(state: CallState): PhoneCall {
    const call = new PhoneCall(
      state,
      (id, command) => this.#command(id, command),
      (of, target, options) => this.#consult(of, target, options),
      (listener) => this.#guarded(listener),
    );
    this.#calls.set(state.id, call);
    this.#changed = true;
    return call;
  }

  async #command(call: CallId, command: Command): Promise<void> {
    if (command.verb !== 'answer') return this.#host.ask({ type: 'command', call, command });
    this.#media.prepareAnswer(call);
    try {
      await this.#host.ask({ type: 'command', call, command });
    } catch (error) {
      this.#media.unprepare(call);
      throw error;
    }
  }

  #callChanged(state: CallState): void {
    this.#unconfirmed.delete(state.id);
    const known = this.#calls.get(state.id);
    if (known === undefined && state.state === 'ended') return;
    const call = known ?? this.#newCall(state);
    if (known === undefined && state.state === 'incoming') this.#events.push(() => this.#emit('incoming', call));
    this.#updateCall(call, state);
  }

  #updateCall(call: PhoneCall, state: CallState, error?: PhoneError): void {
    call.update(state, error);
    this.#changedCalls.add(call);
    this.#changed = true;
    if (state.state !== 'ended') return;
    this.#media.callEnded(state.id);
    this.#events.push(() => this.#emit('callEnded', state));
  }

  /** The host refused to place a call. */
  #refused(id: CallId, error: PhoneError, otherwise: EndCause): void {
    this.#endHere(id, REFUSAL_CAUSES[error.code] ?? otherwise, error);
    this.#publish();
  }

  #endHere(id: CallId, cause: EndCause, error?: PhoneError): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    const end = { at: Date.now(), cause, sipStatus: null, text: error?.message ?? '', retryAfter: null, q850Cause: null };
    this.#updateCall(call, { ...call.state, state: 'ended', end }, error);
  }

  // State and listeners

  #patch(change: Partial<PhoneState>): void {
    this.#state = { ...this.#state, ...change };
    this.#changed = true;
  }

  /** Makes the new snapshot, then lets listeners see it; ended calls leave after everybody has seen their end. */
  #publish(): void {
    if (!this.#changed) return;
    this.#changed = false;
    const calls = [...this.#calls.values()].map((call) => call.state);
    this.#patch({ calls, ownsMedia: this.#lead || this.#media.carries });
    this.#changed = false;
    const changedCalls = [...this.#changedCalls];
    const events = this.#events;
    this.#changedCalls.clear();
    this.#events = [];
    this.#notify();
    for (const call of changedCalls) call.announce();
    for (const event of events) event();
    this.#forgetEnded();
  }

  #forgetEnded(): void {
    const ended = [...this.#calls.values()].filter((call) => call.state.state === 'ended');
    if (ended.length === 0) return;
    for (const call of ended) this.#calls.delete(call.id);
    this.#changed = true;
    this.#publish();
  }

  #notify(): void {
    for (const listener of [...this.#subscribers]) this.#guarded(listener);
  }

  #emit<K extends keyof PhoneEvents>(event: K, value: PhoneEvents[K]): void {
    for (const listener of [...this.#listeners[event]]) this.#guarded(() => listener(value));
  }

  #guarded(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.log('error', `a listener of the application failed: ${String(error)}`);
    }
  }

  // The page

  #useDevices(devices: AudioDevices): Promise<void> {
    this.#devices = devices;
    this.#changed = true;
    return this.#media.setDevices(devices);
  }

  #listenToThePage(): void {
    const { signal } = this.#stopListening;
    const visible = (): boolean => document.visibilityState === 'visible';
    const resumed = (): void => this.#host.send({ type: 'resumed' });
    document.addEventListener('visibilitychange', () => this.#host.send({ type: 'visible', visible: visible() }), { signal });
    document.addEventListener('resume', resumed, { signal });
    window.addEventListener('pagehide', () => this.#host.leave(), { signal });
    window.addEventListener('pageshow', (event) => event.persisted && void this.#comeBack(), { signal });
  }

  /** The page was taken out of the back-forward cache. */
  async #comeBack(): Promise<void> {
    this.#media.orphanAll();
    await this.#host.join().catch((error: unknown) => this.log('error', String(error)));
  }
}

/** What the user is told of a call that was refused before it began. */
const REFUSAL_CAUSES: Partial<Record<PhoneErrorCode, EndCause>> = {
  'invalid-target': 'not-found',
  'too-many-calls': 'forbidden',
  'not-connected': 'network-failed',
};

function accountOf(config: PhoneConfig): Account {
  const address = config.addressOfRecord;
  const user = /^sips?:([^@;?]+)@/i.exec(address)?.[1] ?? '';
  return {
    key: config.accountKey ?? address,
    addressOfRecord: address,
    displayName: config.displayName ?? '',
    authUser: config.authUser ?? decodeURIComponent(user),
    password: config.password,
    servers: config.servers,
    outboundFlows: config.outboundFlows,
    transferPolicy: config.transferPolicy,
    replacesPolicy: config.replacesPolicy,
    remoteCalls: config.remoteCalls,
    conferenceFactory: config.conferenceFactory,
    deviceName: config.deviceName,
    token: config.token,
    instanceId: config.instanceId,
    iceServers: config.iceServers ?? [],
  };
}

function preparing(id: CallId, target: string, options: CallOptions): CallState {
  return {
    id,
    direction: 'outgoing',
    remote: { displayName: options.displayName ?? '', user: target, uri: '' },
    anonymous: options.anonymous ?? false,
    divertedBy: [],
    redirectedTo: null,
    alert: null,
    state: 'preparing',
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
    transferable: false,
    transfer: null,
    transferRequest: null,
    transferredBy: null,
    succeeds: null,
    createdAt: Date.now(),
    answeredAt: null,
    end: null,
  };
}

function randomId(): CallId {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
