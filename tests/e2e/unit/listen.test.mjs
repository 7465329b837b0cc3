// The checkers decide whether a call had audio, so each must be able to say no: every positive case stands beside
// negative controls (silence, the wrong voice, the listener's own echo).

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertDoesNotHear, assertHears, assertMelody, assertSilent, dtmfKeys, match, notesOfMelody } from "../lib/listen.mjs";
import { joined, mixed, resample, scaled, silence, slice, tone } from "../lib/sound.mjs";
import { voice } from "../lib/speech.mjs";

const alice = voice("alice").sound;
const bob = voice("bob").sound;
const carol = voice("carol").sound;

/** Four seconds as a telephone would deliver them: narrower, softer, with noise, starting somewhere. */
function received(sound, from = 1.7) {
  const narrow = resample(resample(slice(sound, from, from + 4), 16000), 48000);
  let seed = 1;
  const noisy = scaled(narrow, 0.25);
  noisy.samples.forEach((_, index) => {
    seed = (seed * 48271) % 2147483647;
    noisy.samples[index] += (seed / 2147483647 - 0.5) * 0.002;
  });
  return noisy;
}

test("every voice is recognised through a telephone, with its delay", () => {
  for (const sound of [alice, bob, carol]) {
    const found = assertHears(received(sound), sound);
    assert.ok(Math.abs(found.delay - 1.7) < 0.03, `${found.delay}`);
  }
});

test("a recording that spans the seam of the loop is recognised", () => {
  const length = alice.samples.length / alice.rate;
  const seam = joined(slice(alice, length - 2), slice(alice, 0, 2));
  assertHears(received(seam, 0), alice);
});

test("control: silence and faint noise are not a voice", () => {
  assert.throws(() => assertHears(silence(4), alice), /silent/);
  assert.throws(() => assertHears(scaled(received(alice), 1e-4), alice), /silent/);
});

test("control: the wrong voice is not the right one, in all six pairs", () => {
  const voices = { alice, bob, carol };
  for (const [one, heard] of Object.entries(voices)) {
    for (const [other, sent] of Object.entries(voices)) {
      if (one === other) continue;
      assert.throws(() => assertHears(received(heard), sent), /not what was sent/, `${one} as ${other}`);
      assertDoesNotHear(received(heard), sent);
    }
  }
});

test("control: the listener's own echo is found although the right voice is there", () => {
  const withEcho = mixed(received(bob), scaled(received(alice), 0.5));
  assert.throws(() => assertHears(withEcho, bob, { absent: [alice] }), /must not be there/);
  assert.throws(() => assertHears(received(alice), bob), /not what was sent/, "only the echo");
  assertHears(received(bob), bob, { absent: [alice] });
});

test("control: a steady tone or noise is no voice", () => {
  assert.throws(() => assertHears(tone([440], 4), alice), /not what was sent/);
  const noise = silence(4);
  let seed = 7;
  noise.samples.forEach((_, index) => {
    seed = (seed * 48271) % 2147483647;
    noise.samples[index] = seed / 2147483647 - 0.5;
  });
  assert.throws(() => assertHears(noise, alice), /not what was sent/);
});

test("silence is silent and a soft voice is not", () => {
  assertSilent(silence(1));
  assertSilent(scaled(tone([440], 1), 0.001));
  assert.throws(() => assertSilent(scaled(alice, 0.05)), /not silent/);
});

test("a recording too short to judge is an error, not a verdict", () => {
  assert.throws(() => match(slice(alice, 0, 0.3), alice), /too short/);
  assert.throws(() => assertSilent(silence(0.1)), /too short/);
});

test("keys are read in order, between speech, with repeats", () => {
  const key = (low, high) => joined(tone([low, high], 0.1, 0.1), silence(0.07));
  const keys = joined(slice(alice, 0, 1), key(697, 1209), key(697, 1209), key(770, 1477), key(941, 1477), slice(bob, 0, 1));
  assert.equal(dtmfKeys(keys), "116#");
});

test("control: speech, silence and a single tone press no key", () => {
  for (const sound of [alice, bob, carol, silence(2), tone([697], 1)]) assert.equal(dtmfKeys(sound), "");
});

test("the melody of a party on hold is recognised by its notes, and no voice has them", () => {
  const notes = [72, 79, 76, 77, 76, 74, 72, 69, 72, 74].map((note) => tone([440 * 2 ** ((note - 69) / 12)], 0.3, 0.1));
  assertMelody(received(joined(...notes, ...notes), 0), "the melody");
  for (const sound of [alice, bob, carol, silence(4)]) {
    assert.equal(notesOfMelody(sound), 0);
    assert.throws(() => assertMelody(sound, "control"), /not the melody/);
  }
});
