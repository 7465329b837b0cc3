import { expect, test } from 'vitest';
import type { CallState, EndCause } from '@clearline/phone';
import { audioIsLost, controlsRoom, endText, endedBadly, stateText } from '../src/model/call-text.js';

const outgoing = (cause: EndCause, answeredAt: number | null = null) => ({ direction: 'outgoing', answeredAt, end: { cause } }) as const;
const incoming = (cause: EndCause, answeredAt: number | null = null) => ({ direction: 'incoming', answeredAt, end: { cause } }) as const;

test.each([
  [outgoing('busy'), 'end.busy', true],
  [outgoing('declined'), 'end.declined', true],
  [outgoing('no-answer'), 'end.noAnswer', true],
  [outgoing('not-found'), 'end.notFound', true],
  [outgoing('cancelled'), 'end.cancelledByYou', false],
  [outgoing('local-hang-up', 5), 'end.ended', false],
  [outgoing('remote-hang-up', 5), 'end.remoteHangUp', false],
  [incoming('missed'), 'end.missed', true],
  [incoming('cancelled'), 'end.missed', true],
  [incoming('declined'), 'end.declinedByYou', false],
  [incoming('answered-elsewhere'), 'end.answeredElsewhere', false],
  [incoming('answered-elsewhere', 5), 'end.pulled', false],
] as const)('%j is told as %s', (call, text, bad) => {
  expect(endText(call)).toBe(text);
  expect(endedBadly(call)).toBe(bad);
});

const active = { state: 'active', localHold: false, remoteHold: false, reconnecting: false, media: 'connected' } as CallState;

test.each([
  ['a conversation', {}, 'call.active', false],
  ['the platform is away, the voices are not', { reconnecting: true }, 'call.active', false],
  ['the audio path is gone', { media: 'disconnected' }, 'call.reconnectingAudio', true],
  ['after a reload', { media: 'new', reconnecting: true }, 'call.reconnectingAudio', true],
  ['no way is found', { media: 'failed' }, 'call.audioLost', true],
  ['just answered', { media: 'connecting' }, 'call.connectingAudio', false],
  ['on hold nobody misses it', { media: 'disconnected', localHold: true }, 'call.onHold', false],
] as const)('%s', (_what, change, text, lost) => {
  const call: CallState = { ...active, ...change };
  expect(stateText(call)).toBe(text);
  expect(audioIsLost(call)).toBe(lost);
});

test.each([
  ['of whom nothing is told', [false, false], true],
  ['who may', [true, false], true],
  ['with another who may', [false, true], false],
  ['with another who may too', [true, true], true],
] as const)('people are brought in and sent away by one %s', (_what, [self, other], may) => {
  const identity = { displayName: '', user: '', uri: '' };
  const participant = (isSelf: boolean, isModerator: boolean) => ({ identity, isSelf, isModerator, state: 'connected' as const });
  const call: CallState = { ...active, focus: true, participants: [participant(true, self), participant(false, other)] };
  expect(controlsRoom(call)).toBe(may);
  expect(controlsRoom({ ...call, focus: false })).toBe(false);
  expect(controlsRoom({ ...call, participants: [] })).toBe(false);
});
