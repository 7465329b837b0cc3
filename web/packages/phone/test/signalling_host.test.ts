import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AgentHost } from '../src/host/agent.js';
import { LINGER_IDLE_MS, LINGER_WITH_CALLS_MS, SignallingHost } from '../src/host/signalling_host.js';
import type { NetworkNews } from '../src/host/network_watch.js';
import { accountLock, PROTOCOL, windowLock } from '../src/protocol.js';
import { ACCOUNT, callInfo, CONNECTED, FakePlace, FakeWindow, micros, REGISTERED, settle } from './fakes.js';

const CALL = '00000000000000c1';
const OTHER = '00000000000000c2';

let place: FakePlace;
let host: SignallingHost;

beforeEach(() => {
  vi.useFakeTimers();
  place = new FakePlace();
  host = new SignallingHost(place.surroundings());
});

afterEach(() => {
  vi.useRealTimers();
});

const newWindow = (name: string, at = host): FakeWindow => new FakeWindow(name, (port) => at.attach(port));

/** Lets the agent say something, as the outputs of one drain. */
async function says(...outputs: ((host: AgentHost) => void)[]): Promise<void> {
  place.agent.outputs.push(...outputs);
  place.sockets[0]?.receive('x');
  await settle();
}

async function startedWindow(name = 'w1'): Promise<FakeWindow> {
  const window = newWindow(name);
  await window.join();
  const request = await window.ask({ type: 'start' });
  place.agent.host.connect('c1', 'wss://example.com/sip');
  place.sockets[0]?.open();
  await says(
    (h) => h.connection(CONNECTED),
    (h) => h.registration(REGISTERED),
  );
  expect(window.reply(request)).toBeNull();
  return window;
}

const incoming = (h: AgentHost): void => h.call(CALL, callInfo(), undefined, undefined);
const active = (h: AgentHost): void => h.call(CALL, callInfo({ state: 'active' }), undefined, undefined);
const media = (request: string, session: string, action: object): ((h: AgentHost) => void) => {
  return (h) => h.media(request, CALL, session, JSON.stringify(action));
};
const ANSWER = { type: 'create-answer', offer: 'v=0', direction: 'sendrecv' };
const OFFER = { type: 'create-offer', direction: 'sendrecv', ice_restart: false };

describe('joining and starting', () => {
  test('nothing is connected before start', async () => {
    const window = newWindow('w1');
    await window.join();
    expect(window.last('welcome')?.connection).toEqual({ type: 'stopped' });
    expect(place.agents).toHaveLength(0);
    expect(place.sockets).toHaveLength(0);
  });

  test('start resolves when registered, for a second window at once, with one agent for both', async () => {
    await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    expect(second.last('welcome')?.registration.type).toBe('registered');
    expect(second.reply(await second.ask({ type: 'start' }))).toBeNull();
    expect(place.agents).toHaveLength(1);
  });

  test('refused credentials reject start with the status; a second start begins afresh', async () => {
    const window = newWindow('w1');
    await window.join();
    const request = await window.ask({ type: 'start' });
    place.agent.host.connect('c1', 'wss://example.com/sip');
    const refused = { type: 'failed', sipStatus: 403, reason: 'Forbidden', credentialsRejected: true, retryAt: null };
    await says((h) => h.registration(JSON.stringify(refused)));
    expect(window.reply(request)).toMatchObject({ code: 'refused', sipStatus: 403 });
    const again = await window.ask({ type: 'start' });
    expect(place.agents).toHaveLength(2);
    expect(place.agents[0]?.freed).toBe(true);
    expect(window.reply(again)).toBeUndefined();
  });

  test('the device keeps its instance identifier across hosts', async () => {
    await startedWindow();
    const first = place.agent.config.instanceId;
    expect(first).toMatch(/^urn:uuid:/);
    const other = new FakePlace();
    await other.storage.write('instance-id', first);
    const successor = new SignallingHost(other.surroundings());
    const window = newWindow('w2', successor);
    await window.join();
    await window.ask({ type: 'start' });
    expect(other.agent.config.instanceId).toBe(first);
  });

  test('the account says whether the device lets itself be sent on, follows the calls of others, and where conferences are made', async () => {
    const window = new FakeWindow('w1', (port) => host.attach(port), { ...ACCOUNT, transferPolicy: 'ask', remoteCalls: true, deviceName: 'Laptop', conferenceFactory: 'sip:conference@example.com' });
    await window.join();
    await window.ask({ type: 'start' });
    expect(place.agent.config.transferPolicy).toBe('ask');
    expect(place.agent.config.remoteCalls).toBe(true);
    expect(place.agent.config.deviceName).toBe('Laptop');
    expect(place.agent.config.conferenceFactory).toBe('sip:conference@example.com');
  });

  test('a changed password of a later window reaches the running agent', async () => {
    await startedWindow();
    const later = new FakeWindow('w2', (port) => host.attach(port), { ...ACCOUNT, password: 'renewed' });
    await later.join();
    expect(place.agent.log).toContain('setPassword renewed');
  });

  test('another account is turned away', async () => {
    await startedWindow();
    const stranger = new FakeWindow('w2', (port) => host.attach(port), { ...ACCOUNT, key: 'bob' });
    await stranger.join();
    expect(stranger.got).toEqual([{ type: 'gone', reason: 'account' }]);
  });

  test('a host that another one keeps from the account waits, and takes over when that one has gone', async () => {
    const first = await startedWindow();
    const standby = new SignallingHost(place.surroundings('page'));
    const second = newWindow('w2', standby);
    await second.join();
    const request = await second.ask({ type: 'start' });
    expect(second.last('connection')?.state.type).toBe('waiting');
    expect(place.agents).toHaveLength(1);
    await first.ask({ type: 'stop' });
    await says((h) => h.stopped());
    expect(place.agents).toHaveLength(2);
    expect(second.reply(request)).toBeUndefined();
  });
});

describe('commands', () => {
  test('a reply waits for the end of the operation', async () => {
    const window = await startedWindow();
    const request = await window.ask({ type: 'command', call: CALL, command: { verb: 'hold' } });
    expect(window.reply(request)).toBeUndefined();
    await says((h) => h.operationDone('op1', undefined));
    expect(window.reply(request)).toBeNull();
  });

  test('an operation that ends before the command returns is not missed', async () => {
    const window = await startedWindow();
    place.agent.outputs.push((h) => h.operationDone('op1', undefined));
    const request = await window.ask({ type: 'command', call: CALL, command: { verb: 'mute', muted: true } });
    expect(window.reply(request)).toBeNull();
    expect(place.agent.log).toContain(`setMuted ${CALL} true`);
  });

  test('a failed operation is told with its status', async () => {
    const window = await startedWindow();
    const request = await window.ask({ type: 'command', call: CALL, command: { verb: 'hold' } });
    await says((h) => h.operationDone('op1', JSON.stringify({ type: 'refused', status: 488, reason: 'No' })));
    expect(window.reply(request)).toMatchObject({ code: 'refused', sipStatus: 488 });
  });

  test('a refusal comes at once', async () => {
    const window = await startedWindow();
    place.agent.refusal = 'wrong-state';
    const request = await window.ask({ type: 'command', call: CALL, command: { verb: 'answer', others: undefined } });
    expect(window.reply(request)).toMatchObject({ code: 'wrong-state' });
  });

  test('before start, and after stop, a command is refused', async () => {
    const window = newWindow('w1');
    await window.join();
    const request = await window.ask({ type: 'call', call: CALL, target: '600' });
    expect(window.reply(request)).toMatchObject({ code: 'not-connected' });
  });

  test('commands of several calls reach the core as they are', async () => {
    const window = await startedWindow();
    for (const command of [
      { verb: 'resume', others: undefined },
      { verb: 'resume', others: 'hold' },
      { verb: 'transfer', target: '103' },
      { verb: 'transfer-to', other: OTHER },
      { verb: 'push' },
      { verb: 'cancel-transfer' },
      { verb: 'decide-transfer', agree: true },
    ] as const) {
      await window.ask({ type: 'command', call: CALL, command });
    }
    expect(place.agent.log.slice(-7)).toEqual([
      `resume ${CALL}`,
      `swapTo ${CALL}`,
      `transfer ${CALL} 103`,
      `transferTo ${CALL} ${OTHER}`,
      `push ${CALL}`,
      `cancelTransfer ${CALL}`,
      `decideTransfer ${CALL} true`,
    ]);
  });

  test('the window that consults carries the media of the second call, unless the first cannot be held', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    place.agent.outputs.push(media('r1', 's1', OFFER));
    const request = await second.ask({ type: 'consult', of: OTHER, call: CALL, target: '103', displayName: undefined });
    expect(place.agent.log.at(-1)).toBe(`consult ${OTHER} ${CALL} 103`);
    expect(second.last('media')).toMatchObject({ request: 'r1' });
    expect(first.all('media')).toHaveLength(0);
    await says((h) => h.operationDone('op1', JSON.stringify({ type: 'refused', status: 488, reason: 'No' })));
    expect(second.reply(request)).toMatchObject({ code: 'refused', sipStatus: 488 });
  });

  test('a call is taken over by the window that asks, which carries its media', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    place.agent.outputs.push(media('r1', 's1', OFFER));
    const request = await second.ask({ type: 'pull', call: CALL, remote: '2' });
    expect(place.agent.log.at(-1)).toBe(`pull ${CALL} 2`);
    expect(second.reply(request)).toBeNull();
    expect(second.last('media')).toMatchObject({ request: 'r1' });
    expect(first.all('media')).toHaveLength(0);
    place.agent.refusal = 'no-such-call';
    expect(second.reply(await second.ask({ type: 'pull', call: OTHER, remote: '3' }))).toMatchObject({ code: 'no-such-call' });
  });

  test('calls of other devices are told to every window, to one that comes later too, and are unknown after a stop', async () => {
    const window = await startedWindow();
    const remote = { displayName: 'Bob', user: '102', uri: 'sip:102@example.com' };
    const told = { id: 26, device: 'Desk', remote, direction: 'incoming', state: 'active', since: micros(Date.now() - 5_000), canBePulled: true };
    const expected = [{ ...told, id: '1a', since: Date.now() - 5_000 }];
    await says((h) => h.remoteCalls(JSON.stringify([told])));
    expect(window.last('remote-calls')?.calls).toEqual(expected);
    const later = newWindow('w2');
    await later.join();
    expect(later.last('welcome')?.remoteCalls).toEqual(expected);
    await window.ask({ type: 'stop' });
    await says((h) => h.stopped());
    expect(window.last('remote-calls')?.calls).toEqual([]);
  });

  test('the devices of the account are asked for, and told to every window, to one that comes later too', async () => {
    const window = await startedWindow();
    const devices = [{ address: 'sip:alice@example.com;gr=1', name: null }];
    const request = await window.ask({ type: 'ask-for-devices' });
    expect(place.agent.log.at(-1)).toBe('askForDevices');
    expect(window.reply(request)).toBeNull();
    await says((h) => h.ownDevices(JSON.stringify(devices)));
    expect(window.last('own-devices')?.devices).toEqual(devices);
    const later = newWindow('w2');
    await later.join();
    expect(later.last('welcome')?.ownDevices).toEqual(devices);
    place.agent.refusal = 'not-connected';
    expect(window.reply(await window.ask({ type: 'ask-for-devices' }))).toMatchObject({ code: 'not-connected' });
    await window.ask({ type: 'stop' });
    await says((h) => h.stopped());
    expect(window.last('own-devices')?.devices).toEqual([]);
  });

  test('how a transfer stands is told with exact ids and readable errors', async () => {
    const window = await startedWindow();
    const told = async (changes: object, consulted?: string, followed?: string): Promise<unknown> => {
      await says((h) => h.call(CALL, callInfo({ state: 'active', ...changes }), consulted, followed));
      const { transfer, succeeds } = window.last('call')!.state;
      return transfer ?? succeeds;
    };
    expect(await told({ transfer: { type: 'consulting', with: 1.2e18 } }, OTHER)).toEqual({ type: 'consulting', with: OTHER });
    expect(await told({ succeeds: 1.2e18 }, undefined, OTHER)).toBe(OTHER);
    expect(await told({ transfer: { type: 'proceeding', sipStatus: 180 } })).toEqual({ type: 'proceeding', sipStatus: 180 });
    expect(await told({ transfer: { type: 'failed', error: { type: 'target-failed', status: 486, reason: 'Busy' } } })).toEqual({ type: 'failed', code: 'target-failed', sipStatus: 486, message: 'not reached: 486 Busy' });
    expect(await told({ transfer: { type: 'failed', error: { type: 'outcome-unknown' } } })).toMatchObject({ code: 'outcome-unknown', sipStatus: null });
    expect(await told({})).toBeNull();
  });

  test('times of the core become milliseconds since 1970, and the id stays exact', async () => {
    const window = await startedWindow();
    await says(incoming);
    expect(window.last('call')?.state).toMatchObject({ id: CALL, createdAt: Date.now() });
  });
});

describe('media', () => {
  test('the window that answers carries the media', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    await says(incoming);
    place.agent.outputs.push(media('r1', 's1', ANSWER));
    await second.ask({ type: 'command', call: CALL, command: { verb: 'answer', others: undefined } });
    expect(second.last('media')).toMatchObject({ request: 'r1', session: 's1', action: ANSWER });
    expect(first.all('media')).toHaveLength(0);
    second.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'description', sdp: 'v=0 answer' } } });
    await settle();
    expect(place.agent.log).toContain('mediaDescription r1 v=0 answer');
  });

  test('an answer counts once, and only from the window that was asked', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    await says(active, media('r1', 's1', OFFER));
    second.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'done' } } });
    await settle();
    expect(place.agent.log).not.toContain('mediaDone r1');
    first.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'done' } } });
    first.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'done' } } });
    await settle();
    expect(place.agent.log.filter((line) => line === 'mediaDone r1')).toHaveLength(1);
  });

  test('muting before there is media is remembered for the session that comes', async () => {
    const window = await startedWindow();
    await says(incoming, media('r1', 's1', { type: 'set-muted', muted: true }));
    expect(place.agent.log).toContain('mediaDone r1');
    await says(media('r2', 's1', ANSWER));
    expect(window.last('media')).toMatchObject({ request: 'r2', muted: true });
  });

  test('when the carrying window closes, the call moves to another', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    await says(active, media('r1', 's1', OFFER));
    first.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'description', sdp: 'v=0' } } });
    await settle();
    first.send({ type: 'bye' });
    await settle();
    expect(place.agent.log).toContain(`moveMedia ${CALL}`);
    await says(media('r2', 's1', { type: 'close' }), media('r3', 's2', OFFER));
    expect(place.agent.log).toContain('mediaDone r2');
    expect(second.last('media')).toMatchObject({ request: 'r3', session: 's2' });
    expect(second.last('lead')?.lead).toBe(true);
  });

  test('an offer that a closed window has not made is asked of another', async () => {
    const first = await startedWindow('w1');
    const second = newWindow('w2');
    await second.join();
    await says(active, media('r1', 's1', OFFER));
    first.send({ type: 'bye' });
    await settle();
    expect(second.last('media')).toMatchObject({ request: 'r1', session: 's1' });
    expect(place.agent.log).not.toContain(`moveMedia ${CALL}`);
  });

  test('without any window a request fails as unavailable, and the move waits for the next window', async () => {
    const first = await startedWindow('w1');
    await says(active, media('r1', 's1', OFFER));
    first.send({ type: 'media-done', request: 'r1', result: { ok: { type: 'description', sdp: 'v=0' } } });
    await settle();
    first.send({ type: 'bye' });
    await settle();
    await says(media('r2', 's1', ANSWER));
    expect(place.agent.log).toContain('mediaFailed r2 unavailable no window carries this media');
    const second = newWindow('w2');
    await second.join();
    expect(second.last('welcome')?.calls).toHaveLength(1);
    expect(place.agent.log).toContain(`moveMedia ${CALL}`);
  });

  test('a window that crashes is missed by its lock', async () => {
    const first = await startedWindow('w1');
    let crash: () => void = () => undefined;
    void place.locks.request(windowLock('w1'), () => new Promise<void>((resolve) => (crash = resolve)));
    first.send({ type: 'locked' });
    const second = newWindow('w2');
    await second.join();
    await says(active, media('r1', 's1', OFFER));
    crash();
    await settle();
    expect(second.last('media')?.request).toBe('r1');
  });
});

describe('without windows', () => {
  test('an idle host stops after a while and ends itself', async () => {
    const window = await startedWindow();
    window.send({ type: 'bye' });
    await vi.advanceTimersByTimeAsync(LINGER_IDLE_MS - 1);
    expect(place.agent.log).not.toContain('stop');
    await vi.advanceTimersByTimeAsync(1);
    expect(place.agent.log).toContain('stop');
    await says((h) => h.stopped());
    expect(place.agent.freed).toBe(true);
    expect(place.closed).toBe(1);
    expect(place.locks.isHeld(accountLock('alice'))).toBe(false);
  });

  test('calls are kept longer, and a window that comes back in time finds them', async () => {
    const window = await startedWindow();
    await says(active);
    window.send({ type: 'bye' });
    await vi.advanceTimersByTimeAsync(LINGER_WITH_CALLS_MS - 1);
    const next = newWindow('w2');
    await next.join();
    await vi.advanceTimersByTimeAsync(LINGER_WITH_CALLS_MS);
    expect(place.agent.log).not.toContain('stop');
    expect(next.last('welcome')?.calls[0]?.id).toBe(CALL);
  });
});

describe('restart and hand-over', () => {
  test('what was saved is restored once, by a host of the same account', async () => {
    await startedWindow();
    await says((h) => h.transmit('c1', 'ACK ...'));
    await vi.advanceTimersByTimeAsync(100);
    const saved = await place.storage.read('snapshot');
    expect(saved?.agent).toEqual(new Uint8Array([1, 2, 3]));

    const next = new FakePlace();
    await next.storage.write('snapshot', saved!);
    const successor = new SignallingHost(next.surroundings());
    const window = newWindow('w2', successor);
    await window.join();
    await window.ask({ type: 'start' });
    expect(next.agent.restoredFrom).toEqual(new Uint8Array([1, 2, 3]));
    expect(next.agent.log[0]).toBe('start');
    expect(await next.storage.read('snapshot')).toBeUndefined();
  });

  test('a stale snapshot is left alone', async () => {
    await place.storage.write('snapshot', { savedAt: Date.now() - 3_600_000, agent: new Uint8Array([9]) });
    await startedWindow();
    expect(place.agent.restoredFrom).toBeNull();
  });

  test('an orderly stop leaves no snapshot', async () => {
    const window = await startedWindow();
    await says((h) => h.transmit('c1', 'REGISTER ...'));
    await vi.advanceTimersByTimeAsync(100);
    const request = await window.ask({ type: 'stop' });
    await says((h) => h.stopped());
    expect(window.reply(request)).toBeNull();
    expect(await place.storage.read('snapshot')).toBeUndefined();
  });

  test('a bug in the agent ends the host, tells the windows, and keeps the snapshot', async () => {
    const window = await startedWindow();
    await says((h) => h.transmit('c1', 'ACK ...'));
    await vi.advanceTimersByTimeAsync(100);
    place.agent.refusal = new WebAssembly.RuntimeError('unreachable');
    place.sockets[0]?.receive('boom');
    await settle();
    expect(window.last('gone')?.reason).toBe('failed');
    expect(place.closed).toBe(1);
    expect(await place.storage.read('snapshot')).toBeDefined();
  });

  test('a newer page makes an idle host go, and a busy one go after the call', async () => {
    const window = await startedWindow();
    await says(active);
    const newer = newWindow('w2');
    await newer.join({ protocol: PROTOCOL + 1 });
    expect(window.last('gone')).toBeUndefined();
    // It would give up on a worker that says nothing.
    await vi.advanceTimersByTimeAsync(3_000);
    expect(newer.all('log')).toHaveLength(2);
    const end = { at: 0, cause: 'remote-hang-up', sipStatus: null, text: '', retryAfter: null };
    await says((h) => h.call(CALL, callInfo({ state: 'ended', end }), undefined, undefined));
    expect(window.last('gone')?.reason).toBe('outdated');
    expect(newer.last('gone')?.reason).toBe('outdated');
    expect(place.locks.isHeld(accountLock('alice'))).toBe(false);
  });

  test('an older page is told to reload', async () => {
    await startedWindow();
    const older = newWindow('w2');
    await older.join({ protocol: PROTOCOL - 1 });
    expect(older.got).toEqual([{ type: 'gone', reason: 'replaced' }]);
  });
});

describe('sockets and environment', () => {
  test('messages go out as they are, and a URL the browser refuses counts as a failure', async () => {
    await startedWindow();
    await says((h) => h.transmit('c1', 'OPTIONS'));
    expect(place.sockets[0]?.sent).toEqual(['OPTIONS']);
    place.sockets[0]?.fail(1006, '');
    expect(place.agent.log).toContain('disconnected c1 1006');
  });

  test('a closed connection is not heard of again', async () => {
    await startedWindow();
    await says((h) => h.disconnect('c1'));
    place.sockets[0]?.fail(1000, '');
    expect(place.agent.log.some((line) => line.startsWith('disconnected'))).toBe(false);
  });

  test('visible means that any window is', async () => {
    const first = await startedWindow();
    const second = newWindow('w2');
    await second.join();
    first.send({ type: 'visible', visible: false });
    await settle();
    expect(place.agent.log).not.toContain('environment hidden');
    second.send({ type: 'visible', visible: false });
    await settle();
    expect(place.agent.log).toContain('environment hidden');
  });

  test('changes of the network are passed on once, and doubts whenever there is one', async () => {
    await startedWindow();
    const say = (news: NetworkNews): void => place.network.forEach((tell) => tell(news));
    say({ type: 'online', online: false });
    say({ type: 'online', online: false });
    expect(place.agent.log.filter((line) => line === 'environment offline')).toHaveLength(1);
    say({ type: 'online', online: true });
    expect(place.agent.log).toContain('environment online');
    say({ type: 'doubt' });
    expect(place.agent.log).toContain('environment doubtful');
  });

  test('audio that stops coming in makes the connection doubtful', async () => {
    const window = await startedWindow();
    await says(active, media('r1', 's1', OFFER));
    window.send({ type: 'media-event', session: 's1', event: { type: 'path-doubt', reason: 'no audio comes in' } });
    await settle();
    expect(place.agent.log).toContain('environment doubtful');
  });

  test('a host that was frozen, or slept with its machine, says so within seconds of waking up', async () => {
    await startedWindow();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(place.agent.log).not.toContain('environment resumed');
    vi.setSystemTime(Date.now() + 60_000);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(place.agent.log.filter((line) => line === 'environment resumed')).toHaveLength(1);
  });

  test('a host that is gone watches nothing any more', async () => {
    const window = await startedWindow();
    window.send({ type: 'bye' });
    await vi.advanceTimersByTimeAsync(LINGER_IDLE_MS);
    await says((h) => h.stopped());
    expect(place.network.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('the agent is woken at its deadline', async () => {
    await startedWindow();
    place.agent.host.idle(Date.now() + 500);
    await vi.advanceTimersByTimeAsync(499);
    expect(place.agent.log).not.toContain('wake');
    await vi.advanceTimersByTimeAsync(1);
    expect(place.agent.log).toContain('wake');
  });
});
