import { css, html, nothing } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { PartySearch } from '../model/party-search.js';
import type { Mark, Suggestion, SuggestionKind } from '../model/search.js';
import { base, buttons, rows } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';

const KINDS: Record<SuggestionKind, MessageKey> = {
  line: 'dial.line',
  extension: 'dial.extension',
  dial: 'dial.asTyped',
  favourite: 'dial.favourite',
  recent: 'dial.recent',
  directory: 'dial.directory',
};

/** What a person took: a result, or nothing because there was none. */
export interface Taken {
  readonly suggestion: Suggestion | undefined;
  /** By Enter with Shift: the second of two ways. */
  readonly second: boolean;
}

/**
 * The universal field: name, number or address, and whom it finds. One component wherever somebody is looked for.
 *
 * @fires take Enter, the button in the field, or a result that was clicked: `Taken`.
 * @fires leave Esc in the empty field.
 */
@customElement('cl-party-field')
export class PartyField extends Component {
  @property({ attribute: false }) search!: PartySearch;
  @property() label = '';
  /** Shown in the empty field; the name if there is none. */
  @property() hint = '';
  /** The name of a button in the field that takes the chosen result; none if empty. */
  @property() go = '';
  /** A click only chooses a result: what to do with it is asked elsewhere. */
  @property({ type: Boolean }) choosing = false;
  /** Room for one result: a keypad stands below. */
  @property({ type: Boolean, reflect: true }) short = false;
  /** Room for a few results: it stands in a card. */
  @property({ type: Boolean, reflect: true }) framed = false;
  @query('input') private input!: HTMLInputElement;
  @state() private closed = false;

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
      :host([framed]) .field {
        background: var(--bg);
      }
      :host([framed]) ul {
        max-block-size: min(236px, 30vh);
        overflow: auto;
        scrollbar-width: thin;
      }
      @media (max-height: 560px) {
        :host([short]) ul {
          display: none;
        }
        :host([framed]) ul {
          max-block-size: 98px;
        }
        :host([framed]) .row {
          min-block-size: 48px;
          padding-block: 2px;
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
    return [this.search.state];
  }

  /** Puts the cursor behind what is typed. */
  override focus(): void {
    this.input.focus();
    this.input.setSelectionRange(this.input.value.length, this.input.value.length);
  }

  override render(): unknown {
    const { text, suggestions, selected } = this.search.state.value;
    const open = suggestions.length > 0 && !this.closed;
    return html`
      <div class="top"><div class="field">
        ${icon('search')}
        <input
          type="search"
          role="combobox"
          aria-label=${this.label}
          placeholder=${this.hint || this.label}
          aria-autocomplete="list"
          aria-expanded=${open}
          aria-controls="results"
          aria-activedescendant=${open && selected >= 0 ? `result-${selected}` : nothing}
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          enterkeyhint="go"
          .value=${text}
          @input=${this.#typed}
          @keydown=${this.#key}
        />
        ${text ? html`<button type="button" class="icon-button" aria-label=${t('dial.clear')} @click=${this.#clear}>${icon('close')}</button>` : nothing}
        ${text && this.go ? html`<button type="button" class="call" aria-label=${this.go} @click=${() => this.#take()}>${icon('phone')}</button>` : nothing}
      </div><slot></slot></div>
      <ul id="results" role="listbox" aria-label=${t('dial.results')} ?hidden=${!open}>
        ${open ? suggestions.map((suggestion, index) => this.#result(suggestion, index, index === selected)) : nothing}
      </ul>
      ${text && suggestions.length === 0 ? html`<p class="none" role="status">${t('dial.nothingFound')}</p>` : nothing}
    `;
  }

  override updated(): void {
    if (this.framed) this.renderRoot.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }

  #result(suggestion: Suggestion, index: number, selected: boolean): unknown {
    const typed = suggestion.kind === 'dial';
    return html`<li id="result-${index}" class="row" role="option" aria-label=${typed ? t('dial.callTyped', { text: suggestion.name }) : nothing} aria-selected=${selected} @pointerdown=${(e: Event) => e.preventDefault()} @click=${() => this.#clicked(index)}>
      ${typed ? html`<span class="dial-icon">${icon('phone')}</span>` : html`<cl-avatar name=${suggestion.name}></cl-avatar>`}
      <span class="text">
        <span class="name truncate">${typed ? suggestion.name : marked(suggestion.name, suggestion.nameMark)}</span>
        <span class="detail tabular truncate">${typed ? this.#typedDetail(suggestion) : html`<span>${marked(suggestion.number, suggestion.numberMark)}</span><span aria-hidden="true">·</span><span>${t(KINDS[suggestion.kind])}</span>`}</span>
      </span>
      ${selected && !this.choosing ? html`<kbd aria-hidden="true">${t('dial.enter')}</kbd>` : nothing}
    </li>`;
  }

  /** What will really be dialled, when it differs from what was typed. */
  #typedDetail(suggestion: Suggestion): string {
    return suggestion.number === suggestion.name ? t(KINDS.dial) : suggestion.number;
  }

  readonly #typed = (): void => {
    this.closed = false;
    this.search.type(this.input.value);
  };

  readonly #clear = (): void => {
    this.search.clear();
    this.input.focus();
  };

  #clicked(index: number): void {
    this.search.select(index);
    if (!this.choosing) this.#take();
  }

  #take(second = false): void {
    this.dispatchEvent(new CustomEvent<Taken>('take', { detail: { suggestion: this.search.chosen, second } }));
    if (!this.choosing) this.input.blur();
  }

  readonly #key = (event: KeyboardEvent): void => {
    switch (event.key) {
      case 'Enter':
        if (event.isComposing) return;
        this.#take(event.shiftKey);
        break;
      case 'ArrowDown':
      case 'ArrowUp':
        this.closed = false;
        this.search.move(event.key === 'ArrowDown' ? 1 : -1);
        break;
      case 'Escape':
        this.#escape();
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  #escape(): void {
    if (this.search.state.value.text) {
      this.search.clear();
      return;
    }
    this.input.blur();
    this.dispatchEvent(new CustomEvent('leave'));
  }
}

function marked(text: string, mark: Mark): unknown {
  if (!mark) return text;
  return html`${text.slice(0, mark[0])}<mark>${text.slice(mark[0], mark[1])}</mark>${text.slice(mark[1])}`;
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-party-field': PartyField;
  }
}
