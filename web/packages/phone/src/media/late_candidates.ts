/**
 * Candidates that come after a description (RFC 8838, RFC 8840): those found here are told as a fragment of the local
 * description, those of the far end are added. Descriptions are only read.
 */

/** Candidates come in bursts; what comes within this time is told together. */
const BURST_MS = 50;

/** Tells candidates that are found after the description with which they should have gone. */
export class LateCandidates {
  /** What the far end has been sent. */
  #sent: string | null = null;
  #burst: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly connection: RTCPeerConnection,
    private readonly tell: (fragment: string, matters: boolean) => void,
  ) {
    connection.addEventListener('icecandidate', this.#found);
  }

  /** This description goes to the far end now. */
  sent(sdp: string): void {
    clearTimeout(this.#burst);
    this.#sent = sdp;
  }

  stop(): void {
    clearTimeout(this.#burst);
    this.connection.removeEventListener('icecandidate', this.#found);
  }

  readonly #found = (): void => {
    if (this.#sent === null) return;
    clearTimeout(this.#burst);
    this.#burst = setTimeout(() => this.#report(), BURST_MS);
  };

  #report(): void {
    const sdp = this.connection.localDescription?.sdp;
    if (sdp === undefined || this.#sent === null || ufrag(sdp) !== ufrag(this.#sent)) return;
    const known = candidates(this.#sent);
    const all = candidates(sdp);
    if (all.length <= known.length) return;
    const matters = reach(all) > reach(known);
    this.#sent = sdp;
    this.tell(fragment(sdp, this.connection.iceGatheringState === 'complete'), matters);
  }
}

/** Adds the candidates of a fragment, if they are those of the description in force. */
export async function addCandidates(connection: RTCPeerConnection, text: string): Promise<void> {
  const usernameFragment = ufrag(text);
  const remote = connection.remoteDescription?.sdp;
  if (remote === undefined || usernameFragment === undefined || ufrag(remote) !== usernameFragment) return;
  const sdpMid = /^a=mid:(.*)$/m.exec(text)?.[1]?.trim() ?? '0';
  for (const candidate of candidates(text)) await connection.addIceCandidate({ candidate, sdpMid, usernameFragment });
  if (/^a=end-of-candidates/m.test(text)) await connection.addIceCandidate({ candidate: '', sdpMid, usernameFragment });
}

/** `application/trickle-ice-sdpfrag`: the ICE lines of the first medium, which all others share (RFC 8840 section 9). */
function fragment(sdp: string, complete: boolean): string {
  const first = (pattern: RegExp): string[] => pattern.exec(sdp)?.[0].trim().split('\n').slice(0, 1) ?? [];
  const lines = [
    ...first(/^a=ice-ufrag:.*$/m),
    ...first(/^a=ice-pwd:.*$/m),
    ...first(/^m=.*$/m),
    ...first(/^a=mid:.*$/m),
    ...candidates(sdp).map((candidate) => `a=${candidate}`),
    ...(complete ? ['a=end-of-candidates'] : []),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function ufrag(sdp: string): string | undefined {
  return /^a=ice-ufrag:(.*)$/m.exec(sdp)?.[1]?.trim();
}

function candidates(sdp: string): string[] {
  const lines = sdp.match(/^a=candidate:.*$/gm) ?? [];
  return lines.map((line) => line.trim().slice('a='.length));
}

/** How far the farthest candidate reaches: nothing, this network, beyond its NAT, anywhere. */
function reach(of: readonly string[]): number {
  const kinds = ['typ host', 'typ srflx', 'typ relay'];
  return Math.max(0, ...of.map((candidate) => kinds.findIndex((kind) => candidate.includes(kind)) + 1));
}
