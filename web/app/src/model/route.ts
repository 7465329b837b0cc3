/** The screens of the app; each has its own address below the account's. */
export const VIEWS = ['phone', 'calls', 'contacts', 'settings'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  /** `/u/alice/` */
  readonly base: string;
  readonly user: string;
  readonly view: View;
}

/** `null` when the address names no account. */
export function parseRoute(pathname: string): Route | null {
  const match = /^\/u\/([^/]+)(?:\/([^/]*))?/.exec(pathname);
  const encoded = match?.[1];
  if (!encoded) return null;
  const view = VIEWS.find((name) => name === match[2]) ?? 'phone';
  return { base: `/u/${encoded}/`, user: safeDecode(encoded), view };
}

export function pathOf(base: string, view: View): string {
  return view === 'phone' ? base : `${base}${view}`;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
