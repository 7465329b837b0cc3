import { expect, test } from 'vitest';
import { render } from '../src/audio/pattern.js';
import { keyTone, ringPattern } from '../src/audio/sounds.js';
import { TONE_COUNTRIES, callTone, guessCountry, planFor } from '../src/audio/tone-plans.js';

const RATE = 8_000;

/** Power of one frequency in samples (Goertzel). */
function power(samples: Float32Array, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / RATE);
  let [a, b] = [0, 0];
  for (const sample of samples) [a, b] = [sample + k * a - b, a];
  return (a * a + b * b - k * a * b) / samples.length ** 2;
}

test('a cadence has its frequencies while it sounds and nothing in the pauses', () => {
  const samples = render(callTone(planFor('US').ringback), RATE);
  expect(samples).toHaveLength(6 * RATE);
  const sounding = samples.subarray(0, 2 * RATE);
  for (const hz of [440, 480]) expect(power(sounding, hz)).toBeGreaterThan(100 * power(sounding, 460));
  expect(samples.subarray(2 * RATE).every((sample) => sample === 0)).toBe(true);
});

test.each(Array.from('1234567890*#'))('key %s has its two frequencies', (key) => {
  const pattern = keyTone(key)!;
  const samples = render(pattern, RATE);
  for (const hz of pattern.segments[0]!.hz) expect(power(samples, hz)).toBeGreaterThan(20 * power(samples, 1080));
});

test('nothing clicks and nothing is too loud', () => {
  for (const pattern of [ringPattern('classic')!, ringPattern('chime')!, ...TONE_COUNTRIES.map((code) => callTone(planFor(code).busy))]) {
    const samples = render(pattern, RATE);
    expect(Math.max(...samples.map(Math.abs))).toBeLessThan(1);
    expect(Math.abs(samples[0]!)).toBeLessThan(0.05);
    expect(Math.abs(samples.at(-1)!)).toBeLessThan(0.05);
  }
});

test('the country comes from the time zone, then region, then language', () => {
  expect(guessCountry('en-US', 'Europe/Berlin')).toBe('DE');
  expect(guessCountry('en-GB', 'Etc/UTC')).toBe('GB');
  expect(guessCountry('de', 'Etc/UTC')).toBe('DE');
  expect(guessCountry('ja', 'Asia/Tokyo')).toBeNull();
  expect(planFor(null).ringback[0]?.hz).toEqual([425]);
});
