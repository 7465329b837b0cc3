import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { CallState } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import { ACTIONS, perform, type Action, type ActionId } from '../model/actions.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { focusLost } from './focus.js';
import { icon, type IconName } from './icons.js';
import './incoming-card.js';
import './call-card.js';
import './ended-card.js';
import './remote-card.js';

/** Every call of the moment: who rings, who is up, who waits, who just left. */
@customElement('cl-call-stack')
export class CallStack extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ type: Boolean }) compact = false;

  static override styles = [
    base,
    buttons,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: 10px;
      }
      .between {
        display: flex;
        gap: 10px;
      }
      .between .button {
        flex: 1;
      }
      .between .plain {
        background: var(--surface);
        border-color: var(--hair);
      }
      .between .plain:hover {
        background: linear-gradient(var(--hover), var(--hover)), var(--surface);
      }
      .between svg {
        inline-size: 18px;
        block-size: 18px;
      }
      .conference {
        display: grid;
        gap: 10px;
        padding: 14px;
        border-radius: var(--radius-l);
        background: var(--raised);
        box-shadow: var(--shadow);
      }
      .conference h3 {
        font-size: 1rem;
        font-weight: 620;
      }
      .waiting {
        margin-block-start: 4px;
        color: var(--ink-2);
        font-size: var(--text-s);
        font-weight: 600;
      }
    `,
  ];

  protected override watched() {
    return [this.desk.calls.state];
  }

  override render(): unknown {
    const { incoming, current, ended, elsewhere } = this.desk.calls.state.value;
    const busy = current.length > 0;
    const members = current.filter((call) => call.conference !== null);
    const held = current.filter((call) => call.localHold && call.conference === null);
    const talking = current.filter((call) => !call.localHold && call.conference === null);
    const atTheEar = talking.length + members.length;
    return html`
      ${repeat(incoming, (call) => call.id, (call) => html`<cl-incoming-card .desk=${this.desk} .call=${call} ?busy=${busy}></cl-incoming-card>`)}
      ${members.length > 0 ? this.#conference(members) : nothing}
      ${this.#cards(talking, (index) => index > 0 || incoming.length > 0)}
      ${atTheEar > 0 && held.length > 0 && !this.compact && incoming.length === 0 ? this.#between() : nothing}
      ${held.length > 1 && !this.compact ? html`<h3 class="waiting">${t('call.heldCount', { count: held.length })}</h3>` : nothing}
      ${this.#cards(held, () => incoming.length > 0)}
      ${repeat(elsewhere, ({ id }) => id, (call) => html`<cl-remote-card .desk=${this.desk} .call=${call}></cl-remote-card>`)}
      ${repeat(ended, ({ call }) => call.id, ({ call }) => html`<cl-ended-card .desk=${this.desk} .call=${call}></cl-ended-card>`)}
    `;
  }

  #cards(calls: readonly CallState[], compact: (index: number) => boolean): unknown {
    const tight = this.desk.calls.state.value.current.length > 1;
    return repeat(calls, (call) => call.id, (call, index) => html`<cl-call-card .desk=${this.desk} .call=${call} ?compact=${this.compact || compact(index)} ?tight=${tight}></cl-call-card>`);
  }

  /** One card for all who hear each other. */
  #conference(members: readonly CallState[]): unknown {
    const { switchboard } = this.desk;
    const muted = members.every((call) => call.muted);
    const title = t('conference.title', { count: members.length });
    return html`<section class="conference" role="group" aria-label=${title} data-testid="conference">
      <h3>${title}</h3>
      ${this.#cards(members, () => true)}
      <div class="between">
        <button type="button" class="button plain" aria-pressed=${muted} @click=${() => perform(this.desk, 'mute', 'button', members[0]?.id)}>
          ${icon(muted ? 'micOff' : 'mic')}<span>${t(muted ? 'action.unmute' : 'action.mute')}</span>
        </button>
        ${members.length === 2
          ? html`<button type="button" class="button plain" title=${t('conference.leaveHint')} @click=${() => void switchboard.leave()}>${icon('signOut')}<span>${t('conference.leave')}</span></button>`
          : nothing}
      </div>
      <button type="button" class="button stop large" @click=${() => members.forEach(({ id }) => this.desk.calls.end(id))}>${icon('end')}<span>${t('conference.end')}</span></button>
    </section>`;
  }

  /** What two calls can do with each other. */
  #between(): unknown {
    const isConsultation = ACTIONS.cancelTransfer.enabled(this.desk, this.desk.calls.foreground);
    return html`${isConsultation ? html`<div class="between">${this.#button('transfer', 'action.completeTransfer', 'transfer', 'primary large')}</div>` : nothing}
      <div class="between">
        ${this.desk.calls.talking?.conference === null ? this.#button('swap', 'action.swap', 'swap') : nothing}
        ${isConsultation ? nothing : this.#button('merge', 'action.merge', 'merge')} ${isConsultation ? this.#button('cancelTransfer', 'action.cancel', 'close') : nothing}
      </div>`;
  }

  #button(action: ActionId, label: MessageKey, name: IconName, style = 'plain'): unknown {
    const command: Action = ACTIONS[action];
    return html`<button type="button" class="button ${style}" title=${`${t(label)} (${command.key})`} ?disabled=${!command.enabled(this.desk, this.desk.calls.foreground)} @click=${() => perform(this.desk, action, 'button')}>
      ${icon(name)}<span>${t(label)}</span>
    </button>`;
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

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-stack': CallStack;
  }
}
