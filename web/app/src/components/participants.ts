import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { CallState, Participant } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import { controlsRoom } from '../model/call-text.js';
import type { Desk } from '../model/desk.js';
import { base, buttons } from '../styles/shared.js';
import { callCard } from '../styles/call-card.js';
import { Component } from './component.js';
import { focusLost } from './focus.js';
import { icon } from './icons.js';
import './avatar.js';

/** Said only where it is not the ordinary. */
const STATES: { readonly [state in Participant['state']]?: MessageKey } = {
  joining: 'conference.joining',
  ringing: 'conference.ringing',
  'on-hold': 'conference.onHold',
  muted: 'conference.muted',
  leaving: 'conference.leaving',
};

/** Who takes part in a conference of the platform. */
@customElement('cl-participants')
export class Participants extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;
  #hadFocus = false;

  static override styles = [
    base,
    buttons,
    callCard,
    css`
      ul {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        max-block-size: 30vh;
        overflow-y: auto;
      }
      li {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        min-block-size: 44px;
      }
      .names {
        flex: 1;
        min-inline-size: 0;
      }
      .names span {
        display: block;
      }
      .state {
        color: var(--ink-2);
        font-size: var(--text-s);
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state];
  }

  override willUpdate(): void {
    this.#hadFocus = this.shadowRoot?.activeElement != null;
  }

  /** Who is sent away takes the button along that did it. */
  override updated(): void {
    if (this.#hadFocus && focusLost()) this.renderRoot.querySelector('ul')?.focus();
  }

  override render(): unknown {
    const { participants } = this.call;
    const count = participants.filter(({ isSelf }) => !isSelf).length;
    return html`<ul tabindex="-1" aria-label=${t('conference.title', { count })} data-testid="participants">
      ${repeat(participants, ({ identity }) => identity.uri, (participant) => this.#row(participant))}
    </ul>`;
  }

  #row(participant: Participant): unknown {
    const { name } = this.desk.contacts.person(participant.identity);
    const state = STATES[participant.state];
    const remove = t('conference.remove', { name });
    return html`<li data-state=${participant.state}>
      <cl-avatar size="s" name=${name}></cl-avatar>
      <div class="names">
        <span class="truncate">${participant.isSelf ? t('conference.you', { name }) : name}</span>
        ${state ? html`<span class="state">${t(state)}</span>` : nothing}
      </div>
      ${participant.isSelf || !controlsRoom(this.call)
        ? nothing
        : html`<button type="button" class="round" aria-label=${remove} title=${remove} ?disabled=${participant.state === 'leaving'} @click=${() => void this.desk.switchboard.sendAway(this.call.id, participant)}>
            ${icon('close')}
          </button>`}
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-participants': Participants;
  }
}
