import { css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { AudioLevels } from '@clearline/phone';
import { base } from '../styles/shared.js';
import { Component, everyFrame, reducedMotion } from './component.js';
import { prepare } from './line.js';
import { VoiceTrace, drawVoices, loudness } from './voice-trace.js';

const STILL_EVERY_MS = 400;

/** Both voices of one call: answers "do they hear me?". With reduced motion two bars that change now and then. */
@customElement('cl-voice-wave')
export class VoiceWave extends Component {
  @property({ attribute: false }) levels: () => AudioLevels | null = () => null;
  @query('canvas') private canvas!: HTMLCanvasElement;
  readonly #trace = new VoiceTrace();
  #stop: (() => void) | null = null;
  #drawn = 0;

  static override styles = [
    base,
    css`
      :host {
        display: block;
        block-size: 40px;
        color: var(--accent);
      }
      canvas {
        display: block;
        inline-size: 100%;
        block-size: 100%;
      }
      @media (forced-colors: active) {
        :host {
          color: CanvasText;
        }
      }
    `,
  ];

  override render(): unknown {
    return html`<canvas aria-hidden="true"></canvas>`;
  }

  override firstUpdated(): void {
    this.#start();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.#start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  #start(): void {
    this.#stop?.();
    const still = reducedMotion();
    this.#stop = everyFrame((now) => (still ? this.#bars(now) : this.#wave(now)));
  }

  #wave(now: number): void {
    const surface = prepare(this.canvas);
    if (!surface) return;
    const { context, width, height } = surface;
    context.strokeStyle = getComputedStyle(this).color;
    context.lineWidth = 2.2;
    context.lineCap = 'round';
    this.#trace.push(this.levels(), now);
    drawVoices(context, width, height, this.#trace, now);
  }

  #bars(now: number): void {
    if (now - this.#drawn < STILL_EVERY_MS) return;
    const surface = prepare(this.canvas);
    if (!surface) return;
    this.#drawn = now;
    const { context, width, height } = surface;
    const levels = this.levels();
    context.fillStyle = getComputedStyle(this).color;
    const bar = (top: number, level: number, alpha: number): void => {
      context.globalAlpha = 0.15;
      context.fillRect(0, top, width, 6);
      context.globalAlpha = alpha;
      context.fillRect(0, top, width * level, 6);
    };
    bar(height / 2 - 9, loudness(levels?.speaker ?? 0), 1);
    bar(height / 2 + 3, loudness(levels?.microphone ?? 0), 0.5);
    context.globalAlpha = 1;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-voice-wave': VoiceWave;
  }
}
