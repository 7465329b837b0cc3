/** From the core's JSON to the public state types: identifiers as text, times as milliseconds since the Unix epoch. */

import type { CallId, CallState, ConnectionState, MicrophoneProblem, RegistrationState, RemoteCall, TransferState } from '../api.js';
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

/** Other calls that this one is about: the one in which somebody is asked about it, and the one whose place it takes. */
export interface Related {
  readonly consulted: CallId | undefined;
  readonly succeeds: CallId | undefined;
}

export function callState(id: CallId, json: string, related: Related, epoch: ToEpoch): CallState {
  const info = JSON.parse(json) as Omit<CallState, 'transfer'> & { readonly transfer: CoreTransfer | null };
  return {
    ...info,
    id,
    transfer: info.transfer && transferState(info.transfer, related.consulted),
    succeeds: related.succeeds ?? null,
    createdAt: epoch(info.createdAt),
    answeredAt: info.answeredAt === null ? null : epoch(info.answeredAt),
    end: info.end === null ? null : { ...info.end, at: epoch(info.end.at) },
  };
}

export function remoteCalls(json: string, epoch: ToEpoch): RemoteCall[] {
  const calls = JSON.parse(json) as (Omit<RemoteCall, 'id'> & { readonly id: number })[];
  // Counted from one: these have lost no digits.
  return calls.map((call) => ({ ...call, id: call.id.toString(16), since: epoch(call.since) }));
}

/** `TransferState` of the core; its identifiers have lost digits. */
type CoreTransfer = Exclude<TransferState, { type: 'failed' }> | { readonly type: 'failed'; readonly error: OperationError };

function transferState(state: CoreTransfer, consulted: CallId | undefined): TransferState {
  switch (state.type) {
    case 'consulting':
      return { type: 'consulting', with: consulted ?? '' };
    case 'failed': {
      const { code, sipStatus, message } = wireError(state.error);
      return { type: 'failed', code, sipStatus: sipStatus ?? null, message };
    }
    case 'referring':
    case 'proceeding':
      return state;
  }
}

/** `OperationError` of the core. */
type OperationError =
  | { readonly type: 'refused'; readonly status: number; readonly reason: string }
  | { readonly type: 'target-failed'; readonly status: number; readonly reason: string }
  | { readonly type: 'media'; readonly kind: MicrophoneProblem; readonly detail: string }
  | { readonly type: keyof typeof MEANINGS };

const MEANINGS = {
  'timed-out': 'no answer in time',
  disconnected: 'the connection was lost',
  'call-ended': 'the call has ended',
  superseded: 'overtaken by another command',
  'not-offered': 'the far end or the platform does not offer this',
  'outcome-unknown': 'nobody has said what became of it',
} as const;

export function operationError(json: string): WireError {
  return wireError(JSON.parse(json) as OperationError);
}

function wireError(error: OperationError): WireError {
  switch (error.type) {
    case 'refused':
      return { code: 'refused', message: `refused: ${error.status} ${error.reason}`, sipStatus: error.status };
    case 'target-failed':
      return { code: 'target-failed', message: `not reached: ${error.status} ${error.reason}`, sipStatus: error.status };
    case 'media':
      return { code: 'media', message: `audio failed: ${error.detail}`, microphone: error.kind };
    case 'timed-out':
    case 'disconnected':
    case 'call-ended':
    case 'superseded':
    case 'not-offered':
    case 'outcome-unknown':
      return { code: error.type, message: MEANINGS[error.type] };
  }
}
