/** From the core's JSON to the public state types: identifiers as text, times as milliseconds since the Unix epoch. */

import type { CallId, CallState, ConnectionState, MicrophoneProblem, RegistrationState } from '../api.js';
import type { WireError } from '../error.js';

/** Microseconds of the core's clock to milliseconds since the Unix epoch. */
export type ToEpoch = (micros: number) => number;

export function connectionState(json: string, epoch: ToEpoch): ConnectionState {
  const state = JSON.parse(json) as ConnectionState;
  return state.type === 'waiting' ? { ...state, retryAt: epoch(state.retryAt) } : state;
}

export function registrationState(json: string, epoch: ToEpoch): RegistrationState {
  const state = JSON.parse(json) as RegistrationState;
  if (state.type === 'registered') return { ...state, expiresAt: epoch(state.expiresAt) };
  if (state.type === 'failed') return { ...state, retryAt: state.retryAt === null ? null : epoch(state.retryAt) };
  return state;
}

export function callState(id: CallId, json: string, epoch: ToEpoch): CallState {
  const info = JSON.parse(json) as CallState;
  return {
    ...info,
    id,
    createdAt: epoch(info.createdAt),
    answeredAt: info.answeredAt === null ? null : epoch(info.answeredAt),
    end: info.end === null ? null : { ...info.end, at: epoch(info.end.at) },
  };
}

/** `OperationError` of the core. */
type OperationError =
  | { readonly type: 'refused'; readonly status: number; readonly reason: string }
  | { readonly type: 'media'; readonly kind: MicrophoneProblem; readonly detail: string }
  | { readonly type: 'timed-out' | 'disconnected' | 'call-ended' | 'superseded' };

const MEANINGS = {
  'timed-out': 'no answer in time',
  disconnected: 'the connection was lost',
  'call-ended': 'the call has ended',
  superseded: 'overtaken by another command',
} as const;

export function operationError(json: string): WireError {
  const error = JSON.parse(json) as OperationError;
  switch (error.type) {
    case 'refused':
      return { code: 'refused', message: `refused: ${error.status} ${error.reason}`, sipStatus: error.status };
    case 'media':
      return { code: 'media', message: `audio failed: ${error.detail}`, microphone: error.kind };
    case 'timed-out':
    case 'disconnected':
    case 'call-ended':
    case 'superseded':
      return { code: error.type, message: MEANINGS[error.type] };
  }
}
