/** A value that can be watched. Everything the components show is one of these. */
export interface Readable<T> {
  readonly value: T;
  subscribe(listener: () => void): () => void;
}

/** The writable side of a {@link Readable}; listeners run synchronously, once per change. */
export class Store<T> implements Readable<T> {
  readonly #listeners = new Set<() => void>();
  #value: T;

  constructor(initial: T) {
    this.#value = initial;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
