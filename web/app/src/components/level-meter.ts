import { css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { base } from '../styles/shared.js';
import { t } from '../i18n/i18n.js';
import { Component, everyFrame } from './component.js';
import { loudness } from './voice-trace.js';

const NAMED_EVERY_MS = 1_000;

/** A bar that moves with the microphone. */
@customElement('cl-level-meter')
export class LevelMeter extends Component {
  /** Root mean square, 0..1. */
  @property({ attribute: false }) level: () => number = () => 0;
  @query('.bar') private bar!: HTMLElement;
  @query('[role=meter]') private meter!: HTMLElement;
  #stop: (() => void) | null = null;
  #shown = 0;
  #named = 0;

  static override styles = [
    base,
    css`
      :host {
        display: block;
      }
      [role='meter'] {
        block-size: 10px;
        border-radius: 5px;
        background: var(--hair);
        overflow: hidden;
      }
      .bar {
        block-size: 100%;
        inline-size: 100%;
        border-radius: 5px;
        background: var(--accent);
        transform-origin: left;
        transform: scaleX(0);
      }
      :host(:dir(rtl)) .bar {
        transform-origin: right;
      }
      @media (forced-colors: active) {
        [role='meter'] {
          border: 1px solid CanvasText;
        }
        .bar {
          background: Highlight;
        }
      }
    `,
  ];

  override render(): unknown {
    return html`<div role="meter" aria-label=${t('audio.level')} aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><div class="bar"></div></div>`;
  }

  override firstUpdated(): void {
    this.#stop = everyFrame((now) => this.#draw(now));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stop?.();
  }

  #draw(now: number): void {
    const level = loudness(this.level());
    this.#shown = level > this.#shown ? level : this.#shown * 0.93 + level * 0.07;
    this.bar.style.transform = `scaleX(${this.#shown.toFixed(3)})`;
    if (now - this.#named < NAMED_EVERY_MS) return;
    this.#named = now;
    this.meter.setAttribute('aria-valuenow', String(Math.round(this.#shown * 100)));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-level-meter': LevelMeter;
  }
}
