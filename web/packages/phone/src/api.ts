/**
 * The public API of Clearline's phone: what an embedder sees. Everything here is plain data, promises and
 * subscriptions; where the signalling runs (shared worker, dedicated worker, page) makes no difference.
 */

/** Identifies one call: 16 hexadecimal digits. */
export type CallId = string;

/** A party: text from the network or the user. Show it as text, never as HTML. */
export interface Identity {
  readonly displayName: string;
  /** The user part of the address: a number or a name. */
  readonly user: string;
  readonly uri: string;
}

/** A party that sent a call on to another. */
export interface Diversion {
  /** Whom the call was for; empty where that party wants privacy. */
  readonly party: Identity;
  readonly reason: DiversionReason;
}

export type DiversionReason =
  | 'unknown'
  | 'user-busy'
  | 'no-answer'
  | 'unavailable'
  | 'unconditional'
  | 'time-of-day'
  | 'do-not-disturb'
  | 'deflection'
  | 'follow-me'
  | 'out-of-service'
  | 'away';

/** The connection to the platform. Times are milliseconds since the Unix epoch. */
export type ConnectionState =
  | { readonly type: 'stopped' }
  | { readonly type: 'connecting'; readonly attempt: number }
  | { readonly type: 'connected' }
  | { readonly type: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly reason: string };

/** The registration of this device. */
export type RegistrationState =
  | { readonly type: 'unregistered' }
  | { readonly type: 'registering' }
  | { readonly type: 'registered'; readonly expiresAt: number; readonly bindings: number }
  | {
      readonly type: 'failed';
      readonly sipStatus: number | null;
      readonly reason: string;
      readonly credentialsRejected: boolean;
      readonly retryAt: number | null;
    };

export type CallStatus =
  | 'preparing'
  | 'calling'
  | 'ringing'
  | 'incoming'
  | 'answering'
  | 'active'
  | 'ending'
  | 'ended';

export type EndCause =
  | 'local-hang-up'
  | 'remote-hang-up'
  /** It has gone over to another call: this side has connected the far end with somebody else, or that one this side. */
  | 'transferred'
  /** The far end has moved into a conference of the platform with this user: the talk goes on in the call that leads there. */
  | 'moved-to-conference'
  /** A conference of the platform ended, as everybody else has left it. */
  | 'alone-in-conference'
  /** Somebody who may has had this user sent away from a conference of the platform. */
  | 'removed-from-conference'
  | 'cancelled'
  | 'missed'
  | 'declined'
  | 'rejected'
  | 'busy'
  | 'no-answer'
  | 'answered-elsewhere'
  | 'declined-elsewhere'
  | 'not-found'
  | 'unavailable'
  | 'forbidden'
  | 'not-acceptable'
  | 'media-failed'
  | 'network-failed'
  | 'server-failed';

export type MediaTransportState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed';

export type MicrophoneProblem =
  | 'permission-denied'
  | 'no-device'
  | 'device-failed'
  | 'description-rejected'
  | 'unavailable'
  | 'failed';

/**
 * What is under way to connect the far end of a call with somebody else.
 *
 * ```text
 * consulting --> referring --> proceeding --> the call ends: `transferred`
 *                    +-------------+--------> failed: the call is what it was before
 * ```
 */
export type TransferState =
  /** On hold while somebody else is asked, in the call `with`. */
  | { readonly type: 'consulting'; readonly with: CallId }
  /** The far end has been asked to call somebody else. */
  | { readonly type: 'referring' }
  /** It does; 180 when it rings there. */
  | { readonly type: 'proceeding'; readonly sipStatus: number }
  /** It has not come about. Stays until the next command to the call. */
  | { readonly type: 'failed'; readonly code: PhoneErrorCode; readonly sipStatus: number | null; readonly message: string };

/** The far end of a call wants this side to call somebody else. */
export interface TransferRequest {
  /** Whom. */
  readonly target: Identity;
  readonly referredBy: Identity;
  /** The two have spoken about it. */
  readonly attended: boolean;
}

/** Somebody in a conference of the platform. */
export interface Participant {
  /** `identity.uri` names them for `Call.removeParticipant`. */
  readonly identity: Identity;
  /** This user, here or on another device. */
  readonly isSelf: boolean;
  /** They may have others brought in and sent away. Where that is said of nobody, the platform does not tell. */
  readonly isModerator: boolean;
  readonly state: 'joining' | 'ringing' | 'connected' | 'on-hold' | 'muted' | 'leaving';
}

/** An immutable snapshot of one call. */
export interface CallState {
  readonly id: CallId;
  readonly direction: 'outgoing' | 'incoming';
  readonly remote: Identity;
  /** The caller withholds who it is: this side of an outgoing call, the far end of an incoming one. */
  readonly anonymous: boolean;
  /** Who sent an incoming call on to here, the last one first. */
  readonly divertedBy: readonly Diversion[];
  /** Where an outgoing call was sent on to (a redirect), if it was. */
  readonly redirectedTo: Identity | null;
  /** How the platform would like it to ring: an alert URN (RFC 7462), if the configuration lets it have a say. */
  readonly alert: string | null;
  readonly state: CallStatus;
  readonly muted: boolean;
  /** Negotiated: this side holds the other. */
  readonly localHold: boolean;
  /** Negotiated: the other side holds this one. */
  readonly remoteHold: boolean;
  /**
   * The conference on this device the call is part of, or `null`: its party hears those of the other calls with the same
   * number, unless one of them is held.
   */
  readonly conference: number | null;
  /** The far end is the focus of a conference of the platform (RFC 4579): several may be heard in this one call. */
  readonly focus: boolean;
  /** Who takes part there, this user included, as far as the platform tells (RFC 4575). */
  readonly participants: readonly Participant[];
  /** A change (hold, resume) is being negotiated. */
  readonly negotiating: boolean;
  /** The platform or the audio path was lost and has not been renegotiated yet; the call goes on. */
  readonly reconnecting: boolean;
  readonly media: MediaTransportState;
  /** The call goes on without a microphone, and why; it is opened as soon as that becomes possible. */
  readonly microphoneProblem: MicrophoneProblem | null;
  /** The platform plays audio before the answer: no local ringback is due. */
  readonly earlyMedia: boolean;
  /** Another call was up when this one came in: a waiting tone, not a ring. */
  readonly waiting: boolean;
  /** The far end can be connected with somebody else, as far as is known: it and the platform offer that. */
  readonly transferable: boolean;
  readonly transfer: TransferState | null;
  /** The far end waits for this user's consent: `acceptTransfer` or `declineTransfer`. */
  readonly transferRequest: TransferRequest | null;
  /** Who has connected this side with the present far end; of a call that comes in, whom the caller names (nobody proves it). */
  readonly transferredBy: Identity | null;
  /** The call whose place this one takes if it is answered: its far end has sent the user here, or moves into this conference. */
  readonly succeeds: CallId | null;
  readonly createdAt: number;
  readonly answeredAt: number | null;
  readonly end: {
    readonly at: number;
    readonly cause: EndCause;
    readonly sipStatus: number | null;
    readonly text: string;
    readonly retryAfter: number | null;
    /** The cause in the telephone network behind it (ITU-T Q.850), for details. */
    readonly q850Cause: number | null;
  } | null;
}

/** Identifies a call of another device, as long as that device has it. */
export type RemoteCallId = string;

/** A call that another device of the same account has: an immutable snapshot. */
export interface RemoteCall {
  readonly id: RemoteCallId;
  /** What that device calls itself, if the platform tells. Text from the network: never show it as HTML. */
  readonly device: string | null;
  /** The far end. */
  readonly remote: Identity;
  /** As that device sees it, if the platform tells. */
  readonly direction: 'outgoing' | 'incoming' | null;
  readonly state: 'ringing' | 'active';
  /** Since when it is in that state. */
  readonly since: number;
  /** `Phone.pull` can take it over: it is answered, and the platform names the dialog. */
  readonly canBePulled: boolean;
}

/** Another device of the same account to which a call can be sent: an immutable snapshot. */
export interface OwnDevice {
  /** A target for `Call.transfer` that leads to this device alone (RFC 5627). */
  readonly address: string;
  /** What that device calls itself, if the platform tells. Text from the network: never show it as HTML. */
  readonly name: string | null;
}

/** An immutable snapshot of the whole phone; a new object whenever anything changed. */
export interface PhoneState {
  readonly connection: ConnectionState;
  readonly registration: RegistrationState;
  /** Live calls in order of creation. Ended calls leave after `callEnded` has been delivered. */
  readonly calls: readonly CallState[];
  /** Those of the account's other devices, if `PhoneConfig.remoteCalls` asks for them and the platform tells (RFC 4235). */
  readonly remoteCalls: readonly RemoteCall[];
  /** The account's other devices, under the same condition, as the platform has listed them last: `Phone.askForDevices`. */
  readonly ownDevices: readonly OwnDevice[];
  /** How the signalling is hosted. */
  readonly host: HostMode;
  /**
   * Whether this window carries the media of a call, or would be given it: among all windows of the account at least
   * one has it, and exactly one while no call is up. Ring in this window only.
   */
  readonly ownsMedia: boolean;
}

export type HostMode = 'shared-worker' | 'worker' | 'page';

export type PhoneErrorCode =
  | 'no-such-call'
  | 'duplicate-call'
  | 'wrong-state'
  | 'invalid-target'
  | 'invalid-tone'
  | 'not-connected'
  | 'too-many-calls'
  | 'refused'
  | 'timed-out'
  | 'disconnected'
  | 'media'
  | 'call-ended'
  | 'superseded'
  /** Neither the far end nor the platform offers this. */
  | 'not-offered'
  /** The far end of a transfer could not reach whom it was sent to; `sipStatus` says what it heard. */
  | 'target-failed'
  /** The far end of a transfer has not said what became of it. */
  | 'outcome-unknown'
  | 'unsupported'
  | 'worker-failed';

export type ReplacesPolicy = 'known' | 'same-domain' | 'anyone';

/**
 * Who plays to a party on hold: `generated`, this side, a small melody; a file, this side too; `platform`, which sees that it is
 * held; `none`. Wherever this side does not play, it sends silence.
 */
export type HoldMusic = 'none' | 'generated' | 'platform' | HoldFile;

/**
 * Music of one's own: a file that the browser can decode (WAV, Ogg Opus ...), at most 4 MiB and five minutes, of the page's origin
 * or one that lets it (CORS). Whatever is wrong with it, the melody is played instead, and the logger told.
 */
export interface HoldFile {
  readonly url: string | URL;
}

/** How to reach the platform and as whom. */
export interface PhoneConfig {
  /** For example `sip:alice@example.com`. */
  readonly addressOfRecord: string;
  readonly password: string;
  /** `ws:`/`wss:` URLs in order of preference. One that fails is left for the next. */
  readonly servers: readonly string[];
  /** How many connections to keep at the same time, each to another server, so that one may fail; default: 1. */
  readonly outboundFlows?: number;
  /**
   * Whether this device calls whom the far end of a call sends it to; default `same-domain`: within the account's own
   * domain at once, else the user is asked (`CallState.transferRequest`).
   */
  readonly transferPolicy?: TransferPolicy;
  /**
   * Who may take the place of a call's far end (RFC 3891), if it names the dialog. `known`: the far end, whom it has sent,
   * and one's own devices. `same-domain`, the default: those, and everybody of one's own domain, as many telephones do not
   * say on whose behalf they call. `anyone`: for platforms where those who transfer have other domains.
   */
  readonly replacesPolicy?: ReplacesPolicy;
  /** Follow the account's other devices: `PhoneState.remoteCalls` and `ownDevices`; default: no. */
  readonly remoteCalls?: boolean;
  /**
   * Where the platform makes conferences (RFC 4579), for example `sip:conference@example.com`: calls are merged there.
   * Default: in the window.
   */
  readonly conferenceFactory?: string;
  /** For platforms that ask for a bearer token instead of a password (RFC 8898); only shown over TLS. */
  readonly token?: string;
  /** User name for digest authentication; default: the user part of the address. */
  readonly authUser?: string;
  readonly displayName?: string;
  /** What this device calls itself to the account's other devices. */
  readonly deviceName?: string;
  /** `urn:uuid:...` of this device; default: made once and kept in IndexedDB. */
  readonly instanceId?: string;
  readonly iceServers?: readonly RTCIceServer[];
  /** `relay` sends all audio through a TURN server, so that the far end does not learn this device's address. */
  readonly iceTransportPolicy?: RTCIceTransportPolicy;
  /** Who plays to a party on hold; default: `generated`. */
  readonly holdMusic?: HoldMusic;
  /** Where the signalling runs; default: the best available of shared worker, worker, page. */
  readonly host?: HostMode;
  /** Key for worker name, locks and storage: one per account; default: the address of record. */
  readonly accountKey?: string;
  /** URL of the worker module when the bundler's own is not wanted (same origin). */
  readonly workerModule?: string | URL;
  /** Replaces the `RTCPeerConnection` engine: redirection, tests. */
  readonly media?: MediaEngineFactory;
  /** Receives diagnostic lines without secrets or numbers. */
  readonly logger?: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;
}

export type TransferPolicy = 'never' | 'ask' | 'same-domain' | 'always';

export interface CallOptions {
  /** Shown until the platform says otherwise. */
  readonly displayName?: string;
  /** The callee is not to learn who calls (RFC 3323). */
  readonly anonymous?: boolean;
}

/** A call. Methods resolve when the change is negotiated and reject with a `PhoneError`. */
export interface Call {
  readonly id: CallId;
  /** The latest snapshot; stays at the final one after the end. */
  readonly state: CallState;
  subscribe(listener: (state: CallState) => void): () => void;
  /** Resolves when answered, rejects when it ended before that. */
  readonly answered: Promise<void>;
  /** Resolves with the final snapshot. Never rejects. */
  readonly ended: Promise<CallState>;
  answer(options?: { readonly others?: 'hold' | 'end' }): Promise<void>;
  reject(reason?: 'declined' | 'busy'): Promise<void>;
  hangUp(): Promise<void>;
  hold(): Promise<void>;
  /** With `others: 'hold'` whoever else is on the line is put on hold before, and is back if this fails. */
  resume(options?: { readonly others?: 'hold' }): Promise<void>;
  /**
   * Connects the far end with `target`. Resolves when it has answered, and this call has ended. If that fails, the promise
   * rejects and the call is what it was before.
   */
  transfer(target: string): Promise<void>;
  /**
   * Sends the far end to the other devices of this account: they ring, this one does not. Resolves when one has answered,
   * and this call has ended; otherwise the promise rejects and the call is what it was before. One device alone
   * (`PhoneState.ownDevices`), or another number of the same person, is a target of `transfer`.
   */
  push(): Promise<void>;
  /** Connects the far end with that of another call. Resolves when it has, and both calls have ended. */
  transferTo(other: CallId): Promise<void>;
  /**
   * Holds this call and calls `target`, to ask there before `transferTo` or `cancelTransfer`. Gives the second call at
   * once; a refusal rejects its `answered`. When the second call ends, this one is taken off hold.
   */
  consult(target: string, options?: Pick<CallOptions, 'displayName'>): Call;
  /** Ends the call in which somebody is consulted, and takes this one off hold. */
  cancelTransfer(): Promise<void>;
  /** Calls whom the far end wants this side to call; the new call names this one in `succeeds`. */
  acceptTransfer(): Promise<void>;
  declineTransfer(): Promise<void>;
  mute(): Promise<void>;
  unmute(): Promise<void>;
  /** `0-9 * # A-D`; `,` and `;` pause two seconds. */
  sendDtmf(tones: string): Promise<void>;
  /**
   * Leaves the conference with this party, for a talk in private: the others are held. If one cannot be, the conference
   * goes on.
   */
  split(): Promise<void>;
  /**
   * Has somebody brought into the conference of the platform that this call leads to (`focus`): a number, a name or an
   * address. Resolves when they have answered; until then `participants` shows them.
   */
  addParticipant(target: string): Promise<void>;
  /** Has a participant sent away, by their `identity.uri`. Rejects with `refused` where the platform does not let this user. */
  removeParticipant(uri: string): Promise<void>;
}

export interface PhoneEvents {
  /** A call came in. */
  incoming: Call;
  /** A call (either direction) is over; its state has `end`. */
  callEnded: CallState;
  dtmf: { readonly call: CallId; readonly tone: string };
  /** A bearer token is needed: give one with `update`. What waits for it goes on then. */
  tokenWanted: TokenNeed;
}

export type TokenNeed = 'missing' | 'expiring' | 'expired' | 'rejected';

/** Levels of one call's audio, 0..1 (root mean square), for meters; only in the window that owns the media. */
export interface AudioLevels {
  readonly microphone: number;
  readonly speaker: number;
}

/** Which devices to use; `undefined`: the system's default. Stored per account by the phone. */
export interface AudioDevices {
  readonly microphone?: string;
  readonly speaker?: string;
  /** Where it rings; used by the application's ringer. */
  readonly ring?: string;
}

export interface Phone {
  /** The latest snapshot. Same object until something changes (fits `useSyncExternalStore`, signals ...). */
  readonly state: PhoneState;
  subscribe(listener: () => void): () => void;
  on<K extends keyof PhoneEvents>(event: K, listener: (event: PhoneEvents[K]) => void): () => void;
  /** Connects and registers; resolves when registered, rejects when credentials are refused. */
  start(): Promise<void>;
  /** Ends calls, un-registers, disconnects. */
  stop(): Promise<void>;
  /** Gives an object at once; a refusal rejects `call.answered`. */
  call(target: string, options?: CallOptions): Call;
  /**
   * Takes one of `state.remoteCalls` over from another device (RFC 3891): its far end is asked to speak with this one
   * instead. Gives an object at once, whose `answered` resolves when the call is here and gone there. It rejects, and the
   * other device keeps the call, if the far end does not agree, another device was quicker, or the call is over
   * (`no-such-call`). Calls that are up here are to be held before, as with `call`.
   */
  pull(remote: RemoteCallId): Call;
  /**
   * Asks the platform which other devices the account has, as it tells by itself only now and then. A change shows in
   * `state.ownDevices`. Rejects with `not-connected` while this device is not registered.
   */
  askForDevices(): Promise<void>;
  /**
   * Lets the parties of two answered calls hear each other.
   *
   * With `PhoneConfig.conferenceFactory` both move into a conference of the platform: they end as `moved-to-conference`, and
   * a new call with `focus` takes the place of one of them (`succeeds`). A call merged with that one moves there too. To
   * hang it up is to leave; the others go on.
   *
   * Elsewhere, and with parties that cannot move, those that are held are taken off hold, then all are mixed in the window that carries `one`, where the audio of `other` moves if need be. A third call joins a conference when it is
   * merged with one of its calls. If a step fails, everything is as before. What a browser mixes ends with its window: with
   * a reload it is mixed anew.
   */
  merge(one: CallId, other: CallId): Promise<void>;
  /**
   * Leaves a conference by connecting the two others with each other. Rejects with `not-offered` where that is not possible;
   * leaving means to hang up both calls then.
   */
  leaveConference(): Promise<void>;
  /** The live object of a call in `state.calls`. */
  callById(id: CallId): Call | undefined;
  /** Renewed credentials or ICE servers; other music, for parties that are put on hold by this window from now on. */
  update(config: Partial<Pick<PhoneConfig, 'password' | 'token' | 'iceServers' | 'holdMusic'>>): void;
  /** Sets all of them. Also tries again to open a microphone that could not be opened before. */
  setDevices(devices: AudioDevices): Promise<void>;
  readonly devices: AudioDevices;
  /** Current levels, or `null` when the call's media is not in this window. Cheap: call per animation frame. */
  levels(call: CallId): AudioLevels | null;
  /** WebRTC statistics of a call, or `null` when its media is not in this window. */
  stats(call: CallId): Promise<RTCStatsReport | null>;
  /** Leaves this window without ending anything that other windows still carry. */
  dispose(): void;
}

/** One session's job, mirroring the core's `MediaAction` (clearline_core::io). */
export type MediaAction =
  | { readonly type: 'create-offer'; readonly direction: RTCRtpTransceiverDirection; readonly ice_restart: boolean }
  | { readonly type: 'create-answer'; readonly offer: string; readonly direction: RTCRtpTransceiverDirection }
  | { readonly type: 'apply-answer'; readonly answer: string; readonly provisional: boolean }
  /** Candidates of the far end that came after its description: `application/trickle-ice-sdpfrag` (RFC 8840). */
  | { readonly type: 'add-candidates'; readonly fragment: string }
  | { readonly type: 'rollback' }
  | { readonly type: 'set-muted'; readonly muted: boolean }
  /** Mix: the party hears those of all other sessions of this conference, and they hear it. `null`: none any more. */
  | { readonly type: 'set-conference'; readonly conference: number | null }
  | { readonly type: 'send-dtmf'; readonly tones: string; readonly duration_ms: number }
  | { readonly type: 'close' };

export type MediaOutcome = { readonly type: 'description'; readonly sdp: string } | { readonly type: 'done' };

export type MediaEvent =
  | { readonly type: 'transport'; readonly state: MediaTransportState }
  /** The way of the audio may be gone: nothing comes in any more, or it takes another way. Whether it is, others see. */
  | { readonly type: 'path-doubt'; readonly reason: string }
  /** Candidates were found after the description; `matters` if the call may depend on them. */
  | { readonly type: 'candidates'; readonly fragment: string; readonly matters: boolean }
  | { readonly type: 'microphone-lost'; readonly kind: MicrophoneProblem }
  | { readonly type: 'microphone-restored' };

/** A media session as the phone drives it: one peer connection. Actions arrive one at a time, in order, `close` last. */
export interface MediaSession {
  /**
   * Rejects with `{ kind, detail }`, kind being a `MicrophoneProblem`. `close` may overtake an action that still runs;
   * that one's outcome is ignored then. A session whose first action is `close` was prepared in vain.
   */
  perform(action: MediaAction): Promise<MediaOutcome>;
  /** The call is being answered here: the first action is near, the microphone may be opened. */
  prepare?(): void;
  levels(): AudioLevels;
  stats(): Promise<RTCStatsReport | null>;
  setDevices(devices: AudioDevices): Promise<void>;
}

export interface MediaEngineContext {
  readonly iceServers: readonly RTCIceServer[];
  /** `relay`: only through a TURN server. */
  readonly iceTransportPolicy: RTCIceTransportPolicy;
  readonly devices: AudioDevices;
  readonly holdMusic: HoldMusic;
  emit(event: MediaEvent): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

export type MediaEngineFactory = (context: MediaEngineContext) => MediaSession;

/** Loads the module and gives a phone; nothing is connected before `start()`. */
export type CreatePhone = (config: PhoneConfig) => Promise<Phone>;
