import type { PhoneConfig } from '@clearline/phone';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { connectPhone } from '../src/model/connect.js';
import { ServerError } from '../src/model/server.js';
import { Session } from '../src/model/session.js';
import { Store } from '../src/model/store.js';
import { MemoryValues } from '../src/storage/memory.js';
import { FakePhone } from '../src/testing/fake-phone.js';
import { ALICE, FakeServer } from '../src/testing/fake-server.js';

let server: FakeServer;
let settings: Store<{ readonly holdMusic: boolean }>;
beforeEach(() => {
  settings = new Store({ holdMusic: true });
  vi.useFakeTimers({ now: 1_000_000 });
  server = new FakeServer();
});
afterEach(() => vi.useRealTimers());

test('an earlier visit is still signed in', async () => {
  const session = new Session(server);
  await session.resume();
  expect(session.state.value).toEqual({ type: 'signed-in', account: ALICE });
});

test('a wrong password says so and can be tried again', async () => {
  server.account = null;
  const session = new Session(server);
  await session.resume();
  server.failWith = new ServerError(401, 'wrong-password', null);
  await session.signIn('nope');
  expect(session.state.value).toEqual({ type: 'signed-out', problem: { type: 'wrong-password' } });
  await session.signIn('demo');
  expect(session.state.value.type).toBe('signed-in');
});

test('too many tries carry the wait', async () => {
  const session = new Session(server);
  server.failWith = new ServerError(429, 'slow-down', 30);
  await session.signIn('x');
  expect(session.state.value).toMatchObject({ problem: { type: 'too-many-tries', seconds: 30 } });
});

test('an unreachable server is asked again by itself', async () => {
  const session = new Session(server);
  server.failWith = new ServerError(0, 'unreachable', null);
  await session.resume();
  expect(session.state.value).toMatchObject({ type: 'unreachable', attempt: 1 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(session.state.value.type).toBe('signed-in');
});

test('rejected credentials are renewed once per rejection', async () => {
  const phone = new FakePhone();
  await connectPhone(ALICE, server, new MemoryValues(), settings, async () => phone, () => undefined);
  const rejected = { type: 'failed', sipStatus: 403, reason: '', credentialsRejected: true, retryAt: null } as const;
  phone.patch({ registration: rejected });
  phone.patch({ registration: { ...rejected } });
  await vi.advanceTimersByTimeAsync(0);
  expect(phone.commands).toEqual(['start', 'update iceServers password']);
  expect(server.deviceRequests).toBe(2);
});

test('a device keeps its identity, and a lost session asks to sign in', async () => {
  const storage = new MemoryValues();
  const ids: Array<string | undefined> = [];
  const create = async (config: { instanceId?: string }) => {
    ids.push(config.instanceId);
    return new FakePhone();
  };
  const expired = vi.fn();
  await connectPhone(ALICE, server, storage, settings, create, expired);
  const phone = new FakePhone();
  await connectPhone(ALICE, server, storage, settings, async (config) => (ids.push(config.instanceId), phone), expired);
  expect(ids[0]).toMatch(/^urn:uuid:/);
  expect(ids[1]).toBe(ids[0]);
  server.failWith = new ServerError(401, 'signed-out', null);
  phone.patch({ registration: { type: 'failed', sipStatus: 401, reason: '', credentialsRejected: true, retryAt: null } });
  await vi.advanceTimersByTimeAsync(0);
  expect(expired).toHaveBeenCalledOnce();
});

test('who is on hold hears the tenant\'s music, or the melody, or nothing, as the person chooses at any time', async () => {
  const phone = new FakePhone();
  const configs: PhoneConfig[] = [];
  const open = () => connectPhone(ALICE, server, new MemoryValues(), settings, async (config) => (configs.push(config), phone), () => undefined);
  const updates = vi.spyOn(phone, 'update');
  const plain = await open();
  expect(configs[0]?.holdMusic).toBe('generated');
  settings.set({ holdMusic: false });
  expect(updates).toHaveBeenLastCalledWith({ holdMusic: 'none' });
  plain.dispose();

  server.holdMusic = '/hold-music';
  const own = await open();
  expect(configs[1]?.holdMusic).toBe('none');
  settings.set({ holdMusic: true });
  expect(updates).toHaveBeenLastCalledWith({ holdMusic: { url: new URL('/hold-music', location.href) } });
  own.dispose();
  settings.set({ holdMusic: false });
  expect(updates).toHaveBeenCalledTimes(2);
});
