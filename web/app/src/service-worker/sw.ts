/// <reference lib="webworker" />
import type { BusyQuestion, CallAction, RingRequest, ToWorker } from './protocol.js';
import { planFetch } from './plan.js';

declare const self: ServiceWorkerGlobalScope;
/** Filled in by the build. */
declare const __PRECACHE_FILES__: readonly string[];
declare const __PRECACHE_VERSION__: string;

const CACHE = `clearline-${__PRECACHE_VERSION__}`;
/** The account's page, whichever of its views is asked for. */
const SHELL = self.registration.scope;
const HTML_PATIENCE_MS = 3_000;
const BUSY_PATIENCE_MS = 2_000;

self.addEventListener('install', (event) => event.waitUntil(precache()));
self.addEventListener('activate', (event) => event.waitUntil(dropOldCaches()));

async function precache(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([...__PRECACHE_FILES__].map((file) => new Request(file, { cache: 'no-cache' })));
  const shell = await fetch(SHELL, { cache: 'no-cache' });
  if (shell.ok) await cache.put(SHELL, shell);
}

/** Keeps the release before this one too: a window still running it may load a part of it late. */
async function dropOldCaches(): Promise<void> {
  const ours = (await caches.keys()).filter((name) => name.startsWith('clearline-') && name !== CACHE);
  await Promise.all(ours.slice(0, -1).map((name) => caches.delete(name)));
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const plan = planFetch(request.method, request.mode, new URL(request.url), new URL(SHELL));
  if (plan === 'shell') event.respondWith(networkFirst(request));
  if (plan === 'asset') event.respondWith(cacheFirst(request));
});

async function networkFirst(request: Request): Promise<Response> {
  const fresh = fetch(request).then(async (response) => {
    if (response.ok && !response.redirected) await (await caches.open(CACHE)).put(SHELL, response.clone());
    return response;
  });
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, HTML_PATIENCE_MS));
  const first = await Promise.race([fresh, late]).catch(() => undefined);
  return first ?? (await caches.match(SHELL)) ?? fresh;
}

async function cacheFirst(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

self.addEventListener('message', (event) => {
  const message = event.data as ToWorker;
  switch (message.type) {
    case 'ring':
      event.waitUntil(ring(message));
      return;
    case 'silence':
      event.waitUntil(silence(message.callId));
      return;
    case 'take-over':
      event.waitUntil(takeOver());
      return;
  }
});

async function ring(request: RingRequest): Promise<void> {
  const windows = await openWindows();
  if (windows.some((client) => client.visibilityState === 'visible')) return;
  const tag = tagOf(request.callId);
  // Every window asks; the first one rings.
  if ((await self.registration.getNotifications({ tag })).length > 0) return;
  const options: NotificationOptions & { actions: unknown; renotify: boolean } = {
    body: request.body,
    tag,
    renotify: true,
    requireInteraction: true,
    icon: '/icons/icon-192.png',
    badge: '/icons/badge-96.png',
    data: { callId: request.callId },
    actions: [
      { action: 'answer', title: request.answer },
      { action: 'decline', title: request.decline },
    ],
  };
  await self.registration.showNotification(request.title, options);
}

async function silence(callId: string): Promise<void> {
  for (const notification of await self.registration.getNotifications({ tag: tagOf(callId) })) notification.close();
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const { callId } = event.notification.data as { callId: string };
  const action = event.action === 'answer' || event.action === 'decline' ? event.action : 'show';
  event.waitUntil(act({ type: 'call-action', callId, action }));
});

/** One window acts: the focused or first one. Declining leaves everything else on the screen alone. */
async function act(action: CallAction): Promise<void> {
  const windows = await openWindows();
  const chosen = windows.find((client) => client.focused) ?? windows[0];
  if (!chosen) {
    await self.clients.openWindow(`${SHELL}?${action.action}=${encodeURIComponent(action.callId)}`);
    return;
  }
  chosen.postMessage(action);
  if (action.action !== 'decline') await chosen.focus();
}

/** A new release waits until nobody is on the phone. */
async function takeOver(): Promise<void> {
  const windows = await openWindows();
  const busy = await Promise.all(windows.map(isBusy));
  if (!busy.includes(true)) await self.skipWaiting();
}

function isBusy(client: WindowClient): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => resolve(event.data === true);
    const question: BusyQuestion = { type: 'busy?' };
    client.postMessage(question, [port2]);
    // A window that does not answer is frozen; it may well have a call.
    setTimeout(() => resolve(true), BUSY_PATIENCE_MS);
  });
}

async function openWindows(): Promise<readonly WindowClient[]> {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  return windows.filter((client) => client.url.startsWith(SHELL));
}

function tagOf(callId: string): string {
  return `call-${callId}`;
}
