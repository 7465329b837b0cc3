import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './keypad.js';

/** Keypad and the big Call button; on wide screens with its own display of the number. */
@customElement('cl-dial-panel')
export class DialPanel extends Component {
  @property({ attribute: false }) desk!: Desk;
  /** Shows the number too: the field is not beside it. */
  @property({ type: Boolean }) display = false;

  static override styles = [
    base,
    buttons,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
      }
      .number {
        display: flex;
        align-items: center;
        min-block-size: var(--target);
      }
      .number output {
        flex: 1;
        min-inline-size: 0;
        padding-inline-start: var(--target);
        text-align: center;
        font-size: 1.5rem;
        letter-spacing: 0.02em;
        font-variant-numeric: tabular-nums;
        overflow: hidden;
        white-space: nowrap;
        text-overflow: ellipsis;
      }
      .number output.empty {
        font-size: var(--text-m);
        letter-spacing: 0;
        color: var(--ink-2);
        padding-inline: 0;
      }
      .bottom {
        display: grid;
        grid-template-columns: 1fr auto;
        gap: 8px;
      }
      .button.go {
        inline-size: 100%;
      }
      .bottom .icon-button {
        inline-size: 56px;
        block-size: 52px;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.dial.state, this.desk.history.state];
  }

  override render(): unknown {
    const { text } = this.desk.dial.state.value;
    const backspace = html`<button type="button" class="icon-button" aria-label=${t('dial.backspace')} ?disabled=${!text} @click=${() => this.desk.dial.backspace()}>${icon('backspace')}</button>`;
    return html`
      ${this.display
        ? html`<div class="number">
            <output class=${text ? '' : 'empty'} aria-live="off">${text || t('dial.panelHint')}</output>
            ${text ? backspace : nothing}
          </div>`
        : nothing}
      <cl-keypad @key=${(event: CustomEvent<string>) => this.desk.dialKey(event.detail)}></cl-keypad>
      <div class=${this.display ? '' : 'bottom'}>
        <button type="button" class="button go large" ?disabled=${!text && !this.desk.lastDialled} @click=${() => this.desk.callChosen()}>${icon('phone')}<span>${t('action.call')}</span></button>
        ${this.display ? nothing : backspace}
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-dial-panel': DialPanel;
  }
}
