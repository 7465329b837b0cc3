// Arithmetic on sound: level, rate conversion, spectra. No knowledge of calls.

/** @typedef {import("./wav.mjs").Sound} Sound */

/**
 * The level relative to full scale (a full-scale square wave is 0 dB); digital silence is -Infinity.
 * @param {Sound} sound
 */
export function levelDb({ samples }) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / Math.max(1, samples.length));
}

/** The part from `from` to `to` seconds. @param {Sound} sound @param {number} from @param {number} [to] @returns {Sound} */
export function slice({ rate, samples }, from, to = Infinity) {
  return { rate, samples: samples.slice(Math.round(from * rate), to === Infinity ? undefined : Math.round(to * rate)) };
}

/** How long it lasts, in seconds. @param {Sound} sound */
export function seconds({ rate, samples }) {
  return samples.length / rate;
}

/** Louder or softer by a factor. @param {Sound} sound @param {number} factor @returns {Sound} */
export function scaled({ rate, samples }, factor) {
  return { rate, samples: samples.map((sample) => sample * factor) };
}

/** Both at once, as long as the first. @param {Sound} one @param {Sound} other @returns {Sound} */
export function mixed(one, other) {
  const second = resample(other, one.rate).samples;
  return { rate: one.rate, samples: one.samples.map((sample, index) => sample + (second[index] ?? 0)) };
}

/** @param {number} duration seconds @param {number} [rate] @returns {Sound} */
export function silence(duration, rate = 48000) {
  return { rate, samples: new Float32Array(Math.round(duration * rate)) };
}

/**
 * A sum of sine waves, each of amplitude `amplitude`.
 * @param {number[]} frequencies Hz @param {number} duration seconds @param {number} [amplitude] @param {number} [rate]
 * @returns {Sound}
 */
export function tone(frequencies, duration, amplitude = 0.3, rate = 48000) {
  const sound = silence(duration, rate);
  for (let index = 0; index < sound.samples.length; index++) {
    for (const frequency of frequencies) {
      sound.samples[index] += amplitude * Math.sin((2 * Math.PI * frequency * index) / rate);
    }
  }
  return sound;
}

/** What is that much softer than the loudest part is a pause. */
const PAUSE_DB = -30;

/** Only the parts of 10 ms that are sound. @param {Sound} sound @returns {Sound} */
export function withoutPauses(sound) {
  const parts = Array.from({ length: Math.floor(seconds(sound) * 100) }, (_, index) => slice(sound, index / 100, (index + 1) / 100));
  const levels = parts.map(levelDb);
  const loudest = levels.reduce((most, level) => Math.max(most, level), -Infinity);
  return joined(...parts.filter((_, index) => levels[index] > loudest + PAUSE_DB));
}

/** @param {...Sound} sounds of one rate @returns {Sound} */
export function joined(...sounds) {
  const samples = new Float32Array(sounds.reduce((sum, sound) => sum + sound.samples.length, 0));
  let at = 0;
  for (const sound of sounds) {
    samples.set(sound.samples, at);
    at += sound.samples.length;
  }
  return { rate: sounds[0]?.rate ?? 48000, samples };
}

const ZERO_CROSSINGS = 16;

/**
 * Converts the rate by windowed-sinc interpolation; frequencies that the new rate cannot carry are removed.
 * @param {Sound} sound @param {number} rate Hz @returns {Sound}
 */
export function resample(sound, rate) {
  if (sound.rate === rate) return sound;
  const { samples } = sound;
  const step = sound.rate / rate;
  const { kernels, reach } = kernelsOf(sound.rate, rate);
  const result = new Float32Array(Math.floor(samples.length / step));
  for (let index = 0; index < result.length; index++) {
    const kernel = kernels[index % kernels.length];
    const first = Math.floor((index * sound.rate) / rate) - reach;
    const end = Math.min(kernel.length, samples.length - first);
    let sum = 0;
    for (let tap = Math.max(0, -first); tap < end; tap++) sum += samples[first + tap] * kernel[tap];
    result[index] = sum;
  }
  return { rate, samples: result };
}

/**
 * The filter at each position that an output sample can have between two input samples.
 * @param {number} from Hz @param {number} to Hz
 */
function kernelsOf(from, to) {
  const cutoff = Math.min(1, to / from) * 0.95;
  const width = ZERO_CROSSINGS / cutoff;
  const reach = Math.ceil(width);
  const positions = to / greatestCommonDivisor(from, to);
  const kernels = Array.from({ length: positions }, (_, position) => {
    const fraction = ((position * from) / to) % 1;
    return Float32Array.from({ length: 2 * reach + 2 }, (_, tap) => windowedSinc(tap - reach - fraction, cutoff, width));
  });
  return { kernels, reach };
}

/** @param {number} distance @param {number} cutoff @param {number} width */
function windowedSinc(distance, cutoff, width) {
  if (Math.abs(distance) >= width) return 0;
  const phase = Math.PI * distance * cutoff;
  const sinc = Math.abs(phase) < 1e-9 ? 1 : Math.sin(phase) / phase;
  return cutoff * sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / width));
}

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Power at one frequency in a block (Goertzel), relative to a full-scale sine of that frequency.
 * @param {Float32Array} block @param {number} rate @param {number} frequency
 */
export function powerAt(block, rate, frequency) {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let previous = 0;
  let before = 0;
  for (const sample of block) {
    const next = sample + coefficient * previous - before;
    before = previous;
    previous = next;
  }
  const power = previous * previous + before * before - coefficient * previous * before;
  return (4 * power) / (block.length * block.length);
}

/**
 * Power spectrum of a block whose length is a power of two, Hann window: `length / 2` bins.
 * @param {Float32Array} block
 * @returns {Float32Array}
 */
export function powerSpectrum(block) {
  const size = block.length;
  const window = hann(size);
  const real = block.map((sample, index) => sample * window[index]);
  const imaginary = new Float32Array(size);
  transform(real, imaginary);
  return real.subarray(0, size / 2).map((value, bin) => value * value + imaginary[bin] * imaginary[bin]);
}

/** @type {Map<number, Float32Array>} */
const windows = new Map();

/** @param {number} size */
function hann(size) {
  const made = windows.get(size);
  if (made) return made;
  const window = Float32Array.from({ length: size }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size));
  windows.set(size, window);
  return window;
}

/** In-place fast Fourier transform, radix 2. @param {Float32Array} real @param {Float32Array} imaginary */
function transform(real, imaginary) {
  const size = real.length;
  reverseBits(real, imaginary);
  for (let half = 1; half < size; half *= 2) {
    for (let offset = 0; offset < half; offset++) {
      const cosine = Math.cos((-Math.PI * offset) / half);
      const sine = Math.sin((-Math.PI * offset) / half);
      for (let low = offset; low < size; low += 2 * half) {
        const high = low + half;
        const turnedReal = real[high] * cosine - imaginary[high] * sine;
        const turnedImaginary = real[high] * sine + imaginary[high] * cosine;
        real[high] = real[low] - turnedReal;
        imaginary[high] = imaginary[low] - turnedImaginary;
        real[low] += turnedReal;
        imaginary[low] += turnedImaginary;
      }
    }
  }
}

/** @param {Float32Array} real @param {Float32Array} imaginary */
function reverseBits(real, imaginary) {
  const size = real.length;
  for (let index = 0, mirror = 0; index < size; index++) {
    if (index < mirror) {
      [real[index], real[mirror]] = [real[mirror], real[index]];
      [imaginary[index], imaginary[mirror]] = [imaginary[mirror], imaginary[index]];
    }
    let bit = size >> 1;
    for (; bit >= 1 && mirror & bit; bit >>= 1) mirror ^= bit;
    mirror |= bit;
  }
}
