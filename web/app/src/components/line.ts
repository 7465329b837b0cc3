import { css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { AudioLevels } from '@clearline/phone';
import { base } from '../styles/shared.js';
import { Component, everyFrame, reducedMotion } from './component.js';
import { VoiceTrace, drawVoices } from './voice-trace.js';

/** What the line tells. `idle`: on its way to ready for the first time. */
export type LineMode = 'ready' | 'idle' | 'ringing' | 'call' | 'reconnecting' | 'offline';

/**
 * The line under the header: one stroke that always tells the truth. Flat: ready; both voices as a wave: in a call
 * (yours faint, theirs strong); amber dashes: reconnecting; grey and broken: offline. Text elsewhere says the same.
 */
@customElement('cl-line')
export class Line extends Component {
  @property({ reflect: true }) mode: LineMode = 'idle';
  /** Only so that a change of colours draws again. */
  @property() appearance = '';
  /** Levels of the call in the foreground; `null` when its media is elsewhere. */
  @property({ attribute: false }) levels: () => AudioLevels | null = () => null;
  @query('canvas') private canvas!: HTMLCanvasElement;

  #stop: (() => void) | null = null;
  #resize: ResizeObserver | null = null;
  readonly #trace = new VoiceTrace();
  #scheme: MediaQueryList | null = null;

  static override styles = [
    base,
    css`
      :host {
        display: block;
        block-size: 18px;
        color: var(--accent);
      }
      :host([mode='reconnecting']) {
        color: var(--warn);
      }
      :host([mode='offline']),
      :host([mode='idle']) {
        color: var(--ink-3);
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
    this.#resize = new ResizeObserver(() => this.#draw(0));
    this.#resize.observe(this);
    this.#scheme = matchMedia('(prefers-color-scheme: dark)');
    this.#scheme.addEventListener('change', this.#redraw);
  }

  override updated(): void {
    const moves = (this.mode === 'call' || this.mode === 'ringing' || this.mode === 'reconnecting') && !reducedMotion();
    if (!moves) {
      this.#stop?.();
      this.#stop = null;
      this.#draw(0);
    } else {
      this.#stop ??= everyFrame((now) => this.#draw(now));
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
    this.#stop = null;
    this.#resize?.disconnect();
    this.#scheme?.removeEventListener('change', this.#redraw);
  }

  readonly #redraw = (): void => {
    requestAnimationFrame(() => this.#draw(0));
  };

  #draw(now: number): void {
    const surface = prepare(this.canvas);
    if (!surface) return;
    const { context, width, height } = surface;
    context.strokeStyle = getComputedStyle(this).color;
    context.lineWidth = 2;
    context.lineCap = 'round';
    switch (this.mode) {
      case 'call':
        if (now > 0) this.#trace.push(this.levels(), now);
        drawVoices(context, width, height, this.#trace, now);
        return;
      case 'ringing':
        ringing(context, width, height, now);
        return;
      case 'reconnecting':
        context.setLineDash([10, 8]);
        context.lineDashOffset = -now / 40;
        flat(context, 0, width, height);
        context.setLineDash([]);
        return;
      case 'offline':
        broken(context, width, height);
        return;
      case 'ready':
      case 'idle':
        flat(context, 0, width, height);
        return;
    }
  }
}

/** Sizes the bitmap to the screen's pixels and clears it; units are CSS pixels afterwards. */
export function prepare(canvas: HTMLCanvasElement | null): { context: CanvasRenderingContext2D; width: number; height: number } | null {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) return null;
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function flat(context: CanvasRenderingContext2D, from: number, to: number, height: number): void {
  context.beginPath();
  context.moveTo(from + 1, height / 2);
  context.lineTo(to - 1, height / 2);
  context.stroke();
}

/** A pulse that travels, like a bell heard from far. */
function ringing(context: CanvasRenderingContext2D, width: number, height: number, now: number): void {
  const middle = height / 2;
  const centre = now > 0 ? ((now / 1600) % 1.3) * width : width / 2;
  context.beginPath();
  for (let x = 1; x <= width - 1; x += 2) {
    const near = Math.exp(-(((x - centre) / 46) ** 2));
    const y = middle + Math.sin((x - centre) * 0.34) * near * (middle - 2);
    if (x === 1) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}

/** Two ends that do not meet. */
function broken(context: CanvasRenderingContext2D, width: number, height: number): void {
  const gap = Math.min(28, width / 8);
  const middle = width / 2;
  flat(context, 0, middle - gap, height);
  flat(context, middle + gap, width, height);
  context.beginPath();
  context.moveTo(middle - gap / 3, height / 2 + 5);
  context.lineTo(middle - gap / 3 + 5, height / 2 - 5);
  context.moveTo(middle + gap / 3 - 5, height / 2 + 5);
  context.lineTo(middle + gap / 3, height / 2 - 5);
  context.stroke();
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-line': Line;
  }
}
