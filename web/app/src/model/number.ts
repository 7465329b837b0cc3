/**
 * What people type or paste into the field, turned into something that can be dialled.
 * Numbers follow the visual separators of RFC 3966 s.5.1.1 and the common `(0)` trunk notation.
 */
export interface DialTarget {
  /** Handed to the phone: a number, a user name or a SIP URI. */
  readonly target: string;
  /** Digits to send after the answer, with `,` and `;` as pauses; empty when none. */
  readonly postDial: string;
  readonly isNumber: boolean;
}

const NUMBER = /^[+\d*#().\-/\s\u00a0]+$/;
const USER = /^[\p{L}\p{N}._~!$&'*+=-]+$/u;
// Invisible marks that copied numbers carry: zero-width and bidirectional controls, soft hyphen, byte-order mark.
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** `null` when the text is a name to search for and not an address. */
export function parseTarget(text: string): DialTarget | null {
  const clean = text.replace(INVISIBLE, '').trim();
  const scheme = /^(tel|sips?):/i.exec(clean)?.[1]?.toLowerCase();
  if (scheme === 'tel') return fromTel(clean.slice(4));
  if (scheme) return fromSip(scheme, clean.slice(scheme.length + 1));
  return fromPlain(clean);
}

/** The dialable digits of a number: `+49 (0)89 1234-56` gives `+4989123456`. */
export function normalizeNumber(text: string): string {
  const international = text.trimStart().startsWith('+');
  const withoutTrunk = international ? text.replace(/\(\s*0\s*\)/, '') : text;
  const digits = withoutTrunk.replace(/[^\d*#]/g, '');
  return international ? `+${digits}` : digits;
}

/** Whether two spellings mean the same number: equal, or equal in their last eight digits. */
export function sameNumber(a: string, b: string): boolean {
  const left = normalizeNumber(a);
  const right = normalizeNumber(b);
  if (!left || !right) return a.toLowerCase() === b.toLowerCase();
  if (left === right) return true;
  const significant = 8;
  return left.length >= significant && right.length >= significant && left.slice(-significant) === right.slice(-significant);
}

function fromTel(rest: string): DialTarget | null {
  const decoded = decode(rest);
  const [number = ''] = decoded.split(';');
  const postDial = /;postd=([\dp w*#]+)/i.exec(decoded)?.[1]?.replace(/p/gi, ',').replace(/w/gi, ';') ?? '';
  const target = normalizeNumber(number);
  return target && target !== '+' ? { target, postDial, isNumber: true } : null;
}

function fromSip(scheme: string, rest: string): DialTarget | null {
  const address = rest.replace(/[<>\s]/g, '');
  return address ? { target: `${scheme}:${address}`, postDial: '', isNumber: false } : null;
}

function fromPlain(text: string): DialTarget | null {
  const pause = /[,;]/.exec(text)?.index ?? text.length;
  const number = text.slice(0, pause);
  const after = text.slice(pause).replace(/\s/g, '');
  if (NUMBER.test(number) && /[\d*#]/.test(number) && /^[\d*#A-D,;]*$/i.test(after)) {
    return { target: normalizeNumber(number), postDial: after, isNumber: true };
  }
  if (/^[^\s@]+@[^\s@]+$/.test(text)) return { target: `sip:${text}`, postDial: '', isNumber: false };
  return USER.test(text) && /[\p{L}\p{N}]/u.test(text) ? { target: text, postDial: '', isNumber: false } : null;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign: taken literally.
  }
}
