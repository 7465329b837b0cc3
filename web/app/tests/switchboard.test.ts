import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { t } from '../src/i18n/i18n.js';
import { isEmergencyNumber } from '../src/model/emergency.js';
import { Notices } from '../src/model/notices.js';
import { PhoneStore } from '../src/model/phone-store.js';
import { Switchboard } from '../src/model/switchboard.js';
import type { Suggestion } from '../src/model/search.js';
import { consultationOf, transferFailure } from '../src/model/transfer-text.js';
import { FakePhone } from '../src/testing/fake-phone.js';

let phone: FakePhone;
let notices: Notices;
let store: PhoneStore;
let board: Switchboard;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  phone = new FakePhone();
  notices = new Notices();
  store = new PhoneStore(phone, notices, () => true);
  const person = (remote: { user: string }) => ({ name: remote.user, number: remote.user, target: remote.user });
  board = new Switchboard(store, notices, { person }, (target) => isEmergencyNumber(target, 'DE'));
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

const shown = () => notices.state.value.map((notice) => notice.text);
const settled = () => vi.advanceTimersByTimeAsync(0);
const last = () => phone.callById(phone.state.calls.at(-1)!.id)!;

test('what is typed is dialled as a number; text that is no address is refused', async () => {
  expect(board.call('+49 (0)89 1234-56')).toBe(true);
  await settled();
  expect(board.call('Bob Kramer')).toBe(false);
  expect(phone.commands).toEqual(['call +4989123456']);
});

test('digits after a pause are sent once answered', async () => {
  board.call('600,,12');
  await settled();
  last().accept();
  await settled();
  expect(phone.commands.at(-1)).toMatch(/^dtmf \d+ ,,12$/);
});

test('calling the same party again takes the ended card away', async () => {
  phone.end(phone.add({}).id);
  expect(store.state.value.ended).toHaveLength(1);
  board.call('102');
  await settled();
  expect(store.state.value.ended).toEqual([]);
});

test('a second call is made when the first is on hold', async () => {
  const first = phone.add({});
  board.call('103');
  expect(phone.commands).toEqual([`hold ${first.id}`]);
  await settled();
  expect(phone.commands).toEqual([`hold ${first.id}`, 'call 103']);
});

test('when the first call cannot be held there is no second one, and the person is told', async () => {
  phone.add({});
  phone.refuseWith = { code: 'timed-out' };
  board.call('103');
  await settled();
  expect(phone.commands).toHaveLength(1);
  expect(shown()).toEqual(['problem.secondCall']);
});

test('Enter pressed twice makes one call', async () => {
  phone.add({});
  board.call('103');
  board.call('103');
  await settled();
  expect(phone.commands.filter((command) => command.startsWith('call'))).toHaveLength(1);
});

test.each(['busy', 'cancelled'] as const)('a second call that ends unanswered (%s) gives the first one back', async (cause) => {
  const first = phone.add({});
  board.call('103');
  await settled();
  const second = last();
  phone.end(second.id, { cause });
  second.refuse({ code: 'call-ended' });
  await settled();
  expect(phone.commands.at(-1)).toBe(`resume ${first.id}`);
});

test('a second call that is refused at once gives the first one back', async () => {
  const first = phone.add({});
  const hold = first.hold.bind(first);
  first.hold = async () => {
    await hold();
    phone.refuseWith = { code: 'too-many-calls' };
  };
  board.call('103');
  await settled();
  expect(phone.commands).toEqual([`hold ${first.id}`, 'call 103', `resume ${first.id}`]);
  expect(shown()).toEqual(['problem.tooManyCalls']);
});

test('the first call stays on hold when somebody else has come to the ear meanwhile', async () => {
  const first = phone.add({});
  board.call('103');
  await settled();
  const second = last();
  phone.add({ direction: 'incoming' });
  phone.end(second.id, { cause: 'busy' });
  second.refuse({ code: 'call-ended' });
  await settled();
  expect(phone.commands).not.toContain(`resume ${first.id}`);
});

test('while a call is still unanswered there is no second one', async () => {
  phone.add({ state: 'ringing' });
  board.call('103');
  await settled();
  expect(phone.commands).toEqual([]);
  expect(shown()).toEqual(['problem.stillCalling']);
});

test('swapping puts the one on hold and brings the other to the ear', async () => {
  const held = phone.add({ localHold: true });
  const talking = phone.add({});
  await board.swap(held.id);
  expect(phone.commands).toEqual([`resume ${held.id} hold`]);
  expect(phone.state.calls.map((call) => [call.id, call.localHold])).toEqual([[held.id, false], [talking.id, true]]);
});

test('when swapping fails the person is told who is still there', async () => {
  const held = phone.add({ localHold: true });
  phone.add({ remote: { displayName: '', user: '104', uri: 'sip:104@x' } });
  phone.refuseWith = { code: 'timed-out' };
  await board.swap(held.id);
  expect(notices.state.value).toMatchObject([{ text: 'problem.swap', params: { name: '104' } }]);
});

test('a held call alone is simply resumed', async () => {
  const held = phone.add({ localHold: true });
  await board.swap(held.id);
  expect(phone.commands).toEqual([`resume ${held.id}`]);
});

test('while somebody else is still being called nothing is swapped', async () => {
  const held = phone.add({ localHold: true });
  phone.add({ state: 'ringing' });
  await board.swap(held.id);
  expect(phone.commands).toEqual([]);
  expect(shown()).toEqual(['problem.stillCalling']);
});

const party = (changes: Partial<Suggestion> = {}): Suggestion => ({ kind: 'directory', name: 'Carol', number: '103', target: '103', nameMark: null, numberMark: null, ...changes });

test('a transfer to somebody who is on the line joins the two calls', async () => {
  const first = phone.add({ localHold: true });
  const second = phone.add({});
  await board.transfer(first.id, party({ kind: 'line', call: second.id }));
  expect(phone.commands).toEqual([`transferTo ${first.id} ${second.id}`]);
});

test('a transfer without asking names a number, without what would be dialled after it', async () => {
  const first = phone.add({});
  void board.transfer(first.id, party({ kind: 'dial', name: '+49 89 12,,7', target: '+49 89 12,,7' }));
  await settled();
  expect(phone.commands).toEqual([`transfer ${first.id} +498912`]);
  expect(board.destination(first.id)).toBe('+49 89 12,,7');
});

test('asking first, and then either the one or the other', async () => {
  const first = phone.add({});
  board.consult(first.id, party());
  expect(phone.commands).toEqual([`consult ${first.id} 103`]);
  expect(consultationOf(store.state.value.current)).toMatchObject({ first: { id: first.id }, second: { remote: { user: '103' } } });
  const asked = last();
  await board.cancel(first.id);
  store.dismissEnded(asked.id);
  expect(consultationOf(store.state.value.current)).toBeUndefined();
  board.consult(first.id, party());
  const second = last();
  await board.complete(first.id);
  expect(phone.commands.at(-1)).toBe(`transferTo ${first.id} ${second.id}`);
  // The one card tells of both.
  expect(store.state.value.ended.map(({ call }) => call.id)).toEqual([first.id]);
});

test('what is refused at once is told as a notice, what fails on the way by the card', async () => {
  const first = phone.add({});
  phone.refuseWith = { code: 'not-connected' };
  await board.transfer(first.id, party());
  expect(shown()).toEqual(['problem.transfer']);
  notices.dismiss('problem.transfer');
  first.transfer = () => {
    phone.change(first.id, { transfer: { type: 'failed', code: 'target-failed', sipStatus: 486, message: '' } });
    return Promise.reject(Object.assign(new Error('busy'), { code: 'target-failed', sipStatus: 486 }));
  };
  await board.transfer(first.id, party());
  expect(shown()).toEqual([]);
});

test('a conference: merged, split, left, and nobody is called from within', async () => {
  const first = phone.add({ localHold: true });
  const second = phone.add({});
  await board.merge(second.id, first.id);
  expect(store.state.value.current.map((call) => [call.conference, call.localHold])).toEqual([[1, false], [1, false]]);
  board.call('104');
  await settled();
  expect(shown()).toEqual(['problem.inConference']);
  await board.split(second.id);
  expect(store.state.value.current.map((call) => [call.id, call.localHold])).toEqual([[second.id, false], [first.id, true]]);
  phone.refuseWith = { code: 'not-offered' };
  await board.merge(second.id, first.id);
  expect(shown()).toContain('problem.merge');
});

test('whoever is passed on sees one call after the other, not an ended one between', () => {
  const first = phone.add({});
  phone.add({ state: 'active', succeeds: first.id, transferredBy: first.state.remote });
  phone.end(first.id, { cause: 'transferred' });
  expect(store.state.value.ended).toEqual([]);
});

test.each([
  ['target-failed', 486, 'end.busy'],
  ['target-failed', 404, 'end.notFound'],
  ['target-failed', 480, 'end.unavailable'],
  ['target-failed', 603, 'end.declined'],
  ['target-failed', 500, 'transfer.failedOtherwise'],
  ['refused', 403, 'transfer.refused'],
  ['outcome-unknown', null, 'transfer.unknown'],
  ['superseded', null, 'transfer.failedOtherwise'],
] as const)('%s %s is told as %s', (code, sipStatus, text) => {
  expect(transferFailure({ type: 'failed', code, sipStatus, message: '' })).toBe(text);
});

test('calls on hold stand in the order in which they are to be swapped: the latest first', async () => {
  const [a, b, c] = [phone.add({}), phone.add({}), phone.add({})];
  for (const call of [b, a]) {
    vi.advanceTimersByTime(1_000);
    phone.change(call.id, { localHold: true });
  }
  expect(store.state.value.current.map((call) => call.id)).toEqual([c.id, a.id, b.id]);
  expect(store.state.value.heldSince.get(b.id)).toBe(1_001_000);
});

test("the platform's conference: somebody is brought in, and sent away", async () => {
  const room = phone.add({ focus: true, succeeds: '1', remote: { displayName: '', user: 'conf-7', uri: 'sip:conf-7@example.test' } });
  expect(store.state.value.current[0]?.remote.displayName).toBe(t('conference.name'));
  await board.invite(room.id, party());
  const [carol] = room.state.participants;
  expect(carol).toMatchObject({ state: 'ringing', identity: { user: '103' } });
  await board.sendAway(room.id, carol!);
  expect(phone.commands).toEqual([`addParticipant ${room.id} 103`, `removeParticipant ${room.id} sip:103@example.test`]);

  phone.refuseWith = { code: 'refused' };
  await board.invite(room.id, party());
  phone.refuseWith = { code: 'refused' };
  await board.sendAway(room.id, carol!);
  expect(shown()).toEqual(expect.arrayContaining(['problem.invite', 'problem.sendAway']));
});

test('what moves into a conference leaves no card, and neither does the conference', () => {
  const first = phone.add({});
  const room = phone.add({ focus: true, succeeds: first.id });
  phone.end(first.id, { cause: 'moved-to-conference' });
  phone.end(room.id);
  expect(store.state.value.ended).toEqual([]);
});

test('an emergency call is made although the first one cannot be held', async () => {
  phone.add({});
  phone.refuseWith = { code: 'timed-out' };
  board.call('112');
  await settled();
  expect(phone.commands.at(-1)).toBe('call 112');
});

test('an emergency call does not wait for an answer of somebody else', async () => {
  const first = phone.add({ state: 'ringing' });
  board.call('0110');
  await settled();
  expect(phone.commands).toEqual([`hangUp ${first.id}`, 'call 0110']);
});

test('with all lines taken the one that has waited longest makes way for an emergency', async () => {
  const oldest = phone.add({ localHold: true });
  vi.advanceTimersByTime(1_000);
  phone.add({ localHold: true });
  phone.refuseWith = { code: 'too-many-calls' };
  board.call('112');
  await settled();
  expect(phone.commands).toEqual(['call 112', `hangUp ${oldest.id}`, 'call 112']);
  expect(shown()).toEqual([]);
});

test('an emergency call that fails says what to do', async () => {
  phone.refuseWith = { code: 'not-connected' };
  board.call('112');
  await settled();
  expect(shown()).toEqual(['emergency.failed']);
});

test('which numbers are for emergencies depends on the country', () => {
  expect(['112', '0112', '110'].map((number) => isEmergencyNumber(number, 'DE'))).toEqual([true, true, true]);
  expect(['110', '1120', '12'].map((number) => isEmergencyNumber(number, null))).toEqual([false, false, false]);
});

test('a call is taken over from another device when whoever is here is on hold', async () => {
  const first = phone.add({ id: 'first' });
  const there = phone.addElsewhere();
  board.pull(there);
  board.pull(there);
  await settled();
  expect(phone.commands).toEqual([`hold ${first.id}`, `pull ${there.id}`]);
  // It is on its way here: not to be taken over twice.
  expect(store.state.value.elsewhere).toEqual([]);
});

test('a call that cannot be taken over stays where it was, the first one is back, and that is told once', async () => {
  const first = phone.add({ id: 'first' });
  const there = phone.addElsewhere();
  board.pull(there);
  await vi.waitUntil(() => phone.commands.length === 1);
  phone.refuseWith = { code: 'call-ended' };
  await settled();
  expect(phone.commands).toEqual([`hold ${first.id}`, `pull ${there.id}`, `resume ${first.id}`]);
  expect(shown()).toEqual(['problem.pull']);
  expect(store.state.value.ended).toEqual([]);
  expect(store.state.value.elsewhere).toEqual([there]);
});

test('nothing is taken over when whoever is here cannot be put on hold', async () => {
  phone.add({ id: 'first' });
  phone.refuseWith = { code: 'timed-out' };
  board.pull(phone.addElsewhere());
  await settled();
  expect(phone.commands).toEqual(['hold first']);
  expect(shown()).toEqual(['problem.secondCall']);
});

test('taking over is given up without a word', async () => {
  const there = phone.addElsewhere();
  board.pull(there);
  await settled();
  const call = last();
  phone.end(call.id, { cause: 'cancelled' });
  call.refuse({ code: 'call-ended' });
  await settled();
  expect(shown()).toEqual([]);
  expect(store.state.value.ended).toEqual([]);
});

test('what only rings elsewhere is not shown as a conversation there', () => {
  phone.addElsewhere({ state: 'ringing' });
  expect(store.state.value.elsewhere).toEqual([]);
});

test('a call goes to the other devices, and says so', async () => {
  const call = phone.add({ id: 'first' });
  await board.push(call.id);
  expect(phone.commands).toEqual(['push first']);
  expect(board.destination(call.id)).toBe('push.devices');
});

test('a call goes to one device, and says to which', async () => {
  const call = phone.add({ id: 'first' });
  await board.moveTo(call.id, { address: 'sip:alice@example.test;gr=1', name: 'Desk' });
  expect(phone.commands).toEqual(['transfer first sip:alice@example.test;gr=1']);
  expect(board.destination(call.id)).toBe('Desk');
});

test('a call that does not go to the device at all is told', async () => {
  phone.add({ id: 'first' });
  phone.refuseWith = { code: 'not-connected' };
  await board.moveTo('first', { address: 'sip:alice@example.test;gr=1', name: 'Desk' });
  expect(shown()).toEqual(['problem.transfer']);
});

test('a call that does not go to the other devices at all is told', async () => {
  phone.add({ id: 'first' });
  phone.refuseWith = { code: 'not-offered' };
  await board.push('first');
  expect(shown()).toEqual(['problem.transfer']);
});

test.each([
  ['AU', '000'],
  ['NZ', '111'],
  ['JP', '119'],
  ['BR', '190'],
])('in %s, %s reaches help', (country, number) => {
  expect(isEmergencyNumber(number, country)).toBe(true);
  expect(isEmergencyNumber(number, 'DE')).toBe(false);
});
