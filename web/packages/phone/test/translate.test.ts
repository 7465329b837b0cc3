import { expect, test } from 'vitest';
import { callState } from '../src/host/translate.js';

const INFO = { transfer: null, succeeds: null, createdAt: 1, answeredAt: null, end: null };
const state = (change: object, consulted?: string, succeeds?: string) =>
  callState('00000000000000aa', JSON.stringify({ ...INFO, ...change }), { consulted, succeeds }, (at) => at);

test('a call is about no other call', () => {
  expect(state({})).toMatchObject({ id: '00000000000000aa', transfer: null, succeeds: null });
});

test('a call takes the place of one call and is asked about in another', () => {
  // As numbers both have lost digits.
  const change = { succeeds: 12345678901234567000, transfer: { type: 'consulting', with: 12345678901234567000 } };
  expect(state(change, '00000000000000bb', '00000000000000cc')).toMatchObject({
    succeeds: '00000000000000cc',
    transfer: { type: 'consulting', with: '00000000000000bb' },
  });
});
