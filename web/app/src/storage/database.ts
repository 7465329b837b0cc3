/** Small values by name. */
export interface KeyValue {
  get<T>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown): Promise<void>;
}

/** Records with a unique `id`, read back in any order. */
export interface Records<T extends { readonly id: string }> {
  all(): Promise<T[]>;
  /** Keeps an existing record with this id: several windows report the same call. */
  add(record: T): Promise<void>;
  put(records: readonly T[]): Promise<void>;
  delete(ids: readonly string[]): Promise<void>;
}

/** The IndexedDB of one account. Opened once per window. */
export class Database {
  readonly #opening: Promise<IDBDatabase>;

  constructor(account: string) {
    this.#opening = open(`clearline-app:${account}`);
    // Whoever reads gets the failure; an unread one must not become an unhandled rejection.
    this.#opening.catch(() => undefined);
  }

  values(): KeyValue {
    return {
      get: async <T>(key: string) => (await this.#run('values', 'readonly', (s) => s.get(key))) as T | undefined,
      set: async (key, value) => {
        await this.#run('values', 'readwrite', (s) => s.put(value, key));
      },
    };
  }

  records<T extends { readonly id: string }>(store: 'history'): Records<T> {
    return {
      all: async () => (await this.#run(store, 'readonly', (s) => s.getAll())) as T[],
      add: async (record) => {
        const known = await this.#run(store, 'readonly', (s) => s.getKey(record.id));
        if (known === undefined) await this.#run(store, 'readwrite', (s) => s.put(record));
      },
      put: async (records) => this.#each(store, records, (s, record) => s.put(record)),
      delete: async (ids) => this.#each(store, ids, (s, id) => s.delete(id)),
    };
  }

  async #run<T>(name: string, mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await this.#opening;
    return result(ask(database.transaction(name, mode).objectStore(name)));
  }

  async #each<T>(name: string, items: readonly T[], change: (store: IDBObjectStore, item: T) => void): Promise<void> {
    const database = await this.#opening;
    const transaction = database.transaction(name, 'readwrite');
    const store = transaction.objectStore(name);
    for (const item of items) change(store, item);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });
  }
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('values');
    request.result.createObjectStore('history', { keyPath: 'id' });
  };
  return result(request);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('storage failed'));
  });
}
