import type { CallId, CallState, RemoteCall } from '@clearline/phone';
import { t, type MessageKey } from '../i18n/i18n.js';
import type { Desk } from './desk.js';
import { consultationOf } from './transfer-text.js';

/** Where a command came from. */
export type Source = 'button' | 'key' | 'notification' | 'headset' | 'link';

/** One user command: the same object behind button, key, headset and notification. */
export interface Action {
  readonly label: MessageKey;
  /** Shown in the list of shortcuts. */
  readonly key?: string;
  enabled(desk: Desk, call: CallState | undefined): boolean;
  run(desk: Desk, call: CallState | undefined, source: Source): void;
}

const isIncoming = (call: CallState | undefined): boolean => call?.state === 'incoming';
const isActive = (call: CallState | undefined): boolean => call?.state === 'active';

const lastEnded = (desk: Desk): CallState | undefined => desk.calls.state.value.ended[0]?.call;

const isUnderWay = (call: CallState): boolean => call.transfer?.type === 'referring' || call.transfer?.type === 'proceeding';

/** The calls of the same conference, or this one alone. */
function membersOf(desk: Desk, call: CallState): CallState[] {
  if (call.conference === null) return [call];
  return desk.calls.state.value.current.filter((other) => other.conference === call.conference);
}

/** The call about which somebody is being asked, if `call` is one of the two. */
function consulting(desk: Desk, call: CallState | undefined): CallState | undefined {
  const consultation = consultationOf(desk.calls.state.value.current);
  const isPart = call !== undefined && [consultation?.first.id, consultation?.second?.id].includes(call.id);
  return isPart ? consultation?.first : undefined;
}

/** The held call that joins the one at the ear, or the conference there. */
function mergePartner(desk: Desk): CallState | undefined {
  const { talking } = desk.calls;
  if (talking?.state !== 'active' || talking.negotiating || isUnderWay(talking)) return undefined;
  return desk.calls.state.value.current.find((other) => other.localHold && other.conference === null && !other.negotiating && !isUnderWay(other));
}

/** The held call that changes places with `call`, or `call` itself if it is held and somebody else talks. */
function swapPartner(desk: Desk, call: CallState | undefined): CallState | undefined {
  const { talking } = desk.calls;
  if (talking?.state !== 'active' || talking.negotiating || talking.conference !== null) return undefined;
  const held = call?.localHold ? call : desk.calls.state.value.current.find((other) => other.localHold);
  return held?.negotiating ? undefined : held;
}

/** What a key takes over: the conversation on another device that began last. */
function pullable(desk: Desk): RemoteCall | undefined {
  const { elsewhere, phone } = desk.calls.state.value;
  return phone.connection.type === 'connected' ? elsewhere.findLast((call) => call.canBePulled) : undefined;
}

export const ACTIONS = {
  answer: {
    label: 'action.answer',
    key: 'Enter',
    enabled: (_desk, call) => isIncoming(call),
    run: (desk, call) => call && desk.calls.answer(call.id),
  },
  holdAndAnswer: {
    label: 'action.holdAndAnswer',
    enabled: (_desk, call) => isIncoming(call),
    run: (desk, call) => call && desk.calls.answer(call.id, 'hold'),
  },
  endAndAnswer: {
    label: 'action.endAndAnswer',
    enabled: (_desk, call) => isIncoming(call),
    run: (desk, call) => call && desk.calls.answer(call.id, 'end'),
  },
  decline: {
    label: 'action.decline',
    key: 'Esc',
    enabled: (_desk, call) => isIncoming(call),
    run: (desk, call) => call && desk.calls.decline(call.id),
  },
  end: {
    label: 'action.end',
    key: 'E',
    enabled: (_desk, call) => call !== undefined && !isIncoming(call) && call.state !== 'ending',
    run: (desk, call) => call && desk.calls.end(call.id),
  },
  mute: {
    label: 'action.mute',
    key: 'M',
    enabled: (_desk, call) => call !== undefined && !isIncoming(call),
    run(desk, call, source) {
      if (!call) return;
      // In a conference the microphone goes into every call: who is not muted for all is muted.
      const members = membersOf(desk, call);
      const muted = !members.every((member) => member.muted);
      for (const { id } of members) desk.calls.setMuted(id, muted);
      // A pressed button tells by itself; a key would leave a blind user guessing.
      if (source !== 'button') desk.announcer.say(t(muted ? 'announce.muted' : 'announce.unmuted'));
    },
  },
  hold: {
    label: 'action.hold',
    key: 'H',
    enabled: (_desk, call) => isActive(call) && call?.negotiating === false,
    run: (desk, call) => call && void (call.localHold ? desk.switchboard.swap(call.id) : desk.calls.hold(call.id)),
  },
  swap: {
    label: 'action.swap',
    key: 'S',
    enabled: (desk, call) => swapPartner(desk, call) !== undefined,
    run(desk, call) {
      const partner = swapPartner(desk, call);
      if (partner) void desk.switchboard.swap(partner.id);
    },
  },
  merge: {
    label: 'action.merge',
    key: 'C',
    enabled: (desk) => mergePartner(desk) !== undefined,
    run(desk) {
      const partner = mergePartner(desk);
      if (partner && desk.calls.talking) void desk.switchboard.merge(desk.calls.talking.id, partner.id);
    },
  },
  split: {
    label: 'action.split',
    enabled: (_desk, call) => call?.conference != null && !call.negotiating,
    run: (desk, call) => call && void desk.switchboard.split(call.id),
  },
  nextLine: {
    label: 'action.nextLine',
    key: 'L',
    enabled: (desk) => desk.calls.state.value.current.length > 1,
    run: (desk) => desk.chooseLine(),
  },
  add: {
    label: 'action.add',
    key: 'A',
    enabled: (_desk, call) => isActive(call) && call?.conference === null,
    run: (desk, call) => call && desk.togglePanel(call.id, 'add'),
  },
  transfer: {
    label: 'action.transfer',
    key: 'T',
    enabled: (desk, call) => consulting(desk, call) !== undefined || (isActive(call) && call?.conference === null && call.transferable && !isUnderWay(call)),
    run(desk, call) {
      const first = consulting(desk, call);
      if (first) void desk.switchboard.complete(first.id);
      else if (call) desk.togglePanel(call.id, 'transfer');
    },
  },
  cancelTransfer: {
    label: 'action.cancelTransfer',
    key: 'X',
    enabled: (desk, call) => consulting(desk, call) !== undefined,
    run(desk, call) {
      const first = consulting(desk, call);
      if (first) void desk.switchboard.cancel(first.id);
    },
  },
  push: {
    label: 'action.push',
    key: 'D',
    enabled: (desk, call) => isActive(call) && consulting(desk, call) === undefined && call?.conference === null && call.transferable && !isUnderWay(call),
    run(desk, call) {
      desk.closePanel();
      if (call) void desk.switchboard.push(call.id);
    },
  },
  pull: {
    label: 'action.pull',
    key: 'P',
    enabled: (desk) => pullable(desk) !== undefined,
    run(desk) {
      const remote = pullable(desk);
      if (remote) desk.switchboard.pull(remote);
    },
  },
  keypad: {
    label: 'action.keypad',
    key: 'K',
    enabled: (_desk, call) => call === undefined || isActive(call) || call.earlyMedia,
    run: (desk, call) => (call ? desk.togglePanel(call.id, 'keypad') : desk.toggleDialKeypad()),
  },
  redial: {
    label: 'action.redialLast',
    key: 'R',
    enabled: (desk) => desk.lastDialled !== undefined,
    run: (desk) => desk.redial(),
  },
  callBack: {
    label: 'action.callBack',
    key: 'B',
    enabled: (desk) => lastEnded(desk) !== undefined,
    run(desk) {
      const ended = lastEnded(desk);
      const person = ended && desk.contacts.person(ended.remote);
      if (person?.target) desk.call(person.target, person.name);
    },
  },
  search: {
    label: 'action.search',
    key: '/',
    enabled: () => true,
    run: (desk) => desk.focusField(),
  },
  shortcuts: {
    label: 'action.shortcuts',
    key: '?',
    enabled: () => true,
    run: (desk) => desk.toggleShortcuts(),
  },
} satisfies Record<string, Action>;

export type ActionId = keyof typeof ACTIONS;

/** Runs a command if it makes sense now. Without a call it means the one in the foreground. */
export function perform(desk: Desk, id: ActionId, source: Source, callId?: CallId): boolean {
  const action: Action = ACTIONS[id];
  const live = desk.calls.state.value.phone.calls;
  const call = callId === undefined ? implied(desk, id) : live.find((c) => c.id === callId);
  if (callId !== undefined && !call) return false;
  if (!action.enabled(desk, call)) return false;
  action.run(desk, call, source);
  if (id !== 'nextLine') desk.forgetLine();
  return true;
}

function implied(desk: Desk, id: ActionId): CallState | undefined {
  const { incoming } = desk.calls.state.value;
  switch (id) {
    case 'answer':
    case 'holdAndAnswer':
    case 'endAndAnswer':
    case 'decline':
      return incoming[0];
    default:
      return desk.calls.state.value.current.find((call) => call.id === desk.state.value.line) ?? desk.calls.foreground;
  }
}
