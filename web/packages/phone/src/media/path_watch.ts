/**
 * Notices that a call's audio has stopped coming, or takes another way, long before ICE says so: ICE waits for several
 * unanswered checks, which takes five seconds and more, while audio comes fifty times a second.
 */

/** How often is looked. */
export const LOOK_MS = 100;
/** Audio that has not come for so long has stopped: no jitter lasts that long, and nobody sends less while talking. */
export const STALLED_MS = 400;
/** A look that comes later than this says nothing: the page itself was kept from running. */
const LATE_MS = 300;
/** At the beginning ICE tries several ways; a change of the way means something only afterwards. */
const SETTLED_MS = 3_000;

/** The part of `RTCPeerConnection` that is used. */
export interface WatchedConnection {
  getTransceivers(): RTCRtpTransceiver[];
}

export class PathWatch {
  #timer: ReturnType<typeof setInterval> | undefined;
  #transport: RTCIceTransport | null = null;
  #began = 0;
  #lastLook = 0;
  /** What the last packet is known by, and when it was new. */
  #lastPacket: number | undefined;
  #newAt = 0;
  #stalled = false;

  /** `doubt`: the way of the audio may be gone. Once per stall. */
  constructor(
    private readonly connection: WatchedConnection,
    private readonly doubt: (reason: string) => void,
  ) {}

  /** Media flows. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#began = this.#lastLook = this.#newAt = performance.now();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#transport = this.connection.getTransceivers()[0]?.receiver.transport?.iceTransport ?? null;
    this.#transport?.addEventListener('selectedcandidatepairchange', this.#pathChanged);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#transport?.removeEventListener('selectedcandidatepairchange', this.#pathChanged);
  }

  #look(): void {
    const now = performance.now();
    const late = now - this.#lastLook > LOOK_MS + LATE_MS;
    this.#lastLook = now;
    const packet = this.#newestPacket();
    if (packet === undefined || packet !== this.#lastPacket || late) {
      this.#lastPacket = packet;
      this.#newAt = now;
      this.#stalled &&= packet === undefined;
    } else if (!this.#stalled && now - this.#newAt >= STALLED_MS) {
      this.#stalled = true;
      this.doubt('no audio comes in');
    }
  }

  /** When the newest packet came in; `undefined` unless both sides have agreed to talk and the far end has begun. */
  #newestPacket(): number | undefined {
    const talking = this.connection.getTransceivers().find(({ currentDirection }) => currentDirection === 'sendrecv');
    return talking?.receiver.getSynchronizationSources()[0]?.timestamp;
  }

  readonly #pathChanged = (): void => {
    if (performance.now() - this.#began >= SETTLED_MS) this.doubt('the audio takes another way');
  };
}
