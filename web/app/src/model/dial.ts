import { Store, type Readable } from './store.js';
import type { ContactsState } from './contacts.js';
import type { HistoryState } from './history.js';
import { sameNumber } from './number.js';
import { search, type RecentParty, type Suggestion } from './search.js';

export interface DialState {
  readonly text: string;
  readonly suggestions: readonly Suggestion[];
  /** Index of the suggestion that Enter calls. */
  readonly selected: number;
}

const EMPTY: DialState = { text: '', suggestions: [], selected: 0 };
const MAX_LENGTH = 256;

/** The universal field: its text, what it finds, and which result is chosen. */
export class Dial {
  readonly #state = new Store<DialState>(EMPTY);

  constructor(
    private readonly contacts: Readable<ContactsState>,
    private readonly history: Readable<HistoryState>,
  ) {
    const again = (): void => this.type(this.#state.value.text);
    contacts.subscribe(again);
    history.subscribe(again);
  }

  get state(): Readable<DialState> {
    return this.#state;
  }

  type(text: string): void {
    const limited = text.slice(0, MAX_LENGTH);
    if (!limited) {
      this.#state.set(EMPTY);
      return;
    }
    const suggestions = search(limited, this.contacts.value.contacts, recentParties(this.history.value));
    this.#state.set({ text: limited, suggestions, selected: 0 });
  }

  append(text: string): void {
    this.type(this.#state.value.text + text);
  }

  backspace(): void {
    this.type([...this.#state.value.text].slice(0, -1).join(''));
  }

  clear(): void {
    this.type('');
  }

  /** Moves the choice by `step`, around the ends. */
  move(step: number): void {
    const { suggestions, selected } = this.#state.value;
    if (suggestions.length === 0) return;
    const next = (selected + step + suggestions.length) % suggestions.length;
    this.#state.set({ ...this.#state.value, selected: next });
  }

  get chosen(): Suggestion | undefined {
    return this.#state.value.suggestions[this.#state.value.selected];
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
