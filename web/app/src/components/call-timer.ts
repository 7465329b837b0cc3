import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { timer } from '../i18n/i18n.js';
import { Component } from './component.js';

/** Time since a moment, second by second. Not a live region: it would never stop talking. */
@customElement('cl-call-timer')
export class CallTimer extends Component {
  /** Milliseconds since the Unix epoch. */
  @property({ type: Number }) since = 0;
  #tick: ReturnType<typeof setTimeout> | undefined;

  static override styles = css`
    :host {
      font-variant-numeric: tabular-nums;
    }
  `;

  override render(): unknown {
    return html`<span role="timer" aria-live="off" data-testid="call-timer">${timer(Date.now() - this.since)}</span>`;
  }

  override updated(): void {
    clearTimeout(this.#tick);
    if (!this.isConnected) return;
    const intoSecond = (Date.now() - this.since) % 1000;
    this.#tick = setTimeout(() => this.requestUpdate(), 1000 - intoSecond + 5);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#tick);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-timer': CallTimer;
  }
}
