/** Commands of windows on calls, and the media that goes with them: what a window wants, brought to the agent. */

import type { CallId, CallState, MediaEvent, RemoteCallId } from '../api.js';
import type { WireError } from '../error.js';
import type { Command, MediaResult } from '../protocol.js';
import type { Agent } from './agent.js';
import type { AgentRunner, OperationDone } from './agent_runner.js';
import type { MediaRouter } from './media_router.js';

/** What the caller wants besides the target. */
interface Wishes {
  readonly displayName: string | undefined;
  readonly anonymous: boolean | undefined;
}

export class CallControl {
  constructor(
    private readonly agent: AgentRunner,
    private readonly media: MediaRouter,
    private readonly warn: (message: string) => void,
  ) {}

  /** Places a call whose media `window` carries; the reason of a refusal, or `null`. */
  place(window: string, call: CallId, target: string, options: Wishes): WireError | null {
    return this.#begin(window, call, (agent, now) => agent.placeCall(now, call, target, options.displayName, options.anonymous));
  }

  /** Takes a call over from another device; `window` carries its media. The reason of a refusal, or `null`. */
  pull(window: string, call: CallId, remote: RemoteCallId): WireError | null {
    return this.#begin(window, call, (agent, now) => agent.pull(now, call, remote));
  }

  #begin(window: string, call: CallId, begin: (agent: Agent, now: number) => void): WireError | null {
    this.media.carry(call, window);
    const error = this.agent.attempt(begin);
    if (error !== null) this.media.callEnded(call);
    return error;
  }

  /** Places a call whose media `window` carries, to ask there before the far end of `of` is connected on. */
  consult(window: string, of: CallId, call: CallId, target: string, displayName: string | undefined, done: OperationDone): void {
    this.media.carry(call, window);
    this.agent.command(
      (agent, now) => agent.consult(now, of, call, target, displayName),
      (error) => {
        if (error !== null) this.media.callEnded(call);
        done(error);
      },
    );
  }

  /** Gives a command. The window that answers a call carries its media. */
  command(window: string, call: CallId, command: Command, done: OperationDone): void {
    if (command.verb === 'merge') {
      this.#merge(call, command.other, done);
      return;
    }
    if (command.verb !== 'answer') {
      this.agent.command((agent, now) => perform(agent, now, call, command), done);
      return;
    }
    const before = this.media.carrier(call);
    this.media.carry(call, window);
    this.agent.command(
      (agent, now) => perform(agent, now, call, command),
      (error) => {
        if (error?.code === 'wrong-state') this.media.carry(call, before);
        done(error);
      },
    );
  }

  /** Calls are mixed where one of them is: the other one moves there first. */
  #merge(first: CallId, second: CallId, done: OperationDone): void {
    const [one, other] = this.media.isMixed(second) ? [second, first] : [first, second];
    const merge = (): void => this.agent.command((agent, now) => agent.merge(now, one, other), done);
    const [window, before] = [this.media.carrier(one), this.media.carrier(other)];
    if (window === null || window === before) {
      merge();
      return;
    }
    this.media.carry(other, window);
    this.agent.command(
      (agent, now) => agent.moveMedia(now, other),
      (error) => {
        if (error === null) {
          merge();
          return;
        }
        this.media.carry(other, before);
        done(error);
      },
    );
  }

  /** A media request has ended. */
  mediaDone(request: string, result: MediaResult): void {
    this.agent.drive((agent, now) => {
      if ('error' in result) agent.mediaFailed(now, request, result.error.kind, result.error.detail);
      else if (result.ok.type === 'description') agent.mediaDescription(now, request, result.ok.sdp);
      else agent.mediaDone(now, request);
    });
  }

  /** A media session has seen something. */
  mediaEvent(session: string, event: MediaEvent): void {
    this.agent.drive((agent, now) => {
      switch (event.type) {
        case 'transport':
          agent.transportChanged(now, session, event.state);
          break;
        case 'path-doubt':
          agent.environment(now, 'doubtful');
          break;
        case 'candidates':
          agent.candidatesFound(now, session, event.fragment, event.matters);
          break;
        case 'microphone-lost':
          agent.microphoneLost(now, session, event.kind);
          break;
        case 'microphone-restored':
          agent.microphoneRestored(now, session);
          break;
      }
    });
  }

  /** Gives calls whose window is gone new media in another one, when the call has room for that. */
  moveStranded(calls: ReadonlyMap<CallId, CallState>): void {
    const movable = (call: CallId): boolean => {
      const state = calls.get(call);
      return state?.state === 'active' && !state.negotiating;
    };
    for (const call of this.media.takeMovable(movable)) {
      const moved: OperationDone = (error) => {
        if (error !== null) this.warn(`the audio of a call could not be moved: ${error.message}`);
      };
      this.agent.command((agent, now) => agent.moveMedia(now, call), moved);
    }
  }
}

function perform(agent: Agent, now: number, call: CallId, command: Command): string {
  switch (command.verb) {
    case 'answer':
      if (command.others === 'end') return agent.endAndAnswer(now, call);
      if (command.others === 'hold') return agent.holdAndAnswer(now, call);
      return agent.answer(now, call);
    case 'reject':
      return agent.reject(now, call, command.busy);
    case 'hang-up':
      return agent.hangUp(now, call);
    case 'hold':
      return agent.hold(now, call);
    case 'resume':
      return command.others === 'hold' ? agent.swapTo(now, call) : agent.resume(now, call);
    case 'transfer':
      return agent.transfer(now, call, command.target);
    case 'transfer-to':
      return agent.transferTo(now, call, command.other);
    case 'push':
      return agent.push(now, call);
    case 'cancel-transfer':
      return agent.cancelTransfer(now, call);
    case 'decide-transfer':
      return agent.decideTransfer(now, call, command.agree);
    case 'mute':
      return agent.setMuted(now, call, command.muted);
    case 'dtmf':
      return agent.sendDtmf(now, call, command.tones);
    case 'merge':
      return agent.merge(now, call, command.other);
    case 'split':
      return agent.split(now, call);
    case 'leave-conference':
      return agent.leaveConference(now);
    case 'add-participant':
      return agent.addParticipant(now, call, command.target);
    case 'remove-participant':
      return agent.removeParticipant(now, call, command.uri);
  }
}
