// One scenario: a server of its own, people with browsers of their own, and evidence when something fails.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { AppUser } from "./app.mjs";
import { closeBrowsers } from "./chromium.mjs";
import { Network, NETWORK_MISSING } from "./network.mjs";
import { Server } from "./server.mjs";
import { cacheFolder } from "./speech.mjs";

/**
 * What a scenario works with.
 * @typedef {object} Stage
 * @property {Server} server
 * @property {Network} network the network, where the scenario wants one
 * @property {(name: string, options?: import("./app.mjs").UserOptions) => Promise<AppUser>} user opens the app in a
 *   browser of its own and signs in
 * @property {<T extends { close(): Promise<unknown> | void }>(thing: T) => T} keep closes it when the scenario ends
 */

/**
 * Registers a scenario. The server must not log an error, whatever the scenario does to it.
 * @param {string} name @param {(stage: Stage) => Promise<void>} play
 * @param {{ serverFlags?: string[], timeout?: number, skip?: string | false, network?: boolean }} [options] network:
 *   everybody has a machine of their own, see `network.mjs`
 */
export function scenario(name, play, { serverFlags = [], timeout = 120_000, skip = false, network = false } = {}) {
  test(name, { timeout, skip: skip || (network && NETWORK_MISSING) }, async () => {
    const net = network ? new Network() : undefined;
    const server = await Server.start(serverFlags, net?.serverAddress);
    /** @type {AppUser[]} */
    const users = [];
    /** @type {{ close(): Promise<unknown> | void }[]} */
    const kept = [];
    const stage = {
      server,
      network: /** @type {Network} */ (net),
      keep: (thing) => (kept.push(thing), thing),
      user: async (person, options) => {
        const user = await AppUser.open(server, person, { machine: net?.[person], ...options });
        users.push(user);
        if (options?.signIn !== false) await user.signIn();
        return user;
      },
    };
    try {
      await play(stage);
      assert.deepEqual(server.errors, [], "the server logged errors");
      for (const user of users) assert.deepEqual(user.errors, [], `${user.name}'s page had errors`);
    } catch (error) {
      await keepEvidence(name, server, users);
      throw error;
    } finally {
      await Promise.allSettled([...users, ...kept].map((thing) => thing.close()));
      await server.close();
      net?.close();
    }
  });
}

after(closeBrowsers);

/** Ends something that all scenarios of a file share. @param {{ close(): Promise<unknown> }} thing */
export const closeAtTheEnd = (thing) => after(() => thing.close());

/** Pictures, page messages and the server's log, in a folder that is named. */
async function keepEvidence(name, server, users) {
  const folder = join(cacheFolder(), "e2e-failures", name.replace(/[^a-z0-9]+/gi, "-").slice(0, 80));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "server.log"), server.log);
  for (const user of users) {
    writeFileSync(join(folder, `${user.name}.log`), user.messages.join("\n"));
    await user.page.screenshot({ path: join(folder, `${user.name}.png`), timeout: 5000 }).catch(() => undefined);
  }
  console.error(`evidence of "${name}": ${folder}`);
}
