/**
 * What windows and the signalling host say to each other. The same messages whether the host is a shared worker, a
 * dedicated worker or in the page. `hello` and `gone` keep their shape for ever, so that releases can refuse each other.
 */

import type {
  AudioDevices,
  CallId,
  CallState,
  ConnectionState,
  MediaAction,
  MediaEvent,
  MediaOutcome,
  MicrophoneProblem,
  OwnDevice,
  RegistrationState,
  RemoteCall,
  RemoteCallId,
  ReplacesPolicy,
  TokenNeed,
  TransferPolicy,
} from './api.js';
import type { WireError } from './error.js';

/** Raised by every change that an older page or worker would misread. */
export const PROTOCOL = 6;

/** The account as a window describes it. */
export interface Account {
  readonly key: string;
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
  readonly instanceId: string | undefined;
  readonly iceServers: readonly RTCIceServer[];
}

/** One command on one call. */
export type Command =
  | { readonly verb: 'answer'; readonly others: 'hold' | 'end' | undefined }
  | { readonly verb: 'reject'; readonly busy: boolean }
  | { readonly verb: 'hang-up' }
  | { readonly verb: 'hold' }
  | { readonly verb: 'resume'; readonly others: 'hold' | undefined }
  | { readonly verb: 'transfer'; readonly target: string }
  | { readonly verb: 'transfer-to'; readonly other: CallId }
  | { readonly verb: 'push' }
  | { readonly verb: 'cancel-transfer' }
  | { readonly verb: 'decide-transfer'; readonly agree: boolean }
  | { readonly verb: 'mute'; readonly muted: boolean }
  | { readonly verb: 'dtmf'; readonly tones: string }
  | { readonly verb: 'merge'; readonly other: CallId }
  | { readonly verb: 'split' }
  /** Whichever call of the conference it is given to. */
  | { readonly verb: 'leave-conference' }
  | { readonly verb: 'add-participant'; readonly target: string }
  | { readonly verb: 'remove-participant'; readonly uri: string };

/** How a media request ended. */
export type MediaResult =
  | { readonly ok: MediaOutcome }
  | { readonly error: { readonly kind: MicrophoneProblem; readonly detail: string } };

/** From a window to the host. `request` names the `reply`. */
export type ToHost =
  | {
      readonly type: 'hello';
      readonly protocol: number;
      readonly window: string;
      readonly account: Account;
      readonly visible: boolean;
    }
  /** The window holds the Web Lock `windowLock(window)` now; who gets that lock later knows that it is gone. */
  | { readonly type: 'locked' }
  | { readonly type: 'start'; readonly request: number }
  | { readonly type: 'stop'; readonly request: number }
  | {
      readonly type: 'call';
      readonly request: number;
      readonly call: CallId;
      readonly target: string;
      readonly displayName: string | undefined;
      readonly anonymous: boolean | undefined;
    }
  /** Like `call`, to ask there before the far end of the call `of` is connected on. */
  | {
      readonly type: 'consult';
      readonly request: number;
      readonly of: CallId;
      readonly call: CallId;
      readonly target: string;
      readonly displayName: string | undefined;
    }
  /** The call `remote` of another device becomes the call `call` of this one. */
  | { readonly type: 'pull'; readonly request: number; readonly call: CallId; readonly remote: RemoteCallId }
  | { readonly type: 'ask-for-devices'; readonly request: number }
  | { readonly type: 'command'; readonly request: number; readonly call: CallId; readonly command: Command }
  | { readonly type: 'media-done'; readonly request: string; readonly result: MediaResult }
  | { readonly type: 'media-event'; readonly session: string; readonly event: MediaEvent }
  | { readonly type: 'visible'; readonly visible: boolean }
  | { readonly type: 'resumed' }
  | {
      readonly type: 'update';
      readonly password: string | undefined;
      readonly token?: string | undefined;
      readonly iceServers: readonly RTCIceServer[] | undefined;
    }
  | { readonly type: 'devices'; readonly request: number; readonly devices: AudioDevices }
  | { readonly type: 'bye' };

/** From the host to a window; sent in batches, one per drain of the core. */
export type ToWindow =
  | {
      readonly type: 'welcome';
      readonly protocol: number;
      /** The Web Lock that the host holds while it lives; `null` where a host cannot die before its window. */
      readonly hostLock: string | null;
      readonly connection: ConnectionState;
      readonly registration: RegistrationState;
      readonly calls: readonly CallState[];
      readonly remoteCalls: readonly RemoteCall[];
      readonly ownDevices: readonly OwnDevice[];
      readonly devices: AudioDevices;
      readonly iceServers: readonly RTCIceServer[];
    }
  | { readonly type: 'connection'; readonly state: ConnectionState }
  | { readonly type: 'registration'; readonly state: RegistrationState }
  | { readonly type: 'call'; readonly state: CallState }
  /** All of them. */
  | { readonly type: 'remote-calls'; readonly calls: readonly RemoteCall[] }
  /** All of them. */
  | { readonly type: 'own-devices'; readonly devices: readonly OwnDevice[] }
  | { readonly type: 'dtmf'; readonly call: CallId; readonly tone: string }
  | { readonly type: 'token-wanted'; readonly need: TokenNeed }
  | { readonly type: 'lead'; readonly lead: boolean }
  | { readonly type: 'reply'; readonly request: number; readonly error: WireError | null }
  | {
      readonly type: 'media';
      readonly request: string;
      readonly call: CallId;
      readonly session: string;
      readonly action: MediaAction;
      /** The session begins muted; matters with its first action only. */
      readonly muted: boolean;
    }
  | { readonly type: 'devices'; readonly devices: AudioDevices }
  | { readonly type: 'ice-servers'; readonly iceServers: readonly RTCIceServer[] }
  | { readonly type: 'log'; readonly level: LogLevel; readonly message: string }
  | { readonly type: 'gone'; readonly reason: GoneReason };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Why a host leaves its windows: `replaced` by a newer release (the page should be reloaded), `outdated` itself (ask
 * again and a newer one starts), `failed` by a bug (ask again), or asked for another `account` than it serves.
 */
export type GoneReason = 'replaced' | 'outdated' | 'failed' | 'account';

/** One end of a connection between a window and a host. */
export interface Port<Out, In> {
  send(message: Out): void;
  receive(listener: (message: In) => void): void;
  close(): void;
}

/** What the host holds: one port per window, messages to it in batches. */
export type HostPort = Port<readonly ToWindow[], ToHost>;
/** The window's end of it. */
export type WindowPort = Port<ToHost, readonly ToWindow[]>;

export const accountLock = (account: string): string => `clearline account ${account}`;
export const windowLock = (window: string): string => `clearline window ${window}`;
export const hostLock = (host: string): string => `clearline host ${host}`;
/** The broadcast channel on which hosts of one account ask each other to hand over. */
export const accountChannel = (account: string): string => `clearline account ${account}`;
export const workerName = (account: string): string => `clearline ${account}`;

/** Two joined ends in one page. Delivery is asynchronous, as between threads, so both behave alike. */
export function portPair(): { readonly host: HostPort; readonly window: WindowPort } {
  const toHost = new Pipe<ToHost>();
  const toWindow = new Pipe<readonly ToWindow[]>();
  const close = (): void => {
    toHost.close();
    toWindow.close();
  };
  return {
    host: { send: (m) => toWindow.put(m), receive: (l) => toHost.open(l), close },
    window: { send: (m) => toHost.put(m), receive: (l) => toWindow.open(l), close },
  };
}

/** A port over a `MessagePort`, a `Worker` or a worker's own scope. */
export function messagePort<Out, In>(port: {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => unknown) | null;
  close?(): void;
}): Port<Out, In> {
  return {
    send: (message) => port.postMessage(message),
    receive: (listener) => {
      port.onmessage = (event) => listener(event.data as In);
    },
    close: () => {
      port.onmessage = null;
      port.close?.();
    },
  };
}

class Pipe<T> {
  #listener: ((message: T) => void) | null = null;
  #waiting: T[] = [];
  #closed = false;

  put(message: T): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#deliverSoon();
  }

  open(listener: (message: T) => void): void {
    this.#listener = listener;
    this.#deliverSoon();
  }

  close(): void {
    this.#closed = true;
  }

  #deliverSoon(): void {
    queueMicrotask(() => {
      const listener = this.#listener;
      if (listener === null) return;
      for (const message of this.#waiting.splice(0)) if (!this.#closed) listener(message);
    });
  }
}
