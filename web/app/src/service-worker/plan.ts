/** How one request is served: `shell` and `asset` by the service worker, `network` as if it were not there. */
export type FetchPlan = 'shell' | 'asset' | 'network';

export function planFetch(method: string, mode: string, url: URL, scope: URL): FetchPlan {
  if (method !== 'GET' || url.origin !== scope.origin) return 'network';
  if (mode === 'navigate') return isPage(url, scope) ? 'shell' : 'network';
  // Only names with a fingerprint: their content never changes.
  return url.pathname.startsWith('/assets/') ? 'asset' : 'network';
}

/** Pages of the account, not its API. */
function isPage(url: URL, scope: URL): boolean {
  const inside = url.pathname.startsWith(scope.pathname) || `${url.pathname}/` === scope.pathname;
  return inside && !url.pathname.startsWith(`${scope.pathname}api/`);
}
