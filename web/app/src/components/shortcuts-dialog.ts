import { css, html, nothing } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import { ACTIONS, type Action } from '../model/actions.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';

/** The list of keys. Not modal: a call that comes in must stay answerable. */
@customElement('cl-shortcuts-dialog')
export class ShortcutsDialog extends Component {
  @property({ attribute: false }) desk!: Desk;
  @query('[role=dialog]') private panel?: HTMLElement;
  #returnTo: HTMLElement | null = null;
  #open = false;

  static override styles = [
    base,
    buttons,
    css`
      /* Over the view only: a live call's controls are never covered. */
      [role='dialog'] {
        max-inline-size: 460px;
        max-block-size: 100%;
        margin-inline: auto;
        overflow: auto;
        padding: var(--space-4);
        border: 1px solid var(--hair);
        border-radius: var(--radius-l);
        background: var(--raised);
        box-shadow: var(--shadow-high);
      }
      [role='dialog']:focus {
        outline: none;
      }
      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
      }
      h2 {
        font-size: 1.0625rem;
      }
      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 9px 16px;
        align-items: center;
        margin-block-start: var(--space-2);
      }
      dt {
        display: flex;
        gap: 4px;
      }
      kbd {
        display: inline-grid;
        place-items: center;
        min-inline-size: 30px;
        padding: 3px 8px;
        border: 1px solid var(--edge);
        border-block-end-width: 2px;
        border-radius: 7px;
        font: 600 var(--text-s) / 1.3 var(--font);
      }
      p {
        margin-block-start: var(--space-3);
        font-size: 0.8125rem;
        color: var(--ink-2);
      }
    `,
  ];

  protected override watched() {
    return [this.desk.state];
  }

  override render(): unknown {
    if (!this.desk.state.value.shortcutsOpen) return nothing;
    const extra: Array<[string, MessageKey]> = [
      ['0–9', 'shortcuts.digits'],
      [', ;', 'shortcuts.pause'],
      ['↑ ↓', 'shortcuts.lines'],
    ];
    return html`<div role="dialog" part="panel" aria-modal="false" aria-labelledby="title" tabindex="-1">
      <header>
        <h2 id="title">${t('shortcuts.title')}</h2>
        <button type="button" class="icon-button" aria-label=${t('action.close')} @click=${() => this.desk.toggleShortcuts()}>${icon('close')}</button>
      </header>
      <dl>
        ${(Object.values(ACTIONS) as Action[]).filter((action) => action.key).map((action) => html`<dt><kbd>${action.key}</kbd></dt><dd>${t(action.label)}</dd>`)}
        ${extra.map(([key, label]) => html`<dt><kbd>${key}</kbd></dt><dd>${t(label)}</dd>`)}
      </dl>
      <p>${t('shortcuts.note')}</p>
    </div>`;
  }

  override updated(): void {
    const { shortcutsOpen } = this.desk.state.value;
    if (shortcutsOpen === this.#open) return;
    this.#open = shortcutsOpen;
    if (shortcutsOpen) {
      this.#returnTo = document.activeElement as HTMLElement | null;
      this.panel?.focus();
    } else {
      this.#returnTo?.focus();
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-shortcuts-dialog': ShortcutsDialog;
  }
}
