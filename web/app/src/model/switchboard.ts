import type { Call, CallId, CallState, PhoneError } from '@clearline/phone';
import type { Contacts } from './contacts.js';
import type { Notices } from './notices.js';
import { parseTarget, type DialTarget } from './number.js';
import type { PhoneStore } from './phone-store.js';

/** What takes more than one call. Whatever fails in between leaves the person where they were, with a word about it. */
export class Switchboard {
  #placing = false;

  constructor(
    private readonly calls: PhoneStore,
    private readonly notices: Notices,
    private readonly contacts: Pick<Contacts, 'person'>,
    private readonly isEmergency: (target: string) => boolean,
  ) {}

  /** Calls what was typed, after holding whoever is on the line. `false` when that is no address. */
  call(text: string, displayName?: string): boolean {
    const address = parseTarget(text);
    if (!address) return false;
    // Enter pressed twice is one wish.
    if (!this.#placing) void this.#call(address, displayName);
    return true;
  }

  /** Brings a held call to the ear. Whoever is there is put on hold before, and is back if that fails. */
  async swap(id: CallId): Promise<void> {
    const { talking } = this.calls;
    const other = talking?.id === id ? undefined : talking;
    if (other?.state === 'active') {
      if (!(await this.calls.hold(other.id))) return;
    } else if (other) {
      this.#refuse(other);
      return;
    }
    const problem = other ? 'problem.swap' : 'problem.resume';
    if (await this.calls.resume(id, problem, other && { name: this.#name(other) })) return;
    if (other) await this.retrieve(other.id);
  }

  /** Takes a call off hold that was only held for another, unless somebody else is at the ear by now. */
  async retrieve(id: CallId): Promise<void> {
    const call = this.calls.state.value.current.find((known) => known.id === id);
    if (call?.localHold && !this.calls.talking) await this.calls.resume(id);
  }

  async #call(address: DialTarget, displayName: string | undefined): Promise<void> {
    const emergency = this.isEmergency(address.target);
    const first = this.calls.talking;
    this.#placing = true;
    const clear = first === undefined || (await this.#makeRoom(first, emergency));
    this.#placing = false;
    if (!clear && !emergency) return;
    const second = this.calls.place(address, displayName, emergency);
    if (emergency) void this.#insist(second, address, displayName);
    if (first) void this.#comeBack(second, first);
  }

  /** Holds the call that is up; one that is only on its way up cannot be held. In an emergency it need not succeed. */
  async #makeRoom(first: CallState, emergency: boolean): Promise<boolean> {
    if (first.state === 'active') return this.calls.hold(first.id, emergency ? 'problem.hold' : 'problem.secondCall', { name: this.#name(first) });
    if (emergency) this.calls.end(first.id);
    else this.#refuse(first);
    return false;
  }

  /** A second call that does not come about gives the first one back. */
  async #comeBack(second: Call, first: CallState): Promise<void> {
    try {
      await second.answered;
    } catch {
      await this.retrieve(first.id);
    }
  }

  /** All lines taken is no reason to wait in an emergency: the call that has waited longest makes way. */
  async #insist(call: Call, address: DialTarget, displayName: string | undefined): Promise<void> {
    try {
      await call.answered;
    } catch (error) {
      const oldest = this.calls.state.value.current.at(-1);
      if ((error as PhoneError).code !== 'too-many-calls' || !oldest) return;
      await this.calls.phone.callById(oldest.id)?.hangUp().catch(() => undefined);
      this.notices.dismiss('call');
      this.calls.place(address, displayName, true);
    }
  }

  #refuse(unanswered: CallState): void {
    this.notices.show({ id: 'call', tone: 'warning', text: 'problem.stillCalling', params: { name: this.#name(unanswered) } });
  }

  #name(call: CallState): string {
    return this.contacts.person(call.remote).name;
  }
}
