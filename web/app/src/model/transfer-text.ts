import type { CallState, PhoneErrorCode, TransferState } from '@clearline/phone';
import type { MessageKey } from '../i18n/i18n.js';

/** Why a transfer did not come about, in words that help to choose what to do. */
export function transferFailure(failed: Extract<TransferState, { type: 'failed' }>): MessageKey {
  if (failed.sipStatus !== null && failed.code === 'target-failed') return targetFailure(failed.sipStatus);
  return CODES[failed.code] ?? 'transfer.failedOtherwise';
}

const CODES: { readonly [code in PhoneErrorCode]?: MessageKey } = {
  refused: 'transfer.refused',
  'not-offered': 'transfer.notOffered',
  'outcome-unknown': 'transfer.unknown',
  'timed-out': 'transfer.unknown',
  disconnected: 'transfer.disconnected',
  'not-connected': 'transfer.disconnected',
};

/** What the far end heard from whom it was sent to. */
function targetFailure(status: number): MessageKey {
  switch (status) {
    case 486:
    case 600:
      return 'end.busy';
    case 404:
    case 484:
    case 604:
      return 'end.notFound';
    case 408:
    case 487:
      return 'end.noAnswer';
    case 410:
    case 480:
    case 430:
      return 'end.unavailable';
    case 603:
      return 'end.declined';
    case 403:
      return 'transfer.forbidden';
    default:
      return 'transfer.failedOtherwise';
  }
}

/** Whether the party is on hold still, and not about to be retrieved. */
export function isWaiting(call: CallState): boolean {
  return call.localHold && !call.negotiating;
}

/** The two calls of a consultation: who waits, and who is asked. */
export interface Consultation {
  readonly first: CallState;
  readonly second: CallState | undefined;
}

export function consultationOf(calls: readonly CallState[]): Consultation | undefined {
  for (const first of calls) {
    const { transfer } = first;
    if (transfer?.type === 'consulting') return { first, second: calls.find((call) => call.id === transfer.with) };
  }
  return undefined;
}
