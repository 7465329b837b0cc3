import type { CallState } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import { audioIsLost, endText } from './call-text.js';
import type { ConnectionView } from './connection.js';
import type { Contacts } from './contacts.js';
import type { PhoneView } from './phone-store.js';
import { isWaiting, transferFailure } from './transfer-text.js';
import { Store, type Readable } from './store.js';

export interface Announcement {
  readonly text: string;
  /** Interrupts what is being read. */
  readonly urgent: boolean;
  /** Makes a repeated text new again. */
  readonly serial: number;
}

/** Says each change of a call or the connection once to screen readers. */
export class Announcer {
  readonly #state = new Store<Announcement | null>(null);
  readonly #said = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #transfers = new Map<string, string>();
  /** Who is in each conference of the platform: the names by address. */
  readonly #rooms = new Map<string, ReadonlyMap<string, string>>();
  /** Calls of other devices that have been told of. */
  #elsewhere: ReadonlySet<string> = new Set();
  #connection: ConnectionView['state'];
  #serial = 0;
  #members = 0;

  constructor(
    private readonly view: Readable<PhoneView>,
    private readonly contacts: Pick<Contacts, 'person'>,
  ) {
    this.#connection = view.value.connection.state;
    view.subscribe(() => this.#update());
  }

  get state(): Readable<Announcement | null> {
    return this.#state;
  }

  say(text: string, urgent = false): void {
    this.#serial += 1;
    this.#state.set({ text, urgent, serial: this.#serial });
  }

  /** Which call the keyboard has chosen. */
  line(call: CallState, place: number, count: number): void {
    const key = call.localHold ? 'announce.lineHeld' : 'announce.line';
    this.say(t(key, { name: this.#name(call), place, count }));
  }

  callEnded(call: CallState): void {
    this.#said.delete(call.id);
    this.#names.delete(call.id);
    this.#transfers.delete(call.id);
    this.#rooms.delete(call.id);
    this.say(t('announce.ended', { name: this.#name(call), text: t(endText(call)) }));
  }

  #update(): void {
    const { incoming, current, connection } = this.view.value;
    for (const call of [...incoming, ...current]) {
      this.#call(call);
      this.#room(call);
    }
    this.#callsElsewhere();
    this.#conferenceOf(current.filter((call) => call.conference !== null).length);
    if (connection.state === this.#connection) return;
    const before = this.#connection;
    this.#connection = connection.state;
    if (connection.state === 'offline') this.say(t('announce.offline'), true);
    else if (connection.state === 'registered' && before !== 'connecting') this.say(t('announce.online'));
    else if (connection.state === 'reconnecting') this.say(t('announce.reconnecting'));
  }

  #callsElsewhere(): void {
    const { elsewhere, phone } = this.view.value;
    for (const { id, remote } of elsewhere) if (!this.#elsewhere.has(id)) this.say(t('announce.elsewhere', { name: this.contacts.person(remote).name }));
    this.#elsewhere = new Set(phone.remoteCalls.filter((call) => call.state === 'active').map((call) => call.id));
  }

  #conferenceOf(count: number): void {
    if (count > 1 && count !== this.#members) this.say(t('conference.title', { count }));
    this.#members = count;
  }

  /** Who comes into a conference of the platform, and who goes; how many are there when it is entered. */
  #room({ id, participants }: CallState): void {
    // Told nothing any more is not that all have gone: whoever is there stays unsaid until somebody tells again.
    if (participants.length === 0) {
      this.#rooms.delete(id);
      return;
    }
    const others = participants.filter((it) => !it.isSelf && it.state !== 'joining' && it.state !== 'ringing' && it.state !== 'leaving');
    const before = this.#rooms.get(id);
    const now = new Map(others.map(({ identity }) => [identity.uri, this.contacts.person(identity).name]));
    if (before === undefined && now.size === 0) return;
    this.#rooms.set(id, now);
    const joined = [...now].filter(([uri]) => !before?.has(uri));
    const left = [...(before ?? [])].filter(([uri]) => !now.has(uri));
    const [only] = [...joined, ...left];
    if (only === undefined) return;
    if (before === undefined || joined.length + left.length > 1) this.say(t('conference.title', { count: now.size }));
    else this.say(t(left.length > 0 ? 'announce.left' : 'announce.joined', { name: only[1] }));
  }

  #call(call: CallState): void {
    const phase = phaseOf(call);
    this.#transfer(call);
    const before = this.#said.get(call.id);
    const name = this.#name(call);
    if (before === phase) {
      this.#connectedOn(call, name);
      return;
    }
    this.#said.set(call.id, phase);
    this.#names.set(call.id, name);
    switch (phase) {
      case 'incoming':
        this.say(t('announce.incoming', { name }), true);
        return;
      case 'ringing':
        this.say(t('announce.ringing', { name }));
        return;
      case 'active':
        this.say(t(before === 'held' ? 'announce.resumed' : 'announce.active', { name }));
        return;
      case 'reconnecting':
        this.say(t('announce.reconnectingAudio'));
        return;
      case 'held':
        this.say(t('announce.held', { name }));
        return;
      case 'other':
        return;
    }
  }

  /** What a transfer has come to, and what the far end asks for: both want the person's attention. */
  #transfer(call: CallState): void {
    const { transfer, transferRequest } = call;
    const state = transferRequest ? 'request' : (transfer?.type ?? 'none');
    const before = this.#transfers.get(call.id) ?? 'none';
    if (state === before) return;
    this.#transfers.set(call.id, state);
    const name = this.#name(call);
    if (transferRequest) {
      this.say(t('transfer.request', { name, target: this.contacts.person(transferRequest.target).name }), true);
    } else if (transfer?.type === 'failed') {
      const outcome = isWaiting(call) ? 'announce.transferFailedHeld' : 'announce.transferFailed';
      this.say(t(outcome, { reason: t(transferFailure(transfer)), name }), true);
    } else if (transfer?.type === 'referring') {
      this.say(t('announce.transferring', { name }));
    }
  }

  /** The network has connected an answered call to somebody else (RFC 4916). */
  #connectedOn(call: CallState, name: string): void {
    if (call.answeredAt === null || this.#names.get(call.id) === name) return;
    this.#names.set(call.id, name);
    this.say(t('announce.connectedOn', { name }));
  }

  #name(call: CallState): string {
    return this.contacts.person(call.remote).name;
  }
}

type Phase = 'incoming' | 'ringing' | 'active' | 'reconnecting' | 'held' | 'other';

function phaseOf(call: CallState): Phase {
  switch (call.state) {
    case 'incoming':
      return 'incoming';
    case 'ringing':
      return 'ringing';
    case 'active':
      if (call.localHold) return 'held';
      return audioIsLost(call) ? 'reconnecting' : 'active';
    default:
      return 'other';
  }
}
