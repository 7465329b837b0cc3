import type { Call, CallId, CallState, Identity, MicrophoneProblem, Phone, PhoneErrorCode, PhoneState, RemoteCall, RemoteCallId } from '@clearline/phone';
import { Store, type Readable } from './store.js';
import { connectionView, type ConnectionView } from './connection.js';
import type { Notices } from './notices.js';
import { sameNumber, type DialTarget } from './number.js';
import { microphoneText } from './microphone.js';
import { t, type MessageKey, type Params } from '../i18n/i18n.js';
import { isOwnConference } from './call-text.js';

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
  /** All other live calls; the one in the foreground first, then those on hold, the latest first. */
  readonly current: readonly CallState[];
  /** Since when each call on hold waits, as far as this window has seen it. */
  readonly heldSince: ReadonlyMap<CallId, number>;
  /** Whom a conversation was with before the network connected it on to somebody else. */
  readonly formerly: ReadonlyMap<CallId, Identity>;
  readonly ended: readonly EndedCall[];
  /** Conversations on this user's other devices, but for those that are on their way here. */
  readonly elsewhere: readonly RemoteCall[];
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
  #heldSince: ReadonlyMap<CallId, number> = new Map();
  #formerly: ReadonlyMap<CallId, Identity> = new Map();
  /** Each call as it was last seen alive; until its end has been told. */
  readonly #known = new Map<CallId, CallState>();
  /** Calls whose far end has been sent to somebody else. */
  readonly #sentOn = new Set<CallId>();
  /** The calls that are taken over from other devices, or were to be. */
  readonly #pulls = new Map<CallId, RemoteCallId>();
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
    this.refresh();
  }

  get state(): Readable<PhoneView> {
    return this.#state;
  }

  /** The call that keys and headset buttons mean: in the foreground, not held if there is a choice. */
  get foreground(): CallState | undefined {
    return this.#state.value.current[0];
  }

  /** The call that one speaks in, or is about to. */
  get talking(): CallState | undefined {
    return this.#state.value.current.find((call) => !call.localHold && call.state !== 'ending');
  }

  /** Looks again, for example because the network came or went. */
  refresh(): void {
    if (this.phone.state.registration.type === 'registered') this.#wasRegistered = true;
    this.#observe(this.phone.state.calls.filter((call) => call.state !== 'ended'));
    this.#state.set(this.#view());
  }

  /** Calls an address. What is refused, or fails in an emergency, is told. */
  place(address: DialTarget, displayName?: string, emergency = false): Call {
    const call = this.phone.call(address.target, displayName ? { displayName } : {});
    this.#dropEnded((ended) => ended.remote.user === address.target);
    call.answered.then(
      () => (address.postDial ? this.attempt(call.sendDtmf(address.postDial), 'problem.dtmf') : undefined),
      (error: unknown) => {
        if (!emergency) this.#callRefused(error);
        else if (call.state.end?.cause !== 'cancelled') this.notices.show({ id: 'call', tone: 'error', text: 'emergency.failed', detail: describe(error).detail }, true);
      },
    );
    return call;
  }

  /** Takes a conversation over from another device. If that fails it stays there, and that is told. */
  pull(remote: RemoteCall): Call {
    for (const id of this.#pulls.keys()) if (!this.phone.callById(id)) this.#pulls.delete(id);
    const call = this.phone.pull(remote.id);
    this.#pulls.set(call.id, remote.id);
    this.refresh();
    call.answered.catch((error: unknown) => {
      if (call.state.end?.cause === 'cancelled') return;
      this.notices.show({ id: 'call', tone: 'error', text: 'problem.pull', detail: describe(error).detail });
    });
    return call;
  }

  /** A call that was to be taken over and never came: it is still on the other device, and a notice says so. */
  hasStayedElsewhere(call: CallState): boolean {
    return call.answeredAt === null && this.#pulls.has(call.id);
  }

  answer(id: CallId, others?: 'hold' | 'end'): void {
    const call = this.phone.callById(id);
    if (call) void this.attempt(call.answer(others ? { others } : {}), 'problem.answer');
  }

  decline(id: CallId): void {
    void this.#with(id, (call) => call.reject('declined'), 'problem.end');
  }

  end(id: CallId): void {
    void this.#with(id, (call) => call.hangUp(), 'problem.end');
  }

  setMuted(id: CallId, muted: boolean): void {
    void this.#with(id, (call) => (muted ? call.mute() : call.unmute()), 'problem.mute');
  }

  /** `true` when the far end is on hold; else the problem is told. */
  hold(id: CallId, problem: MessageKey = 'problem.hold', params?: Params): Promise<boolean> {
    return this.#with(id, (call) => call.hold(), problem, params);
  }

  /** `true` when the call is back; else the problem is told. */
  resume(id: CallId): Promise<boolean> {
    return this.#with(id, (call) => call.resume(), 'problem.resume');
  }

  /** `true` when the call is at the ear and all others are on hold; else everything is as before, and that is told. */
  bringForward(id: CallId, problem: MessageKey, params?: Params): Promise<boolean> {
    return this.#with(id, (call) => call.resume({ others: 'hold' }), problem, params);
  }

  sendDtmf(id: CallId, tones: string): void {
    void this.#with(id, (call) => call.sendDtmf(tones), 'problem.dtmf');
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
    const live = phone.calls.filter((call) => call.state !== 'ended').map(named);
    const incoming = live.filter((call) => call.state === 'incoming');
    const heldSince = this.#heldSince;
    const current = live.filter((call) => call.state !== 'incoming').sort(foregroundFirst(heldSince));
    return {
      phone,
      connection: connectionView(phone, this.#wasRegistered, this.online()),
      incoming,
      current,
      heldSince,
      formerly: this.#formerly,
      ended: this.#ended,
      elsewhere: this.#elsewhere(live),
    };
  }

  #elsewhere(live: readonly CallState[]): RemoteCall[] {
    const pulled = live.map((call) => this.#pulls.get(call.id));
    return this.phone.state.remoteCalls.filter((call) => call.state === 'active' && !pulled.includes(call.id));
  }

  /** Notes what the snapshots alone do not tell: how long a call waits, and whom it was with before. */
  #observe(live: readonly CallState[]): void {
    const now = Date.now();
    this.#heldSince = new Map(live.filter((call) => call.localHold).map((call) => [call.id, this.#heldSince.get(call.id) ?? now]));
    const formerly = live.map((call) => [call.id, connectedOn(this.#known.get(call.id), call) ?? this.#formerly.get(call.id)] as const);
    this.#formerly = new Map(formerly.filter((entry): entry is [CallId, Identity] => entry[1] !== undefined));
    for (const call of live) {
      this.#known.set(call.id, call);
      if (call.transfer?.type === 'referring' || call.transfer?.type === 'proceeding') this.#sentOn.add(call.id);
    }
  }

  #keepEnded(call: CallState): void {
    const isToldElsewhere = this.#isToldElsewhere(call);
    this.#known.delete(call.id);
    this.#sentOn.delete(call.id);
    if (isToldElsewhere) {
      this.refresh();
      return;
    }
    const others = this.#ended.filter(({ call: other }) => other.id !== call.id && !samePeer(other, call));
    this.#ended = [{ call, until: Date.now() + ENDED_CARD_MS }, ...others].slice(0, MAX_ENDED_CARDS);
    this.#endedTimers.set(call.id, setTimeout(() => this.dismissEnded(call.id), ENDED_CARD_MS));
    this.refresh();
  }

  /** What an ended call would say is said by another: the one that took its place, or the one it was to be about. */
  #isToldElsewhere(call: CallState): boolean {
    const cause = call.end?.cause;
    if (cause === 'alone-in-conference' || cause === 'removed-from-conference') return false;
    if (this.hasStayedElsewhere(call) || isOwnConference(call) || cause === 'moved-to-conference') return true;
    if (cause === 'transferred') return !this.#sentOn.has(call.id);
    return this.#known.get(call.id)?.state === 'preparing' && this.phone.state.calls.some((other) => other.transfer?.type === 'failed');
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

  async #with(id: CallId, command: (call: Call) => Promise<void>, problem: MessageKey, params?: Params): Promise<boolean> {
    const call = this.phone.callById(id);
    return call !== undefined && (await this.attempt(command(call), problem, params));
  }

  /** `true` when the command succeeded; a failure becomes a notice unless the call is over anyway. */
  async attempt(command: Promise<void>, problem: MessageKey, params: Params = {}): Promise<boolean> {
    try {
      await command;
      return true;
    } catch (error) {
      const { code, detail } = describe(error);
      if (code !== 'call-ended' && code !== 'no-such-call' && code !== 'superseded') {
        this.notices.show({ id: problem, tone: 'error', text: problem, params, detail });
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

/** Talking before held, the younger one first, the one put on hold last first. */
function foregroundFirst(heldSince: ReadonlyMap<CallId, number>): (a: CallState, b: CallState) => number {
  const since = (call: CallState): number => heldSince.get(call.id) ?? 0;
  return (a, b) => Number(a.localHold) - Number(b.localHold) || since(b) - since(a) || b.createdAt - a.createdAt;
}

/** A conference has no name unless the platform gives it one. */
function named(call: CallState): CallState {
  if (!call.focus || call.remote.displayName) return call;
  return { ...call, remote: { ...call.remote, displayName: t('conference.name') } };
}

/** Whom an answered call was with before, if it is with somebody else now (RFC 4916). */
function connectedOn(before: CallState | undefined, now: CallState): Identity | undefined {
  if (before === undefined || before.answeredAt === null) return undefined;
  return sameNumber(before.remote.user || before.remote.uri, now.remote.user || now.remote.uri) ? undefined : before.remote;
}

function samePeer(a: CallState, b: CallState): boolean {
  return a.remote.uri === b.remote.uri;
}
