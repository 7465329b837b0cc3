import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useLanguage } from '../src/i18n/i18n.js';
import { perform } from '../src/model/actions.js';
import { Announcer } from '../src/model/announcer.js';
import { Contacts } from '../src/model/contacts.js';
import { History } from '../src/model/history.js';
import { Notices } from '../src/model/notices.js';
import { Notifier, type WorkerPort } from '../src/model/notifier.js';
import { PartySearch } from '../src/model/party-search.js';
import { PhoneStore } from '../src/model/phone-store.js';
import { parseRoute, pathOf } from '../src/model/route.js';
import { wishOf } from '../src/model/launch.js';
import { Settings } from '../src/model/settings.js';
import { Store } from '../src/model/store.js';
import type { Desk } from '../src/model/desk.js';
import type { ToWorker } from '../src/service-worker/protocol.js';
import { MemoryRecords, MemoryValues } from '../src/storage/memory.js';
import { FakePhone } from '../src/testing/fake-phone.js';
import { FakeServer } from '../src/testing/fake-server.js';

let phone: FakePhone;
let store: PhoneStore;
let contacts: Contacts;

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_000_000 });
  await useLanguage('en');
  phone = new FakePhone();
  store = new PhoneStore(phone, new Notices(), () => true);
  contacts = new Contacts(new FakeServer(), new MemoryValues(), 'alice');
  await contacts.load();
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** What commands see of a desk. */
function deskOf(say: (text: string) => void, line: string | null = null): Desk {
  const state = { value: { line } };
  return { calls: store, contacts, state, announcer: { say }, forgetLine: () => (state.value.line = null) } as unknown as Desk;
}

test('contacts leave out oneself and know people by number and by id', () => {
  expect(contacts.state.value.contacts.map((c) => c.id)).toEqual(['bob', 'carol', 'echo']);
  expect(contacts.person({ displayName: 'spoofed', user: 'bob', uri: 'sip:bob@x' })).toEqual({ name: 'Bob Kramer', number: '102', target: '102' });
  expect(contacts.person({ displayName: '', user: '+491', uri: 'sip:+491@x' }).name).toBe('+491');
  expect(contacts.person({ displayName: '', user: '', uri: 'sip:anonymous@anonymous.invalid' })).toEqual({ name: 'Number withheld', number: '', target: '' });
});

test('the directory of the last visit is there when the server is not', async () => {
  const storage = new MemoryValues();
  const server = new FakeServer();
  await new Contacts(server, storage, 'alice').load();
  server.failWith = new Error('down');
  const later = new Contacts(server, storage, 'alice');
  await later.load();
  expect(later.state.value).toMatchObject({ status: 'stale', contacts: [{ id: 'bob' }, { id: 'carol' }, { id: 'echo' }] });
});

test('favourites are kept', async () => {
  const storage = new MemoryValues();
  const first = new Contacts(new FakeServer(), storage, 'alice');
  await first.load();
  await first.toggleFavourite('carol');
  const second = new Contacts(new FakeServer(), storage, 'alice');
  await second.load();
  expect(second.state.value.contacts.filter((c) => c.favourite).map((c) => c.id)).toEqual(['carol']);
});

test('arrows go round the results', () => {
  const dial = new PartySearch(contacts.state, new History(new MemoryRecords()).state);
  dial.type('c');
  expect(dial.chosen?.target).toBe('103');
  dial.move(-1);
  expect(dial.chosen?.kind).toBe('dial');
  dial.move(1);
  expect(dial.chosen?.target).toBe('103');
  dial.backspace();
  expect(dial.state.value.suggestions).toEqual([]);
});

test('a picker offers somebody before anything is typed, but chooses nobody by itself', async () => {
  await contacts.toggleFavourite('carol');
  await contacts.toggleFavourite('bob');
  const search = new PartySearch(contacts.state, new History(new MemoryRecords()).state, { starters: true, leaveOut: (number) => number === '102' });
  expect(search.state.value.suggestions.map((s) => s.name)).toEqual(['Carol Souza']);
  expect(search.chosen).toBeUndefined();
  search.move(-1);
  expect(search.chosen?.name).toBe('Carol Souza');
  search.type('bob');
  expect(search.state.value.suggestions).toEqual([]);
  search.dispose();
});

test('each change of a call is announced once', () => {
  const announcer = new Announcer(store.state, contacts);
  phone.on('callEnded', (call) => announcer.callEnded(call));
  const said: string[] = [];
  announcer.state.subscribe(() => said.push(announcer.state.value!.text));
  const call = phone.add({ direction: 'incoming', state: 'incoming' });
  phone.patch({});
  call.accept();
  phone.change(call.id, { muted: true });
  phone.change(call.id, { localHold: true });
  phone.change(call.id, { localHold: false });
  phone.end(call.id, { cause: 'remote-hang-up' });
  expect(said).toEqual([
    'Incoming call from Bob Kramer',
    'Connected to Bob Kramer',
    'Bob Kramer is on hold',
    'Talking to Bob Kramer again',
    'Bob Kramer: The other side has hung up',
  ]);
});

test('who comes into a conference and who goes is announced once', () => {
  const announcer = new Announcer(store.state, contacts);
  const said: string[] = [];
  announcer.state.subscribe(() => said.push(announcer.state.value!.text));
  const someone = (user: string, state: 'ringing' | 'connected', isSelf = false) => ({ identity: { displayName: user, user, uri: `sip:${user}@example.test` }, isSelf, isModerator: false, state });
  const [me, dora, emil] = [someone('101', 'connected', true), someone('dora', 'connected'), someone('emil', 'connected')];
  const room = phone.add({ focus: true, remote: { displayName: '', user: 'conf-7', uri: 'sip:conf-7@example.test' } });
  phone.change(room.id, { participants: [me] });
  phone.change(room.id, { participants: [me, dora, emil] });
  phone.change(room.id, { participants: [me, dora, emil, someone('frida', 'ringing')] });
  phone.change(room.id, { participants: [me, dora, emil, someone('frida', 'connected')] });
  phone.change(room.id, { participants: [me, emil, someone('frida', 'connected')] });
  phone.patch({});
  // Nothing is told any more: nobody has gone for that.
  phone.change(room.id, { participants: [] });
  expect(said).toEqual(['Connected to Conference', 'Conference with 2 others', 'frida has joined the conference', 'dora has left the conference']);
});

test('a conversation on another device is announced once, also when it does not come here', async () => {
  const announcer = new Announcer(store.state, contacts);
  const said: string[] = [];
  announcer.state.subscribe(() => said.push(announcer.state.value!.text));
  const there = phone.addElsewhere();
  phone.refuseWith = { code: 'call-ended' };
  store.pull(there);
  await Promise.resolve();
  phone.patch({});
  expect(store.state.value.elsewhere).toEqual([there]);
  expect(said.filter((text) => text.includes('another device'))).toEqual(['Your call with Bob Kramer is on another device']);
});

test('keys move a call between devices only where that can be', () => {
  const pull = vi.fn();
  const push = vi.fn();
  const desk = Object.assign(deskOf(vi.fn()), { switchboard: { pull, push }, closePanel: () => undefined });
  phone.addElsewhere({ id: 'd1', canBePulled: false });
  expect(perform(desk, 'pull', 'key')).toBe(false);
  const there = phone.addElsewhere({ id: 'd2' });
  expect(perform(desk, 'pull', 'key')).toBe(true);
  expect(pull).toHaveBeenCalledWith(there);
  phone.patch({ connection: { type: 'connecting', attempt: 1 } });
  expect(perform(desk, 'pull', 'key')).toBe(false);
  expect(perform(desk, 'push', 'key')).toBe(false);
  const call = phone.add({ transferable: false });
  expect(perform(desk, 'push', 'key')).toBe(false);
  phone.change(call.id, { transferable: true });
  expect(perform(desk, 'push', 'key')).toBe(true);
  expect(push).toHaveBeenCalledWith(call.id);
  phone.change(call.id, { transfer: { type: 'referring' } });
  expect(perform(desk, 'push', 'key')).toBe(false);
});

test('commands only do what makes sense now', () => {
  const said = vi.fn();
  const desk = deskOf(said);
  expect(perform(desk, 'answer', 'key')).toBe(false);
  expect(perform(desk, 'end', 'key')).toBe(false);
  const talking = phone.add({});
  const ringing = phone.add({ direction: 'incoming', state: 'incoming' });
  // E means the call in the foreground, never the one that rings.
  expect(perform(desk, 'end', 'key')).toBe(true);
  expect(phone.commands).toEqual([`hangUp ${talking.id}`]);
  expect(perform(desk, 'decline', 'notification', ringing.id)).toBe(true);
  expect(perform(desk, 'decline', 'notification', ringing.id)).toBe(false);
});

test('with several calls keys mean the one that was chosen, once', () => {
  const held = phone.add({ localHold: true });
  const talking = phone.add({});
  const desk = deskOf(() => undefined, held.id);
  perform(desk, 'mute', 'key');
  perform(desk, 'mute', 'key');
  expect(phone.commands).toEqual([`mute ${held.id}`, `mute ${talking.id}`]);
});

test('swapping takes two calls', () => {
  const desk = deskOf(() => undefined);
  expect(perform(desk, 'swap', 'key')).toBe(false);
  const talking = phone.add({});
  expect(perform(desk, 'swap', 'key')).toBe(false);
  const swapped: string[] = [];
  Object.assign(desk, { switchboard: { swap: (id: string) => swapped.push(id) } });
  const held = phone.add({ localHold: true });
  expect(perform(desk, 'swap', 'key')).toBe(true);
  phone.change(talking.id, { negotiating: true });
  expect(perform(desk, 'swap', 'key')).toBe(false);
  expect(swapped).toEqual([held.id]);
});

test('a transfer that fails while somebody else is spoken to leaves the call on hold, and says so', () => {
  const announcer = new Announcer(store.state, contacts);
  const call = phone.add({ localHold: true });
  phone.change(call.id, { transfer: { type: 'failed', code: 'target-failed', sipStatus: 486, message: '' } });
  expect(announcer.state.value!.text).toBe('The transfer failed: Busy. Bob Kramer is still on hold');
});

test('a transfer, its failure and a question of the far end are announced', () => {
  const announcer = new Announcer(store.state, contacts);
  const said: string[] = [];
  announcer.state.subscribe(() => said.push(announcer.state.value!.text));
  const call = phone.add({});
  phone.change(call.id, { transfer: { type: 'referring' } });
  phone.change(call.id, { transfer: { type: 'failed', code: 'target-failed', sipStatus: 486, message: '' } });
  phone.change(call.id, { muted: true });
  phone.change(call.id, { transfer: null, transferRequest: { target: { displayName: '', user: '103', uri: 'sip:103@x' }, referredBy: call.state.remote, attended: false } });
  expect(said).toEqual([
    'Connected to Bob Kramer',
    'Bob Kramer is being transferred',
    'The transfer failed: Busy. Bob Kramer is back',
    'Bob Kramer wants to connect you with Carol Souza',
  ]);
});

test('in a conference the microphone is one for all', () => {
  const desk = deskOf(() => undefined);
  const first = phone.add({ conference: 1 });
  const second = phone.add({ conference: 1 });
  expect(perform(desk, 'swap', 'key')).toBe(false);
  perform(desk, 'mute', 'key');
  expect(phone.commands).toEqual([`mute ${first.id}`, `mute ${second.id}`]);
});

test('in a conference one muted call does not open the microphone of another', () => {
  const desk = deskOf(() => undefined);
  const first = phone.add({ conference: 1, muted: true });
  const second = phone.add({ conference: 1, muted: false });
  perform(desk, 'mute', 'key', first.id);
  expect(phone.commands).toEqual([`mute ${first.id}`, `mute ${second.id}`]);
});

test('transferring takes a call that can be, and completes a consultation', () => {
  const done: string[] = [];
  const desk = Object.assign(deskOf(() => undefined), {
    togglePanel: (id: string, kind: string) => done.push(`${kind} ${id}`),
    switchboard: { complete: (id: string) => done.push(`complete ${id}`), cancel: (id: string) => done.push(`cancel ${id}`) },
  });
  const call = phone.add({ transferable: false });
  expect(perform(desk, 'transfer', 'key')).toBe(false);
  phone.change(call.id, { transferable: true });
  expect(perform(desk, 'cancelTransfer', 'key')).toBe(false);
  expect(perform(desk, 'transfer', 'key')).toBe(true);
  call.consult('103');
  // The call in the foreground is the second one now; the keys mean the consultation.
  expect(perform(desk, 'transfer', 'key')).toBe(true);
  expect(perform(desk, 'cancelTransfer', 'key')).toBe(true);
  expect(done).toEqual([`transfer ${call.id}`, `complete ${call.id}`, `cancel ${call.id}`]);
});

test('a conversation that is connected on is announced once', () => {
  const announcer = new Announcer(store.state, contacts);
  const said: string[] = [];
  announcer.state.subscribe(() => said.push(announcer.state.value!.text));
  const call = phone.add({});
  phone.change(call.id, { remote: { displayName: '', user: '103', uri: 'sip:103@example.test' } });
  phone.change(call.id, { muted: true });
  expect(said).toEqual(['Connected to Bob Kramer', 'You are now talking to Carol Souza']);
});

test('muting by key is announced, by button the button tells', () => {
  const said = vi.fn();
  const desk = deskOf(said);
  phone.add({});
  perform(desk, 'mute', 'button');
  expect(said).not.toHaveBeenCalled();
  perform(desk, 'mute', 'key');
  expect(said).toHaveBeenCalledWith('Microphone on');
});

test('a hidden window asks for one notification per call and takes it back', () => {
  vi.stubGlobal('Notification', { permission: 'granted' });
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  const posted: ToWorker[] = [];
  let ask: (message: { type: 'busy?' }, reply: (value: unknown) => void) => void = () => undefined;
  const port: WorkerPort = {
    post: (message) => posted.push(message),
    listen: (listener) => {
      ask = listener;
      return () => undefined;
    },
  };
  const settings = new Settings({ getItem: () => null, setItem: () => undefined }, 'x');
  const notifier = new Notifier(store.state, new Store(0), settings.state, contacts, port, () => undefined);
  const call = phone.add({ direction: 'incoming', state: 'incoming' });
  phone.patch({});
  expect(posted).toEqual([{ type: 'ring', callId: call.id, title: 'Bob Kramer is calling', body: '102', answer: 'Answer', decline: 'Decline' }]);
  expect(document.title).toContain('Bob Kramer');
  const busy = vi.fn();
  ask({ type: 'busy?' }, busy);
  expect(busy).toHaveBeenCalledWith(true);
  phone.end(call.id, { cause: 'missed' });
  expect(posted.at(-1)).toEqual({ type: 'silence', callId: call.id });
  notifier.dispose();
  hidden.mockRestore();
});

test('addresses of accounts and views', () => {
  expect(parseRoute('/u/alice')).toEqual({ base: '/u/alice/', user: 'alice', view: 'phone' });
  expect(parseRoute('/u/m%C3%BCller/calls')).toEqual({ base: '/u/m%C3%BCller/', user: 'müller', view: 'calls' });
  expect(parseRoute('/u/alice/nonsense')?.view).toBe('phone');
  expect(parseRoute('/')).toBeNull();
  expect(pathOf('/u/alice/', 'settings')).toBe('/u/alice/settings');
  expect(wishOf(new URL('https://x.test/u/alice/?tel=tel%3A%2B4989123'))).toEqual({ number: 'tel:+4989123' });
});

test('broken preferences fall back to the defaults', () => {
  const settings = new Settings({ getItem: () => '{oops', setItem: () => { throw new Error('full'); } }, 'x');
  settings.change({ appearance: 'dark' });
  expect(settings.state.value.appearance).toBe('dark');
});
