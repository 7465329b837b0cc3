/** What a browser tells of the network. Windows and workers hear it alike; a page may be gone while its worker goes on. */

export type NetworkNews =
  /** There is a network, or none. */
  | { readonly type: 'online'; readonly online: boolean }
  /** Something about the network is another: perhaps only its speed, perhaps all of it. */
  | { readonly type: 'doubt' };

/** Where the news come from: a window's or worker's global scope. */
export interface NetworkScope extends EventTarget {
  readonly navigator: { readonly onLine: boolean; readonly connection?: EventTarget | undefined };
}

/** Passes on what is heard from now on, and at once that there is no network if so; returns the way to end it. */
export function watchNetwork(scope: NetworkScope, tell: (news: NetworkNews) => void): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  scope.addEventListener('online', () => tell({ type: 'online', online: true }), { signal });
  scope.addEventListener('offline', () => tell({ type: 'online', online: false }), { signal });
  scope.navigator.connection?.addEventListener('change', () => tell({ type: 'doubt' }), { signal });
  if (!scope.navigator.onLine) tell({ type: 'online', online: false });
  return () => listening.abort();
}
