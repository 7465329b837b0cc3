import { css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { t } from '../i18n/i18n.js';
import type { Contact } from '../model/contacts.js';
import type { Desk } from '../model/desk.js';
import { search } from '../model/search.js';
import { base, buttons, rows } from '../styles/shared.js';
import { forms } from '../styles/forms.js';
import { Component } from './component.js';
import { icon } from './icons.js';
import './avatar.js';

/** The directory: everybody reachable inside, each one click from a call. */
@customElement('cl-contacts-view')
export class ContactsView extends Component {
  @property({ attribute: false }) desk!: Desk;
  @state() private query = '';

  static override styles = [
    base,
    buttons,
    rows,
    forms,
    css`
      :host {
        display: block;
      }
      .input {
        padding-inline: 14px;
        border-radius: var(--radius-m);
      }
      .star[aria-pressed='true'] {
        color: var(--warn);
      }
      .row .call-mark {
        color: var(--go-ink);
        opacity: 0.75;
      }
      .row:hover .call-mark {
        opacity: 1;
      }
      .empty,
      .stale {
        padding: var(--space-4) var(--space-1);
        color: var(--ink-2);
      }
      .stale {
        display: flex;
        align-items: center;
        gap: 8px;
        padding-block: var(--space-2) 0;
        font-size: 0.8125rem;
      }
      .skeleton {
        block-size: 60px;
        margin-block: 8px;
        border-radius: var(--radius-s);
        background: var(--sunken);
      }
    `,
  ];

  protected override watched() {
    return [this.desk.contacts.state];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.desk.contacts.state.value.status !== 'loading') void this.desk.contacts.refresh();
  }

  override render(): unknown {
    const { status, contacts } = this.desk.contacts.state.value;
    const found = this.#found(contacts);
    return html`
      <h1 class="visually-hidden">${t('nav.contacts')}</h1>
      <input class="input" type="search" aria-label=${t('contacts.search')} placeholder=${t('contacts.search')} .value=${this.query} @input=${(event: Event) => (this.query = (event.target as HTMLInputElement).value)} />
      ${status === 'stale' && contacts.length > 0 ? html`<p class="stale">${icon('wifiOff')}${t('contacts.stale')}</p>` : nothing}
      ${status === 'loading' ? html`<div aria-busy="true" aria-label=${t('state.loading')}>${[1, 2, 3].map(() => html`<div class="skeleton"></div>`)}</div>` : nothing}
      ${status === 'failed' ? html`<p class="empty">${t('contacts.failed')} <button type="button" class="link" @click=${() => void this.desk.contacts.refresh()}>${t('action.tryAgain')}</button></p>` : nothing}
      ${status === 'ready' && contacts.length === 0 ? html`<p class="empty">${t('contacts.empty')}</p>` : nothing}
      ${contacts.length > 0 && found.length === 0 ? html`<p class="empty" role="status">${t('contacts.noneFound')}</p>` : nothing}
      ${this.query
        ? html`<ul>${found.map((contact) => this.#row(contact))}</ul>`
        : this.#byLetter(found).map(([letter, list]) => html`<section><h2 class="heading">${letter}</h2><ul>${list.map((contact) => this.#row(contact))}</ul></section>`)}
    `;
  }

  #found(contacts: readonly Contact[]): readonly Contact[] {
    if (!this.query.trim()) return contacts;
    const ranked = search(this.query, contacts, []);
    return ranked.flatMap((suggestion) => contacts.find((c) => suggestion.kind !== 'dial' && c.number === suggestion.number) ?? []);
  }

  #byLetter(contacts: readonly Contact[]): Array<[string, Contact[]]> {
    const groups = new Map<string, Contact[]>();
    for (const contact of contacts) {
      const first = contact.name.normalize('NFD').charAt(0).toLocaleUpperCase();
      const letter = /\p{L}/u.test(first) ? first : '#';
      groups.set(letter, [...(groups.get(letter) ?? []), contact]);
    }
    return [...groups];
  }

  #row(contact: Contact): unknown {
    return html`<li class="row">
      <button type="button" class="main" aria-label=${t('action.callPerson', { name: contact.name, number: contact.number })} @click=${() => this.desk.call(contact.number, contact.name)}>
        <cl-avatar name=${contact.name}></cl-avatar>
        <span class="text"><span class="name truncate">${contact.name}</span><span class="detail tabular">${contact.number}</span></span>
        <span class="call-mark">${icon('phone')}</span>
      </button>
      <button
        type="button"
        class="icon-button star"
        aria-pressed=${contact.favourite}
        aria-label=${t('contacts.favourite', { name: contact.name })}
        @click=${() => void this.desk.contacts.toggleFavourite(contact.id)}
      >
        ${icon(contact.favourite ? 'starFull' : 'star')}
      </button>
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-contacts-view': ContactsView;
  }
}
