import { css, html } from 'lit';
import { customElement } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';

const KEYS: ReadonlyArray<readonly [key: string, letters: string]> = [
  ['1', ''],
  ['2', 'ABC'],
  ['3', 'DEF'],
  ['4', 'GHI'],
  ['5', 'JKL'],
  ['6', 'MNO'],
  ['7', 'PQRS'],
  ['8', 'TUV'],
  ['9', 'WXYZ'],
  ['*', ''],
  ['0', '+'],
  ['#', ''],
];

const LONG_PRESS_MS = 450;

/** Twelve keys. Fires `key` with the character; a long press on 0 gives `+`. */
@customElement('cl-keypad')
export class Keypad extends Component {
  #pressed: ReturnType<typeof setTimeout> | undefined;
  #longDone = false;

  static override styles = [
    base,
    css`
      :host {
        display: block;
      }
      .keys {
        display: grid;
        grid-template-columns: repeat(3, 1fr);
        gap: var(--keypad-gap, 8px);
      }
      button {
        display: grid;
        align-content: center;
        justify-items: center;
        min-block-size: var(--key-height, 56px);
        border: 1px solid var(--hair);
        border-radius: var(--radius-m);
        background: var(--surface);
        font-size: 1.375rem;
        line-height: 1.1;
        text-align: center;
        transition: background-color var(--quick);
      }
      @media (max-height: 560px) {
        .keys {
          gap: 5px;
        }
        button {
          min-block-size: 44px;
        }
      }
      button:hover {
        background: linear-gradient(var(--hover), var(--hover)), var(--surface);
      }
      button:active {
        background: var(--accent-soft);
      }
      small {
        min-block-size: 11px;
        font-size: 0.59375rem;
        letter-spacing: 0.14em;
        color: var(--ink-3);
      }
      small:empty {
        display: var(--empty-letters, block);
      }
    `,
  ];

  override render(): unknown {
    return html`<div class="keys" role="group" aria-label=${t('keypad.group')}>
      ${KEYS.map(
        ([key, letters]) => html`<button
          type="button"
          aria-label=${keyName(key)}
          @pointerdown=${() => this.#down(key)}
          @pointerup=${this.#up}
          @pointerleave=${this.#up}
          @pointercancel=${this.#up}
          @contextmenu=${(event: Event) => event.preventDefault()}
          @click=${() => this.#click(key)}
        >
          <span aria-hidden="true">${key}</span><small aria-hidden="true">${letters}</small>
        </button>`,
      )}
    </div>`;
  }

  #down(key: string): void {
    this.#longDone = false;
    if (key !== '0') return;
    this.#pressed = setTimeout(() => {
      this.#longDone = true;
      this.#fire('+');
    }, LONG_PRESS_MS);
  }

  readonly #up = (): void => clearTimeout(this.#pressed);

  #click(key: string): void {
    clearTimeout(this.#pressed);
    if (!this.#longDone) this.#fire(key);
    this.#longDone = false;
  }

  #fire(key: string): void {
    this.dispatchEvent(new CustomEvent<string>('key', { detail: key }));
  }
}

function keyName(key: string): string {
  if (key === '*') return t('keypad.star');
  return key === '#' ? t('keypad.hash') : key;
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-keypad': Keypad;
  }
}
