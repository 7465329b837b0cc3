import assert from "node:assert/strict";
import { test } from "node:test";
import { joined, levelDb, powerAt, powerSpectrum, resample, seconds, silence, tone, withoutPauses } from "../lib/sound.mjs";

test("the level of a sine of amplitude 1/2 is 9 dB below full scale; silence has none", () => {
  assert.ok(Math.abs(levelDb(tone([1000], 1, 0.5)) + 9.03) < 0.01);
  assert.equal(levelDb(silence(1)), -Infinity);
});

test("a tone keeps its frequency and level when the rate changes", () => {
  for (const [from, to] of [[22050, 48000], [48000, 16000], [44100, 8000]]) {
    const { samples } = resample(tone([1000], 1, 0.5, from), to);
    const middle = samples.subarray(to / 4, to / 2);
    assert.ok(Math.abs(powerAt(middle, to, 1000) - 0.25) < 0.01, `${from} -> ${to}`);
  }
});

test("what the lower rate cannot carry is removed instead of folded back", () => {
  const folded = resample(tone([7000], 1, 0.5), 8000);
  assert.ok(levelDb(folded) < -50, `${levelDb(folded)}`);
});

test("a spectrum has its peak where the tone is", () => {
  const spectrum = powerSpectrum(tone([2000], 512 / 16000, 0.5, 16000).samples);
  assert.equal(spectrum.indexOf(Math.max(...spectrum)), (2000 * 512) / 16000);
});

test("without its pauses a sound is as long as what can be heard of it", () => {
  const sound = joined(silence(0.3), tone([500], 0.5), silence(0.2), tone([500], 0.1, 0.003), tone([700], 0.25));
  assert.ok(Math.abs(seconds(withoutPauses(sound)) - 0.75) < 0.001);
});
