// WAV files as the scenarios use them: read anything common as mono floats, write 16-bit PCM.

import { readFileSync, writeFileSync } from "node:fs";

/**
 * Mono sound: samples from -1 to 1 and their rate in Hz.
 * @typedef {{ rate: number, samples: Float32Array }} Sound
 */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/**
 * Decodes a RIFF/WAVE file (PCM 8, 16, 24, 32 bit or float 32 bit; channels are averaged).
 * A data chunk that claims more than the file holds ends with the file: programs that write to a pipe do so.
 * @param {Buffer} file
 * @returns {Sound}
 */
export function decodeWav(file) {
  if (file.length < 12 || file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error("this is not a WAV file");
  }
  let format;
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.toString("latin1", at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const body = file.subarray(at + 8, Math.min(at + 8 + size, file.length));
    if (id === "fmt ") format = readFormat(body);
    if (id === "data") {
      if (!format) throw new Error("the WAV file has its data before its format");
      return { rate: format.rate, samples: readSamples(body, format) };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error("the WAV file has no data");
}

/**
 * Encodes as 16-bit PCM, mono; samples beyond full scale are clipped.
 * @param {Sound} sound
 * @returns {Buffer}
 */
export function encodeWav({ rate, samples }) {
  const file = Buffer.alloc(44 + samples.length * 2);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + samples.length * 2, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(PCM, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples.length * 2, 40);
  samples.forEach((sample, index) => {
    const clipped = Math.max(-1, Math.min(1, sample));
    file.writeInt16LE(Math.round(clipped * 32767), 44 + index * 2);
  });
  return file;
}

/** @param {string} path @returns {Sound} */
export function readWav(path) {
  return decodeWav(readFileSync(path));
}

/** @param {string} path @param {Sound} sound */
export function writeWav(path, sound) {
  writeFileSync(path, encodeWav(sound));
}

/** @param {Buffer} body */
function readFormat(body) {
  const tag = body.readUInt16LE(0);
  return {
    kind: tag === EXTENSIBLE ? body.readUInt16LE(24) : tag,
    channels: body.readUInt16LE(2),
    rate: body.readUInt32LE(4),
    bits: body.readUInt16LE(14),
  };
}

/** @param {Buffer} body @param {{ kind: number, channels: number, bits: number }} format */
function readSamples(body, { kind, channels, bits }) {
  const bytes = bits / 8;
  const read = sampleReader(kind, bits);
  const samples = new Float32Array(Math.floor(body.length / (bytes * channels)));
  for (let frame = 0; frame < samples.length; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(body, (frame * channels + channel) * bytes);
    samples[frame] = sum / channels;
  }
  return samples;
}

/** @param {number} kind @param {number} bits @returns {(body: Buffer, at: number) => number} */
function sampleReader(kind, bits) {
  if (kind === FLOAT && bits === 32) return (body, at) => body.readFloatLE(at);
  if (kind !== PCM) throw new Error(`WAV encoding ${kind} with ${bits} bits is not supported`);
  if (bits === 8) return (body, at) => (body.readUInt8(at) - 128) / 128;
  if (bits === 16) return (body, at) => body.readInt16LE(at) / 32768;
  if (bits === 24) return (body, at) => body.readIntLE(at, 3) / 8388608;
  if (bits === 32) return (body, at) => body.readInt32LE(at) / 2147483648;
  throw new Error(`WAV with ${bits} bits is not supported`);
}
