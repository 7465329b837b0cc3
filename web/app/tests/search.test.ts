import { expect, test } from 'vitest';
import type { Contact } from '../src/model/contacts.js';
import { search, starters } from '../src/model/search.js';

const contact = (number: string, name: string, favourite = false): Contact => ({ id: name.split(' ')[0]!.toLowerCase(), number, name, favourite });

const CONTACTS = [
  contact('102', 'Bob Kramer'),
  contact('103', 'Carol Souza', true),
  contact('1020', 'Carla Brunner'),
  contact('106', 'Yasmin Öztürk'),
];
const RECENT = [
  { name: 'Nordbau GmbH', number: '+49891020', target: '+49891020' },
  { name: 'Carla Brunner', number: '1020', target: '1020' },
];

const kinds = (text: string): string[] => search(text, CONTACTS, RECENT).map((s) => `${s.kind} ${s.target}`);

test('the exact extension is first, whatever else matches', () => {
  expect(kinds('102')).toEqual(['extension 102', 'recent 1020', 'recent +49891020']);
});

test('the user name counts as extension', () => {
  expect(kinds('BOB')[0]).toBe('extension 102');
});

test('a number without exact match is called as typed, not as something longer', () => {
  expect(kinds('10')[0]).toBe('dial 10');
  expect(kinds('+49 (0)89 1234-56')).toEqual(['dial +49 (0)89 1234-56']);
});

test('favourites before recent before directory', () => {
  expect(kinds('car')).toEqual(['favourite 103', 'recent 1020', 'dial car']);
});

test('every word must begin a word of the name', () => {
  expect(kinds('kr bo')).toEqual(['directory 102']);
  expect(kinds('kr ca')).toEqual([]);
});

test('accents need not be typed, and the mark points at the original letters', () => {
  const [found] = search('ozt', CONTACTS, []);
  expect(found?.name.slice(...(found.nameMark as [number, number]))).toBe('Özt');
});

test('digits match letters of the keypad', () => {
  // 5-7-2: K-R-A
  expect(kinds('572')).toEqual(['dial 572', 'directory 102']);
});

test('an unknown single word can still be called, last', () => {
  expect(kinds('zoe')).toEqual(['dial zoe']);
});

test('nothing typed, nothing found', () => {
  expect(kinds('   ')).toEqual([]);
});

const LINES = [{ call: '1', name: 'Bob Kramer', number: '102' }];

test('whoever is on the line is found as such, even by the exact extension', () => {
  const [found] = search('102', CONTACTS, RECENT, LINES);
  expect(found).toMatchObject({ kind: 'line', call: '1' });
  expect(search('bo', CONTACTS, RECENT, LINES).map((s) => `${s.kind} ${s.target}`)).toEqual(['line 102', 'dial bo']);
  expect(search('x', CONTACTS, RECENT, LINES).map((s) => s.kind)).toEqual(['dial']);
});

test('before anything is typed: the line, favourites, then the latest parties by their names', () => {
  expect(starters(CONTACTS, RECENT, LINES).map((s) => `${s.kind} ${s.name}`)).toEqual(['line Bob Kramer', 'favourite Carol Souza', 'recent Nordbau GmbH', 'recent Carla Brunner']);
});
