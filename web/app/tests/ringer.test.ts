import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Output, Player } from '../src/audio/player.js';
import type { Pattern } from '../src/audio/pattern.js';
import { Notices } from '../src/model/notices.js';
import { PhoneStore } from '../src/model/phone-store.js';
import { Ringer, loopFor } from '../src/model/ringer.js';
import { Settings } from '../src/model/settings.js';
import { Store } from '../src/model/store.js';
import { FakePhone } from '../src/testing/fake-phone.js';

class FakePlayer implements Player {
  readonly state = new Store<'ready' | 'blocked'>('ready');
  readonly played: Array<{ output: Output; pattern: Pattern }> = [];
  readonly sounding = new Set<Pattern>();

  play(pattern: Pattern, output: Output) {
    this.played.push({ output, pattern });
    if (pattern.loop) this.sounding.add(pattern);
    return { stop: () => void this.sounding.delete(pattern) };
  }

  setDevice(): void {}
}

let phone: FakePhone;
let store: PhoneStore;
let player: FakePlayer;
let ringer: Ringer;
let settings: Settings;
const mayRing = new Store(true);

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  mayRing.set(true);
  phone = new FakePhone();
  store = new PhoneStore(phone, new Notices(), () => true);
  player = new FakePlayer();
  settings = new Settings({ getItem: () => '{"toneCountry":"DE"}', setItem: () => undefined }, 'test');
  ringer = new Ringer(store.state, settings.state, player, mayRing);
  phone.on('callEnded', (call) => ringer.callEnded(call));
});
afterEach(() => {
  ringer.dispose();
  vi.useRealTimers();
});

const last = () => player.played.at(-1);
const ring = (waiting = false) => phone.add({ direction: 'incoming', state: 'incoming', waiting });

test('an incoming call rings on the ring device until it is answered', () => {
  const call = ring();
  expect(last()).toMatchObject({ output: 'ring', pattern: { loop: true } });
  call.accept();
  expect(player.sounding.size).toBe(0);
});

test('it falls silent when the caller gives up', () => {
  const call = ring();
  phone.end(call.id, { cause: 'missed' });
  expect(player.sounding.size).toBe(0);
});

test('during a call it beeps in the ear and does not ring', () => {
  phone.add({});
  ring();
  expect(loopFor(store.state.value)).toBe('waiting');
  expect(last()?.output).toBe('ear');
});

test('only the window with the ringing right rings', () => {
  mayRing.set(false);
  ring();
  expect(player.sounding.size).toBe(0);
  mayRing.set(true);
  expect(player.sounding.size).toBe(1);
});

test('ringback while the other end rings, but not over an announcement or without the media', () => {
  const call = phone.add({ state: 'calling' });
  expect(loopFor(store.state.value)).toBeNull();
  phone.change(call.id, { state: 'ringing' });
  expect(loopFor(store.state.value)).toBe('ringback');
  phone.change(call.id, { earlyMedia: true });
  expect(loopFor(store.state.value)).toBeNull();
  phone.change(call.id, { earlyMedia: false });
  phone.patch({ ownsMedia: false });
  expect(loopFor(store.state.value)).toBeNull();
});

test('busy sounds for three seconds in the cadence of the country', () => {
  phone.end(phone.add({ state: 'calling' }).id, { cause: 'busy' });
  expect(last()?.pattern.segments.map((s) => s.ms)).toEqual([480, 480]);
  vi.advanceTimersByTime(2_999);
  expect(player.sounding.size).toBe(1);
  vi.advanceTimersByTime(1);
  expect(player.sounding.size).toBe(0);
});

test('a new call ends the busy tone', () => {
  phone.end(phone.add({ state: 'calling' }).id, { cause: 'busy' });
  phone.add({ state: 'calling' });
  expect(player.sounding.size).toBe(0);
});

test('ticks when connected and when over', () => {
  const call = phone.add({ state: 'calling' });
  call.accept();
  const connected = last();
  phone.end(call.id);
  expect(connected?.pattern.loop).toBe(false);
  expect(last()).not.toEqual(connected);
  expect(player.played).toHaveLength(2);
});

test('every sound can be turned off', () => {
  settings.change({ ringTone: 'off', callSounds: false, waitingBeep: false, keySounds: false });
  const first = ring();
  first.accept();
  ring(true);
  ringer.key('5');
  phone.end(first.id);
  expect(player.played).toEqual([]);
});
