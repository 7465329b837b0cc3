import { expect, test } from 'vitest';
import { CARD_AGE_MS, resolveKey, type KeyContext } from '../src/model/shortcuts.js';

const IDLE: KeyContext = {
  typing: false,
  onControl: false,
  view: 'phone',
  incomingAge: null,
  otherCall: false,
  takesTones: false,
  panelOpen: null,
  line: 'none',
  shortcutsOpen: false,
  dialText: '',
};

const press = (key: string, context: Partial<KeyContext> = {}, modified = false) => resolveKey({ key, modified, repeat: false }, { ...IDLE, ...context });
const action = (name: string) => ({ type: 'action', action: name });

test('Enter answers a card that has been seen, not one that just appeared', () => {
  expect(press('Enter', { incomingAge: CARD_AGE_MS - 1 })).toBeNull();
  expect(press('Enter', { incomingAge: CARD_AGE_MS })).toEqual(action('answer'));
});

test('with another call Enter takes the primary way: hold and answer', () => {
  expect(press('Enter', { incomingAge: 900, otherCall: true })).toEqual(action('holdAndAnswer'));
});

test('Enter belongs to a field or a control that has the focus', () => {
  expect(press('Enter', { incomingAge: 900, typing: true })).toBeNull();
  expect(press('Enter', { incomingAge: 900, onControl: true })).toBeNull();
});

test('Esc declines, closes, and never ends a call', () => {
  expect(press('Escape', { incomingAge: 900 })).toEqual(action('decline'));
  expect(press('Escape', { incomingAge: 100 })).toBeNull();
  expect(press('Escape', { shortcutsOpen: true, incomingAge: 900 })).toEqual(action('shortcuts'));
  expect(press('Escape', { otherCall: true, takesTones: true, panelOpen: 'keypad' })).toEqual(action('keypad'));
  expect(press('Escape', { otherCall: true, takesTones: true })).toBeNull();
});

test.each([
  ['e', 'end'],
  ['E', 'end'],
  ['m', 'mute'],
  ['h', 'hold'],
  ['k', 'keypad'],
  ['s', 'swap'],
  ['t', 'transfer'],
  ['c', 'merge'],
  ['x', 'cancelTransfer'],
  ['l', 'nextLine'],
  ['a', 'add'],
  ['r', 'redial'],
  ['b', 'callBack'],
  ['/', 'search'],
  ['?', 'shortcuts'],
])('%s is %s', (key, name) => {
  expect(press(key)).toEqual(action(name));
  expect(press(key, { typing: true })).toBeNull();
  expect(press(key, {}, true)).toBeNull();
});

test('digits dial on the phone page and are tones in a call', () => {
  expect(press('5')).toEqual({ type: 'dial', text: '5' });
  expect(press('+')).toEqual({ type: 'dial', text: '+' });
  expect(press('5', { view: 'calls' })).toBeNull();
  expect(press('5', { view: 'calls', takesTones: true })).toEqual({ type: 'tone', tone: '5' });
});

test('Enter calls what was typed', () => {
  expect(press('Enter', { dialText: '102' })).toEqual({ type: 'call' });
  expect(press('Enter')).toBeNull();
});

test('a held key repeats nothing', () => {
  expect(resolveKey({ key: '5', modified: false, repeat: true }, IDLE)).toBeNull();
});

test('with a chosen call the arrows choose on, Enter brings a held one to the ear, Esc lets go', () => {
  expect(press('ArrowDown', { line: 'held' })).toEqual({ type: 'line', step: 1 });
  expect(press('ArrowUp', { line: 'talking' })).toEqual({ type: 'line', step: -1 });
  expect(press('ArrowDown')).toBeNull();
  expect(press('Enter', { line: 'held' })).toEqual(action('hold'));
  expect(press('Enter', { line: 'talking' })).toBeNull();
  expect(press('Escape', { line: 'held', panelOpen: 'add' })).toEqual({ type: 'no-line' });
});

test('pauses can be dialled behind a number', () => {
  expect(press(',', { dialText: '600' })).toEqual({ type: 'dial', text: ',' });
  expect(press(';', { dialText: 'bob' })).toBeNull();
  expect(press(',')).toBeNull();
});
