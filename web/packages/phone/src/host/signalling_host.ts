/**
 * The signalling of one account and the windows that use it. The same code in a shared worker, a dedicated worker or a
 * page. This file is the door: who may come in, who is there, and when the host goes for good, which it does when a newer
 * release takes over, the agent fails, or the last window has left.
 */

import type { CallId } from '../api.js';
import type { WireError } from '../error.js';
import {
  hostLock,
  PROTOCOL,
  windowLock,
  type Account,
  type GoneReason,
  type HostPort,
  type LogLevel,
  type ToHost,
  type ToWindow,
} from '../protocol.js';
import { AccountAgent, type AccountAgentListener, type Reply } from './account_agent.js';
import type { AgentListener } from './agent_runner.js';
import { CallControl } from './call_control.js';
import { MediaRouter } from './media_router.js';
import { SleepWatch } from './sleep_watch.js';
import { Succession } from './succession.js';
import type { HostSurroundings } from './surroundings.js';
import { Windows } from './windows.js';

/** How long a host without windows keeps its calls. */
export const LINGER_WITH_CALLS_MS = 30_000;
/** How long a host without windows and calls stays registered: long enough for a reload. */
export const LINGER_IDLE_MS = 10_000;
/** How long a window may take to get its own lock before it is believed dead. */
const LOCK_GRACE_MS = 10_000;

type Hello = Extract<ToHost, { type: 'hello' }>;

/** What there is once the first window has said which account this is. */
interface Serving {
  readonly agent: AccountAgent;
  readonly control: CallControl;
}

export class SignallingHost implements AccountAgentListener {
  readonly #id = crypto.randomUUID();
  readonly #windows = new Windows();
  readonly #media = new MediaRouter(this.#windows, (request, result) => this.#serving?.control.mediaDone(request, result));
  readonly #succession = new Succession(() => this.settled());
  /** The lock that windows wait for in vain while this host lives; they may be told of it once it is held. */
  readonly #lifeLine: Promise<void>;

  #serving: Serving | null = null;
  #gone = false;
  readonly #sleepWatch: SleepWatch;
  readonly #ignoreNetwork: () => void;
  #online = true;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly surroundings: HostSurroundings) {
    this.#lifeLine = holdForEver(surroundings.locks, hostLock(this.#id));
    this.#sleepWatch = new SleepWatch(
      () => surroundings.clock.now(),
      () => this.#serving?.agent.resumed(),
    );
    this.#ignoreNetwork = surroundings.watchNetwork((news) => {
      this.#online = news.type === 'online' ? news.online : this.#online;
      this.#serving?.agent.network(news);
    });
  }

  /** Serves the window behind `port`. */
  attach(port: HostPort): void {
    let window: string | null = null;
    port.receive((message) => {
      if (message.type === 'hello') window = this.#hello(port, message) ? message.window : null;
      else if (window !== null && this.#serving !== null) this.#receive(this.#serving, window, message);
    });
  }

  // Windows

  #hello(port: HostPort, hello: Hello): boolean {
    if (!this.#admits(port, hello)) return false;
    const id = hello.window;
    const { agent } = this.#serve(hello.account);
    this.#windows.add(id, port, hello.visible);
    clearTimeout(this.#lingerTimer);
    // A window that dies before it has its lock would never be missed otherwise.
    setTimeout(() => this.#missWhenGone(id), LOCK_GRACE_MS);
    void this.#welcome(id, agent);
    return true;
  }

  #admits(port: HostPort, hello: Hello): boolean {
    const refuse = (reason: GoneReason): false => {
      port.send([{ type: 'gone', reason }]);
      return false;
    };
    if (this.#gone) return refuse('outdated');
    if (!this.#succession.admits(port, hello.protocol)) return false;
    return this.#serving === null || this.#serving.agent.key === hello.account.key || refuse('account');
  }

  #serve(account: Account): Serving {
    if (this.#serving !== null) {
      this.#serving.agent.adopt(account);
      return this.#serving;
    }
    const agent = new AccountAgent(this.surroundings, account, this);
    const control = new CallControl(agent.runner, this.#media, (message) => this.log('warn', message));
    if (this.surroundings.mode === 'shared-worker') this.#succession.listen(account.key);
    agent.network({ type: 'online', online: this.#online });
    this.#serving = { agent, control };
    return this.#serving;
  }

  async #welcome(id: string, agent: AccountAgent): Promise<void> {
    try {
      await Promise.all([agent.prepared, this.#lifeLine]);
    } catch (error) {
      this.failed(error);
      return;
    }
    this.#windows.welcome(id, {
      type: 'welcome',
      protocol: PROTOCOL,
      hostLock: this.surroundings.mode === 'shared-worker' ? hostLock(this.#id) : null,
      ...agent.known,
    });
    if (this.#windows.has(id)) this.#media.adopt(id);
    agent.setVisible(this.#windows.anyVisible);
    this.settled();
  }

  #receive({ agent, control }: Serving, window: string, message: Exclude<ToHost, Hello>): void {
    switch (message.type) {
      case 'locked':
        this.#missWhenGone(window);
        break;
      case 'start':
        agent.start(this.#replyTo(window, message.request));
        break;
      case 'stop':
        agent.stop(this.#replyTo(window, message.request));
        break;
      case 'call':
        this.#reply(window, message.request, control.place(window, message.call, message.target, message));
        break;
      case 'consult':
        control.consult(window, message.of, message.call, message.target, message.displayName, this.#replyTo(window, message.request));
        break;
      case 'pull':
        this.#reply(window, message.request, control.pull(window, message.call, message.remote));
        break;
      case 'ask-for-devices':
        this.#reply(window, message.request, agent.runner.attempt((core, now) => core.askForDevices(now)));
        break;
      case 'command':
        control.command(window, message.call, message.command, this.#replyTo(window, message.request));
        break;
      case 'media-done':
        this.#media.done(window, message.request, message.result);
        break;
      case 'media-event':
        if (this.#media.owns(window, message.session)) control.mediaEvent(message.session, message.event);
        break;
      case 'visible':
        this.#windows.setVisible(window, message.visible);
        agent.setVisible(this.#windows.anyVisible);
        break;
      case 'resumed':
        agent.resumed();
        break;
      case 'update':
        agent.renew(message.password, message.token, message.iceServers);
        break;
      case 'devices':
        void this.#setDevices(agent, message.devices, this.#replyTo(window, message.request));
        break;
      case 'bye':
        this.#windowGone(window);
        break;
    }
    this.settled();
  }

  async #setDevices(agent: AccountAgent, devices: AccountAgent['known']['devices'], reply: Reply): Promise<void> {
    await agent.setDevices(devices);
    reply(null);
    this.settled();
  }

  #replyTo(window: string, request: number): Reply {
    return (error) => this.#reply(window, request, error);
  }

  #reply(window: string, request: number, error: WireError | null): void {
    this.#windows.send(window, { type: 'reply', request, error });
  }

  /** Learns of the window's death: whoever gets its lock outlives it. */
  #missWhenGone(window: string): void {
    if (!this.#windows.has(window)) return;
    this.surroundings.locks?.request(windowLock(window), () => this.#windowGone(window)).catch(() => undefined);
  }

  #windowGone(window: string): void {
    if (!this.#windows.remove(window)) return;
    this.#windows.elect(null);
    this.#media.windowGone(window);
    this.#serving?.agent.setVisible(this.#windows.anyVisible);
    this.settled();
    if (this.#windows.count === 0) this.#linger();
  }

  // Leaving

  #linger(): void {
    const calls = this.#serving?.agent.calls.size ?? 0;
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = setTimeout(() => this.#leave(), calls > 0 ? LINGER_WITH_CALLS_MS : LINGER_IDLE_MS);
  }

  #leave(): void {
    if (this.#windows.count > 0) return;
    const agent = this.#serving?.agent;
    if (agent?.phase === 'running') agent.stop();
    else if (agent?.phase !== 'stopping') this.#vanish('outdated');
  }

  #vanish(reason: GoneReason): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#lingerTimer);
    this.#sleepWatch.stop();
    this.#ignoreNetwork();
    this.#serving?.agent.abandon(reason === 'failed');
    this.#windows.sayGone(reason);
    this.#succession.close();
    this.surroundings.close();
  }

  // What the agent says

  changed(message: ToWindow): void {
    if (message.type === 'call') this.#media.follow(message.state.id, message.state.succeeds);
    this.#windows.broadcast(message);
  }

  callEnded(call: CallId): void {
    this.#media.callEnded(call);
  }

  media(...request: Parameters<AgentListener['media']>): void {
    this.#media.request(...request);
  }

  accountBusy(): void {
    this.#succession.ask();
  }

  dropped(): void {
    this.#media.clear();
  }

  rested(): void {
    if (this.#windows.count === 0) this.#vanish('outdated');
  }

  /** After every drain and every message: what must not happen inside a drain, then the windows are told. */
  settled(): void {
    if (this.#gone || this.#serving === null) return;
    const { agent, control } = this.#serving;
    if (agent.runner.isDraining) return;
    agent.restIfStopped();
    control.moveStranded(agent.calls);
    this.#windows.elect(this.#media.holder);
    this.#windows.flush();
    if (this.#succession.reason !== null && agent.calls.size === 0) this.#vanish(this.#succession.reason);
  }

  failed(error: unknown): void {
    this.log('error', `the signalling failed: ${String(error)}`);
    this.#vanish('failed');
  }

  log(level: LogLevel, message: string): void {
    this.#windows.broadcast({ type: 'log', level, message });
  }
}

function holdForEver(locks: LockManager | undefined, name: string): Promise<void> {
  if (locks === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const held = (): Promise<never> => {
      resolve();
      return new Promise<never>(() => undefined);
    };
    locks.request(name, held).catch(reject);
  });
}
