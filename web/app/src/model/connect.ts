import type { HoldMusic, Phone, PhoneConfig } from '@clearline/phone';
import type { KeyValue } from '../storage/database.js';
import { browser } from './browser.js';
import { deviceName } from './own-devices.js';
import { ServerError, type Account, type ServerApi } from './server.js';
import type { Preferences } from './settings.js';
import type { Readable } from './store.js';

const RENEW_BEFORE_MS = 5 * 60_000;
const RENEW_RETRY_MS = 60_000;

export interface Connected {
  readonly phone: Phone;
  dispose(): void;
}

/**
 * Makes the account's phone with this device's credentials, starts it, and keeps credentials and ICE servers fresh.
 * @param expired the session is over: sign in again.
 */
export async function connectPhone(
  account: Account,
  server: ServerApi,
  storage: KeyValue,
  settings: Readable<Pick<Preferences, 'holdMusic'>>,
  create: (config: PhoneConfig) => Promise<Phone>,
  expired: () => void,
): Promise<Connected> {
  const instanceId = await deviceId(account.id, storage);
  const device = await server.device(instanceId);
  const holdMusic = (): HoldMusic => {
    if (!settings.value.holdMusic) return 'none';
    return device.holdMusic === undefined ? 'generated' : { url: new URL(device.holdMusic, location.href) };
  };
  const phone = await create({
    addressOfRecord: device.addressOfRecord,
    authUser: device.authUser,
    password: device.password,
    servers: device.servers,
    displayName: account.displayName,
    instanceId,
    iceServers: device.iceServers,
    accountKey: account.id,
    remoteCalls: true,
    holdMusic: holdMusic(),
    deviceName: deviceName(navigator.userAgent),
    ...(device.conferenceFactory === undefined ? {} : { conferenceFactory: device.conferenceFactory }),
  });
  const stopFollowing = settings.subscribe(() => phone.update({ holdMusic: holdMusic() }));
  const keeper = new CredentialKeeper(phone, server, instanceId, expired);
  keeper.renewAt(device.iceServersExpireAt);
  // A refusal shows in the registration state, which the keeper and the header both watch.
  phone.start().catch(() => undefined);
  return {
    phone,
    dispose: () => {
      stopFollowing();
      keeper.dispose();
      phone.dispose();
    },
  };
}

/** Renews the ICE servers before they expire, and the password when the platform no longer takes it. */
class CredentialKeeper {
  readonly #release: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;

  constructor(
    private readonly phone: Phone,
    private readonly server: ServerApi,
    private readonly instanceId: string,
    private readonly expired: () => void,
  ) {
    this.#release = phone.subscribe(() => void this.#checkPassword());
  }

  renewAt(expireAt: number | null): void {
    clearTimeout(this.#timer);
    if (expireAt === null) return;
    this.#timer = setTimeout(() => void this.#renewIce(), Math.max(RENEW_RETRY_MS, expireAt - Date.now() - RENEW_BEFORE_MS));
  }

  dispose(): void {
    this.#release();
    clearTimeout(this.#timer);
  }

  async #renewIce(): Promise<void> {
    try {
      const { iceServers, expireAt } = await this.server.iceServers();
      this.phone.update({ iceServers });
      this.renewAt(expireAt);
    } catch (error) {
      this.#ended(error);
      this.#timer = setTimeout(() => void this.#renewIce(), RENEW_RETRY_MS);
    }
  }

  /** Asked once per rejection: a server that rejects its own new secret will not take the next one either. */
  async #checkPassword(): Promise<void> {
    const { registration } = this.phone.state;
    const rejected = registration.type === 'failed' && registration.credentialsRejected;
    if (!rejected) {
      if (registration.type === 'registered') this.#renewing = false;
      return;
    }
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      const { password, iceServers } = await this.server.device(this.instanceId);
      this.phone.update({ password, iceServers });
    } catch (error) {
      this.#ended(error);
    }
  }

  #ended(error: unknown): void {
    if (error instanceof ServerError && error.status === 401) this.expired();
  }
}

/** Made once per account and browser profile; a lock keeps two first windows from making two. */
async function deviceId(account: string, storage: KeyValue): Promise<string> {
  const read = async (): Promise<string> => {
    const known = await storage.get<string>('instance');
    if (known) return known;
    const made = `urn:uuid:${crypto.randomUUID()}`;
    await storage.set('instance', made);
    return made;
  };
  const { locks } = browser();
  return locks ? locks.request(`clearline-instance:${account}`, read) : read();
}
