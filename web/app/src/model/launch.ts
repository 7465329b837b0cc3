/** What the address the app was opened with asks for: `?tel=` of a link, or a notification clicked while closed. */
export interface LaunchWish {
  readonly number?: string;
  readonly answer?: string;
  readonly decline?: string;
}

export function wishOf(url: URL): LaunchWish {
  const tel = url.searchParams.get('tel');
  const answer = url.searchParams.get('answer');
  const decline = url.searchParams.get('decline');
  return { ...(tel ? { number: tel } : {}), ...(answer ? { answer } : {}), ...(decline ? { decline } : {}) };
}

interface LaunchQueue {
  setConsumer(consumer: (params: { targetURL?: string }) => void): void;
}

/**
 * Delivers the wish of this start, and of every later one the installed app receives in the same window.
 * The query is taken off the address: a reload must not ask again.
 */
export function followLaunches(deliver: (wish: LaunchWish) => void): void {
  const first = location.href;
  deliver(wishOf(new URL(first)));
  if (location.search) history.replaceState(null, '', location.pathname);
  let initial = true;
  const queue = (window as Window & { launchQueue?: LaunchQueue }).launchQueue;
  queue?.setConsumer(({ targetURL }) => {
    const repeatsStart = initial && targetURL === first;
    initial = false;
    if (targetURL && !repeatsStart) deliver(wishOf(new URL(targetURL)));
  });
}
