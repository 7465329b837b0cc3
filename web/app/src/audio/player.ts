import { Store, type Readable } from '../model/store.js';
import { render, type Pattern } from './pattern.js';

/** `ring`: where it rings; `ear`: where the voice is. */
export type Output = 'ring' | 'ear';

export interface Playing {
  stop(): void;
}

export interface Player {
  /** `blocked`: the browser wants a click before anything may sound. */
  readonly state: Readable<'ready' | 'blocked'>;
  play(pattern: Pattern, output: Output): Playing;
  setDevice(output: Output, deviceId: string | undefined): void;
}

const FADE_S = 0.02;
const IDLE_MS = 2_000;
const RATE = 24_000;

/**
 * Plays patterns through one audio context per output device. A context runs only while something sounds, so an idle
 * phone keeps no audio device open.
 */
export class WebAudioPlayer implements Player {
  readonly #state = new Store<'ready' | 'blocked'>('ready');
  readonly #outputs: Record<Output, OutputContext> = { ring: new OutputContext(), ear: new OutputContext() };

  get state(): Readable<'ready' | 'blocked'> {
    return this.#state;
  }

  /** Finds out whether sound is allowed, and watches for the first gesture that allows it. */
  async probe(): Promise<void> {
    const unlock = (): void => void this.unlock();
    for (const type of ['pointerdown', 'keydown'] as const) addEventListener(type, unlock, { capture: true, passive: true });
    this.#state.set((await this.#outputs.ring.wake()) ? 'ready' : 'blocked');
  }

  /** Call from a user gesture. */
  async unlock(): Promise<void> {
    if (this.#state.value === 'ready') return;
    if (await this.#outputs.ring.wake()) this.#state.set('ready');
  }

  play(pattern: Pattern, output: Output): Playing {
    const playing = this.#outputs[output].play(pattern);
    void playing.started.then((audible) => this.#state.set(audible ? 'ready' : 'blocked'));
    return playing;
  }

  /** Plays recorded samples to the end; resolves then. */
  async playBuffer(data: ArrayBuffer, output: Output): Promise<void> {
    await this.#outputs[output].playRecording(data);
  }

  setDevice(output: Output, deviceId: string | undefined): void {
    this.#outputs[output].setDevice(deviceId ?? '');
  }
}

type SinkContext = AudioContext & { setSinkId?: (id: string) => Promise<void> };

class OutputContext {
  #context: SinkContext | null = null;
  #device = '';
  #sounding = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;
  readonly #rendered = new WeakMap<Pattern, AudioBuffer>();

  setDevice(id: string): void {
    if (id === this.#device) return;
    this.#device = id;
    if (this.#context) void this.#apply(this.#context);
  }

  /** `true` when the context runs. */
  async wake(): Promise<boolean> {
    const context = this.#open();
    // resume() stays pending while autoplay is blocked, so the state is looked at after a moment.
    await Promise.race([context.resume().catch(() => undefined), delay(300)]);
    this.#settle();
    return context.state === 'running';
  }

  play(pattern: Pattern): Playing & { started: Promise<boolean> } {
    const context = this.#open();
    const source = context.createBufferSource();
    source.buffer = this.#buffer(context, pattern);
    source.loop = pattern.loop;
    const gain = context.createGain();
    source.connect(gain).connect(context.destination);
    this.#begin(source);
    source.start();
    return {
      started: this.wake(),
      stop: () => {
        gain.gain.setTargetAtTime(0, context.currentTime, FADE_S / 3);
        // A suspended clock never reaches a future stop time.
        source.stop(context.state === 'running' ? context.currentTime + FADE_S : 0);
      },
    };
  }

  async playRecording(data: ArrayBuffer): Promise<void> {
    const context = this.#open();
    const source = context.createBufferSource();
    source.buffer = await context.decodeAudioData(data);
    source.connect(context.destination);
    this.#begin(source);
    await context.resume();
    source.start();
    await new Promise<void>((resolve) => source.addEventListener('ended', () => resolve(), { once: true }));
  }

  #open(): SinkContext {
    if (!this.#context) {
      this.#context = new AudioContext({ latencyHint: 'interactive' });
      void this.#apply(this.#context);
    }
    return this.#context;
  }

  async #apply(context: SinkContext): Promise<void> {
    try {
      await context.setSinkId?.(this.#device);
    } catch {
      // The device is gone: ringing on the default one beats silence.
      await context.setSinkId?.('').catch(() => undefined);
    }
  }

  #begin(source: AudioBufferSourceNode): void {
    this.#sounding += 1;
    source.addEventListener(
      'ended',
      () => {
        this.#sounding -= 1;
        this.#settle();
      },
      { once: true },
    );
  }

  #settle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#sounding === 0) void this.#context?.suspend();
    }, IDLE_MS);
  }

  #buffer(context: AudioContext, pattern: Pattern): AudioBuffer {
    const known = this.#rendered.get(pattern);
    if (known) return known;
    const samples = render(pattern, RATE);
    const buffer = context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    this.#rendered.set(pattern, buffer);
    return buffer;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
