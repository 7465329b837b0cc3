import { css, html } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import './settings-audio.js';
import './settings-general.js';
import './settings-account.js';

const PAGES = ['audio', 'general', 'account'] as const;
type Page = (typeof PAGES)[number];

const TITLES: Record<Page, MessageKey> = { audio: 'settings.audio', general: 'settings.general', account: 'settings.account' };

/** Settings in three short pages. */
@customElement('cl-settings-view')
export class SettingsView extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) signOut!: () => void;
  @state() private page: Page = 'audio';

  static override styles = [
    base,
    css`
      :host {
        display: block;
        max-inline-size: 640px;
      }
      .tabs {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: minmax(0, 1fr);
        gap: 4px;
        padding: 4px;
        border-radius: var(--radius-m);
        background: var(--sunken);
        margin-block-end: var(--space-3);
      }
      .tabs button {
        min-block-size: var(--target);
        border-radius: 11px;
        font-weight: 600;
        font-size: 0.84375rem;
        text-align: center;
        color: var(--ink-2);
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .tabs button:hover {
        color: var(--ink);
      }
      .tabs [aria-selected='true'] {
        background: var(--raised);
        color: var(--ink);
        box-shadow: 0 1px 3px #0002;
      }
      @media (forced-colors: active) {
        .tabs [aria-selected='true'] {
          outline: 2px solid Highlight;
          outline-offset: -2px;
        }
      }
    `,
  ];

  override render(): unknown {
    return html`
      <h1 class="visually-hidden">${t('nav.settings')}</h1>
      <div class="tabs" role="tablist" aria-label=${t('nav.settings')} @keydown=${this.#arrows}>
        ${PAGES.map(
          (page) => html`<button
            type="button"
            role="tab"
            id="tab-${page}"
            aria-controls="panel"
            aria-selected=${page === this.page}
            tabindex=${page === this.page ? 0 : -1}
            @click=${() => (this.page = page)}
          >
            ${t(TITLES[page])}
          </button>`,
        )}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${this.page}">${this.#content()}</div>
    `;
  }

  #content(): unknown {
    switch (this.page) {
      case 'audio':
        return html`<cl-settings-audio .desk=${this.desk}></cl-settings-audio>`;
      case 'general':
        return html`<cl-settings-general .desk=${this.desk}></cl-settings-general>`;
      case 'account':
        return html`<cl-settings-account .desk=${this.desk} .signOut=${this.signOut}></cl-settings-account>`;
    }
  }

  readonly #arrows = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = PAGES[(PAGES.indexOf(this.page) + step + PAGES.length) % PAGES.length];
    if (!next) return;
    this.page = next;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`#tab-${next}`)?.focus());
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-settings-view': SettingsView;
  }
}
