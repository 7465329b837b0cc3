/**
 * Carries out media requests of the host in this window. The offer of a call placed here is begun before the host asks
 * for it, so that opening the microphone and the worker's work run side by side.
 */

import type {
  AudioDevices,
  AudioLevels,
  CallId,
  HoldMusic,
  MediaAction,
  MediaEngineContext,
  MediaEngineFactory,
  MediaEvent,
  MediaOutcome,
  MediaSession,
  MicrophoneProblem,
} from '../api.js';
import type { LogLevel, MediaResult, ToHost, ToWindow } from '../protocol.js';

type MediaMessage = Extract<ToWindow, { type: 'media' }>;

interface Carried {
  readonly call: CallId;
  readonly session: MediaSession;
  /** The host's name for it; `null` while the host has not asked yet. */
  name: string | null;
  /** What the session saw before it had a name. */
  early: MediaEvent[];
  /** The end of the actions so far. */
  tail: Promise<unknown>;
  /** The offer that was begun without being asked. */
  begun: Promise<MediaOutcome> | null;
}

/** What a call's first request of an outgoing call is always. */
const FIRST_OFFER: MediaAction = { type: 'create-offer', direction: 'sendrecv', ice_restart: false };
/** How long the media of a host that died goes on, if no new session takes its place. */
const ORPHAN_MS = 15_000;

export class MediaPort {
  readonly #sessions = new Map<string, Carried>();
  /** Begun for calls whose first request has not come. */
  readonly #prepared = new Map<CallId, Carried>();
  /** Of a host that died: they sound on until the call has new media. */
  readonly #orphans = new Set<Carried>();
  #iceServers: readonly RTCIceServer[] = [];
  #devices: AudioDevices = {};

  constructor(
    private readonly factory: MediaEngineFactory,
    private readonly iceTransportPolicy: RTCIceTransportPolicy,
    private holdMusic: HoldMusic,
    private readonly send: (message: Extract<ToHost, { type: 'media-done' | 'media-event' }>) => void,
    private readonly log: (level: LogLevel, message: string) => void,
  ) {}

  /** Whether any call's media is in this window. */
  get carries(): boolean {
    return this.#sessions.size > 0;
  }

  setHoldMusic(holdMusic: HoldMusic): void {
    this.holdMusic = holdMusic;
  }

  setIceServers(iceServers: readonly RTCIceServer[]): void {
    this.#iceServers = iceServers;
  }

  /** Resolves when every session uses them. */
  async setDevices(devices: AudioDevices): Promise<void> {
    this.#devices = devices;
    const failed = (error: unknown): void => this.log('warn', `devices: ${String(error)}`);
    await Promise.all(this.#all().map(({ session }) => session.setDevices(devices).catch(failed)));
  }

  /** Begins the offer of a call that is placed just now. */
  prepareOffer(call: CallId): void {
    const carried = this.#create(call);
    this.#prepared.set(call, carried);
    carried.begun = carried.session.perform(FIRST_OFFER);
    carried.begun.catch(() => undefined);
    carried.tail = carried.begun;
  }

  /** Lets the microphone be opened for a call that is answered just now. */
  prepareAnswer(call: CallId): void {
    if (this.#prepared.has(call) || this.#newest(call) !== undefined) return;
    const carried = this.#create(call);
    this.#prepared.set(call, carried);
    carried.session.prepare?.();
  }

  /** The call needs no preparation any more. */
  unprepare(call: CallId): void {
    const carried = this.#prepared.get(call);
    if (carried === undefined) return;
    this.#prepared.delete(call);
    this.#close(carried);
  }

  /** Does what the host asks; the result goes back by itself. */
  async perform(message: MediaMessage): Promise<void> {
    const { request, action } = message;
    const result = await this.#result(message, action);
    this.send({ type: 'media-done', request, result });
  }

  levels(call: CallId): AudioLevels | null {
    return this.#newest(call)?.session.levels() ?? null;
  }

  async stats(call: CallId): Promise<RTCStatsReport | null> {
    return (await this.#newest(call)?.session.stats()) ?? null;
  }

  /** The host is gone: what it had asked for goes on until its successor has replaced it. */
  orphanAll(): void {
    const orphans = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const orphan of orphans) this.#orphans.add(orphan);
    for (const call of [...this.#prepared.keys()]) this.unprepare(call);
    setTimeout(() => this.#closeOrphans(orphans), ORPHAN_MS);
  }

  /** The call is over. */
  callEnded(call: CallId): void {
    this.unprepare(call);
    this.#closeOrphans([...this.#orphans].filter((orphan) => orphan.call === call));
  }

  closeAll(): void {
    for (const carried of this.#all()) this.#close(carried);
    this.#sessions.clear();
    this.#prepared.clear();
    this.#orphans.clear();
  }

  async #result(message: MediaMessage, action: MediaAction): Promise<MediaResult> {
    try {
      const carried = this.#carried(message);
      const outcome = action.type === 'close' ? await this.#end(message.session, carried) : await this.#act(carried, action);
      if (action.type === 'apply-answer' || action.type === 'create-answer') this.#callHasMedia(message.call);
      return { ok: outcome };
    } catch (error) {
      return { error: asMediaError(error) };
    }
  }

  /** The call's new session is in place, the old one may go. */
  #callHasMedia(call: CallId): void {
    this.#closeOrphans([...this.#orphans].filter((orphan) => orphan.call === call));
  }

  #carried(message: MediaMessage): Carried {
    const known = this.#sessions.get(message.session);
    if (known !== undefined) return known;
    const prepared = this.#prepared.get(message.call);
    this.#prepared.delete(message.call);
    const carried = prepared ?? this.#create(message.call);
    if (message.muted) void this.#act(carried, { type: 'set-muted', muted: true });
    carried.name = message.session;
    this.#sessions.set(message.session, carried);
    for (const event of carried.early.splice(0)) this.#tell(carried, event);
    return carried;
  }

  #act(carried: Carried, action: MediaAction): Promise<MediaOutcome> {
    const { begun } = carried;
    carried.begun = null;
    if (begun !== null && isFirstOffer(action)) return begun;
    const done = carried.tail.then(
      () => carried.session.perform(action),
      () => carried.session.perform(action),
    );
    carried.tail = done;
    return done;
  }

  /** A close overtakes: what is still waiting, for a permission perhaps, is of no use any more. */
  async #end(name: string, carried: Carried): Promise<MediaOutcome> {
    this.#sessions.delete(name);
    return carried.session.perform({ type: 'close' });
  }

  #create(call: CallId): Carried {
    const early: MediaEvent[] = [];
    let carried: Carried | null = null;
    const holdMusic = (): HoldMusic => this.holdMusic;
    const context: MediaEngineContext = {
      iceServers: this.#iceServers,
      iceTransportPolicy: this.iceTransportPolicy,
      devices: this.#devices,
      get holdMusic() {
        return holdMusic();
      },
      emit: (event) => {
        if (carried === null) early.push(event);
        else this.#tell(carried, event);
      },
      log: this.log,
    };
    const session = this.factory(context);
    carried = { call, session, name: null, early, tail: Promise.resolve(), begun: null };
    return carried;
  }

  #tell(carried: Carried, event: MediaEvent): void {
    if (carried.name === null) carried.early.push(event);
    else this.send({ type: 'media-event', session: carried.name, event });
  }

  #newest(call: CallId): Carried | undefined {
    return this.#all().findLast((carried) => carried.call === call);
  }

  #all(): Carried[] {
    return [...this.#orphans, ...this.#sessions.values(), ...this.#prepared.values()];
  }

  #closeOrphans(orphans: readonly Carried[]): void {
    for (const orphan of orphans) if (this.#orphans.delete(orphan)) this.#close(orphan);
  }

  #close(carried: Carried): void {
    carried.session
      .perform({ type: 'close' })
      .catch((error: unknown) => this.log('warn', `a media session did not close: ${String(error)}`));
  }
}

function isFirstOffer(action: MediaAction): boolean {
  return action.type === 'create-offer' && action.direction === 'sendrecv' && !action.ice_restart;
}

function asMediaError(error: unknown): { kind: MicrophoneProblem; detail: string } {
  const { kind, detail } = (error ?? {}) as { kind?: MicrophoneProblem; detail?: string };
  return kind === undefined ? { kind: 'failed', detail: String(error) } : { kind, detail: detail ?? '' };
}
