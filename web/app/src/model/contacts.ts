import type { Identity } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import { Store, type Readable } from './store.js';
import { sameNumber } from './number.js';
import type { DirectoryEntry, ServerApi } from './server.js';
import type { KeyValue } from '../storage/database.js';

export interface Contact {
  readonly id: string;
  readonly number: string;
  readonly name: string;
  readonly favourite: boolean;
}

export interface ContactsState {
  readonly status: 'loading' | 'ready' | 'stale' | 'failed';
  readonly contacts: readonly Contact[];
}

/** The address of whoever withholds theirs (RFC 3323). */
const ANONYMOUS = 'sip:anonymous@anonymous.invalid';

/** Name and number of a party as people know it: the directory's name first, then what the network sent. */
export interface Person {
  readonly name: string;
  readonly number: string;
  /** What to dial to reach this party again. */
  readonly target: string;
}

/** The tenant's directory, kept for offline use, with the favourites of this device. */
export class Contacts {
  readonly #state = new Store<ContactsState>({ status: 'loading', contacts: [] });
  #directory: readonly DirectoryEntry[] = [];
  #favourites: ReadonlySet<string> = new Set();

  constructor(
    private readonly server: ServerApi,
    private readonly storage: KeyValue,
    private readonly ownId: string,
  ) {}

  get state(): Readable<ContactsState> {
    return this.#state;
  }

  /** Shows the stored directory at once and replaces it by the server's when that arrives. */
  async load(): Promise<void> {
    const [stored, favourites] = await Promise.all([
      this.storage.get<DirectoryEntry[]>('directory'),
      this.storage.get<string[]>('favourites'),
    ]);
    this.#favourites = new Set(favourites ?? []);
    if (stored) this.#publish(stored, 'stale');
    await this.refresh();
  }

  async refresh(): Promise<void> {
    try {
      const directory = await this.server.directory();
      await this.storage.set('directory', directory);
      this.#publish(directory, 'ready');
    } catch {
      this.#publish(this.#directory, this.#directory.length > 0 ? 'stale' : 'failed');
    }
  }

  async toggleFavourite(id: string): Promise<void> {
    const next = new Set(this.#favourites);
    if (!next.delete(id)) next.add(id);
    this.#favourites = next;
    this.#publish(this.#directory, this.#state.value.status);
    await this.storage.set('favourites', [...next]);
  }

  byAddress(address: string): Contact | undefined {
    const lower = address.toLowerCase();
    return this.#state.value.contacts.find((c) => c.id.toLowerCase() === lower || sameNumber(c.number, address));
  }

  /** Whom a call is with. */
  person(remote: Identity): Person {
    if (remote.uri === ANONYMOUS) return { name: t('call.anonymous'), number: '', target: '' };
    const contact = this.byAddress(remote.user);
    const name = contact?.name || remote.displayName || remote.user || remote.uri;
    return {
      name,
      number: contact?.number ?? remote.user,
      target: contact?.number ?? (remote.user || remote.uri),
    };
  }

  #publish(directory: readonly DirectoryEntry[], status: ContactsState['status']): void {
    this.#directory = directory;
    const contacts = directory
      .filter((entry) => entry.id !== this.ownId)
      .map((entry) => ({
        id: entry.id,
        number: entry.number,
        name: entry.displayName || entry.id,
        favourite: this.#favourites.has(entry.id),
      }))
      .sort((a, b) => a.name.localeCompare(b.name));
    this.#state.set({ status, contacts });
  }
}
