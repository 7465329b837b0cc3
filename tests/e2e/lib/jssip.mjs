// A phone nobody here wrote: JsSIP in a page of its own, from an origin of its own.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { openBrowser } from "./chromium.mjs";
import { serve } from "./site.mjs";
import { voice } from "./speech.mjs";
import { recordPage } from "./tap.mjs";
import { eventually } from "./wait.mjs";

/** @typedef {{ server: string, uri: string, password: string, displayName?: string, answers?: boolean, status?: number,
 *   patience?: number, replaceable?: boolean }} PeerOptions patience: seconds until it gives up an incoming call;
 *   replaceable: false: nobody may take the place of its far end */

let bundled;

/** The page's script, built once per run. @returns {Promise<string>} */
export async function peerScript() {
  const entry = fileURLToPath(new URL("../page/jssip-peer.js", import.meta.url));
  bundled ??= build({ entryPoints: [entry], bundle: true, write: false, format: "iife", define: { global: "window" } });
  return (await bundled).outputFiles[0].text;
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>peer</title><body><script src="/peer.js"></script>`;

export class JsSipPeer {
  /**
   * Opens a browser and registers. The server must allow the origin of pages on loopback.
   * @param {import("./speech.mjs").Speaker} speaker @param {PeerOptions} options
   */
  static async open(speaker, options) {
    const site = await serve({ "/": PAGE, "/peer.js": await peerScript() });
    const browser = await openBrowser({ voice: voice(speaker) });
    const page = await browser.context.newPage();
    await page.goto(site.url);
    await page.evaluate((settings) => window.openPeer(settings), options);
    const peer = new JsSipPeer(page, async () => {
      await browser.close();
      site.close();
    });
    await peer.happened("registered");
    return peer;
  }

  /** @param {import("playwright-core").Page} page @param {() => Promise<void>} close */
  constructor(page, close) {
    this.page = page;
    this.close = close;
  }

  /** Everything that happened so far. @returns {Promise<string[]>} */
  events() {
    return this.page.evaluate(() => window.peer.events);
  }

  /** Waits for an event that begins with `name`. @param {string} name @param {number} [timeout] ms */
  async happened(name, timeout) {
    const found = async () => (await this.events()).find((event) => event.startsWith(name));
    try {
      return await eventually(`JsSIP reports ${name}`, found, { timeout });
    } catch (error) {
      throw new Error(`JsSIP reported only: ${(await this.events()).join(", ")}`, { cause: error });
    }
  }

  /** @param {"answer" | "decline" | "hangUp" | "hold" | "unhold" | "stop" | "forgetCalls"} action */
  perform(action) {
    return this.page.evaluate((name) => window.peer[name](), action);
  }

  /** @param {string} target */
  call(target) {
    return this.page.evaluate((uri) => window.peer.call(uri), target);
  }

  /** Sends the far end of its first call on, to the one of its second call if `attended`. @param {string} target @param {boolean} [attended] */
  refer(target, attended) {
    return this.page.evaluate(([uri, asked]) => window.peer.refer(uri, asked), /** @type {const} */ ([target, attended]));
  }

  /** @param {string} keys */
  press(keys) {
    return this.page.evaluate((tones) => window.peer.press(tones), keys);
  }

  /** What it hears; exactly one call must be up. @param {number} duration seconds @param {() => Promise<unknown>} [meanwhile] */
  async hear(duration, meanwhile) {
    const sounds = await recordPage(this.page, duration, meanwhile);
    if (sounds.length !== 1) throw new Error(`JsSIP hears ${sounds.length} tracks instead of one`);
    return sounds[0];
  }
}
