import type { CallState, EndCause } from '@clearline/phone';
import type { Output, Player, Playing } from '../audio/player.js';
import type { Pattern } from '../audio/pattern.js';
import { callTone, homeCountry, planFor, type TonePlan } from '../audio/tone-plans.js';
import { CONNECT_TICK, END_TICK, keyTone, ringPattern } from '../audio/sounds.js';
import type { Preferences } from './settings.js';
import type { PhoneView } from './phone-store.js';
import type { Readable } from './store.js';

/** The one sound that repeats now. */
export type Loop = 'ring' | 'waiting' | 'ringback' | 'busy' | 'congestion';

const ENDED_TONE_MS = 3_000;

/** What must sound, given the calls: an incoming call above all, quietly when somebody is already talking. */
export function loopFor(view: PhoneView): Loop | null {
  const talking = view.current.some((call) => call.state === 'active' || call.state === 'answering');
  const incoming = view.incoming[0];
  if (incoming) return incoming.waiting || talking ? 'waiting' : 'ring';
  const ringing = view.current.find((call) => call.state === 'ringing');
  if (ringing && !ringing.earlyMedia && !talking && view.phone.ownsMedia) return 'ringback';
  return null;
}

/** The tone after a call of ours failed, as a desk phone would give it. */
export function endLoop(call: CallState): Loop | null {
  if (call.direction !== 'outgoing' || call.answeredAt !== null) return null;
  return END_TONES[call.end?.cause ?? 'local-hang-up'] ?? null;
}

const END_TONES: { readonly [cause in EndCause]?: Loop } = {
  busy: 'busy',
  declined: 'busy',
  rejected: 'busy',
  'not-found': 'congestion',
  unavailable: 'congestion',
  forbidden: 'congestion',
  'server-failed': 'congestion',
  'network-failed': 'congestion',
};

/** Turns call states into sound. One window per account rings: the one that holds the ringing right. */
export class Ringer {
  #loop: { name: Loop; key: string; playing: Playing } | null = null;
  #ended: { loop: Loop; timer: ReturnType<typeof setTimeout> } | null = null;
  #active: ReadonlySet<string> = new Set();
  readonly #release: Array<() => void>;

  constructor(
    private readonly view: Readable<PhoneView>,
    private readonly preferences: Readable<Preferences>,
    private readonly player: Player,
    /** Whether this window may ring; others of the account are silent then. */
    private readonly mayRing: Readable<boolean>,
  ) {
    const update = (): void => this.#update();
    this.#release = [view.subscribe(update), preferences.subscribe(update), mayRing.subscribe(update)];
    this.#update();
  }

  /** A call is over: a tick, or the tone that says why it never began. */
  callEnded(call: CallState): void {
    if (!this.view.value.phone.ownsMedia || !this.preferences.value.callSounds) return;
    const loop = endLoop(call);
    const others = this.view.value.current.some((c) => c.id !== call.id) || this.view.value.incoming.length > 0;
    if (loop && !others) this.#holdEndTone(loop);
    else if (call.answeredAt !== null) this.player.play(END_TICK, 'ear');
  }

  /** Feedback for a pressed key. */
  key(key: string): void {
    const pattern = this.preferences.value.keySounds ? keyTone(key) : null;
    if (pattern) this.player.play(pattern, 'ear');
  }

  /** Two rings for the settings page. */
  test(): void {
    const pattern = ringPattern(this.preferences.value.ringTone);
    if (!pattern) return;
    const playing = this.player.play(pattern, 'ring');
    setTimeout(() => playing.stop(), 4_500);
  }

  dispose(): void {
    for (const release of this.#release) release();
    this.#clearEndTone();
    this.#loop?.playing.stop();
    this.#loop = null;
  }

  #update(): void {
    const view = this.view.value;
    if (view.incoming.length > 0 || view.current.length > 0) this.#clearEndTone();
    this.#tickForNewlyActive(view);
    this.#sound(this.#allowed(loopFor(view) ?? this.#ended?.loop ?? null));
  }

  #allowed(loop: Loop | null): Loop | null {
    const preferences = this.preferences.value;
    switch (loop) {
      case null:
        return null;
      case 'ring':
        return this.mayRing.value ? loop : null;
      case 'waiting':
        return preferences.waitingBeep && this.mayRing.value ? loop : null;
      case 'ringback':
      case 'busy':
      case 'congestion':
        return preferences.callSounds ? loop : null;
    }
  }

  #sound(name: Loop | null): void {
    const { ringTone, toneCountry } = this.preferences.value;
    const key = `${name} ${ringTone} ${toneCountry}`;
    if (this.#loop?.key === key) return;
    this.#loop?.playing.stop();
    this.#loop = null;
    const pattern = name && this.#pattern(name);
    if (name && pattern) this.#loop = { name, key, playing: this.player.play(pattern, outputOf(name)) };
  }

  #pattern(name: Loop): Pattern | null {
    if (name === 'ring') return ringPattern(this.preferences.value.ringTone);
    const plan: TonePlan = planFor(this.preferences.value.toneCountry ?? homeCountry());
    return callTone(plan[name]);
  }

  #tickForNewlyActive(view: PhoneView): void {
    const active = new Set(view.current.filter((call) => call.answeredAt !== null).map((call) => call.id));
    const fresh = [...active].some((id) => !this.#active.has(id));
    this.#active = active;
    if (fresh && view.phone.ownsMedia && this.preferences.value.callSounds) this.player.play(CONNECT_TICK, 'ear');
  }

  #holdEndTone(loop: Loop): void {
    this.#clearEndTone();
    const timer = setTimeout(() => {
      this.#ended = null;
      this.#update();
    }, ENDED_TONE_MS);
    this.#ended = { loop, timer };
    this.#update();
  }

  #clearEndTone(): void {
    clearTimeout(this.#ended?.timer);
    this.#ended = null;
  }
}

function outputOf(loop: Loop): Output {
  return loop === 'ring' ? 'ring' : 'ear';
}
