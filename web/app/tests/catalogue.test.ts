import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { LANGUAGES, bestLanguage, dayName, duration, t, timer, useLanguage, type Catalogue, type Message } from '../src/i18n/i18n.js';

const root = join(import.meta.dirname, '..', 'src');
const folder = join(root, 'i18n', 'catalogue');
const read = (language: string): Catalogue => JSON.parse(readFileSync(join(folder, `${language}.json`), 'utf8')) as Catalogue;
const english = read('en');

const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('testing'))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

const forms = (message: Message | undefined): string[] => (typeof message === 'string' ? [message] : Object.values(message ?? {}));
const placeholders = (message: Message | undefined): string => [...new Set(forms(message).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort().join();

describe.each(LANGUAGES.filter((language) => language !== 'en'))('catalogue %s', (language) => {
  const catalogue = read(language);

  test('has every text of the English one and no other', () => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(english).sort());
  });

  test('fills in the same values', () => {
    for (const key of Object.keys(english)) expect(`${key} ${placeholders(catalogue[key])}`).toBe(`${key} ${placeholders(english[key])}`);
  });

  test('has the plural forms of its language', () => {
    const wanted = new Intl.PluralRules(language).resolvedOptions().pluralCategories.sort();
    for (const [key, message] of Object.entries(catalogue)) {
      if (typeof message !== 'string') expect(`${key} ${Object.keys(message).sort().join()}`).toBe(`${key} ${wanted.join()}`);
    }
  });

  test('is translated', () => {
    const same = Object.keys(english).filter((key) => JSON.stringify(english[key]) === JSON.stringify(catalogue[key]) && /[a-z]{4}/i.test(forms(english[key]).join().replace(/\{\w+\}/g, '')));
    expect(same.length).toBeLessThan(20);
  });
});

test('every text is used somewhere', () => {
  const all = sources.map((source) => source.text).join('\n');
  // Keys put together from a state, as in `quality.${grade}`.
  const families = [...all.matchAll(/t\(`([\w.]+)\.\$\{/g)].map((match) => `${match[1]}.`);
  const unused = Object.keys(english).filter((key) => !all.includes(`'${key}'`) && !families.some((family) => key.startsWith(family)));
  expect(unused).toEqual([]);
});

test('no template shows text that is not from the catalogue', () => {
  const components = sources.filter((source) => source.file.startsWith('components'));
  expect(components.flatMap(({ file, text }) => literals(text).map((literal) => `${file}: ${literal}`))).toEqual([]);
});

test('the check for such text finds it between tags and in names', () => {
  expect(literals("html`<b class=\"x\">${t('a.b')}</b>`")).toEqual([]);
  expect(literals('html`<b>Hello ${name}</b>`')).toEqual(['Hello']);
  expect(literals('html`<button aria-label="Close"></button>`')).toEqual(['Close']);
});

/** Words in templates that a person would see or hear, outside of expressions. */
function literals(text: string): string[] {
  const markup = text.replace(/\$\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}/g, '').replace(/css`[^`]*`/g, '');
  return [...markup.matchAll(/html`([^`]*)`/g)].flatMap(([, inner = '']) => {
    const visible = inner.replace(/<[^>]*>/g, ' ').trim();
    const names = [...inner.matchAll(/(?:aria-label|title|placeholder)="([^"]*\p{L}[^"]*)"/gu)].map((match) => match[1] ?? '');
    return /\p{L}{2,}/u.test(visible) ? [visible, ...names] : names;
  });
}

describe('formats', () => {
  beforeAll(() => useLanguage('de'));

  test('a message takes its plural form and its values', () => {
    expect(t('nav.callsMissed', { count: 1 })).toBe('Anrufe, 1 verpasster Anruf');
    expect(t('nav.callsMissed', { count: 1234 })).toBe('Anrufe, 1.234 verpasste Anrufe');
    expect(t('announce.incoming', { name: '{count} <b>' })).toBe('Eingehender Anruf von {count} <b>');
  });

  test('times', () => {
    expect(timer(267_000)).toBe('04:27');
    expect(timer(3_723_000)).toBe('1:02:03');
    expect(timer(-5)).toBe('00:00');
    expect(duration(38_000)).toBe('38 Sek.');
    expect(duration(3_900_000)).toBe('1 Std. 5 Min.');
  });

  test('days', () => {
    const now = new Date(2026, 2, 30, 9).getTime();
    const day = (back: number) => new Date(2026, 2, 30 - back).getTime();
    // The night of 29 March has 23 hours in much of Europe.
    expect([0, 1, 3].map((back) => dayName(day(back), now))).toEqual(['Heute', 'Gestern', 'Freitag']);
    expect(dayName(day(20), now)).toBe('10. März 2026');
  });

  test('the best language of a reader', () => {
    expect(bestLanguage(['de-AT', 'en'])).toBe('de');
    expect(bestLanguage(['xx', 'yy'])).toBe('en');
  });
});
