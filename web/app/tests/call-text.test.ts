import { expect, test } from 'vitest';
import type { EndCause } from '@clearline/phone';
import { endText, endedBadly } from '../src/model/call-text.js';

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
] as const)('%j is told as %s', (call, text, bad) => {
  expect(endText(call)).toBe(text);
  expect(endedBadly(call)).toBe(bad);
});
