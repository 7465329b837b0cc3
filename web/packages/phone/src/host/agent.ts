/** The core as the host sees it: the exports of the WebAssembly module, replaceable by a fake in tests. */

import type { ReplacesPolicy, TransferPolicy } from '../api.js';

/** What the agent asks of its host; mirrors `Host` of the module. */
export interface AgentHost {
  connect(connection: string, url: string): void;
  transmit(connection: string, message: string | Uint8Array): void;
  disconnect(connection: string): void;
  media(request: string, call: string, session: string, action: string): void;
  connection(state: string): void;
  registration(state: string): void;
  call(id: string, info: string, consulted: string | undefined, succeeds: string | undefined): void;
  dtmf(call: string, tone: string): void;
  remoteCalls(calls: string): void;
  ownDevices(devices: string): void;
  tokenWanted(need: string): void;
  operationDone(operation: string, error: string | undefined): void;
  stopped(): void;
  dropped(connection: string, why: string, unreported: number): void;
  idle(deadline: number | undefined): void;
  hostFailed(error: unknown): void;
}

/** A running agent; `now` is the host clock's. Commands return an operation or throw a `PhoneErrorCode`. */
export interface Agent {
  start(now: number): void;
  stop(now: number): void;
  wake(now: number): void;
  connected(now: number, connection: string): void;
  disconnected(now: number, connection: string, reason: string): void;
  receivedText(now: number, connection: string, message: string): void;
  receivedBinary(now: number, connection: string, message: Uint8Array): void;
  environment(now: number, state: string): void;
  mediaDescription(now: number, request: string, sdp: string): void;
  mediaDone(now: number, request: string): void;
  mediaFailed(now: number, request: string, kind: string, detail: string): void;
  transportChanged(now: number, session: string, state: string): void;
  candidatesFound(now: number, session: string, fragment: string, matters: boolean): void;
  microphoneLost(now: number, session: string, kind: string): void;
  microphoneRestored(now: number, session: string): void;
  placeCall(now: number, call: string, target: string, displayName?: string | null, anonymous?: boolean | null): void;
  answer(now: number, call: string): string;
  endAndAnswer(now: number, call: string): string;
  holdAndAnswer(now: number, call: string): string;
  reject(now: number, call: string, busy: boolean): string;
  hangUp(now: number, call: string): string;
  hold(now: number, call: string): string;
  resume(now: number, call: string): string;
  swapTo(now: number, call: string): string;
  transfer(now: number, call: string, target: string): string;
  transferTo(now: number, call: string, other: string): string;
  consult(now: number, of: string, call: string, target: string, displayName?: string | null): string;
  push(now: number, call: string): string;
  pull(now: number, call: string, remote: string): void;
  askForDevices(now: number): void;
  cancelTransfer(now: number, call: string): string;
  decideTransfer(now: number, call: string, agree: boolean): string;
  setMuted(now: number, call: string, muted: boolean): string;
  sendDtmf(now: number, call: string, tones: string): string;
  moveMedia(now: number, call: string): string;
  merge(now: number, one: string, other: string): string;
  split(now: number, party: string): string;
  leaveConference(now: number): string;
  addParticipant(now: number, call: string, target: string): string;
  removeParticipant(now: number, call: string, uri: string): string;
  setPassword(now: number, password: string): void;
  setToken(now: number, token: string, expiresAt?: number | null): void;
  snapshot(now: number): Uint8Array;
  free(): void;
}

/** The account of an agent. */
export interface AgentConfig {
  readonly addressOfRecord: string;
  readonly displayName: string;
  readonly authUser: string;
  readonly password: string;
  readonly servers: readonly string[];
  readonly outboundFlows?: number | undefined;
  readonly transferPolicy?: TransferPolicy | undefined;
  readonly replacesPolicy?: ReplacesPolicy | undefined;
  readonly remoteCalls?: boolean | undefined;
  readonly conferenceFactory?: string | undefined;
  readonly token?: string | undefined;
  readonly deviceName?: string | undefined;
  readonly instanceId: string;
}

/** Makes agents. */
export interface AgentModule {
  create(host: AgentHost, config: AgentConfig, seed: Uint8Array): Agent;
  restore(
    host: AgentHost,
    config: AgentConfig,
    snapshot: Uint8Array,
    seed: Uint8Array,
    now: number,
    asleep: number,
  ): Agent;
}
