/** The HTTP interface of the server for one account. */
export interface Account {
  readonly id: string;
  readonly number: string;
  readonly displayName: string;
  readonly domain: string;
}

export interface DeviceCredentials {
  readonly addressOfRecord: string;
  readonly authUser: string;
  readonly password: string;
  readonly servers: readonly string[];
  readonly iceServers: readonly RTCIceServer[];
  /** Milliseconds since the Unix epoch; `null`: they do not expire. */
  readonly iceServersExpireAt: number | null;
  /** Where the platform makes conferences, if it does. */
  readonly conferenceFactory?: string;
  /** What to play to whoever is put on hold, on this server; without it, a melody. */
  readonly holdMusic?: string;
}

export interface IceServers {
  readonly iceServers: readonly RTCIceServer[];
  readonly expireAt: number | null;
}

export interface DirectoryEntry {
  readonly id: string;
  readonly number: string;
  readonly displayName: string;
}

export interface ServerApi {
  /** The account signed in, or `null`. */
  session(): Promise<Account | null>;
  signIn(password: string): Promise<Account>;
  signOut(): Promise<void>;
  device(instanceId: string): Promise<DeviceCredentials>;
  iceServers(): Promise<IceServers>;
  directory(): Promise<DirectoryEntry[]>;
}

/** A refusal by the server (`status` > 0), or no answer at all (`status` 0). */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    /** Seconds to wait, when the server said so. */
    readonly retryAfter: number | null,
  ) {
    super(`${code} (${status})`);
    this.name = 'ServerError';
  }

  get unreachable(): boolean {
    return this.status === 0 || this.status >= 502;
  }
}

const TIMEOUT_MS = 15_000;

export class HttpServerApi implements ServerApi {
  /** @param base Path of the account with a slash at the end, for example `/u/alice/`. */
  constructor(private readonly base: string) {}

  async session(): Promise<Account | null> {
    try {
      return await this.#request<Account>('GET', 'api/session');
    } catch (error) {
      if (error instanceof ServerError && error.status === 401) return null;
      throw error;
    }
  }

  signIn(password: string): Promise<Account> {
    return this.#request('POST', 'api/session', { password });
  }

  async signOut(): Promise<void> {
    await this.#request('DELETE', 'api/session');
  }

  device(instanceId: string): Promise<DeviceCredentials> {
    return this.#request('POST', 'api/device', { instanceId });
  }

  iceServers(): Promise<IceServers> {
    return this.#request('GET', 'api/ice-servers');
  }

  directory(): Promise<DirectoryEntry[]> {
    return this.#request('GET', 'api/directory');
  }

  async #request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const init: RequestInit = {
      method,
      headers: { 'X-Clearline': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    let response: Response;
    try {
      response = await fetch(this.base + path, init);
    } catch {
      throw new ServerError(0, 'unreachable', null);
    }
    if (!response.ok) throw await refusal(response);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

async function refusal(response: Response): Promise<ServerError> {
  const retryAfter = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
  let code = 'unexpected';
  try {
    const body = (await response.json()) as { error?: { code?: unknown } };
    if (typeof body.error?.code === 'string') code = body.error.code;
  } catch {
    // A proxy's HTML page: the status says enough.
  }
  return new ServerError(response.status, code, Number.isFinite(retryAfter) ? retryAfter : null);
}
