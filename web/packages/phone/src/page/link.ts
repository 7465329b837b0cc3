/** Opens the way to a signalling host. */

import type { HostMode } from '../api.js';
import { webLocks } from '../browser.js';
import { messagePort, workerName, type ToHost, type ToWindow, type WindowPort } from '../protocol.js';

declare global {
  interface WorkerOptions {
    /** Lets a shared worker outlive its last window for a while; every window must ask alike. */
    extendedLifetime?: boolean;
  }
}

/** A way to a host that may turn out to be closed. */
export interface Link {
  readonly port: WindowPort;
  /** Rejects when the worker cannot be loaded; never resolves. */
  readonly broken: Promise<never>;
}

/** How a link is opened; replaced in tests. */
export type LinkOpener = (mode: HostMode, account: string, workerModule: string | URL | undefined) => Promise<Link>;

/** The modes to try, best first. */
export function hostModes(wanted: HostMode | undefined): readonly HostMode[] {
  if (wanted !== undefined) return available(wanted) ? [wanted] : [];
  return (['shared-worker', 'worker', 'page'] as const).filter(available);
}

export const openLink: LinkOpener = async (mode, account, workerModule) => {
  switch (mode) {
    case 'shared-worker': {
      const worker = sharedWorker(workerName(account), workerModule);
      return { port: messagePort<ToHost, readonly ToWindow[]>(worker.port), broken: failure(worker) };
    }
    case 'worker': {
      const worker = dedicatedWorker(workerName(account), workerModule);
      const port = messagePort<ToHost, readonly ToWindow[]>(worker);
      return { port: { ...port, close: () => worker.terminate() }, broken: failure(worker) };
    }
    case 'page': {
      const { hostInPage } = await import('../host/in_page.js');
      return { port: hostInPage(), broken: new Promise<never>(() => undefined) };
    }
  }
};

function available(mode: HostMode): boolean {
  switch (mode) {
    // Without locks a shared worker would never learn that a window has crashed.
    case 'shared-worker':
      return typeof SharedWorker !== 'undefined' && webLocks() !== undefined;
    case 'worker':
      return typeof Worker !== 'undefined';
    case 'page':
      return true;
  }
}

// Bundlers look for exactly these expressions.

function sharedWorker(name: string, module: string | URL | undefined): SharedWorker {
  if (module !== undefined) return new SharedWorker(module, { name, extendedLifetime: true, type: 'module' });
  return new SharedWorker(new URL('../worker.js', import.meta.url), { name, extendedLifetime: true, type: 'module' });
}

function dedicatedWorker(name: string, module: string | URL | undefined): Worker {
  if (module !== undefined) return new Worker(module, { name, type: 'module' });
  return new Worker(new URL('../worker.js', import.meta.url), { name, type: 'module' });
}

function failure(worker: AbstractWorker): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the worker cannot be loaded: ${(event as Partial<ErrorEvent>).message ?? event.type}`));
    };
  });
  broken.catch(() => undefined);
  return broken;
}
