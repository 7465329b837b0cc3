import { Store, type Readable } from './store.js';
import type { ContactsState } from './contacts.js';
import type { HistoryState } from './history.js';
import { sameNumber } from './number.js';
import { search, starters, type LineParty, type RecentParty, type Suggestion } from './search.js';

export interface PartySearchState {
  readonly text: string;
  readonly suggestions: readonly Suggestion[];
  /** Index of the suggestion that Enter takes; -1 while nothing is typed or chosen. */
  readonly selected: number;
}

/** What a search is for. */
export interface SearchScope {
  /** Offers somebody before anything is typed. */
  readonly starters?: boolean;
  /** Calls of the moment that may be chosen too. */
  readonly lines?: () => readonly LineParty[];
  /** Whoever it makes no sense to choose, for example the party that is to be transferred. */
  readonly leaveOut?: (number: string) => boolean;
}

const EMPTY: PartySearchState = { text: '', suggestions: [], selected: -1 };
const MAX_LENGTH = 256;

/** The universal field: its text, whom it finds, and which result is chosen. To dial, to add a call, to transfer. */
export class PartySearch {
  readonly #state = new Store<PartySearchState>(EMPTY);
  readonly #release: ReadonlyArray<() => void>;

  constructor(
    private readonly contacts: Readable<ContactsState>,
    private readonly history: Readable<HistoryState>,
    private readonly scope: SearchScope = {},
  ) {
    const again = (): void => this.type(this.#state.value.text);
    this.#release = [contacts.subscribe(again), history.subscribe(again)];
    again();
  }

  get state(): Readable<PartySearchState> {
    return this.#state;
  }

  type(text: string): void {
    const limited = text.slice(0, MAX_LENGTH);
    const suggestions = this.#find(limited);
    this.#state.set(limited ? { text: limited, suggestions, selected: 0 } : { ...EMPTY, suggestions });
  }

  append(text: string): void {
    this.type(this.#state.value.text + text);
  }

  backspace(): void {
    this.type(Array.from(this.#state.value.text).slice(0, -1).join(''));
  }

  clear(): void {
    this.type('');
  }

  /** Moves the choice by `step`, around the ends. */
  move(step: number): void {
    const { suggestions, selected } = this.#state.value;
    if (suggestions.length === 0) return;
    const from = selected < 0 && step < 0 ? 0 : selected;
    this.select((from + step + suggestions.length) % suggestions.length);
  }

  select(index: number): void {
    if (this.#state.value.suggestions[index]) this.#state.set({ ...this.#state.value, selected: index });
  }

  get chosen(): Suggestion | undefined {
    return this.#state.value.suggestions[this.#state.value.selected];
  }

  dispose(): void {
    for (const release of this.#release) release();
  }

  #find(text: string): Suggestion[] {
    const { scope } = this;
    const { contacts } = this.contacts.value;
    const recent = recentParties(this.history.value);
    const lines = scope.lines?.() ?? [];
    const found = text ? search(text, contacts, recent, lines) : scope.starters ? starters(contacts, recent, lines) : [];
    return scope.leaveOut ? found.filter(({ kind, target }) => kind === 'line' || !scope.leaveOut?.(target)) : found;
  }
}

/** Everybody this device talked to, the latest first, each once. */
export function recentParties(history: HistoryState): RecentParty[] {
  const parties: RecentParty[] = [];
  for (const entry of history.entries) {
    const number = entry.user || entry.uri;
    if (parties.some((party) => sameNumber(party.number, number))) continue;
    parties.push({ name: entry.name || number, number, target: number });
    if (parties.length === 50) break;
  }
  return parties;
}
