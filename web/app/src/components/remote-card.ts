import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { RemoteCall } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { cards } from '../styles/cards.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';
import './call-timer.js';

/** A conversation on another device of this user, to be taken over here. */
@customElement('cl-remote-card')
export class RemoteCard extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: RemoteCall;

  static override styles = [
    base,
    buttons,
    cards,
    css`
      .card {
        padding: var(--space-3) var(--space-4);
        gap: var(--space-2);
        background: var(--surface);
        border: 1px solid var(--hair);
        box-shadow: none;
      }
      .place {
        display: flex;
        gap: 6px;
        align-items: center;
        color: var(--ink-2);
        font-size: 0.8125rem;
      }
      .place svg {
        inline-size: 16px;
        block-size: 16px;
        flex: none;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state, this.desk.calls.state];
  }

  override render(): unknown {
    const { device, remote, since, canBePulled } = this.call;
    const { name } = this.desk.contacts.person(remote);
    const place = device ? t('remote.onDevice', { device }) : t('remote.onOther');
    // A group and not a region: this is no call of this device.
    return html`<section class="card" role="group" aria-label=${t('remote.label', { name })} data-testid="remote-call">
      <div class="who">
        <cl-avatar size="m" name=${name}></cl-avatar>
        <div class="names">
          <h2>${name}</h2>
          <p class="place">${icon('devices')}<span class="truncate">${place}</span><span aria-hidden="true">·</span><cl-call-timer since=${since}></cl-call-timer></p>
        </div>
      </div>
      ${canBePulled ? this.#pull() : nothing}
    </section>`;
  }

  #pull(): unknown {
    const isOffline = this.desk.calls.state.value.phone.connection.type !== 'connected';
    return html`<button type="button" class="button soft" ?disabled=${isOffline} @click=${() => this.desk.switchboard.pull(this.call)}>
      ${icon('phone')}<span>${t('action.pull')}</span>
    </button>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-remote-card': RemoteCard;
  }
}
