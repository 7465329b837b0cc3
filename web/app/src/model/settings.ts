import { Store, type Readable } from './store.js';

export type Appearance = 'system' | 'light' | 'dark';
export type RingTone = 'classic' | 'chime' | 'off';

/** What a person chose on this device. No secrets: it lies in plain local storage, readable before anything else. */
export interface Preferences {
  /** BCP 47; `null` follows the browser. */
  readonly language: string | null;
  readonly appearance: Appearance;
  readonly ringTone: RingTone;
  /** ISO 3166 country of the call tones; `null` follows the browser. */
  readonly toneCountry: string | null;
  readonly keySounds: boolean;
  readonly callSounds: boolean;
  readonly waitingBeep: boolean;
  /** Whoever is put on hold hears music, and not nothing. */
  readonly holdMusic: boolean;
  readonly notifications: boolean;
  readonly keypadOpen: boolean;
}

export const DEFAULTS: Preferences = {
  language: null,
  appearance: 'system',
  ringTone: 'classic',
  toneCountry: null,
  keySounds: true,
  callSounds: true,
  waitingBeep: true,
  holdMusic: true,
  notifications: true,
  keypadOpen: false,
};

export class Settings {
  readonly #state: Store<Preferences>;

  constructor(
    private readonly storage: Pick<Storage, 'getItem' | 'setItem'>,
    private readonly key: string,
  ) {
    this.#state = new Store(this.#read());
  }

  get state(): Readable<Preferences> {
    return this.#state;
  }

  change(changes: Partial<Preferences>): void {
    this.#state.set({ ...this.#state.value, ...changes });
    try {
      this.storage.setItem(this.key, JSON.stringify(this.#state.value));
    } catch {
      // Storage full or denied: the choice holds until the window closes.
    }
  }

  /** Another window changed them. */
  reload(): void {
    this.#state.set(this.#read());
  }

  #read(): Preferences {
    try {
      const stored: unknown = JSON.parse(this.storage.getItem(this.key) ?? '{}');
      return { ...DEFAULTS, ...(stored as Partial<Preferences>) };
    } catch {
      return DEFAULTS;
    }
  }
}
