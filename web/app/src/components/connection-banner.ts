import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { amount, t, type MessageKey } from '../i18n/i18n.js';
import type { ConnectionView, OfflineCause } from '../model/connection.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';

const CAUSES: Record<OfflineCause, MessageKey> = {
  'no-network': 'offline.noNetwork',
  'no-server': 'offline.noServer',
  refused: 'offline.refused',
  rejected: 'offline.rejected',
  stopped: 'offline.stopped',
};
/** What still works matters more in a call than what does not. */
const IN_CALL: Partial<Record<OfflineCause, MessageKey>> = {
  'no-network': 'offline.noNetworkInCall',
  'no-server': 'offline.noServerInCall',
};
// A short hiccup is told by line and header; words only when it lasts.
const PATIENCE_MS = 1_500;

/** Why there is no connection, what still works, and when the next try is. */
@customElement('cl-connection-banner')
export class ConnectionBanner extends Component {
  @property({ attribute: false }) desk!: Desk;
  #tick: ReturnType<typeof setTimeout> | undefined;
  #since = 0;
  #was = '';

  static override styles = [
    base,
    buttons,
    css`
      .banner {
        margin-block-start: 6px;
        display: flex;
        align-items: center;
        gap: 10px;
        min-block-size: 48px;
        padding: 8px 12px;
        border-radius: var(--radius-m);
        background: var(--warn-soft);
        font-size: 0.84375rem;
      }
      .banner svg {
        color: var(--warn);
      }
      .offline {
        background: var(--sunken);
      }
      .offline svg {
        color: var(--ink-2);
      }
      .ring svg {
        color: var(--accent);
      }
      .ring {
        background: var(--accent-soft);
        padding-block: 2px;
        padding-inline-end: 4px;
      }
      p {
        flex: 1;
        min-inline-size: 0;
        display: grid;
      }
      .next {
        color: var(--ink-2);
        font-size: var(--text-s);
        font-variant-numeric: tabular-nums;
      }
      @media (forced-colors: active) {
        .banner {
          border: 1px solid CanvasText;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.calls.state, this.desk.player.state];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#tick);
  }

  override updated(): void {
    clearTimeout(this.#tick);
    const { state } = this.desk.calls.state.value.connection;
    if (state === 'reconnecting' || state === 'offline') this.#tick = setTimeout(() => this.requestUpdate(), 500);
  }

  override render(): unknown {
    return html`${this.#connection()} ${this.desk.player.state.value === 'blocked' && this.desk.calls.state.value.current.length === 0 ? this.#blocked() : nothing}`;
  }

  #connection(): unknown {
    const { connection, current } = this.desk.calls.state.value;
    if (connection.state !== this.#was) {
      this.#was = connection.state;
      this.#since = Date.now();
    }
    switch (connection.state) {
      case 'connecting':
      case 'registered':
        return nothing;
      case 'reconnecting':
        if (Date.now() - this.#since < PATIENCE_MS) return nothing;
        return html`<div class="banner" data-testid="connection-banner">
          ${icon('wifi')}
          <p><span>${t(current.length > 0 ? 'reconnecting.inCall' : 'reconnecting.idle')}</span>${this.#next(connection)}</p>
        </div>`;
      case 'offline':
        return html`<div class="banner offline" data-testid="connection-banner">
          ${icon('wifiOff')}
          <p><span>${t((current.length > 0 && IN_CALL[connection.cause]) || CAUSES[connection.cause])}</span>${this.#next(connection)}</p>
        </div>`;
    }
  }

  #next(connection: Extract<ConnectionView, { retryAt: number | null }>): unknown {
    if (connection.retryAt === null) {
      const trying = connection.state === 'reconnecting' || connection.cause === 'no-server';
      return trying ? html`<span class="next">${t('retry.now')}</span>` : nothing;
    }
    const seconds = Math.ceil((connection.retryAt - Date.now()) / 1000);
    const text = seconds > 0 ? t('retry.in', { time: amount(seconds, 'second') }) : t('retry.now');
    return html`<span class="next">${text}</span>`;
  }

  #blocked(): unknown {
    return html`<div class="banner ring" data-testid="ringing-blocked">
      ${icon('bell')}
      <p>${t('ringing.blocked')}</p>
      <button type="button" class="button primary" @click=${() => void this.desk.player.unlock()}>${t('ringing.enable')}</button>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-connection-banner': ConnectionBanner;
  }
}
