import type { Account, DeviceCredentials, DirectoryEntry, IceServers, ServerApi } from '../model/server.js';

export const ALICE: Account = { id: 'alice', number: '101', displayName: 'Alice Meyer', domain: 'clearline.localhost' };

/** A server that answers at once with what it is told. */
export class FakeServer implements ServerApi {
  entries: DirectoryEntry[] = [
    { id: 'alice', number: '101', displayName: 'Alice Meyer' },
    { id: 'bob', number: '102', displayName: 'Bob Kramer' },
    { id: 'carol', number: '103', displayName: 'Carol Souza' },
    { id: 'echo', number: '600', displayName: 'Echo test' },
  ];
  account: Account | null = ALICE;
  /** Thrown by the next request. */
  failWith: Error | null = null;
  deviceRequests = 0;
  /** The tenant's own, if there is. */
  holdMusic: string | undefined;

  async session(): Promise<Account | null> {
    this.#fail();
    return this.account;
  }

  async signIn(): Promise<Account> {
    this.#fail();
    this.account = ALICE;
    return ALICE;
  }

  async signOut(): Promise<void> {
    this.account = null;
  }

  async device(): Promise<DeviceCredentials> {
    this.#fail();
    this.deviceRequests += 1;
    return {
      addressOfRecord: 'sip:alice@clearline.localhost',
      authUser: 'alice',
      password: `secret-${this.deviceRequests}`,
      servers: ['ws://127.0.0.1:8080/sip'],
      iceServers: [],
      iceServersExpireAt: null,
      ...(this.holdMusic === undefined ? {} : { holdMusic: this.holdMusic }),
    };
  }

  async iceServers(): Promise<IceServers> {
    return { iceServers: [], expireAt: null };
  }

  async directory(): Promise<DirectoryEntry[]> {
    this.#fail();
    return this.entries;
  }

  #fail(): void {
    const error = this.failWith;
    this.failWith = null;
    if (error) throw error;
  }
}
