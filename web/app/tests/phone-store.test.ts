import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Notices } from '../src/model/notices.js';
import { ENDED_CARD_MS, PhoneStore } from '../src/model/phone-store.js';
import { FakePhone } from '../src/testing/fake-phone.js';

let phone: FakePhone;
let notices: Notices;
let store: PhoneStore;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  phone = new FakePhone();
  notices = new Notices();
  store = new PhoneStore(phone, notices, () => true);
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

const BOB = { target: '102', postDial: '', isNumber: true };

const ended = () => store.state.value.ended.map(({ call }) => call.id);
const shown = () => notices.state.value.map((notice) => notice.text);

test('incoming calls stand apart; the talking call is in the foreground', () => {
  const held = phone.add({ localHold: true, createdAt: 3 });
  const talking = phone.add({ createdAt: 2 });
  const ringing = phone.add({ state: 'incoming', direction: 'incoming', createdAt: 4 });
  expect(store.state.value.incoming.map((c) => c.id)).toEqual([ringing.id]);
  expect(store.state.value.current.map((c) => c.id)).toEqual([talking.id, held.id]);
  expect(store.foreground?.id).toBe(talking.id);
});

test('an ended call stays for ten seconds and then leaves', () => {
  const call = phone.add({});
  phone.end(call.id, { cause: 'remote-hang-up' });
  expect(ended()).toEqual([call.id]);
  vi.advanceTimersByTime(ENDED_CARD_MS - 1);
  expect(ended()).toEqual([call.id]);
  vi.advanceTimersByTime(1);
  expect(ended()).toEqual([]);
});

test('at most two ended cards, the newest first', () => {
  const ids = ['101', '102', '103'].map((user) => phone.add({ remote: { displayName: '', user, uri: `sip:${user}@x` } }).id);
  for (const id of ids) phone.end(id);
  expect(ended()).toEqual([ids[2], ids[1]]);
});

test('a call that never began says why', async () => {
  phone.refuseWith = { code: 'not-connected' };
  store.place(BOB);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(['problem.notConnected']);
});

test('a refused microphone names itself', async () => {
  phone.refuseWith = { code: 'media', microphone: 'permission-denied' };
  store.place(BOB);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(['microphone.denied']);
});

test('a command that loses against the end of the call is no problem', async () => {
  const call = phone.add({});
  phone.refuseWith = { code: 'call-ended' };
  await store.hold(call.id);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual([]);
});

test('a conversation that the network connects on remembers whom it was with', () => {
  const call = phone.add({});
  phone.change(call.id, { remote: { displayName: 'Bob K.', user: '102', uri: 'sip:102@other.test' } });
  expect(store.state.value.formerly.size).toBe(0);
  phone.change(call.id, { remote: { displayName: 'Carol', user: '103', uri: 'sip:103@example.test' } });
  expect(store.state.value.formerly.get(call.id)?.user).toBe('102');
  phone.end(call.id);
  expect(store.state.value.formerly.size).toBe(0);
});

test('the answer may name the callee in another way than was dialled', () => {
  const call = phone.add({ state: 'ringing' });
  phone.change(call.id, { state: 'active', answeredAt: 1, remote: { displayName: 'Bob', user: 'bob', uri: 'sip:bob@example.test' } });
  expect(store.state.value.formerly.size).toBe(0);
});
