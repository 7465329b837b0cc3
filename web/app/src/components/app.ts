import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { amount, t } from '../i18n/i18n.js';
import type { App } from '../model/app.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './desk.js';
import './sign-in.js';

/** The root: sign-in, the desk, or what stands between. */
@customElement('cl-app')
export class AppElement extends Component {
  @property({ attribute: false }) app!: App;
  #tick: ReturnType<typeof setTimeout> | undefined;

  static override styles = [
    base,
    buttons,
    css`
      :host {
        display: block;
        block-size: 100%;
        overflow: auto;
      }
      .state {
        display: grid;
        place-content: center;
        justify-items: center;
        gap: var(--space-3);
        min-block-size: 100%;
        padding: var(--space-5);
        text-align: center;
        color: var(--ink-2);
      }
      .state > svg {
        inline-size: 40px;
        block-size: 40px;
        stroke-width: 1.4;
      }
      .state b {
        color: var(--ink);
        font-size: 1.0625rem;
        font-weight: 600;
      }
      .state p {
        max-inline-size: 40ch;
      }
      .skeleton {
        display: grid;
        gap: 14px;
        padding: 14px 16px;
        animation: appear 1ms 400ms both;
      }
      .skeleton i {
        block-size: 52px;
        border-radius: var(--radius-m);
        background: var(--sunken);
      }
      .skeleton i:first-child {
        block-size: 36px;
        inline-size: 60%;
      }
      @keyframes appear {
        from {
          opacity: 0;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.app.session.state, this.app.desk];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#tick);
  }

  override updated(): void {
    clearTimeout(this.#tick);
    if (this.app.session.state.value.type === 'unreachable') this.#tick = setTimeout(() => this.requestUpdate(), 500);
  }

  override render(): unknown {
    const session = this.app.session.state.value;
    switch (session.type) {
      case 'checking':
        return this.#loading();
      case 'unreachable': {
        const seconds = Math.max(0, Math.ceil((session.retryAt - Date.now()) / 1000));
        return this.#problem(t('start.unreachable'), seconds > 0 ? t('retry.in', { time: amount(seconds, 'second') }) : t('retry.now'));
      }
      case 'signed-out':
      case 'signing-in':
        return html`<cl-sign-in .session=${this.app.session} user=${this.app.route.user}></cl-sign-in>`;
      case 'signed-in':
        return this.#signedIn();
    }
  }

  #signedIn(): unknown {
    const status = this.app.desk.value;
    switch (status.type) {
      case 'none':
      case 'opening':
        return this.#loading();
      case 'failed':
        return status.reason === 'unreachable'
          ? this.#problem(t('start.unreachable'), t('retry.now'))
          : this.#problem(t('start.failed'), t('start.failedRemedy'), status.detail);
      case 'open':
        return html`<cl-desk .desk=${status.desk} .signOut=${() => void this.app.signOut()}></cl-desk>`;
    }
  }

  #loading(): unknown {
    return html`<div class="skeleton" role="status" aria-label=${t('state.loading')}><i></i><i></i><i></i><i></i></div>`;
  }

  #problem(title: string, text: string, detail = ''): unknown {
    return html`<div class="state" role="alert" data-testid="connection-state" data-state="offline">
      ${icon('wifiOff')}<b>${title}</b>
      <p>${text}</p>
      <button type="button" class="button primary" @click=${() => this.app.retry()}>${t('action.tryAgain')}</button>
      ${detail ? html`<small>${detail}</small>` : null}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-app': AppElement;
  }
}
