import { css, html, nothing } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import type { CallState } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import { ACTIONS, perform } from '../model/actions.js';
import { controlsRoom } from '../model/call-text.js';
import type { Desk } from '../model/desk.js';
import { sameNumber } from '../model/number.js';
import { namedDevices, type NamedDevice } from '../model/own-devices.js';
import type { PartySearch } from '../model/party-search.js';
import type { LineParty } from '../model/search.js';
import { base, buttons } from '../styles/shared.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import type { PartyField, Taken } from './party-field.js';
import './party-field.js';

/** In a call's card: whom to call as well, or with whom to connect the far end. */
@customElement('cl-call-picker')
export class CallPicker extends Component {
  @property({ attribute: false }) desk!: Desk;
  @property({ attribute: false }) call!: CallState;
  @property() kind: 'add' | 'transfer' = 'add';
  @query('cl-party-field') private field!: PartyField;
  #search: PartySearch | null = null;

  static override styles = [
    base,
    buttons,
    css`
      :host {
        display: grid;
        gap: var(--space-2);
      }
      p {
        color: var(--ink-2);
        font-size: 0.8125rem;
      }
      .ways {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: minmax(0, 1fr);
        gap: var(--space-2);
      }
      .ways .button {
        padding-inline: 8px;
      }
      .devices {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2);
      }
      .devices h3 {
        display: flex;
        gap: 6px;
        align-items: center;
        flex-basis: 100%;
        color: var(--ink-2);
        font-size: 0.8125rem;
        font-weight: 500;
      }
      .devices h3 svg {
        inline-size: 16px;
        block-size: 16px;
      }
      .devices .button {
        flex: 1 1 8rem;
        min-inline-size: 0;
      }
      .ways svg {
        inline-size: 18px;
        block-size: 18px;
      }
    `,
  ];

  /** Made here and not in `render`: it is one of the values that are watched. */
  override connectedCallback(): void {
    const lines = (): readonly LineParty[] => this.#otherLines();
    const leaveOut = (number: string): boolean => this.#onTheLine(number);
    this.#search = this.desk.newSearch(this.kind === 'transfer' ? { lines, leaveOut } : { leaveOut });
    // Those that are there already are offered until the answer comes, and without it.
    if (this.kind === 'transfer') this.desk.calls.phone.askForDevices().catch(() => undefined);
    super.connectedCallback();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#search?.dispose();
    this.#search = null;
  }

  protected override watched() {
    return [this.desk.contacts.state, this.desk.calls.state, ...(this.#search ? [this.#search.state] : [])];
  }

  override firstUpdated(): void {
    void this.field.updateComplete.then(() => this.field.focus());
  }

  override render(): unknown {
    const transfer = this.kind === 'transfer';
    const { name } = this.desk.contacts.person(this.call.remote);
    const label = controlsRoom(this.call) ? t('conference.addLabel') : t('add.label');
    return html`
      <cl-party-field
        framed
        ?choosing=${transfer}
        .search=${this.#search}
        label=${transfer ? t('transfer.label', { name }) : label}
        hint=${t('dial.label')}
        go=${transfer ? '' : t('action.call')}
        @take=${({ detail }: CustomEvent<Taken>) => this.#take(detail.second)}
        @leave=${() => this.desk.closePanel()}
      ></cl-party-field>
      ${transfer ? [this.#ways(), this.#push()] : controlsRoom(this.call) ? nothing : html`<p>${t('add.hint', { name })}</p>`}
    `;
  }

  /** Unseen, or after a word with whom it goes to; whoever is on the line already has been asked. */
  #ways(): unknown {
    const chosen = this.#search?.chosen;
    if (chosen?.kind === 'line') {
      const label = t('transfer.connect', { name: chosen.name });
      return html`<div class="ways"><button type="button" class="button primary" @click=${() => this.#take(false)}>${icon('transfer')}<span>${label}</span></button></div>`;
    }
    return html`<div class="ways">
        <button type="button" class="button primary" ?disabled=${!chosen} title=${t('transfer.nowKey')} @click=${() => this.#take(false)}>${t('transfer.now')}</button>
        <button type="button" class="button soft" ?disabled=${!chosen} title=${t('transfer.askKey')} @click=${() => this.#take(true)}>${t('transfer.ask')}</button>
    </div>`;
  }

  /** To the devices of this user, whoever is chosen: to one of those that the platform lists, or to whichever answers. */
  #push(): unknown {
    const devices = namedDevices(this.desk.calls.state.value.phone.ownDevices);
    if (devices.length === 0) return this.#pushToAll(ACTIONS.push.label);
    return html`<div class="devices" role="group" aria-labelledby="devices">
      <h3 id="devices">${icon('devices')}<span>${t('push.to')}</span></h3>
      ${devices.map((device) => this.#pushTo(device))} ${devices.length > 1 ? this.#pushToAll('push.all') : nothing}
    </div>`;
  }

  #pushTo(device: NamedDevice): unknown {
    const { desk, call } = this;
    const move = (): void => {
      desk.closePanel();
      void desk.switchboard.moveTo(call.id, device);
    };
    return html`<button type="button" class="button soft" ?disabled=${!ACTIONS.push.enabled(desk, call)} @click=${move}><span class="truncate">${device.name}</span></button>`;
  }

  #pushToAll(label: MessageKey): unknown {
    const { desk, call } = this;
    return html`<button type="button" class="button soft" title=${`${t(ACTIONS.push.label)} (${ACTIONS.push.key})`} ?disabled=${!ACTIONS.push.enabled(desk, call)} @click=${() => perform(desk, 'push', 'button', call.id)}>
      ${label === ACTIONS.push.label ? icon('devices') : nothing}<span>${t(label)}</span>
    </button>`;
  }

  #take(second: boolean): void {
    const { desk, call } = this;
    const party = this.#search?.chosen;
    if (!party) {
      if (this.#search?.state.value.text) desk.notices.show({ id: 'call', tone: 'warning', text: 'dial.nothingFound' });
      return;
    }
    if (this.kind === 'add' && controlsRoom(call)) {
      desk.closePanel();
      void desk.switchboard.invite(call.id, party);
      return;
    }
    if (this.kind === 'add') {
      desk.call(party.target, party.kind === 'dial' ? undefined : party.name);
      return;
    }
    desk.closePanel();
    if (second && party.kind !== 'line') desk.switchboard.consult(call.id, party);
    else void desk.switchboard.transfer(call.id, party);
  }

  #otherLines(): LineParty[] {
    const others = this.desk.calls.state.value.current.filter((call) => call.id !== this.call.id && call.state === 'active');
    return others.map((call) => {
      const { name, number } = this.desk.contacts.person(call.remote);
      return { call: call.id, name, number };
    });
  }

  /** Nobody is called a second time, or connected with themselves or with this user, who would be busy. */
  #onTheLine(number: string): boolean {
    const { account } = this.desk;
    if (sameNumber(account.number, number) || account.id === number) return true;
    const parties = this.desk.calls.state.value.current.flatMap((call) => [call.remote, ...call.participants.map(({ identity }) => identity)]);
    return parties.some((party) => sameNumber(this.desk.contacts.person(party).number, number));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-call-picker': CallPicker;
  }
}
