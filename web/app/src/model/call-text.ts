import type { CallState, EndCause } from '@clearline/phone';
import type { MessageKey } from '../i18n/i18n.js';

/** What the words about an end depend on. */
export type Ending = Pick<CallState, 'direction' | 'answeredAt'> & { readonly end: { readonly cause: EndCause } | null };

/** Why a call is over, in words that are true for its direction. */
export function endText(call: Ending): MessageKey {
  const cause = call.end?.cause;
  switch (cause) {
    case undefined:
    case 'local-hang-up':
      return call.answeredAt === null && call.direction === 'outgoing' ? 'end.cancelledByYou' : 'end.ended';
    case 'transferred':
      return 'end.transferred';
    case 'moved-to-conference':
      return 'end.movedToConference';
    case 'alone-in-conference':
      return 'end.aloneInConference';
    case 'removed-from-conference':
      return 'end.removedFromConference';
    case 'remote-hang-up':
      return 'end.remoteHangUp';
    case 'cancelled':
      return call.direction === 'outgoing' ? 'end.cancelledByYou' : 'end.missed';
    case 'missed':
      return 'end.missed';
    case 'declined':
    case 'rejected':
      return call.direction === 'outgoing' ? 'end.declined' : 'end.declinedByYou';
    case 'busy':
      return call.direction === 'outgoing' ? 'end.busy' : 'end.declinedByYou';
    case 'no-answer':
      return call.direction === 'outgoing' ? 'end.noAnswer' : 'end.missed';
    case 'answered-elsewhere':
      // One that was answered here has been taken over there.
      return call.answeredAt === null ? 'end.answeredElsewhere' : 'end.pulled';
    case 'declined-elsewhere':
      return 'end.declinedElsewhere';
    case 'not-found':
      return 'end.notFound';
    case 'unavailable':
      return 'end.unavailable';
    case 'forbidden':
      return 'end.forbidden';
    case 'not-acceptable':
      return 'end.notAcceptable';
    case 'media-failed':
      return 'end.mediaFailed';
    case 'network-failed':
      return 'end.networkFailed';
    case 'server-failed':
      return 'end.serverFailed';
  }
}

/** Whether this end deserves a red mark: it did not become what somebody wanted. */
export function endedBadly(call: Ending): boolean {
  const cause = call.end?.cause;
  return (
    cause !== undefined &&
    !['local-hang-up', 'remote-hang-up', 'transferred', 'moved-to-conference', 'alone-in-conference', 'answered-elsewhere', 'declined-elsewhere'].includes(cause) &&
    !(cause === 'cancelled' && call.direction === 'outgoing') &&
    !(cause === 'declined' && call.direction === 'incoming')
  );
}

/** A conference that this user's calls have moved into, or were to: they tell of it in the history. */
export function isOwnConference(call: CallState): boolean {
  return call.focus && call.succeeds !== null && call.transferredBy === null;
}

/** Whether this user may bring people into the conference a call leads to, and send them away: it tells who is there, and nobody says otherwise. */
export function controlsRoom({ focus, participants }: CallState): boolean {
  return focus && participants.length > 0 && participants.some(({ isModerator, isSelf }) => isModerator && isSelf) === participants.some(({ isModerator }) => isModerator);
}

/** The state of a live call in one or two words. */
export function stateText(call: CallState): MessageKey {
  switch (call.state) {
    case 'preparing':
      return 'call.preparing';
    case 'calling':
      return 'call.calling';
    case 'ringing':
      return call.earlyMedia ? 'call.announcement' : 'call.ringing';
    case 'incoming':
      return 'call.incoming';
    case 'answering':
      return 'call.answering';
    case 'ending':
      return 'call.ending';
    case 'ended':
      return 'end.ended';
    case 'active':
      return activeText(call);
  }
}

function activeText(call: CallState): MessageKey {
  if (call.transfer?.type === 'referring') return 'transfer.referring';
  if (call.transfer?.type === 'proceeding') return call.transfer.sipStatus >= 180 ? 'transfer.ringing' : 'transfer.referring';
  if (call.localHold) return 'call.onHold';
  if (call.remoteHold) return 'call.heldByPeer';
  if (audioIsLost(call)) return call.media === 'failed' && !call.reconnecting ? 'call.audioLost' : 'call.reconnectingAudio';
  if (call.media !== 'connected') return 'call.connectingAudio';
  return 'call.active';
}

/** Whether a conversation has lost its audio: the network changed, the page was reloaded, another window took over. */
export function audioIsLost(call: CallState): boolean {
  if (call.state !== 'active' || call.localHold) return false;
  return call.media === 'disconnected' || call.media === 'failed' || (call.reconnecting && call.media !== 'connected');
}
