// The app as a person uses it: everything goes through names that are on the screen or told to a screen reader. All
// of them stand in `labels`, in English.

import { openBrowser } from "./chromium.mjs";
import { mixed } from "./sound.mjs";
import { voice } from "./speech.mjs";
import { recordPage } from "./tap.mjs";
import { eventually } from "./wait.mjs";

/** @typedef {import("./wav.mjs").Sound} Sound */

/**
 * @typedef {object} UserOptions
 * @property {import("./speech.mjs").Voice | null} [voice] what the microphone hears; null: there is no microphone
 * @property {"granted" | "ask"} [microphone]
 * @property {boolean} [signIn] false: only open the sign-in page
 * @property {import("./network.mjs").Machine} [machine] the computer it runs on
 * @property {boolean} [alone] in a browser process of its own
 * @property {string} [query] appended to the address, for instance `?host=page`
 * @property {(page: import("playwright-core").Page) => Promise<void>} [prepare] runs before the page is opened
 */

export const labels = {
  password: "Password",
  signIn: "Sign in",
  target: "Name or number",
  call: "Call",
  answer: "Answer",
  holdAndAnswer: "Hold & answer",
  endAndAnswer: "End & answer",
  decline: "Decline",
  end: "End",
  mute: "Mute",
  unmute: "Unmute",
  hold: "Hold",
  resume: "Resume",
  keypad: "Keypad",
  swap: "Swap",
  merge: "Merge",
  leave: "Leave",
  add: "Add call",
  transfer: "Transfer",
  transferNow: "Transfer now",
  askFirst: "Ask first",
  completeTransfer: "Complete transfer",
  pull: "Take over here",
  cancel: "Cancel",
  tryAgain: "Try again",
};

/** States of a call that is not over. */
const LIVE = ["preparing", "calling", "ringing", "incoming", "answering", "active", "ending"];

/** @param {string} name */
const exactly = (name) => new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`, "i");

/** One window of the app. */
export class AppWindow {
  /** @param {import("playwright-core").Page} page @param {string} url */
  constructor(page, url) {
    this.url = url;
    /** What the page wrote to its console, and its uncaught errors. @type {string[]} */
    this.messages = [];
    /** @type {string[]} */
    this.errors = [];
    this.watch(page);
  }

  /** @param {import("playwright-core").Page} page */
  watch(page) {
    this.page = page;
    page.on("console", (message) => this.messages.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => {
      this.errors.push(String(error));
      this.messages.push(`uncaught: ${error.stack ?? error}`);
    });
  }

  /** What `signIn` types. */
  password = "demo";

  async signIn() {
    await this.page.goto(this.url);
    await this.submitPassword(this.password);
    await this.registered();
  }

  /** @param {string} password */
  async submitPassword(password) {
    await this.page.getByLabel(labels.password, { exact: true }).fill(password);
    await this.button(labels.signIn).click();
  }

  /** Waits until the header says that calls can be made. @param {number} [timeout] ms */
  registered(timeout) {
    return this.connection("registered", timeout);
  }

  /** Waits for a state of the connection. @param {string} state @param {number} [timeout] ms */
  async connection(state, timeout = 20_000) {
    await this.page.locator(`[data-testid="connection-state"][data-state="${state}"]`).waitFor({ timeout });
  }

  /** @param {string} name */
  button(name) {
    return this.page.getByRole("button", { name: exactly(name) }).first();
  }

  /** Types a target and calls it. @param {string} target */
  async dial(target) {
    const field = this.page.getByLabel(labels.target, { exact: true });
    await field.fill(target);
    await field.press("Enter");
  }

  /** Opens the search in the card of the call at the ear and looks for somebody. @param {"add" | "transfer"} action @param {string} target */
  async lookFor(action, target) {
    await this.press(action);
    const field = this.page.locator("cl-call-picker").getByRole("combobox");
    await field.fill(target);
    return field;
  }

  /** Calls somebody as well. @param {string} target */
  async add(target) {
    await (await this.lookFor("add", target)).press("Enter");
  }

  /** Connects the far end with somebody. @param {string} target @param {"transferNow" | "askFirst"} way */
  async transfer(target, way) {
    await this.lookFor("transfer", target);
    await this.press(way);
  }

  /** Waits until the call with somebody is on hold, or is not. @param {string} who @param {boolean} held */
  async held(who, held) {
    await this.card(who).and(this.page.locator(`[data-call-state="active"][data-held="${held}"]`)).waitFor();
  }

  /** Waits for a call that comes in from somebody. @param {string | RegExp} who */
  async incoming(who) {
    const card = this.card(who).and(this.cards("incoming"));
    await card.waitFor();
    return card;
  }

  /** Clicks a button of the only card there is. @param {keyof typeof labels} action */
  async press(action) {
    await this.button(labels[action]).click();
  }

  async answer() {
    await this.press("answer");
    await this.active();
  }

  /** The region of the call with somebody. @param {string | RegExp} who */
  card(who) {
    const name = typeof who === "string" ? new RegExp(who, "i") : who;
    return this.page.getByRole("region", { name });
  }

  /** Any card of a call, by its state as the phone package names it. @param {string} state */
  cards(state) {
    return this.page.locator(`[data-call-state="${state}"]`);
  }

  /** Waits until a call is up and its media flows. */
  async active() {
    await this.cards("active").first().waitFor();
    await eventually(`${this.url}: media is connected`, async () => {
      const open = await this.connections();
      return open.length > 0 && open.every((connection) => connection.state === "connected");
    });
  }

  /** Waits until the media of the only call has one way, and no other is being tried. */
  async settled() {
    await eventually(`${this.url}: the audio has one way`, async () => {
      const open = await this.connections();
      return open.length === 1 && open[0].state === "connected";
    });
  }

  /** Waits until no call is left. */
  async idle() {
    await eventually(`${this.url}: no call is left`, async () => (await this.liveCalls()) === 0);
  }

  /** How many calls are not over. */
  async liveCalls() {
    const counts = await Promise.all(LIVE.map((state) => this.cards(state).count()));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Waits until the call is either up or gone. */
  async idleOrActive() {
    const settled = async () => (await this.liveCalls()) === 0 || (await this.cards("active").count()) > 0;
    await eventually(`${this.url}: the call is up or gone`, settled);
  }

  /** Waits until the header says that no call can be made. */
  async notRegistered() {
    await this.page.locator('[data-testid="connection-state"]:not([data-state="registered"])').waitFor({ timeout: 20_000 });
  }

  /** Why the last call ended, as the phone package names it. @returns {Promise<string | null>} */
  async endCause() {
    const note = this.page.locator("[data-end-cause]").last();
    await note.waitFor();
    return note.getAttribute("data-end-cause");
  }

  /** Waits until the words are on the screen. @param {string | RegExp} words */
  async says(words) {
    await this.page.getByText(words).first().waitFor();
  }

  /** Presses keys of the keypad that belongs to the call. @param {string} keys */
  async keys(keys) {
    const pad = this.cards("active").locator("cl-keypad button");
    if ((await pad.count()) === 0) await this.press("keypad");
    for (const key of keys) await pad.nth("123456789*0#".indexOf(key)).click();
  }

  /**
   * What this window hears, when exactly one call is up.
   * @param {number} [duration] seconds @param {() => Promise<unknown>} [meanwhile] @returns {Promise<Sound>}
   */
  async hear(duration = 3, meanwhile) {
    const sounds = await recordPage(this.page, duration, meanwhile);
    if (sounds.length !== 1) throw new Error(`${this.url} hears ${sounds.length} tracks instead of one`);
    return sounds[0];
  }

  /** What this window hears of all its calls together. @param {number} [duration] seconds @returns {Promise<Sound>} */
  async hearAll(duration = 3) {
    const [first, ...others] = await recordPage(this.page, duration);
    if (!first) throw new Error(`${this.url} hears no track`);
    return others.reduce(mixed, first);
  }

  /** Kills the page's process, as a bug of the browser does. */
  async crash() {
    const session = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent("crash");
    // Nobody is left to answer.
    void session.send("Page.crash").catch(() => undefined);
    await crashed;
  }

  /** Peer connections that are open. */
  connections() {
    return this.page.evaluate(() => window.__tap.connections());
  }

  /** Microphone tracks that are open. */
  microphones() {
    return this.page.evaluate(() => window.__tap.microphones());
  }
}

/** Somebody with a browser of their own; its first window is the user itself. */
export class AppUser extends AppWindow {
  /** @param {import("./server.mjs").Server} server @param {string} name @param {UserOptions} [options] */
  static async open(server, name, options = {}) {
    const microphone = options.voice === undefined ? voice(/** @type {any} */ (name)) : (options.voice ?? undefined);
    const browser = await openBrowser({ voice: microphone, microphone: options.microphone, machine: options.machine, alone: options.alone });
    const page = browser.context.pages()[0] ?? (await browser.context.newPage());
    await options.prepare?.(page);
    const user = new AppUser(name, page, browser, `${server.url}/u/${name}${options.query ?? ""}`);
    user.options = options;
    user.password = server.password;
    if (options.signIn === false) await page.goto(user.url);
    return user;
  }

  /** @type {UserOptions} */
  options = {};

  /** @param {string} name @param {any} page @param {any} browser @param {string} url */
  constructor(name, page, browser, url) {
    super(page, url);
    this.name = name;
    this.browser = browser;
    /** What the microphone hears. */
    this.voice = ["alice", "bob", "carol"].includes(name) ? voice(/** @type {any} */ (name)).sound : null;
  }

  /** Opens the app in a new window, which takes the place of one that has crashed. */
  async reopen() {
    const crashed = this.page;
    this.watch(await this.browser.context.newPage());
    await this.options.prepare?.(this.page);
    await this.page.goto(this.url);
    await crashed.close();
  }

  /** Opens another window of the same browser. @param {string} [url] default: the same account */
  async newWindow(url = this.url) {
    const window = new AppWindow(await this.browser.context.newPage(), url);
    await window.page.goto(url);
    return window;
  }

  close() {
    return this.browser.close();
  }
}

/**
 * Calls and is answered. @param {AppUser} caller @param {AppUser} callee @param {string} [target]
 */
export async function connect(caller, callee, target = callee.name) {
  await caller.dial(target);
  await callee.incoming(caller.name);
  await callee.answer();
  await caller.active();
}
