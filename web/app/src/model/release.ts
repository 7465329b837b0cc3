import type { Notices } from './notices.js';
import type { ToWindow, ToWorker } from '../service-worker/protocol.js';
import type { WorkerPort } from './notifier.js';

const LOOK_EVERY_MS = 60 * 60_000;

/** Registers the service worker of the account and brings new releases in while nobody is on the phone. */
export async function followReleases(base: string, busy: () => boolean, notices: Notices): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  let registration: ServiceWorkerRegistration;
  try {
    registration = await navigator.serviceWorker.register('/sw.js', { scope: base });
  } catch {
    return; // No service worker (untrusted certificate, policy): the phone works, only not offline.
  }
  const offer = (): void => {
    if (registration.waiting && !busy()) registration.waiting.postMessage({ type: 'take-over' } satisfies ToWorker);
  };
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
  offer();
  setInterval(() => {
    offer();
    void registration.update().catch(() => undefined);
  }, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', offer);
  reloadOnTakeOver(busy, notices);
}

/** The first service worker of all changes nothing; a later one means that this window runs an old release. */
function reloadOnTakeOver(busy: () => boolean, notices: Notices): void {
  let controlled = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (!controlled) {
      controlled = true;
      return;
    }
    if (document.hidden && !busy()) {
      location.reload();
      return;
    }
    notices.show({ id: 'release', tone: 'info', text: 'release.ready', action: { label: 'release.reload', run: () => location.reload() } }, true);
  });
}

/** The window's end of the conversation with its service worker. */
export function workerPort(): WorkerPort {
  const container = 'serviceWorker' in navigator ? navigator.serviceWorker : undefined;
  return {
    post: (message) => void container?.ready.then((registration) => registration.active?.postMessage(message)),
    listen: (listener) => {
      const onMessage = (event: MessageEvent): void => {
        listener(event.data as ToWindow, (value) => event.ports[0]?.postMessage(value));
      };
      container?.addEventListener('message', onMessage);
      container?.startMessages();
      return () => container?.removeEventListener('message', onMessage);
    },
  };
}
