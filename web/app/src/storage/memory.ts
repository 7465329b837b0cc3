import type { KeyValue, Records } from './database.js';

/** Storage that forgets: where the browser denies IndexedDB (some private windows), and in tests. */
export class MemoryValues implements KeyValue {
  readonly #values = new Map<string, unknown>();

  async get<T>(key: string): Promise<T | undefined> {
    return this.#values.get(key) as T | undefined;
  }

  async set(key: string, value: unknown): Promise<void> {
    this.#values.set(key, structuredClone(value));
  }
}

export class MemoryRecords<T extends { readonly id: string }> implements Records<T> {
  readonly #records = new Map<string, T>();

  async all(): Promise<T[]> {
    return [...this.#records.values()];
  }

  async add(record: T): Promise<void> {
    if (!this.#records.has(record.id)) this.#records.set(record.id, record);
  }

  async put(records: readonly T[]): Promise<void> {
    for (const record of records) this.#records.set(record.id, record);
  }

  async delete(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#records.delete(id);
  }
}
