// Starts Chromium: one process and one empty profile per person, whose microphone is a WAV file.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
 */

/**
 * @param {BrowserOptions} options
 * @returns {Promise<{ context: import("playwright-core").BrowserContext, close: () => Promise<void> }>}
 */
export async function openBrowser({ voice, microphone = "granted", flags = [], locale = "en-US", machine } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "clearline-browser-"));
  const sound = voice ? ["--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${voice.path}`] : [];
  const consent = microphone === "granted" ? ["--use-fake-ui-for-media-stream"] : [];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: machine?.browser ?? process.env.CLEARLINE_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    locale,
    ignoreHTTPSErrors: machine !== undefined,
    viewport: { width: 1000, height: 720 },
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
  context.setDefaultTimeout(15_000);
  await context.addInitScript(installTap);
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
