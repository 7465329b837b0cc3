import { css, html } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { settingsStyles } from '../styles/settings.js';
import { Component } from './component.js';
import { icon } from './icons.js';

/** Replaced by the build with the version of the package. */
declare const __APP_VERSION__: string;

const TIPS: readonly MessageKey[] = ['help.dial', 'help.keys', 'help.tel', 'help.install'];

/** Who is signed in here, how to leave, and a little help. */
@customElement('cl-settings-account')
export class SettingsAccount extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) signOut!: () => void;
  @state() private asking = false;

  static override styles = [
    base,
    buttons,
    settingsStyles,
    css`
      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 8px 16px;
      }
      dt {
        color: var(--ink-2);
      }
      dd {
        overflow-wrap: anywhere;
      }
      .tips {
        display: grid;
        gap: var(--space-2);
        padding-inline-start: 18px;
        list-style: disc;
        font-size: 0.875rem;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.calls.state];
  }

  override render(): unknown {
    const { account } = this.desk;
    const facts: Array<[MessageKey, string]> = [
      ['account.name', account.displayName],
      ['account.number', account.number],
      ['account.address', `${account.id}@${account.domain}`],
    ];
    return html`
      <div class="group">
        <dl>${facts.map(([label, value]) => html`<dt>${t(label)}</dt><dd class="tabular">${value}</dd>`)}</dl>
        ${this.asking ? this.#question() : html`<button type="button" class="button soft" @click=${this.#ask}>${icon('signOut')}<span>${t('account.signOut')}</span></button>`}
      </div>
      <div class="group">
        <h2>${t('help.title')}</h2>
        <ul class="tips">${TIPS.map((tip) => html`<li>${t(tip)}</li>`)}</ul>
        <button type="button" class="button soft" @click=${() => this.desk.toggleShortcuts()}>${icon('keyboard')}<span>${t('action.shortcuts')}</span></button>
      </div>
      <div class="group">
        <h2>${t('about.title')}</h2>
        <p class="hint">${t('about.text', { version: __APP_VERSION__ })}</p>
      </div>
    `;
  }

  #question(): unknown {
    return html`<div class="note" role="alertdialog" aria-label=${t('account.signOut')}>
      ${icon('warning')}
      <div>
        <span>${t('account.signOutInCall')}</span>
        <span class="pair">
          <button type="button" class="button stop" @click=${() => this.signOut()}>${t('account.signOut')}</button>
          <button type="button" class="button soft" @click=${() => (this.asking = false)}>${t('action.cancel')}</button>
        </span>
      </div>
    </div>`;
  }

  /** Asks only when something would be lost. */
  readonly #ask = (): void => {
    if (this.desk.calls.state.value.phone.calls.length > 0) this.asking = true;
    else this.signOut();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-settings-account': SettingsAccount;
  }
}
