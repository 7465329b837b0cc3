import type { Pattern, Segment } from './pattern.js';
import type { RingTone } from '../model/settings.js';

const silence = (ms: number): Segment => ({ hz: [], ms });
const note = (ms: number, ...hz: number[]): Segment => ({ hz, ms });

/** Two bells in quick turn, one second in five: the telephone everybody recognises. */
const CLASSIC: Pattern = {
  segments: [...Array.from({ length: 12 }, (_, i) => note(80, i % 2 === 0 ? 1040 : 1300, i % 2 === 0 ? 2080 : 2600)), silence(3040)],
  loop: true,
  level: 0.7,
  shape: 'bell',
};

/** Four rising notes and their echo: for a shared office. */
const CHIME: Pattern = {
  segments: [
    note(180, 523.25, 1046.5),
    note(180, 659.25, 1318.5),
    note(180, 783.99, 1567.98),
    note(700, 1046.5, 2093),
    note(180, 783.99, 1567.98),
    note(780, 1046.5, 2093),
    silence(1800),
  ],
  loop: true,
  level: 0.6,
  shape: 'bell',
};

export function ringPattern(tone: RingTone): Pattern | null {
  switch (tone) {
    case 'classic':
      return CLASSIC;
    case 'chime':
      return CHIME;
    case 'off':
      return null;
  }
}

/** Two short falling ticks: the call is over. */
export const END_TICK: Pattern = {
  segments: [note(70, 660), silence(30), note(110, 440)],
  loop: false,
  level: 0.2,
  shape: 'bell',
};

/** One rising tick: you are connected. */
export const CONNECT_TICK: Pattern = {
  segments: [note(60, 520), silence(20), note(100, 780)],
  loop: false,
  level: 0.2,
  shape: 'bell',
};

const ROWS = [697, 770, 852, 941] as const;
const COLUMNS = [1209, 1336, 1477, 1633] as const;
const KEYS = ['123A', '456B', '789C', '*0#D'];

/** The two frequencies of a key (ITU-T Q.23), short: feedback for the finger. */
export function keyTone(key: string): Pattern | null {
  const row = KEYS.findIndex((keys) => keys.includes(key));
  const low = ROWS[row];
  const high = COLUMNS[KEYS[row]?.indexOf(key) ?? -1];
  if (low === undefined || high === undefined) return null;
  return { segments: [note(110, low, high)], loop: false, level: 0.16, shape: 'tone' };
}
