/** An audio graph without sound: what would be heard in a track follows from what is connected with what. */

import { vi } from 'vitest';

export class FakeTrack {
  enabled = true;
  readyState = 'live';
  readonly kind = 'audio';
  onended: (() => void) | null = null;

  constructor(readonly label: string) {}

  stop(): void {
    this.readyState = 'ended';
  }
}

export class FakeStream {
  constructor(readonly tracks: FakeTrack[]) {}

  getAudioTracks(): FakeTrack[] {
    return this.tracks;
  }
}

const nodes = new Set<FakeNode>();
const open = new Set<FakeContext>();

class FakeNode {
  readonly outputs = new Set<FakeNode>();
  readonly gain = { value: 1, setValueAtTime: noop, linearRampToValueAtTime: noop, setTargetAtTime: noop };
  readonly stream: FakeStream;
  readonly mediaStream: FakeStream | undefined;
  readonly what: string;
  readonly tune: { readonly name?: string } | undefined;

  constructor(
    readonly context: FakeContext,
    options: { gain?: number; mediaStream?: FakeStream; buffer?: { readonly name?: string } } = {},
  ) {
    this.tune = options.buffer;
    this.gain.value = options.gain ?? 1;
    this.mediaStream = options.mediaStream;
    this.what = new.target.name;
    this.stream = new FakeStream([new FakeTrack(this.what)]);
    nodes.add(this);
  }

  connect(to: FakeNode): FakeNode {
    this.outputs.add(to);
    return to;
  }

  disconnect(from?: FakeNode): void {
    if (from === undefined) this.outputs.clear();
    else if (!this.outputs.delete(from)) throw new DOMException('not connected', 'InvalidAccessError');
  }

  start(): void {}
  stop(): void {}

  /** What it brings in, if it is a source. */
  get source(): string[] {
    if (this.what === 'Music') return [this.tune?.name ?? 'music'];
    return (this.mediaStream?.tracks ?? []).filter(({ enabled, readyState }) => enabled && readyState === 'live').map(({ label }) => label);
  }
}

class FakeContext {
  state = 'running';
  readonly destination = {};

  constructor() {
    open.add(this);
  }

  async close(): Promise<void> {
    open.delete(this);
  }

  async resume(): Promise<void> {}

  /** Sounds are texts here: a name and how many seconds it lasts. */
  async decodeAudioData(bytes: ArrayBuffer): Promise<object> {
    open.delete(this);
    const [name, duration] = new TextDecoder().decode(bytes).split(' ');
    if (duration === undefined) throw new DOMException('no sound', 'EncodingError');
    return { name, duration: Number(duration) };
  }

  async startRendering(): Promise<object> {
    open.delete(this);
    return {};
  }
}

function noop(): void {}

/** What is heard in a track that is sent: the track's own sound, or all that flows into it. */
export function heardIn(track: unknown): string[] {
  if (!(track instanceof FakeTrack) || track.readyState !== 'live') return [];
  const destination = [...nodes].find((node) => node.stream.tracks.includes(track));
  if (destination === undefined) return track.enabled ? [track.label] : [];
  return [...new Set(flowingInto(destination))].sort();
}

function flowingInto(node: FakeNode): string[] {
  if (node.gain.value === 0) return [];
  const inputs = [...nodes].filter(({ outputs }) => outputs.has(node));
  return [...node.source, ...inputs.flatMap(flowingInto)];
}

/** How many audio contexts are open. */
export const openContexts = (): number => open.size;

export function stubAudio(): void {
  nodes.clear();
  open.clear();
  class Music extends FakeNode {}
  for (const name of ['GainNode', 'WaveShaperNode', 'ConstantSourceNode', 'OscillatorNode', 'MediaStreamAudioDestinationNode', 'MediaStreamAudioSourceNode']) {
    vi.stubGlobal(name, class extends FakeNode {});
  }
  vi.stubGlobal('AudioBufferSourceNode', Music);
  vi.stubGlobal('PeriodicWave', FakeNode);
  vi.stubGlobal('AudioContext', FakeContext);
  vi.stubGlobal('OfflineAudioContext', FakeContext);
  vi.stubGlobal('MediaStream', FakeStream);
}
