import type { CallId, CallState, Phone } from '@clearline/phone';
import { WebAudioPlayer } from '../audio/player.js';
import { homeCountry } from '../audio/tone-plans.js';
import { Database, type KeyValue, type Records } from '../storage/database.js';
import type { CallAction } from '../service-worker/protocol.js';
import { perform } from './actions.js';
import { Announcer } from './announcer.js';
import { Contacts } from './contacts.js';
import { Devices } from './devices.js';
import { History, type HistoryEntry } from './history.js';
import { MicrophoneTest } from './microphone-test.js';
import { Notices } from './notices.js';
import { isOwnConference } from './call-text.js';
import { isEmergencyNumber } from './emergency.js';
import { parseTarget } from './number.js';
import { Notifier, type WorkerPort } from './notifier.js';
import { PartySearch, type SearchScope } from './party-search.js';
import { PhoneStore } from './phone-store.js';
import { QualityWatch } from './quality-watch.js';
import { Ringer } from './ringer.js';
import { pathOf, type Route, type View } from './route.js';
import type { Account, ServerApi } from './server.js';
import type { Settings } from './settings.js';
import { Store, type Readable } from './store.js';
import { Switchboard } from './switchboard.js';
import { windowRight } from './window-right.js';

/** Something in a call's card that takes the place of its other contents. */
export interface CallPanel {
  readonly call: CallId;
  readonly kind: 'keypad' | 'add' | 'transfer';
}

export interface DeskState {
  readonly view: View;
  /** What is open in which call's card. */
  readonly panel: CallPanel | null;
  /** The call that the keyboard has chosen among several; keys mean this one. */
  readonly line: CallId | null;
  readonly shortcutsOpen: boolean;
  /** Digits sent in each live call, to look back at. */
  readonly tones: ReadonlyMap<CallId, string>;
  /** Counts wishes to put the cursor in the field. */
  readonly fieldFocus: number;
}

export interface DeskParts {
  readonly account: Account;
  readonly route: Route;
  readonly phone: Phone;
  readonly server: ServerApi;
  readonly settings: Settings;
  readonly notices: Notices;
  readonly worker: WorkerPort;
  readonly storage: { readonly values: KeyValue; readonly history: Records<HistoryEntry> };
}

/** Everything of one signed-in account in this window. */
export class Desk {
  readonly account: Account;
  readonly settings: Settings;
  readonly notices: Notices;
  readonly calls: PhoneStore;
  readonly contacts: Contacts;
  readonly history: History;
  readonly dial: PartySearch;
  readonly switchboard: Switchboard;
  readonly devices: Devices;
  readonly player = new WebAudioPlayer();
  readonly ringer: Ringer;
  readonly notifier: Notifier;
  readonly announcer: Announcer;
  readonly quality: QualityWatch;
  readonly microphoneTest: MicrophoneTest;
  readonly #state: Store<DeskState>;
  readonly #base: string;
  readonly #channel: BroadcastChannel;
  readonly #unseen = new Store(0);
  readonly #release: Array<() => void> = [];

  constructor(parts: DeskParts) {
    const { account, phone, settings } = parts;
    this.account = account;
    this.settings = settings;
    this.notices = parts.notices;
    this.#base = parts.route.base;
    this.#state = new Store<DeskState>({ view: parts.route.view, panel: null, line: null, shortcutsOpen: false, tones: new Map(), fieldFocus: 0 });
    this.#channel = new BroadcastChannel(`clearline-app:${account.id}`);
    this.calls = new PhoneStore(phone, parts.notices);
    this.contacts = new Contacts(parts.server, parts.storage.values, account.id);
    this.history = new History(parts.storage.history, () => this.#channel.postMessage('history'));
    this.dial = new PartySearch(this.contacts.state, this.history.state);
    this.switchboard = new Switchboard(this.calls, parts.notices, this.contacts, (target) => this.#isEmergency(target));
    this.devices = new Devices(phone, (output, id) => this.player.setDevice(output, id));
    this.microphoneTest = new MicrophoneTest(this.player);
    this.announcer = new Announcer(this.calls.state, this.contacts);
    this.quality = new QualityWatch(phone);
    const audible = new Store(this.player.state.value === 'ready');
    this.player.state.subscribe(() => audible.set(this.player.state.value === 'ready'));
    this.ringer = new Ringer(this.calls.state, settings.state, this.player, windowRight(`clearline-ringing:${account.id}`, audible));
    this.notifier = new Notifier(this.calls.state, this.#unseen, settings.state, this.contacts, parts.worker, (action) => this.#notified(action));
    this.#follow(phone);
  }

  get state(): Readable<DeskState> {
    return this.#state;
  }

  get phone(): Phone {
    return this.calls.phone;
  }

  /** Loads what is stored and begins to watch devices; the phone is started by whoever made it. */
  async begin(): Promise<void> {
    await Promise.all([this.history.load(), this.contacts.load(), this.devices.watch(), this.player.probe()]);
  }

  /** Calls the address; what cannot be dialled becomes a notice. */
  call(target: string, name?: string): void {
    void this.player.unlock();
    if (this.switchboard.call(target, name)) {
      this.dial.clear();
      this.closePanel();
    } else {
      this.notices.show({ id: 'call', tone: 'warning', text: 'problem.invalidTarget' });
    }
  }

  /** What Enter and the Call button do: the chosen result of the field, or, if it is empty, the last number once more. */
  callChosen(): void {
    const { chosen } = this.dial;
    if (chosen) this.call(chosen.target, chosen.kind === 'dial' ? undefined : chosen.name);
    else if (this.dial.state.value.text) this.notices.show({ id: 'call', tone: 'warning', text: 'dial.nothingFound' });
    else this.redial();
  }

  /** Who was dialled last on this device. */
  get lastDialled(): HistoryEntry | undefined {
    return this.history.state.value.entries.find((entry) => entry.outcome === 'dialled');
  }

  /** Puts the last dialled number into the field, to be looked at and called with one more key. */
  redial(): void {
    const last = this.lastDialled;
    if (last) this.prefill(last.user || last.uri);
  }

  /** A search of its own for a call's card. */
  newSearch(scope: Pick<SearchScope, 'lines' | 'leaveOut'>): PartySearch {
    return new PartySearch(this.contacts.state, this.history.state, { starters: true, ...scope });
  }

  /** A digit in a call: sent, kept for the eye, and heard. */
  sendTone(id: CallId, tone: string): void {
    this.calls.sendDtmf(id, tone);
    this.ringer.key(tone);
    const tones = new Map(this.#state.value.tones);
    tones.set(id, (tones.get(id) ?? '') + tone);
    this.#patch({ tones, panel: { call: id, kind: 'keypad' } });
  }

  /** A key of the dial keypad. */
  dialKey(key: string): void {
    this.ringer.key(key);
    this.dial.append(key);
  }

  show(view: View): void {
    if (view === this.#state.value.view) return;
    history.pushState(null, '', pathOf(this.#base, view));
    this.#patch({ view });
  }

  /** The browser's back and forward. */
  restoreView(view: View): void {
    this.#patch({ view });
  }

  focusField(): void {
    this.show('phone');
    this.#patch({ fieldFocus: this.#state.value.fieldFocus + 1 });
  }

  /** Puts a number into the field, for example from a `tel:` link; one key press away from the call. */
  prefill(text: string): void {
    const address = parseTarget(text);
    this.dial.type(address?.isNumber ? address.target + address.postDial : text);
    this.focusField();
  }

  /** The panel of a call's card, if it is the one of that kind. */
  panelOf(id: CallId): CallPanel['kind'] | null {
    const { panel } = this.#state.value;
    return panel?.call === id ? panel.kind : null;
  }

  togglePanel(call: CallId, kind: CallPanel['kind']): void {
    this.#patch({ panel: this.panelOf(call) === kind ? null : { call, kind } });
  }

  closePanel(): void {
    if (this.#state.value.panel) this.#patch({ panel: null });
  }

  /** Chooses the next call, around the end; the first time the one that one could swap to. */
  chooseLine(step = 1): void {
    const { current } = this.calls.state.value;
    const at = current.findIndex((call) => call.id === this.#state.value.line);
    const next = current[(Math.max(at, 0) + step + current.length) % current.length];
    this.#patch({ line: next?.id ?? null });
    if (next) this.announcer.line(next, current.indexOf(next) + 1, current.length);
  }

  forgetLine(): void {
    if (this.#state.value.line) this.#patch({ line: null });
  }

  toggleDialKeypad(): void {
    this.show('phone');
    this.settings.change({ keypadOpen: !this.settings.state.value.keypadOpen });
  }

  toggleShortcuts(): void {
    this.#patch({ shortcutsOpen: !this.#state.value.shortcutsOpen });
  }

  dispose(): void {
    for (const release of this.#release) release();
    this.ringer.dispose();
    this.notifier.dispose();
    this.quality.dispose();
    this.microphoneTest.stop();
    this.calls.dispose();
    this.#channel.close();
  }

  #patch(changes: Partial<DeskState>): void {
    this.#state.set({ ...this.#state.value, ...changes });
  }

  #follow(phone: Phone): void {
    const online = (): void => this.calls.refresh();
    const stored = (event: StorageEvent): void => {
      if (event.key) this.settings.reload();
    };
    addEventListener('online', online);
    addEventListener('offline', online);
    addEventListener('storage', stored);
    this.#channel.onmessage = () => void this.history.load();
    this.#release.push(
      phone.on('callEnded', (call) => this.#ended(call)),
      this.calls.state.subscribe(() => this.#forgetEnded()),
      this.history.state.subscribe(() => this.#unseen.set(this.history.state.value.unseen)),
      () => {
        removeEventListener('online', online);
        removeEventListener('offline', online);
        removeEventListener('storage', stored);
      },
    );
  }

  #ended(call: CallState): void {
    const isRoom = isOwnConference(call);
    if (this.calls.hasStayedElsewhere(call) || (isRoom && call.answeredAt === null)) return;
    const isTransferred = call.end?.cause === 'transferred';
    if (!isRoom) void this.history.record(call, isTransferred ? this.switchboard.destination(call.id) : undefined);
    this.ringer.callEnded(call);
    this.announcer.callEnded(call);
  }

  /** What was open or chosen of calls that are over. */
  #forgetEnded(): void {
    const live = new Set(this.calls.state.value.phone.calls.map((call) => call.id));
    const { panel, line, tones } = this.#state.value;
    const kept = new Map([...tones].filter(([id]) => live.has(id)));
    const open = panel && live.has(panel.call) ? panel : null;
    const chosen = line && live.has(line) ? line : null;
    if (kept.size !== tones.size || open !== panel || chosen !== line) this.#patch({ panel: open, line: chosen, tones: kept });
  }

  /** An extension of the tenant is that extension, whatever the country dials. */
  #isEmergency(target: string): boolean {
    const extension = this.contacts.state.value.contacts.some((contact) => contact.number === target);
    return !extension && target !== this.account.number && isEmergencyNumber(target, this.settings.state.value.toneCountry ?? homeCountry());
  }

  #notified({ action, callId }: CallAction): void {
    if (action === 'decline') {
      perform(this, 'decline', 'notification', callId);
    } else if (action === 'answer') {
      const busy = this.calls.state.value.current.length > 0;
      perform(this, busy ? 'holdAndAnswer' : 'answer', 'notification', callId);
    }
  }
}

/** Storage of one account: IndexedDB. */
export function accountStorage(account: string): DeskParts['storage'] {
  const database = new Database(account);
  return { values: database.values(), history: database.records<HistoryEntry>('history') };
}
