/** What windows and their service worker say to each other. */

/** A window asks for a notification; shown only while no window of the account can be seen. */
export interface RingRequest {
  readonly type: 'ring';
  readonly callId: string;
  readonly title: string;
  readonly body: string;
  readonly answer: string;
  readonly decline: string;
}

export interface SilenceRequest {
  readonly type: 'silence';
  readonly callId: string;
}

/** To a waiting service worker: take over if no window has a call. */
export interface TakeOverRequest {
  readonly type: 'take-over';
}

export type ToWorker = RingRequest | SilenceRequest | TakeOverRequest;

/** A notification was clicked. */
export interface CallAction {
  readonly type: 'call-action';
  readonly callId: string;
  readonly action: 'answer' | 'decline' | 'show';
}

/** Asked with a message port; the window answers `true` while a call is up. */
export interface BusyQuestion {
  readonly type: 'busy?';
}

export type ToWindow = CallAction | BusyQuestion;
