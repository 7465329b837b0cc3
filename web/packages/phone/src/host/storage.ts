/** What the host keeps between its lives, in IndexedDB, one database per account. No password is among it. */

import type { AudioDevices } from '../api.js';

/** The agent's state and when it was taken, on the wall clock. */
export interface SavedSnapshot {
  readonly savedAt: number;
  readonly agent: Uint8Array;
}

/** The kept values by key. */
export interface Kept {
  readonly 'instance-id': string;
  readonly devices: AudioDevices;
  readonly snapshot: SavedSnapshot;
}

export interface HostStorage {
  read<K extends keyof Kept>(key: K): Promise<Kept[K] | undefined>;
  write<K extends keyof Kept>(key: K, value: Kept[K]): Promise<void>;
  remove(key: keyof Kept): Promise<void>;
}

/** The account's database, or memory where there is none (some private windows); `warn` is told then. */
export async function openStorage(account: string, warn: (message: string) => void): Promise<HostStorage> {
  try {
    return new Database(await open(`clearline ${account}`));
  } catch (error) {
    warn(`no storage, a restart forgets everything: ${String(error)}`);
    return new MemoryStorage();
  }
}

/** Forgets with the worker. */
export class MemoryStorage implements HostStorage {
  readonly #kept = new Map<keyof Kept, unknown>();

  async read<K extends keyof Kept>(key: K): Promise<Kept[K] | undefined> {
    return this.#kept.get(key) as Kept[K] | undefined;
  }

  async write<K extends keyof Kept>(key: K, value: Kept[K]): Promise<void> {
    this.#kept.set(key, value);
  }

  async remove(key: keyof Kept): Promise<void> {
    this.#kept.delete(key);
  }
}

const STORE = 'kept';

class Database implements HostStorage {
  constructor(private readonly database: IDBDatabase) {}

  async read<K extends keyof Kept>(key: K): Promise<Kept[K] | undefined> {
    return (await done(this.#store('readonly').get(key))) as Kept[K] | undefined;
  }

  async write<K extends keyof Kept>(key: K, value: Kept[K]): Promise<void> {
    await done(this.#store('readwrite').put(value, key));
  }

  async remove(key: keyof Kept): Promise<void> {
    await done(this.#store('readwrite').delete(key));
  }

  #store(mode: IDBTransactionMode): IDBObjectStore {
    // Relaxed: a snapshot that reaches the disk late is better than a call that waits for the disk.
    return this.database.transaction(STORE, mode, { durability: 'relaxed' }).objectStore(STORE);
  }
}

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('storage failed'));
  });
}
