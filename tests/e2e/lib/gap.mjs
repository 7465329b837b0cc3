// How long somebody hears nothing: the longest time without a packet of audio, seen by the page that plays it.

import { eventually } from "./wait.mjs";

/** Installed by `addInitScript` after the tap; must not use anything from outside. */
export function installGapMeter() {
  const EVERY_MS = 20;
  const clock = () => performance.timeOrigin + performance.now();
  const now = () => ({ packet: newest(), at: clock(), longest: 0, blind: 0, first: null, steadySince: null });
  let state = now();
  let looked = state.at;

  function newest() {
    const connections = window.__tap?.all() ?? [];
    const receivers = connections.filter((one) => one.connectionState !== "closed").flatMap((one) => one.getReceivers());
    return Math.max(0, ...receivers.map((one) => one.getSynchronizationSources()[0]?.timestamp ?? 0));
  }

  setInterval(() => {
    const packet = newest();
    const at = clock();
    state.blind = Math.max(state.blind, at - looked);
    looked = at;
    if (at - state.at > 100) state.steadySince = null;
    // Less than before only means that the connection with the latest packet is closed.
    if (packet <= state.packet) return;
    state.longest = Math.max(state.longest, at - state.at);
    state.packet = packet;
    state.first ??= at;
    state.at = at;
    state.steadySince ??= at;
  }, EVERY_MS);

  window.__gap = {
    forget: () => void (state = now()),
    /** ms; `first` and `last` packet since then, on a clock that all pages of a machine share; `blind`: the longest
     * time that the page itself stood still; `steady`: for so long audio has come without a pause. */
    read: () => ({ longest: state.longest, first: state.first, last: state.at, blind: state.blind, steady: state.steadySince === null ? 0 : clock() - state.steadySince }),
  };
}

/**
 * Does something that interrupts the audio, waits until everybody hears something again, and gives the longest silence
 * of each, in ms. @param {import("./app.mjs").AppUser[]} listeners @param {() => Promise<unknown> | void} interrupt
 * @param {{ atLeast?: number, timeout?: number }} [options] atLeast: ms of silence without which nothing has
 *   happened yet; 0 where `interrupt` itself ends when the audio is back
 */
export async function silences(listeners, interrupt, { atLeast = 100, timeout = 20_000 } = {}) {
  for (const { page } of listeners) await page.evaluate(() => window.__gap.forget());
  await interrupt();
  return Promise.all(
    listeners.map(({ name, page }) =>
      eventually(
        `${name} hears again`,
        async () => {
          const { longest, steady } = await page.evaluate(() => window.__gap.read());
          return longest >= atLeast && steady >= 500 && Math.max(longest, 1);
        },
        { timeout },
      ),
    ),
  );
}
