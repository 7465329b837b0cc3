import type { MicrophoneProblem, PhoneErrorCode } from './api.js';

/** Every promise of this package that rejects, rejects with one of these. */
export class PhoneError extends Error {
  override readonly name = 'PhoneError';
  /** What went wrong, for programs. */
  readonly code: PhoneErrorCode;
  /** The platform's SIP status, where it gave one. */
  readonly sipStatus: number | undefined;
  /** What is wrong with the microphone or the audio engine, where `code` is `media`. */
  readonly microphone: MicrophoneProblem | undefined;

  constructor(
    code: PhoneErrorCode,
    message: string,
    details: { readonly sipStatus?: number | undefined; readonly microphone?: MicrophoneProblem | undefined } = {},
  ) {
    super(message);
    this.code = code;
    this.sipStatus = details.sipStatus;
    this.microphone = details.microphone;
  }
}

/** A `PhoneError` as it crosses a message port, which would strip its class. */
export interface WireError {
  readonly code: PhoneErrorCode;
  readonly message: string;
  readonly sipStatus?: number | undefined;
  readonly microphone?: MicrophoneProblem | undefined;
}

export function fromWire(error: WireError): PhoneError {
  return new PhoneError(error.code, error.message, error);
}

/** The codes with which the core refuses a command at once, and what they mean. */
const REFUSALS: Partial<Record<PhoneErrorCode, string>> = {
  'no-such-call': 'no such call',
  'duplicate-call': 'the call id is in use',
  'wrong-state': "not possible in the call's present state",
  'invalid-target': 'not a number or a SIP address',
  'invalid-tone': 'not a DTMF tone',
  'not-connected': 'not connected to the platform',
  'too-many-calls': 'too many calls',
  'not-offered': 'the far end or the platform does not offer this',
  refused: 'refused',
};

/** The error for a code thrown by the core, or `undefined` if `thrown` is something else. */
export function refusal(thrown: unknown): WireError | undefined {
  if (typeof thrown !== 'string') return undefined;
  const message = REFUSALS[thrown as PhoneErrorCode];
  return message === undefined ? undefined : { code: thrown as PhoneErrorCode, message };
}
