// The phone package alone in a page, without the app: for what the app does not choose, such as the hosting mode.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openBrowser } from "./chromium.mjs";
import { installGapMeter } from "./gap.mjs";
import { installSilenceMeter } from "./silence.mjs";
import { serve } from "./site.mjs";
import { voice } from "./speech.mjs";
import { recordPage } from "./tap.mjs";
import { eventually } from "./wait.mjs";

const PAGE = `<!doctype html><meta charset="utf-8"><title>embed</title><script type="module" src="/embed.js"></script>`;
const PACKAGE = fileURLToPath(new URL("../../../web/packages/phone/", import.meta.url));
const script = (name) => readFileSync(fileURLToPath(new URL(`../page/${name}`, import.meta.url)), "utf8");

export class EmbeddedPhone {
  /**
   * Opens a browser and registers; the server must allow other origins.
   * @param {import("./server.mjs").Server} server @param {import("./speech.mjs").Speaker} user
   * @param {{ host?: "shared-worker" | "worker" | "page", answers?: boolean, iceServers?: RTCIceServer[],
   *   iceTransportPolicy?: RTCIceTransportPolicy, transferPolicy?: "never" | "ask" | "same-domain" | "always",
   *   replacesPolicy?: "known" | "same-domain" | "anyone",
   *   remoteCalls?: boolean, speaker?: import("./speech.mjs").Voice }} [options] speaker: the voice it has, if not the user's:
   *   two devices of one user can be told from each other then
   * @param {string[]} [flags] of the browser
   */
  static async open(server, user, { speaker = voice(user), ...options } = {}, flags = []) {
    const texts = { "/": PAGE, "/embed.js": script("embed.js"), "/silence-meter.js": script("silence-meter.js") };
    const site = await serve(texts, { "/phone/": PACKAGE });
    const browser = await openBrowser({ voice: speaker, flags });
    const phone = new EmbeddedPhone(await browser.context.newPage(), async () => {
      await browser.close();
      site.close();
    });
    phone.name = user;
    phone.voice = speaker.sound;
    await phone.page.addInitScript(installGapMeter);
    await phone.page.addInitScript(installSilenceMeter);
    const account = { addressOfRecord: `sip:${user}@${server.domain}`, password: "demo", servers: [server.sipUrl] };
    phone.place = { url: site.url, texts, config: { ...account, ...options } };
    await phone.load();
    await phone.start();
    return phone;
  }

  /** Opens the page; nothing is started. */
  async load() {
    this.page.on("pageerror", (error) => this.errors.push(String(error)));
    await this.page.goto(this.place.url);
    await this.page.waitForFunction(() => "openPhone" in window);
  }

  /** Registers. */
  start() {
    return this.page.evaluate((config) => window.openPhone(config), this.place.config);
  }

  /** From now on the site serves a release whose windows and workers speak another protocol. */
  publishNewRelease() {
    const path = "/phone/dist/protocol.js";
    const [script, version] = [readFileSync(`${PACKAGE}dist/protocol.js`, "utf8"), /(PROTOCOL = )(\d+)/];
    this.place.texts[path] = script.replace(version, (_, name, number) => `${name}${Number(number) + 1}`);
  }

  /** Another window of the same browser; it is not started. */
  async newWindow() {
    const window = new EmbeddedPhone(await this.page.context().newPage(), async () => undefined);
    window.place = this.place;
    await window.load();
    return window;
  }

  /** Where it comes from, and who it is. @type {{ url: string, texts: Record<string, string>, config: any }} */
  place = { url: "", texts: {}, config: {} };

  /** @type {string[]} */
  errors = [];

  /** Whose it is, and what its microphone hears. */
  name = "";
  /** @type {import("./wav.mjs").Sound} */
  voice = { rate: 48000, samples: new Float32Array() };

  /** @param {import("playwright-core").Page} page @param {() => Promise<void>} close */
  constructor(page, close) {
    this.page = page;
    this.close = close;
  }

  /** The latest snapshot. */
  state() {
    return this.page.evaluate(() => window.phone.state);
  }

  /** @param {string} target */
  dial(target) {
    return this.page.evaluate((to) => window.dial(to), target);
  }

  /** Calls a method of the current call and waits until it is negotiated. @param {string} method */
  perform(method) {
    return this.page.evaluate((name) => window.call[name](), method);
  }

  /** Waits until its only call is up and its audio flows. */
  active() {
    return eventually("the embedded phone's call is up", async () => {
      const [call] = (await this.state()).calls;
      return call?.state === "active" && call.media === "connected";
    });
  }

  /** Waits until another device of its user has a call that can be taken over. */
  elsewhere() {
    return eventually("a call of the other device can be pulled", async () => {
      const [call] = (await this.state()).remoteCalls;
      return call?.canBePulled && call;
    });
  }

  /** Takes a call over from another device, and gives why that failed; `null` if it did not. @param {string} remote */
  pull(remote) {
    return this.page.evaluate(async (id) => {
      window.call = window.phone.pull(id);
      const failed = await window.call.answered.then(() => null, (error) => error);
      return failed && { code: failed.code, sipStatus: failed.sipStatus ?? null, cause: window.call.state.end?.cause ?? null };
    }, remote);
  }

  /** Waits until it has no call. */
  idle() {
    return eventually(`${this.name}'s embedded phone has no call`, async () => (await this.state()).calls.length === 0);
  }

  /** Waits until the media of its only call has one way. */
  settled() {
    return eventually(`the audio of ${this.name}'s embedded phone has one way`, async () => {
      const open = await this.page.evaluate(() => window.__tap.connections());
      return open.length === 1 && open[0].state === "connected";
    });
  }

  /** Waits for the end of its first (second ...) call and gives the cause. @param {number} [which] @returns {Promise<string>} */
  ended(which = 1) {
    const cause = () => this.page.evaluate((index) => window.ended[index], which - 1);
    return eventually(`the embedded phone's call ${which} is over`, cause);
  }

  /** How its audio leaves: the kind of its candidate, and the protocol to the relay. @returns {Promise<[string, string]>} */
  way() {
    return this.page.evaluate(async () => {
      const stats = await window.phone.stats(window.phone.state.calls[0].id);
      const transport = [...stats.values()].find(({ type }) => type === "transport");
      const { candidateType, relayProtocol } = stats.get(stats.get(transport.selectedCandidatePairId).localCandidateId);
      return [candidateType, relayProtocol];
    });
  }

  /** Its diagnostic lines so far. @returns {Promise<string[]>} */
  log() {
    return this.page.evaluate(() => window.log);
  }

  /** What it hears. @param {number} [duration] seconds */
  async hear(duration = 3) {
    const sounds = await recordPage(this.page, duration);
    if (sounds.length !== 1) throw new Error(`the embedded phone hears ${sounds.length} tracks instead of one`);
    return sounds[0];
  }
}
