import type { Call, CallId, CallState, MicrophoneProblem, Phone, PhoneErrorCode, PhoneState } from '@clearline/phone';
import { Store, type Readable } from './store.js';
import { connectionView, type ConnectionView } from './connection.js';
import type { Notices } from './notices.js';
import { parseTarget } from './number.js';
import { microphoneText } from './microphone.js';
import type { MessageKey } from '../i18n/i18n.js';

/** An ended call that is still on screen. */
export interface EndedCall {
  readonly call: CallState;
  readonly until: number;
}

export interface PhoneView {
  readonly phone: PhoneState;
  readonly connection: ConnectionView;
  /** Calls still to be answered by this user, oldest first. */
  readonly incoming: readonly CallState[];
  /** All other live calls; the one in the foreground first. */
  readonly current: readonly CallState[];
  readonly ended: readonly EndedCall[];
}

/** How long an ended call stays with its "call back". */
export const ENDED_CARD_MS = 10_000;
const MAX_ENDED_CARDS = 2;

/** The phone as the app shows it: live calls in order, ended ones for a while, failures as notices. */
export class PhoneStore {
  readonly #state: Store<PhoneView>;
  readonly #release: Array<() => void> = [];
  readonly #endedTimers = new Map<CallId, ReturnType<typeof setTimeout>>();
  #ended: readonly EndedCall[] = [];
  #wasRegistered = false;

  constructor(
    readonly phone: Phone,
    private readonly notices: Notices,
    private readonly online: () => boolean = () => navigator.onLine,
  ) {
    this.#state = new Store(this.#view());
    this.#release.push(
      phone.subscribe(() => this.refresh()),
      phone.on('callEnded', (call) => this.#keepEnded(call)),
    );
  }

  get state(): Readable<PhoneView> {
    return this.#state;
  }

  /** The call that keys and headset buttons mean: in the foreground, not held if there is a choice. */
  get foreground(): CallState | undefined {
    return this.#state.value.current[0];
  }

  /** Looks again, for example because the network came or went. */
  refresh(): void {
    if (this.phone.state.registration.type === 'registered') this.#wasRegistered = true;
    this.#state.set(this.#view());
  }

  /** Calls what was typed. `false` when that is no address. */
  call(text: string, displayName?: string): boolean {
    const address = parseTarget(text);
    if (!address) return false;
    const call = this.phone.call(address.target, displayName ? { displayName } : {});
    this.#dropEnded((ended) => ended.remote.user === address.target);
    call.answered.then(
      () => (address.postDial ? this.#run(call.sendDtmf(address.postDial), 'problem.dtmf') : undefined),
      (error: unknown) => this.#callRefused(error),
    );
    return true;
  }

  answer(id: CallId, others?: 'hold' | 'end'): void {
    const call = this.phone.callById(id);
    if (call) this.#run(call.answer(others ? { others } : {}), 'problem.answer');
  }

  decline(id: CallId): void {
    this.#with(id, (call) => call.reject('declined'), 'problem.end');
  }

  end(id: CallId): void {
    this.#with(id, (call) => call.hangUp(), 'problem.end');
  }

  setMuted(id: CallId, muted: boolean): void {
    this.#with(id, (call) => (muted ? call.mute() : call.unmute()), 'problem.mute');
  }

  /** Resuming holds the call in the foreground first: two voices at once help nobody. */
  async setHeld(id: CallId, held: boolean): Promise<void> {
    const call = this.phone.callById(id);
    if (!call) return;
    if (held) {
      this.#run(call.hold(), 'problem.hold');
      return;
    }
    const talking = this.#state.value.current.find((c) => c.id !== id && c.state === 'active' && !c.localHold);
    const other = talking && this.phone.callById(talking.id);
    if (other && !(await this.#run(other.hold(), 'problem.hold'))) return;
    this.#run(call.resume(), 'problem.resume');
  }

  sendDtmf(id: CallId, tones: string): void {
    this.#with(id, (call) => call.sendDtmf(tones), 'problem.dtmf');
  }

  dismissEnded(id: CallId): void {
    this.#dropEnded((ended) => ended.id === id);
  }

  dispose(): void {
    for (const release of this.#release) release();
    for (const timer of this.#endedTimers.values()) clearTimeout(timer);
    this.#endedTimers.clear();
  }

  #view(): PhoneView {
    const phone = this.phone.state;
    const live = phone.calls.filter((call) => call.state !== 'ended');
    const incoming = live.filter((call) => call.state === 'incoming');
    const current = live.filter((call) => call.state !== 'incoming').sort(foregroundFirst);
    return {
      phone,
      connection: connectionView(phone, this.#wasRegistered, this.online()),
      incoming,
      current,
      ended: this.#ended,
    };
  }

  #keepEnded(call: CallState): void {
    const others = this.#ended.filter(({ call: other }) => other.id !== call.id && !samePeer(other, call));
    this.#ended = [{ call, until: Date.now() + ENDED_CARD_MS }, ...others].slice(0, MAX_ENDED_CARDS);
    this.#endedTimers.set(call.id, setTimeout(() => this.dismissEnded(call.id), ENDED_CARD_MS));
    this.refresh();
  }

  #dropEnded(match: (call: CallState) => boolean): void {
    const kept = this.#ended.filter(({ call }) => !match(call));
    if (kept.length === this.#ended.length) return;
    for (const { call } of this.#ended) {
      if (!match(call)) continue;
      clearTimeout(this.#endedTimers.get(call.id));
      this.#endedTimers.delete(call.id);
    }
    this.#ended = kept;
    this.refresh();
  }

  #with(id: CallId, command: (call: Call) => Promise<void>, problem: MessageKey): void {
    const call = this.phone.callById(id);
    if (call) this.#run(command(call), problem);
  }

  /** `true` when the command succeeded; a failure becomes a notice unless the call is over anyway. */
  async #run(command: Promise<void>, problem: MessageKey): Promise<boolean> {
    try {
      await command;
      return true;
    } catch (error) {
      const { code, detail } = describe(error);
      if (code !== 'call-ended' && code !== 'no-such-call' && code !== 'superseded') {
        this.notices.show({ id: problem, tone: 'error', text: problem, detail });
      }
      return false;
    }
  }

  /** Refusals the ended card cannot tell, because there never was a call. */
  #callRefused(error: unknown): void {
    const { code, detail, microphone } = describe(error);
    if (microphone) {
      this.notices.show({ id: 'call', tone: 'error', text: microphoneText(microphone).what, detail });
      return;
    }
    const text = REFUSALS[code];
    if (text) this.notices.show({ id: 'call', tone: 'error', text, detail });
  }
}

const REFUSALS: { readonly [code in PhoneErrorCode]?: MessageKey } = {
  'not-connected': 'problem.notConnected',
  disconnected: 'problem.notConnected',
  'invalid-target': 'problem.invalidTarget',
  'too-many-calls': 'problem.tooManyCalls',
  unsupported: 'problem.unsupported',
  'worker-failed': 'problem.worker',
  media: 'problem.media',
};

function describe(error: unknown): { code: PhoneErrorCode; detail: string; microphone: MicrophoneProblem | undefined } {
  const shape = error as { code?: PhoneErrorCode; sipStatus?: number; message?: string; microphone?: MicrophoneProblem };
  return {
    code: shape.code ?? 'refused',
    detail: [shape.code, shape.sipStatus].filter(Boolean).join(' '),
    microphone: shape.microphone,
  };
}

/** Talking before held, then the younger one. */
function foregroundFirst(a: CallState, b: CallState): number {
  return Number(a.localHold) - Number(b.localHold) || b.createdAt - a.createdAt;
}

function samePeer(a: CallState, b: CallState): boolean {
  return a.remote.uri === b.remote.uri;
}
