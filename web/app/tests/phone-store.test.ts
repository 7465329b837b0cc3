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

test('calling the same party again takes the ended card away', () => {
  phone.end(phone.add({}).id);
  expect(ended()).toHaveLength(1);
  store.call('102');
  expect(ended()).toEqual([]);
});

test('at most two ended cards, the newest first', () => {
  const ids = ['101', '102', '103'].map((user) => phone.add({ remote: { displayName: '', user, uri: `sip:${user}@x` } }).id);
  for (const id of ids) phone.end(id);
  expect(ended()).toEqual([ids[2], ids[1]]);
});

test('what is typed is dialled as a number; text that is no address is refused', () => {
  expect(store.call('+49 (0)89 1234-56')).toBe(true);
  expect(store.call('Bob Kramer')).toBe(false);
  expect(phone.commands).toEqual(['call +4989123456']);
});

test('digits after a pause are sent once answered', async () => {
  store.call('600,,12');
  phone.callById(phone.state.calls[0]!.id)!.accept();
  await vi.advanceTimersByTimeAsync(0);
  expect(phone.commands.at(-1)).toMatch(/^dtmf \d+ ,,12$/);
});

test('resuming one call holds the other first', async () => {
  const held = phone.add({ localHold: true });
  const talking = phone.add({});
  await store.setHeld(held.id, false);
  expect(phone.commands).toEqual([`hold ${talking.id}`, `resume ${held.id}`]);
});

test('when the other call cannot be held, nothing is resumed and the person is told', async () => {
  const held = phone.add({ localHold: true });
  phone.add({});
  phone.refuseWith = { code: 'timed-out' };
  await store.setHeld(held.id, false);
  expect(phone.commands).toHaveLength(1);
  expect(shown()).toEqual(['problem.hold']);
});

test('a call that never began says why', async () => {
  phone.refuseWith = { code: 'not-connected' };
  store.call('102');
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(['problem.notConnected']);
});

test('a refused microphone names itself', async () => {
  phone.refuseWith = { code: 'media', microphone: 'permission-denied' };
  store.call('102');
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual(['microphone.denied']);
});

test('a command that loses against the end of the call is no problem', async () => {
  const call = phone.add({});
  phone.refuseWith = { code: 'call-ended' };
  await store.setHeld(call.id, true);
  await vi.advanceTimersByTimeAsync(0);
  expect(shown()).toEqual([]);
});
