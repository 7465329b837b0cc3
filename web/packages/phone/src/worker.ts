/** The worker's entry: a shared worker serves all windows of an account, a dedicated worker the one that made it. */

import { SignallingHost } from './host/signalling_host.js';
import { browserSurroundings } from './host/surroundings.js';
import { messagePort, type ToHost, type ToWindow } from './protocol.js';

/** What the two worker scopes have that matters here. */
interface WorkerScope {
  onconnect?: ((event: MessageEvent) => void) | null;
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

const scope = self as unknown as WorkerScope;
const shared = 'onconnect' in scope;
const host = new SignallingHost(browserSurroundings(shared ? 'shared-worker' : 'worker', () => scope.close()));

if (shared) {
  scope.onconnect = (event) => {
    const [port] = event.ports;
    if (port !== undefined) host.attach(messagePort<readonly ToWindow[], ToHost>(port));
  };
} else {
  host.attach(
    messagePort<readonly ToWindow[], ToHost>({
      postMessage: (message) => scope.postMessage(message),
      get onmessage() {
        return scope.onmessage;
      },
      set onmessage(listener) {
        scope.onmessage = listener;
      },
    }),
  );
}
