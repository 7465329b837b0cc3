// Judges what one end received against what the other end sent.
//
// Two recordings of one utterance agree in when each frequency band gets louder and softer. So both are turned into
// band energies every 10 ms, and the best correlation over all time shifts is the score: about 0.9 through Opus and
// a browser's noise suppression, below 0.4 for another text in another voice. Gain, delay and codec do not matter.

import assert from "node:assert/strict";
import { levelDb, powerAt, powerSpectrum, resample, seconds } from "./sound.mjs";

/** @typedef {import("./wav.mjs").Sound} Sound */
/** @typedef {{ score: number, delay: number, level: number }} Match score -1..1, delay in s, level in dB */

const RATE = 16000;
const BLOCK = 512;
const HOP = 160;
const BANDS = 20;
const LOWEST_HZ = 150;
const HIGHEST_HZ = 6000;
/** Below the loudest frame; quieter is treated as equal, else the noise of a pause would count as much as speech. */
const DYNAMIC_RANGE_DB = 45;

/**
 * What a score must reach to count as heard, and what it must not reach to count as absent. Beside a voice of full level
 * another one is found down to about 6 dB below it.
 */
export const HEARD = 0.65;
export const ABSENT = 0.45;
/** Louder than this is sound; an idle Opus stream of a muted track is far below. */
export const QUIET_DB = -60;

/**
 * How well `received` agrees with a part of `sent`, which the sender repeats for ever.
 * @param {Sound} received at least one second @param {Sound} sent @returns {Match}
 */
export function match(received, sent) {
  assert.ok(seconds(received) >= 1, `a recording of ${seconds(received).toFixed(2)} s is too short to judge`);
  const level = levelDb(received);
  if (level < QUIET_DB) return { score: 0, delay: 0, level };
  const scores = correlations(bandEnergies(received, false), loopEnergies(sent));
  const score = Math.max(...scores);
  return { score, delay: (scores.indexOf(score) * HOP) / RATE, level };
}

/**
 * Fails unless `received` is the sound `sent` and none of `absent` (the listener's own voice, a third person).
 * @param {Sound} received @param {Sound} sent @param {{ absent?: Sound[], what?: string }} [options]
 * @returns {Match}
 */
export function assertHears(received, sent, { absent = [], what = "the recording" } = {}) {
  const found = match(received, sent);
  assert.ok(found.level >= QUIET_DB, `${what} is silent (${describe(found)})`);
  assert.ok(found.score >= HEARD, `${what} is not what was sent (${describe(found)})`);
  for (const other of absent) assertDoesNotHear(received, other, what);
  return found;
}

/** Fails if the sound `sent` is in `received`. @param {Sound} received @param {Sound} sent @param {string} [what] */
export function assertDoesNotHear(received, sent, what = "the recording") {
  const found = match(received, sent);
  assert.ok(found.score < ABSENT, `${what} has a sound that must not be there (${describe(found)})`);
}

/**
 * A busy machine stutters now and then when it mixes and records with three browsers: the voice has to be recognised in one
 * of three recordings, and nobody else may be in any of them.
 * @param {{ hear(seconds: number): Promise<import("./wav.mjs").Sound> }} phone @param {import("./wav.mjs").Sound} sound
 * @param {import("./wav.mjs").Sound[]} absent @param {string} what
 */
export async function assertHearsOnly(phone, sound, absent, what) {
  for (let attempt = 1; ; attempt += 1) {
    const heard = await phone.hear(4);
    for (const other of absent) assertDoesNotHear(heard, other, what);
    if (attempt === 3) assertHears(heard, sound, { what });
    if (match(heard, sound).score >= HEARD) return;
  }
}

/** Fails if there is any sound. @param {Sound} received @param {string} [what] */
export function assertSilent(received, what = "the recording") {
  assert.ok(seconds(received) >= 0.5, `${what}: ${seconds(received).toFixed(2)} s are too short to judge`);
  const level = levelDb(received);
  assert.ok(level < QUIET_DB, `${what} is not silent (${level.toFixed(1)} dB)`);
}

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ["123A", "456B", "789C", "*0#D"];
const KEY_BLOCK = 160;

/**
 * The keys (ITU-T Q.23) that sound for at least 30 ms, in order; a browser plays about half of a tone of 100 ms.
 * @param {Sound} received @returns {string}
 */
export function dtmfKeys(received) {
  const { samples } = resample(received, 8000);
  let keys = "";
  let current = "";
  let length = 0;
  for (let at = 0; at + KEY_BLOCK <= samples.length; at += KEY_BLOCK / 2) {
    const key = dtmfKey(samples.subarray(at, at + KEY_BLOCK));
    length = key === current ? length + 1 : 1;
    current = key;
    if (key && length === 2) keys += key;
  }
  return keys;
}

/**
 * Presses `keys` and expects just these to be heard. The listening browser plays the tones itself and, on a busy machine,
 * now and then swallows one, so that a second recording decides; a phone that loses or repeats keys fails both.
 * @param {string} keys @param {() => Promise<Sound>} recordWhilePressing
 */
export async function assertKeysArrive(keys, recordWhilePressing) {
  const first = dtmfKeys(await recordWhilePressing());
  if (first === keys) return;
  assert.equal(dtmfKeys(await recordWhilePressing()), keys, `heard ${first} at first`);
}

/** The key that sounds in a block at 8 kHz, or "". @param {Float32Array} block */
function dtmfKey(block) {
  const rows = ROWS.map((frequency) => powerAt(block, 8000, frequency));
  const columns = COLUMNS.map((frequency) => powerAt(block, 8000, frequency));
  const row = loudest(rows);
  const column = loudest(columns);
  const pair = rows[row] + columns[column];
  let total = 0;
  for (const sample of block) total += sample * sample;
  // A full-scale sine has power 1 here and mean square 1/2 there. Speech never puts most of its power into one pair.
  const share = pair / 2 / (total / block.length || 1);
  const balanced = rows[row] > columns[column] / 10 && columns[column] > rows[row] / 10;
  return pair > 1e-4 && share > 0.7 && balanced ? KEYS[row][column] : "";
}

/** The notes of the melody that parties on hold hear (`core/src/media/hold_music.rs`), the upper part. */
const MELODY = [72, 79, 76, 77, 74, 69, 67, 81, 71].map((note) => 440 * 2 ** ((note - 69) / 12));
const NOTE_BLOCK = 1200;

/**
 * How many of its notes sound clearly: one of them has most of the power of a sixth of a second. Speech glides, so that
 * it has hardly any.
 * @param {Sound} received @returns {number}
 */
export function notesOfMelody(received) {
  const { samples } = resample(received, 8000);
  const found = new Set();
  for (let at = 0; at + NOTE_BLOCK <= samples.length; at += NOTE_BLOCK / 2) {
    const block = samples.subarray(at, at + NOTE_BLOCK);
    const total = block.reduce((sum, sample) => sum + sample * sample, 0) / block.length;
    const powers = MELODY.map((note) => powerAt(block, 8000, note));
    const note = loudest(powers);
    // A full-scale sine has power 1 here and mean square 1/2 there.
    if (total > 1e-6 && powers[note] / 2 / total > 0.4) found.add(note);
  }
  return found.size;
}

/** Fails unless it is the melody. @param {Sound} received at least three seconds @param {string} what */
export function assertMelody(received, what) {
  const notes = notesOfMelody(received);
  assert.ok(notes >= 4, `${what} is not the melody (${notes} of its notes, level ${levelDb(received).toFixed(1)} dB)`);
}

/** @param {number[]} powers */
function loudest(powers) {
  return powers.indexOf(Math.max(...powers));
}

/** @param {Match} found */
function describe({ score, delay, level }) {
  return `score ${score.toFixed(2)} at ${delay.toFixed(2)} s, level ${level.toFixed(1)} dB`;
}

/** @type {WeakMap<Sound, Float32Array[]>} what is sent is compared many times */
const known = new WeakMap();

/** @param {Sound} sent */
function loopEnergies(sent) {
  const found = known.get(sent) ?? bandEnergies(sent, true);
  known.set(sent, found);
  return found;
}

/**
 * For each band its energy in dB every 10 ms. `endless` repeats the sound by one block, so that the seam of a loop
 * is a frame like any other.
 * @param {Sound} sound @param {boolean} endless @returns {Float32Array[]}
 */
function bandEnergies(sound, endless) {
  const once = resample(sound, RATE).samples;
  const samples = new Float32Array(once.length + (endless ? BLOCK : 0));
  samples.set(once);
  if (endless) samples.set(once.subarray(0, BLOCK), once.length);
  const frames = Math.floor((samples.length - BLOCK) / HOP) + 1;
  const bands = Array.from({ length: BANDS }, () => new Float32Array(frames));
  for (let frame = 0; frame < frames; frame++) {
    const spectrum = powerSpectrum(samples.subarray(frame * HOP, frame * HOP + BLOCK));
    bands.forEach((energies, band) => (energies[frame] = bandEnergy(spectrum, band)));
  }
  const peak = bands.reduce((most, energies) => energies.reduce((a, b) => Math.max(a, b), most), -Infinity);
  return bands.map((energies) => energies.map((value) => Math.max(value, peak - DYNAMIC_RANGE_DB)));
}

/** @param {Float32Array} spectrum @param {number} band */
function bandEnergy(spectrum, band) {
  let sum = 1e-12;
  for (let bin = EDGES[band]; bin < EDGES[band + 1]; bin++) sum += spectrum[bin];
  return 10 * Math.log10(sum);
}

/** First bin of each band, equally wide in octaves above 500 Hz or so, as hearing is. */
const EDGES = Array.from({ length: BANDS + 1 }, (_, band) => {
  const mel = (/** @type {number} */ hz) => Math.log10(1 + hz / 700);
  const position = mel(LOWEST_HZ) + ((mel(HIGHEST_HZ) - mel(LOWEST_HZ)) * band) / BANDS;
  return Math.round((700 * (10 ** position - 1) * BLOCK) / RATE);
});

/**
 * Pearson's correlation at every shift of the loop, with each band's own mean taken out, so that a fixed colouring
 * of the sound counts nothing.
 * @param {Float32Array[]} heard @param {Float32Array[]} spoken @returns {Float64Array}
 */
function correlations(heard, spoken) {
  const shifts = spoken[0].length;
  const product = new Float64Array(shifts);
  const spokenPower = new Float64Array(shifts);
  let heardPower = 0;
  heard.forEach((energies, band) => {
    const centred = withoutMean(energies);
    heardPower += centred.reduce((sum, value) => sum + value * value, 0);
    addBand(centred, spoken[band], product, spokenPower);
  });
  return product.map((value, shift) => value / (Math.sqrt(heardPower * spokenPower[shift]) || 1));
}

/**
 * @param {Float32Array} heard without its mean @param {Float32Array} spoken
 * @param {Float64Array} product @param {Float64Array} spokenPower
 */
function addBand(heard, spoken, product, spokenPower) {
  const length = heard.length;
  const loop = Float32Array.from({ length: spoken.length + length }, (_, frame) => spoken[frame % spoken.length]);
  for (let shift = 0; shift < spoken.length; shift++) {
    let sum = 0;
    let squares = 0;
    let dot = 0;
    for (let frame = 0; frame < length; frame++) {
      const value = loop[frame + shift];
      sum += value;
      squares += value * value;
      dot += value * heard[frame];
    }
    product[shift] += dot;
    spokenPower[shift] += squares - (sum * sum) / length;
  }
}

/** @param {Float32Array} values */
function withoutMean(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}
