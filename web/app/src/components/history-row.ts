import type { TemplateResult } from 'lit';
import { duration, t } from '../i18n/i18n.js';
import { endText } from '../model/call-text.js';
import type { HistoryEntry } from '../model/history.js';
import { icon } from './icons.js';

/** What happened, in a few words. */
export function directionText(entry: HistoryEntry): string {
  if (entry.cause === 'moved-to-conference') return t('end.movedToConference');
  if (entry.transferredTo) return t('end.transferredTo', { name: entry.transferredTo });
  switch (entry.outcome) {
    case 'missed':
      return t('history.missed');
    case 'declined':
      return t('history.declined');
    case 'elsewhere':
      return t(endText({ direction: 'incoming', answeredAt: null, end: { cause: entry.cause } }));
    case 'received':
      return t('history.received');
    case 'dialled':
      return entry.answeredAt === null ? t(endText({ direction: 'outgoing', answeredAt: null, end: { cause: entry.cause } })) : t('history.dialled');
  }
}

/** How long, or how it ended. */
export function outcomeText(entry: HistoryEntry): string {
  if (entry.answeredAt !== null) return duration(entry.endedAt - entry.answeredAt);
  if (entry.outcome === 'missed') return t('history.rang', { time: duration(entry.endedAt - entry.startedAt) });
  return '';
}

export function directionIcon(entry: HistoryEntry): TemplateResult {
  if (entry.outcome === 'missed') return icon('missed');
  return icon(entry.outcome === 'dialled' ? 'outgoing' : 'incoming');
}
