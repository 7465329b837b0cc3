import type { HostMode } from '../api.js';
import { webLocks } from '../browser.js';
import type { AgentModule } from './agent.js';
import { HostClock } from './clock.js';
import { watchNetwork, type NetworkNews } from './network_watch.js';
import type { Socket } from './sockets.js';
import { openStorage, type HostStorage } from './storage.js';
import { loadAgentModule } from './wasm.js';

/** What a host needs of the place it runs in. */
export interface HostSurroundings {
  readonly mode: HostMode;
  readonly clock: HostClock;
  readonly locks: LockManager | undefined;
  loadModule(): Promise<AgentModule>;
  openSocket(url: string): Socket;
  /** Tells what becomes of the network until the returned function is called. */
  watchNetwork(tell: (news: NetworkNews) => void): () => void;
  openStorage(account: string, warn: (message: string) => void): Promise<HostStorage>;
  /** Ends the worker. */
  close(): void;
}

/** What a browser gives to a host. The module loads at once: nothing can begin without it. */
export function browserSurroundings(mode: HostMode, close: () => void): HostSurroundings {
  const module: Promise<AgentModule> = loadAgentModule();
  module.catch(() => undefined);
  return {
    mode,
    clock: new HostClock(),
    locks: webLocks(),
    loadModule: () => module,
    openSocket: (url) => new WebSocket(url, 'sip'),
    watchNetwork: (tell) => watchNetwork(globalThis, tell),
    openStorage,
    close,
  };
}
