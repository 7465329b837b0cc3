// Starts Chromium: an empty profile per person, whose microphone is a WAV file. People with the same microphone on the
// same machine share one process per test file, each in a context of its own, because starting takes seconds.

import { chromium } from "playwright-core";
import { installTap } from "./tap.mjs";

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * @typedef {object} BrowserOptions
 * @property {import("./speech.mjs").Voice} [voice] what the microphone hears, in a loop; without it: no such device
 * @property {"granted" | "ask"} [microphone] whether the permission question is answered by itself
 * @property {string[]} [flags] more command-line flags
 * @property {string} [locale]
 * @property {import("./network.mjs").Machine} [machine] the computer it runs on; default: this one
 * @property {boolean} [alone] in a process of its own, to be frozen for instance
 */

/** @typedef {{ context: import("playwright-core").BrowserContext, close: () => Promise<void>, processes: () => Promise<number[]> }} OpenBrowser */

/** @type {Map<string, Promise<import("playwright-core").Browser>>} processes that are shared, by how they were started */
const shared = new Map();

/** @param {BrowserOptions} options @returns {Promise<OpenBrowser>} */
export async function openBrowser(options) {
  const alone = options.alone || options.machine !== undefined;
  const browser = await (alone ? launch(options) : sharedProcess(options));
  const context = await browser.newContext({
    locale: options.locale ?? "en-US",
    viewport: { width: 1000, height: 720 },
    ignoreHTTPSErrors: options.machine !== undefined,
  });
  context.setDefaultTimeout(15_000);
  await context.addInitScript(installTap);
  return {
    context,
    close: () => (alone ? browser.close() : context.close()),
    processes: () => processesOf(browser),
  };
}

/** Ends the shared processes; at the end of a file. */
export async function closeBrowsers() {
  const open = [...shared.values()];
  shared.clear();
  for (const browser of open) await (await browser).close();
}

/** @param {BrowserOptions} options */
function sharedProcess(options) {
  const key = JSON.stringify([options.voice?.path, options.microphone, options.flags]);
  const known = shared.get(key) ?? launch(options);
  shared.set(key, known);
  return known;
}

/** @param {BrowserOptions} options */
function launch({ voice, microphone = "granted", flags = [], machine }) {
  const sound = voice ? ["--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${voice.path}`] : [];
  const consent = microphone === "granted" ? ["--use-fake-ui-for-media-stream"] : [];
  return chromium.launch({
    executablePath: machine?.browser ?? process.env.CLEARLINE_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      ...QUIET,
      ...sound,
      ...consent,
      "--autoplay-policy=no-user-gesture-required",
      "--allow-loopback-in-peer-connection",
      // Such a server's certificate is known to nobody; a service worker asks the browser, not the page, to trust it.
      ...(machine ? ["--ignore-certificate-errors"] : []),
      ...flags,
    ],
  });
}

/** Identifiers of all processes of a browser. @param {import("playwright-core").Browser} browser */
async function processesOf(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  return processInfo.map(({ id }) => id);
}
