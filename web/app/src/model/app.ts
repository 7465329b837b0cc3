import type { Phone, PhoneConfig } from '@clearline/phone';
import { bestLanguage, useLanguage } from '../i18n/i18n.js';
import { connectPhone, type Connected } from './connect.js';
import { Desk, accountStorage } from './desk.js';
import { followLaunches, type LaunchWish } from './launch.js';
import { Notices } from './notices.js';
import { perform } from './actions.js';
import { followReleases, workerPort } from './release.js';
import { parseRoute, type Route } from './route.js';
import { HttpServerApi, ServerError, type Account, type ServerApi } from './server.js';
import { Session } from './session.js';
import { Settings } from './settings.js';
import { Store, type Readable } from './store.js';

/** The phone of a signed-in account, on its way or there. */
export type DeskStatus =
  | { readonly type: 'none' }
  | { readonly type: 'opening' }
  | { readonly type: 'failed'; readonly reason: 'unreachable' | 'worker'; readonly detail: string }
  | { readonly type: 'open'; readonly desk: Desk };

const RETRY_MS = 5_000;

/** The whole app of one window. */
export class App {
  readonly route: Route;
  readonly session: Session;
  readonly settings: Settings;
  readonly notices = new Notices();
  readonly #server: ServerApi;
  readonly #desk = new Store<DeskStatus>({ type: 'none' });
  #connected: Connected | null = null;
  #wishes: LaunchWish[] = [];

  constructor(
    route: Route,
    private readonly create: (config: PhoneConfig) => Promise<Phone>,
  ) {
    this.route = route;
    this.#server = new HttpServerApi(route.base);
    this.session = new Session(this.#server);
    this.settings = new Settings(localStorage, `clearline-app:${route.user}`);
    this.session.state.subscribe(() => this.#sessionChanged());
  }

  get desk(): Readable<DeskStatus> {
    return this.#desk;
  }

  async begin(): Promise<void> {
    addEventListener('popstate', () => {
      const view = parseRoute(location.pathname)?.view;
      if (view) this.#openDesk?.restoreView(view);
    });
    addEventListener('beforeunload', (event) => {
      if (this.#carriesCall()) event.preventDefault();
    });
    followLaunches((wish) => this.#wish(wish));
    void followReleases(this.route.base, () => this.#busy(), this.notices);
    await this.session.resume();
  }

  async signOut(): Promise<void> {
    const connected = this.#connected;
    await connected?.phone.stop().catch(() => undefined);
    await this.session.signOut().catch(() => undefined);
  }

  retry(): void {
    const state = this.session.state.value;
    if (state.type === 'signed-in') void this.#open(state.account);
    else void this.session.resume();
  }

  get #openDesk(): Desk | null {
    return this.#desk.value.type === 'open' ? this.#desk.value.desk : null;
  }

  #busy(): boolean {
    return (this.#connected?.phone.state.calls.length ?? 0) > 0;
  }

  #carriesCall(): boolean {
    const state = this.#connected?.phone.state;
    return state !== undefined && state.ownsMedia && state.calls.some((call) => call.answeredAt !== null);
  }

  #sessionChanged(): void {
    const state = this.session.state.value;
    if (state.type === 'signed-in') void this.#open(state.account);
    else if (state.type === 'signed-out') this.#close();
  }

  async #open(account: Account): Promise<void> {
    if (this.#desk.value.type === 'open' || this.#desk.value.type === 'opening') return;
    this.#desk.set({ type: 'opening' });
    const storage = accountStorage(account.id);
    try {
      this.#connected = await connectPhone(account, this.#server, storage.values, this.settings.state, this.create, () => this.session.expired());
    } catch (error) {
      this.#openFailed(error);
      return;
    }
    const route = { ...this.route, view: parseRoute(location.pathname)?.view ?? 'phone' };
    const desk = new Desk({
      account,
      route,
      phone: this.#connected.phone,
      server: this.#server,
      settings: this.settings,
      notices: this.notices,
      worker: workerPort(),
      storage,
    });
    this.#desk.set({ type: 'open', desk });
    void desk.begin();
    for (const wish of this.#wishes.splice(0)) this.#wish(wish);
  }

  #openFailed(error: unknown): void {
    if (error instanceof ServerError && error.status === 401) {
      this.#desk.set({ type: 'none' });
      this.session.expired();
      return;
    }
    const reason = error instanceof ServerError ? 'unreachable' : 'worker';
    this.#desk.set({ type: 'failed', reason, detail: error instanceof Error ? error.message : '' });
    if (reason === 'unreachable') setTimeout(() => this.#desk.value.type === 'failed' && this.retry(), RETRY_MS);
  }

  #close(): void {
    this.#openDesk?.dispose();
    this.#connected?.dispose();
    this.#connected = null;
    this.#desk.set({ type: 'none' });
  }

  #wish(wish: LaunchWish): void {
    const desk = this.#openDesk;
    if (!desk) {
      this.#wishes.push(wish);
      return;
    }
    if (wish.number) desk.prefill(wish.number);
    if (wish.answer) perform(desk, 'answer', 'notification', wish.answer);
    if (wish.decline) perform(desk, 'decline', 'notification', wish.decline);
  }
}

/** Language and appearance follow the preferences, in the whole document. */
export async function applyPreferences(settings: Settings): Promise<void> {
  const apply = async (): Promise<void> => {
    const { language, appearance } = settings.state.value;
    if (appearance === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = appearance;
    await useLanguage(language ?? bestLanguage(navigator.languages));
  };
  settings.state.subscribe(() => void apply());
  await apply();
}
