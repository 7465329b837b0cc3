import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { VIEWS, type View } from '../model/route.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import { icon, type IconName } from './icons.js';

const ITEMS: Record<View, readonly [IconName, MessageKey]> = {
  phone: ['phone', 'nav.phone'],
  calls: ['calls', 'nav.calls'],
  contacts: ['contacts', 'nav.contacts'],
  settings: ['settings', 'nav.settings'],
};

/** The ways through the app: a bar below, a rail on wide screens. */
@customElement('cl-app-nav')
export class AppNav extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ type: Boolean, reflect: true }) rail = false;

  static override styles = [
    base,
    css`
      :host {
        display: block;
        background: var(--surface);
        border-block-start: 1px solid var(--hair);
      }
      nav {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: minmax(0, 1fr);
        padding: 4px 4px max(6px, env(safe-area-inset-bottom));
      }
      button {
        position: relative;
        display: grid;
        justify-items: center;
        align-content: center;
        gap: 3px;
        min-block-size: 52px;
        padding: 4px 0;
        border-radius: 12px;
        font-size: var(--text-xs);
        color: var(--ink-2);
        text-align: center;
      }
      button:hover {
        color: var(--ink);
      }
      button:focus-visible {
        outline-offset: -3px;
      }
      button[aria-current] {
        color: var(--accent);
        font-weight: 600;
      }
      svg {
        inline-size: 22px;
        block-size: 22px;
      }
      .label {
        max-inline-size: 100%;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .badge {
        position: absolute;
        inset-block-start: 3px;
        inset-inline-start: calc(50% + 5px);
        min-inline-size: 17px;
        padding: 0 5px;
        border-radius: 9px;
        background: var(--stop);
        color: var(--on-stop);
        font-size: 0.65625rem;
        font-weight: 700;
        line-height: 17px;
        font-variant-numeric: tabular-nums;
      }
      :host([rail]) {
        border-block-start: 0;
        border-inline-end: 1px solid var(--hair);
      }
      :host([rail]) nav {
        grid-auto-flow: row;
        gap: 6px;
        padding: 14px 8px;
      }
      :host([rail]) button {
        min-block-size: 64px;
        font-size: var(--text-xs);
      }
      :host([rail]) button[aria-current] {
        background: var(--accent-soft);
      }
      :host([rail]) button:hover:not([aria-current]) {
        background: var(--hover);
      }
      .mark {
        display: none;
      }
      :host([rail]) .mark {
        display: grid;
        place-items: center;
        block-size: 44px;
        margin-block-end: 8px;
        color: var(--accent);
      }
      .mark svg {
        inline-size: 40px;
        block-size: 24px;
        stroke-width: 2.2;
      }
      @media (max-height: 560px) {
        :host(:not([rail])) button {
          min-block-size: 44px;
        }
        :host(:not([rail])) .label {
          position: absolute;
          inline-size: 1px;
          block-size: 1px;
          overflow: hidden;
          clip-path: inset(50%);
        }
      }
      @media (forced-colors: active) {
        .badge {
          border: 1px solid CanvasText;
        }
        button[aria-current] {
          outline: 2px solid Highlight;
          outline-offset: -3px;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.state, this.desk.history.state];
  }

  override render(): unknown {
    return html`<nav aria-label=${t('nav.label')}>
      <span class="mark" aria-hidden="true"><svg viewBox="0 0 40 24"><path d="M1 12h9l3-7 5 14 4-11 3 6 2-2h12" /></svg></span>
      ${VIEWS.map((view) => this.#item(view))}
    </nav>`;
  }

  #item(view: View): unknown {
    const [name, label] = ITEMS[view];
    const missed = view === 'calls' ? this.desk.history.state.value.unseen : 0;
    return html`<button
      type="button"
      aria-current=${this.desk.state.value.view === view ? 'page' : nothing}
      aria-label=${missed > 0 ? t('nav.callsMissed', { count: missed }) : nothing}
      @click=${() => this.desk.show(view)}
    >
      ${icon(name)}<span class="label">${t(label)}</span>${missed > 0 ? html`<span class="badge" data-testid="missed-badge">${missed > 99 ? '99+' : missed}</span>` : nothing}
    </button>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-app-nav': AppNav;
  }
}
