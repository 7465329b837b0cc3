// How long calls take to set up, beside JsSIP: same Chromium, same server, same answering peer, same wire, one after
// the other in each round, with the order changing from round to round.
//
// Start and end points, the same for both phones, page already loaded:
//   connect -> registered   `start()` is called -> the phone reports that it is registered
//   call -> INVITE          `call()` is called -> the INVITE passes a relay between phone and server
//   call -> confirmed       `call()` is called -> the phone reports the answer as accepted (its ACK is on its way)
//   call -> first audio     `call()` is called -> the first sound of the peer comes out of the audio graph of the page
//
// The peer answers by itself and speaks without pauses. Usage: cargo xtask bench [--rounds N]

import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { openBrowser } from "../lib/chromium.mjs";
import { peerScript } from "../lib/jssip.mjs";
import { Server } from "../lib/server.mjs";
import { serve } from "../lib/site.mjs";
import { silence } from "../lib/sound.mjs";
import { cached } from "../lib/speech.mjs";
import { eventually, passed } from "../lib/wait.mjs";
import { installFirstSound } from "./first-sound.mjs";
import { Relay } from "./relay.mjs";

const TARGET = 0.7;
const MEASURES = /** @type {const} */ (["connect -> registered", "call -> INVITE", "call -> confirmed", "call -> first audio"]);

/** @typedef {Record<typeof MEASURES[number], number>} Times milliseconds */
/** @typedef {{ name: string, round: () => Promise<Times> }} Contestant */

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const page = (script, kind = "") => `<!doctype html><meta charset="utf-8"><title>bench</title><body><script ${kind} src="${script}"></script>`;

async function main() {
  const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 20;
  const server = await Server.start(["--allow-origin", "*"]);
  const relay = await Relay.start(server.sipUrl);
  const site = await serve(
    {
      "/jssip/": page("/peer.js"),
      "/clearline/": page("/embed.js", 'type="module"'),
      "/peer.js": await peerScript(),
      "/embed.js": readFileSync(file("../page/embed.js"), "utf8"),
    },
    { "/phone/": file("../../../web/packages/phone/") },
  );
  const browser = await openBrowser({ voice: cached("without-pauses.wav", withoutPauses), alone: true });
  try {
    await browser.context.addInitScript(installFirstSound);
    await openPeer(browser.context, site.url, server);
    const contestants = [
      await jssip(browser.context, site.url, server, relay),
      await clearline(browser.context, site.url, server, relay),
    ];
    const results = await compete(contestants, rounds);
    process.exitCode = report(results, rounds) ? 0 : 1;
  } finally {
    await browser.close();
    site.close();
    relay.close();
    await server.close();
  }
}

/** Speech-like and never silent: a chord whose pitch and loudness change eight times a second. */
function withoutPauses() {
  const sound = silence(8);
  let phase = 0;
  for (let index = 0; index < sound.samples.length; index++) {
    const time = index / sound.rate;
    phase += (2 * Math.PI * (180 + 60 * Math.sin(2 * Math.PI * 3 * time))) / sound.rate;
    const loudness = 0.35 + 0.15 * Math.sin(2 * Math.PI * 8 * time);
    sound.samples[index] = loudness * (Math.sin(phase) + 0.6 * Math.sin(3 * phase) + 0.4 * Math.sin(7 * phase)) * 0.5;
  }
  return sound;
}

/** The answering peer; not through the relay. */
async function openPeer(context, url, server) {
  const tab = await context.newPage();
  await tab.goto(`${url}jssip/`);
  const account = { server: server.sipUrl, uri: `sip:bob@${server.domain}`, password: "demo", answers: true };
  await tab.evaluate((options) => window.openPeer(options), account);
  await eventually("the peer is registered", () => tab.evaluate(() => window.peer.events.includes("registered")));
}

/** @returns {Promise<Contestant>} */
async function jssip(context, url, server, relay) {
  const tab = await context.newPage();
  await tab.goto(`${url}jssip/`);
  const account = { server: relay.url, uri: `sip:alice@${server.domain}`, password: "demo" };
  const happened = (name) =>
    eventually(`JsSIP: ${name}`, () => tab.evaluate((event) => window.peer.at[event], name), { every: 20 });
  const round = async () => {
    await tab.evaluate((options) => {
      window.started = performance.now();
      window.openPeer(options);
    }, account);
    const registered = (await happened("registered")) - (await tab.evaluate(() => window.started));
    relay.forget();
    await tab.evaluate((target) => {
      window.__firstSound.at = null;
      window.called = performance.now();
      window.peer.call(target);
    }, `sip:bob@${server.domain}`);
    const confirmed = (await happened("confirmed")) - (await tab.evaluate(() => window.called));
    const times = await callTimes(tab, relay, registered, confirmed);
    await tab.evaluate(() => window.peer.hangUp());
    await happened("ended");
    await tab.evaluate(() => window.peer.stop());
    await happened("unregistered");
    return times;
  };
  return { name: "JsSIP", round };
}

/** @returns {Promise<Contestant>} */
async function clearline(context, url, server, relay) {
  const tab = await context.newPage();
  await tab.goto(`${url}clearline/`);
  await tab.waitForFunction(() => "preparePhone" in window);
  const account = { addressOfRecord: `sip:carol@${server.domain}`, password: "demo", servers: [relay.url] };
  const round = async () => {
    const registered = await tab.evaluate(async (config) => {
      await window.preparePhone(config);
      const started = performance.now();
      await window.phone.start();
      return performance.now() - started;
    }, account);
    relay.forget();
    const confirmed = await tab.evaluate(async () => {
      window.__firstSound.at = null;
      window.called = performance.now();
      window.dial("bob");
      await window.call.answered;
      return performance.now() - window.called;
    });
    const times = await callTimes(tab, relay, registered, confirmed);
    await tab.evaluate(async () => {
      await window.call.hangUp();
      await window.phone.stop();
      window.phone.dispose();
    });
    return times;
  };
  return { name: "Clearline", round };
}

/** @returns {Promise<Times>} */
async function callTimes(tab, relay, registered, confirmed) {
  const sound = await eventually("the first sound", () => tab.evaluate(() => window.__firstSound.at), { every: 20 });
  const called = await tab.evaluate(() => performance.timeOrigin + window.called);
  return {
    "connect -> registered": registered,
    "call -> INVITE": relay.seen.get("INVITE") - called,
    "call -> confirmed": confirmed,
    "call -> first audio": sound - called,
  };
}

/** @param {Contestant[]} contestants @param {number} rounds @returns {Promise<Map<string, Times[]>>} */
async function compete(contestants, rounds) {
  const results = new Map(contestants.map(({ name }) => [name, /** @type {Times[]} */ ([])]));
  // The first round warms up caches and compilers of both, and is not counted.
  for (let number = 0; number <= rounds; number++) {
    const order = number % 2 ? contestants : contestants.toReversed();
    for (const { name, round } of order) {
      const times = await round();
      if (number > 0) results.get(name)?.push(times);
      // The platform's and the peer's side of the last call must be over.
      await passed(300);
    }
    process.stdout.write(`\rround ${number} of ${rounds} `);
  }
  return results;
}

/** @param {Map<string, Times[]>} results @param {number} rounds */
function report(results, rounds) {
  console.log(`\n\nmilliseconds, median and maximum of ${rounds}\n`);
  console.log("| | JsSIP median | max | Clearline median | max | ratio | |\n|---|---|---|---|---|---|---|");
  let reached = true;
  for (const measure of MEASURES) {
    const [theirs, ours] = ["JsSIP", "Clearline"].map((name) => (results.get(name) ?? []).map((times) => times[measure]));
    const ratio = median(ours) / median(theirs);
    reached &&= ratio <= TARGET;
    const cells = [median(theirs), Math.max(...theirs), median(ours), Math.max(...ours)].map((ms) => ms.toFixed(1));
    console.log(`| ${measure} | ${cells.join(" | ")} | ${ratio.toFixed(2)} | ${ratio <= TARGET ? "reached" : "missed"} |`);
  }
  console.log(`\ntarget: a ratio of at most ${TARGET} in every line`);
  return reached;
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

await main();
