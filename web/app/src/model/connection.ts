import type { PhoneState } from '@clearline/phone';

/**
 * What the connection means to a person.
 *
 * ```text
 * connecting -> registered -> reconnecting -> registered
 *      \                          \-> offline (several tries failed, or no network at all)
 *       \-> offline
 * ```
 */
export type ConnectionView =
  | { readonly state: 'connecting' }
  | { readonly state: 'registered' }
  | { readonly state: 'reconnecting'; readonly retryAt: number | null }
  | { readonly state: 'offline'; readonly cause: OfflineCause; readonly retryAt: number | null; readonly detail: string };

export type OfflineCause = 'no-network' | 'no-server' | 'refused' | 'rejected' | 'stopped';

// After this many failed tries it is no longer a hiccup.
const PATIENCE = 3;

export function connectionView(phone: PhoneState, wasRegistered: boolean, online: boolean): ConnectionView {
  const { connection, registration } = phone;
  switch (connection.type) {
    case 'stopped':
      return { state: 'offline', cause: 'stopped', retryAt: null, detail: '' };
    case 'waiting':
      if (!online) return { state: 'offline', cause: 'no-network', retryAt: connection.retryAt, detail: connection.reason };
      if (connection.attempt >= PATIENCE) {
        return { state: 'offline', cause: 'no-server', retryAt: connection.retryAt, detail: connection.reason };
      }
      return { state: 'reconnecting', retryAt: connection.retryAt };
    case 'connecting':
      if (!online) return { state: 'offline', cause: 'no-network', retryAt: null, detail: '' };
      if (connection.attempt >= PATIENCE) return { state: 'offline', cause: 'no-server', retryAt: null, detail: '' };
      return progress(wasRegistered || connection.attempt > 1);
    case 'connected':
      break;
  }
  switch (registration.type) {
    case 'registered':
      return { state: 'registered' };
    case 'failed':
      return {
        state: 'offline',
        cause: registration.credentialsRejected ? 'rejected' : 'refused',
        retryAt: registration.retryAt,
        detail: [registration.sipStatus, registration.reason].filter(Boolean).join(' '),
      };
    case 'registering':
    case 'unregistered':
      return progress(wasRegistered);
  }
}

function progress(again: boolean): ConnectionView {
  return again ? { state: 'reconnecting', retryAt: null } : { state: 'connecting' };
}
