import type { Call, CallId, CallState, Participant, PhoneError, RemoteCall } from '@clearline/phone';
import { t } from '../i18n/i18n.js';
import type { Contacts } from './contacts.js';
import type { Notices } from './notices.js';
import { parseTarget, type DialTarget } from './number.js';
import type { NamedDevice } from './own-devices.js';
import type { PhoneStore } from './phone-store.js';
import type { Suggestion } from './search.js';

/** What takes more than one call. Whatever fails in between leaves the person where they were, with a word about it. */
export class Switchboard {
  #placing = false;
  readonly #destinations = new Map<CallId, string>();

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
    if (talking === undefined || talking.id === id) await this.calls.resume(id);
    else if (talking.state === 'active') await this.calls.bringForward(id, 'problem.swap', { name: this.#name(talking) });
    else this.#refuse(talking);
  }

  /** Takes a conversation over from another device, after holding whoever is on the line here. */
  pull(remote: RemoteCall): void {
    if (!this.#placing) void this.#pull(remote);
  }

  /** Lets this user's other devices ring with the far end. If none answers the call is back, and its card says why. */
  async push(id: CallId): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (!call) return;
    this.#remember(id, t('push.devices'));
    await this.#tell(call, call.push());
  }

  /** Lets one device of this user ring with the far end. If it does not answer the call is back, and its card says why. */
  async moveTo(id: CallId, device: NamedDevice): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (!call) return;
    this.#remember(id, device.name);
    await this.#tell(call, call.transfer(device.address));
  }

  /** Lets the two far ends hear each other, and everybody in a conference that one of them is part of. */
  async merge(one: CallId, other: CallId): Promise<void> {
    await this.calls.attempt(this.calls.phone.merge(one, other), 'problem.merge');
  }

  /** A talk in private with one of a conference. */
  async split(id: CallId): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call) await this.calls.attempt(call.split(), 'problem.split');
  }

  /** Leaves a conference; the two others stay connected. */
  async leave(): Promise<void> {
    await this.calls.attempt(this.calls.phone.leaveConference(), 'problem.leave');
  }

  /** Has somebody brought into the platform's conference that a call leads to. */
  async invite(id: CallId, party: Suggestion): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call) await this.calls.attempt(call.addParticipant(targetOf(party)), 'problem.invite', { name: party.name });
  }

  /** Has somebody sent away from it. */
  async sendAway(id: CallId, { identity }: Participant): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call) await this.calls.attempt(call.removeParticipant(identity.uri), 'problem.sendAway', { name: this.contacts.person(identity).name });
  }

  /** Connects the far end with somebody, unseen. If that fails the call is back, and its card says why. */
  async transfer(id: CallId, party: Suggestion): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (!call) return;
    this.#remember(id, party.name);
    const command = party.call ? call.transferTo(party.call) : call.transfer(targetOf(party));
    await this.#tell(call, command);
  }

  /** Holds the far end and calls somebody, to ask there first. */
  consult(id: CallId, party: Suggestion): void {
    const call = this.calls.phone.callById(id);
    if (!call) return;
    this.#remember(id, party.name);
    call.consult(targetOf(party), party.kind === 'dial' ? {} : { displayName: party.name }).answered.catch((error: unknown) => {
      // How it ended is told by its card, why it did not begin by that of the first call.
      if ((error as PhoneError).code !== 'call-ended') this.#tellProblem(call, error as PhoneError);
    });
  }

  /** The one who was asked takes the call. */
  async complete(id: CallId): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call?.state.transfer?.type === 'consulting') await this.#tell(call, call.transferTo(call.state.transfer.with));
  }

  /** The first call is back, whoever was asked is left. */
  async cancel(id: CallId): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call) await this.calls.attempt(call.cancelTransfer(), 'problem.transfer');
  }

  /** Whether to call whom the far end wants this user to speak with. */
  async decide(id: CallId, agree: boolean): Promise<void> {
    const call = this.calls.phone.callById(id);
    if (call) await this.calls.attempt(agree ? call.acceptTransfer() : call.declineTransfer(), 'problem.transfer');
  }

  /** With whom a call is being connected, as far as this window knows. */
  destination(id: CallId): string | undefined {
    return this.#destinations.get(id);
  }

  #remember(id: CallId, name: string): void {
    for (const known of this.#destinations.keys()) if (!this.calls.phone.callById(known)) this.#destinations.delete(known);
    this.#destinations.set(id, name);
  }

  async #tell(call: Call, command: Promise<void>): Promise<void> {
    try {
      await command;
    } catch (error) {
      this.#tellProblem(call, error as PhoneError);
    }
  }

  /** A transfer that failed on its way is told by the call's card; what was refused at once is told here. */
  #tellProblem(call: Call, error: PhoneError): void {
    if (call.state.transfer?.type !== 'failed') void this.calls.attempt(Promise.reject(error), 'problem.transfer');
  }

  /** Takes a call off hold that was only held for another, unless somebody else is at the ear by now. */
  async #retrieve(id: CallId): Promise<void> {
    const call = this.calls.state.value.current.find((known) => known.id === id);
    if (call?.localHold && !this.calls.talking) await this.calls.resume(id);
  }

  async #call(address: DialTarget, displayName: string | undefined): Promise<void> {
    const emergency = this.isEmergency(address.target);
    const first = this.calls.talking;
    const clear = await this.#clearLine(first, emergency);
    if (!clear && !emergency) return;
    const second = this.calls.place(address, displayName, emergency);
    if (emergency) void this.#insist(second, address, displayName);
    if (first) void this.#comeBack(second, first);
  }

  async #pull(remote: RemoteCall): Promise<void> {
    const first = this.calls.talking;
    if (!(await this.#clearLine(first, false))) return;
    const second = this.calls.pull(remote);
    if (first) void this.#comeBack(second, first);
  }

  async #clearLine(first: CallState | undefined, emergency: boolean): Promise<boolean> {
    this.#placing = true;
    const clear = first === undefined || (await this.#makeRoom(first, emergency));
    this.#placing = false;
    return clear;
  }

  /** Holds the call that is up; one that is only on its way up cannot be held. In an emergency it need not succeed. */
  async #makeRoom(first: CallState, emergency: boolean): Promise<boolean> {
    if (first.conference !== null) {
      if (!emergency) this.notices.show({ id: 'call', tone: 'warning', text: 'problem.inConference' });
      return false;
    }
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
      await this.#retrieve(first.id);
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

/** What the phone is given for a result: of a number that was typed, without what is to be dialled after it. */
function targetOf(party: Suggestion): string {
  return parseTarget(party.target)?.target ?? party.target;
}
