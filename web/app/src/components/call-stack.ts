import { css, html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { Desk } from '../model/desk.js';
import { base } from '../styles/shared.js';
import { Component } from './component.js';
import './incoming-card.js';
import './call-card.js';
import './ended-card.js';

/** Every call of the moment: who rings, who is up, who waits, who just left. */
@customElement('cl-call-stack')
export class CallStack extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ type: Boolean }) compact = false;

  static override styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: 10px;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.calls.state];
  }

  override render(): unknown {
    const { incoming, current, ended } = this.desk.calls.state.value;
    const busy = current.length > 0;
    return html`
      ${repeat(incoming, (call) => call.id, (call) => html`<cl-incoming-card .desk=${this.desk} .call=${call} ?busy=${busy}></cl-incoming-card>`)}
      ${repeat(current, (call) => call.id, (call, index) => html`<cl-call-card .desk=${this.desk} .call=${call} ?compact=${this.compact || index > 0 || incoming.length > 0}></cl-call-card>`)}
      ${repeat(ended, ({ call }) => call.id, ({ call }) => html`<cl-ended-card .desk=${this.desk} .call=${call}></cl-ended-card>`)}
    `;
  }

  override updated(): void {
    this.#keepFocus();
  }

  /** A card that leaves with the focus inside hands it to the next one, or to the application. */
  #keepFocus(): void {
    const inside = this.renderRoot instanceof ShadowRoot && this.renderRoot.activeElement !== null;
    if (inside) {
      this.#hadFocus = true;
      return;
    }
    if (!this.#hadFocus) return;
    this.#hadFocus = false;
    if (focusLost()) void this.#focusCard();
  }

  /** The card, not its first button: a key pressed twice must not end or redial a call. */
  async #focusCard(): Promise<void> {
    const card = this.renderRoot.querySelector<Component>('cl-incoming-card, cl-call-card, cl-ended-card');
    await card?.updateComplete;
    const section = card?.shadowRoot?.querySelector<HTMLElement>('section');
    if (section) section.focus();
    else this.dispatchEvent(new CustomEvent('focus-lost', { bubbles: true, composed: true }));
  }

  #hadFocus = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener('focusin', () => (this.#hadFocus = true));
    this.addEventListener('focusout', (event) => {
      // Focus that went somewhere is not lost; focus on a removed element has no destination.
      if (event.relatedTarget) this.#hadFocus = false;
    });
  }
}

/** Whether nothing has the focus: the element that had it is gone. */
function focusLost(): boolean {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active === null || active === document.body || active.localName.startsWith('cl-');
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-stack': CallStack;
  }
}
