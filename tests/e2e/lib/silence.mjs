// For how long a page plays nothing that can be heard, measured on its audio thread (`page/silence-meter.js`). Whoever speaks
// has to do so without pauses (`fluent` in `speech.mjs`), as a pause is silence too.

import { eventually } from "./wait.mjs";

/** Installed by `addInitScript` after the tap, in pages whose site has the meter at this path; uses nothing from outside. */
export function installSilenceMeter() {
  /** @type {Promise<AudioWorkletNode> | undefined} */
  let meter;
  window.addEventListener("tapped", ({ detail: { context, source } }) => {
    meter ??= context.audioWorklet.addModule("/silence-meter.js").then(() => {
      const node = new AudioWorkletNode(context, "silence-meter", { channelCount: 1, channelCountMode: "explicit" });
      node.connect(context.destination);
      return node;
    });
    void meter.then((node) => source.connect(node));
  });

  window.__silence = {
    /** The meter's state. @param {"read" | "forget"} order */
    async ask(order) {
      const node = await meter;
      if (!node) return null;
      return new Promise((resolve) => {
        node.port.onmessage = ({ data }) => resolve(data);
        node.port.postMessage(order);
      });
    },
  };
}

/** @typedef {{ longest: number, first: number | null, last: number, steady: number }} Silence longest and steady in s of sound,
 *   first and last in ms of the wall clock */

/**
 * What the meter of a page has to say; `null` before the page has its first call.
 * @param {{ page: import("playwright-core").Page }} listener @returns {Promise<Silence | null>}
 */
export const silenceAt = ({ page }) => page.evaluate(() => window.__silence.ask("read"));

/** Starts anew. @param {{ page: import("playwright-core").Page }} listener @returns {Promise<Silence | null>} */
export const forgetSilence = ({ page }) => page.evaluate(() => window.__silence.ask("forget"));

/** Waits until somebody has heard sound for half a second, and gives the meter's state. @param {{ name: string, page: import("playwright-core").Page }} listener */
export function hearsAgain(listener) {
  return eventually(`${listener.name} hears again`, async () => {
    const silence = await silenceAt(listener);
    return silence !== null && silence.steady >= 0.5 && silence;
  });
}
