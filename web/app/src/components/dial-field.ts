import { css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import type { PartyField } from './party-field.js';
import './party-field.js';

/** The universal field to dial with: Enter calls the chosen result. */
@customElement('cl-dial-field')
export class DialField extends Component {
  @property({ attribute: false }) desk!: Desk;
  /** The Call button stands elsewhere. */
  @property({ type: Boolean }) plain = false;
  /** Room for one result: a keypad stands below. */
  @property({ type: Boolean }) short = false;
  @query('cl-party-field') private field!: PartyField;
  #focusSeen = 0;

  static override styles = [
    base,
    css`
      :host {
        display: block;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.state];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // A wish from before this view was shown counts too, but only a fresh one.
    this.#focusSeen = this.hasUpdated ? this.desk.state.value.fieldFocus : Math.max(0, this.desk.state.value.fieldFocus - 1);
    if (this.desk.state.value.fieldFocus === 0) this.#focusSeen = 0;
  }

  override render(): unknown {
    return html`<cl-party-field
      .search=${this.desk.dial}
      label=${t('dial.label')}
      go=${this.plain ? '' : t('action.call')}
      ?short=${this.short}
      @take=${() => this.desk.callChosen()}
    ><slot></slot></cl-party-field>`;
  }

  override updated(): void {
    const { fieldFocus } = this.desk.state.value;
    if (fieldFocus === this.#focusSeen) return;
    this.#focusSeen = fieldFocus;
    void this.field.updateComplete.then(() => this.field.focus());
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-dial-field': DialField;
  }
}
