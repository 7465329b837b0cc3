import type {
  AudioDevices,
  AudioLevels,
  Call,
  CallId,
  CallOptions,
  CallState,
  Phone,
  PhoneConfig,
  PhoneEvents,
  PhoneState,
  RemoteCall,
  RemoteCallId,
} from '@clearline/phone';

/** A phone without network: tests and the gallery put it into any state and see what was asked of it. */
export class FakePhone implements Phone {
  state: PhoneState = {
    connection: { type: 'connected' },
    registration: { type: 'registered', expiresAt: Date.now() + 600_000, bindings: 1 },
    calls: [],
    remoteCalls: [],
    ownDevices: [],
    host: 'page',
    ownsMedia: true,
  };
  devices: AudioDevices = {};
  /** Every command, as `verb id detail`. */
  readonly commands: string[] = [];
  /** The next command is refused with this. */
  refuseWith: { code: string; message?: string; microphone?: string } | null = null;
  level: (call: CallId) => AudioLevels | null = () => ({ microphone: 0, speaker: 0 });
  report: () => RTCStatsReport | null = () => null;

  readonly #listeners = new Set<() => void>();
  readonly #events: { [K in keyof PhoneEvents]: Set<(event: PhoneEvents[K]) => void> } = {
    incoming: new Set(),
    callEnded: new Set(),
    dtmf: new Set(),
    tokenWanted: new Set(),
  };
  readonly #calls = new Map<CallId, FakeCall>();
  #next = 1;

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  on<K extends keyof PhoneEvents>(event: K, listener: (event: PhoneEvents[K]) => void): () => void {
    this.#events[event].add(listener);
    return () => this.#events[event].delete(listener);
  }

  async start(): Promise<void> {
    this.commands.push('start');
  }

  async stop(): Promise<void> {
    this.commands.push('stop');
  }

  call(target: string, options: CallOptions = {}): Call {
    this.commands.push(`call ${target}`);
    const call = this.add({ direction: 'outgoing', state: 'calling', remote: { displayName: options.displayName ?? '', user: target, uri: `sip:${target}@example.test` } });
    if (this.refuseWith) {
      call.refuse(this.refuseWith);
      this.refuseWith = null;
      this.patch({ calls: this.state.calls.filter((c) => c.id !== call.id) });
    }
    return call;
  }

  /** Refused, it stays where it was. */
  pull(remote: RemoteCallId): FakeCall {
    const known = this.state.remoteCalls.find(({ id }) => id === remote);
    this.commands.push(`pull ${remote}`);
    const call = this.add({ direction: 'outgoing', state: 'calling', ...(known && { remote: known.remote }) });
    const { refuseWith } = this;
    this.refuseWith = null;
    if (refuseWith) queueMicrotask(() => this.#stays(call, refuseWith));
    return call;
  }

  #stays(call: FakeCall, error: object): void {
    call.refuse(error);
    this.end(call.id, { cause: 'rejected' });
  }

  async askForDevices(): Promise<void> {
    this.commands.push('ask for devices');
  }

  callById(id: CallId): FakeCall | undefined {
    return this.state.calls.some((call) => call.id === id) ? this.#calls.get(id) : undefined;
  }

  async merge(one: CallId, other: CallId): Promise<void> {
    await this.callById(one)?.mergeWith(other);
  }

  async leaveConference(): Promise<void> {
    const members = this.state.calls.filter(({ conference }) => conference !== null);
    await this.callById(members[0]?.id ?? '')?.transferTo(members[1]?.id ?? '');
  }

  update(config: Partial<Pick<PhoneConfig, 'password' | 'token' | 'iceServers' | 'holdMusic'>>): void {
    this.commands.push(`update ${Object.keys(config).sort().join(' ')}`);
  }

  async setDevices(devices: AudioDevices): Promise<void> {
    this.devices = devices;
    this.commands.push(`devices ${JSON.stringify(devices)}`);
  }

  levels(call: CallId): AudioLevels | null {
    return this.level(call);
  }

  async stats(): Promise<RTCStatsReport | null> {
    return this.report();
  }

  dispose(): void {
    this.commands.push('dispose');
  }

  /** Changes the state and tells everybody. */
  patch(changes: Partial<PhoneState>): void {
    this.state = { ...this.state, ...changes };
    for (const listener of [...this.#listeners]) listener();
  }

  /** A new call in any state. */
  add(changes: Partial<CallState>): FakeCall {
    const id = changes.id ?? String(this.#next++).padStart(16, '0');
    const call = new FakeCall(this, {
      id,
      direction: 'outgoing',
      remote: { displayName: 'Bob', user: '102', uri: 'sip:102@example.test' },
      anonymous: false,
      divertedBy: [],
      redirectedTo: null,
      alert: null,
      state: 'active',
      muted: false,
      localHold: false,
      remoteHold: false,
      conference: null,
      focus: false,
      participants: [],
      negotiating: false,
      reconnecting: false,
      media: 'connected',
      microphoneProblem: null,
      earlyMedia: false,
      waiting: false,
      transferable: true,
      transfer: null,
      transferRequest: null,
      transferredBy: null,
      succeeds: null,
      createdAt: Date.now(),
      answeredAt: changes.state === undefined || changes.state === 'active' ? Date.now() : null,
      end: null,
      ...changes,
    });
    this.#calls.set(id, call);
    this.patch({ calls: [...this.state.calls, call.state] });
    if (call.state.state === 'incoming') for (const listener of this.#events.incoming) listener(call);
    return call;
  }

  /** A call on another device, answered five seconds ago. */
  addElsewhere(changes: Partial<RemoteCall> = {}): RemoteCall {
    const remote = { displayName: 'Bob', user: '102', uri: 'sip:102@example.test' };
    const call: RemoteCall = { id: 'd1', device: null, remote, direction: 'incoming', state: 'active', since: Date.now() - 5_000, canBePulled: true, ...changes };
    this.patch({ remoteCalls: [...this.state.remoteCalls, call] });
    return call;
  }

  change(id: CallId, changes: Partial<CallState>): void {
    const call = this.#calls.get(id);
    if (!call) return;
    call.state = { ...call.state, ...changes };
    this.patch({ calls: this.state.calls.map((known) => (known.id === id ? call.state : known)) });
  }

  /** Ends a call as the real phone does: out of the list, then the event. */
  end(id: CallId, end: Partial<NonNullable<CallState['end']>> = {}): void {
    const call = this.#calls.get(id);
    if (!call) return;
    call.state = {
      ...call.state,
      state: 'ended',
      end: { at: Date.now(), cause: 'local-hang-up', sipStatus: null, text: '', retryAfter: null, q850Cause: null, ...end },
    };
    this.patch({ calls: this.state.calls.filter((known) => known.id !== id) });
    for (const listener of [...this.#events.callEnded]) listener(call.state);
  }
}

export class FakeCall implements Call {
  readonly answered: Promise<void>;
  readonly ended = new Promise<CallState>(() => undefined);
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(
    private readonly phone: FakePhone,
    public state: CallState,
  ) {
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.answered.catch(() => undefined);
  }

  get id(): CallId {
    return this.state.id;
  }

  subscribe(): () => void {
    return () => undefined;
  }

  /** The far end picks up. */
  accept(): void {
    this.phone.change(this.id, { state: 'active', media: 'connected', answeredAt: Date.now() });
    this.#resolve();
  }

  refuse(error: unknown): void {
    this.#reject(error);
  }

  answer(options: { readonly others?: 'hold' | 'end' } = {}): Promise<void> {
    return this.#do(`answer ${this.id} ${options.others ?? ''}`.trim(), () => {
      for (const other of this.phone.state.calls) {
        if (other.id === this.id || other.state !== 'active') continue;
        if (options.others === 'hold') this.phone.change(other.id, { localHold: true });
        if (options.others === 'end') this.phone.end(other.id);
      }
      this.accept();
    });
  }

  reject(reason = 'declined'): Promise<void> {
    return this.#do(`reject ${this.id} ${reason}`, () => this.phone.end(this.id, { cause: 'declined' }));
  }

  hangUp(): Promise<void> {
    const cause = this.state.answeredAt === null ? 'cancelled' : 'local-hang-up';
    return this.#do(`hangUp ${this.id}`, () => this.phone.end(this.id, { cause }));
  }

  hold(): Promise<void> {
    return this.#do(`hold ${this.id}`, () => this.phone.change(this.id, { localHold: true }));
  }

  resume(options: { readonly others?: 'hold' } = {}): Promise<void> {
    return this.#do(`resume ${this.id} ${options.others ?? ''}`.trim(), () => {
      for (const other of this.phone.state.calls) {
        if (options.others && other.id !== this.id && other.state === 'active') this.phone.change(other.id, { localHold: true });
      }
      this.phone.change(this.id, { localHold: false });
    });
  }

  /** Succeeds when `transferred` is called. */
  transfer(target: string): Promise<void> {
    return this.#do(`transfer ${this.id} ${target}`, () => this.phone.change(this.id, { localHold: true, transfer: { type: 'referring' } }));
  }

  push(): Promise<void> {
    return this.#do(`push ${this.id}`, () => this.phone.change(this.id, { localHold: true, transfer: { type: 'referring' } }));
  }

  mergeWith(other: CallId): Promise<void> {
    return this.#do(`merge ${this.id} ${other}`, () => {
      for (const id of [this.id, other]) this.phone.change(id, { conference: 1, localHold: false });
    });
  }

  split(): Promise<void> {
    return this.#do(`split ${this.id}`, () => {
      for (const { id, conference } of this.phone.state.calls) {
        if (conference !== null && id !== this.id) this.phone.change(id, { conference: null, localHold: true });
      }
      this.phone.change(this.id, { conference: null });
    });
  }

  addParticipant(target: string): Promise<void> {
    return this.#do(`addParticipant ${this.id} ${target}`, () => {
      const identity = { displayName: '', user: target, uri: `sip:${target}@example.test` };
      this.phone.change(this.id, { participants: [...this.state.participants, { identity, isSelf: false, isModerator: false, state: 'ringing' }] });
    });
  }

  removeParticipant(uri: string): Promise<void> {
    return this.#do(`removeParticipant ${this.id} ${uri}`, () => {
      this.phone.change(this.id, { participants: this.state.participants.filter(({ identity }) => identity.uri !== uri) });
    });
  }

  transferTo(other: CallId): Promise<void> {
    return this.#do(`transferTo ${this.id} ${other}`, () => {
      this.phone.change(this.id, { transfer: { type: 'referring' } });
      this.phone.change(this.id, { state: 'ending', transfer: null });
      this.phone.end(this.id, { cause: 'transferred' });
      this.phone.end(other, { cause: 'transferred' });
    });
  }

  consult(target: string, options: CallOptions = {}): FakeCall {
    this.phone.commands.push(`consult ${this.id} ${target}`);
    const second = this.phone.add({ state: 'calling', remote: { displayName: options.displayName ?? '', user: target, uri: `sip:${target}@example.test` } });
    this.phone.change(this.id, { localHold: true, transfer: { type: 'consulting', with: second.id } });
    return second;
  }

  cancelTransfer(): Promise<void> {
    return this.#do(`cancelTransfer ${this.id}`, () => {
      const { transfer } = this.state;
      if (transfer?.type === 'consulting') this.phone.end(transfer.with, { cause: 'local-hang-up' });
      this.phone.change(this.id, { localHold: false, transfer: null });
    });
  }

  acceptTransfer(): Promise<void> {
    return this.#do(`acceptTransfer ${this.id}`, () => this.phone.change(this.id, { transferRequest: null }));
  }

  declineTransfer(): Promise<void> {
    return this.#do(`declineTransfer ${this.id}`, () => this.phone.change(this.id, { transferRequest: null }));
  }

  mute(): Promise<void> {
    return this.#do(`mute ${this.id}`, () => this.phone.change(this.id, { muted: true }));
  }

  unmute(): Promise<void> {
    return this.#do(`unmute ${this.id}`, () => this.phone.change(this.id, { muted: false }));
  }

  sendDtmf(tones: string): Promise<void> {
    return this.#do(`dtmf ${this.id} ${tones}`, () => undefined);
  }

  #do(command: string, effect: () => void): Promise<void> {
    this.phone.commands.push(command);
    if (this.phone.refuseWith) {
      const error = this.phone.refuseWith;
      this.phone.refuseWith = null;
      return Promise.reject(Object.assign(new Error(error.code), error));
    }
    effect();
    return Promise.resolve();
  }
}
