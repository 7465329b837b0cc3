/**
 * Numbers that reach help. Too many rather than too few: it only means that nothing of ours may stand in the way of the
 * call. Sources: ITU-T E.161.1 and the national numbering plans.
 */
const EVERYWHERE = ['112', '911', '999'];

const BY_COUNTRY: Readonly<Record<string, readonly string[]>> = {
  AT: ['122', '133', '144'],
  AU: ['000'],
  BE: ['100', '101'],
  BR: ['190', '192', '193'],
  CH: ['117', '118', '144'],
  CN: ['110', '119', '120'],
  DE: ['110'],
  ES: ['061', '062', '080', '085', '091', '092'],
  FR: ['15', '17', '18', '114'],
  IT: ['113', '115', '118'],
  JP: ['110', '118', '119'],
  KR: ['119'],
  NZ: ['111'],
};

/** Whether a number that can be dialled reaches the emergency services, with or without a digit for the outside line. */
export function isEmergencyNumber(number: string, country: string | null): boolean {
  const numbers = [...EVERYWHERE, ...((country && BY_COUNTRY[country]) || [])];
  return numbers.includes(number) || (number.startsWith('0') && numbers.includes(number.slice(1)));
}
