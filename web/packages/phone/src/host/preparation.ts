/** What has to be there before an agent can run: loaded once per host, while the first window waits for its welcome. */

import type { AudioDevices } from '../api.js';
import type { Account } from '../protocol.js';
import type { AgentModule } from './agent.js';
import type { HostStorage, SavedSnapshot } from './storage.js';
import type { HostSurroundings } from './surroundings.js';

export interface Prepared {
  readonly module: AgentModule;
  readonly storage: HostStorage;
  readonly instanceId: string;
  /** Those chosen when the account was used last. */
  readonly devices: AudioDevices;
}

/** A snapshot older than this is of no use: the far ends have hung up long ago. */
export const SNAPSHOT_LIFETIME_MS = 5 * 60_000;

/** Loads the module and the account's storage; makes the device's identifier if it has none. */
export async function prepare(
  surroundings: HostSurroundings,
  account: Account,
  warn: (message: string) => void,
): Promise<Prepared> {
  const [module, storage] = await Promise.all([
    surroundings.loadModule(),
    surroundings.openStorage(account.key, warn),
  ]);
  const [devices, known] = await Promise.all([storage.read('devices'), storage.read('instance-id')]);
  const instanceId = account.instanceId ?? known ?? `urn:uuid:${crypto.randomUUID()}`;
  if (instanceId !== known) await storage.write('instance-id', instanceId);
  return { module, storage, instanceId, devices: devices ?? {} };
}

/** The saved snapshot, if it is recent enough to be worth restoring. */
export async function usableSnapshot(storage: HostStorage): Promise<SavedSnapshot | undefined> {
  const saved = await storage.read('snapshot').catch(() => undefined);
  return saved !== undefined && Date.now() - saved.savedAt < SNAPSHOT_LIFETIME_MS ? saved : undefined;
}
