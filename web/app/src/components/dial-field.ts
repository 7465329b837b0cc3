import { css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import type { Mark, Suggestion, SuggestionKind } from '../model/search.js';
import { base, buttons, rows } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';

const KINDS: Record<SuggestionKind, MessageKey> = {
  extension: 'dial.extension',
  dial: 'dial.asTyped',
  favourite: 'dial.favourite',
  recent: 'dial.recent',
  directory: 'dial.directory',
};

/** The universal field: name, number or address; what it finds; Enter calls the chosen result. */
@customElement('cl-dial-field')
export class DialField extends Component {
  @property({ attribute: false }) desk!: Desk;
  /** The Call button stands elsewhere. */
  @property({ type: Boolean }) plain = false;
  /** Room for one result: a keypad stands below. */
  @property({ type: Boolean, reflect: true }) short = false;
  @query('input') private input!: HTMLInputElement;
  @state() private closed = false;
  #focusSeen = 0;

  static override styles = [
    base,
    buttons,
    rows,
    css`
      :host {
        display: block;
      }
      .top {
        display: flex;
        gap: var(--space-2);
      }
      :host([short]) ul {
        max-block-size: 62px;
        overflow: auto;
      }
      @media (max-height: 560px) {
        :host([short]) ul {
          display: none;
        }
      }
      .field {
        flex: 1;
        min-inline-size: 0;
        display: flex;
        align-items: center;
        gap: var(--space-2);
        min-block-size: 52px;
        padding-inline: 14px 4px;
        border: 1px solid var(--edge);
        border-radius: var(--radius-m);
        background: var(--surface);
      }
      .field:focus-within {
        border-color: var(--accent);
        box-shadow: 0 0 0 1px var(--accent);
      }
      .field > svg {
        color: var(--ink-2);
      }
      input {
        flex: 1;
        min-inline-size: 0;
        min-block-size: 50px;
        border: 0;
        background: none;
        font-size: 1.0625rem;
        font-variant-numeric: tabular-nums;
      }
      input::placeholder {
        color: var(--ink-3);
        opacity: 1;
      }
      input:focus-visible {
        outline: none;
      }
      input::-webkit-search-cancel-button {
        display: none;
      }
      .call {
        inline-size: var(--target);
        block-size: var(--target);
        border-radius: 11px;
        display: grid;
        place-items: center;
        background: var(--go);
        color: var(--on-go);
      }
      ul {
        margin-block-start: var(--space-2);
      }
      .row {
        align-items: center;
        gap: var(--space-3);
        min-block-size: 58px;
        padding: 7px 8px;
        cursor: pointer;
        border-radius: 0;
      }
      .row:hover {
        background: var(--hover);
      }
      .row[aria-selected='true'] {
        background: var(--accent-soft);
        border-radius: var(--radius-s);
        border-block-end-color: transparent;
      }
      .row mark {
        background: none;
        color: var(--accent);
        font-weight: 700;
      }
      kbd {
        font: inherit;
        font-size: var(--text-s);
        color: var(--accent);
        font-weight: 600;
        white-space: nowrap;
      }
      .dial-icon {
        inline-size: 40px;
        block-size: 40px;
        border-radius: 50%;
        display: grid;
        place-items: center;
        background: var(--accent-soft);
        color: var(--accent);
        flex: none;
      }
      .none {
        padding: var(--space-3) var(--space-1);
        color: var(--ink-2);
        font-size: 0.8125rem;
      }
      @media (hover: none) {
        kbd {
          display: none;
        }
      }
      @media (forced-colors: active) {
        .row[aria-selected='true'] {
          outline: 2px solid Highlight;
          outline-offset: -2px;
        }
      }
    `,
  ];

  protected override watched() {
    return [this.desk.dial.state, this.desk.state];
  }

  override render(): unknown {
    const { text, suggestions, selected } = this.desk.dial.state.value;
    const open = suggestions.length > 0 && !this.closed;
    return html`
      <div class="top"><div class="field">
        ${icon('search')}
        <input
          type="search"
          role="combobox"
          aria-label=${t('dial.label')}
          placeholder=${t('dial.label')}
          aria-autocomplete="list"
          aria-expanded=${open}
          aria-controls="results"
          aria-activedescendant=${open ? `result-${selected}` : nothing}
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          enterkeyhint="go"
          .value=${text}
          @input=${this.#typed}
          @keydown=${this.#key}
        />
        ${text ? html`<button type="button" class="icon-button" aria-label=${t('dial.clear')} @click=${this.#clear}>${icon('close')}</button>` : nothing}
        ${text && !this.plain ? html`<button type="button" class="call" aria-label=${t('action.call')} @click=${this.#call}>${icon('phone')}</button>` : nothing}
      </div><slot></slot></div>
      <ul id="results" role="listbox" aria-label=${t('dial.results')} ?hidden=${!open}>
        ${open ? suggestions.map((suggestion, index) => this.#result(suggestion, index, index === selected)) : nothing}
      </ul>
      ${text && suggestions.length === 0 ? html`<p class="none" role="status">${t('dial.nothingFound')}</p>` : nothing}
    `;
  }

  override updated(): void {
    const { fieldFocus } = this.desk.state.value;
    if (fieldFocus === this.#focusSeen) return;
    this.#focusSeen = fieldFocus;
    this.input.focus();
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    // A wish from before this view was shown counts too, but only a fresh one.
    this.#focusSeen = this.hasUpdated ? this.desk.state.value.fieldFocus : Math.max(0, this.desk.state.value.fieldFocus - 1);
    if (this.desk.state.value.fieldFocus === 0) this.#focusSeen = 0;
  }

  #result(suggestion: Suggestion, index: number, selected: boolean): unknown {
    const typed = suggestion.kind === 'dial';
    return html`<li id="result-${index}" class="row" role="option" aria-label=${typed ? t('dial.callTyped', { text: suggestion.name }) : nothing} aria-selected=${selected} @pointerdown=${(e: Event) => e.preventDefault()} @click=${() => this.#choose(suggestion)}>
      ${typed ? html`<span class="dial-icon">${icon('phone')}</span>` : html`<cl-avatar name=${suggestion.name}></cl-avatar>`}
      <span class="text">
        <span class="name truncate">${typed ? suggestion.name : marked(suggestion.name, suggestion.nameMark)}</span>
        <span class="detail tabular truncate">${typed ? this.#typedDetail(suggestion) : html`<span>${marked(suggestion.number, suggestion.numberMark)}</span><span aria-hidden="true">·</span><span>${t(KINDS[suggestion.kind])}</span>`}</span>
      </span>
      ${selected ? html`<kbd aria-hidden="true">${t('dial.enter')}</kbd>` : nothing}
    </li>`;
  }

  /** What will really be dialled, when it differs from what was typed. */
  #typedDetail(suggestion: Suggestion): string {
    return suggestion.number === suggestion.name ? t(KINDS.dial) : suggestion.number;
  }

  readonly #typed = (): void => {
    this.closed = false;
    this.desk.dial.type(this.input.value);
  };

  readonly #clear = (): void => {
    this.desk.dial.clear();
    this.input.focus();
  };

  readonly #call = (): void => {
    this.desk.callChosen();
    this.input.blur();
  };

  #choose(suggestion: Suggestion): void {
    this.desk.call(suggestion.target, suggestion.kind === 'dial' ? undefined : suggestion.name);
    this.input.blur();
  }

  readonly #key = (event: KeyboardEvent): void => {
    switch (event.key) {
      case 'Enter':
        if (event.isComposing) return;
        this.#call();
        break;
      case 'ArrowDown':
      case 'ArrowUp':
        this.closed = false;
        this.desk.dial.move(event.key === 'ArrowDown' ? 1 : -1);
        break;
      case 'Escape':
        if (!this.desk.dial.state.value.text) {
          this.input.blur();
          break;
        }
        this.desk.dial.clear();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}

function marked(text: string, mark: Mark): unknown {
  if (!mark) return text;
  return html`${text.slice(0, mark[0])}<mark>${text.slice(mark[0], mark[1])}</mark>${text.slice(mark[1])}`;
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-dial-field': DialField;
  }
}
