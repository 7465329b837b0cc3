import type english from './catalogue/en.json';
import { Store, type Readable } from '../model/store.js';

/** Every text of the app has a key here. */
export type MessageKey = keyof typeof english;
export type Params = Readonly<Record<string, string | number>>;
/** A text, or one per plural category of the language (CLDR), chosen by the parameter `count`. */
export type Message = string | PluralForms;
export type PluralForms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>;
export type Catalogue = Readonly<Record<string, Message>>;

const loaders = import.meta.glob<{ default: Catalogue }>('./catalogue/*.json');

/** Languages that have a catalogue: adding a file is all it takes. */
export const LANGUAGES: readonly string[] = Object.keys(loaders)
  .map((path) => /([^/]+)\.json$/.exec(path)?.[1] ?? '')
  .sort();

const FALLBACK = 'en';

const state = new Store<{ readonly language: string; readonly catalogue: Catalogue }>({ language: FALLBACK, catalogue: {} });

/** The language in use; components render again when it changes. */
export const locale: Readable<{ readonly language: string }> = state;

/** The first wanted language that has a catalogue: `de-AT` finds `de`. */
export function bestLanguage(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0] ?? '';
    if (LANGUAGES.includes(base)) return base;
  }
  return FALLBACK;
}

export async function useLanguage(language: string): Promise<void> {
  const load = loaders[`./catalogue/${language}.json`];
  if (!load) return;
  const { default: catalogue } = await load();
  state.set({ language, catalogue });
  document.documentElement.lang = language;
}

/** The text of a key in the language in use. */
export function t(key: MessageKey, params: Params = {}): string {
  const { language, catalogue } = state.value;
  const message: Message = catalogue[key] ?? key;
  const text = typeof message === 'string' ? message : plural(message, language, Number(params.count ?? 0));
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? formatter('n', () => new Intl.NumberFormat(language)).format(value) : value;
  });
}

function plural(message: PluralForms, language: string, count: number): string {
  const rule = formatter('p', () => new Intl.PluralRules(language)).select(count);
  return message[rule] ?? message.other ?? '';
}

const formatters = new Map<string, unknown>();

/** Formatters are dear to make and are made once per language. */
function formatter<F>(kind: string, make: () => F): F {
  const key = `${state.value.language} ${kind}`;
  const known = formatters.get(key) as F | undefined;
  if (known) return known;
  const made = make();
  formatters.set(key, made);
  return made;
}

/** `14:05` */
export function clockTime(at: number): string {
  return dates('time', { hour: '2-digit', minute: '2-digit' }).format(at);
}

export function dateAndTime(at: number): string {
  return dates('full', { dateStyle: 'full', timeStyle: 'short' }).format(at);
}

/** Today, yesterday, a weekday of the last six days, or a date. */
export function dayName(day: number, now: number): string {
  const today = new Date(now).setHours(0, 0, 0, 0);
  const days = Math.round((today - day) / 86_400_000);
  const { language } = state.value;
  if (days === 0 || days === 1) {
    return capital(formatter('r', () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' })).format(-days, 'day'));
  }
  if (days > 1 && days < 7) return capital(dates('weekday', { weekday: 'long' }).format(day));
  return dates('date', { dateStyle: 'long' }).format(day);
}

/** `04:27` or `1:04:27`, for a timer. */
export function timer(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** `12 min`, `38 sec`: how long something took, in words. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return amount(seconds, 'second');
  if (seconds < 3600) return amount(Math.round(seconds / 60), 'minute');
  const hours = amount(Math.floor(seconds / 3600), 'hour');
  const minutes = Math.round((seconds % 3600) / 60);
  return minutes > 0 ? `${hours} ${amount(minutes, 'minute')}` : hours;
}

export function amount(value: number, unit: 'second' | 'minute' | 'hour' | 'millisecond'): string {
  const { language } = state.value;
  return formatter(unit, () => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 })).format(value);
}

export function percent(share: number): string {
  const { language } = state.value;
  return formatter('%', () => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 })).format(share);
}

export function decimal(value: number): string {
  const { language } = state.value;
  return formatter('d', () => new Intl.NumberFormat(language, { maximumFractionDigits: 1, minimumFractionDigits: 1 })).format(value);
}

export function countryName(code: string): string {
  const { language } = state.value;
  return formatter('c', () => new Intl.DisplayNames([language], { type: 'region' })).of(code) ?? code;
}

/** A language's name in that language, for the one who cannot read the current one. */
export function languageName(code: string): string {
  return capital(new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code);
}

function dates(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const { language } = state.value;
  return formatter(kind, () => new Intl.DateTimeFormat(regional(language), options));
}

/** The browser's own regional form of the language: an Austrian or British reader keeps home habits. */
function regional(language: string): string {
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase(state.value.language) + text.slice(1);
}
