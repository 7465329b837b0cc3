import { css, html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { clockTime, dateAndTime, dayName, t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from '../model/desk.js';
import { byDay, filtered, toCsv, type HistoryEntry, type HistoryFilter } from '../model/history.js';
import { base, buttons, rows } from '../styles/shared.js';
import { Component } from './component.js';
import { directionIcon, directionText, outcomeText } from './history-row.js';
import { icon } from './icons.js';
import './avatar.js';

const FILTERS: ReadonlyArray<readonly [HistoryFilter, MessageKey]> = [
  ['all', 'history.filterAll'],
  ['missed', 'history.filterMissed'],
  ['received', 'history.filterReceived'],
  ['dialled', 'history.filterDialled'],
];
const SEEN_AFTER_MS = 1_500;
const PAGE = 100;

/** The history of this device. */
@customElement('cl-calls-view')
export class CallsView extends Component {
  @property({ attribute: false }) desk!: Desk;
  @state() private filter: HistoryFilter = 'all';
  @state() private shown = PAGE;
  #seenTimer: ReturnType<typeof setTimeout> | undefined;

  static override styles = [
    base,
    buttons,
    rows,
    css`
      :host {
        display: block;
      }
      .filters {
        display: flex;
        gap: 6px;
        align-items: center;
      }
      .filters [role='group'] {
        flex: 1;
        display: flex;
        gap: 4px;
        min-inline-size: 0;
        overflow-x: auto;
        scrollbar-width: none;
        padding: 3px;
        margin: -3px;
      }
      .filter {
        flex: 1 0 auto;
        min-block-size: var(--target);
        padding: 0 6px;
        border: 1px solid var(--hair);
        border-radius: 12px;
        background: var(--surface);
        font-weight: 600;
        font-size: 0.78125rem;
        text-align: center;
        white-space: nowrap;
      }
      .filter[aria-pressed='true'] {
        background: var(--ink);
        border-color: var(--ink);
        color: var(--bg);
      }
      .missed .name,
      .missed .direction {
        color: var(--stop-ink);
      }
      .unseen .name::after {
        content: '';
        display: inline-block;
        inline-size: 8px;
        block-size: 8px;
        margin-inline-start: 7px;
        border-radius: 50%;
        background: var(--stop);
      }
      .delete {
        opacity: 0.55;
      }
      .row:hover .delete,
      .delete:focus-visible {
        opacity: 1;
      }
      .empty {
        display: grid;
        justify-items: center;
        gap: var(--space-2);
        padding: 56px var(--space-4);
        text-align: center;
        color: var(--ink-2);
      }
      .empty svg {
        inline-size: 36px;
        block-size: 36px;
        stroke-width: 1.4;
        color: var(--ink-3);
      }
      .empty b {
        color: var(--ink);
        font-weight: 600;
      }
      .more {
        inline-size: 100%;
        margin-block: var(--space-3);
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
    return [this.desk.history.state, this.desk.contacts.state];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener('visibilitychange', this.#look);
    this.#look();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('visibilitychange', this.#look);
    clearTimeout(this.#seenTimer);
    // Whoever was here long enough to leave again has seen them.
    if (!document.hidden) void this.desk.history.markSeen();
  }

  override updated(): void {
    this.#look();
  }

  override render(): unknown {
    const { status, entries } = this.desk.history.state.value;
    const visible = filtered(entries, this.filter);
    return html`
      <h1 class="visually-hidden">${t('nav.calls')}</h1>
      <div class="filters">
        <div role="group" aria-label=${t('history.filters')}>
          ${FILTERS.map(([filter, label]) => html`<button type="button" class="filter" aria-pressed=${filter === this.filter} @click=${() => this.#choose(filter)}>${t(label)}</button>`)}
        </div>
      </div>
      ${status === 'loading' ? html`<div aria-busy="true" aria-label=${t('state.loading')}>${[1, 2, 3].map(() => html`<div class="skeleton"></div>`)}</div>` : nothing}
      ${status === 'failed' ? this.#empty('warning', t('history.failed'), t('history.failedRemedy')) : nothing}
      ${status === 'ready' && visible.length === 0 ? this.#nothing() : nothing}
      ${byDay(visible.slice(0, this.shown)).map(
        ({ day, entries: list }) => html`<section>
          <h2 class="heading">${dayName(day, Date.now())}</h2>
          <ul>${list.map((entry) => this.#row(entry))}</ul>
        </section>`,
      )}
      ${visible.length > this.shown ? html`<button type="button" class="button soft more" @click=${() => (this.shown += PAGE)}>${t('history.more')}</button>` : nothing}
      ${entries.length > 0 ? html`<button type="button" class="button soft more" @click=${this.#export}>${icon('download')}<span>${t('history.export')}</span></button>` : nothing}
    `;
  }

  #row(entry: HistoryEntry): unknown {
    const person = this.desk.contacts.person({ displayName: entry.name, user: entry.user, uri: entry.uri });
    const details = [directionText(entry), outcomeText(entry)].filter(Boolean).join(' · ');
    return html`<li class="row ${entry.outcome === 'missed' ? 'missed' : ''} ${entry.seen ? '' : 'unseen'}" data-testid="history-entry" data-outcome=${entry.outcome} data-cause=${entry.cause}>
      <button type="button" class="main" aria-label=${t('history.callBack', { name: person.name, details, time: dateAndTime(entry.startedAt) })} title=${dateAndTime(entry.startedAt)} @click=${() => this.desk.call(person.target, person.name)}>
        <cl-avatar name=${person.name}></cl-avatar>
        <span class="text">
          <span class="name truncate">${person.name}</span>
          <span class="detail"><span class="direction">${directionIcon(entry)}</span><span class="truncate">${details}</span></span>
        </span>
        <span class="aside">${clockTime(entry.startedAt)}</span>
      </button>
      <button type="button" class="icon-button delete" aria-label=${t('history.delete', { name: person.name })} @click=${() => this.#delete(entry)}>${icon('trash')}</button>
    </li>`;
  }

  #nothing(): unknown {
    return this.filter === 'all'
      ? this.#empty('calls', t('history.empty'), t('history.emptyHint'))
      : this.#empty('calls', t('history.emptyFilter'), '');
  }

  #empty(name: 'calls' | 'warning', title: string, hint: string): unknown {
    return html`<div class="empty">${icon(name)}<b>${title}</b>${hint ? html`<span>${hint}</span>` : nothing}</div>`;
  }

  #choose(filter: HistoryFilter): void {
    this.filter = filter;
    this.shown = PAGE;
  }

  #delete(entry: HistoryEntry): void {
    void this.desk.history.delete([entry.id]);
    this.desk.notices.show({
      id: 'history-deleted',
      tone: 'info',
      text: 'history.deleted',
      action: { label: 'action.undo', run: () => void this.desk.history.restore([entry]) },
    });
  }

  readonly #export = (): void => {
    const header = [t('history.csvTime'), t('history.csvKind'), t('history.csvName'), t('history.csvNumber'), t('history.csvSeconds')];
    const text = toCsv(this.desk.history.state.value.entries, header);
    // The byte-order mark makes spreadsheets read UTF-8.
    const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `clearline-calls-${new Date().toISOString().slice(0, 10)}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };

  /** Missed calls count as seen once they were on screen for a moment. */
  readonly #look = (): void => {
    clearTimeout(this.#seenTimer);
    if (document.hidden || this.desk.history.state.value.unseen === 0) return;
    this.#seenTimer = setTimeout(() => void this.desk.history.markSeen(), SEEN_AFTER_MS);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    'cl-calls-view': CallsView;
  }
}
