// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type {
  CallState,
  MediaAction,
  MediaEngineContext,
  MediaOutcome,
  MediaSession,
  Phone,
  PhoneConfig,
} from '../src/api.js';
import { PhoneError } from '../src/error.js';
import type { LinkOpener } from '../src/page/link.js';
import { openPhone } from '../src/page/phone.js';
import { portPair, PROTOCOL, type HostPort, type ToHost, type ToWindow } from '../src/protocol.js';

const CALL = '00000000000000c1';

/** A host played by hand. */
class FakeHost {
  readonly got: ToHost[] = [];
  links = 0;
  #port: HostPort | null = null;

  constructor(private readonly welcomes = true) {}

  readonly open: LinkOpener = () => {
    const ports = portPair();
    this.links += 1;
    this.#port = ports.host;
    ports.host.receive((message) => {
      this.got.push(message);
      if (message.type === 'hello' && this.welcomes) this.welcome();
    });
    return Promise.resolve({ port: ports.window, broken: new Promise<never>(() => undefined) });
  };

  welcome(change: Partial<Extract<ToWindow, { type: 'welcome' }>> = {}): void {
    this.send({
      type: 'welcome',
      protocol: PROTOCOL,
      hostLock: null,
      connection: { type: 'stopped' },
      registration: { type: 'unregistered' },
      calls: [],
      remoteCalls: [],
      ownDevices: [],
      devices: {},
      iceServers: [],
      ...change,
    });
  }

  send(...messages: ToWindow[]): void {
    this.#port?.send(messages);
  }

  async says(...messages: ToWindow[]): Promise<void> {
    this.send(...messages);
    await settle();
  }

  all<T extends ToHost['type']>(type: T): Extract<ToHost, { type: T }>[] {
    return this.got.filter((message): message is Extract<ToHost, { type: T }> => message.type === type);
  }

  last<T extends ToHost['type']>(type: T): Extract<ToHost, { type: T }> {
    const message = this.all(type).at(-1);
    if (message === undefined) throw new Error(`no ${type}`);
    return message;
  }

  /** Answers the last request of a type. */
  async replies(type: 'start' | 'stop' | 'call' | 'consult' | 'pull' | 'ask-for-devices' | 'command' | 'devices', error: object | null = null): Promise<void> {
    const { request } = this.last(type);
    await this.says({ type: 'reply', request, error } as ToWindow);
  }
}

class FakeSession implements MediaSession {
  readonly actions: MediaAction[] = [];
  prepared = 0;
  /** Kept back until a test lets it go. */
  #release: (() => void) | null = null;
  held = false;

  constructor(readonly context: MediaEngineContext) {}

  async perform(action: MediaAction): Promise<MediaOutcome> {
    this.actions.push(action);
    if (this.held && action.type !== 'close') await new Promise<void>((resolve) => (this.#release = resolve));
    return action.type.startsWith('create') ? { type: 'description', sdp: `v=0 ${action.type}` } : { type: 'done' };
  }

  letGo(): void {
    this.held = false;
    this.#release?.();
  }

  prepare(): void {
    this.prepared += 1;
  }

  levels = (): { microphone: number; speaker: number } => ({ microphone: 0.5, speaker: 0.25 });
  stats = async (): Promise<null> => null;
  setDevices = async (): Promise<void> => undefined;
}

let host: FakeHost;
let sessions: FakeSession[];
let logged: string[];

const CONFIG: PhoneConfig = {
  addressOfRecord: 'sip:alice@example.com',
  password: 'secret',
  servers: ['wss://example.com/sip'],
  host: 'page',
  media: (context) => {
    const session = new FakeSession(context);
    sessions.push(session);
    return session;
  },
  logger: (level, message) => logged.push(`${level} ${message}`),
};

beforeEach(() => {
  vi.useFakeTimers();
  host = new FakeHost();
  sessions = [];
  logged = [];
});

afterEach(() => {
  vi.useRealTimers();
});

const settle = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(0);
};

async function newPhone(): Promise<Phone> {
  const phone = openPhone(CONFIG, host.open);
  await settle();
  return phone;
}

function callState(change: Partial<CallState> = {}): CallState {
  return {
    id: CALL,
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
    createdAt: 1,
    answeredAt: null,
    end: null,
    ...change,
  };
}

const END = { at: 2, cause: 'remote-hang-up', sipStatus: null, text: '', retryAfter: null, q850Cause: null } as const;
const OFFER: MediaAction = { type: 'create-offer', direction: 'sendrecv', ice_restart: false };
const mediaRequest = (request: string, session: string, call: string, action: MediaAction): ToWindow => {
  return { type: 'media', request, session, call, action, muted: false };
};

describe('state', () => {
  test('a snapshot stays the same object until something changes', async () => {
    const phone = await newPhone();
    const before = phone.state;
    let seen = 0;
    phone.subscribe(() => (seen += 1));
    await host.says({ type: 'log', level: 'info', message: 'hello' });
    expect(phone.state).toBe(before);
    await host.says({ type: 'connection', state: { type: 'connected' } });
    expect(phone.state).not.toBe(before);
    expect(before.connection.type).toBe('stopped');
    expect(seen).toBe(1);
    expect(logged).toContain('info hello');
  });

  test('a batch is seen as a whole, once', async () => {
    const phone = await newPhone();
    const seen: string[] = [];
    phone.subscribe(() => seen.push(`${phone.state.connection.type} ${phone.state.calls.length}`));
    await host.says({ type: 'connection', state: { type: 'connected' } }, { type: 'call', state: callState() });
    expect(seen).toEqual(['connected 1']);
  });

  test('a listener that throws harms nobody', async () => {
    const phone = await newPhone();
    let seen = 0;
    phone.subscribe(() => {
      throw new Error('mine');
    });
    phone.subscribe(() => (seen += 1));
    await host.says({ type: 'connection', state: { type: 'connected' } });
    expect(seen).toBe(1);
    expect(logged.join()).toContain('a listener of the application failed');
  });

  test('a listener may call back into the phone', async () => {
    const phone = await newPhone();
    phone.on('incoming', (call) => void call.reject('busy').catch(() => undefined));
    await host.says({ type: 'call', state: callState() });
    expect(host.last('command').command).toEqual({ verb: 'reject', busy: true });
  });

  test('ended calls leave after everybody has seen their end', async () => {
    const phone = await newPhone();
    await host.says({ type: 'call', state: callState() });
    const call = phone.callById(CALL)!;
    const order: string[] = [];
    call.subscribe((state) => order.push(`call ${state.state}`));
    phone.on('callEnded', (state) => order.push(`ended ${state.end?.cause} of ${phone.state.calls.length}`));
    await host.says({ type: 'call', state: callState({ state: 'ended', end: END }) });
    expect(order).toEqual(['call ended', 'ended remote-hang-up of 1']);
    expect(phone.state.calls).toHaveLength(0);
    expect(phone.callById(CALL)).toBeUndefined();
    await expect(call.ended).resolves.toMatchObject({ end: END });
    await expect(call.hangUp()).rejects.toMatchObject({ code: 'call-ended' });
  });

  test('the lead window owns the media while no call is up', async () => {
    const phone = await newPhone();
    expect(phone.state.ownsMedia).toBe(false);
    await host.says({ type: 'lead', lead: true });
    expect(phone.state.ownsMedia).toBe(true);
  });
});

describe('start', () => {
  test('resolves and rejects with the reply', async () => {
    const phone = await newPhone();
    const started = phone.start();
    await settle();
    await host.replies('start');
    await expect(started).resolves.toBeUndefined();

    const refused = phone.start();
    refused.catch(() => undefined);
    await settle();
    await host.replies('start', { code: 'refused', message: 'Forbidden', sipStatus: 403 });
    await expect(refused).rejects.toBeInstanceOf(PhoneError);
    await expect(refused).rejects.toMatchObject({ code: 'refused', sipStatus: 403 });
  });

  test('no worker at all is an error with a code', async () => {
    const phone = openPhone(CONFIG, () => Promise.reject(new Error('blocked')));
    await expect(phone).rejects.toMatchObject({ code: 'worker-failed' });
  });

  test('a host that never answers is an error too', async () => {
    const phone = openPhone(CONFIG, new FakeHost(false).open);
    phone.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(10_000);
    await expect(phone).rejects.toMatchObject({ code: 'worker-failed' });
  });
});

describe('placing a call', () => {
  test('gives an object at once, begins the offer before the host asks, and does not make it twice', async () => {
    const phone = await newPhone();
    const call = phone.call('600', { displayName: 'Echo' });
    expect(call.state).toMatchObject({ state: 'preparing', remote: { user: '600', displayName: 'Echo' } });
    expect(phone.state.calls).toHaveLength(1);
    expect(sessions[0]?.actions).toEqual([OFFER]);
    await settle();
    expect(host.last('call')).toMatchObject({ call: call.id, target: '600' });
    await host.says(mediaRequest('r1', 's1', call.id, OFFER));
    expect(host.last('media-done')).toMatchObject({ request: 'r1', result: { ok: { type: 'description' } } });
    expect(sessions).toHaveLength(1);
    expect(sessions[0]?.actions).toEqual([OFFER]);
  });

  test('a refusal rejects answered, ends the call and closes the prepared media', async () => {
    const phone = await newPhone();
    const ended: string[] = [];
    phone.on('callEnded', (state) => ended.push(String(state.end?.cause)));
    const call = phone.call('???');
    await settle();
    await host.replies('call', { code: 'invalid-target', message: 'not a number' });
    await expect(call.answered).rejects.toMatchObject({ code: 'invalid-target' });
    expect(ended).toEqual(['not-found']);
    expect(phone.state.calls).toHaveLength(0);
    expect(sessions[0]?.actions.at(-1)).toEqual({ type: 'close' });
  });

  test('answered resolves with the answer and rejects with the status of a failure', async () => {
    const phone = await newPhone();
    const call = phone.call('600');
    await host.says({ type: 'call', state: callState({ id: call.id, state: 'active', answeredAt: 5 }) });
    await expect(call.answered).resolves.toBeUndefined();
    const other = phone.call('601');
    const end = { ...END, cause: 'busy', sipStatus: 486 } as const;
    await host.says({ type: 'call', state: callState({ id: other.id, state: 'ended', end }) });
    await expect(other.answered).rejects.toMatchObject({ code: 'call-ended', sipStatus: 486 });
  });

  test('a consultation is a call of its own that is placed about another', async () => {
    const phone = await newPhone();
    await host.says({ type: 'call', state: callState({ state: 'active', answeredAt: 5 }) });
    const second = phone.callById(CALL)!.consult('103', { displayName: 'Carol' });
    expect(second.state).toMatchObject({ state: 'preparing', remote: { user: '103', displayName: 'Carol' } });
    await settle();
    expect(host.last('consult')).toMatchObject({ of: CALL, call: second.id, target: '103' });
    await host.replies('consult', { code: 'wrong-state', message: 'it has ended' });
    await expect(second.answered).rejects.toMatchObject({ code: 'wrong-state' });
    expect(phone.state.calls.map((call) => call.id)).toEqual([CALL]);
  });

  test('a call of another device is taken over as a call of its own; there it stays if that is refused', async () => {
    const phone = await newPhone();
    const remote = { displayName: 'Bob', user: '102', uri: 'sip:102@example.com' };
    const calls = [{ id: '2', device: 'Desk', remote, direction: null, state: 'active', since: 5, canBePulled: true }] as const;
    await host.says({ type: 'remote-calls', calls });
    expect(phone.state.remoteCalls).toEqual(calls);
    const call = phone.pull('2');
    expect(call.state).toMatchObject({ state: 'preparing', remote: { user: '102', displayName: 'Bob' } });
    expect(sessions[0]?.actions).toEqual([OFFER]);
    await settle();
    expect(host.last('pull')).toMatchObject({ call: call.id, remote: '2' });
    await host.replies('pull', { code: 'no-such-call', message: 'no such call' });
    await expect(call.answered).rejects.toMatchObject({ code: 'no-such-call' });
    await expect(call.ended).resolves.toMatchObject({ end: { cause: 'remote-hang-up' } });
    expect(sessions[0]?.actions.at(-1)).toEqual({ type: 'close' });
  });

  test('the other devices of the account are shown, and asked for; unknown while there is no host', async () => {
    const phone = await newPhone();
    const devices = [{ address: 'sip:alice@example.com;gr=1', name: 'Desk' }];
    await host.says({ type: 'own-devices', devices });
    expect(phone.state.ownDevices).toEqual(devices);
    const asked = phone.askForDevices().catch((error: unknown) => error);
    await settle();
    await host.replies('ask-for-devices', { code: 'not-connected', message: 'not registered' });
    expect(await asked).toMatchObject({ code: 'not-connected' });
    await host.says({ type: 'gone', reason: 'replaced' });
    expect(phone.state.ownDevices).toEqual([]);
  });

  test('people are brought into a conference of the platform and sent away', async () => {
    const phone = await newPhone();
    const identity = { displayName: 'Bob', user: 'bob', uri: 'sip:bob@example.com' };
    const participants = [{ identity, isSelf: false, isModerator: false, state: 'connected' }] as const;
    await host.says({ type: 'call', state: callState({ state: 'active', answeredAt: 5, focus: true, participants }) });
    const room = phone.callById(CALL)!;
    expect(room.state.participants).toEqual(participants);
    const added = room.addParticipant('103').catch((error: unknown) => error);
    await settle();
    expect(host.last('command')).toMatchObject({ call: CALL, command: { verb: 'add-participant', target: '103' } });
    await host.replies('command', { code: 'target-failed', message: 'busy', sipStatus: 486 });
    expect(await added).toMatchObject({ code: 'target-failed', sipStatus: 486 });
    const removed = room.removeParticipant(identity.uri);
    await settle();
    expect(host.last('command')).toMatchObject({ command: { verb: 'remove-participant', uri: identity.uri } });
    await host.replies('command');
    await expect(removed).resolves.toBeUndefined();
  });

  test('calls of other devices are unknown while there is no host to tell of them', async () => {
    const phone = await newPhone();
    const remote = { displayName: 'Bob', user: '102', uri: '' };
    await host.says({ type: 'remote-calls', calls: [{ id: '2', device: null, remote, direction: null, state: 'ringing', since: 5, canBePulled: false }] });
    await host.says({ type: 'gone', reason: 'replaced' });
    expect(phone.state.remoteCalls).toEqual([]);
  });

  test('what the microphone says before the host has a name for the session is told later', async () => {
    const phone = await newPhone();
    const call = phone.call('600');
    sessions[0]?.context.emit({ type: 'microphone-lost', kind: 'permission-denied' });
    await settle();
    expect(host.all('media-event')).toHaveLength(0);
    await host.says(mediaRequest('r1', 's1', call.id, OFFER));
    expect(host.last('media-event')).toMatchObject({ session: 's1', event: { kind: 'permission-denied' } });
  });
});

describe('media', () => {
  test('answering opens the microphone before the host asks', async () => {
    const phone = await newPhone();
    await host.says({ type: 'call', state: callState() });
    void phone.callById(CALL)!.answer({ others: 'hold' });
    expect(sessions[0]?.prepared).toBe(1);
    await host.says(mediaRequest('r1', 's1', CALL, { type: 'create-answer', offer: 'v=0', direction: 'sendrecv' }));
    expect(sessions).toHaveLength(1);
    expect(host.last('media-done')).toMatchObject({ request: 'r1', result: { ok: { sdp: 'v=0 create-answer' } } });
    expect(phone.levels(CALL)).toEqual({ microphone: 0.5, speaker: 0.25 });
    expect(phone.state.ownsMedia).toBe(true);
  });

  test('actions of a session run one after the other, but a close overtakes', async () => {
    const phone = await newPhone();
    await host.says({ type: 'call', state: callState() });
    await host.says(mediaRequest('r1', 's1', CALL, { type: 'create-answer', offer: 'v=0', direction: 'sendrecv' }));
    const [session] = sessions;
    session!.held = true;
    await host.says(
      mediaRequest('r2', 's1', CALL, { ...OFFER, direction: 'sendonly' }),
      mediaRequest('r3', 's1', CALL, { type: 'apply-answer', answer: 'v=0', provisional: false }),
    );
    expect(session!.actions.map((action) => action.type)).toEqual(['create-answer', 'create-offer']);
    await host.says(mediaRequest('r4', 's1', CALL, { type: 'close' }));
    expect(session!.actions.at(-1)?.type).toBe('close');
    expect(host.last('media-done').request).toBe('r4');
    expect(phone.levels(CALL)).toBeNull();
  });

  test('a failure carries its kind', async () => {
    await newPhone();
    await host.says({ type: 'call', state: callState() });
    const action: MediaAction = { type: 'create-answer', offer: 'nonsense', direction: 'sendrecv' };
    const failing = vi
      .spyOn(FakeSession.prototype, 'perform')
      .mockRejectedValueOnce({ kind: 'description-rejected', detail: 'no' });
    await host.says(mediaRequest('r1', 's1', CALL, action));
    expect(host.last('media-done').result).toEqual({ error: { kind: 'description-rejected', detail: 'no' } });
    failing.mockRestore();
  });
});

describe('a host that fails', () => {
  test('is replaced; calls its successor knows go on with their media until it is renewed', async () => {
    const phone = await newPhone();
    void phone.start();
    await settle();
    await host.replies('start');
    const call = phone.call('600');
    await settle();
    await host.replies('call');
    await host.says(mediaRequest('r1', 's1', call.id, OFFER));
    await host.says({ type: 'call', state: callState({ id: call.id, state: 'active', answeredAt: 5 }) });
    await host.says({ type: 'gone', reason: 'failed' });
    await vi.advanceTimersByTimeAsync(100);
    expect(host.links).toBe(2);
    expect(host.all('start')).toHaveLength(2);
    expect(phone.callById(call.id)).toBe(call);
    expect(sessions[0]?.actions.at(-1)?.type).not.toBe('close');
    await host.says({ type: 'call', state: callState({ id: call.id, state: 'active', answeredAt: 5 }) });
    await host.replies('start');
    await host.says(mediaRequest('r1', 's1', call.id, OFFER));
    await host.says(mediaRequest('r2', 's1', call.id, { type: 'apply-answer', answer: 'v=0', provisional: false }));
    expect(sessions[0]?.actions.at(-1)?.type).toBe('close');
    expect(sessions[1]?.actions.at(-1)?.type).toBe('apply-answer');
    expect(call.state.state).toBe('active');
  });

  test('calls its successor does not know end', async () => {
    const phone = await newPhone();
    void phone.start();
    await settle();
    await host.replies('start');
    await host.says({ type: 'call', state: callState() });
    const call = phone.callById(CALL)!;
    await host.says({ type: 'gone', reason: 'failed' });
    await vi.advanceTimersByTimeAsync(100);
    await host.replies('start');
    await expect(call.ended).resolves.toMatchObject({ end: { cause: 'network-failed' } });
  });

  test('a host that fails again and again is given up', async () => {
    const phone = await newPhone();
    for (let time = 0; time < 8; time += 1) {
      await host.says({ type: 'gone', reason: 'failed' });
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(host.links).toBe(6);
    await expect(phone.start()).rejects.toMatchObject({ code: 'worker-failed' });
  });

  test('a newer release leaves this window stopped until it is reloaded', async () => {
    const phone = await newPhone();
    await host.says({ type: 'connection', state: { type: 'connected' } });
    await host.says({ type: 'gone', reason: 'replaced' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(host.links).toBe(1);
    expect(phone.state.connection).toEqual({ type: 'stopped' });
  });
});
