import { expect, test } from 'vitest';
import type { PhoneState } from '@clearline/phone';
import { connectionView } from '../src/model/connection.js';
import { lineMode } from '../src/components/app-header.js';
import { FakePhone } from '../src/testing/fake-phone.js';
import { Notices } from '../src/model/notices.js';
import { PhoneStore } from '../src/model/phone-store.js';

const phone = (changes: Partial<PhoneState>): PhoneState => ({ ...new FakePhone().state, ...changes });
const view = (changes: Partial<PhoneState>, was = false, online = true) => connectionView(phone(changes), was, online);

test('registered only when the registration says so', () => {
  expect(view({}).state).toBe('registered');
  expect(view({ registration: { type: 'registering' } }).state).toBe('connecting');
  expect(view({ registration: { type: 'registering' } }, true).state).toBe('reconnecting');
});

test('a few failed tries are reconnecting, more are offline, both with the time of the next try', () => {
  const waiting = (attempt: number) => view({ connection: { type: 'waiting', attempt, retryAt: 5_000, reason: 'closed' } }, true);
  expect(waiting(1)).toEqual({ state: 'reconnecting', retryAt: 5_000 });
  expect(waiting(3)).toMatchObject({ state: 'offline', cause: 'no-server', retryAt: 5_000 });
});

test('without a network it is offline at once, and says why', () => {
  expect(view({ connection: { type: 'waiting', attempt: 1, retryAt: 1, reason: '' } }, true, false)).toMatchObject({ state: 'offline', cause: 'no-network' });
});

test('a refused registration tells status and reason', () => {
  const failed = { type: 'failed', sipStatus: 403, reason: 'Forbidden', credentialsRejected: false, retryAt: null } as const;
  expect(view({ registration: failed })).toMatchObject({ state: 'offline', cause: 'refused', detail: '403 Forbidden' });
});

test('the line follows the voices first, then the connection', () => {
  const fake = new FakePhone();
  const store = new PhoneStore(fake, new Notices(), () => true);
  const mode = () => lineMode(store.state.value);
  expect(mode()).toBe('ready');
  const call = fake.add({ state: 'calling' });
  expect(mode()).toBe('ringing');
  call.accept();
  expect(mode()).toBe('call');
  fake.patch({ connection: { type: 'waiting', attempt: 1, retryAt: 0, reason: '' } });
  expect(mode()).toBe('call');
  fake.change(call.id, { media: 'disconnected' });
  expect(mode()).toBe('reconnecting');
  fake.end(call.id);
  expect(mode()).toBe('reconnecting');
  fake.patch({ connection: { type: 'waiting', attempt: 5, retryAt: 0, reason: '' } });
  expect(mode()).toBe('offline');
});
