import type { OwnDevice } from '@clearline/phone';
import { t } from '../i18n/i18n.js';

/** A device of this user that a call can be sent to, by a name that no other one of the list has. */
export interface NamedDevice {
  readonly address: string;
  readonly name: string;
}

/** What people read of their devices: those without a name, or with the same, are numbered. */
export function namedDevices(devices: readonly OwnDevice[]): NamedDevice[] {
  const names = devices.map(({ name }) => name ?? t('push.unnamed'));
  return devices.map(({ address }, index) => {
    const name = names[index] ?? '';
    const count = names.slice(0, index + 1).filter((other) => other === name).length;
    const isOnly = names.indexOf(name) === names.lastIndexOf(name);
    return { address, name: isOnly ? name : t('push.numbered', { name, count }) };
  });
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bFirefox\/|\bFxiOS\//, 'Firefox'],
  [/Chrom(e|ium)\/|\bCriOS\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMacintosh\b/, 'Mac'],
  [/\bLinux\b/, 'Linux'],
];

/** What this device calls itself to the user's others: proper names, so that it is right in every language. */
export function deviceName(userAgent: string): string {
  const first = (kinds: typeof BROWSERS): string | undefined => kinds.find(([mark]) => mark.test(userAgent))?.[1];
  return [first(BROWSERS), first(SYSTEMS)].filter((part) => part !== undefined).join(', ');
}
