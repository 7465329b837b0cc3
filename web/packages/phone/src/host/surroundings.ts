import type { HostMode } from '../api.js';
import { webLocks } from '../browser.js';
import type { AgentModule } from './agent.js';
import { HostClock } from './clock.js';
import type { HostSurroundings } from './signalling_host.js';
import { openStorage } from './storage.js';
import { loadAgentModule } from './wasm.js';

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
    openStorage,
    close,
  };
}
