import type { CallState, DiversionReason } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Contacts } from './contacts.js';

/** Who sent an incoming call on to here, and why; `null` if it came straight. */
export function divertedText(call: CallState, contacts: Contacts): string | null {
  const last = call.divertedBy[0];
  if (!last) return null;
  const { name } = contacts.person(last.party);
  const forwarded = name ? t('diverted.by', { name }) : t('diverted.unnamed');
  const reason = REASONS[last.reason];
  return reason ? t('diverted.because', { forwarded, reason: t(reason) }) : forwarded;
}

/** Where an outgoing call was sent on to; `null` if it was not. */
export function redirectedText(call: CallState, contacts: Contacts): string | null {
  return call.redirectedTo ? t('redirected.to', { name: contacts.person(call.redirectedTo).name }) : null;
}

/** Those that tell a callee something. */
const REASONS: Partial<Record<DiversionReason, MessageKey>> = {
  'user-busy': 'diverted.busy',
  'no-answer': 'diverted.noAnswer',
  unavailable: 'diverted.unreachable',
  'out-of-service': 'diverted.unreachable',
  'do-not-disturb': 'diverted.doNotDisturb',
  away: 'diverted.away',
};
