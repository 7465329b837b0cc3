/** What a transceiver of the fake below shows. */
interface FakeTransceiver {
  direction: string;
  currentDirection: string | null;
  readonly sender: object;
  readonly receiver: object;
}

/** A peer connection that agrees to everything; tests say how it fares. */
export class FakeConnection extends EventTarget {
  static all: FakeConnection[] = [];
  static generateCertificate = async (): Promise<object> => ({ expires: Infinity });
  connectionState: RTCPeerConnectionState = 'new';
  iceGatheringState: RTCIceGatheringState = 'complete';
  localDescription: RTCSessionDescriptionInit | null = null;
  currentLocalDescription: RTCSessionDescriptionInit | null = null;
  currentRemoteDescription: RTCSessionDescriptionInit | null = null;
  restarts = 0;
  sends: unknown = null;
  farEndListens = true;
  readonly transceivers: FakeTransceiver[] = [];
  readonly name: number;

  constructor(readonly configuration: RTCConfiguration) {
    super();
    this.name = FakeConnection.all.push(this);
  }

  addTransceiver(): object {
    const transceiver: FakeTransceiver = {
      direction: 'sendrecv',
      currentDirection: null,
      sender: { replaceTrack: async (track: unknown) => void (this.sends = track), dtmf: null },
      receiver: { track: { kind: 'audio' }, transport: null, getSynchronizationSources: () => [] },
    };
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers = (): FakeTransceiver[] => this.transceivers;
  createOffer = async (): Promise<RTCSessionDescriptionInit> => ({ type: 'offer', sdp: description(`us${this.name}`) });
  createAnswer = async (): Promise<RTCSessionDescriptionInit> => ({ type: 'answer', sdp: description(`us${this.name}`) });

  async setLocalDescription(local: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = local;
    if (local.type !== 'answer') return;
    this.currentLocalDescription = local;
    this.#agree();
  }

  async setRemoteDescription(remote: RTCSessionDescriptionInit): Promise<void> {
    this.currentRemoteDescription = remote;
    if (remote.type === 'offer') {
      if (this.transceivers.length === 0) this.addTransceiver();
      return;
    }
    this.currentLocalDescription = this.localDescription;
    this.#agree();
  }

  /** What the far end wants: it takes all that is offered unless a test says otherwise. */
  #agree(): void {
    for (const transceiver of this.transceivers) {
      const sends = this.farEndListens ? transceiver.direction : 'inactive';
      transceiver.currentDirection = sends;
    }
  }

  restartIce(): void {
    this.restarts += 1;
  }

  close(): void {
    this.connectionState = 'closed';
  }

  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}

export const description = (who: string, media = 1): string =>
  `v=0\r\na=fingerprint:sha-256 ${who}\r\n${'m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n'.repeat(media)}`;
