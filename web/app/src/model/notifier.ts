import type { CallState } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import type { CallAction, ToWindow, ToWorker } from '../service-worker/protocol.js';
import { browser } from './browser.js';
import type { Contacts } from './contacts.js';
import type { PhoneView } from './phone-store.js';
import type { Preferences } from './settings.js';
import { Store, type Readable } from './store.js';

/** The part of `navigator.serviceWorker` used here. */
export interface WorkerPort {
  post(message: ToWorker): void;
  listen(listener: (message: ToWindow, reply: (value: unknown) => void) => void): () => void;
}

export type NotificationPermissionState = 'default' | 'granted' | 'denied' | 'unsupported';

/** Tells about incoming calls while the window cannot be seen: system notification, title, app badge. */
export class Notifier {
  readonly permission = new Store<NotificationPermissionState>(permissionNow());
  readonly #shown = new Set<string>();
  readonly #release: Array<() => void> = [];

  constructor(
    private readonly view: Readable<PhoneView>,
    private readonly unseen: Readable<number>,
    private readonly preferences: Readable<Preferences>,
    private readonly contacts: Pick<Contacts, 'person'>,
    private readonly port: WorkerPort,
    act: (action: CallAction) => void,
  ) {
    const update = (): void => this.#update();
    const visible = (): void => this.#update();
    document.addEventListener('visibilitychange', visible);
    this.#release.push(
      view.subscribe(update),
      unseen.subscribe(update),
      () => document.removeEventListener('visibilitychange', visible),
      port.listen((message, reply) => {
        if (message.type === 'call-action') act(message);
        else reply(view.value.phone.calls.length > 0);
      }),
    );
    this.#update();
  }

  /** From a click only: browsers ignore the question otherwise. */
  async askPermission(): Promise<void> {
    if (this.permission.value === 'unsupported') return;
    await Notification.requestPermission();
    this.permission.set(permissionNow());
  }

  dispose(): void {
    for (const release of this.#release) release();
    for (const id of this.#shown) this.port.post({ type: 'silence', callId: id });
  }

  #update(): void {
    this.permission.set(permissionNow());
    const { incoming } = this.view.value;
    const ringing = new Set(incoming.map((call) => call.id));
    for (const id of this.#shown) {
      if (ringing.has(id) && document.hidden) continue;
      this.#shown.delete(id);
      this.port.post({ type: 'silence', callId: id });
    }
    if (document.hidden && this.preferences.value.notifications && this.permission.value === 'granted') {
      for (const call of incoming) this.#ring(call);
    }
    this.#title(incoming[0]);
  }

  #ring(call: CallState): void {
    if (this.#shown.has(call.id)) return;
    this.#shown.add(call.id);
    const { name, number } = this.contacts.person(call.remote);
    this.port.post({
      type: 'ring',
      callId: call.id,
      title: t('notification.incoming', { name }),
      body: number === name ? '' : number,
      answer: t('action.answer'),
      decline: t('action.decline'),
    });
  }

  #title(incoming: CallState | undefined): void {
    const unseen = this.unseen.value;
    const app = t('app.name');
    document.title = incoming
      ? t('title.incoming', { name: this.contacts.person(incoming.remote).name, app })
      : unseen > 0
        ? t('title.missed', { count: unseen, app })
        : app;
    const badge = browser();
    const done = unseen > 0 ? badge.setAppBadge?.(unseen) : badge.clearAppBadge?.();
    done?.catch(() => undefined); // Not installed: no icon to put a badge on.
  }
}

function permissionNow(): NotificationPermissionState {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}
