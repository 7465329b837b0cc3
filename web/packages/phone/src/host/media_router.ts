/**
 * Brings the core's media requests to the window that carries the call, and the answers back. The media of a call is
 * carried by the window that placed or answered it; when that window goes, another one takes over.
 */

import type { CallId, MediaAction } from '../api.js';
import type { MediaResult } from '../protocol.js';
import type { Windows } from './windows.js';

interface Session {
  readonly call: CallId;
  /** The window that has the peer connection; `null` once that window is gone. */
  window: string | null;
  /** Nothing has been made yet, so another window can do all of it instead. */
  fresh: boolean;
  /** What it has been told to mix with. */
  conference: number | null;
  readonly pending: Map<string, MediaAction>;
}

const UNAVAILABLE: MediaResult = { error: { kind: 'unavailable', detail: 'no window carries this media' } };
const ELSEWHERE: MediaResult = { error: { kind: 'unavailable', detail: 'another window carries the rest of the conference' } };
const DONE: MediaResult = { ok: { type: 'done' } };

export class MediaRouter {
  readonly #sessions = new Map<string, Session>();
  readonly #carriers = new Map<CallId, string>();
  /** Sessions to be muted that do not exist yet. */
  readonly #mutedBefore = new Set<string>();
  /** Calls whose media was in a window that is gone, and has not been moved yet. */
  readonly #stranded = new Set<CallId>();

  constructor(
    private readonly windows: Windows,
    private readonly answer: (request: string, result: MediaResult) => void,
  ) {}

  /** The window that carries `call`, if one does. */
  carrier(call: CallId): string | null {
    return this.#carriers.get(call) ?? null;
  }

  /** A window that carries media now, the longest serving one. */
  get holder(): string | null {
    for (const session of this.#sessions.values()) if (session.window !== null) return session.window;
    return null;
  }

  carry(call: CallId, window: string | null): void {
    if (window === null) this.#carriers.delete(call);
    else this.#carriers.set(call, window);
  }

  /** A call that takes the place of another is carried where that one is. */
  follow(call: CallId, other: CallId | null): void {
    if (other !== null && !this.#carriers.has(call)) this.carry(call, this.carrier(other));
  }

  /** Whether `window` may speak for `session`. */
  owns(window: string, session: string): boolean {
    return this.#sessions.get(session)?.window === window;
  }

  /** A request of the core. */
  request(request: string, call: CallId, sessionId: string, action: MediaAction): void {
    const session = this.#sessions.get(sessionId) ?? this.#create(sessionId, call, action);
    if (session?.window == null) {
      this.#answerWithoutWindow(request, sessionId, action);
      return;
    }
    if (action.type === 'set-conference' && !this.#canMix(session, action.conference)) {
      this.answer(request, ELSEWHERE);
      return;
    }
    session.pending.set(request, action);
    this.#send(session.window, sessionId, session, request, action);
  }

  /** Whether the party of a call hears others. */
  isMixed(call: CallId): boolean {
    return [...this.#sessions.values()].some((session) => session.call === call && session.conference !== null);
  }

  /** A window mixes what it carries itself. */
  #canMix(session: Session, conference: number | null): boolean {
    session.conference = null;
    if (conference !== null) {
      const others = [...this.#sessions.values()].filter((other) => other.conference === conference);
      if (others.some((other) => other.window !== session.window)) return false;
    }
    session.conference = conference;
    return true;
  }

  /** A window's answer; an unknown or second one is ignored. */
  done(window: string, request: string, result: MediaResult): void {
    for (const [id, session] of this.#sessions) {
      const action = session.pending.get(request);
      if (action === undefined || session.window !== window) continue;
      session.pending.delete(request);
      if ('ok' in result) session.fresh = false;
      if (action.type === 'close') this.#forget(id);
      this.answer(request, result);
      return;
    }
  }

  /** A window is gone: what it had not begun goes to the lead, the rest fails, and its calls are stranded. */
  windowGone(window: string): void {
    const heir = this.windows.lead;
    for (const [call, carrier] of this.#carriers) if (carrier === window) this.carry(call, heir);
    for (const [id, session] of [...this.#sessions]) {
      if (session.window !== window) continue;
      session.window = session.fresh ? heir : null;
      if (session.window === null) this.#abandon(id, session);
      else this.#hand(session.window, id, session);
    }
  }

  /** Calls to be moved now that `window` is there. */
  adopt(window: string): void {
    for (const call of this.#stranded) if (!this.#carriers.has(call)) this.carry(call, window);
  }

  /** Takes the stranded calls that have a carrier again and that `movable` agrees to. */
  takeMovable(movable: (call: CallId) => boolean): CallId[] {
    const calls = [...this.#stranded].filter((call) => this.#carriers.has(call) && movable(call));
    for (const call of calls) this.#stranded.delete(call);
    return calls;
  }

  /** The move of `call` was refused just now. */
  strand(call: CallId): void {
    this.#stranded.add(call);
  }

  callEnded(call: CallId): void {
    this.#stranded.delete(call);
    this.#carriers.delete(call);
  }

  clear(): void {
    this.#sessions.clear();
    this.#mutedBefore.clear();
    this.#carriers.clear();
    this.#stranded.clear();
  }

  #create(id: string, call: CallId, action: MediaAction): Session | undefined {
    if (action.type !== 'create-offer' && action.type !== 'create-answer') return undefined;
    const window = this.carrier(call) ?? this.windows.lead;
    if (window === null) return undefined;
    this.carry(call, window);
    const session: Session = { call, window, fresh: true, conference: null, pending: new Map() };
    this.#sessions.set(id, session);
    return session;
  }

  #hand(window: string, id: string, session: Session): void {
    for (const [request, action] of session.pending) this.#send(window, id, session, request, action);
  }

  #send(window: string, id: string, session: Session, request: string, action: MediaAction): void {
    const muted = this.#mutedBefore.has(id);
    this.windows.send(window, { type: 'media', request, call: session.call, session: id, action, muted });
  }

  /** What can be said of a session that is in no window. */
  #answerWithoutWindow(request: string, session: string, action: MediaAction): void {
    if (action.type === 'close') this.#forget(session);
    if (action.type === 'set-muted' && action.muted) this.#mutedBefore.add(session);
    if (action.type === 'set-muted' && !action.muted) this.#mutedBefore.delete(session);
    this.answer(request, action.type === 'close' || action.type === 'set-muted' ? DONE : UNAVAILABLE);
  }

  #forget(session: string): void {
    this.#sessions.delete(session);
    this.#mutedBefore.delete(session);
  }

  #abandon(id: string, session: Session): void {
    this.#stranded.add(session.call);
    // The calls that are carried elsewhere from now on may be mixed there.
    session.conference = null;
    const pending = [...session.pending];
    session.pending.clear();
    for (const [request, action] of pending) this.#answerWithoutWindow(request, id, action);
  }
}
