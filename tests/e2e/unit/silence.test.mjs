// The meter of silence by ear, on an audio thread that is pretended.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { fileURLToPath } from "node:url";

const RATE = 48_000;
const BLOCK = 128;

/** Loads the meter; `play` gives it so many seconds of a loudness, and the clocks go on. */
async function pretend(t) {
  let Meter;
  globalThis.currentTime = 0;
  globalThis.AudioWorkletProcessor = class {
    port = { onmessage: null, postMessage: (data) => (this.answer = data) };
  };
  globalThis.registerProcessor = (_, processor) => (Meter = processor);
  mock.method(Date, "now", () => 1_000_000 + globalThis.currentTime * 1000);
  t.after(() => mock.restoreAll());
  await import(`${fileURLToPath(new URL("../page/silence-meter.js", import.meta.url))}?${t.name}`);
  const meter = new Meter();
  const play = (duration, loudness) => {
    const samples = loudness === null ? undefined : new Float32Array(BLOCK).fill(loudness);
    for (let left = duration * RATE; left > 0; left -= BLOCK) {
      meter.process([samples ? [samples] : []]);
      globalThis.currentTime += BLOCK / RATE;
    }
  };
  const ask = (order) => (meter.port.onmessage({ data: order }), meter.answer);
  return { play, ask };
}

const isAbout = (value, expected) => assert.ok(Math.abs(value - expected) < 0.03, `${value} instead of ${expected}`);

test("a silence between two sounds is as long as it is, whether there is a track or none", async (t) => {
  const { play, ask } = await pretend(t);
  play(0.5, 0.1);
  ask("forget");
  play(0.5, 0.1);
  play(0.3, 0);
  play(0.3, null);
  assert.equal(ask("read").steady, 0, "it does not know yet whether it is over");
  play(0.7, 0.1);
  const { longest, steady, first, last } = ask("read");
  isAbout(longest, 0.6);
  isAbout(steady, 0.7);
  isAbout((first - 1_000_000) / 1000, 0.5);
  isAbout((last - 1_000_000) / 1000, 2.3);
});

test("a click is no sound, and what is too soft to be heard neither", async (t) => {
  const { play, ask } = await pretend(t);
  play(0.5, 0.1);
  ask("forget");
  play(0.4, 0);
  play(0.011, 0.5);
  play(0.4, 0.001);
  play(0.5, 0.1);
  isAbout(ask("read").longest, 0.81);
});

test("somebody who hears nothing at all has not heard again", async (t) => {
  const { play, ask } = await pretend(t);
  play(1, null);
  const { first, steady } = ask("read");
  assert.deepEqual([first, steady], [null, 0]);
});
