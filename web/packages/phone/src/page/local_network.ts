/**
 * Local Network Access: a page from elsewhere needs the user's permission to reach a private address, and a worker
 * cannot ask for it. So the page asks first, by a request of its own to the same place.
 */

/** Asks where it is needed; resolves in any case, the connection itself tells whether it worked. */
export async function askForLocalNetwork(servers: readonly string[], page: Location): Promise<void> {
  for (const server of servers) {
    const url = httpUrl(server);
    if (url === null || url.hostname === page.hostname || !isPrivate(url.hostname)) continue;
    if (await undecided()) await fetch(url.origin, { mode: 'no-cors', cache: 'no-store' }).catch(() => undefined);
  }
}

/** Whether a host name is certainly not of the public internet. */
export function isPrivate(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost') || host.endsWith('.local')) return true;
  if (host.includes(':')) return /^(::1$|f[cd]|fe[89ab])/.test(host);
  return /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(host);
}

function httpUrl(server: string): URL | null {
  return URL.canParse(server) ? new URL(server.replace(/^ws/, 'http')) : null;
}

async function undecided(): Promise<boolean> {
  const names = ['local-network', 'loopback-network', 'local-network-access'] as unknown as PermissionName[];
  const states = await Promise.all(names.map(state));
  return states.includes('prompt');
}

async function state(name: PermissionName): Promise<PermissionState | null> {
  try {
    return (await navigator.permissions.query({ name })).state;
  } catch {
    // This browser does not know the permission, so it does not ask for it either.
    return null;
  }
}
