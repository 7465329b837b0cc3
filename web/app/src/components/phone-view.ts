import { css, html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { clockTime, dayName, t } from '../i18n/i18n.js';
import type { Contact } from '../model/contacts.js';
import type { Desk } from '../model/desk.js';
import type { HistoryEntry } from '../model/history.js';
import { sameNumber } from '../model/number.js';
import { base, buttons, rows } from '../styles/shared.js';
import { Component } from './component.js';
import { directionIcon, directionText } from './history-row.js';
import { icon } from './icons.js';
import './avatar.js';
import './dial-field.js';
import './dial-panel.js';

const RECENT = 8;
const STARTERS = 6;

/** Favourites, recent calls and the universal field. */
@customElement('cl-phone-view')
export class PhoneView extends Component {
  @property({ attribute: false }) desk!: Desk;
  /** The keypad stands in the panel beside. */
  @property({ type: Boolean }) wide = false;
  /** The panel beside shows calls now, so the field needs its own Call button. */
  @property({ type: Boolean }) inCall = false;

  static override styles = [
    base,
    buttons,
    rows,
    css`
      :host {
        display: flex;
        flex-direction: column;
        gap: var(--space-2);
        min-block-size: 100%;
      }
      .toggle {
        block-size: 52px;
        inline-size: 52px;
        border: 1px solid var(--hair);
        background: var(--surface);
      }
      .toggle[aria-expanded='true'] {
        background: var(--accent-soft);
        color: var(--accent);
        border-color: transparent;
      }
      .people {
        display: grid;
      }
      .empty {
        display: grid;
        gap: var(--space-1);
        padding: var(--space-4) var(--space-1);
        color: var(--ink-2);
      }
      .row .call-mark {
        color: var(--go-ink);
        opacity: 0.75;
      }
      .row:hover .call-mark {
        opacity: 1;
      }
      .missed .name,
      .missed .detail {
        color: var(--stop-ink);
      }
      @container view (min-width: 640px) {
        .people.tiles {
          grid-template-columns: repeat(auto-fill, minmax(230px, 1fr));
          gap: 10px;
          margin-block-start: var(--space-1);
        }
        .tiles .row {
          border: 1px solid var(--hair);
          border-radius: var(--radius-m);
          background: var(--surface);
        }
        .tiles .row > .main {
          padding-inline: 12px;
          min-block-size: 68px;
          border-radius: var(--radius-m);
        }
      }
    `,
  ];

  protected override watched() {
    const { desk } = this;
    return [desk.contacts.state, desk.history.state, desk.dial.state, desk.settings.state];
  }

  override render(): unknown {
    const keypad = !this.wide && this.desk.settings.state.value.keypadOpen;
    const typing = this.desk.dial.state.value.text !== '';
    return html`
      <h1 class="visually-hidden">${t('nav.phone')}</h1>
      <cl-dial-field .desk=${this.desk} ?plain=${keypad || (this.wide && !this.inCall)} ?short=${keypad}>
        ${this.wide
          ? nothing
          : html`<button type="button" class="icon-button toggle" aria-label=${t('dial.keypad')} aria-expanded=${keypad} @click=${() => this.desk.toggleDialKeypad()}>${icon('keypad')}</button>`}
      </cl-dial-field>
      ${keypad ? html`<cl-dial-panel .desk=${this.desk}></cl-dial-panel>` : nothing}
      ${typing ? nothing : this.#lists()}
    `;
  }

  #lists(): unknown {
    const { contacts, status } = this.desk.contacts.state.value;
    const history = this.desk.history.state.value;
    const favourites = contacts.filter((contact) => contact.favourite);
    const recent = latestPerPerson(history.entries).slice(0, RECENT);
    const starters = favourites.length === 0 ? contacts.slice(0, STARTERS) : [];
    return html`
      ${favourites.length > 0 ? this.#people(t('phone.favourites'), favourites) : nothing}
      ${recent.length > 0 ? html`<section><h2 class="heading">${t('phone.recent')}</h2><ul>${recent.map((entry) => this.#recent(entry))}</ul></section>` : nothing}
      ${starters.length > 0 ? this.#people(t('phone.colleagues'), starters) : nothing}
      ${contacts.length === 0 && recent.length === 0 && status !== 'loading' ? html`<p class="empty">${t('phone.empty')}</p>` : nothing}
    `;
  }

  #people(title: string, contacts: readonly Contact[]): unknown {
    return html`<section>
      <h2 class="heading">${title}</h2>
      <ul class="people tiles">
        ${contacts.map(
          (contact) => html`<li class="row">
            <button type="button" class="main" aria-label=${t('action.callPerson', { name: contact.name, number: contact.number })} @click=${() => this.desk.call(contact.number, contact.name)}>
              <cl-avatar name=${contact.name}></cl-avatar>
              <span class="text"><span class="name truncate">${contact.name}</span><span class="detail tabular">${contact.number}</span></span>
              <span class="call-mark">${icon('phone')}</span>
            </button>
          </li>`,
        )}
      </ul>
    </section>`;
  }

  #recent(entry: HistoryEntry): unknown {
    const person = this.desk.contacts.person({ displayName: entry.name, user: entry.user, uri: entry.uri });
    const today = new Date(entry.startedAt).toDateString() === new Date().toDateString();
    const when = today ? clockTime(entry.startedAt) : dayName(new Date(entry.startedAt).setHours(0, 0, 0, 0), Date.now());
    return html`<li class="row ${entry.outcome === 'missed' ? 'missed' : ''}">
      <button type="button" class="main" aria-label=${t('action.callPerson', { name: person.name, number: person.number })} @click=${() => this.desk.call(person.target, person.name)}>
        <cl-avatar name=${person.name}></cl-avatar>
        <span class="text">
          <span class="name truncate">${person.name}</span>
          <span class="detail"><span class="direction">${directionIcon(entry)}</span><span class="truncate">${directionText(entry)}${person.number !== person.name ? ` · ${person.number}` : ''}</span></span>
        </span>
        <span class="aside">${when}</span>
      </button>
    </li>`;
  }
}

function latestPerPerson(entries: readonly HistoryEntry[]): HistoryEntry[] {
  const latest: HistoryEntry[] = [];
  for (const entry of entries) {
    if (!latest.some((known) => sameNumber(known.user || known.uri, entry.user || entry.uri))) latest.push(entry);
    if (latest.length === RECENT) break;
  }
  return latest;
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-phone-view': PhoneView;
  }
}
