import type { WebAudioPlayer } from '../audio/player.js';
import { Store, type Readable } from './store.js';

/**
 * Trying the microphone without a call.
 *
 * ```text
 * idle -> listening (meter) -> recording (some seconds) -> playing -> idle
 *    \-> failed
 * ```
 */
export type MicrophoneTestState = 'idle' | 'listening' | 'recording' | 'playing' | 'failed';

const RECORD_MS = 4_000;

/** Opens the microphone only between {@link listen} or {@link recordAndPlay} and the end of the test. */
export class MicrophoneTest {
  readonly #state = new Store<MicrophoneTestState>('idle');
  #stream: MediaStream | null = null;
  #meter: { context: AudioContext; analyser: AnalyserNode; samples: Float32Array<ArrayBuffer> } | null = null;
  /** Outdates whatever an earlier test still waits for. */
  #run = 0;

  constructor(private readonly player: WebAudioPlayer) {}

  get state(): Readable<MicrophoneTestState> {
    return this.#state;
  }

  async listen(deviceId: string | undefined): Promise<void> {
    if ((await this.#open(deviceId)) !== null) this.#state.set('listening');
  }

  /** Records some seconds and plays them back on the speaker. */
  async recordAndPlay(deviceId: string | undefined): Promise<void> {
    const run = await this.#open(deviceId);
    if (run === null || !this.#stream) return;
    this.#state.set('recording');
    const recording = await record(this.#stream, RECORD_MS);
    if (run !== this.#run) return;
    this.#close();
    this.#state.set('playing');
    try {
      await this.player.playBuffer(await recording.arrayBuffer(), 'ear');
    } catch {
      if (run === this.#run) this.#state.set('failed');
      return;
    }
    if (run === this.#run) this.#state.set('idle');
  }

  stop(): void {
    this.#run += 1;
    this.#close();
    this.#state.set('idle');
  }

  /** Root mean square of the last moment, 0..1. */
  level(): number {
    if (!this.#meter) return 0;
    const { analyser, samples } = this.#meter;
    analyser.getFloatTimeDomainData(samples);
    let sum = 0;
    for (const sample of samples) sum += sample * sample;
    return Math.sqrt(sum / samples.length);
  }

  async #open(deviceId: string | undefined): Promise<number | null> {
    this.stop();
    const run = this.#run;
    try {
      const audio = deviceId === undefined ? true : { deviceId: { exact: deviceId } };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      if (run !== this.#run) {
        for (const track of stream.getTracks()) track.stop();
        return null;
      }
      this.#stream = stream;
      const context = new AudioContext();
      const analyser = context.createAnalyser();
      analyser.fftSize = 1024;
      context.createMediaStreamSource(stream).connect(analyser);
      this.#meter = { context, analyser, samples: new Float32Array(analyser.fftSize) };
      return run;
    } catch {
      if (run === this.#run) this.#state.set('failed');
      return null;
    }
  }

  #close(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    void this.#meter?.context.close();
    this.#meter = null;
  }
}

function record(stream: MediaStream, ms: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const recorder = new MediaRecorder(stream);
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => resolve(new Blob(parts, { type: recorder.mimeType }));
    recorder.onerror = () => reject(new Error('recording failed'));
    recorder.start();
    setTimeout(() => recorder.state !== 'inactive' && recorder.stop(), ms);
  });
}
