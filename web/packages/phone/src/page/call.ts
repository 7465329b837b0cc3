import type { Call, CallId, CallOptions, CallState } from '../api.js';
import { PhoneError } from '../error.js';
import type { Command } from '../protocol.js';

/** Sends one command of a call to the host. */
export type SendCommand = (call: CallId, command: Command) => Promise<void>;

/** Places a second call to consult about the first one. */
export type Consult = (of: CallId, target: string, options: Pick<CallOptions, 'displayName'>) => Call;

/** A call as its window sees it. */
export class PhoneCall implements Call {
  readonly answered: Promise<void>;
  readonly ended: Promise<CallState>;

  #state: CallState;
  readonly #listeners = new Set<(state: CallState) => void>();
  #resolveAnswered: () => void = () => undefined;
  #rejectAnswered: (error: PhoneError) => void = () => undefined;
  #resolveEnded: (state: CallState) => void = () => undefined;

  constructor(
    state: CallState,
    private readonly command: SendCommand,
    private readonly consultAbout: Consult,
    private readonly guard: (listener: () => void) => void,
  ) {
    this.#state = state;
    this.answered = new Promise((resolve, reject) => {
      this.#resolveAnswered = resolve;
      this.#rejectAnswered = reject;
    });
    // A caller that only looks at `state` must not be punished with an unhandled rejection.
    this.answered.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#settle();
  }

  get id(): CallId {
    return this.#state.id;
  }

  get state(): CallState {
    return this.#state;
  }

  subscribe(listener: (state: CallState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  answer(options: { readonly others?: 'hold' | 'end' } = {}): Promise<void> {
    return this.#send({ verb: 'answer', others: options.others });
  }

  reject(reason: 'declined' | 'busy' = 'declined'): Promise<void> {
    return this.#send({ verb: 'reject', busy: reason === 'busy' });
  }

  hangUp(): Promise<void> {
    return this.#send({ verb: 'hang-up' });
  }

  hold(): Promise<void> {
    return this.#send({ verb: 'hold' });
  }

  resume(options: { readonly others?: 'hold' } = {}): Promise<void> {
    return this.#send({ verb: 'resume', others: options.others });
  }

  transfer(target: string): Promise<void> {
    return this.#send({ verb: 'transfer', target });
  }

  push(): Promise<void> {
    return this.#send({ verb: 'push' });
  }

  transferTo(other: CallId): Promise<void> {
    return this.#send({ verb: 'transfer-to', other });
  }

  consult(target: string, options: Pick<CallOptions, 'displayName'> = {}): Call {
    return this.consultAbout(this.id, target, options);
  }

  cancelTransfer(): Promise<void> {
    return this.#send({ verb: 'cancel-transfer' });
  }

  acceptTransfer(): Promise<void> {
    return this.#send({ verb: 'decide-transfer', agree: true });
  }

  declineTransfer(): Promise<void> {
    return this.#send({ verb: 'decide-transfer', agree: false });
  }

  mute(): Promise<void> {
    return this.#send({ verb: 'mute', muted: true });
  }

  unmute(): Promise<void> {
    return this.#send({ verb: 'mute', muted: false });
  }

  sendDtmf(tones: string): Promise<void> {
    return this.#send({ verb: 'dtmf', tones });
  }

  split(): Promise<void> {
    return this.#send({ verb: 'split' });
  }

  addParticipant(target: string): Promise<void> {
    return this.#send({ verb: 'add-participant', target });
  }

  removeParticipant(uri: string): Promise<void> {
    return this.#send({ verb: 'remove-participant', uri });
  }

  /** Takes a new snapshot; `error` says more about an end than the snapshot can. Listeners hear of it in `announce`. */
  update(state: CallState, error?: PhoneError): void {
    this.#state = state;
    this.#settle(error);
  }

  announce(): void {
    for (const listener of [...this.#listeners]) this.guard(() => listener(this.#state));
  }

  #send(command: Command): Promise<void> {
    if (this.#state.state === 'ended') return Promise.reject(new PhoneError('call-ended', 'the call has ended'));
    return this.command(this.id, command);
  }

  #settle(error?: PhoneError): void {
    if (this.#state.answeredAt !== null) this.#resolveAnswered();
    if (this.#state.state !== 'ended') return;
    this.#rejectAnswered(error ?? endedUnanswered(this.#state));
    this.#resolveEnded(this.#state);
  }
}

function endedUnanswered(state: CallState): PhoneError {
  const sipStatus = state.end?.sipStatus ?? undefined;
  return new PhoneError('call-ended', `the call ended: ${state.end?.cause ?? 'unknown'}`, { sipStatus });
}
