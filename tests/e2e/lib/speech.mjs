// The voices of the scenarios: spoken once by espeak-ng, kept in the user's cache, looped by the fake microphones.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { resample, scaled, withoutPauses } from "./sound.mjs";
import { decodeWav, encodeWav, readWav } from "./wav.mjs";

/** @typedef {import("./wav.mjs").Sound} Sound */
/** @typedef {{ path: string, sound: Sound }} Voice a WAV file (48 kHz, mono, 16 bit) and what is in it */

/** Different texts in different voices: a checker that confuses two of them is broken. */
const SCRIPTS = {
  alice: {
    voice: "en-gb+f3",
    text:
      "Good morning, this is Alice from the second floor. The delivery came at a quarter past nine, " +
      "and seven of the boxes were already open. Could somebody please look at them before lunch?",
  },
  bob: {
    voice: "en-us+m3",
    text:
      "Hello, Bob speaking. We moved the workshop to Thursday because the big room has no light. " +
      "I will bring both projectors, the long cable, and enough coffee for twenty people.",
  },
  carol: {
    voice: "de+f2",
    text:
      "Guten Tag, hier ist Carola. Der Zug nach Augsburg hat heute vierzig Minuten Verspätung, " +
      "deshalb komme ich erst nach der Mittagspause. Bitte fangt ruhig schon ohne mich an.",
  },
};

/** @typedef {keyof typeof SCRIPTS} Speaker */

/** @param {Speaker} speaker @returns {Voice} */
export function voice(speaker) {
  const script = SCRIPTS[speaker];
  const key = createHash("sha256").update(JSON.stringify(script)).digest("hex").slice(0, 12);
  return cached(`${speaker}-${key}.wav`, () => speak(script.voice, script.text));
}

/** The same without its pauses, so that silence is never the speaker's. @param {Speaker} speaker @returns {Voice} */
export function fluent(speaker) {
  const { sound, path } = voice(speaker);
  return cached(`${basename(path, ".wav")}-fluent.wav`, () => withoutPauses(sound));
}

/** A sound as a microphone file. @param {string} name @param {() => Sound} make @returns {Voice} */
export function cached(name, make) {
  const folder = join(cacheFolder(), "speech");
  const path = join(folder, name);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, encodeWav(make()));
    renameSync(unfinished, path);
  }
  return { path, sound: readWav(path) };
}

/** Where files outlive a run; `cargo xtask` says where. */
export function cacheFolder() {
  return process.env.CLEARLINE_CACHE ?? join(homedir(), ".cache", "clearline");
}

/** @param {string} name @param {string} text @returns {Sound} 48 kHz, because fake microphones take no other well */
function speak(name, text) {
  const path = join(tmpdir(), `clearline-speech-${process.pid}.wav`);
  execFileSync("espeak-ng", ["-v", name, "-s", "160", "-w", path, text]);
  const spoken = resample(decodeWav(readFileSync(path)), 48000);
  const peak = spoken.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return scaled(spoken, 0.5 / peak);
}
