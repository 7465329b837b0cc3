import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { CallState } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import { perform, type ActionId } from '../model/actions.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { cards } from '../styles/cards.js';
import { Component } from './component.js';
import { divertedText } from '../model/diversion-text.js';
import { icon } from './icons.js';
import './avatar.js';

/** Somebody calls. A card, never a trap: everything else stays usable. */
@customElement('cl-incoming-card')
export class IncomingCard extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;
  /** Another call is up: answering has two meanings. */
  @property({ type: Boolean }) busy = false;

  static override styles = [
    base,
    buttons,
    cards,
    css`
      .card {
        box-shadow: var(--shadow-high);
        border: 1px solid var(--hair);
      }
      .eyebrow {
        color: var(--go-ink);
        font-weight: 600;
        font-size: 0.8125rem;
        display: flex;
        gap: 6px;
        align-items: center;
      }
      .eyebrow svg {
        inline-size: 14px;
        block-size: 14px;
        animation: swing 1.2s ease-in-out infinite;
      }
      @keyframes swing {
        0%,
        50%,
        100% {
          rotate: 0deg;
        }
        12%,
        37% {
          rotate: 14deg;
        }
        25% {
          rotate: -14deg;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state];
  }

  override render(): unknown {
    const { name, number } = this.desk.contacts.person(this.call.remote);
    const { transferredBy } = this.call;
    const passedOn = transferredBy && t('call.passedOn', { name: this.desk.contacts.person(transferredBy).name });
    const diverted = divertedText(this.call, this.desk.contacts);
    return html`<section class="card" role="region" tabindex="-1" aria-label=${name} data-testid="incoming-card" data-call-state="incoming" data-call-id=${this.call.id}>
      <div class="who">
        <cl-avatar size="l" name=${name}></cl-avatar>
        <div class="names">
          <p class="eyebrow">${icon('bell')}${t('call.incoming')}</p>
          <h2>${name}</h2>
          ${number && number !== name ? html`<p class="sub tabular truncate">${number}</p>` : null}
          ${passedOn ? html`<p class="sub truncate" data-testid="passed-on-by">${passedOn}</p>` : null}
          ${diverted ? html`<p class="sub truncate" data-testid="diverted-by">${diverted}</p>` : null}
        </div>
      </div>
      ${this.busy ? this.#second() : this.#first()}
    </section>`;
  }

  #first(): unknown {
    return html`<div class="two">${this.#decline('large')} ${this.#button('answer', 'go large', t('action.answer'))}</div>`;
  }

  #second(): unknown {
    return html`${this.#button('holdAndAnswer', 'go large', t('action.holdAndAnswer'))}
      <div class="two">${this.#decline('')} ${this.#button('endAndAnswer', 'soft', t('action.endAndAnswer'))}</div>`;
  }

  #decline(size: string): unknown {
    return html`<button type="button" class="button stop ${size}" @click=${() => this.#act('decline')}>${icon('end')}<span>${t('action.decline')}</span></button>`;
  }

  #button(action: ActionId, style: string, label: string): unknown {
    const plain = action === 'endAndAnswer';
    return html`<button type="button" class="button ${style}" @click=${() => this.#act(action)}>${plain ? null : icon('phone')}<span>${label}</span></button>`;
  }

  #act(action: ActionId): void {
    perform(this.desk, action, 'button', this.call.id);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-incoming-card': IncomingCard;
  }
}
