import { css, html } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { CallState } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { sameNumber } from '../model/number.js';
import type { PartySearch } from '../model/party-search.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import type { PartyField, Taken } from './party-field.js';
import './party-field.js';

/** In a call's card: whom to call as well. */
@customElement('cl-call-picker')
export class CallPicker extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;
  @query('cl-party-field') private field!: PartyField;
  #search: PartySearch | null = null;

  static override styles = [
    base,
    css`
      :host {
        display: grid;
        gap: var(--space-2);
      }
      p {
        color: var(--ink-2);
        font-size: 0.8125rem;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#search?.dispose();
    this.#search = null;
  }

  override firstUpdated(): void {
    void this.field.updateComplete.then(() => this.field.focus());
  }

  override render(): unknown {
    this.#search ??= this.desk.newSearch((number) => this.#onTheLine(number));
    return html`
      <cl-party-field framed .search=${this.#search} label=${t('add.label')} hint=${t('dial.label')} go=${t('action.call')} @take=${this.#take} @leave=${() => this.desk.closePanel()}></cl-party-field>
      <p>${t('add.hint', { name: this.desk.contacts.person(this.call.remote).name })}</p>
    `;
  }

  #onTheLine(number: string): boolean {
    return this.desk.calls.state.value.current.some((call) => sameNumber(this.desk.contacts.person(call.remote).number, number));
  }

  readonly #take = ({ detail: { suggestion } }: CustomEvent<Taken>): void => {
    if (suggestion) this.desk.call(suggestion.target, suggestion.kind === 'dial' ? undefined : suggestion.name);
    else if (this.#search?.state.value.text) this.desk.notices.show({ id: 'call', tone: 'warning', text: 'dial.nothingFound' });
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-picker': CallPicker;
  }
}
