import { Store, type Readable } from './store.js';
import { ServerError, type Account, type ServerApi } from './server.js';

/**
 * Whether somebody is signed in.
 *
 * ```text
 * checking -> signed-in -> signed-out
 *     \-> signed-out -> signing-in -> signed-in
 *     \-> unreachable (tries again by itself) -> checking
 * ```
 */
export type SessionState =
  | { readonly type: 'checking' }
  | { readonly type: 'signed-out'; readonly problem: SignInProblem | null }
  | { readonly type: 'signing-in' }
  | { readonly type: 'unreachable'; readonly retryAt: number; readonly attempt: number }
  | { readonly type: 'signed-in'; readonly account: Account };

export type SignInProblem =
  | { readonly type: 'wrong-password' }
  | { readonly type: 'too-many-tries'; readonly seconds: number }
  | { readonly type: 'no-such-user' }
  | { readonly type: 'unreachable' }
  | { readonly type: 'server'; readonly detail: string };

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export class Session {
  readonly #state = new Store<SessionState>({ type: 'checking' });
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly server: ServerApi) {}

  get state(): Readable<SessionState> {
    return this.#state;
  }

  /** Looks for a session of an earlier visit. */
  async resume(): Promise<void> {
    clearTimeout(this.#retry);
    const attempt = this.#state.value.type === 'unreachable' ? this.#state.value.attempt : 0;
    try {
      const account = await this.server.session();
      this.#state.set(account ? { type: 'signed-in', account } : { type: 'signed-out', problem: null });
    } catch (error) {
      if (error instanceof ServerError && !error.unreachable) {
        this.#state.set({ type: 'signed-out', problem: problemOf(error) });
      } else {
        this.#waitAndResume(attempt + 1);
      }
    }
  }

  async signIn(password: string): Promise<void> {
    this.#state.set({ type: 'signing-in' });
    try {
      this.#state.set({ type: 'signed-in', account: await this.server.signIn(password) });
    } catch (error) {
      this.#state.set({ type: 'signed-out', problem: problemOf(error) });
    }
  }

  /** The session ends here even when the server cannot be told now. */
  async signOut(): Promise<void> {
    try {
      await this.server.signOut();
    } finally {
      this.#state.set({ type: 'signed-out', problem: null });
    }
  }

  /** The server no longer knows this session. */
  expired(): void {
    this.#state.set({ type: 'signed-out', problem: null });
  }

  #waitAndResume(attempt: number): void {
    const ceiling = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LONGEST_RETRY_MS);
    const wait = ceiling * (0.75 + Math.random() * 0.25);
    this.#state.set({ type: 'unreachable', retryAt: Date.now() + wait, attempt });
    this.#retry = setTimeout(() => void this.resume(), wait);
  }
}

function problemOf(error: unknown): SignInProblem {
  if (!(error instanceof ServerError)) return { type: 'server', detail: '' };
  if (error.unreachable) return { type: 'unreachable' };
  switch (error.status) {
    case 401:
    case 403:
      return { type: 'wrong-password' };
    case 404:
      return { type: 'no-such-user' };
    case 429:
      return { type: 'too-many-tries', seconds: error.retryAfter ?? 60 };
    default:
      return { type: 'server', detail: `${error.status} ${error.code}` };
  }
}
