import { expect, test } from 'vitest';
import { HostClock } from '../src/host/clock.js';
import { isPrivate } from '../src/page/local_network.js';

test('the clock never goes back, runs on, and still knows the time of day', () => {
  let wall = 10_000;
  const clock = new HostClock(() => wall);
  expect(clock.now()).toBe(10_000);
  wall = 4_000;
  const after = clock.now();
  expect(after).toBe(10_000);
  expect(clock.toEpoch(after)).toBe(4_000);
  wall = 4_500;
  expect(clock.now()).toBe(10_500);
});

test('sleep counts', () => {
  let wall = 0;
  const clock = new HostClock(() => wall);
  clock.now();
  wall = 3_600_000;
  expect(clock.now()).toBe(3_600_000);
});

test.each([
  ['127.0.0.1', true],
  ['10.1.2.3', true],
  ['172.16.0.1', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['pbx.local', true],
  ['clearline.localhost', true],
  ['[::1]', true],
  ['[fd00::1]', true],
  ['[2001:db8::1]', false],
  ['example.com', false],
  ['fdic.example', false],
])('%s is private: %s', (host, expected) => {
  expect(isPrivate(host)).toBe(expected);
});
