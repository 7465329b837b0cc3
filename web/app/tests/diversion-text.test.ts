import { beforeAll, expect, test } from 'vitest';
import type { Diversion } from '@clearline/phone';
import { useLanguage } from '../src/i18n/i18n.js';
import type { Contacts } from '../src/model/contacts.js';
import { divertedText, redirectedText } from '../src/model/diversion-text.js';
import { FakePhone } from '../src/testing/fake-phone.js';

const contacts = { person: ({ displayName }: { displayName: string }) => ({ name: displayName, number: '', target: '' }) } as unknown as Contacts;
const CAROL = { displayName: 'Carol', user: '103', uri: 'sip:103@example.test' };
const NOBODY = { displayName: '', user: '', uri: '' };

const diverted = (...divertedBy: Diversion[]): string | null => {
  return divertedText(new FakePhone().add({ direction: 'incoming', state: 'incoming', divertedBy }).state, contacts);
};

beforeAll(() => useLanguage('en'));

test('a forwarded call says by whom and why', () => {
  expect(diverted()).toBeNull();
  expect(diverted({ party: CAROL, reason: 'no-answer' }, { party: NOBODY, reason: 'unconditional' })).toBe('Forwarded by Carol: no answer');
  expect(diverted({ party: CAROL, reason: 'unconditional' })).toBe('Forwarded by Carol');
  expect(diverted({ party: NOBODY, reason: 'user-busy' })).toBe('Forwarded call: busy');
});

test('a call that was sent on says where it went', () => {
  const call = (redirectedTo: typeof CAROL | null) => new FakePhone().add({ redirectedTo }).state;
  expect(redirectedText(call(null), contacts)).toBeNull();
  expect(redirectedText(call(CAROL), contacts)).toBe('Forwarded to Carol');
});
