import { expect, test } from 'vitest';
import { normalizeNumber, parseTarget, sameNumber } from '../src/model/number.js';

const dialled = (text: string): string | null => parseTarget(text)?.target ?? null;

test.each([
  ['102', '102'],
  ['+49 (0)89 1234-56', '+4989123456'],
  ['+49 ( 0 ) 89/1234 56', '+4989123456'],
  ['(089) 1234.56', '089123456'],
  ['0049 89 123456', '004989123456'],
  ['*21*102#', '*21*102#'],
  ['\u202a+49\u00a089\u200b123456\u202c', '+4989123456'],
  ['tel:+49-89-123456', '+4989123456'],
  ['TEL:7042;phone-context=example.com', '7042'],
  ['tel:%2B4989123456', '+4989123456'],
  ['sip:bob@example.com', 'sip:bob@example.com'],
  ['sips:bob@example.com;transport=ws', 'sips:bob@example.com;transport=ws'],
  ['bob@example.com', 'sip:bob@example.com'],
  ['bob', 'bob'],
])('%s is dialled as %s', (typed, target) => {
  expect(dialled(typed)).toBe(target);
});

test.each(['', '   ', 'Bob Kramer', '+', '()', 'tel:', 'sip:', '???'])('%j is no address', (typed) => {
  expect(parseTarget(typed)).toBeNull();
});

test('pause digits are kept for after the answer', () => {
  expect(parseTarget('600,,12;3#')).toEqual({ target: '600', postDial: ',,12;3#', isNumber: true });
});

test('a stray percent sign in a tel link is taken literally', () => {
  expect(dialled('tel:%zz12')).toBe('12');
});

test('line breaks cannot get into an address', () => {
  expect(dialled('sip:bob@example.com\r\nEvil: 1')).toBe('sip:bob@example.comEvil:1');
  expect(dialled('10\r\n2')).toBe('102');
});

test('two spellings of a number are the same number', () => {
  expect(sameNumber('+49 89 1234560', '089 1234560')).toBe(true);
  expect(sameNumber('102', '103')).toBe(false);
  expect(sameNumber('102', '99102')).toBe(false);
  expect(sameNumber('bob', 'Bob')).toBe(true);
  expect(normalizeNumber('')).toBe('');
});
