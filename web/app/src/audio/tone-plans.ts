import type { Pattern, Segment } from './pattern.js';

/** What the ear knows as "free", "busy" and "no line" in one country (values of the ITU-T E.180 supplement). */
export interface TonePlan {
  readonly ringback: readonly Segment[];
  readonly busy: readonly Segment[];
  readonly congestion: readonly Segment[];
  readonly waiting: readonly Segment[];
}

/** Seconds of sound and silence in turn, all with the same frequencies. */
function cadence(hz: readonly number[], ...seconds: number[]): Segment[] {
  return seconds.map((s, index) => ({ hz: index % 2 === 0 ? hz : [], ms: s * 1000 }));
}

function plan(hz: readonly number[], ringback: number[], busy: number[], congestion: number[], waiting: number[]): TonePlan {
  return {
    ringback: cadence(hz, ...ringback),
    busy: cadence(hz, ...busy),
    congestion: cadence(hz, ...congestion),
    waiting: cadence(hz, ...waiting),
  };
}

const PLANS: Readonly<Record<string, TonePlan>> = {
  AT: plan([420], [1, 5], [0.4, 0.4], [0.2, 0.2], [0.04, 1.95]),
  BE: plan([425], [1, 3], [0.5, 0.5], [0.167, 0.167], [0.175, 0.175, 0.175, 3.5]),
  CH: plan([425], [1, 4], [0.5, 0.5], [0.2, 0.2], [0.2, 0.2, 0.2, 4]),
  DE: plan([425], [1, 4], [0.48, 0.48], [0.24, 0.24], [0.2, 0.2, 0.2, 5]),
  ES: plan([425], [1.5, 3], [0.2, 0.2], [0.2, 0.2, 0.2, 0.2, 0.2, 0.6], [0.175, 0.175, 0.175, 3.5]),
  FR: plan([440], [1.5, 3.5], [0.5, 0.5], [0.25, 0.25], [0.3, 10]),
  GB: {
    ringback: cadence([400, 450], 0.4, 0.2, 0.4, 2),
    busy: cadence([400], 0.375, 0.375),
    congestion: cadence([400], 0.4, 0.35, 0.225, 0.525),
    waiting: cadence([400], 0.1, 4),
  },
  IT: plan([425], [1, 4], [0.5, 0.5], [0.2, 0.2], [0.4, 0.1, 0.25, 0.1, 0.15, 14]),
  NL: plan([425], [1, 4], [0.5, 0.5], [0.25, 0.25], [0.5, 9.5]),
  US: {
    ringback: cadence([440, 480], 2, 4),
    busy: cadence([480, 620], 0.5, 0.5),
    congestion: cadence([480, 620], 0.25, 0.25),
    waiting: cadence([440], 0.3, 9.7),
  },
};

/** The E.180 recommendation itself, for countries without a plan here. */
const GENERIC = plan([425], [1, 4], [0.5, 0.5], [0.25, 0.25], [0.2, 0.6, 0.2, 5]);

export const TONE_COUNTRIES: readonly string[] = Object.keys(PLANS);

/** Language tags without a region get their largest country; `en` alone says nothing about where one is. */
const BY_LANGUAGE: Readonly<Record<string, string>> = { de: 'DE', fr: 'FR', es: 'ES', ca: 'ES', it: 'IT', nl: 'NL' };
const BY_ZONE: ReadonlyArray<readonly [string, string]> = [
  ['Europe/Berlin', 'DE'],
  ['Europe/Busingen', 'DE'],
  ['Europe/Vienna', 'AT'],
  ['Europe/Zurich', 'CH'],
  ['Europe/London', 'GB'],
  ['Europe/Paris', 'FR'],
  ['Europe/Madrid', 'ES'],
  ['Europe/Rome', 'IT'],
  ['Europe/Amsterdam', 'NL'],
  ['Europe/Brussels', 'BE'],
  ['America/New_York', 'US'],
  ['America/Chicago', 'US'],
  ['America/Denver', 'US'],
  ['America/Los_Angeles', 'US'],
];

/** Where the machine most likely stands: its time zone first, the browser's region and language after. */
export function guessCountry(language: string, timeZone: string): string | null {
  const byZone = BY_ZONE.find(([zone]) => zone === timeZone)?.[1];
  if (byZone) return byZone;
  const [base = '', ...rest] = language.split('-');
  const region = rest.find((part) => /^[A-Z]{2}$/i.test(part))?.toUpperCase();
  if (region && region in PLANS) return region;
  return BY_LANGUAGE[base.toLowerCase()] ?? null;
}

/** The country this machine most likely stands in. */
export function homeCountry(): string | null {
  return guessCountry(navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone);
}

export function planFor(country: string | null): TonePlan {
  return (country && PLANS[country]) || GENERIC;
}

const TONE_LEVEL = 0.18;

export function callTone(segments: readonly Segment[]): Pattern {
  return { segments, loop: true, level: TONE_LEVEL, shape: 'tone' };
}
