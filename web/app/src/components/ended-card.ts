import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { CallState } from '@clearline/phone';
import { t, timer } from '../i18n/i18n.js';
import { endText, endedBadly } from '../model/call-text.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { cards } from '../styles/cards.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';

/** A call that is just over: why, and one step back to it. Leaves by itself. */
@customElement('cl-ended-card')
export class EndedCard extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;

  static override styles = [
    base,
    buttons,
    cards,
    css`
      .card {
        padding: 12px 14px;
        box-shadow: none;
        border: 1px solid var(--hair);
        background: var(--surface);
        border-radius: var(--radius-m);
      }
      .who {
        gap: 10px;
      }
      h2 {
        font-size: 0.96875rem;
      }
      .why {
        color: var(--ink-2);
        font-size: 0.8125rem;
        overflow-wrap: anywhere;
      }
      .bad .why {
        color: var(--stop-ink);
        font-weight: 550;
      }
      .who > .icon-button {
        align-self: flex-start;
        margin: -6px -8px -6px 0;
      }
      .code {
        color: var(--ink-3);
        font-size: var(--text-xs);
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2);
      }
      .actions .button {
        flex: 1;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state];
  }

  override render(): unknown {
    const { call } = this;
    const person = this.desk.contacts.person(call.remote);
    const outgoing = call.direction === 'outgoing';
    const neverAnswered = call.answeredAt === null;
    const lasted = call.answeredAt !== null && call.end ? timer(call.end.at - call.answeredAt) : '';
    return html`<section
      class="card ${endedBadly(call) ? 'bad' : ''}"
      role="region" tabindex="-1"
      aria-label=${person.name}
      data-testid="ended-card"
      data-call-state="ended"
      data-call-id=${call.id}
      data-end-cause=${call.end?.cause ?? ''}
    >
      <div class="who">
        <cl-avatar name=${person.name}></cl-avatar>
        <div class="names">
          <h2>${person.name}</h2>
          <p class="why">
            ${this.#why()}${lasted ? html` · <span class="tabular">${lasted}</span>` : nothing}
            ${this.#code()}
          </p>
        </div>
        <button type="button" class="icon-button" aria-label=${t('action.close')} @click=${() => this.desk.calls.dismissEnded(call.id)}>${icon('close')}</button>
      </div>
      <div class="actions">
        <button type="button" class="button soft" @click=${() => this.desk.call(person.target, person.name)}>
          ${icon('phone')}<span>${t(outgoing ? 'action.redial' : 'action.callBack')}</span>
        </button>
        ${outgoing && neverAnswered
          ? html`<button type="button" class="button soft" @click=${() => this.#edit(person.target)}><span>${t('action.editNumber')}</span></button>`
          : nothing}
      </div>
    </section>`;
  }

  #why(): string {
    const to = this.call.end?.cause === 'transferred' ? this.desk.switchboard.destination(this.call.id) : undefined;
    return to ? t('end.transferredTo', { name: to }) : t(endText(this.call));
  }

  /** The SIP status, only where a support desk would ask for it. */
  #code(): unknown {
    const status = this.call.end?.sipStatus;
    return this.call.direction === 'outgoing' && endedBadly(this.call) && status ? html`<span class="code tabular">${t('end.code', { code: String(status) })}</span>` : nothing;
  }

  #edit(target: string): void {
    this.desk.calls.dismissEnded(this.call.id);
    this.desk.prefill(target);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-ended-card': EndedCard;
  }
}
