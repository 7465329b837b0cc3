/**
 * Decides when a local description has the candidates that matter. Waiting for gathering to complete can take 40 s
 * with a silent STUN server; what comes later is told as late_candidates.ts says, or found as peer-reflexive candidates.
 */

/** With a STUN server: how long its answer is worth waiting for. */
export const SERVER_REFLEXIVE_BUDGET_MS = 200;
/** With a TURN server: a call may depend on its candidate. */
export const RELAY_BUDGET_MS = 1_500;
/** Where nothing but a relay will do. */
export const RELAY_ONLY_BUDGET_MS = 5_000;
/** Host candidates come in one burst, an interface each; this much quiet ends it. */
export const QUIET_MS = 4;

type Wanted = 'host' | 'srflx' | 'relay';

/** Resolves when the local description is worth sending. Call before `setLocalDescription`. */
export function usefulCandidates(
  connection: RTCPeerConnection,
  servers: readonly RTCIceServer[],
  policy: RTCIceTransportPolicy = 'all',
): Gathering {
  const wanted = wantedKind(servers);
  if (policy === 'relay') return new Gathering(connection, wanted, RELAY_ONLY_BUDGET_MS);
  return new Gathering(connection, wanted, wanted === 'relay' ? RELAY_BUDGET_MS : SERVER_REFLEXIVE_BUDGET_MS);
}

export class Gathering {
  /** Candidates of the wanted kind are there, or all there are, or the budget is spent. */
  readonly done: Promise<void>;
  /** What the last server that gave no candidate said. */
  problem: string | null = null;
  #finish: () => void = () => undefined;
  #budget: ReturnType<typeof setTimeout> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #found = false;

  constructor(
    private readonly connection: RTCPeerConnection,
    private readonly wanted: Wanted,
    budget: number,
  ) {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    connection.addEventListener('icecandidate', this.#candidate);
    connection.addEventListener('icecandidateerror', this.#refused);
    connection.addEventListener('icegatheringstatechange', this.#stateChanged);
    this.#budget = setTimeout(() => this.#end(), budget);
  }

  /** The description is set: a description that renews nothing has its candidates already. */
  begun(): void {
    if (this.connection.iceGatheringState === 'complete') this.#end();
  }

  /** Gives up waiting. */
  cancel(): void {
    this.#end();
  }

  readonly #candidate = (event: RTCPeerConnectionIceEvent): void => {
    if (event.candidate === null) {
      this.#end();
      return;
    }
    if (satisfies(event.candidate.type, this.wanted)) this.#found = true;
    if (!this.#found) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#end(), QUIET_MS);
  };

  readonly #refused = (event: RTCPeerConnectionIceErrorEvent): void => {
    this.problem = `${event.url}: ${event.errorCode} ${event.errorText}`.trim();
  };

  readonly #stateChanged = (): void => {
    if (this.connection.iceGatheringState === 'complete') this.#end();
  };

  #end(): void {
    clearTimeout(this.#budget);
    clearTimeout(this.#quiet);
    this.connection.removeEventListener('icecandidate', this.#candidate);
    this.connection.removeEventListener('icecandidateerror', this.#refused);
    this.connection.removeEventListener('icegatheringstatechange', this.#stateChanged);
    this.#finish();
  }
}

/** The farthest kind of candidate that the servers can give. */
function wantedKind(servers: readonly RTCIceServer[]): Wanted {
  const urls = servers.flatMap((server) => server.urls);
  if (urls.some((url) => /^turns?:/i.test(url))) return 'relay';
  return urls.some((url) => /^stuns?:/i.test(url)) ? 'srflx' : 'host';
}

function satisfies(type: RTCIceCandidateType | null, wanted: Wanted): boolean {
  if (type === 'relay') return true;
  if (type === 'host') return wanted === 'host';
  return wanted !== 'relay';
}
