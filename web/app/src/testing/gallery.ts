/**
 * Every state of the app on a fake phone, for the eye: `/gallery.html?state=active&lang=de&theme=dark` while
 * developing. Not part of the build.
 */
import { html, render } from 'lit';
import type { CallState } from '@clearline/phone';
import { useLanguage } from '../i18n/i18n.js';
import { Desk } from '../model/desk.js';
import type { HistoryEntry } from '../model/history.js';
import { Notices } from '../model/notices.js';
import type { View } from '../model/route.js';
import { Session } from '../model/session.js';
import { ServerError } from '../model/server.js';
import { Settings, type Appearance, type Preferences } from '../model/settings.js';
import { MemoryRecords, MemoryValues } from '../storage/memory.js';
import { FakePhone } from './fake-phone.js';
import { ALICE, FakeServer } from './fake-server.js';
import '../components/desk.js';
import '../components/sign-in.js';

const query = new URLSearchParams(location.search);
const now = Date.now();

interface Stage {
  readonly desk: Desk;
  readonly phone: FakePhone;
}

const BOB = { displayName: 'Bob Kramer', user: '102', uri: 'sip:102@clearline.localhost' };
const CAROL = { displayName: 'Carol Souza', user: '103', uri: 'sip:103@clearline.localhost' };
const DIETER = { displayName: 'Dieter Wolff', user: '104', uri: 'sip:104@clearline.localhost' };
const LONG = { displayName: 'Dr. Maximiliane Freifrau von Hohenstein-Wittelsbach', user: '+4989123456789', uri: 'sip:+4989123456789@clearline.localhost' };

const talking: Partial<CallState> = { remote: BOB, answeredAt: now - 267_000, createdAt: now - 275_000 };

const STATES: Record<string, { view?: View; preferences?: Partial<Preferences>; favourites?: string[]; history?: boolean; play?: (stage: Stage) => void }> = {
  'phone-first': { favourites: [], history: false },
  phone: {},
  'phone-typing': { play: ({ desk }) => desk.dial.type('ca') },
  'phone-number': { preferences: { keypadOpen: true }, play: ({ desk }) => desk.dial.type('+49 (0)89 1234-56') },
  'phone-keypad': { preferences: { keypadOpen: true } },
  incoming: { play: ({ phone }) => phone.add({ remote: BOB, direction: 'incoming', state: 'incoming' }) },
  'incoming-diverted': {
    play: ({ phone }) =>
      phone.add({ remote: BOB, direction: 'incoming', state: 'incoming', divertedBy: [{ party: CAROL, reason: 'no-answer' }] }),
  },
  'incoming-long': { play: ({ phone }) => phone.add({ remote: LONG, direction: 'incoming', state: 'incoming' }) },
  calling: { play: ({ phone }) => phone.add({ remote: BOB, state: 'ringing' }) },
  active: { play: ({ phone }) => phone.add(talking) },
  'active-keypad': {
    play: ({ desk, phone }) => {
      const call = phone.add(talking);
      for (const tone of '4711#') desk.sendTone(call.id, tone);
    },
  },
  'active-muted': { play: ({ phone }) => phone.add({ ...talking, muted: true }) },
  'active-no-microphone': { play: ({ phone }) => phone.add({ ...talking, microphoneProblem: 'permission-denied' }) },
  'active-calls-view': { view: 'calls', play: ({ phone }) => phone.add(talking) },
  waiting: {
    play: ({ phone }) => {
      phone.add(talking);
      phone.add({ remote: CAROL, direction: 'incoming', state: 'incoming', waiting: true });
    },
  },
  two: {
    play: ({ phone }) => {
      phone.add({ ...talking, localHold: true });
      phone.add({ remote: CAROL, answeredAt: now - 38_000 });
    },
  },
  'passed-on': {
    play: ({ phone }) => {
      const call = phone.add({ remote: CAROL, answeredAt: now - 38_000 });
      phone.change(call.id, { remote: BOB });
    },
  },
  'active-diverted': { play: ({ phone }) => phone.add({ ...talking, direction: 'incoming', divertedBy: [{ party: CAROL, reason: 'no-answer' }] }) },
  lines: {
    play: ({ desk, phone }) => {
      for (const [index, remote] of [BOB, CAROL, LONG, DIETER].entries()) {
        phone.add({ remote, answeredAt: now - (index + 1) * 93_000, localHold: index > 0 });
      }
      desk.chooseLine();
    },
  },
  add: {
    play: ({ desk, phone }) => desk.togglePanel(phone.add(talking).id, 'add'),
  },
  transfer: {
    play: ({ desk, phone }) => {
      phone.add({ remote: DIETER, answeredAt: now - 200_000, localHold: true });
      desk.togglePanel(phone.add(talking).id, 'transfer');
    },
  },
  consulting: {
    play: ({ phone }) => {
      phone.add(talking).consult('103').accept();
    },
  },
  conference: {
    play: ({ phone }) => {
      const first = phone.add({ ...talking, localHold: true });
      phone.add({ remote: DIETER, answeredAt: now - 100_000, localHold: true });
      void phone.merge(phone.add({ remote: CAROL, answeredAt: now - 38_000 }).id, first.id);
    },
  },
  'conference-platform': {
    play: ({ phone }) =>
      phone.add({
        remote: { displayName: '', user: 'conf-7', uri: 'sip:conf-7@clearline.localhost' },
        answeredAt: now - 38_000,
        focus: true,
        transferable: false,
        succeeds: '1',
        participants: [
          { identity: { ...BOB, displayName: 'Alice Martin', user: '101', uri: 'sip:101@clearline.localhost' }, isSelf: true, isModerator: true, state: 'connected' },
          { identity: BOB, isSelf: false, isModerator: false, state: 'connected' },
          { identity: LONG, isSelf: false, isModerator: false, state: 'on-hold' },
          { identity: CAROL, isSelf: false, isModerator: false, state: 'ringing' },
        ],
      }),
  },
  transferring: { play: ({ phone }) => void phone.add(talking).transfer('103') },
  'transfer-failed': {
    play: ({ phone }) => phone.add({ ...talking, transfer: { type: 'failed', code: 'target-failed', sipStatus: 486, message: '' } }),
  },
  'transfer-request': {
    play: ({ phone }) => phone.add({ ...talking, transferRequest: { target: CAROL, referredBy: BOB, attended: false } }),
  },
  transferred: {
    play: ({ phone }) => phone.end(phone.add({ ...talking, transfer: { type: 'proceeding', sipStatus: 180 } }).id, { cause: 'transferred' }),
  },
  'passed-to': { play: ({ phone }) => phone.add({ ...talking, transferredBy: CAROL }) },
  'move-to-device': {
    play: ({ phone, desk }) => {
      phone.patch({ ownDevices: ['Chrome, Windows', 'Desk phone', null].map((name, at) => ({ address: `sip:alice@example.test;gr=${at}`, name })) });
      desk.togglePanel(phone.add(talking).id, 'transfer');
    },
  },
  elsewhere: { play: ({ phone }) => void phone.addElsewhere({ remote: BOB, device: 'Clearline 0.1.0', since: now - 192_000 }) },
  'elsewhere-too': {
    play: ({ phone }) => {
      phone.addElsewhere({ remote: LONG, since: now - 192_000 });
      phone.add({ remote: CAROL, answeredAt: now - 38_000 });
    },
  },
  'waiting-two': {
    play: ({ phone }) => {
      phone.add({ ...talking, localHold: true });
      phone.add({ remote: LONG, answeredAt: now - 38_000 });
      phone.add({ remote: CAROL, direction: 'incoming', state: 'incoming', waiting: true });
    },
  },
  held: { play: ({ phone }) => phone.add({ ...talking, localHold: true }) },
  'audio-lost': { play: ({ phone }) => phone.add({ ...talking, media: 'disconnected', reconnecting: true }) },
  'reconnecting-audio': {
    play: ({ phone }) => {
      phone.add({ ...talking, media: 'disconnected', reconnecting: true });
      phone.patch({ connection: { type: 'waiting', attempt: 1, retryAt: Date.now() + 6_400, reason: 'closed' } });
    },
  },
  'offline-in-call': {
    play: ({ phone }) => {
      phone.add({ ...talking, reconnecting: true });
      phone.patch({ connection: { type: 'waiting', attempt: 4, retryAt: Date.now() + 11_000, reason: 'refused' } });
    },
  },
  ended: {
    play: ({ phone }) => {
      phone.end(phone.add({ remote: BOB, state: 'calling' }).id, { cause: 'busy', sipStatus: 486 });
      phone.end(phone.add({ remote: CAROL, direction: 'incoming', answeredAt: now - 62_000 }).id, { cause: 'remote-hang-up' });
    },
  },
  offline: { play: ({ phone }) => phone.patch({ connection: { type: 'waiting', attempt: 4, retryAt: Date.now() + 11_000, reason: 'refused' } }) },
  reconnecting: {
    play: ({ phone }) => {
      phone.add(talking);
      phone.patch({ connection: { type: 'waiting', attempt: 1, retryAt: Date.now() + 3_400, reason: 'closed' } });
    },
  },
  calls: { view: 'calls' },
  'calls-empty': { view: 'calls', history: false },
  contacts: { view: 'contacts' },
  settings: { view: 'settings' },
  shortcuts: { play: ({ desk }) => desk.toggleShortcuts() },
  notice: { play: ({ desk }) => desk.call('???') },
};

async function start(): Promise<void> {
  await useLanguage(query.get('lang') ?? 'en');
  const theme = (query.get('theme') ?? 'light') as Appearance;
  document.documentElement.dataset.theme = theme;
  const state = query.get('state') ?? 'phone';
  if (state.startsWith('sign-in')) {
    await signIn(state);
    return;
  }
  const wanted = STATES[state];
  if (!wanted) throw new Error(`no such state; there are: sign-in, sign-in-wrong, ${Object.keys(STATES).join(', ')}`);
  const phone = new FakePhone();
  const desk = await makeDesk(phone, theme, wanted);
  desk.settings.state.subscribe(() => void useLanguage(desk.settings.state.value.language ?? query.get('lang') ?? 'en'));
  render(html`<div class="gallery"><cl-desk .desk=${desk} .signOut=${() => undefined}></cl-desk></div>`, document.body);
  (document.querySelector('.gallery') as HTMLElement).style.blockSize = '100dvh';
  phone.level = (id) => (phone.state.calls.find((c) => c.id === id)?.localHold ? { microphone: 0, speaker: 0 } : speech());
  phone.report = report;
  wanted.play?.({ desk, phone });
}

async function makeDesk(phone: FakePhone, theme: Appearance, wanted: (typeof STATES)[string]): Promise<Desk> {
  const values = new MemoryValues();
  await values.set('favourites', wanted.favourites ?? ['bob', 'carol', 'dieter', 'elena']);
  const records = new MemoryRecords<HistoryEntry>();
  if (wanted.history !== false) await records.put(someHistory());
  const server = new FakeServer();
  server.entries.push(
    { id: 'dieter', number: '104', displayName: 'Dieter Wolff' },
    { id: 'elena', number: '105', displayName: 'Elena Ferrer' },
    { id: 'yasmin', number: '106', displayName: 'Yasmin Öztürk' },
  );
  const settings = new Settings({ getItem: () => JSON.stringify({ appearance: theme, ...wanted.preferences }), setItem: () => undefined }, 'gallery');
  const desk = new Desk({
    account: ALICE,
    route: { base: '/u/alice/', user: 'alice', view: wanted.view ?? 'phone' },
    phone,
    server,
    settings,
    notices: new Notices(),
    worker: { post: () => undefined, listen: () => () => undefined },
    storage: { values, history: records },
  });
  await Promise.all([desk.history.load(), desk.contacts.load(), desk.devices.refresh()]);
  return desk;
}

async function signIn(state: string): Promise<void> {
  const server = new FakeServer();
  server.account = null;
  const session = new Session(server);
  await session.resume();
  if (state === 'sign-in-wrong') {
    server.failWith = new ServerError(401, 'wrong-password', null);
    await session.signIn('x');
  }
  render(html`<cl-sign-in .session=${session} user="alice"></cl-sign-in>`, document.body);
  (document.querySelector('cl-sign-in') as HTMLElement).style.blockSize = '100dvh';
}

function speech(): { microphone: number; speaker: number } {
  const t = performance.now() / 1000;
  const voice = (rate: number, shift: number): number => Math.max(0, Math.sin(t * rate + shift)) * Math.max(0, Math.sin(t * rate * 3.3 + shift)) * 0.3;
  return { microphone: voice(1.1, 0) + 0.004, speaker: voice(1.7, 2) + 0.01 };
}

function report(): RTCStatsReport {
  const t = performance.now();
  return new Map([
    ['in', { id: 'in', type: 'inbound-rtp', kind: 'audio', timestamp: t, packetsReceived: t / 20, packetsLost: 0, jitter: 0.004, codecId: 'c', jitterBufferDelay: t / 1000, jitterBufferEmittedCount: t / 20 }],
    ['c', { id: 'c', type: 'codec', mimeType: 'audio/opus' }],
    ['r', { id: 'r', type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.031, fractionLost: 0 }],
  ]);
}

function someHistory(): HistoryEntry[] {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const at = (ago: number, changes: Partial<HistoryEntry>): HistoryEntry => ({
    id: String(ago),
    outcome: 'received',
    name: '',
    user: '102',
    uri: '',
    startedAt: now - ago,
    answeredAt: now - ago + 8_000,
    endedAt: now - ago + 8_000 + 12 * minute,
    cause: 'remote-hang-up',
    sipStatus: null,
    seen: true,
    ...changes,
  });
  return [
    at(9 * minute, { outcome: 'missed', name: 'Nordbau GmbH', user: '+49891234560', answeredAt: null, endedAt: now - 9 * minute + 20_000, cause: 'missed', seen: false }),
    at(47 * minute, { outcome: 'dialled', user: '102' }),
    at(95 * minute, { outcome: 'missed', user: '105', answeredAt: null, endedAt: now - 95 * minute + 31_000, cause: 'missed', seen: false }),
    at(day, { user: '104', cause: 'transferred', transferredTo: 'Carol Souza' }),
    at(day + 40 * minute, { outcome: 'dialled', user: '103', answeredAt: null, cause: 'busy', endedAt: now - day }),
    at(day + 90 * minute, { outcome: 'elsewhere', user: '102', answeredAt: null, cause: 'answered-elsewhere' }),
    at(3 * day, { outcome: 'declined', name: 'Freifrau von Hohenstein', user: '+4989987654', answeredAt: null, cause: 'declined' }),
    at(12 * day, { user: '105', endedAt: now - 12 * day + 64 * minute }),
  ];
}

void start();
