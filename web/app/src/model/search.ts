import type { CallId } from '@clearline/phone';
import type { Contact } from './contacts.js';
import { normalizeNumber, parseTarget, sameNumber } from './number.js';

export type SuggestionKind = 'line' | 'extension' | 'dial' | 'favourite' | 'recent' | 'directory';

/** Half-open range of matching characters, for emphasis. */
export type Mark = readonly [from: number, to: number] | null;

export interface Suggestion {
  readonly kind: SuggestionKind;
  readonly name: string;
  readonly number: string;
  /** Handed to the phone when chosen. */
  readonly target: string;
  readonly nameMark: Mark;
  readonly numberMark: Mark;
  /** The call, where the party is on the line already. */
  readonly call?: CallId;
}

/** A party of a call of the moment. */
export interface LineParty {
  readonly call: CallId;
  readonly name: string;
  readonly number: string;
}

/** A party of an earlier call that the directory does not know. */
export interface RecentParty {
  readonly name: string;
  readonly number: string;
  readonly target: string;
}

const LIMIT = 8;

/**
 * Ranked results for what was typed: the exact extension, then a number exactly as typed (so that Enter never
 * calls something longer than what is on screen), parties on the line, favourites, recent parties, the directory; an unknown name that
 * could be an address comes last. Digits match names by the keypad's letters too.
 */
export function search(text: string, contacts: readonly Contact[], recent: readonly RecentParty[], lines: readonly LineParty[] = []): Suggestion[] {
  const query = text.trim();
  if (!query) return [];
  const address = parseTarget(query);
  const found: Suggestion[] = [];
  const known = (target: string): boolean => found.some((s) => sameNumber(s.target, target));
  const push = (suggestion: Suggestion | null): void => {
    if (suggestion && !known(suggestion.target)) found.push(suggestion);
  };

  const exact = contacts.find((c) => isExtension(c, query));
  const exactLine = exact && lines.find((line) => sameNumber(line.number, exact.number));
  if (exactLine) push(onTheLine(exactLine));
  else if (exact) push({ ...plain('extension', exact.name, exact.number), numberMark: [0, exact.number.length] });
  const dial = address && { ...plain('dial', query, address.target), target: query };
  if (address?.isNumber && !exact) push(dial);
  for (const line of lines) {
    const hit = match(query, line.name, line.number);
    if (hit && line !== exactLine) found.push({ ...onTheLine(line), ...hit });
  }
  const recentIs = (c: Contact): boolean => recent.some((r) => sameNumber(r.number, c.number));
  const matching = contacts.map((c) => ({ contact: c, hit: match(query, c.name, c.number) })).filter(({ hit }) => hit);
  for (const { contact, hit } of matching) if (contact.favourite) push({ ...plain('favourite', contact.name, contact.number), ...hit });
  for (const { contact, hit } of matching) if (recentIs(contact)) push({ ...plain('recent', contact.name, contact.number), ...hit });
  for (const party of recent) {
    const hit = match(query, party.name, party.number);
    if (hit) push({ ...plain('recent', party.name, party.number), target: party.target, ...hit });
  }
  for (const { contact, hit } of matching) push({ ...plain('directory', contact.name, contact.number), ...hit });
  if (address && !address.isNumber && !exact) push(dial);
  return found.slice(0, LIMIT);
}

/** Whom to offer before anything is typed: parties on the line, favourites, recent parties. */
export function starters(contacts: readonly Contact[], recent: readonly RecentParty[], lines: readonly LineParty[]): Suggestion[] {
  const found = lines.map(onTheLine);
  const push = (suggestion: Suggestion): void => {
    if (!found.some((s) => sameNumber(s.number, suggestion.number))) found.push(suggestion);
  };
  for (const c of contacts) if (c.favourite) push(plain('favourite', c.name, c.number));
  for (const r of recent) push(plain('recent', contacts.find((c) => sameNumber(c.number, r.number))?.name ?? r.name, r.number));
  return found.slice(0, LIMIT);
}

function onTheLine(line: LineParty): Suggestion {
  return { ...plain('line', line.name, line.number), call: line.call };
}

function plain(kind: SuggestionKind, name: string, number: string): Suggestion {
  return { kind, name, number, target: number, nameMark: null, numberMark: null };
}

function isExtension(contact: Contact, query: string): boolean {
  return contact.number === normalizeNumber(query) || contact.id.toLowerCase() === query.toLowerCase();
}

function match(query: string, name: string, number: string): { nameMark: Mark; numberMark: Mark } | null {
  const digits = /^[\d\s+*#()/.-]+$/.test(query) ? normalizeNumber(query) : '';
  if (digits) {
    const at = number.indexOf(digits);
    if (at >= 0) return { nameMark: null, numberMark: [at, at + digits.length] };
    const letters = t9Match(digits, name);
    return letters && { nameMark: letters, numberMark: null };
  }
  const nameMark = nameMatch(query, name);
  return nameMark && { nameMark, numberMark: null };
}

/** Every word of the query begins a word of the name; the mark shows the first. */
function nameMatch(query: string, name: string): Mark {
  const words = wordsOf(name);
  let first: Mark = null;
  for (const part of fold(query).split(/\s+/).filter(Boolean)) {
    const word = words.find((w) => w.folded.startsWith(part));
    if (!word) return null;
    first ??= [word.at, word.at + part.length];
  }
  return first;
}

function t9Match(digits: string, name: string): Mark {
  if (digits.length < 2) return null;
  const word = wordsOf(name).find((w) => t9(w.folded).startsWith(digits));
  return word ? [word.at, word.at + digits.length] : null;
}

function wordsOf(name: string): Array<{ at: number; folded: string }> {
  return [...name.matchAll(/[^\s,.()/-]+/gu)].map((m) => ({ at: m.index, folded: fold(m[0]) }));
}

/** Lower case without accents, one character for one, so that positions stay. */
function fold(text: string): string {
  return Array.from(text, (c) => (c.length > 1 ? c : c.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().charAt(0) || c)).join('');
}

const KEYS = ['abc', 'def', 'ghi', 'jkl', 'mno', 'pqrs', 'tuv', 'wxyz'];

function t9(folded: string): string {
  return Array.from(folded)
    .map((c) => {
      const key = KEYS.findIndex((letters) => letters.includes(c));
      return key < 0 ? c : String(key + 2);
    })
    .join('');
}
