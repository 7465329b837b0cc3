import { Store, type Readable } from './store.js';
import type { MessageKey, Params } from '../i18n/i18n.js';

/** Something a person needs to know, with at most one thing to do about it. */
export interface Notice {
  readonly id: string;
  readonly tone: 'info' | 'warning' | 'error';
  readonly text: MessageKey;
  readonly params?: Params;
  /** For the support desk; shown small. */
  readonly detail?: string;
  readonly action?: { readonly label: MessageKey; readonly run: () => void };
}

const SHOWN_MS = 12_000;

/** The notices on screen. One per id: a repeated problem replaces itself. */
export class Notices {
  readonly #state = new Store<readonly Notice[]>([]);
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  get state(): Readable<readonly Notice[]> {
    return this.#state;
  }

  /** @param sticky stays until dismissed. */
  show(notice: Notice, sticky = false): void {
    this.dismiss(notice.id);
    this.#state.set([...this.#state.value, notice]);
    if (!sticky) this.#timers.set(notice.id, setTimeout(() => this.dismiss(notice.id), SHOWN_MS));
  }

  dismiss(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    if (this.#state.value.some((n) => n.id === id)) this.#state.set(this.#state.value.filter((n) => n.id !== id));
  }
}
